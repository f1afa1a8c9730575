//! What one seed simulates: how many nodes and posts, which rails, which faults and how often.
//!
//! Rates are drawn for each seed (swarm testing): in one seed the bank loses every fifth answer and nobody crashes, in the next it is
//! the other way round. What never goes wrong in a seed lets something else go wrong for longer.

use std::fmt;
use std::time::Duration;

use super::dice::Dice;

macro_rules! faults {
    ($($variant:ident => $name:literal, $permille:literal, $doc:literal;)*) => {
        /// Everything that can go wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Fault { $(#[doc = $doc] $variant,)* }

        impl Fault {
            /// All of them.
            pub const ALL: &[Fault] = &[$(Fault::$variant,)*];

            /// The name in tables and in JSON.
            pub fn name(self) -> &'static str {
                match self { $(Fault::$variant => $name,)* }
            }

            /// How often it happens at most, in a thousand chances.
            fn most(self) -> u32 {
                match self { $(Fault::$variant => $permille,)* }
            }
        }
    };
}

faults! {
    StreamDuplicate => "stream_duplicate", 300, "The stream tells something twice.";
    StreamReorder => "stream_reorder", 300, "What a batch tells comes in another order.";
    StreamCut => "stream_cut", 40, "The stream breaks and is opened again where the store says.";
    PostEdited => "post_edited", 150, "The author edits an order.";
    PostDeleted => "post_deleted", 150, "The author deletes an order.";
    PostCancelled => "post_cancelled", 120, "The author cancels in public.";
    MessageLost => "message_lost", 200, "A message goes out, and the answer to it is lost.";
    MessageCut => "message_cut", 200, "A message does not go out, and nobody hears that.";
    MessageLater => "message_later", 200, "The platform wants a message later.";
    MessageRefused => "message_refused", 30, "The platform never takes this message.";
    SmallQuota => "small_quota", 400, "The platform takes a few messages an hour.";
    WrongCode => "wrong_code", 250, "The payer mistypes the code.";
    AnswerTwice => "answer_twice", 250, "The payer answers twice.";
    AnswerLate => "answer_late", 200, "The payer answers when the code is not good any more.";
    AnswerNo => "answer_no", 200, "The payer says no.";
    AnswerNever => "answer_never", 200, "The payer says nothing.";
    StrangersCode => "strangers_code", 150, "Somebody else sends the payer's code.";
    BankLosesAnswer => "bank_loses_answer", 250, "The bank takes a payment, and its answer is lost.";
    BankCut => "bank_cut", 250, "The connection to the bank breaks before it has taken anything.";
    BankErrorBefore => "bank_error_before", 250, "The bank answers with an error and has taken nothing.";
    BankErrorAfter => "bank_error_after", 250, "The bank has taken a payment and answers with an error.";
    BankMalformed => "bank_malformed", 150, "The bank has taken a payment and answers with nonsense.";
    BankRefuses => "bank_refuses", 150, "The bank refuses a payment.";
    BankTooMany => "bank_too_many", 200, "The bank has had too many calls.";
    BankDown => "bank_down", 20, "The bank is out of order, perhaps for longer than it remembers keys.";
    BankStrangeStatus => "bank_strange_status", 200, "The bank says a status that nobody knows.";
    BankOldStatus => "bank_old_status", 200, "The bank says a status that was true before.";
    BankWantsApproval => "bank_wants_approval", 200, "The bank wants the payer's own authentication, which may never come.";
    BankReturns => "bank_returns", 100, "A settled payment comes back.";
    BankContradicts => "bank_contradicts", 40, "The bank says no and has taken it all the same.";
    PayeeFrozen => "payee_frozen", 150, "An operator freezes a payee, for a while, just when a payment to it is handed over.";
    Callback => "callback", 300, "Somebody calls back: early, twice, or without reason.";
    CrashBeforeCommit => "crash_before_commit", 15, "A node dies with work that is not committed.";
    CrashAfterCommit => "crash_after_commit", 15, "A node dies right after a commit, before anybody hears of it.";
    CrashAtCall => "crash_at_call", 25, "A node dies before or after a call, and nobody hears the answer.";
    Pause => "pause", 15, "A node stands still for longer than a lease.";
    Skew => "skew", 500, "The nodes' clocks differ by up to two seconds.";
    PostBurst => "post_burst", 150, "Somebody posts five orders in a row.";
    ChangesMind => "changes_mind", 250, "The payer says yes, and soon after cancels by answering the own post.";
    BankLate => "bank_late", 250, "The connection breaks, and what was sent reaches the bank minutes later.";
    SlowExpiry => "slow_expiry", 400, "For the whole of a run nobody looks at the clock more than now and then.";
    ClockJump => "clock_jump", 3, "All clocks jump ahead.";
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// How a bank is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RailKind {
    /// No memory of keys; a payment is found among the payer's entries (Berlin Group).
    Entries,
    /// The key is remembered so long, and a payment is asked for by it.
    Keys(Duration),
}

/// Which limits the payers meet, if any: each kind lets another of them be the first that is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitKind {
    /// The usual ones, which end most orders of a long run.
    Usual,
    /// Higher ones, of which a day's is met first.
    Higher,
    /// A day's sum, and nothing else.
    Day,
    /// A few orders by code alone, and nothing else.
    Count,
    /// None that anybody meets: most orders go to a bank.
    None,
}

/// One simulation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Everything else follows from it.
    pub seed: u64,
    /// How many orders are posted.
    pub posts: usize,
    /// How many nodes share the store.
    pub nodes: usize,
    /// The banks.
    pub rails: Vec<RailKind>,
    /// Which limits the payers meet.
    pub limits: LimitKind,
    /// How often each fault happens, in a thousand chances.
    pub rates: Vec<(Fault, u32)>,
}

impl Plan {
    /// What a seed simulates.
    pub fn of(seed: u64, posts: usize) -> Self {
        let dice = Dice::new(seed);
        let nodes = 2 + dice.below(4);
        let lives = [30 * 60, 2 * 60 * 60, 24 * 60 * 60];
        let rails = vec![RailKind::Entries, RailKind::Keys(Duration::from_secs(*dice.pick(&lives)))];
        let rate = |fault: &Fault| {
            // Never, seldom, often: in equal parts.
            let permille = match dice.below(3) {
                0 => 0,
                1 => fault.most().div_ceil(8),
                _ => fault.most(),
            };
            (*fault, permille)
        };
        let rates = Fault::ALL.iter().map(rate).collect();
        let limits = [LimitKind::Usual, LimitKind::Higher, LimitKind::Day, LimitKind::Count, LimitKind::None];
        Plan { seed, posts, nodes, rails, limits: *dice.pick(&limits), rates }
    }

    /// How often a fault happens, in a thousand chances.
    pub(super) fn rate(&self, fault: Fault) -> u32 {
        self.rates.iter().find(|(other, _)| *other == fault).map_or(0, |(_, rate)| *rate)
    }
}
