//! The audit: finds every kind of tampering that it says it finds, and nothing where nothing is wrong.

use obole::app::operate::Act;
use obole::people::Language;
use obole::store::{Ground, Location, Store};

use crate::support::app::TestApp;
use crate::support::database::Engine;
use crate::support::stories::told_on_both;

const GIFT: &str = "@obole #donner 10€ @croixrouge #telethon";

/// Somebody changes a value where `wherever` holds; and how it is put right again.
fn changed(table: &str, column: &str, to: &str, wherever: &str) -> [String; 4] {
    [
        format!("CREATE TABLE kept AS SELECT * FROM {table}"),
        format!("UPDATE {table} SET {column} = {to} WHERE {wherever}"),
        format!("DELETE FROM {table}"),
        format!("INSERT INTO {table} SELECT * FROM kept"),
    ]
}

/// Somebody removes rows.
fn removed(table: &str, wherever: &str) -> [String; 4] {
    let [keep, _, clear, back] = changed(table, "", "", "");
    [keep, format!("DELETE FROM {table} WHERE {wherever}"), clear, back]
}

/// Somebody adds a row.
fn added(table: &str, values: &str) -> [String; 4] {
    let [keep, _, clear, back] = changed(table, "", "", "");
    [keep, format!("INSERT INTO {table} {values}"), clear, back]
}

told_on_both! {
    async fn every_tampering_is_found_and_named(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        let post = story.pays("ana", GIFT).await;
        let order = story.order_becomes(post, "settled").await;
        let post = story.posts("ana", "@obole #donner 2€ @wateraid");
        let other = story.order_becomes(post, "awaiting_confirmation").await;
        story.tells("ana", "non");
        story.order_becomes(post, "cancelled").await;
        for payee in ["wateraid", "bob"] {
            let act = Act::HoldPayee { payee: payee.to_owned(), note: "to be looked at".to_owned() };
            story.operator_does("ana", act).await.unwrap();
        }
        story.rests().await;
        assert_eq!(story.audit_finds().await, Vec::<String>::new());

        let (id, its) = (&order.id, format!("order_id = '{}'", order.id));
        let own = format!("id = '{id}'");
        let last = format!("{its} AND version = {}", order.version);
        let second = format!("{its} AND version = 2");
        let other_id = format!("'{}'", other.id);
        let cases: [([String; 4], &str); 24] = [
            (changed("orders", "audit_hash", "'00'", &own), "not the one that the order names"),
            (changed("orders", "version", "version + 1", &own), "the column version says otherwise"),
            (changed("orders", "state", "'cancelled'", &own), "the column state says otherwise"),
            (changed("orders", "total_minor", "1001", &own), "the column total_minor says otherwise"),
            (changed("orders", "campaign", "'other'", &own), "the column campaign says otherwise"),
            (changed("orders", "payer_id", "'somebody'", &own), "the column payer_id says otherwise"),
            (changed("orders", "data", "'{}'", &own), "its data cannot be read"),
            (changed("orders", "data", "REPLACE(data, 'croixrouge (legal)', 'eve')", &own), "not what its payer confirmed"),
            (changed("orders", "data", "REPLACE(data, '\"minor\":1000', '\"minor\":2000')", &own), "not what its payer confirmed"),
            (changed("audit", "detail", "REPLACE(detail, 'settled', 'failed')", &last), "is not the one that was written there"),
            (changed("audit", "event", "'answered_no'", &second), "is not the one that was written there"),
            (changed("audit", "hash", "'00'", &second), "is not the one that was written there"),
            (changed("audit", "at", "at + 1", &second), "is not the one that was written there"),
            (removed("audit", &second), "audit line 3 follows line 1"),
            (removed("audit", &last), "the newest audit line is"),
            (added("audit", &format!("SELECT '{}', 1, at, event, detail, hash FROM audit WHERE {second}", "f".repeat(32))), "no such row in orders"),
            (changed("payments", "amount_minor", "999", &its), "the row of payment 0 says otherwise"),
            (changed("payments", "state", "'failed'", &its), "settled are 1000 minor units of EUR by the orders and 0"),
            (changed("reservations", "released_at", "reserved_at", &its), "what was reserved for payment 0 is free again"),
            (changed("reservations", "amount_minor", "1", &its), "is another sum, person or account"),
            (removed("reservations", &its), "nothing was reserved against the limits for payment 0"),
            (changed("posts", "order_id", &other_id, &its), "is not there, or made another order"),
            (changed("operator_acts", "operator", "'bob'", "number = 1"), "act 1 is not the one that was written there"),
            (removed("operator_acts", "number = 2"), "the newest act is number 1, and was number 2 once"),
        ];
        for ([keep, tamper, clear, back], expected) in cases {
            // A campaign's sum follows the orders' column; PostgreSQL wants its references back in place.
            for statement in [&keep, &tamper] {
                story.tampers(statement).await;
            }
            let found = story.audit_finds().await;
            assert!(found.iter().any(|what| what.contains(expected)), "{tamper}: {expected:?} is not among {found:#?}");
            let table = clear.rsplit(' ').next().unwrap();
            let referred = table == "orders" && matches!(story.location(), Location::Postgres(_));
            if referred {
                story.tampers("UPDATE orders SET version = k.version, state = k.state, total_minor = k.total_minor, campaign = k.campaign,
                               payer_id = k.payer_id, data = k.data, audit_hash = k.audit_hash FROM kept AS k WHERE k.id = orders.id").await;
            } else {
                story.tampers(&clear).await;
                story.tampers(&back).await;
            }
            story.tampers("DROP TABLE kept").await;
            assert_eq!(story.audit_finds().await, Vec::<String>::new(), "after {tamper}");
        }
        story.ends().await;
    }

    async fn a_settled_payment_that_nobody_confirmed_is_found(story: TestApp) {
        // Somebody who can write whole orders lets one be settled that waits, and mends what the database itself compares.
        story.enrols("ana", Language::Fr).await;
        let post = story.posts("ana", GIFT);
        let order = story.order_becomes(post, "awaiting_confirmation").await;
        let settled = obole::order::Order {
            state: obole::order::OrderState::Confirmed { at: order.created_at, digest: order.digest().unwrap() },
            payments: vec![obole::order::Payment {
                state: obole::order::PaymentState::Settled { at: order.created_at, bank_payment_id: None },
                ..order.payments[0].clone()
            }],
            ..order.clone()
        };
        let data = |order: &obole::order::Order| serde_json::to_string(order).unwrap().replace('\'', "''");
        story.tampers(&format!("UPDATE orders SET state = 'confirmed', data = '{}' WHERE id = '{}'", data(&settled), order.id)).await;
        story.tampers(&format!("UPDATE payments SET state = 'settled' WHERE order_id = '{}'", order.id)).await;
        let found = story.audit_finds().await.join("\n");
        assert!(found.contains("no audit line says that its payer confirmed it"), "{found}");
        assert!(found.contains("the newest audit line ends with"), "{found}");
        assert!(found.contains("nothing was reserved"), "{found}");
        let back = data(&order);
        story.tampers(&format!("UPDATE orders SET state = 'awaiting_confirmation', data = '{back}' WHERE id = '{}'", order.id)).await;
        story.tampers(&format!("UPDATE payments SET state = 'proposed' WHERE order_id = '{}'", order.id)).await;
        assert_eq!(story.audit_finds().await, Vec::<String>::new());
        story.ends().await;
    }
}

#[tokio::test]
async fn a_store_that_is_no_obole_s_is_said_so() {
    let directory = std::env::temp_dir().join(format!("obole_audit_{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join("other.db");
    let said = Store::open_reading(&Location::Sqlite(file.clone())).await.unwrap_err().to_string();
    assert!(said.starts_with("there is no database"), "{said}");
    std::fs::write(&file, "no database at all").unwrap();
    Store::open_reading(&Location::Sqlite(file.clone())).await.unwrap_err();
    std::fs::remove_file(&file).unwrap();
    Store::open(&Location::Sqlite(file.clone()), Ground::Production).await.unwrap().close().await;
    let alone = Store::open_reading(&Location::Sqlite(file)).await;
    assert!(alone.is_ok(), "a store that nobody serves is read as well: {alone:?}");
    alone.unwrap().close().await;
    std::fs::remove_dir_all(directory).unwrap();
}
