//! What no real bank offers: `/sandbox/…`, for the demonstration, the tests and the curious.
//!
//! Writing calls take JSON bodies, so that a page from elsewhere cannot make them without the browser asking first. They
//! are for whoever runs the sandbox; product code uses `/v1` only.

use axum::extract::{Json, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, body::Body};
use serde::Deserialize;
use serde_json::{Value, json};

use super::App;
use super::error::BgError;
use crate::bank::fake::{
    AccountView, AuthorisationId, ConsentId, ConsentStatus, Days, Fault, Payment, PaymentId, Reason, Refusal, Settings,
};
use crate::iban::Iban;
use crate::money::{Currency, Money};

/// Accounts or entries an answer has when the caller does not say, and at most.
const PAGE: usize = 100;
const LARGEST_PAGE: usize = 10_000;

const EXPLANATION: &str = "\
The sandbox bank's helper API (JSON in and out). No real bank has it.

GET    /sandbox/accounts?skip=&limit=&login=            accounts with their balances
POST   /sandbox/accounts                                {\"login\":\"alice\",\"name\":\"Alice Martin\",\"opening\":\"100.00\"}
GET    /sandbox/accounts/{iban}                         one account
GET    /sandbox/accounts/{iban}/entries?skip=&limit=    its statement, oldest entry first
GET    /sandbox/payments?end_to_end=                    every payment with this reference
GET    /sandbox/payments/{id}                           one payment
POST   /sandbox/payments/{id}/return                    {\"reason\":\"AC04\"}: gives a settled payment back
POST   /sandbox/authorisations/{id}                     {\"approve\":true,\"login\":\"alice\"}: answers for the holder
POST   /sandbox/consents/{id}/revoke                    {}: the holder takes the consent back
GET    /sandbox/faults                                  the faults in force
POST   /sandbox/faults                                  {\"fault\":{\"kind\":\"lose_answer\"},\"on\":\"initiate\",\"times\":1}
DELETE /sandbox/faults                                  behave again
GET    /sandbox/settings                                how the bank behaves
PUT    /sandbox/settings                                the same, changed
GET    /sandbox/totals                                  what the books come to
POST   /sandbox/reset                                   {}: forget everything

Kinds of fault: slow {milliseconds}, refuse {reason}, no_funds, always_ask, lose_answer, cut_before, error_before {status},
error_after {status}, malformed, duplicate, reorder, strange_status, down, too_many {retry_after_seconds}.
Where: initiate, ask, accounts; everywhere without \"on\". How often: times, seconds, one_in.
";

/// The routes of the helper API.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/sandbox", get(|| async { EXPLANATION }))
        .route("/sandbox/accounts", get(list_accounts).post(open_account))
        .route("/sandbox/accounts/{iban}", get(read_account))
        .route("/sandbox/accounts/{iban}/entries", get(entries))
        .route("/sandbox/payments", get(find_payments))
        .route("/sandbox/payments/{payment}", get(read_payment))
        .route("/sandbox/payments/{payment}/return", post(give_back))
        .route("/sandbox/authorisations/{authorisation}", post(answer))
        .route("/sandbox/consents/{consent}/revoke", post(revoke))
        .route("/sandbox/faults", get(faults).post(misbehave).delete(behave))
        .route("/sandbox/settings", get(settings).put(change_settings))
        .route("/sandbox/totals", get(totals))
        .route("/sandbox/reset", post(reset))
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    skip: usize,
    limit: Option<usize>,
    login: Option<String>,
}

impl Page {
    fn limit(&self) -> usize {
        self.limit.unwrap_or(PAGE).min(LARGEST_PAGE)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewAccount {
    login: String,
    name: String,
    opening: String,
}

async fn open_account(State(app): State<App>, Json(wish): Json<NewAccount>) -> Result<Response, BgError> {
    let opening =
        Money::from_decimal(&wish.opening, Currency::EUR).map_err(|error| BgError::format("opening", error.to_string()))?;
    let account = app.bank.open_account(&wish.login, &wish.name, opening)?;
    let view = app.bank.account(&account.iban)?;
    Ok((StatusCode::CREATED, Json(account_json(&view))).into_response())
}

async fn list_accounts(State(app): State<App>, Query(page): Query<Page>) -> Result<Json<Value>, BgError> {
    let views = match &page.login {
        Some(login) => app.bank.accounts_of(login)?,
        None => app.bank.accounts(page.skip, page.limit())?,
    };
    Ok(Json(json!({"accounts": views.iter().map(account_json).collect::<Vec<_>>()})))
}

async fn read_account(State(app): State<App>, Path(iban): Path<String>) -> Result<Json<Value>, BgError> {
    Ok(Json(account_json(&app.bank.account(&known(&iban)?)?)))
}

async fn entries(State(app): State<App>, Path(iban): Path<String>, Query(page): Query<Page>) -> Result<Json<Value>, BgError> {
    let (entries, total) = app.bank.entries(&known(&iban)?, Days::default(), page.skip, page.limit())?;
    let shown: Vec<Value> = entries
        .iter()
        .map(|entry| {
            json!({
                "reference": entry.reference,
                "amount": entry.amount.decimal_string(),
                "balance_after": entry.balance_after.decimal_string(),
                "booked_at": entry.booked_at,
                "kind": entry.kind,
                "counterparty": entry.counterparty(),
                "payment": entry.payment,
                "end_to_end": entry.end_to_end,
                "remittance": entry.remittance,
            })
        })
        .collect();
    Ok(Json(json!({"total": total, "entries": shown})))
}

#[derive(Deserialize)]
struct ByReference {
    end_to_end: String,
}

async fn find_payments(State(app): State<App>, Query(query): Query<ByReference>) -> Result<Json<Value>, BgError> {
    let payments = app.bank.payments_with(&query.end_to_end)?;
    Ok(Json(json!({"payments": payments.iter().map(payment_json).collect::<Vec<_>>()})))
}

async fn read_payment(State(app): State<App>, Path(payment): Path<String>) -> Result<Json<Value>, BgError> {
    Ok(Json(payment_json(&app.bank.payment(&PaymentId(payment))?)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GiveBack {
    reason: String,
}

async fn give_back(
    State(app): State<App>,
    Path(payment): Path<String>,
    Json(wish): Json<GiveBack>,
) -> Result<Json<Value>, BgError> {
    let id = PaymentId(payment);
    app.bank.give_back(&id, &Reason(wish.reason))?;
    Ok(Json(payment_json(&app.bank.payment(&id)?)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    approve: bool,
    login: Option<String>,
}

async fn answer(
    State(app): State<App>,
    Path(authorisation): Path<String>,
    Json(answer): Json<Answer>,
) -> Result<Json<Value>, BgError> {
    let id = AuthorisationId(authorisation);
    app.bank.answer(&id, answer.approve, answer.login.as_deref())?;
    Ok(Json(json!({"status": app.bank.authorisation(&id)?.status.as_str()})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

async fn revoke(State(app): State<App>, Path(consent): Path<String>, Json(_): Json<Nothing>) -> Result<Json<Value>, BgError> {
    let id = ConsentId(consent);
    app.bank.end_consent(&id, ConsentStatus::RevokedByPsu)?;
    Ok(Json(json!({"status": app.bank.consent(&id)?.status.as_str()})))
}

async fn faults(State(app): State<App>) -> Json<Vec<Fault>> {
    Json(app.bank.faults())
}

async fn misbehave(State(app): State<App>, Json(fault): Json<Fault>) -> (StatusCode, Json<Vec<Fault>>) {
    app.bank.misbehave(fault);
    (StatusCode::CREATED, Json(app.bank.faults()))
}

async fn behave(State(app): State<App>) -> StatusCode {
    app.bank.behave();
    StatusCode::NO_CONTENT
}

async fn settings(State(app): State<App>) -> Json<Settings> {
    Json(app.bank.settings())
}

async fn change_settings(State(app): State<App>, Json(settings): Json<Settings>) -> Json<Settings> {
    app.bank.set_settings(settings);
    Json(app.bank.settings())
}

async fn totals(State(app): State<App>) -> Result<Json<Value>, BgError> {
    Ok(Json(json!(app.bank.totals()?)))
}

async fn reset(State(app): State<App>, Json(_): Json<Nothing>) -> Result<Response, BgError> {
    app.bank.reset()?;
    Ok((StatusCode::NO_CONTENT, Body::empty()).into_response())
}

fn known(iban: &str) -> Result<Iban, BgError> {
    iban.parse().map_err(|_| Refusal::UnknownAccount.into())
}

fn account_json(view: &AccountView) -> Value {
    json!({
        "iban": view.account.iban,
        "resource_id": view.account.resource_id,
        "login": view.account.login,
        "name": view.account.name,
        "balance": view.balances.booked.decimal_string(),
        "available": view.balances.available.decimal_string(),
        "entries": view.entries,
    })
}

fn payment_json(payment: &Payment) -> Value {
    let instruction = &payment.instruction;
    json!({
        "id": payment.id,
        "status": payment.status.code(),
        "reason": payment.reason,
        "returned": payment.returned,
        "received_at": payment.received_at,
        "history": payment.history.iter().map(|(at, status)| json!([at, status.code()])).collect::<Vec<_>>(),
        "authorisations": payment.authorisations,
        "product": instruction.product.as_str(),
        "debtor": instruction.debtor,
        "creditor": instruction.creditor,
        "creditor_name": instruction.creditor_name,
        "amount": instruction.amount.decimal_string(),
        "end_to_end": instruction.end_to_end,
        "remittance": instruction.remittance,
    })
}
