//! What a backend says of itself: `GET /capabilities`, the one address that needs no authentication.
//!
//! What is missing from the document is not declared, and what is not declared is not used. A document that cannot be used (another
//! protocol, no version of ours, no look-up by id) is a reason not to speak to the backend at all.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::SETTLED_BY;
use super::wire::{PROTOCOL, VERSION};
use crate::clock::Timestamp;

/// The document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// `obole-settlement`.
    pub protocol: String,
    /// The versions that are spoken.
    pub versions: Vec<String>,
    /// What the bank calls itself.
    pub name: String,
    /// `sct`, `sct_inst`, `card`, `wallet`.
    pub products: Vec<String>,
    /// The currencies, with the least and the most of one payment.
    pub currencies: Vec<CurrencyRange>,
    /// How a client may prove who it is: `none`, `hmac`, `mtls`.
    pub authentication: Vec<String>,
    /// How long a payment's id is remembered with its outcome. Missing: for ever.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key_retention_seconds: Option<u64>,
    /// The longest time from an order's sending to its `valid_until`.
    pub longest_validity_seconds: u64,
    /// By how much the backend's clock may be wrong.
    pub clock_skew_seconds: u64,
    /// A payment that is not executed can be taken back.
    #[serde(default)]
    pub cancel: bool,
    /// Payments that come back are told as `returned`.
    #[serde(default)]
    pub returns: bool,
    /// `/payee-verifications` answers.
    #[serde(default)]
    pub payee_verification: bool,
    /// `/entries` answers.
    #[serde(default)]
    pub entries: bool,
    /// `/events` answers.
    #[serde(default)]
    pub events: bool,
    /// `/webhook` answers, and events are pushed.
    #[serde(default)]
    pub webhooks: bool,
    /// `/account-links` answers.
    #[serde(default)]
    pub account_links: bool,
    /// How payers authenticate: `redirect`, `decoupled`.
    #[serde(default)]
    pub sca: Vec<String>,
    /// Until when on a business day an order is executed on that day. Missing: at any time.
    #[serde(default)]
    pub cut_offs: Vec<CutOff>,
    /// Days on which nothing is executed, beside Saturdays and Sundays. Only with cut-offs.
    #[serde(default)]
    pub closed_days: Vec<jiff::civil::Date>,
    /// What a test environment has for the conformance kit; never in production.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub test: Option<TestGround>,
}

/// A currency and what one payment may come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CurrencyRange {
    /// ISO 4217.
    pub code: String,
    /// The least.
    pub min: String,
    /// The most.
    pub max: String,
}

/// The end of a day's work for a product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CutOff {
    /// Which product.
    pub product: String,
    /// `17:00`.
    pub time: String,
    /// `Europe/Paris`.
    pub time_zone: String,
}

/// What the conformance kit may play with. A profile (`--profile`) says the same for backends that do not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestGround {
    /// An account that may be debited, with enough on it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub debtor: Option<TestAccount>,
    /// An account that may be credited.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub creditor: Option<TestAccount>,
    /// Another one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub other_creditor: Option<TestAccount>,
    /// A sum that is carried out without the payer's help; `1.00` if missing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub amount: Option<String>,
    /// Sums at which something goes wrong on purpose.
    #[serde(default)]
    pub triggers: Vec<Trigger>,
    /// Questions to `/payee-verifications` with their answers.
    #[serde(default)]
    pub payees: Vec<TestPayee>,
    /// Where the backend's clock is read (GET) and set forward (POST `{"advance_seconds": 60}`); both answer `{"now": "…"}`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub clock: Option<String>,
}

/// An account of a test environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestAccount {
    /// Its number.
    pub iban: String,
    /// Whose it is.
    pub name: String,
}

/// A sum at which something goes wrong on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// `rate_limited`, `unavailable`, `error_after_taken`, `slow`, `refused`, `late_refusal`, `returned`, `needs_payer`.
    pub what: String,
    /// The sum.
    pub amount: String,
    /// The reason that is to be told, where one is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// A question about a payee, and the right answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestPayee {
    /// The account.
    pub iban: String,
    /// The name that is asked about.
    pub name: String,
    /// The right answer.
    pub result: String,
}

/// What a test environment's clock shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockFace {
    /// The moment.
    pub now: Timestamp,
}

/// Keys that outlive any payment's questions count as kept for ever.
const FOR_EVER: Duration = Duration::from_secs(10 * 366 * 24 * 3600);

impl Capabilities {
    /// How long ids are remembered.
    pub fn key_life(&self) -> Duration {
        self.key_retention_seconds.map_or(FOR_EVER, |seconds| Duration::from_secs(seconds).min(FOR_EVER))
    }

    /// Why Obole cannot work with this backend, in one sentence; `None` if it can.
    pub fn hindrance(&self) -> Option<String> {
        if self.protocol != PROTOCOL {
            return Some(format!("it speaks {:?} and not {PROTOCOL}", clipped(&self.protocol)));
        }
        if !self.versions.iter().any(|version| version == VERSION) {
            let theirs: Vec<String> = self.versions.iter().take(10).map(|version| clipped(version)).collect();
            return Some(format!("it speaks versions {} of the protocol and not {VERSION}", theirs.join(", ")));
        }
        if !self.currencies.iter().any(|currency| currency.code == "EUR") {
            return Some("it does not take euros".to_owned());
        }
        if self.longest_validity_seconds < SETTLED_BY.as_secs() {
            return Some(format!("it takes orders that are valid for {} s only", self.longest_validity_seconds));
        }
        // Until the order has run out, only the memory of its id keeps a repetition from being a second payment.
        if self.key_life() < 2 * SETTLED_BY {
            return Some(format!("it forgets a payment's id after {} s", self.key_life().as_secs()));
        }
        None
    }
}

fn clipped(text: &str) -> String {
    text.chars().take(40).collect()
}
