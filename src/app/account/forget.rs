//! Being forgotten, and having everything written out.
//!
//! # What erasure leaves
//!
//! Payment records have to be kept for years (the accounting and money-laundering laws), so orders, payments, their audit and what was
//! reserved stay, under an id that leads to nobody: without handle, account on the platform, address of the post, words, consent.
//! Everything else goes in the same commit: passkeys, sessions, links, accounts, limits, phrase, enrolments, messages sent.
//! While anything is under way it is refused, and while the account is locked: a thief does not tidy up.

use serde_json::{Value, json};

use super::ceremony::{self, ERASE};
use super::{AccountError, Outcome, Problem, Signed};
use crate::app::App;
use crate::app::desk::Desk;
use crate::ids::{AccountId, PersonId};
use crate::order::Order;

/// Forgets a person who has shown a passkey for just that.
pub(super) async fn erase(desk: &mut Desk<'_>, person: &PersonId, signed: &Signed) -> Outcome {
    let (app, now) = (desk.app, desk.now);
    let verified = match ceremony::verify(app, &mut desk.tx, ERASE, signed, now).await? {
        Ok(verified) => verified,
        Err(problem) => return Ok(Err(problem)),
    };
    if verified.row.person != *person {
        return Ok(Err(Problem::NotYours));
    }
    desk.tx.lock_people(&[person]).await?;
    // Of a locked account somebody has said that it was not them: what there is to look at stays until an operator has looked.
    let is_locked = desk.tx.known(person, now).await?.is_some_and(|known| known.locked_at.is_some());
    if is_locked || desk.tx.has_unfinished(person).await? {
        return Ok(Err(Problem::UnderWay));
    }
    let mut orders = desk.tx.newest_orders(Some(person), i64::MAX).await?;
    orders.iter_mut().for_each(pseudonymise);
    desk.tx.pseudonymise_orders(&orders).await?;
    desk.tx.erase_person(person, now).await?;
    Ok(Ok(()))
}

fn pseudonymise(order: &mut Order) {
    order.source.author = AccountId(String::new());
    order.source.author_handle = String::new();
    order.source.url = None;
    order.memo = None;
    if let Some(payer) = &mut order.payer {
        payer.consent = None;
    }
}

/// Everything about a person, as JSON: who they are here, what they set, and every order with its history.
pub async fn export(app: &App, person: &PersonId) -> Result<Value, AccountError> {
    let now = app.clock.now();
    let mut tx = app.store.begin_reading().await?;
    let known = tx.known(person, now).await?.ok_or(Problem::NotYours)?;
    let passkeys = tx.passkeys(person).await?;
    let orders = tx.newest_orders(Some(person), i64::MAX).await?;
    let mut written = Vec::with_capacity(orders.len());
    for order in &orders {
        let history: Vec<Value> = tx
            .audit_of(&order.id)
            .await?
            .into_iter()
            .map(|line| json!({ "at": line.at.to_string(), "event": line.event, "detail": line.detail }))
            .collect();
        written.push(json!({ "order": order, "receipt_number": order.receipt_number(), "history": history }));
    }
    let links: Vec<Value> = known
        .links
        .iter()
        .map(|row| {
            let link = &row.link;
            json!({ "platform": link.platform, "account": link.account, "handle": link.handle, "linked_at": row.linked_at.to_string() })
        })
        .collect();
    let accounts: Vec<Value> = known
        .accounts
        .iter()
        .map(|account| json!({ "bank": account.bank, "iban": account.iban.as_str(), "consent": account.consent }))
        .collect();
    let keys: Vec<Value> = passkeys
        .iter()
        .map(|key| {
            json!({
                "id": key.id, "added_at": key.added_at.to_string(), "added_by": key.origin, "usable_at": key.usable_at.to_string(),
                "used_at": key.used_at.map(|at| at.to_string()),
            })
        })
        .collect();
    Ok(json!({
        "written_at": now.to_string(),
        "person": {
            "id": person, "language": known.person.language, "safe_phrase": known.person.safe_phrase,
            "since": known.person.created_at.to_string(), "locked_at": known.locked_at.map(|at| at.to_string()),
        },
        "accounts_on_platforms": links,
        "accounts_at_banks": accounts,
        "passkeys": keys,
        "own_limits": {
            "order_minor": known.limits.order_minor, "day_minor": known.limits.day_minor,
            "raise": known.limits.raise.map(|raise| json!({
                "order_minor": raise.order_minor, "day_minor": raise.day_minor, "from": raise.from.to_string(),
            })),
        },
        "orders": written,
    }))
}
