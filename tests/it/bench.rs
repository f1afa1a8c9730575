//! The benches measure what they say: the corpus is the same for a seed, and each class is what its name promises.

use std::collections::HashSet;
use std::process::Command;

use obole::bench::intake::frames::{Frame, frames};
use obole::bench::language::corpus::{Class, posts};
use obole::bench::language::hostile::FAMILIES;
use obole::language::{Campaigns, Channel, Context, Platform, Reading, Silence, read};
use obole::money::Currency;
use obole::platform::recorded::{Bots, surely_not};
use obole::platform::{PlatformEvent, bluesky};
use serde_json::Value;

use crate::support::database::is_left_out;

/// Enough for every language, sum and near miss to come up in every class.
const POSTS: usize = 400;

fn read_in(channel: Channel, text: &str) -> Reading {
    let campaigns = Campaigns::from_iter([("telethon", Some("afm_telethon")), ("cause1", Some("wateraid"))]);
    let context = Context {
        channel,
        platform: Platform::X,
        bot: "obole",
        author: Some("alice"),
        is_repost: false,
        campaigns: &campaigns,
        currency: Currency::EUR,
    };
    read(text, &context)
}

fn mean(lengths: impl ExactSizeIterator<Item = usize>) -> usize {
    let count = lengths.len();
    lengths.sum::<usize>() / count
}

#[test]
fn the_corpus_is_its_seeds() {
    for class in Class::ALL {
        let one = posts(class, 7, POSTS);
        assert_eq!(one, posts(class, 7, POSTS));
        assert_ne!(one, posts(class, 8, POSTS), "{class:?}");
        assert_eq!(one[..50], posts(class, 7, 50), "{class:?}: a shorter corpus begins like a longer one");
    }
}

#[test]
fn every_post_is_what_its_class_promises() {
    for class in Class::ALL {
        for post in posts(class, 3, POSTS) {
            let reading = read_in(class.channel(), &post);
            assert!(class.keeps(&reading), "{class:?} {post:?}: {reading:?}");
        }
    }
}

#[test]
fn chatter_never_passes_the_gate_and_has_the_stated_length_and_hashtags() {
    let chatter = posts(Class::Chatter, 1, 4_000);
    assert!(chatter.iter().all(|post| !obole::language::would_concern(post, "obole")));
    let bytes = mean(chatter.iter().map(String::len));
    assert!((145..=155).contains(&bytes), "mean {bytes} bytes");
    let stream = posts(Class::Stream, 1, 4_000);
    let tagged = stream.iter().filter(|post| post.contains('#')).count() * 100 / stream.len();
    assert!((33..=39).contains(&tagged), "{tagged} in 100 have a hashtag");
    assert!(posts(Class::Hashtags, 1, POSTS).iter().all(|post| post.contains('#')));
    // Many languages: letters of scripts that share none.
    for letter in ['é', 'ß', 'ę', 'の', 'ه'] {
        assert!(chatter.iter().any(|post| post.contains(letter)), "{letter}");
    }
}

#[test]
fn orders_have_as_many_words_as_they_say_and_near_misses_miss_in_many_ways() {
    for (class, words) in [(Class::Order4, 4), (Class::Order9, 9), (Class::Order15, 15), (Class::Order25, 25)] {
        for post in posts(class, 5, POSTS) {
            assert_eq!(post.split(' ').count(), words, "{post}");
        }
    }
    let codes: HashSet<_> = posts(Class::NearMiss, 5, POSTS)
        .iter()
        .map(|post| match read_in(Channel::Post, post) {
            Reading::Rejected(rejection) => rejection.code,
            other => panic!("{post}: {other:?}"),
        })
        .collect();
    assert!(codes.len() >= 10, "{codes:?}");
}

#[test]
fn hostile_posts_have_their_length_and_reach_the_parser() {
    for family in FAMILIES {
        for bytes in [1_000, 10_000, 32_768] {
            let post = family.write(bytes);
            assert!(post.len() <= bytes && post.len() + 32 > bytes, "{}: {} of {bytes} bytes", family.name, post.len());
        }
        let reading = read_in(family.channel, &family.write(1_000));
        assert_ne!(reading, Reading::None(Silence::NotConcerned), "{}", family.name);
    }
}

/// Runs `obole bench` with these words and `--json`, and gives what it prints.
fn bench(words: &[&str]) -> Value {
    let data =
        std::env::temp_dir().join(format!("obole_bench_{}_{}", std::process::id(), words.join("_").replace(['/', ':'], "-")));
    let data = data.to_str().unwrap().to_owned();
    let mut words = words.to_vec();
    if words[0] != "intake" && !words.contains(&"postgres") {
        words.extend(["--data", &data]);
    }
    let output = Command::new(env!("CARGO_BIN_EXE_obole")).arg("bench").args(&words).arg("--json").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{words:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(!std::path::Path::new(&data).exists(), "{words:?} left its data behind");
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

/// The figure of a target, and whether it is met.
fn target<'a>(report: &'a Value, what: &str) -> (f64, &'a Value) {
    let targets = report["targets"].as_array().unwrap();
    let found =
        targets.iter().find(|target| target["what"].as_str().unwrap().contains(what)).unwrap_or_else(|| panic!("{what}: {report}"));
    (found["figure"].as_f64().unwrap_or(f64::NAN), &found["ok"])
}

/// Every order of every run is at the bank once, and what they cost was measured.
fn check_lifecycle(report: &Value, runs: &[&str], orders: f64) {
    for run in runs {
        for figure in ["orders_per_second", "commits_per_order", "bytes_per_order"] {
            let figures = &report["lifecycle"][run];
            assert!(figures[figure].as_f64().is_some_and(|figure| figure > 0.0), "{run} {figure}: {report}");
        }
    }
    let books = &report["the_bank's_books"]["every run"];
    assert_eq!(books["settled_orders"].as_f64(), Some(orders), "{books}");
    assert_eq!((books["doubled"].as_f64(), books["lost"].as_f64()), (Some(0.0), Some(0.0)), "{books}");
    assert!(books["settled_cents"].as_f64() > Some(0.0) && books["settled_cents"] == books["cents_at_the_bank"], "{books}");
    assert_eq!(target(report, "doubled or lost").1, &Value::Bool(true));
}

#[test]
fn the_lifecycle_is_measured_beside_bare_commits_and_the_naive_way() {
    let report = bench(&["lifecycle", "--orders", "50"]);
    let half = report["milliseconds"]["post to message, half the rate"]["p99"].as_f64().unwrap();
    assert_eq!(target(&report, "p99 from post to message").0, half);
    let settled = report["the_bank's_books"]["every run"]["settled_orders"].as_f64().unwrap();
    assert!((51.0..=100.0).contains(&settled), "{settled} at full speed and at half of it");
    check_lifecycle(&report, &["full speed", "half the rate"], settled);
    for reference in report["reference"].as_object().unwrap().values() {
        assert!(reference["per_second"].as_f64() > Some(0.0), "{report}");
    }
    for step in report["one_order_alone"].as_object().unwrap().values() {
        assert!(step["median_ms"].as_f64() > Some(0.0), "{report}");
    }
    assert!(target(&report, "of the naive way").0 > 0.0);
}

#[test]
fn the_lifecycle_is_measured_on_postgres_with_one_node_and_with_three() {
    if is_left_out("postgres") {
        return;
    }
    let url = std::env::var("OBOLE_TEST_POSTGRES").expect("tests/run starts a PostgreSQL for this test");
    let on_postgres = ["lifecycle", "--store", "postgres", "--url", url.as_str(), "--orders", "30"];
    let report = bench(&on_postgres);
    check_lifecycle(&report, &["full speed"], report["the_bank's_books"]["every run"]["settled_orders"].as_f64().unwrap());
    assert!(target(&report, "per pgbench transaction").0 > 0.0);
    let three: Vec<&str> = on_postgres.iter().copied().chain(["--nodes", "3"]).collect();
    let report = bench(&three);
    check_lifecycle(&report, &["1 nodes, run 1", "3 nodes, run 2", "1 nodes, run 3"], 90.0);
    assert!(target(&report, "of one node").0 > 0.0);
}

#[test]
fn growth_is_measured_over_a_store_that_was_filled() {
    let report = bench(&["growth", "--orders", "300", "--from", "60", "--lived", "20"]);
    let rows = report["orders_in_the_store"].as_object().unwrap();
    assert_eq!(rows.len(), 3, "{report}");
    for row in rows.values() {
        assert!(row["orders_per_second"].as_f64() > Some(0.0), "{report}");
    }
    for what in ["decisions alone", "MB at most", "ms from start to ready"] {
        assert!(target(&report, what).0.is_finite(), "{report}");
    }
    assert!(target(&report, "MB at most").0 > 1.0, "{report}");
}

#[test]
fn intake_is_measured_beside_one_search() {
    let report = bench(&["intake", "--frames", "200", "--rounds", "1"]);
    for frame in report["frame"].as_object().unwrap().values() {
        assert!(frame["gate"].as_f64() > Some(0.0) && frame["bytes"].as_f64() > Some(100.0), "{report}");
    }
    let bytes = report["frame"]["chatter"]["bytes"].as_f64().unwrap();
    assert!((560.0..=700.0).contains(&bytes), "{bytes} bytes in the middle, where the wire has 630");
    assert!(target(&report, "does not concern us").0 > 0.0);
}

#[test]
fn frames_are_what_their_kind_promises() {
    let bots = Bots::everywhere("obole.example");
    for kind in Frame::ALL {
        let made = frames(kind, 3, POSTS);
        assert_eq!(made, frames(kind, 3, POSTS));
        for frame in made {
            let events = bluesky::read_frame(&frame).unwrap_or_else(|why| panic!("{why}: {}", String::from_utf8_lossy(&frame)));
            let dropped = surely_not(&frame, &bots).is_some();
            assert!(kind.is_dropped().is_none_or(|promised| promised == dropped), "{kind:?} {}", String::from_utf8_lossy(&frame));
            let concerns = events.iter().any(|event| match event {
                PlatformEvent::Posted(post) => obole::language::would_concern(&post.text, "obole.example"),
                _ => true,
            });
            assert!(!(dropped && concerns), "{kind:?} {}", String::from_utf8_lossy(&frame));
        }
    }
}
