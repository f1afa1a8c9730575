//! The way from decoded events to the ledger: batches per connection, the recording's clock, and what came of it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::task::JoinHandle;

use crate::app::directory::{self, CampaignEntry, PayeeEntry, PayeeHandle};
use crate::app::ledger::Ledger;
use crate::app::{App, CodeSecret, Parts};
use crate::clock::{Clock, ManualClock, SystemClock, Timestamp, earlier};
use crate::entropy::{SystemEntropy, random_bytes};
use crate::ids::{OrderId, PlatformName};
use crate::language::Campaigns;
use crate::order::{OrderState, Policy};
use crate::people::Class;
use crate::people::screening::NoScreening;
use crate::platform::recorded::Offline;
use crate::platform::{Batch, Platform, PlatformEvent};
use crate::store::Store;

use super::{Options, StoreCounts};

/// Events that lie further apart in time are not committed together, since one commit has one time.
const SPAN: Duration = Duration::from_secs(60);

/// The account of every payee that exists only for a replay: the sample number of the IBAN registry for France. No money ever moves.
const SAMPLE_IBAN: &str = "FR1420041010050500013M02606";

/// Nothing is sent, so no address is ever followed.
const PUBLIC_URL: &str = "http://localhost:8080";

/// See the module.
pub(super) struct Feed {
    app: Arc<App>,
    ledger: Ledger,
    keeper: JoinHandle<()>,
    /// Follows the recording; `None` where the present counts.
    clock: Option<Arc<ManualClock>>,
    pending: HashMap<PlatformName, Vec<PlatformEvent>>,
    /// The earliest post that is pending.
    since: Option<Timestamp>,
    batch: usize,
    registered: HashSet<(PlatformName, String)>,
    /// For each payee's handle, the connections where its account is known.
    payees: BTreeMap<String, Vec<PlatformName>>,
    before: BTreeMap<String, i64>,
    orders: u64,
    refused: BTreeMap<String, u64>,
}

impl Feed {
    /// An application over `store` whose outside is these stand-ins.
    pub(super) async fn open<'a>(
        options: &Options,
        store: Store,
        stand_ins: impl Iterator<Item = &'a Arc<Offline>>,
    ) -> anyhow::Result<Self> {
        let manual = (!options.wall_clock).then(|| Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH)));
        let clock: Arc<dyn Clock> = match &manual {
            Some(manual) => manual.clone(),
            None => Arc::new(SystemClock),
        };
        let entropy = Arc::new(SystemEntropy);
        let app = App::new(Parts {
            store,
            platforms: stand_ins.map(|stand_in| stand_in.clone() as Arc<dyn Platform>).collect(),
            banks: Vec::new(),
            clock,
            // No code that this secret makes is ever shown to anybody.
            secret: CodeSecret::new(random_bytes(entropy.as_ref())),
            entropy,
            policy: Policy::default(),
            screening: Arc::new(NoScreening),
            public_url: PUBLIC_URL.to_owned(),
        });
        let before = outcomes(&app).await?;
        let (ledger, keeper) = Ledger::open(app.clone());
        Ok(Feed {
            app,
            ledger,
            keeper: tokio::spawn(keeper.keep()),
            clock: manual,
            pending: HashMap::new(),
            since: None,
            batch: options.batch.max(1),
            registered: HashSet::new(),
            payees: BTreeMap::new(),
            before,
            orders: 0,
            refused: BTreeMap::new(),
        })
    }

    /// Takes an event; commits what is pending when it is enough.
    pub(super) async fn push(&mut self, connection: &PlatformName, event: PlatformEvent) -> anyhow::Result<()> {
        if let PlatformEvent::Posted(post) = &event {
            if self.since.is_some_and(|since| since < earlier(post.posted_at, SPAN)) {
                self.flush().await?;
            }
            self.since = Some(self.since.map_or(post.posted_at, |since| since.min(post.posted_at)));
        }
        let pending = self.pending.entry(connection.clone()).or_default();
        pending.push(event);
        if pending.len() >= self.batch { self.flush().await } else { Ok(()) }
    }

    /// Commits what is pending.
    pub(super) async fn flush(&mut self) -> anyhow::Result<()> {
        self.since = None;
        for (connection, events) in std::mem::take(&mut self.pending) {
            self.follow(&events);
            let native_ids: Vec<String> = events.iter().filter_map(native_id_of_post).collect();
            let native_ids: Vec<&str> = native_ids.iter().map(String::as_str).collect();
            let known = self.app.orders_of_posts(&connection, &native_ids).await?;
            let known: HashSet<OrderId> = known.into_iter().map(|order| order.id).collect();
            let batch = Batch { events, cursor: None };
            self.ledger.received(connection.clone(), batch).await.context("the store did not take a batch")?;
            for order in self.app.orders_of_posts(&connection, &native_ids).await? {
                if known.contains(&order.id) {
                    continue;
                }
                self.orders += 1;
                if let OrderState::Rejected { reason, .. } = &order.state {
                    *self.refused.entry(reason.name().to_owned()).or_default() += 1;
                }
            }
        }
        Ok(())
    }

    /// Moves the clock to the newest post of these.
    fn follow(&self, events: &[PlatformEvent]) {
        let posted_at = |event: &PlatformEvent| if let PlatformEvent::Posted(post) = event { Some(post.posted_at) } else { None };
        if let (Some(clock), Some(newest)) = (&self.clock, events.iter().filter_map(posted_at).max())
            && let Ok(ahead) = Duration::try_from(newest.duration_since(clock.now()))
        {
            clock.advance(ahead);
        }
    }

    pub(super) fn is_registered(&self, connection: &PlatformName, tag: &str) -> bool {
        self.registered.contains(&(connection.clone(), tag.to_owned()))
    }

    /// Writes a campaign and its payee into the directory. The payee's account on `connection` is known by now, because of these events.
    pub(super) async fn register(
        &mut self,
        connection: &PlatformName,
        tag: &str,
        handle: &str,
        told_by: &[PlatformEvent],
    ) -> anyhow::Result<()> {
        // Posts before this one were read without it.
        self.flush().await?;
        self.follow(told_by);
        let connections = self.payees.entry(handle.to_owned()).or_default();
        if !connections.contains(connection) {
            connections.push(connection.clone());
        }
        let accounts =
            connections.iter().map(|platform| PayeeHandle { platform: platform.clone(), handle: handle.to_owned(), account: None });
        let payee = PayeeEntry {
            slug: format!("replay:{handle}"),
            legal_name: handle.to_owned(),
            class: Class::Charity,
            iban: SAMPLE_IBAN.parse().context("the sample account")?,
            registry_number: None,
            accounts: accounts.collect(),
        };
        let campaign = CampaignEntry { tag: tag.to_owned(), title: format!("#{tag}"), payee: payee.slug.clone(), goal: None };
        for finding in directory::register(&self.app, &[payee], &[campaign]).await? {
            tracing::warn!(%finding, "something about the payee directory");
        }
        self.registered.insert((connection.clone(), tag.to_owned()));
        Ok(())
    }

    /// The store's campaigns on a connection.
    pub(super) async fn hashtags(&self, connection: &PlatformName) -> anyhow::Result<Campaigns> {
        Ok(self.app.hashtags(connection).await?)
    }

    /// Says what came of it, and closes the store.
    pub(super) async fn close(self, concerned: u64) -> anyhow::Result<StoreCounts> {
        let Feed { app, ledger, keeper, before, orders, refused, .. } = self;
        drop(ledger);
        keeper.await.context("the ledger")?;
        let mut outcomes = outcomes(&app).await?;
        for (outcome, posts) in &mut outcomes {
            *posts -= before.get(outcome).copied().unwrap_or_default();
        }
        outcomes.retain(|_, posts| *posts != 0);
        let taken: i64 = outcomes.values().sum();
        let states = app.standings().await?.into_iter().map(|count| (count.standing, count.orders)).collect();
        app.store.close().await;
        let duplicates = i64::try_from(concerned).unwrap_or(i64::MAX).saturating_sub(taken);
        Ok(StoreCounts { duplicates, outcomes, orders, refused, states })
    }
}

async fn outcomes(app: &App) -> anyhow::Result<BTreeMap<String, i64>> {
    Ok(app.outcomes().await?.into_iter().map(|count| (count.outcome, count.posts)).collect())
}

fn native_id_of_post(event: &PlatformEvent) -> Option<String> {
    if let PlatformEvent::Posted(post) = event { Some(post.native_id.clone()) } else { None }
}
