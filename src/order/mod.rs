//! Orders: what one post asks and one person confirms, and the one payment per recipient that follows.
//!
//! This is the pure core. [`decide`] takes an order, something that happened and the time, and gives the order as it is
//! afterwards together with what has to be done outside; it reads nothing else and does nothing itself. Who stores the
//! result commits three things at once: the order, a line of audit, and the effects. What the outside says comes back as the
//! next event.
//!
//! ```text
//!                  ┌─▶ Rejected                                 ┌─▶ Expired (not submitted in time)
//!  a post ─▶ AwaitingPayer ─▶ AwaitingConfirmation ─▶ Confirmed ┴─▶ Ready ─▶ Submitting ─▶ Executing ─▶ Settled ─▶ Returned
//!                  │  ▲              │      ▲                          │  ▲        │ └──▶ AwaitingBank ─┤        └─▶ Disputed
//!                  │ AwaitingPayee ──┤     Held                        │  └────────┤                    ├─▶ Failed ─▶ Disputed
//!                  └──────────────┬──┘                                 │   not     └──▶ Unknown ────────┘
//!                                 └─▶ Cancelled, Expired               └─▶ Failed (voided)
//! ```
//!
//! The left half is the order's own state ([`OrderState`]), the right half each payment's ([`PaymentState`]). After
//! confirmation an order's standing is read from its payments.

pub mod effect;
pub mod event;
pub mod policy;
mod settlement;
pub mod state;
mod transition;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::iban::Iban;
use crate::ids::{AccountId, BankName, Channel, OrderId, PayeeId, PaymentKey, PersonId, PlatformName, PostId};
use crate::money::Money;
use crate::people::{Class, Language};

pub use effect::{Effect, Notice};
pub use event::{Answer, BankSaid, Event, Resolution};
pub use policy::{Limits, PasskeyStanding, Policy, Rail, Timing};
pub use state::{CancelledBy, Hold, Means, OrderState, PaymentState, Rejection};
pub use transition::{Decision, Objection, Refusal, decide, propose};

/// What the author asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Money to somebody.
    Send,
    /// A gift.
    Give,
}

/// The message that asked, as it was first seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The connection it came through.
    pub platform: PlatformName,
    /// Public post or private message.
    pub channel: Channel,
    /// The name every copy of the message shares.
    pub post: PostId,
    /// The platform's own short name for it.
    pub native_id: String,
    /// Who wrote it.
    pub author: AccountId,
    /// The author's handle at that time, for people to read.
    pub author_handle: String,
    /// Where a browser shows it.
    pub url: Option<String>,
}

/// The person who pays, and the account to be debited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payer {
    /// Who.
    pub person: PersonId,
    /// At which bank.
    pub bank: BankName,
    /// Which account.
    pub iban: Iban,
    /// The consent under which the account may be read.
    pub consent: Option<String>,
}

/// Who receives a payment: the directory's entry as it was when the order was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayeeSnapshot {
    /// The directory's entry.
    pub id: PayeeId,
    /// The handle the post named, or the campaign's payee's.
    pub handle: String,
    /// The verified legal name.
    pub legal_name: String,
    /// The verified account.
    pub iban: Iban,
    /// Person or organisation: the limits differ.
    pub class: Class,
}

/// One transfer to one payee.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// Its place in the order, from 0; part of the key.
    pub index: u16,
    /// What makes it the same payment everywhere.
    pub key: PaymentKey,
    /// Who receives.
    pub payee: PayeeSnapshot,
    /// How much.
    pub amount: Money,
    /// How it stands.
    pub state: PaymentState,
}

/// A payment order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Its id.
    pub id: OrderId,
    /// Counts the decisions made about it; the store refuses a write that expects another.
    pub version: i64,
    /// What was asked.
    pub kind: Kind,
    /// The message that asked.
    pub source: Source,
    /// Who pays; unknown while the author is not linked.
    pub payer: Option<Payer>,
    /// The language to write to the payer in.
    pub language: Language,
    /// When the order was made.
    pub created_at: Timestamp,
    /// The registered campaign the gift counts for: one whose payee receives it.
    pub campaign: Option<String>,
    /// The payer's own words for the payee.
    pub memo: Option<String>,
    /// The payer wants no name on Obole's pages.
    pub anonymous: bool,
    /// The payer wants a tax receipt.
    pub receipt: bool,
    /// The sum of the payments.
    pub total: Money,
    /// How it stands.
    pub state: OrderState,
    /// One payment per recipient, in the order of the post.
    pub payments: Vec<Payment>,
}

impl PayeeSnapshot {
    /// Whether nobody has shown yet whose account it is: there is no verified name, and the account is the payer's own.
    pub fn is_unclaimed(&self) -> bool {
        self.legal_name.is_empty()
    }
}

impl Order {
    /// Whether nothing can be decided any more, short of a contradiction or a return by the bank.
    pub fn is_terminal(&self) -> bool {
        match &self.state {
            OrderState::Confirmed { .. } => self.payments.iter().all(|payment| payment.state.is_terminal()),
            state => state.is_ending(),
        }
    }

    /// The earliest moment at which time alone changes something.
    pub fn due_at(&self) -> Option<Timestamp> {
        match &self.state {
            OrderState::Confirmed { .. } => self.payments.iter().filter_map(|payment| payment.state.deadline()).min(),
            state => state.deadline(),
        }
    }

    /// What the payer confirms, as one value: order, payer, debtor account, every payee with IBAN and share, total,
    /// currency, reference (PSD2 RTS Art. 5, dynamic linking). Any difference gives another digest.
    ///
    /// `None` while there is no payer.
    pub fn digest(&self) -> Option<String> {
        use sha2::{Digest as _, Sha256};
        let payer = self.payer.as_ref()?;
        let mut parts: Vec<&str> =
            vec!["obole-confirmation-v1", self.id.as_str(), payer.person.as_str(), payer.bank.as_str(), payer.iban.as_str()];
        let amounts: Vec<String> = self.payments.iter().map(|payment| payment.amount.to_string()).collect();
        for (payment, amount) in self.payments.iter().zip(&amounts) {
            parts.extend([
                payment.payee.id.as_str(),
                payment.payee.legal_name.as_str(),
                payment.payee.iban.as_str(),
                amount.as_str(),
                payment.key.as_str(),
            ]);
        }
        let total = self.total.to_string();
        parts.push(&total);
        let hash = parts.iter().fold(Sha256::new(), |hasher, part| {
            hasher.chain_update((part.len() as u64).to_be_bytes()).chain_update(part.as_bytes())
        });
        Some(crate::ids::hex(&hash.finalize()))
    }

    /// The receipt number shown to the payer: eight digits, the same for the life of the order.
    pub fn receipt_number(&self) -> String {
        receipt_number(&self.id)
    }

    /// The payment at `index`.
    pub fn payment(&self, index: u16) -> Option<&Payment> {
        self.payments.get(usize::from(index))
    }
}

/// The receipt number of the order with this id.
pub fn receipt_number(order: &OrderId) -> String {
    use sha2::{Digest as _, Sha256};
    let hash = Sha256::new().chain_update(b"obole-receipt-v1").chain_update(order.as_str()).finalize();
    let number = hash.iter().take(7).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    format!("{:08}", number % 100_000_000)
}
