//! Recorded files of three networks, through the intake into a store, twice.

use std::path::PathBuf;

use obole::ids::PlatformName;
use obole::platform::Network;
use obole::platform::recorded::Bots;
use obole::replay::{self, BrokenLine, Counts, Options, Source, Watcher};
use obole::store::{Ground, Store, StoreError};

use crate::support::database::{Database, Engine};

fn data(name: &str) -> Source {
    Source::File(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/data").join(name))
}

fn everything() -> Vec<Source> {
    ["mastodon/recorded.jsonl", "bluesky/recorded.jsonl", "x/recorded.jsonl", "recorded_mixed.jsonl"].map(data).into()
}

fn options() -> Options {
    let campaign = |tag: &str, handle: &str| (tag.to_owned(), handle.to_owned());
    Options {
        bots: Bots { bluesky: "obole.example".to_owned(), ..Bots::everywhere("obole") },
        connections: Vec::new(),
        campaigns: vec![campaign("telethon", "croixrouge"), campaign("secours", "croixrouge.example")],
        batch: 512,
        wall_clock: false,
    }
}

async fn into(database: &Database, options: &Options) -> Counts {
    let store = Store::open(database.location(), Ground::Sandbox).await.unwrap();
    replay::into_store(options, store, &everything(), &mut ()).await.unwrap()
}

fn words<N: Copy + Into<i64>>(counts: &std::collections::BTreeMap<String, N>) -> String {
    counts.iter().map(|(word, count)| format!("{word} {}", (*count).into())).collect::<Vec<_>>().join(", ")
}

async fn the_same_file_twice_makes_no_second_order(engine: Engine) {
    let Some(database) = Database::fresh(engine).await else { return };
    let first = into(&database, &options()).await;
    let taken = first.store.as_ref().unwrap();
    assert_eq!(words(&taken.outcomes), "answer 1, enrolment 1, order 7, rejected 4");
    assert_eq!((taken.orders, taken.duplicates), (7, 7));
    // The facet of one post on Bluesky names somebody else than the handle that it is written over.
    let refused: i64 = taken.refused.values().map(|count| i64::try_from(*count).unwrap()).sum();
    assert_eq!(refused, 2, "{:?}", taken.refused);
    assert_eq!((taken.refused["already_edited"], taken.refused["payee_looks_like"]), (1, 1));

    let second = into(&database, &options()).await;
    let repeated = second.store.as_ref().unwrap();
    assert_eq!(words(&repeated.outcomes), "");
    assert_eq!((repeated.orders, repeated.duplicates), (0, i64::try_from(second.concerned()).unwrap()));
    assert_eq!(repeated.states, taken.states);
    assert_eq!((second.networks, second.readings), (first.networks, first.readings));
}

#[tokio::test]
async fn the_same_file_twice_makes_no_second_order_on_sqlite() {
    the_same_file_twice_makes_no_second_order(Engine::Sqlite).await;
}

#[tokio::test]
async fn the_same_file_twice_makes_no_second_order_on_postgres() {
    the_same_file_twice_makes_no_second_order(Engine::Postgres).await;
}

#[tokio::test]
async fn the_size_of_batches_changes_nothing() {
    let database = Database::fresh(Engine::Sqlite).await.unwrap();
    let at_once = into(&database, &options()).await;
    let database = Database::fresh(Engine::Sqlite).await.unwrap();
    let one_by_one = into(&database, &Options { batch: 1, ..options() }).await;
    assert_eq!(one_by_one, at_once);
}

#[tokio::test]
async fn a_connection_may_have_another_name() {
    let database = Database::fresh(Engine::Sqlite).await.unwrap();
    let named = Options { connections: vec![(Network::X, PlatformName::from("other"))], ..options() };
    let first = into(&database, &named).await;
    assert_eq!(first.store.as_ref().map(|store| store.orders), Some(7));
    assert_eq!(into(&database, &named).await.store.map(|store| store.orders), Some(0));
}

#[tokio::test]
async fn what_is_older_than_a_live_post_may_be_is_refused_by_the_present_time() {
    let database = Database::fresh(Engine::Sqlite).await.unwrap();
    let taken = into(&database, &Options { wall_clock: true, ..options() }).await.store.unwrap();
    assert_eq!(words(&taken.states), "rejected 7");
}

#[derive(Default)]
struct Notes {
    bytes: u64,
    broken: Vec<BrokenLine>,
}

impl Watcher for Notes {
    fn bytes_read(&mut self, bytes: u64) {
        self.bytes += bytes;
    }
    fn line_is_broken(&mut self, broken: &BrokenLine) {
        self.broken.push(broken.clone());
    }
}

#[tokio::test]
async fn a_broken_line_is_named_and_ends_nothing() {
    let mut notes = Notes::default();
    let counts = replay::parse_only(&options(), &[data("recorded_mixed.jsonl")], &mut notes).await.unwrap();
    let said: Vec<String> = notes.broken.iter().map(|broken| format!("{}: {}", broken.line, broken.why)).collect();
    insta::assert_snapshot!(said.join("\n"), @"
    4: not JSON: EOF while parsing a string at column 33
    5: not JSON: expected ident at column 2
    6: not an object of one of the networks
    7: not an object of one of the networks
    10: byte 51 is not UTF-8
    ");
    assert_eq!(counts.broken_lines, notes.broken);
    assert_eq!((counts.lines, counts.broken, counts.blank), (11, 5, 1));
    assert_eq!(counts.store, None);
    let Source::File(path) = data("recorded_mixed.jsonl") else { unreachable!() };
    assert_eq!(notes.bytes, std::fs::metadata(path).unwrap().len());
}

#[tokio::test]
async fn a_file_that_is_not_there_is_said_and_what_came_before_is_kept() {
    let database = Database::fresh(Engine::Sqlite).await.unwrap();
    let store = Store::open(database.location(), Ground::Sandbox).await.unwrap();
    let sources = [data("x/recorded.jsonl"), data("nowhere.jsonl")];
    let error = replay::into_store(&options(), store, &sources, &mut ()).await.unwrap_err();
    assert!(format!("{error:#}").contains("nowhere.jsonl"), "{error:#}");
    into(&database, &options()).await;
}

#[tokio::test]
async fn a_production_store_is_refused() {
    let database = Database::fresh(Engine::Sqlite).await.unwrap();
    Store::open(database.location(), Ground::Production).await.unwrap().close().await;
    let refused = Store::open(database.location(), Ground::Sandbox).await.unwrap_err();
    assert!(matches!(refused, StoreError::WrongGround(_)), "{refused}");
}
