//! `obole audit`: verifies a database from outside, and changes nothing in it. It may be served meanwhile.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::operator::Place;
use crate::app::audit::{self, Difference, Verified, Watcher};
use crate::config::{Config, Environment};
use crate::exit::ExitCode;
use crate::money::Money;
use crate::store::{Location, Store};
use crate::telemetry::{self, LogArgs};
use crate::terminal::{complain, say};

/// Which database.
#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    #[command(flatten)]
    place: Place,
    /// Any database: a SQLite file or a postgres:// URL
    #[arg(long, value_name = "URL|PATH", conflicts_with_all = ["config", "place_data"])]
    store: Option<String>,
    /// Print each difference, and at last what was verified, as a line of JSON
    #[arg(long)]
    json: bool,
}

#[cfg(test)]
impl AuditArgs {
    /// Which database.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }
}

/// Verifies, prints each difference in one line, and ends with 1 if there is any.
pub(super) async fn audit(args: AuditArgs, log: &LogArgs) -> ExitCode {
    telemetry::init_quiet(log);
    let config = match args.place.config().map(|file| Config::load(file, &Environment::of_process())).transpose() {
        Ok(config) => config,
        Err(error) => return super::check_config::report(error, args.json),
    };
    let location = match &args.store {
        Some(url) if url.starts_with("postgres://") || url.starts_with("postgresql://") => Location::Postgres(url.clone()),
        Some(path) => Location::Sqlite(PathBuf::from(path.strip_prefix("sqlite:").unwrap_or(path))),
        None => args.place.location(config.as_ref()),
    };
    let mut terminal = Terminal { bar: ProgressBar::hidden(), as_json: args.json };
    match verify(&location, &mut terminal).await {
        Ok(verified) => {
            terminal.bar.finish_and_clear();
            say(&if args.json { json!({ "verified": verified }).to_string() } else { summary(&verified) });
            if verified.differences == 0 { ExitCode::Ok } else { ExitCode::Difference }
        }
        Err(error) => complain(&error, ExitCode::of(&error)),
    }
}

async fn verify(location: &Location, terminal: &mut Terminal) -> anyhow::Result<Verified> {
    let store = Store::open_reading(location).await?;
    let verified = audit::audit(&store, terminal).await;
    store.close().await;
    Ok(verified?)
}

fn summary(verified: &Verified) -> String {
    let Verified { orders, payments, lines, acts, settled_minor, differences } = verified;
    let settled = settled_minor.iter().map(|(code, minor)| match code.parse() {
        Ok(currency) => Money::new(*minor, currency).to_string(),
        Err(_) => format!("{minor} minor units of {code}"),
    });
    let settled: Vec<String> = settled.collect();
    let settled = if settled.is_empty() { "nothing".to_owned() } else { settled.join(", ") };
    let verdict = match differences {
        0 => "no difference".to_owned(),
        1 => "1 difference".to_owned(),
        many => format!("{many} differences"),
    };
    format!(
        "{orders} orders, {payments} payments, {lines} audit lines and {acts} acts of operators verified; settled: {settled}; {verdict}"
    )
}

/// A bar for a person at a terminal, and a line for each difference.
struct Terminal {
    bar: ProgressBar,
    as_json: bool,
}

impl Watcher for Terminal {
    fn begins(&mut self, orders: u64) {
        self.bar = ProgressBar::new(orders);
        if !std::io::stderr().is_terminal() {
            self.bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} orders  {eta} left") {
            self.bar.set_style(style);
        }
    }

    fn reads(&mut self, orders: u64) {
        self.bar.inc(orders);
    }

    fn finds(&mut self, difference: Difference) {
        let line = if self.as_json { json!({ "difference": difference }).to_string() } else { difference.to_string() };
        self.bar.suspend(|| say(&line));
    }
}
