//! One attempt at one call over HTTP: bounded in time and size, no redirects, no retries, and a failure that still knows what happened.
//!
//! Adapters differ in what a refusal means; what a refusal *is*, they share: the status, the wait that the server asked for, and its own
//! words, as an error's name and a sentence where it has both.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response, redirect};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use crate::clock::{Clock, Timestamp};

/// A page of what any network lists is well below a megabyte.
const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;
/// A server's own sentence is quoted up to here.
const MAX_QUOTED_CHARACTERS: usize = 200;
/// A server may ask to wait longer, but is asked again then.
const MAX_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// How a call can fail to bring what it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// No connection, so nothing was asked.
    NotReached(String),
    /// Asked, and no complete or readable answer.
    NoAnswer(String),
    /// An answer other than success.
    Status(Refusal),
}

/// An answer other than success.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Refusal {
    /// The HTTP status.
    pub(super) code: u16,
    /// How long to wait at least, where the server said so.
    pub(super) after: Option<Duration>,
    /// The name or number of the error, if it has one: `ExpiredToken`, `349`.
    pub(super) error: String,
    /// Its own sentence, if it has one.
    pub(super) message: String,
}

impl Failure {
    /// The refusal, if there was an answer.
    pub(super) fn refusal(&self) -> Option<&Refusal> {
        match self {
            Failure::Status(refusal) => Some(refusal),
            Failure::NotReached(_) | Failure::NoAnswer(_) => None,
        }
    }

    /// One sentence for the log: no address, no token, no handle.
    pub(super) fn why(&self) -> String {
        match self {
            Failure::NotReached(why) | Failure::NoAnswer(why) => why.clone(),
            Failure::Status(Refusal { code, error, message, .. }) => {
                let words: Vec<&str> = [error.as_str(), message.as_str()].into_iter().filter(|word| !word.is_empty()).collect();
                if words.is_empty() {
                    format!("the server answered {code}")
                } else {
                    format!("the server answered {code}: {}", words.join(", "))
                }
            }
        }
    }
}

/// Who calls: two clients, since a stream is not over after the time that a call may take.
pub(super) struct Caller {
    calls: reqwest::Client,
    streams: reqwest::Client,
    request_timeout: Duration,
    clock: Arc<dyn Clock>,
}

impl Caller {
    /// A caller of servers like `base`: on this machine, no proxy of the environment's is asked.
    pub(super) fn new(
        base: &Url,
        connect_timeout: Duration,
        request_timeout: Duration,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, String> {
        let builder = || {
            let builder = reqwest::Client::builder();
            let builder = if is_here(base) { builder.no_proxy() } else { builder };
            builder
                .redirect(redirect::Policy::none())
                .connect_timeout(connect_timeout)
                .user_agent(concat!("obole/", env!("CARGO_PKG_VERSION")))
        };
        let build = |builder: reqwest::ClientBuilder| builder.build().map_err(|error| sentence(&error));
        Ok(Caller { calls: build(builder().timeout(request_timeout))?, streams: build(builder())?, request_timeout, clock })
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    /// A call, to be completed and given to [`Caller::json`].
    pub(super) fn call(&self, method: Method, address: Url) -> RequestBuilder {
        self.calls.request(method, address)
    }

    /// A stream, to be completed and given to [`Caller::open`].
    pub(super) fn stream(&self, method: Method, address: Url) -> RequestBuilder {
        self.streams.request(method, address)
    }

    /// Makes the call; the answer's body as `T`.
    pub(super) async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Failure> {
        let body = self.bytes(request).await?;
        serde_json::from_slice(&body).map_err(|error| Failure::NoAnswer(format!("the answer could not be read: {error}")))
    }

    /// Makes the call; the answer's body.
    pub(super) async fn bytes(&self, request: RequestBuilder) -> Result<Vec<u8>, Failure> {
        let response = request.send().await.map_err(|error| failure_of(&error))?;
        if !response.status().is_success() {
            return Err(self.refused(response).await);
        }
        read_body(response).await.map_err(Failure::NoAnswer)
    }

    /// Opens a stream; its body is read by the caller.
    pub(super) async fn open(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let answer = tokio::time::timeout(self.request_timeout, request.send()).await;
        let response =
            answer.map_err(|_| Failure::NoAnswer("the stream did not open in time".into()))?.map_err(|e| failure_of(&e))?;
        if response.status() == reqwest::StatusCode::OK { Ok(response) } else { Err(self.refused(response).await) }
    }

    async fn refused(&self, response: Response) -> Failure {
        let code = response.status().as_u16();
        let after = wait_of(code, response.headers(), self.clock.now());
        let body = if code >= 400 { read_body(response).await.unwrap_or_default() } else { Vec::new() };
        let (error, message) = words_of(&body);
        Failure::Status(Refusal { code, after, error, message })
    }
}

/// Whether an address is on this machine.
pub(super) fn is_here(address: &Url) -> bool {
    match address.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// An `http` address without query and fragment, to which paths can be added.
pub(super) fn base_address(text: &str) -> Result<Url, String> {
    let mut base = Url::parse(text.trim_end_matches('/')).map_err(|error| error.to_string())?;
    if !matches!(base.scheme(), "https" | "http") || base.host_str().is_none() {
        return Err("it is not an http address".into());
    }
    base.set_query(None);
    base.set_fragment(None);
    Ok(base)
}

/// Every segment is encoded, so an id can never become part of the path's shape.
pub(super) fn address_below(base: &Url, path: &[&str]) -> Url {
    let mut address = base.clone();
    if let Ok(mut segments) = address.path_segments_mut() {
        segments.pop_if_empty().extend(path);
    }
    address
}

/// The whole body, up to a bound.
pub(super) async fn read_body(mut response: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| sentence(&error))? {
        if body.len() + chunk.len() > MAX_BODY_BYTES {
            return Err("the answer is too long".into());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Whether a call failed before anything of it can have arrived: name resolution, refusal, TLS and the connect time-out are all before the
/// first byte of the request.
pub(super) fn was_not_reached(error: &reqwest::Error) -> bool {
    error.is_connect() || error.is_builder()
}

fn failure_of(error: &reqwest::Error) -> Failure {
    if was_not_reached(error) { Failure::NotReached(sentence(error)) } else { Failure::NoAnswer(sentence(error)) }
}

/// The error without its address, with its innermost cause.
pub(super) fn sentence(error: &reqwest::Error) -> String {
    let what = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection to the server"
    } else {
        "the connection broke"
    };
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source.and_then(std::error::Error::source) {
        source = Some(inner);
    }
    source.map_or_else(|| what.to_owned(), |cause| format!("{what}: {cause}"))
}

/// The forms in which servers name an error: `{"error","message"}` (AT protocol), `{"title","detail"}` (RFC 9457) and
/// `{"errors":[{"code","message"}]}` (X).
fn words_of(body: &[u8]) -> (String, String) {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return Default::default() };
    let first = body.get("errors").and_then(|errors| errors.get(0)).unwrap_or(&Value::Null);
    let word = |names: &[&str]| {
        let found = [&body, first].into_iter().flat_map(|from| names.iter().filter_map(|name| from.get(name)));
        let text = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let text = found.filter_map(text).find(|text| !text.is_empty()).unwrap_or_default();
        text.chars().take(MAX_QUOTED_CHARACTERS).collect::<String>()
    };
    (word(&["error", "code", "title"]), word(&["message", "detail", "error_description"]))
}

/// What the server asks us to wait: `Retry-After` (seconds or a date) or, where nothing is left, the moment at which a window begins anew
/// (`X-RateLimit-Reset` in ISO 8601 on Mastodon, `x-rate-limit-reset` and `ratelimit-reset` in seconds on X and Bluesky); the
/// later of the two.
pub(super) fn wait_of(code: u16, headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let until = |moment: Timestamp| {
        // A second more than the fraction: too early would be refused again.
        let seconds = moment.duration_since(now).as_secs().saturating_add(1);
        Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
    };
    let retry_after = text(RETRY_AFTER.as_str()).and_then(|value| {
        let date = || jiff::fmt::rfc2822::parse(value).ok().map(|date| until(date.timestamp()));
        value.parse().ok().map(Duration::from_secs).or_else(date)
    });
    let reset = ["x-ratelimit", "x-rate-limit", "ratelimit"].into_iter().find_map(|prefix| {
        let nothing_left = code == 429 || text(&format!("{prefix}-remaining")) == Some("0");
        let moment = text(&format!("{prefix}-reset")).filter(|_| nothing_left)?;
        let seconds = || moment.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
        moment.parse().ok().or_else(seconds).map(until)
    });
    retry_after.max(reset).map(|wait| wait.min(MAX_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    #[test]
    fn the_wait_is_read_from_either_header_and_in_either_form() {
        let now: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        let wait_after = |code, pairs: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            pairs.iter().for_each(|(name, value)| {
                headers.insert(*name, HeaderValue::from_str(value).unwrap());
            });
            wait_of(code, &headers, now).map(|wait| wait.as_secs())
        };
        let wait = |pairs: &[(&'static str, &str)]| wait_after(429, pairs);
        assert_eq!(wait(&[("x-ratelimit-reset", "2026-11-20T10:05:00.500Z")]), Some(301));
        assert_eq!(wait(&[("x-rate-limit-reset", "1795169100")]), Some(301));
        assert_eq!(wait(&[("ratelimit-reset", "1795169100")]), Some(301));
        assert_eq!(wait_after(503, &[("x-ratelimit-reset", "2026-11-20T10:05:00Z"), ("x-ratelimit-remaining", "3")]), None);
        assert_eq!(wait_after(503, &[("x-ratelimit-reset", "2026-11-20T10:05:00Z"), ("x-ratelimit-remaining", "0")]), Some(301));
        assert_eq!(wait(&[("retry-after", "30")]), Some(30));
        assert_eq!(wait(&[("retry-after", "30"), ("x-ratelimit-reset", "2026-11-20T10:00:59Z")]), Some(60));
        assert_eq!(wait(&[("retry-after", "Fri, 20 Nov 2026 10:01:00 GMT")]), Some(61));
        assert_eq!(wait(&[("x-ratelimit-reset", "2020-01-01T00:00:00Z")]), Some(0));
        assert_eq!(wait(&[("retry-after", "999999999")]), Some(86_400));
        assert_eq!(wait(&[("x-ratelimit-reset", "soon")]), None);
        assert_eq!(wait(&[]), None);
    }

    #[test]
    fn an_error_is_named_in_any_of_the_forms() {
        let words = |body: &str| words_of(body.as_bytes());
        let pair = |error: &str, message: &str| (error.to_owned(), message.to_owned());
        assert_eq!(words(r#"{"error":"ExpiredToken","message":"Token has expired"}"#), pair("ExpiredToken", "Token has expired"));
        assert_eq!(words(r#"{"title":"Forbidden","detail":"not allowed","status":403}"#), pair("Forbidden", "not allowed"));
        assert_eq!(words(r#"{"errors":[{"code":349,"message":"cannot send"}]}"#), pair("349", "cannot send"));
        assert_eq!(words(r#"{"error":"Record not found"}"#), pair("Record not found", ""));
        assert_eq!(words("<html>"), pair("", ""));
    }
}
