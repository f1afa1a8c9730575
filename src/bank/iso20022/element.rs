//! Elements that several messages share.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::iban::Iban;
use crate::money::{Currency, Money};

/// `…Amount` with its currency.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Amount {
    #[serde(rename = "@Ccy")]
    currency: String,
    #[serde(rename = "$text")]
    value: String,
}

impl Amount {
    pub(super) fn of(money: Money) -> Self {
        Amount { currency: money.currency.code().to_owned(), value: money.decimal_string() }
    }

    /// The money, if it is of a currency we know and written exactly.
    pub(super) fn money(&self) -> Option<Money> {
        let currency: Currency = self.currency.parse().ok()?;
        Money::from_decimal(&pad(self.value.trim(), currency)?, currency).ok()
    }
}

/// The schema's decimals may leave out or add zeros at the end (`10`, `10.5`, `10.500`), which are no other amounts.
fn pad(text: &str, currency: Currency) -> Option<String> {
    let decimals = usize::try_from(currency.decimals()).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if text.chars().any(|character| !character.is_ascii_digit() && character != '.') || !text.contains(|c: char| c.is_ascii_digit())
    {
        return None;
    }
    let whole = if whole.is_empty() { "0" } else { whole };
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > decimals {
        return None;
    }
    Some(if decimals == 0 { whole.to_owned() } else { format!("{whole}.{fraction:0<decimals$}") })
}

/// A party by its name.
#[derive(Debug, Serialize)]
pub(super) struct Party {
    #[serde(rename = "Nm")]
    name: String,
}

impl Party {
    pub(super) fn named(name: &str) -> Self {
        Party { name: name.to_owned() }
    }
}

/// An account by its IBAN; read, it may have another name instead.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Account {
    #[serde(rename = "Id")]
    id: AccountId,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct AccountId {
    #[serde(rename = "IBAN", default, skip_serializing_if = "Option::is_none")]
    iban: Option<String>,
}

impl Account {
    pub(super) fn of(iban: &str) -> Self {
        Account { id: AccountId { iban: Some(iban.to_owned()) } }
    }

    /// The IBAN, where it is one.
    pub(super) fn iban(&self) -> Option<Iban> {
        self.id.iban.as_deref()?.parse().ok()
    }
}

/// A bank by its BIC, or the words for "not said" (EPC132-08, 2.7: IBAN only).
#[derive(Debug, Serialize)]
pub(super) struct Agent {
    #[serde(rename = "FinInstnId")]
    institution: Institution,
}

#[derive(Debug, Serialize)]
struct Institution {
    #[serde(rename = "BICFI", skip_serializing_if = "Option::is_none")]
    bic: Option<String>,
    #[serde(rename = "Othr", skip_serializing_if = "Option::is_none")]
    other: Option<OtherId>,
}

#[derive(Debug, Serialize)]
struct OtherId {
    #[serde(rename = "Id")]
    id: &'static str,
}

impl Agent {
    pub(super) fn with_bic(bic: &str) -> Self {
        Agent { institution: Institution { bic: Some(bic.to_owned()), other: None } }
    }

    pub(super) fn not_provided() -> Self {
        Agent { institution: Institution { bic: None, other: Some(OtherId { id: "NOTPROVIDED" }) } }
    }
}

/// `ISODateTime`, to the second.
pub(super) fn moment(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The whole file.
pub(super) fn document(content: &impl Serialize) -> anyhow::Result<String> {
    let body = quick_xml::se::to_string_with_root("Document", content)?;
    Ok(format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}\n"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(value: &str, currency: &str) -> Option<Money> {
        Amount { currency: currency.to_owned(), value: value.to_owned() }.money()
    }

    #[test]
    fn amounts_are_read_exactly_or_not_at_all() {
        for value in ["10", "10.", "10.0", "10.00", "10.000", " 10.00 "] {
            assert_eq!(read(value, "EUR").map(|money| money.minor), Some(1_000), "{value}");
        }
        assert_eq!(read(".5", "EUR").map(|money| money.minor), Some(50));
        for value in ["10.001", "10,00", "-", "1e3", "", "ten", "10.00.00"] {
            assert_eq!(read(value, "EUR"), None, "{value}");
        }
        assert_eq!(read("10.00", "EURO"), None);
    }

    proptest! {
        #[test]
        fn every_amount_survives_the_way_there_and_back(minor in 1_i64..99_999_999_999) {
            let money = Money::new(minor, Currency::EUR);
            prop_assert_eq!(Amount::of(money).money(), Some(money));
        }
    }
}
