//! What pages and reports look at: each one short reading transaction, nothing decided.

use super::App;
use crate::ids::{AccountId, OrderId, PersonId, PlatformName};
use crate::language::Campaigns;
use crate::money::{Currency, Money};
use crate::order::Order;
use crate::people::{Campaign, Payee, PayeeIdentity};
use crate::store::StoreError;
use crate::store::orders::AuditLine;
use crate::store::reports::{CampaignTotal, OutcomeCount, StandingCount};

impl App {
    /// An order.
    pub async fn order(&self, id: &OrderId) -> Result<Option<Order>, StoreError> {
        self.store.begin_reading().await?.order(id).await
    }

    /// The order that a post made.
    pub async fn order_of_post(&self, platform: &PlatformName, native_id: &str) -> Result<Option<Order>, StoreError> {
        let mut tx = self.store.begin_reading().await?;
        match tx.orders_of_posts(platform, &[native_id]).await?.first() {
            Some(id) => tx.order(id).await,
            None => Ok(None),
        }
    }

    /// The orders that posts made, by the platform's short names.
    pub async fn orders_of_posts(&self, platform: &PlatformName, native_ids: &[&str]) -> Result<Vec<Order>, StoreError> {
        let mut tx = self.store.begin_reading().await?;
        let ids = tx.orders_of_posts(platform, native_ids).await?;
        tx.read_orders(&ids.iter().collect::<Vec<_>>()).await
    }

    /// Messages by what became of them.
    pub async fn outcomes(&self) -> Result<Vec<OutcomeCount>, StoreError> {
        self.store.begin_reading().await?.outcomes().await
    }

    /// The registered hashtags as the order language takes them, with the handle that each charity has on a platform.
    pub async fn hashtags(&self, platform: &PlatformName) -> Result<Campaigns, StoreError> {
        let campaigns = self.store.begin_reading().await?.campaigns(platform).await?;
        let handle = |identity: &Option<PayeeIdentity>| identity.as_ref().map(|identity| identity.handle.clone());
        let pairs: Vec<_> = campaigns.iter().map(|(campaign, _, identity)| (campaign.tag.as_str(), handle(identity))).collect();
        Ok(pairs.iter().map(|(tag, handle)| (*tag, handle.as_deref())).collect())
    }

    /// The newest orders, of one payer or of all, newest first.
    pub async fn newest_orders(&self, payer: Option<&PersonId>, at_most: u16) -> Result<Vec<Order>, StoreError> {
        self.store.begin_reading().await?.newest_orders(payer, at_most.into()).await
    }

    /// The history of an order.
    pub async fn history(&self, id: &OrderId) -> Result<Vec<AuditLine>, StoreError> {
        self.store.begin_reading().await?.audit_of(id).await
    }

    /// Whether an account on a platform is linked to a payer.
    pub async fn is_linked(&self, platform: &PlatformName, account: &AccountId) -> Result<bool, StoreError> {
        Ok(self.person_behind(platform, account).await?.is_some())
    }

    /// The payer behind an account on a platform.
    pub async fn person_behind(&self, platform: &PlatformName, account: &AccountId) -> Result<Option<PersonId>, StoreError> {
        self.store.begin_reading().await?.person_of(platform, account).await
    }

    /// Every campaign, with its payee.
    pub async fn campaigns(&self, platform: &PlatformName) -> Result<Vec<(Campaign, Payee)>, StoreError> {
        let campaigns = self.store.begin_reading().await?.campaigns(platform).await?;
        Ok(campaigns.into_iter().map(|(campaign, payee, _)| (campaign, payee)).collect())
    }

    /// What a campaign has brought in.
    pub async fn campaign_total(&self, tag: &str) -> Result<CampaignTotal, StoreError> {
        self.store.begin_reading().await?.campaign_total(tag, self.limits.now().limits.currency).await
    }

    /// Orders by standing.
    pub async fn standings(&self) -> Result<Vec<StandingCount>, StoreError> {
        self.store.begin_reading().await?.standings().await
    }

    /// The sum of all payments that are settled and have not come back.
    pub async fn settled_total(&self, currency: Currency) -> Result<Money, StoreError> {
        self.store.begin_reading().await?.settled_total(currency).await
    }

    /// How many effects and how many orders are not at their end.
    pub async fn unfinished(&self) -> Result<(i64, i64), StoreError> {
        self.store.begin_reading().await?.unfinished().await
    }
}
