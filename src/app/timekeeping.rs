//! Timekeeping: every node agrees with the database about the time, and time never goes back.
//!
//! Expiries and leases are moments that nodes compare and that outlive a process. So the running clock is set right by the database's
//! own, where it has one, and the store keeps the latest moment it has seen: a process that starts with an earlier one is refused
//! ([`check`]), since it would take up orders that are over and believe in leases that have ended.

use std::time::Duration;

use super::App;
use crate::clock::{Timestamp, later};
use crate::store::{Store, StoreError};

/// How often the clock is compared and the mark is moved.
const INTERVAL: Duration = Duration::from_secs(30);

/// Clocks that differ by more than this are not to be trusted with leases and expiries.
const MAY_DIFFER: Duration = Duration::from_secs(2);

/// Refuses to begin with a clock that differs from the database's, or that shows a moment before what the store has seen.
pub async fn check(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    let most = MAY_DIFFER.as_millis();
    if let Some(ahead) = store.clock_ahead_ms(now).await?.filter(|ahead| u128::from(ahead.unsigned_abs()) > most) {
        let why = format!("this machine's clock and the database's differ by {ahead} ms, more than {most}; set them right");
        return Err(StoreError::WrongGround(why));
    }
    match store.latest_time().await? {
        Some(latest) if later(now, MAY_DIFFER) < latest => {
            let why =
                format!("this machine's clock shows {now:.0}, but the database has already seen {latest:.0}; set the clock right");
            Err(StoreError::WrongGround(why))
        }
        _ => Ok(()),
    }
}

/// Compares and marks until the process stops.
pub async fn keep_time(app: &App) {
    loop {
        if let Err(error) = compare_and_mark(app).await {
            tracing::warn!(%error, "the time could not be compared with the database's");
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

async fn compare_and_mark(app: &App) -> Result<(), StoreError> {
    let now = app.clock.now();
    if let Some(ahead) = app.store.clock_ahead_ms(now).await? {
        if u128::from(ahead.unsigned_abs()) > MAY_DIFFER.as_millis() {
            tracing::warn!(ahead, "our clock and the database's differ; ours is being set right");
        }
        let by = Duration::from_millis(ahead.unsigned_abs());
        app.clock.set_right(if ahead >= 0 { later(now, by) } else { crate::clock::earlier(now, by) });
    }
    app.store.mark_time(app.clock.now()).await
}
