//! Exit codes: what a script or a service manager can tell from how Obole ended.

use std::io::ErrorKind;

use crate::config::ConfigError;
use crate::store::StoreError;

/// How a command ended. The numbers are a promise: they are in the README and never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// It did what it was asked to.
    Ok = 0,
    /// It ran to its end and found what should not be: sums that differ, a text that could not be read, a check that failed.
    Difference = 1,
    /// The command line is not understood (clap's own code).
    Usage = 2,
    /// The configuration has mistakes, or its file cannot be read. Starting again does not help.
    Configuration = 3,
    /// The database is not there, not ours, locked or of another kind.
    Store = 4,
    /// A port is taken by another program, or the address is not this machine's.
    Busy = 5,
    /// Something that nobody foresaw, or that is said only by its sentence (`EX_SOFTWARE` of sysexits).
    Internal = 70,
}

impl ExitCode {
    /// All of them, for the help page.
    pub const ALL: [ExitCode; 7] = [
        ExitCode::Ok,
        ExitCode::Difference,
        ExitCode::Usage,
        ExitCode::Configuration,
        ExitCode::Store,
        ExitCode::Busy,
        ExitCode::Internal,
    ];

    /// The code for an error that ends the process: the first cause that has one of its own decides.
    pub fn of(error: &anyhow::Error) -> ExitCode {
        error.chain().find_map(of_cause).unwrap_or(ExitCode::Internal)
    }

    /// The number.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// What it means, in a few words.
    pub fn meaning(self) -> &'static str {
        match self {
            ExitCode::Ok => "done",
            ExitCode::Difference => "a difference or a failed check",
            ExitCode::Usage => "the command line is not understood",
            ExitCode::Configuration => "the configuration has mistakes",
            ExitCode::Store => "the database cannot be used",
            ExitCode::Busy => "a port or address cannot be used",
            ExitCode::Internal => "something else went wrong",
        }
    }
}

fn of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<ExitCode> {
    if cause.is::<StoreError>() {
        return Some(ExitCode::Store);
    }
    if cause.is::<ConfigError>() {
        return Some(ExitCode::Configuration);
    }
    let io = cause.downcast_ref::<std::io::Error>()?;
    matches!(io.kind(), ErrorKind::AddrInUse | ErrorKind::AddrNotAvailable).then_some(ExitCode::Busy)
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        std::process::ExitCode::from(code.number())
    }
}

impl std::process::Termination for ExitCode {
    fn report(self) -> std::process::ExitCode {
        self.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn the_numbers_are_a_promise() {
        let list: Vec<String> = ExitCode::ALL.map(|code| format!("{} {}", code.number(), code.meaning())).into();
        insta::assert_snapshot!(list.join("\n"), @"
        0 done
        1 a difference or a failed check
        2 the command line is not understood
        3 the configuration has mistakes
        4 the database cannot be used
        5 a port or address cannot be used
        70 something else went wrong
        ");
    }

    #[test]
    fn the_cause_decides_however_deep_it_is() {
        let busy =
            Err::<(), _>(std::io::Error::from(ErrorKind::AddrInUse)).context("cannot listen").context("no start").unwrap_err();
        assert_eq!(ExitCode::of(&busy), ExitCode::Busy);
        let store = anyhow::Error::new(StoreError::WrongGround("a sandbox's".to_owned())).context("no start");
        assert_eq!(ExitCode::of(&store), ExitCode::Store);
        let config = crate::config::Config::load(std::path::Path::new("/nowhere/obole.toml"), &Default::default()).unwrap_err();
        assert_eq!(ExitCode::of(&anyhow::Error::new(config)), ExitCode::Configuration);
        assert_eq!(ExitCode::of(&anyhow::anyhow!("odd")), ExitCode::Internal);
    }
}
