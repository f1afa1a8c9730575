//! Phrases of V3 beside something: each, split, recurring, pledge.
//!
//! The longest match wins. A phrase in CJK letters may be the start or the end of a longer run, because such runs are
//! whole clauses.

use super::post::Post;
use super::span::Span;
use super::tokens::{Kind, Token};
use super::vocabulary::{NO_WORD, PHRASE_WORDS, PhraseRole, Word, vocabulary};

/// A phrase that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FoundPhrase {
    pub(super) role: PhraseRole,
    pub(super) span: Span,
    /// Its first token.
    pub(super) first: usize,
    /// Its last token.
    pub(super) last: usize,
    /// Whether it takes these tokens whole.
    pub(super) whole: bool,
}

impl FoundPhrase {
    /// Whether it says how the sum meets the recipients.
    pub(super) fn is_sharing(&self) -> bool {
        matches!(self.role, PhraseRole::Each | PhraseRole::Split)
    }
}

/// Whether a token is a slash or a word of some phrase.
fn is_phrase_word(token: &Token) -> bool {
    matches!(token.kind, Kind::Punctuation('/')) || token.word().is_some_and(Word::is_in_phrases)
}

impl Post<'_> {
    /// The phrase that starts at a token.
    pub(super) fn phrase_from(&self, first: usize) -> Option<FoundPhrase> {
        if !self.may_be_phrase(first) {
            return None;
        }
        let words = self.tokens[first..].iter().take(PHRASE_WORDS).take_while(|token| is_phrase_word(token)).count();
        let longest = (first..first + words).rev().find_map(|last| self.phrase_of(first, last));
        let slash = usize::from(matches!(self.tokens[first].kind, Kind::Punctuation('/')));
        longest.or_else(|| self.part_of_run(first, first + slash, slash > 0))
    }

    /// The phrase that ends at a token.
    pub(super) fn phrase_to(&self, last: usize) -> Option<FoundPhrase> {
        if !self.may_be_phrase(last) {
            return None;
        }
        let words = self.tokens[..=last].iter().rev().take(PHRASE_WORDS).take_while(|token| is_phrase_word(token)).count();
        let longest = (last + 1 - words..=last).find_map(|first| self.phrase_of(first, last));
        longest.or_else(|| self.part_of_run(last, last, false))
    }

    /// Whether a phrase may start or end with a token: mostly it may not.
    fn may_be_phrase(&self, token: usize) -> bool {
        self.tokens.get(token).is_some_and(|token| is_phrase_word(token) || matches!(token.kind, Kind::CjkWord(_)))
    }

    /// The phrase that these tokens are.
    fn phrase_of(&self, first: usize, last: usize) -> Option<FoundPhrase> {
        let words = self.tokens[first..=last].iter().map(|token| match &token.kind {
            Kind::Punctuation('/') => None,
            // What is no word is no word of a phrase.
            _ => Some(token.word().unwrap_or(&NO_WORD)),
        });
        let role = vocabulary().phrase(words)?;
        Some(FoundPhrase { role, span: self.span(first).to(self.span(last)), first, last, whole: true })
    }

    /// A phrase that is the start or the end of the CJK run at `token`, a slash at `first` included.
    fn part_of_run(&self, first: usize, token: usize, slash: bool) -> Option<FoundPhrase> {
        let Token { kind: Kind::CjkWord(_), span, .. } = self.tokens.get(token)? else { return None };
        let run = span.of(self.text);
        let role = |word: &Word| vocabulary().phrase(slash.then_some(None).into_iter().chain([Some(word)]));
        let prefix = vocabulary().cjk_prefix(run, role).map(|(role, length)| (role, Span::new(span.start, span.start + length)));
        let suffix = || vocabulary().cjk_suffix(run, role).map(|(role, start)| (role, Span::new(span.start + start, span.end)));
        let (role, span) = prefix.or_else(|| if slash { None } else { suffix() })?;
        let span = if slash { self.span(first).to(span) } else { span };
        Some(FoundPhrase { role, span, first, last: token, whole: false })
    }
}
