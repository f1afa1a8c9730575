//! The naive way: one order at a time and a commit for every step, over the same disk, the same adapters, the same town and bank.
//!
//! It keeps what has to be kept (the order, a line of audit for every decision, what is to be done outside) and does it in the order that
//! safety asks for, and nothing more: no limits, no screening, no leases. What group commit and many orders side by side win is
//! measured against it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Executor as _, SqliteConnection};

use super::stage::{Payer, Stage};
use crate::app::App;
use crate::bank::{Bank, BankStatus, DebtorAccount, PaymentInstruction, Submission};
use crate::clock::Timestamp;
use crate::ids::{AccountId, BankName, Channel, PaymentKey, PlatformName, PostId};
use crate::money::{Currency, Money};
use crate::platform::{OutgoingDm, Platform};
use crate::sandbox::whole::{BANK, TOWN};
use crate::store::Location;

const TABLES: &str = "
    CREATE TABLE orders (id TEXT PRIMARY KEY, version INTEGER NOT NULL, state TEXT NOT NULL, data TEXT NOT NULL) STRICT;
    CREATE TABLE audit (order_id TEXT NOT NULL, version INTEGER NOT NULL, line TEXT NOT NULL, PRIMARY KEY (order_id, version)) STRICT;
    CREATE TABLE effects (id TEXT PRIMARY KEY, order_id TEXT NOT NULL, state TEXT NOT NULL, data TEXT NOT NULL) STRICT;";

/// About what an order, an audit line and an effect take in the real store.
const ORDER: usize = 900;
const LINE: usize = 220;
const EFFECT: usize = 150;

/// The rig.
pub(crate) struct Naive<'a> {
    connection: SqliteConnection,
    platform: &'a dyn Platform,
    bank: &'a dyn Bank,
    stage: &'a Stage,
}

impl<'a> Naive<'a> {
    /// Opens a database for it. The adapters are those of an application that is connected to the stage.
    pub(crate) async fn open(location: &Location, stage: &'a Stage, app: &'a App) -> anyhow::Result<Self> {
        let Location::Sqlite(path) = location else { anyhow::bail!("the naive rig is for SQLite") };
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let mut connection = options.connect().await.context("the naive rig's database cannot be opened")?;
        connection.execute(TABLES).await?;
        let platform = app.platforms.get(&PlatformName::from(TOWN)).context("the town is not connected")?;
        let bank = app.banks.get(&BankName::from(BANK)).context("the bank is not connected")?;
        Ok(Naive { connection, platform: platform.as_ref(), bank: bank.as_ref(), stage })
    }

    /// How many orders a second are settled one after the other, measured for so long, with payers from number `first` on again and again.
    pub(crate) async fn rate(&mut self, first: usize, time: Duration) -> anyhow::Result<f64> {
        let payers =
            self.stage.payers.get(first..).filter(|payers| !payers.is_empty()).context("no payer is left for the naive rig")?;
        let began = Instant::now();
        let mut orders = 0_u32;
        for payer in payers.iter().cycle() {
            if began.elapsed() >= time {
                break;
            }
            self.settle(payer, orders).await?;
            orders += 1;
        }
        Ok(f64::from(orders) / began.elapsed().as_secs_f64())
    }

    async fn settle(&mut self, payer: &Payer, number: u32) -> anyhow::Result<()> {
        let post = PostId(format!("naive:{number}"));
        let key = PaymentKey::of_post("mastodon", Channel::Post, &post, 0);
        let id = key.as_str();
        self.step(id, 1, "asked", Some("ask"), None).await?;
        self.tell(payer, &format!("{id}-ask"), &format!("Répondez OUI 123456 pour {}", post.as_str())).await?;
        self.step(id, 2, "asked", None, Some("ask")).await?;
        self.step(id, 3, "confirmed", Some("submit"), None).await?;
        self.step(id, 4, "submitting", None, None).await?;
        let payee = self.stage.payee()?;
        let submission = self
            .bank
            .submit(&PaymentInstruction {
                key: key.clone(),
                debtor: DebtorAccount { iban: payer.iban.clone(), consent: None },
                creditor_name: payee.legal_name.clone(),
                creditor_iban: payee.iban.clone(),
                // Small enough for the same payer to go on and on.
                amount: Money::new(1, Currency::EUR),
                remittance: "OBOLE 12345678 TELETHON".to_owned(),
                return_url: "http://localhost:8080/bank/return/0".to_owned(),
                submitted_at: Timestamp::UNIX_EPOCH,
            })
            .await;
        ensure!(
            matches!(submission, Submission::Taken { status: BankStatus::Settled, .. }),
            "the bank did not settle the naive rig's payment: {submission:?}"
        );
        self.step(id, 5, "settled", Some("receipt"), Some("submit")).await?;
        self.tell(payer, &format!("{id}-receipt"), &format!("Votre don est fait, {}", post.as_str())).await?;
        self.step(id, 6, "settled", None, Some("receipt")).await
    }

    async fn tell(&self, payer: &Payer, key: &str, text: &str) -> anyhow::Result<()> {
        let to = AccountId(payer.id.to_string());
        let dm = OutgoingDm { key, to: &to, to_handle: &payer.handle, text, in_reply_to: None };
        self.platform.send_dm(dm).await.map(|_| ()).map_err(|error| anyhow::anyhow!("the town did not take a message: {error}"))
    }

    /// One durable step: the order as it is now, its audit line, what follows and what has ended.
    async fn step(&mut self, id: &str, version: i64, state: &str, next: Option<&str>, ended: Option<&str>) -> anyhow::Result<()> {
        use sqlx::Connection as _;
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        let order = "INSERT INTO orders (id, version, state, data) VALUES ($1, $2, $3, $4)
                     ON CONFLICT (id) DO UPDATE SET version = excluded.version, state = excluded.state, data = excluded.data";
        sqlx::query(order).bind(id).bind(version).bind(state).bind("o".repeat(ORDER)).execute(&mut *tx).await?;
        let audit = "INSERT INTO audit (order_id, version, line) VALUES ($1, $2, $3)";
        sqlx::query(audit).bind(id).bind(version).bind("a".repeat(LINE)).execute(&mut *tx).await?;
        if let Some(next) = next {
            let effect = "INSERT INTO effects (id, order_id, state, data) VALUES ($1, $2, 'pending', $3)";
            sqlx::query(effect).bind(format!("{id}-{next}")).bind(id).bind("e".repeat(EFFECT)).execute(&mut *tx).await?;
        }
        if let Some(ended) = ended {
            let done = "UPDATE effects SET state = 'done' WHERE id = $1";
            sqlx::query(done).bind(format!("{id}-{ended}")).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}
