//! What became of open orders' posts while nobody listened.
//!
//! Few networks replay edits and deletions, and an order whose post was edited or deleted before the payer confirmed it is cancelled. So
//! after every new connection each open order's post is asked for once.

use std::time::Duration;

use super::App;
use super::ledger::Ledger;
use crate::platform::{Batch, Platform, SendError};

/// The most posts that are asked about: more orders than this do not wait at one time, and the oldest of them are about to expire.
const MOST: i64 = 500;
/// So often a platform that asks to come back later is asked again.
const ATTEMPTS: u32 = 3;
/// Between two attempts, where the platform does not say how long.
const PAUSE: Duration = Duration::from_secs(30);

/// Asks, and has the answers taken in. What cannot be asked is said and left: a post only ever proposes, and the payer's own word is
/// asked for in any case.
pub(super) async fn ask_after(app: &App, ledger: &Ledger, platform: &dyn Platform) {
    let open = async {
        let mut tx = app.store.begin_reading().await?;
        tx.posts_of_open_orders(platform.name(), MOST).await
    };
    let open = match open.await {
        Ok(open) if open.is_empty() => return,
        Ok(open) => open,
        Err(error) => return tracing::warn!(%error, "open orders' posts could not be looked up"),
    };
    for attempt in 1..=ATTEMPTS {
        let error = match platform.standing(&open).await {
            Ok(events) if events.is_empty() => return,
            Ok(events) => {
                let count = events.len();
                match ledger.received(platform.name().clone(), Batch { events, cursor: None }).await {
                    Ok(()) => tracing::info!(platform.name = %platform.name(), count, "posts were edited or deleted meanwhile"),
                    Err(error) => tracing::warn!(%error, "what became of open orders' posts was not committed"),
                }
                return;
            }
            Err(error) => error,
        };
        tracing::warn!(platform.name = %platform.name(), %error, attempt, "open orders' posts could not be asked for");
        let SendError::Later { after, .. } = error else { return };
        tokio::time::sleep(after.unwrap_or(PAUSE)).await;
    }
}
