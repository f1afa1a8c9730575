//! One HTTP attempt, with limits: no retry, no redirect, a bounded answer, and the one question about a failure that matters, whether the
//! request may have left this machine.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Client, Method};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::Settings;
use super::sign::RequestKey;
use super::wire::{ErrorBody, Problem, VERSION, header};
use crate::bank::attempt::{IDLE_CONNECTION, retry_after, told};
use crate::clock::Timestamp;

/// A request that is about to be made.
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) body: Vec<u8>,
    pub(super) signed: bool,
}

impl Call {
    pub(super) fn get(url: Url) -> Self {
        Call { method: Method::GET, url, body: Vec::new(), signed: true }
    }

    pub(super) fn with(method: Method, url: Url, body: &impl Serialize) -> Result<Self, NoAnswer> {
        let body = serde_json::to_vec(body).map_err(|error| NoAnswer::NotSent(error.to_string()))?;
        Ok(Call { method, url, body, signed: true })
    }
}

/// An answer, read whole and not yet understood.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// What `Retry-After` asks for.
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// The body, if it is what it ought to be.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The error that the backend itself tells of. A bare status may come from anybody on the way.
    pub(super) fn problem(&self) -> Option<Problem> {
        (self.status >= 400).then(|| self.read::<ErrorBody>())?.map(|body| body.error)
    }
}

/// No answer that could be read whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoAnswer {
    /// The request surely did not leave.
    NotSent(String),
    /// It may have been carried out.
    MaybeSent(String),
}

/// Makes attempts.
pub(super) struct Caller {
    client: Client,
    key: Option<RequestKey>,
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
        ensure!(
            loopback || settings.key.is_some() || settings.client_identity.is_some(),
            "a bank that is not on this machine wants signed requests (key) or a client certificate"
        );
        let mut client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .pool_idle_timeout(IDLE_CONNECTION)
            .connect_timeout(settings.connect_timeout)
            .timeout(settings.total_timeout)
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
        Ok(Caller {
            client: client.build().context("the HTTP client for the bank cannot be made")?,
            key: settings.key.clone(),
            largest_answer: settings.largest_answer_bytes,
        })
    }

    /// Makes the call once and reads the answer whole.
    pub(super) async fn make(&self, call: Call, now: Timestamp) -> Result<Answer, NoAnswer> {
        let mut request = self.client.request(call.method.clone(), call.url.clone()).header(ACCEPT, "application/json");
        if call.signed {
            request = request.header(header::VERSION, VERSION);
            if let Some(key) = &self.key {
                let signature = key.sign(call.method.as_str(), &path_and_query(&call.url), &call.body, now);
                request = request
                    .header(header::KEY, &key.id)
                    .header(header::TIMESTAMP, now.as_second().to_string())
                    .header(header::SIGNATURE, signature);
            }
        }
        if !call.body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json").body(call.body);
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
        Ok(Answer { status: response.status().as_u16(), retry_after: retry_after(response.headers(), now), body })
    }
}

/// Path and query as they go over the wire.
pub fn path_and_query(url: &Url) -> String {
    match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    }
}
