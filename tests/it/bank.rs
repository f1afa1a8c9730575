//! The sandbox bank over HTTP, and the adapter that speaks to banks.

mod adapter;
mod completions;
mod contract;
mod files;
mod recorded;
mod sandbox;
mod specification;

use std::sync::Arc;

use obole::bank::berlin_group::{BerlinGroup, Settings};
use obole::bank::fake::{self, Account, FakeBank};
use obole::bank::{DebtorAccount, PaymentInstruction, PaymentQuery};
use obole::clock::{ManualClock, Timestamp};
use obole::entropy::SeededEntropy;
use obole::iban::Iban;
use obole::money::{Currency, Money};
use obole::sandbox::bank::{Running, SandboxBank, serve};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// The moment the bank's clock shows when a test begins.
pub(crate) const START: &str = "2026-11-20T10:00:00Z";

/// A sandbox bank with a payer and a payee, being served.
pub(crate) struct TestBank {
    pub(crate) bank: Arc<FakeBank>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) running: Running,
    pub(crate) alice: Account,
    pub(crate) cross: Account,
    client: reqwest::Client,
    shutdown: CancellationToken,
}

impl Drop for TestBank {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// The code of the first message.
    pub(crate) fn code(&self) -> &str {
        self.body["tppMessages"][0]["code"].as_str().unwrap_or_default()
    }

    /// A text at a JSON pointer.
    pub(crate) fn text(&self, pointer: &str) -> String {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}

pub(crate) fn euros(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

/// A client that follows no redirects.
pub(crate) fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap()
}

impl TestBank {
    pub(crate) async fn start() -> Self {
        Self::with(fake::Settings::default()).await
    }

    pub(crate) async fn with(settings: fake::Settings) -> Self {
        Self::known_as(settings, None).await
    }

    /// A bank that calls itself `public_url`, wherever it listens.
    pub(crate) async fn known_as(settings: fake::Settings, public_url: Option<&str>) -> Self {
        let clock = Arc::new(ManualClock::at(START.parse::<Timestamp>().unwrap()));
        let bank = Arc::new(FakeBank::in_memory(settings, clock.clone(), Arc::new(SeededEntropy::new(3))));
        let alice = bank.open_account("alice", "Alice Martin", euros(100_000)).unwrap();
        let cross = bank.open_account("croixrouge", "Croix-Rouge francaise", euros(0)).unwrap();
        let shutdown = CancellationToken::new();
        let running = serve(SandboxBank {
            bank: bank.clone(),
            address: "localhost:0".to_owned(),
            public_url: public_url.map(str::to_owned),
            bearer_token: None,
            shutdown: shutdown.clone(),
        })
        .await
        .unwrap();
        TestBank { bank, clock, running, alice, cross, client: client(), shutdown }
    }

    /// A call with the headers that every call has.
    pub(crate) fn call(&self, method: Method, path: &str) -> RequestBuilder {
        self.plain(method, path)
            .header("X-Request-ID", "99391c7e-ad88-49ec-a2ad-99ddcb1f7721")
            .header("PSU-IP-Address", "192.0.2.8")
            .header("TPP-Redirect-URI", "https://tpp.example/back?order=1")
            .header("TPP-Nok-Redirect-URI", "https://tpp.example/refused")
    }

    /// A call without any.
    pub(crate) fn plain(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.running.addresses[0]))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        answer(self.call(Method::GET, path)).await
    }

    /// A payment initiation from Alice to the Red Cross.
    pub(crate) fn payment(&self, amount: &str) -> Value {
        json!({
            "endToEndIdentification": "0123456789abcdef0123456789abcdef",
            "debtorAccount": {"iban": self.alice.iban.as_str()},
            "instructedAmount": {"currency": "EUR", "amount": amount},
            "creditorAccount": {"iban": self.cross.iban.as_str()},
            "creditorName": "Croix-Rouge francaise",
            "remittanceInformationUnstructured": "DON TELETHON"
        })
    }

    pub(crate) async fn initiate(&self, amount: &str) -> Answer {
        answer(self.call(Method::POST, "/v1/payments/sepa-credit-transfers").json(&self.payment(amount))).await
    }

    /// A consent of Alice for her accounts and entries, given.
    pub(crate) async fn consent(&self) -> String {
        let wish = json!({
            "access": {"accounts": [], "balances": [], "transactions": []},
            "recurringIndicator": true,
            "validUntil": "2027-01-31",
            "frequencyPerDay": 4,
            "combinedServiceIndicator": false
        });
        let asked = answer(self.call(Method::POST, "/v1/consents").json(&wish)).await;
        assert_eq!(asked.status, StatusCode::CREATED, "{asked:?}");
        let page = asked.text("/_links/scaRedirect/href");
        let form = [("answer", "approve"), ("login", "alice")];
        let given = self.client.post(page).form(&form).send().await.unwrap();
        assert_eq!(given.status(), StatusCode::SEE_OTHER);
        asked.text("/consentId")
    }

    pub(crate) fn balance(&self, account: &Account) -> i64 {
        self.bank.account(&account.iban).unwrap().balances.booked.minor
    }
}

/// The production adapter, towards whatever listens at `base_url`.
pub(crate) fn adapter(base_url: &str, clock: Arc<ManualClock>) -> BerlinGroup {
    adapter_with(Settings::at(base_url.parse().unwrap()), clock)
}

pub(crate) fn adapter_with(settings: Settings, clock: Arc<ManualClock>) -> BerlinGroup {
    let _ = rustls::crypto::ring::default_provider().install_default();
    BerlinGroup::new("bank".into(), settings, clock, Arc::new(SeededEntropy::new(5))).unwrap()
}

/// A payment of `minor` cents from `debtor` to `creditor`.
pub(crate) fn instruction(debtor: &Iban, creditor: &Iban, minor: i64) -> PaymentInstruction {
    PaymentInstruction {
        key: "0123456789abcdef0123456789abcdef".parse().unwrap(),
        debtor: DebtorAccount { iban: debtor.clone(), consent: None },
        creditor_name: "Croix-Rouge française".to_owned(),
        creditor_iban: creditor.clone(),
        amount: euros(minor),
        remittance: "DON #telethon".to_owned(),
        return_url: "https://obole.example/back".to_owned(),
        submitted_at: START.parse().unwrap(),
    }
}

/// The question about it.
pub(crate) fn query(payment: &PaymentInstruction, bank_payment_id: Option<&str>) -> PaymentQuery {
    PaymentQuery {
        key: payment.key.clone(),
        bank_payment_id: bank_payment_id.map(str::to_owned),
        debtor: payment.debtor.clone(),
        amount: payment.amount,
        creditor_iban: payment.creditor_iban.clone(),
        submitted_at: START.parse().unwrap(),
    }
}

pub(crate) async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await.unwrap();
    Answer { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::Null) }
}
