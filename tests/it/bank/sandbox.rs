//! The sandbox bank as a stranger finds it.

use std::time::Duration;

use obole::bank::fake::{Fault, FaultKind, Operation, Settings, house_iban};
use obole::sandbox::bank::{SandboxBank, serve};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{TestBank, answer, euros};

const PAYMENTS: &str = "/v1/payments/sepa-credit-transfers";

#[tokio::test]
async fn a_small_payment_is_executed_and_found_on_both_statements() {
    let town = TestBank::start().await;
    let created = town.initiate("30.00").await;
    assert_eq!(created.status, StatusCode::CREATED);
    assert_eq!(created.text("/transactionStatus"), "ACSC");
    assert_eq!(created.headers["x-request-id"], "99391c7e-ad88-49ec-a2ad-99ddcb1f7721");
    let own = created.text("/_links/self/href");
    assert_eq!(created.headers["location"].to_str().unwrap(), format!("{}{own}", town.running.public_url));
    assert_eq!(created.body["_links"]["scaRedirect"], Value::Null);
    assert_eq!(town.get(&created.text("/_links/status/href")).await.text("/transactionStatus"), "ACSC");
    let read = town.get(&own).await;
    assert_eq!(read.text("/endToEndIdentification"), "0123456789abcdef0123456789abcdef");
    assert_eq!(read.text("/instructedAmount/amount"), "30.00");
    assert_eq!((town.balance(&town.alice), town.balance(&town.cross)), (97_000, 3_000));
}

#[tokio::test]
async fn requests_that_the_standard_does_not_allow_are_refused_in_its_words() {
    let town = TestBank::start().await;
    let good = town.payment("5.00");
    let with = |name: &'static str, value: Option<&'static str>| {
        let mut request = town.call(Method::POST, PAYMENTS).json(&good).build().unwrap();
        request.headers_mut().remove(name);
        if let Some(value) = value {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        reqwest::RequestBuilder::from_parts(super::client(), request)
    };
    for (name, value, status, code) in [
        ("X-Request-ID", None, 400, "FORMAT_ERROR"),
        ("X-Request-ID", Some("not-a-uuid"), 400, "FORMAT_ERROR"),
        ("PSU-IP-Address", None, 400, "FORMAT_ERROR"),
        ("PSU-IP-Address", Some("localhost"), 400, "FORMAT_ERROR"),
        ("Content-Type", Some("application/xml"), 415, ""),
        ("TPP-Redirect-URI", Some("javascript:alert(1)"), 400, "FORMAT_ERROR"),
    ] {
        let refused = answer(with(name, value)).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (status, code), "{name}: {value:?}");
    }
    let mut wrong = good.clone();
    wrong["instructedAmount"]["amount"] = json!("12,5");
    let refused = answer(town.call(Method::POST, PAYMENTS).json(&wrong)).await;
    assert_eq!((refused.code(), refused.text("/tppMessages/0/path").as_str()), ("FORMAT_ERROR", "instructedAmount.amount"));
    let mut wrong = good.clone();
    wrong["debtorAccount"]["iban"] = json!("FR7630006000011234567890189");
    let refused = answer(town.call(Method::POST, PAYMENTS).json(&wrong)).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (400, "RESOURCE_UNKNOWN"));
    let refused = answer(town.call(Method::POST, PAYMENTS).header("Content-Type", "application/json").body("{")).await;
    assert_eq!(refused.code(), "FORMAT_ERROR");
    let refused = answer(town.call(Method::POST, "/v1/payments/gold-transfers").json(&good)).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (404, "PRODUCT_UNKNOWN"));
    let refused = answer(town.call(Method::POST, "/v1/bulk-payments/sepa-credit-transfers").json(&good)).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (400, "SERVICE_INVALID"));
    let huge = answer(town.call(Method::POST, PAYMENTS).json(&json!({"x": "y".repeat(100_000)}))).await;
    assert_eq!((huge.status.as_u16(), huge.code()), (413, "FORMAT_ERROR"));
    let unknown = town.get(&format!("{PAYMENTS}/nothing/status")).await;
    assert_eq!((unknown.status.as_u16(), unknown.code()), (404, "RESOURCE_UNKNOWN"));
    let query = town.get("/v1/accounts?withBalance=perhaps").await;
    assert_eq!((query.status.as_u16(), query.code()), (400, "FORMAT_ERROR"));
    let method = answer(town.call(Method::PUT, PAYMENTS)).await;
    assert_eq!((method.status.as_u16(), method.code()), (405, "SERVICE_INVALID"));
    assert_eq!(town.get("/v1/nothing/at/all/here").await.code(), "RESOURCE_UNKNOWN");
    assert_eq!(town.bank.totals().unwrap().payments, 0);
}

#[tokio::test]
async fn the_payer_approves_a_large_payment_on_the_banks_page() {
    let town = TestBank::start().await;
    let created = town.initiate("30.01").await;
    assert_eq!(created.text("/transactionStatus"), "RCVD");
    assert_eq!(created.headers["aspsp-sca-approach"], "REDIRECT");
    let page = created.text("/_links/scaRedirect/href");
    let page = page.strip_prefix(&town.running.public_url).unwrap();
    let shown = town.plain(Method::GET, page).header("Accept-Language", "fr").send().await.unwrap().text().await.unwrap();
    for part in ["30,01\u{a0}€", "Croix-Rouge francaise", &town.cross.iban.printed(), "Approuver", "Refuser", "viewport"] {
        assert!(shown.contains(part), "{part} is missing in {shown}");
    }
    let shown = town.plain(Method::GET, page).send().await.unwrap().text().await.unwrap();
    assert!(shown.contains("€30.01") && shown.contains("Approve"));
    let answered = town.plain(Method::POST, page).form(&[("answer", "approve")]).send().await.unwrap();
    assert_eq!(answered.status(), StatusCode::SEE_OTHER);
    assert_eq!(answered.headers()["location"], "https://tpp.example/back?order=1");
    assert_eq!(town.get(&created.text("/_links/status/href")).await.text("/transactionStatus"), "ACSC");
    assert_eq!(town.get(&created.text("/_links/scaStatus/href")).await.text("/scaStatus"), "finalised");
    let again = town.plain(Method::POST, page).form(&[("answer", "approve")]).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::CONFLICT);
    assert_eq!(town.balance(&town.cross), 3_001);
}

#[tokio::test]
async fn a_refusing_payer_comes_back_to_the_other_address_and_has_not_paid() {
    let town = TestBank::start().await;
    let created = town.initiate("31.00").await;
    let page = created.text("/_links/scaRedirect/href");
    let answered = super::client().post(page).form(&[("answer", "refuse")]).send().await.unwrap();
    assert_eq!(answered.headers()["location"], "https://tpp.example/refused");
    let status = town.get(&created.text("/_links/status/href")).await;
    assert_eq!((status.text("/transactionStatus").as_str(), status.text("/tppMessages/0/text").as_str()), ("RJCT", "CUST"));
    let late = town.initiate("31.00").await;
    town.clock.advance(Duration::from_secs(300));
    assert_eq!(town.get(&late.text("/_links/status/href")).await.text("/transactionStatus"), "RJCT");
    assert_eq!(town.balance(&town.alice), 100_000);
}

#[tokio::test]
async fn authorisations_can_be_started_explicitly_and_payments_cancelled() {
    let town = TestBank::start().await;
    let request = town.call(Method::POST, PAYMENTS).header("TPP-Explicit-Authorisation-Preferred", "true");
    let created = answer(request.json(&town.payment("40.00"))).await;
    let list = created.text("/_links/startAuthorisation/href");
    let started = answer(town.call(Method::POST, &list)).await;
    assert_eq!((started.status, started.text("/scaStatus").as_str()), (StatusCode::CREATED, "received"));
    assert_eq!(town.get(&list).await.body["authorisationIds"][0], started.body["authorisationId"]);
    assert_eq!(answer(town.call(Method::DELETE, &created.text("/_links/self/href"))).await.status, StatusCode::NO_CONTENT);
    assert_eq!(town.get(&created.text("/_links/status/href")).await.text("/transactionStatus"), "CANC");
    assert_eq!(town.get(&started.text("/_links/scaStatus/href")).await.text("/scaStatus"), "failed");
    let settled = town.initiate("1.00").await;
    let late = answer(town.call(Method::DELETE, &settled.text("/_links/self/href"))).await;
    assert_eq!((late.status.as_u16(), late.code()), (405, "CANCELLATION_INVALID"));
}

#[tokio::test]
async fn there_is_no_idempotency_and_all_statements_sum_to_zero() {
    let town = TestBank::start().await;
    for _ in 0..3 {
        town.initiate("10.00").await;
    }
    let found = town.plain(Method::GET, "/sandbox/payments?end_to_end=0123456789abcdef0123456789abcdef");
    assert_eq!(answer(found).await.body["payments"].as_array().unwrap().len(), 3);
    let reference = found_payment(&town).await;
    let returned = town.plain(Method::POST, &format!("/sandbox/payments/{reference}/return")).json(&json!({"reason": "AC04"}));
    assert_eq!(answer(returned).await.body["returned"], json!(true));
    let mut sum = 0;
    for iban in [&town.alice.iban, &town.cross.iban, &house_iban()] {
        let statement = answer(town.plain(Method::GET, &format!("/sandbox/accounts/{}/entries", iban.as_str()))).await;
        for entry in statement.body["entries"].as_array().unwrap() {
            sum += obole::money::Money::from_decimal(entry["amount"].as_str().unwrap(), euros(0).currency).unwrap().minor;
        }
    }
    assert_eq!(sum, 0);
    let totals = answer(town.plain(Method::GET, "/sandbox/totals")).await.body;
    assert_eq!(totals["settled_minor"], json!(2_000));
    assert_eq!(totals["sum_of_balances_minor"], json!(0));
    assert_eq!(totals["entries"], json!(2 * (1 + 3 + 1)));
}

async fn found_payment(town: &TestBank) -> String {
    let found = town.plain(Method::GET, "/sandbox/payments?end_to_end=0123456789abcdef0123456789abcdef");
    answer(found).await.text("/payments/0/id")
}

#[tokio::test]
async fn accounts_are_read_with_the_holders_consent_only() {
    let town = TestBank::start().await;
    town.initiate("12.50").await;
    let none = town.get("/v1/accounts").await;
    assert_eq!((none.status.as_u16(), none.code()), (400, "FORMAT_ERROR"));
    let wrong = answer(town.call(Method::GET, "/v1/accounts").header("Consent-ID", "nonsense")).await;
    assert_eq!((wrong.status.as_u16(), wrong.code()), (403, "CONSENT_UNKNOWN"));

    let consent = town.consent().await;
    let read = |path: String| answer(town.call(Method::GET, &path).header("Consent-ID", &consent));
    assert_eq!(town.get(&format!("/v1/consents/{consent}/status")).await.text("/consentStatus"), "valid");
    let given = town.get(&format!("/v1/consents/{consent}")).await;
    assert_eq!(given.text("/access/transactions/0/iban"), town.alice.iban.as_str());

    let accounts = read("/v1/accounts?withBalance=true".to_owned()).await;
    assert_eq!(accounts.body["accounts"].as_array().unwrap().len(), 1);
    assert_eq!(accounts.text("/accounts/0/iban"), town.alice.iban.as_str());
    assert_eq!(accounts.text("/accounts/0/balances/0/balanceAmount/amount"), "987.50");
    let statement = accounts.text("/accounts/0/_links/transactions/href");
    let booked = read(format!("{statement}?bookingStatus=both&dateFrom=2026-11-01&dateTo=2026-11-30")).await;
    let entry = &booked.body["transactions"]["booked"][1];
    assert_eq!(entry["endToEndId"], "0123456789abcdef0123456789abcdef");
    assert_eq!(entry["transactionAmount"], json!({"currency": "EUR", "amount": "-12.50"}));
    assert_eq!(entry["bookingDate"], "2026-11-20");
    assert_eq!(booked.body["transactions"]["pending"], json!([]));

    let first = read(format!("{statement}?bookingStatus=booked&dateFrom=2026-11-01&itemsPerPage=1")).await;
    assert_eq!(first.body["transactions"]["booked"].as_array().unwrap().len(), 1);
    let second = read(first.text("/transactions/_links/next/href")).await;
    assert_eq!(second.body["transactions"]["booked"][0], *entry);
    assert_eq!(second.body["transactions"]["_links"]["next"], Value::Null);

    let none = read(format!("{statement}?bookingStatus=booked&dateFrom=2026-11-21&dateTo=2026-11-22")).await;
    assert_eq!(none.body["transactions"]["booked"], json!([]));
    assert_eq!(read(format!("{statement}?bookingStatus=booked")).await.code(), "FORMAT_ERROR");
    assert_eq!(
        read(format!("{statement}?bookingStatus=booked&dateFrom=2026-12-01&dateTo=2026-11-01")).await.code(),
        "PERIOD_INVALID"
    );
    let foreign = format!("/v1/accounts/{}/balances", town.cross.resource_id);
    assert_eq!(read(foreign).await.code(), "CONSENT_INVALID");

    assert_eq!(answer(town.call(Method::DELETE, &format!("/v1/consents/{consent}"))).await.status, StatusCode::NO_CONTENT);
    assert_eq!(read("/v1/accounts".to_owned()).await.code(), "CONSENT_INVALID");
}

#[tokio::test]
async fn payments_on_their_way_are_pending_entries() {
    let town = TestBank::with(Settings { execution_delay_ms: 10_000, ..Settings::default() }).await;
    let consent = town.consent().await;
    assert_eq!(town.initiate("5.00").await.text("/transactionStatus"), "RCVD");
    let path = format!("/v1/accounts/{}/transactions?bookingStatus=both&dateFrom=2026-11-20", town.alice.resource_id);
    let read = || answer(town.call(Method::GET, &path).header("Consent-ID", &consent));
    assert_eq!(read().await.body["transactions"]["pending"][0]["endToEndId"], "0123456789abcdef0123456789abcdef");
    town.clock.advance(Duration::from_secs(10));
    let later = read().await.body;
    assert_eq!(later["transactions"]["pending"], json!([]));
    assert_eq!(later["transactions"]["booked"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn funds_are_confirmed_or_not() {
    let town = TestBank::start().await;
    for (amount, there) in [("1000.00", true), ("1000.01", false)] {
        let question = json!({
            "account": {"iban": town.alice.iban.as_str()},
            "instructedAmount": {"currency": "EUR", "amount": amount}
        });
        let confirmed = answer(town.call(Method::POST, "/v1/funds-confirmations").json(&question)).await;
        assert_eq!(confirmed.body, json!({"fundsAvailable": there}));
    }
}

#[tokio::test]
async fn faults_strike_as_asked() {
    let town = TestBank::start().await;
    let once = |fault| Fault { on: Some(Operation::Initiate), ..Fault::from(fault) };
    let send = || town.call(Method::POST, PAYMENTS).json(&town.payment("1.00")).send();

    for (fault, taken) in [(FaultKind::LoseAnswer, 1), (FaultKind::CutBefore, 0)] {
        let before = town.bank.totals().unwrap().payments;
        town.bank.misbehave(once(fault.clone()));
        let lost = send().await;
        assert!(
            match lost {
                Err(_) => true,
                Ok(response) => response.bytes().await.is_err(),
            },
            "{fault:?}"
        );
        assert_eq!(town.bank.totals().unwrap().payments - before, taken, "{fault:?}");
    }
    for (fault, status, taken) in [
        (FaultKind::ErrorBefore { status: 500 }, 500, 0),
        (FaultKind::ErrorAfter { status: 502 }, 502, 1),
        (FaultKind::Down, 503, 0),
        (FaultKind::TooMany { retry_after_seconds: 7 }, 429, 0),
        (FaultKind::Malformed, 201, 1),
        (FaultKind::Duplicate, 201, 2),
    ] {
        let before = town.bank.totals().unwrap().payments;
        town.bank.misbehave(once(fault.clone()));
        assert_eq!(send().await.unwrap().status().as_u16(), status, "{fault:?}");
        assert_eq!(town.bank.totals().unwrap().payments - before, taken, "{fault:?}");
    }
    for (fault, status) in
        [(FaultKind::NoFunds, "RJCT"), (FaultKind::Refuse { reason: "AC04".to_owned() }, "RJCT"), (FaultKind::AlwaysAsk, "RCVD")]
    {
        town.bank.misbehave(once(fault.clone()));
        assert_eq!(town.initiate("1.00").await.text("/transactionStatus"), status, "{fault:?}");
    }
    let settled = town.initiate("1.00").await;
    for (fault, status) in [(FaultKind::Reorder, "ACSP"), (FaultKind::StrangeStatus, "ZZZZ")] {
        town.bank.misbehave(fault);
        assert_eq!(town.get(&settled.text("/_links/status/href")).await.text("/transactionStatus"), status);
    }
    let fault = json!({"fault": {"kind": "slow", "milliseconds": 50}, "on": "initiate", "times": 1});
    assert_eq!(answer(town.plain(Method::POST, "/sandbox/faults").json(&fault)).await.status, StatusCode::CREATED);
    let started = std::time::Instant::now();
    town.initiate("1.00").await;
    assert!(started.elapsed() >= Duration::from_millis(50));
}

#[tokio::test]
async fn people_can_read_accounts_and_statements() {
    let town = TestBank::start().await;
    let opened =
        town.plain(Method::POST, "/sandbox/accounts").json(&json!({"login": "bob", "name": "Bob <b>", "opening": "20.00"}));
    let opened = answer(opened).await;
    assert_eq!(opened.status, StatusCode::CREATED);
    let iban = opened.text("/iban");
    let home = town.plain(Method::GET, "/").header("Accept-Language", "fr").send().await.unwrap().text().await.unwrap();
    assert!(home.contains("Bob &lt;b&gt;") && home.contains("20,00\u{a0}€") && home.contains("Alice Martin"), "{home}");
    let statement = town.plain(Method::GET, &format!("/accounts/{iban}")).send().await.unwrap().text().await.unwrap();
    assert!(statement.contains("Opening balance") && statement.contains("€20.00"), "{statement}");
    assert_eq!(town.plain(Method::GET, "/accounts/nonsense").send().await.unwrap().status(), StatusCode::NOT_FOUND);
    assert!(town.plain(Method::GET, "/sandbox").send().await.unwrap().text().await.unwrap().contains("/sandbox/faults"));
}

#[tokio::test]
async fn a_bank_with_a_token_wants_to_see_it() {
    let town = TestBank::start().await;
    let shutdown = CancellationToken::new();
    let running = serve(SandboxBank {
        bank: town.bank.clone(),
        address: "127.0.0.1:0".to_owned(),
        public_url: Some("http://localhost:1/".to_owned()),
        bearer_token: Some("secret".into()),
        shutdown: shutdown.clone(),
    })
    .await
    .unwrap();
    assert_eq!(running.public_url, "http://localhost:1");
    let call = |token: &str| {
        let request = super::client().get(format!("http://{}/v1/consents/nothing", running.addresses[0]));
        request.header("X-Request-ID", "99391c7e-ad88-49ec-a2ad-99ddcb1f7721").header("Authorization", token)
    };
    for wrong in ["", "Bearer ", "Bearer secrets", "Basic secret"] {
        assert_eq!(answer(call(wrong)).await.code(), "TOKEN_INVALID", "{wrong:?}");
    }
    assert_eq!(answer(call("Bearer secret")).await.code(), "CONSENT_UNKNOWN");

    shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(5), running.task).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_busy_port_and_an_open_address_are_one_clear_sentence() {
    let town = TestBank::start().await;
    let taken = format!("localhost:{}", town.running.addresses[0].port());
    for (address, part) in [(taken.as_str(), "another program is using 127.0.0.1"), ("0.0.0.0:0", "listens on this machine only")] {
        let refused = serve(SandboxBank {
            bank: town.bank.clone(),
            address: address.to_owned(),
            public_url: None,
            bearer_token: None,
            shutdown: CancellationToken::new(),
        })
        .await
        .err()
        .unwrap();
        assert!(format!("{refused:#}").contains(part), "{refused:#}");
    }
}
