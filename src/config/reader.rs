//! Reads settings one by one and keeps a list of everything that is wrong, instead of stopping at the first.
//!
//! A setting comes from the environment if it is there (`banks.main.base_url` from `OBOLE_BANKS_MAIN_BASE_URL`), else from the file. A
//! secret may also be named by a file that holds it: the same key or variable with `_file` / `_FILE` behind.
//!
//! Deriving this from serde would give the first mistake only; a list with key, line and suggestion needs the parser's own table.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use miette::Severity;
use secrecy::{ExposeSecret as _, SecretString};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mistake::Mistake;

/// Environment variables by name.
#[derive(Clone, Default)]
pub struct Environment(pub(super) BTreeMap<String, String>);

impl Environment {
    /// This process's variables, as far as they are text.
    pub fn of_process() -> Self {
        let text =
            |(name, value): (std::ffi::OsString, std::ffi::OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        std::env::vars_os().filter_map(text).collect()
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Environment(variables.into_iter().collect())
    }
}

impl std::fmt::Debug for Environment {
    /// Names only: values may be secrets.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.0.keys().filter(|name| name.starts_with(PREFIX))).finish()
    }
}

/// A mistake was written down; whoever gets this has nothing to add.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Noted;

/// A value, or a mistake that was written down.
pub(super) type Outcome<T> = Result<T, Noted>;

/// What a setting looks like in the file. In the environment everything is text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Whole,
    Flag,
}

impl Form {
    fn name(self) -> &'static str {
        match self {
            Form::Text => "a text in quotation marks",
            Form::Whole => "a whole number",
            Form::Flag => "true or false",
        }
    }
}

/// Where something stands.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    key: String,
    span: Option<Range<usize>>,
    variable: Option<String>,
}

/// One table of the file, or the place where it would be.
#[derive(Debug)]
pub(super) struct Section<'t> {
    pub(super) place: Place,
    table: Option<&'t DeTable<'t>>,
    known: Vec<&'static str>,
    /// Tables of a list have no variables.
    in_environment: bool,
}

/// The list of mistakes, and what is read from besides the file.
#[derive(Debug)]
pub(super) struct Reader<'e> {
    environment: &'e Environment,
    /// Relative paths start here.
    directory: PathBuf,
    pub(super) mistakes: Vec<Mistake>,
    /// Places of secrets in the file.
    pub(super) secrets: Vec<Range<usize>>,
    /// Variables that mean something, found or not.
    variables: BTreeSet<String>,
    /// Every setting that was asked for, as section and key.
    pub(super) asked: BTreeSet<(String, &'static str)>,
}

impl<'e> Reader<'e> {
    pub(super) fn new(directory: &Path, environment: &'e Environment) -> Self {
        Reader {
            environment,
            directory: directory.to_owned(),
            mistakes: Vec::new(),
            secrets: Vec::new(),
            variables: BTreeSet::new(),
            asked: BTreeSet::new(),
        }
    }

    /// Writes a mistake down.
    pub(super) fn note(&mut self, place: &Place, message: impl Into<String>, help: Option<String>) -> Noted {
        self.mistakes.push(Mistake {
            key: place.key.clone(),
            line: None,
            column: None,
            variable: place.variable.clone(),
            message: message.into(),
            help,
            severity: Severity::Error,
            span: place.span.clone(),
        });
        Noted
    }

    /// The table `key` of `parent`; empty if it is not there.
    pub(super) fn section<'t>(&mut self, parent: &mut Section<'t>, key: &'static str) -> Section<'t> {
        parent.known.push(key);
        let path = join(&parent.place.key, key);
        let entry = parent.table.and_then(|table| table.get_key_value(key));
        self.as_section(path, entry, parent.in_environment).unwrap_or_else(|| Section {
            place: Place { key: join(&parent.place.key, key), span: parent.place.span.clone(), variable: None },
            table: None,
            known: Vec::new(),
            in_environment: parent.in_environment,
        })
    }

    /// The tables inside the table `key`, by their names: `[platforms.NAME]`.
    pub(super) fn named<'t>(&mut self, parent: &mut Section<'t>, key: &'static str) -> Vec<(String, Section<'t>)> {
        let group = self.section(parent, key);
        let mut named = Vec::new();
        for (name, value) in group.table.into_iter().flatten() {
            let place = Place { key: join(&group.place.key, name.get_ref()), span: Some(name.span()), variable: None };
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
            if name.get_ref().is_empty() || !name.get_ref().chars().all(plain) {
                self.note(&place, "is not a name", Some("names have the characters a-z 0-9 - and _ only".to_owned()));
            } else if let Some(section) = self.as_section(place.key, Some((name, value)), true) {
                named.push((name.get_ref().to_string(), section));
            }
        }
        named
    }

    /// The tables of the list `key`: `[[payees]]`, or tables in brackets.
    pub(super) fn list<'t>(&mut self, parent: &mut Section<'t>, key: &'static str) -> Vec<Section<'t>> {
        parent.known.push(key);
        let path = join(&parent.place.key, key);
        let Some((name, value)) = parent.table.and_then(|table| table.get_key_value(key)) else { return Vec::new() };
        let Some(array) = value.get_ref().as_array() else {
            let place = Place { key: path, span: Some(value.span()), variable: None };
            self.note(&place, format!("has to be a list of tables, not {}", value.get_ref().type_str()), None);
            return Vec::new();
        };
        let entries = array.iter().enumerate();
        entries.filter_map(|(index, value)| self.as_section(format!("{path}[{index}]"), Some((name, value)), false)).collect()
    }

    fn as_section<'t>(
        &mut self,
        key: String,
        entry: Option<(&'t Spanned<std::borrow::Cow<'t, str>>, &'t Spanned<DeValue<'t>>)>,
        in_environment: bool,
    ) -> Option<Section<'t>> {
        let (_, value) = entry?;
        let place = Place { key, span: Some(value.span()), variable: None };
        match value.get_ref().as_table() {
            Some(table) => Some(Section { place, table: Some(table), known: Vec::new(), in_environment }),
            None => {
                self.note(&place, format!("has to be a table, not {}", value.get_ref().type_str()), None);
                None
            }
        }
    }

    /// A setting that may be missing.
    pub(super) fn optional<T>(
        &mut self,
        section: &mut Section<'_>,
        key: &'static str,
        form: Form,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Outcome<Option<(T, Place)>> {
        let Some((text, place)) = self.raw(section, key, form)? else { return Ok(None) };
        match read(&text) {
            Ok(value) => Ok(Some((value, place))),
            Err(why) => Err(self.note(&place, why, None)),
        }
    }

    /// A setting that has to be there.
    pub(super) fn required<T>(
        &mut self,
        section: &mut Section<'_>,
        key: &'static str,
        form: Form,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Outcome<(T, Place)> {
        match self.optional(section, key, form, read)? {
            Some(found) => Ok(found),
            None => Err(self.missing(section, key)),
        }
    }

    /// A setting with a default.
    pub(super) fn or<T>(
        &mut self,
        section: &mut Section<'_>,
        key: &'static str,
        form: Form,
        default: T,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Outcome<T> {
        Ok(self.optional(section, key, form, read)?.map_or(default, |(value, _)| value))
    }

    /// A secret: the value itself or a file that holds it, in the environment before the file.
    pub(super) fn secret(
        &mut self,
        section: &mut Section<'_>,
        key: &'static str,
        key_file: &'static str,
    ) -> Outcome<Option<(SecretString, Place)>> {
        let (value, file) = (self.raw(section, key, Form::Text), self.raw(section, key_file, Form::Text));
        if let Some(span) = value.as_ref().ok().and_then(|found| found.as_ref()).and_then(|(_, place)| place.span.clone()) {
            self.secrets.push(span);
        }
        match (value?.map(|(text, place)| (SecretString::from(text), place)), file?) {
            (Some((_, place)), Some((_, other))) if place.variable.is_some() == other.variable.is_some() => {
                Err(self.note(&other, format!("and {} are both given", place.key), Some("keep one of them".to_owned())))
            }
            // Of two, the one in the environment counts.
            (Some(found), None) => not_empty(self, found).map(Some),
            (Some(found), Some((_, other))) if other.variable.is_none() => not_empty(self, found).map(Some),
            (_, Some((path, place))) => {
                let text = std::fs::read_to_string(self.directory.join(&path));
                match text.map(|text| SecretString::from(text.trim_end_matches(['\r', '\n']))) {
                    Ok(secret) => not_empty(self, (secret, place)).map(Some),
                    Err(why) => Err(self.note(&place, format!("names a file that cannot be read: {why}"), None)),
                }
            }
            (None, None) => Ok(None),
        }
    }

    /// Writes down that a setting is missing.
    pub(super) fn missing(&mut self, section: &Section<'_>, key: &str) -> Noted {
        let place = Place { key: join(&section.place.key, key), ..section.place.clone() };
        let help = section.in_environment.then(|| format!("or set the environment variable {}", variable(&place.key)));
        self.note(&place, "is missing", help)
    }

    /// Writes down the keys of a table that nobody asked for, each with the nearest that exists.
    pub(super) fn finish(&mut self, section: Section<'_>) {
        for name in section.table.into_iter().flat_map(|table| table.keys()) {
            if section.known.contains(&name.get_ref().as_ref()) {
                continue;
            }
            let likeness = |known: &&&str| strsim::normalized_damerau_levenshtein(known, name.get_ref());
            let nearest =
                section.known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b))).filter(|known| likeness(known) > 0.5);
            let help = match nearest {
                Some(nearest) => format!("did you mean {nearest}?"),
                None => format!("known here: {}", section.known.join(", ")),
            };
            let place = Place { key: join(&section.place.key, name.get_ref()), span: Some(name.span()), variable: None };
            self.note(&place, "is not a key that Obole knows", Some(help));
        }
    }

    /// Writes down, as a thing to think about, variables with our prefix that mean nothing.
    pub(super) fn finish_environment(&mut self, others: &[&str]) {
        let unknown =
            |name: &&String| name.starts_with(PREFIX) && !self.variables.contains(*name) && !others.contains(&name.as_str());
        for name in self.environment.0.keys().filter(unknown) {
            self.mistakes.push(Mistake {
                key: String::new(),
                line: None,
                column: None,
                variable: Some(name.clone()),
                message: "means nothing to Obole".to_owned(),
                help: Some("a setting of a named table is read from the environment only if the file has that table".to_owned()),
                severity: Severity::Warning,
                span: None,
            });
        }
    }

    fn raw(&mut self, section: &mut Section<'_>, key: &'static str, form: Form) -> Outcome<Option<(String, Place)>> {
        section.known.push(key);
        self.asked.insert((section.place.key.clone(), key));
        let path = join(&section.place.key, key);
        let in_file = section.table.and_then(|table| table.get(key));
        if section.in_environment {
            let name = variable(&path);
            if let Some(text) = self.environment.0.get(&name) {
                self.variables.insert(name.clone());
                return Ok(Some((text.clone(), Place { key: path, span: None, variable: Some(name) })));
            }
            self.variables.insert(name);
        }
        let Some(value) = in_file else { return Ok(None) };
        let place = Place { key: path, span: Some(value.span()), variable: None };
        let text = match (form, value.get_ref()) {
            (Form::Text, DeValue::String(text)) => Some(text.to_string()),
            (Form::Flag, DeValue::Boolean(flag)) => Some(flag.to_string()),
            (Form::Whole, DeValue::Integer(number)) => {
                i64::from_str_radix(number.as_str(), number.radix()).ok().map(|n| n.to_string())
            }
            _ => None,
        };
        match text {
            Some(text) => Ok(Some((text, place))),
            None => Err(self.note(&place, format!("has to be {}, not {}", form.name(), value.get_ref().type_str()), None)),
        }
    }
}

impl<'t> Section<'t> {
    /// The whole file.
    pub(super) fn root(table: &'t DeTable<'t>) -> Self {
        Section { place: Place::default(), table: Some(table), known: Vec::new(), in_environment: true }
    }

    /// The names inside the table `key`, whatever may be wrong with what they name.
    pub(super) fn names(&self, key: &str) -> BTreeSet<String> {
        let group = self.table.and_then(|table| table.get(key)).and_then(|value| value.get_ref().as_table());
        group.into_iter().flat_map(|group| group.keys()).map(|name| name.get_ref().to_string()).collect()
    }
}

const PREFIX: &str = "OBOLE_";

/// `banks.main.base_url` → `OBOLE_BANKS_MAIN_BASE_URL`.
fn variable(path: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    PREFIX.chars().chain(path.chars().map(letter)).collect()
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn not_empty(reader: &mut Reader<'_>, (secret, place): (SecretString, Place)) -> Outcome<(SecretString, Place)> {
    if secret.expose_secret().is_empty() {
        return Err(reader.note(&place, "is empty", None));
    }
    Ok((secret, place))
}

impl Place {
    /// A key that is not in the file.
    pub(super) fn of_key(key: &str) -> Self {
        Place { key: key.to_owned(), ..Place::default() }
    }

    /// A part of the file.
    pub(super) fn in_file(span: Option<Range<usize>>) -> Self {
        Place { span, ..Place::default() }
    }
}
