//! Where platforms that push their events call, and how all of them fare. Success is said only once the events are committed.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{Extensions, HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::Web;
use super::visitor::address;
use crate::ids::PlatformName;
use crate::platform::inbound::{Call, CallError};
use crate::platform::{Health, Platform};

/// `GET /platforms/{name}`: proves that we hold the connection's secret, to platforms that want that.
pub(super) async fn answer_challenge(
    State(state): State<Arc<Web>>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let platform = state.app.platforms.get(&PlatformName::from(name));
    let inbound = platform.and_then(|platform| platform.inbound());
    match inbound.and_then(|inbound| inbound.answer_challenge(query.as_deref().unwrap_or_default())) {
        Some(answer) => ([(header::CONTENT_TYPE, "application/json")], answer).into_response(),
        None => said(StatusCode::NOT_FOUND, "there is no such platform, or it asks for nothing here"),
    }
}

/// `GET /platforms`: how each connection fares. For whoever watches this machine, and nobody outside it.
pub(super) async fn show_health(State(state): State<Arc<Web>>, headers: HeaderMap, extensions: Extensions) -> Response {
    let from = address(&headers, &extensions, state.behind_proxy);
    // Of `::1`, the first half is left.
    if !from.is_loopback() && from != IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        return said(StatusCode::NOT_FOUND, "only this machine is told");
    }
    let mut platforms: Vec<_> = state.app.platforms.values().collect();
    platforms.sort_by_key(|platform| platform.name().as_str());
    let fares = |platform: &Arc<dyn Platform>| {
        let standing = platform.health().map(Health::standing);
        json!({
            "name": platform.name(),
            "network": platform.network().as_str(),
            "state": standing.map(|standing| standing.liveness.as_str()),
            "connections": standing.map(|standing| standing.connections),
            "gaps": standing.map(|standing| standing.gaps),
            "frames": standing.map(|standing| standing.frames),
            "dropped_undecoded": standing.map(|standing| standing.dropped),
            "heard_at": standing.and_then(|standing| standing.heard_at),
            "spent_microdollars": standing.map(|standing| standing.spent_microdollars),
        })
    };
    Json(platforms.into_iter().map(fares).collect::<Vec<_>>()).into_response()
}

/// `POST /platforms/{name}`: takes what a platform tells.
pub(super) async fn take_call(
    State(state): State<Arc<Web>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let name = PlatformName::from(name);
    let Some(inbound) = state.app.platforms.get(&name).and_then(|platform| platform.inbound()) else {
        return said(StatusCode::NOT_FOUND, "there is no such platform, or it is not called");
    };
    let call = Call { headers: &headers, body: &body, now: state.app.clock.now() };
    let batch = match inbound.read(&call) {
        Ok(batch) => batch,
        Err(error) => {
            tracing::warn!(platform.name = %name, %error, "a call was not taken");
            let status = match &error {
                CallError::NotProven(_) => StatusCode::UNAUTHORIZED,
                CallError::Unreadable(_) => StatusCode::BAD_REQUEST,
            };
            return said(status, &error.to_string());
        }
    };
    if batch.events.is_empty() && batch.cursor.is_none() {
        return said(StatusCode::OK, "taken");
    }
    match state.ledger.received(name, batch).await {
        Ok(()) => said(StatusCode::OK, "taken"),
        Err(error) => {
            tracing::error!(%error, "a call was not committed; the caller will repeat it");
            said(StatusCode::SERVICE_UNAVAILABLE, "not committed; repeat it later")
        }
    }
}

fn said(status: StatusCode, what: &str) -> Response {
    let key = if status.is_success() { "status" } else { "error" };
    (status, Json(json!({ key: what }))).into_response()
}
