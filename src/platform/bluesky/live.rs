//! The live connection: the two sources joined to one stream of batches, and the calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::mpsc;

use super::chat::{Chat, Memory};
use super::config::BlueskyConfig;
use super::position::Position;
use super::stream::{Heard, Listening};
use super::xrpc::{Service, Xrpc, is_about_us};
use super::{POSTS, account, listen_error, profile, reply};
use crate::clock::{Clock, SystemClock};
use crate::ids::PlatformName;
use crate::platform::call::{Caller, Failure, base_address};
use crate::platform::check::{Finding, payments_a_day};
use crate::platform::health::{Health, WhileOpen};
use crate::platform::{
    Account, Batch, Cursor, ListenError, Network, OutgoingDm, OutgoingReply, Platform, PlatformEvent, SendError, Window,
};

/// `chat.bsky.convo.defs#messageInput`: `maxGraphemes`.
const DM_CHARACTERS: usize = 1_000;
/// What may be waiting between a source and who joins them.
const WAITING: usize = 256;
/// The network's index may be behind a post that was just written; what it does not have is asked for once more after this.
const INDEX_DELAY: Duration = Duration::from_secs(5);
/// How long an examination waits for a first frame.
const PATIENCE: Duration = Duration::from_secs(10);
/// Messages that one payment takes: the question and the receipt.
const MESSAGES_EACH: u32 = 2;

/// Why no connection could be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The configuration cannot be used.
    #[error("service cannot be used: {0}")]
    Config(String),
    /// The account's server does not accept the password.
    #[error("the account's server does not accept identifier and app_password: {0}")]
    Credentials(String),
    /// The account's server does not answer as it should; it may later.
    #[error("the account's server cannot be used now: {0}")]
    Unavailable(String),
}

/// A connection to Bluesky, as one bot account.
pub struct Bluesky {
    name: PlatformName,
    config: BlueskyConfig,
    xrpc: Xrpc,
    bot: Account,
    memory: Memory,
    health: Health,
    /// Which of the endpoints is next.
    endpoint: AtomicUsize,
}

impl Bluesky {
    /// Opens a session. One attempt. Needs a rustls provider to be installed.
    pub async fn connect(config: BlueskyConfig, name: PlatformName) -> Result<Self, ConnectError> {
        Bluesky::connect_with_clock(config, name, Arc::new(SystemClock)).await
    }

    /// The same with a clock of the caller's, which says how old a cursor is.
    pub async fn connect_with_clock(
        config: BlueskyConfig,
        name: PlatformName,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ConnectError> {
        if config.jetstreams.is_empty() {
            return Err(ConnectError::Config("no jetstream is named".to_owned()));
        }
        let service = base_address(&config.service).map_err(ConnectError::Config)?;
        let caller = Caller::new(&service, config.connect_timeout, config.request_timeout, clock);
        let caller = caller.map_err(ConnectError::Config)?;
        let (identifier, password) = (config.identifier.clone(), config.app_password.clone());
        let xrpc = Xrpc::new(caller, service, config.chat_service.clone(), identifier, password);
        let session = xrpc.session().await.map_err(|failure| match failure {
            failure if is_about_us(&failure) => ConnectError::Credentials(failure.why()),
            failure => ConnectError::Unavailable(failure.why()),
        })?;
        let handle = session.handle.to_ascii_lowercase();
        let bot = Account { display_name: handle.clone(), is_bot: true, ..account(&session.did, handle) };
        let (memory, health) = (Memory::default(), Health::default());
        Ok(Bluesky { name, config, xrpc, bot, memory, health, endpoint: AtomicUsize::new(0) })
    }

    fn chat(&self) -> Chat<'_> {
        Chat { xrpc: &self.xrpc, bot: &self.bot, memory: &self.memory, poll: self.config.poll }
    }

    fn endpoint(&self) -> &str {
        let all = &self.config.jetstreams;
        all.get(self.endpoint.load(Ordering::Relaxed) % all.len().max(1)).map_or("", String::as_str)
    }

    async fn examine_stream(&self, endpoint: &str) -> Finding {
        let on_change = |_: &Account| {};
        let (xrpc, config, bot, health) = (&self.xrpc, &self.config, &self.bot, &self.health);
        let listening = Listening { xrpc, config, bot, health, endpoint, on_change: &on_change };
        let host = url::Url::parse(endpoint).ok().and_then(|address| address.host_str().map(str::to_owned)).unwrap_or_default();
        match listening.try_out(PATIENCE).await {
            Ok(()) => Finding::good("stream", format!("{host} brings events")),
            Err(why) => Finding::bad("stream", format!("{host}: {why}")),
        }
    }

    /// Whether strangers may write to the bot, which a payer who enrols is.
    async fn examine_declaration(&self) -> Finding {
        const WHAT: &str = "open to strangers";
        let uri = format!("at://{}/chat.bsky.actor.declaration/self", self.bot.id);
        let allows = match self.xrpc.record(&uri).await {
            Ok(record) => record.and_then(|record| record.value.get("allowIncoming").and_then(Value::as_str).map(str::to_owned)),
            Err(failure) => return Finding::doubtful(WHAT, failure.why()),
        };
        match allows.as_deref() {
            Some("all") => Finding::good(WHAT, "everybody may write to the bot"),
            other => {
                let now = other.unwrap_or("not set, which means those it follows");
                let says = format!(
                    "the bot takes messages from: {now}. Payers cannot enrol; in the app, Chat settings, allow messages from everyone"
                );
                Finding::bad(WHAT, says)
            }
        }
    }
}

#[async_trait]
impl Platform for Bluesky {
    fn name(&self) -> &PlatformName {
        &self.name
    }

    fn network(&self) -> Network {
        Network::Bluesky
    }

    fn bot(&self) -> &Account {
        &self.bot
    }

    fn dm_characters(&self) -> usize {
        DM_CHARACTERS
    }

    fn send_windows(&self) -> Vec<Window> {
        self.config.windows.clone()
    }

    async fn listen(&self, from: Option<Cursor>, events: mpsc::Sender<Batch>) -> Result<(), ListenError> {
        let _open = WhileOpen(&self.health);
        let mut position = from.as_ref().map(Position::read).unwrap_or_default();
        let chat = self.chat();
        let on_change = |account: &Account| chat.forget(&account.id);
        let (xrpc, config, bot, health) = (&self.xrpc, &self.config, &self.bot, &self.health);
        let listening = Listening { xrpc, config, bot, health, endpoint: self.endpoint(), on_change: &on_change };
        let (heard, mut incoming) = mpsc::channel::<Heard>(WAITING);
        let (stream_us, chat_cursor) = (position.stream_us, position.chat.clone());
        let join = async {
            while let Some(Heard { events: brought, stream_us, chat }) = incoming.recv().await {
                position.stream_us = stream_us.or(position.stream_us);
                position.chat = chat.or(position.chat.take());
                if events.send(Batch { events: brought, cursor: Some(position.cursor()) }).await.is_err() {
                    return;
                }
            }
        };
        tokio::pin!(join);
        let ended = tokio::select! {
            () = &mut join => return Ok(()),
            () = events.closed() => return Ok(()),
            ended = listening.run(stream_us, &heard) => {
                // Another host may do better.
                self.endpoint.fetch_add(1, Ordering::Relaxed);
                ended
            }
            ended = chat.run(chat_cursor, &heard) => ended,
        };
        // What was brought before the end is handed on first.
        drop(heard);
        join.await;
        ended
    }

    async fn send_dm(&self, dm: OutgoingDm<'_>) -> Result<String, SendError> {
        self.chat().send(dm).await
    }

    async fn reply(&self, reply: OutgoingReply<'_>) -> Result<String, SendError> {
        reply::reply(&self.xrpc, &self.bot, reply).await
    }

    async fn look_up(&self, handle: &str) -> Result<Option<Account>, SendError> {
        #[derive(Deserialize)]
        struct Resolved {
            did: String,
        }
        let query = [("handle", handle)];
        let resolved: Resolved = match self.xrpc.get(Service::Own, "com.atproto.identity.resolveHandle", &query).await {
            Ok(resolved) => resolved,
            Err(failure) if is_about_us(&failure) => return Err(SendError::Credentials { why: failure.why() }),
            // `Unable to resolve handle`, with a name of its own or without.
            Err(Failure::Status(refusal)) if matches!(refusal.code, 400 | 404) => return Ok(None),
            Err(failure) => {
                let after = failure.refusal().and_then(|refusal| refusal.after);
                return Err(SendError::Later { after, why: failure.why() });
            }
        };
        let told = profile(&self.xrpc, &resolved.did).await;
        Ok(Some(told.unwrap_or_else(|| account(&resolved.did, handle.to_ascii_lowercase()))))
    }

    /// A record keeps its address when it is edited, so an edit is seen by asking for the app's own mark of it and nothing else: the
    /// stream replays both edits and deletions for as long as it looks back, and only deletions are found beyond that.
    async fn standing(&self, native_ids: &[String]) -> Result<Vec<PlatformEvent>, SendError> {
        let mut events = Vec::new();
        for uri in native_ids.iter().filter(|uri| uri.contains(POSTS)) {
            let mut found = self.xrpc.record(uri).await;
            if matches!(found, Ok(None)) {
                tokio::time::sleep(INDEX_DELAY).await;
                found = self.xrpc.record(uri).await;
            }
            match found {
                Ok(Some(_)) => {}
                Ok(None) => events.push(PlatformEvent::Deleted { native_id: uri.clone() }),
                Err(failure) if is_about_us(&failure) => return Err(SendError::Credentials { why: failure.why() }),
                Err(failure) => {
                    let after = failure.refusal().and_then(|refusal| refusal.after);
                    return Err(SendError::Later { after, why: failure.why() });
                }
            }
        }
        Ok(events)
    }

    fn health(&self) -> Option<&Health> {
        Some(&self.health)
    }

    async fn examine(&self) -> Vec<Finding> {
        let mut findings = vec![Finding::good("credentials", format!("signed in as @{} ({})", self.bot.handle, self.bot.id))];
        findings.push(match self.chat().try_out().await {
            Ok(()) => Finding::good("private messages", "the chat answers"),
            Err(failure) if is_about_us(&failure) => {
                let says = format!("{}. Make an app password with \"Allow access to your direct messages\"", failure.why());
                Finding::bad("private messages", says)
            }
            Err(failure) => Finding::bad("private messages", listen_error(failure).to_string()),
        });
        findings.push(self.examine_declaration().await);
        for endpoint in &self.config.jetstreams {
            findings.push(self.examine_stream(endpoint).await);
        }
        if let Some(payments) = payments_a_day(&self.config.windows, MESSAGES_EACH) {
            findings.push(Finding::good("quotas", format!("{payments} payments a day at {MESSAGES_EACH} messages each")));
        }
        findings
    }
}
