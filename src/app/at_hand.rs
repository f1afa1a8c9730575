//! What deliveries have at hand: orders, payers and payees, read for all that was claimed together in one short transaction.
//!
//! Every delivery looks before it acts: whether the message is still right, whether the payee is still payable. Reading for each of them
//! alone costs more than all else a delivery does, so those that were claimed together are read for together, after the claim is
//! committed and right before the calls. What is decided on the strength of it is decided anew in the ledger, on rows that are held.

use std::collections::HashMap;

use super::App;
use crate::ids::{AccountId, OrderId, PayeeId, PersonId, PlatformName};
use crate::order::Order;
use crate::people::{LinkedPayer, Payee};
use crate::store::StoreError;
use crate::store::effects::ClaimedEffect;

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct AtHand {
    orders: HashMap<OrderId, Order>,
    payers: HashMap<AccountId, LinkedPayer>,
    payees: HashMap<PayeeId, Payee>,
    /// Orders that wait for their payer, beside those asked about.
    open: HashMap<PersonId, Vec<Order>>,
}

impl AtHand {
    /// Reads what messages need: the orders, and who their authors are on this platform.
    pub(super) async fn for_messages(app: &App, platform: &PlatformName, claimed: &[ClaimedEffect]) -> Result<Self, StoreError> {
        let ids = orders_of(claimed);
        if ids.is_empty() {
            return Ok(AtHand::default());
        }
        let mut tx = app.store.begin_reading().await?;
        let orders = tx.read_orders(&ids).await?;
        let authors: Vec<&AccountId> = orders.iter().map(|order| &order.source.author).collect();
        let payers = tx.linked_payers(platform, &authors).await?;
        let asking: Vec<&PersonId> = payers
            .iter()
            .filter(|payer| claimed.iter().any(|effect| effect.joins.as_deref() == Some(payer.link.account.as_str())))
            .map(|payer| &payer.person.id)
            .collect();
        let mut open: HashMap<PersonId, Vec<Order>> = HashMap::new();
        let waiting = tx.orders_awaiting_answers(&asking).await?;
        let ids: Vec<&OrderId> = waiting.iter().map(|(_, id)| id).collect();
        for order in tx.read_orders(&ids).await? {
            if let Some(payer) = &order.payer {
                open.entry(payer.person.clone()).or_default().push(order);
            }
        }
        let payers = payers.into_iter().map(|payer| (payer.link.account.clone(), payer)).collect();
        Ok(AtHand { orders: by_id(orders), payers, payees: HashMap::new(), open })
    }

    /// Reads what a bank's calls need: the orders, and their payees as the directory has them now.
    pub(super) async fn for_bank(app: &App, claimed: &[ClaimedEffect]) -> Result<Self, StoreError> {
        let ids = orders_of(claimed);
        if ids.is_empty() {
            return Ok(AtHand::default());
        }
        let mut tx = app.store.begin_reading().await?;
        let orders = tx.read_orders(&ids).await?;
        let payees: Vec<&PayeeId> = orders.iter().flat_map(|order| &order.payments).map(|payment| &payment.payee.id).collect();
        let payees = tx.payees_by_id(&payees).await?.into_iter().map(|payee| (payee.id.clone(), payee)).collect();
        Ok(AtHand { orders: by_id(orders), payees, ..AtHand::default() })
    }

    /// An order that an effect is about.
    pub(super) fn order(&self, id: &OrderId) -> Option<&Order> {
        self.orders.get(id)
    }

    /// The payer behind the author of an order.
    pub(super) fn payer(&self, author: &AccountId) -> Option<&LinkedPayer> {
        self.payers.get(author)
    }

    /// A payer's orders that wait for an answer, if questions to them are among what was claimed.
    pub(super) fn open_orders(&self, payer: &PersonId) -> impl Iterator<Item = &Order> {
        self.open.get(payer).into_iter().flatten()
    }

    /// The directory's entry of a payee.
    pub(super) fn payee(&self, id: &PayeeId) -> Option<&Payee> {
        self.payees.get(id)
    }
}

fn orders_of(claimed: &[ClaimedEffect]) -> Vec<&OrderId> {
    claimed.iter().filter_map(|effect| effect.order.as_ref()).collect()
}

fn by_id(orders: Vec<Order>) -> HashMap<OrderId, Order> {
    orders.into_iter().map(|order| (order.id.clone(), order)).collect()
}
