//! Streams as server-sent events, byte for byte as Mastodon's streaming server sends them.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio::time::{Instant, Interval, interval_at};

use super::Wire;
use super::caller::Caller;
use super::errors::ApiError;
use super::params::Params;
use super::streaming::{Channel, Listening};
use crate::platform::fake::Id;

/// The first bytes, so that proxies and clients know the stream is open.
const GREETING: &str = ":)\n";
/// The heartbeat.
const THUMP: &str = ":thump\n\n";

struct Feed {
    wire: Arc<Wire>,
    channel: Channel,
    listener: Id,
    secret: String,
    listening: Listening,
    beat: Interval,
    waiting: VecDeque<String>,
}

/// `/api/v1/streaming/{channel}`.
pub(super) async fn stream(
    State(wire): State<Arc<Wire>>,
    caller: Result<Caller, ApiError>,
    Path(path): Path<String>,
    params: Params,
) -> Result<Response, ApiError> {
    if path.trim_matches('/') == "health" {
        return Ok("OK".into_response());
    }
    let caller = caller.map_err(|_| ApiError::new(StatusCode::UNAUTHORIZED, "Missing access token"))?;
    let channel = Channel::at(&path, &params).map_err(|error| {
        let status = if error.starts_with("No tag") { StatusCode::BAD_REQUEST } else { StatusCode::NOT_FOUND };
        ApiError::with_body(status, json!({ "error": error }))
    })?;
    let listener = caller.person(if channel == Channel::UserNotification { "read:notifications" } else { "read:statuses" })?;
    let feed = Feed {
        // Listening begins before the greeting is sent: what happens after it is heard.
        listening: Listening::start(&wire),
        beat: interval_at(Instant::now() + wire.heartbeat, wire.heartbeat),
        channel,
        listener,
        secret: caller.token.secret.clone(),
        waiting: VecDeque::from([GREETING.to_owned()]),
        wire,
    };
    let body = Body::from_stream(futures_util::stream::unfold(feed, next_chunk));
    let headers = [("content-type", "text/event-stream"), ("cache-control", "private, no-store"), ("x-accel-buffering", "no")];
    Ok((headers, body).into_response())
}

async fn next_chunk(mut feed: Feed) -> Option<(Result<Bytes, Infallible>, Feed)> {
    loop {
        if let Some(frame) = feed.waiting.pop_front() {
            return Some((Ok(Bytes::from(frame)), feed));
        }
        tokio::select! {
            _ = feed.beat.tick() => {
                feed.wire.town.read().token(&feed.secret)?;
                feed.waiting.push_back(THUMP.to_owned());
            }
            event = feed.listening.next() => {
                let (event, times) = event?;
                if let Some((name, payload)) = feed.channel.tells(&feed.wire, feed.listener, &event) {
                    let frame = format!("event: {name}\ndata: {payload}\n\n");
                    feed.waiting.extend(std::iter::repeat_n(frame, times));
                }
            }
        }
    }
}

/// A WebSocket address called without an upgrade.
pub(super) fn not_upgraded() -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": "This address wants a WebSocket" }))).into_response()
}
