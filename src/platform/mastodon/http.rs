//! One attempt at one call: bounded in time and size, no redirects, no retries, and a failure that still knows what happened.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response, StatusCode, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use url::Url;

use crate::clock::{Clock, Timestamp};
use crate::platform::{ListenError, SendError};

use super::config::MastodonConfig;
use super::wire::ErrorBody;

/// A page of 80 notifications with long posts is well below a megabyte.
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
    Status {
        /// The HTTP status.
        code: u16,
        /// How long to wait at least, where the server said so.
        after: Option<Duration>,
        /// Its own sentence, if it has one.
        error: String,
    },
}

impl Failure {
    /// Our own token or permission is the reason. Mastodon answers 403 to both a token without the scope and a single act that is
    /// not allowed (a reply to somebody who blocks us); only its sentence tells them apart, and one person's block must not look
    /// like the end of everything, so 403 counts only with a sentence about the token or our account.
    pub(super) fn is_about_us(&self) -> bool {
        match self {
            Failure::Status { code: 401, .. } => true,
            Failure::Status { code: 403, error, .. } => {
                let error = error.to_ascii_lowercase();
                ["scope", "token", "login", "disabled", "suspended", "pending", "confirm", "authenticated"]
                    .iter()
                    .any(|word| error.contains(word))
            }
            _ => false,
        }
    }

    /// One sentence for the log: no address, no token, no handle.
    pub(super) fn why(&self) -> String {
        match self {
            Failure::NotReached(why) | Failure::NoAnswer(why) => why.clone(),
            Failure::Status { code, error, .. } if error.is_empty() => format!("the instance answered {code}"),
            Failure::Status { code, error, .. } => format!("the instance answered {code}: {error}"),
        }
    }

    /// For a call that changes nothing: everything but our own credentials may pass.
    pub(super) fn of_reading(self) -> SendError {
        let why = self.why();
        match self {
            failure if failure.is_about_us() => SendError::Credentials { why },
            Failure::Status { code: 400 | 403 | 404 | 410 | 422, .. } => SendError::Refused { why },
            Failure::Status { after, .. } => SendError::Later { after, why },
            Failure::NotReached(_) | Failure::NoAnswer(_) => SendError::Later { after: None, why },
        }
    }
}

impl From<Failure> for ListenError {
    fn from(failure: Failure) -> Self {
        let why = failure.why();
        match failure {
            failure if failure.is_about_us() => ListenError::Credentials { why },
            // To read is all a stream asks for: whoever forbids it does not accept us.
            Failure::Status { code: 403, .. } => ListenError::Credentials { why },
            Failure::Status { after, .. } => ListenError::Broken { after, why },
            Failure::NotReached(_) | Failure::NoAnswer(_) => ListenError::Broken { after: None, why },
        }
    }
}

/// The instance, as one account.
pub(super) struct Http {
    calls: reqwest::Client,
    streams: reqwest::Client,
    base: Url,
    token: SecretString,
    request_timeout: Duration,
    clock: Arc<dyn Clock>,
}

impl Http {
    pub(super) fn new(config: &MastodonConfig, clock: Arc<dyn Clock>) -> Result<Self, String> {
        let mut base = Url::parse(config.base_url.trim_end_matches('/')).map_err(|error| error.to_string())?;
        if !matches!(base.scheme(), "https" | "http") || base.host_str().is_none() {
            return Err("it is not an http address".into());
        }
        base.set_query(None);
        base.set_fragment(None);
        let is_here = match base.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        let builder = || {
            let builder = reqwest::Client::builder();
            // A proxy of the environment's would look for the sandbox on its own machine.
            let builder = if is_here { builder.no_proxy() } else { builder };
            builder
                .redirect(redirect::Policy::none())
                .connect_timeout(Duration::from_secs(config.connect_timeout_seconds))
                .user_agent(concat!("obole/", env!("CARGO_PKG_VERSION")))
        };
        let request_timeout = Duration::from_secs(config.request_timeout_seconds);
        let build = |builder: reqwest::ClientBuilder| builder.build().map_err(|error| sentence(&error));
        Ok(Http {
            calls: build(builder().timeout(request_timeout))?,
            streams: build(builder())?,
            base,
            token: config.access_token.clone(),
            request_timeout,
            clock,
        })
    }

    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    /// `GET`, and the answer's body as `T`.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &[&str], query: &[(&str, &str)]) -> Result<T, Failure> {
        self.call(self.request(&self.calls, Method::GET, self.address(&self.base, path)).query(query)).await
    }

    /// `POST` of a form, and the answer's body as `T`.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &[&str],
        form: &[(&str, &str)],
        idempotency_key: &str,
    ) -> Result<T, Failure> {
        let key =
            HeaderValue::from_str(idempotency_key).map_err(|_| Failure::NotReached("the key does not fit a header".into()))?;
        let request = self.request(&self.calls, Method::POST, self.address(&self.base, path)).form(form);
        self.call(request.header("Idempotency-Key", key)).await
    }

    /// Opens a stream at `origin`; its body is read by the caller.
    pub(super) async fn open_stream(&self, origin: &Url, path: &[&str]) -> Result<Response, Failure> {
        let request = self.request(&self.streams, Method::GET, self.address(origin, path)).header(ACCEPT, "text/event-stream");
        let answer = tokio::time::timeout(self.request_timeout, request.send()).await;
        let response =
            answer.map_err(|_| Failure::NoAnswer("the stream did not open in time".into()))?.map_err(|e| failure_of(&e))?;
        if response.status() == StatusCode::OK { Ok(response) } else { Err(self.refusal(response).await) }
    }

    fn request(&self, client: &reqwest::Client, method: Method, address: Url) -> RequestBuilder {
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", self.token.expose_secret()));
        if let Ok(value) = &mut bearer {
            value.set_sensitive(true);
        }
        // A token that fits no header is refused by the server like any other wrong one.
        client.request(method, address).header(AUTHORIZATION, bearer.unwrap_or_else(|_| HeaderValue::from_static("Bearer")))
    }

    /// Every segment is encoded, so an id can never become part of the path's shape.
    fn address(&self, origin: &Url, path: &[&str]) -> Url {
        let mut address = origin.clone();
        if let Ok(mut segments) = address.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        address
    }

    async fn call<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Failure> {
        let response = request.send().await.map_err(|error| failure_of(&error))?;
        if !response.status().is_success() {
            return Err(self.refusal(response).await);
        }
        let body = body(response).await?;
        serde_json::from_slice(&body).map_err(|error| Failure::NoAnswer(format!("the answer could not be read: {error}")))
    }

    async fn refusal(&self, response: Response) -> Failure {
        let code = response.status().as_u16();
        let after = wait_of(code, response.headers(), self.clock.now());
        let body = if code >= 400 { body(response).await.unwrap_or_default() } else { Vec::new() };
        let error = serde_json::from_slice::<ErrorBody>(&body).unwrap_or_default().error;
        Failure::Status { code, after, error: error.chars().take(MAX_QUOTED_CHARACTERS).collect() }
    }
}

async fn body(mut response: Response) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| Failure::NoAnswer(sentence(&error)))? {
        if body.len() + chunk.len() > MAX_BODY_BYTES {
            return Err(Failure::NoAnswer("the answer is too long".into()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn failure_of(error: &reqwest::Error) -> Failure {
    // `is_connect` covers name resolution, refusal, TLS and the connect time-out: all before the first byte of the request.
    if error.is_connect() || error.is_builder() { Failure::NotReached(sentence(error)) } else { Failure::NoAnswer(sentence(error)) }
}

/// The error without its address, with its innermost cause.
fn sentence(error: &reqwest::Error) -> String {
    let what = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection to the instance"
    } else {
        "the connection broke"
    };
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source.and_then(std::error::Error::source) {
        source = Some(inner);
    }
    source.map_or_else(|| what.to_owned(), |cause| format!("{what}: {cause}"))
}

/// What the server asks us to wait: `Retry-After` (seconds or a date) or, where nothing is left, `X-RateLimit-Reset` (ISO 8601,
/// <https://docs.joinmastodon.org/api/rate-limits/>); the later of the two.
fn wait_of(code: u16, headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
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
    let nothing_left = code == 429 || text("x-ratelimit-remaining") == Some("0");
    let reset = text("x-ratelimit-reset").filter(|_| nothing_left).and_then(|value| value.parse().ok()).map(until);
    retry_after.max(reset).map(|wait| wait.min(MAX_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_read_from_either_header() {
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
    fn a_403_is_about_us_only_if_it_says_so() {
        let status = |code, error: &str| Failure::Status { code, after: None, error: error.into() };
        assert!(status(401, "").is_about_us());
        assert!(status(403, "This action is outside the authorized scopes").is_about_us());
        assert!(status(403, "Your login is currently disabled").is_about_us());
        assert!(!status(403, "This action is not allowed").is_about_us());
        assert!(!status(403, "").is_about_us());
        assert!(!status(422, "Validation failed").is_about_us());
    }
}
