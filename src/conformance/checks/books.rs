//! C18: the entries add up.

use std::collections::BTreeMap;

use crate::bank::settlement::wire::{PaymentView, State, money};
use crate::conformance::kit::{Hand, Trial, ensure, fail};
use crate::conformance::report::Outcome;

/// Payments that are made for the sake of adding them up.
const OF_ITS_OWN: usize = 4;

/// C18: over everything that this run has ordered: debits are what settled, credits are what came back, and nothing else is there.
pub(super) async fn add_up(hand: &Hand<'_>) -> Trial {
    if !hand.kit.capabilities()?.entries {
        return Err(Outcome::NotDeclared("entries".to_owned()));
    }
    // Some of its own, so that there is something to add up when it runs alone.
    for _ in 0..OF_ITS_OWN {
        let order = hand.order(&hand.fresh_id(), &hand.amount())?;
        hand.taken(&order).await?;
        hand.at_end(&order).await?;
    }
    let mut wanted: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for id in hand.kit.ordered().into_keys() {
        let reply = hand.get(&id).await?;
        if reply.status == 404 {
            continue;
        }
        let Some(view) = reply.read::<PaymentView>() else { fail!("payment {id} cannot be read any more") };
        let minor = view.money().map_or(0, |money| money.minor);
        match view.state() {
            Some(State::Settled) => wanted.insert(id, (minor, 0)),
            Some(State::Returned) => wanted.insert(id, (minor, minor)),
            _ => None,
        };
    }
    let entries = hand.entries().await?.unwrap_or_default();
    let mut booked: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    let mut seen = std::collections::BTreeSet::new();
    for entry in &entries {
        ensure!(seen.insert((&entry.account, &entry.id)), "the entry {} is there twice", entry.id);
        let Some(minor) = money(&entry.amount, &entry.currency).map(|money| money.minor) else {
            fail!("the entry {} is over {:?} {}", entry.id, entry.amount, entry.currency)
        };
        let sums = booked.entry(entry.end_to_end_id.clone().unwrap_or_default()).or_default();
        if minor < 0 { sums.0 -= minor } else { sums.1 += minor }
    }
    for (id, (out, back)) in &wanted {
        let (booked_out, booked_back) = booked.get(id).copied().unwrap_or_default();
        ensure!(
            (booked_out, booked_back) == (*out, *back),
            "payment {id}: settled {out} and returned {back} cents; the entries say {booked_out} and {booked_back}"
        );
    }
    if let Some((id, sums)) = booked.iter().find(|(id, _)| !wanted.contains_key(*id)) {
        fail!("payment {id} was not carried out, and entries over {sums:?} cents are there for it");
    }
    Ok(())
}
