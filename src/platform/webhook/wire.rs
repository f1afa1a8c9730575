//! What stands in the calls, in both directions. `docs/platforms.md` shows an example of each.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::{AccountId, Channel, PlatformName, PostId};
use crate::platform::own_name::without_bot;
use crate::platform::{Account, Mention, PlatformEvent, Post};

/// An event that is told to us. Fields that we do not know are ignored.
#[derive(Debug, Deserialize)]
#[serde(tag = "type")]
pub(super) enum Told {
    /// Somebody wrote in public.
    #[serde(rename = "post.created")]
    Post(Written),
    /// Somebody wrote to the bot in private.
    #[serde(rename = "message.created")]
    Message(Written),
    /// A post or a message was changed after it was published.
    #[serde(rename = "post.edited")]
    Edited { id: String },
    /// A post or a message is gone.
    #[serde(rename = "post.deleted")]
    Deleted { id: String },
    /// Somebody's handle changed, or the account is gone (no handle).
    #[serde(rename = "account.changed")]
    Changed { account: Person },
    /// Nothing happened; the connection is tried out.
    #[serde(rename = "ping")]
    Ping,
}

#[derive(Debug, Deserialize)]
pub(super) struct Written {
    id: String,
    author: Person,
    text: String,
    at: Timestamp,
    #[serde(default)]
    mentions: Vec<Person>,
    #[serde(default)]
    in_reply_to: Option<String>,
    #[serde(default)]
    edited: bool,
    #[serde(default)]
    repost: bool,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    language: Option<String>,
}

/// An account: `id` never changes, `handle` may.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Person {
    pub(super) id: String,
    #[serde(default)]
    pub(super) handle: String,
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) is_bot: bool,
}

impl Person {
    pub(super) fn account(self) -> Account {
        let handle = self.handle.trim_start_matches('@').to_ascii_lowercase();
        Account { id: AccountId(self.id), handle, display_name: self.name, is_bot: self.is_bot }
    }
}

/// What an event means. `None`: nothing.
pub(super) fn event(told: Told, platform: &PlatformName, bot: &str, now: Timestamp) -> Option<PlatformEvent> {
    match told {
        Told::Post(written) => Some(posted(written, Channel::Post, platform, bot, now)),
        Told::Message(written) => Some(posted(written, Channel::Dm, platform, bot, now)),
        Told::Edited { id } => Some(PlatformEvent::Edited { native_id: id }),
        Told::Deleted { id } => Some(PlatformEvent::Deleted { native_id: id }),
        Told::Changed { account } => Some(PlatformEvent::AccountChanged(account.account())),
        Told::Ping => None,
    }
}

fn posted(written: Written, channel: Channel, platform: &PlatformName, bot: &str, now: Timestamp) -> PlatformEvent {
    let mention = |person: Person| {
        let account = person.account();
        Mention { handle: account.handle, account: account.id }
    };
    let text = match channel {
        Channel::Dm => without_bot(&written.text, bot).to_owned(),
        Channel::Post => written.text,
    };
    PlatformEvent::Posted(Box::new(Post {
        // Two connections of this kind may give the same id to different posts; a payment's key is made from this name.
        id: PostId(format!("{platform}:{}", written.id)),
        native_id: written.id,
        channel,
        author: written.author.account(),
        text,
        mentions: written.mentions.into_iter().map(mention).collect(),
        is_repost: written.repost,
        in_reply_to: written.in_reply_to,
        // Nobody writes in the future.
        posted_at: written.at.min(now),
        is_edited: written.edited,
        url: written.url,
        language: written.language,
    }))
}

/// What we ask of the other side.
#[derive(Debug, Serialize)]
#[serde(tag = "type")]
pub(super) enum Asked<'a> {
    /// Write to one person in private.
    #[serde(rename = "message.send")]
    Message {
        key: &'a str,
        to: To<'a>,
        text: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        in_reply_to: Option<&'a str>,
    },
    /// Answer a post in public.
    #[serde(rename = "reply.send")]
    Reply { key: &'a str, to_post: &'a str, to_handle: &'a str, text: &'a str },
    /// Say which account a handle names.
    #[serde(rename = "account.find")]
    Find { handle: &'a str },
    /// Say what has become of a post.
    #[serde(rename = "post.find")]
    Standing { id: &'a str },
    /// Say that you are there.
    #[serde(rename = "ping")]
    Ping,
}

#[derive(Debug, Serialize)]
pub(super) struct To<'a> {
    pub(super) id: &'a str,
    pub(super) handle: &'a str,
}

/// The answer to a sending: the id that the message has there.
#[derive(Debug, Deserialize)]
pub(super) struct Sent {
    pub(super) id: String,
}

/// The answer about a post.
#[derive(Debug, Deserialize)]
pub(super) struct Found {
    #[serde(default)]
    pub(super) edited: bool,
}
