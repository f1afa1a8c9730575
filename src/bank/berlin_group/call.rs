//! One HTTP attempt, with limits.
//!
//! What matters about a failed attempt is one thing: may the request have left this machine? Only a connection that was never
//! established (refused, no such host, no handshake in time) says surely not. There are no retries and no redirects.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use reqwest::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use reqwest::{Client, Method, StatusCode};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use url::Url;

use super::Settings;
use super::seal::Seal;
use super::v1_3::header;
use crate::bank::TryAgain;
use crate::bank::attempt::{IDLE_CONNECTION, retry_after, told};
use crate::bank::certificate::Certificate;
use crate::bank::oauth::Tokens;
use crate::clock::Timestamp;

/// A request that is about to be made.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: Vec<(&'static str, &'a str)>,
    pub(super) body: Option<Vec<u8>>,
}

impl<'a> Call<'a> {
    pub(super) fn get(url: Url) -> Self {
        Call { method: Method::GET, url, headers: Vec::new(), body: None }
    }

    pub(super) fn post(url: Url, body: &impl Serialize) -> Result<Self, NoAnswer> {
        let body = serde_json::to_vec(body).map_err(|error| NoAnswer::NotSent(error.to_string()))?;
        Ok(Call { method: Method::POST, url, headers: Vec::new(), body: Some(body) })
    }

    pub(super) fn with(mut self, name: &'static str, value: &'a str) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// An answer, read whole and not yet understood.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// What `Retry-After` asks for.
    pub(super) retry_after: Option<Duration>,
    /// The answer names another request than ours.
    pub(super) about_another: bool,
    /// It asks who we are (`WWW-Authenticate`), as every 401 has to (RFC 9110, section 15.5.2).
    pub(super) challenges: bool,
    pub(super) body: Vec<u8>,
}

/// No answer that could be read whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoAnswer {
    /// The request surely did not leave.
    NotSent(String),
    /// It did not leave either: there is no token for it.
    NoToken(TryAgain),
    /// It may have been carried out.
    MaybeSent(String),
}

/// Makes attempts.
pub(super) struct Caller {
    client: Client,
    authorization: Option<HeaderValue>,
    tokens: Option<Tokens>,
    seal: Option<Seal>,
    payer_address: Ipv4Addr,
    largest_answer: usize,
}

impl Caller {
    pub(super) fn new(settings: &Settings) -> anyhow::Result<Self> {
        let base = &settings.base_url;
        let loopback = match base.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        ensure!(base.scheme() == "https" || loopback, "a bank is reached by https, and {base} is not");
        let mut client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .pool_idle_timeout(IDLE_CONNECTION)
            .connect_timeout(Duration::from_millis(settings.connect_timeout_ms))
            .timeout(Duration::from_millis(settings.total_timeout_ms))
            .user_agent(concat!("obole/", env!("CARGO_PKG_VERSION")));
        if loopback {
            client = client.no_proxy();
        }
        if let Some(path) = &settings.client_identity {
            let pem = std::fs::read(path).with_context(|| format!("the client certificate {} cannot be read", path.display()))?;
            let identity = reqwest::Identity::from_pem(&pem)
                .with_context(|| format!("{} has no usable certificate with its key", path.display()))?;
            client = client.identity(identity);
        }
        let bearer = |token: &secrecy::SecretString| -> anyhow::Result<HeaderValue> {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()))
                .context("the bank's token has characters that no header can carry")?;
            value.set_sensitive(true);
            Ok(value)
        };
        let client = client.build().context("the HTTP client for the bank cannot be made")?;
        let tokens = settings.token.clone().map(|wish| -> anyhow::Result<Tokens> {
            ensure!(wish.token_url.scheme() == "https" || loopback, "tokens are asked for by https, and {} is not", wish.token_url);
            Ok(Tokens::new(wish, client.clone()))
        });
        let seal = settings.signing_identity.as_ref().map(|path| Certificate::read("sealing", path)).transpose()?;
        Ok(Caller {
            client,
            tokens: tokens.transpose()?,
            seal: seal.map(Seal::new),
            authorization: settings.bearer_token.as_ref().map(bearer).transpose()?,
            payer_address: settings.payer_address,
            largest_answer: settings.largest_answer_bytes,
        })
    }

    /// Makes the call once and reads the answer whole.
    pub(super) async fn make(&self, call: Call<'_>, request_id: &str, now: Timestamp) -> Result<Answer, NoAnswer> {
        let mut request = self
            .client
            .request(call.method, call.url)
            .header(header::REQUEST_ID, request_id)
            .header(header::PAYER_ADDRESS, self.payer_address.to_string())
            .header("Accept", "application/json");
        for (name, value) in &call.headers {
            request = request.header(*name, *value);
        }
        if let Some(seal) = &self.seal {
            let body = call.body.as_deref().unwrap_or_default();
            let signed = seal.headers(request_id, &call.headers, body, now);
            for (name, value) in signed.map_err(|error| NoAnswer::NotSent(error.to_string()))? {
                request = request.header(name, value);
            }
        }
        if let Some(tokens) = &self.tokens {
            request = request.header(AUTHORIZATION, tokens.header(now).await.map_err(NoAnswer::NoToken)?);
        } else if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        if let Some(body) = call.body {
            request = request.header("Content-Type", "application/json").body(body);
        }
        let request = request.build().map_err(|error| NoAnswer::NotSent(told(&error)))?;
        let mut response = self.client.execute(request).await.map_err(|error| {
            if error.is_connect() || error.is_builder() {
                NoAnswer::NotSent(told(&error))
            } else {
                NoAnswer::MaybeSent(told(&error))
            }
        })?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| NoAnswer::MaybeSent(told(&error)))? {
            if body.len() + chunk.len() > self.largest_answer {
                return Err(NoAnswer::MaybeSent(format!("the answer is longer than {} bytes", self.largest_answer)));
            }
            body.extend_from_slice(&chunk);
        }
        if let (Some(tokens), StatusCode::UNAUTHORIZED) = (&self.tokens, response.status()) {
            tokens.forget().await;
        }
        let headers = response.headers();
        let challenges = headers.contains_key(WWW_AUTHENTICATE);
        let about_another =
            headers.get(header::REQUEST_ID).is_some_and(|echo| !echo.as_bytes().eq_ignore_ascii_case(request_id.as_bytes()));
        Ok(Answer { status: response.status(), retry_after: retry_after(headers, now), about_another, challenges, body })
    }
}
