//! What an examination of a connection finds: one line each, for one screen.

use serde::Serialize;

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was tried: `credentials`, `stream`, `private messages`, `quotas`…
    pub what: &'static str,
    /// How it went.
    pub verdict: Verdict,
    /// One sentence: what is so, or what is wrong and what helps.
    pub says: String,
}

/// How something went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Good,
    /// It works, and deserves a look.
    Doubtful,
    /// Orders will not pass.
    Bad,
}

impl Finding {
    /// As it should be.
    pub fn good(what: &'static str, says: impl Into<String>) -> Self {
        Finding { what, verdict: Verdict::Good, says: says.into() }
    }

    /// It works, and deserves a look.
    pub fn doubtful(what: &'static str, says: impl Into<String>) -> Self {
        Finding { what, verdict: Verdict::Doubtful, says: says.into() }
    }

    /// Orders will not pass.
    pub fn bad(what: &'static str, says: impl Into<String>) -> Self {
        Finding { what, verdict: Verdict::Bad, says: says.into() }
    }
}

/// How many payments a day the windows leave room for, with so many messages each: the tightest window decides.
pub fn payments_a_day(windows: &[super::Window], messages_each: u32) -> Option<u32> {
    const DAY_SECONDS: u64 = 24 * 60 * 60;
    let a_day = |window: &super::Window| {
        let seconds = window.period.as_secs().max(1);
        u64::from(window.limit).saturating_mul(DAY_SECONDS) / seconds / u64::from(messages_each.max(1))
    };
    windows.iter().map(a_day).min().map(|number| u32::try_from(number).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::Window;
    use std::time::Duration;

    #[test]
    fn the_tightest_window_says_how_many_payments_fit_into_a_day() {
        let window = |limit, seconds| Window { limit, period: Duration::from_secs(seconds) };
        assert_eq!(payments_a_day(&[window(300, 10_800)], 3), Some(800));
        assert_eq!(payments_a_day(&[window(15, 900), window(1_440, 86_400)], 2), Some(720));
        assert_eq!(payments_a_day(&[], 2), None);
    }
}
