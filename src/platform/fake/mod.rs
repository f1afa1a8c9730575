//! A small town: a social network with memory, in one process.
//!
//! People post, reply, boost, favourite, follow each other, and write in private; the town decides who sees what, whom it
//! notifies and whom it tells at once, by the rules of Mastodon. Time is a parameter of every verb, randomness of the town,
//! so the simulator can run it under a virtual clock.
//!
//! **What it promises.** A verb either refuses and changes nothing, or writes what happened to its journal, changes its
//! state, tells its listeners and answers, in this order; so what was answered survives `kill -9`. Verbs are atomic and
//! follow one another. Ids rise. Without a path it lives in memory only.
//!
//! **What it leaves to others.** HTTP, JSON, OAuth's redirects and the enforcement of request limits and of [`Faults`] are
//! the sandbox's; scopes of tokens are kept here and checked there. Polls, lists, filters, scheduled posts, blocks, other
//! towns: not built.

mod absorb;
mod accounts;
mod arriving;
mod change;
mod connection;
mod event;
mod faults;
mod inbox;
mod journal;
mod limits;
mod model;
mod oauth;
mod posting;
mod reading;
mod state;
pub mod text;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::broadcast;

pub use change::ProfileUpdate;
pub use connection::TownConnection;
pub use event::{Delivery, TownEvent};
pub use faults::{AnswerFault, Faults, PostFault, RefusalFault};
pub use journal::OpenError;
pub use limits::{Family, Limits, Quota, Window};
pub use model::{
    App, Code, Conversation, Id, Media, Notification, NotificationKind, Person, Policy, Reactions, Status, Token, Treatment,
    Version, Visibility,
};
pub use oauth::{AppRequest, CodeRequest, OUT_OF_BAND};
pub use posting::{Draft, MAX_CHARACTERS, Revision};
pub use reading::{Feed, NotificationFilter, Page, Relationship};
pub use state::State;

use change::Change;
use journal::Journal;
use limits::Counters;

use crate::clock::Timestamp;
use crate::entropy::Entropy;

/// A listener that is this many happenings behind is cut off; it has to look up what it missed.
const EVENTS_KEPT: usize = 4096;

/// Why the town did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such thing, or the asker may not know of it.
    #[error("Record not found")]
    NotFound,
    /// The asker may not.
    #[error("This action is not allowed")]
    Forbidden,
    /// It makes no sense; the text says why.
    #[error("{0}")]
    Invalid(String),
    /// A name somebody cannot have; the text says why.
    #[error("{0}")]
    BadName(String),
    /// `allowed_mentions` did not name these.
    #[error("Post would be sent to unexpected accounts")]
    UnexpectedMentions(Vec<Id>),
    /// Too much in this window.
    #[error("Too many requests")]
    TooMany(Quota),
    /// OAuth's own kind of error: code and description.
    #[error("{1}")]
    OAuth(&'static str, &'static str),
    /// The journal could not be written; nothing was done.
    #[error("the town could not write its journal: {0}")]
    Storage(String),
}

/// The town. Shared by everybody who lives in it or serves it.
pub struct Town {
    state: RwLock<State>,
    journal: Mutex<Journal>,
    counters: Mutex<Counters>,
    faults: Mutex<Faults>,
    events: broadcast::Sender<TownEvent>,
    entropy: Arc<dyn Entropy>,
}

impl std::fmt::Debug for Town {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Town").finish_non_exhaustive()
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Town {
    /// A town that is forgotten when it is dropped.
    pub fn in_memory(limits: Limits, entropy: Arc<dyn Entropy>) -> Self {
        Town::with(State::default(), Journal::default(), Counters::new(limits), entropy)
    }

    /// The town whose journal is at `path`, which is begun if it does not exist yet.
    pub fn open(path: &Path, limits: Limits, entropy: Arc<dyn Entropy>) -> Result<Self, OpenError> {
        let mut state = State::default();
        let mut counters = Counters::new(limits);
        let journal = Journal::open(path, |entry| {
            if let Change::Posted { author, .. } | Change::Reblogged { author, .. } = &entry.change {
                counters.count(Family::Statuses, author.0, entry.at);
            }
            state.absorb(entry.change, entry.at);
        })?;
        Ok(Town::with(state, journal, counters, entropy))
    }

    fn with(state: State, journal: Journal, counters: Counters, entropy: Arc<dyn Entropy>) -> Self {
        Town {
            state: RwLock::new(state),
            journal: Mutex::new(journal),
            counters: Mutex::new(counters),
            faults: Mutex::default(),
            events: broadcast::channel(EVENTS_KEPT).0,
            entropy,
        }
    }

    /// Looks around. Nothing changes while the answer is held, so do not hold it long, and never across an `await`.
    pub fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hears of everything from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<TownEvent> {
        self.events.subscribe()
    }

    /// Cuts every stream once.
    pub fn disconnect_streams(&self) {
        let _ = self.events.send(TownEvent::Disconnect);
    }

    /// The switches of misbehaviour.
    pub fn faults(&self) -> Faults {
        held(&self.faults).clone()
    }

    /// Sets all switches.
    pub fn set_faults(&self, faults: Faults) {
        *held(&self.faults) = faults;
    }

    /// What shall happen to the answer of a publication now; uses it up.
    pub fn take_post_fault(&self) -> Option<AnswerFault> {
        held(&self.faults).take_post()
    }

    /// With which code a request shall be refused now; uses it up.
    pub fn take_refusal(&self, path: &str) -> Option<u16> {
        held(&self.faults).take_refusal(path)
    }

    /// The windows in force.
    pub fn limits(&self) -> Limits {
        held(&self.counters).limits
    }

    /// Other windows from now on; what was used is forgotten. Not journalled: a restarted town has the windows it is opened with.
    pub fn set_limits(&self, limits: Limits) {
        *held(&self.counters) = Counters::new(limits);
    }

    /// What is left of a window.
    pub fn quota(&self, family: Family, key: u64, now: Timestamp) -> Quota {
        held(&self.counters).quota(family, key, now)
    }

    /// Counts one request and tells what is left; an error if nothing was.
    pub fn take_request(&self, key: u64, now: Timestamp) -> Result<Quota, Quota> {
        let mut counters = held(&self.counters);
        let before = counters.quota(Family::Requests, key, now);
        counters.count(Family::Requests, key, now);
        if before.remaining == 0 { Err(before) } else { Ok(counters.quota(Family::Requests, key, now)) }
    }

    /// Forgets everything and everybody, the journal included. Faults and windows stay.
    pub fn reset(&self) -> Result<(), Refusal> {
        let mut state = self.write();
        held(&self.journal).clear().map_err(|cause| Refusal::Storage(cause.to_string()))?;
        held(&self.counters).clear();
        *state = State::default();
        drop(state);
        self.disconnect_streams();
        Ok(())
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Journal, then state, then listeners.
    fn commit(&self, state: &mut State, now: Timestamp, changes: Vec<Change>) -> Result<(), Refusal> {
        held(&self.journal).append(now, &changes).map_err(|cause| Refusal::Storage(cause.to_string()))?;
        for change in changes {
            for event in state.absorb(change, now) {
                // Nobody listening is no error.
                let _ = self.events.send(event);
            }
        }
        Ok(())
    }

    /// A secret nobody guesses: 43 characters, as Mastodon's tokens have.
    fn secret(&self) -> String {
        base64url(&crate::entropy::random_bytes::<32>(&*self.entropy))
    }
}

/// URL-safe base64 without padding (RFC 4648, section 5), as PKCE and Mastodon's tokens use it.
pub fn base64url(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0_u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            text.push(char::from(LETTERS[(group >> (18 - 6 * place) & 63) as usize]));
        }
    }
    text
}

#[cfg(test)]
mod tests;
