//! One simulation: storm, heal, and then every order must be at its end.
//!
//! One thread, one seed. A step picks one of the things that can happen now: a node commits, claims, hears, or lets a delivery go
//! on; something happens in town; a node dies; time passes. Nothing happens between steps, so a run is the list of its steps.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::invariants;
use super::listening::Log;
use super::node::{LONG_PAUSE, Node};
use super::plan::{Fault, Plan};
use super::world::{Act, PAYEES, STORM, TOWN, World};
use crate::app::directory::{self, CampaignEntry, PayeeEntry, PayeeHandle};
use crate::clock::{Timestamp, later};
use crate::entropy::SeededEntropy;
use crate::ids::{AccountId, EffectId, OrderId, PaymentKey, PersonId, PlatformName};
use crate::money::{Currency, Money};
use crate::order::{BankSaid, Event, OrderState, PaymentState, Resolution};
use crate::people::{BankAccount, Class, Link, Person};
use crate::store::{Ground, Location, Store};

/// The most steps of the storm, per post, before a run counts as stuck.
const STEPS_PER_POST: usize = 1_000;
/// The most steps after the storm: so many, and so many per post, before a run counts as going nowhere.
const CALM_STEPS: (usize, usize) = (4_000, 300);
/// How long after the storm the last order has to be at its end: three days that an order may be held, and room.
const BOUND: Duration = Duration::from_secs(6 * 24 * 60 * 60);

/// By how much a node's clock is ahead at most.
const MOST_AHEAD: Duration = Duration::from_secs(2);

/// What came of a run.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    pub(super) fired: Vec<(Fault, u64)>,
    pub(super) violations: Vec<String>,
    pub(super) steps: usize,
    pub(super) orders: usize,
    pub(super) settled: usize,
    /// Simulated time.
    pub(super) hours: u64,
    /// What happened, step by step.
    pub(super) trace: Vec<String>,
}

struct Run {
    world: Arc<World>,
    store: Store,
    nodes: Vec<Option<Node>>,
    /// The lanes of every node.
    lanes: Vec<String>,
    /// Which lanes had nothing due, at which count of changes.
    idle: Vec<Option<u64>>,
    /// Orders about which an operator was called, as of the last look.
    called: BTreeSet<String>,
    /// Counts everything that may have made something due.
    changes: u64,
    trace: Vec<String>,
}

/// What can happen next.
#[derive(Debug, Clone, Copy)]
enum Step {
    Commit(usize),
    Advance(usize, usize),
    Claim(usize, usize),
    Hear(usize),
    Expire(usize),
    World,
    Tick,
}

/// Simulates a plan.
pub(super) async fn run(plan: &Plan) -> anyhow::Result<Outcome> {
    let log = Log::default();
    let listening = log.listen();
    let world = World::new(plan)?;
    let store = Store::open(&Location::Memory, Ground::Sandbox).await?;
    let mut run = Run {
        world: world.clone(),
        store,
        nodes: Vec::new(),
        lanes: Vec::new(),
        idle: Vec::new(),
        called: BTreeSet::new(),
        changes: 0,
        trace: Vec::new(),
    };
    run.begin().await?;
    let started = world.now();
    let calm_at = later(started, STORM);
    let bound = later(calm_at, BOUND);
    let mut steps = 0;
    let mut healed = false;
    let mut most_steps = STEPS_PER_POST * plan.posts.max(10);
    loop {
        steps += 1;
        if !healed && world.now() >= calm_at {
            healed = true;
            most_steps = steps + CALM_STEPS.0 + CALM_STEPS.1 * plan.posts;
            run.heal()?;
        }
        if !run.step(healed).await? {
            if !healed {
                continue;
            }
            if run.resolve().await? {
                continue;
            }
            break;
        }
        if steps > most_steps {
            world.violate(format!("I6: not at its end after {steps} steps"));
            break;
        }
        if world.now() > bound {
            world.violate("I6: still working long after everything was well again".to_owned());
            break;
        }
    }
    let counted = invariants::check(&world, &run.store).await?;
    drop(listening);
    invariants::check_log(&world, &log);
    let hours = u64::try_from(world.now().duration_since(started).as_hours()).unwrap_or(0);
    let mut book = world.book();
    Ok(Outcome {
        fired: book.fired.iter().map(|(fault, count)| (*fault, *count)).collect(),
        violations: std::mem::take(&mut book.violations),
        steps,
        orders: counted.orders,
        settled: counted.settled,
        hours,
        trace: run.trace,
    })
}

impl Run {
    /// Payers, payees and nodes.
    async fn begin(&mut self) -> anyhow::Result<()> {
        let world = self.world.clone();
        let entropy = SeededEntropy::new(world.dice.seed());
        for _ in 0..world.plan.nodes {
            self.start_node()?;
        }
        let Some(first) = self.nodes.iter().flatten().next() else { return Ok(()) };
        let payee = |slug: &&str| -> anyhow::Result<PayeeEntry> {
            Ok(PayeeEntry {
                slug: (*slug).to_owned(),
                legal_name: format!("{slug} (legal)"),
                class: if *slug == "bob" { Class::Person } else { Class::Charity },
                iban: world.payee_iban(slug)?,
                registry_number: None,
                accounts: vec![PayeeHandle { platform: PlatformName::from(TOWN), handle: (*slug).to_owned(), account: None }],
            })
        };
        let payees = PAYEES.iter().map(payee).collect::<Result<Vec<_>, _>>()?;
        let campaign = CampaignEntry {
            tag: "telethon".to_owned(),
            title: "Téléthon".to_owned(),
            payee: PAYEES[0].to_owned(),
            goal: Some(Money::new(1_000_000, Currency::EUR)),
        };
        directory::register(&first.app, &payees, &[campaign]).await?;
        let mut tx = self.store.begin().await?;
        for payer in world.payers.iter().filter(|payer| payer.linked) {
            let now = world.now();
            let id = PersonId::new(now, &entropy);
            let (language, safe_phrase) = (payer.language, format!("phrase of {}", payer.person.username));
            tx.insert_person(&Person { id: id.clone(), language, safe_phrase, created_at: now }).await?;
            let link = Link {
                platform: PlatformName::from(TOWN),
                account: AccountId(payer.person.id.to_string()),
                handle: payer.person.username.clone(),
                person: id.clone(),
                thread: None,
            };
            tx.insert_link(&link, now).await?;
            let (bank, consent) = (world.banks[payer.bank].0.clone(), Some(payer.consent.clone()));
            tx.insert_bank_account(&BankAccount { person: id, bank, iban: payer.iban.clone(), consent }, now).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    fn start_node(&mut self) -> anyhow::Result<()> {
        let node = Node::start(&self.world, &self.store)?;
        self.lanes = node.lanes();
        self.idle = vec![None; self.lanes.len()];
        self.nodes.push(Some(node));
        Ok(())
    }

    /// Everything that was broken works again.
    fn heal(&mut self) -> anyhow::Result<()> {
        self.world.heal();
        self.note(|| "everything is well again".to_owned());
        for place in 0..self.nodes.len() {
            match &mut self.nodes[place] {
                Some(node) => node.frozen_until = None,
                None => self.nodes[place] = Some(Node::start(&self.world, &self.store)?),
            }
        }
        Ok(())
    }

    fn note(&mut self, what: impl FnOnce() -> String) {
        let notes = self.world.take_notes();
        self.trace.push(what());
        self.trace.extend(notes);
    }

    /// One step. `false` when nothing can happen any more.
    async fn step(&mut self, healed: bool) -> anyhow::Result<bool> {
        let mut steps: Vec<(Step, u32)> = Vec::new();
        let now = self.world.now();
        for (place, node) in self.nodes.iter().enumerate() {
            let Some(node) = node else { continue };
            if node.frozen_until.is_some_and(|until| now < until) {
                continue;
            }
            if node.waiting() > 0 {
                steps.push((Step::Commit(place), 6));
            }
            steps.extend(node.ready_works().into_iter().map(|work| (Step::Advance(place, work), 4)));
            for (lane, idle) in self.idle.iter().enumerate() {
                if *idle != Some(self.changes) {
                    steps.push((Step::Claim(place, lane), 2));
                }
            }
            steps.push((Step::Hear(place), 1));
        }
        let act_is_due = self.world.next_act_at().is_some_and(|at| at <= now);
        if act_is_due {
            steps.push((Step::World, 4));
        }
        let busy = steps.iter().any(|(step, _)| !matches!(step, Step::Hear(_)));
        steps.push((Step::Tick, 1));
        if busy {
            let alive: Vec<usize> = (0..self.nodes.len()).filter(|place| self.nodes[*place].is_some()).collect();
            let seldom = if self.world.slow_expiry().is_zero() { 20 } else { 1 };
            if !alive.is_empty() && self.world.dice.permille(seldom) {
                steps.push((Step::Expire(*self.world.dice.pick(&alive)), 4));
            }
        } else {
            return self.when_quiet(healed).await;
        }
        self.calamity()?;
        self.count_open_orders().await?;
        let all: u32 = steps.iter().map(|(_, weight)| weight).sum();
        let mut thrown = u32::try_from(self.world.dice.below(all as usize)).unwrap_or(0);
        for (step, weight) in steps {
            if thrown < weight {
                self.take(step).await?;
                break;
            }
            thrown -= weight;
        }
        Ok(true)
    }

    /// Whether a node dies or stands still at this moment.
    fn calamity(&mut self) -> anyhow::Result<()> {
        let world = self.world.clone();
        if world.strikes(Fault::Pause) {
            let place = world.dice.below(self.nodes.len());
            if let Some(node) = &mut self.nodes[place] {
                node.frozen_until = Some(later(world.now(), LONG_PAUSE));
                self.note(|| format!("node {place} stands still"));
            }
        }
        Ok(())
    }

    /// I7, while it runs: so many orders may wait for one payer. Looked at now and then.
    async fn count_open_orders(&mut self) -> anyhow::Result<()> {
        if !self.world.dice.permille(20) {
            return Ok(());
        }
        let most = i64::from(super::node::policy(&self.world).limits.open_orders);
        let mut tx = self.store.begin_reading().await?;
        let too_many = tx.payers_with_more_open_orders_than(most).await?;
        for (person, open) in too_many {
            self.world.violate(format!("I7: {open} orders wait for {person}"));
        }
        Ok(())
    }

    async fn crash(&mut self, place: usize, when: &str) -> anyhow::Result<()> {
        self.note(|| format!("node {place} dies {when}"));
        self.nodes[place] = None;
        // Somebody starts it again: at once, or when everything is well again, while the others work.
        let others = self.nodes.iter().flatten().count();
        if others == 0 || self.world.dice.permille(700) {
            self.nodes[place] = Some(Node::start(&self.world, &self.store)?);
        }
        Ok(())
    }

    async fn take(&mut self, step: Step) -> anyhow::Result<()> {
        let world = self.world.clone();
        match step {
            Step::Commit(place) => {
                let most = 1 + world.dice.below(8);
                if world.strikes(Fault::CrashBeforeCommit) {
                    return self.crash(place, "before a commit").await;
                }
                let Some(node) = &mut self.nodes[place] else { return Ok(()) };
                let (count, answers) = node.commit(most).await;
                self.changes += 1;
                self.note(|| format!("node {place} commits {count}"));
                if world.strikes(Fault::CrashAfterCommit) {
                    drop(answers);
                    return self.crash(place, "after a commit").await;
                }
                if let Some(node) = &mut self.nodes[place] {
                    node.tell(count, answers);
                }
            }
            Step::Advance(place, work) => {
                let Some(node) = &mut self.nodes[place] else { return Ok(()) };
                if node.is_at_call(work) && world.strikes(Fault::CrashAtCall) {
                    return self.crash(place, "at a call").await;
                }
                let stands = node.advance(work).await;
                self.note(|| format!("node {place} work {work}: {stands}"));
            }
            Step::Claim(place, lane) => {
                let Some(node) = &mut self.nodes[place] else { return Ok(()) };
                let claimed = node.claim(lane).await?;
                if claimed == 0 {
                    self.idle[lane] = Some(self.changes);
                } else {
                    self.note(|| format!("node {place} claims {claimed} on lane {lane}"));
                }
            }
            Step::Hear(place) => {
                let Some(node) = &mut self.nodes[place] else { return Ok(()) };
                if world.strikes(Fault::StreamCut) {
                    node.cut_stream();
                }
                node.open_stream().await?;
                if let Some(events) = node.hear(&world) {
                    self.note(|| format!("node {place} hears {events}"));
                }
            }
            Step::Expire(place) => {
                if let Some(node) = &mut self.nodes[place] {
                    node.expire();
                }
            }
            Step::World => {
                if let Some(act) = world.due_act() {
                    self.note(|| format!("in town: {act:?}"));
                    if let Some(ours) = world.act(act)? {
                        self.tell_obole(ours).await?;
                    }
                }
            }
            Step::Tick => {
                let by = if world.strikes(Fault::ClockJump) {
                    world.dice.between(Duration::from_secs(60), Duration::from_secs(2 * 3600))
                } else {
                    world.dice.between(Duration::from_millis(1), Duration::from_millis(800))
                };
                world.clock.advance(by);
                // Something may have become due; nobody looks at every moment.
                if world.dice.permille(150) {
                    self.changes += 1;
                }
            }
        }
        Ok(())
    }

    /// Nothing is under way: every node looks at stream and clock once more, and then time passes to whatever is due next.
    async fn when_quiet(&mut self, healed: bool) -> anyhow::Result<bool> {
        let now = self.world.now();
        for place in 0..self.nodes.len() {
            let Some(node) = &mut self.nodes[place] else { continue };
            if node.frozen_until.is_some_and(|until| now < until) {
                continue;
            }
            node.frozen_until = None;
            node.open_stream().await?;
            if let Some(events) = node.hear(&self.world) {
                self.note(|| format!("node {place} hears {events}"));
                return Ok(true);
            }
            // A stream that was just opened tells on the second look.
            if node.hear(&self.world).is_some() {
                return Ok(true);
            }
        }
        let mut tx = self.store.begin_reading().await?;
        let orders_due = tx.next_order_due().await?.map(|due| later(due, self.world.slow_expiry()));
        let lanes_due = tx.next_due_by_lane().await?;
        drop(tx);
        let effects_due = lanes_due.iter().map(|(_, due)| *due).min();
        if orders_due.is_some_and(|due| due <= now)
            && let Some(node) = self.nodes.iter_mut().flatten().find(|node| node.frozen_until.is_none())
        {
            node.expire();
            return Ok(true);
        }
        let thawed = self.nodes.iter().flatten().filter_map(|node| node.frozen_until).min();
        let storm = if healed { None } else { Some(later(self.world_start(), STORM)) };
        let next: Option<Timestamp> =
            [orders_due, effects_due, self.world.next_act_at(), thawed, storm].into_iter().flatten().filter(|at| *at > now).min();
        let Some(next) = next else {
            // Due already, and still nobody could take it: a window of the platform is used up, and opens by itself.
            if effects_due.is_some() {
                self.world.clock.advance(Duration::from_secs(30));
                self.changes += 1;
                return Ok(true);
            }
            return Ok(false);
        };
        let wait = Duration::try_from(next.duration_since(now)).unwrap_or_default();
        // While something is due that nobody could take, time passes in small steps.
        let wait = if effects_due.is_some_and(|due| due <= now) { wait.min(Duration::from_secs(30)) } else { wait };
        self.world.clock.advance(wait.max(Duration::from_millis(1)));
        self.changes += 1;
        // Nothing has been committed since, so nobody need look at a lane with nothing due. A node's clock may be ahead.
        let soon = later(self.world.now(), MOST_AHEAD);
        for (place, lane) in self.lanes.iter().enumerate() {
            if !lanes_due.iter().any(|(other, due)| other == lane && *due <= soon) {
                self.idle[place] = Some(self.changes);
            }
        }
        Ok(true)
    }

    fn world_start(&self) -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// What concerns Obole itself: somebody calls back, a bank tells of a return or takes its word back.
    async fn tell_obole(&mut self, act: Act) -> anyhow::Result<()> {
        let Some(place) = self.nodes.iter().position(|node| node.as_ref().is_some_and(|node| node.frozen_until.is_none())) else {
            // Nobody hears it now; a bank tells again.
            self.world.plan_act(later(self.world.now(), Duration::from_secs(60)), act);
            return Ok(());
        };
        let Some(node) = &mut self.nodes[place] else { return Ok(()) };
        let said = match act {
            Act::Callback => {
                let orders = node.app.newest_orders(None, 50).await?;
                if !orders.is_empty() {
                    let order = self.world.dice.pick(&orders).id.clone();
                    node.app.hurry(&order).await?;
                    self.changes += 1;
                }
                return Ok(());
            }
            Act::Freeze { payee } => {
                let mut tx = self.store.begin().await?;
                let found = tx.payee_by_slug(PAYEES[payee]).await?;
                if let Some(payee) = &found {
                    tx.freeze_payee(&payee.id, "simulated", self.world.now()).await?;
                }
                tx.commit().await?;
                let now = self.world.now();
                self.world.book().frozen.extend(found.map(|payee| (payee.iban, now, None)));
                let looked_at = self.world.dice.between(Duration::from_secs(2 * 60), Duration::from_secs(20 * 60));
                self.world.plan_act(later(now, looked_at), Act::Unfreeze { payee });
                return Ok(());
            }
            Act::Unfreeze { payee } => {
                let mut tx = self.store.begin().await?;
                tx.unfreeze_payee(PAYEES[payee]).await?;
                tx.commit().await?;
                let (now, iban) = (self.world.now(), self.world.payee_iban(PAYEES[payee])?);
                for (_, _, until) in self.world.book().frozen.iter_mut().filter(|(frozen, _, _)| *frozen == iban) {
                    until.get_or_insert(now);
                }
                return Ok(());
            }
            Act::TellReturn { .. } => BankSaid::Returned { reason: "AC04".to_owned() },
            _ => BankSaid::Settled { bank_payment_id: None },
        };
        let (Act::TellReturn { key } | Act::Contradict { key }) = &act else { return Ok(()) };
        let Some((order, payment, state)) = find(node, key).await? else { return Ok(()) };
        // A bank tells until it is heard. It cannot be told here before what came first is known.
        let known = match (&said, state) {
            (BankSaid::Returned { .. }, PaymentState::Settled { .. }) | (BankSaid::Settled { .. }, PaymentState::Failed { .. }) => {
                false
            }
            // What waits for an operator is told to the operator, who asks the bank for everything there is.
            (
                _,
                PaymentState::Returned { .. } | PaymentState::Disputed { .. } | PaymentState::Unknown { with_operator: true, .. },
            ) => true,
            (BankSaid::Settled { .. }, PaymentState::Settled { .. }) => true,
            _ => {
                self.world.plan_act(later(self.world.now(), Duration::from_secs(300)), act);
                return Ok(());
            }
        };
        if !known {
            node.happen(order, Event::Bank { payment, said });
            self.world.plan_act(later(self.world.now(), Duration::from_secs(60)), act);
        }
        Ok(())
    }

    /// What waits for an operator: they ask the bank by telephone, and say what they were told. `false` if nothing waits.
    async fn resolve(&mut self) -> anyhow::Result<bool> {
        let world = self.world.clone();
        let mut tx = self.store.begin_reading().await?;
        self.called =
            tx.effects_of_orders().await?.into_iter().filter(calls_operator).map(|(_, order, _)| order.to_string()).collect();
        drop(tx);
        let Some(node) = self.nodes.iter_mut().flatten().next() else { return Ok(false) };
        let orders = node.app.newest_orders(None, u16::MAX).await?;
        let mut found = false;
        for order in orders {
            if let OrderState::Held { .. } = order.state {
                continue;
            }
            let Some(payer) = &order.payer else { continue };
            let Some(bank) = world.banks.iter().position(|(name, _, _)| *name == payer.bank) else { continue };
            for payment in &order.payments {
                let with_operator =
                    matches!(payment.state, PaymentState::Unknown { with_operator: true, .. } | PaymentState::Disputed { .. });
                if !with_operator {
                    continue;
                }
                found = true;
                if !self.called.contains(order.id.as_str()) {
                    world.violate(format!("I12: order {} waits for an operator whom nobody called", order.id));
                }
                let at_bank = world.bank_has(bank, &payment.key);
                let outcome = if at_bank.is_empty() { Resolution::NotPaid } else { Resolution::Paid };
                let (by, note) = ("ana".to_owned(), "by telephone".to_owned());
                node.happen(order.id.clone(), Event::Resolved { payment: payment.index, outcome, by, note });
                if at_bank.iter().any(|taken| taken.returned) {
                    self.world
                        .plan_act(later(self.world.now(), Duration::from_secs(60)), Act::TellReturn { key: payment.key.clone() });
                }
            }
        }
        self.note(|| "an operator looks".to_owned());
        Ok(found)
    }
}

fn calls_operator((_, _, data): &(EffectId, OrderId, String)) -> bool {
    data.contains("\"do\":\"call_operator\"")
}

async fn find(node: &Node, key: &PaymentKey) -> anyhow::Result<Option<(OrderId, u16, PaymentState)>> {
    let orders = node.app.newest_orders(None, u16::MAX).await?;
    Ok(orders.into_iter().find_map(|order| {
        let payment = order.payments.iter().find(|payment| payment.key == *key)?;
        Some((order.id.clone(), payment.index, payment.state.clone()))
    }))
}
