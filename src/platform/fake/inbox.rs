//! Verbs on what arrived: dismiss notifications, read and hide conversations.

use std::sync::Arc;

use super::change::Change;
use super::model::{Id, Notification};
use super::{Refusal, Town};
use crate::clock::Timestamp;

impl Town {
    /// Takes one notification off somebody's list.
    pub fn dismiss(&self, account: Id, notification: Id, now: Timestamp) -> Result<Arc<Notification>, Refusal> {
        let mut state = self.write();
        let told = Arc::clone(state.notification(account, notification).ok_or(Refusal::NotFound)?);
        self.commit(&mut state, now, vec![Change::NotificationDismissed { account, notification }])?;
        Ok(told)
    }

    /// Empties somebody's list of notifications.
    pub fn clear_notifications(&self, account: Id, now: Timestamp) -> Result<(), Refusal> {
        self.commit(&mut self.write(), now, vec![Change::NotificationsCleared { account }])
    }

    /// Marks a conversation as read.
    pub fn read_conversation(&self, account: Id, conversation: Id, now: Timestamp) -> Result<(), Refusal> {
        let mut state = self.write();
        state.conversation(account, conversation).ok_or(Refusal::NotFound)?;
        self.commit(&mut state, now, vec![Change::ConversationRead { conversation }])
    }

    /// Takes a conversation off somebody's list; its statuses stay.
    pub fn hide_conversation(&self, account: Id, conversation: Id, now: Timestamp) -> Result<(), Refusal> {
        let mut state = self.write();
        state.conversation(account, conversation).ok_or(Refusal::NotFound)?;
        self.commit(&mut state, now, vec![Change::ConversationHidden { conversation }])
    }
}
