//! Frames as Jetstream sends them, made up from a seed: the language bench's chatter, in the envelope of the wire.
//!
//! Fields, their order and their lengths are those of real frames (<https://github.com/bluesky-social/jetstream>, version 1): identifiers
//! of 32 characters, record keys of 13, content hashes of 59; some posts answer, some have a link with its facet and a card.

use serde_json::{Value, json};

use crate::bench::language::corpus::{Class, posts};
use crate::entropy::{SeededEntropy, random_bytes};

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Frame {
    /// A new post without a hashtag, of 630 bytes in the middle
    Chatter,
    /// A new post as the stream brings them: 36 in 100 have a hashtag
    Stream,
    /// A like
    Like,
    /// A like that is taken back
    Unlike,
    /// A new post that is an order
    Order,
    /// A post that is deleted
    Deleted,
}

impl Frame {
    /// All of them.
    pub const ALL: [Frame; 6] = [Frame::Chatter, Frame::Stream, Frame::Like, Frame::Unlike, Frame::Order, Frame::Deleted];

    /// As it is written on the command line.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Frame::Chatter => "chatter",
            Frame::Stream => "stream",
            Frame::Like => "like",
            Frame::Unlike => "unlike",
            Frame::Order => "order",
            Frame::Deleted => "deleted",
        }
    }

    /// Whether every frame of this kind has to be dropped (`true`), or to pass; `None` where it depends on the post.
    pub fn is_dropped(self) -> Option<bool> {
        match self {
            Frame::Chatter | Frame::Like | Frame::Unlike => Some(true),
            Frame::Order | Frame::Deleted => Some(false),
            Frame::Stream => None,
        }
    }
}

/// So many frames; the same for the same seed.
pub fn frames(kind: Frame, seed: u64, count: usize) -> Vec<Vec<u8>> {
    let class = match kind {
        Frame::Stream => Class::Stream,
        Frame::Order => Class::Order9,
        _ => Class::Chatter,
    };
    let chance = Chance(SeededEntropy::new(seed));
    posts(class, seed, count).into_iter().map(|text| frame(kind, &text, &chance).into_bytes()).collect()
}

struct Chance(SeededEntropy);

impl Chance {
    fn below(&self, most: u32) -> u32 {
        u32::from_le_bytes(random_bytes(&self.0)) % most
    }

    /// Characters of the base32 that identifiers and record keys are written in.
    fn letters(&self, length: usize) -> String {
        const LETTERS: &[u8; 32] = b"234567abcdefghijklmnopqrstuvwxyz";
        (0..length).map(|_| char::from(LETTERS[usize::from(random_bytes::<1>(&self.0)[0] % 32)])).collect()
    }

    fn did(&self) -> String {
        format!("did:plc:{}", self.letters(24))
    }

    fn hash(&self) -> String {
        format!("bafyrei{}", self.letters(52))
    }
}

/// Written by hand where the order of fields is the server's.
fn frame(kind: Frame, text: &str, chance: &Chance) -> String {
    let (operation, collection, record) = match kind {
        Frame::Chatter | Frame::Stream | Frame::Order => ("create", "app.bsky.feed.post", Some(post(text, chance))),
        Frame::Like => ("create", "app.bsky.feed.like", Some(like(chance))),
        Frame::Unlike => ("delete", "app.bsky.feed.like", None),
        Frame::Deleted => ("delete", "app.bsky.feed.post", None),
    };
    let record = record.map(|record| format!(r#","record":{record},"cid":"{}""#, chance.hash())).unwrap_or_default();
    format!(
        r#"{{"did":"{}","time_us":{},"kind":"commit","commit":{{"rev":"{}","operation":"{operation}","collection":"{collection}","rkey":"{}"{record}}}}}"#,
        chance.did(),
        1_789_000_000_000_000_u64 + u64::from(chance.below(1_000_000_000)),
        chance.letters(13),
        chance.letters(13),
    )
}

fn subject(chance: &Chance) -> Value {
    let uri = format!("at://{}/app.bsky.feed.post/{}", chance.did(), chance.letters(13));
    json!({ "cid": chance.hash(), "uri": uri })
}

fn like(chance: &Chance) -> Value {
    json!({ "$type": "app.bsky.feed.like", "createdAt": "2026-09-10T08:00:00.000Z", "subject": subject(chance) })
}

fn post(text: &str, chance: &Chance) -> Value {
    let mut record =
        json!({ "$type": "app.bsky.feed.post", "createdAt": "2026-09-10T08:00:00.000Z", "langs": ["en"], "text": text });
    // One in eight each: then the middle is where the wire has it.
    match chance.below(8) {
        0 => record["reply"] = json!({ "parent": subject(chance), "root": subject(chance) }),
        1 => {
            let uri = format!("https://news.example/{}", chance.letters(20));
            let feature = json!({ "$type": "app.bsky.richtext.facet#link", "uri": uri.clone() });
            let end = text.len();
            record["facets"] = json!([{ "features": [feature], "index": { "byteEnd": end, "byteStart": end / 2 } }]);
            let card = json!({ "description": "What happened, and why it \"matters\"\nto everybody.", "title": "News of the day", "uri": uri });
            record["embed"] = json!({ "$type": "app.bsky.embed.external", "external": card });
        }
        2 => {
            let image = json!({ "$type": "blob", "mimeType": "image/jpeg", "ref": { "$link": chance.hash() }, "size": 512_000 });
            let shape = json!({ "height": 1500, "width": 2000 });
            record["embed"] =
                json!({ "$type": "app.bsky.embed.images", "images": [{ "alt": "", "aspectRatio": shape, "image": image }] });
        }
        _ => {}
    }
    record
}
