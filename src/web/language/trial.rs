//! `/try-the-language`: what Obole would read in a text.
//!
//! A form that is posted, not put into the address: what somebody is about to publish is theirs until they do, and addresses stand in the
//! logs of proxies and in histories. It works without scripts; with ours, the reading is asked for again while one writes, as JSON from
//! the same address.

use std::sync::Arc;

use axum::extract::{Form, Query, State};
use axum::response::{Html, IntoResponse, Response};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;

use super::advice::{example, is_private};
use super::{Ground, NAME, first_network, reading};
use crate::language::{self, Channel, Code, Platform};
use crate::people::Language;
use crate::web::Web;
use crate::web::failure::Failure;
use crate::web::shell::{Page, document};
use crate::web::visitor::Visitor;
use crate::web::words::{fill, texts};

/// The longest text in characters (as browsers count, UTF-16 units). No network's ordinary post is longer, and a form with it fits into
/// the body that all pages share even if every character is written as three bytes of `%xx`.
const LONGEST: usize = 1_500;

/// Where it is.
pub(crate) const PATH: &str = "/try-the-language";

/// What a link may ask for: an example by the code that it gives, never a text.
#[derive(Deserialize)]
pub(crate) struct Wish {
    example: Option<String>,
}

/// What the form sends.
#[derive(Deserialize)]
pub(crate) struct Asked {
    text: String,
    #[serde(default)]
    platform: Option<String>,
    #[serde(default)]
    channel: Option<String>,
    #[serde(default)]
    bot: Option<String>,
}

/// What is tried.
struct Trial {
    text: String,
    channel: Channel,
    ground: Ground,
}

impl Trial {
    fn is_too_long(&self) -> bool {
        self.text.encode_utf16().count() > LONGEST
    }
}

/// `GET /try-the-language`
pub(crate) async fn show(State(state): State<Arc<Web>>, visitor: Visitor, Query(wish): Query<Wish>) -> Result<Response, Failure> {
    let wanted = wish.example.and_then(|name| Code::ALL.iter().copied().find(|code| code.as_str() == name));
    let network = match (wanted, first_network(&state.app)) {
        // Examples name people as these two networks do.
        (Some(_), network @ (Platform::X | Platform::Mastodon)) | (None, network) => network,
        (Some(_), _) => Platform::X,
    };
    let ground = Ground::of(&state.app, network).await?;
    let text = match wanted {
        Some(code) => example(visitor.language, code),
        None => first_text(visitor.language, &ground),
    };
    let text = text.replace(&format!("@{NAME}"), &format!("@{}", ground.name()));
    let channel = if wanted.is_some_and(is_private) { Channel::Dm } else { Channel::Post };
    Ok(page(&state, &visitor, &Trial { text, channel, ground }).into_response())
}

/// A gift to a campaign that is open here, if one is.
fn first_text(language: Language, ground: &Ground) -> String {
    let verb = match language {
        Language::En => "give",
        Language::Fr => "donner",
    };
    match ground.tags.iter().find_map(|(tag, handle)| handle.as_ref().map(|handle| (tag, handle))) {
        Some((tag, handle)) => format!("@{NAME} #{verb} 10€ @{handle} #{tag}"),
        None => format!("@{NAME} #{verb} 10€ @bob"),
    }
}

/// `POST /try-the-language`: the page again, or for a program the piece of it that says what was read.
pub(crate) async fn read(State(state): State<Arc<Web>>, visitor: Visitor, Form(asked): Form<Asked>) -> Result<Response, Failure> {
    let network = asked.platform.as_deref().and_then(Platform::named).unwrap_or_else(|| first_network(&state.app));
    let mut ground = Ground::of(&state.app, network).await?;
    if let Some(bot) = asked.bot.as_deref().map(|bot| bot.trim().trim_start_matches(['@', '＠'])).filter(|bot| !bot.is_empty()) {
        bot.clone_into(&mut ground.bot);
    }
    let channel = if asked.channel.as_deref() == Some("dm") { Channel::Dm } else { Channel::Post };
    // Browsers end lines of a form in CR LF, networks in LF.
    let trial = Trial { text: asked.text.replace("\r\n", "\n"), channel, ground };
    if visitor.wants_json {
        let piece = result(visitor.language, &trial).into_string();
        return Ok(axum::Json(json!({ "piece": piece })).into_response());
    }
    Ok(page(&state, &visitor, &trial).into_response())
}

fn page(state: &Web, visitor: &Visitor, trial: &Trial) -> Html<String> {
    let words = &texts(visitor.language).trial;
    let body = html! {
        h1 { (words.title) }
        p.lead { (words.lead) }
        (form(visitor.language, trial))
        section aria-labelledby="result-title" {
            h2 #result-title { (words.result) }
            // The whole would be read out at every key; the script says its first sentence here.
            p.unseen #said role="status" {}
            div.card #result { (result(visitor.language, trial)) }
            p.quiet.with-script { (words.live) }
        }
        p.quiet {
            @if trial.ground.tags.is_empty() { (words.no_campaigns) } @else { (words.campaigns) }
            @for (tag, handle) in &trial.ground.tags {
                " #" (tag) @if let Some(handle) = handle { " → @" (handle) }
            }
        }
        p { a href="/language" { (words.guide) } }
    };
    document(&Page::new(visitor, &words.title, state.ground), &body)
}

fn form(language: Language, trial: &Trial) -> Markup {
    let words = &texts(language).trial;
    html! {
        form method="post" action={ (PATH) "#result-title" } data-try="result" data-say="said" {
            label for="text" { (words.text) }
            textarea #text name="text" rows="4" maxlength=(LONGEST) dir="auto" autocapitalize="off" spellcheck="false" autofocus { (trial.text) }
            div.fields {
                label { (words.platform)
                    select name="platform" {
                        @for platform in Platform::ALL {
                            option value=(platform.as_str()) selected[platform == trial.ground.platform] { (name_of(platform)) }
                        }
                    }
                }
                label { (words.channel)
                    select name="channel" {
                        option value="post" selected[trial.channel == Channel::Post] { (words.channel_post) }
                        option value="dm" selected[trial.channel == Channel::Dm] { (words.channel_dm) }
                    }
                }
                label { (words.bot)
                    input name="bot" value=(trial.ground.bot) maxlength="253" autocapitalize="off" autocomplete="off" spellcheck="false";
                }
            }
            div { button.primary { (words.go) } }
        }
    }
}

fn name_of(platform: Platform) -> &'static str {
    match platform {
        Platform::X => "X",
        Platform::Mastodon => "Mastodon",
        Platform::Bluesky => "Bluesky",
        Platform::Nostr => "Nostr",
    }
}

fn result(language: Language, trial: &Trial) -> Markup {
    let words = texts(language);
    if trial.is_too_long() {
        return html! { p.notice { (fill(&words.trial.too_long, &[("limit", &LONGEST.to_string())])) } };
    }
    let reading = language::read(&trial.text, &trial.ground.context(trial.channel));
    // A suggestion is somebody's text too: it is posted, not linked to. One for a private reply answers in private.
    let try_again = |suggestion: &str| {
        html! {
            form.inline method="post" action=(PATH) {
                input type="hidden" name="text" value=(suggestion);
                input type="hidden" name="platform" value=(trial.ground.platform.as_str());
                input type="hidden" name="channel" value=(if trial.channel == Channel::Dm { "dm" } else { "post" });
                input type="hidden" name="bot" value=(trial.ground.bot);
                button { (words.reading.try_it) }
            }
        }
    };
    reading::whole(language, &trial.text, &reading, &try_again)
}
