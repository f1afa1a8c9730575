//! What every page has around its own content.

use axum::response::Html;
use maud::{DOCTYPE, Markup, html};

use super::assets;
use super::visitor::Visitor;
use super::words::texts;
use crate::clock::Timestamp;
use crate::people::Language;
use crate::store::Ground;

/// A page, but for its content.
pub(crate) struct Page<'a> {
    /// Who looks at it.
    pub(crate) visitor: &'a Visitor,
    /// What it is about.
    pub(crate) title: &'a str,
    /// Whether the money is real.
    pub(crate) ground: Ground,
    /// Loads itself again after so many seconds where scripts do not run.
    pub(crate) reload_seconds: Option<u32>,
    /// Further style sheets and scripts of our own.
    pub(crate) styles: &'a [&'a str],
    pub(crate) scripts: &'a [&'a str],
}

impl<'a> Page<'a> {
    pub(crate) fn new(visitor: &'a Visitor, title: &'a str, ground: Ground) -> Self {
        Page { visitor, title, ground, reload_seconds: None, styles: &[], scripts: &[] }
    }

    pub(crate) fn reloading(self, seconds: u32) -> Self {
        Page { reload_seconds: Some(seconds), ..self }
    }
}

/// The whole page.
pub(crate) fn document(page: &Page<'_>, body: &Markup) -> Html<String> {
    let language = page.visitor.language;
    let words = &texts(language).shell;
    let shown = html! {
        (DOCTYPE)
        html lang=(language.code()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                meta name="color-scheme" content="light dark";
                title { (page.title) " · " (words.home) }
                link rel="stylesheet" href=(assets::address("obole.css"));
                @for style in page.styles { link rel="stylesheet" href=(style); }
                link rel="icon" href=(assets::address("obole.svg")) type="image/svg+xml";
                // Another script of ours loads this one itself.
                @if page.scripts.is_empty() { script type="module" src=(assets::address("obole.js")) {} }
                @for script in page.scripts { script type="module" src=(script) {} }
                @if let Some(seconds) = page.reload_seconds {
                    noscript { meta http-equiv="refresh" content=(seconds); }
                }
            }
            body {
                a.skip href="#content" { (words.skip) }
                header.top {
                    a.brand href="/" { (words.home) }
                    @if page.ground == Ground::Sandbox { strong.sandbox { (words.sandbox) } }
                    nav.languages aria-label=(words.language) {
                        @for other in Language::ALL {
                            @let current = (other == language).then_some("true");
                            a href={ "?lang=" (other.code()) } hreflang=(other.code()) lang=(other.code()) aria-current=[current] {
                                (name_of(other))
                            }
                        }
                    }
                }
                main #content { (body) }
                footer { p { (words.footer) } }
            }
        }
    };
    Html(shown.into_string())
}

/// A language's name in itself.
pub(crate) fn name_of(language: Language) -> &'static str {
    match language {
        Language::En => "English",
        Language::Fr => "Français",
    }
}

/// A time of day, UTC; our servers do not know where the reader is.
pub(crate) fn time_of_day(moment: Timestamp) -> String {
    moment.strftime("%H:%M").to_string()
}

/// A moment with its date, UTC.
pub(crate) fn moment(moment: Timestamp) -> Markup {
    html! { time datetime=(moment.strftime("%Y-%m-%dT%H:%M:%SZ")) { (moment.strftime("%Y-%m-%d %H:%M")) " UTC" } }
}
