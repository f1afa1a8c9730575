//! Mastodon, and whatever speaks its client API (Mastodon 4.2 to 4.7, GoToSocial, Pleroma and its kin).
//!
//! - [`config`](MastodonConfig): what an operator says;
//! - `http`: one attempt at one call; `wire`: what comes back;
//! - `sse`, `stream`: listening without loss; `html`, `text`, `post`: from a status to a [`Post`](crate::platform::Post);
//! - `recorded`: the same statuses, from a file;
//! - `check`: trying everything out;
//! - `send`: private messages and answers, with the rules of DESIGN that a direct status reaches everyone it mentions.
//!
//! Ids are the instance's own and opaque; the name that all copies of a post share is its `uri`. Handles are `acct` in lower case:
//! `user` for accounts of the bot's own instance, `user@domain` for others. The bot's own handle carries its domain, since the
//! order language then takes the user name alone as well.
//!
//! Sources: <https://docs.joinmastodon.org/client/intro/>, and per file.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;
use url::Url;

use crate::clock::{Clock, SystemClock};
use crate::ids::PlatformName;
use crate::platform::check::Finding;
use crate::platform::health::{Health, WhileOpen};
use crate::platform::{
    Account, Batch, Cursor, ListenError, Network, OutgoingDm, OutgoingReply, Platform, PlatformEvent, SendError, Window,
};

mod check;
mod config;
mod html;
mod http;
mod post;
pub(in crate::platform) mod recorded;
mod send;
mod sse;
mod stream;
mod text;
mod wire;

pub use config::{MastodonConfig, SendWindow};

use http::{Failure, Http};
use post::Home;

/// What Mastodon allows where an instance does not say.
const DEFAULT_MAX_CHARACTERS: usize = 500;

/// Why no connection could be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The configuration cannot be used.
    #[error("base_url cannot be used: {0}")]
    Config(String),
    /// The instance does not accept the token.
    #[error("the instance does not accept the token: {0}")]
    Credentials(String),
    /// The instance does not answer as it should; it may later.
    #[error("the instance cannot be used now: {0}")]
    Unavailable(String),
}

impl From<Failure> for ConnectError {
    fn from(failure: Failure) -> Self {
        match failure {
            failure if failure.is_about_us() => ConnectError::Credentials(failure.why()),
            failure => ConnectError::Unavailable(failure.why()),
        }
    }
}

/// A connection to one instance, as one bot account.
pub struct Mastodon {
    name: PlatformName,
    http: Http,
    bot: Account,
    home: Home,
    stream_origin: Url,
    max_characters: usize,
    windows: Vec<Window>,
    silence: Duration,
    poll: Duration,
    from_beginning: bool,
    health: Health,
}

impl Mastodon {
    /// Asks the instance who we are and what it allows. One attempt. Needs a rustls provider to be installed.
    pub async fn connect(config: MastodonConfig, name: PlatformName) -> Result<Self, ConnectError> {
        Mastodon::connect_with_clock(config, name, Arc::new(SystemClock)).await
    }

    /// The same with a clock of the caller's. It turns the moments in rate-limit headers into waits.
    pub async fn connect_with_clock(
        config: MastodonConfig,
        name: PlatformName,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ConnectError> {
        let http = Http::new(&config, clock).map_err(ConnectError::Config)?;
        let own: wire::Account = http.get(&["api", "v1", "accounts", "verify_credentials"], &[]).await?;
        let instance = instance(&http).await?;
        let bot_user = own.acct.split('@').next().unwrap_or_default().to_ascii_lowercase();
        let home = Home { bot_user, domain: instance.domain };
        let bot = Account { handle: format!("{}@{}", home.bot_user, home.domain), ..post::account(&own) };
        Ok(Mastodon {
            name,
            bot,
            home,
            stream_origin: stream_origin(http.base(), instance.streaming.as_deref()),
            max_characters: instance.max_characters,
            http,
            windows: config.windows(),
            silence: Duration::from_secs(config.silence_seconds.max(1)),
            poll: Duration::from_secs(config.poll_seconds.max(1)),
            from_beginning: config.from_beginning,
            health: Health::default(),
        })
    }

    fn listening(&self) -> stream::Listening<'_> {
        stream::Listening {
            http: &self.http,
            home: &self.home,
            origin: &self.stream_origin,
            silence: self.silence,
            poll: self.poll,
            from_beginning: self.from_beginning,
            health: &self.health,
        }
    }

    fn sending(&self) -> send::Sending<'_> {
        send::Sending { http: &self.http, home: &self.home, bot_id: self.bot.id.as_str() }
    }
}

#[async_trait]
impl Platform for Mastodon {
    fn name(&self) -> &PlatformName {
        &self.name
    }

    fn network(&self) -> Network {
        Network::Mastodon
    }

    fn bot(&self) -> &Account {
        &self.bot
    }

    /// What is left after the payer's handle. Mastodon counts a URL as 23 characters, so a text with a long link may be longer.
    fn dm_characters(&self) -> usize {
        self.max_characters.saturating_sub(send::PREFIX_CHARACTERS)
    }

    fn send_windows(&self) -> Vec<Window> {
        self.windows.clone()
    }

    /// The instance's own composer. One that does not know `visibility` shows a draft that its author still has to make private. It serves
    /// people of this instance only: nobody else's instance
    /// is known before they have written.
    fn message_link(&self, text: &str) -> Option<String> {
        let mut link = self.http.base().join("/share").ok()?;
        link.query_pairs_mut().append_pair("text", text).append_pair("visibility", "direct");
        Some(link.to_string())
    }

    async fn listen(&self, from: Option<Cursor>, events: mpsc::Sender<Batch>) -> Result<(), ListenError> {
        let _open = WhileOpen(&self.health);
        self.listening().run(from, events).await
    }

    async fn send_dm(&self, dm: OutgoingDm<'_>) -> Result<String, SendError> {
        self.sending().dm(dm).await
    }

    async fn reply(&self, reply: OutgoingReply<'_>) -> Result<String, SendError> {
        self.sending().reply(reply).await
    }

    /// A post that is gone, or that nobody shows us any more, is answered with 404.
    async fn standing(&self, native_ids: &[String]) -> Result<Vec<PlatformEvent>, SendError> {
        let mut events = Vec::new();
        for id in native_ids {
            match self.http.get::<wire::Status>(&["api", "v1", "statuses", id], &[]).await {
                Ok(status) if status.edited_at.is_some() => events.push(PlatformEvent::Edited { native_id: id.clone() }),
                Ok(_) => {}
                Err(Failure::Status { code: 404 | 410, .. }) => events.push(PlatformEvent::Deleted { native_id: id.clone() }),
                Err(failure) => return Err(failure.of_reading()),
            }
        }
        Ok(events)
    }

    fn health(&self) -> Option<&Health> {
        Some(&self.health)
    }

    async fn examine(&self) -> Vec<Finding> {
        check::examine(self).await
    }

    /// Only accounts that the instance already knows are found (<https://docs.joinmastodon.org/methods/accounts/#lookup>).
    async fn look_up(&self, handle: &str) -> Result<Option<Account>, SendError> {
        match self.http.get::<wire::Account>(&["api", "v1", "accounts", "lookup"], &[("acct", handle)]).await {
            Ok(account) => Ok(Some(post::account(&account))),
            Err(Failure::Status { code: 404 | 410, .. }) => Ok(None),
            Err(failure) => Err(failure.of_reading()),
        }
    }
}

/// What an instance says about itself, as far as it matters here.
struct Instance {
    domain: String,
    streaming: Option<String>,
    max_characters: usize,
}

/// `/api/v2/instance`, or version 1 where there is no second.
async fn instance(http: &Http) -> Result<Instance, Failure> {
    match http.get::<wire::Instance>(&["api", "v2", "instance"], &[]).await {
        Ok(wire::Instance { domain, configuration }) => Ok(Instance {
            domain: domain.to_ascii_lowercase(),
            streaming: configuration.urls.streaming,
            max_characters: configuration.statuses.max_characters.unwrap_or(DEFAULT_MAX_CHARACTERS),
        }),
        Err(Failure::Status { code: 404 | 405 | 410 | 501, .. }) => {
            let old: wire::InstanceV1 = http.get(&["api", "v1", "instance"], &[]).await?;
            let domain = old.uri.split_once("://").map_or(old.uri.as_str(), |(_, rest)| rest).trim_end_matches('/');
            let max_characters = old.configuration.statuses.max_characters.or(old.max_toot_chars);
            Ok(Instance {
                domain: domain.to_ascii_lowercase(),
                streaming: old.urls.streaming.or(old.configuration.urls.streaming),
                max_characters: max_characters.unwrap_or(DEFAULT_MAX_CHARACTERS),
            })
        }
        Err(failure) => Err(failure),
    }
}

/// Where the stream is: big instances have a host of their own for it, announced as a WebSocket address; the same host answers
/// server-sent events. The token goes there, so an instance reached over TLS is never left for a plain address.
fn stream_origin(base: &Url, announced: Option<&str>) -> Url {
    let origin = announced.and_then(|address| {
        let address = match address.split_once("://")? {
            ("wss" | "https", rest) => format!("https://{rest}"),
            ("ws" | "http", rest) if base.scheme() == "http" => format!("http://{rest}"),
            _ => return None,
        };
        // Some servers announce the endpoint and not the host.
        Url::parse(address.trim_end_matches('/').trim_end_matches("/api/v1/streaming")).ok()
    });
    origin.unwrap_or_else(|| base.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_where_the_instance_says_but_never_in_the_clear() {
        let origin = |base: &str, announced| stream_origin(&Url::parse(base).unwrap(), announced).to_string();
        assert_eq!(origin("https://pay.example", Some("wss://streaming.pay.example")), "https://streaming.pay.example/");
        assert_eq!(origin("https://pay.example", Some("wss://pay.example/api/v1/streaming/")), "https://pay.example/");
        assert_eq!(origin("https://pay.example", Some("ws://pay.example")), "https://pay.example/");
        assert_eq!(origin("http://localhost:8081", Some("ws://localhost:8081")), "http://localhost:8081/");
        assert_eq!(origin("https://pay.example", None), "https://pay.example/");
        assert_eq!(origin("https://pay.example", Some("nonsense")), "https://pay.example/");
    }
}
