//! The Activity API's webhook: what X pushes, proven by the app's consumer secret.
//!
//! X asks for a proof of the secret now and then (`crc_token`) and signs every body (`x-twitter-webhooks-signature`), both with HMAC-SHA256
//! (<https://docs.x.com/x-api/webhooks/introduction>). It brings what the stream and the lists do not: deletions, changed handles, private
//! messages at once, and that somebody wrote an encrypted one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sha2::Sha256;

use super::read_object;
use crate::clock::Timestamp;
use crate::ids::{AccountId, Channel, PostId};
use crate::platform::inbound::CallError;
use crate::platform::{Account, PlatformEvent, Post};

/// What stands in place of a text that we cannot read. The order language does not know it, so its author is told what it does know.
const ENCRYPTED: &str = "(encrypted)";

/// The answer to `?crc_token=…`.
pub(super) fn challenge(secret: &SecretString, query: &str) -> Option<String> {
    let token = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "crc_token")?.1;
    let mac = mac(secret, token.as_bytes())?;
    Some(json!({ "response_token": format!("sha256={}", STANDARD.encode(mac.finalize().into_bytes())) }).to_string())
}

/// Compares in constant time.
pub(super) fn verify(secret: &SecretString, headers: &HeaderMap, body: &[u8]) -> Result<(), CallError> {
    let signature = headers.get("x-twitter-webhooks-signature").and_then(|value| value.to_str().ok());
    let signature = signature.and_then(|value| value.strip_prefix("sha256="));
    let claimed = signature.and_then(|value| STANDARD.decode(value).ok()).ok_or(CallError::NotProven("there is no signature"))?;
    let mac = mac(secret, body).ok_or(CallError::NotProven("there is no secret"))?;
    mac.verify_slice(&claimed).map_err(|_| CallError::NotProven("the signature is not by the app's secret"))
}

fn mac(secret: &SecretString, text: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.expose_secret().as_bytes()).ok()?;
    mac.update(text);
    Some(mac)
}

/// The events of a body.
pub(super) fn read(body: &[u8], bot: &Account, now: Timestamp) -> Result<Vec<PlatformEvent>, CallError> {
    let object: Value = serde_json::from_slice(body).map_err(|error| CallError::Unreadable(error.to_string()))?;
    let data = object.get("data").unwrap_or(&object);
    if data.get("event_type").and_then(Value::as_str) == Some("chat.received") {
        return Ok(encrypted(data, bot, now).into_iter().collect());
    }
    // Without the outer object that the stream puts around it.
    let wrapped = if object.get("data").is_some() { body.to_vec() } else { json!({ "data": object }).to_string().into_bytes() };
    read_object(&wrapped, &bot.handle).map_err(CallError::Unreadable)
}

/// A message that is there and cannot be read, as one with words that mean nothing: its author is answered.
fn encrypted(data: &Value, bot: &Account, now: Timestamp) -> Option<PlatformEvent> {
    let payload = data.get("payload").unwrap_or(data);
    let text = |names: &[&str]| names.iter().find_map(|name| payload.pointer(name)).and_then(Value::as_str).map(str::to_owned);
    let sender = text(&["/sender_id", "/sender/id", "/message/sender_id", "/encoded_event/sender_id"])?;
    if sender == bot.id.as_str() {
        return None;
    }
    let id = text(&["/id", "/message_id", "/message/id", "/event_id"])
        .or_else(|| data.get("event_uuid").and_then(Value::as_str).map(str::to_owned))?;
    let author = Account { id: AccountId(sender), handle: String::new(), display_name: String::new(), is_bot: false };
    let native_id = format!("chat-{id}");
    Some(PlatformEvent::Posted(Box::new(Post {
        id: PostId(native_id.clone()),
        native_id,
        channel: Channel::Dm,
        author,
        text: ENCRYPTED.to_owned(),
        mentions: Vec::new(),
        is_repost: false,
        in_reply_to: None,
        posted_at: now,
        is_edited: false,
        url: None,
        language: None,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> SecretString {
        SecretString::from("hush".to_owned())
    }

    fn bot() -> Account {
        Account { id: AccountId::from("9"), handle: "obole".into(), display_name: String::new(), is_bot: true }
    }

    #[test]
    fn the_challenge_is_answered_with_the_tokens_hash() {
        let answer = challenge(&secret(), "nonce=1&crc_token=a%20b").unwrap();
        let expected = format!("sha256={}", STANDARD.encode(mac(&secret(), b"a b").unwrap().finalize().into_bytes()));
        assert_eq!(serde_json::from_str::<Value>(&answer).unwrap()["response_token"], expected.as_str());
        assert_eq!(challenge(&secret(), "nonce=1"), None);
    }

    #[test]
    fn a_body_counts_only_with_its_signature() {
        let body = br#"{"data":{"event_type":"post.delete","payload":{"id":"7"}}}"#;
        let signed = |text: &str| HeaderMap::from_iter([("x-twitter-webhooks-signature".parse().unwrap(), text.parse().unwrap())]);
        let right = format!("sha256={}", STANDARD.encode(mac(&secret(), body).unwrap().finalize().into_bytes()));
        assert_eq!(verify(&secret(), &signed(&right), body), Ok(()));
        assert!(verify(&secret(), &signed(&right), b"{}").is_err());
        assert!(verify(&secret(), &signed("sha256=AAAA"), body).is_err());
        assert!(verify(&secret(), &signed("sha256=!"), body).is_err());
        assert!(verify(&secret(), &HeaderMap::new(), body).is_err());
        let events = read(body, &bot(), Timestamp::default()).unwrap();
        assert_eq!(events, [PlatformEvent::Deleted { native_id: "7".into() }]);
    }

    #[test]
    fn an_encrypted_message_is_one_whose_words_mean_nothing() {
        let event = |sender: &str| {
            json!({ "data": { "event_type": "chat.received", "event_uuid": "-5", "payload": { "sender_id": sender } } }).to_string()
        };
        let events = read(event("2").as_bytes(), &bot(), Timestamp::default()).unwrap();
        let [PlatformEvent::Posted(post)] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!((post.author.id.as_str(), post.native_id.as_str(), post.channel), ("2", "chat--5", Channel::Dm));
        assert_eq!(read(event("9").as_bytes(), &bot(), Timestamp::default()).unwrap(), []);
    }
}
