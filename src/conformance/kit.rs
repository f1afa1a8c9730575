//! What every check has in hand: fresh ids, orders, questions, and what follows from answers that are not as they should be.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::proxy::Fault;
use super::report::Outcome;
use super::wire::{Manner, Reply, Wire};
use super::{Options, Restart, WebhookPlace};
use crate::bank::settlement::capabilities::{Capabilities, ClockFace, TestAccount, TestGround, Trigger};
use crate::bank::settlement::sign::RequestKey;
use crate::bank::settlement::wire::{BookedEntry, EntryPage, PaymentView, State, VERSION, money};
use crate::clock::{Clock, Timestamp, earlier, later};
use crate::ids::hex;

/// How a check ends that does not pass.
pub(super) type Stop = Outcome;
/// What a check comes to.
pub(super) type Trial<T = ()> = Result<T, Stop>;

/// Ends a check: it has failed.
macro_rules! fail {
    ($($part:tt)*) => { return Err(crate::conformance::report::Outcome::Failed(format!($($part)*))) };
}
/// Goes on only if this is so.
macro_rules! ensure {
    ($condition:expr, $($part:tt)*) => { if !$condition { fail!($($part)*); } };
}
pub(super) use {ensure, fail};

/// How long an answer may take that is not spoilt.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long an order is good.
const VALIDITY: Duration = Duration::from_secs(600);
/// Between two looks at a payment under way.
const GLANCE: Duration = Duration::from_millis(60);
/// A page of entries or events more, and they do not end.
const MOST_PAGES: usize = 1_000;

/// Everything that the checks share.
pub(super) struct Kit {
    pub(super) wire: Wire,
    /// What the backend says of itself, or why that cannot be used.
    pub(super) declared: Result<Capabilities, String>,
    pub(super) ground: TestGround,
    pub(super) key: Option<RequestKey>,
    pub(super) second: Option<RequestKey>,
    pub(super) restart: Option<Restart>,
    pub(super) webhook: Option<WebhookPlace>,
    pub(super) clock: std::sync::Arc<dyn Clock>,
    pub(super) seed: u64,
    pub(super) patience: Duration,
    began_at: Timestamp,
    /// How far the backend's clock is ahead of ours.
    ahead: Mutex<Duration>,
    /// Ids that were ever ordered, with the sum.
    ordered: Mutex<BTreeMap<String, i64>>,
}

/// One check's hand.
pub(super) struct Hand<'a> {
    pub(super) kit: &'a Kit,
    pub(super) check: &'static str,
    counter: Mutex<u32>,
}

impl Kit {
    /// Reads the capabilities. An error means that nobody answers at all.
    pub(super) async fn prepare(options: Options, wire: Wire, began_at: Timestamp) -> anyhow::Result<Self> {
        let Options { key, second, profile, restart, webhook, seed, clock, .. } = options;
        let plain = Manner { fault: None, timeout: PATIENCE, signer: None, version: VERSION, cut_at: None, patient: true };
        let reply = match wire.send("C0", Method::GET, "/capabilities", b"", plain).await {
            Ok(reply) => reply,
            Err(why) => bail!("no answer from {}capabilities: {why}", wire.base()),
        };
        let declared = match (reply.status, reply.read::<Capabilities>()) {
            (200, Some(declared)) => match declared.hindrance() {
                None => Ok(declared),
                Some(why) => Err(why),
            },
            (200, None) => {
                let why =
                    serde_json::from_slice::<Capabilities>(&reply.body).err().map_or_else(String::new, |error| error.to_string());
                Err(format!("/capabilities is not the protocol's document: {why}"))
            }
            (status, _) => Err(format!("/capabilities answered {status} to a request without authentication")),
        };
        let test = declared.as_ref().ok().and_then(|declared| declared.test.clone()).unwrap_or_default();
        let patience = profile.patience_seconds.map_or(PATIENCE, Duration::from_secs);
        let ground = profile.over(test);
        if let Some(amount) = ground.amount.as_deref().filter(|amount| money(amount, "EUR").is_none()) {
            bail!("the test amount {amount:?} is no amount such as 1.00");
        }
        let kit = Kit {
            wire,
            declared,
            ground,
            key,
            second,
            restart,
            webhook,
            clock,
            seed,
            patience,
            began_at,
            ahead: Mutex::new(Duration::ZERO),
            ordered: Mutex::new(BTreeMap::new()),
        };
        if let Some(path) = kit.ground.clock.clone() {
            let reply = kit.wire.send("C0", Method::GET, &path, b"", Manner { signer: kit.key.as_ref(), ..plain }).await;
            let face: ClockFace = reply
                .ok()
                .and_then(|reply| reply.read())
                .with_context(|| format!("the test clock {path} does not say what it shows"))?;
            kit.set_ahead(face.now);
        }
        Ok(kit)
    }

    /// The backend's clock shows this.
    pub(super) fn set_ahead(&self, shows: Timestamp) {
        let ahead = Duration::try_from(shows.duration_since(self.clock.now())).unwrap_or(Duration::ZERO);
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) = ahead;
    }

    /// The moment at the backend.
    pub(super) fn now(&self) -> Timestamp {
        later(self.clock.now(), *self.ahead.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ids that were ever ordered, with the sum.
    pub(super) fn ordered(&self) -> BTreeMap<String, i64> {
        self.ordered.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the backend says of itself.
    pub(super) fn capabilities(&self) -> Trial<&Capabilities> {
        self.declared.as_ref().map_err(|why| Outcome::NotTried(format!("needs usable capabilities: {why}")))
    }
}

impl<'a> Hand<'a> {
    pub(super) fn new(kit: &'a Kit, check: &'static str) -> Self {
        Hand { kit, check, counter: Mutex::new(0) }
    }

    /// An id that was never used: made from the seed, the moment of the beginning and a counter.
    pub(super) fn fresh_id(&self) -> String {
        let mut counter = self.counter.lock().unwrap_or_else(PoisonError::into_inner);
        *counter += 1;
        let from = format!("{}/{}/{}/{}", self.kit.seed, self.kit.began_at, self.check, *counter);
        hex(&Sha256::digest(from.as_bytes())).chars().take(32).collect()
    }

    /// The sum that needs no help.
    pub(super) fn amount(&self) -> String {
        self.kit.ground.amount.clone().unwrap_or_else(|| "1.00".to_owned())
    }

    fn account(&self, account: &Option<TestAccount>, which: &str) -> Trial<TestAccount> {
        let missing = || Outcome::NotTried(format!("needs a test account ({which}) in the capabilities or in --profile"));
        account.clone().ok_or_else(missing)
    }

    /// A right order.
    pub(super) fn order(&self, id: &str, amount: &str) -> Trial<Value> {
        self.kit.capabilities()?;
        let debtor = self.account(&self.kit.ground.debtor, "debtor")?;
        let creditor = self.account(&self.kit.ground.creditor, "creditor")?;
        Ok(json!({
            "id": id, "amount": amount, "currency": "EUR", "debtor": {"iban": debtor.iban},
            "creditor": {"iban": creditor.iban, "name": creditor.name},
            "valid_until": later(self.kit.now(), VALIDITY), "return_url": "https://obole.example/back",
            "remittance": format!("OBOLE CHECK {}", self.check)
        }))
    }

    /// The trigger of this name.
    pub(super) fn trigger(&self, what: &str) -> Option<&'a Trigger> {
        self.kit.ground.triggers.iter().find(|trigger| trigger.what == what)
    }

    /// All triggers of this name; without any the check cannot be tried.
    pub(super) fn triggers(&self, what: &str) -> Trial<Vec<&'a Trigger>> {
        self.kit.capabilities()?;
        let found: Vec<_> = self.kit.ground.triggers.iter().filter(|trigger| trigger.what == what).collect();
        if found.is_empty() {
            return Err(Outcome::NotTried(format!("needs a test sum ({what}) in the capabilities or in --profile")));
        }
        Ok(found)
    }

    /// The usual way of asking.
    pub(super) fn plainly(&self) -> Manner<'a> {
        let signer = self.kit.key.as_ref();
        Manner { fault: None, timeout: PATIENCE, signer, version: VERSION, cut_at: None, patient: true }
    }

    /// Makes a request, in whatever manner. `Err`: no answer.
    pub(super) async fn send(&self, method: Method, path: &str, body: &[u8], manner: Manner<'_>) -> Result<Reply, String> {
        self.kit.wire.send(self.check, method, path, body, manner).await
    }

    /// Makes a request that has to be answered.
    pub(super) async fn ask(&self, method: Method, path: &str, body: &[u8]) -> Trial<Reply> {
        let answer = self.send(method.clone(), path, body, self.plainly()).await;
        answer.map_err(|why| Outcome::Failed(format!("{method} {path}: {why}")))
    }

    fn note(&self, order: &Value) {
        let (Some(id), Some(amount)) = (order["id"].as_str(), order["amount"].as_str()) else { return };
        let minor = money(amount, "EUR").map_or(0, |money| money.minor);
        let mut ordered = self.kit.ordered.lock().unwrap_or_else(PoisonError::into_inner);
        ordered.entry(id.to_owned()).or_insert(minor);
    }

    /// Sends an order.
    pub(super) async fn put(&self, order: &Value) -> Trial<Reply> {
        self.note(order);
        self.ask(Method::PUT, &path_of(order), order.to_string().as_bytes()).await
    }

    /// Sends an order in another manner. `Err`: no answer.
    pub(super) async fn put_so(&self, order: &Value, manner: Manner<'_>) -> Result<Reply, String> {
        self.note(order);
        self.send(Method::PUT, &path_of(order), order.to_string().as_bytes(), manner).await
    }

    /// Sends an order through the fault proxy.
    pub(super) async fn put_through(&self, order: &Value, fault: Fault, timeout: Duration) -> Result<Reply, String> {
        self.put_so(order, Manner { fault: Some(fault), timeout, ..self.plainly() }).await
    }

    /// Sends an order that has to be taken.
    pub(super) async fn taken(&self, order: &Value) -> Trial<PaymentView> {
        let reply = self.put(order).await?;
        ensure!(matches!(reply.status, 200 | 201), "a right order was answered with {}", reply.shortly());
        self.about(order, &reply)
    }

    /// Looks a payment up.
    pub(super) async fn get(&self, id: &str) -> Trial<Reply> {
        self.ask(Method::GET, &format!("/payments/{id}"), b"").await
    }

    /// The payment in an answer, which has to be the order's, to the letter.
    pub(super) fn about(&self, order: &Value, reply: &Reply) -> Trial<PaymentView> {
        let Some(view) = reply.read::<PaymentView>() else { fail!("the answer is no payment: {}", reply.shortly()) };
        let Some(told) = reply.read::<Value>() else { fail!("the answer is no JSON") };
        for key in ["id", "amount", "currency", "remittance"] {
            ensure!(told[key] == order[key], "{key} was {} in the order and is {} in the answer", order[key], told[key]);
        }
        for pointer in ["/debtor/iban", "/creditor/iban", "/creditor/name"] {
            let (ordered, answered) = (order.pointer(pointer), told.pointer(pointer));
            ensure!(ordered == answered, "{pointer} was {ordered:?} in the order and is {answered:?} in the answer");
        }
        ensure!(view.state().is_some(), "{:?} is no state of the protocol", view.state);
        ensure!(view.sequence > 0, "sequences begin with 1");
        Ok(view)
    }

    /// Looks a payment up that has to be there.
    pub(super) async fn found(&self, order: &Value) -> Trial<PaymentView> {
        let id = order["id"].as_str().unwrap_or_default();
        let reply = self.get(id).await?;
        ensure!(reply.status == 200, "a payment that was taken is answered with {}", reply.shortly());
        self.about(order, &reply)
    }

    /// Waits until a payment is at its end, and watches its way there.
    pub(super) async fn at_end(&self, order: &Value) -> Trial<PaymentView> {
        let end = Instant::now() + self.kit.patience;
        let mut before = self.found(order).await?;
        while !before.state().is_some_and(State::is_final) {
            if Instant::now() > end {
                fail!("after {} s it is still {}", self.kit.patience.as_secs(), before.state);
            }
            tokio::time::sleep(GLANCE).await;
            let now = self.found(order).await?;
            follows(&before, &now)?;
            before = now;
        }
        Ok(before)
    }

    /// Waits until a payment stands so.
    pub(super) async fn becomes(&self, order: &Value, wanted: State) -> Trial<PaymentView> {
        let end = Instant::now() + self.kit.patience;
        let mut before = self.found(order).await?;
        while before.state() != Some(wanted) {
            if Instant::now() > end {
                fail!("after {} s it is {} and not {}", self.kit.patience.as_secs(), before.state, wanted.as_str());
            }
            tokio::time::sleep(GLANCE).await;
            let now = self.found(order).await?;
            follows(&before, &now)?;
            before = now;
        }
        Ok(before)
    }

    /// Entries of these days that carry one of our ids; `None` where none are declared.
    pub(super) async fn entries(&self) -> Trial<Option<Vec<BookedEntry>>> {
        if !self.kit.capabilities()?.entries {
            return Ok(None);
        }
        let day = |moment: Timestamp| moment.to_zoned(jiff::tz::TimeZone::UTC).date();
        let now = self.kit.now();
        let mut days = vec![day(self.kit.began_at), day(now), day(earlier(now, Duration::from_secs(600)))];
        days.sort();
        days.dedup();
        let ordered = self.kit.ordered();
        let mut found = Vec::new();
        for day in days {
            let mut after: Option<String> = None;
            for place in 0.. {
                ensure!(place < MOST_PAGES, "the entries of {day} do not end");
                let next = after.as_ref().map_or_else(String::new, |after| format!("&after={after}"));
                let reply = self.ask(Method::GET, &format!("/entries?date={day}{next}"), b"").await?;
                ensure!(reply.status == 200, "entries were answered with {}", reply.shortly());
                let Some(page) = reply.read::<EntryPage>() else { fail!("the entries of {day} cannot be read") };
                found.extend(page.entries);
                match page.next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
        }
        found.retain(|entry| entry.end_to_end_id.as_ref().is_some_and(|id| ordered.contains_key(id)));
        Ok(Some(found))
    }

    /// That a payment was booked once if it has settled, and not at all otherwise.
    pub(super) async fn booked_once(&self, view: &PaymentView) -> Trial {
        let Some(entries) = self.entries().await? else { return Ok(()) };
        let debits: Vec<_> = entries.iter().filter(|entry| is_debit(entry, &view.id)).collect();
        let wanted = usize::from(matches!(view.state(), Some(State::Settled | State::Returned)));
        ensure!(debits.len() == wanted, "it is {} and was booked {} times", view.state, debits.len());
        for entry in debits {
            let booked = entry.amount.trim_start_matches('-');
            ensure!(Some(booked) == view.amount.as_deref(), "{:?} was ordered and {booked} was booked", view.amount);
        }
        Ok(())
    }

    /// That nothing is known of an id, and nothing was booked for it.
    pub(super) async fn nothing_moved(&self, id: &str) -> Trial {
        let reply = self.get(id).await?;
        ensure!(reply.status == 404, "nothing was to be taken, and the look-up answers {}", reply.shortly());
        if let Some(entries) = self.entries().await? {
            let booked = entries.iter().filter(|entry| is_debit(entry, id)).count();
            ensure!(booked == 0, "nothing was to be taken, and it was booked {booked} times");
        }
        Ok(())
    }

    /// That an answer is this error, in the protocol's words.
    pub(super) fn is_error(&self, reply: &Reply, status: u16, code: &str, what: &str) -> Trial {
        ensure!(reply.status == status, "{what}: expected {status} {code}, and the answer is {}", reply.shortly());
        let Some(problem) = reply.problem() else { fail!("{what}: {} without an error body of the protocol", reply.status) };
        ensure!(problem.code == code, "{what}: expected the code {code}, and it is {}", problem.code);
        let known = crate::bank::settlement::openapi::ApiError::named(code);
        ensure!(
            known.is_none_or(|error| error.class == problem.class),
            "{what}: the class of {code} is another: {}",
            reply.shortly()
        );
        Ok(())
    }
}

/// Whether a state follows another.
pub(super) fn follows(before: &PaymentView, now: &PaymentView) -> Trial {
    let (Some(from), Some(to)) = (before.state(), now.state()) else { fail!("a state that is none of the protocol's") };
    ensure!(from.may_become(to), "it went from {} to {}", before.state, now.state);
    ensure!(now.sequence >= before.sequence, "its sequence went from {} back to {}", before.sequence, now.sequence);
    let changed = from != to;
    ensure!(!changed || now.sequence > before.sequence, "it went from {} to {} under the same sequence", before.state, now.state);
    let same = before.bank_reference.is_none() || before.bank_reference == now.bank_reference;
    ensure!(same, "its bank_reference changed from {:?} to {:?}", before.bank_reference, now.bank_reference);
    Ok(())
}

/// Whether an entry debits the payment of this id.
pub(super) fn is_debit(entry: &BookedEntry, id: &str) -> bool {
    entry.end_to_end_id.as_deref() == Some(id) && entry.amount.starts_with('-')
}

fn path_of(order: &Value) -> String {
    format!("/payments/{}", order["id"].as_str().unwrap_or_default())
}
