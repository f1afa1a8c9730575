//! Private messages: asked for once a minute, sent with a look back where the outcome is not known.
//!
//! X has two kinds. The older one is read and written here. The newer is encrypted and does not show in the older one's lists; that
//! somebody wrote one is told by the Activity API alone (`chat.received`), and whoever did is answered in the older kind, so
//! that nothing vanishes (see `webhook`).
//!
//! There is no idempotency key: a message of ours with the same words to the same person, not older than the first try, is it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tracing::warn;

use super::api::{Api, As, is_about_us};
use super::config::prices;
use super::stream::Heard;
use super::text::unescape;
use crate::clock::{Timestamp, earlier};
use crate::ids::{AccountId, Channel, PostId};
use crate::platform::call::{Failure, Refusal};
use crate::platform::health::Health;
use crate::platform::own_name::without_bot;
use crate::platform::{Account, Closed, ListenError, OutgoingDm, PlatformEvent, Post, SendError};

/// X keeps 30 days of messages; so many pages of 100 are more than an account gets.
const MAX_PAGES: usize = 1_000;
/// So many questions in a row may fail before the connection counts as broken.
const MAX_FAILED_POLLS: u32 = 5;
/// Sendings in doubt that are remembered.
const REMEMBERED: usize = 4_096;
/// X's clock and ours may differ by this.
const CLOCKS_DIFFER: Duration = Duration::from_secs(120);

const FIELDS: [(&str, &str); 4] = [
    ("dm_event.fields", "id,text,event_type,sender_id,created_at,dm_conversation_id,entities"),
    ("event_types", "MessageCreate"),
    ("expansions", "sender_id"),
    ("user.fields", "username,name"),
];

/// Sendings whose outcome is not known, and when they were first tried.
pub(super) type Doubtful = Mutex<HashMap<String, Timestamp>>;

/// What the messages' part of a connection needs.
pub(super) struct Messages<'a> {
    pub(super) api: &'a Api,
    pub(super) bot: &'a Account,
    pub(super) health: &'a Health,
    pub(super) doubtful: &'a Doubtful,
    pub(super) poll: Duration,
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    data: Vec<Value>,
    #[serde(default)]
    includes: Includes,
    #[serde(default)]
    meta: Meta,
}

#[derive(Default, Deserialize)]
struct Includes {
    #[serde(default)]
    users: Vec<User>,
}

#[derive(Deserialize)]
struct User {
    id: String,
    username: String,
    #[serde(default)]
    name: String,
}

#[derive(Default, Deserialize)]
struct Meta {
    #[serde(default)]
    next_token: Option<String>,
}

/// <https://docs.x.com/x-api/direct-messages/lookup/introduction>
#[derive(Deserialize)]
struct Message {
    id: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    sender_id: String,
    #[serde(default)]
    created_at: Option<Timestamp>,
    /// `smaller-larger` for two people; a group's is one number.
    #[serde(default)]
    dm_conversation_id: String,
}

#[derive(Deserialize)]
struct Sent {
    data: SentData,
}

#[derive(Deserialize)]
struct SentData {
    dm_event_id: String,
}

impl Messages<'_> {
    /// Asks until the receiver is gone or X cannot be asked any more.
    pub(super) async fn run(&self, from: Option<u64>, heard: &mpsc::Sender<Heard>) -> Result<(), ListenError> {
        let mut newest = from;
        let mut failed_polls = 0;
        loop {
            match self.ask(&mut newest, heard).await {
                Ok(true) => failed_polls = 0,
                Ok(false) => return Ok(()),
                Err(failure) => {
                    failed_polls += 1;
                    let limited = failure.refusal().is_some_and(|refusal| refusal.code == 429);
                    if is_about_us(&failure) || (failed_polls >= MAX_FAILED_POLLS && !limited) {
                        return Err(self.api.pauses.after_failure(&failure));
                    }
                    warn!(platform.error = failure.why(), "could not ask for private messages");
                    // A far reset is waited for here; posts go on meanwhile.
                    let wait = failure.refusal().and_then(|refusal| refusal.after).unwrap_or_default();
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        () = heard.closed() => return Ok(()),
                    }
                }
            }
            tokio::select! {
                () = tokio::time::sleep(self.poll) => {}
                () = heard.closed() => return Ok(()),
            }
        }
    }

    /// Reads what is newer, oldest first. On the very first start nothing older is read. `false`: the receiver is gone.
    async fn ask(&self, newest: &mut Option<u64>, heard: &mpsc::Sender<Heard>) -> Result<bool, Failure> {
        let mut found = Vec::new();
        let mut next: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let mut query: Vec<(&str, &str)> = FIELDS.to_vec();
            query.push(("max_results", if newest.is_none() { "1" } else { "100" }));
            query.extend(next.as_deref().map(|next| ("pagination_token", next)));
            let page: Page = self.api.get(As::Bot, &["2", "dm_events"], &query).await?;
            let known = |id: u64| newest.is_some_and(|newest| id <= newest);
            let mut reached_known = false;
            for message in page.data.iter().filter_map(|message| Message::deserialize(message).ok()) {
                let Ok(id) = message.id.parse::<u64>() else { continue };
                if known(id) {
                    reached_known = true;
                } else {
                    self.health.spends(prices::DM_READ);
                    found.push((id, self.event(&message, &page.includes.users)));
                }
            }
            next = page.meta.next_token;
            if newest.is_none() || reached_known || next.is_none() {
                break;
            }
        }
        let first_start = newest.is_none();
        found.sort_by_key(|(id, _)| *id);
        let last = found.last().map(|(id, _)| *id).or(*newest).unwrap_or(0);
        *newest = Some(last);
        let events = if first_start { Vec::new() } else { found.into_iter().filter_map(|(_, event)| event).collect() };
        Ok(heard.send(Heard { events, messages: Some(last), posts: None }).await.is_ok())
    }

    /// A message of somebody else's in a conversation of two.
    fn event(&self, message: &Message, users: &[User]) -> Option<PlatformEvent> {
        let of_two = message.dm_conversation_id.contains('-') || message.dm_conversation_id.is_empty();
        if message.sender_id == self.bot.id.as_str() || message.sender_id.is_empty() || !of_two {
            return None;
        }
        let user = users.iter().find(|user| user.id == message.sender_id);
        let author = Account {
            id: AccountId(message.sender_id.clone()),
            handle: user.map(|user| user.username.to_ascii_lowercase()).unwrap_or_default(),
            display_name: user.map(|user| user.name.clone()).unwrap_or_default(),
            is_bot: false,
        };
        Some(PlatformEvent::Posted(Box::new(Post {
            id: PostId(message.id.clone()),
            native_id: message.id.clone(),
            channel: Channel::Dm,
            author,
            text: without_bot(&unescape(&message.text), &self.bot.handle).to_owned(),
            mentions: Vec::new(),
            is_repost: false,
            in_reply_to: None,
            posted_at: message.created_at.unwrap_or_else(|| self.api.caller.clock().now()),
            is_edited: false,
            url: None,
            language: None,
        })))
    }

    /// See [`crate::platform::Platform::send_dm`].
    pub(super) async fn send(&self, dm: OutgoingDm<'_>) -> Result<String, SendError> {
        let began = self.api.caller.clock().now();
        let doubted = self.doubtful().get(dm.key).copied();
        if let Some(first_try) = doubted
            && let Some(id) = self.find(&dm, first_try).await.map_err(of_sending)?
        {
            self.doubtful().remove(dm.key);
            return Ok(id);
        }
        let path = ["2", "dm_conversations", "with", dm.to.as_str(), "messages"];
        let failure = match self.api.post::<Sent>(As::Bot, &path, &json!({ "text": dm.text })).await {
            Ok(sent) => {
                self.health.spends(prices::DM_SENT);
                self.doubtful().remove(dm.key);
                return Ok(sent.data.dm_event_id);
            }
            Err(failure) => failure,
        };
        let definite = failure.refusal().is_some_and(|refusal| (300..500).contains(&refusal.code) && refusal.code != 408);
        if definite || matches!(failure, Failure::NotReached(_)) {
            return Err(of_sending(failure));
        }
        let why = failure.why();
        match self.find(&dm, began).await {
            Ok(Some(id)) => Ok(id),
            found => {
                let mut doubtful = self.doubtful();
                if doubtful.len() < REMEMBERED {
                    doubtful.entry(dm.key.to_owned()).or_insert(began);
                }
                let more = found.err().map_or_else(|| "not found when read back".to_owned(), |failure| failure.why());
                Err(SendError::Unknown { why: format!("{why}; {more}") })
            }
        }
    }

    fn doubtful(&self) -> std::sync::MutexGuard<'_, HashMap<String, Timestamp>> {
        self.doubtful.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn find(&self, dm: &OutgoingDm<'_>, since: Timestamp) -> Result<Option<String>, Failure> {
        let path = ["2", "dm_conversations", "with", dm.to.as_str(), "dm_events"];
        let mut query = FIELDS.to_vec();
        query.push(("max_results", "20"));
        let page: Page = self.api.get(As::Bot, &path, &query).await?;
        let since = earlier(since, CLOCKS_DIFFER);
        let is_it = |message: &Message| {
            message.sender_id == self.bot.id.as_str()
                && letters(&unescape(&message.text)) == letters(dm.text)
                && message.created_at.is_none_or(|created_at| created_at >= since)
        };
        let mut messages = page.data.iter().filter_map(|message| Message::deserialize(message).ok());
        Ok(messages.find(is_it).map(|message| message.id))
    }

    /// Whether private messages may be read at all.
    pub(super) async fn try_out(&self) -> Result<(), Failure> {
        self.api.get::<Page>(As::Bot, &["2", "dm_events"], &[("max_results", "1")]).await.map(|_| ())
    }
}

/// What of a text survives shortening of addresses and reading back: X replaces every web address by one of its own.
pub(super) fn letters(text: &str) -> String {
    let words = text.split_whitespace().filter(|word| !word.contains("://"));
    words.flat_map(|word| word.chars().filter(|character| character.is_alphanumeric())).collect()
}

/// What a failure means of which nothing can have been sent. 349: cannot send to this user; 150: not a follower; 476: the sender is not
/// verified; 326 and 64 are about our own account.
pub(super) fn of_sending(failure: Failure) -> SendError {
    let why = failure.why();
    match failure {
        failure if is_about_us(&failure) => SendError::Credentials { why },
        Failure::Status(Refusal { code: 400..=428 | 430..=499, error, message, .. }) => {
            let says = |words: &str| message.to_ascii_lowercase().contains(words);
            let closed = match error.as_str() {
                "349" | "476" => Some(Closed::Disabled),
                "150" => Some(Closed::NotFollowed),
                "108" | "50" | "63" => Some(Closed::Gone),
                _ if says("cannot send messages to this user") || says("not verified") => Some(Closed::Disabled),
                _ if says("not following") => Some(Closed::NotFollowed),
                _ if says("encrypted") => Some(Closed::EncryptedOnly),
                _ if says("blocked") => Some(Closed::Blocked),
                _ => None,
            };
            closed.map_or(SendError::Refused { why: why.clone() }, |closed| SendError::NoChannel { closed, why })
        }
        failure => SendError::Later { after: failure.refusal().and_then(|refusal| refusal.after), why },
    }
}
