//! What the fake bank promises, one sentence a test.

use std::time::Duration;

use super::*;
use crate::clock::ManualClock;
use crate::entropy::SeededEntropy;

const START: &str = "2026-11-20T10:00:00Z";

struct Town {
    bank: FakeBank,
    clock: Arc<ManualClock>,
    alice: Account,
    cross: Account,
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(START.parse().unwrap()))
}

fn euros(minor: i64) -> Money {
    Money::new(minor, CURRENCY)
}

fn town(settings: Settings) -> Town {
    let clock = clock();
    let bank = FakeBank::in_memory(settings, clock.clone(), Arc::new(SeededEntropy::new(7)));
    let alice = bank.open_account("alice", "Alice Martin", euros(10_000)).unwrap();
    let cross = bank.open_account("croixrouge", "Croix-Rouge francaise", euros(0)).unwrap();
    Town { bank, clock, alice, cross }
}

impl Town {
    fn wish(&self, minor: i64) -> Instruction {
        Instruction {
            product: Product::SepaCreditTransfers,
            debtor: self.alice.iban.clone(),
            creditor: self.cross.iban.clone(),
            creditor_name: self.cross.name.clone(),
            amount: euros(minor),
            end_to_end: Some("KEY-1".to_owned()),
            remittance: Some("DON TELETHON".to_owned()),
        }
    }

    fn pay(&self, minor: i64) -> Payment {
        let return_to = ReturnTo { approved: Some("https://tpp.example/ok".to_owned()), refused: None };
        self.bank.initiate(self.wish(minor), &Circumstances { return_to, ..Circumstances::default() }).unwrap()
    }

    fn booked(&self, account: &Account) -> i64 {
        self.bank.account(&account.iban).unwrap().balances.booked.minor
    }

    fn status(&self, payment: &Payment) -> Status {
        self.bank.payment(&payment.id).unwrap().status
    }
}

#[test]
fn a_small_payment_is_executed_at_once_and_booked_on_both_sides() {
    let town = town(Settings::default());
    let payment = town.pay(3_000);
    assert_eq!(payment.status, Status::Acsc);
    assert_eq!(payment.history.iter().map(|(_, status)| *status).collect::<Vec<_>>(), [Status::Rcvd, Status::Acsp, Status::Acsc]);
    assert_eq!((town.booked(&town.alice), town.booked(&town.cross)), (7_000, 3_000));
    let (entries, total) = town.bank.entries(&town.cross.iban, Days::default(), 0, 10).unwrap();
    assert_eq!(total, 1);
    assert_eq!(entries[0].end_to_end.as_deref(), Some("KEY-1"));
    assert_eq!(entries[0].counterparty().name, "Alice Martin");
    let (entries, _) = town.bank.entries(&town.alice.iban, Days::default(), 1, 10).unwrap();
    assert_eq!((entries[0].amount.minor, entries[0].balance_after.minor), (-3_000, 7_000));
    assert_eq!(entries[0].counterparty().name, "Croix-Rouge francaise");
    assert_eq!(town.bank.totals().unwrap().sum_of_balances_minor, 0);
}

#[test]
fn the_same_instruction_twice_is_two_payments() {
    let town = town(Settings::default());
    assert_ne!(town.pay(1_000).id, town.pay(1_000).id);
    assert_eq!(town.booked(&town.cross), 2_000);
    assert_eq!(town.bank.payments_with("KEY-1").unwrap().len(), 2);
}

#[test]
fn no_funds_is_a_rejection_with_am04() {
    let town = town(Settings { exempt_up_to: euros(100_000), ..Settings::default() });
    let payment = town.pay(10_001);
    assert_eq!((payment.status, payment.reason), (Status::Rjct, Some(Reason::no_funds())));
    assert_eq!(town.booked(&town.alice), 10_000);
}

#[test]
fn with_a_delay_the_money_is_held_back_and_then_booked_when_it_was_due() {
    let town = town(Settings { execution_delay_ms: 4_000, ..Settings::default() });
    let payment = town.pay(3_000);
    assert_eq!(payment.status, Status::Rcvd);
    let balances = town.bank.account(&town.alice.iban).unwrap().balances;
    assert_eq!((balances.booked.minor, balances.available.minor), (10_000, 7_000));
    town.clock.advance(Duration::from_secs(2));
    assert_eq!(town.status(&payment), Status::Acsp);
    assert_eq!(town.bank.cancel(&payment.id), Err(Refusal::NotCancellable));
    town.clock.advance(Duration::from_hours(24));
    assert_eq!(town.status(&payment), Status::Acsc);
    let (entries, _) = town.bank.entries(&town.alice.iban, Days::default(), 1, 1).unwrap();
    assert_eq!(entries[0].booked_at, START.parse::<Timestamp>().unwrap() + Duration::from_secs(4));
    let balances = town.bank.account(&town.alice.iban).unwrap().balances;
    assert_eq!((balances.booked.minor, balances.available.minor), (7_000, 7_000));
}

#[test]
fn a_large_payment_waits_for_the_payer() {
    let town = town(Settings::default());
    let payment = town.pay(3_001);
    assert_eq!(payment.status, Status::Rcvd);
    assert_eq!(town.booked(&town.alice), 10_000);
    town.bank.answer(&payment.authorisations[0], true, None).unwrap();
    assert_eq!(town.status(&payment), Status::Acsc);
    assert_eq!(town.bank.authorisation(&payment.authorisations[0]).unwrap().status, ScaStatus::Finalised);
    assert_eq!(town.bank.answer(&payment.authorisations[0], true, None), Err(Refusal::AlreadyDecided));
    assert_eq!(town.booked(&town.alice), 6_999);
}

#[test]
fn a_payer_who_refuses_or_does_not_answer_in_time_has_not_paid() {
    let town = town(Settings::default());
    let (refused, late, cancelled) = (town.pay(5_000), town.pay(5_000), town.pay(5_000));
    town.bank.answer(&refused.authorisations[0], false, None).unwrap();
    town.bank.cancel(&cancelled.id).unwrap();
    town.clock.advance(Duration::from_secs(300));
    assert_eq!(town.bank.payment(&refused.id).unwrap().reason, Some(Reason::payer_refused()));
    assert_eq!(town.bank.payment(&late.id).unwrap().reason, Some(Reason::no_answer()));
    assert_eq!(town.status(&cancelled), Status::Canc);
    assert_eq!(town.bank.answer(&late.authorisations[0], true, None), Err(Refusal::AlreadyDecided));
    assert_eq!(town.booked(&town.alice), 10_000);
}

#[test]
fn a_settled_payment_can_be_given_back_once() {
    let town = town(Settings::default());
    let payment = town.pay(2_000);
    town.bank.give_back(&payment.id, &Reason("AC04".to_owned())).unwrap();
    assert_eq!((town.booked(&town.alice), town.booked(&town.cross)), (10_000, 0));
    assert_eq!(town.bank.give_back(&payment.id, &Reason("AC04".to_owned())), Err(Refusal::NotReturnable));
    let (entries, _) = town.bank.entries(&town.alice.iban, Days::default(), 2, 1).unwrap();
    assert_eq!((entries[0].amount.minor, entries[0].end_to_end.as_deref()), (2_000, Some("KEY-1")));
    assert_eq!(entries[0].counterparty().name, "Croix-Rouge francaise");
}

#[test]
fn money_that_leaves_the_bank_is_on_the_house_account() {
    let town = town(Settings::default());
    let mut wish = town.wish(500);
    wish.creditor = "FR7630006000011234567890189".parse().unwrap();
    assert_eq!(town.bank.initiate(wish.clone(), &Circumstances::default()).unwrap().status, Status::Acsc);
    assert_eq!(town.bank.account(&house_iban()).unwrap().balances.booked.minor, -10_000 + 500);
    wish.creditor = test_iban(99);
    assert_eq!(town.bank.initiate(wish, &Circumstances::default()).unwrap().reason, Some(Reason::wrong_account()));
}

#[test]
fn a_consent_gives_what_its_holder_agreed_to_until_it_ends() {
    let town = town(Settings::default());
    let wish = ConsentWish {
        scope: Scope::Dedicated { accounts: Wanted::Offered, balances: Wanted::Nothing, transactions: Wanted::Offered },
        recurring: true,
        valid_until: "2026-11-21".parse().unwrap(),
        frequency_per_day: 4,
        login: None,
    };
    let ask = || {
        let return_to = ReturnTo { approved: Some("https://tpp.example/".to_owned()), refused: None };
        town.bank.ask_consent(wish.clone(), return_to).unwrap()
    };
    let consent = ask();
    assert_eq!(town.bank.answer(&consent.authorisations[0], true, None), Err(Refusal::WrongHolder));
    assert_eq!(town.bank.answer(&consent.authorisations[0], true, Some("nobody")), Err(Refusal::WrongHolder));
    town.bank.answer(&consent.authorisations[0], true, Some("alice")).unwrap();
    let given = town.bank.consent(&consent.id).unwrap();
    assert!(given.allows(&town.alice.iban, Right::Transactions) && given.allows(&town.alice.iban, Right::Account));
    assert!(!given.allows(&town.alice.iban, Right::Balances) && !given.allows(&town.cross.iban, Right::Account));

    let newer = ask();
    town.bank.answer(&newer.authorisations[0], true, Some("alice")).unwrap();
    assert_eq!(town.bank.consent(&consent.id).unwrap().status, ConsentStatus::Expired);
    town.clock.advance(Duration::from_hours(48));
    assert_eq!(town.bank.consent(&newer.id).unwrap().status, ConsentStatus::Expired);

    let unanswered = ask();
    town.clock.advance(Duration::from_secs(300));
    assert_eq!(town.bank.consent(&unanswered.id).unwrap().status, ConsentStatus::Rejected);
}

#[test]
fn a_killed_bank_has_lost_nothing_it_answered() {
    let directory = std::env::temp_dir().join(format!("obole-bank-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("bank.jsonl");
    let _ = std::fs::remove_file(&path);
    let open = || FakeBank::open(&path, Settings::default(), clock(), Arc::new(SeededEntropy::new(7)));

    let bank = open().unwrap();
    let alice = bank.open_account("alice", "Alice", euros(10_000)).unwrap();
    assert!(matches!(open(), Err(JournalError::InUse(_))));
    drop(bank);
    // The process died while it wrote a line.
    let mut text = std::fs::read_to_string(&path).unwrap();
    let whole = text.len();
    text.push_str("{\"at\":\"2026-11-20T10:00:00Z\",\"chan");
    std::fs::write(&path, &text).unwrap();

    let bank = open().unwrap();
    assert_eq!(bank.account(&alice.iban).unwrap().balances.booked, euros(10_000));
    assert_eq!(std::fs::metadata(&path).unwrap().len(), whole as u64);
    let before = bank.totals().unwrap();
    let second = bank.open_account("bob", "Bob", euros(1)).unwrap();
    drop(bank);
    let bank = open().unwrap();
    assert_eq!(bank.totals().unwrap().accounts, before.accounts + 1);
    assert_eq!(bank.account(&second.iban).unwrap().account, second);
    bank.reset().unwrap();
    drop(bank);
    assert_eq!(open().unwrap().totals().unwrap().accounts, 0);

    std::fs::write(&path, "nonsense\n").unwrap();
    assert!(open().err().unwrap().to_string().contains("line 1"));
    let nowhere = directory.join("missing").join("bank.jsonl");
    let error = FakeBank::open(&nowhere, Settings::default(), clock(), Arc::new(SeededEntropy::new(7))).err().unwrap();
    assert!(error.to_string().contains("does not exist"), "{error}");
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn what_was_under_way_goes_on_after_a_restart() {
    let directory = std::env::temp_dir().join(format!("obole-bank-restart-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("bank.jsonl");
    let _ = std::fs::remove_file(&path);
    let clock = clock();
    let settings = Settings { execution_delay_ms: 60_000, ..Settings::default() };
    let open = |seed| FakeBank::open(&path, settings.clone(), clock.clone(), Arc::new(SeededEntropy::new(seed))).unwrap();

    let bank = open(1);
    let alice = bank.open_account("alice", "Alice", euros(10_000)).unwrap();
    let bob = bank.open_account("bob", "Bob", euros(0)).unwrap();
    let return_to = ReturnTo { approved: Some("https://tpp.example/".to_owned()), refused: None };
    let pay = |bank: &FakeBank, minor| {
        let wish = Instruction {
            product: Product::InstantSepaCreditTransfers,
            debtor: alice.iban.clone(),
            creditor: bob.iban.clone(),
            creditor_name: "Bob".to_owned(),
            amount: euros(minor),
            end_to_end: Some(format!("KEY-{minor}")),
            remittance: None,
        };
        bank.initiate(wish, &Circumstances { return_to: return_to.clone(), ..Circumstances::default() }).unwrap()
    };
    let (on_its_way, waiting, cancelled) = (pay(&bank, 1_000), pay(&bank, 4_000), pay(&bank, 2_000));
    bank.cancel(&cancelled.id).unwrap();
    let wish = ConsentWish {
        scope: Scope::Everything,
        recurring: false,
        valid_until: "2026-12-01".parse().unwrap(),
        frequency_per_day: 1,
        login: Some("alice".to_owned()),
    };
    let consent = bank.ask_consent(wish, return_to.clone()).unwrap();
    bank.answer(&consent.authorisations[0], true, None).unwrap();
    let seen = |bank: &FakeBank| {
        let payments = [&on_its_way, &waiting, &cancelled].map(|payment| bank.payment(&payment.id).unwrap());
        let statements = [&alice, &bob].map(|account| bank.entries(&account.iban, Days::default(), 0, 100).unwrap());
        (payments, statements, bank.accounts(0, 10).unwrap(), bank.totals().unwrap(), bank.consent(&consent.id).unwrap())
    };
    let before = seen(&bank);
    drop(bank);

    let bank = open(2);
    assert_eq!(seen(&bank), before);
    bank.answer(&waiting.authorisations[0], true, None).unwrap();
    clock.advance(Duration::from_secs(60));
    assert_eq!(bank.payment(&on_its_way.id).unwrap().status, Status::Acsc);
    assert_eq!(bank.payment(&waiting.id).unwrap().status, Status::Acsc);
    assert_eq!(bank.account(&bob.iban).unwrap().balances.booked, euros(5_000));
    let after = seen(&bank);
    drop(bank);
    assert_eq!(seen(&open(3)), after);
    std::fs::remove_dir_all(&directory).unwrap();
}
