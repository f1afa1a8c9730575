//! Taking up a change: tables, indexes, who is notified, who is told. Cannot fail, knows nothing but state and change.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::change::Change;
use super::event::{Delivery, TownEvent};
use super::model::{Id, NotificationKind, Person, Status, Version, Visibility};
use super::state::State;
use super::text;
use crate::clock::Timestamp;

/// How many statuses of somebody newly followed enter the follower's home.
const MERGED_ON_FOLLOW: usize = 50;
/// How long an idempotency key is remembered.
pub(super) const IDEMPOTENCY_SECONDS: i64 = 3600;

impl State {
    pub(super) fn absorb(&mut self, change: Change, at: Timestamp) -> Vec<TownEvent> {
        match change {
            Change::Joined { id, username, display_name, bot } => self.join(id, username, display_name, bot, at),
            Change::Profile { account, update } => {
                if let Some(person) = self.people.get_mut(&account) {
                    person.display_name = update.display_name.unwrap_or_else(|| std::mem::take(&mut person.display_name));
                    person.note = update.note.unwrap_or_else(|| std::mem::take(&mut person.note));
                    person.fields = update.fields.unwrap_or_else(|| std::mem::take(&mut person.fields));
                    person.bot = update.bot.unwrap_or(person.bot);
                    person.locked = update.locked.unwrap_or(person.locked);
                    person.closed = update.closed.unwrap_or(person.closed);
                }
                vec![TownEvent::ProfileChanged(account)]
            }
            Change::Renamed { account, username } => {
                if let Some(person) = self.people.get_mut(&account) {
                    self.names.remove(&person.username.to_lowercase());
                    self.names.insert(username.to_lowercase(), account);
                    person.username = username;
                }
                vec![TownEvent::ProfileChanged(account)]
            }
            Change::Policy { account: None, policy } => {
                self.default_policy = policy;
                Vec::new()
            }
            Change::Policy { account: Some(account), policy } => {
                if let Some(person) = self.people.get_mut(&account) {
                    person.policy = Some(policy);
                }
                Vec::new()
            }
            Change::Followed { account, target } => self.follow(account, target, at),
            Change::FollowAsked { account, target } => {
                self.follow_requests.insert((target, account));
                self.notify(NotificationKind::FollowRequest, target, account, None, at).into_iter().collect()
            }
            Change::FollowRefused { account, target } => {
                self.follow_requests.remove(&(target, account));
                Vec::new()
            }
            Change::Unfollowed { account, target } => {
                self.unfollow(account, target);
                Vec::new()
            }
            Change::Posted {
                id,
                author,
                text,
                spoiler_text,
                sensitive,
                visibility,
                language,
                in_reply_to,
                media,
                application,
                idempotency_key,
            } => {
                if let Some(key) = idempotency_key {
                    self.remember_key(author, key, id, at);
                }
                let replied = in_reply_to.and_then(|id| self.statuses.get(&id)).cloned();
                self.publish(Status {
                    id,
                    author,
                    visibility,
                    language,
                    in_reply_to,
                    in_reply_to_account: replied.as_ref().map(|replied| replied.author),
                    thread: replied.map_or(id, |replied| replied.thread),
                    reblog_of: None,
                    mentions: self.mentioned(&text),
                    tags: tags(&text),
                    now: Version { text, spoiler_text, sensitive, media, at },
                    before: Vec::new(),
                    application,
                    created_at: at,
                    edited_at: None,
                    deleted: false,
                })
            }
            Change::Reblogged { id, author, of, visibility } => self.publish(Status {
                id,
                author,
                visibility,
                language: None,
                in_reply_to: None,
                in_reply_to_account: None,
                thread: id,
                reblog_of: Some(of),
                mentions: Vec::new(),
                tags: Vec::new(),
                now: Version { text: String::new(), spoiler_text: String::new(), sensitive: false, media: Vec::new(), at },
                before: Vec::new(),
                application: None,
                created_at: at,
                edited_at: None,
                deleted: false,
            }),
            Change::Edited { status, text, spoiler_text, sensitive, media } => {
                self.edit(status, Version { text, spoiler_text, sensitive, media, at })
            }
            Change::Deleted { status } => self.delete(status),
            Change::Favourited { account, status } => self.favourite(account, status, at),
            Change::Unfavourited { account, status } => {
                self.reactions.entry(status).or_default().favourites.retain(|id| *id != account);
                self.forget_notifications(status, |notification| {
                    notification.kind == NotificationKind::Favourite && notification.from == account
                });
                Vec::new()
            }
            Change::ConversationRead { conversation } => {
                self.change_conversation(conversation, |conversation| conversation.unread = false)
            }
            Change::ConversationHidden { conversation } => {
                self.hide_conversation(conversation);
                Vec::new()
            }
            Change::NotificationDismissed { account, notification } => {
                self.notifications.entry(account).or_default().remove(&notification);
                Vec::new()
            }
            Change::NotificationsCleared { account } => {
                self.notifications.remove(&account);
                Vec::new()
            }
            Change::AppRegistered(app) => {
                self.see(app.id);
                self.clients.insert(app.client_id.clone(), app.id);
                self.apps.insert(app.id, app);
                Vec::new()
            }
            Change::CodeIssued(code) => {
                self.codes.insert(code.code.clone(), (code, at));
                Vec::new()
            }
            Change::TokenIssued { token, code } => {
                self.see(token.id);
                if let Some(code) = code {
                    self.codes.remove(&code);
                }
                self.tokens.insert(token.secret.clone(), (token, at));
                Vec::new()
            }
            Change::TokenRevoked { secret } => {
                self.tokens.remove(&secret);
                Vec::new()
            }
            Change::MediaUploaded(media) => {
                self.see(media.id);
                self.media.insert(media.id, media);
                Vec::new()
            }
        }
    }

    /// Ids given out are never given out again.
    fn see(&mut self, id: Id) {
        self.last_id = self.last_id.max(id.0);
    }

    fn join(&mut self, id: Id, username: String, display_name: String, bot: bool, at: Timestamp) -> Vec<TownEvent> {
        self.see(id);
        self.names.insert(username.to_lowercase(), id);
        let person = Person {
            id,
            first_username: username.clone(),
            username,
            display_name,
            note: String::new(),
            bot,
            locked: false,
            fields: Vec::new(),
            policy: None,
            closed: false,
            joined_at: at,
        };
        self.people.insert(id, person);
        Vec::new()
    }

    fn follow(&mut self, account: Id, target: Id, at: Timestamp) -> Vec<TownEvent> {
        self.follow_requests.remove(&(target, account));
        if !self.following.entry(account).or_default().insert(target) {
            return Vec::new();
        }
        self.followers.entry(target).or_default().insert(account);
        let merged: Vec<Id> = self.by_author.get(&target).into_iter().flatten().rev().copied().take(MERGED_ON_FOLLOW).collect();
        let home = self.homes.entry(account).or_default();
        home.extend(merged.into_iter().filter(|id| {
            self.statuses.get(id).is_some_and(|status| status.visibility != Visibility::Direct && status.in_reply_to.is_none())
        }));
        self.notify(NotificationKind::Follow, target, account, None, at).into_iter().collect()
    }

    fn unfollow(&mut self, account: Id, target: Id) {
        self.follow_requests.remove(&(target, account));
        self.following.entry(account).or_default().remove(&target);
        self.followers.entry(target).or_default().remove(&account);
        if let (Some(home), Some(theirs)) = (self.homes.get_mut(&account), self.by_author.get(&target)) {
            home.retain(|id| !theirs.contains(id));
        }
    }

    fn remember_key(&mut self, author: Id, key: String, status: Id, at: Timestamp) {
        let old = |since: &Timestamp| at.as_second() - since.as_second() >= IDEMPOTENCY_SECONDS;
        while let Some((known, _)) = self.idempotency_age.pop_front_if(|(_, since)| old(since)) {
            // A key used again after its hour stays known.
            if self.idempotency.get(&known).is_some_and(|(_, since)| old(since)) {
                self.idempotency.remove(&known);
            }
        }
        self.idempotency_age.push_back(((author, key.clone()), at));
        self.idempotency.insert((author, key), (status, at));
    }

    fn publish(&mut self, status: Status) -> Vec<TownEvent> {
        self.see(status.id);
        let status = Arc::new(status);
        let at = status.created_at;
        self.statuses.insert(status.id, Arc::clone(&status));
        self.by_author.entry(status.author).or_default().insert(status.id);
        if let Some(replied) = status.in_reply_to {
            self.reactions.entry(replied).or_default().replies.push(status.id);
        }
        if status.reblog_of.is_none() && status.visibility == Visibility::Public {
            if status.in_reply_to_account.is_none_or(|account| account == status.author) {
                self.public.insert(status.id);
            }
            for tag in &status.tags {
                self.tagged.entry(tag.clone()).or_default().insert(status.id);
            }
        }
        let homes = self.homes_for(&status);
        for home in &homes {
            self.homes.entry(*home).or_default().insert(status.id);
        }
        let mut events = vec![TownEvent::Posted(Arc::new(Delivery { status: Arc::clone(&status), homes }))];
        if let Some(boosted) = status.reblog_of {
            self.reactions.entry(boosted).or_default().reblogs.insert(status.author, status.id);
            let owner = self.statuses.get(&boosted).map(|boosted| boosted.author);
            events.extend(owner.and_then(|owner| self.notify(NotificationKind::Reblog, owner, status.author, Some(boosted), at)));
        }
        for mentioned in &status.mentions {
            events.extend(self.notify(NotificationKind::Mention, *mentioned, status.author, Some(status.id), at));
        }
        if status.visibility == Visibility::Direct {
            events.extend(self.converse(&status, at));
        }
        events
    }

    /// Whose home carries a status: its author and the followers it is meant for. Replies to people one does not follow stay out.
    fn homes_for(&self, status: &Status) -> Vec<Id> {
        let followers = self.followers.get(&status.author).into_iter().flatten().copied();
        let reached = followers.filter(|follower| {
            let meant = status.visibility != Visibility::Direct || status.mentions.contains(follower);
            let heard = status
                .in_reply_to_account
                .is_none_or(|account| account == status.author || account == *follower || self.follows(*follower, account));
            meant && heard && *follower != status.author
        });
        std::iter::once(status.author).chain(reached).collect()
    }

    fn edit(&mut self, id: Id, version: Version) -> Vec<TownEvent> {
        let Some(old) = self.statuses.get(&id).cloned() else { return Vec::new() };
        let at = version.at;
        let mut status = (*old).clone();
        status.mentions = self.mentioned(&version.text);
        status.tags = tags(&version.text);
        status.edited_at = Some(at);
        status.before.push(std::mem::replace(&mut status.now, version));
        let status = Arc::new(status);
        self.statuses.insert(id, Arc::clone(&status));
        if status.visibility == Visibility::Public {
            for tag in &old.tags {
                if let Some(tagged) = self.tagged.get_mut(tag) {
                    tagged.remove(&id);
                }
            }
            for tag in &status.tags {
                self.tagged.entry(tag.clone()).or_default().insert(id);
            }
        }
        let homes = self.reached_later(&status);
        let mut events = vec![TownEvent::Edited(Arc::new(Delivery { status: Arc::clone(&status), homes }))];
        let boosters: Vec<Id> =
            self.reactions.get(&id).into_iter().flat_map(|reactions| reactions.reblogs.keys().copied()).collect();
        for booster in boosters {
            events.extend(self.notify(NotificationKind::Update, booster, status.author, Some(id), at));
        }
        let newly: Vec<Id> = status.mentions.iter().filter(|mentioned| !old.mentions.contains(mentioned)).copied().collect();
        for mentioned in &newly {
            events.extend(self.notify(NotificationKind::Mention, *mentioned, status.author, Some(id), at));
        }
        if status.visibility == Visibility::Direct && !newly.is_empty() {
            events.extend(self.converse(&status, at));
        }
        events
    }

    /// Whose stream hears of an edit or a deletion: the homes, and the mentioned.
    fn reached_later(&self, status: &Status) -> Vec<Id> {
        let mut reached: BTreeSet<Id> = self.homes_for(status).into_iter().collect();
        reached.extend(&status.mentions);
        reached.into_iter().collect()
    }

    fn delete(&mut self, id: Id) -> Vec<TownEvent> {
        let Some(old) = self.statuses.get(&id).filter(|status| !status.deleted).cloned() else { return Vec::new() };
        let homes = self.reached_later(&old);
        let mut gravestone = (*old).clone();
        gravestone.deleted = true;
        self.statuses.insert(id, Arc::new(gravestone));
        self.public.remove(&id);
        for tag in &old.tags {
            if let Some(tagged) = self.tagged.get_mut(tag) {
                tagged.remove(&id);
            }
        }
        if let Some(theirs) = self.by_author.get_mut(&old.author) {
            theirs.remove(&id);
        }
        for home in &homes {
            if let Some(home) = self.homes.get_mut(home) {
                home.remove(&id);
            }
        }
        if let Some(reactions) = old.in_reply_to.and_then(|replied| self.reactions.get_mut(&replied)) {
            reactions.replies.retain(|reply| *reply != id);
        }
        if let Some(boosted) = old.reblog_of {
            self.reactions.entry(boosted).or_default().reblogs.remove(&old.author);
            self.forget_notifications(boosted, |notification| {
                notification.kind == NotificationKind::Reblog && notification.from == old.author
            });
        }
        self.forget_notifications(id, |_| true);
        self.leave_conversations(&old);
        let mut events = vec![TownEvent::Deleted(Arc::new(Delivery { status: old, homes }))];
        let boosts = self.reactions.remove(&id).unwrap_or_default().reblogs;
        for boost in boosts.into_values() {
            events.extend(self.delete(boost));
        }
        events
    }

    fn favourite(&mut self, account: Id, status: Id, at: Timestamp) -> Vec<TownEvent> {
        let reactions = self.reactions.entry(status).or_default();
        if reactions.favourites.contains(&account) {
            return Vec::new();
        }
        reactions.favourites.push(account);
        let owner = self.statuses.get(&status).map(|status| status.author);
        owner.and_then(|owner| self.notify(NotificationKind::Favourite, owner, account, Some(status), at)).into_iter().collect()
    }
}

fn tags(written: &str) -> Vec<String> {
    let mut found = Vec::new();
    for piece in text::pieces(written) {
        if let text::Piece::Hashtag { name, .. } = piece {
            let tag = text::normalise_tag(name);
            if !found.contains(&tag) {
                found.push(tag);
            }
        }
    }
    found
}
