//! The question about several orders at once: one short line for each with its own code, and one code for exactly these together.
//!
//! An order with several payees is never among them: its list would not stand in one line, and a payer says yes only to what was shown.

use super::texts::texts;
use super::{LONGEST, details, footer, plain, what, what_of};
use crate::clock::Timestamp;
use crate::money::Money;
use crate::order::Order;
use crate::people::Language;

/// Orders as they are asked about together.
pub struct Together<'a> {
    /// Newest first, each with its code; two at least.
    pub orders: Vec<(&'a Order, String)>,
    /// The code for all of them.
    pub code: String,
    /// Orders that wait besides.
    pub others: usize,
    /// Where those are.
    pub inbox_url: &'a str,
    /// The payer's phrase.
    pub safe_phrase: &'a str,
}

/// How many of `orders`, from the first, fit into one message beside `others` that do not. Less than two: they are asked about singly.
pub fn fitting(orders: &[&Order], others: usize, inbox_url: &str, safe_phrase: &str, now: Timestamp) -> usize {
    let fits = |count: &usize| {
        let code = "000000".to_owned();
        let together = Together {
            orders: orders[..*count].iter().map(|order| (*order, code.clone())).collect(),
            code: code.clone(),
            others: others + orders.len() - count,
            inbox_url,
            safe_phrase,
        };
        plain::length(&questions(&together, now)) <= LONGEST
    };
    (2..=orders.len()).rev().find(fits).unwrap_or(orders.len().min(1))
}

/// Asks the payer to confirm each of several orders, or all of them. Names are shortened until it fits; sums, codes and the end of the
/// earliest code never are.
pub fn questions(together: &Together<'_>, now: Timestamp) -> String {
    // The campaign's name is the first to go: payee, sum and code are what the answer binds.
    let attempts = details(1).map(|detail| (detail, true)).chain(details(1).map(|detail| (detail, false)));
    super::first_that_fits(attempts.map(|(detail, with_campaign)| {
        let Some((first, _)) = together.orders.first() else { return String::new() };
        let language = first.language;
        let texts = texts(language);
        let count = together.orders.len() as u64;
        let mut text = head(language, together, now);
        for (order, code) in &together.orders {
            text.push('\n');
            let what = match order.payments.first() {
                Some(payment) if !with_campaign => what_of(order, payment, detail),
                _ => what(order, detail),
            };
            text.push_str(&texts.together.one(code, &what));
        }
        let total = Money::sum(first.total.currency, together.orders.iter().map(|(order, _)| order.total));
        if let Ok(total) = total {
            text.push('\n');
            text.push_str(&texts.together.all(&count.to_string(), &plain::amount(language, total), &together.code));
        }
        text.push('\n');
        text.push_str(&texts.together.no());
        if together.others > 0 {
            text.push('\n');
            let others = texts.counted.other_orders(language, together.others as u64);
            text.push_str(&texts.together.others(&others, together.inbox_url));
        }
        format!("{text}\n{}\n{}", texts.confirmation.name_public(), footer(language, together.safe_phrase))
    }))
}

/// How many, and until when: the earliest end goes for all.
fn head(language: Language, together: &Together<'_>, now: Timestamp) -> String {
    let texts = texts(language);
    let ends = together.orders.iter().filter_map(|(order, _)| order.state.deadline());
    let until = ends.min().unwrap_or(now);
    let seconds = until.duration_since(now).as_secs().max(0).unsigned_abs();
    let left = if seconds < 120 {
        texts.counted.seconds(language, seconds)
    } else {
        texts.counted.minutes(language, seconds.saturating_add(30) / 60)
    };
    let clock = texts.common.clock(&plain::time_of_day(until, seconds < 120));
    texts.together.head(&texts.counted.asking_orders(language, together.orders.len() as u64), &left, &clock)
}

#[cfg(test)]
mod tests {
    use super::super::sample::{PHRASE, now, order, shown};
    use super::*;
    use proptest::prelude::*;

    const INBOX: &str = "https://pay.example/inbox";

    fn asked(orders: &[Order], others: usize) -> String {
        let codes = ["111111", "222222", "333333"];
        let orders = orders.iter().zip(codes).map(|(order, code)| (order, code.to_owned())).collect();
        let together = Together { orders, code: "482193".to_owned(), others, inbox_url: INBOX, safe_phrase: PHRASE };
        let text = questions(&together, now());
        assert!(plain::length(&text) <= LONGEST, "{} characters: {text}", plain::length(&text));
        shown(&text)
    }

    fn three(language: Language) -> Vec<Order> {
        let gift = |handle, name, minor| order(language, &[(handle, name, minor)]);
        let mut orders = vec![
            gift("croixrouge", "Croix-Rouge française", 1_000),
            gift("bob", "Bob Martin", 550),
            gift("carol", "Carol Smith", 2_000),
        ];
        orders[0].campaign = Some("telethon".to_owned());
        orders
    }

    #[test]
    fn two_orders_have_a_code_each_and_one_together() {
        let texts = Language::ALL.map(|language| asked(&three(language)[..2], 0));
        insta::assert_snapshot!(texts.join("\n---\n"), @"
        2 orders wait for your answer within 10 minutes, by 14:32 UTC.
        YES 111111: €10.00 to Croix-Rouge française (croixrouge) for #telethon
        YES 222222: €5.50 to Bob Martin (bob)
        YES 482193: all 2, €15.50 in all
        No to all: NO.
        Your bank transfer shows your name.
        Your phrase: “blue heron”. Obole never asks for bank details, a password or a passkey by message.
        ---
        2 ordres attendent votre réponse sous 10 minutes, avant 14:32 UTC.
        OUI 111111~: 10,00~€ à Croix-Rouge française (croixrouge) pour #telethon
        OUI 222222~: 5,50~€ à Bob Martin (bob)
        OUI 482193~: les 2, 15,50~€ en tout
        Non à tous~: NON.
        Votre virement montre votre nom.
        Votre phrase~: «~blue heron~». Obole ne demande jamais par message de données bancaires, mot de passe ni clé d'accès.
        ");
    }

    #[test]
    fn what_is_not_listed_is_named_as_waiting() {
        let texts = Language::ALL.map(|language| asked(&three(language), 1));
        insta::assert_snapshot!(texts.join("\n---\n"), @"
        3 orders wait for your answer within 10 minutes, by 14:32 UTC.
        YES 111111: €10.00 to Croix-Rouge française (croixrouge) for #telethon
        YES 222222: €5.50 to Bob Martin (bob)
        YES 333333: €20.00 to Carol Smith (carol)
        YES 482193: all 3, €35.50 in all
        No to all: NO.
        and 1 more: https://pay.example/inbox
        Your bank transfer shows your name.
        Your phrase: “blue heron”. Obole never asks for bank details, a password or a passkey by message.
        ---
        3 ordres attendent votre réponse sous 10 minutes, avant 14:32 UTC.
        OUI 111111~: 10,00~€ à Croix-Rouge fra… (croixrouge) pour #telethon
        OUI 222222~: 5,50~€ à Bob Martin (bob)
        OUI 333333~: 20,00~€ à Carol Smith (carol)
        OUI 482193~: les 3, 35,50~€ en tout
        Non à tous~: NON.
        et 1 autre~: https://pay.example/inbox
        Votre virement montre votre nom.
        Votre phrase~: «~blue heron~». Obole ne demande jamais par message de données bancaires, mot de passe ni clé d'accès.
        ");
    }

    proptest! {
        #[test]
        fn whatever_is_listed_fits_with_its_sum_and_code(
            payees in prop::collection::vec(("\\PC{0,80}", "\\PC{0,200}", 1_i64..10_000_000), 2..=6),
            phrase in "\\PC{0,200}",
            others in 0_usize..5,
            french: bool,
        ) {
            let language = if french { Language::Fr } else { Language::En };
            let orders: Vec<Order> = payees.iter().map(|(handle, name, minor)| order(language, &[(handle.as_str(), name.as_str(), *minor)])).collect();
            let orders: Vec<&Order> = orders.iter().collect();
            let listed = fitting(&orders, others, INBOX, &phrase, now());
            prop_assert!(listed >= 2, "two orders always fit: {listed}");
            let codes = |place: usize| format!("{:06}", 100_001 + place);
            let together = Together {
                orders: orders[..listed].iter().enumerate().map(|(place, order)| (*order, codes(place))).collect(),
                code: "482193".to_owned(),
                others: others + orders.len() - listed,
                inbox_url: INBOX,
                safe_phrase: &phrase,
            };
            let text = questions(&together, now());
            prop_assert!(plain::length(&text) <= LONGEST, "{} characters: {text}", plain::length(&text));
            for (place, order) in orders[..listed].iter().enumerate() {
                prop_assert!(text.contains(&codes(place)) && text.contains(&plain::amount(language, order.total)), "{text}");
            }
            let total = Money::sum(orders[0].total.currency, orders[..listed].iter().map(|order| order.total)).unwrap();
            prop_assert!(text.contains(&plain::amount(language, total)) && text.contains("482193") && text.contains("14:32 UTC"), "{text}");
            prop_assert!(!plain::mentions(&text), "{text}");
        }
    }
}
