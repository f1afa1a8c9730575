//! Answers to what people ask for in private besides paying: where their orders stand, what is left of the limits, the balance, a
//! payment back, a pause, a person to talk to.
//!
//! What would need an argument or reveals much is not answered here: the answer names the page that asks for the passkey.

use serde::{Deserialize, Serialize};

use super::texts::{Commands, texts};
use super::{LONGEST_NAME, first_that_fits, plain};
use crate::clock::Timestamp;
use crate::money::Money;
use crate::order::{Order, OrderState, PaymentState};
use crate::people::Language;

/// The longest text of an operator: what is left of a private message beside the frame of the sentence and the last line.
pub const LONGEST_ANSWER: usize = 240;

/// How an order stands, in the words of one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stands {
    /// The author's account is not linked.
    AwaitsPayer,
    /// The payee is invited.
    AwaitsPayee,
    /// The payer was asked.
    AwaitsYes,
    /// Somebody looks at it.
    Held,
    /// Confirmed and on its way.
    UnderWay,
    /// The bank wants the payer's approval.
    AwaitsApproval,
    /// Nobody knows yet.
    Unclear,
    /// Paid.
    Paid,
    /// Some of its payments were made.
    PaidInPart,
    /// Paid, and it came back.
    CameBack,
    /// Not paid.
    NotPaid,
    /// Refused by us.
    Refused,
    /// Withdrawn.
    Cancelled,
    /// Not confirmed in time.
    Expired,
}

impl Stands {
    fn of(order: &Order) -> Self {
        match &order.state {
            OrderState::AwaitingPayer { .. } => Stands::AwaitsPayer,
            OrderState::AwaitingPayee { .. } => Stands::AwaitsPayee,
            OrderState::AwaitingConfirmation { .. } => Stands::AwaitsYes,
            OrderState::Held { .. } => Stands::Held,
            OrderState::Rejected { .. } => Stands::Refused,
            OrderState::Cancelled { .. } => Stands::Cancelled,
            OrderState::Expired { .. } => Stands::Expired,
            OrderState::Confirmed { .. } => Stands::of_payments(order),
        }
    }

    /// The worst that is true of any payment, as far as the payer has to know it.
    fn of_payments(order: &Order) -> Self {
        let any = |fits: fn(&PaymentState) -> bool| order.payments.iter().any(|payment| fits(&payment.state));
        if any(|state| matches!(state, PaymentState::Unknown { .. } | PaymentState::Disputed { .. })) {
            return Stands::Unclear;
        }
        if any(|state| matches!(state, PaymentState::AwaitingBank { .. })) {
            return Stands::AwaitsApproval;
        }
        if any(|state| !state.is_terminal()) {
            return Stands::UnderWay;
        }
        let settled = any(|state| matches!(state, PaymentState::Settled { .. }));
        let unpaid = any(|state| matches!(state, PaymentState::Failed { .. } | PaymentState::Expired { .. }));
        let returned = any(|state| matches!(state, PaymentState::Returned { .. }));
        match (settled, unpaid, returned) {
            (true, false, false) => Stands::Paid,
            (true, ..) => Stands::PaidInPart,
            (false, _, true) => Stands::CameBack,
            (false, ..) => Stands::NotPaid,
        }
    }

    fn words(self, texts: &Commands) -> String {
        match self {
            Stands::AwaitsPayer => texts.awaits_payer(),
            Stands::AwaitsPayee => texts.awaits_payee(),
            Stands::AwaitsYes => texts.awaits_yes(),
            Stands::Held => texts.held(),
            Stands::UnderWay => texts.under_way(),
            Stands::AwaitsApproval => texts.awaits_approval(),
            Stands::Unclear => texts.unclear(),
            Stands::Paid => texts.paid(),
            Stands::PaidInPart => texts.paid_in_part(),
            Stands::CameBack => texts.came_back(),
            Stands::NotPaid => texts.not_paid(),
            Stands::Refused => texts.refused(),
            Stands::Cancelled => texts.cancelled(),
            Stands::Expired => texts.expired(),
        }
    }
}

/// An order in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderLine {
    /// When it was given.
    pub at: Timestamp,
    /// The total.
    pub total: Money,
    /// The legal name of the only payee, or the number of several.
    pub payee: Result<String, u64>,
    /// The receipt number that every receipt shows.
    pub receipt: String,
    /// How it stands.
    pub stands: Stands,
}

impl OrderLine {
    /// The line of an order.
    pub fn of(order: &Order) -> Self {
        let payee = match order.payments.as_slice() {
            [only] => Ok(only.payee.legal_name.clone()),
            several => Err(several.len() as u64),
        };
        OrderLine { at: order.created_at, total: order.total, payee, receipt: order.receipt_number(), stands: Stands::of(order) }
    }

    fn what(&self, language: Language, longest: usize) -> String {
        let texts = texts(language);
        let amount = plain::amount(language, self.total);
        match &self.payee {
            Ok(name) => texts.common.to_one(&amount, &plain::words(name, longest)),
            Err(several) => texts.common.to_many(&amount, &texts.counted.payees(language, *several)),
        }
    }
}

/// An answer to a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum CommandAnswer {
    /// What is open or under way.
    Status {
        /// Newest first; empty: nothing is.
        orders: Vec<OrderLine>,
    },
    /// The newest orders, and where all of them are shown.
    History {
        /// Newest first; empty: there are none.
        orders: Vec<OrderLine>,
        /// The page.
        url: String,
    },
    /// The limits, and what is left of them.
    Limits {
        /// The most in one order by code.
        per_order: Money,
        /// Left in these 24 hours.
        left_today: Money,
        /// Left by code before the passkey is needed.
        left_by_code: Money,
        /// In so many orders.
        orders_left: u32,
        /// Where they can be changed.
        url: String,
    },
    /// The balance, as the bank tells it.
    Balance {
        /// The account, masked.
        account: String,
        /// What can be spent, where the bank tells; else what is booked.
        available: Money,
    },
    /// The bank does not tell balances.
    BalanceNotOffered,
    /// The bank lets us read nothing: the consent is missing, over or taken back.
    BalanceNotAllowed {
        /// Where it is given anew.
        url: String,
    },
    /// The bank did not answer.
    BalanceLater,
    /// Which payment is to come back?
    RefundWhich,
    /// No payment has this receipt number.
    RefundUnknown {
        /// As written.
        number: String,
    },
    /// It is passed on.
    RefundAsked {
        /// The order.
        order: OrderLine,
    },
    /// It was passed on before.
    RefundAskedBefore {
        /// The order.
        order: OrderLine,
    },
    /// Nothing of it was paid, or it came back already.
    RefundOfNothing {
        /// The order.
        order: OrderLine,
    },
    /// It is not at its end.
    RefundTooEarly {
        /// The order.
        order: OrderLine,
    },
    /// Left alone from now on.
    Stopped {
        /// How many orders were withdrawn.
        withdrawn: u64,
    },
    /// Heard again.
    Started,
    /// It was not stopped.
    NotStopped,
    /// An order came although the person wants to be left alone.
    Paused,
    /// Somebody will look.
    HandedOver,
    /// What was written is kept for them.
    Noted,
    /// An operator's words.
    FromOperator {
        /// The words.
        text: String,
    },
    /// The page that does it, with the passkey.
    ErasePage {
        /// Where.
        url: String,
    },
    /// The same, for everything that is known.
    ExportPage {
        /// Where.
        url: String,
    },
}

/// Names shown whole, then shortened.
const NAMES: [usize; 3] = [LONGEST_NAME, 24, 12];

impl CommandAnswer {
    /// The text, with the last line that every private message has.
    pub(super) fn render(&self, language: Language, footer: &str) -> String {
        let texts = &texts(language).commands;
        let end = |body: String| format!("{body}\n{footer}");
        match self {
            CommandAnswer::Status { orders } if orders.is_empty() => end(texts.status_none()),
            CommandAnswer::Status { orders } => list(language, &texts.status(), orders, None, footer),
            CommandAnswer::History { orders, url } if orders.is_empty() => {
                end(format!("{}\n{}", texts.history_none(), texts.history_page(url)))
            }
            CommandAnswer::History { orders, url } => {
                list(language, &texts.history(), orders, Some(&texts.history_page(url)), footer)
            }
            CommandAnswer::Limits { per_order, left_today, left_by_code, orders_left, url } => {
                let [per_order, today, by_code] =
                    [per_order, left_today, left_by_code].map(|money| plain::amount(language, *money));
                let orders = super::texts::texts(language).counted.orders(language, u64::from(*orders_left));
                end(format!("{}\n{}", texts.limits(&per_order, &today, &by_code, &orders), texts.limits_page(url)))
            }
            CommandAnswer::Balance { account, available } => end(texts.balance(&plain::amount(language, *available), account)),
            CommandAnswer::BalanceNotOffered => end(texts.balance_not_offered()),
            CommandAnswer::BalanceNotAllowed { url } => end(texts.balance_not_allowed(url)),
            CommandAnswer::BalanceLater => end(texts.balance_later()),
            CommandAnswer::RefundWhich => end(texts.refund_which()),
            CommandAnswer::RefundUnknown { number } => end(texts.refund_unknown(&plain::words(number, 8))),
            CommandAnswer::RefundAsked { order } => about(language, order, footer, |what| texts.refund_asked(what, &order.receipt)),
            CommandAnswer::RefundAskedBefore { order } => about(language, order, footer, |what| texts.refund_asked_before(what)),
            CommandAnswer::RefundOfNothing { order } => {
                about(language, order, footer, |what| texts.refund_of_nothing(what, &order.stands.words(texts)))
            }
            CommandAnswer::RefundTooEarly { order } => {
                about(language, order, footer, |what| texts.refund_too_early(what, &order.stands.words(texts)))
            }
            CommandAnswer::Stopped { withdrawn: 0 } => end(texts.stopped()),
            CommandAnswer::Stopped { withdrawn } => {
                let orders = super::texts::texts(language).counted.orders(language, *withdrawn);
                end(format!("{} {}", texts.stopped(), texts.stopped_withdrawn(&orders)))
            }
            CommandAnswer::Started => end(texts.started()),
            CommandAnswer::NotStopped => end(texts.not_stopped()),
            CommandAnswer::Paused => end(texts.paused()),
            CommandAnswer::HandedOver => end(texts.handed_over()),
            CommandAnswer::Noted => end(texts.noted()),
            CommandAnswer::FromOperator { text } => end(texts.operator_writes(&plain::words(text, LONGEST_ANSWER))),
            CommandAnswer::ErasePage { url } => end(texts.erase_page(url)),
            CommandAnswer::ExportPage { url } => end(texts.export_page(url)),
        }
    }
}

fn about(language: Language, order: &OrderLine, footer: &str, sentence: impl Fn(&str) -> String) -> String {
    first_that_fits(NAMES.iter().map(|longest| format!("{}\n{footer}", sentence(&order.what(language, *longest)))))
}

/// As many lines as fit under `head`, the newest first.
fn list(language: Language, head: &str, orders: &[OrderLine], after: Option<&str>, footer: &str) -> String {
    let texts = &texts(language).commands;
    let attempts = (1..=orders.len()).rev().flat_map(|shown| NAMES.iter().map(move |longest| (shown, *longest)));
    first_that_fits(attempts.map(|(shown, longest)| {
        let lines = orders[..shown].iter().map(|order| {
            let date = plain::day(order.at);
            format!("\n{}", texts.line(&date, &order.what(language, longest), &order.stands.words(texts)))
        });
        let after = after.map(|after| format!("\n{after}")).unwrap_or_default();
        format!("{head}{}{after}\n{footer}", lines.collect::<String>())
    }))
}

#[cfg(test)]
mod tests {
    use super::super::sample::{PHRASE, gift, now, shown, three};
    use super::super::{LONGEST, Message, footer};
    use super::*;
    use crate::money::Currency;

    fn said(answer: &CommandAnswer, language: Language) -> String {
        let text = Message::Command { answer: answer.clone() }.render(language, Some(PHRASE));
        let longest = Message::Command { answer: answer.clone() }.render(language, Some(&"m".repeat(100)));
        assert!(plain::length(&longest) <= LONGEST, "{} characters: {longest}", plain::length(&longest));
        assert!(!plain::mentions(&text), "{text}");
        let (body, last) = text.rsplit_once('\n').unwrap();
        assert_eq!(last, footer(language, PHRASE));
        shown(body)
    }

    fn all(language: Language) -> String {
        let euros = |minor| Money::new(minor, Currency::EUR);
        let line = |stands| OrderLine { stands, ..OrderLine::of(&gift(language)) };
        let many = OrderLine { stands: Stands::PaidInPart, ..OrderLine::of(&three(language)) };
        let url = |path: &str| format!("https://pay.example{path}");
        let long = OrderLine {
            payee: Ok("Une association au nom très long, reconnue d'utilité publique".repeat(2)),
            ..line(Stands::Unclear)
        };
        let every = [
            Stands::AwaitsPayer,
            Stands::AwaitsPayee,
            Stands::AwaitsYes,
            Stands::Held,
            Stands::UnderWay,
            Stands::AwaitsApproval,
            Stands::Unclear,
            Stands::Paid,
            Stands::PaidInPart,
            Stands::CameBack,
            Stands::NotPaid,
            Stands::Refused,
            Stands::Cancelled,
            Stands::Expired,
        ];
        let mut answers = vec![
            CommandAnswer::Status { orders: Vec::new() },
            CommandAnswer::Status { orders: vec![long.clone(), long.clone(), long] },
            CommandAnswer::History { orders: Vec::new(), url: url("/settings/history") },
            CommandAnswer::History { orders: vec![line(Stands::Paid), many], url: url("/settings/history") },
            CommandAnswer::Limits {
                per_order: euros(3_000),
                left_today: euros(96_000),
                left_by_code: euros(6_000),
                orders_left: 1,
                url: url("/settings/limits"),
            },
            CommandAnswer::Balance { account: "FR76 … 0189".to_owned(), available: euros(123_456) },
            CommandAnswer::BalanceNotOffered,
            CommandAnswer::BalanceNotAllowed { url: url("/settings/bank") },
            CommandAnswer::BalanceLater,
            CommandAnswer::RefundWhich,
            CommandAnswer::RefundUnknown { number: "12345678".to_owned() },
            CommandAnswer::RefundAsked { order: line(Stands::Paid) },
            CommandAnswer::RefundAskedBefore { order: line(Stands::Paid) },
            CommandAnswer::RefundOfNothing { order: line(Stands::CameBack) },
            CommandAnswer::RefundTooEarly { order: line(Stands::UnderWay) },
            CommandAnswer::Stopped { withdrawn: 0 },
            CommandAnswer::Stopped { withdrawn: 2 },
            CommandAnswer::Started,
            CommandAnswer::NotStopped,
            CommandAnswer::Paused,
            CommandAnswer::HandedOver,
            CommandAnswer::Noted,
            CommandAnswer::FromOperator { text: "Hello @alice,\nwhich receipt is it?".to_owned() },
            CommandAnswer::FromOperator { text: "m".repeat(1_000) },
            CommandAnswer::ErasePage { url: url("/settings/erase") },
            CommandAnswer::ExportPage { url: url("/settings/export") },
        ];
        answers.extend(every.map(|stands| CommandAnswer::Status { orders: vec![line(stands)] }));
        assert_eq!(line(Stands::Paid).at, now());
        answers.iter().map(|answer| said(answer, language)).collect::<Vec<_>>().join("\n-\n")
    }

    #[test]
    fn every_answer_in_english() {
        insta::assert_snapshot!(all(Language::En), @"
        Nothing of yours is open or under way.
        -
        Open and under way:
        2026-03-01 €10.00 to Une association au nom…: not clear yet, do not pay again
        2026-03-01 €10.00 to Une association au nom…: not clear yet, do not pay again
        2026-03-01 €10.00 to Une association au nom…: not clear yet, do not pay again
        -
        You have not given an order yet.
        All of them, with your passkey: https://pay.example/settings/history
        -
        Your latest orders:
        2026-03-01 €10.00 to Croix-Rouge française: paid
        2026-03-01 €30.01 to 3 payees: paid in part
        All of them, with your passkey: https://pay.example/settings/history
        -
        By message you can pay €30.00 an order; €960.00 more within 24 hours, and €60.00 in 1 order more before your passkey is needed.
        To change your limits: https://pay.example/settings/limits
        -
        €1,234.56 available on FR76 … 0189.
        -
        Your bank does not tell Obole your balance.
        -
        Your bank does not let Obole read your account any more. Give your consent again: https://pay.example/settings/bank
        -
        Your bank did not answer. Ask again in a few minutes.
        -
        Which payment? Write REFUND and the 8 digits of its receipt. A transfer that was made cannot be taken back by Obole or your bank; I pass your wish on, and the payee decides.
        -
        No payment of yours has the receipt 12345678.
        -
        Passed on: you want €10.00 to Croix-Rouge française back, receipt 44805217. A transfer that was made cannot be taken back; a person asks the payee, who decides. I will write when I hear more.
        -
        This was passed on already, and a person is looking into it: €10.00 to Croix-Rouge française.
        -
        There is nothing to give back: €10.00 to Croix-Rouge française, came back to your account.
        -
        This is not at its end yet: €10.00 to Croix-Rouge française, under way. To withdraw it while that is possible, answer your post with my handle and #cancel.
        -
        Stopped. I take no orders from you and write to you only about what your bank has already. Write START to go on.
        -
        Stopped. I take no orders from you and write to you only about what your bank has already. Write START to go on. Withdrawn, nothing paid: 2 orders.
        -
        Welcome back. Your posts are read as orders again.
        -
        I had not stopped; your posts are read as orders.
        -
        You wrote STOP, so this was not taken as an order and nothing is paid. Write START first, then give it again.
        -
        A person will read this thread and answer you here. Write what it is about; I keep it for them. If somebody else may be using your account, write STOP now and change its password.
        -
        Kept for the person who will answer you.
        -
        A person at Obole writes: “Hello (at)alice, which receipt is it?”
        -
        A person at Obole writes: “mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm…”
        -
        Your data is deleted on this page, which asks for your passkey: https://pay.example/settings/erase
        -
        You get your data on this page, which asks for your passkey: https://pay.example/settings/export
        -
        Open and under way:
        2026-03-01 €10.00 to Croix-Rouge française: waits for your account to be linked
        -
        Open and under way:
        2026-03-01 €10.00 to Croix-Rouge française: waits for the payee
        -
        Open and under way:
        2026-03-01 €10.00 to Croix-Rouge française: waits for your YES
        -
        Open and under way:
        2026-03-01 €10.00 to Croix-Rouge française: stopped for a check
        -
        Open and under way:
        2026-03-01 €10.00 to Croix-Rouge française: under way
        -
        Open and under way:
        2026-03-01 €10.00 to Croix-Rouge française: waits for your approval at your bank
        -
        Open and under way:
        2026-03-01 €10.00 to Croix-Rouge française: not clear yet, do not pay again
        -
        Open and under way:
        2026-03-01 €10.00 to Croix-Rouge française: paid
        -
        Open and under way:
        2026-03-01 €10.00 to Croix-Rouge française: paid in part
        -
        Open and under way:
        2026-03-01 €10.00 to Croix-Rouge française: came back to your account
        -
        Open and under way:
        2026-03-01 €10.00 to Croix-Rouge française: not paid
        -
        Open and under way:
        2026-03-01 €10.00 to Croix-Rouge française: refused, not paid
        -
        Open and under way:
        2026-03-01 €10.00 to Croix-Rouge française: cancelled, not paid
        -
        Open and under way:
        2026-03-01 €10.00 to Croix-Rouge française: expired, not paid
        ");
    }

    #[test]
    fn every_answer_in_french() {
        insta::assert_snapshot!(all(Language::Fr), @"
        Rien de votre part n'est ouvert ni en cours.
        -
        Ouvert et en cours~:
        2026-03-01 10,00~€ à Une association au nom…~: pas encore clair, ne payez pas à nouveau
        2026-03-01 10,00~€ à Une association au nom…~: pas encore clair, ne payez pas à nouveau
        2026-03-01 10,00~€ à Une association au nom…~: pas encore clair, ne payez pas à nouveau
        -
        Vous n'avez pas encore donné d'ordre.
        Tous, avec votre clé d'accès~: https://pay.example/settings/history
        -
        Vos derniers ordres~:
        2026-03-01 10,00~€ à Croix-Rouge française~: payé
        2026-03-01 30,01~€ à 3 bénéficiaires~: payé en partie
        Tous, avec votre clé d'accès~: https://pay.example/settings/history
        -
        Par message, vous pouvez payer 30,00~€ par ordre~; encore 960,00~€ en 24 heures, et 60,00~€ en 1 ordre avant que votre clé d'accès soit demandée.
        Pour changer vos plafonds~: https://pay.example/settings/limits
        -
        1~234,56~€ disponibles sur FR76 … 0189.
        -
        Votre banque ne communique pas votre solde à Obole.
        -
        Votre banque ne laisse plus Obole lire votre compte. Redonnez votre accord~: https://pay.example/settings/bank
        -
        Votre banque n'a pas répondu. Redemandez dans quelques minutes.
        -
        Quel paiement~? Écrivez REMBOURSEMENT et les 8 chiffres de son reçu. Ni Obole ni votre banque ne peuvent reprendre un virement fait~; je transmets votre souhait, et le bénéficiaire décide.
        -
        Aucun de vos paiements n'a le reçu 12345678.
        -
        Transmis~: vous souhaitez récupérer 10,00~€ à Croix-Rouge française, reçu 44805217. Un virement fait ne peut pas être repris~; une personne interroge le bénéficiaire, qui décide. Je vous écrirai quand j'en saurai plus.
        -
        C'est déjà transmis, et une personne s'en occupe~: 10,00~€ à Croix-Rouge française.
        -
        Il n'y a rien à rendre~: 10,00~€ à Croix-Rouge française, revenu sur votre compte.
        -
        Ce n'est pas encore terminé~: 10,00~€ à Croix-Rouge française, en cours. Pour le retirer tant que c'est possible, répondez à votre publication avec mon nom et #annuler.
        -
        Arrêté. Je ne prends plus d'ordre de vous et n'écris que sur ce que votre banque a déjà. Écrivez REPRENDRE pour continuer.
        -
        Arrêté. Je ne prends plus d'ordre de vous et n'écris que sur ce que votre banque a déjà. Écrivez REPRENDRE pour continuer. Retiré, rien n'est payé~: 2 ordres.
        -
        Bon retour. Vos messages publics sont de nouveau lus comme des ordres.
        -
        Je n'étais pas arrêté~; vos messages publics sont lus comme des ordres.
        -
        Vous avez écrit STOP~: ceci n'a pas été pris comme un ordre et rien n'est payé. Écrivez d'abord REPRENDRE, puis redonnez-le.
        -
        Une personne lira ce fil et vous répondra ici. Écrivez de quoi il s'agit~; je le garde pour elle. Si quelqu'un d'autre utilise peut-être votre compte, écrivez STOP tout de suite et changez-en le mot de passe.
        -
        Gardé pour la personne qui vous répondra.
        -
        Une personne d'Obole vous écrit~: «~Hello (at)alice, which receipt is it?~»
        -
        Une personne d'Obole vous écrit~: «~mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm…~»
        -
        Vos données sont supprimées sur cette page, qui demande votre clé d'accès~: https://pay.example/settings/erase
        -
        Vous obtenez vos données sur cette page, qui demande votre clé d'accès~: https://pay.example/settings/export
        -
        Ouvert et en cours~:
        2026-03-01 10,00~€ à Croix-Rouge française~: attend que votre compte soit relié
        -
        Ouvert et en cours~:
        2026-03-01 10,00~€ à Croix-Rouge française~: attend le bénéficiaire
        -
        Ouvert et en cours~:
        2026-03-01 10,00~€ à Croix-Rouge française~: attend votre OUI
        -
        Ouvert et en cours~:
        2026-03-01 10,00~€ à Croix-Rouge française~: arrêté pour vérification
        -
        Ouvert et en cours~:
        2026-03-01 10,00~€ à Croix-Rouge française~: en cours
        -
        Ouvert et en cours~:
        2026-03-01 10,00~€ à Croix-Rouge française~: attend votre accord à votre banque
        -
        Ouvert et en cours~:
        2026-03-01 10,00~€ à Croix-Rouge française~: pas encore clair, ne payez pas à nouveau
        -
        Ouvert et en cours~:
        2026-03-01 10,00~€ à Croix-Rouge française~: payé
        -
        Ouvert et en cours~:
        2026-03-01 10,00~€ à Croix-Rouge française~: payé en partie
        -
        Ouvert et en cours~:
        2026-03-01 10,00~€ à Croix-Rouge française~: revenu sur votre compte
        -
        Ouvert et en cours~:
        2026-03-01 10,00~€ à Croix-Rouge française~: non payé
        -
        Ouvert et en cours~:
        2026-03-01 10,00~€ à Croix-Rouge française~: refusé, non payé
        -
        Ouvert et en cours~:
        2026-03-01 10,00~€ à Croix-Rouge française~: annulé, non payé
        -
        Ouvert et en cours~:
        2026-03-01 10,00~€ à Croix-Rouge française~: expiré, non payé
        ");
    }
}
