//! `obole bench growth`: whether an order costs more when a million others are in the store, and whether memory grows with what waits.
//!
//! The same orders are lived through twice, over a store of few orders and over one of many (`filling` says where those come from), at
//! full speed and one alone. What an order costs is told as processor time of everything in this process, and as the time of its four
//! decisions beyond bare commits, which is the store's statements and deciding. Then as many orders as there are wait for their payers'
//! answer, an Obole is started over them, and what it needs until it is ready, and at most, is looked at. Town and bank are in this
//! process, so its memory is more than Obole's alone.

mod filling;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::Args;
use indicatif::ProgressBar;

use super::lifecycle::alone;
use super::lifecycle::floor::Floor;
use super::lifecycle::ground::{Ground, Kind};
use super::lifecycle::payers::Pace;
use super::lifecycle::set::{Run, Set};
use super::report::{Figures, Report, Target};
use super::{Asked, memory, number, progress};
use crate::clock::{Clock as _, SystemClock};
use crate::ids::{OrderId, PlatformName};
use crate::platform::fake::Draft;
use crate::sandbox::whole::TOWN;
use filling::Template;

/// What the growth bench is asked.
#[derive(Debug, Clone, Args)]
pub struct GrowthArgs {
    #[command(flatten)]
    pub(super) asked: Asked,
    /// How many orders the store holds in the end; and as many more that wait for an answer
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    orders: u32,
    /// How many it holds at first, and how many wait when the start is measured
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    from: u32,
    /// How many orders are lived through each time
    #[arg(long, value_name = "N", default_value_t = 3_000)]
    lived: usize,
    /// Which database
    #[arg(long, value_name = "KIND", default_value = "sqlite")]
    store: Kind,
    /// A PostgreSQL server; databases of its own are made there and dropped afterwards
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Where SQLite files are made (about 8 GB for a million orders); without it a directory under target, gone afterwards
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// P7: what an order may cost among many, of what it costs among few.
const OF_FEW: f64 = 1.3;

/// P7: the most memory, in megabytes.
const MEGABYTES: f64 = 200.0;

/// P7: from the start until it is ready, in milliseconds.
const READY_MS: f64 = 2_000.0;

/// How many orders are under way at the same time.
const IN_FLIGHT: usize = 256;

/// Orders that are taken through their steps alone, each time.
const ALONE: usize = 200;

/// Where the numbers of copies that wait begin; settled ones begin at 5.
const WAITING: i64 = 1_000_000_000;

/// How long the first question may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Measures.
pub(super) async fn measure(args: &GrowthArgs) -> anyhow::Result<Report> {
    ensure!(args.lived > 0 && args.from > 0, "there is nothing to measure: --lived and --from are at least 1");
    ensure!(args.orders >= args.from, "--orders is at least --from ({})", args.from);
    let mut ground = Ground::open(args.store, args.url.as_deref(), args.data.as_deref())?;
    let report = grow(args, &mut ground).await;
    ground.close().await?;
    report
}

/// What orders cost over a store of some size.
struct Cost {
    run: Run,
    decisions_ms: f64,
}

async fn grow(args: &GrowthArgs, ground: &mut Ground) -> anyhow::Result<Report> {
    let bar = progress(2 * usize::try_from(args.orders)?)?;
    let filled = |so_many: i64| bar.inc(u64::try_from(so_many).unwrap_or_default());
    let location = ground.store("orders").await?;
    let mut floor = Floor::open(&ground.store("floor").await?).await?;
    // Two are lived to be copied, the others to be measured, after some that warm up.
    let warm = (args.lived / 10).clamp(1, 500);
    let each = warm + args.lived + ALONE.min(args.lived);
    // Nobody reconciles: the copies are not in the bank's books.
    let mut set = Set::open(location, 1, 2 + 3 * each, args.asked.seed, None).await?;
    let settled = Template { order: live(&set).await?, first: 5 };
    let waiting = Template { order: ask(&set).await?, first: WAITING };
    let (few, many) = (i64::from(args.from), i64::from(args.orders));

    bar.set_message("orders: filling");
    settled.copy(&set.app()?.store, 0, few, filled).await?;
    filling::settle(&set.app()?.store).await?;
    bar.set_message("orders: living among few");
    let among_few = cost(&mut set, 2, warm, args.lived, &mut floor).await?;
    bar.set_message("orders: filling");
    waiting.copy(&set.app()?.store, 0, few, filled).await?;
    filling::settle(&set.app()?.store).await?;
    let ready_ms = restart(&mut set).await?;
    bar.set_message("orders: filling");
    settled.copy(&set.app()?.store, few, many, filled).await?;
    filling::settle(&set.app()?.store).await?;
    bar.set_message("orders: living among many");
    let among_many = cost(&mut set, 2 + each, warm, args.lived, &mut floor).await?;
    bar.set_message("orders: filling");
    waiting.copy(&set.app()?.store, few, many, filled).await?;
    filling::settle(&set.app()?.store).await?;
    bar.set_message("orders: starting over those that wait");
    // The filling is no part of what is looked at.
    memory::forget_peak();
    let late_ready_ms = restart(&mut set).await?;
    let waited = set.run(2 + 2 * each..2 + 2 * each + args.lived, Pace::InFlight(IN_FLIGHT), &ProgressBar::hidden()).await?;
    let peak = memory::peak_bytes().map_or(f64::NAN, |bytes| number(usize::try_from(bytes).unwrap_or_default()) / 1e6);
    set.close().await?;
    bar.finish_and_clear();

    let costs = |cost: &Cost| vec![cost.run.cpu_us(), cost.decisions_ms * 1e3, cost.run.rate(), cost.run.bytes_per_order()];
    let cpu = among_many.run.cpu_us() / among_few.run.cpu_us();
    let decisions = among_many.decisions_ms / among_few.decisions_ms;
    let targets = vec![
        Target::at_most("P7", "CPU of an order among many over among few", cpu, OF_FEW),
        Target::at_most("P7", "time of an order's decisions alone, among many over among few", decisions, OF_FEW),
        Target::at_most("P7", format!("MB at most with {many} orders that wait, town and bank included"), peak, MEGABYTES),
        Target::at_most("P7", format!("ms from start to ready with {few} orders that wait"), ready_ms, READY_MS),
    ];
    let figures = vec![
        Figures {
            of: "orders in the store",
            headings: vec!["CPU us per order", "us of decisions alone", "orders per second", "bytes per order"],
            rows: vec![
                (format!("{few} settled"), costs(&among_few)),
                (format!("{many} settled, {few} waiting"), costs(&among_many)),
                (
                    format!("{many} settled, {many} waiting"),
                    vec![waited.cpu_us(), f64::NAN, waited.rate(), waited.bytes_per_order()],
                ),
            ],
        },
        Figures {
            of: "start over orders that wait",
            headings: vec!["ms until ready", "MB at most"],
            rows: vec![
                (format!("{few} waiting"), vec![ready_ms, f64::NAN]),
                (format!("{many} waiting"), vec![late_ready_ms, peak]),
            ],
        },
    ];
    let about = format!(
        "{} orders (seed {}) lived through each time, {IN_FLIGHT} in flight, on {}; the others are copies of one that was lived through",
        args.lived,
        args.asked.seed,
        ground.describe()
    );
    Ok(Report { about, figures, targets })
}

/// Lives an order through to its receipt.
async fn live(set: &Set) -> anyhow::Result<OrderId> {
    let run = set.run(0..1, Pace::InFlight(1), &ProgressBar::hidden()).await?;
    let (post, _) = run.played.orders.first().context("the first order was not settled")?;
    order_of(set, &post.to_string()).await?.context("the first order is not in the store")
}

/// Has an order asked about that nobody answers.
async fn ask(set: &Set) -> anyhow::Result<OrderId> {
    let payer = set.stage.payers.get(1).context("there is no second payer")?;
    let draft = Draft { text: payer.words(), ..Draft::default() };
    let post = set.stage.town.post(payer.id, draft, SystemClock.now())?.id.to_string();
    let end = Instant::now() + PATIENCE;
    let order = loop {
        if let Some(order) = order_of(set, &post).await? {
            break order;
        }
        ensure!(Instant::now() < end, "a post did not become an order in {} s", PATIENCE.as_secs());
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    set.come_to_rest().await?;
    Ok(order)
}

async fn order_of(set: &Set, post: &str) -> anyhow::Result<Option<OrderId>> {
    Ok(set.app()?.order_of_post(&PlatformName::from(TOWN), post).await?.map(|order| order.id))
}

/// Lives orders through over the store as it is: some alone, with nothing else going on, then many at a time.
async fn cost(set: &mut Set, first: usize, warm: usize, lived: usize, floor: &mut Floor) -> anyhow::Result<Cost> {
    set.stop_nodes().await;
    let app = set.connect().await?;
    let alone_from = first + warm + lived;
    let payers = set.stage.payers.get(alone_from..alone_from + ALONE.min(lived)).context("there are too few payers")?;
    let alone = alone::measure(app.clone(), &set.stage, payers, floor).await?;
    app.store.close().await;
    drop(app);
    set.start_node().await?;
    set.run(first..first + warm, Pace::InFlight(IN_FLIGHT), &ProgressBar::hidden()).await?;
    let run = set.run(first + warm..alone_from, Pace::InFlight(IN_FLIGHT), &ProgressBar::hidden()).await?;
    ensure!(run.books.are_equal(), "the bank's books and ours differ");
    let decisions_ms = alone.steps_ms.iter().map(|step| step - alone.bare_ms).sum();
    Ok(Cost { run, decisions_ms })
}

/// Stops what runs and starts anew: what a restart takes until ledger, lanes and stream are there.
async fn restart(set: &mut Set) -> anyhow::Result<f64> {
    set.stop_nodes().await;
    let began = Instant::now();
    set.start_node().await?;
    Ok(began.elapsed().as_secs_f64() * 1e3)
}
