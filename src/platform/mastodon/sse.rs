//! Server-sent events, byte by byte.
//!
//! The form is <https://html.spec.whatwg.org/multipage/server-sent-events.html>; what Mastodon's streaming server really sends is
//! narrower and has changed over the years: `:)` first, `:thump` every 15 seconds (older versions without the blank line after
//! it), then `event:` and `data:` lines, and never an `id:`. The decoder takes chunks cut anywhere, also inside a character, and keeps
//! at most one frame in memory; a frame that is too long or not UTF-8 is reported once and skipped.

/// No frame is longer. A status is a few kilobytes.
pub(super) const MAX_FRAME_BYTES: usize = 1024 * 1024;

/// What a stream consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Frame {
    /// An event with data.
    Event {
        /// What kind.
        name: String,
        /// Its payload.
        data: String,
    },
    /// A comment line: the other side is alive.
    Heartbeat,
    /// A frame that had to be skipped.
    Broken(&'static str),
}

/// The state between two bytes.
#[derive(Debug)]
pub(super) struct Decoder {
    max_frame_bytes: usize,
    line: Vec<u8>,
    name: Vec<u8>,
    data: Vec<u8>,
    after_carriage_return: bool,
    /// The frame has grown too long: nothing of it is kept up to the next blank line.
    skipping: bool,
    first_line: bool,
}

impl Default for Decoder {
    fn default() -> Self {
        Decoder::with_limit(MAX_FRAME_BYTES)
    }
}

impl Decoder {
    /// A decoder for frames of at most `max_frame_bytes`.
    pub(super) fn with_limit(max_frame_bytes: usize) -> Self {
        Decoder {
            max_frame_bytes,
            line: Vec::new(),
            name: Vec::new(),
            data: Vec::new(),
            after_carriage_return: false,
            skipping: false,
            first_line: true,
        }
    }

    /// Takes the next bytes and returns the frames that they complete.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<Frame> {
        bytes.iter().filter_map(|byte| self.byte(*byte)).collect()
    }

    fn byte(&mut self, byte: u8) -> Option<Frame> {
        let after_carriage_return = std::mem::replace(&mut self.after_carriage_return, byte == b'\r');
        match byte {
            b'\n' if after_carriage_return => None,
            b'\n' | b'\r' => self.end_line(),
            _ => {
                if self.line.len() + self.name.len() + self.data.len() < self.max_frame_bytes {
                    self.line.push(byte);
                    return None;
                }
                // Keep one byte, so that this line does not count as blank.
                self.line.clear();
                self.line.push(byte);
                self.name.clear();
                self.data.clear();
                let first = !std::mem::replace(&mut self.skipping, true);
                first.then_some(Frame::Broken("a frame is too long"))
            }
        }
    }

    fn end_line(&mut self) -> Option<Frame> {
        let mut line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.first_line) && line.starts_with(b"\xEF\xBB\xBF") {
            line.drain(..3);
        }
        if line.is_empty() {
            return self.end_frame();
        }
        if line[0] == b':' && !self.skipping {
            return Some(Frame::Heartbeat);
        }
        if self.skipping {
            return None;
        }
        let (field, value) = match memchr::memchr(b':', &line) {
            Some(colon) => (&line[..colon], line[colon + 1..].strip_prefix(b" ").unwrap_or(&line[colon + 1..])),
            None => (&line[..], &b""[..]),
        };
        match field {
            b"event" => self.name = value.to_vec(),
            b"data" => {
                self.data.extend_from_slice(value);
                self.data.push(b'\n');
            }
            // `id` and `retry` mean nothing here: Mastodon replays nothing.
            _ => {}
        }
        None
    }

    fn end_frame(&mut self) -> Option<Frame> {
        let (name, mut data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
        if std::mem::take(&mut self.skipping) || data.pop().is_none() {
            return None;
        }
        match (String::from_utf8(name), String::from_utf8(data)) {
            (Ok(name), Ok(data)) => Some(Frame::Event { name, data }),
            _ => Some(Frame::Broken("a frame is not UTF-8")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, data: &str) -> Frame {
        Frame::Event { name: name.into(), data: data.into() }
    }

    /// Everything real servers have been seen to send, in one stream.
    const STREAM: &str = ":)\n\
        event: notification\ndata: {\"text\":\"10 € — 日本 🍕\"}\n\n\
        :thump\n\n\
        :thump\n\
        event:delete\ndata:1089\n\n\
        event: update\r\ndata: a\r\ndata: b\r\n\r\n\
        id: 7\nretry: 10\n: comment\rdata\rdata: \r\r\
        event: lonely\n\n\
        event: cut\ndata: never finished";

    fn expected() -> Vec<Frame> {
        vec![
            Frame::Heartbeat,
            event("notification", "{\"text\":\"10 € — 日本 🍕\"}"),
            Frame::Heartbeat,
            Frame::Heartbeat,
            event("delete", "1089"),
            event("update", "a\nb"),
            Frame::Heartbeat,
            event("", "\n"),
        ]
    }

    #[test]
    fn every_form_is_read_byte_by_byte() {
        let mut decoder = Decoder::default();
        let frames: Vec<Frame> = STREAM.bytes().flat_map(|byte| decoder.push(&[byte])).collect();
        assert_eq!(frames, expected());
    }

    #[test]
    fn every_form_is_read_however_it_is_cut_in_two() {
        for cut in 0..=STREAM.len() {
            let mut decoder = Decoder::default();
            let mut frames = decoder.push(&STREAM.as_bytes()[..cut]);
            frames.extend(decoder.push(&STREAM.as_bytes()[cut..]));
            assert_eq!(frames, expected(), "cut at {cut}");
        }
    }

    #[test]
    fn a_frame_that_is_too_long_is_reported_once_and_skipped() {
        let mut decoder = Decoder::with_limit(32);
        let long =
            format!("event: x\ndata: {}\ndata: {}\n:thump\ndata: y\n\nevent: z\ndata: 1\n\n", "a".repeat(100), "b".repeat(100));
        assert_eq!(decoder.push(long.as_bytes()), [Frame::Broken("a frame is too long"), event("z", "1")]);
        // Many short lines are one long frame too.
        let many = "data: 12345\n".repeat(20) + "\ndata: ok\n\n";
        assert_eq!(decoder.push(many.as_bytes()), [Frame::Broken("a frame is too long"), event("", "ok")]);
    }

    #[test]
    fn what_is_not_utf8_is_reported_and_skipped() {
        let mut decoder = Decoder::default();
        let frames = decoder.push(b"event: x\ndata: \xFF\n\ndata: ok\n\n");
        assert_eq!(frames, [Frame::Broken("a frame is not UTF-8"), event("", "ok")]);
    }
}
