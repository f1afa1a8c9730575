//! The page to play on: be somebody of the sandbox town, enrol, post, answer, and watch the order and the money.
//!
//! It stands in front of the product's pages, at `/`, and only in a sandbox. In town and bank it acts over HTTP as a
//! [`Person`](super::person::Person); of Obole it uses what anybody may use, the enrolment's addresses, and reads the reports. Every
//! form works without scripts; with them the page keeps itself up to date without taking the focus from a field.
//!
//! | request | does |
//! |---|---|
//! | `GET /` | the page; `?text=` fills the composer |
//! | `POST /play/be`, `/play/join`, `/play/leave` | who one is: a cookie names the person |
//! | `POST /play/enrol`, `/play/consent`, `/play/account`, `/play/code`, `/play/word` | the steps of the enrolment |
//! | `POST /play/post`, `/play/delete`, `/play/answer` | what a person does in the town |
//! | `GET /play/pieces`, `/play/events` | the parts of the page that change, and word that they did |

mod acts;
mod events;
mod page;
mod panes;
mod scene;
mod who;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::Uri;
use axum::response::Response;
use axum::routing::{get, post};
use tokio_util::sync::CancellationToken;

use super::person::Sandbox;
use crate::app::App;
use crate::ids::PlatformName;
use crate::web::assets::Asset;
use crate::web::failure::Failure;

/// What the page is made from.
pub struct PlaygroundState {
    /// For reading reports, and to hear of changes.
    pub app: Arc<App>,
    /// A client for town and bank.
    pub sandbox: Sandbox,
    /// The name of Obole's connection to the town.
    pub platform: PlatformName,
    /// Where Obole's own pages are, without a slash at the end.
    pub obole_url: String,
    /// Told when the pages are to end.
    pub end: CancellationToken,
}

type Play = Arc<PlaygroundState>;

/// The page and what it does. To be put in front of the product's pages with `web::router_around`.
pub fn router(state: PlaygroundState) -> Router {
    Router::new()
        .route("/", get(page::show))
        .route("/play/be", post(acts::be))
        .route("/play/join", post(acts::join))
        .route("/play/leave", post(acts::leave))
        .route("/play/enrol", post(acts::enrol))
        .route("/play/consent", post(acts::consent))
        .route("/play/account", post(acts::account))
        .route("/play/code", post(acts::code))
        .route("/play/word", post(acts::word))
        .route("/play/post", post(acts::post))
        .route("/play/delete", post(acts::delete))
        .route("/play/answer", post(acts::answer))
        .route("/play/pieces", get(page::pieces))
        .route("/play/events", get(events::events))
        .route("/play/assets/{file}", get(asset))
        .with_state(Arc::new(state))
}

const STYLE: Asset = Asset { name: "play.css", kind: "text/css; charset=utf-8", content: include_str!("play.css") };
const SCRIPT: Asset = Asset { name: "play.js", kind: "text/javascript; charset=utf-8", content: include_str!("play.js") };

async fn asset(Path(name): Path<String>, uri: Uri) -> Result<Response, Failure> {
    [STYLE, SCRIPT].iter().find(|asset| asset.name == name).map(|asset| asset.response(&uri)).ok_or(Failure::NotFound)
}
