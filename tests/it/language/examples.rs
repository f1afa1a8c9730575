//! The worked examples in `grammar/examples/`: what a post gives, to the last field.

use std::path::{Path, PathBuf};

use obole::language::json::answer_line;
use serde_json::Value;

/// One line of an example file: an input line of section 10 with the section that it illustrates and the result.
pub(super) struct Example {
    pub(super) place: String,
    pub(super) section: String,
    pub(super) input: Value,
    pub(super) expected: Value,
}

pub(super) fn grammar() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("grammar")
}

pub(super) fn examples() -> Vec<Example> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(grammar().join("examples")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |file: &PathBuf| {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let source = std::fs::read_to_string(file).unwrap();
        let lines = source.lines().enumerate().filter(|(_, line)| !line.is_empty());
        let parse = |(index, line): (usize, &str)| {
            let place = format!("{name}:{}", index + 1);
            let mut input: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{place}: {error}"));
            let members = input.as_object_mut().unwrap();
            let mut expected = members.remove("expected").unwrap_or_else(|| panic!("{place}: nothing expected"));
            let section = members.remove("section").and_then(|section| section.as_str().map(str::to_owned));
            expected["id"] = members.get("id").cloned().unwrap_or(Value::Null);
            Example { section: section.unwrap_or_else(|| panic!("{place}: no section")), place, input, expected }
        };
        lines.map(parse).collect::<Vec<_>>()
    };
    files.iter().flat_map(read).collect()
}

pub(super) fn answer(input: &Value) -> Value {
    let answer = answer_line(&input.to_string()).unwrap();
    let value: Value = serde_json::from_str(&answer.line).unwrap();
    assert_eq!(answer.is_error, value["outcome"] == "error");
    value
}

#[test]
fn every_worked_example_gives_exactly_what_is_written() {
    let examples = examples();
    let wrong: Vec<String> = examples
        .iter()
        .filter_map(|Example { place, section, input, expected }| {
            let got = answer(input);
            let message = format!("{place} ({section}) {}\n  expected {expected}\n  got      {got}", input["text"]);
            (got != *expected).then_some(message)
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {} examples differ:\n{}", wrong.len(), examples.len(), wrong.join("\n"));
}
