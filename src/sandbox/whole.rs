//! The whole sandbox in one process: the town, the bank, the people in them, and an Obole that reaches both over HTTP through its
//! production adapters.
//!
//! All of it keeps its state in one data directory: Obole in its SQLite file, town and bank in journals that are written before they
//! answer. So the process may be killed at any moment and started again on the same directory.

use std::io::Write as _;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::person::Sandbox;
use super::seed::{self, Seeded};
use super::{bank, playground, settlement, town};
use crate::app::operate::Office;
use crate::app::{App, CodeSecret, Parts, directory};
use crate::bank::Bank;
use crate::bank::berlin_group::{self, BerlinGroup};
use crate::bank::fake::{FakeBank, Settings};
use crate::bank::settlement::{self as api, SettlementApi};
use crate::clock::{Clock, SteadyClock};
use crate::entropy::{Entropy, SystemEntropy, random_bytes};
use crate::ids::{BankName, PlatformName, hex};
use crate::order::Policy;
use crate::people::screening::NoScreening;
use crate::platform::fake::Town;
pub use crate::platform::fake::{Limits, Window};
use crate::platform::mastodon::{Mastodon, MastodonConfig, SendWindow};
use crate::serve::Serving;
use crate::store::{Ground, Location, Store};
use crate::web;

/// How Obole names its connection to the town.
pub const TOWN: &str = "town";

/// How Obole names its connection to the bank.
pub const BANK: &str = "bank";

/// What the sandbox bank can take; a machine's own loopback, not a bank's rule.
const CALLS_PER_SECOND: NonZeroU32 = NonZeroU32::new(2_000).expect("is not zero");

/// A whole demonstration enrols from one address.
const ENROLMENTS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(100_000).expect("is not zero");

/// What the sandbox bank speaks, and through which adapter Obole speaks to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum BankApi {
    /// Berlin Group NextGenPSD2
    #[default]
    BerlinGroup,
    /// The Obole Settlement API
    Settlement,
}

/// How the sandbox is to be set up.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Where everything is kept; made if missing.
    pub data: PathBuf,
    /// Where the town listens.
    pub town_listen: String,
    /// Where the bank listens.
    pub bank_listen: String,
    /// What the bank speaks.
    pub bank_api: BankApi,
    /// How people reach Obole's pages.
    pub public_url: String,
    /// What the town lets one account send, and announces in its headers.
    pub town_limits: Limits,
    /// Sums and times.
    pub policy: Policy,
}

/// The sandbox while it runs, with Obole not yet serving pages.
pub struct Whole {
    /// The application.
    pub app: Arc<App>,
    /// Its tasks.
    pub serving: Serving,
    /// A client for town and bank.
    pub sandbox: Sandbox,
    /// Who plays, who may be paid.
    pub seeded: Seeded,
    servers: CancellationToken,
    town: town::Serving,
    bank: bank::Running,
}

/// Starts everything. When this returns, town and bank answer and Obole listens to the town.
pub async fn start(setup: &Setup) -> anyhow::Result<Whole> {
    let clock: Arc<dyn Clock> = Arc::new(SteadyClock::start());
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    make(&setup.data)?;
    // Before anything else is touched: a second process on the same directory is told so by this.
    let store = Store::open(&Location::Sqlite(setup.data.join("obole.db")), Ground::Sandbox).await?;

    let servers = CancellationToken::new();
    let people = open_town(&setup.data, setup.town_limits, entropy.clone())?;
    let town = serve_town(&setup.data, people, setup.town_listen.clone(), clock.clone(), servers.clone()).await?;
    let books = open_bank(&setup.data, clock.clone(), entropy.clone())?;
    let bank = match setup.bank_api {
        BankApi::BerlinGroup => serve_bank(books, setup.bank_listen.clone(), servers.clone()).await?,
        BankApi::Settlement => serve_backend(&setup.data, books, setup.bank_listen.clone(), clock.clone(), servers.clone()).await?,
    };

    let sandbox = Sandbox::at(&town.public_url, &bank.public_url)?;
    let seeded = seed::sow(&sandbox, &PlatformName::from(TOWN)).await.context("the sandbox could not be peopled")?;
    let app = connect(Connecting {
        store,
        sandbox: &sandbox,
        bank_api: setup.bank_api,
        seeded: &seeded,
        statuses: setup.town_limits.statuses,
        calls_per_second: CALLS_PER_SECOND,
        policy: setup.policy.clone(),
        secret: CodeSecret::new(secret(&setup.data, entropy.as_ref())?),
        public_url: setup.public_url.clone(),
        clock,
        entropy,
    })
    .await?;
    let serving = Serving::start(app.clone());
    serving.serve_operators(Office::default());
    Ok(Whole { app, serving, sandbox, seeded, servers, town, bank })
}

/// What an Obole is put together from that is connected to a sandbox's town and bank.
pub struct Connecting<'a> {
    /// An open store.
    pub store: Store,
    /// Where town and bank are.
    pub sandbox: &'a Sandbox,
    /// What the bank speaks.
    pub bank_api: BankApi,
    /// Who is there.
    pub seeded: &'a Seeded,
    /// What the town lets Obole send.
    pub statuses: Window,
    /// What the bank can take.
    pub calls_per_second: NonZeroU32,
    /// Sums and times.
    pub policy: Policy,
    /// What codes are derived from.
    pub secret: CodeSecret,
    /// How people reach Obole's pages.
    pub public_url: String,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Codes, salts and ids.
    pub entropy: Arc<dyn Entropy>,
}

/// Connects an Obole to a town and a bank that are being served, through the adapters that production uses.
pub async fn connect(parts: Connecting<'_>) -> anyhow::Result<Arc<App>> {
    let Connecting { store, sandbox, bank_api, seeded, statuses, calls_per_second, policy, secret, public_url, clock, entropy } =
        parts;
    let mastodon = MastodonConfig {
        send_windows: vec![SendWindow { limit: statuses.limit, period_seconds: statuses.period_seconds.into() }],
        from_beginning: true,
        ..MastodonConfig::new(sandbox.town_url(), seeded.bot_token.clone())
    };
    let platform =
        Mastodon::connect(mastodon, PlatformName::from(TOWN)).await.context("Obole could not connect to the sandbox town")?;
    let bank_url = sandbox.bank_url().parse().context("the sandbox bank's address")?;
    let name = BankName::from(BANK);
    let settlement: Arc<dyn Bank> = match bank_api {
        BankApi::BerlinGroup => {
            Arc::new(BerlinGroup::new(name, berlin_group::Settings::at(bank_url), clock.clone(), entropy.clone())?)
        }
        BankApi::Settlement => Arc::new(SettlementApi::new(name, api::Settings::at(bank_url), clock.clone())?),
    };
    let app = App::new(Parts {
        store,
        platforms: vec![Arc::new(platform)],
        banks: vec![(settlement, calls_per_second)],
        clock,
        secret,
        entropy,
        policy,
        screening: Arc::new(NoScreening),
        public_url,
    });
    for finding in directory::register(&app, &seeded.payees, &seeded.campaigns).await? {
        tracing::warn!(%finding, "something about the payee directory");
    }
    Ok(app)
}

/// Opens the town that a data directory remembers.
pub fn open_town(data: &Path, limits: Limits, entropy: Arc<dyn Entropy>) -> anyhow::Result<Arc<Town>> {
    make(data)?;
    let town = Town::open(&data.join("town.journal"), limits, entropy).context("the sandbox town cannot be opened")?;
    Ok(Arc::new(town))
}

/// Opens the bank that a data directory remembers.
pub fn open_bank(data: &Path, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> anyhow::Result<Arc<FakeBank>> {
    make(data)?;
    let bank = FakeBank::open(&data.join("bank.journal"), Settings::default(), clock, entropy)
        .context("the sandbox bank cannot be opened")?;
    Ok(Arc::new(bank))
}

/// Serves the town of a data directory.
pub async fn serve_town(
    data: &Path,
    town: Arc<Town>,
    listen: String,
    clock: Arc<dyn Clock>,
    shutdown: CancellationToken,
) -> anyhow::Result<town::Serving> {
    let identity_url = Some(identity(data, &listen)?);
    let heartbeat = town::HEARTBEAT;
    town::serve(town::TownServer { town, clock, listen, public_url: None, identity_url, heartbeat, shutdown }).await
}

/// Serves a bank through the Obole Settlement API.
async fn serve_backend(
    data: &Path,
    bank: Arc<FakeBank>,
    address: String,
    clock: Arc<dyn Clock>,
    shutdown: CancellationToken,
) -> anyhow::Result<bank::Running> {
    let backend = settlement::ReferenceBackend {
        bank,
        clock: settlement::TestClock::over(clock.clone()),
        wall: clock,
        state: Some(data.join("settlement.db")),
        clients: Vec::new(),
        defect: None,
        address,
        shutdown,
    };
    let settlement::Running { addresses, url, task } = settlement::serve(backend).await?;
    Ok(bank::Running { addresses, public_url: url, task })
}

/// Serves a bank.
pub async fn serve_bank(bank: Arc<FakeBank>, address: String, shutdown: CancellationToken) -> anyhow::Result<bank::Running> {
    bank::serve(bank::SandboxBank { bank, address, public_url: None, bearer_token: None, shutdown }).await
}

/// What the town's posts are called by, wherever it is served: written down on the first start, because payment keys are made from it.
fn identity(data: &Path, listen: &str) -> anyhow::Result<String> {
    let path = data.join("town.identity");
    let cannot = || format!("the town's identity in {}", path.display());
    match std::fs::read_to_string(&path) {
        Ok(url) => Ok(url.trim().to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let url = format!("http://{listen}");
            let beside = path.with_extension("new");
            std::fs::write(&beside, &url).and_then(|()| std::fs::rename(&beside, &path)).with_context(cannot)?;
            Ok(url)
        }
        Err(error) => Err(error).with_context(cannot),
    }
}

fn make(data: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(data).with_context(|| format!("cannot make the data directory {}", data.display()))
}

impl Whole {
    /// Serves the product's pages, and the page to play on.
    pub fn open_pages(&self, listeners: Vec<TcpListener>) {
        let end = self.serving.end_of_pages();
        let pages = web::WebState {
            ground: Ground::Sandbox,
            bank_origins: vec![self.sandbox.bank_url().to_owned()],
            enrolments_per_minute: ENROLMENTS_PER_MINUTE,
            ..web::WebState::new(self.app.clone(), self.serving.ledger().clone(), end.clone())
        };
        let front = playground::router(playground::PlaygroundState {
            app: self.app.clone(),
            sandbox: self.sandbox.clone(),
            platform: PlatformName::from(TOWN),
            obole_url: self.app.public_url.clone(),
            end,
        });
        self.serving.serve_web(listeners, web::router_around(pages, front));
    }

    /// Stops Obole first, then what it talks to.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.serving.stop().await;
        self.servers.cancel();
        // A page that is still being read does not hold the end up.
        let ended = async {
            self.bank.task.await.context("the sandbox bank")??;
            self.town.ended().await
        };
        tokio::time::timeout(FAREWELL, ended).await.unwrap_or(Ok(()))
    }
}

/// How long the sandbox servers may take to end.
const FAREWELL: Duration = Duration::from_secs(5);

/// The secret of this data directory: made on the first start, readable by its owner only.
fn secret(data: &Path, entropy: &dyn Entropy) -> anyhow::Result<[u8; 32]> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let path = data.join("secret.key");
    let cannot = || format!("the secret in {}", path.display());
    match std::fs::read_to_string(&path) {
        Ok(text) => CodeSecret::bytes_from_hex(text.trim())
            .with_context(|| format!("{} does not hold 64 hexadecimal characters", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let bytes = random_bytes::<32>(entropy);
            // Written beside and renamed, so that a kill leaves either no secret or a whole one.
            let beside = path.with_extension("new");
            let mut file =
                std::fs::File::options().create(true).truncate(true).write(true).mode(0o600).open(&beside).with_context(cannot)?;
            file.write_all(hex(&bytes).as_bytes()).and_then(|()| file.sync_all()).with_context(cannot)?;
            std::fs::rename(&beside, &path).with_context(cannot)?;
            Ok(bytes)
        }
        Err(error) => Err(error).with_context(cannot),
    }
}
