//! The simulator about itself. The seeds are few and small; `tests/run` simulates more of them.

use std::collections::HashSet;

use super::listening::Log;
use super::*;

/// Small, and every kind of limits and of rails among them.
const SEEDS: std::ops::Range<u64> = 1..7;
const POSTS: usize = 12;

#[test]
fn a_seed_is_one_run_step_for_step_and_violates_nothing() {
    let mut faults = 0;
    for seed in SEEDS {
        let plan = Plan::of(seed, POSTS);
        let outcome = simulate_one(&plan).unwrap();
        assert_eq!(outcome.violations, Vec::<String>::new(), "seed {seed}");
        assert!(outcome.orders > 0 && outcome.steps > POSTS, "seed {seed} has done nothing: {outcome:?}");
        let again = simulate_one(&plan).unwrap();
        assert_eq!(first_difference(&outcome.trace, &again.trace), None, "seed {seed}");
        faults += outcome.fired.iter().map(|(_, count)| count).sum::<u64>();
    }
    assert!(faults > 100, "only {faults} faults");
}

/// Worlds in which something was wrong once, by seed and posts.
const ONCE_WRONG: [(u64, usize); 1] = [
    // Two refusals were taken back by the bank, and the limits they had freed stayed free.
    (315, 30),
];

#[test]
fn what_was_wrong_once_is_right() {
    for (seed, posts) in ONCE_WRONG {
        assert_eq!(simulate_one(&Plan::of(seed, posts)).unwrap().violations, Vec::<String>::new(), "seed {seed}");
    }
}

#[test]
fn what_is_logged_is_listened_to_and_words_are_found_in_it() {
    let log = Log::default();
    let listening = log.listen();
    tracing::debug!(given = "482193", "a payer has answered");
    tracing::info!(effect.id = "a482193b", "another line");
    drop(listening);
    tracing::info!(given = "123456", "nobody listens any more");
    let line_with = |word: &str| log.line_with(&HashSet::from([word.to_owned()]));
    assert!(line_with("482193").is_some_and(|line| line.contains("a payer has answered")));
    assert_eq!(line_with("a482193"), None, "part of a word is not that word");
    assert_eq!(line_with("123456"), None);
}

#[test]
fn a_violation_is_named_by_its_invariant() {
    assert_eq!(invariant_of("I4: settled with us {}, at the banks {}"), "I4");
}

/// Every planted bug is looked for by `tests/run planted`; here, that one makes a failure, and that it is made smaller.
#[cfg(feature = "planted-bugs")]
#[test]
fn a_failing_seed_is_made_smaller_and_still_fails_in_the_same_way() {
    crate::planted::switch_on(Some("audit_skipped"));
    let failing = (1..50).map(|seed| Plan::of(seed, 30)).find_map(|plan| {
        let violations = simulate_one(&plan).unwrap().violations;
        violations.first().map(|violation| (plan, violation.clone()))
    });
    let (plan, violation) = failing.expect("the bug shows in one of fifty seeds");
    let (smaller, outcome) = shrink(&plan, &violation);
    crate::planted::switch_on(None);
    assert_eq!(invariant_of(&violation), "I9");
    assert!(smaller.posts < plan.posts, "{} posts are left of {}", smaller.posts, plan.posts);
    assert!(outcome.unwrap().violations.iter().any(|other| invariant_of(other) == "I9"));
    assert!(simulate_one(&smaller).unwrap().violations.is_empty(), "without the bug nothing is wrong");
}
