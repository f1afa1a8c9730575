//! A small X on a loopback port: filtered stream, search, private messages, posts, over real HTTP.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use obole::ids::PlatformName;
use obole::platform::x::{X, XConfig};
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// What goes wrong with the next call of a method and path.
pub(super) enum Fault {
    /// Refused, with headers and a body.
    Refuse(u16, Vec<(&'static str, String)>, Value),
    /// Done, and the answer is cut off.
    Lose,
    /// Not done, and the answer is cut off.
    Drop,
}

#[derive(Default)]
pub(super) struct Playing {
    pub(super) asked: Vec<(String, HeaderMap, Value)>,
    pub(super) faults: HashMap<String, VecDeque<Fault>>,
    pub(super) rules: BTreeMap<String, (String, String)>,
    /// Oldest first.
    posts: BTreeMap<u64, Value>,
    /// Newest version by any version's id.
    deleted: Vec<u64>,
    messages: BTreeMap<u64, Value>,
    streams: Vec<mpsc::UnboundedSender<Result<Bytes, std::io::Error>>>,
    pub(super) opened: usize,
    number: u64,
}

impl Playing {
    fn id(&mut self, age: Duration) -> u64 {
        self.number += 1;
        let millis = crate::support::connected::now().as_millisecond() - i64::try_from(age.as_millis()).unwrap();
        (u64::try_from(millis - 1_288_834_974_657).unwrap() << 22) + self.number
    }
}

/// The bot is `obole`, id 9; people by name.
pub(super) struct Peer {
    pub(super) base: String,
    playing: Arc<Mutex<Playing>>,
}

const PEOPLE: [(&str, &str); 5] = [("9", "obole"), ("2", "ana"), ("3", "croixrouge"), ("4", "bob"), ("5", "eve")];

fn id_of(name: &str) -> &'static str {
    PEOPLE.iter().find(|(_, known)| *known == name).unwrap().0
}

fn users() -> Value {
    PEOPLE.iter().map(|(id, name)| json!({ "id": id, "username": name, "name": name })).collect()
}

impl Peer {
    pub(super) async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let playing = Arc::new(Mutex::new(Playing::default()));
        let routes = axum::Router::new().fallback(play).with_state(playing.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Peer { base, playing }
    }

    pub(super) fn config(&self) -> XConfig {
        let words = |first: &str, second: &str| (first.to_owned(), second.to_owned());
        let mut config = XConfig::new("app".to_owned(), words("ck", "cs"), words("at", "ats"));
        config.api_url = self.base.clone();
        config.request_timeout = Duration::from_secs(2);
        config.dm_poll = Duration::from_millis(50);
        config
    }

    pub(super) async fn connect_with(&self, config: XConfig) -> X {
        X::connect(config, PlatformName::from("x")).await.unwrap()
    }

    pub(super) fn play<T>(&self, change: impl FnOnce(&mut Playing) -> T) -> T {
        change(&mut self.playing.lock().unwrap())
    }

    pub(super) fn fault(&self, line: &str, fault: Fault) {
        self.play(|playing| playing.faults.entry(line.to_owned()).or_default().push_back(fault));
    }

    pub(super) fn asked(&self, line: &str) -> Vec<(HeaderMap, Value)> {
        let matches = |asked: &&(String, HeaderMap, Value)| asked.0 == line;
        self.play(|playing| {
            playing.asked.iter().filter(matches).map(|(_, headers, body)| (headers.clone(), body.clone())).collect()
        })
    }

    /// A post that was written some time ago, and that open streams bring if they are to.
    pub(super) fn writes(&self, name: &str, text: &str, age: Duration, streamed: bool) -> String {
        let object = self.play(|playing| {
            let id = playing.id(age);
            let mut mentions = Vec::new();
            for (at, _) in text.match_indices('@') {
                let handle: String = text[at + 1..].chars().take_while(char::is_ascii_alphanumeric).collect();
                let start = text[..at].chars().count();
                mentions.push(json!({ "start": start, "end": start + 1 + handle.len(), "username": handle, "id": id_of(&handle) }));
            }
            let post = json!({ "id": id.to_string(), "text": text, "author_id": id_of(name),
                "edit_history_tweet_ids": [id.to_string()], "entities": { "mentions": mentions } });
            playing.posts.insert(id, post.clone());
            json!({ "data": post, "includes": { "users": users() }, "matching_rules": [{ "id": "1", "tag": "obole" }] })
        });
        if streamed {
            self.streams(format!("{object}\r\n").as_bytes());
        }
        object["data"]["id"].as_str().unwrap().to_owned()
    }

    pub(super) fn posts(&self, name: &str, text: &str) -> String {
        self.writes(name, text, Duration::ZERO, true)
    }

    /// Writes bytes into every open stream.
    pub(super) fn streams(&self, bytes: &[u8]) {
        self.play(|playing| playing.streams.retain(|stream| stream.send(Ok(Bytes::copy_from_slice(bytes))).is_ok()));
    }

    /// Every open stream ends.
    pub(super) fn cuts(&self) {
        self.play(|playing| playing.streams.clear());
    }

    pub(super) fn deletes(&self, id: &str) {
        let id = id.parse().unwrap();
        self.play(|playing| {
            playing.posts.remove(&id);
            playing.deleted.push(id);
        });
    }

    /// A later version of a post, under an id of its own.
    pub(super) fn edits(&self, id: &str) -> String {
        self.play(|playing| {
            let new = playing.id(Duration::ZERO);
            let mut post = playing.posts.remove(&id.parse().unwrap()).unwrap();
            post["id"] = json!(new.to_string());
            post["edit_history_tweet_ids"] = json!([id, new.to_string()]);
            playing.posts.insert(new, post);
            new.to_string()
        })
    }

    pub(super) fn tells(&self, name: &str, text: &str) -> String {
        self.play(|playing| say(playing, id_of(name), id_of(name), text))
    }

    /// What the bot has written to somebody in private.
    pub(super) fn messages_to(&self, name: &str) -> Vec<String> {
        let conversation = conversation(id_of(name));
        self.play(|playing| {
            let own = playing.messages.values().filter(|message| message["sender_id"] == "9");
            let own = own.filter(|message| message["dm_conversation_id"] == *conversation);
            own.map(|message| message["text"].as_str().unwrap().to_owned()).collect()
        })
    }

    /// A message in a conversation of more than two.
    pub(super) fn tells_a_group(&self, text: &str) {
        self.play(|playing| {
            let id = playing.id(Duration::ZERO);
            let message = json!({ "id": id.to_string(), "event_type": "MessageCreate", "text": text, "sender_id": "2",
                "dm_conversation_id": "1234567", "created_at": crate::support::connected::now().to_string() });
            playing.messages.insert(id, message);
        });
    }
}

fn conversation(other: &str) -> String {
    format!("{other}-9")
}

fn say(playing: &mut Playing, other: &str, sender: &str, text: &str) -> String {
    let id = playing.id(Duration::ZERO);
    let text = text.replace('&', "&amp;");
    let message = json!({ "id": id.to_string(), "event_type": "MessageCreate", "text": text, "sender_id": sender,
        "dm_conversation_id": conversation(other), "created_at": crate::support::connected::now().to_string() });
    playing.messages.insert(id, message);
    id.to_string()
}

fn cut() -> Response {
    let parts: [Result<Bytes, std::io::Error>; 2] = [Ok("{\"data\":".into()), Err(std::io::Error::other("cut"))];
    Body::from_stream(futures_util::stream::iter(parts)).into_response()
}

async fn play(State(playing): State<Arc<Mutex<Playing>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let query: HashMap<String, String> =
        url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let line = format!("{} {}", parts.method, parts.uri.path());
    let mut playing = playing.lock().unwrap();
    let playing = &mut *playing;
    playing.asked.push((line.clone(), parts.headers.clone(), body.clone()));
    let authorisation = parts.headers["authorization"].to_str().unwrap().to_owned();
    let by_app = authorisation == "Bearer app";
    let by_bot = authorisation.starts_with("OAuth ") && authorisation.contains("oauth_token=\"at\"");
    let fault = playing.faults.get_mut(&line).and_then(VecDeque::pop_front);
    match &fault {
        Some(Fault::Refuse(code, headers, body)) => {
            let mut response = (StatusCode::from_u16(*code).unwrap(), axum::Json(body.clone())).into_response();
            headers.iter().for_each(|(name, value)| {
                response.headers_mut().insert(*name, value.parse().unwrap());
            });
            return response;
        }
        Some(Fault::Drop) => return cut(),
        Some(Fault::Lose) | None => {}
    }
    let path: Vec<&str> = parts.uri.path().trim_start_matches('/').split('/').collect();
    let response = match (parts.method.as_str(), path.as_slice()) {
        ("GET", ["2", "users", "me"]) if by_bot => json!({ "data": { "id": "9", "username": "Obole", "name": "Obole" } }),
        ("GET", ["2", "users", "by", "username", name]) if by_app => match PEOPLE.iter().find(|(_, known)| known == name) {
            Some((id, name)) => json!({ "data": { "id": id, "username": name, "name": name } }),
            None => json!({ "errors": [{ "title": "Not Found Error" }] }),
        },
        ("GET", ["2", "tweets", "search", "stream", "rules"]) if by_app => {
            let rules = playing.rules.iter().map(|(id, (value, tag))| json!({ "id": id, "value": value, "tag": tag }));
            json!({ "data": rules.collect::<Vec<_>>(), "meta": {} })
        }
        ("POST", ["2", "tweets", "search", "stream", "rules"]) if by_app => {
            for rule in body["add"].as_array().into_iter().flatten() {
                let word = |name: &str| rule[name].as_str().unwrap().to_owned();
                playing.number += 1;
                playing.rules.insert(format!("r{}", playing.number), (word("value"), word("tag")));
            }
            for id in body["delete"]["ids"].as_array().into_iter().flatten() {
                playing.rules.remove(id.as_str().unwrap());
            }
            json!({ "meta": {} })
        }
        ("GET", ["2", "tweets", "search", "stream"]) if by_app => {
            let (sender, receiver) = mpsc::unbounded_channel();
            sender.send(Ok(Bytes::from("\r\n"))).unwrap();
            playing.streams.push(sender);
            playing.opened += 1;
            return Body::from_stream(futures_util::stream::unfold(receiver, async |mut receiver: mpsc::UnboundedReceiver<_>| {
                Some((receiver.recv().await?, receiver))
            }))
            .into_response();
        }
        ("GET", ["2", "tweets", "search", "recent"]) if by_app => {
            assert_eq!(query["query"], "@obole -is:retweet");
            let since: u64 = query["since_id"].parse().unwrap();
            let until: u64 = query.get("next_token").map_or(u64::MAX, |token| token.parse().unwrap());
            // Newest first, three at a time.
            let found: Vec<(&u64, &Value)> = playing.posts.range(since + 1..until).rev().take(3).collect();
            let next = found.last().filter(|(last, _)| playing.posts.range(since + 1..**last).next().is_some());
            json!({ "data": found.iter().map(|(_, post)| *post).collect::<Vec<_>>(), "includes": { "users": users() },
                "meta": { "next_token": next.map(|(id, _)| id.to_string()) } })
        }
        ("GET", ["2", "tweets"]) if by_app => {
            let known = |id: &str| {
                let is_version =
                    |post: &&Value| post["edit_history_tweet_ids"].as_array().unwrap().iter().any(|version| version == id);
                playing.posts.values().find(is_version).cloned()
            };
            let found: Vec<Value> = query["ids"].split(',').filter_map(known).collect();
            json!({ "data": found, "errors": [{ "title": "Not Found Error" }] })
        }
        ("POST", ["2", "tweets"]) if by_bot => {
            let id = playing.id(Duration::ZERO);
            let to = body["reply"]["in_reply_to_tweet_id"].clone();
            let text = format!("@somebody {}", body["text"].as_str().unwrap().replace('&', "&amp;"));
            let same = |post: &Value| post["text"] == *text && post["author_id"] == "9";
            if playing.posts.values().any(same) {
                return (
                    StatusCode::FORBIDDEN,
                    axum::Json(json!({ "detail": "You are not allowed to create a Tweet with duplicate content." })),
                )
                    .into_response();
            }
            playing.posts.insert(
                id,
                json!({ "id": id.to_string(), "text": text, "author_id": "9",
                "edit_history_tweet_ids": [id.to_string()], "referenced_tweets": [{ "type": "replied_to", "id": to }] }),
            );
            json!({ "data": { "id": id.to_string() } })
        }
        ("GET", ["2", "users", "9", "tweets"]) if by_bot => {
            let own = playing.posts.values().rev().filter(|post| post["author_id"] == "9");
            json!({ "data": own.collect::<Vec<_>>() })
        }
        ("GET", ["2", "dm_events"]) if by_bot => {
            let until: u64 = query.get("pagination_token").map_or(u64::MAX, |token| token.parse().unwrap());
            let most = query["max_results"].parse::<usize>().unwrap().min(2);
            let found: Vec<(&u64, &Value)> = playing.messages.range(..until).rev().take(most).collect();
            let next = found.last().filter(|(last, _)| playing.messages.range(..**last).next().is_some());
            json!({ "data": found.iter().map(|(_, message)| *message).collect::<Vec<_>>(), "includes": { "users": users() },
                "meta": { "next_token": next.map(|(id, _)| id.to_string()) } })
        }
        ("POST", ["2", "dm_conversations", "with", to, "messages"]) if by_bot => {
            let id = say(playing, to, "9", body["text"].as_str().unwrap());
            json!({ "data": { "dm_conversation_id": conversation(to), "dm_event_id": id } })
        }
        ("GET", ["2", "dm_conversations", "with", to, "dm_events"]) if by_bot => {
            let messages = playing.messages.values().rev().filter(|message| message["dm_conversation_id"] == *conversation(to));
            json!({ "data": messages.collect::<Vec<_>>() })
        }
        _ => return (StatusCode::UNAUTHORIZED, axum::Json(json!({ "title": "Unauthorized", "detail": line }))).into_response(),
    };
    if matches!(fault, Some(Fault::Lose)) { cut() } else { axum::Json(response).into_response() }
}
