//! The rooms between a status' HTML and its text, taken over one by one: a build of all of Obole would bury them under its service.

#[path = "../../src/platform/mastodon/html.rs"]
mod html;
#[path = "../../src/platform/mastodon/promises.rs"]
mod promises;
#[path = "../../src/platform/mastodon/text.rs"]
mod text;
#[path = "../../src/platform/mastodon/wire.rs"]
mod wire;

/// A status' HTML, and what is asked of it.
pub(super) fn check_html(bytes: &[u8]) {
    promises::check(bytes);
}
