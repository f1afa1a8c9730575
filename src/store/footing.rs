//! Whether the database keeps what it says it has kept. A production start on a database that does not is refused: what a power cut
//! undoes could be paid a second time.
//!
//! SQLite: `synchronous` FULL or EXTRA, since with less the last commits may be lost when the power is (<https://sqlite.org/pragma.html#pragma_synchronous>).
//! PostgreSQL: `fsync` on, commits synchronous in our own sessions, and a primary, since a standby can be behind
//! (<https://www.postgresql.org/docs/current/runtime-config-wal.html>).

use super::engine::{Engine, Pools, args, sql};
use super::{Store, StoreError};
use crate::clock::Timestamp;

/// Refuses a database that may forget.
pub(super) async fn check(engine: &Engine) -> Result<(), StoreError> {
    let mut tx = engine.begin_reading().await?;
    let weakness = match &engine.pools {
        Pools::Sqlite { .. } => {
            let rows = tx.rows(sql!("SELECT synchronous AS level FROM pragma_synchronous"), args![]).await?;
            weakness_of_sqlite(rows.first().map_or(Ok(0), |row| row.int("level"))?)
        }
        Pools::Postgres(_) => {
            let settings = sql!(
                "SELECT current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS synchronous_commit,
                        CASE WHEN pg_is_in_recovery() THEN 'on' ELSE 'off' END AS standby"
            );
            let rows = tx.rows(settings, args![]).await?;
            match rows.first() {
                Some(row) => weakness_of_postgres(&row.text("fsync")?, &row.text("synchronous_commit")?, &row.text("standby")?),
                None => Some("it does not tell its settings"),
            }
        }
    };
    match weakness {
        None => Ok(()),
        Some(why) => Err(StoreError::WrongGround(format!("this database is not safe for money: {why}"))),
    }
}

/// `level` is what `PRAGMA synchronous` tells: 0 OFF, 1 NORMAL, 2 FULL, 3 EXTRA.
fn weakness_of_sqlite(level: i64) -> Option<&'static str> {
    (level < 2).then_some("SQLite's `synchronous` is below FULL, so a power cut can undo a commit")
}

/// The three are `on`, `off` or, for commits, one of PostgreSQL's levels.
fn weakness_of_postgres(fsync: &str, synchronous_commit: &str, standby: &str) -> Option<&'static str> {
    if fsync == "off" {
        Some("`fsync` is off, so a crash can undo a commit; switch it on in postgresql.conf")
    } else if matches!(synchronous_commit, "off" | "local") {
        Some("`synchronous_commit` is below on, so a crash can undo a commit")
    } else if standby == "on" {
        Some("it is a standby, which can be behind; give the primary's address")
    } else {
        None
    }
}

/// The row of `settings` that holds the latest moment seen.
const TIME_MARK: &str = "latest_time";

impl Store {
    /// By how much the database's clock is ahead of `now`, in milliseconds; negative if it is behind. `None`: it has no clock of its
    /// own (SQLite). Nodes that share a database are only as right about leases and expiries as their clocks agree.
    pub async fn clock_ahead_ms(&self, now: Timestamp) -> Result<Option<i64>, StoreError> {
        if matches!(self.engine.pools, Pools::Sqlite { .. }) {
            return Ok(None);
        }
        let statement = sql!("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) AS at");
        let rows = self.begin_reading().await?.rows(statement, args![]).await?;
        let at = rows.first().map_or(Ok(0), |row| row.int("at"))?;
        Ok(Some(at - now.as_millisecond()))
    }

    /// Writes down that it has been `now`. The mark never goes back.
    pub async fn mark_time(&self, now: Timestamp) -> Result<(), StoreError> {
        let statement = sql!(
            "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value
             WHERE CAST(settings.value AS BIGINT) < CAST(excluded.value AS BIGINT)"
        );
        let mut tx = self.begin().await?;
        tx.run(statement, args![TIME_MARK, now.as_microsecond().to_string()]).await?;
        tx.commit().await
    }

    /// The latest moment that this store has seen, over all processes that used it.
    pub async fn latest_time(&self) -> Result<Option<Timestamp>, StoreError> {
        let statement = sql!("SELECT CAST(value AS BIGINT) AS at FROM settings WHERE name = $1");
        let rows = self.begin_reading().await?.rows(statement, args![TIME_MARK]).await?;
        let at = rows.first().map(|row| row.int("at")).transpose()?;
        Ok(at.and_then(|micros| Timestamp::from_microsecond(micros).ok()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_may_forget_is_refused_with_what_is_wrong() {
        assert_eq!((weakness_of_sqlite(2), weakness_of_sqlite(3)), (None, None));
        assert!(weakness_of_sqlite(1).is_some_and(|why| why.contains("FULL")));
        assert_eq!(weakness_of_postgres("on", "on", "off"), None);
        assert_eq!(weakness_of_postgres("on", "remote_apply", "off"), None);
        assert!(weakness_of_postgres("off", "on", "off").is_some_and(|why| why.contains("fsync")));
        assert!(weakness_of_postgres("on", "off", "off").is_some_and(|why| why.contains("synchronous_commit")));
        assert!(weakness_of_postgres("on", "on", "on").is_some_and(|why| why.contains("standby")));
    }
}
