//! Verbs on people: join, change one's profile, follow, decide what may arrive.

use super::change::{Change, ProfileUpdate};
use super::model::{Id, Person, Policy};
use super::state::State;
use super::{Refusal, Town};
use crate::clock::Timestamp;

/// The longest handle.
const MAX_USERNAME: usize = 30;

impl Town {
    /// Somebody moves in.
    pub fn join(&self, username: &str, display_name: &str, bot: bool, now: Timestamp) -> Result<Person, Refusal> {
        let mut state = self.write();
        check_name(&state, username)?;
        let id = state.next_id(now);
        let joined = Change::Joined { id, username: username.to_owned(), display_name: display_name.to_owned(), bot };
        self.commit(&mut state, now, vec![joined])?;
        state.person(id).cloned().ok_or(Refusal::NotFound)
    }

    /// Changes a profile.
    pub fn change_profile(&self, account: Id, update: ProfileUpdate, now: Timestamp) -> Result<Person, Refusal> {
        let mut state = self.write();
        state.person(account).ok_or(Refusal::NotFound)?;
        self.commit(&mut state, now, vec![Change::Profile { account, update }])?;
        state.person(account).cloned().ok_or(Refusal::NotFound)
    }

    /// Gives somebody another handle, which Mastodon cannot; other networks can, and identity checks want to see it.
    pub fn rename(&self, account: Id, username: &str, now: Timestamp) -> Result<Person, Refusal> {
        let mut state = self.write();
        state.person(account).ok_or(Refusal::NotFound)?;
        if state.person_named(username).is_none_or(|person| person.id != account) {
            check_name(&state, username)?;
        }
        self.commit(&mut state, now, vec![Change::Renamed { account, username: username.to_owned() }])?;
        state.person(account).cloned().ok_or(Refusal::NotFound)
    }

    /// Follows, or asks to if the other approves followers by hand. Doing it twice is doing it once.
    pub fn follow(&self, account: Id, target: Id, now: Timestamp) -> Result<(), Refusal> {
        let mut state = self.write();
        let locked = state.person(target).ok_or(Refusal::NotFound)?.locked;
        if account == target {
            return Err(Refusal::Forbidden);
        }
        let standing = state.relationship(account, target);
        if standing.following || standing.requested {
            return Ok(());
        }
        let change = if locked { Change::FollowAsked { account, target } } else { Change::Followed { account, target } };
        self.commit(&mut state, now, vec![change])
    }

    /// Follows no longer.
    pub fn unfollow(&self, account: Id, target: Id, now: Timestamp) -> Result<(), Refusal> {
        let mut state = self.write();
        state.person(target).ok_or(Refusal::NotFound)?;
        self.commit(&mut state, now, vec![Change::Unfollowed { account, target }])
    }

    /// `account` lets `asking` follow, or not.
    pub fn answer_follow_request(&self, account: Id, asking: Id, yes: bool, now: Timestamp) -> Result<(), Refusal> {
        let mut state = self.write();
        if !state.relationship(asking, account).requested {
            return Err(Refusal::NotFound);
        }
        let (account, target) = (asking, account);
        let change = if yes { Change::Followed { account, target } } else { Change::FollowRefused { account, target } };
        self.commit(&mut state, now, vec![change])
    }

    /// Sets somebody's notification policy, or with `None` that of everybody who has none.
    pub fn set_policy(&self, account: Option<Id>, policy: Policy, now: Timestamp) -> Result<(), Refusal> {
        self.commit(&mut self.write(), now, vec![Change::Policy { account, policy }])
    }
}

fn check_name(state: &State, username: &str) -> Result<(), Refusal> {
    let fits = !username.is_empty() && username.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !fits {
        return Err(Refusal::BadName("must contain only letters, numbers and underscores".to_owned()));
    }
    if username.len() > MAX_USERNAME {
        return Err(Refusal::BadName(format!("is too long (maximum is {MAX_USERNAME} characters)")));
    }
    if state.person_named(username).is_some() {
        return Err(Refusal::BadName("has already been taken".to_owned()));
    }
    Ok(())
}
