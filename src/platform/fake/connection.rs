//! The town as a [`Platform`], without HTTP: for the simulator and for tests that are not about the wire.
//!
//! It behaves as the adapter for a Mastodon server would, with the town's windows, policies and faults: a lost answer is
//! [`SendError::Unknown`] although the message went out, a filtered message is not heard of, edits and deletions that happen
//! while nobody listens are not told later. Unlike a real network it also tells when somebody changes handle or name.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;

use super::model::{Id, NotificationKind, Person, Status, Visibility};
use super::reading::{Feed, NotificationFilter, Page};
use super::state::State;
use super::{AnswerFault, Draft, MAX_CHARACTERS, Refusal, Town, TownEvent, text};
use crate::clock::{Clock, Timestamp};
use crate::ids::{AccountId, Channel, PlatformName, PostId};
use crate::platform::{
    Account, Batch, Cursor, ListenError, Mention, Network, OutgoingDm, OutgoingReply, Platform, PlatformEvent, Post, SendError,
    Window,
};

/// What the person's handle, its `@` and a blank may take of a message.
const PREFIX_CHARACTERS: usize = 32;
/// How much is read at once while catching up.
const PAGE: usize = 80;
/// The path by which refusals on demand know a publication.
const POST_PATH: &str = "/api/v1/statuses";

/// A connection to the town, as one bot account.
pub struct TownConnection {
    town: Arc<Town>,
    clock: Arc<dyn Clock>,
    name: PlatformName,
    bot_id: Id,
    bot: Account,
    hashtags: Vec<String>,
}

impl std::fmt::Debug for TownConnection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("TownConnection").field("name", &self.name).field("bot", &self.bot).finish_non_exhaustive()
    }
}

/// How far the town was read: notifications and statuses with a hashtag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Position {
    notification: Id,
    tagged: Id,
}

impl Position {
    fn cursor(self) -> Cursor {
        Cursor(format!("{}:{}", self.notification, self.tagged))
    }

    fn read(cursor: &Cursor) -> Option<Self> {
        let (notification, tagged) = cursor.0.split_once(':')?;
        Some(Position { notification: notification.parse().ok()?, tagged: tagged.parse().ok()? })
    }
}

impl TownConnection {
    /// Connects as `bot`, an inhabitant, listening for its mentions and, in public posts, for `hashtags`.
    pub fn new(town: Arc<Town>, clock: Arc<dyn Clock>, name: PlatformName, bot: Id, hashtags: &[&str]) -> Result<Self, Refusal> {
        let account = town.read().person(bot).map(account).ok_or(Refusal::NotFound)?;
        let hashtags = hashtags.iter().map(|tag| text::normalise_tag(tag)).collect();
        Ok(TownConnection { town, clock, name, bot_id: bot, bot: account, hashtags })
    }
}

/// Somebody as the port sees them.
fn account(person: &Person) -> Account {
    Account {
        id: AccountId(person.id.to_string()),
        handle: person.username.to_ascii_lowercase(),
        display_name: person.display_name.clone(),
        is_bot: person.bot,
    }
}

/// What hears and reads: everything a listener does that is not waiting.
impl TownConnection {
    fn newest(&self) -> Position {
        let state = self.town.read();
        let one = Page { limit: 1, ..Page::default() };
        let all = NotificationFilter { include_filtered: true, ..NotificationFilter::default() };
        Position {
            notification: state.notifications(self.bot_id, &all, one).first().map_or(Id(0), |told| told.id),
            tagged: Id(state.last_id),
        }
    }

    /// The next page of what was missed, oldest first; empty at the end. Deleted statuses take their notifications along, so a
    /// page is never empty before the end.
    fn missed(&self, position: &mut Position) -> Vec<PlatformEvent> {
        let state = self.town.read();
        let filter = NotificationFilter { types: vec!["mention".to_owned()], ..NotificationFilter::default() };
        let page = Page { min_id: Some(position.notification), limit: PAGE, ..Page::default() };
        let mut events = Vec::new();
        for told in state.notifications(self.bot_id, &filter, page).iter().rev() {
            position.notification = told.id;
            let status = told.status.and_then(|id| state.status(id));
            events.extend(status.map(|status| self.posted(&state, status)));
        }
        let mut tagged: Vec<Arc<Status>> = Vec::new();
        for tag in &self.hashtags {
            let page = Page { min_id: Some(position.tagged), limit: PAGE, ..Page::default() };
            tagged.extend(state.timeline(Feed::Tag(tag), Some(self.bot_id), page, |status| self.tag_concerns(status)));
        }
        tagged.sort_unstable_by_key(|status| status.id);
        tagged.dedup_by_key(|status| status.id);
        // Only the oldest page is complete for every hashtag; what is cut off here is read next.
        tagged.truncate(PAGE);
        if let Some(last) = tagged.last() {
            position.tagged = last.id;
        }
        events.extend(tagged.iter().map(|status| self.posted(&state, status)));
        events
    }

    /// Hands on everything that was missed; `false` if nobody takes it.
    async fn catch_up(&self, position: &mut Position, events: &mpsc::Sender<Batch>) -> bool {
        loop {
            let missed = self.missed(position);
            if missed.is_empty() {
                return true;
            }
            if events.send(Batch { events: missed, cursor: Some(position.cursor()) }).await.is_err() {
                return false;
            }
        }
    }

    /// A public post of somebody else that carries one of our hashtags and does not mention us, which is heard of anyway.
    fn tag_concerns(&self, status: &Status) -> bool {
        status.visibility == Visibility::Public
            && status.reblog_of.is_none()
            && status.author != self.bot_id
            && !status.mentions.contains(&self.bot_id)
            && status.tags.iter().any(|tag| self.hashtags.contains(tag))
    }

    fn concerns(&self, status: &Status) -> bool {
        status.author != self.bot_id && (status.mentions.contains(&self.bot_id) || self.tag_concerns(status))
    }

    /// What an event of the town is for us; moves the position.
    fn hear(&self, event: &TownEvent, position: &mut Position) -> Option<PlatformEvent> {
        let state = self.town.read();
        match event {
            TownEvent::Notified(told, Some(status)) if told.account == self.bot_id && told.kind == NotificationKind::Mention => {
                let fresh = told.id > position.notification;
                position.notification = position.notification.max(told.id);
                fresh.then(|| self.posted(&state, status))
            }
            TownEvent::Posted(delivery) if self.tag_concerns(&delivery.status) => {
                let fresh = delivery.status.id > position.tagged;
                position.tagged = position.tagged.max(delivery.status.id);
                fresh.then(|| self.posted(&state, &delivery.status))
            }
            TownEvent::Edited(delivery) if self.concerns(&delivery.status) => {
                Some(PlatformEvent::Edited { native_id: delivery.status.id.to_string() })
            }
            TownEvent::Deleted(delivery) if self.concerns(&delivery.status) => {
                Some(PlatformEvent::Deleted { native_id: delivery.status.id.to_string() })
            }
            TownEvent::ProfileChanged(id) if *id != self.bot_id => {
                state.person(*id).map(|person| PlatformEvent::AccountChanged(account(person)))
            }
            _ => None,
        }
    }

    fn posted(&self, state: &State, status: &Status) -> PlatformEvent {
        let people = |id: &Id| state.person(*id);
        let channel = if status.visibility == Visibility::Direct { Channel::Dm } else { Channel::Post };
        let written = &status.now.text;
        let mention =
            |person: &Person| Mention { handle: person.username.to_ascii_lowercase(), account: AccountId(person.id.to_string()) };
        PlatformEvent::Posted(Box::new(Post {
            id: PostId(format!("town:{}", status.id)),
            native_id: status.id.to_string(),
            channel,
            author: people(&status.author).map_or_else(
                || Account {
                    id: AccountId(status.author.to_string()),
                    handle: String::new(),
                    display_name: String::new(),
                    is_bot: false,
                },
                account,
            ),
            text: if channel == Channel::Dm { self.without_bot(written) } else { written.clone() },
            mentions: status.mentions.iter().filter_map(people).map(mention).collect(),
            is_repost: status.reblog_of.is_some(),
            in_reply_to: status.in_reply_to.map(|id| id.to_string()),
            posted_at: status.created_at,
            is_edited: status.edited_at.is_some(),
            url: None,
            language: status.language.clone(),
        }))
    }

    /// A private message without the bot's own mention at its beginning and its end.
    fn without_bot(&self, written: &str) -> String {
        let ours = |piece: &text::Piece<'_>| match piece {
            text::Piece::Mention { username, domain, .. } => {
                text::local_name(username, *domain).is_some_and(|name| name.eq_ignore_ascii_case(&self.bot.handle))
            }
            _ => false,
        };
        let blank = |piece: &text::Piece<'_>| matches!(piece, text::Piece::Plain(text) if text.trim().is_empty());
        let mut rest = text::pieces(written);
        while rest.first().is_some_and(|piece| ours(piece) || blank(piece)) {
            rest.remove(0);
        }
        while rest.last().is_some_and(|piece| ours(piece) || blank(piece)) {
            rest.pop();
        }
        let words = |piece: &text::Piece<'_>| match piece {
            text::Piece::Plain(text) | text::Piece::Link(text) => (*text).to_owned(),
            text::Piece::Mention { written, .. } | text::Piece::Hashtag { written, .. } => (*written).to_owned(),
        };
        rest.iter().map(words).collect::<String>().trim().to_owned()
    }

    async fn publish(
        &self,
        to: Id,
        handle: &str,
        words: &str,
        visibility: Visibility,
        reply: Option<&str>,
        key: &str,
    ) -> Result<String, SendError> {
        if let Some(code) = self.town.take_refusal(POST_PATH) {
            let why = format!("the town was asked to answer {code}");
            return Err(if code == 429 { SendError::Later { after: None, why } } else { SendError::Unknown { why } });
        }
        let refused = |why: &str| SendError::Refused { why: why.to_owned() };
        if !self.town.read().person(to).is_some_and(|person| person.username.eq_ignore_ascii_case(handle)) {
            return Err(refused("the handle does not lead to the person's account any more"));
        }
        let in_reply_to = reply.map(str::parse).transpose().map_err(|_| refused("the message answered has no id of this town"))?;
        let draft = Draft {
            text: format!("@{handle} {}", words.replace('@', "")),
            visibility: Some(visibility),
            in_reply_to,
            allowed_mentions: Some(vec![to]),
            idempotency_key: Some(key.to_owned()),
            ..Draft::default()
        };
        let now = self.clock.now();
        let status = self.town.post(self.bot_id, draft, now).map_err(|refusal| send_error(&refusal, now))?;
        match self.town.take_post_fault() {
            Some(AnswerFault::Lose) => return Err(SendError::Unknown { why: "the answer was lost".to_owned() }),
            Some(AnswerFault::DelayMs(delay)) => tokio::time::sleep(Duration::from_millis(delay)).await,
            None => {}
        }
        Ok(status.id.to_string())
    }
}

fn send_error(refusal: &Refusal, now: Timestamp) -> SendError {
    let why = refusal.to_string();
    match refusal {
        Refusal::TooMany(quota) => SendError::Later { after: Duration::try_from(quota.reset.duration_since(now)).ok(), why },
        Refusal::Storage(_) => SendError::Later { after: None, why },
        _ => SendError::Refused { why },
    }
}

fn broken(why: &str) -> ListenError {
    ListenError::Broken { after: None, why: why.to_owned() }
}

#[async_trait]
impl Platform for TownConnection {
    fn name(&self) -> &PlatformName {
        &self.name
    }

    fn network(&self) -> Network {
        Network::Mastodon
    }

    fn bot(&self) -> &Account {
        &self.bot
    }

    fn dm_characters(&self) -> usize {
        MAX_CHARACTERS - PREFIX_CHARACTERS
    }

    fn send_windows(&self) -> Vec<Window> {
        let window = self.town.limits().statuses;
        vec![Window { limit: window.limit, period: Duration::from_secs(window.period_seconds.into()) }]
    }

    async fn listen(&self, from: Option<Cursor>, events: mpsc::Sender<Batch>) -> Result<(), ListenError> {
        let mut heard = self.town.subscribe();
        let mut position = match &from {
            Some(cursor) => Position::read(cursor).ok_or_else(|| broken("the cursor is not one of this town"))?,
            None => self.newest(),
        };
        let start = Batch { events: Vec::new(), cursor: Some(position.cursor()) };
        if from.is_none() && events.send(start).await.is_err() {
            return Ok(());
        }
        if !self.catch_up(&mut position, &events).await {
            return Ok(());
        }
        let mut was_silent = false;
        loop {
            let event = tokio::select! {
                event = heard.recv() => event,
                () = events.closed() => return Ok(()),
            };
            let event = match event {
                Ok(TownEvent::Disconnect) => return Err(broken("the stream was cut")),
                Ok(event) => event,
                Err(RecvError::Lagged(_)) => return Err(broken("the stream was too fast")),
                Err(RecvError::Closed) => return Err(broken("the town is gone")),
            };
            let faults = self.town.faults();
            if faults.silent_stream {
                was_silent = true;
                continue;
            }
            if std::mem::take(&mut was_silent) && !self.catch_up(&mut position, &events).await {
                return Ok(());
            }
            if let Some(told) = self.hear(&event, &mut position) {
                let times = if faults.duplicate_stream { 2 } else { 1 };
                let batch = Batch { events: vec![told; times], cursor: Some(position.cursor()) };
                if events.send(batch).await.is_err() {
                    return Ok(());
                }
            }
        }
    }

    async fn send_dm(&self, dm: OutgoingDm<'_>) -> Result<String, SendError> {
        let to = dm.to.as_str().parse().map_err(|_| SendError::Refused { why: "nobody in the town has that id".to_owned() })?;
        self.publish(to, dm.to_handle, dm.text, Visibility::Direct, dm.in_reply_to, dm.key).await
    }

    async fn reply(&self, reply: OutgoingReply<'_>) -> Result<String, SendError> {
        let refused = |why: &str| SendError::Refused { why: why.to_owned() };
        let (author, visibility) = {
            let state = self.town.read();
            let post = reply.to_post.parse().ok().and_then(|id| state.visible_status(id, Some(self.bot_id)));
            let post = post.ok_or_else(|| refused("the post is gone"))?;
            (post.author, post.visibility)
        };
        let visibility = match visibility {
            Visibility::Public | Visibility::Unlisted => Visibility::Unlisted,
            Visibility::Private => Visibility::Private,
            Visibility::Direct => return Err(refused("a private message is not answered in public")),
        };
        self.publish(author, reply.to_handle, reply.text, visibility, Some(reply.to_post), reply.key).await
    }

    async fn look_up(&self, handle: &str) -> Result<Option<Account>, SendError> {
        Ok(self.town.read().person_at(handle).map(account))
    }
}
