//! The adapter against the reference backend, and in the configuration.

use std::sync::Arc;
use std::time::Duration;

use obole::bank::fake::{AuthorisationId, FakeBank, PaymentId, Reason, Settings as BankSettings};
use obole::bank::settlement::{SETTLED_BY, Settings, SettlementApi};
use obole::bank::{Bank, BankStatus, ConsentStanding, DebtorAccount, PaymentInstruction, Standing, Submission, TryAgain};
use obole::clock::ManualClock;
use obole::entropy::SeededEntropy;
use obole::money::{Currency, Money};

use super::{Backend, install_tls};
use crate::bank::{START, instruction, query};

struct Place {
    bank: Arc<FakeBank>,
    clock: Arc<ManualClock>,
    backend: Backend,
    adapter: SettlementApi,
}

async fn place() -> Place {
    let clock = Arc::new(ManualClock::at(START.parse().unwrap()));
    let bank = Arc::new(FakeBank::in_memory(BankSettings::default(), clock.clone(), Arc::new(SeededEntropy::new(3))));
    bank.open_account("alice", "Alice Martin", Money::new(100_000, Currency::EUR)).unwrap();
    bank.open_account("croixrouge", "Croix-Rouge francaise", Money::zero(Currency::EUR)).unwrap();
    let backend = Backend::over(bank.clone(), clock.clone()).await;
    let adapter = SettlementApi::new("bank".into(), Settings::at(backend.url()), clock.clone()).unwrap();
    Place { bank, clock, backend, adapter }
}

impl Place {
    fn payment(&self, minor: i64) -> PaymentInstruction {
        let iban = |login| self.bank.accounts_of(login).unwrap()[0].account.iban.clone();
        instruction(&iban("alice"), &iban("croixrouge"), minor)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_is_taken_once_however_often_it_is_handed_over() {
    let place = place().await;
    let payment = place.payment(1_250);
    for _ in 0..3 {
        let submitted = place.adapter.submit(&payment).await;
        assert!(matches!(submitted, Submission::Taken { status: BankStatus::Settled, .. }), "{submitted:?}");
    }
    let known = place.bank.payments_with(payment.key.as_str()).unwrap();
    assert_eq!(known.len(), 1);
    assert_eq!(known[0].instruction.remittance.as_deref(), Some("DON telethon"));
    assert!(place.adapter.capabilities().key_life.is_some() && place.adapter.capabilities().entries_by_consent);
    // Another order under the same id is nobody's payment: it is asked for, and the answer is not ours.
    let other = PaymentInstruction { amount: Money::new(1_251, Currency::EUR), ..payment.clone() };
    assert!(matches!(place.adapter.submit(&other).await, Submission::Unknown { .. }));
    assert!(place.adapter.ask(&query(&other, None)).await.is_err());

    let day = START.parse::<obole::clock::Timestamp>().unwrap().to_zoned(jiff::tz::TimeZone::UTC).date();
    place.bank.give_back(&known[0].id, &Reason("AC04".to_owned())).unwrap();
    let standing = place.adapter.ask(&query(&payment, None)).await.unwrap();
    let returned = BankStatus::Returned { reason: "AC04".to_owned() };
    assert!(matches!(&standing, Standing::Known { status, .. } if *status == returned), "{standing:?}");
    let entries = place.adapter.entries(&payment.debtor, day, day).await.unwrap();
    assert_eq!(entries.iter().map(|entry| entry.amount.minor).collect::<Vec<_>>(), [-1_250, 1_250]);
    assert!(entries.iter().all(|entry| entry.end_to_end_id.as_deref() == Some(payment.key.as_str())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn not_found_is_never_only_after_the_order_has_run_out() {
    let place = place().await;
    let payment = place.payment(500);
    assert_eq!(place.adapter.ask(&query(&payment, None)).await, Ok(Standing::NotFound));
    place.clock.advance(SETTLED_BY);
    assert_eq!(place.adapter.ask(&query(&payment, None)).await, Ok(Standing::NotFound), "a call may be on its way");
    assert!(matches!(place.adapter.submit(&payment).await, Submission::Refused { reason } if reason == "expired"));
    place.clock.advance(Duration::from_secs(3 * 60));
    assert_eq!(place.adapter.ask(&query(&payment, None)).await, Ok(Standing::NeverTaken));
    // When the backend may have forgotten it, nothing follows any more.
    place.clock.advance(Duration::from_secs(400 * 24 * 3_600));
    assert_eq!(place.adapter.ask(&query(&payment, None)).await, Ok(Standing::NotFound));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_payer_goes_to_the_banks_page_where_the_bank_wants_that() {
    let place = place().await;
    let payment = place.payment(4_000);
    let Submission::Taken { status: BankStatus::Received, authorise_at: Some(page), .. } = place.adapter.submit(&payment).await
    else {
        panic!("not taken")
    };
    let authorisation = AuthorisationId(page.rsplit('/').next().unwrap().to_owned());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let shown = client.get(&page).send().await.unwrap();
    assert!(shown.status().is_success(), "{page}");
    place.bank.answer(&authorisation, true, None).unwrap();
    let standing = place.adapter.ask(&query(&payment, None)).await.unwrap();
    assert!(matches!(standing, Standing::Known { status: BankStatus::Settled, authorise_at: None, .. }), "{standing:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_is_linked_at_the_banks_page_and_a_link_that_ended_pays_nothing() {
    let place = place().await;
    let link = place.adapter.request_consent("https://obole.example/enrol/return").await.unwrap();
    assert_eq!(place.adapter.consent(&link.consent_id).await.unwrap(), ConsentStanding::Pending);
    let authorisation = AuthorisationId(link.authorise_at.rsplit('/').next().unwrap().to_owned());
    place.bank.answer(&authorisation, true, Some("alice")).unwrap();
    let ConsentStanding::Valid { accounts } = place.adapter.consent(&link.consent_id).await.unwrap() else { panic!("not valid") };
    let payment = place.payment(100);
    assert_eq!(accounts[0].iban, payment.debtor.iban);
    let debtor = DebtorAccount { consent: Some(link.consent_id.clone()), ..payment.debtor.clone() };
    let linked = PaymentInstruction { debtor, ..payment };
    assert!(matches!(place.adapter.submit(&linked).await, Submission::Taken { .. }));
    let id = obole::bank::fake::ConsentId(link.consent_id.clone());
    place.bank.end_consent(&id, obole::bank::fake::ConsentStatus::RevokedByPsu).unwrap();
    assert_eq!(place.adapter.consent(&link.consent_id).await.unwrap(), ConsentStanding::Gone);
    assert_eq!(place.adapter.consent("nonsense").await.unwrap(), ConsentStanding::Gone);
    let another = PaymentInstruction { key: "f".repeat(32).parse().unwrap(), ..linked };
    assert!(matches!(place.adapter.submit(&another).await, Submission::Refused { reason } if reason == "invalid"));
    assert!(place.bank.payment(&PaymentId("nonsense".to_owned())).is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_cannot_be_used_is_given_no_payment() {
    use wiremock::matchers::path;
    use wiremock::{Mock, MockServer, ResponseTemplate};
    install_tls();
    let place = place().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let document = client.get(format!("{}capabilities", place.backend.url())).send().await.unwrap().json::<serde_json::Value>();
    let right = document.await.unwrap();
    for (key, value) in [
        ("protocol", serde_json::json!("another")),
        ("versions", serde_json::json!(["2.0"])),
        ("currencies", serde_json::json!([])),
        ("longest_validity_seconds", serde_json::json!(60)),
        ("key_retention_seconds", serde_json::json!(60)),
    ] {
        let mut wrong = right.clone();
        wrong[key] = value;
        let server = MockServer::start().await;
        Mock::given(path("/capabilities")).respond_with(ResponseTemplate::new(200).set_body_json(&wrong)).mount(&server).await;
        let adapter = SettlementApi::new("bank".into(), Settings::at(server.uri().parse().unwrap()), place.clock.clone()).unwrap();
        let submitted = adapter.submit(&place.payment(100)).await;
        assert!(matches!(submitted, Submission::NotTaken(TryAgain::Credentials { .. })), "{key}: {submitted:?}");
        assert_eq!(server.received_requests().await.unwrap().len(), 1, "{key}");
    }
    let outside = Settings::at("https://bank.example/".parse().unwrap());
    assert!(
        SettlementApi::new("bank".into(), outside, place.clock.clone()).is_err(),
        "nobody is asked in the open without signing"
    );
}

#[test]
fn the_example_configuration_has_a_settlement_backend_that_is_read() {
    use obole::config::{BankSection, Config, Environment};
    let example = include_str!("../../../obole.example.toml");
    let (before, rest) = example.split_once("## [banks.own]\n").unwrap();
    let (section, after) = rest.split_once("\n\n").unwrap();
    let shown: Vec<&str> =
        section.lines().map(|line| line.strip_prefix("## ").unwrap()).filter(|line| line.contains(" = ")).collect();
    let text = format!("{before}[banks.own]\n{}\n\n{after}", shown.join("\n"));
    for (file, variable) in [
        ("secret_file", "SECRET"),
        ("webhook_secret_file", "WEBHOOK_SECRET"),
        ("webhook_secret_previous_file", "WEBHOOK_SECRET_PREVIOUS"),
    ] {
        assert!(text.contains(&format!("\n{file} = ")), "{file} {variable}");
    }
    let secret = format!("whsec_{}", "QUJD".repeat(11));
    let values = [
        ("OBOLE_SECRETS_KEY", "00".repeat(32)),
        ("OBOLE_PLATFORMS_MASTODON_ACCESS_TOKEN", "hush".to_owned()),
        ("OBOLE_BANKS_OWN_SECRET", "0123456789abcdef01234567".to_owned()),
        ("OBOLE_BANKS_OWN_WEBHOOK_SECRET", secret.clone()),
        ("OBOLE_BANKS_OWN_WEBHOOK_SECRET_PREVIOUS", secret),
    ];
    let environment: Environment = values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let config = Config::read("obole.toml", &text, std::path::Path::new("/nowhere"), &environment).unwrap();
    let BankSection::Settlement(section) = &config.banks[&"own".into()] else { panic!("another kind") };
    assert_eq!(
        section.webhook.as_ref().map(|webhook| (webhook.path.as_str(), webhook.secrets.len())),
        Some(("/settlement/events/own", 2))
    );
    assert!(section.key.is_some() && !format!("{section:?}").contains("0123456789abcdef"), "secrets print nothing");
    let wrong = text.replace("webhook_path = \"/settlement/events/own\"", "webhook_path = \"/enrol\"");
    assert!(Config::read("obole.toml", &wrong, std::path::Path::new("/nowhere"), &environment).is_err());
}
