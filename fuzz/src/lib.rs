//! What the fuzz targets ask. The promises and the way from bytes to a question are the tests' own, so a file of the corpus means the same
//! here and in `cargo test`, which reads the corpus on every run.

#![allow(dead_code, reason = "of the modules that are taken over from Obole, only a part is used here")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use obole::language::{Channel, languages};

#[path = "../../tests/it/language/inputs.rs"]
mod inputs;
mod mastodon;
#[path = "../../tests/it/language/promises.rs"]
mod promises;

/// A text in public or in private.
pub fn read_text(bytes: &[u8], channel: Channel) {
    let Ok(input) = inputs::TextInput::from_bytes(bytes) else { return };
    let context = input.context(channel);
    let reading = promises::check_reading(&input.text, &context);
    promises::check_digits_outside(&reading, &input.text, &context, input.place.into(), &input.digits.to_string());
}

/// A language file.
pub fn check_language_file(bytes: &[u8]) {
    static OURS: LazyLock<BTreeMap<&str, String>> = LazyLock::new(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../grammar/lang");
        let read = |code: &str| std::fs::read_to_string(folder.join(code).with_extension("toml")).expect("grammar/lang is there");
        languages().iter().map(|language| (language.code.as_str(), read(&language.code))).collect()
    });
    let Ok(input) = inputs::FileInput::from_bytes(bytes, |code| OURS[code].clone()) else { return };
    promises::check_file(&input.file, &input.source);
}

/// The HTML of a status.
pub fn read_html(bytes: &[u8]) {
    mastodon::check_html(bytes);
}
