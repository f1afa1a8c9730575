//! Shares: how a sum meets its recipients (section 8).

use super::amounts::Candidate;
use super::command::Split;
use super::error::{Code, Fault};
use super::post::Post;
use super::recipients::{Chosen, OwnPhrases};
use super::span::Span;
use super::vocabulary::{PhraseRole, TagRole};
use crate::money::Money;

/// A sum as it is shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shares {
    /// None for a single recipient.
    pub(super) split: Option<Split>,
    /// One for each recipient.
    pub(super) shares: Vec<Money>,
    pub(super) total: Money,
}

/// Section 7, 7.
pub(super) fn shares(
    post: &Post<'_>,
    sum: Money,
    amount: &Candidate,
    phrases: &OwnPhrases,
    chosen: &Chosen,
) -> Result<Shares, Fault> {
    let each = is_each(post, phrases)?;
    let count = chosen.payees.len();
    let share = |minor| Money::new(minor, sum.currency);
    if count < 2 {
        return Ok(Shares { split: None, shares: vec![sum; count], total: sum });
    }
    let people = i64::try_from(count).unwrap_or(i64::MAX);
    if each {
        // Nine digits, three decimals and ten recipients stay far below the bound.
        let total = share(sum.minor.saturating_mul(people));
        return Ok(Shares { split: Some(Split::Each), shares: vec![sum; count], total });
    }
    let (whole, odd) = (sum.minor / people, sum.minor % people);
    if whole == 0 {
        return Err(Fault::new(Code::ShareTooSmall, amount.span));
    }
    let shares = (0..people).map(|place| share(whole + i64::from(place < odd))).collect();
    Ok(Shares { split: Some(Split::Total), shares, total: sum })
}

/// Whether each is said; a fault if both are, even for one recipient.
fn is_each(post: &Post<'_>, phrases: &OwnPhrases) -> Result<bool, Fault> {
    let tags = post.roles.iter().filter_map(|(token, role)| match role {
        TagRole::Each => Some((post.span(*token), true)),
        TagRole::Split => Some((post.span(*token), false)),
        _ => None,
    });
    let phrases = [phrases.before, phrases.after, phrases.after_recipients].into_iter().flatten();
    let phrases = phrases.map(|phrase| (phrase.span, phrase.role == PhraseRole::Each));
    let mut said: Vec<(Span, bool)> = tags.chain(phrases).collect();
    said.sort_unstable_by_key(|(span, _)| *span);
    let Some((_, first)) = said.first().copied() else { return Ok(false) };
    match said.iter().find(|(_, each)| *each != first) {
        Some((span, _)) => Err(Fault::new(Code::SplitConflict, *span)),
        None => Ok(first),
    }
}
