//! The gate before JSON: frames that surely cannot concern us cost a few searches for bytes and nothing else.
//!
//! Nearly everything a public stream brings ends here, so nothing is decoded and nothing allocated. The gate only ever errs by letting a
//! frame through. What it drops:
//! - commits to another collection than posts: likes, follows, reposts, and their deletions, most of a stream;
//! - newly written posts without a sign that the order language looks for: a hash sign that could begin a hashtag, or an at sign before
//!   our name, in whatever spelling JSON has for them.
//!
//! Whatever else there is passes: edits and deletions of posts, since they may be those of an open order; changed handles and lost
//! accounts, since they may be a payer's or a payee's; and every frame that is not written the way Jetstream writes them.
//!
//! The server writes a frame's head, up to the record, and its authors can put no quotation mark into it (identifiers and record keys
//! have none: <https://atproto.com/specs/record-key>). So what is found in the head is what it says, however a record looks that
//! somebody made up to look like a head.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use memchr::{memchr_iter, memchr3_iter};

macro_rules! finder {
    ($name:ident, $text:literal) => {
        static $name: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new($text));
    };
}

finder!(RECORD, br#""record":"#);
finder!(COLLECTION, br#""collection":""#);
finder!(CREATE, br#""operation":"create""#);

/// The only collection whose records are posts, to its closing quotation mark.
const POSTS: &[u8] = br#"app.bsky.feed.post""#;

/// Whether a frame surely cannot concern the bot of this handle.
pub fn surely_not(frame: &[u8], bot: &str) -> bool {
    // Without a record: a deletion, a changed handle, a lost account.
    let (head, record) = frame.split_at(RECORD.find(frame).unwrap_or(frame.len()));
    let Some(at) = COLLECTION.find(head) else { return false };
    if !head[at + COLLECTION.needle().len()..].starts_with(POSTS) {
        return true;
    }
    !record.is_empty() && CREATE.find(head).is_some() && !may_speak_to(bot, record)
}

/// Whether a sign is in it behind which an order could begin.
fn may_speak_to(bot: &str, record: &[u8]) -> bool {
    let Some(name) = bot.split(['@', '.']).next().filter(|name| !name.is_empty()) else { return true };
    let concerns = |at: usize| match record[at] {
        b'#' => !in_a_lexicon_name(record, at),
        b'@' => begins_with(&record[at + 1..], name),
        _ => spells_a_sign(&record[at..]),
    };
    memchr3_iter(b'#', b'@', b'\\', record).any(concerns) || memchr_iter(FULL_WIDTH[0], record).any(|at| is_full_width(record, at))
}

/// What `＃` and `＠` begin with; their last bytes are 0x83 and 0xA0.
const FULL_WIDTH: [u8; 2] = [0xEF, 0xBC];

fn is_full_width(record: &[u8], at: usize) -> bool {
    matches!(record.get(at..at + 3), Some([first, second, 0x83 | 0xA0]) if [*first, *second] == FULL_WIDTH)
}

/// `app.bsky.richtext.facet#link` and the like, of which nearly every frame is full. Right after a letter no hashtag begins either, so what
/// an author types in this way is none. The letter must not belong to an escape (`\n#donner`).
pub(in crate::platform) fn in_a_lexicon_name(line: &[u8], at: usize) -> bool {
    let before = &line[at.saturating_sub(LONGEST_ESCAPE)..at];
    before.last().is_some_and(u8::is_ascii_alphabetic) && !before.contains(&b'\\')
}

/// `\u000a`.
const LONGEST_ESCAPE: usize = 6;

/// Whether a name stands here, in any case; or a letter of it may, as an escape.
fn begins_with(text: &[u8], name: &str) -> bool {
    let here = &text[..name.len().min(text.len())];
    here.eq_ignore_ascii_case(name.as_bytes()) || here.contains(&b'\\')
}

/// Whether an escape stands for one of the signs, plain or of full width.
fn spells_a_sign(escape: &[u8]) -> bool {
    let [b'\\', b'u', hex @ ..] = escape else { return false };
    let Some(hex) = hex.get(..4) else { return false };
    ["0023", "0040", "ff03", "ff20"].iter().any(|sign| hex.eq_ignore_ascii_case(sign.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOT: &str = "obole.example";

    /// As Jetstream writes them: fields in this order.
    fn frame(operation: &str, collection: &str, record: Option<&str>) -> String {
        let record = record.map(|record| format!(r#","record":{record},"cid":"bafyrei""#)).unwrap_or_default();
        format!(
            r#"{{"did":"did:plc:ana","time_us":1789000000000000,"kind":"commit","commit":{{"rev":"3l3qo2vutsw2b","operation":"{operation}","collection":"{collection}","rkey":"3l3qo2vuowo2b"{record}}}}}"#
        )
    }

    /// A new post whose text is written in JSON as it is given.
    fn posted(text: &str) -> String {
        let facet = r#"{"$type":"app.bsky.richtext.facet","features":[{"$type":"app.bsky.richtext.facet#link","uri":"https://a.example"}]}"#;
        let record =
            format!(r#"{{"$type":"app.bsky.feed.post","createdAt":"2026-09-10T00:00:00Z","facets":[{facet}],"text":"{text}"}}"#);
        frame("create", "app.bsky.feed.post", Some(&record))
    }

    fn dropped(frame: &str) -> bool {
        surely_not(frame.as_bytes(), BOT)
    }

    #[test]
    fn chatter_and_other_collections_are_dropped() {
        for text in [
            "good morning",
            r#"a \"quoted\" word\nand ❤️ &"#,
            "mail ana@example.org",
            "@bob.example hi",
            r"x\u0026y",
            "see facet#donner",
        ] {
            assert!(dropped(&posted(text)), "{text}");
        }
        for collection in ["app.bsky.feed.like", "app.bsky.graph.follow", "app.bsky.feed.repost", "app.bsky.feed.postgate"] {
            assert!(dropped(&frame("create", collection, Some(r##"{"text":"@obole #donner 10€"}"##))), "{collection}");
            assert!(dropped(&frame("delete", collection, None)), "{collection}");
        }
    }

    #[test]
    fn a_sign_in_whatever_spelling_passes() {
        for text in [
            "#donner",
            "＃donner",
            r"\u0023donner",
            r"\uff03donner",
            r"\uFF03donner",
            r"x\n#donner",
            r"x\u000a#donner",
            r"xa\u0061#donner",
            "5#donner",
            "@obole",
            "@OBOLE.example",
            "＠obole",
            r"\u0040obole",
            r"\uFF20obole",
            r"@\u006fbole",
            r"@obol\u0065",
        ] {
            assert!(!dropped(&posted(text)), "{text}");
        }
    }

    #[test]
    fn edits_deletions_and_changed_accounts_pass() {
        let record = Some(r#"{"text":"good morning"}"#);
        for passes in [
            frame("update", "app.bsky.feed.post", record),
            frame("delete", "app.bsky.feed.post", None),
            r#"{"did":"did:plc:ana","time_us":1,"kind":"identity","identity":{"did":"did:plc:ana","handle":"ana.example","seq":1}}"#.to_owned(),
            r#"{"did":"did:plc:ana","time_us":1,"kind":"account","account":{"active":false,"did":"did:plc:ana","status":"deleted"}}"#.to_owned(),
            r#"{"$type":"error","code":"FutureCursor"}"#.to_owned(),
            "nonsense".to_owned(),
        ] {
            assert!(!dropped(&passes), "{passes}");
        }
    }

    #[test]
    fn a_record_cannot_speak_for_the_head() {
        let look_alike = r#"{"operation":"create","collection":"app.bsky.feed.like","text":"good morning"}"#;
        assert!(!dropped(&frame("update", "app.bsky.feed.post", Some(look_alike))));
        let nested = r#"{"text":"good morning","x":{"operation":"create","record":{"collection":"app.bsky.feed.post"}}}"#;
        assert!(!dropped(&frame("update", "app.bsky.feed.post", Some(nested))));
        // The record first: not as Jetstream writes it, so it is decoded.
        let record_first = r#"{"did":"did:plc:ana","kind":"commit","commit":{"record":{"x":"\"operation\":\"create\""},"operation":"delete","collection":"app.bsky.feed.post","rkey":"1"}}"#;
        assert!(!dropped(record_first));
    }

    #[test]
    fn both_envelopes_are_known_and_without_a_name_every_post_passes() {
        let second = r#"{"$type":"message","payload":{"$type":"network.bsky.jetstream.subscribeEvents#commit","seq":1,"did":"did:plc:ana","time":"2026-09-09T23:06:40Z","rev":"3l3","operation":"create","collection":"app.bsky.feed.post","rkey":"3l3","cid":"bafyrei","record":{"text":"TEXT"}}}"#;
        assert!(dropped(&second.replace("TEXT", "good morning")));
        assert!(!dropped(&second.replace("TEXT", "#donner 10€")));
        assert!(!surely_not(posted("good morning").as_bytes(), ""));
    }
}
