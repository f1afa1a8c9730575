//! What the backend remembers beside the bank's own books: orders by the client's id, what was told about them, and where to push it.
//!
//! Kept in memory, and, with a file, in SQLite: every change is committed there before anybody is answered, so a killed process has lost
//! none of what it said. An order is written down *before* the bank is told to carry it out; whoever finds an order that the bank does not
//! have carries it out then.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Row as _, SqliteConnection};

use crate::bank::settlement::wire::{Event, NextAction, PaymentOrder, PaymentView, Reason, State, Webhook};
use crate::clock::Timestamp;

/// An order by its client's id, and how it stands as far as anybody was told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) client: String,
    pub(super) id: String,
    /// `None` is a tombstone.
    pub(super) order: Option<PaymentOrder>,
    /// The bank's own id, once the bank has it.
    pub(super) bank_payment: Option<String>,
    pub(super) state: String,
    pub(super) reason: Option<Reason>,
    pub(super) next_action: Option<NextAction>,
    pub(super) sequence: u64,
    pub(super) received_at: Timestamp,
    pub(super) updated_at: Timestamp,
    /// What a test sum still has in store for it.
    pub(super) plan: Option<Plan>,
}

/// What happens to a payment later because of its sum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Plan {
    /// Refused after it was accepted.
    RefuseAt(Timestamp),
    /// Given back after it settled.
    Return { reason: String, at: Timestamp },
}

impl Row {
    pub(super) fn state(&self) -> State {
        State::named(&self.state).unwrap_or(State::Received)
    }

    pub(super) fn view(&self) -> PaymentView {
        let order = self.order.as_ref();
        PaymentView {
            id: self.id.clone(),
            state: self.state.clone(),
            sequence: self.sequence,
            updated_at: self.updated_at,
            amount: order.map(|order| order.amount.clone()),
            currency: order.map(|order| order.currency.clone()),
            debtor: order.map(|order| order.debtor.clone()),
            creditor: order.map(|order| order.creditor.clone()),
            remittance: order.and_then(|order| order.remittance.clone()),
            valid_until: order.map(|order| order.valid_until),
            bank_reference: self.bank_payment.clone(),
            reason: self.reason.clone(),
            next_action: self.next_action.clone(),
        }
    }
}

/// An event, and whose it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Told {
    pub(super) client: String,
    pub(super) event: Event,
}

/// A client's webhook.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Hook {
    pub(super) webhook: Webhook,
    /// The newest event that was delivered.
    pub(super) done: u64,
    /// Deliveries that failed since.
    pub(super) failures: u32,
    /// When it is tried again.
    pub(super) next_at: Timestamp,
}

/// Everything that is remembered.
pub(super) struct Register {
    rows: BTreeMap<(String, String), Row>,
    /// Those to which something may still happen.
    open: HashSet<(String, String)>,
    pub(super) events: Vec<Told>,
    pub(super) hooks: HashMap<String, Hook>,
    /// Sums that have struck an id already.
    pub(super) struck: HashSet<String>,
    pub(super) ahead: Duration,
    database: SqliteConnection,
}

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS payments (client TEXT NOT NULL, id TEXT NOT NULL, data TEXT NOT NULL, PRIMARY KEY (client, id)) STRICT;
    CREATE TABLE IF NOT EXISTS events (cursor INTEGER PRIMARY KEY, data TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS hooks (client TEXT PRIMARY KEY, data TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS clock (one INTEGER PRIMARY KEY CHECK (one = 1), ahead_seconds INTEGER NOT NULL) STRICT;";

impl Register {
    /// Opens what the file remembers; without a file nothing outlives the process. `forget`: a planted mistake.
    pub(super) async fn open(file: Option<&Path>, forget: bool) -> anyhow::Result<Self> {
        let options = match file {
            Some(file) => SqliteConnectOptions::new().filename(file).create_if_missing(true),
            None => "sqlite::memory:".parse()?,
        };
        // Handed to the operating system before it is answered: enough against a kill, and no test waits for a disk.
        let options = options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Normal);
        let named = || file.map_or_else(|| "in memory".to_owned(), |file| file.display().to_string());
        let mut database = options.connect().await.with_context(|| format!("the backend's state {} cannot be opened", named()))?;
        sqlx::raw_sql(TABLES).execute(&mut database).await.with_context(|| format!("{} is not a backend's state", named()))?;
        let mut register = Register {
            rows: BTreeMap::new(),
            open: HashSet::new(),
            events: Vec::new(),
            hooks: HashMap::new(),
            struck: HashSet::new(),
            ahead: Duration::ZERO,
            database,
        };
        let data = |row: &sqlx::sqlite::SqliteRow| row.try_get::<String, _>("data");
        if !forget {
            for row in sqlx::query("SELECT data FROM payments").fetch_all(&mut register.database).await? {
                register.keep(serde_json::from_str(&data(&row)?)?);
            }
        }
        for row in sqlx::query("SELECT data FROM events ORDER BY cursor").fetch_all(&mut register.database).await? {
            register.events.push(serde_json::from_str(&data(&row)?)?);
        }
        for row in sqlx::query("SELECT client, data FROM hooks").fetch_all(&mut register.database).await? {
            register.hooks.insert(row.try_get("client")?, serde_json::from_str(&data(&row)?)?);
        }
        let ahead: Option<i64> =
            sqlx::query_scalar("SELECT ahead_seconds FROM clock").fetch_optional(&mut register.database).await?;
        register.ahead = Duration::from_secs(ahead.and_then(|seconds| seconds.try_into().ok()).unwrap_or(0));
        Ok(register)
    }

    fn keep(&mut self, row: Row) {
        let key = (row.client.clone(), row.id.clone());
        if matches!(row.state(), State::Refused | State::Cancelled | State::Returned) {
            self.open.remove(&key);
        } else {
            self.open.insert(key.clone());
        }
        self.rows.insert(key, row);
    }

    /// A client's payment.
    pub(super) fn get(&self, client: &str, id: &str) -> Option<&Row> {
        self.rows.get(&(client.to_owned(), id.to_owned()))
    }

    /// Anybody's payment.
    pub(super) fn get_anybodys(&self, id: &str) -> Option<&Row> {
        self.rows.values().find(|row| row.id == id)
    }

    /// A client's payments.
    pub(super) fn of<'a>(&'a self, client: &'a str) -> impl Iterator<Item = &'a Row> {
        self.rows.values().filter(move |row| row.client == client)
    }

    /// Those to which something may still happen.
    pub(super) fn open_rows(&self) -> Vec<Row> {
        self.open.iter().filter_map(|key| self.rows.get(key)).cloned().collect()
    }

    /// Writes a payment down, and with `told` the event of it, in one commit.
    pub(super) async fn save(&mut self, row: Row, told: bool) -> Result<(), sqlx::Error> {
        let place = self.events.len() as u64 + 1;
        let event = told.then(|| Told {
            client: row.client.clone(),
            event: Event {
                id: format!("evt_{}_{}", row.id, row.sequence),
                cursor: place.to_string(),
                kind: "payment.changed".to_owned(),
                at: row.updated_at,
                payment: row.view(),
            },
        });
        let mut tx = self.database.begin().await?;
        sqlx::query("INSERT INTO payments (client, id, data) VALUES ($1, $2, $3) ON CONFLICT (client, id) DO UPDATE SET data = excluded.data")
            .bind(&row.client)
            .bind(&row.id)
            .bind(encoded(&row)?)
            .execute(&mut *tx)
            .await?;
        if let Some(event) = &event {
            let cursor = i64::try_from(place).unwrap_or(i64::MAX);
            sqlx::query("INSERT INTO events (cursor, data) VALUES ($1, $2)")
                .bind(cursor)
                .bind(encoded(event)?)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        self.keep(row);
        self.events.extend(event);
        Ok(())
    }

    /// Forgets a payment; only a planted mistake does.
    pub(super) async fn forget(&mut self, client: &str, id: &str) -> Result<(), sqlx::Error> {
        sqlx::query("DELETE FROM payments WHERE client = $1 AND id = $2").bind(client).bind(id).execute(&mut self.database).await?;
        let key = (client.to_owned(), id.to_owned());
        self.open.remove(&key);
        self.rows.remove(&key);
        Ok(())
    }

    /// Writes a client's webhook down.
    pub(super) async fn save_hook(&mut self, client: &str, hook: Hook) -> Result<(), sqlx::Error> {
        sqlx::query("INSERT INTO hooks (client, data) VALUES ($1, $2) ON CONFLICT (client) DO UPDATE SET data = excluded.data")
            .bind(client)
            .bind(encoded(&hook)?)
            .execute(&mut self.database)
            .await?;
        self.hooks.insert(client.to_owned(), hook);
        Ok(())
    }

    /// Sets the clock ahead.
    pub(super) async fn advance(&mut self, by: Duration) -> Result<(), sqlx::Error> {
        self.ahead = self.ahead.saturating_add(by);
        let seconds = i64::try_from(self.ahead.as_secs()).unwrap_or(i64::MAX);
        sqlx::query("INSERT INTO clock (one, ahead_seconds) VALUES (1, $1) ON CONFLICT (one) DO UPDATE SET ahead_seconds = excluded.ahead_seconds")
            .bind(seconds)
            .execute(&mut self.database)
            .await?;
        Ok(())
    }
}

fn encoded(value: &impl Serialize) -> Result<String, sqlx::Error> {
    serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}
