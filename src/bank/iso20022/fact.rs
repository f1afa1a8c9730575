//! What an inbound file tells, in our words, as it is kept in the journal.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::iban::Iban;
use crate::money::Money;

/// Why a file is put aside: one clause that follows "the file … was put aside: ".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unreadable(pub(super) String);

/// A status with its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Said {
    /// ISO 20022 external status code, or whatever the bank wrote.
    pub(super) code: String,
    /// Why, by its code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    /// What the bank adds in words: with a close match of the payee's name, that name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<String>,
}

/// The file that tells about an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Source {
    /// camt.053: the statement of a day.
    Statement,
    /// camt.054: single entries, as they happen. The statement shows them again.
    Notification,
}

/// One thing that a file tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Fact {
    /// How all of a file of ours stands.
    File { message_id: String, said: Said },
    /// How one payment information of a file stands.
    Batch { message_id: String, batch_id: String, said: Said },
    /// How one transfer stands; amount and creditor as the bank repeats them.
    Transfer { message_id: String, end_to_end: String, amount: Option<Money>, creditor: Option<Iban>, said: Said },
    /// Entries of an account that carry a reference of ours. Others are not kept: they are nobody's business here.
    Account { iban: Iban, source: Source, statement_id: String, complete_through: Option<Date>, entries: Vec<BookedEntry> },
    /// What became of a recall.
    Recall { end_to_end: String, answer: RecallAnswer },
    /// What became of a mandate that the bank was asked for.
    Mandate { id: String, standing: MandateStanding },
}

/// A booked entry of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BookedEntry {
    /// The bank's reference of it.
    pub(super) id: String,
    /// The payment key it carries.
    pub(super) end_to_end: String,
    /// Signed as seen from the account.
    pub(super) amount: Money,
    /// The other side.
    pub(super) counterparty: Option<Iban>,
    /// The day it was booked.
    pub(super) booked_on: Option<Date>,
    /// Why it came back, if it is a return.
    pub(super) return_reason: Option<String>,
}

/// An answer to a recall.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum RecallAnswer {
    /// CNCL: the transfer is cancelled, or the money is on its way back.
    Cancelled,
    /// RJCR: it stands, and why.
    Refused(Option<String>),
    /// PDCR and whatever else: not decided.
    Pending,
}

/// How a mandate stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub(super) enum MandateStanding {
    /// Given, for these accounts.
    Given {
        /// Which may be debited.
        accounts: Vec<MandatedAccount>,
    },
    /// Refused by the account holder.
    Refused,
    /// Ended, by the holder or the bank.
    Ended,
}

/// An account that a mandate lets us debit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MandatedAccount {
    /// Its number.
    pub(super) iban: Iban,
    /// Its holder's name, which a transfer shows.
    pub(super) name: String,
}
