//! Checking a signed request as a bank does: the digest is the body's, the signature is the certificate's, over what has to be in it.
//!
//! Signing is up to the caller here, as at most banks; what is signed has to be right. Who has issued the certificate is not asked.

use std::collections::BTreeMap;

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ECDSA_P256_SHA256_ASN1, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm};
use sha2::{Digest as _, Sha256};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use super::error::BgError;
use super::gate::optional;

/// Whether the request carries a signature.
pub(super) fn is_signed(headers: &HeaderMap) -> bool {
    headers.contains_key("signature")
}

/// Checks the signature of a request with this body.
pub(super) fn check(headers: &HeaderMap, body: &[u8]) -> Result<(), BgError> {
    let wrong = |code: &'static str, text: &str| BgError::new(axum::http::StatusCode::UNAUTHORIZED, code, text);
    let invalid = |text: &str| wrong("SIGNATURE_INVALID", text);
    let digest = optional(headers, "Digest")?.ok_or_else(|| invalid("a signed request has a digest"))?;
    if digest != format!("SHA-256={}", STANDARD.encode(Sha256::digest(body))) {
        return Err(invalid("the digest is not the body's"));
    }
    let certificate = optional(headers, "TPP-Signature-Certificate")?;
    let certificate = certificate.ok_or_else(|| wrong("CERTIFICATE_MISSING", "a signed request has its certificate"))?;
    let unreadable = || wrong("CERTIFICATE_INVALID", "the certificate cannot be read");
    let der = STANDARD.decode(certificate).map_err(|_| unreadable())?;
    let certificate = Certificate::from_der(&der).map_err(|_| unreadable())?;
    let key = certificate.tbs_certificate().subject_public_key_info().subject_public_key.raw_bytes();
    let fields = fields(optional(headers, "Signature")?.unwrap_or_default());
    let field = |name: &str| fields.get(name).map(String::as_str).ok_or_else(|| invalid("the signature lacks a field"));
    let names: Vec<&str> = field("headers")?.split(' ').collect();
    for needed in ["digest", "x-request-id", "date"] {
        if !names.contains(&needed) {
            return Err(invalid("the signature does not cover all that it has to"));
        }
    }
    if headers.contains_key("tpp-redirect-uri") && !names.contains(&"tpp-redirect-uri") {
        return Err(invalid("the signature does not cover the address to return to"));
    }
    let mut lines = Vec::with_capacity(names.len());
    for name in names {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        lines.push(format!("{name}: {}", value.ok_or_else(|| invalid("the signature covers a header that is not there"))?));
    }
    let algorithm: &dyn VerificationAlgorithm = match field("algorithm")? {
        "rsa-sha256" => &RSA_PKCS1_2048_8192_SHA256,
        "ecdsa-sha256" => &ECDSA_P256_SHA256_ASN1,
        _ => return Err(invalid("the signature's algorithm is not known here")),
    };
    let signature = STANDARD.decode(field("signature")?).map_err(|_| invalid("the signature is not base64"))?;
    let verified = UnparsedPublicKey::new(algorithm, key).verify(lines.join("\n").as_bytes(), &signature);
    verified.map_err(|_| invalid("the signature is not the certificate's"))
}

/// `name="value"` with commas between; values have no quotation marks.
fn fields(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once("=\"") {
        let Some((value, after)) = after.split_once('"') else { break };
        found.insert(name.trim_start_matches([',', ' ']).to_owned(), value.to_owned());
        rest = after;
    }
    found
}
