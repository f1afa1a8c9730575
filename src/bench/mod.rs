//! `obole bench`: what the program costs, beside what the machine could do at best, measured in the same run.
//!
//! A time alone says little on a machine that others use too. Each bench therefore prints its figure, a *floor* (the least work that could
//! answer the same question) and their ratio, and where it can, counts instructions instead of seconds. Targets stand beside the figures
//! with `ok` or `over`; only `--check` makes a missed one an exit code.
//!
//! Shared by the benches: what every one of them is asked ([`Asked`]), the figures with their targets ([`report`]), the progress bar, and
//! the process's time, processor time and bytes ([`meter`]) and peak memory ([`memory`]).

mod callgrind;
pub mod growth;
pub mod intake;
pub mod language;
pub mod lifecycle;
pub mod memory;
pub mod meter;
pub mod report;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use crate::exit::ExitCode;
use crate::telemetry::{self, LogArgs};
use crate::terminal::complain;
use report::Report;

/// Which part of the program is measured.
#[derive(Debug, Clone, Args)]
pub struct BenchArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Clone, Subcommand)]
enum What {
    /// Reading posts: what chatter and orders cost, and whether hostile posts cost more than their length
    Language(language::LanguageArgs),
    /// Dropping frames of a public stream that do not concern us, before they are decoded
    Intake(intake::IntakeArgs),
    /// Settling orders: how many a second, what each costs, and whether the bank's books agree
    Lifecycle(lifecycle::LifecycleArgs),
    /// Whether an order costs more among a million others, and what it takes to start over them
    Growth(growth::GrowthArgs),
}

/// What every bench is asked.
#[derive(Debug, Clone, Args)]
pub struct Asked {
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
    /// End with 1 if a target is missed
    #[arg(long)]
    check: bool,
    /// Where the made-up data starts from; the same seed gives the same data
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// Runs a bench. The code is 1 only for `--check` and a missed target.
pub async fn bench(args: BenchArgs, log: &LogArgs) -> ExitCode {
    telemetry::init_quiet(log);
    let (asked, result) = match args.what {
        What::Language(args) => (args.asked.clone(), language::measure(&args)),
        What::Intake(args) => (args.asked.clone(), intake::measure(&args)),
        What::Lifecycle(args) => (args.asked.clone(), lifecycle::measure(&args).await.map(Some)),
        What::Growth(args) => (args.asked.clone(), growth::measure(&args).await.map(Some)),
    };
    match result {
        Ok(Some(report)) => conclude(&report, &asked),
        Ok(None) => ExitCode::Ok,
        Err(error) => complain(&error, ExitCode::of(&error)),
    }
}

fn conclude(report: &Report, asked: &Asked) -> ExitCode {
    report.print(asked.json);
    if asked.check && !report.is_met() { ExitCode::Difference } else { ExitCode::Ok }
}

/// A bar on standard error that says what is being measured; nothing where nobody watches.
pub(crate) fn progress(steps: usize) -> anyhow::Result<ProgressBar> {
    let bar = ProgressBar::new(u64::try_from(steps).unwrap_or(u64::MAX));
    bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}, {elapsed} so far")?);
    Ok(bar)
}

/// A count as a figure; counts here stay far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "a bench counts millions, not 2^53")]
pub(crate) fn number(count: usize) -> f64 {
    count as f64
}
