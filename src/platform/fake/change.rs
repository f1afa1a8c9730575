//! What can happen in the town, as it is written to the journal: one JSON line each.
//!
//! A change was already allowed when it is made; taking it up (`absorb`) cannot fail and uses nothing but the change, its
//! moment and the state before it, so reading the journal again rebuilds the same town, secrets and ids included.

use serde::{Deserialize, Serialize};

use super::model::{App, Code, Id, Media, Policy, Token, Visibility};
use crate::clock::Timestamp;

/// One line of the journal.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) at: Timestamp,
    #[serde(flatten)]
    pub(super) change: Change,
}

/// The parts of a profile its owner may change; `None` leaves as it is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ProfileUpdate {
    /// The name shown.
    pub display_name: Option<String>,
    /// The text about oneself.
    pub note: Option<String>,
    /// Says of itself that it is a machine.
    pub bot: Option<bool>,
    /// Approves followers by hand.
    pub locked: Option<bool>,
    /// Name and value pairs.
    pub fields: Option<Vec<(String, String)>>,
    /// Lets private mentions arrive, or not.
    pub closed: Option<bool>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub(super) enum Change {
    Joined {
        id: Id,
        username: String,
        display_name: String,
        bot: bool,
    },
    Profile {
        account: Id,
        #[serde(flatten)]
        update: ProfileUpdate,
    },
    Renamed {
        account: Id,
        username: String,
    },
    /// Somebody's own policy, or with no account the town's.
    Policy {
        account: Option<Id>,
        policy: Policy,
    },
    Followed {
        account: Id,
        target: Id,
    },
    FollowAsked {
        account: Id,
        target: Id,
    },
    FollowRefused {
        account: Id,
        target: Id,
    },
    Unfollowed {
        account: Id,
        target: Id,
    },
    Posted {
        id: Id,
        author: Id,
        text: String,
        spoiler_text: String,
        sensitive: bool,
        visibility: Visibility,
        language: Option<String>,
        in_reply_to: Option<Id>,
        media: Vec<Id>,
        application: Option<Id>,
        idempotency_key: Option<String>,
    },
    Reblogged {
        id: Id,
        author: Id,
        of: Id,
        visibility: Visibility,
    },
    Edited {
        status: Id,
        text: String,
        spoiler_text: String,
        sensitive: bool,
        media: Vec<Id>,
    },
    Deleted {
        status: Id,
    },
    Favourited {
        account: Id,
        status: Id,
    },
    Unfavourited {
        account: Id,
        status: Id,
    },
    ConversationRead {
        conversation: Id,
    },
    ConversationHidden {
        conversation: Id,
    },
    NotificationDismissed {
        account: Id,
        notification: Id,
    },
    NotificationsCleared {
        account: Id,
    },
    AppRegistered(App),
    CodeIssued(Code),
    /// Ends the code it was bought with, if any.
    TokenIssued {
        #[serde(flatten)]
        token: Token,
        code: Option<String>,
    },
    TokenRevoked {
        secret: String,
    },
    MediaUploaded(Media),
}
