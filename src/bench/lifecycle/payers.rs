//! Scripted payers: each posts one order, reads the private message, answers with its code, and reads the receipt.
//!
//! They act in the town's own memory, since they are the load and not what is measured; Obole hears and writes over HTTP. One task
//! plays all of them, from what the town tells its listeners, so that a thousand payers cost next to nothing.

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use anyhow::{Context as _, bail};
use indicatif::ProgressBar;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::stage::Stage;
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::platform::fake::{Draft, Id, NotificationFilter, Page, Status, TownEvent, Visibility};

/// How orders come.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    /// A new one whenever one has ended, so many at the same time.
    InFlight(usize),
    /// So many a second, whatever becomes of them.
    PerSecond(f64),
}

/// When what happened to one order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// Its post stands in the town.
    pub(crate) posted: Timestamp,
    /// The private message that asks stands in the town.
    pub(crate) asked: Timestamp,
    /// The answer stands in the town.
    pub(crate) answered: Timestamp,
    /// The receipt stands in the town.
    pub(crate) told: Timestamp,
}

/// What was played.
pub(crate) struct Played {
    /// From the first post to the last receipt.
    pub(crate) took: Duration,
    /// Each order's times, with the post's id in the town.
    pub(crate) orders: Vec<(Id, Times)>,
}

/// Where an order stands, as its payer knows.
struct Standing {
    post: Id,
    posted: Timestamp,
    asked: Option<(Timestamp, Timestamp)>,
}

/// If nothing at all happens for so long, something is wrong.
const SILENCE: Duration = Duration::from_secs(60);

/// Lets the payers of this range make their orders, and returns when everybody has a receipt.
pub(crate) async fn play(stage: &Stage, range: Range<usize>, pace: Pace, bar: &ProgressBar) -> anyhow::Result<Played> {
    let mut company = Company { stage, waiting: HashMap::new(), ended: Vec::with_capacity(range.len()) };
    let mut heard = stage.town.subscribe();
    let (total, mut next) = (range.len(), range);
    let (at_once, mut tick) = match pace {
        Pace::InFlight(at_once) => (at_once.max(1), None),
        Pace::PerSecond(rate) => {
            let mut tick = interval(Duration::from_secs_f64(1.0 / rate.max(0.1)));
            tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
            (usize::MAX, Some(tick))
        }
    };
    let began = Instant::now();
    while company.ended.len() < total {
        if tick.is_none() {
            while company.waiting.len() < at_once
                && let Some(number) = next.next()
            {
                company.post(number)?;
            }
        }
        let due = async {
            match &mut tick {
                Some(tick) if !next.is_empty() => tick.tick().await,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            event = tokio::time::timeout(SILENCE, heard.recv()) => match event {
                Ok(Ok(TownEvent::Notified(told, Some(status)))) => company.hear(told.account, &status, bar)?,
                Ok(Ok(_)) => {}
                Ok(Err(RecvError::Lagged(_))) => company.look_up(bar)?,
                Ok(Err(RecvError::Closed)) => bail!("the town is gone"),
                Err(_) => bail!(
                    "nothing has happened for {} s: {} of {total} orders are settled, {} wait",
                    SILENCE.as_secs(),
                    company.ended.len(),
                    company.waiting.len()
                ),
            },
            _ = due => if let Some(number) = next.next() { company.post(number)? },
        }
    }
    Ok(Played { took: began.elapsed(), orders: company.ended })
}

/// Everybody who has something going on.
struct Company<'a> {
    stage: &'a Stage,
    waiting: HashMap<Id, Standing>,
    ended: Vec<(Id, Times)>,
}

impl Company<'_> {
    fn post(&mut self, number: usize) -> anyhow::Result<()> {
        let payer = self.stage.payers.get(number).context("there are fewer payers than orders")?;
        let draft = Draft { text: payer.words(), visibility: Some(Visibility::Public), ..Draft::default() };
        let status = self.stage.town.post(payer.id, draft, SystemClock.now())?;
        self.waiting.insert(payer.id, Standing { post: status.id, posted: status.created_at, asked: None });
        Ok(())
    }

    /// Somebody was notified of a status.
    fn hear(&mut self, account: Id, status: &Status, bar: &ProgressBar) -> anyhow::Result<()> {
        if status.author != self.stage.bot || status.visibility != Visibility::Direct {
            return Ok(());
        }
        let Some(standing) = self.waiting.get_mut(&account) else { return Ok(()) };
        match standing.asked {
            None => {
                let text = &status.now.text;
                let code = code_in(text).with_context(|| format!("a payer was told instead of asked: {text}"))?;
                let answer = Draft {
                    text: format!("@{} OUI {code}", crate::sandbox::seed::BOT),
                    visibility: Some(Visibility::Direct),
                    in_reply_to: Some(status.id),
                    ..Draft::default()
                };
                let answered = self.stage.town.post(account, answer, SystemClock.now())?.created_at;
                standing.asked = Some((status.created_at, answered));
            }
            // The question itself, seen again.
            Some(_) if code_in(&status.now.text).is_some() => {}
            Some((asked, answered)) => {
                let times = Times { posted: standing.posted, asked, answered, told: status.created_at };
                self.ended.push((standing.post, times));
                self.waiting.remove(&account);
                bar.inc(1);
            }
        }
        Ok(())
    }

    /// Looks into everybody's inbox, since the town told faster than was listened.
    fn look_up(&mut self, bar: &ProgressBar) -> anyhow::Result<()> {
        let everybody: Vec<Id> = self.waiting.keys().copied().collect();
        for account in everybody {
            let statuses: Vec<_> = {
                let town = self.stage.town.read();
                let page = Page { limit: 2, ..Page::default() };
                let filter = NotificationFilter { include_filtered: true, ..NotificationFilter::default() };
                let told = town.notifications(account, &filter, page);
                told.iter().rev().filter_map(|told| town.status(told.status?).cloned()).collect()
            };
            for status in statuses {
                self.hear(account, &status, bar)?;
            }
        }
        Ok(())
    }
}

/// The six digits that a confirmation asks to be sent back.
fn code_in(text: &str) -> Option<&str> {
    let at = text.find("OUI ")? + "OUI ".len();
    text.get(at..at + 6).filter(|code| code.bytes().all(|byte| byte.is_ascii_digit()))
}
