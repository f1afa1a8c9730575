//! `/language`: the order language for those who write orders, made from the language's own tables while somebody looks.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Html;
use maud::{Markup, html};

use super::advice::{AUTHOR, advice, example, is_private};
use super::reading::{action_text, in_short, marked, parts, visible};
use super::trial::PATH as TRY;
use super::{Ground, NAME, first_network};
use crate::language::{
    Action, Channel, Code, Language as Words, Reading, ambiguous_marks, languages, read, served_currencies, slang,
};
use crate::messages::explained;
use crate::people::Language;
use crate::web::Web;
use crate::web::failure::Failure;
use crate::web::shell::{Page, document};
use crate::web::visitor::Visitor;
use crate::web::words::{Guide, fill, texts};

/// Amounts as people write them; what each is read as is asked of the language, not written here.
const AMOUNTS: [&str; 17] = [
    "20€",
    "€20",
    "20 euros",
    "20 EUR",
    "12,50 €",
    "12.50 €",
    "10€50",
    "10.- CHF",
    "1 000 €",
    "1.000,50 €",
    "1,000.50 $",
    "1'000 CHF",
    "1,000円",
    "٢٠ يورو",
    "1.000 €",
    "2 500 €",
    "5k €",
];

/// `GET /language`
pub(crate) async fn show(State(state): State<Arc<Web>>, visitor: Visitor) -> Result<Html<String>, Failure> {
    let words = &texts(visitor.language).guide;
    let here = Ground::of(&state.app, first_network(&state.app)).await?;
    let language = visitor.language;
    let sections: [(&str, &str, Markup); 6] = [
        ("written", &words.written, written(language, &here)),
        ("amounts", &words.amounts, amounts(language)),
        ("currencies", &words.currencies, currencies(words)),
        ("replies", &words.replies, replies(language)),
        ("errors", &words.errors, errors(language)),
        ("languages", &words.languages, vocabularies(language)),
    ];
    let body = html! {
        h1 { (words.title) }
        p.lead { (words.lead) }
        p { (words.proposes) }
        p { a.button.primary href=(TRY) { (words.try_it) } }
        nav aria-label=(words.contents) {
            ul { @for (id, title, _) in &sections { li { a href={ "#" (id) } { (title) } } } }
        }
        @for (id, title, content) in &sections {
            section id=(id) { h2 { (title) } (content) }
        }
    };
    Ok(document(&Page::new(&visitor, &words.title, state.ground), &body))
}

fn read_example(text: &str, channel: Channel) -> Reading {
    let ground = Ground::of_examples();
    let mut context = ground.context(channel);
    context.author = Some(AUTHOR);
    read(text, &context)
}

/// A text with its parts marked, and what it is read as.
fn shown(language: Language, text: &str, channel: Channel) -> Markup {
    let reading = read_example(text, channel);
    html! {
        (marked(text, &parts(&texts(language).reading, &reading)))
        p.hint { "→ " (in_short(language, text, &reading)) }
    }
}

fn written(language: Language, here: &Ground) -> Markup {
    let words = &texts(language).guide;
    let first = languages().iter().find(|words| words.code == language.code()).and_then(|words| words.example_orders.first());
    html! {
        @if let Some(text) = first { (shown(language, text, Channel::Post)) }
        ul {
            li { (fill(&words.written_name, &[("bot", &format!("@{}", here.name()))])) }
            li { (words.written_verb) }
            li { (words.written_amount) }
            li { (words.written_recipient) }
            li { (words.written_memo) }
            li { (words.written_not) }
        }
    }
}

fn amounts(language: Language) -> Markup {
    let words = &texts(language).guide;
    html! {
        p { (words.amounts_lead) }
        table {
            thead { tr { th scope="col" { (words.written_as) } th scope="col" { (words.read_as) } } }
            tbody {
                @for written in AMOUNTS {
                    @let text = format!("@{NAME} #send {written} @bob");
                    tr { td.whole { bdi { (written) } } td { (sum_of(language, &text)) } }
                }
            }
        }
    }
}

/// The sum of an order, or what is wrong with it.
fn sum_of(language: Language, text: &str) -> String {
    match read_example(text, Channel::Post) {
        Reading::Order(crate::language::Command::Payment(order)) => crate::messages::amount(language, order.amount),
        other => in_short(language, text, &other),
    }
}

fn currencies(words: &Guide) -> Markup {
    let codes = |codes: &[crate::money::Currency]| codes.iter().map(|code| code.code()).collect::<Vec<_>>().join(", ");
    html! {
        p { (words.currencies_lead) }
        table {
            thead { tr { th scope="col" { (words.code) } th scope="col" { (words.decimals) } th scope="col" { (words.marks) } } }
            tbody {
                @for served in served_currencies() {
                    tr {
                        th scope="row" { (served.currency) @if !served.any_case { " " span.hint { (words.capitals) } } }
                        td { (served.currency.decimals()) }
                        td { (list(served.symbols.iter().chain(&served.words))) }
                    }
                }
            }
        }
        p { (words.several) }
        ul { @for mark in ambiguous_marks() { li { bdi { (mark.mark) } " → " (codes(&mark.codes)) } } }
        p { (words.slang) }
        ul {
            @for slang in slang() {
                li { bdi { (slang.word) } @if let Some(code) = slang.code { " → " (fill(&words.slang_suggested, &[("code", code.code())])) } }
            }
        }
    }
}

fn list<'w>(words: impl Iterator<Item = &'w String>) -> Markup {
    html! { @for (place, word) in words.enumerate() { @if place > 0 { " · " } bdi { (word) } } }
}

fn replies(language: Language) -> Markup {
    let (words, reading) = (&texts(language).guide, &texts(language).reading);
    let own = languages().iter().find(|words| words.code == language.code());
    html! {
        p { (words.replies_lead) }
        dl.facts.parts {
            @for action in Action::ALL {
                dt { (action_text(reading, *action)) }
                dd { @if let Some(own) = own { (list(own.words("replies", action.as_str()).iter())) } }
            }
        }
    }
}

fn errors(language: Language) -> Markup {
    let (words, reading) = (&texts(language).guide, &texts(language).reading);
    html! {
        p { (words.errors_lead) }
        @for code in Code::ALL {
            @let text = example(language, *code);
            @let channel = if is_private(*code) { Channel::Dm } else { Channel::Post };
            @let found = read_example(&text, channel);
            div.card id=(code) {
                h3 { (code) }
                p.hint { (words.errors_example) }
                (marked(&text, &parts(reading, &found)))
                @if let Reading::Rejected(rejection) = &found {
                    p { strong { (explained(language, rejection.code.as_str(), &visible(rejection.span.of(&text)))) } }
                    p { (reading.todo) " " (advice(&texts(language).advice, *code)) }
                    @if !rejection.suggestions.is_empty() {
                        p.hint { @if rejection.suggestions.len() == 1 { (reading.would_work) } @else { (reading.one_would_work) } }
                        @for suggestion in &rejection.suggestions { p.reading dir="auto" { (suggestion) } }
                    }
                }
                p { a href={ (TRY) "?example=" (code) } { (reading.try_it) } }
            }
        }
    }
}

/// The languages with the reader's first, which stands open.
fn vocabularies(language: Language) -> Markup {
    let words = &texts(language).guide;
    let mut all: Vec<&Words> = languages().iter().collect();
    all.sort_by_key(|of| of.code != language.code());
    html! {
        p { (words.languages_lead) }
        @for of in all {
            details id={ "language-" (of.code) } open[of.code == language.code()] {
                summary { bdi lang=(of.code) { (of.name) } " (" (of.code) ")" }
                (vocabulary(language, of))
            }
        }
    }
}

fn vocabulary(language: Language, of: &Words) -> Markup {
    let words = &texts(language).guide;
    let tables = [
        (&words.verbs, "hashtags", true),
        (&words.roles, "hashtags", false),
        (&words.words, "words", false),
        (&words.phrases, "phrases", false),
        (&words.answers, "replies", false),
    ];
    html! {
        h3 { (words.examples) }
        @for text in &of.example_orders { (shown(language, text, Channel::Post)) }
        @for text in &of.example_replies { (shown(language, text, Channel::Dm)) }
        @for (title, table, verbs) in tables {
            h3 { (title) }
            dl.facts.parts {
                @for (_, role, list_of) in of.lists.iter().filter(|(of, role, _)| *of == table && (*of != "hashtags" || is_verb(role) == verbs)) {
                    dt { (role_text(language, table, role)) }
                    dd lang=(of.code) { @if list_of.is_empty() { (words.nothing_to_say) } @else { (list(list_of.iter())) } }
                }
            }
        }
        h3 { (words.numbers) }
        p lang=(of.code) {
            @for (place, (word, value)) in of.numbers.iter().enumerate() { @if place > 0 { " · " } bdi { (word) } " = " (value) }
            @if !of.numbers.is_empty() && !of.scales.is_empty() { br; }
            @for (place, (word, power)) in of.scales.iter().enumerate() { @if place > 0 { " · " } bdi { (word) } " = 10" sup { (power) } }
        }
    }
}

fn is_verb(role: &str) -> bool {
    matches!(role, "send" | "give" | "request" | "cancel")
}

/// What a list of a language file is for; a list that the files gain is called by its key until it has words.
fn role_text<'w>(language: Language, table: &str, role: &'w str) -> &'w str
where
    'static: 'w,
{
    let (words, reading) = (&texts(language).guide, &texts(language).reading);
    if table == "replies" {
        let action = Action::ALL.iter().find(|action| action.as_str() == role);
        return action.map_or(role, |action| action_text(reading, *action));
    }
    match role {
        "send" => &reading.kind_send,
        "give" => &reading.kind_give,
        "request" => &reading.kind_request,
        "cancel" => &reading.kind_cancel,
        "each" => &words.role_each,
        "split" => &words.role_split,
        "anonymous" => &words.role_anonymous,
        "receipt" => &words.role_receipt,
        "recurring" => &words.role_recurring,
        "example" => &words.role_example,
        "pledge" => &words.role_pledge,
        "to" => &words.role_to,
        "from" => &words.role_from,
        "aside" => &words.role_aside,
        "thanks" => &words.role_thanks,
        "and" => &words.role_and,
        "not" => &words.role_not,
        "after" => &words.role_after,
        other => other,
    }
}
