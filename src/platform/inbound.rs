//! Platforms that call us: what a call says, once it is proven who made it.
//!
//! A call is read from its raw bytes, since those are what is signed. Nothing is answered with success before what it says is committed:
//! whoever calls may forget an event when we have said yes to it, and repeats it until then.

use reqwest::header::HeaderMap;

use super::Batch;
use crate::clock::Timestamp;

/// A call as it came.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its body, byte by byte.
    pub body: &'a [u8],
    /// When it came.
    pub now: Timestamp,
}

/// Why a call is not taken. The sentence is told to the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Not signed by whom we know, or not lately.
    #[error("not accepted: {0}")]
    NotProven(&'static str),
    /// Proven, and it cannot be read. Repeating it will not help.
    #[error("not understood: {0}")]
    Unreadable(String),
}

/// The way in of one connection.
pub trait Inbound: Send + Sync {
    /// What to answer to somebody who asks, by a query string, for a proof that we hold the connection's secret. `None`: this platform
    /// does not ask for one, or not so.
    fn answer_challenge(&self, _query: &str) -> Option<String> {
        None
    }

    /// What a call says: events to be committed before it is answered.
    fn read(&self, call: &Call<'_>) -> Result<Batch, CallError>;
}
