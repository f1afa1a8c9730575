//! Intake: what platforms send becomes orders, answers and corrections, each message once.
//!
//! A batch of events is taken in within one transaction: the messages' rows, the orders they make, the answers they give and the
//! stream's cursor are committed together. A message seen before changes nothing; what cannot concern us is dropped before it
//! costs anything.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::App;
use super::commands;
use super::confirm::{self, Word};
use super::desk::{Addressee, Desk};
use super::enrol;
use super::identity;
use super::invite::{self, Outsider};
use super::ledger::Ledger;
use super::standing;
use super::task::{OPERATOR_LANE, Task, hint_lane};
use crate::clock::{Timestamp, earlier};
use crate::crash::crash_point;
use crate::entropy::{Entropy, random_bytes};
use crate::ids::{AccountId, Channel, OrderId, PayeeId, PaymentKey, PersonId, PlatformName, PostId};
use crate::language::{self, Campaigns, Command, Context, PaymentCommand, Reading};
use crate::messages::{CommandAnswer, Message};
use crate::money::{Currency, Money};
use crate::order::state::{OrderState, PaymentState, Rejection};
use crate::order::{CancelledBy, Effect, Event, Kind, Order, PayeeSnapshot, Payer, Payment, Source};
use crate::people::enrolment::EnrolmentCode;
use crate::people::{Language, LinkedPayer, Payee, PayeeIdentity};
use crate::planted::planted;
use crate::platform::{Account, Batch, Cursor, ListenError, Network, Platform, PlatformEvent, Post};
use crate::store::posts::{Outcome, PostRow};
use crate::store::{StoreError, Tx};

/// How many batches a stream may be ahead of the ledger before it has to wait.
const AHEAD: usize = 64;

/// An author without a channel is told in public how to open one, once in this time.
const HINT_PERIOD: Duration = Duration::from_secs(24 * 60 * 60);

/// The first pause before connecting again; doubles with every failure, with jitter, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause before connecting again.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Listens to a platform until the process stops: reconnects, and continues where the store says that it stopped.
pub async fn keep_listening(app: Arc<App>, ledger: Ledger, platform: Arc<dyn Platform>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let started = tokio::time::Instant::now();
        let error = listen_once(&app, &ledger, platform.as_ref()).await;
        if started.elapsed() > LONGEST_PAUSE {
            pause = FIRST_PAUSE;
        }
        let wait = match &error {
            Ok(()) => Duration::ZERO,
            Err(ListenError::Broken { after, .. }) => after.unwrap_or_else(|| with_jitter(pause, app.entropy.as_ref())),
            Err(ListenError::Credentials { .. }) => LONGEST_PAUSE,
        };
        if let Err(error) = error {
            tracing::warn!(platform.name = %platform.name(), %error, wait_ms = wait.as_millis(), "the stream is to be opened again");
        }
        tokio::time::sleep(wait).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Between half of the pause and all of it, so that many who lost one server do not come back at one moment.
fn with_jitter(pause: Duration, entropy: &dyn Entropy) -> Duration {
    let [chance] = random_bytes::<1>(entropy);
    pause / 2 + pause / 2 * u32::from(chance) / 255
}

async fn listen_once(app: &App, ledger: &Ledger, platform: &dyn Platform) -> Result<(), ListenError> {
    let broken = |why: String| ListenError::Broken { after: None, why };
    crash_point!("intake.opening", return Err(broken("crash point".to_owned())));
    let position = stored_cursor(app, platform.name()).await.map_err(|error| broken(error.to_string()))?;
    let (batches, mut incoming) = mpsc::channel::<Batch>(AHEAD);
    let take = async {
        let mut waiting = Vec::with_capacity(AHEAD);
        // What has come while the last commit was made is committed together.
        while incoming.recv_many(&mut waiting, AHEAD).await > 0 {
            let batch = joined(waiting.drain(..));
            crash_point!("intake.received", return Err(broken("crash point".to_owned())));
            // A batch that was not committed must not be passed over: the stream ends here, and is read again from the
            // cursor that the store has.
            if let Err(error) = ledger.received(platform.name().clone(), batch).await {
                return Err(broken(error.to_string()));
            }
            crash_point!("intake.committed", return Err(broken("crash point".to_owned())));
        }
        Ok(())
    };
    // Edits and deletions from while nobody listened; on the very first start there was nobody to listen for.
    let ask_after = position.is_some().then(|| standing::ask_after(app, ledger, platform));
    let asked = async {
        if let Some(asking) = ask_after {
            asking.await;
        }
        std::future::pending().await
    };
    tokio::select! {
        ended = platform.listen(position.map(Cursor), batches) => ended,
        failed = take => failed,
        never = asked => never,
    }
}

/// Batches as one: every event in the order received, and the last position that was told.
fn joined(batches: impl Iterator<Item = Batch>) -> Batch {
    batches.fold(Batch::default(), |mut all, batch| {
        all.events.extend(batch.events);
        all.cursor = batch.cursor.or(all.cursor);
        all
    })
}

async fn stored_cursor(app: &App, platform: &PlatformName) -> Result<Option<String>, StoreError> {
    let mut tx = app.store.begin_reading().await?;
    tx.cursor(platform).await
}

/// What is known about the people a batch speaks of.
struct Known {
    payers: HashMap<AccountId, LinkedPayer>,
    payees: HashMap<AccountId, (String, Payee)>,
    campaigns: HashMap<String, (Payee, Option<String>)>,
    tags: Campaigns,
    open_orders: HashMap<PersonId, i64>,
}

/// Takes a batch in, at a desk whose transaction is open.
pub(super) async fn take_in(desk: &mut Desk<'_>, name: &PlatformName, batch: &Batch) -> Result<(), StoreError> {
    let Some(platform) = desk.app.platforms.get(name).cloned() else {
        tracing::error!(platform.name = %name, "a batch came from a platform that is not configured");
        return Ok(());
    };
    // In the order received: a deletion before an answer is not an answer before the deletion.
    let mut posts: Vec<&Post> = Vec::new();
    let mut renamed: Vec<&Account> = Vec::new();
    for event in &batch.events {
        let (native_id, by) = match event {
            PlatformEvent::Posted(post) => {
                if concerns_us(post, platform.as_ref()) {
                    posts.push(post);
                }
                continue;
            }
            PlatformEvent::AccountChanged(account) => {
                renamed.push(account);
                continue;
            }
            PlatformEvent::Missed { from, until } => {
                let what =
                    format!("the posts of {name} from {from} until {until} cannot be read any more; orders in them were not seen");
                let effect = Effect::CallOperator { payment: None, what };
                desk.queue(OPERATOR_LANE.to_owned(), None, &Task::Order { effect }, 1, desk.now);
                continue;
            }
            PlatformEvent::Edited { native_id } => (native_id, CancelledBy::Edit),
            PlatformEvent::Deleted { native_id } => (native_id, CancelledBy::Deletion),
        };
        take_posts(desk, platform.as_ref(), &std::mem::take(&mut posts)).await?;
        let orders = desk.tx.orders_of_posts(name, &[native_id]).await?;
        desk.lay_out(&orders).await?;
        // Orders that this very batch made are on the desk and not in the rows yet.
        let fresh = desk.fresh_orders(|order| order.source.platform == *name && order.source.native_id == *native_id);
        for order in orders.iter().chain(&fresh) {
            let _ = desk.happen(order, &Event::Cancelled { by }).await?;
        }
    }
    take_posts(desk, platform.as_ref(), &posts).await?;
    let renamed: Vec<_> = renamed.iter().map(|account| (account.id.clone(), account.handle.clone(), None)).collect();
    desk.tx.touch_links(name, &renamed).await?;
    if let Some(Cursor(position)) = &batch.cursor {
        crash_point!("intake.before_cursor", return Err(StoreError: disk_full));
        desk.tx.save_cursor(name, position, desk.now).await?;
        crash_point!("intake.cursor_saved", return Err(StoreError: disk_full));
    }
    Ok(())
}

/// The gate: private messages, and public posts that can be orders.
pub fn concerns_us(post: &Post, platform: &dyn Platform) -> bool {
    let own = post.author.id == platform.bot().id;
    !own && !post.is_repost && (post.channel == Channel::Dm || language::would_concern(&post.text, &platform.bot().handle))
}

async fn take_posts(desk: &mut Desk<'_>, platform: &dyn Platform, posts: &[&Post]) -> Result<(), StoreError> {
    let name = platform.name();
    let rows: Vec<PostRow> = posts
        .iter()
        .map(|post| PostRow {
            channel: post.channel,
            post: post.id.clone(),
            native_id: post.native_id.clone(),
            author: post.author.id.clone(),
        })
        .collect();
    let mut new: HashSet<(Channel, PostId)> = desk.tx.take_posts(name, &rows, desk.now).await?;
    crash_point!("intake.posts_taken", return Err(StoreError: disk_full));
    // The first of two copies within one batch is taken, the second is not new any more.
    let new: Vec<&Post> = posts.iter().copied().filter(|post| new.remove(&(post.channel, post.id.clone()))).collect();
    if new.is_empty() {
        return Ok(());
    }
    let mut known = look_up(&mut desk.tx, name, &new).await?;
    foresee(desk, platform, &known, &new).await?;
    let seen: Vec<_> = new
        .iter()
        .filter(|post| known.payers.contains_key(&post.author.id))
        .map(|post| {
            let thread = (post.channel == Channel::Dm).then(|| post.native_id.clone());
            (post.author.id.clone(), post.author.handle.clone(), thread)
        })
        .collect();
    desk.tx.touch_links(name, &seen).await?;
    let mut outcomes = Vec::with_capacity(new.len());
    for post in new {
        let outcome = take_post(desk, platform, &mut known, post).await?;
        outcomes.push((post.channel, post.id.clone(), outcome));
    }
    desk.tx.record_outcomes(name, &outcomes).await
}

async fn look_up(tx: &mut Tx, platform: &PlatformName, posts: &[&Post]) -> Result<Known, StoreError> {
    let authors: Vec<&AccountId> = posts.iter().map(|post| &post.author.id).collect();
    let mentioned: Vec<&AccountId> = posts.iter().flat_map(|post| post.mentions.iter().map(|mention| &mention.account)).collect();
    let payers: HashMap<_, _> =
        tx.linked_payers(platform, &authors).await?.into_iter().map(|payer| (payer.link.account.clone(), payer)).collect();
    let payees = tx.payees_by_account(platform, &mentioned).await?;
    let payees = payees.into_iter().map(|(identity, payee)| (identity.account, (identity.handle, payee))).collect();
    let campaigns = tx.campaigns(platform).await?;
    let campaigns: HashMap<_, _> = campaigns
        .into_iter()
        .map(|(campaign, payee, identity)| (campaign.tag, (payee, identity.map(|identity| identity.handle))))
        .collect();
    let tags = campaigns.iter().map(|(tag, (_, handle))| (tag.as_str(), handle.as_deref())).collect();
    let persons: Vec<&PersonId> = payers.values().map(|payer| &payer.person.id).collect();
    // Two nodes that count a payer's open orders at the same time would both see the last place free.
    tx.lock_people(&persons).await?;
    let open_orders = tx.open_orders(&persons).await?.into_iter().collect();
    Ok(Known { payers, payees, campaigns, tags, open_orders })
}

/// Has everything read at once that these messages will ask for one by one. A public post may become an order, of one payment mostly; a
/// private message is an answer mostly. Whatever else they turn out to be is looked up then.
async fn foresee(desk: &mut Desk<'_>, platform: &dyn Platform, known: &Known, posts: &[&Post]) -> Result<(), StoreError> {
    let payers = |channel: Channel| {
        let of_channel = posts.iter().filter(move |post| post.channel == channel);
        of_channel.filter_map(|post| known.payers.get(&post.author.id)).map(|payer| &payer.person.id).collect::<Vec<_>>()
    };
    let network = platform.network().as_str();
    let public = posts.iter().filter(|post| post.channel == Channel::Post);
    let keys = public.map(|post| PaymentKey::of_post(network, post.channel, &post.id, 0)).collect();
    desk.foresee(&payers(Channel::Post), &payers(Channel::Dm), keys).await
}

async fn take_post(desk: &mut Desk<'_>, platform: &dyn Platform, known: &mut Known, post: &Post) -> Result<Outcome, StoreError> {
    let name = platform.name();
    if post.channel == Channel::Dm
        && let Some(code) = EnrolmentCode::find(&post.text)
    {
        enrol::code_arrived(desk, name, post, &code).await?;
        return Ok(Outcome::Enrolment);
    }
    let payer = known.payers.get(&post.author.id).cloned();
    if payer.is_none() && !desk.app.governors.stranger_passes(name) {
        // Its row says so, too; a line of the log for each would be a flood of its own.
        tracing::debug!(platform.name = %name, "a flood: the post of somebody without a channel was passed over");
        return Ok(Outcome::Shed);
    }
    match read(post, platform, &known.tags, desk.app.limits.now().limits.currency) {
        Reading::None(_) => Ok(Outcome::Nothing),
        Reading::Rejected(rejection) => {
            if let (language::Code::ReplyUnknown, Some(payer)) = (rejection.code, &payer)
                && commands::keep_for_operator(desk, payer, post).await?
            {
                return Ok(Outcome::Answer);
            }
            if rejection.code == language::Code::ReplyUnknown {
                correct(desk, platform, payer.as_ref(), post, Message::NotUnderstood).await?;
            } else if rejection.code == language::Code::ReplyCode {
                correct(desk, platform, payer.as_ref(), post, Message::CodeAlone).await?;
            } else {
                // PostgreSQL has no place for U+0000, and nobody can read it.
                let fragment = post.text.get(rejection.span.start..rejection.span.end).map(|text| text.replace('\0', "\u{fffd}"));
                let code = rejection.code.as_str().to_owned();
                let message = Message::Explain { code, fragment, suggestions: rejection.suggestions };
                correct(desk, platform, payer.as_ref(), post, message).await?;
            }
            Ok(Outcome::Rejected)
        }
        Reading::Reply(reply) => {
            match (reply.action, &payer) {
                (language::Action::Refuse | language::Action::Stop, None)
                    if invite::declined(desk, name, post, reply.action == language::Action::Stop).await? => {}
                (_, None) => desk.say(&addressee(name, post), Message::NotLinked { enrol_url: enrol_url(desk.app) }),
                (language::Action::Confirm, Some(payer)) => {
                    confirm::answer(desk, payer, Word::Yes, reply.reference.as_deref(), &post.native_id).await?;
                }
                (language::Action::Refuse, Some(payer)) => {
                    confirm::answer(desk, payer, Word::No, reply.reference.as_deref(), &post.native_id).await?;
                }
                (action, Some(payer)) => {
                    commands::command(desk, payer, action, reply.reference.as_deref(), post).await?;
                }
            }
            Ok(Outcome::Answer)
        }
        Reading::Order(Command::Cancel(_)) => {
            if let Some(payer) = &payer {
                let thread = (post.channel == Channel::Dm).then_some(post.native_id.as_str());
                confirm::cancel(desk, payer, post.in_reply_to.as_deref(), thread).await?;
            } else {
                cancel_unlinked(desk, name, post).await?;
            }
            Ok(Outcome::Command)
        }
        Reading::Order(Command::Payment(command)) if command.kind == language::Kind::Request => {
            let message = Message::NotYet { action: "request".to_owned() };
            correct(desk, platform, payer.as_ref(), post, message).await?;
            Ok(Outcome::Command)
        }
        Reading::Order(Command::Payment(command)) => {
            // Without the bot's name only linked payers are read: a stranger who uses a campaign's hashtag did not speak to us.
            if payer.is_none() && command.addressed == language::Addressed::ByCampaign {
                return Ok(Outcome::Nothing);
            }
            if let Some(payer) = payer.as_ref().filter(|payer| payer.paused_at.is_some()) {
                return say_paused(desk, platform, payer, post).await;
            }
            propose(desk, platform, known, post, &command, payer).await
        }
    }
}

/// An order of somebody who wrote STOP. In private it is answered; a post of theirs, once a day, since it was meant for us.
async fn say_paused(desk: &mut Desk<'_>, platform: &dyn Platform, payer: &LinkedPayer, post: &Post) -> Result<Outcome, StoreError> {
    let is_private = post.channel == Channel::Dm;
    if is_private || desk.tx.may_hint(platform.name(), &post.author.id, desk.now, HINT_PERIOD).await? {
        let thread = is_private.then_some(post.native_id.as_str());
        desk.say_to_payer(payer, thread, Message::Command { answer: CommandAnswer::Paused });
    }
    Ok(Outcome::Command)
}

/// A network as the order language calls it.
pub fn language_platform(network: Network) -> language::Platform {
    match network {
        Network::X => language::Platform::X,
        // Handles are `user` or `user@domain`, as `docs/platforms.md` says.
        Network::Mastodon | Network::Webhook => language::Platform::Mastodon,
        Network::Bluesky => language::Platform::Bluesky,
        Network::Nostr => language::Platform::Nostr,
    }
}

/// How the order language reads a post.
pub fn read(post: &Post, platform: &dyn Platform, campaigns: &Campaigns, currency: Currency) -> Reading {
    let context = Context {
        channel: post.channel,
        platform: language_platform(platform.network()),
        bot: &platform.bot().handle,
        // A recorded frame may name its author by the id alone.
        author: Some(post.author.handle.as_str()).filter(|handle| !handle.is_empty()),
        is_repost: post.is_repost,
        campaigns,
        currency,
    };
    language::read(&post.text, &context)
}

/// Makes an order out of what was read.
async fn propose(
    desk: &mut Desk<'_>,
    platform: &dyn Platform,
    known: &mut Known,
    post: &Post,
    command: &PaymentCommand,
    payer: Option<LinkedPayer>,
) -> Result<Outcome, StoreError> {
    let id = OrderId::new(desk.now, desk.app.entropy.as_ref());
    let mut problem = problem_of_post(desk.app, post, desk.now);
    let mut payments = Vec::with_capacity(command.recipients.len());
    let mut invited = None;
    for (place, recipient) in command.recipients.iter().enumerate() {
        let found = match payee_of(known, post, recipient) {
            Ok(payee) => still_called_so(desk, platform, known, post, recipient).await?.map_or(Ok(payee), Err),
            Err(Rejection::PayeeUnknown { handle }) => {
                let account = post.mentions.iter().find(|mention| mention.handle == handle).map(|mention| &mention.account);
                match (identity::stranger(desk, (platform.name(), platform.network()), &handle, account).await?, &payer, account) {
                    (Some(why), ..) => Err(why),
                    (None, Some(payer), Some(account)) if may_invite(platform, post, command, account) => {
                        match invite::outsider(desk, payer, account, &handle).await? {
                            Outsider::Entered(payee) => Ok(payee),
                            Outsider::Invited(payee) => {
                                invited = Some((account.clone(), handle));
                                Ok(payee)
                            }
                            Outsider::Refused(why) => Err(why),
                        }
                    }
                    _ => Err(Rejection::PayeeUnknown { handle }),
                }
            }
            Err(why) => Err(why),
        };
        match found {
            Ok(payee) => payments.push(payment(platform, post, place, payee, recipient.share)),
            Err(why) => problem = problem.or(Some(why)),
        }
    }
    if problem.is_some() && payments.len() != command.recipients.len() {
        payments.clear();
    }
    // Two connections to one network may both show us a post. It is one order, whichever was first.
    if desk.knows_any_payment(&payments).await? {
        return Ok(Outcome::Nothing);
    }
    if let Some(payer) = &payer {
        problem = problem.or(problem_of_payer(payer, command.total, desk.now));
        let open = known.open_orders.entry(payer.person.id.clone()).or_default();
        let limit = desk.app.limits.now().limits.open_orders;
        if *open >= i64::from(limit) && !planted!("open_orders_ignored") {
            problem = problem.or(Some(Rejection::TooManyOpen { limit }));
        } else if problem.is_none() {
            *open += 1;
        }
    }
    if let (Some((account, handle)), Some(payer), None) = (&invited, &payer, &problem)
        && within_limits(desk.app, command)
    {
        invite::write_once(desk, post, payer, (account, handle), command.total).await?;
    }
    let language = payer.as_ref().map(|payer| payer.person.language).or_else(|| language_of(post));
    let order = Order {
        id: id.clone(),
        version: 0,
        kind: if command.kind == language::Kind::Give { Kind::Give } else { Kind::Send },
        source: Source {
            platform: platform.name().clone(),
            channel: post.channel,
            post: post.id.clone(),
            native_id: post.native_id.clone(),
            author: post.author.id.clone(),
            author_handle: post.author.handle.clone(),
            url: post.url.clone(),
        },
        payer: payer.map(|payer| Payer {
            person: payer.person.id,
            bank: payer.account.bank,
            iban: payer.account.iban,
            consent: payer.account.consent,
        }),
        language: language.unwrap_or_default(),
        created_at: desk.now,
        campaign: campaign_of(known, command, &payments),
        memo: command.memo.clone(),
        anonymous: command.flags.contains(&language::Flag::Anonymous),
        receipt: command.flags.contains(&language::Flag::Receipt),
        total: command.total,
        // Replaced by the decision itself.
        state: OrderState::Expired { at: desk.now },
        payments,
    };
    if let Some(problem) = problem.as_ref().filter(|_| order.payer.is_some()) {
        identity::warn_of_likeness(desk, &id, problem).await?;
    }
    let may_hint = order.payer.is_some() || desk.tx.may_hint(platform.name(), &post.author.id, desk.now, HINT_PERIOD).await?;
    desk.propose(order, problem, may_hint).await?;
    Ok(Outcome::Order(id))
}

/// What a payer's own rules say against an order.
fn problem_of_payer(payer: &LinkedPayer, total: Money, now: Timestamp) -> Option<Rejection> {
    if payer.is_locked {
        return Some(Rejection::AccountLocked);
    }
    let limit = payer.own.as_of(now).order_minor.filter(|limit| total.minor > *limit)?;
    Some(Rejection::AboveOwnLimit { limit: Money::new(limit, total.currency) })
}

fn problem_of_post(app: &App, post: &Post, now: Timestamp) -> Option<Rejection> {
    if post.is_edited {
        Some(Rejection::AlreadyEdited)
    } else if post.posted_at < earlier(now, app.timing.oldest_post) {
        Some(Rejection::TooOld)
    } else {
        None
    }
}

/// The directory's entry behind a recipient: a campaign's payee by its id, anybody else by the account that the *platform* says the
/// mention names, never by the handle as it is spelt.
fn payee_of(known: &Known, post: &Post, recipient: &language::Recipient) -> Result<PayeeSnapshot, Rejection> {
    let handle = &recipient.handle;
    let payee = match &recipient.campaign {
        Some(tag) => known.campaigns.get(tag).map(|(payee, _)| payee),
        None => {
            let account = post.mentions.iter().find(|mention| mention.handle == *handle).map(|mention| &mention.account);
            account.and_then(|account| known.payees.get(account)).map(|(_, payee)| payee)
        }
    };
    match payee {
        None => Err(Rejection::PayeeUnknown { handle: handle.clone() }),
        Some(payee) if payee.frozen => Err(Rejection::PayeeFrozen { handle: handle.clone() }),
        Some(payee) => Ok(PayeeSnapshot {
            id: payee.id.clone(),
            handle: handle.clone(),
            legal_name: payee.legal_name.clone(),
            iban: payee.iban.clone(),
            class: payee.class,
        }),
    }
}

/// Whether somebody who is not in the directory may be invited: a transfer to one account, which is neither ours nor the author's. A gift goes
/// to an organisation, and those apply.
fn may_invite(platform: &dyn Platform, post: &Post, command: &PaymentCommand, account: &AccountId) -> bool {
    command.kind == language::Kind::Send
        && command.recipients.len() == 1
        && *account != post.author.id
        && *account != platform.bot().id
}

/// Whether the order will not be refused at once for its sum: nobody is invited for that.
fn within_limits(app: &App, command: &PaymentCommand) -> bool {
    let limits = &app.limits.now().limits;
    let most = limits.to_person_minor.min(limits.low_value_order_minor);
    command.total.currency == limits.currency && command.total.minor <= most
}

/// Why a payee of the directory may not be paid under the handle that the post names it by; `None` if it may.
async fn still_called_so(
    desk: &mut Desk<'_>,
    platform: &dyn Platform,
    known: &Known,
    post: &Post,
    recipient: &language::Recipient,
) -> Result<Option<Rejection>, StoreError> {
    let mention = post.mentions.iter().find(|mention| mention.handle == recipient.handle && recipient.campaign.is_none());
    let Some((mention, (registered, payee))) = mention.and_then(|mention| Some((mention, known.payees.get(&mention.account)?)))
    else {
        return Ok(None);
    };
    if registered.eq_ignore_ascii_case(&mention.handle) || !identity::resolves_mentions(platform.network()) {
        return Ok(None);
    }
    let identity = PayeeIdentity {
        platform: platform.name().clone(),
        account: mention.account.clone(),
        handle: registered.clone(),
        payee: payee.id.clone(),
    };
    identity::renamed(desk, &identity, &mention.handle).await
}

fn payment(platform: &dyn Platform, post: &Post, place: usize, payee: PayeeSnapshot, amount: Money) -> Payment {
    // The language allows ten recipients at most.
    let index = u16::try_from(place).unwrap_or(u16::MAX);
    let key = PaymentKey::of_post(platform.network().as_str(), post.channel, &post.id, index);
    Payment { index, key, payee, amount, state: PaymentState::Proposed }
}

/// A gift counts for a campaign only if its payee is the campaign's.
fn campaign_of(known: &Known, command: &PaymentCommand, payments: &[Payment]) -> Option<String> {
    let receives = |payee: &PayeeId| payments.iter().any(|payment| payment.payee.id == *payee);
    let counts = |tag: &&String| known.campaigns.get(*tag).is_some_and(|(payee, _)| receives(&payee.id));
    command.campaigns.iter().find(counts).cloned()
}

/// Answers a message that did not become an order: in private where the author has opened a channel, else by the public hint.
async fn correct(
    desk: &mut Desk<'_>,
    platform: &dyn Platform,
    payer: Option<&LinkedPayer>,
    post: &Post,
    message: Message,
) -> Result<(), StoreError> {
    match (payer, post.channel) {
        (Some(payer), Channel::Dm) => desk.say_to_payer(payer, Some(&post.native_id), message),
        (Some(payer), Channel::Post) => desk.say_to_payer(payer, None, message),
        (None, Channel::Dm) => desk.say(&addressee(platform.name(), post), message),
        (None, Channel::Post) => {
            if desk.tx.may_hint(platform.name(), &post.author.id, desk.now, HINT_PERIOD).await? {
                let language = language_of(post).unwrap_or_default();
                let task = Task::Hint { post: post.native_id.clone(), handle: post.author.handle.clone(), language };
                desk.queue(hint_lane(platform.name()), None, &task, 2, desk.now);
            }
        }
    }
    Ok(())
}

async fn cancel_unlinked(desk: &mut Desk<'_>, name: &PlatformName, post: &Post) -> Result<(), StoreError> {
    for order in &orders_awaiting_payer(desk, name, &post.author.id).await? {
        let _ = desk.happen(order, &Event::Cancelled { by: CancelledBy::CancelOrder }).await?;
    }
    Ok(())
}

/// The orders whose author has no channel yet: stored, or made in this very transaction. They lie on the desk afterwards.
pub(super) async fn orders_awaiting_payer(
    desk: &mut Desk<'_>,
    platform: &PlatformName,
    author: &AccountId,
) -> Result<Vec<OrderId>, StoreError> {
    let mut waiting = desk.tx.orders_awaiting_payer(platform, author).await?;
    desk.lay_out(&waiting).await?;
    waiting.extend(desk.fresh_orders(|order| order.source.platform == *platform && order.source.author == *author));
    Ok(waiting)
}

fn addressee<'a>(platform: &'a PlatformName, post: &'a Post) -> Addressee<'a> {
    Addressee {
        platform,
        account: &post.author.id,
        handle: &post.author.handle,
        language: language_of(post).unwrap_or_default(),
        safe_phrase: None,
        thread: Some(&post.native_id),
    }
}

fn language_of(post: &Post) -> Option<Language> {
    post.language.as_deref().and_then(Language::from_tag)
}

fn enrol_url(app: &App) -> String {
    format!("{}/enrol", app.public_url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_joined_in_their_order_with_the_last_position_told() {
        let deleted = |native_id: &str| PlatformEvent::Deleted { native_id: native_id.to_owned() };
        let batch = |names: &[&str], cursor: Option<&str>| Batch {
            events: names.iter().map(|name| deleted(name)).collect(),
            cursor: cursor.map(|position| Cursor(position.to_owned())),
        };
        let all = joined([batch(&["1"], Some("a")), batch(&["2", "3"], Some("b")), batch(&["4"], None)].into_iter());
        assert_eq!(all.events, [deleted("1"), deleted("2"), deleted("3"), deleted("4")]);
        assert_eq!(all.cursor, Some(Cursor("b".to_owned())));
        assert_eq!(joined(std::iter::empty()).cursor, None);
    }
}
