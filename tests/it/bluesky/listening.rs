//! Listening: nothing lost and nothing doubled through cuts; forgeries, gaps, silence.

use std::time::Duration;

use obole::ids::Channel;
use obole::platform::bluesky::Bluesky;
use obole::platform::{Batch, Cursor, ListenError, Platform, PlatformEvent};
use tokio::sync::mpsc;

use super::peer::{Fault, Peer};
use crate::support::connected::PATIENCE;

fn words(event: &PlatformEvent) -> String {
    match event {
        PlatformEvent::Posted(post) if post.channel == Channel::Dm => format!("told {} by {}", post.text, post.author.handle),
        PlatformEvent::Posted(post) if post.is_edited => format!("posted edited {}", post.text),
        PlatformEvent::Posted(post) => format!("posted {}", post.text),
        PlatformEvent::Edited { .. } => "edited".to_owned(),
        PlatformEvent::Deleted { .. } => "deleted".to_owned(),
        PlatformEvent::AccountChanged(account) => format!("{} is {}", account.id, account.handle),
        PlatformEvent::Missed { .. } => "missed".to_owned(),
    }
}

/// Listens as intake does: keeps the cursor with what it came with, and connects again when the stream breaks.
struct Ear {
    bluesky: Bluesky,
    cursor: Option<Cursor>,
    heard: Vec<PlatformEvent>,
    breaks: Vec<ListenError>,
}

impl Ear {
    fn new(bluesky: Bluesky) -> Self {
        Ear { bluesky, cursor: None, heard: Vec::new(), breaks: Vec::new() }
    }

    /// Listens until enough was heard.
    async fn listens(&mut self, mut enough: impl FnMut(&[PlatformEvent]) -> bool) {
        let listening = async {
            while !enough(&self.heard) {
                let (sender, mut batches) = mpsc::channel::<Batch>(4);
                let ended = {
                    let stream = self.bluesky.listen(self.cursor.clone(), sender);
                    tokio::pin!(stream);
                    loop {
                        tokio::select! {
                            ended = &mut stream => break Some(ended),
                            Some(batch) = batches.recv() => {
                                self.heard.extend(batch.events);
                                self.cursor = batch.cursor.or(self.cursor.take());
                                if enough(&self.heard) {
                                    break None;
                                }
                            }
                        }
                    }
                };
                if let Some(Err(error)) = ended {
                    self.breaks.push(error);
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        };
        let ended = tokio::time::timeout(PATIENCE, listening).await;
        assert!(ended.is_ok(), "heard {:#?}; {:?}", self.heard.iter().map(words).collect::<Vec<_>>(), self.breaks);
    }

    /// Listens until the position is stored.
    async fn begins(&mut self) {
        let (sender, mut batches) = mpsc::channel::<Batch>(4);
        let first = async {
            // Both sources tell theirs.
            for _ in 0..2 {
                self.cursor = batches.recv().await.unwrap().cursor;
            }
        };
        tokio::select! {
            ended = self.bluesky.listen(None, sender) => panic!("{ended:?}"),
            () = first => {}
        }
    }

    fn texts(&self) -> Vec<String> {
        self.heard.iter().map(words).collect()
    }
}

async fn ear(peer: &Peer) -> Ear {
    let mut ear = Ear::new(peer.connect_with(peer.config()).await);
    ear.begins().await;
    ear
}

#[tokio::test]
async fn nothing_is_lost_though_every_stream_is_cut_after_a_few_frames() {
    let peer = Peer::start().await;
    let mut ear = ear(&peer).await;
    peer.play(|playing| playing.cut_after = Some(45));
    let mut expected = Vec::new();
    for number in 0..120 {
        expected.push(format!("posted @obole.test #donner {number}€ @croixrouge.test"));
        peer.posts("ana", &expected[number]["posted ".len()..]);
        peer.posts("bob", "good morning");
    }
    let distinct = |heard: &[PlatformEvent]| heard.iter().map(words).collect::<std::collections::BTreeSet<_>>().len();
    // Each connection goes back behind the cursor by seconds that hold everything here; so cuts are lifted in between.
    let mut cuts = 45;
    while cuts < 300 {
        peer.play(|playing| playing.cut_after = Some(cuts));
        let before = ear.breaks.len();
        let goal = distinct(&ear.heard) + 10;
        let breaks = std::cell::Cell::new(0);
        ear.listens(|heard| {
            breaks.set(breaks.get() + 1);
            distinct(heard) >= goal.min(120) || breaks.get() > 200
        })
        .await;
        cuts += 60;
        assert!(ear.breaks.len() >= before);
    }
    peer.play(|playing| playing.cut_after = None);
    ear.listens(|heard| distinct(heard) >= 120).await;
    let heard: std::collections::BTreeSet<String> = ear.texts().into_iter().collect();
    assert_eq!(heard, expected.into_iter().collect());
}

#[tokio::test]
async fn a_post_is_handed_on_only_if_it_is_where_its_author_keeps_it() {
    let peer = Peer::start().await;
    let mut ear = ear(&peer).await;
    peer.forges("ana", "@obole.test #donner 90€ @croixrouge.test");
    let edited = peer.posts("ana", "@obole.test #donner 10€ @croixrouge.test");
    peer.edits("ana", &edited, "@obole.test #donner 99€ @croixrouge.test");
    let gone = peer.posts("ana", "@obole.test #donner 20€ @croixrouge.test");
    peer.deletes("ana", &gone);
    peer.posts("ana", "@obole.test #donner 5€ @croixrouge.test");
    ear.listens(|heard| heard.len() >= 2).await;
    let mut texts = ear.texts();
    texts.sort();
    assert_eq!(
        texts,
        ["posted @obole.test #donner 5€ @croixrouge.test", "posted edited @obole.test #donner 10€ @croixrouge.test"],
        "the forged one is not there, the deleted one is gone, the edited one says so"
    );
}

#[tokio::test]
async fn while_a_post_is_in_question_the_position_stays_before_it() {
    let peer = Peer::start().await;
    let mut ear = ear(&peer).await;
    peer.forges("ana", "@obole.test #donner 90€ @croixrouge.test");
    peer.renames("bob", "bob.example");
    ear.listens(|heard| heard.iter().any(|event| matches!(event, PlatformEvent::AccountChanged(_)))).await;
    let position: i64 = ear.cursor.as_ref().unwrap().0.split('/').next().unwrap().parse().unwrap();
    let forged = peer.play(|playing| playing.frames[0].0);
    assert!(position < forged, "{position} {forged}");
    assert_eq!(ear.texts(), ["did:plc:bob is bob.example"]);
}

#[tokio::test]
async fn private_messages_are_read_in_pages_once_and_in_conversations_of_two() {
    let peer = Peer::start().await;
    let mut ear = ear(&peer).await;
    peer.tells_a_group("OUI 111111");
    for number in 0..5 {
        peer.tells("ana", &format!("@obole.test OUI 48219{number}"));
    }
    ear.listens(|heard| heard.len() >= 5).await;
    let expected: Vec<String> = (0..5).map(|number| format!("told OUI 48219{number} by ana.test")).collect();
    assert_eq!(ear.texts(), expected);
    // A message from while nobody listened, and none twice.
    peer.tells("ana", "NON");
    ear.listens(|heard| heard.len() >= 6).await;
    assert_eq!(ear.texts()[5..], ["told NON by ana.test"]);
}

#[tokio::test]
async fn what_is_older_than_the_stream_keeps_is_a_gap() {
    let peer = Peer::start().await;
    let three_days = crate::support::connected::now().as_microsecond() - 3 * 24 * 3_600 * 1_000_000;
    let mut ear = Ear::new(peer.connect_with(peer.config()).await);
    ear.cursor = Some(Cursor(format!("{three_days}/3l2222")));
    ear.listens(|heard| !heard.is_empty()).await;
    let PlatformEvent::Missed { from, until } = &ear.heard[0] else { panic!("{:?}", ear.heard) };
    assert_eq!(from.as_microsecond(), three_days);
    let kept = crate::support::connected::now().duration_since(*until).as_hours();
    assert_eq!(kept, 36);
    assert_eq!(ear.bluesky.health().unwrap().standing().gaps, 1);
    let asked = peer.play(|playing| playing.subscriptions[0].clone());
    let cursor: i64 = asked.split("cursor=").nth(1).unwrap().parse().unwrap();
    assert_eq!(until.as_microsecond() - cursor, 5_000_000, "the overlap");

    // A second version refuses instead of clamping.
    peer.play(|playing| playing.cursor_too_old = true);
    let hour_ago = crate::support::connected::now().as_microsecond() - 3_600 * 1_000_000;
    let mut ear = Ear::new(peer.connect_with(peer.config()).await);
    ear.cursor = Some(Cursor(format!("{hour_ago}/3l2222")));
    ear.listens(|heard| !heard.is_empty()).await;
    assert!(matches!(&ear.heard[0], PlatformEvent::Missed { from, .. } if from.as_microsecond() == hour_ago), "{:?}", ear.heard);
}

#[tokio::test]
async fn a_stream_that_is_open_and_silent_ends() {
    let peer = Peer::start().await;
    let mut config = peer.config();
    config.silence = Duration::from_millis(200);
    let bluesky = peer.connect_with(config).await;
    peer.play(|playing| playing.silent = true);
    let (sender, mut batches) = mpsc::channel(4);
    let drain = async { while batches.recv().await.is_some() {} };
    let (ended, ()) = tokio::join!(async { bluesky.listen(None, sender).await }, drain);
    assert_eq!(ended, Err(ListenError::Broken { after: None, why: "the stream was silent".to_owned() }));
    let standing = bluesky.health().unwrap().standing();
    assert_eq!((standing.liveness.as_str(), standing.connections), ("degraded", 1));
}

#[tokio::test]
async fn a_chat_that_asks_to_come_back_later_does_not_stop_posts() {
    let peer = Peer::start().await;
    let mut ear = ear(&peer).await;
    let far = (crate::support::connected::now().as_second() + 7_200).to_string();
    peer.fault("chat.bsky.convo.getLog", Fault::Refuse(429, "RateLimitExceeded", "", vec![("ratelimit-reset", far)]));
    peer.posts("ana", "@obole.test #donner 10€ @croixrouge.test");
    ear.listens(|heard| !heard.is_empty()).await;
    assert_eq!((ear.texts().len(), ear.breaks.len()), (1, 0));
}

#[tokio::test]
async fn of_posts_that_do_not_name_us_only_those_with_a_verb_that_gives_are_handed_on() {
    let peer = Peer::start().await;
    let mut ear = ear(&peer).await;
    peer.posts("ana", "my cat #caturday");
    peer.posts("ana", "#donner 10€ #telethon");
    peer.renames("bob", "bob.example");
    ear.listens(|heard| heard.len() >= 2).await;
    assert_eq!(ear.texts(), ["posted #donner 10€ #telethon", "did:plc:bob is bob.example"]);
}

#[tokio::test]
async fn a_password_that_may_not_chat_ends_listening_for_good() {
    let peer = Peer::start().await;
    let bluesky = peer.connect_with(peer.config()).await;
    peer.play(|playing| playing.plain_password = true);
    let (sender, _batches) = mpsc::channel(4);
    let ended = bluesky.listen(None, sender).await;
    assert!(matches!(ended, Err(ListenError::Credentials { .. })), "{ended:?}");
}
