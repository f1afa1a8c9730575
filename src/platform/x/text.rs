//! The text of a post on X, and whom it mentions.
//!
//! `text` is HTML-escaped (`&amp;`, `&lt;`, `&gt;` and nothing else), and the offsets of its entities count **code points of the escaped
//! text** (X's own sample: in `𝕏 | @X` the mention starts at 4; UTF-16 would say 5). So a mention is cut out first and compared with
//! the name that X gives it; only then is the text unescaped. Where the two do not agree, nothing is mentioned: a recording made
//! with other offsets loses its mentions and pays nobody else.
//!
//! Source: <https://docs.x.com/x-api/fundamentals/data-dictionary>, and the conformance of twitter-text.

use crate::ids::AccountId;
use crate::platform::Mention;

use super::wire::{MentionEntity, MessageData, Post, Users};

/// The author's own words, and the mentions in them.
pub(super) fn read(post: &Post, users: &Users) -> (String, Vec<Mention>) {
    let note = post.note.as_ref().filter(|note| !note.text.is_empty());
    let escaped = note.map_or(post.text.as_str(), |note| note.text.as_str());
    // A note has entities of its own; where they were not asked for, those of its beginning still hold.
    let own = note.map(|note| &note.entities.mentions).filter(|mentions| !mentions.is_empty());
    let entities = own.unwrap_or(&post.entities.mentions);
    let seen_from = carried(escaped, post.display_text_range.map_or(0, |(start, _)| start), entities);
    let mentions = entities.iter().filter(|entity| entity.start >= seen_from);
    let mentions = mentions.filter_map(|entity| mention(escaped, entity, users)).collect();
    let seen = slice(escaped, seen_from, usize::MAX).unwrap_or(escaped);
    (unescape(seen), mentions)
}

/// How many code points at the start are handles that a reply carries along and that people are not shown: what X says, if nothing else
/// than mentions and white space stands there.
fn carried(escaped: &str, display_start: usize, entities: &[MentionEntity]) -> usize {
    let inside = |at: usize| entities.iter().any(|entity| (entity.start..entity.end).contains(&at));
    let only_handles = escaped.chars().take(display_start).enumerate().all(|(at, c)| c.is_whitespace() || inside(at));
    if only_handles { display_start } else { 0 }
}

fn mention(escaped: &str, entity: &MentionEntity, users: &Users) -> Option<Mention> {
    let written = slice(escaped, entity.start, entity.end)?.strip_prefix(['@', '＠'])?;
    if !written.eq_ignore_ascii_case(&entity.username) {
        return None;
    }
    let account = entity.id.clone().or_else(|| users.by_username(written).map(|user| user.id.clone()))?;
    Some(Mention { handle: written.to_ascii_lowercase(), account: AccountId(account) })
}

/// From one code point to another; `usize::MAX` is the end.
fn slice(text: &str, start: usize, end: usize) -> Option<&str> {
    let mut edges = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    let from = edges.nth(start)?;
    if end == usize::MAX {
        return text.get(from..);
    }
    let length = end.checked_sub(start)?;
    let to = if length == 0 { from } else { edges.nth(length - 1)? };
    text.get(from..to)
}

/// The three escapes, each once: `&amp;lt;` is `&lt;`.
pub(super) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let escapes = [("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>')];
        let (length, character) =
            escapes.iter().find(|(escape, _)| rest.starts_with(escape)).map_or((1, '&'), |(escape, c)| (escape.len(), *c));
        out.push(character);
        rest = &rest[length..];
    }
    out.push_str(rest);
    out
}

/// A private message's mentions, by the older names of the same fields. They are not cut out: the name is matched where the order
/// language finds it.
pub(super) fn mentions_of_message(message: &MessageData) -> Vec<Mention> {
    let mention = |mention: &super::wire::UserMention| Mention {
        handle: mention.screen_name.to_ascii_lowercase(),
        account: AccountId(mention.id_str.clone()),
    };
    message.entities.user_mentions.iter().map(mention).collect()
}
