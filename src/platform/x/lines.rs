//! The stream's wire: objects of JSON, one a line, and a bare line break every 20 seconds while there are none
//! (<https://docs.x.com/x-api/fundamentals/consuming-streaming-data>). Chunks may be cut anywhere, also inside a character.

/// No object is longer. A post with all that comes with it is some tens of kilobytes.
const MAX_LINE_BYTES: usize = 1024 * 1024;

/// The state between two bytes.
#[derive(Debug, Default)]
pub(super) struct Lines {
    line: Vec<u8>,
    /// The line has grown too long: nothing of it is kept up to its end.
    skipping: bool,
}

impl Lines {
    /// Takes the next bytes and returns the lines that they complete, without empty ones; `None` stands for one that was too long.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<Option<Vec<u8>>> {
        let mut lines = Vec::new();
        let mut rest = bytes;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            self.keep(&rest[..end]);
            rest = &rest[end + 1..];
            let line = std::mem::take(&mut self.line);
            if std::mem::take(&mut self.skipping) {
                lines.push(None);
            } else if !line.trim_ascii().is_empty() {
                lines.push(Some(line.trim_ascii().to_vec()));
            }
        }
        self.keep(rest);
        lines
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.skipping || self.line.len() + bytes.len() > MAX_LINE_BYTES {
            self.skipping = true;
            self.line = Vec::new();
        } else {
            self.line.extend_from_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_cut_at_any_byte_brings_the_same_lines() {
        let wire = "\r\n{\"text\":\"é 🍕\"}\r\n\r\n{\"b\":2}\r\n".as_bytes();
        let expected = [Some("{\"text\":\"é 🍕\"}".as_bytes().to_vec()), Some(b"{\"b\":2}".to_vec())];
        for cut in 0..=wire.len() {
            let mut lines = Lines::default();
            let mut found = lines.push(&wire[..cut]);
            found.extend(lines.push(&wire[cut..]));
            assert_eq!(found, expected, "cut at {cut}");
        }
        let mut lines = Lines::default();
        let found: Vec<_> = wire.iter().flat_map(|byte| lines.push(&[*byte])).collect();
        assert_eq!(found, expected, "byte by byte");
    }

    #[test]
    fn a_line_that_is_too_long_costs_only_itself() {
        let mut lines = Lines::default();
        assert_eq!(lines.push(&vec![b'x'; MAX_LINE_BYTES]), []);
        assert_eq!(lines.push(b"x"), []);
        assert_eq!(lines.push(b"\n{}\n"), [None, Some(b"{}".to_vec())]);
    }
}
