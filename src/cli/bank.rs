//! `obole bank check`: whether a settlement backend does what the Obole Settlement API asks of it.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use futures_util::FutureExt as _;
use url::Url;

use crate::bank::settlement::sign::RequestKey;
use crate::clock::SystemClock;
use crate::conformance::report::{CheckReport, Report};
use crate::conformance::{self, Options, Profile, Restart, WebhookPlace};
use crate::entropy::{SystemEntropy, random_bytes};
use crate::exit::ExitCode;
use crate::telemetry::{self, LogArgs};
use crate::terminal::{complain, say, say_aside};

/// `obole bank …`
#[derive(Debug, Args)]
pub(super) struct BankArgs {
    #[command(subcommand)]
    word: BankWord,
}

#[derive(Debug, Subcommand)]
enum BankWord {
    /// Try a settlement backend: 20 checks through a fault proxy, with a report
    Check(CheckArgs),
}

/// What to check, and how.
#[derive(Debug, Args)]
struct CheckArgs {
    /// Where the backend is; /capabilities stands at its root
    #[arg(long, value_name = "URL")]
    url: Url,
    /// A TOML file with test accounts, sums and payees, where the capabilities do not name them (debtor, creditor, other_creditor,
    /// amount, triggers, payees, clock, patience_seconds)
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
    /// What kills the backend and starts it again, for C10; run by sh
    #[arg(long, value_name = "COMMAND")]
    restart_cmd: Option<String>,
    /// The key that requests are signed with
    #[arg(long, value_name = "ID:SECRET", env = "OBOLE_BANK_CLIENT", hide_env_values = true)]
    client: Option<String>,
    /// The key of another client of the same backend, for C16
    #[arg(long, value_name = "ID:SECRET", env = "OBOLE_BANK_SECOND_CLIENT", hide_env_values = true)]
    second_client: Option<String>,
    /// A PEM file with our client certificate and its key, for backends that ask for one
    #[arg(long, value_name = "FILE")]
    client_certificate: Option<PathBuf>,
    /// Where we listen for webhooks, if the backend is on another machine
    #[arg(long, value_name = "ADDR", requires = "webhook_url")]
    webhook_listen: Option<std::net::SocketAddr>,
    /// How the backend reaches that
    #[arg(long, value_name = "URL", requires = "webhook_listen")]
    webhook_url: Option<Url>,
    /// Only these checks (C3,C5)
    #[arg(long, value_name = "CHECKS", value_delimiter = ',')]
    only: Vec<String>,
    /// What chance is made from; a fresh one without it
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Print the report as JSON, every exchange in it
    #[arg(long)]
    json: bool,
    /// Write a JUnit report
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write the JSON report
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

pub(super) async fn bank(args: BankArgs, log: &LogArgs) -> ExitCode {
    telemetry::init_quiet(log);
    let BankWord::Check(args) = args.word;
    match check(args).await {
        Ok(report) if report.is_green() => ExitCode::Ok,
        Ok(_) => ExitCode::Difference,
        // Nothing was checked: the address, a key or a file is not what it should be.
        Err(error) => complain(&error, ExitCode::Usage),
    }
}

async fn check(args: CheckArgs) -> anyhow::Result<Report> {
    let as_json = args.json;
    let (junit, file) = (args.junit.clone(), args.report.clone());
    let mut heard = |check: &CheckReport| {
        if !as_json {
            say_aside(&format!("{} {}", check.id, check.outcome.word()));
        }
    };
    let report = conformance::run(options(args)?, &mut heard).await?;
    let json = report.json().context("the report cannot be written as JSON")?;
    if let Some(path) = junit {
        std::fs::write(&path, report.junit()).with_context(|| format!("cannot write {}", path.display()))?;
    }
    if let Some(path) = file {
        std::fs::write(&path, &json).with_context(|| format!("cannot write {}", path.display()))?;
    }
    say(&if as_json { json } else { format!("\n{}", report.text()) });
    Ok(report)
}

fn options(args: CheckArgs) -> anyhow::Result<Options> {
    if !matches!(args.url.scheme(), "http" | "https") || args.url.cannot_be_a_base() {
        bail!("--url has to be an http or https address, not {}", args.url);
    }
    let key = |text: Option<String>, name: &str| {
        text.map(|text| RequestKey::parse(&text)).transpose().map_err(|why| anyhow::anyhow!("{name} {why}"))
    };
    let read = |path: &PathBuf| std::fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    let profile = match &args.profile {
        None => Profile::default(),
        Some(path) => {
            let text = String::from_utf8(read(path)?).with_context(|| format!("{} is no text", path.display()))?;
            toml::from_str(&text).with_context(|| format!("{} is not a profile", path.display()))?
        }
    };
    let identity = args.client_certificate.as_ref().map(read).transpose()?;
    let webhook = args.webhook_listen.zip(args.webhook_url).map(|(listen, url)| WebhookPlace { listen, url });
    Ok(Options {
        url: args.url,
        key: key(args.client, "--client")?,
        second: key(args.second_client, "--second-client")?,
        identity,
        profile,
        restart: args.restart_cmd.map(restart),
        webhook,
        only: args.only,
        seed: args.seed.unwrap_or_else(|| u64::from(u32::from_be_bytes(random_bytes(&SystemEntropy)))),
        clock: Arc::new(SystemClock),
    })
}

/// Runs a command and waits for its end. What it leaves in the background is what it was run for.
fn restart(command: String) -> Restart {
    Arc::new(move || {
        let command = command.clone();
        async move {
            let mut shell = tokio::process::Command::new("sh");
            shell.arg("-c").arg(&command).stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null());
            shell.stderr(std::process::Stdio::null());
            let status = shell.status().await.with_context(|| format!("{command:?} cannot be run"))?;
            if !status.success() {
                bail!("{command:?} ended with {status}");
            }
            Ok(())
        }
        .boxed()
    })
}
