//! Asking a payer about several orders in one message: a code for each, and one code for exactly these together.
//!
//! Questions to one payer join: whoever claims one of them claims all that are due, and they take one place in the platform's windows. The
//! message lists them together with the payer's older orders that still wait, newest first. An order with several payees, and one above
//! what a code may confirm, is never among them.
//!
//! # A question about several, line by line
//!
//! | step | committed before it | if the process dies right after it |
//! |---|---|---|
//! | claim the questions | orders `AwaitingConfirmation`, each with its salt | the lease runs out; they are claimed together again |
//! | choose the set, derive its code | – | the same; the same orders give the same set, code and text |
//! | commit the set as offered | the ids, and the code's keyed hash | claimed again; the same set is offered again, another takes its place |
//! | send the message | – | claimed again; the same set goes out under the same key, another set under another |
//! | commit what came of it, for every question of the message | the questions' end | nothing is left over |
//!
//! A code for several is good only while its set is the newest offered, every order in it still waits with the salt and the digest it was
//! offered with, and none of them has run out. So a set that was offered and never sent confirms nothing that was not shown; and a message
//! that was sent twice shows the same codes. The answer to it is told in [`super::confirm`].

use sha2::{Digest as _, Sha256};

use super::App;
use super::at_hand::AtHand;
use super::confirm::CodeSecret;
use super::ledger::{Answer, Ledger, Work};
use super::pages;
use crate::clock::{Timestamp, later};
use crate::ids::{OrderId, hex};
use crate::messages::{self, Together};
use crate::order::{Means, Order, OrderState};
use crate::people::LinkedPayer;
use crate::store::effects::{ClaimedEffect, Then, Turn};

/// An order that ends sooner than this is not asked about once more beside a newer one.
const TOO_SOON: std::time::Duration = std::time::Duration::from_secs(120);

/// Whether an order may share a message and a code with others.
pub(super) fn joins(order: &Order) -> bool {
    order.payments.len() == 1 && matches!(order.state, OrderState::AwaitingConfirmation { by: Means::Code, .. })
}

impl CodeSecret {
    /// The six digits for several orders together, each as it waits now: bound to their ids, salts and digests, in this order, and so to
    /// payees, amounts and total. Never the code of one of them. `None` if one of them does not wait.
    pub fn set_code(&self, orders: &[&Order]) -> Option<String> {
        let mut parts: Vec<&str> = Vec::with_capacity(orders.len() * 3);
        let mut singly = Vec::with_capacity(orders.len());
        for order in orders {
            let OrderState::AwaitingConfirmation { salt, digest, by: Means::Code, .. } = &order.state else { return None };
            parts.extend([order.id.as_str(), salt.as_str(), digest.as_str()]);
            singly.push(self.confirmation_code(&order.id, salt));
        }
        let codes = (0_u8..=u8::MAX).map(|attempt| {
            let attempt = attempt.to_string();
            let parts: Vec<&str> = parts.iter().copied().chain([attempt.as_str()]).collect();
            self.digits("confirmation-set", &parts)
        });
        codes.into_iter().find(|code| !singly.contains(code))
    }

    /// Under what a code for several is kept.
    pub fn set_code_hash(&self, person: &str, code: &str) -> String {
        self.lookup_hash("offered-set", &format!("{person} {code}"))
    }
}

/// One message about one or several orders, as it is to be sent.
pub(super) struct Question<'a> {
    /// Newest first.
    pub(super) orders: Vec<&'a Order>,
    /// What the message says.
    pub(super) text: String,
    /// The name of the sending: the same set is the same message.
    pub(super) key: String,
    /// The code for all of them.
    code: String,
}

/// The question about several that `claimed`, effects that join, come to. `None`: there is one order to ask about, or none.
pub(super) fn together<'a>(
    app: &App,
    at_hand: &'a AtHand,
    payer: &LinkedPayer,
    claimed: &[&ClaimedEffect],
    now: Timestamp,
) -> Option<Question<'a>> {
    let waits = |order: &&Order| matches!(&order.state, OrderState::AwaitingConfirmation { until, .. } if now < *until);
    let asked: Vec<&Order> = claimed.iter().filter_map(|effect| at_hand.order(effect.order.as_ref()?)).filter(waits).collect();
    let newest = asked.iter().max_by(|one, other| one.id.cmp(&other.id))?;
    // Another platform's thread may be read by others than those who were asked there.
    let beside = |order: &&Order| {
        waits(order)
            && order.source.platform == newest.source.platform
            && order.source.author == newest.source.author
            && order.total.currency == newest.total.currency
            && order.id < newest.id
            && !asked.iter().any(|one| one.id == order.id)
    };
    let older: Vec<&Order> = at_hand.open_orders(&payer.person.id).filter(beside).collect();
    let lasts = |order: &&Order| order.state.deadline().is_some_and(|until| later(now, TOO_SOON) < until);
    let mut orders: Vec<&Order> = older.iter().copied().filter(|order| joins(order) && lasts(order)).collect();
    let others = older.len() - orders.len();
    orders.extend(asked.iter().copied().filter(|order| joins(order)));
    // The newest first, and what was asked before last: it is what may have to give way.
    orders.sort_by(|one, other| {
        let is_asked = |order: &Order| asked.iter().any(|one| one.id == order.id);
        is_asked(other).cmp(&is_asked(one)).then(other.id.cmp(&one.id))
    });
    let inbox_url = app.page(pages::INBOX);
    let phrase = &payer.person.safe_phrase;
    let listed = messages::fitting(&orders, others, &inbox_url, phrase, now);
    if listed < 2 {
        return None;
    }
    let others = others + orders.len() - listed;
    orders.truncate(listed);
    let code = app.secret.set_code(&orders)?;
    let with_codes = orders.iter().filter_map(|order| match &order.state {
        OrderState::AwaitingConfirmation { salt, .. } => Some((*order, app.secret.confirmation_code(&order.id, salt))),
        _ => None,
    });
    let together =
        Together { orders: with_codes.collect(), code: code.clone(), others, inbox_url: &inbox_url, safe_phrase: phrase };
    let text = messages::questions(&together, now);
    // The questions that it answers for, in the order of its lines, and the set.
    let question_of = |order: &&Order| claimed.iter().find(|effect| effect.order.as_ref() == Some(&order.id));
    let questions: Vec<&str> = orders.iter().filter_map(question_of).map(|effect| effect.id.as_str()).collect();
    let key = format!("{}/{}", questions.join("+"), name_of(&orders));
    Some(Question { orders, text, key, code })
}

/// A name for exactly these orders as they wait now.
fn name_of(orders: &[&Order]) -> String {
    let hash = orders.iter().fold(Sha256::new(), |hasher, order| {
        let OrderState::AwaitingConfirmation { salt, digest, .. } = &order.state else { return hasher };
        hasher.chain_update(order.id.as_str()).chain_update(salt).chain_update(digest)
    });
    hex(&hash.finalize()[..8])
}

/// Commits that a set is offered, if the turn still is ours. `false`: it is not, and nothing may be sent.
pub(super) async fn offer(
    app: &App,
    ledger: &Ledger,
    payer: &LinkedPayer,
    question: &Question<'_>,
    effect: &ClaimedEffect,
) -> Result<bool, super::ledger::LedgerError> {
    let offer = Offer {
        person: payer.person.id.clone(),
        orders: question.orders.iter().map(|order| order.id.clone()).collect(),
        code_mac: app.secret.set_code_hash(payer.person.id.as_str(), &question.code),
    };
    let turn = Turn { id: effect.id.clone(), epoch: effect.epoch, then: Then::Keep };
    Ok(matches!(ledger.decide(Work::Offered { offer, turn }).await?, Answer::Done(_)))
}

/// A set of orders that a code is offered for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Offer {
    /// To whom.
    pub(super) person: crate::ids::PersonId,
    /// Which orders, in the order of the message.
    pub(super) orders: Vec<OrderId>,
    /// The keyed hash of the code.
    pub(super) code_mac: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::sample_order;

    fn waiting(number: i64) -> Order {
        let mut order = sample_order(number);
        if let OrderState::AwaitingConfirmation { salt, digest, .. } = &mut order.state {
            (*salt, *digest) = (format!("salt {number}"), format!("digest {number}"));
        }
        order
    }

    #[test]
    fn a_code_for_several_is_bound_to_every_one_of_them_as_it_waits() {
        let secret = CodeSecret::new([3; 32]);
        let (one, two, three) = (waiting(1), waiting(2), waiting(3));
        let code = secret.set_code(&[&one, &two]).unwrap();
        assert_eq!(secret.set_code(&[&one, &two]), Some(code.clone()), "the same set has the same code");
        assert!(code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()), "{code}");
        for other in [secret.set_code(&[&two, &one]), secret.set_code(&[&one, &two, &three]), secret.set_code(&[&one, &three])] {
            assert_ne!(other, Some(code.clone()));
        }
        let mut asked_anew = two.clone();
        if let OrderState::AwaitingConfirmation { salt, .. } = &mut asked_anew.state {
            salt.push('2');
        }
        assert_ne!(secret.set_code(&[&one, &asked_anew]), Some(code.clone()));
        let mut other_payee = two.clone();
        if let OrderState::AwaitingConfirmation { digest, .. } = &mut other_payee.state {
            digest.push('2');
        }
        assert_ne!(secret.set_code(&[&one, &other_payee]), Some(code.clone()));
        assert_ne!(CodeSecret::new([4; 32]).set_code(&[&one, &two]), Some(code));
        let mut gone = two;
        gone.state = OrderState::Expired { at: gone.created_at };
        assert_eq!(secret.set_code(&[&one, &gone]), None);
    }

    #[test]
    fn a_code_for_several_is_never_the_code_of_one_of_them() {
        // A thousand sets: were they left to chance, one in five hundred thousand would be.
        let secret = CodeSecret::new([5; 32]);
        for number in 0..1_000 {
            let (one, two) = (waiting(number), waiting(number + 5_000));
            let code = secret.set_code(&[&one, &two]).unwrap();
            for order in [&one, &two] {
                let OrderState::AwaitingConfirmation { salt, .. } = &order.state else { panic!() };
                assert_ne!(secret.confirmation_code(&order.id, salt), code);
            }
        }
    }
}
