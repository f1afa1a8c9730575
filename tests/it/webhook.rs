//! The webhook platform: an app of somebody's on the other side, over real HTTP in both directions.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use obole::ids::{AccountId, PlatformName};
use obole::order::{OrderState, Rejection};
use obole::platform::webhook::{Webhook, WebhookConfig};
use obole::platform::{Closed, OutgoingDm, Platform, PlatformEvent, SendError, Verdict};
use obole::web::{self, WebState};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::connected::{Connected, eventually};

const KEY: &[u8; 24] = b"twenty-four bytes of key";
const OLD_KEY: &[u8; 24] = b"the key that came before";

fn secret(key: &[u8]) -> String {
    format!("whsec_{}", STANDARD.encode(key))
}

/// A signature by the specification's words, in code of the test's own.
fn signature(key: &[u8], id: &str, seconds: i64, body: &str) -> String {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).unwrap();
    mac.update(format!("{id}.{seconds}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[derive(Default)]
struct Playing {
    asked: Vec<(HeaderMap, Value)>,
    /// By type; else everything is taken.
    answers: HashMap<&'static str, VecDeque<(u16, Value)>>,
    /// What was sent under each key.
    sent: HashMap<String, Value>,
}

/// Somebody's app.
struct Other {
    url: String,
    playing: Arc<Mutex<Playing>>,
}

impl Other {
    async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/obole", listener.local_addr().unwrap());
        let playing = Arc::new(Mutex::new(Playing::default()));
        let routes = axum::Router::new().route("/obole", axum::routing::post(asked)).with_state(playing.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Other { url, playing }
    }

    fn config(&self) -> WebhookConfig {
        let mut config = WebhookConfig::new(self.url.clone(), secret(KEY), "u-obole", "obole");
        config.previous_secret = Some(secret(OLD_KEY).into());
        config
    }

    fn connect(&self) -> Webhook {
        Webhook::new(self.config(), PlatformName::from("app")).unwrap()
    }

    fn answers(&self, kind: &'static str, code: u16, value: Value) {
        self.playing.lock().unwrap().answers.entry(kind).or_default().push_back((code, value));
    }

    fn messages_to(&self, id: &str) -> Vec<String> {
        let playing = self.playing.lock().unwrap();
        let to = playing.asked.iter().filter(|(_, asked)| asked["to"]["id"] == id);
        to.map(|(_, asked)| asked["text"].as_str().unwrap().to_owned()).collect()
    }
}

async fn asked(State(playing): State<Arc<Mutex<Playing>>>, headers: HeaderMap, body: Bytes) -> Response {
    let text = |name: &str| headers[name].to_str().unwrap().to_owned();
    let body = String::from_utf8(body.to_vec()).unwrap();
    let expected = signature(KEY, &text("webhook-id"), text("webhook-timestamp").parse().unwrap(), &body);
    assert!(text("webhook-signature").split(' ').any(|signature| signature == expected), "{headers:?}");
    let value: Value = serde_json::from_str(&body).unwrap();
    let mut playing = playing.lock().unwrap();
    playing.asked.push((headers.clone(), value.clone()));
    let kind = value["type"].as_str().unwrap().to_owned();
    if let Some((code, answer)) = playing.answers.get_mut(kind.as_str()).and_then(VecDeque::pop_front) {
        return (StatusCode::from_u16(code).unwrap(), axum::Json(answer)).into_response();
    }
    let answer = match kind.as_str() {
        "message.send" | "reply.send" => {
            let key = text("idempotency-key");
            let number = playing.sent.len();
            playing.sent.entry(key).or_insert_with(|| json!({ "id": format!("m-{number}") })).clone()
        }
        "account.find" if value["handle"] == "croixrouge" => json!({ "id": "u-9", "handle": "croixrouge", "name": "Croix-Rouge" }),
        "account.find" | "post.find" => return (StatusCode::NOT_FOUND, axum::Json(json!({ "error": "nobody" }))).into_response(),
        _ => json!({}),
    };
    axum::Json(answer).into_response()
}

/// Calls Obole's pages as the app does.
struct Caller {
    address: String,
    client: reqwest::Client,
}

impl Caller {
    async fn start(story: &Connected) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/platforms/app", listener.local_addr().unwrap());
        let serving = story.serving();
        let pages = WebState::new(story.app.clone(), serving.ledger().clone(), serving.end_of_pages());
        serving.serve_web(vec![listener], web::router(pages));
        Caller { address, client: reqwest::Client::builder().no_proxy().build().unwrap() }
    }

    async fn posts(&self, headers: &[(&str, String)], body: &str) -> (u16, String) {
        let mut request = self.client.post(&self.address).body(body.to_owned()).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    async fn signed(&self, key: &[u8], late: i64, body: &str) -> (u16, String) {
        let seconds = crate::support::connected::now().as_second() - late;
        let headers = [
            ("webhook-id", "evt-1".to_owned()),
            ("webhook-timestamp", seconds.to_string()),
            ("webhook-signature", signature(key, "evt-1", seconds, body)),
        ];
        self.posts(&headers, body).await
    }

    async fn tells(&self, event: &Value) {
        let (status, said) = self.signed(KEY, 0, &event.to_string()).await;
        assert_eq!(status, 200, "{said}");
    }
}

fn written(kind: &str, id: &str, text: &str) -> Value {
    json!({ "type": kind, "id": id, "author": { "id": "u-7", "handle": "ana", "name": "Ana" }, "text": text,
        "mentions": [{ "id": "u-9", "handle": "croixrouge" }], "at": crate::support::connected::now().to_string(), "language": "fr",
        "unknown": { "of": "a later version" } })
}

#[tokio::test]
async fn a_post_and_its_answer_are_taken_and_no_code_confirms_an_order_from_there() {
    let other = Other::start().await;
    let story = Connected::start(Arc::new(other.connect()), ("croixrouge", "u-9")).await;
    let caller = Caller::start(&story).await;
    story.enrols("ana", async |code| caller.tells(&written("message.created", "m-1", &format!("@obole {code}"))).await).await;
    let post = written("post.created", "p-1", "@obole #donner 10€ @croixrouge");
    caller.tells(&post).await;
    let order = story.order_becomes("p-1", "rejected").await;
    assert!(matches!(order.state, OrderState::Rejected { reason: Rejection::StrongConfirmationNeeded, .. }), "{:?}", order.state);
    assert_eq!((order.source.post.as_str(), order.source.author_handle.as_str()), ("app:p-1", "ana"));
    eventually("the refusal", async || {
        other.messages_to("u-7").iter().any(|text| text.contains("un code ne suffit pas à confirmer")).then_some(())
    })
    .await;
    // Told again, by the old secret this time: nothing changes.
    assert_eq!(caller.signed(OLD_KEY, 0, &post.to_string()).await.0, 200);
    assert_eq!(story.app.newest_orders(None, 10).await.unwrap().len(), 1);
    story.ends().await;
}

#[tokio::test]
async fn a_call_counts_only_if_it_is_signed_lately_and_with_a_secret_in_use() {
    let other = Other::start().await;
    let story = Connected::start(Arc::new(other.connect()), ("croixrouge", "u-9")).await;
    let caller = Caller::start(&story).await;
    let body = written("post.created", "p-1", "@obole #donner 10€ @croixrouge").to_string();
    assert_eq!(caller.posts(&[], &body).await.0, 401);
    assert_eq!(caller.signed(b"a key that is not in use", 0, &body).await.0, 401);
    let (status, said) = caller.signed(KEY, 301, &body).await;
    assert_eq!((status, said.contains("more than five minutes")), (401, true), "{said}");
    assert_eq!(caller.signed(KEY, -301, &body).await.0, 401);
    assert_eq!(caller.signed(KEY, 0, "{}").await.0, 400);
    assert_eq!(caller.signed(KEY, 0, r#"{"type":"post.created","id":"p-1"}"#).await.0, 400);
    assert_eq!(caller.signed(KEY, 0, r#"{"type":"ping"}"#).await.0, 200);
    // The right signature over another body.
    let seconds = crate::support::connected::now().as_second();
    let headers = [
        ("webhook-id", "evt-1".to_owned()),
        ("webhook-timestamp", seconds.to_string()),
        ("webhook-signature", signature(KEY, "evt-1", seconds, &body)),
    ];
    assert_eq!(caller.posts(&headers, &body.replace("10€", "90€")).await.0, 401);
    let elsewhere = Caller { address: caller.address.replace("/app", "/town"), client: caller.client.clone() };
    assert_eq!(elsewhere.signed(KEY, 0, &body).await.0, 404);
    assert_eq!(story.app.newest_orders(None, 10).await.unwrap().len(), 0);
    story.ends().await;
}

#[tokio::test]
async fn messages_go_out_signed_and_under_their_key() {
    let other = Other::start().await;
    let app = other.connect();
    let to = AccountId::from("u-7");
    let send = async |key: &str| {
        app.send_dm(OutgoingDm { key, to: &to, to_handle: "ana", text: "Bonjour", in_reply_to: Some("m-1") }).await
    };
    // The first answer is lost in a server's error; the repetition gets the first message's id.
    other.answers("message.send", 500, json!({}));
    assert!(matches!(send("k-1").await, Err(SendError::Unknown { .. })));
    let first = send("k-1").await.unwrap();
    assert_eq!(send("k-1").await.unwrap(), first);
    let (headers, asked) = other.playing.lock().unwrap().asked.last().unwrap().clone();
    assert_eq!((headers["idempotency-key"].to_str().unwrap(), headers["webhook-id"].to_str().unwrap()), ("k-1", "k-1"));
    let expected = json!({ "type": "message.send", "key": "k-1", "to": { "id": "u-7", "handle": "ana" }, "text": "Bonjour", "in_reply_to": "m-1" });
    assert_eq!(asked, expected);
    for (error, expected) in [("not_following", Closed::NotFollowed), ("disabled", Closed::Disabled), ("gone", Closed::Gone)] {
        other.answers("message.send", 403, json!({ "error": error }));
        let refused = send("k-2").await;
        assert!(matches!(refused, Err(SendError::NoChannel { closed, .. }) if closed == expected), "{refused:?}");
    }
    other.answers("message.send", 400, json!({ "error": "too_long" }));
    assert!(matches!(send("k-3").await, Err(SendError::Refused { .. })));
    other.answers("message.send", 401, json!({}));
    assert!(matches!(send("k-3").await, Err(SendError::Credentials { .. })));
    other.answers("message.send", 429, json!({}));
    assert!(matches!(send("k-3").await, Err(SendError::Later { .. })));
    assert_eq!(app.look_up("croixrouge").await.unwrap().unwrap().id.as_str(), "u-9");
    assert_eq!(app.look_up("nobody").await, Ok(None));
    other.answers("post.find", 200, json!({ "edited": true }));
    other.answers("post.find", 200, json!({}));
    let standing = app.standing(&["p-1".to_owned(), "p-2".to_owned(), "p-3".to_owned()]).await.unwrap();
    let expected = [PlatformEvent::Edited { native_id: "p-1".into() }, PlatformEvent::Deleted { native_id: "p-3".into() }];
    assert_eq!(standing, expected);
}

#[tokio::test]
async fn an_examination_says_whether_the_secrets_agree() {
    let other = Other::start().await;
    let app = other.connect();
    assert!(app.examine().await.iter().all(|finding| finding.verdict != Verdict::Bad));
    other.answers("ping", 401, json!({ "error": "signature" }));
    let findings = app.examine().await;
    assert_eq!(findings[0].verdict, Verdict::Bad);
    assert!(findings[0].says.contains("same secret"), "{findings:?}");
}

/// `obole platform check`, as somebody at a terminal runs it.
async fn check(name: &str, config: &std::path::Path, more: &[&str]) -> (i32, String, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_obole"));
    command.args(["platform", "check", name, "--config"]).arg(config).args(more);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_says_on_one_screen_what_is_wrong() {
    let other = Other::start().await;
    let directory = std::env::temp_dir().join(format!("obole-platform-check-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join("obole.toml");
    let config = format!(
        r#"
[store]
url = "sqlite:/nowhere/obole.db"
[web]
listen = "127.0.0.1:0"
public_url = "https://pay.example.org"
[secrets]
key = "{}"
[platforms.app]
kind = "webhook"
url = "{}"
secret = "{}"
bot_id = "u-obole"
bot_handle = "obole"
[banks.main]
kind = "berlin_group"
base_url = "https://api.bank.example.com/psd2"
product = "instant-sepa-credit-transfers"
psu_ip_address = "192.0.2.1"
"#,
        "00".repeat(32),
        other.url,
        secret(KEY)
    );
    std::fs::write(&file, &config).unwrap();
    let (code, out, err) = check("app", &file, &[]).await;
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.starts_with("ok   the other side  it answers") && out.ends_with("orders can pass\n"), "{out}");

    other.answers("ping", 401, json!({ "error": "signature" }));
    let (code, out, _) = check("app", &file, &["--json"]).await;
    let found: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &found["ok"], &found["findings"][0]["verdict"]), (1, &json!(false), &json!("bad")), "{out}");
    let (code, _, err) = check("ap", &file, &[]).await;
    assert_eq!((code, err.contains("there are: app")), (2, true), "{err}");
    std::fs::write(&file, config.replace("whsec_", "")).unwrap();
    let (code, _, err) = check("app", &file, &[]).await;
    assert_eq!((code, err.contains("whsec_")), (3, true), "{err}");
    std::fs::remove_dir_all(&directory).unwrap();
}
