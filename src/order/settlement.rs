//! What follows from handing a payment to the bank and from what the bank says about it.
//!
//! - Handed over once: `Submitting` carries the turn of whoever may call, and only a commit of that very turn lets its caller go on.
//!   Somebody else who finds `Submitting` knows that a call may have been made by one who died: `Unknown`, and a question.
//! - **Unknown is resolved by asking.** A payment that was asked for and not found is handed over again only where the bank
//!   remembers our key, only under that key and in the same words, and only while the key surely lives
//!   ([`Policy::key_surely_lives`]); what a repetition is refused with tells nothing about the first, so it is asked again.
//! - Statuses come repeated and out of order: what is older than what is recorded changes nothing.
//! - A definite answer that contradicts a recorded one changes nothing silently: the payment is `Disputed`, its payee is halted, and an
//!   operator is called.

use std::time::Duration;

use super::effect::{Effect, Notice};
use super::event::{BankSaid, Resolution};
use super::policy::{Policy, QUESTIONS_BEFORE_REPEATING};
use super::state::{OrderState, PaymentState};
use super::transition::Decision;
use crate::clock::{Timestamp, later};
use crate::planted::planted;

/// What is known about a payment whose outcome is not: the part of `Unknown` that stays from question to question.
struct Doubt {
    submitted_at: Timestamp,
    bank_payment_id: Option<String>,
    why: String,
    asked: u32,
}

impl Decision {
    pub(super) fn submit_begins(&mut self, index: u16, turn: &str, now: Timestamp, policy: &Policy) -> bool {
        let OrderState::Confirmed { digest, .. } = &self.order.state else { return false };
        let as_confirmed = Some(digest) == self.order.digest().as_ref();
        match self.order.payment(index).map(|payment| payment.state.clone()) {
            Some(PaymentState::Ready { submit_by }) if submit_by <= now => self.not_paid(index, PaymentState::Expired { at: now }),
            Some(PaymentState::Ready { .. }) if !as_confirmed => {
                self.not_paid(index, PaymentState::Failed { at: now, reason: "voided: not what was confirmed".to_owned() });
            }
            Some(PaymentState::Ready { .. }) => {
                self.set(index, PaymentState::Submitting { submitted_at: now, turn: turn.to_owned(), asked: 0 });
            }
            // Our own commit, of which we had not heard that it succeeded.
            Some(PaymentState::Submitting { turn: whose, .. }) if whose == turn => {}
            Some(PaymentState::Submitting { submitted_at, asked, .. }) if planted!("blind_resubmit") => {
                self.set(index, PaymentState::Submitting { submitted_at, turn: turn.to_owned(), asked });
            }
            // Somebody committed this, called or was about to call the bank, and never said what came of it.
            Some(PaymentState::Submitting { submitted_at, asked, .. }) => {
                let why = "the call to the bank was interrupted".to_owned();
                self.doubt(index, Doubt { submitted_at, bank_payment_id: None, why, asked }, now, None, policy);
            }
            Some(PaymentState::Unknown { submitted_at, bank_payment_id: None, asked, repeating: true, .. })
                if as_confirmed && policy.key_surely_lives(submitted_at, now) =>
            {
                self.set(index, PaymentState::Submitting { submitted_at, turn: turn.to_owned(), asked });
            }
            Some(PaymentState::Unknown { submitted_at, bank_payment_id, why, asked, repeating: true, .. }) => {
                self.doubt(index, Doubt { submitted_at, bank_payment_id, why, asked }, now, None, policy);
            }
            _ => return false,
        }
        true
    }

    pub(super) fn bank_said(&mut self, index: u16, said: &BankSaid, now: Timestamp, policy: &Policy) -> bool {
        let Some(before) = self.order.payment(index).map(|payment| payment.state.clone()) else { return false };
        let known_id = before.bank_payment_id().map(str::to_owned);
        let (submitted_at, asked) = match &before {
            PaymentState::Submitting { submitted_at, asked, .. } => (*submitted_at, *asked),
            PaymentState::AwaitingBank { submitted_at, asked, .. }
            | PaymentState::Executing { submitted_at, asked, .. }
            | PaymentState::Unknown { submitted_at, asked, .. } => (*submitted_at, asked.saturating_add(1)),
            _ => return self.bank_contradicts(index, &before, said, now),
        };
        let is_repetition = matches!(before, PaymentState::Submitting { asked: 1.., .. });
        let doubt =
            |why: &str, bank_payment_id: Option<String>| Doubt { submitted_at, bank_payment_id, why: why.to_owned(), asked };
        match said {
            BankSaid::Settled { bank_payment_id } => {
                self.set(index, PaymentState::Settled { at: now, bank_payment_id: bank_payment_id.clone().or(known_id) });
                self.tell_if_finished();
            }
            BankSaid::Refused { reason } if is_repetition && !planted!("repetition_refused_is_definite") => {
                self.doubt(index, doubt(&format!("the repetition was refused: {reason}"), known_id), now, None, policy);
            }
            BankSaid::Refused { reason } => self.not_paid(index, PaymentState::Failed { at: now, reason: reason.clone() }),
            BankSaid::Returned { .. } => {
                self.set(index, PaymentState::Returned { settled_at: now, at: now });
                self.tell(Notice::Returned { payment: index });
            }
            BankSaid::NotTaken { after } => match (&before, &self.order.state) {
                (PaymentState::Submitting { .. }, _) if is_repetition && !planted!("not_taken_after_doubt") => {
                    self.doubt(index, doubt("the repetition did not reach the bank", known_id), now, *after, policy);
                }
                (PaymentState::Submitting { .. }, OrderState::Confirmed { at, .. }) => {
                    let submit_by = later(*at, policy.timing.submit_within);
                    let after = after.unwrap_or(policy.timing.ask_first).max(policy.timing.ask_first);
                    self.set(index, PaymentState::Ready { submit_by });
                    self.effects.push(Effect::Submit { payment: index, after });
                }
                _ => return false,
            },
            BankSaid::Executing { bank_payment_id } => {
                let bank_payment_id = bank_payment_id.clone().or(known_id);
                if policy.asked_long_enough(submitted_at, now) {
                    self.doubt(
                        index,
                        doubt("the bank has it and never says that it is settled", bank_payment_id),
                        now,
                        None,
                        policy,
                    );
                } else {
                    self.set(index, PaymentState::Executing { submitted_at, bank_payment_id, asked });
                    self.ask_again(index, asked, None, policy);
                    if planted!("paid_too_early") {
                        self.tell(Notice::Receipt);
                    }
                }
            }
            BankSaid::Authorise { bank_payment_id, .. } if policy.asked_long_enough(submitted_at, now) => {
                let why = "the bank still waits for the payer's authentication";
                self.doubt(index, doubt(why, Some(bank_payment_id.clone())), now, None, policy);
            }
            BankSaid::Authorise { bank_payment_id, authorise_at } => {
                let (bank_payment_id, authorise_at) = (bank_payment_id.clone(), authorise_at.clone());
                self.set(index, PaymentState::AwaitingBank { submitted_at, bank_payment_id, authorise_at, asked });
                if !matches!(before, PaymentState::AwaitingBank { .. }) {
                    self.tell(Notice::Authorise { payment: index });
                }
                self.ask_again(index, asked, None, policy);
            }
            BankSaid::Unclear { why } if planted!("unclear_is_failed") => {
                self.not_paid(index, PaymentState::Failed { at: now, reason: why.clone() });
            }
            BankSaid::NotFound if planted!("not_found_is_failed") => {
                self.not_paid(index, PaymentState::Failed { at: now, reason: "not found".to_owned() });
            }
            BankSaid::Unclear { why } => self.doubt(index, doubt(why, known_id), now, None, policy),
            BankSaid::NotFound | BankSaid::DidNotAnswer { .. } => {
                let wait = if let BankSaid::DidNotAnswer { after } = said { *after } else { None };
                let may_repeat = *said == BankSaid::NotFound
                    && known_id.is_none()
                    && asked >= QUESTIONS_BEFORE_REPEATING
                    && policy.key_surely_lives(submitted_at, now)
                    && !policy.asked_long_enough(submitted_at, now);
                match before {
                    PaymentState::Unknown { why, .. } if may_repeat => {
                        let (bank_payment_id, repeating, with_operator) = (None, true, false);
                        let state = PaymentState::Unknown { submitted_at, bank_payment_id, why, asked, repeating, with_operator };
                        self.set(index, state);
                        self.effects.push(Effect::Submit { payment: index, after: policy.timing.before_question(asked) });
                    }
                    PaymentState::Unknown { why, .. } => self.doubt(index, doubt(&why, known_id), now, wait, policy),
                    // A bank that took the payment and cannot say how it stands: nothing changes but the count of questions.
                    PaymentState::AwaitingBank { bank_payment_id, authorise_at, .. }
                        if !policy.asked_long_enough(submitted_at, now) =>
                    {
                        self.set(index, PaymentState::AwaitingBank { submitted_at, bank_payment_id, authorise_at, asked });
                        self.ask_again(index, asked, wait, policy);
                    }
                    PaymentState::Executing { bank_payment_id, .. } if !policy.asked_long_enough(submitted_at, now) => {
                        self.set(index, PaymentState::Executing { submitted_at, bank_payment_id, asked });
                        self.ask_again(index, asked, wait, policy);
                    }
                    PaymentState::AwaitingBank { .. } | PaymentState::Executing { .. } => {
                        let why = "the bank took it and does not say any more how it stands";
                        self.doubt(index, doubt(why, known_id), now, wait, policy);
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
        let has_it = matches!(said, BankSaid::Settled { .. } | BankSaid::Executing { .. } | BankSaid::Authorise { .. });
        match (before, said) {
            (PaymentState::Settled { .. }, BankSaid::Returned { .. }) if planted!("return_ignored") => false,
            (PaymentState::Settled { at, .. }, BankSaid::Returned { .. }) => {
                self.set(index, PaymentState::Returned { settled_at: *at, at: now });
                self.tell(Notice::Returned { payment: index });
                true
            }
            (PaymentState::Settled { .. }, BankSaid::Refused { reason }) => {
                self.dispute(index, "settled", &format!("refused: {reason}"), now);
                true
            }
            (PaymentState::Failed { reason, .. }, BankSaid::Returned { .. }) => {
                self.dispute(index, &format!("failed: {reason}"), "it was carried out and has come back", now);
                true
            }
            (PaymentState::Failed { .. }, _) if has_it && planted!("contradiction_flips") => {
                self.set(index, PaymentState::Settled { at: now, bank_payment_id: None });
                true
            }
            (PaymentState::Failed { reason, .. }, _) if has_it => {
                self.dispute(index, &format!("failed: {reason}"), "the bank has it", now);
                true
            }
            // Nothing may go to a bank that says that it has it already.
            (PaymentState::Ready { .. } | PaymentState::Expired { .. }, _) if has_it => {
                self.dispute(index, "never submitted", "the bank has it", now);
                true
            }
            _ => false,
        }
    }

    fn dispute(&mut self, index: u16, recorded: &str, contradiction: &str, now: Timestamp) {
        let (recorded, contradiction) = (recorded.to_owned(), contradiction.to_owned());
        let what = format!("disputed: recorded {recorded}, then {contradiction}");
        self.halts.extend(self.order.payment(index).map(|payment| payment.payee.id.clone()));
        self.set(index, PaymentState::Disputed { at: now, recorded, contradiction });
        // It may have been paid after all: nobody may use its part of the limits for something else.
        if !planted!("disputed_stays_free") {
            self.retakes.push(index);
        }
        self.effects.push(Effect::CallOperator { payment: Some(index), what });
    }

    /// An operator's finding counts only where nobody else is going to find anything out.
    pub(super) fn resolved(&mut self, index: u16, outcome: Resolution, now: Timestamp) -> bool {
        let Some(before) = self.order.payment(index).map(|payment| payment.state.clone()) else { return false };
        if !matches!(before, PaymentState::Unknown { with_operator: true, .. } | PaymentState::Disputed { .. }) {
            return false;
        }
        match outcome {
            Resolution::Paid => {
                let bank_payment_id = before.bank_payment_id().map(str::to_owned);
                self.set(index, PaymentState::Settled { at: now, bank_payment_id });
                self.tell_if_finished();
            }
            Resolution::NotPaid => {
                self.not_paid(index, PaymentState::Failed { at: now, reason: "found not paid by an operator".to_owned() });
            }
        }
        true
    }

    fn doubt(&mut self, index: u16, doubt: Doubt, now: Timestamp, wait: Option<Duration>, policy: &Policy) {
        let Doubt { submitted_at, bank_payment_id, why, asked } = doubt;
        // Whoever comes back after an outage longer than the horizon asks once before a person has to.
        let with_operator = asked > 0 && policy.asked_long_enough(submitted_at, now);
        // A question that was under way when the operator was called already calls nobody a second time.
        let is_called = matches!(
            self.order.payment(index).map(|payment| &payment.state),
            Some(PaymentState::Unknown { with_operator: true, .. })
        );
        if planted!("released_in_doubt") {
            self.releases.push(index);
        }
        if with_operator && !is_called && !planted!("operator_not_called") {
            self.effects.push(Effect::CallOperator { payment: Some(index), what: format!("unknown: {why}") });
        } else if !with_operator {
            self.ask_again(index, asked, wait, policy);
        }
        // Said once, when the first questions brought nothing, so that nobody pays again for want of an answer.
        if !is_called && (asked == QUESTIONS_BEFORE_TELLING || (with_operator && asked < QUESTIONS_BEFORE_TELLING)) {
            self.tell(Notice::BeingChecked { payment: index });
        }
        let repeating = false;
        self.set(index, PaymentState::Unknown { submitted_at, bank_payment_id, why, asked, repeating, with_operator });
    }

    fn ask_again(&mut self, index: u16, asked: u32, wait: Option<Duration>, policy: &Policy) {
        if planted!("asking_stops") && asked > 1 {
            return;
        }
        let after = policy.timing.before_question(asked).max(wait.unwrap_or_default());
        self.effects.push(Effect::AskBank { payment: index, after });
    }
}

/// Questions without an answer before the payer hears that we do not know.
const QUESTIONS_BEFORE_TELLING: u32 = 2;
