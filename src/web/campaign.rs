//! The page of a campaign: who collects, what has been settled, and the post to write.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{Html, Response};
use maud::{Markup, html};

use super::Web;
use super::failure::Failure;
use super::live::{Piece, stream};
use super::shell::{Page, document};
use super::visitor::Visitor;
use super::words::{fill, texts};
use crate::app::App;
use crate::app::view::{self, CampaignView};
use crate::ids::OrderId;
use crate::messages::amount;
use crate::people::Language;

/// How often the page loads itself again where scripts do not run.
const RELOAD_SECONDS: u32 = 30;

/// `GET /c/{tag}`
pub(super) async fn show(
    State(state): State<Arc<Web>>,
    visitor: Visitor,
    Path(tag): Path<String>,
) -> Result<Html<String>, Failure> {
    let view = view::campaign(&state.app, &tag.to_lowercase()).await?.ok_or(Failure::NotFound)?;
    let words = &texts(visitor.language).campaign;
    let post = post_to_copy(&state.app, visitor.language, &view);
    let body = html! {
        h1 { (view.campaign.title) }
        p.lead { (fill(&words.by, &[("payee", &view.payee.legal_name)])) }
        p.quiet {
            "✓ " (words.verified)
            @if let Some(number) = &view.payee.registry_number { " " (fill(&words.registry, &[("number", number)])) "." }
        }
        div.card role="status" data-live={ "/c/" (view.campaign.tag) "/events?lang=" (visitor.language) } {
            (meter(visitor.language, &view))
        }
        @if let Some(post) = &post {
            h2 { (words.how) }
            p { (words.how_lead) }
            p.post { output #post { (post) } button type="button" data-copy="post" { (words.copy) } }
        }
        p { a href="/enrol" { (words.not_linked) } }
    };
    let page = Page::new(&visitor, &view.campaign.title, state.ground).reloading(RELOAD_SECONDS);
    Ok(document(&page, &body))
}

/// `GET /c/{tag}/events`
pub(super) async fn events(State(state): State<Arc<Web>>, visitor: Visitor, Path(tag): Path<String>) -> Result<Response, Failure> {
    let piece = Meter { app: state.app.clone(), tag: tag.to_lowercase(), language: visitor.language };
    stream(&state.streams, state.app.signals.orders(), state.end.clone(), piece)
}

struct Meter {
    app: Arc<App>,
    tag: String,
    language: Language,
}

impl Piece for Meter {
    async fn make(&mut self) -> Option<String> {
        let view = view::campaign(&self.app, &self.tag).await.ok()??;
        Some(meter(self.language, &view).into_string())
    }

    fn concerns(&self, _: &OrderId) -> bool {
        true
    }
}

/// The sum as a sentence, a bar and what is still under way.
pub(crate) fn meter(language: Language, view: &CampaignView) -> Markup {
    let words = &texts(language).campaign;
    let total = &view.total;
    let sentence = sentence(language, view);
    html! {
        p.sum { strong { (sentence) } }
        @if let Some(goal) = view.campaign.goal {
            progress value=(total.settled.minor.clamp(0, goal.minor)) max=(goal.minor.max(1)) aria-label=(sentence) {}
        }
        @if total.pending.minor > 0 {
            p.quiet { (fill(&words.pending, &[("pending", &amount(language, total.pending))])) }
        }
    }
}

/// `€124.00 of €500.00 (24 %) 37 gifts.`
pub(crate) fn sentence(language: Language, view: &CampaignView) -> String {
    let words = &texts(language).campaign;
    let settled = amount(language, view.total.settled);
    let sum = match view.campaign.goal {
        Some(goal) if goal.minor > 0 => {
            let percent = (i128::from(view.total.settled.minor) * 100 / i128::from(goal.minor)).to_string();
            fill(&words.sum_goal, &[("settled", &settled), ("goal", &amount(language, goal)), ("percent", &percent)])
        }
        _ => fill(&words.sum, &[("settled", &settled)]),
    };
    let gifts = match view.total.gifts {
        0 => words.gifts_none.clone(),
        1 => words.gifts_one.clone(),
        count => fill(&words.gifts_many, &[("count", &count.to_string())]),
    };
    format!("{sum} · {gifts}")
}

/// The post that gives to a campaign, in the order language. `None` while the payee has no account on a connected platform.
pub(crate) fn post_to_copy(app: &App, language: Language, view: &CampaignView) -> Option<String> {
    let identity = view.identity.as_ref()?;
    let bot = &app.platforms.get(&identity.platform)?.bot().handle;
    let verb = match language {
        Language::En => "#give",
        Language::Fr => "#donner",
    };
    Some(format!("@{bot} {verb} 10€ @{} #{}", identity.handle, view.campaign.tag))
}
