//! What banks want beside a payment: cancellation with a yes of the payer, authentication elsewhere, tokens, certificates, signatures.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use obole::bank::berlin_group::{Authentication, Settings};
use obole::bank::fake::{self, AuthorisationId, PaymentId};
use obole::bank::oauth::ClientCredentials;
use obole::bank::{Bank, BankStatus, Cancellation, Standing, Submission, TryAgain};
use obole::clock::ManualClock;
use reqwest::StatusCode;
use serde_json::json;
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{START, TestBank, adapter, adapter_with, euros, instruction, query};

fn certificate(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/data/certificates").join(name)
}

fn page_of(page: &str) -> AuthorisationId {
    AuthorisationId(page.rsplit('/').next().unwrap().to_owned())
}

#[tokio::test]
async fn a_cancellation_that_the_payer_has_to_approve_is_one_only_after_the_yes() {
    for (yes, expected) in [(true, BankStatus::Rejected { reason: "CANC".to_owned() }), (false, BankStatus::Received)] {
        let town = TestBank::with(fake::Settings { approve_cancellations: true, ..fake::Settings::default() }).await;
        let bank = adapter(&town.running.public_url, town.clock.clone());
        let payment = instruction(&town.alice.iban, &town.cross.iban, 5_000);
        let Submission::Taken { bank_payment_id, .. } = bank.submit(&payment).await else { panic!("not taken") };
        let question = query(&payment, Some(&bank_payment_id));
        let Cancellation::NeedsAuthorisation { authorise_at: Some(page) } =
            bank.cancel(&question, "CUST", "https://obole.example/back").await.unwrap()
        else {
            panic!("no page")
        };
        let status = async || match bank.ask(&question).await.unwrap() {
            Standing::Known { status, .. } => status,
            other => panic!("{other:?}"),
        };
        assert_eq!(status().await, BankStatus::Received, "asking cancels nothing");
        let shown = super::client().get(&page).send().await.unwrap().text().await.unwrap();
        assert!(shown.contains("Cancel a transfer"), "{shown}");
        let answer = if yes { "approve" } else { "refuse" };
        super::client().post(&page).form(&[("answer", answer)]).send().await.unwrap();
        assert_eq!(status().await, expected);
    }
    let town = TestBank::start().await;
    let bank = adapter(&town.running.public_url, town.clock.clone());
    let payment = instruction(&town.alice.iban, &town.cross.iban, 5_000);
    assert!(matches!(
        bank.cancel(&query(&payment, None), "CUST", "https://obole.example/back").await.unwrap(),
        Cancellation::Unknown { .. }
    ));
}

#[tokio::test]
async fn a_payer_may_authenticate_on_a_device_of_their_own() {
    let town = TestBank::start().await;
    let settings = Settings { authentication: Authentication::Decoupled, ..Settings::at(town.running.public_url.parse().unwrap()) };
    let bank = adapter_with(settings, town.clock.clone());
    let payment = instruction(&town.alice.iban, &town.cross.iban, 5_000);
    let Submission::Taken { bank_payment_id, status, authorise_at } = bank.submit(&payment).await else { panic!("not taken") };
    assert_eq!((status, authorise_at), (BankStatus::Received, None));
    let at_bank = town.bank.payment(&PaymentId(bank_payment_id.clone())).unwrap();
    town.bank.answer(&at_bank.authorisations[0], true, None).unwrap();
    let standing = bank.ask(&query(&payment, Some(&bank_payment_id))).await.unwrap();
    assert!(matches!(standing, Standing::Known { status: BankStatus::Settled, .. }), "{standing:?}");
}

#[tokio::test]
async fn funds_are_confirmed_and_a_consent_is_given_back() {
    let town = TestBank::start().await;
    let bank = adapter(&town.running.public_url, town.clock.clone());
    assert!(bank.has_funds(&town.alice.iban, euros(100_000)).await.unwrap());
    assert!(!bank.has_funds(&town.alice.iban, euros(100_001)).await.unwrap());
    let consent = town.consent().await;
    bank.end_consent(&consent).await.unwrap();
    assert_eq!(bank.consent(&consent).await.unwrap(), obole::bank::ConsentStanding::Gone);
    bank.end_consent("nothing").await.unwrap();
}

/// Passes everything on to the bank, and changes one thing about it.
#[derive(Clone)]
struct Meddler {
    bank: String,
    what: Arc<Mutex<&'static str>>,
}

async fn meddle(
    State(meddler): State<Meddler>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, HeaderMap, Bytes) {
    let what = *meddler.what.lock().unwrap();
    let body = if what == "body" { String::from_utf8_lossy(&body).replace("12.50", "92.50").into_bytes() } else { body.to_vec() };
    let mut request = super::client().request(method, format!("{}{uri}", meddler.bank)).body(body);
    for (name, value) in headers.iter().filter(|(name, _)| !matches!(name.as_str(), "host" | "content-length")) {
        let value = value.to_str().unwrap();
        request = match (what, name.as_str()) {
            ("redirect", "tpp-redirect-uri") => request.header(name, "https://evil.example/"),
            ("digest", "digest") => request.header(name, "SHA-256=AAAA"),
            ("covered", "signature") => request.header(name, value.replace("tpp-redirect-uri ", "")),
            ("certificate", "tpp-signature-certificate") => request,
            _ => request.header(name, value),
        };
    }
    let answer = request.send().await.unwrap();
    let kept: HeaderMap = answer.headers().clone().into_iter().filter_map(|(name, value)| Some((name?, value))).collect();
    let kept = kept.into_iter().filter_map(|(name, value)| Some((name?, value)));
    let kept = kept.filter(|(name, _)| !matches!(name.as_str(), "content-length" | "transfer-encoding")).collect();
    (answer.status(), kept, answer.bytes().await.unwrap())
}

#[tokio::test]
async fn a_signed_request_is_taken_and_one_that_was_touched_is_not() {
    let town = TestBank::start().await;
    let meddler = Meddler { bank: format!("http://{}", town.running.addresses[0]), what: Arc::new(Mutex::new("nothing")) };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let router = axum::Router::new().fallback(meddle).with_state(meddler.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let payment = instruction(&town.alice.iban, &town.cross.iban, 1_250);
    // RSA and elliptic curves.
    for name in ["seal.pem", "connection.pem"] {
        let settings = Settings { signing_identity: Some(certificate(name)), ..Settings::at(address.parse().unwrap()) };
        let bank = adapter_with(settings, town.clock.clone());
        for (what, taken) in
            [("nothing", true), ("body", false), ("redirect", false), ("digest", false), ("covered", false), ("certificate", false)]
        {
            *meddler.what.lock().unwrap() = what;
            let submitted = bank.submit(&payment).await;
            if taken {
                assert!(matches!(submitted, Submission::Taken { .. }), "{name} {what}: {submitted:?}");
            } else {
                assert!(matches!(submitted, Submission::NotTaken(TryAgain::Credentials { .. })), "{name} {what}: {submitted:?}");
            }
        }
        assert!(bank.ask(&query(&payment, Some("nothing"))).await.is_err() || *meddler.what.lock().unwrap() == "certificate");
    }
    assert_eq!(town.bank.totals().unwrap().payments, 2);
}

#[tokio::test]
async fn a_token_is_kept_until_shortly_before_its_end_and_got_anew_when_refused() {
    let server = MockServer::start().await;
    let granted = |token: &str| {
        ResponseTemplate::new(200).set_body_json(json!({"access_token": token, "token_type": "Bearer", "expires_in": 120}))
    };
    let mut issued = ["t1", "t2", "t3"].into_iter();
    let answers = Mutex::new(move |_: &wiremock::Request| granted(issued.next().unwrap_or("t9")));
    let answer = move |request: &wiremock::Request| (answers.lock().unwrap())(request);
    Mock::given(method("POST")).and(path("/token")).respond_with(answer).mount(&server).await;
    let payments = "/v1/payments/instant-sepa-credit-transfers";
    let created = json!({"transactionStatus": "ACSC", "paymentId": "p1", "_links": {}});
    for (token, response) in [
        ("Bearer t1", ResponseTemplate::new(201).set_body_json(&created)),
        ("Bearer t2", ResponseTemplate::new(401).insert_header("WWW-Authenticate", "Bearer error=\"invalid_token\"")),
        ("Bearer t3", ResponseTemplate::new(201).set_body_json(&created)),
    ] {
        Mock::given(method("POST"))
            .and(path(payments))
            .and(header("authorization", token))
            .respond_with(response)
            .mount(&server)
            .await;
    }
    let clock = Arc::new(ManualClock::at(START.parse().unwrap()));
    let token_url = format!("{}/token", server.uri()).parse().unwrap();
    let client_secret = Some("s3cret".to_owned().into());
    let token = ClientCredentials { token_url, client_id: "PSDFR".to_owned(), client_secret, scope: Some("PIS".to_owned()) };
    let settings = Settings { token: Some(token), ..Settings::at(server.uri().parse().unwrap()) };
    let bank = adapter_with(settings.clone(), clock.clone());
    let payment = instruction(&fake::test_iban(1), &fake::test_iban(2), 1_250);
    for _ in 0..2 {
        assert!(matches!(bank.submit(&payment).await, Submission::Taken { .. }));
    }
    clock.advance(Duration::from_secs(61));
    assert!(matches!(bank.submit(&payment).await, Submission::NotTaken(TryAgain::Credentials { .. })), "t2 is refused, once");
    assert!(matches!(bank.submit(&payment).await, Submission::Taken { .. }), "t3 is not");
    let requests = server.received_requests().await.unwrap();
    let asked: Vec<_> = requests.iter().filter(|request| request.url.path() == "/token").collect();
    assert_eq!(asked.len(), 3);
    let form = String::from_utf8_lossy(&asked[0].body).into_owned();
    assert_eq!(form, "grant_type=client_credentials&client_id=PSDFR&scope=PIS");
    assert!(asked[0].headers["authorization"].to_str().unwrap().starts_with("Basic "));
    assert!(!format!("{settings:?}").contains("s3cret"));

    // Without a token nothing is sent.
    let closed = MockServer::start().await;
    let refused = ResponseTemplate::new(401).set_body_json(json!({"error": "invalid_client"}));
    Mock::given(path("/token")).respond_with(refused).mount(&closed).await;
    let token =
        ClientCredentials { token_url: format!("{}/token", closed.uri()).parse().unwrap(), ..settings.token.clone().unwrap() };
    let bank = adapter_with(Settings { token: Some(token), ..Settings::at(closed.uri().parse().unwrap()) }, clock.clone());
    assert!(matches!(bank.submit(&payment).await, Submission::NotTaken(TryAgain::Credentials { .. })));
    assert!(closed.received_requests().await.unwrap().iter().all(|request| request.url.path() == "/token"));
}

#[tokio::test]
async fn certificates_that_end_are_warned_about_and_unusable_ones_refused_at_the_start() {
    let late = Arc::new(ManualClock::at("2126-10-20T00:00:00Z".parse().unwrap()));
    let base = Settings::at("https://bank.example/".parse().unwrap());
    let settings = Settings {
        client_identity: Some(certificate("connection.pem")),
        signing_identity: Some(certificate("seal.pem")),
        ..base.clone()
    };
    let warnings = adapter_with(settings.clone(), late).warnings().await;
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("client certificate ends on 2126-"), "{warnings:?}");
    let early = Arc::new(ManualClock::at(START.parse().unwrap()));
    assert_eq!(adapter_with(settings, early.clone()).warnings().await, Vec::<String>::new());
    let missing = Settings { client_identity: Some(certificate("nothing.pem")), ..base };
    let entropy = Arc::new(obole::entropy::SeededEntropy::new(1));
    assert!(obole::bank::berlin_group::BerlinGroup::new("bank".into(), missing, early, entropy).is_err());
}

#[tokio::test]
async fn the_page_of_a_cancellation_knows_its_payment() {
    let town = TestBank::with(fake::Settings { approve_cancellations: true, ..fake::Settings::default() }).await;
    let bank = adapter(&town.running.public_url, town.clock.clone());
    let payment = instruction(&town.alice.iban, &town.cross.iban, 5_000);
    let Submission::Taken { bank_payment_id, .. } = bank.submit(&payment).await else { panic!("not taken") };
    let cancelled = bank.cancel(&query(&payment, Some(&bank_payment_id)), "CUST", "https://obole.example/back").await.unwrap();
    let Cancellation::NeedsAuthorisation { authorise_at: Some(page) } = cancelled else { panic!("{cancelled:?}") };
    let path = format!("/v1/payments/instant-sepa-credit-transfers/{bank_payment_id}/cancellation-authorisations");
    let listed = town.get(&path).await;
    assert_eq!(listed.body, json!({"authorisationIds": [page_of(&page).0]}));
    assert_eq!(town.get(&format!("{path}/{}", page_of(&page))).await.text("/scaStatus"), "received");
}
