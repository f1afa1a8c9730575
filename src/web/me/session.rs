//! The cookie of somebody who has entered: an opaque token, for this host only, sent with nothing that begins on another site.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::SET_COOKIE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;

use crate::app::account::session::{self, LIFE, SessionToken, Visit};
use crate::web::Web;
use crate::web::failure::Failure;
use crate::web::visitor::cookie;

/// With this prefix browsers accept the cookie over TLS, from this host and for the whole of it only.
const SECURE: &str = "__Host-obole-me";
/// `http://localhost` cannot have the prefix.
const PLAIN: &str = "obole-me";
/// 256 bits in hex.
const TOKEN_DIGITS: usize = 64;

/// Somebody who has shown a passkey in this browser.
pub(in crate::web) struct Entered {
    pub(in crate::web) visit: Visit,
}

impl Entered {
    /// Changes the token when it is time; the answer carries the new one.
    pub(super) async fn renew(&mut self, state: &Web, response: &mut Response) -> Result<(), Failure> {
        if let Some(token) = session::renew(&state.app, &mut self.visit).await? {
            set_cookie(response, &token, &state.app.public_url);
        }
        Ok(())
    }
}

impl FromRequestParts<Arc<Web>> for Entered {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<Web>) -> Result<Self, Failure> {
        find(state, &parts.headers).await?.ok_or(Failure::NotEntered)
    }
}

/// Who has entered in the browser that sends these headers.
pub(in crate::web) async fn find(state: &Web, headers: &HeaderMap) -> Result<Option<Entered>, Failure> {
    let Some(token) = token_of(headers) else { return Ok(None) };
    Ok(session::find(&state.app, &token).await?.map(|visit| Entered { visit }))
}

pub(super) fn token_of(headers: &HeaderMap) -> Option<SessionToken> {
    let token = cookie(headers, SECURE).or_else(|| cookie(headers, PLAIN))?;
    let fits = token.len() == TOKEN_DIGITS && token.bytes().all(|byte| byte.is_ascii_hexdigit());
    fits.then(|| SessionToken(token.to_owned()))
}

pub(super) fn set_cookie(response: &mut Response, token: &SessionToken, public_url: &str) {
    put(response, public_url, &token.0, LIFE.as_secs());
}

pub(super) fn clear_cookie(response: &mut Response, public_url: &str) {
    put(response, public_url, "", 0);
}

fn put(response: &mut Response, public_url: &str, value: &str, seconds: u64) {
    let (name, secure) = if public_url.starts_with("https://") { (SECURE, "; Secure") } else { (PLAIN, "") };
    let cookie = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}
