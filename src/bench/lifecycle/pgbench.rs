//! What the same PostgreSQL does for anybody: pgbench's simple-update transactions, eight clients at a time.
//!
//! The program itself where it is installed (`pgbench -N -c 8`); otherwise the same statements over eight connections of our own. A
//! transaction is an update of one account, a look at it, and a line of history
//! (<https://www.postgresql.org/docs/current/pgbench.html>, "simple-update").

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use futures_util::future::try_join_all;
use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio::process::Command;

/// Clients at a time.
const CLIENTS: u32 = 8;

/// pgbench's scale: a million accounts, so that two clients seldom meet.
const SCALE: u32 = 10;

/// Accounts at this scale.
const ACCOUNTS: i64 = 100_000 * SCALE as i64;

/// A database filled for it.
pub(crate) struct Pgbench {
    url: String,
    program: Option<PathBuf>,
}

impl Pgbench {
    /// Fills the database at `url`, which is its own.
    pub(crate) async fn fill(url: String) -> anyhow::Result<Self> {
        let program = find();
        match &program {
            Some(program) => {
                run(program, &["-i", "-q", "-s", &SCALE.to_string(), &url]).await?;
            }
            None => {
                let mut connection = PgConnection::connect(&url).await?;
                connection.execute(TABLES).await?;
                let fill = "INSERT INTO pgbench_accounts SELECT n, 1, 0, '' FROM generate_series(1, $1) AS n";
                sqlx::query(fill).bind(ACCOUNTS).execute(&mut connection).await?;
            }
        }
        Ok(Pgbench { url, program })
    }

    /// Which of the two it is.
    pub(crate) fn describe(&self) -> &'static str {
        if self.program.is_some() { "pgbench -N -c 8" } else { "pgbench's simple-update by eight connections of our own" }
    }

    /// Transactions a second, measured for about so long.
    pub(crate) async fn rate(&self, time: Duration) -> anyhow::Result<f64> {
        match &self.program {
            Some(program) => {
                let (clients, seconds) = (CLIENTS.to_string(), time.as_secs().max(1).to_string());
                let said = run(program, &["-N", "-n", "-c", &clients, "-j", "2", "-T", &seconds, &self.url]).await?;
                tps(&said).with_context(|| format!("pgbench tells no rate: {said}"))
            }
            None => self.by_hand(time).await,
        }
    }

    async fn by_hand(&self, time: Duration) -> anyhow::Result<f64> {
        let began = Instant::now();
        let client = |number: u32| async move {
            let mut connection = PgConnection::connect(&self.url).await?;
            let mut done = 0_u32;
            // A walk over the accounts in which no two clients are at the same one.
            let mut account = i64::from(number);
            while began.elapsed() < time {
                account = (account + 7_919 * i64::from(CLIENTS)) % ACCOUNTS;
                let mut tx = connection.begin().await?;
                let update = "UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = $1";
                sqlx::query(update).bind(account + 1).execute(&mut *tx).await?;
                let look = "SELECT abalance FROM pgbench_accounts WHERE aid = $1";
                sqlx::query(look).bind(account + 1).execute(&mut *tx).await?;
                let line = "INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (1, 1, $1, 1, CURRENT_TIMESTAMP)";
                sqlx::query(line).bind(account + 1).execute(&mut *tx).await?;
                tx.commit().await?;
                done += 1;
            }
            anyhow::Ok(done)
        };
        let done: u32 = try_join_all((0..CLIENTS).map(client)).await?.into_iter().sum();
        Ok(f64::from(done) / began.elapsed().as_secs_f64())
    }
}

const TABLES: &str = "
    CREATE TABLE pgbench_accounts (aid BIGINT PRIMARY KEY, bid BIGINT, abalance BIGINT, filler CHAR(84)) WITH (fillfactor = 100);
    CREATE TABLE pgbench_history (tid BIGINT, bid BIGINT, aid BIGINT, delta BIGINT, mtime TIMESTAMP, filler CHAR(22));";

/// The newest of the installed ones: Debian keeps most of them off the path.
fn find() -> Option<PathBuf> {
    let on_path = std::env::var_os("PATH").into_iter().flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let found = on_path.map(|directory| directory.join("pgbench")).find(|program| program.is_file());
    found.or_else(|| {
        let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
        let programs = versions.filter_map(|version| Some(version.ok()?.path().join("bin/pgbench")));
        programs.filter(|program| program.is_file()).max()
    })
}

async fn run(program: &PathBuf, words: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program).args(words).stdin(Stdio::null()).output().await.context("pgbench cannot be started")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("pgbench ended with {}: {}", output.status, said.lines().last().unwrap_or_default());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The number after `tps =`.
fn tps(said: &str) -> Option<f64> {
    said.lines().find_map(|line| line.trim().strip_prefix("tps ="))?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pgbench_says_is_read() {
        let said = "number of clients: 8\nlatency average = 1.4 ms\ntps = 5623.112233 (without initial connection time)\n";
        assert_eq!(tps(said), Some(5623.112233));
        assert_eq!(tps("pgbench: error"), None);
    }
}
