//! Everything that can happen to an order after it was made.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::state::{CancelledBy, Hold, LimitKind, Rejection};
use super::{PayeeSnapshot, Payer};
use crate::people::Language;

/// A payer's private answer to an order, as far as it concerns this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Yes, with the code of this order.
    Yes,
    /// Yes, with a passkey that was verified for exactly this order and may confirm any.
    StrongYes,
    /// Yes, with a code of none of the payer's open orders.
    WrongCode,
    /// No: to this order by its code, or to all without one.
    No,
}

/// What the bank said about a payment; the port's answers without its wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "said", rename_all = "snake_case")]
pub enum BankSaid {
    /// It has it and has not finished.
    Executing {
        /// The bank's id of it, if told.
        bank_payment_id: Option<String>,
    },
    /// It has it and waits for the payer's own authentication.
    Authorise {
        /// The bank's id of it.
        bank_payment_id: String,
        /// Where the payer authenticates.
        authorise_at: String,
    },
    /// It has carried it out.
    Settled {
        /// The bank's id of it, if told.
        bank_payment_id: Option<String>,
    },
    /// It has not and will not carry it out.
    Refused {
        /// Its reason.
        reason: String,
    },
    /// It surely never got it, and may be handed it again.
    NotTaken {
        /// How long to wait at least.
        after: Option<Duration>,
    },
    /// It may or may not have it.
    Unclear {
        /// One sentence for the record.
        why: String,
    },
    /// Asked for the payment, it does not find it now.
    NotFound,
    /// Asking did not work.
    DidNotAnswer {
        /// How long to wait at least.
        after: Option<Duration>,
    },
    /// It was carried out and has come back.
    Returned {
        /// Its reason.
        reason: String,
    },
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The author enrolled and is a payer now.
    PayerLinked {
        /// Who.
        payer: Payer,
        /// The language they chose.
        language: Language,
        /// For the confirmation code.
        salt: String,
    },
    /// The invited payee claimed; the account is new, so the payer is asked afresh.
    PayeeClaimed {
        /// Which payment's.
        payment: u16,
        /// The verified entry.
        payee: PayeeSnapshot,
        /// For the confirmation code.
        salt: String,
    },
    /// The payer answered.
    Answered {
        /// What.
        answer: Answer,
    },
    /// The limits do not hold another order of this size.
    LimitReached {
        /// Which.
        which: LimitKind,
    },
    /// Refused by a rule outside this core, before confirmation (too many open orders, a payee frozen meanwhile).
    Refused {
        /// Why.
        reason: Rejection,
    },
    /// Withdrawn.
    Cancelled {
        /// By what.
        by: CancelledBy,
    },
    /// Stopped until somebody has looked, before anything was submitted.
    Held {
        /// Why.
        why: Hold,
    },
    /// Let go: the payer is asked.
    Released {
        /// By which operator; `None` if the reason itself is gone.
        by: Option<String>,
        /// For the confirmation code.
        salt: String,
    },
    /// Time has passed.
    TimePassed,
    /// Somebody is about to call the bank.
    SubmitBegins {
        /// Which payment.
        payment: u16,
        /// In whose turn: effect and epoch.
        turn: String,
    },
    /// What was confirmed is no longer what would be paid.
    Voided {
        /// Which payment.
        payment: u16,
        /// What differs.
        difference: String,
    },
    /// The bank said something about a payment: as the answer to a call or a question.
    Bank {
        /// Which payment.
        payment: u16,
        /// What it said.
        said: BankSaid,
    },
    /// An operator has found out what became of a payment that asking could not resolve, or whose answers contradict each other.
    Resolved {
        /// Which payment.
        payment: u16,
        /// What became of it.
        outcome: Resolution,
        /// Which operator.
        by: String,
        /// On what evidence, in their words.
        note: String,
    },
}

/// What an operator found out about a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// The bank has carried it out.
    Paid,
    /// The bank has not carried it out and will not.
    NotPaid,
}

impl Event {
    /// The name for audit and logs.
    pub fn name(&self) -> &'static str {
        match self {
            Event::PayerLinked { .. } => "payer_linked",
            Event::PayeeClaimed { .. } => "payee_claimed",
            Event::Answered { answer: Answer::Yes } => "answered_yes",
            Event::Answered { answer: Answer::StrongYes } => "answered_yes_by_passkey",
            Event::Answered { answer: Answer::No } => "answered_no",
            Event::Answered { answer: Answer::WrongCode } => "answered_wrong_code",
            Event::LimitReached { .. } => "limit_reached",
            Event::Refused { .. } => "refused",
            Event::Cancelled { by: CancelledBy::Payer | CancelledBy::CancelOrder } => "cancelled",
            Event::Cancelled { by: CancelledBy::Edit } => "post_edited",
            Event::Cancelled { by: CancelledBy::Deletion } => "post_deleted",
            Event::Cancelled { by: CancelledBy::Unlinked } => "unlinked",
            Event::Cancelled { by: CancelledBy::Stopped } => "stopped",
            Event::Held { .. } => "held",
            Event::Released { .. } => "released",
            Event::TimePassed => "time_passed",
            Event::SubmitBegins { .. } => "submit_begins",
            Event::Resolved { outcome: Resolution::Paid, .. } => "resolved_paid",
            Event::Resolved { outcome: Resolution::NotPaid, .. } => "resolved_not_paid",
            Event::Voided { .. } => "voided",
            Event::Bank { said, .. } => match said {
                BankSaid::Executing { .. } => "bank_executing",
                BankSaid::Authorise { .. } => "bank_wants_authentication",
                BankSaid::Settled { .. } => "bank_settled",
                BankSaid::Refused { .. } => "bank_refused",
                BankSaid::NotTaken { .. } => "bank_not_reached",
                BankSaid::Unclear { .. } => "bank_unclear",
                BankSaid::NotFound => "bank_did_not_find",
                BankSaid::DidNotAnswer { .. } => "bank_did_not_answer",
                BankSaid::Returned { .. } => "bank_returned",
            },
        }
    }

    /// Which payment it is about.
    pub fn payment(&self) -> Option<u16> {
        match self {
            Event::PayeeClaimed { payment, .. }
            | Event::SubmitBegins { payment, .. }
            | Event::Voided { payment, .. }
            | Event::Resolved { payment, .. }
            | Event::Bank { payment, .. } => Some(*payment),
            _ => None,
        }
    }

    /// Why a payment came back, if that is what happened.
    pub fn return_reason(&self) -> Option<&str> {
        match self {
            Event::Bank { said: BankSaid::Returned { reason }, .. } => Some(reason),
            _ => None,
        }
    }

    /// The operator who made it happen, with their reason where they gave one; both go into the audit line.
    pub fn operator(&self) -> Option<(&str, Option<&str>)> {
        match self {
            Event::Held { why: Hold::Operator { by, note } } | Event::Resolved { by, note, .. } => Some((by, Some(note))),
            Event::Released { by: Some(by), .. } => Some((by, None)),
            _ => None,
        }
    }
}
