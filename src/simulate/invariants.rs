//! What must be true at the end of every run, whatever went wrong on the way.
//!
//! | | |
//! |---|---|
//! | I1 | a post settles at most once |
//! | I2 | a confirmed order is never lost: it is at its end, and every one of its payments is |
//! | I3 | nothing is submitted without a live confirmation of exactly that: the payer said yes to this order's own code |
//! | I4 | the money at each bank is the sum of the settled payments, per payee |
//! | I5 | no window of the platform ever holds more than it may, over all nodes and restarts |
//! | I6 | after everything is well again, everything comes to its end (checked while running) |
//! | I7 | no limit of a payer or account is ever exceeded |
//! | I8 | a bank without memory of keys is called once, unless it surely had not taken the payment |
//! | I9 | every order's audit chain verifies, without a gap, and its end is the order |
//! | I10 | no line of the log has a code, an account, a handle or a safe phrase in it |
//! | I11 | nobody is told that a payment was made or not made before that is known (looked at whenever a receipt goes out, in `ports`) |
//! | I12 | what asking cannot resolve goes to an operator; a contradiction is disputed; a look-alike waits; a frozen payee is not paid |
//! | I13 | no message to us is passed over, and nobody is written to twice without need |

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use super::listening::Log;
use super::node::policy;
use super::plan::RailKind;
use super::world::World;
use crate::clock::{Timestamp, earlier, later};
use crate::ids::OrderId;
use crate::order::{Effect, Order, OrderState, Payment, PaymentState};
use crate::store::orders::AuditLine;
use crate::store::{Store, StoreError, Tx};

/// What was looked at.
pub(super) struct Counted {
    pub(super) orders: usize,
    pub(super) settled: usize,
}

/// Looks at everything; what is wrong is written into the world's book.
pub(super) async fn check(world: &World, store: &Store) -> Result<Counted, StoreError> {
    let mut tx = store.begin_reading().await?;
    let orders = tx.newest_orders(None, i64::MAX).await?;
    let mut settled = 0;
    let mut paid_by_us: BTreeMap<(usize, String), i64> = BTreeMap::new();
    let mut paid_by_bank: BTreeMap<(usize, String), i64> = BTreeMap::new();
    let mut posts = BTreeSet::new();
    let mut audit: HashMap<OrderId, Vec<AuditLine>> = HashMap::new();
    for order in &orders {
        if !posts.insert((order.source.platform.clone(), order.source.channel.as_str(), order.source.post.clone())) {
            world.violate(format!("I1: two orders for the post {}", order.source.native_id));
        }
        if !order.is_terminal() {
            world.violate(format!("I6: order {} is still {}: {:?}", order.id, order.state.name(), states(order)));
        }
        let lines = tx.audit_of(&order.id).await?;
        let (mut hash, mut version) = (String::new(), 0);
        for line in &lines {
            if !line.continues(&hash) || line.version != version + 1 {
                world.violate(format!("I9: the audit chain of {} is broken at version {}", order.id, line.version));
            }
            hash.clone_from(&line.hash);
            version = line.version;
        }
        if version != order.version {
            world.violate(format!("I9: order {} is at version {}, its audit ends at {version}", order.id, order.version));
        }
        let said_yes =
            lines.iter().any(|line| line.event.starts_with("answered_yes") && line.detail.contains("\"to\":\"confirmed\""));
        audit.insert(order.id.clone(), lines);
        let Some(payer) = &order.payer else { continue };
        let Some(bank) = world.banks.iter().position(|(name, _, _)| *name == payer.bank) else { continue };
        if matches!(order.state, OrderState::Confirmed { .. }) && !said_yes {
            world.violate(format!("I3: order {} is confirmed without a yes", order.id));
        }
        for payment in &order.payments {
            let at_bank = world.bank_has(bank, &payment.key);
            if at_bank.len() > 1 {
                world.violate(format!("I1: {} payments at the bank under the key {}", at_bank.len(), payment.key));
            }
            for taken in &at_bank {
                if !said_yes {
                    world.violate(format!("I3: the bank has a payment of {}, and nobody said yes", order.id));
                }
                let wanted = &taken.instruction;
                if wanted.amount != payment.amount || wanted.creditor != payment.payee.iban || wanted.debtor != payer.iban {
                    world.violate(format!("I3: the bank has another payment under {} than what was confirmed", payment.key));
                }
                if taken.status == crate::bank::fake::Status::Acsc && !taken.returned {
                    *paid_by_bank.entry((bank, payment.payee.legal_name.clone())).or_default() += wanted.amount.minor;
                }
            }
            if matches!(payment.state, PaymentState::Settled { .. }) {
                settled += 1;
                *paid_by_us.entry((bank, payment.payee.legal_name.clone())).or_default() += payment.amount.minor;
            }
        }
    }
    if paid_by_us != paid_by_bank {
        world.violate(format!("I4: settled with us {paid_by_us:?}, at the banks {paid_by_bank:?}"));
    }
    for (place, (_, bank, _)) in world.banks.iter().enumerate() {
        let ours: i64 = paid_by_bank.iter().filter(|((bank, _), _)| *bank == place).map(|(_, minor)| minor).sum();
        let theirs = bank.totals().map_or(0, |totals| totals.settled_minor);
        if ours != theirs {
            world.violate(format!("I4: bank {place} settled {theirs}, of which only {ours} belongs to an order"));
        }
    }
    nothing_is_lost(world, &mut tx).await?;
    doubts(world, &audit, &orders);
    asked_by_its_own_code(world, &mut tx, &orders).await?;
    told(world);
    windows(world);
    limits(world, &mut tx, &audit, &orders).await?;
    calls(world);
    Ok(Counted { orders: orders.len(), settled })
}

fn states(order: &Order) -> Vec<&'static str> {
    order.payments.iter().map(|payment| payment.state.name()).collect()
}

/// I13: every message of somebody else that names us, and still is there, has been taken in.
async fn nothing_is_lost(world: &World, tx: &mut crate::store::Tx) -> Result<(), StoreError> {
    let taken: BTreeSet<String> = tx.native_ids_of_posts().await?.into_iter().collect();
    let state = world.town.read();
    let all = crate::platform::fake::NotificationFilter {
        types: vec!["mention".to_owned()],
        ..crate::platform::fake::NotificationFilter::default()
    };
    let page = crate::platform::fake::Page { limit: usize::MAX, ..crate::platform::fake::Page::default() };
    for told in state.notifications(world.bot.id, &all, page) {
        let Some(status) = told.status.and_then(|id| state.status(id)) else { continue };
        if !taken.contains(&status.id.to_string()) && crate::language::would_concern(&status.now.text, "obole") {
            world.violate(format!("I13: the message {} was passed over", status.id));
        }
    }
    Ok(())
}

/// I12: what the audit lines tell about doubts and contradictions.
fn doubts(world: &World, audit: &HashMap<OrderId, Vec<AuditLine>>, orders: &[Order]) {
    let lied_about = world.book().lied_about.clone();
    let mut unknown: Vec<(&Order, &Payment, Timestamp, Timestamp)> = Vec::new();
    let mut confirmed: Vec<(&Order, Timestamp)> = Vec::new();
    for order in orders {
        let lines = audit.get(&order.id).map_or(&[][..], Vec::as_slice);
        for (place, payment) in order.payments.iter().enumerate() {
            let mut since: Option<Timestamp> = None;
            let (mut was_failed, mut was_disputed, mut was_unknown) = (false, false, false);
            for line in lines {
                let detail: serde_json::Value = serde_json::from_str(&line.detail).unwrap_or_default();
                let state = detail["payments"][place].as_str().unwrap_or_default().to_owned();
                was_failed |= state == "failed";
                was_disputed |= state == "disputed";
                was_unknown |= state == "unknown";
                if was_unknown && state == "ready" {
                    world.violate(format!("I12: {} may be with the bank, and is taken for never handed over", payment.key));
                }
                match (state.as_str(), since) {
                    ("unknown", None) => since = Some(line.at),
                    ("unknown", Some(_)) | (_, None) => {}
                    (_, Some(from)) => {
                        unknown.push((order, payment, from, line.at));
                        since = None;
                    }
                }
            }
            // Refused to a repetition, the payment stayed unknown and was asked for: no answer contradicted another.
            let flipped = was_failed && !was_disputed && matches!(payment.state, PaymentState::Settled { .. });
            if lied_about.contains(&payment.key) && flipped {
                world.violate(format!("I12: the bank contradicted itself about {}, and nobody was called", payment.key));
            }
        }
        confirmed.extend(
            lines
                .iter()
                .filter(|line| line.detail.contains("\"to\":\"confirmed\"") && line.event.starts_with("answered_yes"))
                .map(|line| (order, line.at)),
        );
    }
    for (order, payment, from, until) in &unknown {
        for (other, at) in &confirmed {
            let alike = |one: &Payment| one.payee.id == payment.payee.id && one.amount == payment.amount;
            let same_payer = other.payer.as_ref().map(|payer| &payer.person) == order.payer.as_ref().map(|payer| &payer.person);
            // Two nodes' clocks differ by up to two seconds.
            let within = later(*from, SKEW) < *at && *at < earlier(*until, SKEW);
            if other.id != order.id && same_payer && within && other.payments.iter().any(alike) {
                world.violate(format!("I12: {} was confirmed while the like of it in {} was unknown", other.id, order.id));
            }
        }
    }
    let book = world.book();
    let mut paid_though_frozen = Vec::new();
    for submitted in &book.submitted {
        let Some(payment) = orders.iter().flat_map(|order| &order.payments).find(|payment| payment.key == submitted.key) else {
            continue;
        };
        // The payee is looked up within the lease of whoever hands the payment over.
        let paid = |since: &Timestamp, until: &Option<Timestamp>| {
            submitted.begun_at > later(*since, LEASE) && until.is_none_or(|until| submitted.begun_at < until)
        };
        if book.frozen.iter().any(|(iban, since, until)| *iban == payment.payee.iban && paid(since, until)) {
            paid_though_frozen.push(format!("I12: {} was submitted to a frozen payee", submitted.key));
        }
    }
    drop(book);
    paid_though_frozen.into_iter().for_each(|what| world.violate(what));
}

/// How long a claimed effect belongs to a node, and by how much its clock may be ahead.
const LEASE: Duration = Duration::from_secs(45 + 2);
/// Clocks of nodes differ by up to this.
const SKEW: Duration = Duration::from_secs(4);

/// I13: a question is asked once where the town recognises a repetition, and an author is hinted at once a day.
fn told(world: &World) {
    let mut questions: BTreeMap<(String, String), Vec<Timestamp>> = BTreeMap::new();
    let state = world.town.read();
    for payer in &world.payers {
        let page = crate::platform::fake::Page { limit: usize::MAX, ..crate::platform::fake::Page::default() };
        for told in state.notifications(payer.person.id, &crate::platform::fake::NotificationFilter::default(), page) {
            let Some(status) = told.status.and_then(|id| state.status(id)).filter(|status| status.author == world.bot.id) else {
                continue;
            };
            // A message about several orders is another one as soon as it is about others.
            let codes = super::world::codes_in(&status.now.text).join(" ");
            if codes.is_empty() {
                continue;
            }
            questions.entry((payer.person.username.clone(), codes)).or_default().push(status.created_at);
        }
    }
    drop(state);
    for ((who, code), mut times) in questions {
        times.sort_unstable();
        if times.windows(2).any(|pair| pair[1] < later(pair[0], Duration::from_secs(3_000))) {
            world.violate(format!("I13: {who} was asked twice with the code {code}"));
        }
    }
    let mut hinted = world.book().hinted.clone();
    hinted.sort();
    // A repetition under one key is one hint; the town forgets a key after an hour, and so may say it twice.
    let day = Duration::from_secs(23 * 3600);
    let too_soon =
        hinted.windows(2).find(|pair| pair[0].0 == pair[1].0 && pair[0].2 != pair[1].2 && pair[1].1 < later(pair[0].1, day));
    if let Some(pair) = too_soon {
        world.violate(format!("I13: {} was hinted at twice within a day", pair[0].0));
    }
}

/// I3: of every order that a bank has a payment of, the payer answered a question for that very order.
async fn asked_by_its_own_code(world: &World, tx: &mut Tx, orders: &[Order]) -> Result<(), StoreError> {
    let mut questions: HashMap<OrderId, Vec<String>> = HashMap::new();
    for (id, order, data) in tx.effects_of_orders().await? {
        let asks = serde_json::from_str::<crate::app::task::Task>(&data)
            .is_ok_and(|task| matches!(task, crate::app::task::Task::Order { effect: Effect::AskPayer }));
        if asks {
            questions.entry(order).or_default().push(id.as_str().to_owned());
        }
    }
    let book = world.book();
    let mut unasked = Vec::new();
    for submitted in &book.submitted {
        let Some(order) = orders.iter().find(|order| order.payments.iter().any(|payment| payment.key == submitted.key)) else {
            unasked.push(format!("I3: a payment {} was submitted that no order has", submitted.key));
            continue;
        };
        let asked = questions.get(&order.id).is_some_and(|effects| effects.iter().any(|effect| book.said_yes.contains(effect)));
        if !asked {
            unasked.push(format!("I3: {} was submitted, and its payer never said yes to it", order.id));
        }
    }
    drop(book);
    unasked.into_iter().for_each(|what| world.violate(what));
    Ok(())
}

/// I5.
fn windows(world: &World) {
    let period = Duration::from_secs(world.quota.period_seconds.into());
    let mut sent = world.book().sent.clone();
    sent.sort_unstable();
    let limit = world.quota.limit as usize;
    let too_many = sent.windows(limit + 1).find(|run| run[0] > earlier(run[limit], period.saturating_sub(SLACK)));
    if let Some(run) = too_many {
        world.violate(format!("I5: {} messages between {} and {}", run.len(), run[0], run[limit]));
    }
}

/// A message is counted when it is claimed and goes out a little later, so a window measured at the platform may differ by that.
const SLACK: Duration = Duration::from_secs(200);

/// A payment that was confirmed and may have been made.
struct Counting {
    order: OrderId,
    confirmed_at: Timestamp,
    minor: i64,
    /// When it stood as surely not made, until its bank took that back: whoever confirmed meanwhile could not know better.
    free: Option<(Timestamp, Timestamp)>,
}

impl Counting {
    fn counts_at(&self, at: Timestamp) -> bool {
        self.confirmed_at <= at && !self.free.is_some_and(|(from, until)| earlier(from, SKEW) < at && at < later(until, SKEW))
    }
}

/// From when to when an order's payment was free of the limits, if it was before it was disputed.
fn freed(lines: &[AuditLine], payment: usize) -> Option<(Timestamp, Timestamp)> {
    let stands = |line: &AuditLine| {
        let detail: serde_json::Value = serde_json::from_str(&line.detail).unwrap_or_default();
        (line.at, detail["payments"][payment].as_str().unwrap_or_default().to_owned())
    };
    let states: Vec<_> = lines.iter().map(stands).collect();
    let (until, _) = states.iter().find(|(_, state)| state == "disputed")?;
    let (from, _) = states.iter().find(|(_, state)| ["failed", "expired"].contains(&state.as_str()))?;
    Some((*from, *until))
}

/// I7: what was confirmed, and may have been paid, within the windows of the limits; and what is reserved is what may have been paid.
async fn limits(world: &World, tx: &mut Tx, audit: &HashMap<OrderId, Vec<AuditLine>>, orders: &[Order]) -> Result<(), StoreError> {
    let limits = policy(world).limits;
    let may_be_paid = |payment: &Payment| {
        !matches!(payment.state, PaymentState::Failed { .. } | PaymentState::Expired { .. } | PaymentState::Proposed)
    };
    let mut confirmed: BTreeMap<String, Vec<Counting>> = BTreeMap::new();
    for order in orders {
        let (OrderState::Confirmed { at, .. }, Some(payer)) = (&order.state, &order.payer) else { continue };
        let lines = audit.get(&order.id).map_or(&[][..], Vec::as_slice);
        let reserved = tx.reservations_of(&order.id).await?;
        for payment in &order.payments {
            let key = payment.key.as_str();
            let counts = reserved.iter().any(|row| row.payment_key == key && row.released_at.is_none());
            if counts != may_be_paid(payment) {
                world.violate(format!("I7: payment {key} is {}, and counts against the limits: {counts}", payment.state.name()));
            }
            if may_be_paid(payment) {
                confirmed.entry(payer.person.as_str().to_owned()).or_default().push(Counting {
                    order: order.id.clone(),
                    confirmed_at: *at,
                    minor: payment.amount.minor,
                    free: freed(lines, usize::from(payment.index)),
                });
            }
        }
    }
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    for (person, payments) in confirmed {
        for Counting { confirmed_at: at, .. } in &payments {
            let counting: Vec<_> = payments.iter().filter(|payment| payment.counts_at(*at)).collect();
            let all: i64 = counting.iter().map(|payment| payment.minor).sum();
            let orders = counting.iter().map(|payment| payment.order.as_str()).collect::<BTreeSet<_>>().len();
            if all > limits.low_value_sum_minor || orders > limits.low_value_count as usize {
                world.violate(format!("I7: {person} confirmed {orders} orders over {all} by code alone"));
            }
            let from = earlier(*at, DAY.saturating_sub(SKEW));
            let day: i64 = counting.iter().filter(|payment| payment.confirmed_at > from).map(|payment| payment.minor).sum();
            if day > limits.rolling_day_minor {
                world.violate(format!("I7: {person} confirmed {day} within 24 hours"));
            }
        }
    }
    for order in orders {
        let open = orders.iter().filter(|other| other.state.is_open() && other.payer == order.payer && other.payer.is_some());
        if open.count() > limits.open_orders as usize {
            world.violate("I7: more orders wait for one payer than may".to_owned());
        }
    }
    Ok(())
}

/// I10: a log is copied, kept and searched by people who have no business with what is private.
pub(super) fn check_log(world: &World, log: &Log) {
    // Every payer has a safe phrase with the own name in it.
    let people = world.payers.iter().flat_map(|payer| [payer.person.username.clone(), payer.iban.as_str().to_owned()]);
    let payees = super::world::PAYEES.iter().filter_map(|name| world.payee_iban(name).ok()).map(|iban| iban.as_str().to_owned());
    let mut words: HashSet<String> = people.chain(payees).collect();
    words.extend(world.book().asked.keys().cloned());
    if let Some(line) = log.line_with(&words) {
        world.violate(format!("I10: this was logged: {line}"));
    }
}

/// I8: who was called how often about what.
fn calls(world: &World) {
    let book = world.book();
    let mut violations = Vec::new();
    let mut may_have_it: BTreeMap<&str, Timestamp> = BTreeMap::new();
    for submitted in &book.submitted {
        let key = submitted.key.as_str();
        let rail = world.plan.rails[submitted.bank];
        match (may_have_it.get(key), rail) {
            (Some(_), RailKind::Entries) => {
                violations.push(format!("I8: {key} was submitted again to a bank that may have it and remembers no keys"));
            }
            (Some(first), RailKind::Keys(life)) if submitted.at >= later(*first, life) => {
                violations.push(format!("I8: {key} was submitted again when the bank may have forgotten the key"));
            }
            _ => {}
        }
        if !submitted.surely_not_taken {
            may_have_it.entry(key).or_insert(submitted.at);
        }
    }
    drop(book);
    violations.into_iter().for_each(|what| world.violate(what));
}
