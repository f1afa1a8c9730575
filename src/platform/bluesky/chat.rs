//! Private messages: polled from the chat's log, answered in the conversations that payers opened.
//!
//! Every call goes to the account's own server, which passes it on and signs for the account
//! (<https://docs.bsky.app/docs/advanced-guides/api-directory>, `atproto-proxy`). The chat does not push: its log is asked for what came
//! after a revision (`chat.bsky.convo.getLog`), our own messages included.
//!
//! A message from somebody we do not follow stands in a *request* until it is accepted; it is accepted when the message is read, since a
//! payer has to open the channel. Only conversations of two are read: in a group, others would see codes.
//!
//! The chat knows no idempotency key. When the outcome of a sending is not known, the conversation is read back at once, and once
//! more before the same sending is tried again: a message of ours with the same words, not older than the first try, is it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tracing::{debug, warn};

use super::stream::Heard;
use super::xrpc::{Service, Xrpc, is_about_us};
use super::{facets, listen_error};
use crate::clock::{Timestamp, earlier};
use crate::ids::{AccountId, Channel, PostId};
use crate::platform::call::Failure;
use crate::platform::own_name::without_bot;
use crate::platform::{Account, Closed, ListenError, OutgoingDm, PlatformEvent, Post, SendError};

/// Where a log begins: the least revision there can be.
const BEGINNING: &str = "2222222222222";
/// A page of the log is as long as the chat wants; this many pages are more than it ever kept.
const MAX_PAGES: usize = 10_000;
/// So many polls in a row may fail before the connection counts as broken.
const MAX_FAILED_POLLS: u32 = 5;
/// So many conversations are remembered with their members.
const REMEMBERED: usize = 4_096;
/// The chat's clock and ours may differ by this.
const CLOCKS_DIFFER: Duration = Duration::from_secs(120);
/// Messages that are read back.
const READ_BACK: &str = "50";

/// What is remembered between calls.
#[derive(Default)]
pub(super) struct Memory {
    conversations: Mutex<Conversations>,
    /// Sendings whose outcome is not known, and when they were first tried.
    doubtful: Mutex<HashMap<String, Timestamp>>,
}

/// Who is on the other side, by conversation; `None` where there are several.
#[derive(Default)]
struct Conversations {
    known: HashMap<String, Option<Account>>,
    order: VecDeque<String>,
}

/// What the chat's part of a connection needs.
pub(super) struct Chat<'a> {
    pub(super) xrpc: &'a Xrpc,
    pub(super) bot: &'a Account,
    pub(super) memory: &'a Memory,
    pub(super) poll: Duration,
}

#[derive(Deserialize)]
struct Log {
    #[serde(default)]
    cursor: Option<String>,
    #[serde(default)]
    logs: Vec<Value>,
}

/// One line of the log: `chat.bsky.convo.defs#logCreateMessage` and its kin.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    #[serde(rename = "$type")]
    kind: String,
    #[serde(default)]
    convo_id: String,
    #[serde(default)]
    message: Option<Message>,
}

/// `chat.bsky.convo.defs#messageView`; of a deleted message only the id and the sender are left.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    id: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    facets: Option<Vec<Value>>,
    sender: Member,
    #[serde(default)]
    sent_at: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Member {
    did: String,
    #[serde(default)]
    handle: String,
    #[serde(default)]
    display_name: Option<String>,
}

#[derive(Deserialize)]
struct ConvoAnswer {
    convo: Convo,
}

#[derive(Deserialize)]
struct Convo {
    id: String,
    #[serde(default)]
    rev: String,
    #[serde(default)]
    members: Vec<Member>,
    #[serde(default)]
    status: Option<String>,
}

#[derive(Deserialize)]
struct Convos {
    #[serde(default)]
    convos: Vec<Convo>,
}

#[derive(Deserialize)]
struct Messages {
    #[serde(default)]
    messages: Vec<Value>,
}

#[derive(Deserialize)]
struct Sent {
    id: String,
}

impl Chat<'_> {
    /// Polls until the receiver is gone or the chat cannot be asked any more.
    pub(super) async fn run(&self, from: Option<String>, heard: &mpsc::Sender<Heard>) -> Result<(), ListenError> {
        let mut cursor = match from {
            Some(cursor) => cursor,
            None => self.newest_revision().await.map_err(listen_error)?,
        };
        let begin = Heard { chat: Some(cursor.clone()), ..Heard::default() };
        if heard.send(begin).await.is_err() {
            return Ok(());
        }
        let mut failed_polls = 0;
        loop {
            match self.read_log(&mut cursor, heard).await {
                Ok(true) => failed_polls = 0,
                Ok(false) => return Ok(()),
                Err(failure) => {
                    let limited = failure.refusal().is_some_and(|refusal| refusal.code == 429);
                    failed_polls += u32::from(!limited);
                    if is_about_us(&failure) || failed_polls >= MAX_FAILED_POLLS {
                        return Err(listen_error(failure));
                    }
                    warn!(platform.error = failure.why(), "could not ask for new messages");
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

    /// On the very first start nothing older is read: the newest conversation's revision is where the log begins for us.
    async fn newest_revision(&self) -> Result<String, Failure> {
        let answer: Convos = self.xrpc.get(Service::Chat, "chat.bsky.convo.listConvos", &[("limit", "1")]).await?;
        let newest = answer.convos.into_iter().next().map(|convo| convo.rev).filter(|rev| !rev.is_empty());
        Ok(newest.unwrap_or_else(|| BEGINNING.to_owned()))
    }

    /// Reads the log to its end. `false`: the receiver is gone.
    async fn read_log(&self, cursor: &mut String, heard: &mpsc::Sender<Heard>) -> Result<bool, Failure> {
        for _ in 0..MAX_PAGES {
            let log: Log = self.xrpc.get(Service::Chat, "chat.bsky.convo.getLog", &[("cursor", cursor)]).await?;
            if log.logs.is_empty() {
                break;
            }
            let mut events = Vec::new();
            for line in &log.logs {
                events.extend(self.read_line(line).await?);
            }
            let last = log.logs.last().and_then(|line| line.get("rev")).and_then(Value::as_str).map(str::to_owned);
            let Some(next) = log.cursor.or(last).filter(|next| next != cursor) else { break };
            *cursor = next;
            if heard.send(Heard { events, chat: Some(cursor.clone()), ..Heard::default() }).await.is_err() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn read_line(&self, line: &Value) -> Result<Option<PlatformEvent>, Failure> {
        let line = match Line::deserialize(line) {
            Ok(line) => line,
            Err(error) => {
                debug!(platform.error = %error, "a line of the chat's log is of a kind that we do not know");
                return Ok(None);
            }
        };
        let Some(message) = line.message else { return Ok(None) };
        if message.sender.did == self.bot.id.as_str() {
            return Ok(None);
        }
        let native_id = format!("{}/{}", line.convo_id, message.id);
        match line.kind.rsplit('#').next() {
            Some("logDeleteMessage") => Ok(Some(PlatformEvent::Deleted { native_id })),
            Some("logCreateMessage") => {
                let Some(author) = self.other_side(&line.convo_id).await? else { return Ok(None) };
                if author.id.as_str() != message.sender.did {
                    return Ok(None);
                }
                Ok(Some(PlatformEvent::Posted(Box::new(self.post(native_id, author, &message)))))
            }
            _ => Ok(None),
        }
    }

    fn post(&self, native_id: String, author: Account, message: &Message) -> Post {
        let (text, mentions) = facets::apply(&message.text, message.facets.as_deref().unwrap_or_default());
        let sent_at = message.sent_at.as_ref().and_then(|sent_at| sent_at.parse().ok());
        Post {
            id: PostId(native_id.clone()),
            native_id,
            channel: Channel::Dm,
            author,
            text: without_bot(&text, &self.bot.handle).to_owned(),
            mentions,
            is_repost: false,
            in_reply_to: None,
            posted_at: sent_at.unwrap_or_else(|| self.xrpc.caller().clock().now()),
            is_edited: false,
            url: None,
            language: None,
        }
    }

    /// Who is on the other side of a conversation of two; `None` if it is not one. A request is accepted on the way.
    async fn other_side(&self, id: &str) -> Result<Option<Account>, Failure> {
        if let Some(known) = self.conversations().known.get(id) {
            return Ok(known.clone());
        }
        let answer = self.xrpc.get(Service::Chat, "chat.bsky.convo.getConvo", &[("convoId", id)]).await;
        let convo = match answer {
            Ok(ConvoAnswer { convo }) => convo,
            // Left or deleted since; nobody could be answered there.
            Err(failure) if is_refused(&failure) => return Ok(None),
            Err(failure) => return Err(failure),
        };
        let others: Vec<Member> = convo.members.into_iter().filter(|member| member.did != self.bot.id.as_str()).collect();
        let other = match <[Member; 1]>::try_from(others) {
            Ok([member]) => Some(Account {
                id: AccountId(member.did),
                handle: member.handle.to_ascii_lowercase(),
                display_name: member.display_name.unwrap_or_default(),
                is_bot: false,
            }),
            Err(_) => None,
        };
        if other.is_some() && convo.status.as_deref() == Some("request") {
            let input = json!({ "convoId": convo.id });
            match self.xrpc.post::<Value>(Service::Chat, "chat.bsky.convo.acceptConvo", &input).await {
                Ok(_) => {}
                Err(failure) if is_refused(&failure) => warn!(platform.error = failure.why(), "a conversation was not accepted"),
                Err(failure) => return Err(failure),
            }
        }
        self.remember(id, other.clone());
        Ok(other)
    }

    fn conversations(&self) -> std::sync::MutexGuard<'_, Conversations> {
        self.memory.conversations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, id: &str, other: Option<Account>) {
        let mut remembered = self.conversations();
        let Conversations { known, order } = &mut *remembered;
        if known.insert(id.to_owned(), other).is_none() {
            order.push_back(id.to_owned());
        }
        if order.len() > REMEMBERED
            && let Some(oldest) = order.pop_front()
        {
            known.remove(&oldest);
        }
    }

    /// A handle was changed: who is on the other side is asked again.
    pub(super) fn forget(&self, account: &AccountId) {
        let mut remembered = self.conversations();
        let Conversations { known, order } = &mut *remembered;
        known.retain(|_, other| other.as_ref().is_none_or(|other| other.id != *account));
        order.retain(|id| known.contains_key(id));
    }

    /// See [`crate::platform::Platform::send_dm`].
    pub(super) async fn send(&self, dm: OutgoingDm<'_>) -> Result<String, SendError> {
        let query = [("members", dm.to.as_str())];
        let convo = self.xrpc.get(Service::Chat, "chat.bsky.convo.getConvoForMembers", &query).await;
        let ConvoAnswer { convo } = convo.map_err(refused_before_sending)?;
        let began = self.xrpc.caller().clock().now();
        let doubted = self.doubtful().get(dm.key).copied();
        if let Some(first_try) = doubted
            && let Some(id) = self.find(&convo.id, dm.text, first_try).await.map_err(refused_before_sending)?
        {
            self.doubtful().remove(dm.key);
            return Ok(format!("{}/{id}", convo.id));
        }
        let input = json!({ "convoId": convo.id, "message": { "text": dm.text, "facets": facets::of_links(dm.text) } });
        let failure = match self.xrpc.post::<Sent>(Service::Chat, "chat.bsky.convo.sendMessage", &input).await {
            Ok(sent) => {
                self.doubtful().remove(dm.key);
                return Ok(format!("{}/{}", convo.id, sent.id));
            }
            Err(failure) => failure,
        };
        let is_definite = matches!(failure, Failure::NotReached(_)) || is_refused(&failure) || is_about_us(&failure);
        if is_definite || failure.refusal().is_some_and(|refusal| refusal.code == 429) {
            return Err(refused_before_sending(failure));
        }
        let why = failure.why();
        match self.find(&convo.id, dm.text, began).await {
            Ok(Some(id)) => Ok(format!("{}/{id}", convo.id)),
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
        self.memory.doubtful.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks for a message of ours with these words that was sent since a moment.
    async fn find(&self, convo: &str, text: &str, since: Timestamp) -> Result<Option<String>, Failure> {
        let query = [("convoId", convo), ("limit", READ_BACK)];
        let answer: Messages = self.xrpc.get(Service::Chat, "chat.bsky.convo.getMessages", &query).await?;
        let since = earlier(since, CLOCKS_DIFFER);
        let is_it = |message: &Message| {
            let sent_at: Option<Timestamp> = message.sent_at.as_ref().and_then(|sent_at| sent_at.parse().ok());
            message.sender.did == self.bot.id.as_str() && message.text == text && sent_at.is_none_or(|sent_at| sent_at >= since)
        };
        Ok(answer.messages.iter().filter_map(|message| Message::deserialize(message).ok()).find(is_it).map(|message| message.id))
    }

    /// Whether the chat takes us at all.
    pub(super) async fn try_out(&self) -> Result<(), Failure> {
        self.xrpc.get::<Convos>(Service::Chat, "chat.bsky.convo.listConvos", &[("limit", "1")]).await.map(|_| ())
    }
}

/// The server has said no to what was asked, and will not say otherwise to the same again. 408 is a proxy's, which may have passed the
/// request on.
fn is_refused(failure: &Failure) -> bool {
    let no = |code: u16| (400..500).contains(&code) && !matches!(code, 401 | 408 | 429);
    !is_about_us(failure) && failure.refusal().is_some_and(|refusal| no(refusal.code))
}

/// What a failure means of which nothing can have been sent.
fn refused_before_sending(failure: Failure) -> SendError {
    let why = failure.why();
    match &failure {
        failure if is_about_us(failure) => SendError::Credentials { why },
        Failure::Status(refusal) if is_refused(&failure) => match closed(&refusal.error, &refusal.message) {
            Some(closed) => SendError::NoChannel { closed, why },
            None => SendError::Refused { why },
        },
        Failure::Status(refusal) => SendError::Later { after: refusal.after, why },
        Failure::NotReached(_) | Failure::NoAnswer(_) => SendError::Later { after: None, why },
    }
}

/// The errors of `chat.bsky.convo.getConvoForMembers`, by name or, as the service says some of them, by sentence.
fn closed(error: &str, message: &str) -> Option<Closed> {
    let message = message.to_ascii_lowercase();
    let says = |words: &str| message.contains(words);
    match error {
        "NotFollowedBySender" => Some(Closed::NotFollowed),
        "MessagesDisabled" => Some(Closed::Disabled),
        "BlockedActor" => Some(Closed::Blocked),
        "AccountSuspended" | "RecipientNotFound" => Some(Closed::Gone),
        _ if says("someone they follow") => Some(Closed::NotFollowed),
        _ if says("disabled incoming messages") => Some(Closed::Disabled),
        _ if says("block between") => Some(Closed::Blocked),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::call::Refusal;

    fn failure(code: u16, error: &str, message: &str) -> Failure {
        Failure::Status(Refusal { code, after: None, error: error.into(), message: message.into() })
    }

    #[test]
    fn each_refusal_is_of_its_kind() {
        let of = |code, error, message| refused_before_sending(failure(code, error, message));
        let is_closed = |error: SendError, wanted| matches!(error, SendError::NoChannel { closed, .. } if closed == wanted);
        assert!(is_closed(of(400, "NotFollowedBySender", ""), Closed::NotFollowed));
        assert!(is_closed(of(400, "MessagesDisabled", ""), Closed::Disabled));
        let sentence = "recipient requires incoming messages to come from someone they follow";
        assert!(is_closed(of(400, "InvalidRequest", sentence), Closed::NotFollowed));
        assert!(is_closed(of(400, "InvalidRequest", "recipient has disabled incoming messages"), Closed::Disabled));
        assert!(is_closed(of(400, "BlockedActor", "block between recipient and sender"), Closed::Blocked));
        assert!(matches!(of(400, "InvalidRequest", "text is too long"), SendError::Refused { .. }));
        assert!(matches!(of(400, "InvalidToken", "Bad token method"), SendError::Credentials { .. }));
        assert!(matches!(of(401, "AuthMissing", ""), SendError::Credentials { .. }));
        assert!(matches!(of(429, "RateLimitExceeded", ""), SendError::Later { .. }));
        assert!(matches!(of(502, "UpstreamFailure", ""), SendError::Later { .. }));
    }
}
