//! A post as it is judged: its tokens, sums, verbs and hashtags, found once and then only looked at.

use std::collections::HashSet;

use smallvec::SmallVec;

use super::Context;
use super::amounts::{Amounts, Candidate, amounts};
use super::command::VerbKind;
use super::span::Span;
use super::tokens::{Kind, Mention, Token, tag_name, tokens};
use super::vocabulary::{Languages, SmallWord, TagRole};

/// A hashtag that is a verb.
#[derive(Debug, Clone, Copy)]
pub(super) struct VerbTag {
    pub(super) token: usize,
    pub(super) kind: VerbKind,
    pub(super) languages: Languages,
}

/// A registered campaign's hashtag.
#[derive(Debug, Clone, Copy)]
pub(super) struct CampaignTag<'t> {
    pub(super) token: usize,
    /// Folded.
    pub(super) name: &'t str,
    /// The handle of its charity.
    pub(super) charity: Option<&'t str>,
}

/// A post with all that was found in it.
pub(super) struct Post<'t> {
    pub(super) text: &'t str,
    pub(super) context: &'t Context<'t>,
    pub(super) tokens: Vec<Token>,
    pub(super) amounts: Amounts,
    pub(super) verbs: SmallVec<[VerbTag; 2]>,
    /// Hashtags with another role of V1, in the order of the text.
    pub(super) roles: Vec<(usize, TagRole)>,
    /// Every occurrence, in the order of the text.
    pub(super) campaigns: Vec<CampaignTag<'t>>,
    /// Hashtags without a role, folded, each once.
    pub(super) hashtags: Vec<String>,
}

/// Which of many names were there already; a few are simply compared.
#[derive(Default)]
pub(super) struct Seen(Option<HashSet<String>>);

impl Seen {
    const FEW: usize = 8;

    /// Whether `name` is not among `listed`, which holds every name that was new.
    pub(super) fn is_new<'n>(&mut self, mut listed: impl ExactSizeIterator<Item = &'n str>, name: &str) -> bool {
        if listed.len() < Seen::FEW {
            return !listed.any(|other| other == name);
        }
        self.0.get_or_insert_with(|| listed.map(str::to_owned).collect()).insert(name.to_owned())
    }
}

impl<'t> Post<'t> {
    pub(super) fn take(text: &'t str, context: &'t Context<'t>) -> Post<'t> {
        let tokens = tokens(text, context);
        let mut post = Post {
            text,
            context,
            amounts: amounts(text, &tokens),
            tokens,
            verbs: SmallVec::new(),
            roles: Vec::new(),
            campaigns: Vec::new(),
            hashtags: Vec::new(),
        };
        post.sort_hashtags();
        post
    }

    fn sort_hashtags(&mut self) {
        let mut seen = Seen::default();
        for (token, Token { kind, span, .. }) in self.tokens.iter().enumerate() {
            match kind {
                Kind::Hashtag(Some(TagRole::Verb(kind, languages))) => {
                    self.verbs.push(VerbTag { token, kind: *kind, languages: *languages });
                }
                Kind::Hashtag(Some(role)) => self.roles.push((token, *role)),
                Kind::Hashtag(None) => {
                    let name = tag_name(self.text, *span);
                    if let Some((name, charity)) = self.context.campaigns.get(&name) {
                        self.campaigns.push(CampaignTag { token, name, charity });
                    }
                    if seen.is_new(self.hashtags.iter().map(String::as_str), &name) {
                        self.hashtags.push(name);
                    }
                }
                _ => {}
            }
        }
    }

    pub(super) fn span(&self, token: usize) -> Span {
        self.tokens[token].span
    }

    /// The first hashtag of a role.
    pub(super) fn role(&self, role: TagRole) -> Option<usize> {
        self.roles.iter().find(|(_, other)| *other == role).map(|(token, _)| *token)
    }

    /// What V2 says of the word at a token.
    pub(super) fn small(&self, token: usize) -> Option<SmallWord> {
        self.tokens.get(token)?.word()?.small
    }

    /// The mentions of others than the bot.
    pub(super) fn others(&self) -> impl Iterator<Item = usize> {
        let mentions = self.tokens.iter().enumerate();
        mentions.filter_map(|(index, token)| matches!(token.kind, Kind::Mention(Mention::Handle | Mention::Bad)).then_some(index))
    }

    /// Whether a token is the bot's mention.
    pub(super) fn is_bot(&self, token: usize) -> bool {
        matches!(self.tokens.get(token), Some(Token { kind: Kind::Mention(Mention::Bot), .. }))
    }

    /// The amount candidate that starts at a token.
    pub(super) fn candidate_at(&self, token: usize) -> Option<&Candidate> {
        let candidates = &self.amounts.candidates;
        candidates.binary_search_by_key(&token, |candidate| candidate.first).ok().map(|index| &candidates[index])
    }

    /// Registered campaigns, folded, each once.
    pub(super) fn campaign_names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        let mut seen = Seen::default();
        for campaign in &self.campaigns {
            if seen.is_new(names.iter().map(String::as_str), campaign.name) {
                names.push(campaign.name.to_owned());
            }
        }
        names
    }
}
