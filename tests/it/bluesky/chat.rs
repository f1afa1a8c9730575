//! Private messages through the account's server.

use std::time::Duration;

use obole::ids::AccountId;
use obole::platform::{Closed, OutgoingDm, Platform, SendError};

use super::peer::{Fault, Peer};

const SEND: &str = "chat.bsky.convo.sendMessage";

async fn send(platform: &dyn Platform, key: &str, text: &str) -> Result<String, SendError> {
    let to = AccountId::from("did:plc:ana");
    platform.send_dm(OutgoingDm { key, to: &to, to_handle: "ana.test", text, in_reply_to: None }).await
}

#[tokio::test]
async fn an_unknown_outcome_is_read_back_and_never_said_twice() {
    let peer = Peer::start().await;
    let bluesky = peer.connect_with(peer.config()).await;
    peer.tells("ana", "aide");
    // Sent, and the answer lost: found at once.
    peer.fault(SEND, Fault::Lose);
    send(&bluesky, "1", "one").await.unwrap();
    assert_eq!(peer.messages_to("ana"), ["one"]);
    // Sent, the answer lost, and the reading back as well: found before it is sent again.
    peer.fault(SEND, Fault::Lose);
    peer.fault("chat.bsky.convo.getMessages", Fault::Refuse(502, "UpstreamFailure", "", Vec::new()));
    assert!(matches!(send(&bluesky, "2", "two").await, Err(SendError::Unknown { .. })));
    send(&bluesky, "2", "two").await.unwrap();
    assert_eq!(peer.messages_to("ana"), ["one", "two"]);
    // Not sent: it stays unknown, and the next attempt sends it.
    peer.fault(SEND, Fault::Drop);
    assert!(matches!(send(&bluesky, "3", "three").await, Err(SendError::Unknown { .. })));
    send(&bluesky, "3", "three").await.unwrap();
    assert_eq!(peer.messages_to("ana"), ["one", "two", "three"]);
    // The same words in another sending are another message.
    send(&bluesky, "4", "three").await.unwrap();
    assert_eq!(peer.messages_to("ana").len(), 4);
}

#[tokio::test]
async fn a_refusal_says_which_door_is_closed() {
    let peer = Peer::start().await;
    let bluesky = peer.connect_with(peer.config()).await;
    const FIND: &str = "chat.bsky.convo.getConvoForMembers";
    for (name, expected) in [
        ("NotFollowedBySender", Closed::NotFollowed),
        ("MessagesDisabled", Closed::Disabled),
        ("BlockedActor", Closed::Blocked),
        ("RecipientNotFound", Closed::Gone),
    ] {
        peer.fault(FIND, Fault::Refuse(400, name, "no", Vec::new()));
        let refused = send(&bluesky, "1", "x").await;
        assert!(matches!(refused, Err(SendError::NoChannel { closed, .. }) if closed == expected), "{name}: {refused:?}");
    }
    let far = (crate::support::connected::now().as_second() + 7_200).to_string();
    peer.fault(SEND, Fault::Refuse(429, "RateLimitExceeded", "", vec![("ratelimit-reset", far)]));
    let later = send(&bluesky, "1", "x").await;
    let wait = Duration::from_secs(7_190)..=Duration::from_secs(7_201);
    assert!(matches!(&later, Err(SendError::Later { after: Some(after), .. }) if wait.contains(after)), "{later:?}");
    peer.play(|playing| playing.plain_password = true);
    assert!(matches!(send(&bluesky, "1", "x").await, Err(SendError::Credentials { .. })));
    assert!(peer.messages_to("ana").is_empty());
}

#[tokio::test]
async fn a_session_that_runs_out_is_renewed_and_not_made_anew() {
    let peer = Peer::start().await;
    let bluesky = peer.connect_with(peer.config()).await;
    for round in 0..3 {
        peer.expires_tokens();
        let both = tokio::join!(send(&bluesky, "a", "x"), send(&bluesky, "b", "y"));
        assert!(both.0.is_ok() && both.1.is_ok(), "{round}: {both:?}");
    }
    assert_eq!(peer.asked("com.atproto.server.createSession").len(), 1);
    assert_eq!(peer.asked("com.atproto.server.refreshSession").len(), 3, "two calls at once renew it once");
    // The second token is gone as well: the password makes a new session.
    peer.expires_tokens();
    peer.fault("com.atproto.server.refreshSession", Fault::Refuse(400, "ExpiredToken", "Token has expired", Vec::new()));
    send(&bluesky, "c", "z").await.unwrap();
    assert_eq!(peer.asked("com.atproto.server.createSession").len(), 2);
}

#[tokio::test]
async fn calls_to_the_chat_say_so_and_links_are_links() {
    let peer = Peer::start().await;
    let bluesky = peer.connect_with(peer.config()).await;
    send(&bluesky, "1", "É https://pay.example/orders/1.").await.unwrap();
    let sent = peer.asked(SEND).pop().unwrap();
    assert_eq!(sent.headers["atproto-proxy"], "did:web:api.bsky.chat#bsky_chat");
    assert_eq!(sent.input["message"]["facets"][0]["features"][0]["uri"], "https://pay.example/orders/1");
    assert_eq!(sent.input["message"]["facets"][0]["index"]["byteStart"], 3);
    let looked_up = bluesky.look_up("ana.test").await.unwrap().unwrap();
    assert_eq!((looked_up.id.as_str(), looked_up.handle.as_str()), ("did:plc:ana", "ana.test"));
    assert_eq!(bluesky.look_up("nobody.test").await, Ok(None));
}
