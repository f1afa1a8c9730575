//! Signatures: of requests by the client, and of webhooks by the backend.
//!
//! A **request** is signed with HMAC-SHA256 over five lines: `obole-request-v1`, the method, path and query as sent, the moment in
//! seconds, and the SHA-256 of the body in hexadecimal digits. It is good for five minutes around that moment. Replaying one within
//! them does nothing: every write is named by the client's own id and is the same write again.
//!
//! A **webhook** is signed as Standard Webhooks has it (`v1,` and base64 of HMAC-SHA256 over `id.timestamp.body`, the body as it came
//! over the wire). While a secret is replaced, deliveries carry a signature by each, and the receiver takes either.
//!
//! Banks that would rather not share a secret use client certificates (mTLS) in place of the first.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use sha2::{Digest as _, Sha256};

use crate::clock::Timestamp;
use crate::ids::hex;

/// How old a signature may be, and how far ahead of our clock.
pub const FRESHNESS_SECONDS: i64 = 5 * 60;
/// What a webhook's secret begins with.
const SECRET_PREFIX: &str = "whsec_";
/// Shorter secrets can be guessed.
const SHORTEST_SECRET: usize = 24;

/// A client's key.
#[derive(Debug, Clone)]
pub struct RequestKey {
    /// What names it.
    pub id: String,
    /// What both sides know.
    pub secret: SecretString,
}

/// Why a signature does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    /// A header that has to be there is missing or cannot be read.
    #[error("the signature's headers are missing or cannot be read")]
    Missing,
    /// Signed too long ago, or by a clock that is ahead.
    #[error("the signature is not from the last five minutes")]
    Stale,
    /// Nobody we know signed this.
    #[error("the signature is not by a key that is known here")]
    Wrong,
}

impl RequestKey {
    /// `ID:SECRET`, as the command line takes it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (id, secret) = text.split_once(':').ok_or("has to be ID:SECRET")?;
        let fits =
            !id.is_empty() && id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if !fits {
            return Err("has an ID that is not made of letters, digits and - _ .".to_owned());
        }
        if secret.len() < SHORTEST_SECRET {
            return Err(format!("has a SECRET of {} characters; it needs {SHORTEST_SECRET}", secret.len()));
        }
        Ok(RequestKey { id: id.to_owned(), secret: SecretString::from(secret) })
    }

    /// The signature of a request made at `now`.
    pub fn sign(&self, method: &str, path_and_query: &str, body: &[u8], now: Timestamp) -> String {
        hex(&self.mac(method, path_and_query, now.as_second(), body).finalize().into_bytes())
    }

    /// Whether `signature` is this key's, of this request, at that second.
    pub fn has_signed(&self, method: &str, path_and_query: &str, body: &[u8], second: i64, signature: &str) -> bool {
        let expected = hex(&self.mac(method, path_and_query, second, body).finalize().into_bytes());
        subtle::ConstantTimeEq::ct_eq(expected.as_bytes(), signature.as_bytes()).into()
    }

    fn mac(&self, method: &str, path_and_query: &str, second: i64, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = keyed(self.secret.expose_secret().as_bytes());
        let digest = hex(&Sha256::digest(body));
        mac.update(format!("obole-request-v1\n{method}\n{path_and_query}\n{second}\n{digest}").as_bytes());
        mac
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length, which is all that can fail here")]
fn keyed(secret: &[u8]) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(secret).expect("a key of any length")
}

/// Whether something signed at `second` counts at `now`.
pub fn is_fresh(second: i64, now: Timestamp) -> bool {
    now.as_second().abs_diff(second) <= FRESHNESS_SECONDS.unsigned_abs()
}

/// A secret that webhooks are signed with.
#[derive(Debug, Clone)]
pub struct WebhookSecret(SecretSlice<u8>);

impl WebhookSecret {
    /// Reads `whsec_` and base64.
    pub fn parse(text: &str) -> Result<Self, String> {
        let encoded = text.strip_prefix(SECRET_PREFIX).ok_or("has to begin with whsec_")?;
        let bytes = BASE64.decode(encoded).map_err(|_| "is not base64 after whsec_".to_owned())?;
        if bytes.len() < SHORTEST_SECRET {
            return Err(format!("is {} bytes long; it needs {SHORTEST_SECRET}", bytes.len()));
        }
        Ok(WebhookSecret(bytes.into()))
    }

    /// As it is written: `whsec_` and base64.
    pub fn write(bytes: &[u8]) -> String {
        format!("{SECRET_PREFIX}{}", BASE64.encode(bytes))
    }

    fn mac(&self, id: &str, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = keyed(self.0.expose_secret());
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        mac
    }

    /// This secret's signature of a delivery.
    pub fn sign(&self, id: &str, second: i64, body: &[u8]) -> String {
        format!("v1,{}", BASE64.encode(self.mac(id, &second.to_string(), body).finalize().into_bytes()))
    }
}

/// A webhook as it came in.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// `webhook-id`.
    pub id: &'a str,
    /// `webhook-timestamp`.
    pub timestamp: &'a str,
    /// `webhook-signature`.
    pub signatures: &'a str,
    /// The body, to the byte.
    pub body: &'a [u8],
}

impl Delivery<'_> {
    /// Whether it was signed by one of these secrets within the last minutes.
    pub fn verify(&self, secrets: &[WebhookSecret], now: Timestamp) -> Result<(), BadSignature> {
        let second: i64 = self.timestamp.parse().map_err(|_| BadSignature::Missing)?;
        if self.id.is_empty() || self.signatures.is_empty() {
            return Err(BadSignature::Missing);
        }
        if !is_fresh(second, now) {
            return Err(BadSignature::Stale);
        }
        let signed = |secret: &WebhookSecret| self.signatures.split(' ').any(|signature| self.is_by(secret, signature));
        if secrets.iter().any(signed) { Ok(()) } else { Err(BadSignature::Wrong) }
    }

    fn is_by(&self, secret: &WebhookSecret, signature: &str) -> bool {
        let Some(Ok(bytes)) = signature.strip_prefix("v1,").map(|encoded| BASE64.decode(encoded)) else { return false };
        secret.mac(self.id, self.timestamp, self.body).verify_slice(&bytes).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-21T10:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_request_is_signed_by_a_fixed_recipe() {
        let key = RequestKey::parse("shop-1:0123456789abcdef01234567").unwrap();
        let signature = key.sign("PUT", "/payments/a1", b"{}", now());
        // As another program makes it: printf 'obole-request-v1\nPUT\n/payments/a1\n%s\n<sha256 of {}>' | openssl dgst -sha256 -hmac …
        assert_eq!(signature, "7e034aa36426860684af6ee72fb19cf99f27ff9ca056fad31cc9ea9ceec4440b");
        let second = now().as_second();
        assert!(key.has_signed("PUT", "/payments/a1", b"{}", second, &signature));
        for (method, path, body, second) in [
            ("POST", "/payments/a1", &b"{}"[..], second),
            ("PUT", "/payments/a2", b"{}", second),
            ("PUT", "/payments/a1", b"{ }", second),
            ("PUT", "/payments/a1", b"{}", second + 1),
        ] {
            assert!(!key.has_signed(method, path, body, second, &signature));
        }
        assert!(RequestKey::parse("shop-1").is_err() && RequestKey::parse("a b:0123456789abcdef01234567").is_err());
        assert!(RequestKey::parse("shop:short").is_err());
    }

    #[test]
    fn a_webhook_is_signed_as_the_standards_own_example_has_it() {
        // The example of the Standard Webhooks specification, "Verifying signatures".
        let secret = WebhookSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = br#"{"test": 2432232314}"#;
        let signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_delivery_counts_by_either_secret_and_only_as_it_was_sent() {
        let secrets = [1_u8, 2].map(|byte| WebhookSecret::parse(&WebhookSecret::write(&[byte; 32])).unwrap());
        let second = now().as_second();
        let signature = format!("v1a,x {} {}", secrets[0].sign("e1", second, b"{}"), secrets[1].sign("e1", second, b"{}"));
        let timestamp = second.to_string();
        let delivery = Delivery { id: "e1", timestamp: &timestamp, signatures: &signature, body: b"{}" };
        assert_eq!(delivery.verify(&secrets[..1], now()), Ok(()));
        assert_eq!(delivery.verify(&secrets[1..], now()), Ok(()));
        let stranger = WebhookSecret::parse(&WebhookSecret::write(&[3; 32])).unwrap();
        assert_eq!(delivery.verify(&[stranger], now()), Err(BadSignature::Wrong));
        assert_eq!(Delivery { body: b"{ }", ..delivery }.verify(&secrets, now()), Err(BadSignature::Wrong));
        assert_eq!(Delivery { id: "e2", ..delivery }.verify(&secrets, now()), Err(BadSignature::Wrong));
        assert_eq!(Delivery { signatures: "", ..delivery }.verify(&secrets, now()), Err(BadSignature::Missing));
        assert_eq!(Delivery { timestamp: "1", ..delivery }.verify(&secrets, now()), Err(BadSignature::Stale));
        for bad in ["whsec_", "whsec_!!", "sec_AAAA", "whsec_AAAA"] {
            assert!(WebhookSecret::parse(bad).is_err(), "{bad}");
        }
    }
}
