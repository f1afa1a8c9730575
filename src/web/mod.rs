//! The pages: where a person enrols, sees an order, and sees what a campaign has brought in.
//!
//! Every page is one column that works on a phone, without scripts and in French and English; a small script only keeps pages up to
//! date and copies texts. Nothing is loaded from anywhere else. What a page says is read through `app`; what a person does goes through
//! `app` too. The enrolment's addresses also answer a program that asks for JSON.
//!
//! | address | what |
//! |---|---|
//! | `GET /` | what this is (unless something else is mounted there, see [`router_around`]) |
//! | `/enrol…` | linking an account, see [`enrol`] |
//! | `/confirm/{link}`, `/not-me/{link}` | confirming one order with a passkey, see `confirm`; saying that it was not oneself |
//! | `/me…` | a person's own pages, behind a passkey, see `me` |
//! | `GET /orders/{id}`, `…/events` | one order, and its changes as server-sent events |
//! | `GET /bank/return/{id}` | where a bank sends the payer's browser; proves nothing |
//! | `GET /c/{tag}`, `…/events` | a campaign |
//! | `GET /claim` | what somebody does who is to be paid and is not known yet |
//! | `/payees/apply` | an organisation applies to be paid |
//! | `GET /language` | the order language: how to write an order, every word, every near miss |
//! | `/try-the-language` | what would be read in a text |
//! | `GET /platforms` | how each platform's connection fares, for this machine only |
//! | `/platforms/{name}` | where a platform that pushes its events calls, see [`crate::platform::inbound`] |
//! | `GET /settlement`, `…/openapi.json` | how a bank connects: the Obole Settlement API |
//! | `POST /settlement/events/{name}` | a bank's webhooks, see [`BankWebhook`] |
//! | `GET /livez`, `/readyz` | for whoever watches the process |

pub(crate) mod apply;
pub(crate) mod assets;
pub(crate) mod campaign;
pub(crate) mod claim;
mod confirm;
pub(crate) mod dress;
pub mod enrol;
pub(crate) mod failure;
mod front;
mod inbound;
pub(crate) mod language;
pub(crate) mod live;
mod me;
pub(crate) mod order;
mod passkey;
mod settlement;
pub(crate) mod shell;
pub(crate) mod visitor;
pub(crate) mod words;

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::app::ledger::Ledger;
use crate::store::Ground;

pub use settlement::webhook::BankWebhook;

/// What the pages are made from.
pub struct WebState {
    /// Everything the verbs need.
    pub app: Arc<App>,
    /// Where a person's word is decided about.
    pub ledger: Ledger,
    /// Whether the money is real; pages of a sandbox say that it is not.
    pub ground: Ground,
    /// The origins (`https://bank.example`) of the banks' own pages, to which a form may lead; to others a link does.
    pub bank_origins: Vec<String>,
    /// How many enrolments may be begun from one address in a minute.
    pub enrolments_per_minute: NonZeroU32,
    /// A reverse proxy in front of us writes the visitor's address at the end of `X-Forwarded-For`.
    pub behind_proxy: bool,
    /// The banks whose webhooks come in here.
    pub webhooks: Vec<BankWebhook>,
    /// Told when the pages are to end, so that open streams do not hold the process.
    pub end: CancellationToken,
}

/// What one person needs who tries a few times; more is a script.
const ENROLMENTS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(10).unwrap();

/// Challenges that one address may ask for in a minute before anybody has entered: each one is a row, for five minutes.
const CHALLENGES_PER_MINUTE: NonZeroU32 = NonZeroU32::new(60).unwrap();

impl WebState {
    /// Pages about real money, seen directly; an enrolment shows a link to the bank's page instead of leading there at once.
    pub fn new(app: Arc<App>, ledger: Ledger, end: CancellationToken) -> Self {
        WebState {
            app,
            ledger,
            ground: Ground::Production,
            bank_origins: Vec::new(),
            enrolments_per_minute: ENROLMENTS_PER_MINUTE,
            behind_proxy: false,
            webhooks: Vec::new(),
            end,
        }
    }
}

/// What every handler holds.
pub(crate) struct Web {
    pub(crate) app: Arc<App>,
    pub(crate) ledger: Ledger,
    pub(crate) ground: Ground,
    pub(crate) behind_proxy: bool,
    pub(crate) end: CancellationToken,
    pub(crate) beginners: enrol::Beginners,
    /// Who may ask for a challenge without having entered.
    pub(crate) callers: enrol::Beginners,
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) bank_origins: Vec<String>,
    pub(crate) heard: settlement::webhook::HeardIds,
    webhooks: Vec<BankWebhook>,
    policy: dress::Headers,
}

/// All pages.
pub fn router(config: WebState) -> Router {
    let state = state(config);
    let front = Router::new().route("/", get(front::show)).with_state(state.clone());
    around(state, front)
}

/// All pages but `/`, with what `front` has beside them; it gets the same headers, limits and error pages.
pub fn router_around(config: WebState, front: Router) -> Router {
    around(state(config), front)
}

fn state(config: WebState) -> Arc<Web> {
    let secure = config.app.public_url.starts_with("https://");
    Arc::new(Web {
        policy: dress::Headers::new(&config.bank_origins, secure),
        app: config.app,
        ledger: config.ledger,
        ground: config.ground,
        behind_proxy: config.behind_proxy,
        end: config.end,
        bank_origins: config.bank_origins,
        heard: settlement::webhook::HeardIds::default(),
        webhooks: config.webhooks,
        beginners: enrol::Beginners::new(config.enrolments_per_minute),
        callers: enrol::Beginners::new(CHALLENGES_PER_MINUTE),
        streams: Arc::new(Semaphore::new(live::STREAMS)),
    })
}

fn own_pages() -> Router<Arc<Web>> {
    use me::settings;
    Router::new()
        .route("/me", get(me::show))
        .route("/me/enter", post(me::enter))
        .route("/me/enter/begin", post(me::begin_entering))
        .route("/me/leave", post(me::leave))
        .route("/me/orders/{id}", post(me::confirm))
        .route("/me/orders/{id}/begin", post(me::begin_confirming))
        .route("/me/orders/{id}/no", post(me::decline))
        .route("/me/orders/{id}/not-me", post(me::disown))
        .route("/me/export", get(me::export))
        .route("/me/erase", get(me::ask_whether_to_erase).post(me::erase))
        .route("/me/erase/begin", post(me::begin_erasing))
        .route("/me/erased", get(me::erased))
        .route("/me/settings", get(settings::show))
        .route("/me/settings/phrase", post(settings::set_phrase))
        .route("/me/settings/language", post(settings::set_language))
        .route("/me/settings/limits", post(settings::set_limits))
        .route("/me/settings/unlink", post(settings::unlink))
        .route("/me/settings/pay-from", post(settings::pay_from))
        .route("/me/settings/disconnect", post(settings::disconnect))
        .route("/me/passkeys", post(settings::add_passkey))
        .route("/me/passkeys/begin", post(settings::begin_adding))
        .route("/me/passkeys/remove", post(settings::remove_passkey))
        .route("/me/accounts", post(settings::begin_linking))
        .route("/me/banks", post(settings::begin_connecting))
}

fn around(state: Arc<Web>, front: Router) -> Router {
    let pages = Router::new()
        .route("/enrol", get(enrol::show).post(enrol::begin))
        .route("/enrol/return", get(enrol::come_back))
        .route("/enrol/account", post(enrol::choose))
        .route("/enrol/code", post(enrol::renew))
        .route("/enrol/word", post(enrol::say))
        .route("/enrol/passkey", post(enrol::add_passkey))
        .route("/enrol/passkey/begin", post(enrol::begin_adding_passkey))
        .route("/confirm/{link}", get(confirm::show).post(confirm::finish))
        .route("/confirm/{link}/begin", post(confirm::begin))
        .route("/confirm/{link}/no", post(confirm::decline))
        .route("/not-me/{link}", get(confirm::ask_whether_not_me).post(confirm::report_not_me))
        .merge(own_pages())
        .route("/orders/{id}", get(order::show))
        .route("/orders/{id}/events", get(order::events))
        .route("/bank/return/{id}", get(order::bank_return))
        .route("/c/{tag}", get(campaign::show))
        .route("/c/{tag}/events", get(campaign::events))
        .route("/claim", get(claim::show))
        .route(apply::PATH, get(apply::show).post(apply::hand_in))
        .route("/language", get(language::guide::show))
        .route(language::trial::PATH, get(language::trial::show).post(language::trial::read))
        .route("/platforms", get(inbound::show_health))
        .route("/platforms/{name}", get(inbound::answer_challenge).post(inbound::take_call))
        .route("/settlement", get(settlement::show))
        .route("/settlement/openapi.json", get(settlement::openapi))
        .route("/livez", get(front::livez))
        .route("/readyz", get(front::readyz))
        .route("/assets/{file}", get(assets::serve))
        .with_state(state.clone());
    let hooks = state.webhooks.iter().fold(Router::new(), |hooks, webhook| {
        let (state, webhook) = (state.clone(), webhook.clone());
        let path = webhook.path.clone();
        hooks.route(&path, post(move |headers, body| settlement::webhook::receive(state.clone(), webhook.clone(), headers, body)))
    });
    dress::layered(pages.merge(hooks).merge(front), state)
}
