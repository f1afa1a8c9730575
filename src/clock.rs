//! Time as a parameter.
//!
//! Nothing below `serve` asks the system what time it is: whoever decides is handed `now`, and whoever needs to ask holds
//! a [`Clock`]. That keeps every decision repeatable, lets the tests move time by hand, and gives the database's own clock
//! one place to be used instead.

use std::sync::Mutex;
use std::time::Duration;

pub use jiff::Timestamp;

/// Something that knows what time it is.
pub trait Clock: Send + Sync + 'static {
    /// The present moment, UTC.
    fn now(&self) -> Timestamp;

    /// Told what time it is by somebody whose word counts for all nodes (the database). What cannot be set stays as it is.
    fn set_right(&self, _to: Timestamp) {}
}

/// The system's own clock; the only reader of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// The clock of a service that runs for months: it never goes back, and no jump of the wall clock moves it.
///
/// It begins with the wall clock and goes on by the machine's monotonic one, the one that also counts while the machine sleeps. Set
/// right, it is moved forward at once, since whoever is late would hold leases that have ended; never back: if it was ahead, it goes at
/// half its pace until it is right.
#[derive(Debug)]
pub struct SteadyClock(Mutex<Course>);

impl SteadyClock {
    /// A clock that begins now.
    pub fn start() -> Self {
        SteadyClock(Mutex::new(Course { begins: SystemClock.now(), at: awake_and_asleep(), ahead: Duration::ZERO }))
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> Timestamp {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).shows(awake_and_asleep())
    }

    fn set_right(&self, to: Timestamp) {
        let mut course = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *course = course.set_right(awake_and_asleep(), to);
    }
}

/// Since the machine was started, sleep included.
fn awake_and_asleep() -> Duration {
    #[cfg(target_os = "linux")]
    let id = rustix::time::ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let id = rustix::time::ClockId::Monotonic;
    Duration::try_from(rustix::time::clock_gettime(id)).unwrap_or_default()
}

/// How a [`SteadyClock`] goes.
#[derive(Debug, Clone, Copy)]
struct Course {
    /// What it showed when the monotonic clock stood at `at`.
    begins: Timestamp,
    at: Duration,
    /// By how much it was ahead then.
    ahead: Duration,
}

impl Course {
    fn shows(&self, at: Duration) -> Timestamp {
        let passed = at.saturating_sub(self.at);
        later(self.begins, passed - self.ahead.min(passed / 2))
    }

    fn set_right(&self, at: Duration, to: Timestamp) -> Course {
        let shown = self.shows(at);
        Course { begins: shown.max(to), at, ahead: Duration::try_from(shown.duration_since(to)).unwrap_or_default() }
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    /// A clock that shows `start`.
    pub fn at(start: Timestamp) -> Self {
        ManualClock(Mutex::new(start))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *now = later(*now, by);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// `moment` plus `by`; stays at the end of time instead of failing, which no expiry ever reaches.
pub fn later(moment: Timestamp, by: Duration) -> Timestamp {
    moment.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// `moment` less `by`; stays at the beginning of time instead of failing.
pub fn earlier(moment: Timestamp, by: Duration) -> Timestamp {
    moment.checked_sub(by).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_steady_clock_is_set_forward_at_once_and_never_back() {
        let course = Course { begins: second(1_000), at: seconds(50), ahead: Duration::ZERO };
        assert_eq!(course.shows(seconds(60)), second(1_010));
        assert_eq!(course.shows(seconds(40)), second(1_000), "not even if the monotonic clock were to go back");
        let slept = course.set_right(seconds(60), second(4_600));
        assert_eq!(slept.shows(seconds(60)), second(4_600));
        // Ten seconds ahead: it takes twenty to be right again, at half its pace.
        let slow = slept.set_right(seconds(60), second(4_590));
        assert_eq!(slow.shows(seconds(60)), second(4_600));
        assert_eq!(slow.shows(seconds(70)), second(4_605));
        assert_eq!(slow.shows(seconds(80)), second(4_610));
        assert_eq!(slow.shows(seconds(90)), second(4_620));
    }

    #[test]
    fn a_steady_clock_goes_on_by_itself() {
        let clock = SteadyClock::start();
        let before = clock.now();
        std::thread::sleep(Duration::from_millis(2));
        assert!(before < clock.now());
        clock.set_right(before);
        assert!(before < clock.now());
    }
}
