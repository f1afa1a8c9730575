//! Paying somebody who is not in the directory: they are invited once, claim with their bank's word, or say that they do not want it.
//!
//! Only a linked payer's transfer to one account does this; a gift goes to an organisation, which applies on its page, since somebody
//! has to look its registry up. Nothing is debited before the claim: until then the payment holds no account but the payer's own, so that
//! whatever went wrong could pay nobody, and the order is not asked about.
//!
//! The claim is an enrolment: the bank's consent proves the account and tells its holder's name, the code by private message proves the
//! account on the platform. Then the payer is asked as always, with the verified name. A holder called almost like a payee of the
//! directory, or with an account of one, becomes an entry that is frozen until two operators have looked.
//!
//! An account is written to once, however many want to pay it, however often. Whoever has it answers NO, and what waits is refused; or
//! STOP, and nothing of the kind is ever taken again. Neither needs an account with Obole.

use super::apply;
use super::changes::PinnedAccount;
use super::desk::{Addressee, Desk};
use super::pages;
use super::task::{Task, hint_lane};
use crate::ids::{AccountId, PayeeId, PlatformName};
use crate::messages::Message;
use crate::money::Money;
use crate::order::state::Rejection;
use crate::order::{Event, Order, OrderState, PayeeSnapshot};
use crate::people::{BankAccount, Class, Language, LinkedPayer, Payee};
use crate::platform::Post;
use crate::store::StoreError;

/// Somebody who may be paid after all.
pub(super) enum Outsider {
    /// They have linked their account: an entry was made of what their bank said.
    Entered(PayeeSnapshot),
    /// They have to claim first.
    Invited(PayeeSnapshot),
    /// They are not to be paid.
    Refused(Rejection),
}

/// What becomes of a transfer to an account that is not in the directory.
pub(super) async fn outsider(
    desk: &mut Desk<'_>,
    payer: &LinkedPayer,
    account: &AccountId,
    handle: &str,
) -> Result<Outsider, StoreError> {
    let platform = payer.link.platform.clone();
    let unknown = || Outsider::Refused(Rejection::PayeeUnknown { handle: handle.to_owned() });
    if let Some(known) = desk.tx.invitation(&platform, account).await?.filter(|known| known.opted_out) {
        tracing::debug!(payee = %known.payee, "somebody who opted out was to be paid");
        return Ok(Outsider::Refused(Rejection::PayeeDeclined { handle: handle.to_owned() }));
    }
    let linked = desk.tx.linked_payers(&platform, &[account]).await?;
    let reserved = PayeeId::new(desk.now, desk.app.entropy.as_ref());
    let Some(known) = desk.tx.note_invitee(&platform, account, handle, &reserved).await? else { return Ok(unknown()) };
    if let Some(linked) = linked.first() {
        let entered = enter(desk, &known.payee, &linked.account, &platform, account, handle).await?;
        return Ok(entered.map_or_else(Outsider::Refused, Outsider::Entered));
    }
    Ok(Outsider::Invited(PayeeSnapshot {
        id: known.payee,
        handle: handle.to_owned(),
        legal_name: String::new(),
        // Theirs is not known. With the payer's own, nothing that goes wrong can pay anybody else.
        iban: payer.account.iban.clone(),
        class: Class::Person,
    }))
}

/// Writes to somebody who is to be paid, if nobody ever did.
pub(super) async fn write_once(
    desk: &mut Desk<'_>,
    post: &Post,
    payer: &LinkedPayer,
    to: (&AccountId, &str),
    amount: Money,
) -> Result<(), StoreError> {
    let (account, handle) = to;
    let platform = &payer.link.platform;
    if !desk.tx.invite(platform, account, desk.now).await? {
        return Ok(());
    }
    // Nothing is known of their language but the one that they were named in.
    let language = post.language.as_deref().and_then(Language::from_tag).unwrap_or(payer.person.language);
    let task = Task::Say {
        account: account.clone(),
        handle: handle.to_owned(),
        language,
        safe_phrase: None,
        thread: None,
        message: Message::Invitation { from: payer.link.handle.clone(), amount, url: desk.app.page(pages::CLAIM) },
    };
    desk.queue(hint_lane(platform), None, &task, 2, desk.now);
    Ok(())
}

/// Somebody has enrolled: what waited for them as a payee goes on.
pub(super) async fn claimed(
    desk: &mut Desk<'_>,
    bank_account: &BankAccount,
    platform: &PlatformName,
    account: &AccountId,
    handle: &str,
) -> Result<(), StoreError> {
    let Some(known) = desk.tx.invitation(platform, account).await?.filter(|known| !known.opted_out) else { return Ok(()) };
    let orders = desk.tx.orders_awaiting_payee(&known.payee).await?;
    if orders.is_empty() {
        return Ok(());
    }
    let entered = enter(desk, &known.payee, bank_account, platform, account, handle).await?;
    desk.lay_out(&orders).await?;
    for id in &orders {
        let Some(index) = desk.order(id).and_then(|order| waiting_for(order, &known.payee)) else { continue };
        let event = match &entered {
            Ok(payee) => Event::PayeeClaimed { payment: index, payee: payee.clone(), salt: desk.salt() },
            Err(reason) => Event::Refused { reason: reason.clone() },
        };
        let _ = desk.happen(id, &event).await?;
    }
    Ok(())
}

fn waiting_for(order: &Order, payee: &PayeeId) -> Option<u16> {
    let waits = matches!(order.state, OrderState::AwaitingPayee { .. });
    order.payments.iter().find(|payment| waits && payment.payee.id == *payee).map(|payment| payment.index)
}

/// Makes an entry of what the bank said, or finds the one that was made.
async fn enter(
    desk: &mut Desk<'_>,
    id: &PayeeId,
    bank_account: &BankAccount,
    platform: &PlatformName,
    account: &AccountId,
    handle: &str,
) -> Result<Result<PayeeSnapshot, Rejection>, StoreError> {
    let snapshot = |payee: Payee| PayeeSnapshot {
        id: payee.id,
        handle: handle.to_owned(),
        legal_name: payee.legal_name,
        iban: payee.iban,
        class: payee.class,
    };
    let frozen = || Rejection::PayeeFrozen { handle: handle.to_owned() };
    let Some(holder) = desk.tx.holder(&bank_account.bank, &bank_account.iban).await? else {
        // A bank that tells no name has proved nothing that a payer could be shown.
        return Ok(Err(Rejection::PayeeUnknown { handle: handle.to_owned() }));
    };
    let entry = Payee {
        id: id.clone(),
        legal_name: holder.name,
        class: Class::Person,
        iban: bank_account.iban.clone(),
        registry_number: None,
        frozen: false,
    };
    let slug = format!("claim-{platform}-{account}");
    let proof = format!("consent {} at {}", holder.consent, bank_account.bank);
    let pinned = PinnedAccount { platform: platform.clone(), account: account.clone(), handle: handle.to_owned() };
    if let Err(why) = apply::enter(desk, &slug, entry, &pinned, "claim", &proof).await? {
        tracing::warn!(why, "somebody who claimed could not be entered in the directory");
    }
    let entered = desk.tx.payees_by_account(platform, &[account]).await?;
    Ok(match entered.into_iter().next() {
        Some((_, payee)) if payee.frozen => Err(frozen()),
        Some((_, payee)) => Ok(snapshot(payee)),
        None => Err(frozen()),
    })
}

/// Somebody without an account with Obole says no, or never. `false`: nobody wanted to pay them, and it was only a no.
pub(super) async fn declined(
    desk: &mut Desk<'_>,
    platform: &PlatformName,
    post: &Post,
    for_ever: bool,
) -> Result<bool, StoreError> {
    let account = &post.author.id;
    let handle = post.author.handle.as_str();
    let known = match desk.tx.invitation(platform, account).await? {
        Some(known) => known,
        None if for_ever => {
            let reserved = PayeeId::new(desk.now, desk.app.entropy.as_ref());
            match desk.tx.note_invitee(platform, account, handle, &reserved).await? {
                Some(known) => known,
                None => return Ok(false),
            }
        }
        None => return Ok(false),
    };
    if for_ever {
        desk.tx.opt_out(platform, account, desk.now).await?;
    }
    let orders = desk.tx.orders_awaiting_payee(&known.payee).await?;
    desk.lay_out(&orders).await?;
    for id in &orders {
        let reason = Rejection::PayeeDeclined { handle: handle.to_owned() };
        let _ = desk.happen(id, &Event::Refused { reason }).await?;
    }
    let to = Addressee {
        platform,
        account,
        handle,
        language: post.language.as_deref().and_then(Language::from_tag).unwrap_or_default(),
        safe_phrase: None,
        thread: Some(&post.native_id),
    };
    desk.say(&to, Message::InvitationDeclined { for_ever });
    Ok(true)
}
