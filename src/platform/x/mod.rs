//! X: posts by the filtered stream of API v2, private messages by its lists and by webhook, public answers.
//!
//! - [`config`](XConfig): what an operator says, and what X charges; `position`: where to continue;
//! - `api`, `oauth`: calls, as the app or as the bot; `stream`, `lines`: listening; `messages`: private messages; `webhook`: what X pushes;
//! - `wire`, `text`: from an object to a [`Post`]; [`read_object`]: the same for a recording.
//!
//! Read are objects of the filtered stream (`{"data":{…},"includes":{…}}`), of the search, whose posts are put into the same form, and of the
//! Activity API (`{"data":{"event_type":…,"payload":{…}}}`).
//!
//! What becomes of an object:
//! - a post is named by the **root of its edit history**, so all its versions share one name; its `native_id` is its own id;
//! - a later version is two events: the root was edited, and here is a post whose first version is unknown. The first cancels what the
//!   root ordered, the second makes nothing if the root was seen and is refused as already edited if it was not;
//! - a repost is marked as one; a quote is a post with its own text alone;
//! - `post.delete` is a deletion, `dm.received` private messages, `profile.update.handle` a changed account;
//! - everything else does not concern us, nor do the `errors` that a stream sends between posts.
//!
//! Ids are 64-bit numbers written as text and stay text. Names of fields are read in both forms: the documents say `tweet`, the
//! OpenAPI description says `post` since version 2.167.
//!
//! Sources: <https://docs.x.com/x-api/fundamentals/data-dictionary>, `/x-api/fundamentals/edit-posts`,
//! `/x-api/activity/event-payloads`, `/x-api/posts/filtered-stream/introduction`.

mod api;
mod config;
mod lines;
mod live;
mod messages;
mod oauth;
mod position;
mod stream;
mod text;
mod webhook;
mod wire;

use jiff::Timestamp;

use crate::ids::{AccountId, Channel, PostId};
use crate::platform::own_name::without_bot;
use crate::platform::{Account, PlatformEvent, Post};

pub use config::XConfig;
pub use live::{ConnectError, X};
use wire::Users;

/// When X's numbering of ids began, in milliseconds (`1288834974657`): an id's upper bits count from here.
const ID_EPOCH_MS: i64 = 1_288_834_974_657;

/// Below the time in an id stand machine and sequence.
const ID_TIME_SHIFT: u32 = 22;

/// Reads one object. `bot` is our own handle, which is removed from private messages. No events: it does not concern us. `Err`: one
/// sentence why it cannot be read.
pub fn read_object(object: &[u8], bot: &str) -> Result<Vec<PlatformEvent>, String> {
    match wire::open(object)? {
        wire::Object::Post(post, users) => posted(*post, &users),
        wire::Object::Deleted { id } => Ok(vec![PlatformEvent::Deleted { native_id: id }]),
        wire::Object::Messages { messages, us, users } => {
            let to_us = messages.into_iter().filter(|message| us.as_ref() != Some(&message.message_create.sender_id));
            to_us.map(|message| private(message, &users, bot)).collect()
        }
        wire::Object::HandleChanged { account, handle } => {
            let handle = handle.trim_start_matches('@').to_ascii_lowercase();
            let account = Account { id: AccountId(account), handle, display_name: String::new(), is_bot: false };
            Ok(vec![PlatformEvent::AccountChanged(account)])
        }
        wire::Object::Other => Ok(Vec::new()),
    }
}

fn posted(post: wire::Post, users: &Users) -> Result<Vec<PlatformEvent>, String> {
    let root = post.edit_history.first().cloned().unwrap_or_else(|| post.id.clone());
    let is_edited = root != post.id;
    let author = post.author_id.as_ref().ok_or("the post names no author")?;
    let referenced = |kind: &str| post.referenced.iter().find(|referenced| referenced.kind == kind);
    let (text, mentions) = text::read(&post, users);
    let event = PlatformEvent::Posted(Box::new(Post {
        id: PostId(root.clone()),
        native_id: post.id.clone(),
        channel: Channel::Post,
        author: account(author, users),
        text,
        mentions,
        is_repost: referenced("retweeted").or_else(|| referenced("reposted")).is_some(),
        in_reply_to: referenced("replied_to").map(|replied_to| replied_to.id.clone()).or(post.in_reply_to),
        posted_at: written_at(post.created_at.as_deref(), &post.id)?,
        is_edited,
        url: Some(format!("https://x.com/i/web/status/{}", post.id)),
        // `lang` is X's own guess from the text, not what the author's client declared.
        language: None,
    }));
    Ok(if is_edited { vec![PlatformEvent::Edited { native_id: root }, event] } else { vec![event] })
}

fn private(message: wire::Message, users: &Users, bot: &str) -> Result<PlatformEvent, String> {
    let posted_at = message.created_timestamp.as_deref().and_then(|time| time.parse().ok());
    let posted_at = match posted_at.and_then(|time| Timestamp::from_millisecond(time).ok()) {
        Some(posted_at) => posted_at,
        None => written_at(None, &message.id)?,
    };
    let create = message.message_create;
    Ok(PlatformEvent::Posted(Box::new(Post {
        id: PostId(message.id.clone()),
        native_id: message.id,
        channel: Channel::Dm,
        author: account(&create.sender_id, users),
        text: without_bot(&text::unescape(&create.message_data.text), bot).to_owned(),
        mentions: text::mentions_of_message(&create.message_data),
        is_repost: false,
        in_reply_to: None,
        posted_at,
        is_edited: false,
        url: None,
        language: None,
    })))
}

/// What the object tells of an account; a handle that it does not tell is left empty.
fn account(id: &str, users: &Users) -> Account {
    let user = users.by_id(id);
    Account {
        id: AccountId(id.to_owned()),
        handle: user.map(|user| user.username.to_ascii_lowercase()).unwrap_or_default(),
        display_name: user.map(|user| user.name.clone()).unwrap_or_default(),
        is_bot: false,
    }
}

/// `created_at` is sent only if it was asked for; the id tells the same to the millisecond.
fn written_at(created_at: Option<&str>, id: &str) -> Result<Timestamp, String> {
    if let Some(created_at) = created_at {
        return created_at.parse().map_err(|_| format!("created_at is {created_at:?}"));
    }
    let number: i64 = id.parse().map_err(|_| format!("the id is {id:?}"))?;
    Timestamp::from_millisecond((number >> ID_TIME_SHIFT) + ID_EPOCH_MS).map_err(|_| format!("the id is {id:?}"))
}

#[cfg(test)]
mod tests;
