//! What the town tells those who listen, at the moment it happens. Nothing is replayed: who was away looks it up.

use std::sync::Arc;

use super::model::{Conversation, Id, Notification, Status};

/// A status on its way to those who may see it in a stream.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The status as it was then.
    pub status: Arc<Status>,
    /// Whose own stream carries it: author, followers and, for edits and deletions, the mentioned.
    pub homes: Vec<Id>,
}

/// One happening.
#[derive(Debug, Clone)]
pub enum TownEvent {
    /// A status or boost was published.
    Posted(Arc<Delivery>),
    /// It was edited; same id.
    Edited(Arc<Delivery>),
    /// It was deleted.
    Deleted(Arc<Delivery>),
    /// Somebody was notified, perhaps of a status; never of what their policy keeps aside.
    Notified(Arc<Notification>, Option<Arc<Status>>),
    /// A private thread has something new for one of its people.
    Conversation(Arc<Conversation>),
    /// Somebody's handle or profile is another now.
    ProfileChanged(Id),
    /// On demand: every stream is cut.
    Disconnect,
}
