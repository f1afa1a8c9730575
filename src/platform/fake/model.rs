//! What the town remembers: people, statuses, notifications, conversations, applications and their tokens.
//!
//! Plain values. Who may see or do what is decided in `state` and in the verbs; how it looks as JSON is left to whoever
//! puts the town on the wire.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::clock::Timestamp;

/// The number of a thing in the town. On the wire and in the journal it is decimal text, as Mastodon writes it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(pub u64);

impl fmt::Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl FromStr for Id {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Id)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Who may see a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Everybody, and every timeline.
    Public,
    /// Everybody who comes by; no public or hashtag timeline.
    Unlisted,
    /// Followers and the mentioned.
    Private,
    /// The mentioned only: what people call a direct message.
    Direct,
}

impl Visibility {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Visibility::Public => "public",
            Visibility::Unlisted => "unlisted",
            Visibility::Private => "private",
            Visibility::Direct => "direct",
        }
    }
}

impl FromStr for Visibility {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "public" => Ok(Visibility::Public),
            "unlisted" => Ok(Visibility::Unlisted),
            "private" => Ok(Visibility::Private),
            "direct" => Ok(Visibility::Direct),
            other => Err(format!("'{other}' is not a valid visibility")),
        }
    }
}

/// What happens to a notification of some kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Treatment {
    /// Shown.
    Accept,
    /// Kept aside; only `include_filtered` shows it, and no stream tells of it.
    Filter,
    /// Never made.
    Drop,
}

/// A person's notification policy, as Mastodon's version 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// From people one does not follow.
    pub for_not_following: Treatment,
    /// From people who do not follow one.
    pub for_not_followers: Treatment,
    /// From accounts younger than thirty days.
    pub for_new_accounts: Treatment,
    /// Private mentions that nobody asked for.
    pub for_private_mentions: Treatment,
    /// From accounts limited by a moderator; the town has none.
    pub for_limited_accounts: Treatment,
}

impl Policy {
    /// Everything is shown: the sandbox's start.
    pub const OPEN: Policy = Policy {
        for_not_following: Treatment::Accept,
        for_not_followers: Treatment::Accept,
        for_new_accounts: Treatment::Accept,
        for_private_mentions: Treatment::Accept,
        for_limited_accounts: Treatment::Accept,
    };

    /// What a Mastodon server since 4.3 gives a newcomer: private mentions by strangers are kept aside.
    pub const MASTODON: Policy =
        Policy { for_private_mentions: Treatment::Filter, for_limited_accounts: Treatment::Filter, ..Policy::OPEN };
}

/// An inhabitant. The id never changes; everything else may.
#[derive(Debug, Clone)]
pub struct Person {
    /// The key.
    pub id: Id,
    /// The handle, without `@`.
    pub username: String,
    /// The handle they came with: addresses of their statuses keep it, whatever they are called later.
    pub first_username: String,
    /// The name shown.
    pub display_name: String,
    /// A text about oneself.
    pub note: String,
    /// Says of itself that it is a machine.
    pub bot: bool,
    /// Approves followers by hand.
    pub locked: bool,
    /// Name and value pairs of the profile.
    pub fields: Vec<(String, String)>,
    /// Own policy; without one the town's.
    pub policy: Option<Policy>,
    /// Private mentions never arrive, as if the sender were blocked.
    pub closed: bool,
    /// When the account was made.
    pub joined_at: Timestamp,
}

/// One version of a status.
#[derive(Debug, Clone)]
pub struct Version {
    /// What was written.
    pub text: String,
    /// The content warning.
    pub spoiler_text: String,
    /// Hidden behind the warning.
    pub sensitive: bool,
    /// Attached media.
    pub media: Vec<Id>,
    /// When this version was written.
    pub at: Timestamp,
}

/// A post, a private message or, with `reblog_of`, a boost.
#[derive(Debug, Clone)]
pub struct Status {
    /// Time-ordered.
    pub id: Id,
    /// Who wrote or boosted it.
    pub author: Id,
    /// Who may see it.
    pub visibility: Visibility,
    /// The current version.
    pub now: Version,
    /// Earlier versions, oldest first.
    pub before: Vec<Version>,
    /// Language code.
    pub language: Option<String>,
    /// The status replied to.
    pub in_reply_to: Option<Id>,
    /// Its author.
    pub in_reply_to_account: Option<Id>,
    /// The first status of the thread; itself if it began one.
    pub thread: Id,
    /// The status boosted.
    pub reblog_of: Option<Id>,
    /// People of the town who are mentioned, in order, each once.
    pub mentions: Vec<Id>,
    /// Hashtags, normalised, each once.
    pub tags: Vec<String>,
    /// The application it was written with.
    pub application: Option<Id>,
    /// When it was first published.
    pub created_at: Timestamp,
    /// When it was last edited.
    pub edited_at: Option<Timestamp>,
    /// Deleted by its author; kept as a gravestone only.
    pub deleted: bool,
}

/// Why somebody is notified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotificationKind {
    /// Mentioned in a status.
    Mention,
    /// A status of theirs was boosted.
    Reblog,
    /// A status of theirs was favourited.
    Favourite,
    /// Somebody follows them.
    Follow,
    /// Somebody asks to follow them.
    FollowRequest,
    /// A status they boosted was edited.
    Update,
}

impl NotificationKind {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            NotificationKind::Mention => "mention",
            NotificationKind::Reblog => "reblog",
            NotificationKind::Favourite => "favourite",
            NotificationKind::Follow => "follow",
            NotificationKind::FollowRequest => "follow_request",
            NotificationKind::Update => "update",
        }
    }
}

/// Something a person is told.
#[derive(Debug, Clone)]
pub struct Notification {
    /// Counts up within the town.
    pub id: Id,
    /// Who is told.
    pub account: Id,
    /// Why.
    pub kind: NotificationKind,
    /// Who caused it.
    pub from: Id,
    /// The status it is about.
    pub status: Option<Id>,
    /// Kept aside by the policy.
    pub filtered: bool,
    /// When.
    pub at: Timestamp,
}

/// One person's view of a thread of private messages.
#[derive(Debug, Clone)]
pub struct Conversation {
    /// Its number.
    pub id: Id,
    /// Whose view.
    pub account: Id,
    /// The others; oneself if there is nobody else.
    pub others: Vec<Id>,
    /// The first status of the thread.
    pub thread: Id,
    /// The statuses, oldest first.
    pub statuses: Vec<Id>,
    /// Something new since it was read.
    pub unread: bool,
}

/// A registered OAuth application.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct App {
    /// Its number.
    pub id: Id,
    /// Public name of the client.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// The name people see.
    pub name: String,
    /// Its page.
    pub website: Option<String>,
    /// Where codes may be sent.
    pub redirect_uris: Vec<String>,
    /// What it may ask for.
    pub scopes: Vec<String>,
}

/// An authorization code on its way to becoming a token.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Code {
    /// The secret.
    pub code: String,
    /// For which application.
    pub app: Id,
    /// Who said yes.
    pub account: Id,
    /// Where it was sent; has to be repeated.
    pub redirect_uri: String,
    /// What was allowed.
    pub scopes: Vec<String>,
    /// PKCE S256 challenge, if the client sent one.
    pub challenge: Option<String>,
}

/// An access token.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Token {
    /// Its number; rate limits count by it.
    pub id: Id,
    /// The bearer secret.
    pub secret: String,
    /// The application.
    pub app: Id,
    /// Whom it speaks for; nobody for `client_credentials`.
    pub account: Option<Id>,
    /// What it may do.
    pub scopes: Vec<String>,
}

impl Token {
    /// Whether `scope` (like `write:statuses`) or its family (`write`) was granted.
    pub fn allows(&self, scope: &str) -> bool {
        let family = scope.split(':').next().unwrap_or(scope);
        self.scopes.iter().any(|granted| granted == scope || granted == family)
    }
}

/// An attachment; the town keeps its description and forgets its bytes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Media {
    /// Its number.
    pub id: Id,
    /// Who uploaded it.
    pub owner: Id,
    /// MIME type.
    pub mime: String,
    /// Text for those who cannot see it.
    pub description: Option<String>,
}

/// Favourites and boosts of a status.
#[derive(Debug, Clone, Default)]
pub struct Reactions {
    /// Who favourited it, and when (as a rising number).
    pub favourites: Vec<Id>,
    /// Who boosted it, by which boost.
    pub reblogs: BTreeMap<Id, Id>,
    /// Direct replies, oldest first.
    pub replies: Vec<Id>,
}
