//! The queue to the outside: effects by lane, leases with an epoch, and the lanes' windows.
//!
//! A claim gives a lease and counts the epoch up; every later write repeats the epoch, so whoever slept through the end of
//! their lease changes nothing. What a lane may send is counted in the same transaction as the claim, *before* any call, and
//! is never given back: an unknown outcome may have been a sending.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use serde_json::json;

use super::StoreError;
use super::engine::{Row, Sql, Tx, args, sql, sql_rows};
use crate::clock::{Timestamp, earlier, later};
use crate::ids::{EffectId, OrderId};
use crate::planted::planted;

/// An effect to be queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEffect {
    /// Its id.
    pub id: EffectId,
    /// The queue towards one outside party.
    pub lane: String,
    /// The order it belongs to, if any.
    pub order: Option<OrderId>,
    /// What to do, as JSON that `app` reads.
    pub data: String,
    /// Lower goes first.
    pub priority: i64,
    /// Not before.
    pub due_at: Timestamp,
    /// Effects of one lane with the same word here go out as one message.
    pub joins: Option<String>,
}

/// An effect that is ours until its lease ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedEffect {
    /// Its id.
    pub id: EffectId,
    /// Our turn: repeated by every write about it.
    pub epoch: i64,
    /// How often it was claimed, this time included.
    pub attempts: i64,
    /// The order it belongs to, if any.
    pub order: Option<OrderId>,
    /// What to do.
    pub data: String,
    /// When the lease ends.
    pub lease_until: Timestamp,
    /// What was claimed with the same word here goes out as one message.
    pub joins: Option<String>,
}

/// What a holder of a lease writes about an effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Which effect.
    pub id: EffectId,
    /// In whose turn.
    pub epoch: i64,
    /// What follows.
    pub then: Then,
}

/// What follows for an effect at the end (or in the middle) of a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Then {
    /// The holder is still at it; only whether the turn is still theirs is asked.
    Keep,
    /// It is done: sent as, answered so.
    Done(String),
    /// It never will be done: refused because.
    Dead(String),
    /// It is to be tried again.
    Again {
        /// Not before.
        due_at: Timestamp,
        /// Because.
        why: String,
    },
}

/// At most `limit` in any `period`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneWindow {
    /// Under which name what is used is counted: lanes that share a window count together.
    pub counter: String,
    /// How many.
    pub limit: i64,
    /// In how long.
    pub period: Duration,
}

/// Each counter once, in one order for everybody, so that nobody waits for a lock crosswise.
fn counters(windows: &[LaneWindow]) -> BTreeSet<&str> {
    windows.iter().map(|window| window.counter.as_str()).collect()
}

fn claimed(row: &Row) -> Result<ClaimedEffect, StoreError> {
    let order = row.optional_text("order_id")?;
    let order = order
        .map(|id| id.parse().map_err(|error| StoreError::Meaningless { column: "order_id", why: format!("{error}") }))
        .transpose()?;
    Ok(ClaimedEffect {
        id: row.parsed("id")?,
        epoch: row.int("epoch")?,
        attempts: row.int("attempts")?,
        order,
        data: row.text("data")?,
        lease_until: super::people::timestamp(row, "lease_until")?,
        joins: row.optional_text("joins")?,
    })
}

impl Tx {
    /// Queues effects.
    pub(crate) async fn insert_effects(&mut self, effects: &[NewEffect], now: Timestamp) -> Result<(), StoreError> {
        if effects.is_empty() {
            return Ok(());
        }
        let statement = sql_rows!(
            "INSERT INTO effects (id, lane, order_id, data, priority, due_at, joins, created_at)
             SELECT r.value ->> 'id', r.value ->> 'lane', r.value ->> 'order', r.value ->> 'data', CAST(r.value ->> 'priority' AS BIGINT),
                    CAST(r.value ->> 'due' AS BIGINT), r.value ->> 'joins', $2 FROM",
            ""
        );
        let rows: Vec<_> = effects
            .iter()
            .map(|effect| {
                json!({
                    "id": effect.id, "lane": effect.lane, "order": effect.order, "data": effect.data, "priority": effect.priority,
                    "due": effect.due_at.as_microsecond(), "joins": effect.joins,
                })
            })
            .collect();
        self.run(statement, args![json!(rows).to_string(), now.as_microsecond()]).await?;
        Ok(())
    }

    /// Claims due effects of a lane, the most urgent first: no more than `at_most`, and no more than every window still
    /// holds. What is claimed counts as used; effects that join one message are claimed together and count as one.
    pub(crate) async fn claim_effects(
        &mut self,
        lane: &str,
        windows: &[LaneWindow],
        at_most: i64,
        lease: Duration,
        now: Timestamp,
    ) -> Result<Vec<ClaimedEffect>, StoreError> {
        let free = if windows.is_empty() { at_most } else { self.free_in_windows(windows, now).await?.min(at_most) };
        if free <= 0 {
            return Ok(Vec::new());
        }
        const CLAIM: Sql = Sql {
            sqlite: "UPDATE effects SET epoch = epoch + 1, attempts = attempts + 1, lease_until = $3 WHERE id IN (
                       SELECT id FROM effects WHERE lane = $1 AND state = 'pending' AND due_at <= $2 AND lease_until <= $2
                       ORDER BY priority, due_at, id LIMIT $4)
                     RETURNING id, epoch, attempts, order_id, data, lease_until, joins",
            postgres: "UPDATE effects SET epoch = epoch + 1, attempts = attempts + 1, lease_until = $3 WHERE id IN (
                         SELECT id FROM effects WHERE lane = $1 AND state = 'pending' AND due_at <= $2 AND lease_until <= $2
                         ORDER BY priority, due_at, id LIMIT $4 FOR UPDATE SKIP LOCKED)
                       RETURNING id, epoch, attempts, order_id, data, lease_until, joins",
        };
        let lease_until = later(now, lease).as_microsecond();
        let seen = if planted!("lease_ignored") { later(now, lease) } else { now };
        let rows = self.rows(CLAIM, args![lane, seen.as_microsecond(), lease_until, free]).await?;
        let mut claimed: Vec<ClaimedEffect> = rows.iter().map(self::claimed).collect::<Result<_, _>>()?;
        let joining = self.claim_joining(lane, &claimed, seen, lease_until).await?;
        claimed.extend(joining);
        if planted!("epoch_ignored") {
            for effect in &mut claimed {
                effect.epoch -= 1;
                let back = sql!("UPDATE effects SET epoch = epoch - 1 WHERE id = $1");
                self.run(back, args![effect.id.as_str()]).await?;
            }
        }
        if !windows.is_empty() && !claimed.is_empty() && !planted!("quota_not_counted") {
            let alone = claimed.iter().filter(|effect| effect.joins.is_none()).count();
            let joined: BTreeSet<_> = claimed.iter().filter_map(|effect| effect.joins.as_deref()).collect();
            let used = i64::try_from(alone + joined.len()).unwrap_or(i64::MAX);
            let statement = sql!("INSERT INTO lane_uses (lane, used_at, used) VALUES ($1, $2, $3)");
            for counter in counters(windows) {
                self.run(statement, args![counter, now.as_microsecond(), used]).await?;
            }
        }
        Ok(claimed)
    }

    /// Claims what goes out together with what was claimed: it takes no place of its own in any window.
    async fn claim_joining(
        &mut self,
        lane: &str,
        claimed: &[ClaimedEffect],
        seen: Timestamp,
        lease_until: i64,
    ) -> Result<Vec<ClaimedEffect>, StoreError> {
        let words: BTreeSet<_> = claimed.iter().filter_map(|effect| effect.joins.as_deref()).collect();
        if words.is_empty() {
            return Ok(Vec::new());
        }
        const CLAIM: Sql = Sql {
            sqlite: "UPDATE effects SET epoch = epoch + 1, attempts = attempts + 1, lease_until = $4 WHERE id IN (
                       SELECT id FROM effects WHERE lane = $2 AND state = 'pending' AND due_at <= $3 AND lease_until <= $3
                         AND joins IN (SELECT r.value ->> 'word' FROM jsonb_each($1) AS r))
                     RETURNING id, epoch, attempts, order_id, data, lease_until, joins",
            postgres: "UPDATE effects SET epoch = epoch + 1, attempts = attempts + 1, lease_until = $4 WHERE id IN (
                         SELECT id FROM effects WHERE lane = $2 AND state = 'pending' AND due_at <= $3 AND lease_until <= $3
                           AND joins IN (SELECT r.value ->> 'word' FROM json_array_elements(CAST($1 AS json)) AS r(value))
                         ORDER BY id FOR UPDATE SKIP LOCKED)
                       RETURNING id, epoch, attempts, order_id, data, lease_until, joins",
        };
        let words: Vec<_> = words.iter().map(|word| json!({ "word": word })).collect();
        let values = args![json!(words).to_string(), lane, seen.as_microsecond(), lease_until];
        self.rows(CLAIM, values).await?.iter().map(self::claimed).collect()
    }

    async fn free_in_windows(&mut self, windows: &[LaneWindow], now: Timestamp) -> Result<i64, StoreError> {
        // Two nodes that count at the same time would both see the last place free.
        const ONE_AT_A_TIME: Sql = Sql { sqlite: "SELECT $1", postgres: "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))" };
        for counter in counters(windows) {
            self.rows(ONE_AT_A_TIME, args![counter]).await?;
        }
        let mut free = i64::MAX;
        for window in windows {
            let statement =
                sql!("SELECT CAST(COALESCE(SUM(used), 0) AS BIGINT) AS used FROM lane_uses WHERE lane = $1 AND used_at > $2");
            let rows = self.rows(statement, args![&*window.counter, earlier(now, window.period).as_microsecond()]).await?;
            let used = rows.first().map_or(Ok(0), |row| row.int("used"))?;
            free = free.min(window.limit - used);
        }
        let longest = windows.iter().map(|window| window.period).max().unwrap_or_default();
        let forget = sql!("DELETE FROM lane_uses WHERE lane = $1 AND used_at <= $2");
        for counter in counters(windows) {
            self.run(forget, args![counter, earlier(now, longest).as_microsecond()]).await?;
        }
        Ok(free)
    }

    /// Writes what follows for effects, each only if it still is in the turn it was claimed in. Gives the ids that were: whoever is
    /// not among them has lost the lease, and nothing they say counts any more.
    pub(crate) async fn take_turns(&mut self, turns: &[Turn]) -> Result<HashSet<EffectId>, StoreError> {
        if turns.is_empty() {
            return Ok(HashSet::new());
        }
        let statement = sql_rows!(
            "UPDATE effects SET state = u.state, result = COALESCE(u.result, effects.result), due_at = COALESCE(u.due, effects.due_at),
                    lease_until = CASE WHEN u.keep = 1 THEN effects.lease_until ELSE 0 END FROM (
               SELECT r.value ->> 'id' AS id, CAST(r.value ->> 'epoch' AS BIGINT) AS epoch, r.value ->> 'state' AS state,
                      r.value ->> 'result' AS result, CAST(r.value ->> 'due' AS BIGINT) AS due, CAST(r.value ->> 'keep' AS BIGINT) AS keep FROM",
            ") AS u WHERE effects.id = u.id AND effects.epoch = u.epoch AND effects.state = 'pending' RETURNING effects.id AS id"
        );
        let rows: Vec<_> = turns
            .iter()
            .map(|turn| {
                let (state, result, due, keep) = match &turn.then {
                    Then::Keep => ("pending", None, None, 1),
                    Then::Done(result) => ("done", Some(result), None, 0),
                    Then::Dead(result) => ("dead", Some(result), None, 0),
                    Then::Again { due_at, why } => ("pending", Some(why), Some(due_at.as_microsecond()), 0),
                };
                json!({ "id": turn.id, "epoch": turn.epoch, "state": state, "result": result, "due": due, "keep": keep })
            })
            .collect();
        self.rows(statement, args![json!(rows).to_string()]).await?.iter().map(|row| row.parsed("id")).collect()
    }

    /// Brings an order's waiting effects of one kind forward to now. Those that somebody has claimed are under way anyway.
    pub(crate) async fn hurry_effects(
        &mut self,
        order: &OrderId,
        lane: &str,
        what: &str,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        const HURRY: Sql = Sql {
            sqlite: "UPDATE effects SET due_at = $4 WHERE order_id = $1 AND lane = $2 AND state = 'pending' AND due_at > $4
                       AND data -> 'effect' ->> 'do' = $3",
            postgres: "UPDATE effects SET due_at = $4 WHERE order_id = $1 AND lane = $2 AND state = 'pending' AND due_at > $4
                         AND CAST(data AS json) -> 'effect' ->> 'do' = $3",
        };
        self.run(HURRY, args![order.as_str(), lane, what, now.as_microsecond()]).await
    }

    /// How many effects wait in each lane.
    pub(crate) async fn pending_by_lane(&mut self) -> Result<Vec<(String, i64)>, StoreError> {
        let statement = sql!("SELECT lane, COUNT(*) AS waiting FROM effects WHERE state = 'pending' GROUP BY lane ORDER BY lane");
        let rows = self.rows(statement, args![]).await?;
        rows.iter().map(|row| Ok((row.text("lane")?, row.int("waiting")?))).collect()
    }

    /// Takes every lease back. Only for a store that nobody else can be using: then whoever held one is dead.
    pub(crate) async fn take_leases_back(&mut self) -> Result<u64, StoreError> {
        let statement = sql!("UPDATE effects SET lease_until = 0, epoch = epoch + 1 WHERE state = 'pending' AND lease_until > 0");
        self.run(statement, args![]).await
    }

    /// How many effects of a lane are due, counted up to `at_most`.
    pub(crate) async fn count_due_effects(&mut self, lane: &str, at_most: i64, now: Timestamp) -> Result<i64, StoreError> {
        let statement = sql!(
            "SELECT COUNT(*) AS due FROM (SELECT 1 FROM effects
               WHERE lane = $1 AND state = 'pending' AND due_at <= $2 AND lease_until <= $2 LIMIT $3) AS d"
        );
        let seen = if planted!("lease_ignored") { later(now, Duration::from_secs(45)) } else { now };
        let rows = self.rows(statement, args![lane, seen.as_microsecond(), at_most]).await?;
        rows.first().map_or(Ok(0), |row| row.int("due"))
    }

    /// When the next effect of each lane but the operator's is due; leases that end count as due then.
    pub(crate) async fn next_due_by_lane(&mut self) -> Result<Vec<(String, Timestamp)>, StoreError> {
        let statement = sql!(
            "SELECT lane, MIN(CASE WHEN lease_until > due_at THEN lease_until ELSE due_at END) AS due FROM effects
             WHERE state = 'pending' AND lane <> 'operator' GROUP BY lane ORDER BY lane"
        );
        let rows = self.rows(statement, args![]).await?;
        rows.iter().map(|row| Ok((row.text("lane")?, super::people::timestamp(row, "due")?))).collect()
    }

    /// Every effect that belongs to an order, done or not: its id, the order's, and what is to be done.
    pub(crate) async fn effects_of_orders(&mut self) -> Result<Vec<(EffectId, OrderId, String)>, StoreError> {
        let statement = sql!("SELECT id, order_id, data FROM effects WHERE order_id IS NOT NULL ORDER BY id");
        let rows = self.rows(statement, args![]).await?;
        rows.iter().map(|row| Ok((row.parsed("id")?, row.parsed("order_id")?, row.text("data")?))).collect()
    }

    /// When the next effect of a lane is due; leases that end count as due then.
    pub(crate) async fn next_effect_due(&mut self, lane: &str) -> Result<Option<Timestamp>, StoreError> {
        let statement = sql!(
            "SELECT MIN(CASE WHEN lease_until > due_at THEN lease_until ELSE due_at END) AS due FROM effects
             WHERE lane = $1 AND state = 'pending'"
        );
        let rows = self.rows(statement, args![lane]).await?;
        let due = rows.first().map_or(Ok(None), |row| row.optional_int("due"))?;
        Ok(due.and_then(|micros| Timestamp::from_microsecond(micros).ok()))
    }
}
