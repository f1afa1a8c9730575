//! The small part of a page that asks for a passkey: a form that the script takes over, and what the script sends.
//!
//! The form's address gets the finished ceremony as JSON, the same with `/begin` behind it gives out the challenge. Both are `POST`: a page
//! that is only looked at, by a person or by a scanner of links, begins and changes nothing.

use axum::Json;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;
use webauthn_rs::prelude::{PublicKeyCredential, RegisterPublicKeyCredential};

use super::words::Texts;
use crate::app::account::{Begun, Made, Signed};
use crate::order::Order;

/// Whether a passkey is made or shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ceremony {
    Make,
    Show,
}

/// A form that ends with a passkey. Without a script it says that it needs one.
pub(super) fn form(all: &Texts, ceremony: Ceremony, action: &str, button: &str, fields: &Markup) -> Markup {
    let words = &all.passkey;
    let kind = if ceremony == Ceremony::Make { "make" } else { "show" };
    html! {
        form.passkey method="post" action=(action) data-passkey=(kind) data-refused=(words.refused) data-unsupported=(words.unsupported) {
            (fields)
            button.primary.with-passkey { (button) }
            p.said role="alert" {}
            noscript { p.notice { (words.needs_script) } }
        }
    }
}

/// What a confirmation's form sends with the wish for a challenge: the digest of what the page showed.
#[derive(Deserialize)]
pub(super) struct Seen {
    pub(super) seen: String,
}

impl Seen {
    /// The field that holds it.
    pub(super) fn field(order: &Order) -> Markup {
        html! { @if let Some(digest) = order.digest() { input type="hidden" name="seen" value=(digest); } }
    }
}

/// What the script sends when somebody has shown a passkey.
#[derive(Deserialize)]
pub(super) struct Shown {
    ceremony: String,
    answer: Box<PublicKeyCredential>,
}

impl From<Shown> for Signed {
    fn from(shown: Shown) -> Self {
        Signed { ceremony: shown.ceremony, answer: shown.answer }
    }
}

/// What the script sends when a passkey was made.
#[derive(Deserialize)]
pub(super) struct New {
    ceremony: String,
    answer: Box<RegisterPublicKeyCredential>,
}

impl From<New> for Made {
    fn from(new: New) -> Self {
        Made { ceremony: new.ceremony, answer: new.answer }
    }
}

/// The challenge, for the script.
pub(super) fn challenge(begun: Begun) -> Response {
    Json(begun).into_response()
}

/// Where the script goes next.
pub(super) fn go_on(next: &str) -> Response {
    Json(json!({ "next": next })).into_response()
}
