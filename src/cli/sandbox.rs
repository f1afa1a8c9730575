//! `obole` and `obole sandbox`: everything in one process, on this machine, with play money.

use clap::{Args, Subcommand};
use tokio::net::TcpListener;

use super::{ServeArgs, asked_to_stop, complain};
use crate::exit::ExitCode;
use crate::order::Policy;
use crate::platform::fake::Limits;
use crate::sandbox::whole::{self, Setup, Whole};
use crate::sandbox::{listen, playground};
use crate::telemetry::{self, LogArgs};
use crate::web;

/// What the sandbox is started with.
#[derive(Debug, Clone, Args)]
pub struct SandboxArgs {
    #[command(flatten)]
    pub serve: ServeArgs,
    /// Where the sandbox town listens
    #[arg(long, value_name = "ADDR", default_value = "localhost:8081")]
    pub town_listen: String,
    /// Where the sandbox bank listens
    #[arg(long, value_name = "ADDR", default_value = "localhost:8082")]
    pub bank_listen: String,
}
