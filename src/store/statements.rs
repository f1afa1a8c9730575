//! What reconciliation compares: which accounts to read, the payments behind their entries, and the differences found.

use serde_json::json;

use super::StoreError;
use super::engine::{Tx, args, sql, sql_rows};
use crate::clock::Timestamp;
use crate::iban::Iban;
use crate::ids::{BankName, OrderId, PayeeId, PaymentKey};

/// An account whose entries may be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementAccount {
    /// Its number.
    pub iban: Iban,
    /// The newest consent to read it, if any.
    pub consent: Option<String>,
}

/// A difference between the bank's word and ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DifferenceRow {
    /// About which payment.
    pub payment_key: PaymentKey,
    /// Of what kind.
    pub kind: &'static str,
    /// Its order.
    pub order: OrderId,
    /// Its payee.
    pub payee: PayeeId,
    /// At which bank.
    pub bank: BankName,
    /// One sentence.
    pub detail: String,
}

impl Tx {
    /// Accounts at a bank from which something was confirmed since `since`, in the order of their numbers from `after` on.
    pub(crate) async fn accounts_with_payments(
        &mut self,
        bank: &BankName,
        since: Timestamp,
        after: &str,
        at_most: i64,
    ) -> Result<Vec<StatementAccount>, StoreError> {
        // Two looks, since what is reserved and what was released have an index each.
        let statement = sql!(
            "SELECT a.iban, MAX(a.consent) AS consent FROM bank_accounts AS a
             WHERE a.bank = $1 AND a.iban > $3
               AND a.added_at = (SELECT MAX(b.added_at) FROM bank_accounts AS b WHERE b.bank = a.bank AND b.iban = a.iban)
               AND (EXISTS (SELECT 1 FROM reservations AS r WHERE r.iban = a.iban AND r.released_at IS NULL AND r.reserved_at >= $2)
                 OR EXISTS (SELECT 1 FROM reservations AS r WHERE r.iban = a.iban AND r.released_at IS NOT NULL AND r.reserved_at >= $2))
             GROUP BY a.iban ORDER BY a.iban LIMIT $4"
        );
        let rows = self.rows(statement, args![bank.as_str(), since.as_microsecond(), after, at_most]).await?;
        rows.iter().map(|row| Ok(StatementAccount { iban: row.parsed("iban")?, consent: row.optional_text("consent")? })).collect()
    }

    /// Takes the turn to read an account, unless it was read after `unless_after`. One node gets it.
    pub(crate) async fn claim_statement(
        &mut self,
        bank: &BankName,
        iban: &Iban,
        unless_after: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let statement = sql!(
            "INSERT INTO statement_reads (bank, iban, read_at) VALUES ($1, $2, $3)
             ON CONFLICT (bank, iban) DO UPDATE SET read_at = excluded.read_at WHERE statement_reads.read_at <= $4"
        );
        let values = args![bank.as_str(), iban.as_str(), now.as_microsecond(), unless_after.as_microsecond()];
        Ok(self.run(statement, values).await? == 1)
    }

    /// Gives the turn back after a reading that did not work, so that the next cycle tries again.
    pub(crate) async fn forget_statement(&mut self, bank: &BankName, iban: &Iban) -> Result<(), StoreError> {
        let statement = sql!("DELETE FROM statement_reads WHERE bank = $1 AND iban = $2");
        self.run(statement, args![bank.as_str(), iban.as_str()]).await?;
        Ok(())
    }

    /// The ids of orders with a payment that was confirmed from this account since `since`, and of those behind these keys.
    pub(crate) async fn orders_behind_statement(
        &mut self,
        iban: &Iban,
        since: Timestamp,
        keys: &[&str],
    ) -> Result<Vec<OrderId>, StoreError> {
        let statement = sql_rows!(
            "SELECT order_id FROM reservations WHERE iban = $2 AND released_at IS NULL AND reserved_at >= $3
             UNION SELECT order_id FROM reservations WHERE iban = $2 AND released_at IS NOT NULL AND reserved_at >= $3
             UNION SELECT order_id FROM payments WHERE key IN (SELECT r.value ->> 'key' FROM",
            ") ORDER BY order_id"
        );
        let rows: Vec<_> = keys.iter().map(|key| json!({ "key": key })).collect();
        let values = args![json!(rows).to_string(), iban.as_str(), since.as_microsecond()];
        self.rows(statement, values).await?.iter().map(|row| row.parsed("order_id")).collect()
    }

    /// Settled payments at a bank that were not asked for once more, settled from `since` until `until`; the oldest first.
    pub(crate) async fn settled_unchecked(
        &mut self,
        bank: &BankName,
        since: Timestamp,
        until: Timestamp,
        at_most: i64,
    ) -> Result<Vec<(OrderId, PaymentKey)>, StoreError> {
        let statement = sql!(
            "SELECT p.order_id, p.key FROM payments AS p WHERE p.bank = $1 AND p.state = 'settled' AND p.changed_at >= $2
               AND p.changed_at <= $3 AND NOT EXISTS (SELECT 1 FROM status_checks AS s WHERE s.payment_key = p.key)
             ORDER BY p.changed_at, p.key LIMIT $4"
        );
        let values = args![bank.as_str(), since.as_microsecond(), until.as_microsecond(), at_most];
        self.rows(statement, values).await?.iter().map(|row| Ok((row.parsed("order_id")?, row.parsed("key")?))).collect()
    }

    /// Remembers that a payment was asked for once more. `false`: another node has just done so.
    pub(crate) async fn claim_status_check(&mut self, payment: &PaymentKey, now: Timestamp) -> Result<bool, StoreError> {
        let statement =
            sql!("INSERT INTO status_checks (payment_key, checked_at) VALUES ($1, $2) ON CONFLICT (payment_key) DO NOTHING");
        Ok(self.run(statement, args![payment.as_str(), now.as_microsecond()]).await? == 1)
    }

    /// Forgets it, since the bank did not answer.
    pub(crate) async fn forget_status_check(&mut self, payment: &PaymentKey) -> Result<(), StoreError> {
        self.run(sql!("DELETE FROM status_checks WHERE payment_key = $1"), args![payment.as_str()]).await?;
        Ok(())
    }

    /// Writes a difference down. `false` if it was found before: then it has been said.
    pub(crate) async fn insert_difference(&mut self, found: &DifferenceRow, now: Timestamp) -> Result<bool, StoreError> {
        let statement = sql!(
            "INSERT INTO differences (payment_key, kind, order_id, payee_id, bank, detail, found_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (payment_key, kind) DO NOTHING"
        );
        let values = args![
            found.payment_key.as_str(),
            found.kind,
            found.order.as_str(),
            found.payee.as_str(),
            found.bank.as_str(),
            found.detail.as_str(),
            now.as_microsecond()
        ];
        Ok(self.run(statement, values).await? == 1)
    }
}
