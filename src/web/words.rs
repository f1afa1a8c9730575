//! The texts of the pages: one data file per language, read once into typed structs.
//!
//! A text that a file lacks, or has and no page shows, makes the file unreadable, and a test names key and line. A translator edits
//! one file alone.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::people::Language;

/// Declares the sections and keys that each language file has, no more and no fewer.
macro_rules! language_file {
    ($($section:ident: $name:ident { $($key:ident,)* })*) => {
        /// Everything said in one language.
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct Texts { $(pub(crate) $section: $name,)* }
        $(
            #[doc = concat!("The section `", stringify!($section), "`.")]
            #[derive(Debug, Deserialize)]
            #[serde(deny_unknown_fields)]
            pub(crate) struct $name { $(pub(crate) $key: String,)* }
        )*
    };
}

pub(crate) use language_file;

language_file! {
    shell: Shell {
        skip, home, language, footer, sandbox,
    }
    front: Front {
        title, lead, how_post, how_ask, how_yes, enrol, enrol_why, campaigns, no_campaigns,
    }
    enrol: Enrol {
        title, lead, step, bank, language, phrase, phrase_hint, begin, privacy, consent_title, consent_lead,
        consent_go, choose_title, choose_lead, choose, code_title, code_lead, code_label, code_copy,
        code_until, code_waiting, code_renew, code_privacy, code_not_shared, word_title, word_lead, word_on, word_yes,
        word_no, word_warning, done_title, done_lead, done_next, abandoned_title, abandoned_consent_refused,
        abandoned_no_account, abandoned_not_me, abandoned_already_linked, abandoned_other, again,
    }
    order: Order {
        title, to, total, campaign, post, receipt, asked_at, progress, live, awaiting_payer, awaiting_payee,
        awaiting_confirmation, held, confirmed, rejected, cancelled, expired, payment_proposed, payment_ready,
        payment_submitting, payment_awaiting_bank, payment_executing, payment_unknown, payment_settled,
        payment_returned, payment_failed, payment_expired, payment_disputed, rejected_payee_unknown,
        rejected_payee_frozen, rejected_currency_not_served, rejected_above_low_value_limit,
        rejected_above_order_limit, rejected_too_many_open, rejected_limit_reached, rejected_already_edited,
        rejected_too_old, rejected_too_many_wrong_answers, rejected_self_payment, cancelled_payer,
        cancelled_cancel_order, cancelled_edit, cancelled_deletion, cancelled_unlinked,
    }
    bank_return: BankReturn {
        title, lead, order,
    }
    campaign: Campaign {
        by, verified, registry, sum_goal, sum, gifts_none, gifts_one, gifts_many, pending, how, how_lead, copy,
        not_linked,
    }
    errors: Errors {
        title, back, not_found, bad_request, bad_phrase, bad_bank, wrong_step, stale, no_session, bank_silent,
        bad_account, too_often, too_large, too_slow, forbidden, unavailable, broken,
    }
}

const EN: &str = include_str!("en.toml");
const FR: &str = include_str!("fr.toml");

static ENGLISH: LazyLock<Texts> = LazyLock::new(|| compiled_in(EN));
static FRENCH: LazyLock<Texts> = LazyLock::new(|| compiled_in(&with_french_spaces(FR)));

/// Everything said in `language`.
pub(crate) fn texts(language: Language) -> &'static Texts {
    match language {
        Language::En => &ENGLISH,
        Language::Fr => &FRENCH,
    }
}

#[expect(clippy::expect_used, reason = "the files are part of the executable, and a test reads every one of them")]
fn compiled_in(file: &str) -> Texts {
    toml::from_str(file).expect("the language files in the executable are readable")
}

/// French puts a space before `? ! : ; %` and inside « », and it must not end a line. The file is written with plain spaces, which
/// an editor shows; nothing of TOML itself contains these pairs.
pub(crate) fn with_french_spaces(file: &str) -> String {
    let pairs = [
        (" ?", "\u{a0}?"),
        (" !", "\u{a0}!"),
        (" :", "\u{a0}:"),
        (" ;", "\u{a0};"),
        (" %", "\u{a0}%"),
        ("« ", "«\u{a0}"),
        (" »", "\u{a0}»"),
    ];
    pairs.iter().fold(file.to_owned(), |text, (plain, typeset)| text.replace(plain, typeset))
}

/// Puts values into their places in one pass, so that a value that looks like a placeholder stays what it is.
pub(crate) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((name, tail)) = after.split_once('}') else {
            out.push('{');
            rest = after;
            continue;
        };
        out.push_str(values.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value));
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// The placeholders of every text of a file, by key, for the tests of language files.
#[cfg(test)]
pub(crate) fn placeholders(file: &str) -> Vec<(String, Vec<String>)> {
    let read: toml::Table = toml::from_str(file).unwrap();
    let mut found = Vec::new();
    for (section, keys) in &read {
        for (key, text) in keys.as_table().unwrap() {
            let names = text.as_str().unwrap().split('{').skip(1).filter_map(|rest| rest.split_once('}'));
            let mut names: Vec<String> = names.map(|(name, _)| name.to_owned()).collect();
            names.sort();
            names.dedup();
            found.push((format!("{section}.{key}"), names));
        }
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_file_has_every_text_and_no_other() {
        for file in [EN, FR] {
            toml::from_str::<Texts>(file).unwrap();
        }
    }

    #[test]
    fn a_text_has_the_same_placeholders_in_every_language() {
        assert_eq!(placeholders(EN), placeholders(FR));
    }

    #[test]
    fn a_value_that_looks_like_a_placeholder_stays_what_it_is() {
        assert_eq!(fill("{a} and {b}{", &[("a", "{b}"), ("b", "2")]), "{b} and 2{");
    }
}
