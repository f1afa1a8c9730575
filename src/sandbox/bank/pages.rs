//! Pages for people: accounts and statements to read, and the page where an account holder approves or refuses.
//!
//! The approval page stands for the bank's own app: whoever has its address is taken for the holder. It has no script, and
//! loads nothing.

use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, LOCATION, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use maud::{DOCTYPE, Markup, html};
use serde::Deserialize;

use super::App;
use super::accounts::day;
use super::words::{Language, Words};
use crate::bank::fake::{
    Authorisation, AuthorisationId, Consent, Days, Entry, MovementKind, Payment, Refusal, ScaStatus, Scope, Subject, Wanted,
};
use crate::iban::Iban;

/// Lines on a page of accounts or of a statement.
const PAGE: usize = 100;

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8884;--accent:#0b5c4a;--on-accent:#fff}\
*{box-sizing:border-box}\
body{font:1rem/1.5 system-ui,sans-serif;margin:0 auto;max-width:46rem;padding:0 1rem 3rem}\
header{display:flex;flex-wrap:wrap;gap:0 1rem;align-items:baseline;border-bottom:1px solid var(--line);padding:1rem 0;margin-bottom:1rem}\
header a{font-weight:700;color:inherit;text-decoration:none}header small{opacity:.75}\
h1{font-size:1.4rem;margin:.5rem 0}\
ul.lines{list-style:none;padding:0;margin:0}\
ul.lines li{border-bottom:1px solid var(--line);padding:.6rem 0;display:flex;justify-content:space-between;gap:1rem}\
ul.lines li>*{min-width:0;overflow-wrap:anywhere}\
ul.lines small{display:block;opacity:.75}\
.sum{font-variant-numeric:tabular-nums;white-space:nowrap;text-align:right}\
.big{font-size:2rem;font-weight:700;margin:.25rem 0}\
dl{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1rem}dt{opacity:.75}dd{margin:0;overflow-wrap:anywhere}\
form{display:grid;gap:.75rem;margin-top:1.5rem}\
label{display:grid;gap:.25rem}input{font:inherit;padding:.6rem;border:1px solid var(--line);border-radius:.4rem}\
button{font:inherit;padding:.9rem;border-radius:.5rem;border:1px solid var(--accent);background:none;color:inherit;cursor:pointer}\
button.yes{background:var(--accent);color:var(--on-accent);font-weight:700}\
.warning{border-left:.3rem solid #c33;padding:.3rem .8rem}\
code{overflow-wrap:anywhere}";

/// The routes of the pages.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/", get(accounts))
        .route("/accounts/{iban}", get(statement))
        .route("/approve/{authorisation}", get(ask).post(answer))
        // Every browser asks for it.
        .route("/favicon.ico", get(|| async { StatusCode::NO_CONTENT }))
}

#[derive(Deserialize)]
struct PageQuery {
    #[serde(default)]
    page: usize,
}

async fn accounts(State(app): State<App>, Query(query): Query<PageQuery>, headers: HeaderMap) -> Response {
    let language = Language::of(&headers);
    let words = language.words();
    let skip = query.page.saturating_mul(PAGE);
    let Ok(mut views) = app.bank.accounts(skip, PAGE + 1) else { return lost(language) };
    let more = views.len() > PAGE;
    views.truncate(PAGE);
    let body = html! {
        h1 { (words.accounts) }
        @if views.len() < 2 && query.page == 0 { p { (words.no_accounts) } }
        ul.lines {
            @for view in &views {
                li {
                    span {
                        a href={ "/accounts/" (view.account.iban.as_str()) } { (view.account.name) }
                        small { (view.account.iban.printed()) }
                    }
                    span.sum { (language.amount(view.balances.booked)) }
                }
            }
        }
        (pager(words, "", query.page, more))
    };
    page(StatusCode::OK, language, words.accounts, &body)
}

async fn statement(
    State(app): State<App>,
    Path(iban): Path<String>,
    Query(query): Query<PageQuery>,
    headers: HeaderMap,
) -> Response {
    let language = Language::of(&headers);
    let words = language.words();
    let Ok(iban) = iban.parse::<Iban>() else { return lost(language) };
    let Ok(view) = app.bank.account(&iban) else { return lost(language) };
    // The newest first: the page counts from the end.
    let end = view.entries.saturating_sub(query.page.saturating_mul(PAGE));
    let start = end.saturating_sub(PAGE);
    let Ok((mut entries, _)) = app.bank.entries(&iban, Days::default(), start, end - start) else { return lost(language) };
    entries.reverse();
    let body = html! {
        h1 { (words.statement) " · " (view.account.name) }
        dl {
            dt { (words.account) } dd { (iban.printed()) }
            dt { (words.balance) } dd { (language.amount(view.balances.booked)) }
            dt { (words.available) } dd { (language.amount(view.balances.available)) }
        }
        @if entries.is_empty() { p { (words.no_entries) } }
        ul.lines { @for entry in &entries { (line(language, entry)) } }
        (pager(words, "", query.page, start > 0))
    };
    page(StatusCode::OK, language, words.statement, &body)
}

fn line(language: Language, entry: &Entry) -> Markup {
    let words = language.words();
    let text = match entry.kind {
        MovementKind::Opening => words.opening,
        MovementKind::Return | MovementKind::Transfer(_) => entry.remittance.as_deref().unwrap_or(""),
    };
    html! {
        li {
            span {
                (entry.counterparty().name)
                @if matches!(entry.kind, MovementKind::Return) { " · " (words.returned) }
                small { (language.day(day(entry.booked_at))) " · " (text) }
                @if let Some(reference) = &entry.end_to_end { small { code { (reference) } } }
            }
            span.sum { (language.amount(entry.amount)) small { (language.amount(entry.balance_after)) } }
        }
    }
}

fn pager(words: &Words, address: &str, current: usize, more: bool) -> Markup {
    html! {
        p {
            @if current > 0 { a href={ (address) "?page=" (current - 1) } { "← " (words.newer) } " " }
            @if more { a href={ (address) "?page=" (current + 1) } { (words.older) " →" } }
        }
    }
}

#[derive(Deserialize)]
struct AskQuery {
    /// Fills in who answers, where the request did not say.
    #[serde(default)]
    login: String,
}

async fn ask(
    State(app): State<App>,
    Path(authorisation): Path<String>,
    Query(query): Query<AskQuery>,
    headers: HeaderMap,
) -> Response {
    approval_page(&app, authorisation, Language::of(&headers), &query.login, false)
}

fn approval_page(app: &App, authorisation: String, language: Language, login: &str, wrong_login: bool) -> Response {
    let Ok(authorisation) = app.bank.authorisation(&AuthorisationId(authorisation)) else { return lost(language) };
    if authorisation.status != ScaStatus::Received {
        return already(language, &authorisation);
    }
    let (title, body) = match &authorisation.subject {
        Subject::Payment(id) => match app.bank.payment(id) {
            Ok(payment) => (language.words().pay_title, payment_question(app, language, &payment)),
            Err(_) => return lost(language),
        },
        Subject::Cancellation(id) => match app.bank.payment(id) {
            Ok(payment) => (language.words().cancel_title, cancellation_question(app, language, &payment)),
            Err(_) => return lost(language),
        },
        Subject::Consent(id) => match app.bank.consent(id) {
            Ok(consent) => {
                let ask_login = app.bank.holder_of(&consent).ok().flatten().is_none();
                let login = ask_login.then_some(login);
                (language.words().consent_title, consent_question(language, &consent, login, wrong_login))
            }
            Err(_) => return lost(language),
        },
    };
    page(StatusCode::OK, language, title, &body)
}

fn payment_question(app: &App, language: Language, payment: &Payment) -> Markup {
    let words = language.words();
    transfer_question(app, language, payment, (words.pay_title, words.pay_question))
}

fn cancellation_question(app: &App, language: Language, payment: &Payment) -> Markup {
    let words = language.words();
    transfer_question(app, language, payment, (words.cancel_title, words.cancel_question))
}

fn transfer_question(app: &App, language: Language, payment: &Payment, (title, question): (&str, &str)) -> Markup {
    let words = language.words();
    let instruction = &payment.instruction;
    let payer = app.bank.account(&instruction.debtor).map_or_else(|_| String::new(), |view| view.account.name);
    html! {
        h1 { (title) }
        p { (question) }
        p.big { (language.amount(instruction.amount)) }
        dl {
            dt { (words.payee) } dd { strong { (instruction.creditor_name) } br; (instruction.creditor.printed()) }
            dt { (words.from) } dd { (payer) br; (instruction.debtor.printed()) }
            @if let Some(text) = &instruction.remittance { dt { (words.text) } dd { (text) } }
            @if let Some(reference) = &instruction.end_to_end { dt { (words.reference) } dd { code { (reference) } } }
        }
        form method="post" { (buttons(words)) }
    }
}

fn consent_question(language: Language, consent: &Consent, login: Option<&str>, wrong_login: bool) -> Markup {
    let words = language.words();
    let asked = match &consent.wish.scope {
        Scope::Everything => [true, true, true],
        Scope::Available { with_balances } => [true, *with_balances, false],
        Scope::Dedicated { balances, transactions, .. } => [true, *balances != Wanted::Nothing, *transactions != Wanted::Nothing],
    };
    let named = consent.wish.scope.named();
    let mut accounts: Vec<String> = named.iter().map(|iban| iban.printed()).collect();
    accounts.sort();
    accounts.dedup();
    html! {
        h1 { (words.consent_title) }
        p { (words.consent_question) }
        ul {
            @for (asked, what) in asked.into_iter().zip([words.see_accounts, words.see_balances, words.see_entries]) {
                @if asked { li { (what) } }
            }
        }
        dl {
            dt { (words.account) }
            dd { @if accounts.is_empty() { (words.your_accounts) } @for account in &accounts { (account) br; } }
            dt { (words.until) } dd { (language.day(consent.wish.valid_until)) }
        }
        @if wrong_login { p.warning { (words.wrong_login) } }
        form method="post" {
            @if let Some(login) = login {
                label { (words.login) input name="login" value=(login) autocomplete="username" maxlength="70"; }
            }
            (buttons(words))
        }
    }
}

pub(super) fn buttons(words: &Words) -> Markup {
    html! {
        button.yes name="answer" value="approve" { (words.approve) }
        button name="answer" value="refuse" formnovalidate { (words.refuse) }
    }
}

#[derive(Deserialize)]
struct Answer {
    answer: String,
    login: Option<String>,
}

async fn answer(
    State(app): State<App>,
    Path(authorisation): Path<String>,
    headers: HeaderMap,
    Form(form): Form<Answer>,
) -> Response {
    let language = Language::of(&headers);
    let id = AuthorisationId(authorisation);
    let yes = form.answer == "approve";
    let login = form.login.as_deref().map(str::trim).filter(|login| !login.is_empty());
    let Ok(asked) = app.bank.authorisation(&id) else { return lost(language) };
    match app.bank.answer(&id, yes, login) {
        Ok(()) => {
            let back = if yes { None } else { asked.return_to.refused.as_deref() };
            match back.or(asked.return_to.approved.as_deref()) {
                Some(address) => (StatusCode::SEE_OTHER, [(LOCATION, address)]).into_response(),
                None => already(language, &asked),
            }
        }
        Err(Refusal::WrongHolder) => approval_page(&app, id.0, language, login.unwrap_or_default(), true),
        Err(Refusal::AlreadyDecided) => already(language, &asked),
        Err(_) => lost(language),
    }
}

fn already(language: Language, authorisation: &Authorisation) -> Response {
    let words = language.words();
    let body = html! {
        h1 { (words.decided) }
        @if let Some(address) = &authorisation.return_to.approved { p { a href=(address) { (words.go_back) } } }
    };
    page(StatusCode::CONFLICT, language, words.decided, &body)
}

fn lost(language: Language) -> Response {
    let words = language.words();
    page(StatusCode::NOT_FOUND, language, words.not_found, &html! { h1 { (words.not_found) } })
}

pub(super) fn page(status: StatusCode, language: Language, title: &str, body: &Markup) -> Response {
    let words = language.words();
    let page = html! {
        (DOCTYPE)
        html lang=(language.code()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1";
                title { (title) " · " (words.bank) }
                style { (maud::PreEscaped(STYLE)) }
            }
            body {
                header { a href="/" { (words.bank) } small { (words.play_money) } }
                main { (body) }
            }
        }
    };
    let headers = [
        // No form-action: browsers apply it to the redirect after the answer, which leads to the third party.
        (CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (status, headers, Html(page.into_string())).into_response()
}
