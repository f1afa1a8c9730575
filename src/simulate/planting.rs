//! Whether the simulator notices when a mechanism is taken out: every planted bug, and the seeds until it was found.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use comfy_table::Table;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use indicatif::ProgressBar;
use serde::Serialize;

use super::{Plan, SimulateArgs, invariant_of, lock, simulate_one};
use crate::exit::ExitCode;
use crate::planted::{BUGS, switch_on};
use crate::terminal::{complain, say, say_aside};

/// One bug and what found it.
#[derive(Debug, Serialize)]
struct Finding {
    bug: &'static str,
    mechanism: &'static str,
    /// The seed that found it; `None` if none did.
    seed: Option<u64>,
    /// Which invariants were violated there.
    invariants: Vec<String>,
    /// What was violated there first.
    violation: Option<String>,
}

/// What `--json` prints in the end.
#[derive(Debug, Serialize)]
struct Summary<'a> {
    planted: usize,
    found: usize,
    /// How many seeds each bug may take, and how many orders are posted in each.
    seeds: u64,
    posts: u32,
    seconds: f64,
    bugs: &'a [Finding],
}

/// Runs seeds with each bug until one violates something that holds without the bug. Ends with a difference if a bug stays unseen.
pub(super) fn find_all(args: &SimulateArgs) -> ExitCode {
    let started = Instant::now();
    let progress = ProgressBar::new(BUGS.len() as u64);
    let next = AtomicUsize::new(0);
    let found: Mutex<Vec<Finding>> = Mutex::default();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let worked = std::thread::scope(|scope| {
        let work = || -> anyhow::Result<()> {
            // A bug is switched on for one thread, so every thread looks for one of its own.
            while let Some(bug) = BUGS.get(next.fetch_add(1, Ordering::Relaxed)) {
                let finding = find(args, bug)?;
                // A bug may take minutes, so each is told when it is known.
                progress.suspend(|| say_aside(&sentence(&finding)));
                progress.inc(1);
                lock(&found).push(finding);
            }
            Ok(())
        };
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        handles.into_iter().try_for_each(|handle| handle.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a simulation panicked"))))
    });
    progress.finish_and_clear();
    if let Err(error) = worked {
        return complain(&error, ExitCode::Internal);
    }
    let mut findings = found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    findings.sort_by_key(|finding| finding.bug);
    let unseen = findings.iter().filter(|finding| finding.seed.is_none()).count();
    let summary = Summary {
        planted: findings.len(),
        found: findings.len() - unseen,
        seeds: args.seeds,
        posts: args.posts,
        seconds: started.elapsed().as_secs_f64(),
        bugs: &findings,
    };
    show(&summary, args.json);
    if unseen == 0 { ExitCode::Ok } else { ExitCode::Difference }
}

/// The first seed that violates something with the bug and nothing without it.
fn find(args: &SimulateArgs, (bug, mechanism): &(&'static str, &'static str)) -> anyhow::Result<Finding> {
    let mut finding = Finding { bug, mechanism, seed: None, invariants: Vec::new(), violation: None };
    for seed in args.from..args.from.saturating_add(args.seeds) {
        let plan = Plan::of(seed, args.posts as usize);
        switch_on(Some(bug));
        let violations = simulate_one(&plan).map(|outcome| outcome.violations);
        switch_on(None);
        // A bug may also break the run itself.
        let violations = violations.unwrap_or_else(|error| vec![format!("the run broke: {error:#}")]);
        let Some(first) = violations.first() else { continue };
        let without = simulate_one(&plan)?.violations;
        if let Some(real) = without.first() {
            anyhow::bail!("seed {seed} with {} posts fails without any planted bug: {real}", args.posts);
        }
        let mut invariants: Vec<String> = violations.iter().map(|violation| invariant_of(violation).to_owned()).collect();
        invariants.sort_unstable();
        invariants.dedup();
        finding = Finding { seed: Some(seed), invariants, violation: Some(first.clone()), ..finding };
        break;
    }
    Ok(finding)
}

/// The name of a planted bug, as the command line takes it.
pub(super) fn known_bug(name: &str) -> Result<&'static str, String> {
    let known = BUGS.iter().find(|(bug, _)| *bug == name);
    known.map(|(bug, _)| *bug).ok_or_else(|| "no planted bug is called so; `simulate --planted` lists them".to_owned())
}

fn sentence(finding: &Finding) -> String {
    let Finding { bug, mechanism, seed, invariants, .. } = finding;
    match seed {
        Some(seed) => format!("{bug} ({mechanism}): found by seed {seed}, {}", invariants.join(" ")),
        None => format!("{bug} ({mechanism}): not found"),
    }
}

fn show(summary: &Summary<'_>, json: bool) {
    if json {
        return say(&serde_json::to_string(summary).unwrap_or_default());
    }
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_header(["planted", "what it takes out", "seed", "violated"]);
    for finding in summary.bugs {
        let seed = finding.seed.map_or_else(|| "NOT FOUND".to_owned(), |seed| seed.to_string());
        table.add_row([finding.bug.to_owned(), finding.mechanism.to_owned(), seed, finding.invariants.join(" ")]);
    }
    let Summary { planted, found, seeds, posts, seconds, .. } = summary;
    say(&table.to_string());
    say(&format!("{planted} planted, {found} found, within {seeds} seeds of {posts} posts each, {seconds:.1} s"));
}
