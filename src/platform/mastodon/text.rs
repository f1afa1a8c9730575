//! The last step from HTML to text: pieces in, one plain text out, in which the order language masks exactly what the author
//! did not say as an order.
//!
//! The order language masks quoted lines (`> `), code between backticks, quotations and URLs. What the HTML marks as quoted,
//! struck, code or small annotation has to end inside such a mask, and nothing that the author typed may open or close it:
//! - block quotes become lines that start with `> `; line breaks and backticks are taken out of their text;
//! - inline asides stand between a pair of marks, **neither of which occurs anywhere in the author's own text**, so the author's
//!   marks and ours can never pair with each other; every quotation mark is taken out of the aside itself. If the author's text
//!   uses all the pairs there are, the aside is left out and a `…` stands in its place;
//! - a URL is always preceded by something that lets the language see it, and contains no white space and no backtick;
//! - a mention never touches a character that would make it somebody else's handle: an invisible U+200B goes in between, which
//!   makes the language refuse the post instead of paying a person that no link names.

/// How a run of characters is to be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The author's own words.
    Plain,
    /// Inside a line, but not to be read as an order: code, struck text, annotations.
    Aside,
    /// Lines of a block that somebody else may have written, or preformatted text.
    Quote,
}

/// What the HTML walk hands over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// Characters; runs of HTML white space count as one space.
    Text(Kind, String),
    /// An address, without white space.
    Url(Kind, String),
    /// A handle with its `@`, which the platform resolved.
    Mention(Kind, String),
    /// Something with content that people do not see.
    Hidden,
    /// A line break.
    Line,
    /// The edge of a block.
    Block,
    /// The edge of a paragraph.
    Paragraph,
}

/// Refused by the order language wherever it stands.
pub(super) const INVISIBLE: char = '\u{200B}';

/// Pairs that mask what stands between them on one line, the nicest first. The opening mark of the later ones closes nothing.
const ASIDE_MARKS: [(char, char); 4] = [('`', '`'), ('『', '』'), ('「', '」'), ('«', '»')];

/// Everything that opens or closes a mask inside a line.
const MASKING: [char; 11] = ['`', '"', '“', '”', '„', '«', '»', '「', '」', '『', '』'];

/// A line break in Unicode's sense, of whatever kind.
fn breaks_line(character: char) -> bool {
    matches!(character, '\n' | '\r' | '\u{0B}' | '\u{0C}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// White space that HTML runs together. NO-BREAK SPACE and its like are not in it.
fn is_html_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r' | '\u{0C}')
}

/// Puts the pieces together.
pub(super) fn assemble(pieces: &[Piece]) -> String {
    let mut writer = Writer { marks: free_marks(pieces), ..Writer::default() };
    for piece in pieces {
        match piece {
            Piece::Text(kind, text) => writer.text(*kind, text),
            Piece::Url(kind, url) => writer.url(*kind, url),
            Piece::Mention(Kind::Plain, handle) => writer.mention(handle),
            Piece::Mention(kind, handle) => writer.text(*kind, handle),
            Piece::Hidden => writer.character(Kind::Plain, INVISIBLE),
            Piece::Line => writer.end_lines(writer.pending_lines.saturating_add(1)),
            Piece::Block => writer.end_lines(writer.pending_lines.max(1)),
            Piece::Paragraph => writer.end_lines(2),
        }
    }
    writer.finish()
}

/// The first pair of marks that the author uses nowhere.
fn free_marks(pieces: &[Piece]) -> Option<(char, char)> {
    let typed = |mark: char| pieces.iter().any(|piece| matches!(piece, Piece::Text(Kind::Plain, text) if text.contains(mark)));
    ASIDE_MARKS.into_iter().find(|(open, close)| !typed(*open) && !typed(*close))
}

#[derive(Default)]
struct Writer {
    out: String,
    marks: Option<(char, char)>,
    pending_lines: u8,
    pending_space: bool,
    /// The line being written starts with `> `.
    in_quote: bool,
    /// An aside has been opened and not closed.
    in_aside: bool,
    /// Where resolved mentions end, to look at what follows them.
    mention_ends: Vec<usize>,
}

impl Writer {
    fn text(&mut self, kind: Kind, text: &str) {
        text.chars().for_each(|character| self.character(kind, character));
    }

    fn character(&mut self, kind: Kind, character: char) {
        if is_html_space(character) {
            self.pending_space = true;
            return;
        }
        self.enter(kind);
        match kind {
            Kind::Plain => self.out.push(character),
            // Without marks the content of an aside is left out; `enter` has put a dot leader there.
            Kind::Aside if self.marks.is_none() => {}
            Kind::Aside | Kind::Quote if breaks_line(character) => self.out.push(' '),
            Kind::Aside if MASKING.contains(&character) => self.out.push('\''),
            Kind::Quote if character == '`' => self.out.push('\''),
            Kind::Aside | Kind::Quote => self.out.push(character),
        }
    }

    fn url(&mut self, kind: Kind, url: &str) {
        if kind == Kind::Plain {
            self.enter(kind);
            if self.out.ends_with(|last: char| last.is_ascii_alphanumeric()) {
                self.out.push(' ');
            }
        }
        self.text(kind, url);
    }

    fn mention(&mut self, handle: &str) {
        self.enter(Kind::Plain);
        if self.out.ends_with(|last: char| last.is_ascii_alphanumeric() || last == '_') {
            self.out.push(INVISIBLE);
        }
        self.out.push_str(handle);
        self.mention_ends.push(self.out.len());
    }

    fn end_lines(&mut self, lines: u8) {
        self.close_aside();
        self.pending_space = false;
        self.pending_lines = lines.min(2);
    }

    /// Writes the breaks, spaces and marks that are due before a visible character of `kind`.
    fn enter(&mut self, kind: Kind) {
        if kind != Kind::Aside {
            self.close_aside();
        }
        let fresh = self.out.is_empty();
        // A quoted line ends where anything else begins, and begins on a line of its own.
        if !fresh && self.pending_lines == 0 && self.in_quote != (kind == Kind::Quote) {
            self.pending_lines = 1;
        }
        if fresh || self.pending_lines > 0 {
            if !fresh {
                (0..self.pending_lines).for_each(|_| self.out.push('\n'));
            }
            self.pending_lines = 0;
            self.pending_space = false;
            self.in_quote = kind == Kind::Quote;
            if self.in_quote {
                self.out.push_str("> ");
            }
        }
        let opens = kind == Kind::Aside && !self.in_aside;
        // An aside never touches what stands before it: a URL would swallow its opening mark, two backticks would become three.
        let apart = opens && !self.out.is_empty() && !self.out.ends_with(char::is_whitespace);
        if std::mem::take(&mut self.pending_space) || apart {
            self.out.push(' ');
        }
        if opens {
            self.in_aside = true;
            self.out.push(self.marks.map_or('…', |(open, _)| open));
        }
    }

    fn close_aside(&mut self) {
        if std::mem::take(&mut self.in_aside)
            && let Some((_, close)) = self.marks
        {
            self.out.push(close);
        }
    }

    fn finish(mut self) -> String {
        self.close_aside();
        for end in self.mention_ends.iter().rev() {
            if self.out.get(*end..).is_some_and(extends_handle) {
                self.out.insert(*end, INVISIBLE);
            }
        }
        self.out
    }
}

/// Would these characters, right after a handle, be read as part of it?
pub(super) fn extends_handle(rest: &str) -> bool {
    let name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    rest.starts_with(|first| name(first) || matches!(first, '@' | '＠'))
        || (rest.starts_with(['.', '-']) && rest.trim_start_matches(['.', '-']).starts_with(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Piece {
        Piece::Text(Kind::Plain, text.into())
    }

    fn aside(text: &str) -> Piece {
        Piece::Text(Kind::Aside, text.into())
    }

    #[test]
    fn an_aside_uses_marks_that_the_author_does_not() {
        assert_eq!(assemble(&[plain("a "), aside("b"), plain(" c")]), "a `b` c");
        assert_eq!(assemble(&[plain("a ` "), aside("b"), plain(" c `")]), "a ` 『b』 c `");
        assert_eq!(assemble(&[plain("` 』"), aside("b")]), "` 』 「b」");
        assert_eq!(assemble(&[plain("`』「» "), aside("b"), plain(" c")]), "`』「» … c");
    }

    #[test]
    fn an_aside_holds_no_mark_of_its_own() {
        assert_eq!(assemble(&[plain("“ "), aside("x ” ` y\nz"), plain(" w")]), "“ `x ' ' y z` w");
    }

    #[test]
    fn asides_do_not_touch_what_precedes_them() {
        assert_eq!(assemble(&[Piece::Url(Kind::Plain, "https://x/".into()), aside("b c")]), "https://x/ `b c`");
        assert_eq!(assemble(&[aside("a"), Piece::Block, aside("b")]), "`a`\n`b`");
        assert_eq!(assemble(&[plain("10"), aside("0"), plain("€")]), "10 `0`€");
    }

    #[test]
    fn a_quote_has_lines_of_its_own() {
        let quote = |text: &str| Piece::Text(Kind::Quote, text.into());
        let pieces = [plain("a"), quote("b\u{2028}c"), Piece::Line, quote("``` d"), plain("e")];
        assert_eq!(assemble(&pieces), "a\n> b c\n> ''' d\ne");
    }

    #[test]
    fn a_mention_is_not_made_longer_by_its_neighbours() {
        let bob = || Piece::Mention(Kind::Plain, "@bob".into());
        assert_eq!(assemble(&[bob(), plain("by")]), "@bob\u{200B}by");
        assert_eq!(assemble(&[bob(), plain("@evil.example")]), "@bob\u{200B}@evil.example");
        assert_eq!(assemble(&[bob(), plain(".by")]), "@bob\u{200B}.by");
        assert_eq!(assemble(&[plain("x"), bob()]), "x\u{200B}@bob");
        assert_eq!(assemble(&[bob(), plain(". By")]), "@bob. By");
        assert_eq!(assemble(&[bob(), plain("!")]), "@bob!");
        assert_eq!(assemble(&[bob(), bob()]), "@bob\u{200B}@bob");
    }
}

/// The masks of the order language (section 3), written down once more as an oracle: whatever the author types and the markup
/// marks, what is marked stays masked, and marking it uncovers nothing that the author's own marks cover.
#[cfg(test)]
mod mask_tests {
    use proptest::prelude::*;

    use super::*;

    /// For each character: is it masked?
    fn masked(text: &str) -> Vec<bool> {
        let characters: Vec<char> = text.chars().collect();
        let mut masked = vec![false; characters.len()];
        let mut at = 0;
        while at < characters.len() {
            let end = mask_end(&characters, at);
            masked[at..end.unwrap_or(at)].fill(true);
            at = end.unwrap_or(at + 1);
        }
        masked
    }

    fn mask_end(text: &[char], at: usize) -> Option<usize> {
        let find = |from: usize, found: &dyn Fn(usize) -> bool| (from..text.len()).find(|index| found(*index));
        let line_end = find(at, &|index| text[index] == '\n').unwrap_or(text.len());
        let line_start = text[..at].iter().rposition(|c| *c == '\n').map_or(0, |index| index + 1);
        let starts = |index: usize, what: &str| text[index..].iter().take(what.chars().count()).collect::<String>() == what;
        if text[at] == '>' && text[line_start..at].iter().all(|c| c.is_whitespace()) {
            return Some(line_end);
        }
        if starts(at, "```") {
            return Some(find(at + 3, &|index| starts(index, "```")).map_or(text.len(), |close| close + 3));
        }
        let closed_by = |closers: &[char]| find(at + 1, &|index| closers.contains(&text[index])).filter(|close| *close < line_end);
        let close = match text[at] {
            '`' => closed_by(&['`']),
            '“' => closed_by(&['”']),
            '„' => closed_by(&['“', '”']),
            '«' => closed_by(&['»']),
            '「' => closed_by(&['」']),
            '『' => closed_by(&['』']),
            '"' => closed_by(&['"']),
            _ => None,
        };
        if let Some(close) = close {
            return Some(close + 1);
        }
        let after_word = at > 0 && text[at - 1].is_ascii_alphanumeric();
        if starts(at, "https://") && !after_word {
            return Some(find(at, &|index| text[index].is_whitespace()).unwrap_or(text.len()));
        }
        None
    }

    fn typed() -> impl Strategy<Value = Piece> {
        let marks = prop::sample::select(vec![
            "`",
            "```",
            "“",
            "”",
            "„",
            "«",
            "»",
            "「",
            "」",
            "『",
            "』",
            "\"",
            ">",
            " ",
            "P",
            "https://x",
            "https://x/`",
        ]);
        prop::collection::vec(marks, 1..5).prop_map(|parts| Piece::Text(Kind::Plain, parts.concat()))
    }

    fn marked(kind: Kind) -> impl Strategy<Value = Piece> {
        let marks = prop::sample::select(vec!["`", "```", "”", "“", "»", "」", "』", "\"", " ", "S", "\n", "\u{2028}"]);
        prop::collection::vec(marks, 1..5).prop_map(move |parts| Piece::Text(kind, parts.concat()))
    }

    fn pieces() -> impl Strategy<Value = Vec<Piece>> {
        let piece = prop_oneof![
            4 => typed(),
            3 => marked(Kind::Aside),
            2 => marked(Kind::Quote),
            1 => Just(Piece::Url(Kind::Plain, "https://y/".into())),
            1 => Just(Piece::Line),
            1 => Just(Piece::Paragraph),
        ];
        prop::collection::vec(piece, 0..9)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(2000), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_the_markup_marks_is_masked(pieces in pieces()) {
            let text = assemble(&pieces);
            let masked = masked(&text);
            for (character, masked) in text.chars().zip(masked) {
                prop_assert!(masked || character != 'S', "{text}");
            }
        }

        #[test]
        fn an_aside_uncovers_nothing(pieces in pieces()) {
            // A full stop in its place: visible, and no mark.
            let blank = |piece: &Piece| match piece {
                Piece::Text(Kind::Aside, _) => Piece::Text(Kind::Plain, " .".into()),
                other => other.clone(),
            };
            let text = assemble(&pieces);
            let without = assemble(&pieces.iter().map(blank).collect::<Vec<_>>());
            let of_author = |text: &str| text.chars().zip(masked(text)).filter(|(c, _)| *c == 'P').map(|(_, m)| m).collect::<Vec<_>>();
            for (with, without) in of_author(&text).into_iter().zip(of_author(&without)) {
                prop_assert!(with || !without, "{text}");
            }
        }
    }
}
