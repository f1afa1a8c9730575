//! The stage: a town and a bank on loopback, people with accounts at both, and one or more Oboles connected to them.
//!
//! Town and bank keep nothing on the disk, so what is written there is Obole's. Their windows and rates are as wide as numbers go: what
//! a network or a bank lets through is not what is measured. Everything else is the production path: the adapters, the ledger, the
//! lanes, the store with its durability, checks and audit.
//!
//! People do not enrol one after the other, which would take longer than what is measured: their accounts are opened in town and bank
//! directly, and their links written through the verbs that enrolment uses.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use crate::app::directory::PayeeEntry;
use crate::app::operate::Office;
use crate::app::{App, CodeSecret};
use crate::bank::fake::{FakeBank, Settings};
use crate::clock::{Clock, SystemClock};
use crate::entropy::{Entropy, SeededEntropy, SystemEntropy, random_bytes};
use crate::iban::Iban;
use crate::ids::{AccountId, BankName, PersonId, PlatformName};
use crate::money::{Currency, Money};
use crate::order::Policy;
use crate::people::{BankAccount, Language, Link, Person};
use crate::platform::fake::{Id, Limits, Town, Window};
use crate::sandbox::person::Sandbox;
use crate::sandbox::seed::{self, Seeded};
use crate::sandbox::whole::{self, BANK, Connecting, TOWN};
use crate::sandbox::{bank, town};
use crate::serve::Serving;
use crate::store::{Ground, Location, Store};

/// More than anybody sends in a second.
const WIDE: Window = Window { limit: 1_000_000, period_seconds: 1 };

/// More calls than any bank takes.
const CALLS_PER_SECOND: NonZeroU32 = NonZeroU32::new(1_000_000).expect("is not zero");

/// What everybody has at the bank, in cents: more than one order.
const OPENING_MINOR: i64 = 100_000;

/// Orders ask for 1 € up to 28.99 €, below what needs a strong confirmation.
const LEAST_MINOR: i64 = 100;
const SPREAD_MINOR: i64 = 2_800;

/// How many people are written in one transaction.
const ROWS: usize = 2_000;

/// Whom every order pays.
const PAYEE: &str = "croixrouge";

/// Somebody who will make one order.
#[derive(Debug, Clone)]
pub(crate) struct Payer {
    /// In the town.
    pub(crate) id: Id,
    /// The handle there.
    pub(crate) handle: String,
    /// At the bank.
    pub(crate) iban: Iban,
    /// What the order is about, in cents.
    pub(crate) amount_minor: i64,
}

impl Payer {
    /// What is posted.
    pub(crate) fn words(&self) -> String {
        format!("@{} #donner {},{:02}€ @{PAYEE} #telethon", seed::BOT, self.amount_minor / 100, self.amount_minor % 100)
    }
}

/// Town, bank, and who is there.
pub(crate) struct Stage {
    pub(crate) town: Arc<Town>,
    pub(crate) bank: Arc<FakeBank>,
    pub(crate) bot: Id,
    pub(crate) payers: Vec<Payer>,
    sandbox: Sandbox,
    seeded: Seeded,
    secret: [u8; 32],
    servers: CancellationToken,
    town_server: town::Serving,
    bank_server: bank::Running,
}

/// An Obole at work.
pub(crate) struct Node {
    pub(crate) app: Arc<App>,
    serving: Serving,
}

impl Node {
    /// Stops it in order.
    pub(crate) async fn stop(self) {
        self.serving.stop().await;
    }
}

impl Stage {
    /// Opens town and bank and lets so many payers move in. What they will ask for comes from the seed.
    pub(crate) async fn open(payers: usize, seed: u64) -> anyhow::Result<Stage> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let servers = CancellationToken::new();
        let town = Arc::new(Town::in_memory(Limits { statuses: WIDE, requests: WIDE }, entropy.clone()));
        let books = Arc::new(FakeBank::in_memory(Settings::default(), clock.clone(), entropy.clone()));
        let town_server = town::serve(town::TownServer {
            town: town.clone(),
            clock: clock.clone(),
            listen: "127.0.0.1:0".to_owned(),
            public_url: None,
            identity_url: None,
            heartbeat: town::HEARTBEAT,
            shutdown: servers.clone(),
        })
        .await?;
        let bank_server = bank::serve(bank::SandboxBank {
            bank: books.clone(),
            address: "127.0.0.1:0".to_owned(),
            public_url: None,
            bearer_token: None,
            shutdown: servers.clone(),
        })
        .await?;
        let sandbox = Sandbox::at(&town_server.public_url, &bank_server.public_url)?;
        let seeded = seed::sow(&sandbox, &PlatformName::from(TOWN)).await.context("the sandbox could not be peopled")?;
        let bot = town.read().person_at(seed::BOT).map(|person| person.id).context("Obole does not live in the town")?;
        let chance = SeededEntropy::new(seed);
        let mut stage = Stage {
            town,
            bank: books,
            bot,
            payers: Vec::with_capacity(payers),
            sandbox,
            seeded,
            secret: random_bytes(entropy.as_ref()),
            servers,
            town_server,
            bank_server,
        };
        for number in 0..payers {
            let payer = stage.move_in(number, &chance)?;
            stage.payers.push(payer);
        }
        Ok(stage)
    }

    fn move_in(&self, number: usize, chance: &dyn Entropy) -> anyhow::Result<Payer> {
        let (handle, name) = (format!("payer{number}"), format!("Payer {number}"));
        let id = self.town.join(&handle, &name, false, SystemClock.now())?.id;
        let opening = Money::new(OPENING_MINOR, Currency::EUR);
        let iban = self.bank.open_account(&handle, &name, opening)?.iban;
        let amount_minor = LEAST_MINOR + i64::from(u32::from_le_bytes(random_bytes(chance))) % SPREAD_MINOR;
        Ok(Payer { id, handle, iban, amount_minor })
    }

    /// Connects an Obole over this store, that does nothing yet.
    pub(crate) async fn connect(&self, location: &Location) -> anyhow::Result<Arc<App>> {
        whole::connect(Connecting {
            store: Store::open(location, Ground::Sandbox).await?,
            sandbox: &self.sandbox,
            bank_api: whole::BankApi::BerlinGroup,
            seeded: &self.seeded,
            statuses: WIDE,
            calls_per_second: CALLS_PER_SECOND,
            policy: Policy::default(),
            secret: CodeSecret::new(self.secret),
            public_url: "http://localhost:8080".to_owned(),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
        })
        .await
    }

    /// Starts an Obole over this store; with an office it also reconciles and answers operators.
    pub(crate) async fn start(&self, location: &Location, office: Option<Office>) -> anyhow::Result<Node> {
        let app = self.connect(location).await?;
        let serving = Serving::start(app.clone());
        if let Some(office) = office {
            serving.serve_operators(office);
        }
        Ok(Node { app, serving })
    }

    /// Writes down who these payers are, as their enrolments would have.
    pub(crate) async fn enrol(&self, app: &App, payers: &[Payer]) -> anyhow::Result<()> {
        for some in payers.chunks(ROWS) {
            let now = SystemClock.now();
            let mut tx = app.store.begin().await?;
            for payer in some {
                let id = PersonId::new(now, app.entropy.as_ref());
                let safe_phrase = format!("pomme {}", payer.handle);
                tx.insert_person(&Person { id: id.clone(), language: Language::Fr, safe_phrase, created_at: now }).await?;
                let link = Link {
                    platform: PlatformName::from(TOWN),
                    account: AccountId(payer.id.to_string()),
                    handle: payer.handle.clone(),
                    person: id.clone(),
                    thread: None,
                };
                tx.insert_link(&link, now).await?;
                let account = BankAccount { person: id, bank: BankName::from(BANK), iban: payer.iban.clone(), consent: None };
                tx.insert_bank_account(&account, now).await?;
            }
            tx.commit().await?;
        }
        Ok(())
    }

    /// Whom every order pays.
    pub(crate) fn payee(&self) -> anyhow::Result<&PayeeEntry> {
        self.seeded.payees.iter().find(|payee| payee.slug == PAYEE).context("the charity is not in the directory")
    }

    /// Its account in the town.
    pub(crate) fn payee_account(&self) -> anyhow::Result<AccountId> {
        let town = self.town.read();
        let person = town.person_at(PAYEE).context("the charity does not live in the town")?;
        Ok(AccountId(person.id.to_string()))
    }

    /// Closes town and bank.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        self.servers.cancel();
        let ended = async {
            self.bank_server.task.await.context("the sandbox bank")??;
            self.town_server.ended().await
        };
        // A connection that is kept open does not hold up the end.
        tokio::time::timeout(FAREWELL, ended).await.unwrap_or(Ok(()))
    }
}

/// How long the servers may take to end.
const FAREWELL: Duration = Duration::from_secs(3);
