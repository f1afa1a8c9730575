//! `/settlement`: how a bank connects, for its engineers; the document itself; and where a bank's webhooks come in.
//!
//! The page is made from the document that the executable carries, so that it cannot go out of date.

pub(crate) mod webhook;
mod words;

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, IntoResponse};
use maud::{Markup, html};
use serde_json::Value;

use super::Web;
use super::shell::{Page, document};
use super::visitor::Visitor;
use crate::bank::settlement::openapi::{DOCUMENT, ERRORS};
use crate::bank::settlement::wire::{ErrorClass, VERSION};
use words::{Words, words};

/// Where the document is.
const ADDRESS: &str = "/settlement/openapi.json";
/// In the order in which they are met.
const METHODS: [&str; 3] = ["put", "get", "post"];

/// `GET /settlement/openapi.json`
pub(super) async fn openapi() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT)
}

/// `GET /settlement`
pub(super) async fn show(State(state): State<Arc<Web>>, visitor: Visitor) -> Html<String> {
    let words = words(visitor.language);
    let api: Value = serde_json::from_str(DOCUMENT).unwrap_or_default();
    let sections: [(&str, &str, Markup); 5] = [
        ("begin", &words.begin, begin(words)),
        ("rules", &words.rules, html! { ol { @for rule in &words.rule { li { (rule) } } } }),
        ("addresses", &words.addresses, addresses(words, &api)),
        ("signing", &words.signing, signing(words)),
        ("errors", &words.errors, errors(words)),
    ];
    let body = html! {
        h1 { (words.title) }
        p.lead { (words.lead) }
        p { a.button.primary href=(ADDRESS) { (words.download) " (OpenAPI 3.1, " (VERSION) ")" } }
        nav aria-label=(words.contents) { ul { @for (id, title, _) in &sections { li { a href={ "#" (id) } { (title) } } } } }
        @for (id, title, content) in &sections {
            section id=(id) { h2 { (title) } (content) }
        }
    };
    document(&Page::new(&visitor, &words.title, state.ground), &body)
}

fn begin(words: &Words) -> Markup {
    html! {
        p { (words.begin_lead) }
        p.post { code { "obole sandbox bank --api settlement --listen localhost:8090" } }
        p.post { code { "obole bank check --url http://localhost:8090" } }
        p { (words.begin_own) }
    }
}

fn addresses(words: &Words, api: &Value) -> Markup {
    let paths = api["paths"].as_object();
    let operations = paths
        .into_iter()
        .flatten()
        .flat_map(|(path, operations)| METHODS.into_iter().filter_map(move |method| Some((path, method, operations.get(method)?))));
    html! {
        dl {
            @for (path, method, operation) in operations {
                @let id = operation["operationId"].as_str().unwrap_or_default();
                dt { code { (method.to_uppercase()) " " (path) } }
                dd {
                    (words.operation.get(id).map_or("", String::as_str))
                    @if let Some((name, example)) = example(operation) {
                        details { summary { (words.example) ": " (name) } pre { code { (example) } } }
                    }
                }
            }
        }
    }
}

/// The first example of what is sent, or else of what is answered.
fn example(operation: &Value) -> Option<(&str, String)> {
    let first = |content: &'_ Value| -> Option<(String, String)> {
        let (name, example) = content.pointer("/content/application~1json/examples")?.as_object()?.iter().next()?;
        Some((name.clone(), serde_json::to_string_pretty(&example["value"]).ok()?))
    };
    let answered = || operation["responses"].as_object()?.iter().find_map(|(_, response)| first(response));
    let (_, text) = first(&operation["requestBody"]).or_else(answered)?;
    Some(("JSON", text))
}

fn signing(words: &Words) -> Markup {
    html! {
        p { (words.signing_request) }
        pre { code {
            "HMAC-SHA256(secret,\n  \"obole-request-v1\" LF method LF path?query LF seconds LF sha256hex(body))\n\n"
            "Obole-Key: obole-1\nObole-Timestamp: 1795255200\nObole-Signature: 64 × [0-9a-f]"
        } }
        p { (words.signing_mtls) }
        p { (words.signing_webhook) }
        pre { code {
            "base64(HMAC-SHA256(secret, webhook-id \".\" webhook-timestamp \".\" body))\n\n"
            "webhook-id: evt_41\nwebhook-timestamp: 1795255200\nwebhook-signature: v1,… v1,…"
        } }
    }
}

fn errors(words: &Words) -> Markup {
    html! {
        p { (words.errors_lead) }
        ul {
            li { code { "not_taken" } ": " (words.not_taken) }
            li { code { "refused" } ": " (words.refused) }
            li { code { "unknown" } ": " (words.unknown) }
        }
        dl {
            @for error in ERRORS {
                @let class = match error.class { ErrorClass::NotTaken => "not_taken", ErrorClass::Refused => "refused", ErrorClass::Unknown => "unknown" };
                dt { code { (error.status) " " (error.code) } " · " (class) }
                dd { (words.error.get(error.code).map_or("", String::as_str)) }
            }
        }
    }
}
