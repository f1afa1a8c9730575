//! The memo: what the author says after the order, as a slice of the post (section 9).

use super::amounts::Candidate;
use super::characters::{Class, characters};
use super::command::RecipientRule;
use super::masks::MaskKind;
use super::post::Post;
use super::recipients::{Chosen, OwnPhrases, end_with_after_word};
use super::span::Span;
use super::tokens::{Kind, Mention, Token};
use super::vocabulary::SmallWord;

/// The longest memo, in code points: what fits into a bank's remittance line.
const LENGTH: usize = 140;

/// The memo of an order, if there is one.
pub(super) fn memo(post: &Post<'_>, amount: &Candidate, phrases: &OwnPhrases, chosen: &Chosen) -> Option<String> {
    let repost = post.tokens.iter().find(|token| token.kind == Kind::Masked(MaskKind::Repost));
    let end = repost.map_or(post.text.len(), |mask| mask.span.start);
    let start = order_end(post, amount, phrases, chosen);
    let rest = Span::new(start, end);
    if start >= end {
        return None;
    }
    let rest = trim_start(post, trim_end(post, rest));
    // What has no more bytes has no more code points.
    let too_long = (rest.end - rest.start > LENGTH).then(|| rest.of(post.text).char_indices().nth(LENGTH)).flatten();
    let cut = too_long.map_or(rest.end, |(at, _)| rest.start + at);
    let memo = Span::new(rest.start, cut).of(post.text).trim_matches(|c| characters().class(c).is(Class::SPACE));
    let says_something = |c| characters().class(c).is(Class::LETTER.or(Class::NUMBER).or(Class::SYMBOL));
    memo.contains(says_something).then(|| memo.to_owned())
}

/// The latest end among the parts of the order.
fn order_end(post: &Post<'_>, amount: &Candidate, phrases: &OwnPhrases, chosen: &Chosen) -> usize {
    let by_campaign = chosen.rule == RecipientRule::Campaign;
    let named = chosen.tokens.iter().map(|token| match by_campaign {
        true => post.span(*token).end,
        false => end_with_after_word(post, *token),
    });
    let own = phrases.after.map(|phrase| phrase.span.end);
    let each = phrases.after_recipients.filter(|_| !by_campaign).map(|phrase| phrase.span.end);
    named.chain(own).chain(each).fold(amount.span.end, usize::max)
}

/// Signs that neither begin nor end a memo.
fn is_dropped(c: char) -> bool {
    matches!(c, ',' | ';' | ':' | '-' | '–' | '—' | '·' | '|' | '/') || characters().class(c).is(Class::SPACE)
}

/// Hashtags, bot mentions and links: at either end they are not what the author says.
fn is_dropped_token(token: &Token) -> bool {
    matches!(token.kind, Kind::Hashtag(_) | Kind::Mention(Mention::Bot) | Kind::Masked(MaskKind::Link))
}

fn trim_end(post: &Post<'_>, memo: Span) -> Span {
    let Span { start, mut end } = memo;
    // Links and tags at the end take the word that led to them along: "via @obole".
    let mut dropped = false;
    let mut tokens = post.tokens.iter().enumerate().rev().peekable();
    while let Some(last) = Span::new(start, end).of(post.text).chars().next_back() {
        while tokens.next_if(|(_, token)| token.span.end > end).is_some() {}
        let here = tokens.peek().filter(|(_, token)| token.span.end == end && token.span.start >= start);
        match here {
            Some((_, token)) if is_dropped_token(token) => {
                dropped = true;
                end = token.span.start;
            }
            Some((index, token)) if dropped && is_connective(post, *index) => end = token.span.start,
            _ if is_dropped(last) => end -= last.len_utf8(),
            _ => break,
        }
    }
    Span::new(start, end)
}

fn is_connective(post: &Post<'_>, token: usize) -> bool {
    matches!(post.small(token), Some(SmallWord::To | SmallWord::From | SmallWord::Aside | SmallWord::And))
}

fn trim_start(post: &Post<'_>, memo: Span) -> Span {
    let Span { mut start, end } = memo;
    let before = post.tokens.partition_point(|token| token.span.start < start);
    let mut tokens = post.tokens[before..].iter().peekable();
    while let Some(first) = Span::new(start, end).of(post.text).chars().next() {
        while tokens.next_if(|token| token.span.start < start).is_some() {}
        let here = tokens.peek().filter(|token| token.span.start == start && token.span.end <= end);
        match here {
            Some(token) if is_dropped_token(token) => start = token.span.end,
            _ if is_dropped(first) || matches!(first, '.' | '!' | '?') => start += first.len_utf8(),
            _ => break,
        }
    }
    Span::new(start, end)
}
