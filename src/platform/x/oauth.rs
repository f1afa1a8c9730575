//! OAuth 1.0a (RFC 5849): signs a call as the bot. Its tokens do not run out, so nothing has to be renewed, stored, or shared among nodes.
//!
//! Signed are the method, the address without its query, and the query's and the header's own parameters; a JSON body is not.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;
use url::Url;

use crate::clock::Timestamp;

/// The four words that a call is signed with.
pub(super) struct Signer {
    pub(super) consumer_key: SecretString,
    pub(super) consumer_secret: SecretString,
    pub(super) access_token: SecretString,
    pub(super) access_token_secret: SecretString,
}

impl Signer {
    /// The value of `Authorization`. The nonce has to differ between calls within one second.
    pub(super) fn authorise(&self, method: &str, address: &Url, now: Timestamp, nonce: &str) -> String {
        let seconds = now.as_second().to_string();
        let mut own = vec![
            ("oauth_consumer_key", self.consumer_key.expose_secret()),
            ("oauth_nonce", nonce),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", &seconds),
            ("oauth_token", self.access_token.expose_secret()),
            ("oauth_version", "1.0"),
        ];
        let signature = self.signature(method, address, &own);
        own.push(("oauth_signature", &signature));
        let pairs: Vec<String> = own.iter().map(|(name, value)| format!("{name}=\"{}\"", encoded(value))).collect();
        format!("OAuth {}", pairs.join(", "))
    }

    fn signature(&self, method: &str, address: &Url, own: &[(&str, &str)]) -> String {
        let query = address.query_pairs().map(|(name, value)| (encoded(&name), encoded(&value)));
        let own = own.iter().map(|(name, value)| (encoded(name), encoded(value)));
        let mut pairs: Vec<(String, String)> = query.chain(own).collect();
        pairs.sort();
        let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut base = address.clone();
        base.set_query(None);
        let text = format!("{method}&{}&{}", encoded(base.as_str()), encoded(&pairs.join("&")));
        let (consumer, token) = (self.consumer_secret.expose_secret(), self.access_token_secret.expose_secret());
        let key = format!("{}&{}", encoded(consumer), encoded(token));
        // HMAC takes keys of any length.
        let Ok(mut mac) = <Hmac<Sha1> as KeyInit>::new_from_slice(key.as_bytes()) else { return String::new() };
        mac.update(text.as_bytes());
        STANDARD.encode(mac.finalize().into_bytes())
    }
}

/// RFC 3986: everything but the unreserved characters.
fn encoded(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xs_own_example_has_its_signature() {
        // https://docs.x.com/resources/fundamentals/authentication/oauth-1-0a/creating-a-signature
        let secret = |text: &str| SecretString::from(text.to_owned());
        let signer = Signer {
            consumer_key: secret("xvz1evFS4wEEPTGEFPHBog"),
            consumer_secret: secret("kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw"),
            access_token: secret("370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb"),
            access_token_secret: secret("LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE"),
        };
        let mut address = Url::parse("https://api.twitter.com/1.1/statuses/update.json").unwrap();
        address.query_pairs_mut().append_pair("include_entities", "true");
        address.query_pairs_mut().append_pair("status", "Hello Ladies + Gentlemen, a signed OAuth request!");
        let now = Timestamp::from_second(1_318_622_958).unwrap();
        let header = signer.authorise("POST", &address, now, "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg");
        assert!(header.starts_with("OAuth oauth_consumer_key=\"xvz1evFS4wEEPTGEFPHBog\", "), "{header}");
        assert!(header.ends_with("oauth_signature=\"hCtSmYh%2BiHYCEqBWrE7C7hYmtUk%3D\""), "{header}");
    }
}
