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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shares {
    /// None for a single recipient.
    pub(super) split: Option<Split>,
    pub(super) total: Money,
    /// What everybody gets.
    share: Money,
    /// How many, from the first on, get one minor unit more.
    odd: usize,
}

impl Shares {
    /// What the recipient at a place of the list gets.
    pub(super) fn of(&self, place: usize) -> Money {
        Money::new(self.share.minor + i64::from(place < self.odd), self.share.currency)
    }
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
        return Ok(Shares { split: None, total: sum, share: sum, odd: 0 });
    }
    let people = i64::try_from(count).unwrap_or(i64::MAX);
    if each {
        // Nine digits, three decimals and ten recipients stay far below the bound.
        let total = share(sum.minor.saturating_mul(people));
        return Ok(Shares { split: Some(Split::Each), total, share: sum, odd: 0 });
    }
    let (whole, odd) = (sum.minor / people, sum.minor % people);
    if whole == 0 {
        return Err(Fault::new(Code::ShareTooSmall, amount.span));
    }
    Ok(Shares { split: Some(Split::Total), total: sum, share: share(whole), odd: usize::try_from(odd).unwrap_or(0) })
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
    let (mut each, mut split): (Option<Span>, Option<Span>) = (None, None);
    for (span, is_each) in tags.chain(phrases) {
        let first = if is_each { &mut each } else { &mut split };
        *first = Some(first.map_or(span, |there| there.min(span)));
    }
    match (each, split) {
        // The one that is said later contradicts.
        (Some(each), Some(split)) => Err(Fault::new(Code::SplitConflict, each.max(split))),
        (each, _) => Ok(each.is_some()),
    }
}
