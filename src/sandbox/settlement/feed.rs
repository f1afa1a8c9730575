//! Events: the feed to read, and the webhook to push to.

use std::time::Duration;

use axum::Json;
use axum::extract::{Extension, Query, State as Extract};
use axum::http::StatusCode;
use serde::Deserialize;

use super::failure::Failure;
use super::gate::{Client, Content};
use super::register::{Hook, Told};
use super::{Shared, State, defect, payments};
use crate::bank::settlement::sign::WebhookSecret;
use crate::bank::settlement::wire::{Event, EventPage, Webhook, WrongField, header};
use crate::clock::later;

/// Events on a page.
const PAGE: usize = 200;
/// How long a receiver may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// The pauses after failed deliveries grow from here to there.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

#[derive(Deserialize)]
pub(super) struct After {
    after: Option<String>,
}

/// `GET /events`
pub(super) async fn read(
    Extract(state): Extract<Shared>,
    Extension(client): Extension<Client>,
    Query(query): Query<After>,
) -> Result<Json<EventPage>, Failure> {
    let after = query.after.unwrap_or_else(|| "0".to_owned());
    let known: u64 = after.parse().map_err(|_| Failure::field("/after", "is not a cursor that was given here"))?;
    let mut register = state.register.lock().await;
    payments::catch_up(&state, &mut register).await?;
    let shown = |told: &&Told| {
        let place = place(told);
        let is_lost = state.makes(defect::FEED_GAPS) && told.event.payment.state == "settled" && place.is_multiple_of(2);
        *told.client == *client.0 && place > known && !is_lost
    };
    let mut events: Vec<Event> = register.events.iter().filter(shown).take(PAGE).map(|told| told.event.clone()).collect();
    if state.makes(defect::FEED_RESHUFFLES) {
        // As a feed that is put together from tables each time, in whatever order they come.
        let turn = state.wall.now().as_millisecond().unsigned_abs();
        let cursors: Vec<String> = events.iter().map(|event| event.cursor.clone()).collect();
        let count = events.len().max(1);
        events.rotate_left(usize::try_from(turn).unwrap_or(0) % count);
        for (event, cursor) in events.iter_mut().zip(cursors) {
            event.cursor = cursor;
        }
    }
    let next = events.last().map_or(after, |event| event.cursor.clone());
    Ok(Json(EventPage { events, next }))
}

fn place(told: &Told) -> u64 {
    told.event.cursor.parse().unwrap_or(0)
}

/// `PUT /webhook`
pub(super) async fn put_webhook(
    Extract(state): Extract<Shared>,
    Extension(client): Extension<Client>,
    Extension(content): Extension<Content>,
) -> Result<StatusCode, Failure> {
    serde_json::from_slice::<serde_json::Value>(&content.bytes)
        .map_err(|error| Failure::new("malformed", format!("No JSON: {error}")))?;
    let webhook: Webhook = serde_json::from_slice(&content.bytes).map_err(|error| Failure::field("", error.to_string()))?;
    let mut wrong = Vec::new();
    let mut note = |path: String, message: String| wrong.push(WrongField { path, message });
    if !url::Url::parse(&webhook.url).is_ok_and(|url| matches!(url.scheme(), "http" | "https")) {
        note("/url".to_owned(), "is not an address of the web".to_owned());
    }
    if !matches!(webhook.secrets.len(), 1 | 2) {
        note("/secrets".to_owned(), "has to hold one secret, or two".to_owned());
    }
    for (place, secret) in webhook.secrets.iter().enumerate() {
        if let Err(why) = WebhookSecret::parse(secret) {
            note(format!("/secrets/{place}"), why);
        }
    }
    if !wrong.is_empty() {
        return Err(Failure::invalid(wrong));
    }
    let mut register = state.register.lock().await;
    let newest = register.events.last().map_or(0, place);
    let done = register.hooks.get(&*client.0).filter(|hook| hook.webhook.url == webhook.url).map_or(newest, |hook| hook.done);
    let hook = Hook { webhook, done, failures: 0, next_at: state.wall.now() };
    register.save_hook(&client.0, hook).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The client that webhooks are delivered with.
pub(super) fn client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .timeout(PATIENCE)
        .build()
}

/// Delivers to every client what is due: the oldest event that was not delivered, until one fails.
pub(super) async fn push(state: &State, http: &reqwest::Client) {
    let hooks: Vec<(String, Hook)> = {
        let register = state.register.lock().await;
        register.hooks.iter().map(|(client, hook)| (client.clone(), hook.clone())).collect()
    };
    for (client, mut hook) in hooks.into_iter().filter(|(_, hook)| hook.next_at <= state.wall.now()) {
        let waiting: Vec<Told> = {
            let register = state.register.lock().await;
            register.events.iter().filter(|told| told.client == client && place(told) > hook.done).take(PAGE).cloned().collect()
        };
        let mut changed = false;
        for told in waiting {
            changed = true;
            if deliver(state, http, &hook.webhook, &told.event).await {
                hook.done = place(&told);
                hook.failures = 0;
            } else {
                hook.failures = hook.failures.saturating_add(1);
                let pause = FIRST_PAUSE.saturating_mul(1 << hook.failures.min(8)).min(LONGEST_PAUSE);
                hook.next_at = later(state.wall.now(), pause);
                break;
            }
        }
        if changed {
            let mut register = state.register.lock().await;
            // It may have been replaced meanwhile; then the new one stands, and only what was delivered counts.
            let current = register.hooks.get(&client).map(|current| current.webhook.clone());
            hook.webhook = current.unwrap_or(hook.webhook);
            if let Err(error) = register.save_hook(&client, hook).await {
                tracing::warn!(%error, "what was delivered could not be written down");
            }
        }
    }
}

async fn deliver(state: &State, http: &reqwest::Client, webhook: &Webhook, event: &Event) -> bool {
    let Ok(body) = serde_json::to_vec(event) else { return false };
    let stale = if state.makes(defect::REPLAYABLE_EVENTS) { 24 * 3_600 } else { 0 };
    let second = state.wall.now().as_second() - stale;
    let used = if state.makes(defect::ONE_KEY_ONLY) { 1 } else { webhook.secrets.len() };
    let signatures: Vec<String> = webhook
        .secrets
        .iter()
        .take(used)
        .filter_map(|secret| Some(WebhookSecret::parse(secret).ok()?.sign(&event.id, second, &body)))
        .collect();
    let mut request = http
        .post(&webhook.url)
        .header("content-type", "application/json")
        .header(header::webhook::ID, &event.id)
        .header(header::webhook::TIMESTAMP, second.to_string());
    if !state.makes(defect::UNSIGNED_EVENTS) {
        request = request.header(header::webhook::SIGNATURE, signatures.join(" "));
    }
    request.body(body).send().await.is_ok_and(|response| response.status().is_success())
}
