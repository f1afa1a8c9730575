//! Configuration: one TOML file and the environment, read into plain values before anything starts.
//!
//! What it promises: either a [`Config`] in which every value has been checked, or a [`ConfigError`] with *every* mistake, each with
//! its key, its line and what would help. Unknown keys are mistakes. Secrets print nothing, and no drawing of a mistake shows one.
//!
//! Every key is explained in `obole.example.toml` and, for other kinds of bank, `docs/obole.banks.example.toml`, which a test reads. What
//! it leaves to others: whether the network and the database are there; only `cli` and `serve` read this.

mod check;
mod iso20022;
mod mistake;
mod platforms;
mod reader;
mod sections;
mod settlement;

use std::path::Path;

use miette::Severity;
use toml::de::DeTable;

pub use iso20022::Iso20022Section;
pub use mistake::{ConfigError, Mistake};
pub use reader::Environment;
pub use sections::{
    BankSection, BerlinGroupProduct, BerlinGroupSection, CampaignSection, Config, MastodonSection, OperatorsSection,
    PayeeIdentitySection, PayeeSection, PlatformSection, ReconcileSection, SecretsSection, StoreSection, WebSection,
};
pub use settlement::{SettlementSection, WebhookSection};

use reader::{Reader, Section};

/// Variables with our prefix that are read elsewhere (by `cli` and `telemetry`).
const OTHER_VARIABLES: [&str; 6] =
    ["OBOLE_CONFIG", "OBOLE_DATA", "OBOLE_LISTEN", "OBOLE_LOG", "OBOLE_LOG_FORMAT", "OBOLE_OPERATOR"];

impl Config {
    /// Reads the file, with `environment` on top.
    pub fn load(file: &Path, environment: &Environment) -> Result<Config, ConfigError> {
        let name = file.display().to_string();
        let unreadable = |message: String, help: Option<&str>| {
            let mut reader = Reader::new(Path::new(""), environment);
            reader.note(&reader::Place::default(), message, help.map(str::to_owned));
            ConfigError::new(&name, "", &[], reader.mistakes)
        };
        let bytes = std::fs::read(file).map_err(|why| {
            unreadable(format!("the file cannot be read: {why}"), Some("obole.example.toml shows how it is written"))
        })?;
        let text = String::from_utf8(bytes).map_err(|_| unreadable("the file is not UTF-8 text".to_owned(), None))?;
        Config::read(&name, &text, file.parent().unwrap_or(Path::new("")), environment)
    }

    /// Reads `text`, which is the file called `name`. Relative paths in it start at `directory`.
    pub fn read(name: &str, text: &str, directory: &Path, environment: &Environment) -> Result<Config, ConfigError> {
        let mut reader = Reader::new(directory, environment);
        let config = read(text, &mut reader);
        let Reader { mistakes, secrets, .. } = reader;
        let fatal = mistakes.iter().any(|mistake| mistake.severity == Severity::Error);
        match config {
            Ok(config) if !fatal => Ok(Config { warnings: mistakes, ..config }),
            _ => Err(ConfigError::new(name, text, &secrets, mistakes)),
        }
    }
}

fn read(text: &str, reader: &mut Reader<'_>) -> reader::Outcome<Config> {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut readable = Ok(());
    for error in errors {
        let place = reader::Place::in_file(error.span());
        readable = Err(reader.note(&place, format!("this is not TOML: {}", error.message()), None));
    }
    // A file that is half read would be full of mistakes that are none.
    readable?;
    let config = check::config(reader, Section::root(document.get_ref()));
    reader.finish_environment(&OTHER_VARIABLES);
    config
}

#[cfg(test)]
mod tests;
