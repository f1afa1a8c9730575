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
//! Beside the way of a post: [`account`] is what a person does on pages behind a passkey, [`operate`] what operators do, [`changes`] what needs two of them, [`reconcile`] compares the banks'
//! entries with ours, and [`audit`] verifies a store from outside.
//!
//! Everything that decides goes through the [`ledger`]: it takes what has come in, opens one transaction, sits down at the
//! [`desk`](self) with it, and commits orders, audit lines and effects together. Everything that acts outside is an effect that
//! [`dispatch`] claims, delivers, and reports back to the ledger. No network call is made while a transaction is open.

pub mod account;
pub mod apply;
mod ask;
mod at_hand;
pub mod audit;
pub mod changes;
mod commands;
mod confirm;
mod desk;
pub mod directory;
pub mod dispatch;
pub mod enrol;
pub mod expire;
mod glance;
pub mod hint;
mod hurry;
mod identity;
pub mod in_force;
pub mod intake;
mod invite;
pub mod ledger;
pub mod operate;
pub mod pages;
mod quarantine;
pub mod reconcile;
mod settle;
mod standing;
pub mod statement;
pub mod task;
pub mod timekeeping;
pub mod turns;
pub mod view;
pub mod watch;

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use tokio::sync::{Notify, broadcast};

use crate::bank::{Bank, Capabilities};
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::ids::{BankName, OrderId, PlatformName};
use crate::limits::Governors;
use crate::order::{Policy, Rail, Timing};
use crate::people::screening::Screening;
use crate::platform::Platform;
use crate::store::Store;

pub use confirm::CodeSecret;
use in_force::LimitsInForce;

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
    /// Sums.
    pub limits: LimitsInForce,
    /// Times.
    pub timing: Timing,
    /// Asked before a payer is, and again before a bank is.
    pub screening: Arc<dyn Screening>,
    /// The rates we keep to by ourselves.
    pub governors: Governors,
    /// Whom passkeys are made for; `None` where they cannot be bound to the pages' address.
    pub passkeys: Option<account::RelyingParty>,
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

    /// Waits until some enrolment has gone on. What happens after this was called is not missed, even if it is awaited later.
    pub fn enrolment_changed(&self) -> impl Future<Output = ()> + '_ {
        self.enrolments.notified()
    }

    /// Orders as they change.
    pub fn orders(&self) -> broadcast::Receiver<OrderId> {
        self.orders.subscribe()
    }

    /// Whether anybody works on a lane.
    fn has_lane(&self, lane: &str) -> bool {
        self.lanes.contains_key(lane)
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

/// What an [`App`] is put together from.
pub struct Parts {
    /// An open store.
    pub store: Store,
    /// The social networks.
    pub platforms: Vec<Arc<dyn Platform>>,
    /// The settlement backends, each with the calls a second it may be given.
    pub banks: Vec<(Arc<dyn Bank>, NonZeroU32)>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Codes, salts and ids.
    pub entropy: Arc<dyn Entropy>,
    /// Sums and times.
    pub policy: Policy,
    /// Whom we may not pay for, and whom not to.
    pub screening: Arc<dyn Screening>,
    /// What codes are derived from.
    pub secret: CodeSecret,
    /// Where people reach our pages.
    pub public_url: String,
}

impl App {
    /// Puts an application together.
    pub fn new(parts: Parts) -> Arc<Self> {
        let mut governors = Governors::new(parts.clock.clone());
        for platform in &parts.platforms {
            governors.govern_platform(platform.name().clone(), &platform.send_windows());
        }
        for (bank, calls_per_second) in &parts.banks {
            governors.govern_bank(bank.name().clone(), *calls_per_second);
        }
        let platforms: HashMap<_, _> = parts.platforms.into_iter().map(|platform| (platform.name().clone(), platform)).collect();
        let banks: HashMap<_, _> = parts.banks.into_iter().map(|(bank, _)| (bank.name().clone(), bank)).collect();
        let to_platforms = platforms.keys().flat_map(|name| [task::platform_lane(name), task::hint_lane(name)]);
        let lanes = to_platforms.chain(banks.keys().map(task::bank_lane));
        Arc::new(App {
            signals: Signals::for_lanes(lanes),
            store: parts.store,
            platforms,
            banks,
            clock: parts.clock,
            entropy: parts.entropy,
            limits: LimitsInForce::new(parts.policy.limits),
            timing: parts.policy.timing,
            screening: parts.screening,
            governors,
            passkeys: account::RelyingParty::at(&parts.public_url),
            secret: parts.secret,
            public_url: parts.public_url.trim_end_matches('/').to_owned(),
        })
    }

    /// The rules for an order that is paid from an account at this bank. A bank that is not configured any more promises nothing.
    pub fn policy_at(&self, bank: Option<&BankName>) -> Policy {
        let limits = self.limits.now().limits.clone();
        let mut policy = Policy { limits, timing: self.timing.clone(), ..Policy::default() };
        if let Some(bank) = bank.and_then(|name| self.banks.get(name)) {
            let Capabilities { look_up_horizon, key_life, .. } = bank.capabilities();
            policy.rail = Rail { look_up_horizon: *look_up_horizon, key_life: *key_life };
        }
        policy
    }

    /// The rules for an order: those of its payer's bank, and those of the platform it came from. Where no platform is configured (an
    /// operator's command over a database that nobody serves) nobody can answer either; the answer is judged by the rules of its own time.
    pub fn policy_of(&self, order: &crate::order::Order) -> Policy {
        let mut policy = self.policy_at(order.payer.as_ref().map(|payer| &payer.bank));
        let platform = self.platforms.get(&order.source.platform);
        policy.source_can_be_forged = platform.is_some_and(|platform| platform.network().operator_can_forge());
        policy
    }
}
