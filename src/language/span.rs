//! Places in a text: every token, part and fault of a post says where it stands.

use std::ops::Range;

use serde::{Serialize, Serializer};

/// A half-open range of bytes of the text that was read; both ends lie on character boundaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

impl Span {
    /// From `start` up to, not including, `end`.
    pub const fn new(start: usize, end: usize) -> Self {
        Span { start, end }
    }

    /// The slice of `text` that is meant; empty if the span is not one of this text.
    pub fn of(self, text: &str) -> &str {
        text.get(self.start..self.end).unwrap_or_default()
    }

    /// From the start of this span to the end of `last`.
    pub(super) const fn to(self, last: Span) -> Span {
        Span { start: self.start, end: last.end }
    }
}

impl From<Span> for Range<usize> {
    fn from(span: Span) -> Range<usize> {
        span.start..span.end
    }
}

impl Serialize for Span {
    /// `[start,end]`, as section 10 writes it.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.start, self.end).serialize(serializer)
    }
}
