//! Whether the simulator notices when a mechanism is taken out: every planted bug, and the seeds until it was found.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use comfy_table::Table;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use indicatif::ProgressBar;
use serde::Serialize;

use super::{Plan, SimulateArgs, lock, simulate_one};
use crate::exit::ExitCode;
use crate::planted::{BUGS, switch_on};
use crate::terminal::{say, say_aside};

/// One bug and what found it.
#[derive(Debug, Serialize)]
struct Finding {
    bug: &'static str,
    mechanism: &'static str,
    /// The seed that found it; `None` if none did.
    seed: Option<u64>,
    /// What was violated there.
    violation: Option<String>,
}

/// Runs seeds with each bug in turn until one violates something. Ends with a difference if a bug stays unseen.
pub(super) fn find_all(args: &SimulateArgs) -> ExitCode {
    let progress = ProgressBar::new(BUGS.len() as u64);
    let mut findings = Vec::with_capacity(BUGS.len());
    for (bug, mechanism) in BUGS {
        switch_on(Some(bug));
        let found = find(args);
        findings.push(Finding {
            bug,
            mechanism,
            seed: found.as_ref().map(|(seed, _)| *seed),
            violation: found.map(|(_, violation)| violation),
        });
        // A bug may take minutes, so each is told when it is known.
        let last = findings.last().map_or_else(String::new, |finding: &Finding| match finding.seed {
            Some(seed) => format!("{bug}: found by seed {seed}"),
            None => format!("{bug}: not found"),
        });
        progress.suspend(|| say_aside(&last));
        progress.inc(1);
    }
    switch_on(None);
    progress.finish_and_clear();
    let unseen = findings.iter().filter(|finding| finding.seed.is_none()).count();
    if args.json {
        let summary = serde_json::json!({ "planted": findings.len(), "found": findings.len() - unseen, "bugs": findings });
        say(&summary.to_string());
    } else {
        let mut table = Table::new();
        table.load_style(UTF8_HORIZONTAL_ONLY).set_header(["planted", "without it", "found by seed", "violated"]);
        for finding in &findings {
            let seed = finding.seed.map_or_else(|| "NOT FOUND".to_owned(), |seed| seed.to_string());
            let violation: String = finding.violation.iter().flat_map(|text| text.chars()).take(60).collect();
            table.add_row([finding.bug.to_owned(), finding.mechanism.to_owned(), seed, violation]);
        }
        say(&format!("{table}\n{} planted, {} found", findings.len(), findings.len() - unseen));
    }
    if unseen == 0 { ExitCode::Ok } else { ExitCode::Difference }
}

/// The first seed that violates something, and what.
fn find(args: &SimulateArgs) -> Option<(u64, String)> {
    let next = AtomicU64::new(args.from);
    let is_found = AtomicBool::new(false);
    let found: Mutex<Option<(u64, String)>> = Mutex::new(None);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !is_found.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= args.from.saturating_add(args.seeds) {
                        return;
                    }
                    // A bug may also break the run itself.
                    let violation = match simulate_one(&Plan::of(seed, args.posts as usize)) {
                        Ok(outcome) => outcome.violations.into_iter().next(),
                        Err(error) => Some(error.to_string()),
                    };
                    let Some(violation) = violation else { continue };
                    let mut first = lock(&found);
                    if first.as_ref().is_none_or(|(known, _)| seed < *known) {
                        *first = Some((seed, violation));
                    }
                    is_found.store(true, Ordering::Relaxed);
                }
            });
        }
    });
    found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}
