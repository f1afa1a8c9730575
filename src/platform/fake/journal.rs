//! The town's memory on disk: a file of JSON lines, appended to before anybody is answered.
//!
//! Every append is one write that has left the process when it returns, so a killed process loses nothing it answered for.
//! It is not synced to the disk: a sandbox survives `kill -9`, not a power cut. A last line without its end is what a kill in
//! the middle of a write leaves; it was never answered for and is cut off. Any other unreadable line is refused, not skipped.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::change::{Change, Entry};
use crate::clock::Timestamp;
use crate::ownership::own;

/// Why a town could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder it should live in does not exist.
    #[error("the town's journal {} cannot be kept: its directory does not exist", .0.display())]
    NoDirectory(PathBuf),
    /// It cannot be read or written.
    #[error("the town's journal {} cannot be opened for writing: {cause}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// Another process has it.
    #[error("the town's journal {} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// A line that is not one of ours.
    #[error("line {line} of the town's journal {} cannot be read: {cause}", path.display())]
    BadLine {
        /// The file.
        path: PathBuf,
        /// Counted from one.
        line: usize,
        /// What is wrong with it.
        cause: String,
    },
}

/// An open journal, or none for a town that lives in memory.
#[derive(Debug, Default)]
pub(super) struct Journal {
    file: Option<(File, u64)>,
}

impl Journal {
    /// Opens or creates the file, takes its lock and hands every entry to `take`.
    pub(super) fn open(path: &Path, mut take: impl FnMut(Entry)) -> Result<Self, OpenError> {
        let unusable = |cause| OpenError::Unusable { path: path.to_owned(), cause };
        if path.parent().is_some_and(|directory| !directory.as_os_str().is_empty() && !directory.is_dir()) {
            return Err(OpenError::NoDirectory(path.to_owned()));
        }
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(unusable)?;
        match own(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(path.to_owned())),
            Err(TryLockError::Error(cause)) => return Err(unusable(cause)),
        }
        let mut good = 0;
        let mut reader = BufReader::new(&file);
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let length = reader.read_until(b'\n', &mut line).map_err(unusable)?;
            if length == 0 {
                break;
            }
            if line.last() != Some(&b'\n') {
                tracing::warn!(path = %path.display(), line = number, "the last line of the town's journal is torn and was cut off");
                break;
            }
            let entry = serde_json::from_slice(&line).map_err(|cause| OpenError::BadLine {
                path: path.to_owned(),
                line: number,
                cause: cause.to_string(),
            })?;
            take(entry);
            good += length as u64;
        }
        file.set_len(good).map_err(unusable)?;
        file.seek(SeekFrom::Start(good)).map_err(unusable)?;
        Ok(Journal { file: Some((file, good)) })
    }

    /// Writes the changes of one act as one piece. After an error nothing of them is left.
    pub(super) fn append(&mut self, at: Timestamp, changes: &[Change]) -> io::Result<()> {
        let Some((file, length)) = &mut self.file else { return Ok(()) };
        let mut lines = Vec::with_capacity(changes.len() * 256);
        for change in changes {
            serde_json::to_writer(&mut lines, &Entry { at, change: change.clone() })?;
            lines.push(b'\n');
        }
        if let Err(cause) = file.write_all(&lines) {
            file.set_len(*length)?;
            file.seek(SeekFrom::Start(*length))?;
            return Err(cause);
        }
        *length += lines.len() as u64;
        Ok(())
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        let Some((file, length)) = &mut self.file else { return Ok(()) };
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        *length = 0;
        Ok(())
    }
}
