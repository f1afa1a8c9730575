//! Imports go one way: cli → {demo, sandbox, …} → serve → web → app → ports → {order, language, people} → values.
//!
//! Read from the `crate::…` paths in `src/`, wherever they stand. The table below is the whole rule; who adds a room to the house writes a
//! line for it here, and sees by that where it stands.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Values that everybody may use.
const VALUES: [&str; 8] = ["money", "iban", "ids", "clock", "entropy", "ownership", "planted", "crash"];
/// Decisions without I/O.
const CORE: [&str; 3] = ["order", "people", "language"];
/// What the application reaches the world through. They do not know each other.
const PORTS: [&str; 5] = ["store", "platform", "bank", "limits", "messages"];
/// How a process begins, speaks and ends.
const EDGES: [&str; 3] = ["exit", "telemetry", "terminal"];

/// Which other rooms a room may name. `None`: there is no such room.
fn may_name(room: &str) -> Option<Vec<&'static str>> {
    let any = |groups: &[&[&'static str]]| Some(groups.concat());
    match room {
        "money" | "iban" | "clock" | "entropy" | "ownership" | "planted" | "crash" => any(&[]),
        "ids" => any(&[&["clock", "entropy"]]),
        // An order knows its payer's language and account; nobody knows the order language but those who read posts.
        "language" | "people" => any(&[&VALUES]),
        "order" => any(&[&VALUES, &["people"]]),
        "platform" | "bank" => any(&[&VALUES]),
        // Its windows are those that a platform declares.
        "limits" => any(&[&VALUES, &["platform"]]),
        "store" | "messages" => any(&[&VALUES, &["order", "people"]]),
        "app" => any(&[&VALUES, &CORE, &PORTS]),
        "web" => any(&[&VALUES, &CORE, &PORTS, &["app"]]),
        "serve" => any(&[&VALUES, &CORE, &PORTS, &["app", "web"]]),
        // Its sections are made of what they configure.
        "config" => any(&[&VALUES, &["order", "people", "platform", "bank", "store"]]),
        "exit" => any(&[&["config", "store"]]),
        "telemetry" => any(&[]),
        "terminal" => any(&[&["exit"]]),
        "sandbox" => any(&[&VALUES, &CORE, &PORTS, &["app", "web", "serve"]]),
        "simulate" => any(&[&VALUES, &CORE, &PORTS, &EDGES, &["app"]]),
        "conformance" => any(&[&VALUES, &["bank"]]),
        "replay" => any(&[&VALUES, &CORE, &PORTS, &["app"]]),
        "demo" => any(&[&VALUES, &CORE, &EDGES, &["sandbox"]]),
        "bench" => any(&[&VALUES, &CORE, &PORTS, &EDGES, &["app", "serve", "sandbox"]]),
        "cli" => any(&[
            &VALUES,
            &CORE,
            &PORTS,
            &EDGES,
            &["app", "bench", "web", "serve", "config", "sandbox", "demo", "replay", "simulate", "conformance"],
        ]),
        // The map and the thin start.
        "lib" | "main" | "bin" => any(&[&["cli", "exit"]]),
        _ => None,
    }
}

/// Adapters by their folder, and who may name them besides: those who build them, and the skins over the fakes.
const ADAPTERS: [(&str, &[&str]); 9] = [
    ("platform::mastodon", &["cli/run.rs", "sandbox/whole.rs"]),
    // Its configuration is what the file says; nothing stands between.
    ("platform::x", &["cli/run.rs", "config/", "platform/recorded/"]),
    ("platform::webhook", &["cli/run.rs", "config/"]),
    ("platform::bluesky", &["cli/run.rs", "config/", "bench/", "platform/recorded/"]),
    ("bank::berlin_group", &["cli/run.rs", "config/check.rs", "config/sections.rs", "sandbox/whole.rs"]),
    ("bank::iso20022", &["cli/run.rs", "config/iso20022.rs"]),
    (
        "bank::settlement",
        &[
            "cli/run.rs",
            "cli/bank.rs",
            "cli/sandbox.rs",
            "config/settlement.rs",
            "conformance/",
            "sandbox/settlement/",
            "sandbox/whole.rs",
            "web/settlement/",
        ],
    ),
    ("platform::fake", &["sandbox/town/", "sandbox/whole.rs", "simulate/", "bench/lifecycle/", "bench/growth/"]),
    ("bank::fake", &["sandbox/bank/", "sandbox/settlement/", "sandbox/whole.rs", "simulate/", "bench/lifecycle/"]),
];

/// What is wrong with the paths in one file. `file` is its place under `src/`.
fn violations(file: &str, text: &str) -> Vec<String> {
    let room = file.split('/').next().unwrap_or_default().trim_end_matches(".rs");
    let Some(allowed) = may_name(room) else {
        return vec![format!("{file}: the room {room} has no line in tests/it/layers.rs")];
    };
    let mut found = Vec::new();
    for path in crate_paths(text) {
        let named = path.split("::").next().unwrap_or_default();
        // The macros and tests of the crate's root are no room.
        if named != room && !allowed.contains(&named) {
            found.push(format!("{file}: {room} may not name {named} (crate::{path})"));
        }
        for (adapter, besides) in ADAPTERS {
            let is_named = path == adapter || path.strip_prefix(adapter).is_some_and(|rest| rest.starts_with("::"));
            let folder = format!("{}/", adapter.replace("::", "/"));
            let port = format!("{}/mod.rs", adapter.split("::").next().unwrap_or_default());
            let is_home = file.starts_with(&folder) || file == port;
            if is_named && !is_home && !besides.iter().any(|place| file.starts_with(place)) {
                found.push(format!("{file}: only its folder and who builds it may name the adapter {adapter} (crate::{path})"));
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Every path that begins at the crate, with nested braces written out, as far as names go.
fn crate_paths(text: &str) -> Vec<String> {
    let code: String = text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    let starts = code.match_indices("crate::").filter(|(at, _)| !code[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_'));
    let mut paths = Vec::new();
    for (at, prefix) in starts {
        // A macro writes `$crate`, which is the same crate.
        let (mut found, _) = tree(&code[at + prefix.len()..]);
        paths.append(&mut found);
    }
    paths
}

/// Reads `a::{b, c::d as e}` from the start of a text: the paths, and what follows.
fn tree(text: &str) -> (Vec<String>, &str) {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        let mut all = Vec::new();
        loop {
            let (mut paths, after) = tree(rest);
            all.append(&mut paths);
            // `as name` and white space up to what separates.
            let Some(end) = after.find([',', '}']) else { return (all, "") };
            rest = &after[end + 1..];
            if after[end..].starts_with('}') {
                return (all, rest);
            }
        }
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    match rest.strip_prefix("::") {
        Some(rest) if !rest.starts_with('<') => {
            let (paths, rest) = tree(rest);
            (
                paths.into_iter().map(|path| if path.is_empty() { name.to_owned() } else { format!("{name}::{path}") }).collect(),
                rest,
            )
        }
        _ if name.is_empty() && !rest.starts_with('*') => (Vec::new(), rest),
        _ => (vec![name.to_owned()], rest),
    }
}

fn sources() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut files = BTreeMap::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                files.insert(name, std::fs::read_to_string(path).unwrap());
            }
        }
    }
    files
}

#[test]
fn imports_go_one_way() {
    let files = sources();
    let found: Vec<String> = files.iter().flat_map(|(file, text)| violations(file, text)).collect();
    assert!(found.is_empty(), "imports that go the wrong way:\n{}", found.join("\n"));
    let read: usize = files.values().map(|text| crate_paths(text).len()).sum();
    assert!(files.len() > 50 && read > 200, "the search for imports found {read} in {} files", files.len());
}

#[test]
fn a_path_that_leaves_its_room_another_way_is_no_way_out() {
    // `super::super::…` from a room's top would reach another room unseen.
    for (file, text) in sources() {
        let room = file.split('/').next().unwrap_or_default().trim_end_matches(".rs").to_owned();
        let depth = file.trim_end_matches("/mod.rs").split('/').count();
        for line in text.lines() {
            let Some((_, path)) = line.split_once(&"super::".repeat(depth)) else { continue };
            let named = path.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
            let has_own = sources_have(&file, named);
            assert!(named == room || has_own || may_name(named).is_none(), "{file} leaves its room by super:: to {named}: {line}");
        }
    }
}

/// Whether the folder of `file` has a module of this name itself: inside `mod tests`, `super::` leads there.
fn sources_have(file: &str, module: &str) -> bool {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let folder = root.join(file).parent().unwrap().to_owned();
    folder.join(format!("{module}.rs")).exists() || folder.join(module).is_dir()
}

#[test]
fn a_planted_violation_is_found() {
    let planted: [(&str, &str); 9] = [
        ("order/state.rs", "use crate::language::Command;"),
        ("language/mod.rs", "fn f() -> crate::order::Order { todo!() }"),
        ("bank/mod.rs", "use crate::{\n    money::Money,\n    store::{Store},\n};"),
        ("app/intake.rs", "use crate::platform::mastodon::Mastodon;"),
        ("app/settle.rs", "use crate::bank::{Bank, fake::FakeBank};"),
        ("serve.rs", "use crate::config::Config;"),
        ("web/mod.rs", "use crate::sandbox::seed;"),
        ("money.rs", "pub(crate) use crate::iban as other;"),
        ("cellar/mod.rs", "use crate::money::Money;"),
    ];
    for (file, text) in planted {
        assert_eq!(violations(file, text).len(), 1, "{file}: {text}");
    }
    let fine: [(&str, &str); 6] = [
        ("app/intake.rs", "use crate::{order::{self, Order}, language::read, store::Store as Rows};"),
        ("bank/mod.rs", "pub mod fake; use crate::bank::fake::FakeBank; // not crate::web"),
        ("cli/run.rs", "use crate::bank::berlin_group::{self, BerlinGroup}; use crate::platform::mastodon::Mastodon;"),
        ("sandbox/bank/pages.rs", "use crate::bank::fake::*;"),
        ("platform/fake/state.rs", "use crate::platform::fake::Id;"),
        ("web/mod.rs", "pub(in crate::web) fn f() {}"),
    ];
    for (file, text) in fine {
        assert_eq!(violations(file, text), Vec::<String>::new(), "{file}: {text}");
    }
}

#[test]
fn nested_braces_are_written_out() {
    let paths = crate_paths("use crate::{a::{b, c::d as e, self}, f::*, g};\ncrate::h::i(crate::j::<K>::new());");
    assert_eq!(paths, ["a::b", "a::c::d", "a::self", "f::", "g", "h::i", "j"].map(|path| path.trim_end_matches("::")));
}
