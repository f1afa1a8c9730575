//! The town at one moment: every table and every index, and the questions that need only a look.
//!
//! Indexes hold ids, so that no question walks over all statuses: a timeline is a range of a set.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use super::model::{App, Code, Conversation, Id, Media, Notification, Person, Policy, Reactions, Status, Token, Visibility};
use super::text;
use crate::clock::Timestamp;

/// Everything the town knows. Reached through [`super::Town::read`].
#[derive(Debug)]
pub struct State {
    pub(super) last_id: u64,
    pub(super) last_notification: u64,
    pub(super) last_conversation: u64,
    pub(super) people: BTreeMap<Id, Person>,
    /// By lower-case handle.
    pub(super) names: BTreeMap<String, Id>,
    pub(super) default_policy: Policy,
    pub(super) followers: HashMap<Id, BTreeSet<Id>>,
    pub(super) following: HashMap<Id, BTreeSet<Id>>,
    /// Who waits for whom: (asked, asking).
    pub(super) follow_requests: BTreeSet<(Id, Id)>,
    pub(super) statuses: HashMap<Id, Arc<Status>>,
    pub(super) reactions: HashMap<Id, Reactions>,
    pub(super) by_author: HashMap<Id, BTreeSet<Id>>,
    pub(super) homes: HashMap<Id, BTreeSet<Id>>,
    pub(super) public: BTreeSet<Id>,
    pub(super) tagged: HashMap<String, BTreeSet<Id>>,
    pub(super) notifications: HashMap<Id, BTreeMap<Id, Arc<Notification>>>,
    /// Which notifications are about a status: (account, notification).
    pub(super) notified_of: HashMap<Id, Vec<(Id, Id)>>,
    pub(super) conversations: HashMap<Id, Arc<Conversation>>,
    /// A person's conversations: (last status, conversation).
    pub(super) conversations_of: HashMap<Id, BTreeSet<(Id, Id)>>,
    /// (account, thread, others) → conversation.
    pub(super) conversation_keys: HashMap<(Id, Id, Vec<Id>), Id>,
    pub(super) idempotency: HashMap<(Id, String), (Id, Timestamp)>,
    /// The same keys, oldest first, to forget them by age.
    pub(super) idempotency_age: VecDeque<((Id, String), Timestamp)>,
    pub(super) apps: HashMap<Id, App>,
    pub(super) clients: HashMap<String, Id>,
    pub(super) codes: HashMap<String, (Code, Timestamp)>,
    pub(super) tokens: HashMap<String, (Token, Timestamp)>,
    pub(super) media: HashMap<Id, Media>,
}

impl Default for State {
    fn default() -> Self {
        State {
            last_id: 0,
            last_notification: 0,
            last_conversation: 0,
            people: BTreeMap::new(),
            names: BTreeMap::new(),
            default_policy: Policy::OPEN,
            followers: HashMap::new(),
            following: HashMap::new(),
            follow_requests: BTreeSet::new(),
            statuses: HashMap::new(),
            reactions: HashMap::new(),
            by_author: HashMap::new(),
            homes: HashMap::new(),
            public: BTreeSet::new(),
            tagged: HashMap::new(),
            notifications: HashMap::new(),
            notified_of: HashMap::new(),
            conversations: HashMap::new(),
            conversations_of: HashMap::new(),
            conversation_keys: HashMap::new(),
            idempotency: HashMap::new(),
            idempotency_age: VecDeque::new(),
            apps: HashMap::new(),
            clients: HashMap::new(),
            codes: HashMap::new(),
            tokens: HashMap::new(),
            media: HashMap::new(),
        }
    }
}

impl State {
    /// The next id: milliseconds and a counter, as Mastodon's snowflakes; rises even if the clock does not.
    pub(super) fn next_id(&self, now: Timestamp) -> Id {
        let by_time = u64::try_from(now.as_millisecond()).unwrap_or(0) << 16;
        Id(by_time.max(self.last_id + 1))
    }

    /// Somebody by id.
    pub fn person(&self, id: Id) -> Option<&Person> {
        self.people.get(&id)
    }

    /// Somebody by handle, in any case.
    pub fn person_named(&self, username: &str) -> Option<&Person> {
        self.names.get(&username.to_lowercase()).and_then(|id| self.people.get(id))
    }

    /// Somebody by `name`, `@name` or `name@localhost…`.
    pub fn person_at(&self, acct: &str) -> Option<&Person> {
        let acct = acct.strip_prefix('@').unwrap_or(acct);
        let (username, domain) = acct.split_once('@').map_or((acct, None), |(name, domain)| (name, Some(domain)));
        text::local_name(username, domain).and_then(|name| self.person_named(name))
    }

    /// Everybody, oldest first.
    pub fn people(&self) -> impl DoubleEndedIterator<Item = &Person> {
        self.people.values()
    }

    /// A status that was not deleted, whoever may see it.
    pub fn status(&self, id: Id) -> Option<&Arc<Status>> {
        self.statuses.get(&id).filter(|status| !status.deleted)
    }

    /// A status that `viewer` (or with `None` a stranger) may see.
    pub fn visible_status(&self, id: Id, viewer: Option<Id>) -> Option<&Arc<Status>> {
        self.status(id).filter(|status| self.may_see(status, viewer))
    }

    /// Whether `viewer` may see a status. A boost is as visible as what it boosts.
    pub fn may_see(&self, status: &Status, viewer: Option<Id>) -> bool {
        if let Some(boosted) = status.reblog_of
            && !self.status(boosted).is_some_and(|boosted| self.may_see(boosted, viewer))
        {
            return false;
        }
        let Some(viewer) = viewer else {
            return matches!(status.visibility, Visibility::Public | Visibility::Unlisted);
        };
        match status.visibility {
            Visibility::Public | Visibility::Unlisted => true,
            Visibility::Private => {
                status.author == viewer || status.mentions.contains(&viewer) || self.follows(viewer, status.author)
            }
            Visibility::Direct => status.author == viewer || status.mentions.contains(&viewer),
        }
    }

    /// Whether `account` follows `target`.
    pub fn follows(&self, account: Id, target: Id) -> bool {
        self.following.get(&account).is_some_and(|targets| targets.contains(&target))
    }

    /// Favourites, boosts and replies of a status.
    pub fn reactions(&self, status: Id) -> Option<&Reactions> {
        self.reactions.get(&status)
    }

    /// The policy in force for somebody.
    pub fn policy(&self, account: Id) -> Policy {
        self.people.get(&account).and_then(|person| person.policy).unwrap_or(self.default_policy)
    }

    /// The policy of people who set none.
    pub fn default_policy(&self) -> Policy {
        self.default_policy
    }

    /// An application by its number.
    pub fn app(&self, id: Id) -> Option<&App> {
        self.apps.get(&id)
    }

    /// An application by its public name.
    pub fn client(&self, client_id: &str) -> Option<&App> {
        self.clients.get(client_id).and_then(|id| self.apps.get(id))
    }

    /// A valid token and when it was issued.
    pub fn token(&self, secret: &str) -> Option<(&Token, Timestamp)> {
        self.tokens.get(secret).map(|(token, at)| (token, *at))
    }

    /// An attachment.
    pub fn media(&self, id: Id) -> Option<&Media> {
        self.media.get(&id)
    }

    /// The HTML of a version of a status.
    pub fn html(&self, written: &str, base_url: &str) -> String {
        text::html(written, base_url, |name| self.person_named(name).map(|person| person.username.clone()))
    }

    /// People of the town whom a text mentions, in order, each once.
    pub(super) fn mentioned(&self, written: &str) -> Vec<Id> {
        let mut found = Vec::new();
        for piece in text::pieces(written) {
            if let text::Piece::Mention { username, domain, .. } = piece
                && let Some(person) = text::local_name(username, domain).and_then(|name| self.person_named(name))
                && !found.contains(&person.id)
            {
                found.push(person.id);
            }
        }
        found
    }
}
