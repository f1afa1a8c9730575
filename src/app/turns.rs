//! Turns: of several Oboles over one database, one reads each platform's stream.
//!
//! All could: a post is taken in once whoever reads it, since its row, its order and the cursor are one commit. But each would receive
//! and decode the whole stream, and most of their commits would find everything done. So a stream has a turn, held for [`TURN`] and
//! prolonged every few seconds; when its holder dies or sleeps, another goes on from the stored cursor. Two that believe they hold it
//! (a pause longer than the turn) do what they did before there were turns.
//!
//! A SQLite database serves one Obole, which always has the turn.

use std::sync::Arc;
use std::time::Duration;

use super::App;
use super::intake;
use super::ledger::Ledger;
use crate::clock::later;
use crate::crash::hastened;
use crate::entropy::random_bytes;
use crate::ids::{PlatformName, hex};
use crate::platform::Platform;
use crate::store::StoreError;

/// How long a turn is held without being prolonged: well below the minute in which a dead node's work has to be taken over.
pub const TURN: Duration = Duration::from_secs(20);

/// How often a holder prolongs its turn, and the others look whether it is over.
const ROUND: Duration = Duration::from_secs(4);

/// One process among those that may read.
pub struct Turns {
    app: Arc<App>,
    holder: String,
}

impl Turns {
    /// A process that has no turn yet.
    pub fn new(app: Arc<App>) -> Self {
        let holder = hex(&random_bytes::<8>(app.entropy.as_ref()));
        Turns { app, holder }
    }

    /// Takes the turn if it is free, or prolongs it. `false`: somebody else has it.
    ///
    /// # Errors
    /// If the database could not be asked; then nothing has changed.
    pub async fn take(&self, platform: &PlatformName) -> Result<bool, StoreError> {
        let now = self.app.clock.now();
        let mut tx = self.app.store.begin().await?;
        let is_ours = tx.take_stream_turn(platform, &self.holder, now, later(now, hastened!(TURN))).await?;
        tx.commit().await?;
        Ok(is_ours)
    }

    /// Gives back every turn it has, so that nobody waits for one to run out.
    ///
    /// # Errors
    /// If the database could not be told; the turns then run out by themselves.
    pub async fn give_back(&self) -> Result<(), StoreError> {
        let mut tx = self.app.store.begin().await?;
        tx.end_stream_turns(&self.holder).await?;
        tx.commit().await
    }

    /// Listens to a platform whenever it has the turn, until the process stops.
    pub async fn keep_listening(self: Arc<Self>, ledger: Ledger, platform: Arc<dyn Platform>) {
        if self.app.store.serves_one() {
            return intake::keep_listening(self.app.clone(), ledger, platform).await;
        }
        let name = platform.name();
        loop {
            match self.take(name).await {
                Ok(true) => {
                    tracing::info!(platform.name = %name, "it is our turn to read the stream");
                    tokio::select! {
                        () = intake::keep_listening(self.app.clone(), ledger.clone(), platform.clone()) => {}
                        () = self.until_lost(name) => tracing::warn!(platform.name = %name, "somebody else reads the stream now"),
                    }
                }
                Ok(false) => {}
                Err(error) => tracing::warn!(platform.name = %name, %error, "nobody could be asked whose turn it is"),
            }
            tokio::time::sleep(hastened!(ROUND)).await;
        }
    }

    /// Prolongs the turn for as long as that succeeds. While the database cannot be asked, nobody else can take it either.
    async fn until_lost(&self, platform: &PlatformName) {
        loop {
            tokio::time::sleep(hastened!(ROUND)).await;
            match self.take(platform).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => tracing::warn!(platform.name = %platform, %error, "the turn could not be prolonged"),
            }
        }
    }
}
