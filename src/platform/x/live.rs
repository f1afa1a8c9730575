//! The live connection: posts and private messages joined to one stream of batches, and the calls.

use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::api::{Api, As, is_about_us, of_reading};
use super::config::{XConfig, prices};
use super::messages::{Doubtful, Messages, letters, of_sending};
use super::oauth::Signer;
use super::position::Position;
use super::stream::{Heard, Listening};
use super::text::unescape;
use super::webhook;
use crate::clock::{Clock, SystemClock};
use crate::ids::{AccountId, PlatformName};
use crate::platform::call::{Caller, Failure, base_address};
use crate::platform::check::{Finding, payments_a_day};
use crate::platform::health::{Health, WhileOpen};
use crate::platform::inbound::{Call, CallError};
use crate::platform::{
    Account, Batch, Cursor, Inbound, ListenError, Network, OutgoingDm, OutgoingReply, Platform, PlatformEvent, SendError, Window,
};

/// X documents no longest message; the form that it replaced had this.
const DM_CHARACTERS: usize = 10_000;
/// What may be waiting between a source and who joins them.
const WAITING: usize = 256;
/// Messages that one payment takes: the question and the receipt.
const MESSAGES_EACH: u32 = 2;
/// The most posts that are asked about at once.
const ASKED_AT_ONCE: usize = 100;

/// Why no connection could be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The configuration cannot be used.
    #[error("api_url cannot be used: {0}")]
    Config(String),
    /// X does not accept the tokens.
    #[error("X does not accept the tokens: {0}")]
    Credentials(String),
    /// X does not answer as it should; it may later.
    #[error("X cannot be used now: {0}")]
    Unavailable(String),
}

/// A connection to X, as one bot account and one app.
pub struct X {
    name: PlatformName,
    config: XConfig,
    api: Api,
    bot: Account,
    doubtful: Doubtful,
    health: Health,
}

#[derive(Deserialize)]
struct One {
    #[serde(default)]
    data: Option<User>,
}

#[derive(Deserialize)]
struct User {
    id: String,
    username: String,
    #[serde(default)]
    name: String,
}

impl User {
    fn account(self, is_bot: bool) -> Account {
        Account { id: AccountId(self.id), handle: self.username.to_ascii_lowercase(), display_name: self.name, is_bot }
    }
}

impl X {
    /// Asks X who we are. One attempt. Needs a rustls provider to be installed.
    pub async fn connect(config: XConfig, name: PlatformName) -> Result<Self, ConnectError> {
        X::connect_with_clock(config, name, Arc::new(SystemClock)).await
    }

    /// The same with a clock of the caller's, by which calls are signed.
    pub async fn connect_with_clock(config: XConfig, name: PlatformName, clock: Arc<dyn Clock>) -> Result<Self, ConnectError> {
        let base = base_address(&config.api_url).map_err(ConnectError::Config)?;
        let caller = Caller::new(&base, config.connect_timeout, config.request_timeout, clock).map_err(ConnectError::Config)?;
        let signer = Signer {
            consumer_key: config.consumer_key.clone(),
            consumer_secret: config.consumer_secret.clone(),
            access_token: config.access_token.clone(),
            access_token_secret: config.access_token_secret.clone(),
        };
        let api = Api::new(caller, base, config.bearer_token.clone(), signer);
        let own: One = api.get(As::Bot, &["2", "users", "me"], &[]).await.map_err(|failure| match failure {
            failure if is_about_us(&failure) => ConnectError::Credentials(failure.why()),
            failure => ConnectError::Unavailable(failure.why()),
        })?;
        let own = own.data.ok_or_else(|| ConnectError::Unavailable("the answer names no account".to_owned()))?;
        let bot = own.account(true);
        Ok(X { name, config, api, bot, doubtful: Doubtful::default(), health: Health::default() })
    }

    fn listening(&self) -> Listening<'_> {
        Listening { api: &self.api, config: &self.config, bot: &self.bot, health: &self.health }
    }

    fn messages(&self) -> Messages<'_> {
        let (api, bot, health, doubtful) = (&self.api, &self.bot, &self.health, &self.doubtful);
        Messages { api, bot, health, doubtful, poll: self.config.dm_poll }
    }

    /// Looks for an answer of ours under a post.
    async fn find_reply(&self, reply: &OutgoingReply<'_>) -> Result<Option<String>, Failure> {
        #[derive(Deserialize)]
        struct Own {
            #[serde(default)]
            data: Vec<Value>,
        }
        let query = [("max_results", "20"), ("tweet.fields", "referenced_tweets,note_tweet")];
        let own: Own = self.api.get(As::Bot, &["2", "users", self.bot.id.as_str(), "tweets"], &query).await?;
        let is_it = |post: &&Value| {
            let references = post.get("referenced_tweets").or(post.get("referenced_posts")).and_then(Value::as_array);
            let under =
                references.is_some_and(|all| all.iter().any(|one| one.get("id").and_then(Value::as_str) == Some(reply.to_post)));
            let text = post.get("text").and_then(Value::as_str).unwrap_or_default();
            // What is read back begins with the handles that a reply carries.
            under && letters(&unescape(text)).ends_with(&letters(reply.text))
        };
        let id = own.data.iter().find(is_it).and_then(|post| post.get("id")).and_then(Value::as_str);
        Ok(id.map(str::to_owned))
    }
}

#[async_trait]
impl Platform for X {
    fn name(&self) -> &PlatformName {
        &self.name
    }

    fn network(&self) -> Network {
        Network::X
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
        let Position { posts: from_post, messages: from_message } = position;
        let (listening, messages) = (self.listening(), self.messages());
        let (heard, mut incoming) = mpsc::channel::<Heard>(WAITING);
        let join = async {
            while let Some(Heard { events: brought, posts, messages }) = incoming.recv().await {
                position = Position { posts: posts.or(position.posts), messages: messages.or(position.messages) };
                if events.send(Batch { events: brought, cursor: Some(position.cursor()) }).await.is_err() {
                    return;
                }
            }
        };
        tokio::pin!(join);
        let ended = tokio::select! {
            () = &mut join => return Ok(()),
            () = events.closed() => return Ok(()),
            ended = listening.run(from_post, &heard) => ended,
            ended = messages.run(from_message, &heard) => ended,
        };
        // What was brought before the end is handed on first.
        drop(heard);
        join.await;
        ended
    }

    async fn send_dm(&self, dm: OutgoingDm<'_>) -> Result<String, SendError> {
        self.messages().send(dm).await
    }

    /// X refuses the same words twice, and has no key for a repetition; so an answer that may stand is looked for.
    async fn reply(&self, reply: OutgoingReply<'_>) -> Result<String, SendError> {
        #[derive(Deserialize)]
        struct Posted {
            data: Id,
        }
        #[derive(Deserialize)]
        struct Id {
            id: String,
        }
        let body = json!({ "text": reply.text, "reply": { "in_reply_to_tweet_id": reply.to_post } });
        let failure = match self.api.post::<Posted>(As::Bot, &["2", "tweets"], &body).await {
            Ok(posted) => {
                self.health.spends(if reply.text.contains("://") { prices::POST_WITH_URL } else { prices::REPLY });
                return Ok(posted.data.id);
            }
            Err(failure) => failure,
        };
        let repeated = failure
            .refusal()
            .is_some_and(|refusal| refusal.error == "187" || refusal.message.to_ascii_lowercase().contains("duplicate content"));
        let definite = failure.refusal().is_some_and(|refusal| (300..500).contains(&refusal.code) && refusal.code != 408);
        if (definite && !repeated) || matches!(failure, Failure::NotReached(_)) {
            return Err(of_sending(failure));
        }
        let why = failure.why();
        match self.find_reply(&reply).await {
            Ok(Some(id)) => Ok(id),
            Ok(None) if repeated => Err(SendError::Refused { why }),
            _ => Err(SendError::Unknown { why }),
        }
    }

    async fn look_up(&self, handle: &str) -> Result<Option<Account>, SendError> {
        match self.api.get::<One>(As::App, &["2", "users", "by", "username", handle], &[]).await {
            // Somebody whom nobody may see is answered with 200 and no `data`.
            Ok(One { data }) => Ok(data.map(|user| user.account(false))),
            Err(failure) if failure.refusal().is_some_and(|refusal| refusal.code == 404) => Ok(None),
            Err(failure) => Err(of_reading(failure)),
        }
    }

    async fn standing(&self, native_ids: &[String]) -> Result<Vec<PlatformEvent>, SendError> {
        #[derive(Deserialize)]
        struct Found {
            #[serde(default)]
            data: Vec<Version>,
        }
        #[derive(Deserialize)]
        struct Version {
            id: String,
            #[serde(default, alias = "edit_history_post_ids")]
            edit_history_tweet_ids: Vec<String>,
        }
        let mut events = Vec::new();
        let posts: Vec<&str> = native_ids.iter().map(String::as_str).filter(|id| id.parse::<u64>().is_ok()).collect();
        for asked in posts.chunks(ASKED_AT_ONCE) {
            let ids = asked.join(",");
            let query = [("ids", ids.as_str()), ("tweet.fields", "edit_history_tweet_ids")];
            let found: Found = self.api.get(As::App, &["2", "tweets"], &query).await.map_err(of_reading)?;
            for id in asked {
                self.health.spends(prices::POST_READ);
                // Whichever version is asked for, all of them are told, and of a deleted post none.
                let version =
                    found.data.iter().find(|found| found.id == *id || found.edit_history_tweet_ids.iter().any(|v| v == id));
                let native_id = (*id).to_owned();
                match version {
                    None => events.push(PlatformEvent::Deleted { native_id }),
                    Some(version) if version.edit_history_tweet_ids.last().is_some_and(|last| last != id) => {
                        events.push(PlatformEvent::Edited { native_id });
                    }
                    Some(_) => {}
                }
            }
        }
        Ok(events)
    }

    fn health(&self) -> Option<&Health> {
        Some(&self.health)
    }

    fn inbound(&self) -> Option<&dyn Inbound> {
        Some(self)
    }

    async fn examine(&self) -> Vec<Finding> {
        let mut findings = vec![Finding::good("credentials", format!("signed in as @{} ({})", self.bot.handle, self.bot.id))];
        let says = |failure: &Failure, help: &str| {
            let about = if is_about_us(failure) { format!(". {help}") } else { String::new() };
            format!("{}{about}", failure.why())
        };
        findings.push(match self.messages().try_out().await {
            Ok(()) => Finding::good("private messages", "they may be read"),
            Err(failure) => {
                let help = "Give the app \"Read and write and Direct message\", then make the access token anew";
                Finding::bad("private messages", says(&failure, help))
            }
        });
        findings.push(match self.listening().try_out().await {
            Ok(()) => Finding::good("stream", "it is open, with our rule"),
            Err(failure) => {
                let help = "The bearer token is the app's own, and the app has to be in a project with access to API v2";
                Finding::bad("stream", says(&failure, help))
            }
        });
        if let Some(payments) = payments_a_day(&self.config.windows, MESSAGES_EACH) {
            findings.push(Finding::good("quotas", format!("{payments} payments a day at {MESSAGES_EACH} messages each")));
        }
        let dollars = format!("{}.{:03}", prices::PAYMENT / 1_000_000, prices::PAYMENT % 1_000_000 / 1_000);
        findings.push(Finding::good("cost", format!("about USD {dollars} a payment; a public hint with a link about USD 0.200")));
        findings
    }
}

impl Inbound for X {
    fn answer_challenge(&self, query: &str) -> Option<String> {
        webhook::challenge(&self.config.consumer_secret, query)
    }

    fn read(&self, call: &Call<'_>) -> Result<Batch, CallError> {
        webhook::verify(&self.config.consumer_secret, call.headers, call.body)?;
        self.health.hears(call.now);
        let events = webhook::read(call.body, &self.bot, call.now)?;
        Ok(Batch { events, cursor: None })
    }
}
