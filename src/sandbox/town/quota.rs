//! What every API request passes first: faults on demand, the request window, who is calling, and the headers of the answer.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Wire;
use super::caller::{Credentials, secret_of};
use super::entities::moment_micro;
use super::errors::ApiError;
use crate::platform::fake::{Family, Quota};

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Writes a window into the headers of an answer.
pub(super) fn announce(response: &mut Response, quota: Quota) {
    let headers = response.headers_mut();
    headers.insert(LIMIT, HeaderValue::from(quota.limit));
    headers.insert(REMAINING, HeaderValue::from(quota.remaining));
    if let Ok(reset) = HeaderValue::from_str(&moment_micro(quota.reset)) {
        headers.insert(RESET, reset);
    }
}

/// Browsers of any origin may call, as on a Mastodon server.
pub(super) async fn allow_origins(request: Request, next: Next) -> Response {
    let preflight = request.method() == Method::OPTIONS;
    let asked = request.headers().get("access-control-request-headers").cloned();
    let mut response = if preflight { StatusCode::OK.into_response() } else { next.run(request).await };
    let headers = response.headers_mut();
    let set = |headers: &mut HeaderMap, name, value| headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    set(headers, "access-control-allow-origin", "*");
    set(
        headers,
        "access-control-expose-headers",
        "Link, X-RateLimit-Reset, X-RateLimit-Limit, X-RateLimit-Remaining, X-Request-Id",
    );
    if preflight {
        set(headers, "access-control-allow-methods", "POST, PUT, DELETE, GET, PATCH, OPTIONS");
        set(headers, "access-control-max-age", "7200");
        headers.insert("access-control-allow-headers", asked.unwrap_or(HeaderValue::from_static("*")));
    }
    response
}

/// Finds out who calls, and whether they still may in this window.
pub(super) async fn admit(State(wire): State<Arc<Wire>>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let counted = path.starts_with("/api/") && !path.starts_with("/api/v1/streaming");
    if counted && let Some(code) = wire.town.take_refusal(path) {
        return refused_on_demand(&wire, code);
    }
    let secret = secret_of(&request);
    let token = secret.as_ref().and_then(|secret| wire.town.read().token(secret).map(|(token, _)| token.clone()));
    let key = token.as_ref().map_or(0, |token| token.id.0);
    request.extensions_mut().insert(match (secret, token) {
        (None, _) => Credentials::None,
        (Some(_), None) => Credentials::Unknown,
        (Some(_), Some(token)) => Credentials::Token(Arc::new(token)),
    });
    if !counted {
        return next.run(request).await;
    }
    match wire.town.take_request(key, wire.clock.now()) {
        Err(quota) => ApiError::too_many(quota).into_response(),
        Ok(quota) => {
            let mut response = next.run(request).await;
            if !response.headers().contains_key(LIMIT) {
                announce(&mut response, quota);
            }
            response
        }
    }
}

fn refused_on_demand(wire: &Wire, code: u16) -> Response {
    match StatusCode::from_u16(code).unwrap_or(StatusCode::SERVICE_UNAVAILABLE) {
        StatusCode::TOO_MANY_REQUESTS => {
            let quota = wire.town.quota(Family::Requests, 0, wire.clock.now());
            ApiError::too_many(Quota { remaining: 0, ..quota }).into_response()
        }
        status => ApiError::new(status, "The sandbox was asked to fail").into_response(),
    }
}
