//! Messages: every sentence that Obole sends to a person.
//!
//! The sentences stand in one data file per language (`en.toml`, `fr.toml`); here is what they are about. [`confirmation`] asks the
//! payer, [`notice`] tells what became of an order, [`Message`] answers somebody who has none, [`hint`] is the one thing said in
//! public.
//!
//! What every text promises:
//! - the first words say what matters; amount, payee, code and expiry are whole, whatever else has to be shortened;
//! - at most [`LONGEST`] characters, so that a text fits into every platform's private message together with the address that an
//!   adapter puts before it (an address is never cut, and counts as 23 characters);
//! - nobody is mentioned: no at sign that could begin a handle, since a private message on Mastodon reaches everyone it mentions.
//!   A handle is written without its at sign, a post to copy with `(at)`;
//! - a payment is never called failed while it may still be made;
//! - private messages end with the payer's own phrase and with what Obole never asks for.
//!
//! What it leaves to others: who is told what and when (`app`), and carrying it there (`platform`).

mod command;
mod confirmation;
mod notice;
mod plain;
mod reply;
mod texts;
mod together;

use crate::order::{Order, Payment};
use crate::people::Language;

pub use command::{CommandAnswer, LONGEST_ANSWER, OrderLine, Stands};
pub use confirmation::{confirmation, confirmation_on_page};
pub use notice::{Page, notice, notice_with_page};
pub use plain::amount;
pub use reply::{Changed, Message, explained};
pub use together::{Together, fitting, questions};

use texts::texts;

/// The longest text, in characters: Mastodon's 500 less room for the addressee's handle, which the adapter writes before the text
/// (30 characters on Mastodon, more elsewhere), and for an address that Mastodon counts as 23 characters though it is shorter.
pub const LONGEST: usize = 460;

/// The longest name or phrase in a text that has room. SEPA carries 70 characters of a name.
const LONGEST_NAME: usize = 70;
/// The longest handle shown; Mastodon's own may have 30 characters before the server's name.
const LONGEST_HANDLE: usize = 50;
/// The longest campaign hashtag or phrase shown.
const LONGEST_PHRASE: usize = 32;

/// The public answer to an order by somebody who is not linked: how to open a channel. No amount, no payee, nothing personal, and
/// short enough for every platform's posts.
pub fn hint(language: Language, enrol_url: &str) -> String {
    texts(language).common.hint(enrol_url)
}

/// A number of hours in words, e.g. `24 hours`.
pub fn hours(language: Language, hours: u64) -> String {
    texts(language).counted.hours(language, hours)
}

/// How much of each payee a list shows. Tried from the most to the least until the text fits.
#[derive(Debug, Clone, Copy)]
struct Detail {
    name: usize,
    handle: bool,
    /// Payees shown; the rest is counted and summed.
    lines: usize,
}

/// From everything to no payee of several by name. Names are shortened before handles go, and handles before payees are only counted.
fn details(payees: usize) -> impl Iterator<Item = Detail> {
    let all = |name, handle| Detail { name, handle, lines: payees };
    let fewer = (usize::from(payees < 2)..payees).rev().map(|lines| Detail { name: 12, handle: false, lines });
    [all(LONGEST_NAME, true), all(24, true), all(16, true), all(24, false), all(16, false), all(12, false)].into_iter().chain(fewer)
}

/// The first of `attempts` that is short enough, else the last.
fn first_that_fits(attempts: impl Iterator<Item = String>) -> String {
    let mut last = String::new();
    for attempt in attempts {
        if plain::length(&attempt) <= LONGEST {
            return attempt;
        }
        last = attempt;
    }
    last
}

/// `Croix-Rouge française (croixrouge)`.
fn payee(payment: &Payment, detail: Detail) -> String {
    let name = plain::words(&payment.payee.legal_name, detail.name);
    let handle = plain::handle(&payment.payee.handle, LONGEST_HANDLE);
    if payment.payee.is_unclaimed() {
        return handle;
    }
    if detail.handle && !handle.is_empty() { format!("{name} ({handle})") } else { name }
}

/// What the order is about in a few words: `€10.00 to Croix-Rouge française (croixrouge) for #telethon`, `€30.00 to 3 payees`.
fn what(order: &Order, detail: Detail) -> String {
    let common = &texts(order.language).common;
    let total = plain::amount(order.language, order.total);
    let what = match order.payments.as_slice() {
        [] => total,
        [only] => common.to_one(&plain::amount(order.language, only.amount), &payee(only, detail)),
        several => common.to_many(&total, &count(order.language, several.len())),
    };
    match &order.campaign {
        Some(campaign) => common.with_campaign(&what, &plain::words(campaign, LONGEST_PHRASE)),
        None => what,
    }
}

/// What one payment of the order is about: `€10.00 to Croix-Rouge française (croixrouge)`.
fn what_of(order: &Order, payment: &Payment, detail: Detail) -> String {
    texts(order.language).common.to_one(&plain::amount(order.language, payment.amount), &payee(payment, detail))
}

fn count(language: Language, payees: usize) -> String {
    texts(language).counted.payees(language, payees as u64)
}

/// The last line of a private message: the payer's phrase, if there is one, and what is never asked.
fn footer(language: Language, safe_phrase: &str) -> String {
    let common = &texts(language).common;
    let phrase = plain::words(safe_phrase, LONGEST_PHRASE);
    let phrase = if phrase.is_empty() { String::new() } else { common.safe_phrase(&phrase) + " " };
    phrase + &common.never_asked()
}

/// An order for the tests of this room.
#[cfg(test)]
mod sample {
    use crate::clock::Timestamp;
    use crate::entropy::SeededEntropy;
    use crate::ids::{Channel, OrderId, PayeeId, PaymentKey, PersonId, PostId};
    use crate::money::{Currency, Money};
    use crate::order::{Kind, Order, OrderState, PayeeSnapshot, Payer, Payment, PaymentState, Source};
    use crate::people::{Class, Language};

    pub(super) const PHRASE: &str = "blue heron";

    pub(super) fn now() -> Timestamp {
        "2026-03-01T14:22:00Z".parse().unwrap()
    }

    /// A gift to payees of the given handle, name and share.
    pub(super) fn order(language: Language, payees: &[(&str, &str, i64)]) -> Order {
        let entropy = SeededEntropy::new(1);
        let iban: crate::iban::Iban = "FR7630006000011234567890189".parse().unwrap();
        let post = PostId::from("https://town.example/1");
        let payment = |(index, (handle, name, minor)): (usize, &(&str, &str, i64))| {
            let index = u16::try_from(index).unwrap();
            Payment {
                index,
                key: PaymentKey::of_post("mastodon", Channel::Post, &post, index),
                payee: PayeeSnapshot {
                    id: PayeeId::new(now(), &entropy),
                    handle: (*handle).to_owned(),
                    legal_name: (*name).to_owned(),
                    iban: iban.clone(),
                    class: Class::Charity,
                },
                amount: Money::new(*minor, Currency::EUR),
                state: PaymentState::Proposed,
            }
        };
        let payments: Vec<Payment> = payees.iter().enumerate().map(payment).collect();
        let total = Money::sum(Currency::EUR, payments.iter().map(|payment| payment.amount)).unwrap();
        Order {
            id: OrderId::new(now(), &entropy),
            version: 1,
            kind: Kind::Give,
            source: Source {
                platform: "mastodon".into(),
                channel: Channel::Post,
                post: post.clone(),
                native_id: "1".to_owned(),
                author: "7".into(),
                author_handle: "alice".to_owned(),
                url: None,
            },
            payer: Some(Payer { person: PersonId::new(now(), &entropy), bank: "bank".into(), iban: iban.clone(), consent: None }),
            language,
            created_at: now(),
            campaign: None,
            memo: None,
            anonymous: false,
            receipt: false,
            total,
            state: OrderState::AwaitingConfirmation {
                until: crate::clock::later(now(), std::time::Duration::from_secs(600)),
                salt: "salt".to_owned(),
                digest: "digest".to_owned(),
                wrong_answers: 0,
                by: crate::order::Means::Code,
            },
            payments,
        }
    }

    pub(super) fn gift(language: Language) -> Order {
        order(language, &[("croixrouge", "Croix-Rouge française", 1000)])
    }

    pub(super) fn three(language: Language) -> Order {
        order(language, &[("bob", "Bob Martin", 1000), ("carol", "Carol Smith", 1000), ("dave", "Dave Jones", 1001)])
    }

    /// No-break spaces made visible, so that a snapshot shows them.
    pub(super) fn shown(text: &str) -> String {
        text.replace('\u{a0}', "~")
    }
}

/// One order that waits for its confirmation, another for each number: for the tests of those who ask.
#[cfg(test)]
pub(crate) fn sample_order(number: i64) -> Order {
    let mut order = sample::gift(Language::En);
    let entropy = crate::entropy::SeededEntropy::new(number.unsigned_abs());
    order.id = crate::ids::OrderId::new(sample::now(), &entropy);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_hint_names_nobody_and_no_amount() {
        let hints = Language::ALL.map(|language| sample::shown(&hint(language, "https://pay.example/start")));
        insta::assert_snapshot!(hints.join("\n---\n"), @"
        To give or pay by post, link your account first, once: https://pay.example/start
        ---
        Pour donner ou payer par un message public, reliez d'abord votre compte, une seule fois~: https://pay.example/start
        ");
        for language in Language::ALL {
            assert!(plain::length(&hint(language, "https://a-rather-long-name.payments.example.org/start")) <= 280);
        }
    }
}
