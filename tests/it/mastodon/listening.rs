//! Listening: nothing lost, nothing twice, and an end that says what to do.

use std::time::Duration;

use axum::body::Bytes;
use serde_json::json;
use tokio::sync::mpsc;

use obole::ids::Channel;
use obole::platform::mastodon::MastodonConfig;
use obole::platform::{Batch, Cursor, ListenError, Platform, PlatformEvent, Post};

use super::instance::{Answer, Instance, frame, mention, recorded};

impl Instance {
    async fn listen(&self, from: Option<&str>) -> Listener {
        let mut config = self.config();
        config.poll_seconds = 3600;
        self.listen_with(config, from).await
    }

    async fn listen_with(&self, config: MastodonConfig, from: Option<&str>) -> Listener {
        let mastodon = self.connect_with(config).await;
        let (sender, batches) = mpsc::channel(64);
        let from = from.map(|id| Cursor(id.into()));
        let end = tokio::spawn(async move { mastodon.listen(from, sender).await });
        Listener { batches, end, cursors: Vec::new() }
    }
}

struct Listener {
    batches: mpsc::Receiver<Batch>,
    end: tokio::task::JoinHandle<Result<(), ListenError>>,
    cursors: Vec<String>,
}

impl Listener {
    /// The next batch, with its events in words; its cursor is kept.
    async fn batch(&mut self) -> Vec<String> {
        let batch = tokio::time::timeout(Duration::from_secs(5), self.batches.recv()).await.unwrap().unwrap();
        self.cursors.extend(batch.cursor.map(|cursor| cursor.0));
        batch.events.iter().map(words).collect()
    }

    /// So many events, in however many batches.
    async fn events(&mut self, count: usize) -> Vec<String> {
        let mut events = Vec::new();
        while events.len() < count {
            events.extend(self.batch().await);
        }
        events
    }
}

fn words(event: &PlatformEvent) -> String {
    match event {
        PlatformEvent::Posted(post) => format!("posted {}", post.native_id),
        PlatformEvent::Edited { native_id } => format!("edited {native_id}"),
        PlatformEvent::Deleted { native_id } => format!("deleted {native_id}"),
        PlatformEvent::AccountChanged(account) => format!("changed {}", account.id),
        PlatformEvent::Missed { from, until } => format!("missed {from} to {until}"),
    }
}

/// The one post that a recorded notification becomes.
async fn read_post(name: &str) -> Post {
    let instance = Instance::start().await;
    let mut listener = instance.listen(None).await;
    listener.batch().await;
    instance.streams(&frame("notification", &recorded(name)));
    let batch = tokio::time::timeout(Duration::from_secs(5), listener.batches.recv()).await.unwrap().unwrap();
    match batch.events.into_iter().next() {
        Some(PlatformEvent::Posted(post)) => *post,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_public_mention_becomes_a_post() {
    let post = read_post("notification_order").await;
    assert_eq!(post.channel, Channel::Post);
    assert_eq!(post.id.as_str(), "https://social.example/users/alice/statuses/115500000000000041");
    assert_eq!(post.native_id, "115500000000000041");
    assert_eq!(post.text, "@obole #donner 10\u{a0}€ @croixrouge@org.example #telethon\nCourage\u{a0}!");
    assert_eq!(post.author.id.as_str(), "110000000000000003");
    assert_eq!(post.author.handle, "alice@social.example");
    let mentions: Vec<(&str, &str)> = post.mentions.iter().map(|m| (m.handle.as_str(), m.account.as_str())).collect();
    assert_eq!(mentions, [("obole", "109999000000000001"), ("croixrouge@org.example", "109999000000000007")]);
    assert!(!post.is_repost && !post.is_edited);
    assert_eq!(post.posted_at.to_string(), "2026-11-20T09:30:00.123Z");
    assert_eq!(post.language.as_deref(), Some("fr"));
}

#[tokio::test]
async fn a_private_mention_becomes_a_private_message_without_our_name() {
    let post = read_post("notification_dm").await;
    assert_eq!(post.channel, Channel::Dm);
    assert_eq!(post.text, "OUI 482193");
    assert_eq!(post.in_reply_to.as_deref(), Some("115500000000000040"));
}

#[tokio::test]
async fn edited_and_reposted_posts_say_so() {
    assert!(read_post("notification_edited").await.is_edited);
    assert!(read_post("notification_reblog").await.is_repost);
}

#[tokio::test]
async fn the_stream_is_open_before_the_catch_up_and_both_overlap() {
    let instance = Instance::start().await;
    (1..=8).for_each(|id| instance.notify(mention(&format!("n{id}"))));
    // The stream has brought 8 again, an edit and a deletion before the catch-up even starts, and 9, which the list does not know.
    let opening = [
        ":)\n".to_owned(),
        frame("notification", &mention("n8")),
        frame("status.update", &mention("n7")["status"]),
        frame("notification", &mention("n9")),
        "event: delete\ndata: s3\n\n".to_owned(),
    ];
    instance.play(|playing| playing.opening = opening.concat());
    let mut listener = instance.listen(Some("n2")).await;
    let events = listener.events(9).await;
    assert_eq!(
        events,
        ["posted s3", "posted s4", "posted s5", "posted s6", "posted s7", "posted s8", "edited s7", "posted s9", "deleted s3"]
    );
    // The cursor stays a page behind what has been read, and the stream does not move it.
    assert_eq!(listener.cursors, ["n2", "n5"]);
    let order: Vec<String> = instance.play(|playing| playing.asked.iter().map(|asked| asked.line.clone()).collect());
    let place = |start: &str| order.iter().position(|line| line.starts_with(start)).unwrap();
    assert!(place("GET /api/v1/streaming/user") < place("GET /api/v1/notifications"));
    assert!(order.iter().any(|line| line.contains("min_id=n8")), "read until nothing is left");
}

#[tokio::test]
async fn a_first_start_begins_with_now() {
    let instance = Instance::start().await;
    (1..=5).for_each(|id| instance.notify(mention(&format!("n{id}"))));
    let mut listener = instance.listen(None).await;
    assert_eq!(listener.batch().await, Vec::<String>::new());
    assert_eq!(listener.cursors, ["n5"]);
    instance.streams(&frame("notification", &mention("n6")));
    let mut next = listener.batch().await;
    if next.is_empty() {
        next = listener.batch().await;
    }
    assert_eq!(next, ["posted s6"]);
}

#[tokio::test]
async fn an_empty_list_has_a_cursor_too() {
    let instance = Instance::start().await;
    let mut listener = instance.listen(None).await;
    listener.batch().await;
    assert_eq!(listener.cursors, [""]);
    drop(listener);
    // What comes while nobody listens is not lost, though there was nothing to go on from.
    (1..=7).for_each(|id| instance.notify(mention(&format!("n{id}"))));
    let mut listener = instance.listen(Some("")).await;
    let expected: Vec<String> = (1..=7).map(|id| format!("posted s{id}")).collect();
    assert_eq!(listener.events(7).await, expected);
    assert_eq!(listener.cursors.last().map(String::as_str), Some("n4"));
}

#[tokio::test]
async fn a_first_start_may_begin_at_the_beginning() {
    let instance = Instance::start().await;
    (1..=4).for_each(|id| instance.notify(mention(&format!("n{id}"))));
    let mut config = instance.config();
    config.from_beginning = true;
    let mut listener = instance.listen_with(config, None).await;
    assert_eq!(listener.events(4).await, ["posted s1", "posted s2", "posted s3", "posted s4"]);
}

#[tokio::test]
async fn a_silent_stream_is_made_up_for_by_polls() {
    let instance = Instance::start().await;
    instance.notify(mention("n1"));
    let mut config = instance.config();
    config.poll_seconds = 1;
    let mut listener = instance.listen_with(config, Some("n1")).await;
    while instance.asked("GET /api/v1/notifications").is_empty() {
        tokio::task::yield_now().await;
    }
    instance.notify(mention("n2"));
    assert_eq!(listener.events(1).await, ["posted s2"]);
    // A lower number that appears after a higher one was read is still seen, since the last reading is repeated.
    instance.play(|playing| playing.notifications.insert(1, mention("n1b")));
    assert_eq!(listener.events(1).await, ["posted s1b"]);
    // The cursor follows once it had time.
    while listener.cursors.last().map(String::as_str) != Some("n2") {
        listener.batch().await;
    }
}

#[tokio::test]
async fn what_cannot_be_read_costs_nothing_else() {
    let instance = Instance::start().await;
    let mut broken = mention("n2");
    broken["status"]["created_at"] = json!("yesterday");
    instance.notify(mention("n1"));
    instance.notify(broken.clone());
    instance.notify(mention("n3"));
    let mut listener = instance.listen(Some("n0")).await;
    assert_eq!(listener.events(2).await, ["posted s1", "posted s3"]);
    let frames = [
        "event: notification\ndata: {\"id\":\n\n".to_owned(),
        frame("notification", &broken),
        frame("notification", &recorded("notification_follow")),
        frame("update", &json!("not even looked at")),
        "event: filters_changed\ndata: undefined\n\n:thump\n\n".to_owned(),
        frame("notification", &mention("n4")),
    ];
    instance.streams(&frames.concat());
    assert_eq!(listener.events(1).await, ["posted s4"]);
}

#[tokio::test]
async fn a_frame_may_be_cut_anywhere() {
    let instance = Instance::start().await;
    let mut listener = instance.listen(None).await;
    listener.batch().await;
    let mut notification = mention("n1");
    notification["status"]["content"] = json!("<p>10 € 🍕 日本</p>");
    let bytes = frame("notification", &notification).into_bytes();
    for chunk in bytes.chunks(7) {
        instance.play(|playing| playing.streams[0].send(Ok(Bytes::copy_from_slice(chunk))).unwrap());
        tokio::task::yield_now().await;
    }
    assert_eq!(listener.events(1).await, ["posted s1"]);
}

#[tokio::test]
async fn a_stream_that_breaks_says_so_after_handing_on_what_it_brought() {
    let instance = Instance::start().await;
    let mut listener = instance.listen(None).await;
    listener.batch().await;
    instance.streams("event: delete\ndata: s1\n\nevent: delete\ndata: s2");
    assert_eq!(listener.events(1).await, ["deleted s1"]);
    instance.play(|playing| playing.streams.clear());
    let end = listener.end.await.unwrap();
    assert!(matches!(end, Err(ListenError::Broken { after: None, .. })), "{end:?}");
}

#[tokio::test]
async fn a_stream_without_a_sign_of_life_is_broken() {
    let instance = Instance::start().await;
    let mut config = instance.config();
    config.silence_seconds = 1;
    let listener = instance.listen_with(config, None).await;
    let end = listener.end.await.unwrap();
    assert_eq!(end, Err(ListenError::Broken { after: None, why: "the stream was silent for 1 s".into() }));
}

#[tokio::test]
async fn listening_ends_well_when_nobody_listens() {
    let instance = Instance::start().await;
    let mut listener = instance.listen(None).await;
    listener.batch().await;
    drop(listener.batches);
    assert_eq!(tokio::time::timeout(Duration::from_secs(5), listener.end).await.unwrap().unwrap(), Ok(()));
}

#[tokio::test]
async fn a_stream_that_is_refused_is_a_decision() {
    let instance = Instance::start().await;
    let stream = "GET /api/v1/streaming/user";
    instance.once(stream, 401, json!({"error": "Invalid access token"}));
    let end = instance.listen(None).await.end.await.unwrap();
    assert!(matches!(end, Err(ListenError::Credentials { .. })), "{end:?}");
    let reset = ("x-ratelimit-reset", "2026-11-20T10:04:00Z");
    instance.answer(stream, Answer::Json(429, vec![reset], json!({"error": "Too many requests"})));
    let end = instance.listen(None).await.end.await.unwrap();
    assert!(matches!(end, Err(ListenError::Broken { after: Some(after), .. }) if after.as_secs() == 241), "{end:?}");
    instance.once(stream, 503, json!({}));
    let end = instance.listen(None).await.end.await.unwrap();
    assert!(matches!(end, Err(ListenError::Broken { after: None, .. })), "{end:?}");
    instance.once("GET /api/v1/notifications", 401, json!({"error": "The access token was revoked"}));
    let end = instance.listen(None).await.end.await.unwrap();
    assert!(matches!(end, Err(ListenError::Credentials { .. })), "{end:?}");
}
