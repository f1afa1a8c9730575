//! The rates Obole keeps to by itself, as named governors.
//!
//! Two things limit what goes out, and they are kept apart. The *windows* of an outside party (so many messages in so long)
//! are counted in the store, in the transaction that claims the work, because they have to be right across restarts and
//! nodes (`crate::store::effects`). The *governors* here shape this process's own traffic: they spread a burst over a window
//! instead of spending the window in its first second, keep a bank at the rate it declares, and let a lane rest that was told to come
//! back later. Money is never counted here.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::clock::{Clock, Timestamp, later};
use crate::ids::{BankName, PlatformName};
use crate::platform::Window;

type Governor = RateLimiter<NotKeyed, InMemoryState, OurTime, NoOpMiddleware<Nanos>>;

/// Our clock as a governor reads it.
#[derive(Clone)]
struct OurTime(Arc<dyn Clock>);

impl GovernorClock for OurTime {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::new(u64::try_from(self.0.now().as_nanosecond()).unwrap_or(0))
    }
}

/// Posts of people without a channel that one platform may bring: far more than hints can be said about, far less than would keep the
/// database from its payers.
const STRANGERS: Quota = Quota::per_second(NonZeroU32::new(20).unwrap()).allow_burst(NonZeroU32::new(2_000).unwrap());

/// The longest that an outside party can keep us away with one word: longer than any window of a platform, so that a far reset is
/// kept to, and not so long that a wrong word stops a lane for good.
const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);

/// All governors by name.
pub struct Governors {
    clock: Arc<dyn Clock>,
    banks: HashMap<BankName, Governor>,
    lanes: HashMap<PlatformName, Vec<Governor>>,
    strangers: HashMap<PlatformName, Governor>,
    /// Until when a lane rests, by its name: somebody was told to come back later, which goes for all that stand behind them.
    pauses: Mutex<HashMap<String, Timestamp>>,
}

impl Governors {
    /// No governors yet; those to come tell the time by this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Governors { clock, banks: HashMap::new(), lanes: HashMap::new(), strangers: HashMap::new(), pauses: Mutex::default() }
    }

    /// Keeps calls to a bank at this rate.
    pub fn govern_bank(&mut self, bank: BankName, calls_per_second: NonZeroU32) {
        self.banks.insert(bank, self.governor(Quota::per_second(calls_per_second)));
    }

    /// Spreads messages to a platform over its windows. The longest window is asked first: a denial by the second does not give back
    /// what the first let pass.
    pub fn govern_platform(&mut self, platform: PlatformName, windows: &[Window]) {
        let mut windows: Vec<_> = windows.to_vec();
        windows.sort_by_key(|window| std::cmp::Reverse(window.period));
        let governors = windows.iter().filter_map(spread).map(|quota| self.governor(quota)).collect();
        self.strangers.insert(platform.clone(), self.governor(STRANGERS));
        self.lanes.insert(platform, governors);
    }

    /// Whether one more post of somebody without a channel is looked at now. In a flood they are the first to be passed over, so that
    /// those who have one keep their service.
    pub fn stranger_passes(&self, platform: &PlatformName) -> bool {
        self.strangers.get(platform).is_none_or(|governor| governor.check().is_ok())
    }

    /// Rests a lane for as long as the outside asked (`Retry-After`, a window's reset): one refusal speaks for all that wait.
    pub fn rest(&self, lane: &str, pause: Duration) {
        let until = later(self.clock.now(), pause.min(LONGEST_PAUSE));
        let mut pauses = self.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        let pause = pauses.entry(lane.to_owned()).or_insert(until);
        *pause = until.max(*pause);
    }

    /// Until when a lane rests, if it does.
    pub fn rests_until(&self, lane: &str) -> Option<Timestamp> {
        let mut pauses = self.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        let until = *pauses.get(lane)?;
        if self.clock.now() < until {
            return Some(until);
        }
        pauses.remove(lane);
        None
    }

    fn governor(&self, quota: Quota) -> Governor {
        RateLimiter::direct_with_clock(quota, OurTime(self.clock.clone()))
    }

    /// How many of `wanted` calls may go to a bank now.
    pub fn calls_now(&self, bank: &BankName, wanted: u32) -> u32 {
        self.banks.get(bank).map_or(wanted, |governor| passing(std::slice::from_ref(governor), wanted))
    }

    /// How many of `wanted` messages may go to a platform now.
    pub fn messages_now(&self, platform: &PlatformName, wanted: u32) -> u32 {
        self.lanes.get(platform).map_or(wanted, |lane| passing(lane, wanted))
    }
}

fn passing(governors: &[Governor], wanted: u32) -> u32 {
    let passes = |_: &u32| governors.iter().all(|governor| governor.check().is_ok());
    u32::try_from((0..wanted).take_while(passes).count()).unwrap_or(wanted)
}

/// Half of the window at once, the other half spread over it: so no stretch as long as the window sees more than its limit.
fn spread(window: &Window) -> Option<Quota> {
    let burst = NonZeroU32::new(window.limit.div_ceil(2))?;
    let refill = NonZeroU32::new(window.limit / 2).unwrap_or(NonZeroU32::MIN);
    let quota = Quota::with_period(window.period.checked_div(refill.get())?.max(Duration::from_nanos(1)))?;
    Some(quota.allow_burst(burst))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn a_message_passes_only_if_every_window_lets_it() {
        let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
        let mut governors = Governors::new(clock.clone());
        let platform = PlatformName::from("x");
        let minutes = |limit, minutes: u64| Window { limit, period: Duration::from_secs(minutes * 60) };
        governors.govern_platform(platform.clone(), &[minutes(100, 15), minutes(10, 24 * 60)]);
        assert_eq!(governors.messages_now(&platform, 50), 5, "half of the smaller window at once");
        assert_eq!(governors.messages_now(&platform, 50), 0);
        clock.advance(Duration::from_secs(24 * 60 * 60 / 5));
        assert_eq!(governors.messages_now(&platform, 50), 1, "the other half is spread over the window");
        assert_eq!(governors.messages_now(&PlatformName::from("not governed"), 50), 50);
    }

    #[test]
    fn a_bank_is_called_at_its_rate_and_no_faster() {
        let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
        let mut governors = Governors::new(clock.clone());
        let bank = BankName::from("bank");
        governors.govern_bank(bank.clone(), NonZeroU32::new(10).unwrap());
        assert_eq!(governors.calls_now(&bank, 50), 10);
        clock.advance(Duration::from_millis(300));
        assert_eq!(governors.calls_now(&bank, 50), 3);
    }

    #[test]
    fn a_lane_rests_for_as_long_as_it_was_told_and_no_shorter() {
        let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
        let governors = Governors::new(clock.clone());
        assert_eq!(governors.rests_until("bank:a"), None);
        governors.rest("bank:a", Duration::from_secs(60));
        governors.rest("bank:a", Duration::from_secs(5));
        assert_eq!(governors.rests_until("bank:a"), Some(later(Timestamp::UNIX_EPOCH, Duration::from_secs(60))));
        assert_eq!(governors.rests_until("bank:b"), None, "another lane goes on");
        clock.advance(Duration::from_secs(60));
        assert_eq!(governors.rests_until("bank:a"), None);
        governors.rest("bank:a", Duration::MAX);
        assert_eq!(governors.rests_until("bank:a"), Some(later(clock.now(), LONGEST_PAUSE)));
    }

    #[test]
    fn of_a_flood_of_strangers_so_many_are_looked_at() {
        let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
        let mut governors = Governors::new(clock.clone());
        let platform = PlatformName::from("x");
        governors.govern_platform(platform.clone(), &[]);
        let pass = |governors: &Governors| (0..10_000).filter(|_| governors.stranger_passes(&platform)).count();
        assert_eq!(pass(&governors), 2_000);
        assert_eq!(pass(&governors), 0);
        clock.advance(Duration::from_secs(10));
        assert_eq!(pass(&governors), 200);
    }
}
