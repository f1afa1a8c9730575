//! Streams over a WebSocket: several on one connection, subscribed and left by JSON messages.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::time::{Instant, interval_at};

use super::Wire;
use super::caller::Caller;
use super::errors::ApiError;
use super::params::Params;
use super::sse::not_upgraded;
use super::streaming::{Channel, Listening};
use crate::platform::fake::Token;

/// What a client may send at once; its messages are a few words of JSON.
const MAX_MESSAGE: usize = 64 * 1024;
/// How many channels one connection may have.
const MAX_CHANNELS: usize = 100;

/// `/api/v1/streaming`. The token comes in the header, in the address, or as the subprotocol, which is echoed.
pub(super) async fn open(
    State(wire): State<Arc<Wire>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    caller: Result<Caller, ApiError>,
    headers: HeaderMap,
    params: Params,
) -> Response {
    let protocol = headers.get("sec-websocket-protocol").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let by_protocol =
        protocol.as_deref().and_then(|secret| wire.town.read().token(secret).map(|(token, _)| Arc::new(token.clone())));
    let token = caller.ok().map(|caller| caller.token).or(by_protocol);
    let Ok(upgrade) = upgrade else { return not_upgraded() };
    let Some(token) = token else {
        return ApiError::new(StatusCode::UNAUTHORIZED, "Missing access token").into_response();
    };
    let first = params.text("stream").map(|name| (name.to_owned(), params.text("tag").map(str::to_owned)));
    let upgrade = upgrade.max_message_size(MAX_MESSAGE);
    let upgrade = match protocol {
        Some(protocol) => upgrade.protocols([protocol]),
        None => upgrade,
    };
    upgrade.on_upgrade(move |socket| talk(wire, socket, token, first))
}

async fn talk(wire: Arc<Wire>, mut socket: WebSocket, token: Arc<Token>, first: Option<(String, Option<String>)>) {
    let Some(listener) = token.account else { return };
    let mut listening = Listening::start(&wire);
    let mut channels: HashMap<String, Channel> = HashMap::new();
    if let Some((name, tag)) = first
        && let Some(answer) = subscribe(&mut channels, &token, &name, tag.as_deref())
        && socket.send(Message::text(answer)).await.is_err()
    {
        return;
    }
    let mut beat = interval_at(Instant::now() + wire.heartbeat * 2, wire.heartbeat * 2);
    loop {
        tokio::select! {
            _ = beat.tick() => {
                if wire.town.read().token(&token.secret).is_none() || socket.send(Message::Ping(Vec::new().into())).await.is_err() {
                    break;
                }
            }
            message = socket.recv() => {
                let answer = match message {
                    Some(Ok(Message::Text(text))) => command(&mut channels, &token, text.as_str()),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => None,
                    Some(Ok(Message::Binary(_))) => Some(json!({ "error": "Received binary data" }).to_string()),
                    Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                };
                if let Some(answer) = answer
                    && socket.send(Message::text(answer)).await.is_err()
                {
                    break;
                }
            }
            event = listening.next() => {
                let Some((event, times)) = event else { break };
                for channel in channels.values() {
                    let Some((name, payload)) = channel.tells(&wire, listener, &event) else { continue };
                    let frame = json!({ "stream": channel.names(), "event": name, "payload": payload }).to_string();
                    for _ in 0..times {
                        if socket.send(Message::text(frame.clone())).await.is_err() {
                            return;
                        }
                    }
                }
            }
        }
    }
}

/// Carries out a message of the client; answers only errors.
fn command(channels: &mut HashMap<String, Channel>, token: &Token, message: &str) -> Option<String> {
    let Ok(message) = serde_json::from_str::<Value>(message) else {
        return Some(json!({ "error": "Received message cannot be read as JSON" }).to_string());
    };
    let name = message["stream"].as_str().unwrap_or_default();
    let tag = message["tag"].as_str();
    match message["type"].as_str() {
        Some("subscribe") => subscribe(channels, token, name, tag),
        Some("unsubscribe") => {
            if let Ok(channel) = Channel::named(name, tag) {
                channels.remove(&channel.names().join("/"));
            }
            None
        }
        _ => None,
    }
}

fn subscribe(channels: &mut HashMap<String, Channel>, token: &Token, name: &str, tag: Option<&str>) -> Option<String> {
    let refused = |error: &str, status: u16| Some(json!({ "error": error, "status": status }).to_string());
    match Channel::named(name, tag) {
        Err(error) => refused(error, 400),
        Ok(channel) => {
            let scope = if channel == Channel::UserNotification { "read:notifications" } else { "read:statuses" };
            if !token.allows(scope) {
                return refused("Access token does not have the required scopes", 401);
            }
            if channels.len() >= MAX_CHANNELS {
                return refused("Too many streams on one connection", 400);
            }
            channels.insert(channel.names().join("/"), channel);
            None
        }
    }
}
