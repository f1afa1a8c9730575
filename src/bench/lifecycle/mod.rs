//! `obole bench lifecycle`: what an order costs from the post to the receipt, and how many are settled in a second.
//!
//! Everything is the product's own: adapters over HTTP, ledger, lanes, store. Town and bank are in this process and answer over HTTP on
//! loopback; scripted payers post, confirm and read their receipts. Beside it stands what the same database on the same disk does in the
//! same run: a bare commit of one row; on SQLite the naive way of settling (one order at a time, a commit for every step), on PostgreSQL
//! pgbench. The targets are ratios to those, since the machine's own speed says nothing.

pub(super) mod alone;
mod books;
pub(super) mod floor;
pub(super) mod ground;
mod naive;
pub(super) mod payers;
mod pgbench;
pub(super) mod set;
pub(super) mod stage;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use clap::Args;
use indicatif::ProgressBar;

use super::report::{Figures, Report, Target};
use super::{Asked, number, progress};
use crate::app::operate::Office;
use alone::STEPS;
use books::Books;
use floor::Floor;
use ground::{Ground, Kind};
use naive::Naive;
use payers::Pace;
use pgbench::Pgbench;
use set::{Run, Set, percentile};

/// What the lifecycle bench is asked.
#[derive(Debug, Clone, Args)]
pub struct LifecycleArgs {
    #[command(flatten)]
    pub(super) asked: Asked,
    /// Which database
    #[arg(long, value_name = "KIND", default_value = "sqlite")]
    store: Kind,
    /// A PostgreSQL server; databases of its own are made there and dropped afterwards
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// How many orders are settled at full speed; as many more at half of it, and a few alone
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    orders: usize,
    /// How many orders are under way at the same time
    #[arg(long, value_name = "N", default_value_t = 1024)]
    in_flight: usize,
    /// How many Oboles share the database: 1, or 3 beside one alone (PostgreSQL only)
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=9))]
    nodes: u8,
    /// Where SQLite files are made; without it a directory under target, gone afterwards
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// P4: settled orders for each that the naive way settles in the same time.
const OVER_NAIVE: f64 = 5.0;

/// P4: microseconds of processor time an order may take, both sides.
const CPU_US: f64 = 400.0;

/// P5: settled orders for each transaction of pgbench.
const OVER_PGBENCH: f64 = 0.3;

/// P6: what group commit may add to a step of an order alone, in milliseconds.
const ADDED_MS: f64 = 2.0;

/// P6: from a post to the message that asks, at half the rate, for 99 of 100 orders, in milliseconds.
const ASKED_MS: f64 = 250.0;

/// P8: what several nodes settle, of what one does.
const OF_ONE_NODE: f64 = 0.85;

/// How long a reference is measured each time; it is measured before and after.
const REFERENCE: Duration = Duration::from_millis(1_500);

/// The same for a quick try of fewer orders than [`QUICK`].
const QUICK_REFERENCE: Duration = Duration::from_millis(200);

/// So few orders are a try whether it works.
const QUICK: usize = 1_000;

/// The longest that orders come at half the rate.
const HALF_SECONDS: f64 = 5.0;

/// Orders that are taken through their steps alone.
const ALONE: usize = 200;

/// Payers of the naive rig.
const NAIVE: usize = 100;

/// Measures.
pub(super) async fn measure(args: &LifecycleArgs) -> anyhow::Result<Report> {
    ensure!(args.orders > 0 && args.in_flight > 0, "there is nothing to measure: --orders and --in-flight are at least 1");
    ensure!(args.nodes == 1 || args.store == Kind::Postgres, "a SQLite database serves one Obole; --nodes needs --store postgres");
    let mut ground = Ground::open(args.store, args.url.as_deref(), args.data.as_deref())?;
    let report = if args.nodes == 1 { one_node(args, &mut ground).await } else { several_nodes(args, &mut ground).await };
    ground.close().await?;
    report
}

/// What the run is measured beside, measured before and after it.
struct Reference {
    floor: Floor,
    pgbench: Option<Pgbench>,
    time: Duration,
    commits: Vec<f64>,
    other: Vec<f64>,
}

impl Reference {
    async fn open(args: &LifecycleArgs, ground: &mut Ground) -> anyhow::Result<Self> {
        let floor = Floor::open(&ground.store("floor").await?).await?;
        let pgbench = match ground.store("pgbench").await? {
            crate::store::Location::Postgres(url) => Some(Pgbench::fill(url).await?),
            _ => None,
        };
        let time = if args.orders < QUICK { QUICK_REFERENCE } else { REFERENCE };
        Ok(Reference { floor, pgbench, time, commits: Vec::new(), other: Vec::new() })
    }

    /// Measures once more; a set for the naive rig, whose payers are from number `first` on.
    async fn take(&mut self, ground: &mut Ground, set: &Set, first: usize) -> anyhow::Result<()> {
        self.commits.push(self.floor.rate(self.time).await?);
        self.other.push(match &self.pgbench {
            Some(pgbench) => pgbench.rate(self.time).await?,
            None => {
                let mut naive = Naive::open(&ground.store("naive").await?, &set.stage, set.app()?).await?;
                naive.rate(first, self.time).await?
            }
        });
        Ok(())
    }

    fn describe(&self) -> &'static str {
        self.pgbench.as_ref().map_or("the naive way: one order at a time, a commit for every step", Pgbench::describe)
    }

    fn figures(&self) -> Figures {
        let rows = vec![("durable commits of one row".to_owned(), &self.commits), (self.describe().to_owned(), &self.other)];
        let row = |(name, rates): (String, &Vec<f64>)| {
            let edge = |pick: fn(f64, f64) -> f64, start| rates.iter().copied().fold(start, pick);
            (name, vec![mean(rates), edge(f64::min, f64::INFINITY), edge(f64::max, 0.0)])
        };
        Figures { of: "reference", headings: vec!["per second", "least", "most"], rows: rows.into_iter().map(row).collect() }
    }
}

async fn one_node(args: &LifecycleArgs, ground: &mut Ground) -> anyhow::Result<Report> {
    let bar = progress(args.orders)?;
    bar.set_message("orders: setting up");
    let mut reference = Reference::open(args, ground).await?;
    let (warm, alone) = ((args.orders / 10).clamp(1, 1_000), ALONE.min(args.orders));
    let (main, half) = (warm..warm + args.orders, warm + args.orders..warm + 2 * args.orders);
    let (alone, naive) = (half.end..half.end + alone, half.end + alone);
    let set = Set::open(ground.store("orders").await?, 1, naive + NAIVE, args.asked.seed, Some(Office::default())).await?;

    set.run(0..warm, Pace::InFlight(args.in_flight), &ProgressBar::hidden()).await?;
    bar.set_message("orders: the reference");
    reference.take(ground, &set, naive).await?;
    bar.set_message("orders at full speed");
    let full = set.run(main, Pace::InFlight(args.in_flight), &bar).await?;
    bar.set_message("orders: the reference again");
    reference.take(ground, &set, naive).await?;

    bar.set_message("orders: at half the rate, and alone");
    let at_half = full.rate() / 2.0;
    let so_many = whole(at_half * HALF_SECONDS).clamp(1, args.orders);
    let halved = set.run(half.start..half.start + so_many, Pace::PerSecond(at_half), &ProgressBar::hidden()).await?;
    let app = set.stage.connect(&ground.store("alone").await?).await?;
    let payers = set.stage.payers.get(alone).unwrap_or_default();
    set.stage.enrol(&app, payers).await?;
    let alone = alone::measure(app.clone(), &set.stage, payers, &mut reference.floor).await?;
    app.store.close().await;
    set.close().await?;
    bar.finish_and_clear();

    let target = match &reference.pgbench {
        None => {
            Target::at_least("P4", "settled orders per order of the naive way", full.rate() / mean(&reference.other), OVER_NAIVE)
        }
        Some(_) => {
            Target::at_least("P5", "settled orders per pgbench transaction", full.rate() / mean(&reference.other), OVER_PGBENCH)
        }
    };
    let asked = percentile(&halved.asked_ms(), 99);
    let mut targets = vec![
        target,
        Target::at_most("P4", "CPU us per order, town, bank and payers included", full.cpu_us(), CPU_US),
        Target::at_most("P6", "what the slowest step alone takes beyond a bare commit, ms", alone.added_ms(), ADDED_MS),
        Target::at_most("P6", "p99 from post to message at half the rate, ms", asked, ASKED_MS),
    ];
    let mut steps = vec![("a bare commit".to_owned(), vec![alone.bare_ms])];
    steps.extend(STEPS.iter().zip(alone.steps_ms).map(|(step, ms)| ((*step).to_owned(), vec![ms])));
    let mut figures = vec![
        lifecycle_figures([("full speed".to_owned(), &full), ("half the rate".to_owned(), &halved)]),
        reference.figures(),
        delay_figures([("full speed", &full), ("half the rate", &halved)]),
        Figures { of: "one order alone", headings: vec!["median ms"], rows: steps },
    ];
    let mut books = full.books;
    books.add(halved.books);
    add_books(&books, &mut figures, &mut targets);
    Ok(Report { about: about(args, ground, "one Obole"), figures, targets })
}

async fn several_nodes(args: &LifecycleArgs, ground: &mut Ground) -> anyhow::Result<Report> {
    let bar = progress(args.orders * 3)?;
    let mut runs = Vec::new();
    let mut books = Books::default();
    // One node before and after, so that what else the machine does cannot favour either.
    for nodes in [1, usize::from(args.nodes), 1] {
        bar.set_message(format!("orders, {nodes} nodes"));
        let warm = (args.orders / 10).clamp(1, 1_000);
        let set =
            Set::open(ground.store("nodes").await?, nodes, warm + args.orders, args.asked.seed, Some(Office::default())).await?;
        set.run(0..warm, Pace::InFlight(args.in_flight), &ProgressBar::hidden()).await?;
        let mut run = set.run(warm..warm + args.orders, Pace::InFlight(args.in_flight), &bar).await?;
        set.close().await?;
        books.add(std::mem::take(&mut run.books));
        runs.push((nodes, run));
    }
    bar.finish_and_clear();
    let rates =
        |alone: bool| runs.iter().filter(|(nodes, _)| (*nodes == 1) == alone).map(|(_, run)| run.rate()).collect::<Vec<_>>();
    let share = mean(&rates(false)) / mean(&rates(true));
    let mut targets =
        vec![Target::at_least("P8", format!("{} nodes: settled orders per order of one node", args.nodes), share, OF_ONE_NODE)];
    let named = runs.iter().enumerate().map(|(place, (nodes, run))| (format!("{nodes} nodes, run {}", place + 1), run));
    let mut figures = vec![lifecycle_figures(named)];
    add_books(&books, &mut figures, &mut targets);
    let who = format!("{} Oboles in this process, each with its own connections, streams and leases, beside one alone", args.nodes);
    Ok(Report { about: about(args, ground, &who), figures, targets })
}

fn about(args: &LifecycleArgs, ground: &Ground, who: &str) -> String {
    format!(
        "{} orders (seed {}), {} in flight, on {}: {who}; town and bank in this process over HTTP on loopback, their windows and rates as \
         wide as can be, so that they are not what is measured. Bytes are those of {}.",
        args.orders,
        args.asked.seed,
        args.in_flight,
        ground.describe(),
        match args.store {
            Kind::Sqlite => "this process to the disk",
            Kind::Postgres => "the server's write-ahead log; CPU is this process's, without the server",
        },
    )
}

fn lifecycle_figures<'a>(runs: impl IntoIterator<Item = (String, &'a Run)>) -> Figures {
    let headings = vec!["orders per second", "CPU us per order", "commits per order", "bytes per order"];
    let row = |(name, run): (String, &Run)| (name, vec![run.rate(), run.cpu_us(), run.commits_per_order(), run.bytes_per_order()]);
    Figures { of: "lifecycle", headings, rows: runs.into_iter().map(row).collect() }
}

fn delay_figures(runs: [(&str, &Run); 2]) -> Figures {
    let mut rows = Vec::new();
    for (name, run) in runs {
        let delays = [
            ("post to message", run.asked_ms()),
            ("answer to bank accepted", run.accepted_ms()),
            ("post to receipt, the answer included", run.told_ms()),
        ];
        rows.extend(delays.map(|(what, ms)| {
            let figures = [50, 99, 100].map(|percent| percentile(&ms, percent)).to_vec();
            (format!("{what}, {name}"), figures)
        }));
    }
    Figures { of: "milliseconds", headings: vec!["p50", "p99", "longest"], rows }
}

fn add_books(books: &Books, figures: &mut Vec<Figures>, targets: &mut Vec<Target>) {
    let headings = vec!["settled orders", "settled cents", "cents at the bank", "doubled", "lost"];
    let minor = |minor: i64| number(usize::try_from(minor).unwrap_or_default());
    let row = vec![
        number(books.settled),
        minor(books.settled_minor),
        minor(books.at_bank_minor),
        number(books.doubled),
        number(books.lost),
    ];
    let wrong = if books.are_equal() { 0.0 } else { number(books.doubled + books.lost).max(1.0) };
    figures.push(Figures { of: "the bank's books", headings, rows: vec![("every run".to_owned(), row)] });
    targets.push(Target::at_most("P8", "orders doubled or lost, or sums that differ", wrong, 0.0));
}

fn mean(figures: &[f64]) -> f64 {
    figures.iter().sum::<f64>() / number(figures.len())
}

/// A figure as a count.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "orders in some seconds; a float converts to the nearest count"
)]
fn whole(figure: f64) -> usize {
    figure as usize
}
