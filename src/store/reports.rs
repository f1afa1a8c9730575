//! What pages, totals and the demo's closing table read. Nothing here decides anything.

use serde_json::json;

use super::StoreError;
use super::engine::{Tx, args, sql, sql_rows};
use super::orders::stored_order;
use crate::ids::{OrderId, PersonId};
use crate::money::{Currency, Money};
use crate::order::Order;

/// How many orders stand how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingCount {
    /// The order's state before confirmation; afterwards the state of its least advanced payment.
    pub standing: String,
    /// How many orders.
    pub orders: i64,
}

/// How many messages became what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutcomeCount {
    /// `order`, `rejected`, `answer`, `enrolment`, `command` or `nothing`.
    pub outcome: String,
    /// How many messages.
    pub posts: i64,
}

/// What a campaign has brought in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CampaignTotal {
    /// Settled gifts.
    pub gifts: i64,
    /// Their sum.
    pub settled: Money,
    /// Confirmed and not settled yet.
    pub pending: Money,
}

impl Tx {
    /// The ids of orders with a payment to this payee that was settled, a page of them after the id given, in the order of their ids.
    pub(crate) async fn orders_that_paid(
        &mut self,
        payee: &crate::ids::PayeeId,
        after: &str,
        at_most: i64,
    ) -> Result<Vec<crate::ids::OrderId>, StoreError> {
        let statement = sql!(
            "SELECT DISTINCT order_id FROM payments WHERE payee_id = $1 AND state IN ('settled', 'returned') AND order_id > $2
             ORDER BY order_id LIMIT $3"
        );
        self.rows(statement, args![payee.as_str(), after, at_most]).await?.iter().map(|row| row.parsed("order_id")).collect()
    }

    /// One order.
    pub(crate) async fn order(&mut self, id: &OrderId) -> Result<Option<Order>, StoreError> {
        let statement = sql!("SELECT id, version, state, total_minor, data, audit_hash FROM orders WHERE id = $1");
        let rows = self.rows(statement, args![id.as_str()]).await?;
        rows.first().map(|row| stored_order(row).map(|stored| stored.order)).transpose()
    }

    /// Several orders at once, without holding them.
    pub(crate) async fn read_orders(&mut self, ids: &[&OrderId]) -> Result<Vec<Order>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let statement = sql_rows!(
            "SELECT id, version, state, total_minor, data, audit_hash FROM orders WHERE id IN (SELECT r.value ->> 'id' FROM",
            ")"
        );
        let ids: Vec<_> = ids.iter().map(|id| json!({ "id": id })).collect();
        let rows = self.rows(statement, args![json!(ids).to_string()]).await?;
        rows.iter().map(|row| stored_order(row).map(|stored| stored.order)).collect()
    }

    /// The newest orders, of one payer or of all, newest first.
    pub(crate) async fn newest_orders(&mut self, payer: Option<&PersonId>, at_most: i64) -> Result<Vec<Order>, StoreError> {
        let statement = sql!(
            "SELECT id, version, state, total_minor, data, audit_hash FROM orders
             WHERE $1 = '' OR payer_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2"
        );
        let rows = self.rows(statement, args![payer.map_or("", PersonId::as_str), at_most]).await?;
        rows.iter().map(|row| stored_order(row).map(|stored| stored.order)).collect()
    }

    /// Orders by standing.
    pub(crate) async fn standings(&mut self) -> Result<Vec<StandingCount>, StoreError> {
        let statement = sql!(
            "SELECT standing, COUNT(*) AS orders FROM (
               SELECT CASE WHEN o.state <> 'confirmed' THEN o.state
                 ELSE COALESCE((SELECT p.state FROM payments AS p WHERE p.order_id = o.id ORDER BY CASE p.state
                        WHEN 'ready' THEN 0 WHEN 'submitting' THEN 1 WHEN 'unknown' THEN 2 WHEN 'awaiting_bank' THEN 3
                        WHEN 'executing' THEN 4 WHEN 'disputed' THEN 5 WHEN 'failed' THEN 6 WHEN 'expired' THEN 7
                        WHEN 'returned' THEN 8 ELSE 9 END, p.place LIMIT 1), 'confirmed') END AS standing
               FROM orders AS o) AS s
             GROUP BY standing ORDER BY standing"
        );
        let rows = self.rows(statement, args![]).await?;
        rows.iter().map(|row| Ok(StandingCount { standing: row.text("standing")?, orders: row.int("orders")? })).collect()
    }

    /// Messages by what became of them.
    pub(crate) async fn outcomes(&mut self) -> Result<Vec<OutcomeCount>, StoreError> {
        let statement = sql!("SELECT outcome, COUNT(*) AS posts FROM posts GROUP BY outcome ORDER BY outcome");
        let rows = self.rows(statement, args![]).await?;
        rows.iter().map(|row| Ok(OutcomeCount { outcome: row.text("outcome")?, posts: row.int("posts")? })).collect()
    }

    /// The sum of all payments that are settled (and have not been returned).
    pub(crate) async fn settled_total(&mut self, currency: Currency) -> Result<Money, StoreError> {
        let statement = sql!(
            "SELECT CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT) AS total FROM payments WHERE state = 'settled' AND currency = $1"
        );
        let rows = self.rows(statement, args![currency.code()]).await?;
        Ok(Money::new(rows.first().map_or(Ok(0), |row| row.int("total"))?, currency))
    }

    /// What a campaign has brought in.
    pub(crate) async fn campaign_total(&mut self, tag: &str, currency: Currency) -> Result<CampaignTotal, StoreError> {
        let statement = sql!(
            "SELECT CAST(COALESCE(SUM(CASE WHEN p.state = 'settled' THEN p.amount_minor ELSE 0 END), 0) AS BIGINT) AS settled,
                    CAST(COALESCE(SUM(CASE WHEN p.state IN ('ready', 'submitting', 'awaiting_bank', 'executing', 'unknown')
                                           THEN p.amount_minor ELSE 0 END), 0) AS BIGINT) AS pending,
                    COUNT(DISTINCT CASE WHEN p.state = 'settled' THEN o.id END) AS gifts
             FROM orders AS o JOIN payments AS p ON p.order_id = o.id
             JOIN campaigns AS c ON c.tag = o.campaign AND c.payee_id = p.payee_id
             WHERE o.campaign = $1 AND p.currency = $2"
        );
        let rows = self.rows(statement, args![tag, currency.code()]).await?;
        let row = rows.first().ok_or(StoreError::Overtaken { expected: 1, changed: 0 })?;
        Ok(CampaignTotal {
            gifts: row.int("gifts")?,
            settled: Money::new(row.int("settled")?, currency),
            pending: Money::new(row.int("pending")?, currency),
        })
    }

    /// How many effects wait (those for an operator aside), and how many orders are not terminal; both zero means there is nothing left to do.
    pub(crate) async fn unfinished(&mut self) -> Result<(i64, i64), StoreError> {
        let effects =
            self.rows(sql!("SELECT COUNT(*) AS n FROM effects WHERE state = 'pending' AND lane <> 'operator'"), args![]).await?;
        let orders = sql!(
            "SELECT COUNT(*) AS n FROM orders AS o WHERE o.state IN ('awaiting_payer', 'awaiting_payee', 'awaiting_confirmation', 'held')
               OR (o.state = 'confirmed' AND EXISTS (SELECT 1 FROM payments AS p WHERE p.order_id = o.id
                   AND p.state IN ('ready', 'submitting', 'awaiting_bank', 'executing')))"
        );
        let orders = self.rows(orders, args![]).await?;
        Ok((effects.first().map_or(Ok(0), |row| row.int("n"))?, orders.first().map_or(Ok(0), |row| row.int("n"))?))
    }
}
