//! Recorded Mastodon: one line is a status, a notification, or an event of the stream.
//!
//! The forms are those of the API (<https://docs.joinmastodon.org/entities/Status/>, `/Notification/`) and of the stream
//! (<https://docs.joinmastodon.org/methods/streaming/#events>): `{"event":"…","payload":"…"}`, where the payload is JSON written as
//! text, with or without `stream` beside it. Server-sent events are recorded in the same form, name and data.
//!
//! A live connection reads notifications alone. A recording may come from any stream, so a new status counts here too (`update`, and a
//! bare status). An edited copy says both that the post was edited and what it now is. A direct status counts only if it mentions
//! the bot: somebody else's private message is none of our business.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::ids::Channel;
use crate::platform::PlatformEvent;

use super::post::{Home, post};
use super::wire::{Identified, Notification, Status};

#[derive(Deserialize)]
struct Streamed {
    event: String,
    #[serde(default)]
    payload: Value,
}

/// An event of the stream. No events: it does not concern us. `Err`: one sentence why it cannot be read.
pub(in crate::platform) fn read_streamed(line: &[u8], bot: &str) -> Result<Vec<PlatformEvent>, String> {
    let Streamed { event, payload } = decode(line)?;
    match event.as_str() {
        "update" => status(inner(payload)?, bot),
        "status.update" => Ok(vec![PlatformEvent::Edited { native_id: inner::<Identified>(payload)?.id }]),
        "delete" => match payload {
            Value::String(id) if !id.trim().is_empty() => Ok(vec![PlatformEvent::Deleted { native_id: id.trim().to_owned() }]),
            other => Err(format!("a delete event names {other}")),
        },
        "notification" => notification(inner(payload)?, bot),
        // `conversation` repeats a message that a notification brings.
        _ => Ok(Vec::new()),
    }
}

/// A notification by itself.
pub(in crate::platform) fn read_notification(line: &[u8], bot: &str) -> Result<Vec<PlatformEvent>, String> {
    notification(decode(line)?, bot)
}

/// A status by itself.
pub(in crate::platform) fn read_status(line: &[u8], bot: &str) -> Result<Vec<PlatformEvent>, String> {
    status(decode(line)?, bot)
}

fn notification(notification: Notification, bot: &str) -> Result<Vec<PlatformEvent>, String> {
    match notification.kind.as_str() {
        "mention" | "status" => status(read(notification.status)?, bot),
        // Somebody edited a status that we had to do with.
        "update" => Ok(vec![PlatformEvent::Edited { native_id: read::<Identified>(notification.status)?.id }]),
        _ => Ok(Vec::new()),
    }
}

fn status(status: Status, bot: &str) -> Result<Vec<PlatformEvent>, String> {
    let home = home(bot);
    let full = format!("{}@{}", home.bot_user, home.domain);
    let is_bot = |acct: &str| acct.eq_ignore_ascii_case(&home.bot_user) || acct.eq_ignore_ascii_case(&full);
    let to_us = status.mentions.iter().any(|mention| is_bot(&mention.acct));
    let post = post(status, &home)?;
    if post.channel == Channel::Dm && !to_us {
        return Ok(Vec::new());
    }
    let edited = post.is_edited.then(|| PlatformEvent::Edited { native_id: post.native_id.clone() });
    Ok(edited.into_iter().chain([PlatformEvent::Posted(Box::new(post))]).collect())
}

/// Without a domain the bot is at home wherever the recording was made.
fn home(bot: &str) -> Home {
    let (user, domain) = bot.split_once('@').unwrap_or((bot, ""));
    Home { bot_user: user.to_ascii_lowercase(), domain: domain.to_ascii_lowercase() }
}

/// The payload is JSON as text; recordings that have already unfolded it are read too.
fn inner<T: DeserializeOwned>(payload: Value) -> Result<T, String> {
    match payload {
        Value::String(text) => serde_json::from_str(&text).map_err(|error| format!("the payload: {error}")),
        object => read(object),
    }
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}

fn decode<T: DeserializeOwned>(line: &[u8]) -> Result<T, String> {
    serde_json::from_slice(line).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn a_status(visibility: &str) -> Value {
        json!({"id": "1089", "uri": "https://s.example/users/ana/statuses/1089", "created_at": "2026-09-10T08:00:00.000Z",
            "account": {"id": "14", "acct": "ana"}, "visibility": visibility, "edited_at": null, "reblog": null,
            "content": "<p><a href=\"https://s.example/@obole\" class=\"u-url mention\">@<span>obole</span></a> #donner 10€ &amp; merci</p>",
            "mentions": [{"id": "3", "username": "obole", "acct": "obole", "url": "https://s.example/@obole"}]})
    }

    fn text_of(events: Vec<PlatformEvent>) -> String {
        match events.into_iter().next() {
            Some(PlatformEvent::Posted(post)) => post.text,
            other => panic!("not a post: {other:?}"),
        }
    }

    fn streamed(event: &str, payload: Value) -> Result<Vec<PlatformEvent>, String> {
        read_streamed(json!({"stream": ["user"], "event": event, "payload": payload}).to_string().as_bytes(), "obole")
    }

    #[test]
    fn every_form_of_a_status_is_the_same_post() {
        let status = a_status("public");
        let notification = json!({"id": "1", "type": "mention", "account": {"id": "14"}, "status": status});
        let bare = read_status(status.to_string().as_bytes(), "obole").unwrap();
        assert_eq!(read_notification(notification.to_string().as_bytes(), "obole").unwrap(), bare);
        for payload in [json!(status.to_string()), status] {
            assert_eq!(streamed("update", payload).unwrap(), bare);
        }
        assert_eq!(streamed("notification", json!(notification.to_string())).unwrap(), bare);
        assert_eq!(text_of(bare), "@obole #donner 10€ & merci");
    }

    #[test]
    fn a_direct_status_is_read_if_it_is_to_us() {
        let direct = a_status("direct").to_string();
        assert_eq!(text_of(read_status(direct.as_bytes(), "Obole").unwrap()), "#donner 10€ & merci");
        assert_eq!(read_status(direct.as_bytes(), "somebody").unwrap(), []);
        assert_eq!(read_status(direct.as_bytes(), "obole@pay.example").unwrap().len(), 1);
    }

    #[test]
    fn edits_and_deletions() {
        assert_eq!(streamed("delete", json!("1089")).unwrap(), [PlatformEvent::Deleted { native_id: "1089".into() }]);
        assert_eq!(
            streamed("status.update", json!(a_status("public").to_string())).unwrap(),
            [PlatformEvent::Edited { native_id: "1089".into() }]
        );
        let edited = json!({"id": "1", "type": "update", "account": {"id": "14"}, "status": {"id": "1089"}});
        assert_eq!(streamed("notification", edited).unwrap(), [PlatformEvent::Edited { native_id: "1089".into() }]);
        assert!(streamed("delete", json!(7)).is_err());
        let mut copy = a_status("public");
        copy["edited_at"] = "2026-09-10T09:00:00.000Z".into();
        let events = read_status(copy.to_string().as_bytes(), "obole").unwrap();
        assert_eq!(events[0], PlatformEvent::Edited { native_id: "1089".into() });
        assert!(matches!(&events[1], PlatformEvent::Posted(post) if post.is_edited));
    }

    #[test]
    fn what_does_not_concern_us_and_what_cannot_be_read() {
        assert_eq!(streamed("filters_changed", Value::Null).unwrap(), []);
        assert_eq!(streamed("conversation", json!("{}")).unwrap(), []);
        assert_eq!(streamed("notification", json!({"id": "1", "type": "follow"})).unwrap(), []);
        assert!(streamed("update", json!("{\"id\":\"1")).unwrap_err().starts_with("the payload: EOF"));
        assert!(streamed("notification", json!({"id": "1", "type": "mention"})).is_err());
    }
}
