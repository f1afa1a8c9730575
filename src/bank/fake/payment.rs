//! Payments and their authorisations, as the fake bank keeps them.
//!
//! Status codes are ISO 20022 external payment transaction status codes as NextGenPSD2 1.3 lists them. The bank itself gives
//! a payment only RCVD, ACTC, ACSP, ACSC, RJCT or CANC; the others exist because a fault may make it say them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::consent::ConsentId;
use crate::clock::Timestamp;
use crate::iban::Iban;
use crate::money::Money;

macro_rules! bank_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}
pub(super) use bank_id;

bank_id! {
    /// The bank's id of a payment.
    PaymentId
}
bank_id! {
    /// The bank's id of an authorisation; whoever knows it sees the approval page.
    AuthorisationId
}

/// Which rail a payment goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Product {
    /// `sepa-credit-transfers`
    SepaCreditTransfers,
    /// `instant-sepa-credit-transfers`
    InstantSepaCreditTransfers,
}

impl Product {
    /// The product of this name, if the bank has it.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "sepa-credit-transfers" => Some(Product::SepaCreditTransfers),
            "instant-sepa-credit-transfers" => Some(Product::InstantSepaCreditTransfers),
            _ => None,
        }
    }

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Product::SepaCreditTransfers => "sepa-credit-transfers",
            Product::InstantSepaCreditTransfers => "instant-sepa-credit-transfers",
        }
    }
}

/// What the payer asks the bank to do. Already checked for form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instruction {
    /// The rail.
    pub product: Product,
    /// The account to debit.
    pub debtor: Iban,
    /// The account to credit.
    pub creditor: Iban,
    /// The name of who is to be credited, as the payer wrote it.
    pub creditor_name: String,
    /// How much.
    pub amount: Money,
    /// The initiator's reference; carried through, and not unique to the bank.
    pub end_to_end: Option<String>,
    /// The text that goes with it.
    pub remittance: Option<String>,
}

/// How a payment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// Received.
    Rcvd,
    /// Partially accepted: more than one authorisation is needed.
    Patc,
    /// Technically checked and authorised.
    Actc,
    /// Customer profile checked.
    Accp,
    /// Accepted for execution; the money is held back.
    Acsp,
    /// Settled on the debtor's account.
    Acsc,
    /// Rejected.
    Rjct,
    /// Cancelled.
    Canc,
}

impl Status {
    /// The four-letter code.
    pub fn code(self) -> &'static str {
        match self {
            Status::Rcvd => "RCVD",
            Status::Patc => "PATC",
            Status::Actc => "ACTC",
            Status::Accp => "ACCP",
            Status::Acsp => "ACSP",
            Status::Acsc => "ACSC",
            Status::Rjct => "RJCT",
            Status::Canc => "CANC",
        }
    }
}

/// Why a payment was rejected, as an ISO 20022 external status reason code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reason(pub String);

impl Reason {
    /// AC01: no such account here.
    pub fn wrong_account() -> Self {
        Reason("AC01".to_owned())
    }

    /// AM04: insufficient funds.
    pub fn no_funds() -> Self {
        Reason("AM04".to_owned())
    }

    /// CUST: the payer said no.
    pub fn payer_refused() -> Self {
        Reason("CUST".to_owned())
    }

    /// NOAS: the payer did not answer in time.
    pub fn no_answer() -> Self {
        Reason("NOAS".to_owned())
    }
}

/// What happens next to a payment, by itself or by the payer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The payer has to approve it before `until`.
    AwaitingApproval {
        /// When it is rejected otherwise.
        until: Timestamp,
    },
    /// The bank takes its next step at `next_at`; the amount is held back.
    Executing {
        /// When.
        next_at: Timestamp,
    },
    /// Nothing.
    Ended,
}

/// A payment with its history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// The bank's id of it.
    pub id: PaymentId,
    /// What is to be done.
    pub instruction: Instruction,
    /// When it was received.
    pub received_at: Timestamp,
    /// How it stands.
    pub status: Status,
    /// Why it was rejected.
    pub reason: Option<Reason>,
    /// What happens next.
    pub phase: Phase,
    /// Every status it had, oldest first.
    pub history: Vec<(Timestamp, Status)>,
    /// Its authorisations, oldest first.
    pub authorisations: Vec<AuthorisationId>,
    /// The authorisations of its cancellation, oldest first.
    #[serde(default)]
    pub cancellation_authorisations: Vec<AuthorisationId>,
    /// It was given back after it had settled.
    pub returned: bool,
}

impl Payment {
    /// The status as it stands, or (`reordered`) the one before it.
    pub fn told_status(&self, reordered: bool) -> Status {
        if !reordered {
            return self.status;
        }
        let earlier = self.history.len().checked_sub(2).and_then(|place| self.history.get(place));
        earlier.map_or(Status::Rcvd, |(_, status)| *status)
    }
}

/// What an authorisation is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A payment to be made.
    Payment(PaymentId),
    /// A consent to be given.
    Consent(ConsentId),
    /// A payment not to be made after all.
    Cancellation(PaymentId),
}

/// How an authorisation stands (Berlin Group `scaStatus`, those a redirect bank has).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ScaStatus {
    /// The payer has not answered.
    Received,
    /// The payer approved.
    Finalised,
    /// The payer refused, was too late, or what it was about is gone.
    Failed,
}

impl ScaStatus {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            ScaStatus::Received => "received",
            ScaStatus::Finalised => "finalised",
            ScaStatus::Failed => "failed",
        }
    }
}

/// Where the payer's browser goes after the bank's page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnTo {
    /// After a yes (`TPP-Redirect-URI`).
    pub approved: Option<String>,
    /// After a no (`TPP-Nok-Redirect-URI`; without one, the same as after a yes).
    pub refused: Option<String>,
}

/// One attempt of a payer to say yes or no on the bank's page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authorisation {
    /// Its id.
    pub id: AuthorisationId,
    /// What it is about.
    pub subject: Subject,
    /// How it stands.
    pub status: ScaStatus,
    /// Where the browser goes afterwards.
    pub return_to: ReturnTo,
}
