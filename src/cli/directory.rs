//! `obole directory`: who may be paid, and what came in for them. It reads a database, which may be served meanwhile, and changes nothing.

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::json;

use super::operator::Place;
use crate::app::statement::{self, Entry, Period, Statement};
use crate::clock::Timestamp;
use crate::config::{Config, Environment};
use crate::exit::ExitCode;
use crate::money::Money;
use crate::store::{Store, StoreError};
use crate::telemetry::{self, LogArgs};
use crate::terminal::{complain, say};

/// Which database, and what of it.
#[derive(Debug, Args)]
pub(super) struct DirectoryArgs {
    #[command(flatten)]
    place: Place,
    /// Print one line of JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    word: Word,
}

#[derive(Debug, Subcommand)]
enum Word {
    /// Every payee: legal name, class, account (masked), how it was proved, and whether it can be paid
    List,
    /// What came in for a payee, reversals included
    Statement {
        /// The payee's name in the directory
        payee: String,
        /// The first day (UTC), e.g. 2026-01-01 [the beginning]
        #[arg(long, value_name = "DAY")]
        from: Option<Date>,
        /// The last day (UTC) [today]
        #[arg(long, value_name = "DAY")]
        to: Option<Date>,
        /// As a table for a spreadsheet (RFC 4180)
        #[arg(long, conflicts_with = "json")]
        csv: bool,
    },
}

/// Reads what is asked for, and prints it.
pub(super) async fn directory(args: DirectoryArgs, log: &LogArgs) -> ExitCode {
    telemetry::init_quiet(log);
    let config = match args.place.config().map(|file| Config::load(file, &Environment::of_process())).transpose() {
        Ok(config) => config,
        Err(error) => return super::check_config::report(error, args.json),
    };
    match read(&args, config.as_ref()).await {
        Ok(text) => {
            say(&text);
            ExitCode::Ok
        }
        Err(error) => complain(&error, ExitCode::of(&error)),
    }
}

async fn read(args: &DirectoryArgs, config: Option<&Config>) -> anyhow::Result<String> {
    let store = Store::open_reading(&args.place.location(config)).await?;
    let text = told(args, &store).await;
    store.close().await;
    text
}

async fn told(args: &DirectoryArgs, store: &Store) -> anyhow::Result<String> {
    match &args.word {
        Word::List => {
            let entries = statement::payees(store).await?;
            Ok(if args.json { json!({ "payees": entries }).to_string() } else { list(&entries) })
        }
        Word::Statement { payee, from, to, csv } => {
            let period = period(*from, *to)?;
            let Some(statement) = statement::statement(store, payee, period).await? else {
                return Err(StoreError::WrongGround(format!("the directory has no payee called {payee}")).into());
            };
            Ok(match (args.json, csv) {
                (true, _) => json!(statement).to_string(),
                (_, true) => statement.csv().trim_end().to_owned(),
                _ => page(&statement),
            })
        }
    }
}

/// Whole days, both included.
fn period(from: Option<Date>, to: Option<Date>) -> anyhow::Result<Period> {
    if let (Some(from), Some(to)) = (from, to)
        && to < from
    {
        bail!("--to {to} is before --from {from}");
    }
    let begins = |day: Date| day.to_zoned(TimeZone::UTC).map(|moment| moment.timestamp());
    let until = to.map(|day| day.tomorrow().and_then(begins)).transpose().context("--to")?;
    let from = from.map(begins).transpose().context("--from")?;
    Ok(Period { from: from.unwrap_or(Timestamp::MIN), until: until.unwrap_or(Timestamp::MAX) })
}

fn list(entries: &[Entry]) -> String {
    let line = |entry: &Entry| {
        let frozen = entry.frozen.as_ref().map(|why| format!("\n    frozen: {why}")).unwrap_or_default();
        let proof = entry.proof.as_ref().map(|proof| format!("\n    account proved by: {proof}")).unwrap_or_default();
        let number = entry.registry_number.as_ref().map(|number| format!(", {number}")).unwrap_or_default();
        format!("{}  {} ({}{number}), {}{proof}{frozen}", entry.payee, entry.legal_name, entry.class, entry.account)
    };
    if entries.is_empty() { "The directory is empty.".to_owned() } else { entries.iter().map(line).collect::<Vec<_>>().join("\n") }
}

fn page(statement: &Statement) -> String {
    let Statement { payee, legal_name, account, lines, received, returned } = statement;
    let mut text = format!("{legal_name} (payee {payee}), {account}");
    for line in lines {
        let amount = Money::new(line.amount_minor, line.currency).to_string();
        let campaign = line.campaign.as_ref().map(|tag| format!("  #{tag}")).unwrap_or_default();
        let day = line.at.strftime("%Y-%m-%d %H:%M");
        text.push_str(&format!("\n{day}  {amount:>14}  {:<8}  {}  receipt {}{campaign}", line.kind, line.reference, line.receipt));
    }
    let sum = |sums: &[Money]| {
        let words: Vec<String> = sums.iter().map(ToString::to_string).collect();
        if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
    };
    text.push_str(&format!("\nreceived {}, of which went back {}", sum(received), sum(returned)));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_whole_days_and_ends_after_it_begins() {
        let day = |text: &str| Some(text.parse::<Date>().unwrap());
        let both = period(day("2026-03-01"), day("2026-03-31")).unwrap();
        assert_eq!(
            (both.from.to_string(), both.until.to_string()),
            ("2026-03-01T00:00:00Z".to_owned(), "2026-04-01T00:00:00Z".to_owned())
        );
        let why = period(day("2026-03-02"), day("2026-03-01")).unwrap_err().to_string();
        assert_eq!(why, "--to 2026-03-01 is before --from 2026-03-02");
        assert_eq!(period(None, None).unwrap(), Period { from: Timestamp::MIN, until: Timestamp::MAX });
    }
}
