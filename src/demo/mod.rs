//! `obole demo`: many people enrol, post and answer, without a browser; then the bank's sum is compared with ours.
//!
//! Everybody acts over HTTP, as a person with an app would: signs up in the town and at the bank, consents, sends the enrolment
//! code, posts, reads the private message and answers it. Some say no, some are late, some post nonsense. What anybody does next
//! depends only on what the town, the bank and Obole remember; so the demo may be killed at any moment and started again on
//! the same `--data`, and goes on.

mod actor;
mod part;
mod table;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use futures_util::StreamExt as _;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::Mutex;

use crate::exit::ExitCode;
use crate::order::{Policy, Timing};
use crate::sandbox::listen;
use crate::sandbox::whole::{self, BankApi, Limits as TownLimits, Setup, Whole, Window};
use crate::telemetry::{self, LogArgs};
use crate::terminal::{asked_to_stop, complain, say_aside};
use actor::Actor;
use part::Part;
use table::Summary;

/// What the demo is started with.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// How many people post one order each
    #[arg(long, value_name = "N", default_value_t = 20)]
    orders: u32,
    /// Directory to keep everything in, and to go on from; without it a temporary one
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where Obole listens meanwhile; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "localhost:0")]
    listen: String,
    /// Where the sandbox town listens
    #[arg(long, value_name = "ADDR", default_value = "localhost:0")]
    town_listen: String,
    /// Where the sandbox bank listens
    #[arg(long, value_name = "ADDR", default_value = "localhost:0")]
    bank_listen: String,
    /// What the sandbox bank speaks
    #[arg(long, value_name = "API", value_enum, default_value_t)]
    bank_api: BankApi,
    /// How many people act at the same time
    #[arg(long, value_name = "N", default_value_t = 32)]
    at_once: usize,
    /// Print the result as one line of JSON, last
    #[arg(long)]
    json: bool,
}

/// The windows of the demo's town: wide enough that the town's quota is not what is being watched.
const WIDE: Window = Window { limit: 1_000_000, period_seconds: 300 };

/// The code's life in the demo, so that being late takes seconds.
const CONFIRMATION: Duration = Duration::from_secs(12);

/// How long somebody without a channel is waited for.
const PAYER_WAIT: Duration = Duration::from_secs(12);

/// How long an unknown outcome is asked about before an operator would be called.
const LOOK_UP_HORIZON: Duration = Duration::from_secs(20);

/// The most time that may pass after the last person acted until nothing is left to do.
const SETTLING: Duration = Duration::from_secs(120);

/// Runs the demo. The code says whether the sums are equal.
pub async fn demo(args: DemoArgs, log: &LogArgs) -> ExitCode {
    telemetry::init_quiet(log);
    match run(&args).await {
        Ok(summary) if summary.is_equal() => ExitCode::Ok,
        Ok(_) => ExitCode::Difference,
        Err(error) => complain(&error, ExitCode::of(&error)),
    }
}

async fn run(args: &DemoArgs) -> anyhow::Result<Summary> {
    let temporary = if args.data.is_none() { Some(temporary_directory()?) } else { None };
    let data = args.data.clone().or_else(|| temporary.clone()).context("no data directory")?;
    let result = tokio::select! {
        result = play(args, data) => result,
        () = asked_to_stop() => Err(anyhow::anyhow!("stopped; start it again with the same --data to go on")),
    };
    if let Some(directory) = temporary {
        // Left behind at worst; the system clears its temporary files.
        let _ = std::fs::remove_dir_all(directory);
    }
    result
}

async fn play(args: &DemoArgs, data: PathBuf) -> anyhow::Result<Summary> {
    let began = Instant::now();
    let listeners = listen::listen(&args.listen).context("the demo did not start")?;
    let public_url = listen::url_of(&listeners)?;
    let timing = Timing {
        confirmation: CONFIRMATION,
        payer_wait: PAYER_WAIT,
        ask_first: Duration::from_millis(250),
        ask_at_most: Duration::from_secs(2),
        look_up_horizon: LOOK_UP_HORIZON,
        ..Timing::default()
    };
    let town_limits = TownLimits { statuses: WIDE, requests: WIDE };
    let setup = Setup {
        data,
        town_listen: args.town_listen.clone(),
        bank_listen: args.bank_listen.clone(),
        bank_api: args.bank_api,
        public_url: public_url.clone(),
        town_limits,
        policy: Policy { timing, ..Policy::default() },
    };
    let whole = whole::start(&setup).await?;
    whole.open_pages(listeners);
    announce(args, &setup);
    let explained = everybody_acts(args, &whole, &public_url).await?;
    come_to_rest(&whole).await?;
    let summary = table::sum_up(&whole, args.orders, explained, began.elapsed()).await?;
    summary.print(args.json);
    whole.stop().await?;
    Ok(summary)
}

fn announce(args: &DemoArgs, setup: &Setup) {
    say_aside(&format!(
        "Demo: {} people, at most {} at once; data in {}\n\
         Quota windows widened for the demo: the town lets one account send {} statuses in {} s, and says so in its headers\n\
         Expiries shortened for the demo: a code lives {} s, a stranger is waited for {} s, an unknown outcome is asked about for {} s",
        args.orders,
        args.at_once,
        setup.data.display(),
        setup.town_limits.statuses.limit,
        setup.town_limits.statuses.period_seconds,
        setup.policy.timing.confirmation.as_secs(),
        setup.policy.timing.payer_wait.as_secs(),
        setup.policy.timing.look_up_horizon.as_secs(),
    ));
}

/// Lets everybody act, and gives how many posts were answered without becoming an order.
async fn everybody_acts(args: &DemoArgs, whole: &Whole, public_url: &str) -> anyhow::Result<u32> {
    let bar = ProgressBar::new(args.orders.into());
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} people done, {elapsed} so far, about {eta} to go")?;
    bar.set_style(style);
    let failures: Arc<Mutex<Vec<anyhow::Error>>> = Arc::default();
    let mut explained = 0;
    let mut acting = futures_util::stream::iter(0..args.orders)
        .map(|number| {
            let (whole, failures, bar) = (whole, failures.clone(), bar.clone());
            async move {
                let part = Part::of(number);
                let ended = Actor::new(whole, public_url, number, part).act().await;
                bar.inc(1);
                match ended {
                    Ok(made_an_order) => !made_an_order,
                    Err(error) => {
                        failures.lock().await.push(error.context(format!("person {number} ({part:?})")));
                        false
                    }
                }
            }
        })
        .buffer_unordered(args.at_once.max(1));
    while let Some(was_explained) = acting.next().await {
        explained += u32::from(was_explained);
    }
    drop(acting);
    bar.finish_and_clear();
    let mut failures = failures.lock().await;
    let count = failures.len();
    match failures.pop() {
        None => Ok(explained),
        Some(last) => Err(last.context(format!("{count} of {} people could not do their part; the last", args.orders))),
    }
}

/// Waits until no effect waits and no order is open.
async fn come_to_rest(whole: &Whole) -> anyhow::Result<()> {
    let end = Instant::now() + SETTLING;
    loop {
        let (effects, orders) = whole.app.unfinished().await?;
        if effects == 0 && orders == 0 {
            return Ok(());
        }
        anyhow::ensure!(
            Instant::now() < end,
            "after {} s, {effects} effects and {orders} orders are still open",
            SETTLING.as_secs()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn temporary_directory() -> anyhow::Result<PathBuf> {
    let name = crate::ids::hex(&crate::entropy::random_bytes::<8>(&crate::entropy::SystemEntropy));
    let directory = std::env::temp_dir().join(format!("obole-demo-{name}"));
    std::fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
    Ok(directory)
}
