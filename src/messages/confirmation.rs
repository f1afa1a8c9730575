//! The question before a payment: amount, payee, code, expiry, how to say no, and what becomes public.

use super::texts::texts;
use super::{Detail, details, first_that_fits, footer, payee, plain, what};
use crate::clock::Timestamp;
use crate::money::Money;
use crate::order::{Kind, Order};

/// Below this, the time left is told in seconds, and the clock with them: "1 minute" would say too little.
const SECONDS_BELOW: i64 = 120;

/// Asks the payer to confirm `order` with `code`. Everything that the answer binds stands in it; with many payees their names are
/// shortened, and at last the rest of the list is counted and summed, but total, code and expiry never change.
pub fn confirmation(order: &Order, code: &str, safe_phrase: &str, now: Timestamp) -> String {
    asked(order, Yes::Code(code), safe_phrase, now)
}

/// The same for an order that takes a passkey: the page at `url` shows all that the answer binds, whole.
pub fn confirmation_on_page(order: &Order, url: &str, safe_phrase: &str, now: Timestamp) -> String {
    asked(order, Yes::Page(url), safe_phrase, now)
}

/// How yes is said.
enum Yes<'a> {
    Code(&'a str),
    Page(&'a str),
}

fn asked(order: &Order, yes: Yes<'_>, safe_phrase: &str, now: Timestamp) -> String {
    let after = after_the_question(order, yes, safe_phrase, now);
    first_that_fits(details(order.payments.len()).map(|detail| format!("{}\n{after}", question(order, detail))))
}

/// The total with its payee, or above the list of all.
fn question(order: &Order, detail: Detail) -> String {
    let language = order.language;
    let texts = texts(language);
    let what = what(order, detail);
    let mut question = match order.kind {
        Kind::Send => texts.confirmation.send(&what),
        Kind::Give => texts.confirmation.give(&what),
    };
    if order.payments.len() < 2 {
        return question;
    }
    let (listed, rest) = order.payments.split_at(detail.lines.min(order.payments.len()));
    for payment in listed {
        question.push('\n');
        question.push_str(&texts.common.line(&plain::amount(language, payment.amount), &payee(payment, detail)));
    }
    if let Ok(sum) = Money::sum(order.total.currency, rest.iter().map(|payment| payment.amount))
        && !rest.is_empty()
    {
        let more = texts.counted.more_payees(language, rest.len() as u64);
        question.push('\n');
        question.push_str(&texts.common.rest(&more, &plain::amount(language, sum)));
    }
    question
}

fn after_the_question(order: &Order, yes: Yes<'_>, safe_phrase: &str, now: Timestamp) -> String {
    let language = order.language;
    let texts = texts(language);
    let until = order.state.deadline().unwrap_or(now);
    let seconds = until.duration_since(now).as_secs().max(0);
    let brief = seconds < SECONDS_BELOW;
    let left = if brief {
        texts.counted.seconds(language, seconds.unsigned_abs())
    } else {
        texts.counted.minutes(language, seconds.unsigned_abs().saturating_add(30) / 60)
    };
    let clock = texts.common.clock(&plain::time_of_day(until, brief));
    let public = if order.anonymous { texts.confirmation.name_hidden() } else { texts.confirmation.name_public() };
    let yes = match yes {
        Yes::Code(code) => texts.confirmation.yes(code, &left, &clock),
        Yes::Page(url) => texts.confirmation.yes_on_page(&plain::one_line(url), &clock),
    };
    let no = texts.confirmation.no();
    format!("{yes}\n{no}\n{public}\n{}", footer(language, safe_phrase))
}

#[cfg(test)]
mod tests {
    use super::super::sample::{PHRASE, gift, now, order, shown, three};
    use super::super::{LONGEST, plain};
    use super::*;
    use crate::clock::later;
    use crate::order::OrderState;
    use crate::people::Language;
    use proptest::prelude::*;
    use std::time::Duration;

    fn asked_in_both(change: impl Fn(&mut Order), order: impl Fn(Language) -> Order) -> String {
        let texts = Language::ALL.map(|language| {
            let mut order = order(language);
            change(&mut order);
            let text = confirmation(&order, "482193", PHRASE, now());
            assert!(plain::length(&text) <= LONGEST);
            shown(&text)
        });
        texts.join("\n---\n")
    }

    #[test]
    fn a_gift_is_asked_for_with_all_that_the_answer_binds() {
        insta::assert_snapshot!(asked_in_both(|_| (), gift), @"
        Give €10.00 to Croix-Rouge française (croixrouge)?
        Yes: reply YES 482193 within 10 minutes, by 14:32 UTC.
        No: reply NO.
        Your bank transfer shows your name.
        Your phrase: “blue heron”. Obole never asks for bank details, a password or a passkey by message.
        ---
        Donner 10,00~€ à Croix-Rouge française (croixrouge)~?
        Oui~: répondez OUI 482193 sous 10 minutes, avant 14:32 UTC.
        Non~: répondez NON.
        Votre virement montre votre nom.
        Votre phrase~: «~blue heron~». Obole ne demande jamais par message de données bancaires, mot de passe ni clé d'accès.
        ");
    }

    #[test]
    fn a_gift_to_a_campaign_without_a_name_says_where_the_name_shows_all_the_same() {
        let change = |order: &mut Order| {
            order.campaign = Some("telethon".to_owned());
            order.anonymous = true;
        };
        insta::assert_snapshot!(asked_in_both(change, gift), @"
        Give €10.00 to Croix-Rouge française (croixrouge) for #telethon?
        Yes: reply YES 482193 within 10 minutes, by 14:32 UTC.
        No: reply NO.
        Obole's pages will not name you (#anonymous), but your bank transfer shows your name.
        Your phrase: “blue heron”. Obole never asks for bank details, a password or a passkey by message.
        ---
        Donner 10,00~€ à Croix-Rouge française (croixrouge) pour #telethon~?
        Oui~: répondez OUI 482193 sous 10 minutes, avant 14:32 UTC.
        Non~: répondez NON.
        Les pages d'Obole ne vous nommeront pas (#anonyme), mais votre virement le fera.
        Votre phrase~: «~blue heron~». Obole ne demande jamais par message de données bancaires, mot de passe ni clé d'accès.
        ");
    }

    #[test]
    fn an_order_above_the_codes_limit_leads_to_its_page() {
        let texts = Language::ALL.map(|language| {
            let text = confirmation_on_page(&gift(language), "https://pay.example/confirm/0-1", PHRASE, now());
            assert!(plain::length(&text) <= LONGEST);
            shown(&text)
        });
        insta::assert_snapshot!(texts.join("\n---\n"), @"
        Give €10.00 to Croix-Rouge française (croixrouge)?
        Yes: with your passkey, by 14:32 UTC: https://pay.example/confirm/0-1
        No: reply NO.
        Your bank transfer shows your name.
        Your phrase: “blue heron”. Obole never asks for bank details, a password or a passkey by message.
        ---
        Donner 10,00~€ à Croix-Rouge française (croixrouge)~?
        Oui~: par clé d'accès, avant 14:32 UTC~: https://pay.example/confirm/0-1
        Non~: répondez NON.
        Votre virement montre votre nom.
        Votre phrase~: «~blue heron~». Obole ne demande jamais par message de données bancaires, mot de passe ni clé d'accès.
        ");
    }

    #[test]
    fn a_transfer_that_expires_in_seconds_says_seconds() {
        let change = |order: &mut Order| {
            order.kind = Kind::Send;
            if let OrderState::AwaitingConfirmation { until, .. } = &mut order.state {
                *until = later(now(), Duration::from_secs(45));
            }
        };
        insta::assert_snapshot!(asked_in_both(change, |language| {
            order(language, &[("bob@mastodon.example", "Bob Martin", 123_456)])
        }), @"
        Send €1,234.56 to Bob Martin (bob, mastodon.example)?
        Yes: reply YES 482193 within 45 seconds, by 14:22:45 UTC.
        No: reply NO.
        Your bank transfer shows your name.
        Your phrase: “blue heron”. Obole never asks for bank details, a password or a passkey by message.
        ---
        Envoyer 1~234,56~€ à Bob Martin (bob, mastodon.example)~?
        Oui~: répondez OUI 482193 sous 45 secondes, avant 14:22:45 UTC.
        Non~: répondez NON.
        Votre virement montre votre nom.
        Votre phrase~: «~blue heron~». Obole ne demande jamais par message de données bancaires, mot de passe ni clé d'accès.
        ");
    }

    #[test]
    fn several_payees_are_listed_with_their_shares_and_the_total() {
        insta::assert_snapshot!(asked_in_both(|order| order.kind = Kind::Send, three), @"
        Send €30.01 to 3 payees?
        €10.00 Bob Martin (bob)
        €10.00 Carol Smith (carol)
        €10.01 Dave Jones (dave)
        Yes: reply YES 482193 within 10 minutes, by 14:32 UTC.
        No: reply NO.
        Your bank transfer shows your name.
        Your phrase: “blue heron”. Obole never asks for bank details, a password or a passkey by message.
        ---
        Envoyer 30,01~€ à 3 bénéficiaires~?
        10,00~€ Bob Martin (bob)
        10,00~€ Carol Smith (carol)
        10,01~€ Dave Jones (dave)
        Oui~: répondez OUI 482193 sous 10 minutes, avant 14:32 UTC.
        Non~: répondez NON.
        Votre virement montre votre nom.
        Votre phrase~: «~blue heron~». Obole ne demande jamais par message de données bancaires, mot de passe ni clé d'accès.
        ");
    }

    #[test]
    fn ten_payees_are_listed_by_shorter_names() {
        let names = ["Association des amis du musée", "Secours populaire français", "Médecins sans frontières"];
        let payees: Vec<(&str, &str, i64)> = (0..10).map(|index| ("somebody", names[index % 3], 250)).collect();
        insta::assert_snapshot!(asked_in_both(|_| (), |language| order(language, &payees)), @"
        Give €25.00 to 10 payees?
        €2.50 Association des…
        €2.50 Secours populai…
        €2.50 Médecins sans f…
        €2.50 Association des…
        €2.50 Secours populai…
        €2.50 Médecins sans f…
        €2.50 Association des…
        €2.50 Secours populai…
        €2.50 Médecins sans f…
        €2.50 Association des…
        Yes: reply YES 482193 within 10 minutes, by 14:32 UTC.
        No: reply NO.
        Your bank transfer shows your name.
        Your phrase: “blue heron”. Obole never asks for bank details, a password or a passkey by message.
        ---
        Donner 25,00~€ à 10 bénéficiaires~?
        2,50~€ Association…
        2,50~€ Secours pop…
        2,50~€ Médecins sa…
        2,50~€ Association…
        2,50~€ Secours pop…
        2,50~€ Médecins sa…
        2,50~€ Association…
        2,50~€ Secours pop…
        et 2 autres~: 5,00~€
        Oui~: répondez OUI 482193 sous 10 minutes, avant 14:32 UTC.
        Non~: répondez NON.
        Votre virement montre votre nom.
        Votre phrase~: «~blue heron~». Obole ne demande jamais par message de données bancaires, mot de passe ni clé d'accès.
        ");
    }

    #[test]
    fn a_list_too_long_even_so_is_counted_and_summed_at_its_end() {
        let payees = vec![("somebody", "A rather long name of an association", 99_999_999); 10];
        let change = |order: &mut Order| {
            order.campaign = Some("a-hashtag-of-forty-characters-or-more-in-all".to_owned());
            order.anonymous = true;
        };
        insta::assert_snapshot!(asked_in_both(change, |language| order(language, &payees)), @"
        Give €9,999,999.90 to 10 payees for #a-hashtag-of-forty-characters-o…?
        €999,999.99 A rather lo…
        €999,999.99 A rather lo…
        €999,999.99 A rather lo…
        €999,999.99 A rather lo…
        and 6 more: €5,999,999.94
        Yes: reply YES 482193 within 10 minutes, by 14:32 UTC.
        No: reply NO.
        Obole's pages will not name you (#anonymous), but your bank transfer shows your name.
        Your phrase: “blue heron”. Obole never asks for bank details, a password or a passkey by message.
        ---
        Donner 9~999~999,90~€ à 10 bénéficiaires pour #a-hashtag-of-forty-characters-o…~?
        999~999,99~€ A rather lo…
        999~999,99~€ A rather lo…
        et 8 autres~: 7~999~999,92~€
        Oui~: répondez OUI 482193 sous 10 minutes, avant 14:32 UTC.
        Non~: répondez NON.
        Les pages d'Obole ne vous nommeront pas (#anonyme), mais votre virement le fera.
        Votre phrase~: «~blue heron~». Obole ne demande jamais par message de données bancaires, mot de passe ni clé d'accès.
        ");
    }

    proptest! {
        #[test]
        fn a_confirmation_fits_and_keeps_amount_code_and_expiry(
            payees in prop::collection::vec(("\\PC{0,80}", "\\PC{0,200}", 1_i64..100_000_000_000), 1..=10),
            phrase in "\\PC{0,200}",
            campaign in prop::option::of("\\PC{0,120}"),
            anonymous: bool,
            french: bool,
        ) {
            let language = if french { Language::Fr } else { Language::En };
            let payees: Vec<(&str, &str, i64)> = payees.iter().map(|(handle, name, minor)| (handle.as_str(), name.as_str(), *minor)).collect();
            let mut order = order(language, &payees);
            order.campaign = campaign;
            order.anonymous = anonymous;
            let text = confirmation(&order, "482193", &phrase, now());
            prop_assert!(plain::length(&text) <= LONGEST, "{} characters: {text}", plain::length(&text));
            prop_assert!(text.contains(&plain::amount(language, order.total)), "{text}");
            prop_assert!(text.contains("482193") && text.contains("14:32 UTC"), "{text}");
            prop_assert!(!plain::mentions(&text), "{text}");
            let url = format!("https://a-rather-long-name.payments.example.org/confirm/{}-{}", "0".repeat(32), "1".repeat(32));
            let text = confirmation_on_page(&order, &url, &phrase, now());
            prop_assert!(plain::length(&text) <= LONGEST, "{} characters: {text}", plain::length(&text));
            prop_assert!(text.contains(&url) && text.contains("14:32 UTC"), "{text}");
            prop_assert!(text.contains(&plain::amount(language, order.total)), "{text}");
        }
    }
}
