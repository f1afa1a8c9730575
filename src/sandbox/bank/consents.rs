//! Consents to read accounts (AIS): `/v1/consents…`.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::civil::Date;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::accounts::day;
use super::error::BgError;
use super::initiation::{AccountReference, read_json};
use super::payments::{approval_page, href, sca_status_of, started, whole};
use super::{App, gate};
use crate::bank::fake::{Consent, ConsentId, ConsentStatus, ConsentWish, Grant, Right, Scope, Subject, Wanted};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    access: Access,
    recurring_indicator: bool,
    valid_until: String,
    frequency_per_day: u32,
    combined_service_indicator: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Access {
    accounts: Option<Vec<AccountReference>>,
    balances: Option<Vec<AccountReference>>,
    transactions: Option<Vec<AccountReference>>,
    available_accounts: Option<AllAccounts>,
    available_accounts_with_balance: Option<AllAccounts>,
    all_psd2: Option<AllAccounts>,
    #[serde(rename = "restrictedTo")]
    _restricted_to: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum AllAccounts {
    AllAccounts,
    AllAccountsWithOwnerName,
}

/// `POST /v1/consents`
pub(super) async fn create(
    State(app): State<App>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, BgError> {
    gate::payer_address(&headers)?;
    gate::json_content(&headers)?;
    let body: Body = read_json(&whole(body)?)?;
    let login = gate::optional(&headers, "PSU-ID")?.map(str::to_owned);
    let wish = wish(&body, login, day(app.bank.now()))?;
    let consent = app.bank.ask_consent(wish, gate::return_to(&headers)?)?;
    let path = format!("/v1/consents/{}", consent.id);
    let mut links = json!({"self": href(path.as_str()), "status": href(format!("{path}/status"))});
    if let Some(authorisation) = consent.authorisations.first() {
        links["scaRedirect"] = href(approval_page(&app, authorisation));
        links["scaStatus"] = href(format!("{path}/authorisations/{authorisation}"));
    }
    let answer = json!({"consentStatus": consent.status.as_str(), "consentId": consent.id, "_links": links});
    let location = format!("{}{path}", app.public_url);
    let headers = [(LOCATION.as_str(), location.as_str()), ("aspsp-sca-approach", "REDIRECT")];
    Ok((StatusCode::CREATED, headers, Json(answer)).into_response())
}

/// `GET /v1/consents/{consent}`
pub(super) async fn read(State(app): State<App>, Path(consent): Path<String>) -> Result<Json<Value>, BgError> {
    let consent = app.bank.consent(&ConsentId(consent))?;
    Ok(Json(json!({
        "access": access(&consent),
        "recurringIndicator": consent.wish.recurring,
        "validUntil": consent.wish.valid_until,
        "frequencyPerDay": consent.wish.frequency_per_day,
        "lastActionDate": day(consent.changed_at),
        "consentStatus": consent.status.as_str(),
    })))
}

/// `GET /v1/consents/{consent}/status`
pub(super) async fn status(State(app): State<App>, Path(consent): Path<String>) -> Result<Json<Value>, BgError> {
    let consent = app.bank.consent(&ConsentId(consent))?;
    Ok(Json(json!({"consentStatus": consent.status.as_str()})))
}

/// `DELETE /v1/consents/{consent}`
pub(super) async fn delete(State(app): State<App>, Path(consent): Path<String>) -> Result<StatusCode, BgError> {
    app.bank.end_consent(&ConsentId(consent), ConsentStatus::TerminatedByTpp)?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /v1/consents/{consent}/authorisations`
pub(super) async fn authorisations(State(app): State<App>, Path(consent): Path<String>) -> Result<Json<Value>, BgError> {
    let consent = app.bank.consent(&ConsentId(consent))?;
    Ok(Json(json!({"authorisationIds": consent.authorisations})))
}

/// `POST /v1/consents/{consent}/authorisations`
pub(super) async fn start_authorisation(
    State(app): State<App>,
    Path(consent): Path<String>,
    headers: HeaderMap,
) -> Result<Response, BgError> {
    let id = ConsentId(consent);
    let list = format!("/v1/consents/{id}/authorisations");
    let authorisation = app.bank.start_authorisation(Subject::Consent(id), gate::return_to(&headers)?)?;
    Ok(started(&app, &authorisation, &list))
}

/// `GET /v1/consents/{consent}/authorisations/{authorisation}`
pub(super) async fn sca_status(
    State(app): State<App>,
    Path((consent, authorisation)): Path<(String, String)>,
) -> Result<Json<Value>, BgError> {
    Ok(Json(sca_status_of(&app, authorisation, &Subject::Consent(ConsentId(consent)))?))
}

fn wish(body: &Body, login: Option<String>, today: Date) -> Result<ConsentWish, BgError> {
    let valid_until: Date =
        body.valid_until.parse().map_err(|_| BgError::format("validUntil", "a date is written as in 2026-11-20"))?;
    if valid_until < today {
        return Err(BgError::format("validUntil", "this day is over"));
    }
    if body.frequency_per_day < 1 || (!body.recurring_indicator && body.frequency_per_day != 1) {
        return Err(BgError::format("frequencyPerDay", "at least 1, and exactly 1 for a single use"));
    }
    if body.combined_service_indicator {
        let status = StatusCode::BAD_REQUEST;
        return Err(BgError::new(status, "SESSIONS_NOT_SUPPORTED", "payments are not combined with consents here"));
    }
    Ok(ConsentWish {
        scope: scope(&body.access)?,
        recurring: body.recurring_indicator,
        valid_until,
        frequency_per_day: body.frequency_per_day,
        login,
    })
}

fn scope(access: &Access) -> Result<Scope, BgError> {
    let lists = [("accounts", &access.accounts), ("balances", &access.balances), ("transactions", &access.transactions)];
    let any_list = lists.iter().any(|(_, list)| list.is_some());
    let whole = [&access.available_accounts, &access.available_accounts_with_balance, &access.all_psd2];
    let scope = match (any_list, whole) {
        (true, [None, None, None]) => {
            let [accounts, balances, transactions] = lists.map(|(name, list)| wanted(name, list.as_deref()));
            Scope::Dedicated { accounts: accounts?, balances: balances?, transactions: transactions? }
        }
        (false, [Some(_), None, None]) => Scope::Available { with_balances: false },
        (false, [None, Some(_), None]) => Scope::Available { with_balances: true },
        (false, [None, None, Some(_)]) => Scope::Everything,
        _ => return Err(BgError::format("access", "lists of accounts, or one of availableAccounts, …WithBalance and allPsd2")),
    };
    Ok(scope)
}

fn wanted(name: &str, list: Option<&[AccountReference]>) -> Result<Wanted, BgError> {
    match list {
        None => Ok(Wanted::Nothing),
        Some([]) => Ok(Wanted::Offered),
        Some(references) => {
            let path = format!("access.{name}");
            let ibans = references.iter().map(|reference| reference.iban(&path)).collect::<Result<_, _>>()?;
            Ok(Wanted::These(ibans))
        }
    }
}

/// What the consent is about: as asked while it is open, and as given (with the accounts chosen) afterwards.
fn access(consent: &Consent) -> Value {
    match (&consent.wish.scope, &consent.grant) {
        (Scope::Everything, _) => json!({"allPsd2": "allAccounts"}),
        (Scope::Available { with_balances: true }, _) => json!({"availableAccountsWithBalance": "allAccounts"}),
        (Scope::Available { with_balances: false }, _) => json!({"availableAccounts": "allAccounts"}),
        (Scope::Dedicated { .. }, Some(grant)) => {
            let kinds = [("accounts", Right::Account), ("balances", Right::Balances), ("transactions", Right::Transactions)];
            let given = kinds.map(|(name, right)| (name.to_owned(), references(grant, right)));
            Value::Object(given.into_iter().filter(|(_, list)| list.as_array().is_some_and(|list| !list.is_empty())).collect())
        }
        (Scope::Dedicated { accounts, balances, transactions }, None) => {
            let kinds = [("accounts", accounts), ("balances", balances), ("transactions", transactions)];
            let asked = kinds.into_iter().filter(|(_, wanted)| **wanted != Wanted::Nothing);
            let list = |wanted: &Wanted| wanted.named().iter().map(|iban| json!({"iban": iban.as_str()})).collect();
            Value::Object(asked.map(|(name, wanted)| (name.to_owned(), Value::Array(list(wanted)))).collect())
        }
    }
}

fn references(grant: &Grant, right: Right) -> Value {
    let given = grant.rights.iter().filter(|(_, rights)| rights.contains(&right));
    Value::Array(given.map(|(iban, _)| json!({"iban": iban.as_str()})).collect())
}
