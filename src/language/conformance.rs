//! Hashtags and mentions beside twitter-text's own cases, where the file with them is at hand.
//!
//! The file (Apache-2.0) is shared by those who work on this project and is not part of it, so the test passes over its
//! absence. Every case in which the specification departs from twitter-text is listed with the reason; a departure that is
//! not listed fails, and so does one that is listed and no longer happens.

use std::path::{Path, PathBuf};

use super::tokens::{Kind, Mention, tokens};
use super::{Campaigns, Channel, Context, Platform};
use crate::money::Currency;

/// The start of a case's description, and why the specification wants something else.
const DEPARTURES: [(&str, &str); 6] = [
    ("mentions: Extract mentions after 'RT'", "reposted text is masked (section 3, 3)"),
    ("mentions: Extract mentions after 'rt'", "the same"),
    ("mentions: Extract mentions after 'Rt'", "the same"),
    ("mentions: Extract mentions after 'rT'", "the same"),
    ("mentions_or_lists_with_indices: Extract a ", "a list is nobody to pay, so its mention is bad (section 4.3)"),
    ("mentions_or_lists_with_indices: DO NOT extract a list with slug", "what looks like a list is bad too"),
];

struct Case {
    category: String,
    description: String,
    text: String,
    expected: Vec<String>,
}

fn file() -> Option<PathBuf> {
    let ancestors = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    ancestors.map(|folder| folder.join("shared/conformance/twitter-text/extract.yml")).find(|file| file.is_file())
}

/// A double-quoted text of YAML, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut chars = text.strip_prefix('"')?.char_indices();
    let mut value = String::new();
    let code = |chars: &mut std::str::CharIndices<'_>, length: usize| {
        let hex: String = chars.by_ref().take(length).map(|(_, c)| c).collect();
        char::from_u32(u32::from_str_radix(&hex, 16).unwrap()).unwrap()
    };
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 2..])),
            '\\' => match chars.next().unwrap().1 {
                'n' => value.push('\n'),
                't' => value.push('\t'),
                'u' => value.push(code(&mut chars, 4)),
                'U' => value.push(code(&mut chars, 8)),
                other => value.push(other),
            },
            _ => value.push(c),
        }
    }
    None
}

fn value(text: &str) -> String {
    let text = text.trim();
    match text.strip_prefix('\'') {
        Some(single) => single.trim_end_matches('\'').replace("''", "'"),
        None => quoted(text).map_or_else(|| text.to_owned(), |(value, _)| value),
    }
}

fn list(mut text: &str) -> Vec<String> {
    let mut values = Vec::new();
    while let Some(start) = text.find('"') {
        let (value, rest) = quoted(&text[start..]).unwrap();
        values.push(value);
        text = rest;
    }
    values
}

fn cases(source: &str) -> Vec<Case> {
    let mut category = String::new();
    let mut cases: Vec<Case> = Vec::new();
    for line in source.lines() {
        let content = line.trim_start();
        let indent = line.len() - content.len();
        if indent == 2 && content.ends_with(':') {
            category = content.trim_end_matches(':').to_owned();
        } else if let Some(description) = content.strip_prefix("- description:") {
            let description = value(description);
            cases.push(Case { category: category.clone(), description, text: String::new(), expected: Vec::new() });
        } else if let Some(case) = cases.last_mut() {
            let names = ["- hashtag:", "- screen_name:", "- cashtag:"];
            if let Some(text) = content.strip_prefix("text:") {
                case.text = value(text);
            } else if let Some(expected) = content.strip_prefix("expected:") {
                case.expected = list(expected);
            } else if let Some(name) = names.iter().find_map(|key| content.strip_prefix(key)) {
                case.expected.push(value(name));
            }
        }
    }
    cases
}

fn found(case: &Case) -> Option<Vec<String>> {
    let campaigns = Campaigns::new();
    let context = Context {
        channel: Channel::Post,
        platform: Platform::X,
        bot: "",
        author: None,
        is_repost: false,
        campaigns: &campaigns,
        currency: Currency::EUR,
    };
    let wanted: fn(&Kind) -> bool = match case.category.as_str() {
        "mentions" | "mentions_with_indices" | "mentions_or_lists_with_indices" => {
            |kind| matches!(kind, Kind::Mention(Mention::Handle | Mention::Bot))
        }
        "hashtags" | "hashtags_from_astral" | "hashtags_with_indices" => |kind| matches!(kind, Kind::Hashtag(_)),
        // A cashtag is a symbol and a word to us, which is no sum; nothing of it may become a hashtag or a mention.
        "cashtags" | "cashtags_with_indices" => |kind| matches!(kind, Kind::Hashtag(_) | Kind::Mention(_)),
        _ => return None,
    };
    let tokens = tokens(&case.text, &context).into_iter().filter(|token| wanted(&token.kind));
    Some(tokens.map(|token| token.span.of(&case.text).trim_start_matches(['#', '＃', '@', '＠']).to_owned()).collect())
}

#[test]
fn hashtags_and_mentions_are_those_of_twitter_text_but_for_listed_departures() {
    let Some(file) = file() else { return };
    let source = std::fs::read_to_string(file).unwrap();
    let mut differ = Vec::new();
    let mut compared = 0;
    for case in cases(&source) {
        let Some(found) = found(&case) else { continue };
        compared += 1;
        let expected = if case.category.starts_with("cashtags") { Vec::new() } else { case.expected.clone() };
        if found != expected {
            differ.push(format!("{}: {} {:?}: expected {expected:?}, found {found:?}", case.category, case.description, case.text));
        }
    }
    assert!(compared > 100, "only {compared} cases were read");
    let (listed, unlisted): (Vec<&String>, Vec<&String>) =
        differ.iter().partition(|difference| DEPARTURES.iter().any(|(start, _)| difference.starts_with(start)));
    assert!(
        unlisted.is_empty(),
        "{compared} compared, {} differ:\n{}",
        unlisted.len(),
        unlisted.iter().map(|line| line.as_str()).collect::<Vec<_>>().join("\n")
    );
    for (start, reason) in DEPARTURES {
        assert!(listed.iter().any(|difference| difference.starts_with(start)), "no longer a departure: {start} ({reason})");
    }
}
