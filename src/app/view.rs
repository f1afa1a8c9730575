//! What pages show: reading only, nothing here decides anything.

use super::App;
use crate::ids::{AccountId, OrderId, PlatformName};
use crate::money::Money;
use crate::order::Order;
use crate::people::{Campaign, Payee, PayeeIdentity};
use crate::store::StoreError;
use crate::store::reports::{CampaignTotal, StandingCount};

/// A campaign as its page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CampaignView {
    /// The campaign.
    pub campaign: Campaign,
    /// Who collects.
    pub payee: Payee,
    /// The payee's account on one of the connected platforms, to name it in a post.
    pub identity: Option<PayeeIdentity>,
    /// What it has brought in.
    pub total: CampaignTotal,
}

/// One order.
pub async fn order(app: &App, id: &OrderId) -> Result<Option<Order>, StoreError> {
    app.store.begin_reading().await?.order(id).await
}

/// The newest orders, newest first.
pub async fn newest_orders(app: &App, at_most: i64) -> Result<Vec<Order>, StoreError> {
    app.store.begin_reading().await?.newest_orders(None, at_most).await
}

/// How many orders stand how.
pub async fn standings(app: &App) -> Result<Vec<StandingCount>, StoreError> {
    app.store.begin_reading().await?.standings().await
}

/// The sum of everything settled, in the currency that the limits are in.
pub async fn settled_total(app: &App) -> Result<Money, StoreError> {
    app.store.begin_reading().await?.settled_total(app.policy.limits.currency).await
}

/// Effects that wait and orders that are not at their end; both zero means there is nothing left to do.
pub async fn unfinished(app: &App) -> Result<(i64, i64), StoreError> {
    app.store.begin_reading().await?.unfinished().await
}

/// Whether an account of a platform is linked to somebody.
pub async fn is_linked(app: &App, platform: &PlatformName, account: &AccountId) -> Result<bool, StoreError> {
    Ok(app.store.begin_reading().await?.person_of(platform, account).await?.is_some())
}

/// Every campaign with what it has brought in, by hashtag.
pub async fn campaigns(app: &App) -> Result<Vec<CampaignView>, StoreError> {
    let mut platforms: Vec<&PlatformName> = app.platforms.keys().collect();
    platforms.sort();
    let mut tx = app.store.begin_reading().await?;
    let mut views: Vec<CampaignView> = Vec::new();
    for platform in platforms {
        for (campaign, payee, identity) in tx.campaigns(platform).await? {
            match views.iter_mut().find(|view| view.campaign.tag == campaign.tag) {
                Some(view) => view.identity = view.identity.take().or(identity),
                None => {
                    let currency = campaign.goal.map_or(app.policy.limits.currency, |goal| goal.currency);
                    let total = tx.campaign_total(&campaign.tag, currency).await?;
                    views.push(CampaignView { campaign, payee, identity, total });
                }
            }
        }
    }
    Ok(views)
}

/// One campaign by its hashtag, as the order language folds it.
pub async fn campaign(app: &App, tag: &str) -> Result<Option<CampaignView>, StoreError> {
    Ok(campaigns(app).await?.into_iter().find(|view| view.campaign.tag == tag))
}
