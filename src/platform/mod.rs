//! Platforms: the social networks that posts come from and that messages go back to.
//!
//! A [`Platform`] turns a network's own wire into four kinds of [`PlatformEvent`] and carries three kinds of message back. It
//! keeps no state of its own that matters: where to continue reading is a [`Cursor`] that the caller stores *together with*
//! the events it belongs to, and whether a message went out is what the caller's effect row says.
//!
//! What every adapter promises:
//! - events come at least once and in any order; nobody but intake removes duplicates;
//! - text is what the author wrote and people see: markup removed, entities resolved, the author's own words only;
//! - a mention carries the account's immutable id as the *platform* reports it, never as the text spells it;
//! - there are no hidden retries: each call is one attempt, and its error says what the caller can do ([`SendError`],
//!   [`ListenError`]).
//!
//! A new network is one file here, one variant of `PlatformConfig` and one arm where it is built.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::clock::Timestamp;
use crate::ids::{AccountId, Channel, PlatformName, PostId};

pub mod bluesky;
mod call;
pub mod check;
pub mod fake;
pub mod health;
pub mod inbound;
pub mod mastodon;
mod own_name;
pub mod recorded;
pub mod webhook;
pub mod x;

pub use check::{Finding, Verdict};
pub use health::Health;
pub use inbound::Inbound;

/// Which network a connection speaks to. The order language knows the handle's shape by it, and the payment key contains it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Network {
    /// X (API v2).
    X,
    /// Mastodon and what speaks its client API.
    Mastodon,
    /// Bluesky (AT protocol).
    Bluesky,
    /// Nostr.
    Nostr,
    /// Whatever somebody has connected by signed calls: a bank's own app, a messenger's bot.
    Webhook,
}

impl Network {
    /// The word of the order language and of the payment key.
    pub fn as_str(self) -> &'static str {
        match self {
            Network::X => "x",
            Network::Mastodon => "mastodon",
            Network::Bluesky => "bluesky",
            Network::Nostr => "nostr",
            Network::Webhook => "webhook",
        }
    }

    /// Whether whoever operates the connection could write both an order and its confirmation. A code in a private message then proves
    /// nothing: each order needs a strong confirmation, a passkey's or the bank's own.
    pub fn operator_can_forge(self) -> bool {
        match self {
            Network::Webhook => true,
            Network::X | Network::Mastodon | Network::Bluesky | Network::Nostr => false,
        }
    }
}

/// A person (or bot) on a platform, as it is now. Only `id` never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The immutable id.
    pub id: AccountId,
    /// The handle as the order language writes it: no `@`, ASCII lower case, `user` or `user@domain`. Empty if the platform did not
    /// tell it with this event (a recorded frame may carry the id alone).
    pub handle: String,
    /// The name the person shows.
    pub display_name: String,
    /// Automated, by the account's own declaration.
    pub is_bot: bool,
}

/// A handle written in a text, with the account that the platform says it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    /// As the order language reports it: ASCII lower case, without `@`.
    pub handle: String,
    /// Whom the platform resolved it to.
    pub account: AccountId,
}

/// A post or a private message to the bot, in its first version as far as the platform tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// The name shared by every copy of it.
    pub id: PostId,
    /// The name to use in calls to this platform (reply to, delete); often shorter than `id`.
    pub native_id: String,
    /// Public post or private message.
    pub channel: Channel,
    /// Who wrote it.
    pub author: Account,
    /// Plain text; the bot's own mention is removed from a private message.
    pub text: String,
    /// The mentions the platform reports, in no particular order.
    pub mentions: Vec<Mention>,
    /// A repost of somebody's post: never an order.
    pub is_repost: bool,
    /// The `native_id` of the message it answers.
    pub in_reply_to: Option<String>,
    /// When the platform says it was written.
    pub posted_at: Timestamp,
    /// Already edited when we first saw it, so its first version is unknown.
    pub is_edited: bool,
    /// Where a browser shows it.
    pub url: Option<String>,
    /// The language the author's client declared (BCP 47), if any.
    pub language: Option<String>,
}

/// Something that happened on a platform and may concern us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlatformEvent {
    /// A post or a private message.
    Posted(Box<Post>),
    /// A post was changed after it was published.
    Edited {
        /// The post, as in [`Post::native_id`].
        native_id: String,
    },
    /// A post is gone.
    Deleted {
        /// The post, as in [`Post::native_id`].
        native_id: String,
    },
    /// An account changed what is known about it (handle, name), or is gone.
    AccountChanged(Account),
    /// A stretch of the stream that nobody can bring back. Posts in it were never seen; an operator has to know.
    Missed {
        /// From when.
        from: Timestamp,
        /// Until when.
        until: Timestamp,
    },
}

/// Where to continue reading: opaque to everyone but the adapter that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub String);

/// Events, and the cursor that may be stored once they are.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// In the order received.
    pub events: Vec<PlatformEvent>,
    /// To be committed in the same transaction as the events. `None`: the stored one stays.
    pub cursor: Option<Cursor>,
}

/// How a connection stands, for the console and the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// The stream is open, and what was missed has been read.
    Live,
    /// The stream is open; what was missed is being read.
    CatchingUp,
    /// No stream.
    Down,
}

/// A message that goes to one person only.
#[derive(Debug, Clone)]
pub struct OutgoingDm<'a> {
    /// Names the sending, so that a repetition is recognised where the platform can (Mastodon: `Idempotency-Key`).
    pub key: &'a str,
    /// The only person who may see it.
    pub to: &'a AccountId,
    /// The person's handle now, where addressing needs one.
    pub to_handle: &'a str,
    /// Plain text without anybody else's handle in it.
    pub text: &'a str,
    /// The private message (`native_id`) that it answers, which keeps it inside the thread the person opened.
    pub in_reply_to: Option<&'a str>,
}

/// A public answer under a post.
#[derive(Debug, Clone)]
pub struct OutgoingReply<'a> {
    /// Names the sending, as in [`OutgoingDm::key`].
    pub key: &'a str,
    /// The post (`native_id`) it answers.
    pub to_post: &'a str,
    /// The handle of that post's author.
    pub to_handle: &'a str,
    /// Plain text.
    pub text: &'a str,
}

/// Why a person's private messages are closed to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// The person takes messages from those they follow only.
    #[error("not followed by the person")]
    NotFollowed,
    /// The person takes no messages.
    #[error("disabled by the person")]
    Disabled,
    /// One of the two has blocked the other.
    #[error("blocked")]
    Blocked,
    /// The person's messages are encrypted in a way that we cannot write.
    #[error("encrypted only")]
    EncryptedOnly,
    /// The account is gone or suspended.
    #[error("the account is gone")]
    Gone,
}

/// Why a message is not known to have been sent. Each variant is a decision for the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Not sent; the same call may succeed later, not before `after` where the platform said so.
    #[error("not sent, to be tried later: {why}")]
    Later {
        /// How long to wait at least.
        after: Option<Duration>,
        /// One sentence for the log.
        why: String,
    },
    /// Not sent, and this person or text will not be accepted by trying again.
    #[error("refused: {why}")]
    Refused {
        /// One sentence for the log.
        why: String,
    },
    /// Not sent: this person's private messages are closed to us, until the person opens them.
    #[error("private messages to this person are closed ({closed}): {why}")]
    NoChannel {
        /// Which door.
        closed: Closed,
        /// One sentence for the log.
        why: String,
    },
    /// May or may not have been sent: the answer did not come or could not be read.
    #[error("outcome unknown: {why}")]
    Unknown {
        /// One sentence for the log.
        why: String,
    },
    /// Not sent: our own token or permission is not accepted. An operator has to act; nobody else's messages will pass either.
    #[error("our credentials were not accepted: {why}")]
    Credentials {
        /// One sentence for the log.
        why: String,
    },
}

/// Why a stream ended. The caller reconnects, except with bad credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListenError {
    /// The connection broke or the platform asked to come back later.
    #[error("the stream ended: {why}")]
    Broken {
        /// How long to wait at least before connecting again.
        after: Option<Duration>,
        /// One sentence for the log.
        why: String,
    },
    /// Our own token or permission is not accepted.
    #[error("our credentials were not accepted: {why}")]
    Credentials {
        /// One sentence for the log.
        why: String,
    },
}

/// One of the platform's own limits on what may be sent: at most `limit` in any `period`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// How many.
    pub limit: u32,
    /// In how long.
    pub period: Duration,
}

/// A connection to one social network, as one bot account.
#[async_trait]
pub trait Platform: Send + Sync {
    /// The name of this connection in the configuration.
    fn name(&self) -> &PlatformName;

    /// Which network it is.
    fn network(&self) -> Network;

    /// The bot's own account.
    fn bot(&self) -> &Account;

    /// The longest private message, in the platform's own count of characters.
    fn dm_characters(&self) -> usize;

    /// The windows that private messages and replies share, as documented or configured.
    fn send_windows(&self) -> Vec<Window>;

    /// Reads from `from` until the connection breaks or `events` is closed: opens the stream first, then catches up over the
    /// gap, so that nothing falls between the two. Returns `Ok` only when the receiver is gone.
    async fn listen(&self, from: Option<Cursor>, events: mpsc::Sender<Batch>) -> Result<(), ListenError>;

    /// Sends a private message. Returns its `native_id`.
    async fn send_dm(&self, dm: OutgoingDm<'_>) -> Result<String, SendError>;

    /// Answers a post in public. Returns the answer's `native_id`.
    async fn reply(&self, reply: OutgoingReply<'_>) -> Result<String, SendError>;

    /// An address that opens `text` as a private message to be sent, on a platform that has such addresses.
    fn message_link(&self, _text: &str) -> Option<String> {
        None
    }

    /// The account that a handle names at this moment; `None` if nobody has it.
    async fn look_up(&self, handle: &str) -> Result<Option<Account>, SendError>;

    /// What has become of posts that may have changed while there was no stream: an edit or a deletion for each that is not any more
    /// what it was. Asked about open orders' posts after every new connection, since few networks replay edits and deletions.
    async fn standing(&self, _native_ids: &[String]) -> Result<Vec<PlatformEvent>, SendError> {
        Ok(Vec::new())
    }

    /// How the connection has fared, for the console and for whoever watches. `None`: it is none that could fare badly.
    fn health(&self) -> Option<&Health> {
        None
    }

    /// The way in for a platform that calls us. `None`: it is called.
    fn inbound(&self) -> Option<&dyn Inbound> {
        None
    }

    /// Tries everything that an order needs, and says what is wrong: permissions, stream, private messages, quotas. Sends nothing to
    /// anybody.
    async fn examine(&self) -> Vec<Finding> {
        Vec::new()
    }
}
