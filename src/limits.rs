//! The rates Obole keeps to by itself, as named governors.
//!
//! Two things limit what goes out, and they are kept apart. The *windows* of an outside party (so many messages in so long)
//! are counted in the store, in the transaction that claims the work, because they have to be right across restarts and
//! nodes (`crate::store::effects`). The *governors* here shape this process's own traffic: they spread a burst over a window
//! instead of spending the window in its first second, and keep a bank at the rate it declares. Money is never counted here.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use crate::ids::{BankName, PlatformName};
use crate::platform::Window;

/// One platform's windows: a message passes when every one of them lets it.
struct Lane {
    windows: Vec<(Window, DefaultDirectRateLimiter)>,
}

/// All governors by name.
#[derive(Default)]
pub struct Governors {
    banks: HashMap<BankName, DefaultDirectRateLimiter>,
    lanes: HashMap<PlatformName, Lane>,
}

impl Governors {
    /// Keeps calls to a bank at this rate.
    pub fn govern_bank(&mut self, bank: BankName, calls_per_second: NonZeroU32) {
        self.banks.insert(bank, RateLimiter::direct(Quota::per_second(calls_per_second)));
    }

    /// Spreads messages to a platform over its windows. The longest window is asked first: a denial by the second does not give back
    /// what the first let pass.
    pub fn govern_platform(&mut self, platform: PlatformName, windows: &[Window]) {
        let mut windows: Vec<_> = windows.iter().filter_map(|window| Some((*window, spread(window)?))).collect();
        windows.sort_by_key(|(window, _)| std::cmp::Reverse(window.period));
        self.lanes.insert(platform, Lane { windows });
    }

    /// Waits until the bank may be called again.
    pub async fn until_bank_is_ready(&self, bank: &BankName) {
        if let Some(governor) = self.banks.get(bank) {
            governor.until_ready().await;
        }
    }

    /// How many of `wanted` messages may go to a platform now.
    pub fn messages_now(&self, platform: &PlatformName, wanted: u32) -> u32 {
        let Some(lane) = self.lanes.get(platform) else { return wanted };
        let passes = |_: &u32| lane.windows.iter().all(|(_, governor)| governor.check().is_ok());
        u32::try_from((0..wanted).take_while(passes).count()).unwrap_or(wanted)
    }
}

/// Half of the window at once, the other half spread over it: so no stretch as long as the window sees more than its limit.
fn spread(window: &Window) -> Option<DefaultDirectRateLimiter> {
    let burst = NonZeroU32::new(window.limit.div_ceil(2))?;
    let refill = NonZeroU32::new(window.limit / 2).unwrap_or(NonZeroU32::MIN);
    let quota = Quota::with_period(window.period.checked_div(refill.get())?.max(Duration::from_nanos(1)))?;
    Some(RateLimiter::direct(quota.allow_burst(burst)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_passes_only_if_every_window_lets_it() {
        let mut governors = Governors::default();
        let platform = PlatformName::from("x");
        let minutes = |limit, minutes: u64| Window { limit, period: Duration::from_secs(minutes * 60) };
        governors.govern_platform(platform.clone(), &[minutes(100, 15), minutes(10, 24 * 60)]);
        assert_eq!(governors.messages_now(&platform, 50), 5, "half of the smaller window at once");
        assert_eq!(governors.messages_now(&platform, 50), 0);
        assert_eq!(governors.messages_now(&PlatformName::from("not governed"), 50), 50);
    }
}
