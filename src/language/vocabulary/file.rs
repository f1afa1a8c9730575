//! One language file: its shape, and what is refused in it.
//!
//! A language is data. Whoever adds one writes `grammar/lang/<code>.toml`; everything that would make its words mean two
//! things is found here, with the line it stands on, so that no Rust has to be read or changed. Reading never stops at the
//! first mistake: what can be read is, and every fault is told.

use std::collections::HashMap;
use std::fmt;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::super::characters::{Class, characters, fold};
use super::super::gate::LONGEST_VERB;
use super::super::replies::Action;

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

/// One list of one table: `[hashtags] send`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Role {
    /// The section of the file.
    pub(super) table: &'static str,
    /// The key in it.
    pub(super) name: &'static str,
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "[{}] {}", self.table, self.name)
    }
}

/// V1, V2 and V3. V6 has a list for each [`Action`].
const LISTS: [(&str, &[&str]); 3] = [
    ("hashtags", &["send", "give", "request", "cancel", "each", "split", "anonymous", "receipt", "recurring", "example"]),
    ("words", &["to", "from", "aside", "thanks", "and", "not", "after"]),
    ("phrases", &["each", "split", "recurring", "pledge"]),
];

/// Only languages that mark the recipient behind its name have this list.
const OPTIONAL: Role = Role { table: "words", name: "after" };

/// Every list of V1, V2, V3 and V6, in the order of the files.
pub(super) fn roles() -> impl Iterator<Item = Role> {
    let lists = LISTS.into_iter().flat_map(|(table, names)| names.iter().map(move |name| Role { table, name }));
    lists.chain(Action::ALL.iter().map(|action| Role { table: "replies", name: action.as_str() }))
}

/// A word or phrase of a list.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) role: Role,
    /// As written.
    pub(super) word: String,
    pub(super) folded: String,
    /// Where in the file, in bytes.
    pub(super) at: usize,
}

/// A number word or a scale (V4), and its value or power of ten.
#[derive(Debug, Clone)]
pub(super) struct Valued {
    /// As written.
    pub(super) word: String,
    pub(super) folded: String,
    pub(super) value: u32,
    /// Where in the file, in bytes.
    pub(super) at: usize,
}

/// A text that shows how the language is used.
#[derive(Debug, Clone)]
pub(super) struct Example {
    pub(super) text: String,
    /// Where in the file, in bytes.
    pub(super) at: usize,
}

/// What a file says, as far as it can be read.
#[derive(Debug, Clone, Default)]
pub(super) struct LanguageFile {
    /// What the language's speakers call it.
    pub(super) name: String,
    /// V1, V2, V3 and V6.
    pub(super) entries: Vec<Entry>,
    /// V4.
    pub(super) numbers: Vec<Valued>,
    /// V4.
    pub(super) scales: Vec<Valued>,
    /// Posts that are orders.
    pub(super) orders: Vec<Example>,
    /// Private messages that are answers.
    pub(super) replies: Vec<Example>,
}

/// A fault and its place in the file, in bytes; none for the file as a whole.
pub(super) type Fault = (Option<usize>, String);

impl LanguageFile {
    /// Reads and checks one file by itself: what it says, and every mistake in it.
    pub(super) fn read(source: &str) -> (LanguageFile, Vec<Fault>) {
        let (document, errors) = DeTable::parse_recoverable(source);
        let mut faults: Vec<Fault> = errors
            .iter()
            .map(|error| {
                let message = error.message().replace('\n', ", ");
                let hint = if message.contains("unquoted key") {
                    "; a key with other letters stands in quotes: \"été\" = 2"
                } else {
                    ""
                };
                (error.span().map(|span| span.start), format!("not TOML: {message}{hint}"))
            })
            .collect();
        let mut file = LanguageFile::default();
        // What follows from a document that was only half understood would be said twice.
        if faults.is_empty() {
            Reader { file: &mut file, faults: &mut faults }.read(document.get_ref());
            file.check(&mut faults);
        }
        (file, faults)
    }

    /// The words of one list.
    pub(super) fn words(&self, role: Role) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.role == role)
    }

    fn check(&mut self, faults: &mut Vec<Fault>) {
        let mut seen: HashMap<(&'static str, String), Role> = HashMap::new();
        self.entries.retain(|Entry { role, word, folded, at }| {
            let why = match (shape_fault(role.table, folded), seen.get(&(role.table, folded.clone()))) {
                (Some(why), _) => format!("{word:?} {why}"),
                (None, Some(other)) if other == role => format!("{word:?} stands here twice (capitals do not matter)"),
                (None, Some(other)) => format!("{word:?} is already in {}: a word has one role", other.name),
                (None, None) => {
                    seen.insert((role.table, folded.clone()), *role);
                    return true;
                }
            };
            faults.push((Some(*at), format!("{role}: {why}")));
            false
        });
        let mut seen = HashMap::new();
        for (table, words) in [("numbers", &mut self.numbers), ("scales", &mut self.scales)] {
            words.retain(|Valued { word, folded, value, at }| {
                let is_scale = table == "scales";
                let why = match shape_fault("words", folded) {
                    Some(why) => why.to_owned(),
                    None if is_scale && !(1..=9).contains(value) => "is no scale: a power of ten from 1 to 9 is wanted".to_owned(),
                    None if is_scale && is_cjk(folded) && folded.chars().count() > 1 => {
                        "is no scale: one in CJK letters has one letter".to_owned()
                    }
                    None => match seen.insert(folded.clone(), table) {
                        None => return true,
                        Some(other) => format!("stands in [{other}] already"),
                    },
                };
                faults.push((Some(*at), format!("[{table}] {word:?} {why}")));
                false
            });
        }
    }
}

/// Walks through a document and takes what belongs there.
struct Reader<'f> {
    file: &'f mut LanguageFile,
    faults: &'f mut Vec<Fault>,
}

impl Reader<'_> {
    fn read(&mut self, document: &DeTable<'_>) {
        match document.get("name").map(|value| (value.span().start, value.get_ref().as_str())) {
            Some((_, Some(name))) if !name.trim().is_empty() => name.clone_into(&mut self.file.name),
            Some((at, _)) => self.faults.push((Some(at), "`name` is what the language's speakers call it, in quotes".to_owned())),
            None => self.faults.push((None, "`name` is missing: what the language's speakers call it".to_owned())),
        }
        for (table, names) in LISTS {
            self.lists(document, table, names);
        }
        let actions: Vec<&'static str> = Action::ALL.iter().map(|action| action.as_str()).collect();
        self.lists(document, "replies", &actions);
        self.file.numbers = self.values(document, "numbers");
        self.file.scales = self.values(document, "scales");
        if let Some(examples) = self.section(document, "examples") {
            self.refuse_unknown(examples, "examples", &["orders", "replies"]);
            self.file.orders = self.examples(examples, "orders");
            self.file.replies = self.examples(examples, "replies");
        }
        let known = LISTS.map(|(table, _)| table);
        let known: Vec<&str> = known.into_iter().chain(["name", "replies", "numbers", "scales", "examples"]).collect();
        for key in document.keys().filter(|key| !known.contains(&key.get_ref().as_ref())) {
            self.faults.push((Some(key.span().start), format!("nothing is called {:?} here: {}", key.get_ref(), known.join(", "))));
        }
    }

    fn section<'d>(&mut self, document: &'d DeTable<'d>, name: &str) -> Option<&'d DeTable<'d>> {
        let Some(section) = document.get(name) else {
            self.faults.push((None, format!("the section [{name}] is missing (its lists may be empty)")));
            return None;
        };
        let table = section.get_ref().as_table();
        if table.is_none() {
            self.faults.push((Some(section.span().start), format!("`{name}` is a section: [{name}]")));
        }
        table
    }

    fn refuse_unknown(&mut self, section: &DeTable<'_>, table: &str, known: &[&str]) {
        for key in section.keys().filter(|key| !known.contains(&key.get_ref().as_ref())) {
            let message = format!("[{table}] has no list called {:?}: {}", key.get_ref(), known.join(", "));
            self.faults.push((Some(key.span().start), message));
        }
    }

    fn lists(&mut self, document: &DeTable<'_>, table: &'static str, names: &[&'static str]) {
        let Some(section) = self.section(document, table) else { return };
        self.refuse_unknown(section, table, names);
        // An absent list is told where its section begins: there it would stand.
        let place = section.keys().map(|key| key.span().start).min();
        for &name in names {
            let role = Role { table, name };
            match section.get(name) {
                Some(list) => {
                    let words = self.texts(list, &role.to_string());
                    self.file.entries.extend(words.into_iter().map(|(word, at)| {
                        let folded = fold(&word).replace('’', "'");
                        Entry { role, word, folded, at }
                    }));
                }
                None if role == OPTIONAL => {}
                None => {
                    self.faults.push((place, format!("{role} is missing: write an empty list if the language has no such word")))
                }
            }
        }
    }

    fn texts(&mut self, list: &Spanned<DeValue<'_>>, what: &str) -> Vec<(String, usize)> {
        let Some(items) = list.get_ref().as_array() else {
            self.faults.push((Some(list.span().start), format!("{what} is a list of words: [\"…\", \"…\"]")));
            return Vec::new();
        };
        let mut texts = Vec::new();
        for item in items {
            match item.get_ref().as_str() {
                Some(text) => texts.push((text.to_owned(), item.span().start)),
                None => self.faults.push((Some(item.span().start), format!("{what}: a word stands in quotes"))),
            }
        }
        texts
    }

    fn examples(&mut self, section: &DeTable<'_>, name: &str) -> Vec<Example> {
        let texts = match section.get(name) {
            Some(list) => self.texts(list, &format!("[examples] {name}")),
            None => Vec::new(),
        };
        if texts.is_empty() {
            self.faults.push((None, format!("[examples] {name} is missing: at least one text is wanted")));
        }
        texts.into_iter().map(|(text, at)| Example { text, at }).collect()
    }

    fn values(&mut self, document: &DeTable<'_>, table: &str) -> Vec<Valued> {
        let Some(section) = self.section(document, table) else { return Vec::new() };
        let mut values = Vec::new();
        for (word, value) in section {
            let at = word.span().start;
            let number = value.get_ref().as_integer().and_then(|digits| u32::from_str_radix(digits.as_str(), digits.radix()).ok());
            match number {
                Some(value) => {
                    let word = word.get_ref().to_string();
                    values.push(Valued { folded: fold(&word).replace('’', "'"), word, value, at });
                }
                None => {
                    let message = format!("[{table}] {:?} wants a whole number behind the equals sign", word.get_ref());
                    self.faults.push((Some(at), message));
                }
            }
        }
        values.sort_by_key(|valued| valued.at);
        values
    }
}

/// Why `folded` could never be matched as an entry of `table`.
fn shape_fault(table: &str, folded: &str) -> Option<&'static str> {
    let all = |text: &str, class: Class| !text.is_empty() && text.chars().all(|c| characters().class(c).is(class));
    let is_digit = |c: char| characters().class(c).is(Class::DIGIT);
    let word = Class::WORD.or(Class::CJK);
    let is_word = |text: &str| all(&text.replace('\'', ""), word) && (is_cjk(text) || !text.chars().any(is_cjk_letter));
    match table {
        "hashtags" if !all(folded, Class::TAG) => Some("is not the name of a hashtag"),
        "hashtags" if folded.chars().any(is_digit) => Some("holds a digit"),
        "hashtags" if folded.len() > LONGEST_VERB => Some("is too long: 64 bytes at most"),
        "words" if !is_word(folded) => Some("is not one word"),
        "words" if folded.starts_with(is_digit) => Some("starts with a digit and would be read as a number"),
        "phrases" => {
            let words = folded.strip_prefix('/').unwrap_or(folded).split(' ');
            let count = words.clone().count() + usize::from(folded.starts_with('/'));
            if !words.clone().all(is_word) {
                Some("is not a phrase of words with single spaces between, with or without a `/` before")
            } else if count > super::PHRASE_WORDS {
                Some("has too many words: four at most, a slash counted as one")
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

/// The line of a byte, counted from 1.
pub(super) fn line_of(source: &str, at: usize) -> usize {
    source.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}
