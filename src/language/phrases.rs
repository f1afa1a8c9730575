//! Phrases of V3 beside something: each, split, recurring, pledge.
//!
//! The longest match wins. A phrase in CJK letters may be the start or the end of a longer run, because such runs are
//! whole clauses.

use super::post::Post;
use super::span::Span;
use super::tokens::{Kind, Token};
use super::vocabulary::{PHRASE_WORDS, PhraseRole, Word, vocabulary};

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

impl Post<'_> {
    /// The phrase that starts at a token.
    pub(super) fn phrase_from(&self, first: usize) -> Option<FoundPhrase> {
        let words = self.phrase_words(first..first + PHRASE_WORDS);
        let longest = (1..=words.len()).rev().find_map(|count| {
            let role = vocabulary().phrase(words[..count].iter().copied())?;
            Some(self.found(role, first, first + count - 1))
        });
        let slash = usize::from(words.first().is_some_and(Option::is_none));
        longest.or_else(|| self.part_of_run(first, first + slash, slash > 0))
    }

    /// The phrase that ends at a token.
    pub(super) fn phrase_to(&self, last: usize) -> Option<FoundPhrase> {
        let longest = (0..PHRASE_WORDS).rev().filter_map(|back| last.checked_sub(back)).find_map(|first| {
            let words = self.phrase_words(first..last + 1);
            let role = vocabulary().phrase((words.len() == last + 1 - first).then_some(words)?.into_iter())?;
            Some(self.found(role, first, last))
        });
        longest.or_else(|| self.part_of_run(last, last, false))
    }

    fn found(&self, role: PhraseRole, first: usize, last: usize) -> FoundPhrase {
        FoundPhrase { role, span: self.span(first).to(self.span(last)), first, last, whole: true }
    }

    /// The words at these tokens as far as there are any; a slash is `None`.
    fn phrase_words(&self, tokens: std::ops::Range<usize>) -> Vec<Option<Word>> {
        let tokens = self.tokens.iter().skip(tokens.start).take(tokens.len());
        let words = tokens.map_while(|token| match &token.kind {
            Kind::Punctuation('/') => Some(None),
            _ => token.word().map(|word| Some(*word)),
        });
        words.collect()
    }

    /// A phrase that is the start or the end of the CJK run at `token`, a slash at `first` included.
    fn part_of_run(&self, first: usize, token: usize, slash: bool) -> Option<FoundPhrase> {
        let Token { kind: Kind::CjkWord(_), span, .. } = self.tokens.get(token)? else { return None };
        let run = span.of(self.text);
        let role = |word: &Word| vocabulary().phrase(slash.then_some(None).into_iter().chain([Some(*word)]));
        let prefix = vocabulary().cjk_prefix(run, role).map(|(role, length)| (role, Span::new(span.start, span.start + length)));
        let suffix = || vocabulary().cjk_suffix(run, role).map(|(role, start)| (role, Span::new(span.start + start, span.end)));
        let (role, span) = prefix.or_else(|| if slash { None } else { suffix() })?;
        let span = if slash { self.span(first).to(span) } else { span };
        Some(FoundPhrase { role, span, first, last: token, whole: false })
    }
}
