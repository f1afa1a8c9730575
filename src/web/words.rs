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
        title, lead, how_post, how_ask, how_yes, enrol, enrol_why, campaigns, no_campaigns, language, try_language,
    }
    enrol: Enrol {
        title, lead, step, bank, language, phrase, phrase_hint, begin, privacy, consent_title, consent_lead,
        consent_go, choose_title, choose_lead, choose, code_title, code_lead, code_label, code_copy,
        code_until, code_waiting, code_renew, code_privacy, code_not_shared, word_title, word_lead, word_on, word_yes,
        word_no, word_warning, connected_title, connected_lead,
        connected_next, code_link, code_square, code_square_hint, done_title, done_lead, done_next, abandoned_title, abandoned_consent_refused,
        abandoned_no_account, abandoned_not_me, abandoned_already_linked, abandoned_other, again,
    }
    order: Order {
        title, to, total, campaign, post, receipt, asked_at, progress, live, awaiting_payer, awaiting_payee,
        awaiting_confirmation, held, confirmed, rejected, cancelled, expired, payment_proposed, payment_ready,
        payment_submitting, payment_awaiting_bank, payment_executing, payment_unknown, payment_settled,
        payment_returned, payment_failed, payment_expired, payment_disputed, rejected_payee_unknown,
        rejected_payee_frozen, rejected_payee_looks_like, rejected_payee_declined, rejected_currency_not_served, rejected_above_low_value_limit, rejected_passkey_too_new,
        rejected_above_own_limit, rejected_account_locked,
        rejected_above_order_limit, rejected_too_many_open, rejected_limit_reached, rejected_already_edited,
        rejected_too_old, rejected_strong_confirmation_needed, rejected_too_many_wrong_answers, rejected_self_payment, cancelled_payer,
        cancelled_cancel_order, cancelled_edit, cancelled_deletion, cancelled_unlinked, cancelled_stopped,
    }
    bank_return: BankReturn {
        title, lead, order,
    }
    campaign: Campaign {
        by, verified, registry, sum_goal, sum, gifts_none, gifts_one, gifts_many, pending, how, how_lead, copy,
        not_linked,
    }
    trial: Trial {
        title, lead, text, platform, channel, channel_post, channel_dm, bot, go, campaigns, no_campaigns, too_long,
        result, guide, live,
    }
    reading: Reading {
        order, order_next, cancel, cancel_next, reply, silence, rejected, kind, kind_send, kind_give,
        kind_request, kind_cancel, verb, amount, recipient, fault, share_to, share_from, through, shares, split_total,
        split_each, campaigns, hashtags, memo, wishes, flag_anonymous, flag_receipt, addressed_campaign, addressed,
        action, code, rule, rule_section, todo, would_work, one_would_work, copy, try_it, silence_repost,
        silence_own_post, silence_too_long, silence_not_concerned, silence_example, silence_negated,
        silence_not_addressed, silence_talk, silence_empty, rule_introduced, rule_after_amount, rule_before_amount,
        rule_campaign, rule_only_mention, action_confirm, action_refuse, action_stop, action_start, action_balance,
        action_history, action_help, action_limits, action_refund, action_erase, action_export, action_status,
        action_human,
    }
    guide: Guide {
        title, lead, proposes, try_it, contents, written, written_name, written_verb, written_amount,
        written_recipient, written_memo, written_not, amounts, amounts_lead, written_as, read_as, currencies,
        currencies_lead, code, decimals, marks, capitals, several, slang, slang_suggested, languages, languages_lead,
        verbs, roles, words, phrases, numbers, answers, examples, role_each, role_split, role_anonymous, role_receipt,
        role_recurring, role_example, role_pledge, role_to, role_from, role_aside, role_thanks, role_and, role_not,
        role_after, replies, replies_lead, errors, errors_lead, errors_example, nothing_to_say,
    }
    advice: Advice {
        text_unsafe, verb_hash_missing, verb_glued, verb_conflict, reserved_recurring, reserved_pledge,
        too_many_amounts, amount_ambiguous, amount_unreadable, amount_precision, amount_too_large, amount_zero,
        amount_scaled, amount_in_words, amount_missing, currency_missing, currency_unknown, currency_ambiguous,
        currency_conflict, recipient_missing, recipient_invalid, recipient_ambiguous, recipient_self,
        too_many_recipients, split_conflict, share_too_small, reply_unknown, reply_code,
    }
    passkey: Passkeys {
        add, add_title, add_lead, add_wait, added_title, added_lead, go, refused, unsupported, needs_script,
    }
    confirm: Confirm {
        title, lead, total, payee, payer, account, campaign, reference, public, public_named, public_hidden, asked_at,
        until, phrase, yes, no, not_me, passkey_lost, passkey_lost_go, over_title, over_lead, over_go,
    }
    not_me: NotMe {
        title, lead, report, back, done_title, done_lead, done_next,
    }
    me: Me {
        title, enter_title, enter_lead, enter, lost, lost_go, locked, open, open_none, takes_passkey, history,
        history_none, bank_waits, not_me, limits, limit_person, limit_organisation, limit_day, limit_code, limit_codes,
        limit_count, limit_strong, of, settings, leave,
    }
    settings: Settings {
        title, back, save, remove, phrase, phrase_label, phrase_hint, language, language_label, limits, limit_order,
        limit_day, limits_hint, raise, no_limit, passkeys, passkey_since, passkey_this, passkey_new, accounts, unlink,
        account_add, banks, pays, pay_from, disconnect, bank_which, bank_add, data, export, erase,
    }
    erase: Erase {
        title, lead, goes, stays, open, sure, export, erase, back, done_title, done_lead,
    }
    claim: Claim {
        title, lead, step_bank, step_code, step_payer, go, shown, no_title, no,
    }
    apply: Apply {
        title, lead, legal_name, legal_name_hint, class, class_charity, class_company, registry_number,
        registry_number_hint, iban, iban_hint, platform, handle, handle_hint, contact, contact_hint, go, next, wrong,
        wrong_legal_name, wrong_registry_number, wrong_iban, wrong_handle, wrong_contact, filed_title, filed,
        waiting_title, waiting, known_title, known, later_title, later,
    }
    errors: Errors {
        title, back, not_found, bad_request, bad_phrase, bad_bank, wrong_step, stale, no_session, bank_silent,
        bad_account, too_often, too_large, too_slow, forbidden, unavailable, broken, not_entered,
        ceremony_gone, not_verified, not_waiting, order_changed, passkey_too_new, no_passkey, not_yours, last_one,
        too_many, under_way, unreadable, no_passkeys_here,
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
