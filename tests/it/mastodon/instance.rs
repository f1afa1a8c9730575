//! A small instance on a loopback port: it plays recorded answers and remembers what it was asked.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use obole::clock::{ManualClock, Timestamp};
use obole::ids::PlatformName;
use obole::platform::mastodon::{Mastodon, MastodonConfig};

/// Reads a recorded answer.
pub(super) fn recorded(name: &str) -> Value {
    let path = format!("{}/tests/it/data/mastodon/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A recorded mention under another id, with another post.
pub(super) fn mention(id: &str) -> Value {
    let mut notification = recorded("notification_order");
    notification["id"] = json!(id);
    notification["status"]["id"] = json!(id.replace('n', "s"));
    notification["status"]["uri"] = json!(format!("https://social.example/users/alice/statuses/{id}"));
    notification
}

pub(super) fn frame(event: &str, data: &Value) -> String {
    format!("event: {event}\ndata: {data}\n\n")
}

/// What the instance was asked.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) line: String,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Asked {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(super) fn form(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(self.body.as_bytes()).into_owned().collect()
    }
}

/// What the instance answers where the test says so.
pub(super) enum Answer {
    Json(u16, Vec<(&'static str, &'static str)>, Value),
    /// The head of an answer, and then the connection is gone.
    Cut,
    Never,
}

#[derive(Default)]
pub(super) struct Playing {
    pub(super) asked: Vec<Asked>,
    pub(super) answers: HashMap<String, VecDeque<Answer>>,
    /// Oldest first.
    pub(super) notifications: Vec<Value>,
    /// Written into each stream that is opened, before anything else.
    pub(super) opening: String,
    pub(super) streams: Vec<mpsc::UnboundedSender<Result<Bytes, std::io::Error>>>,
}

/// A small instance on a loopback port.
pub(super) struct Instance {
    pub(super) base: String,
    pub(super) playing: Arc<Mutex<Playing>>,
    pub(super) accepting: Option<tokio::task::JoinHandle<()>>,
}

impl Instance {
    pub(super) async fn start() -> Self {
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

    pub(super) fn play<T>(&self, change: impl FnOnce(&mut Playing) -> T) -> T {
        change(&mut self.playing.lock().unwrap())
    }

    pub(super) fn answer(&self, line: &str, answer: Answer) {
        self.play(|playing| playing.answers.entry(line.into()).or_default().push_back(answer));
    }

    pub(super) fn once(&self, line: &str, code: u16, value: Value) {
        self.answer(line, Answer::Json(code, Vec::new(), value));
    }

    /// Often enough.
    pub(super) fn always(&self, line: &str, code: u16, value: Value) {
        (0..4).for_each(|_| self.once(line, code, value.clone()));
    }

    pub(super) fn notify(&self, notification: Value) {
        self.play(|playing| playing.notifications.push(notification));
    }

    pub(super) fn streams(&self, text: &str) {
        self.play(|playing| {
            playing.streams.iter().for_each(|stream| {
                let _ = stream.send(Ok(Bytes::from(text.to_owned())));
            });
        });
    }

    pub(super) fn asked(&self, start: &str) -> Vec<Asked> {
        self.play(|playing| playing.asked.iter().filter(|asked| asked.line.starts_with(start)).cloned().collect())
    }

    pub(super) fn config(&self) -> MastodonConfig {
        let mut config = MastodonConfig::new(self.base.clone(), "hush".to_owned());
        config.request_timeout_seconds = 2;
        config
    }

    pub(super) async fn connect_with(&self, config: MastodonConfig) -> Mastodon {
        let clock = ManualClock::at("2026-11-20T10:00:00Z".parse::<Timestamp>().unwrap());
        Mastodon::connect_with_clock(config, PlatformName::from("town"), Arc::new(clock)).await.unwrap()
    }

    pub(super) async fn connect(&self) -> Arc<Mastodon> {
        Arc::new(self.connect_with(self.config()).await)
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
