//! What a payer was asked with, and how often the answer was wrong.

use std::time::Duration;

use super::StoreError;
use super::engine::{Row, Tx, args, sql};
use crate::clock::{Timestamp, earlier};
use crate::ids::{AccountId, OrderId, PersonId, PlatformName};

/// Orders that one code was offered for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedSet {
    /// The keyed hash of the code.
    pub code_mac: String,
    /// The orders, in the order of the message.
    pub orders: Vec<OrderId>,
    /// Whether no other was offered since.
    pub is_newest: bool,
}

/// How long a set that is not the newest is remembered: longer than any code is good.
const REMEMBERED: Duration = Duration::from_secs(60 * 60);

/// Over how long wrong codes of an account are counted.
pub const WRONG_CODE_DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Tx {
    /// Offers a set of a person's orders under one code; any set offered before is not good any more. The person's row has to be held
    /// ([`Tx::lock_people`]), so that two nodes do not both offer the newest.
    pub(crate) async fn offer_set(
        &mut self,
        person: &PersonId,
        orders: &[OrderId],
        code_mac: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let forget = sql!("DELETE FROM offered_sets WHERE person_id = $1 AND offered_at <= $2");
        self.run(forget, args![person.as_str(), earlier(now, REMEMBERED).as_microsecond()]).await?;
        let statement = sql!(
            "INSERT INTO offered_sets (person_id, code_mac, orders, number, offered_at)
             SELECT $1, $2, $3, n.number, $4 FROM (SELECT COALESCE(MAX(number), 0) + 1 AS number FROM offered_sets WHERE person_id = $1) AS n
             WHERE 1 = 1
             ON CONFLICT (person_id, code_mac) DO UPDATE SET orders = excluded.orders, number = excluded.number, offered_at = excluded.offered_at"
        );
        let orders =
            serde_json::to_string(orders).map_err(|error| StoreError::Meaningless { column: "orders", why: error.to_string() })?;
        self.run(statement, args![person.as_str(), code_mac, orders, now.as_microsecond()]).await?;
        Ok(())
    }

    /// The sets that were offered to a person lately, the newest first.
    pub(crate) async fn offered_sets(&mut self, person: &PersonId) -> Result<Vec<OfferedSet>, StoreError> {
        let statement = sql!("SELECT code_mac, orders FROM offered_sets WHERE person_id = $1 ORDER BY number DESC LIMIT 10");
        let rows = self.rows(statement, args![person.as_str()]).await?;
        let set = |(place, row): (usize, &Row)| {
            Ok(OfferedSet { code_mac: row.text("code_mac")?, orders: row.json("orders")?, is_newest: place == 0 })
        };
        rows.iter().enumerate().map(set).collect()
    }

    /// Uses a set up: its code is good for nothing any more.
    pub(crate) async fn use_set_up(&mut self, person: &PersonId) -> Result<(), StoreError> {
        self.run(sql!("DELETE FROM offered_sets WHERE person_id = $1"), args![person.as_str()]).await?;
        Ok(())
    }

    /// Counts a wrong code of an account, and forgets those that are older than a day.
    pub(crate) async fn count_wrong_code(
        &mut self,
        platform: &PlatformName,
        account: &AccountId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let forget = sql!("DELETE FROM wrong_codes WHERE platform = $1 AND account = $2 AND at <= $3");
        let old = earlier(now, WRONG_CODE_DAY).as_microsecond();
        self.run(forget, args![platform.as_str(), account.as_str(), old]).await?;
        let statement = sql!("INSERT INTO wrong_codes (platform, account, at) VALUES ($1, $2, $3)");
        self.run(statement, args![platform.as_str(), account.as_str(), now.as_microsecond()]).await?;
        Ok(())
    }

    /// When an account sent wrong codes within the last day, oldest first.
    pub(crate) async fn wrong_codes(
        &mut self,
        platform: &PlatformName,
        account: &AccountId,
        now: Timestamp,
    ) -> Result<Vec<Timestamp>, StoreError> {
        let statement = sql!("SELECT at FROM wrong_codes WHERE platform = $1 AND account = $2 AND at > $3 ORDER BY at LIMIT 100");
        let since = earlier(now, WRONG_CODE_DAY).as_microsecond();
        let rows = self.rows(statement, args![platform.as_str(), account.as_str(), since]).await?;
        rows.iter().map(|row| super::people::timestamp(row, "at")).collect()
    }

    /// Begins something that may be undone within this transaction.
    pub(crate) async fn begin_trial(&mut self) -> Result<(), StoreError> {
        self.run(sql!("SAVEPOINT trial"), args![]).await.map(|_| ())
    }

    /// Undoes everything since [`Tx::begin_trial`].
    pub(crate) async fn undo_trial(&mut self) -> Result<(), StoreError> {
        self.run(sql!("ROLLBACK TO SAVEPOINT trial"), args![]).await?;
        self.run(sql!("RELEASE SAVEPOINT trial"), args![]).await.map(|_| ())
    }
}
