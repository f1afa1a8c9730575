//! The limits in force: those of the start, until two operators have approved others.
//!
//! What is in force stands in the store. Each node holds a copy, since every decision needs it, and reads it again every second: so a
//! change takes hold everywhere without anybody starting anything. Between two readings a node may decide under the limits that were in
//! force a moment ago; the audit line of each decision names them ([`Limits::version`]).

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::App;
use super::changes::limits_in_force;
use crate::order::Limits;
use crate::store::StoreError;

/// How often the store is asked.
const INTERVAL: Duration = Duration::from_secs(1);

/// Limits with the version that stands in audit lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned {
    /// The numbers.
    pub limits: Limits,
    /// [`Limits::version`] of them.
    pub version: String,
}

/// A node's copy of the limits in force.
pub struct LimitsInForce(RwLock<Arc<Versioned>>);

impl LimitsInForce {
    /// Begins with these.
    pub fn new(limits: Limits) -> Self {
        LimitsInForce(RwLock::new(versioned(limits)))
    }

    /// Those in force now.
    pub fn now(&self) -> Arc<Versioned> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes over others. Gives whether they differ.
    fn take_over(&self, limits: Limits) -> bool {
        let taken = versioned(limits);
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let differs = *current != taken;
        *current = taken;
        differs
    }
}

fn versioned(limits: Limits) -> Arc<Versioned> {
    Arc::new(Versioned { version: limits.version(), limits })
}

/// Takes over what the store says is in force, if it says anything.
pub(crate) async fn read_again(app: &App) -> Result<(), StoreError> {
    if let Some(limits) = limits_in_force(&app.store).await?
        && app.limits.take_over(limits)
    {
        tracing::info!(limits.version = app.limits.now().version, "other limits are in force");
    }
    Ok(())
}

/// Keeps the copy up until the process stops.
pub async fn keep_limits(app: &App) {
    loop {
        tokio::time::sleep(INTERVAL).await;
        if let Err(error) = read_again(app).await {
            tracing::warn!(%error, "the limits in force could not be read; those known stay");
        }
    }
}
