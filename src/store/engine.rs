//! Two databases behind one small surface: statements with `$1` placeholders, text and whole numbers in, rows out.
//!
//! Both engines get the same statement wherever they can; [`Sql`] holds the two spellings where they cannot. Many rows travel as
//! one JSON array in `$1` (see [`sql_rows`]), so that a thousand decisions are a handful of statements and one commit.
//!
//! SQLite: WAL, `synchronous=FULL` (NORMAL may lose the last commits on power loss), foreign keys, one writer connection with
//! `BEGIN IMMEDIATE`, several readers. PostgreSQL: one pool.

use std::path::PathBuf;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgPool, PgPoolOptions, PgRow};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow, SqliteSynchronous};
use sqlx::{Executor as _, PgConnection, Postgres, Row as _, Sqlite, SqliteConnection, Transaction};

use super::StoreError;

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
/// object `r.value`.
macro_rules! sql_rows {
    ($before:literal, $after:literal) => {
        $crate::store::engine::Sql {
            sqlite: concat!($before, " json_each($1) AS r ", $after),
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

/// Open pools.
#[derive(Debug, Clone)]
pub(crate) enum Engine {
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
                Ok(Engine::Sqlite { writer, readers: Some(readers) })
            }
            Location::Memory => {
                let options = SqliteConnectOptions::new().in_memory(true).foreign_keys(true);
                let only = connections(1).min_connections(1).idle_timeout(None).max_lifetime(None).connect_with(options).await?;
                Ok(Engine::Sqlite { writer: only, readers: None })
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
                Ok(Engine::Postgres(pool))
            }
        }
    }

    /// Pools that only read, from a store that is there and that others may be using.
    pub(crate) async fn open_reading(location: &Location) -> Result<Self, StoreError> {
        match location {
            Location::Sqlite(path) => {
                let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(BUSY_TIMEOUT);
                let readers = connections(1).connect_with(options).await?;
                Ok(Engine::Sqlite { writer: readers.clone(), readers: Some(readers) })
            }
            Location::Memory => Engine::open(location).await,
            Location::Postgres(url) => {
                let pool = PgPoolOptions::new()
                    .max_connections(2)
                    .after_connect(|connection, _| {
                        Box::pin(async move { connection.execute("SET default_transaction_read_only = on").await.map(|_| ()) })
                    })
                    .connect(url)
                    .await?;
                Ok(Engine::Postgres(pool))
            }
        }
    }

    /// A transaction that may write.
    pub(crate) async fn begin(&self) -> Result<Tx, StoreError> {
        match self {
            Engine::Sqlite { writer, .. } => Ok(Tx::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?)),
            Engine::Postgres(pool) => Ok(Tx::Postgres(pool.begin().await?)),
        }
    }

    /// A transaction that only reads, and does not wait for writers.
    pub(crate) async fn begin_reading(&self) -> Result<Tx, StoreError> {
        match self {
            Engine::Sqlite { readers: Some(readers), .. } => Ok(Tx::Sqlite(readers.begin().await?)),
            Engine::Sqlite { writer, readers: None } => Ok(Tx::Alone(writer.acquire().await?)),
            Engine::Postgres(pool) => Ok(Tx::Postgres(pool.begin().await?)),
        }
    }

    pub(crate) async fn close(&self) {
        match self {
            Engine::Sqlite { writer, readers } => {
                if let Some(readers) = readers {
                    readers.close().await;
                }
                writer.close().await;
            }
            Engine::Postgres(pool) => pool.close().await,
        }
    }
}

/// A transaction. Rolled back unless committed.
pub(crate) enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
    /// The only connection of a store in memory, for reading: nobody can write meanwhile, so what is read fits together.
    Alone(PoolConnection<Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// What a transaction's statements run on.
enum Connection<'a> {
    Sqlite(&'a mut SqliteConnection),
    Postgres(&'a mut PgConnection),
}

impl Tx {
    fn connection(&mut self) -> Connection<'_> {
        match self {
            Tx::Sqlite(tx) => Connection::Sqlite(tx),
            Tx::Alone(connection) => Connection::Sqlite(connection),
            Tx::Postgres(tx) => Connection::Postgres(tx),
        }
    }

    /// Runs a statement and gives its rows.
    pub(crate) async fn rows(&mut self, sql: Sql, args: impl IntoIterator<Item = Arg>) -> Result<Vec<Row>, StoreError> {
        match self.connection() {
            Connection::Sqlite(connection) => {
                let query = args.into_iter().fold(sqlx::query(sql.sqlite), |query, arg| match arg {
                    Arg::Text(text) => query.bind(text),
                    Arg::Int(number) => query.bind(number),
                });
                Ok(query.fetch_all(connection).await?.into_iter().map(Row::Sqlite).collect())
            }
            Connection::Postgres(connection) => {
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
        match self.connection() {
            Connection::Sqlite(connection) => {
                let query = args.into_iter().fold(sqlx::query(sql.sqlite), |query, arg| match arg {
                    Arg::Text(text) => query.bind(text),
                    Arg::Int(number) => query.bind(number),
                });
                Ok(query.execute(connection).await?.rows_affected())
            }
            Connection::Postgres(connection) => {
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
        match self {
            Tx::Sqlite(tx) => tx.commit().await?,
            Tx::Alone(_) => {}
            Tx::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }
}
