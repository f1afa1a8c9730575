//! The Mastodon adapter against the sandbox town, over HTTP.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use obole::clock::SystemClock;
use obole::entropy::SeededEntropy;
use obole::ids::{AccountId, Channel, PlatformName};
use obole::platform::fake::{Limits, Town};
use obole::platform::mastodon::{Mastodon, MastodonConfig};
use obole::platform::{Batch, Cursor, OutgoingDm, OutgoingReply, Platform, PlatformEvent, Post, SendError};
use obole::sandbox::town::{TownServer, serve};

struct Person {
    id: AccountId,
    token: String,
}

/// A town with Obole, Alice and Bob in it.
struct Place {
    base: String,
    http: reqwest::Client,
    obole: Person,
    alice: Person,
    bob: Person,
    shutdown: CancellationToken,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Place {
    async fn open() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let shutdown = CancellationToken::new();
        let serving = serve(TownServer {
            town: Arc::new(Town::in_memory(Limits::default(), Arc::new(SeededEntropy::new(1)))),
            clock: Arc::new(SystemClock),
            listen: "127.0.0.1:0".into(),
            public_url: None,
            identity_url: None,
            heartbeat: Duration::from_millis(200),
            shutdown: shutdown.clone(),
        })
        .await
        .unwrap();
        let (base, http) = (serving.public_url.clone(), reqwest::Client::new());
        tokio::spawn(serving.ended());
        let join = async |name: &str| {
            let answer = http.post(format!("{base}/sandbox/people")).json(&json!({"username": name})).send().await.unwrap();
            let answer: Value = answer.json().await.unwrap();
            Person { id: AccountId::from(text(&answer["id"])), token: text(&answer["access_token"]) }
        };
        let (obole, alice, bob) = (join("Obole").await, join("Alice").await, join("bob").await);
        Place { base, http: http.clone(), obole, alice, bob, shutdown }
    }

    async fn ask(&self, person: &Person, method: reqwest::Method, path: &str, body: Value) -> Value {
        let request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&person.token);
        request.json(&body).send().await.unwrap().json().await.unwrap()
    }

    async fn post(&self, person: &Person, words: &str, visibility: &str) -> String {
        let body = json!({"status": words, "visibility": visibility});
        text(&self.ask(person, reqwest::Method::POST, "/api/v1/statuses", body).await["id"])
    }

    async fn faults(&self, faults: Value) {
        let answer = self.http.put(format!("{}/sandbox/faults", self.base)).json(&faults).send().await.unwrap();
        assert!(answer.status().is_success());
    }

    async fn connect(&self) -> Arc<Mastodon> {
        let mut config = MastodonConfig::new(self.base.clone(), self.obole.token.clone());
        config.poll_seconds = 1;
        config.silence_seconds = 2;
        config.request_timeout_seconds = 2;
        Arc::new(Mastodon::connect(config, PlatformName::from("town")).await.unwrap())
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Listens; the first batch, which only sets the cursor, has been taken.
async fn listen(mastodon: &Arc<Mastodon>, from: Option<Cursor>) -> (mpsc::Receiver<Batch>, Option<Cursor>) {
    let (sender, mut batches) = mpsc::channel(64);
    let (mastodon, first) = (mastodon.clone(), from.is_none());
    tokio::spawn(async move { mastodon.listen(from, sender).await });
    let cursor = if first { batches.recv().await.unwrap().cursor } else { None };
    (batches, cursor)
}

async fn next(batches: &mut mpsc::Receiver<Batch>, cursor: &mut Option<Cursor>) -> PlatformEvent {
    loop {
        let batch = tokio::time::timeout(Duration::from_secs(5), batches.recv()).await.unwrap().unwrap();
        *cursor = batch.cursor.or(cursor.take());
        assert!(batch.events.len() < 2);
        if let Some(event) = batch.events.into_iter().next() {
            return event;
        }
    }
}

fn posted(event: PlatformEvent) -> Post {
    match event {
        PlatformEvent::Posted(post) => *post,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_order_an_answer_an_edit_and_a_deletion_arrive_once_each() {
    let place = Place::open().await;
    let mastodon = place.connect().await;
    assert_eq!(mastodon.bot().id, place.obole.id);
    assert!(mastodon.bot().handle.starts_with("obole@127.0.0.1"), "{}", mastodon.bot().handle);
    let (mut batches, mut cursor) = listen(&mastodon, None).await;
    place.faults(json!({"duplicate_stream": true})).await;

    let order =
        place.post(&place.alice, "@obole #envoyer 10 € à @bob\n<merci> & `code` https://x.example/a?b=1&c=2", "public").await;
    let post = posted(next(&mut batches, &mut cursor).await);
    assert_eq!(post.text, "@obole #envoyer 10 € à @bob\n<merci> & `code` https://x.example/a?b=1&c=2");
    assert_eq!((post.native_id.as_str(), post.channel), (order.as_str(), Channel::Post));
    assert_eq!((&post.author.id, post.author.handle.as_str()), (&place.alice.id, "alice"));
    assert!(post.mentions.iter().any(|mention| mention.handle == "bob" && mention.account == place.bob.id));

    place.post(&place.alice, "@obole OUI 482193", "direct").await;
    let answer = posted(next(&mut batches, &mut cursor).await);
    assert_eq!((answer.text.as_str(), answer.channel), ("OUI 482193", Channel::Dm));

    let path = format!("/api/v1/statuses/{order}");
    place.faults(json!({})).await;
    place.ask(&place.alice, reqwest::Method::PUT, &path, json!({"status": "@obole #envoyer 99 € à @bob"})).await;
    assert_eq!(next(&mut batches, &mut cursor).await, PlatformEvent::Edited { native_id: order.clone() });
    place.ask(&place.alice, reqwest::Method::DELETE, &path, json!({})).await;
    assert_eq!(next(&mut batches, &mut cursor).await, PlatformEvent::Deleted { native_id: order });
}

#[tokio::test]
async fn nothing_is_lost_while_streams_are_silent_or_nobody_listens() {
    let place = Place::open().await;
    let mastodon = place.connect().await;
    let (mut batches, mut cursor) = listen(&mastodon, None).await;
    place.faults(json!({"silent_stream": true})).await;
    let first = place.post(&place.alice, "@obole un", "public").await;
    assert_eq!(posted(next(&mut batches, &mut cursor).await).native_id, first);
    place.faults(json!({"disconnect_streams": true})).await;
    while batches.recv().await.is_some() {}

    let mut missed = Vec::new();
    for count in 0..100 {
        missed.push(place.post(&place.alice, &format!("@obole {count}"), "public").await);
    }
    let mut batches = listen(&mastodon, cursor).await.0;
    let mut read = Vec::new();
    while read.last() != missed.last() {
        let batch = tokio::time::timeout(Duration::from_secs(5), batches.recv()).await.unwrap().unwrap();
        read.extend(batch.events.into_iter().map(|event| posted(event).native_id));
    }
    read.retain(|id| *id != first);
    assert_eq!(read, missed);
}

#[tokio::test]
async fn a_private_message_reaches_the_payer_once_whatever_happens_to_the_answer() {
    let place = Place::open().await;
    let mastodon = place.connect().await;
    let thread = place.post(&place.alice, "@obole OBOLE-ABCD-1234", "direct").await;
    let words = "Donner 10,00 € à @bob ?\n\nRépondez OUI 482193 ou NON. http://localhost:8080/c/abc?x=1&y=2";
    let dm = |key| OutgoingDm { key, to: &place.alice.id, to_handle: "alice", text: words, in_reply_to: Some(&thread) };
    let sent = mastodon.send_dm(dm("1")).await.unwrap();
    assert_eq!(mastodon.send_dm(dm("1")).await, Ok(sent.clone()), "the same key is the same message");
    let seen = place.ask(&place.alice, reqwest::Method::GET, &format!("/api/v1/statuses/{sent}"), json!({})).await;
    assert_eq!(seen["visibility"], "direct");
    assert_eq!(seen["mentions"].as_array().unwrap().len(), 1);
    assert_eq!(seen["in_reply_to_id"], json!(thread));

    for answer in [json!("lose"), json!({"delay_ms": 4000})] {
        let other = place.post(&place.alice, "@obole SOLDE", "direct").await;
        place.faults(json!({"post": {"times": 1, "answer": answer}})).await;
        let again = mastodon
            .send_dm(OutgoingDm { key: &other, to: &place.alice.id, to_handle: "alice", text: words, in_reply_to: Some(&other) })
            .await
            .unwrap();
        let seen = place.ask(&place.alice, reqwest::Method::GET, &format!("/api/v1/statuses/{again}"), json!({})).await;
        assert_eq!(seen["in_reply_to_id"], json!(other));
    }

    place.faults(json!({"refuse": {"times": 1, "status": 503, "path": "/api/v1/statuses"}})).await;
    let refused = mastodon.send_dm(OutgoingDm { text: "Autre", ..dm("9") }).await;
    assert!(matches!(refused, Err(SendError::Unknown { .. })), "{refused:?}");
    place.faults(json!({"refuse": {"times": 1, "status": 429, "path": "/api/v1/statuses"}})).await;
    let refused = mastodon.send_dm(OutgoingDm { text: "Autre", ..dm("9") }).await;
    assert!(matches!(refused, Err(SendError::Later { after: Some(_), .. })), "{refused:?}");

    let elsewhere = mastodon.send_dm(OutgoingDm { to: &place.bob.id, ..dm("10") }).await;
    assert!(matches!(elsewhere, Err(SendError::Refused { .. })), "{elsewhere:?}");
    let long = "x".repeat(mastodon.dm_characters() + 40);
    let long = mastodon.send_dm(OutgoingDm { text: &long, ..dm("11") }).await;
    assert!(matches!(long, Err(SendError::Refused { .. })), "{long:?}");
    let gone = mastodon.send_dm(OutgoingDm { in_reply_to: Some("1"), ..dm("12") }).await;
    assert!(matches!(gone, Err(SendError::Refused { .. })), "{gone:?}");
}

#[tokio::test]
async fn people_are_answered_and_found() {
    let place = Place::open().await;
    let mastodon = place.connect().await;
    let order = place.post(&place.alice, "@obole #envoyer 10 € à @bob", "public").await;
    let reply = OutgoingReply { key: "r", to_post: &order, to_handle: "alice", text: "Écrivez-moi en privé, pas à @bob." };
    let answer = mastodon.reply(reply).await.unwrap();
    let seen = place.ask(&place.bob, reqwest::Method::GET, &format!("/api/v1/statuses/{answer}"), json!({})).await;
    assert_eq!((&seen["visibility"], seen["mentions"].as_array().unwrap().len()), (&json!("unlisted"), 1));
    assert_eq!(mastodon.look_up("BOB").await.unwrap().map(|account| account.id), Some(place.bob.id.clone()));
    assert_eq!(mastodon.look_up("nobody").await, Ok(None));
}
