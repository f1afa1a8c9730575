//! The pages of an enrolment, one for each step.

use axum::response::Html;
use maud::{Markup, PreEscaped, html};
use qrcode::QrCode;
use qrcode::render::svg;

use super::json::{bots, messages_with, sender};
use crate::app::enrol::shown_code;
use crate::clock::Timestamp;
use crate::iban::Iban;
use crate::messages::hours;
use crate::people::Language;
use crate::people::enrolment::{Candidate, Enrolment, Step};
use crate::store::Ground;
use crate::web::Web;
use crate::web::passkey::{Ceremony, form};
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
        Step::Connected { iban, .. } => connected(words, iban),
        Step::Done { handle, .. } => done(state, all, visitor.language, handle),
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
    let messages = messages_with(&state.app, shown);
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
        @for (_, text, link) in &messages {
            @if let Some(link) = link.as_ref().filter(|_| state.ground == Ground::Production) {
                p { a.button href=(link) rel="noreferrer" { (words.code_link) } }
            }
            details {
                summary { (words.code_square) }
                (square(text, &words.code_square))
                p.hint { (words.code_square_hint) }
            }
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

fn connected(words: &Enrol, iban: &Iban) -> Markup {
    html! {
        h1 { (words.connected_title) }
        p.lead.good { (fill(&words.connected_lead, &[("iban", &iban.masked())])) }
        p { a.button.primary href="/me/settings" { (words.connected_next) } }
    }
}

fn done(state: &Web, all: &Texts, language: Language, handle: &str) -> Markup {
    let words = &all.enrol;
    let cool_off = state.app.timing.cool_off.as_secs().div_ceil(60 * 60);
    html! {
        h1 { (words.done_title) }
        p.lead.good { (fill(&words.done_lead, &[("handle", &format!("@{handle}"))])) }
        @if state.app.passkeys.is_some() {
            section.card {
                h2 { (all.passkey.add_title) }
                p { (all.passkey.add_lead) }
                @if cool_off > 0 { p.hint { (fill(&all.passkey.add_wait, &[("hours", &hours(language, cool_off))])) } }
                (form(all, Ceremony::Make, "/enrol/passkey", &all.passkey.add, &html! {}))
            }
        }
        p { a.button href="/" { (words.done_next) } }
    }
}

/// What somebody sees who has just added a passkey.
pub(super) fn passkey_added(state: &Web, visitor: &Visitor) -> Html<String> {
    let all = texts(visitor.language);
    let body = html! {
        h1 { (all.passkey.added_title) }
        p.lead.good { (all.passkey.added_lead) }
        p { a.button.primary href="/me" { (all.passkey.go) } }
        p { a.button href="/" { (all.enrol.done_next) } }
    };
    document(&Page::new(visitor, &all.passkey.added_title, state.ground), &body)
}

/// A text as a square that a phone's camera reads.
fn square(text: &str, label: &str) -> Markup {
    let Ok(code) = QrCode::new(text.as_bytes()) else { return html! {} };
    let drawn = code.render::<svg::Color<'_>>().min_dimensions(160, 160).build();
    // Inside a page it goes without its own heading.
    let drawn = drawn.split_once("?>").map_or(drawn.as_str(), |(_, drawing)| drawing).to_owned();
    html! { div.square role="img" aria-label=(label) { (PreEscaped(drawn)) } }
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
