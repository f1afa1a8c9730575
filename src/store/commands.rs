//! What a person asks for besides paying: being left alone, what is left of the limits, a receipt's order, and the talk with an
//! operator.

use super::StoreError;
use super::engine::{Row, Tx, args, sql};
use super::people::timestamp;
use crate::clock::{Timestamp, earlier};
use crate::iban::Iban;
use crate::ids::{EffectId, OrderId, PersonId};

/// What counts against the limits of a person or of an account, whichever is more. Amounts in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Used {
    /// Reserved in the last 24 hours.
    pub day_minor: i64,
    /// Reserved since the last strong confirmation.
    pub low_value_minor: i64,
    /// In so many orders.
    pub low_value_orders: i64,
}

/// One line of a talk between a person and an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TalkLine {
    /// When.
    pub at: Timestamp,
    /// Which operator; `None`: the person.
    pub operator: Option<String>,
    /// What was written.
    pub said: String,
}

/// The most lines of one talk: who writes more is heard, and not written down.
const LONGEST_TALK: i64 = 50;

impl Tx {
    /// Lets a person be left alone from `since`, or heard again.
    pub(crate) async fn pause_person(&mut self, person: &PersonId, since: Option<Timestamp>) -> Result<(), StoreError> {
        let statement = sql!("UPDATE people SET paused_at = $2 WHERE id = $1");
        self.run(statement, args![person.as_str(), since.map(Timestamp::as_microsecond)]).await?;
        Ok(())
    }

    /// What counts against the limits now, by the sums that [`Tx::reserve`] checks.
    pub(crate) async fn used_limits(&mut self, person: &PersonId, iban: &Iban, now: Timestamp) -> Result<Used, StoreError> {
        let statement = sql!(
            "SELECT CAST(COALESCE(SUM(CASE WHEN r.reserved_at > $3 THEN r.amount_minor ELSE 0 END), 0) AS BIGINT) AS in_day,
                    CAST(COALESCE(SUM(CASE WHEN r.reserved_at > p.strong_confirmed_at THEN r.amount_minor ELSE 0 END), 0) AS BIGINT) AS low
             FROM reservations AS r JOIN people AS p ON p.id = $1
             WHERE r.released_at IS NULL AND (($4 = 1 AND r.person_id = $1) OR ($4 = 0 AND r.iban = $2))"
        );
        let mut used = Used::default();
        let since = earlier(now, std::time::Duration::from_secs(24 * 60 * 60)).as_microsecond();
        for of_person in [1_i64, 0] {
            let rows = self.rows(statement, args![person.as_str(), iban.as_str(), since, of_person]).await?;
            if let Some(row) = rows.first() {
                used.day_minor = used.day_minor.max(row.int("in_day")?);
                used.low_value_minor = used.low_value_minor.max(row.int("low")?);
            }
        }
        let orders = sql!(
            "SELECT COUNT(DISTINCT order_id) AS orders FROM reservations WHERE (person_id = $1 OR iban = $2) AND released_at IS NULL
               AND reserved_at > (SELECT strong_confirmed_at FROM people WHERE id = $1)"
        );
        let rows = self.rows(orders, args![person.as_str(), iban.as_str()]).await?;
        used.low_value_orders = rows.first().map_or(Ok(0), |row| row.int("orders"))?;
        Ok(used)
    }

    /// The ids of a payer's newest orders, newest first.
    pub(crate) async fn newest_order_ids(&mut self, payer: &PersonId, at_most: i64) -> Result<Vec<OrderId>, StoreError> {
        let statement = sql!("SELECT id FROM orders WHERE payer_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2");
        self.rows(statement, args![payer.as_str(), at_most]).await?.iter().map(|row| row.parsed("id")).collect()
    }

    /// The ids of a payer's orders that are not at their end, newest first: before confirmation, or with a payment under way.
    pub(crate) async fn unfinished_orders_of(&mut self, payer: &PersonId, at_most: i64) -> Result<Vec<OrderId>, StoreError> {
        let statement = sql!(
            "SELECT o.id FROM orders AS o WHERE o.payer_id = $1
               AND (o.state IN ('awaiting_confirmation', 'awaiting_payee', 'held')
                 OR (o.state = 'confirmed' AND EXISTS (SELECT 1 FROM payments AS p WHERE p.order_id = o.id
                       AND p.state IN ('ready', 'submitting', 'awaiting_bank', 'executing', 'unknown', 'disputed'))))
             ORDER BY o.created_at DESC, o.id DESC LIMIT $2"
        );
        self.rows(statement, args![payer.as_str(), at_most]).await?.iter().map(|row| row.parsed("id")).collect()
    }

    /// Writes down that a person wants to talk to somebody.
    pub(crate) async fn open_hand_over(&mut self, call: &EffectId, person: &PersonId, now: Timestamp) -> Result<(), StoreError> {
        let statement = sql!("INSERT INTO hand_overs (call_id, person_id, opened_at) VALUES ($1, $2, $3)");
        self.run(statement, args![call.as_str(), person.as_str(), now.as_microsecond()]).await?;
        Ok(())
    }

    /// The call by which a person waits for somebody, or is talking to them: open as long as no operator has closed it.
    pub(crate) async fn open_hand_over_of(&mut self, person: &PersonId) -> Result<Option<EffectId>, StoreError> {
        let statement = sql!(
            "SELECT h.call_id FROM hand_overs AS h LEFT JOIN effects AS e ON e.id = h.call_id
             WHERE h.person_id = $1 AND (e.id IS NULL OR e.state = 'pending') ORDER BY h.opened_at DESC LIMIT 1"
        );
        self.rows(statement, args![person.as_str()]).await?.first().map(|row| row.parsed("call_id")).transpose()
    }

    /// The person who made a call.
    pub(crate) async fn person_of_hand_over(&mut self, call: &EffectId) -> Result<Option<PersonId>, StoreError> {
        let rows = self.rows(sql!("SELECT person_id FROM hand_overs WHERE call_id = $1"), args![call.as_str()]).await?;
        rows.first().map(|row| row.parsed("person_id")).transpose()
    }

    /// Adds a line to a talk. `false` if it is as long as talks may be.
    pub(crate) async fn add_to_talk(
        &mut self,
        call: &EffectId,
        operator: Option<&str>,
        said: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let statement = sql!(
            "INSERT INTO hand_over_lines (call_id, number, at, operator, said)
             SELECT $1, n.number, $2, $3, $4
             FROM (SELECT COALESCE(MAX(number), 0) + 1 AS number FROM hand_over_lines WHERE call_id = $1) AS n WHERE n.number <= $5"
        );
        let values = args![call.as_str(), now.as_microsecond(), operator.map(str::to_owned), said, LONGEST_TALK];
        Ok(self.run(statement, values).await? == 1)
    }

    /// A talk, in its order.
    pub(crate) async fn talk(&mut self, call: &EffectId) -> Result<Vec<TalkLine>, StoreError> {
        let statement = sql!("SELECT at, operator, said FROM hand_over_lines WHERE call_id = $1 ORDER BY number");
        let line = |row: &Row| {
            Ok(TalkLine { at: timestamp(row, "at")?, operator: row.optional_text("operator")?, said: row.text("said")? })
        };
        self.rows(statement, args![call.as_str()]).await?.iter().map(line).collect()
    }

    /// A call that nobody has closed, by its id.
    pub(crate) async fn open_call(&mut self, call: &EffectId) -> Result<Option<String>, StoreError> {
        let statement = sql!("SELECT data FROM effects WHERE id = $1 AND lane = 'operator' AND state = 'pending'");
        self.rows(statement, args![call.as_str()]).await?.first().map(|row| row.text("data")).transpose()
    }
}
