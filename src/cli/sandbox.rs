//! `obole` and `obole sandbox`: everything in one process, on this machine, with play money.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use tokio_util::sync::CancellationToken;

use super::ServeArgs;
use crate::clock::SystemClock;
use crate::entropy::SystemEntropy;
use crate::exit::ExitCode;
use crate::order::{Policy, Timing};
use crate::sandbox::listen;
use crate::sandbox::whole::{self, Limits, Setup, Whole};
use crate::telemetry::{self, LogArgs};
use crate::terminal::{asked_to_stop, complain, say};

/// What the sandbox is started with.
#[derive(Debug, Clone, Args)]
pub(super) struct SandboxArgs {
    #[command(flatten)]
    serve: ServeArgs,
    /// Where the sandbox town listens
    #[arg(long, value_name = "ADDR", default_value = "localhost:8081")]
    town_listen: String,
    /// Where the sandbox bank listens
    #[arg(long, value_name = "ADDR", default_value = "localhost:8082")]
    bank_listen: String,
}

/// `obole sandbox`: all of it, or one of its servers alone.
#[derive(Debug, Args)]
pub(super) struct SandboxCommand {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    all: SandboxArgs,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// The sandbox town alone, speaking the Mastodon client API
    Town(PartArgs),
    /// The sandbox bank alone, speaking Berlin Group NextGenPSD2
    Bank(PartArgs),
}

/// Where one server keeps its memory and listens.
#[derive(Debug, Clone, Args)]
struct PartArgs {
    /// Directory for what it remembers; made if missing
    #[arg(long, value_name = "DIR", default_value = "obole-sandbox")]
    data: PathBuf,
    /// Where it listens; 8081 for the town, 8082 for the bank
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
}

pub(super) async fn command(command: SandboxCommand, log: &LogArgs) -> ExitCode {
    match command.part {
        None => sandbox(command.all, log).await,
        Some(Part::Town(args)) => alone(serve_town(args), log).await,
        Some(Part::Bank(args)) => alone(serve_bank(args), log).await,
    }
}

async fn alone(serving: impl Future<Output = anyhow::Result<()>>, log: &LogArgs) -> ExitCode {
    telemetry::init(log);
    match serving.await {
        Ok(()) => ExitCode::Ok,
        Err(error) => complain(&error, ExitCode::of(&error)),
    }
}

/// Starts everything, prints where to look, and stops when asked to.
pub(super) async fn sandbox(args: SandboxArgs, log: &LogArgs) -> ExitCode {
    alone(serve(args), log).await
}

async fn serve(args: SandboxArgs) -> anyhow::Result<()> {
    // The doors first: a busy port is said before anything is written.
    let listeners = listen::listen(&args.serve.listen).context("Obole did not start")?;
    let public_url = listen::url_of(&listeners)?;
    let setup = Setup {
        data: args.serve.data.clone(),
        town_listen: args.town_listen,
        bank_listen: args.bank_listen,
        public_url: public_url.clone(),
        town_limits: Limits::default(),
        // Nobody waits a day for a passkey that confirms play money.
        policy: Policy { timing: Timing { cool_off: Duration::ZERO, ..Timing::default() }, ..Policy::default() },
    };
    let whole = whole::start(&setup).await?;
    whole.open_pages(listeners);
    greet(&whole, &public_url, &args.serve.data);
    asked_to_stop().await;
    say("Stopping; everything is kept.");
    whole.stop().await
}

fn greet(whole: &Whole, public_url: &str, data: &Path) {
    say(&format!(
        "
  Obole {} · SANDBOX, no real money · data in {}

  Try it    {public_url}    be Ana or sign up, enrol, post, answer, watch
  Town      {}    the social network (Mastodon client API)
  Bank      {}    accounts and statements (Berlin Group NextGenPSD2)

  Stop with Ctrl-C; nothing is lost, not even by a kill. Delete the data directory to begin anew.
",
        env!("CARGO_PKG_VERSION"),
        data.display(),
        whole.sandbox.town_url(),
        whole.sandbox.bank_url(),
    ));
}

async fn serve_town(args: PartArgs) -> anyhow::Result<()> {
    let shutdown = CancellationToken::new();
    let town = whole::open_town(&args.data, Limits::default(), Arc::new(SystemEntropy))?;
    let listen = args.listen.unwrap_or_else(|| "localhost:8081".to_owned());
    let serving = whole::serve_town(&args.data, town, listen, Arc::new(SystemClock), shutdown.clone()).await?;
    say(&format!("The sandbox town is at {}", serving.public_url));
    asked_to_stop().await;
    shutdown.cancel();
    serving.ended().await
}

async fn serve_bank(args: PartArgs) -> anyhow::Result<()> {
    let shutdown = CancellationToken::new();
    let books = whole::open_bank(&args.data, Arc::new(SystemClock), Arc::new(SystemEntropy))?;
    let listen = args.listen.unwrap_or_else(|| "localhost:8082".to_owned());
    let running = whole::serve_bank(books, listen, shutdown.clone()).await?;
    say(&format!("The sandbox bank is at {}", running.public_url));
    asked_to_stop().await;
    shutdown.cancel();
    running.task.await.context("the sandbox bank")?
}
