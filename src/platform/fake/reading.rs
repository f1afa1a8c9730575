//! Lists: timelines, notifications, conversations, threads, and how they are cut into pages.
//!
//! Paging is Mastodon's. `max_id` goes back in time; `since_id` gives the newest page above an id and skips what lies
//! between; `min_id` gives the page directly above it, so that following it loses nothing. Every page is newest first.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

use super::model::{Conversation, Id, Notification, Person, Status, Visibility};
use super::state::State;

/// How far up and down a thread is shown.
const CONTEXT_LIMIT: usize = 400;

/// Which part of a list is wanted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Page {
    /// Only what is older.
    pub max_id: Option<Id>,
    /// Only what is newer; the newest page of it.
    pub since_id: Option<Id>,
    /// Only what is newer; the page that comes next.
    pub min_id: Option<Id>,
    /// How many at most.
    pub limit: usize,
}

/// A timeline.
#[derive(Debug, Clone, Copy)]
pub enum Feed<'a> {
    /// A person's own.
    Home(Id),
    /// Everybody's public statuses.
    Public,
    /// Public statuses with a hashtag.
    Tag(&'a str),
    /// What one person wrote.
    Author(Id),
}

/// Which notifications are wanted.
#[derive(Debug, Clone, Default)]
pub struct NotificationFilter {
    /// Only these kinds; empty for all.
    pub types: Vec<String>,
    /// None of these kinds.
    pub exclude_types: Vec<String>,
    /// Only those caused by this person.
    pub from: Option<Id>,
    /// Also what the policy keeps aside.
    pub include_filtered: bool,
}

/// How one person stands to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relationship {
    /// Follows them.
    pub following: bool,
    /// Is followed by them.
    pub followed_by: bool,
    /// Waits for their consent.
    pub requested: bool,
    /// They wait for consent.
    pub requested_by: bool,
}

/// The page of a set that `page` asks for, newest first, of those that `pick` keeps.
///
/// `key` makes the greatest (`true`) or least key that an id can have.
fn page_of<K: Ord + Copy, T>(set: &BTreeSet<K>, page: Page, key: impl Fn(Id, bool) -> K, pick: impl Fn(K) -> Option<T>) -> Vec<T> {
    let low = page.min_id.into_iter().chain(page.since_id).max();
    let high = page.max_id;
    if low.is_some() && high.is_some() && low >= high {
        return Vec::new();
    }
    let below = low.map_or(Bound::Unbounded, |low| Bound::Excluded(key(low, true)));
    let above = high.map_or(Bound::Unbounded, |high| Bound::Excluded(key(high, false)));
    let range = set.range((below, above)).copied();
    if page.min_id.is_some() {
        let mut next: Vec<T> = range.filter_map(pick).take(page.limit).collect();
        next.reverse();
        next
    } else {
        range.rev().filter_map(pick).take(page.limit).collect()
    }
}

impl State {
    /// A page of a timeline, as `viewer` may see it and as far as `also` agrees.
    pub fn timeline(&self, feed: Feed<'_>, viewer: Option<Id>, page: Page, also: impl Fn(&Status) -> bool) -> Vec<Arc<Status>> {
        let set = match feed {
            Feed::Home(account) => self.homes.get(&account),
            Feed::Public => Some(&self.public),
            Feed::Tag(tag) => self.tagged.get(tag),
            Feed::Author(account) => self.by_author.get(&account),
        };
        let see = |id| self.visible_status(id, viewer).filter(|status| also(status)).cloned();
        set.map_or_else(Vec::new, |set| page_of(set, page, |id, _| id, see))
    }

    /// A page of somebody's notifications.
    pub fn notifications(&self, account: Id, filter: &NotificationFilter, page: Page) -> Vec<Arc<Notification>> {
        let Some(all) = self.notifications.get(&account) else { return Vec::new() };
        let wanted = |notification: &&Arc<Notification>| {
            let kind = notification.kind.as_str();
            (filter.types.is_empty() || filter.types.iter().any(|wanted| wanted == kind))
                && !filter.exclude_types.iter().any(|unwanted| unwanted == kind)
                && filter.from.is_none_or(|from| notification.from == from)
                && (filter.include_filtered || !notification.filtered)
        };
        let low = page.min_id.into_iter().chain(page.since_id).max();
        if low.is_some() && page.max_id.is_some() && low >= page.max_id {
            return Vec::new();
        }
        let range =
            all.range((low.map_or(Bound::Unbounded, Bound::Excluded), page.max_id.map_or(Bound::Unbounded, Bound::Excluded)));
        let range = range.map(|(_, notification)| notification);
        if page.min_id.is_some() {
            let mut next: Vec<_> = range.filter(wanted).take(page.limit).cloned().collect();
            next.reverse();
            next
        } else {
            range.rev().filter(wanted).take(page.limit).cloned().collect()
        }
    }

    /// One notification of somebody's.
    pub fn notification(&self, account: Id, id: Id) -> Option<&Arc<Notification>> {
        self.notifications.get(&account).and_then(|theirs| theirs.get(&id))
    }

    /// How many notifications are kept aside for somebody, and from how many people.
    pub fn filtered_count(&self, account: Id) -> (usize, usize) {
        let filtered = self.notifications.get(&account).into_iter().flat_map(|theirs| theirs.values()).filter(|told| told.filtered);
        let senders: Vec<Id> = filtered.map(|told| told.from).collect();
        (senders.iter().collect::<BTreeSet<_>>().len(), senders.len())
    }

    /// A page of somebody's private conversations; ids of the page are those of the last statuses.
    pub fn conversations(&self, account: Id, page: Page) -> Vec<Arc<Conversation>> {
        let pick = |(_, id)| self.conversations.get(&id).cloned();
        let key = |id, top| (id, if top { Id(u64::MAX) } else { Id(0) });
        self.conversations_of.get(&account).map_or_else(Vec::new, |theirs| page_of(theirs, page, key, pick))
    }

    /// A conversation of somebody's.
    pub fn conversation(&self, account: Id, id: Id) -> Option<&Arc<Conversation>> {
        self.conversations.get(&id).filter(|conversation| conversation.account == account)
    }

    /// What a status answers, oldest first, and what answers it, depth first.
    pub fn context(&self, status: &Status, viewer: Option<Id>) -> (Vec<Arc<Status>>, Vec<Arc<Status>>) {
        let mut above = Vec::new();
        let mut next = status.in_reply_to;
        while let Some(found) = next.and_then(|id| self.visible_status(id, viewer)) {
            if above.len() == CONTEXT_LIMIT {
                break;
            }
            next = found.in_reply_to;
            above.push(Arc::clone(found));
        }
        above.reverse();
        let mut below = Vec::new();
        let mut waiting: Vec<Id> = self.replies(status.id).rev().collect();
        while let Some(id) = waiting.pop() {
            if below.len() == CONTEXT_LIMIT {
                break;
            }
            if let Some(found) = self.visible_status(id, viewer) {
                below.push(Arc::clone(found));
            }
            waiting.extend(self.replies(id).rev());
        }
        (above, below)
    }

    fn replies(&self, status: Id) -> impl DoubleEndedIterator<Item = Id> + '_ {
        self.reactions.get(&status).into_iter().flat_map(|reactions| reactions.replies.iter().copied())
    }

    /// How `account` stands to `target`.
    pub fn relationship(&self, account: Id, target: Id) -> Relationship {
        Relationship {
            following: self.follows(account, target),
            followed_by: self.follows(target, account),
            requested: self.follow_requests.contains(&(target, account)),
            requested_by: self.follow_requests.contains(&(account, target)),
        }
    }

    /// Who asks to follow somebody.
    pub fn follow_requests(&self, account: Id) -> impl Iterator<Item = &Person> {
        self.follow_requests.range((account, Id(0))..=(account, Id(u64::MAX))).filter_map(|(_, asking)| self.people.get(asking))
    }

    /// Who follows somebody.
    pub fn followers(&self, account: Id) -> impl Iterator<Item = &Person> {
        self.followers.get(&account).into_iter().flatten().filter_map(|id| self.people.get(id))
    }

    /// Whom somebody follows.
    pub fn following(&self, account: Id) -> impl Iterator<Item = &Person> {
        self.following.get(&account).into_iter().flatten().filter_map(|id| self.people.get(id))
    }

    /// Followers, followed, statuses; and the newest status.
    pub fn counts(&self, account: Id) -> (usize, usize, usize, Option<Id>) {
        let statuses = self.by_author.get(&account);
        (
            self.followers.get(&account).map_or(0, BTreeSet::len),
            self.following.get(&account).map_or(0, BTreeSet::len),
            statuses.map_or(0, BTreeSet::len),
            statuses.and_then(|theirs| theirs.last().copied()),
        )
    }

    /// People and statuses in the town.
    pub fn size(&self) -> (usize, usize) {
        (self.people.len(), self.by_author.values().map(BTreeSet::len).sum())
    }

    /// People whose handle begins with, or whose name contains, what is asked.
    pub fn search_people(&self, asked: &str, limit: usize) -> Vec<&Person> {
        if let Some(exact) = self.person_at(asked) {
            return vec![exact];
        }
        let asked = asked.trim_start_matches('@').to_lowercase();
        let fits = |person: &&Person| {
            person.username.to_lowercase().starts_with(&asked) || person.display_name.to_lowercase().contains(&asked)
        };
        if asked.is_empty() { Vec::new() } else { self.people.values().filter(fits).take(limit).collect() }
    }

    /// Hashtags that begin like this.
    pub fn search_tags(&self, asked: &str, limit: usize) -> Vec<&str> {
        let asked = super::text::normalise_tag(asked);
        let mut found: Vec<&str> = self.tagged.keys().map(String::as_str).filter(|tag| tag.starts_with(&asked)).collect();
        found.sort_unstable();
        found.truncate(limit);
        found
    }

    /// Whether somebody favourited or boosted a status.
    pub fn reacted(&self, account: Id, status: Id) -> (bool, bool) {
        self.reactions
            .get(&status)
            .map_or((false, false), |reactions| (reactions.favourites.contains(&account), reactions.reblogs.contains_key(&account)))
    }

    /// Whether a status may be boosted by somebody.
    pub(super) fn may_boost(&self, status: &Status, account: Id) -> bool {
        match status.visibility {
            Visibility::Public | Visibility::Unlisted => true,
            Visibility::Private => status.author == account,
            Visibility::Direct => false,
        }
    }
}
