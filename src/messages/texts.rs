//! The data files, read once into typed structs: one method per sentence, one argument per placeholder.
//!
//! A sentence that a language file lacks, or has and nobody says, makes the file unreadable, and a test names key and line.
//! A placeholder that a sentence forgets or invents fails another test. So a translator edits `fr.toml` alone, and the
//! compiler tells a programmer what a sentence needs.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::people::Language;

const EN: &str = include_str!("en.toml");
const FR: &str = include_str!("fr.toml");

/// Everything said in `language`.
pub(super) fn texts(language: Language) -> &'static Texts {
    match language {
        Language::En => &ENGLISH,
        Language::Fr => &FRENCH,
    }
}

static ENGLISH: LazyLock<Texts> = LazyLock::new(|| compiled_in(Language::En));
static FRENCH: LazyLock<Texts> = LazyLock::new(|| compiled_in(Language::Fr));

#[expect(clippy::expect_used, reason = "the files are part of the executable, and a test reads every one of them")]
fn compiled_in(language: Language) -> Texts {
    read(language).expect("the language files in the executable are readable")
}

fn read(language: Language) -> Result<Texts, toml::de::Error> {
    match language {
        Language::En => toml::from_str(EN),
        Language::Fr => toml::from_str(&with_french_spaces(FR)),
    }
}

/// French puts a space before `? ! : ;` and inside « », and it must not end a line. The file is written with plain spaces, which
/// an editor shows; nothing of TOML itself contains these pairs.
fn with_french_spaces(file: &str) -> String {
    let pairs = [(" ?", "\u{a0}?"), (" !", "\u{a0}!"), (" :", "\u{a0}:"), (" ;", "\u{a0};"), ("« ", "«\u{a0}"), (" »", "\u{a0}»")];
    pairs.iter().fold(file.to_owned(), |text, (plain, typeset)| text.replace(plain, typeset))
}

/// Puts the values into their places in one pass, so that a value that looks like a placeholder stays what it is.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
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

/// The two forms of a counted noun.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plural {
    one: String,
    other: String,
}

impl Plural {
    /// English says "0 minutes", French "0 minute".
    fn of(&self, language: Language, count: u64) -> &str {
        let singular = match language {
            Language::En => count == 1,
            Language::Fr => count <= 1,
        };
        if singular { &self.one } else { &self.other }
    }
}

/// Declares a table of sentences: `name(placeholder, …)` becomes a key of the file and a method with these arguments.
macro_rules! sentences {
    ($(#[$about:meta])* $table:ident { $($name:ident($($value:ident),*);)* }) => {
        $(#[$about])*
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $table { $($name: String,)* }

        impl $table {
            $(pub(super) fn $name(&self $(, $value: &str)*) -> String {
                fill(&self.$name, &[$((stringify!($value), $value)),*])
            })*

            #[cfg(test)]
            fn sentences(&self) -> Vec<(&'static str, &str, &'static [&'static str])> {
                vec![$((stringify!($name), self.$name.as_str(), &[$(stringify!($value)),*])),*]
            }
        }
    };
}

/// Declares a table of counted nouns: each a key with two forms and a method that takes the number.
macro_rules! counted {
    ($(#[$about:meta])* $table:ident { $($name:ident;)* }) => {
        $(#[$about])*
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $table { $($name: Plural,)* }

        impl $table {
            $(pub(super) fn $name(&self, language: Language, count: u64) -> String {
                fill(self.$name.of(language, count), &[("count", &count.to_string())])
            })*

            #[cfg(test)]
            fn sentences(&self) -> Vec<(&'static str, &str, &'static [&'static str])> {
                vec![$(
                    (stringify!($name), self.$name.one.as_str(), &["count"] as &[_]),
                    (stringify!($name), self.$name.other.as_str(), &["count"]),
                )*]
            }
        }
    };
}

sentences! {
    /// What stands in every private message, and small pieces that sentences are made of.
    Common {
        safe_phrase(phrase);
        never_asked();
        to_one(amount, payee);
        to_many(amount, payees);
        with_campaign(what, campaign);
        line(amount, payee);
        rest(payees, amount);
        quote(text);
        clock(time);
        hint(url);
    }
}

counted! {
    /// Numbers with their noun.
    Counted { minutes; seconds; hours; payees; more_payees; tries; orders; open_orders; other_orders; asking_orders; }
}

sentences! {
    /// The question before a payment.
    Confirmation {
        send(what);
        give(what);
        yes(code, left, clock);
        yes_on_page(url, clock);
        no();
        name_public();
        name_hidden();
    }
}

sentences! {
    /// What is said about an order afterwards.
    Notices {
        rejected(what, why);
        cancelled(what, why);
        cancelled_payer();
        cancelled_cancel_order();
        cancelled_edit();
        cancelled_deletion();
        cancelled_unlinked();
        cancelled_stopped();
        too_late_to_cancel(what);
        post_changed(what);
        held(what);
        held_look_alike(what);
        awaits_payee(what);
        expired(what);
        authorise(what, url);
        authorise_anywhere(what);
        receipt(what, number);
        reference(reference);
        outcome(paid, total, number);
        outcome_one(line, number);
        settled(what);
        returned_line(what);
        refused(what, reason);
        changed(what);
        not_submitted(what);
        unclear(what);
        under_way(what);
        not_asked(what);
        being_checked(what);
        returned(what, number);
        not_you(url);
        add_passkey(url);
    }
}

sentences! {
    /// Why an order was refused: one per [`crate::order::Rejection`].
    Rejections {
        payee_unknown(handle);
        payee_frozen(handle);
        payee_looks_like(handle, like);
        payee_declined(handle);
        currency_not_served(currency);
        above_low_value_limit(limit);
        passkey_too_new(limit, time);
        above_own_limit(limit);
        account_locked();
        own();
        above_order_limit(limit);
        too_many_open(orders);
        rolling_day();
        low_value_sum();
        low_value_count();
        already_edited();
        too_old();
        strong_confirmation_needed();
        too_many_wrong_answers();
        self_payment();
    }
}

sentences! {
    /// What is said to somebody without an order.
    Replies {
        wrong_code(tries);
        no_open_order();
        already_decided();
        help();
        not_understood();
        not_yet(action);
        code_alone();
        yes_without_code();
        needs_passkey();
        not_linked(url);
        enrolment_code_unknown();
        enrolment_code_expired();
        enrolment_code_used();
        enrolment_received();
        enrolment_already_linked();
        invitation(from, amount, url);
        invitation_declined();
        invitation_declined_for_ever();
        linked(per_order, per_day, in_all, orders);
        changed(what, url);
        changed_passkey_added(hours);
        changed_passkey_added_now();
        changed_passkey_removed();
        changed_phrase();
        changed_language();
        changed_limits();
        changed_linked_again();
        changed_account_added();
        changed_account_removed();
        changed_bank_added();
        changed_bank_removed();
        changed_paying();
        locked();
        locked_order(what);
        unlocked();
    }
}

sentences! {
    /// The names of what is understood and not there yet.
    Actions { request(); }
}

sentences! {
    /// What is wrong with a post that nearly is an order: one sentence per error code of the order language.
    Explain {
        your_post();
        unreadable(fragment);
        nothing_paid();
        copy_one();
        copy_several();
        at_sign();
        text_unsafe(fragment);
        verb_hash_missing(fragment);
        verb_glued(fragment);
        verb_conflict(fragment);
        reserved_recurring(fragment);
        reserved_pledge(fragment);
        too_many_amounts(fragment);
        amount_ambiguous(fragment);
        amount_unreadable(fragment);
        amount_precision(fragment);
        amount_too_large(fragment);
        amount_zero(fragment);
        amount_scaled(fragment);
        amount_in_words(fragment);
        amount_missing(fragment);
        currency_missing(fragment);
        currency_unknown(fragment);
        currency_ambiguous(fragment);
        currency_conflict(fragment);
        recipient_missing(fragment);
        recipient_invalid(fragment);
        recipient_ambiguous(fragment);
        recipient_self(fragment);
        too_many_recipients(fragment);
        split_conflict(fragment);
        share_too_small(fragment);
        reply_unknown(fragment);
        reply_code(fragment);
    }
}

sentences! {
    /// The question about several orders at once, and what is said of a code for several.
    Together {
        head(orders, left, clock);
        one(code, what);
        all(count, total, code);
        no();
        others(orders, url);
        changed(count);
        too_much();
        to_check();
        blocked(clock, url);
    }
}

sentences! {
    /// Answers to what is asked for in private besides paying.
    Commands {
        status();
        status_none();
        history();
        history_none();
        history_page(url);
        line(date, what, stands);
        limits(per_order, today, by_code, orders);
        limits_page(url);
        balance(available, account);
        balance_not_offered();
        balance_not_allowed(url);
        balance_later();
        refund_which();
        refund_unknown(number);
        refund_asked(what, number);
        refund_asked_before(what);
        refund_of_nothing(what, stands);
        refund_too_early(what, stands);
        stopped();
        stopped_withdrawn(orders);
        started();
        not_stopped();
        paused();
        handed_over();
        noted();
        operator_writes(text);
        erase_page(url);
        export_page(url);
        awaits_payer();
        awaits_payee();
        awaits_yes();
        held();
        under_way();
        awaits_approval();
        unclear();
        paid();
        paid_in_part();
        came_back();
        not_paid();
        refused();
        cancelled();
        expired();
    }
}

/// One language file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Texts {
    pub(super) common: Common,
    pub(super) counted: Counted,
    pub(super) confirmation: Confirmation,
    pub(super) notices: Notices,
    pub(super) rejections: Rejections,
    pub(super) replies: Replies,
    pub(super) actions: Actions,
    pub(super) explain: Explain,
    pub(super) commands: Commands,
    pub(super) together: Together,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placeholders(text: &str) -> Vec<&str> {
        let mut names: Vec<&str> =
            text.split('{').skip(1).map(|part| part.split_once('}').map_or("(unclosed)", |(name, _)| name)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    #[test]
    fn every_language_file_has_every_sentence_and_no_other() {
        for language in Language::ALL {
            if let Err(error) = read(language) {
                panic!("src/messages/{language}.toml: {error}");
            }
        }
    }

    #[test]
    fn every_placeholder_is_known_and_used_in_every_language() {
        for language in Language::ALL {
            let Texts { common, counted, confirmation, notices, rejections, replies, actions, explain, commands, together } =
                texts(language);
            let tables = [
                ("common", common.sentences()),
                ("counted", counted.sentences()),
                ("confirmation", confirmation.sentences()),
                ("notices", notices.sentences()),
                ("rejections", rejections.sentences()),
                ("replies", replies.sentences()),
                ("actions", actions.sentences()),
                ("explain", explain.sentences()),
                ("commands", commands.sentences()),
                ("together", together.sentences()),
            ];
            for (table, sentences) in tables {
                for (name, text, known) in sentences {
                    let mut known = known.to_vec();
                    known.sort_unstable();
                    assert_eq!(placeholders(text), known, "src/messages/{language}.toml, [{table}] {name}");
                    assert!(!text.contains('@'), "src/messages/{language}.toml, [{table}] {name}: an at sign may mention somebody");
                }
            }
        }
    }

    #[test]
    fn an_unknown_or_missing_key_is_named() {
        let unknown = toml::from_str::<Actions>("rekwest = 'x'").unwrap_err().to_string();
        assert!(unknown.contains("line 1") && unknown.contains("rekwest"), "{unknown}");
        let missing = toml::from_str::<Actions>("").unwrap_err().to_string();
        assert!(missing.contains("request"), "{missing}");
    }

    #[test]
    fn a_value_that_looks_like_a_placeholder_stays_text() {
        assert_eq!(fill("{a} and {b}", &[("a", "{b}"), ("b", "2")]), "{b} and 2");
        assert_eq!(fill("open { brace", &[]), "open { brace");
    }

    #[test]
    fn french_counts_nought_as_one() {
        assert_eq!(texts(Language::Fr).counted.minutes(Language::Fr, 0), "0 minute");
        assert_eq!(texts(Language::Fr).counted.minutes(Language::Fr, 2), "2 minutes");
        assert_eq!(texts(Language::En).counted.minutes(Language::En, 0), "0 minutes");
        assert_eq!(texts(Language::En).counted.minutes(Language::En, 1), "1 minute");
    }
}
