//! The inbox: what waits, what the bank waits for, what was paid, and the limits.

use axum::response::Html;
use maud::{Markup, html};

use crate::app::account::takes_passkey;
use crate::app::account::view::Inbox;
use crate::messages::amount;
use crate::money::Money;
use crate::order::{Order, OrderState, PaymentState};
use crate::people::Language;
use crate::web::Web;
use crate::web::confirm::facts;
use crate::web::order::standing;
use crate::web::passkey::{Ceremony, Seen, form};
use crate::web::shell::{Page, document, moment};
use crate::web::visitor::Visitor;
use crate::web::words::{Me, Texts, fill, texts};

/// How often the page loads itself again where scripts do not run.
const RELOAD_SECONDS: u32 = 30;

pub(super) fn page(state: &Web, visitor: &Visitor, inbox: &Inbox) -> Html<String> {
    let all = texts(visitor.language);
    let words = &all.me;
    let body = html! {
        h1 { (words.title) }
        @if inbox.known.locked_at.is_some() { p.notice { (words.locked) } }
        h2 { (words.open) }
        @if inbox.open.is_empty() { p.quiet { (words.open_none) } }
        @for order in &inbox.open { (open(all, visitor.language, order)) }
        h2 { (words.history) }
        @if inbox.past.is_empty() { p.quiet { (words.history_none) } }
        ul.plain {
            @for order in &inbox.past { li.card { (past(words, visitor.language, order)) } }
        }
        h2 { (words.limits) }
        (limits(words, visitor.language, inbox))
        p { a.button href="/me/settings" { (words.settings) } }
        form method="post" action="/me/leave" { button { (words.leave) } }
    };
    document(&Page::new(visitor, &words.title, state.ground).reloading(RELOAD_SECONDS), &body)
}

fn open(all: &Texts, language: Language, order: &Order) -> Markup {
    let words = &all.me;
    let asks = matches!(order.state, OrderState::AwaitingConfirmation { .. });
    let button = fill(&all.confirm.yes, &[("amount", &amount(language, order.total))]);
    html! {
        section.card {
            @if asks {
                (facts(language, order))
                @if takes_passkey(order) { p.quiet { (words.takes_passkey) } }
                (form(all, Ceremony::Show, &format!("/me/orders/{}", order.id), &button, &Seen::field(order)))
            } @else {
                (standing(language, order))
            }
            div.row {
                form.inline method="post" action={ "/me/orders/" (order.id) "/no" } { button { (all.confirm.no) } }
                form.inline method="post" action={ "/me/orders/" (order.id) "/not-me" } { button { (words.not_me) } }
            }
        }
    }
}

fn past(words: &Me, language: Language, order: &Order) -> Markup {
    html! {
        p {
            a href={ "/orders/" (order.id) } { strong { (amount(language, order.total)) } " · " (order.receipt_number()) }
            " " span.quiet { (moment(order.created_at)) }
        }
        (standing(language, order))
        // The bank's own page is for the payer alone.
        @for payment in &order.payments {
            @if let PaymentState::AwaitingBank { authorise_at, .. } = &payment.state {
                p { a.button.primary href=(authorise_at) rel="noreferrer" { (words.bank_waits) } }
            }
        }
        form.inline method="post" action={ "/me/orders/" (order.id) "/not-me" } { button { (words.not_me) } }
    }
}

fn limits(words: &Me, language: Language, inbox: &Inbox) -> Markup {
    let scheme = &inbox.limits;
    let own = &inbox.known.limits;
    let money = |minor| amount(language, Money::new(minor, scheme.currency));
    let lower = |most: i64, own: Option<i64>| own.map_or(most, |own| own.min(most));
    let (codes, orders) = inbox.by_codes;
    html! {
        dl.facts {
            dt { (words.limit_person) } dd { (money(lower(scheme.to_person_minor, own.order_minor))) }
            dt { (words.limit_organisation) } dd { (money(lower(scheme.to_organisation_minor, own.order_minor))) }
            dt { (words.limit_day) }
            dd { (fill(&words.of, &[("used", &amount(language, inbox.spent_today)), ("most", &money(lower(scheme.rolling_day_minor, own.day_minor)))])) }
            dt { (words.limit_code) } dd { (money(scheme.low_value_order_minor)) }
            dt { (words.limit_codes) }
            dd { (fill(&words.of, &[("used", &amount(language, codes)), ("most", &money(scheme.low_value_sum_minor))])) }
            dt { (words.limit_count) }
            dd { (fill(&words.of, &[("used", &orders.to_string()), ("most", &scheme.low_value_count.to_string())])) }
        }
        p.hint { (words.limit_strong) }
    }
}
