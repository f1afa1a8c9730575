//! An application over the fakes in memory, with verbs that a person would say. Fails when it is dropped with work left over.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use obole::app::directory::{self, CampaignEntry, PayeeEntry, PayeeHandle};
use obole::app::ledger::Ledger;
use obole::app::{App, CodeSecret, Parts, enrol};
use obole::bank::Bank;
use obole::bank::fake::{ConsentId, FakeBank, FakeConnection, Settings};
use obole::clock::{Clock, ManualClock, Timestamp};
use obole::entropy::SeededEntropy;
use obole::ids::{BankName, PlatformName};
use obole::money::{Currency, Money};
use obole::order::{Order, Policy};
use obole::people::enrolment::Step;
use obole::people::{Class, Language};
use obole::platform::fake::{Draft, Id, Limits, Page, Person, Revision, Town, TownConnection, Visibility};
use obole::serve::Serving;
use obole::store::{Ground, Location, Store};

use super::database::{Database, Engine};

/// Nothing that is going to happen takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

const TOWN: &str = "town";
const BANK: &str = "bank";

/// Town and bank, which outlive any application that talks to them.
pub(crate) struct World {
    pub(crate) town: Arc<Town>,
    pub(crate) bank: Arc<FakeBank>,
    pub(crate) clock: Arc<ManualClock>,
    bot: Person,
    /// The way to the bank, if it is not the direct one.
    connection: std::sync::OnceLock<Arc<dyn Bank>>,
    seed: std::sync::atomic::AtomicU64,
}

impl World {
    pub(crate) fn new() -> Arc<Self> {
        let clock = Arc::new(ManualClock::at(Timestamp::from_second(1_800_000_000).unwrap()));
        let town = Arc::new(Town::in_memory(Limits::default(), Arc::new(SeededEntropy::new(1))));
        let bot = town.join("obole", "Obole", true, clock.now()).unwrap();
        let bank = Arc::new(FakeBank::in_memory(Settings::default(), clock.clone(), Arc::new(SeededEntropy::new(2))));
        Arc::new(World { town, bank, clock, bot, connection: std::sync::OnceLock::new(), seed: 100.into() })
    }

    /// Applications in this world speak to the bank through this adapter.
    pub(crate) fn is_reached_by(&self, bank: Arc<dyn Bank>) {
        assert!(self.connection.set(bank).is_ok());
    }

    pub(crate) fn person(&self, name: &str) -> Person {
        let known = self.town.read().person_named(name).cloned();
        known.unwrap_or_else(|| self.town.join(name, name, false, self.clock.now()).unwrap())
    }

    /// Everything that Obole has written to somebody in private, oldest first.
    pub(crate) fn messages_to(&self, name: &str) -> Vec<String> {
        self.written_to(name, |visibility| visibility == Visibility::Direct)
    }

    /// What Obole has answered to somebody in public.
    pub(crate) fn hints_to(&self, name: &str) -> Vec<String> {
        self.written_to(name, |visibility| visibility != Visibility::Direct)
    }

    fn written_to(&self, name: &str, fits: impl Fn(Visibility) -> bool) -> Vec<String> {
        let person = self.person(name);
        let state = self.town.read();
        let page = Page { limit: 1000, ..Page::default() };
        let told = state.notifications(person.id, &Default::default(), page);
        let mut statuses: Vec<_> = told.iter().filter_map(|told| state.status(told.status?)).collect();
        statuses.sort_by_key(|status| status.id);
        statuses
            .into_iter()
            .filter(|status| status.author == self.bot.id && fits(status.visibility))
            .map(|status| status.now.text.clone())
            .collect()
    }

    pub(crate) fn balance(&self, name: &str) -> i64 {
        let accounts = self.bank.accounts_of(name).unwrap();
        accounts.iter().map(|view| view.balances.booked.minor).sum()
    }
}

/// An application that runs.
pub(crate) struct TestApp {
    pub(crate) world: Arc<World>,
    pub(crate) app: Arc<App>,
    serving: Option<Serving>,
    database: Option<Database>,
}

impl TestApp {
    /// A new world and an application in it. `None` if the engine was left out by name.
    pub(crate) async fn start(engine: Engine) -> Option<Self> {
        TestApp::start_with(engine, Policy::default()).await
    }

    pub(crate) async fn start_with(engine: Engine, policy: Policy) -> Option<Self> {
        TestApp::start_in(World::new(), engine, policy).await
    }

    /// The same, with a bank that is reached over another rail.
    pub(crate) async fn start_through(engine: Engine, rail: impl FnOnce(&World) -> Arc<dyn Bank>) -> Option<Self> {
        let world = World::new();
        world.is_reached_by(rail(&world));
        TestApp::start_in(world, engine, Policy::default()).await
    }

    /// An application in this world, which is new.
    pub(crate) async fn start_in(world: Arc<World>, engine: Engine, policy: Policy) -> Option<Self> {
        let database = Database::fresh(engine).await?;
        for (name, opening) in [("croixrouge", 0), ("bob", 10_000), ("wateraid", 0)] {
            world.person(name);
            world.bank.open_account(name, name, Money::new(opening, Currency::EUR)).unwrap();
        }
        let (app, serving) = begin(&world, database.location(), policy).await;
        let story = TestApp { world, app, serving: Some(serving), database: Some(database) };
        story.listens().await;
        Some(story)
    }

    /// Waits until the stream is live: on its very first start it begins with what comes then.
    async fn listens(&self) {
        eventually("the stream to be live", async || {
            self.tells("probe", "aide");
            tokio::time::sleep(GLANCE * 4).await;
            (!self.world.messages_to("probe").is_empty()).then_some(())
        })
        .await;
    }

    /// Waits until nothing is due at this moment.
    pub(crate) async fn rests_until_due(&self) {
        for _ in 0..20 {
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// The process dies and another one starts on the same database, in the same world.
    pub(crate) async fn restart(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.stop().await;
        }
        let location = self.database.as_ref().unwrap().location().clone();
        let (app, serving) = begin(&self.world, &location, self.app.policy_at(None)).await;
        self.app = app;
        self.serving = Some(serving);
    }

    /// Where the story's database is.
    pub(crate) fn location(&self) -> &Location {
        self.database.as_ref().unwrap().location()
    }

    /// Somebody with a hand in the database.
    pub(crate) async fn tampers(&self, statement: &str) {
        use sqlx::{Connection as _, Executor as _};
        let statement = sqlx::AssertSqlSafe(statement.to_owned());
        match self.location() {
            Location::Sqlite(path) => {
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).foreign_keys(false);
                let mut hand = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
                hand.execute(statement).await.unwrap();
                hand.close().await.unwrap();
            }
            Location::Postgres(url) => {
                let mut hand = sqlx::PgConnection::connect(url).await.unwrap();
                hand.execute(statement).await.unwrap();
                hand.close().await.unwrap();
            }
            Location::Memory => panic!("nobody reaches a database in memory"),
        }
    }

    /// A number that a question to the database itself comes to.
    pub(crate) async fn finds(&self, question: &str) -> i64 {
        use sqlx::{Connection as _, Row as _};
        let question = sqlx::AssertSqlSafe(question.to_owned());
        match self.location() {
            Location::Sqlite(path) => {
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).read_only(true);
                let mut hand = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
                sqlx::query(question).fetch_one(&mut hand).await.unwrap().get(0)
            }
            Location::Postgres(url) => {
                let mut hand = sqlx::PgConnection::connect(url).await.unwrap();
                sqlx::query(question).fetch_one(&mut hand).await.unwrap().get(0)
            }
            Location::Memory => panic!("nobody reaches a database in memory"),
        }
    }

    /// Lets operators in, as a start of the service does.
    pub(crate) fn serves_operators(&self) {
        self.serving.as_ref().unwrap().serve_operators(obole::app::operate::Office::default());
    }

    /// What an operator asks for, and the answer.
    pub(crate) async fn operator_asks(&self, request: obole::app::operate::Request) -> obole::app::operate::Response {
        let office = obole::app::operate::Office::default();
        obole::app::operate::perform(&self.app, self.ledger(), &office, request).await.unwrap()
    }

    /// What an operator does: the sentence about what is done, or about why not.
    pub(crate) async fn operator_does(&self, name: &str, act: obole::app::operate::Act) -> Result<String, String> {
        use obole::app::operate::{Request, Response};
        match self.operator_asks(Request::Act { by: name.parse().unwrap(), act }).await {
            Response::Done(what) => Ok(what),
            Response::Refused(why) => Err(why),
            other => panic!("{other:?}"),
        }
    }

    /// What waits for an operator: kind and id.
    pub(crate) async fn waiting(&self) -> Vec<obole::app::operate::Matter> {
        match self.operator_asks(obole::app::operate::Request::List).await {
            obole::app::operate::Response::Matters(matters) => matters,
            other => panic!("{other:?}"),
        }
    }

    /// What an audit from outside finds, as sentences, while this application runs.
    pub(crate) async fn audit_finds(&self) -> Vec<String> {
        use obole::app::audit::{Difference, Watcher, audit};
        struct Ear(Vec<String>);
        impl Watcher for Ear {
            fn begins(&mut self, _: u64) {}
            fn reads(&mut self, _: u64) {}
            fn finds(&mut self, difference: Difference) {
                self.0.push(difference.to_string());
            }
        }
        let store = Store::open_reading(self.location()).await.unwrap();
        let mut ear = Ear(Vec::new());
        let verified = audit(&store, &mut ear).await.unwrap();
        store.close().await;
        assert_eq!(verified.differences, ear.0.len() as u64);
        ear.0
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        self.serving.as_ref().unwrap().ledger()
    }

    /// A payer with an account at the bank, enrolled by a private message. Gives what the browser keeps of it.
    pub(crate) async fn enrols(&self, name: &str, language: Language) -> enrol::SessionToken {
        let give = async |consent: &str| {
            let consent = self.world.bank.consent(&ConsentId(consent.to_owned())).unwrap();
            self.world.bank.answer(consent.authorisations.last().unwrap(), true, Some(name)).unwrap();
        };
        self.enrols_by(name, language, give).await
    }

    /// The same, at a bank that is given the consent in another way.
    pub(crate) async fn enrols_by(&self, name: &str, language: Language, give: impl AsyncFn(&str)) -> enrol::SessionToken {
        let person = self.world.person(name);
        if self.world.bank.accounts_of(name).is_ok_and(|accounts| accounts.is_empty()) || self.world.bank.accounts_of(name).is_err()
        {
            self.world.bank.open_account(name, name, Money::new(20_000, Currency::EUR)).unwrap();
        }
        let (token, enrolment) = enrol::begin(&self.app, &BankName::from(BANK), language, "pomme bleue").await.unwrap();
        let Step::AwaitingConsent { consent, .. } = &enrolment.step else { panic!("{enrolment:?}") };
        give(consent).await;
        let enrolment = enrol::ask_bank(&self.app, enrolment).await.unwrap();
        let code = enrol::shown_code(&self.app, &enrolment).unwrap();
        self.tells(name, code.as_str());
        let is_linked = async || {
            let found = enrol::find(&self.app, &token).await.unwrap().unwrap();
            matches!(found.step, Step::AwaitingWord { .. }).then_some(found)
        };
        let shown = eventually("the code to arrive", is_linked).await;
        let done = enrol::say(&self.app, self.ledger(), shown, true).await.unwrap();
        assert!(matches!(done.step, Step::Done { .. }), "{done:?}");
        assert!(self.app.is_linked(&PlatformName::from(TOWN), &obole::ids::AccountId(person.id.to_string())).await.unwrap());
        token
    }

    /// Writes a post that everybody sees.
    pub(crate) fn posts(&self, name: &str, text: &str) -> Id {
        self.publishes(name, text, Visibility::Public)
    }

    /// Writes to Obole in private.
    pub(crate) fn tells(&self, name: &str, text: &str) -> Id {
        self.publishes(name, &format!("@obole {text}"), Visibility::Direct)
    }

    fn publishes(&self, name: &str, text: &str, visibility: Visibility) -> Id {
        let draft = Draft { text: text.to_owned(), visibility: Some(visibility), ..Draft::default() };
        self.world.town.post(self.world.person(name).id, draft, self.world.clock.now()).unwrap().id
    }

    pub(crate) fn edits(&self, name: &str, post: Id, text: &str) {
        let revision = Revision { text: Some(text.to_owned()), ..Revision::default() };
        self.world.town.edit(self.world.person(name).id, post, revision, self.world.clock.now()).unwrap();
    }

    pub(crate) fn deletes(&self, name: &str, post: Id) {
        self.world.town.delete(self.world.person(name).id, post, self.world.clock.now()).unwrap();
    }

    /// The order that a post made, once it stands as wanted: by the order's own state, or its first payment's after confirmation.
    pub(crate) async fn order_becomes(&self, post: Id, wanted: &str) -> Order {
        let native_id = post.to_string();
        let find = async || {
            let order = self.app.order_of_post(&PlatformName::from(TOWN), &native_id).await.unwrap()?;
            (standing(&order) == wanted).then_some(order)
        };
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(order) = find().await {
                return order;
            }
            if Instant::now() > end {
                let order = self.app.order_of_post(&PlatformName::from(TOWN), &native_id).await.unwrap();
                panic!("waited for {wanted}; it is {:?}", order.map(|order| (standing(&order), order.state)));
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// The newest private message to somebody that contains `wanted`.
    pub(crate) async fn hears(&self, name: &str, wanted: &str) -> String {
        let find = async || self.world.messages_to(name).into_iter().rev().find(|text| text.contains(wanted));
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(text) = find().await {
                return text;
            }
            assert!(Instant::now() < end, "{name} did not hear {wanted:?} but {:#?}", self.world.messages_to(name));
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// The newest code somebody was asked to send back.
    pub(crate) async fn code_for(&self, name: &str, order: &Order) -> String {
        let obole::order::OrderState::AwaitingConfirmation { salt, .. } = &order.state else { panic!("{:?}", order.state) };
        let code = self.app.secret.confirmation_code(&order.id, salt);
        self.hears(name, &code).await;
        code
    }

    /// Posts, is asked, and says yes.
    pub(crate) async fn pays(&self, name: &str, text: &str) -> Id {
        let post = self.posts(name, text);
        let order = self.order_becomes(post, "awaiting_confirmation").await;
        let code = self.code_for(name, &order).await;
        self.tells(name, &format!("OUI {code}"));
        post
    }

    /// Waits until the bank's faults have struck.
    pub(crate) async fn bank_has_misbehaved(&self) {
        eventually("the bank to misbehave", async || self.world.bank.faults().is_empty().then_some(())).await;
    }

    /// Everything that was to be done is done.
    pub(crate) async fn rests(&self) {
        eventually("everything to be done", async || {
            let (effects, _) = self.app.unfinished().await.unwrap();
            (effects == 0).then_some(())
        })
        .await;
    }

    /// Ends the story: nothing may be left over, and the sums have to be equal.
    pub(crate) async fn ends(mut self) {
        self.rests().await;
        let settled = self.app.settled_total(Currency::EUR).await.unwrap().minor;
        assert_eq!(self.world.bank.totals().unwrap().settled_minor, settled, "the bank's sum is the sum of the settled orders");
        for order in self.app.newest_orders(None, 1000).await.unwrap() {
            let mut previous = String::new();
            for line in self.app.history(&order.id).await.unwrap() {
                assert!(line.continues(&previous), "the audit chain of {} is broken at {}", order.id, line.version);
                previous = line.hash;
            }
        }
        self.serving.take().unwrap().stop().await;
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if self.serving.is_some() && !std::thread::panicking() {
            panic!("a story has to end with `ends`, which looks for work left over");
        }
    }
}

const GLANCE: Duration = Duration::from_millis(5);

async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain for {what}");
        tokio::time::sleep(GLANCE).await;
    }
}

fn standing(order: &Order) -> &'static str {
    if order.state.name() == "confirmed" { order.payments[0].state.name() } else { order.state.name() }
}

async fn begin(world: &Arc<World>, location: &Location, policy: Policy) -> (Arc<App>, Serving) {
    let store = Store::open(location, Ground::Sandbox).await.unwrap();
    let town = TownConnection::new(world.town.clone(), world.clock.clone(), PlatformName::from(TOWN), world.bot.id, &[]).unwrap();
    let direct = || Arc::new(FakeConnection::new(BankName::from(BANK), world.bank.clone()));
    let bank: Arc<dyn Bank> = world.connection.get().cloned().unwrap_or_else(|| direct());
    let seed = world.seed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let app = App::new(Parts {
        store,
        platforms: vec![Arc::new(town)],
        banks: vec![(bank, NonZeroU32::new(10_000).unwrap())],
        clock: world.clock.clone(),
        entropy: Arc::new(SeededEntropy::new(seed)),
        policy,
        screening: Arc::new(obole::people::screening::NoScreening),
        secret: CodeSecret::new([7; 32]),
        public_url: "http://localhost:8080".to_owned(),
    });
    let payee = |slug: &str, class| PayeeEntry {
        slug: slug.to_owned(),
        legal_name: format!("{slug} (legal)"),
        class,
        iban: world.bank.accounts_of(slug).unwrap()[0].account.iban.clone(),
        registry_number: None,
        accounts: vec![PayeeHandle { platform: PlatformName::from(TOWN), handle: slug.to_owned(), account: None }],
    };
    let payees = [payee("croixrouge", Class::Charity), payee("wateraid", Class::Charity), payee("bob", Class::Person)];
    let campaign =
        CampaignEntry { tag: "telethon".to_owned(), title: "Téléthon".to_owned(), payee: "croixrouge".to_owned(), goal: None };
    let findings = directory::register(&app, &payees, &[campaign]).await.unwrap();
    assert_eq!(findings, []);
    (app.clone(), Serving::start(app))
}
