//! What came in: each message once, and how far each stream has been read.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::json;

use super::StoreError;
use super::engine::{Tx, args, sql, sql_rows};
use crate::clock::{Timestamp, earlier};
use crate::ids::{AccountId, Channel, OrderId, PlatformName, PostId};
use crate::planted::planted;

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It made an order.
    Order(OrderId),
    /// It nearly was an order, and the author was told.
    Rejected,
    /// It answered something we asked.
    Answer,
    /// It carried an enrolment code.
    Enrolment,
    /// It asked for something else than a payment.
    Command,
    /// Passed over in a flood: its author has no channel, and too many such wrote at one time.
    Shed,
    /// It did not concern us after all.
    Nothing,
}

impl Outcome {
    fn as_str(&self) -> &'static str {
        match self {
            Outcome::Order(_) => "order",
            Outcome::Rejected => "rejected",
            Outcome::Answer => "answer",
            Outcome::Enrolment => "enrolment",
            Outcome::Command => "command",
            Outcome::Shed => "shed",
            Outcome::Nothing => "nothing",
        }
    }
}

/// The row of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostRow {
    /// Public or private.
    pub channel: Channel,
    /// The name every copy shares.
    pub post: PostId,
    /// The platform's short name.
    pub native_id: String,
    /// Who wrote it.
    pub author: AccountId,
}

impl Tx {
    /// The platforms' own names of every message that was taken in.
    pub(crate) async fn native_ids_of_posts(&mut self) -> Result<Vec<String>, StoreError> {
        self.rows(sql!("SELECT native_id FROM posts ORDER BY native_id"), args![])
            .await?
            .iter()
            .map(|row| row.text("native_id"))
            .collect()
    }

    /// Stores messages not seen before and says which those are; a repetition changes nothing.
    pub(crate) async fn take_posts(
        &mut self,
        platform: &PlatformName,
        posts: &[PostRow],
        now: Timestamp,
    ) -> Result<HashSet<(Channel, PostId)>, StoreError> {
        if posts.is_empty() {
            return Ok(HashSet::new());
        }
        let statement = sql_rows!(
            "INSERT INTO posts (platform, channel, post_id, native_id, author, outcome, seen_at)
             SELECT $2, r.value ->> 'channel', r.value ->> 'post', r.value ->> 'native', r.value ->> 'author', 'nothing', $3 FROM",
            "WHERE true ON CONFLICT (platform, channel, post_id) DO NOTHING RETURNING channel, post_id"
        );
        let rows: Vec<_> = posts
            .iter()
            .map(|row| json!({ "channel": row.channel.as_str(), "post": row.post, "native": row.native_id, "author": row.author }))
            .collect();
        let new = self.rows(statement, args![json!(rows).to_string(), platform.as_str(), now.as_microsecond()]).await?;
        new.iter()
            .map(|row| {
                let channel = if row.text("channel")? == "dm" { Channel::Dm } else { Channel::Post };
                Ok((channel, PostId(row.text("post_id")?)))
            })
            .collect()
    }

    /// Writes down what became of messages.
    pub(crate) async fn record_outcomes(
        &mut self,
        platform: &PlatformName,
        outcomes: &[(Channel, PostId, Outcome)],
    ) -> Result<(), StoreError> {
        let meant: Vec<_> = outcomes
            .iter()
            .filter(|(_, _, outcome)| *outcome != Outcome::Nothing)
            .map(|(channel, post, outcome)| {
                let order = if let Outcome::Order(id) = outcome { Some(id.as_str()) } else { None };
                json!({ "platform": platform, "channel": channel.as_str(), "post": post, "outcome": outcome.as_str(), "order": order })
            })
            .collect();
        if meant.is_empty() {
            return Ok(());
        }
        // The platform stands in every row, although it is one: given as a value of its own, SQLite begins with all posts of the
        // platform and reads the whole list again for each of them.
        let statement = sql_rows!(
            "UPDATE posts SET outcome = u.outcome, order_id = u.order_id FROM (
               SELECT r.value ->> 'platform' AS platform, r.value ->> 'channel' AS channel, r.value ->> 'post' AS post_id,
                      r.value ->> 'outcome' AS outcome, r.value ->> 'order' AS order_id FROM",
            ") AS u WHERE posts.platform = u.platform AND posts.channel = u.channel AND posts.post_id = u.post_id"
        );
        self.run(statement, args![json!(meant).to_string()]).await?;
        Ok(())
    }

    /// The orders that messages made, by the platform's short names.
    pub(crate) async fn orders_of_posts(
        &mut self,
        platform: &PlatformName,
        native_ids: &[&str],
    ) -> Result<Vec<OrderId>, StoreError> {
        if native_ids.is_empty() {
            return Ok(Vec::new());
        }
        let statement = sql_rows!(
            "SELECT order_id FROM posts WHERE platform = $2 AND order_id IS NOT NULL AND native_id IN (SELECT r.value ->> 'id' FROM",
            ")"
        );
        let ids: Vec<_> = native_ids.iter().map(|id| json!({ "id": id })).collect();
        let rows = self.rows(statement, args![json!(ids).to_string(), platform.as_str()]).await?;
        rows.iter().map(|row| row.parsed("order_id")).collect()
    }

    /// How far a stream has been read.
    pub(crate) async fn cursor(&mut self, platform: &PlatformName) -> Result<Option<String>, StoreError> {
        let rows = self.rows(sql!("SELECT position FROM cursors WHERE platform = $1"), args![platform.as_str()]).await?;
        rows.first().map(|row| row.text("position")).transpose()
    }

    /// Takes the turn to read a platform's stream if it is free, or prolongs one's own; tells whether it is the holder's now.
    pub(crate) async fn take_stream_turn(
        &mut self,
        platform: &PlatformName,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let statement = sql!(
            "INSERT INTO stream_turns (platform, holder, until) VALUES ($1, $2, $4)
             ON CONFLICT (platform) DO UPDATE SET holder = excluded.holder, until = excluded.until
             WHERE stream_turns.holder = excluded.holder OR stream_turns.until <= $3"
        );
        let args = args![platform.as_str(), holder, now.as_microsecond(), until.as_microsecond()];
        Ok(self.run(statement, args).await? == 1)
    }

    /// Ends the turns of somebody who reads no stream any more.
    pub(crate) async fn end_stream_turns(&mut self, holder: &str) -> Result<(), StoreError> {
        self.run(sql!("DELETE FROM stream_turns WHERE holder = $1"), args![holder]).await?;
        Ok(())
    }

    /// Writes down how far a stream has been read.
    pub(crate) async fn save_cursor(&mut self, platform: &PlatformName, position: &str, now: Timestamp) -> Result<(), StoreError> {
        let statement = sql!(
            "INSERT INTO cursors (platform, position, saved_at) VALUES ($1, $2, $3)
             ON CONFLICT (platform) DO UPDATE SET position = excluded.position, saved_at = excluded.saved_at"
        );
        self.run(statement, args![platform.as_str(), position, now.as_microsecond()]).await?;
        Ok(())
    }

    /// Whether an author without a channel may be hinted at now; if so, that is written down in the same statement.
    pub(crate) async fn may_hint(
        &mut self,
        platform: &PlatformName,
        account: &AccountId,
        now: Timestamp,
        period: Duration,
    ) -> Result<bool, StoreError> {
        let statement = sql!(
            "INSERT INTO hints (platform, account, hinted_at) VALUES ($1, $2, $3)
             ON CONFLICT (platform, account) DO UPDATE SET hinted_at = excluded.hinted_at WHERE hints.hinted_at <= $4"
        );
        let cutoff = if planted!("hint_flood") { now } else { earlier(now, period) }.as_microsecond();
        let changed = self.run(statement, args![platform.as_str(), account.as_str(), now.as_microsecond(), cutoff]).await?;
        Ok(changed == 1)
    }
}
