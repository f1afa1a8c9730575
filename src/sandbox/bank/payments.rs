//! Payment initiation (PIS): `/v1/payments/{product}…`.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, Path, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::error::BgError;
use super::gate::{self, Struck};
use super::{App, initiation};
use crate::bank::fake::{
    Authorisation, AuthorisationId, Circumstances, FaultKind, Payment, PaymentId, Phase, Product, Reason, ScaStatus, Subject,
};
use crate::money::Money;

/// `POST /v1/payments/{product}`
pub(super) async fn initiate(
    State(app): State<App>,
    Extension(Struck(struck)): Extension<Struck>,
    Path(product): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, BgError> {
    let product = named(&product)?;
    gate::payer_address(&headers)?;
    gate::json_content(&headers)?;
    let with = circumstances(&headers, &struck)?;
    let today = crate::sandbox::bank::accounts::day(app.bank.now());
    let wish = initiation::read(product, &whole(body)?, today)?;
    // RESOURCE_UNKNOWN is 400, not 404, when the payload and not the address names what is unknown.
    let unknown_debtor = |_| BgError::new(StatusCode::BAD_REQUEST, "RESOURCE_UNKNOWN", "the debtor's account is not held here");
    app.bank.account(&wish.debtor).map_err(unknown_debtor)?;
    let again = struck.contains(&FaultKind::Duplicate).then(|| wish.clone());
    let payment = app.bank.initiate(wish, &with)?;
    if let Some(wish) = again {
        app.bank.initiate(wish, &with)?;
    }
    let decoupled = gate::prefers_decoupled(&headers)?;
    Ok(created(&app, &payment, &with, decoupled))
}

/// `POST /v1/{bulk-payments,periodic-payments,…}/{product}`
pub(super) async fn unknown_service() -> BgError {
    BgError::new(StatusCode::BAD_REQUEST, "SERVICE_INVALID", "only single payments are initiated here")
}

/// `GET …/{payment}`
pub(super) async fn read(
    State(app): State<App>,
    Path((product, payment)): Path<(String, String)>,
    Extension(Struck(struck)): Extension<Struck>,
) -> Result<Json<Value>, BgError> {
    let payment = find(&app, &product, payment)?;
    let instruction = &payment.instruction;
    let mut answer = json!({
        "debtorAccount": {"iban": instruction.debtor.as_str()},
        "instructedAmount": amount(instruction.amount),
        "creditorAccount": {"iban": instruction.creditor.as_str()},
        "creditorName": instruction.creditor_name,
        "transactionStatus": told_status(&payment, &struck),
    });
    if let Some(reference) = &instruction.end_to_end {
        answer["endToEndIdentification"] = reference.as_str().into();
    }
    if let Some(remittance) = &instruction.remittance {
        answer["remittanceInformationUnstructured"] = remittance.as_str().into();
    }
    if let Some(reason) = &payment.reason {
        answer["tppMessages"] = json!([why(reason)]);
    }
    Ok(Json(answer))
}

/// `GET …/{payment}/status`
pub(super) async fn status(
    State(app): State<App>,
    Path((product, payment)): Path<(String, String)>,
    Extension(Struck(struck)): Extension<Struck>,
) -> Result<Json<Value>, BgError> {
    let payment = find(&app, &product, payment)?;
    let mut answer = json!({"transactionStatus": told_status(&payment, &struck)});
    if let Some(reason) = &payment.reason {
        answer["tppMessages"] = json!([why(reason)]);
    }
    Ok(Json(answer))
}

/// `DELETE …/{payment}`: cancelled at once, to be approved by the payer, or too late.
pub(super) async fn cancel(State(app): State<App>, Path((product, payment)): Path<(String, String)>) -> Result<Response, BgError> {
    let payment = find(&app, &product, payment)?;
    if app.bank.settings().approve_cancellations && app.bank.is_cancellable(&payment.id)? {
        let links = json!({"startAuthorisation": href(format!("{}/cancellation-authorisations", path_of(&payment)))});
        let answer = json!({"transactionStatus": payment.status.code(), "_links": links});
        return Ok((StatusCode::ACCEPTED, Json(answer)).into_response());
    }
    app.bank.cancel(&payment.id)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `GET …/{payment}/cancellation-authorisations`
pub(super) async fn cancellation_authorisations(
    State(app): State<App>,
    Path((product, payment)): Path<(String, String)>,
) -> Result<Json<Value>, BgError> {
    let payment = find(&app, &product, payment)?;
    Ok(Json(json!({"authorisationIds": payment.cancellation_authorisations})))
}

/// `POST …/{payment}/cancellation-authorisations`: the payer's page for it.
pub(super) async fn start_cancellation(
    State(app): State<App>,
    Path((product, payment)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, BgError> {
    let payment = find(&app, &product, payment)?;
    let id = app.bank.start_authorisation(Subject::Cancellation(payment.id.clone()), gate::return_to(&headers)?)?;
    Ok(started(&app, &id, &format!("{}/cancellation-authorisations", path_of(&payment))))
}

/// `GET …/{payment}/cancellation-authorisations/{authorisation}`
pub(super) async fn cancellation_status(
    State(app): State<App>,
    Path((product, payment, authorisation)): Path<(String, String, String)>,
) -> Result<Json<Value>, BgError> {
    let payment = find(&app, &product, payment)?;
    Ok(Json(sca_status_of(&app, authorisation, &Subject::Cancellation(payment.id))?))
}

/// `GET …/{payment}/authorisations`
pub(super) async fn authorisations(
    State(app): State<App>,
    Path((product, payment)): Path<(String, String)>,
) -> Result<Json<Value>, BgError> {
    let payment = find(&app, &product, payment)?;
    Ok(Json(json!({"authorisationIds": payment.authorisations})))
}

/// `POST …/{payment}/authorisations`: the payer's page, on demand.
pub(super) async fn start_authorisation(
    State(app): State<App>,
    Path((product, payment)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, BgError> {
    let payment = find(&app, &product, payment)?;
    let id = app.bank.start_authorisation(Subject::Payment(payment.id.clone()), gate::return_to(&headers)?)?;
    Ok(started(&app, &id, &format!("{}/authorisations", path_of(&payment))))
}

/// `GET …/{payment}/authorisations/{authorisation}`
pub(super) async fn sca_status(
    State(app): State<App>,
    Path((product, payment, authorisation)): Path<(String, String, String)>,
) -> Result<Json<Value>, BgError> {
    let payment = find(&app, &product, payment)?;
    Ok(Json(sca_status_of(&app, authorisation, &Subject::Payment(payment.id))?))
}

/// How an authorisation of `subject` stands.
pub(super) fn sca_status_of(app: &App, id: String, subject: &Subject) -> Result<Value, BgError> {
    let authorisation: Authorisation = app.bank.authorisation(&AuthorisationId(id))?;
    if authorisation.subject != *subject {
        return Err(BgError::unknown("this authorisation is about something else"));
    }
    Ok(json!({"scaStatus": authorisation.status.as_str()}))
}

/// The answer to a started authorisation whose list is at `list`.
pub(super) fn started(app: &App, id: &AuthorisationId, list: &str) -> Response {
    let answer = json!({
        "scaStatus": ScaStatus::Received.as_str(),
        "authorisationId": id,
        "_links": {
            "scaRedirect": href(approval_page(app, id)),
            "scaStatus": href(format!("{list}/{id}")),
        },
    });
    (StatusCode::CREATED, [("aspsp-sca-approach", "REDIRECT")], Json(answer)).into_response()
}

/// The address of the page where the account holder answers.
pub(super) fn approval_page(app: &App, id: &AuthorisationId) -> String {
    format!("{}/approve/{id}", app.public_url)
}

/// An amount on the wire.
pub(super) fn amount(money: Money) -> Value {
    json!({"currency": money.currency.code(), "amount": money.decimal_string()})
}

/// A link on the wire.
pub(super) fn href(address: impl Into<String>) -> Value {
    json!({"href": address.into()})
}

/// A body that was read whole.
pub(super) fn whole(body: Result<Bytes, BytesRejection>) -> Result<Bytes, BgError> {
    body.map_err(|rejection| BgError::new(rejection.status(), "FORMAT_ERROR", rejection.body_text()))
}

fn named(product: &str) -> Result<Product, BgError> {
    let unknown = || BgError::new(StatusCode::NOT_FOUND, "PRODUCT_UNKNOWN", "this payment product is not offered here");
    Product::named(product).ok_or_else(unknown)
}

fn find(app: &App, product: &str, payment: String) -> Result<Payment, BgError> {
    let product = named(product)?;
    let payment = app.bank.payment(&PaymentId(payment))?;
    if payment.instruction.product == product {
        Ok(payment)
    } else {
        Err(BgError::unknown("this payment was initiated as another product"))
    }
}

fn circumstances(headers: &HeaderMap, struck: &[FaultKind]) -> Result<Circumstances, BgError> {
    let reject = struck.iter().find_map(|fault| match fault {
        FaultKind::Refuse { reason } => Some(Reason(reason.clone())),
        FaultKind::NoFunds => Some(Reason::no_funds()),
        _ => None,
    });
    Ok(Circumstances {
        return_to: gate::return_to(headers)?,
        explicit_authorisation: gate::flag(headers, "TPP-Explicit-Authorisation-Preferred")?,
        always_ask: struck.contains(&FaultKind::AlwaysAsk),
        reject,
    })
}

fn path_of(payment: &Payment) -> String {
    format!("/v1/payments/{}/{}", payment.instruction.product.as_str(), payment.id)
}

fn created(app: &App, payment: &Payment, with: &Circumstances, decoupled: bool) -> Response {
    let path = path_of(payment);
    let mut links = json!({"self": href(path.as_str()), "status": href(format!("{path}/status"))});
    let mut headers = vec![(LOCATION, format!("{}{path}", app.public_url))];
    let approach = axum::http::HeaderName::from_static("aspsp-sca-approach");
    let mut message = None;
    if let (Some(authorisation), true) = (payment.authorisations.first(), decoupled) {
        links["scaStatus"] = href(format!("{path}/authorisations/{authorisation}"));
        headers.push((approach, "DECOUPLED".to_owned()));
        message = Some("Please approve the payment in your bank's app.");
    } else if let Some(authorisation) = payment.authorisations.first() {
        links["scaRedirect"] = href(approval_page(app, authorisation));
        links["scaStatus"] = href(format!("{path}/authorisations/{authorisation}"));
        headers.push((approach, "REDIRECT".to_owned()));
    } else if with.explicit_authorisation && matches!(payment.phase, Phase::AwaitingApproval { .. }) {
        links["startAuthorisation"] = href(format!("{path}/authorisations"));
    }
    let mut answer = json!({"transactionStatus": payment.status.code(), "paymentId": payment.id, "_links": links});
    if let Some(message) = message {
        answer["psuMessage"] = message.into();
    }
    if let Some(reason) = &payment.reason {
        // 1.3 gives a 201 no code for this but WARNING.
        answer["tppMessages"] = json!([{"category": "WARNING", "code": "WARNING", "text": reason.0}]);
    }
    let headers = axum::response::AppendHeaders(headers);
    (StatusCode::CREATED, headers, Json(answer)).into_response()
}

/// The status as it stands, unless a fault says otherwise.
fn told_status(payment: &Payment, struck: &[FaultKind]) -> String {
    if struck.contains(&FaultKind::StrangeStatus) {
        return "ZZZZ".to_owned();
    }
    payment.told_status(struck.contains(&FaultKind::Reorder)).code().to_owned()
}

/// Why it was rejected: the standard's word, and the ISO 20022 reason as its text.
fn why(reason: &Reason) -> Value {
    let code = if *reason == Reason::no_funds() { "FUNDS_NOT_AVAILABLE" } else { "PAYMENT_FAILED" };
    json!({"category": "ERROR", "code": code, "text": reason.0})
}
