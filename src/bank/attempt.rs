//! What every HTTP attempt at a bank has in common: how long a connection is trusted, what a failure is called, how long a bank asks us to
//! wait. Whether an attempt may have arrived is for each rail's `call` to say.

use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};

use crate::clock::Timestamp;

/// Longer waits than this are not believed.
const LONGEST_WAIT: Duration = Duration::from_hours(24);
/// A connection idle for longer is not used again: the bank may just be closing it.
pub(super) const IDLE_CONNECTION: Duration = Duration::from_secs(10);

/// The whole chain of causes in one line, without the address (which may contain ids).
pub(super) fn told(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let kind = if error.is_timeout() {
        "the bank did not answer in time"
    } else if error.is_connect() {
        "no connection to the bank"
    } else {
        "the exchange with the bank broke off"
    };
    if std::ptr::addr_eq(cause, std::ptr::from_ref(error)) { kind.to_owned() } else { format!("{kind}: {cause}") }
}

/// `Retry-After`, in seconds or as a date.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let moment = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
            Duration::try_from(moment.duration_since(now)).unwrap_or(Duration::ZERO)
        }
    };
    Some(wait.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bank_may_ask_to_wait_by_seconds_or_by_date() {
        let now: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        let wait = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            retry_after(&headers, now)
        };
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert_eq!(wait("Fri, 20 Nov 2026 10:01:00 GMT"), Some(Duration::from_secs(60)));
        assert_eq!(wait("Fri, 20 Nov 2026 09:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(wait("99999999999"), Some(LONGEST_WAIT));
        assert_eq!(wait("soon"), None);
    }
}
