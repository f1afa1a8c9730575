//! What a stream tells whom. The two ways it is told, SSE and WebSocket, have a file each.
//!
//! As on a Mastodon server a stream needs a person's token, events carry no ids, and nothing is replayed. A listener that
//! cannot keep up is cut off, as is one whose token was revoked.

use std::sync::Arc;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::Wire;
use super::params::Params;
use crate::platform::fake::{Id, Status, TownEvent, Visibility, text};

/// Something one can listen to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Channel {
    User,
    UserNotification,
    Public,
    PublicLocal,
    Hashtag {
        tag: String,
        local: bool,
    },
    Direct,
    /// Streams that exist but never tell anything here: remote posts, lists.
    Silent(String),
}

impl Channel {
    /// The channel of a name as the WebSocket has it (`user:notification`), or an error as Mastodon words it.
    pub(super) fn named(name: &str, tag: Option<&str>) -> Result<Self, &'static str> {
        let hashtag = |local| match tag {
            Some(tag) if !tag.trim().is_empty() => Ok(Channel::Hashtag { tag: text::normalise_tag(tag), local }),
            _ => Err("No tag for stream provided"),
        };
        match name {
            "user" => Ok(Channel::User),
            "user:notification" => Ok(Channel::UserNotification),
            "public" => Ok(Channel::Public),
            "public:local" => Ok(Channel::PublicLocal),
            "hashtag" => hashtag(false),
            "hashtag:local" => hashtag(true),
            "direct" => Ok(Channel::Direct),
            "public:media" | "public:local:media" | "public:remote" | "public:remote:media" | "list" => {
                Ok(Channel::Silent(name.to_owned()))
            }
            _ => Err("Unknown stream type"),
        }
    }

    /// The channel of an SSE path (`user/notification`).
    pub(super) fn at(path: &str, params: &Params) -> Result<Self, &'static str> {
        Channel::named(&path.trim_matches('/').replace('/', ":"), params.text("tag"))
    }

    /// The name as WebSocket frames carry it.
    pub(super) fn names(&self) -> Vec<&str> {
        match self {
            Channel::User => vec!["user"],
            Channel::UserNotification => vec!["user:notification"],
            Channel::Public => vec!["public"],
            Channel::PublicLocal => vec!["public:local"],
            Channel::Hashtag { tag, local } => vec![if *local { "hashtag:local" } else { "hashtag" }, tag],
            Channel::Direct => vec!["direct"],
            Channel::Silent(name) => vec![name],
        }
    }

    /// What `listener` hears of an event on this channel: its name and its payload.
    pub(super) fn tells(&self, wire: &Wire, listener: Id, event: &TownEvent) -> Option<(&'static str, String)> {
        match event {
            TownEvent::Posted(delivery) if self.carries(listener, &delivery.status, &delivery.homes) => {
                Some(("update", wire.status_json(&delivery.status, listener)))
            }
            TownEvent::Edited(delivery) if self.carries(listener, &delivery.status, &delivery.homes) => {
                Some(("status.update", wire.status_json(&delivery.status, listener)))
            }
            TownEvent::Deleted(delivery) if self.carries(listener, &delivery.status, &delivery.homes) => {
                Some(("delete", delivery.status.id.to_string()))
            }
            TownEvent::Notified(told, about)
                if told.account == listener && matches!(self, Channel::User | Channel::UserNotification) =>
            {
                let state = wire.town.read();
                Some(("notification", wire.lens(&state, Some(listener)).notification(told, about.as_deref()).to_string()))
            }
            TownEvent::Conversation(conversation) if conversation.account == listener && *self == Channel::Direct => {
                let state = wire.town.read();
                Some(("conversation", wire.lens(&state, Some(listener)).conversation(conversation).to_string()))
            }
            _ => None,
        }
    }

    fn carries(&self, listener: Id, status: &Status, homes: &[Id]) -> bool {
        let public = status.visibility == Visibility::Public && status.reblog_of.is_none();
        match self {
            Channel::User => homes.contains(&listener),
            Channel::Public | Channel::PublicLocal => {
                public && status.in_reply_to_account.is_none_or(|account| account == status.author)
            }
            Channel::Hashtag { tag, .. } => public && status.tags.contains(tag),
            Channel::UserNotification | Channel::Direct | Channel::Silent(_) => false,
        }
    }
}

/// Events as they come, with the faults that concern streams.
pub(super) struct Listening {
    wire: Arc<Wire>,
    events: Receiver<TownEvent>,
}

impl Listening {
    pub(super) fn start(wire: &Arc<Wire>) -> Self {
        Listening { wire: Arc::clone(wire), events: wire.town.subscribe() }
    }

    /// The next event and how often to tell it; `None` when the stream ends.
    pub(super) async fn next(&mut self) -> Option<(TownEvent, usize)> {
        loop {
            let event = tokio::select! {
                () = self.wire.shutdown.cancelled() => return None,
                event = self.events.recv() => event,
            };
            match event {
                Ok(TownEvent::Disconnect) | Err(RecvError::Closed | RecvError::Lagged(_)) => return None,
                Ok(event) => {
                    let faults = self.wire.town.faults();
                    if !faults.silent_stream {
                        return Some((event, if faults.duplicate_stream { 2 } else { 1 }));
                    }
                }
            }
        }
    }
}
