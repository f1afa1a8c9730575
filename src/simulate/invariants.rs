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
//! | I10 | no code, account number or safe phrase stands in a log line (checked by `mod.rs`, which hears the log) |
//! | I11 | nobody is told that a payment was made or not made before that is known |

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use super::node::policy;
use super::plan::RailKind;
use super::world::World;
use crate::clock::{Timestamp, earlier};
use crate::ids::OrderId;
use crate::order::{Effect, Order, OrderState, Payment, PaymentState};
use crate::store::{Store, StoreError};

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
        let said_yes = lines.iter().any(|line| line.event == "answered_yes" && line.detail.contains("\"to\":\"confirmed\""));
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
    asked_by_its_own_code(world, &mut tx, &orders).await?;
    windows(world);
    limits(world, &orders);
    calls(world);
    Ok(Counted { orders: orders.len(), settled })
}

fn states(order: &Order) -> Vec<&'static str> {
    order.payments.iter().map(|payment| payment.state.name()).collect()
}

/// I3: of every order that a bank has a payment of, the payer answered a question for that very order.
async fn asked_by_its_own_code(world: &World, tx: &mut crate::store::Tx, orders: &[Order]) -> Result<(), StoreError> {
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

/// I7: what was confirmed, and may have been paid, within the windows of the limits.
fn limits(world: &World, orders: &[Order]) {
    let limits = policy(world).limits;
    let counts = |payment: &&Payment| {
        !matches!(payment.state, PaymentState::Failed { .. } | PaymentState::Expired { .. } | PaymentState::Proposed)
    };
    let mut confirmed: BTreeMap<String, Vec<(Timestamp, i64)>> = BTreeMap::new();
    for order in orders {
        let (OrderState::Confirmed { at, .. }, Some(payer)) = (&order.state, &order.payer) else { continue };
        let minor = order.payments.iter().filter(counts).map(|payment| payment.amount.minor).sum::<i64>();
        if minor > 0 {
            confirmed.entry(payer.person.as_str().to_owned()).or_default().push((*at, minor));
        }
    }
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    for (person, mut sums) in confirmed {
        sums.sort_unstable();
        let all: i64 = sums.iter().map(|(_, minor)| minor).sum();
        if all > limits.low_value_sum_minor || sums.len() > limits.low_value_count as usize {
            world.violate(format!("I7: {person} confirmed {} orders over {all} by code alone", sums.len()));
        }
        for (at, _) in &sums {
            // Clocks of nodes differ by up to two seconds.
            let from = earlier(*at, DAY.saturating_sub(Duration::from_secs(4)));
            let day: i64 = sums.iter().filter(|(other, _)| *other > from && other <= at).map(|(_, minor)| minor).sum();
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
            (Some(first), RailKind::Keys(life)) if submitted.at >= crate::clock::later(*first, life) => {
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
