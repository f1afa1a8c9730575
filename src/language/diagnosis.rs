//! The order of checks for an addressed post: the first that fails is the one that is reported (section 7).

use super::amounts::Candidate;
use super::characters::{Class, characters};
use super::command::{Addressed, CancelCommand, Command, Flag, Kind as OrderKind, PaymentCommand, Recipient, Verb, VerbKind};
use super::error::{Code, Edit, Fault};
use super::memo::memo;
use super::post::Post;
use super::recipients::{OwnPhrases, Payee, recipients};
use super::shares::shares;
use super::span::Span;
use super::tokens::tag_name;
use super::vocabulary::{PhraseRole, TagRole};
use crate::money::Money;

/// What an addressed post asks for, or the first of its faults.
pub(super) fn diagnose(post: Post<'_>, addressed: Addressed) -> Result<Command, Fault> {
    check_unsafe(post.text)?;
    let verb = verb(&post)?;
    let kind = match verb.kind {
        VerbKind::Send => OrderKind::Send,
        VerbKind::Give => OrderKind::Give,
        VerbKind::Request => OrderKind::Request,
        VerbKind::Cancel => {
            let campaigns = post.campaign_names();
            return Ok(Command::Cancel(CancelCommand { verb, campaigns, hashtags: post.hashtags }));
        }
    };
    check_reserved(&post)?;
    let (candidate, amount) = the_amount(&post, &verb)?;
    let amount_span = candidate.span;
    let phrases = OwnPhrases::of(&post, candidate);
    let chosen = recipients(&post, kind, candidate, &phrases)?;
    let phrases = phrases.with_each_word(&post, &chosen);
    let shared = shares(&post, amount, candidate, &phrases, &chosen)?;
    let memo = memo(&post, candidate, &phrases, &chosen);
    let recipients = chosen.payees.into_iter().enumerate().map(|(place, payee)| {
        let Payee { handle, span, campaign } = payee;
        Recipient { handle, share: shared.of(place), span, campaign }
    });
    let flags = [(TagRole::Anonymous, Flag::Anonymous), (TagRole::Receipt, Flag::Receipt)];
    Ok(Command::Payment(Box::new(PaymentCommand {
        kind,
        verb,
        amount,
        amount_span,
        split: shared.split,
        recipients: recipients.collect(),
        total: shared.total,
        campaigns: post.campaign_names(),
        memo,
        flags: flags.into_iter().filter(|(role, _)| post.role(*role).is_some()).map(|(_, flag)| flag).collect(),
        hashtags: post.hashtags,
        addressed,
        chosen_by: chosen.rule,
    })))
}

/// Step 1, over the whole text: also a masked part could hide how the post reads.
fn check_unsafe(text: &str) -> Result<(), Fault> {
    if !characters().may_be_unsafe(text) {
        return Ok(());
    }
    let Some(place) = first_unsafe(text) else { return Ok(()) };
    let length = text[place..].chars().next().map_or(0, char::len_utf8);
    let clean: String =
        classified(text).filter(|(_, _, class)| !class.is(Class::UNSAFE.or(Class::DIRECTION))).map(|(_, c, _)| c).collect();
    let edit = Edit::replace(Span::new(0, text.len()), clean);
    Err(Fault::with(Code::TextUnsafe, Span::new(place, place + length), vec![edit]))
}

/// The characters of a text with their classes; tags that spell a flag are as visible as the flag.
fn classified(text: &str) -> impl Iterator<Item = (usize, char, Class)> {
    let mut in_flag = false;
    text.char_indices().map(move |(at, c)| {
        let class = characters().class(c);
        in_flag = characters().begins_flag(c) || (in_flag && class.is(Class::FLAG_TAG));
        (at, c, if in_flag { Class::SYMBOL } else { class })
    })
}

/// Where the first unsafe character, or the first direction mark between visible characters, stands.
pub(super) fn first_unsafe(text: &str) -> Option<usize> {
    let mut visible_before = false;
    // The first of a run of direction marks that follow something visible.
    let mut pending = None;
    for (at, _, class) in classified(text) {
        if class.is(Class::DIRECTION) {
            if visible_before && pending.is_none() {
                pending = Some(at);
            }
            continue;
        }
        if class.is(Class::UNSAFE) {
            return Some(at);
        }
        let visible = !class.is(Class::SPACE);
        if visible && pending.is_some() {
            return pending;
        }
        pending = None;
        visible_before = visible;
    }
    None
}

/// Step 2: `verb`, the first.
fn verb(post: &Post<'_>) -> Result<Verb, Fault> {
    let Some(first) = post.verbs.first() else {
        // Only posts with a verb are addressed.
        return Err(Fault::new(Code::AmountMissing, Span::new(0, 0)));
    };
    match post.verbs.iter().find(|verb| verb.kind != first.kind) {
        Some(other) => Err(Fault::new(Code::VerbConflict, post.span(other.token))),
        None => {
            let span = post.span(first.token);
            Ok(Verb { kind: first.kind, name: tag_name(post.text, span), span })
        }
    }
}

/// Step 4: the leftmost of recurring hashtags anywhere, and of recurring and pledge phrases next to a candidate.
fn check_reserved(post: &Post<'_>) -> Result<(), Fault> {
    let tag = post.role(TagRole::Recurring).map(|token| (post.span(token), Code::ReservedRecurring));
    let beside = post.amounts.candidates.iter().flat_map(|candidate| {
        let before = candidate.first.checked_sub(1).and_then(|last| post.phrase_to(last));
        [before, post.phrase_from(candidate.last + 1)]
    });
    let phrases = beside.flatten().filter_map(|phrase| match phrase.role {
        PhraseRole::Recurring => Some((phrase.span, Code::ReservedRecurring)),
        PhraseRole::Pledge => Some((phrase.span, Code::ReservedPledge)),
        PhraseRole::Each | PhraseRole::Split => None,
    });
    match phrases.chain(tag).min_by_key(|(span, _)| *span) {
        Some((span, code)) => Err(Fault::with(code, span, vec![Edit::delete(with_spare_space(post.text, span))])),
        None => Ok(()),
    }
}

/// The span and the space that leaving it out would double, or leave at an end of the text.
fn with_spare_space(text: &str, span: Span) -> Span {
    let space = |c: &char| characters().class(*c).is(Class::SPACE);
    let spare = |c: &char| space(c) && !characters().class(*c).is(Class::LINE_BREAK);
    let before = text[..span.start].chars().next_back();
    let after = text[span.end..].chars().next();
    if !before.is_none_or(|c| space(&c)) || !after.is_none_or(|c| space(&c)) {
        return span;
    }
    match (before.filter(spare), after.filter(spare)) {
        (Some(c), _) => Span::new(span.start - c.len_utf8(), span.end),
        (None, Some(c)) => Span::new(span.start, span.end + c.len_utf8()),
        (None, None) => span,
    }
}

/// Step 5.
fn the_amount<'p>(post: &'p Post<'_>, verb: &Verb) -> Result<(&'p Candidate, Money), Fault> {
    let amounts = &post.amounts;
    match amounts.candidates.as_slice() {
        [only] => Ok((only, only.amount.clone()?)),
        [_, second, ..] => Err(Fault::new(Code::TooManyAmounts, second.span)),
        [] => Err(if let Some(fault) = &amounts.unserved {
            fault.clone()
        } else if let Some(hint) = amounts.scaled.first() {
            hint.fault.clone()
        } else if let Some(fault) = &amounts.in_words {
            fault.clone()
        } else if let Some(hint) = amounts.plain.first() {
            let currency = Edit::insert(hint.fault.span.end, &format!(" {}", post.context.currency));
            Fault::with(hint.fault.code, hint.fault.span, vec![currency])
        } else {
            Fault::new(Code::AmountMissing, verb.span)
        }),
    }
}
