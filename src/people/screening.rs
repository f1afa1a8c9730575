//! Screening: whom the law forbids to pay for or to pay, asked before a payer is asked and again before a bank is.
//!
//! The port answers at once, from what it holds: it is asked while a decision is made, and no call goes out meanwhile. A service
//! on the network is mirrored into a list and the list refreshed beside; a list that is too old to be trusted is
//! [`Verdict::Unavailable`], and that stops an order as a finding does (it fails closed).
//!
//! [`SanctionsList`] is the first implementation: a file of names and account numbers, one a line, as an operator makes from the
//! consolidated list of the European Union (Council Regulation (EC) No 2580/2001 and its like) or from their bank's.

use std::collections::HashSet;
use std::path::Path;

use unicode_normalization::UnicodeNormalization as _;

use crate::iban::Iban;

/// One side of a payment, as far as it is screened.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The name, where we know it: a payee's verified legal name. Of payers we keep none.
    pub name: Option<&'a str>,
    /// The account.
    pub iban: &'a Iban,
}

/// What screening says about a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing speaks against it.
    Clear,
    /// Something does; an operator has to look. The finding is for the operator only.
    Found {
        /// In the words of the list.
        finding: String,
    },
    /// It could not be asked.
    Unavailable {
        /// Why.
        why: String,
    },
}

/// Something that is asked about every payment.
pub trait Screening: Send + Sync {
    /// What is known about the two sides of a payment.
    fn screen(&self, debtor: Subject<'_>, creditor: Subject<'_>) -> Verdict;

    /// Which list answered, for the audit line.
    fn version(&self) -> String;
}

/// Screening where none is configured: says so in every audit line.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoScreening;

impl Screening for NoScreening {
    fn screen(&self, _: Subject<'_>, _: Subject<'_>) -> Verdict {
        Verdict::Clear
    }

    fn version(&self) -> String {
        "none".to_owned()
    }
}

/// A list of names and account numbers that nobody may pay or be paid under.
#[derive(Debug, Clone)]
pub struct SanctionsList {
    names: HashSet<String>,
    ibans: HashSet<String>,
    version: String,
}

/// Why a list cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The file cannot be read.
    #[error("the sanctions list {path} cannot be read: {source}")]
    Unreadable {
        /// Which file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A line that is neither a name nor an account number.
    #[error("{path}, line {line}: {why}")]
    Line {
        /// Which file.
        path: String,
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// A list of nobody is more likely a mistake than a world without sanctions.
    #[error("the sanctions list {path} names nobody")]
    Empty {
        /// Which file.
        path: String,
    },
}

impl SanctionsList {
    /// Reads a list: `name: …` or `iban: …` a line, empty lines and lines after `#` aside.
    pub fn read(path: &Path) -> Result<Self, ListError> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|source| ListError::Unreadable { path: shown.clone(), source })?;
        SanctionsList::parse(&shown, &text)
    }

    fn parse(path: &str, text: &str) -> Result<Self, ListError> {
        use sha2::{Digest as _, Sha256};
        let mut list =
            SanctionsList { names: HashSet::new(), ibans: HashSet::new(), version: crate::ids::hex(&Sha256::digest(text)[..8]) };
        for (place, line) in text.lines().enumerate() {
            let line = line.trim();
            let wrong = |why: &str| ListError::Line { path: path.to_owned(), line: place + 1, why: why.to_owned() };
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match line.split_once(':').map(|(what, value)| (what.trim(), value.trim())) {
                Some(("name", name)) if !key(name).is_empty() => list.names.insert(key(name)),
                Some(("name", _)) => return Err(wrong("the name has no letter or digit")),
                Some(("iban", iban)) => match iban.parse::<Iban>() {
                    Ok(iban) => list.ibans.insert(iban.as_str().to_owned()),
                    Err(error) => return Err(wrong(&error.to_string())),
                },
                _ => return Err(wrong("a line is `name: …`, `iban: …` or a comment after `#`")),
            };
        }
        if list.names.is_empty() && list.ibans.is_empty() {
            return Err(ListError::Empty { path: path.to_owned() });
        }
        Ok(list)
    }
}

impl Screening for SanctionsList {
    fn screen(&self, debtor: Subject<'_>, creditor: Subject<'_>) -> Verdict {
        for (side, subject) in [("debtor", debtor), ("creditor", creditor)] {
            if self.ibans.contains(subject.iban.as_str()) {
                return Verdict::Found { finding: format!("the {side}'s account is on list {}", self.version) };
            }
            if subject.name.is_some_and(|name| self.names.contains(&key(name))) {
                return Verdict::Found { finding: format!("the {side}'s name is on list {}", self.version) };
            }
        }
        Verdict::Clear
    }

    fn version(&self) -> String {
        self.version.clone()
    }
}

/// A name as it is compared: letters and digits only, without marks, lower case, words in one order, so that neither accents nor
/// "Family, First" hide anybody.
fn key(name: &str) -> String {
    let bare: String = name
        .nfkd()
        .flat_map(char::to_lowercase)
        .filter(|letter| !unicode_normalization::char::is_combining_mark(*letter))
        .map(|letter| if letter.is_alphanumeric() { letter } else { ' ' })
        .collect();
    let mut words: Vec<&str> = bare.split_whitespace().collect();
    words.sort_unstable();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> SanctionsList {
        SanctionsList::parse("list", "# a comment\n\nname: Müller, Jörg\niban: FR76 3000 6000 0112 3456 7890 189\n").unwrap()
    }

    fn iban(text: &str) -> Iban {
        text.parse().unwrap()
    }

    #[test]
    fn a_name_is_found_without_its_accents_and_in_any_order() {
        let clean = iban("DE89370400440532013000");
        let debtor = Subject { name: None, iban: &clean };
        let verdict = |name| list().screen(debtor, Subject { name: Some(name), iban: &clean });
        assert!(matches!(verdict("JORG MULLER"), Verdict::Found { .. }));
        assert_eq!(verdict("Jörg Schmidt"), Verdict::Clear);
    }

    #[test]
    fn an_account_is_found_on_either_side() {
        let (listed, clean) = (iban("FR7630006000011234567890189"), iban("DE89370400440532013000"));
        let side = |iban| Subject { name: None, iban };
        assert!(matches!(list().screen(side(&listed), side(&clean)), Verdict::Found { .. }));
        assert!(matches!(list().screen(side(&clean), side(&listed)), Verdict::Found { .. }));
        assert_eq!(list().screen(side(&clean), side(&clean)), Verdict::Clear);
    }

    #[test]
    fn a_list_that_cannot_be_understood_is_refused_with_its_line() {
        let error = |text| SanctionsList::parse("list", text).unwrap_err().to_string();
        assert_eq!(error("name: A\nMallory"), "list, line 2: a line is `name: …`, `iban: …` or a comment after `#`");
        assert_eq!(error("# nobody\n"), "the sanctions list list names nobody");
        assert!(error("iban: FR00").starts_with("list, line 1: "));
    }
}
