//! `obole parse`: says how a text is read, to people with the place underlined, to programs one line for one line.

use std::io::{BufRead as _, BufWriter, Read as _, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use miette::{LabeledSpan, MietteDiagnostic, NamedSource, Report, Severity};

use crate::exit::ExitCode;
use crate::language::{self, Campaigns, Channel, Command, Context, Platform, Reading};
use crate::money::Currency;
use crate::terminal::{complain, say, say_aside};

/// What is to be read.
#[derive(Debug, Args)]
pub(super) struct ParseArgs {
    /// The text of a post; without it, standard input is read
    #[arg(value_name = "TEXT", conflicts_with = "file")]
    text: Option<String>,
    /// Read the text from a file
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// One JSON object a line in, one out (order-language, section 10)
    #[arg(long, conflicts_with = "text")]
    json: bool,
    /// Say which rule decided
    #[arg(long)]
    explain: bool,
    /// Read it as a private message
    #[arg(long)]
    dm: bool,
    /// Whose handles are written: x, mastodon, bluesky or nostr
    #[arg(long, value_name = "NAME", default_value = "x", value_parser = platform)]
    platform: Platform,
    /// The processor's handle
    #[arg(long, value_name = "HANDLE", default_value = "obole")]
    bot: String,
    /// The author's handle
    #[arg(long, value_name = "HANDLE")]
    author: Option<String>,
    /// A registered campaign and its charity's handle; may be repeated
    #[arg(long, value_name = "TAG=HANDLE")]
    campaign: Vec<String>,
}

fn platform(name: &str) -> Result<Platform, String> {
    let known = [Platform::X, Platform::Mastodon, Platform::Bluesky, Platform::Nostr];
    known.into_iter().find(|platform| platform.as_str() == name).ok_or_else(|| "not one of x, mastodon, bluesky, nostr".to_owned())
}

pub(super) fn parse(args: ParseArgs) -> ExitCode {
    let result = if args.json { answer_lines(&args) } else { read_one(&args) };
    result.unwrap_or_else(|error| complain(&error, ExitCode::of(&error)))
}

/// Streams: an answer is written as soon as its line is read.
fn answer_lines(args: &ParseArgs) -> anyhow::Result<ExitCode> {
    let input: Box<dyn std::io::BufRead> = match &args.file {
        Some(file) => {
            Box::new(std::io::BufReader::new(std::fs::File::open(file).with_context(|| format!("cannot read {}", file.display()))?))
        }
        None => Box::new(std::io::stdin().lock()),
    };
    let mut output = BufWriter::new(std::io::stdout().lock());
    let mut code = ExitCode::Ok;
    let mut input = input;
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        if input.read_until(b'\n', &mut bytes).context("cannot read the input")? == 0 {
            break;
        }
        // A line that is not UTF-8 is a line that is no question: it gets an answer that says so.
        let line = String::from_utf8_lossy(&bytes);
        let Some(answer) = language::json::answer_line(&line) else { continue };
        if answer.is_error {
            code = ExitCode::Difference;
        }
        if let Err(error) = writeln!(output, "{}", answer.line) {
            return closed(error);
        }
        // Whoever writes questions into a pipe may wait for each answer before writing the next.
        if args.file.is_none()
            && let Err(error) = output.flush()
        {
            return closed(error);
        }
    }
    match output.flush() {
        Ok(()) => Ok(code),
        Err(error) => closed(error),
    }
}

/// Whoever reads us has read enough.
fn closed(error: std::io::Error) -> anyhow::Result<ExitCode> {
    if error.kind() == std::io::ErrorKind::BrokenPipe { Ok(ExitCode::Ok) } else { Err(error).context("cannot write the answer") }
}

fn read_one(args: &ParseArgs) -> anyhow::Result<ExitCode> {
    let text = match (&args.text, &args.file) {
        (Some(text), _) => text.clone(),
        (None, Some(file)) => std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?,
        (None, None) => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("cannot read the text from standard input")?;
            text
        }
    };
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let mut campaigns = Campaigns::new();
    for campaign in &args.campaign {
        let (tag, handle) = campaign.split_once('=').with_context(|| format!("{campaign:?} is not TAG=HANDLE"))?;
        campaigns.insert(tag.trim_start_matches('#'), Some(handle.trim_start_matches('@')).filter(|handle| !handle.is_empty()));
    }
    let context = Context {
        channel: if args.dm { Channel::Dm } else { Channel::Post },
        platform: args.platform,
        bot: &args.bot,
        author: args.author.as_deref(),
        is_repost: false,
        campaigns: &campaigns,
        currency: Currency::EUR,
    };
    let reading = language::read(text, &context);
    show(text, &reading, args.explain);
    Ok(ExitCode::Ok)
}

fn show(text: &str, reading: &Reading, explain: bool) {
    match reading {
        Reading::None(silence) => {
            say("Not an order: Obole says nothing.");
            if explain {
                say(&format!("  because: {silence:?}"));
            }
        }
        Reading::Reply(reply) => {
            let code = reply.reference.as_deref().map(|code| format!(", code {code}")).unwrap_or_default();
            say(&format!("A private reply: {}{code}", reply.action.as_str()));
            if explain {
                say("  because: section 12");
            }
        }
        Reading::Rejected(rejection) => {
            let label = LabeledSpan::at(rejection.span.start..rejection.span.end, rejection.code.meaning());
            let mut diagnostic = MietteDiagnostic::new(rejection.code.meaning())
                .with_code(rejection.code.as_str())
                .with_severity(Severity::Advice)
                .with_label(label);
            if !rejection.suggestions.is_empty() {
                diagnostic = diagnostic.with_help(format!("this would work:\n{}", rejection.suggestions.join("\n")));
            }
            say_aside(&format!("{:?}", Report::new(diagnostic).with_source_code(NamedSource::new("post", text.to_owned()))));
            if explain {
                say(&format!("  because: section {}", rejection.code.section()));
            }
        }
        Reading::Order(Command::Cancel(_)) => say("Cancel: the order replied to, else every open order of the author."),
        Reading::Order(Command::Payment(order)) => {
            say(&format!("An order: {} {}", order.kind.as_str(), order.total));
            for recipient in &order.recipients {
                let through = recipient.campaign.as_ref().map(|tag| format!(" (through #{tag})")).unwrap_or_default();
                say(&format!("  {:>14} to {}{through}", recipient.share.to_string(), recipient.handle));
            }
            let lists = [("campaigns", &order.campaigns), ("hashtags", &order.hashtags)];
            for (name, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
                say(&format!("  {name}: {}", list.join(", ")));
            }
            if let Some(memo) = &order.memo {
                say(&format!("  memo: {memo}"));
            }
            for flag in &order.flags {
                say(&format!("  {}", flag.as_str()));
            }
            if explain {
                say(&format!("  because: addressed {:?}, recipients {:?} (section 8)", order.addressed, order.chosen_by));
            }
        }
    }
}
