//! How a connection fares: what the console and whoever watches are shown. Counters of this process; the store keeps what must not be lost.

use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering};

use super::Liveness;
use crate::clock::Timestamp;

/// Written by the adapter, read by everybody.
#[derive(Debug, Default)]
pub struct Health {
    liveness: AtomicU8,
    connections: AtomicU64,
    gaps: AtomicU64,
    frames: AtomicU64,
    dropped: AtomicU64,
    heard_us: AtomicI64,
    spent_microdollars: AtomicU64,
}

/// How it was at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// How the connection stands.
    pub liveness: Liveness,
    /// How often a stream was opened.
    pub connections: u64,
    /// Stretches that nobody can bring back.
    pub gaps: u64,
    /// Frames or posts that the stream has brought.
    pub frames: u64,
    /// Those among them that were dropped before they were decoded.
    pub dropped: u64,
    /// When the stream last brought anything.
    pub heard_at: Option<Timestamp>,
    /// What calls and events have cost on a metered platform, in millionths of a US dollar.
    pub spent_microdollars: u64,
}

impl Health {
    /// The stream stands differently now.
    pub fn becomes(&self, liveness: Liveness) {
        let number = match liveness {
            Liveness::Down => 0,
            Liveness::CatchingUp => 1,
            Liveness::Live => 2,
        };
        self.liveness.store(number, Ordering::Relaxed);
    }

    /// A stream was opened; what was missed is being read.
    pub fn connected(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
        self.becomes(Liveness::CatchingUp);
    }

    /// Something came in.
    pub fn hears(&self, now: Timestamp) {
        self.frames.fetch_add(1, Ordering::Relaxed);
        self.heard_us.store(now.as_microsecond(), Ordering::Relaxed);
    }

    /// What came in did not concern us, and was not decoded.
    pub fn drops(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// A stretch of the stream is lost.
    pub fn misses(&self) {
        self.gaps.fetch_add(1, Ordering::Relaxed);
    }

    /// Something had a price.
    pub fn spends(&self, microdollars: u64) {
        self.spent_microdollars.fetch_add(microdollars, Ordering::Relaxed);
    }

    /// How it is now.
    pub fn standing(&self) -> Standing {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let heard_us = self.heard_us.load(Ordering::Relaxed);
        Standing {
            liveness: match self.liveness.load(Ordering::Relaxed) {
                2 => Liveness::Live,
                1 => Liveness::CatchingUp,
                _ => Liveness::Down,
            },
            connections: count(&self.connections),
            gaps: count(&self.gaps),
            frames: count(&self.frames),
            dropped: count(&self.dropped),
            heard_at: (heard_us != 0).then(|| Timestamp::from_microsecond(heard_us).ok()).flatten(),
            spent_microdollars: count(&self.spent_microdollars),
        }
    }
}

impl Liveness {
    /// The word for people and for programs that watch.
    pub fn as_str(self) -> &'static str {
        match self {
            Liveness::Live => "live",
            Liveness::CatchingUp => "catching up",
            Liveness::Down => "degraded",
        }
    }
}

/// Says that the stream is down when it goes out of scope, however that comes about.
pub(super) struct WhileOpen<'a>(pub(super) &'a Health);

impl Drop for WhileOpen<'_> {
    fn drop(&mut self) {
        self.0.becomes(Liveness::Down);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_is_left_is_down() {
        let health = Health::default();
        {
            let _open = WhileOpen(&health);
            health.connected();
            assert_eq!(health.standing().liveness, Liveness::CatchingUp);
            health.becomes(Liveness::Live);
            assert_eq!(health.standing().liveness.as_str(), "live");
        }
        assert_eq!((health.standing().liveness, health.standing().connections), (Liveness::Down, 1));
    }
}
