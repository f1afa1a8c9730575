//! The payee directory as an operator writes it: who may be paid, by which handle they are named, under which hashtag they collect.
//!
//! The operator names handles, since people read them; what is kept is the immutable id that a platform says the handle names. Once
//! pinned, a handle stays with that id: if it later names another account, somebody else has taken it over, and the payee is frozen
//! until an operator has looked. Registering the same directory again changes nothing, so every start does it. What a production start
//! may register is decided in [`super::changes`].

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::App;
use super::changes::PinnedAccount;
use crate::entropy::Entropy;
use crate::iban::Iban;
use crate::ids::{AccountId, PayeeId, PlatformName};
use crate::money::Money;
use crate::people::{Campaign, Class, Payee, PayeeIdentity};
use crate::platform::Account;
use crate::store::StoreError;

/// An entry of the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayeeEntry {
    /// The operator's own name for the entry; it never changes, so that an entry read twice is one entry.
    pub slug: String,
    /// The verified legal name.
    pub legal_name: String,
    /// What kind of payee it is.
    pub class: Class,
    /// The verified account.
    pub iban: Iban,
    /// The number in the charities' or companies' registry.
    pub registry_number: Option<String>,
    /// By which handles it is named.
    pub accounts: Vec<PayeeHandle>,
}

/// A payee's handle on a platform: `user` or `user@domain`, without the at sign in front.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayeeHandle {
    /// The connection.
    pub platform: PlatformName,
    /// The handle.
    pub handle: String,
    /// The immutable id that the operator knows it to have; without one, the first that is found is kept.
    pub account: Option<AccountId>,
}

/// A hashtag under which a payee collects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CampaignEntry {
    /// The hashtag, with or without `#`.
    pub tag: String,
    /// What it is called.
    pub title: String,
    /// The slug of the payee that collects.
    pub payee: String,
    /// What it hopes to reach.
    pub goal: Option<Money>,
}

/// Something an operator should know about the directory. None of them stops the others from being registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// The handle was pinned to another account than the one it names now; the payee is frozen.
    #[error("{handle} on {platform} names another account than it did, so the payee {slug} is frozen until it is verified again")]
    Moved {
        /// Which entry.
        slug: String,
        /// Where.
        platform: PlatformName,
        /// Which handle.
        handle: String,
    },
    /// The handle of a new entry names another account than the operator says; it does not lead to the payee.
    #[error("{handle} on {platform} names another account than the configuration says; the payee {slug} cannot be named by it")]
    Another {
        /// Which entry.
        slug: String,
        /// Where.
        platform: PlatformName,
        /// Which handle.
        handle: String,
    },
    /// Nobody has the handle.
    #[error("nobody is called {handle} on {platform}; the payee {slug} cannot be named by it")]
    Nobody {
        /// Which entry.
        slug: String,
        /// Where.
        platform: PlatformName,
        /// Which handle.
        handle: String,
    },
    /// The account speaks for another payee already.
    #[error("{handle} on {platform} belongs to another payee than {slug}")]
    Taken {
        /// Which entry.
        slug: String,
        /// Where.
        platform: PlatformName,
        /// Which handle.
        handle: String,
    },
    /// The platform could not be asked; what was pinned before stays.
    #[error("{handle} of the payee {slug} could not be looked up on {platform}: {why}")]
    NotLookedUp {
        /// Which entry.
        slug: String,
        /// Where.
        platform: PlatformName,
        /// Which handle.
        handle: String,
        /// One sentence.
        why: String,
    },
    /// The campaign names a payee that the directory does not have.
    #[error("the campaign {tag} is of {slug}, which is not in the directory")]
    NoSuchPayee {
        /// Which campaign.
        tag: String,
        /// The payee it names.
        slug: String,
    },
}

/// What a handle was found to name.
enum Found {
    Account(AccountId),
    Nobody,
    NotAsked(String),
}

/// Registers payees and campaigns, and tells what an operator should know. The platforms are asked first, then everything is
/// written in one transaction.
pub async fn register(app: &App, payees: &[PayeeEntry], campaigns: &[CampaignEntry]) -> Result<Vec<Finding>, StoreError> {
    let mut looked_up = Vec::with_capacity(payees.len());
    for entry in payees {
        let mut found = Vec::with_capacity(entry.accounts.len());
        for account in &entry.accounts {
            found.push(look_up(app, account).await);
        }
        looked_up.push(found);
    }
    let mut findings = Vec::new();
    let mut ids: HashMap<&str, PayeeId> = HashMap::with_capacity(payees.len());
    let mut tx = app.store.begin().await?;
    for (entry, found) in payees.iter().zip(looked_up) {
        let id = tx.save_payee(&entry.slug, &entry.as_payee(app)).await?;
        for (account, found) in entry.accounts.iter().zip(found) {
            let PayeeHandle { platform, handle, account: expected } = account.clone();
            let slug = entry.slug.clone();
            let account = match found {
                Found::Account(account) => account,
                Found::Nobody => {
                    findings.push(Finding::Nobody { slug, platform, handle });
                    continue;
                }
                Found::NotAsked(why) => {
                    findings.push(Finding::NotLookedUp { slug, platform, handle, why });
                    continue;
                }
            };
            let pinned = tx.pinned_account(&platform, &id, &handle).await?;
            if expected.or(pinned).is_some_and(|known| known != account) {
                tx.freeze_payee(&id, "a handle of it names another account than it did", app.clock.now()).await?;
                findings.push(Finding::Moved { slug, platform, handle });
                continue;
            }
            let identity = PayeeIdentity { platform, account, handle, payee: id.clone() };
            if !tx.save_payee_identity(&identity).await? {
                findings.push(Finding::Taken { slug, platform: identity.platform, handle: identity.handle });
            }
        }
        ids.insert(&entry.slug, id);
    }
    for campaign in campaigns {
        let tag = folded(&campaign.tag);
        match ids.get(campaign.payee.as_str()) {
            Some(payee) => {
                let title = campaign.title.clone();
                tx.save_campaign(&Campaign { tag, title, payee: payee.clone(), goal: campaign.goal }).await?;
            }
            None => findings.push(Finding::NoSuchPayee { tag, slug: campaign.payee.clone() }),
        }
    }
    tx.commit().await?;
    Ok(findings)
}

/// Takes out of the directory whoever is not in it any more: what an operator has struck from the configuration is not payable.
pub async fn withdraw_all_but(app: &App, payees: &[PayeeEntry], campaigns: &[CampaignEntry]) -> Result<u64, StoreError> {
    let slugs: Vec<&str> = payees.iter().map(|entry| entry.slug.as_str()).collect();
    let tags: Vec<String> = campaigns.iter().map(|entry| folded(&entry.tag)).collect();
    let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    let mut tx = app.store.begin().await?;
    let withdrawn = tx.withdraw_all_but(&slugs, &tags).await?;
    tx.commit().await?;
    Ok(withdrawn)
}

impl PayeeEntry {
    /// The entry as it is stored if it is new; one that exists keeps its id and its frozen mark.
    fn as_payee(&self, app: &App) -> Payee {
        let entropy: &dyn Entropy = app.entropy.as_ref();
        Payee {
            id: PayeeId::new(app.clock.now(), entropy),
            legal_name: self.legal_name.clone(),
            class: self.class,
            iban: self.iban.clone(),
            registry_number: self.registry_number.clone(),
            frozen: false,
        }
    }
}

/// The accounts that a new entry's handles name, and what an operator should know about the others. Writes nothing.
pub(super) async fn pin(app: &App, entry: &PayeeEntry) -> (Vec<PinnedAccount>, Vec<Finding>) {
    let (mut pinned, mut findings) = (Vec::with_capacity(entry.accounts.len()), Vec::new());
    for named in &entry.accounts {
        let PayeeHandle { platform, handle, account: expected } = named.clone();
        let slug = entry.slug.clone();
        match look_up(app, named).await {
            Found::Account(account) if expected.as_ref().is_none_or(|expected| *expected == account) => {
                pinned.push(PinnedAccount { platform, account, handle });
            }
            Found::Account(_) => findings.push(Finding::Another { slug, platform, handle }),
            Found::Nobody => findings.push(Finding::Nobody { slug, platform, handle }),
            Found::NotAsked(why) => findings.push(Finding::NotLookedUp { slug, platform, handle, why }),
        }
    }
    (pinned, findings)
}

/// An account of a payee, as it is stored.
pub(super) fn identity(account: &PinnedAccount, payee: PayeeId) -> PayeeIdentity {
    let PinnedAccount { platform, account, handle } = account.clone();
    PayeeIdentity { platform, account, handle, payee }
}

/// The campaign with its hashtag as the store has it.
pub(super) fn as_stored(campaign: &CampaignEntry) -> CampaignEntry {
    CampaignEntry { tag: folded(&campaign.tag), ..campaign.clone() }
}

async fn look_up(app: &App, account: &PayeeHandle) -> Found {
    let Some(platform) = app.platforms.get(&account.platform) else {
        return Found::NotAsked("no platform of this name is connected".to_owned());
    };
    match platform.look_up(&account.handle).await {
        Ok(Some(Account { id, .. })) => Found::Account(id),
        Ok(None) => Found::Nobody,
        Err(error) => Found::NotAsked(error.to_string()),
    }
}

/// The hashtag as the order language folds it.
fn folded(tag: &str) -> String {
    crate::language::fold(tag.trim_start_matches(['#', '＃']))
}
