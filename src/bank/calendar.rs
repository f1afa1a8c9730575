//! When a bank works: banking days, cut-off times, execution windows.
//!
//! Credit transfers are executed on banking days only, and an order that comes after the bank's cut-off counts as received on the next one
//! (PSD2 Art. 78(1)). Instant transfers know neither. What is said here is what the bank declared in the configuration; nothing is
//! promised to a payer from it.

use std::collections::BTreeSet;

use jiff::ToSpan as _;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;

use crate::clock::Timestamp;

/// A closed stretch longer than this is no calendar any more.
const LONGEST_CLOSURE_DAYS: usize = 60;

/// A bank's calendar.
#[derive(Debug, Clone, PartialEq)]
pub struct Calendar {
    /// Where the bank's clock hangs.
    pub time_zone: TimeZone,
    /// What comes in at this time of a banking day, or later, counts as the next one's. `None`: no cut-off.
    pub cut_off: Option<Time>,
    /// Days that are no banking days, besides weekends and the closing days of TARGET.
    pub closed: BTreeSet<Date>,
    /// When orders are handed over, each banking day. Empty: whenever there are some.
    pub windows: BTreeSet<Time>,
}

impl Default for Calendar {
    fn default() -> Self {
        Calendar { time_zone: TimeZone::UTC, cut_off: None, closed: BTreeSet::new(), windows: BTreeSet::new() }
    }
}

impl Calendar {
    /// The day at the bank.
    pub fn day_of(&self, moment: Timestamp) -> Date {
        moment.to_zoned(self.time_zone.clone()).date()
    }

    /// Whether the bank executes credit transfers on that day.
    pub fn is_banking_day(&self, day: Date) -> bool {
        let weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
        !weekend && !is_target_closing_day(day) && !self.closed.contains(&day)
    }

    /// This day if it is a banking day, else the next that is.
    pub fn banking_day_from(&self, day: Date) -> Date {
        day.series(1.day()).take(LONGEST_CLOSURE_DAYS).find(|day| self.is_banking_day(*day)).unwrap_or(day)
    }

    /// The last banking day before this day.
    pub fn banking_day_before(&self, day: Date) -> Date {
        let before = day.yesterday().unwrap_or(day);
        before.series(-1.day()).take(LONGEST_CLOSURE_DAYS).find(|day| self.is_banking_day(*day)).unwrap_or(before)
    }

    /// The day on which an order that comes in now is executed.
    pub fn execution_day(&self, now: Timestamp) -> Date {
        let local = now.to_zoned(self.time_zone.clone());
        let too_late = self.is_banking_day(local.date()) && self.cut_off.is_some_and(|cut_off| local.time() >= cut_off);
        let first = if too_late { local.date().tomorrow().unwrap_or(local.date()) } else { local.date() };
        self.banking_day_from(first)
    }

    /// When an order that comes in at `moment` is handed over: the first window from then on.
    pub fn window_from(&self, moment: Timestamp) -> Timestamp {
        if self.windows.is_empty() {
            return moment;
        }
        let days = self.day_of(moment).series(1.day()).take(LONGEST_CLOSURE_DAYS).filter(|day| self.is_banking_day(*day));
        let on = |day: Date| {
            self.windows
                .iter()
                .filter_map(move |time| Some(day.to_datetime(*time).to_zoned(self.time_zone.clone()).ok()?.timestamp()))
        };
        days.flat_map(on).find(|window| *window >= moment).unwrap_or(moment)
    }
}

/// The days on which TARGET is closed besides weekends (ECB, in force since 2002).
fn is_target_closing_day(day: Date) -> bool {
    let easter = easter_sunday(day.year());
    let fixed = matches!((day.month(), day.day()), (1, 1) | (5, 1) | (12, 25 | 26));
    let good_friday = easter.checked_sub(2.days()).is_ok_and(|friday| friday == day);
    fixed || good_friday || easter.tomorrow().is_ok_and(|monday| monday == day)
}

/// Easter Sunday of a year of the Gregorian calendar (the anonymous algorithm of Nature, 20 April 1876).
fn easter_sunday(year: i16) -> Date {
    let year = i32::from(year);
    let (golden, century, rest) = (year % 19, year / 100, year % 100);
    let moon = (19 * golden + century - century / 4 - (century - (century + 8) / 25 + 1) / 3 + 15) % 30;
    let weekday = (32 + 2 * (century % 4) + 2 * (rest / 4) - moon - rest % 4) % 7;
    let shift = (golden + 11 * moon + 22 * weekday) / 451;
    let (month, day) = ((moon + weekday - 7 * shift + 114) / 31, (moon + weekday - 7 * shift + 114) % 31 + 1);
    let small = |number: i32| i8::try_from(number).ok();
    let date = small(month).zip(small(day)).zip(i16::try_from(year).ok());
    date.and_then(|((month, day), year)| Date::new(year, month, day).ok()).unwrap_or(Date::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn paris() -> Calendar {
        let time = |text: &str| text.parse::<Time>().unwrap();
        Calendar {
            time_zone: TimeZone::get("Europe/Paris").unwrap(),
            cut_off: Some(time("16:00")),
            closed: [day("2026-11-11")].into(),
            windows: [time("09:30"), time("15:00")].into(),
        }
    }

    #[test]
    fn easter_moves_and_target_closes_around_it() {
        for (year, easter) in [(2024, "2024-03-31"), (2025, "2025-04-20"), (2026, "2026-04-05"), (2038, "2038-04-25")] {
            assert_eq!(easter_sunday(year), day(easter));
        }
        for closed in ["2026-04-03", "2026-04-06", "2026-01-01", "2026-05-01", "2026-12-25", "2026-11-21", "2026-11-11"] {
            assert!(!paris().is_banking_day(day(closed)), "{closed}");
        }
        assert!(paris().is_banking_day(day("2026-12-24")));
    }

    #[test]
    fn what_comes_after_the_cut_off_is_executed_on_the_next_banking_day() {
        // Friday, an hour east of UTC.
        assert_eq!(paris().execution_day(at("2026-11-20T14:59:59Z")), day("2026-11-20"));
        assert_eq!(paris().execution_day(at("2026-11-20T15:00:00Z")), day("2026-11-23"));
        assert_eq!(paris().execution_day(at("2026-11-21T08:00:00Z")), day("2026-11-23"));
        assert_eq!(paris().banking_day_before(day("2026-11-23")), day("2026-11-20"));
    }

    #[test]
    fn a_window_is_the_next_one_of_a_banking_day() {
        assert_eq!(paris().window_from(at("2026-11-20T08:00:00Z")), at("2026-11-20T08:30:00Z"));
        assert_eq!(paris().window_from(at("2026-11-20T08:30:00Z")), at("2026-11-20T08:30:00Z"));
        assert_eq!(paris().window_from(at("2026-11-20T08:30:01Z")), at("2026-11-20T14:00:00Z"));
        assert_eq!(paris().window_from(at("2026-11-20T14:00:01Z")), at("2026-11-23T08:30:00Z"));
        assert_eq!(Calendar::default().window_from(at("2026-11-21T14:00:01Z")), at("2026-11-21T14:00:01Z"));
    }
}
