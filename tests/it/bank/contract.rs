//! What the port promises, told once and run twice: through the production adapter over the sandbox's wire, and through the
//! fake bank without one.

use std::time::Duration;

use obole::bank::fake::{AuthorisationId, FakeConnection, Fault, FaultKind, Operation, PaymentId, Reason};
use obole::bank::{Bank, BankStatus, ConsentStanding, PaymentInstruction, Standing, Submission, TryAgain};

use super::{START, TestBank, adapter, instruction, query};

/// Both ways to the same kind of bank.
async fn both<F: AsyncFn(&TestBank, &dyn Bank)>(story: F) {
    let town = TestBank::start().await;
    story(&town, &adapter(&town.running.public_url, town.clock.clone())).await;
    let town = TestBank::start().await;
    story(&town, &FakeConnection::new("fake".into(), town.bank.clone())).await;
}

fn pay(town: &TestBank, minor: i64) -> PaymentInstruction {
    instruction(&town.alice.iban, &town.cross.iban, minor)
}

/// What follows `/approve/` in the address of the payer's page.
fn authorisation(page: &str) -> AuthorisationId {
    AuthorisationId(page.rsplit('/').next().unwrap().to_owned())
}

async fn consented(town: &TestBank, bank: &dyn Bank, mut payment: PaymentInstruction) -> PaymentInstruction {
    let request = bank.request_consent("https://obole.example/consent").await.unwrap();
    assert_eq!(bank.consent(&request.consent_id).await.unwrap(), ConsentStanding::Pending);
    town.bank.answer(&authorisation(&request.authorise_at), true, Some("alice")).unwrap();
    payment.debtor.consent = Some(request.consent_id);
    payment
}

fn known(standing: Result<Standing, TryAgain>) -> BankStatus {
    match standing {
        Ok(Standing::Known { status, .. }) => status,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_small_payment_is_settled_and_its_entry_carries_the_key() {
    both(async |town, bank| {
        let payment = consented(town, bank, pay(town, 1_250)).await;
        let Submission::Taken { bank_payment_id, status: BankStatus::Settled, authorise_at: None } = bank.submit(&payment).await
        else {
            panic!("not taken");
        };
        let asked = bank.ask(&query(&payment, Some(&bank_payment_id))).await.unwrap();
        assert_eq!(
            asked,
            Standing::Known { bank_payment_id: Some(bank_payment_id), status: BankStatus::Settled, authorise_at: None }
        );
        let day = START.parse::<jiff::Timestamp>().unwrap().to_zoned(jiff::tz::TimeZone::UTC).date();
        let entries = bank.entries(&payment.debtor, day, day).await.unwrap();
        let entry = entries.iter().find(|entry| entry.end_to_end_id.as_deref() == Some(payment.key.as_str())).unwrap();
        assert_eq!((entry.amount.minor, entry.booked_on), (-1_250, Some(day)));
        assert_eq!(entry.counterparty_iban.as_ref(), Some(&town.cross.iban));
        assert!(bank.entries(&payment.debtor, day.tomorrow().unwrap(), day.tomorrow().unwrap()).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_large_payment_waits_for_the_payer_at_the_bank() {
    both(async |town, bank| {
        let payment = pay(town, 5_000);
        let Submission::Taken { bank_payment_id, status: BankStatus::Received, authorise_at: Some(page) } =
            bank.submit(&payment).await
        else {
            panic!("not waiting");
        };
        assert_eq!(known(bank.ask(&query(&payment, Some(&bank_payment_id))).await), BankStatus::Received);
        town.bank.answer(&authorisation(&page), true, None).unwrap();
        assert_eq!(known(bank.ask(&query(&payment, Some(&bank_payment_id))).await), BankStatus::Settled);

        let Submission::Taken { bank_payment_id, .. } = bank.submit(&payment).await else { panic!("not taken") };
        town.clock.advance(Duration::from_secs(600));
        let standing = known(bank.ask(&query(&payment, Some(&bank_payment_id))).await);
        assert_eq!(standing, BankStatus::Rejected { reason: "NOAS".to_owned() });
    })
    .await;
}

#[tokio::test]
async fn a_lost_answer_is_unknown_and_then_found_by_its_key() {
    both(async |town, bank| {
        let payment = consented(town, bank, pay(town, 700)).await;
        assert_eq!(bank.ask(&query(&payment, None)).await.unwrap(), Standing::NotFound);
        for fault in [FaultKind::LoseAnswer, FaultKind::ErrorAfter { status: 502 }, FaultKind::Malformed] {
            let before = town.balance(&town.alice);
            town.bank.misbehave(Fault { on: Some(Operation::Initiate), ..fault.clone().into() });
            assert!(matches!(bank.submit(&payment).await, Submission::Unknown { .. }), "{fault:?}");
            assert_eq!(before - town.balance(&town.alice), 700, "{fault:?}");
        }
        let found = bank.ask(&query(&payment, None)).await.unwrap();
        assert_eq!(found, Standing::Known { bank_payment_id: None, status: BankStatus::Settled, authorise_at: None });
        let mut other = query(&payment, None);
        other.amount.minor += 1;
        assert_eq!(bank.ask(&other).await.unwrap(), Standing::NotFound);
    })
    .await;
}

#[tokio::test]
async fn what_never_arrived_is_unknown_too_and_is_not_found() {
    both(async |town, bank| {
        let payment = consented(town, bank, pay(town, 700)).await;
        for fault in [FaultKind::CutBefore, FaultKind::Down, FaultKind::ErrorBefore { status: 500 }] {
            town.bank.misbehave(Fault { on: Some(Operation::Initiate), ..fault.clone().into() });
            assert!(matches!(bank.submit(&payment).await, Submission::Unknown { .. }), "{fault:?}");
        }
        assert_eq!(bank.ask(&query(&payment, None)).await.unwrap(), Standing::NotFound);
    })
    .await;
}

#[tokio::test]
async fn refusals_and_our_own_troubles_are_told_apart() {
    both(async |town, bank| {
        let payment = pay(town, 700);
        let strike = |fault: FaultKind| town.bank.misbehave(Fault { on: Some(Operation::Initiate), ..fault.into() });
        strike(FaultKind::NoFunds);
        assert_eq!(bank.submit(&payment).await, Submission::Refused { reason: "AM04".to_owned() });
        strike(FaultKind::ErrorBefore { status: 400 });
        assert_eq!(bank.submit(&payment).await, Submission::Refused { reason: "FORMAT_ERROR".to_owned() });
        strike(FaultKind::ErrorBefore { status: 401 });
        assert!(matches!(bank.submit(&payment).await, Submission::NotTaken(TryAgain::Credentials { .. })));
        strike(FaultKind::TooMany { retry_after_seconds: 9 });
        let later = bank.submit(&payment).await;
        assert!(matches!(later, Submission::NotTaken(TryAgain::Later { after: Some(after), .. }) if after.as_secs() == 9));
        assert_eq!(town.balance(&town.alice), 100_000);
    })
    .await;
}

#[tokio::test]
async fn strange_and_late_statuses_never_mean_failed() {
    both(async |town, bank| {
        let payment = pay(town, 700);
        let Submission::Taken { bank_payment_id, .. } = bank.submit(&payment).await else { panic!("not taken") };
        let query = query(&payment, Some(&bank_payment_id));
        town.bank.misbehave(FaultKind::StrangeStatus);
        assert_eq!(known(bank.ask(&query).await), BankStatus::Unrecognised("ZZZZ".to_owned()));
        town.bank.misbehave(FaultKind::Reorder);
        assert_eq!(known(bank.ask(&query).await), BankStatus::Executing);
        town.bank.misbehave(FaultKind::Down);
        assert!(matches!(bank.ask(&query).await, Err(TryAgain::Later { .. })));
        let unknown = super::query(&payment, Some("nothing"));
        assert_eq!(bank.ask(&unknown).await.unwrap(), Standing::NotFound);
    })
    .await;
}

#[tokio::test]
async fn a_consent_is_valid_with_its_accounts_until_it_is_gone() {
    both(async |town, bank| {
        let payment = consented(town, bank, pay(town, 700)).await;
        let id = payment.debtor.consent.clone().unwrap();
        let ConsentStanding::Valid { accounts } = bank.consent(&id).await.unwrap() else { panic!("not valid") };
        assert_eq!((accounts.len(), &accounts[0].iban), (1, &town.alice.iban));
        assert_eq!(accounts[0].name.as_deref(), Some("Alice Martin"));
        town.clock.advance(Duration::from_hours(24 * 181));
        assert_eq!(bank.consent(&id).await.unwrap(), ConsentStanding::Gone);
        assert_eq!(bank.consent("nothing").await.unwrap(), ConsentStanding::Gone);
        let day = "2026-11-20".parse().unwrap();
        assert!(matches!(bank.entries(&payment.debtor, day, day).await, Err(TryAgain::Credentials { .. })));
        assert!(matches!(bank.ask(&query(&pay(town, 700), None)).await, Err(TryAgain::Credentials { .. })));
    })
    .await;
}

#[tokio::test]
async fn a_payment_given_back_is_a_new_entry_with_its_key() {
    both(async |town, bank| {
        let payment = consented(town, bank, pay(town, 700)).await;
        let Submission::Taken { bank_payment_id, .. } = bank.submit(&payment).await else { panic!("not taken") };
        town.bank.give_back(&PaymentId(bank_payment_id.clone()), &Reason("AC04".to_owned())).unwrap();
        let day = "2026-11-20".parse().unwrap();
        let entries = bank.entries(&payment.debtor, day, day).await.unwrap();
        let ours = entries.iter().filter(|entry| entry.end_to_end_id.as_deref() == Some(payment.key.as_str()));
        let amounts: Vec<i64> = ours.clone().map(|entry| entry.amount.minor).collect();
        assert_eq!(amounts, [-700, 700]);
        assert!(ours.clone().all(|entry| entry.counterparty_iban.as_ref() == Some(&town.cross.iban)));
        // Neither the status nor the look-up tells of a return: entries do.
        assert_eq!(known(bank.ask(&query(&payment, Some(&bank_payment_id))).await), BankStatus::Settled);
        assert_eq!(known(bank.ask(&query(&payment, None)).await), BankStatus::Settled);
    })
    .await;
}
