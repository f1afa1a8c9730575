//! A platform that is not connected to anything: it stands where a replay's application has to have one.
//!
//! It hears nothing and sends nothing: what would be sent stays where it was queued. The only thing it can say is which account a
//! handle names, as far as the recordings have told.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::ids::{AccountId, PlatformName};
use crate::platform::{
    Account, Batch, Cursor, ListenError, Network, OutgoingDm, OutgoingReply, Platform, PlatformEvent, SendError, Window,
};

/// The account of a bot whose id no recording tells. No platform gives out an empty one.
const UNKNOWN_ID: &str = "";

/// Messages are cut to fit the platform; here nothing is sent, so this only has to be long enough for every sentence.
const DM_CHARACTERS: usize = 10_000;

/// See the module.
pub struct Offline {
    name: PlatformName,
    network: Network,
    bot: Account,
    known: Mutex<HashMap<String, AccountId>>,
}

impl Offline {
    /// A stand-in for the connection `name` to `network`, as the bot with this handle.
    pub fn new(name: PlatformName, network: Network, bot: &str) -> Self {
        let handle = bot.to_ascii_lowercase();
        let bot = Account { id: AccountId::from(UNKNOWN_ID), display_name: handle.clone(), handle, is_bot: true };
        Offline { name, network, bot, known: Mutex::default() }
    }

    /// Takes note of one handle, if these events tell whom it names: as an author, in a mention, or because of a change. The first that is
    /// told stays. Returns whether it is known now.
    pub fn learn(&self, handle: &str, events: &[PlatformEvent]) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains_key(handle) {
            return true;
        }
        let Some(account) = events.iter().find_map(|event| told(handle, event)) else { return false };
        known.insert(handle.to_owned(), account.clone());
        true
    }
}

fn told<'a>(handle: &str, event: &'a PlatformEvent) -> Option<&'a AccountId> {
    match event {
        PlatformEvent::Posted(post) if post.author.handle == handle => Some(&post.author.id),
        PlatformEvent::Posted(post) => {
            post.mentions.iter().find(|mention| mention.handle == handle).map(|mention| &mention.account)
        }
        PlatformEvent::AccountChanged(account) => (account.handle == handle).then_some(&account.id),
        PlatformEvent::Edited { .. } | PlatformEvent::Deleted { .. } | PlatformEvent::Missed { .. } => None,
    }
}

fn not_sent() -> SendError {
    SendError::Later { after: None, why: "a replay sends nothing".to_owned() }
}

#[async_trait]
impl Platform for Offline {
    fn name(&self) -> &PlatformName {
        &self.name
    }

    fn network(&self) -> Network {
        self.network
    }

    fn bot(&self) -> &Account {
        &self.bot
    }

    fn dm_characters(&self) -> usize {
        DM_CHARACTERS
    }

    fn send_windows(&self) -> Vec<Window> {
        Vec::new()
    }

    async fn listen(&self, _from: Option<Cursor>, events: mpsc::Sender<Batch>) -> Result<(), ListenError> {
        events.closed().await;
        Ok(())
    }

    async fn send_dm(&self, _dm: OutgoingDm<'_>) -> Result<String, SendError> {
        Err(not_sent())
    }

    async fn reply(&self, _reply: OutgoingReply<'_>) -> Result<String, SendError> {
        Err(not_sent())
    }

    async fn look_up(&self, handle: &str) -> Result<Option<Account>, SendError> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(known.get(handle).map(|id| Account {
            id: id.clone(),
            handle: handle.to_owned(),
            display_name: handle.to_owned(),
            is_bot: false,
        }))
    }
}
