//! Who the browser is in the sandbox: a cookie names the person, and nobody asks for a password here.

use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;

use super::PlaygroundState;
use crate::sandbox::person::Person;
use crate::web::visitor::cookie;

const COOKIE: &str = "obole-sandbox-person";
/// A day of playing.
const SECONDS: u32 = 86_400;
/// The enrolment's own cookie; the product's page and this one show the same enrolment.
const ENROLMENT_COOKIE: &str = "obole-enrol";
/// The longest name in the town.
const LONGEST_NAME: usize = 30;

/// The name in the cookie, if it can be one.
pub(super) fn name_of(headers: &HeaderMap) -> Option<&str> {
    cookie(headers, COOKIE).filter(|name| is_name(name))
}

/// Whether somebody in the town can be called so.
pub(super) fn is_name(name: &str) -> bool {
    (1..=LONGEST_NAME).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// The person that the cookie names; `None` without one, or if the sandbox has forgotten them.
pub(super) async fn person(state: &PlaygroundState, headers: &HeaderMap) -> anyhow::Result<Option<Person>> {
    match name_of(headers) {
        Some(name) => Person::find(&state.sandbox, name).await,
        None => Ok(None),
    }
}

/// Makes the browser this person (`""`: nobody), and forgets an enrolment of somebody else.
pub(super) fn become_person(response: &mut Response, name: &str) {
    let seconds = if name.is_empty() { 0 } else { SECONDS };
    put(response, &format!("{COOKIE}={name}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax"));
    put(response, &format!("{ENROLMENT_COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"));
}

/// The enrolment of this browser as `name=value`, if there is one.
pub(super) fn enrolment_cookie(headers: &HeaderMap) -> Option<String> {
    cookie(headers, ENROLMENT_COOKIE).map(|value| format!("{ENROLMENT_COOKIE}={value}"))
}

/// Hands an enrolment begun in the browser's name to the browser.
pub(super) fn keep_enrolment(response: &mut Response, pair: &str) {
    put(response, &format!("{pair}; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax"));
}

fn put(response: &mut Response, cookie: &str) {
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}
