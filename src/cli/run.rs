//! `obole run`: the production start, with real platforms and real banks.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Args;
use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;

use crate::app::changes::{self, Taken};
use crate::app::directory::{self, CampaignEntry, PayeeEntry, PayeeHandle};
use crate::app::operate::Office;
use crate::app::reconcile::Schedule;
use crate::app::{App, CodeSecret, Parts, timekeeping};
use crate::bank::Bank;
use crate::bank::berlin_group::{self, BerlinGroup};
use crate::bank::iso20022::IsoFiles;
use crate::bank::settlement::{self, SettlementApi, wire};
use crate::clock::{Clock, SteadyClock, SystemClock};
use crate::config::{BankSection, Config, Environment, PlatformSection, SettlementSection};
use crate::crash::crash_point;
use crate::entropy::{Entropy, SystemEntropy};
use crate::exit::ExitCode;
use crate::ids::{AccountId, BankName, PlatformName};
use crate::order::Policy;
use crate::people::screening::{NoScreening, Screening};
use crate::platform::Platform;
use crate::platform::bluesky::{Bluesky, BlueskyConfig};
use crate::platform::mastodon::{Mastodon, MastodonConfig, SendWindow};
use crate::platform::webhook::Webhook;
use crate::platform::x::X;
use crate::serve::Serving;
use crate::store::{Ground, Location, Store};
use crate::telemetry::{self, LogArgs};
use crate::terminal::{asked_to_stop, complain, say};
use crate::web;

/// What the production start is given.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// The configuration; obole.example.toml explains every key
    #[arg(long, value_name = "FILE", env = "OBOLE_CONFIG")]
    config: PathBuf,
    /// Where the web part listens, in place of the configuration's `web.listen`
    #[arg(long, value_name = "ADDR", env = "OBOLE_LISTEN")]
    listen: Option<String>,
    /// Directory for a SQLite database, in place of the configuration's `store.url`
    #[arg(long, value_name = "DIR", env = "OBOLE_DATA")]
    data: Option<PathBuf>,
}

pub(super) async fn run(args: RunArgs, log: &LogArgs) -> ExitCode {
    telemetry::init(log);
    let config = match Config::load(&args.config, &Environment::of_process()) {
        Ok(config) => config,
        Err(error) => return super::check_config::report(error, false),
    };
    match serve(args, config).await {
        Ok(()) => ExitCode::Ok,
        Err(error) => complain(&error, ExitCode::of(&error)),
    }
}

async fn serve(args: RunArgs, config: Config) -> anyhow::Result<()> {
    for warning in &config.warnings {
        tracing::warn!(%warning, "the configuration deserves a look");
    }
    let listen = args.listen.unwrap_or_else(|| config.web.listen.to_string());
    let listeners = bind(&listen).await?;
    if let Some(directory) = &args.data {
        std::fs::create_dir_all(directory).with_context(|| format!("cannot make the data directory {}", directory.display()))?;
    }
    let location = location(&config, args.data.as_deref());
    let store = Store::open(&location, Ground::Production).await?;
    timekeeping::check(&store, SystemClock.now()).await?;
    let app = put_together(&config, store, connect_platforms(&config).await?).await?;
    let (payees, campaigns) = entries(&config);
    let Taken { findings, proposed, waiting } = changes::take_configuration(&app, &payees, &campaigns, &config.limits).await?;
    crash_point!("start.configured");
    for finding in findings {
        tracing::warn!(%finding, "something about the payee directory");
    }
    for (id, change) in proposed {
        tracing::warn!(change.id = %id, "the configuration changes what two operators have to approve; until then the old holds");
        say(&format!("not in force yet, change {id}: {change}"));
    }
    if waiting > 0 {
        say(&format!("{waiting} changes wait for two operators: obole operator list, obole operator approve ID --as NAME"));
    }
    let withdrawn = directory::withdraw_all_but(&app, &payees, &campaigns).await?;
    if withdrawn > 0 {
        tracing::warn!(withdrawn, "accounts and campaigns that the configuration does not name any more are withdrawn");
    }
    let serving = Serving::start(app.clone());
    serving.serve_operators(office(&config)?);
    crash_point!("start.ready");
    let mut pages = web::WebState::new(app, serving.ledger().clone(), serving.end_of_pages());
    // Whoever reaches a loopback address is this machine's proxy, and says on whose behalf.
    pages.behind_proxy = config.web.listen.ip().is_loopback();
    pages.webhooks = webhooks(&config)?;
    let router = web::router(pages);
    serving.serve_web(listeners, router);
    say(&format!("Obole {} serves {} and listens on {listen}", env!("CARGO_PKG_VERSION"), config.web.public_url));
    register_webhooks(&config).await;
    asked_to_stop().await;
    tracing::info!("stopping: what is under way comes to its end, everything else is kept");
    serving.stop().await;
    Ok(())
}

/// Where the database is: in `--data`, or where the configuration says.
pub(super) fn location(config: &Config, data: Option<&Path>) -> Location {
    match data {
        Some(directory) => Location::Sqlite(directory.join("obole.db")),
        None => config.store.location().clone(),
    }
}

/// An application over this store, with the banks of the configuration and the limits in force.
pub(super) async fn put_together(config: &Config, store: Store, platforms: Vec<Arc<dyn Platform>>) -> anyhow::Result<Arc<App>> {
    let clock: Arc<dyn Clock> = Arc::new(SteadyClock::start());
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let limits = changes::limits_in_force(&store).await?.unwrap_or_else(|| config.limits.clone());
    Ok(App::new(Parts {
        store,
        platforms,
        banks: connect_banks(config, &clock, &entropy)?,
        clock,
        entropy,
        policy: Policy { limits, timing: config.timing.clone(), ..Policy::default() },
        screening: screening(config),
        secret: CodeSecret::new(*config.secrets.key.expose_secret()),
        public_url: config.web.public_url.to_string(),
    }))
}

/// How operators are served.
pub(super) fn office(config: &Config) -> anyhow::Result<Office> {
    let names = config.operators.names.iter().map(|name| name.parse().map_err(|why| anyhow::anyhow!("operators.names: {why}")));
    let (usual, set) = (Schedule::default(), &config.reconcile);
    let reconciling = Schedule {
        every: set.every.unwrap_or(usual.every),
        account_every: set.account_every.unwrap_or(usual.account_every),
        booking_delay: set.booking_delay.unwrap_or(usual.booking_delay),
        look_back: set.look_back.unwrap_or(usual.look_back),
    };
    Ok(Office { operators: names.collect::<anyhow::Result<_>>()?, reconciling })
}

fn screening(config: &Config) -> Arc<dyn Screening> {
    match &config.screening.sanctions_list {
        Some((_, list)) => Arc::new(list.clone()),
        None => {
            tracing::warn!("no sanctions list is configured ([screening] sanctions_list); nobody is screened");
            Arc::new(NoScreening)
        }
    }
}

/// Every address that the name stands for: `localhost` is two of them.
async fn bind(listen: &str) -> anyhow::Result<Vec<TcpListener>> {
    let addresses: Vec<_> =
        tokio::net::lookup_host(listen).await.with_context(|| format!("{listen:?} is not an address to listen on"))?.collect();
    let mut listeners = Vec::with_capacity(addresses.len());
    let mut last = None;
    for address in addresses {
        match TcpListener::bind(address).await {
            Ok(listener) => listeners.push(listener),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                return Err(error).with_context(|| format!("another program is using {address}"));
            }
            // No IPv6 on this machine, for one.
            Err(error) => last = Some(error),
        }
    }
    match (listeners.is_empty(), last) {
        (false, _) => Ok(listeners),
        (true, Some(error)) => Err(error).with_context(|| format!("cannot listen on {listen}")),
        (true, None) => bail!("{listen:?} stands for no address"),
    }
}

async fn connect_platforms(config: &Config) -> anyhow::Result<Vec<Arc<dyn Platform>>> {
    let mut platforms: Vec<Arc<dyn Platform>> = Vec::with_capacity(config.platforms.len());
    for (name, section) in &config.platforms {
        platforms.push(connect_platform(name, section).await.with_context(|| format!("the platform {name} cannot be used"))?);
    }
    Ok(platforms)
}

pub(super) async fn connect_platform(name: &PlatformName, section: &PlatformSection) -> anyhow::Result<Arc<dyn Platform>> {
    match section {
        PlatformSection::X(config) => Ok(Arc::new(X::connect(config.clone(), name.clone()).await?)),
        PlatformSection::Webhook(config) => {
            Ok(Arc::new(Webhook::new(config.clone(), name.clone()).map_err(|why| anyhow::anyhow!(why))?))
        }
        PlatformSection::Bluesky(config) => {
            let config = BlueskyConfig { may_order: crate::language::may_order, ..config.clone() };
            Ok(Arc::new(Bluesky::connect(config, name.clone()).await?))
        }
        PlatformSection::Mastodon(section) => {
            let base_url = section.base_url.as_str().trim_end_matches('/').to_owned();
            let mut mastodon = MastodonConfig::new(base_url, section.access_token.clone());
            if !section.send_windows.is_empty() {
                let window =
                    |window: &crate::platform::Window| SendWindow { limit: window.limit, period_seconds: window.period.as_secs() };
                mastodon.send_windows = section.send_windows.iter().map(window).collect();
            }
            mastodon.from_beginning = section.from_beginning;
            mastodon.connect_timeout_seconds = section.connect_timeout.as_secs();
            mastodon.request_timeout_seconds = section.request_timeout.as_secs();
            mastodon.silence_seconds = section.silence.as_secs();
            mastodon.poll_seconds = section.poll.as_secs();
            Ok(Arc::new(Mastodon::connect(mastodon, name.clone()).await?))
        }
    }
}

type GovernedBank = (Arc<dyn Bank>, NonZeroU32);

fn connect_banks(config: &Config, clock: &Arc<dyn Clock>, entropy: &Arc<dyn Entropy>) -> anyhow::Result<Vec<GovernedBank>> {
    let connect = |(name, section): (&BankName, &BankSection)| {
        connect_bank(name, section, clock, entropy).with_context(|| format!("the bank {name} cannot be used"))
    };
    config.banks.iter().map(connect).collect()
}

fn connect_bank(
    name: &BankName,
    section: &BankSection,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> anyhow::Result<GovernedBank> {
    match section {
        BankSection::BerlinGroup(section) => {
            let mut settings = berlin_group::Settings::at(section.base_url.clone());
            settings.product = section.product.as_str().to_owned();
            settings.bearer_token = section.bearer_token.clone();
            settings.token = section.token.clone();
            settings.client_identity = section.client_identity.clone();
            settings.signing_identity = section.signing_identity.clone();
            settings.authentication = section.authentication;
            settings.look_up_horizon_hours = u32::try_from(section.look_up_horizon.as_secs().div_ceil(3600))?;
            settings.connect_timeout_ms = u64::try_from(section.connect_timeout.as_millis())?;
            settings.total_timeout_ms = u64::try_from(section.request_timeout.as_millis())?;
            if let std::net::IpAddr::V4(address) = section.psu_ip_address {
                settings.payer_address = address;
            }
            let rate = NonZeroU32::new(section.requests_per_second).context("requests_per_second is 0")?;
            Ok((Arc::new(BerlinGroup::new(name.clone(), settings, clock.clone(), entropy.clone())?), rate))
        }
        BankSection::Settlement(section) => {
            let rate = NonZeroU32::new(section.requests_per_second).context("requests_per_second is 0")?;
            Ok((Arc::new(settlement_api(name, section, clock)?), rate))
        }
        BankSection::Iso20022Files(section) => {
            let rate = NonZeroU32::new(section.requests_per_second).context("requests_per_second is 0")?;
            let files = Arc::new(IsoFiles::open(name.clone(), section.settings.clone(), clock.clone(), entropy.clone())?);
            tokio::spawn(IsoFiles::keep_tending(Arc::downgrade(&files)));
            Ok((files, rate))
        }
    }
}

fn settlement_api(name: &BankName, section: &SettlementSection, clock: &Arc<dyn Clock>) -> anyhow::Result<SettlementApi> {
    let settings = settlement::Settings {
        key: section.key.clone(),
        client_identity: section.client_identity.clone(),
        connect_timeout: section.connect_timeout,
        total_timeout: section.request_timeout,
        ..settlement::Settings::at(section.base_url.clone())
    };
    SettlementApi::new(name.clone(), settings, clock.clone())
}

/// The banks of the configuration that push what happens.
fn webhooks(config: &Config) -> anyhow::Result<Vec<web::BankWebhook>> {
    let mut found = Vec::new();
    for (name, section) in &config.banks {
        if let BankSection::Settlement(SettlementSection { webhook: Some(webhook), .. }) = section {
            found.push(web::BankWebhook::new(webhook.path.clone(), name.clone(), &webhook.secrets)?);
        }
    }
    Ok(found)
}

/// Tells each of them where to. A bank that cannot be told is asked about its payments as usual.
async fn register_webhooks(config: &Config) {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    for (name, section) in &config.banks {
        let BankSection::Settlement(section @ SettlementSection { webhook: Some(webhook), .. }) = section else { continue };
        let url = format!("{}{}", config.web.public_url.as_str().trim_end_matches('/'), webhook.path);
        let secrets = webhook.secrets.iter().map(|secret| secret.expose_secret().to_owned()).collect();
        let told = match settlement_api(name, section, &clock) {
            Ok(backend) => backend.register_webhook(&wire::Webhook { url, secrets }).await.map_err(anyhow::Error::new),
            Err(error) => Err(error),
        };
        match told {
            Ok(()) => tracing::info!(bank.name = %name, "the bank will push what happens"),
            Err(error) => tracing::warn!(bank.name = %name, %error, "the bank could not be told where to push what happens"),
        }
    }
}

fn entries(config: &Config) -> (Vec<PayeeEntry>, Vec<CampaignEntry>) {
    let payees = config.payees.iter().map(|payee| PayeeEntry {
        slug: payee.slug.clone(),
        legal_name: payee.legal_name.clone(),
        class: payee.class,
        iban: payee.iban.clone(),
        registry_number: payee.registry_number.clone(),
        accounts: payee
            .identities
            .iter()
            .map(|identity| PayeeHandle {
                platform: identity.platform.clone(),
                handle: identity.handle.clone(),
                account: identity.account_id.clone().map(AccountId),
            })
            .collect(),
    });
    let campaigns = config.campaigns.iter().map(|campaign| CampaignEntry {
        tag: campaign.tag.clone(),
        title: campaign.title.clone(),
        payee: campaign.payee.clone(),
        goal: campaign.goal,
    });
    (payees.collect(), campaigns.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_shows_how_often_things_are_compared_by_default() {
        let example = include_str!("../../obole.example.toml");
        let section = example.split("[reconcile]").nth(1).and_then(|rest| rest.split("\n# Who may be paid").next()).unwrap();
        let shown = section.replace("# every_", "every_").replace("# account_", "account_");
        let shown = shown.replace("# booking_", "booking_").replace("# look_", "look_");
        let key = ("OBOLE_SECRETS_KEY", "00".repeat(32));
        let token = ("OBOLE_PLATFORMS_MASTODON_ACCESS_TOKEN", "hush".to_owned());
        let environment: Environment = [key, token].map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
        let read = |text: &str| Config::read("obole.toml", text, Path::new("/nowhere"), &environment).unwrap();
        let set = read(&example.replace(section, &shown));
        assert!(set.reconcile.every.is_some() && set.reconcile.look_back.is_some() && set.reconcile.booking_delay.is_some());
        assert_eq!(office(&set).unwrap(), Office::default());
        let named = read(&example.replace("# names = \"ana, bob…\"", "names = \"Ana, bob\""));
        assert_eq!(office(&named).unwrap().operators.len(), 2);
    }
}
