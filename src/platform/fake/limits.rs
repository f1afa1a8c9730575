//! The town's rate limits: fixed windows, as Mastodon counts them.
//!
//! A window begins at a multiple of its length since 1970, whoever asks; what is left of it is announced with every answer.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// From this many counters on, those of past windows are forgotten whenever their number has doubled.
const COUNTERS_BEFORE_SWEEP: usize = 10_000;

/// So many acts in so much time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// How many.
    pub limit: u32,
    /// In how many seconds.
    pub period_seconds: u32,
}

impl Window {
    /// `limit` acts per `period`.
    pub fn new(limit: u32, period: Duration) -> Self {
        Window { limit, period_seconds: u32::try_from(period.as_secs()).unwrap_or(u32::MAX).max(1) }
    }
}

/// Every window of the town.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Statuses and boosts, per account.
    pub statuses: Window,
    /// Requests, per token (without a token: all strangers together).
    pub requests: Window,
}

impl Default for Limits {
    /// What a Mastodon server allows.
    fn default() -> Self {
        Limits {
            statuses: Window { limit: 300, period_seconds: 3 * 3600 },
            requests: Window { limit: 300, period_seconds: 5 * 60 },
        }
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// Statuses and boosts; the key is an account.
    Statuses,
    /// Requests; the key is a token's number, 0 for strangers.
    Requests,
}

/// What is left of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// How many the window allows.
    pub limit: u32,
    /// How many are left.
    pub remaining: u32,
    /// When the next window begins.
    pub reset: Timestamp,
}

#[derive(Debug)]
pub(super) struct Counters {
    pub(super) limits: Limits,
    used: HashMap<(Family, u64), (i64, u32)>,
    sweep_at: usize,
}

impl Counters {
    pub(super) fn new(limits: Limits) -> Self {
        Counters { limits, used: HashMap::new(), sweep_at: COUNTERS_BEFORE_SWEEP }
    }

    fn window(&self, family: Family) -> Window {
        match family {
            Family::Statuses => self.limits.statuses,
            Family::Requests => self.limits.requests,
        }
    }

    /// What is left, without using any of it.
    pub(super) fn quota(&self, family: Family, key: u64, now: Timestamp) -> Quota {
        let window = self.window(family);
        let (index, reset) = place(window, now);
        let used = self.used.get(&(family, key)).filter(|(counted, _)| *counted == index).map_or(0, |(_, used)| *used);
        Quota { limit: window.limit, remaining: window.limit.saturating_sub(used), reset }
    }

    /// Counts one act, allowed or not.
    pub(super) fn count(&mut self, family: Family, key: u64, now: Timestamp) {
        if self.used.len() > self.sweep_at {
            let limits = self.limits;
            self.used.retain(|(family, _), (index, _)| {
                let window = if *family == Family::Statuses { limits.statuses } else { limits.requests };
                *index == place(window, now).0
            });
            self.sweep_at = COUNTERS_BEFORE_SWEEP.max(2 * self.used.len());
        }
        let (index, _) = place(self.window(family), now);
        let counter = self.used.entry((family, key)).or_insert((index, 0));
        *counter = if counter.0 == index { (index, counter.1.saturating_add(1)) } else { (index, 1) };
    }

    /// Forgets what was used.
    pub(super) fn clear(&mut self) {
        self.used.clear();
    }
}

/// The number of the window that `now` lies in, and when the next begins.
fn place(window: Window, now: Timestamp) -> (i64, Timestamp) {
    let period = i64::from(window.period_seconds.max(1));
    let index = now.as_second().div_euclid(period);
    (index, Timestamp::from_second((index + 1).saturating_mul(period)).unwrap_or(Timestamp::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_fills_up_and_the_next_one_is_empty() {
        let mut counters = Counters::new(Limits { statuses: Window { limit: 2, period_seconds: 60 }, ..Limits::default() });
        let now = Timestamp::from_second(90).unwrap();
        counters.count(Family::Statuses, 1, now);
        counters.count(Family::Statuses, 1, now);
        let full = counters.quota(Family::Statuses, 1, now);
        assert_eq!((full.remaining, full.reset.as_second()), (0, 120));
        assert_eq!(counters.quota(Family::Statuses, 2, now).remaining, 2);
        assert_eq!(counters.quota(Family::Statuses, 1, full.reset).remaining, 2);
    }
}
