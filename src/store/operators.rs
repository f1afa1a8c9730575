//! What operators look at and do: open calls, frozen payees, changes that wait for approval, and the chain of their acts.

use serde_json::json;

use super::StoreError;
use super::directory::payee;
use super::engine::{Row, Sql, Tx, args, sql, sql_rows};
use super::orders::chained;
use super::people::timestamp;
use crate::clock::Timestamp;
use crate::ids::{ChangeId, EffectId, OrderId, PayeeId};
use crate::people::{Campaign, Payee};

/// One line of the chain of acts that belong to no order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorAct {
    /// Its place in the chain, from 1 without a gap.
    pub number: i64,
    /// When.
    pub at: Timestamp,
    /// Who; `obole` where the service acted by itself.
    pub operator: String,
    /// What was done.
    pub act: String,
    /// To what: `payee:SLUG`, `limits`, `call:ID` …
    pub subject: String,
    /// More about it, as JSON; no account number.
    pub detail: String,
    /// The hash over the line before and this one.
    pub hash: String,
}

impl OperatorAct {
    /// Whether the line is the one that was written after `previous`.
    pub fn continues(&self, previous: &str) -> bool {
        self.hash == self.chained_to(previous)
    }

    fn chained_to(&self, previous: &str) -> String {
        let (number, at) = (self.number.to_string(), self.at.as_microsecond().to_string());
        let OperatorAct { operator, act, subject, detail, .. } = self;
        chained(&["obole-operators-v1", previous, &number, &at, operator, act, subject, detail])
    }
}

/// A call for an operator that nobody has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenCall {
    /// Its row in the queue.
    pub id: EffectId,
    /// The order it is about, if any.
    pub order: Option<OrderId>,
    /// What it says, as JSON that `app` reads.
    pub data: String,
    /// Since when.
    pub since: Timestamp,
}

/// An effect of an order, as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectRow {
    /// Which.
    pub id: EffectId,
    /// The queue it stands in.
    pub lane: String,
    /// What, as JSON that `app` reads.
    pub data: String,
    /// `pending`, `done` or `dead`.
    pub state: String,
    /// How often it was tried.
    pub attempts: i64,
    /// How it ended, or why it is tried again.
    pub result: Option<String>,
    /// Not before.
    pub due_at: Timestamp,
    /// Since when.
    pub created_at: Timestamp,
}

/// What is reserved against the limits for one payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// For which payment.
    pub payment_key: String,
    /// Against whose limits.
    pub person: String,
    /// And which account's.
    pub iban: String,
    /// How much.
    pub amount_minor: i64,
    /// Since when.
    pub reserved_at: Timestamp,
    /// Free again since.
    pub released_at: Option<Timestamp>,
}

/// A payee with the operator's own name for it and, while it is frozen, why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayeeRow {
    /// The operator's name.
    pub slug: String,
    /// The entry.
    pub payee: Payee,
    /// Why it is frozen.
    pub frozen_why: Option<String>,
    /// Since when.
    pub frozen_at: Option<Timestamp>,
}

/// A change that waits for two operators, or did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeRow {
    /// Which.
    pub id: ChangeId,
    /// About what.
    pub subject: String,
    /// What, as JSON that `app` reads.
    pub data: String,
    /// Since when.
    pub proposed_at: Timestamp,
    /// The first of the two operators, if there is one yet.
    pub first: Option<String>,
    /// `open`, `applied` or `withdrawn`.
    pub state: String,
}

pub(super) fn optional_timestamp(row: &Row, column: &'static str) -> Result<Option<Timestamp>, StoreError> {
    let micros = row.optional_int(column)?.map(Timestamp::from_microsecond).transpose();
    micros.map_err(|error| StoreError::Meaningless { column, why: error.to_string() })
}

fn optional_order(row: &Row) -> Result<Option<OrderId>, StoreError> {
    let id = row.optional_text("order_id")?.map(|id| id.parse()).transpose();
    id.map_err(|error| StoreError::Meaningless { column: "order_id", why: format!("{error}") })
}

fn payee_row(row: &Row) -> Result<PayeeRow, StoreError> {
    Ok(PayeeRow {
        slug: row.text("slug")?,
        payee: payee(row)?,
        frozen_why: row.optional_text("frozen_why")?,
        frozen_at: optional_timestamp(row, "frozen_at")?,
    })
}

fn change_row(row: &Row) -> Result<ChangeRow, StoreError> {
    Ok(ChangeRow {
        id: row.parsed("id")?,
        subject: row.text("subject")?,
        data: row.text("data")?,
        proposed_at: timestamp(row, "proposed_at")?,
        first: row.optional_text("first")?,
        state: row.text("state")?,
    })
}

/// The row of `settings` that repeats the newest act's number and hash.
const HEAD: &str = "operator_acts";

/// The row of `settings` that holds the limits in force.
const LIMITS: &str = "limits";

impl Tx {
    // -- the chain of acts -------------------------------------------------------------------------------------------------

    /// Writes down an act, as the next line of the chain.
    pub(crate) async fn write_act(
        &mut self,
        operator: &str,
        act: &str,
        subject: &str,
        detail: String,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        // Two nodes that act at the same time would both continue the same line.
        const ONE_AT_A_TIME: Sql = Sql { sqlite: "SELECT $1", postgres: "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))" };
        self.rows(ONE_AT_A_TIME, args![HEAD]).await?;
        let (number, previous) = self.acts_head().await?.unwrap_or_default();
        let (operator, act, subject) = (operator.to_owned(), act.to_owned(), subject.to_owned());
        let mut line = OperatorAct { number: number + 1, at: now, operator, act, subject, detail, hash: String::new() };
        line.hash = line.chained_to(&previous);
        let statement = sql!(
            "INSERT INTO operator_acts (number, at, operator, act, subject, detail, hash) VALUES ($1, $2, $3, $4, $5, $6, $7)"
        );
        let head = format!("{} {}", line.number, line.hash);
        let values = args![line.number, now.as_microsecond(), line.operator, line.act, line.subject, line.detail, line.hash];
        self.run(statement, values).await?;
        self.save_setting(HEAD, &head).await
    }

    /// Number and hash of the newest act, as `settings` repeats them.
    pub(crate) async fn acts_head(&mut self) -> Result<Option<(i64, String)>, StoreError> {
        let Some(head) = self.setting(HEAD).await? else { return Ok(None) };
        let read = head.split_once(' ').and_then(|(number, hash)| Some((number.parse().ok()?, hash.to_owned())));
        let why = || StoreError::Meaningless { column: "value", why: format!("the setting {HEAD} is no number and hash") };
        read.ok_or_else(why).map(Some)
    }

    /// The acts after number `after`, in their order.
    pub(crate) async fn acts_after(&mut self, after: i64, at_most: i64) -> Result<Vec<OperatorAct>, StoreError> {
        let statement = sql!(
            "SELECT number, at, operator, act, subject, detail, hash FROM operator_acts WHERE number > $1 ORDER BY number LIMIT $2"
        );
        let rows = self.rows(statement, args![after, at_most]).await?;
        rows.iter()
            .map(|row| {
                Ok(OperatorAct {
                    number: row.int("number")?,
                    at: timestamp(row, "at")?,
                    operator: row.text("operator")?,
                    act: row.text("act")?,
                    subject: row.text("subject")?,
                    detail: row.text("detail")?,
                    hash: row.text("hash")?,
                })
            })
            .collect()
    }

    async fn setting(&mut self, name: &str) -> Result<Option<String>, StoreError> {
        let rows = self.rows(sql!("SELECT value FROM settings WHERE name = $1"), args![name]).await?;
        rows.first().map(|row| row.text("value")).transpose()
    }

    async fn save_setting(&mut self, name: &str, value: &str) -> Result<(), StoreError> {
        let statement =
            sql!("INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value");
        self.run(statement, args![name, value]).await?;
        Ok(())
    }

    /// The limits in force, as JSON, once they were written down.
    pub(crate) async fn limits_in_force(&mut self) -> Result<Option<String>, StoreError> {
        self.setting(LIMITS).await
    }

    /// Writes down the limits that are in force from now on.
    pub(crate) async fn save_limits(&mut self, limits: &str) -> Result<(), StoreError> {
        self.save_setting(LIMITS, limits).await
    }

    // -- calls and effects -------------------------------------------------------------------------------------------------

    /// Calls that nobody has answered, the oldest first: all, or those about one order.
    pub(crate) async fn open_calls(&mut self, of: Option<&OrderId>, at_most: i64) -> Result<Vec<OpenCall>, StoreError> {
        let statement = sql!(
            "SELECT id, order_id, data, created_at FROM effects
             WHERE lane = 'operator' AND state = 'pending' AND ($1 = '' OR order_id = $1) ORDER BY created_at, id LIMIT $2"
        );
        let rows = self.rows(statement, args![of.map_or("", OrderId::as_str), at_most]).await?;
        rows.iter()
            .map(|row| {
                let since = timestamp(row, "created_at")?;
                Ok(OpenCall { id: row.parsed("id")?, order: optional_order(row)?, data: row.text("data")?, since })
            })
            .collect()
    }

    /// Marks calls as answered. Gives how many were open.
    pub(crate) async fn close_calls(&mut self, calls: &[&EffectId], result: &str) -> Result<u64, StoreError> {
        if calls.is_empty() {
            return Ok(0);
        }
        let statement = sql_rows!(
            "UPDATE effects SET state = 'done', result = $2, epoch = epoch + 1
             WHERE lane = 'operator' AND state = 'pending' AND id IN (SELECT r.value ->> 'id' FROM",
            ")"
        );
        let rows: Vec<_> = calls.iter().map(|id| json!({ "id": id })).collect();
        self.run(statement, args![json!(rows).to_string(), result]).await
    }

    /// Everything that was, is or will be done outside for an order, in the order it was asked for.
    pub(crate) async fn effects_of(&mut self, order: &OrderId) -> Result<Vec<EffectRow>, StoreError> {
        let statement = sql!(
            "SELECT id, lane, data, state, attempts, result, due_at, created_at FROM effects WHERE order_id = $1 ORDER BY created_at, id"
        );
        let rows = self.rows(statement, args![order.as_str()]).await?;
        rows.iter()
            .map(|row| {
                Ok(EffectRow {
                    id: row.parsed("id")?,
                    lane: row.text("lane")?,
                    data: row.text("data")?,
                    state: row.text("state")?,
                    attempts: row.int("attempts")?,
                    result: row.optional_text("result")?,
                    due_at: timestamp(row, "due_at")?,
                    created_at: timestamp(row, "created_at")?,
                })
            })
            .collect()
    }

    /// What is or was reserved for an order's payments.
    pub(crate) async fn reservations_of(&mut self, order: &OrderId) -> Result<Vec<Reservation>, StoreError> {
        let statement = sql!(
            "SELECT r.payment_key, r.person_id, r.iban, r.amount_minor, r.reserved_at, r.released_at FROM payments AS p
             JOIN reservations AS r ON r.payment_key = p.key WHERE p.order_id = $1 ORDER BY p.place"
        );
        self.rows(statement, args![order.as_str()]).await?.iter().map(reservation).collect()
    }

    // -- what waits for somebody --------------------------------------------------------------------------------------------

    /// The ids of held orders, the oldest first.
    pub(crate) async fn all_held_orders(&mut self, at_most: i64) -> Result<Vec<OrderId>, StoreError> {
        let statement = sql!("SELECT id FROM orders WHERE state = 'held' ORDER BY created_at, id LIMIT $1");
        self.rows(statement, args![at_most]).await?.iter().map(|row| row.parsed("id")).collect()
    }

    /// The ids of orders with a payment whose outcome is not known or disputed.
    pub(crate) async fn doubtful_orders(&mut self, at_most: i64) -> Result<Vec<OrderId>, StoreError> {
        let statement = sql!(
            "SELECT order_id, MIN(changed_at) AS since FROM payments WHERE state IN ('unknown', 'disputed')
             GROUP BY order_id ORDER BY since, order_id LIMIT $1"
        );
        self.rows(statement, args![at_most]).await?.iter().map(|row| row.parsed("order_id")).collect()
    }

    /// The entries of the directory: all, or the frozen ones.
    pub(crate) async fn payee_rows(&mut self, only_frozen: bool) -> Result<Vec<PayeeRow>, StoreError> {
        let statement = sql!(
            "SELECT slug, id AS payee_id, legal_name, class, iban, registry_number, frozen, frozen_why, frozen_at FROM payees
             WHERE frozen >= $1 ORDER BY slug"
        );
        self.rows(statement, args![i64::from(only_frozen)]).await?.iter().map(payee_row).collect()
    }

    /// The entry of this name, held until commit.
    pub(crate) async fn payee_named(&mut self, slug: &str) -> Result<Option<PayeeRow>, StoreError> {
        const SELECT: Sql = Sql {
            sqlite:
                "SELECT slug, id AS payee_id, legal_name, class, iban, registry_number, frozen, frozen_why, frozen_at FROM payees
                     WHERE slug = $1",
            postgres:
                "SELECT slug, id AS payee_id, legal_name, class, iban, registry_number, frozen, frozen_why, frozen_at FROM payees
                       WHERE slug = $1 FOR UPDATE",
        };
        self.rows(SELECT, args![slug]).await?.first().map(payee_row).transpose()
    }

    /// The operator's name for an entry.
    pub(crate) async fn slug_of(&mut self, payee: &PayeeId) -> Result<Option<String>, StoreError> {
        let rows = self.rows(sql!("SELECT slug FROM payees WHERE id = $1"), args![payee.as_str()]).await?;
        rows.first().map(|row| row.text("slug")).transpose()
    }

    /// Makes a payee payable again.
    pub(crate) async fn unfreeze_payee(&mut self, slug: &str) -> Result<(), StoreError> {
        let statement = sql!("UPDATE payees SET frozen = 0, frozen_why = NULL, frozen_at = NULL WHERE slug = $1");
        self.run(statement, args![slug]).await?;
        Ok(())
    }

    /// Whether there is neither a payee nor an order yet.
    pub(crate) async fn is_untouched(&mut self) -> Result<bool, StoreError> {
        let payees = self.rows(sql!("SELECT id FROM payees LIMIT 1"), args![]).await?;
        Ok(payees.is_empty() && self.rows(sql!("SELECT id FROM orders LIMIT 1"), args![]).await?.is_empty())
    }

    /// The campaign of this hashtag, with the operator's name for its payee.
    pub(crate) async fn campaign_named(&mut self, tag: &str) -> Result<Option<(Campaign, String)>, StoreError> {
        let statement = sql!(
            "SELECT c.tag, c.title, c.payee_id, c.goal_minor, c.currency, p.slug FROM campaigns AS c JOIN payees AS p ON p.id = c.payee_id
             WHERE c.tag = $1"
        );
        let rows = self.rows(statement, args![tag]).await?;
        rows.first().map(|row| Ok((super::directory::campaign(row)?, row.text("slug")?))).transpose()
    }

    // -- changes that two have to approve ------------------------------------------------------------------------------------

    /// Proposes a change. `None`: the same is proposed already. Another one about the same thing takes the older one's place.
    pub(crate) async fn propose_change(
        &mut self,
        id: &ChangeId,
        subject: &str,
        data: &str,
        first: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<ChangeId>, StoreError> {
        let older =
            sql!("UPDATE changes SET state = 'withdrawn', decided_at = $3 WHERE subject = $1 AND state = 'open' AND data <> $2");
        self.run(older, args![subject, data, now.as_microsecond()]).await?;
        let statement = sql!(
            "INSERT INTO changes (id, subject, data, proposed_at, first) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (subject) WHERE state = 'open' DO NOTHING RETURNING id"
        );
        let values = args![id.as_str(), subject, data, now.as_microsecond(), first.map(str::to_owned)];
        self.rows(statement, values).await?.first().map(|row| row.parsed("id")).transpose()
    }

    /// Changes that wait for approval, the oldest first.
    pub(crate) async fn open_changes(&mut self) -> Result<Vec<ChangeRow>, StoreError> {
        let statement =
            sql!("SELECT id, subject, data, proposed_at, first, state FROM changes WHERE state = 'open' ORDER BY proposed_at, id");
        self.rows(statement, args![]).await?.iter().map(change_row).collect()
    }

    /// A change, held until commit.
    pub(crate) async fn change(&mut self, id: &ChangeId) -> Result<Option<ChangeRow>, StoreError> {
        const SELECT: Sql = Sql {
            sqlite: "SELECT id, subject, data, proposed_at, first, state FROM changes WHERE id = $1",
            postgres: "SELECT id, subject, data, proposed_at, first, state FROM changes WHERE id = $1 FOR UPDATE",
        };
        self.rows(SELECT, args![id.as_str()]).await?.first().map(change_row).transpose()
    }

    /// Writes down the first of the two operators.
    pub(crate) async fn approve_first(&mut self, id: &ChangeId, operator: &str) -> Result<(), StoreError> {
        self.run(sql!("UPDATE changes SET first = $2 WHERE id = $1"), args![id.as_str(), operator]).await?;
        Ok(())
    }

    /// Ends a change that is open: `applied` or `withdrawn`. `false` if it was not.
    pub(crate) async fn end_change(&mut self, id: &ChangeId, state: &str, now: Timestamp) -> Result<bool, StoreError> {
        let statement = sql!("UPDATE changes SET state = $2, decided_at = $3 WHERE id = $1 AND state = 'open'");
        Ok(self.run(statement, args![id.as_str(), state, now.as_microsecond()]).await? == 1)
    }
}

pub(super) fn reservation(row: &Row) -> Result<Reservation, StoreError> {
    Ok(Reservation {
        payment_key: row.text("payment_key")?,
        person: row.text("person_id")?,
        iban: row.text("iban")?,
        amount_minor: row.int("amount_minor")?,
        reserved_at: timestamp(row, "reserved_at")?,
        released_at: optional_timestamp(row, "released_at")?,
    })
}
