//! Bluesky: the public stream by Jetstream, private messages by the chat, public answers by the account's own server.
//!
//! - [`config`](BlueskyConfig): what an operator says; `position`: where to continue;
//! - `xrpc`: calls with a session that renews itself; `stream`, `gate`: listening; `chat`: private messages; `reply`, `tid`: answers;
//! - `wire`, `facets`: from a frame to a [`Post`]; [`read_frame`]: the same for a recording.
//!
//! A person is a DID; a handle is a name of the internet that can change hands. Jetstream's frames are **not signed**, so a post that names
//! us is read from the account's server before it is handed on (see `stream`).
//!
//! Both envelopes of Jetstream are read: version 1 (`/subscribe`: `did`, `time_us`, `kind`, and the commit under `commit`) and version 2
//! (`network.bsky.jetstream.subscribeEvents`: `{"$type":"message","payload":{"$type":"…#commit",…}}`).
//!
//! What becomes of a frame:
//! - a created `app.bsky.feed.post` is a post, named by its at-URI, which is both its `id` and its `native_id`;
//! - an updated or deleted one is an edit or a deletion. The app offers no edit, the protocol does;
//! - an identity frame is a changed handle; an account frame that says the account is not active is a changed account;
//! - everything else (reposts, likes, follows, profiles: other collections) does not concern us.
//!
//! A frame carries no handle of its author and no name, only the DID. Both are left empty, which means "not told".
//!
//! Sources: <https://github.com/bluesky-social/jetstream> (README and `docs/README.md`, sections 5.1 and 5.2; lexicon
//! `network.bsky.jetstream.subscribeEvents`), <https://atproto.com/lexicons/app-bsky-feed>, `/lexicons/chat-bsky-convo` and
//! <https://docs.bsky.app/docs/advanced-guides/post-richtext>.

mod chat;
mod config;
mod facets;
mod gate;
mod live;
mod position;
mod reply;
mod stream;
mod tid;
mod wire;
mod xrpc;

use jiff::Timestamp;
use serde::Deserialize;

use crate::ids::{AccountId, Channel, PostId};
use crate::platform::call::Failure;
use crate::platform::{Account, ListenError, PlatformEvent, Post};

pub use config::{BlueskyConfig, CHAT_SERVICE, PUBLIC_JETSTREAMS};
pub(in crate::platform) use gate::in_a_lexicon_name;
pub use gate::surely_not;
pub use live::{Bluesky, ConnectError};

/// The only collection whose records are posts.
const POSTS: &str = "app.bsky.feed.post";

/// What servers write in place of a handle that does not lead back to the account.
const NO_HANDLE: &str = "handle.invalid";

/// A frame that may concern us.
struct Reading {
    event: Option<PlatformEvent>,
    /// The hash of the record that a commit is about.
    cid: Option<String>,
    /// When Jetstream saw it.
    seen_at: Option<Timestamp>,
}

/// Reads one frame. No events: it does not concern us. `Err`: one sentence why it cannot be read.
pub fn read_frame(frame: &[u8]) -> Result<Vec<PlatformEvent>, String> {
    Ok(read(frame)?.and_then(|reading| reading.event).into_iter().collect())
}

fn read(frame: &[u8]) -> Result<Option<Reading>, String> {
    let Some(frame) = wire::open(frame)? else { return Ok(None) };
    let did = did(&frame.head.did)?;
    let seen_at = frame.head.seen_at;
    let (event, cid) = match &frame.head.kind {
        wire::Kind::Commit => commit(did, &frame)?,
        wire::Kind::Identity { handle } => {
            let handle = handle.as_ref().map(|handle| handle.to_ascii_lowercase()).filter(|handle| handle != NO_HANDLE);
            (Some(PlatformEvent::AccountChanged(account(did, handle.unwrap_or_default()))), None)
        }
        wire::Kind::Account { active: false } => (Some(PlatformEvent::AccountChanged(account(did, String::new()))), None),
        wire::Kind::Account { active: true } => (None, None),
    };
    Ok(Some(Reading { event, cid, seen_at }))
}

fn commit(did: &str, frame: &wire::Frame<'_>) -> Result<(Option<PlatformEvent>, Option<String>), String> {
    let commit = frame.commit()?;
    if commit.collection != POSTS {
        return Ok((None, None));
    }
    if commit.rkey.is_empty() || commit.rkey.contains('/') {
        return Err(format!("the record key is {:?}", commit.rkey));
    }
    let uri = format!("at://{did}/{POSTS}/{}", commit.rkey);
    let event = match commit.operation.as_str() {
        "create" => PlatformEvent::Posted(Box::new(post(did, uri, &commit.rkey, frame)?)),
        "update" => PlatformEvent::Edited { native_id: uri },
        "delete" => PlatformEvent::Deleted { native_id: uri },
        other => return Err(format!("the operation is {other:?}")),
    };
    Ok((Some(event), commit.cid))
}

fn post(did: &str, uri: String, rkey: &str, frame: &wire::Frame<'_>) -> Result<Post, String> {
    let record = frame.record()?;
    let (text, mentions) = facets::apply(&record.text, &record.facets);
    Ok(Post {
        id: PostId(uri.clone()),
        native_id: uri,
        channel: Channel::Post,
        author: account(did, String::new()),
        text,
        mentions,
        is_repost: false,
        in_reply_to: record.reply.map(|reply| reply.parent.uri),
        posted_at: written_at(record.created_at.as_deref(), frame.head.seen_at)?,
        is_edited: false,
        url: Some(format!("https://bsky.app/profile/{did}/post/{rkey}")),
        language: record.langs.into_iter().next(),
    })
}

/// `createdAt` is whatever the author's client says. It may make a post older than the stream saw it, never newer.
fn written_at(claimed: Option<&str>, seen: Option<Timestamp>) -> Result<Timestamp, String> {
    let claimed = claimed.and_then(|claimed| claimed.parse().ok());
    match (claimed, seen) {
        (Some(claimed), Some(seen)) => Ok(seen.min(claimed)),
        (one, other) => one.or(other).ok_or_else(|| "neither the frame nor the record says when it was written".to_owned()),
    }
}

fn account(did: &str, handle: String) -> Account {
    Account { id: AccountId(did.to_owned()), handle, display_name: String::new(), is_bot: false }
}

fn did(text: &str) -> Result<&str, String> {
    let fits = text.len() > "did:x:".len() && text.starts_with("did:") && !text.contains(['/', ' ']);
    if fits { Ok(text) } else { Err(format!("{text:?} is not a DID")) }
}

/// What a failed call means for listening.
fn listen_error(failure: Failure) -> ListenError {
    let why = failure.why();
    match failure {
        failure if xrpc::is_about_us(&failure) => ListenError::Credentials { why },
        Failure::Status(refusal) => ListenError::Broken { after: refusal.after, why },
        Failure::NotReached(_) | Failure::NoAnswer(_) => ListenError::Broken { after: None, why },
    }
}

/// An account's handle and name as the network's index shows them; `None` if it cannot be told now.
async fn profile(xrpc: &xrpc::Xrpc, did: &str) -> Option<Account> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Profile {
        did: String,
        handle: String,
        #[serde(default)]
        display_name: Option<String>,
    }
    let profile: Profile = xrpc.get(xrpc::Service::Own, "app.bsky.actor.getProfile", &[("actor", did)]).await.ok()?;
    let handle = profile.handle.to_ascii_lowercase();
    let known = handle != NO_HANDLE && profile.did == did;
    known.then(|| Account { display_name: profile.display_name.unwrap_or_default(), ..account(did, handle) })
}

#[cfg(test)]
mod tests;
