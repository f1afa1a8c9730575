//! Every kind of exchange between our adapter and our sandbox, compared with the reviewed recordings in
//! `tests/it/data/berlin_group/`. Clock and randomness are fixed, so the comparison is exact.
//!
//! After a wanted change: `OBOLE_RECORD=1 cargo test --test it recorded`, then read the difference.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use obole::bank::berlin_group::{self, Authentication};
use obole::bank::fake::{AuthorisationId, FaultKind, Settings};
use obole::bank::{Bank, Submission};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{TestBank, adapter, instruction, query};

/// Headers that mean something to the standard.
const TOLD: &[&str] = &[
    "x-request-id",
    "psu-",
    "tpp-",
    "consent-id",
    "content-type",
    "accept",
    "authorization",
    "location",
    "aspsp-",
    "digest",
    "signature",
];

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Exchange {
    pub(crate) request: Request,
    pub(crate) response: Response,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Value,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Value,
}

/// Stands between adapter and sandbox and writes down what passes.
#[derive(Clone)]
struct Recorder {
    client: reqwest::Client,
    bank: String,
    seen: Arc<Mutex<Vec<Exchange>>>,
}

impl Recorder {
    async fn before(town: &TestBank) -> (Self, String) {
        let bank = format!("http://{}", town.running.addresses[0]);
        let recorder = Recorder { client: super::client(), bank, seen: Arc::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = axum::Router::new().fallback(pass_on).with_state(recorder.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (recorder, address)
    }

    /// What passed since the last time must be as recorded under `name`.
    fn check(&self, name: &str) {
        let seen = std::mem::take(&mut *self.seen.lock().unwrap());
        let file = directory().join(format!("{name}.json"));
        if std::env::var_os("OBOLE_RECORD").is_some() {
            std::fs::write(&file, serde_json::to_string_pretty(&seen).unwrap() + "\n").unwrap();
        }
        let recorded: Vec<Exchange> = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        assert_eq!(seen, recorded, "{name} is not as recorded in {}", file.display());
    }
}

pub(crate) fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/data/berlin_group")
}

async fn pass_on(
    State(recorder): State<Recorder>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> impl axum::response::IntoResponse {
    let mut request = recorder.client.request(method.clone(), format!("{}{uri}", recorder.bank)).body(body.clone());
    for (name, value) in headers.iter().filter(|(name, _)| name.as_str() != "host" && name.as_str() != "content-length") {
        request = request.header(name, value);
    }
    let answer = request.send().await.unwrap();
    let (status, answer_headers) = (answer.status(), answer.headers().clone());
    let answer_body = answer.bytes().await.unwrap();
    let exchange = Exchange {
        request: Request {
            method: method.to_string(),
            path: uri.path().to_owned(),
            query: url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect(),
            headers: told(&headers),
            body: json_or_null(&body),
        },
        response: Response { status: status.as_u16(), headers: told(&answer_headers), body: json_or_null(&answer_body) },
    };
    recorder.seen.lock().unwrap().push(exchange);
    let kept: HeaderMap = answer_headers
        .into_iter()
        .filter_map(|(name, value)| Some((name?, value)))
        .filter(|(name, _)| !matches!(name.as_str(), "content-length" | "transfer-encoding" | "connection" | "date"))
        .collect();
    (status, kept, answer_body)
}

fn told(headers: &HeaderMap) -> BTreeMap<String, String> {
    let kept = headers.iter().filter(|(name, _)| TOLD.iter().any(|told| name.as_str().starts_with(told)));
    kept.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect()
}

fn json_or_null(body: &[u8]) -> Value {
    if body.is_empty() { Value::Null } else { serde_json::from_slice(body).unwrap() }
}

#[tokio::test]
async fn exchanges_are_as_recorded() {
    let town = TestBank::known_as(obole::bank::fake::Settings::default(), Some("http://localhost:8082")).await;
    let (recorder, address) = Recorder::before(&town).await;
    let bank = adapter(&address, town.clock.clone());
    let mut payment = instruction(&town.alice.iban, &town.cross.iban, 1_250);

    // What the adapter does.
    let Submission::Taken { bank_payment_id: settled, .. } = bank.submit(&payment).await else { panic!("not taken") };
    recorder.check("payment-executed-at-once");
    bank.ask(&query(&payment, Some(&settled))).await.unwrap();
    recorder.check("payment-read");
    payment.amount.minor = 3_001;
    let Submission::Taken { bank_payment_id: waiting, .. } = bank.submit(&payment).await else { panic!("not taken") };
    recorder.check("payment-waiting-for-the-payer");
    bank.cancel_payment(&waiting, "https://obole.example/back").await.unwrap();
    recorder.check("payment-cancelled");
    bank.cancel_payment(&settled, "https://obole.example/back").await.unwrap();
    recorder.check("payment-too-late-to-cancel");
    payment.amount.minor = 9_999_999;
    bank.submit(&payment).await;
    recorder.check("payment-rejected-for-lack-of-funds");
    payment.amount.minor = 1_250;
    town.bank.misbehave(FaultKind::ErrorBefore { status: 400 });
    bank.submit(&payment).await;
    recorder.check("payment-format-error");
    let consent = bank.request_consent("https://obole.example/consent").await.unwrap();
    recorder.check("consent-asked");
    bank.consent(&consent.consent_id).await.unwrap();
    recorder.check("consent-open");
    let authorisation = consent.authorise_at.rsplit('/').next().unwrap();
    town.bank.answer(&AuthorisationId(authorisation.to_owned()), true, Some("alice")).unwrap();
    bank.consent(&consent.consent_id).await.unwrap();
    recorder.check("consent-given");
    payment.debtor.consent = Some(consent.consent_id.clone());
    let day = "2026-11-20".parse().unwrap();
    bank.entries(&payment.debtor, day, day).await.unwrap();
    recorder.check("entries-of-a-day");
    bank.ask(&query(&payment, None)).await.unwrap();
    recorder.check("payment-looked-for-among-entries");
    bank.balance(&payment.debtor).await.unwrap();
    recorder.check("balances");

    // What others may do.
    let call = |method: &str, path: &str| {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        recorder
            .client
            .request(method, format!("{address}{path}"))
            .header("X-Request-ID", "99391c7e-ad88-49ec-a2ad-99ddcb1f7721")
            .header("PSU-IP-Address", "192.0.2.8")
            .header("TPP-Redirect-URI", "https://tpp.example/back")
            .header("Accept", "application/json")
    };
    let products = "/v1/payments/sepa-credit-transfers";
    let explicit = call("POST", products).header("TPP-Explicit-Authorisation-Preferred", "true").json(&town.payment("50.00"));
    let created = super::answer(explicit).await;
    let list = created.text("/_links/startAuthorisation/href");
    let started = super::answer(call("POST", &list).json(&json!({}))).await;
    super::answer(call("GET", &list)).await;
    super::answer(call("GET", &started.text("/_links/scaStatus/href"))).await;
    recorder.check("authorisation-started-explicitly");
    super::answer(call("GET", &created.text("/_links/status/href"))).await;
    recorder.check("payment-status");
    super::answer(call("GET", &format!("/v1/consents/{}", consent.consent_id))).await;
    recorder.check("consent-read");
    let account = format!("/v1/accounts/{}", town.alice.resource_id);
    super::answer(call("GET", &account).header("Consent-ID", &consent.consent_id)).await;
    recorder.check("account-read");
    let page = format!("{account}/transactions?bookingStatus=booked&dateFrom=2026-11-01&itemsPerPage=1&withBalance=true");
    super::answer(call("GET", &page).header("Consent-ID", &consent.consent_id)).await;
    recorder.check("entries-page");
    let question = json!({
        "account": {"iban": town.alice.iban.as_str()},
        "instructedAmount": {"currency": "EUR", "amount": "10.00"}
    });
    super::answer(call("POST", "/v1/funds-confirmations").json(&question)).await;
    recorder.check("funds-confirmed");

    // What the bank refuses.
    let mut wrong = town.payment("5.00");
    wrong["creditorAccount"]["iban"] = json!("FR7630006000011234567890188");
    super::answer(call("POST", products).json(&wrong)).await;
    super::answer(call("GET", &format!("{products}/nothing"))).await;
    super::answer(call("GET", "/v1/consents/nothing")).await;
    super::answer(call("GET", "/v1/accounts").header("Consent-ID", "nothing")).await;
    assert_eq!(super::answer(call("DELETE", &format!("/v1/consents/{}", consent.consent_id))).await.status, StatusCode::NO_CONTENT);
    super::answer(call("GET", "/v1/accounts").header("Consent-ID", &consent.consent_id)).await;
    town.bank.misbehave(FaultKind::TooMany { retry_after_seconds: 7 });
    super::answer(call("GET", &format!("{products}/nothing/status"))).await;
    recorder.check("refusals");

    // What some banks want besides.
    town.bank.set_settings(Settings { approve_cancellations: true, ..town.bank.settings() });
    payment.amount.minor = 3_001;
    let Submission::Taken { bank_payment_id: waiting, .. } = bank.submit(&payment).await else { panic!("not taken") };
    bank.cancel(&query(&payment, Some(&waiting)), "CUST", "https://obole.example/back").await.unwrap();
    super::answer(call("GET", &format!("{products}/{waiting}/cancellation-authorisations").replace("sepa", "instant-sepa"))).await;
    recorder.check("cancellation-to-be-approved");
    let settings = || berlin_group::Settings::at(address.parse().unwrap());
    let decoupled = berlin_group::Settings { authentication: Authentication::Decoupled, ..settings() };
    super::adapter_with(decoupled, town.clock.clone()).submit(&payment).await;
    recorder.check("payment-approved-elsewhere");
    // RSA signatures of the same text are the same.
    let seal = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/data/certificates/seal.pem");
    let signed = berlin_group::Settings { signing_identity: Some(seal), ..settings() };
    super::adapter_with(signed, town.clock.clone()).submit(&payment).await;
    recorder.check("payment-signed");
    bank.has_funds(&town.alice.iban, super::euros(1_000)).await.unwrap();
    bank.end_consent("nothing").await.unwrap();
    recorder.check("funds-asked-and-consent-given-back");
}
