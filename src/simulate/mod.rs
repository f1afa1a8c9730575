//! The lifecycle simulator: the real application over real SQL, in a world where everything goes wrong, from one seed.
//!
//! `obole simulate --seeds N --posts M` runs N worlds. Each has its own people, banks, nodes and faults (`plan`); a storm of posts
//! is followed by calm, and then every order has to be at its end and every invariant has to hold (`invariants`). Time is a
//! number that the simulation moves, chance is a stream of throws, and nodes are step functions (`node`), so the same seed is the
//! same run, step for step. A failing seed is made smaller while it still fails, and its steps are printed.
//!
//! What it does not show: durability, which SQLite in memory has none of (the real binary is killed for that), the wire (the
//! adapters' tests), and two commits at the same instant (PostgreSQL's races).

mod dice;
mod gate;
mod invariants;
mod listening;
mod node;
mod plan;
#[cfg(feature = "planted-bugs")]
mod planting;
mod ports;
mod run;
#[cfg(test)]
mod tests;
mod world;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::exit::ExitCode;
use crate::terminal::{complain, say, say_aside};

pub use plan::{Fault, Plan};
use run::Outcome;

/// How much to simulate.
#[derive(Debug, Clone, Args)]
pub struct SimulateArgs {
    /// How many seeds
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first seed
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    from: u64,
    /// How many orders are posted in each
    #[arg(long, value_name = "M", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    posts: u32,
    /// Print the steps of the first seed
    #[arg(long)]
    trace: bool,
    /// Run every seed twice and compare, step by step
    #[arg(long)]
    twice: bool,
    /// Take the mechanisms out one by one, and count the seeds until each is missed
    #[cfg(feature = "planted-bugs")]
    #[arg(long)]
    planted: bool,
    /// Simulate with this mechanism taken out, to see what it looks like
    #[cfg(feature = "planted-bugs")]
    #[arg(long, value_name = "BUG", value_parser = planting::known_bug, conflicts_with = "planted")]
    bug: Option<&'static str>,
    /// The last line is one JSON object
    #[arg(long)]
    json: bool,
}

/// What all seeds came to; the last line of `--json`.
#[derive(Debug, Serialize)]
struct Summary {
    seeds: u64,
    posts: u32,
    orders: u64,
    settled_payments: u64,
    simulated_hours: u64,
    steps: u64,
    seconds: f64,
    faults: BTreeMap<&'static str, u64>,
    violations: u64,
    failed_seeds: Vec<u64>,
}

/// Runs the simulations. Ends with a difference if any invariant was violated.
pub fn simulate(args: &SimulateArgs) -> ExitCode {
    #[cfg(feature = "planted-bugs")]
    if args.planted {
        return planting::find_all(args);
    }
    let started = Instant::now();
    let next = AtomicU64::new(args.from);
    let end = args.from.saturating_add(args.seeds);
    let failures: Mutex<Vec<(Plan, Outcome)>> = Mutex::new(Vec::new());
    let sums = Mutex::new(Sums::default());
    let progress = ProgressBar::new(args.seeds);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} seeds, {per_sec}, {eta} left") {
        progress.set_style(style);
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(usize::try_from(args.seeds).unwrap_or(1));
    let worked = std::thread::scope(|scope| {
        let work = || -> anyhow::Result<()> {
            #[cfg(feature = "planted-bugs")]
            crate::planted::switch_on(args.bug);
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= end {
                    return Ok(());
                }
                let plan = Plan::of(seed, args.posts as usize);
                let mut outcome = simulate_one(&plan)?;
                if args.twice {
                    let again = simulate_one(&plan)?;
                    if let Some(step) = first_difference(&outcome.trace, &again.trace) {
                        outcome.violations.push(format!("the same seed went another way at step {step}"));
                    }
                }
                lock(&sums).add(&outcome);
                if !outcome.violations.is_empty() {
                    lock(&failures).push((plan, outcome.clone()));
                }
                if args.trace && seed == args.from {
                    outcome.trace.iter().for_each(|step| say(step));
                }
                progress.inc(1);
            }
        };
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        handles.into_iter().try_for_each(|handle| handle.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a simulation panicked"))))
    });
    progress.finish_and_clear();
    if let Err(error) = worked {
        return complain(&error, ExitCode::Internal);
    }
    let mut failures = failures.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    failures.sort_by_key(|(plan, _)| plan.seed);
    if let Some((plan, outcome)) = failures.first() {
        #[cfg(feature = "planted-bugs")]
        crate::planted::switch_on(args.bug);
        report(plan, outcome);
    }
    let sums = sums.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let violations = failures.iter().map(|(_, outcome)| outcome.violations.len() as u64).sum();
    let summary = Summary {
        seeds: args.seeds,
        posts: args.posts,
        orders: sums.orders,
        settled_payments: sums.settled,
        simulated_hours: sums.hours,
        steps: sums.steps,
        seconds: started.elapsed().as_secs_f64(),
        faults: Fault::ALL.iter().map(|fault| (fault.name(), sums.fired.get(fault).copied().unwrap_or(0))).collect(),
        violations,
        failed_seeds: failures.iter().map(|(plan, _)| plan.seed).collect(),
    };
    show(&summary, args.json);
    if violations == 0 { ExitCode::Ok } else { ExitCode::Difference }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[derive(Default)]
struct Sums {
    orders: u64,
    settled: u64,
    hours: u64,
    steps: u64,
    fired: BTreeMap<Fault, u64>,
}

impl Sums {
    fn add(&mut self, outcome: &Outcome) {
        self.orders += outcome.orders as u64;
        self.settled += outcome.settled as u64;
        self.hours += outcome.hours;
        self.steps += outcome.steps as u64;
        for (fault, count) in &outcome.fired {
            *self.fired.entry(*fault).or_default() += count;
        }
    }
}

/// One world, on this thread.
fn simulate_one(plan: &Plan) -> anyhow::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(run::run(plan))
}

fn first_difference(one: &[String], other: &[String]) -> Option<usize> {
    let differs = one.iter().zip(other).position(|(one, other)| one != other);
    differs.or((one.len() != other.len()).then(|| one.len().min(other.len())))
}

/// The invariant that a violation is of, as `invariants` names it.
fn invariant_of(violation: &str) -> &str {
    violation.split_once(':').map_or(violation, |(invariant, _)| invariant)
}

/// Makes a failing plan smaller while it still violates the same invariant: fewer posts, fewer nodes, fewer faults.
fn shrink(plan: &Plan, violation: &str) -> (Plan, Option<Outcome>) {
    let mut smallest = plan.clone();
    let mut outcome = None;
    let end = Instant::now() + SHRINKING;
    let is_same = |other: &String| invariant_of(other) == invariant_of(violation);
    let fails = |plan: &Plan| simulate_one(plan).ok().filter(|outcome| outcome.violations.iter().any(is_same));
    let mut changed = true;
    while changed && Instant::now() < end {
        changed = false;
        let mut smaller: Vec<Plan> = Vec::new();
        if smallest.posts > 1 {
            smaller.push(Plan { posts: smallest.posts / 2, ..smallest.clone() });
            smaller.push(Plan { posts: smallest.posts - 1, ..smallest.clone() });
        }
        if smallest.nodes > 1 {
            smaller.push(Plan { nodes: smallest.nodes - 1, ..smallest.clone() });
        }
        for place in 0..smallest.rates.len() {
            if smallest.rates[place].1 > 0 {
                let mut calmer = smallest.clone();
                calmer.rates[place].1 = 0;
                smaller.push(calmer);
            }
        }
        for candidate in smaller {
            if Instant::now() > end {
                break;
            }
            if let Some(failed) = fails(&candidate) {
                smallest = candidate;
                outcome = Some(failed);
                changed = true;
                break;
            }
        }
    }
    (smallest, outcome)
}

/// How long is spent on making a failure smaller.
const SHRINKING: Duration = Duration::from_secs(60);
/// How many of the last steps are printed.
const LAST_STEPS: usize = 200;

fn report(plan: &Plan, outcome: &Outcome) {
    say_aside(&format!("seed {} failed: {}", plan.seed, outcome.violations.join("; ")));
    let (plan, shrunk) = shrink(plan, outcome.violations.first().map_or("", String::as_str));
    let outcome = shrunk.as_ref().unwrap_or(outcome);
    let rates: Vec<String> =
        plan.rates.iter().filter(|(_, rate)| *rate > 0).map(|(fault, rate)| format!("{fault} {rate}")).collect();
    say_aside(&format!("made smaller: {} posts, {} nodes, faults in a thousand: {}", plan.posts, plan.nodes, rates.join(", ")));
    for step in outcome.trace.iter().skip(outcome.trace.len().saturating_sub(LAST_STEPS)) {
        say_aside(&format!("  {step}"));
    }
    outcome.violations.iter().for_each(|violation| say_aside(violation));
}

fn show(summary: &Summary, json: bool) {
    if json {
        say(&serde_json::to_string(summary).unwrap_or_default());
        return;
    }
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY).set_header(["fault", "fired"]);
    for (fault, count) in &summary.faults {
        table.add_row([(*fault).to_owned(), count.to_string()]);
    }
    say(&table.to_string());
    let Summary { seeds, orders, settled_payments, simulated_hours, steps, seconds, violations, .. } = summary;
    let rate = *seeds as f64 / seconds.max(f64::MIN_POSITIVE);
    say(&format!(
        "{seeds} seeds, {orders} orders, {settled_payments} payments settled, {simulated_hours} simulated hours, {steps} steps: \
         {violations} violations, {seconds:.1} s ({rate:.1} seeds/s)"
    ));
}
