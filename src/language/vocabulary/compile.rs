//! From the language files to look-up tables, and every clash between files on the way.

use std::collections::HashMap;

use super::currencies::Currencies;
use super::file::{Entry, Fault, LanguageFile, Role, Valued, is_cjk, line_of};
use super::listing::Language;
use super::{Languages, PHRASE_WORDS, PhraseRole, SLASH, SmallWord, TagRole, Vocabulary, VocabularyError, letter};
use crate::language::characters::{Class, characters};
use crate::language::command::VerbKind;
use crate::language::replies::Action;

/// The language files, by code: code and content. `build.rs` lists the folder; nothing depends on the order.
pub(super) const LANGUAGE_SOURCES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/language_sources.rs"));

/// A language file that is to be compiled.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'s> {
    /// The language's code.
    pub(super) code: &'s str,
    /// What a fault calls the file.
    pub(super) file: &'s str,
    /// What it says.
    pub(super) text: &'s str,
}

/// The files that are part of the executable.
pub(super) fn embedded<'s>() -> impl Iterator<Item = Source<'s>> {
    LANGUAGE_SOURCES.iter().map(|&(code, text)| Source { code, file: code, text })
}

impl Source<'_> {
    fn fault(&self, (at, message): Fault) -> VocabularyError {
        VocabularyError { file: self.file.to_owned(), line: at.map_or(0, |at| line_of(self.text, at)), message }
    }
}

impl Vocabulary {
    /// Compiles language files and currencies, or names every mistake, by file and line.
    pub(super) fn compile(sources: &[Source<'_>], currency_source: &str) -> Result<Vocabulary, Vec<VocabularyError>> {
        let currencies = Currencies::compile(currency_source)
            .map_err(|message| vec![VocabularyError { file: "currencies.toml".to_owned(), line: 0, message }])?;
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
        let mut faults = Vec::new();
        let mut phrase_words = HashMap::new();
        let mut read: Vec<(&str, LanguageFile)> = Vec::with_capacity(sources.len());
        for (index, source) in sources.iter().enumerate() {
            let Some(language) = Languages::nth(index) else {
                let message =
                    format!("there is room for {index} languages: `Languages` in src/language/vocabulary has to be widened");
                faults.push(source.fault((None, message)));
                break;
            };
            let (file, own_faults) = LanguageFile::read(source.text);
            let clashes = compiled.add_language(language, &file, &read, &mut phrase_words);
            let mut found: Vec<VocabularyError> = own_faults.into_iter().chain(clashes).map(|fault| source.fault(fault)).collect();
            found.sort_by_key(|fault| fault.line);
            faults.append(&mut found);
            compiled.languages.push(Language::of(source.code, &file));
            read.push((source.code, file));
        }
        if !faults.is_empty() {
            return Err(faults);
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

    /// Adds one file's words; every clash with what is there says where in this file it was found.
    fn add_language(
        &mut self,
        language: Languages,
        file: &LanguageFile,
        others: &[(&str, LanguageFile)],
        phrase_words: &mut HashMap<String, u16>,
    ) -> Vec<Fault> {
        let mut faults = Vec::new();
        for Entry { role, word, folded, at } in &file.entries {
            let fits = match role.table {
                "hashtags" => {
                    let tag = self.tags.entry(folded.as_str().into()).or_insert_with(|| tag_role(role.name, Languages::default()));
                    match (tag, tag_role(role.name, language)) {
                        (TagRole::Verb(there, languages), TagRole::Verb(here, _)) if *there == here => {
                            languages.0 |= language.0;
                            true
                        }
                        (there, here) => *there == here,
                    }
                }
                "words" => {
                    let entry = self.words.entry(folded.as_str().into()).or_default();
                    if role.name == "not" {
                        entry.not.0 |= language.0;
                        entry.small.is_none()
                    } else {
                        let here = small_word(role.name);
                        *entry.small.get_or_insert(here) == here && entry.not == Languages::default()
                    }
                }
                "phrases" => match self.phrase_key(folded, phrase_words) {
                    Some(key) => {
                        let here = phrase_role(role.name);
                        *self.phrases.entry(key).or_insert(here) == here
                    }
                    None => {
                        faults.push((Some(*at), format!("{role}: there is no room for the words of further phrases")));
                        continue;
                    }
                },
                _ => match Action::named(role.name) {
                    Some(here) => *self.replies.entry(folded.as_str().into()).or_insert(here) == here,
                    None => true,
                },
            };
            if !fits {
                let there = other_role(others, role, folded);
                let message = format!("{role}: {word:?} is in {there}: a word has one role, in all languages together");
                faults.push((Some(*at), message));
            }
        }
        for (table, list) in [("numbers", &file.numbers), ("scales", &file.scales)] {
            for Valued { word, folded, value, at } in list {
                let entry = self.words.entry(folded.as_str().into()).or_default();
                let place = if table == "numbers" { &mut entry.number } else { &mut entry.scale };
                let there = *place.get_or_insert(*value);
                if there != *value {
                    faults.push((Some(*at), format!("[{table}] {word:?} is {there} in another language")));
                }
            }
        }
        faults
    }

    /// The key of a phrase; none if no further word of phrases can be numbered.
    fn phrase_key(&mut self, phrase: &str, phrase_words: &mut HashMap<String, u16>) -> Option<[u16; PHRASE_WORDS]> {
        let slash = phrase.starts_with('/').then_some(SLASH);
        let mut words = Vec::new();
        for word in phrase.trim_start_matches('/').split(' ') {
            let next = u16::try_from(phrase_words.len()).ok()?.checked_add(SLASH + 1)?;
            let number = *phrase_words.entry(word.to_owned()).or_insert(next);
            self.words.entry(word.into()).or_default().phrase_word = number;
            words.push(number);
        }
        let mut key = [0; PHRASE_WORDS];
        for (place, number) in key.iter_mut().zip(slash.into_iter().chain(words)) {
            *place = number;
        }
        Some(key)
    }
}

/// Which list of which language has a word already, for people.
fn other_role(others: &[(&str, LanguageFile)], role: &Role, folded: &str) -> String {
    let in_table = |entry: &&Entry| entry.role.table == role.table && entry.role != *role && entry.folded == folded;
    let found = others.iter().find_map(|(code, file)| file.entries.iter().find(in_table).map(|entry| (code, entry.role)));
    found.map_or_else(|| "another list".to_owned(), |(code, there)| format!("{there} of {code}"))
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

#[cfg(test)]
mod tests {
    use super::super::currencies;
    use super::*;

    fn compile(sources: &[Source<'_>]) -> Vocabulary {
        Vocabulary::compile(sources, currencies::SOURCE).unwrap_or_else(|faults| panic!("{faults:?}"))
    }

    #[test]
    fn every_file_of_the_folder_is_embedded() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("grammar/lang");
        let names = folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut codes: Vec<String> = names.filter_map(|name| name.strip_suffix(".toml").map(str::to_owned)).collect();
        codes.sort();
        let embedded: Vec<&str> = LANGUAGE_SOURCES.iter().map(|(code, _)| *code).collect();
        assert_eq!(embedded, codes);
        for (code, text) in LANGUAGE_SOURCES {
            assert_eq!(*text, std::fs::read_to_string(folder.join(format!("{code}.toml"))).unwrap());
        }
    }

    #[test]
    fn nothing_depends_on_the_order_of_the_files() {
        let mut sources: Vec<_> = embedded().collect();
        let one = compile(&sources);
        sources.reverse();
        let other = compile(&sources);
        // Languages are numbered in order, so sets of them are compared by how many they hold.
        let tag = |role: &TagRole| match role {
            TagRole::Verb(kind, languages) => (TagRole::Verb(*kind, Languages::default()), languages.0.count_ones()),
            other => (*other, 0),
        };
        assert_eq!(one.tags.len(), other.tags.len());
        for (name, role) in &one.tags {
            assert_eq!(tag(role), tag(&other.tags[name]), "{name}");
        }
        assert_eq!(one.words.len(), other.words.len());
        for (name, word) in &one.words {
            let there = &other.words[name];
            let says =
                |word: &super::super::Word| (word.small, word.not.0.count_ones(), word.number, word.scale, word.money, word.slang);
            assert_eq!(says(word), says(there), "{name}");
        }
        assert_eq!((one.phrases.len(), one.cjk_letters), (other.phrases.len(), other.cjk_letters));
        assert_eq!(one.replies, other.replies);
    }

    #[test]
    fn an_added_file_is_served() {
        let swedish = include_str!("../../../tests/it/language/sv.toml");
        let sources: Vec<_> = embedded().chain([Source { code: "sv", file: "sv.toml", text: swedish }]).collect();
        let compiled = compile(&sources);
        assert!(matches!(compiled.tag("skicka"), Some(TagRole::Verb(VerbKind::Send, _))));
        assert_eq!(compiled.reply("radera mina uppgifter"), Some(Action::Erase));
        assert_eq!(compiled.languages.len(), LANGUAGE_SOURCES.len() + 1);
        assert_eq!(compiled.languages.last().map(|language| language.name.as_str()), Some("svenska"));
    }

    #[test]
    fn a_language_too_many_is_refused_with_what_has_to_change() {
        let text = LANGUAGE_SOURCES[0].1;
        let codes: Vec<String> = (0..33).map(|number| format!("x{number}")).collect();
        let sources: Vec<_> = codes.iter().map(|code| Source { code, file: code, text }).collect();
        assert!(Vocabulary::compile(&sources[..32], currencies::SOURCE).is_ok());
        let faults = Vocabulary::compile(&sources, currencies::SOURCE).err().unwrap();
        assert_eq!(
            faults.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["x32: there is room for 32 languages: `Languages` in src/language/vocabulary has to be widened"]
        );
    }
}
