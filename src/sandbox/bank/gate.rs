//! What every call of the standard passes: headers that all of them need, and the faults that strike on the wire.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use secrecy::ExposeSecret as _;
use subtle::ConstantTimeEq as _;

use super::error::BgError;
use super::{App, error, seal};
use crate::bank::fake::{FaultKind, Operation, ReturnTo};

const REQUEST_ID: &str = "x-request-id";
/// The longest a fault may hold an answer back.
const LONGEST_SLOWNESS: Duration = Duration::from_secs(600);

/// The faults that strike this call, for the handler to act out those that concern the books.
#[derive(Debug, Clone, Default)]
pub(super) struct Struck(pub(super) Vec<FaultKind>);

/// Lets a call through, echoes its `X-Request-ID`, and acts out the faults of the wire.
pub(super) async fn pass(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let struck = app.bank.strike(operation(request.method(), request.uri().path()));
    let part = request.uri().path().trim_start_matches("/v1").trim_start_matches('/').split('/').next().unwrap_or_default();
    let is_about_accounts = matches!(part, "consents" | "accounts");
    let accept = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let wants_problem = accept.split([',', ';']).any(|kind| kind.trim() == "application/problem+json");
    let echo = request.headers().get(REQUEST_ID).cloned();
    let mut response = match before(&struck) {
        Some(response) => response,
        None => {
            request.extensions_mut().insert(Struck(struck.clone()));
            match unseal(check(&app, request.headers()), request).await {
                Ok(request) => after(&struck, next.run(request).await).await,
                Err(refused) => refused.into_response(),
            }
        }
    };
    if wants_problem && let Some(error) = response.extensions_mut().remove::<BgError>() {
        response = error.into_problem();
    }
    error::strip(&mut response, is_about_accounts);
    if let Some(id) = echo {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// Checks the signature of a request that has one.
async fn unseal(checked: Result<(), BgError>, request: Request) -> Result<Request, BgError> {
    checked?;
    if !seal::is_signed(request.headers()) {
        return Ok(request);
    }
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, super::LARGEST_BODY).await;
    let body = body.map_err(|_| BgError::new(StatusCode::PAYLOAD_TOO_LARGE, "FORMAT_ERROR", "the body is too long"))?;
    seal::check(&head.headers, &body)?;
    Ok(Request::from_parts(head, Body::from(body)))
}

/// The kind of call. `path` is what follows `/v1`, or the whole of it.
fn operation(method: &Method, path: &str) -> Operation {
    let parts: Vec<&str> = path.trim_start_matches("/v1").trim_matches('/').split('/').collect();
    match parts.as_slice() {
        ["payments", _] if method == Method::POST => Operation::Initiate,
        ["payments", ..] => Operation::Ask,
        _ => Operation::Accounts,
    }
}

fn check(app: &App, headers: &HeaderMap) -> Result<(), BgError> {
    if let Some(expected) = &app.bearer_token {
        let given = headers.get(AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
        if !given.is_some_and(|given| bool::from(given.ct_eq(expected.expose_secret().as_bytes()))) {
            return Err(BgError::new(StatusCode::UNAUTHORIZED, "TOKEN_INVALID", "the bearer token is missing or wrong"));
        }
    }
    let id = required(headers, "X-Request-ID")?;
    let hyphenated = id.len() == 36 && uuid::Uuid::try_parse(id).is_ok();
    if hyphenated { Ok(()) } else { Err(BgError::format("X-Request-ID", "this header is a UUID")) }
}

/// Faults instead of doing anything.
fn before(struck: &[FaultKind]) -> Option<Response> {
    struck.iter().find_map(|fault| match fault {
        FaultKind::Down => Some(BgError::of_fault(503).into_response()),
        FaultKind::ErrorBefore { status } => Some(BgError::of_fault(*status).into_response()),
        FaultKind::CutBefore => Some(cut()),
        FaultKind::TooMany { retry_after_seconds } => {
            let wait = [(RETRY_AFTER, retry_after_seconds.to_string())];
            Some((wait, BgError::of_fault(429)).into_response())
        }
        _ => None,
    })
}

/// Faults on the way back.
async fn after(struck: &[FaultKind], response: Response) -> Response {
    let mut response = response;
    for fault in struck {
        response = match fault {
            FaultKind::Slow { milliseconds } => {
                tokio::time::sleep(Duration::from_millis(*milliseconds).min(LONGEST_SLOWNESS)).await;
                response
            }
            FaultKind::LoseAnswer => cut(),
            FaultKind::ErrorAfter { status } => BgError::of_fault(*status).into_response(),
            FaultKind::Malformed => {
                let status = response.status();
                (status, [(CONTENT_TYPE, "application/json")], "{\"transactionStatus\": \"RC").into_response()
            }
            _ => response,
        };
    }
    response
}

/// An answer that breaks off: the server closes the connection when its body fails.
fn cut() -> Response {
    let broken = stream::once(async { Err::<&'static [u8], _>(std::io::Error::other("cut on purpose")) });
    Response::new(Body::from_stream(broken))
}

/// A header that has to be there.
pub(super) fn required<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, BgError> {
    optional(headers, name)?.ok_or_else(|| BgError::format(name, "this header is required"))
}

/// A header that may be there.
pub(super) fn optional<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>, BgError> {
    let text = |value: &'a HeaderValue| value.to_str().map_err(|_| BgError::format(name, "this header cannot be read"));
    headers.get(name).map(text).transpose()
}

/// A header that is `true` or `false`, and false without it.
pub(super) fn flag(headers: &HeaderMap, name: &'static str) -> Result<bool, BgError> {
    match optional(headers, name)? {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(BgError::format(name, "this header is true or false")),
    }
}

/// `PSU-IP-Address`, which 1.3.12 types as IPv4.
pub(super) fn payer_address(headers: &HeaderMap) -> Result<(), BgError> {
    let text = required(headers, "PSU-IP-Address")?;
    let address: Result<std::net::Ipv4Addr, _> = text.parse();
    address.map(|_| ()).map_err(|_| BgError::format("PSU-IP-Address", "this header is an IPv4 address"))
}

/// The body must be JSON.
pub(super) fn json_content(headers: &HeaderMap) -> Result<(), BgError> {
    let content_type = optional(headers, "Content-Type")?.unwrap_or_default();
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    Err(BgError::new(status, "UNSUPPORTED_MEDIA_TYPE", "the body of this request is application/json"))
}

/// Whether the payer is to approve on a device of their own: asked for, and redirect not wanted. Where both are fine it is redirect.
pub(super) fn prefers_decoupled(headers: &HeaderMap) -> Result<bool, BgError> {
    Ok(flag(headers, "TPP-Decoupled-Preferred")? && !flag(headers, "TPP-Redirect-Preferred")?)
}

/// Where the payer's browser goes after the bank's page: `http` and `https` only.
pub(super) fn return_to(headers: &HeaderMap) -> Result<ReturnTo, BgError> {
    let address = |name| -> Result<Option<String>, BgError> {
        let Some(text) = optional(headers, name)? else { return Ok(None) };
        let url = url::Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        url.map(|_| Some(text.to_owned())).ok_or_else(|| BgError::format(name, "this header is an http or https address"))
    };
    Ok(ReturnTo { approved: address("TPP-Redirect-URI")?, refused: address("TPP-Nok-Redirect-URI")? })
}
