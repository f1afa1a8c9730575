//! Talking to somebody who asked for a person: what they wrote, what they were answered, and what an operator needs to know of them.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::App;
use super::super::desk::{Addressee, Desk};
use super::super::task::Task;
use super::Operator;
use crate::clock::Timestamp;
use crate::ids::EffectId;
use crate::messages::{CommandAnswer, LONGEST_ANSWER, Message};
use crate::order::Order;
use crate::store::StoreError;

/// A talk with somebody who asked for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Talk {
    /// The call that began it.
    pub call: String,
    /// Whether an operator has closed it.
    pub is_closed: bool,
    /// Our id of the person.
    pub person: String,
    /// Where they write from, by which handle. Told while the talk is open.
    pub from: Option<String>,
    /// What both have written, first to last.
    pub lines: Vec<TalkLine>,
    /// The person's newest orders: id, receipt number and how they stand.
    pub orders: Vec<String>,
}

/// One line of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TalkLine {
    /// When.
    pub at: Timestamp,
    /// Which operator; `None`: the person.
    pub operator: Option<String>,
    /// What was written.
    pub said: String,
}

/// Orders shown beside a talk.
const ORDERS: i64 = 10;

/// A talk by its call.
pub(super) async fn show(app: &App, call: &EffectId) -> Result<Option<Talk>, StoreError> {
    let mut tx = app.store.begin_reading().await?;
    let Some(person) = tx.person_of_hand_over(call).await? else { return Ok(None) };
    let open = tx.open_call(call).await?;
    let from = match open.as_deref().map(serde_json::from_str) {
        Some(Ok(Task::HandOver { platform, handle, .. })) => Some(format!("{handle} on {platform}")),
        _ => None,
    };
    let lines = tx.talk(call).await?.into_iter();
    let lines = lines.map(|line| TalkLine { at: line.at, operator: line.operator, said: line.said }).collect();
    let newest = tx.newest_order_ids(&person, ORDERS).await?;
    let mut orders = tx.read_orders(&newest.iter().collect::<Vec<_>>()).await?;
    orders.sort_by_key(|order| std::cmp::Reverse(order.created_at));
    let orders = orders.iter().map(about).collect();
    Ok(Some(Talk { call: call.to_string(), is_closed: open.is_none(), person: person.to_string(), from, lines, orders }))
}

fn about(order: &Order) -> String {
    let states: Vec<&str> = match order.state.name() {
        "confirmed" => order.payments.iter().map(|payment| payment.state.name()).collect(),
        state => vec![state],
    };
    format!("{} {}, receipt {}: {}", order.id, order.total, order.receipt_number(), states.join(", ").replace('_', " "))
}

/// Answers the person in the thread they asked in. The talk stays open until its call is closed.
pub(super) async fn answer(
    desk: &mut Desk<'_>,
    by: &Operator,
    call: &EffectId,
    text: &str,
) -> Result<Result<String, String>, StoreError> {
    if text.chars().count() > LONGEST_ANSWER {
        return Ok(Err(format!("the answer is longer than the {LONGEST_ANSWER} characters that a message has room for")));
    }
    let task = match desk.tx.open_call(call).await? {
        Some(data) => serde_json::from_str(&data).ok(),
        None => return Ok(Err(format!("no call {call} is open"))),
    };
    let Some(Task::HandOver { platform, account, handle, language, safe_phrase, thread }) = task else {
        return Ok(Err(format!("call {call} is not of somebody who wants to talk")));
    };
    let to = Addressee {
        platform: &platform,
        account: &account,
        handle: &handle,
        language,
        safe_phrase: Some(&safe_phrase),
        thread: Some(&thread),
    };
    desk.say(&to, Message::Command { answer: CommandAnswer::FromOperator { text: text.to_owned() } });
    desk.tx.add_to_talk(call, Some(by.as_str()), text, desk.now).await?;
    // The words themselves stand in the talk, which can be erased; the chain of acts cannot.
    desk.tx.write_act(by.as_str(), "answered", &format!("call:{call}"), json!({}).to_string(), desk.now).await?;
    Ok(Ok(format!("sent; call {call} stays open until it is resolved")))
}
