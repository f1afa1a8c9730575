//! The twenty checks.

mod books;
mod clients;
mod events;
mod form;
mod once;
mod outcomes;
mod time;

use super::kit::{Hand, Kit};
use super::report::Outcome;

/// A check.
pub(super) struct Check {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    /// Not beside others: it restarts the backend, adds everything up, or moves its clock.
    pub(super) alone: bool,
}

const fn beside(id: &'static str, title: &'static str) -> Check {
    Check { id, title, alone: false }
}

const fn alone(id: &'static str, title: &'static str) -> Check {
    Check { id, title, alone: true }
}

/// All of them, in order.
pub(super) const CHECKS: [Check; 20] = [
    beside("C1", "capabilities, versions, authentication"),
    beside("C2", "a payment to its end, by legal steps only"),
    beside("C3", "the same order again, one after another and at the same moment"),
    beside("C4", "another order under the same id"),
    beside("C5", "the answer is cut, then the order is repeated"),
    beside("C6", "the order is cut in the middle"),
    beside("C7", "the answer comes too late, after a repetition"),
    beside("C8", "an order that arrives after valid_until, or after its cancellation"),
    beside("C9", "orders that are wrong in form"),
    alone("C10", "killed and started again"),
    beside("C11", "sent away, unavailable, broken after taking"),
    beside("C12", "webhooks: signature, age, rotation, delivery again"),
    beside("C13", "the feed: complete, in order, the same when read again"),
    beside("C14", "refusals with their reason, also late ones"),
    beside("C15", "returns after success"),
    beside("C16", "unknown ids, and those of another client"),
    beside("C17", "cancellation before, during and after execution"),
    alone("C18", "the entries add up to the payments"),
    beside("C19", "verification of payee: four answers"),
    alone("C20", "after the memory of ids has ended"),
];

/// Runs one.
pub(super) async fn run(kit: &Kit, check: &Check) -> Outcome {
    let hand = Hand::new(kit, check.id);
    let ended = match check.id {
        "C1" => form::capabilities(&hand).await,
        "C2" => outcomes::to_the_end(&hand).await,
        "C3" => once::again(&hand).await,
        "C4" => once::another_body(&hand).await,
        "C5" => once::answer_cut(&hand).await,
        "C6" => once::request_cut(&hand).await,
        "C7" => once::too_slow(&hand).await,
        "C8" => time::too_late(&hand).await,
        "C9" => form::malformed(&hand).await,
        "C10" => time::restarted(&hand).await,
        "C11" => outcomes::sent_away(&hand).await,
        "C12" => events::webhooks(&hand).await,
        "C13" => events::feed(&hand).await,
        "C14" => outcomes::refused(&hand).await,
        "C15" => outcomes::returned(&hand).await,
        "C16" => clients::strangers(&hand).await,
        "C17" => outcomes::cancelled(&hand).await,
        "C18" => books::add_up(&hand).await,
        "C19" => clients::payees(&hand).await,
        _ => time::memory_ended(&hand).await,
    };
    match ended {
        Ok(()) => Outcome::Passed,
        Err(outcome) => outcome,
    }
}
