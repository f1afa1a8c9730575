//! `GET /claim`: what somebody reads who was told that they are to be paid. Claiming itself is an enrolment.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Html;
use maud::html;

use super::Web;
use super::shell::{Page, document};
use super::visitor::Visitor;
use super::words::texts;

/// What a claim is, how it is made, and how it is declined without one.
pub(crate) async fn show(State(state): State<Arc<Web>>, visitor: Visitor) -> Html<String> {
    let words = &texts(visitor.language).claim;
    let body = html! {
        h1 { (words.title) }
        p.lead { (words.lead) }
        ol {
            li { (words.step_bank) }
            li { (words.step_code) }
            li { (words.step_payer) }
        }
        p { a.button.primary href="/enrol" { (words.go) } }
        p.hint { (words.shown) }
        h2 { (words.no_title) }
        p { (words.no) }
    };
    document(&Page::new(&visitor, &words.title, state.ground), &body)
}
