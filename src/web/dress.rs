//! What every answer passes on its way out, and every request on its way in: limits, protection against other sites, headers, and a
//! page with one clear sentence instead of a bare error.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, SET_COOKIE, STRICT_TRANSPORT_SECURITY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use maud::html;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::csrf::CsrfLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;

use super::Web;
use super::failure::Failure;
use super::shell::{Page, document};
use super::visitor::{LANGUAGE_COOKIE, Visitor, asked_language};
use super::words::texts;

/// Forms here have a handful of short fields.
const LARGEST_BODY: usize = 16 * 1024;
/// Longer than any answer is held on purpose ([`super::enrol::LONGEST_HOLD`]).
const SLOWEST: Duration = Duration::from_secs(30);
/// A year, after which a browser that chose a language may choose again.
const LANGUAGE_SECONDS: u32 = 31_536_000;

/// The headers that all answers carry.
pub(crate) struct Headers(HeaderMap);

impl Headers {
    pub(super) fn new(bank_origins: &[String], secure: bool) -> Self {
        // A form leads to the bank's page by a redirect, which some browsers hold against form-action.
        let forms = bank_origins.iter().fold("'self'".to_owned(), |all, origin| format!("{all} {origin}"));
        let policy = format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
             form-action {forms}; base-uri 'none'; frame-ancestors 'none'"
        );
        let mut headers = HeaderMap::new();
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            headers.insert(CONTENT_SECURITY_POLICY, policy);
        }
        let fixed: [(HeaderName, &'static str); 6] = [
            (HeaderName::from_static("x-content-type-options"), "nosniff"),
            // `no-referrer` would make browsers send `Origin: null` with our own forms.
            (REFERRER_POLICY, "same-origin"),
            (
                HeaderName::from_static("permissions-policy"),
                "publickey-credentials-get=(self), publickey-credentials-create=(self), camera=(), microphone=(), geolocation=()",
            ),
            (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
            (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
            (HeaderName::from_static("x-frame-options"), "DENY"),
        ];
        for (name, value) in fixed {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if secure {
            headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
        }
        Headers(headers)
    }
}

/// Puts everything around the routes. The outermost comes last.
pub(super) fn layered(routes: Router, state: Arc<Web>) -> Router {
    let request_id = HeaderName::from_static("x-request-id");
    // Neither address nor query: an order's id and a person's word stay out of the log.
    let trace = TraceLayer::new_for_http().make_span_with(|request: &Request| {
        let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str);
        let id = request.headers().get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
        tracing::info_span!("request", http.method = %request.method(), http.route = route, request.id = id)
    });
    routes
        .fallback(|| async { Failure::NotFound })
        .method_not_allowed_fallback(|| async { Failure::NotFound })
        .layer(RequestBodyLimitLayer::new(LARGEST_BODY))
        .layer(CsrfLayer::new())
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, SLOWEST))
        .layer(CatchPanicLayer::new())
        .layer(from_fn_with_state(state, dress))
        .layer(trace)
        .layer(PropagateRequestIdLayer::new(request_id.clone()))
        .layer(SetRequestIdLayer::new(request_id, MakeRequestUuid))
}

async fn dress(State(state): State<Arc<Web>>, request: Request, next: Next) -> Response {
    let visitor = Visitor::of(request.uri(), request.headers());
    let chosen = asked_language(request.uri());
    let mut response = next.run(request).await;
    let status = response.status();
    if status.is_client_error() || status.is_server_error() {
        let known = response.extensions().get::<Failure>().copied();
        // Whoever has made a page of their own keeps it.
        if known.is_some() || !is_page(&response) {
            response = explained(&state, &visitor, known.unwrap_or_else(|| Failure::of_status(status)), status, response.headers());
        }
    }
    for (name, value) in &state.policy.0 {
        response.headers_mut().insert(name, value.clone());
    }
    response.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Some(language) = chosen {
        let cookie = format!("{LANGUAGE_COOKIE}={language}; Path=/; Max-Age={LANGUAGE_SECONDS}; SameSite=Lax");
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
    }
    response
}

fn is_page(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.starts_with("text/html") || kind.starts_with("application/json")
}

fn explained(state: &Web, visitor: &Visitor, failure: Failure, status: StatusCode, headers: &HeaderMap) -> Response {
    let texts = texts(visitor.language);
    let sentence = failure.sentence(&texts.errors);
    let mut response = if visitor.wants_json {
        (status, axum::Json(serde_json::json!({ "error": failure.name(), "message": sentence }))).into_response()
    } else {
        let back = ["/enrol", "/me/settings", "/me"].into_iter().find(|room| visitor.path.starts_with(room)).unwrap_or("/");
        let body = html! {
            h1 { (texts.errors.title) }
            p.notice role="alert" { (sentence) }
            p { a.button href=(back) { (texts.errors.back) } }
        };
        (status, document(&Page::new(visitor, &texts.errors.title, state.ground), &body)).into_response()
    };
    for name in ["retry-after", "allow"] {
        if let Some(value) = headers.get(name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}
