//! Banks that speak the Berlin Group's NextGenPSD2, version 1.3.
//!
//! Payments (`sepa-credit-transfers` or `instant-sepa-credit-transfers`) with authentication by redirect or on the payer's own device
//! (decoupled), their status, their cancellation, the payer's accounts by consent, and whether an account holds enough. A connection may show
//! a client certificate, get its tokens itself, and sign its requests. The rail has no idempotency and no look-up by our reference: an unknown outcome is
//! looked for among the payer's entries, by `EndToEndId` = the payment key, and is never submitted a second time.
//!
//! `call` makes one HTTP attempt, `seal` signs it, `verdict` says what it means, `v1_3` knows the standard's words. What is left to others:
//! when to ask, when to give up, and installing the process's TLS provider before [`BerlinGroup::new`].

mod call;
mod cancellation;
mod reading;
mod seal;
mod v1_3;
mod verdict;

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use async_trait::async_trait;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use self::call::{Answer, Call, Caller, NoAnswer};
use self::v1_3::{AccountReference, Amount, PaymentInitiation, header, path};
pub use super::Cancellation;
use super::certificate::Certificate;
use super::oauth::ClientCredentials;
use super::{
    Balance, Bank, BankStatus, Capabilities, ConsentRequest, ConsentStanding, DebtorAccount, Entry, PaymentInstruction,
    PaymentQuery, Standing, Submission, TryAgain, sepa,
};
use crate::clock::Clock;
use crate::crash::crash_point;
use crate::entropy::{Entropy, random_bytes};
use crate::ids::BankName;
use crate::money::Currency;

/// A connection to one bank.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where the bank's interface is, without `/v1`. `https`, except on this machine.
    pub base_url: Url,
    /// `sepa-credit-transfers` or `instant-sepa-credit-transfers`.
    #[serde(default = "default::product")]
    pub product: String,
    /// The address sent as `PSU-IP-Address`. The payer is not at our page when an order is submitted; the standard then wants
    /// the address that we call from.
    #[serde(default = "default::payer_address")]
    pub payer_address: Ipv4Addr,
    /// The token the bank gave us, if it wants one.
    #[serde(default)]
    pub bearer_token: Option<SecretString>,
    /// Where tokens are got, if the bank wants fresh ones; then no `bearer_token` is sent.
    #[serde(default)]
    pub token: Option<ClientCredentials>,
    /// A PEM file with our certificate (QWAC) and its key, for banks that ask for one.
    #[serde(default)]
    pub client_identity: Option<PathBuf>,
    /// A PEM file with the certificate (QSeal) and its key that requests are signed with, for banks that want them signed.
    #[serde(default)]
    pub signing_identity: Option<PathBuf>,
    /// How payers authenticate at the bank, as far as that is ours to choose.
    #[serde(default)]
    pub authentication: Authentication,
    /// How long a connection may take to be made.
    #[serde(default = "default::connect_timeout_ms")]
    pub connect_timeout_ms: u64,
    /// How long a call may take, all of it.
    #[serde(default = "default::total_timeout_ms")]
    pub total_timeout_ms: u64,
    /// Longer answers are not read.
    #[serde(default = "default::largest_answer_bytes")]
    pub largest_answer_bytes: usize,
    /// For how many days the payer's consent is asked for.
    #[serde(default = "default::consent_days")]
    pub consent_days: u16,
    /// How many hours after a submission its entry can still appear.
    #[serde(default = "default::look_up_horizon_hours")]
    pub look_up_horizon_hours: u32,
}

/// How payers authenticate; a bank may choose otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Authentication {
    /// On the bank's page, to which the payer is sent.
    #[default]
    Redirect,
    /// On the payer's own device, which the bank calls by itself.
    Decoupled,
}

mod default {
    use super::Ipv4Addr;

    pub(super) fn product() -> String {
        "instant-sepa-credit-transfers".to_owned()
    }

    pub(super) fn payer_address() -> Ipv4Addr {
        Ipv4Addr::LOCALHOST
    }

    pub(super) fn connect_timeout_ms() -> u64 {
        5_000
    }

    /// SCT Inst answers within 10 seconds; a bank that needs twice that has not answered.
    pub(super) fn total_timeout_ms() -> u64 {
        20_000
    }

    pub(super) fn largest_answer_bytes() -> usize {
        1024 * 1024
    }

    /// The longest a bank lets a consent last without the payer (RTS (EU) 2022/2360: 180 days).
    pub(super) fn consent_days() -> u16 {
        180
    }

    /// A credit transfer is booked by the next business day; a long weekend lies between.
    pub(super) fn look_up_horizon_hours() -> u32 {
        5 * 24
    }
}

impl Settings {
    /// The defaults, for the bank at `base_url`.
    pub fn at(base_url: Url) -> Self {
        Settings {
            base_url,
            product: default::product(),
            payer_address: default::payer_address(),
            bearer_token: None,
            token: None,
            client_identity: None,
            signing_identity: None,
            authentication: Authentication::default(),
            connect_timeout_ms: default::connect_timeout_ms(),
            total_timeout_ms: default::total_timeout_ms(),
            largest_answer_bytes: default::largest_answer_bytes(),
            consent_days: default::consent_days(),
            look_up_horizon_hours: default::look_up_horizon_hours(),
        }
    }
}

/// The adapter.
pub struct BerlinGroup {
    name: BankName,
    settings: Settings,
    capabilities: Capabilities,
    caller: Caller,
    /// Certificates whose end is watched.
    certificates: Vec<Certificate>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl BerlinGroup {
    /// A connection; the process's TLS provider must be installed already.
    pub fn new(name: BankName, settings: Settings, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> anyhow::Result<Self> {
        let known = matches!(settings.product.as_str(), "sepa-credit-transfers" | "instant-sepa-credit-transfers");
        ensure!(known, "{:?} is not a payment product this adapter speaks", settings.product);
        let capabilities = Capabilities {
            key_life: None,
            look_up_by_key: false,
            entries_by_consent: true,
            look_up_horizon: Duration::from_hours(settings.look_up_horizon_hours.into()),
            cancel: true,
        };
        let caller = Caller::new(&settings)?;
        let used = [("client", &settings.client_identity), ("sealing", &settings.signing_identity)];
        let certificates = used.into_iter().filter_map(|(what, path)| Some((what, path.as_ref()?)));
        let certificates = certificates.map(|(what, path)| Certificate::read(what, path)).collect::<anyhow::Result<_>>()?;
        Ok(BerlinGroup { name, settings, capabilities, caller, certificates, clock, entropy })
    }

    /// The address of `segments` at the bank; foreign ids are escaped.
    fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.settings.base_url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// One attempt, under a fresh request id.
    async fn make(&self, call: Call<'_>) -> Result<Answer, NoAnswer> {
        let id = uuid::Builder::from_random_bytes(random_bytes(&*self.entropy)).into_uuid();
        self.caller.make(call, &id.to_string(), self.clock.now()).await
    }

    /// The day at the bank, as far as we know.
    fn today(&self) -> Date {
        self.clock.now().to_zoned(TimeZone::UTC).date()
    }

    /// What is sent; or why it cannot be.
    fn initiation(payment: &PaymentInstruction) -> Result<PaymentInitiation, &'static str> {
        if payment.amount.currency != Currency::EUR || payment.amount.minor < 1 {
            return Err("SEPA carries positive amounts of euros only");
        }
        let creditor_name = sepa::fit(&payment.creditor_name, sepa::NAME_MAX);
        if creditor_name.is_empty() {
            return Err("nothing of the payee's name can be written in SEPA characters");
        }
        let remittance = sepa::fit(&payment.remittance, sepa::REMITTANCE_MAX);
        Ok(PaymentInitiation {
            end_to_end_identification: payment.key.as_str().to_owned(),
            debtor_account: AccountReference::of(&payment.debtor.iban),
            instructed_amount: Amount::of(payment.amount),
            creditor_account: AccountReference::of(&payment.creditor_iban),
            creditor_name,
            remittance_information_unstructured: (!remittance.is_empty()).then_some(remittance),
        })
    }

    /// The payer's page of a payment whose bank wants to be asked for it. Best effort: the payment is taken either way.
    async fn start_authorisation(&self, bank_payment_id: &str, return_url: &str) -> Option<String> {
        let url = self.url(&path::payment_authorisations(&self.settings.product, bank_payment_id));
        let call = self.with_return(Call::post(url, &serde_json::json!({})).ok()?, return_url);
        let answer = self.make(call).await.ok().filter(|answer| answer.status.is_success() && !answer.about_another)?;
        serde_json::from_slice::<v1_3::AuthorisationStarted>(&answer.body).ok()?.links.authorise_at()
    }

    /// The headers that say how the payer is to authenticate and where the browser comes back to. Both ways back lead to the same address: a
    /// returning browser proves nothing, it only makes us ask. The address is always sent: the bank may choose redirect after all.
    fn with_return<'a>(&self, call: Call<'a>, return_url: &'a str) -> Call<'a> {
        let call = match self.settings.authentication {
            Authentication::Redirect => call.with(header::REDIRECT_PREFERRED, "true"),
            Authentication::Decoupled => call.with(header::REDIRECT_PREFERRED, "false").with(header::DECOUPLED_PREFERRED, "true"),
        };
        call.with(header::REDIRECT, return_url).with(header::REDIRECT_REFUSED, return_url)
    }

    /// How the payment of this bank id stands. An answer about another payment says nothing about ours.
    async fn ask_by_id(&self, query: &PaymentQuery, id: &str) -> Result<Standing, TryAgain> {
        let product = &self.settings.product;
        let Some(mut read) = self.read_payment(self.url(&path::payment(product, id))).await? else {
            return Ok(Standing::NotFound);
        };
        if !is_about(&read, query) {
            return Err(TryAgain::Later { after: None, why: "the bank answered about another payment".to_owned() });
        }
        if read.transaction_status.is_none() {
            // The status is optional in this answer, and the whole of the next.
            let Some(status) = self.read_payment(self.url(&path::payment_status(product, id))).await? else {
                return Ok(Standing::NotFound);
            };
            read = status;
        }
        let code = read.transaction_status.unwrap_or_default();
        let status = v1_3::status(&code, &read.tpp_messages);
        let authorise_at = if status == BankStatus::Received { read.links.authorise_at() } else { None };
        Ok(Standing::Known { bank_payment_id: Some(id.to_owned()), status, authorise_at })
    }

    /// A payment or its status; `None` where the bank says that it knows no such payment.
    async fn read_payment(&self, url: Url) -> Result<Option<v1_3::PaymentRead>, TryAgain> {
        let attempt = self.make(Call::get(url)).await;
        if let Ok(answer) = &attempt
            && matches!(answer.status.as_u16(), 403 | 404)
            && v1_3::error_code(&answer.body).as_deref() == Some("RESOURCE_UNKNOWN")
        {
            return Ok(None);
        }
        reading::readable(attempt).map(Some)
    }
}

/// Whether everything that the bank tells of a payment is as in ours.
fn is_about(read: &v1_3::PaymentRead, query: &PaymentQuery) -> bool {
    let same_reference = read.end_to_end_identification.as_deref().is_none_or(|reference| reference == query.key.as_str());
    let same_amount = read.instructed_amount.as_ref().is_none_or(|amount| amount.money() == Some(query.amount));
    let same = |told: &Option<AccountReference>, ours: &crate::iban::Iban| {
        told.as_ref().is_none_or(|told| told.iban.is_none() || told.parsed().as_ref() == Some(ours))
    };
    same_reference
        && same_amount
        && same(&read.creditor_account, &query.creditor_iban)
        && same(&read.debtor_account, &query.debtor.iban)
}

/// What a question comes to whose answer is lost at a crash point.
#[cfg(feature = "crash-points")]
fn no_answer() -> TryAgain {
    TryAgain::Later { after: None, why: "crash point".to_owned() }
}

#[async_trait]
impl Bank for BerlinGroup {
    fn name(&self) -> &BankName {
        &self.name
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn submit(&self, payment: &PaymentInstruction) -> Submission {
        let initiation = match Self::initiation(payment) {
            Ok(initiation) => initiation,
            Err(why) => return Submission::Refused { reason: why.to_owned() },
        };
        let call = match Call::post(self.url(&path::payments(&self.settings.product)), &initiation) {
            Ok(call) => self.with_return(call, &payment.return_url),
            Err(never_sent) => return verdict::of(Err(never_sent)).submission,
        };
        let call = call.with(header::EXPLICIT_AUTHORISATION, "false").with(header::REJECT_WITHOUT_FUNDS, "true");
        let mut verdict = verdict::of(self.make(call).await);
        if let Submission::Taken { bank_payment_id, authorise_at, .. } = &mut verdict.submission
            && verdict.start_authorisation
        {
            *authorise_at = self.start_authorisation(bank_payment_id, &payment.return_url).await;
        }
        verdict.submission
    }

    async fn ask(&self, query: &PaymentQuery) -> Result<Standing, TryAgain> {
        match &query.bank_payment_id {
            Some(id) => self.ask_by_id(query, id).await,
            None => {
                crash_point!("look_up.before_call", return Err(no_answer()));
                let found = self.find_entry(query).await;
                crash_point!("look_up.answered", return Err(no_answer()));
                found
            }
        }
    }

    async fn entries(&self, account: &DebtorAccount, from: Date, to: Date) -> Result<Vec<Entry>, TryAgain> {
        self.booked_entries(account, from, to).await
    }

    async fn request_consent(&self, return_url: &str) -> Result<ConsentRequest, TryAgain> {
        self.ask_for_consent(return_url).await
    }

    async fn consent(&self, consent_id: &str) -> Result<ConsentStanding, TryAgain> {
        self.consent_standing(consent_id).await
    }

    async fn cancel(&self, payment: &PaymentQuery, _reason: &str, return_url: &str) -> Result<Cancellation, TryAgain> {
        match &payment.bank_payment_id {
            Some(id) => self.cancel_payment(id, return_url).await,
            None => Ok(Cancellation::Unknown { why: "the bank's own id of the payment is not known".to_owned() }),
        }
    }

    async fn warnings(&self) -> Vec<String> {
        let now = self.clock.now();
        self.certificates.iter().filter_map(|certificate| certificate.warning(now)).collect()
    }

    async fn balance(&self, account: &DebtorAccount) -> Result<Option<Balance>, TryAgain> {
        self.read_balance(account).await.map(Some)
    }
}
