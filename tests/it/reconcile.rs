//! Reconciliation: the bank's entries against what we hold for settled, with a bank that was tampered with.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::civil::Date;
use obole::app::ledger::Ledger;
use obole::app::operate::MatterKind;
use obole::app::reconcile::{Reconciliation, Schedule, reconcile};
use obole::app::{App, CodeSecret, Parts};
use obole::bank::fake::{ConsentId, ConsentStatus, FakeConnection, Fault, FaultKind, Operation, PaymentId, Reason};
use obole::bank::{
    Bank, BankStatus, Capabilities, ConsentRequest, ConsentStanding, DebtorAccount, Entry, PaymentInstruction, PaymentQuery,
    Standing, Submission, TryAgain,
};
use obole::entropy::SeededEntropy;
use obole::ids::BankName;
use obole::money::{Currency, Money};
use obole::order::{Order, PaymentState, Policy};
use obole::people::Language;
use obole::people::screening::NoScreening;

use crate::support::app::TestApp;
use crate::support::database::Engine;
use crate::support::stories::told_on_both;

const GIFT: &str = "@obole #donner 10€ @croixrouge #telethon";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn once(fault: FaultKind, on: Operation) -> Fault {
    Fault { fault, on: Some(on), times: Some(1), seconds: None, one_in: None }
}

/// One cycle that reads everything, as an operator asks for.
async fn compared(story: &TestApp) -> Reconciliation {
    let everything = Schedule { account_every: Duration::ZERO, ..Schedule::default() };
    // A turn is taken at a moment; the next one needs a later.
    story.world.clock.advance(Duration::from_secs(1));
    reconcile(&story.app, story.ledger(), &everything).await.unwrap()
}

async fn settled(story: &TestApp) -> Order {
    story.enrols("ana", Language::Fr).await;
    let post = story.pays("ana", GIFT).await;
    let order = story.order_becomes(post, "settled").await;
    story.rests().await;
    order
}

/// The bank's own id of an order's only payment.
fn at_bank(story: &TestApp, order: &Order) -> PaymentId {
    story.world.bank.payments_with(order.payments[0].key.as_str()).unwrap()[0].id.clone()
}

fn differences(report: &Reconciliation) -> Vec<(&str, bool)> {
    report.differences.iter().map(|found| (found.kind.as_str(), found.is_new)).collect()
}

/// The payee is halted, an operator called once, and a second cycle says nothing new.
async fn is_found(story: &TestApp, report: &Reconciliation, kind: &str) {
    assert_eq!(differences(report), [(kind, true)]);
    let waiting = story.waiting().await;
    let kinds: Vec<MatterKind> = waiting.iter().map(|matter| matter.kind).collect();
    assert_eq!(kinds, [MatterKind::Call, MatterKind::FrozenPayee], "{waiting:?}");
    assert!(waiting[1].what.contains("reconciliation: "), "{waiting:?}");
    assert_eq!(differences(&compared(story).await), [(kind, false)]);
    assert_eq!(story.waiting().await.len(), 2, "it is said once");
    let post = story.posts("ana", GIFT);
    let order = story.order_becomes(post, "rejected").await;
    assert!(format!("{:?}", order.state).contains("PayeeFrozen"), "{:?}", order.state);
    assert_eq!(story.audit_finds().await, Vec::<String>::new(), "the halt is in the chain of acts");
}

told_on_both! {
    async fn what_is_booked_as_it_was_settled_is_no_difference(story: TestApp) {
        let order = settled(&story).await;
        // Bob pays and is paid: his own statement shows Ana's payment from the other side, which means nothing.
        story.enrols("bob", Language::En).await;
        let post = story.pays("ana", "@obole #envoyer 2€ à @bob").await;
        story.order_becomes(post, "settled").await;
        let post = story.pays("bob", "@obole #donner 3€ @wateraid").await;
        story.order_becomes(post, "settled").await;
        story.world.clock.advance(2 * DAY);
        let report = compared(&story).await;
        assert_eq!((differences(&report), report.learned.len()), (vec![], 0), "{report:?}");
        assert_eq!((report.banks[0].accounts_read, report.banks[0].by_entries, report.banks[0].waiting), (2, 3, 0));
        let gift = report.days.iter().find(|sum| sum.payee == order.payments[0].payee.legal_name).unwrap();
        assert_eq!((gift.payments, gift.settled_minor, gift.booked_minor), (1, 1_000, 1_000));
        // Within the day nobody reads the account again unasked.
        let unasked = reconcile(&story.app, story.ledger(), &Schedule::default()).await.unwrap();
        assert_eq!((unasked.banks[0].accounts_read, unasked.banks[0].accounts_not_read), (0, 0));
        story.ends().await;
    }

    async fn a_booking_that_is_gone_halts_the_payee_within_one_cycle(story: TestApp) {
        let order = settled(&story).await;
        story.world.bank.unbook(&at_bank(&story, &order)).unwrap();
        let early = compared(&story).await;
        assert_eq!((differences(&early), early.banks[0].waiting), (vec![], 1), "it may still come");
        story.world.clock.advance(DAY);
        let report = compared(&story).await;
        is_found(&story, &report, "missing").await;
        story.ends().await;
    }

    async fn a_payment_booked_twice_is_found(story: TestApp) {
        let order = settled(&story).await;
        story.world.bank.book_twice(&at_bank(&story, &order)).unwrap();
        let report = compared(&story).await;
        assert_eq!(report.days[0].booked_minor, 2_000);
        is_found(&story, &report, "doubled").await;
        story.ends().await;
    }

    async fn a_payment_booked_over_another_amount_is_found(story: TestApp) {
        let order = settled(&story).await;
        story.world.bank.book_otherwise(&at_bank(&story, &order), Money::new(1_001, Currency::EUR)).unwrap();
        let report = compared(&story).await;
        is_found(&story, &report, "other_amount").await;
        story.ends().await;
    }

    async fn a_refused_payment_that_is_booked_all_the_same_is_disputed(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        story.world.bank.misbehave(once(FaultKind::Refuse { reason: "AC06".to_owned() }, Operation::Initiate));
        let post = story.pays("ana", GIFT).await;
        let order = story.order_becomes(post, "failed").await;
        assert_eq!(compared(&story).await.learned.len(), 0);
        story.world.bank.book_rejected(&at_bank(&story, &order)).unwrap();
        assert_eq!(compared(&story).await.learned.len(), 1);
        story.order_becomes(post, "disputed").await;
        let kinds: Vec<MatterKind> = story.waiting().await.iter().map(|matter| matter.kind).collect();
        assert_eq!(kinds, [MatterKind::Call, MatterKind::Disputed, MatterKind::FrozenPayee]);
        assert_eq!(compared(&story).await.learned.len(), 0, "it is said once");
        assert_eq!(story.audit_finds().await, Vec::<String>::new());
        story.ends().await;
    }

    async fn an_entry_tells_what_became_of_an_unknown_payment(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        story.world.bank.misbehave(once(FaultKind::LoseAnswer, Operation::Initiate));
        let post = story.pays("ana", GIFT).await;
        story.order_becomes(post, "unknown").await;
        let everything = Schedule { account_every: Duration::ZERO, ..Schedule::default() };
        let report = reconcile(&story.app, story.ledger(), &everything).await.unwrap();
        assert_eq!((report.learned.len(), differences(&report)), (1, vec![]));
        story.order_becomes(post, "settled").await;
        story.world.clock.advance(Duration::from_secs(60));
        story.ends().await;
    }

    async fn a_payment_that_comes_back_is_returned_and_its_payer_told(story: TestApp) {
        let order = settled(&story).await;
        story.world.clock.advance(2 * DAY);
        story.world.bank.give_back(&at_bank(&story, &order), &Reason("AC04".to_owned())).unwrap();
        let report = compared(&story).await;
        assert_eq!((report.learned.len(), differences(&report)), (1, vec![]));
        let after = story.app.order(&order.id).await.unwrap().unwrap();
        assert!(matches!(after.payments[0].state, PaymentState::Returned { .. }));
        assert_eq!(compared(&story).await.learned.len(), 0, "it is said once");
        assert_eq!(story.audit_finds().await, Vec::<String>::new());
        story.ends().await;
    }

    async fn without_a_consent_a_payment_is_asked_for_by_its_status(story: TestApp) {
        let order = settled(&story).await;
        let consent = ConsentId(order.payer.as_ref().unwrap().consent.clone().unwrap());
        story.world.bank.end_consent(&consent, ConsentStatus::RevokedByPsu).unwrap();
        story.world.clock.advance(2 * DAY);
        let report = compared(&story).await;
        let part = &report.banks[0];
        assert_eq!((part.accounts_read, part.accounts_not_read, part.by_status), (0, 1, 1));
        assert_eq!(compared(&story).await.banks[0].by_status, 0, "once is enough");
        story.ends().await;
    }

    async fn a_rail_without_entries_is_compared_by_status_and_says_so(story: TestApp) {
        let order = settled(&story).await;
        story.world.clock.advance(2 * DAY);
        for (is_gone, disputed) in [(false, false), (true, true)] {
            story.tampers("DELETE FROM status_checks").await;
            let (app, ledger) = over_blind_bank(&story, is_gone);
            let report = reconcile(&app, &ledger, &Schedule::default()).await.unwrap();
            let part = &report.banks[0];
            assert_eq!((part.has_entries, part.accounts_read, part.by_status), (false, 0, 1));
            let after = story.app.order(&order.id).await.unwrap().unwrap();
            assert_eq!(matches!(after.payments[0].state, PaymentState::Disputed { .. }), disputed);
        }
        // The bank itself knows nothing of that; its sum is not ours any more, as it should not be.
        story.tampers("UPDATE payments SET state = 'settled'").await;
        story.ends().await;
    }
}

/// Another application over the same store, whose bank has no entries.
fn over_blind_bank(story: &TestApp, is_gone: bool) -> (Arc<App>, Ledger) {
    let inner = FakeConnection::new(BankName::from("bank"), story.world.bank.clone());
    let capabilities = Capabilities { entries_by_consent: false, ..inner.capabilities().clone() };
    let app = App::new(Parts {
        store: story.app.store.clone(),
        platforms: Vec::new(),
        banks: vec![(Arc::new(Blind { inner, capabilities, is_gone }), NonZeroU32::new(100).unwrap())],
        clock: story.world.clock.clone(),
        entropy: Arc::new(SeededEntropy::new(9)),
        policy: Policy::default(),
        screening: Arc::new(NoScreening),
        secret: CodeSecret::new([7; 32]),
        public_url: String::new(),
    });
    let (ledger, keeper) = Ledger::open(app.clone());
    tokio::spawn(keeper.keep());
    (app, ledger)
}

/// A bank whose accounts cannot be read. `is_gone`: it says of settled payments that it rejected them.
struct Blind {
    inner: FakeConnection,
    capabilities: Capabilities,
    is_gone: bool,
}

#[async_trait]
impl Bank for Blind {
    fn name(&self) -> &BankName {
        self.inner.name()
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn submit(&self, payment: &PaymentInstruction) -> Submission {
        self.inner.submit(payment).await
    }

    async fn ask(&self, query: &PaymentQuery) -> Result<Standing, TryAgain> {
        let standing = self.inner.ask(query).await?;
        Ok(match standing {
            Standing::Known { bank_payment_id, authorise_at, .. } if self.is_gone => {
                let status = BankStatus::Rejected { reason: "AC04".to_owned() };
                Standing::Known { bank_payment_id, status, authorise_at }
            }
            other => other,
        })
    }

    async fn entries(&self, _: &DebtorAccount, _: Date, _: Date) -> Result<Vec<Entry>, TryAgain> {
        panic!("what is not declared is not used")
    }

    async fn request_consent(&self, return_url: &str) -> Result<ConsentRequest, TryAgain> {
        self.inner.request_consent(return_url).await
    }

    async fn consent(&self, consent_id: &str) -> Result<ConsentStanding, TryAgain> {
        self.inner.consent(consent_id).await
    }
}
