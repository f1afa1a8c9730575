//! What the kit found, for people, programs and build servers.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

pub use super::wire::Exchange;
use crate::clock::Timestamp;

/// What came of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome", content = "why")]
pub enum Outcome {
    /// As it has to be.
    Passed,
    /// Asked of every backend, or declared by this one, and not so.
    Failed(String),
    /// Not declared, so nothing is owed.
    NotDeclared(String),
    /// Could not be tried from here; the sentence says what it takes.
    NotTried(String),
}

impl Outcome {
    /// One or two words.
    pub fn word(&self) -> &'static str {
        match self {
            Outcome::Passed => "passed",
            Outcome::Failed(_) => "FAILED",
            Outcome::NotDeclared(_) => "not declared",
            Outcome::NotTried(_) => "not tried",
        }
    }

    /// Why it is not simply passed.
    pub fn why(&self) -> &str {
        match self {
            Outcome::Passed => "",
            Outcome::Failed(why) | Outcome::NotDeclared(why) | Outcome::NotTried(why) => why,
        }
    }
}

/// A check and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckReport {
    /// `C1`.
    pub id: String,
    /// What it is about.
    pub title: String,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// How long it took.
    pub milliseconds: u64,
}

/// Everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The backend's address.
    pub url: String,
    /// What it calls itself.
    pub backend: String,
    /// The version of the protocol that was checked.
    pub version: String,
    /// What chance was made from.
    pub seed: u64,
    /// When it began; payments' ids are made from it and the seed.
    pub began_at: Timestamp,
    /// How long all of it took.
    pub milliseconds: u64,
    /// The checks, in order.
    pub checks: Vec<CheckReport>,
    /// Every exchange.
    pub exchanges: Vec<Exchange>,
}

impl Report {
    /// Whether nothing failed.
    pub fn is_green(&self) -> bool {
        !self.checks.iter().any(|check| matches!(check.outcome, Outcome::Failed(_)))
    }

    /// How many there are of an outcome's word.
    pub fn count(&self, word: &str) -> usize {
        self.checks.iter().filter(|check| check.outcome.word() == word).count()
    }

    /// The table, and the sum of it.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for check in &self.checks {
            let _ = writeln!(out, "{}", line(check));
        }
        let parts = ["passed", "FAILED", "not declared", "not tried"]
            .map(|word| (self.count(word), word.to_lowercase()))
            .into_iter()
            .filter(|(count, word)| *count > 0 || word == "passed" || word == "failed");
        let sums: Vec<String> = parts.map(|(count, word)| format!("{count} {word}")).collect();
        let _ = write!(
            out,
            "\n{} at {}: {}. {} exchanges in {:.1} s, protocol {}, seed {}.",
            self.backend,
            self.url,
            sums.join(", "),
            self.exchanges.len(),
            f64::from(u32::try_from(self.milliseconds).unwrap_or(u32::MAX)) / 1000.0,
            self.version,
            self.seed,
        );
        out
    }

    /// Pretty JSON, every exchange in it.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }

    /// JUnit XML: what was not declared or not tried counts as skipped; a failed check brings its exchanges along.
    pub fn junit(&self) -> String {
        let skipped = self.count("not declared") + self.count("not tried");
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        let _ = writeln!(
            out,
            "<testsuite name=\"obole bank check\" tests=\"{}\" failures=\"{}\" skipped=\"{skipped}\" errors=\"0\" time=\"{}\" timestamp=\"{}\">",
            self.checks.len(),
            self.count("FAILED"),
            seconds(self.milliseconds),
            self.began_at,
        );
        let properties = [("url", self.url.as_str()), ("backend", &self.backend), ("seed", &self.seed.to_string())];
        let _ = writeln!(out, "  <properties>");
        for (name, value) in properties {
            let _ = writeln!(out, "    <property name=\"{name}\" value=\"{}\"/>", escaped(value));
        }
        let _ = writeln!(out, "  </properties>");
        for check in &self.checks {
            let name = escaped(&format!("{} {}", check.id, check.title));
            let _ = write!(out, "  <testcase classname=\"settlement\" name=\"{name}\" time=\"{}\"", seconds(check.milliseconds));
            let why = escaped(check.outcome.why());
            match &check.outcome {
                Outcome::Passed => {
                    let _ = writeln!(out, "/>");
                }
                Outcome::NotDeclared(_) | Outcome::NotTried(_) => {
                    let _ = writeln!(out, "><skipped message=\"{}: {why}\"/></testcase>", check.outcome.word());
                }
                Outcome::Failed(_) => {
                    let _ = writeln!(out, "><failure message=\"{why}\"/><system-out>");
                    for exchange in self.exchanges.iter().filter(|exchange| exchange.check == check.id) {
                        let line = serde_json::to_string(exchange).unwrap_or_default();
                        let _ = writeln!(out, "{}", escaped(&line));
                    }
                    let _ = writeln!(out, "</system-out></testcase>");
                }
            }
        }
        out.push_str("</testsuite>\n");
        out
    }
}

/// A check in a line.
pub fn line(check: &CheckReport) -> String {
    let head = format!(
        "{:<4}{:<13}{:>6}  {}",
        check.id,
        check.outcome.word(),
        format!("{:.1}s", f64::from(u32::try_from(check.milliseconds).unwrap_or(u32::MAX)) / 1000.0),
        check.title
    );
    match check.outcome.why() {
        "" => head,
        why => format!("{head}\n{:25}{why}", ""),
    }
}

fn seconds(milliseconds: u64) -> String {
    format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000)
}

/// For XML: marks escaped, and characters left out that XML 1.0 has no place for.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(character),
            character if character.is_control() => {}
            '\u{fffe}' | '\u{ffff}' => {}
            character => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_tell_failed_from_not_declared_and_not_tried() {
        let check =
            |id: &str, outcome| CheckReport { id: id.to_owned(), title: "a <title>".to_owned(), outcome, milliseconds: 1_234 };
        let report = Report {
            url: "http://127.0.0.1:8090/".to_owned(),
            backend: "Bank & Sons".to_owned(),
            version: "1.0".to_owned(),
            seed: 7,
            began_at: Timestamp::UNIX_EPOCH,
            milliseconds: 2_000,
            checks: vec![
                check("C1", Outcome::Passed),
                check("C2", Outcome::Failed("twice \"booked\"".to_owned())),
                check("C19", Outcome::NotDeclared("payee_verification".to_owned())),
                check("C10", Outcome::NotTried("needs --restart-cmd".to_owned())),
            ],
            exchanges: Vec::new(),
        };
        assert!(!report.is_green());
        let text = report.text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.first(), Some(&"C1  passed         1.2s  a <title>"));
        assert_eq!(lines.get(1), Some(&"C2  FAILED         1.2s  a <title>"));
        assert_eq!(lines.get(2).map(|line| line.trim()), Some("twice \"booked\""));
        assert!(text.contains("C19 not declared   1.2s") && text.contains("C10 not tried      1.2s"), "{text}");
        let sum = "Bank & Sons at http://127.0.0.1:8090/: 1 passed, 1 failed, 1 not declared, 1 not tried. \
                   0 exchanges in 2.0 s, protocol 1.0, seed 7.";
        assert_eq!(lines.last(), Some(&sum));
        let junit = report.junit();
        for part in [
            "tests=\"4\" failures=\"1\" skipped=\"2\"",
            "name=\"C1 a &lt;title&gt;\" time=\"1.234\"/>",
            "<failure message=\"twice &quot;booked&quot;\"/>",
            "<skipped message=\"not declared: payee_verification\"/>",
            "value=\"Bank &amp; Sons\"",
        ] {
            assert!(junit.contains(part), "{part} is not in {junit}");
        }
        assert_eq!(serde_json::from_str::<Report>(&report.json().unwrap()).unwrap(), report);
    }
}
