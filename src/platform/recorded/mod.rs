//! Recorded events: one line of a file is what one of the networks sent.
//!
//! Which network a line is from is seen line by line from the names of its outermost fields, so recordings of all of them may stand in
//! one file. What is read becomes the same events that a live stream brings; the forms are told in [`bluesky`],
//! [`x`] and in Mastodon's documents.
//!
//! | outermost fields | form |
//! |---|---|
//! | `did` and one of `kind`, `commit`, `identity`, `account` | Bluesky, Jetstream version 1 |
//! | `$type` | Bluesky, Jetstream version 2 |
//! | `event` | Mastodon, an event of the stream |
//! | `type` and one of `account`, `status` | Mastodon, a notification |
//! | `uri` and `account` | Mastodon, a status |
//! | `data` or `errors` | X, filtered stream or Activity API |
//!
//! A line never fails the reading of a file: it is a recording, or does not concern us, or is broken, and then one sentence says why.
//! Lines that surely cannot concern us are dropped before they are decoded ([`surely_not`]), which is nearly all of a public stream.

mod gate;
mod offline;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::error::Category;

use super::{Network, PlatformEvent, bluesky, mastodon, x};

pub use gate::surely_not;
pub use offline::Offline;

/// No line is longer. A post is a few kilobytes; the largest frames of any of the networks stay far below.
pub const MAX_LINE_BYTES: usize = 1024 * 1024;

/// Our own handle on each network. A recording does not tell which account is ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bots {
    /// `user` or `user@domain`.
    pub mastodon: String,
    /// A domain name.
    pub bluesky: String,
    /// A user name.
    pub x: String,
}

impl Bots {
    /// The same handle everywhere.
    pub fn everywhere(handle: &str) -> Self {
        Bots { mastodon: handle.to_owned(), bluesky: handle.to_owned(), x: handle.to_owned() }
    }

    /// Our handle on a network. There are no recordings of the others.
    pub fn on(&self, network: Network) -> &str {
        match network {
            Network::Mastodon => &self.mastodon,
            Network::Bluesky => &self.bluesky,
            Network::X => &self.x,
            Network::Nostr | Network::Webhook => "",
        }
    }
}

/// What a line is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// Something happened on a network. Mostly one event; a later version of a post on X is two.
    Recorded {
        /// Where.
        network: Network,
        /// What, in this order.
        events: Vec<PlatformEvent>,
    },
    /// A blank line (streams are kept alive with them), or something that happened on a network and is not for us.
    NotConcerning(Option<Network>),
    /// Dropped before it was decoded.
    Dropped(Network),
    /// It cannot be read.
    Broken(String),
}

/// The outermost fields.
#[derive(Deserialize)]
struct Outermost {
    #[serde(default, rename = "$type")]
    lexicon: Option<IgnoredAny>,
    #[serde(default)]
    did: Option<IgnoredAny>,
    #[serde(default)]
    kind: Option<IgnoredAny>,
    #[serde(default)]
    commit: Option<IgnoredAny>,
    #[serde(default)]
    identity: Option<IgnoredAny>,
    #[serde(default)]
    account: Option<IgnoredAny>,
    #[serde(default)]
    event: Option<IgnoredAny>,
    #[serde(default, rename = "type")]
    notification: Option<IgnoredAny>,
    #[serde(default)]
    status: Option<IgnoredAny>,
    #[serde(default)]
    uri: Option<IgnoredAny>,
    #[serde(default)]
    data: Option<IgnoredAny>,
    #[serde(default)]
    errors: Option<IgnoredAny>,
}

/// Reads one line, with or without its line break.
pub fn read_line(line: &[u8], bots: &Bots) -> Line {
    let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line).trim_ascii();
    if line.is_empty() {
        return Line::NotConcerning(None);
    }
    if line.len() > MAX_LINE_BYTES {
        return Line::Broken(too_long());
    }
    if let Some(network) = surely_not(line, bots) {
        return Line::Dropped(network);
    }
    match decode(line, bots) {
        Ok((network, events)) if events.is_empty() => Line::NotConcerning(Some(network)),
        Ok((network, events)) => Line::Recorded { network, events },
        Err(why) => Line::Broken(why),
    }
}

/// What is said about JSON that none of the networks sends.
const NOT_OURS: &str = "not an object of one of the networks";

/// What is said about a line that is longer than [`MAX_LINE_BYTES`].
pub fn too_long() -> String {
    format!("the line is longer than {MAX_LINE_BYTES} bytes")
}

fn decode(line: &[u8], bots: &Bots) -> Result<(Network, Vec<PlatformEvent>), String> {
    if let Err(error) = std::str::from_utf8(line) {
        return Err(format!("byte {} is not UTF-8", error.valid_up_to() + 1));
    }
    let outermost: Outermost = serde_json::from_slice(line).map_err(|error| match error.classify() {
        Category::Data => NOT_OURS.to_owned(),
        _ => in_one_line(&format!("not JSON: {error}")),
    })?;
    let Outermost { lexicon, did, kind, commit, identity, account, event, notification, status, uri, data, errors } = outermost;
    let of_jetstream = kind.or(commit).or(identity).or(account).is_some();
    let on = |network, events: Result<_, String>| events.map(|events| (network, events)).map_err(|why| named(network, &why));
    if lexicon.is_some() || (did.is_some() && of_jetstream) {
        on(Network::Bluesky, bluesky::read_frame(line))
    } else if event.is_some() {
        on(Network::Mastodon, mastodon::recorded::read_streamed(line, &bots.mastodon))
    } else if notification.is_some() && (account.is_some() || status.is_some()) {
        on(Network::Mastodon, mastodon::recorded::read_notification(line, &bots.mastodon))
    } else if uri.is_some() && account.is_some() {
        on(Network::Mastodon, mastodon::recorded::read_status(line, &bots.mastodon))
    } else if data.is_some() || errors.is_some() {
        on(Network::X, x::read_object(line, &bots.x))
    } else {
        Err(NOT_OURS.to_owned())
    }
}

fn named(network: Network, why: &str) -> String {
    let form = match network {
        Network::Bluesky => "a Jetstream frame",
        Network::Mastodon => "a Mastodon object",
        Network::X => "an X object",
        Network::Nostr => "a Nostr event",
        Network::Webhook => "an event of a webhook",
    };
    in_one_line(&format!("{form} that cannot be read: {why}"))
}

/// The decoder counts lines within the line, which would be taken for the file's.
fn in_one_line(why: &str) -> String {
    why.replace(" at line 1 column ", " at column ")
}

#[cfg(test)]
mod tests;
