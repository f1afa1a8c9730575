//! What nobody else would say: calls for an operator that stay open, and work for a platform or bank that is not configured any more.
//!
//! Both stand in the effects table until somebody acts. They are said when the process starts and again and again, since a line in
//! the log is easily missed, and a process that dies right after a commit says nothing.

use std::time::Duration;

use super::App;
use super::task::OPERATOR_LANE;
use crate::store::StoreError;

/// How often it is said again.
const INTERVAL: Duration = Duration::from_secs(5 * 60);

/// Says what waits for a human, now and again, until the process stops.
pub async fn keep_watching(app: &App) {
    loop {
        if let Err(error) = say_what_waits(app).await {
            tracing::warn!(%error, "what waits for an operator could not be looked up");
        }
        for (name, bank) in &app.banks {
            for warning in bank.warnings().await {
                tracing::error!(bank.name = %name, warning, "a bank's connection needs an operator");
            }
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

async fn say_what_waits(app: &App) -> Result<(), StoreError> {
    let waiting = app.store.begin_reading().await?.pending_by_lane().await?;
    for (lane, waiting) in waiting {
        if lane == OPERATOR_LANE {
            tracing::error!(waiting, "calls for an operator are open: obole operator list");
        } else if !app.signals.has_lane(&lane) {
            tracing::error!(lane, waiting, "work waits for a platform or bank that is not configured");
        }
    }
    Ok(())
}
