//! `obole replay`: recorded platform events through the same intake as live streams, and how many of them came to what.
//!
//! Nothing is ever sent: no message, no payment. What the orders ask to be sent stays in the store under the connection's name, so a
//! store that a live Obole will open is to be given with care; a production's store is refused.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use clap::Args;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::exit::ExitCode;
use crate::ids::PlatformName;
use crate::platform::Network;
use crate::platform::recorded::Bots;
use crate::replay::{self, BrokenLine, Counts, NETWORKS, Options, Source, Watcher};
use crate::store::{Ground, Location, Store};
use crate::telemetry::{self, LogArgs};
use crate::terminal::{complain, say, say_aside};

/// What is replayed, and into what.
#[derive(Debug, Clone, Args)]
pub(super) struct ReplayArgs {
    /// Files of JSON lines: Mastodon statuses or stream events, Jetstream frames, X v2 stream objects, mixed as they come; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Only read and decode, and say how the order language reads what may concern us
    #[arg(long, conflicts_with = "store")]
    dry_run: bool,
    /// Database to take the posts into: a file (made if missing) or a postgres:// URL; a production's is refused. Without it, in memory
    #[arg(long, value_name = "URL|PATH")]
    store: Option<String>,
    /// The bot's handle, everywhere or on one network (bluesky=pay.example); may be repeated
    #[arg(long, value_name = "[NETWORK=]HANDLE", default_value = "obole", value_parser = bot)]
    bot: Vec<(Option<Network>, String)>,
    /// A campaign and its payee's handle, besides the store's own; may be repeated
    #[arg(long, value_name = "TAG=HANDLE", value_parser = campaign)]
    campaign: Vec<(String, String)>,
    /// The name of a connection in the store, if it is not the network's (mastodon=town); may be repeated
    #[arg(long, value_name = "NETWORK=NAME", value_parser = connection)]
    connection: Vec<(Network, String)>,
    /// The most events that one commit carries
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u16).range(1..))]
    batch: u16,
    /// Judge posts by the present time instead of the recording's
    #[arg(long)]
    wall_clock: bool,
    /// Print the counts as one line of JSON, last
    #[arg(long)]
    json: bool,
}

/// So many broken lines are shown; the counts tell how many there were.
const SHOWN: u64 = 20;

fn network(word: &str) -> Result<Network, String> {
    let found = NETWORKS.into_iter().find(|network| network.as_str() == word);
    found.ok_or_else(|| format!("{word:?} is not one of mastodon, bluesky, x"))
}

fn bot(text: &str) -> Result<(Option<Network>, String), String> {
    let (network, handle) = match text.split_once('=') {
        Some((word, handle)) => (Some(network(word)?), handle),
        None => (None, text),
    };
    Ok((network, handle_of(handle)?))
}

fn campaign(text: &str) -> Result<(String, String), String> {
    let (tag, handle) = text.split_once('=').ok_or("write TAG=HANDLE")?;
    let tag = tag.trim_start_matches('#');
    if tag.is_empty() { Err("the tag is missing".to_owned()) } else { Ok((tag.to_lowercase(), handle_of(handle)?)) }
}

fn connection(text: &str) -> Result<(Network, String), String> {
    let (word, name) = text.split_once('=').filter(|(_, name)| !name.is_empty()).ok_or("write NETWORK=NAME")?;
    Ok((network(word)?, name.to_owned()))
}

fn handle_of(text: &str) -> Result<String, String> {
    let handle = text.trim_start_matches('@').to_ascii_lowercase();
    if handle.is_empty() { Err("the handle is missing".to_owned()) } else { Ok(handle) }
}

/// What `--store` names.
fn location(store: Option<&str>) -> Location {
    match store {
        None => Location::Memory,
        Some(url) if url.starts_with("postgres://") || url.starts_with("postgresql://") => Location::Postgres(url.to_owned()),
        Some(path) => Location::Sqlite(PathBuf::from(path)),
    }
}

/// Replays, and prints what it came to.
pub(super) async fn replay(args: ReplayArgs, log: &LogArgs) -> ExitCode {
    telemetry::init_quiet(log);
    let sources: Vec<Source> =
        args.files.iter().map(|file| if file.as_os_str() == "-" { Source::Stdin } else { Source::File(file.clone()) }).collect();
    // Before a store is made for nothing.
    let total = match bytes_of(&sources) {
        Ok(total) => total,
        Err(error) => return complain(&error, ExitCode::Usage),
    };
    let mut terminal = Terminal::new(total);
    let counts = run(&args, &sources, &mut terminal).await;
    terminal.finish();
    match counts {
        Ok(counts) => {
            if args.json {
                say(&json(&counts))
            } else {
                say(&table(&counts))
            }
            ExitCode::Ok
        }
        Err(error) => complain(&error, ExitCode::of(&error)),
    }
}

async fn run(args: &ReplayArgs, sources: &[Source], terminal: &mut Terminal) -> anyhow::Result<Counts> {
    let options = options(args);
    if args.dry_run {
        return replay::parse_only(&options, sources, terminal).await;
    }
    let store = Store::open(&location(args.store.as_deref()), Ground::Sandbox).await?;
    replay::into_store(&options, store, sources, terminal).await
}

fn options(args: &ReplayArgs) -> Options {
    let general = args.bot.iter().rev().find(|(network, _)| network.is_none()).map_or("obole", |(_, handle)| handle.as_str());
    let mut bots = Bots::everywhere(general);
    for (network, handle) in &args.bot {
        match network {
            Some(Network::Mastodon) => bots.mastodon.clone_from(handle),
            Some(Network::Bluesky) => bots.bluesky.clone_from(handle),
            Some(Network::X) => bots.x.clone_from(handle),
            Some(Network::Nostr | Network::Webhook) | None => {}
        }
    }
    Options {
        bots,
        connections: args.connection.iter().map(|(network, name)| (*network, PlatformName::from(name.as_str()))).collect(),
        campaigns: args.campaign.clone(),
        batch: args.batch.into(),
        wall_clock: args.wall_clock,
    }
}

/// How much there is to read; `None` if that is not known beforehand.
fn bytes_of(sources: &[Source]) -> anyhow::Result<Option<u64>> {
    let mut total = Some(0);
    for source in sources {
        let Source::File(path) = source else {
            total = None;
            continue;
        };
        let cannot = |why: &dyn std::fmt::Display| anyhow::anyhow!("cannot read {}: {why}", path.display());
        let file = std::fs::File::open(path).map_err(|error| cannot(&error))?;
        let about = file.metadata().map_err(|error| cannot(&error))?;
        if about.is_dir() {
            return Err(cannot(&"it is a directory"));
        }
        // A pipe has no length.
        total = total.filter(|_| about.is_file()).map(|total| total + about.len());
    }
    Ok(total)
}

/// A bar for a person at a terminal, and the sentences about broken lines for anybody.
struct Terminal {
    bar: ProgressBar,
    broken: u64,
}

impl Terminal {
    fn new(total: Option<u64>) -> Self {
        let bar = match total {
            Some(total) => ProgressBar::new(total),
            None => ProgressBar::new_spinner(),
        };
        if !std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let template = match total {
            Some(_) => "{bar:30} {bytes}/{total_bytes}  {eta} left",
            None => "{spinner} {bytes} read",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Terminal { bar, broken: 0 }
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
        if self.broken > SHOWN {
            say_aside(&format!("obole: {} more lines could not be read", self.broken - SHOWN));
        }
    }
}

impl Watcher for Terminal {
    fn bytes_read(&mut self, bytes: u64) {
        self.bar.inc(bytes);
    }

    fn line_is_broken(&mut self, broken: &BrokenLine) {
        self.broken += 1;
        if self.broken <= SHOWN {
            let sentence = format!("obole: {} line {}: {}", broken.file, broken.line, broken.why);
            self.bar.suspend(|| say_aside(&sentence));
        }
    }
}

fn json(counts: &Counts) -> String {
    // Numbers and texts under texts: there is nothing in it that could not be written.
    serde_json::to_string(counts).unwrap_or_default()
}

fn table(counts: &Counts) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(["what", "how many"]);
    let mut row = |what: &str, count: String| {
        table.add_row([what.to_owned(), count]);
    };
    row("lines", counts.lines.to_string());
    row("  blank", counts.blank.to_string());
    row("  not readable", counts.broken.to_string());
    for (network, of) in &counts.networks {
        row(&format!("  from {network}"), of.lines.to_string());
        row("    dropped before decoding", of.dropped.to_string());
        row("    nothing for us", of.not_concerning.to_string());
        row("    posts and private messages", of.posts.to_string());
        row("      that may concern us", of.concerned.to_string());
        row("    edits, deletions, account changes", format!("{} {} {}", of.edits, of.deletions, of.account_changes));
    }
    let read = &counts.readings;
    row("read as an order", read.order.to_string());
    row("read as a cancellation", read.cancel.to_string());
    row("read as an answer", read.reply.to_string());
    row("read as an enrolment code", read.enrolment.to_string());
    row("read as nothing for us", read.none.to_string());
    row("read as nearly an order", read.rejected.to_string());
    for (code, count) in &counts.rejections {
        row(&format!("  {code}"), count.to_string());
    }
    if let Some(store) = &counts.store {
        row("taken in before", store.duplicates.to_string());
        for (outcome, count) in &store.outcomes {
            row(&format!("taken in as {outcome}"), count.to_string());
        }
        row("orders made", store.orders.to_string());
        for (why, count) in &store.refused {
            row(&format!("  refused: {}", why.replace('_', " ")), count.to_string());
        }
        row("orders in the store", store.states.values().sum::<i64>().to_string());
        for (state, count) in &store.states {
            row(&format!("  {}", state.replace('_', " ")), count.to_string());
        }
    }
    if let Some(column) = table.column_mut(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        replay: ReplayArgs,
    }

    fn parse(line: &str) -> Result<ReplayArgs, clap::Error> {
        Line::try_parse_from(line.split(' ')).map(|line| line.replay)
    }

    #[test]
    fn the_words_of_the_command_line() {
        let args = parse(
            "replay a.jsonl - --bot bluesky=@Pay.Example --bot donne --campaign #Telethon=@CroixRouge --connection mastodon=town",
        );
        let args = args.unwrap();
        let options = options(&args);
        assert_eq!(options.bots, Bots { bluesky: "pay.example".into(), ..Bots::everywhere("donne") });
        assert_eq!(options.campaigns, [("telethon".to_owned(), "croixrouge".to_owned())]);
        assert_eq!(options.connections, [(Network::Mastodon, PlatformName::from("town"))]);
        assert_eq!(options.batch, 512);
        let plain = super::options(&parse("replay a.jsonl --bot x=donne").unwrap());
        assert_eq!(plain.bots, Bots { x: "donne".into(), ..Bots::everywhere("obole") });
    }

    #[test]
    fn mistakes_on_the_command_line() {
        for line in [
            "replay",
            "replay a --bot nostr=obole",
            "replay a --bot x=",
            "replay a --campaign telethon",
            "replay a --campaign =croixrouge",
            "replay a --connection mastodon=",
            "replay a --batch 0",
            "replay a --dry-run --store obole.db",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_store_is_a_file_unless_it_is_a_url() {
        assert!(matches!(location(None), Location::Memory));
        assert!(matches!(location(Some("postgres://u@h/d")), Location::Postgres(_)));
        assert!(matches!(location(Some("data/obole.db")), Location::Sqlite(_)));
    }
}
