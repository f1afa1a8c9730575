//! Time passes: orders nobody confirmed and payments nobody submitted come to their end.

use std::time::Duration;

use super::App;
use super::ledger::{Ledger, LedgerError};
use crate::crash::crash_point;
use crate::order::Event;
use crate::store::StoreError;

/// The most orders looked at in one round; the next round follows at once if there were as many.
const ROUND: i64 = 1000;

/// How often the clock is looked at. An expiry is checked again where it matters (in the decision), so this is only politeness.
const INTERVAL: Duration = Duration::from_millis(500);

/// Why a round did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum ExpireError {
    /// The due orders could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An expiry could not be committed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// One round: lets time pass for every order that is due. Gives how many were.
pub async fn expire_due_orders(app: &App, ledger: &Ledger) -> Result<usize, ExpireError> {
    expire_due(app, ledger, ROUND).await
}

/// Lets time pass for the order that has been due for longest, if there is one.
pub(crate) async fn expire_first_due_order(app: &App, ledger: &Ledger) -> Result<usize, ExpireError> {
    expire_due(app, ledger, 1).await
}

async fn expire_due(app: &App, ledger: &Ledger, at_most: i64) -> Result<usize, ExpireError> {
    let mut tx = app.store.begin_reading().await?;
    let due = tx.due_orders(app.clock.now(), at_most).await?;
    drop(tx);
    crash_point!("expire.read", if !due.is_empty(), return Err(StoreError: connection_lost));
    let passing = due.iter().map(|order| ledger.happened(order.clone(), Event::TimePassed));
    futures_util::future::try_join_all(passing).await?;
    crash_point!("expire.committed", if !due.is_empty());
    Ok(due.len())
}

/// Rounds until the process stops.
pub async fn keep_expiring(app: &App, ledger: &Ledger) {
    loop {
        match expire_due_orders(app, ledger).await {
            Ok(found) if found >= usize::try_from(ROUND).unwrap_or(usize::MAX) => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "orders could not be expired; the next round tries again"),
        }
        tokio::time::sleep(INTERVAL).await;
    }
}
