//! What is suggested works: applied and read again, it is an order, or shows the other fault of the post.

use std::collections::BTreeSet;

use serde_json::json;

use super::examples::{Example, answer, examples};

/// Codes whose rejections carry suggestions (section 11).
const SUGGESTING: [&str; 11] = [
    "E_TEXT_UNSAFE",
    "E_VERB_HASH_MISSING",
    "E_VERB_GLUED",
    "E_RESERVED_RECURRING",
    "E_RESERVED_PLEDGE",
    "E_AMOUNT_AMBIGUOUS",
    "E_AMOUNT_SCALED",
    "E_AMOUNT_IN_WORDS",
    "E_CURRENCY_MISSING",
    "E_CURRENCY_UNKNOWN",
    "E_CURRENCY_AMBIGUOUS",
];

#[test]
fn a_suggestion_cures_the_reported_fault() {
    let mut cured = BTreeSet::new();
    for Example { place, mut input, expected, .. } in examples() {
        let suggestions = expected["suggestions"].as_array().cloned().unwrap_or_default();
        assert!(suggestions.len() <= 3, "{place}");
        for suggestion in suggestions {
            input["text"] = suggestion.clone();
            let again = answer(&input);
            match again["outcome"].as_str().unwrap() {
                "order" | "reply" => {
                    cured.insert(expected["code"].as_str().unwrap().to_owned());
                }
                // A post with two faults shows the other: never the same one, unless a second sum has it too.
                "rejected" => {
                    assert_ne!((&again["code"], &again["span"]), (&expected["code"], &expected["span"]), "{place} {suggestion}")
                }
                outcome => panic!("{place} {suggestion} is {outcome}"),
            }
        }
    }
    for code in SUGGESTING.iter().chain(&["E_REPLY_CODE"]) {
        assert!(cured.contains(*code), "no example of {code} is cured");
    }
}

#[test]
fn other_codes_suggest_nothing() {
    for Example { place, expected, .. } in examples() {
        let code = expected["code"].as_str().unwrap_or_default();
        if !SUGGESTING.contains(&code) && code != "E_REPLY_CODE" && expected["outcome"] == "rejected" {
            assert_eq!(expected["suggestions"], json!([]), "{place}");
        }
    }
}

#[test]
fn every_code_has_an_example() {
    let seen: BTreeSet<String> =
        examples().iter().filter_map(|example| example.expected["code"].as_str().map(str::to_owned)).collect();
    let all: BTreeSet<String> = obole::language::Code::ALL.iter().map(|code| code.as_str().to_owned()).collect();
    assert_eq!(seen, all);
}
