//! The gates: every call to the outside stops before it is made and again before its answer is heard.
//!
//! A node's deliveries run as ordinary futures over ports that wait here. The simulation decides which of them goes on next, so
//! any interleaving and a death at any call are its own choice, and the same seed makes the same choices.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use std::collections::BTreeSet;

/// The gates of one node.
#[derive(Default)]
pub(super) struct Gates {
    next: AtomicU64,
    open: Mutex<BTreeSet<u64>>,
    /// The newest ticket that somebody has begun to wait with, so that whoever polls knows that its future waits here.
    newest_waiting: AtomicU64,
}

/// A place in the queue before a gate.
struct Wait {
    gates: Arc<Gates>,
    ticket: u64,
}

impl Gates {
    /// Waits until the simulation lets this call go on.
    pub(super) fn pass(self: &Arc<Self>) -> impl Future<Output = ()> + Send + use<> {
        // Ticket 0 is nobody's.
        let ticket = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        Wait { gates: Arc::clone(self), ticket }
    }

    /// The newest ticket that waits.
    pub(super) fn newest_waiting(&self) -> u64 {
        self.newest_waiting.load(Ordering::Relaxed)
    }

    /// Lets a ticket through.
    pub(super) fn open(&self, ticket: u64) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(ticket);
    }
}

impl Future for Wait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.gates.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.ticket) {
            return Poll::Ready(());
        }
        // Whoever opens the gate polls us; nobody has to be woken.
        self.gates.newest_waiting.fetch_max(self.ticket, Ordering::Relaxed);
        Poll::Pending
    }
}
