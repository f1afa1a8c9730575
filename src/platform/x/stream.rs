//! Listening to posts: the filtered stream, opened first, and a search for what it did not bring.
//!
//! The stream replays nothing on self-service tiers (`backfill_minutes` and recovery are for others), so each connection is followed by a
//! search for everything since the position, while what the stream brings waits; and a search every few minutes besides, since a
//! stream can be open and bring nothing. The search knows seven days; what is older is a gap.
//!
//! One rule asks for what mentions the bot and is no repost. A repost repeats an order's text; a quote is a post with words of its own.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use reqwest::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tracing::warn;

use super::api::{Api, As};
use super::config::{XConfig, prices};
use super::lines::Lines;
use super::position::{behind, id_at, time_of};
use super::read_object;
use crate::clock::earlier;
use crate::platform::call::Failure;
use crate::platform::health::Health;
use crate::platform::{Account, ListenError, Liveness, PlatformEvent};

/// How far back a search goes, less a margin for clocks and for the time it takes.
const SEARCHED: Duration = Duration::from_secs(7 * 24 * 60 * 60 - 10 * 60);
/// The most posts of one answer.
const PAGE: &str = "100";
/// A search of more pages than this (20,000 posts) is cut off, and called a gap.
const MAX_PAGES: usize = 200;
/// What the stream may bring while a search runs before the connection is made to wait.
const WAITING: usize = 1024;
/// So many posts are remembered to hand none on twice within a connection.
const REMEMBERED: usize = 8192;
/// By this our rule is known among others of the app.
const TAG: &str = "obole";

/// Everything about a post that is read, in both forms of the search and the stream.
const FIELDS: [(&str, &str); 3] = [
    (
        "tweet.fields",
        "author_id,created_at,edit_history_tweet_ids,entities,in_reply_to_user_id,note_tweet,referenced_tweets,display_text_range",
    ),
    ("expansions", "author_id,entities.mentions.username"),
    ("user.fields", "username,name"),
];

/// What one of the two sources has brought.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) events: Vec<PlatformEvent>,
    pub(super) posts: Option<u64>,
    pub(super) messages: Option<u64>,
}

/// What a listener needs.
pub(super) struct Listening<'a> {
    pub(super) api: &'a Api,
    pub(super) config: &'a XConfig,
    pub(super) bot: &'a Account,
    pub(super) health: &'a Health,
}

#[derive(Deserialize)]
struct Rules {
    #[serde(default)]
    data: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    id: String,
    value: String,
    #[serde(default)]
    tag: Option<String>,
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    data: Vec<Value>,
    #[serde(default)]
    includes: Value,
    #[serde(default)]
    meta: Meta,
}

#[derive(Default, Deserialize)]
struct Meta {
    #[serde(default)]
    next_token: Option<String>,
}

/// What was handed on within this connection.
#[derive(Default)]
struct Seen {
    ids: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Seen {
    fn is_new(&mut self, id: u64) -> bool {
        if !self.ids.insert(id) {
            return false;
        }
        self.order.push_back(id);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }
}

impl Listening<'_> {
    /// The rule, and the search's question.
    fn rule(&self) -> String {
        format!("@{} -is:retweet", self.bot.handle)
    }

    /// Reads from a post's id (or from now) until the stream breaks or the receiver is gone.
    pub(super) async fn run(&self, from: Option<u64>, heard: &mpsc::Sender<Heard>) -> Result<(), ListenError> {
        let now = self.api.caller.clock().now();
        let failed = |failure: Failure| self.api.pauses.after_failure(&failure);
        self.set_rule().await.map_err(failed)?;
        let stream = self.api.open_stream(&["2", "tweets", "search", "stream"], &FIELDS).await.map_err(failed)?;
        self.health.connected();
        let (sender, mut streamed) = mpsc::channel(WAITING);
        let hand_on = async {
            let mut seen = Seen::default();
            let horizon = id_at(earlier(now, SEARCHED));
            let mut position = from.unwrap_or_else(|| id_at(now));
            let mut events = Vec::new();
            if position < horizon {
                events.push(self.missed(position, horizon));
                position = horizon;
            }
            if heard.send(Heard { events, posts: Some(position), messages: None }).await.is_err() {
                return Ok(());
            }
            if !self.catch_up(&mut position, &mut seen, heard).await.map_err(failed)? {
                return Ok(());
            }
            self.health.becomes(Liveness::Live);
            let mut poll = interval_at(Instant::now() + self.config.poll, self.config.poll);
            poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    object = streamed.recv() => {
                        let Some((id, events)): Option<(u64, Vec<PlatformEvent>)> = object else { return Ok(()) };
                        if !seen.is_new(id) {
                            continue;
                        }
                        position = position.max(behind(id));
                        if heard.send(Heard { events, posts: Some(position), messages: None }).await.is_err() {
                            return Ok(());
                        }
                    }
                    _ = poll.tick() => {
                        if !self.catch_up(&mut position, &mut seen, heard).await.map_err(failed)? {
                            return Ok(());
                        }
                    }
                    () = heard.closed() => return Ok(()),
                }
            }
        };
        tokio::pin!(hand_on);
        let why = tokio::select! {
            ended = &mut hand_on => return ended,
            why = self.read_stream(stream, sender) => why,
        };
        // What the stream had brought before it ended is handed on first.
        hand_on.await?;
        if heard.is_closed() { Ok(()) } else { Err(self.api.pauses.after_break(&why)) }
    }

    fn missed(&self, from: u64, until: u64) -> PlatformEvent {
        self.health.misses();
        PlatformEvent::Missed { from: time_of(from), until: time_of(until) }
    }

    /// Has exactly one rule of ours stand, whatever an earlier version or handle left behind. Others' rules are left alone.
    async fn set_rule(&self) -> Result<(), Failure> {
        const PATH: [&str; 5] = ["2", "tweets", "search", "stream", "rules"];
        let rules: Rules = self.api.get(As::App, &PATH, &[]).await?;
        let wanted = self.rule();
        let ours = rules.data.iter().filter(|rule| rule.tag.as_deref() == Some(TAG));
        let (right, stale): (Vec<&Rule>, Vec<&Rule>) = ours.partition(|rule| rule.value == wanted);
        if !stale.is_empty() {
            let ids: Vec<&str> = stale.iter().map(|rule| rule.id.as_str()).collect();
            self.api.post::<Value>(As::App, &PATH, &json!({ "delete": { "ids": ids } })).await?;
        }
        if right.is_empty() {
            self.api.post::<Value>(As::App, &PATH, &json!({ "add": [{ "value": wanted, "tag": TAG }] })).await?;
        }
        Ok(())
    }

    /// Reads objects until the stream ends or falls silent; returns why.
    async fn read_stream(&self, mut stream: Response, sender: mpsc::Sender<(u64, Vec<PlatformEvent>)>) -> String {
        let mut lines = Lines::default();
        loop {
            let bytes = match timeout(self.config.silence, stream.chunk()).await {
                Ok(Ok(Some(bytes))) => bytes,
                Ok(Ok(None)) => return "X closed the stream".into(),
                Ok(Err(_)) => return "the connection of the stream broke".into(),
                Err(_) => return format!("the stream was silent for {} s", self.config.silence.as_secs()),
            };
            self.api.pauses.reset();
            for line in lines.push(&bytes) {
                self.health.hears(self.api.caller.clock().now());
                let Some(line) = line else {
                    warn!("skipped an object of the stream that is too long");
                    continue;
                };
                if let Some(why) = ending(&line) {
                    return why;
                }
                if let Some(read) = self.read(&line)
                    && sender.send(read).await.is_err()
                {
                    return "nobody listens any more".into();
                }
            }
        }
    }

    fn read(&self, object: &[u8]) -> Option<(u64, Vec<PlatformEvent>)> {
        match read_object(object, &self.bot.handle) {
            Ok(events) => {
                self.health.spends(prices::POST_READ);
                newest_id(&events).map(|id| (id, events))
            }
            Err(why) => {
                warn!(platform.error = why, "skipped an object of the stream");
                None
            }
        }
    }

    /// Searches for everything since the position, oldest first. `false`: the receiver is gone.
    async fn catch_up(&self, position: &mut u64, seen: &mut Seen, heard: &mpsc::Sender<Heard>) -> Result<bool, Failure> {
        let (rule, since) = (self.rule(), position.to_string());
        let mut found: Vec<(u64, Vec<PlatformEvent>)> = Vec::new();
        let mut next: Option<String> = None;
        let mut cut_off = false;
        for page_number in 0..MAX_PAGES {
            let mut query = vec![("query", rule.as_str()), ("since_id", &since), ("max_results", PAGE)];
            query.extend(FIELDS);
            query.extend(next.as_deref().map(|next| ("next_token", next)));
            let page: Page = self.api.get(As::App, &["2", "tweets", "search", "recent"], &query).await?;
            for post in page.data {
                let object = json!({ "data": post, "includes": page.includes });
                found.extend(self.read(object.to_string().as_bytes()));
            }
            next = page.meta.next_token;
            cut_off = next.is_some() && page_number + 1 == MAX_PAGES;
            if next.is_none() {
                break;
            }
        }
        found.sort_by_key(|(id, _)| *id);
        let mut events = Vec::new();
        if cut_off && let Some((oldest, _)) = found.first() {
            events.push(self.missed(*position, *oldest));
        }
        let newest = found.last().map(|(id, _)| *id);
        events.extend(found.into_iter().filter(|(id, _)| seen.is_new(*id)).flat_map(|(_, events)| events));
        if let Some(newest) = newest {
            *position = (*position).max(behind(newest));
        }
        Ok(heard.send(Heard { events, posts: Some(*position), messages: None }).await.is_ok())
    }

    /// Opens the stream and waits for a byte, which comes within 20 seconds.
    pub(super) async fn try_out(&self) -> Result<(), Failure> {
        self.set_rule().await?;
        let mut stream = self.api.open_stream(&["2", "tweets", "search", "stream"], &FIELDS).await?;
        match timeout(self.config.silence + Duration::from_secs(2), stream.chunk()).await {
            Ok(Ok(Some(_))) => Ok(()),
            Ok(_) => Err(Failure::NoAnswer("it was closed at once".into())),
            Err(_) => Err(Failure::NoAnswer(format!("it is open, and silent for {} s", self.config.silence.as_secs()))),
        }
    }
}

/// The id of the newest version that events are about.
fn newest_id(events: &[PlatformEvent]) -> Option<u64> {
    let id = |event: &PlatformEvent| match event {
        PlatformEvent::Posted(post) => post.native_id.parse().ok(),
        PlatformEvent::Edited { native_id } | PlatformEvent::Deleted { native_id } => native_id.parse().ok(),
        PlatformEvent::AccountChanged(_) | PlatformEvent::Missed { .. } => None,
    };
    events.iter().filter_map(id).max()
}

/// Why X is about to close the stream, if this object says that and nothing else.
fn ending(object: &[u8]) -> Option<String> {
    let object: Value = serde_json::from_slice(object).ok()?;
    let error = object.get("errors")?.get(0)?;
    let word = |name: &str| error.get(name).and_then(Value::as_str);
    object.get("data").is_none().then(|| {
        let why = word("disconnect_type").or(word("title")).unwrap_or("it does not say why");
        format!("X ends the stream: {why}")
    })
}
