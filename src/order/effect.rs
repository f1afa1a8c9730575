//! What has to be done outside because of a decision. Effects are stored with the decision and delivered afterwards.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::state::{CancelledBy, Hold, Rejection};

/// Something to do outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Effect {
    /// Ask the payer for the confirmation, with the code.
    AskPayer,
    /// Tell the payer something about the order.
    TellPayer {
        /// What.
        notice: Notice,
    },
    /// Say in public, once and governed, how to open a channel.
    HintEnrolment,
    /// Hand a payment to the bank.
    Submit {
        /// Which.
        payment: u16,
        /// Not before this long from now.
        after: Duration,
    },
    /// Ask the bank how a payment stands.
    AskBank {
        /// Which.
        payment: u16,
        /// Not before this long from now.
        after: Duration,
    },
    /// Call an operator.
    CallOperator {
        /// About which payment.
        payment: Option<u16>,
        /// What happened.
        what: String,
    },
}

/// What the payer is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "notice", rename_all = "snake_case")]
pub enum Notice {
    /// The order was refused by us.
    Rejected {
        /// Why.
        reason: Rejection,
    },
    /// The order was withdrawn.
    Cancelled {
        /// By what.
        by: CancelledBy,
    },
    /// Too late to withdraw: the bank has it, or may have it.
    TooLateToCancel,
    /// The post was edited or deleted after confirmation, which changes nothing.
    PostChangedAfterConfirmation,
    /// The order is stopped and goes on, or ends, without anything to be done by the payer.
    Held {
        /// Why; of a screening or an operator's reason the payer hears nothing.
        why: Hold,
    },
    /// The payee is not known yet, and has to claim first.
    AwaitsPayee,
    /// Nobody confirmed in time.
    Expired,
    /// The bank wants the payer's own authentication.
    Authorise {
        /// About which payment.
        payment: u16,
    },
    /// All payments of the order are settled: the receipt.
    Receipt,
    /// The order is finished, and not every payment was made.
    Outcome,
    /// We do not know yet; do not pay again.
    BeingChecked {
        /// About which payment.
        payment: u16,
    },
    /// A settled payment came back.
    Returned {
        /// About which payment.
        payment: u16,
    },
}

impl Effect {
    /// The order in which effects of one lane go out: confirmations before receipts before hints.
    pub fn priority(&self) -> i64 {
        match self {
            Effect::AskPayer | Effect::Submit { .. } => 0,
            Effect::TellPayer { notice: Notice::Authorise { .. } } => 0,
            Effect::TellPayer { .. } | Effect::AskBank { .. } | Effect::CallOperator { .. } => 1,
            Effect::HintEnrolment => 2,
        }
    }

    /// The name for the audit line and the log.
    pub fn name(&self) -> &'static str {
        match self {
            Effect::AskPayer => "ask_payer",
            Effect::TellPayer { .. } => "tell_payer",
            Effect::HintEnrolment => "hint_enrolment",
            Effect::Submit { .. } => "submit",
            Effect::AskBank { .. } => "ask_bank",
            Effect::CallOperator { .. } => "call_operator",
        }
    }
}
