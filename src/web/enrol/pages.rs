//! The pages of an enrolment, one for each step.

use axum::response::Html;
use maud::{Markup, html};

use super::json::{bots, sender};
use crate::app::enrol::shown_code;
use crate::clock::Timestamp;
use crate::iban::Iban;
use crate::people::Language;
use crate::people::enrolment::{Candidate, Enrolment, Step};
use crate::web::Web;
use crate::web::shell::{Page, document, name_of, time_of_day};
use crate::web::visitor::Visitor;
use crate::web::words::{Enrol, Texts, fill, texts};

/// How often a page that waits loads itself again where scripts do not run.
const RELOAD_SECONDS: u32 = 5;

pub(super) fn page(state: &Web, visitor: &Visitor, enrolment: Option<&Enrolment>) -> Html<String> {
    let all = texts(visitor.language);
    let words = &all.enrol;
    let page = Page::new(visitor, &words.title, state.ground);
    let Some(enrolment) = enrolment else { return document(&page, &first(state, visitor, words)) };
    let body = match &enrolment.step {
        Step::AwaitingConsent { authorise_at, .. } => consent(words, authorise_at),
        Step::ChoosingAccount { accounts, .. } => choice(words, accounts),
        Step::AwaitingCode { until, .. } => {
            let body = code(state, words, enrolment, *until);
            return document(&page.reloading(RELOAD_SECONDS), &body);
        }
        Step::AwaitingWord { candidate, .. } => word(words, candidate),
        Step::Done { handle, .. } => done(all, handle),
        Step::Abandoned { reason } => abandoned(words, reason),
    };
    document(&page, &body)
}

fn step(words: &Enrol, number: u8) -> Markup {
    html! { p.step { (fill(&words.step, &[("number", &number.to_string())])) } }
}

fn first(state: &Web, visitor: &Visitor, words: &Enrol) -> Markup {
    let mut banks: Vec<_> = state.app.banks.keys().collect();
    banks.sort();
    html! {
        h1 { (words.title) }
        p.lead { (words.lead) }
        form method="post" action="/enrol" {
            @match banks.as_slice() {
                [bank] => { input type="hidden" name="bank" value=(bank); }
                banks => {
                    label {
                        (words.bank)
                        select name="bank" required { @for bank in banks { option value=(bank) { (bank) } } }
                    }
                }
            }
            label {
                (words.language)
                select name="language" {
                    @for language in Language::ALL {
                        option value=(language.code()) selected[language == visitor.language] { (name_of(language)) }
                    }
                }
            }
            label for="phrase" { (words.phrase) }
            input #phrase name="phrase" required minlength="3" maxlength="32" autocomplete="off" aria-describedby="phrase-hint";
            p.hint #phrase-hint { (words.phrase_hint) }
            button.primary { (words.begin) }
            p.hint { (words.privacy) }
        }
    }
}

fn consent(words: &Enrol, authorise_at: &str) -> Markup {
    html! {
        (step(words, 1))
        h1 { (words.consent_title) }
        p.lead { (words.consent_lead) }
        p { a.button.primary href=(authorise_at) rel="noreferrer" { (words.consent_go) } }
        p { a href="/enrol?again=1" { (words.again) } }
    }
}

fn choice(words: &Enrol, accounts: &[Iban]) -> Markup {
    html! {
        (step(words, 1))
        h1 { (words.choose_title) }
        p.lead { (words.choose_lead) }
        form method="post" action="/enrol/account" {
            fieldset {
                legend.quiet { (words.choose_title) }
                @for (place, iban) in accounts.iter().enumerate() {
                    label.line { input type="radio" name="iban" value=(iban.as_str()) checked[place == 0] required; " " (iban.printed()) }
                }
            }
            button.primary { (words.choose) }
        }
    }
}

fn code(state: &Web, words: &Enrol, enrolment: &Enrolment, until: Timestamp) -> Markup {
    let shown = shown_code(&state.app, enrolment);
    let shown = shown.as_ref().map_or("", |code| code.as_str());
    html! {
        (step(words, 2))
        h1 { (words.code_title) }
        p.lead { (words.code_lead) }
        ul.plain {
            @for bot in bots(&state.app) {
                li { strong.handle { "@" (bot.handle) } " " span.quiet { (fill(&words.word_on, &[("platform", &bot.platform)])) } }
            }
        }
        p.code {
            span.quiet { (words.code_label) }
            output #code { (shown) }
            button type="button" data-copy="code" { (words.code_copy) }
        }
        p role="status" data-await-step="awaiting_code" { (words.code_waiting) }
        p.quiet { (fill(&words.code_until, &[("time", &time_of_day(until))])) }
        form method="post" action="/enrol/code" { button { (words.code_renew) } }
        p.warning { (words.code_not_shared) }
        p.hint { (words.code_privacy) }
    }
}

fn word(words: &Enrol, candidate: &Candidate) -> Markup {
    html! {
        (step(words, 3))
        h1 { (words.word_title) }
        p.lead { (words.word_lead) }
        p.big.handle { "@" (candidate.handle) " " span.quiet { (fill(&words.word_on, &[("platform", candidate.platform.as_str())])) } }
        p.warning { (words.word_warning) }
        form.equal method="post" action="/enrol/word" {
            input type="hidden" name="sender" value=(sender(candidate));
            button.primary name="mine" value="yes" { (words.word_yes) }
            button name="mine" value="no" { (words.word_no) }
        }
    }
}

fn done(all: &Texts, handle: &str) -> Markup {
    let words = &all.enrol;
    html! {
        h1 { (words.done_title) }
        p.lead.good { (fill(&words.done_lead, &[("handle", &format!("@{handle}"))])) }
        p { a.button.primary href="/" { (words.done_next) } }
    }
}

fn abandoned(words: &Enrol, reason: &str) -> Markup {
    let sentence = match reason {
        "consent_refused" => &words.abandoned_consent_refused,
        "no_account" => &words.abandoned_no_account,
        "not_me" => &words.abandoned_not_me,
        "already_linked" => &words.abandoned_already_linked,
        _ => &words.abandoned_other,
    };
    html! {
        h1 { (words.abandoned_title) }
        p.notice { (sentence) }
        p { a.button.primary href="/enrol?again=1" { (words.again) } }
    }
}
