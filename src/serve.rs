//! Serving: starts the tasks of a running Obole, and stops them in order.
//!
//! Start: ledger, then lanes and the clock, then streams, then the web. Stop: streams and clock first (nothing new comes in), then the
//! lanes (what is under way comes to its end, nothing more is claimed), then the web, then the ledger, then the store. What does
//! not end in time is left as it is, which is as safe as a crash: its row is still there.

pub mod door;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::ledger::Ledger;
use crate::app::operate::Office;
use crate::app::turns::Turns;
use crate::app::{App, dispatch, expire, in_force, reconcile, timekeeping, watch};
use crate::crash::crash_point;

/// How long calls under way may take to end before the process stops all the same.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running Obole.
pub struct Serving {
    app: Arc<App>,
    turns: Arc<Turns>,
    ledger: Ledger,
    keeper: JoinHandle<()>,
    inward: CancellationToken,
    lanes: CancellationToken,
    edges: CancellationToken,
    inward_tasks: TaskTracker,
    lane_tasks: TaskTracker,
    edge_tasks: TaskTracker,
}

impl Serving {
    /// Starts everything that works without being asked: ledger, lanes, clock and streams.
    pub fn start(app: Arc<App>) -> Self {
        let (ledger, keeper) = Ledger::open(app.clone());
        let serving = Serving {
            turns: Arc::new(Turns::new(app.clone())),
            ledger,
            keeper: tokio::spawn(keeper.keep()),
            inward: CancellationToken::new(),
            lanes: CancellationToken::new(),
            edges: CancellationToken::new(),
            inward_tasks: TaskTracker::new(),
            lane_tasks: TaskTracker::new(),
            edge_tasks: TaskTracker::new(),
            app,
        };
        let Serving { app, ledger, .. } = &serving;
        serving.lane_tasks.spawn(dispatch::keep_dispatching(app.clone(), ledger.clone(), serving.lanes.clone()));
        let (clock_app, clock_ledger) = (app.clone(), ledger.clone());
        let passing = async move { expire::keep_expiring(&clock_app, &clock_ledger).await };
        serving.inward_tasks.spawn(serving.inward.clone().run_until_cancelled_owned(passing));
        let watched = app.clone();
        let watching = async move { watch::keep_watching(&watched).await };
        serving.inward_tasks.spawn(serving.inward.clone().run_until_cancelled_owned(watching));
        let timed = app.clone();
        let timing = async move { timekeeping::keep_time(&timed).await };
        serving.inward_tasks.spawn(serving.inward.clone().run_until_cancelled_owned(timing));
        let limited = app.clone();
        let keeping = async move { in_force::keep_limits(&limited).await };
        serving.inward_tasks.spawn(serving.inward.clone().run_until_cancelled_owned(keeping));
        for platform in app.platforms.values() {
            let listening = serving.turns.clone().keep_listening(ledger.clone(), platform.clone());
            serving.inward_tasks.spawn(serving.inward.clone().run_until_cancelled_owned(listening));
        }
        serving
    }

    /// The way to the ledger.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Compares the banks' entries with ours from time to time, and answers operators where nobody else can: on a SQLite database.
    pub fn serve_operators(&self, office: Office) {
        let (app, ledger, schedule) = (self.app.clone(), self.ledger.clone(), office.reconciling.clone());
        let comparing = async move { reconcile::keep_reconciling(&app, &ledger, &schedule).await };
        self.inward_tasks.spawn(self.inward.clone().run_until_cancelled_owned(comparing));
        let Some(database) = self.app.store.file() else { return };
        match door::open(database) {
            Ok((listener, path)) => {
                let open = door::keep_open(listener, path, self.app.clone(), self.ledger.clone(), office);
                self.inward_tasks.spawn(self.inward.clone().run_until_cancelled_owned(open));
            }
            Err(error) => {
                tracing::warn!(%error, "operators cannot reach this process while it runs: no socket beside the database")
            }
        }
    }

    /// Serves pages on these listeners until the end.
    pub fn serve_web(&self, listeners: Vec<TcpListener>, router: axum::Router) {
        for listener in listeners {
            let stopped = self.edges.clone().cancelled_owned();
            let service = router.clone().into_make_service_with_connect_info::<std::net::SocketAddr>();
            let serving = axum::serve(listener, service).with_graceful_shutdown(stopped);
            self.edge_tasks.spawn(async move {
                if let Err(error) = serving.await {
                    tracing::error!(%error, "the web part ended by itself");
                }
            });
        }
    }

    /// Told when the pages are to end, so that open event streams do not hold the process.
    pub fn end_of_pages(&self) -> CancellationToken {
        self.edges.clone()
    }

    /// Stops in order, and leaves everything resumable.
    pub async fn stop(self) {
        self.inward.cancel();
        self.inward_tasks.close();
        self.inward_tasks.wait().await;
        if let Err(error) = self.turns.give_back().await {
            tracing::warn!(%error, "nobody was told that we read no stream any more; others wait until our turn runs out");
        }
        crash_point!("stop.streams_ended");
        self.lanes.cancel();
        self.lane_tasks.close();
        if tokio::time::timeout(PATIENCE, self.lane_tasks.wait()).await.is_err() {
            tracing::warn!("some calls did not end in time; they will be asked about at the next start");
        }
        crash_point!("stop.drained");
        self.edges.cancel();
        self.edge_tasks.close();
        if tokio::time::timeout(PATIENCE, self.edge_tasks.wait()).await.is_err() {
            tracing::warn!("some page is still being read; it is cut off");
        }
        drop(self.ledger);
        if tokio::time::timeout(PATIENCE, self.keeper).await.is_err() {
            tracing::warn!("the ledger is still held by somebody; what is not committed has not happened");
        }
        crash_point!("stop.before_close");
        self.app.store.close().await;
    }
}
