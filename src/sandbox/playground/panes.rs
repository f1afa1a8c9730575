//! The parts of the page that change: who one is, what just happened, the town, the messages, the orders, the money.

use maud::{Markup, html};

use super::PlaygroundState;
use super::scene::{Me, Scene, Statement, is_from_bot};
use super::words::{Enrol, Happened, Texts, texts};
use crate::messages::amount;
use crate::order::{Order, OrderState, PaymentState};
use crate::people::Language;
use crate::sandbox::person::{EnrolmentState, Message};
use crate::sandbox::seed::{BOT, PEOPLE};
use crate::web::campaign::meter;
use crate::web::order::{standing, state_words};
use crate::web::words::fill;

/// Messages shown at once; older ones are folded away.
const NEWEST: usize = 4;

/// Where the page has this post in its composer.
pub(super) fn composer(text: &str) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("text", text).finish();
    format!("/?{query}#post")
}

/// A part, and the id it has on the page.
pub(super) struct Piece {
    pub(super) id: &'static str,
    pub(super) content: Markup,
}

/// All of them.
pub(super) fn all(state: &PlaygroundState, language: Language, scene: &Scene) -> Vec<Piece> {
    let words = texts(language);
    let me = scene.me.as_ref();
    vec![
        Piece { id: "who", content: who(state, language, words, me) },
        Piece { id: "happened", content: happened(language, words, me) },
        Piece { id: "timeline", content: timeline(words, scene) },
        Piece { id: "quick", content: quick(words, me) },
        Piece { id: "inbox", content: inbox(words, me) },
        Piece { id: "orders", content: orders(language, words, me) },
        Piece { id: "money", content: money(language, words, scene) },
    ]
}

fn who(state: &PlaygroundState, language: Language, words: &Texts, me: Option<&Me>) -> Markup {
    let Some(me) = me else { return choose(words) };
    let balance = amount(language, me.statement.balance);
    html! {
        p {
            (words.who.you_are) " " strong.handle { "@" (me.person.username()) } ", "
            (fill(&words.who.at_bank, &[("balance", &balance)])) "."
        }
        @if me.is_linked {
            p.good { "✓ " (words.who.linked) }
        } @else {
            h3 { (words.enrol.title) }
            p { (words.enrol.lead) }
            (enrolment(state, &words.enrol, me.enrolment.as_ref(), me))
        }
        form method="post" action="/play/leave" { button.small { (words.who.other) } }
    }
}

fn choose(words: &Texts) -> Markup {
    html! {
        p { (words.who.choose) }
        div.row {
            @for (name, full_name, _) in PEOPLE {
                form.inline method="post" action="/play/be" {
                    input type="hidden" name="name" value=(name);
                    button { (fill(&words.who.be, &[("name", full_name.split(' ').next().unwrap_or(full_name))])) }
                }
            }
        }
        h3 { (words.who.new) }
        form method="post" action="/play/join" {
            label for="name" { (words.who.name) }
            input #name name="name" required maxlength="30" pattern="[A-Za-z0-9_]+" autocomplete="off" autocapitalize="none" aria-describedby="name-hint";
            p.hint #name-hint { (words.who.name_hint) }
            button.primary { (words.who.join) }
        }
    }
}

fn enrolment(state: &PlaygroundState, words: &Enrol, stands: Option<&EnrolmentState>, me: &Me) -> Markup {
    let step = stands.map_or("none", |stands| stands.step.as_str());
    let (now, done) = match step {
        "awaiting_consent" | "choosing_account" => (1, 0),
        "awaiting_code" => (2, 1),
        "awaiting_word" => (3, 2),
        _ => (0, 0),
    };
    let class = |place: u8| {
        if place <= done {
            "done"
        } else if place == now {
            "now"
        } else {
            "later"
        }
    };
    html! {
        @if now == 0 {
            @if step == "abandoned" { p.notice { (words.ended) } }
            form method="post" action="/play/enrol" {
                label for="phrase" { (words.phrase) }
                input #phrase name="phrase" value=(words.phrase_example) required minlength="3" maxlength="32" autocomplete="off" aria-describedby="phrase-hint";
                p.hint #phrase-hint { (words.phrase_hint) }
                button.primary { (words.begin) }
            }
        }
        ol.steps {
            li class=(class(1)) {
                (words.one)
                @if let (1, Some(stands)) = (now, stands) { (bank_step(words, stands, me.person.username())) }
            }
            li class=(class(2)) {
                (words.two)
                @if let (2, Some(code)) = (now, stands.and_then(|stands| stands.code.as_ref())) {
                    p.code { output #play-code { (code) } button.small type="button" data-copy="play-code" { (words.two_copy) } }
                    form method="post" action="/play/code" { button.primary { (words.two_go) } }
                    p.quiet { (words.two_wait) }
                }
            }
            li class=(class(3)) {
                @let sender = stands.and_then(|stands| stands.candidate.as_ref()).map_or(me.person.username(), |sender| &sender.handle);
                (fill(&words.three, &[("handle", &format!("@{sender}"))]))
                @if now == 3 {
                    form.equal method="post" action="/play/word" {
                        button.primary name="mine" value="yes" { (words.three_yes) }
                        button name="mine" value="no" { (words.three_no) }
                    }
                }
            }
        }
        @if now > 0 { p.quiet { a href={ (state.obole_url) "/enrol" } { (words.own_page) } } }
    }
}

fn bank_step(words: &Enrol, stands: &EnrolmentState, username: &str) -> Markup {
    html! {
        @for iban in &stands.accounts {
            form method="post" action="/play/account" {
                input type="hidden" name="iban" value=(iban);
                (iban) " " button { (words.choose) }
            }
        }
        @if let Some(page) = &stands.authorise_at {
            form method="post" action="/play/consent" { button.primary { (words.one_go) } }
            // The sandbox bank fills in who answers.
            p { a href={ (page) "?login=" (username) } target="_blank" rel="noopener" { (words.one_page) } }
        }
    }
}

/// The way of the newest post, in short sentences; before it, what to do first.
fn happened(language: Language, words: &Texts, me: Option<&Me>) -> Markup {
    let words = &words.happened;
    let Some(me) = me else { return html! { p { (words.start) } } };
    let newest_order = me.orders.first();
    let order_post = newest_order.and_then(|order| order.source.native_id.parse::<u64>().ok());
    // A post later than the newest order is one that is no order, or not one yet.
    if let Some(post) = me.newest_post
        && order_post.is_none_or(|order_post| order_post < post)
    {
        let explained = me.messages.iter().any(|message| is_from_bot(message) && message.id > post);
        return html! {
            ol.way {
                li.done { (words.posted) }
                @if explained { li.now { (words.explained) } }
                @if !me.is_linked { li.now { (words.enrol) } }
            }
        };
    }
    match newest_order {
        Some(order) => way(language, words, order),
        None => html! { p { @if me.is_linked { (words.ready) } @else { (words.enrol) } } },
    }
}

fn way(language: Language, words: &Happened, order: &Order) -> Markup {
    let (asked, answered, paid) = reached(order);
    html! {
        ol.way {
            li.done { (words.posted) }
            @if asked { li.done { (words.asked) } }
            @if answered { li.done { (words.answered) } }
            @match &order.state {
                OrderState::AwaitingConfirmation { .. } => { li.now { (words.waits) } }
                OrderState::Confirmed { .. } if paid => { li.now { (words.paid) } }
                OrderState::Confirmed { .. } if !order.is_terminal() => { li.now { (words.under_way) } }
                state if state.is_ending() => {
                    @let (sentence, why) = state_words(language, &crate::web::words::texts(language).order, state);
                    li.now { (words.ended) " " (why.unwrap_or(sentence)) }
                }
                state => { li.now { (state_words(language, &crate::web::words::texts(language).order, state).0) } }
            }
        }
    }
}

/// Whether the order was asked about, answered, and paid.
fn reached(order: &Order) -> (bool, bool, bool) {
    let confirmed = matches!(order.state, OrderState::Confirmed { .. });
    let asked = confirmed || matches!(order.state, OrderState::AwaitingConfirmation { .. } | OrderState::Expired { .. });
    let paid = confirmed && order.payments.iter().all(|payment| matches!(payment.state, PaymentState::Settled { .. }));
    (asked, confirmed, paid)
}

fn timeline(words: &Texts, scene: &Scene) -> Markup {
    let own = scene.me.as_ref().map(|me| me.person.username());
    html! {
        @if scene.timeline.is_empty() { p.quiet { (words.post.nothing) } }
        ul.plain.talk {
            @for post in &scene.timeline {
                li {
                    p.quiet { strong { "@" (post.from) } " · " (clock(&post.at)) @if post.is_edited { " · " (words.post.edited) } }
                    p { (post.text) }
                    @if own == Some(post.from.as_str()) {
                        form.inline method="post" action="/play/delete" {
                            input type="hidden" name="status" value=(post.id);
                            button.small { (words.post.delete) }
                        }
                    }
                }
            }
        }
    }
}

/// The answer that the newest question asks for, as one button.
fn quick(words: &Texts, me: Option<&Me>) -> Markup {
    let answer = me.and_then(Me::suggestion);
    html! {
        @if let Some(answer) = &answer {
            form method="post" action="/play/answer" {
                input type="hidden" name="text" value=(answer);
                button.primary { (fill(&words.messages.quick, &[("text", answer)])) }
            }
        }
    }
}

fn inbox(words: &Texts, me: Option<&Me>) -> Markup {
    let Some(me) = me.filter(|me| !me.messages.is_empty()) else { return html! { p.quiet { (words.messages.nothing) } } };
    let (newest, older) = me.messages.split_at(me.messages.len().min(NEWEST));
    html! {
        ul.plain.talk { @for message in newest { (bubble(words, me, message)) } }
        @if !older.is_empty() {
            details {
                summary { (words.messages.older) }
                ul.plain.talk { @for message in older { (bubble(words, me, message)) } }
            }
        }
    }
}

fn bubble(words: &Texts, me: &Me, message: &Message) -> Markup {
    let is_own = message.from == me.person.username();
    let addressee = format!("@{}", if is_own { BOT } else { me.person.username() });
    let text = message.text.strip_prefix(&addressee).unwrap_or(&message.text);
    html! {
        li.own[is_own] {
            p.quiet {
                strong { @if is_own { (words.messages.you) } @else { "@" (message.from) } } " · " (clock(&message.at))
            }
            @for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
                // Obole mentions nobody in private, so a post to copy comes without its at signs.
                @if line.starts_with("(at)") {
                    @let post = line.replace("(at)", "@");
                    p { a href=(composer(&post)) data-fill=(post) { (post) } }
                } @else {
                    p { (line) }
                }
            }
        }
    }
}

fn orders(language: Language, words: &Texts, me: Option<&Me>) -> Markup {
    let Some(me) = me.filter(|me| !me.orders.is_empty()) else { return html! { p.quiet { (words.orders.nothing) } } };
    html! {
        @for order in &me.orders {
            article.card {
                (standing(language, order))
                p.quiet { (clock(&order.created_at.to_string())) " · " a href={ "/orders/" (order.id) } { (words.orders.see) } }
            }
        }
    }
}

fn money(language: Language, words: &Texts, scene: &Scene) -> Markup {
    html! {
        @for view in &scene.campaigns {
            div.card {
                h3 { a href={ "/c/" (view.campaign.tag) } { (view.campaign.title) " #" (view.campaign.tag) } }
                (meter(language, view))
            }
        }
        @if let Some(me) = &scene.me { (statement(language, words, &words.money.yours, &me.statement)) }
        @for account in &scene.collecting { (statement(language, words, &account.holder, account)) }
    }
}

fn statement(language: Language, words: &Texts, title: &str, account: &Statement) -> Markup {
    html! {
        div.card {
            h3 { (title) }
            p { strong { (fill(&words.money.balance, &[("balance", &amount(language, account.balance))])) } }
            @if account.lines.is_empty() { p.quiet { (words.money.nothing) } }
            ul.plain {
                @for line in &account.lines {
                    li.payment {
                        span { (line.counterparty) @if let Some(text) = &line.remittance { " " span.quiet { (text) } } }
                        span.amount { (amount(language, line.amount)) }
                    }
                }
            }
        }
    }
}

/// The time of day in a moment written as RFC 3339.
fn clock(moment: &str) -> &str {
    moment.split_once('T').and_then(|(_, time)| time.get(..8)).unwrap_or(moment)
}
