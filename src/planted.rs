//! Bugs on purpose: what the proofs have to find.
//!
//! A rig is worth what it finds. Each mechanism that keeps money safe has one place where, with the feature `planted-bugs`, it can be
//! taken out by name; `obole simulate --planted` then has to notice within a thousand seeds. Without the feature (the default) the macro
//! is the word `false`, and nothing of this is in the program.

/// Whether the bug of this name is switched on; `false` unless built with the feature `planted-bugs`.
#[cfg(not(feature = "planted-bugs"))]
macro_rules! planted {
    ($name:literal) => {
        false
    };
}

/// Whether the bug of this name is switched on.
#[cfg(feature = "planted-bugs")]
macro_rules! planted {
    ($name:literal) => {
        $crate::planted::is_on($name)
    };
}

pub(crate) use planted;

#[cfg(feature = "planted-bugs")]
mod switch {
    use std::cell::Cell;

    /// Every bug, and the mechanism it takes out.
    pub(crate) const BUGS: &[(&str, &str)] = &[
        ("asking_stops", "an unanswered question is asked again"),
        ("audit_skipped", "every decision has its audit line"),
        ("blind_resubmit", "a payment found submitting is asked about, never called again"),
        ("callback_believed", "a callback only has the bank asked, it sets no state"),
        ("cancel_while_submitting", "an order is withdrawn only while nothing of it is submitted"),
        ("code_in_the_log", "no code, account or safe phrase stands in the log"),
        ("contradiction_flips", "a contradiction is disputed, not taken over"),
        ("cursor_ahead", "a stream's cursor is committed with what it has told"),
        ("day_is_an_hour", "the rolling limit looks back 24 hours"),
        ("disputed_stays_free", "what a bank takes back that it refused counts against the limits again"),
        ("done_before_it_is", "an effect is done when its outcome is committed, not before"),
        ("epoch_ignored", "a write repeats the epoch of its lease"),
        ("expiry_unchecked", "a late yes confirms nothing"),
        ("frozen_payee_paid", "the payee is looked up again before a payment is submitted"),
        ("hint_flood", "an author is hinted at in public once a day"),
        ("key_life_ignored", "a payment is handed over again only while the bank remembers the key"),
        ("lease_ignored", "what somebody has claimed is nobody else's"),
        ("limit_count_ignored", "so many orders by code alone, and then a strong confirmation"),
        ("limits_unchecked", "the limits are checked in the statement that reserves"),
        ("look_alike_ignored", "an order like one of unknown outcome waits"),
        ("message_key_changes", "a message is repeated under its key"),
        ("not_found_is_failed", "not found now does not mean never taken"),
        ("not_taken_after_doubt", "a repetition that did not arrive says nothing about the first"),
        ("objection_in_submitting", "what may be with the bank is not voided"),
        ("open_orders_ignored", "so many orders may wait for one payer"),
        ("operator_not_called", "what asking cannot resolve goes to an operator"),
        ("paid_too_early", "nobody is told that a payment was made before it is settled"),
        ("quota_not_counted", "what is claimed counts against the platform's windows"),
        ("released_in_doubt", "an unknown outcome frees no limit"),
        ("repeat_without_memory", "a bank without memory of keys is never handed a payment twice"),
        ("repetition_refused_is_definite", "what a repetition is refused with says nothing about the first"),
        ("return_ignored", "a settled payment can come back"),
        ("second_yes_starts_again", "a yes counts once"),
        ("submitting_expires", "time alone never ends what may be with the bank"),
        ("unclear_is_failed", "an unclear outcome is unknown"),
        ("wrong_code_accepted", "only the order's own code confirms it"),
    ];

    thread_local! {
        static ON: Cell<Option<&'static str>> = const { Cell::new(None) };
    }

    /// Switches one bug on for this thread, and every other off. A simulation is one thread, so each may look for a bug of its own.
    pub(crate) fn switch_on(name: Option<&'static str>) {
        ON.set(name);
    }

    /// Whether a bug is switched on.
    pub(crate) fn is_on(name: &str) -> bool {
        debug_assert!(BUGS.iter().any(|(known, _)| *known == name), "{name} is not in the list of bugs");
        ON.get() == Some(name)
    }
}

#[cfg(feature = "planted-bugs")]
pub(crate) use switch::*;
