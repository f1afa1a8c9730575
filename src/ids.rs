//! Names of things: ids that Obole makes, ids that others made, and the payment key.
//!
//! Ids of our own are 32 lower-case hex characters, time-ordered (UUID version 7 without hyphens), so they sort by age and
//! fit every rail's 35-character references. Ids of others are kept as the text they came as and never interpreted.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::clock::Timestamp;
use crate::entropy::{Entropy, random_bytes};

/// A text that should have been 32 lower-case hex characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an id of 32 hexadecimal characters")]
pub struct NotAnId(pub String);

fn hex32(text: &str) -> Result<String, NotAnId> {
    let fits = text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if fits { Ok(text.to_owned()) } else { Err(NotAnId(text.to_owned())) }
}

fn time_ordered(now: Timestamp, entropy: &dyn Entropy) -> String {
    let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random_bytes(entropy)).into_uuid().simple().to_string()
}

/// Bytes as lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

macro_rules! own_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// A new id, made now.
            pub fn new(now: Timestamp, entropy: &dyn Entropy) -> Self {
                $name(time_ordered(now, entropy))
            }

            /// The 32 characters.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                hex32(text).map($name)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotAnId;
            fn try_from(text: String) -> Result<Self, NotAnId> {
                hex32(&text).map($name)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

own_id! {
    /// An order: what one post (or private message) asks and one person confirms.
    OrderId
}
own_id! {
    /// A person known to Obole, whatever accounts they have.
    PersonId
}
own_id! {
    /// An entry of the payee directory.
    PayeeId
}
own_id! {
    /// Something to do outside.
    EffectId
}
own_id! {
    /// Somebody's wish to become a payee.
    ApplicationId
}
own_id! {
    /// A change of the directory or the limits that operators have to approve.
    ChangeId
}

macro_rules! foreign_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The text as it came.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                $name(text.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                $name(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, formatter)
            }
        }
    };
}

foreign_id! {
    /// A platform connection as the configuration names it, e.g. `mastodon`.
    PlatformName
}
foreign_id! {
    /// A bank connection as the configuration names it.
    BankName
}
foreign_id! {
    /// A person on a platform: the platform's immutable id, never the handle.
    AccountId
}
foreign_id! {
    /// A post or private message, by the name that every copy of it shares (Mastodon: its `uri`; Bluesky: its at-URI; X: the root
    /// of its edit history).
    PostId
}

/// Where a message came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// A public post.
    Post,
    /// A private message to the bot.
    Dm,
}

impl Channel {
    /// `post` or `dm`, as stored and as the order language calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Channel::Post => "post",
            Channel::Dm => "dm",
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// What makes a payment the same payment: sent as its reference (ISO 20022 `EndToEndId`) on every rail, and unique in the store.
///
/// It is derived from the post and the recipient's place in it, and from nothing that an installation makes up, so a restore
/// from backup or a second installation cannot pay the same post twice.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PaymentKey(String);

impl PaymentKey {
    /// The first 32 hex digits of SHA-256 over (`obole-payment-v1`, platform, channel, root post id, recipient index).
    ///
    /// Every part is preceded by its length in bytes (eight, big-endian), so no two different tuples hash the same text.
    /// `platform` is the kind of network (`mastodon`, `x`, …), not the installation's name for its connection to it.
    pub fn of_post(platform: &str, channel: Channel, post: &PostId, recipient: u16) -> Self {
        let recipient = recipient.to_string();
        let parts = ["obole-payment-v1", platform, channel.as_str(), post.as_str(), &recipient];
        let digest = parts.iter().fold(Sha256::new(), |hasher, part| {
            hasher.chain_update((part.len() as u64).to_be_bytes()).chain_update(part.as_bytes())
        });
        PaymentKey(hex(&digest.finalize()[..16]))
    }

    /// The 32 characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PaymentKey {
    type Err = NotAnId;
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        hex32(text).map(PaymentKey)
    }
}

impl TryFrom<String> for PaymentKey {
    type Error = NotAnId;
    fn try_from(text: String) -> Result<Self, NotAnId> {
        hex32(&text).map(PaymentKey)
    }
}

impl From<PaymentKey> for String {
    fn from(key: PaymentKey) -> String {
        key.0
    }
}

impl fmt::Display for PaymentKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for PaymentKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;

    #[test]
    fn ids_are_32_hex_characters_and_sort_by_age() {
        let entropy = SeededEntropy::new(1);
        let early = OrderId::new(Timestamp::from_second(1_700_000_000).unwrap(), &entropy);
        let late = OrderId::new(Timestamp::from_second(1_700_000_001).unwrap(), &entropy);
        assert_eq!(early.as_str().len(), 32);
        assert!(early < late);
        assert_eq!(early.as_str().parse::<OrderId>().unwrap(), early);
        assert!("no-id".parse::<OrderId>().is_err());
    }

    #[test]
    fn a_payment_key_depends_on_the_post_alone() {
        let key = |post: &str, channel, index| PaymentKey::of_post("mastodon", channel, &PostId::from(post), index);
        assert_eq!(key("https://s/1", Channel::Post, 0), key("https://s/1", Channel::Post, 0));
        assert_ne!(key("https://s/1", Channel::Post, 0), key("https://s/1", Channel::Post, 1));
        assert_ne!(key("https://s/1", Channel::Post, 0), key("https://s/1", Channel::Dm, 0));
        assert_ne!(key("https://s/1", Channel::Post, 0), key("https://s/2", Channel::Post, 0));
        // The value itself is a promise to every store that holds one.
        assert_eq!(key("https://s/1", Channel::Post, 0).as_str(), "4f7f7c6c7b70792151b961215ae13092");
    }
}
