//! The X connector against a small X, over real HTTP.

mod listening;
mod peer;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use obole::ids::{AccountId, PlatformName};
use obole::platform::x::{ConnectError, X};
use obole::platform::{Closed, Liveness, OutgoingDm, OutgoingReply, Platform, PlatformEvent, SendError, Verdict};
use obole::web::{self, WebState};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::connected::{Connected, eventually};
use peer::{Fault, Peer};

/// A story in which the stream is open and caught up.
async fn story(peer: &Peer) -> (Connected, Arc<X>) {
    let x = Arc::new(peer.connect_with(peer.config()).await);
    let story = Connected::start(x.clone(), ("croixrouge", "3")).await;
    let is_live = async || (x.health().unwrap().standing().liveness == Liveness::Live).then_some(());
    eventually("the stream to be live", is_live).await;
    eventually("messages to be read", async || (!peer.asked("GET /2/dm_events").is_empty()).then_some(())).await;
    (story, x)
}

#[tokio::test]
async fn an_order_goes_from_the_post_to_the_receipt() {
    let peer = Peer::start().await;
    peer.tells("ana", "from before the first start");
    let (story, x) = story(&peer).await;
    story.enrols("ana", async |code| drop(peer.tells("ana", &code))).await;
    let post = peer.posts("ana", "𝕏 @obole #donner 10€ @croixrouge");
    let order = story.order_becomes(&post, "awaiting_confirmation").await;
    assert_eq!(order.source.author_handle, "ana");
    let code = story.code_of(&order);
    eventually("the question", async || peer.messages_to("ana").iter().any(|text| text.contains(&code)).then_some(())).await;
    peer.tells("ana", &format!("OUI {code}"));
    story.order_becomes(&post, "settled").await;
    let receipt = order.receipt_number();
    eventually("the receipt", async || peer.messages_to("ana").iter().any(|text| text.contains(&receipt)).then_some(())).await;
    let spent = x.health().unwrap().standing().spent_microdollars;
    // The code and its welcome, then what a payment takes; the search sees the post a second time.
    assert!((45_000..200_000).contains(&spent), "{spent}");
    story.ends().await;
    let rules: Vec<_> = peer.play(|playing| playing.rules.values().cloned().collect());
    assert_eq!(rules, [("@obole -is:retweet".to_owned(), "obole".to_owned())]);
}

#[tokio::test]
async fn a_post_that_was_deleted_while_nobody_listened_cancels_its_order() {
    let peer = Peer::start().await;
    let (story, _) = story(&peer).await;
    story.enrols("ana", async |code| drop(peer.tells("ana", &code))).await;
    let post = peer.posts("ana", "@obole #donner 10€ @croixrouge");
    let kept = peer.posts("ana", "@obole #donner 5€ @croixrouge");
    story.order_becomes(&post, "awaiting_confirmation").await;
    story.order_becomes(&kept, "awaiting_confirmation").await;
    peer.deletes(&post);
    peer.cuts();
    story.order_becomes(&post, "cancelled").await;
    story.order_becomes(&kept, "awaiting_confirmation").await;
    story.ends().await;
}

#[tokio::test]
async fn what_x_pushes_is_proven_and_taken_and_an_encrypted_message_is_answered() {
    let peer = Peer::start().await;
    let (story, _) = story(&peer).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/platforms", listener.local_addr().unwrap());
    let serving = story.serving();
    let pages = WebState::new(story.app.clone(), serving.ledger().clone(), serving.end_of_pages());
    serving.serve_web(vec![listener], web::router(pages));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let hash = |text: &[u8]| {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(b"cs").unwrap();
        mac.update(text);
        format!("sha256={}", STANDARD.encode(mac.finalize().into_bytes()))
    };
    let answer: Value =
        serde_json::from_str(&client.get(format!("{address}/x?crc_token=abc")).send().await.unwrap().text().await.unwrap())
            .unwrap();
    assert_eq!(answer["response_token"], hash(b"abc"));

    let push = async |body: &Value, signature: Option<String>| {
        let body = body.to_string();
        let signature = signature.unwrap_or_else(|| hash(body.as_bytes()));
        let request = client.post(format!("{address}/x")).header("x-twitter-webhooks-signature", signature);
        request.header("content-type", "application/json").body(body).send().await.unwrap().status().as_u16()
    };
    let encrypted = json!({ "data": { "event_type": "chat.received", "event_uuid": "-7", "filter": { "user_id": "9" },
        "payload": { "sender_id": "2" } } });
    assert_eq!(push(&encrypted, Some(hash(b"something else"))).await, 401);
    assert!(peer.messages_to("ana").is_empty());
    assert_eq!(push(&encrypted, None).await, 200);
    eventually("an answer in the older kind", async || peer.messages_to("ana").pop()).await;
    // A deletion overtakes everything else.
    let post = peer.posts("eve", "@obole #donner 10€ @croixrouge");
    story.order_becomes(&post, "awaiting_payer").await;
    let deletion = json!({ "data": { "event_type": "post.delete", "filter": { "user_id": "5" }, "payload": { "id": post, "author_id": "5" } } });
    assert_eq!(push(&deletion, None).await, 200);
    story.order_becomes(&post, "cancelled").await;
    let fares: Value = serde_json::from_str(&client.get(&address).send().await.unwrap().text().await.unwrap()).unwrap();
    assert_eq!((fares[0]["name"].as_str(), fares[0]["state"].as_str()), (Some("x"), Some("live")), "{fares}");
    story.ends().await;
}

#[tokio::test]
async fn connecting_says_what_is_wrong() {
    let peer = Peer::start().await;
    let name = || PlatformName::from("x");
    let mut wrong = peer.config();
    wrong.access_token = "guess".to_owned().into();
    assert!(matches!(X::connect(wrong, name()).await, Err(ConnectError::Credentials(_))));
    let mut nowhere = peer.config();
    nowhere.api_url = "http://127.0.0.1:9".to_owned();
    assert!(matches!(X::connect(nowhere, name()).await, Err(ConnectError::Unavailable(_))));
}

const SEND: &str = "POST /2/dm_conversations/with/2/messages";

async fn send(x: &X, key: &str, text: &str) -> Result<String, SendError> {
    let to = AccountId::from("2");
    x.send_dm(OutgoingDm { key, to: &to, to_handle: "ana", text, in_reply_to: None }).await
}

#[tokio::test]
async fn a_message_whose_outcome_is_unknown_is_read_back_and_never_said_twice() {
    let peer = Peer::start().await;
    let x = peer.connect_with(peer.config()).await;
    peer.fault(SEND, Fault::Lose);
    send(&x, "1", "one & only").await.unwrap();
    assert_eq!(peer.messages_to("ana"), ["one &amp; only"]);
    peer.fault(SEND, Fault::Lose);
    peer.fault("GET /2/dm_conversations/with/2/dm_events", Fault::Refuse(503, Vec::new(), json!({})));
    assert!(matches!(send(&x, "2", "two").await, Err(SendError::Unknown { .. })));
    send(&x, "2", "two").await.unwrap();
    assert_eq!(peer.messages_to("ana").len(), 2);
    peer.fault(SEND, Fault::Drop);
    assert!(matches!(send(&x, "3", "three").await, Err(SendError::Unknown { .. })));
    send(&x, "3", "three").await.unwrap();
    assert_eq!(peer.messages_to("ana").len(), 3);
    for (body, expected) in [
        (json!({ "errors": [{ "code": 349, "message": "You cannot send messages to this user." }] }), Closed::Disabled),
        (json!({ "detail": "You cannot send messages to users who are not following you." }), Closed::NotFollowed),
    ] {
        peer.fault(SEND, Fault::Refuse(403, Vec::new(), body));
        let refused = send(&x, "4", "x").await;
        assert!(matches!(refused, Err(SendError::NoChannel { closed, .. }) if closed == expected), "{refused:?}");
    }
    let far = (crate::support::connected::now().as_second() + 40_000).to_string();
    peer.fault(SEND, Fault::Refuse(429, vec![("x-rate-limit-reset", far)], json!({ "title": "Too Many Requests" })));
    let later = send(&x, "4", "x").await;
    assert!(matches!(&later, Err(SendError::Later { after: Some(after), .. }) if after.as_secs() > 39_990), "{later:?}");
}

#[tokio::test]
async fn a_repeated_answer_is_one_answer() {
    let peer = Peer::start().await;
    let x = peer.connect_with(peer.config()).await;
    let post = peer.posts("eve", "@obole #donner 10€ @croixrouge");
    let hint = |text| OutgoingReply { key: "1", to_post: &post, to_handle: "eve", text };
    peer.fault("POST /2/tweets", Fault::Lose);
    let first = x.reply(hint("Bonjour & bienvenue")).await.unwrap();
    assert_eq!(x.reply(hint("Bonjour & bienvenue")).await.unwrap(), first, "X refuses the same words twice");
    peer.fault("POST /2/tweets", Fault::Drop);
    assert!(matches!(x.reply(hint("Encore")).await, Err(SendError::Unknown { .. })));
    let sent = peer.asked("POST /2/tweets").pop().unwrap();
    assert_eq!(sent.1["reply"]["in_reply_to_tweet_id"], *post);
}

#[tokio::test]
async fn what_has_become_of_posts_is_told_by_their_versions() {
    let peer = Peer::start().await;
    let x = peer.connect_with(peer.config()).await;
    let ids: Vec<String> = (0..3).map(|number| peer.posts("ana", &format!("@obole {number}"))).collect();
    peer.edits(&ids[1]);
    peer.deletes(&ids[2]);
    let standing = x.standing(&ids).await.unwrap();
    let expected = [PlatformEvent::Edited { native_id: ids[1].clone() }, PlatformEvent::Deleted { native_id: ids[2].clone() }];
    assert_eq!(standing, expected);
    assert_eq!(x.look_up("bob").await.unwrap().unwrap().id.as_str(), "4");
    assert_eq!(x.look_up("nobody").await, Ok(None));
}

#[tokio::test]
async fn an_examination_tells_permissions_apart_from_everything_else() {
    let peer = Peer::start().await;
    let mut config = peer.config();
    config.silence = Duration::from_millis(500);
    let x = peer.connect_with(config).await;
    let findings = x.examine().await;
    assert!(findings.iter().all(|finding| finding.verdict == Verdict::Good), "{findings:?}");
    assert!(findings.iter().any(|finding| finding.says.starts_with("720 payments a day")), "{findings:?}");
    assert!(findings.iter().any(|finding| finding.says.starts_with("about USD 0.045 a payment")), "{findings:?}");
    let body = json!({ "title": "Forbidden", "detail": "Your client app is not configured with the appropriate oauth1 app permissions for this endpoint." });
    peer.fault("GET /2/dm_events", Fault::Refuse(403, Vec::new(), body));
    let findings = x.examine().await;
    let messages = findings.iter().find(|finding| finding.what == "private messages").unwrap();
    assert_eq!(messages.verdict, Verdict::Bad);
    assert!(messages.says.contains("Read and write and Direct message"), "{messages:?}");
}
