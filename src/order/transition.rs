//! The only place that decides: (order, event, now) → (order, effects).
//!
//! # What keeps the money safe here
//!
//! - A payment becomes `Submitting` exactly once per `Ready`, and only the caller that got `Submitting` back may call the bank.
//!   The store commits it first; so whoever finds a payment already `Submitting` knows that a call may have been made by
//!   somebody who died, and the answer to that is `Unknown` and a question, never a second call.
//! - `Ready` is reached from `Submitting` only through `BankSaid::NotTaken`, which an adapter says only when the request
//!   surely did not reach the bank.
//! - What the bank says about a payment is decided in `settlement`; limits are reserved with the confirmation and released only for
//!   payments that surely were not made.

use super::effect::{Effect, Notice};
use super::event::{Answer, Event};
use super::policy::{PasskeyStanding, Policy, WRONG_ANSWERS};
use super::state::{CancelledBy, Hold, LimitKind, Means, OrderState, PaymentState, Rejection};
use super::{Order, Payment};
use crate::clock::{Timestamp, later};
use crate::ids::{OrderId, PayeeId};
use crate::money::Money;
use crate::planted::planted;

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
    /// The confirmation was a strong one: only the limits that do not count from the last strong confirmation have to hold the
    /// payments, and the others count from here.
    pub strong: bool,
    /// Payments that surely were not made: what was reserved for them is free again.
    pub releases: Vec<u16>,
    /// Payments of which the bank takes back that they were not made: what was reserved for them counts again.
    pub retakes: Vec<u16>,
    /// Payees whose payments contradict each other: nothing more goes to them until an operator has looked.
    pub halts: Vec<PayeeId>,
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

/// What intake found out about a new order before anything is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Objection {
    /// It is refused (an unknown payee, a post too old).
    Reject(Rejection),
    /// It has to wait.
    Hold(Hold),
}

/// The first decision about a new order. `order` carries version 0 and any state; `objection` is what intake found out, and `salt` is
/// what the confirmation code will be derived from.
pub fn propose(order: Order, objection: Option<Objection>, salt: String, now: Timestamp, policy: &Policy) -> Decision {
    let mut decision = Decision::about(&order);
    let (problem, hold) = match objection {
        Some(Objection::Reject(reason)) => (Some(reason), None),
        Some(Objection::Hold(why)) => (None, Some(why)),
        None => (None, None),
    };
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
        if let (Some(why), OrderState::AwaitingConfirmation { .. }) = (hold, &decision.order.state) {
            decision.effects.clear();
            decision.hold(why, now, policy);
        }
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
                decision.limit_reached(*which, now, policy);
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
        Event::Held { why } => decision.held(why, now, policy),
        Event::Released { salt, .. } => {
            let held = matches!(order.state, OrderState::Held { .. });
            if held {
                decision.ask_payer(salt.clone(), now, policy);
            }
            held
        }
        Event::TimePassed => decision.time_passed(now),
        Event::SubmitBegins { payment, turn } => decision.submit_begins(*payment, turn, now, policy),
        Event::Voided { payment, difference } => match order.payment(*payment).map(|payment| &payment.state) {
            Some(PaymentState::Ready { .. }) => {
                decision.not_paid(*payment, PaymentState::Failed { at: now, reason: format!("voided: {difference}") });
                true
            }
            _ => false,
        },
        Event::Bank { payment, said } => decision.bank_said(*payment, said, now, policy),
        Event::Resolved { payment, outcome, .. } => decision.resolved(*payment, *outcome, now),
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
        Decision {
            order,
            effects: Vec::new(),
            reserves_limits: false,
            strong: false,
            releases: Vec::new(),
            retakes: Vec::new(),
            halts: Vec::new(),
        }
    }

    pub(super) fn tell(&mut self, notice: Notice) {
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
        if self.order.payments.iter().any(|payment| payment.payee.is_unclaimed()) {
            self.order.state = OrderState::AwaitingPayee { until: later(now, policy.timing.payee_wait) };
            return self.tell(Notice::AwaitsPayee);
        }
        let own = self.order.payer.as_ref().map(|payer| &payer.iban);
        if self.order.payments.iter().any(|payment| Some(&payment.payee.iban) == own) {
            return self.reject(Rejection::SelfPayment, now);
        }
        let limit = Money::new(policy.limits.low_value_order_minor, policy.limits.currency);
        let by = match policy.passkey {
            _ if !policy.needs_passkey(&self.order) => Means::Code,
            PasskeyStanding::Usable => Means::Passkey,
            PasskeyStanding::Missing if policy.source_can_be_forged => {
                return self.reject(Rejection::StrongConfirmationNeeded, now);
            }
            PasskeyStanding::NewUntil(until) => return self.reject(Rejection::PasskeyTooNew { limit, until }, now),
            PasskeyStanding::Missing => return self.reject(Rejection::AboveLowValueLimit { limit }, now),
        };
        let Some(digest) = self.order.digest() else { return };
        let until = later(now, policy.timing.confirmation);
        // A new code does not begin the count of wrong ones anew.
        let wrong_answers = if let OrderState::Held { wrong_answers, .. } = &self.order.state { *wrong_answers } else { 0 };
        self.order.state = OrderState::AwaitingConfirmation { until, salt, digest, wrong_answers, by };
        self.effects.push(Effect::AskPayer);
    }

    /// A code was right and is not enough, since too much was confirmed by codes alone: whoever has a passkey is asked for it.
    fn limit_reached(&mut self, which: LimitKind, now: Timestamp, policy: &Policy) {
        let counts_since_strong = matches!(which, LimitKind::LowValueSum | LimitKind::LowValueCount);
        match &mut self.order.state {
            OrderState::AwaitingConfirmation { until, by: by @ Means::Code, .. }
                if counts_since_strong && policy.passkey == PasskeyStanding::Usable =>
            {
                *by = Means::Passkey;
                *until = later(now, policy.timing.confirmation);
                self.effects.push(Effect::AskPayer);
            }
            _ => self.reject(Rejection::LimitReached { which }, now),
        }
    }

    fn answered(&mut self, answer: Answer, now: Timestamp, policy: &Policy) -> bool {
        if planted!("second_yes_starts_again") && answer == Answer::Yes && matches!(self.order.state, OrderState::Confirmed { .. })
        {
            for payment in &mut self.order.payments {
                payment.state = PaymentState::Ready { submit_by: later(now, policy.timing.submit_within) };
                self.effects.push(Effect::Submit { payment: payment.index, after: std::time::Duration::ZERO });
            }
            return true;
        }
        let OrderState::AwaitingConfirmation { until, digest, wrong_answers, by, .. } = &mut self.order.state else {
            return match answer {
                Answer::No => self.cancelled(CancelledBy::Payer, now),
                Answer::Yes | Answer::StrongYes | Answer::WrongCode => false,
            };
        };
        if now >= *until && !planted!("expiry_unchecked") {
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
            Answer::Yes if *by == Means::Passkey => return false,
            // Asked under other rules, or by somebody who did not know where the order came from.
            Answer::Yes if policy.source_can_be_forged => self.reject(Rejection::StrongConfirmationNeeded, now),
            Answer::Yes | Answer::StrongYes => {
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
                self.strong = answer == Answer::StrongYes;
            }
        }
        true
    }

    /// Stops an order of which nothing has been submitted. A confirmation that was given is void: it will be asked for again.
    fn held(&mut self, why: &Hold, now: Timestamp, policy: &Policy) -> bool {
        let untouched = self.order.payments.iter().all(|payment| matches!(payment.state, PaymentState::Ready { .. }));
        match &self.order.state {
            OrderState::Confirmed { .. } if untouched => {
                for payment in &mut self.order.payments {
                    payment.state = PaymentState::Proposed;
                    self.releases.push(payment.index);
                }
            }
            OrderState::AwaitingPayee { .. } | OrderState::AwaitingConfirmation { .. } if self.order.payer.is_some() => {}
            _ => return false,
        }
        self.hold(why.clone(), now, policy);
        true
    }

    fn hold(&mut self, why: Hold, now: Timestamp, policy: &Policy) {
        if !matches!(why, Hold::LookAlike { .. }) {
            self.effects.push(Effect::CallOperator { payment: None, what: format!("held: {}", why.name()) });
        }
        self.tell(Notice::Held { why: why.clone() });
        let wrong_answers = match &self.order.state {
            OrderState::AwaitingConfirmation { wrong_answers, .. } | OrderState::Held { wrong_answers, .. } => *wrong_answers,
            _ => 0,
        };
        let until = later(now, policy.timing.held);
        self.order.state = OrderState::Held { why, since: now, until, wrong_answers };
    }

    fn cancelled(&mut self, by: CancelledBy, now: Timestamp) -> bool {
        if self.order.state.is_open() {
            self.order.state = OrderState::Cancelled { by, at: now };
            if self.order.payer.is_some() && by != CancelledBy::Stopped {
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
            _ if untouched || planted!("cancel_while_submitting") => {
                for payment in &mut self.order.payments {
                    payment.state = PaymentState::Proposed;
                    self.releases.push(payment.index);
                }
                self.order.state = OrderState::Cancelled { by, at: now };
                if by != CancelledBy::Stopped {
                    self.tell(Notice::Cancelled { by });
                }
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
        let late = |payment: &Payment| {
            payment.state.deadline().is_some_and(|until| until <= now)
                || (planted!("submitting_expires") && matches!(payment.state, PaymentState::Submitting { .. }))
        };
        let overdue: Vec<u16> = self.order.payments.iter().filter(|payment| late(payment)).map(|payment| payment.index).collect();
        for index in &overdue {
            self.not_paid(*index, PaymentState::Expired { at: now });
        }
        !overdue.is_empty()
    }

    /// A payment that surely was not made: its reservation is free, and the payer hears how the order ended.
    pub(super) fn not_paid(&mut self, index: u16, state: PaymentState) {
        self.set(index, state);
        self.releases.push(index);
        self.tell_if_finished();
    }

    pub(super) fn set(&mut self, index: u16, state: PaymentState) {
        if let Some(payment) = self.order.payments.get_mut(usize::from(index)) {
            payment.state = state;
        }
    }

    /// The receipt, or the truth about a partial outcome, once no payment can surprise any more.
    pub(super) fn tell_if_finished(&mut self) {
        let definite = |payment: &Payment| payment.state.is_terminal() && !matches!(payment.state, PaymentState::Unknown { .. });
        if self.order.payments.iter().all(definite) {
            let paid = self.order.payments.iter().all(|payment| matches!(payment.state, PaymentState::Settled { .. }));
            self.tell(if paid { Notice::Receipt } else { Notice::Outcome });
        }
    }
}
