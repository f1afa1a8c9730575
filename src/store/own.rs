//! What a person decides about themselves: language, phrase, limits, accounts, the lock, and being forgotten.

use super::StoreError;
use super::engine::{Row, Sql, Tx, args, sql};
use super::people::timestamp;
use crate::clock::Timestamp;
use crate::ids::{AccountId, BankName, PersonId, PlatformName};
use crate::order::Order;
use crate::people::{BankAccount, Language, Link, OwnLimits, Person, Raise};

/// A person's account on a platform, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkRow {
    /// The account.
    pub link: Link,
    /// Since when it is linked.
    pub linked_at: Timestamp,
}

/// A person with what is known about them, but for their orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The person.
    pub person: Person,
    /// Since when nothing is taken from their account because they said that an order was not theirs.
    pub locked_at: Option<Timestamp>,
    /// Since when the cumulative low-value limits count.
    pub strong_confirmed_at: Timestamp,
    /// Their accounts on platforms, the oldest first.
    pub links: Vec<LinkRow>,
    /// Their accounts at banks; the first one pays.
    pub accounts: Vec<BankAccount>,
    /// Their own limits as they hold now, and what they become later.
    pub limits: OwnLimits,
}

/// No raise is waiting.
const NEVER: i64 = i64::MAX;

fn moment(row: &Row, column: &'static str) -> Result<Option<Timestamp>, StoreError> {
    Ok(row.optional_int(column)?.and_then(|micros| Timestamp::from_microsecond(micros).ok()))
}

/// The columns of `own_limits`, which are all null for somebody who has none.
pub(super) fn own_limits(row: &Row) -> Result<OwnLimits, StoreError> {
    let (order_minor, day_minor) = (row.optional_int("order_minor")?, row.optional_int("day_minor")?);
    let from = row.optional_int("next_at")?.filter(|at| *at != NEVER).and_then(|at| Timestamp::from_microsecond(at).ok());
    let next = (row.optional_int("next_order_minor")?, row.optional_int("next_day_minor")?);
    Ok(OwnLimits { order_minor, day_minor, raise: from.map(|from| Raise { order_minor: next.0, day_minor: next.1, from }) })
}

impl Tx {
    /// Everything known about a person but their orders; `None` for somebody unknown or erased.
    pub(crate) async fn known(&mut self, id: &PersonId, now: Timestamp) -> Result<Option<Known>, StoreError> {
        let statement = sql!(
            "SELECT language, safe_phrase, created_at, locked_at, strong_confirmed_at FROM people WHERE id = $1 AND erased_at IS NULL"
        );
        let rows = self.rows(statement, args![id.as_str()]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let person = Person {
            id: id.clone(),
            language: row.parsed("language")?,
            safe_phrase: row.text("safe_phrase")?,
            created_at: timestamp(row, "created_at")?,
        };
        let (locked_at, strong_confirmed_at) = (moment(row, "locked_at")?, timestamp(row, "strong_confirmed_at")?);
        let links = self.links_of(id).await?;
        let accounts = self.bank_accounts_of(id).await?;
        let limits = self.own_limits(id).await?.as_of(now);
        Ok(Some(Known { person, locked_at, strong_confirmed_at, links, accounts, limits }))
    }

    /// A person's accounts on platforms, the oldest first.
    pub(crate) async fn links_of(&mut self, person: &PersonId) -> Result<Vec<LinkRow>, StoreError> {
        let statement =
            sql!("SELECT platform, account, handle, thread, linked_at FROM links WHERE person_id = $1 ORDER BY linked_at, account");
        let rows = self.rows(statement, args![person.as_str()]).await?;
        let link = |row: &Row| {
            Ok(LinkRow {
                link: Link {
                    platform: PlatformName(row.text("platform")?),
                    account: AccountId(row.text("account")?),
                    handle: row.text("handle")?,
                    person: person.clone(),
                    thread: row.optional_text("thread")?,
                },
                linked_at: timestamp(row, "linked_at")?,
            })
        };
        rows.iter().map(link).collect()
    }

    /// A person's accounts at banks; the first one pays.
    pub(crate) async fn bank_accounts_of(&mut self, person: &PersonId) -> Result<Vec<BankAccount>, StoreError> {
        let statement = sql!("SELECT bank, iban, consent FROM bank_accounts WHERE person_id = $1 ORDER BY turn, iban");
        let rows = self.rows(statement, args![person.as_str()]).await?;
        let account = |row: &Row| {
            Ok(BankAccount {
                person: person.clone(),
                bank: BankName(row.text("bank")?),
                iban: row.parsed("iban")?,
                consent: row.optional_text("consent")?,
            })
        };
        rows.iter().map(account).collect()
    }

    /// A person's own limits as they were last written.
    pub(crate) async fn own_limits(&mut self, person: &PersonId) -> Result<OwnLimits, StoreError> {
        let statement =
            sql!("SELECT order_minor, day_minor, next_order_minor, next_day_minor, next_at FROM own_limits WHERE person_id = $1");
        let rows = self.rows(statement, args![person.as_str()]).await?;
        let Some(row) = rows.first() else { return Ok(OwnLimits::default()) };
        own_limits(row)
    }

    /// Writes a person's own limits.
    pub(crate) async fn save_own_limits(&mut self, person: &PersonId, limits: &OwnLimits) -> Result<(), StoreError> {
        let statement = sql!(
            "INSERT INTO own_limits (person_id, order_minor, day_minor, next_order_minor, next_day_minor, next_at)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (person_id) DO UPDATE SET order_minor = excluded.order_minor, day_minor = excluded.day_minor,
               next_order_minor = excluded.next_order_minor, next_day_minor = excluded.next_day_minor, next_at = excluded.next_at"
        );
        let (next_order, next_day, at) =
            limits.raise.map_or((None, None, NEVER), |raise| (raise.order_minor, raise.day_minor, raise.from.as_microsecond()));
        self.run(statement, args![person.as_str(), limits.order_minor, limits.day_minor, next_order, next_day, at]).await?;
        Ok(())
    }

    /// The phrase that every message repeats from now on.
    pub(crate) async fn set_phrase(&mut self, person: &PersonId, phrase: &str) -> Result<(), StoreError> {
        self.run(sql!("UPDATE people SET safe_phrase = $2 WHERE id = $1"), args![person.as_str(), phrase]).await?;
        Ok(())
    }

    /// The language that every message has from now on.
    pub(crate) async fn set_language(&mut self, person: &PersonId, language: Language) -> Result<(), StoreError> {
        self.run(sql!("UPDATE people SET language = $2 WHERE id = $1"), args![person.as_str(), language.code()]).await?;
        Ok(())
    }

    /// Lets nothing be taken from a person's account. `false` if that is so already.
    pub(crate) async fn lock_person(&mut self, person: &PersonId, now: Timestamp) -> Result<bool, StoreError> {
        let statement = sql!("UPDATE people SET locked_at = $2 WHERE id = $1 AND locked_at IS NULL");
        Ok(self.run(statement, args![person.as_str(), now.as_microsecond()]).await? == 1)
    }

    /// Takes the lock away. `false` if there is none.
    pub(crate) async fn unlock_person(&mut self, person: &PersonId) -> Result<bool, StoreError> {
        let statement = sql!("UPDATE people SET locked_at = NULL WHERE id = $1 AND locked_at IS NOT NULL");
        Ok(self.run(statement, args![person.as_str()]).await? == 1)
    }

    /// Everybody who is locked, the first first.
    pub(crate) async fn locked_people(&mut self, at_most: i64) -> Result<Vec<(PersonId, Timestamp)>, StoreError> {
        let statement = sql!("SELECT id, locked_at FROM people WHERE locked_at IS NOT NULL ORDER BY locked_at, id LIMIT $1");
        let rows = self.rows(statement, args![at_most]).await?;
        rows.iter().map(|row| Ok((row.parsed("id")?, timestamp(row, "locked_at")?))).collect()
    }

    /// From now on this account pays. `false` if the person has no such account.
    pub(crate) async fn pay_from(&mut self, person: &PersonId, account: &BankAccount) -> Result<bool, StoreError> {
        let statement = sql!(
            "UPDATE bank_accounts SET turn = (SELECT MIN(b.turn) - 1 FROM bank_accounts AS b WHERE b.person_id = $1)
             WHERE person_id = $1 AND bank = $2 AND iban = $3"
        );
        Ok(self.run(statement, args![person.as_str(), account.bank.as_str(), account.iban.as_str()]).await? == 1)
    }

    /// Unlinks an account on a platform.
    pub(crate) async fn delete_link(&mut self, person: &PersonId, platform: &str, account: &str) -> Result<bool, StoreError> {
        let statement = sql!("DELETE FROM links WHERE person_id = $1 AND platform = $2 AND account = $3");
        Ok(self.run(statement, args![person.as_str(), platform, account]).await? == 1)
    }

    /// Forgets an account at a bank.
    pub(crate) async fn delete_bank_account(&mut self, person: &PersonId, account: &BankAccount) -> Result<bool, StoreError> {
        let statement = sql!("DELETE FROM bank_accounts WHERE person_id = $1 AND bank = $2 AND iban = $3");
        Ok(self.run(statement, args![person.as_str(), account.bank.as_str(), account.iban.as_str()]).await? == 1)
    }

    /// What a person has reserved: in the last 24 hours, and since the last strong confirmation with its number of orders.
    pub(crate) async fn spent(&mut self, person: &PersonId, now: Timestamp) -> Result<(i64, i64, i64), StoreError> {
        let statement = sql!(
            "SELECT CAST(COALESCE(SUM(CASE WHEN reserved_at > $2 THEN amount_minor ELSE 0 END), 0) AS BIGINT) AS today,
                    CAST(COALESCE(SUM(CASE WHEN reserved_at > p.strong_confirmed_at THEN amount_minor ELSE 0 END), 0) AS BIGINT) AS codes,
                    COUNT(DISTINCT CASE WHEN reserved_at > p.strong_confirmed_at THEN order_id END) AS orders
             FROM reservations JOIN people AS p ON p.id = person_id WHERE person_id = $1 AND released_at IS NULL"
        );
        let day = crate::clock::earlier(now, std::time::Duration::from_secs(24 * 60 * 60));
        let rows = self.rows(statement, args![person.as_str(), day.as_microsecond()]).await?;
        let row = rows.first();
        row.map_or(Ok((0, 0, 0)), |row| Ok((row.int("today")?, row.int("codes")?, row.int("orders")?)))
    }

    /// Whether anything of a person is not at its end: an order that waits, a payment on its way or of unknown outcome.
    pub(crate) async fn has_unfinished(&mut self, person: &PersonId) -> Result<bool, StoreError> {
        let statement = sql!(
            "SELECT 1 AS found FROM orders AS o WHERE o.payer_id = $1
               AND (o.state IN ('awaiting_payer', 'awaiting_payee', 'awaiting_confirmation', 'held')
                 OR EXISTS (SELECT 1 FROM payments AS p WHERE p.order_id = o.id
                            AND p.state IN ('ready', 'submitting', 'awaiting_bank', 'executing', 'unknown', 'disputed')))
             LIMIT 1"
        );
        Ok(!self.rows(statement, args![person.as_str()]).await?.is_empty())
    }

    /// Forgets a person. What stays: the orders and payments with their accounts and their audit (the law wants payment records kept),
    /// under an id that leads to nobody any more, without handle, address or words.
    pub(crate) async fn erase_person(&mut self, person: &PersonId, now: Timestamp) -> Result<(), StoreError> {
        // What was sent to them, while their accounts are still known.
        const MESSAGES: Sql = Sql {
            sqlite: "DELETE FROM effects WHERE order_id IS NULL AND data ->> 'account' IN (SELECT account FROM links WHERE person_id = $1)
                     AND lane IN (SELECT 'dm:' || platform FROM links WHERE person_id = $1)",
            postgres: "DELETE FROM effects WHERE order_id IS NULL AND lane IN (SELECT 'dm:' || platform FROM links WHERE person_id = $1)
                       AND CAST(data AS json) ->> 'account' IN (SELECT account FROM links WHERE person_id = $1)",
        };
        self.run(MESSAGES, args![person.as_str()]).await?;
        // Enrolments tell who they were for in their last step, and hold the phrase.
        const ENROLMENTS: Sql = Sql {
            sqlite: "DELETE FROM enrolments WHERE person_id = $1 OR step_data ->> 'person' = $1",
            postgres: "DELETE FROM enrolments WHERE person_id = $1 OR CAST(step_data AS json) ->> 'person' = $1",
        };
        self.run(ENROLMENTS, args![person.as_str()]).await?;
        for statement in [
            sql!(
                "UPDATE posts SET author = '' WHERE EXISTS (SELECT 1 FROM links AS l
                   WHERE l.person_id = $1 AND l.platform = posts.platform AND l.account = posts.author)"
            ),
            sql!(
                "DELETE FROM hints WHERE EXISTS (SELECT 1 FROM links AS l
                   WHERE l.person_id = $1 AND l.platform = hints.platform AND l.account = hints.account)"
            ),
            sql!(
                "DELETE FROM wrong_codes WHERE EXISTS (SELECT 1 FROM links AS l
                   WHERE l.person_id = $1 AND l.platform = wrong_codes.platform AND l.account = wrong_codes.account)"
            ),
            sql!(
                "DELETE FROM holders WHERE EXISTS (SELECT 1 FROM bank_accounts AS b
                   WHERE b.person_id = $1 AND b.bank = holders.bank AND b.iban = holders.iban)"
            ),
            sql!("DELETE FROM hand_over_lines WHERE call_id IN (SELECT call_id FROM hand_overs WHERE person_id = $1)"),
            sql!("DELETE FROM hand_overs WHERE person_id = $1"),
            sql!("DELETE FROM offered_sets WHERE person_id = $1"),
            sql!("DELETE FROM passkeys WHERE person_id = $1"),
            sql!("DELETE FROM sessions WHERE person_id = $1"),
            sql!("DELETE FROM ceremonies WHERE person_id = $1"),
            sql!("DELETE FROM own_limits WHERE person_id = $1"),
            sql!("DELETE FROM links WHERE person_id = $1"),
            sql!("DELETE FROM bank_accounts WHERE person_id = $1"),
        ] {
            self.run(statement, args![person.as_str()]).await?;
        }
        let forgotten =
            sql!("UPDATE people SET safe_phrase = '', locked_at = NULL, paused_at = NULL, erased_at = $2 WHERE id = $1");
        self.run(forgotten, args![person.as_str(), now.as_microsecond()]).await?;
        Ok(())
    }

    /// Writes orders whose payer is forgotten as they are told now. Neither author nor words are part of what was decided, so no version
    /// changes.
    pub(crate) async fn pseudonymise_orders(&mut self, orders: &[Order]) -> Result<(), StoreError> {
        for order in orders {
            let data =
                serde_json::to_string(order).map_err(|error| StoreError::Meaningless { column: "data", why: error.to_string() })?;
            let statement = sql!("UPDATE orders SET author = $2, data = $3 WHERE id = $1");
            self.run(statement, args![order.id.as_str(), order.source.author.as_str(), data]).await?;
        }
        Ok(())
    }
}
