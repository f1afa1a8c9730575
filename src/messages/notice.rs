//! What became of an order: refusals, receipts, and the truth about what is not known yet.

use super::texts::{Rejections, texts};
use super::{Detail, LONGEST, LONGEST_HANDLE, details, first_that_fits, footer, plain, what, what_of};
use crate::money::Money;
use crate::order::{CancelledBy, Hold, Notice, Order, Payment, PaymentState, Rejection};
use crate::people::Language;
use crate::planted::planted;

/// The longest bank code shown; ISO 20022 reasons have four characters.
const LONGEST_REASON: usize = 24;

/// Tells the payer of `order` what `notice` says. Which payments were made is read from their states, never from the notice.
pub fn notice(order: &Order, notice: &Notice, safe_phrase: &str) -> String {
    let footer = footer(order.language, safe_phrase);
    let bodies = details(order.payments.len()).flat_map(|detail| {
        // With the bank references if they fit.
        [true, false].map(|references| body(order, notice, detail, references))
    });
    first_that_fits(bodies.map(|body| format!("{body}\n{footer}")))
}

/// The same with one more line before the phrase, where there is room: where to say that it was not oneself, or how to get on.
pub fn notice_with_page(order: &Order, said: &Notice, safe_phrase: &str, page: &Page) -> String {
    let text = notice(order, said, safe_phrase);
    let texts = &texts(order.language).notices;
    let line = match page {
        Page::NotYou(url) => texts.not_you(&plain::one_line(url)),
        Page::AddPasskey(url) => texts.add_passkey(&plain::one_line(url)),
    };
    let longer = text.rsplit_once('\n').map(|(body, footer)| format!("{body}\n{line}\n{footer}"));
    longer.filter(|longer| plain::length(longer) <= LONGEST).unwrap_or(text)
}

/// A page that a notice leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// Where the payer says that an order was not theirs.
    NotYou(String),
    /// Where a payer without a passkey gets one.
    AddPasskey(String),
}

fn body(order: &Order, notice: &Notice, detail: Detail, references: bool) -> String {
    let texts = &texts(order.language).notices;
    let all = what(order, detail);
    let one = |index: u16| order.payment(index).map_or_else(|| all.clone(), |payment| what_of(order, payment, detail));
    match notice {
        Notice::Rejected { reason } => texts.rejected(&all, &why_rejected(order, reason)),
        Notice::Cancelled { by } => {
            let why = match by {
                CancelledBy::Payer => texts.cancelled_payer(),
                CancelledBy::CancelOrder => texts.cancelled_cancel_order(),
                CancelledBy::Edit => texts.cancelled_edit(),
                CancelledBy::Deletion => texts.cancelled_deletion(),
                CancelledBy::Unlinked => texts.cancelled_unlinked(),
                CancelledBy::Stopped => texts.cancelled_stopped(),
            };
            texts.cancelled(&all, &why)
        }
        Notice::TooLateToCancel => texts.too_late_to_cancel(&all),
        Notice::PostChangedAfterConfirmation => texts.post_changed(&all),
        Notice::Held { why: Hold::LookAlike { .. } } => texts.held_look_alike(&all),
        Notice::Held { why: Hold::Screening { .. } | Hold::Operator { .. } } => texts.held(&all),
        Notice::AwaitsPayee => texts.awaits_payee(&all),
        Notice::Expired => texts.expired(&all),
        Notice::Authorise { payment } => match order.payment(*payment).map(|payment| &payment.state) {
            Some(PaymentState::AwaitingBank { authorise_at, .. }) => {
                texts.authorise(&one(*payment), &plain::one_line(authorise_at))
            }
            _ => texts.authorise_anywhere(&one(*payment)),
        },
        Notice::Receipt if all_settled(order) || planted!("paid_too_early") => receipt(order, &all, detail, references),
        // A receipt is written from the payments, so one that came too early or late tells what is true now.
        Notice::Receipt | Notice::Outcome => outcome(order, detail),
        Notice::BeingChecked { payment } => texts.being_checked(&one(*payment)),
        Notice::Returned { payment } => texts.returned(&one(*payment), &order.receipt_number()),
    }
}

fn all_settled(order: &Order) -> bool {
    !order.payments.is_empty() && order.payments.iter().all(|payment| matches!(payment.state, PaymentState::Settled { .. }))
}

fn receipt(order: &Order, what: &str, detail: Detail, references: bool) -> String {
    let texts = texts(order.language);
    let mut text = texts.notices.receipt(what, &order.receipt_number());
    match order.payments.as_slice() {
        [only] => {
            text.push('\n');
            text.push_str(&texts.notices.reference(only.key.as_str()));
        }
        several => list(order, several, detail, &mut text, |payment| {
            let line = texts.common.line(&plain::amount(order.language, payment.amount), &super::payee(payment, detail));
            if references { format!("{line} {}", payment.key) } else { line }
        }),
    }
    text
}

/// What is true of each payment, under what was paid in all.
fn outcome(order: &Order, detail: Detail) -> String {
    let texts = &texts(order.language).notices;
    let number = order.receipt_number();
    if let [only] = order.payments.as_slice() {
        return texts.outcome_one(&standing(order, only, detail), &number);
    }
    let settled = order.payments.iter().filter(|payment| matches!(payment.state, PaymentState::Settled { .. }));
    let paid = Money::sum(order.total.currency, settled.map(|payment| payment.amount)).unwrap_or(Money::zero(order.total.currency));
    let [paid, total] = [paid, order.total].map(|money| plain::amount(order.language, money));
    let mut text = texts.outcome(&paid, &total, &number);
    list(order, &order.payments, detail, &mut text, |payment| standing(order, payment, detail));
    text
}

/// One line per payment; those for which there is no room are counted and summed.
fn list(order: &Order, payments: &[Payment], detail: Detail, text: &mut String, line: impl Fn(&Payment) -> String) {
    let texts = texts(order.language);
    let (listed, rest) = payments.split_at(detail.lines.min(payments.len()));
    for payment in listed {
        text.push('\n');
        text.push_str(&line(payment));
    }
    if let Ok(sum) = Money::sum(order.total.currency, rest.iter().map(|payment| payment.amount))
        && !rest.is_empty()
    {
        let more = texts.counted.more_payees(order.language, rest.len() as u64);
        text.push('\n');
        text.push_str(&texts.common.rest(&more, &plain::amount(order.language, sum)));
    }
}

/// How one payment stands, in one sentence. Only a definite refusal, or a payment that surely never left, is "not paid".
fn standing(order: &Order, payment: &Payment, detail: Detail) -> String {
    let texts = &texts(order.language).notices;
    let what = what_of(order, payment, detail);
    match &payment.state {
        PaymentState::Settled { .. } => texts.settled(&what),
        PaymentState::Returned { .. } => texts.returned_line(&what),
        PaymentState::Failed { reason, .. } if reason.starts_with("voided") => texts.changed(&what),
        PaymentState::Failed { reason, .. } => texts.refused(&what, &plain::words(reason, LONGEST_REASON)),
        PaymentState::Expired { .. } => texts.not_submitted(&what),
        PaymentState::Unknown { .. } | PaymentState::Disputed { .. } => texts.unclear(&what),
        PaymentState::Proposed => texts.not_asked(&what),
        PaymentState::Ready { .. }
        | PaymentState::Submitting { .. }
        | PaymentState::AwaitingBank { .. }
        | PaymentState::Executing { .. } => texts.under_way(&what),
    }
}

fn why_rejected(order: &Order, reason: &Rejection) -> String {
    let language = order.language;
    let texts = texts(language);
    let rejections: &Rejections = &texts.rejections;
    match reason {
        Rejection::PayeeUnknown { handle } => rejections.payee_unknown(&plain::handle(handle, LONGEST_HANDLE)),
        Rejection::PayeeFrozen { handle } => rejections.payee_frozen(&plain::handle(handle, LONGEST_HANDLE)),
        Rejection::PayeeLooksLike { handle, like } => {
            rejections.payee_looks_like(&plain::handle(handle, LONGEST_HANDLE), &plain::handle(like, LONGEST_HANDLE))
        }
        Rejection::PayeeDeclined { handle } => rejections.payee_declined(&plain::handle(handle, LONGEST_HANDLE)),
        Rejection::CurrencyNotServed => rejections.currency_not_served(order.total.currency.code()),
        Rejection::AboveLowValueLimit { limit } => rejections.above_low_value_limit(&plain::amount(language, *limit)),
        Rejection::PasskeyTooNew { limit, until } => {
            rejections.passkey_too_new(&plain::amount(language, *limit), &plain::day_and_time(*until))
        }
        Rejection::AboveOwnLimit { limit } => rejections.above_own_limit(&plain::amount(language, *limit)),
        Rejection::AccountLocked => rejections.account_locked(),
        Rejection::AboveOrderLimit { limit } => rejections.above_order_limit(&plain::amount(language, *limit)),
        Rejection::TooManyOpen { limit } => rejections.too_many_open(&texts.counted.open_orders(language, u64::from(*limit))),
        Rejection::LimitReached { which } => limit_reached(language, *which),
        Rejection::AlreadyEdited => rejections.already_edited(),
        Rejection::TooOld => rejections.too_old(),
        Rejection::StrongConfirmationNeeded => rejections.strong_confirmation_needed(),
        Rejection::TooManyWrongAnswers => rejections.too_many_wrong_answers(),
        Rejection::SelfPayment => rejections.self_payment(),
    }
}

fn limit_reached(language: Language, which: crate::order::state::LimitKind) -> String {
    use crate::order::state::LimitKind;
    let rejections = &texts(language).rejections;
    match which {
        LimitKind::RollingDay => rejections.rolling_day(),
        LimitKind::LowValueSum => rejections.low_value_sum(),
        LimitKind::LowValueCount => rejections.low_value_count(),
        LimitKind::Own => rejections.own(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::plain;
    use super::super::sample::{PHRASE, gift, now, order, shown, three};
    use super::*;
    use crate::money::Currency;
    use crate::order::state::LimitKind;

    /// The text without its last line, which is the same everywhere and shown by the first test.
    fn told(order: &Order, said: &Notice) -> String {
        let text = notice(order, said, PHRASE);
        let longest = notice(order, said, &"m".repeat(100));
        assert!(plain::length(&longest) <= LONGEST, "{} characters: {longest}", plain::length(&longest));
        assert!(!plain::mentions(&text), "{text}");
        let (body, last) = text.rsplit_once('\n').unwrap();
        assert_eq!(last, footer(order.language, PHRASE));
        shown(body)
    }

    fn settled() -> PaymentState {
        PaymentState::Settled { at: now(), bank_payment_id: None }
    }

    fn failed(reason: &str) -> PaymentState {
        PaymentState::Failed { at: now(), reason: reason.to_owned() }
    }

    /// In both languages, about an order whose payments stand as given.
    fn told_in_both(order: impl Fn(Language) -> Order, states: &[PaymentState], said: &Notice) -> String {
        let tell = |language| {
            let mut order = order(language);
            for (payment, state) in order.payments.iter_mut().zip(states) {
                payment.state = state.clone();
            }
            told(&order, said)
        };
        Language::ALL.map(tell).join("\n---\n")
    }

    #[test]
    fn a_receipt_has_number_amount_payee_and_bank_reference() {
        insta::assert_snapshot!(told_in_both(gift, &[settled()], &Notice::Receipt), @"
        Paid: €10.00 to Croix-Rouge française (croixrouge). Receipt 44805217.
        Reference on your statement: 4dfc7f0c915d9e95ed7f41b6fe2f71f0.
        ---
        Payé~: 10,00~€ à Croix-Rouge française (croixrouge). Reçu 44805217.
        Référence sur votre relevé~: 4dfc7f0c915d9e95ed7f41b6fe2f71f0.
        ");
    }

    #[test]
    fn a_notice_leads_to_a_page_where_there_is_room() {
        let say = |language, notice: &Notice, page: Page| {
            let mut order = gift(language);
            if *notice == Notice::Receipt {
                order.payments[0].state = settled();
            }
            let text = notice_with_page(&order, notice, PHRASE, &page);
            assert!(plain::length(&text) <= LONGEST && text.ends_with(&footer(language, PHRASE)));
            shown(text.rsplit_once('\n').unwrap().0)
        };
        let limit = Money::new(3000, Currency::EUR);
        let refused = Notice::Rejected { reason: Rejection::AboveLowValueLimit { limit } };
        let texts = Language::ALL.map(|language| {
            let receipt = say(language, &Notice::Receipt, Page::NotYou("https://pay.example/not-me/0-1".to_owned()));
            let refusal = say(language, &refused, Page::AddPasskey("https://pay.example/enrol".to_owned()));
            format!("{receipt}\n{refusal}")
        });
        insta::assert_snapshot!(texts.join("\n---\n"), @"
        Paid: €10.00 to Croix-Rouge française (croixrouge). Receipt 44805217.
        Reference on your statement: 4dfc7f0c915d9e95ed7f41b6fe2f71f0.
        Not you? Say so here: https://pay.example/not-me/0-1
        Refused, nothing was paid: €10.00 to Croix-Rouge française (croixrouge). Above €30.00 a code is not enough, and you have no passkey.
        To add one, link your account once more: https://pay.example/enrol
        ---
        Payé~: 10,00~€ à Croix-Rouge française (croixrouge). Reçu 44805217.
        Référence sur votre relevé~: 4dfc7f0c915d9e95ed7f41b6fe2f71f0.
        Ce n'était pas vous~? Dites-le ici~: https://pay.example/not-me/0-1
        Refusé, rien n'a été payé~: 10,00~€ à Croix-Rouge française (croixrouge). Au-dessus de 30,00~€, un code ne suffit pas, et vous n'avez pas de clé d'accès.
        Pour en ajouter une, reliez votre compte encore une fois~: https://pay.example/enrol
        ");
    }

    #[test]
    fn every_private_message_ends_with_the_phrase_and_what_is_never_asked() {
        let footers = Language::ALL.map(|language| shown(&footer(language, PHRASE)) + "\n" + &shown(&footer(language, "")));
        insta::assert_snapshot!(footers.join("\n---\n"), @"
        Your phrase: “blue heron”. Obole never asks for bank details, a password or a passkey by message.
        Obole never asks for bank details, a password or a passkey by message.
        ---
        Votre phrase~: «~blue heron~». Obole ne demande jamais par message de données bancaires, mot de passe ni clé d'accès.
        Obole ne demande jamais par message de données bancaires, mot de passe ni clé d'accès.
        ");
    }

    #[test]
    fn a_receipt_for_several_lists_each_with_its_reference() {
        insta::assert_snapshot!(told_in_both(three, &[settled(), settled(), settled()], &Notice::Receipt), @"
        Paid: €30.01 to 3 payees. Receipt 69910404.
        €10.00 Bob Martin (bob) 4dfc7f0c915d9e95ed7f41b6fe2f71f0
        €10.00 Carol Smith (carol) 4df7e20194a9b22928b6b13d4abdc2a9
        €10.01 Dave Jones (dave) 112c13acf1839fd3c3f702f84a71881e
        ---
        Payé~: 30,01~€ à 3 bénéficiaires. Reçu 69910404.
        10,00~€ Bob Martin (bob) 4dfc7f0c915d9e95ed7f41b6fe2f71f0
        10,00~€ Carol Smith (carol) 4df7e20194a9b22928b6b13d4abdc2a9
        10,01~€ Dave Jones (dave) 112c13acf1839fd3c3f702f84a71881e
        ");
    }

    #[test]
    fn a_receipt_for_ten_leaves_the_references_to_the_statement() {
        let payees = [("somebody", "Médecins sans frontières", 250); 10];
        let order = |language| {
            let mut order = order(language, &payees);
            order.campaign = Some("telethon".to_owned());
            order
        };
        insta::assert_snapshot!(told_in_both(order, &vec![settled(); 10], &Notice::Receipt), @"
        Paid: €25.00 to 10 payees for #telethon. Receipt 95925083.
        €2.50 Médecins sans f…
        €2.50 Médecins sans f…
        €2.50 Médecins sans f…
        €2.50 Médecins sans f…
        €2.50 Médecins sans f…
        €2.50 Médecins sans f…
        €2.50 Médecins sans f…
        €2.50 Médecins sans f…
        €2.50 Médecins sans f…
        €2.50 Médecins sans f…
        ---
        Payé~: 25,00~€ à 10 bénéficiaires pour #telethon. Reçu 95925083.
        2,50~€ Médecins sans f…
        2,50~€ Médecins sans f…
        2,50~€ Médecins sans f…
        2,50~€ Médecins sans f…
        2,50~€ Médecins sans f…
        2,50~€ Médecins sans f…
        2,50~€ Médecins sans f…
        2,50~€ Médecins sans f…
        2,50~€ Médecins sans f…
        2,50~€ Médecins sans f…
        ");
    }

    #[test]
    fn an_outcome_tells_the_truth_about_each_payment() {
        let states = [settled(), failed("AM04"), PaymentState::Expired { at: now() }];
        insta::assert_snapshot!(told_in_both(three, &states, &Notice::Outcome), @"
        Paid for certain: €10.00 of €30.01. Order 69910404:
        Paid: €10.00 to Bob Martin (bob).
        Not paid, refused by your bank (AM04): €10.00 to Carol Smith (carol).
        Not paid, it could not be handed to your bank in time: €10.01 to Dave Jones (dave).
        ---
        Payé avec certitude~: 10,00~€ sur 30,01~€. Ordre 69910404~:
        Payé~: 10,00~€ à Bob Martin (bob).
        Non payé, refusé par votre banque (AM04)~: 10,00~€ à Carol Smith (carol).
        Non payé, l'ordre n'a pas pu être remis à temps à votre banque~: 10,01~€ à Dave Jones (dave).
        ");
        let states = [
            PaymentState::Returned { settled_at: now(), at: now() },
            failed("voided: the payee's account changed"),
            PaymentState::Disputed { at: now(), recorded: "settled".to_owned(), contradiction: "refused".to_owned() },
        ];
        insta::assert_snapshot!(told_in_both(three, &states, &Notice::Outcome), @"
        Paid for certain: €0.00 of €30.01. Order 69910404:
        Came back to your account: €10.00 to Bob Martin (bob).
        Not paid, it no longer was what you had confirmed: €10.00 to Carol Smith (carol).
        Not clear, do not pay again, a person is looking into it: €10.01 to Dave Jones (dave).
        ---
        Payé avec certitude~: 0,00~€ sur 30,01~€. Ordre 69910404~:
        Revenu sur votre compte~: 10,00~€ à Bob Martin (bob).
        Non payé, ce n'était plus ce que vous aviez confirmé~: 10,00~€ à Carol Smith (carol).
        Pas encore clair, ne payez pas à nouveau, une personne s'en occupe~: 10,01~€ à Dave Jones (dave).
        ");
    }

    #[test]
    fn an_outcome_of_one_payment_is_one_sentence() {
        insta::assert_snapshot!(told_in_both(gift, &[failed("AM04")], &Notice::Outcome), @"
        Not paid, refused by your bank (AM04): €10.00 to Croix-Rouge française (croixrouge). Order 44805217.
        ---
        Non payé, refusé par votre banque (AM04)~: 10,00~€ à Croix-Rouge française (croixrouge). Ordre 44805217.
        ");
    }

    #[test]
    fn what_may_still_be_paid_is_never_called_unpaid_even_by_a_notice_that_came_too_early() {
        let states =
            [PaymentState::Submitting { submitted_at: now(), turn: String::new(), asked: 0 }, settled(), PaymentState::Proposed];
        insta::assert_snapshot!(told_in_both(three, &states, &Notice::Receipt), @"
        Paid for certain: €10.00 of €30.01. Order 69910404:
        Under way, do not pay again: €10.00 to Bob Martin (bob).
        Paid: €10.00 to Carol Smith (carol).
        Not paid: €10.01 to Dave Jones (dave).
        ---
        Payé avec certitude~: 10,00~€ sur 30,01~€. Ordre 69910404~:
        En cours, ne payez pas à nouveau~: 10,00~€ à Bob Martin (bob).
        Payé~: 10,00~€ à Carol Smith (carol).
        Non payé~: 10,01~€ à Dave Jones (dave).
        ");
        let unknown = PaymentState::Unknown {
            submitted_at: now(),
            bank_payment_id: None,
            why: String::new(),
            asked: 3,
            repeating: false,
            with_operator: true,
        };
        let text = told_in_both(gift, &[unknown], &Notice::Outcome);
        assert!(!text.contains("Not paid") && !text.contains("Non payé"), "{text}");
    }

    #[test]
    fn doubt_and_return_are_said_plainly() {
        let both =
            [Notice::BeingChecked { payment: 0 }, Notice::Returned { payment: 0 }].map(|said| told_in_both(gift, &[], &said));
        insta::assert_snapshot!(both.join("\n===\n"), @"
        We are asking your bank, do not pay again: €10.00 to Croix-Rouge française (croixrouge). It may have been paid already; this post cannot be paid twice. I will write when I know.
        ---
        Nous interrogeons votre banque, ne payez pas à nouveau~: 10,00~€ à Croix-Rouge française (croixrouge). C'est peut-être déjà payé~; ce message public ne peut pas être payé deux fois. Je vous écrirai dès que je le sais.
        ===
        Came back: €10.00 to Croix-Rouge française (croixrouge). The payee's bank returned the money to your account. Receipt 44805217.
        ---
        Revenu~: 10,00~€ à Croix-Rouge française (croixrouge). La banque du bénéficiaire a rendu l'argent à votre compte. Reçu 44805217.
        ");
    }

    #[test]
    fn the_banks_own_approval_is_asked_for_with_its_whole_address() {
        let waiting = PaymentState::AwaitingBank {
            submitted_at: now(),
            bank_payment_id: "p1".to_owned(),
            authorise_at: "https://bank.example/sca/1".to_owned(),
            asked: 0,
        };
        let said = Notice::Authorise { payment: 0 };
        let both = [told_in_both(gift, &[waiting], &said), told_in_both(gift, &[], &said)];
        insta::assert_snapshot!(both.join("\n===\n"), @"
        Your bank wants your approval: €10.00 to Croix-Rouge française (croixrouge). Approve on your bank's page, if it shows this amount and name: https://bank.example/sca/1
        Nothing is paid before you do.
        ---
        Votre banque attend votre accord~: 10,00~€ à Croix-Rouge française (croixrouge). Donnez-le sur la page de votre banque, si elle montre ce montant et ce nom~: https://bank.example/sca/1
        Rien n'est payé avant.
        ===
        Your bank wants your approval: €10.00 to Croix-Rouge française (croixrouge). Approve in your bank's app, if it shows this amount and name. Nothing is paid before you do.
        ---
        Votre banque attend votre accord~: 10,00~€ à Croix-Rouge française (croixrouge). Donnez-le dans l'application de votre banque, si elle montre ce montant et ce nom. Rien n'est payé avant.
        ");
    }

    #[test]
    fn withdrawals_and_expiry_say_that_nothing_was_paid() {
        let said = [
            Notice::Cancelled { by: CancelledBy::Payer },
            Notice::Cancelled { by: CancelledBy::CancelOrder },
            Notice::Cancelled { by: CancelledBy::Edit },
            Notice::Cancelled { by: CancelledBy::Deletion },
            Notice::Cancelled { by: CancelledBy::Unlinked },
            Notice::Expired,
            Notice::TooLateToCancel,
            Notice::PostChangedAfterConfirmation,
        ];
        for language in Language::ALL {
            let texts: Vec<String> = said.iter().map(|said| told(&gift(language), said)).collect();
            match language {
                Language::En => insta::assert_snapshot!(texts.join("\n"), @"
                Cancelled, nothing was paid: €10.00 to Croix-Rouge française (croixrouge). You said no.
                Cancelled, nothing was paid: €10.00 to Croix-Rouge française (croixrouge). You withdrew the order.
                Cancelled, nothing was paid: €10.00 to Croix-Rouge française (croixrouge). You edited the post before confirming. If you still want to pay, post again.
                Cancelled, nothing was paid: €10.00 to Croix-Rouge française (croixrouge). You deleted the post before confirming.
                Cancelled, nothing was paid: €10.00 to Croix-Rouge française (croixrouge). Your account is no longer linked to Obole.
                Expired, nothing was paid: €10.00 to Croix-Rouge française (croixrouge). It was not confirmed in time. If you still want to pay, post again.
                Too late to withdraw: your bank has it, or may have it: €10.00 to Croix-Rouge française (croixrouge). I will write when I know how it ended.
                Your post changed after you confirmed, which has no effect; what you confirmed goes on: €10.00 to Croix-Rouge française (croixrouge).
                "),
                Language::Fr => insta::assert_snapshot!(texts.join("\n"), @"
                Annulé, rien n'a été payé~: 10,00~€ à Croix-Rouge française (croixrouge). Vous avez dit non.
                Annulé, rien n'a été payé~: 10,00~€ à Croix-Rouge française (croixrouge). Vous avez retiré l'ordre.
                Annulé, rien n'a été payé~: 10,00~€ à Croix-Rouge française (croixrouge). Vous avez modifié le message avant de confirmer. Si vous voulez toujours payer, publiez-le à nouveau.
                Annulé, rien n'a été payé~: 10,00~€ à Croix-Rouge française (croixrouge). Vous avez supprimé le message avant de confirmer.
                Annulé, rien n'a été payé~: 10,00~€ à Croix-Rouge française (croixrouge). Votre compte n'est plus relié à Obole.
                Expiré, rien n'a été payé~: 10,00~€ à Croix-Rouge française (croixrouge). L'ordre n'a pas été confirmé à temps. Si vous voulez toujours payer, publiez à nouveau.
                Trop tard pour retirer~: votre banque a l'ordre, ou l'a peut-être~: 10,00~€ à Croix-Rouge française (croixrouge). Je vous écrirai dès que l'issue est connue.
                Votre message public a changé après votre confirmation, ce qui est sans effet~; ce que vous avez confirmé continue~: 10,00~€ à Croix-Rouge française (croixrouge).
                "),
            }
        }
    }

    #[test]
    fn an_order_for_somebody_who_is_not_known_yet_says_what_happens_before_anything_is_paid() {
        let told = Language::ALL.map(|language| told(&order(language, &[("zoe@town.example", "", 500)]), &Notice::AwaitsPayee));
        insta::assert_snapshot!(told.join("\n---\n"), @"
        Your order waits: €5.00 to zoe, town.example. I do not know this account yet and have told it, once, how to be paid. Nothing is debited before it has joined (7 days) and you have said yes to its verified name. To withdraw, answer your post with my handle and #cancel.
        ---
        Votre ordre attend~: 5,00~€ à zoe, town.example. Je ne connais pas encore ce compte et lui ai dit, une seule fois, comment être payé. Rien n'est débité avant son inscription (7 jours) et votre oui à son nom vérifié. Pour retirer~: mon nom et #annuler sous votre publication.
        ");
    }

    #[test]
    fn every_refusal_has_its_reason() {
        let limit = Money::new(3000, Currency::EUR);
        let reasons = [
            Rejection::PayeeUnknown { handle: "eve@evil.example".to_owned() },
            Rejection::PayeeFrozen { handle: "eve".to_owned() },
            Rejection::PayeeLooksLike { handle: "cr0ixrouge@evil.example".to_owned(), like: "croixrouge".to_owned() },
            Rejection::PayeeDeclined { handle: "bob".to_owned() },
            Rejection::CurrencyNotServed,
            Rejection::AboveLowValueLimit { limit },
            Rejection::AboveOrderLimit { limit },
            Rejection::TooManyOpen { limit: 3 },
            Rejection::LimitReached { which: LimitKind::RollingDay },
            Rejection::LimitReached { which: LimitKind::LowValueSum },
            Rejection::LimitReached { which: LimitKind::LowValueCount },
            Rejection::AlreadyEdited,
            Rejection::TooOld,
            Rejection::TooManyWrongAnswers,
            Rejection::SelfPayment,
            Rejection::StrongConfirmationNeeded,
            Rejection::PasskeyTooNew { limit, until: now() },
            Rejection::AboveOwnLimit { limit },
            Rejection::AccountLocked,
            Rejection::LimitReached { which: LimitKind::Own },
        ];
        for language in Language::ALL {
            let say = |reason: &Rejection| told(&gift(language), &Notice::Rejected { reason: reason.clone() });
            let texts: Vec<String> = reasons.iter().map(say).collect();
            match language {
                Language::En => insta::assert_snapshot!(texts.join("\n"), @"
                Refused, nothing was paid: €10.00 to Croix-Rouge française (croixrouge). “eve, evil.example” is not in Obole's directory of verified payees.
                Refused, nothing was paid: €10.00 to Croix-Rouge française (croixrouge). “eve” has to be verified again before anybody can pay them.
                Refused, nothing was paid: €10.00 to Croix-Rouge française (croixrouge). “cr0ixrouge, evil.example” looks like “croixrouge”, but is another account, which Obole does not know. Check whom you mean.
                Refused, nothing was paid: €10.00 to Croix-Rouge française (croixrouge). “bob” does not want to be paid through Obole.
                Refused, nothing was paid: €10.00 to Croix-Rouge française (croixrouge). Your bank account cannot pay in EUR through Obole.
                Refused, nothing was paid: €10.00 to Croix-Rouge française (croixrouge). Above €30.00 a code is not enough, and you have no passkey.
                Refused, nothing was paid: €10.00 to Croix-Rouge française (croixrouge). The most in one payment to this kind of payee is €30.00.
                Refused, nothing was paid: €10.00 to Croix-Rouge française (croixrouge). You already have 3 orders that wait for your answer. Answer, then post again.
                Refused, nothing was paid: €10.00 to Croix-Rouge française (croixrouge). It is above what you can still pay within 24 hours. Try again tomorrow, or with a smaller amount.
                Refused, nothing was paid: €10.00 to Croix-Rouge française (croixrouge). It is above what you can still confirm by codes alone, and you have no passkey that may.
                Refused, nothing was paid: €10.00 to Croix-Rouge française (croixrouge). You have confirmed as many orders by codes alone as the rules allow, and you have no passkey that may go on.
                Refused, nothing was paid: €10.00 to Croix-Rouge française (croixrouge). The post had been edited before I saw it, and only the first version of a post counts. Post it anew.
                Refused, nothing was paid: €10.00 to Croix-Rouge française (croixrouge). The post reached me too late. If you still want to pay, post again.
                Refused, nothing was paid: €10.00 to Croix-Rouge française (croixrouge). Too many wrong codes. Post again if it was you; if not, somebody may be using your account: change its password.
                Refused, nothing was paid: €10.00 to Croix-Rouge française (croixrouge). The payee's bank account is your own.
                Refused, nothing was paid: €10.00 to Croix-Rouge française (croixrouge). On this platform a code is not enough to confirm a payment, and you have no passkey.
                Refused, nothing was paid: €10.00 to Croix-Rouge française (croixrouge). Above €30.00 a code is not enough, and your passkey is too new: it may confirm that from 2026-03-01 14:22 UTC on.
                Refused, nothing was paid: €10.00 to Croix-Rouge française (croixrouge). It is above the €30.00 that you allow yourself in one order.
                Refused, nothing was paid: €10.00 to Croix-Rouge française (croixrouge). You said that an order was not yours. Until a person has looked at it, nothing is paid from your account.
                Refused, nothing was paid: €10.00 to Croix-Rouge française (croixrouge). It is above the limits that you have set for yourself.
                "),
                Language::Fr => insta::assert_snapshot!(texts.join("\n"), @"
                Refusé, rien n'a été payé~: 10,00~€ à Croix-Rouge française (croixrouge). «~eve, evil.example~» n'est pas dans l'annuaire des bénéficiaires vérifiés d'Obole.
                Refusé, rien n'a été payé~: 10,00~€ à Croix-Rouge française (croixrouge). «~eve~» doit être vérifié à nouveau avant de pouvoir être payé.
                Refusé, rien n'a été payé~: 10,00~€ à Croix-Rouge française (croixrouge). «~cr0ixrouge, evil.example~» ressemble à «~croixrouge~», mais c'est un autre compte, qu'Obole ne connaît pas. Vérifiez qui vous voulez payer.
                Refusé, rien n'a été payé~: 10,00~€ à Croix-Rouge française (croixrouge). «~bob~» ne veut pas être payé par Obole.
                Refusé, rien n'a été payé~: 10,00~€ à Croix-Rouge française (croixrouge). Votre compte bancaire ne peut pas payer en EUR par Obole.
                Refusé, rien n'a été payé~: 10,00~€ à Croix-Rouge française (croixrouge). Au-dessus de 30,00~€, un code ne suffit pas, et vous n'avez pas de clé d'accès.
                Refusé, rien n'a été payé~: 10,00~€ à Croix-Rouge française (croixrouge). Un paiement à ce type de bénéficiaire est de 30,00~€ au plus.
                Refusé, rien n'a été payé~: 10,00~€ à Croix-Rouge française (croixrouge). Vous avez déjà 3 ordres en attente de votre réponse. Répondez, puis publiez à nouveau.
                Refusé, rien n'a été payé~: 10,00~€ à Croix-Rouge française (croixrouge). C'est plus que ce que vous pouvez encore payer en 24 heures. Réessayez demain, ou avec un montant plus petit.
                Refusé, rien n'a été payé~: 10,00~€ à Croix-Rouge française (croixrouge). C'est plus que ce que des codes seuls peuvent encore confirmer, et aucune clé d'accès à vous ne le peut.
                Refusé, rien n'a été payé~: 10,00~€ à Croix-Rouge française (croixrouge). Vous avez confirmé par des codes seuls autant d'ordres que les règles le permettent, et aucune clé d'accès à vous ne peut continuer.
                Refusé, rien n'a été payé~: 10,00~€ à Croix-Rouge française (croixrouge). Le message avait été modifié avant que je le voie, et seule la première version compte. Publiez-en un nouveau.
                Refusé, rien n'a été payé~: 10,00~€ à Croix-Rouge française (croixrouge). Le message m'est parvenu trop tard. Si vous voulez toujours payer, publiez à nouveau.
                Refusé, rien n'a été payé~: 10,00~€ à Croix-Rouge française (croixrouge). Trop de codes faux. Publiez à nouveau si c'était vous~; sinon, quelqu'un utilise peut-être votre compte~: changez-en le mot de passe.
                Refusé, rien n'a été payé~: 10,00~€ à Croix-Rouge française (croixrouge). Le compte bancaire du bénéficiaire est le vôtre.
                Refusé, rien n'a été payé~: 10,00~€ à Croix-Rouge française (croixrouge). Sur cette plateforme, un code ne suffit pas à confirmer un paiement, et vous n'avez pas de clé d'accès.
                Refusé, rien n'a été payé~: 10,00~€ à Croix-Rouge française (croixrouge). Au-dessus de 30,00~€, un code ne suffit pas, et votre clé d'accès est trop récente~: elle le pourra à partir du 2026-03-01 14:22 UTC.
                Refusé, rien n'a été payé~: 10,00~€ à Croix-Rouge française (croixrouge). C'est plus que les 30,00~€ que vous vous accordez par ordre.
                Refusé, rien n'a été payé~: 10,00~€ à Croix-Rouge française (croixrouge). Vous avez dit qu'un ordre n'était pas de vous. Tant qu'une personne ne l'a pas vérifié, rien n'est payé de votre compte.
                Refusé, rien n'a été payé~: 10,00~€ à Croix-Rouge française (croixrouge). C'est plus que les plafonds que vous vous êtes fixés.
                "),
            }
        }
    }

    #[test]
    fn an_order_without_a_payee_is_told_by_its_amount() {
        let mut order = order(Language::En, &[]);
        order.total = Money::new(1000, Currency::EUR);
        let reason = Rejection::PayeeUnknown { handle: "eve".to_owned() };
        insta::assert_snapshot!(told(&order, &Notice::Rejected { reason }), @"Refused, nothing was paid: €10.00. “eve” is not in Obole's directory of verified payees.");
    }
}
