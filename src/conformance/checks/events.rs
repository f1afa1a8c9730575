//! C12 and C13: what the backend tells by itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State as Extract;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use reqwest::Method;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::bank::settlement::sign::{BadSignature, Delivery, WebhookSecret};
use crate::bank::settlement::wire::{Event, EventPage, header};
use crate::conformance::kit::{Hand, Trial, ensure, fail};
use crate::conformance::report::Outcome;

/// How long a pushed event may take.
const PUSHED_WITHIN: Duration = Duration::from_secs(15);
/// Pages of the feed that are read before it is called endless.
const MOST_PAGES: usize = 1_000;
/// Payments that the feed has to tell of.
const PAYMENTS: usize = 4;

/// A webhook as it came in.
#[derive(Debug, Clone)]
struct Heard {
    id: String,
    timestamp: String,
    signatures: String,
    body: Vec<u8>,
    answered: bool,
}

impl Heard {
    fn delivery(&self) -> Delivery<'_> {
        Delivery { id: &self.id, timestamp: &self.timestamp, signatures: &self.signatures, body: &self.body }
    }

    fn is_about(&self, id: &str) -> bool {
        serde_json::from_slice::<Event>(&self.body).is_ok_and(|event| event.payment.id == id)
    }
}

/// What the listener has heard, and how often it says no before it says yes.
#[derive(Default)]
struct Ear {
    heard: Vec<Heard>,
    refusals: u32,
}

type SharedEar = Arc<Mutex<Ear>>;

async fn hear(Extract(ear): Extract<SharedEar>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let mut ear = ear.lock().unwrap_or_else(PoisonError::into_inner);
    let answered = ear.refusals == 0;
    ear.refusals = ear.refusals.saturating_sub(1);
    ear.heard.push(Heard {
        id: text(header::webhook::ID),
        timestamp: text(header::webhook::TIMESTAMP),
        signatures: text(header::webhook::SIGNATURE),
        body: body.to_vec(),
        answered,
    });
    if answered { StatusCode::NO_CONTENT } else { StatusCode::INTERNAL_SERVER_ERROR }
}

/// A secret of this run.
fn secret(hand: &Hand<'_>, number: u8) -> (String, Result<WebhookSecret, String>) {
    let bytes = Sha256::digest(format!("{}/{}/{number}", hand.kit.seed, hand.fresh_id()).as_bytes());
    let written = WebhookSecret::write(&bytes);
    let read = WebhookSecret::parse(&written);
    (written, read)
}

/// C12
pub(super) async fn webhooks(hand: &Hand<'_>) -> Trial {
    if !hand.kit.capabilities()?.webhooks {
        return Err(Outcome::NotDeclared("webhooks".to_owned()));
    }
    let is_near = hand.kit.wire.base().host_str().is_some_and(|host| matches!(host, "localhost" | "127.0.0.1" | "[::1]"));
    let (listen, url) = match &hand.kit.webhook {
        Some(place) => (place.listen, Some(place.url.to_string())),
        None if is_near => (([127, 0, 0, 1], 0).into(), None),
        None => {
            let why = "needs --webhook-listen and --webhook-url, where the backend can reach this machine";
            return Err(Outcome::NotTried(why.to_owned()));
        }
    };
    let ear = SharedEar::default();
    let listener = match tokio::net::TcpListener::bind(listen).await {
        Ok(listener) => listener,
        Err(error) => return Err(Outcome::NotTried(format!("cannot listen on {listen} for webhooks: {error}"))),
    };
    let own = listener.local_addr().map(|address| format!("http://{address}/hook")).unwrap_or_default();
    let url = url.unwrap_or(own);
    let app = Router::new().fallback(post(hear)).with_state(ear.clone());
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });
    let ended = listen_to(hand, &ear, &url).await;
    serving.abort();
    ended
}

async fn listen_to(hand: &Hand<'_>, ear: &SharedEar, url: &str) -> Trial {
    let (first_text, first) = secret(hand, 1);
    let (second_text, second) = secret(hand, 2);
    let (Ok(first), Ok(second)) = (first, second) else { fail!("the kit cannot make secrets") };
    let bad = json!({"url": url, "secrets": ["whsec_short"]}).to_string();
    let reply = hand.ask(Method::PUT, "/webhook", bad.as_bytes()).await?;
    hand.is_error(&reply, 422, "invalid", "a webhook with a secret that is too short")?;

    register(hand, url, &[&first_text]).await?;
    // The first delivery is not accepted: it has to come again, under the same id.
    ear.lock().unwrap_or_else(PoisonError::into_inner).refusals = 1;
    let order = hand.order(&hand.fresh_id(), &hand.amount())?;
    hand.taken(&order).await?;
    let id = order["id"].as_str().unwrap_or_default();
    let heard = until_settled(hand, ear, id).await?;
    for one in &heard {
        signed(hand, one, std::slice::from_ref(&first))?;
        let altered = Heard { body: [&one.body[..], b" "].concat(), ..one.clone() };
        let counts = altered.delivery().verify(std::slice::from_ref(&first), hand.kit.clock.now()).is_ok();
        ensure!(!counts, "the signature does not cover the body");
    }
    delivered_again(ear).await?;
    let mut ids: Vec<&str> = heard.iter().filter(|one| one.answered).map(|one| one.id.as_str()).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    ensure!(ids.len() == count, "two events carry the same webhook-id");

    // Rotation: while there are two secrets, each delivery carries a signature by each; afterwards only the new one counts.
    register(hand, url, &[&first_text, &second_text]).await?;
    let order = hand.order(&hand.fresh_id(), &hand.amount())?;
    hand.taken(&order).await?;
    for one in until_settled(hand, ear, order["id"].as_str().unwrap_or_default()).await? {
        signed(hand, &one, std::slice::from_ref(&first))?;
        signed(hand, &one, std::slice::from_ref(&second))?;
    }
    register(hand, url, &[&second_text]).await?;
    let order = hand.order(&hand.fresh_id(), &hand.amount())?;
    hand.taken(&order).await?;
    for one in until_settled(hand, ear, order["id"].as_str().unwrap_or_default()).await? {
        signed(hand, &one, std::slice::from_ref(&second))?;
        let old = one.delivery().verify(std::slice::from_ref(&first), hand.kit.clock.now());
        ensure!(old == Err(BadSignature::Wrong), "a secret that was taken out of use still signs");
    }
    Ok(())
}

/// That what was answered with 500 comes again, the same under the same id.
async fn delivered_again(ear: &SharedEar) -> Trial {
    let end = Instant::now() + PUSHED_WITHIN;
    loop {
        let all = ear.lock().unwrap_or_else(PoisonError::into_inner).heard.clone();
        let Some(refused) = all.iter().find(|one| !one.answered) else { fail!("no webhook came") };
        if all.iter().any(|one| one.answered && one.id == refused.id && one.body == refused.body) {
            return Ok(());
        }
        ensure!(Instant::now() < end, "an event that was answered with 500 was not delivered again under its id");
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
}

async fn register(hand: &Hand<'_>, url: &str, secrets: &[&str]) -> Trial {
    let body = json!({"url": url, "secrets": secrets}).to_string();
    let reply = hand.ask(Method::PUT, "/webhook", body.as_bytes()).await?;
    ensure!(matches!(reply.status, 200 | 201 | 204), "a webhook was answered with {}", reply.shortly());
    Ok(())
}

/// What was heard about a payment, once it was told to have settled.
async fn until_settled(hand: &Hand<'_>, ear: &SharedEar, id: &str) -> Trial<Vec<Heard>> {
    let end = Instant::now() + PUSHED_WITHIN;
    loop {
        let heard: Vec<Heard> = {
            let ear = ear.lock().unwrap_or_else(PoisonError::into_inner);
            ear.heard.iter().filter(|one| one.is_about(id)).cloned().collect()
        };
        let is_settled = |one: &Heard| {
            one.answered && serde_json::from_slice::<Event>(&one.body).is_ok_and(|event| event.payment.state == "settled")
        };
        if heard.iter().any(is_settled) {
            return Ok(heard);
        }
        if Instant::now() > end {
            let states = hand.get(id).await?.read::<serde_json::Value>().map(|view| view["state"].clone());
            fail!("no webhook told within {} s that a payment had settled; it is {states:?}", PUSHED_WITHIN.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
}

fn signed(hand: &Hand<'_>, one: &Heard, secrets: &[WebhookSecret]) -> Trial {
    match one.delivery().verify(secrets, hand.kit.clock.now()) {
        Ok(()) => Ok(()),
        Err(BadSignature::Missing) => fail!(
            "a webhook came without {}, {} or {}",
            header::webhook::ID,
            header::webhook::TIMESTAMP,
            header::webhook::SIGNATURE
        ),
        Err(BadSignature::Stale) => {
            fail!("a webhook was signed for another moment ({}), so that an old one passes for a new one", one.timestamp)
        }
        Err(BadSignature::Wrong) => fail!("a webhook is not signed by a secret that is in force"),
    }
}

/// C13
pub(super) async fn feed(hand: &Hand<'_>) -> Trial {
    if !hand.kit.capabilities()?.events {
        return Err(Outcome::NotDeclared("events".to_owned()));
    }
    let start = last_cursor(hand).await?;
    let mut orders = Vec::new();
    for _ in 0..PAYMENTS {
        let order = hand.order(&hand.fresh_id(), &hand.amount())?;
        hand.taken(&order).await?;
        orders.push(order);
    }
    let mut ended = Vec::new();
    for order in &orders {
        ended.push(hand.at_end(order).await?);
    }
    let events = read_from(hand, &start).await?;
    let mut known: BTreeMap<&str, &Event> = BTreeMap::new();
    for event in &events {
        ensure!(known.insert(&event.cursor, event).is_none(), "the cursor {} is there twice", event.cursor);
    }
    for view in &ended {
        let told: Vec<&Event> = events.iter().filter(|event| event.payment.id == view.id).collect();
        let sequences: Vec<u64> = told.iter().map(|event| event.payment.sequence).collect();
        let wanted: Vec<u64> = (1..=view.sequence).collect();
        ensure!(sequences == wanted, "a payment has had {} changes, and the feed tells of {sequences:?}", view.sequence);
        let last = told.last().map(|event| &event.payment);
        ensure!(last == Some(view), "the feed's last word about a payment is not what the look-up says: {last:?}");
    }
    // Dropped and repeated deliveries do not matter to whoever reads from a cursor they have.
    tokio::time::sleep(Duration::from_millis(30)).await;
    let again = read_from(hand, &start).await?;
    let same = events.iter().zip(&again).all(|(first, second)| first == second) && again.len() >= events.len();
    ensure!(same, "the feed tells something else when it is read again from the same cursor");
    if let Some(middle) = events.get(events.len() / 2) {
        let tail = read_from(hand, &middle.cursor).await?;
        let fits = tail.first() == events.get(events.len() / 2 + 1);
        ensure!(fits, "reading on from the cursor {} begins with another event", middle.cursor);
    }
    Ok(())
}

async fn last_cursor(hand: &Hand<'_>) -> Trial<String> {
    let mut after = String::new();
    for _ in 0..MOST_PAGES {
        let page = page(hand, &after).await?;
        if page.events.is_empty() {
            return Ok(page.next);
        }
        ensure!(page.next != after, "the feed does not move on from {after}");
        after = page.next;
    }
    fail!("the feed does not end")
}

async fn read_from(hand: &Hand<'_>, start: &str) -> Trial<Vec<Event>> {
    let (mut after, mut events) = (start.to_owned(), Vec::new());
    for _ in 0..MOST_PAGES {
        let page = page(hand, &after).await?;
        if page.events.is_empty() {
            return Ok(events);
        }
        ensure!(page.next != after, "the feed does not move on from {after}");
        ensure!(page.events.last().is_some_and(|event| event.cursor == page.next), "`next` is not the last event's cursor");
        after = page.next;
        events.extend(page.events);
    }
    fail!("the feed does not end")
}

async fn page(hand: &Hand<'_>, after: &str) -> Trial<EventPage> {
    let path = if after.is_empty() { "/events".to_owned() } else { format!("/events?after={after}") };
    let reply = hand.ask(Method::GET, &path, b"").await?;
    ensure!(reply.status == 200, "{path} was answered with {}", reply.shortly());
    match reply.read() {
        Some(page) => Ok(page),
        None => fail!("{path} cannot be read"),
    }
}
