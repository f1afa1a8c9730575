//! Listening to Jetstream: every post of the network passes here, nearly all of them unread.
//!
//! A connection begins where the stored position says, some seconds earlier: hosts differ, and an event may come twice. What the gate
//! lets through is decoded; a post that names us is **vouched for** before it is handed on, since Jetstream's frames carry no signature:
//! the record is read through the account's own server and compared by its CID. One that is not there is no post; one with another CID
//! was edited since, and says so. While that is asked, the stream goes on; the position handed on stays behind the oldest question.
//!
//! Posts that do not name us (a campaign's hashtag alone) are handed on as they came. Whoever forged one would have a linked payer
//! asked in private about an order the payer did not write, and nothing else: a post only ever proposes.
//!
//! A frame that is a deletion or an edit of a post still in question decides the question.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tracing::{debug, warn};
use url::Url;

use super::config::BlueskyConfig;
use super::xrpc::Xrpc;
use super::{POSTS, Reading, gate, listen_error, profile, read, wire};
use crate::clock::{Timestamp, earlier};
use crate::platform::call::Failure;
use crate::platform::health::Health;
use crate::platform::{Account, ListenError, Liveness, PlatformEvent, Post};

/// No frame is longer: a record has at most a megabyte, a post a few kilobytes.
const MAX_FRAME_BYTES: usize = 1024 * 1024;
/// So many posts are vouched for at one time; then the stream waits.
const QUESTIONS: usize = 64;
/// The network's index may be behind the stream by seconds; a record that is not there is asked for again after these.
const PAUSES: [Duration; 4] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4), Duration::from_secs(8)];
/// How often the position is handed on though nothing concerned us.
const MARK: Duration = Duration::from_secs(2);
/// A stream whose frames are not older than this has caught up.
const CAUGHT_UP: Duration = Duration::from_secs(10);

/// What one of the two sources has brought.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) events: Vec<PlatformEvent>,
    /// The stream was handed on to here.
    pub(super) stream_us: Option<i64>,
    /// The chat was handed on to here.
    pub(super) chat: Option<String>,
}

/// What a listener needs.
pub(super) struct Listening<'a> {
    pub(super) xrpc: &'a Xrpc,
    pub(super) config: &'a BlueskyConfig,
    pub(super) bot: &'a Account,
    pub(super) health: &'a Health,
    pub(super) endpoint: &'a str,
    /// Told of accounts whose handle has changed.
    pub(super) on_change: &'a (dyn Fn(&Account) + Send + Sync),
}

type Socket = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

/// A post that is being vouched for.
struct Question {
    uri: String,
    time_us: i64,
    became: Option<Became>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Became {
    Edited,
    Gone,
}

/// What was found out about a post.
type Vouched = (u64, Box<Post>, Result<Option<Became>, Failure>);

/// Everything between two frames.
struct Reader<'a> {
    listening: &'a Listening<'a>,
    questions: BTreeMap<u64, Question>,
    asking: FuturesUnordered<BoxFuture<'a, Vouched>>,
    next: u64,
    newest_us: i64,
}

/// What connecting has led to.
enum Opened {
    Open(Box<Socket>),
    /// The server does not have what the cursor asks for any more.
    TooOld,
}

impl<'a> Listening<'a> {
    /// Reads from a position (or from now) until the stream breaks or the receiver is gone.
    pub(super) async fn run(&'a self, from_us: Option<i64>, heard: &mpsc::Sender<Heard>) -> Result<(), ListenError> {
        let now = self.xrpc.caller().clock().now();
        let horizon = earlier(now, self.config.look_back);
        let mut begin = from_us.and_then(|time| Timestamp::from_microsecond(time).ok());
        let mut events = Vec::new();
        // Jetstream says nothing when it clamps a cursor, so what it cannot have any more is worked out here.
        if let Some(from) = begin.filter(|from| *from < horizon) {
            events.push(self.missed(from, horizon));
            begin = Some(horizon);
        }
        let cursor = begin.map(|begin| earlier(begin, self.config.overlap));
        let socket = match self.open(cursor).await? {
            Opened::Open(socket) => socket,
            Opened::TooOld => {
                events.push(self.missed(begin.unwrap_or(now), now));
                match self.open(None).await? {
                    Opened::Open(socket) => socket,
                    Opened::TooOld => return Err(broken("the stream refuses to begin with now")),
                }
            }
        };
        self.health.connected();
        let newest_us = begin.unwrap_or(now).as_microsecond();
        // The position is stored before the first event: whatever comes from now on can be read again.
        if heard.send(Heard { events, stream_us: Some(newest_us), chat: None }).await.is_err() {
            return Ok(());
        }
        let reader = Reader { listening: self, questions: BTreeMap::new(), asking: FuturesUnordered::new(), next: 0, newest_us };
        reader.read(*socket, heard).await
    }

    fn missed(&self, from: Timestamp, until: Timestamp) -> PlatformEvent {
        self.health.misses();
        PlatformEvent::Missed { from, until }
    }

    async fn open(&self, cursor: Option<Timestamp>) -> Result<Opened, ListenError> {
        let mut address = Url::parse(self.endpoint).map_err(|error| broken(&format!("the stream's address: {error}")))?;
        let collections = if is_second_version(&address) { "collections" } else { "wantedCollections" };
        address.query_pairs_mut().append_pair(collections, POSTS);
        if let Some(cursor) = cursor {
            address.query_pairs_mut().append_pair("cursor", &cursor.as_microsecond().to_string());
        }
        let limits = WebSocketConfig::default().max_message_size(Some(MAX_FRAME_BYTES)).max_frame_size(Some(MAX_FRAME_BYTES));
        let opening = tokio_tungstenite::connect_async_with_config(address.as_str(), Some(limits), true);
        match timeout(self.config.connect_timeout + self.config.request_timeout, opening).await {
            Err(_) => Err(broken("the stream did not open in time")),
            Ok(Ok((socket, _))) => Ok(Opened::Open(Box::new(socket))),
            Ok(Err(tungstenite::Error::Http(answer))) => {
                let body = answer.body().as_deref().unwrap_or_default();
                if memchr::memmem::find(body, b"CursorTooOld").is_some() {
                    return Ok(Opened::TooOld);
                }
                let after =
                    crate::platform::call::wait_of(answer.status().as_u16(), answer.headers(), self.xrpc.caller().clock().now());
                Err(ListenError::Broken { after, why: format!("the stream answered {}", answer.status()) })
            }
            Ok(Err(error)) => Err(broken(&format!("the stream did not open: {error}"))),
        }
    }

    /// Opens the stream at its present end and waits for one frame.
    pub(super) async fn try_out(&self, patience: Duration) -> Result<(), String> {
        let Opened::Open(mut socket) = self.open(None).await.map_err(|error| error.to_string())? else {
            return Err("it refuses to begin with now".to_owned());
        };
        let first = timeout(patience, socket.next()).await;
        let _ = futures_util::SinkExt::close(&mut socket).await;
        match first {
            Err(_) => Err(format!("it is open, and silent for {} s", patience.as_secs())),
            Ok(Some(Ok(_))) => Ok(()),
            Ok(Some(Err(error))) => Err(format!("it broke: {error}")),
            Ok(None) => Err("it was closed at once".to_owned()),
        }
    }

    /// Whether a post speaks to us, by the facet or by the name.
    fn names_us(&self, post: &Post) -> bool {
        let name = self.bot.handle.split('.').next().unwrap_or_default();
        let written = format!("@{name}");
        post.mentions.iter().any(|mention| mention.account == self.bot.id)
            || post.text.to_ascii_lowercase().replace('＠', "@").contains(&written)
    }
}

impl<'a> Reader<'a> {
    async fn read(mut self, mut socket: Socket, heard: &mpsc::Sender<Heard>) -> Result<(), ListenError> {
        let config = self.listening.config;
        let (mut last_frame, mut last_event, mut marked) = (Instant::now(), Instant::now(), Instant::now());
        loop {
            let deadline = (last_frame + config.silence).min(last_event + config.quiet);
            let has_room = self.questions.len() < QUESTIONS;
            tokio::select! {
                frame = timeout_at(deadline, socket.next()), if has_room => {
                    let message = match frame {
                        Err(_) if last_frame + config.silence <= Instant::now() => return Err(broken("the stream was silent")),
                        Err(_) => return Err(broken("the stream was open and brought nothing")),
                        Ok(None) => return Err(broken("the stream was closed")),
                        Ok(Some(Err(error))) => return Err(broken(&format!("the stream broke: {error}"))),
                        Ok(Some(Ok(message))) => message,
                    };
                    last_frame = Instant::now();
                    let bytes: &[u8] = match &message {
                        Message::Text(text) => text.as_bytes(),
                        Message::Binary(bytes) => bytes,
                        // Pongs are written with the next flush, which a silent reader has to ask for.
                        Message::Ping(_) => { let _ = socket.flush().await; continue },
                        Message::Close(frame) => {
                            let why = frame.as_ref().map(|frame| frame.reason.to_string()).unwrap_or_default();
                            return Err(broken(&format!("the stream was closed: {why}")));
                        }
                        Message::Pong(_) | Message::Frame(_) => continue,
                    };
                    last_event = last_frame;
                    let now = self.listening.xrpc.caller().clock().now();
                    self.listening.health.hears(now);
                    let mark = marked.elapsed() >= MARK;
                    if mark {
                        marked = Instant::now();
                    }
                    let events = self.take(bytes, mark, now)?;
                    if (mark || !events.is_empty()) && !hand_on(events, self.settled_us(), heard).await {
                        return Ok(());
                    }
                }
                Some(vouched) = self.asking.next(), if !self.asking.is_empty() => {
                    let events = self.answered(vouched)?;
                    if !hand_on(events, self.settled_us(), heard).await {
                        return Ok(());
                    }
                }
                () = heard.closed() => return Ok(()),
            }
        }
    }

    /// One frame. What it says of time is looked at only when the position is to be handed on, or when it passes the gate.
    fn take(&mut self, bytes: &[u8], mark: bool, now: Timestamp) -> Result<Vec<PlatformEvent>, ListenError> {
        let dropped = gate::surely_not(bytes, &self.listening.bot.handle);
        if dropped {
            self.listening.health.drops();
            if mark && let Ok(Some(frame)) = wire::open(bytes) {
                self.moves_to(frame.head.seen_at, now);
            }
            return Ok(Vec::new());
        }
        if let Some(why) = wire::ending(bytes) {
            return Err(broken(&format!("the stream ends: {why}")));
        }
        let Reading { event, cid, seen_at } = match read(bytes) {
            Ok(Some(reading)) => reading,
            Ok(None) => return Ok(Vec::new()),
            Err(why) => {
                warn!(platform.error = why, "skipped a frame of the stream");
                return Ok(Vec::new());
            }
        };
        self.moves_to(seen_at, now);
        match &event {
            Some(PlatformEvent::Posted(post)) if !(self.listening.config.may_order)(&post.text, &self.listening.bot.handle) => {
                return Ok(Vec::new());
            }
            Some(PlatformEvent::Posted(post)) if self.listening.names_us(post) => {
                self.ask(post.clone(), cid, seen_at.unwrap_or(now));
                return Ok(Vec::new());
            }
            Some(PlatformEvent::Edited { native_id }) if self.decides(native_id, Became::Edited) => return Ok(Vec::new()),
            Some(PlatformEvent::Deleted { native_id }) if self.decides(native_id, Became::Gone) => return Ok(Vec::new()),
            Some(PlatformEvent::AccountChanged(account)) => (self.listening.on_change)(account),
            _ => {}
        }
        Ok(event.into_iter().collect())
    }

    fn moves_to(&mut self, seen_at: Option<Timestamp>, now: Timestamp) {
        let Some(seen_at) = seen_at else { return };
        self.newest_us = self.newest_us.max(seen_at.as_microsecond());
        if seen_at >= earlier(now, CAUGHT_UP) {
            self.listening.health.becomes(Liveness::Live);
        }
    }

    /// Whether a post in question is the one; then that is its fate.
    fn decides(&mut self, uri: &str, became: Became) -> bool {
        let mut found = false;
        for question in self.questions.values_mut().filter(|question| question.uri == uri) {
            // Whatever was edited and then deleted is gone.
            if question.became != Some(Became::Gone) {
                question.became = Some(became);
            }
            found = true;
        }
        found
    }

    fn ask(&mut self, post: Box<Post>, cid: Option<String>, seen_at: Timestamp) {
        let number = self.next;
        self.next += 1;
        let question = Question { uri: post.native_id.clone(), time_us: seen_at.as_microsecond(), became: None };
        self.questions.insert(number, question);
        let listening = self.listening;
        let asking = async move {
            let mut post = post;
            let found = vouch(listening.xrpc, &post.native_id, cid.as_deref()).await;
            if let Ok(None | Some(Became::Edited)) = found
                && let Some(account) = profile(listening.xrpc, post.author.id.as_str()).await
            {
                post.author = account;
            }
            (number, post, found)
        };
        self.asking.push(asking.boxed());
    }

    fn answered(&mut self, (number, mut post, found): Vouched) -> Result<Vec<PlatformEvent>, ListenError> {
        let Some(question) = self.questions.remove(&number) else { return Ok(Vec::new()) };
        // What could not be asked is read again after the next connection: the position is still before it.
        let found = found.map_err(listen_error)?;
        match question.became.or(found) {
            Some(Became::Gone) => {
                debug!("a post of the stream is not there, or is gone already");
                Ok(Vec::new())
            }
            became => {
                post.is_edited = became.is_some();
                Ok(vec![PlatformEvent::Posted(post)])
            }
        }
    }

    /// Everything before this was handed on, or is with these events.
    fn settled_us(&self) -> i64 {
        let oldest = self.questions.values().map(|question| question.time_us - 1).min();
        oldest.map_or(self.newest_us, |oldest| oldest.min(self.newest_us))
    }
}

/// `false`: the receiver is gone.
async fn hand_on(events: Vec<PlatformEvent>, stream_us: i64, heard: &mpsc::Sender<Heard>) -> bool {
    heard.send(Heard { events, stream_us: Some(stream_us), chat: None }).await.is_ok()
}

/// Reads the record where its author keeps it. `None`: it is as the frame said.
async fn vouch(xrpc: &Xrpc, uri: &str, cid: Option<&str>) -> Result<Option<Became>, Failure> {
    let mut pauses = PAUSES.iter();
    loop {
        if let Some(record) = xrpc.record(uri).await? {
            return Ok((record.cid.as_deref() != cid).then_some(Became::Edited));
        }
        match pauses.next() {
            Some(pause) => tokio::time::sleep(*pause).await,
            None => return Ok(Some(Became::Gone)),
        }
    }
}

fn is_second_version(address: &Url) -> bool {
    address.path().ends_with("subscribeEvents")
}

fn broken(why: &str) -> ListenError {
    ListenError::Broken { after: None, why: why.to_owned() }
}
