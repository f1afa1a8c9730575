//! The bank's page on which a customer lets Obole debit accounts; the answer goes into the directory.

use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use maud::html;
use serde::Deserialize;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::super::pages::{buttons, page};
use super::super::words::Language;
use super::FilesPeer;
use crate::sandbox::listen::{listen, url_of};

/// What the page is asked with.
#[derive(Debug, Clone, Deserialize)]
struct Asked {
    id: String,
    #[serde(rename = "return")]
    return_to: String,
}

/// What the form brings.
#[derive(Debug, Deserialize)]
struct Answer {
    id: String,
    #[serde(rename = "return")]
    return_to: String,
    #[serde(default)]
    login: String,
    answer: String,
}

/// Serves the page at `address` until the shutdown; the base address, and what ends with it.
pub fn serve_mandates(peer: Arc<FilesPeer>, address: &str, shutdown: &CancellationToken) -> anyhow::Result<(String, JoinSet<()>)> {
    let listeners = listen(address).context("the sandbox bank's page did not start")?;
    let base = url_of(&listeners)?;
    let router = Router::new().route("/mandate", get(ask).post(answer)).with_state(peer);
    let mut servers = JoinSet::new();
    for listener in listeners {
        let serving = axum::serve(listener, router.clone()).with_graceful_shutdown(shutdown.clone().cancelled_owned());
        servers.spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!(%error, "the sandbox bank's page ended");
            }
        });
    }
    Ok((base, servers))
}

async fn ask(Query(asked): Query<Asked>, headers: HeaderMap) -> Response {
    question(Language::of(&headers), &asked, StatusCode::OK, false)
}

fn question(language: Language, asked: &Asked, status: StatusCode, wrong_login: bool) -> Response {
    let words = language.words();
    let body = html! {
        h1 { (words.mandate_title) }
        p { (words.mandate_question) }
        @if wrong_login { p.warning { (words.wrong_login) } }
        form method="post" action="/mandate" {
            input type="hidden" name="id" value=(asked.id);
            input type="hidden" name="return" value=(asked.return_to);
            label { (words.login) input name="login" autocomplete="username" maxlength="70" required; }
            (buttons(words))
        }
    };
    page(status, language, words.mandate_title, &body)
}

async fn answer(State(peer): State<Arc<FilesPeer>>, headers: HeaderMap, Form(form): Form<Answer>) -> Response {
    let language = Language::of(&headers);
    let is_id = !form.id.is_empty() && form.id.len() <= 64 && form.id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let back = Url::parse(&form.return_to).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let (true, Some(back)) = (is_id, back) else {
        let words = language.words();
        return page(StatusCode::BAD_REQUEST, language, words.not_found, &html! { h1 { (words.not_found) } });
    };
    let done = match form.answer.as_str() {
        "approve" => peer.give_mandate(&form.id, form.login.trim()),
        _ => peer.refuse_mandate(&form.id),
    };
    match done {
        Ok(()) => Redirect::to(back.as_str()).into_response(),
        Err(error) => {
            tracing::warn!(%error, "a mandate was not given");
            let asked = Asked { id: form.id, return_to: form.return_to };
            question(language, &asked, StatusCode::BAD_REQUEST, true)
        }
    }
}
