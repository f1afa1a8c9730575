//! The desk: one transaction's worth of decisions.
//!
//! Orders are laid out as they are asked for, decided about any number of times, and cleared away in one commit: every changed
//! order with its payments, every audit line, every effect. Nothing outside the transaction happens here.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::json;

use super::App;
use super::ask;
use super::task::{OPERATOR_LANE, Task, bank_lane, hint_lane, platform_lane};
use crate::clock::{Timestamp, later};
use crate::crash::crash_point;
use crate::entropy::random_bytes;
use crate::ids::{AccountId, EffectId, OrderId, PayeeId, PaymentKey, PersonId, PlatformName, hex};
use crate::messages::Message;
use crate::order::state::{LimitKind, Rejection};
use crate::order::{
    Decision, Effect, Event, Hold, Limits, Objection, Order, OrderState, PasskeyStanding, Payer, Payment, PaymentState, Policy,
    Refusal, decide, propose,
};
use crate::people::screening::{Subject, Verdict};
use crate::people::{Language, LinkedPayer};
use crate::planted::planted;
use crate::store::effects::NewEffect;
use crate::store::orders::{AuditLine, StoredOrder, UncertainPayment};
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
    /// Keys of payments whose reservation counts again (`true`) or no more.
    reserved: BTreeMap<String, bool>,
    halts: Vec<PayeeId>,
    calls: Vec<(OrderId, String)>,
    foreseen: Foreseen,
}

/// What the rows say about many payers and posts, read at once because each of them is about to be asked for. Nothing is written before
/// the commit, so asking later would bring the same; who is not in it is asked for alone.
#[derive(Default)]
struct Foreseen {
    /// Orders that wait for an answer, oldest first, of everybody who was looked up.
    awaiting: HashMap<PersonId, Vec<OrderId>>,
    /// Payments of unknown outcome, of everybody who was looked up.
    uncertain: HashMap<PersonId, Vec<UncertainPayment>>,
    /// Payments that were looked for, and whether they are there.
    payments: HashMap<PaymentKey, bool>,
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
            reserved: BTreeMap::new(),
            halts: Vec::new(),
            calls: Vec::new(),
            foreseen: Foreseen::default(),
        })
    }

    /// Reads at once what these payers' posts and answers will need. Their rows have to be held ([`Tx::lock_people`]), so that what is
    /// read stays true. The orders that wait for an answer lie on the desk afterwards.
    pub(super) async fn foresee(
        &mut self,
        posting: &[&PersonId],
        answering: &[&PersonId],
        keys: Vec<PaymentKey>,
    ) -> Result<(), StoreError> {
        let everybody: Vec<&PersonId> = posting.iter().chain(answering).copied().collect();
        for person in &everybody {
            self.foreseen.uncertain.entry((*person).clone()).or_default().clear();
        }
        for payment in self.tx.uncertain_payments(&everybody).await? {
            self.foreseen.uncertain.entry(payment.payer.clone()).or_default().push(payment);
        }
        for person in answering {
            self.foreseen.awaiting.entry((*person).clone()).or_default().clear();
        }
        let mut waiting = Vec::new();
        for (person, order) in self.tx.orders_awaiting_answers(answering).await? {
            waiting.push(order.clone());
            self.foreseen.awaiting.entry(person).or_default().push(order);
        }
        self.lay_out(&waiting).await?;
        let there = self.tx.payments_among(&keys.iter().collect::<Vec<_>>()).await?;
        self.foreseen.payments.extend(keys.into_iter().map(|key| (key.clone(), there.contains(&key))));
        Ok(())
    }

    /// The ids of a payer's orders that wait for an answer by what the rows say, oldest first; they lie on the desk afterwards.
    pub(super) async fn orders_awaiting_answer(&mut self, payer: &PersonId) -> Result<Vec<OrderId>, StoreError> {
        if let Some(awaiting) = self.foreseen.awaiting.get(payer) {
            return Ok(awaiting.clone());
        }
        let awaiting = self.tx.orders_awaiting_answer(payer).await?;
        self.lay_out(&awaiting).await?;
        Ok(awaiting)
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

    /// Whether any of these payments is of an order that is stored or lies here: the same post, seen through another connection.
    pub(super) async fn knows_any_payment(&mut self, payments: &[Payment]) -> Result<bool, StoreError> {
        let keys: Vec<&PaymentKey> = payments.iter().map(|payment| &payment.key).collect();
        let lies_here = |laid: &Laid| laid.stored.order.payments.iter().any(|payment| keys.contains(&&payment.key));
        if self.orders.values().any(lies_here) {
            return Ok(true);
        }
        let foreseen: Option<Vec<bool>> = keys.iter().map(|key| self.foreseen.payments.get(*key).copied()).collect();
        match foreseen {
            Some(there) => Ok(there.contains(&true)),
            None => Ok(!self.tx.payments_among(&keys).await?.is_empty()),
        }
    }

    /// The orders on the desk, made in this very transaction, that fit: the rows do not tell of them yet.
    pub(super) fn fresh_orders(&self, fits: impl Fn(&Order) -> bool) -> Vec<OrderId> {
        let fresh = self.orders.values().filter(|laid| laid.expected == 0 && fits(&laid.stored.order));
        let mut ids: Vec<OrderId> = fresh.map(|laid| laid.stored.order.id.clone()).collect();
        ids.sort_unstable();
        ids
    }

    /// Makes a new order and asks its payer, or says why not. Without `may_hint`, an author without a channel has had their public hint
    /// for today.
    pub(super) async fn propose(&mut self, order: Order, problem: Option<Rejection>, may_hint: bool) -> Result<(), StoreError> {
        let objection = match problem {
            Some(reason) => Some(Objection::Reject(reason)),
            None => self.reason_to_hold(&order).await?.map(Objection::Hold),
        };
        let salt = self.salt();
        let policy = self.policy_of(&order).await?;
        let mut decision = propose(order, objection, salt, self.now, &policy);
        decision.effects.retain(|effect| may_hint || *effect != Effect::HintEnrolment);
        let id = decision.order.id.clone();
        let stored = StoredOrder { order: decision.order.clone(), audit_hash: String::new() };
        self.orders.insert(id, Laid { expected: 0, stored, changed: true });
        self.take(decision, "proposed", "none", None, None);
        Ok(())
    }

    async fn policy_of(&mut self, order: &Order) -> Result<Policy, StoreError> {
        let mut policy = self.app.policy_of(order);
        // Asked for the few orders that a code is not enough for.
        let is_new = order.version == 0;
        if (is_new || order.state.is_open()) && policy.needs_passkey(order) {
            policy.passkey = self.passkey_of(order.payer.as_ref()).await?;
        }
        Ok(policy)
    }

    /// What a payer can confirm with beyond a code.
    async fn passkey_of(&mut self, payer: Option<&Payer>) -> Result<PasskeyStanding, StoreError> {
        let Some(payer) = payer else { return Ok(PasskeyStanding::Missing) };
        Ok(match self.tx.passkey_usable_at(&payer.person).await? {
            None => PasskeyStanding::Missing,
            Some(at) if at <= self.now => PasskeyStanding::Usable,
            Some(at) => PasskeyStanding::NewUntil(at),
        })
    }

    /// Whether all of these orders can be confirmed together, as the payer asks: reserved against the limits one after the other, and none
    /// of them to wait. Nothing is changed by it. Gives what speaks against it.
    pub(super) async fn try_confirming(&mut self, ids: &[OrderId]) -> Result<Option<Message>, StoreError> {
        let yes = Event::Answered { answer: crate::order::Answer::Yes };
        self.tx.begin_trial().await?;
        let mut why_not = None;
        for id in ids {
            let Some(order) = self.order(id).cloned() else { continue };
            let policy = self.policy_of(&order).await?;
            let Ok(decision) = decide(&order, &yes, self.now, &policy) else {
                why_not = Some(Message::SetChanged { count: ids.len() as u64 });
                break;
            };
            if self.reason_to_hold(&decision.order).await?.is_some() {
                why_not = Some(Message::SetToCheck);
                break;
            }
            let Some(payer) = &decision.order.payer else { continue };
            if !decision.reserves_limits || self.tx.reserve(&decision.order, payer, &policy.limits, self.now).await?.is_some() {
                why_not = Some(Message::SetTooMuch);
                break;
            }
        }
        self.tx.undo_trial().await?;
        Ok(why_not)
    }

    /// Why an order that would be asked about, or has just been answered, has to wait.
    async fn reason_to_hold(&mut self, order: &Order) -> Result<Option<Hold>, StoreError> {
        let Some(payer) = &order.payer else { return Ok(None) };
        for payment in &order.payments {
            let finding = match screen(self.app, payer, payment) {
                Verdict::Clear => continue,
                Verdict::Found { finding } => finding,
                Verdict::Unavailable { why } => format!("screening could not be asked: {why}"),
            };
            return Ok(Some(Hold::Screening { finding }));
        }
        if planted!("look_alike_ignored") {
            return Ok(None);
        }
        let twin = self.look_alike(order, payer).await?;
        Ok(twin.map(|of| Hold::LookAlike { of }))
    }

    /// Another order of the same payer with a payment to the same payee over the same amount whose outcome is not known.
    async fn look_alike(&mut self, order: &Order, payer: &Payer) -> Result<Option<OrderId>, StoreError> {
        let uncertain = |payment: &Payment| is_uncertain(&payment.state);
        let alike = |one: &Payment, other: &Payment| one.payee.id == other.payee.id && one.amount == other.amount;
        for payment in &order.payments {
            for found in self.uncertain_orders(&payer.person, payment).await? {
                if found == order.id {
                    continue;
                }
                // This very transaction may have learned what became of it.
                let laid = self.order(&found);
                let still = laid.is_none_or(|other| other.payments.iter().any(|one| uncertain(one) && alike(one, payment)));
                if still {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }

    /// The ids of a payer's orders with a payment like this one of which nobody knows what became.
    async fn uncertain_orders(&mut self, payer: &PersonId, payment: &Payment) -> Result<Vec<OrderId>, StoreError> {
        let Some(uncertain) = self.foreseen.uncertain.get(payer) else {
            return self.tx.uncertain_orders(payer, &payment.payee.id, payment.amount).await;
        };
        let alike = uncertain.iter().filter(|other| other.payee == payment.payee.id && other.amount == payment.amount);
        Ok(alike.map(|other| other.order.clone()).collect())
    }

    /// Lets something happen to an order. `Ok(Err(_))`: it means nothing in the order's state, and nothing has changed.
    pub(super) async fn happen(&mut self, id: &OrderId, event: &Event) -> Result<Result<(), Refusal>, StoreError> {
        let was_uncertain = self.order(id).is_some_and(|order| order.payments.iter().any(|payment| is_uncertain(&payment.state)));
        let happened = self.happen_to_one(id, event).await?;
        let is_uncertain = self.order(id).is_some_and(|order| order.payments.iter().any(|payment| is_uncertain(&payment.state)));
        if was_uncertain && !is_uncertain {
            self.release_look_alikes(id).await?;
        }
        Ok(happened)
    }

    async fn happen_to_one(&mut self, id: &OrderId, event: &Event) -> Result<Result<(), Refusal>, StoreError> {
        let unknown = || Refusal { order: id.clone(), state: "no such order", event: event.name() };
        let Some(order) = self.order(id).cloned() else { return Ok(Err(unknown())) };
        let before = standing(&order, event);
        let mut policy = self.policy_of(&order).await?;
        if let Event::PayerLinked { payer, .. } = event
            && policy.limits.needs_passkey(&order)
        {
            policy.passkey = self.passkey_of(Some(payer)).await?;
        }
        let mut event = event.clone();
        let mut decision = match decide(&order, &event, self.now, &policy) {
            Ok(decision) => decision,
            Err(refusal) => return Ok(Err(refusal)),
        };
        // Between the question and the answer, or while it was held, another payment may have become uncertain, or a list longer.
        let asks = decision.effects.contains(&Effect::AskPayer);
        if (decision.reserves_limits || asks)
            && let Some(why) = self.reason_to_hold(&decision.order).await?
        {
            event = Event::Held { why };
            decision = match decide(if asks { &decision.order } else { &order }, &event, self.now, &policy) {
                Ok(held) => held,
                Err(refusal) => return Ok(Err(refusal)),
            };
            decision.order.version = order.version + 1;
        }
        if decision.reserves_limits
            && let Some(payer) = decision.order.payer.clone()
            && let Some(which) = self.reserve(&decision, &payer, &policy.limits).await?
        {
            event = Event::LimitReached { which };
            policy.passkey = self.passkey_of(order.payer.as_ref()).await?;
            decision = match decide(&order, &event, self.now, &policy) {
                Ok(decision) => decision,
                Err(refusal) => return Ok(Err(refusal)),
            };
        }
        crash_point!("limits.reserved", if decision.reserves_limits, return Err(StoreError: disk_full));
        self.take(decision, event.name(), &before, event.operator(), event.return_reason());
        Ok(Ok(()))
    }

    /// Reserves a confirmed order against its payer's limits, or says which one does not hold it. With a strong confirmation the
    /// cumulative low-value limits count anew from here, in the same commit.
    async fn reserve(&mut self, decision: &Decision, payer: &Payer, limits: &Limits) -> Result<Option<LimitKind>, StoreError> {
        if !decision.strong {
            return self.tx.reserve(&decision.order, payer, limits, self.now).await;
        }
        let refused = self.tx.reserve(&decision.order, payer, &limits.for_strong_confirmation(), self.now).await?;
        if refused.is_none() {
            self.tx.strongly_confirmed(&payer.person, self.now).await?;
        }
        Ok(refused)
    }

    /// What became of an order's payments is known now: whatever waited for that is asked about.
    async fn release_look_alikes(&mut self, of: &OrderId) -> Result<(), StoreError> {
        let Some(person) = self.order(of).and_then(|order| order.payer.as_ref()).map(|payer| payer.person.clone()) else {
            return Ok(());
        };
        // Another node that holds an order at this moment has the person locked: it is seen here, or sees what became known.
        self.tx.lock_people(&[&person]).await?;
        let held = self.tx.held_orders(&person).await?;
        self.lay_out(&held).await?;
        let waits =
            |order: &Order| matches!(&order.state, OrderState::Held { why: Hold::LookAlike { of: first }, .. } if first == of);
        let mut waiting: Vec<OrderId> = held.into_iter().filter(|id| self.order(id).is_some_and(waits)).collect();
        waiting.extend(self.fresh_orders(waits));
        for id in waiting {
            let event = Event::Released { by: None, salt: self.salt() };
            let _ = self.happen_to_one(&id, &event).await?;
        }
        Ok(())
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

    /// Calls an operator about an order of which nothing else is decided.
    pub(super) fn call_operator(&mut self, order: &OrderId, what: String) {
        self.calls.push((order.clone(), what.clone()));
        let task = Task::Order { effect: Effect::CallOperator { payment: None, what } };
        self.queue(OPERATOR_LANE.to_owned(), Some(order.clone()), &task, 1, self.now);
    }

    /// Puts something to do into a lane.
    pub(super) fn queue(
        &mut self,
        lane: String,
        order: Option<OrderId>,
        task: &Task,
        priority: i64,
        due_at: Timestamp,
    ) -> EffectId {
        // A task is made of plain strings and numbers; the fallback would be read as "nothing to do" and logged by dispatch.
        let data = serde_json::to_string(task).unwrap_or_default();
        let id = EffectId::new(self.now, self.app.entropy.as_ref());
        self.effects.push(NewEffect { id: id.clone(), lane, order, data, priority, due_at, joins: None });
        id
    }

    fn take(
        &mut self,
        decision: Decision,
        event: &str,
        before: &str,
        operator: Option<(&str, Option<&str>)>,
        return_reason: Option<&str>,
    ) {
        let id = decision.order.id.clone();
        let effects: Vec<&str> = decision.effects.iter().map(Effect::name).collect();
        let payments: Vec<&str> = decision.order.payments.iter().map(|payment| payment.state.name()).collect();
        let mut detail = json!({
            "from": before, "to": decision.order.state.name(), "payments": payments, "effects": effects,
        });
        // Under which rules somebody was asked or said yes.
        if decision.reserves_limits || decision.effects.contains(&Effect::AskPayer) {
            detail["limits"] = json!(self.app.limits.now().version);
            detail["screening"] = json!(self.app.screening.version());
        }
        // What exactly was confirmed: an audit compares it with what the order says now.
        if let (true, OrderState::Confirmed { digest, .. }) = (decision.reserves_limits, &decision.order.state) {
            detail["digest"] = json!(digest);
        }
        if let Some((operator, note)) = operator {
            detail["operator"] = json!(operator);
            detail["note"] = json!(note);
        }
        // No state keeps why a payment came back; whoever asks later is told by the record.
        if let Some(reason) = return_reason {
            detail["reason"] = json!(reason);
        }
        let detail = detail.to_string();
        self.halts.extend(decision.halts.iter().cloned());
        let indices =
            decision.releases.iter().map(|index| (index, false)).chain(decision.retakes.iter().map(|index| (index, true)));
        for (index, counts) in indices {
            if let Some(payment) = decision.order.payment(*index) {
                self.reserved.insert(payment.key.as_str().to_owned(), counts);
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
            if !(planted!("audit_skipped") && event == "bank_did_not_find") {
                self.audit.push(line);
            }
        }
    }

    fn queue_for(&mut self, order: &Order, effect: &Effect) {
        let (lane, due_at) = match effect {
            Effect::AskPayer | Effect::TellPayer { .. } => (platform_lane(&order.source.platform), self.now),
            Effect::HintEnrolment => (hint_lane(&order.source.platform), self.now),
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
        // Questions to one account go out as one message.
        let joins = *effect == Effect::AskPayer && ask::joins(order);
        if let (true, Some(queued)) = (joins, self.effects.last_mut()) {
            queued.joins = Some(order.source.author.to_string());
        }
    }

    /// Commits everything on the desk, or nothing.
    pub(super) async fn commit(mut self) -> Result<(Committed, HashMap<OrderId, Order>), StoreError> {
        let mut changed: Vec<&Laid> = self.orders.values().filter(|laid| laid.changed).collect();
        // Rows in the order of their ids: whatever is read back later comes the same way each time.
        changed.sort_unstable_by(|one, other| one.stored.order.id.cmp(&other.stored.order.id));
        let new: Vec<&StoredOrder> = changed.iter().filter(|laid| laid.expected == 0).map(|laid| &laid.stored).collect();
        let old: Vec<(i64, &StoredOrder)> =
            changed.iter().filter(|laid| laid.expected != 0).map(|laid| (laid.expected, &laid.stored)).collect();
        self.tx.insert_orders(&new, self.now).await?;
        self.tx.update_orders(&old, self.now).await?;
        self.tx.insert_audit(&self.audit).await?;
        self.tx.insert_effects(&self.effects, self.now).await?;
        let keys = |counts: bool| self.reserved.iter().filter(move |(_, now)| **now == counts).map(|(key, _)| key.as_str());
        let (released, retaken): (Vec<&str>, Vec<&str>) = (keys(false).collect(), keys(true).collect());
        self.tx.release(&released, self.now).await?;
        self.tx.retake(&retaken).await?;
        for payee in &self.halts {
            self.tx.freeze_payee(payee, "two definite answers of the bank about a payment contradict each other", self.now).await?;
        }
        crash_point!("ledger.before_commit", return Err(StoreError: disk_full));
        self.tx.commit().await?;
        crash_point!("ledger.after_commit", return Err(StoreError: connection_lost));
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

/// The bank may or may not have it.
fn is_uncertain(state: &PaymentState) -> bool {
    matches!(state, PaymentState::Unknown { .. })
}

/// What screening says about a payment.
pub(super) fn screen(app: &App, payer: &Payer, payment: &Payment) -> Verdict {
    let debtor = Subject { name: None, iban: &payer.iban };
    let creditor = Subject { name: Some(&payment.payee.legal_name), iban: &payment.payee.iban };
    app.screening.screen(debtor, creditor)
}
