//! `obole check-config`: every mistake of a configuration at once, each with its key and line.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::config::{Config, ConfigError, Environment};
use crate::exit::ExitCode;
use crate::terminal::{say, say_aside};

/// What is to be checked.
#[derive(Debug, Args)]
pub(super) struct CheckConfigArgs {
    /// The configuration
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print the mistakes as one line of JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn check_config(args: &CheckConfigArgs) -> ExitCode {
    match Config::load(&args.file, &Environment::of_process()) {
        Ok(config) if args.json => {
            let warnings: Vec<_> = config.warnings.iter().map(ToString::to_string).collect();
            say(&json!({ "ok": true, "mistakes": [], "warnings": warnings }).to_string());
            ExitCode::Ok
        }
        Ok(config) => {
            for warning in &config.warnings {
                say_aside(&format!("worth a look: {warning}"));
            }
            say(&format!("{} can be used", args.file.display()));
            ExitCode::Ok
        }
        Err(error) => report(error, args.json),
    }
}

/// Says what is wrong: drawn for people, as one line for programs.
pub(super) fn report(error: ConfigError, as_json: bool) -> ExitCode {
    if as_json {
        say(&error.to_json().to_string());
    } else {
        say_aside(&format!("{:?}", miette::Report::new(error)));
    }
    ExitCode::Configuration
}
