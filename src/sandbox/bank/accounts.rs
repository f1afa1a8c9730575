//! Reading accounts with a consent (AIS), and asking whether money is there (PIIS).

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::BgError;
use super::initiation::{AccountReference, Amount, read_json};
use super::payments::{amount, href, whole};
use super::{App, gate};
use crate::bank::fake::{AccountView, Consent, ConsentId, ConsentStatus, Days, Entry, MovementKind, Payment, Product, Right};
use crate::clock::Timestamp;
use crate::iban::Iban;

/// Entries a page has when the caller does not say, and at most.
const PAGE: usize = 100;
const LARGEST_PAGE: usize = 1_000;

/// The day of a moment at the bank, which keeps UTC.
pub(super) fn day(moment: Timestamp) -> Date {
    moment.to_zoned(jiff::tz::TimeZone::UTC).date()
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WithBalance {
    with_balance: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Statement {
    booking_status: Option<String>,
    date_from: Option<String>,
    date_to: Option<String>,
    with_balance: Option<bool>,
    page_index: Option<usize>,
    items_per_page: Option<usize>,
}

/// `GET /v1/accounts`
pub(super) async fn list(
    State(app): State<App>,
    query: Result<Query<WithBalance>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Json<Value>, BgError> {
    let query = readable(query)?;
    let consent = consent(&app, &headers)?;
    let given = consent.grant.iter().flat_map(|grant| &grant.rights).map(|(iban, _)| iban);
    let mut accounts = Vec::new();
    for iban in given.filter(|iban| consent.allows(iban, Right::Account)) {
        let view = app.bank.account(iban)?;
        accounts.push(details(&view, &consent, query.with_balance.unwrap_or(false)));
    }
    Ok(Json(json!({"accounts": accounts})))
}

/// `GET /v1/accounts/{account}`
pub(super) async fn read(
    State(app): State<App>,
    Path(account): Path<String>,
    query: Result<Query<WithBalance>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Json<Value>, BgError> {
    let query = readable(query)?;
    let consent = consent(&app, &headers)?;
    let view = reach(&app, &consent, &account, Right::Account)?;
    Ok(Json(json!({"account": details(&view, &consent, query.with_balance.unwrap_or(false))})))
}

/// `GET /v1/accounts/{account}/balances`
pub(super) async fn balances(
    State(app): State<App>,
    Path(account): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, BgError> {
    let consent = consent(&app, &headers)?;
    let view = reach(&app, &consent, &account, Right::Balances)?;
    Ok(Json(json!({"account": {"iban": view.account.iban.as_str()}, "balances": balance_list(&view)})))
}

/// `GET /v1/accounts/{account}/transactions`
pub(super) async fn transactions(
    State(app): State<App>,
    Path(account): Path<String>,
    query: Result<Query<Statement>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Json<Value>, BgError> {
    let query = readable(query)?;
    let consent = consent(&app, &headers)?;
    let view = reach(&app, &consent, &account, Right::Transactions)?;
    let (booked, pending) = match query.booking_status.as_deref() {
        Some("booked") => (true, false),
        Some("pending") => (false, true),
        Some("both") => (true, true),
        Some("information" | "all") => {
            return Err(BgError::new(StatusCode::BAD_REQUEST, "PARAMETER_NOT_SUPPORTED", "standing orders are not shown here"));
        }
        _ => return Err(BgError::format("bookingStatus", "booked, pending or both")),
    };
    let days = days(&query, day(app.bank.now()))?;
    let address = format!("/v1/accounts/{account}");
    let mut report = json!({"_links": {"account": href(address.as_str())}});
    if booked {
        let size = query.items_per_page.unwrap_or(PAGE).clamp(1, LARGEST_PAGE);
        let page = query.page_index.unwrap_or(0);
        let skip = page.saturating_mul(size);
        let (entries, total) = app.bank.entries(&view.account.iban, days, skip, size)?;
        report["booked"] = entries.iter().map(booked_entry).collect();
        if skip.saturating_add(entries.len()) < total {
            let query = page_query(&query, page + 1, size);
            report["_links"]["next"] = href(format!("{address}/transactions?{query}"));
        }
    }
    if pending {
        report["pending"] =
            app.bank.open_payments(&view.account.iban)?.iter().map(|payment| pending_entry(payment, &view)).collect();
    }
    let mut answer = json!({"account": {"iban": view.account.iban.as_str()}, "transactions": report});
    if query.with_balance.unwrap_or(false) && consent.allows(&view.account.iban, Right::Balances) {
        answer["balances"] = balance_list(&view);
    }
    Ok(Json(answer))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FundsQuestion {
    account: AccountReference,
    instructed_amount: Amount,
}

/// `POST /v1/funds-confirmations`
pub(super) async fn funds(
    State(app): State<App>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, BgError> {
    gate::json_content(&headers)?;
    let question: FundsQuestion = read_json(&whole(body)?)?;
    let iban = question.account.iban("account")?;
    let asked = question.instructed_amount.euros("instructedAmount")?;
    let unknown = |_| BgError::new(StatusCode::BAD_REQUEST, "RESOURCE_UNKNOWN", "this account is not held here");
    let view = app.bank.account(&iban).map_err(unknown)?;
    Ok(Json(json!({"fundsAvailable": view.balances.available.minor >= asked.minor})))
}

/// The parameters of a call, or a FORMAT_ERROR that says what is wrong with them.
fn readable<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, BgError> {
    query.map(|Query(query)| query).map_err(|rejection| BgError::format("query", rejection.body_text()))
}

/// The consent that a call rests on.
fn consent(app: &App, headers: &HeaderMap) -> Result<Consent, BgError> {
    let id = gate::required(headers, "Consent-ID")?;
    let consent = app.bank.consent(&ConsentId(id.to_owned()))?;
    match consent.status {
        ConsentStatus::Valid => Ok(consent),
        ConsentStatus::Expired => Err(BgError::new(StatusCode::UNAUTHORIZED, "CONSENT_EXPIRED", "this consent has expired")),
        _ => Err(BgError::new(StatusCode::UNAUTHORIZED, "CONSENT_INVALID", "this consent is not given, or no longer")),
    }
}

fn reach(app: &App, consent: &Consent, resource_id: &str, right: Right) -> Result<AccountView, BgError> {
    let view = app.bank.account_by_resource(resource_id)?;
    if consent.allows(&view.account.iban, right) {
        return Ok(view);
    }
    Err(BgError::new(StatusCode::UNAUTHORIZED, "CONSENT_INVALID", "this consent does not cover this access to this account"))
}

fn details(view: &AccountView, consent: &Consent, with_balance: bool) -> Value {
    let account = &view.account;
    let address = format!("/v1/accounts/{}", account.resource_id);
    let mut links = json!({});
    for (right, name) in [(Right::Balances, "balances"), (Right::Transactions, "transactions")] {
        if consent.allows(&account.iban, right) {
            links[name] = href(format!("{address}/{name}"));
        }
    }
    let mut details = json!({
        "resourceId": account.resource_id,
        "iban": account.iban.as_str(),
        "currency": "EUR",
        "ownerName": account.name,
        "name": account.name,
        "cashAccountType": "CACC",
        "status": "enabled",
        "_links": links,
    });
    if with_balance && consent.allows(&account.iban, Right::Balances) {
        details["balances"] = balance_list(view);
    }
    details
}

fn balance_list(view: &AccountView) -> Value {
    json!([
        {"balanceType": "interimBooked", "balanceAmount": amount(view.balances.booked)},
        {"balanceType": "interimAvailable", "balanceAmount": amount(view.balances.available)},
    ])
}

fn days(query: &Statement, today: Date) -> Result<Days, BgError> {
    let read = |name: &str, text: &Option<String>| -> Result<Option<Date>, BgError> {
        let parse = |text: &String| text.parse().map_err(|_| BgError::format(name, "a date is written as in 2026-11-20"));
        text.as_ref().map(parse).transpose()
    };
    let from = read("dateFrom", &query.date_from)?.ok_or_else(|| BgError::format("dateFrom", "this parameter is required"))?;
    let to = read("dateTo", &query.date_to)?.unwrap_or(today);
    if from > to {
        return Err(BgError::new(StatusCode::BAD_REQUEST, "PERIOD_INVALID", "dateFrom is after dateTo"));
    }
    Ok(Days { from: Some(from), to: Some(to) })
}

fn page_query(query: &Statement, page: usize, size: usize) -> String {
    let given = [("bookingStatus", &query.booking_status), ("dateFrom", &query.date_from), ("dateTo", &query.date_to)];
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in given {
        if let Some(value) = value {
            pairs.append_pair(name, value);
        }
    }
    pairs.append_pair("pageIndex", &page.to_string()).append_pair("itemsPerPage", &size.to_string());
    pairs.finish()
}

fn booked_entry(entry: &Entry) -> Value {
    let mut shown = json!({
        "transactionId": entry.reference,
        "entryReference": entry.reference,
        "bookingDate": day(entry.booked_at),
        "valueDate": day(entry.booked_at),
        "transactionAmount": amount(entry.amount),
        "creditorName": entry.creditor.name,
        "creditorAccount": account_reference(&entry.creditor.iban),
        "debtorName": entry.debtor.name,
        "debtorAccount": account_reference(&entry.debtor.iban),
        "bankTransactionCode": transaction_code(entry),
        "balanceAfterTransaction": {"balanceType": "interimBooked", "balanceAmount": amount(entry.balance_after)},
    });
    if let Some(reference) = &entry.end_to_end {
        shown["endToEndId"] = reference.as_str().into();
    }
    if let Some(remittance) = &entry.remittance {
        shown["remittanceInformationUnstructured"] = remittance.as_str().into();
    }
    shown
}

fn pending_entry(payment: &Payment, view: &AccountView) -> Value {
    let instruction = &payment.instruction;
    let debit = crate::money::Money::new(-instruction.amount.minor, instruction.amount.currency);
    let mut shown = json!({
        "transactionId": payment.id,
        "transactionAmount": amount(debit),
        "creditorName": instruction.creditor_name,
        "creditorAccount": account_reference(&instruction.creditor),
        "debtorName": view.account.name,
        "debtorAccount": account_reference(&instruction.debtor),
    });
    if let Some(reference) = &instruction.end_to_end {
        shown["endToEndId"] = reference.as_str().into();
    }
    shown
}

fn account_reference(iban: &Iban) -> Value {
    json!({"iban": iban.as_str()})
}

/// ISO 20022 bank transaction code: domain, family, sub-family.
fn transaction_code(entry: &Entry) -> &'static str {
    let debit = entry.amount.minor < 0;
    match (entry.kind, debit) {
        (MovementKind::Transfer(Product::SepaCreditTransfers), true) => "PMNT-ICDT-ESCT",
        (MovementKind::Transfer(Product::SepaCreditTransfers), false) => "PMNT-RCDT-ESCT",
        (MovementKind::Transfer(Product::InstantSepaCreditTransfers), true) => "PMNT-IRCT-ESCT",
        (MovementKind::Transfer(Product::InstantSepaCreditTransfers), false) => "PMNT-RRCT-ESCT",
        (MovementKind::Return, true) => "PMNT-RCDT-RRTN",
        (MovementKind::Return, false) => "PMNT-ICDT-RRTN",
        (MovementKind::Opening, _) => "PMNT-MCOP-OTHR",
    }
}
