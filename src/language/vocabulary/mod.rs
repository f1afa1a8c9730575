//! The vocabularies V1–V6, compiled once from the files in `grammar/` into look-up tables.
//!
//! All languages are live at once (section 1): a word is looked up, never a language chosen. The only question that a
//! language answers is which *not* words undo which verbs (section 6, 2), so each word remembers where it comes from as a
//! set of bits. Adding a language is adding its file.

mod compile;
mod currencies;
mod file;
mod listing;
mod trial;

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::OnceLock;

pub(super) use currencies::{Mark, MarkId, Named};
pub use file::VocabularyError;
pub use listing::{AmbiguousMark, Language, ServedCurrency, Slang, ambiguous_marks, languages, served_currencies, slang};
pub use trial::{LanguageSource, check_language, check_languages, serve_languages, try_language};

use super::characters::{Class, characters, fold_word_into};
use super::command::VerbKind;
use super::replies::Action;
use crate::money::Currency;

/// The longest phrase of V3 in words, a slash counted as one. Longer ones are refused when a file is checked, so that a
/// phrase is a fixed number of look-ups.
pub(super) const PHRASE_WORDS: usize = 4;

/// The longest symbol or code of V5 in letters; longer runs of letters are not looked up.
const MARK_LETTERS: usize = 5;

/// Hashing for keys that we (or the operator) choose: hostile text is only ever looked up, never inserted.
#[derive(Default)]
pub(super) struct WordHash(u64);

/// The maker of [`WordHash`].
pub(super) type WordHasher = BuildHasherDefault<WordHash>;

impl Hasher for WordHash {
    fn finish(&self) -> u64 {
        // Tables take the low bits for the place and the high ones for the tag.
        self.0.rotate_left(26)
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks();
        for word in words {
            self.add(u64::from_le_bytes(*word));
        }
        // Pieces that may overlap take every byte of a rest without copying a length that is only known when it runs.
        match (rest, rest.first_chunk(), rest.last_chunk()) {
            ([], ..) => {}
            (_, Some(first), Some(last)) => {
                self.add(u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last)))
            }
            ([first, .., last], ..) => {
                self.add(u64::from(*first) << 16 | u64::from(rest[rest.len() / 2]) << 8 | u64::from(*last));
            }
            ([only], ..) => self.add(u64::from(*only)),
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.add(u64::from(byte));
    }
}

impl WordHash {
    fn add(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

/// A set of languages, a bit each, in the order of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Languages(u32);

impl Languages {
    /// The set of the language that was compiled as the `index`-th; none if there is no bit left for it.
    fn nth(index: usize) -> Option<Languages> {
        1_u32.checked_shl(u32::try_from(index).ok()?).map(Languages)
    }

    /// Whether a language is in both sets.
    pub(super) fn meet(self, other: Languages) -> bool {
        self.0 & other.0 != 0
    }
}

/// What a hashtag of V1 says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TagRole {
    /// A verb, and the languages that have it.
    Verb(VerbKind, Languages),
    /// The sum is each recipient's.
    Each,
    /// The sum is shared.
    Split,
    /// The sender's name is not passed on.
    Anonymous,
    /// A tax receipt is wanted.
    Receipt,
    /// Reserved.
    Recurring,
    /// The post documents the syntax.
    Example,
}

/// What a word of V2 does beside a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SmallWord {
    /// Introduces whom to pay.
    To,
    /// Introduces whom a request asks.
    From,
    /// Introduces somebody who is not paid.
    Aside,
    /// The same, and stays in the memo.
    Thanks,
    /// Joins recipients.
    And,
    /// Behind the recipient (Japanese).
    After,
}

/// What a phrase of V3 says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PhraseRole {
    /// The sum is each recipient's.
    Each,
    /// The sum is shared.
    Split,
    /// Reserved: every month and the like.
    Recurring,
    /// Reserved: per goal and the like.
    Pledge,
}

/// All that the tables V2–V5 say about one word.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Word {
    /// V2, except *not*.
    pub(super) small: Option<SmallWord>,
    /// The languages in which it is a *not* word.
    pub(super) not: Languages,
    /// V4: its value as a number word.
    pub(super) number: Option<u32>,
    /// V4: its power of ten as a scale.
    pub(super) scale: Option<u32>,
    /// V5: the currency word that it is.
    pub(super) money: Option<MarkId>,
    /// V5: slang, with the code to suggest.
    pub(super) slang: Option<Option<Currency>>,
    /// V3: which word of phrases it is; 0 for none.
    phrase_word: u16,
}

/// A word that no table has.
pub(super) static NO_WORD: Word =
    Word { small: None, not: Languages(0), number: None, scale: None, money: None, slang: None, phrase_word: 0 };

impl Word {
    /// Whether it is a word of some phrase of V3.
    pub(super) fn is_in_phrases(&self) -> bool {
        self.phrase_word != 0
    }
}

/// The number of a word inside phrases that stands for `/`.
const SLASH: u16 = 1;

/// A symbol or code found at a place of a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct FoundMark {
    /// Which mark.
    pub(super) mark: MarkId,
    /// How many bytes it takes.
    pub(super) length: usize,
}

/// The compiled tables.
pub(super) struct Vocabulary {
    tags: HashMap<Box<str>, TagRole, WordHasher>,
    words: HashMap<Box<str>, Word, WordHasher>,
    phrases: HashMap<[u16; PHRASE_WORDS], PhraseRole, WordHasher>,
    replies: HashMap<Box<str>, Action, WordHasher>,
    currencies: currencies::Currencies,
    /// The ASCII letters that symbols begin with, a bit each, and whether marks begin with others.
    symbol_initials: (u32, bool),
    /// How many letters the codes have, a bit for each number.
    code_lengths: u32,
    /// The first two letters of codes and symbols, both in ASCII: for each first, a bit for each second.
    mark_openings: [u32; 26],
    /// The longest entry in CJK letters of V2–V5, in characters: how far a CJK run is looked into.
    cjk_letters: usize,
    languages: Vec<Language>,
}

/// Filled once: by the first text that is read, or before it with further languages.
static VOCABULARY: OnceLock<Vocabulary> = OnceLock::new();

/// The vocabularies that texts are read with: those of the embedded files, unless [`serve_languages`] was called first.
pub(super) fn vocabulary() -> &'static Vocabulary {
    #[expect(clippy::expect_used, reason = "the files are embedded and the first test reads them; there is nobody to report to")]
    VOCABULARY.get_or_init(|| {
        let sources: Vec<_> = compile::embedded().collect();
        Vocabulary::compile(&sources, currencies::SOURCE).expect("the files in grammar/ are sound")
    })
}

impl Vocabulary {
    /// What V1 says about a hashtag's name as written.
    pub(super) fn written_tag(&self, written: &str, buffer: &mut String) -> Option<TagRole> {
        look_up(&self.tags, written, buffer).copied()
    }

    /// What V1 says about a hashtag's name, folded.
    pub(super) fn tag(&self, folded: &str) -> Option<TagRole> {
        self.tags.get(folded).copied()
    }

    /// What the tables say about a word as written.
    pub(super) fn word(&self, written: &str, buffer: &mut String) -> &Word {
        look_up(&self.words, written, buffer).unwrap_or(&NO_WORD)
    }

    /// What the tables say about a word that folds to itself.
    pub(super) fn folded_word(&self, folded: &str) -> &Word {
        self.words.get(folded).unwrap_or(&NO_WORD)
    }

    /// The longest prefix of a CJK run that `wanted` accepts, and its length in bytes.
    pub(super) fn cjk_prefix<T>(&self, run: &str, wanted: impl Fn(&Word) -> Option<T>) -> Option<(T, usize)> {
        let ends = run.char_indices().map(|(at, c)| at + c.len_utf8()).take(self.cjk_letters);
        let mut buffer = String::new();
        // Ascending, so the last one found is the longest.
        ends.filter_map(|end| Some((wanted(look_up(&self.words, &run[..end], &mut buffer)?)?, end))).last()
    }

    /// The longest suffix of a CJK run that `wanted` accepts, and where it starts.
    pub(super) fn cjk_suffix<T>(&self, run: &str, wanted: impl Fn(&Word) -> Option<T>) -> Option<(T, usize)> {
        let starts = run.char_indices().rev().map(|(at, _)| at).take(self.cjk_letters);
        let mut buffer = String::new();
        starts.filter_map(|start| Some((wanted(look_up(&self.words, &run[start..], &mut buffer)?)?, start))).last()
    }

    /// What a sequence of words says, a slash being `None`.
    pub(super) fn phrase<'w>(&self, words: impl Iterator<Item = Option<&'w Word>>) -> Option<PhraseRole> {
        let mut key = [0; PHRASE_WORDS];
        for (place, word) in key.iter_mut().zip(words) {
            *place = word.map_or(SLASH, |word| word.phrase_word);
            if *place == 0 {
                return None;
            }
        }
        self.phrases.get(&key).copied()
    }

    /// The action that a whole reply, folded, asks for.
    pub(super) fn reply(&self, folded: &str) -> Option<Action> {
        self.replies.get(folded).copied()
    }

    /// A mark of V5.
    pub(super) fn mark(&self, id: MarkId) -> &Mark {
        self.currencies.mark(id)
    }

    /// Which currency one or two marks name.
    pub(super) fn name(&self, first: MarkId, second: Option<MarkId>) -> Named {
        self.currencies.name(first, second)
    }

    /// Whether `currency` has a row in V5.
    pub(super) fn serves(&self, currency: Currency) -> bool {
        self.currencies.served.iter().any(|(served, _)| *served == currency)
    }

    /// Whether `folded` is an ISO code (in any case) or a currency word of V5, as may be glued into a hashtag (section 6, 4).
    pub(super) fn is_code_or_money_word(&self, folded: &str) -> bool {
        self.currencies.codes.contains_key(folded) || self.currencies.words.contains_key(folded)
    }

    /// Whether the letters that `text` starts with may be a mark: their first two, or their number, rule most words out.
    #[inline]
    pub(super) fn may_be_letters(&self, text: &str) -> bool {
        match *text.as_bytes() {
            [first, second, ..] => match (letter(first), letter(second)) {
                (Some(first), Some(second)) if self.mark_openings[first] & 1 << second == 0 => false,
                // What folds to itself is no full-width code.
                (None, _) if !self.symbol_initials.1 && characters().first_class(text).is(Class::FOLDED) => false,
                _ => self.may_be_short(text),
            },
            _ => self.may_be_short(text),
        }
    }

    /// Whether the letters that `text` starts with are as many as marks have.
    fn may_be_short(&self, text: &str) -> bool {
        let bytes = text.as_bytes();
        let letters = bytes.iter().take(MARK_LETTERS + 1).take_while(|byte| byte.is_ascii_alphabetic()).count();
        let goes_on = bytes.get(letters).is_some_and(|byte| !byte.is_ascii());
        goes_on || (letters <= MARK_LETTERS && (self.code_lengths & 1 << letters != 0 || self.may_be_symbol(text)))
    }

    /// Whether a symbol starts with the first letter of `text`; most words are passed over by that.
    pub(super) fn may_be_symbol(&self, text: &str) -> bool {
        match text.bytes().next() {
            Some(letter @ b'A'..=b'Z') => self.symbol_initials.0 & 1 << (letter - b'A') != 0,
            Some(_) => self.symbol_initials.1,
            None => false,
        }
    }

    /// The symbol that `text` is; where letters touch is the caller's to judge.
    pub(super) fn exact_symbol(&self, text: &str) -> Option<FoundMark> {
        self.currencies.symbols.get(text).map(|mark| FoundMark { mark: *mark, length: text.len() })
    }

    /// The code, or the mark that stands on either side like one, that these letters are.
    pub(super) fn exact_code(&self, letters: &str, buffer: &mut String) -> Option<FoundMark> {
        if self.code_lengths & 1 << letters.chars().count().min(31) == 0 {
            return None;
        }
        let entry = look_up(&self.currencies.codes, letters, buffer)?;
        // Full-width capitals fold like ASCII ones, so the test for capitals folds as well.
        let capitals = || letters.chars().all(char::is_uppercase);
        (!entry.capitals_only || capitals()).then_some(FoundMark { mark: entry.mark, length: letters.len() })
    }

    /// The letters at the start of `text` if they are few enough to be a mark; a digit or anything else ends them.
    pub(super) fn mark_letters<'t>(&self, text: &'t str) -> Option<&'t str> {
        let mut end = 0;
        for (count, (at, c)) in text.char_indices().enumerate() {
            let class = characters().class(c);
            if !class.is(Class::LETTER) || class.is(Class::CJK) {
                break;
            }
            if count == MARK_LETTERS {
                return None;
            }
            end = at + c.len_utf8();
        }
        (end > 0).then(|| &text[..end])
    }
}

/// The number of an ASCII letter in the alphabet, from 0.
fn letter(byte: u8) -> Option<usize> {
    // One comparison: this is asked of the first two letters of every word.
    Some(usize::from((byte | 0x20).wrapping_sub(b'a'))).filter(|letter| *letter < 26)
}

/// The entry of a text in a table of folded keys. Most text is written as it folds, and is not folded for that.
fn look_up<'t, T>(table: &'t HashMap<Box<str>, T, WordHasher>, written: &str, buffer: &mut String) -> Option<&'t T> {
    table.get(written).or_else(|| {
        let folded = |c: char| if c.is_ascii() { !c.is_ascii_uppercase() } else { characters().class(c).is(Class::FOLDED) };
        if written.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) || written.chars().all(folded) {
            return None;
        }
        fold_word_into(written, buffer);
        table.get(buffer.as_str())
    })
}
