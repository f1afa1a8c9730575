//! What an operator says about a connection.

use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;

use crate::platform::Window;

/// One connection to a Mastodon instance, as one bot account.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MastodonConfig {
    /// Where the instance is, e.g. `https://pay.example`. `http` is accepted here; whether it may be used is decided where the
    /// configuration is read.
    pub base_url: String,
    /// The bot's token, with the scopes `read:accounts`, `read:notifications`, `read:statuses`, `read:search` and `write:statuses`.
    pub access_token: SecretString,
    /// How much the instance lets one account post; private messages count. Mastodon's own rule is 300 statuses in 3 hours.
    #[serde(default = "documented_windows")]
    pub send_windows: Vec<SendWindow>,
    /// On the very first start, read what was sent to the bot before it; otherwise begin with now.
    #[serde(default)]
    pub from_beginning: bool,
    /// How long to wait for a connection.
    #[serde(default = "default_connect_timeout_seconds")]
    pub connect_timeout_seconds: u64,
    /// How long a request may take in all. The stream is not a request in this sense.
    #[serde(default = "default_request_timeout_seconds")]
    pub request_timeout_seconds: u64,
    /// The stream counts as broken after this long without a single byte. Mastodon sends `:thump` every 15 seconds.
    #[serde(default = "default_silence_seconds")]
    pub silence_seconds: u64,
    /// How often to ask for missed mentions although the stream is open, since a stream can be open and silent
    /// (<https://github.com/mastodon/mastodon/issues/25157>), and filtered mentions are never streamed.
    #[serde(default = "default_poll_seconds")]
    pub poll_seconds: u64,
}

impl MastodonConfig {
    /// A configuration with every default.
    pub fn new(base_url: impl Into<String>, access_token: impl Into<SecretString>) -> Self {
        MastodonConfig {
            base_url: base_url.into(),
            access_token: access_token.into(),
            send_windows: documented_windows(),
            from_beginning: false,
            connect_timeout_seconds: default_connect_timeout_seconds(),
            request_timeout_seconds: default_request_timeout_seconds(),
            silence_seconds: default_silence_seconds(),
            poll_seconds: default_poll_seconds(),
        }
    }

    pub(super) fn windows(&self) -> Vec<Window> {
        let window = |window: &SendWindow| Window { limit: window.limit, period: Duration::from_secs(window.period_seconds) };
        self.send_windows.iter().map(window).collect()
    }
}

/// At most `limit` statuses in any `period_seconds`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SendWindow {
    /// How many.
    pub limit: u32,
    /// In how long.
    pub period_seconds: u64,
}

/// `app/lib/rate_limiter.rb` of Mastodon, family `statuses`.
fn documented_windows() -> Vec<SendWindow> {
    vec![SendWindow { limit: 300, period_seconds: 3 * 60 * 60 }]
}

fn default_connect_timeout_seconds() -> u64 {
    5
}

fn default_request_timeout_seconds() -> u64 {
    20
}

/// Three thumps.
fn default_silence_seconds() -> u64 {
    45
}

fn default_poll_seconds() -> u64 {
    60
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_keys_are_enough_and_the_token_prints_nothing() {
        let config: MastodonConfig = toml::from_str("base_url = 'https://pay.example'\naccess_token = 'hush'").unwrap();
        assert_eq!(config.windows(), [Window { limit: 300, period: Duration::from_secs(10_800) }]);
        assert!(!format!("{config:?}").contains("hush"));
        assert!(toml::from_str::<MastodonConfig>("base_url = 'x'\naccess_token = 'y'\ntoken = 'z'").is_err());
    }
}
