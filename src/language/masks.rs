//! Masks: words that are not the author's own (section 3).
//!
//! Quoted lines, code, reposted text, quotations and links yield no token, so nothing in them can pay, but they separate
//! what stands around them. One left-to-right scan; a mask that never closes is remembered, so the scan stays linear.

use memchr::memmem;

use super::characters::{Class, STRIDE, characters};
use super::span::Span;

/// Why a stretch of text is not the author's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MaskKind {
    /// A line that starts with `>`.
    QuotedLine,
    /// Between backticks.
    Code,
    /// `RT @somebody` and all that follows.
    Repost,
    /// A closed quotation.
    Quotation,
    /// A link.
    Link,
}

/// A masked stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mask {
    pub(super) kind: MaskKind,
    pub(super) span: Span,
}

/// Opening marks and what closes each; rule 4.
const QUOTATIONS: [(char, [char; 2]); 6] =
    [('“', ['”', '”']), ('„', ['“', '”']), ('«', ['»', '»']), ('「', ['」', '」']), ('『', ['』', '』']), ('"', ['"', '"'])];

/// The masks of a text, in its order, without overlap.
pub(super) fn masks(text: &str) -> Vec<Mask> {
    let mut scan = Scan { text, line_end: 0, unclosed_until: [0; QUOTATIONS.len() + 1] };
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(offset) = opening(&text.as_bytes()[at..]) {
        at += offset;
        match scan.mask_at(at) {
            Some(mask) => {
                at = mask.span.end;
                found.push(mask);
            }
            None => at += text[at..].chars().next().map_or(1, char::len_utf8),
        }
    }
    found
}

/// The first byte that a mask may begin with; what lies before is passed over without decoding, mostly many bytes at once.
fn opening(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(here) = bytes.get(at..) {
        let stride = here.first_chunk::<STRIDE>().zip(here.get(1..).and_then(|next| next.first_chunk::<STRIDE>()));
        let passed = stride.is_some_and(|(bytes, next)| {
            bytes.iter().zip(next).fold(true, |passed, (byte, next)| passed & !may_open(*byte, *next))
        });
        if !passed {
            let mut near = here.iter().take(STRIDE).enumerate().filter(|(_, byte)| OPENERS[usize::from(**byte)]);
            let found = near.find(|(place, byte)| may_open(**byte, here.get(place + 1).copied().unwrap_or_default()));
            if let Some((place, _)) = found {
                return Some(at + place);
            }
            if here.len() <= STRIDE {
                return None;
            }
        }
        at += STRIDE;
    }
    None
}

/// Whether a mask may begin with a byte: its opening marks (the last four are the lead bytes of `«`, `“` and `„`, `「` and
/// `『`, `＞`), or the first letter of `RT`, `MT`, `http` or `www.`, if the second follows.
const fn may_open(byte: u8, next: u8) -> bool {
    let mark = (byte == b'>') | (byte == b'`') | (byte == b'"');
    let lead = (byte == 0xC2) | (byte == 0xE2) | (byte == 0xE3) | (byte == 0xEF);
    let (letter, second) = (byte | 0x20, next | 0x20);
    let repost_or_link = ((letter == b'r') | (letter == b'm') | (letter == b'h')) & (second == b't');
    mark | lead | repost_or_link | ((letter == b'w') & (second == b'w'))
}

/// The bytes that may open a mask before one byte or another.
const OPENERS: [bool; 256] = {
    let mut openers = [false; 256];
    let mut byte = 0;
    while byte <= u8::MAX as usize {
        #[expect(clippy::cast_possible_truncation, reason = "it counts to 255; conversions that check are not constant")]
        let opener = byte as u8;
        openers[byte] = may_open(opener, b't') || may_open(opener, b'w');
        byte += 1;
    }
    openers
};

struct Scan<'t> {
    text: &'t str,
    /// The end of the line that was looked at last.
    line_end: usize,
    /// Up to where each kind of quotation, and the backtick, is known not to be closed.
    unclosed_until: [usize; QUOTATIONS.len() + 1],
}

impl Scan<'_> {
    fn mask_at(&mut self, at: usize) -> Option<Mask> {
        let rest = &self.text[at..];
        let first = rest.chars().next()?;
        let (kind, end) = match first {
            '>' | '＞' => (MaskKind::QuotedLine, self.quoted_line(at)?),
            '`' => (MaskKind::Code, self.code(at)?),
            'R' | 'r' | 'M' | 'm' => (MaskKind::Repost, self.repost(at)?),
            'H' | 'h' | 'W' | 'w' => (MaskKind::Link, self.link(at)?),
            _ => (MaskKind::Quotation, self.quotation(at, first)?),
        };
        Some(Mask { kind, span: Span::new(at, end) })
    }

    /// Rule 1: nothing visible stands before it on its line.
    fn quoted_line(&mut self, at: usize) -> Option<usize> {
        for c in self.text[..at].chars().rev() {
            let class = characters().class(c);
            if class.is(Class::LINE_BREAK) {
                break;
            }
            if !class.is(Class::SPACE.or(Class::UNSAFE)) {
                return None;
            }
        }
        Some(self.line_end(at))
    }

    /// Rule 2.
    fn code(&mut self, at: usize) -> Option<usize> {
        if let Some(rest) = self.text[at..].strip_prefix("```") {
            let start = at + 3;
            return Some(memmem::find(rest.as_bytes(), b"```").map_or(self.text.len(), |offset| start + offset + 3));
        }
        self.close(at + 1, QUOTATIONS.len(), ['`', '`'])
    }

    /// Rule 3.
    fn repost(&self, at: usize) -> Option<usize> {
        let (before, rest) = self.text.split_at(at);
        let starts = before.chars().next_back().is_none_or(|c| characters().class(c).is(Class::SPACE));
        let bytes = rest.as_bytes();
        if !starts || !matches!(bytes.get(1), Some(b'T' | b't')) {
            return None;
        }
        let rest = &rest[2..];
        let rest = rest.strip_prefix(':').unwrap_or(rest);
        let rest = &rest[characters().run(rest, Class::SPACE)..];
        let name = rest.strip_prefix(['@', '＠'])?.chars().next()?;
        let named = name == '_' || characters().class(name).is(Class::LETTER.or(Class::DIGIT));
        named.then_some(self.text.len())
    }

    /// Rule 4.
    fn quotation(&mut self, at: usize, open: char) -> Option<usize> {
        let (index, (_, closing)) = QUOTATIONS.iter().enumerate().find(|(_, (opening, _))| *opening == open)?;
        self.close(at + open.len_utf8(), index, *closing)
    }

    /// Rule 5.
    fn link(&self, at: usize) -> Option<usize> {
        let before = self.text[..at].bytes().next_back();
        if before.is_some_and(|byte| byte.is_ascii_alphanumeric()) {
            return None;
        }
        let rest = &self.text[at..];
        let opens = |scheme: &str| rest.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
        if !["http://", "https://", "www."].into_iter().any(opens) {
            return None;
        }
        let space = rest.char_indices().find(|(_, c)| characters().class(*c).is(Class::SPACE));
        Some(space.map_or(self.text.len(), |(offset, _)| at + offset))
    }

    /// The end of the first of `closing` on the line of `from`.
    fn close(&mut self, from: usize, kind: usize, closing: [char; 2]) -> Option<usize> {
        if from < self.unclosed_until[kind] {
            return None;
        }
        let end = self.line_end(from);
        match self.text[from..end].find(closing) {
            Some(offset) => {
                let closed_at = from + offset;
                Some(closed_at + self.text[closed_at..].chars().next().map_or(0, char::len_utf8))
            }
            None => {
                self.unclosed_until[kind] = end;
                None
            }
        }
    }

    /// Where the line of `from` ends, without its break.
    fn line_end(&mut self, from: usize) -> usize {
        if from >= self.line_end {
            let breaks = |(_, c): &(usize, char)| characters().class(*c).is(Class::LINE_BREAK);
            self.line_end = self.text[from..].char_indices().find(breaks).map_or(self.text.len(), |(offset, _)| from + offset);
        }
        self.line_end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> Vec<&str> {
        masks(text).iter().map(|mask| mask.span.of(text)).collect()
    }

    #[test]
    fn quoted_lines_are_masked_to_their_end() {
        assert_eq!(masked("> a\nb > c\n \u{200e}＞d"), ["> a", "＞d"]);
        assert_eq!(masked("x\n>y"), [">y"]);
        assert_eq!(masked(">a\r\nb"), [">a"]);
    }

    #[test]
    fn code_is_masked_on_one_line_or_fenced() {
        assert_eq!(masked("a `b` c `d\n` e"), ["`b`"]);
        assert_eq!(masked("a ```b\nc``` d"), ["```b\nc```"]);
        assert_eq!(masked("a ```b\nc"), ["```b\nc"]);
        assert_eq!(masked("a `` b"), ["``"]);
    }

    #[test]
    fn a_repost_is_masked_to_the_end() {
        for post in ["RT @a x", "x rt:@a", "x\nMT :  @a", "Rt: ＠_"] {
            assert_eq!(
                masks(post).last().map(|mask| (mask.kind, mask.span.end)),
                match post {
                    // White space comes after the colon only.
                    "x\nMT :  @a" => None,
                    _ => Some((MaskKind::Repost, post.len())),
                }
            );
        }
        assert!(masked("ART @a, (RT @a), RT a, RT").is_empty());
    }

    #[test]
    fn quotations_close_on_their_line() {
        assert_eq!(masked("“a” „b“ „c” «d» 「e」 『f』 \"g\""), ["“a”", "„b“", "„c”", "«d»", "「e」", "『f』", "\"g\""]);
        assert!(masked("“a\n” \"b 'c' ”d“").is_empty());
        assert_eq!(masked("\"a\" b \"c"), ["\"a\""]);
        assert_eq!(masked("\"open\n\"shut\""), ["\"shut\""]);
    }

    #[test]
    fn links_are_masked_up_to_white_space() {
        assert_eq!(masked("see HTTP://a.b/c#d, or www.e.f"), ["HTTP://a.b/c#d,", "www.e.f"]);
        assert_eq!(masked("(https://a)"), ["https://a)"]);
        assert!(masked("xhttp://a 1www.b ftp://c").is_empty());
    }

    #[test]
    fn the_first_mask_at_a_place_wins() {
        assert_eq!(masked("\"a `b\" c`"), ["\"a `b\""]);
        assert_eq!(masked("https://a/\"b c\""), ["https://a/\"b"]);
    }
}
