//! The vocabularies as lists: for people who want to see the words, and for those who add a language.

use std::collections::{BTreeMap, HashMap};

use toml::Spanned;

use super::compile::LANGUAGE_SOURCES;
use super::currencies::{self, MarkId};
use super::file::LanguageFile;
use super::{Vocabulary, VocabularyError, WordHasher, vocabulary};
use crate::money::Currency;

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

impl Language {
    pub(super) fn of(file: &str, parsed: &LanguageFile) -> Language {
        let lists = parsed.lists().into_iter();
        let numbers = |map: &BTreeMap<String, Spanned<u32>>| {
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
