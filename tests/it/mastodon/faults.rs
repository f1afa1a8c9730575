//! What networks do to the stream of an instance: cuts at any byte, sockets that hang half open, no stream at all.

use std::time::Duration;

use obole::platform::{Batch, Cursor, ListenError, Platform, PlatformEvent};
use serde_json::json;
use tokio::sync::mpsc;

use super::instance::{Instance, frame, mention};
use crate::support::proxy::{Plan, Proxy};

/// Everything that is handed on until listening ends by itself.
async fn hears(platform: &dyn Platform, from: &str) -> (Vec<PlatformEvent>, Option<String>, ListenError) {
    let (sender, mut batches) = mpsc::channel::<Batch>(64);
    let (mut events, mut cursor) = (Vec::new(), None);
    let listening = platform.listen(Some(Cursor(from.to_owned())), sender);
    let collecting = async {
        while let Some(batch) = batches.recv().await {
            events.extend(batch.events);
            cursor = batch.cursor.map(|cursor| cursor.0).or(cursor.take());
        }
    };
    let (ended, ()) = tokio::time::timeout(Duration::from_secs(20), async { tokio::join!(listening, collecting) }).await.unwrap();
    (events, cursor, ended.unwrap_err())
}

fn posts(events: &[PlatformEvent]) -> Vec<&str> {
    let id = |event: &PlatformEvent| match event {
        PlatformEvent::Posted(post) => post.native_id.clone(),
        other => panic!("{other:?}"),
    };
    events.iter().map(id).map(|id| if id == "s1" { "s1" } else { "another" }).collect()
}

/// An instance whose stream goes through a proxy, with one mention that both the stream and the list have.
async fn behind_a_proxy() -> (Instance, Proxy) {
    let instance = Instance::start().await;
    let proxy = Proxy::before(instance.base.trim_start_matches("http://"), "/streaming/").await;
    let mut about = super::instance::recorded("instance_v2");
    about["configuration"]["urls"]["streaming"] = json!(format!("ws://{}", proxy.address));
    instance.play(|playing| playing.answers.remove("GET /api/v2/instance"));
    instance.always("GET /api/v2/instance", 200, about);
    instance.notify(mention("n0"));
    instance.notify(mention("n1"));
    let opening = format!(":)\n{}", frame("notification", &mention("n1")));
    instance.play(|playing| playing.opening = opening);
    (instance, proxy)
}

#[tokio::test]
async fn a_stream_cut_anywhere_brings_a_mention_once() {
    let (instance, proxy) = behind_a_proxy().await;
    let mut config = instance.config();
    config.silence_seconds = 1;
    let mastodon = instance.connect_with(config).await;
    // Every byte of the head and of the frame's own lines, and every eleventh of the payload, which is what makes it long.
    let mut cut = 0;
    loop {
        proxy.plans(Plan::CutAfter(cut));
        let (events, _, ended) = hears(&mastodon, "n0").await;
        assert!(matches!(ended, ListenError::Broken { .. }), "cut after {cut} bytes: {ended}");
        assert_eq!(posts(&events), ["s1"], "cut after {cut} bytes");
        // Everything has passed, and nothing more came.
        if ended.to_string().contains("silent") {
            break;
        }
        cut += if cut < 300 { 1 } else { 11 };
    }
    assert!(cut > instance.play(|playing| playing.opening.len()));
}

#[tokio::test]
async fn a_socket_that_hangs_half_open_is_left_and_the_list_is_read_meanwhile() {
    let (instance, proxy) = behind_a_proxy().await;
    let mut config = instance.config();
    config.silence_seconds = 1;
    config.request_timeout_seconds = 1;
    let mastodon = instance.connect_with(config).await;
    for bytes in [20, 400] {
        proxy.plans(Plan::HangAfter(bytes));
        let (events, _, ended) = hears(&mastodon, "n0").await;
        assert!(matches!(ended, ListenError::Broken { .. }), "after {bytes} bytes: {ended}");
        assert_eq!(posts(&events), ["s1"]);
    }
}

#[tokio::test]
async fn without_a_stream_the_list_is_read_at_every_attempt() {
    let instance = Instance::start().await;
    let mastodon = instance.connect().await;
    instance.notify(mention("n0"));
    instance.notify(mention("n1"));
    instance.once("GET /api/v1/streaming/user", 503, json!({ "error": "no streaming here" }));
    let (events, _, ended) = hears(mastodon.as_ref(), "n0").await;
    assert_eq!(posts(&events), ["s1"]);
    assert!(ended.to_string().contains("no streaming here"), "{ended}");
    assert_eq!(mastodon.health().unwrap().standing().liveness.as_str(), "degraded");
    // A token that is not accepted reads nothing.
    instance.once("GET /api/v1/streaming/user", 401, json!({ "error": "The access token is invalid" }));
    let (events, _, ended) = hears(mastodon.as_ref(), "n0").await;
    assert!(events.is_empty() && matches!(ended, ListenError::Credentials { .. }), "{ended}");
}
