//! Yes, no, and "that was not me".

use super::ceremony::{self, CONFIRM};
use super::{Outcome, Problem, Signed};
use crate::app::desk::Desk;
use crate::app::task::{OPERATOR_LANE, Task};
use crate::ids::{OrderId, PersonId};
use crate::messages::Message;
use crate::order::{Answer, CancelledBy, Effect, Event, Means, Order, OrderState};
use crate::store::StoreError;

/// A passkey's yes to an order. What the ceremony was begun for has to be what the order is now.
pub(super) async fn confirm(desk: &mut Desk<'_>, id: &OrderId, signed: &Signed) -> Outcome {
    let (app, now) = (desk.app, desk.now);
    let verified = match ceremony::verify(app, &mut desk.tx, CONFIRM, signed, now).await? {
        Ok(verified) => verified,
        Err(problem) => return Ok(Err(problem)),
    };
    if !ceremony::is_for(&verified.ceremony, id) {
        return Ok(Err(Problem::Gone));
    }
    let person = verified.row.person.clone();
    desk.tx.lock_people(&[&person]).await?;
    desk.lay_out(std::slice::from_ref(id)).await?;
    let Some(order) = desk.order(id) else { return Ok(Err(Problem::NotWaiting)) };
    let OrderState::AwaitingConfirmation { digest, by, .. } = &order.state else { return Ok(Err(Problem::NotWaiting)) };
    if order.payer.as_ref().is_none_or(|payer| payer.person != person) {
        return Ok(Err(Problem::NotYours));
    }
    // Dynamic linking: shown, signed for, stored and recomputed have to be one.
    let shown = verified.ceremony.digest.as_ref();
    if shown != Some(digest) || shown != order.digest().as_ref() {
        return Ok(Err(Problem::Changed));
    }
    // A new passkey may be a thief's: until it has cooled off it is worth no more than a code.
    let strong = verified.row.usable_at <= now;
    if *by == Means::Passkey && !strong {
        return Ok(Err(Problem::TooNew));
    }
    let answer = if strong { Answer::StrongYes } else { Answer::Yes };
    let happened = desk.happen(id, &Event::Answered { answer }).await?;
    let asked_again = desk.order(id).is_some_and(|order| matches!(order.state, OrderState::AwaitingConfirmation { .. }));
    Ok(match happened {
        // Too much by codes alone, and this passkey does not count for more.
        Ok(()) if asked_again => Err(Problem::TooNew),
        Ok(()) => Ok(()),
        Err(_) => Err(Problem::NotWaiting),
    })
}

/// No to an order.
pub(super) async fn decline(desk: &mut Desk<'_>, id: &OrderId) -> Outcome {
    desk.lay_out(std::slice::from_ref(id)).await?;
    let happened = desk.happen(id, &Event::Answered { answer: Answer::No }).await?;
    Ok(happened.map_err(|_| Problem::NotWaiting))
}

/// Something was not a person's own doing: whatever waits is withdrawn, nothing more is taken from the account, every browser has to
/// enter anew, and an operator is called with what there is to know.
pub(super) async fn disown(desk: &mut Desk<'_>, person: &PersonId, id: Option<&OrderId>) -> Outcome {
    desk.tx.lock_people(&[person]).await?;
    let waiting = desk.tx.orders_to_cancel(person).await?;
    desk.lay_out(&waiting).await?;
    let order = match id {
        Some(id) => {
            desk.lay_out(std::slice::from_ref(id)).await?;
            let order = desk.order(id).cloned();
            if order.as_ref().and_then(|order| order.payer.as_ref()).is_none_or(|payer| payer.person != *person) {
                return Ok(Err(Problem::NotYours));
            }
            order
        }
        None => None,
    };
    let is_new = desk.tx.lock_person(person, desk.now).await?;
    let mut withdrawn = 0;
    for order in &waiting {
        let happened = desk.happen(order, &Event::Cancelled { by: CancelledBy::Payer }).await?;
        withdrawn += u32::from(happened.is_ok());
    }
    desk.tx.delete_sessions(person).await?;
    // Said once; whoever presses twice has called already.
    if !is_new {
        return Ok(Ok(()));
    }
    let about = match &order {
        Some(order) => about_order(desk, order).await?,
        None => "a change of their settings was not theirs".to_owned(),
    };
    let keys = desk.tx.passkeys(person).await?;
    let newest = keys.iter().map(|key| key.added_at).max().map_or_else(String::new, |at| format!(", the newest of {at}"));
    let what = format!(
        "a payer says that {about}; {} passkeys{newest}; {withdrawn} orders withdrawn; person:{person} is locked until `release`",
        keys.len()
    );
    let effect = Effect::CallOperator { payment: None, what };
    let priority = effect.priority();
    desk.queue(OPERATOR_LANE.to_owned(), id.cloned(), &Task::Order { effect }, priority, desk.now);
    let what = order.map_or_else(String::new, |order| {
        format!("{} ({})", crate::messages::amount(order.language, order.total), order.receipt_number())
    });
    super::tell(desk, person, &Message::Locked { what }).await?;
    Ok(Ok(()))
}

/// The evidence about an order, without anything that names a person.
async fn about_order(desk: &mut Desk<'_>, order: &Order) -> Result<String, StoreError> {
    let lines = desk.tx.audit_of(&order.id).await?;
    let yes = lines.iter().rev().find(|line| line.event.starts_with("answered_yes"));
    let how = yes.map_or_else(|| "not confirmed".to_owned(), |line| format!("{} at {}", line.event.replace('_', " "), line.at));
    let payments: Vec<&str> = order.payments.iter().map(|payment| payment.state.name()).collect();
    Ok(format!(
        "this order of {} was not theirs: asked at {} on {}, {how}, payments {}",
        order.total,
        order.created_at,
        order.source.platform,
        payments.join(", ")
    ))
}
