//! What waits for a human, each with what can be done about it.

use serde::{Deserialize, Serialize};

use super::super::App;
use super::super::apply;
use super::super::changes::Change;
use super::super::task::Task;
use crate::clock::Timestamp;
use crate::ids::PersonId;
use crate::order::{Effect, Hold, Order, OrderState, PaymentState};
use crate::people::application::Application;
use crate::store::StoreError;
use crate::store::operators::{ChangeRow, OpenCall, PayeeRow};

/// What kind of thing waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatterKind {
    /// Somebody was called and has not answered.
    Call,
    /// An order is stopped.
    Held,
    /// Nobody knows what became of a payment, and asking has come to its end.
    Unknown,
    /// Two definite answers about a payment contradict each other.
    Disputed,
    /// Nothing goes to a payee.
    FrozenPayee,
    /// A change needs two operators.
    Change,
    /// Nothing is taken from somebody's account, since they said that something was not theirs.
    LockedPerson,
    /// Something about the connection to a bank: a certificate that runs out, a file that was put aside.
    Bank,
    /// Somebody wants to be a payee.
    Application,
}

impl MatterKind {
    /// The word for people.
    pub fn name(self) -> &'static str {
        match self {
            MatterKind::Call => "call",
            MatterKind::Held => "held order",
            MatterKind::Unknown => "unknown payment",
            MatterKind::Disputed => "disputed payment",
            MatterKind::FrozenPayee => "frozen payee",
            MatterKind::Change => "proposed change",
            MatterKind::LockedPerson => "locked person",
            MatterKind::Bank => "bank",
            MatterKind::Application => "application",
        }
    }
}

/// Something that waits for a human.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matter {
    /// What kind of thing.
    pub kind: MatterKind,
    /// What an operator names it by: an order's id, `payee:SLUG`, `call:ID`, a change's id.
    pub id: String,
    /// The order it is about.
    pub order: Option<String>,
    /// The payment's place in it.
    pub payment: Option<u16>,
    /// Since when.
    pub since: Option<Timestamp>,
    /// What, in one sentence.
    pub what: String,
    /// What can be done about it: commands after `obole operator`.
    pub can: Vec<String>,
}

/// The most of each kind that a list shows; more than that is not read by anybody.
const MOST: i64 = 500;

/// Everything that waits, urgent things first.
pub(super) async fn list(app: &App) -> Result<Vec<Matter>, StoreError> {
    let mut tx = app.store.begin_reading().await?;
    let mut matters: Vec<Matter> = tx.open_calls(None, MOST).await?.iter().map(of_call).collect();
    let doubtful = tx.doubtful_orders(MOST).await?;
    for order in tx.read_orders(&doubtful.iter().collect::<Vec<_>>()).await? {
        matters.extend(of_payments(&order));
    }
    let held = tx.all_held_orders(MOST).await?;
    matters.extend(tx.read_orders(&held.iter().collect::<Vec<_>>()).await?.iter().filter_map(of_held));
    matters.extend(tx.payee_rows(true).await?.iter().map(of_payee));
    matters.extend(tx.locked_people(MOST).await?.iter().map(|(person, since)| of_person(person, *since)));
    for row in tx.open_changes().await? {
        matters.push(of_change(&row)?);
    }
    drop(tx);
    let mut banks: Vec<_> = app.banks.iter().collect();
    banks.sort_by_key(|(name, _)| name.as_str());
    for (name, bank) in banks {
        matters.extend(bank.warnings().await.into_iter().map(|what| Matter {
            kind: MatterKind::Bank,
            id: format!("bank:{name}"),
            order: None,
            payment: None,
            since: None,
            what,
            can: Vec::new(),
        }));
    }
    matters.extend(apply::open(app, MOST).await?.iter().map(of_application));
    Ok(matters)
}

fn of_call(call: &OpenCall) -> Matter {
    let (payment, what) = match serde_json::from_str(&call.data) {
        Ok(Task::Order { effect: Effect::CallOperator { payment, what } }) => (payment, what),
        Ok(Task::HandOver { platform, handle, .. }) => (None, format!("{handle} on {platform} wants to talk to a person")),
        _ => (None, "a call that cannot be read".to_owned()),
    };
    let order = call.order.as_ref().map(ToString::to_string);
    let mut can: Vec<String> = order.iter().map(|order| format!("show {order}")).collect();
    if matches!(serde_json::from_str(&call.data), Ok(Task::HandOver { .. })) {
        can.push(format!("show call:{}", call.id));
        can.push(format!("answer call:{} --text …", call.id));
    }
    can.push(format!("resolve call:{} --note …", call.id));
    Matter { kind: MatterKind::Call, id: format!("call:{}", call.id), order, payment, since: Some(call.since), what, can }
}

fn of_payments(order: &Order) -> Vec<Matter> {
    let matter = |payment: &crate::order::Payment| {
        let (kind, since, what) = match &payment.state {
            PaymentState::Unknown { submitted_at, why, with_operator: true, .. } => {
                (MatterKind::Unknown, *submitted_at, format!("{} to {}: {why}", payment.amount, payment.payee.legal_name))
            }
            PaymentState::Disputed { at, recorded, contradiction } => {
                let what =
                    format!("{} to {}: recorded as {recorded}, then {contradiction}", payment.amount, payment.payee.legal_name);
                (MatterKind::Disputed, *at, what)
            }
            _ => return None,
        };
        let id = order.id.to_string();
        let can = vec![format!("show {id}"), format!("resolve {id} --payment {} --paid|--not-paid --note …", payment.index)];
        Some(Matter { kind, id: id.clone(), order: Some(id), payment: Some(payment.index), since: Some(since), what, can })
    };
    order.payments.iter().filter_map(matter).collect()
}

fn of_held(order: &Order) -> Option<Matter> {
    let OrderState::Held { why, since, until, .. } = &order.state else { return None };
    let reason = match why {
        Hold::LookAlike { of } => format!("it looks like order {of}, whose outcome is not known"),
        Hold::Screening { finding } => format!("screening: {finding}"),
        Hold::Operator { by, note } => format!("held by {by}: {note}"),
    };
    let id = order.id.to_string();
    let what = format!("{}, {reason}; expires {until}", order.total);
    let can = vec![format!("show {id}"), format!("release {id}")];
    Some(Matter { kind: MatterKind::Held, id: id.clone(), order: Some(id), payment: None, since: Some(*since), what, can })
}

fn of_payee(row: &PayeeRow) -> Matter {
    let id = format!("payee:{}", row.slug);
    let why = row.frozen_why.as_deref().unwrap_or("frozen before reasons were kept");
    let what = format!("{}: {why}", row.payee.legal_name);
    let can = vec![format!("release {id} --note …")];
    Matter { kind: MatterKind::FrozenPayee, id, order: None, payment: None, since: row.frozen_at, what, can }
}

fn of_person(person: &PersonId, since: Timestamp) -> Matter {
    let id = format!("person:{person}");
    let what = "they said that something was not theirs; nothing is taken from their account".to_owned();
    let can = vec![format!("release {id} --note …")];
    Matter { kind: MatterKind::LockedPerson, id, order: None, payment: None, since: Some(since), what, can }
}

fn of_application((application, doubts): &(Application, Vec<String>)) -> Matter {
    let Application { id, legal_name, class, registry_number, iban, platform, handle, contact, language, .. } = application;
    let number = registry_number.as_ref().map(|number| format!(", {number}")).unwrap_or_default();
    let mut what = format!(
        "{legal_name} ({}{number}) wants to be paid into {} as {handle} on {platform}; reached at {contact}, in {language}",
        class.as_str(),
        iban.printed()
    );
    for doubt in doubts {
        what.push_str("\nbeware: ");
        what.push_str(doubt);
    }
    let can = vec![format!("accept {id} --slug … --proof …"), format!("refuse {id} --note …")];
    let (kind, since) = (MatterKind::Application, Some(application.submitted_at));
    Matter { kind, id: id.to_string(), order: None, payment: None, since, what, can }
}

fn of_change(row: &ChangeRow) -> Result<Matter, StoreError> {
    let change = Change::read(&row.data)?;
    let who = match &row.first {
        Some(first) => format!("{first} is for it, a second operator is missing"),
        None => "came with the configuration, two operators are missing".to_owned(),
    };
    let what = format!("{change}; {who}");
    let can = vec![format!("approve {}", row.id)];
    let id = row.id.to_string();
    Ok(Matter { kind: MatterKind::Change, id, order: None, payment: None, since: Some(row.proposed_at), what, can })
}
