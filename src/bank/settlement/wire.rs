//! The words of the Obole Settlement API, as they stand in its bodies. `openapi.json` beside this file is the same for others.
//!
//! Amounts are decimal texts such as `"10.00"` with exactly the currency's decimals; moments are RFC 3339 in UTC; a payment's id is the
//! client's own, at most 32 characters that every rail carries as `EndToEndId`. Unknown keys of an answer are skipped, so that a backend
//! may say more; in a request they are a mistake, so that nobody believes a wish was heard that was not.

use serde::{Deserialize, Serialize};

use crate::bank::BankStatus;
use crate::clock::Timestamp;
use crate::money::Money;

/// What a backend's capabilities call the protocol.
pub const PROTOCOL: &str = "obole-settlement";
/// The version this crate speaks.
pub const VERSION: &str = "1.0";
/// The longest id of a payment: with it, `EndToEndId` (35 characters) has room on every rail.
pub const ID_MAX: usize = 32;
/// How long a body of a request may be.
pub const LARGEST_REQUEST: usize = 16 * 1024;

/// The headers of a request.
pub mod header {
    /// The version of the protocol that the request speaks.
    pub const VERSION: &str = "obole-version";
    /// Which of the client's keys signed it.
    pub const KEY: &str = "obole-key";
    /// When it was signed, in seconds since 1970.
    pub const TIMESTAMP: &str = "obole-timestamp";
    /// The signature, 64 hexadecimal digits.
    pub const SIGNATURE: &str = "obole-signature";
    /// The headers of a webhook, by the Standard Webhooks specification.
    pub mod webhook {
        /// What names an event, the same on every delivery of it.
        pub const ID: &str = "webhook-id";
        /// When this delivery was signed, in seconds since 1970.
        pub const TIMESTAMP: &str = "webhook-timestamp";
        /// One signature for each secret in force, separated by spaces.
        pub const SIGNATURE: &str = "webhook-signature";
    }
}

/// Whether this can be the id of a payment: 1 to 32 letters and digits of ASCII.
pub fn is_payment_id(text: &str) -> bool {
    (1..=ID_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// `PUT /payments/{id}`: a payment to be carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaymentOrder {
    /// The same as in the address, so that a signature over the body covers it.
    pub id: String,
    /// How much, such as `"10.00"`.
    pub amount: String,
    /// ISO 4217.
    pub currency: String,
    /// Who pays.
    pub debtor: Debtor,
    /// Who receives.
    pub creditor: Creditor,
    /// What the payee reads, in the SEPA character set, at most 140 characters.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub remittance: Option<String>,
    /// From this moment on the payment is not taken any more.
    pub valid_until: Timestamp,
    /// Where the payer's browser goes after the bank's own page.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub return_url: Option<String>,
}

/// The account to be debited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Debtor {
    /// Its number.
    pub iban: String,
    /// What the payer agreed to at the bank when the account was linked (`/account-links`).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub account_link: Option<String>,
}

/// The account to be credited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Creditor {
    /// Its number.
    pub iban: String,
    /// Whose it is, in the SEPA character set, at most 70 characters.
    pub name: String,
}

/// How a payment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Taken; may still be refused.
    Received,
    /// Waits for the payer at the bank.
    AwaitingPayer,
    /// Will be carried out, as far as anybody can tell.
    Executing,
    /// The debtor is debited.
    Settled,
    /// Settled, and given back since.
    Returned,
    /// Never carried out.
    Refused,
    /// Never carried out, because the client took it back.
    Cancelled,
}

impl State {
    /// All of them.
    pub const ALL: [State; 7] = [
        State::Received,
        State::AwaitingPayer,
        State::Executing,
        State::Settled,
        State::Returned,
        State::Refused,
        State::Cancelled,
    ];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Received => "received",
            State::AwaitingPayer => "awaiting_payer",
            State::Executing => "executing",
            State::Settled => "settled",
            State::Returned => "returned",
            State::Refused => "refused",
            State::Cancelled => "cancelled",
        }
    }

    /// The state of this word.
    pub fn named(word: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Whether nothing but a return can follow.
    pub fn is_final(self) -> bool {
        matches!(self, State::Settled | State::Returned | State::Refused | State::Cancelled)
    }

    /// Whether a payment may go from here to there, at once or by way of states that nobody saw.
    pub fn may_become(self, next: State) -> bool {
        match self {
            State::Received => true,
            State::AwaitingPayer => next != State::Received,
            State::Executing => !matches!(next, State::Received | State::AwaitingPayer),
            State::Settled => matches!(next, State::Settled | State::Returned),
            State::Returned | State::Refused | State::Cancelled => next == self,
        }
    }
}

/// Why something was refused or given back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// ISO 20022 external code (`AM04`, `AC04`, `MS03`), or the bank's own.
    pub code: String,
    /// A sentence for the record.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub text: Option<String>,
}

/// What the payer still has to do at the bank.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextAction {
    /// `redirect`: open `url`. `decoupled`: the bank asks in its own app.
    pub kind: String,
    /// The bank's page.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub url: Option<String>,
    /// When the bank gives up waiting.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires_at: Option<Timestamp>,
}

/// A payment as the backend holds it: the whole of it, at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentView {
    /// The client's id.
    pub id: String,
    /// A word of [`State`].
    pub state: String,
    /// Grows by one with every change, from 1.
    pub sequence: u64,
    /// When it changed last.
    pub updated_at: Timestamp,
    /// What was ordered; missing from a tombstone, which stands for an order that never came.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub amount: Option<String>,
    /// As ordered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub currency: Option<String>,
    /// As ordered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub debtor: Option<Debtor>,
    /// As ordered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub creditor: Option<Creditor>,
    /// As ordered, to the letter.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub remittance: Option<String>,
    /// As ordered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub valid_until: Option<Timestamp>,
    /// The bank's own id of it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bank_reference: Option<String>,
    /// Why it was refused or returned.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<Reason>,
    /// What the payer has to do.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next_action: Option<NextAction>,
}

impl PaymentView {
    /// A payment of which nothing is known, to put together one of which something is.
    pub fn nothing() -> Self {
        PaymentView {
            id: String::new(),
            state: String::new(),
            sequence: 0,
            updated_at: Timestamp::UNIX_EPOCH,
            amount: None,
            currency: None,
            debtor: None,
            creditor: None,
            remittance: None,
            valid_until: None,
            bank_reference: None,
            reason: None,
            next_action: None,
        }
    }

    /// The state, if it is one of this version's.
    pub fn state(&self) -> Option<State> {
        State::named(&self.state)
    }

    /// The sum, if it can be read.
    pub fn money(&self) -> Option<Money> {
        money(self.amount.as_deref()?, self.currency.as_deref()?)
    }

    /// How it stands, in the port's terms.
    pub fn status(&self) -> BankStatus {
        let reason = || self.reason.as_ref().map_or_else(|| self.state.clone(), |reason| reason.code.clone());
        match self.state() {
            Some(State::Received | State::AwaitingPayer) => BankStatus::Received,
            Some(State::Executing) => BankStatus::Executing,
            Some(State::Settled) => BankStatus::Settled,
            Some(State::Returned) => BankStatus::Returned { reason: reason() },
            Some(State::Refused | State::Cancelled) => BankStatus::Rejected { reason: reason() },
            None => BankStatus::Unrecognised(self.state.chars().take(35).collect()),
        }
    }

    /// The bank's page, where the payer has one to go to. Only addresses of the web are believed.
    pub fn authorise_at(&self) -> Option<String> {
        let action = self.next_action.as_ref().filter(|_| self.state() == Some(State::AwaitingPayer))?;
        let url = url::Url::parse(action.url.as_deref()?).ok()?;
        matches!(url.scheme(), "http" | "https").then(|| url.to_string())
    }
}

/// A decimal text as money: exactly the currency's decimals, no sign unless it is an entry's.
pub fn money(amount: &str, currency: &str) -> Option<Money> {
    let money = Money::from_decimal(amount, currency.parse().ok()?).ok()?;
    (money.decimal_string() == amount).then_some(money)
}

/// What an error means for the money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// Nothing was taken; the same request may be made again.
    NotTaken,
    /// This request was not taken and never will be.
    Refused,
    /// Nobody can tell: look it up.
    Unknown,
}

/// The body of every error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: Problem,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What it means for the money.
    pub class: ErrorClass,
    /// One of [`super::openapi::ERRORS`].
    pub code: String,
    /// A sentence for a person.
    pub message: String,
    /// Which values are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub fields: Vec<WrongField>,
    /// With `unsupported_version`: those that are spoken.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub versions: Vec<String>,
}

/// A value that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrongField {
    /// Where it stands, as a JSON pointer (RFC 6901).
    pub path: String,
    /// What is wrong with it.
    pub message: String,
}

/// `GET /events`: what happened, in the order in which it happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventPage {
    /// At most a page of them.
    pub events: Vec<Event>,
    /// What to ask for `after` next; the one that was asked for, if there was nothing new.
    pub next: String,
}

/// Something that happened to a payment. It holds the whole payment, so that the order in which events arrive does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The event's own name.
    pub id: String,
    /// Its place in the feed.
    pub cursor: String,
    /// `payment.changed`.
    pub kind: String,
    /// When it happened.
    pub at: Timestamp,
    /// The payment after it.
    pub payment: PaymentView,
}

/// `PUT /webhook`: where events are to be pushed, and how they are to be signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Where.
    pub url: String,
    /// `whsec_` and base64. Two while one takes the other's place: every delivery then carries a signature by each.
    pub secrets: Vec<String>,
}

/// `GET /entries`: what was booked on a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryPage {
    /// The day, in UTC.
    pub date: jiff::civil::Date,
    /// At most a page of them.
    pub entries: Vec<BookedEntry>,
    /// What to ask for `after` next; missing from the last page.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next: Option<String>,
}

/// An entry of an account's statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookedEntry {
    /// The bank's id of the entry.
    pub id: String,
    /// `transfer` or `return`.
    pub kind: String,
    /// The payment's id, as every rail carried it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub end_to_end_id: Option<String>,
    /// The account.
    pub account: String,
    /// As seen from the account: a debit has a minus sign.
    pub amount: String,
    /// ISO 4217.
    pub currency: String,
    /// The other side's account.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub counterparty: Option<Creditor>,
    /// When it was booked.
    pub booked_at: Timestamp,
}

/// `POST /payee-verifications`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayeeQuestion {
    /// The account.
    pub iban: String,
    /// Whose it is said to be.
    pub name: String,
}

/// The answer: Verification of Payee (EPC218-23).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayeeAnswer {
    /// `match`, `close_match`, `no_match` or `not_possible`.
    pub result: String,
    /// With `close_match`: the account's true holder.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
}

/// `POST /account-links`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkWish {
    /// Where the payer's browser goes after the bank's own page.
    pub return_url: String,
}

/// An account holder's agreement that orders may be sent in their name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountLink {
    /// The bank's id of it.
    pub id: String,
    /// `pending`, `active` or `ended`.
    pub state: String,
    /// The bank's page, while it is pending.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub url: Option<String>,
    /// What it covers, while it is active.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub accounts: Vec<LinkedAccount>,
}

/// An account that a link covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkedAccount {
    /// Its number.
    pub iban: String,
    /// Whose it is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// ISO 4217.
    pub currency: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_written_in_one_way_only() {
        assert_eq!(money("10.00", "EUR").map(|money| money.minor), Some(1_000));
        assert_eq!(money("-0.01", "EUR").map(|money| money.minor), Some(-1));
        for bad in ["10", "10.0", "10.000", "10,00", "+10.00", " 10.00", "010.00", "1e3", "", "10.00 "] {
            assert_eq!(money(bad, "EUR"), None, "{bad:?}");
        }
        assert_eq!(money("10.00", "EURO"), None);
    }

    #[test]
    fn what_is_final_stays_but_for_a_return() {
        for from in State::ALL {
            assert!(from.may_become(from));
            for to in State::ALL.into_iter().filter(|to| *to != from && from.is_final()) {
                assert_eq!(from.may_become(to), (from, to) == (State::Settled, State::Returned), "{from:?} {to:?}");
            }
        }
        assert!(!State::Executing.may_become(State::Received));
    }

    #[test]
    fn an_id_fits_every_rail() {
        assert!(is_payment_id("0123456789abcdef0123456789abcdef"));
        for bad in ["", "0123456789abcdef0123456789abcdef0", "a-b", "é", "a b", "../a"] {
            assert!(!is_payment_id(bad), "{bad:?}");
        }
    }
}
