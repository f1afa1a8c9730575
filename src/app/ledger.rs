//! The ledger: the one place where anything is decided and committed, many at a time.
//!
//! Work arrives on a bounded channel. The ledger takes all that is waiting (up to `BATCH`), decides about it at one desk and
//! commits once; then it answers everybody. A single piece of work is therefore never delayed on purpose, and a thousand that
//! arrive together share one commit (group commit).
//!
//! If the database fails, nothing of the batch has happened. The batch is then tried again, and if that does not help,
//! piece by piece, so that one piece without a meaning cannot hold up the others; a piece that fails alone is answered with
//! the error, and whoever brought it still has it (the stream's cursor has not moved, the effect's lease runs out). What a platform
//! sent and cannot be taken in by what it says is taken apart (`quarantine`), so that the stream goes on.

use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::{mpsc, oneshot};

use super::App;
use super::ask::Offer;
use super::desk::{Committed, Desk};
use super::operate::{self, Act, Operator};
use super::reconcile::{self, Found};
use super::{account, enrol, intake, quarantine};
use crate::crash::crash_point;
use crate::ids::{OrderId, PlatformName};
use crate::order::{Event, Order};
use crate::people::enrolment::Enrolment;
#[cfg(feature = "planted-bugs")]
use crate::planted::planted;
use crate::platform::Batch;
use crate::store::StoreError;
use crate::store::effects::Turn;

/// The most that one commit carries.
const BATCH: usize = 1024;

/// How much may wait; beyond it, whoever brings more waits too.
const QUEUE: usize = 4096;

/// How often a batch is tried as a whole before it is taken apart.
const ATTEMPTS: u32 = 3;

/// Between two tries of a batch.
const PAUSE: Duration = Duration::from_millis(100);

/// Something to decide about.
#[derive(Debug, Clone)]
pub(super) enum Work {
    /// What a platform sent.
    Received { platform: PlatformName, batch: Batch },
    /// Something happened to an order, perhaps as the outcome of an effect: then only if the effect still is in that turn.
    Happened { order: OrderId, event: Event, turn: Option<Turn> },
    /// An effect ended without anything happening to an order.
    Ended { turn: Turn },
    /// A browser session confirmed the account it enrols.
    Word { enrolment: Box<Enrolment> },
    /// Several orders are about to be asked about under one code.
    Offered { offer: Offer, turn: Turn },
    /// An operator does something.
    Act { by: Operator, act: Act },
    /// A bank's entries say otherwise than we do.
    Differs { found: Box<Found> },
    /// A person does something on their own pages.
    Person { act: Box<account::Act> },
}

/// What came of it.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    /// Decided; the order afterwards where the work was about one.
    Done(Option<Box<Order>>),
    /// It meant nothing in the state the order is in, or came from somebody who had lost the lease.
    Void(String),
    /// Done, and this is to be said about it.
    Said(String),
}

/// Why something was not committed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LedgerError {
    /// The database failed; nothing has changed.
    #[error("not committed: {0}")]
    Store(Arc<StoreError>),
    /// The process is stopping; nothing has changed.
    #[error("not committed: the ledger is closed")]
    Closed,
}

struct Request {
    work: Work,
    answer: oneshot::Sender<Decided>,
}

/// The way to the ledger, for everybody who has something to decide.
#[derive(Clone)]
pub struct Ledger {
    requests: mpsc::Sender<Request>,
    /// For the bug that takes the cursor out of the batch's own commit.
    #[cfg(feature = "planted-bugs")]
    app: Arc<App>,
}

/// Who keeps a ledger: takes what is waiting, commits it, and answers.
pub struct Keeper {
    app: Arc<App>,
    incoming: mpsc::Receiver<Request>,
}

/// Answers to work that is committed, not given yet. Dropped, nobody hears what came of it, as if the process had died right after
/// the commit.
pub struct Answers(Vec<(oneshot::Sender<Decided>, Decided)>);

/// What came of one piece of work.
type Decided = Result<Answer, LedgerError>;

impl Answers {
    /// Tells everybody what came of their work.
    pub fn give(self) {
        for (answer, result) in self.0 {
            // Whoever asked may have given up waiting; the commit stands.
            let _ = answer.send(result);
        }
    }
}

impl Keeper {
    /// Keeps the ledger until every handle to it is gone.
    pub async fn keep(mut self) {
        while let Some(answers) = self.commit_next(BATCH).await {
            answers.give();
        }
    }

    /// How many pieces of work wait.
    pub fn waiting(&self) -> usize {
        self.incoming.len()
    }

    /// Waits for work and commits up to `at_most` pieces of it together. `None` when every handle is gone.
    pub async fn commit_next(&mut self, at_most: usize) -> Option<Answers> {
        let mut requests = Vec::new();
        if self.incoming.recv_many(&mut requests, at_most.clamp(1, BATCH)).await == 0 {
            return None;
        }
        let (works, answers): (Vec<Work>, Vec<_>) = requests.into_iter().map(|request| (request.work, request.answer)).unzip();
        let results = commit_all(&self.app, &works).await;
        crash_point!("ledger.before_answers");
        Some(Answers(answers.into_iter().zip(results).collect()))
    }
}

impl Ledger {
    /// A ledger and who keeps it.
    pub fn open(app: Arc<App>) -> (Ledger, Keeper) {
        let (requests, incoming) = mpsc::channel(QUEUE);
        let ledger = Ledger {
            requests,
            #[cfg(feature = "planted-bugs")]
            app: app.clone(),
        };
        (ledger, Keeper { app, incoming })
    }

    pub(super) async fn decide(&self, work: Work) -> Result<Answer, LedgerError> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(Request { work, answer }).await.map_err(|_| LedgerError::Closed)?;
        answered.await.map_err(|_| LedgerError::Closed)?
    }

    /// Lets something happen to an order. `Ok(None)`: it meant nothing there.
    pub async fn happened(&self, order: OrderId, event: Event) -> Result<Option<Order>, LedgerError> {
        match self.decide(Work::Happened { order, event, turn: None }).await? {
            Answer::Done(order) => Ok(order.map(|order| *order)),
            Answer::Void(_) | Answer::Said(_) => Ok(None),
        }
    }

    /// Takes in what a platform sent, as its stream does.
    pub async fn received(&self, platform: PlatformName, batch: Batch) -> Result<(), LedgerError> {
        let batch = quarantine::sound(&platform, batch);
        #[cfg(feature = "planted-bugs")]
        if planted!("cursor_ahead") {
            save_cursor_first(&self.app, &platform, &batch).await;
        }
        self.decide(Work::Received { platform, batch }).await.map(|_| ())
    }
}

async fn commit_all(app: &App, works: &[Work]) -> Vec<Result<Answer, LedgerError>> {
    for attempt in 1..=ATTEMPTS {
        match caught(commit(app, works)).await {
            Ok(answers) => return answers.into_iter().map(Ok).collect(),
            Err(error) => tracing::warn!(attempt, works = works.len(), %error, "a batch was not committed"),
        }
        tokio::time::sleep(PAUSE * attempt).await;
    }
    let mut results = Vec::with_capacity(works.len());
    for work in works {
        let result = match (caught(commit(app, std::slice::from_ref(work))).await, work) {
            (Err(error), Work::Received { platform, batch }) if error.is_about_the_data() => {
                take_apart(app, platform, batch).await.map(|()| vec![Answer::Done(None)])
            }
            (result, _) => result,
        };
        results.push(match result.map(|mut answers| answers.pop()) {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(LedgerError::Closed),
            Err(error) => {
                tracing::error!(%error, "a piece of work was not committed; whoever brought it will bring it again");
                Err(LedgerError::Store(Arc::new(error)))
            }
        });
    }
    results
}

/// Takes each event of a batch in alone. What cannot be taken in by what it says is left out; anything else that fails ends it, with the
/// stream's cursor where it was.
async fn take_apart(app: &App, platform: &PlatformName, batch: &Batch) -> Result<(), StoreError> {
    for part in quarantine::parts(batch) {
        let work = Work::Received { platform: platform.clone(), batch: part.clone() };
        match caught(commit(app, &[work])).await {
            Ok(_) => {}
            Err(error) if error.is_about_the_data() => quarantine::leave_out(platform, &part, &error),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What `cursor_ahead` plants: the cursor in a commit of its own, before what it stands behind.
#[cfg(feature = "planted-bugs")]
async fn save_cursor_first(app: &App, platform: &PlatformName, batch: &Batch) {
    let (Ok(mut tx), Some(cursor)) = (app.store.begin().await, &batch.cursor) else { return };
    if tx.save_cursor(platform, &cursor.0, app.clock.now()).await.is_ok() {
        let _ = tx.commit().await;
    }
}

/// A panic while deciding is a bug, and must not take the ledger with it: the transaction is dropped and so rolled back.
async fn caught<T>(deciding: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    AssertUnwindSafe(deciding).catch_unwind().await.unwrap_or(Err(StoreError::Panicked))
}

/// One transaction. If the process dies anywhere in here, nothing of it has happened.
async fn commit(app: &App, works: &[Work]) -> Result<Vec<Answer>, StoreError> {
    crash_point!("ledger.before_begin", return Err(StoreError: connection_lost));
    let mut desk = Desk::open(app).await?;
    let turns: Vec<Turn> = works.iter().filter_map(turn_of).cloned().collect();
    let current: HashSet<_> = desk.tx.take_turns(&turns).await?;
    let ids: Vec<OrderId> = works.iter().filter_map(order_of).cloned().collect();
    desk.lay_out(&ids).await?;

    let mut answers = Vec::with_capacity(works.len());
    for work in works {
        if turn_of(work).is_some_and(|turn| !current.contains(&turn.id)) {
            answers.push(Answer::Void("the lease was lost".to_owned()));
            continue;
        }
        answers.push(match work {
            Work::Received { platform, batch } => {
                intake::take_in(&mut desk, platform, batch).await?;
                Answer::Done(None)
            }
            Work::Happened { order, event, .. } => match desk.happen(order, event).await? {
                Ok(()) => Answer::Done(None),
                Err(refusal) => Answer::Void(refusal.to_string()),
            },
            Work::Ended { .. } => Answer::Done(None),
            Work::Word { enrolment } => match enrol::link(&mut desk, enrolment).await? {
                Ok(()) => Answer::Done(None),
                Err(why) => Answer::Void(why),
            },
            Work::Offered { offer, .. } => {
                desk.tx.lock_people(&[&offer.person]).await?;
                desk.tx.offer_set(&offer.person, &offer.orders, &offer.code_mac, desk.now).await?;
                Answer::Done(None)
            }
            Work::Act { by, act } => match operate::act(&mut desk, by, act).await? {
                Ok(what) => Answer::Said(what),
                Err(why) => Answer::Void(why),
            },
            Work::Differs { found } => match reconcile::take_difference(&mut desk, found).await? {
                true => Answer::Done(None),
                false => Answer::Void("said before".to_owned()),
            },
            Work::Person { act } => match account::act(&mut desk, act).await? {
                Ok(()) => Answer::Done(None),
                Err(problem) => Answer::Void(problem.name().to_owned()),
            },
        });
    }
    let (committed, orders) = desk.commit().await?;
    announce(app, committed);
    Ok(with_orders(works, answers, &orders))
}

fn turn_of(work: &Work) -> Option<&Turn> {
    match work {
        Work::Happened { turn, .. } => turn.as_ref(),
        Work::Ended { turn } | Work::Offered { turn, .. } => Some(turn),
        Work::Received { .. } | Work::Word { .. } | Work::Act { .. } | Work::Differs { .. } | Work::Person { .. } => None,
    }
}

fn order_of(work: &Work) -> Option<&OrderId> {
    match work {
        Work::Happened { order, .. } => Some(order),
        Work::Act { act, .. } => act.order(),
        _ => None,
    }
}

fn with_orders(works: &[Work], answers: Vec<Answer>, orders: &HashMap<OrderId, Order>) -> Vec<Answer> {
    let order = |work| order_of(work).and_then(|id| orders.get(id)).cloned().map(Box::new);
    works
        .iter()
        .zip(answers)
        .map(|(work, answer)| match answer {
            Answer::Done(_) => Answer::Done(order(work)),
            other => other,
        })
        .collect()
}

fn announce(app: &App, committed: Committed) {
    for lane in &committed.lanes {
        app.signals.lane_has_work(lane);
    }
    for order in &committed.orders {
        app.signals.order_changed(order);
    }
    for (order, what) in committed.calls {
        tracing::error!(order.id = %order, what, "an operator is needed");
    }
}
