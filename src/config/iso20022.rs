//! `[banks.NAME]` with `kind = "iso20022_files"`: a bank that takes orders by file.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use super::check::{at_least_one, flag, not_blank, seconds};
use super::reader::{Form, Outcome, Reader, Section};
use crate::bank::calendar::Calendar;
use crate::bank::iso20022::Settings;

/// A connection to a bank that takes orders by file.
#[derive(Debug, Clone, PartialEq)]
pub struct Iso20022Section {
    /// Where files lie, when, and as whom.
    pub settings: Settings,
    /// How many orders are taken in a second.
    pub requests_per_second: u32,
}

pub(super) fn iso20022(reader: &mut Reader<'_>, section: &mut Section<'_>) -> Outcome<Iso20022Section> {
    let directory = reader.required(section, "directory", Form::Text, |text| not_blank(text).map(PathBuf::from));
    let usual = Settings::at(PathBuf::new());
    let mandate_page = reader.required(section, "mandate_page", Form::Text, |text| {
        let sample = text.replace("{mandate}", "0").replace("{return}", "0");
        if !text.contains("{mandate}") {
            return Err("has to contain {mandate}, the place of our id of the mandate".to_owned());
        }
        match url::Url::parse(&sample) {
            Ok(url) if url.scheme() == "https" || matches!(url.host_str(), Some("localhost" | "127.0.0.1")) => Ok(text.to_owned()),
            _ => Err("has to be an https:// address".to_owned()),
        }
    });
    let initiator = reader.or(section, "initiator", Form::Text, usual.initiator.clone(), not_blank);
    let bic = reader.optional(section, "bic", Form::Text, bic);
    let instant = reader.or(section, "instant", Form::Flag, usual.instant, flag);
    let statements = reader.or(section, "statements", Form::Flag, usual.statements, flag);
    let time_zone = reader.or(section, "time_zone", Form::Text, TimeZone::UTC, |name| {
        TimeZone::get(name).map_err(|_| "has to be a time zone such as Europe/Paris".to_owned())
    });
    let windows = reader.or(section, "windows", Form::Text, BTreeSet::new(), |text| many(text, time));
    let cut_off = reader.optional(section, "cut_off", Form::Text, time);
    let closed = reader.or(section, "closed_days", Form::Text, BTreeSet::new(), |text| many(text, day));
    let quiet = reader.or(section, "quiet_seconds", Form::Whole, usual.quiet, |text| match text {
        "0" => Ok(Duration::ZERO),
        text => seconds(text),
    });
    let poll = reader.or(section, "poll_seconds", Form::Whole, usual.poll, seconds);
    let largest_file_bytes =
        reader.or(section, "largest_file_bytes", Form::Whole, usual.largest_file_bytes, |text| at_least_one(text).map(u64::from));
    let look_up_horizon = reader.or(section, "look_up_horizon_seconds", Form::Whole, usual.look_up_horizon, seconds);
    let requests_per_second = reader.or(section, "requests_per_second", Form::Whole, 100, at_least_one);
    Ok(Iso20022Section {
        settings: Settings {
            directory: directory?.0,
            initiator: initiator?,
            bic: bic?.map(|(bic, _)| bic),
            instant: instant?,
            calendar: Calendar {
                time_zone: time_zone?,
                cut_off: cut_off?.map(|(time, _)| time),
                closed: closed?,
                windows: windows?,
            },
            mandate_page: mandate_page?.0,
            statements: statements?,
            quiet: quiet?,
            largest_file_bytes: largest_file_bytes?,
            poll: poll?,
            look_up_horizon: look_up_horizon?,
        },
        requests_per_second: requests_per_second?,
    })
}

/// Values with commas or spaces between them.
fn many<T: Ord>(text: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<BTreeSet<T>, String> {
    text.split([',', ' ']).filter(|word| !word.is_empty()).map(read).collect()
}

fn time(text: &str) -> Result<Time, String> {
    text.parse().map_err(|_| format!("names {text:?}, which is no time of day such as 16:00"))
}

fn day(text: &str) -> Result<Date, String> {
    text.parse().map_err(|_| format!("names {text:?}, which is no day such as 2026-12-24"))
}

/// ISO 9362: eight or eleven capitals and digits, the country in the middle.
fn bic(text: &str) -> Result<String, String> {
    let fits = matches!(text.len(), 8 | 11)
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        && text.bytes().skip(4).take(2).all(|byte| byte.is_ascii_uppercase());
    if fits { Ok(text.to_owned()) } else { Err("has to be a BIC of 8 or 11 characters such as AGRIFRPP".to_owned()) }
}
