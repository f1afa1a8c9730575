//! The cookie that names an enrolment: an opaque token, for this host only, gone within the hour.

use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;

use crate::app::enrol::SessionToken;
use crate::people::enrolment::SESSION_LIFE;
use crate::web::visitor::cookie;

/// With this prefix browsers accept the cookie over TLS, from this host and for the whole of it only.
const SECURE: &str = "__Host-obole-enrol";
/// `http://localhost` cannot have the prefix.
const PLAIN: &str = "obole-enrol";
/// 256 bits in hex.
const TOKEN_DIGITS: usize = 64;

pub(super) fn token_of(headers: &HeaderMap) -> Option<String> {
    let token = cookie(headers, SECURE).or_else(|| cookie(headers, PLAIN))?;
    (token.len() == TOKEN_DIGITS && token.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| token.to_owned())
}

pub(super) fn set_cookie(response: &mut Response, token: &SessionToken, public_url: &str) {
    put(response, public_url, &token.0, SESSION_LIFE.as_secs());
}

pub(super) fn clear_cookie(response: &mut Response, public_url: &str) {
    put(response, public_url, "", 0);
}

/// `SameSite=Lax`: the browser comes back from the bank, which is another site.
fn put(response: &mut Response, public_url: &str, value: &str, seconds: u64) {
    let (name, secure) = if public_url.starts_with("https://") { (SECURE, "; Secure") } else { (PLAIN, "") };
    let cookie = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}
