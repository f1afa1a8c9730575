//! A small Bluesky on a loopback port: an account's server, the chat behind it, and a Jetstream, over real HTTP and WebSocket.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, Query, RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use obole::ids::PlatformName;
use obole::platform::bluesky::{Bluesky, BlueskyConfig};
use serde_json::{Value, json};
use tokio::sync::watch;

pub(super) const POSTS: &str = "app.bsky.feed.post";

/// What goes wrong with the next call of a method.
pub(super) enum Fault {
    /// Refused, with the error's name, its sentence, and headers.
    Refuse(u16, &'static str, &'static str, Vec<(&'static str, String)>),
    /// Done, and the answer is cut off.
    Lose,
    /// Not done, and the answer is cut off.
    Drop,
}

/// A call as it came.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) headers: HeaderMap,
    pub(super) input: Value,
}

#[derive(Default)]
pub(super) struct Playing {
    pub(super) asked: Vec<Asked>,
    pub(super) faults: HashMap<String, VecDeque<Fault>>,
    /// Handle by DID.
    people: BTreeMap<String, String>,
    /// URI to CID and record.
    pub(super) records: BTreeMap<String, (String, Value)>,
    /// Time and frame.
    pub(super) frames: Vec<(i64, String)>,
    /// Conversation to the other side's DID and whether it was accepted.
    conversations: BTreeMap<String, (String, bool)>,
    messages: BTreeMap<String, Vec<Value>>,
    log: Vec<(String, Value)>,
    tokens: Vec<String>,
    number: u64,
    /// Streams opened with these queries.
    pub(super) subscriptions: Vec<String>,
    /// The password has no access to the chat.
    pub(super) plain_password: bool,
    /// The stream refuses cursors.
    pub(super) cursor_too_old: bool,
    /// Streams that are open bring nothing, not even pings.
    pub(super) silent: bool,
    /// Each stream ends after so many frames.
    pub(super) cut_after: Option<usize>,
}

impl Playing {
    fn next(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    /// A TID: sorts by age.
    fn tid(&mut self) -> String {
        let digits = format!("{:o}", 0o20_0000_0000 + self.next());
        let letters = digits.bytes().map(|digit| char::from(b"234567ab"[usize::from(digit - b'0')]));
        format!("3l3{}", letters.collect::<String>())
    }

    fn did(&mut self, name: &str) -> String {
        let did = format!("did:plc:{name}");
        self.people.entry(did.clone()).or_insert_with(|| format!("{name}.test"));
        did
    }
}

/// The network, with the bot `obole.test`.
pub(super) struct Peer {
    pub(super) base: String,
    playing: Arc<Mutex<Playing>>,
    changed: Arc<watch::Sender<u64>>,
}

type Stage = (Arc<Mutex<Playing>>, Arc<watch::Sender<u64>>);

impl Peer {
    pub(super) async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (playing, changed) = (Arc::new(Mutex::new(Playing::default())), Arc::new(watch::Sender::new(0)));
        for name in ["obole", "ana", "croixrouge"] {
            playing.lock().unwrap().did(name);
        }
        let routes = axum::Router::new()
            .route("/subscribe", get(subscribe))
            .route("/xrpc/{method}", any(call))
            .with_state((playing.clone(), changed.clone()));
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Peer { base, playing, changed }
    }

    pub(super) fn config(&self) -> BlueskyConfig {
        let mut config = BlueskyConfig::new(self.base.clone(), "obole.test", "hush".to_owned());
        config.jetstreams = vec![format!("{}/subscribe", self.base.replace("http", "ws"))];
        config.request_timeout = Duration::from_secs(2);
        config.poll = Duration::from_millis(50);
        config.may_order = obole::language::may_order;
        config
    }

    pub(super) async fn connect_with(&self, config: BlueskyConfig) -> Bluesky {
        Bluesky::connect(config, PlatformName::from("sky")).await.unwrap()
    }

    pub(super) fn play<T>(&self, change: impl FnOnce(&mut Playing) -> T) -> T {
        let result = change(&mut self.playing.lock().unwrap());
        self.changed.send_modify(|number| *number += 1);
        result
    }

    pub(super) fn fault(&self, method: &str, fault: Fault) {
        self.play(|playing| playing.faults.entry(method.to_owned()).or_default().push_back(fault));
    }

    pub(super) fn asked(&self, method: &str) -> Vec<Asked> {
        self.play(|playing| playing.asked.iter().filter(|asked| asked.method == method).cloned().collect())
    }

    /// A post by somebody, with a facet for every handle of a person in it. Gives its URI.
    pub(super) fn posts(&self, name: &str, text: &str) -> String {
        let rkey = self.play(Playing::tid);
        self.writes(name, &rkey, text, "create")
    }

    /// Somebody changes a post.
    pub(super) fn edits(&self, name: &str, uri: &str, text: &str) {
        self.writes(name, uri.rsplit('/').next().unwrap(), text, "update");
    }

    fn writes(&self, name: &str, rkey: &str, text: &str, operation: &str) -> String {
        self.play(|playing| {
            let did = playing.did(name);
            let record = record(text);
            let uri = format!("at://{did}/{POSTS}/{rkey}");
            let cid = cid(&record);
            playing.records.insert(uri.clone(), (cid.clone(), record.clone()));
            let commit =
                json!({ "rev": rkey, "operation": operation, "collection": POSTS, "rkey": rkey, "record": record, "cid": cid });
            frame(playing, &did, "commit", commit);
            uri
        })
    }

    /// A frame of a post that nobody wrote.
    pub(super) fn forges(&self, name: &str, text: &str) {
        self.play(|playing| {
            let did = playing.did(name);
            let record = record(text);
            let cid = cid(&record);
            let commit =
                json!({ "rev": "3l3", "operation": "create", "collection": POSTS, "rkey": "3l3forged2222", "record": record, "cid": cid });
            frame(playing, &did, "commit", commit);
        });
    }

    pub(super) fn deletes(&self, name: &str, uri: &str) {
        self.play(|playing| {
            let did = playing.did(name);
            playing.records.remove(uri);
            let rkey = uri.rsplit('/').next().unwrap();
            frame(playing, &did, "commit", json!({ "rev": rkey, "operation": "delete", "collection": POSTS, "rkey": rkey }));
        });
    }

    pub(super) fn renames(&self, name: &str, handle: &str) {
        self.play(|playing| {
            let did = playing.did(name);
            playing.people.insert(did.clone(), handle.to_owned());
            frame(playing, &did, "identity", json!({ "did": did, "handle": handle, "seq": 1 }));
        });
    }

    /// A private message to the bot; the first one is a request.
    pub(super) fn tells(&self, name: &str, text: &str) -> String {
        self.play(|playing| {
            let did = playing.did(name);
            let convo = conversation(playing, &did, false);
            say(playing, &convo, &did, text)
        })
    }

    /// What the bot has written to somebody in private.
    pub(super) fn messages_to(&self, name: &str) -> Vec<String> {
        self.play(|playing| {
            let messages = playing.messages.get(&format!("convo-{name}")).cloned().unwrap_or_default();
            let own = messages.iter().filter(|message| message["sender"]["did"] == "did:plc:obole");
            own.map(|message| message["text"].as_str().unwrap().to_owned()).collect()
        })
    }

    pub(super) fn is_accepted(&self, name: &str) -> bool {
        self.play(|playing| playing.conversations.get(&format!("convo-{name}")).is_some_and(|(_, accepted)| *accepted))
    }
}

fn record(text: &str) -> Value {
    let mut facets = Vec::new();
    for (at, _) in text.match_indices('@') {
        let handle: String = text[at + 1..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '.').collect();
        let did = format!("did:plc:{}", handle.split('.').next().unwrap());
        facets.push(json!({ "index": { "byteStart": at, "byteEnd": at + 1 + handle.len() },
            "features": [{ "$type": "app.bsky.richtext.facet#mention", "did": did }] }));
    }
    let now = crate::support::connected::now().to_string();
    json!({ "$type": POSTS, "text": text, "createdAt": now, "langs": ["fr"], "facets": facets })
}

fn cid(record: &Value) -> String {
    let mut hasher = DefaultHasher::new();
    record.to_string().hash(&mut hasher);
    format!("bafyrei{:016x}", hasher.finish())
}

fn frame(playing: &mut Playing, did: &str, kind: &str, what: Value) {
    let last = playing.frames.last().map_or(0, |(time, _)| *time);
    let time_us = crate::support::connected::now().as_microsecond().max(last + 1);
    let mut frame = json!({ "did": did, "time_us": time_us, "kind": kind });
    frame[kind] = what;
    playing.frames.push((time_us, frame.to_string()));
}

fn conversation(playing: &mut Playing, did: &str, accepted: bool) -> String {
    let id = format!("convo-{}", did.rsplit(':').next().unwrap());
    playing.conversations.entry(id.clone()).or_insert_with(|| (did.to_owned(), accepted));
    id
}

fn say(playing: &mut Playing, convo: &str, sender: &str, text: &str) -> String {
    let (id, rev) = (format!("m{}", playing.next()), playing.tid());
    let message = json!({ "$type": "chat.bsky.convo.defs#messageView", "id": id, "rev": rev, "text": text,
        "sender": { "did": sender }, "sentAt": crate::support::connected::now().to_string() });
    playing.messages.entry(convo.to_owned()).or_default().push(message.clone());
    let line = json!({ "$type": "chat.bsky.convo.defs#logCreateMessage", "rev": rev, "convoId": convo, "message": message });
    playing.log.push((rev, line));
    id
}

fn error(code: u16, name: &str, message: &str) -> Response {
    (StatusCode::from_u16(code).unwrap(), axum::Json(json!({ "error": name, "message": message }))).into_response()
}

fn cut() -> Response {
    let parts: [Result<Bytes, std::io::Error>; 2] = [Ok("{\"id\":".into()), Err(std::io::Error::other("cut"))];
    Body::from_stream(futures_util::stream::iter(parts)).into_response()
}

async fn call(
    State((playing, _)): State<Stage>,
    method: Method,
    Path(name): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut playing = playing.lock().unwrap();
    let playing = &mut *playing;
    let input: Value = if body.is_empty() { json!(query) } else { serde_json::from_slice(&body).unwrap() };
    playing.asked.push(Asked { method: name.clone(), headers: headers.clone(), input: input.clone() });
    let expected = if body.is_empty() && !name.ends_with("Session") { Method::GET } else { Method::POST };
    assert_eq!(method, expected, "{name}");
    let fault = playing.faults.get_mut(&name).and_then(VecDeque::pop_front);
    if let Some(Fault::Refuse(code, name, message, extra)) = &fault {
        let mut response = error(*code, name, message);
        extra.iter().for_each(|(name, value)| {
            response.headers_mut().insert(*name, value.parse().unwrap());
        });
        return response;
    }
    if matches!(fault, Some(Fault::Drop)) {
        return cut();
    }
    let response = perform(playing, &name, &input, &headers);
    if matches!(fault, Some(Fault::Lose)) { cut() } else { response }
}

fn perform(playing: &mut Playing, name: &str, input: &Value, headers: &HeaderMap) -> Response {
    let token = headers.get("authorization").map_or("", |value| value.to_str().unwrap()).trim_start_matches("Bearer ").to_owned();
    let text = |name: &str| input[name].as_str().unwrap_or_default().to_owned();
    match name {
        "com.atproto.server.createSession" | "com.atproto.server.refreshSession" => {
            let fits = match name.ends_with("createSession") {
                true => text("identifier") == "obole.test" && text("password") == "hush",
                false => playing.tokens.contains(&token) && token.starts_with("refresh"),
            };
            if !fits {
                return error(401, "AuthenticationRequired", "Invalid identifier or password");
            }
            let number = playing.next();
            let (access, refresh) = (format!("access-{number}"), format!("refresh-{number}"));
            playing.tokens = vec![access.clone(), refresh.clone()];
            return axum::Json(json!({ "accessJwt": access, "refreshJwt": refresh, "did": "did:plc:obole",
                "handle": "obole.test", "active": true }))
            .into_response();
        }
        _ => {}
    }
    if !token.starts_with("access") || !playing.tokens.contains(&token) {
        return error(400, "ExpiredToken", "Token has expired");
    }
    if name.starts_with("chat.") {
        if headers.get("atproto-proxy").is_none_or(|to| to != "did:web:api.bsky.chat#bsky_chat") {
            return error(404, "XRPCNotSupported", "not here");
        }
        if playing.plain_password {
            return error(400, "InvalidToken", "Bad token method");
        }
        return chat(playing, name, input);
    }
    match name {
        "com.atproto.repo.getRecord" => {
            let uri = format!("at://{}/{}/{}", text("repo"), text("collection"), text("rkey"));
            match playing.records.get(&uri) {
                Some((cid, value)) => axum::Json(json!({ "uri": uri, "cid": cid, "value": value })).into_response(),
                None => error(400, "RecordNotFound", &format!("Could not locate record: {uri}")),
            }
        }
        "com.atproto.repo.createRecord" => {
            let uri = format!("at://{}/{}/{}", text("repo"), text("collection"), text("rkey"));
            if playing.records.contains_key(&uri) {
                // As the real server does.
                return error(500, "InternalServerError", "Internal Server Error");
            }
            let cid = cid(&input["record"]);
            playing.records.insert(uri.clone(), (cid.clone(), input["record"].clone()));
            axum::Json(json!({ "uri": uri, "cid": cid })).into_response()
        }
        "com.atproto.identity.resolveHandle" => {
            let found = playing.people.iter().find(|(_, handle)| **handle == text("handle"));
            match found {
                Some((did, _)) => axum::Json(json!({ "did": did })).into_response(),
                None => error(400, "InvalidRequest", "Unable to resolve handle"),
            }
        }
        "app.bsky.actor.getProfile" => match playing.people.get(&text("actor")) {
            Some(handle) => {
                axum::Json(json!({ "did": text("actor"), "handle": handle, "displayName": "Somebody" })).into_response()
            }
            None => error(400, "InvalidRequest", "Profile not found"),
        },
        other => error(501, "MethodNotImplemented", other),
    }
}

fn chat(playing: &mut Playing, name: &str, input: &Value) -> Response {
    let text = |name: &str| input[name].as_str().unwrap_or_default().to_owned();
    let view = |playing: &Playing, id: &str| {
        let (other, accepted) = &playing.conversations[id];
        let mut members = vec![json!({ "did": "did:plc:obole", "handle": "obole.test" })];
        for did in other.split(',') {
            members.push(json!({ "did": did, "handle": playing.people[did] }));
        }
        json!({ "id": id, "rev": playing.log.last().map(|(rev, _)| rev.clone()).unwrap_or_default(), "members": members,
            "status": if *accepted { "accepted" } else { "request" } })
    };
    let answer = match name {
        "chat.bsky.convo.listConvos" => {
            let newest = playing.conversations.keys().next().cloned();
            json!({ "convos": newest.iter().map(|id| view(playing, id)).collect::<Vec<_>>() })
        }
        "chat.bsky.convo.getLog" => {
            let after = text("cursor");
            // Two at a time, so that pages are turned.
            let logs: Vec<_> = playing.log.iter().filter(|(rev, _)| *rev > after).take(2).collect();
            let cursor = logs.last().map_or(after.clone(), |(rev, _)| rev.clone());
            json!({ "cursor": cursor, "logs": logs.iter().map(|(_, line)| line).collect::<Vec<_>>() })
        }
        "chat.bsky.convo.getConvo" => json!({ "convo": view(playing, &text("convoId")) }),
        "chat.bsky.convo.getConvoForMembers" => {
            let id = conversation(playing, &text("members"), true);
            json!({ "convo": view(playing, &id) })
        }
        "chat.bsky.convo.acceptConvo" => {
            playing.conversations.get_mut(&text("convoId")).unwrap().1 = true;
            json!({ "rev": playing.tid() })
        }
        "chat.bsky.convo.sendMessage" => {
            let id = say(playing, &text("convoId"), "did:plc:obole", input["message"]["text"].as_str().unwrap());
            json!({ "id": id, "rev": "x", "text": input["message"]["text"], "sender": { "did": "did:plc:obole" } })
        }
        "chat.bsky.convo.getMessages" => {
            let messages = playing.messages.get(&text("convoId")).cloned().unwrap_or_default();
            json!({ "messages": messages.iter().rev().collect::<Vec<_>>() })
        }
        other => return error(501, "MethodNotImplemented", other),
    };
    axum::Json(answer).into_response()
}

impl Peer {
    /// A conversation of several people, in which somebody writes.
    pub(super) fn tells_a_group(&self, text: &str) {
        self.play(|playing| {
            let (ana, bob) = (playing.did("ana"), playing.did("bob"));
            playing.conversations.insert("convo-group".to_owned(), (format!("{ana},{bob}"), true));
            say(playing, "convo-group", &ana, text);
        });
    }

    /// Every session is over.
    pub(super) fn expires_tokens(&self) {
        self.play(|playing| playing.tokens.retain(|token| token.starts_with("refresh")));
    }
}

async fn subscribe(
    State((playing, changed)): State<Stage>,
    RawQuery(query): RawQuery,
    Query(named): Query<HashMap<String, String>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let (cursor, refused) = {
        let mut playing = playing.lock().unwrap();
        playing.subscriptions.push(query.unwrap_or_default());
        let cursor: Option<i64> = named.get("cursor").map(|cursor| cursor.parse().unwrap());
        (cursor, playing.cursor_too_old && cursor.is_some())
    };
    if refused {
        return error(400, "CursorTooOld", "the cursor is older than what is kept");
    }
    upgrade.on_upgrade(move |socket| bring(socket, playing, changed, cursor))
}

async fn bring(mut socket: WebSocket, playing: Arc<Mutex<Playing>>, changed: Arc<watch::Sender<u64>>, cursor: Option<i64>) {
    let mut changes = changed.subscribe();
    let mut place = {
        let playing = playing.lock().unwrap();
        let from = |cursor| playing.frames.iter().position(|(time, _)| *time >= cursor).unwrap_or(playing.frames.len());
        cursor.map_or(playing.frames.len(), from)
    };
    let mut sent = 0;
    loop {
        let (frames, silent, cut_after) = {
            let playing = playing.lock().unwrap();
            let frames: Vec<String> = playing.frames[place..].iter().map(|(_, frame)| frame.clone()).collect();
            (frames, playing.silent, playing.cut_after)
        };
        if !silent {
            for frame in frames {
                if cut_after.is_some_and(|most| sent >= most) {
                    // Without a word of farewell.
                    return;
                }
                place += 1;
                sent += 1;
                if socket.send(Message::Text(frame.into())).await.is_err() {
                    return;
                }
            }
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}
