//! The sandbox bank: [`FakeBank`] behind the Berlin Group's NextGenPSD2 1.3.12 interface.
//!
//! A thin skin. What is allowed, booked and remembered is the fake bank's business; here requests are read as strictly as
//! the standard has it (OpenAPI file `psd2-api 1.3.12`, Implementation Guidelines 1.3), answered in its words, and faults
//! that concern the wire (lost answers, errors, slowness) are acted out.
//!
//! | where | what |
//! |---|---|
//! | `/v1/…` | payments, authorisations, consents, accounts, funds confirmation: what a production adapter speaks |
//! | `/approve/{authorisation}` | the page where an account holder approves or refuses |
//! | `/`, `/accounts/{iban}` | accounts and statements for a person to read |
//! | `/sandbox/…` | what no real bank has: opening accounts, faults, returns, totals (`/sandbox` explains) |
//!
//! It listens on loopback only and asks third parties for no certificate; a request that is signed has to be
//! signed rightly. When a bearer token is set, `/v1` wants it. As in
//! the standard there is no idempotency: two equal POSTs are two payments.

mod accounts;
mod consents;
mod error;
pub mod files;
mod gate;
mod helper;
mod initiation;
mod pages;
mod payments;
mod seal;
mod words;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use secrecy::SecretString;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use self::error::BgError;
use super::listen::listen;
use crate::bank::fake::FakeBank;

/// No request here has a reason to be longer.
const LARGEST_BODY: usize = 64 * 1024;
/// How long open connections may finish after the shutdown was asked for.
const FAREWELL: Duration = Duration::from_secs(2);

/// What to serve, and where.
pub struct SandboxBank {
    /// The bank.
    pub bank: Arc<FakeBank>,
    /// Where to listen: `localhost:8082`; port 0 takes a free one.
    pub address: String,
    /// How browsers reach it; `http://localhost:{port}` without it.
    pub public_url: Option<String>,
    /// The token that third parties must present; anybody may call without it.
    pub bearer_token: Option<SecretString>,
    /// Ends it.
    pub shutdown: CancellationToken,
}

/// A bank that is being served.
pub struct Running {
    /// Where it listens.
    pub addresses: Vec<SocketAddr>,
    /// How browsers reach it.
    pub public_url: String,
    /// Ends after the shutdown was asked for.
    pub task: JoinHandle<anyhow::Result<()>>,
}

/// What every handler needs.
#[derive(Clone)]
struct App {
    bank: Arc<FakeBank>,
    public_url: Arc<str>,
    bearer_token: Option<SecretString>,
}

/// Listens, and serves in the background until the shutdown is asked for.
pub async fn serve(sandbox: SandboxBank) -> anyhow::Result<Running> {
    let listeners = listen(&sandbox.address).context("the sandbox bank did not start")?;
    let addresses = listeners.iter().map(tokio::net::TcpListener::local_addr).collect::<std::io::Result<Vec<_>>>()?;
    let port = addresses.first().context("no address to listen on")?.port();
    let public_url = sandbox.public_url.unwrap_or_else(|| format!("http://localhost:{port}"));
    let public_url = public_url.trim_end_matches('/').to_owned();
    let app = App { bank: sandbox.bank, public_url: public_url.as_str().into(), bearer_token: sandbox.bearer_token };
    let router = router(app);
    let mut servers = JoinSet::new();
    for listener in listeners {
        // Answers are small: waiting to fill a packet would only make them late.
        let listener = listener.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
        let server = axum::serve(listener, router.clone()).with_graceful_shutdown(sandbox.shutdown.clone().cancelled_owned());
        servers.spawn(until_farewell(server.into_future(), sandbox.shutdown.clone()));
    }
    let task = tokio::spawn(async move {
        while let Some(ended) = servers.join_next().await {
            ended?.context("the sandbox bank stopped")?;
        }
        Ok(())
    });
    Ok(Running { addresses, public_url, task })
}

/// The bank's own pages and its helper interface alone, for another protocol's server over the same bank.
pub(super) fn people(bank: Arc<FakeBank>, public_url: &str) -> Router {
    let app = App { bank, public_url: public_url.into(), bearer_token: None };
    helper::routes().merge(pages::routes()).layer(DefaultBodyLimit::max(LARGEST_BODY)).with_state(app)
}

/// Idle connections and slow answers do not hold up the end.
async fn until_farewell(server: impl Future<Output = std::io::Result<()>>, shutdown: CancellationToken) -> std::io::Result<()> {
    let farewell = async {
        shutdown.cancelled().await;
        tokio::time::sleep(FAREWELL).await;
    };
    tokio::select! {
        ended = server => ended,
        () = farewell => Ok(()),
    }
}

fn router(app: App) -> Router {
    let payment = "/payments/{product}/{payment}";
    let standard = Router::new()
        .route("/payments/{product}", post(payments::initiate))
        .route("/{service}/{product}", post(payments::unknown_service))
        .route(payment, get(payments::read).delete(payments::cancel))
        .route(&format!("{payment}/status"), get(payments::status))
        .route(&format!("{payment}/authorisations"), get(payments::authorisations).post(payments::start_authorisation))
        .route(&format!("{payment}/authorisations/{{authorisation}}"), get(payments::sca_status))
        .route(
            &format!("{payment}/cancellation-authorisations"),
            get(payments::cancellation_authorisations).post(payments::start_cancellation),
        )
        .route(&format!("{payment}/cancellation-authorisations/{{authorisation}}"), get(payments::cancellation_status))
        .route("/consents", post(consents::create))
        .route("/consents/{consent}", get(consents::read).delete(consents::delete))
        .route("/consents/{consent}/status", get(consents::status))
        .route("/consents/{consent}/authorisations", get(consents::authorisations).post(consents::start_authorisation))
        .route("/consents/{consent}/authorisations/{authorisation}", get(consents::sca_status))
        .route("/accounts", get(accounts::list))
        .route("/accounts/{account}", get(accounts::read))
        .route("/accounts/{account}/balances", get(accounts::balances))
        .route("/accounts/{account}/transactions", get(accounts::transactions))
        .route("/funds-confirmations", post(accounts::funds))
        .fallback(|| async { BgError::unknown("there is nothing at this address") })
        .method_not_allowed_fallback(|| async {
            let status = axum::http::StatusCode::METHOD_NOT_ALLOWED;
            BgError::new(status, "SERVICE_INVALID", "this method is not valid for this resource")
        })
        .layer(axum::middleware::from_fn_with_state(app.clone(), gate::pass));
    Router::new()
        .nest("/v1", standard)
        .merge(helper::routes())
        .merge(pages::routes())
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(app)
}
