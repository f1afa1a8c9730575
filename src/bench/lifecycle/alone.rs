//! One order alone: what each step costs through the ledger, beside a bare commit on the same disk at the same time.
//!
//! Orders go one after the other through a ledger that has nothing else to do, with a bare commit of one row between any two of them.
//! What a step takes beyond that is what deciding, the store's statements and group commit add for somebody who is alone.

use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::floor::Floor;
use super::stage::{Payer, Stage};
use crate::app::App;
use crate::app::ledger::Ledger;
use crate::clock::{Clock as _, SystemClock};
use crate::ids::{AccountId, Channel, PlatformName, PostId};
use crate::order::{Answer, BankSaid, Event};
use crate::platform::{Account, Batch, Mention, PlatformEvent, Post};
use crate::sandbox::seed;
use crate::sandbox::whole::TOWN;

/// The steps, in their order.
pub(crate) const STEPS: [&str; 4] = ["post taken in", "confirmed", "submitting", "settled"];

/// What it took, in milliseconds: medians.
pub(crate) struct Alone {
    /// A bare commit of one row.
    pub(crate) bare_ms: f64,
    /// Each of [`STEPS`].
    pub(crate) steps_ms: [f64; STEPS.len()],
}

impl Alone {
    /// What the slowest step takes beyond a bare commit.
    pub(crate) fn added_ms(&self) -> f64 {
        self.steps_ms.iter().copied().fold(f64::MIN, f64::max) - self.bare_ms
    }
}

/// Takes an order of each of these payers through its steps, over an application of which nothing else runs.
pub(crate) async fn measure(app: std::sync::Arc<App>, stage: &Stage, payers: &[Payer], floor: &mut Floor) -> anyhow::Result<Alone> {
    let (ledger, keeper) = Ledger::open(app.clone());
    let keeping = tokio::spawn(keeper.keep());
    let mut bare = Vec::with_capacity(payers.len());
    let mut steps: [Vec<f64>; STEPS.len()] = std::array::from_fn(|_| Vec::with_capacity(payers.len()));
    for payer in payers {
        let began = Instant::now();
        floor.commit_row().await?;
        bare.push(milliseconds(began.elapsed()));
        for (times, took) in steps.iter_mut().zip(one(&app, &ledger, stage, payer).await?) {
            times.push(milliseconds(took));
        }
    }
    drop(ledger);
    keeping.await.context("the ledger broke")?;
    Ok(Alone { bare_ms: median(bare), steps_ms: steps.map(median) })
}

async fn one(app: &App, ledger: &Ledger, stage: &Stage, payer: &Payer) -> anyhow::Result<[Duration; STEPS.len()]> {
    let platform = PlatformName::from(TOWN);
    let post = post(app, stage, payer)?;
    let native_id = post.native_id.clone();
    let batch = Batch { events: vec![PlatformEvent::Posted(Box::new(post))], cursor: None };
    let mut took = [Duration::ZERO; STEPS.len()];
    let began = Instant::now();
    ledger.received(platform.clone(), batch).await?;
    took[0] = began.elapsed();
    let order = app.order_of_post(&platform, &native_id).await?.context("a post alone did not become an order")?.id;
    let events = [
        Event::Answered { answer: Answer::Yes },
        Event::SubmitBegins { payment: 0, turn: "alone:1".to_owned() },
        Event::Bank { payment: 0, said: BankSaid::Settled { bank_payment_id: Some(native_id) } },
    ];
    for (took, event) in took[1..].iter_mut().zip(events) {
        let began = Instant::now();
        ledger.happened(order.clone(), event).await?.context("a step alone meant nothing")?;
        *took = began.elapsed();
    }
    Ok(took)
}

fn post(app: &App, stage: &Stage, payer: &Payer) -> anyhow::Result<Post> {
    let platform = app.platforms.get(&PlatformName::from(TOWN)).context("the town is not connected")?;
    let (payee, bot) = (stage.payee_account()?, platform.bot());
    let mention = |handle: &str, account: &AccountId| Mention { handle: handle.to_owned(), account: account.clone() };
    Ok(Post {
        id: PostId(format!("alone:{}", payer.id)),
        native_id: format!("alone{}", payer.id),
        channel: Channel::Post,
        author: Account {
            id: AccountId(payer.id.to_string()),
            handle: payer.handle.clone(),
            display_name: String::new(),
            is_bot: false,
        },
        text: payer.words(),
        mentions: vec![mention(seed::BOT, &bot.id), mention("croixrouge", &payee)],
        is_repost: false,
        in_reply_to: None,
        posted_at: SystemClock.now(),
        is_edited: false,
        url: None,
        language: None,
    })
}

fn milliseconds(took: Duration) -> f64 {
    took.as_secs_f64() * 1e3
}

/// The middle of some figures; not a number of none.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
