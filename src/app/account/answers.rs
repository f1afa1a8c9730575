//! Yes, no, and "that was not me".

use super::ceremony::{self, CONFIRM};
use super::{Outcome, Problem, Signed};
use crate::app::desk::Desk;
use crate::app::task::{OPERATOR_LANE, Task};
use crate::ids::OrderId;
use crate::messages::Message;
use crate::order::{Answer, CancelledBy, Effect, Event, Means, OrderState};

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

/// An order was not its payer's: whatever waits is withdrawn, nothing more is taken from the account, every browser has to enter anew, and
/// an operator is called with what there is to know.
pub(super) async fn disown(desk: &mut Desk<'_>, id: &OrderId) -> Outcome {
    desk.lay_out(std::slice::from_ref(id)).await?;
    let Some((order, payer)) = desk.order(id).and_then(|order| Some((order.clone(), order.payer.clone()?))) else {
        return Ok(Err(Problem::NotYours));
    };
    let person = payer.person;
    desk.tx.lock_people(&[&person]).await?;
    let is_new = desk.tx.lock_person(&person, desk.now).await?;
    let waiting = desk.tx.orders_to_cancel(&person).await?;
    desk.lay_out(&waiting).await?;
    let mut cancelled = 0;
    for order in &waiting {
        let withdrawn = desk.happen(order, &Event::Cancelled { by: CancelledBy::Payer }).await?;
        cancelled += u32::from(withdrawn.is_ok());
    }
    desk.tx.delete_sessions(&person).await?;
    // Said once; whoever presses twice has called already.
    if is_new {
        let lines = desk.tx.audit_of(id).await?;
        let yes = lines.iter().rev().find(|line| line.event.starts_with("answered_yes"));
        let how = yes.map_or_else(
            || "it was not confirmed".to_owned(),
            |line| format!("it was confirmed {} ({})", line.at, line.event.replace('_', " ")),
        );
        let payments: Vec<&str> = order.payments.iter().map(|payment| payment.state.name()).collect();
        let keys = desk.tx.passkeys(&person).await?;
        let newest = keys.iter().map(|key| key.added_at).max().map_or_else(String::new, |at| format!(", the newest of {at}"));
        let what = format!(
            "the payer says that this order was not theirs: {} asked {} from account {} on {}, {how}; payments: {}; {} passkeys{newest}; \
             {cancelled} orders withdrawn; person:{person} is locked until `release person:{person}`",
            order.total,
            order.created_at,
            order.source.author,
            order.source.platform,
            payments.join(", "),
            keys.len(),
        );
        let effect = Effect::CallOperator { payment: None, what };
        let priority = effect.priority();
        desk.queue(OPERATOR_LANE.to_owned(), Some(id.clone()), &Task::Order { effect }, priority, desk.now);
        let number = order.receipt_number();
        let what = format!("{} ({number})", crate::messages::amount(order.language, order.total));
        super::tell(desk, &person, &Message::Locked { what }).await?;
    }
    Ok(Ok(()))
}
