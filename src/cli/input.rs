//! Files and standard input as text: what cannot be read is said in one sentence.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::Path;

use anyhow::{Context as _, bail};

/// The text of a file.
pub(super) fn read_file(file: &Path) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    open_file(file)?.read_to_end(&mut bytes).with_context(|| format!("{} cannot be read", file.display()))?;
    text_of(bytes, &file.display().to_string())
}

/// A file that is there and is one.
pub(super) fn open_file(file: &Path) -> anyhow::Result<File> {
    let name = file.display();
    match File::open(file) {
        Ok(_) if file.is_dir() => bail!("{name} is a directory, not a file"),
        Ok(open) => Ok(open),
        Err(error) if error.kind() == ErrorKind::NotFound => bail!("there is no file {name}"),
        Err(error) => bail!("{name} cannot be read: {error}"),
    }
}

/// The text of standard input.
pub(super) fn read_stdin() -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    match std::io::stdin().read_to_end(&mut bytes) {
        Ok(_) => text_of(bytes, "standard input"),
        Err(error) => bail!("standard input cannot be read: {error}"),
    }
}

fn text_of(bytes: Vec<u8>, name: &str) -> anyhow::Result<String> {
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(error) => {
            let good = error.utf8_error().valid_up_to();
            let line = error.as_bytes().iter().take(good).filter(|byte| **byte == b'\n').count() + 1;
            bail!("{name} is not UTF-8 text: line {line} holds a byte that is no character")
        }
    }
}
