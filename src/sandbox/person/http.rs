//! Requests of a sandbox person: one attempt each, JSON back, and an error that names what was asked and answered.

use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;

/// A server on this machine that has not answered by then does not answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest part of an answer that an error repeats.
const SHOWN: usize = 300;

#[derive(Debug, Clone)]
pub(super) struct Http(Client);

impl Http {
    pub(super) fn new() -> anyhow::Result<Self> {
        // Redirects are answers here: where the bank sends a browser is something to look at. No proxy stands before this machine.
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().connect_timeout(PATIENCE).build()?;
        Ok(Http(client))
    }

    /// A request to be completed by the caller.
    pub(super) fn request(&self, method: Method, url: &str, token: Option<&str>) -> RequestBuilder {
        let request = self.0.request(method, url);
        match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub(super) async fn get(&self, url: &str, token: Option<&str>) -> anyhow::Result<Value> {
        json(send(self.request(Method::GET, url, token).timeout(PATIENCE)).await?).await
    }

    pub(super) async fn post_json(&self, url: &str, body: &Value) -> anyhow::Result<Value> {
        json(send(self.request(Method::POST, url, None).timeout(PATIENCE).json(body)).await?).await
    }

    /// The same, but `None` if there is nothing at that address.
    pub(super) async fn post_json_if_there(&self, url: &str, body: &Value) -> anyhow::Result<Option<Value>> {
        let response = send(self.request(Method::POST, url, None).timeout(PATIENCE).json(body)).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        json(response).await.map(Some)
    }
}

/// Sends a request; any answer is one.
pub(super) async fn send(request: RequestBuilder) -> anyhow::Result<Response> {
    request.send().await.map_err(|error| {
        let whom = error.url().map_or_else(|| "a sandbox server".to_owned(), ToString::to_string);
        anyhow::Error::new(error.without_url()).context(format!("no answer from {whom}"))
    })
}

/// The answer as JSON, if it is a good one.
pub(super) async fn json(response: Response) -> anyhow::Result<Value> {
    let (status, url) = (response.status(), response.url().clone());
    let body = response.text().await.with_context(|| format!("the answer of {url} broke off"))?;
    if !status.is_success() {
        let shown: String = body.chars().take(SHOWN).collect();
        bail!("{url} answered {status}: {shown}");
    }
    serde_json::from_str(&body).with_context(|| format!("the answer of {url} is not JSON"))
}

/// A text that has to be in an answer.
pub(super) fn text_at(value: &Value, key: &str) -> anyhow::Result<String> {
    value[key].as_str().map(str::to_owned).with_context(|| format!("an answer lacks {key:?}"))
}
