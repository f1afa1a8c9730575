//! Where a bank's webhooks come in: verified, heard once, and taken as a reason to ask.
//!
//! Nothing in a webhook sets a state. Its signature keeps strangers from making us ask; its id keeps a repetition from doing so twice.
//! What was not heard (this process was down, the list of ids was lost) is found by the questions that are asked anyway.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};

use crate::bank::settlement::sign::{Delivery, WebhookSecret};
use crate::bank::settlement::wire::{Event, header};
use crate::ids::BankName;
use crate::web::Web;
use crate::web::failure::Failure;

/// Ids that are remembered; a backend delivers again within minutes.
const REMEMBERED: usize = 4_096;

/// A bank whose webhooks come in here.
#[derive(Debug, Clone)]
pub struct BankWebhook {
    /// The path, e.g. `/settlement/events/main`.
    pub path: String,
    /// The connection.
    pub bank: BankName,
    secrets: Vec<WebhookSecret>,
}

impl BankWebhook {
    /// A webhook at this path, by one secret or, while it is replaced, two.
    pub fn new(path: String, bank: BankName, secrets: &[SecretString]) -> anyhow::Result<Self> {
        let read = |secret: &SecretString| {
            WebhookSecret::parse(secret.expose_secret()).map_err(|why| anyhow::anyhow!("the webhook secret {why}"))
        };
        Ok(BankWebhook { path, bank, secrets: secrets.iter().map(read).collect::<anyhow::Result<_>>()? })
    }
}

/// The ids that were heard, the oldest forgotten first.
#[derive(Default)]
pub(crate) struct HeardIds(Mutex<(VecDeque<String>, HashSet<String>)>);

impl HeardIds {
    fn knows(&self, id: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1.contains(id)
    }

    fn remember(&self, id: String) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.1.insert(id.clone()) {
            heard.0.push_back(id);
        }
        if heard.0.len() > REMEMBERED
            && let Some(oldest) = heard.0.pop_front()
        {
            heard.1.remove(&oldest);
        }
    }
}

/// `POST` to a bank's path.
pub(crate) async fn receive(state: Arc<Web>, webhook: BankWebhook, headers: HeaderMap, body: Bytes) -> Result<StatusCode, Failure> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let delivery = Delivery {
        id: text(header::webhook::ID),
        timestamp: text(header::webhook::TIMESTAMP),
        signatures: text(header::webhook::SIGNATURE),
        body: &body,
    };
    if let Err(why) = delivery.verify(&webhook.secrets, state.app.clock.now()) {
        tracing::warn!(bank.name = %webhook.bank, %why, "a webhook does not count");
        return Err(Failure::Forbidden);
    }
    let name = format!("{}/{}", webhook.bank, delivery.id);
    if state.heard.knows(&name) {
        return Ok(StatusCode::NO_CONTENT);
    }
    // A signed event that says nothing to us is the bank's to mend; sending it again would not help.
    let Ok(event) = serde_json::from_slice::<Event>(&body) else { return Err(Failure::BadRequest) };
    if let Ok(key) = event.payment.id.parse() {
        let came_back = event.payment.state == "returned";
        if let Err(error) = state.app.hint(&state.ledger, &webhook.bank, &key, came_back).await {
            tracing::warn!(bank.name = %webhook.bank, %error, "a webhook could not be taken; it will come again");
            return Err(Failure::Unavailable);
        }
    }
    state.heard.remember(name);
    Ok(StatusCode::NO_CONTENT)
}
