//! The Mastodon adapter against an instance that plays recorded answers.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use obole::clock::{ManualClock, Timestamp};
use obole::ids::{AccountId, Channel, PlatformName};
use obole::platform::mastodon::{ConnectError, Mastodon, MastodonConfig};
use obole::platform::{Batch, Cursor, ListenError, OutgoingDm, OutgoingReply, Platform, PlatformEvent, Post, SendError};

/// Reads a recorded answer.
fn recorded(name: &str) -> Value {
    let path = format!("{}/tests/it/data/mastodon/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A recorded mention under another id, with another post.
fn mention(id: &str) -> Value {
    let mut notification = recorded("notification_order");
    notification["id"] = json!(id);
    notification["status"]["id"] = json!(id.replace('n', "s"));
    notification["status"]["uri"] = json!(format!("https://social.example/users/alice/statuses/{id}"));
    notification
}

fn frame(event: &str, data: &Value) -> String {
    format!("event: {event}\ndata: {data}\n\n")
}

/// What the instance was asked.
#[derive(Debug, Clone)]
struct Asked {
    line: String,
    headers: HeaderMap,
    body: String,
}

impl Asked {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn form(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(self.body.as_bytes()).into_owned().collect()
    }
}

/// What the instance answers where the test says so.
enum Answer {
    Json(u16, Vec<(&'static str, &'static str)>, Value),
    /// The head of an answer, and then the connection is gone.
    Cut,
    Never,
}

#[derive(Default)]
struct Playing {
    asked: Vec<Asked>,
    answers: HashMap<String, VecDeque<Answer>>,
    /// Oldest first.
    notifications: Vec<Value>,
    /// Written into each stream that is opened, before anything else.
    opening: String,
    streams: Vec<mpsc::UnboundedSender<Result<Bytes, std::io::Error>>>,
}

/// A small instance on a loopback port.
struct Instance {
    base: String,
    playing: Arc<Mutex<Playing>>,
    accepting: Option<tokio::task::JoinHandle<()>>,
}

impl Instance {
    async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let playing = Arc::new(Mutex::new(Playing { opening: ":)\n".into(), ..Playing::default() }));
        let mut instance = Instance { base: base.clone(), playing: playing.clone(), accepting: None };
        let mut about = recorded("instance_v2");
        about["configuration"]["urls"]["streaming"] = json!(base.replace("http", "ws"));
        instance.always("GET /api/v2/instance", 200, about);
        instance.always("GET /api/v1/accounts/verify_credentials", 200, recorded("verify_credentials"));
        let app = axum::Router::new().fallback(play).with_state(playing);
        instance.accepting = Some(tokio::spawn(async move { axum::serve(listener, app).await.unwrap() }));
        instance
    }

    fn play<T>(&self, change: impl FnOnce(&mut Playing) -> T) -> T {
        change(&mut self.playing.lock().unwrap())
    }

    fn answer(&self, line: &str, answer: Answer) {
        self.play(|playing| playing.answers.entry(line.into()).or_default().push_back(answer));
    }

    fn once(&self, line: &str, code: u16, value: Value) {
        self.answer(line, Answer::Json(code, Vec::new(), value));
    }

    /// Often enough.
    fn always(&self, line: &str, code: u16, value: Value) {
        (0..4).for_each(|_| self.once(line, code, value.clone()));
    }

    fn notify(&self, notification: Value) {
        self.play(|playing| playing.notifications.push(notification));
    }

    fn streams(&self, text: &str) {
        self.play(|playing| {
            playing.streams.iter().for_each(|stream| {
                let _ = stream.send(Ok(Bytes::from(text.to_owned())));
            });
        });
    }

    fn asked(&self, start: &str) -> Vec<Asked> {
        self.play(|playing| playing.asked.iter().filter(|asked| asked.line.starts_with(start)).cloned().collect())
    }

    fn config(&self) -> MastodonConfig {
        let mut config = MastodonConfig::new(self.base.clone(), "hush".to_owned());
        config.request_timeout_seconds = 2;
        config
    }

    async fn connect_with(&self, config: MastodonConfig) -> Mastodon {
        let clock = ManualClock::at("2026-11-20T10:00:00Z".parse::<Timestamp>().unwrap());
        Mastodon::connect_with_clock(config, PlatformName::from("town"), Arc::new(clock)).await.unwrap()
    }

    async fn connect(&self) -> Arc<Mastodon> {
        Arc::new(self.connect_with(self.config()).await)
    }

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
    }
}

async fn play(State(playing): State<Arc<Mutex<Playing>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = String::from_utf8(axum::body::to_bytes(body, 1 << 20).await.unwrap().to_vec()).unwrap();
    let plain = format!("{} {}", parts.method, parts.uri.path());
    let answer = {
        let mut playing = playing.lock().unwrap();
        let line = format!("{} {}", parts.method, parts.uri);
        playing.asked.push(Asked { line, headers: parts.headers, body });
        playing.answers.get_mut(&plain).and_then(VecDeque::pop_front)
    };
    match answer {
        Some(Answer::Json(code, headers, value)) => {
            let mut response = (StatusCode::from_u16(code).unwrap(), axum::Json(value)).into_response();
            headers.into_iter().for_each(|(name, value)| {
                response.headers_mut().insert(name, value.parse().unwrap());
            });
            response
        }
        Some(Answer::Cut) => Body::from_stream(stream::iter([Ok("{\"id\":"), Err(std::io::Error::other("cut"))])).into_response(),
        Some(Answer::Never) => std::future::pending().await,
        None if plain == "GET /api/v1/streaming/user" => {
            let (sender, receiver) = mpsc::unbounded_channel();
            let mut playing = playing.lock().unwrap();
            sender.send(Ok(Bytes::from(playing.opening.clone()))).unwrap();
            playing.streams.push(sender);
            Body::from_stream(stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver))))
                .into_response()
        }
        None if plain == "GET /api/v1/notifications" => {
            axum::Json(page(&playing.lock().unwrap().notifications, &parts.uri)).into_response()
        }
        None => (StatusCode::NOT_FOUND, axum::Json(json!({"error": "Record not found"}))).into_response(),
    }
}

/// `min_id`, `max_id` and `limit` by place in the list, whatever the ids look like; at most three at a time.
fn page(notifications: &[Value], uri: &axum::http::Uri) -> Value {
    let query: HashMap<String, String> =
        url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    assert_eq!(query["types[]"], "mention");
    let place = |name: &str| query.get(name).map(|id| notifications.iter().position(|n| n["id"] == **id));
    let limit = query["limit"].parse::<usize>().unwrap().min(3);
    let mut page: Vec<Value> = match (place("min_id"), place("max_id")) {
        (Some(after), _) => notifications[after.map_or(0, |place| place + 1)..].iter().take(limit).cloned().collect(),
        (_, Some(before)) => notifications[before.unwrap().saturating_sub(limit)..before.unwrap()].to_vec(),
        _ => notifications[notifications.len().saturating_sub(limit)..].to_vec(),
    };
    page.reverse();
    Value::Array(page)
}

fn dm<'a>(to: &'a AccountId, text: &'a str) -> OutgoingDm<'a> {
    OutgoingDm { key: "key-1", to, to_handle: "alice@social.example", text, in_reply_to: Some("115500000000000042") }
}

const STATUSES: &str = "POST /api/v1/statuses";
const OWN_STATUSES: &str = "GET /api/v1/accounts/109999000000000001/statuses";
const CONTEXT: &str = "GET /api/v1/statuses/115500000000000042/context";
const CONFIRMATION: &str = "Donner 10,00 € à Croix-Rouge ?\n\nRépondez OUI 482193 ou NON. https://pay.example/c/abc?x=1&y=2";

// -- connecting ---------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn connecting_learns_who_we_are_and_what_is_allowed() {
    let instance = Instance::start().await;
    let mastodon = instance.connect().await;
    assert_eq!(mastodon.bot().id.as_str(), "109999000000000001");
    assert_eq!(mastodon.bot().handle, "obole@pay.example");
    assert!(mastodon.bot().is_bot);
    assert_eq!(mastodon.dm_characters(), 500 - 32);
    let asked = &instance.asked("GET /api/v1/accounts/verify_credentials")[0];
    assert_eq!(asked.header("authorization"), "Bearer hush");
    assert!(asked.header("user-agent").starts_with("obole/"));
}

#[tokio::test]
async fn an_instance_without_version_2_is_asked_for_version_1() {
    let instance = Instance::start().await;
    instance.play(|playing| playing.answers.remove("GET /api/v2/instance"));
    instance.once("GET /api/v1/instance", 200, recorded("instance_v1"));
    let mastodon = instance.connect().await;
    assert_eq!(mastodon.bot().handle, "obole@old.example");
    assert_eq!(mastodon.dm_characters(), 5000 - 32);
}

#[tokio::test]
async fn connecting_says_what_is_wrong() {
    let name = || PlatformName::from("town");
    let instance = Instance::start().await;
    instance.play(|playing| playing.answers.clear());
    instance.once("GET /api/v1/accounts/verify_credentials", 401, json!({"error": "The access token is invalid"}));
    let refused = Mastodon::connect(instance.config(), name()).await.err().unwrap();
    assert_eq!(refused, ConnectError::Credentials("the instance answered 401: The access token is invalid".into()));
    let missing = Mastodon::connect(instance.config(), name()).await.err().unwrap();
    assert!(matches!(missing, ConnectError::Unavailable(_)), "{missing}");
    let unreachable = Mastodon::connect(MastodonConfig::new("http://127.0.0.1:9", "t".to_owned()), name()).await.err().unwrap();
    assert!(matches!(unreachable, ConnectError::Unavailable(_)), "{unreachable}");
    let unusable = Mastodon::connect(MastodonConfig::new("pay.example", "t".to_owned()), name()).await.err().unwrap();
    assert!(matches!(unusable, ConnectError::Config(_)), "{unusable}");
}

// -- listening ----------------------------------------------------------------------------------------------------------

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

// -- sending ------------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_private_message_reaches_the_payer_alone() {
    let instance = Instance::start().await;
    let mastodon = instance.connect().await;
    instance.once(STATUSES, 200, recorded("status_dm_sent"));
    let alice = AccountId::from("110000000000000003");
    let sent = mastodon.send_dm(dm(&alice, "10,00 € à @croixrouge@org.example ? Aide : help@pay.example")).await;
    assert_eq!(sent, Ok("115500000000000060".into()));
    let asked = &instance.asked(STATUSES)[0];
    assert_eq!(asked.header("idempotency-key"), "key-1");
    let form = asked.form();
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        form,
        [
            ("status", "@alice@social.example 10,00 € à croixrouge@org.example ? Aide : help@pay.example"),
            ("visibility", "direct"),
            ("allowed_mentions[]", "110000000000000003"),
            ("in_reply_to_id", "115500000000000042"),
        ]
    );
}

#[tokio::test]
async fn a_handle_that_is_none_is_not_written_to() {
    let instance = Instance::start().await;
    let mastodon = instance.connect().await;
    let alice = AccountId::from("110000000000000003");
    for to_handle in ["", "alice @eve", "alice@", "@alice", "a@b@c", "alice\n"] {
        let sent = mastodon.send_dm(OutgoingDm { to_handle, ..dm(&alice, "x") }).await;
        assert!(matches!(sent, Err(SendError::Refused { .. })), "{to_handle:?}: {sent:?}");
    }
    assert!(instance.asked(STATUSES).is_empty());
}

#[tokio::test]
async fn each_refusal_is_a_decision() {
    let instance = Instance::start().await;
    let mastodon = instance.connect().await;
    let alice = AccountId::from("110000000000000003");
    let mut answers = Vec::new();
    for (code, headers, error) in [
        (429, vec![("x-ratelimit-reset", "2026-11-20T10:10:00.000Z"), ("x-ratelimit-remaining", "0")], "Too many requests"),
        (429, vec![("retry-after", "30")], "Too many requests"),
        (401, vec![], "The access token is invalid"),
        (403, vec![], "This action is outside the authorized scopes"),
        (403, vec![], "This action is not allowed"),
        (404, vec![], "The status you are trying to reply to does not appear to exist."),
        (422, vec![], "Validation failed: Text character limit of 500 exceeded"),
        (301, vec![("location", "https://elsewhere.example/")], ""),
    ] {
        instance.answer(STATUSES, Answer::Json(code, headers, json!({ "error": error })));
        let decision = match mastodon.send_dm(dm(&alice, "x")).await {
            Err(SendError::Later { after, .. }) => format!("{code} later {:?}", after.map(|after| after.as_secs())),
            Err(SendError::Refused { .. }) => format!("{code} refused"),
            Err(SendError::Credentials { .. }) => format!("{code} credentials"),
            other => format!("{code} {other:?}"),
        };
        answers.push(decision);
    }
    assert_eq!(
        answers,
        [
            "429 later Some(601)",
            "429 later Some(30)",
            "401 credentials",
            "403 credentials",
            "403 refused",
            "404 refused",
            "422 refused",
            "301 later None",
        ]
    );
    // One attempt each, and nothing read back, since nothing was unknown.
    assert_eq!(instance.asked(STATUSES).len(), 8);
    assert!(instance.asked(OWN_STATUSES).is_empty());
}

#[tokio::test]
async fn an_unknown_outcome_is_read_back_among_our_own_statuses() {
    for unknown in
        [Answer::Cut, Answer::Never, Answer::Json(502, vec![], json!({})), Answer::Json(200, vec![], json!({"no": "id"}))]
    {
        let instance = Instance::start().await;
        let mastodon = instance.connect().await;
        instance.answer(STATUSES, unknown);
        instance.once(OWN_STATUSES, 200, json!([{"broken": true}, recorded("status_dm_sent")]));
        let alice = AccountId::from("110000000000000003");
        assert_eq!(mastodon.send_dm(dm(&alice, CONFIRMATION)).await, Ok("115500000000000060".into()));
        assert_eq!(instance.asked(STATUSES).len(), 1);
    }
}

#[tokio::test]
async fn an_unknown_outcome_is_read_back_in_the_thread_too() {
    let instance = Instance::start().await;
    let mastodon = instance.connect().await;
    instance.answer(STATUSES, Answer::Cut);
    instance.once(CONTEXT, 200, json!({"ancestors": [], "descendants": [recorded("status_dm_sent")]}));
    let alice = AccountId::from("110000000000000003");
    assert_eq!(mastodon.send_dm(dm(&alice, CONFIRMATION)).await, Ok("115500000000000060".into()));
}

#[tokio::test]
async fn what_is_not_found_stays_unknown() {
    let alice = AccountId::from("110000000000000003");
    let bob = AccountId::from("110000000000000004");
    let other = |change: fn(&mut Value)| {
        let mut status = recorded("status_dm_sent");
        change(&mut status);
        status
    };
    for (to, text, status) in [
        (&alice, "Something else", recorded("status_dm_sent")),
        (&bob, CONFIRMATION, recorded("status_dm_sent")),
        (&alice, CONFIRMATION, other(|status| status["in_reply_to_id"] = json!("1"))),
        (&alice, CONFIRMATION, other(|status| status["visibility"] = json!("unlisted"))),
        (&alice, CONFIRMATION, other(|status| status["account"]["id"] = json!("110000000000000003"))),
    ] {
        let instance = Instance::start().await;
        let mastodon = instance.connect().await;
        instance.answer(STATUSES, Answer::Cut);
        instance.once(OWN_STATUSES, 200, json!([status]));
        let sent = mastodon.send_dm(dm(to, text)).await;
        assert!(matches!(sent, Err(SendError::Unknown { .. })), "{sent:?}");
    }
}

#[tokio::test]
async fn an_instance_that_is_away_was_told_nothing() {
    let mut instance = Instance::start().await;
    let closing = vec![("connection", "close")];
    instance.play(|playing| playing.answers.clear());
    instance.once("GET /api/v1/accounts/verify_credentials", 200, recorded("verify_credentials"));
    instance.answer("GET /api/v2/instance", Answer::Json(200, closing, recorded("instance_v2")));
    let mastodon = instance.connect().await;
    let accepting = instance.accepting.take().unwrap();
    accepting.abort();
    let _ = accepting.await;
    let alice = AccountId::from("110000000000000003");
    let sent = mastodon.send_dm(dm(&alice, "x")).await;
    assert!(matches!(sent, Err(SendError::Later { after: None, .. })), "{sent:?}");
    let found = mastodon.look_up("bob").await;
    assert!(matches!(found, Err(SendError::Later { after: None, .. })), "{found:?}");
}

#[tokio::test]
async fn a_public_answer_is_unlisted_and_mentions_the_author_alone() {
    let instance = Instance::start().await;
    let mastodon = instance.connect().await;
    let post = recorded("notification_order")["status"].clone();
    let path = "GET /api/v1/statuses/115500000000000041";
    instance.once(path, 200, post.clone());
    instance.once(STATUSES, 200, json!({"id": "77", "mentions": [{"id": "110000000000000003"}]}));
    let reply = |to_handle| OutgoingReply { key: "key-2", to_post: "115500000000000041", to_handle, text: "Merci !" };
    assert_eq!(mastodon.reply(reply("alice@social.example")).await, Ok("77".into()));
    let form = instance.asked(STATUSES)[0].form();
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        form,
        [
            ("status", "@alice@social.example Merci !"),
            ("visibility", "unlisted"),
            ("allowed_mentions[]", "110000000000000003"),
            ("in_reply_to_id", "115500000000000041"),
        ]
    );
    // Not somebody else's post, not a private one, not one that is gone.
    instance.once(path, 200, post.clone());
    assert!(matches!(mastodon.reply(reply("eve@social.example")).await, Err(SendError::Refused { .. })));
    let mut private = post;
    private["visibility"] = json!("direct");
    instance.once(path, 200, private);
    assert!(matches!(mastodon.reply(reply("alice@social.example")).await, Err(SendError::Refused { .. })));
    assert!(matches!(mastodon.reply(reply("alice@social.example")).await, Err(SendError::Refused { .. })));
    assert_eq!(instance.asked(STATUSES).len(), 1);
}

#[tokio::test]
async fn a_handle_is_looked_up() {
    let instance = Instance::start().await;
    let mastodon = instance.connect().await;
    instance.once("GET /api/v1/accounts/lookup", 200, recorded("account_lookup"));
    let found = mastodon.look_up("croixrouge@org.example").await.unwrap().unwrap();
    assert_eq!((found.id.as_str(), found.handle.as_str()), ("109999000000000007", "croixrouge@org.example"));
    assert_eq!(mastodon.look_up("nobody").await, Ok(None));
    instance.once("GET /api/v1/accounts/lookup", 500, json!({}));
    assert!(matches!(mastodon.look_up("nobody").await, Err(SendError::Later { .. })));
    assert!(instance.asked("GET /api/v1/accounts/lookup")[0].line.ends_with("?acct=croixrouge%40org.example"));
}
