//! The payer's private answer: which orders it is about, and what happens to them.
//!
//! The answer is `OUI 482193` / `YES 482193`. A code is six digits, derived from a secret outside the store, the order and a salt
//! made when the payer was asked; so nothing at rest tells it, and the same message can be written again after a crash. A wrong
//! code counts against every open order of the payer; `NON` without a code refuses all of them; `OUI` alone confirms nothing.
//!
//! An order bears five wrong codes, whatever new codes it is given; an account ten within a day, then none is taken from it any more.
//!
//! # A code for several orders
//!
//! It confirms exactly the orders that it was offered for ([`super::ask`]), all of them or none:
//!
//! | step | if the process dies right after it |
//! |---|---|
//! | read the set that the code's keyed hash names; it has to be the newest | nothing was decided; the message is read again |
//! | compare the code with what the orders come to as they wait now, in constant time | the same |
//! | try: reserve all of them against the limits, ask screening for each, and undo it | the same: nothing is committed |
//! | confirm each, use the set up | the same |
//! | commit: all orders, reservations, audit lines and submissions at once | all are confirmed; the message is known and not read again |
//!
//! Whatever speaks against one of them, none is confirmed, and the payer hears why and that each still has its own code.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use super::desk::Desk;
use crate::clock::{Timestamp, later};
use crate::crash::crash_point;
use crate::ids::{OrderId, hex};
use crate::messages::Message;
use crate::order::policy::WRONG_ANSWERS;
use crate::order::{Answer, CancelledBy, Event, Means, Order, OrderState};
use crate::people::LinkedPayer;
use crate::people::enrolment::EnrolmentCode;
use crate::planted::planted;
use crate::store::StoreError;
use crate::store::asking::{OfferedSet, WRONG_CODE_DAY};

/// The secret that codes are derived from: 32 bytes, from the configuration, never in the store and never in a log.
#[derive(Clone)]
pub struct CodeSecret([u8; 32]);

impl fmt::Debug for CodeSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CodeSecret(…)")
    }
}

impl CodeSecret {
    /// A secret from its bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        CodeSecret(bytes)
    }

    /// The bytes that 64 hexadecimal characters spell.
    pub fn bytes_from_hex(text: &str) -> Option<[u8; 32]> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        for (place, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * place..2 * place + 2], 16).ok()?;
        }
        Some(bytes)
    }

    /// The six digits that confirm an order asked for with `salt`.
    pub fn confirmation_code(&self, order: &OrderId, salt: &str) -> String {
        self.digits("confirmation", &[order.as_str(), salt])
    }

    /// Six digits that only these parts have, for this purpose.
    pub(super) fn digits(&self, purpose: &str, parts: &[&str]) -> String {
        let tag = self.tag(purpose, parts);
        let number = tag.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        format!("{:06}", number % 1_000_000)
    }

    /// What opens the confirmation page of an order asked for with `salt`: 128 bits, good as long as the salt is.
    pub fn confirmation_token(&self, order: &OrderId, salt: &str) -> String {
        hex(&self.tag("confirmation-page", &[order.as_str(), salt])[..16])
    }

    /// What says that an order, or a change of settings, was not one's own: 128 bits.
    pub fn disowning_token(&self, about: &str) -> String {
        hex(&self.tag("disowning", &[about])[..16])
    }

    /// The code that a browser session shows until `until`.
    pub fn enrolment_code(&self, session: &str, until: Timestamp) -> EnrolmentCode {
        let tag = self.tag("enrolment", &[session, &until.as_microsecond().to_string()]);
        EnrolmentCode::from_bits([tag[0], tag[1], tag[2], tag[3], tag[4]])
    }

    /// A keyed hash, in hex, under which an enrolment code or a session token is looked up.
    pub fn lookup_hash(&self, purpose: &str, text: &str) -> String {
        hex(&self.tag(purpose, &[text]))
    }

    fn tag(&self, purpose: &str, parts: &[&str]) -> [u8; 32] {
        // HMAC takes keys of any length; this one has 32 bytes.
        let Ok(mut mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0) else { return [0; 32] };
        for part in std::iter::once(&purpose).chain(parts) {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac.finalize().into_bytes().into()
    }
}

/// A payer's yes or no, as the order language read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Yes,
    No,
}

/// Applies a payer's answer, with the code in it if there is one.
pub(super) async fn answer(
    desk: &mut Desk<'_>,
    payer: &LinkedPayer,
    word: Word,
    code: Option<&str>,
    thread: &str,
) -> Result<(), StoreError> {
    crash_point!("confirm.read", return Err(StoreError: connection_lost));
    let waiting = desk.orders_awaiting_answer(&payer.person.id).await?;
    // What this very batch has decided already is on the desk, not in the rows.
    let open: Vec<OrderId> = waiting.into_iter().filter(|id| is_waiting(desk, id)).collect();
    #[cfg(feature = "planted-bugs")]
    if planted!("second_yes_starts_again") && word == Word::Yes && open.is_empty() {
        return confirm_again(desk, payer).await;
    }
    if open.is_empty() {
        desk.say_to_payer(payer, Some(thread), Message::NoOpenOrder);
        return Ok(());
    }
    if planted!("code_in_the_log") {
        let given = code;
        tracing::info!(person.id = %payer.person.id, given, "a payer has answered");
    }
    if word == Word::Yes && !open.iter().any(|id| takes_code(desk, id)) {
        desk.say_to_payer(payer, Some(thread), Message::NeedsPasskey);
        return Ok(());
    }
    match (word, code) {
        (Word::Yes, None) => desk.say_to_payer(payer, Some(thread), Message::YesWithoutCode),
        (Word::No, None) => {
            for order in &open {
                let _ = desk.happen(order, &Event::Answered { answer: Answer::No }).await?;
            }
        }
        (_, Some(_)) if let Some(until) = blocked_until(desk, payer).await? => {
            let url = desk.app.page(super::pages::INBOX);
            desk.say_to_payer(payer, Some(thread), Message::CodesBlocked { until, url });
        }
        (word, Some(code)) => {
            let named: Vec<&OrderId> = open.iter().filter(|id| code_fits(desk, id, code)).collect();
            match (named.as_slice(), word) {
                ([order], Word::Yes) => {
                    let payers = [&payer.person.id];
                    desk.tx.lock_people(&payers).await?;
                    let _ = desk.happen(order, &Event::Answered { answer: Answer::Yes }).await?;
                    crash_point!("confirm.decided", return Err(StoreError: disk_full));
                }
                ([order], Word::No) => {
                    let _ = desk.happen(order, &Event::Answered { answer: Answer::No }).await?;
                }
                // Two orders with one code, once in a million: neither is confirmed on a guess.
                ([_, _, ..], _) => desk.say_to_payer(payer, Some(thread), Message::CodeAlone),
                ([], _) if answered_together(desk, payer, word, code, thread).await? => {}
                ([], _) => wrong_code(desk, payer, &open, thread).await?,
            }
        }
    }
    Ok(())
}

/// What `second_yes_starts_again` plants, beside letting `decide` take it: a yes that finds nothing waiting is for the newest order.
#[cfg(feature = "planted-bugs")]
async fn confirm_again(desk: &mut Desk<'_>, payer: &LinkedPayer) -> Result<(), StoreError> {
    for order in desk.tx.newest_orders(Some(&payer.person.id), 1).await? {
        desk.lay_out(std::slice::from_ref(&order.id)).await?;
        let _ = desk.happen(&order.id, &Event::Answered { answer: Answer::Yes }).await?;
    }
    Ok(())
}

/// A cancel order: the order it answers, else all of the author's orders that are not submitting yet.
pub(super) async fn cancel(
    desk: &mut Desk<'_>,
    payer: &LinkedPayer,
    replied_to: Option<&str>,
    thread: Option<&str>,
) -> Result<(), StoreError> {
    let named = match replied_to {
        Some(native_id) => desk.tx.orders_of_posts(&payer.link.platform, &[native_id]).await?,
        None => Vec::new(),
    };
    desk.lay_out(&named).await?;
    let is_own = |desk: &Desk<'_>, id: &OrderId| {
        desk.order(id).and_then(|order| order.payer.as_ref()).is_some_and(|owner| owner.person == payer.person.id)
    };
    let mut orders: Vec<OrderId> = named.into_iter().filter(|id| is_own(desk, id)).collect();
    if orders.is_empty() {
        orders = desk.tx.orders_to_cancel(&payer.person.id).await?;
        desk.lay_out(&orders).await?;
        // Orders that this very batch made are on the desk and not in the rows yet.
        let is_payers = |order: &Order| order.payer.as_ref().is_some_and(|owner| owner.person == payer.person.id);
        orders.extend(desk.fresh_orders(is_payers));
    }
    let mut cancelled = false;
    for order in &orders {
        cancelled |= desk.happen(order, &Event::Cancelled { by: CancelledBy::CancelOrder }).await?.is_ok();
    }
    crash_point!("cancel.decided", return Err(StoreError: disk_full));
    if !cancelled {
        desk.say_to_payer(payer, thread, Message::NoOpenOrder);
    }
    Ok(())
}

/// Until when no code is taken from the account that writes, after too many wrong ones within a day.
async fn blocked_until(desk: &mut Desk<'_>, payer: &LinkedPayer) -> Result<Option<Timestamp>, StoreError> {
    let wrong = desk.tx.wrong_codes(&payer.link.platform, &payer.link.account, desk.now).await?;
    // The oldest of those that count has to be a day old.
    let counts = wrong.len().checked_sub(WRONG_CODES_A_DAY).and_then(|place| wrong.get(place));
    Ok(counts.map(|oldest| later(*oldest, WRONG_CODE_DAY)))
}

/// Wrong codes that an account may send within a day.
const WRONG_CODES_A_DAY: usize = 10;

/// An answer with the code for several orders. `false`: the code is none that was offered lately.
async fn answered_together(
    desk: &mut Desk<'_>,
    payer: &LinkedPayer,
    word: Word,
    code: &str,
    thread: &str,
) -> Result<bool, StoreError> {
    let given = desk.app.secret.set_code_hash(payer.person.id.as_str(), code);
    let sets = desk.tx.offered_sets(&payer.person.id).await?;
    let Some(set) = sets.into_iter().find(|set| set.code_mac.as_bytes().ct_eq(given.as_bytes()).into()) else { return Ok(false) };
    desk.lay_out(&set.orders).await?;
    if !is_as_offered(desk, &set, code) {
        desk.say_to_payer(payer, Some(thread), Message::SetChanged { count: set.orders.len() as u64 });
        return Ok(true);
    }
    if word == Word::No {
        for order in &set.orders {
            let _ = desk.happen(order, &Event::Answered { answer: Answer::No }).await?;
        }
        desk.tx.use_set_up(&payer.person.id).await?;
        return Ok(true);
    }
    desk.tx.lock_people(&[&payer.person.id]).await?;
    if let Some(why_not) = desk.try_confirming(&set.orders).await? {
        desk.say_to_payer(payer, Some(thread), why_not);
        return Ok(true);
    }
    for order in &set.orders {
        if let Err(refusal) = desk.happen(order, &Event::Answered { answer: Answer::Yes }).await? {
            // It was tried a moment ago in this very transaction; each order says for itself what became of it.
            tracing::error!(order.id = %order, %refusal, "one of several orders was not confirmed with the others");
        }
    }
    desk.tx.use_set_up(&payer.person.id).await?;
    crash_point!("confirm.decided", return Err(StoreError: disk_full));
    Ok(true)
}

/// Whether a set is the newest, and every order in it waits as it did when the code was made.
fn is_as_offered(desk: &Desk<'_>, set: &OfferedSet, code: &str) -> bool {
    let orders: Option<Vec<&Order>> = set.orders.iter().map(|id| desk.order(id)).collect();
    let Some(orders) = orders else { return false };
    let in_time = orders.iter().all(|order| order.state.deadline().is_some_and(|until| desk.now < until));
    let expected = desk.app.secret.set_code(&orders).unwrap_or_default();
    let same: bool = expected.as_bytes().ct_eq(code.as_bytes()).into();
    set.is_newest && in_time && same
}

async fn wrong_code(desk: &mut Desk<'_>, payer: &LinkedPayer, open: &[OrderId], thread: &str) -> Result<(), StoreError> {
    desk.tx.count_wrong_code(&payer.link.platform, &payer.link.account, desk.now).await?;
    let mut tries_left = 0;
    for order in open {
        let _ = desk.happen(order, &Event::Answered { answer: Answer::WrongCode }).await?;
        if let Some(OrderState::AwaitingConfirmation { wrong_answers, .. }) = desk.order(order).map(|order| &order.state) {
            tries_left = tries_left.max(WRONG_ANSWERS.saturating_sub(*wrong_answers));
        }
    }
    // With no try left the orders themselves have said that they are refused.
    if tries_left > 0 {
        desk.say_to_payer(payer, Some(thread), Message::WrongCode { tries_left });
    }
    Ok(())
}

fn is_waiting(desk: &Desk<'_>, id: &OrderId) -> bool {
    desk.order(id).is_some_and(|order| matches!(order.state, OrderState::AwaitingConfirmation { .. }))
}

fn takes_code(desk: &Desk<'_>, id: &OrderId) -> bool {
    desk.order(id).is_some_and(|order| matches!(order.state, OrderState::AwaitingConfirmation { by: Means::Code, .. }))
}

fn code_fits(desk: &Desk<'_>, id: &OrderId, code: &str) -> bool {
    let Some(OrderState::AwaitingConfirmation { salt, by: Means::Code, .. }) = desk.order(id).map(|order| &order.state) else {
        return false;
    };
    let expected = desk.app.secret.confirmation_code(id, salt);
    expected.as_bytes().ct_eq(code.as_bytes()).into() || planted!("wrong_code_accepted")
}
