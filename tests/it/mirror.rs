//! The mirror of the conformance kit: our own core before a bank whose answers are spoiled in every way that bytes can be.
//!
//! The bank itself is right: it takes what it takes and remembers it. Between it and the production adapter, over real HTTP, two answers
//! of three are spoiled. Whatever comes of that, nothing may be paid twice, nothing may be lost, and nobody may be told what is not
//! known. `tests/run mirror` lets it run for a minute (`OBOLE_MIRROR_SECONDS`), `cargo test` for three seconds.

mod hostile;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use obole::app::operate::Act;
use obole::bank::Bank;
use obole::bank::berlin_group::{BerlinGroup, Settings};
use obole::bank::fake::Status;
use obole::entropy::SeededEntropy;
use obole::money::{Currency, Money};
use obole::order::{Limits, Order, PaymentState, Policy, Resolution};
use obole::people::Language;
use obole::sandbox::bank::{SandboxBank, serve};
use tokio_util::sync::CancellationToken;

use self::hostile::{EVERY, Hostile};
use crate::support::app::{TestApp, World};
use crate::support::database::Engine;

const PAYERS: usize = 8;

/// How many orders are under way at one time.
const UNDER_WAY: usize = 30;

/// How much time passes for Obole and the bank while a test waits a hundredth of a second.
const STEP: Duration = Duration::from_secs(4);

fn seconds() -> u64 {
    let wanted = std::env::var("OBOLE_MIRROR_SECONDS").ok();
    wanted.map_or(3, |seconds| seconds.parse().unwrap())
}

fn wide() -> Policy {
    let limits = Limits {
        low_value_sum_minor: i64::MAX / 4,
        low_value_count: u32::MAX,
        rolling_day_minor: i64::MAX / 4,
        open_orders: 100,
        ..Limits::default()
    };
    Policy { limits, ..Policy::default() }
}

/// The production adapter, towards whatever is at `url`, with little patience.
fn berlin_group(url: &str, world: &World) -> Arc<dyn Bank> {
    let settings =
        Settings { connect_timeout_ms: 500, total_timeout_ms: 400, look_up_horizon_hours: 3, ..Settings::at(url.parse().unwrap()) };
    Arc::new(BerlinGroup::new("bank".into(), settings, world.clock.clone(), Arc::new(SeededEntropy::new(5))).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite_nothing_is_paid_twice_or_lost_whatever_a_bank_answers() {
    before_a_hostile_bank(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres_nothing_is_paid_twice_or_lost_whatever_a_bank_answers() {
    before_a_hostile_bank(Engine::Postgres).await;
}

async fn before_a_hostile_bank(engine: Engine) {
    let world = World::new();
    let shutdown = CancellationToken::new();
    let running = serve(SandboxBank {
        bank: world.bank.clone(),
        address: "localhost:0".to_owned(),
        public_url: None,
        bearer_token: None,
        shutdown: shutdown.clone(),
    })
    .await
    .unwrap();
    let hostile = Hostile::before(&format!("http://{}", running.addresses[0]), 11).await;
    world.is_reached_by(berlin_group(&hostile.url, &world));
    let Some(story) = TestApp::start_in(world, engine, wide()).await else { return };
    let payers: Vec<String> = (0..PAYERS).map(|who| format!("payer{who}")).collect();
    for payer in &payers {
        story.world.bank.open_account(payer, payer, Money::new(100_000_000, Currency::EUR)).unwrap();
        story.enrols(payer, Language::En).await;
    }

    hostile.calm(false);
    let end = Instant::now() + Duration::from_secs(seconds());
    let mut posts = 0;
    let mut answered = std::collections::HashSet::new();
    while Instant::now() < end {
        let newest = story.app.newest_orders(None, 200).await.unwrap();
        if newest.iter().filter(|order| !order.is_terminal()).count() < UNDER_WAY {
            let (payer, payee) = (&payers[posts % PAYERS], ["croixrouge", "wateraid", "bob"][posts % 3]);
            story.posts(payer, &format!("@obole #pay {}.00€ @{payee}", 1 + posts % 29));
            posts += 1;
        }
        for payer in &payers {
            for code in story.world.messages_to(payer).iter().filter_map(|message| asked_for(message)) {
                if answered.insert((payer.clone(), code.clone())) {
                    story.tells(payer, &format!("YES {code}"));
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        story.world.clock.advance(STEP);
    }

    hostile.calm(true);
    let patience = Instant::now() + Duration::from_secs(120);
    loop {
        let orders = story.app.newest_orders(None, u16::MAX).await.unwrap();
        for order in &orders {
            resolve_as_the_bank_knows(&story, order).await;
        }
        if orders.iter().all(Order::is_terminal) && story.app.unfinished().await.unwrap().0 == 0 {
            break;
        }
        let open: Vec<_> =
            orders.iter().filter(|order| !order.is_terminal()).map(|order| (&order.state, &order.payments)).collect();
        assert!(Instant::now() < patience, "{} orders did not come to their end: {:?}", open.len(), open.first());
        story.world.clock.advance(Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    let mut became: BTreeMap<&str, u64> = BTreeMap::new();
    for order in story.app.newest_orders(None, u16::MAX).await.unwrap() {
        for payment in &order.payments {
            let taken = at_bank(&story, order.payments[0].key.as_str());
            assert!(taken.len() <= 1, "{} payments at the bank under {}", taken.len(), payment.key);
            let is_paid = taken.first().is_some_and(|status| *status == Status::Acsc);
            match &payment.state {
                PaymentState::Settled { .. } => assert!(is_paid, "told as paid, and the bank has {taken:?}: {order:?}"),
                PaymentState::Disputed { .. } => {}
                _ => assert!(!is_paid, "paid, and it is {}: {order:?}", payment.state.name()),
            }
            *became.entry(payment.state.name()).or_default() += 1;
        }
    }
    let fired = hostile.fired();
    assert!(
        became.get("settled").is_some_and(|settled| *settled > 0),
        "of {posts} orders hardly any was paid: {became:?}; answers spoiled: {fired:?}"
    );
    if seconds() >= 60 {
        assert_eq!(
            EVERY.iter().filter(|spoiling| !fired.contains_key(spoiling)).collect::<Vec<_>>(),
            Vec::<&hostile::Spoiling>::new()
        );
    }
    assert_eq!(story.audit_finds().await, Vec::<String>::new());
    story.ends().await;
    shutdown.cancel();
}

/// The code that a message asks to be sent back.
fn asked_for(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("reply YES ")?;
    rest.get(..6).map(str::to_owned)
}

/// An operator looks into the bank's books, once nobody else will find anything out.
async fn resolve_as_the_bank_knows(story: &TestApp, order: &Order) {
    for payment in &order.payments {
        if matches!(payment.state, PaymentState::Unknown { with_operator: true, .. } | PaymentState::Disputed { .. }) {
            let is_paid = at_bank(story, payment.key.as_str()).contains(&Status::Acsc);
            let outcome = if is_paid { Resolution::Paid } else { Resolution::NotPaid };
            let note = "the bank's own books".to_owned();
            let act = Act::ResolvePayment { order: order.id.clone(), payment: payment.index, outcome, note };
            // Somebody may have found out meanwhile.
            let _ = story.operator_does("ana", act).await;
        }
    }
}

/// What the bank has under a key and has not rejected.
fn at_bank(story: &TestApp, key: &str) -> Vec<Status> {
    let payments = story.world.bank.payments_with(key).unwrap_or_default();
    payments.into_iter().map(|payment| payment.status).filter(|status| !matches!(status, Status::Rjct | Status::Canc)).collect()
}
