//! The words on the bank's pages, in French and English. A page takes the language the browser asks for.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT_LANGUAGE;
use jiff::civil::Date;

use crate::money::Money;

/// A language of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    French,
    English,
}

impl Language {
    /// The first of `Accept-Language` that we speak, by its weight; English otherwise.
    pub(super) fn of(headers: &HeaderMap) -> Language {
        let text = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut best = (0.0_f32, Language::English);
        for choice in text.split(',') {
            let (tag, weight) = choice.split_once(";q=").unwrap_or((choice, "1"));
            let language = match tag.trim().get(..2).map(str::to_ascii_lowercase).as_deref() {
                Some("fr") => Language::French,
                Some("en") => Language::English,
                _ => continue,
            };
            let weight = weight.trim().parse().unwrap_or(0.0);
            if weight > best.0 {
                best = (weight, language);
            }
        }
        best.1
    }

    /// `lang` of a page.
    pub(super) fn code(self) -> &'static str {
        match self {
            Language::French => "fr",
            Language::English => "en",
        }
    }

    /// The words.
    pub(super) fn words(self) -> &'static Words {
        match self {
            Language::French => &FRENCH,
            Language::English => &ENGLISH,
        }
    }

    /// A day as people write it: `20/11/2026` or `20 Nov 2026`.
    pub(super) fn day(self, day: Date) -> String {
        let form = match self {
            Language::French => "%d/%m/%Y",
            Language::English => "%-d %b %Y",
        };
        day.strftime(form).to_string()
    }

    /// An amount as people write it: `1 234,50 €` or `€1,234.50`.
    pub(super) fn amount(self, money: Money) -> String {
        let plain = Money::new(money.minor.saturating_abs(), money.currency).decimal_string();
        let (units, cents) = plain.split_once('.').unwrap_or((&plain, "00"));
        let sign = if money.minor < 0 { "−" } else { "" };
        match self {
            Language::French => format!("{sign}{},{cents}\u{a0}€", grouped(units, '\u{202f}')),
            Language::English => format!("{sign}€{}.{cents}", grouped(units, ',')),
        }
    }
}

fn grouped(units: &str, separator: char) -> String {
    let mut text = String::new();
    for (place, digit) in units.chars().enumerate() {
        if place > 0 && (units.len() - place).is_multiple_of(3) {
            text.push(separator);
        }
        text.push(digit);
    }
    text
}

/// Every sentence of the pages.
pub(super) struct Words {
    pub(super) bank: &'static str,
    pub(super) play_money: &'static str,
    pub(super) accounts: &'static str,
    pub(super) account: &'static str,
    pub(super) balance: &'static str,
    pub(super) available: &'static str,
    pub(super) statement: &'static str,
    pub(super) text: &'static str,
    pub(super) no_entries: &'static str,
    pub(super) no_accounts: &'static str,
    pub(super) newer: &'static str,
    pub(super) older: &'static str,
    pub(super) pay_title: &'static str,
    pub(super) pay_question: &'static str,
    pub(super) cancel_title: &'static str,
    pub(super) cancel_question: &'static str,
    pub(super) payee: &'static str,
    pub(super) from: &'static str,
    pub(super) reference: &'static str,
    pub(super) consent_title: &'static str,
    pub(super) consent_question: &'static str,
    pub(super) mandate_title: &'static str,
    pub(super) mandate_question: &'static str,
    pub(super) see_accounts: &'static str,
    pub(super) see_balances: &'static str,
    pub(super) see_entries: &'static str,
    pub(super) until: &'static str,
    pub(super) your_accounts: &'static str,
    pub(super) login: &'static str,
    pub(super) wrong_login: &'static str,
    pub(super) approve: &'static str,
    pub(super) refuse: &'static str,
    pub(super) decided: &'static str,
    pub(super) go_back: &'static str,
    pub(super) not_found: &'static str,
    pub(super) opening: &'static str,
    pub(super) returned: &'static str,
}

static FRENCH: Words = Words {
    bank: "Banque d’essai",
    play_money: "Argent fictif : rien ici n’est réel.",
    accounts: "Comptes",
    account: "Compte",
    balance: "Solde",
    available: "Disponible",
    statement: "Relevé",
    text: "Libellé",
    no_entries: "Aucune opération.",
    no_accounts: "Aucun compte n’est encore ouvert.",
    newer: "Plus récentes",
    older: "Plus anciennes",
    pay_title: "Approuver un virement",
    pay_question: "Voulez-vous faire ce virement ?",
    cancel_title: "Annuler un virement",
    cancel_question: "Voulez-vous annuler ce virement ?",
    payee: "Bénéficiaire",
    from: "Depuis",
    reference: "Référence",
    consent_title: "Donner accès à vos comptes",
    consent_question: "Une application demande à :",
    mandate_title: "Autoriser des virements",
    mandate_question: "Une application demande à ordonner des virements depuis vos comptes. Vous confirmez chacun d’eux auprès d’elle.",
    see_accounts: "voir vos comptes",
    see_balances: "voir vos soldes",
    see_entries: "voir vos opérations",
    until: "Jusqu’au",
    your_accounts: "tous vos comptes",
    login: "Votre identifiant à la banque",
    wrong_login: "Personne ne détient ces comptes sous cet identifiant.",
    approve: "Approuver",
    refuse: "Refuser",
    decided: "Cette demande a déjà reçu sa réponse, ou son délai est passé.",
    go_back: "Revenir à l’application",
    not_found: "Il n’y a rien à cette adresse.",
    opening: "Solde d’ouverture",
    returned: "Retour",
};

static ENGLISH: Words = Words {
    bank: "Sandbox bank",
    play_money: "Play money: nothing here is real.",
    accounts: "Accounts",
    account: "Account",
    balance: "Balance",
    available: "Available",
    statement: "Statement",
    text: "Text",
    no_entries: "No entries.",
    no_accounts: "No account has been opened yet.",
    newer: "Newer",
    older: "Older",
    pay_title: "Approve a transfer",
    pay_question: "Do you want to make this transfer?",
    cancel_title: "Cancel a transfer",
    cancel_question: "Do you want to cancel this transfer?",
    payee: "Payee",
    from: "From",
    reference: "Reference",
    consent_title: "Give access to your accounts",
    consent_question: "An application asks to:",
    mandate_title: "Allow transfers",
    mandate_question: "An application asks to order transfers from your accounts. You confirm each of them with it.",
    see_accounts: "see your accounts",
    see_balances: "see your balances",
    see_entries: "see your transactions",
    until: "Until",
    your_accounts: "all your accounts",
    login: "Your login at the bank",
    wrong_login: "Nobody holds these accounts under this login.",
    approve: "Approve",
    refuse: "Refuse",
    decided: "This request has already been answered, or its time has run out.",
    go_back: "Back to the application",
    not_found: "There is nothing at this address.",
    opening: "Opening balance",
    returned: "Return",
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Currency;

    #[test]
    fn the_browser_chooses_the_language() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_LANGUAGE, text.parse().unwrap());
            Language::of(&headers)
        };
        assert_eq!(of("fr-FR,fr;q=0.9,en;q=0.8"), Language::French);
        assert_eq!(of("de, en;q=0.7, fr;q=0.3"), Language::English);
        assert_eq!(of("de"), Language::English);
        assert_eq!(Language::of(&HeaderMap::new()), Language::English);
    }

    #[test]
    fn days_are_written_as_people_do() {
        let day = "2026-11-05".parse().unwrap();
        assert_eq!(Language::French.day(day), "05/11/2026");
        assert_eq!(Language::English.day(day), "5 Nov 2026");
    }

    #[test]
    fn amounts_are_written_as_people_do() {
        let money = Money::new(-123_450, Currency::EUR);
        assert_eq!(Language::French.amount(money), "−1\u{202f}234,50\u{a0}€");
        assert_eq!(Language::English.amount(money), "−€1,234.50");
        assert_eq!(Language::English.amount(Money::new(5, Currency::EUR)), "€0.05");
    }
}
