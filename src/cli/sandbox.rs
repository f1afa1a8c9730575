//! `obole` and `obole sandbox`: everything in one process, on this machine, with play money.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use tokio_util::sync::CancellationToken;

use super::ServeArgs;
use crate::bank::settlement::sign::RequestKey;
use crate::clock::SystemClock;
use crate::entropy::SystemEntropy;
use crate::exit::ExitCode;
use crate::order::{Policy, Timing};
use crate::sandbox::bank::files::{FilesPeer, serve_mandates};
use crate::sandbox::listen;
use crate::sandbox::settlement::defect::{self, Defect};
use crate::sandbox::settlement::{ReferenceBackend, TestClock, open_books, serve as serve_backend};
use crate::sandbox::whole::{self, BankApi, Limits, Setup, Whole};
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
    /// What the sandbox bank speaks
    #[arg(long, value_name = "API", value_enum, default_value_t)]
    bank_api: BankApi,
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
    /// The sandbox bank alone, speaking Berlin Group NextGenPSD2, ISO 20022 files or, as the reference backend, the Obole Settlement API
    Bank(BankArgs),
}

/// What the bank alone speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum Spoken {
    /// Berlin Group NextGenPSD2 1.3
    #[default]
    BerlinGroup,
    /// The Obole Settlement API
    Settlement,
    /// ISO 20022 files in a directory; the page for mandates is at `/mandate`
    Files,
}

/// How the bank alone is served.
#[derive(Debug, Clone, Args)]
struct BankArgs {
    #[command(flatten)]
    part: PartArgs,
    /// What it speaks
    #[arg(long, value_name = "API", value_enum, default_value_t)]
    api: Spoken,
    /// With `--api files`: the directory that Obole hands files over in; made if missing
    #[arg(long, value_name = "DIR", default_value = "obole-sandbox/files")]
    directory: PathBuf,
    /// Settlement API: the file that keeps what was ordered (and FILE.books beside it); without it nothing outlives the process
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Settlement API: a client that may call, by signed requests; may be given several times. Without any, nobody has to sign
    #[arg(long, value_name = "ID:SECRET")]
    auth: Vec<String>,
    /// Settlement API: a mistake that it makes on purpose; `list` names them
    #[arg(long, value_name = "NAME")]
    defect: Option<String>,
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
        Some(Part::Bank(args)) if args.defect.as_deref() == Some("list") => {
            list_defects();
            ExitCode::Ok
        }
        Some(Part::Bank(args)) if args.api == Spoken::Settlement => match reference(&args) {
            Ok(backend) => alone(serve_reference(backend), log).await,
            Err(error) => complain(&error, ExitCode::Usage),
        },
        Some(Part::Bank(args)) => {
            if args.state.is_some() || args.defect.is_some() || !args.auth.is_empty() {
                let error = anyhow::anyhow!("--state, --auth and --defect are for --api settlement");
                return complain(&error, ExitCode::Usage);
            }
            match args.api {
                Spoken::Files => alone(serve_files(args.part, args.directory), log).await,
                _ => alone(serve_bank(args.part), log).await,
            }
        }
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
        bank_api: args.bank_api,
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

/// What the reference backend is to be, read from the command line.
struct Reference {
    state: Option<PathBuf>,
    clients: Vec<RequestKey>,
    defect: Option<Defect>,
    listen: String,
}

fn reference(args: &BankArgs) -> anyhow::Result<Reference> {
    let key = |text: &String| RequestKey::parse(text).map_err(|why| anyhow::anyhow!("--auth {why}"));
    let defect =
        |name: &String| Defect::named(name).with_context(|| format!("there is no defect {name:?}; --defect list names them"));
    Ok(Reference {
        state: args.state.clone(),
        clients: args.auth.iter().map(key).collect::<anyhow::Result<_>>()?,
        defect: args.defect.as_ref().map(defect).transpose()?,
        listen: args.part.listen.clone().unwrap_or_else(|| "localhost:8090".to_owned()),
    })
}

fn list_defects() {
    for defect in defect::ALL {
        say(&format!("{:<24} {:<4} {}", defect.name, defect.check, defect.what));
    }
}

async fn serve_reference(reference: Reference) -> anyhow::Result<()> {
    let Reference { state, clients, defect, listen } = reference;
    let shutdown = CancellationToken::new();
    let clock = TestClock::over(Arc::new(SystemClock));
    let bank = open_books(state.as_deref(), clock.clone())?;
    let backend = ReferenceBackend {
        bank,
        clock,
        wall: Arc::new(SystemClock),
        state,
        clients,
        defect,
        address: listen,
        shutdown: shutdown.clone(),
    };
    let running = serve_backend(backend).await?;
    say(&format!("The reference backend (Obole Settlement API) is at {}", running.url));
    if let Some(defect) = defect {
        say(&format!("It makes a mistake on purpose, {}: {}", defect.name, defect.what));
    }
    asked_to_stop().await;
    shutdown.cancel();
    running.task.await.context("the reference backend")?
}

async fn serve_files(args: PartArgs, directory: PathBuf) -> anyhow::Result<()> {
    let shutdown = CancellationToken::new();
    let books = whole::open_bank(&args.data, Arc::new(SystemClock), Arc::new(SystemEntropy))?;
    std::fs::create_dir_all(&directory).with_context(|| format!("cannot make the directory {}", directory.display()))?;
    let peer = Arc::new(FilesPeer::open(&directory, books, Arc::new(SystemEntropy))?);
    let listen = args.listen.unwrap_or_else(|| "localhost:8082".to_owned());
    let (page, _servers) = serve_mandates(peer.clone(), &listen, &shutdown)?;
    say(&format!("The sandbox bank works in {}; mandates are given at {page}/mandate", directory.display()));
    tokio::select! {
        ended = peer.keep_working(shutdown.clone()) => ended,
        () = asked_to_stop() => {
            shutdown.cancel();
            Ok(())
        }
    }
}
