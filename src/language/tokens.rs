//! Tokens: a text as hashtags, mentions, currency marks, numerals, words and punctuation (section 4).
//!
//! Taken from left to right; at each place the first that fits. A token is a span and what the tables say about it; nothing
//! is copied. A numeral's right end depends on what it touches (5.2, 5.5), so it is decided here, with one token of
//! look-ahead; which mark belongs to which numeral is decided in `amounts`.

use super::characters::{Class, characters, fold};
use super::hashtag::hashtag_at;
use super::marks::{mark, money_word_at};
use super::masks::{Mask, MaskKind, masks};
use super::mention::{bot_name, mention_at};
use super::span::Span;
use super::vocabulary::{MarkId, TagRole, Vocabulary, Word, vocabulary};
use super::{Context, Platform};

/// What stands between a token and the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gap {
    /// They touch.
    None,
    /// White space on one line.
    Space,
    /// White space with a line break; the start of the text counts as one.
    Line,
}

/// A mention's standing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mention {
    /// The bot.
    Bot,
    /// Somebody else.
    Handle,
    /// Not a handle of this platform, or not only a handle.
    Bad,
}

/// What a numeral run turned out to be by what it touches (section 5.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Run {
    /// A numeral.
    Numeral,
    /// A numeral that touches a CJK letter: it counts things.
    Counter,
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    /// A hashtag, and what V1 says about it.
    Hashtag(Option<TagRole>),
    /// A mention.
    Mention(Mention),
    /// A symbol or code of V5.
    Mark(MarkId),
    /// A currency word of V5 that was cut off the front of a CJK run after a numeral.
    MoneyWord(MarkId),
    /// A numeral run.
    Numeral(Run),
    /// A word that starts with a numeral: `1O`, `20th`.
    DigitWord,
    /// CJK scales that touch a numeral; the power of ten if it is only one.
    Scales(Option<u32>),
    /// A word, and what the tables say about it.
    Word(&'static Word),
    /// A run of CJK letters, and the same.
    CjkWord(&'static Word),
    /// Anything else that is visible, one character.
    Punctuation(char),
    /// Not the author's own.
    Masked(MaskKind),
}

/// A token of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Token {
    pub(super) span: Span,
    pub(super) gap: Gap,
    pub(super) kind: Kind,
}

impl Token {
    /// Whether it touches the token before.
    pub(super) fn touches(&self) -> bool {
        self.gap == Gap::None
    }

    /// Whether nothing, or white space without a line break, stands before it.
    pub(super) fn same_line(&self) -> bool {
        self.gap != Gap::Line
    }

    /// What the tables say, for a word of either script.
    pub(super) fn word(&self) -> Option<&'static Word> {
        match self.kind {
            Kind::Word(word) | Kind::CjkWord(word) => Some(word),
            _ => None,
        }
    }

    /// Whether it is a word in the sense of section 6.
    pub(super) fn is_word(&self) -> bool {
        matches!(self.kind, Kind::Word(_) | Kind::CjkWord(_) | Kind::DigitWord)
    }

    /// Whether it is `'` or `’`.
    pub(super) fn is_apostrophe(&self) -> bool {
        matches!(self.kind, Kind::Punctuation('\'' | '’'))
    }
}

/// The tokens of a text in its order, masked stretches among them.
pub(super) fn tokens(text: &str, context: &Context<'_>) -> Vec<Token> {
    let mut lexer = Lexer {
        text,
        platform: context.platform,
        bot: context.bot,
        vocabulary: vocabulary(),
        // With the white space before it, a token is rarely shorter than this.
        tokens: Vec::with_capacity(text.len() / 5 + 1),
        at: 0,
        gap: Gap::Line,
        buffer: String::new(),
    };
    for Mask { kind, span } in masks(text) {
        lexer.run_to(span.start);
        lexer.push(span.end - span.start, Kind::Masked(kind));
    }
    lexer.run_to(text.len());
    lexer.tokens
}

struct Lexer<'t> {
    text: &'t str,
    platform: Platform,
    bot: &'t str,
    vocabulary: &'static Vocabulary,
    tokens: Vec<Token>,
    at: usize,
    gap: Gap,
    /// For folded words.
    buffer: String,
}

impl Lexer<'_> {
    /// Takes every token before `limit`, where a mask or the end stands.
    fn run_to(&mut self, limit: usize) {
        let visible = &self.text[..limit];
        loop {
            let here = &visible[self.at..];
            let Some(c) = here.chars().next() else { return };
            if c == ' ' {
                // Every second turn, mostly.
                self.pass_space(1, false);
                continue;
            }
            let class = characters().class(c);
            if class.is(Class::DIRECTION) && self.splits_what_is_seen() {
                // Illegal here, so it is no white space; the post is refused if it is addressed (section 7, 1).
                self.push(c.len_utf8(), Kind::Punctuation(c));
            } else if class.is(Class::SPACE) {
                self.pass_space(c.len_utf8(), class.is(Class::LINE_BREAK));
            } else {
                self.token(visible, here, c, class);
            }
        }
    }

    fn pass_space(&mut self, length: usize, ends_line: bool) {
        if self.gap != Gap::Line {
            self.gap = if ends_line { Gap::Line } else { Gap::Space };
        }
        self.at += length;
    }

    /// Whether something visible stands on both sides of the direction marks here.
    fn splits_what_is_seen(&self) -> bool {
        // Only the first of a run looks ahead; the others stand as it does.
        let before = characters().class_before(self.text, self.at);
        let follows_mark = matches!(self.tokens.last(), Some(Token { kind: Kind::Punctuation(c), span, .. })
            if span.end == self.at && characters().class(*c).is(Class::DIRECTION));
        if before.is(Class::SPACE) || self.at == 0 {
            return follows_mark;
        }
        let rest = &self.text[self.at..];
        let marks = characters().run(rest, Class::DIRECTION);
        rest.len() > marks && !characters().first_class(&rest[marks..]).is(Class::SPACE)
    }

    fn push(&mut self, length: usize, kind: Kind) {
        let span = Span::new(self.at, self.at + length);
        self.tokens.push(Token { span, gap: self.gap, kind });
        self.at += length;
        self.gap = Gap::None;
    }

    /// Takes the token that `here`, the rest of what is visible, starts with.
    fn token(&mut self, visible: &str, here: &str, first: char, class: Class) {
        if matches!(first, '#' | '＃')
            && let Some(name) = hashtag_at(visible, self.at)
        {
            let role = self.vocabulary.written_tag(name, &mut self.buffer);
            return self.push(first.len_utf8() + name.len(), Kind::Hashtag(role));
        }
        if (matches!(first, '@' | '＠') || (first == 'n' && self.platform == Platform::Nostr))
            && let Some(found) = mention_at(visible, self.at, self.platform)
        {
            let standing = match found.handle {
                Some(handle) if bot_name(handle, self.bot) => Mention::Bot,
                Some(_) => Mention::Handle,
                None => Mention::Bad,
            };
            return self.push(found.length, Kind::Mention(standing));
        }
        if (class.is(Class::CURRENCY) || (class.is(Class::LETTER) && self.vocabulary.may_be_letters(here)))
            && let Some(found) = mark(visible, self.at, &mut self.buffer)
        {
            return self.push(found.length, Kind::Mark(found.mark));
        }
        if class.is(Class::DIGIT.or(Class::SIGN)) {
            return self.numeral_run(visible);
        }
        if class.is(Class::CJK) {
            return self.cjk_word(visible);
        }
        if class.is(Class::WORD) && (!class.is(Class::VARIATION) || self.follows_word_or_digit()) {
            let (length, folded) = word_at(visible, self.at);
            let written = &here[..length];
            let word = if folded { self.vocabulary.folded_word(written) } else { self.vocabulary.word(written, &mut self.buffer) };
            return self.push(length, Kind::Word(word));
        }
        self.push(first.len_utf8(), Kind::Punctuation(first));
    }

    fn follows_word_or_digit(&self) -> bool {
        characters().class_before(self.text, self.at).is(Class::WORD)
    }

    /// Section 4.5, and the touching of 5.5.
    fn numeral_run(&mut self, visible: &str) {
        let run = run_of(visible, self.at, Class::DIGIT.or(Class::SIGN));
        let holds_digit = visible[self.at..run].chars().any(|c| characters().class(c).is(Class::DIGIT));
        let leading = if holds_digit { Class::LEADING } else { Class::SIGN };
        while let Some(c) = visible[self.at..run].chars().next().filter(|c| characters().class(*c).is(leading)) {
            self.push(c.len_utf8(), Kind::Punctuation(c));
        }
        if !holds_digit {
            return;
        }
        let end = numeral_end(visible, self.at, run, &mut self.buffer);
        let next = if end == run { characters().first_class(&visible[run..]) } else { characters().class('\0') };
        if next.is(Class::WORD) && !self.begins_unit(visible, run) {
            let word = run_of(visible, run, Class::WORD.or(Class::DIGIT).or(Class::SIGN));
            let end = numeral_end(visible, self.at, word, &mut self.buffer);
            return self.push(end - self.at, Kind::DigitWord);
        }
        let counts = next.is(Class::CJK) && !self.begins_cjk_unit(visible, run);
        let kind = if counts { Run::Counter } else { Run::Numeral };
        self.push(end - self.at, Kind::Numeral(kind));
        if next.is(Class::CJK) && !counts {
            self.cjk_scales(visible);
        }
    }

    /// Whether a currency mark, a scale or unserved money begins at `at`, where a word character stands.
    fn begins_unit(&mut self, visible: &str, at: usize) -> bool {
        if mark(visible, at, &mut self.buffer).is_some() {
            return true;
        }
        let written = &visible[at..at + word_at(visible, at).0];
        let word = self.vocabulary.word(written, &mut self.buffer);
        let money = word.money.is_some() && !visible[at + written.len()..].starts_with('_');
        money || word.scale.is_some() || word.slang.is_some() || is_three_capitals(written)
    }

    /// Whether a currency word or a scale begins at `at`, where a CJK letter stands.
    fn begins_cjk_unit(&self, visible: &str, at: usize) -> bool {
        let run = &visible[at..run_of(visible, at, Class::CJK)];
        self.vocabulary.cjk_prefix(run, |word| word.money.map(|_| ()).or(word.scale.map(|_| ()))).is_some()
    }

    /// Section 5.5: a run of several CJK scales and digits is one scale.
    fn cjk_scales(&mut self, visible: &str) {
        let mut end = self.at;
        let mut power = None;
        let mut several = false;
        while let Some(c) = visible[end..].chars().next() {
            let class = characters().class(c);
            if class.is(Class::CJK) {
                let length = c.len_utf8();
                let Some(found) = self.vocabulary.word(&visible[end..end + length], &mut self.buffer).scale else { break };
                several |= power.replace(found).is_some();
                end += length;
            } else if power.is_some() && class.is(Class::DIGIT) {
                several = true;
                let run = run_of(visible, end, Class::DIGIT.or(Class::SIGN));
                end = numeral_end(visible, end, run, &mut self.buffer);
                if end < run {
                    break;
                }
            } else {
                break;
            }
        }
        if end > self.at {
            self.push(end - self.at, Kind::Scales(power.filter(|_| !several)));
        }
    }

    /// A run of CJK letters; after a numeral, a currency word is cut off its front (section 5.2).
    fn cjk_word(&mut self, visible: &str) {
        let run = &visible[self.at..run_of(visible, self.at, Class::CJK)];
        let after_number = self.gap != Gap::Line
            && self.tokens.last().is_some_and(|token| match &token.kind {
                Kind::Numeral(Run::Numeral) | Kind::DigitWord | Kind::Scales(_) => true,
                Kind::Word(word) => word.scale.is_some() || word.number.is_some(),
                _ => false,
            });
        if after_number && let Some((mark, length)) = money_word_at(run) {
            return self.push(length, Kind::MoneyWord(mark));
        }
        let word = self.vocabulary.word(run, &mut self.buffer);
        self.push(run.len(), Kind::CjkWord(word));
    }
}

/// Where the characters of `classes` that start at `at` end.
pub(super) fn run_of(visible: &str, at: usize, classes: Class) -> usize {
    at + characters().run(&visible[at..], classes)
}

/// The length of the word at `at` (word characters, and apostrophes between letters, section 4.4), and whether it folds to itself.
fn word_at(visible: &str, at: usize) -> (usize, bool) {
    let letter = Class::LETTER.or(Class::MARK);
    let (length, mut folded) = characters().folded_run(&visible[at..], Class::WORD);
    let mut end = at + length;
    if visible.as_bytes().get(end).is_some_and(|byte| byte.is_ascii() && *byte != b'\'') {
        return (length, folded);
    }
    while let Some(rest) = visible[end..].strip_prefix(['\'', '’']) {
        let next = characters().first_class(rest);
        if end == at || !characters().class_before(visible, end).is(letter) || !next.is(letter) || next.is(Class::CJK) {
            break;
        }
        let (length, also_folded) = characters().folded_run(rest, Class::WORD);
        // `’` is looked up as `'`.
        folded &= also_folded && visible.as_bytes()[end] == b'\'';
        end = visible.len() - rest.len() + length;
    }
    (end - at, folded)
}

/// Where a numeral (or what goes on as a word) that starts at `start` and runs up to `run` ends: trailing signs are not
/// part of it unless a currency mark touches them or they are the dashes of `10.-` (section 4.5).
pub(super) fn numeral_end(visible: &str, start: usize, run: usize, buffer: &mut String) -> usize {
    if is_mark_at(visible, run, buffer) {
        return run;
    }
    let mut written = &visible[start..run];
    while let Some(last) = written.chars().next_back() {
        if !characters().class(last).is(Class::TRAILING) || ends_round(written) {
            break;
        }
        written = &written[..written.len() - last.len_utf8()];
    }
    start + written.len()
}

/// Whether a mark of V5 (symbol, code or word) starts at `at`.
fn is_mark_at(visible: &str, at: usize, buffer: &mut String) -> bool {
    let class = characters().first_class(&visible[at..]);
    if class.is(Class::CJK) {
        return money_word_at(&visible[at..run_of(visible, at, Class::CJK)]).is_some();
    }
    if !class.is(Class::LETTER.or(Class::CURRENCY)) {
        return false;
    }
    if mark(visible, at, buffer).is_some() {
        return true;
    }
    let end = at + word_at(visible, at).0;
    let money = vocabulary().word(&visible[at..end], buffer).money.is_some();
    money && !visible[end..].starts_with('_') && !visible[..at].ends_with('_')
}

/// Whether the text ends as `10.-` does: a digit, `.` or `,`, and one or two dashes.
fn ends_round(written: &str) -> bool {
    let dashes = ['-', '–', '—'];
    let Some(one) = written.strip_suffix(dashes) else { return false };
    let before = one.strip_suffix(dashes).unwrap_or(one);
    let number = before.strip_suffix(['.', ',', '．', '，']);
    number.is_some_and(|number| characters().class_before(number, number.len()).is(Class::DIGIT))
}

/// Whether a word could be a currency code that is not served (section 5.6).
pub(super) fn is_three_capitals(written: &str) -> bool {
    written.len() == 3 && written.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// The name of a hashtag token, folded.
pub(super) fn tag_name(text: &str, hashtag: Span) -> String {
    let written = hashtag.of(text);
    fold(written.strip_prefix(['#', '＃']).unwrap_or(written))
}
