//! What is said to somebody who has no order, or whose post nearly was one.

use serde::{Deserialize, Serialize};

use super::command::CommandAnswer;
use super::texts::{Explain, texts};
use super::{LONGEST, footer, plain};
use crate::clock::Timestamp;
use crate::money::Money;
use crate::order::Limits;
use crate::people::Language;

/// The longest part of somebody's text that is quoted back.
const LONGEST_FRAGMENT: usize = 60;

/// The longest description of an order that is repeated.
const LONGEST_WHAT: usize = 120;

/// Something said in private without an order behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "snake_case")]
pub enum Message {
    /// A code of none of the person's open orders.
    WrongCode {
        /// How many wrong ones the order still bears.
        tries_left: u8,
    },
    /// A yes or no, and nothing waits for it.
    NoOpenOrder,
    /// A yes or no to an order that is decided.
    AlreadyDecided,
    /// How it works.
    Help,
    /// A private message that is nothing we know.
    NotUnderstood,
    /// Something that is understood and not available yet.
    NotYet {
        /// Its name in the order language: `request`.
        action: String,
    },
    /// A code without yes or no.
    CodeAlone,
    /// A post that nearly is an order.
    Explain {
        /// The order language's code, e.g. `E_AMOUNT_AMBIGUOUS`.
        code: String,
        /// The part of the post it is about.
        fragment: Option<String>,
        /// Whole corrected posts.
        suggestions: Vec<String>,
    },
    /// An enrolment code that nobody was given.
    EnrolmentCodeUnknown,
    /// An enrolment code that is too old.
    EnrolmentCodeExpired,
    /// An enrolment code that was sent before.
    EnrolmentCodeUsed,
    /// A yes without the code.
    YesWithoutCode,
    /// A yes, and what waits takes a passkey.
    NeedsPasskey,
    /// A private message from an account that is nobody's yet.
    NotLinked {
        /// Where to begin.
        enrol_url: String,
    },
    /// A good enrolment code: the rest happens in the browser.
    EnrolmentReceived,
    /// An enrolment code from an account that has a person.
    EnrolmentAlreadyLinked,
    /// An answer to what was asked for besides paying.
    Command {
        /// Which.
        answer: CommandAnswer,
    },
    /// Somebody wants to pay somebody who is not known yet. Said once.
    Invitation {
        /// The payer's handle.
        from: String,
        /// How much.
        amount: Money,
        /// Where it is claimed.
        url: String,
    },
    /// They do not want it.
    InvitationDeclined {
        /// Nor anything of the kind, ever.
        for_ever: bool,
    },
    /// A code for several orders that are not the same any more.
    SetChanged {
        /// How many they were.
        count: u64,
    },
    /// Several orders that the limits do not hold together.
    SetTooMuch,
    /// Several orders, one of which has to wait.
    SetToCheck,
    /// An account that sent too many wrong codes within a day.
    CodesBlocked {
        /// Until when.
        until: Timestamp,
        /// Where orders can be confirmed all the same.
        url: String,
    },
    /// Welcome.
    Linked {
        /// The most in one order.
        per_order: Money,
        /// The most in 24 hours.
        per_day: Money,
        /// The most in all by code alone.
        in_all: Money,
        /// The most orders by code alone.
        orders: u32,
    },
    /// Something about the person has changed, by whoever had their passkey or their bank's consent.
    Changed {
        /// What.
        what: Changed,
        /// Where to say that it was not oneself.
        url: String,
    },
    /// The person said that an order was not theirs.
    Locked {
        /// Which order it was about, in the person's language; empty for a change of settings.
        what: String,
    },
    /// An operator has looked, and the account is as it was.
    Unlocked,
}

/// What a person's own pages change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "changed", rename_all = "snake_case")]
pub enum Changed {
    /// Another passkey.
    PasskeyAdded {
        /// For so long it confirms no more than a code could.
        hours: u64,
    },
    /// One passkey fewer.
    PasskeyRemoved,
    /// The safe phrase.
    Phrase,
    /// The language.
    Language,
    /// The person's own limits.
    Limits,
    /// The account that is linked already was linked again, with the bank's consent.
    LinkedAgain,
    /// Another account on a platform.
    AccountAdded,
    /// One account on a platform fewer.
    AccountRemoved,
    /// Another account at a bank.
    BankAdded,
    /// One account at a bank fewer.
    BankRemoved,
    /// The account that pays.
    Paying,
}

impl Message {
    /// The welcome, with the limits that hold for somebody who has only codes.
    pub fn linked(limits: &Limits) -> Self {
        let money = |minor| Money::new(minor, limits.currency);
        Message::Linked {
            per_order: money(limits.low_value_order_minor),
            per_day: money(limits.rolling_day_minor),
            in_all: money(limits.low_value_sum_minor),
            orders: limits.low_value_count,
        }
    }

    /// The text. `safe_phrase` is the person's own, if the person is known.
    pub fn render(&self, language: Language, safe_phrase: Option<&str>) -> String {
        let texts = texts(language);
        let replies = &texts.replies;
        let footer = footer(language, safe_phrase.unwrap_or_default());
        let body = match self {
            Message::WrongCode { tries_left } => replies.wrong_code(&texts.counted.tries(language, u64::from(*tries_left))),
            Message::NoOpenOrder => replies.no_open_order(),
            Message::AlreadyDecided => replies.already_decided(),
            Message::Help => replies.help(),
            Message::NotUnderstood => replies.not_understood(),
            Message::NotYet { action } => replies.not_yet(&action_name(language, action)),
            Message::CodeAlone => replies.code_alone(),
            Message::YesWithoutCode => replies.yes_without_code(),
            Message::NeedsPasskey => replies.needs_passkey(),
            Message::NotLinked { enrol_url } => replies.not_linked(enrol_url),
            Message::Explain { code, fragment, suggestions } => {
                return explanation(language, code, fragment.as_deref(), suggestions, &footer);
            }
            Message::Invitation { from, amount, url } => {
                replies.invitation(&plain::handle(from, LONGEST_FRAGMENT), &plain::amount(language, *amount), url)
            }
            Message::InvitationDeclined { for_ever: false } => replies.invitation_declined(),
            Message::InvitationDeclined { for_ever: true } => replies.invitation_declined_for_ever(),
            Message::SetChanged { count } => texts.together.changed(&count.to_string()),
            Message::SetTooMuch => texts.together.too_much(),
            Message::SetToCheck => texts.together.to_check(),
            Message::CodesBlocked { until, url } => texts.together.blocked(&texts.common.clock(&plain::moment(*until)), url),
            Message::Command { answer } => return answer.render(language, &footer),
            Message::EnrolmentCodeUnknown => replies.enrolment_code_unknown(),
            Message::EnrolmentCodeExpired => replies.enrolment_code_expired(),
            Message::EnrolmentCodeUsed => replies.enrolment_code_used(),
            Message::EnrolmentReceived => replies.enrolment_received(),
            Message::EnrolmentAlreadyLinked => replies.enrolment_already_linked(),
            Message::Linked { per_order, per_day, in_all, orders } => {
                let [per_order, per_day, in_all] = [per_order, per_day, in_all].map(|money| plain::amount(language, *money));
                replies.linked(&per_order, &per_day, &in_all, &texts.counted.orders(language, u64::from(*orders)))
            }
            Message::Changed { what, url } => {
                let what = match what {
                    Changed::PasskeyAdded { hours: 0 } => replies.changed_passkey_added_now(),
                    Changed::PasskeyAdded { hours } => replies.changed_passkey_added(&texts.counted.hours(language, *hours)),
                    Changed::PasskeyRemoved => replies.changed_passkey_removed(),
                    Changed::Phrase => replies.changed_phrase(),
                    Changed::Language => replies.changed_language(),
                    Changed::Limits => replies.changed_limits(),
                    Changed::LinkedAgain => replies.changed_linked_again(),
                    Changed::AccountAdded => replies.changed_account_added(),
                    Changed::AccountRemoved => replies.changed_account_removed(),
                    Changed::BankAdded => replies.changed_bank_added(),
                    Changed::BankRemoved => replies.changed_bank_removed(),
                    Changed::Paying => replies.changed_paying(),
                };
                replies.changed(&what, &plain::one_line(url))
            }
            Message::Locked { what } if what.is_empty() => replies.locked(),
            Message::Locked { what } => replies.locked_order(&plain::words(what, LONGEST_WHAT)),
            Message::Unlocked => replies.unlocked(),
        };
        format!("{body}\n{footer}")
    }
}

/// The command's name in the person's language; one that this version does not know stays as it came.
fn action_name(language: Language, action: &str) -> String {
    let names = &texts(language).actions;
    match action {
        "request" => names.request(),
        other => plain::words(other, LONGEST_FRAGMENT),
    }
}

/// What was not understood, then the posts that would have worked, each whole on its own line: as many as fit.
fn explanation(language: Language, code: &str, fragment: Option<&str>, suggestions: &[String], footer: &str) -> String {
    let texts = texts(language);
    let explain = &texts.explain;
    let fragment = match fragment.map(|text| plain::words(text, LONGEST_FRAGMENT)) {
        Some(text) if !text.is_empty() => texts.common.quote(&text),
        _ => explain.your_post(),
    };
    let sentence = capitalised(&sentence(explain, code, &fragment));
    let with = |shown: &[String]| {
        let mut text = format!("{sentence} {}", explain.nothing_paid());
        if !shown.is_empty() {
            text.push(' ');
            text.push_str(&if shown.len() == 1 { explain.copy_one() } else { explain.copy_several() });
            for suggestion in shown {
                text.push('\n');
                text.push_str(&plain::to_copy(suggestion));
            }
            if shown.iter().any(|suggestion| plain::mentions(suggestion)) {
                text.push('\n');
                text.push_str(&explain.at_sign());
            }
        }
        format!("{text}\n{footer}")
    };
    let fits = |text: &String| plain::length(text) <= LONGEST;
    (0..=suggestions.len()).rev().map(|shown| with(&suggestions[..shown])).find(fits).unwrap_or_else(|| with(&[]))
}

/// What is wrong with a text, as a page says it: the private message's sentence about a code of the order language, around the fragment as
/// it was written. A page mentions nobody.
pub fn explained(language: Language, code: &str, fragment: &str) -> String {
    let texts = texts(language);
    let shown = if fragment.trim().is_empty() { texts.explain.your_post() } else { texts.common.quote(fragment) };
    capitalised(&sentence(&texts.explain, code, &shown))
}

/// A sentence may begin with what stands for the quotation.
fn capitalised(sentence: &str) -> String {
    let mut characters = sentence.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

/// One arm per code of the order language; the test compares with its list.
fn sentence(explain: &Explain, code: &str, fragment: &str) -> String {
    match code {
        "E_TEXT_UNSAFE" => explain.text_unsafe(fragment),
        "E_VERB_HASH_MISSING" => explain.verb_hash_missing(fragment),
        "E_VERB_GLUED" => explain.verb_glued(fragment),
        "E_VERB_CONFLICT" => explain.verb_conflict(fragment),
        "E_RESERVED_RECURRING" => explain.reserved_recurring(fragment),
        "E_RESERVED_PLEDGE" => explain.reserved_pledge(fragment),
        "E_TOO_MANY_AMOUNTS" => explain.too_many_amounts(fragment),
        "E_AMOUNT_AMBIGUOUS" => explain.amount_ambiguous(fragment),
        "E_AMOUNT_UNREADABLE" => explain.amount_unreadable(fragment),
        "E_AMOUNT_PRECISION" => explain.amount_precision(fragment),
        "E_AMOUNT_TOO_LARGE" => explain.amount_too_large(fragment),
        "E_AMOUNT_ZERO" => explain.amount_zero(fragment),
        "E_AMOUNT_SCALED" => explain.amount_scaled(fragment),
        "E_AMOUNT_IN_WORDS" => explain.amount_in_words(fragment),
        "E_AMOUNT_MISSING" => explain.amount_missing(fragment),
        "E_CURRENCY_MISSING" => explain.currency_missing(fragment),
        "E_CURRENCY_UNKNOWN" => explain.currency_unknown(fragment),
        "E_CURRENCY_AMBIGUOUS" => explain.currency_ambiguous(fragment),
        "E_CURRENCY_CONFLICT" => explain.currency_conflict(fragment),
        "E_RECIPIENT_MISSING" => explain.recipient_missing(fragment),
        "E_RECIPIENT_INVALID" => explain.recipient_invalid(fragment),
        "E_RECIPIENT_AMBIGUOUS" => explain.recipient_ambiguous(fragment),
        "E_RECIPIENT_SELF" => explain.recipient_self(fragment),
        "E_TOO_MANY_RECIPIENTS" => explain.too_many_recipients(fragment),
        "E_SPLIT_CONFLICT" => explain.split_conflict(fragment),
        "E_SHARE_TOO_SMALL" => explain.share_too_small(fragment),
        "E_REPLY_UNKNOWN" => explain.reply_unknown(fragment),
        "E_REPLY_CODE" => explain.reply_code(fragment),
        _ => explain.unreadable(fragment),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{PHRASE, shown};
    use super::*;

    /// The codes of the order language, version 1, in the order of its table.
    const CODES: [&str; 28] = [
        "E_TEXT_UNSAFE",
        "E_VERB_HASH_MISSING",
        "E_VERB_GLUED",
        "E_VERB_CONFLICT",
        "E_RESERVED_RECURRING",
        "E_RESERVED_PLEDGE",
        "E_TOO_MANY_AMOUNTS",
        "E_AMOUNT_AMBIGUOUS",
        "E_AMOUNT_UNREADABLE",
        "E_AMOUNT_PRECISION",
        "E_AMOUNT_TOO_LARGE",
        "E_AMOUNT_ZERO",
        "E_AMOUNT_SCALED",
        "E_AMOUNT_IN_WORDS",
        "E_AMOUNT_MISSING",
        "E_CURRENCY_MISSING",
        "E_CURRENCY_UNKNOWN",
        "E_CURRENCY_AMBIGUOUS",
        "E_CURRENCY_CONFLICT",
        "E_RECIPIENT_MISSING",
        "E_RECIPIENT_INVALID",
        "E_RECIPIENT_AMBIGUOUS",
        "E_RECIPIENT_SELF",
        "E_TOO_MANY_RECIPIENTS",
        "E_SPLIT_CONFLICT",
        "E_SHARE_TOO_SMALL",
        "E_REPLY_UNKNOWN",
        "E_REPLY_CODE",
    ];

    /// Without the last line, which is the same everywhere.
    fn said(message: &Message, language: Language) -> String {
        let text = message.render(language, Some(PHRASE));
        let longest = message.render(language, Some(&"m".repeat(100)));
        assert!(plain::length(&longest) <= LONGEST, "{} characters: {longest}", plain::length(&longest));
        assert!(!plain::mentions(&text), "{text}");
        let (body, last) = text.rsplit_once('\n').unwrap();
        assert_eq!(last, footer(language, PHRASE));
        shown(body)
    }

    fn explain(code: &str, fragment: Option<&str>, suggestions: &[&str]) -> Message {
        Message::Explain {
            code: code.to_owned(),
            fragment: fragment.map(str::to_owned),
            suggestions: suggestions.iter().map(|text| (*text).to_owned()).collect(),
        }
    }

    #[test]
    fn every_answer_in_every_language() {
        let actions = ["request", "@new thing"];
        let mut messages = vec![
            Message::WrongCode { tries_left: 4 },
            Message::WrongCode { tries_left: 1 },
            Message::WrongCode { tries_left: 0 },
            Message::NoOpenOrder,
            Message::AlreadyDecided,
            Message::Help,
            Message::NotUnderstood,
            Message::CodeAlone,
            Message::YesWithoutCode,
            Message::NeedsPasskey,
            Message::NotLinked { enrol_url: "https://pay.example/enrol".to_owned() },
            Message::EnrolmentCodeUnknown,
            Message::EnrolmentCodeExpired,
            Message::EnrolmentCodeUsed,
            Message::EnrolmentReceived,
            Message::EnrolmentAlreadyLinked,
            Message::linked(&Limits::default()),
            Message::Invitation {
                from: "ana@town.example".to_owned(),
                amount: Money::new(550, crate::money::Currency::EUR),
                url: "https://pay.example/claim".to_owned(),
            },
            Message::InvitationDeclined { for_ever: false },
            Message::InvitationDeclined { for_ever: true },
            Message::SetChanged { count: 2 },
            Message::SetTooMuch,
            Message::SetToCheck,
            Message::CodesBlocked { until: super::super::sample::now(), url: "https://pay.example/inbox".to_owned() },
        ];
        messages.extend(actions.map(|action| Message::NotYet { action: action.to_owned() }));
        for language in Language::ALL {
            let texts: Vec<String> = messages.iter().map(|message| said(message, language)).collect();
            match language {
                Language::En => insta::assert_snapshot!(texts.join("\n"), @"
                Wrong code, nothing was confirmed. You have 4 tries left. Reply YES and the 6 digits of my last question, or NO.
                Wrong code, nothing was confirmed. You have 1 try left. Reply YES and the 6 digits of my last question, or NO.
                Wrong code, nothing was confirmed. You have 0 tries left. Reply YES and the 6 digits of my last question, or NO.
                No order of yours waits for an answer. Nothing was changed or paid by this message.
                This order is already decided; your answer changed nothing.
                To pay, post: my handle, #send or #give, an amount such as 10€, and the payee's handle or a campaign's hashtag. I ask here first: YES and the code pays, NO refuses all that waits. To withdraw, answer your post with my handle and #cancel. Also: STATUS, BALANCE, HISTORY, LIMITS, REFUND, STOP, HUMAN, MY DATA.
                I did not understand this, and nothing was paid. Reply YES and the code, NO, or HELP.
                A code alone decides nothing. Write YES in front of it to pay, or NO to refuse.
                A yes needs the code of the order: YES and its six digits, as in my message. Nothing was paid.
                What waits is too large for a code, so nothing was paid. Open the page in my last question and confirm there with your passkey, or reply NO.
                This account is not linked to Obole yet, so nothing can be paid from it. Link it first, once: https://pay.example/enrol
                I do not know this enrolment code. Check it on the page where you saw it, or start there again.
                This enrolment code has expired. Go back to the page to get a new one.
                This enrolment code was used already, and does nothing a second time. The page where you saw it shows how things stand.
                Code received. One step is left: go back to the page and confirm there that this is your account. Nothing is linked before. If you have no such page open, ignore this.
                This account is already linked to Obole. Nothing was changed.
                Welcome, this account is linked. To pay, post: my handle, #send or #give, an amount such as 10€, and the payee's handle or a campaign's hashtag. I ask you here before anything is paid. Limits: €30.00 an order, €1,000.00 in 24 hours; €100.00 or 5 orders in all by codes alone; with a passkey more.
                ana, town.example wants to send you €5.50 through Obole. To receive it, within 7 days: https://pay.example/claim. If you do not want it, answer NO. To never hear of such again, answer STOP. I write to you only this once.
                Noted: what waited for you is withdrawn, and nothing was paid.
                Noted: nobody can pay you through Obole, and I will not write to you about it again.
                That code was for 2 orders together, and they are not what they were: one has ended, or another one came. Nothing was confirmed by it. Answer each with its own code, or with my newest message.
                Together these go above what you can still confirm by message. Nothing was confirmed. Answer each with its own code, as far as your limits go.
                One of these orders has to be checked first, so nothing was confirmed by this code. Answer each with its own code.
                Too many wrong codes came from this account within a day, so no code is taken from it before 2026-03-01 14:22 UTC. Orders can be confirmed here: https://pay.example/inbox. If it was not you, write STOP and change the account's password.
                I understood “request”, but this is not available yet. Nothing was changed.
                I understood “(at)new thing”, but this is not available yet. Nothing was changed.
                "),
                Language::Fr => insta::assert_snapshot!(texts.join("\n"), @"
                Code faux, rien n'a été confirmé. Il vous reste 4 essais. Répondez OUI et les 6 chiffres de ma dernière question, ou NON.
                Code faux, rien n'a été confirmé. Il vous reste 1 essai. Répondez OUI et les 6 chiffres de ma dernière question, ou NON.
                Code faux, rien n'a été confirmé. Il vous reste 0 essai. Répondez OUI et les 6 chiffres de ma dernière question, ou NON.
                Aucun ordre n'attend votre réponse. Ce message n'a rien changé ni payé.
                Cet ordre est déjà décidé~; votre réponse n'a rien changé.
                Pour payer, publiez~: mon nom, #envoyer ou #donner, un montant comme 10€, et le bénéficiaire ou une campagne. Je demande d'abord ici~: OUI et le code paie, NON refuse tout. Pour retirer~: mon nom et #annuler sous votre publication. Aussi~: STATUT, SOLDE, HISTORIQUE, PLAFONDS, REMBOURSEMENT, STOP, HUMAIN, MES DONNÉES.
                Je n'ai pas compris, et rien n'a été payé. Répondez OUI et le code, NON, ou AIDE.
                Un code seul ne décide rien. Écrivez OUI devant pour payer, ou NON pour refuser.
                Un oui demande le code de l'ordre~: OUI et ses six chiffres, comme dans mon message. Rien n'a été payé.
                Ce qui attend est trop grand pour un code, rien n'a donc été payé. Ouvrez la page de ma dernière question et confirmez-y avec votre clé d'accès, ou répondez NON.
                Ce compte n'est pas encore relié à Obole, rien ne peut donc en être payé. Reliez-le d'abord, une seule fois~: https://pay.example/enrol
                Je ne connais pas ce code d'inscription. Vérifiez-le sur la page où vous l'avez vu, ou recommencez là-bas.
                Ce code d'inscription a expiré. Retournez sur la page pour en obtenir un autre.
                Ce code d'inscription a déjà servi, et ne fait rien une seconde fois. La page où vous l'avez vu montre où en sont les choses.
                Code reçu. Il reste une étape~: retournez sur la page et confirmez-y que ce compte est le vôtre. Rien n'est relié avant. Si vous n'avez pas ouvert une telle page, ignorez ce message.
                Ce compte est déjà relié à Obole. Rien n'a été changé.
                Bienvenue, ce compte est relié. Pour payer, publiez~: mon nom, #envoyer ou #donner, un montant comme 10€, et le bénéficiaire ou le hashtag d'une campagne. Je demande ici avant tout paiement. Plafonds~: 30,00~€ par ordre, 1~000,00~€ en 24 heures~; 100,00~€ ou 5 ordres en tout par code~; plus avec une clé d'accès.
                ana, town.example veut vous envoyer 5,50~€ par Obole. Pour le recevoir, sous 7 jours~: https://pay.example/claim. Si vous n'en voulez pas, répondez NON. Pour ne plus jamais en entendre parler, répondez STOP. Je ne vous écris que cette fois.
                Noté~: ce qui vous attendait est retiré, et rien n'a été payé.
                Noté~: personne ne peut vous payer par Obole, et je ne vous écrirai plus à ce sujet.
                Ce code valait pour 2 ordres ensemble, et ils ne sont plus les mêmes~: l'un est terminé, ou un autre s'est ajouté. Il n'a rien confirmé. Répondez à chacun avec son code, ou à mon dernier message.
                Ensemble, ces ordres dépassent ce que vous pouvez encore confirmer par message. Rien n'a été confirmé. Répondez à chacun avec son code, dans la limite de vos plafonds.
                L'un de ces ordres doit d'abord être vérifié~; ce code n'a donc rien confirmé. Répondez à chacun avec son code.
                Trop de codes faux sont venus de ce compte en un jour~; aucun code n'en est accepté avant 2026-03-01 14:22 UTC. Les ordres se confirment ici~: https://pay.example/inbox. Si ce n'était pas vous, écrivez STOP et changez le mot de passe du compte.
                J'ai compris «~demander~», mais ce n'est pas encore disponible. Rien n'a été changé.
                J'ai compris «~(at)new thing~», mais ce n'est pas encore disponible. Rien n'a été changé.
                "),
            }
        }
    }

    #[test]
    fn every_error_code_has_its_sentence() {
        for language in Language::ALL {
            let mut texts: Vec<String> = CODES.iter().map(|code| said(&explain(code, Some("…"), &[]), language)).collect();
            let unknown = said(&explain("E_NEW", Some("…"), &[]), language);
            assert!(!texts.contains(&unknown), "a code without a sentence");
            texts.push(unknown);
            texts.push(said(&explain("E_AMOUNT_MISSING", None, &[]), language));
            texts.push(said(&explain("E_AMOUNT_ZERO", None, &[]), language));
            match language {
                Language::En => insta::assert_snapshot!(texts.join("\n"), @"
                The post has an invisible character in it: “…”. Nothing was paid.
                The # is missing before “…”. Nothing was paid.
                A space is missing in “…”. Nothing was paid.
                Two different actions in one post: “…” is the second. Nothing was paid.
                Repeated payments are not available yet: “…”. Nothing was paid.
                Pledges that depend on an event are not available yet: “…”. Nothing was paid.
                Two amounts in one post: “…” is the second. Nothing was paid.
                “…” can be read as two different amounts. Nothing was paid.
                I cannot read “…” as an amount. Write for example 10.50€. Nothing was paid.
                “…” has more decimals than its currency. Nothing was paid.
                “…” is too large an amount. Nothing was paid.
                “…” is no amount that can be paid. Nothing was paid.
                Write “…” in figures only. Nothing was paid.
                Write “…” in figures. Nothing was paid.
                I see “…”, but no amount. Write for example 10€. Nothing was paid.
                I see “…”, but no currency. Nothing was paid.
                I do not serve the currency “…”. Nothing was paid.
                “…” may be one of several currencies. Nothing was paid.
                “…” names two currencies. Nothing was paid.
                I see “…”, but nobody to pay. Write the payee's handle behind the amount. Nothing was paid.
                “…” is not a handle here. Nothing was paid.
                I cannot tell who is to be paid: “…”. Write the payees behind the amount, one after the other. Nothing was paid.
                “…” is you. Nothing was paid.
                More than 10 payees in one post: “…” is one too many. Nothing was paid.
                The post says both “each” and “in all”: “…”. Nothing was paid.
                “…” is too small to be shared. Nothing was paid.
                I did not understand “…”. Reply YES and the code, NO, or HELP. Nothing was paid.
                “…” alone decides nothing. Write YES and the code to pay, or NO and the code to refuse. Nothing was paid.
                I could not read “…”. Nothing was paid.
                I see your post, but no amount. Write for example 10€. Nothing was paid.
                Your post is no amount that can be paid. Nothing was paid.
                "),
                Language::Fr => insta::assert_snapshot!(texts.join("\n"), @"
                Le message contient un caractère invisible~: «~…~». Rien n'a été payé.
                Il manque le # devant «~…~». Rien n'a été payé.
                Il manque une espace dans «~…~». Rien n'a été payé.
                Deux actions différentes dans un message~: «~…~» est la seconde. Rien n'a été payé.
                Les paiements répétés ne sont pas encore disponibles~: «~…~». Rien n'a été payé.
                Les promesses liées à un événement ne sont pas encore disponibles~: «~…~». Rien n'a été payé.
                Deux montants dans un message~: «~…~» est le second. Rien n'a été payé.
                «~…~» peut se lire comme deux montants différents. Rien n'a été payé.
                Je ne peux pas lire «~…~» comme un montant. Écrivez par exemple 10,50€. Rien n'a été payé.
                «~…~» a plus de décimales que sa devise. Rien n'a été payé.
                «~…~» est un montant trop grand. Rien n'a été payé.
                «~…~» n'est pas un montant que l'on peut payer. Rien n'a été payé.
                Écrivez «~…~» en chiffres seulement. Rien n'a été payé.
                Écrivez «~…~» en chiffres. Rien n'a été payé.
                Je vois «~…~», mais pas de montant. Écrivez par exemple 10€. Rien n'a été payé.
                Je vois «~…~», mais pas de devise. Rien n'a été payé.
                Je ne connais pas la devise «~…~». Rien n'a été payé.
                «~…~» peut désigner plusieurs devises. Rien n'a été payé.
                «~…~» nomme deux devises. Rien n'a été payé.
                Je vois «~…~», mais personne à payer. Écrivez le compte du bénéficiaire après le montant. Rien n'a été payé.
                «~…~» n'est pas un nom de compte ici. Rien n'a été payé.
                Je ne peux pas savoir qui payer~: «~…~». Écrivez les bénéficiaires après le montant, l'un après l'autre. Rien n'a été payé.
                «~…~», c'est vous. Rien n'a été payé.
                Plus de 10 bénéficiaires dans un message~: «~…~» est de trop. Rien n'a été payé.
                Le message dit à la fois «~chacun~» et «~en tout~»~: «~…~». Rien n'a été payé.
                «~…~» est trop petit pour être partagé. Rien n'a été payé.
                Je n'ai pas compris «~…~». Répondez OUI et le code, NON, ou AIDE. Rien n'a été payé.
                «~…~» seul ne décide rien. Écrivez OUI et le code pour payer, ou NON et le code pour refuser. Rien n'a été payé.
                Je n'ai pas pu lire «~…~». Rien n'a été payé.
                Je vois votre message, mais pas de montant. Écrivez par exemple 10€. Rien n'a été payé.
                Votre message n'est pas un montant que l'on peut payer. Rien n'a été payé.
                "),
            }
        }
    }

    #[test]
    fn corrected_posts_stand_whole_on_their_own_lines_and_mention_nobody() {
        let one = explain("E_CURRENCY_UNKNOWN", Some("balles"), &["@obole #envoyer 10 EUR @bob"]);
        let two = ["@obole #send 1 € @bob", "@obole #send 1000 € @bob@mastodon.example"];
        let two = explain("E_AMOUNT_AMBIGUOUS", Some("1.000 €"), &two);
        let reply = explain("E_REPLY_CODE", Some("4821"), &["YES 4821", "NO 4821"]);
        let texts = Language::ALL.map(|language| [&one, &two, &reply].map(|message| said(message, language)).join("\n"));
        insta::assert_snapshot!(texts.join("\n---\n"), @"
        I do not serve the currency “balles”. Nothing was paid. This would work:
        (at)obole #envoyer 10 EUR (at)bob
        Write the at sign for (at).
        “1.000 €” can be read as two different amounts. Nothing was paid. One of these would work:
        (at)obole #send 1 € (at)bob
        (at)obole #send 1000 € (at)bob@mastodon.example
        Write the at sign for (at).
        “4821” alone decides nothing. Write YES and the code to pay, or NO and the code to refuse. Nothing was paid. One of these would work:
        YES 4821
        NO 4821
        ---
        Je ne connais pas la devise «~balles~». Rien n'a été payé. Ceci fonctionnerait~:
        (at)obole #envoyer 10 EUR (at)bob
        Écrivez l'arobase à la place de (at).
        «~1.000 €~» peut se lire comme deux montants différents. Rien n'a été payé. L'un de ceux-ci fonctionnerait~:
        (at)obole #send 1 € (at)bob
        (at)obole #send 1000 € (at)bob@mastodon.example
        Écrivez l'arobase à la place de (at).
        «~4821~» seul ne décide rien. Écrivez OUI et le code pour payer, ou NON et le code pour refuser. Rien n'a été payé. L'un de ceux-ci fonctionnerait~:
        YES 4821
        NO 4821
        ");
    }

    #[test]
    fn a_correction_without_room_is_left_out_rather_than_cut() {
        let long = format!("@obole #send 10 EUR @bob {}", "very ".repeat(40));
        let message = explain("E_CURRENCY_UNKNOWN", Some("balles"), &[&long, "@obole #send 10 USD @bob", &long]);
        let text = said(&message, Language::En);
        assert!(text.contains(&plain::to_copy(&long)) && !text.contains("USD"), "{text}");
        let message = explain("E_CURRENCY_UNKNOWN", Some("balles"), &[&long.repeat(3)]);
        insta::assert_snapshot!(said(&message, Language::En), @"I do not serve the currency “balles”. Nothing was paid.");
    }

    #[test]
    fn every_change_is_told_with_the_way_to_say_that_it_was_somebody_else() {
        let changes = [
            Changed::PasskeyAdded { hours: 24 },
            Changed::PasskeyAdded { hours: 0 },
            Changed::PasskeyRemoved,
            Changed::Phrase,
            Changed::Language,
            Changed::Limits,
            Changed::LinkedAgain,
            Changed::AccountAdded,
            Changed::AccountRemoved,
            Changed::BankAdded,
            Changed::BankRemoved,
            Changed::Paying,
        ];
        let url = "https://pay.example/not-me/me0-1";
        let texts = Language::ALL.map(|language| {
            let mut texts: Vec<String> =
                changes.iter().map(|what| said(&Message::Changed { what: what.clone(), url: url.to_owned() }, language)).collect();
            assert!(texts.iter().all(|text| text.ends_with(url)));
            texts.push(said(&Message::Locked { what: "€10.00 (12345678)".to_owned() }, language));
            texts.push(said(&Message::Locked { what: String::new() }, language));
            texts.push(said(&Message::Unlocked, language));
            texts.join("\n")
        });
        insta::assert_snapshot!(texts.join("\n---\n"), @"
        A passkey was added to your Obole. For 24 hours it confirms small amounts only. Not you? Say so here: https://pay.example/not-me/me0-1
        A passkey was added to your Obole. Not you? Say so here: https://pay.example/not-me/me0-1
        A passkey was removed from your Obole. Not you? Say so here: https://pay.example/not-me/me0-1
        Your safe phrase has changed; the new one stands below. Not you? Say so here: https://pay.example/not-me/me0-1
        I write to you in English from now on. Not you? Say so here: https://pay.example/not-me/me0-1
        Your own limits have changed. What you lowered holds now, what you raised later. Not you? Say so here: https://pay.example/not-me/me0-1
        Your account was linked once more, with your bank's consent; a passkey can be added for an hour. Not you? Say so here: https://pay.example/not-me/me0-1
        Another account is linked to you, with the same limits for all. Not you? Say so here: https://pay.example/not-me/me0-1
        An account is not linked to you any more. Not you? Say so here: https://pay.example/not-me/me0-1
        Another bank account is connected to your Obole. Not you? Say so here: https://pay.example/not-me/me0-1
        A bank account is not connected to your Obole any more. Not you? Say so here: https://pay.example/not-me/me0-1
        Your orders are paid from another account of yours from now on. Not you? Say so here: https://pay.example/not-me/me0-1
        You said that this was not you: €10.00 (12345678). Whatever waited is cancelled, and nothing more is paid from your account until a person has looked at it.
        You said that this was not you. Whatever waited is cancelled, and nothing more is paid from your account until a person has looked at it.
        A person has looked at what you reported. Your account can order payments again.
        ---
        Une clé d'accès a été ajoutée à votre Obole. Pendant 24 heures, elle ne confirme que de petits montants. Ce n'était pas vous~? Dites-le ici~: https://pay.example/not-me/me0-1
        Une clé d'accès a été ajoutée à votre Obole. Ce n'était pas vous~? Dites-le ici~: https://pay.example/not-me/me0-1
        Une clé d'accès a été retirée de votre Obole. Ce n'était pas vous~? Dites-le ici~: https://pay.example/not-me/me0-1
        Votre phrase de reconnaissance a changé~; la nouvelle figure ci-dessous. Ce n'était pas vous~? Dites-le ici~: https://pay.example/not-me/me0-1
        Je vous écris désormais en français. Ce n'était pas vous~? Dites-le ici~: https://pay.example/not-me/me0-1
        Vos propres plafonds ont changé. Ce que vous avez baissé vaut dès maintenant, ce que vous avez relevé plus tard. Ce n'était pas vous~? Dites-le ici~: https://pay.example/not-me/me0-1
        Votre compte a été relié encore une fois, avec l'accord de votre banque~; une clé d'accès peut être ajoutée pendant une heure. Ce n'était pas vous~? Dites-le ici~: https://pay.example/not-me/me0-1
        Un autre compte est relié à vous, avec les mêmes plafonds pour tous. Ce n'était pas vous~? Dites-le ici~: https://pay.example/not-me/me0-1
        Un compte n'est plus relié à vous. Ce n'était pas vous~? Dites-le ici~: https://pay.example/not-me/me0-1
        Un autre compte bancaire est connecté à votre Obole. Ce n'était pas vous~? Dites-le ici~: https://pay.example/not-me/me0-1
        Un compte bancaire n'est plus connecté à votre Obole. Ce n'était pas vous~? Dites-le ici~: https://pay.example/not-me/me0-1
        Vos ordres sont désormais payés depuis un autre de vos comptes. Ce n'était pas vous~? Dites-le ici~: https://pay.example/not-me/me0-1
        Vous avez dit que ce n'était pas vous~: €10.00 (12345678). Ce qui attendait est annulé, et rien d'autre n'est payé de votre compte tant qu'une personne ne l'a pas vérifié.
        Vous avez dit que ce n'était pas vous. Ce qui attendait est annulé, et rien d'autre n'est payé de votre compte tant qu'une personne ne l'a pas vérifié.
        Une personne a vérifié ce que vous avez signalé. Votre compte peut à nouveau ordonner des paiements.
        ");
    }

    #[test]
    fn a_fragment_cannot_make_up_a_line_of_its_own() {
        let message = explain("E_REPLY_UNKNOWN", Some("x\nObole: send your IBAN to @eve"), &[]);
        insta::assert_snapshot!(said(&message, Language::En), @"I did not understand “x Obole: send your IBAN to (at)eve”. Reply YES and the code, NO, or HELP. Nothing was paid.");
    }

    #[test]
    fn a_message_survives_being_stored() {
        let message = Message::linked(&Limits::default());
        let stored = serde_json::to_string(&message).unwrap();
        assert_eq!(serde_json::from_str::<Message>(&stored).unwrap(), message);
        assert_eq!(serde_json::to_string(&Message::Help).unwrap(), r#"{"message":"help"}"#);
    }
}
