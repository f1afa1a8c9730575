//! The town remembers, shows and tells what it should.

use std::io::Write as _;
use std::path::PathBuf;

use super::*;
use crate::entropy::SeededEntropy;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn town() -> (Town, Id, Id, Id) {
    let town = Town::in_memory(Limits::default(), Arc::new(SeededEntropy::new(1)));
    let [obole, alice, bob] = ["obole", "alice", "bob"].map(|name| town.join(name, name, false, at(0)).unwrap().id);
    (town, obole, alice, bob)
}

fn draft(text: &str, visibility: Visibility) -> Draft {
    Draft { text: text.to_owned(), visibility: Some(visibility), ..Draft::default() }
}

fn say(town: &Town, author: Id, text: &str, visibility: Visibility) -> Arc<Status> {
    town.post(author, draft(text, visibility), at(1)).unwrap()
}

fn mentions(town: &Town, account: Id) -> Vec<Arc<Notification>> {
    town.read().notifications(account, &NotificationFilter::default(), Page { limit: 80, ..Page::default() })
}

#[test]
fn min_id_pages_forward_without_a_gap_and_since_id_gives_the_newest() {
    let (town, _, alice, _) = town();
    let ids: Vec<Id> = (0..10).map(|number| say(&town, alice, &format!("#tag {number}"), Visibility::Public).id).collect();
    let read = |page: Page| -> Vec<Id> {
        town.read().timeline(Feed::Tag("tag"), None, page, |_| true).iter().map(|status| status.id).collect()
    };
    let limit = 3;
    assert_eq!(read(Page { limit, ..Page::default() }), [ids[9], ids[8], ids[7]]);
    assert_eq!(read(Page { min_id: Some(ids[2]), limit, ..Page::default() }), [ids[5], ids[4], ids[3]]);
    assert_eq!(read(Page { since_id: Some(ids[2]), limit, ..Page::default() }), [ids[9], ids[8], ids[7]]);
    assert_eq!(read(Page { max_id: Some(ids[2]), limit, ..Page::default() }), [ids[1], ids[0]]);
    assert_eq!(read(Page { min_id: Some(ids[2]), max_id: Some(ids[5]), limit, ..Page::default() }), [ids[4], ids[3]]);
    assert_eq!(read(Page { min_id: Some(ids[5]), max_id: Some(ids[2]), limit, ..Page::default() }), []);
    let mut followed = Vec::new();
    let mut next = Some(Id(0));
    while let Some(min_id) = next {
        let page = read(Page { min_id: Some(min_id), limit, ..Page::default() });
        next = page.first().copied();
        followed.extend(page.into_iter().rev());
    }
    assert_eq!(followed, ids);
}

#[test]
fn a_private_message_is_seen_by_its_author_and_the_mentioned_only() {
    let (town, obole, alice, bob) = town();
    town.follow(bob, alice, at(0)).unwrap();
    let secret = say(&town, alice, "@obole OUI 482193", Visibility::Direct);
    let state = town.read();
    let sees = |viewer| state.visible_status(secret.id, viewer).is_some();
    assert_eq!([sees(Some(alice)), sees(Some(obole)), sees(Some(bob)), sees(None)], [true, true, false, false]);
    let home = |account| state.timeline(Feed::Home(account), Some(account), Page { limit: 9, ..Page::default() }, |_| true).len();
    assert_eq!([home(alice), home(bob)], [1, 0]);
    assert_eq!(
        [alice, obole, bob].map(|account| state.conversations(account, Page { limit: 9, ..Page::default() }).len()),
        [1, 1, 0]
    );
    drop(state);
    assert_eq!((mentions(&town, obole).len(), mentions(&town, bob).len()), (1, 0));
}

#[test]
fn the_same_key_within_an_hour_is_the_same_status() {
    let (town, _, alice, _) = town();
    let keyed = || Draft { idempotency_key: Some("k".to_owned()), ..draft("hello", Visibility::Public) };
    let first = town.post(alice, keyed(), at(1)).unwrap();
    assert_eq!(town.post(alice, keyed(), at(3600)).unwrap().id, first.id);
    assert_ne!(town.post(alice, keyed(), at(3601)).unwrap().id, first.id);
}

#[test]
fn unexpected_mentions_are_refused_and_nothing_is_posted() {
    let (town, obole, alice, bob) = town();
    let guarded = Draft { allowed_mentions: Some(vec![alice]), ..draft("@alice pay @bob", Visibility::Direct) };
    assert_eq!(town.post(obole, guarded, at(1)).unwrap_err(), Refusal::UnexpectedMentions(vec![bob]));
    assert!(mentions(&town, alice).is_empty());
}

#[test]
fn statuses_are_counted_in_windows_and_the_next_window_is_open_again() {
    let (town, _, alice, _) = town();
    town.set_limits(Limits { statuses: Window { limit: 1, period_seconds: 60 }, ..Limits::default() });
    say(&town, alice, "one", Visibility::Public);
    let Err(Refusal::TooMany(quota)) = town.post(alice, draft("two", Visibility::Public), at(2)) else { panic!("was allowed") };
    assert!(town.post(alice, draft("two", Visibility::Public), quota.reset).is_ok());
}

#[test]
fn an_edit_keeps_the_id_and_the_first_version_and_is_told_to_the_mentioned() {
    let (town, obole, alice, _) = town();
    let status = say(&town, alice, "@obole 10", Visibility::Public);
    let mut events = town.subscribe();
    let revision = Revision { text: Some("@obole 20".to_owned()), ..Revision::default() };
    let edited = town.edit(alice, status.id, revision.clone(), at(5)).unwrap();
    assert_eq!((edited.id, edited.before[0].text.as_str(), edited.now.text.as_str()), (status.id, "@obole 10", "@obole 20"));
    let TownEvent::Edited(delivery) = events.try_recv().unwrap() else { panic!("not an edit") };
    assert!(delivery.homes.contains(&obole));
    // The same text again is no edit, and nobody is mentioned twice.
    assert_eq!(town.edit(alice, status.id, revision, at(6)).unwrap().before.len(), 1);
    assert_eq!(mentions(&town, obole).len(), 1);
}

#[test]
fn a_deleted_status_takes_its_boosts_notifications_and_conversations_along() {
    let (town, obole, alice, bob) = town();
    let public = say(&town, alice, "@obole #tag", Visibility::Public);
    let boost = town.reblog(bob, public.id, None, at(2)).unwrap();
    assert_eq!(town.reblog(bob, boost.id, None, at(2)).unwrap().id, boost.id, "a boost of a boost is one of the original");
    let private = say(&town, alice, "@obole psst", Visibility::Direct);
    assert!(town.delete(bob, public.id, at(3)).is_err(), "somebody else's");
    for status in [public.id, private.id] {
        town.delete(alice, status, at(3)).unwrap();
    }
    let state = town.read();
    assert!(state.status(boost.id).is_none());
    let all = Page { limit: 9, ..Page::default() };
    assert!(state.timeline(Feed::Tag("tag"), None, all, |_| true).is_empty());
    assert!(state.timeline(Feed::Home(bob), Some(bob), all, |_| true).is_empty());
    assert!(state.conversations(obole, all).is_empty());
    assert!([alice, obole].iter().all(|account| state.notifications(*account, &NotificationFilter::default(), all).is_empty()));
}

#[test]
fn a_stranger_who_writes_first_is_kept_aside_and_one_who_answers_is_not() {
    let (town, obole, alice, _) = town();
    town.set_policy(None, Policy::MASTODON, at(0)).unwrap();
    let cold = say(&town, obole, "@alice confirm?", Visibility::Direct);
    assert!(mentions(&town, alice).is_empty());
    assert!(town.read().conversations(alice, Page { limit: 9, ..Page::default() }).is_empty());
    assert_eq!(town.read().filtered_count(alice), (1, 1));
    // A reply to a public post is no invitation; one to a private mention is, also further down the thread.
    let public = say(&town, alice, "@obole 10", Visibility::Public);
    let reply = Draft { in_reply_to: Some(public.id), ..draft("@alice confirm?", Visibility::Direct) };
    town.post(obole, reply, at(2)).unwrap();
    assert!(mentions(&town, alice).is_empty());
    let opened = say(&town, alice, "@obole OBOLE-1234", Visibility::Direct);
    let reply = Draft { in_reply_to: Some(opened.id), ..draft("@alice welcome", Visibility::Direct) };
    let welcome = town.post(obole, reply, at(3)).unwrap();
    let later = Draft { in_reply_to: Some(welcome.id), ..draft("@alice confirm?", Visibility::Direct) };
    town.post(obole, later, at(4)).unwrap();
    assert_eq!(mentions(&town, alice).len(), 2);
    // Following the bot opens the door too; closing it shuts out everybody.
    town.follow(alice, obole, at(5)).unwrap();
    say(&town, obole, "@alice again", Visibility::Direct);
    assert_eq!(mentions(&town, alice).len(), 3);
    town.change_profile(alice, ProfileUpdate { closed: Some(true), ..ProfileUpdate::default() }, at(6)).unwrap();
    say(&town, obole, "@alice once more", Visibility::Direct);
    assert_eq!(mentions(&town, alice).len(), 3);
    assert!(town.read().status(cold.id).is_some());
}

#[test]
fn a_code_is_good_once_for_its_client_its_address_and_its_verifier() {
    let (town, _, alice, _) = town();
    let request = AppRequest {
        name: "app".to_owned(),
        redirect_uris: vec![OUT_OF_BAND.to_owned()],
        scopes: vec!["read".to_owned(), "write:statuses".to_owned()],
        ..AppRequest::default()
    };
    let app = town.register_app(request, at(0)).unwrap();
    let client = (app.client_id.as_str(), app.client_secret.as_str());
    // RFC 7636, appendix B.
    let (verifier, challenge) = ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    let request = CodeRequest {
        client_id: app.client_id.clone(),
        redirect_uri: OUT_OF_BAND.to_owned(),
        scopes: vec!["read:statuses".to_owned()],
        challenge: Some(challenge.to_owned()),
    };
    let wide = CodeRequest { scopes: vec!["write".to_owned()], ..request.clone() };
    assert!(matches!(town.issue_code(alice, wide, at(1)), Err(Refusal::OAuth("invalid_scope", _))));
    let code = town.issue_code(alice, request, at(1)).unwrap().code;
    assert!(town.redeem_code(client, &code, OUT_OF_BAND, None, at(2)).is_err());
    assert!(town.redeem_code(client, &code, "https://elsewhere", Some(verifier), at(2)).is_err());
    assert!(town.redeem_code((client.0, "guess"), &code, OUT_OF_BAND, Some(verifier), at(2)).is_err());
    assert!(town.redeem_code(client, &code, OUT_OF_BAND, Some(verifier), at(1000)).is_err());
    let token = town.redeem_code(client, &code, OUT_OF_BAND, Some(verifier), at(2)).unwrap();
    assert!(town.redeem_code(client, &code, OUT_OF_BAND, Some(verifier), at(2)).is_err());
    assert_eq!((token.account, token.allows("read:statuses"), token.allows("write:statuses")), (Some(alice), true, false));
    town.revoke(client, &token.secret, at(3)).unwrap();
    assert!(town.read().token(&token.secret).is_none());
}

/// A journal in a directory of its own, removed at the end.
struct Journalled(PathBuf);

impl Journalled {
    fn new(name: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("obole-town-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        Journalled(directory)
    }

    fn path(&self) -> PathBuf {
        self.0.join("town.jsonl")
    }

    fn open(&self) -> Result<Town, OpenError> {
        Town::open(&self.path(), Limits::default(), Arc::new(SeededEntropy::new(2)))
    }
}

impl Drop for Journalled {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_town_read_again_from_its_journal_is_the_same_town() {
    let journal = Journalled::new("again");
    let before = {
        let town = journal.open().unwrap();
        let [obole, alice, bob] = ["obole", "alice", "bob"].map(|name| town.join(name, name, name == "obole", at(0)).unwrap().id);
        let app = AppRequest { name: "app".to_owned(), redirect_uris: vec![OUT_OF_BAND.to_owned()], ..AppRequest::default() };
        let app = town.register_app(app, at(0)).unwrap();
        let token = town.token_for(alice, app.id, vec!["read".to_owned()], at(0)).unwrap();
        town.set_policy(Some(alice), Policy::MASTODON, at(0)).unwrap();
        town.follow(bob, alice, at(0)).unwrap();
        let order = Draft { idempotency_key: Some("k".to_owned()), ..draft("@obole #donner 10", Visibility::Public) };
        let order = town.post(alice, order, at(1)).unwrap();
        say(&town, obole, "@alice ?", Visibility::Direct);
        town.reblog(bob, order.id, None, at(2)).unwrap();
        town.favourite(bob, order.id, at(2)).unwrap();
        town.edit(alice, order.id, Revision { text: Some("@obole #donner 20".to_owned()), ..Revision::default() }, at(3)).unwrap();
        let media = town.upload(alice, "image/png".to_owned(), None, at(3)).unwrap();
        let gone = town.post(alice, Draft { media: vec![media.id], ..Draft::default() }, at(3)).unwrap();
        town.delete(alice, gone.id, at(4)).unwrap();
        assert!(matches!(journal.open(), Err(OpenError::InUse(_))), "two processes must not write one journal");
        assert!(town.read().token(&token.secret).is_some());
        snapshot(&town)
    };
    let town = journal.open().unwrap();
    assert_eq!(snapshot(&town), before);
    let alice = town.read().person_named("alice").unwrap().id;
    let again = Draft { idempotency_key: Some("k".to_owned()), ..draft("@obole #donner 10", Visibility::Public) };
    assert_eq!(town.post(alice, again, at(9)).unwrap().before.len(), 1, "the key is still known");
    assert_eq!(town.quota(Family::Statuses, alice.0, at(9)).remaining, 298);
}

/// Tables in an order that does not depend on hashing.
fn snapshot(town: &Town) -> Vec<String> {
    let state = town.read();
    let mut lines: Vec<String> = state.statuses.values().map(|status| format!("{status:?}")).collect();
    lines.extend(state.reactions.iter().map(|entry| format!("{entry:?}")));
    lines.extend(state.homes.iter().map(|entry| format!("home {entry:?}")));
    lines.extend(state.notifications.iter().map(|entry| format!("{entry:?}")));
    lines.extend(state.conversations.iter().map(|entry| format!("{entry:?}")));
    lines.extend(state.tokens.iter().map(|entry| format!("{entry:?}")));
    lines.extend(state.tagged.iter().map(|entry| format!("{entry:?}")));
    lines.sort();
    lines.push(format!("{:?} {:?} {}", state.people, state.public, state.last_id));
    lines
}

#[test]
fn a_torn_last_line_is_cut_off_and_a_broken_line_before_it_is_refused() {
    let journal = Journalled::new("torn");
    journal.open().unwrap().join("alice", "", false, at(0)).unwrap();
    let append = |bytes: &[u8]| std::fs::OpenOptions::new().append(true).open(journal.path()).unwrap().write_all(bytes).unwrap();
    append(br#"{"at":"2027-01-15T08:00:00Z","change":"joi"#);
    let town = journal.open().unwrap();
    town.join("bob", "", false, at(1)).unwrap();
    drop(town);
    let town = journal.open().unwrap();
    assert_eq!(town.read().people().count(), 2);
    drop(town);
    append(b"nonsense\n");
    assert!(matches!(journal.open(), Err(OpenError::BadLine { line: 3, .. })));
}

#[test]
fn a_missing_directory_is_one_clear_sentence() {
    let path = PathBuf::from("/nonexistent/place/town.jsonl");
    let error = Town::open(&path, Limits::default(), Arc::new(SeededEntropy::new(1))).unwrap_err();
    assert_eq!(error.to_string(), "the town's journal /nonexistent/place/town.jsonl cannot be kept: its directory does not exist");
}

/// The town as a platform, and what it tells.
mod as_a_platform {
    use std::time::Duration;

    use tokio::sync::mpsc;
    use tokio::task::JoinHandle;

    use super::*;
    use crate::clock::ManualClock;
    use crate::ids::{AccountId, PlatformName};
    use crate::platform::{Batch, Cursor, ListenError, OutgoingDm, OutgoingReply, Platform as _, PlatformEvent, Post, SendError};

    struct Listening {
        batches: mpsc::Receiver<Batch>,
        cursor: Option<Cursor>,
        task: JoinHandle<Result<(), ListenError>>,
    }

    impl Listening {
        fn start(connection: &Arc<TownConnection>, from: Option<Cursor>) -> Self {
            let (sender, batches) = mpsc::channel(16);
            let (connection, cursor) = (Arc::clone(connection), from.clone());
            Listening { batches, cursor, task: tokio::spawn(async move { connection.listen(from, sender).await }) }
        }

        async fn next(&mut self) -> Vec<PlatformEvent> {
            let batch =
                tokio::time::timeout(Duration::from_secs(10), self.batches.recv()).await.expect("nothing was told").unwrap();
            self.cursor = batch.cursor.or(self.cursor.take());
            batch.events
        }

        async fn post(&mut self) -> Post {
            match self.next().await.as_slice() {
                [PlatformEvent::Posted(post)] => (**post).clone(),
                other => panic!("not one post: {other:?}"),
            }
        }
    }

    fn connected() -> (Arc<Town>, Arc<TownConnection>, Id, Id) {
        let (town, obole, alice, bob) = town();
        let town = Arc::new(town);
        let clock = Arc::new(ManualClock::at(at(1)));
        let name = PlatformName("town".to_owned());
        let connection = TownConnection::new(Arc::clone(&town), clock, name, obole, &["Téléthon"]).unwrap();
        (town, Arc::new(connection), alice, bob)
    }

    #[tokio::test]
    async fn it_tells_mentions_hashtags_edits_and_deletions_and_goes_on_where_it_stopped() {
        let (town, connection, alice, bob) = connected();
        let mut listening = Listening::start(&connection, None);
        assert!(listening.next().await.is_empty(), "the first batch only says where it begins");
        let order = say(&town, alice, "@obole #donner 10€ @bob #telethon", Visibility::Public);
        let post = listening.post().await;
        assert_eq!(
            (post.native_id.as_str(), post.text.as_str()),
            (order.id.to_string().as_str(), "@obole #donner 10€ @bob #telethon")
        );
        assert_eq!(post.mentions[1].account, AccountId(bob.to_string()));
        say(&town, alice, "@obole OUI 482193", Visibility::Direct);
        assert_eq!(listening.post().await.text, "OUI 482193");
        say(&town, bob, "10€ #telethon", Visibility::Public);
        assert_eq!(listening.post().await.text, "10€ #telethon");
        say(&town, bob, "@alice nothing for us", Visibility::Public);
        town.edit(alice, order.id, Revision { text: Some("@obole #donner 20€".to_owned()), ..Revision::default() }, at(2)).unwrap();
        assert_eq!(listening.next().await, [PlatformEvent::Edited { native_id: order.id.to_string() }]);
        town.disconnect_streams();
        assert!(matches!(listening.task.await.unwrap(), Err(ListenError::Broken { .. })));
        let missed = say(&town, alice, "@obole #donner 30€", Visibility::Public);
        let mut listening = Listening::start(&connection, listening.cursor);
        assert_eq!(listening.post().await.native_id, missed.id.to_string());
        town.set_faults(Faults { silent_stream: true, ..Faults::default() });
        say(&town, alice, "@obole in the silence", Visibility::Public);
        tokio::task::yield_now().await;
        town.set_faults(Faults { duplicate_stream: true, ..Faults::default() });
        town.delete(alice, order.id, at(3)).unwrap();
        assert_eq!(listening.post().await.text, "@obole in the silence");
        let deleted = PlatformEvent::Deleted { native_id: order.id.to_string() };
        assert_eq!(listening.next().await, [deleted.clone(), deleted]);
    }

    #[tokio::test]
    async fn it_sends_once_to_one_person_and_says_when_it_does_not_know() {
        let (town, connection, alice, bob) = connected();
        let to = AccountId(alice.to_string());
        let dm = |key| OutgoingDm { key, to: &to, to_handle: "alice", text: "10 € to @bob?", in_reply_to: None };
        town.set_faults(Faults { post: Some(PostFault { times: 1, answer: AnswerFault::Lose }), ..Faults::default() });
        assert!(matches!(connection.send_dm(dm("k")).await, Err(SendError::Unknown { .. })));
        let sent = connection.send_dm(dm("k")).await.unwrap();
        assert_eq!((mentions(&town, alice).len(), mentions(&town, bob).len()), (1, 0));
        assert_eq!(mentions(&town, alice)[0].status.unwrap().to_string(), sent);
        let stranger = OutgoingDm { to_handle: "bob", ..dm("other") };
        assert!(matches!(connection.send_dm(stranger).await, Err(SendError::Refused { .. })));
        let order = say(&town, alice, "@obole #donner", Visibility::Public).id.to_string();
        let reply = OutgoingReply { key: "r", to_post: &order, to_handle: "alice", text: "how much?" };
        let answer = connection.reply(reply.clone()).await.unwrap();
        assert_eq!(town.read().status(answer.parse().unwrap()).unwrap().visibility, Visibility::Unlisted);
        town.set_limits(Limits { statuses: Window { limit: 0, period_seconds: 60 }, ..Limits::default() });
        let later = connection.reply(OutgoingReply { key: "s", ..reply }).await;
        assert!(matches!(later, Err(SendError::Later { after: Some(after), .. }) if after == Duration::from_secs(59)), "{later:?}");
        assert_eq!(connection.look_up("Bob").await.unwrap().unwrap().id, AccountId(bob.to_string()));
        assert_eq!(connection.look_up("nobody").await.unwrap(), None);
    }
}
