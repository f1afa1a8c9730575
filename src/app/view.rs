//! Campaigns as pages show them: reading only, nothing here decides anything.

use super::App;
use crate::ids::PlatformName;
use crate::people::{Campaign, Payee, PayeeIdentity};
use crate::store::StoreError;
use crate::store::reports::CampaignTotal;

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
                    let currency = campaign.goal.map_or(app.limits.now().limits.currency, |goal| goal.currency);
                    let total = tx.campaign_total(&campaign.tag, currency).await?;
                    views.push(CampaignView { campaign, payee, identity, total });
                }
            }
        }
    }
    Ok(views)
}

/// Every campaign's hashtag, with its payee's handle on a platform if there is one: what a text is read with there.
pub async fn campaign_tags(app: &App, platform: &PlatformName) -> Result<Vec<(String, Option<String>)>, StoreError> {
    let mut tx = app.store.begin_reading().await?;
    let campaigns = tx.campaigns(platform).await?;
    Ok(campaigns.into_iter().map(|(campaign, _, identity)| (campaign.tag, identity.map(|identity| identity.handle))).collect())
}

/// One campaign by its hashtag, as the order language folds it.
pub async fn campaign(app: &App, tag: &str) -> Result<Option<CampaignView>, StoreError> {
    Ok(campaigns(app).await?.into_iter().find(|view| view.campaign.tag == tag))
}
