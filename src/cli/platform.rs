//! `obole platform check NAME`: tries out everything that an order needs of a configured platform, and says on one screen what is wrong.
//!
//! Nothing is sent to anybody, and no database is opened; a running Obole is not disturbed, except on X, which lets an app have one stream:
//! there the running one is cut off and comes back.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::run::connect_platform;
use crate::config::{Config, Environment};
use crate::exit::ExitCode;
use crate::ids::PlatformName;
use crate::platform::{Finding, Verdict};
use crate::telemetry::{self, LogArgs};
use crate::terminal::{say, say_aside};

/// What is asked about platforms.
#[derive(Debug, Args)]
pub(super) struct PlatformArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Try out credentials, permissions, stream, private messages and quotas of a configured platform
    Check(CheckArgs),
}

#[derive(Debug, Args)]
struct CheckArgs {
    /// The platform's name in the configuration
    #[arg(value_name = "NAME")]
    name: String,
    /// The configuration
    #[arg(long, value_name = "FILE", env = "OBOLE_CONFIG")]
    config: PathBuf,
    /// Print what was found as one line of JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn platform(args: PlatformArgs, log: &LogArgs) -> ExitCode {
    telemetry::init(log);
    let What::Check(args) = args.what;
    let config = match Config::load(&args.config, &Environment::of_process()) {
        Ok(config) => config,
        Err(error) => return super::check_config::report(error, args.json),
    };
    let name = PlatformName::from(args.name.as_str());
    let Some(section) = config.platforms.get(&name) else {
        let known: Vec<&str> = config.platforms.keys().map(PlatformName::as_str).collect();
        say_aside(&format!("no platform is called {name} in {}; there are: {}", args.config.display(), known.join(", ")));
        return ExitCode::Usage;
    };
    let findings = match connect_platform(&name, section).await {
        Ok(platform) => platform.examine().await,
        Err(error) => vec![Finding::bad("credentials", format!("{error:#}"))],
    };
    let worst = findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Good);
    if args.json {
        say(&json!({ "platform": name, "ok": worst != Verdict::Bad, "findings": findings }).to_string());
    } else {
        say(&drawn(&findings));
    }
    if worst == Verdict::Bad { ExitCode::Difference } else { ExitCode::Ok }
}

/// One line for each finding, and one sentence at the end.
fn drawn(findings: &[Finding]) -> String {
    let width = findings.iter().map(|finding| finding.what.chars().count()).max().unwrap_or(0);
    let line = |finding: &Finding| {
        let mark = match finding.verdict {
            Verdict::Good => "ok  ",
            Verdict::Doubtful => "hm  ",
            Verdict::Bad => "BAD ",
        };
        format!("{mark} {:width$}  {}\n", finding.what, finding.says)
    };
    let lines: String = findings.iter().map(line).collect();
    let bad = findings.iter().filter(|finding| finding.verdict == Verdict::Bad).count();
    let sentence = match bad {
        0 => "orders can pass".to_owned(),
        1 => "1 thing is wrong, and orders will not pass".to_owned(),
        more => format!("{more} things are wrong, and orders will not pass"),
    };
    lines + &sentence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_stands_out() {
        let findings = [
            Finding::good("credentials", "signed in"),
            Finding::doubtful("label", "not labelled"),
            Finding::bad("stream", "refused"),
        ];
        insta::assert_snapshot!(drawn(&findings), @r"
        ok   credentials  signed in
        hm   label        not labelled
        BAD  stream       refused
        1 thing is wrong, and orders will not pass
        ");
    }
}
