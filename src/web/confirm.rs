//! The confirmation page: what an order asks, whole, and a passkey's yes to exactly that. And the page on which somebody says that it was
//! not them.
//!
//! | request | does |
//! |---|---|
//! | `GET /confirm/{link}` | shows; changes nothing |
//! | `POST /confirm/{link}/begin` | a challenge for this payer, order and digest |
//! | `POST /confirm/{link}` | checks the answer and confirms |
//! | `POST /confirm/{link}/no` | refuses the order |
//! | `GET`, `POST /not-me/{link}` | shows; reports |
//!
//! The link in the private message is `ORDER-TOKEN`, 128 bits that are derived from the order's salt: good for this order, until it is
//! answered or runs out. It opens the page and may refuse the order, which its holder could do in the conversation too; it confirms
//! nothing. No session is needed and none is opened.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::{Markup, html};

use super::Web;
use super::failure::Failure;
use super::passkey::{Ceremony, Seen, Shown, challenge, form, go_on};
use super::shell::{Page, document, moment, time_of_day};
use super::visitor::Visitor;
use super::words::{Texts, fill, texts};
use crate::app::account::{self, AccountError, Act, Problem, ceremony};
use crate::messages::amount;
use crate::order::{Order, OrderState};
use crate::people::Language;

/// `GET /confirm/{link}`
pub(super) async fn show(State(state): State<Arc<Web>>, visitor: Visitor, Path(link): Path<String>) -> Result<Response, Failure> {
    let all = texts(visitor.language);
    let order = match account::order_to_confirm(&state.app, &link).await {
        Ok(order) => order,
        Err(AccountError::Problem(_)) => return Ok(over(&state, &visitor, all)),
        Err(error) => return Err(error.into()),
    };
    let words = &all.confirm;
    let phrase = match &order.payer {
        Some(payer) => account::view::phrase(&state.app, &payer.person).await?,
        None => String::new(),
    };
    let button = fill(&words.yes, &[("amount", &amount(visitor.language, order.total))]);
    let body = html! {
        h1 { (words.title) }
        p.lead { (words.lead) }
        (facts(visitor.language, &order))
        @if !phrase.is_empty() { p { (fill(&words.phrase, &[("phrase", &phrase)])) } }
        (form(all, Ceremony::Show, &format!("/confirm/{link}"), &button, &Seen::field(&order)))
        form method="post" action={ "/confirm/" (link) "/no" } { button { (words.no) } }
        @if let Some(payer) = &order.payer {
            p { a href=(account::disowning_url(&state.app, &payer.person, Some(&order.id))) { (words.not_me) } }
        }
        p.hint { (words.passkey_lost) " " a href="/enrol?again=1" { (words.passkey_lost_go) } }
    };
    Ok(document(&Page::new(&visitor, &words.title, state.ground), &body).into_response())
}

/// What the yes binds, in the order in which a person checks it.
pub(super) fn facts(language: Language, order: &Order) -> Markup {
    let words = &texts(language).confirm;
    html! {
        dl.facts {
            dt { (words.total) } dd.big { (amount(language, order.total)) }
            @for payment in &order.payments {
                dt { (words.payee) }
                dd {
                    strong { (payment.payee.legal_name) } " " span.handle { "@" (payment.payee.handle) }
                    @if order.payments.len() > 1 { br; (amount(language, payment.amount)) }
                    br; span.quiet { (fill(&words.account, &[("iban", &payment.payee.iban.masked())])) }
                }
            }
            @if let Some(payer) = &order.payer {
                dt { (words.payer) }
                dd {
                    span.handle { "@" (order.source.author_handle) }
                    br; span.quiet { (fill(&words.account, &[("iban", &payer.iban.masked())])) " · " (payer.bank) }
                }
            }
            @if let Some(tag) = &order.campaign { dt { (words.campaign) } dd { "#" (tag) } }
            dt { (words.reference) } dd { (order.receipt_number()) }
            dt { (words.public) } dd { (if order.anonymous { &words.public_hidden } else { &words.public_named }) }
            dt { (words.asked_at) } dd { (moment(order.created_at)) }
            @if let OrderState::AwaitingConfirmation { until, .. } = &order.state {
                dt { (words.until) } dd { (time_of_day(*until)) " UTC" }
            }
        }
    }
}

/// The same answer for a link that was used, ran out, or never was one: it tells nobody which.
fn over(state: &Web, visitor: &Visitor, all: &Texts) -> Response {
    let words = &all.confirm;
    let body = html! {
        h1 { (words.over_title) }
        p.lead { (words.over_lead) }
        p { a.button.primary href="/me" { (words.over_go) } }
    };
    let page = Page::new(visitor, &words.over_title, state.ground);
    (StatusCode::NOT_FOUND, document(&page, &body)).into_response()
}

/// `POST /confirm/{link}/begin`
pub(super) async fn begin(
    State(state): State<Arc<Web>>,
    Path(link): Path<String>,
    Form(seen): Form<Seen>,
) -> Result<Response, Failure> {
    let order = account::order_to_confirm(&state.app, &link).await?;
    Ok(challenge(ceremony::begin_confirming(&state.app, &order, &seen.seen).await?))
}

/// `POST /confirm/{link}`
pub(super) async fn finish(
    State(state): State<Arc<Web>>,
    Path(link): Path<String>,
    Json(shown): Json<Shown>,
) -> Result<Response, Failure> {
    let order = account::order_to_confirm(&state.app, &link).await?;
    account::perform(&state.ledger, Act::Confirm { order: order.id.clone(), signed: shown.into() }).await?;
    Ok(go_on(&format!("/orders/{}", order.id)))
}

/// `POST /confirm/{link}/no`
pub(super) async fn decline(State(state): State<Arc<Web>>, Path(link): Path<String>) -> Result<Redirect, Failure> {
    let order = account::order_to_confirm(&state.app, &link).await?;
    account::perform(&state.ledger, Act::Decline { order: order.id.clone() }).await?;
    Ok(Redirect::to(&format!("/orders/{}", order.id)))
}

/// `GET /not-me/{link}`
pub(super) async fn ask_whether_not_me(
    State(state): State<Arc<Web>>,
    visitor: Visitor,
    Path(link): Path<String>,
) -> Result<Html<String>, Failure> {
    let (_, order) = disowned(&state, &link).await?;
    let words = &texts(visitor.language).not_me;
    let body = html! {
        h1 { (words.title) }
        p.lead { (words.lead) }
        @if let Some(order) = &order { div.card { (facts(visitor.language, order)) } }
        form method="post" action={ "/not-me/" (link) } { button.primary { (words.report) } }
        p { a href="/" { (words.back) } }
    };
    Ok(document(&Page::new(&visitor, &words.title, state.ground), &body))
}

/// `POST /not-me/{link}`
pub(super) async fn report_not_me(
    State(state): State<Arc<Web>>,
    visitor: Visitor,
    Path(link): Path<String>,
) -> Result<Html<String>, Failure> {
    let (person, order) = disowned(&state, &link).await?;
    account::perform(&state.ledger, Act::Disown { person, order: order.map(|order| order.id) }).await?;
    Ok(reported(&state, &visitor))
}

/// What somebody reads who has said that it was not them.
pub(super) fn reported(state: &Web, visitor: &Visitor) -> Html<String> {
    let words = &texts(visitor.language).not_me;
    let body = html! {
        h1 { (words.done_title) }
        p.lead.good { (words.done_lead) }
        p { (words.done_next) }
    };
    document(&Page::new(visitor, &words.done_title, state.ground), &body)
}

async fn disowned(state: &Web, link: &str) -> Result<(crate::ids::PersonId, Option<Order>), Failure> {
    match account::who_disowns(&state.app, link).await {
        Err(AccountError::Problem(Problem::NotYours)) => Err(Failure::NotFound),
        other => Ok(other?),
    }
}
