//! Request signing with a QSeal certificate (NextGenPSD2 1.3, section 12.2: HTTP signatures as in draft-cavage-http-signatures-10).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::SignatureScheme;
use sha2::{Digest as _, Sha256};

use crate::bank::certificate::Certificate;
use crate::clock::Timestamp;

/// Headers of a call that go into the signature if they are there, besides digest, request id and date.
const SIGNED_IF_THERE: [&str; 3] = ["PSU-ID", "PSU-Corporate-ID", "TPP-Redirect-URI"];

/// What signs requests.
#[derive(Debug, Clone)]
pub(super) struct Seal {
    certificate: Certificate,
}

impl Seal {
    pub(super) fn new(certificate: Certificate) -> Self {
        Seal { certificate }
    }

    /// The headers that sign a request with this id, these other headers and this body.
    pub(super) fn headers(
        &self,
        request_id: &str,
        others: &[(&'static str, &str)],
        body: &[u8],
        now: Timestamp,
    ) -> anyhow::Result<Vec<(&'static str, String)>> {
        let digest = format!("SHA-256={}", STANDARD.encode(Sha256::digest(body)));
        let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let mut lines = vec![("digest".to_owned(), digest.clone()), ("x-request-id".to_owned(), request_id.to_owned())];
        for name in SIGNED_IF_THERE {
            let value = others.iter().find(|(other, _)| *other == name);
            lines.extend(value.map(|(name, value)| (name.to_lowercase(), (*value).to_owned())));
        }
        lines.push(("date".to_owned(), date.clone()));
        let text: Vec<String> = lines.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        let names: Vec<&str> = lines.iter().map(|(name, _)| name.as_str()).collect();
        let offered = [SignatureScheme::RSA_PKCS1_SHA256, SignatureScheme::ECDSA_NISTP256_SHA256];
        let signer = self.certificate.key().choose_scheme(&offered);
        let signer = signer.ok_or_else(|| anyhow::anyhow!("the sealing key is neither RSA nor P-256"))?;
        let algorithm = if signer.scheme() == SignatureScheme::RSA_PKCS1_SHA256 { "rsa-sha256" } else { "ecdsa-sha256" };
        let signature = STANDARD.encode(signer.sign(text.join("\n").as_bytes())?);
        let key_id = format!("SN={},CA={}", self.certificate.serial(), self.certificate.issuer().replace(' ', "%20"));
        let value =
            format!("keyId=\"{key_id}\",algorithm=\"{algorithm}\",headers=\"{}\",signature=\"{signature}\"", names.join(" "));
        Ok(vec![
            ("Digest", digest),
            ("Date", date),
            ("Signature", value),
            ("TPP-Signature-Certificate", STANDARD.encode(self.certificate.der())),
        ])
    }
}
