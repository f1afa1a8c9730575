//! Signatures of calls in both directions, in the form of Standard Webhooks
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>), for which there are libraries in many
//! languages.
//!
//! `webhook-signature: v1,<base64 of HMAC-SHA256 over "<webhook-id>.<webhook-timestamp>.<raw body>">`; several, separated by spaces, while a
//! secret is being replaced. A call counts if one of its signatures was made with one of our secrets, and its timestamp is not further
//! from now than the window: so a recorded call can be replayed for five minutes, and then says only what it has said before, since
//! every event names what it is about.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::HeaderMap;
use secrecy::{ExposeSecret, SecretBox};
use sha2::Sha256;

use crate::clock::Timestamp;

/// How far a timestamp may be from now.
const WINDOW: Duration = Duration::from_secs(5 * 60);
/// The specification's word before a secret.
const PREFIX: &str = "whsec_";
/// The least number of bytes a secret has (the specification: 24 to 64).
const SHORTEST: usize = 24;
/// So many signatures are tried.
const MOST_SIGNATURES: usize = 8;

/// The secret in use and, while it is being replaced, the one before it.
#[derive(Debug)]
pub(super) struct Secrets(Vec<SecretBox<[u8]>>);

impl Secrets {
    /// Reads secrets written as `whsec_` and base64; the first is the one in use.
    pub(super) fn read<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let read = |text: &str| {
            let encoded = text.strip_prefix(PREFIX).ok_or_else(|| format!("has to begin with {PREFIX}"))?;
            let bytes = STANDARD.decode(encoded).map_err(|_| format!("is not base64 after {PREFIX}"))?;
            if bytes.len() < SHORTEST {
                return Err(format!("has {} bytes and needs {SHORTEST} (make one with: openssl rand -base64 32)", bytes.len()));
            }
            Ok(SecretBox::new(bytes.into_boxed_slice()))
        };
        texts.into_iter().map(read).collect::<Result<_, _>>().map(Secrets)
    }

    /// The value of `webhook-signature`, by every secret, newest first.
    pub(super) fn sign(&self, id: &str, timestamp: Timestamp, body: &[u8]) -> String {
        let seconds = timestamp.as_second().to_string();
        let signature = |secret: &SecretBox<[u8]>| {
            let mac = mac(secret.expose_secret(), &[id.as_bytes(), seconds.as_bytes(), body]);
            mac.map(|mac| format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
        };
        self.0.iter().filter_map(signature).collect::<Vec<_>>().join(" ")
    }

    /// Whether a call was signed by somebody who knows one of the secrets, and lately. Gives its id.
    pub(super) fn verify<'h>(&self, headers: &'h HeaderMap, body: &[u8], now: Timestamp) -> Result<&'h str, &'static str> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).filter(|value| !value.is_empty());
        let id = text("webhook-id").ok_or("there is no webhook-id")?;
        let timestamp = text("webhook-timestamp").ok_or("there is no webhook-timestamp")?;
        let signatures = text("webhook-signature").ok_or("there is no webhook-signature")?;
        let seconds = timestamp.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
        let seconds = seconds.ok_or("webhook-timestamp is not a number of seconds since 1970")?;
        if now.duration_since(seconds).unsigned_abs() > WINDOW {
            return Err("webhook-timestamp is more than five minutes from now");
        }
        let claimed = signatures.split(' ').take(MOST_SIGNATURES).filter_map(|signature| signature.strip_prefix("v1,"));
        let claimed: Vec<Vec<u8>> = claimed.filter_map(|signature| STANDARD.decode(signature).ok()).collect();
        let parts = [id.as_bytes(), timestamp.as_bytes(), body];
        // Compared in constant time.
        let fits = |secret: &SecretBox<[u8]>| {
            claimed.iter().any(|claimed| mac(secret.expose_secret(), &parts).is_some_and(|mac| mac.verify_slice(claimed).is_ok()))
        };
        if self.0.iter().any(fits) { Ok(id) } else { Err("no signature is by a secret that is in use") }
    }
}

fn mac(secret: &[u8], parts: &[&[u8]; 3]) -> Option<Hmac<Sha256>> {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret).ok()?;
    for (place, part) in parts.iter().enumerate() {
        if place > 0 {
            mac.update(b".");
        }
        mac.update(part);
    }
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const OLD: &str = "whsec_b2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xk";

    fn headers(id: &str, timestamp: &str, signature: &str) -> HeaderMap {
        let pairs = [("webhook-id", id), ("webhook-timestamp", timestamp), ("webhook-signature", signature)];
        pairs.into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn the_specifications_own_example_verifies() {
        let secrets = Secrets::read([NEW]).unwrap();
        let body = br#"{"test": 2432232314}"#;
        let sent = Timestamp::from_second(1_614_265_330).unwrap();
        let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(secrets.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", sent, body), signature);
        let headers = headers("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", signature);
        assert_eq!(secrets.verify(&headers, body, sent), Ok("msg_p5jXN8AQM9LWM0D4loKWxJek"));
        for (late, fits) in [(300, true), (-300, true), (301, false), (-301, false)] {
            let now = Timestamp::from_second(1_614_265_330 + late).unwrap();
            assert_eq!(secrets.verify(&headers, body, now).is_ok(), fits, "{late}");
        }
        assert!(secrets.verify(&headers, br#"{"test": 2432232315}"#, sent).is_err());
    }

    #[test]
    fn while_a_secret_is_replaced_both_count() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let (old, both) = (Secrets::read([OLD]).unwrap(), Secrets::read([NEW, OLD]).unwrap());
        let by = |secrets: &Secrets| headers("1", "1800000000", &secrets.sign("1", now, b"x"));
        assert!(both.verify(&by(&old), b"x", now).is_ok());
        assert!(old.verify(&by(&both), b"x", now).is_ok(), "what we send is signed with both");
        let new = Secrets::read([NEW]).unwrap();
        assert!(new.verify(&by(&old), b"x", now).is_err());
    }

    #[test]
    fn what_is_missing_or_nonsense_proves_nothing() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let secrets = Secrets::read([NEW]).unwrap();
        let right = secrets.sign("1", now, b"x");
        for (id, timestamp, signature) in [
            ("", "1800000000", right.as_str()),
            ("1", "", &right),
            ("1", "soon", &right),
            ("1", "1800000000", ""),
            ("1", "1800000000", "v1,"),
            ("1", "1800000000", "v2,AAAA"),
            ("1", "1800000000", "v1,not base64"),
            ("2", "1800000000", &right),
            ("1", "1800000001", &right),
        ] {
            assert!(secrets.verify(&headers(id, timestamp, signature), b"x", now).is_err(), "{id} {timestamp} {signature}");
        }
        assert!(secrets.verify(&headers("1", "1800000000", &format!("v1,AAAA v1a,zz {right}")), b"x", now).is_ok());
        for secret in ["hush", "whsec_!!", "whsec_aHVzaA=="] {
            assert!(Secrets::read([secret]).is_err(), "{secret}");
        }
    }
}
