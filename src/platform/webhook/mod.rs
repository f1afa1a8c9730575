//! Any platform: signed JSON in, signed JSON out. How a bank's own app, or a messenger's bot, becomes a platform without a line of ours.
//!
//! The other side calls `POST {public_url}/platforms/{name}` for everything that happens and is told `200` once that is committed; we call
//! its one address for everything we want: a private message, a public answer, whom a handle names, what has become of a post. Every
//! call is signed in both directions (`signature`); `wire` has the forms, `docs/platforms.md` an example of each.
//!
//! What is promised:
//! - an event is about something that has an id of the other side's; told twice, it changes nothing the second time;
//! - a sending carries a key, as `Idempotency-Key` and in the body, which is the same on every attempt: the other side answers a repetition
//!   with the first answer. After an unknown outcome the sending is therefore simply made again;
//! - whoever operates the other side could write an order and its confirmation, so no code ever confirms one that came this way
//!   ([`crate::platform::Network::operator_can_forge`]).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use url::Url;

use super::call::{Caller, Failure, base_address};
use super::check::{Finding, payments_a_day};
use super::health::{Health, WhileOpen};
use super::inbound::{Call, CallError};
use super::{
    Account, Batch, Closed, Cursor, Inbound, ListenError, Liveness, Network, OutgoingDm, OutgoingReply, Platform, PlatformEvent,
    SendError, Window,
};
use crate::clock::{Clock, SystemClock};
use crate::ids::{AccountId, PlatformName, hex};

mod signature;
mod wire;

use signature::Secrets;
use wire::{Asked, Found, Person, Sent, To, Told};

/// What an operator says about a connection.
#[derive(Debug, Clone)]
pub struct WebhookConfig {
    /// The other side's address for everything we ask of it.
    pub url: String,
    /// What both sides sign with: `whsec_` and at least 24 bytes in base64.
    pub secret: SecretString,
    /// The secret before it, while it is being replaced.
    pub previous_secret: Option<SecretString>,
    /// Our own account there.
    pub bot_id: String,
    /// Our own handle there: `user` or `user@domain`.
    pub bot_handle: String,
    /// The longest private message.
    pub dm_characters: usize,
    /// How much may be sent; nothing means that the other side says 429 when it is too much.
    pub windows: Vec<Window>,
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// How long a request may take in all.
    pub request_timeout: Duration,
}

impl WebhookConfig {
    /// A configuration with every default.
    pub fn new(
        url: impl Into<String>,
        secret: impl Into<SecretString>,
        bot_id: impl Into<String>,
        bot_handle: impl Into<String>,
    ) -> Self {
        WebhookConfig {
            url: url.into(),
            secret: secret.into(),
            previous_secret: None,
            bot_id: bot_id.into(),
            bot_handle: bot_handle.into(),
            dm_characters: 2_000,
            windows: Vec::new(),
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(20),
        }
    }

    /// What is wrong with it, in one sentence, if anything is.
    pub fn check(&self) -> Result<(), String> {
        self.address()?;
        self.secrets().map(|_| ())
    }

    fn address(&self) -> Result<Url, String> {
        base_address(&self.url).map_err(|why| format!("url: {why}"))
    }

    fn secrets(&self) -> Result<Secrets, String> {
        let texts = std::iter::once(&self.secret).chain(&self.previous_secret).map(ExposeSecret::expose_secret);
        Secrets::read(texts).map_err(|why| format!("secret {why}"))
    }
}

/// A connection to whatever it is.
pub struct Webhook {
    name: PlatformName,
    config: WebhookConfig,
    address: Url,
    caller: Caller,
    secrets: Secrets,
    bot: Account,
    health: Health,
}

impl Webhook {
    /// Puts a connection together; nobody is called yet. `Err`: one sentence about the configuration.
    pub fn new(config: WebhookConfig, name: PlatformName) -> Result<Self, String> {
        Webhook::with_clock(config, name, Arc::new(SystemClock))
    }

    /// The same with a clock of the caller's.
    pub fn with_clock(config: WebhookConfig, name: PlatformName, clock: Arc<dyn Clock>) -> Result<Self, String> {
        let (address, secrets) = (config.address()?, config.secrets()?);
        let caller = Caller::new(&address, config.connect_timeout, config.request_timeout, clock)?;
        let handle = config.bot_handle.to_ascii_lowercase();
        let bot = Account { id: AccountId::from(config.bot_id.as_str()), display_name: handle.clone(), handle, is_bot: true };
        Ok(Webhook { name, config, address, caller, secrets, bot, health: Health::default() })
    }

    /// Asks the other side, under an id for the call: the key of a sending, or a new one.
    async fn ask<T: DeserializeOwned>(&self, key: Option<&str>, what: &Asked<'_>) -> Result<T, Failure> {
        let body = serde_json::to_vec(what).map_err(|error| Failure::NotReached(error.to_string()))?;
        let now = self.caller.clock().now();
        // A question needs a name that no other has; its words at this microsecond are one.
        let named = || Sha256::new().chain_update(now.as_microsecond().to_be_bytes()).chain_update(&body).finalize();
        let id = key.map_or_else(|| hex(&named()[..16]), str::to_owned);
        let mut request = self.caller.call(Method::POST, self.address.clone());
        request = request.header(CONTENT_TYPE, "application/json").header("webhook-id", &id);
        request = request.header("webhook-timestamp", now.as_second().to_string());
        request = request.header("webhook-signature", self.secrets.sign(&id, now, &body));
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        self.caller.json(request.body(body)).await
    }
}

#[async_trait]
impl Platform for Webhook {
    fn name(&self) -> &PlatformName {
        &self.name
    }

    fn network(&self) -> Network {
        Network::Webhook
    }

    fn bot(&self) -> &Account {
        &self.bot
    }

    fn dm_characters(&self) -> usize {
        self.config.dm_characters
    }

    fn send_windows(&self) -> Vec<Window> {
        self.config.windows.clone()
    }

    /// Everything is pushed; there is nothing to read.
    async fn listen(&self, _from: Option<Cursor>, events: mpsc::Sender<Batch>) -> Result<(), ListenError> {
        let _open = WhileOpen(&self.health);
        self.health.connected();
        self.health.becomes(Liveness::Live);
        events.closed().await;
        Ok(())
    }

    async fn send_dm(&self, dm: OutgoingDm<'_>) -> Result<String, SendError> {
        let to = To { id: dm.to.as_str(), handle: dm.to_handle };
        let what = Asked::Message { key: dm.key, to, text: dm.text, in_reply_to: dm.in_reply_to };
        self.ask(Some(dm.key), &what).await.map(|sent: Sent| sent.id).map_err(of_sending)
    }

    async fn reply(&self, reply: OutgoingReply<'_>) -> Result<String, SendError> {
        let what = Asked::Reply { key: reply.key, to_post: reply.to_post, to_handle: reply.to_handle, text: reply.text };
        self.ask(Some(reply.key), &what).await.map(|sent: Sent| sent.id).map_err(of_sending)
    }

    async fn look_up(&self, handle: &str) -> Result<Option<Account>, SendError> {
        match self.ask(None, &Asked::Find { handle }).await {
            Ok(person) => Ok(Some(Person::account(person))),
            Err(failure) if is_absence(&failure) => Ok(None),
            Err(failure) => Err(of_reading(failure)),
        }
    }

    async fn standing(&self, native_ids: &[String]) -> Result<Vec<PlatformEvent>, SendError> {
        let mut events = Vec::new();
        for id in native_ids {
            match self.ask(None, &Asked::Standing { id }).await {
                Ok(Found { edited: true }) => events.push(PlatformEvent::Edited { native_id: id.clone() }),
                Ok(Found { edited: false }) => {}
                Err(failure) if is_absence(&failure) => events.push(PlatformEvent::Deleted { native_id: id.clone() }),
                Err(failure) => return Err(of_reading(failure)),
            }
        }
        Ok(events)
    }

    fn health(&self) -> Option<&Health> {
        Some(&self.health)
    }

    fn inbound(&self) -> Option<&dyn Inbound> {
        Some(self)
    }

    async fn examine(&self) -> Vec<Finding> {
        let mut findings = vec![match self.ask::<serde_json::Value>(None, &Asked::Ping).await {
            Ok(_) => Finding::good("the other side", "it answers, and takes our signature"),
            Err(failure) if is_about_us(&failure) => {
                Finding::bad("the other side", format!("{}. Do both sides have the same secret?", failure.why()))
            }
            Err(failure) => Finding::bad("the other side", failure.why()),
        }];
        if self.config.previous_secret.is_some() {
            let says = "previous_secret is still accepted; take it out once the other side signs with the new one";
            findings.push(Finding::doubtful("secrets", says));
        }
        let says = "whoever operates the other side could forge orders and answers: no code confirms an order from here";
        findings.push(Finding::doubtful("confirmation", says));
        findings.push(match payments_a_day(&self.config.windows, 2) {
            Some(payments) => Finding::good("quotas", format!("{payments} payments a day at 2 messages each")),
            None => Finding::good("quotas", "none of ours; the other side says when it is too much"),
        });
        findings
    }
}

impl Inbound for Webhook {
    fn read(&self, call: &Call<'_>) -> Result<Batch, CallError> {
        self.secrets.verify(call.headers, call.body, call.now).map_err(CallError::NotProven)?;
        let told: Told = serde_json::from_slice(call.body).map_err(|error| CallError::Unreadable(error.to_string()))?;
        self.health.hears(call.now);
        let event = wire::event(told, &self.name, &self.bot.handle, call.now);
        Ok(Batch { events: event.into_iter().collect(), cursor: None })
    }
}

fn is_about_us(failure: &Failure) -> bool {
    failure.refusal().is_some_and(|refusal| refusal.code == 401)
}

fn is_absence(failure: &Failure) -> bool {
    failure.refusal().is_some_and(|refusal| matches!(refusal.code, 404 | 410))
}

/// For a call that changes nothing.
fn of_reading(failure: Failure) -> SendError {
    let why = failure.why();
    match failure {
        failure if is_about_us(&failure) => SendError::Credentials { why },
        failure => SendError::Later { after: failure.refusal().and_then(|refusal| refusal.after), why },
    }
}

/// For a sending. The other side's words for a closed door: `not_following`, `disabled`, `blocked`, `encrypted_only`, `gone`.
fn of_sending(failure: Failure) -> SendError {
    let why = failure.why();
    match failure {
        failure if is_about_us(&failure) => SendError::Credentials { why },
        Failure::NotReached(_) => SendError::Later { after: None, why },
        Failure::Status(refusal) if matches!(refusal.code, 300..=399 | 429 | 503) => SendError::Later { after: refusal.after, why },
        // 408 is a proxy's, which may have passed the request on.
        Failure::Status(refusal) if (400..500).contains(&refusal.code) && refusal.code != 408 => {
            let closed = match refusal.error.as_str() {
                "not_following" => Closed::NotFollowed,
                "disabled" => Closed::Disabled,
                "blocked" => Closed::Blocked,
                "encrypted_only" => Closed::EncryptedOnly,
                "gone" => Closed::Gone,
                _ => return SendError::Refused { why },
            };
            SendError::NoChannel { closed, why }
        }
        Failure::Status(_) | Failure::NoAnswer(_) => SendError::Unknown { why },
    }
}
