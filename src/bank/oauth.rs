//! Tokens by client credentials (RFC 6749 section 4.4): asked for when needed, kept until shortly before they end, forgotten when refused.
//!
//! A call that has no token is not made, so nothing was sent. There is one request for a token at a time, and no second try in it.

use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::{Client, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

use super::TryAgain;
use crate::clock::{Timestamp, later};

/// A token is not used in its last minute: it might end on the way.
const MARGIN: Duration = Duration::from_secs(60);
/// How long a token is kept that does not say how long it is good.
const UNSAID: Duration = Duration::from_secs(300);
/// The longest answer of a token endpoint that is read.
const LARGEST_ANSWER: usize = 64 * 1024;

/// Where tokens come from.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientCredentials {
    /// The token endpoint.
    pub token_url: Url,
    /// Who we are there.
    pub client_id: String,
    /// Our password there; without one the client certificate of the connection is what it knows us by (RFC 8705).
    #[serde(default)]
    pub client_secret: Option<SecretString>,
    /// What is asked for.
    #[serde(default)]
    pub scope: Option<String>,
}

struct Held {
    header: HeaderValue,
    until: Timestamp,
}

/// The token that is in use.
pub(super) struct Tokens {
    wish: ClientCredentials,
    client: Client,
    held: Mutex<Option<Held>>,
}

#[derive(Deserialize)]
struct Granted {
    access_token: SecretString,
    token_type: String,
    expires_in: Option<u64>,
}

impl Tokens {
    /// Tokens over this client, which follows no redirects and has time limits.
    pub(super) fn new(wish: ClientCredentials, client: Client) -> Self {
        Tokens { wish, client, held: Mutex::new(None) }
    }

    /// The value of `Authorization`.
    pub(super) async fn header(&self, now: Timestamp) -> Result<HeaderValue, TryAgain> {
        let mut held = self.held.lock().await;
        if let Some(Held { header, .. }) = held.as_ref().filter(|held| now < held.until) {
            return Ok(header.clone());
        }
        let fresh = self.ask(now).await?;
        let header = fresh.header.clone();
        *held = Some(fresh);
        Ok(header)
    }

    /// The bank does not take the token any more.
    pub(super) async fn forget(&self) {
        *self.held.lock().await = None;
    }

    async fn ask(&self, now: Timestamp) -> Result<Held, TryAgain> {
        let wait = |why: String| TryAgain::Later { after: None, why };
        let mut form = vec![("grant_type", "client_credentials"), ("client_id", self.wish.client_id.as_str())];
        form.extend(self.wish.scope.as_deref().map(|scope| ("scope", scope)));
        let mut request = self.client.post(self.wish.token_url.clone()).form(&form).header("Accept", "application/json");
        if let Some(secret) = &self.wish.client_secret {
            request = request.basic_auth(&self.wish.client_id, Some(secret.expose_secret()));
        }
        let mut response = request.send().await.map_err(|_| wait("the bank's token endpoint did not answer".to_owned()))?;
        let status = response.status();
        if matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            let why = format!("the bank's token endpoint answered {}", status.as_u16());
            return Err(TryAgain::Credentials { why });
        }
        if !status.is_success() {
            return Err(wait(format!("the bank's token endpoint answered {}", status.as_u16())));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|_| wait("the token's answer broke off".to_owned()))? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                return Err(wait("the token's answer is too long".to_owned()));
            }
            body.extend_from_slice(&chunk);
        }
        let granted: Granted = serde_json::from_slice(&body).map_err(|_| wait("the token's answer cannot be read".to_owned()))?;
        if !granted.token_type.eq_ignore_ascii_case("bearer") {
            return Err(wait("the token is not of the kind bearer".to_owned()));
        }
        let header = HeaderValue::from_str(&format!("Bearer {}", granted.access_token.expose_secret()));
        let mut header = header.map_err(|_| wait("the token has characters that no header can carry".to_owned()))?;
        header.set_sensitive(true);
        let life = granted.expires_in.map_or(UNSAID, Duration::from_secs);
        Ok(Held { header, until: later(now, life.saturating_sub(MARGIN)) })
    }
}
