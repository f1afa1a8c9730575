//! The only place that decides: (order, event, now) → (order, effects).
//!
//! # What keeps the money safe here
//!
//! - A payment becomes `Submitting` exactly once per `Ready`, and only the caller that got `Submitting` back may call the bank.
//!   The store commits it first; so whoever finds a payment already `Submitting` knows that a call may have been made by
//!   somebody who died, and the answer to that is `Unknown` and a question, never a second call.
//! - `Ready` is reached from `Submitting` only through [`BankSaid::NotTaken`], which an adapter says only when the request
//!   surely did not reach the bank.
//! - A definite answer that contradicts a recorded one changes nothing silently: the payment is `Disputed` and an operator is called.
//! - Limits are reserved with the confirmation and released only for payments that surely were not made.

use super::effect::{Effect, Notice};
use super::event::{Answer, BankSaid, Event};
use super::policy::{Policy, WRONG_ANSWERS};
use super::state::{CancelledBy, OrderState, PaymentState, Rejection};
use super::{Order, Payment};
use crate::clock::{Timestamp, later};
use crate::ids::OrderId;

/// What follows from an event. To be stored whole, in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The order afterwards, with its version counted up.
    pub order: Order,
    /// What has to be done outside.
    pub effects: Vec<Effect>,
    /// The order's payments are to be reserved against the payer's limits; if they do not hold them, this decision is void
    /// and the event to decide on instead is [`Event::LimitReached`].
    pub reserves_limits: bool,
    /// Payments that surely were not made: what was reserved for them is free again.
    pub releases: Vec<u16>,
}

/// An event that means nothing in the state the order is in. Nothing changes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("order {order}: {event} does not apply to {state}")]
pub struct Refusal {
    /// Which order.
    pub order: OrderId,
    /// Its state, and the payment's where the event is about one.
    pub state: &'static str,
    /// The event.
    pub event: &'static str,
}

/// The first decision about a new order. `order` carries version 0 and any state; `problem` is what intake found wrong with it
/// (an unknown payee), and `salt` is what the confirmation code will be derived from.
pub fn propose(order: Order, problem: Option<Rejection>, salt: String, now: Timestamp, policy: &Policy) -> Decision {
    let mut decision = Decision::about(&order);
    if order.payer.is_none() {
        decision.effects.push(Effect::HintEnrolment);
        decision.order.state = match problem {
            Some(reason) => OrderState::Rejected { reason, at: now },
            None => OrderState::AwaitingPayer { until: later(now, policy.timing.payer_wait) },
        };
    } else if let Some(reason) = problem {
        decision.reject(reason, now);
    } else {
        decision.ask_payer(salt, now, policy);
    }
    decision
}

/// What follows from `event` at `now`.
pub fn decide(order: &Order, event: &Event, now: Timestamp, policy: &Policy) -> Result<Decision, Refusal> {
    let mut decision = Decision::about(order);
    let applies = match event {
        Event::PayerLinked { payer, language, salt } => match &order.state {
            OrderState::AwaitingPayer { until } if now < *until => {
                decision.order.payer = Some(payer.clone());
                decision.order.language = *language;
                decision.ask_payer(salt.clone(), now, policy);
                true
            }
            _ => false,
        },
        Event::PayeeClaimed { payment, payee, salt } => {
            match (&order.state, decision.order.payments.get_mut(usize::from(*payment))) {
                (OrderState::AwaitingPayee { until }, Some(claimed)) if now < *until => {
                    claimed.payee = payee.clone();
                    decision.ask_payer(salt.clone(), now, policy);
                    true
                }
                _ => false,
            }
        }
        Event::Answered { answer } => decision.answered(*answer, now, policy),
        Event::LimitReached { which } => {
            let awaited = matches!(order.state, OrderState::AwaitingConfirmation { .. });
            if awaited {
                decision.reject(Rejection::LimitReached { which: *which }, now);
            }
            awaited
        }
        Event::Refused { reason } => {
            if order.state.is_open() {
                decision.reject(reason.clone(), now);
            }
            order.state.is_open()
        }
        Event::Cancelled { by } => decision.cancelled(*by, now),
        Event::Held { reason } => {
            let can_wait = order.state.is_open() && order.payer.is_some();
            if can_wait {
                decision.order.state = OrderState::Held { reason: reason.clone(), since: now };
                decision.effects.push(Effect::CallOperator { payment: None, what: format!("held: {reason}") });
            }
            can_wait
        }
        Event::Released { salt } => {
            let held = matches!(order.state, OrderState::Held { .. });
            if held {
                decision.ask_payer(salt.clone(), now, policy);
            }
            held
        }
        Event::TimePassed => decision.time_passed(now),
        Event::SubmitBegins { payment } => decision.submit_begins(*payment, now, policy),
        Event::Voided { payment, difference } => match order.payment(*payment).map(|payment| &payment.state) {
            Some(PaymentState::Ready { .. }) => {
                decision.not_paid(*payment, PaymentState::Failed { at: now, reason: format!("voided: {difference}") });
                true
            }
            _ => false,
        },
        Event::Bank { payment, said } => decision.bank_said(*payment, said, now, policy),
    };
    if applies { Ok(decision) } else { Err(refusal(order, event)) }
}

fn refusal(order: &Order, event: &Event) -> Refusal {
    let payment = event.payment().and_then(|index| order.payment(index));
    let state = payment.map_or(order.state.name(), |payment| payment.state.name());
    Refusal { order: order.id.clone(), state, event: event.name() }
}

impl Decision {
    fn about(order: &Order) -> Self {
        let mut order = order.clone();
        order.version += 1;
        Decision { order, effects: Vec::new(), reserves_limits: false, releases: Vec::new() }
    }

    fn tell(&mut self, notice: Notice) {
        self.effects.push(Effect::TellPayer { notice });
    }

    fn reject(&mut self, reason: Rejection, now: Timestamp) {
        self.order.state = OrderState::Rejected { reason: reason.clone(), at: now };
        if self.order.payer.is_some() {
            self.tell(Notice::Rejected { reason });
        }
    }

    /// Asks for the confirmation, unless a rule that needs only the order itself speaks against it.
    fn ask_payer(&mut self, salt: String, now: Timestamp, policy: &Policy) {
        if let Err(reason) = policy.limits.check(&self.order) {
            return self.reject(reason, now);
        }
        let own = self.order.payer.as_ref().map(|payer| &payer.iban);
        if self.order.payments.iter().any(|payment| Some(&payment.payee.iban) == own) {
            return self.reject(Rejection::SelfPayment, now);
        }
        let Some(digest) = self.order.digest() else { return };
        let until = later(now, policy.timing.confirmation);
        self.order.state = OrderState::AwaitingConfirmation { until, salt, digest, wrong_answers: 0 };
        self.effects.push(Effect::AskPayer);
    }

    fn answered(&mut self, answer: Answer, now: Timestamp, policy: &Policy) -> bool {
        let OrderState::AwaitingConfirmation { until, digest, wrong_answers, .. } = &mut self.order.state else {
            return match answer {
                Answer::No => self.cancelled(CancelledBy::Payer, now),
                Answer::Yes | Answer::WrongCode => false,
            };
        };
        if now >= *until {
            self.expire(now);
            return true;
        }
        match answer {
            Answer::No => return self.cancelled(CancelledBy::Payer, now),
            Answer::WrongCode => {
                *wrong_answers += 1;
                if *wrong_answers >= WRONG_ANSWERS {
                    self.reject(Rejection::TooManyWrongAnswers, now);
                }
            }
            Answer::Yes => {
                let shown = std::mem::take(digest);
                if Some(&shown) != self.order.digest().as_ref() {
                    return false;
                }
                self.order.state = OrderState::Confirmed { at: now, digest: shown };
                let submit_by = later(now, policy.timing.submit_within);
                for payment in &mut self.order.payments {
                    payment.state = PaymentState::Ready { submit_by };
                    self.effects.push(Effect::Submit { payment: payment.index, after: std::time::Duration::ZERO });
                }
                self.reserves_limits = true;
            }
        }
        true
    }

    fn cancelled(&mut self, by: CancelledBy, now: Timestamp) -> bool {
        if self.order.state.is_open() {
            self.order.state = OrderState::Cancelled { by, at: now };
            if self.order.payer.is_some() {
                self.tell(Notice::Cancelled { by });
            }
            return true;
        }
        if !matches!(self.order.state, OrderState::Confirmed { .. }) || self.order.is_terminal() {
            return false;
        }
        let untouched = self.order.payments.iter().all(|payment| matches!(payment.state, PaymentState::Ready { .. }));
        match by {
            // The post was read when it was confirmed; what happens to it afterwards has no effect, and the payer hears so.
            CancelledBy::Edit | CancelledBy::Deletion => self.tell(Notice::PostChangedAfterConfirmation),
            _ if untouched => {
                for payment in &mut self.order.payments {
                    payment.state = PaymentState::Proposed;
                    self.releases.push(payment.index);
                }
                self.order.state = OrderState::Cancelled { by, at: now };
                self.tell(Notice::Cancelled { by });
            }
            _ => self.tell(Notice::TooLateToCancel),
        }
        true
    }

    fn expire(&mut self, now: Timestamp) {
        self.order.state = OrderState::Expired { at: now };
        if self.order.payer.is_some() {
            self.tell(Notice::Expired);
        }
    }

    fn time_passed(&mut self, now: Timestamp) -> bool {
        if self.order.state.deadline().is_some_and(|until| until <= now) {
            self.expire(now);
            return true;
        }
        let late = |payment: &Payment| payment.state.deadline().is_some_and(|until| until <= now);
        let overdue: Vec<u16> = self.order.payments.iter().filter(|payment| late(payment)).map(|payment| payment.index).collect();
        for index in &overdue {
            self.not_paid(*index, PaymentState::Expired { at: now });
        }
        !overdue.is_empty()
    }

    fn submit_begins(&mut self, index: u16, now: Timestamp, policy: &Policy) -> bool {
        let OrderState::Confirmed { digest, .. } = &self.order.state else { return false };
        let as_confirmed = Some(digest) == self.order.digest().as_ref();
        match self.order.payment(index).map(|payment| payment.state.clone()) {
            Some(PaymentState::Ready { submit_by }) if submit_by <= now => self.not_paid(index, PaymentState::Expired { at: now }),
            Some(PaymentState::Ready { .. }) if !as_confirmed => {
                self.not_paid(index, PaymentState::Failed { at: now, reason: "voided: not what was confirmed".to_owned() });
            }
            Some(PaymentState::Ready { .. }) => self.set(index, PaymentState::Submitting { since: now }),
            // Somebody committed this, called or was about to call the bank, and never said what came of it.
            Some(PaymentState::Submitting { since }) => {
                let why = "the call to the bank was interrupted".to_owned();
                self.unknown(index, since, None, why, 0, now, None, policy);
            }
            _ => return false,
        }
        true
    }

    fn bank_said(&mut self, index: u16, said: &BankSaid, now: Timestamp, policy: &Policy) -> bool {
        let Some(before) = self.order.payment(index).map(|payment| payment.state.clone()) else { return false };
        let known_id = before.bank_payment_id().map(str::to_owned);
        match &before {
            PaymentState::Submitting { .. }
            | PaymentState::AwaitingBank { .. }
            | PaymentState::Executing { .. }
            | PaymentState::Unknown { .. } => {}
            _ => return self.bank_contradicts(index, &before, said, now),
        }
        let submitted_at = before.submitted_at().unwrap_or(now);
        let asked = match &before {
            PaymentState::AwaitingBank { asked, .. }
            | PaymentState::Executing { asked, .. }
            | PaymentState::Unknown { asked, .. } => asked.saturating_add(1),
            _ => 0,
        };
        match said {
            BankSaid::Settled { bank_payment_id } => {
                self.set(index, PaymentState::Settled { at: now, bank_payment_id: bank_payment_id.clone().or(known_id) });
                self.tell_if_finished();
            }
            BankSaid::Refused { reason } => self.not_paid(index, PaymentState::Failed { at: now, reason: reason.clone() }),
            BankSaid::Returned { .. } => {
                self.set(index, PaymentState::Returned { settled_at: now, at: now });
                self.tell(Notice::Returned { payment: index });
            }
            BankSaid::NotTaken { after } => {
                let (PaymentState::Submitting { .. }, OrderState::Confirmed { at, .. }) = (&before, &self.order.state) else {
                    return false;
                };
                let submit_by = later(*at, policy.timing.submit_within);
                let after = after.unwrap_or(policy.timing.ask_first).max(policy.timing.ask_first);
                self.set(index, PaymentState::Ready { submit_by });
                self.effects.push(Effect::Submit { payment: index, after });
            }
            BankSaid::Executing { bank_payment_id } => {
                let bank_payment_id = bank_payment_id.clone().or(known_id);
                if asked_long_enough(submitted_at, now, policy) {
                    let why = "the bank has it and never says that it is settled".to_owned();
                    self.unknown(index, submitted_at, bank_payment_id, why, asked, now, None, policy);
                } else {
                    self.set(index, PaymentState::Executing { submitted_at, bank_payment_id, asked });
                    self.effects.push(Effect::AskBank { payment: index, after: policy.timing.before_question(asked) });
                }
            }
            BankSaid::Authorise { bank_payment_id, .. } if asked_long_enough(submitted_at, now, policy) => {
                let why = "the bank still waits for the payer's authentication".to_owned();
                self.unknown(index, submitted_at, Some(bank_payment_id.clone()), why, asked, now, None, policy);
            }
            BankSaid::Authorise { bank_payment_id, authorise_at } => {
                let (bank_payment_id, authorise_at) = (bank_payment_id.clone(), authorise_at.clone());
                self.set(index, PaymentState::AwaitingBank { submitted_at, bank_payment_id, authorise_at, asked });
                if !matches!(before, PaymentState::AwaitingBank { .. }) {
                    self.tell(Notice::Authorise { payment: index });
                }
                self.effects.push(Effect::AskBank { payment: index, after: policy.timing.before_question(asked) });
            }
            BankSaid::Unclear { why } => self.unknown(index, submitted_at, known_id, why.clone(), asked, now, None, policy),
            BankSaid::NotFound | BankSaid::DidNotAnswer { .. } => {
                let wait = if let BankSaid::DidNotAnswer { after } = said { *after } else { None };
                match before {
                    PaymentState::Unknown { why, .. } => self.unknown(index, submitted_at, known_id, why, asked, now, wait, policy),
                    // A bank that took the payment and cannot say how it stands: nothing changes but the count of questions.
                    PaymentState::AwaitingBank { bank_payment_id, authorise_at, .. }
                        if !asked_long_enough(submitted_at, now, policy) =>
                    {
                        self.set(index, PaymentState::AwaitingBank { submitted_at, bank_payment_id, authorise_at, asked });
                        self.ask_again(index, asked, wait, policy);
                    }
                    PaymentState::Executing { bank_payment_id, .. } if !asked_long_enough(submitted_at, now, policy) => {
                        self.set(index, PaymentState::Executing { submitted_at, bank_payment_id, asked });
                        self.ask_again(index, asked, wait, policy);
                    }
                    PaymentState::AwaitingBank { .. } | PaymentState::Executing { .. } => {
                        let why = "the bank took it and does not say any more how it stands".to_owned();
                        self.unknown(index, submitted_at, known_id, why, asked, now, wait, policy);
                    }
                    // Nobody asks about a payment whose submission has not been answered.
                    _ => return false,
                }
            }
        }
        true
    }

    /// The bank speaks about a payment that we hold for finished, or that we never handed over.
    fn bank_contradicts(&mut self, index: u16, before: &PaymentState, said: &BankSaid, now: Timestamp) -> bool {
        match (before, said) {
            (PaymentState::Settled { at, .. }, BankSaid::Returned { .. }) => {
                self.set(index, PaymentState::Returned { settled_at: *at, at: now });
                self.tell(Notice::Returned { payment: index });
                true
            }
            (PaymentState::Settled { .. }, BankSaid::Refused { reason }) => {
                self.dispute(index, "settled", &format!("refused: {reason}"), now);
                true
            }
            (PaymentState::Failed { reason, .. }, BankSaid::Settled { .. } | BankSaid::Executing { .. }) => {
                self.dispute(index, &format!("failed: {reason}"), "the bank has it", now);
                true
            }
            (PaymentState::Expired { .. }, BankSaid::Settled { .. } | BankSaid::Executing { .. }) => {
                self.dispute(index, "never submitted", "the bank has it", now);
                true
            }
            _ => false,
        }
    }

    fn dispute(&mut self, index: u16, recorded: &str, contradiction: &str, now: Timestamp) {
        let (recorded, contradiction) = (recorded.to_owned(), contradiction.to_owned());
        let what = format!("disputed: recorded {recorded}, then {contradiction}");
        self.set(index, PaymentState::Disputed { at: now, recorded, contradiction });
        self.effects.push(Effect::CallOperator { payment: Some(index), what });
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one state, and what decides whether asking goes on")]
    fn unknown(
        &mut self,
        index: u16,
        submitted_at: Timestamp,
        bank_payment_id: Option<String>,
        why: String,
        asked: u32,
        now: Timestamp,
        wait: Option<std::time::Duration>,
        policy: &Policy,
    ) {
        let with_operator = asked_long_enough(submitted_at, now, policy);
        if with_operator {
            self.effects.push(Effect::CallOperator { payment: Some(index), what: format!("unknown: {why}") });
        } else {
            self.ask_again(index, asked, wait, policy);
        }
        // Said once, when the first questions brought nothing, so that nobody pays again for want of an answer.
        if asked == QUESTIONS_BEFORE_TELLING || (with_operator && asked < QUESTIONS_BEFORE_TELLING) {
            self.tell(Notice::BeingChecked { payment: index });
        }
        self.set(index, PaymentState::Unknown { submitted_at, bank_payment_id, why, asked, with_operator });
    }

    fn ask_again(&mut self, index: u16, asked: u32, wait: Option<std::time::Duration>, policy: &Policy) {
        let after = policy.timing.before_question(asked).max(wait.unwrap_or_default());
        self.effects.push(Effect::AskBank { payment: index, after });
    }

    /// A payment that surely was not made: its reservation is free, and the payer hears how the order ended.
    fn not_paid(&mut self, index: u16, state: PaymentState) {
        self.set(index, state);
        self.releases.push(index);
        self.tell_if_finished();
    }

    fn set(&mut self, index: u16, state: PaymentState) {
        if let Some(payment) = self.order.payments.get_mut(usize::from(index)) {
            payment.state = state;
        }
    }

    /// The receipt, or the truth about a partial outcome, once no payment can surprise any more.
    fn tell_if_finished(&mut self) {
        let definite = |payment: &Payment| payment.state.is_terminal() && !matches!(payment.state, PaymentState::Unknown { .. });
        if self.order.payments.iter().all(definite) {
            let paid = self.order.payments.iter().all(|payment| matches!(payment.state, PaymentState::Settled { .. }));
            self.tell(if paid { Notice::Receipt } else { Notice::Outcome });
        }
    }
}

/// Questions without an answer before the payer hears that we do not know.
const QUESTIONS_BEFORE_TELLING: u32 = 2;

fn asked_long_enough(submitted_at: Timestamp, now: Timestamp, policy: &Policy) -> bool {
    later(submitted_at, policy.timing.look_up_horizon) <= now
}
