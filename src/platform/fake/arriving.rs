//! What arrives for somebody when a change is taken up: notifications, as far as their policy lets them through, and private
//! conversations. What is kept from somebody as a notification is kept from their conversations as well.

use std::sync::Arc;

use super::event::TownEvent;
use super::model::{Conversation, Id, Notification, NotificationKind, Policy, Status, Treatment, Visibility};
use super::state::State;
use crate::clock::Timestamp;

/// "New" accounts, for the policy, are younger than this many seconds.
const NEW_ACCOUNT_SECONDS: i64 = 30 * 24 * 3600;
/// How far up a thread it is looked for an invitation to answer.
const THREAD_DEPTH: usize = 100;

impl State {
    /// Tells `account`, as far as its policy lets it be told. Nobody is notified of their own acts.
    pub(super) fn notify(
        &mut self,
        kind: NotificationKind,
        account: Id,
        from: Id,
        status: Option<Id>,
        at: Timestamp,
    ) -> Option<TownEvent> {
        if account == from {
            return None;
        }
        let treatment = self.treatment(kind, account, from, status, at);
        if treatment == Treatment::Drop {
            return None;
        }
        self.last_notification += 1;
        let id = Id(self.last_notification);
        let notification = Arc::new(Notification { id, account, kind, from, status, filtered: treatment == Treatment::Filter, at });
        self.notifications.entry(account).or_default().insert(id, Arc::clone(&notification));
        if let Some(status) = status {
            self.notified_of.entry(status).or_default().push((account, id));
        }
        let about = status.and_then(|id| self.statuses.get(&id)).cloned();
        (!notification.filtered).then_some(TownEvent::Notified(notification, about))
    }

    fn treatment(&self, kind: NotificationKind, account: Id, from: Id, status: Option<Id>, at: Timestamp) -> Treatment {
        let status = status.and_then(|id| self.statuses.get(&id));
        let private = kind == NotificationKind::Mention && status.is_some_and(|status| status.visibility == Visibility::Direct);
        if private && self.people.get(&account).is_some_and(|person| person.closed) {
            return Treatment::Drop;
        }
        let policy = self.policy(account);
        if policy == Policy::OPEN {
            return Treatment::Accept;
        }
        let mut treatments = Vec::new();
        if !self.follows(account, from) {
            treatments.push(policy.for_not_following);
            if self.people.get(&from).is_some_and(|person| at.as_second() - person.joined_at.as_second() < NEW_ACCOUNT_SECONDS) {
                treatments.push(policy.for_new_accounts);
            }
            if private && !status.is_some_and(|status| self.answers_private_mention_of(status, account)) {
                treatments.push(policy.for_private_mentions);
            }
        }
        if !self.follows(from, account) {
            treatments.push(policy.for_not_followers);
        }
        [Treatment::Drop, Treatment::Filter].into_iter().find(|worst| treatments.contains(worst)).unwrap_or(Treatment::Accept)
    }

    /// Whether a private status answers one in which `account` itself wrote to its author in private.
    fn answers_private_mention_of(&self, status: &Status, account: Id) -> bool {
        let mut above = status.in_reply_to;
        for _ in 0..THREAD_DEPTH {
            let Some(replied) = above.and_then(|id| self.statuses.get(&id)) else { return false };
            if replied.visibility != Visibility::Direct {
                return false;
            }
            if replied.author == account && replied.mentions.contains(&status.author) {
                return true;
            }
            above = replied.in_reply_to;
        }
        false
    }

    pub(super) fn forget_notifications(&mut self, status: Id, which: impl Fn(&Notification) -> bool) {
        let Some(told) = self.notified_of.get_mut(&status) else { return };
        let notifications = &mut self.notifications;
        told.retain(|(account, id)| {
            let Some(theirs) = notifications.get_mut(account) else { return false };
            if theirs.get(id).is_some_and(|notification| which(notification)) {
                theirs.remove(id);
            }
            theirs.contains_key(id)
        });
    }

    /// Puts a private status into the conversation of each of its people, unless it is kept from them.
    pub(super) fn converse(&mut self, status: &Status, at: Timestamp) -> Vec<TownEvent> {
        let mut people = vec![status.author];
        people.extend(status.mentions.iter().filter(|mentioned| **mentioned != status.author));
        let mut events = Vec::new();
        for account in &people {
            let shown =
                || self.treatment(NotificationKind::Mention, *account, status.author, Some(status.id), at) == Treatment::Accept;
            if *account != status.author && !shown() {
                continue;
            }
            let mut others: Vec<Id> = people.iter().filter(|other| *other != account).copied().collect();
            others.sort_unstable();
            if others.is_empty() {
                others.push(*account);
            }
            let key = (*account, status.thread, others.clone());
            let id = *self.conversation_keys.entry(key).or_insert_with(|| {
                self.last_conversation += 1;
                Id(self.last_conversation)
            });
            self.conversations.entry(id).or_insert_with(|| {
                let (account, thread) = (*account, status.thread);
                Arc::new(Conversation { id, account, others, thread, statuses: Vec::new(), unread: false })
            });
            events.extend(self.change_conversation(id, |conversation| {
                if !conversation.statuses.contains(&status.id) {
                    conversation.statuses.push(status.id);
                }
                conversation.unread = conversation.account != status.author;
            }));
        }
        events
    }

    pub(super) fn change_conversation(&mut self, id: Id, change: impl FnOnce(&mut Conversation)) -> Vec<TownEvent> {
        let Some(conversation) = self.conversations.get_mut(&id) else { return Vec::new() };
        let place = self.conversations_of.entry(conversation.account).or_default();
        if let Some(last) = conversation.statuses.last() {
            place.remove(&(*last, id));
        }
        change(Arc::make_mut(conversation));
        if let Some(last) = conversation.statuses.last() {
            place.insert((*last, id));
        }
        vec![TownEvent::Conversation(Arc::clone(conversation))]
    }

    pub(super) fn hide_conversation(&mut self, id: Id) {
        let Some(conversation) = self.conversations.remove(&id) else { return };
        self.conversation_keys.remove(&(conversation.account, conversation.thread, conversation.others.clone()));
        if let (Some(place), Some(last)) = (self.conversations_of.get_mut(&conversation.account), conversation.statuses.last()) {
            place.remove(&(*last, id));
        }
    }

    pub(super) fn leave_conversations(&mut self, status: &Status) {
        if status.visibility != Visibility::Direct {
            return;
        }
        for account in std::iter::once(status.author).chain(status.mentions.iter().copied()) {
            let held: Vec<Id> = self
                .conversations_of
                .get(&account)
                .into_iter()
                .flat_map(|theirs| theirs.iter().map(|(_, id)| *id))
                .filter(|id| self.conversations.get(id).is_some_and(|conversation| conversation.statuses.contains(&status.id)))
                .collect();
            for id in held {
                if self.conversations.get(&id).is_some_and(|conversation| conversation.statuses.len() == 1) {
                    self.hide_conversation(id);
                } else {
                    self.change_conversation(id, |conversation| conversation.statuses.retain(|other| *other != status.id));
                }
            }
        }
    }
}
