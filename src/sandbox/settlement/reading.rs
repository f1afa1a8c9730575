//! Everything that only reads, or that moves no money: capabilities, entries, payees, account links, and the clock.

use std::time::Duration;

use axum::Json;
use axum::extract::{Extension, Path, Query, Request, State as Extract};
use axum::http::StatusCode;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;
use unicode_normalization::UnicodeNormalization as _;

use super::failure::Failure;
use super::gate::{Client, Content, identify};
use super::{Shared, State, defect, payments, trigger};
use crate::bank::fake::{self, ConsentId, ConsentStatus, ConsentWish, Days, Entry, MovementKind, ReturnTo, Scope, Wanted};
use crate::bank::settlement::capabilities::{Capabilities, ClockFace};
use crate::bank::settlement::wire::{
    AccountLink, BookedEntry, Creditor, EntryPage, LinkWish, LinkedAccount, PayeeAnswer, PayeeQuestion,
};
use crate::clock::{Clock as _, later};
use crate::iban::Iban;
use crate::money::Money;

/// Entries on a page.
const PAGE: usize = 500;
/// Names that differ by less are close.
const CLOSE: f64 = 0.85;
/// For how long an account stays linked.
const LINK_DAYS: u64 = 180;

/// `GET /capabilities`
pub(super) async fn capabilities(Extract(state): Extract<Shared>, request: Request) -> Result<Json<Capabilities>, Failure> {
    if state.makes(defect::CAPABILITIES_BEHIND_AUTH) {
        match state.clients.is_empty() {
            true => return Err(Failure::new("unauthenticated", "The request is not signed.")),
            false => drop(identify(&state, &request, b"")?),
        }
    }
    Ok(Json(trigger::capabilities(&state)))
}

#[derive(Deserialize)]
pub(super) struct Day {
    date: Option<String>,
    account: Option<String>,
    after: Option<String>,
}

/// `GET /entries`
pub(super) async fn entries(
    Extract(state): Extract<Shared>,
    Extension(client): Extension<Client>,
    Query(query): Query<Day>,
) -> Result<Json<EntryPage>, Failure> {
    let date: Date = query
        .date
        .as_deref()
        .ok_or_else(|| Failure::field("/date", "is missing"))?
        .parse()
        .map_err(|_| Failure::field("/date", "is not a day such as 2026-11-21"))?;
    let skip: usize = match query.after.as_deref() {
        None => 0,
        Some(after) => after.parse().map_err(|_| Failure::field("/after", "is not what a page named as its next"))?,
    };
    let only: Option<Iban> = match &query.account {
        None => None,
        Some(text) => Some(text.parse().map_err(|_| Failure::field("/account", "is not an IBAN"))?),
    };
    let mut register = state.register.lock().await;
    payments::catch_up(&state, &mut register).await?;
    let ids: std::collections::HashSet<&str> = register.of(&client.0).map(|row| row.id.as_str()).collect();
    let debtors: std::collections::BTreeSet<&str> =
        register.of(&client.0).filter_map(|row| row.order.as_ref()).map(|order| order.debtor.iban.as_str()).collect();
    let days = Days { from: Some(date), to: Some(date) };
    let mut found = Vec::new();
    for account in debtors {
        let Ok(account) = account.parse::<Iban>() else { continue };
        if only.as_ref().is_some_and(|only| *only != account) {
            continue;
        }
        let (entries, _) = state.bank.entries(&account, days, 0, usize::MAX)?;
        let theirs = |entry: &Entry| entry.end_to_end.as_deref().is_some_and(|id| ids.contains(id));
        found.extend(entries.into_iter().filter(theirs).map(|entry| shown(&state, &account, entry)));
    }
    let more = found.len() > skip.saturating_add(PAGE);
    let next = more.then(|| (skip + PAGE).to_string());
    Ok(Json(EntryPage { date, entries: found.into_iter().skip(skip).take(PAGE).collect(), next }))
}

fn shown(state: &State, account: &Iban, entry: Entry) -> BookedEntry {
    let is_off = state.makes(defect::ENTRIES_OFF) && entry.reference.bytes().rev().nth(1).is_some_and(|digit| digit % 3 == 0);
    let amount = Money::new(entry.amount.minor + i64::from(is_off), entry.amount.currency);
    let other = entry.counterparty();
    BookedEntry {
        kind: if entry.kind == MovementKind::Return { "return" } else { "transfer" }.to_owned(),
        account: account.as_str().to_owned(),
        amount: amount.decimal_string(),
        currency: amount.currency.code().to_owned(),
        counterparty: Some(Creditor { iban: other.iban.as_str().to_owned(), name: other.name.clone() }),
        id: entry.reference,
        end_to_end_id: entry.end_to_end,
        booked_at: entry.booked_at,
    }
}

/// `POST /payee-verifications`
pub(super) async fn verify_payee(
    Extract(state): Extract<Shared>,
    Extension(content): Extension<Content>,
) -> Result<Json<PayeeAnswer>, Failure> {
    let question: PayeeQuestion = read(&content)?;
    let iban: Iban = question.iban.parse().map_err(|_| Failure::field("/iban", "is not an IBAN"))?;
    if question.name.trim().is_empty() || question.name.chars().count() > 140 {
        return Err(Failure::field("/name", "has to have 1 to 140 characters"));
    }
    let answer = |result: &str, name| PayeeAnswer { result: result.to_owned(), name };
    if state.makes(defect::VERIFIES_ANYBODY) {
        return Ok(Json(answer("match", None)));
    }
    let Ok(held) = state.bank.account(&iban) else { return Ok(Json(answer("not_possible", None))) };
    let (asked, true_name) = (plain(&question.name), plain(&held.account.name));
    let likeness = strsim::normalized_damerau_levenshtein(&asked, &true_name);
    Ok(Json(match likeness {
        _ if asked == true_name => answer("match", None),
        close if close >= CLOSE => answer("close_match", Some(held.account.name)),
        _ => answer("no_match", None),
    }))
}

/// A name without what people write differently: case, accents, spaces and marks.
fn plain(name: &str) -> String {
    name.nfkd().filter(|character| character.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn read<T: serde::de::DeserializeOwned>(content: &Content) -> Result<T, Failure> {
    serde_json::from_slice::<serde_json::Value>(&content.bytes)
        .map_err(|error| Failure::new("malformed", format!("No JSON: {error}")))?;
    serde_json::from_slice(&content.bytes).map_err(|error| Failure::field("", error.to_string()))
}

/// `POST /account-links`
pub(super) async fn link_account(
    Extract(state): Extract<Shared>,
    Extension(content): Extension<Content>,
) -> Result<(StatusCode, Json<AccountLink>), Failure> {
    let wish: LinkWish = read(&content)?;
    if !url::Url::parse(&wish.return_url).is_ok_and(|url| matches!(url.scheme(), "http" | "https")) {
        return Err(Failure::field("/return_url", "is not an address of the web"));
    }
    let until = later(state.bank.now(), Duration::from_hours(24 * LINK_DAYS));
    let consent = ConsentWish {
        scope: Scope::Dedicated { accounts: Wanted::Offered, balances: Wanted::Nothing, transactions: Wanted::Offered },
        recurring: true,
        valid_until: until.to_zoned(TimeZone::UTC).date(),
        frequency_per_day: 4,
        login: None,
    };
    let return_to = ReturnTo { approved: Some(wish.return_url.clone()), refused: Some(wish.return_url) };
    let consent = state.bank.ask_consent(consent, return_to)?;
    let page = consent.authorisations.last().map(|id| format!("{}/approve/{id}", state.bank_pages()));
    let link = AccountLink { id: consent.id.0, state: "pending".to_owned(), url: page, accounts: Vec::new() };
    Ok((StatusCode::CREATED, Json(link)))
}

/// `GET /account-links/{link}`
pub(super) async fn account_link(Extract(state): Extract<Shared>, Path(link): Path<String>) -> Result<Json<AccountLink>, Failure> {
    let Ok(consent) = state.bank.consent(&ConsentId(link)) else {
        return Err(Failure::new("link_not_found", "There is no account link under this id."));
    };
    let page = |id: &fake::AuthorisationId| format!("{}/approve/{id}", state.bank_pages());
    let (word, url) = match consent.status {
        ConsentStatus::Received => ("pending", consent.authorisations.last().map(page)),
        ConsentStatus::Valid => ("active", None),
        _ => ("ended", None),
    };
    let mut accounts = Vec::new();
    if word == "active" {
        for (iban, _) in consent.grant.iter().flat_map(|grant| &grant.rights) {
            let view = state.bank.account(iban)?;
            let (iban, name) = (view.account.iban.as_str().to_owned(), Some(view.account.name));
            accounts.push(LinkedAccount { iban, name, currency: fake::CURRENCY.code().to_owned() });
        }
    }
    Ok(Json(AccountLink { id: consent.id.0, state: word.to_owned(), url, accounts }))
}

/// `GET /test/clock`
pub(super) async fn clock(Extract(state): Extract<Shared>) -> Json<ClockFace> {
    Json(ClockFace { now: state.clock.now() })
}

/// How far the clock is set forward.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Advance {
    advance_seconds: u64,
}

/// The furthest at one time: ten years.
const FURTHEST_SECONDS: u64 = 10 * 366 * 24 * 3_600;

/// `POST /test/clock`
pub(super) async fn advance(
    Extract(state): Extract<Shared>,
    Json(Advance { advance_seconds }): Json<Advance>,
) -> Result<Json<ClockFace>, Failure> {
    if advance_seconds > FURTHEST_SECONDS {
        return Err(Failure::field("/advance_seconds", "is more than ten years"));
    }
    let mut register = state.register.lock().await;
    register.advance(Duration::from_secs(advance_seconds)).await?;
    state.clock.set_ahead(register.ahead);
    Ok(Json(ClockFace { now: state.clock.now() }))
}
