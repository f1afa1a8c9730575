//! Mistakes that backends make, each to be had on purpose (`--defect NAME`), for the conformance kit to find.
//!
//! Each names the check that ought to find it; a test starts the backend with each and looks.

use super::State;

/// A mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Defect {
    /// What it is called on the command line.
    pub name: &'static str,
    /// The check that ought to find it.
    pub check: &'static str,
    /// What is wrong, in one sentence.
    pub what: &'static str,
}

macro_rules! defects {
    ($($constant:ident = $name:literal by $check:literal: $what:literal;)*) => {
        $(
            #[doc = $what]
            pub const $constant: Defect = Defect { name: $name, check: $check, what: $what };
        )*
        /// All of them.
        pub const ALL: &[Defect] = &[$($constant),*];
    };
}

defects! {
    ANY_VERSION = "any-version" by "C1": "A version of the protocol that nobody has written is served as if it were known.";
    CAPABILITIES_BEHIND_AUTH = "capabilities-behind-auth" by "C1": "The capabilities are shown to clients that sign only.";
    FINAL_GOES_BACK = "final-goes-back" by "C2": "A settled payment is shown as executing again, now and then.";
    BOOKS_AGAIN = "books-again" by "C3": "A repeated order is answered as it should be, and booked a second time.";
    FORGETS_KEYS = "forgets-keys" by "C3": "A repeated order is a new payment.";
    REPETITION_IS_ERROR = "repetition-is-error" by "C3": "A repeated order is answered with an error instead of the payment.";
    RACE = "race" by "C3": "Two equal orders at the same moment are both carried out.";
    ANSWERS_OLD = "answers-old" by "C4": "Another order under the same id is answered as if it were the first.";
    OVERWRITES = "overwrites" by "C4": "Another order under the same id is carried out in its place.";
    ABORTS_WITH_CONNECTION = "aborts-with-connection" by "C5": "A client that hangs up before the answer takes the memory of its payment with it.";
    HALF_BODY = "half-body" by "C6": "An order that breaks off in the middle is carried out as far as it came.";
    SLOW_BOOKS_AGAIN = "slow-books-again" by "C7": "An order that is repeated while the first is still at work is carried out twice.";
    ACCEPTS_LATE = "accepts-late" by "C8": "An order is taken after its valid_until.";
    NO_TOMBSTONE = "no-tombstone" by "C8": "A cancellation that comes before its order is forgotten.";
    THREE_DECIMALS = "three-decimals" by "C9": "An amount with three decimals is taken and rounded.";
    ANY_IBAN = "any-iban" by "C9": "Check digits of account numbers are not looked at.";
    LOSES_SIGNS = "loses-signs" by "C9": "Characters that SEPA cannot carry are dropped in silence.";
    EXTRA_FIELDS = "extra-fields" by "C9": "Unknown keys of an order are skipped.";
    WRONG_CLASS = "wrong-class" by "C9": "An order that is wrong is said to be not taken, as if it could be sent again.";
    LOSES_STATE = "loses-state" by "C10": "A restart forgets every payment.";
    NO_RETRY_AFTER = "no-retry-after" by "C11": "Whoever is sent away is not told when to come back.";
    ERROR_HIDES_PAYMENT = "error-hides-payment" by "C11": "A payment whose order was answered with 500 cannot be looked up.";
    UNSIGNED_EVENTS = "unsigned-events" by "C12": "Webhooks are not signed.";
    REPLAYABLE_EVENTS = "replayable-events" by "C12": "Webhooks carry a moment long past, so that old ones look like new ones.";
    ONE_KEY_ONLY = "one-key-only" by "C12": "While secrets are replaced, webhooks are signed by the old one only.";
    FEED_GAPS = "feed-gaps" by "C13": "Some events never reach the feed.";
    FEED_RESHUFFLES = "feed-reshuffles" by "C13": "The feed shows other events under the same cursor when it is read again.";
    NO_REASON = "no-reason" by "C14": "A refusal does not say why.";
    HIDES_RETURN = "hides-return" by "C15": "A payment that came back still says settled.";
    LEAKS = "leaks" by "C16": "Whoever knows an id sees another client's payment.";
    UNKNOWN_IS_REFUSED = "unknown-is-refused" by "C16": "A payment that was never seen is said to be refused.";
    CANCEL_LIES = "cancel-lies" by "C17": "A settled payment is said to be cancelled.";
    ENTRIES_OFF = "entries-off" by "C18": "The entries do not add up: one cent is missing from some.";
    VERIFIES_ANYBODY = "verifies-anybody" by "C19": "Every name is said to match.";
    RETENTION_ENDS_MEMORY = "retention-ends-memory" by "C20": "When the time of an id's memory is over, its order is taken again.";
}

impl Defect {
    /// The mistake of this name.
    pub fn named(name: &str) -> Option<Defect> {
        ALL.iter().find(|defect| defect.name == name).copied()
    }
}

impl State {
    /// Whether this mistake is to be made.
    pub(super) fn makes(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }
}
