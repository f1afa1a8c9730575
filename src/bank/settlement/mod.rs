//! Banks that speak the Obole Settlement API, Obole's own protocol for settlement backends (`openapi`).
//!
//! A bank that has nothing of its own implements this one, and needs no line of Rust here. What the protocol has and the others lack
//! is a payment's id that *we* choose, by which it is asked for, and a moment in the order after which it is not taken any more:
//! together they turn "not found" into "never was and never will be".
//!
//! | file | what it knows |
//! |---|---|
//! | `wire`, `capabilities` | the protocol's words |
//! | `sign` | signatures of requests and webhooks |
//! | `call` | one HTTP attempt, with limits |
//! | `verdict` | what an answer means for the money; pure |
//! | `openapi` | the document for everybody else |
//!
//! The backend's capabilities are read before the first payment and checked; until they are known nothing is handed over.

mod call;
pub mod capabilities;
pub mod openapi;
pub mod sign;
mod verdict;
pub mod wire;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use jiff::civil::Date;
use reqwest::Method;
use url::Url;

use self::call::{Answer, Call, Caller, NoAnswer};
use self::sign::RequestKey;
use self::verdict::{Ours, ask_again, soon};
use self::wire::{AccountLink, Creditor, Debtor, EntryPage, LinkWish, PaymentOrder, Webhook};
use super::{
    Bank, Capabilities, ConsentRequest, ConsentStanding, ConsentedAccount, DebtorAccount, Entry, PaymentInstruction, PaymentQuery,
    Standing, Submission, TryAgain, sepa,
};
use crate::clock::{Clock, Timestamp, later};
use crate::crash::crash_point;
use crate::ids::BankName;
use crate::money::Currency;

pub use self::call::path_and_query;

/// From the first submission of a payment until its order runs out. Not a setting: a shorter one after a restart would turn an old
/// order's "not found" into "never" too early.
pub const SETTLED_BY: Duration = Duration::from_secs(10 * 60);
/// What "never" waits for beyond that and beyond the backend's own skew: our clock, and a call that is on its way.
const NEVER_MARGIN: Duration = Duration::from_secs(2 * 60);
/// Pages of a day's entries that are read before they are called endless.
const MOST_PAGES: usize = 1_000;
/// How many days of entries are read at one time.
const MOST_DAYS: usize = 62;

/// A connection to one backend.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the interface is. `https`, except on this machine.
    pub base_url: Url,
    /// What requests are signed with.
    pub key: Option<RequestKey>,
    /// A PEM file with our client certificate and its key.
    pub client_identity: Option<PathBuf>,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long a call may take, all of it.
    pub total_timeout: Duration,
    /// Longer answers are not read.
    pub largest_answer_bytes: usize,
    /// How long an unknown outcome is asked about before an operator has to look.
    pub look_up_horizon: Duration,
}

impl Settings {
    /// The defaults, for the backend at `base_url`.
    pub fn at(base_url: Url) -> Self {
        Settings {
            base_url,
            key: None,
            client_identity: None,
            connect_timeout: Duration::from_secs(5),
            // SCT Inst answers within 10 seconds; a bank that needs twice that has not answered.
            total_timeout: Duration::from_secs(20),
            largest_answer_bytes: 1024 * 1024,
            look_up_horizon: Duration::from_hours(24),
        }
    }
}

/// The adapter.
pub struct SettlementApi {
    name: BankName,
    settings: Settings,
    caller: Caller,
    clock: Arc<dyn Clock>,
    learned: OnceLock<(capabilities::Capabilities, Capabilities)>,
    cautious: Capabilities,
}

impl SettlementApi {
    /// A connection; the process's TLS provider must be installed already. Nothing is asked of the backend yet.
    pub fn new(name: BankName, settings: Settings, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let caller = Caller::new(&settings)?;
        let cautious = Capabilities {
            key_life: None,
            look_up_by_key: true,
            entries_by_consent: false,
            look_up_horizon: settings.look_up_horizon,
            cancel: false,
        };
        Ok(SettlementApi { name, settings, caller, clock, learned: OnceLock::new(), cautious })
    }

    /// What the backend says of itself, read once and then known.
    pub async fn learn(&self) -> Result<&capabilities::Capabilities, TryAgain> {
        if let Some((declared, _)) = self.learned.get() {
            return Ok(declared);
        }
        let call = Call { signed: false, ..Call::get(self.url(&["capabilities"])) };
        let answer = self.make(call).await.map_err(|failed| ask_again(Err(failed)))?;
        if answer.status != 200 {
            return Err(ask_again(Ok(answer)));
        }
        let declared: capabilities::Capabilities = answer.read().ok_or_else(|| soon("the bank's capabilities cannot be read"))?;
        if let Some(why) = declared.hindrance() {
            return Err(TryAgain::Credentials { why: format!("the backend cannot be used: {why}") });
        }
        let ours = Capabilities {
            key_life: Some(declared.key_life()),
            look_up_by_key: true,
            entries_by_consent: declared.entries,
            look_up_horizon: self.settings.look_up_horizon,
            cancel: declared.cancel,
        };
        Ok(&self.learned.get_or_init(|| (declared, ours)).0)
    }

    /// Tells the backend where to push events and how to sign them.
    pub async fn register_webhook(&self, webhook: &Webhook) -> Result<(), TryAgain> {
        if !self.learn().await?.webhooks {
            return Err(TryAgain::Credentials { why: "the backend declares no webhooks".to_owned() });
        }
        let call = Call::with(Method::PUT, self.url(&["webhook"]), webhook).map_err(|failed| ask_again(Err(failed)))?;
        match self.make(call).await {
            Ok(answer) if matches!(answer.status, 200 | 201 | 204) => Ok(()),
            failed => Err(ask_again(failed)),
        }
    }

    /// The address of `segments` at the backend.
    fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.settings.base_url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    async fn make(&self, call: Call) -> Result<Answer, NoAnswer> {
        self.caller.make(call, self.clock.now()).await
    }

    /// What is sent; or why it cannot be.
    fn order(payment: &PaymentInstruction) -> Result<PaymentOrder, &'static str> {
        if payment.amount.currency != Currency::EUR || payment.amount.minor < 1 {
            return Err("only positive amounts of euros are sent");
        }
        let name = sepa::fit(&payment.creditor_name, sepa::NAME_MAX);
        if name.is_empty() {
            return Err("nothing of the payee's name can be written in SEPA characters");
        }
        let remittance = sepa::fit(&payment.remittance, sepa::REMITTANCE_MAX);
        Ok(PaymentOrder {
            id: payment.key.as_str().to_owned(),
            amount: payment.amount.decimal_string(),
            currency: payment.amount.currency.code().to_owned(),
            debtor: Debtor { iban: payment.debtor.iban.as_str().to_owned(), account_link: payment.debtor.consent.clone() },
            creditor: Creditor { iban: payment.creditor_iban.as_str().to_owned(), name },
            remittance: (!remittance.is_empty()).then_some(remittance),
            valid_until: later(payment.submitted_at, SETTLED_BY),
            return_url: Some(payment.return_url.clone()),
        })
    }

    /// Whether a payment submitted at that moment, and not found now, was never taken and never will be: its order has run out, and the
    /// backend would still know its id if it had ever been taken.
    fn never(&self, declared: &capabilities::Capabilities, submitted_at: Timestamp) -> bool {
        let now = self.clock.now();
        let skew = Duration::from_secs(declared.clock_skew_seconds.min(3_600));
        let run_out = later(submitted_at, SETTLED_BY.saturating_add(skew).saturating_add(NEVER_MARGIN));
        run_out < now && later(now, NEVER_MARGIN) < later(submitted_at, declared.key_life())
    }

    async fn day(&self, account: &DebtorAccount, day: Date, into: &mut Vec<Entry>) -> Result<(), TryAgain> {
        let mut after: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let mut url = self.url(&["entries"]);
            url.query_pairs_mut().append_pair("date", &day.to_string()).append_pair("account", account.iban.as_str());
            if let Some(after) = &after {
                url.query_pairs_mut().append_pair("after", after);
            }
            let answer = self.make(Call::get(url)).await.map_err(|failed| ask_again(Err(failed)))?;
            if answer.status != 200 {
                return Err(ask_again(Ok(answer)));
            }
            let page: EntryPage = answer.read().ok_or_else(|| soon("the bank's entries cannot be read"))?;
            for entry in page.entries.into_iter().filter(|entry| entry.account == account.iban.as_str()) {
                into.push(read_entry(entry, page.date).ok_or_else(|| soon("an entry cannot be read"))?);
            }
            match page.next {
                None => return Ok(()),
                Some(next) if after.as_ref() == Some(&next) => break,
                Some(next) => after = Some(next),
            }
        }
        Err(soon("the entries do not end"))
    }
}

fn read_entry(entry: wire::BookedEntry, day: Date) -> Option<Entry> {
    Some(Entry {
        amount: wire::money(&entry.amount, &entry.currency)?,
        counterparty_iban: entry.counterparty.and_then(|party| party.iban.parse().ok()),
        id: entry.id,
        end_to_end_id: entry.end_to_end_id,
        booked_on: Some(day),
    })
}

/// What a call comes to whose answer is lost at a crash point.
#[cfg(feature = "crash-points")]
fn no_answer() -> TryAgain {
    TryAgain::Later { after: None, why: "crash point".to_owned() }
}

#[async_trait]
impl Bank for SettlementApi {
    fn name(&self) -> &BankName {
        &self.name
    }

    fn capabilities(&self) -> &Capabilities {
        self.learned.get().map_or(&self.cautious, |(_, ours)| ours)
    }

    async fn submit(&self, payment: &PaymentInstruction) -> Submission {
        let order = match Self::order(payment) {
            Ok(order) => order,
            Err(why) => return Submission::Refused { reason: why.to_owned() },
        };
        // Whoever does not say what it can do is not given money to move.
        if let Err(again) = self.learn().await {
            return Submission::NotTaken(again);
        }
        let ours =
            Ours { key: &payment.key, amount: payment.amount, debtor: &payment.debtor.iban, creditor: &payment.creditor_iban };
        let url = self.url(&["payments", payment.key.as_str()]);
        let attempt = match Call::with(Method::PUT, url, &order) {
            Ok(call) => self.make(call).await,
            Err(never_sent) => Err(never_sent),
        };
        verdict::of_submission(attempt, ours)
    }

    async fn ask(&self, query: &PaymentQuery) -> Result<Standing, TryAgain> {
        crash_point!("look_up.before_call", return Err(no_answer()));
        let declared = self.learn().await?;
        let never = self.never(declared, query.submitted_at);
        let ours = Ours { key: &query.key, amount: query.amount, debtor: &query.debtor.iban, creditor: &query.creditor_iban };
        let attempt = self.make(Call::get(self.url(&["payments", query.key.as_str()]))).await;
        crash_point!("look_up.answered", return Err(no_answer()));
        verdict::of_look_up(attempt, ours, never)
    }

    async fn entries(&self, account: &DebtorAccount, from: Date, to: Date) -> Result<Vec<Entry>, TryAgain> {
        if !self.learn().await?.entries {
            return Err(TryAgain::Credentials { why: "the backend declares no entries".to_owned() });
        }
        let mut entries = Vec::new();
        for day in from.series(jiff::Span::new().days(1)).take_while(|day| *day <= to).take(MOST_DAYS) {
            self.day(account, day, &mut entries).await?;
        }
        Ok(entries)
    }

    async fn request_consent(&self, return_url: &str) -> Result<ConsentRequest, TryAgain> {
        if !self.learn().await?.account_links {
            return Err(TryAgain::Credentials { why: "the backend declares no account links".to_owned() });
        }
        let wish = LinkWish { return_url: return_url.to_owned() };
        let call = Call::with(Method::POST, self.url(&["account-links"]), &wish).map_err(|failed| ask_again(Err(failed)))?;
        let answer = self.make(call).await.map_err(|failed| ask_again(Err(failed)))?;
        if !matches!(answer.status, 200 | 201) {
            return Err(ask_again(Ok(answer)));
        }
        let link: AccountLink = answer.read().ok_or_else(|| soon("the bank's answer cannot be read"))?;
        let page = link.url.as_deref().and_then(|url| Url::parse(url).ok());
        let page = page.filter(|url| matches!(url.scheme(), "http" | "https"));
        match page {
            Some(page) if !link.id.is_empty() => Ok(ConsentRequest { consent_id: link.id, authorise_at: page.to_string() }),
            _ => Err(soon("the bank names no page to agree on")),
        }
    }

    async fn consent(&self, consent_id: &str) -> Result<ConsentStanding, TryAgain> {
        let answer = self.make(Call::get(self.url(&["account-links", consent_id]))).await;
        let answer = answer.map_err(|failed| ask_again(Err(failed)))?;
        if answer.status == 404 && answer.problem().is_some_and(|problem| problem.code == "link_not_found") {
            return Ok(ConsentStanding::Gone);
        }
        if answer.status != 200 {
            return Err(ask_again(Ok(answer)));
        }
        let link: AccountLink = answer.read().ok_or_else(|| soon("the bank's answer cannot be read"))?;
        let account = |account: wire::LinkedAccount| {
            Some(ConsentedAccount {
                iban: account.iban.parse().ok()?,
                name: account.name,
                holder: None,
                currency: account.currency.parse().ok()?,
            })
        };
        match link.state.as_str() {
            "pending" => Ok(ConsentStanding::Pending),
            "active" => Ok(ConsentStanding::Valid { accounts: link.accounts.into_iter().filter_map(account).collect() }),
            "ended" => Ok(ConsentStanding::Gone),
            _ => Err(soon("the bank gives the account link a state that is not the protocol's")),
        }
    }
}
