//! The vocabularies as lists: for people who want to see the words.

use std::collections::HashMap;

use super::currencies::MarkId;
use super::file::{Example, LanguageFile, Valued, roles};
use super::{WordHasher, vocabulary};
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
    /// Posts in this language that are orders; the bot is called `@obole` in them. Never empty.
    pub example_orders: Vec<String>,
    /// Private messages in this language that are answers. Never empty.
    pub example_replies: Vec<String>,
}

impl Language {
    pub(super) fn of(code: &str, file: &LanguageFile) -> Language {
        let lists = roles().map(|role| (role.table, role.name, file.words(role).map(|entry| entry.word.clone()).collect()));
        let values = |list: &[Valued]| {
            let mut list: Vec<(String, u32)> = list.iter().map(|valued| (valued.word.clone(), valued.value)).collect();
            list.sort_by_key(|(_, value)| *value);
            list
        };
        let texts = |list: &[Example]| list.iter().map(|example| example.text.clone()).collect();
        Language {
            code: code.to_owned(),
            name: file.name.clone(),
            lists: lists.collect(),
            numbers: values(&file.numbers),
            scales: values(&file.scales),
            example_orders: texts(&file.orders),
            example_replies: texts(&file.replies),
        }
    }

    /// The words of one list; none if there is no such list.
    pub fn words(&self, table: &str, role: &str) -> &[String] {
        let list = self.lists.iter().find(|(in_table, name, _)| *in_table == table && *name == role);
        list.map_or(&[], |(_, _, words)| words)
    }
}

/// A currency that is served, for people who want to see the marks (V5).
#[derive(Debug, Clone)]
pub struct ServedCurrency {
    /// Which one.
    pub currency: Currency,
    /// Whether its ISO code is read in any case; else in capitals only.
    pub any_case: bool,
    /// Its symbols, exact.
    pub symbols: Vec<String>,
    /// Its words, folded.
    pub words: Vec<String>,
}

/// A mark of several currencies, refused when it stands alone (V5).
#[derive(Debug, Clone)]
pub struct AmbiguousMark {
    /// The mark, folded.
    pub mark: String,
    /// What it may name, in the order of the suggestions.
    pub codes: Vec<Currency>,
}

/// A word for money that is not served under that name (V5).
#[derive(Debug, Clone)]
pub struct Slang {
    /// The word, folded.
    pub word: String,
    /// The currency that is suggested for it, if one is.
    pub code: Option<Currency>,
}

/// The languages that are read, by code.
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
    let any_case = |currency: Currency| {
        table.codes.values().any(|entry| table.mark(entry.mark).alone == Some(currency) && !entry.capitals_only)
    };
    let rows = table.served.iter();
    rows.map(|&(currency, _)| ServedCurrency {
        currency,
        any_case: any_case(currency),
        symbols: named(&table.symbols, currency),
        words: named(&table.words, currency),
    })
    .collect()
}

/// The marks of several currencies, by mark.
pub fn ambiguous_marks() -> Vec<AmbiguousMark> {
    let table = &vocabulary().currencies;
    let marks = table.words.iter().filter(|(_, id)| table.mark(**id).alone.is_none());
    let mut marks: Vec<AmbiguousMark> =
        marks.map(|(mark, id)| AmbiguousMark { mark: mark.to_string(), codes: table.mark(*id).names.clone() }).collect();
    marks.sort_by(|one, other| one.mark.cmp(&other.mark));
    marks
}

/// The words for money that is not served under that name, by suggested currency and word.
pub fn slang() -> Vec<Slang> {
    let words = vocabulary().currencies.slang.iter();
    let mut words: Vec<Slang> = words.map(|(word, code)| Slang { word: word.to_string(), code: *code }).collect();
    words.sort_by_key(|slang| (slang.code.map(Currency::code), slang.word.clone()));
    words
}
