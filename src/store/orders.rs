//! Orders, their payments, what is reserved against limits, and the audit chain.

use std::collections::HashSet;

use serde::Serialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::StoreError;
use super::engine::{Row, Sql, Tx, args, sql, sql_rows};
use crate::clock::{Timestamp, earlier};
use crate::ids::{AccountId, BankName, OrderId, PayeeId, PaymentKey, PersonId, PlatformName, hex};
use crate::money::{Currency, Money};
use crate::order::policy::Limits;
use crate::order::state::LimitKind;
use crate::order::{Order, Payer};
use crate::planted::planted;

/// An order as it is stored, with the hash its next audit line continues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredOrder {
    /// The order.
    pub order: Order,
    /// The hash of its newest audit line; empty before the first.
    pub audit_hash: String,
}

/// A payment of which nobody knows what became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UncertainPayment {
    /// Who pays.
    pub payer: PersonId,
    /// Which order it is of.
    pub order: OrderId,
    /// Who receives.
    pub payee: PayeeId,
    /// How much.
    pub amount: Money,
}

fn ids_of(people: &[&PersonId]) -> String {
    json!(people.iter().map(|id| json!({ "id": id })).collect::<Vec<_>>()).to_string()
}

fn keys_as_rows(payment_keys: &[&str]) -> String {
    json!(payment_keys.iter().map(|key| json!({ "key": key })).collect::<Vec<_>>()).to_string()
}

/// One line of the audit chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditLine {
    /// Which order.
    pub order: OrderId,
    /// The order's version after the decision.
    pub version: i64,
    /// When it was decided.
    pub at: Timestamp,
    /// What had happened.
    pub event: String,
    /// States before and after and the effects, as JSON; no text, handle, code or account number.
    pub detail: String,
    /// The hash over the line before and this one.
    pub hash: String,
}

impl AuditLine {
    /// The line that follows `previous`, the hash of the line before (empty for an order's first).
    pub fn following(previous: &str, order: &OrderId, version: i64, at: Timestamp, event: &str, detail: String) -> Self {
        let hash = chain(previous, order, version, at, event, &detail);
        AuditLine { order: order.clone(), version, at, event: event.to_owned(), detail, hash }
    }

    /// Whether the line is the one that was written after `previous`.
    pub fn continues(&self, previous: &str) -> bool {
        self.hash == chain(previous, &self.order, self.version, self.at, &self.event, &self.detail)
    }
}

fn chain(previous: &str, order: &OrderId, version: i64, at: Timestamp, event: &str, detail: &str) -> String {
    let (version, at) = (version.to_string(), at.as_microsecond().to_string());
    chained(&["obole-audit-v1", previous, order.as_str(), &version, &at, event, detail])
}

/// The hash of a line of a chain; every part is preceded by its length, so no two different lines hash the same text.
pub(super) fn chained(parts: &[&str]) -> String {
    let hasher = parts
        .iter()
        .fold(Sha256::new(), |hasher, part| hasher.chain_update((part.len() as u64).to_be_bytes()).chain_update(part.as_bytes()));
    hex(&hasher.finalize())
}

/// Rows turn into orders here only. A row whose columns and data disagree has no meaning and is refused.
pub(super) fn stored_order(row: &Row) -> Result<StoredOrder, StoreError> {
    let order: Order = row.json("data")?;
    let agrees = order.id.as_str() == row.text("id")?
        && order.version == row.int("version")?
        && order.state.name() == row.text("state")?
        && order.total.minor == row.int("total_minor")?;
    if !agrees {
        return Err(StoreError::Meaningless { column: "data", why: format!("contradicts the columns of order {}", order.id) });
    }
    Ok(StoredOrder { order, audit_hash: row.text("audit_hash")? })
}

/// An order's row as statements over many rows take it.
#[derive(Serialize)]
struct OrderRow<'a> {
    id: &'a OrderId,
    expected: i64,
    version: i64,
    state: &'static str,
    due: Option<i64>,
    platform: &'a PlatformName,
    author: &'a AccountId,
    payer: Option<&'a PersonId>,
    campaign: Option<&'a str>,
    currency: Currency,
    total: i64,
    created: i64,
    data: String,
    hash: &'a str,
}

/// The same of a payment.
#[derive(Serialize)]
struct PaymentRow<'a> {
    key: &'a PaymentKey,
    order: &'a OrderId,
    place: u16,
    payee: &'a PayeeId,
    bank: Option<&'a BankName>,
    currency: Currency,
    amount: i64,
    state: &'static str,
    at: i64,
}

fn order_row(stored: &StoredOrder, expected: i64) -> Result<OrderRow<'_>, StoreError> {
    let StoredOrder { order, audit_hash } = stored;
    Ok(OrderRow {
        id: &order.id,
        expected,
        version: order.version,
        state: order.state.name(),
        due: order.due_at().map(Timestamp::as_microsecond),
        platform: &order.source.platform,
        author: &order.source.author,
        payer: order.payer.as_ref().map(|payer| &payer.person),
        campaign: order.campaign.as_deref(),
        currency: order.total.currency,
        total: order.total.minor,
        created: order.created_at.as_microsecond(),
        data: json_of(order)?,
        hash: audit_hash,
    })
}

fn payment_rows(order: &Order, now: Timestamp) -> impl Iterator<Item = PaymentRow<'_>> {
    let bank = order.payer.as_ref().map(|payer| &payer.bank);
    order.payments.iter().map(move |payment| PaymentRow {
        key: &payment.key,
        order: &order.id,
        place: payment.index,
        payee: &payment.payee.id,
        bank,
        currency: payment.amount.currency,
        amount: payment.amount.minor,
        state: payment.state.name(),
        at: now.as_microsecond(),
    })
}

fn json_of(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Meaningless { column: "data", why: error.to_string() })
}

impl Tx {
    /// Orders by id, held until commit so that nobody else decides about them meanwhile. In the order of their ids.
    pub(crate) async fn orders(&mut self, ids: &[&OrderId]) -> Result<Vec<StoredOrder>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        const SELECT: Sql = Sql {
            sqlite: "SELECT id, version, state, total_minor, data, audit_hash FROM orders
                     WHERE id IN (SELECT r.value ->> 'id' FROM jsonb_each($1) AS r) ORDER BY id",
            postgres: "SELECT id, version, state, total_minor, data, audit_hash FROM orders
                       WHERE id IN (SELECT r.value ->> 'id' FROM json_array_elements(CAST($1 AS json)) AS r(value)) ORDER BY id FOR UPDATE",
        };
        let ids: Vec<_> = ids.iter().map(|id| json!({ "id": id })).collect();
        self.rows(SELECT, args![json!(ids).to_string()]).await?.iter().map(stored_order).collect()
    }

    /// The ids of a payer's orders that wait for an answer, oldest first.
    pub(crate) async fn orders_awaiting_answer(&mut self, payer: &PersonId) -> Result<Vec<OrderId>, StoreError> {
        let statement = sql!(
            "SELECT id FROM orders WHERE payer_id = $1 AND state = 'awaiting_confirmation' ORDER BY created_at DESC, id DESC LIMIT 100"
        );
        self.rows(statement, args![payer.as_str()]).await?.iter().rev().map(|row| row.parsed("id")).collect()
    }

    /// The ids of these payers' orders that wait for an answer, oldest first, each with its payer.
    pub(crate) async fn orders_awaiting_answers(&mut self, payers: &[&PersonId]) -> Result<Vec<(PersonId, OrderId)>, StoreError> {
        if payers.is_empty() {
            return Ok(Vec::new());
        }
        let statement = sql_rows!(
            "SELECT payer_id, id FROM orders WHERE state = 'awaiting_confirmation' AND payer_id IN (SELECT r.value ->> 'id' FROM",
            ") ORDER BY created_at, id"
        );
        let rows = self.rows(statement, args![ids_of(payers)]).await?;
        rows.iter().map(|row| Ok((row.parsed("payer_id")?, row.parsed("id")?))).collect()
    }

    /// The payments of these payers of which nobody knows what became.
    pub(crate) async fn uncertain_payments(&mut self, payers: &[&PersonId]) -> Result<Vec<UncertainPayment>, StoreError> {
        if payers.is_empty() {
            return Ok(Vec::new());
        }
        let statement = sql_rows!(
            "SELECT o.payer_id, p.order_id, p.payee_id, p.amount_minor, p.currency FROM payments AS p JOIN orders AS o ON o.id = p.order_id
             WHERE p.state = 'unknown' AND o.payer_id IN (SELECT r.value ->> 'id' FROM",
            ") ORDER BY p.order_id"
        );
        let rows = self.rows(statement, args![ids_of(payers)]).await?;
        let uncertain = |row: &Row| {
            Ok(UncertainPayment {
                payer: row.parsed("payer_id")?,
                order: row.parsed("order_id")?,
                payee: row.parsed("payee_id")?,
                amount: Money::new(row.int("amount_minor")?, row.parsed("currency")?),
            })
        };
        rows.iter().map(uncertain).collect()
    }

    /// The ids of a payer's newest orders that are not submitting yet, so that a cancel order can withdraw them.
    pub(crate) async fn orders_to_cancel(&mut self, payer: &PersonId) -> Result<Vec<OrderId>, StoreError> {
        let statement = sql!(
            "SELECT o.id FROM orders AS o WHERE o.payer_id = $1
               AND (o.state IN ('awaiting_confirmation', 'awaiting_payee', 'held')
                 OR (o.state = 'confirmed' AND NOT EXISTS (SELECT 1 FROM payments AS p WHERE p.order_id = o.id AND p.state <> 'ready')))
             ORDER BY o.created_at DESC, o.id DESC LIMIT 100"
        );
        self.rows(statement, args![payer.as_str()]).await?.iter().map(|row| row.parsed("id")).collect()
    }

    /// The ids of a payer's orders with a payment to this payee over this amount of which nobody knows what became.
    pub(crate) async fn uncertain_orders(
        &mut self,
        payer: &PersonId,
        payee: &PayeeId,
        amount: Money,
    ) -> Result<Vec<OrderId>, StoreError> {
        let statement = sql!(
            "SELECT p.order_id AS id FROM payments AS p JOIN orders AS o ON o.id = p.order_id
             WHERE p.payee_id = $1 AND p.state = 'unknown' AND p.amount_minor = $2 AND p.currency = $3 AND o.payer_id = $4
             ORDER BY p.order_id LIMIT 10"
        );
        let values = args![payee.as_str(), amount.minor, amount.currency.code(), payer.as_str()];
        self.rows(statement, values).await?.iter().map(|row| row.parsed("id")).collect()
    }

    /// The ids of a payer's held orders.
    pub(crate) async fn held_orders(&mut self, payer: &PersonId) -> Result<Vec<OrderId>, StoreError> {
        let statement = sql!("SELECT id FROM orders WHERE payer_id = $1 AND state = 'held' ORDER BY created_at, id LIMIT 100");
        self.rows(statement, args![payer.as_str()]).await?.iter().map(|row| row.parsed("id")).collect()
    }

    /// The ids of orders whose author has no channel yet.
    pub(crate) async fn orders_awaiting_payer(
        &mut self,
        platform: &PlatformName,
        author: &AccountId,
    ) -> Result<Vec<OrderId>, StoreError> {
        let statement =
            sql!("SELECT id FROM orders WHERE platform = $1 AND author = $2 AND state = 'awaiting_payer' ORDER BY id LIMIT 100");
        self.rows(statement, args![platform.as_str(), author.as_str()]).await?.iter().map(|row| row.parsed("id")).collect()
    }

    /// The platform's names of the public posts whose orders nobody has confirmed yet, newest first.
    pub(crate) async fn posts_of_open_orders(&mut self, platform: &PlatformName, at_most: i64) -> Result<Vec<String>, StoreError> {
        let statement = sql!(
            "SELECT p.native_id FROM orders AS o JOIN posts AS p ON p.order_id = o.id
             WHERE o.platform = $1 AND o.state IN ('awaiting_payer', 'awaiting_payee', 'awaiting_confirmation', 'held')
               AND p.platform = $1 AND p.channel = 'post' ORDER BY o.created_at DESC, o.id LIMIT $2"
        );
        self.rows(statement, args![platform.as_str(), at_most]).await?.iter().map(|row| row.text("native_id")).collect()
    }

    /// How many orders of each of these payers wait before confirmation.
    pub(crate) async fn open_orders(&mut self, payers: &[&PersonId]) -> Result<Vec<(PersonId, i64)>, StoreError> {
        if payers.is_empty() {
            return Ok(Vec::new());
        }
        let statement = sql_rows!(
            "SELECT payer_id, COUNT(*) AS open FROM orders WHERE state IN ('awaiting_confirmation', 'awaiting_payee', 'held')
             AND payer_id IN (SELECT r.value ->> 'id' FROM",
            ") GROUP BY payer_id"
        );
        let ids: Vec<_> = payers.iter().map(|id| json!({ "id": id })).collect();
        let rows = self.rows(statement, args![json!(ids).to_string()]).await?;
        rows.iter().map(|row| Ok((row.parsed("payer_id")?, row.int("open")?))).collect()
    }

    /// Payers for whom more orders wait than may, with how many do. Held orders were let in once and are not counted.
    pub(crate) async fn payers_with_more_open_orders_than(&mut self, most: i64) -> Result<Vec<(PersonId, i64)>, StoreError> {
        let statement = sql!(
            "SELECT payer_id, COUNT(*) AS open FROM orders WHERE state IN ('awaiting_confirmation', 'awaiting_payee')
             AND payer_id IS NOT NULL GROUP BY payer_id HAVING COUNT(*) > $1"
        );
        let rows = self.rows(statement, args![most]).await?;
        rows.iter().map(|row| Ok((row.parsed("payer_id")?, row.int("open")?))).collect()
    }

    /// The ids of orders that time alone has changed by now.
    pub(crate) async fn due_orders(&mut self, now: Timestamp, at_most: i64) -> Result<Vec<OrderId>, StoreError> {
        let statement = sql!("SELECT id FROM orders WHERE due_at <= $1 ORDER BY due_at, id LIMIT $2");
        self.rows(statement, args![now.as_microsecond(), at_most]).await?.iter().map(|row| row.parsed("id")).collect()
    }

    /// When time alone changes the next order.
    pub(crate) async fn next_order_due(&mut self) -> Result<Option<Timestamp>, StoreError> {
        let rows = self.rows(sql!("SELECT MIN(due_at) AS due FROM orders WHERE due_at IS NOT NULL"), args![]).await?;
        let due = rows.first().map_or(Ok(None), |row| row.optional_int("due"))?;
        Ok(due.and_then(|micros| Timestamp::from_microsecond(micros).ok()))
    }

    /// Which of these payments exist already: the same post, seen through another connection.
    pub(crate) async fn payments_among(&mut self, keys: &[&PaymentKey]) -> Result<HashSet<PaymentKey>, StoreError> {
        if keys.is_empty() {
            return Ok(HashSet::new());
        }
        let statement = sql_rows!("SELECT key FROM payments WHERE key IN (SELECT r.value ->> 'key' FROM", ")");
        let rows: Vec<_> = keys.iter().map(|key| json!({ "key": key })).collect();
        self.rows(statement, args![json!(rows).to_string()]).await?.iter().map(|row| row.parsed("key")).collect()
    }

    /// Writes new orders with their payments.
    pub(crate) async fn insert_orders(&mut self, orders: &[&StoredOrder], now: Timestamp) -> Result<(), StoreError> {
        if orders.is_empty() {
            return Ok(());
        }
        let insert_orders = sql_rows!(
            "INSERT INTO orders (id, version, state, due_at, platform, author, payer_id, campaign, currency, total_minor, created_at, data, audit_hash)
             SELECT r.value ->> 'id', CAST(r.value ->> 'version' AS BIGINT), r.value ->> 'state', CAST(r.value ->> 'due' AS BIGINT),
                    r.value ->> 'platform', r.value ->> 'author', r.value ->> 'payer', r.value ->> 'campaign', r.value ->> 'currency',
                    CAST(r.value ->> 'total' AS BIGINT), CAST(r.value ->> 'created' AS BIGINT), r.value ->> 'data', r.value ->> 'hash' FROM",
            ""
        );
        let rows = orders.iter().map(|stored| order_row(stored, 0)).collect::<Result<Vec<_>, _>>()?;
        self.run(insert_orders, args![json_of(&rows)?]).await?;
        let insert_payments = sql_rows!(
            "INSERT INTO payments (key, order_id, place, payee_id, bank, currency, amount_minor, state, changed_at)
             SELECT r.value ->> 'key', r.value ->> 'order', CAST(r.value ->> 'place' AS BIGINT), r.value ->> 'payee', r.value ->> 'bank',
                    r.value ->> 'currency', CAST(r.value ->> 'amount' AS BIGINT), r.value ->> 'state', CAST(r.value ->> 'at' AS BIGINT) FROM",
            ""
        );
        let payments: Vec<_> = orders.iter().flat_map(|stored| payment_rows(&stored.order, now)).collect();
        if !payments.is_empty() {
            self.run(insert_payments, args![json_of(&payments)?]).await?;
        }
        Ok(())
    }

    /// Writes orders that were read at the version given, with their payments. All or none: if anybody else wrote one of them
    /// meanwhile, nothing may be committed.
    pub(crate) async fn update_orders(&mut self, orders: &[(i64, &StoredOrder)], now: Timestamp) -> Result<(), StoreError> {
        if orders.is_empty() {
            return Ok(());
        }
        let update_orders = sql_rows!(
            "UPDATE orders SET version = u.version, state = u.state, due_at = u.due, payer_id = u.payer, data = u.data, audit_hash = u.hash FROM (
               SELECT r.value ->> 'id' AS id, CAST(r.value ->> 'expected' AS BIGINT) AS expected, CAST(r.value ->> 'version' AS BIGINT) AS version,
                      r.value ->> 'state' AS state, CAST(r.value ->> 'due' AS BIGINT) AS due, r.value ->> 'payer' AS payer,
                      r.value ->> 'data' AS data, r.value ->> 'hash' AS hash FROM",
            ") AS u WHERE orders.id = u.id AND orders.version = u.expected"
        );
        let rows = orders.iter().map(|(expected, stored)| order_row(stored, *expected)).collect::<Result<Vec<_>, _>>()?;
        let changed = self.run(update_orders, args![json_of(&rows)?]).await?;
        if changed != orders.len() as u64 {
            return Err(StoreError::Overtaken { expected: orders.len(), changed });
        }
        let update_payments = sql_rows!(
            "UPDATE payments SET state = u.state, bank = u.bank, changed_at = u.at FROM (
               SELECT r.value ->> 'key' AS key, r.value ->> 'state' AS state, r.value ->> 'bank' AS bank, CAST(r.value ->> 'at' AS BIGINT) AS at FROM",
            ") AS u WHERE payments.key = u.key AND payments.state <> u.state"
        );
        let payments: Vec<_> = orders.iter().flat_map(|(_, stored)| payment_rows(&stored.order, now)).collect();
        if !payments.is_empty() {
            self.run(update_payments, args![json_of(&payments)?]).await?;
        }
        Ok(())
    }

    /// Reserves an order's payments against the limits of its payer and of the account, in the statement that checks them: all or
    /// none. What was released before, by a hold after the first confirmation, is taken anew. Says which limit does not hold them. The
    /// payer's rows have to be held ([`Tx::lock_people`]).
    pub(crate) async fn reserve(
        &mut self,
        order: &Order,
        payer: &Payer,
        limits: &Limits,
        now: Timestamp,
    ) -> Result<Option<LimitKind>, StoreError> {
        let statement = sql_rows!(
            "INSERT INTO reservations (payment_key, order_id, person_id, iban, amount_minor, reserved_at)
             SELECT r.value ->> 'key', $2, $3, $4, CAST(r.value ->> 'amount' AS BIGINT), $5 FROM",
            "WHERE $6 + (SELECT COALESCE(SUM(amount_minor), 0) FROM reservations
                         WHERE person_id = $3 AND released_at IS NULL AND reserved_at > $7) <= $8
               AND $6 + (SELECT COALESCE(SUM(amount_minor), 0) FROM reservations
                         WHERE iban = $4 AND released_at IS NULL AND reserved_at > $7) <= $8
               AND $6 + (SELECT COALESCE(SUM(amount_minor), 0) FROM reservations
                         WHERE person_id = $3 AND released_at IS NULL
                           AND reserved_at > (SELECT strong_confirmed_at FROM people WHERE id = $3)) <= $9
               AND $6 + (SELECT COALESCE(SUM(amount_minor), 0) FROM reservations
                         WHERE iban = $4 AND released_at IS NULL
                           AND reserved_at > (SELECT strong_confirmed_at FROM people WHERE id = $3)) <= $9
               AND 1 + (SELECT COUNT(DISTINCT order_id) FROM reservations
                        WHERE (person_id = $3 OR iban = $4) AND released_at IS NULL
                          AND reserved_at > (SELECT strong_confirmed_at FROM people WHERE id = $3)) <= $10
               AND $6 <= COALESCE((SELECT CASE WHEN next_at <= $5 THEN next_order_minor ELSE order_minor END
                                   FROM own_limits WHERE person_id = $3), $6)
               AND $6 + (SELECT COALESCE(SUM(amount_minor), 0) FROM reservations
                         WHERE person_id = $3 AND released_at IS NULL AND reserved_at > $7)
                   <= COALESCE((SELECT CASE WHEN next_at <= $5 THEN next_day_minor ELSE day_minor END
                                FROM own_limits WHERE person_id = $3), $8)
             ON CONFLICT (payment_key) DO UPDATE SET person_id = excluded.person_id, iban = excluded.iban,
               amount_minor = excluded.amount_minor, reserved_at = excluded.reserved_at, released_at = NULL
             WHERE reservations.released_at IS NOT NULL"
        );
        let rows: Vec<_> =
            order.payments.iter().map(|payment| json!({ "key": payment.key, "amount": payment.amount.minor })).collect();
        let count = if planted!("limit_count_ignored") { i64::MAX } else { i64::from(limits.low_value_count) };
        let values = args![
            json!(rows).to_string(),
            order.id.as_str(),
            payer.person.as_str(),
            payer.iban.as_str(),
            now.as_microsecond(),
            order.total.minor,
            earlier(now, if planted!("day_is_an_hour") { DAY / 24 } else { DAY }).as_microsecond(),
            if planted!("limits_unchecked") { i64::MAX } else { limits.rolling_day_minor },
            if planted!("limits_unchecked") { i64::MAX } else { limits.low_value_sum_minor },
            if planted!("limits_unchecked") { i64::MAX } else { count }
        ];
        if self.run(statement, values).await? == order.payments.len() as u64 {
            return Ok(None);
        }
        self.which_limit(order, payer, limits, now).await.map(Some)
    }

    async fn which_limit(
        &mut self,
        order: &Order,
        payer: &Payer,
        limits: &Limits,
        now: Timestamp,
    ) -> Result<LimitKind, StoreError> {
        let day = sql!(
            "SELECT CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT) AS total FROM reservations
             WHERE person_id = $1 AND released_at IS NULL AND reserved_at > $2"
        );
        let rows = self.rows(day, args![payer.person.as_str(), earlier(now, DAY).as_microsecond()]).await?;
        let day = rows.first().map_or(Ok(0), |row| row.int("total"))?.saturating_add(order.total.minor);
        let own = self.own_limits(&payer.person).await?.as_of(now);
        if own.order_minor.is_some_and(|most| order.total.minor > most) || own.day_minor.is_some_and(|most| day > most) {
            return Ok(LimitKind::Own);
        }
        let statement = sql!(
            "SELECT CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT) AS total, COUNT(DISTINCT order_id) AS orders FROM reservations
             WHERE (person_id = $1 OR iban = $2) AND released_at IS NULL
               AND reserved_at > (SELECT strong_confirmed_at FROM people WHERE id = $1)"
        );
        let rows = self.rows(statement, args![payer.person.as_str(), payer.iban.as_str()]).await?;
        let (total, orders) =
            rows.first().map_or(Ok((0, 0)), |row| Ok::<_, StoreError>((row.int("total")?, row.int("orders")?)))?;
        Ok(if orders >= i64::from(limits.low_value_count) {
            LimitKind::LowValueCount
        } else if total.saturating_add(order.total.minor) > limits.low_value_sum_minor {
            LimitKind::LowValueSum
        } else {
            LimitKind::RollingDay
        })
    }

    /// Frees what was reserved for payments that surely were not made.
    pub(crate) async fn release(&mut self, payment_keys: &[&str], now: Timestamp) -> Result<(), StoreError> {
        if payment_keys.is_empty() {
            return Ok(());
        }
        let statement = sql_rows!(
            "UPDATE reservations SET released_at = $2 WHERE released_at IS NULL AND payment_key IN (SELECT r.value ->> 'key' FROM",
            ")"
        );
        self.run(statement, args![keys_as_rows(payment_keys), now.as_microsecond()]).await?;
        Ok(())
    }

    /// Lets count again what was freed for payments that may have been made after all.
    pub(crate) async fn retake(&mut self, payment_keys: &[&str]) -> Result<(), StoreError> {
        if payment_keys.is_empty() {
            return Ok(());
        }
        let statement =
            sql_rows!("UPDATE reservations SET released_at = NULL WHERE payment_key IN (SELECT r.value ->> 'key' FROM", ")");
        self.run(statement, args![keys_as_rows(payment_keys)]).await?;
        Ok(())
    }

    /// Writes audit lines.
    pub(crate) async fn insert_audit(&mut self, lines: &[AuditLine]) -> Result<(), StoreError> {
        if lines.is_empty() {
            return Ok(());
        }
        let statement = sql_rows!(
            "INSERT INTO audit (order_id, version, at, event, detail, hash)
             SELECT r.value ->> 'order', CAST(r.value ->> 'version' AS BIGINT), CAST(r.value ->> 'at' AS BIGINT), r.value ->> 'event',
                    r.value ->> 'detail', r.value ->> 'hash' FROM",
            ""
        );
        let rows: Vec<_> = lines
            .iter()
            .map(|line| {
                json!({
                    "order": line.order, "version": line.version, "at": line.at.as_microsecond(), "event": line.event,
                    "detail": line.detail, "hash": line.hash,
                })
            })
            .collect();
        self.run(statement, args![json!(rows).to_string()]).await?;
        Ok(())
    }

    /// The audit lines of an order, first to last.
    pub(crate) async fn audit_of(&mut self, order: &OrderId) -> Result<Vec<AuditLine>, StoreError> {
        let statement = sql!("SELECT order_id, version, at, event, detail, hash FROM audit WHERE order_id = $1 ORDER BY version");
        let rows = self.rows(statement, args![order.as_str()]).await?;
        rows.iter()
            .map(|row| {
                Ok(AuditLine {
                    order: row.parsed("order_id")?,
                    version: row.int("version")?,
                    at: super::people::timestamp(row, "at")?,
                    event: row.text("event")?,
                    detail: row.text("detail")?,
                    hash: row.text("hash")?,
                })
            })
            .collect()
    }
}

/// The rolling window of the daily limit.
const DAY: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);
