//! The audit: verifies a store from outside, believing nothing in it. It changes nothing, calls nobody, and may run beside an Obole.
//!
//! Every order is read once, in the order of the ids, in batches, in one snapshot; memory does not grow with the number of orders. Of
//! each order it asks:
//!
//! - **the chain**: a line for every version from the first to the newest, each made from the one before, the newest repeated in the
//!   order; each begins where the one before ended, and the last says what the order and its payments say;
//! - **the rows**: columns and data say the same, payments' rows too, the payments come to the total, and one message made one order;
//! - **the money**: nothing was handed to a bank without the payer's confirmation of exactly this (the digest, computed again), and what
//!   is reserved against the limits is what the payments' states say.
//!
//! Then the chain of the operators' acts, rows that belong to no order, and the settled sums of every payee and campaign, once as the
//! database sums them and once as the orders do. The hashes are not keyed: whoever can write every row of a chain and its head can make
//! another that verifies; what it finds is everything less than that.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::crash::crash_point;
use crate::order::{Order, OrderState, Payment, PaymentState};
use crate::store::inspection::{Inspected, SettledSum};
use crate::store::operators::Reservation;
use crate::store::orders::AuditLine;
use crate::store::{Store, StoreError};

/// Orders read at one time.
const BATCH: i64 = 1_000;

/// The most rows without an order that are told of each table.
const ORPHANS: i64 = 1_000;

/// Something that should not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// About what: `order ID`, `payee ID`, `campaign TAG`, `operator_acts` …
    pub about: String,
    /// One sentence.
    pub what: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.about, self.what)
    }
}

/// What was verified.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// Orders.
    pub orders: u64,
    /// Payments.
    pub payments: u64,
    /// Audit lines.
    pub lines: u64,
    /// Acts of operators.
    pub acts: u64,
    /// What is settled, in minor units of its currency.
    pub settled_minor: BTreeMap<String, i64>,
    /// How much was found that should not be.
    pub differences: u64,
}

/// Who follows an audit.
pub trait Watcher {
    /// So many orders are there.
    fn begins(&mut self, orders: u64);
    /// So many more were read.
    fn reads(&mut self, orders: u64);
    /// Something should not be.
    fn finds(&mut self, difference: Difference);
}

/// Verifies a store, and tells `watcher` what it finds as it goes.
pub async fn audit(store: &Store, watcher: &mut (dyn Watcher + Send)) -> Result<Verified, StoreError> {
    crash_point!("audit.opening", return Err(StoreError: connection_lost));
    let mut tx = store.begin_reading().await?;
    tx.hold_still().await?;
    watcher.begins(u64::try_from(tx.count_orders().await?).unwrap_or(0));
    let mut audit = Audit { watcher, verified: Verified::default(), payees: Sums::new(), campaigns: Sums::new() };
    let campaign_payees = tx.payees_of_campaigns().await?;
    let mut after = String::new();
    loop {
        let batch = tx.inspect_orders(&after, BATCH).await?;
        let Some(last) = batch.last() else { break };
        last.order.id.clone_into(&mut after);
        for inspected in &batch {
            audit.order(inspected, campaign_payees.get(inspected.order.campaign.as_deref().unwrap_or_default()));
        }
        audit.watcher.reads(batch.len() as u64);
        crash_point!("audit.reading", return Err(StoreError: connection_lost));
    }
    for (table, order) in tx.rows_without_order(ORPHANS).await? {
        audit.finds(format!("order {order}"), format!("the table {table} names it, and there is no such row in orders"));
    }
    audit.sums("payee", tx.settled_by_payee().await?);
    audit.sums("campaign", tx.settled_by_campaign().await?);

    let (mut number, mut hash) = (0, String::new());
    loop {
        let acts = tx.acts_after(number, BATCH).await?;
        if acts.is_empty() {
            break;
        }
        for act in acts {
            if act.number != number + 1 {
                audit.finds("operator_acts".to_owned(), format!("act {} follows act {number}", act.number));
            } else if !act.continues(&hash) {
                audit.finds("operator_acts".to_owned(), format!("act {} is not the one that was written there", act.number));
            }
            audit.verified.acts += 1;
            (number, hash) = (act.number, act.hash);
        }
    }
    let head = tx.acts_head().await?.unwrap_or_default();
    if head != (number, hash) {
        audit.finds("operator_acts".to_owned(), format!("the newest act is number {number}, and was number {} once", head.0));
    }
    Ok(audit.verified)
}

/// Sums by whose, and currency.
type Sums = BTreeMap<(String, String), i64>;

struct Audit<'a> {
    watcher: &'a mut (dyn Watcher + Send),
    verified: Verified,
    payees: Sums,
    campaigns: Sums,
}

impl Audit<'_> {
    fn finds(&mut self, about: String, what: String) {
        self.verified.differences += 1;
        self.watcher.finds(Difference { about, what });
    }

    fn order(&mut self, inspected: &Inspected, campaign_payee: Option<&String>) {
        self.verified.orders += 1;
        self.verified.payments += inspected.payments.len() as u64;
        self.verified.lines += inspected.lines.len() as u64;
        let about = format!("order {}", inspected.order.id);
        let order: Order = match serde_json::from_str(&inspected.order.data) {
            Ok(order) => order,
            Err(error) => return self.finds(about, format!("its data cannot be read: {error}")),
        };
        let read = |line| Line { line, detail: serde_json::from_str(&line.detail).unwrap_or_default() };
        let lines: Vec<Line<'_>> = inspected.lines.iter().map(read).collect();
        let mut found = columns(&order, inspected);
        found.extend(chain(&order, &inspected.order.audit_hash, &lines));
        found.extend(payments(&order, inspected));
        found.extend(confirmation(&order, &lines));
        found.extend(reservations(&order, &inspected.reservations, &lines));
        for what in found {
            self.finds(about.clone(), what);
        }
        for payment in order.payments.iter().filter(|payment| matches!(payment.state, PaymentState::Settled { .. })) {
            let (payee, currency) = (payment.payee.id.to_string(), payment.amount.currency.code().to_owned());
            *self.verified.settled_minor.entry(currency.clone()).or_default() += payment.amount.minor;
            if let (Some(tag), true) = (&order.campaign, campaign_payee == Some(&payee)) {
                *self.campaigns.entry((tag.clone(), currency.clone())).or_default() += payment.amount.minor;
            }
            *self.payees.entry((payee, currency)).or_default() += payment.amount.minor;
        }
    }

    /// Compares the database's sums with those of the orders.
    fn sums(&mut self, of: &'static str, rows: Vec<SettledSum>) {
        let ours = std::mem::take(if of == "payee" { &mut self.payees } else { &mut self.campaigns });
        let rows: Sums = rows.into_iter().map(|sum| ((sum.of, sum.currency), sum.minor)).collect();
        let whose: std::collections::BTreeSet<_> = ours.keys().chain(rows.keys()).collect();
        for (name, currency) in whose {
            let key = (name.clone(), currency.clone());
            let (orders, rows) = (ours.get(&key).copied().unwrap_or(0), rows.get(&key).copied().unwrap_or(0));
            if orders != rows {
                let what = format!("settled are {orders} minor units of {currency} by the orders and {rows} by the payments' rows");
                self.finds(format!("{of} {name}"), what);
            }
        }
    }
}

/// An audit line with its detail read; what cannot be read agrees with nothing.
struct Line<'a> {
    line: &'a AuditLine,
    detail: Value,
}

/// Where the columns say otherwise than the order, and where one message made two orders.
fn columns(order: &Order, inspected: &Inspected) -> Vec<String> {
    let row = &inspected.order;
    let mut found = Vec::new();
    let mut differs = |column: &str, is_equal: bool| {
        if !is_equal {
            found.push(format!("the column {column} says otherwise than the order"));
        }
    };
    differs("id", order.id.as_str() == row.id);
    differs("version", order.version == row.version);
    differs("state", order.state.name() == row.state);
    differs("platform", order.source.platform.as_str() == row.platform);
    differs("payer_id", order.payer.as_ref().map(|payer| payer.person.as_str()) == row.payer.as_deref());
    differs("campaign", order.campaign == row.campaign);
    differs("currency", order.total.currency.code() == row.currency);
    differs("total_minor", order.total.minor == row.total_minor);
    let post = (order.source.channel.as_str().to_owned(), order.source.post.as_str().to_owned());
    if !inspected.posts.contains(&post) {
        found.push("the message it is made from is not there, or made another order".to_owned());
    }
    found
}

/// Where the audit chain is broken.
fn chain(order: &Order, head: &str, lines: &[Line<'_>]) -> Vec<String> {
    let mut found = Vec::new();
    let (mut previous, mut version) = ("", 0);
    let mut before: Option<&Value> = None;
    for Line { line, detail } in lines {
        if line.version != version + 1 {
            found.push(format!("audit line {} follows line {version}", line.version));
        } else if !line.continues(previous) {
            found.push(format!("audit line {} is not the one that was written there", line.version));
        }
        let goes_on = match before {
            None => detail["from"] == "none",
            Some(before) => {
                let stood =
                    |state: &Value| before["to"] == *state || before["payments"].as_array().is_some_and(|all| all.contains(state));
                stood(&detail["from"])
            }
        };
        // After a gap this says nothing new.
        if !goes_on && line.version == version + 1 {
            found.push(format!("audit line {} begins with {}, where the line before had not ended", line.version, detail["from"]));
        }
        before = Some(detail);
        version = line.version;
        previous = &line.hash;
    }
    if version != order.version {
        found.push(format!("the newest audit line is {version}, and the order's version is {}", order.version));
    }
    if previous != head {
        found.push("the newest audit line is not the one that the order names".to_owned());
    }
    let ends = before.unwrap_or(&Value::Null);
    let states: Vec<&str> = order.payments.iter().map(|payment| payment.state.name()).collect();
    if ends["to"] != order.state.name() || ends["payments"] != serde_json::json!(states) {
        found.push(format!(
            "the newest audit line ends with {} and {}, and the order is {:?} with {states:?}",
            ends["to"],
            ends["payments"],
            order.state.name()
        ));
    }
    found
}

/// Where the payments' rows say otherwise than the order, or do not come to its total.
fn payments(order: &Order, inspected: &Inspected) -> Vec<String> {
    let mut found = Vec::new();
    if order.payments.len() != inspected.payments.len() {
        found.push(format!("it has {} payments and {} rows of payments", order.payments.len(), inspected.payments.len()));
    }
    let bank = order.payer.as_ref().map(|payer| payer.bank.as_str());
    for (payment, row) in order.payments.iter().zip(&inspected.payments) {
        let Payment { index, key, payee, amount, state } = payment;
        let is_equal = row.place == i64::from(*index)
            && row.key == key.as_str()
            && row.payee == payee.id.as_str()
            && row.bank.as_deref() == bank
            && row.currency == amount.currency.code()
            && row.amount_minor == amount.minor
            && row.state == state.name();
        if !is_equal {
            found.push(format!("the row of payment {index} says otherwise than the order"));
        }
    }
    let sum = order.payments.iter().try_fold(0_i64, |sum, payment| {
        (payment.amount.currency == order.total.currency).then(|| sum.checked_add(payment.amount.minor)).flatten()
    });
    if !order.payments.is_empty() && sum != Some(order.total.minor) {
        found.push(format!("its payments do not come to its total of {}", order.total));
    }
    found
}

/// Whether a payment has been, or is to be, handed to a bank.
fn is_confirmed(state: &PaymentState) -> bool {
    !matches!(state, PaymentState::Proposed)
}

/// Where something goes to a bank that the payer has not confirmed exactly so.
fn confirmation(order: &Order, lines: &[Line<'_>]) -> Vec<String> {
    let moved = order.payments.iter().any(|payment| is_confirmed(&payment.state));
    let digest = match &order.state {
        OrderState::Confirmed { digest, .. } => digest,
        _ if moved => return vec!["a payment of it is on its way, and the order is not confirmed".to_owned()],
        _ => return Vec::new(),
    };
    let mut found = Vec::new();
    if order.digest().as_ref() != Some(digest) {
        found.push("what it says now is not what its payer confirmed".to_owned());
    }
    // A hold after the first yes makes the payer answer again; the newest yes counts.
    let confirmed = lines.iter().rev().find_map(|Line { line, detail }| {
        (line.event.starts_with("answered_yes") && detail["to"] == "confirmed")
            .then(|| detail["digest"].as_str().map(str::to_owned))
    });
    match confirmed {
        None => found.push("no audit line says that its payer confirmed it".to_owned()),
        Some(recorded) if recorded.as_ref() != Some(digest) => {
            found.push("the audit line of its confirmation names another digest".to_owned());
        }
        Some(_) => {}
    }
    found
}

/// Where the reservations against the limits are not what the payments' states say.
fn reservations(order: &Order, reserved: &[Reservation], lines: &[Line<'_>]) -> Vec<String> {
    let mut found = Vec::new();
    for payment in &order.payments {
        let reservation = reserved.iter().find(|reservation| reservation.payment_key == payment.key.as_str());
        let index = payment.index;
        let Some(reservation) = reservation else {
            if is_confirmed(&payment.state) {
                found.push(format!(
                    "nothing was reserved against the limits for payment {index}, which is {}",
                    payment.state.name()
                ));
            }
            continue;
        };
        let payer = order.payer.as_ref().map(|payer| (payer.person.as_str(), payer.iban.as_str()));
        if reservation.amount_minor != payment.amount.minor || payer != Some((&reservation.person, &reservation.iban)) {
            found.push(format!("what is reserved for payment {index} is another sum, person or account"));
        }
        let is_free = reservation.released_at.is_some();
        let should_be_free = match &payment.state {
            PaymentState::Proposed | PaymentState::Failed { .. } | PaymentState::Expired { .. } => Some(true),
            // What was free already when a contradiction came stays so.
            _ if was_disputed(lines, usize::from(index)) => None,
            _ => Some(false),
        };
        if should_be_free.is_some_and(|should| should != is_free) {
            let stands = if is_free { "is free again" } else { "is still held" };
            found.push(format!("what was reserved for payment {index} {stands}, and the payment is {}", payment.state.name()));
        }
    }
    found
}

fn was_disputed(lines: &[Line<'_>], payment: usize) -> bool {
    lines.iter().any(|Line { detail, .. }| detail["payments"][payment] == "disputed")
}
