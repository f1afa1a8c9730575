//! What people ask for in private besides paying (V6 of the order language): each is decided at the desk, and answered by one private
//! message in the thread that it came from.
//!
//! Nothing here moves money. *Stop* withdraws every order of which the bank has nothing and takes no new one until *start*; what the
//! bank has goes on, and its receipt is still sent. *Refund* is a wish that an operator carries to the payee: a credit transfer cannot
//! be taken back. *Human* opens a talk that an operator answers in the same thread; while it is open, what is not understood is kept
//! for them. What needs an argument or reveals much is answered with the page that asks for the passkey.
//!
//! If the process dies before the commit, the message is read again from the stream and answered then; after it, the answer is an effect
//! like any other. The balance is asked for when its answer is written, and is never stored.

use super::desk::Desk;
use super::pages;
use super::task::{OPERATOR_LANE, Task, platform_lane};
use crate::bank::{Balance, DebtorAccount, TryAgain};
use crate::ids::{EffectId, OrderId};
use crate::language::Action;
use crate::messages::{CommandAnswer, Message, OrderLine, Stands};
use crate::money::Money;
use crate::order::{CancelledBy, Effect, Event, Order};
use crate::people::LinkedPayer;
use crate::platform::Post;
use crate::store::StoreError;

/// Orders that an answer lists at most; fewer if they do not fit.
const LISTED: i64 = 5;

/// The longest part of a message that is kept for an operator.
const LONGEST_LINE: usize = 1_000;

/// What begins the call of somebody who wants a payment back.
const REFUND: &str = "refund asked for";

/// Answers a command that is neither yes nor no.
pub(super) async fn command(
    desk: &mut Desk<'_>,
    payer: &LinkedPayer,
    action: Action,
    reference: Option<&str>,
    post: &Post,
) -> Result<(), StoreError> {
    let thread = post.native_id.as_str();
    let page = |path: &str| desk.app.page(path);
    let answer = match action {
        Action::Help | Action::Confirm | Action::Refuse => {
            desk.say_to_payer(payer, Some(thread), Message::Help);
            return Ok(());
        }
        Action::Balance => {
            ask_balance(desk, payer, thread);
            return Ok(());
        }
        Action::Status => CommandAnswer::Status { orders: open_orders(desk, payer).await? },
        Action::History => {
            let url = page(pages::HISTORY);
            let newest = desk.tx.newest_order_ids(&payer.person.id, LISTED).await?;
            CommandAnswer::History { orders: lines(desk, &newest).await?, url }
        }
        Action::Limits => limits(desk, payer).await?,
        Action::Refund => refund(desk, payer, reference).await?,
        Action::Stop => stop(desk, payer).await?,
        Action::Start => {
            desk.tx.pause_person(&payer.person.id, None).await?;
            // Said before the account was linked, a stop was about being paid.
            desk.tx.opt_in(&payer.link.platform, &payer.link.account).await?;
            if payer.paused_at.is_some() { CommandAnswer::Started } else { CommandAnswer::NotStopped }
        }
        Action::Human => {
            hand_over(desk, payer, post).await?;
            CommandAnswer::HandedOver
        }
        Action::Erase => CommandAnswer::ErasePage { url: page(pages::ERASE) },
        Action::Export => CommandAnswer::ExportPage { url: page(pages::EXPORT) },
    };
    desk.say_to_payer(payer, Some(thread), Message::Command { answer });
    Ok(())
}

/// The balance needs a call to the bank, so it is asked for outside of the transaction, when the answer is written.
fn ask_balance(desk: &mut Desk<'_>, payer: &LinkedPayer, thread: &str) {
    let task = Task::Balance {
        account: payer.link.account.clone(),
        handle: payer.link.handle.clone(),
        language: payer.person.language,
        safe_phrase: payer.person.safe_phrase.clone(),
        thread: thread.to_owned(),
        bank: payer.account.bank.clone(),
        debtor: payer.account.iban.clone(),
        consent: payer.account.consent.clone(),
    };
    desk.queue(platform_lane(&payer.link.platform), None, &task, 1, desk.now);
}

/// What the bank said about the balance, as it is told.
pub(super) fn told_balance(account: &DebtorAccount, said: Result<Option<Balance>, TryAgain>, bank_page: String) -> CommandAnswer {
    match said {
        Ok(Some(Balance { booked, available })) => match available.or(booked) {
            Some(available) => CommandAnswer::Balance { account: account.iban.masked(), available },
            None => CommandAnswer::BalanceNotOffered,
        },
        Ok(None) => CommandAnswer::BalanceNotOffered,
        Err(TryAgain::Credentials { .. }) => CommandAnswer::BalanceNotAllowed { url: bank_page },
        Err(TryAgain::Later { .. }) => CommandAnswer::BalanceLater,
    }
}

/// A payer's orders that are open or under way, those of this very transaction included, newest first.
async fn open_orders(desk: &mut Desk<'_>, payer: &LinkedPayer) -> Result<Vec<OrderLine>, StoreError> {
    let stored = desk.tx.unfinished_orders_of(&payer.person.id, LISTED).await?;
    let is_payers = |order: &Order| order.payer.as_ref().is_some_and(|owner| owner.person == payer.person.id);
    let mut ids = desk.fresh_orders(is_payers);
    ids.reverse();
    ids.extend(stored);
    let is_open = |line: &OrderLine| {
        !matches!(
            line.stands,
            Stands::Paid
                | Stands::PaidInPart
                | Stands::CameBack
                | Stands::NotPaid
                | Stands::Refused
                | Stands::Cancelled
                | Stands::Expired
        )
    };
    Ok(lines(desk, &ids).await?.into_iter().filter(is_open).collect())
}

/// Orders as they are on the desk, in the order asked for.
async fn lines(desk: &mut Desk<'_>, ids: &[OrderId]) -> Result<Vec<OrderLine>, StoreError> {
    desk.lay_out(ids).await?;
    Ok(ids.iter().filter_map(|id| desk.order(id)).map(OrderLine::of).collect())
}

async fn limits(desk: &mut Desk<'_>, payer: &LinkedPayer) -> Result<CommandAnswer, StoreError> {
    let limits = desk.app.limits.now().limits.clone();
    let used = desk.tx.used_limits(&payer.person.id, &payer.account.iban, desk.now).await?;
    let money = |minor: i64| Money::new(minor.max(0), limits.currency);
    let orders = i64::from(limits.low_value_count).saturating_sub(used.low_value_orders);
    Ok(CommandAnswer::Limits {
        per_order: money(limits.low_value_order_minor),
        left_today: money(limits.rolling_day_minor.saturating_sub(used.day_minor)),
        left_by_code: money(limits.low_value_sum_minor.saturating_sub(used.low_value_minor)),
        orders_left: u32::try_from(orders).unwrap_or(0),
        url: desk.app.page(pages::LIMITS),
    })
}

/// A wish to have a payment back. It goes to the operators' queue, once for each order.
async fn refund(desk: &mut Desk<'_>, payer: &LinkedPayer, number: Option<&str>) -> Result<CommandAnswer, StoreError> {
    let Some(number) = number else { return Ok(CommandAnswer::RefundWhich) };
    let unknown = CommandAnswer::RefundUnknown { number: number.to_owned() };
    let Some(id) = order_of_receipt(desk, payer, number).await? else { return Ok(unknown) };
    let Some(order) = desk.order(&id) else { return Ok(unknown) };
    let line = OrderLine::of(order);
    match line.stands {
        Stands::Paid | Stands::PaidInPart => {}
        Stands::CameBack | Stands::NotPaid | Stands::Refused | Stands::Cancelled | Stands::Expired => {
            return Ok(CommandAnswer::RefundOfNothing { order: line });
        }
        _ => return Ok(CommandAnswer::RefundTooEarly { order: line }),
    }
    let calls = desk.tx.open_calls(Some(&id), i64::MAX).await?;
    let is_refund = |data: &str| matches!(serde_json::from_str(data), Ok(Task::Order { effect: Effect::CallOperator { what, .. } }) if what.starts_with(REFUND));
    if calls.iter().any(|call| is_refund(&call.data)) {
        return Ok(CommandAnswer::RefundAskedBefore { order: line });
    }
    let what = format!("{REFUND} by the payer, receipt {number}: ask the payee whether they give it back, and tell the payer");
    desk.call_operator(&id, what);
    Ok(CommandAnswer::RefundAsked { order: line })
}

/// The payer's order with this receipt number. It is made from the order's id, so it is looked for among the payer's own.
async fn order_of_receipt(desk: &mut Desk<'_>, payer: &LinkedPayer, number: &str) -> Result<Option<OrderId>, StoreError> {
    let newest = desk.tx.newest_order_ids(&payer.person.id, RECEIPTS).await?;
    let found = newest.into_iter().find(|id| crate::order::receipt_number(id) == number);
    if let Some(id) = &found {
        desk.lay_out(std::slice::from_ref(id)).await?;
    }
    Ok(found)
}

/// So many of a payer's newest orders are looked through for a receipt: more than anybody gives in years.
const RECEIPTS: i64 = 10_000;

async fn stop(desk: &mut Desk<'_>, payer: &LinkedPayer) -> Result<CommandAnswer, StoreError> {
    desk.tx.pause_person(&payer.person.id, Some(desk.now)).await?;
    let mut orders = desk.tx.orders_to_cancel(&payer.person.id).await?;
    desk.lay_out(&orders).await?;
    orders.extend(desk.fresh_orders(|order| order.payer.as_ref().is_some_and(|owner| owner.person == payer.person.id)));
    let mut withdrawn = 0;
    for order in &orders {
        withdrawn += u64::from(desk.happen(order, &Event::Cancelled { by: CancelledBy::Stopped }).await?.is_ok());
    }
    Ok(CommandAnswer::Stopped { withdrawn })
}

/// Calls an operator for a person. Asked twice, it is one call.
async fn hand_over(desk: &mut Desk<'_>, payer: &LinkedPayer, post: &Post) -> Result<(), StoreError> {
    if desk.tx.open_hand_over_of(&payer.person.id).await?.is_some() {
        return Ok(());
    }
    let task = Task::HandOver {
        platform: payer.link.platform.clone(),
        account: payer.link.account.clone(),
        handle: payer.link.handle.clone(),
        language: payer.person.language,
        safe_phrase: payer.person.safe_phrase.clone(),
        thread: post.native_id.clone(),
    };
    let call: EffectId = desk.queue(OPERATOR_LANE.to_owned(), None, &task, 1, desk.now);
    desk.tx.open_hand_over(&call, &payer.person.id, desk.now).await
}

/// Keeps what somebody writes while an operator is to answer them. `false`: nobody is.
pub(super) async fn keep_for_operator(desk: &mut Desk<'_>, payer: &LinkedPayer, post: &Post) -> Result<bool, StoreError> {
    let Some(call) = desk.tx.open_hand_over_of(&payer.person.id).await? else { return Ok(false) };
    // PostgreSQL has no place for U+0000.
    let said: String = post.text.chars().filter(|c| *c != '\0').take(LONGEST_LINE).collect();
    desk.tx.add_to_talk(&call, None, &said, desk.now).await?;
    desk.say_to_payer(payer, Some(&post.native_id), Message::Command { answer: CommandAnswer::Noted });
    Ok(true)
}
