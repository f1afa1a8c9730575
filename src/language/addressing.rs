//! Addressed or not: which posts speak to the processor, and which only speak about it (section 6).

use super::characters::{Class, characters, fold};
use super::command::{Addressed, VerbKind};
use super::error::{Code, Edit, Fault};
use super::hashtag::tag_char;
use super::post::{Post, VerbTag};
use super::tokens::{Kind, Mention, Token};
use super::vocabulary::{TagRole, Word, vocabulary};
use super::{Channel, Silence};

/// How many words before a verb a *not* is looked for.
const WORDS_BEFORE_VERB: usize = 3;

/// Where a post stands before section 7 is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// An addressed post that is to be diagnosed.
    Addressed(Addressed),
    /// Nothing is said about it.
    Silent(Silence),
    /// Nearly a verb.
    Fault(Fault),
}

/// Decides sections 6, 1 to 6, 5.
pub(super) fn standing(post: &Post<'_>) -> Standing {
    if post.role(TagRole::Example).is_some() {
        return Standing::Silent(Silence::Example);
    }
    if post.verbs.iter().any(|verb| is_negated(post, *verb)) {
        return Standing::Silent(Silence::Negated);
    }
    let named = post.context.channel == Channel::Dm || (0..post.tokens.len()).any(|token| post.is_bot(token));
    let addressed = match post.verbs.first() {
        Some(_) if named => Addressed::ByName,
        Some(_) if !named && gives_to_campaign(post) => Addressed::ByCampaign,
        Some(_) => return Standing::Silent(Silence::NotAddressed),
        None => return nearly_a_verb(post).map_or(Standing::Silent(Silence::NotAddressed), Standing::Fault),
    };
    if is_talk(post) { Standing::Silent(Silence::Talk) } else { Standing::Addressed(addressed) }
}

/// 6, 2.
fn is_negated(post: &Post<'_>, verb: VerbTag) -> bool {
    let not = |word: &Word| word.not.meet(verb.languages);
    let word_at = |token: Option<usize>| token.and_then(|token| post.tokens.get(token)).and_then(Token::word);
    let elided = verb.token.checked_sub(1).filter(|before| {
        let apostrophe = &post.tokens[*before];
        apostrophe.is_apostrophe() && apostrophe.touches() && post.tokens[verb.token].touches()
    });
    let elided_word = word_at(elided.and_then(|apostrophe| apostrophe.checked_sub(1)));
    let before = post.tokens[..verb.token].iter().rev().take(WORDS_BEFORE_VERB).map_while(|token| {
        // A word that starts with a digit is a word, if never a *not*.
        token.is_word().then(|| token.word())
    });
    elided_word.is_some_and(not) || before.flatten().any(not) || word_at(Some(verb.token + 1)).is_some_and(not)
}

/// 6, 3: a registered campaign, and a *give* verb directly before a sum.
fn gives_to_campaign(post: &Post<'_>) -> bool {
    let mut gives = post.verbs.iter().filter(|verb| verb.kind == VerbKind::Give);
    !post.campaigns.is_empty() && gives.any(|verb| post.candidate_at(verb.token + 1).is_some())
}

/// 6, 4.
fn nearly_a_verb(post: &Post<'_>) -> Option<Fault> {
    let mut visible = post.tokens.iter().skip_while(|token| matches!(token.kind, Kind::Punctuation(_)));
    let opens = visible.next().is_some_and(|token| token.kind == Kind::Mention(Mention::Bot));
    if !opens && post.context.channel != Channel::Dm {
        return None;
    }
    glued_verb(post).or_else(|| bare_verb(post))
}

/// `#send20€`
fn glued_verb(post: &Post<'_>) -> Option<Fault> {
    post.tokens.iter().enumerate().find_map(|(index, token)| {
        let Kind::Hashtag(None) = token.kind else { return None };
        let written = token.span.of(post.text);
        let is_digit = |c: char| characters().class(c).is(Class::DIGIT);
        let digits = written.find(is_digit)?;
        let verb = fold(written[..digits].trim_start_matches(['#', '＃']));
        let Some(TagRole::Verb(..)) = vocabulary().tag(&verb) else { return None };
        let after = written[digits..].trim_start_matches(is_digit);
        let next = post.tokens.get(index + 1);
        let symbol = next.is_some_and(|next| {
            let letter_first = characters().first_class(next.span.of(post.text)).is(Class::LETTER);
            next.touches() && matches!(next.kind, Kind::Mark(_)) && !letter_first
        });
        let money = if after.is_empty() { symbol } else { vocabulary().is_code_or_money_word(&fold(after)) };
        let edit = Edit::insert(token.span.start + digits, " ");
        money.then(|| Fault::with(Code::VerbGlued, token.span, vec![edit]))
    })
}

/// `envoyer 20€`
fn bare_verb(post: &Post<'_>) -> Option<Fault> {
    post.tokens.iter().enumerate().find_map(|(index, token)| {
        token.word()?;
        let after_hash = token.touches() && post.text[..token.span.start].ends_with(['#', '＃']);
        post.candidate_at(index + 1).filter(|candidate| candidate.amount.is_ok() && !after_hash)?;
        let Some(TagRole::Verb(..)) = vocabulary().tag(&fold(token.span.of(post.text))) else { return None };
        // `送金20円` needs a space behind, or the sum becomes a part of the hashtag.
        let after = if post.text[token.span.end..].starts_with(tag_char) { " " } else { "" };
        let edit = Edit::replace(token.span, format!("#{}{after}", token.span.of(post.text)));
        Some(Fault::with(Code::VerbHashMissing, token.span, vec![edit]))
    })
}

/// The letters of a scaled numeral (`5k`) are no word of the post.
fn is_scale(post: &Post<'_>, token: usize) -> bool {
    let scales = &post.tokens[token];
    scales.touches()
        && scales.word().is_some_and(|word| word.scale.is_some())
        && token.checked_sub(1).is_some_and(|before| matches!(post.tokens[before].kind, Kind::Numeral(_)))
}

/// 6, 5: no sum in sight, and it does not look like an order without one either.
fn is_talk(post: &Post<'_>) -> bool {
    if post.verbs.iter().all(|verb| verb.kind == VerbKind::Cancel) {
        return false;
    }
    let amounts = &post.amounts;
    let is_verb = |token: usize| post.verbs.binary_search_by_key(&token, |verb| verb.token).is_ok();
    let after_verb = |token: usize| token.checked_sub(1).is_some_and(is_verb);
    let numeral_after_verb = amounts.plain.iter().chain(&amounts.scaled).any(|hint| after_verb(hint.token));
    let sum = !amounts.candidates.is_empty() || amounts.unserved.is_some() || amounts.in_words.is_some() || numeral_after_verb;
    if sum {
        return false;
    }
    let first_verb = post.verbs.first().map_or(0, |verb| verb.token);
    let word_before = (0..first_verb).any(|token| post.tokens[token].is_word() && !is_scale(post, token));
    word_before || (post.others().next().is_none() && post.campaigns.is_empty())
}
