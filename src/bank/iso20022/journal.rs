//! The journal: one JSON line for each record, on the disk before anything follows from it.
//!
//! Several processes may use one journal, one at a time: whoever holds its lock first reads what others have added since, then decides, then
//! adds. A line that was being written when its process died (no line break at its end) never happened, and is cut off by the next holder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::book::{Book, Record};
use crate::ownership::own;

/// Why the journal cannot be used. Everything but [`JournalError::Torn`] means that nothing was written.
#[derive(Debug, thiserror::Error)]
pub(super) enum JournalError {
    #[error("the journal {path} cannot be used: {cause}")]
    Unusable { path: PathBuf, cause: std::io::Error },
    #[error("another process has held the journal {0} for too long")]
    Busy(PathBuf),
    #[error("line {line} of the journal {path} cannot be read: {cause}")]
    Unreadable { path: PathBuf, line: u64, cause: serde_json::Error },
    /// A record may be in the journal or not.
    #[error("the journal {path} could neither be written nor restored: {cause}")]
    Torn { path: PathBuf, cause: std::io::Error },
}

/// An open journal, with what was read of it.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    book: Book,
    /// What of the file is in the book.
    length: u64,
    lines: u64,
}

/// A journal that nobody else touches as long as this lives.
pub(super) struct Held<'a>(&'a mut Journal);

impl Journal {
    /// Opens the journal, or begins it.
    pub(super) fn open(path: &Path) -> Result<Journal, JournalError> {
        let unusable = |cause| JournalError::Unusable { path: path.to_owned(), cause };
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path).map_err(unusable)?;
        let mut journal = Journal { path: path.to_owned(), file, book: Book::default(), length: 0, lines: 0 };
        journal.hold()?;
        Ok(journal)
    }

    /// The memory as it was when the journal was last held.
    pub(super) fn book(&self) -> &Book {
        &self.book
    }

    /// Takes the lock and catches up with others.
    pub(super) fn hold(&mut self) -> Result<Held<'_>, JournalError> {
        match own(&self.file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(JournalError::Busy(self.path.clone())),
            Err(TryLockError::Error(cause)) => return Err(JournalError::Unusable { path: self.path.clone(), cause }),
        }
        let held = Held(self);
        held.0.catch_up()?;
        Ok(held)
    }

    fn catch_up(&mut self) -> Result<(), JournalError> {
        let path = self.path.clone();
        let unusable = |cause| JournalError::Unusable { path: path.clone(), cause };
        if self.file.metadata().map_err(unusable)?.len() == self.length {
            return Ok(());
        }
        self.file.seek(SeekFrom::Start(self.length)).map_err(unusable)?;
        let mut reader = BufReader::new(&self.file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line).map_err(unusable)?;
            if read == 0 || line.last() != Some(&b'\n') {
                break;
            }
            let record: Record = serde_json::from_slice(&line).map_err(|cause| JournalError::Unreadable {
                path: path.clone(),
                line: self.lines + 1,
                cause,
            })?;
            self.book.apply(record);
            self.length += read as u64;
            self.lines += 1;
        }
        // Whoever wrote the rest holds no lock any more: that line never happened.
        self.file.set_len(self.length).map_err(unusable)
    }

    fn add(&mut self, records: Vec<Record>) -> Result<(), JournalError> {
        let failed = |cause| JournalError::Unusable { path: self.path.clone(), cause };
        let mut lines = Vec::new();
        for record in &records {
            serde_json::to_writer(&mut lines, record).map_err(|cause| failed(cause.into()))?;
            lines.push(b'\n');
        }
        let written = self
            .file
            .seek(SeekFrom::Start(self.length))
            .and_then(|_| self.file.write_all(&lines))
            .and_then(|()| self.file.sync_data());
        if let Err(cause) = written {
            // What cannot be cut off again may be read back by the next holder.
            let restored = self.file.set_len(self.length).and_then(|()| self.file.sync_data());
            return Err(match restored {
                Ok(()) => failed(cause),
                Err(_) => JournalError::Torn { path: self.path.clone(), cause },
            });
        }
        self.length += lines.len() as u64;
        self.lines += records.len() as u64;
        for record in records {
            self.book.apply(record);
        }
        Ok(())
    }
}

impl Held<'_> {
    /// The memory as it is now.
    pub(super) fn book(&self) -> &Book {
        &self.0.book
    }

    /// Writes a record to the disk, and applies it.
    pub(super) fn add(&mut self, record: Record) -> Result<(), JournalError> {
        self.0.add(vec![record])
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // A lock that cannot be given back ends with the process.
        let _ = self.0.file.unlock();
    }
}
