//! One language file: its shape, and what is refused in it.
//!
//! A language is data. Whoever adds one writes `grammar/lang/<code>.toml`; everything that would make its words mean two
//! things is found here, with the line it stands on, so that no Rust has to be read or changed.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use serde::Deserialize;
use toml::Spanned;

use super::super::characters::{Class, characters, fold};

/// What is wrong in a vocabulary file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct VocabularyError {
    /// The file, as the caller named it.
    pub file: String,
    /// The line, counted from 1; 0 if the file as a whole is meant.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for VocabularyError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(formatter, "{}: {}", self.file, self.message),
            line => write!(formatter, "{}:{line}: {}", self.file, self.message),
        }
    }
}

/// A list of words or phrases, each knowing where it stands in the file.
type Words = Vec<Spanned<String>>;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LanguageFile {
    pub(super) name: String,
    pub(super) hashtags: Hashtags,
    pub(super) words: SmallWords,
    pub(super) phrases: Phrases,
    pub(super) numbers: BTreeMap<String, Spanned<u32>>,
    pub(super) scales: BTreeMap<String, Spanned<u32>>,
    pub(super) replies: Replies,
}

/// V1.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hashtags {
    send: Words,
    give: Words,
    request: Words,
    cancel: Words,
    each: Words,
    split: Words,
    anonymous: Words,
    receipt: Words,
    recurring: Words,
    example: Words,
}

/// V2.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SmallWords {
    to: Words,
    from: Words,
    aside: Words,
    thanks: Words,
    and: Words,
    not: Words,
    /// Only languages that mark the recipient behind its name have it.
    #[serde(default)]
    after: Words,
}

/// V3.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Phrases {
    each: Words,
    split: Words,
    recurring: Words,
    pledge: Words,
}

/// V6.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Replies {
    confirm: Words,
    refuse: Words,
    stop: Words,
    start: Words,
    balance: Words,
    history: Words,
    help: Words,
    limits: Words,
    refund: Words,
    erase: Words,
    export: Words,
    status: Words,
    human: Words,
}

/// One list of one table: `[hashtags] send`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Role {
    /// The section of the file.
    pub(super) table: &'static str,
    /// The key in it.
    pub(super) name: &'static str,
}

/// A word of a list, as written and folded.
pub(super) struct Entry<'f> {
    pub(super) role: Role,
    pub(super) word: &'f Spanned<String>,
    pub(super) folded: String,
}

impl LanguageFile {
    /// Reads and checks one file by itself.
    pub(super) fn read(file: &str, source: &str) -> Result<LanguageFile, VocabularyError> {
        let parsed: LanguageFile = toml::from_str(source).map_err(|error| VocabularyError {
            file: file.to_owned(),
            line: error.span().map_or(0, |span| line_of(source, span.start)),
            message: error.message().to_owned(),
        })?;
        parsed.check(file, source)?;
        Ok(parsed)
    }

    /// Every list of V1, V2, V3 and V6, in the order of the file.
    pub(super) fn lists(&self) -> Vec<(Role, &Words)> {
        let LanguageFile { hashtags, words, phrases, replies, .. } = self;
        let role = |table, name| Role { table, name };
        vec![
            (role("hashtags", "send"), &hashtags.send),
            (role("hashtags", "give"), &hashtags.give),
            (role("hashtags", "request"), &hashtags.request),
            (role("hashtags", "cancel"), &hashtags.cancel),
            (role("hashtags", "each"), &hashtags.each),
            (role("hashtags", "split"), &hashtags.split),
            (role("hashtags", "anonymous"), &hashtags.anonymous),
            (role("hashtags", "receipt"), &hashtags.receipt),
            (role("hashtags", "recurring"), &hashtags.recurring),
            (role("hashtags", "example"), &hashtags.example),
            (role("words", "to"), &words.to),
            (role("words", "from"), &words.from),
            (role("words", "aside"), &words.aside),
            (role("words", "thanks"), &words.thanks),
            (role("words", "and"), &words.and),
            (role("words", "not"), &words.not),
            (role("words", "after"), &words.after),
            (role("phrases", "each"), &phrases.each),
            (role("phrases", "split"), &phrases.split),
            (role("phrases", "recurring"), &phrases.recurring),
            (role("phrases", "pledge"), &phrases.pledge),
            (role("replies", "confirm"), &replies.confirm),
            (role("replies", "refuse"), &replies.refuse),
            (role("replies", "stop"), &replies.stop),
            (role("replies", "start"), &replies.start),
            (role("replies", "balance"), &replies.balance),
            (role("replies", "history"), &replies.history),
            (role("replies", "help"), &replies.help),
            (role("replies", "limits"), &replies.limits),
            (role("replies", "refund"), &replies.refund),
            (role("replies", "erase"), &replies.erase),
            (role("replies", "export"), &replies.export),
            (role("replies", "status"), &replies.status),
            (role("replies", "human"), &replies.human),
        ]
    }

    /// Every word of every list, folded.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let lists = self.lists().into_iter();
        lists.flat_map(|(role, words)| {
            words.iter().map(move |word| Entry { role, word, folded: fold(word.get_ref()).replace('’', "'") })
        })
    }

    fn check(&self, file: &str, source: &str) -> Result<(), VocabularyError> {
        let fault = |at: usize, message: String| VocabularyError { file: file.to_owned(), line: line_of(source, at), message };
        let mut seen: HashMap<(&'static str, String), Role> = HashMap::new();
        for Entry { role, word, folded } in self.entries() {
            let Role { table, name } = role;
            let here = word.span().start;
            if let Some(why) = shape_fault(table, &folded) {
                return Err(fault(here, format!("[{table}] {name}: {:?} {why}", word.get_ref())));
            }
            match seen.insert((table, folded), role) {
                Some(other) if other.name == name => {
                    return Err(fault(here, format!("[{table}] {name}: {:?} stands here twice", word.get_ref())));
                }
                Some(other) => {
                    let both = format!("{:?} is already in {}: a word has one role", word.get_ref(), other.name);
                    return Err(fault(here, format!("[{table}] {name}: {both}")));
                }
                None => {}
            }
        }
        for (table, words) in [("numbers", &self.numbers), ("scales", &self.scales)] {
            for (word, value) in words {
                let here = value.span().start;
                let folded = fold(word);
                if let Some(why) = shape_fault("words", &folded) {
                    return Err(fault(here, format!("[{table}] {word:?} {why}")));
                }
                if table == "scales" && !(1..=9).contains(value.get_ref()) {
                    return Err(fault(here, format!("[scales] {word:?}: a power of ten from 1 to 9 is wanted")));
                }
                if table == "scales" && is_cjk(&folded) && folded.chars().count() > 1 {
                    return Err(fault(here, format!("[scales] {word:?}: a CJK scale is one character")));
                }
                if seen.insert(("amounts", folded), Role { table, name: table }).is_some() {
                    return Err(fault(here, format!("[{table}] {word:?} stands here twice")));
                }
            }
        }
        Ok(())
    }
}

/// Why `folded` could never be matched as an entry of `table`.
fn shape_fault(table: &str, folded: &str) -> Option<&'static str> {
    let all = |text: &str, class: Class| !text.is_empty() && text.chars().all(|c| characters().class(c).is(class));
    let word = Class::WORD.or(Class::CJK);
    let is_word = |text: &str| all(&text.replace('\'', ""), word) && (is_cjk(text) || !text.chars().any(is_cjk_letter));
    match table {
        "hashtags" if !all(folded, Class::TAG) => Some("is not the name of a hashtag"),
        "hashtags" if folded.chars().any(|c| characters().class(c).is(Class::DIGIT)) => Some("holds a digit"),
        "words" if !is_word(folded) => Some("is not one word"),
        "phrases" => {
            let words = folded.strip_prefix('/').unwrap_or(folded).split(' ');
            let count = words.clone().count() + usize::from(folded.starts_with('/'));
            if !words.clone().all(is_word) {
                Some("is not a phrase of words with single spaces between, with or without a `/` before")
            } else if count > super::PHRASE_WORDS {
                Some("has too many words")
            } else {
                None
            }
        }
        "replies" if !folded.split(' ').all(|part| all(part, word)) => Some("is not a phrase of words with single spaces between"),
        _ => None,
    }
}

fn is_cjk_letter(c: char) -> bool {
    characters().class(c).is(Class::CJK)
}

/// Whether the word is written in CJK letters, which need no spaces around.
pub(super) fn is_cjk(word: &str) -> bool {
    !word.is_empty() && word.chars().all(is_cjk_letter)
}

pub(super) fn line_of(source: &str, at: usize) -> usize {
    source.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}
