//! What the Mastodon client API sends, as far as it is read here.
//!
//! Entities: <https://docs.joinmastodon.org/entities/Status/>, `/Account/`, `/Notification/`, `/Instance/`, `/V1_Instance/`. Fields that
//! are not listed are ignored, and whatever a server may leave out has a default, so older, newer and other servers are read
//! alike. Ids are opaque text (Mastodon: decimal digits; GoToSocial: ULID; Pleroma: flake): they are never compared or computed.

use serde::{Deserialize, Deserializer};

/// `null` where a list or text should be counts as empty.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(input: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(input)?.unwrap_or_default())
}

/// <https://docs.joinmastodon.org/entities/Account/>
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Account {
    pub(super) id: String,
    /// `user` for local accounts, `user@domain` for others.
    pub(super) acct: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) display_name: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) bot: bool,
}

/// <https://docs.joinmastodon.org/entities/Status/#Mention>
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Mention {
    pub(super) id: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) acct: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) url: String,
}

/// <https://docs.joinmastodon.org/entities/Status/>
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Status {
    pub(super) id: String,
    pub(super) uri: String,
    pub(super) created_at: String,
    pub(super) account: Account,
    pub(super) visibility: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) content: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) mentions: Vec<Mention>,
    #[serde(default)]
    pub(super) in_reply_to_id: Option<String>,
    /// Only whether it is there matters.
    #[serde(default)]
    pub(super) reblog: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    pub(super) edited_at: Option<String>,
    #[serde(default)]
    pub(super) url: Option<String>,
    #[serde(default)]
    pub(super) language: Option<String>,
}

/// Any entity of which only the id matters.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Identified {
    pub(super) id: String,
}

/// <https://docs.joinmastodon.org/entities/Notification/>
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Notification {
    pub(super) id: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// Read in a second step, so that a kind without a usable status is no error.
    #[serde(default)]
    pub(super) status: serde_json::Value,
}

/// <https://docs.joinmastodon.org/entities/Context/>
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Context {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) descendants: Vec<serde_json::Value>,
}

/// <https://docs.joinmastodon.org/entities/Instance/>
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Instance {
    pub(super) domain: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) configuration: InstanceConfiguration,
}

/// <https://docs.joinmastodon.org/entities/V1_Instance/>, and Pleroma's `max_toot_chars`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct InstanceV1 {
    /// The domain; some servers put a whole address here.
    pub(super) uri: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) urls: InstanceUrls,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) configuration: InstanceConfiguration,
    #[serde(default)]
    pub(super) max_toot_chars: Option<usize>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct InstanceConfiguration {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) urls: InstanceUrls,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) statuses: InstanceStatuses,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct InstanceUrls {
    /// `wss://…`; `streaming_api` in version 1.
    #[serde(default, alias = "streaming_api")]
    pub(super) streaming: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct InstanceStatuses {
    #[serde(default)]
    pub(super) max_characters: Option<usize>,
}

/// <https://docs.joinmastodon.org/entities/Error/>
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct ErrorBody {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) error: String,
}
