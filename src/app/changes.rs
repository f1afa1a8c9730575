//! Changes of the directory and the limits, which two different operators have to approve.
//!
//! Operators edit the configuration. What a start finds there is compared with what is in force: a payee's account, legal name, class
//! or registry number that differ, a payee that is new, a campaign that moves to another payee, and other limits do not take effect
//! but become proposals; until two operators have approved one, what was in force stays in force, and a new payee is not payable.
//! What only narrows (a payee or campaign struck out) and what names an approved payee in one more way (a handle, a new campaign)
//! takes effect at once. The very first start, on a store with neither payee nor order, takes everything as it stands.

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::App;
use super::desk::Desk;
use super::directory::{self, CampaignEntry, Finding, PayeeEntry};
use super::operate::SERVICE;
use crate::iban::Iban;
use crate::ids::{AccountId, ApplicationId, ChangeId, PayeeId, PlatformName};
use crate::money::Money;
use crate::order::Limits;
use crate::people::{Campaign, Class, Payee, PayeeIdentity};
use crate::store::operators::PayeeRow;
use crate::store::{Store, StoreError};

/// A change as it is proposed, whole: approving it needs nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// A payee that is new, or whose entry is another than before.
    Payee {
        /// The directory's name for it.
        slug: String,
        /// The verified legal name.
        legal_name: String,
        /// What kind.
        class: Class,
        /// The verified account.
        iban: Iban,
        /// The number in the registry.
        registry_number: Option<String>,
        /// What a new one is named by, looked up already.
        accounts: Vec<PinnedAccount>,
        /// What a new one collects for.
        campaigns: Vec<CampaignEntry>,
        /// What differs from what is in force; empty for a new one. For people; no account number whole.
        differs: Vec<String>,
    },
    /// A campaign that moves to another payee.
    Campaign {
        /// It, with the new payee.
        campaign: CampaignEntry,
        /// Who collects now.
        from: String,
    },
    /// Other limits.
    Limits {
        /// All of them.
        limits: Limits,
    },
    /// Somebody who applied on the page becomes a payee.
    Applicant {
        /// Their application.
        application: ApplicationId,
        /// The directory's name for it.
        slug: String,
        /// The verified legal name.
        legal_name: String,
        /// What kind.
        class: Class,
        /// The verified account.
        iban: Iban,
        /// The number in the registry.
        registry_number: Option<String>,
        /// By whom it is named.
        account: PinnedAccount,
        /// The document that proves the account, in the words of who saw it.
        proof: String,
    },
    /// A frozen payee may be paid again.
    Release {
        /// The directory's name for it.
        payee: String,
    },
}

/// An account of a payee on a platform, by its immutable id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinnedAccount {
    /// The connection.
    pub platform: PlatformName,
    /// The id there.
    pub account: AccountId,
    /// The handle it had.
    pub handle: String,
}

/// About what a proposal to release a payee is.
pub(super) fn release_of(slug: &str) -> String {
    format!("release:{slug}")
}

impl Change {
    /// About what it is; one proposal for each waits at a time.
    pub(super) fn subject(&self) -> String {
        match self {
            Change::Payee { slug, .. } | Change::Applicant { slug, .. } => format!("payee:{slug}"),
            Change::Campaign { campaign, .. } => format!("campaign:{}", campaign.tag),
            Change::Limits { .. } => "limits".to_owned(),
            Change::Release { payee } => release_of(payee),
        }
    }

    pub(super) fn read(data: &str) -> Result<Self, StoreError> {
        serde_json::from_str(data).map_err(|error| StoreError::Meaningless { column: "data", why: error.to_string() })
    }

    pub(super) fn write(&self) -> Result<String, StoreError> {
        serde_json::to_string(self).map_err(|error| StoreError::Meaningless { column: "data", why: error.to_string() })
    }

    /// The change for the chain of acts: whole, but for account numbers.
    pub(super) fn masked(&self) -> serde_json::Value {
        let mut value = json!(self);
        if let Change::Payee { iban, .. } | Change::Applicant { iban, .. } = self {
            value["iban"] = json!(iban.masked());
        }
        value
    }
}

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Payee { slug, legal_name, class, iban, differs, .. } if differs.is_empty() => {
                write!(formatter, "new payee {slug}: {legal_name} ({}), account {}", class.as_str(), iban.masked())
            }
            Change::Applicant { slug, legal_name, class, iban, account, proof, .. } => write!(
                formatter,
                "new payee {slug}, who applied: {legal_name} ({}), account {}, {} on {}; account proved by: {proof}",
                class.as_str(),
                iban.masked(),
                account.handle,
                account.platform,
            ),
            Change::Payee { slug, differs, .. } => write!(formatter, "payee {slug}: {}", differs.join("; ")),
            Change::Campaign { campaign, from } => {
                write!(formatter, "campaign {} moves from {from} to {}", campaign.tag, campaign.payee)
            }
            Change::Limits { limits } => {
                let Limits { low_value_order_minor, low_value_sum_minor, low_value_count, .. } = limits;
                let Limits { to_person_minor, to_organisation_minor, rolling_day_minor, open_orders, currency, .. } = limits;
                write!(
                    formatter,
                    "limits: by code {} an order and {} or {low_value_count} orders in all, to a person {}, to an organisation {}, \
                     in 24 hours {}, {open_orders} open orders",
                    Money::new(*low_value_order_minor, *currency),
                    Money::new(*low_value_sum_minor, *currency),
                    Money::new(*to_person_minor, *currency),
                    Money::new(*to_organisation_minor, *currency),
                    Money::new(*rolling_day_minor, *currency),
                )
            }
            Change::Release { payee } => write!(formatter, "payee {payee} may be paid again"),
        }
    }
}

/// Lets a change that two operators approved take effect. `Err`: it cannot, and nothing has changed.
pub(super) async fn apply(desk: &mut Desk<'_>, change: &Change) -> Result<Result<String, String>, StoreError> {
    match change {
        Change::Payee { slug, legal_name, class, iban, registry_number, accounts, campaigns, .. } => {
            let id = PayeeId::new(desk.now, desk.app.entropy.as_ref());
            let (legal_name, iban, registry_number) = (legal_name.clone(), iban.clone(), registry_number.clone());
            let entry = Payee { id, legal_name, class: *class, iban, registry_number, frozen: false };
            let payee = desk.tx.save_payee(slug, &entry).await?;
            let mut taken = Vec::new();
            for PinnedAccount { platform, account, handle } in accounts.iter().cloned() {
                let identity = PayeeIdentity { platform, account, handle, payee: payee.clone() };
                if !desk.tx.save_payee_identity(&identity).await? {
                    taken.push(identity.handle);
                }
            }
            for CampaignEntry { tag, title, goal, .. } in campaigns.iter().cloned() {
                desk.tx.save_campaign(&Campaign { tag, title, payee: payee.clone(), goal }).await?;
            }
            let but = if taken.is_empty() { String::new() } else { format!(", but {} is another payee's", taken.join(", ")) };
            Ok(Ok(format!("in force: payee {slug}{but}")))
        }
        Change::Applicant { slug, legal_name, class, iban, registry_number, account, proof, .. } => {
            let id = PayeeId::new(desk.now, desk.app.entropy.as_ref());
            let (legal_name, iban, registry_number) = (legal_name.clone(), iban.clone(), registry_number.clone());
            let entry = Payee { id, legal_name, class: *class, iban, registry_number, frozen: false };
            super::apply::enter(desk, slug, entry, account, "application", proof).await
        }
        Change::Campaign { campaign, .. } => {
            let CampaignEntry { tag, title, payee: slug, goal } = campaign.clone();
            let Some(row) = desk.tx.payee_named(&slug).await? else {
                return Ok(Err(format!("the directory has no payee called {slug}; approve the payee first")));
            };
            desk.tx.save_campaign(&Campaign { tag: tag.clone(), title, payee: row.payee.id, goal }).await?;
            Ok(Ok(format!("in force: campaign {tag} is of {slug}")))
        }
        Change::Limits { limits } => {
            desk.tx.save_limits(&json!(limits).to_string()).await?;
            Ok(Ok("in force: each node takes the limits over within seconds".to_owned()))
        }
        Change::Release { payee } => {
            desk.tx.unfreeze_payee(payee).await?;
            Ok(Ok(format!("in force: payee:{payee} may be paid again")))
        }
    }
}

/// The limits in force, once any were written down. They are read before an application is put together, and again and again ([`super::in_force`]).
pub async fn limits_in_force(store: &Store) -> Result<Option<Limits>, StoreError> {
    let stored = store.begin_reading().await?.limits_in_force().await?;
    let read = |text: String| {
        serde_json::from_str(&text).map_err(|error| StoreError::Meaningless { column: "value", why: format!("limits: {error}") })
    };
    stored.map(read).transpose()
}

/// What became of a configuration.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// What an operator should know about the directory.
    pub findings: Vec<Finding>,
    /// Proposals that are new with this start, each with its id.
    pub proposed: Vec<(ChangeId, Change)>,
    /// How many proposals wait, new ones included.
    pub waiting: usize,
}

/// Takes a production configuration: what may take effect does, everything else is proposed.
pub async fn take_configuration(
    app: &App,
    payees: &[PayeeEntry],
    campaigns: &[CampaignEntry],
    limits: &Limits,
) -> Result<Taken, StoreError> {
    let mut tx = app.store.begin_reading().await?;
    let untouched = tx.is_untouched().await?;
    let known: HashMap<String, PayeeRow> = tx.payee_rows(false).await?.into_iter().map(|row| (row.slug.clone(), row)).collect();
    drop(tx);
    if untouched {
        let findings = directory::register(app, payees, campaigns).await?;
        begin_limits(app, limits, "first start").await?;
        return Ok(Taken { findings, ..Taken::default() });
    }
    if limits_in_force(&app.store).await?.is_none() {
        begin_limits(app, limits, "first start that keeps them").await?;
    }

    let mut changes = Vec::new();
    let mut in_force = Vec::with_capacity(payees.len());
    let mut findings = Vec::new();
    for entry in payees {
        match known.get(&entry.slug) {
            Some(row) => {
                let differs = differences(row, entry);
                if !differs.is_empty() {
                    changes.push(changed_payee(entry, Vec::new(), Vec::new(), differs));
                }
                in_force.push(as_in_force(row, entry));
            }
            None => {
                let (accounts, mut found) = directory::pin(app, entry).await;
                findings.append(&mut found);
                let own = campaigns.iter().filter(|campaign| campaign.payee == entry.slug).map(directory::as_stored);
                changes.push(changed_payee(entry, accounts, own.collect(), Vec::new()));
            }
        }
    }
    let mut campaigns_in_force = Vec::with_capacity(campaigns.len());
    for campaign in campaigns.iter().map(directory::as_stored) {
        let now = app.store.begin_reading().await?.campaign_named(&campaign.tag).await?;
        match now {
            Some((_, slug)) if slug != campaign.payee => changes.push(Change::Campaign { campaign, from: slug }),
            // A new payee's campaigns come with it.
            _ if !known.contains_key(&campaign.payee) => {}
            _ => campaigns_in_force.push(campaign),
        }
    }
    if limits_in_force(&app.store).await?.is_some_and(|in_force| in_force != *limits) {
        changes.push(Change::Limits { limits: limits.clone() });
    }
    findings.append(&mut directory::register(app, &in_force, &campaigns_in_force).await?);
    let (proposed, waiting) = propose(app, changes).await?;
    Ok(Taken { findings, proposed, waiting })
}

/// Writes down the limits of a store that has none yet.
async fn begin_limits(app: &App, limits: &Limits, why: &str) -> Result<(), StoreError> {
    let mut tx = app.store.begin().await?;
    let limits = json!(limits);
    tx.save_limits(&limits.to_string()).await?;
    let detail = json!({ "limits": limits, "because": why }).to_string();
    tx.write_act(SERVICE, "configuration_taken", "limits", detail, app.clock.now()).await?;
    tx.commit().await
}

/// Proposes what is not proposed yet, and withdraws what the configuration does not say any more. One transaction.
async fn propose(app: &App, changes: Vec<Change>) -> Result<(Vec<(ChangeId, Change)>, usize), StoreError> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let wanted: HashSet<String> = changes.iter().map(Change::subject).collect();
    let mut proposed = Vec::new();
    for change in changes {
        let (id, subject) = (ChangeId::new(now, app.entropy.as_ref()), change.subject());
        if let Some(id) = tx.propose_change(&id, &subject, &change.write()?, None, now).await? {
            let detail = json!({ "change": id, "of": change.masked() }).to_string();
            tx.write_act(SERVICE, "change_proposed", &subject, detail, now).await?;
            proposed.push((id, change));
        }
    }
    for open in tx.open_changes().await? {
        let of_configuration = !matches!(Change::read(&open.data)?, Change::Release { .. } | Change::Applicant { .. });
        if of_configuration && !wanted.contains(&open.subject) {
            tx.end_change(&open.id, "withdrawn", now).await?;
            let detail = json!({ "change": open.id }).to_string();
            tx.write_act(SERVICE, "change_withdrawn", &open.subject, detail, now).await?;
        }
    }
    let waiting = tx.open_changes().await?.len();
    tx.commit().await?;
    Ok((proposed, waiting))
}

fn changed_payee(entry: &PayeeEntry, accounts: Vec<PinnedAccount>, campaigns: Vec<CampaignEntry>, differs: Vec<String>) -> Change {
    Change::Payee {
        slug: entry.slug.clone(),
        legal_name: entry.legal_name.clone(),
        class: entry.class,
        iban: entry.iban.clone(),
        registry_number: entry.registry_number.clone(),
        accounts,
        campaigns,
        differs,
    }
}

/// The entry as it is in force, under the handles that the configuration gives it.
fn as_in_force(row: &PayeeRow, entry: &PayeeEntry) -> PayeeEntry {
    PayeeEntry {
        slug: row.slug.clone(),
        legal_name: row.payee.legal_name.clone(),
        class: row.payee.class,
        iban: row.payee.iban.clone(),
        registry_number: row.payee.registry_number.clone(),
        accounts: entry.accounts.clone(),
    }
}

/// What about an entry is another than in force, for people.
fn differences(row: &PayeeRow, entry: &PayeeEntry) -> Vec<String> {
    let Payee { legal_name, class, iban, registry_number, .. } = &row.payee;
    let mut differs = Vec::new();
    if *iban != entry.iban {
        differs.push(format!("account {} becomes {}", iban.masked(), entry.iban.masked()));
    }
    if *legal_name != entry.legal_name {
        differs.push(format!("legal name {legal_name:?} becomes {:?}", entry.legal_name));
    }
    if *class != entry.class {
        differs.push(format!("class {} becomes {}", class.as_str(), entry.class.as_str()));
    }
    if *registry_number != entry.registry_number {
        let word = |number: &Option<String>| number.clone().unwrap_or_else(|| "none".to_owned());
        differs.push(format!("registry number {} becomes {}", word(registry_number), word(&entry.registry_number)));
    }
    differs
}
