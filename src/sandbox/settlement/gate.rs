//! What every request passes: the version, a bounded body, and who sent it.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State as Extract};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;

use super::failure::Failure;
use super::{Shared, State, defect};
use crate::bank::settlement::sign::is_fresh;
use crate::bank::settlement::wire::{LARGEST_REQUEST, VERSION, header};

/// Who sent a request: the name of the key that signed it.
#[derive(Debug, Clone)]
pub(super) struct Client(pub(super) Arc<str>);

/// A request's body, and whether it came whole.
#[derive(Debug, Clone)]
pub(super) struct Content {
    pub(super) bytes: Bytes,
    pub(super) broke_off: bool,
}

/// Everybody, where nobody signs.
const ANYBODY: &str = "anybody";

/// Lets a request through to its handler, with who sent it and what is in it.
pub(super) async fn pass(Extract(state): Extract<Shared>, mut request: Request, next: Next) -> Response {
    let half = state.makes(defect::HALF_BODY);
    let served = async move {
        match check(&state, &mut request).await {
            Ok((client, content)) => {
                request.extensions_mut().insert(client);
                request.extensions_mut().insert(content);
                next.run(request).await
            }
            Err(failure) => failure.into_response(),
        }
    };
    // What breaks off ends with its connection, unless somebody goes on without it.
    if half {
        return tokio::spawn(served).await.unwrap_or_else(|error| Failure::internal(error).into_response());
    }
    served.await
}

async fn check(state: &State, request: &mut Request) -> Result<(Client, Content), Failure> {
    let spoken = request.headers().get(header::VERSION).map(|version| version.as_bytes().to_owned());
    if spoken.is_some_and(|version| version != VERSION.as_bytes()) && !state.makes(defect::ANY_VERSION) {
        return Err(Failure::new("unsupported_version", format!("Only version {VERSION} is spoken here.")));
    }
    let content = read(std::mem::take(request.body_mut())).await?;
    let client = match request.headers().get(header::KEY).and_then(|id| id.to_str().ok()) {
        // Whoever carries out half an order has not looked at its signature either.
        Some(id) if content.broke_off && state.makes(defect::HALF_BODY) => Client(id.into()),
        _ => identify(state, request, &content.bytes)?,
    };
    if content.broke_off && !state.makes(defect::HALF_BODY) {
        return Err(Failure::new("malformed", "The body broke off."));
    }
    if matches!(*request.method(), Method::PUT | Method::POST) && !content.bytes.is_empty() && !is_json(request.headers()) {
        return Err(Failure::new("not_json", "The body has to be application/json."));
    }
    Ok((client, content))
}

async fn read(body: Body) -> Result<Content, Failure> {
    let mut bytes = Vec::new();
    let mut stream = body.into_data_stream();
    let mut broke_off = false;
    while let Some(chunk) = stream.next().await {
        let Ok(chunk) = chunk else {
            broke_off = true;
            break;
        };
        if bytes.len() + chunk.len() > LARGEST_REQUEST {
            return Err(Failure::new("too_large", format!("The body is longer than {LARGEST_REQUEST} bytes.")));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Content { bytes: bytes.into(), broke_off })
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

/// Who signed it. Where nobody signs, everybody is the same.
pub(super) fn identify(state: &State, request: &Request, body: &[u8]) -> Result<Client, Failure> {
    if state.clients.is_empty() {
        return Ok(Client(ANYBODY.into()));
    }
    let refused = |why: &str| Failure::new("unauthenticated", why);
    let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let (Some(id), Some(second), Some(signature)) = (text(header::KEY), text(header::TIMESTAMP), text(header::SIGNATURE)) else {
        return Err(refused("The request is not signed (Obole-Key, Obole-Timestamp, Obole-Signature)."));
    };
    let second: i64 = second.parse().map_err(|_| refused("Obole-Timestamp is no number of seconds."))?;
    if !is_fresh(second, state.wall.now()) {
        return Err(refused("The signature is not from the last five minutes."));
    }
    let path = request.uri().path_and_query().map_or("/", axum::http::uri::PathAndQuery::as_str);
    let key = state.clients.iter().find(|key| key.id == id);
    match key.filter(|key| key.has_signed(request.method().as_str(), path, body, second, signature)) {
        Some(key) => Ok(Client(key.id.as_str().into())),
        None => Err(refused("The signature is not by a key that is known here.")),
    }
}
