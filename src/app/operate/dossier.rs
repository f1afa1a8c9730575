//! Everything known about one order, for an operator to read: no code, no salt, no text of the payer, account numbers masked.

use serde::{Deserialize, Serialize};

use super::super::App;
use super::super::task::Task;
use crate::clock::Timestamp;
use crate::ids::OrderId;
use crate::order::{CancelledBy, Effect, Hold, Order, OrderState, Payment, PaymentState};
use crate::store::StoreError;
use crate::store::operators::{EffectRow, Reservation};
use crate::store::orders::AuditLine;

/// An order with its whole history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dossier {
    /// Its id.
    pub order: String,
    /// Counts the decisions about it.
    pub version: i64,
    /// Its state by name.
    pub state: String,
    /// What the state holds, in words.
    pub about: String,
    /// `send` or `give`.
    pub kind: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// The connection and channel it came through.
    pub source: String,
    /// Where a browser shows the post.
    pub url: Option<String>,
    /// The campaign it counts for.
    pub campaign: Option<String>,
    /// The sum, e.g. `10.00 EUR`.
    pub total: String,
    /// The receipt number that the payer knows.
    pub receipt: String,
    /// Who pays: our id, the bank, the account masked.
    pub payer: Option<String>,
    /// Its payments.
    pub payments: Vec<PaymentLine>,
    /// What was decided, first to last.
    pub history: Vec<HistoryLine>,
    /// What was, is and will be done outside.
    pub effects: Vec<EffectLine>,
    /// What is reserved against the limits.
    pub reservations: Vec<ReservationLine>,
}

/// One payment of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PaymentLine {
    /// Its place.
    pub payment: u16,
    /// Its key, which the bank shows as `EndToEndId`.
    pub key: String,
    /// Who receives, as the bank knows it.
    pub payee: String,
    /// Into which account, masked.
    pub account: String,
    /// How much.
    pub amount: String,
    /// Its state by name.
    pub state: String,
    /// What the state holds, in words.
    pub about: String,
}

/// One decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryLine {
    /// The order's version after it.
    pub version: i64,
    /// When.
    pub at: Timestamp,
    /// What had happened.
    pub event: String,
    /// States, effects, rules and operator, as the audit line holds them.
    pub detail: serde_json::Value,
}

/// Something outside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EffectLine {
    /// Since when it is to be done.
    pub created_at: Timestamp,
    /// In which queue.
    pub lane: String,
    /// What.
    pub what: String,
    /// `pending`, `done` or `dead`.
    pub state: String,
    /// Not before, while it is pending.
    pub due_at: Option<Timestamp>,
    /// How often it was tried.
    pub attempts: i64,
    /// How it ended, or why it is tried again.
    pub result: Option<String>,
}

/// What is reserved for one payment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReservationLine {
    /// For which payment.
    pub key: String,
    /// How much, in minor units.
    pub amount_minor: i64,
    /// Since when.
    pub reserved_at: Timestamp,
    /// Free again since.
    pub released_at: Option<Timestamp>,
}

/// Everything known about an order; `None` if there is none of this id.
pub(super) async fn show(app: &App, id: &OrderId) -> Result<Option<Dossier>, StoreError> {
    let mut tx = app.store.begin_reading().await?;
    let Some(order) = tx.order(id).await? else { return Ok(None) };
    let history = tx.audit_of(id).await?;
    let effects = tx.effects_of(id).await?;
    let reservations = tx.reservations_of(id).await?;
    Ok(Some(Dossier {
        order: order.id.to_string(),
        version: order.version,
        state: order.state.name().to_owned(),
        about: about_order(&order.state),
        kind: match order.kind {
            crate::order::Kind::Send => "send",
            crate::order::Kind::Give => "give",
        }
        .to_owned(),
        created_at: order.created_at,
        source: format!("{} {} {}", order.source.platform, order.source.channel, order.source.native_id),
        url: order.source.url.clone(),
        campaign: order.campaign.clone(),
        total: order.total.to_string(),
        receipt: order.receipt_number(),
        payer: payer(&order),
        payments: order.payments.iter().map(payment_line).collect(),
        history: history.iter().map(history_line).collect(),
        effects: effects.into_iter().map(effect_line).collect(),
        reservations: reservations.into_iter().map(reservation_line).collect(),
    }))
}

fn payer(order: &Order) -> Option<String> {
    let payer = order.payer.as_ref()?;
    Some(format!("person {} at {}, account {}", payer.person, payer.bank, payer.iban.masked()))
}

fn about_order(state: &OrderState) -> String {
    match state {
        OrderState::AwaitingPayer { until }
        | OrderState::AwaitingPayee { until }
        | OrderState::AwaitingConfirmation { until, wrong_answers: 0, .. } => format!("until {until}"),
        OrderState::AwaitingConfirmation { until, wrong_answers, .. } => format!("until {until}, {wrong_answers} wrong codes"),
        OrderState::Held { why, since, until, .. } => {
            let why = match why {
                Hold::LookAlike { of } => format!("looks like order {of}"),
                Hold::Screening { finding } => format!("screening: {finding}"),
                Hold::Operator { by, note } => format!("by {by}: {note}"),
            };
            format!("since {since} until {until}, {why}")
        }
        OrderState::Confirmed { at, .. } => format!("at {at}"),
        OrderState::Rejected { reason, at } => format!("at {at}: {}", reason.name()),
        OrderState::Cancelled { by, at } => {
            let by = match by {
                CancelledBy::Payer => "the payer's no",
                CancelledBy::CancelOrder => "a cancel order",
                CancelledBy::Edit => "an edit of the post",
                CancelledBy::Deletion => "the deletion of the post",
                CancelledBy::Unlinked => "the end of the payer's link",
                CancelledBy::Stopped => "the payer's stop",
            };
            format!("at {at} by {by}")
        }
        OrderState::Expired { at } => format!("at {at}"),
    }
}

fn about_payment(state: &PaymentState) -> String {
    let id = |id: Option<&str>| id.map(|id| format!(", the bank's id {id}")).unwrap_or_default();
    match state {
        PaymentState::Proposed => String::new(),
        PaymentState::Ready { submit_by } => format!("to be handed over by {submit_by}"),
        PaymentState::Submitting { submitted_at, .. } => format!("since {submitted_at}"),
        PaymentState::AwaitingBank { submitted_at, bank_payment_id, asked, .. } => {
            format!("handed over {submitted_at}, asked {asked} times{}", id(Some(bank_payment_id)))
        }
        PaymentState::Executing { submitted_at, bank_payment_id, asked } => {
            format!("handed over {submitted_at}, asked {asked} times{}", id(bank_payment_id.as_deref()))
        }
        PaymentState::Unknown { submitted_at, bank_payment_id, why, asked, with_operator, .. } => {
            let whose = if *with_operator { "; an operator has to find out" } else { "; the bank is being asked" };
            format!("handed over {submitted_at}, asked {asked} times{}: {why}{whose}", id(bank_payment_id.as_deref()))
        }
        PaymentState::Settled { at, bank_payment_id } => format!("at {at}{}", id(bank_payment_id.as_deref())),
        PaymentState::Returned { settled_at, at } => format!("at {at}, settled {settled_at}"),
        PaymentState::Failed { at, reason } => format!("at {at}: {reason}"),
        PaymentState::Expired { at } => format!("at {at}"),
        PaymentState::Disputed { at, recorded, contradiction } => format!("at {at}: recorded {recorded}, then {contradiction}"),
    }
}

fn payment_line(payment: &Payment) -> PaymentLine {
    PaymentLine {
        payment: payment.index,
        key: payment.key.to_string(),
        payee: payment.payee.legal_name.clone(),
        account: payment.payee.iban.masked(),
        amount: payment.amount.to_string(),
        state: payment.state.name().to_owned(),
        about: about_payment(&payment.state),
    }
}

fn history_line(line: &AuditLine) -> HistoryLine {
    let detail = serde_json::from_str(&line.detail).unwrap_or_else(|_| line.detail.clone().into());
    HistoryLine { version: line.version, at: line.at, event: line.event.clone(), detail }
}

fn effect_line(row: EffectRow) -> EffectLine {
    let what = match serde_json::from_str(&row.data) {
        Ok(Task::Order { effect: Effect::CallOperator { what, .. } }) => format!("call an operator: {what}"),
        Ok(Task::Order { effect: Effect::TellPayer { notice } }) => {
            // The notice's own name is its tag; what else it holds is the order's.
            let tag = serde_json::to_value(&notice).ok().and_then(|value| value["notice"].as_str().map(str::to_owned));
            format!("tell the payer: {}", tag.unwrap_or_default().replace('_', " "))
        }
        Ok(Task::Order { effect: Effect::Submit { payment, .. } }) => format!("submit payment {payment}"),
        Ok(Task::Order { effect: Effect::AskBank { payment, .. } }) => format!("ask the bank about payment {payment}"),
        Ok(Task::Order { effect }) => effect.name().replace('_', " "),
        Ok(_) | Err(_) => "something that cannot be read".to_owned(),
    };
    let due_at = (row.state == "pending").then_some(row.due_at);
    let EffectRow { lane, state, attempts, result, created_at, .. } = row;
    EffectLine { created_at, lane, what, state, due_at, attempts, result }
}

fn reservation_line(row: Reservation) -> ReservationLine {
    let Reservation { payment_key: key, amount_minor, reserved_at, released_at, .. } = row;
    ReservationLine { key, amount_minor, reserved_at, released_at }
}
