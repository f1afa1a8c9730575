//! Dispatch: takes effects from their lanes and carries them out.
//!
//! One loop per lane. A claim gives a lease; what was claimed is delivered side by side, each delivery one attempt, and what came of
//! it is committed through the ledger. A delivery that dies with the process is claimed again when its lease runs out.
//! Messages are sent at least once, with a key that lets the platform drop a repetition; payments are `settle`'s.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::App;
use super::account;
use super::ask;
use super::at_hand::AtHand;
use super::commands;
use super::ledger::{Ledger, LedgerError, Work};
use super::pages;
use super::settle;
use super::task::{Task, bank_lane, hint_lane, platform_lane};
use crate::bank::{Balance, DebtorAccount, TryAgain};
use crate::clock::{Timestamp, later};
use crate::crash::{crash_point, hastened};
use crate::ids::{AccountId, BankName, OrderId};
use crate::messages::{self, Message};
use crate::order::{Effect, Means, Notice, Order, OrderState};
use crate::people::LinkedPayer;
use crate::planted::planted;
use crate::platform::{OutgoingDm, OutgoingReply, Platform, SendError};
use crate::store::StoreError;
use crate::store::effects::{ClaimedEffect, LaneWindow, Then, Turn};

/// How long a claimed effect is ours: longer than any call may take, so that a live holder does not lose it, and short enough for a dead
/// node's work to be taken over within a minute.
const LEASE: Duration = Duration::from_secs(45);

/// The most claimed at one time.
const CLAIM: u32 = 256;

/// The most deliveries of one lane under way at one time; further ones wait in the table.
const AT_ONCE: usize = 512;

/// The longest a lane sleeps without looking, in case a wake-up was missed.
const NAP: Duration = Duration::from_secs(1);

/// How often a message is tried whose outcome is unknown or whose turn was put off; then it is given up and said so in its row.
const MESSAGE_ATTEMPTS: i64 = 8;

/// Between tries of a message, where the platform named no time: doubling from here.
const MESSAGE_PAUSE: Duration = Duration::from_secs(2);

/// Why a delivery did not end. Its lease runs out, and it is claimed again.
#[derive(Debug, thiserror::Error)]
enum DeliveryError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Settle(#[from] settle::SettleError),
}

/// A queue towards one outside party, and who that is.
#[derive(Clone)]
pub struct Lane {
    name: String,
    to: Outside,
}

impl Lane {
    /// The name under which its effects are queued.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

#[derive(Clone)]
enum Outside {
    Platform(Arc<dyn Platform>),
    Bank(BankName),
}

/// Every lane of an application, in the order of their names.
pub fn lanes(app: &App) -> Vec<Lane> {
    let platforms = app.platforms.values().flat_map(|platform| {
        let name = platform.name();
        [(platform_lane(name), Outside::Platform(platform.clone())), (hint_lane(name), Outside::Platform(platform.clone()))]
    });
    let banks = app.banks.keys().map(|name| (bank_lane(name), Outside::Bank(name.clone())));
    let mut lanes: Vec<Lane> = platforms.chain(banks).map(|(name, to)| Lane { name, to }).collect();
    lanes.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    lanes
}

/// Keeps every lane going until `stop`; then claims nothing more, and returns when what is under way has come to its end.
pub async fn keep_dispatching(app: Arc<App>, ledger: Ledger, stop: CancellationToken) {
    let mut kept = JoinSet::new();
    for lane in lanes(&app) {
        kept.spawn(keep_lane(app.clone(), ledger.clone(), lane, stop.clone()));
    }
    while kept.join_next().await.is_some() {}
}

async fn keep_lane(app: Arc<App>, ledger: Ledger, lane: Lane, stop: CancellationToken) {
    let mut deliveries = JoinSet::new();
    while !stop.is_cancelled() {
        while deliveries.try_join_next().is_some() {}
        let room = AT_ONCE.saturating_sub(deliveries.len());
        match claim(&app, &lane, room).await {
            Ok(claimed) if !claimed.is_empty() => {
                let at_hand = look_up(&app, &lane, &claimed).await.map(Arc::new);
                for bundle in bundles(claimed) {
                    let (app, ledger, lane) = (app.clone(), ledger.clone(), lane.clone());
                    match &at_hand {
                        Ok(at_hand) => {
                            let at_hand = at_hand.clone();
                            deliveries.spawn(async move { carry_out_all(&app, &ledger, &lane, bundle, &at_hand).await })
                        }
                        // One row that cannot be read must not hold up the others.
                        Err(_) => deliveries.spawn(async move { deliver(&app, &ledger, &lane, bundle).await }),
                    };
                }
                continue;
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(lane = lane.name, %error, "nothing could be claimed; the lane tries again"),
        }
        let nap = nap(&app, &lane.name).await;
        tokio::select! {
            () = app.signals.lane(&lane.name) => {}
            () = tokio::time::sleep(nap) => {}
            () = stop.cancelled() => {}
            Some(_) = deliveries.join_next(), if room == 0 => {}
        }
    }
    while deliveries.join_next().await.is_some() {}
}

/// Claims what is due on a lane, as much of it as the outside takes now and no more than `room`.
pub(crate) async fn claim(app: &App, lane: &Lane, room: usize) -> Result<Vec<ClaimedEffect>, StoreError> {
    let wanted = CLAIM.min(u32::try_from(room).unwrap_or(CLAIM));
    if wanted == 0 || app.governors.rests_until(&lane.name).is_some() {
        return Ok(Vec::new());
    }
    // A look without a write first: an idle lane must not take the writer's place every second.
    let now = app.clock.now();
    let mut tx = app.store.begin_reading().await?;
    let due = tx.count_due_effects(&lane.name, wanted.into(), now).await?;
    drop(tx);
    let due = u32::try_from(due).unwrap_or(wanted);
    let (wanted, windows) = match &lane.to {
        Outside::Bank(bank) => (app.governors.calls_now(bank, due), Vec::new()),
        Outside::Platform(platform) => (app.governors.messages_now(platform.name(), due), lane_windows(lane, platform.as_ref())),
    };
    if wanted == 0 {
        return Ok(Vec::new());
    }
    let mut tx = app.store.begin().await?;
    let claimed = tx.claim_effects(&lane.name, &windows, i64::from(wanted), hastened!(LEASE), now).await?;
    crash_point!("claim.before_commit", return Err(StoreError: connection_lost));
    tx.commit().await?;
    crash_point!("claim.committed", return Err(StoreError: connection_lost));
    crash_point!("claim.taken_over", if claimed.iter().any(|effect| effect.attempts > 1));
    Ok(claimed)
}

/// What a lane may still send: the platform's windows, which its lanes share, and for hints a tenth of each.
fn lane_windows(lane: &Lane, platform: &dyn Platform) -> Vec<LaneWindow> {
    let shared = platform_lane(platform.name());
    let is_shared = lane.name == shared;
    let windows = platform.send_windows();
    let of = |counter: &str, limit: u32, period| LaneWindow { counter: counter.to_owned(), limit: limit.into(), period };
    let own = windows.iter().filter(|_| !is_shared).map(|window| of(&lane.name, (window.limit / 10).max(1), window.period));
    windows.iter().map(|window| of(&shared, window.limit, window.period)).chain(own).collect()
}

/// How long until something is due, at most [`NAP`]. What is due already and was not claimed waits for a window, not for us.
async fn nap(app: &App, lane: &str) -> Duration {
    let due = match app.store.begin_reading().await {
        Ok(mut tx) => tx.next_effect_due(lane).await.ok().flatten(),
        Err(_) => None,
    };
    let Some(due) = due else { return NAP };
    match Duration::try_from(due.duration_since(app.clock.now())) {
        Ok(wait) if !wait.is_zero() => wait.clamp(SHORTEST_NAP, NAP),
        _ => NAP / 4,
    }
}

/// Less would be a busy wait for the sake of a few milliseconds.
const SHORTEST_NAP: Duration = Duration::from_millis(20);

/// Reads what deliveries of this lane need before they act.
async fn look_up(app: &App, lane: &Lane, claimed: &[ClaimedEffect]) -> Result<AtHand, StoreError> {
    match &lane.to {
        Outside::Platform(platform) => AtHand::for_messages(app, platform.name(), claimed).await,
        Outside::Bank(_) => AtHand::for_bank(app, claimed).await,
    }
}

/// What was claimed, each alone but for what goes out as one message.
pub(crate) fn bundles(claimed: Vec<ClaimedEffect>) -> Vec<Vec<ClaimedEffect>> {
    let mut bundles: Vec<Vec<ClaimedEffect>> = Vec::with_capacity(claimed.len());
    let mut joined: HashMap<String, usize> = HashMap::new();
    for effect in claimed {
        match effect.joins.as_ref().and_then(|word| joined.get(word)) {
            Some(place) => bundles[*place].push(effect),
            None => {
                if let Some(word) = &effect.joins {
                    joined.insert(word.clone(), bundles.len());
                }
                bundles.push(vec![effect]);
            }
        }
    }
    bundles
}

/// Carries claimed effects out that go together, and has the ledger commit what came of it.
pub(crate) async fn deliver(app: &App, ledger: &Ledger, lane: &Lane, bundle: Vec<ClaimedEffect>) {
    match look_up(app, lane, &bundle).await {
        Ok(at_hand) => carry_out_all(app, ledger, lane, bundle, &at_hand).await,
        Err(error) => {
            let error = Arc::new(error);
            bundle.iter().for_each(|effect| tracing::warn!(effect.id = %effect.id, %error, "{LOST}"));
        }
    }
}

/// Asks about several orders in one message where these questions are for one payer, else carries each out alone.
async fn carry_out_all(app: &App, ledger: &Ledger, lane: &Lane, bundle: Vec<ClaimedEffect>, at_hand: &AtHand) {
    let Outside::Platform(platform) = &lane.to else { return carry_out_each(app, ledger, lane, bundle, at_hand).await };
    let rests = app.governors.rests_until(&lane.name).is_some();
    let account = bundle.first().and_then(|effect| effect.joins.clone()).map(AccountId);
    let payer = account.as_ref().and_then(|account| at_hand.payer(account));
    let effects: Vec<&ClaimedEffect> = bundle.iter().collect();
    let question = payer
        .filter(|_| !rests)
        .and_then(|payer| ask::together(app, at_hand, payer, &effects, app.clock.now()).map(|question| (payer, question)));
    let Some((payer, question)) = question else { return carry_out_each(app, ledger, lane, bundle, at_hand).await };
    let (listed, left): (Vec<_>, Vec<_>) =
        bundle.iter().partition(|effect| question.orders.iter().any(|order| effect.order.as_ref() == Some(&order.id)));
    let Some(first) = listed.first() else { return };
    crash_point!("question.before_call");
    match ask::offer(app, ledger, payer, &question, first).await {
        Ok(true) => {}
        Ok(false) => return,
        Err(error) => return said_if_lost(first, Err(error.into())),
    }
    let dm = OutgoingDm {
        key: &question.key,
        to: &payer.link.account,
        to_handle: &payer.link.handle,
        text: &question.text,
        in_reply_to: payer.link.thread.as_deref(),
    };
    let sent = send(platform.as_ref(), dm).await;
    crash_point!("question.after_call");
    for effect in listed {
        said_if_lost(effect, after_sending(app, ledger, &lane.name, effect, sent.clone()).await);
    }
    // What had no room is asked next; what does not wait any more needs nothing.
    for effect in left {
        let is_open = effect.order.as_ref().and_then(|id| at_hand.order(id)).is_some_and(|order| order.state.is_open());
        let then = if is_open {
            Then::Again { due_at: app.clock.now(), why: "no room in the message".to_owned() }
        } else {
            Then::Done("not needed any more".to_owned())
        };
        said_if_lost(effect, end(ledger, effect, then).await);
    }
}

async fn carry_out_each(app: &App, ledger: &Ledger, lane: &Lane, bundle: Vec<ClaimedEffect>, at_hand: &AtHand) {
    for effect in bundle {
        carry_out(app, ledger, lane, effect, at_hand).await;
    }
}

async fn carry_out(app: &App, ledger: &Ledger, lane: &Lane, effect: ClaimedEffect, at_hand: &AtHand) {
    // Claimed beside one that was told to come back later: nothing of it has begun, so it waits its turn as if it had not been claimed.
    if let Some(due_at) = app.governors.rests_until(&lane.name) {
        let why = "the lane rests".to_owned();
        return said_if_lost(&effect, end(ledger, &effect, Then::Again { due_at, why }).await);
    }
    let result = match (serde_json::from_str(&effect.data), &lane.to) {
        (Err(error), _) => {
            tracing::error!(effect.id = %effect.id, %error, "an effect has no meaning");
            end(ledger, &effect, Then::Dead("has no meaning".to_owned())).await
        }
        (Ok(Task::Order { effect: what }), lane) => match (&effect.order, what, lane) {
            (Some(order), Effect::Submit { payment, .. }, Outside::Bank(_)) => {
                settle::submit(app, ledger, &effect, at_hand, order, payment).await.map_err(Into::into)
            }
            (Some(order), Effect::AskBank { payment, .. }, Outside::Bank(_)) => {
                settle::ask(app, ledger, &effect, at_hand, order, payment).await.map_err(Into::into)
            }
            (Some(order), what, Outside::Platform(platform)) => {
                write(app, ledger, platform.as_ref(), &effect, at_hand, (order, &what)).await
            }
            _ => end(ledger, &effect, Then::Dead("stands in the wrong lane".to_owned())).await,
        },
        (Ok(Task::Say { account, handle, language, safe_phrase, thread, message }), Outside::Platform(platform)) => {
            let text = message.render(language, safe_phrase.as_deref());
            let dm = OutgoingDm {
                key: effect.id.as_str(),
                to: &account,
                to_handle: &handle,
                text: &text,
                in_reply_to: thread.as_deref(),
            };
            let sent = send(platform.as_ref(), dm).await;
            after_sending(app, ledger, &lane.name, &effect, sent).await
        }
        (
            Ok(Task::Balance { account, handle, language, safe_phrase, thread, bank, debtor, consent }),
            Outside::Platform(platform),
        ) => {
            let about = DebtorAccount { iban: debtor, consent };
            let answer = commands::told_balance(&about, balance(app, &bank, &about).await, app.page(pages::BANK));
            let text = Message::Command { answer }.render(language, Some(&safe_phrase));
            let key = effect.id.as_str();
            let dm = OutgoingDm { key, to: &account, to_handle: &handle, text: &text, in_reply_to: Some(&thread) };
            let sent = send(platform.as_ref(), dm).await;
            after_sending(app, ledger, &lane.name, &effect, sent).await
        }
        (Ok(Task::HandOver { .. }), Outside::Platform(_)) => {
            end(ledger, &effect, Then::Dead("stands in the wrong lane".to_owned())).await
        }
        (Ok(Task::Hint { post, handle, language }), Outside::Platform(platform)) => {
            hint(app, ledger, platform.as_ref(), &effect, &post, &handle, language).await
        }
        (Ok(_), Outside::Bank(_)) => end(ledger, &effect, Then::Dead("stands in the wrong lane".to_owned())).await,
    };
    said_if_lost(&effect, result);
}

/// What is said of a delivery that nobody heard the end of.
const LOST: &str = "a delivery did not end; it will be taken up again when its lease runs out";

fn said_if_lost(effect: &ClaimedEffect, result: Result<(), DeliveryError>) {
    if let Err(error) = result {
        tracing::warn!(effect.id = %effect.id, %error, "{LOST}");
    }
}

/// What the payer's account holds, within the rate that the bank is called at.
async fn balance(app: &App, bank: &BankName, account: &DebtorAccount) -> Result<Option<Balance>, TryAgain> {
    let later = |why: &str| TryAgain::Later { after: None, why: why.to_owned() };
    let Some(backend) = app.banks.get(bank) else { return Err(later("the bank is not configured any more")) };
    if app.governors.rests_until(&bank_lane(bank)).is_some() || app.governors.calls_now(bank, 1) == 0 {
        return Err(later("the bank is left alone for now"));
    }
    let answer = tokio::time::timeout(BALANCE_PATIENCE, backend.balance(account)).await;
    answer.unwrap_or_else(|_| Err(later("the bank took too long")))
}

/// How long a bank may take to tell a balance: the message that tells it has a lease to keep.
const BALANCE_PATIENCE: Duration = Duration::from_secs(10);

/// Writes to the payer about an order.
async fn write(
    app: &App,
    ledger: &Ledger,
    platform: &dyn Platform,
    effect: &ClaimedEffect,
    at_hand: &AtHand,
    (id, what): (&OrderId, &Effect),
) -> Result<(), DeliveryError> {
    crash_point!("message.claimed", return Err(StoreError: connection_lost));
    let order = at_hand.order(id);
    let link = order.and_then(|order| at_hand.payer(&order.source.author));
    let Some(order) = order else { return end(ledger, effect, Then::Dead("there is no such order".to_owned())).await };
    let Some(text) = (match link {
        None if matches!(what, Effect::HintEnrolment) && waits_for_payer(order, app.clock.now()) => {
            let source = &order.source;
            return hint(app, ledger, platform, effect, &source.native_id, &source.author_handle, order.language).await;
        }
        None => None,
        Some(payer) => text_for(app, order, what, payer),
    }) else {
        return end(ledger, effect, Then::Done("not needed any more".to_owned())).await;
    };
    let Some(payer) = link else { return Ok(()) };
    let thread = if order.source.channel == crate::ids::Channel::Dm && payer.link.thread.is_none() {
        Some(order.source.native_id.as_str())
    } else {
        payer.link.thread.as_deref()
    };
    let key = if planted!("message_key_changes") { format!("{}:{}", effect.id, effect.epoch) } else { effect.id.to_string() };
    let dm = OutgoingDm { key: &key, to: &payer.link.account, to_handle: &payer.link.handle, text: &text, in_reply_to: thread };
    crash_point!("question.before_call", if matches!(what, Effect::AskPayer));
    crash_point!("notice.before_call", if matches!(what, Effect::TellPayer { .. }));
    let sent = send(platform, dm).await;
    crash_point!("question.after_call", if matches!(what, Effect::AskPayer));
    crash_point!("notice.after_call", if matches!(what, Effect::TellPayer { .. }));
    after_sending(app, ledger, &platform_lane(platform.name()), effect, sent).await
}

/// Whether a channel that is opened now would still be in time.
fn waits_for_payer(order: &Order, now: Timestamp) -> bool {
    matches!(order.state, OrderState::AwaitingPayer { until } if now < until)
}

/// One attempt at a private message.
async fn send(platform: &dyn Platform, dm: OutgoingDm<'_>) -> Result<String, SendError> {
    crash_point!("message.before_call", return Err(SendError::Later { after: None, why: "crash point".to_owned() }));
    let sent = platform.send_dm(dm).await;
    crash_point!("message.after_call", return Err(SendError::Unknown { why: "crash point".to_owned() }));
    sent
}

/// What to write now. `None`: the order has gone on since, and the message would be wrong.
fn text_for(app: &App, order: &Order, what: &Effect, payer: &LinkedPayer) -> Option<String> {
    let phrase = &payer.person.safe_phrase;
    match what {
        Effect::AskPayer => match &order.state {
            OrderState::AwaitingConfirmation { until, salt, by: Means::Passkey, .. } if app.clock.now() < *until => {
                let url = account::confirmation_url(app, &order.id, salt);
                Some(messages::confirmation_on_page(order, &url, phrase, app.clock.now()))
            }
            OrderState::AwaitingConfirmation { until, salt, .. } if app.clock.now() < *until => {
                let code = app.secret.confirmation_code(&order.id, salt);
                Some(messages::confirmation(order, &code, phrase, app.clock.now()))
            }
            _ => None,
        },
        // Said only while it is still so; a payment that was found meanwhile has its receipt.
        Effect::TellPayer { notice: Notice::BeingChecked { payment } } => {
            let state = order.payment(*payment).map(|payment| payment.state.name());
            (state == Some("unknown")).then(|| messages::notice(order, &Notice::BeingChecked { payment: *payment }, phrase))
        }
        Effect::TellPayer { notice: Notice::Authorise { payment } } => {
            let state = order.payment(*payment).map(|payment| payment.state.name());
            (state == Some("awaiting_bank")).then(|| messages::notice(order, &Notice::Authorise { payment: *payment }, phrase))
        }
        Effect::TellPayer { notice } => Some(match account::page_for(app, order, notice) {
            Some(page) => messages::notice_with_page(order, notice, phrase, &page),
            None => messages::notice(order, notice, phrase),
        }),
        _ => None,
    }
}

async fn hint(
    app: &App,
    ledger: &Ledger,
    platform: &dyn Platform,
    effect: &ClaimedEffect,
    post: &str,
    handle: &str,
    language: crate::people::Language,
) -> Result<(), DeliveryError> {
    let text = messages::hint(language, &format!("{}/enrol", app.public_url));
    let sent = reply(platform, OutgoingReply { key: effect.id.as_str(), to_post: post, to_handle: handle, text: &text }).await;
    after_sending(app, ledger, &hint_lane(platform.name()), effect, sent).await
}

/// One attempt at a public word.
async fn reply(platform: &dyn Platform, reply: OutgoingReply<'_>) -> Result<String, SendError> {
    crash_point!("hint.before_call", return Err(SendError::Later { after: None, why: "crash point".to_owned() }));
    let sent = platform.reply(reply).await;
    crash_point!("hint.after_call", return Err(SendError::Unknown { why: "crash point".to_owned() }));
    sent
}

async fn after_sending(
    app: &App,
    ledger: &Ledger,
    lane: &str,
    effect: &ClaimedEffect,
    sent: Result<String, SendError>,
) -> Result<(), DeliveryError> {
    let pause = MESSAGE_PAUSE.saturating_mul(2_u32.saturating_pow(u32::try_from(effect.attempts.clamp(1, 12)).unwrap_or(1) - 1));
    let again = |after: Duration, why: String| {
        if effect.attempts >= MESSAGE_ATTEMPTS {
            Then::Dead(why)
        } else {
            Then::Again { due_at: later(app.clock.now(), after), why }
        }
    };
    let then = match sent {
        Ok(native_id) => Then::Done(native_id),
        // The platform's own word when it will take messages again: it goes for the whole lane, and is no reason to give one up.
        Err(SendError::Later { after: Some(after), why }) => {
            app.governors.rest(lane, after);
            Then::Again { due_at: later(app.clock.now(), after), why }
        }
        Err(SendError::Later { after: None, why }) => again(pause, why),
        // The key makes a repetition harmless where the platform remembers keys; where it does not, a message said twice is better
        // than a payer who was never asked.
        Err(SendError::Unknown { why }) => again(pause, why),
        Err(SendError::Refused { why }) => Then::Dead(why),
        Err(SendError::NoChannel { closed, why }) => Then::Dead(format!("no channel ({closed}): {why}")),
        Err(SendError::Credentials { why }) => {
            tracing::error!(lane, why, "the platform does not accept our credentials");
            Then::Again { due_at: later(app.clock.now(), CREDENTIALS_PAUSE), why }
        }
    };
    if let Then::Dead(why) = &then {
        tracing::warn!(effect.id = %effect.id, lane, why, "a message will not be sent");
    }
    crash_point!("message.before_outcome");
    end(ledger, effect, then).await?;
    crash_point!("message.outcome_committed");
    Ok(())
}

/// An operator has to act before anything passes again; asking more often than this helps nobody.
const CREDENTIALS_PAUSE: Duration = Duration::from_secs(60);

async fn end(ledger: &Ledger, effect: &ClaimedEffect, then: Then) -> Result<(), DeliveryError> {
    ledger.decide(Work::Ended { turn: Turn { id: effect.id.clone(), epoch: effect.epoch, then } }).await?;
    Ok(())
}
