//! Chance from a seed: everything in a simulation that could have gone otherwise is thrown here.

use crate::clock::{Timestamp, later};
use crate::entropy::{Entropy as _, SeededEntropy, random_bytes};
use std::time::Duration;

/// A stream of repeatable throws.
pub(super) struct Dice(SeededEntropy);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Dice(SeededEntropy::new(seed))
    }

    /// 0 up to and without `below`.
    pub(super) fn below(&self, below: usize) -> usize {
        let number = u64::from_be_bytes(random_bytes(&self.0));
        usize::try_from(number % (below.max(1) as u64)).unwrap_or(0)
    }

    /// Whether something happens that does so in `permille` of a thousand cases.
    pub(super) fn permille(&self, permille: u32) -> bool {
        permille > 0 && self.below(1000) < permille as usize
    }

    /// One of them.
    pub(super) fn pick<'a, T>(&self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// Somewhere between the two, in milliseconds.
    pub(super) fn between(&self, shortest: Duration, longest: Duration) -> Duration {
        let span = longest.saturating_sub(shortest).as_millis();
        let millis = self.below(usize::try_from(span).unwrap_or(usize::MAX).saturating_add(1));
        shortest + Duration::from_millis(millis as u64)
    }

    /// A moment within `span` from `start`.
    pub(super) fn moment(&self, start: Timestamp, span: Duration) -> Timestamp {
        later(start, self.between(Duration::ZERO, span))
    }

    /// The seed of a stream of its own.
    pub(super) fn seed(&self) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_be_bytes(bytes)
    }
}
