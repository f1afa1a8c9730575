//! What an operator says about a connection, and what X charges.

use std::time::Duration;

use secrecy::SecretString;

use crate::platform::Window;

/// One connection to X, as one bot account and one app.
#[derive(Debug, Clone)]
pub struct XConfig {
    /// Where the interface is; another address only for tests.
    pub api_url: String,
    /// The app's bearer token: the stream, its rules, and the search.
    pub bearer_token: SecretString,
    /// The app's consumer key and secret (OAuth 1.0a). The secret also proves webhooks.
    pub consumer_key: SecretString,
    /// See `consumer_key`.
    pub consumer_secret: SecretString,
    /// The bot's own token and secret, with permission to read, write, and use direct messages. They do not run out.
    pub access_token: SecretString,
    /// See `access_token`.
    pub access_token_secret: SecretString,
    /// How many private messages may be sent: 15 in 15 minutes and 1,440 a day for one user.
    pub windows: Vec<Window>,
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// How long a request may take in all.
    pub request_timeout: Duration,
    /// The stream counts as broken after this long without a byte: X sends a line break every 20 seconds.
    pub silence: Duration,
    /// How often to search for what the stream may have missed.
    pub poll: Duration,
    /// How often to ask for private messages: 15 in 15 minutes are allowed.
    pub dm_poll: Duration,
}

impl XConfig {
    /// A configuration with every default.
    pub fn new(
        bearer_token: impl Into<SecretString>,
        consumer: (impl Into<SecretString>, impl Into<SecretString>),
        access: (impl Into<SecretString>, impl Into<SecretString>),
    ) -> Self {
        const MINUTE: u64 = 60;
        let window = |limit, seconds| Window { limit, period: Duration::from_secs(seconds) };
        XConfig {
            api_url: "https://api.x.com".to_owned(),
            bearer_token: bearer_token.into(),
            consumer_key: consumer.0.into(),
            consumer_secret: consumer.1.into(),
            access_token: access.0.into(),
            access_token_secret: access.1.into(),
            windows: vec![window(15, 15 * MINUTE), window(1_440, 24 * 60 * MINUTE)],
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(20),
            silence: Duration::from_secs(20),
            poll: Duration::from_secs(5 * MINUTE),
            dm_poll: Duration::from_secs(61),
        }
    }
}

/// Prices in millionths of a US dollar, pay-per-use, as of August 2026 (<https://docs.x.com/x-api/getting-started/pricing>). They change;
/// what is counted with them is an estimate, X's own console has the bill.
pub(super) mod prices {
    /// A post that is read.
    pub(in crate::platform::x) const POST_READ: u64 = 5_000;
    /// A private message that is read.
    pub(in crate::platform::x) const DM_READ: u64 = 10_000;
    /// A private message that is sent.
    pub(in crate::platform::x) const DM_SENT: u64 = 15_000;
    /// A reply to somebody who has called us.
    pub(in crate::platform::x) const REPLY: u64 = 10_000;
    /// A post with a web address in it.
    pub(in crate::platform::x) const POST_WITH_URL: u64 = 200_000;
    /// What one payment costs: the post, the question, the answer, the receipt.
    pub(in crate::platform::x) const PAYMENT: u64 = POST_READ + DM_SENT + DM_READ + DM_SENT;
}
