//! The gate before JSON: lines that surely cannot concern us cost a few searches for bytes and nothing else.
//!
//! It only ever errs by letting a line through. A line is dropped if it can be nothing but a newly written post, and neither a hash sign
//! nor our name is in it, in whatever spelling JSON or HTML have for them. Edits, deletions, changes of accounts and private messages
//! concern us without either, so they pass.

use memchr::{memchr_iter, memmem};

use crate::platform::Network;
use crate::platform::bluesky::{self, in_a_lexicon_name};

use super::Bots;

/// What only a newly written post has, per network. A quotation mark inside a text would have a backslash before it, so none of these can
/// be typed.
const NEW_POST: [(Network, &[u8]); 6] = [
    (Network::Bluesky, br#""operation":"create""#),
    (Network::Mastodon, br#""event":"update""#),
    (Network::Mastodon, br#""event":"notification""#),
    (Network::Mastodon, br#""visibility":""#),
    (Network::X, br#""edit_history_tweet_ids""#),
    (Network::X, br#""edit_history_post_ids""#),
];

/// How both versions of Jetstream begin their frames; those have a gate of their own, since they come by the thousand in a second.
const JETSTREAM: [&[u8]; 2] = [br#"{"did":""#, br#"{"$type":"message""#];

/// What concerns us whatever the text is. Any line with one of these passes, also if a record merely contains it.
const OTHERWISE: [&[u8]; 8] = [
    br#""operation":"update""#,
    br#""operation":"delete""#,
    br#""kind":"identity""#,
    br#""kind":"account""#,
    b"status.update",
    br#""type":"update""#,
    br#"\"type\":\"update\""#,
    br#""direct_message_events""#,
];

/// Ways to write a hash sign or a letter without writing it: JSON's escapes of ASCII and of the full-width sign (also inside a payload that
/// is JSON as text), HTML's name for the sign, and its one name that makes two letters. HTML's numbers begin with the sign itself.
const SPELT: [&[u8]; 5] = [br"\u00", br"\uff03", br"\uFF03", b"&num", b"fjlig"];

/// `＃`, which begins a hashtag as well.
const FULL_WIDTH_HASH: &str = "＃";

/// The network of a line that surely cannot concern us; `None` if it has to be read.
pub fn surely_not(line: &[u8], bots: &Bots) -> Option<Network> {
    if JETSTREAM.iter().any(|beginning| line.starts_with(beginning)) {
        return bluesky::surely_not(line, &bots.bluesky).then_some(Network::Bluesky);
    }
    let (network, _) = NEW_POST.into_iter().find(|(_, mark)| memmem::find(line, mark).is_some())?;
    let any_of = |signs: &[&[u8]]| signs.iter().any(|sign| memmem::find(line, sign).is_some());
    let hash = match network {
        Network::Bluesky => memchr_iter(b'#', line).any(|at| !in_a_lexicon_name(line, at)),
        _ => memchr::memchr(b'#', line).is_some(),
    };
    let concerns = hash
        || memmem::find(line, FULL_WIDTH_HASH.as_bytes()).is_some()
        || names(line, bots.on(network))
        || any_of(&SPELT)
        || any_of(&OTHERWISE)
        || may_be_a_later_version(line);
    (!concerns).then_some(network)
}

/// A version that has lost its hash sign and our name still cancels what the first one ordered.
fn may_be_a_later_version(line: &[u8]) -> bool {
    let first = |rest: &[u8]| rest.starts_with(br#"":null"#) || rest.starts_with(br#"\":null"#);
    let edited_at = memmem::find_iter(line, b"edited_at").any(|at| !first(&line[at + b"edited_at".len()..]));
    edited_at || memmem::find_iter(line, b"edit_history_").any(|at| !holds_one_id(&line[at..]))
}

/// `edit_history_tweet_ids":["1089"]`, and nothing after the first id.
fn holds_one_id(history: &[u8]) -> bool {
    let Some(list) = memchr::memchr(b'[', history).map(|at| &history[at + 1..]) else { return false };
    let Some(end) = memchr::memchr(b']', list) else { return false };
    list[..end].iter().all(|byte| byte.is_ascii_digit() || *byte == b'"')
}

/// Whether our user name is in it, in any case, wherever.
fn names(line: &[u8], bot: &str) -> bool {
    let user = bot.split(['@', '.']).next().unwrap_or_default().as_bytes();
    let Some((first, _)) = user.split_first() else { return true };
    let starts_here = |at: usize| line.get(at..at + user.len()).is_some_and(|here| here.eq_ignore_ascii_case(user));
    memchr::memchr2_iter(first.to_ascii_lowercase(), first.to_ascii_uppercase(), line).any(starts_here)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dropped(line: &str) -> bool {
        surely_not(line.as_bytes(), &Bots::everywhere("obole")).is_some()
    }

    fn bluesky(text: &str) -> String {
        format!(
            r#"{{"did":"did:plc:ana","kind":"commit","commit":{{"operation":"create","collection":"app.bsky.feed.post","record":{{"text":"{text}","facets":[{{"$type":"app.bsky.richtext.facet#link"}}]}}}}}}"#
        )
    }

    #[test]
    fn small_talk_is_dropped() {
        assert!(dropped(&bluesky("good morning")));
        assert!(dropped(&bluesky("see facet#donner")), "no hashtag begins after a letter");
        assert!(dropped(r#"{"event":"update","payload":"{\"id\":\"1\",\"edited_at\":null,\"content\":\"<p>good morning</p>\"}"}"#));
        assert!(dropped(r#"{"id":"1","edited_at":null,"visibility":"public","content":"good &amp; morning"}"#));
        assert!(dropped(r#"{"data":{"id":"1","text":"good morning","edit_history_tweet_ids":["1"]}}"#));
    }

    #[test]
    fn a_hash_sign_or_our_name_in_whatever_spelling_passes() {
        for text in [
            "#donner",
            "＃donner",
            r"\u0023donner",
            r"\uff03donner",
            r"\uFF03donner",
            r"x\n#donner",
            r"x\u000a#donner",
            "5#donner",
            "@obole",
            "@OBOLE",
            r"@\u006fbole",
        ] {
            assert!(!dropped(&bluesky(text)), "{text}");
        }
        assert!(!dropped(r#"{"event":"update","payload":"{\"content\":\"\\u0023donner\"}"}"#));
        assert!(!dropped(r#"{"visibility":"public","content":"&num;donner"}"#));
        assert!(!dropped(r#"{"visibility":"public","content":"&#35;donner"}"#));
        assert!(!dropped(r#"{"visibility":"public","content":"&nbsp#donner"}"#), "only Bluesky has names with the sign inside");
    }

    #[test]
    fn whatever_is_no_new_post_passes() {
        for line in [
            r#"{"did":"did:plc:ana","kind":"commit","commit":{"operation":"delete","rkey":"1"}}"#,
            r#"{"did":"did:plc:ana","kind":"commit","commit":{"operation":"update","record":{"x":{"operation":"create"}}}}"#,
            r#"{"did":"did:plc:ana","kind":"identity","identity":{"handle":"ana.example"}}"#,
            r#"{"event":"delete","payload":"1089"}"#,
            r#"{"event":"status.update","payload":"{\"id\":\"1\"}"}"#,
            r#"{"event":"notification","payload":"{\"type\":\"update\",\"status\":{\"id\":\"1\"}}"}"#,
            r#"{"id":"1","visibility":"public","edited_at":"2026-09-10T08:00:00Z"}"#,
            r#"{"event":"update","payload":"{\"edited_at\":\"2026-09-10T08:00:00Z\"}"}"#,
            r#"{"data":{"id":"2","text":"good morning","edit_history_tweet_ids":["1","2"]}}"#,
            r#"{"data":{"event_type":"post.delete","payload":{"id":"1"}}}"#,
            r#"{"data":{"event_type":"dm.received","payload":{"direct_message_events":[{"x":"edit_history_tweet_ids"}]}}}"#,
            r#"{"data":{"event_type":"dm.received","payload":{"text":"\"visibility\":\"public\""}}}"#,
            "nonsense",
        ] {
            assert!(!dropped(line), "{line}");
        }
    }

    #[test]
    fn without_a_name_everything_passes() {
        assert_eq!(surely_not(bluesky("good morning").as_bytes(), &Bots::everywhere("")), None);
    }
}
