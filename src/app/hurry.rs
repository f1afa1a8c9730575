//! Hurry: somebody says that something may have happened at the bank. It sets no state; it only brings the next question forward.
//!
//! A callback, and a payer's browser that comes back from the bank's page, prove nothing: whoever knows the address can call it.
//! So all they do is have the bank asked now instead of later, and the bank's own answer decides.

use super::App;
use super::task::bank_lane;
use crate::crash::crash_point;
use crate::ids::OrderId;
use crate::store::StoreError;

impl App {
    /// Asks the bank about an order's payments now, if it is to be asked at all. Gives how many questions were brought forward.
    pub async fn hurry(&self, order: &OrderId) -> Result<u64, StoreError> {
        crash_point!("callback.received", return Err(StoreError: connection_lost));
        #[cfg(feature = "planted-bugs")]
        if crate::planted::planted!("callback_believed") {
            return believe(self, order).await;
        }
        let mut tx = self.store.begin().await?;
        let Some(bank) = tx.order(order).await?.and_then(|order| order.payer).map(|payer| payer.bank) else { return Ok(0) };
        let lane = bank_lane(&bank);
        let hurried = tx.hurry_effects(order, &lane, "ask_bank", self.clock.now()).await?;
        crash_point!("callback.before_commit", return Err(StoreError: disk_full));
        tx.commit().await?;
        crash_point!("callback.committed", return Err(StoreError: connection_lost));
        if hurried > 0 {
            self.signals.lane_has_work(&lane);
        }
        Ok(hurried)
    }
}

/// What `callback_believed` plants: a callback about an open payment says that it is settled.
#[cfg(feature = "planted-bugs")]
async fn believe(app: &App, id: &OrderId) -> Result<u64, StoreError> {
    use crate::order::{BankSaid, Event};
    let mut desk = super::desk::Desk::open(app).await?;
    desk.lay_out(std::slice::from_ref(id)).await?;
    let payments: Vec<u16> =
        desk.order(id).map_or_else(Vec::new, |order| order.payments.iter().map(|payment| payment.index).collect());
    for payment in payments {
        let said = BankSaid::Settled { bank_payment_id: None };
        let _ = desk.happen(id, &Event::Bank { payment, said }).await?;
    }
    desk.commit().await?;
    Ok(0)
}
