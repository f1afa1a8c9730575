//! The acts themselves, each at the desk: checked first, then written together with what they change.

use serde_json::json;

use super::super::account;
use super::super::apply;
use super::super::changes::{self, Change};
use super::super::desk::Desk;
use super::super::task::Task;
use super::{Act, Operator};
use crate::ids::{ChangeId, EffectId, OrderId, PersonId};
use crate::messages::Message;
use crate::order::{Effect, Event, Hold, Order, OrderState, Resolution};
use crate::store::StoreError;

/// What came of an act: a sentence about what is done, or about why nothing is.
type Outcome = Result<Result<String, String>, StoreError>;

/// The longest note; the audit keeps it for ever.
const LONGEST_NOTE: usize = 500;

/// Does what an operator asks for, or says why it did not come to that.
pub(in crate::app) async fn act(desk: &mut Desk<'_>, by: &Operator, act: &Act) -> Outcome {
    if let Some(why) = note(act).and_then(objection) {
        return Ok(Err(why));
    }
    match act {
        Act::HoldOrder { order, note } => hold_order(desk, by, order, note).await,
        Act::ReleaseOrder { order } => release_order(desk, by, order).await,
        Act::ResolvePayment { order, payment, outcome, note } => resolve_payment(desk, by, order, *payment, *outcome, note).await,
        Act::CloseCall { call, note } => close_call(desk, by, call, note).await,
        Act::Answer { call, text } => super::talk::answer(desk, by, call, text).await,
        Act::HoldPayee { payee, note } => hold_payee(desk, by, payee, note).await,
        Act::ReleasePayee { payee, note } => release_payee(desk, by, payee, note).await,
        Act::ReleasePerson { person, note } => release_person(desk, by, person, note).await,
        Act::AcceptApplication { application, slug, proof } => apply::accept(desk, by, application, slug, proof).await,
        Act::RefuseApplication { application, note } => apply::refuse(desk, by, application, note).await,
        Act::Approve { change } => approve(desk, by, change).await,
    }
}

fn note(act: &Act) -> Option<&str> {
    match act {
        Act::HoldOrder { note, .. }
        | Act::ResolvePayment { note, .. }
        | Act::CloseCall { note, .. }
        | Act::HoldPayee { note, .. }
        | Act::ReleasePayee { note, .. }
        | Act::ReleasePerson { note, .. } => Some(note),
        Act::Answer { text, .. } => Some(text),
        Act::AcceptApplication { proof, .. } => Some(proof),
        Act::RefuseApplication { note, .. } => Some(note),
        Act::ReleaseOrder { .. } | Act::Approve { .. } => None,
    }
}

pub(super) fn objection(note: &str) -> Option<String> {
    if note.trim().is_empty() {
        return Some("the note is empty; it is what the record will say".to_owned());
    }
    (note.chars().count() > LONGEST_NOTE).then(|| format!("the note is longer than {LONGEST_NOTE} characters"))
}

async fn hold_order(desk: &mut Desk<'_>, by: &Operator, id: &OrderId, note: &str) -> Outcome {
    let why = Hold::Operator { by: by.to_string(), note: note.to_owned() };
    let happened = desk.happen(id, &Event::Held { why }).await?;
    Ok(match (happened, desk.order(id)) {
        (Ok(()), _) => Ok(format!("order {id} is held")),
        (Err(_), None) => Err(format!("there is no order {id}")),
        (Err(_), Some(order)) if matches!(order.state, OrderState::Held { .. }) => Err(format!("order {id} is held already")),
        (Err(_), Some(order)) => {
            let standing = standing(order);
            Err(format!("order {id} is {standing}; only what waits for its payer or was not handed to the bank yet can be held"))
        }
    })
}

/// How an order stands: its own state, and after confirmation its payments'.
fn standing(order: &Order) -> String {
    match &order.state {
        OrderState::Confirmed { .. } => order.payments.iter().map(|payment| payment.state.name()).collect::<Vec<_>>().join(", "),
        state => state.name().to_owned(),
    }
    .replace('_', " ")
}

async fn release_order(desk: &mut Desk<'_>, by: &Operator, id: &OrderId) -> Outcome {
    let event = Event::Released { by: Some(by.to_string()), salt: desk.salt() };
    let happened = desk.happen(id, &event).await?;
    if happened.is_ok() {
        close_calls_of(desk, by, id, None).await?;
    }
    Ok(match (happened, desk.order(id).map(|order| &order.state)) {
        (Ok(()), Some(OrderState::Held { why: Hold::Screening { finding }, .. })) => {
            Err(format!("order {id} stays held: screening still says {finding:?}"))
        }
        (Ok(()), Some(OrderState::Held { why: Hold::LookAlike { of }, .. })) => {
            Err(format!("order {id} stays held: what became of order {of}, which looks like it, is not known yet"))
        }
        (Ok(()), Some(OrderState::AwaitingConfirmation { .. })) => Ok(format!("order {id} is released, and its payer is asked")),
        (Ok(()), Some(state)) => Ok(format!("order {id} is released, and is {} now", state.name().replace('_', " "))),
        (Err(_), Some(state)) => Err(format!("order {id} is not held but {}", state.name().replace('_', " "))),
        (_, None) => Err(format!("there is no order {id}")),
    })
}

async fn resolve_payment(
    desk: &mut Desk<'_>,
    by: &Operator,
    id: &OrderId,
    payment: u16,
    outcome: Resolution,
    note: &str,
) -> Outcome {
    let event = Event::Resolved { payment, outcome, by: by.to_string(), note: note.to_owned() };
    if desk.happen(id, &event).await?.is_ok() {
        close_calls_of(desk, by, id, Some(payment)).await?;
        let what = if outcome == Resolution::Paid { "paid" } else { "not paid" };
        return Ok(Ok(format!("payment {payment} of order {id} is recorded as {what}")));
    }
    Ok(Err(match desk.order(id) {
        None => format!("there is no order {id}"),
        Some(order) => match order.payment(payment) {
            None => format!("order {id} has no payment {payment}; its payments are counted from 0"),
            Some(found) => format!(
                "payment {payment} of order {id} is {}; an operator resolves only what is disputed, or unknown after the bank was asked for \
                 as long as that can help",
                found.state.name().replace('_', " ")
            ),
        },
    }))
}

/// Closes the calls that an act answers: about a payment, what is unknown or disputed; about an order, that it is held.
async fn close_calls_of(desk: &mut Desk<'_>, by: &Operator, id: &OrderId, payment: Option<u16>) -> Result<(), StoreError> {
    let calls = desk.tx.open_calls(Some(id), i64::MAX).await?;
    let answered = |data: &str| match serde_json::from_str(data) {
        Ok(Task::Order { effect: Effect::CallOperator { payment: about, what } }) => {
            let kinds: &[&str] = if payment.is_some() { &["unknown", "disputed"] } else { &["held"] };
            about == payment && kinds.iter().any(|kind| what.starts_with(kind))
        }
        _ => false,
    };
    let answered: Vec<&EffectId> = calls.iter().filter(|call| answered(&call.data)).map(|call| &call.id).collect();
    desk.tx.close_calls(&answered, &format!("resolved by {by}")).await?;
    Ok(())
}

async fn close_call(desk: &mut Desk<'_>, by: &Operator, call: &EffectId, note: &str) -> Outcome {
    if desk.tx.close_calls(&[call], &format!("resolved by {by}")).await? == 0 {
        return Ok(Err(format!("no call {call} is open")));
    }
    let detail = json!({ "note": note }).to_string();
    desk.tx.write_act(by.as_str(), "call_closed", &format!("call:{call}"), detail, desk.now).await?;
    Ok(Ok(format!("call {call} is closed")))
}

async fn hold_payee(desk: &mut Desk<'_>, by: &Operator, slug: &str, note: &str) -> Outcome {
    let Some(row) = desk.tx.payee_named(slug).await? else { return Ok(Err(no_payee(slug))) };
    let subject = format!("payee:{slug}");
    // Whoever stops a payee again has more to say than whoever wanted it released.
    let open = desk.tx.open_changes().await?.into_iter().find(|change| change.subject == changes::release_of(slug));
    if row.payee.frozen && open.is_none() {
        return Ok(Err(format!("{subject} is frozen already: {}", row.frozen_why.unwrap_or_default())));
    }
    if let Some(change) = open {
        desk.tx.end_change(&change.id, "withdrawn", desk.now).await?;
    }
    desk.tx.freeze_payee(&row.payee.id, &format!("held by {by}: {note}"), desk.now).await?;
    desk.tx.write_act(by.as_str(), "payee_held", &subject, json!({ "note": note }).to_string(), desk.now).await?;
    Ok(Ok(format!("{subject} is frozen: nothing more is paid to it")))
}

async fn release_payee(desk: &mut Desk<'_>, by: &Operator, slug: &str, note: &str) -> Outcome {
    let Some(row) = desk.tx.payee_named(slug).await? else { return Ok(Err(no_payee(slug))) };
    if !row.payee.frozen {
        return Ok(Err(format!("payee:{slug} is not frozen")));
    }
    let change = Change::Release { payee: slug.to_owned() };
    let id = ChangeId::new(desk.now, desk.app.entropy.as_ref());
    let (subject, data) = (change.subject(), change.write()?);
    if desk.tx.propose_change(&id, &subject, &data, Some(by.as_str()), desk.now).await?.is_none() {
        let open = desk.tx.open_changes().await?.into_iter().find(|open| open.subject == subject);
        let first = open.as_ref().and_then(|open| open.first.clone()).unwrap_or_default();
        let id = open.map(|open| open.id.to_string()).unwrap_or_default();
        return Ok(Err(if first == by.as_str() {
            format!("{by} has proposed this already, as change {id}; another operator has to approve it")
        } else {
            format!("{first} has proposed this already; to approve it: obole operator approve {id}")
        }));
    }
    let detail = json!({ "change": id, "note": note, "frozen_because": row.frozen_why }).to_string();
    desk.tx.write_act(by.as_str(), "release_proposed", &format!("payee:{slug}"), detail, desk.now).await?;
    Ok(Ok(format!("proposed as change {id}; payee:{slug} stays frozen until another operator approves it")))
}

/// Whoever was locked by their own word may order again, and hears so.
async fn release_person(desk: &mut Desk<'_>, by: &Operator, person: &PersonId, note: &str) -> Outcome {
    let subject = format!("person:{person}");
    if !desk.tx.unlock_person(person).await? {
        return Ok(Err(format!("{subject} is not locked")));
    }
    desk.tx.write_act(by.as_str(), "person_released", &subject, json!({ "note": note }).to_string(), desk.now).await?;
    let calls = desk.tx.open_calls(None, i64::MAX).await?;
    let about = |data: &str| data.contains(subject.as_str());
    let answered: Vec<&EffectId> = calls.iter().filter(|call| about(&call.data)).map(|call| &call.id).collect();
    desk.tx.close_calls(&answered, &format!("resolved by {by}")).await?;
    account::tell(desk, person, &Message::Unlocked).await?;
    Ok(Ok(format!("{subject} may order payments again")))
}

async fn approve(desk: &mut Desk<'_>, by: &Operator, id: &ChangeId) -> Outcome {
    let Some(row) = desk.tx.change(id).await? else { return Ok(Err(format!("there is no change {id}"))) };
    if row.state != "open" {
        return Ok(Err(format!("change {id} is {} already", row.state)));
    }
    let change = Change::read(&row.data)?;
    match &row.first {
        Some(first) if first == by.as_str() => {
            Ok(Err(format!("{by} is the first of the two operators of change {id}; the second has to be somebody else")))
        }
        None => {
            desk.tx.approve_first(id, by.as_str()).await?;
            let detail = json!({ "change": id, "of": change.masked() }).to_string();
            desk.tx.write_act(by.as_str(), "approved_first", &row.subject, detail, desk.now).await?;
            Ok(Ok(format!("approved by {by}; change {id} takes effect when another operator approves it too")))
        }
        Some(first) => {
            let done = match changes::apply(desk, &change).await? {
                Ok(done) => done,
                Err(why) => return Ok(Err(why)),
            };
            desk.tx.end_change(id, "applied", desk.now).await?;
            let detail = json!({ "change": id, "of": change.masked(), "first": first }).to_string();
            desk.tx.write_act(by.as_str(), "approved", &row.subject, detail, desk.now).await?;
            Ok(Ok(done))
        }
    }
}

fn no_payee(slug: &str) -> String {
    format!("the directory has no payee called {slug}")
}
