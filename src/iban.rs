//! The IBAN (ISO 13616) of a payer's or a payee's account.
//!
//! A value of this type has the right length and check digits for its country. It is personal data: `Debug` shows the
//! country and the last four characters only, so an account number cannot slip into a log line by accident.

use std::fmt;
use std::str::FromStr;

use iban::IbanLike as _;
use serde::{Deserialize, Serialize};

/// A valid IBAN, kept in its electronic form (no spaces).
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Iban(String);

/// Not an IBAN: wrong characters, length or check digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a valid IBAN (length or check digits are wrong)")]
pub struct NotAnIban;

impl Iban {
    /// The electronic form, e.g. `FR7630006000011234567890189`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What may be shown to somebody who knows the account: `FR76 … 0189`.
    pub fn masked(&self) -> String {
        format!("{} … {}", &self.0[..4], &self.0[self.0.len() - 4..])
    }

    /// Groups of four, as printed on paper.
    pub fn printed(&self) -> String {
        let groups: Vec<String> = self.0.as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group).into_owned()).collect();
        groups.join(" ")
    }
}

impl FromStr for Iban {
    type Err = NotAnIban;

    /// Accepts the electronic form and the printed one; refuses anything whose country, length or check digits are wrong.
    fn from_str(text: &str) -> Result<Self, NotAnIban> {
        let parsed: iban::Iban = text.trim().parse().map_err(|_| NotAnIban)?;
        Ok(Iban(parsed.electronic_str().to_owned()))
    }
}

impl TryFrom<String> for Iban {
    type Error = NotAnIban;
    fn try_from(text: String) -> Result<Self, NotAnIban> {
        text.parse()
    }
}

impl From<Iban> for String {
    fn from(iban: Iban) -> String {
        iban.0
    }
}

impl fmt::Debug for Iban {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Iban({})", self.masked())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_valid_account_numbers_pass() {
        let iban: Iban = "FR76 3000 6000 0112 3456 7890 189".parse().unwrap();
        assert_eq!(iban.as_str(), "FR7630006000011234567890189");
        assert_eq!(iban.printed(), "FR76 3000 6000 0112 3456 7890 189");
        assert!("FR7630006000011234567890188".parse::<Iban>().is_err());
        assert!("".parse::<Iban>().is_err());
    }

    #[test]
    fn debug_output_does_not_reveal_the_account() {
        let iban: Iban = "FR7630006000011234567890189".parse().unwrap();
        assert_eq!(format!("{iban:?}"), "Iban(FR76 … 0189)");
    }
}
