//! What is wrong with a configuration, for people (a drawing of the line) and for machines (JSON).
//!
//! A drawing shows lines of the file, so every secret in it is painted over first, also where the file cannot be read.

use std::fmt;
use std::ops::Range;

use miette::{Diagnostic, LabeledSpan, NamedSource, Severity, SourceSpan};
use serde::{Serialize, Serializer};

/// One mistake, or one thing to think about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mistake {
    /// The key, e.g. `banks.main.base_url`; empty where the file as a whole is meant.
    pub key: String,
    /// The line in the file, from 1; none for a mistake in the environment.
    pub line: Option<usize>,
    /// The column, from 1.
    pub column: Option<usize>,
    /// The environment variable that holds the value.
    pub variable: Option<String>,
    /// What is wrong, as the end of a sentence that begins with the key.
    pub message: String,
    /// What would help.
    pub help: Option<String>,
    /// Whether the configuration can be used all the same.
    #[serde(serialize_with = "severity_word")]
    pub severity: Severity,
    #[serde(skip)]
    pub(super) span: Option<Range<usize>>,
}

fn severity_word<S: Serializer>(severity: &Severity, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match severity {
        Severity::Error => "error",
        Severity::Warning | Severity::Advice => "warning",
    })
}

impl fmt::Display for Mistake {
    /// One sentence with line and key: `line 12: banks.main.base_url has to begin with https://`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.variable, self.line) {
            (Some(variable), _) => write!(formatter, "environment variable {variable}: ")?,
            (None, Some(line)) => write!(formatter, "line {line}: ")?,
            (None, None) => {}
        }
        if !self.key.is_empty() {
            write!(formatter, "{} ", self.key)?;
        }
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Mistake {}

impl Diagnostic for Mistake {
    fn severity(&self) -> Option<Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.span.clone()?;
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(Some("here".to_owned()), SourceSpan::from(span)))))
    }
}

/// A configuration that cannot be used: all of its mistakes at once, in the order of the file.
#[derive(Debug)]
pub struct ConfigError {
    file: String,
    text: NamedSource<String>,
    /// The mistakes; at least one is an error.
    pub mistakes: Vec<Mistake>,
}

impl ConfigError {
    /// `text` is what the file holds, `secrets` the places of secrets in it as far as they are known.
    pub(super) fn new(file: &str, text: &str, secrets: &[Range<usize>], mut mistakes: Vec<Mistake>) -> Self {
        mistakes.sort_by_key(|mistake| (mistake.span.as_ref().map_or(usize::MAX, |span| span.start), mistake.key.clone()));
        let shown = painted_over(text, secrets);
        for mistake in &mut mistakes {
            if let Some(span) = &mistake.span {
                let (line, column) = position(text, span.start);
                mistake.line = Some(line);
                mistake.column = Some(column);
            }
        }
        ConfigError { file: file.to_owned(), text: NamedSource::new(file, shown), mistakes }
    }

    /// For `--json`: one object with the file and the list of mistakes.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({ "file": self.file, "mistakes": self.mistakes })
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mistakes.len() {
            1 => write!(formatter, "{} has a mistake", self.file),
            several => write!(formatter, "{} has {several} mistakes", self.file),
        }
    }
}

impl std::error::Error for ConfigError {}

impl Diagnostic for ConfigError {
    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        Some(&self.text)
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.mistakes.iter().map(|mistake| mistake as &dyn Diagnostic)))
    }
}

/// Line and column, from 1, of a byte of the text.
pub(super) fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// Keys whose values are secret, wherever they stand.
const SECRET_KEYS: [&str; 4] = ["key", "access_token", "bearer_token", "password"];

/// The text with secrets replaced by stars, byte for byte, so that every place in it stays where it was: the given places, and for
/// files that cannot be parsed whatever follows the name of a secret key on its line, or stands before the at sign of a URL.
fn painted_over(text: &str, secrets: &[Range<usize>]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let mut paint = |range: Range<usize>| {
        for byte in bytes.get_mut(range).unwrap_or_default() {
            if *byte != b'\n' && *byte != b'\r' {
                *byte = b'*';
            }
        }
    };
    secrets.iter().cloned().for_each(&mut paint);
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        for key in SECRET_KEYS {
            for (at, _) in line.match_indices(key) {
                let after = &line[at + key.len()..];
                let value = after.trim_start_matches([' ', '\t', '"', '\'']);
                if value.starts_with('=') {
                    paint(start + at + key.len() + (after.len() - value.len()) + 1..start + line.len());
                }
            }
        }
        if let (Some(scheme), Some(at)) = (line.find("://"), line.rfind('@'))
            && scheme < at
        {
            paint(start + scheme + 3..start + at);
        }
        start += line.len();
    }
    // Only whole characters inside a range were painted if the ranges are the parser's; otherwise nothing is shown at all.
    String::from_utf8(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_painted_over_even_in_a_file_that_cannot_be_parsed() {
        let text = "[secrets\nkey = \"00ff\"\nkey_file = \"/run/key\"\nb = { bearer_token = 'é', c = 1 }\nurl = \"postgres://me:pw@host/db\"\n";
        let shown = painted_over(text, &[]);
        assert_eq!(shown.len(), text.len());
        assert!(!shown.contains("00ff") && !shown.contains('é') && !shown.contains("pw"), "{shown}");
        assert!(shown.contains("/run/key") && shown.contains("@host/db"), "{shown}");
    }

    #[test]
    fn places_are_counted_from_one() {
        assert_eq!(position("a\nbé c", 6), (2, 4));
        assert_eq!(position("", 0), (1, 1));
    }
}
