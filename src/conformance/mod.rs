//! The conformance kit: whether a settlement backend does what the Obole Settlement API asks of it, tried from outside.
//!
//! Twenty checks, C1 to C20, through a fault proxy of our own, so that a bank's engineer has to help with nothing. What a backend
//! does not declare is not asked for; what it declares and does not do has failed; what cannot be tried from here is said to be so, with
//! what it would take. Every exchange is recorded.
//!
//! Most checks run beside each other. Those that restart the backend, add everything up or move its clock come last, one by one.

mod checks;
mod kit;
mod proxy;
pub mod report;
mod wire;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use futures_util::StreamExt as _;
use serde::Deserialize;
use url::Url;

use self::checks::{CHECKS, Check};
use self::kit::Kit;
use self::report::{CheckReport, Outcome, Report};
use self::wire::Wire;
use crate::bank::settlement::capabilities::{TestAccount, TestGround, TestPayee, Trigger};
use crate::bank::settlement::sign::RequestKey;
use crate::bank::settlement::wire::VERSION;
use crate::clock::Clock;

/// What the kit is told.
pub struct Options {
    /// Where the backend is.
    pub url: Url,
    /// Who we are.
    pub key: Option<RequestKey>,
    /// A second client of the same backend.
    pub second: Option<RequestKey>,
    /// Our client certificate with its key (PEM), where the backend asks for one.
    pub identity: Option<Vec<u8>>,
    /// What a test environment has to play with, where the capabilities do not say; each key wins over theirs.
    pub profile: Profile,
    /// Kills the backend and starts it again.
    pub restart: Option<Restart>,
    /// Where the backend's webhooks can reach us, if not on loopback.
    pub webhook: Option<WebhookPlace>,
    /// Only these checks; all without any.
    pub only: Vec<String>,
    /// What chance is made from.
    pub seed: u64,
    /// The moment.
    pub clock: Arc<dyn Clock>,
}

/// What kills the backend and starts it again: a command, or in tests a closure.
pub type Restart = Arc<dyn Fn() -> futures_util::future::BoxFuture<'static, anyhow::Result<()>> + Send + Sync>;

/// Where webhooks come in.
#[derive(Debug, Clone)]
pub struct WebhookPlace {
    /// Where we listen.
    pub listen: std::net::SocketAddr,
    /// How the backend reaches that.
    pub url: Url,
}

/// A profile: what a backend's capabilities say under `test`, from a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// An account that may be debited.
    pub debtor: Option<TestAccount>,
    /// An account that may be credited.
    pub creditor: Option<TestAccount>,
    /// Another one.
    pub other_creditor: Option<TestAccount>,
    /// A sum that needs no help of the payer.
    pub amount: Option<String>,
    /// Sums at which something goes wrong on purpose.
    #[serde(default)]
    pub triggers: Vec<Trigger>,
    /// Questions about payees, with the right answers.
    #[serde(default)]
    pub payees: Vec<TestPayee>,
    /// Where the clock is.
    pub clock: Option<String>,
    /// How long a payment may take to its end, in seconds; 20 if missing.
    pub patience_seconds: Option<u64>,
}

impl Profile {
    /// The declared ground, with what the profile says in its place.
    fn over(&self, declared: TestGround) -> TestGround {
        let own = self.clone();
        TestGround {
            debtor: own.debtor.or(declared.debtor),
            creditor: own.creditor.or(declared.creditor),
            other_creditor: own.other_creditor.or(declared.other_creditor),
            amount: own.amount.or(declared.amount),
            triggers: if own.triggers.is_empty() { declared.triggers } else { own.triggers },
            payees: if own.payees.is_empty() { declared.payees } else { own.payees },
            clock: own.clock.or(declared.clock),
        }
    }
}

/// Checks that run beside each other.
const BESIDE: usize = 6;

/// Runs the checks; `heard` is told of each as it ends. An error means that nothing could be asked at all.
pub async fn run(options: Options, heard: &mut (dyn FnMut(&CheckReport) + Send)) -> anyhow::Result<Report> {
    let began = Instant::now();
    let began_at = options.clock.now();
    for name in &options.only {
        if !CHECKS.iter().any(|check| check.id.eq_ignore_ascii_case(name)) {
            bail!("there is no check {name:?}; they are C1 to C{}", CHECKS.len());
        }
    }
    let (url, seed, only) = (options.url.clone(), options.seed, options.only.clone());
    let wire = Wire::new(options.url.clone(), options.identity.clone(), options.clock.clone())?;
    let kit = Kit::prepare(options, wire, began_at).await.with_context(|| format!("nothing at {url} can be checked"))?;
    let asked = |check: &&Check| only.is_empty() || only.iter().any(|name| check.id.eq_ignore_ascii_case(name));
    let mut done: Vec<CheckReport> = Vec::with_capacity(CHECKS.len());
    let (alone, beside): (Vec<&Check>, Vec<&Check>) = CHECKS.iter().filter(asked).partition(|check| check.alone);
    let mut running = futures_util::stream::iter(beside).map(|check| one(&kit, check)).buffer_unordered(BESIDE);
    while let Some(report) = running.next().await {
        heard(&report);
        done.push(report);
    }
    drop(running);
    for check in alone {
        let report = one(&kit, check).await;
        heard(&report);
        done.push(report);
    }
    let order = |report: &CheckReport| CHECKS.iter().position(|check| check.id == report.id);
    done.sort_by_key(order);
    Ok(Report {
        url: url.to_string(),
        backend: kit.declared.as_ref().map_or_else(|_| "a backend".to_owned(), |declared| declared.name.clone()),
        version: VERSION.to_owned(),
        seed,
        began_at,
        milliseconds: milliseconds(began),
        checks: done,
        exchanges: kit.wire.take_record(),
    })
}

/// No check takes longer; what does hangs.
const LONGEST_CHECK: Duration = Duration::from_secs(120);

async fn one(kit: &Kit, check: &Check) -> CheckReport {
    let began = Instant::now();
    let outcome = match tokio::time::timeout(LONGEST_CHECK, checks::run(kit, check)).await {
        Ok(outcome) => outcome,
        Err(_) => Outcome::Failed(format!("not done after {} s", LONGEST_CHECK.as_secs())),
    };
    CheckReport { id: check.id.to_owned(), title: check.title.to_owned(), outcome, milliseconds: milliseconds(began) }
}

fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
