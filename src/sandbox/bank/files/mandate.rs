//! The bank's page on which a customer lets Obole debit accounts; the answer goes into the directory.

use std::sync::Arc;

use anyhow::Context as _;
use axum::extract::{Form, Query, State};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::get;
use axum::{Router, http::StatusCode};
use maud::{DOCTYPE, html};
use serde::Deserialize;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

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

async fn ask(Query(asked): Query<Asked>) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Mandate" }
            }
            body {
                h1 { "Sandbox bank: let Obole order transfers" }
                p { "Obole asks to order transfers from your accounts. Each one is confirmed by you in a private message first." }
                form method="post" action="/mandate" {
                    input type="hidden" name="id" value=(asked.id);
                    input type="hidden" name="return" value=(asked.return_to);
                    p { label { "Your login " input name="login" autocomplete="username"; } }
                    button name="answer" value="yes" { "Allow" } " "
                    button name="answer" value="no" { "Refuse" }
                }
            }
        }
    };
    Html(page.into_string()).into_response()
}

async fn answer(State(peer): State<Arc<FilesPeer>>, Form(form): Form<Answer>) -> Response {
    let is_id = !form.id.is_empty() && form.id.len() <= 64 && form.id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let back = Url::parse(&form.return_to).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let (true, Some(back)) = (is_id, back) else {
        return (StatusCode::BAD_REQUEST, "this is no request for a mandate").into_response();
    };
    let done = match form.answer.as_str() {
        "yes" => peer.give_mandate(&form.id, form.login.trim()),
        _ => peer.refuse_mandate(&form.id),
    };
    match done {
        Ok(()) => Redirect::to(back.as_str()).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    }
}
