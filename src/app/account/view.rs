//! What a person sees of themselves: one short reading transaction, nothing decided.

use super::{AccountError, Problem};
use crate::app::App;
use crate::clock::Timestamp;
use crate::ids::PersonId;
use crate::money::Money;
use crate::order::{Limits, Order};
use crate::store::own::Known;
use crate::store::passkeys::PasskeyRow;

pub use super::forget::export;

/// Orders that the inbox shows.
const HISTORY: i64 = 50;

/// A person's own page.
pub struct Inbox {
    /// Who they are here.
    pub known: Known,
    /// What they confirm with.
    pub passkeys: Vec<PasskeyRow>,
    /// Orders that wait, the newest first.
    pub open: Vec<Order>,
    /// The newest others.
    pub past: Vec<Order>,
    /// The scheme's limits.
    pub limits: Limits,
    /// What was confirmed in the last 24 hours.
    pub spent_today: Money,
    /// What was confirmed by codes alone since the last strong confirmation: sum and number of orders.
    pub by_codes: (Money, i64),
    /// When it was read.
    pub now: Timestamp,
}

/// The phrase by which a person knows our messages and pages.
pub async fn phrase(app: &App, person: &PersonId) -> Result<String, AccountError> {
    let known = app.store.begin_reading().await?.known(person, app.clock.now()).await?;
    Ok(known.map(|known| known.person.safe_phrase).unwrap_or_default())
}

/// Reads a person's own page.
pub async fn inbox(app: &App, person: &PersonId) -> Result<Inbox, AccountError> {
    let now = app.clock.now();
    let limits = app.limits.now().limits.clone();
    let mut tx = app.store.begin_reading().await?;
    let known = tx.known(person, now).await?.ok_or(Problem::NotYours)?;
    let passkeys = tx.passkeys(person).await?;
    let (open, past) = tx.newest_orders(Some(person), HISTORY).await?.into_iter().partition(|order| order.state.is_open());
    let (spent, codes, orders) = tx.spent(person, now).await?;
    let money = |minor| Money::new(minor, limits.currency);
    Ok(Inbox { spent_today: money(spent), by_codes: (money(codes), orders), known, passkeys, open, past, limits, now })
}
