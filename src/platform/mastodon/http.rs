//! One attempt at one call: bounded in time and size, no redirects, no retries, and a failure that still knows what happened.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use reqwest::{Method, RequestBuilder, Response, StatusCode, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use url::Url;

use crate::clock::{Clock, Timestamp};
use crate::platform::{ListenError, SendError, call};

use super::config::MastodonConfig;
use super::wire::ErrorBody;

/// A server's own sentence is quoted up to here.
const MAX_QUOTED_CHARACTERS: usize = 200;
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
        let base = call::base_address(&config.base_url)?;
        let is_here = call::is_here(&base);
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
        let build = |builder: reqwest::ClientBuilder| builder.build().map_err(|error| call::sentence(&error));
        Ok(Http {
            calls: build(builder().timeout(request_timeout))?,
            streams: build(builder())?,
            base,
            token: config.access_token.clone(),
            request_timeout,
            clock,
        })
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    /// `GET`, and the answer's body as `T`.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &[&str], query: &[(&str, &str)]) -> Result<T, Failure> {
        self.call(self.request(&self.calls, Method::GET, call::address_below(&self.base, path)).query(query)).await
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
        let request = self.request(&self.calls, Method::POST, call::address_below(&self.base, path)).form(form);
        self.call(request.header("Idempotency-Key", key)).await
    }

    /// Opens a stream at `origin`; its body is read by the caller.
    pub(super) async fn open_stream(&self, origin: &Url, path: &[&str]) -> Result<Response, Failure> {
        let request =
            self.request(&self.streams, Method::GET, call::address_below(origin, path)).header(ACCEPT, "text/event-stream");
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
        let after = call::wait_of(code, response.headers(), self.clock.now());
        let body = if code >= 400 { body(response).await.unwrap_or_default() } else { Vec::new() };
        let error = serde_json::from_slice::<ErrorBody>(&body).unwrap_or_default().error;
        Failure::Status { code, after, error: error.chars().take(MAX_QUOTED_CHARACTERS).collect() }
    }
}

async fn body(response: Response) -> Result<Vec<u8>, Failure> {
    call::read_body(response).await.map_err(Failure::NoAnswer)
}

fn failure_of(error: &reqwest::Error) -> Failure {
    let why = call::sentence(error);
    if call::was_not_reached(error) { Failure::NotReached(why) } else { Failure::NoAnswer(why) }
}

#[cfg(test)]
mod tests {
    use super::*;

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
