//! What a configuration holds once it is read: plain values. The components' own structs are made from them where they are built.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretBox, SecretString};
use url::Url;

use super::Mistake;
use super::iso20022::Iso20022Section;
use crate::bank::berlin_group::Authentication;
use crate::bank::oauth::ClientCredentials;
use crate::iban::Iban;
use crate::ids::{BankName, PlatformName};
use crate::money::Money;
use crate::order::{Limits, Timing};
use crate::people::Class;
use crate::people::screening::SanctionsList;
use crate::platform::Window;
use crate::platform::bluesky::BlueskyConfig;
use crate::platform::webhook::WebhookConfig;
use crate::platform::x::XConfig;
use crate::store::Location;

/// A production configuration.
#[derive(Debug)]
pub struct Config {
    /// Where the truth is kept.
    pub store: StoreSection,
    /// The pages.
    pub web: WebSection,
    /// What must never be seen.
    pub secrets: SecretsSection,
    /// The social networks, by the name of the connection.
    pub platforms: BTreeMap<PlatformName, PlatformSection>,
    /// The banks, by the name of the connection.
    pub banks: BTreeMap<BankName, BankSection>,
    /// How much.
    pub limits: Limits,
    /// How long.
    pub timing: Timing,
    /// Whom not to pay, and for whom not to.
    pub screening: ScreeningSection,
    /// Who operates it.
    pub operators: OperatorsSection,
    /// How the banks' entries are compared with ours.
    pub reconcile: ReconcileSection,
    /// Who may be paid.
    pub payees: Vec<PayeeSection>,
    /// What is collected for.
    pub campaigns: Vec<CampaignSection>,
    /// What does not hinder a start and deserves a look.
    pub warnings: Vec<Mistake>,
}

/// `[store]`.
pub struct StoreSection {
    pub(super) url: SecretString,
    pub(super) location: Location,
}

impl StoreSection {
    /// Where the database is.
    pub fn location(&self) -> &Location {
        &self.location
    }
}

impl fmt::Debug for StoreSection {
    /// The kind of database only: a URL may hold a password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.url.expose_secret().split(':').next().unwrap_or_default();
        write!(formatter, "StoreSection({scheme}:…)")
    }
}

/// `[web]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebSection {
    /// Where to listen.
    pub listen: SocketAddr,
    /// How the pages are reached from outside; links in messages begin with it. Without a path.
    pub public_url: Url,
}

/// `[secrets]`: 32 bytes, written as 64 hex digits.
#[derive(Debug)]
pub struct SecretsSection {
    /// What confirmation and enrolment codes are derived from.
    pub key: SecretBox<[u8; 32]>,
}

/// `[platforms.NAME]`, by `kind`.
#[derive(Debug, Clone)]
pub enum PlatformSection {
    /// `kind = "mastodon"`.
    Mastodon(MastodonSection),
    /// `kind = "bluesky"`.
    Bluesky(BlueskyConfig),
    /// `kind = "x"`.
    X(XConfig),
    /// `kind = "webhook"`.
    Webhook(WebhookConfig),
}

/// A connection to a Mastodon instance.
#[derive(Debug, Clone)]
pub struct MastodonSection {
    /// Where the instance is.
    pub base_url: Url,
    /// The bot's token.
    pub access_token: SecretString,
    /// How much may be sent; empty means what Mastodon documents.
    pub send_windows: Vec<Window>,
    /// On the very first start, read what was sent to the bot before it.
    pub from_beginning: bool,
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// How long a request may take.
    pub request_timeout: Duration,
    /// After how long without a byte the stream counts as broken.
    pub silence: Duration,
    /// How often to ask for what the stream may have missed.
    pub poll: Duration,
}

/// `[banks.NAME]`, by `kind`.
#[derive(Debug, Clone)]
pub enum BankSection {
    /// `kind = "berlin_group"`.
    BerlinGroup(BerlinGroupSection),
    /// `kind = "settlement"`.
    Settlement(super::SettlementSection),
    /// `kind = "iso20022_files"`.
    Iso20022Files(Iso20022Section),
}

/// A connection to a bank that speaks Berlin Group NextGenPSD2.
#[derive(Debug, Clone)]
pub struct BerlinGroupSection {
    /// Where the interface begins, up to and without `/v1`.
    pub base_url: Url,
    /// Which payments it takes.
    pub product: BerlinGroupProduct,
    /// The `PSU-IP-Address` to send where the payer is not on a page.
    pub psu_ip_address: IpAddr,
    /// A token, where the bank wants one.
    pub bearer_token: Option<SecretString>,
    /// Where fresh tokens are got, where the bank wants those.
    pub token: Option<ClientCredentials>,
    /// A PEM file with our certificate and its key, where the bank wants to see one.
    pub client_identity: Option<PathBuf>,
    /// A PEM file with the certificate and its key that requests are signed with, where the bank wants that.
    pub signing_identity: Option<PathBuf>,
    /// How payers authenticate, as far as that is ours to choose.
    pub authentication: Authentication,
    /// How long after a submission its entry can still appear.
    pub look_up_horizon: Duration,
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// How long a request may take.
    pub request_timeout: Duration,
    /// How many requests the bank takes in a second.
    pub requests_per_second: u32,
}

/// A payment product of Berlin Group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BerlinGroupProduct {
    /// SEPA credit transfers.
    SepaCreditTransfers,
    /// Instant SEPA credit transfers.
    InstantSepaCreditTransfers,
}

impl BerlinGroupProduct {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::SepaCreditTransfers, Self::InstantSepaCreditTransfers];

    /// As it stands in the interface's paths.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SepaCreditTransfers => "sepa-credit-transfers",
            Self::InstantSepaCreditTransfers => "instant-sepa-credit-transfers",
        }
    }
}

/// `[screening]`.
#[derive(Debug, Clone, Default)]
pub struct ScreeningSection {
    /// The sanctions list, read, and where it was read from.
    pub sanctions_list: Option<(PathBuf, SanctionsList)>,
}

/// `[operators]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OperatorsSection {
    /// Their names; empty means that any name will do.
    pub names: Vec<String>,
}

/// `[reconcile]`. What is not set is as usual.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReconcileSection {
    /// From one cycle to the next.
    pub every: Option<Duration>,
    /// From one reading of an account's entries to the next.
    pub account_every: Option<Duration>,
    /// How long after a settlement its entry may still be missing.
    pub booking_delay: Option<Duration>,
    /// How far back entries are read.
    pub look_back: Option<Duration>,
}

/// `[[payees]]`: an entry of the directory that the operator approves by writing it here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayeeSection {
    /// A short name, unique here; campaigns use it.
    pub slug: String,
    /// The verified legal name.
    pub legal_name: String,
    /// What kind.
    pub class: Class,
    /// The verified account.
    pub iban: Iban,
    /// The number in the charities' or companies' registry.
    pub registry_number: Option<String>,
    /// The accounts under which it is named in posts.
    pub identities: Vec<PayeeIdentitySection>,
}

/// One account of a payee on a platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayeeIdentitySection {
    /// The connection.
    pub platform: PlatformName,
    /// The handle, without at sign.
    pub handle: String,
    /// The immutable id, if the operator knows it; otherwise it is looked up once and kept.
    pub account_id: Option<String>,
}

/// `[[campaigns]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CampaignSection {
    /// The hashtag, without `#`.
    pub tag: String,
    /// What it is called.
    pub title: String,
    /// The slug of the payee.
    pub payee: String,
    /// What it hopes to reach.
    pub goal: Option<Money>,
}
