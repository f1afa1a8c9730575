//! Calls to X: as the app (bearer token) or as the bot (OAuth 1.0a), one attempt each.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Method, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::oauth::Signer;
use crate::platform::call::{Caller, Failure, Refusal, address_below};
use crate::platform::{ListenError, SendError};

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum As {
    App,
    Bot,
}

/// X, as one app and one bot.
pub(super) struct Api {
    pub(super) caller: Caller,
    pub(super) base: Url,
    pub(super) bearer: SecretString,
    pub(super) signer: Signer,
    calls: AtomicU64,
    pub(super) pauses: Pauses,
}

impl Api {
    pub(super) fn new(caller: Caller, base: Url, bearer: SecretString, signer: Signer) -> Self {
        Api { caller, base, bearer, signer, calls: AtomicU64::new(0), pauses: Pauses::default() }
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, by: As, path: &[&str], query: &[(&str, &str)]) -> Result<T, Failure> {
        let address = self.address(path, query);
        let authorisation = self.authorisation(by, "GET", &address);
        self.caller.json(self.caller.call(Method::GET, address).header(AUTHORIZATION, authorisation)).await
    }

    pub(super) async fn post<T: DeserializeOwned>(&self, by: As, path: &[&str], body: &impl Serialize) -> Result<T, Failure> {
        let address = self.address(path, &[]);
        let authorisation = self.authorisation(by, "POST", &address);
        self.caller.json(self.caller.call(Method::POST, address).header(AUTHORIZATION, authorisation).json(body)).await
    }

    pub(super) async fn open_stream(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Response, Failure> {
        let address = self.address(path, query);
        let authorisation = self.authorisation(As::App, "GET", &address);
        self.caller.open(self.caller.stream(Method::GET, address).header(AUTHORIZATION, authorisation)).await
    }

    fn address(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut address = address_below(&self.base, path);
        if !query.is_empty() {
            address.query_pairs_mut().extend_pairs(query);
        }
        address
    }

    fn authorisation(&self, by: As, method: &str, address: &Url) -> HeaderValue {
        let text = match by {
            As::App => format!("Bearer {}", self.bearer.expose_secret()),
            As::Bot => {
                let now = self.caller.clock().now();
                // A nonce has to be new, not secret: the microsecond and the number of the call within this process are.
                let number = self.calls.fetch_add(1, Ordering::Relaxed);
                self.signer.authorise(method, address, now, &format!("{:x}n{number:x}", now.as_microsecond()))
            }
        };
        // A token that fits no header is refused by the server like any other wrong one.
        let mut value = HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("Bearer"));
        value.set_sensitive(true);
        value
    }
}

/// Says that our own tokens or permissions are the reason. A 403 is about the act unless it says that the app or token may not:
/// `Unsupported Authentication`, `client-not-enrolled`, `oauth1-permissions`.
pub(super) fn is_about_us(failure: &Failure) -> bool {
    let Some(Refusal { code, error, message, .. }) = failure.refusal() else { return false };
    let says = |words: &[&str]| {
        let text = format!("{error} {message}").to_ascii_lowercase();
        words.iter().any(|word| text.contains(word))
    };
    *code == 401
        || *code == 402
        || (*code == 403
            && says(&["authenticat", "client-not-enrolled", "client forbidden", "client app", "oauth1", "your account is"]))
}

/// For a call that changes nothing.
pub(super) fn of_reading(failure: Failure) -> SendError {
    let why = failure.why();
    match failure {
        failure if is_about_us(&failure) => SendError::Credentials { why },
        Failure::Status(refusal) if matches!(refusal.code, 400 | 403 | 404) => SendError::Refused { why },
        failure => SendError::Later { after: failure.refusal().and_then(|refusal| refusal.after), why },
    }
}

/// How long to wait before the next connection, as X prescribes (<https://docs.x.com/x-api/fundamentals/handling-disconnections>): at once
/// after the first break, then 250 ms more each time up to 16 s; after an HTTP error 5 s, doubling up to 320 s; after a 429 a
/// minute, doubling.
#[derive(Debug, Default)]
pub(super) struct Pauses(Mutex<Failed>);

#[derive(Debug, Default, Clone, Copy)]
struct Failed {
    breaks: u32,
    errors: u32,
    limited: u32,
}

impl Pauses {
    /// Something came in: the next failure is a first one.
    pub(super) fn reset(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Failed::default();
    }

    /// The connection broke.
    pub(super) fn after_break(&self, why: &str) -> ListenError {
        let mut failed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = (Duration::from_millis(250) * failed.breaks).min(Duration::from_secs(16));
        failed.breaks = failed.breaks.saturating_add(1).min(1_000);
        ListenError::Broken { after: Some(wait), why: why.to_owned() }
    }

    /// A call failed.
    pub(super) fn after_failure(&self, failure: &Failure) -> ListenError {
        let why = failure.why();
        let Some(refusal) = failure.refusal() else { return self.after_break(&why) };
        if is_about_us(failure) || refusal.code == 403 {
            return ListenError::Credentials { why };
        }
        let mut failed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let doubled = |first: u64, times: u32, most: u64| {
            Duration::from_secs(first.saturating_mul(2_u64.saturating_pow(times.min(20))).min(most))
        };
        let wait = if refusal.code == 429 {
            failed.limited = failed.limited.saturating_add(1);
            doubled(60, failed.limited - 1, 15 * 60)
        } else {
            failed.errors = failed.errors.saturating_add(1);
            doubled(5, failed.errors - 1, 320)
        };
        ListenError::Broken { after: Some(wait.max(refusal.after.unwrap_or_default())), why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(error: &ListenError) -> u128 {
        match error {
            ListenError::Broken { after, .. } => after.unwrap().as_millis(),
            ListenError::Credentials { .. } => panic!("{error}"),
        }
    }

    fn status(code: u16, after: Option<u64>) -> Failure {
        Failure::Status(Refusal { code, after: after.map(Duration::from_secs), ..Refusal::default() })
    }

    #[test]
    fn pauses_are_as_prescribed() {
        let pauses = Pauses::default();
        let breaks: Vec<u128> = (0..4).map(|_| wait(&pauses.after_break("x"))).collect();
        assert_eq!(breaks, [0, 250, 500, 750]);
        let most = (0..100).map(|_| wait(&pauses.after_break("x"))).max();
        assert_eq!(most, Some(16_000));
        let errors: Vec<u128> = (0..8).map(|_| wait(&pauses.after_failure(&status(503, None)))).collect();
        assert_eq!(errors, [5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 320_000, 320_000]);
        let limited: Vec<u128> = (0..3).map(|_| wait(&pauses.after_failure(&status(429, Some(100))))).collect();
        assert_eq!(limited, [100_000, 120_000, 240_000], "never before the server's own word");
        pauses.reset();
        assert_eq!(wait(&pauses.after_break("x")), 0);
    }

    #[test]
    fn one_persons_block_is_not_the_end_of_everything() {
        let refused = |code, message: &str| {
            is_about_us(&Failure::Status(Refusal { code, message: message.to_owned(), ..Refusal::default() }))
        };
        assert!(refused(401, "Unauthorized"));
        assert!(refused(403, "Your client app is not configured with the appropriate oauth1 app permissions for this endpoint."));
        assert!(!refused(403, "You cannot send messages to this user."));
        assert!(!refused(403, "This happened because the user has been suspended."));
        assert!(!refused(404, ""));
    }
}
