//! Verbs on statuses: publish, edit, delete, boost, favourite; and attachments to come with them.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::absorb::IDEMPOTENCY_SECONDS;
use super::change::Change;
use super::limits::Family;
use super::model::{Id, Media, Status, Visibility};
use super::state::State;
use super::{Refusal, Town, held, text};
use crate::clock::Timestamp;

/// The longest status.
pub const MAX_CHARACTERS: usize = 500;
/// Attachments of one status.
const MAX_MEDIA: usize = 4;

/// A status to be.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// What is written.
    pub text: String,
    /// Who may see it; public if not said.
    pub visibility: Option<Visibility>,
    /// What it answers.
    pub in_reply_to: Option<Id>,
    /// A content warning.
    pub spoiler_text: String,
    /// Hidden behind the warning.
    pub sensitive: bool,
    /// Language code.
    pub language: Option<String>,
    /// Attached media.
    pub media: Vec<Id>,
    /// If given, nobody else may be mentioned.
    pub allowed_mentions: Option<Vec<Id>>,
    /// The same key within an hour is the same status.
    pub idempotency_key: Option<String>,
    /// The application it is written with.
    pub application: Option<Id>,
}

/// What an edit replaces; `None` leaves as it is.
#[derive(Debug, Clone, Default)]
pub struct Revision {
    /// The new text.
    pub text: Option<String>,
    /// The new warning.
    pub spoiler_text: Option<String>,
    /// Hidden or not.
    pub sensitive: Option<bool>,
    /// The new attachments.
    pub media: Option<Vec<Id>>,
}

impl Town {
    /// Publishes a status. With a known idempotency key it answers the status of then.
    pub fn post(&self, author: Id, draft: Draft, now: Timestamp) -> Result<Arc<Status>, Refusal> {
        let mut state = self.write();
        state.person(author).ok_or(Refusal::NotFound)?;
        if let Some(known) = draft.idempotency_key.as_ref().and_then(|key| state.idempotency.get(&(author, key.clone())))
            && now.as_second() - known.1.as_second() < IDEMPOTENCY_SECONDS
        {
            return state.status(known.0).cloned().ok_or(Refusal::NotFound);
        }
        check_content(&state, author, &draft.text, &draft.spoiler_text, &draft.media)?;
        if let Some(replied) = draft.in_reply_to {
            state.visible_status(replied, Some(author)).ok_or(Refusal::NotFound)?;
        }
        if let Some(allowed) = &draft.allowed_mentions {
            let unexpected: Vec<Id> = state.mentioned(&draft.text).into_iter().filter(|id| !allowed.contains(id)).collect();
            if !unexpected.is_empty() {
                return Err(Refusal::UnexpectedMentions(unexpected));
            }
        }
        self.take_status(author, now)?;
        let id = state.next_id(now);
        let posted = Change::Posted {
            id,
            author,
            text: draft.text,
            spoiler_text: draft.spoiler_text,
            sensitive: draft.sensitive,
            visibility: draft.visibility.unwrap_or(Visibility::Public),
            language: draft.language,
            in_reply_to: draft.in_reply_to,
            media: draft.media,
            application: draft.application,
            idempotency_key: draft.idempotency_key,
        };
        self.commit(&mut state, now, vec![posted])?;
        state.status(id).cloned().ok_or(Refusal::NotFound)
    }

    /// Edits a status in place. An edit that changes nothing is none.
    pub fn edit(&self, author: Id, status: Id, revision: Revision, now: Timestamp) -> Result<Arc<Status>, Refusal> {
        let mut state = self.write();
        let old = own(&state, author, status)?;
        let text = revision.text.unwrap_or_else(|| old.now.text.clone());
        let spoiler_text = revision.spoiler_text.unwrap_or_else(|| old.now.spoiler_text.clone());
        let sensitive = revision.sensitive.unwrap_or(old.now.sensitive);
        let media = revision.media.unwrap_or_else(|| old.now.media.clone());
        check_content(&state, author, &text, &spoiler_text, &media)?;
        if (&text, &spoiler_text, sensitive, &media) == (&old.now.text, &old.now.spoiler_text, old.now.sensitive, &old.now.media) {
            return Ok(old);
        }
        self.commit(&mut state, now, vec![Change::Edited { status, text, spoiler_text, sensitive, media }])?;
        state.status(status).cloned().ok_or(Refusal::NotFound)
    }

    /// Deletes a status and every boost of it; answers what it was.
    pub fn delete(&self, author: Id, status: Id, now: Timestamp) -> Result<Arc<Status>, Refusal> {
        let mut state = self.write();
        let old = own(&state, author, status)?;
        self.commit(&mut state, now, vec![Change::Deleted { status }])?;
        Ok(old)
    }

    /// Boosts a status; boosting twice is boosting once. Answers the boost.
    pub fn reblog(&self, account: Id, status: Id, visibility: Option<Visibility>, now: Timestamp) -> Result<Arc<Status>, Refusal> {
        let mut state = self.write();
        let seen = state.visible_status(status, Some(account)).ok_or(Refusal::NotFound)?;
        let boosted = match seen.reblog_of {
            Some(original) => Arc::clone(state.visible_status(original, Some(account)).ok_or(Refusal::NotFound)?),
            None => Arc::clone(seen),
        };
        if !state.may_boost(&boosted, account) {
            return Err(Refusal::Forbidden);
        }
        let earlier = state.reactions(boosted.id).and_then(|reactions| reactions.reblogs.get(&account)).copied();
        if let Some(earlier) = earlier {
            return state.status(earlier).cloned().ok_or(Refusal::NotFound);
        }
        self.take_status(account, now)?;
        let id = state.next_id(now);
        let visibility =
            if boosted.visibility == Visibility::Private { Visibility::Private } else { visibility.unwrap_or(Visibility::Public) };
        self.commit(&mut state, now, vec![Change::Reblogged { id, author: account, of: boosted.id, visibility }])?;
        state.status(id).cloned().ok_or(Refusal::NotFound)
    }

    /// Takes a boost back; answers the status boosted.
    pub fn unreblog(&self, account: Id, status: Id, now: Timestamp) -> Result<Arc<Status>, Refusal> {
        let mut state = self.write();
        let seen = Arc::clone(state.visible_status(status, Some(account)).ok_or(Refusal::NotFound)?);
        let boost = state.reactions(status).and_then(|reactions| reactions.reblogs.get(&account)).copied();
        if let Some(boost) = boost {
            self.commit(&mut state, now, vec![Change::Deleted { status: boost }])?;
        }
        Ok(seen)
    }

    /// Favourites a status.
    pub fn favourite(&self, account: Id, status: Id, now: Timestamp) -> Result<Arc<Status>, Refusal> {
        self.react(account, status, now, |account, status| Change::Favourited { account, status })
    }

    /// Takes a favourite back.
    pub fn unfavourite(&self, account: Id, status: Id, now: Timestamp) -> Result<Arc<Status>, Refusal> {
        self.react(account, status, now, |account, status| Change::Unfavourited { account, status })
    }

    fn react(
        &self,
        account: Id,
        status: Id,
        now: Timestamp,
        change: impl FnOnce(Id, Id) -> Change,
    ) -> Result<Arc<Status>, Refusal> {
        let mut state = self.write();
        let seen = Arc::clone(state.visible_status(status, Some(account)).ok_or(Refusal::NotFound)?);
        self.commit(&mut state, now, vec![change(account, status)])?;
        Ok(seen)
    }

    /// Keeps an attachment's description.
    pub fn upload(&self, owner: Id, mime: String, description: Option<String>, now: Timestamp) -> Result<Media, Refusal> {
        let mut state = self.write();
        let media = Media { id: state.next_id(now), owner, mime, description };
        self.commit(&mut state, now, vec![Change::MediaUploaded(media.clone())])?;
        Ok(media)
    }

    fn take_status(&self, author: Id, now: Timestamp) -> Result<(), Refusal> {
        let mut counters = held(&self.counters);
        let quota = counters.quota(Family::Statuses, author.0, now);
        if quota.remaining == 0 {
            return Err(Refusal::TooMany(quota));
        }
        counters.count(Family::Statuses, author.0, now);
        Ok(())
    }
}

fn own(state: &State, author: Id, status: Id) -> Result<Arc<Status>, Refusal> {
    state.status(status).filter(|status| status.author == author).cloned().ok_or(Refusal::NotFound)
}

fn check_content(state: &State, author: Id, text: &str, spoiler_text: &str, media: &[Id]) -> Result<(), Refusal> {
    if text.trim().is_empty() && media.is_empty() {
        return Err(Refusal::Invalid("Validation failed: Text can't be blank".to_owned()));
    }
    if text::counted_length(text) + spoiler_text.chars().count() > MAX_CHARACTERS {
        return Err(Refusal::Invalid(format!("Validation failed: Text character limit of {MAX_CHARACTERS} exceeded")));
    }
    let distinct: BTreeSet<&Id> = media.iter().collect();
    if distinct.len() > MAX_MEDIA {
        return Err(Refusal::Invalid(format!("Cannot attach more than {MAX_MEDIA} files")));
    }
    if !distinct.iter().all(|id| state.media(**id).is_some_and(|media| media.owner == author)) {
        return Err(Refusal::Invalid("Validation failed: Media ids are unknown".to_owned()));
    }
    Ok(())
}
