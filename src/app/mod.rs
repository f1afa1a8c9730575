//! The verbs that join language, orders, store and ports into the way of a post.
//!
//! ```text
//!  platform ─▶ intake ─┐                                 ┌─▶ dispatch ─▶ platform (private messages, hints)
//!  private answer ─▶ confirm ─▶ desk ─▶ ledger: commit ──┤
//!  time ─▶ expire ─────┘                                 └─▶ dispatch ─▶ settle ─▶ bank
//!                        ▲                                                   │
//!                        └───────────────── what the outside said ───────────┘
//! ```
//!
//! Everything that decides goes through the [`ledger`]: it takes what has come in, opens one transaction, sits down at the
//! [`desk`](self) with it, and commits orders, audit lines and effects together. Everything that acts outside is an effect that
//! [`dispatch`] claims, delivers, and reports back to the ledger. No network call is made while a transaction is open.

mod confirm;
mod desk;
pub mod directory;
pub mod dispatch;
pub mod enrol;
pub mod expire;
pub mod intake;
pub mod ledger;
mod settle;
pub mod task;

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{Notify, broadcast};

use crate::bank::Bank;
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::ids::{BankName, OrderId, PlatformName};
use crate::limits::Governors;
use crate::order::Policy;
use crate::platform::Platform;
use crate::store::Store;

pub use confirm::CodeSecret;

/// Everything the verbs need: the ports by name, the store, time, chance and the rules. Shared by all tasks.
pub struct App {
    /// What is known.
    pub store: Store,
    /// The social networks.
    pub platforms: HashMap<PlatformName, Arc<dyn Platform>>,
    /// The settlement backends.
    pub banks: HashMap<BankName, Arc<dyn Bank>>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Codes, salts and ids.
    pub entropy: Arc<dyn Entropy>,
    /// Sums and times.
    pub policy: Policy,
    /// The rates we keep to by ourselves.
    pub governors: Governors,
    /// What confirmation and enrolment codes are derived from; never in the store.
    pub secret: CodeSecret,
    /// Where people reach our pages, without a slash at the end.
    pub public_url: String,
    /// Wakes the lanes and tells the pages.
    pub signals: Signals,
}

/// What is heard inside this process when something was committed. Only a hurry: whoever misses it finds the rows.
pub struct Signals {
    lanes: HashMap<String, Notify>,
    orders: broadcast::Sender<OrderId>,
    enrolments: Notify,
}

/// Orders changed faster than a page reads them are dropped for that page, which then reads the newest state anyway.
const ORDER_SIGNALS: usize = 256;

impl Signals {
    /// Signals for these lanes.
    pub fn for_lanes(lanes: impl IntoIterator<Item = String>) -> Self {
        let lanes = lanes.into_iter().map(|lane| (lane, Notify::new())).collect();
        Signals { lanes, orders: broadcast::channel(ORDER_SIGNALS).0, enrolments: Notify::new() }
    }

    /// Waits until some enrolment has gone on.
    pub async fn enrolment_changed(&self) {
        self.enrolments.notified().await;
    }

    /// Orders as they change.
    pub fn orders(&self) -> broadcast::Receiver<OrderId> {
        self.orders.subscribe()
    }

    /// Waits until a lane has been given something.
    async fn lane(&self, lane: &str) {
        match self.lanes.get(lane) {
            Some(lane) => lane.notified().await,
            None => std::future::pending().await,
        }
    }

    fn lane_has_work(&self, lane: &str) {
        if let Some(lane) = self.lanes.get(lane) {
            lane.notify_one();
        }
    }

    fn order_changed(&self, order: &OrderId) {
        // Nobody listening is no error.
        let _ = self.orders.send(order.clone());
    }
}

impl App {
    /// The names of all lanes: one towards each platform, one towards each bank.
    pub fn lanes(&self) -> Vec<String> {
        let platforms = self.platforms.keys().map(task::platform_lane);
        platforms.chain(self.banks.keys().map(task::bank_lane)).collect()
    }
}
