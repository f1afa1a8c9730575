//! The page of one order: what was asked and how it stands.
//!
//! Whoever has its address may read it. So it names the payer by nothing but the link to the public post, and not even by that if the
//! post says `#anonyme`; it shows no account number, and it never leads to the bank's page: that address goes to the payer alone.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{Html, Response};
use maud::{Markup, html};

use super::Web;
use super::failure::Failure;
use super::live::{Piece, stream};
use super::shell::{Page, document, moment, time_of_day};
use super::visitor::Visitor;
use super::words::{Order as Words, fill, texts};
use crate::app::App;
use crate::ids::OrderId;
use crate::messages::amount;
use crate::order::{CancelledBy, Order, OrderState, PaymentState, Rejection};
use crate::people::Language;

/// How often the page loads itself again where scripts do not run.
const RELOAD_SECONDS: u32 = 5;

async fn find(state: &Web, id: &str) -> Result<Order, Failure> {
    let id = OrderId::try_from(id.to_owned()).map_err(|_| Failure::NotFound)?;
    state.app.order(&id).await?.ok_or(Failure::NotFound)
}

/// `GET /orders/{id}`
pub(super) async fn show(State(state): State<Arc<Web>>, visitor: Visitor, Path(id): Path<String>) -> Result<Html<String>, Failure> {
    let order = find(&state, &id).await?;
    let words = &texts(visitor.language).order;
    let title = fill(&words.title, &[("number", &order.receipt_number())]);
    let body = html! {
        h1 { (title) }
        dl.facts {
            dt { (words.total) } dd.big { (amount(visitor.language, order.total)) }
            @if let Some(tag) = &order.campaign { dt { (words.campaign) } dd { a href={ "/c/" (tag) } { "#" (tag) } } }
            dt { (words.asked_at) } dd { (moment(order.created_at)) }
            @if let (Some(url), false) = (&order.source.url, order.anonymous) {
                dt { (words.post) } dd { a href=(url) rel="noreferrer nofollow" { (url) } }
            }
        }
        h2 { (words.progress) }
        div.card role="status" data-live={ "/orders/" (order.id) "/events?lang=" (visitor.language) } {
            (standing(visitor.language, &order))
        }
        p.quiet { (words.live) }
    };
    let page = Page::new(&visitor, &title, state.ground);
    let page = if order.is_terminal() { page } else { page.reloading(RELOAD_SECONDS) };
    Ok(document(&page, &body))
}

/// `GET /orders/{id}/events`
pub(super) async fn events(State(state): State<Arc<Web>>, visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failure> {
    let order = find(&state, &id).await?;
    let piece = Standing { app: state.app.clone(), id: order.id, language: visitor.language };
    stream(&state.streams, state.app.signals.orders(), state.end.clone(), piece)
}

struct Standing {
    app: Arc<App>,
    id: OrderId,
    language: Language,
}

impl Piece for Standing {
    async fn make(&mut self) -> Option<String> {
        let order = self.app.order(&self.id).await.ok()??;
        Some(standing(self.language, &order).into_string())
    }

    fn concerns(&self, order: &OrderId) -> bool {
        *order == self.id
    }
}

/// `GET /bank/return/{id}`: has the bank asked now, and says so; coming back proves nothing.
pub(super) async fn bank_return(
    State(state): State<Arc<Web>>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Html<String>, Failure> {
    let order = find(&state, &id).await?;
    if let Err(error) = state.app.hurry(&order.id).await {
        tracing::warn!(%error, "a question to the bank was not brought forward; it is asked when it is due");
    }
    let words = &texts(visitor.language).bank_return;
    let body = html! {
        h1 { (words.title) }
        p.lead { (words.lead) }
        p { a.button.primary href={ "/orders/" (order.id) } { (words.order) } }
    };
    Ok(document(&Page::new(&visitor, &words.title, state.ground), &body))
}

/// How an order stands, in words: its own state, and each payment's.
pub(crate) fn standing(language: Language, order: &Order) -> Markup {
    let words = &texts(language).order;
    let (sentence, why) = state_words(language, words, &order.state);
    html! {
        p { strong { (sentence) } @if let Some(why) = &why { " " (why) } }
        ul.plain {
            @for payment in &order.payments {
                li.payment {
                    span { (amount(language, payment.amount)) " · " (words.to) " " strong { (payment.payee.legal_name) } }
                    span.state.{ "state-" (payment.state.name()) } { (mark(&payment.state)) " " (payment_words(words, &payment.state)) }
                }
            }
        }
        @if order.payments.iter().any(|payment| matches!(payment.state, PaymentState::Settled { .. })) {
            p.quiet { (words.receipt) " " (order.receipt_number()) }
        }
    }
}

/// The state by a sign as well as by words and colour.
fn mark(state: &PaymentState) -> &'static str {
    match state {
        PaymentState::Settled { .. } => "✓",
        PaymentState::Failed { .. } | PaymentState::Expired { .. } => "✗",
        PaymentState::Returned { .. } => "↩",
        PaymentState::Unknown { .. } | PaymentState::Disputed { .. } => "?",
        PaymentState::Proposed => "○",
        _ => "…",
    }
}

/// The order's own state as a sentence, and why, if it has a reason.
pub(crate) fn state_words(language: Language, words: &Words, state: &OrderState) -> (String, Option<String>) {
    match state {
        OrderState::AwaitingPayer { .. } => (words.awaiting_payer.clone(), None),
        OrderState::AwaitingPayee { .. } => (words.awaiting_payee.clone(), None),
        OrderState::AwaitingConfirmation { until, .. } => {
            (fill(&words.awaiting_confirmation, &[("time", &time_of_day(*until))]), None)
        }
        OrderState::Held { .. } => (words.held.clone(), None),
        OrderState::Confirmed { .. } => (words.confirmed.clone(), None),
        OrderState::Rejected { reason, .. } => (words.rejected.clone(), Some(rejection_words(language, words, reason))),
        OrderState::Cancelled { by, .. } => {
            let why = match by {
                CancelledBy::Payer => &words.cancelled_payer,
                CancelledBy::CancelOrder => &words.cancelled_cancel_order,
                CancelledBy::Edit => &words.cancelled_edit,
                CancelledBy::Deletion => &words.cancelled_deletion,
                CancelledBy::Unlinked => &words.cancelled_unlinked,
                CancelledBy::Stopped => &words.cancelled_stopped,
            };
            (words.cancelled.clone(), Some(why.clone()))
        }
        OrderState::Expired { .. } => (words.expired.clone(), None),
    }
}

fn rejection_words(language: Language, words: &Words, reason: &Rejection) -> String {
    match reason {
        Rejection::PayeeUnknown { .. } => words.rejected_payee_unknown.clone(),
        Rejection::PayeeFrozen { .. } => words.rejected_payee_frozen.clone(),
        Rejection::PayeeLooksLike { .. } => words.rejected_payee_looks_like.clone(),
        Rejection::PayeeDeclined { .. } => words.rejected_payee_declined.clone(),
        Rejection::CurrencyNotServed => words.rejected_currency_not_served.clone(),
        Rejection::AboveLowValueLimit { limit } => {
            fill(&words.rejected_above_low_value_limit, &[("limit", &amount(language, *limit))])
        }
        Rejection::PasskeyTooNew { limit, .. } => fill(&words.rejected_passkey_too_new, &[("limit", &amount(language, *limit))]),
        Rejection::AboveOwnLimit { .. } => words.rejected_above_own_limit.clone(),
        Rejection::AccountLocked => words.rejected_account_locked.clone(),
        Rejection::AboveOrderLimit { limit } => fill(&words.rejected_above_order_limit, &[("limit", &amount(language, *limit))]),
        Rejection::TooManyOpen { .. } => words.rejected_too_many_open.clone(),
        Rejection::LimitReached { .. } => words.rejected_limit_reached.clone(),
        Rejection::AlreadyEdited => words.rejected_already_edited.clone(),
        Rejection::TooOld => words.rejected_too_old.clone(),
        Rejection::StrongConfirmationNeeded => words.rejected_strong_confirmation_needed.clone(),
        Rejection::TooManyWrongAnswers => words.rejected_too_many_wrong_answers.clone(),
        Rejection::SelfPayment => words.rejected_self_payment.clone(),
    }
}

fn payment_words<'a>(words: &'a Words, state: &PaymentState) -> &'a str {
    match state {
        PaymentState::Proposed => &words.payment_proposed,
        PaymentState::Ready { .. } => &words.payment_ready,
        PaymentState::Submitting { .. } => &words.payment_submitting,
        PaymentState::AwaitingBank { .. } => &words.payment_awaiting_bank,
        PaymentState::Executing { .. } => &words.payment_executing,
        PaymentState::Unknown { .. } => &words.payment_unknown,
        PaymentState::Settled { .. } => &words.payment_settled,
        PaymentState::Returned { .. } => &words.payment_returned,
        PaymentState::Failed { .. } => &words.payment_failed,
        PaymentState::Expired { .. } => &words.payment_expired,
        PaymentState::Disputed { .. } => &words.payment_disputed,
    }
}
