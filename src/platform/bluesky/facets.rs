//! Facets: which bytes of a post's text are a mention or a link.
//!
//! A facet is written by the author's client, and nothing checks it against the text. So:
//! - its offsets count bytes of UTF-8, may lie inside a character or beyond the end, and may overlap: such a facet counts for nothing
//!   (of two that overlap the one that starts first stands, as in the official client);
//! - a mention is the handle **as it is written** with the account that the facet names: text `@bob.example` over Mallory's DID
//!   is a mention `bob.example` of Mallory, which the confirmation then shows by Mallory's real handle. A facet over anything
//!   that is not written as a handle mentions nobody;
//! - where one handle is given two different accounts, it names neither;
//! - a link never pays: its text is replaced by its address, which the order language masks.
//!
//! `record.tags` and `#tag` facets are not read: a hashtag is what people see in the text.

use std::collections::HashMap;
use std::ops::Range;

use serde::Deserialize;

use crate::ids::AccountId;
use crate::platform::Mention;

/// What stands for a link whose address could be read as something else.
const UNREADABLE_LINK: &str = "…";

#[derive(Deserialize)]
struct Facet {
    index: Index,
    features: Vec<Feature>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    byte_start: usize,
    byte_end: usize,
}

#[derive(Deserialize)]
struct Feature {
    #[serde(rename = "$type")]
    kind: String,
    #[serde(default)]
    did: Option<String>,
    #[serde(default)]
    uri: Option<String>,
}

/// What a facet that holds means.
enum Meaning {
    Mention(String),
    Link(String),
}

/// The text as the order language is to see it, and whom it mentions.
pub(super) fn apply(text: &str, facets: &[serde_json::Value]) -> (String, Vec<Mention>) {
    let mut marked: Vec<(Range<usize>, Meaning)> = facets.iter().filter_map(|facet| read(text, facet)).collect();
    marked.sort_by_key(|(range, _)| range.start);
    let mut out = String::with_capacity(text.len());
    let mut mentions = Vec::new();
    let mut done = 0;
    for (range, meaning) in marked {
        if range.start < done {
            continue;
        }
        out.push_str(&text[done..range.start]);
        let written = &text[range.clone()];
        match meaning {
            Meaning::Mention(did) => {
                mentions.extend(handle(written).map(|handle| Mention { handle, account: AccountId(did) }));
                out.push_str(written);
            }
            Meaning::Link(uri) => {
                // After a letter or a digit the language would not see that an address begins.
                if out.ends_with(|last: char| last.is_ascii_alphanumeric()) {
                    out.push(' ');
                }
                out.push_str(&uri);
            }
        }
        done = range.end;
    }
    out.push_str(&text[done..]);
    (out, agreed(mentions))
}

/// A facet that lies within the text, on the edges of characters, and means something here.
fn read(text: &str, facet: &serde_json::Value) -> Option<(Range<usize>, Meaning)> {
    let facet = Facet::deserialize(facet).ok()?;
    let range = facet.index.byte_start..facet.index.byte_end;
    text.get(range.clone()).filter(|written| !written.is_empty())?;
    let feature =
        |kind: &str| facet.features.iter().find(|feature| feature.kind.strip_prefix("app.bsky.richtext.facet#") == Some(kind));
    // A link wins over a mention on the same bytes: it masks.
    let meaning = match (feature("link"), feature("mention")) {
        (Some(link), _) => Meaning::Link(address(link.uri.as_deref().unwrap_or_default())),
        (None, Some(mention)) => Meaning::Mention(mention.did.clone()?),
        (None, None) => return None,
    };
    Some((range, meaning))
}

/// The handle that the bytes of a mention spell.
fn handle(written: &str) -> Option<String> {
    let name = written.strip_prefix(['@', '＠'])?;
    let fits = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
    fits.then(|| name.to_ascii_lowercase())
}

/// The address, if the language will mask all of it and nothing else.
fn address(uri: &str) -> String {
    let web = ["https://", "http://"].iter().any(|scheme| uri.starts_with(scheme));
    let plain = uri.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'`' | b'"'));
    if web && plain { uri.to_owned() } else { UNREADABLE_LINK.to_owned() }
}

/// Without the handles that are said to name two accounts.
fn agreed(mentions: Vec<Mention>) -> Vec<Mention> {
    let mut accounts: HashMap<String, Option<AccountId>> = HashMap::new();
    for mention in &mentions {
        let account = accounts.entry(mention.handle.clone()).or_insert_with(|| Some(mention.account.clone()));
        if account.as_ref() != Some(&mention.account) {
            *account = None;
        }
    }
    mentions.into_iter().filter(|mention| accounts.get(&mention.handle).is_some_and(Option::is_some)).collect()
}

/// Facets that make the web addresses in a text of ours links; without them they are plain words
/// (<https://docs.bsky.app/docs/advanced-guides/post-richtext>).
pub(super) fn of_links(text: &str) -> Vec<serde_json::Value> {
    let mut facets = Vec::new();
    let mut done = 0;
    while let Some(found) = ["https://", "http://"].iter().filter_map(|scheme| text[done..].find(scheme)).min() {
        let start = done + found;
        let length = text[start..].find(char::is_whitespace).unwrap_or(text.len() - start);
        let uri = text[start..start + length].trim_end_matches(['.', ',', ';', ':', '!', '?', ')', '»', '"']);
        done = start + uri.len();
        facets.push(serde_json::json!({
            "$type": "app.bsky.richtext.facet",
            "index": { "byteStart": start, "byteEnd": done },
            "features": [{ "$type": "app.bsky.richtext.facet#link", "uri": uri }],
        }));
    }
    facets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_of_ours_is_a_link_to_its_last_letter() {
        let text = "É: https://pay.example/o/1. (http://a.example) et rien";
        let marked: Vec<(usize, usize)> = of_links(text)
            .iter()
            .map(|facet| {
                let edge = |name: &str| usize::try_from(facet["index"][name].as_u64().unwrap()).unwrap();
                (edge("byteStart"), edge("byteEnd"))
            })
            .collect();
        let written: Vec<&str> = marked.iter().map(|(start, end)| &text[*start..*end]).collect();
        assert_eq!(written, ["https://pay.example/o/1", "http://a.example"]);
        assert!(of_links("no address").is_empty());
    }
}
