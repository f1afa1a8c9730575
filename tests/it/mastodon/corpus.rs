//! The corpus that fuzzing has found in a status' HTML, read on every test run.

use std::path::Path;

use obole::platform::PlatformEvent;
use obole::platform::recorded::{Bots, Line, read_line};
use serde_json::json;

use super::promises::{MENTIONS, check};

/// The text of a status with this content, as a recorded one is read.
fn text_of(html: &str) -> String {
    let account = json!({ "id": "9", "acct": "alice@social.example" });
    let status = json!({
        "id": "1",
        "uri": "https://social.example/1",
        "created_at": "2026-01-01T00:00:00Z",
        "account": account,
        "visibility": "public",
        "content": html,
        "mentions": MENTIONS.map(|(id, acct, url)| json!({ "id": id, "acct": acct, "url": url })),
    });
    let bots = Bots::everywhere("obole@pay.example");
    match read_line(status.to_string().as_bytes(), &bots) {
        Line::Recorded { events, .. } => match events.as_slice() {
            [PlatformEvent::Posted(post)] => post.text.clone(),
            other => panic!("{html:?} gave {other:?}"),
        },
        other => panic!("{html:?} gave {other:?}"),
    }
}

#[test]
fn statuses_keep_their_promises() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/html_to_text");
    let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() > 30, "only {} files in {}", files.len(), folder.display());
    for file in files {
        check(&std::fs::read(file).unwrap(), text_of);
    }
}
