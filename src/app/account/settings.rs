//! What a person changes about themselves. Every change is told to all their accounts, so that nobody else changes it unseen.

use super::ceremony::{self, stored_id};
use super::{Made, Outcome, Problem, tell_change};
use crate::app::desk::Desk;
use crate::clock::later;
use crate::ids::{AccountId, OrderId, PersonId, PlatformName};
use crate::messages::Changed;
use crate::order::{CancelledBy, Event};
use crate::people::{BankAccount, Language};
use crate::store::passkeys::PasskeyRow;

/// More is not somebody's own.
const MOST_PASSKEYS: usize = 10;

/// Adds a passkey. Whoever let it in, it cools off before it confirms more than a code could.
pub(super) async fn add_passkey(desk: &mut Desk<'_>, binding: &str, made: &Made) -> Outcome {
    let (app, now) = (desk.app, desk.now);
    let (person, key) = match ceremony::verify_new(app, &mut desk.tx, binding, made, now).await? {
        Ok(verified) => verified,
        Err(problem) => return Ok(Err(problem)),
    };
    desk.tx.lock_people(&[&person]).await?;
    let there = desk.tx.passkeys(&person).await?;
    if there.len() >= MOST_PASSKEYS {
        return Ok(Err(Problem::TooMany));
    }
    let in_session = desk.tx.session(binding, now).await?.is_some();
    let row = PasskeyRow {
        id: stored_id(&key),
        person: person.clone(),
        data: ceremony::written(&key)?,
        origin: if in_session { "passkey" } else { "enrolment" }.to_owned(),
        added_at: now,
        usable_at: later(now, app.timing.cool_off),
        used_at: None,
    };
    if !desk.tx.insert_passkey(&row).await? {
        return Ok(Err(Problem::NotYours));
    }
    let hours = app.timing.cool_off.as_secs().div_ceil(60 * 60);
    tell_change(desk, &person, Changed::PasskeyAdded { hours }).await?;
    Ok(Ok(()))
}

/// Takes a passkey away, but for the last: without any there would be no way to these pages.
pub(super) async fn remove_passkey(desk: &mut Desk<'_>, person: &PersonId, passkey: &str) -> Outcome {
    desk.tx.lock_people(&[person]).await?;
    if desk.tx.passkeys(person).await?.len() < 2 {
        return Ok(Err(Problem::Last));
    }
    if !desk.tx.delete_passkey(person, passkey).await? {
        return Ok(Err(Problem::NotYours));
    }
    tell_change(desk, person, Changed::PasskeyRemoved).await?;
    Ok(Ok(()))
}

pub(super) async fn set_phrase(desk: &mut Desk<'_>, person: &PersonId, phrase: &str) -> Outcome {
    desk.tx.set_phrase(person, phrase).await?;
    tell_change(desk, person, Changed::Phrase).await?;
    Ok(Ok(()))
}

pub(super) async fn set_language(desk: &mut Desk<'_>, person: &PersonId, language: Language) -> Outcome {
    desk.tx.set_language(person, language).await?;
    tell_change(desk, person, Changed::Language).await?;
    Ok(Ok(()))
}

/// Sets a person's own limits: what is lower holds at once, what is higher after the cool-off.
pub(super) async fn set_limits(
    desk: &mut Desk<'_>,
    person: &PersonId,
    order_minor: Option<i64>,
    day_minor: Option<i64>,
) -> Outcome {
    if [order_minor, day_minor].into_iter().flatten().any(|minor| minor < 0) {
        return Ok(Err(Problem::Unreadable));
    }
    desk.tx.lock_people(&[person]).await?;
    let from = later(desk.now, desk.app.timing.cool_off);
    let limits = desk.tx.own_limits(person).await?.changed(order_minor, day_minor, desk.now, from);
    desk.tx.save_own_limits(person, &limits).await?;
    tell_change(desk, person, Changed::Limits).await?;
    Ok(Ok(()))
}

/// Another account of the person pays what is ordered from now on; what waits keeps the account it was asked with.
pub(super) async fn pay_from(desk: &mut Desk<'_>, account: &BankAccount) -> Outcome {
    if !desk.tx.pay_from(&account.person, account).await? {
        return Ok(Err(Problem::NotYours));
    }
    tell_change(desk, &account.person, Changed::Paying).await?;
    Ok(Ok(()))
}

/// Unlinks an account on a platform. Whatever was ordered from it and is not with the bank yet is withdrawn first.
pub(super) async fn unlink(desk: &mut Desk<'_>, person: &PersonId, platform: &str, account: &str) -> Outcome {
    desk.tx.lock_people(&[person]).await?;
    let links = desk.tx.links_of(person).await?;
    let (platform, account) = (PlatformName(platform.to_owned()), AccountId(account.to_owned()));
    let is_it = |link: &crate::people::Link| link.platform == platform && link.account == account;
    if !links.iter().any(|row| is_it(&row.link)) {
        return Ok(Err(Problem::NotYours));
    }
    if links.len() < 2 {
        return Ok(Err(Problem::Last));
    }
    let waiting = desk.tx.orders_to_cancel(person).await?;
    desk.lay_out(&waiting).await?;
    let ordered_from_it = |desk: &Desk<'_>, id: &OrderId| {
        desk.order(id).is_some_and(|order| order.source.platform == platform && order.source.author == account)
    };
    let waiting: Vec<OrderId> = waiting.into_iter().filter(|id| ordered_from_it(desk, id)).collect();
    for order in &waiting {
        let _ = desk.happen(order, &Event::Cancelled { by: CancelledBy::Unlinked }).await?;
    }
    // Told to the account that goes, too: it may not be its owner who sends it away.
    tell_change(desk, person, Changed::AccountRemoved).await?;
    desk.tx.delete_link(person, platform.as_str(), account.as_str()).await?;
    Ok(Ok(()))
}

/// Forgets an account at a bank that nothing under way needs.
pub(super) async fn disconnect(desk: &mut Desk<'_>, account: &BankAccount) -> Outcome {
    let person = &account.person;
    desk.tx.lock_people(&[person]).await?;
    if desk.tx.bank_accounts_of(person).await?.len() < 2 {
        return Ok(Err(Problem::Last));
    }
    if desk.tx.has_unfinished(person).await? {
        return Ok(Err(Problem::UnderWay));
    }
    if !desk.tx.delete_bank_account(person, account).await? {
        return Ok(Err(Problem::NotYours));
    }
    tell_change(desk, person, Changed::BankRemoved).await?;
    Ok(Ok(()))
}
