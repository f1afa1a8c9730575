//! The command line: which words there are, and which room each leads to.
//!
//! Without a word, `obole` starts the sandbox: itself, a small town and a small bank, with no configuration and no account
//! anywhere. Every command ends with a code of [`crate::exit::ExitCode`], and every mistake with one sentence on standard error.

mod audit;
mod bank;
mod check_config;
mod directory;
mod input;
mod language;
mod operator;
mod parse;
mod platform;
mod reading;
mod replay;
mod run;
mod sandbox;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::bench;
use crate::demo;
use crate::exit::ExitCode;
use crate::simulate;
use crate::telemetry;
use crate::terminal::complain;

/// Payments that start from a public post.
#[derive(Debug, Parser)]
#[command(name = "obole", version, about, long_about = None, arg_required_else_help = false)]
struct Line {
    #[command(subcommand)]
    command: Option<Word>,
    #[command(flatten)]
    sandbox: sandbox::SandboxArgs,
    #[command(flatten)]
    log: telemetry::LogArgs,
}

#[derive(Debug, Subcommand)]
enum Word {
    /// Start Obole with a town and a bank to play in (the same as no command)
    Sandbox(sandbox::SandboxCommand),
    /// Let many people enrol, post and answer, and compare the bank's sum with ours
    Demo(demo::DemoArgs),
    /// Start Obole with real platforms and banks
    Run(run::RunArgs),
    /// Feed recorded platform events through the intake
    Replay(replay::ReplayArgs),
    /// Run the whole lifecycle in worlds where everything goes wrong, from seeds
    Simulate(simulate::SimulateArgs),
    /// Measure what it costs, beside what it could cost at best
    Bench(bench::BenchArgs),
    /// See what waits for a human, look into it, and decide
    Operator(operator::OperatorArgs),
    /// See who may be paid, and what came in for them
    Directory(directory::DirectoryArgs),
    /// Verify every order, sum and audit chain of a database, and change nothing
    Audit(audit::AuditArgs),
    /// Try a settlement backend against Obole's protocol
    Bank(bank::BankArgs),
    /// Try out a configured platform, and say what is wrong
    Platform(platform::PlatformArgs),
    /// Say how a text is read
    Parse(parse::ParseArgs),
    /// Show the words of the order language; check and try a language file
    Language(language::LanguageArgs),
    /// Name the key and line of every mistake in a configuration
    CheckConfig(check_config::CheckConfigArgs),
}

/// Where a serving command keeps its data and listens.
#[derive(Debug, Clone, Args)]
struct ServeArgs {
    /// Directory for the database and what the sandbox remembers; made if missing
    #[arg(long, value_name = "DIR", default_value = "obole-sandbox")]
    data: PathBuf,
    /// Where the web part listens
    #[arg(long, value_name = "ADDR", default_value = "localhost:8080")]
    listen: String,
}

/// Reads the command line, does what it says, and gives the code to exit with.
pub fn main() -> ExitCode {
    let line = match Line::try_parse() {
        Ok(line) => line,
        Err(error) => {
            // clap prints help and version as errors that succeed.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::Usage } else { ExitCode::Ok };
        }
    };
    #[cfg(feature = "crash-points")]
    match crate::crash::read_environment() {
        Ok(None) => {}
        Ok(Some(list)) => {
            crate::terminal::say(&list);
            return ExitCode::Ok;
        }
        Err(why) => return complain(&anyhow::anyhow!(why), ExitCode::Usage),
    }
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        return complain(&anyhow::anyhow!("the TLS provider is installed already"), ExitCode::Internal);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&anyhow::Error::new(error).context("no threads to run on"), ExitCode::Internal),
    };
    // Each of its worlds has a runtime of its own.
    if let Some(Word::Simulate(args)) = &line.command {
        return simulate::simulate(args);
    }
    runtime.block_on(async {
        match line.command {
            Some(Word::Simulate(args)) => simulate::simulate(&args),
            None => sandbox::sandbox(line.sandbox, &line.log).await,
            Some(Word::Sandbox(command)) => sandbox::command(command, &line.log).await,
            Some(Word::Demo(args)) => demo::demo(args, &line.log).await,
            Some(Word::Run(args)) => run::run(args, &line.log).await,
            Some(Word::Replay(args)) => replay::replay(args, &line.log).await,
            Some(Word::Platform(args)) => platform::platform(args, &line.log).await,
            Some(Word::Parse(args)) => parse::parse(&args),
            Some(Word::Language(args)) => language::language(&args),
            Some(Word::Bench(args)) => bench::bench(args, &line.log).await,
            Some(Word::Operator(args)) => operator::operator(args, &line.log).await,
            Some(Word::Directory(args)) => directory::directory(args, &line.log).await,
            Some(Word::Audit(args)) => audit::audit(args, &line.log).await,
            Some(Word::Bank(args)) => bank::bank(args, &line.log).await,
            Some(Word::CheckConfig(args)) => check_config::check_config(&args),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operators_configuration_is_not_overridden_by_where_the_sandbox_keeps_its_data() {
        for line in ["obole operator list --config obole.toml", "obole audit --config obole.toml"] {
            let word = Line::try_parse_from(line.split(' ')).unwrap().command.unwrap();
            let place = match &word {
                Word::Operator(args) => args.place(),
                Word::Audit(args) => args.place(),
                other => panic!("{line} was read as {other:?}"),
            };
            assert_eq!((place.config(), place.data()), (Some(std::path::Path::new("obole.toml")), None), "{line}");
        }
    }
}
