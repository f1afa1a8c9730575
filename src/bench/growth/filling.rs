//! Filling a store: a lived order, copied by SQL.
//!
//! Living through a million orders would take most of an hour and says nothing that copies do not. So one order is lived from the post to
//! the receipt (or to the question that nobody answers), and every row that it has left is copied: the order, its payment, its lines of
//! audit, its effects, its posts, its reservation, and, for every fifth copy, a payer with link and account. Ids, keys, posts and payers
//! are made anew; sizes, states and indexes are those of the lived rows. The copies' audit chains do not verify, since hashes are copied.

use std::time::Duration;

use crate::ids::OrderId;
use crate::store::engine::{Sql, Tx, args, sql};
use crate::store::{Store, StoreError};

/// Copies made in one transaction.
const COPIES: i64 = 10_000;

/// `INSERT INTO $into SELECT $what FROM` the numbers `$1` to `$2` `$joined`. Each number `n.i` comes with an id of its own (`n.id`) and that
/// of its payer (`n.person`), whom five of them share.
macro_rules! copies {
    ($into:literal, $what:literal, $joined:literal) => {
        Sql {
            sqlite: concat!(
                "INSERT INTO ",
                $into,
                " SELECT ",
                $what,
                " FROM (WITH RECURSIVE numbers(i) AS (SELECT CAST($1 AS INTEGER) UNION ALL SELECT i + 1 FROM numbers WHERE i < $2)
                   SELECT i, printf('%032x', i) AS id, printf('%032x', i / 5) AS person FROM numbers) AS n ",
                $joined
            ),
            postgres: concat!(
                "INSERT INTO ",
                $into,
                " SELECT ",
                $what,
                " FROM (SELECT i, lpad(to_hex(i), 32, '0') AS id, lpad(to_hex(i / 5), 32, '0') AS person
                   FROM generate_series(CAST($1 AS BIGINT), CAST($2 AS BIGINT)) AS numbers(i)) AS n ",
                $joined
            ),
        }
    };
}

/// A lived order, of which copies are made.
pub(super) struct Template {
    /// Its id.
    pub(super) order: OrderId,
    /// The number of the first copy; templates must not share numbers.
    pub(super) first: i64,
}

impl Template {
    /// Makes copies until there are `wanted` of them; `made` are there already.
    pub(super) async fn copy(&self, store: &Store, made: i64, wanted: i64, mut step: impl FnMut(i64)) -> Result<(), StoreError> {
        let mut done = made;
        while done < wanted {
            let so_many = COPIES.min(wanted - done);
            let mut tx = store.begin().await?;
            self.insert(&mut tx, self.first + done, self.first + done + so_many - 1).await?;
            tx.commit().await?;
            done += so_many;
            step(so_many);
        }
        Ok(())
    }

    async fn insert(&self, tx: &mut Tx, from: i64, to: i64) -> Result<(), StoreError> {
        for statement in ROWS {
            tx.run(statement, args![from, to, self.order.as_str()]).await?;
        }
        Ok(())
    }
}

/// One statement for each table, in the order that references ask for. `$3` is the lived order.
const ROWS: [Sql; 9] = [
    copies!(
        "people (id, language, safe_phrase, strong_confirmed_at, created_at)",
        "n.person, p.language, p.safe_phrase, p.strong_confirmed_at, p.created_at",
        "CROSS JOIN orders AS o JOIN people AS p ON p.id = o.payer_id WHERE o.id = $3 AND n.i % 5 = 0"
    ),
    copies!(
        "links (platform, account, handle, person_id, thread, linked_at)",
        "l.platform, 'copy' || n.id, l.handle, n.person, l.thread, l.linked_at",
        "CROSS JOIN orders AS o JOIN links AS l ON l.person_id = o.payer_id WHERE o.id = $3 AND n.i % 5 = 0"
    ),
    copies!(
        "bank_accounts (person_id, bank, iban, consent, added_at)",
        "n.person, b.bank, 'FR76' || n.person, b.consent, b.added_at",
        "CROSS JOIN orders AS o JOIN bank_accounts AS b ON b.person_id = o.payer_id WHERE o.id = $3 AND n.i % 5 = 0"
    ),
    // Time alone changes nothing about a copy while it is measured beside.
    copies!(
        "orders (id, version, state, due_at, platform, author, payer_id, campaign, currency, total_minor, created_at, data, audit_hash)",
        "n.id, o.version, o.state, o.due_at + 86400000000, o.platform, 'copy' || n.id, n.person, o.campaign, o.currency, o.total_minor, o.created_at,
         replace(replace(replace(o.data, o.id, n.id), p.key, n.id), o.payer_id, n.person), o.audit_hash",
        "CROSS JOIN orders AS o JOIN payments AS p ON p.order_id = o.id WHERE o.id = $3"
    ),
    copies!(
        "payments (key, order_id, place, payee_id, bank, currency, amount_minor, state, changed_at)",
        "n.id, n.id, p.place, p.payee_id, p.bank, p.currency, p.amount_minor, p.state, p.changed_at",
        "CROSS JOIN payments AS p WHERE p.order_id = $3"
    ),
    copies!(
        "reservations (payment_key, order_id, person_id, iban, amount_minor, reserved_at, released_at)",
        "n.id, n.id, n.person, 'FR76' || n.person, r.amount_minor, r.reserved_at, r.released_at",
        "CROSS JOIN reservations AS r WHERE r.payment_key IN (SELECT p.key FROM payments AS p WHERE p.order_id = $3)"
    ),
    copies!(
        "audit (order_id, version, at, event, detail, hash)",
        "n.id, a.version, a.at, a.event, a.detail, a.hash",
        "CROSS JOIN audit AS a WHERE a.order_id = $3"
    ),
    copies!(
        "effects (id, lane, order_id, data, priority, due_at, attempts, lease_until, epoch, state, result, created_at)",
        "substr(e.id, 25, 8) || substr(n.id, 9, 24), e.lane, n.id, e.data, e.priority, e.due_at, e.attempts, e.lease_until, e.epoch, e.state,
         e.result, e.created_at",
        "CROSS JOIN effects AS e WHERE e.order_id = $3"
    ),
    copies!(
        "posts (platform, channel, post_id, native_id, author, outcome, order_id, seen_at)",
        "p.platform, p.channel, p.post_id || '/' || n.id, p.native_id || '/' || n.id, 'copy' || n.id, p.outcome,
         CASE WHEN p.order_id IS NULL THEN NULL ELSE n.id END, p.seen_at",
        "CROSS JOIN orders AS o JOIN posts AS p ON p.platform = o.platform AND p.author = o.author WHERE o.id = $3"
    ),
];

/// What a PostgreSQL does by itself some time after so many rows: without it its plans would be those of empty tables. SQLite has nothing
/// of the kind.
pub(super) async fn settle(store: &Store) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    if !tx.has_one_writer() {
        tx.run(sql!("ANALYZE"), args![]).await?;
    }
    tx.commit().await?;
    tokio::time::sleep(SETTLING).await;
    Ok(())
}

/// The disk comes to rest.
const SETTLING: Duration = Duration::from_millis(500);
