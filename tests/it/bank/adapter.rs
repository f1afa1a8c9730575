//! The Berlin Group adapter against banks that misbehave on the wire.

use std::sync::Arc;
use std::time::{Duration, Instant};

use obole::bank::berlin_group::{Cancellation, Settings};
use obole::bank::fake::test_iban;
use obole::bank::{Bank, BankStatus, DebtorAccount, PaymentInstruction, Standing, Submission, TryAgain};
use obole::clock::ManualClock;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{START, TestBank, adapter, adapter_with, instruction, query};

const PAYMENTS: &str = "/v1/payments/instant-sepa-credit-transfers";

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(START.parse().unwrap()))
}

fn payment() -> PaymentInstruction {
    instruction(&test_iban(1), &test_iban(2), 1_250)
}

async fn bank_that_answers(verb: &str, at: &str, response: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method(verb)).and(path(at)).respond_with(response).mount(&server).await;
    server
}

/// A bank that reads a request, writes `answer` as it is, and closes.
async fn raw_bank(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 8192];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(answer).await;
        }
    });
    address
}

fn is_unknown(submission: &Submission) -> bool {
    matches!(submission, Submission::Unknown { .. })
}

#[tokio::test]
async fn a_connection_that_was_never_made_lets_us_try_later() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let submitted = adapter(&nobody, clock()).submit(&payment()).await;
    assert!(matches!(submitted, Submission::NotTaken(TryAgain::Later { after: None, .. })), "{submitted:?}");
}

#[tokio::test]
async fn an_exchange_that_breaks_off_is_unknown() {
    for answer in [
        &b""[..],
        b"HTTP/1.1 201 Cr",
        b"HTTP/1.1 201 Created\r\nContent-Length: 500\r\n\r\n{\"transactionStatus\":\"RCVD\"",
        b"SMTP ready\r\n",
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 500\r\n\r\n{\"tppMessages\":[{\"category\":\"ERROR\",\"code\":\"FORMAT_ERROR\"}]}",
    ] {
        let bank = adapter(&raw_bank(answer).await, clock());
        let submitted = bank.submit(&payment()).await;
        assert!(is_unknown(&submitted), "{}: {submitted:?}", String::from_utf8_lossy(answer));
    }
}

#[tokio::test]
async fn silence_is_unknown_after_the_time_is_up() {
    let slow = ResponseTemplate::new(201).set_delay(Duration::from_secs(30));
    let server = bank_that_answers("POST", PAYMENTS, slow).await;
    let settings = Settings { total_timeout_ms: 200, ..Settings::at(server.uri().parse().unwrap()) };
    let started = Instant::now();
    let submitted = adapter_with(settings, clock()).submit(&payment()).await;
    assert!(is_unknown(&submitted), "{submitted:?}");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn an_endless_answer_is_not_read_to_its_end() {
    let server = bank_that_answers("POST", PAYMENTS, ResponseTemplate::new(201).set_body_bytes(vec![b' '; 2 * 1024 * 1024])).await;
    assert!(is_unknown(&adapter(&server.uri(), clock()).submit(&payment()).await));
}

#[tokio::test]
async fn redirects_are_not_followed_and_nothing_is_sent_twice() {
    for status in [301, 302, 307, 308, 500, 503, 409] {
        let elsewhere = ResponseTemplate::new(status).insert_header("Location", "/elsewhere").insert_header("Retry-After", "0");
        let server = bank_that_answers("POST", PAYMENTS, elsewhere).await;
        let submitted = adapter(&server.uri(), clock()).submit(&payment()).await;
        assert!(is_unknown(&submitted), "{status}: {submitted:?}");
        assert_eq!(server.received_requests().await.unwrap().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_cut_on_a_kept_connection_is_not_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = requests.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let counted = counted.clone();
            tokio::spawn(async move {
                // Answers the first request of a connection and cuts at the second.
                for answer in [true, false] {
                    let mut request = [0; 8192];
                    if stream.read(&mut request).await.unwrap_or(0) == 0 {
                        return;
                    }
                    counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    if answer {
                        let body = r#"{"transactionStatus":"ACSC","paymentId":"p1","_links":{}}"#;
                        let head = format!("HTTP/1.1 201 Created\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                        stream.write_all(head.as_bytes()).await.unwrap();
                    }
                }
            });
        }
    });
    let bank = adapter(&address, clock());
    assert!(matches!(bank.submit(&payment()).await, Submission::Taken { .. }));
    let second = bank.submit(&payment()).await;
    assert!(is_unknown(&second), "{second:?}");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(requests.load(std::sync::atomic::Ordering::SeqCst), 2);
}

#[tokio::test]
async fn an_answer_to_another_request_proves_nothing() {
    let body = json!({"transactionStatus": "RCVD", "paymentId": "p1", "_links": {}});
    let other =
        ResponseTemplate::new(201).insert_header("X-Request-ID", "99391c7e-ad88-49ec-a2ad-99ddcb1f7721").set_body_json(&body);
    let server = bank_that_answers("POST", PAYMENTS, other).await;
    assert!(is_unknown(&adapter(&server.uri(), clock()).submit(&payment()).await));
}

#[tokio::test]
async fn an_answer_about_another_payment_proves_nothing() {
    let right = json!({
        "transactionStatus": "RJCT",
        "endToEndIdentification": "0123456789abcdef0123456789abcdef",
        "debtorAccount": {"iban": test_iban(1).as_str()},
        "instructedAmount": {"currency": "EUR", "amount": "12.50"},
        "creditorAccount": {"iban": test_iban(2).as_str()},
        "creditorName": "Croix-Rouge francaise"
    });
    let ask = async |body: &Value| {
        let at = format!("{PAYMENTS}/p1");
        let server = bank_that_answers("GET", &at, ResponseTemplate::new(200).set_body_json(body)).await;
        adapter(&server.uri(), clock()).ask(&query(&payment(), Some("p1"))).await
    };
    let standing = ask(&right).await.unwrap();
    assert!(matches!(standing, Standing::Known { status: BankStatus::Rejected { .. }, .. }), "{standing:?}");
    for (pointer, value) in [
        ("/instructedAmount/amount", json!("125.00")),
        ("/instructedAmount/currency", json!("USD")),
        ("/endToEndIdentification", json!("ffffffffffffffffffffffffffffffff")),
        ("/creditorAccount/iban", json!(test_iban(3).as_str())),
        ("/debtorAccount/iban", json!(test_iban(3).as_str())),
    ] {
        let mut wrong = right.clone();
        *wrong.pointer_mut(pointer).unwrap() = value;
        let standing = ask(&wrong).await;
        assert!(matches!(standing, Err(TryAgain::Later { .. })), "{pointer}: {standing:?}");
    }
}

#[tokio::test]
async fn the_status_is_asked_for_where_the_payment_does_not_tell_it() {
    let server = bank_that_answers("GET", &format!("{PAYMENTS}/p1"), ResponseTemplate::new(200).set_body_json(json!({}))).await;
    let status = ResponseTemplate::new(200).set_body_json(json!({"transactionStatus": "ACSP"}));
    Mock::given(method("GET")).and(path(format!("{PAYMENTS}/p1/status"))).respond_with(status).mount(&server).await;
    let standing = adapter(&server.uri(), clock()).ask(&query(&payment(), Some("p1"))).await.unwrap();
    assert!(matches!(standing, Standing::Known { status: BankStatus::Executing, .. }), "{standing:?}");
}

#[tokio::test]
async fn a_bank_that_wants_an_explicit_start_is_asked_for_the_payers_page() {
    let created = json!({
        "transactionStatus": "RCVD", "paymentId": "p/1",
        "_links": {"startAuthorisation": {"href": "/v1/somewhere"}}
    });
    let server = bank_that_answers("POST", PAYMENTS, ResponseTemplate::new(201).set_body_json(&created)).await;
    let started = json!({
        "scaStatus": "received", "authorisationId": "a1",
        "_links": {"scaRedirect": {"href": "https://bank.example/approve"}}
    });
    Mock::given(method("POST"))
        .and(path(format!("{PAYMENTS}/p%2F1/authorisations")))
        .respond_with(ResponseTemplate::new(201).set_body_json(&started))
        .mount(&server)
        .await;
    let Submission::Taken { authorise_at, .. } = adapter(&server.uri(), clock()).submit(&payment()).await else {
        panic!("not taken");
    };
    assert_eq!(authorise_at.as_deref(), Some("https://bank.example/approve"));
}

#[tokio::test]
async fn statements_are_read_page_by_page_and_never_elsewhere() {
    let town = TestBank::start().await;
    let bank = adapter(&town.running.public_url, town.clock.clone());
    let consent = Some(town.consent().await);
    for _ in 0..120 {
        let submitted = bank.submit(&instruction(&town.alice.iban, &town.cross.iban, 1)).await;
        assert!(matches!(submitted, Submission::Taken { .. }), "{submitted:?}");
    }
    let day = "2026-11-20".parse().unwrap();
    let entries = bank.entries(&DebtorAccount { iban: town.alice.iban.clone(), consent }, day, day).await.unwrap();
    assert_eq!(entries.len(), 121);

    let account = json!({"accounts": [{"resourceId": "r1", "iban": test_iban(1).as_str(), "currency": "EUR"}]});
    let server = bank_that_answers("GET", "/v1/accounts", ResponseTemplate::new(200).set_body_json(&account)).await;
    let elsewhere = json!({"transactions": {
        "booked": [], "_links": {"account": {"href": "/v1/accounts/r1"}, "next": {"href": "https://evil.example/next"}}
    }});
    Mock::given(method("GET"))
        .and(path("/v1/accounts/r1/transactions"))
        .respond_with(ResponseTemplate::new(200).set_body_json(&elsewhere))
        .mount(&server)
        .await;
    let debtor = DebtorAccount { iban: test_iban(1), consent: Some("c1".to_owned()) };
    let read = adapter(&server.uri(), clock()).entries(&debtor, day, day).await;
    assert!(matches!(read, Err(TryAgain::Later { .. })), "{read:?}");
}

#[tokio::test]
async fn what_sepa_cannot_carry_is_refused_before_it_is_sent() {
    let bank = adapter("http://127.0.0.1:9", clock());
    let mut zero = payment();
    zero.amount.minor = 0;
    let mut dollars = payment();
    dollars.amount.currency = "USD".parse().unwrap();
    let mut nameless = payment();
    nameless.creditor_name = " ".to_owned();
    for impossible in [zero, dollars, nameless] {
        assert!(matches!(bank.submit(&impossible).await, Submission::Refused { .. }));
    }
}

#[tokio::test]
async fn payments_are_cancelled_or_it_is_too_late() {
    let town = TestBank::start().await;
    let bank = adapter(&town.running.public_url, town.clock.clone());
    for (minor, expected) in [(5_000, Cancellation::Cancelled), (500, Cancellation::TooLate)] {
        let Submission::Taken { bank_payment_id, .. } = bank.submit(&instruction(&town.alice.iban, &town.cross.iban, minor)).await
        else {
            panic!("not taken");
        };
        assert_eq!(bank.cancel_payment(&bank_payment_id, "https://obole.example/back").await.unwrap(), expected);
    }
}

#[tokio::test]
async fn balances_are_read_with_the_consent() {
    let town = TestBank::start().await;
    let bank = adapter(&town.running.public_url, town.clock.clone());
    let account = DebtorAccount { iban: town.alice.iban.clone(), consent: Some(town.consent().await) };
    let balance = bank.balance(&account).await.unwrap().unwrap();
    assert_eq!((balance.booked.unwrap().minor, balance.available.unwrap().minor), (100_000, 100_000));
}

#[tokio::test]
async fn a_bank_in_the_open_is_reached_by_https_only() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let settings = Settings::at("http://bank.example/psd2".parse().unwrap());
    let entropy = Arc::new(obole::entropy::SeededEntropy::new(1));
    let refused = obole::bank::berlin_group::BerlinGroup::new("bank".into(), settings, clock(), entropy).err().unwrap();
    assert!(refused.to_string().contains("https"), "{refused}");
}
