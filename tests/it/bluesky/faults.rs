//! What networks do to a stream: cuts at any byte, sockets that hang half open, a reader that is slow.

use std::time::Duration;

use obole::platform::bluesky::BlueskyConfig;
use obole::platform::{Batch, Cursor, ListenError, Platform, PlatformEvent};
use tokio::sync::mpsc;

use super::peer::Peer;
use crate::support::proxy::{Plan, Proxy};

async fn behind_a_proxy(peer: &Peer) -> (Proxy, BlueskyConfig) {
    let proxy = Proxy::before(peer.base.trim_start_matches("http://"), "/subscribe").await;
    let mut config = peer.config();
    config.jetstreams = vec![format!("ws://{}/subscribe", proxy.address)];
    (proxy, config)
}

fn a_second_ago() -> Cursor {
    Cursor(format!("{}/3l2222222222", crate::support::connected::now().as_microsecond() - 1_000_000))
}

/// Listens until there are as many events as wanted, or it ends.
async fn hears(platform: &dyn Platform, from: Cursor, wanted: usize) -> (Vec<PlatformEvent>, Option<ListenError>) {
    let (sender, mut batches) = mpsc::channel::<Batch>(64);
    let mut events = Vec::new();
    let listening = platform.listen(Some(from), sender);
    tokio::pin!(listening);
    let until = async {
        loop {
            tokio::select! {
                ended = &mut listening => return ended.err(),
                Some(batch) = batches.recv() => {
                    events.extend(batch.events);
                    if events.len() >= wanted {
                        return None;
                    }
                }
            }
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(20), until).await.unwrap();
    // What was handed on before it ended counts, too.
    while let Ok(batch) = batches.try_recv() {
        events.extend(batch.events);
    }
    (events, ended)
}

#[tokio::test]
async fn a_stream_cut_at_any_byte_brings_an_event_whole_or_not_at_all() {
    let peer = Peer::start().await;
    let (proxy, config) = behind_a_proxy(&peer).await;
    let bluesky = peer.connect_with(config).await;
    let from = a_second_ago();
    peer.renames("zoé", "zoe.example");
    let (whole, _) = hears(&bluesky, from.clone(), 1).await;
    assert_eq!(whole.len(), 1);
    let mut cut = 0;
    loop {
        proxy.plans(Plan::CutAfter(cut));
        let (events, ended) = hears(&bluesky, from.clone(), usize::MAX).await;
        assert!(matches!(ended, Some(ListenError::Broken { .. })), "cut after {cut} bytes: {ended:?}");
        if !events.is_empty() {
            assert_eq!(events, whole, "cut after {cut} bytes");
            break;
        }
        cut += 1;
    }
    let frame = peer.play(|playing| playing.frames[0].1.len());
    assert!(cut > frame, "{cut} {frame}");
}

#[tokio::test]
async fn a_socket_that_hangs_half_open_is_left() {
    let peer = Peer::start().await;
    let (proxy, mut config) = behind_a_proxy(&peer).await;
    config.silence = Duration::from_millis(300);
    config.request_timeout = Duration::from_millis(400);
    config.connect_timeout = Duration::from_millis(100);
    let bluesky = peer.connect_with(config).await;
    let from = a_second_ago();
    peer.renames("ana", "ana.example");
    // Within the handshake, within the frame.
    for bytes in [1, 60, 200] {
        proxy.plans(Plan::HangAfter(bytes));
        let (events, ended) = hears(&bluesky, from.clone(), usize::MAX).await;
        assert!(matches!(ended, Some(ListenError::Broken { .. })), "after {bytes} bytes: {ended:?}");
        assert_eq!(events, []);
    }
    proxy.plans(Plan::Through);
    assert_eq!(hears(&bluesky, from, 1).await.0.len(), 1);
}

#[tokio::test]
async fn a_slow_reader_loses_nothing() {
    let peer = Peer::start().await;
    let mut config = peer.config();
    config.silence = Duration::from_millis(500);
    let bluesky = peer.connect_with(config).await;
    let from = a_second_ago();
    for number in 0..600 {
        peer.renames("ana", &format!("ana{number}.example"));
    }
    let (sender, mut batches) = mpsc::channel::<Batch>(1);
    let mut handles = Vec::new();
    let reading = async {
        // Longer than silence may last.
        tokio::time::sleep(Duration::from_millis(800)).await;
        while handles.len() < 600 {
            for event in batches.recv().await.unwrap().events {
                if let PlatformEvent::AccountChanged(account) = event {
                    handles.push(account.handle);
                }
            }
        }
    };
    tokio::select! {
        ended = bluesky.listen(Some(from), sender) => panic!("{ended:?}"),
        () = reading => {}
    }
    let expected: Vec<String> = (0..600).map(|number| format!("ana{number}.example")).collect();
    assert_eq!(handles, expected);
}
