//! The journal: one JSON line per decision, written out before anybody is answered.
//!
//! A line is everything one decision changed, so a decision is in the file whole or not at all. A line that was being
//! written when the process died (no newline at its end) never happened and is cut off at the next start. `write` hands
//! the bytes to the operating system, which keeps them when the process is killed; power cuts are not this file's business.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::book::{Book, Change};
use crate::clock::Timestamp;
use crate::ownership::own;

/// What was decided at one moment.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    at: Timestamp,
    changes: Vec<Change>,
}

/// Why the fake bank's memory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file cannot be opened.
    #[error("the sandbox bank's journal {path} cannot be opened: {cause}")]
    Open {
        /// Where it should be.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// The directory is not there.
    #[error("the directory {0} for the sandbox bank's journal does not exist")]
    NoDirectory(PathBuf),
    /// Another process writes it.
    #[error("the sandbox bank's journal {0} is in use by another process")]
    InUse(PathBuf),
    /// A line in the middle is not one of ours.
    #[error("line {line} of the sandbox bank's journal {path} cannot be read: {cause}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Why not.
        cause: serde_json::Error,
    },
    /// It could not be written.
    #[error("the sandbox bank's journal {path} cannot be written: {cause}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
}

/// An open journal, positioned at its end.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    length: u64,
    /// The last write failed half-way: what it left behind is cut off before the next one.
    torn: bool,
}

impl Journal {
    /// Opens (or begins) the journal at `path` and reads the books from it.
    pub(super) fn open(path: &Path) -> Result<(Journal, Book), JournalError> {
        let failed = |cause| JournalError::Open { path: path.to_owned(), cause };
        if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty())
            && !directory.is_dir()
        {
            return Err(JournalError::NoDirectory(directory.to_owned()));
        }
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
        match own(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(JournalError::InUse(path.to_owned())),
            Err(TryLockError::Error(cause)) => return Err(failed(cause)),
        }
        let mut book = Book::new();
        let mut length: u64 = 0;
        let mut reader = BufReader::new(&file);
        let mut text = Vec::new();
        for line in 1.. {
            text.clear();
            let read = reader.read_until(b'\n', &mut text).map_err(failed)?;
            if read == 0 || text.last() != Some(&b'\n') {
                break;
            }
            let record: Record =
                serde_json::from_slice(&text).map_err(|cause| JournalError::Unreadable { path: path.to_owned(), line, cause })?;
            for change in record.changes {
                book.apply(record.at, change);
            }
            length += read as u64;
        }
        let mut journal = Journal { path: path.to_owned(), file, length, torn: true };
        journal.cut_back().map_err(failed)?;
        Ok((journal, book))
    }

    /// Writes one decision. When it cannot be written whole, nothing of it stays.
    pub(super) fn append(&mut self, at: Timestamp, changes: &[Change]) -> Result<(), JournalError> {
        #[derive(Serialize)]
        struct Borrowed<'a> {
            at: Timestamp,
            changes: &'a [Change],
        }
        let write = |journal: &mut Journal| -> std::io::Result<()> {
            let mut line = serde_json::to_vec(&Borrowed { at, changes })?;
            line.push(b'\n');
            if journal.torn {
                journal.cut_back()?;
            }
            journal.torn = true;
            journal.file.write_all(&line)?;
            journal.torn = false;
            journal.length += line.len() as u64;
            Ok(())
        };
        write(self).map_err(|cause| JournalError::Write { path: self.path.clone(), cause })
    }

    /// Begins anew with nothing.
    pub(super) fn clear(&mut self) -> Result<(), JournalError> {
        self.length = 0;
        self.cut_back().map_err(|cause| JournalError::Write { path: self.path.clone(), cause })
    }

    fn cut_back(&mut self) -> std::io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.seek(SeekFrom::Start(self.length))?;
        self.torn = false;
        Ok(())
    }
}
