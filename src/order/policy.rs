//! The rules of sums and times, as numbers that a configuration may change.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Order;
use super::state::Rejection;
use crate::clock::{Timestamp, later};
use crate::money::{Currency, Money};
use crate::people::Class;
use crate::planted::planted;

/// How much, how often. All amounts in minor units of [`Limits::currency`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// The only currency served: what the rails and the payers' accounts hold.
    pub currency: Currency,
    /// The most that a code in a private message confirms: 30 €, the low-value exemption of PSD2 RTS Art. 16.
    pub low_value_order_minor: i64,
    /// The most since the last strong confirmation: 100 € (the same article).
    pub low_value_sum_minor: i64,
    /// How many orders since the last strong confirmation: 5 (the same article).
    pub low_value_count: u32,
    /// To one person in one order: 250 €, S-money's own limit.
    pub to_person_minor: i64,
    /// To one organisation in one order: 500 €, S-money's own limit.
    pub to_organisation_minor: i64,
    /// In any 24 hours: 1,000 €.
    pub rolling_day_minor: i64,
    /// Orders that wait for the payer at one time.
    pub open_orders: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            currency: Currency::EUR,
            low_value_order_minor: 3_000,
            low_value_sum_minor: 10_000,
            low_value_count: 5,
            to_person_minor: 25_000,
            to_organisation_minor: 50_000,
            rolling_day_minor: 100_000,
            open_orders: 3,
        }
    }
}

impl Limits {
    /// Eight hexadecimal digits that change with any of the numbers: stands in the audit line of what was decided under them.
    pub fn version(&self) -> String {
        use sha2::{Digest as _, Sha256};
        let Limits {
            currency,
            low_value_order_minor,
            low_value_sum_minor,
            low_value_count,
            to_person_minor,
            to_organisation_minor,
            rolling_day_minor,
            open_orders,
        } = self;
        let numbers = format!(
            "{currency} {low_value_order_minor} {low_value_sum_minor} {low_value_count} {to_person_minor} \
             {to_organisation_minor} {rolling_day_minor} {open_orders}"
        );
        crate::ids::hex(&Sha256::digest(numbers)[..4])
    }

    /// Whether one order, looked at alone, may be asked for.
    pub fn check(&self, order: &Order) -> Result<(), Rejection> {
        if order.total.currency != self.currency {
            return Err(Rejection::CurrencyNotServed);
        }
        for payment in &order.payments {
            let limit = match payment.payee.class {
                Class::Person => self.to_person_minor,
                Class::Charity | Class::Company => self.to_organisation_minor,
            };
            if payment.amount.minor > limit {
                return Err(Rejection::AboveOrderLimit { limit: Money::new(limit, self.currency) });
            }
        }
        Ok(())
    }

    /// Whether an order, looked at alone, is above what a code may confirm.
    pub fn needs_passkey(&self, order: &Order) -> bool {
        order.total.minor > self.low_value_order_minor
    }

    /// The same limits for an order that is confirmed strongly: what counts since the last strong confirmation does not hold it up.
    pub fn for_strong_confirmation(&self) -> Limits {
        Limits { low_value_sum_minor: i64::MAX, low_value_count: u32::MAX, ..self.clone() }
    }
}

/// How long things may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timing {
    /// For the author to open a channel.
    pub payer_wait: Duration,
    /// For an invited payee to claim.
    pub payee_wait: Duration,
    /// For the payer to confirm: the code's life (PSD2 RTS recommends minutes; NIST SP 800-63B says 10).
    pub confirmation: Duration,
    /// From confirmation to the bank; later it is not what the payer meant any more.
    pub submit_within: Duration,
    /// Before the bank is first asked about a payment it has; doubles with every question.
    pub ask_first: Duration,
    /// The longest between two questions.
    pub ask_at_most: Duration,
    /// How long after the submission a payment is asked about at most; then an operator has to. A rail may know less ([`Rail`]).
    pub look_up_horizon: Duration,
    /// How long an order stays held before it is not what the payer meant any more.
    pub held: Duration,
    /// Posts older than this when they reach us are not acted on.
    pub oldest_post: Duration,
    /// How long a new passkey confirms no more than a code could, and a raised limit of one's own waits: time for somebody whose
    /// accounts were taken over to hear of it.
    pub cool_off: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 60 * MINUTE;
        Timing {
            payer_wait: Duration::from_secs(24 * HOUR),
            payee_wait: Duration::from_secs(7 * 24 * HOUR),
            confirmation: Duration::from_secs(10 * MINUTE),
            submit_within: Duration::from_secs(HOUR),
            ask_first: Duration::from_secs(2),
            ask_at_most: Duration::from_secs(10 * MINUTE),
            look_up_horizon: Duration::from_secs(3 * 24 * HOUR),
            held: Duration::from_secs(3 * 24 * HOUR),
            oldest_post: Duration::from_secs(6 * HOUR),
            cool_off: Duration::from_secs(24 * HOUR),
        }
    }
}

impl Timing {
    /// How long to wait before question number `asked` (from 0): doubling, up to the longest.
    pub fn before_question(&self, asked: u32) -> Duration {
        self.ask_first.saturating_mul(2_u32.saturating_pow(asked.min(20))).min(self.ask_at_most)
    }
}

/// What the payer's rail promises, as far as a decision needs it (`bank::Capabilities`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rail {
    /// How long after a submission asking can still find a payment.
    pub look_up_horizon: Duration,
    /// How long the bank remembers our key, counted from the first submission. `None`: a payment is never handed over twice.
    pub key_life: Option<Duration>,
}

impl Default for Rail {
    /// A rail that promises nothing but to be asked.
    fn default() -> Self {
        Rail { look_up_horizon: Duration::MAX, key_life: None }
    }
}

/// What the payer has to confirm strongly with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PasskeyStanding {
    /// Nothing, or nobody has looked because the order does not need it.
    #[default]
    Missing,
    /// Passkeys that are all too new.
    NewUntil(Timestamp),
    /// A passkey that confirms any order.
    Usable,
}

/// What [`super::decide`] needs to know besides order, event and time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// Sums.
    pub limits: Limits,
    /// Times.
    pub timing: Timing,
    /// The rail of the order's payer.
    pub rail: Rail,
    /// What the order's payer can confirm with, where a code is not enough.
    pub passkey: PasskeyStanding,
    /// Whoever operates the platform of the order could have written the order and could write its confirmation.
    pub source_can_be_forged: bool,
}

impl Policy {
    /// Whether an order, looked at alone, is more than a code may confirm: by its sum, or because whoever operates the platform could
    /// write the answer with the code as well as the post.
    pub fn needs_passkey(&self, order: &Order) -> bool {
        self.source_can_be_forged || self.limits.needs_passkey(order)
    }

    /// Whether a payment first handed over at `submitted_at` has been asked about for as long as asking can help.
    pub fn asked_long_enough(&self, submitted_at: Timestamp, now: Timestamp) -> bool {
        later(submitted_at, self.timing.look_up_horizon.min(self.rail.look_up_horizon)) <= now
    }

    /// Whether the bank surely still remembers the key of a payment first handed over at `submitted_at`, so that a repetition is
    /// the same payment.
    pub fn key_surely_lives(&self, submitted_at: Timestamp, now: Timestamp) -> bool {
        let Some(life) = self.rail.key_life else { return planted!("repeat_without_memory") };
        if planted!("key_life_ignored") {
            return true;
        }
        later(now, KEY_MARGIN) < later(submitted_at, life)
    }
}

/// Clocks differ, and a call takes its time: a key counts as forgotten this long before the bank's own word.
pub const KEY_MARGIN: Duration = Duration::from_secs(5 * 60);

/// Questions that did not find a payment before it is handed over again, where the rail allows that at all.
pub const QUESTIONS_BEFORE_REPEATING: u32 = 3;

/// Wrong codes until the order is refused (PSD2 RTS Art. 4(3)(b): at most five).
pub const WRONG_ANSWERS: u8 = 5;
