//! Replay: recorded platform events through the same intake as live streams.
//!
//! A file is read line by line, each line is told apart and decoded ([`recorded`]), and what may concern us goes to the ledger in
//! batches, as a stream's batches do. The application it belongs to is whole except for its outside: its platforms are stand-ins
//! that send nothing, it has no banks, and nobody delivers effects. What the orders would have said and done stays in the store's
//! queue.
//!
//! What it promises: memory does not grow with the file; a line that cannot be read is counted and named and never ends the
//! replay; the same file replayed into the same store again makes no second order.
//!
//! **Time is the recording's.** The application's clock shows the time of the newest post read so far and never goes back, so a recording
//! gives the same orders whenever it is replayed. Whoever replays files of different days gives them in their order: a post that is
//! hours older than the newest is refused as too old, as it would be live. [`Options::wall_clock`] takes the present instead.
//!
//! **Campaigns**: the store's own, and [`Options::campaigns`]. The latter name a payee by a handle; which account that is, the recording
//! tells (the first one that it shows with this handle), and the payee's bank account is a sample number, which is why only a
//! sandbox's store is ever opened for a replay.

mod counts;
mod feed;
mod lines;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::io::AsyncRead;

use crate::app::intake;
use crate::ids::PlatformName;
use crate::language::Campaigns;
use crate::money::Currency;
use crate::people::enrolment::EnrolmentCode;
use crate::platform::recorded::{self, Bots, Line, Offline};
use crate::platform::{Network, Platform as _, PlatformEvent, Post};
use crate::store::Store;

pub use counts::{BrokenLine, Counts, NetworkCounts, StoreCounts};

use feed::Feed;
use lines::Lines;

/// The networks that there are recordings of.
pub const NETWORKS: [Network; 3] = [Network::Mastodon, Network::Bluesky, Network::X];

/// What a replay is told.
#[derive(Debug, Clone)]
pub struct Options {
    /// Our own handles.
    pub bots: Bots,
    /// Connections whose name in the store is another than the network's own word. Orders are told apart by it: to repeat
    /// what a live connection has read, give its name.
    pub connections: Vec<(Network, PlatformName)>,
    /// Hashtags (without `#`) and the handle of the payee that collects under each.
    pub campaigns: Vec<(String, String)>,
    /// How many events one commit carries at most.
    pub batch: usize,
    /// Judge posts by the present time, not by the recording's.
    pub wall_clock: bool,
}

impl Options {
    fn connection(&self, network: Network) -> PlatformName {
        let named = self.connections.iter().rev().find(|(given, _)| *given == network);
        named.map_or_else(|| PlatformName::from(network.as_str()), |(_, name)| name.clone())
    }
}

/// Where recordings are read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// Standard input.
    Stdin,
}

impl Source {
    /// As it is named in messages.
    pub fn name(&self) -> String {
        match self {
            Source::File(path) => path.display().to_string(),
            Source::Stdin => "standard input".to_owned(),
        }
    }
}

/// Watches a replay.
pub trait Watcher {
    /// So many bytes more have been read.
    fn bytes_read(&mut self, bytes: u64);
    /// A line could not be read.
    fn line_is_broken(&mut self, broken: &BrokenLine);
}

/// Nobody watches.
impl Watcher for () {
    fn bytes_read(&mut self, _bytes: u64) {}
    fn line_is_broken(&mut self, _broken: &BrokenLine) {}
}

/// Reads and decodes, and says how the language reads what may concern us. No store is touched.
pub async fn parse_only(options: &Options, sources: &[Source], watcher: &mut dyn Watcher) -> anyhow::Result<Counts> {
    let mut replay = Replay::new(options, None);
    let campaigns: Campaigns = options.campaigns.iter().map(|(tag, handle)| (tag.as_str(), Some(handle.as_str()))).collect();
    replay.campaigns = NETWORKS.into_iter().map(|network| (network.as_str(), campaigns.clone())).collect();
    replay.read_all(sources, watcher).await?;
    Ok(replay.counts)
}

/// Feeds everything to the intake over an open store of the sandbox's ground. The store is closed at the end.
pub async fn into_store(options: &Options, store: Store, sources: &[Source], watcher: &mut dyn Watcher) -> anyhow::Result<Counts> {
    let stand_ins = stand_ins(options);
    let feed = Feed::open(options, store, stand_ins.values()).await?;
    let mut replay = Replay::new(options, Some(feed));
    replay.stand_ins = stand_ins;
    replay.refresh_campaigns().await?;
    let read = replay.read_all(sources, watcher).await;
    // Whatever happened, what was committed is committed, and the store is closed properly.
    let Replay { feed, mut counts, .. } = replay;
    if let Some(feed) = feed {
        counts.store = Some(feed.close(counts.concerned()).await?);
    }
    read.map(|()| counts)
}

fn stand_ins(options: &Options) -> HashMap<&'static str, Arc<Offline>> {
    let stand_in = |network: Network| Arc::new(Offline::new(options.connection(network), network, options.bots.on(network)));
    NETWORKS.into_iter().map(|network| (network.as_str(), stand_in(network))).collect()
}

/// A replay under way.
struct Replay<'a> {
    options: &'a Options,
    stand_ins: HashMap<&'static str, Arc<Offline>>,
    campaigns: HashMap<&'static str, Campaigns>,
    feed: Option<Feed>,
    counts: Counts,
}

impl<'a> Replay<'a> {
    fn new(options: &'a Options, feed: Option<Feed>) -> Self {
        Replay { options, stand_ins: stand_ins(options), campaigns: HashMap::new(), feed, counts: Counts::default() }
    }

    async fn read_all(&mut self, sources: &[Source], watcher: &mut dyn Watcher) -> anyhow::Result<()> {
        for source in sources {
            let name = source.name();
            let reading = || format!("cannot read {name}");
            match source {
                Source::File(path) => {
                    let file = tokio::fs::File::open(path).await.with_context(reading)?;
                    self.read(&name, file, watcher).await?;
                }
                Source::Stdin => self.read(&name, tokio::io::stdin(), watcher).await?,
            }
        }
        if let Some(feed) = &mut self.feed {
            feed.flush().await?;
        }
        Ok(())
    }

    async fn read(&mut self, name: &str, input: impl AsyncRead + Unpin, watcher: &mut dyn Watcher) -> anyhow::Result<()> {
        let mut lines = Lines::new(input);
        let mut number = 0;
        while let Some(piece) = lines.next().await.with_context(|| format!("cannot read {name}"))? {
            number += 1;
            self.counts.lines += 1;
            watcher.bytes_read(piece.length);
            let line = match piece.line {
                Some(line) => recorded::read_line(line, &self.options.bots),
                None => Line::Broken(recorded::too_long()),
            };
            match line {
                Line::Recorded { network, events } => self.take(network, events).await?,
                Line::NotConcerning(None) => self.counts.blank += 1,
                Line::NotConcerning(Some(network)) => {
                    let counts = self.counts.of(network);
                    counts.lines += 1;
                    counts.not_concerning += 1;
                }
                Line::Dropped(network) => {
                    let counts = self.counts.of(network);
                    counts.lines += 1;
                    counts.dropped += 1;
                }
                Line::Broken(why) => {
                    let broken = BrokenLine { file: name.to_owned(), line: number, why };
                    watcher.line_is_broken(&broken);
                    self.counts.remember(broken);
                }
            }
        }
        Ok(())
    }

    async fn take(&mut self, network: Network, events: Vec<PlatformEvent>) -> anyhow::Result<()> {
        self.counts.of(network).lines += 1;
        if self.learn(network, &events).await? {
            self.refresh_campaigns().await?;
        }
        for event in events {
            let counts = self.counts.of(network);
            match &event {
                PlatformEvent::Posted(post) => {
                    counts.posts += 1;
                    let Some(platform) = self.stand_ins.get(network.as_str()) else { continue };
                    if !intake::concerns_us(post, platform.as_ref()) {
                        continue;
                    }
                    counts.concerned += 1;
                    let platform = platform.clone();
                    self.count_reading(network, post, &platform);
                }
                PlatformEvent::Edited { .. } => counts.edits += 1,
                PlatformEvent::Deleted { .. } => counts.deletions += 1,
                PlatformEvent::AccountChanged(_) => counts.account_changes += 1,
                // No recording tells of what is not in it.
                PlatformEvent::Missed { .. } => {}
            }
            if let (Some(feed), Some(platform)) = (&mut self.feed, self.stand_ins.get(network.as_str())) {
                feed.push(platform.name(), event).await?;
            }
        }
        Ok(())
    }

    fn count_reading(&mut self, network: Network, post: &Post, platform: &Offline) {
        if EnrolmentCode::find(&post.text).is_some() && post.channel == crate::ids::Channel::Dm {
            self.counts.readings.enrolment += 1;
            return;
        }
        let none = Campaigns::new();
        let campaigns = self.campaigns.get(network.as_str()).unwrap_or(&none);
        self.counts.count(&intake::read(post, platform, campaigns, Currency::EUR));
    }

    /// Whether these events tell the account of a payee that a campaign waits for; if so, it is registered.
    async fn learn(&mut self, network: Network, events: &[PlatformEvent]) -> anyhow::Result<bool> {
        let (Some(feed), Some(platform)) = (&mut self.feed, self.stand_ins.get(network.as_str())) else { return Ok(false) };
        let mut learnt = false;
        for (tag, handle) in &self.options.campaigns {
            if !feed.is_registered(platform.name(), tag) && platform.learn(handle, events) {
                feed.register(platform.name(), tag, handle, events).await?;
                learnt = true;
            }
        }
        Ok(learnt)
    }

    async fn refresh_campaigns(&mut self) -> anyhow::Result<()> {
        let Some(feed) = &self.feed else { return Ok(()) };
        for network in NETWORKS {
            let campaigns = feed.hashtags(&self.options.connection(network)).await?;
            self.campaigns.insert(network.as_str(), campaigns);
        }
        Ok(())
    }
}
