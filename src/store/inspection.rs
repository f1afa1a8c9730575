//! What an audit reads: every order with all that belongs to it, from first to last, in batches, in one snapshot that changes nothing.

use std::collections::HashMap;

use super::engine::{Engine, Location, Row, Sql, Tx, args, sql};
use super::operators::{Reservation, reservation};
use super::orders::AuditLine;
use super::people::timestamp;
use super::{SQLITE_STEPS, Store, StoreError};

/// An order's row as it stands there, believed in nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawOrder {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: i64,
    /// Its state by name.
    pub state: String,
    /// The connection it came through.
    pub platform: String,
    /// Who pays.
    pub payer: Option<String>,
    /// The campaign it counts for.
    pub campaign: Option<String>,
    /// Its currency.
    pub currency: String,
    /// The sum of its payments.
    pub total_minor: i64,
    /// The order itself, as JSON.
    pub data: String,
    /// The hash of its newest audit line.
    pub audit_hash: String,
}

/// A payment's row as it stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawPayment {
    /// Its key.
    pub key: String,
    /// Its place in the order.
    pub place: i64,
    /// Who receives.
    pub payee: String,
    /// At which bank.
    pub bank: Option<String>,
    /// Its currency.
    pub currency: String,
    /// How much.
    pub amount_minor: i64,
    /// Its state by name.
    pub state: String,
}

/// An order with everything that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspected {
    /// Its row.
    pub order: RawOrder,
    /// Its payments' rows, by place.
    pub payments: Vec<RawPayment>,
    /// What is or was reserved for them.
    pub reservations: Vec<Reservation>,
    /// Its audit lines, by version.
    pub lines: Vec<AuditLine>,
    /// The messages that are said to have made it: channel and name.
    pub posts: Vec<(String, String)>,
}

/// A sum over settled payments as the rows give it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettledSum {
    /// The payee's id, or the campaign's hashtag.
    pub of: String,
    /// In which currency.
    pub currency: String,
    /// How much.
    pub minor: i64,
}

impl Store {
    /// Opens a store for reading only, also while an Obole serves it. Nothing is locked, migrated or written.
    pub async fn open_reading(location: &Location) -> Result<Self, StoreError> {
        if let Location::Sqlite(path) = location
            && !path.is_file()
        {
            return Err(StoreError::WrongGround(format!("there is no database {}", path.display())));
        }
        let store = Store { engine: Engine::open_reading(location).await?, sole_user: None, file: None };
        let mut tx = store.begin_reading().await?;
        let found = tx.rows(sql!("SELECT CAST(MAX(version) AS BIGINT) AS version FROM _sqlx_migrations"), args![]).await;
        let version = match found.map(|rows| rows.first().map(|row| row.optional_int("version"))) {
            Ok(Some(Ok(Some(version)))) => version,
            _ => return Err(StoreError::WrongGround("this is no database of an Obole, or one that cannot be read".to_owned())),
        };
        let ours = SQLITE_STEPS.last().map_or(0, |(version, ..)| *version);
        if version == ours {
            return Ok(store);
        }
        Err(StoreError::WrongGround(format!(
            "the database has schema {version} and this version of Obole reads {ours}; it is brought up to date by a start on it"
        )))
    }
}

fn parsed_lines(rows: &[Row]) -> Result<HashMap<String, Vec<AuditLine>>, StoreError> {
    let mut lines: HashMap<String, Vec<AuditLine>> = HashMap::new();
    for row in rows {
        let id = row.text("order_id")?;
        // What has no order's id belongs to no order, and is found as such.
        let Ok(order) = id.parse() else { continue };
        lines.entry(id).or_default().push(AuditLine {
            order,
            version: row.int("version")?,
            at: timestamp(row, "at")?,
            event: row.text("event")?,
            detail: row.text("detail")?,
            hash: row.text("hash")?,
        });
    }
    Ok(lines)
}

impl Tx {
    /// Makes everything read in this transaction one moment of the database.
    pub(crate) async fn hold_still(&mut self) -> Result<(), StoreError> {
        const STILL: Sql = Sql {
            sqlite: "SELECT name FROM settings LIMIT 1",
            postgres: "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
        };
        self.run(STILL, args![]).await?;
        Ok(())
    }

    /// How many orders there are.
    pub(crate) async fn count_orders(&mut self) -> Result<i64, StoreError> {
        let rows = self.rows(sql!("SELECT COUNT(*) AS n FROM orders"), args![]).await?;
        rows.first().map_or(Ok(0), |row| row.int("n"))
    }

    /// The next orders after `after` in the order of their ids, each with all that belongs to it.
    pub(crate) async fn inspect_orders(&mut self, after: &str, at_most: i64) -> Result<Vec<Inspected>, StoreError> {
        let statement = sql!(
            "SELECT id, version, state, platform, payer_id, campaign, currency, total_minor, data, audit_hash FROM orders
             WHERE id > $1 ORDER BY id LIMIT $2"
        );
        let orders = self.rows(statement, args![after, at_most]).await?;
        let Some(last) = orders.last().map(|row| row.text("id")).transpose()? else { return Ok(Vec::new()) };
        let range = || args![after, last.as_str()];
        let lines = sql!(
            "SELECT order_id, version, at, event, detail, hash FROM audit WHERE order_id > $1 AND order_id <= $2 ORDER BY order_id, version"
        );
        let mut lines = parsed_lines(&self.rows(lines, range()).await?)?;
        let payments = sql!(
            "SELECT p.order_id, p.key, p.place, p.payee_id, p.bank, p.currency, p.amount_minor, p.state,
                    r.payment_key, r.person_id, r.iban, r.amount_minor AS reserved_minor, r.reserved_at, r.released_at
             FROM payments AS p LEFT JOIN reservations AS r ON r.payment_key = p.key
             WHERE p.order_id > $1 AND p.order_id <= $2 ORDER BY p.order_id, p.place"
        );
        let mut money: HashMap<String, (Vec<RawPayment>, Vec<Reservation>)> = HashMap::new();
        for row in &self.rows(payments, range()).await? {
            let (payments, reservations) = money.entry(row.text("order_id")?).or_default();
            payments.push(RawPayment {
                key: row.text("key")?,
                place: row.int("place")?,
                payee: row.text("payee_id")?,
                bank: row.optional_text("bank")?,
                currency: row.text("currency")?,
                amount_minor: row.int("amount_minor")?,
                state: row.text("state")?,
            });
            if row.optional_text("payment_key")?.is_some() {
                reservations.push(Reservation { amount_minor: row.int("reserved_minor")?, ..reservation(row)? });
            }
        }
        let mut posts = self.posts_of_orders(&orders).await?;
        orders
            .iter()
            .map(|row| {
                let order = raw_order(row)?;
                let (payments, reservations) = money.remove(&order.id).unwrap_or_default();
                let (lines, posts) = (lines.remove(&order.id).unwrap_or_default(), posts.remove(&order.id).unwrap_or_default());
                Ok(Inspected { order, payments, reservations, lines, posts })
            })
            .collect()
    }

    /// The messages that say of themselves that they made these orders, found by the name that each order gives its message.
    async fn posts_of_orders(&mut self, orders: &[Row]) -> Result<HashMap<String, Vec<(String, String)>>, StoreError> {
        let mut names = Vec::with_capacity(orders.len());
        for row in orders {
            let data: serde_json::Value = serde_json::from_str(&row.text("data")?).unwrap_or_default();
            let source = &data["source"];
            names.push(serde_json::json!({ "platform": source["platform"], "channel": source["channel"], "post": source["post"] }));
        }
        let statement = super::engine::sql_rows!(
            "SELECT p.channel, p.post_id, p.order_id FROM (
               SELECT r.value ->> 'platform' AS platform, r.value ->> 'channel' AS channel, r.value ->> 'post' AS post FROM",
            ") AS n JOIN posts AS p ON p.platform = n.platform AND p.channel = n.channel AND p.post_id = n.post"
        );
        let mut posts: HashMap<String, Vec<(String, String)>> = HashMap::new();
        for row in &self.rows(statement, args![serde_json::json!(names).to_string()]).await? {
            let Some(order) = row.optional_text("order_id")? else { continue };
            let of = posts.entry(order).or_default();
            let post = (row.text("channel")?, row.text("post_id")?);
            // Two orders of one message name it twice here.
            if !of.contains(&post) {
                of.push(post);
            }
        }
        Ok(posts)
    }

    /// Rows that name an order that is not there: the table, and the order it names. At most `at_most` of each table.
    pub(crate) async fn rows_without_order(&mut self, at_most: i64) -> Result<Vec<(&'static str, String)>, StoreError> {
        let looks = [
            (
                "audit",
                sql!(
                    "SELECT DISTINCT t.order_id AS id FROM audit AS t WHERE NOT EXISTS (SELECT 1 FROM orders AS o WHERE o.id = t.order_id) LIMIT $1"
                ),
            ),
            (
                "payments",
                sql!(
                    "SELECT DISTINCT t.order_id AS id FROM payments AS t WHERE NOT EXISTS (SELECT 1 FROM orders AS o WHERE o.id = t.order_id) LIMIT $1"
                ),
            ),
            (
                "posts",
                sql!(
                    "SELECT DISTINCT t.order_id AS id FROM posts AS t WHERE t.order_id IS NOT NULL
                     AND NOT EXISTS (SELECT 1 FROM orders AS o WHERE o.id = t.order_id) LIMIT $1"
                ),
            ),
            (
                "reservations",
                sql!(
                    "SELECT DISTINCT t.order_id AS id FROM reservations AS t
                     WHERE NOT EXISTS (SELECT 1 FROM payments AS p WHERE p.key = t.payment_key AND p.order_id = t.order_id) LIMIT $1"
                ),
            ),
        ];
        let mut found = Vec::new();
        for (table, statement) in looks {
            for row in &self.rows(statement, args![at_most]).await? {
                found.push((table, row.text("id")?));
            }
        }
        Ok(found)
    }

    /// What is settled for each payee, by the payments' rows.
    pub(crate) async fn settled_by_payee(&mut self) -> Result<Vec<SettledSum>, StoreError> {
        let statement = sql!(
            "SELECT payee_id AS of_whom, currency, CAST(SUM(amount_minor) AS BIGINT) AS minor FROM payments WHERE state = 'settled'
             GROUP BY payee_id, currency ORDER BY payee_id, currency"
        );
        self.settled_sums(statement).await
    }

    /// What is settled for each campaign, as its page shows it: gifts to the campaign's own payee.
    pub(crate) async fn settled_by_campaign(&mut self) -> Result<Vec<SettledSum>, StoreError> {
        let statement = sql!(
            "SELECT c.tag AS of_whom, p.currency, CAST(SUM(p.amount_minor) AS BIGINT) AS minor FROM campaigns AS c
             JOIN orders AS o ON o.campaign = c.tag JOIN payments AS p ON p.order_id = o.id AND p.payee_id = c.payee_id
             WHERE p.state = 'settled' GROUP BY c.tag, p.currency ORDER BY c.tag, p.currency"
        );
        self.settled_sums(statement).await
    }

    /// The payee of each campaign, by id.
    pub(crate) async fn payees_of_campaigns(&mut self) -> Result<HashMap<String, String>, StoreError> {
        let rows = self.rows(sql!("SELECT tag, payee_id FROM campaigns"), args![]).await?;
        rows.iter().map(|row| Ok((row.text("tag")?, row.text("payee_id")?))).collect()
    }

    async fn settled_sums(&mut self, statement: Sql) -> Result<Vec<SettledSum>, StoreError> {
        let rows = self.rows(statement, args![]).await?;
        rows.iter()
            .map(|row| Ok(SettledSum { of: row.text("of_whom")?, currency: row.text("currency")?, minor: row.int("minor")? }))
            .collect()
    }
}

fn raw_order(row: &Row) -> Result<RawOrder, StoreError> {
    Ok(RawOrder {
        id: row.text("id")?,
        version: row.int("version")?,
        state: row.text("state")?,
        platform: row.text("platform")?,
        payer: row.optional_text("payer_id")?,
        campaign: row.optional_text("campaign")?,
        currency: row.text("currency")?,
        total_minor: row.int("total_minor")?,
        data: row.text("data")?,
        audit_hash: row.text("audit_hash")?,
    })
}
