//! Bluesky: a reader of Jetstream frames, recorded or streamed.
//!
//! This is not a connection yet. It turns one frame of the public stream into events and does nothing else: no socket, no cursor, no
//! private messages (those are polled from `chat.bsky.convo`, not streamed), no look-up of handles. The live connection will come
//! later and read through the same functions. Jetstream's frames are **not signed**: whoever pays because of one has to fetch
//! the record from the author's own server first and compare its `cid`.
//!
//! Both envelopes are read: version 1 (`/subscribe`: `did`, `time_us`, `kind`, and the commit under `commit`) and version 2
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
//! `network.bsky.jetstream.subscribeEvents`), <https://atproto.com/lexicons/app-bsky-feed> and
//! <https://docs.bsky.app/docs/advanced-guides/post-richtext>.

mod facets;
mod gate;
mod wire;

use jiff::Timestamp;

use crate::ids::{AccountId, Channel, PostId};
use crate::platform::{Account, PlatformEvent, Post};

pub(in crate::platform) use gate::in_a_lexicon_name;
pub use gate::surely_not;

/// The only collection whose records are posts.
const POSTS: &str = "app.bsky.feed.post";

/// What servers write in place of a handle that does not lead back to the account.
const NO_HANDLE: &str = "handle.invalid";

/// Reads one frame. No events: it does not concern us. `Err`: one sentence why it cannot be read.
pub fn read_frame(frame: &[u8]) -> Result<Vec<PlatformEvent>, String> {
    let Some(frame) = wire::open(frame)? else { return Ok(Vec::new()) };
    let did = did(&frame.head.did)?;
    let event = match frame.head.kind {
        wire::Kind::Commit => match commit(did, &frame)? {
            Some(event) => event,
            None => return Ok(Vec::new()),
        },
        wire::Kind::Identity { handle } => {
            let handle = handle.map(|handle| handle.to_ascii_lowercase()).filter(|handle| handle != NO_HANDLE);
            PlatformEvent::AccountChanged(account(did, handle.unwrap_or_default()))
        }
        wire::Kind::Account { active: false } => PlatformEvent::AccountChanged(account(did, String::new())),
        wire::Kind::Account { active: true } => return Ok(Vec::new()),
    };
    Ok(vec![event])
}

fn commit(did: &str, frame: &wire::Frame<'_>) -> Result<Option<PlatformEvent>, String> {
    let commit = frame.commit()?;
    if commit.collection != POSTS {
        return Ok(None);
    }
    if commit.rkey.is_empty() || commit.rkey.contains('/') {
        return Err(format!("the record key is {:?}", commit.rkey));
    }
    let uri = format!("at://{did}/{POSTS}/{}", commit.rkey);
    match commit.operation.as_str() {
        "create" => post(did, uri, &commit.rkey, frame).map(|post| Some(PlatformEvent::Posted(Box::new(post)))),
        "update" => Ok(Some(PlatformEvent::Edited { native_id: uri })),
        "delete" => Ok(Some(PlatformEvent::Deleted { native_id: uri })),
        other => Err(format!("the operation is {other:?}")),
    }
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

#[cfg(test)]
mod tests;
