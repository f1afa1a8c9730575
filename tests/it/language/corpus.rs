//! The corpus that fuzzing has found, read on every test run: what was once worth keeping keeps its promises.

use std::path::Path;

use obole::language::Channel;

use super::inputs::{FileInput, TextInput};
use super::promises::{check_digits_outside, check_file, check_reading};
use super::vocabulary::source;

/// The files of one target's corpus; an empty one would prove nothing.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let entries = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = entries.map(|path| (path.display().to_string(), std::fs::read(&path).unwrap())).collect();
    assert!(files.len() > 30, "only {} files in {}", files.len(), folder.display());
    files
}

fn read_texts(target: &str, channel: Channel) {
    for (_, bytes) in corpus(target) {
        let input = TextInput::from_bytes(&bytes).unwrap();
        let context = input.context(channel);
        let reading = check_reading(&input.text, &context);
        check_digits_outside(&reading, &input.text, &context, input.place.into(), &input.digits.to_string());
    }
}

#[test]
fn posts_keep_their_promises() {
    read_texts("posts", Channel::Post);
}

#[test]
fn replies_keep_their_promises() {
    read_texts("replies", Channel::Dm);
}

#[test]
fn language_files_keep_their_promises() {
    for (_, bytes) in corpus("language_files") {
        let input = FileInput::from_bytes(&bytes, source).unwrap();
        check_file(&input.file, &input.source);
    }
}
