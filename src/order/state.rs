//! The states of orders and payments. Each variant holds exactly the data that exists in that state.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::OrderId;
use crate::money::Money;
use crate::planted::planted;

/// How an order stands, up to its confirmation; afterwards its payments tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum OrderState {
    /// The author has no channel to us: one public hint, then we wait for an enrolment.
    AwaitingPayer {
        /// Until when.
        until: Timestamp,
    },
    /// The payee is invited and has not claimed; nothing is debited before.
    AwaitingPayee {
        /// Until when.
        until: Timestamp,
    },
    /// The payer was asked by private message.
    AwaitingConfirmation {
        /// Until when the code is good.
        until: Timestamp,
        /// What the code is derived from, together with a secret that is not in the store.
        salt: String,
        /// [`super::Order::digest`] of what was shown.
        digest: String,
        /// Answers with a wrong code so far.
        wrong_answers: u8,
        /// What it takes.
        #[serde(default)]
        by: Means,
    },
    /// Stopped until somebody has looked; afterwards the payer is asked (afresh, if they had answered already).
    Held {
        /// Why.
        why: Hold,
        /// Since when.
        since: Timestamp,
        /// Until when; an order nobody lets go is not what the payer meant any more.
        until: Timestamp,
        /// Answers with a wrong code before it was stopped: a new code does not begin the count anew.
        #[serde(default)]
        wrong_answers: u8,
    },
    /// The payer said yes.
    Confirmed {
        /// When.
        at: Timestamp,
        /// [`super::Order::digest`] of what was confirmed; recomputed before every submission.
        digest: String,
    },
    /// Refused by us.
    Rejected {
        /// Why.
        reason: Rejection,
        /// When.
        at: Timestamp,
    },
    /// Withdrawn before anything was submitted.
    Cancelled {
        /// By what.
        by: CancelledBy,
        /// When.
        at: Timestamp,
    },
    /// Nobody answered in time.
    Expired {
        /// When.
        at: Timestamp,
    },
}

impl OrderState {
    /// The name under which it is stored and shown.
    pub fn name(&self) -> &'static str {
        match self {
            OrderState::AwaitingPayer { .. } => "awaiting_payer",
            OrderState::AwaitingPayee { .. } => "awaiting_payee",
            OrderState::AwaitingConfirmation { .. } => "awaiting_confirmation",
            OrderState::Held { .. } => "held",
            OrderState::Confirmed { .. } => "confirmed",
            OrderState::Rejected { .. } => "rejected",
            OrderState::Cancelled { .. } => "cancelled",
            OrderState::Expired { .. } => "expired",
        }
    }

    /// Rejected, cancelled or expired.
    pub fn is_ending(&self) -> bool {
        matches!(self, OrderState::Rejected { .. } | OrderState::Cancelled { .. } | OrderState::Expired { .. })
    }

    /// Waiting for somebody before confirmation; counts against the open orders of a payer.
    pub fn is_open(&self) -> bool {
        !self.is_ending() && !matches!(self, OrderState::Confirmed { .. })
    }

    /// When time alone ends it.
    pub fn deadline(&self) -> Option<Timestamp> {
        match self {
            OrderState::AwaitingPayer { until }
            | OrderState::AwaitingPayee { until }
            | OrderState::Held { until, .. }
            | OrderState::AwaitingConfirmation { until, .. } => Some(*until),
            _ => None,
        }
    }
}

/// What an order is confirmed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Means {
    /// The code in the private message; one element, so only within the low-value limits.
    #[default]
    Code,
    /// A passkey with user verification, on the confirmation page. No code confirms it.
    Passkey,
}

/// Why an order is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Hold {
    /// The bank has not said what became of a payment of the same payer to the same payee over the same amount. Paying again is
    /// what somebody does who thinks that the first was lost, so this one waits for the first.
    LookAlike {
        /// The order of that payment.
        of: OrderId,
    },
    /// Screening found something, or could not be asked.
    Screening {
        /// What, in the words of the list; never told to the payer.
        finding: String,
    },
    /// An operator stopped it.
    Operator {
        /// Who.
        by: String,
        /// Why, in their words; never told to the payer.
        note: String,
    },
}

impl Hold {
    /// The name for audit and logs.
    pub fn name(&self) -> &'static str {
        match self {
            Hold::LookAlike { .. } => "look_alike",
            Hold::Screening { .. } => "screening",
            Hold::Operator { .. } => "operator",
        }
    }
}

/// Why we refused an order that could be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Rejection {
    /// A recipient is not in the payee directory.
    PayeeUnknown {
        /// As written.
        handle: String,
    },
    /// A recipient is frozen until verified again.
    PayeeFrozen {
        /// As written.
        handle: String,
    },
    /// A recipient is not in the directory, and is called almost like somebody who is.
    PayeeLooksLike {
        /// As written.
        handle: String,
        /// Whom it looks like.
        like: String,
    },
    /// A recipient does not want to be paid.
    PayeeDeclined {
        /// As written.
        handle: String,
    },
    /// The payer's rail or account does not carry this currency.
    CurrencyNotServed,
    /// Above what a private code may confirm, and the payer has no passkey.
    AboveLowValueLimit {
        /// The most a code may confirm.
        limit: Money,
    },
    /// Above what a private code may confirm, and the payer's passkey is too new for it.
    PasskeyTooNew {
        /// The most a code may confirm.
        limit: Money,
        /// From when on the passkey may.
        until: Timestamp,
    },
    /// Above what the payer allows themselves in one order.
    AboveOwnLimit {
        /// How much that is.
        limit: Money,
    },
    /// The payer has said that an order was not theirs: nothing is taken from the account until an operator has looked.
    AccountLocked,
    /// Above what the scheme lets anybody send to this kind of payee.
    AboveOrderLimit {
        /// The most to one payee of this kind.
        limit: Money,
    },
    /// Too many orders wait for this payer's answer.
    TooManyOpen {
        /// How many may.
        limit: u32,
    },
    /// The payer's limits are used up.
    LimitReached {
        /// Which one.
        which: LimitKind,
    },
    /// The post was already edited when it reached us, so what its first version asked is not known.
    AlreadyEdited,
    /// The post is too old to be acted on without asking again.
    TooOld,
    /// Five wrong codes.
    TooManyWrongAnswers,
    /// The payee is the payer.
    SelfPayment,
    /// On this platform a code confirms nothing, and the payer has no passkey.
    StrongConfirmationNeeded,
}

impl Rejection {
    /// The stored and shown name.
    pub fn name(&self) -> &'static str {
        match self {
            Rejection::PayeeUnknown { .. } => "payee_unknown",
            Rejection::PayeeFrozen { .. } => "payee_frozen",
            Rejection::PayeeLooksLike { .. } => "payee_looks_like",
            Rejection::PayeeDeclined { .. } => "payee_declined",
            Rejection::CurrencyNotServed => "currency_not_served",
            Rejection::AboveLowValueLimit { .. } => "above_low_value_limit",
            Rejection::PasskeyTooNew { .. } => "passkey_too_new",
            Rejection::AboveOwnLimit { .. } => "above_own_limit",
            Rejection::AccountLocked => "account_locked",
            Rejection::AboveOrderLimit { .. } => "above_order_limit",
            Rejection::TooManyOpen { .. } => "too_many_open",
            Rejection::LimitReached { .. } => "limit_reached",
            Rejection::AlreadyEdited => "already_edited",
            Rejection::TooOld => "too_old",
            Rejection::TooManyWrongAnswers => "too_many_wrong_answers",
            Rejection::SelfPayment => "self_payment",
            Rejection::StrongConfirmationNeeded => "strong_confirmation_needed",
        }
    }
}

/// A limit that accumulates over a payer's orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitKind {
    /// The sum of a rolling 24 hours.
    RollingDay,
    /// The sum since the last strong confirmation (PSD2 RTS Art. 16).
    LowValueSum,
    /// The number of orders since the last strong confirmation (the same article).
    LowValueCount,
    /// What the payer allows themselves.
    Own,
}

/// What withdrew an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelledBy {
    /// The payer's NO.
    Payer,
    /// A cancel order.
    CancelOrder,
    /// The post was edited before confirmation.
    Edit,
    /// The post was deleted before confirmation.
    Deletion,
    /// The payer's account was unlinked.
    Unlinked,
    /// The payer wants to be left alone; the one answer to that says it.
    Stopped,
}

/// How one payment stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum PaymentState {
    /// Asked for; the order is not confirmed.
    Proposed,
    /// Confirmed, not handed to the bank.
    Ready {
        /// The latest moment to do so.
        submit_by: Timestamp,
    },
    /// Committed before the bank is called; a call may be under way or have died with us.
    Submitting {
        /// When it was first handed over; a repetition keeps the moment, since the bank's memory of the key counts from there.
        submitted_at: Timestamp,
        /// Whose call it is: the effect and the epoch of its lease. Only the holder of that very turn calls the bank.
        turn: String,
        /// How often the bank was asked before; more than 0 means that this is a repetition under the same key.
        asked: u32,
    },
    /// The bank wants the payer's own authentication.
    AwaitingBank {
        /// When it was handed over.
        submitted_at: Timestamp,
        /// The bank's id of it.
        bank_payment_id: String,
        /// Where the payer authenticates.
        authorise_at: String,
        /// How often the bank was asked since.
        asked: u32,
    },
    /// The bank has it.
    Executing {
        /// When it was handed over.
        submitted_at: Timestamp,
        /// The bank's id of it, once told.
        bank_payment_id: Option<String>,
        /// How often the bank was asked since.
        asked: u32,
    },
    /// Handed over, perhaps; only asking tells.
    Unknown {
        /// When it was handed over.
        submitted_at: Timestamp,
        /// The bank's id of it, once told.
        bank_payment_id: Option<String>,
        /// One sentence for the record.
        why: String,
        /// How often the bank was asked since.
        asked: u32,
        /// The bank did not find it and remembers our key: it is to be handed over again, as it was, under the same key.
        repeating: bool,
        /// Asking has come to its end: an operator has to find out.
        with_operator: bool,
    },
    /// Paid: ACSC, ACCC or a statement entry.
    Settled {
        /// When we learned it.
        at: Timestamp,
        /// The bank's id of it, if ever told.
        bank_payment_id: Option<String>,
    },
    /// Paid, and given back by the payee's bank.
    Returned {
        /// When it had been settled.
        settled_at: Timestamp,
        /// When we learned of the return.
        at: Timestamp,
    },
    /// Definitely not paid.
    Failed {
        /// When we learned it.
        at: Timestamp,
        /// The bank's code, or `voided:` and what differed.
        reason: String,
    },
    /// Not handed to the bank in time, so not paid.
    Expired {
        /// When.
        at: Timestamp,
    },
    /// Two definite answers contradict each other; the payee is halted and an operator called.
    Disputed {
        /// When the second came.
        at: Timestamp,
        /// What was recorded.
        recorded: String,
        /// What was said afterwards.
        contradiction: String,
    },
}

impl PaymentState {
    /// The name under which it is stored and shown.
    pub fn name(&self) -> &'static str {
        match self {
            PaymentState::Proposed => "proposed",
            PaymentState::Ready { .. } => "ready",
            PaymentState::Submitting { .. } => "submitting",
            PaymentState::AwaitingBank { .. } => "awaiting_bank",
            PaymentState::Executing { .. } => "executing",
            PaymentState::Unknown { .. } => "unknown",
            PaymentState::Settled { .. } => "settled",
            PaymentState::Returned { .. } => "returned",
            PaymentState::Failed { .. } => "failed",
            PaymentState::Expired { .. } => "expired",
            PaymentState::Disputed { .. } => "disputed",
        }
    }

    /// Whether we have stopped working on it.
    pub fn is_terminal(&self) -> bool {
        match self {
            PaymentState::Settled { .. }
            | PaymentState::Returned { .. }
            | PaymentState::Failed { .. }
            | PaymentState::Expired { .. }
            | PaymentState::Disputed { .. } => true,
            PaymentState::Unknown { with_operator, .. } => *with_operator,
            _ => false,
        }
    }

    /// When time alone ends it.
    pub fn deadline(&self) -> Option<Timestamp> {
        match self {
            PaymentState::Ready { submit_by } => Some(*submit_by),
            PaymentState::Submitting { submitted_at, .. } if planted!("submitting_expires") => Some(*submitted_at),
            _ => None,
        }
    }

    /// When it was handed to the bank, while that matters.
    pub fn submitted_at(&self) -> Option<Timestamp> {
        match self {
            PaymentState::Submitting { submitted_at, .. }
            | PaymentState::AwaitingBank { submitted_at, .. }
            | PaymentState::Executing { submitted_at, .. }
            | PaymentState::Unknown { submitted_at, .. } => Some(*submitted_at),
            _ => None,
        }
    }

    /// The bank's id of it, where this state knows one.
    pub fn bank_payment_id(&self) -> Option<&str> {
        match self {
            PaymentState::AwaitingBank { bank_payment_id, .. } => Some(bank_payment_id),
            PaymentState::Executing { bank_payment_id, .. }
            | PaymentState::Unknown { bank_payment_id, .. }
            | PaymentState::Settled { bank_payment_id, .. } => bank_payment_id.as_deref(),
            _ => None,
        }
    }
}
