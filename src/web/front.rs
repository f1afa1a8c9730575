//! The first page of a production installation, and the two addresses for whoever watches the process.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Html;
use maud::html;

use super::Web;
use super::campaign::{post_to_copy, sentence};
use super::failure::Failure;
use super::shell::{Page, document};
use super::visitor::Visitor;
use super::words::texts;
use crate::app::view;

/// `GET /`
pub(super) async fn show(State(state): State<Arc<Web>>, visitor: Visitor) -> Result<Html<String>, Failure> {
    let words = &texts(visitor.language).front;
    let campaigns = view::campaigns(&state.app).await?;
    let example = campaigns.first().and_then(|view| post_to_copy(&state.app, visitor.language, view));
    let body = html! {
        h1 { (words.title) }
        p.lead { (words.lead) }
        ol.steps {
            li { (words.how_post) @if let Some(post) = &example { p.post { (post) } } }
            li { (words.how_ask) }
            li { (words.how_yes) }
        }
        p { a.button.primary href="/enrol" { (words.enrol) } }
        p.hint { (words.enrol_why) }
        p { a href="/language" { (words.language) } " · " a href=(super::language::trial::PATH) { (words.try_language) } }
        h2 { (words.campaigns) }
        @if campaigns.is_empty() { p.quiet { (words.no_campaigns) } }
        ul.plain {
            @for view in &campaigns {
                li.card {
                    a href={ "/c/" (view.campaign.tag) } { strong { (view.campaign.title) } " #" (view.campaign.tag) }
                    p { (sentence(visitor.language, view)) }
                }
            }
        }
    };
    Ok(document(&Page::new(&visitor, &words.title, state.ground), &body))
}

/// `GET /livez`: the process answers.
pub(super) async fn livez() -> &'static str {
    "ok"
}

/// `GET /readyz`: the database answers and the process is not about to end.
pub(super) async fn readyz(State(state): State<Arc<Web>>) -> Result<&'static str, Failure> {
    if state.end.is_cancelled() {
        return Err(Failure::Unavailable);
    }
    state.app.unfinished().await?;
    Ok("ok")
}
