//! The desk: one transaction's worth of decisions.
//!
//! Orders are laid out as they are asked for, decided about any number of times, and cleared away in one commit: every changed
//! order with its payments, every audit line, every effect. Nothing outside the transaction happens here.

use std::collections::{HashMap, HashSet};

use serde_json::json;

use super::App;
use super::task::{OPERATOR_LANE, Task, bank_lane, platform_lane};
use crate::clock::{Timestamp, later};
use crate::entropy::random_bytes;
use crate::ids::{AccountId, EffectId, OrderId, PaymentKey, PlatformName, hex};
use crate::messages::Message;
use crate::order::state::Rejection;
use crate::order::{Decision, Effect, Event, Order, Payment, Refusal, decide, propose};
use crate::people::{Language, LinkedPayer};
use crate::store::effects::NewEffect;
use crate::store::orders::{AuditLine, StoredOrder};
use crate::store::{StoreError, Tx};

/// Whom to write to outside of any order.
pub(super) struct Addressee<'a> {
    pub(super) platform: &'a PlatformName,
    pub(super) account: &'a AccountId,
    pub(super) handle: &'a str,
    pub(super) language: Language,
    pub(super) safe_phrase: Option<&'a str>,
    pub(super) thread: Option<&'a str>,
}

/// An order on the desk, with the version it was read at (0: not stored yet).
struct Laid {
    expected: i64,
    stored: StoredOrder,
    changed: bool,
}

/// What to do once everything is committed.
#[derive(Default)]
pub(super) struct Committed {
    pub(super) lanes: HashSet<String>,
    pub(super) orders: Vec<OrderId>,
    pub(super) calls: Vec<(OrderId, String)>,
}

pub(super) struct Desk<'a> {
    pub(super) app: &'a App,
    pub(super) tx: Tx,
    pub(super) now: Timestamp,
    orders: HashMap<OrderId, Laid>,
    effects: Vec<NewEffect>,
    audit: Vec<AuditLine>,
    released: Vec<String>,
    calls: Vec<(OrderId, String)>,
}

impl<'a> Desk<'a> {
    pub(super) async fn open(app: &'a App) -> Result<Self, StoreError> {
        let tx = app.store.begin().await?;
        let now = app.clock.now();
        Ok(Desk {
            app,
            tx,
            now,
            orders: HashMap::new(),
            effects: Vec::new(),
            audit: Vec::new(),
            released: Vec::new(),
            calls: Vec::new(),
        })
    }

    /// Lays orders out that are not on the desk yet. Ids that no order has are passed over.
    pub(super) async fn lay_out(&mut self, ids: &[OrderId]) -> Result<(), StoreError> {
        let missing: Vec<&OrderId> = ids.iter().filter(|id| !self.orders.contains_key(id)).collect();
        for stored in self.tx.orders(&missing).await? {
            let laid = Laid { expected: stored.order.version, stored, changed: false };
            self.orders.insert(laid.stored.order.id.clone(), laid);
        }
        Ok(())
    }

    /// An order on the desk.
    pub(super) fn order(&self, id: &OrderId) -> Option<&Order> {
        self.orders.get(id).map(|laid| &laid.stored.order)
    }

    /// A salt for a confirmation code.
    pub(super) fn salt(&self) -> String {
        hex(&random_bytes::<16>(self.app.entropy.as_ref()))
    }

    /// The orders on the desk that a message made in this very transaction.
    pub(super) fn orders_made_from(&self, platform: &PlatformName, native_id: &str) -> Vec<OrderId> {
        let from = |laid: &&Laid| {
            let source = &laid.stored.order.source;
            laid.expected == 0 && source.platform == *platform && source.native_id == native_id
        };
        self.orders.values().filter(from).map(|laid| laid.stored.order.id.clone()).collect()
    }

    /// Whether any of these payments is of an order that is stored or lies here: the same post, seen through another connection.
    pub(super) async fn knows_any_payment(&mut self, payments: &[Payment]) -> Result<bool, StoreError> {
        let keys: Vec<&PaymentKey> = payments.iter().map(|payment| &payment.key).collect();
        let lies_here = |laid: &Laid| laid.stored.order.payments.iter().any(|payment| keys.contains(&&payment.key));
        Ok(self.orders.values().any(lies_here) || self.tx.any_payment_exists(&keys).await?)
    }

    /// Makes a new order and asks its payer, or says why not.
    pub(super) fn propose(&mut self, order: Order, problem: Option<Rejection>) {
        self.take_new(order, problem, true);
    }

    /// The same, without the public hint: the author has had theirs for today.
    pub(super) fn propose_quietly(&mut self, order: Order, problem: Option<Rejection>) {
        self.take_new(order, problem, false);
    }

    fn take_new(&mut self, order: Order, problem: Option<Rejection>, may_hint: bool) {
        let salt = self.salt();
        let mut decision = propose(order, problem, salt, self.now, &self.app.policy);
        decision.effects.retain(|effect| may_hint || *effect != Effect::HintEnrolment);
        let id = decision.order.id.clone();
        let stored = StoredOrder { order: decision.order.clone(), audit_hash: String::new() };
        self.orders.insert(id, Laid { expected: 0, stored, changed: true });
        self.take(decision, "proposed", "none");
    }

    /// Lets something happen to an order. `Ok(Err(_))`: it means nothing in the order's state, and nothing has changed.
    pub(super) async fn happen(&mut self, id: &OrderId, event: &Event) -> Result<Result<(), Refusal>, StoreError> {
        let unknown = || Refusal { order: id.clone(), state: "no such order", event: event.name() };
        let Some(order) = self.order(id) else { return Ok(Err(unknown())) };
        let before = standing(order, event);
        let decision = match decide(order, event, self.now, &self.app.policy) {
            Ok(decision) => decision,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if decision.reserves_limits
            && let Some(payer) = decision.order.payer.clone()
            && let Some(which) = self.tx.reserve(&decision.order, &payer, &self.app.policy.limits, self.now).await?
        {
            let instead = Event::LimitReached { which };
            let order = self.order(id).cloned();
            return Ok(match order.map(|order| decide(&order, &instead, self.now, &self.app.policy)) {
                Some(Ok(decision)) => {
                    self.take(decision, instead.name(), &before);
                    Ok(())
                }
                Some(Err(refusal)) => Err(refusal),
                None => Err(unknown()),
            });
        }
        let name = event.name();
        self.take(decision, name, &before);
        Ok(Ok(()))
    }

    /// Puts a private message that belongs to no order into the queue.
    pub(super) fn say(&mut self, to: &Addressee<'_>, message: Message) {
        let task = Task::Say {
            account: to.account.clone(),
            handle: to.handle.to_owned(),
            language: to.language,
            safe_phrase: to.safe_phrase.map(str::to_owned),
            thread: to.thread.map(str::to_owned),
            message,
        };
        self.queue(platform_lane(to.platform), None, &task, 1, self.now);
    }

    /// The same, to a payer we know.
    pub(super) fn say_to_payer(&mut self, payer: &LinkedPayer, thread: Option<&str>, message: Message) {
        let to = Addressee {
            platform: &payer.link.platform,
            account: &payer.link.account,
            handle: &payer.link.handle,
            language: payer.person.language,
            safe_phrase: Some(&payer.person.safe_phrase),
            thread: thread.or(payer.link.thread.as_deref()),
        };
        self.say(&to, message);
    }

    pub(super) fn queue(&mut self, lane: String, order: Option<OrderId>, task: &Task, priority: i64, due_at: Timestamp) {
        // A task is made of plain strings and numbers; the fallback would be read as "nothing to do" and logged by dispatch.
        let data = serde_json::to_string(task).unwrap_or_default();
        let id = EffectId::new(self.now, self.app.entropy.as_ref());
        self.effects.push(NewEffect { id, lane, order, data, priority, due_at });
    }

    fn take(&mut self, decision: Decision, event: &str, before: &str) {
        let id = decision.order.id.clone();
        let effects: Vec<&str> = decision.effects.iter().map(Effect::name).collect();
        let payments: Vec<&str> = decision.order.payments.iter().map(|payment| payment.state.name()).collect();
        let detail = json!({
            "from": before, "to": decision.order.state.name(), "payments": payments, "effects": effects,
        })
        .to_string();
        for index in &decision.releases {
            if let Some(payment) = decision.order.payment(*index) {
                self.released.push(payment.key.as_str().to_owned());
            }
        }
        for effect in &decision.effects {
            self.queue_for(&decision.order, effect);
        }
        if let Some(laid) = self.orders.get_mut(&id) {
            let line = AuditLine::following(&laid.stored.audit_hash, &id, decision.order.version, self.now, event, detail);
            laid.stored.audit_hash.clone_from(&line.hash);
            laid.stored.order = decision.order;
            laid.changed = true;
            self.audit.push(line);
        }
    }

    fn queue_for(&mut self, order: &Order, effect: &Effect) {
        let (lane, due_at) = match effect {
            Effect::AskPayer | Effect::TellPayer { .. } | Effect::HintEnrolment => {
                (platform_lane(&order.source.platform), self.now)
            }
            Effect::Submit { after, .. } | Effect::AskBank { after, .. } => match &order.payer {
                Some(payer) => (bank_lane(&payer.bank), later(self.now, *after)),
                None => return,
            },
            Effect::CallOperator { what, .. } => {
                self.calls.push((order.id.clone(), what.clone()));
                (OPERATOR_LANE.to_owned(), self.now)
            }
        };
        let task = Task::Order { effect: effect.clone() };
        self.queue(lane, Some(order.id.clone()), &task, effect.priority(), due_at);
    }

    /// Commits everything on the desk, or nothing.
    pub(super) async fn commit(mut self) -> Result<(Committed, HashMap<OrderId, Order>), StoreError> {
        let changed: Vec<&Laid> = self.orders.values().filter(|laid| laid.changed).collect();
        let new: Vec<&StoredOrder> = changed.iter().filter(|laid| laid.expected == 0).map(|laid| &laid.stored).collect();
        let old: Vec<(i64, &StoredOrder)> =
            changed.iter().filter(|laid| laid.expected != 0).map(|laid| (laid.expected, &laid.stored)).collect();
        self.tx.insert_orders(&new, self.now).await?;
        self.tx.update_orders(&old, self.now).await?;
        self.tx.insert_audit(&self.audit).await?;
        self.tx.insert_effects(&self.effects, self.now).await?;
        let released: Vec<&str> = self.released.iter().map(String::as_str).collect();
        self.tx.release(&released, self.now).await?;
        self.tx.commit().await?;
        let committed = Committed {
            lanes: self.effects.into_iter().map(|effect| effect.lane).collect(),
            orders: changed_ids(&self.orders),
            calls: self.calls,
        };
        Ok((committed, self.orders.into_iter().map(|(id, laid)| (id, laid.stored.order)).collect()))
    }
}

fn changed_ids(orders: &HashMap<OrderId, Laid>) -> Vec<OrderId> {
    orders.values().filter(|laid| laid.changed).map(|laid| laid.stored.order.id.clone()).collect()
}

fn standing(order: &Order, event: &Event) -> String {
    let payment = event.payment().and_then(|index| order.payment(index));
    payment.map_or(order.state.name(), |payment| payment.state.name()).to_owned()
}
