//! Listening on X: overlap, gaps, silence, limits.

use std::time::Duration;

use obole::platform::{Batch, Cursor, ListenError, Platform, PlatformEvent};
use serde_json::json;
use tokio::sync::mpsc;

use super::peer::{Fault, Peer};
use crate::support::connected::PATIENCE;

fn words(event: &PlatformEvent) -> String {
    match event {
        PlatformEvent::Posted(post) => post.text.clone(),
        PlatformEvent::Missed { .. } => "missed".to_owned(),
        other => format!("{other:?}"),
    }
}

/// What a listener brings from a cursor on until it has brought enough, and its last cursor; or why it ended before.
async fn listens(
    platform: &dyn Platform,
    from: Option<Cursor>,
    mut enough: impl FnMut(&[PlatformEvent]) -> bool,
) -> (Vec<PlatformEvent>, Option<Cursor>, Option<ListenError>) {
    let (sender, mut batches) = mpsc::channel::<Batch>(4);
    let (mut events, mut cursor) = (Vec::new(), from.clone());
    let listening = platform.listen(from, sender);
    tokio::pin!(listening);
    let ended = tokio::time::timeout(PATIENCE, async {
        loop {
            tokio::select! {
                ended = &mut listening => return ended.err(),
                Some(batch) = batches.recv() => {
                    events.extend(batch.events);
                    cursor = batch.cursor.or(cursor.take());
                    if enough(&events) {
                        return None;
                    }
                }
            }
        }
    });
    let ended = ended.await;
    let ended = ended.unwrap_or_else(|_| panic!("heard {:?}", events.iter().map(words).collect::<Vec<_>>()));
    (events, cursor, ended)
}

fn cursor_of(age: Duration) -> Cursor {
    let millis = crate::support::connected::now().as_millisecond() - i64::try_from(age.as_millis()).unwrap() - 1_288_834_974_657;
    Cursor(format!("{}/0", u64::try_from(millis).unwrap() << 22))
}

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn what_was_missed_is_searched_for_in_pages_and_handed_on_once_oldest_first() {
    let peer = Peer::start().await;
    for number in 0..8_u32 {
        peer.writes("ana", &format!("@obole #donner {number}€ @croixrouge"), HOUR * (9 - number), false);
    }
    let x = peer.connect_with(peer.config()).await;
    let (events, cursor, _) = listens(&x, Some(cursor_of(HOUR * 20)), |events| events.len() >= 8).await;
    let expected: Vec<String> = (0..8).map(|number| format!("@obole #donner {number}€ @croixrouge")).collect();
    assert_eq!(events.iter().map(words).collect::<Vec<_>>(), expected);
    // The next connection searches the last minute again; nothing of that is older than the newest.
    peer.posts("ana", "@obole #donner 8€ @croixrouge");
    let (events, _, _) = listens(&x, cursor, |events| events.iter().any(|event| words(event).contains(" 8€"))).await;
    assert!(events.len() <= 2, "{events:?}");
}

#[tokio::test]
async fn what_the_stream_and_the_search_both_bring_is_handed_on_once() {
    let peer = Peer::start().await;
    let mut config = peer.config();
    config.poll = Duration::from_millis(100);
    let x = peer.connect_with(config).await;
    let writing = async {
        while peer.play(|playing| playing.opened) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for number in 0..20 {
            // Half of them the stream does not bring.
            peer.writes("ana", &format!("@obole {number}"), Duration::ZERO, number % 2 == 0);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        peer.tells_a_group("not for us");
        peer.tells("ana", "the end");
    };
    let ((events, _, _), ()) = tokio::join!(listens(&x, Some(cursor_of(HOUR)), |events| events.len() >= 21), writing);
    let mut texts: Vec<String> = events.iter().map(words).collect();
    texts.sort();
    let mut expected: Vec<String> = (0..20).map(|number| format!("@obole {number}")).chain(["the end".to_owned()]).collect();
    expected.sort();
    assert_eq!(texts, expected);
}

#[tokio::test]
async fn what_a_search_does_not_reach_is_a_gap() {
    let peer = Peer::start().await;
    let x = peer.connect_with(peer.config()).await;
    let (events, _, _) = listens(&x, Some(cursor_of(HOUR * 24 * 8)), |events| !events.is_empty()).await;
    let [PlatformEvent::Missed { from, until }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(until.duration_since(*from).as_hours(), 24);
    assert_eq!(x.health().unwrap().standing().gaps, 1);
}

#[tokio::test]
async fn a_stream_cut_inside_a_character_brings_the_whole_object() {
    let peer = Peer::start().await;
    let x = peer.connect_with(peer.config()).await;
    let object = json!({ "data": { "id": "2080765813578191303", "text": "é 🍕", "author_id": "2",
        "edit_history_tweet_ids": ["2080765813578191303"] } })
    .to_string();
    let writing = async {
        while peer.play(|playing| playing.opened) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for byte in format!("{object}\r\n").bytes() {
            peer.streams(&[byte]);
            tokio::task::yield_now().await;
        }
    };
    let ((events, _, _), ()) = tokio::join!(listens(&x, None, |events| !events.is_empty()), writing);
    assert_eq!(events.iter().map(words).collect::<Vec<_>>(), ["é 🍕"]);
}

#[tokio::test]
async fn silence_x_s_own_word_and_limits_end_a_connection_with_a_wait() {
    let peer = Peer::start().await;
    let mut config = peer.config();
    config.silence = Duration::from_millis(200);
    let x = peer.connect_with(config).await;
    let ends = async || listens(&x, None, |_| false).await.2.unwrap();
    let after = |error: ListenError| match error {
        ListenError::Broken { after, why } => (after.unwrap(), why),
        ListenError::Credentials { why } => panic!("{why}"),
    };
    let (wait, why) = after(ends().await);
    assert_eq!((wait, why.as_str()), (Duration::ZERO, "the stream was silent for 0 s"));
    // Something came before: the next break is a first one again.
    let saying = async {
        while peer.play(|playing| playing.opened) < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let word = json!({ "errors": [{ "title": "operational-disconnect", "disconnect_type": "UpstreamOperationalDisconnect" }] });
        peer.streams(format!("{word}\r\n").as_bytes());
    };
    let (ended, ()) = tokio::join!(ends(), saying);
    assert_eq!(after(ended), (Duration::ZERO, "X ends the stream: UpstreamOperationalDisconnect".to_owned()));
    let far = (crate::support::connected::now().as_second() + 7_200).to_string();
    let limited = || Fault::Refuse(429, vec![("x-rate-limit-reset", far.clone())], json!({ "title": "Too Many Requests" }));
    peer.fault("GET /2/tweets/search/stream", limited());
    assert!(after(ends().await).0 > Duration::from_secs(7_190));
    peer.fault("GET /2/tweets/search/stream", Fault::Refuse(503, Vec::new(), json!({})));
    assert_eq!(after(ends().await).0, Duration::from_secs(5));
    peer.fault("GET /2/tweets/search/stream", Fault::Refuse(401, Vec::new(), json!({ "title": "Unauthorized" })));
    assert!(matches!(ends().await, ListenError::Credentials { .. }));
    // A far reset of the messages' list does not stop posts.
    peer.fault("GET /2/dm_events", limited());
    let x = peer.connect_with(peer.config()).await;
    peer.writes("ana", "@obole once more", Duration::from_secs(5), false);
    let (events, _, _) = listens(&x, Some(cursor_of(HOUR)), |events| !events.is_empty()).await;
    assert_eq!(words(&events[0]), "@obole once more");
}
