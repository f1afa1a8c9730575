//! An application whose platform is a production connector, spoken to over the wire; the bank is the fake in memory.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use obole::app::directory::{self, PayeeEntry, PayeeHandle};
use obole::app::{App, CodeSecret, Parts, enrol};
use obole::bank::fake::{ConsentId, FakeBank, FakeConnection, Settings};
use obole::clock::{Clock, SystemClock};
use obole::entropy::SeededEntropy;
use obole::ids::{AccountId, BankName, PlatformName};
use obole::money::{Currency, Money};
use obole::order::{Order, OrderState, Policy};
use obole::people::enrolment::Step;
use obole::people::{Class, Language};
use obole::platform::Platform;
use obole::serve::Serving;
use obole::store::{Ground, Store};

use super::database::{Database, Engine};

/// Nothing that is going to happen takes longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
const BANK: &str = "bank";

/// An application that runs.
pub(crate) struct Connected {
    pub(crate) app: Arc<App>,
    pub(crate) bank: Arc<FakeBank>,
    platform: PlatformName,
    serving: Option<Serving>,
    _database: Database,
}

impl Connected {
    /// An application that listens to this platform and may pay the person with this handle and account.
    pub(crate) async fn start(platform: Arc<dyn Platform>, payee: (&str, &str)) -> Self {
        let database = Database::fresh(Engine::Sqlite).await.unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let bank = Arc::new(FakeBank::in_memory(Settings::default(), clock.clone(), Arc::new(SeededEntropy::new(2))));
        bank.open_account("croixrouge", "croixrouge", Money::new(0, Currency::EUR)).unwrap();
        let name = platform.name().clone();
        let app = App::new(Parts {
            store: Store::open(database.location(), Ground::Sandbox).await.unwrap(),
            platforms: vec![platform],
            banks: vec![(Arc::new(FakeConnection::new(BankName::from(BANK), bank.clone())), NonZeroU32::new(1_000).unwrap())],
            clock,
            entropy: Arc::new(SeededEntropy::new(100)),
            policy: Policy::default(),
            screening: Arc::new(obole::people::screening::NoScreening),
            secret: CodeSecret::new([7; 32]),
            public_url: "http://localhost:8080".to_owned(),
        });
        let payee = PayeeEntry {
            slug: "croixrouge".to_owned(),
            legal_name: "Croix-Rouge française".to_owned(),
            class: Class::Charity,
            iban: bank.accounts_of("croixrouge").unwrap()[0].account.iban.clone(),
            registry_number: None,
            accounts: vec![PayeeHandle {
                platform: name.clone(),
                handle: payee.0.to_owned(),
                account: Some(AccountId::from(payee.1)),
            }],
        };
        assert_eq!(directory::register(&app, &[payee], &[]).await.unwrap(), []);
        let serving = Serving::start(app.clone());
        Connected { app, bank, platform: name, serving: Some(serving), _database: database }
    }

    /// The way to the ledger, for whoever brings what a platform has pushed.
    pub(crate) fn serving(&self) -> &Serving {
        self.serving.as_ref().unwrap()
    }

    /// A payer with an account at the bank, enrolled by telling the bot a code in private.
    pub(crate) async fn enrols(&self, name: &str, tell: impl AsyncFnOnce(String)) {
        self.bank.open_account(name, name, Money::new(20_000, Currency::EUR)).unwrap();
        let (token, enrolment) = enrol::begin(&self.app, &BankName::from(BANK), Language::Fr, "pomme bleue").await.unwrap();
        let Step::AwaitingConsent { consent, .. } = &enrolment.step else { panic!("{enrolment:?}") };
        let consent = self.bank.consent(&ConsentId(consent.clone())).unwrap();
        self.bank.answer(consent.authorisations.last().unwrap(), true, Some(name)).unwrap();
        let enrolment = enrol::ask_bank(&self.app, enrolment).await.unwrap();
        tell(enrol::shown_code(&self.app, &enrolment).unwrap().as_str().to_owned()).await;
        let shown = eventually("the code to arrive", async || {
            let found = enrol::find(&self.app, &token).await.unwrap().unwrap();
            matches!(found.step, Step::AwaitingWord { .. }).then_some(found)
        })
        .await;
        let done = enrol::say(&self.app, self.serving().ledger(), shown, true).await.unwrap();
        assert!(matches!(done.step, Step::Done { .. }), "{done:?}");
    }

    /// The order that a post made, once it stands as wanted.
    pub(crate) async fn order_becomes(&self, native_id: &str, wanted: &str) -> Order {
        let mut last = None;
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(order) = self.app.order_of_post(&self.platform, native_id).await.unwrap() {
                let standing = match order.state.name() {
                    "confirmed" => order.payments[0].state.name(),
                    other => other,
                };
                if standing == wanted {
                    return order;
                }
                last = Some(order.state);
            }
            assert!(Instant::now() < end, "waited for {wanted}; it is {last:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The code that the payer of an order was asked to send back.
    pub(crate) fn code_of(&self, order: &Order) -> String {
        let OrderState::AwaitingConfirmation { salt, .. } = &order.state else { panic!("{:?}", order.state) };
        self.app.secret.confirmation_code(&order.id, salt)
    }

    /// Everything is done, and the bank's sum is the sum of the settled orders.
    pub(crate) async fn ends(mut self) {
        eventually("everything to be done", async || (self.app.unfinished().await.unwrap().0 == 0).then_some(())).await;
        let settled = self.app.settled_total(Currency::EUR).await.unwrap().minor;
        assert_eq!(self.bank.totals().unwrap().settled_minor, settled);
        self.serving.take().unwrap().stop().await;
    }
}

/// Looks until it is so.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// What time it really is: the connectors here and their peers are told by no other clock.
pub(crate) fn now() -> obole::clock::Timestamp {
    SystemClock.now()
}
