//! The log: where it goes, how it looks, and what may stand in it.
//!
//! A line is a sentence about one thing that happened, with dotted fields beside it; it is text for people, or one JSON object for
//! machines (`--log-format json`). It goes to standard error, so that results on standard output stay clean.
//!
//! **No personal data, no secret.** Not a handle, a name, a text, a phrase, an IBAN, a token, a code or a body: a log is copied, kept and
//! searched by people who have no business with those. Ids are enough to find the rest in the store. A test looks for such fields.
//!
//! | field | what it holds |
//! |---|---|
//! | `order.id` | the order: our id; one span per order carries it |
//! | `payment` | the payment's place in its order |
//! | `person.id`, `payee.id` | our ids |
//! | `effect.id` | something to do outside: our id |
//! | `platform.name`, `bank.name` | the connection, as the configuration names it |
//! | `platform.error`, `bank.error`, `error` | one sentence about what went wrong |
//! | `post.native_id` | the platform's own short name of a message |
//! | `event`, `said`, `lane` | words of our own vocabulary |
//! | `duration_ms`, `wait_ms` | times, with their unit |

use std::io::IsTerminal as _;

use clap::{Args, ValueEnum};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

/// What is logged, and how.
#[derive(Debug, Clone, Args)]
pub struct LogArgs {
    /// What to log: a level (error, warn, info, debug, trace), or one per part, e.g. warn,obole::bank=debug
    #[arg(long, global = true, env = "OBOLE_LOG", value_name = "FILTER", value_parser = readable_filter)]
    pub log: Option<String>,
    /// How log lines look
    #[arg(long, global = true, env = "OBOLE_LOG_FORMAT", value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// What a serving command says of itself: what we do, and only the troubles of the parts we are built from.
const USUAL: &str = "warn,obole=info";

/// What a command says that shows its progress in another way: troubles only.
const QUIET: &str = "warn";

fn readable_filter(text: &str) -> Result<String, String> {
    EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(|why| why.to_string())
}

/// Starts the log of a serving command. A second start in one process changes nothing.
pub fn init(args: &LogArgs) {
    start(args, USUAL);
}

/// Starts the log of a command that shows its progress in another way; it is quiet unless asked for more.
pub fn init_quiet(args: &LogArgs) {
    start(args, QUIET);
}

fn start(args: &LogArgs, usual: &str) {
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let subscriber = subscriber(args, usual, colours, std::io::stderr);
    // Already started: by a test, or by the command that called this one.
    let _ = subscriber.try_init();
}

/// The subscriber, writing to `writer`.
fn subscriber<W>(args: &LogArgs, usual: &str, colours: bool, writer: W) -> impl tracing::Subscriber + Send + Sync + 'static
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let wanted = args.log.as_deref().unwrap_or(usual);
    let filter = EnvFilter::try_new(wanted).unwrap_or_else(|_| EnvFilter::new(usual));
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(colours).with_target(false);
    let lines = match args.log_format {
        LogFormat::Text => lines.compact().boxed(),
        // The fields stand beside the message, and the innermost span with its order id is one object.
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed(),
    };
    tracing_subscriber::registry().with(filter).with(lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::path::Path;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(log: Option<&str>, log_format: LogFormat) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let args = LogArgs { log: log.map(str::to_owned), log_format };
        let subscriber = subscriber(&args, "info", false, move || writer.clone());
        tracing::subscriber::with_default(subscriber, || {
            let _order = tracing::info_span!("order", order.id = "0af1").entered();
            tracing::info!(bank.name = "main", duration_ms = 12, "the bank was handed a payment");
            tracing::debug!("a detail");
        });
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_line_for_people_is_a_sentence_with_its_fields() {
        let text = logged(None, LogFormat::Text);
        let (_time, rest) = text.trim().split_once(' ').unwrap();
        insta::assert_snapshot!(rest.trim(), @r#"INFO order: the bank was handed a payment bank.name="main" duration_ms=12 order.id="0af1""#);
        assert!(logged(Some("debug"), LogFormat::Text).contains("a detail"));
    }

    #[test]
    fn a_line_for_machines_is_an_object() {
        let mut line: serde_json::Value = serde_json::from_str(logged(None, LogFormat::Json).trim()).unwrap();
        line.as_object_mut().unwrap().remove("timestamp");
        insta::assert_snapshot!(line, @r#"{"bank.name":"main","duration_ms":12,"level":"INFO","message":"the bank was handed a payment","span":{"name":"order","order.id":"0af1"}}"#);
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_refused_on_the_command_line() {
        assert!(readable_filter("warn,obole::bank=debug").is_ok());
        assert!(readable_filter("obole=loud").is_err());
    }

    /// What no log line may hold, as the word stands in the code.
    const FORBIDDEN: [&str; 13] = [
        "handle",
        "author_handle",
        "display_name",
        "legal_name",
        "text",
        "body",
        "iban",
        "phrase",
        "safe_phrase",
        "token",
        "access_token",
        "code",
        "memo",
    ];

    #[test]
    fn no_log_line_holds_personal_data_or_a_secret() {
        let mut looked_at = 0;
        let mut found = Vec::new();
        look_into(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut |path, text| {
            for call in log_calls(text) {
                looked_at += 1;
                let words = call.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                found.extend(
                    words.filter(|word| FORBIDDEN.contains(word)).map(|word| format!("{}: {word} in {call}", path.display())),
                );
            }
        });
        assert_eq!(found, Vec::<String>::new());
        assert!(looked_at > 3, "the search for log calls found {looked_at}");
    }

    fn look_into(folder: &Path, look: &mut impl FnMut(&Path, &str)) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                look_into(&path, look);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                look(&path, &std::fs::read_to_string(&path).unwrap());
            }
        }
    }

    /// The arguments of every log macro, without what stands in quotation marks.
    fn log_calls(text: &str) -> Vec<String> {
        let macros = ["trace!(", "debug!(", "info!(", "warn!(", "error!(", "_span!("];
        let starts = macros.iter().flat_map(|name| text.match_indices(name).map(move |(at, _)| at + name.len()));
        starts.map(|start| arguments(&text[start..])).collect()
    }

    fn arguments(rest: &str) -> String {
        let (mut depth, mut quoted, mut escaped, mut out) = (1, false, false, String::new());
        for character in rest.chars() {
            match character {
                _ if escaped => escaped = false,
                '\\' if quoted => escaped = true,
                '"' => quoted = !quoted,
                _ if quoted => {}
                '(' => depth += 1,
                ')' if depth == 1 => break,
                ')' => depth -= 1,
                _ => {}
            }
            if !quoted {
                out.push(character);
            }
        }
        out
    }
}
