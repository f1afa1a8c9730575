//! What an operator says about a connection.

use std::time::Duration;

use secrecy::SecretString;

use crate::platform::Window;

/// Jetstream's public hosts; any of them brings the whole network.
pub const PUBLIC_JETSTREAMS: [&str; 2] =
    ["wss://jetstream2.us-east.bsky.network/subscribe", "wss://jetstream1.us-west.bsky.network/subscribe"];

/// Where private messages are: reached through the account's own server, which signs for the account.
pub const CHAT_SERVICE: &str = "did:web:api.bsky.chat#bsky_chat";

/// One connection to Bluesky, as one bot account.
#[derive(Debug, Clone)]
pub struct BlueskyConfig {
    /// The account's own server (PDS), e.g. `https://bsky.social`.
    pub service: String,
    /// The bot's handle or DID.
    pub identifier: String,
    /// An app password **with access to direct messages**; a plain one is refused by the chat.
    pub app_password: SecretString,
    /// Jetstream endpoints, in the order in which they are tried: version 1 (`…/subscribe`) or version 2
    /// (`…/xrpc/network.bsky.jetstream.subscribeEvents`).
    pub jetstreams: Vec<String>,
    /// The DID and service name of the chat, for `atproto-proxy`.
    pub chat_service: String,
    /// How much is sent at most. Bluesky documents none for private messages; the default is what it documents for posts:
    /// 5,000 points an hour and 35,000 a day, 3 for each (<https://docs.bsky.app/docs/advanced-guides/rate-limits>).
    pub windows: Vec<Window>,
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// How long a request may take in all.
    pub request_timeout: Duration,
    /// The stream counts as broken after this long without a frame, be it the ping that comes every 30 seconds.
    pub silence: Duration,
    /// The stream counts as broken after this long without an event, though pings come: the next host is tried.
    pub quiet: Duration,
    /// How often the chat is asked for new messages; it does not push.
    pub poll: Duration,
    /// How far a new connection goes back behind the cursor: positions of different hosts differ by seconds.
    pub overlap: Duration,
    /// How far back Jetstream keeps events; what is older is lost.
    pub look_back: Duration,
    /// Whether a public text can be an order to a bot, as the order language sees it. The whole network passes here, and what cannot is not
    /// handed on. By default everything can.
    pub may_order: fn(text: &str, bot: &str) -> bool,
}

impl BlueskyConfig {
    /// A configuration with every default.
    pub fn new(service: impl Into<String>, identifier: impl Into<String>, app_password: impl Into<SecretString>) -> Self {
        const HOUR: u64 = 60 * 60;
        let window = |limit, seconds| Window { limit, period: Duration::from_secs(seconds) };
        BlueskyConfig {
            service: service.into(),
            identifier: identifier.into(),
            app_password: app_password.into(),
            jetstreams: PUBLIC_JETSTREAMS.map(str::to_owned).to_vec(),
            chat_service: CHAT_SERVICE.to_owned(),
            windows: vec![window(1_666, HOUR), window(11_666, 24 * HOUR)],
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(20),
            // Two pings and a half.
            silence: Duration::from_secs(75),
            quiet: Duration::from_secs(120),
            poll: Duration::from_secs(5),
            overlap: Duration::from_secs(5),
            look_back: Duration::from_secs(36 * HOUR),
            may_order: |_, _| true,
        }
    }
}
