//! Recipients: which of the people a post mentions are to be paid (section 8).
//!
//! Mentions form groups; a group is attached to the sum by a word that introduces it or by its place. One attached group
//! is an answer, several are a question that only the author can answer, and none leaves the campaign's charity or the
//! only person who is mentioned at all.

use std::collections::HashSet;

use smallvec::{SmallVec, smallvec};

use super::amounts::Candidate;
use super::command::{Kind as OrderKind, RecipientRule};
use super::error::{Code, Fault};
use super::phrases::FoundPhrase;
use super::post::{Post, Seen};
use super::span::Span;
use super::tokens::{Kind, Mention, Token};
use super::vocabulary::{SmallWord, vocabulary};

/// The most recipients of one order.
const MOST_RECIPIENTS: usize = 10;

/// Somebody to pay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Payee {
    pub(super) handle: String,
    pub(super) span: Span,
    /// The campaign that stands for it, folded.
    pub(super) campaign: Option<String>,
}

/// Whom an order pays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chosen {
    /// Each once, in the order of the text.
    pub(super) payees: SmallVec<[Payee; 1]>,
    /// The tokens that name them; repeated handles too.
    pub(super) tokens: SmallVec<[usize; 4]>,
    pub(super) rule: RecipientRule,
}

/// The phrases on either side of the sum that say how it meets the recipients.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct OwnPhrases {
    pub(super) before: Option<FoundPhrase>,
    pub(super) after: Option<FoundPhrase>,
    /// Directly after the last recipient, once that is known.
    pub(super) after_recipients: Option<FoundPhrase>,
}

impl OwnPhrases {
    pub(super) fn of(post: &Post<'_>, amount: &Candidate) -> OwnPhrases {
        OwnPhrases {
            before: amount.first.checked_sub(1).and_then(|last| post.phrase_to(last)).filter(FoundPhrase::is_sharing),
            after: post.phrase_from(amount.last + 1).filter(FoundPhrase::is_sharing),
            after_recipients: None,
        }
    }

    /// With `each-word`: the each or split phrase directly after the last recipient.
    pub(super) fn with_each_word(self, post: &Post<'_>, chosen: &Chosen) -> OwnPhrases {
        OwnPhrases { after_recipients: chosen.tokens.last().and_then(|last| each_word(post, *last)), ..self }
    }
}

/// `each-word`: the each or split phrase directly after a mention.
fn each_word(post: &Post<'_>, mention: usize) -> Option<FoundPhrase> {
    post.phrase_from(mention + 1).filter(FoundPhrase::is_sharing)
}

/// Neighbouring mentions: those of others than the bot from one token to another.
#[derive(Debug, Clone, Copy)]
struct Group {
    first: usize,
    last: usize,
    /// Introduced by an aside or, for send and give, by *from*.
    never: bool,
    attached: Option<RecipientRule>,
}

/// Mostly there is one.
type Groups = SmallVec<[Group; 2]>;

impl Group {
    fn mentions(self, post: &Post<'_>) -> impl Iterator<Item = usize> {
        let others = |token: &usize| matches!(post.tokens[*token].kind, Kind::Mention(Mention::Handle | Mention::Bad));
        (self.first..=self.last).filter(others)
    }
}

/// Rules R1–R4, and the checks of section 7, 6.
pub(super) fn recipients(post: &Post<'_>, kind: OrderKind, amount: &Candidate, phrases: &OwnPhrases) -> Result<Chosen, Fault> {
    let groups = attach(post, kind, amount, phrases);
    let chosen = choose(post, kind, &groups)?;
    check(post, chosen)
}

fn attach(post: &Post<'_>, kind: OrderKind, amount: &Candidate, phrases: &OwnPhrases) -> Groups {
    let mut groups = groups(post, kind);
    let follows = follows_amount(post, amount, phrases.after);
    let precedes = precedes_amount(post, amount, phrases.before);
    for group in groups.iter_mut().filter(|group| !group.never) {
        let introduced = introduces(post, kind, group.first) || after_word(post, group.last).is_some();
        group.attached = if introduced {
            Some(RecipientRule::Introduced)
        } else if follows == Some(group.first) {
            Some(RecipientRule::AfterAmount)
        } else if precedes == Some(group.last) {
            Some(RecipientRule::BeforeAmount)
        } else {
            None
        };
    }
    groups
}

fn groups(post: &Post<'_>, kind: OrderKind) -> Groups {
    let mut groups = Groups::new();
    let mut before: Option<usize> = None;
    // The bot's own mentions are skipped, but they do not tear a list apart.
    let mut linked = false;
    for (mention, token) in post.tokens.iter().enumerate() {
        let Kind::Mention(standing) = token.kind else { continue };
        let joins = before.is_some_and(|before| list_sep(post, kind, before + 1, mention));
        linked = joins && (linked || before.is_some_and(|before| !post.is_bot(before)));
        before = Some(mention);
        match groups.last_mut() {
            _ if standing == Mention::Bot => {}
            Some(group) if linked => group.last = mention,
            _ => groups.push(Group { first: mention, last: mention, never: never_paid(post, kind, mention), attached: None }),
        }
    }
    groups
}

/// `list-sep`: what stands between two mentions of one group.
fn list_sep(post: &Post<'_>, kind: OrderKind, from: usize, to: usize) -> bool {
    let mut between = (from..to).peekable();
    let sign = |token: &usize| matches!(post.tokens[*token].kind, Kind::Punctuation(',' | '&' | '+' | '、' | '،' | '，'));
    let sign = between.next_if(sign).is_some();
    let and = between.next_if(|token| and_word(post, *token)).is_some();
    if sign || and {
        let _ = between.next_if(|token| leads(post.small(*token), kind));
    }
    between.next().is_none()
}

/// `and-word`
fn and_word(post: &Post<'_>, token: usize) -> bool {
    post.small(token) == Some(SmallWord::And)
}

/// `to-word`
fn to_word(post: &Post<'_>, token: usize) -> bool {
    post.small(token) == Some(SmallWord::To)
}

/// Whether a word leads to recipients: *to*, for requests also *from*.
fn leads(word: Option<SmallWord>, kind: OrderKind) -> bool {
    match word {
        Some(SmallWord::To) => true,
        Some(SmallWord::From) => kind == OrderKind::Request,
        _ => false,
    }
}

/// The word right before a mention; an apostrophe may stand between.
fn introduction(post: &Post<'_>, mention: usize) -> Option<usize> {
    let before = mention.checked_sub(1)?;
    let word = if post.tokens[before].is_apostrophe() { before.checked_sub(1)? } else { before };
    post.small(word).map(|_| word)
}

/// Whether the introduction is an aside: *aside*, *thanks*, or a *to* word right after one ("thanks to @x").
fn is_aside(post: &Post<'_>, word: usize) -> bool {
    let aside = |token: usize| matches!(post.small(token), Some(SmallWord::Aside | SmallWord::Thanks));
    aside(word) || (to_word(post, word) && word.checked_sub(1).is_some_and(aside))
}

fn never_paid(post: &Post<'_>, kind: OrderKind, mention: usize) -> bool {
    introduction(post, mention).is_some_and(|word| {
        let from = post.small(word) == Some(SmallWord::From) && kind != OrderKind::Request;
        from || is_aside(post, word)
    })
}

fn introduces(post: &Post<'_>, kind: OrderKind, mention: usize) -> bool {
    introduction(post, mention).is_some_and(|word| leads(post.small(word), kind))
}

/// The end of the *after* word that touches a mention.
fn after_word(post: &Post<'_>, mention: usize) -> Option<usize> {
    let next = post.tokens.get(mention + 1).filter(|next| next.touches())?;
    let Kind::CjkWord(_) = next.kind else { return None };
    let is_after = |word: &super::vocabulary::Word| (word.small == Some(SmallWord::After)).then_some(());
    let (_, length) = vocabulary().cjk_prefix(next.span.of(post.text), is_after)?;
    Some(next.span.start + length)
}

/// Where a mention ends with the *after* word behind it, touching or standing alone.
pub(super) fn end_with_after_word(post: &Post<'_>, mention: usize) -> usize {
    let alone = || {
        let next = post.tokens.get(mention + 1)?;
        (post.small(mention + 1) == Some(SmallWord::After)).then_some(next.span.end)
    };
    after_word(post, mention).or_else(alone).unwrap_or(post.span(mention).end)
}

/// Rule (b): the mention that follows the amount.
fn follows_amount(post: &Post<'_>, amount: &Candidate, phrase: Option<FoundPhrase>) -> Option<usize> {
    let phrase = phrase.filter(|phrase| phrase.whole);
    let mut to_words = 0;
    let start = phrase.map_or(amount.last + 1, |phrase| phrase.last + 1);
    for (token, Token { kind, .. }) in post.tokens.iter().enumerate().skip(start) {
        match kind {
            Kind::Mention(Mention::Bot) | Kind::Hashtag(_) | Kind::Punctuation(':' | ',' | '→' | '\'' | '’') => {}
            Kind::Mention(_) => return Some(token),
            _ if to_word(post, token) && to_words == 0 => to_words += 1,
            _ => return None,
        }
    }
    None
}

/// Rule (c): the mention that directly precedes the amount.
fn precedes_amount(post: &Post<'_>, amount: &Candidate, phrase: Option<FoundPhrase>) -> Option<usize> {
    let phrase = phrase.filter(|phrase| phrase.whole);
    let end = phrase.map_or(amount.first, |phrase| phrase.first);
    let mut after_words = 0;
    for token in (0..end).rev() {
        match post.tokens[token].kind {
            Kind::Mention(Mention::Bot) => {}
            Kind::Mention(_) => return Some(token),
            _ if post.small(token) == Some(SmallWord::After) && after_words == 0 => after_words += 1,
            _ => return None,
        }
    }
    None
}

/// R1–R4.
fn choose(post: &Post<'_>, kind: OrderKind, groups: &[Group]) -> Result<Chosen, Fault> {
    let ambiguous = |first: usize, last: usize| Err(Fault::new(Code::RecipientAmbiguous, post.span(first).to(post.span(last))));
    let charities = || post.campaigns.iter().filter(|campaign| campaign.charity.is_some());
    let mut attached = groups.iter().filter_map(|group| Some((group, group.attached?)));
    if let Some((group, rule)) = attached.next() {
        if let Some((last, _)) = attached.next_back() {
            return ambiguous(group.first, last.last);
        }
        let nominated = || {
            if charities().next().is_none() {
                return false;
            }
            // A set, because posts may name many campaigns and many people.
            let charities: HashSet<String> =
                charities().filter_map(|campaign| campaign.charity.map(str::to_ascii_lowercase)).collect();
            let in_group = |mention: usize| charities.contains(post.handle(mention).to_ascii_lowercase().as_str());
            !group.mentions(post).any(in_group)
        };
        if rule != RecipientRule::Introduced && nominated() {
            return ambiguous(group.first, group.last);
        }
        return Ok(by_mention(post, group.mentions(post).collect(), rule));
    }
    if kind != OrderKind::Request
        && let Some(first) = charities().next()
        && let Some(charity) = first.charity
    {
        let other = |handle: Option<&str>| handle.is_some_and(|handle| !handle.eq_ignore_ascii_case(charity));
        if charities().any(|campaign| other(campaign.charity)) {
            return ambiguous(first.token, charities().next_back().map_or(first.token, |last| last.token));
        }
        let payee =
            Payee { handle: charity.to_ascii_lowercase(), span: post.span(first.token), campaign: Some(first.name.to_owned()) };
        return Ok(Chosen { payees: smallvec![payee], tokens: smallvec![first.token], rule: RecipientRule::Campaign });
    }
    let remaining: SmallVec<[usize; 4]> =
        groups.iter().filter(|group| !group.never).flat_map(|group| group.mentions(post)).collect();
    let (Some(first), Some(last)) = (remaining.first().copied(), remaining.last().copied()) else {
        let verb = post.verbs.first().map_or(Span::new(0, 0), |verb| post.span(verb.token));
        return Err(Fault::new(Code::RecipientMissing, verb));
    };
    if remaining.iter().any(|mention| !post.handle(*mention).eq_ignore_ascii_case(post.handle(first))) {
        return ambiguous(first, last);
    }
    Ok(by_mention(post, remaining, RecipientRule::OnlyMention))
}

/// The mentions as payees; a repeated handle counts once.
fn by_mention(post: &Post<'_>, mentions: SmallVec<[usize; 4]>, rule: RecipientRule) -> Chosen {
    let mut seen = Seen::default();
    let mut payees = SmallVec::with_capacity(mentions.len());
    for mention in &mentions {
        let handle = post.handle(*mention).to_ascii_lowercase();
        if seen.is_new(payees.iter().map(|payee: &Payee| payee.handle.as_str()), &handle) {
            payees.push(Payee { handle, span: post.span(*mention), campaign: None });
        }
    }
    Chosen { payees, tokens: mentions, rule }
}

/// Section 7, 6: what is wrong with those who were chosen.
fn check(post: &Post<'_>, chosen: Chosen) -> Result<Chosen, Fault> {
    let bad = |token: &&usize| matches!(post.tokens[**token].kind, Kind::Mention(Mention::Bad));
    if let Some(token) = chosen.tokens.iter().find(bad) {
        return Err(Fault::new(Code::RecipientInvalid, post.span(*token)));
    }
    if let Some(payee) = chosen.payees.iter().find(|payee| is_author(post, &payee.handle)) {
        return Err(Fault::new(Code::RecipientSelf, payee.span));
    }
    match chosen.payees.get(MOST_RECIPIENTS) {
        Some(payee) => Err(Fault::new(Code::TooManyRecipients, payee.span)),
        None => Ok(chosen),
    }
}

/// The author's handle, or on servers its user name alone.
fn is_author(post: &Post<'_>, handle: &str) -> bool {
    post.context.author.is_some_and(|author| super::mention::bot_name(handle, author))
}

impl Post<'_> {
    /// The handle of a mention token, as written, without its sign.
    fn handle(&self, mention: usize) -> &str {
        let written = self.span(mention).of(self.text);
        let name = written.strip_prefix(['@', '＠']).unwrap_or(written);
        name.strip_prefix("nostr:").unwrap_or(name)
    }
}
