//! The reference backend: the Obole Settlement API, completely, over the fake bank.
//!
//! For whoever writes a backend of their own to look at, for the conformance kit to be tried on, and for Obole's own tests. It shows
//! what the protocol asks of a backend: an order is written down before it is carried out, its id is never forgotten, whoever was
//! answered finds the same after a kill. It can be told to make any of the mistakes in `defect`.
//!
//! | where | what |
//! |---|---|
//! | the addresses of the OpenAPI document | the protocol |
//! | `/test/clock` | sets the clock forward, since nobody waits for a year |
//! | `/`, `/accounts/{iban}`, `/approve/{authorisation}`, `/sandbox/…` | the fake bank's own pages and helpers, as the sandbox bank has them |
//!
//! It listens on loopback only. Without clients, everybody is the same client and nobody signs.

pub mod defect;
mod failure;
mod feed;
mod gate;
mod order;
mod payments;
mod reading;
mod register;
mod trigger;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::routing::{get, post, put};
use tokio::sync::Mutex;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use self::defect::Defect;
use self::failure::Failure;
use self::register::Register;
use super::listen::listen;
use crate::bank::fake::{Account, FakeBank, Settings};
use crate::bank::settlement::sign::RequestKey;
use crate::clock::{Clock, Timestamp, later};
use crate::entropy::SystemEntropy;
use crate::money::{Currency, Money};

/// What to serve, and where.
pub struct ReferenceBackend {
    /// The bank behind it.
    pub bank: Arc<FakeBank>,
    /// What the bank's clock shows; it is this one that can be set forward.
    pub clock: Arc<TestClock>,
    /// The moment by which signatures are judged.
    pub wall: Arc<dyn Clock>,
    /// Where orders are remembered; nowhere without it.
    pub state: Option<PathBuf>,
    /// Who may call; everybody without any.
    pub clients: Vec<RequestKey>,
    /// The mistake it is to make.
    pub defect: Option<Defect>,
    /// Where to listen: `127.0.0.1:8090`; port 0 takes a free one.
    pub address: String,
    /// Ends it.
    pub shutdown: CancellationToken,
}

/// A backend that is being served.
pub struct Running {
    /// Where it listens.
    pub addresses: Vec<SocketAddr>,
    /// How it is reached.
    pub url: String,
    /// Ends after the shutdown was asked for.
    pub task: JoinHandle<anyhow::Result<()>>,
}

/// A clock that can be set ahead of another.
pub struct TestClock {
    inner: Arc<dyn Clock>,
    ahead: std::sync::Mutex<Duration>,
}

impl TestClock {
    /// A clock that shows what `inner` shows.
    pub fn over(inner: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(TestClock { inner, ahead: std::sync::Mutex::new(Duration::ZERO) })
    }

    /// Shows this much later than the inner one, from now on.
    fn set_ahead(&self, by: Duration) {
        *self.ahead.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = by;
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        later(self.inner.now(), *self.ahead.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

/// What every handler needs.
struct State {
    bank: Arc<FakeBank>,
    clock: Arc<TestClock>,
    wall: Arc<dyn Clock>,
    register: Mutex<Register>,
    clients: Vec<RequestKey>,
    defect: Option<Defect>,
    ground: Ground,
    /// Where the bank's own pages are.
    url: String,
}

impl State {
    /// Where the bank's own pages are.
    fn bank_pages(&self) -> &str {
        &self.url
    }
}

type Shared = Arc<State>;

/// The accounts that the conformance kit plays with.
struct Ground {
    debtor: Account,
    creditor: Account,
    other: Account,
}

/// How often it looks whether something has happened by itself, and whether something is to be pushed.
const TICK: Duration = Duration::from_millis(40);
/// From acceptance to booking: long enough to see a payment under way, short enough to wait for.
const EXECUTION_MS: u64 = 300;
/// How long open connections may finish after the shutdown was asked for.
const FAREWELL: Duration = Duration::from_millis(500);
/// What the kit's payer has: enough for many runs of the kit.
const FORTUNE: Money = Money::new(100_000_000, Currency::EUR);

/// The bank behind a backend: with a file for its orders, its books are beside it in `FILE.books`.
pub fn open_books(state: Option<&Path>, clock: Arc<TestClock>) -> anyhow::Result<Arc<FakeBank>> {
    let settings = Settings { execution_delay_ms: EXECUTION_MS, ..Settings::default() };
    let entropy = Arc::new(SystemEntropy);
    let Some(file) = state else { return Ok(Arc::new(FakeBank::in_memory(settings, clock, entropy))) };
    let mut books = file.as_os_str().to_owned();
    books.push(".books");
    let bank = FakeBank::open(Path::new(&books), settings, clock, entropy).context("the reference backend's books")?;
    Ok(Arc::new(bank))
}

/// Listens, and serves in the background until the shutdown is asked for.
pub async fn serve(backend: ReferenceBackend) -> anyhow::Result<Running> {
    let ReferenceBackend { bank, clock, wall, state: file, clients, defect, address, shutdown } = backend;
    let listeners = listen(&address).context("the reference backend did not start")?;
    let addresses = listeners.iter().map(tokio::net::TcpListener::local_addr).collect::<std::io::Result<Vec<_>>>()?;
    let url = format!("http://{}", addresses.first().context("no address to listen on")?);
    let register = Register::open(file.as_deref(), defect == Some(defect::LOSES_STATE)).await?;
    clock.set_ahead(register.ahead);
    let ground = Ground {
        debtor: account(&bank, "kit-payer", "Jeanne Dupont", FORTUNE)?,
        creditor: account(&bank, "kit-payee", "Association du Test", Money::zero(Currency::EUR))?,
        other: account(&bank, "kit-other", "Secours Exemplaire", Money::zero(Currency::EUR))?,
    };
    let state = Arc::new(State { bank, clock, wall, register: Mutex::new(register), clients, defect, ground, url: url.clone() });
    let router = router(state.clone(), &url);
    let mut servers = JoinSet::new();
    for listener in listeners {
        let (stop, router) = (shutdown.clone(), router.clone());
        servers.spawn(async move {
            let server = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
            let farewell = async {
                stop.cancelled().await;
                tokio::time::sleep(FAREWELL).await;
            };
            tokio::select! {
                ended = server => ended,
                () = farewell => Ok(()),
            }
        });
    }
    let ticking = state.clone();
    let pushing = feed::client().context("no client for webhooks")?;
    let ticker = tokio::spawn(shutdown.clone().run_until_cancelled_owned(async move {
        loop {
            tokio::time::sleep(TICK).await;
            if let Err(failure) = payments::catch_up(&ticking, &mut *ticking.register.lock().await).await {
                tracing::warn!(?failure, "what happened by itself could not be written down");
            }
            feed::push(&ticking, &pushing).await;
        }
    }));
    let task = tokio::spawn(async move {
        while let Some(ended) = servers.join_next().await {
            ended?.context("the reference backend stopped")?;
        }
        ticker.await?;
        Ok(())
    });
    Ok(Running { addresses, url, task })
}

fn account(bank: &FakeBank, login: &str, name: &str, opening: Money) -> anyhow::Result<Account> {
    if let Some(view) = bank.accounts_of(login)?.into_iter().next() {
        return Ok(view.account);
    }
    Ok(bank.open_account(login, name, opening)?)
}

fn router(state: Shared, url: &str) -> Router {
    let people = super::bank::people(state.bank.clone(), url);
    let protocol = Router::new()
        .route("/payments/{id}", put(payments::put).get(payments::read))
        .route("/payments/{id}/cancel", post(payments::cancel))
        .route("/payee-verifications", post(reading::verify_payee))
        .route("/events", get(feed::read))
        .route("/webhook", put(feed::put_webhook))
        .route("/entries", get(reading::entries))
        .route("/account-links", post(reading::link_account))
        .route("/account-links/{link}", get(reading::account_link))
        .layer(axum::middleware::from_fn_with_state(state.clone(), gate::pass));
    Router::new()
        .route("/capabilities", get(reading::capabilities))
        .route("/test/clock", get(reading::clock).post(reading::advance))
        .merge(protocol)
        .with_state(state)
        .merge(people)
        .fallback(|| async { Failure::new("no_such_address", "Nothing is served at this address.") })
        .method_not_allowed_fallback(|| async { Failure::new("method_not_allowed", "The address does not know this method.") })
}
