//! The rooms between a status' HTML and its text, taken over one by one: a build of all of Obole would bury them under its service.

#[path = "../../src/platform/mastodon/html.rs"]
mod html;
#[path = "../../tests/it/mastodon/promises.rs"]
mod promises;
#[path = "../../src/platform/mastodon/text.rs"]
mod text;
#[path = "../../src/platform/mastodon/wire.rs"]
mod wire;

/// What is asked of a status' HTML.
pub(super) fn check_html(bytes: &[u8]) {
    promises::check(bytes, text_of);
}

fn text_of(html: &str) -> String {
    let mention = |(id, acct, url): (&str, &str, &str)| wire::Mention { id: id.into(), acct: acct.into(), url: url.into() };
    html::to_text(html, &promises::MENTIONS.map(mention), "pay.example")
}
