//! The vocabularies V1–V6, compiled once from the files in `grammar/` into look-up tables.
//!
//! All languages are live at once (section 1): a word is looked up, never a language chosen. The only question that a
//! language answers is which *not* words undo which verbs (section 6, 2), so each word remembers where it comes from as a
//! set of bits. Adding a language is adding its file and one line in [`LANGUAGE_SOURCES`].

mod currencies;
mod file;

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::LazyLock;

pub(super) use currencies::{Mark, MarkId, Named};
pub use file::VocabularyError;
use file::{LanguageFile, is_cjk, line_of};

use super::characters::{Class, characters, fold, fold_word_into};
use super::command::VerbKind;
use super::replies::Action;
use crate::money::Currency;

/// The language files: code and content. A verb in two of them belongs to both languages.
const LANGUAGE_SOURCES: [(&str, &str); 10] = [
    ("en", include_str!("../../../grammar/lang/en.toml")),
    ("fr", include_str!("../../../grammar/lang/fr.toml")),
    ("de", include_str!("../../../grammar/lang/de.toml")),
    ("es", include_str!("../../../grammar/lang/es.toml")),
    ("it", include_str!("../../../grammar/lang/it.toml")),
    ("pt", include_str!("../../../grammar/lang/pt.toml")),
    ("nl", include_str!("../../../grammar/lang/nl.toml")),
    ("pl", include_str!("../../../grammar/lang/pl.toml")),
    ("ja", include_str!("../../../grammar/lang/ja.toml")),
    ("ar", include_str!("../../../grammar/lang/ar.toml")),
];

/// The longest phrase of V3 in words, a slash counted as one. Longer ones are refused when a file is checked, so that a
/// phrase is a fixed number of look-ups.
pub(super) const PHRASE_WORDS: usize = 4;

/// The longest symbol or code of V5 in letters; longer runs of letters are not looked up.
const MARK_LETTERS: usize = 5;

/// Hashing for keys that we choose ourselves: hostile text is only ever looked up, never inserted.
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
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 = (self.0.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(0x517c_c1b7_2722_0a95);
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.0 = (self.0.rotate_left(5) ^ u64::from(byte)).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

/// A set of languages, a bit each, in the order of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Languages(u32);

impl Languages {
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
    /// The ASCII letters that symbols begin with, a bit each, and whether others do.
    symbol_initials: (u32, bool),
    /// How many letters the codes have, a bit for each number.
    code_lengths: u32,
    /// The longest entry in CJK letters of V2–V5, in characters: how far a CJK run is looked into.
    cjk_letters: usize,
    languages: Vec<Language>,
}

/// One language as its file has it: for people who want to see the words.
#[derive(Debug, Clone)]
pub struct Language {
    /// The code that names the file: `en`.
    pub code: String,
    /// What its speakers call it.
    pub name: String,
    /// V1, V2, V3 and V6: table, role, words, in the order of the file. The tables are called `hashtags`, `words`, `phrases` and
    /// `replies`.
    pub lists: Vec<(&'static str, &'static str, Vec<String>)>,
    /// V4: number words and their values.
    pub numbers: Vec<(String, u32)>,
    /// V4: scales and their powers of ten.
    pub scales: Vec<(String, u32)>,
}

/// A currency that is served, for people who want to see the marks (V5).
#[derive(Debug, Clone)]
pub struct ServedCurrency {
    /// Which one.
    pub currency: Currency,
    /// Its symbols, exact.
    pub symbols: Vec<String>,
    /// Its words, folded.
    pub words: Vec<String>,
}

/// The vocabularies of the embedded files.
pub(super) fn vocabulary() -> &'static Vocabulary {
    #[expect(clippy::expect_used, reason = "the files are embedded and the first test reads them; there is nobody to report to")]
    static VOCABULARY: LazyLock<Vocabulary> =
        LazyLock::new(|| Vocabulary::compile(&LANGUAGE_SOURCES, currencies::SOURCE).expect("the files in grammar/ are sound"));
    &VOCABULARY
}

/// The languages that are read, in the order of section 13.
pub fn languages() -> &'static [Language] {
    &vocabulary().languages
}

/// The currencies that are served, in the order of V5.
pub fn served_currencies() -> Vec<ServedCurrency> {
    let table = &vocabulary().currencies;
    let named = |map: &HashMap<Box<str>, MarkId, WordHasher>, currency| {
        let of_currency = map.iter().filter(|(_, mark)| table.mark(**mark).alone == Some(currency));
        let mut words: Vec<String> = of_currency.map(|(word, _)| word.to_string()).collect();
        words.sort();
        words
    };
    let rows = table.served.iter();
    rows.map(|&(currency, _)| ServedCurrency {
        currency,
        symbols: named(&table.symbols, currency),
        words: named(&table.words, currency),
    })
    .collect()
}

/// Checks a language file as the test suite checks ours: alone, and together with the other languages and the currencies.
///
/// `file` is what the error calls it; if its stem is the code of one of our languages, it is checked in that one's place.
pub fn check_language(file: &str, source: &str) -> Result<(), VocabularyError> {
    let stem = file.rsplit(['/', '\\']).next().unwrap_or(file).split('.').next().unwrap_or(file);
    let mut sources: Vec<(&str, &str)> = LANGUAGE_SOURCES.into_iter().filter(|(code, _)| *code != stem).collect();
    // Last, so that a clash with another language is reported in the file that is being checked.
    sources.push((file, source));
    Vocabulary::compile(&sources, currencies::SOURCE).map(|_| ())
}

impl Vocabulary {
    fn compile(sources: &[(&str, &str)], currency_source: &str) -> Result<Vocabulary, VocabularyError> {
        let currencies = currencies::Currencies::compile(currency_source).map_err(|message| VocabularyError {
            file: "currencies.toml".to_owned(),
            line: 0,
            message,
        })?;
        let mut compiled = Vocabulary {
            tags: HashMap::default(),
            words: HashMap::default(),
            phrases: HashMap::default(),
            replies: HashMap::default(),
            symbol_initials: initials(currencies.symbols.keys()),
            code_lengths: currencies.codes.keys().fold(0, |lengths, code| lengths | 1 << code.chars().count().min(31)),
            currencies,
            cjk_letters: 0,
            languages: Vec::new(),
        };
        let mut phrase_words = HashMap::new();
        for (index, (file, source)) in sources.iter().enumerate() {
            let parsed = LanguageFile::read(file, source)?;
            compiled.add_language(Languages(1 << index), &parsed, &mut phrase_words).map_err(|(at, message)| VocabularyError {
                file: (*file).to_owned(),
                line: line_of(source, at),
                message,
            })?;
            compiled.languages.push(Language::of(file, &parsed));
        }
        for (word, mark) in &compiled.currencies.words {
            compiled.words.entry(word.clone()).or_default().money = Some(*mark);
        }
        for (word, code) in &compiled.currencies.slang {
            compiled.words.entry(word.clone()).or_default().slang = Some(*code);
        }
        let cjk = compiled.words.keys().filter(|word| is_cjk(word));
        compiled.cjk_letters = cjk.map(|word| word.chars().count()).max().unwrap_or(0);
        Ok(compiled)
    }

    /// Adds one file's words; a clash with what is there says where in this file it was found.
    fn add_language(
        &mut self,
        language: Languages,
        file: &LanguageFile,
        phrase_words: &mut HashMap<String, u16>,
    ) -> Result<(), (usize, String)> {
        for file::Entry { role, word, folded } in file.entries() {
            let clash = |other: String| {
                let what = format!("{:?} is {other} in another language", word.get_ref());
                (word.span().start, format!("[{}] {}: {what}", role.table, role.name))
            };
            match role.table {
                "hashtags" => {
                    let tag = self.tags.entry(folded.into()).or_insert_with(|| tag_role(role.name, Languages::default()));
                    match (tag, tag_role(role.name, language)) {
                        (TagRole::Verb(there, languages), TagRole::Verb(here, _)) if *there == here => languages.0 |= language.0,
                        (there, here) if *there == here => {}
                        (there, _) => return Err(clash(format!("{there:?}"))),
                    }
                }
                "words" if role.name == "not" => self.words.entry(folded.into()).or_default().not.0 |= language.0,
                "words" => {
                    let here = small_word(role.name);
                    match self.words.entry(folded.into()).or_default().small.replace(here) {
                        Some(there) if there != here => return Err(clash(format!("{there:?}"))),
                        _ => {}
                    }
                }
                "phrases" => {
                    let here = phrase_role(role.name);
                    let key = self.phrase_key(&folded, phrase_words);
                    match self.phrases.insert(key, here) {
                        Some(there) if there != here => return Err(clash(format!("{there:?}"))),
                        _ => {}
                    }
                }
                _ => {
                    let here = Action::named(role.name).ok_or_else(|| (word.span().start, format!("no action {}", role.name)))?;
                    match self.replies.insert(folded.into(), here) {
                        Some(there) if there != here => return Err(clash(there.as_str().to_owned())),
                        _ => {}
                    }
                }
            }
        }
        for (table, list) in [("numbers", &file.numbers), ("scales", &file.scales)] {
            for (word, value) in list {
                let entry = self.words.entry(fold(word).into()).or_default();
                let place = if table == "numbers" { &mut entry.number } else { &mut entry.scale };
                match place.replace(*value.get_ref()) {
                    Some(there) if there != *value.get_ref() => {
                        let message = format!("[{table}] {word:?} is {there} in another language");
                        return Err((value.span().start, message));
                    }
                    _ => {}
                }
            }
        }
        let both = |word: &Word| word.small.is_some() && word.not != Languages::default();
        match file.entries().find(|entry| entry.role.table == "words" && self.words.get(entry.folded.as_str()).is_some_and(both)) {
            Some(entry) => {
                Err((entry.word.span().start, format!("[words] {:?} has another role in another language", entry.word.get_ref())))
            }
            None => Ok(()),
        }
    }

    fn phrase_key(&mut self, phrase: &str, phrase_words: &mut HashMap<String, u16>) -> [u16; PHRASE_WORDS] {
        let slash = phrase.starts_with('/').then_some(SLASH);
        let mut words = Vec::new();
        for word in phrase.trim_start_matches('/').split(' ') {
            let next = u16::try_from(phrase_words.len()).unwrap_or(u16::MAX - SLASH - 1) + SLASH + 1;
            let number = *phrase_words.entry(word.to_owned()).or_insert(next);
            self.words.entry(word.into()).or_default().phrase_word = number;
            words.push(number);
        }
        let mut key = [0; PHRASE_WORDS];
        for (place, number) in key.iter_mut().zip(slash.into_iter().chain(words)) {
            *place = number;
        }
        key
    }

    /// What V1 says about a hashtag's name, folded.
    pub(super) fn tag(&self, folded: &str) -> Option<TagRole> {
        self.tags.get(folded).copied()
    }

    /// What the tables say about a word as written.
    pub(super) fn word(&self, written: &str, buffer: &mut String) -> Word {
        fold_word_into(written, buffer);
        self.words.get(buffer.as_str()).copied().unwrap_or_default()
    }

    /// The longest prefix of a CJK run that `wanted` accepts, and its length in bytes.
    pub(super) fn cjk_prefix<T>(&self, run: &str, wanted: impl Fn(&Word) -> Option<T>) -> Option<(T, usize)> {
        let ends = run.char_indices().map(|(at, c)| at + c.len_utf8()).take(self.cjk_letters);
        let mut buffer = String::new();
        // Ascending, so the last one found is the longest.
        ends.filter_map(|end| Some((wanted(&self.cjk_word(&run[..end], &mut buffer)?)?, end))).last()
    }

    /// The longest suffix of a CJK run that `wanted` accepts, and where it starts.
    pub(super) fn cjk_suffix<T>(&self, run: &str, wanted: impl Fn(&Word) -> Option<T>) -> Option<(T, usize)> {
        let starts = run.char_indices().rev().map(|(at, _)| at).take(self.cjk_letters);
        let mut buffer = String::new();
        starts.filter_map(|start| Some((wanted(&self.cjk_word(&run[start..], &mut buffer)?)?, start))).last()
    }

    /// As [`Vocabulary::word`]; most runs are written as the tables are, and need no folding.
    fn cjk_word(&self, written: &str, buffer: &mut String) -> Option<Word> {
        self.words.get(written).copied().or_else(|| {
            let folded = written.chars().all(|c| characters().class(c).is(Class::FOLDED));
            if folded { None } else { Some(self.word(written, buffer)) }
        })
    }

    /// What a sequence of words says, a slash being `None`.
    pub(super) fn phrase(&self, words: impl Iterator<Item = Option<Word>>) -> Option<PhraseRole> {
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

    /// Whether the letters that `text` starts with may be a mark: their number alone, or their first, rules most words out.
    pub(super) fn may_be_letters(&self, text: &str) -> bool {
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
        fold_word_into(letters, buffer);
        let entry = self.currencies.codes.get(buffer.as_str())?;
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

impl Language {
    fn of(file: &str, parsed: &LanguageFile) -> Language {
        let lists = parsed.lists().into_iter();
        let numbers = |map: &std::collections::BTreeMap<String, toml::Spanned<u32>>| {
            let mut list: Vec<(String, u32)> = map.iter().map(|(word, value)| (word.clone(), *value.get_ref())).collect();
            list.sort_by_key(|(_, value)| *value);
            list
        };
        Language {
            code: file.to_owned(),
            name: parsed.name.clone(),
            lists: lists
                .map(|(role, words)| (role.table, role.name, words.iter().map(|word| word.get_ref().clone()).collect()))
                .collect(),
            numbers: numbers(&parsed.numbers),
            scales: numbers(&parsed.scales),
        }
    }
}

/// The capitals that symbols with letters begin with, and whether another letter does.
fn initials<'s>(symbols: impl Iterator<Item = &'s Box<str>>) -> (u32, bool) {
    symbols.fold((0, false), |(capitals, others), symbol| match symbol.chars().next() {
        Some(letter @ 'A'..='Z') => (capitals | 1 << (u32::from(letter) - u32::from('A')), others),
        Some(c) => (capitals, others || characters().class(c).is(Class::LETTER)),
        None => (capitals, others),
    })
}

fn tag_role(name: &str, languages: Languages) -> TagRole {
    match name {
        "send" => TagRole::Verb(VerbKind::Send, languages),
        "give" => TagRole::Verb(VerbKind::Give, languages),
        "request" => TagRole::Verb(VerbKind::Request, languages),
        "cancel" => TagRole::Verb(VerbKind::Cancel, languages),
        "each" => TagRole::Each,
        "split" => TagRole::Split,
        "anonymous" => TagRole::Anonymous,
        "receipt" => TagRole::Receipt,
        "recurring" => TagRole::Recurring,
        _ => TagRole::Example,
    }
}

fn small_word(name: &str) -> SmallWord {
    match name {
        "to" => SmallWord::To,
        "from" => SmallWord::From,
        "aside" => SmallWord::Aside,
        "thanks" => SmallWord::Thanks,
        "and" => SmallWord::And,
        _ => SmallWord::After,
    }
}

fn phrase_role(name: &str) -> PhraseRole {
    match name {
        "each" => PhraseRole::Each,
        "split" => PhraseRole::Split,
        "recurring" => PhraseRole::Recurring,
        _ => PhraseRole::Pledge,
    }
}
