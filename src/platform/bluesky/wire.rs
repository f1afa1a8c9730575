//! The two envelopes of Jetstream, opened to one shape.
//!
//! A frame is read in up to three steps, each of which looks only at what it needs: what kind it is and whose; which record a commit is
//! about; and, for a created post alone, the record. So a record of another collection may have any shape at all. Version 1:
//! <https://github.com/bluesky-social/jetstream#consuming-jetstream>; version 2: the lexicon
//! `network.bsky.jetstream.subscribeEvents`. Unknown fields are ignored.

use jiff::Timestamp;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};

/// A frame whose envelope has been opened.
pub(super) struct Frame<'a> {
    bytes: &'a [u8],
    version: Version,
    pub(super) head: Head,
}

#[derive(Clone, Copy)]
enum Version {
    One,
    Two,
}

/// What every frame says.
pub(super) struct Head {
    pub(super) did: String,
    /// When Jetstream saw it.
    pub(super) seen_at: Option<Timestamp>,
    pub(super) kind: Kind,
}

/// What a frame is about.
pub(super) enum Kind {
    Commit,
    Identity { handle: Option<String> },
    Account { active: bool },
}

/// Which record, and what was done to it.
#[derive(Deserialize)]
pub(super) struct Commit {
    pub(super) operation: String,
    pub(super) collection: String,
    pub(super) rkey: String,
    /// The hash of the record; a deletion has none.
    #[serde(default)]
    pub(super) cid: Option<String>,
}

/// <https://atproto.com/lexicons/app-bsky-feed#appbskyfeedpost>
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    pub(super) text: String,
    #[serde(default)]
    pub(super) created_at: Option<String>,
    /// Each is read by itself, so that one without a meaning costs only itself.
    #[serde(default, deserialize_with = "or_default")]
    pub(super) facets: Vec<serde_json::Value>,
    #[serde(default)]
    pub(super) reply: Option<Reply>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) langs: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct Reply {
    pub(super) parent: Reference,
}

#[derive(Deserialize)]
pub(super) struct Reference {
    pub(super) uri: String,
}

#[derive(Deserialize)]
struct Identity {
    #[serde(default)]
    handle: Option<String>,
}

#[derive(Deserialize)]
struct Account {
    active: bool,
}

/// Version 1, as far as the first step goes.
#[derive(Deserialize)]
struct One {
    did: String,
    #[serde(default)]
    time_us: Option<i64>,
    #[serde(default)]
    commit: Option<IgnoredAny>,
    #[serde(default)]
    identity: Option<Identity>,
    #[serde(default)]
    account: Option<Account>,
}

/// Version 2: the outermost object.
#[derive(Deserialize)]
struct Two<P> {
    #[serde(rename = "$type")]
    kind: String,
    #[serde(default = "none")]
    payload: Option<P>,
}

fn none<P>() -> Option<P> {
    None
}

/// Version 2: what a message says, as far as the first step goes. `#info` has neither a DID nor a time.
#[derive(Deserialize)]
struct Payload {
    #[serde(rename = "$type")]
    kind: String,
    #[serde(default)]
    did: Option<String>,
    #[serde(default)]
    time: Option<String>,
    #[serde(default)]
    identity: Option<Identity>,
    #[serde(default)]
    account: Option<Account>,
}

#[derive(Deserialize)]
struct Under<C> {
    commit: C,
}

#[derive(Deserialize)]
struct WithRecord {
    record: Record,
}

/// Which of the two it is.
#[derive(Deserialize)]
struct Probe {
    #[serde(default, rename = "$type")]
    kind: Option<IgnoredAny>,
}

/// Why the server is about to close the stream, if this frame says that (version 2: `{"$type":"error","error":"ConsumerTooSlow"}`).
pub(super) fn ending(bytes: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Ending {
        #[serde(rename = "$type")]
        kind: String,
        #[serde(default)]
        error: Option<String>,
        #[serde(default)]
        code: Option<String>,
    }
    let ending: Ending = serde_json::from_slice(bytes).ok()?;
    (ending.kind == "error").then(|| ending.error.or(ending.code).unwrap_or_default())
}

/// Opens a frame. `None`: a notice, an error frame, or a kind of event that does not concern us.
pub(super) fn open(bytes: &[u8]) -> Result<Option<Frame<'_>>, String> {
    let probe: Probe = decode(bytes)?;
    let (version, head) = match probe.kind {
        None => (Version::One, one(decode(bytes)?)),
        Some(_) => (Version::Two, two(decode(bytes)?)?),
    };
    Ok(head.map(|head| Frame { bytes, version, head }))
}

fn one(frame: One) -> Option<Head> {
    let kind = if frame.commit.is_some() {
        Kind::Commit
    } else if let Some(identity) = frame.identity {
        Kind::Identity { handle: identity.handle }
    } else if let Some(account) = frame.account {
        Kind::Account { active: account.active }
    } else {
        return None;
    };
    let seen_at = frame.time_us.and_then(|time| Timestamp::from_microsecond(time).ok());
    Some(Head { did: frame.did, seen_at, kind })
}

fn two(frame: Two<Payload>) -> Result<Option<Head>, String> {
    if frame.kind == "error" {
        return Ok(None);
    }
    let payload = frame.payload.ok_or("the message has no payload")?;
    let kind = match payload.kind.rsplit('#').next() {
        Some("commit") => Kind::Commit,
        Some("identity") => Kind::Identity { handle: payload.identity.and_then(|identity| identity.handle) },
        Some("account") => Kind::Account { active: payload.account.is_none_or(|account| account.active) },
        _ => return Ok(None),
    };
    let did = payload.did.ok_or("the message names no account")?;
    let seen_at = payload.time.and_then(|time| time.parse().ok());
    Ok(Some(Head { did, seen_at, kind }))
}

impl Frame<'_> {
    /// The second step.
    pub(super) fn commit(&self) -> Result<Commit, String> {
        self.inner()
    }

    /// The third step.
    pub(super) fn record(&self) -> Result<Record, String> {
        self.inner::<WithRecord>().map(|commit| commit.record)
    }

    /// In version 1 the commit has an object of its own, in version 2 it is the payload.
    fn inner<T: DeserializeOwned>(&self) -> Result<T, String> {
        match self.version {
            Version::One => decode::<Under<T>>(self.bytes).map(|frame| frame.commit),
            Version::Two => decode::<Two<T>>(self.bytes)?.payload.ok_or_else(|| "the message has no payload".to_owned()),
        }
    }
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}

/// `null` where a list should be counts as empty.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(input: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(input)?.unwrap_or_default())
}
