//! What the gate before JSON drops, the order language would have passed over, however a text is written.

use obole::language::would_concern;
use obole::platform::PlatformEvent;
use obole::platform::bluesky::{read_frame, surely_not};
use proptest::prelude::*;
use serde_json::Value;

const BOT: &str = "obole.example";

/// A new post as Jetstream sends it, whose text is written in JSON as it is given.
fn posted(text: &str) -> String {
    format!(
        r#"{{"did":"did:plc:ana","time_us":1789000000000000,"kind":"commit","commit":{{"rev":"3l3qo2vutsw2b","operation":"create","collection":"app.bsky.feed.post","rkey":"3l3qo2vuowo2b","record":{{"$type":"app.bsky.feed.post","createdAt":"2026-09-10T00:00:00Z","text":"{text}"}},"cid":"bafyrei"}}}}"#
    )
}

/// The same text with every character that is not plain written as an escape, as some encoders do.
fn escaped(text: &str) -> String {
    let units = |c: char| {
        let mut buffer = [0; 2];
        c.encode_utf16(&mut buffer).iter().map(|unit| format!("\\u{unit:04X}")).collect::<String>()
    };
    text.chars().map(|c| if c.is_ascii_alphanumeric() || c == ' ' { c.to_string() } else { units(c) }).collect()
}

proptest! {
    #[test]
    fn nothing_is_dropped_that_the_language_would_look_at(
        text in "([a-z ]|#|＃|@|＠|obole|OBOLE|\\.|\\\\|\"|\n|é|❤️|＜|u0023){0,12}"
    ) {
        let plain = Value::from(text.as_str()).to_string();
        for written in [plain[1..plain.len() - 1].to_owned(), escaped(&text)] {
            let frame = posted(&written);
            let events = read_frame(frame.as_bytes());
            let Ok([PlatformEvent::Posted(post)]) = events.as_deref() else { panic!("{events:?}: {frame}") };
            prop_assert_eq!(&post.text, &text);
            // Right after a letter no hashtag begins.
            let glued = |at: usize| text[..at].ends_with(|c: char| c.is_ascii_alphabetic());
            let begun = text.match_indices('#').any(|(at, _)| !glued(at)) || would_concern(&text.replace('#', ""), "obole");
            prop_assert!(!(begun && surely_not(frame.as_bytes(), BOT)), "{}", frame);
        }
    }
}
