//! Misbehaviour on demand.
//!
//! Faults are weather, not books: they are not journalled and are gone after a restart. A fault says what goes wrong, at
//! which kind of call, how often and for how long; several can be in force at once.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::{Timestamp, later};
use crate::entropy::{Entropy, random_bytes};

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultKind {
    /// The answer takes this much longer.
    Slow {
        /// How long.
        milliseconds: u64,
    },
    /// The payment is taken and rejected at once, with this reason.
    Refuse {
        /// ISO 20022 reason code, e.g. `AC04`.
        reason: String,
    },
    /// The payment is rejected for lack of funds, whatever is on the account.
    NoFunds,
    /// Approval is asked for whatever the amount.
    AlwaysAsk,
    /// The request is carried out, then the connection is cut instead of an answer.
    LoseAnswer,
    /// The connection is cut before anything is done.
    CutBefore,
    /// This HTTP error, and nothing is done.
    ErrorBefore {
        /// The HTTP status.
        status: u16,
    },
    /// The request is carried out, then this HTTP error is the answer.
    ErrorAfter {
        /// The HTTP status.
        status: u16,
    },
    /// The request is carried out, and the answer is no JSON.
    Malformed,
    /// One instruction is carried out twice; the answer tells of the first only.
    Duplicate,
    /// A question about a status is answered with an earlier one.
    Reorder,
    /// A question about a status is answered with a code nobody knows.
    StrangeStatus,
    /// 503 for everything.
    Down,
    /// 429 with `Retry-After`.
    TooMany {
        /// What `Retry-After` says.
        retry_after_seconds: u64,
    },
}

/// Where a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Initiating a payment.
    Initiate,
    /// Asking for a payment or its status.
    Ask,
    /// Consents and accounts.
    Accounts,
}

/// A fault and when it strikes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What goes wrong.
    pub fault: FaultKind,
    /// Only at this kind of call; every kind without it.
    #[serde(default)]
    pub on: Option<Operation>,
    /// How many times at most.
    #[serde(default)]
    pub times: Option<u32>,
    /// For how long from now.
    #[serde(default)]
    pub seconds: Option<u64>,
    /// On average once in so many calls; every time without it.
    #[serde(default)]
    pub one_in: Option<u32>,
}

impl From<FaultKind> for Fault {
    /// Once, at whatever call comes next.
    fn from(fault: FaultKind) -> Self {
        Fault { fault, on: None, times: Some(1), seconds: None, one_in: None }
    }
}

/// The faults in force.
#[derive(Debug, Default)]
pub(super) struct Weather(Vec<(Fault, Option<Timestamp>)>);

impl Weather {
    pub(super) fn add(&mut self, fault: Fault, now: Timestamp) {
        let until = fault.seconds.map(|seconds| later(now, Duration::from_secs(seconds)));
        self.0.push((fault, until));
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn in_force(&self, now: Timestamp) -> Vec<Fault> {
        self.0.iter().filter(|(_, until)| until.is_none_or(|until| now < until)).map(|(fault, _)| fault.clone()).collect()
    }

    /// What strikes this call.
    pub(super) fn strike(&mut self, operation: Operation, now: Timestamp, entropy: &dyn Entropy) -> Vec<FaultKind> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let mut struck = Vec::new();
        for (fault, until) in &mut self.0 {
            let here = fault.on.is_none_or(|on| on == operation) && until.is_none_or(|until| now < until);
            let spared = |n: u32| u32::from_be_bytes(random_bytes(entropy)) % n.max(1) != 0;
            if !here || fault.one_in.is_some_and(spared) {
                continue;
            }
            if let Some(times) = &mut fault.times {
                if *times == 0 {
                    continue;
                }
                *times -= 1;
            }
            struck.push(fault.fault.clone());
        }
        self.0.retain(|(fault, until)| fault.times != Some(0) && until.is_none_or(|until| now < until));
        struck
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;

    #[test]
    fn a_fault_strikes_where_and_as_often_as_it_was_told() {
        let (now, entropy) = (Timestamp::UNIX_EPOCH, SeededEntropy::new(1));
        let mut weather = Weather::default();
        weather.add(Fault { on: Some(Operation::Initiate), times: Some(2), ..FaultKind::LoseAnswer.into() }, now);
        assert!(weather.strike(Operation::Ask, now, &entropy).is_empty());
        assert_eq!(weather.strike(Operation::Initiate, now, &entropy), [FaultKind::LoseAnswer]);
        assert_eq!(weather.strike(Operation::Initiate, now, &entropy).len(), 1);
        assert!(weather.strike(Operation::Initiate, now, &entropy).is_empty());

        weather.add(Fault { times: None, seconds: Some(5), ..FaultKind::Down.into() }, now);
        assert_eq!(weather.strike(Operation::Ask, now, &entropy), [FaultKind::Down]);
        assert!(weather.strike(Operation::Ask, later(now, Duration::from_secs(5)), &entropy).is_empty());
    }
}
