//! The page around its changing parts: headings, fields that keep their focus, and the way between them.

use axum::Json;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;

use super::panes::{self, Piece};
use super::scene::{Scene, gather};
use super::words::{Texts, texts};
use super::{Play, SCRIPT, STYLE};
use crate::people::Language;
use crate::store::Ground;
use crate::web::assets::addressed;
use crate::web::shell::{Page, document};
use crate::web::visitor::Visitor;
use crate::web::words::fill;

/// What the composer holds at first.
const FIRST_POST: &str = "@obole #donner 10€ @croixrouge #telethon";
/// Posts to try: two that are nearly right, one above what a code may confirm, two more that work.
const TRIES: [&str; 5] = [
    "@obole #envoyer 1.000 € @bob",
    "@obole #donner 20 balles @croixrouge",
    "@obole #donner 45€ @croixrouge #telethon",
    "@obole #envoyer 3,50 € @bob pour le café",
    "@obole #give 5€ @wateraid #water4all",
];
/// The longest post of the town.
const LONGEST_POST: &str = "500";
/// How often the page loads itself again where scripts do not run.
const RELOAD_SECONDS: u32 = 15;

#[derive(Deserialize)]
pub(super) struct Composer {
    text: Option<String>,
}

/// `GET /`
pub(super) async fn show(
    State(state): State<Play>,
    visitor: Visitor,
    headers: HeaderMap,
    Query(composer): Query<Composer>,
) -> Response {
    let words = texts(visitor.language);
    let styles = [addressed("/play/assets/play.css", STYLE.content)];
    let scripts = [addressed("/play/assets/play.js", SCRIPT.content)];
    let page = Page { styles: &[&styles[0]], scripts: &[&scripts[0]], ..Page::new(&visitor, &words.page.title, Ground::Sandbox) };
    match gather(&state, &headers).await {
        Ok(scene) => {
            // A page that loads itself again would throw away what somebody is typing into the composer.
            let page = if composer.text.is_none() && scene.me.is_some() { page.reloading(RELOAD_SECONDS) } else { page };
            let text = composer.text.as_deref().unwrap_or(FIRST_POST);
            document(&page, &body(&state, visitor.language, words, &scene, text)).into_response()
        }
        Err(error) => {
            tracing::warn!(%error, "the page to play on could not be made");
            let body = html! {
                h1 { (words.page.title) }
                p.notice role="alert" { (fill(&words.page.trouble, &[("why", &format!("{error:#}"))])) }
                p { a.button href="/" { (words.page.back) } }
            };
            document(&page, &body).into_response()
        }
    }
}

/// `GET /play/pieces`: the changing parts by the ids they have on the page, and what to answer.
pub(super) async fn pieces(State(state): State<Play>, visitor: Visitor, headers: HeaderMap) -> Response {
    match gather(&state, &headers).await {
        Ok(scene) => {
            let made = panes::all(&state, visitor.language, &scene);
            let pieces: serde_json::Map<String, serde_json::Value> =
                made.into_iter().map(|Piece { id, content }| (id.to_owned(), content.into_string().into())).collect();
            Json(json!({ "pieces": pieces, "answer": scene.me.as_ref().and_then(super::scene::Me::suggestion) })).into_response()
        }
        Err(error) => {
            tracing::debug!(%error, "the parts of the page to play on could not be made");
            (axum::http::StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "error": format!("{error:#}") }))).into_response()
        }
    }
}

fn body(state: &Play, language: Language, words: &Texts, scene: &Scene, text: &str) -> Markup {
    let made = panes::all(state, language, scene);
    let piece = |id: &str| {
        let found = made.iter().find(|piece| piece.id == id);
        html! { div id={ "piece-" (id) } { @if let Some(piece) = found { (piece.content) } } }
    };
    html! {
        div #play data-pieces={ "/play/pieces?lang=" (language) } data-events="/play/events" {
            h1 { (words.page.title) }
            p.lead { (words.page.lead) }
            p.quiet {
                a href=(state.sandbox.town_url()) { (words.page.town) } " · " a href=(state.sandbox.bank_url()) { (words.page.bank) }
                " · " a href="/language" { (words.page.language) } " · " a href="/try-the-language" { (words.page.try_language) }
            }
            nav.parts aria-label=(words.page.sections) {
                a href="#who" { (words.page.to_who) }
                a href="#post" { (words.page.to_post) }
                a href="#messages" { (words.page.to_messages) }
                a href="#orders" { (words.page.to_orders) }
                a href="#money" { (words.page.to_money) }
            }
            section.happened aria-labelledby="happened-title" {
                h2 #happened-title { (words.happened.title) }
                div role="status" { (piece("happened")) }
            }
            div.panes {
                div {
                    section #who { h2 { (words.who.title) } (piece("who")) }
                    section #post { (post_section(words, scene, text)) h3 { (words.post.timeline) } (piece("timeline")) }
                }
                div {
                    section #messages {
                        h2 { (words.messages.title) }
                        p.quiet { (words.messages.lead) }
                        (piece("quick"))
                        (answer_form(words, scene))
                        (piece("inbox"))
                    }
                    section #orders { h2 { (words.orders.title) } p.quiet { (words.orders.lead) } (piece("orders")) }
                    section #money { h2 { (words.money.title) } p.quiet { (words.money.lead) } (piece("money")) }
                }
            }
        }
    }
}

fn post_section(words: &Texts, scene: &Scene, text: &str) -> Markup {
    html! {
        h2 { (words.post.title) }
        p.quiet { (words.post.lead) }
        @if scene.me.as_ref().is_some_and(|me| !me.is_linked) { p.quiet { (words.post.not_linked) } }
        form method="post" action="/play/post" {
            label for="composer" { (words.post.label) }
            textarea #composer name="text" rows="3" maxlength=(LONGEST_POST) required { (text) }
            button.primary disabled[scene.me.is_none()] { (words.post.go) }
        }
        p.quiet { (words.post.or_try) }
        ul.chips {
            @for post in TRIES {
                li { a href=(panes::composer(post)) data-fill=(post) { (post.trim_start_matches("@obole ")) } }
            }
        }
    }
}

fn answer_form(words: &Texts, scene: &Scene) -> Markup {
    let answer = scene.me.as_ref().and_then(super::scene::Me::suggestion).unwrap_or_default();
    html! {
        form method="post" action="/play/answer" {
            label for="answer" { (words.messages.label) }
            div.row {
                input #answer name="text" value=(answer) data-suggested=(answer) required maxlength=(LONGEST_POST)
                    autocomplete="one-time-code";
                button disabled[scene.me.is_none()] { (words.messages.go) }
            }
        }
    }
}
