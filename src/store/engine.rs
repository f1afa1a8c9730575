//! Two databases behind one small surface: statements with `$1` placeholders, text and whole numbers in, rows out.
//!
//! Both engines get the same statement wherever they can; [`Sql`] holds the two spellings where they cannot. Many rows travel as
//! one JSON array in `$1` (see [`sql_rows`]), so that a thousand decisions are a handful of statements and one commit.
//!
//! SQLite: WAL, `synchronous=FULL` (NORMAL may lose the last commits on power loss), foreign keys, one writer connection with
//! `BEGIN IMMEDIATE`, several readers. PostgreSQL: one pool.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgPool, PgPoolOptions, PgRow};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow, SqliteSynchronous};
use sqlx::{Executor as _, PgConnection, Postgres, Row as _, Sqlite, SqliteConnection, Transaction};

use super::StoreError;
use crate::ids::PersonId;

/// One statement in the spelling of each engine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sql {
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
}

/// A statement that both engines read.
macro_rules! sql {
    ($text:literal) => {
        $crate::store::engine::Sql { sqlite: $text, postgres: $text }
    };
}

/// A statement over the objects of the JSON array `$1`: `before ROWS after`, where `ROWS` stands after `FROM` and names each
/// object `r.value`. On SQLite they stay in its binary form: as text, each would be written out and parsed again for every column.
macro_rules! sql_rows {
    ($before:literal, $after:literal) => {
        $crate::store::engine::Sql {
            sqlite: concat!($before, " jsonb_each($1) AS r ", $after),
            postgres: concat!($before, " json_array_elements(CAST($1 AS json)) AS r(value) ", $after),
        }
    };
}

pub(crate) use {sql, sql_rows};

/// A value for a placeholder.
#[derive(Debug, Clone)]
pub(crate) enum Arg {
    Text(Option<String>),
    Int(Option<i64>),
}

impl From<&str> for Arg {
    fn from(text: &str) -> Self {
        Arg::Text(Some(text.to_owned()))
    }
}

impl From<String> for Arg {
    fn from(text: String) -> Self {
        Arg::Text(Some(text))
    }
}

impl From<Option<String>> for Arg {
    fn from(text: Option<String>) -> Self {
        Arg::Text(text)
    }
}

impl From<i64> for Arg {
    fn from(number: i64) -> Self {
        Arg::Int(Some(number))
    }
}

impl From<Option<i64>> for Arg {
    fn from(number: Option<i64>) -> Self {
        Arg::Int(number)
    }
}

/// The arguments of a statement, in order.
macro_rules! args {
    ($($value:expr),* $(,)?) => { [$($crate::store::engine::Arg::from($value)),*] };
}

pub(crate) use args;

/// A row of an answer.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    pub(crate) fn text(&self, column: &'static str) -> Result<String, StoreError> {
        self.optional_text(column)?.ok_or(StoreError::Meaningless { column, why: "is null".to_owned() })
    }

    pub(crate) fn optional_text(&self, column: &'static str) -> Result<Option<String>, StoreError> {
        let value = match self {
            Row::Sqlite(row) => row.try_get(column),
            Row::Postgres(row) => row.try_get(column),
        };
        value.map_err(|error| StoreError::Meaningless { column, why: error.to_string() })
    }

    pub(crate) fn int(&self, column: &'static str) -> Result<i64, StoreError> {
        self.optional_int(column)?.ok_or(StoreError::Meaningless { column, why: "is null".to_owned() })
    }

    pub(crate) fn optional_int(&self, column: &'static str) -> Result<Option<i64>, StoreError> {
        let value = match self {
            Row::Sqlite(row) => row.try_get(column),
            Row::Postgres(row) => row.try_get(column),
        };
        value.map_err(|error| StoreError::Meaningless { column, why: error.to_string() })
    }

    /// A text column read as something that has a meaning.
    pub(crate) fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(&self, column: &'static str) -> Result<T, StoreError> {
        self.text(column)?.parse().map_err(|error: T::Err| StoreError::Meaningless { column, why: error.to_string() })
    }

    /// A text column that holds JSON.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self, column: &'static str) -> Result<T, StoreError> {
        serde_json::from_str(&self.text(column)?).map_err(|error| StoreError::Meaningless { column, why: error.to_string() })
    }
}

/// Where the store is. `Debug` shows no URL: it may hold a password.
#[derive(Clone)]
pub enum Location {
    /// A SQLite file; its directory has to exist.
    Sqlite(PathBuf),
    /// A SQLite store in memory, gone with the process; for tests and simulation.
    Memory,
    /// A PostgreSQL URL.
    Postgres(String),
}

impl std::fmt::Debug for Location {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Location::Sqlite(path) => formatter.debug_tuple("Sqlite").field(path).finish(),
            Location::Memory => formatter.write_str("Memory"),
            Location::Postgres(_) => formatter.write_str("Postgres(…)"),
        }
    }
}

/// Open pools, and how many writing transactions were committed through them.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    pub(super) pools: Pools,
    commits: Arc<AtomicU64>,
}

#[derive(Debug, Clone)]
pub(crate) enum Pools {
    /// Without readers of its own, a store in memory has one connection, and whoever holds it has the store alone.
    Sqlite {
        writer: SqlitePool,
        readers: Option<SqlitePool>,
    },
    Postgres(PgPool),
}

/// How long a writer waits for a lock that another process holds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// So many connections to SQLite. There is no wire that could have broken, so none is tried out before each use.
fn connections(at_most: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new().max_connections(at_most).test_before_acquire(false)
}

/// What every PostgreSQL session that may write is told. Between two statements of a transaction lie microseconds; ten seconds without
/// the next one are a node that sleeps, and with a lease of 45 its work is taken over within the minute.
const EVERY_SESSION: &str = "SET synchronous_commit = on; SET idle_in_transaction_session_timeout = '10s'";

impl Engine {
    pub(crate) async fn open(location: &Location) -> Result<Self, StoreError> {
        Ok(Engine { pools: Pools::open(location).await?, commits: Arc::default() })
    }

    /// Pools that only read, from a store that is there and that others may be using.
    pub(crate) async fn open_reading(location: &Location) -> Result<Self, StoreError> {
        Ok(Engine { pools: Pools::open_reading(location).await?, commits: Arc::default() })
    }

    /// How many writing transactions were committed since it was opened.
    pub(crate) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Whether it is SQLite, which has one writer at a time.
    pub(crate) fn has_one_writer(&self) -> bool {
        matches!(self.pools, Pools::Sqlite { .. })
    }

    /// A transaction that may write.
    pub(crate) async fn begin(&self) -> Result<Tx, StoreError> {
        let connection = match &self.pools {
            Pools::Sqlite { writer, .. } => Connection::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?),
            Pools::Postgres(pool) => Connection::Postgres(pool.begin().await?),
        };
        Ok(Tx { connection, commits: Some(self.commits.clone()), held: HashSet::new() })
    }

    /// A transaction that only reads, and does not wait for writers.
    pub(crate) async fn begin_reading(&self) -> Result<Tx, StoreError> {
        let connection = match &self.pools {
            Pools::Sqlite { readers: Some(readers), .. } => Connection::Sqlite(readers.begin().await?),
            Pools::Sqlite { writer, readers: None } => Connection::Alone(writer.acquire().await?),
            Pools::Postgres(pool) => Connection::Postgres(pool.begin().await?),
        };
        Ok(Tx { connection, commits: None, held: HashSet::new() })
    }

    pub(crate) async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { writer, readers } => {
                if let Some(readers) = readers {
                    readers.close().await;
                }
                writer.close().await;
            }
            Pools::Postgres(pool) => pool.close().await,
        }
    }
}

impl Pools {
    async fn open(location: &Location) -> Result<Self, StoreError> {
        match location {
            Location::Sqlite(path) => {
                let options = SqliteConnectOptions::new()
                    .filename(path)
                    .create_if_missing(true)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Full)
                    .foreign_keys(true)
                    .busy_timeout(BUSY_TIMEOUT);
                let writer = connections(1).connect_with(options.clone()).await?;
                let readers = connections(4).connect_with(options.read_only(true)).await?;
                Ok(Pools::Sqlite { writer, readers: Some(readers) })
            }
            Location::Memory => {
                let options = SqliteConnectOptions::new().in_memory(true).foreign_keys(true);
                let only = connections(1).min_connections(1).idle_timeout(None).max_lifetime(None).connect_with(options).await?;
                Ok(Pools::Sqlite { writer: only, readers: None })
            }
            Location::Postgres(url) => {
                // Whatever the server, role or database says: a commit that a crash undoes could be paid a second time, and a node that
                // freezes in the middle of a transaction, or whose machine is gone, must not keep its rows from the others.
                let pool = PgPoolOptions::new()
                    .max_connections(16)
                    .acquire_timeout(Duration::from_secs(10))
                    .after_connect(|connection, _| Box::pin(async move { connection.execute(EVERY_SESSION).await.map(|_| ()) }))
                    .connect(url)
                    .await?;
                Ok(Pools::Postgres(pool))
            }
        }
    }

    async fn open_reading(location: &Location) -> Result<Self, StoreError> {
        match location {
            Location::Sqlite(path) => {
                let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(BUSY_TIMEOUT);
                let readers = connections(1).connect_with(options).await?;
                Ok(Pools::Sqlite { writer: readers.clone(), readers: Some(readers) })
            }
            Location::Memory => Pools::open(location).await,
            Location::Postgres(url) => {
                let pool = PgPoolOptions::new()
                    .max_connections(2)
                    .after_connect(|connection, _| {
                        Box::pin(async move { connection.execute("SET default_transaction_read_only = on").await.map(|_| ()) })
                    })
                    .connect(url)
                    .await?;
                Ok(Pools::Postgres(pool))
            }
        }
    }
}

/// A transaction. Rolled back unless committed.
pub(crate) struct Tx {
    connection: Connection,
    /// Where its commit is counted; `None` for one that only reads.
    commits: Option<Arc<AtomicU64>>,
    /// The persons whose rows it holds until its end.
    pub(super) held: HashSet<PersonId>,
}

enum Connection {
    Sqlite(Transaction<'static, Sqlite>),
    /// The only connection of a store in memory, for reading: nobody can write meanwhile, so what is read fits together.
    Alone(PoolConnection<Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// What a transaction's statements run on.
enum Open<'a> {
    Sqlite(&'a mut SqliteConnection),
    Postgres(&'a mut PgConnection),
}

impl Tx {
    /// Whether it is on SQLite, which has one writer at a time.
    pub(crate) fn has_one_writer(&self) -> bool {
        !matches!(self.connection, Connection::Postgres(_))
    }

    fn open(&mut self) -> Open<'_> {
        match &mut self.connection {
            Connection::Sqlite(tx) => Open::Sqlite(tx),
            Connection::Alone(connection) => Open::Sqlite(connection),
            Connection::Postgres(tx) => Open::Postgres(tx),
        }
    }

    /// Runs a statement and gives its rows.
    pub(crate) async fn rows(&mut self, sql: Sql, args: impl IntoIterator<Item = Arg>) -> Result<Vec<Row>, StoreError> {
        match self.open() {
            Open::Sqlite(connection) => {
                let query = args.into_iter().fold(sqlx::query(sql.sqlite), |query, arg| match arg {
                    Arg::Text(text) => query.bind(text),
                    Arg::Int(number) => query.bind(number),
                });
                Ok(query.fetch_all(connection).await?.into_iter().map(Row::Sqlite).collect())
            }
            Open::Postgres(connection) => {
                let query = args.into_iter().fold(sqlx::query(sql.postgres), |query, arg| match arg {
                    Arg::Text(text) => query.bind(text),
                    Arg::Int(number) => query.bind(number),
                });
                Ok(query.fetch_all(connection).await?.into_iter().map(Row::Postgres).collect())
            }
        }
    }

    /// Runs a statement and gives the number of rows it changed.
    pub(crate) async fn run(&mut self, sql: Sql, args: impl IntoIterator<Item = Arg>) -> Result<u64, StoreError> {
        match self.open() {
            Open::Sqlite(connection) => {
                let query = args.into_iter().fold(sqlx::query(sql.sqlite), |query, arg| match arg {
                    Arg::Text(text) => query.bind(text),
                    Arg::Int(number) => query.bind(number),
                });
                Ok(query.execute(connection).await?.rows_affected())
            }
            Open::Postgres(connection) => {
                let query = args.into_iter().fold(sqlx::query(sql.postgres), |query, arg| match arg {
                    Arg::Text(text) => query.bind(text),
                    Arg::Int(number) => query.bind(number),
                });
                Ok(query.execute(connection).await?.rows_affected())
            }
        }
    }

    /// Makes everything durable, or nothing.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        match self.connection {
            Connection::Sqlite(tx) => tx.commit().await?,
            Connection::Alone(_) => {}
            Connection::Postgres(tx) => tx.commit().await?,
        }
        if let Some(commits) = self.commits {
            commits.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}
