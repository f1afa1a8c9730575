//! The floor of durability: how fast this database makes a single row durable, one transaction after the other.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, PgConnection, SqliteConnection};

use crate::store::Location;

/// Commits rows, one by one, each with a number of its own.
pub(crate) struct Floor {
    connection: Connection,
    next: i64,
}

enum Connection {
    /// WAL, `synchronous=FULL`, as the store has it.
    Sqlite(SqliteConnection),
    /// `synchronous_commit=on`, as the store has it.
    Postgres(PgConnection),
}

/// About as long as an audit line.
const ROW: &str = "the quick brown fox jumps over the lazy dog and writes it down where nobody can ever change it again, \
                   since what was promised to a bank is kept";

impl Floor {
    /// Opens a database at `location` for nothing but this.
    pub(crate) async fn open(location: &Location) -> anyhow::Result<Self> {
        const TABLE: &str = "CREATE TABLE floor (number BIGINT PRIMARY KEY, line TEXT NOT NULL)";
        match location {
            Location::Sqlite(path) => {
                let options = SqliteConnectOptions::new()
                    .filename(path)
                    .create_if_missing(true)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Full);
                let mut connection = options.connect().await.context("the floor's database cannot be opened")?;
                connection.execute(TABLE).await?;
                Ok(Floor { connection: Connection::Sqlite(connection), next: 0 })
            }
            Location::Postgres(url) => {
                let mut connection = PgConnection::connect(url).await.context("the floor's database cannot be reached")?;
                connection.execute("SET synchronous_commit = on").await?;
                connection.execute(TABLE).await?;
                Ok(Floor { connection: Connection::Postgres(connection), next: 0 })
            }
            Location::Memory => anyhow::bail!("nothing in memory is durable"),
        }
    }

    /// Makes one row durable.
    pub(crate) async fn commit_row(&mut self) -> anyhow::Result<()> {
        let number = self.next;
        self.next += 1;
        const INSERT: &str = "INSERT INTO floor (number, line) VALUES ($1, $2)";
        match &mut self.connection {
            Connection::Sqlite(connection) => {
                let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
                sqlx::query(INSERT).bind(number).bind(ROW).execute(&mut *tx).await?;
                tx.commit().await?;
            }
            Connection::Postgres(connection) => {
                let mut tx = connection.begin().await?;
                sqlx::query(INSERT).bind(number).bind(ROW).execute(&mut *tx).await?;
                tx.commit().await?;
            }
        }
        Ok(())
    }

    /// How many rows a second are made durable, measured for so long.
    pub(crate) async fn rate(&mut self, time: Duration) -> anyhow::Result<f64> {
        let (began, first) = (Instant::now(), self.next);
        while began.elapsed() < time {
            self.commit_row().await?;
        }
        let rows = u32::try_from(self.next - first).context("more rows than expected")?;
        Ok(f64::from(rows) / began.elapsed().as_secs_f64())
    }
}
