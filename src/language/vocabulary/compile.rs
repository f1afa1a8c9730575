//! From the language files to look-up tables, and every clash between files on the way.

use std::collections::HashMap;

use super::currencies::Currencies;
use super::file::{self, LanguageFile, is_cjk, line_of};
use super::listing::Language;
use super::{Languages, PHRASE_WORDS, PhraseRole, SLASH, SmallWord, TagRole, Vocabulary, VocabularyError, Word, letter};
use crate::language::characters::{Class, characters, fold};
use crate::language::command::VerbKind;
use crate::language::replies::Action;

/// The language files: code and content. A verb in two of them belongs to both languages.
pub(super) const LANGUAGE_SOURCES: [(&str, &str); 10] = [
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

impl Vocabulary {
    pub(super) fn compile(sources: &[(&str, &str)], currency_source: &str) -> Result<Vocabulary, VocabularyError> {
        let currencies = Currencies::compile(currency_source).map_err(|message| VocabularyError {
            file: "currencies.toml".to_owned(),
            line: 0,
            message,
        })?;
        let mut compiled = Vocabulary {
            tags: HashMap::default(),
            words: HashMap::default(),
            phrases: HashMap::default(),
            replies: HashMap::default(),
            symbol_initials: initials(currencies.symbols.keys(), currencies.codes.keys()),
            code_lengths: currencies.codes.keys().fold(0, |lengths, code| lengths | 1 << code.chars().count().min(31)),
            mark_openings: openings(currencies.symbols.keys().chain(currencies.codes.keys())),
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
}

/// The capitals that symbols with letters begin with, and whether another letter begins a symbol, or one that is not ASCII a code.
fn initials<'s>(symbols: impl Iterator<Item = &'s Box<str>>, mut codes: impl Iterator<Item = &'s Box<str>>) -> (u32, bool) {
    let foreign_code = codes.any(|code| !code.starts_with(|c: char| c.is_ascii()));
    symbols.fold((0, foreign_code), |(capitals, others), symbol| match symbol.chars().next() {
        Some(letter @ 'A'..='Z') => (capitals | 1 << (u32::from(letter) - u32::from('A')), others),
        Some(c) => (capitals, others || characters().class(c).is(Class::LETTER)),
        None => (capitals, others),
    })
}

/// The first two letters of marks, where both are ASCII: for each first, a bit for each second.
fn openings<'m>(marks: impl Iterator<Item = &'m Box<str>>) -> [u32; 26] {
    let mut openings = [0; 26];
    for mark in marks {
        if let [first, second, ..] = *mark.as_bytes()
            && let (Some(first), Some(second)) = (letter(first), letter(second))
        {
            openings[first] |= 1 << second;
        }
    }
    openings
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
