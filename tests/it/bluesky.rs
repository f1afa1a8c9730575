//! The Bluesky connector against a small Bluesky, over real HTTP and WebSocket.

mod chat;
mod faults;
mod listening;
mod peer;

use std::sync::Arc;

use obole::ids::PlatformName;
use obole::platform::bluesky::{Bluesky, ConnectError};
use obole::platform::{Liveness, Platform, Verdict};

use crate::support::connected::{Connected, eventually};
use peer::{Fault, Peer};

#[tokio::test]
async fn an_order_goes_from_the_post_to_the_receipt() {
    let peer = Peer::start().await;
    peer.posts("croixrouge", "bonjour");
    let bluesky = Arc::new(peer.connect_with(peer.config()).await);
    let story = Connected::start(bluesky.clone(), ("croixrouge.test", "did:plc:croixrouge")).await;
    eventually("the stream to be open", async || (!peer.play(|playing| playing.subscriptions.is_empty())).then_some(())).await;

    story.enrols("ana", async |code| drop(peer.tells("ana", &code))).await;
    assert!(peer.is_accepted("ana"), "a request is accepted, or nobody could answer in it");
    let post = peer.posts("ana", "@obole.test #donner 10€ @croixrouge.test");
    let order = story.order_becomes(&post, "awaiting_confirmation").await;
    assert_eq!(order.source.author_handle, "ana.test");
    let code = story.code_of(&order);
    eventually("the question", async || peer.messages_to("ana").iter().any(|text| text.contains(&code)).then_some(())).await;
    peer.tells("ana", &format!("@obole.test OUI {code}"));
    story.order_becomes(&post, "settled").await;
    let receipt = order.receipt_number();
    eventually("the receipt", async || peer.messages_to("ana").iter().any(|text| text.contains(&receipt)).then_some(())).await;
    assert_eq!(bluesky.health().unwrap().standing().liveness, Liveness::Live);
    story.ends().await;
    assert_eq!(peer.asked("com.atproto.server.createSession").len(), 1);
}

#[tokio::test]
async fn a_stranger_gets_one_public_hint_under_the_post() {
    let peer = Peer::start().await;
    let story = Connected::start(Arc::new(peer.connect_with(peer.config()).await), ("croixrouge.test", "did:plc:croixrouge")).await;
    eventually("the stream to be open", async || (!peer.play(|playing| playing.subscriptions.is_empty())).then_some(())).await;
    let post = peer.posts("eve", "@obole.test #donner 10€ @croixrouge.test");
    let hint = eventually("the hint", async || peer.asked("com.atproto.repo.createRecord").pop()).await;
    let record = &hint.input["record"];
    assert_eq!(record["reply"]["parent"]["uri"], *post);
    assert_eq!(record["reply"]["root"]["uri"], *post);
    let text = record["text"].as_str().unwrap();
    let link = &record["facets"][0];
    let edge = |name: &str| usize::try_from(link["index"][name].as_u64().unwrap()).unwrap();
    assert_eq!(&text[edge("byteStart")..edge("byteEnd")], link["features"][0]["uri"].as_str().unwrap());
    story.order_becomes(&post, "awaiting_payer").await;
    story.ends().await;
}

#[tokio::test]
async fn connecting_says_what_is_wrong() {
    let peer = Peer::start().await;
    let name = || PlatformName::from("sky");
    let mut wrong = peer.config();
    wrong.app_password = "guess".to_owned().into();
    assert!(matches!(Bluesky::connect(wrong, name()).await, Err(ConnectError::Credentials(_))));
    let mut nowhere = peer.config();
    nowhere.service = "http://127.0.0.1:9".to_owned();
    assert!(matches!(Bluesky::connect(nowhere, name()).await, Err(ConnectError::Unavailable(_))));
    let mut nonsense = peer.config();
    nonsense.service = "bsky.social".to_owned();
    assert!(matches!(Bluesky::connect(nonsense, name()).await, Err(ConnectError::Config(_))));
}

#[tokio::test]
async fn an_examination_names_the_password_that_may_not_chat() {
    let peer = Peer::start().await;
    let bluesky = peer.connect_with(peer.config()).await;
    peer.play(|playing| playing.plain_password = true);
    let (findings, ()) = tokio::join!(bluesky.examine(), async {
        eventually("the stream to be tried", async || (!peer.play(|playing| playing.subscriptions.is_empty())).then_some(())).await;
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        peer.posts("ana", "bonjour");
    });
    let verdict = |what: &str| findings.iter().find(|finding| finding.what == what).unwrap();
    assert_eq!(verdict("credentials").verdict, Verdict::Good);
    assert_eq!(verdict("private messages").verdict, Verdict::Bad);
    assert!(verdict("private messages").says.contains("Allow access to your direct messages"), "{findings:?}");
    assert_eq!(verdict("open to strangers").verdict, Verdict::Bad);
    assert_eq!(verdict("stream").verdict, Verdict::Good);
    assert!(verdict("quotas").says.starts_with("5833 payments a day"), "{findings:?}");
}

#[tokio::test]
async fn a_repeated_answer_is_one_answer() {
    let peer = Peer::start().await;
    let bluesky = peer.connect_with(peer.config()).await;
    let post = peer.posts("ana", "hello");
    let hint = |key| obole::platform::OutgoingReply { key, to_post: &post, to_handle: "", text: "Bonjour https://pay.example" };
    peer.fault("com.atproto.repo.createRecord", Fault::Lose);
    let first = bluesky.reply(hint("0192")).await.unwrap();
    let second = bluesky.reply(hint("0192")).await.unwrap();
    assert_eq!(first, second);
    let other = bluesky.reply(hint("0193")).await.unwrap();
    assert_ne!(first, other);
    let by_bot = peer.play(|playing| playing.records.keys().filter(|uri| uri.contains("did:plc:obole")).count());
    assert_eq!(by_bot, 2);
    peer.deletes("ana", &post);
    assert!(matches!(bluesky.reply(hint("0194")).await, Err(obole::platform::SendError::Refused { .. })));
    // An answer in a thread names the thread's first post too.
    let in_thread = obole::platform::OutgoingReply { key: "0195", to_post: &other, to_handle: "", text: "Encore" };
    bluesky.reply(in_thread).await.unwrap();
    let sent = peer.asked("com.atproto.repo.createRecord").pop().unwrap();
    assert_eq!(sent.input["record"]["reply"]["root"]["uri"], *post);
    assert_eq!(sent.input["record"]["reply"]["parent"]["uri"], *other);
}
