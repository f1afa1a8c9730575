//! A node as step functions: an application whose every step is taken by hand.
//!
//! It runs what a real node runs (`app::{intake, dispatch, settle, expire, ledger}` over the real store); only the loops around
//! these, which choose what to do next, are the simulation's. A crash is dropping it: whatever was not committed has not
//! happened, and whatever was called has been called.

use std::future::{Future, poll_fn};
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::mpsc;

use super::gate::Gates;
use super::plan::{Fault, LimitKind};
use super::ports::{GatedBank, GatedTown, SkewedClock};
use super::world::{TOWN, World};
use crate::app::dispatch::{self, Lane};
use crate::app::ledger::{Answers, Keeper, Ledger};
use crate::app::{App, CodeSecret, Parts, expire};
use crate::bank::Bank;
use crate::clock::Timestamp;
use crate::entropy::SeededEntropy;
use crate::ids::PlatformName;
use crate::order::{Limits, Policy};
use crate::people::screening::NoScreening;
use crate::platform::{Batch, Cursor, ListenError, Platform, PlatformEvent};
use crate::store::{Store, StoreError};

/// The most deliveries a node has under way.
const ROOM: usize = 16;
/// How far the stream may be ahead of the ledger.
const AHEAD: usize = 4;

/// What a piece of work waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waits {
    /// Its turn.
    Nothing,
    /// A gate, by ticket.
    Gate(u64),
    /// The answer of the ledger to the request of this number.
    Ledger(u64),
}

/// A delivery, or a batch on its way into the ledger.
struct Work {
    what: &'static str,
    future: Pin<Box<dyn Future<Output = ()>>>,
    waits: Waits,
}

/// The open stream.
struct Stream {
    listening: Pin<Box<dyn Future<Output = Result<(), ListenError>>>>,
    incoming: mpsc::Receiver<Batch>,
}

/// A node that is alive.
pub(super) struct Node {
    pub(super) app: Arc<App>,
    pub(super) ledger: Ledger,
    gates: Arc<Gates>,
    keeper: Keeper,
    lanes: Vec<Lane>,
    works: Vec<Work>,
    stream: Option<Stream>,
    /// A batch is on its way into the ledger; the next has to wait.
    takes_in: bool,
    /// Requests sent to the ledger, and answered by it.
    asked: u64,
    answered: u64,
    /// When the node stands still.
    pub(super) frozen_until: Option<Timestamp>,
}

/// The rules of a simulation: the usual ones, with the plan's limits.
pub(super) fn policy(world: &World) -> Policy {
    // The limits of a single order stay as they are: more than any payer of a run comes to is no limit.
    let open = Limits { low_value_sum_minor: 1_000_000, low_value_count: 1_000, rolling_day_minor: 1_000_000, ..Limits::default() };
    let limits = match world.plan.limits {
        LimitKind::Usual => Limits::default(),
        LimitKind::Higher => Limits { low_value_sum_minor: 20_000, low_value_count: 40, rolling_day_minor: 15_000, ..open },
        LimitKind::Day => Limits { rolling_day_minor: 5_000, ..open },
        LimitKind::Count => Limits { low_value_count: 2, ..open },
        LimitKind::None => open,
    };
    Policy { limits, ..Policy::default() }
}

impl Node {
    /// Starts a node over the shared store.
    pub(super) fn start(world: &Arc<World>, store: &Store) -> anyhow::Result<Self> {
        let gates = Arc::new(Gates::default());
        let ahead_ms = if world.strikes(Fault::Skew) { world.dice.below(2000) as u64 } else { 0 };
        let clock = Arc::new(SkewedClock { world: world.clone(), ahead_ms });
        let town = GatedTown { world: world.clone(), gates: gates.clone(), town: world.town_connection(clock.clone())? };
        let bank = |place| -> Arc<dyn Bank> { Arc::new(GatedBank { world: world.clone(), gates: gates.clone(), place }) };
        let banks = (0..world.banks.len()).map(|place| (bank(place), NonZeroU32::MAX)).collect();
        let app = App::new(Parts {
            store: store.clone(),
            platforms: vec![Arc::new(town)],
            banks,
            clock,
            entropy: Arc::new(SeededEntropy::new(world.dice.seed())),
            policy: policy(world),
            screening: Arc::new(NoScreening),
            secret: CodeSecret::new([7; 32]),
            public_url: "https://obole.example".to_owned(),
        });
        let (ledger, keeper) = Ledger::open(app.clone());
        Ok(Node {
            lanes: dispatch::lanes(&app),
            app,
            ledger,
            gates,
            keeper,
            works: Vec::new(),
            stream: None,
            takes_in: false,
            asked: 0,
            answered: 0,
            frozen_until: None,
        })
    }

    /// Which pieces of work can go on.
    pub(super) fn ready_works(&self) -> Vec<usize> {
        let ready = |work: &Work| match work.waits {
            Waits::Nothing | Waits::Gate(_) => true,
            Waits::Ledger(request) => request <= self.answered,
        };
        (0..self.works.len()).filter(|place| ready(&self.works[*place])).collect()
    }

    /// Whether a piece of work stands before or behind a call to the outside.
    pub(super) fn is_at_call(&self, place: usize) -> bool {
        matches!(self.works[place].waits, Waits::Gate(_))
    }

    /// How many pieces of work wait to be committed.
    pub(super) fn waiting(&self) -> usize {
        self.keeper.waiting()
    }

    /// The names of the lanes.
    pub(super) fn lanes(&self) -> Vec<String> {
        self.lanes.iter().map(|lane| lane.name().to_owned()).collect()
    }

    /// Claims what is due on a lane. Gives how much that was.
    pub(super) async fn claim(&mut self, lane: usize) -> Result<usize, StoreError> {
        let room = ROOM.saturating_sub(self.works.len());
        let claimed = dispatch::claim(&self.app, &self.lanes[lane], room).await?;
        let count = claimed.len();
        for bundle in dispatch::bundles(claimed) {
            let (app, ledger, lane) = (self.app.clone(), self.ledger.clone(), self.lanes[lane].clone());
            let future = Box::pin(async move { dispatch::deliver(&app, &ledger, &lane, bundle).await });
            self.works.push(Work { what: "delivery", future, waits: Waits::Nothing });
        }
        Ok(count)
    }

    /// Lets one piece of work go on to its next gate, its next request to the ledger, or its end.
    pub(super) async fn advance(&mut self, place: usize) -> &'static str {
        if let Waits::Gate(ticket) = self.works[place].waits {
            self.gates.open(ticket);
        }
        let (gate_before, requests_before) = (self.gates.newest_waiting(), self.keeper.waiting());
        let (gates, keeper, work) = (&self.gates, &self.keeper, &mut self.works[place]);
        // What it waits for besides gates and the ledger is the database, which answers in real time.
        let ended = poll_fn(|context| match work.future.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(true),
            Poll::Pending if gates.newest_waiting() > gate_before || keeper.waiting() > requests_before => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        })
        .await;
        if ended {
            let work = self.works.swap_remove(place);
            if work.what == "batch" {
                self.takes_in = false;
            }
            return "ended";
        }
        let gate = self.gates.newest_waiting();
        if gate > gate_before {
            self.works[place].waits = Waits::Gate(gate);
            "at a call"
        } else {
            self.asked += 1;
            self.works[place].waits = Waits::Ledger(self.asked);
            "asked the ledger"
        }
    }

    /// Commits up to `at_most` pieces of work together. Nobody has heard of it before the answers are given.
    pub(super) async fn commit(&mut self, at_most: usize) -> (usize, Option<Answers>) {
        let before = self.keeper.waiting();
        let answers = self.keeper.commit_next(at_most).await;
        (before - self.keeper.waiting(), answers)
    }

    /// Tells what was committed.
    pub(super) fn tell(&mut self, count: usize, answers: Option<Answers>) {
        if let Some(answers) = answers {
            answers.give();
        }
        self.answered += count as u64;
    }

    /// Opens the stream where the store says, if it is not open.
    pub(super) async fn open_stream(&mut self) -> Result<bool, StoreError> {
        if self.stream.is_some() || self.takes_in {
            return Ok(false);
        }
        let position = self.app.store.begin_reading().await?.cursor(&PlatformName::from(TOWN)).await?;
        let Some(town) = self.app.platforms.get(&PlatformName::from(TOWN)).cloned() else { return Ok(false) };
        let (events, incoming) = mpsc::channel(AHEAD);
        let listening = Box::pin(async move { listen(town, position.map(Cursor), events).await });
        self.stream = Some(Stream { listening, incoming });
        Ok(true)
    }

    /// Breaks the stream.
    pub(super) fn cut_stream(&mut self) {
        self.stream = None;
    }

    /// Hears what the town has told, and hands one batch on to the ledger. Gives how many events were in it.
    pub(super) fn hear(&mut self, world: &World) -> Option<usize> {
        let stream = self.stream.as_mut()?;
        let mut context = Context::from_waker(Waker::noop());
        if stream.listening.as_mut().poll(&mut context).is_ready() {
            self.stream = None;
            return None;
        }
        if self.takes_in {
            return None;
        }
        let mut batch = stream.incoming.try_recv().ok()?;
        if world.strikes(Fault::StreamDuplicate) {
            batch.events.extend(batch.events.clone());
        }
        // Taken together with the one after it, so that the cursor is never ahead of what was told.
        if world.strikes(Fault::StreamReorder)
            && let Ok(next) = stream.incoming.try_recv()
        {
            let first = std::mem::take(&mut batch.events);
            // What somebody answers cannot come before what is answered, but a post may come after its own deletion.
            batch.events = next.events.into_iter().filter(is_post).chain(first).collect();
            batch.cursor = next.cursor;
        }
        let count = batch.events.len();
        let ledger = self.ledger.clone();
        let future = Box::pin(async move {
            // A batch that was not committed is read again from the cursor that the store has.
            let _ = ledger.received(PlatformName::from(TOWN), batch).await;
        });
        self.takes_in = true;
        self.works.push(Work { what: "batch", future, waits: Waits::Nothing });
        Some(count)
    }

    /// One look at the clock: whatever is over, is over.
    pub(super) fn expire(&mut self) {
        if self.works.iter().any(|work| work.what == "expiry") {
            return;
        }
        let (app, ledger) = (self.app.clone(), self.ledger.clone());
        let future = Box::pin(async move {
            let _ = expire::expire_first_due_order(&app, &ledger).await;
        });
        self.works.push(Work { what: "expiry", future, waits: Waits::Nothing });
    }

    /// Lets something happen to an order that nobody but the simulation brings.
    pub(super) fn happen(&mut self, order: crate::ids::OrderId, event: crate::order::Event) {
        let ledger = self.ledger.clone();
        let future = Box::pin(async move {
            let _ = ledger.happened(order, event).await;
        });
        self.works.push(Work { what: "event", future, waits: Waits::Nothing });
    }
}

async fn listen(town: Arc<dyn Platform>, from: Option<Cursor>, events: mpsc::Sender<Batch>) -> Result<(), ListenError> {
    town.listen(from, events).await
}

fn is_post(event: &PlatformEvent) -> bool {
    matches!(event, PlatformEvent::Posted(_))
}

/// How long a pause is that outlasts every lease.
pub(super) const LONG_PAUSE: Duration = Duration::from_secs(180);
