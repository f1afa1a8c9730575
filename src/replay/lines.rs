//! Lines of a file of any length, with bounded memory.
//!
//! At most one line is held. What is longer than a line may be is read to its end and told as such, without being kept.

use std::io;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};

use crate::platform::recorded::MAX_LINE_BYTES;

/// What is read from the file at once.
const BUFFER_BYTES: usize = 256 * 1024;

/// The next line.
pub(super) struct Piece<'a> {
    /// How many bytes it takes in the file, with its line break.
    pub(super) length: u64,
    /// Without its line break; `None` if it is longer than a line may be.
    pub(super) line: Option<&'a [u8]>,
}

/// See the module.
pub(super) struct Lines<R> {
    input: BufReader<R>,
    line: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Lines { input: BufReader::with_capacity(BUFFER_BYTES, input), line: Vec::new() }
    }

    /// The next line; `None` at the end. A last line without a line break counts.
    pub(super) async fn next(&mut self) -> io::Result<Option<Piece<'_>>> {
        self.line.clear();
        let mut length: u64 = 0;
        let mut fits = true;
        loop {
            let buffer = self.input.fill_buf().await?;
            if buffer.is_empty() {
                break;
            }
            let end = memchr::memchr(b'\n', buffer);
            let part = &buffer[..end.unwrap_or(buffer.len())];
            // One more than fits: the carriage return before the line break.
            fits = fits && self.line.len() + part.len() <= MAX_LINE_BYTES + 1;
            if fits {
                self.line.extend_from_slice(part);
            }
            let taken = part.len() + usize::from(end.is_some());
            length += taken as u64;
            self.input.consume(taken);
            if end.is_some() {
                break;
            }
        }
        let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
        let line = (fits && line.len() <= MAX_LINE_BYTES).then_some(line);
        Ok((length > 0).then_some(Piece { length, line }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(input: &[u8]) -> Vec<(u64, Option<usize>)> {
        let mut lines = Lines::new(input);
        let mut read = Vec::new();
        while let Some(piece) = lines.next().await.unwrap() {
            read.push((piece.length, piece.line.map(<[u8]>::len)));
        }
        read
    }

    #[tokio::test]
    async fn lines_end_in_every_way() {
        assert_eq!(read(b"").await, []);
        assert_eq!(read(b"a\nbc\r\n\nd").await, [(2, Some(1)), (4, Some(2)), (1, Some(0)), (1, Some(1))]);
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_is_passed_over_and_not_kept() {
        let long = "x".repeat(MAX_LINE_BYTES + 1);
        let fits = "x".repeat(MAX_LINE_BYTES);
        let input = format!("{long}\n{fits}\r\n{}\nend\n", "y".repeat(5 * MAX_LINE_BYTES));
        let read = read(input.as_bytes()).await;
        let lines: Vec<_> = read.iter().map(|(_, line)| *line).collect();
        assert_eq!(lines, [None, Some(MAX_LINE_BYTES), None, Some(3)]);
        assert_eq!(read.iter().map(|(length, _)| length).sum::<u64>(), input.len() as u64);
    }
}
