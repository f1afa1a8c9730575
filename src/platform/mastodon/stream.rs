//! Listening: a stream that is opened first, and a catch-up that runs while it is open.
//!
//! Mastodon's stream replays nothing (<https://docs.joinmastodon.org/methods/streaming/>: no `id:`, no `Last-Event-ID`), so each
//! connection opens `/api/v1/streaming/user`, and only then reads `/api/v1/notifications?types[]=mention&min_id=…` forward to its
//! end, while what the stream brings is kept and handed on afterwards. The two overlap; intake removes doubles, and
//! what was handed on within the same connection is not handed on again.
//!
//! # The cursor
//! It is the id of a notification, and moves only where the notifications endpoint itself puts an order: ids are never compared,
//! and what the stream brings moves nothing. It also **lags by one reading** (one page while catching up, one poll afterwards):
//! Mastodon numbers notifications when they are inserted, not when they are committed, so a lower number can appear after a
//! higher one was read. Each poll therefore reads the last minute once more. An empty cursor means "from the beginning of a list
//! that was empty".
//!
//! On the very first start there is no cursor: the newest notification becomes it, nothing older is read (unless
//! `from_beginning`), and since the stream is already open by then, nothing that arrives from that moment on is lost.
//!
//! # What this cannot bring back
//! Edits and deletions that happen while there is no stream: no endpoint lists them. Intake asks about each open order's post after a
//! new connection ([`crate::platform::Platform::standing`]). A post that was edited before it is first read is marked as edited; a
//! post that was deleted before is never seen.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use reqwest::Response;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tracing::{debug, warn};
use url::Url;

use crate::platform::health::Health;
use crate::platform::{Batch, Cursor, ListenError, Liveness, PlatformEvent};

use super::http::{Failure, Http};
use super::post::{Home, post};
use super::sse::{Decoder, Frame};
use super::wire::{Identified, Notification, Status};

/// What the stream may bring while the catch-up runs before the connection is made to wait.
const STREAM_BUFFER: usize = 1024;
/// Events that have come together are handed on together, up to so many.
const MAX_BATCH_EVENTS: usize = 256;
/// The most that Mastodon gives at once.
const PAGE_LIMIT: &str = "80";
/// A catch-up of more pages than this (800,000 mentions) is a server that does not understand `min_id`.
const MAX_PAGES_FORWARD: usize = 10_000;
/// Reading a list from its beginning has to go backwards and be held in memory: at most 20,000 mentions.
const MAX_PAGES_BACK: usize = 250;
/// So many notifications are remembered to hand none on twice.
const REMEMBERED: usize = 8192;
/// So many polls in a row may fail while the stream is open before the connection counts as broken.
const MAX_FAILED_POLLS: u32 = 5;

/// What a listener needs.
pub(super) struct Listening<'a> {
    pub(super) http: &'a Http,
    pub(super) home: &'a Home,
    pub(super) origin: &'a Url,
    pub(super) silence: Duration,
    pub(super) poll: Duration,
    pub(super) from_beginning: bool,
    pub(super) health: &'a Health,
}

/// Something the stream brought.
struct Streamed {
    /// The notification's id, to recognise it in a poll.
    notification: Option<String>,
    event: PlatformEvent,
}

/// Why handing on stopped.
enum End {
    ReceiverGone,
    StreamEnded,
}

impl Listening<'_> {
    /// See [`crate::platform::Platform::listen`].
    pub(super) async fn run(&self, from: Option<Cursor>, events: mpsc::Sender<Batch>) -> Result<(), ListenError> {
        let response = match self.http.open_stream(self.origin, &["api", "v1", "streaming", "user"]).await {
            Ok(response) => response,
            // Without a stream the list is still read, once for each attempt: slower, and nothing is lost.
            Err(failure) if from.is_some() && !failure.is_about_us() => {
                let (_, no_stream) = mpsc::channel(1);
                return match self.hand_on(from, no_stream, &events).await? {
                    End::ReceiverGone => Ok(()),
                    End::StreamEnded => Err(failure.into()),
                };
            }
            Err(failure) => return Err(failure.into()),
        };
        self.health.connected();
        let (sender, receiver) = mpsc::channel(STREAM_BUFFER);
        let mut handing_on = std::pin::pin!(self.hand_on(from, receiver, &events));
        let why = tokio::select! {
            end = &mut handing_on => return self.ended(end?, "the stream ended"),
            why = self.read_stream(response, sender) => why,
        };
        // What the stream had brought before it ended is handed on first: nobody else would bring the edits and deletions.
        self.ended(handing_on.await?, &why)
    }

    /// Opens the stream and waits for a first byte, which comes at once or with the next heartbeat.
    pub(super) async fn try_out(&self) -> Result<(), Failure> {
        let mut response = self.http.open_stream(self.origin, &["api", "v1", "streaming", "user"]).await?;
        match timeout(self.silence, response.chunk()).await {
            Ok(Ok(Some(_))) => Ok(()),
            Ok(_) => Err(Failure::NoAnswer("it was closed at once".into())),
            Err(_) => Err(Failure::NoAnswer(format!("it is open, and silent for {} s", self.silence.as_secs()))),
        }
    }

    fn ended(&self, end: End, why: &str) -> Result<(), ListenError> {
        match end {
            End::ReceiverGone => Ok(()),
            End::StreamEnded => Err(ListenError::Broken { after: None, why: why.to_owned() }),
        }
    }

    /// Reads frames until the stream ends or falls silent; returns why.
    async fn read_stream(&self, mut response: Response, sender: mpsc::Sender<Streamed>) -> String {
        let mut decoder = Decoder::default();
        loop {
            let bytes = match timeout(self.silence, response.chunk()).await {
                Ok(Ok(Some(bytes))) => bytes,
                Ok(Ok(None)) => return "the instance closed the stream".into(),
                Ok(Err(_)) => return "the connection of the stream broke".into(),
                Err(_) => return format!("the stream was silent for {} s", self.silence.as_secs()),
            };
            for frame in decoder.push(&bytes) {
                self.health.hears(self.http.now());
                let streamed = match frame {
                    Frame::Event { name, data } => self.read_event(&name, &data),
                    Frame::Heartbeat => None,
                    Frame::Broken(why) => {
                        warn!(platform.error = why, "skipped a frame of the stream");
                        None
                    }
                };
                if let Some(streamed) = streamed
                    && sender.send(streamed).await.is_err()
                {
                    return "nobody listens any more".into();
                }
            }
        }
    }

    /// Every other event (`update` of the home timeline above all) is dropped by its name, unread.
    fn read_event(&self, name: &str, data: &str) -> Option<Streamed> {
        let read = match name {
            "notification" => {
                serde_json::from_str(data).map_err(|error| error.to_string()).and_then(|notification: Notification| {
                    let event = self.read_notification(&notification)?;
                    Ok(event.map(|event| Streamed { notification: Some(notification.id), event }))
                })
            }
            "status.update" => serde_json::from_str(data).map_err(|error| error.to_string()).map(|status: Identified| {
                Some(Streamed { notification: None, event: PlatformEvent::Edited { native_id: status.id } })
            }),
            "delete" => {
                let native_id = data.trim().trim_matches('"').to_owned();
                Ok((!native_id.is_empty()).then_some(Streamed { notification: None, event: PlatformEvent::Deleted { native_id } }))
            }
            _ => Ok(None),
        };
        read.unwrap_or_else(|why| {
            warn!(platform.event = name, platform.error = why, "skipped an event that could not be read");
            None
        })
    }

    fn read_notification(&self, notification: &Notification) -> Result<Option<PlatformEvent>, String> {
        if notification.kind != "mention" {
            return Ok(None);
        }
        let status: Status = serde::Deserialize::deserialize(&notification.status).map_err(|error| error.to_string())?;
        Ok(Some(PlatformEvent::Posted(Box::new(post(status, self.home)?))))
    }

    /// Catches up, then hands on what the stream brings, and polls.
    async fn hand_on(
        &self,
        from: Option<Cursor>,
        mut stream: mpsc::Receiver<Streamed>,
        events: &mpsc::Sender<Batch>,
    ) -> Result<End, ListenError> {
        let mut position = match from {
            Some(Cursor(id)) => Position::at(id),
            None if self.from_beginning => Position::at(String::new()),
            None => {
                let newest = self.page(&[("limit", "1")]).await?.first().map(|newest| newest.id.clone());
                let position = Position::at(newest.unwrap_or_default());
                let start = Batch { events: Vec::new(), cursor: Some(position.cursor()) };
                if events.send(start).await.is_err() {
                    return Ok(End::ReceiverGone);
                }
                position
            }
        };
        if !self.read_forward(&mut position, Pace::CatchUp, events).await? {
            return Ok(End::ReceiverGone);
        }
        debug!("caught up with the mentions");
        self.health.becomes(Liveness::Live);

        let mut poll = interval_at(Instant::now() + self.poll, self.poll);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failed_polls = 0;
        loop {
            tokio::select! {
                first = stream.recv() => {
                    let Some(first) = first else { return Ok(End::StreamEnded) };
                    let mut streamed = vec![first];
                    while streamed.len() < MAX_BATCH_EVENTS && let Ok(next) = stream.try_recv() {
                        streamed.push(next);
                    }
                    let fresh = streamed.into_iter().filter(|streamed| position.is_new(streamed.notification.as_deref()));
                    let batch = Batch { events: fresh.map(|streamed| streamed.event).collect(), cursor: None };
                    if !batch.events.is_empty() && events.send(batch).await.is_err() {
                        return Ok(End::ReceiverGone);
                    }
                }
                _ = poll.tick() => match self.read_forward(&mut position, Pace::Poll, events).await {
                    Ok(true) => failed_polls = 0,
                    Ok(false) => return Ok(End::ReceiverGone),
                    Err(failure) => {
                        failed_polls += 1;
                        // The stream is open and may well bring what matters; only a bad token or a long silence ends it.
                        if failure.is_about_us() || failed_polls >= MAX_FAILED_POLLS {
                            return Err(failure.into());
                        }
                        warn!(platform.error = failure.why(), "could not ask for missed mentions");
                    }
                },
                () = events.closed() => return Ok(End::ReceiverGone),
            }
        }
    }

    /// Reads everything after `position.settled`, oldest first. `false`: the receiver is gone.
    async fn read_forward(&self, position: &mut Position, pace: Pace, events: &mpsc::Sender<Batch>) -> Result<bool, Failure> {
        let mut from = position.settled.clone();
        let mut before_last = from.clone();
        let mut passed_newest = position.newest == position.settled;
        let mut read_back = if from.is_empty() { Some(self.pages_from_the_beginning().await?.into_iter()) } else { None };
        for _ in 0..MAX_PAGES_FORWARD {
            let page = match &mut read_back {
                Some(pages) => pages.next().unwrap_or_default(),
                None => self.page(&[("min_id", &from), ("limit", PAGE_LIMIT)]).await?,
            };
            // A page that ends where it began is no progress: `min_id` was not understood.
            let Some(newest) = page.first().map(|newest| newest.id.clone()).filter(|newest| *newest != from) else { break };
            before_last = std::mem::replace(&mut from, newest);
            let cursor = match pace {
                Pace::CatchUp if !before_last.is_empty() => Some(Cursor(before_last.clone())),
                _ => None,
            };
            passed_newest |= page.iter().any(|read| read.id == position.newest);
            // The API gives the newest first.
            let fresh = page.into_iter().rev().filter(|read| position.is_new(Some(&read.id)));
            let batch = Batch { events: fresh.filter_map(|read| read.event).collect(), cursor };
            if (!batch.events.is_empty() || batch.cursor.is_some()) && events.send(batch).await.is_err() {
                return Ok(false);
            }
        }
        let settled = match pace {
            Pace::CatchUp => before_last,
            Pace::Poll => position.newest.clone(),
        };
        let moved = settled != position.settled;
        position.settled = settled;
        // If what was the newest is gone from the list, nothing tells whether `from` is before or after it.
        if passed_newest {
            position.newest = from;
        }
        let batch = Batch { events: Vec::new(), cursor: Some(position.cursor()) };
        Ok(!(moved && pace == Pace::Poll) || events.send(batch).await.is_ok())
    }

    /// The whole list, as pages from the oldest to the newest. There is no id to go forward from, and what a least id looks like is
    /// the server's own business, so this goes back from the newest.
    async fn pages_from_the_beginning(&self) -> Result<Vec<Vec<Read>>, Failure> {
        let mut pages = vec![self.page(&[("limit", PAGE_LIMIT)]).await?];
        while let Some(oldest) = pages.last().and_then(|page| page.last()).map(|oldest| oldest.id.clone()) {
            if pages.len() >= MAX_PAGES_BACK {
                warn!("more mentions than can be read back; the oldest are left out");
                break;
            }
            let page = self.page(&[("max_id", &oldest), ("limit", PAGE_LIMIT)]).await?;
            if page.last().is_none_or(|last| last.id == oldest) {
                break;
            }
            pages.push(page);
        }
        pages.reverse();
        Ok(pages)
    }

    /// One page of mentions, newest first. <https://docs.joinmastodon.org/methods/notifications/#get>
    async fn page(&self, query: &[(&str, &str)]) -> Result<Vec<Read>, Failure> {
        // Mentions that the account's policy filters are still orders; older servers ignore the parameter.
        let fixed = [("types[]", "mention"), ("include_filtered", "true")];
        let query: Vec<_> = fixed.iter().chain(query).copied().collect();
        let page: Vec<serde_json::Value> = self.http.get(&["api", "v1", "notifications"], &query).await?;
        page.iter().map(|notification| self.read_listed(notification)).collect()
    }

    /// Without an id there is no order to go on by; whatever else is wrong costs only this one.
    fn read_listed(&self, value: &serde_json::Value) -> Result<Read, Failure> {
        let id = value.get("id").and_then(serde_json::Value::as_str);
        let id = id.ok_or_else(|| Failure::NoAnswer("a notification has no id".into()))?.to_owned();
        let event = serde::Deserialize::deserialize(value)
            .map_err(|error: serde_json::Error| error.to_string())
            .and_then(|notification| self.read_notification(&notification))
            .unwrap_or_else(|why| {
                warn!(platform.error = why, "skipped a notification that could not be read");
                None
            });
        Ok(Read { id, event })
    }
}

/// A notification of the list.
struct Read {
    id: String,
    event: Option<PlatformEvent>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    CatchUp,
    Poll,
}

/// How far the list has been read.
struct Position {
    /// The cursor: everything up to it has been handed on, and had a minute or a page to appear.
    settled: String,
    /// The newest that was read.
    newest: String,
    handed_on: HashSet<String>,
    order: VecDeque<String>,
}

impl Position {
    fn at(id: String) -> Self {
        Position { settled: id.clone(), newest: id, handed_on: HashSet::new(), order: VecDeque::new() }
    }

    fn cursor(&self) -> Cursor {
        Cursor(self.settled.clone())
    }

    /// Remembers the notification; `true` unless it was remembered already. What has no id is always new.
    fn is_new(&mut self, notification: Option<&str>) -> bool {
        let Some(id) = notification else { return true };
        if !self.handed_on.insert(id.to_owned()) {
            return false;
        }
        self.order.push_back(id.to_owned());
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.handed_on.remove(&oldest);
        }
        true
    }
}
