//! What a person changes about themselves.
//!
//! | request | does |
//! |---|---|
//! | `GET /me/settings` | shows everything that can be changed |
//! | `POST /me/settings/phrase`, `/language`, `/limits` | changes it; limits are lowered at once and raised later |
//! | `POST /me/passkeys/begin`, `/me/passkeys` | a challenge; adds the passkey |
//! | `POST /me/passkeys/remove` | removes one, not the last |
//! | `POST /me/accounts`, `/me/banks` | begins to link another account on a platform, or at a bank: goes on as an enrolment |
//! | `POST /me/settings/unlink`, `/disconnect`, `/pay-from` | unlinks, disconnects, chooses |

use std::sync::Arc;

use axum::Json;
use axum::extract::{Form, State};
use axum::http::HeaderMap;
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::session;
use super::{Entered, door};
use crate::app::account::view::{self, Inbox};
use crate::app::account::{self, Act, Problem, ceremony};
use crate::app::enrol;
use crate::ids::BankName;
use crate::messages::amount;
use crate::money::Money;
use crate::people::{BankAccount, Language};
use crate::web::Web;
use crate::web::enrol::{lead_to_bank, safe_phrase, set_enrolment};
use crate::web::failure::Failure;
use crate::web::passkey::{Ceremony, New, challenge, form, go_on};
use crate::web::shell::{Page, document, moment, name_of};
use crate::web::visitor::Visitor;
use crate::web::words::{Settings, Texts, fill, texts};

const HERE: &str = "/me/settings";

/// `GET /me/settings`
pub(in crate::web) async fn show(State(state): State<Arc<Web>>, visitor: Visitor, headers: HeaderMap) -> Result<Response, Failure> {
    let Some(mut entered) = session::find(&state, &headers).await? else { return Ok(door(&state, &visitor)) };
    let inbox = view::inbox(&state.app, &entered.visit.person).await?;
    let mut response = page(&state, &visitor, &inbox, &entered.visit.passkey).into_response();
    entered.renew(&state, &mut response).await?;
    Ok(response)
}

fn page(state: &Web, visitor: &Visitor, inbox: &Inbox, current: &str) -> Html<String> {
    let all = texts(visitor.language);
    let words = &all.settings;
    let body = html! {
        p { a href="/me" { (words.back) } }
        h1 { (words.title) }
        (phrase_and_language(words, inbox))
        (limits(words, visitor.language, inbox))
        (passkeys(all, inbox, current))
        (accounts(words, inbox))
        (banks(state, words, inbox))
        h2 { (words.data) }
        p { a.button href="/me/export" { (words.export) } }
        p { a.button href="/me/erase" { (words.erase) } }
    };
    document(&Page::new(visitor, &words.title, state.ground), &body)
}

fn phrase_and_language(words: &Settings, inbox: &Inbox) -> Markup {
    let person = &inbox.known.person;
    html! {
        h2 { (words.phrase) }
        form method="post" action="/me/settings/phrase" {
            label for="phrase" { (words.phrase_label) }
            input #phrase name="phrase" required minlength="3" maxlength="32" autocomplete="off" value=(person.safe_phrase);
            p.hint { (words.phrase_hint) }
            button { (words.save) }
        }
        h2 { (words.language) }
        form method="post" action="/me/settings/language" {
            label {
                (words.language_label)
                select name="language" {
                    @for language in Language::ALL {
                        option value=(language.code()) selected[language == person.language] { (name_of(language)) }
                    }
                }
            }
            button { (words.save) }
        }
    }
}

fn limits(words: &Settings, language: Language, inbox: &Inbox) -> Markup {
    let own = &inbox.known.limits;
    let currency = inbox.limits.currency;
    let shown = |minor: Option<i64>| minor.map(|minor| Money::new(minor, currency).decimal_string());
    let money =
        |minor: Option<i64>| minor.map_or_else(|| words.no_limit.clone(), |minor| amount(language, Money::new(minor, currency)));
    html! {
        h2 { (words.limits) }
        form method="post" action="/me/settings/limits" {
            label { (fill(&words.limit_order, &[("currency", currency.code())])) input name="order" inputmode="decimal" value=[shown(own.order_minor)]; }
            label { (fill(&words.limit_day, &[("currency", currency.code())])) input name="day" inputmode="decimal" value=[shown(own.day_minor)]; }
            p.hint { (words.limits_hint) }
            @if let Some(raise) = &own.raise {
                p { (fill(&words.raise, &[
                    ("order", &money(raise.order_minor)), ("day", &money(raise.day_minor)), ("time", &raise.from.strftime("%Y-%m-%d %H:%M").to_string()),
                ])) }
            }
            button { (words.save) }
        }
    }
}

fn passkeys(all: &Texts, inbox: &Inbox, current: &str) -> Markup {
    let words = &all.settings;
    html! {
        h2 { (words.passkeys) }
        ul.plain {
            @for key in &inbox.passkeys {
                li.card {
                    p { (words.passkey_since) " " (moment(key.added_at)) @if key.id == current { " · " strong { (words.passkey_this) } } }
                    @if key.usable_at > inbox.now { p.quiet { (words.passkey_new) " " (moment(key.usable_at)) } }
                    @if inbox.passkeys.len() > 1 {
                        form.inline method="post" action="/me/passkeys/remove" {
                            button name="passkey" value=(key.id) { (words.remove) }
                        }
                    }
                }
            }
        }
        (form(all, Ceremony::Make, "/me/passkeys", &all.passkey.add, &html! {}))
    }
}

fn accounts(words: &Settings, inbox: &Inbox) -> Markup {
    html! {
        h2 { (words.accounts) }
        ul.plain {
            @for row in &inbox.known.links {
                li.card {
                    p { strong.handle { "@" (row.link.handle) } " " span.quiet { (row.link.platform) } }
                    @if inbox.known.links.len() > 1 {
                        form.inline method="post" action="/me/settings/unlink" {
                            input type="hidden" name="platform" value=(row.link.platform);
                            button name="account" value=(row.link.account) { (words.unlink) }
                        }
                    }
                }
            }
        }
        form method="post" action="/me/accounts" { button { (words.account_add) } }
    }
}

fn banks(state: &Web, words: &Settings, inbox: &Inbox) -> Markup {
    let mut names: Vec<_> = state.app.banks.keys().collect();
    names.sort();
    html! {
        h2 { (words.banks) }
        ul.plain {
            @for (place, account) in inbox.known.accounts.iter().enumerate() {
                li.card {
                    p { strong { (account.iban.masked()) } " " span.quiet { (account.bank) } @if place == 0 { " · " (words.pays) } }
                    @if inbox.known.accounts.len() > 1 {
                        div.row {
                            @if place > 0 { (choice("/me/settings/pay-from", account, &words.pay_from)) }
                            (choice("/me/settings/disconnect", account, &words.disconnect))
                        }
                    }
                }
            }
        }
        form method="post" action="/me/banks" {
            @match names.as_slice() {
                [bank] => { input type="hidden" name="bank" value=(bank); }
                banks => { label { (words.bank_which) select name="bank" required { @for bank in banks { option value=(bank) { (bank) } } } } }
            }
            button { (words.bank_add) }
        }
    }
}

fn choice(action: &str, account: &BankAccount, button: &str) -> Markup {
    html! {
        form.inline method="post" action=(action) {
            input type="hidden" name="bank" value=(account.bank);
            button name="iban" value=(account.iban.as_str()) { (button) }
        }
    }
}

#[derive(Deserialize)]
pub(in crate::web) struct Phrase {
    phrase: String,
}

/// `POST /me/settings/phrase`
pub(in crate::web) async fn set_phrase(
    State(state): State<Arc<Web>>,
    entered: Entered,
    Form(form): Form<Phrase>,
) -> Result<Redirect, Failure> {
    let act = Act::SetPhrase { person: entered.visit.person, phrase: safe_phrase(&form.phrase)? };
    done(&state, act).await
}

#[derive(Deserialize)]
pub(in crate::web) struct Spoken {
    language: String,
}

/// `POST /me/settings/language`
pub(in crate::web) async fn set_language(
    State(state): State<Arc<Web>>,
    entered: Entered,
    Form(form): Form<Spoken>,
) -> Result<Redirect, Failure> {
    let language = Language::from_tag(&form.language).ok_or(Failure::BadRequest)?;
    done(&state, Act::SetLanguage { person: entered.visit.person, language }).await
}

#[derive(Deserialize)]
pub(in crate::web) struct Most {
    #[serde(default)]
    order: String,
    #[serde(default)]
    day: String,
}

/// `POST /me/settings/limits`; an empty field is no limit of one's own.
pub(in crate::web) async fn set_limits(
    State(state): State<Arc<Web>>,
    entered: Entered,
    Form(form): Form<Most>,
) -> Result<Redirect, Failure> {
    let currency = state.app.limits.now().limits.currency;
    let minor = |text: &str| -> Result<Option<i64>, Failure> {
        let text = text.trim().replace(',', ".");
        if text.is_empty() {
            return Ok(None);
        }
        let money = Money::from_decimal(&text, currency).map_err(|_| Failure::Problem(Problem::Unreadable))?;
        Ok(Some(money.minor))
    };
    let act = Act::SetLimits { person: entered.visit.person, order_minor: minor(&form.order)?, day_minor: minor(&form.day)? };
    done(&state, act).await
}

/// `POST /me/passkeys/begin`
pub(in crate::web) async fn begin_adding(State(state): State<Arc<Web>>, entered: Entered) -> Result<Response, Failure> {
    let visit = &entered.visit;
    Ok(challenge(ceremony::begin_adding(&state.app, &visit.person, &visit.binding).await?))
}

/// `POST /me/passkeys`
pub(in crate::web) async fn add_passkey(
    State(state): State<Arc<Web>>,
    entered: Entered,
    Json(new): Json<New>,
) -> Result<Response, Failure> {
    account::perform(&state.ledger, Act::AddPasskey { binding: entered.visit.binding, made: new.into() }).await?;
    Ok(go_on(HERE))
}

#[derive(Deserialize)]
pub(in crate::web) struct Which {
    passkey: String,
}

/// `POST /me/passkeys/remove`
pub(in crate::web) async fn remove_passkey(
    State(state): State<Arc<Web>>,
    entered: Entered,
    Form(form): Form<Which>,
) -> Result<Redirect, Failure> {
    done(&state, Act::RemovePasskey { person: entered.visit.person, passkey: form.passkey }).await
}

#[derive(Deserialize)]
pub(in crate::web) struct Linked {
    platform: String,
    account: String,
}

/// `POST /me/settings/unlink`
pub(in crate::web) async fn unlink(
    State(state): State<Arc<Web>>,
    entered: Entered,
    Form(form): Form<Linked>,
) -> Result<Redirect, Failure> {
    done(&state, Act::Unlink { person: entered.visit.person, platform: form.platform, account: form.account }).await
}

#[derive(Deserialize)]
pub(in crate::web) struct AtBank {
    bank: String,
    iban: String,
}

impl AtBank {
    fn of(self, entered: Entered) -> Result<BankAccount, Failure> {
        let iban = self.iban.parse().map_err(|_| Failure::BadAccount)?;
        Ok(BankAccount { person: entered.visit.person, bank: BankName(self.bank), iban, consent: None })
    }
}

/// `POST /me/settings/pay-from`
pub(in crate::web) async fn pay_from(
    State(state): State<Arc<Web>>,
    entered: Entered,
    Form(form): Form<AtBank>,
) -> Result<Redirect, Failure> {
    done(&state, Act::PayFrom { account: form.of(entered)? }).await
}

/// `POST /me/settings/disconnect`
pub(in crate::web) async fn disconnect(
    State(state): State<Arc<Web>>,
    entered: Entered,
    Form(form): Form<AtBank>,
) -> Result<Redirect, Failure> {
    done(&state, Act::Disconnect { account: form.of(entered)? }).await
}

/// `POST /me/accounts`: a code to send from the other account.
pub(in crate::web) async fn begin_linking(State(state): State<Arc<Web>>, entered: Entered) -> Result<Response, Failure> {
    let (token, _) = enrol::begin_linking(&state.app, &entered.visit.person).await?;
    let mut response = Redirect::to("/enrol").into_response();
    set_enrolment(&mut response, &token, &state);
    Ok(response)
}

#[derive(Deserialize)]
pub(in crate::web) struct Bank {
    bank: String,
}

/// `POST /me/banks`: the bank's page.
pub(in crate::web) async fn begin_connecting(
    State(state): State<Arc<Web>>,
    entered: Entered,
    Form(form): Form<Bank>,
) -> Result<Response, Failure> {
    let (token, enrolment) = enrol::begin_connecting(&state.app, &BankName(form.bank), &entered.visit.person).await?;
    let mut response = lead_to_bank(&state, &enrolment);
    set_enrolment(&mut response, &token, &state);
    Ok(response)
}

async fn done(state: &Web, act: Act) -> Result<Redirect, Failure> {
    account::perform(&state.ledger, act).await?;
    Ok(Redirect::to(HERE))
}
