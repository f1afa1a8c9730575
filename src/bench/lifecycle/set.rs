//! A set: a stage, one or more Oboles over one store, and what a run on it came to.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use indicatif::ProgressBar;
use sqlx::{Connection as _, PgConnection, Row as _};

use super::books::{self, Books};
use super::payers::{Pace, Played, play};
use super::stage::{Node, Stage};
use crate::app::App;
use crate::app::operate::Office;
use crate::app::task::OPERATOR_LANE;
use crate::bench::meter::{Meter, Spent};
use crate::bench::number;
use crate::clock::Timestamp;
use crate::store::Location;

/// Town, bank, store and Oboles.
pub(crate) struct Set {
    pub(crate) stage: Stage,
    nodes: Vec<Node>,
    location: Location,
    office: Option<Office>,
}

/// What a run came to.
pub(crate) struct Run {
    pub(crate) played: Played,
    pub(crate) books: Books,
    pub(crate) spent: Spent,
    /// Writing transactions of all nodes.
    pub(crate) commits: u64,
    /// Bytes written: by this process on SQLite, into the server's log on PostgreSQL.
    pub(crate) bytes: f64,
}

/// How long the last effects may take after the last receipt.
const REST: Duration = Duration::from_secs(30);

impl Set {
    /// Opens a stage of so many payers, and starts so many Oboles over one store. Without an office nobody reconciles.
    pub(crate) async fn open(
        location: Location,
        nodes: usize,
        payers: usize,
        seed: u64,
        office: Option<Office>,
    ) -> anyhow::Result<Set> {
        let stage = Stage::open(payers, seed).await?;
        let mut set = Set { stage, nodes: Vec::with_capacity(nodes), location, office };
        for _ in 0..nodes.max(1) {
            set.start_node().await?;
        }
        set.stage.enrol(set.app()?, &set.stage.payers).await?;
        Ok(set)
    }

    /// One of the applications.
    pub(crate) fn app(&self) -> anyhow::Result<&App> {
        self.nodes.first().map(|node| node.app.as_ref()).context("no node runs")
    }

    /// Stops every Obole; the store stays.
    pub(crate) async fn stop_nodes(&mut self) {
        for node in self.nodes.drain(..) {
            node.stop().await;
        }
    }

    /// Starts one more Obole over the store.
    pub(crate) async fn start_node(&mut self) -> anyhow::Result<()> {
        self.nodes.push(self.stage.start(&self.location, self.office.clone()).await?);
        Ok(())
    }

    /// Connects an Obole over the store that does nothing by itself.
    pub(crate) async fn connect(&self) -> anyhow::Result<Arc<App>> {
        self.stage.connect(&self.location).await
    }

    /// Lets these payers make their orders, and compares the books.
    pub(crate) async fn run(&self, range: Range<usize>, pace: Pace, bar: &ProgressBar) -> anyhow::Result<Run> {
        let (commits, log) = (self.commits(), self.log_bytes().await?);
        let meter = Meter::read();
        let played = play(&self.stage, range, pace, bar).await?;
        self.come_to_rest().await?;
        let spent = meter.spent();
        let bytes = match (log, self.log_bytes().await?) {
            (Some(before), Some(after)) => after - before,
            _ => spent.written_bytes,
        };
        let commits = self.commits() - commits;
        let books = books::compare(&self.stage, self.app()?, &played).await?;
        Ok(Run { played, books, spent, commits, bytes })
    }

    fn commits(&self) -> u64 {
        self.nodes.iter().map(|node| node.app.store.commits()).sum()
    }

    /// Waits until no effect waits any more, those for an operator aside.
    pub(crate) async fn come_to_rest(&self) -> anyhow::Result<()> {
        let end = tokio::time::Instant::now() + REST;
        loop {
            let waiting = self.app()?.store.begin_reading().await?.pending_by_lane().await?;
            let waiting: i64 = waiting.iter().filter(|(lane, _)| lane != OPERATOR_LANE).map(|(_, waiting)| waiting).sum();
            if waiting == 0 {
                return Ok(());
            }
            ensure!(tokio::time::Instant::now() < end, "{waiting} effects still wait after {} s", REST.as_secs());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// How much a PostgreSQL has ever written into its log; other stores have none that tells.
    async fn log_bytes(&self) -> anyhow::Result<Option<f64>> {
        let Location::Postgres(url) = &self.location else { return Ok(None) };
        let mut connection = PgConnection::connect(url).await?;
        let position = "SELECT CAST(pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') AS DOUBLE PRECISION) AS bytes";
        let bytes = sqlx::query(position).fetch_one(&mut connection).await?.try_get("bytes")?;
        Ok(Some(bytes))
    }

    /// Stops the Oboles, then town and bank.
    pub(crate) async fn close(mut self) -> anyhow::Result<()> {
        self.stop_nodes().await;
        self.stage.close().await
    }
}

impl Run {
    /// How many orders were made.
    pub(crate) fn orders(&self) -> f64 {
        number(self.played.orders.len())
    }

    /// Settled orders a second.
    pub(crate) fn rate(&self) -> f64 {
        self.orders() / self.played.took.as_secs_f64()
    }

    /// Processor time for each, of this process: Obole, town, bank and payers.
    pub(crate) fn cpu_us(&self) -> f64 {
        self.spent.cpu_seconds * 1e6 / self.orders()
    }

    /// Writing transactions for each.
    pub(crate) fn commits_per_order(&self) -> f64 {
        number(usize::try_from(self.commits).unwrap_or(usize::MAX)) / self.orders()
    }

    /// Bytes written for each.
    pub(crate) fn bytes_per_order(&self) -> f64 {
        self.bytes / self.orders()
    }

    /// Milliseconds from the post to the message that asks, of every order, in their order.
    pub(crate) fn asked_ms(&self) -> Vec<f64> {
        sorted(self.played.orders.iter().map(|(_, times)| milliseconds(times.posted, times.asked)))
    }

    /// Milliseconds from the answer to the moment at which the bank took the payment.
    pub(crate) fn accepted_ms(&self) -> Vec<f64> {
        let orders = self.played.orders.iter();
        let taken = orders.filter_map(|(post, times)| Some((times.answered, self.books.taken.get(&post.to_string())?)));
        sorted(taken.map(|(answered, taken)| milliseconds(answered, *taken)))
    }

    /// Milliseconds from the post to the receipt.
    pub(crate) fn told_ms(&self) -> Vec<f64> {
        sorted(self.played.orders.iter().map(|(_, times)| milliseconds(times.posted, times.told)))
    }
}

fn milliseconds(from: Timestamp, until: Timestamp) -> f64 {
    until.duration_since(from).as_secs_f64() * 1e3
}

fn sorted(figures: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_unstable_by(f64::total_cmp);
    figures
}

/// The figure below which so many in a hundred lie, of sorted ones; not a number of none.
pub(crate) fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_figures() {
        let figures: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!((percentile(&figures, 50), percentile(&figures, 99), percentile(&figures, 100)), (100.0, 198.0, 200.0));
        assert_eq!(percentile(&[7.0], 99), 7.0);
        assert!(percentile(&[], 50).is_nan());
    }
}
