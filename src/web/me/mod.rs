//! A person's own pages, behind a passkey: what waits for them, what was paid, and what they can change.
//!
//! | request | does |
//! |---|---|
//! | `GET /me` | the inbox; without a session the page to enter |
//! | `POST /me/enter/begin`, `/me/enter` | a challenge for any passkey; lets its owner in |
//! | `POST /me/leave` | ends the session |
//! | `POST /me/orders/{id}/begin`, `/me/orders/{id}` | a challenge for this order; confirms it |
//! | `POST /me/orders/{id}/no`, `/not-me` | refuses it; says that it was not one's own |
//! | `/me/settings…` | see [`settings`] |
//! | `GET /me/export` | everything about the person, as JSON |
//! | `GET /me/erase`, `POST /me/erase/begin`, `/me/erase` | being forgotten |
//!
//! A confirmation here needs no private message: whoever's platform hides ours, or whose messages have used up what we may send, finds
//! the order in the inbox. Every yes is a passkey shown for that one order; the session only shows what there is.

mod inbox;
mod session;
pub(super) mod settings;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Form, Path, Request, State};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};
use maud::html;
use serde::Deserialize;

pub(super) use session::Entered;

use super::Web;
use super::confirm::reported;
use super::failure::Failure;
use super::passkey::{Ceremony, Seen, Shown, challenge, form, go_on};
use super::shell::{Page, document};
use super::visitor::{Visitor, address};
use super::words::texts;
use crate::app::account::{self, Act, Problem, ceremony, view};
use crate::ids::OrderId;
use crate::order::Order;

/// `GET /me`
pub(super) async fn show(State(state): State<Arc<Web>>, visitor: Visitor, headers: HeaderMap) -> Result<Response, Failure> {
    let Some(mut entered) = session::find(&state, &headers).await? else { return Ok(door(&state, &visitor)) };
    let inbox = view::inbox(&state.app, &entered.visit.person).await?;
    let mut response = inbox::page(&state, &visitor, &inbox).into_response();
    entered.renew(&state, &mut response).await?;
    Ok(response)
}

/// The page on which somebody enters.
fn door(state: &Web, visitor: &Visitor) -> Response {
    let all = texts(visitor.language);
    let words = &all.me;
    let body = html! {
        h1 { (words.enter_title) }
        p.lead { (words.enter_lead) }
        (form(all, Ceremony::Show, "/me/enter", &words.enter, &html! {}))
        p.hint { (words.lost) " " a href="/enrol?again=1" { (words.lost_go) } }
    };
    document(&Page::new(visitor, &words.enter_title, state.ground), &body).into_response()
}

/// `POST /me/enter/begin`
pub(super) async fn begin_entering(State(state): State<Arc<Web>>, request: Request) -> Result<Response, Failure> {
    state.callers.admit(address(request.headers(), request.extensions(), state.behind_proxy))?;
    Ok(challenge(ceremony::begin_entering(&state.app).await?))
}

/// `POST /me/enter`
pub(super) async fn enter(State(state): State<Arc<Web>>, Json(shown): Json<Shown>) -> Result<Response, Failure> {
    let token = account::session::enter(&state.app, &shown.into()).await?;
    let mut response = go_on("/me");
    session::set_cookie(&mut response, &token, &state.app.public_url);
    Ok(response)
}

/// `POST /me/leave`
pub(super) async fn leave(State(state): State<Arc<Web>>, headers: HeaderMap) -> Result<Response, Failure> {
    if let Some(token) = session::token_of(&headers) {
        account::session::leave(&state.app, &token).await?;
    }
    let mut response = Redirect::to("/me").into_response();
    session::clear_cookie(&mut response, &state.app.public_url);
    Ok(response)
}

/// An order of the person who has entered.
async fn own_order(state: &Web, entered: &Entered, id: &str) -> Result<Order, Failure> {
    let id: OrderId = id.parse().map_err(|_| Failure::NotFound)?;
    let order = state.app.order(&id).await?.ok_or(Failure::NotFound)?;
    let is_own = order.payer.as_ref().is_some_and(|payer| payer.person == entered.visit.person);
    // Somebody else's is not told from none.
    if is_own { Ok(order) } else { Err(Failure::NotFound) }
}

/// `POST /me/orders/{id}/begin`
pub(super) async fn begin_confirming(
    State(state): State<Arc<Web>>,
    entered: Entered,
    Path(id): Path<String>,
    Form(seen): Form<Seen>,
) -> Result<Response, Failure> {
    let order = own_order(&state, &entered, &id).await?;
    Ok(challenge(ceremony::begin_confirming(&state.app, &order, &seen.seen).await?))
}

/// `POST /me/orders/{id}`
pub(super) async fn confirm(
    State(state): State<Arc<Web>>,
    entered: Entered,
    Path(id): Path<String>,
    Json(shown): Json<Shown>,
) -> Result<Response, Failure> {
    let order = own_order(&state, &entered, &id).await?;
    account::perform(&state.ledger, Act::Confirm { order: order.id, signed: shown.into() }).await?;
    Ok(go_on("/me"))
}

/// `POST /me/orders/{id}/no`
pub(super) async fn decline(State(state): State<Arc<Web>>, entered: Entered, Path(id): Path<String>) -> Result<Redirect, Failure> {
    let order = own_order(&state, &entered, &id).await?;
    account::perform(&state.ledger, Act::Decline { order: order.id }).await?;
    Ok(Redirect::to("/me"))
}

/// `POST /me/orders/{id}/not-me`
pub(super) async fn disown(
    State(state): State<Arc<Web>>,
    visitor: Visitor,
    entered: Entered,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let order = own_order(&state, &entered, &id).await?;
    let act = Act::Disown { person: entered.visit.person, order: Some(order.id) };
    account::perform(&state.ledger, act).await?;
    let mut response = reported(&state, &visitor).into_response();
    session::clear_cookie(&mut response, &state.app.public_url);
    Ok(response)
}

/// `GET /me/export`
pub(super) async fn export(State(state): State<Arc<Web>>, entered: Entered) -> Result<Response, Failure> {
    let written = view::export(&state.app, &entered.visit.person).await?;
    let text = serde_json::to_string_pretty(&written).map_err(|_| Failure::Broken)?;
    let headers = [(CONTENT_TYPE, "application/json; charset=utf-8"), (CONTENT_DISPOSITION, "attachment; filename=\"obole.json\"")];
    Ok((headers, text).into_response())
}

/// `GET /me/erase`
pub(super) async fn ask_whether_to_erase(
    State(state): State<Arc<Web>>,
    visitor: Visitor,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let Some(_) = session::find(&state, &headers).await? else { return Ok(door(&state, &visitor)) };
    let all = texts(visitor.language);
    let words = &all.erase;
    let fields = html! {
        label.line { input type="checkbox" name="sure" value="yes" required; " " (words.sure) }
    };
    let body = html! {
        h1 { (words.title) }
        p.lead { (words.lead) }
        ul { li { (words.goes) } li { (words.stays) } li { (words.open) } }
        p { a href="/me/export" { (words.export) } }
        (form(all, Ceremony::Show, "/me/erase", &words.erase, &fields))
        p { a href="/me/settings" { (words.back) } }
    };
    Ok(document(&Page::new(&visitor, &words.title, state.ground), &body).into_response())
}

#[derive(Deserialize)]
pub(super) struct Sure {
    sure: Option<String>,
}

/// `POST /me/erase/begin`: the first of two confirmations is the box; the passkey is the second.
pub(super) async fn begin_erasing(
    State(state): State<Arc<Web>>,
    entered: Entered,
    Form(sure): Form<Sure>,
) -> Result<Response, Failure> {
    if sure.sure.as_deref() != Some("yes") {
        return Err(Failure::Problem(Problem::Unreadable));
    }
    Ok(challenge(ceremony::begin_erasing(&state.app, &entered.visit.person).await?))
}

/// `POST /me/erase`
pub(super) async fn erase(State(state): State<Arc<Web>>, entered: Entered, Json(shown): Json<Shown>) -> Result<Response, Failure> {
    account::perform(&state.ledger, Act::Erase { person: entered.visit.person, signed: shown.into() }).await?;
    let mut response = go_on("/me/erased");
    session::clear_cookie(&mut response, &state.app.public_url);
    Ok(response)
}

/// `GET /me/erased`
pub(super) async fn erased(State(state): State<Arc<Web>>, visitor: Visitor) -> Response {
    let words = &texts(visitor.language).erase;
    let body = html! {
        h1 { (words.done_title) }
        p.lead.good { (words.done_lead) }
        p { (words.stays) }
    };
    document(&Page::new(&visitor, &words.done_title, state.ground), &body).into_response()
}
