//! The town as a person sees it in a browser: the public timeline, profiles, posts. French or English, by the browser's wish.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::Wire;
use crate::platform::fake::{Feed, Id, Page, State as TownState, Status, text};

/// How many posts a page shows.
const SHOWN: usize = 40;
/// How many people the first page names.
const PEOPLE_SHOWN: usize = 200;

const STYLE: &str = "
:root { color-scheme: light dark; --line: #8884; --accent: #5b4bc4; }
@media (prefers-color-scheme: dark) { :root { --accent: #a99cff; } }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 42rem; padding: 1rem; }
a { color: var(--accent); } h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
article { border-top: 1px solid var(--line); padding: .6rem 0; overflow-wrap: anywhere; }
article p { margin: .3rem 0; } .quiet { opacity: .7; font-size: .9rem; }
.invisible { font-size: 0; } .ellipsis::after { content: '…'; }
ul.people { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .3rem 1rem; }
select, button, input { font: inherit; padding: .3rem .6rem; max-width: 100%; }
";

/// The two languages of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    English,
    French,
}

impl Language {
    /// The first of the two that the browser names.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let wish = headers.get("accept-language").and_then(|value| value.to_str().ok()).unwrap_or_default().to_lowercase();
        let first = wish.split(',').map(str::trim).find(|tag| tag.starts_with("fr") || tag.starts_with("en"));
        if first.is_some_and(|tag| tag.starts_with("fr")) { Language::French } else { Language::English }
    }

    pub(super) fn say(self, english: &'static str, french: &'static str) -> &'static str {
        if self == Language::French { french } else { english }
    }

    fn code(self) -> &'static str {
        self.say("en", "fr")
    }
}

/// A whole page.
pub(super) fn document(language: Language, title: &str, body: Markup) -> Html<String> {
    let page = html! {
        (DOCTYPE)
        html lang=(language.code()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · " (language.say("Sandbox town", "Ville bac à sable")) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                p.quiet { a href="/" { (language.say("Sandbox town", "Ville bac à sable")) } " — " (language.say(
                    "a small social network to try Obole with; nothing here is real.",
                    "un petit réseau social pour essayer Obole ; rien n’y est réel."
                )) }
                (body)
            }
        }
    };
    Html(page.into_string())
}

fn post(state: &TownState, base_url: &str, language: Language, status: &Status) -> Markup {
    let original = status.reblog_of.and_then(|id| state.status(id)).map_or(status, |original| original);
    let name = |id: Id| state.person(id).map_or("?", |person| person.username.as_str());
    let author = name(original.author);
    let link = format!("/@{author}/{}", original.id);
    html! {
        article {
            @if status.reblog_of.is_some() {
                div.quiet { "@" (name(status.author)) " " (language.say("boosted", "a partagé")) }
            }
            div {
                a href={ "/@" (author) } { b { "@" (author) } } " "
                a.quiet href=(link) { (original.created_at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()) }
                @if original.edited_at.is_some() { span.quiet { " (" (language.say("edited", "modifié")) ")" } }
            }
            // Made by the town's own formatter, which escapes what people type.
            (PreEscaped(state.html(&original.now.text, base_url)))
        }
    }
}

fn posts(state: &TownState, wire: &Wire, language: Language, feed: Feed<'_>) -> Markup {
    let page = Page { limit: SHOWN, ..Page::default() };
    let found = state.timeline(feed, None, page, |_| true);
    html! {
        @if found.is_empty() { p.quiet { (language.say("Nothing was posted yet.", "Rien n’a encore été publié.")) } }
        @for status in &found { (post(state, &wire.base_url, language, status)) }
    }
}

pub(super) async fn front(State(wire): State<Arc<Wire>>, headers: HeaderMap) -> Html<String> {
    let language = Language::of(&headers);
    let state = wire.town.read();
    let (people, statuses) = state.size();
    document(
        language,
        language.say("Public timeline", "Fil public"),
        html! {
                h1 { (language.say("Public timeline", "Fil public")) }
        p.quiet {
                (language.say("People: ", "Habitants : ")) (people) (language.say(". Posts: ", ". Messages : ")) (statuses) ". "
                (language.say("Private messages are not shown here.", "Les messages privés n’apparaissent pas ici."))
            }
            (posts(&state, &wire, language, Feed::Public))
                h2 { (language.say("People", "Habitants")) }
                ul.people {
                    @for person in state.people().take(PEOPLE_SHOWN) {
                        li { a href={ "/@" (person.username) } { "@" (person.username) } " " span.quiet { (person.display_name) @if person.bot { " (" (language.say("automated", "automatisé")) ")" } } }
                    }
                }
            },
    )
}

fn missing(language: Language) -> Response {
    let page = document(
        language,
        "404",
        html! { h1 { (language.say("There is no such page in this town.", "Il n’y a pas de telle page dans cette ville.")) } },
    );
    (StatusCode::NOT_FOUND, page).into_response()
}

/// `/@name`, and whatever else has no page.
pub(super) async fn profile(State(wire): State<Arc<Wire>>, headers: HeaderMap, Path(name): Path<String>) -> Response {
    let language = Language::of(&headers);
    let state = wire.town.read();
    let Some(person) = name.strip_prefix('@').and_then(|name| state.person_at(name)) else { return missing(language) };
    let (followers, following, statuses, _) = state.counts(person.id);
    document(
        language,
        &format!("@{}", person.username),
        html! {
            h1 { (if person.display_name.is_empty() { &person.username } else { &person.display_name }) }
            p.quiet {
                "@" (person.username) @if person.bot { " · " (language.say("automated", "automatisé")) }
                " · " (statuses) " " (language.say("posts", "messages"))
                " · " (followers) " " (language.say("followers", "abonnés"))
                " · " (following) " " (language.say("following", "abonnements"))
            }
            (PreEscaped(state.html(&person.note, &wire.base_url)))
            (posts(&state, &wire, language, Feed::Author(person.id)))
        },
    )
    .into_response()
}

/// `/@name/:id`, with what it answers and what answers it.
pub(super) async fn status(
    State(wire): State<Arc<Wire>>,
    headers: HeaderMap,
    Path((name, id)): Path<(String, String)>,
) -> Response {
    let language = Language::of(&headers);
    let state = wire.town.read();
    let found = id.parse().ok().and_then(|id| state.visible_status(id, None)).filter(|_| name.starts_with('@'));
    let Some(status) = found else { return missing(language) };
    let (above, below) = state.context(status, None);
    document(
        language,
        language.say("Post", "Message"),
        html! {
            h1 { (language.say("Post", "Message")) }
            @for other in &above { (post(&state, &wire.base_url, language, other)) }
            (post(&state, &wire.base_url, language, status))
            @for other in &below { (post(&state, &wire.base_url, language, other)) }
        },
    )
    .into_response()
}

/// `/tags/:tag`.
pub(super) async fn tag(State(wire): State<Arc<Wire>>, headers: HeaderMap, Path(tag): Path<String>) -> Html<String> {
    let language = Language::of(&headers);
    let state = wire.town.read();
    let tag = text::normalise_tag(&tag);
    document(language, &format!("#{tag}"), html! { h1 { "#" (tag) } (posts(&state, &wire, language, Feed::Tag(&tag))) })
}

/// The address that names a person leads to their page.
pub(super) async fn person_uri(Path(name): Path<String>) -> Redirect {
    Redirect::to(&format!("/@{name}"))
}

/// The address that names a status leads to its page.
pub(super) async fn status_uri(Path((name, id)): Path<(String, String)>) -> Redirect {
    Redirect::to(&format!("/@{name}/{id}"))
}

/// A picture for everybody and everything: a disc whose colour comes from the id.
pub(super) async fn picture(Path(file): Path<String>) -> Response {
    let number = file.trim_end_matches(".svg").parse::<u64>().unwrap_or(0);
    let hue = (number >> 16 ^ number) % 360;
    let svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100"><rect width="100" height="100" fill="hsl({hue} 30% 90%)"/><circle cx="50" cy="50" r="30" fill="hsl({hue} 50% 45%)"/></svg>"#
    );
    ([("content-type", "image/svg+xml"), ("cache-control", "public, max-age=86400")], svg).into_response()
}
