//! Reading an order strictly: every wrong value is named by where it stands.

use serde_json::Value;

use super::State;
use super::defect;
use super::failure::Failure;
use crate::bank::sepa;
use crate::bank::settlement::wire::{Creditor, Debtor, ErrorClass, PaymentOrder, WrongField, is_payment_id, money};
use crate::clock::Timestamp;
use crate::iban::Iban;

/// The most that one payment may come to, in minor units: SEPA's 999,999,999.99.
pub(super) const LARGEST: &str = "999999999.99";
/// The least.
pub(super) const SMALLEST: &str = "0.01";
/// Addresses longer than this are no addresses.
const LONGEST_ADDRESS: usize = 2_048;

/// Reads texts out of an object, and keeps what is wrong.
struct Reader<'a> {
    root: &'a Value,
    wrong: Vec<WrongField>,
}

impl<'a> Reader<'a> {
    fn wrong(&mut self, path: &str, message: impl Into<String>) {
        self.wrong.push(WrongField { path: path.to_owned(), message: message.into() });
    }

    fn object(&mut self, path: &str, known: &[&str]) {
        match self.root.pointer(path) {
            Some(Value::Object(object)) => {
                for key in object.keys().filter(|key| !known.contains(&key.as_str())) {
                    self.wrong(&format!("{path}/{key}"), "is not a key of an order");
                }
            }
            Some(_) => self.wrong(path, "has to be an object"),
            None => self.wrong(path, "is missing"),
        }
    }

    fn optional(&mut self, path: &str) -> Option<&'a str> {
        match self.root.pointer(path) {
            None => None,
            Some(Value::String(text)) => Some(text),
            Some(_) => {
                self.wrong(path, "has to be a text");
                None
            }
        }
    }

    fn required(&mut self, path: &str) -> Option<&'a str> {
        let found = self.optional(path);
        if found.is_none() && self.root.pointer(path).is_none() {
            self.wrong(path, "is missing");
        }
        found
    }

    fn sepa(&mut self, path: &str, text: &str, max: usize) {
        if text.is_empty() || text.chars().count() > max {
            self.wrong(path, format!("has to have 1 to {max} characters"));
        } else if !sepa::is_sepa_text(text) {
            self.wrong(path, "has characters that SEPA does not carry");
        }
    }

    fn iban(&mut self, path: &str, any: bool) -> Option<String> {
        let text = self.required(path)?;
        let is_valid = text.parse::<Iban>().is_ok_and(|iban| iban.as_str() == text);
        if !is_valid && !any {
            self.wrong(path, "is not an IBAN: country, length or check digits are wrong, or there are spaces in it");
        }
        Some(text.to_owned())
    }
}

/// Reads the order in a body that came to `/payments/{id}`.
pub(super) fn read(state: &State, id: &str, body: &[u8]) -> Result<PaymentOrder, Failure> {
    let wrong = |failure: Failure| {
        let lies = state.makes(defect::WRONG_CLASS) && failure.is_invalid();
        if lies { failure.called(ErrorClass::NotTaken) } else { failure }
    };
    let root: Value = serde_json::from_slice(body).map_err(|error| Failure::new("malformed", format!("No JSON: {error}")))?;
    let mut reader = Reader { root: &root, wrong: Vec::new() };
    if state.makes(defect::EXTRA_FIELDS) {
        if !root.is_object() {
            reader.wrong("", "has to be an object");
        }
    } else {
        reader.object("", &["id", "amount", "currency", "debtor", "creditor", "remittance", "valid_until", "return_url"]);
        reader.object("/debtor", &["iban", "account_link"]);
        reader.object("/creditor", &["iban", "name"]);
    }
    let named = reader.required("/id").unwrap_or_default();
    if !is_payment_id(id) {
        reader.wrong("/id", "has to be 1 to 32 letters and digits, in the address, too");
    } else if named != id {
        reader.wrong("/id", "is not the id in the address");
    }
    let currency = reader.required("/currency").unwrap_or_default().to_owned();
    if currency != "EUR" {
        reader.wrong("/currency", "is not served; EUR is");
    }
    let amount = amount(state, &mut reader, &currency);
    let any_iban = state.makes(defect::ANY_IBAN);
    let debtor = reader.iban("/debtor/iban", any_iban).unwrap_or_default();
    let creditor = reader.iban("/creditor/iban", any_iban).unwrap_or_default();
    let mut name = reader.required("/creditor/name").unwrap_or_default().to_owned();
    let mut remittance = reader.optional("/remittance").map(str::to_owned);
    if state.makes(defect::LOSES_SIGNS) {
        let kept = |text: &str| text.chars().filter(|character| sepa::is_sepa_text(&character.to_string())).collect::<String>();
        name = kept(&name);
        remittance = remittance.map(|text| kept(&text));
    }
    if reader.root.pointer("/creditor/name").is_some() {
        reader.sepa("/creditor/name", &name, sepa::NAME_MAX);
    }
    if let Some(text) = &remittance {
        reader.sepa("/remittance", text, sepa::REMITTANCE_MAX);
    }
    let valid_until = reader.required("/valid_until").and_then(|text| {
        let read = text.parse::<Timestamp>();
        if read.is_err() {
            reader.wrong("/valid_until", "is not a moment such as 2026-11-21T10:10:00Z");
        }
        read.ok()
    });
    let return_url = reader.optional("/return_url").map(str::to_owned);
    let is_address = |text: &String| {
        text.len() <= LONGEST_ADDRESS && url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
    };
    if return_url.as_ref().is_some_and(|text| !is_address(text)) {
        reader.wrong("/return_url", "is not an address of the web");
    }
    let account_link = reader.optional("/debtor/account_link").map(str::to_owned);
    let (Some(valid_until), true) = (valid_until, reader.wrong.is_empty()) else {
        return Err(wrong(Failure::invalid(reader.wrong)));
    };
    // What a value type does not show: a key that is there twice.
    if !state.makes(defect::EXTRA_FIELDS)
        && let Err(error) = serde_json::from_slice::<PaymentOrder>(body)
    {
        return Err(wrong(Failure::field("", error.to_string())));
    }
    Ok(PaymentOrder {
        id: id.to_owned(),
        amount,
        currency,
        debtor: Debtor { iban: debtor, account_link },
        creditor: Creditor { iban: creditor, name },
        remittance,
        valid_until,
        return_url,
    })
}

fn amount(state: &State, reader: &mut Reader<'_>, currency: &str) -> String {
    let Some(text) = reader.required("/amount") else { return String::new() };
    let rounded = text.rsplit_once('.').filter(|(_, decimals)| decimals.len() == 3 && state.makes(defect::THREE_DECIMALS));
    let text = rounded.map_or_else(|| text.to_owned(), |(whole, decimals)| format!("{whole}.{}", &decimals[..2]));
    let largest = money(LARGEST, "EUR").map_or(0, |money| money.minor);
    match money(&text, if currency.is_empty() { "EUR" } else { currency }) {
        Some(money) if money.minor < 1 => reader.wrong("/amount", "has to be more than nothing"),
        Some(money) if money.minor > largest => reader.wrong("/amount", format!("is more than {LARGEST}")),
        Some(_) => {}
        None => reader.wrong("/amount", "has to be a text with two decimals, such as 10.00"),
    }
    text
}

/// What `half-body` makes of an order that broke off: whatever can be found in it.
pub(super) fn guess(id: &str, partial: &[u8], now: Timestamp) -> Option<PaymentOrder> {
    let text = String::from_utf8_lossy(partial);
    let after = |key: &str, from: usize| {
        let at = text.get(from..)?.find(&format!("\"{key}\""))? + from;
        let rest = text.get(at + key.len() + 2..)?.trim_start_matches([':', ' ']).strip_prefix('"')?;
        rest.split_once('"').map(|(value, _)| value.to_owned())
    };
    let creditor_at = text.find("\"creditor\"")?;
    Some(PaymentOrder {
        id: id.to_owned(),
        amount: after("amount", 0)?,
        currency: "EUR".to_owned(),
        debtor: Debtor { iban: after("iban", text.find("\"debtor\"")?)?, account_link: None },
        creditor: Creditor { iban: after("iban", creditor_at)?, name: "unknown".to_owned() },
        remittance: None,
        valid_until: crate::clock::later(now, std::time::Duration::from_secs(600)),
        return_url: None,
    })
}
