//! Sending: whom it reaches, and what each answer means.

use serde_json::{Value, json};

use obole::ids::AccountId;
use obole::platform::{OutgoingDm, OutgoingReply, Platform, SendError};

use super::instance::{Answer, Instance, recorded};

fn dm<'a>(to: &'a AccountId, text: &'a str) -> OutgoingDm<'a> {
    OutgoingDm { key: "key-1", to, to_handle: "alice@social.example", text, in_reply_to: Some("115500000000000042") }
}

const STATUSES: &str = "POST /api/v1/statuses";
const OWN_STATUSES: &str = "GET /api/v1/accounts/109999000000000001/statuses";
const CONTEXT: &str = "GET /api/v1/statuses/115500000000000042/context";
const CONFIRMATION: &str = "Donner 10,00 € à Croix-Rouge ?\n\nRépondez OUI 482193 ou NON. https://pay.example/c/abc?x=1&y=2";

#[tokio::test]
async fn a_private_message_reaches_the_payer_alone() {
    let instance = Instance::start().await;
    let mastodon = instance.connect().await;
    instance.once(STATUSES, 200, recorded("status_dm_sent"));
    let alice = AccountId::from("110000000000000003");
    let sent = mastodon.send_dm(dm(&alice, "10,00 € à @croixrouge@org.example ? Aide : help@pay.example")).await;
    assert_eq!(sent, Ok("115500000000000060".into()));
    let asked = &instance.asked(STATUSES)[0];
    assert_eq!(asked.header("idempotency-key"), "key-1");
    let form = asked.form();
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        form,
        [
            ("status", "@alice@social.example 10,00 € à croixrouge@org.example ? Aide : help@pay.example"),
            ("visibility", "direct"),
            ("allowed_mentions[]", "110000000000000003"),
            ("in_reply_to_id", "115500000000000042"),
        ]
    );
}

#[tokio::test]
async fn a_handle_that_is_none_is_not_written_to() {
    let instance = Instance::start().await;
    let mastodon = instance.connect().await;
    let alice = AccountId::from("110000000000000003");
    for to_handle in ["", "alice @eve", "alice@", "@alice", "a@b@c", "alice\n"] {
        let sent = mastodon.send_dm(OutgoingDm { to_handle, ..dm(&alice, "x") }).await;
        assert!(matches!(sent, Err(SendError::Refused { .. })), "{to_handle:?}: {sent:?}");
    }
    assert!(instance.asked(STATUSES).is_empty());
}

#[tokio::test]
async fn each_refusal_is_a_decision() {
    let instance = Instance::start().await;
    let mastodon = instance.connect().await;
    let alice = AccountId::from("110000000000000003");
    let mut answers = Vec::new();
    for (code, headers, error) in [
        (429, vec![("x-ratelimit-reset", "2026-11-20T10:10:00.000Z"), ("x-ratelimit-remaining", "0")], "Too many requests"),
        (429, vec![("retry-after", "30")], "Too many requests"),
        (401, vec![], "The access token is invalid"),
        (403, vec![], "This action is outside the authorized scopes"),
        (403, vec![], "This action is not allowed"),
        (404, vec![], "The status you are trying to reply to does not appear to exist."),
        (422, vec![], "Validation failed: Text character limit of 500 exceeded"),
        (301, vec![("location", "https://elsewhere.example/")], ""),
    ] {
        instance.answer(STATUSES, Answer::Json(code, headers, json!({ "error": error })));
        let decision = match mastodon.send_dm(dm(&alice, "x")).await {
            Err(SendError::Later { after, .. }) => format!("{code} later {:?}", after.map(|after| after.as_secs())),
            Err(SendError::Refused { .. }) => format!("{code} refused"),
            Err(SendError::Credentials { .. }) => format!("{code} credentials"),
            other => format!("{code} {other:?}"),
        };
        answers.push(decision);
    }
    assert_eq!(
        answers,
        [
            "429 later Some(601)",
            "429 later Some(30)",
            "401 credentials",
            "403 credentials",
            "403 refused",
            "404 refused",
            "422 refused",
            "301 later None",
        ]
    );
    // One attempt each, and nothing read back, since nothing was unknown.
    assert_eq!(instance.asked(STATUSES).len(), 8);
    assert!(instance.asked(OWN_STATUSES).is_empty());
}

#[tokio::test]
async fn an_unknown_outcome_is_read_back_among_our_own_statuses() {
    for unknown in
        [Answer::Cut, Answer::Never, Answer::Json(502, vec![], json!({})), Answer::Json(200, vec![], json!({"no": "id"}))]
    {
        let instance = Instance::start().await;
        let mastodon = instance.connect().await;
        instance.answer(STATUSES, unknown);
        instance.once(OWN_STATUSES, 200, json!([{"broken": true}, recorded("status_dm_sent")]));
        let alice = AccountId::from("110000000000000003");
        assert_eq!(mastodon.send_dm(dm(&alice, CONFIRMATION)).await, Ok("115500000000000060".into()));
        assert_eq!(instance.asked(STATUSES).len(), 1);
    }
}

#[tokio::test]
async fn an_unknown_outcome_is_read_back_in_the_thread_too() {
    let instance = Instance::start().await;
    let mastodon = instance.connect().await;
    instance.answer(STATUSES, Answer::Cut);
    instance.once(CONTEXT, 200, json!({"ancestors": [], "descendants": [recorded("status_dm_sent")]}));
    let alice = AccountId::from("110000000000000003");
    assert_eq!(mastodon.send_dm(dm(&alice, CONFIRMATION)).await, Ok("115500000000000060".into()));
}

#[tokio::test]
async fn what_is_not_found_stays_unknown() {
    let alice = AccountId::from("110000000000000003");
    let bob = AccountId::from("110000000000000004");
    let other = |change: fn(&mut Value)| {
        let mut status = recorded("status_dm_sent");
        change(&mut status);
        status
    };
    for (to, text, status) in [
        (&alice, "Something else", recorded("status_dm_sent")),
        (&bob, CONFIRMATION, recorded("status_dm_sent")),
        (&alice, CONFIRMATION, other(|status| status["in_reply_to_id"] = json!("1"))),
        (&alice, CONFIRMATION, other(|status| status["visibility"] = json!("unlisted"))),
        (&alice, CONFIRMATION, other(|status| status["account"]["id"] = json!("110000000000000003"))),
    ] {
        let instance = Instance::start().await;
        let mastodon = instance.connect().await;
        instance.answer(STATUSES, Answer::Cut);
        instance.once(OWN_STATUSES, 200, json!([status]));
        let sent = mastodon.send_dm(dm(to, text)).await;
        assert!(matches!(sent, Err(SendError::Unknown { .. })), "{sent:?}");
    }
}

#[tokio::test]
async fn an_instance_that_is_away_was_told_nothing() {
    let mut instance = Instance::start().await;
    let closing = vec![("connection", "close")];
    instance.play(|playing| playing.answers.clear());
    instance.once("GET /api/v1/accounts/verify_credentials", 200, recorded("verify_credentials"));
    instance.answer("GET /api/v2/instance", Answer::Json(200, closing, recorded("instance_v2")));
    let mastodon = instance.connect().await;
    let accepting = instance.accepting.take().unwrap();
    accepting.abort();
    let _ = accepting.await;
    let alice = AccountId::from("110000000000000003");
    let sent = mastodon.send_dm(dm(&alice, "x")).await;
    assert!(matches!(sent, Err(SendError::Later { after: None, .. })), "{sent:?}");
    let found = mastodon.look_up("bob").await;
    assert!(matches!(found, Err(SendError::Later { after: None, .. })), "{found:?}");
}

#[tokio::test]
async fn a_public_answer_is_unlisted_and_mentions_the_author_alone() {
    let instance = Instance::start().await;
    let mastodon = instance.connect().await;
    let post = recorded("notification_order")["status"].clone();
    let path = "GET /api/v1/statuses/115500000000000041";
    instance.once(path, 200, post.clone());
    instance.once(STATUSES, 200, json!({"id": "77", "mentions": [{"id": "110000000000000003"}]}));
    let reply = |to_handle| OutgoingReply { key: "key-2", to_post: "115500000000000041", to_handle, text: "Merci !" };
    assert_eq!(mastodon.reply(reply("alice@social.example")).await, Ok("77".into()));
    let form = instance.asked(STATUSES)[0].form();
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        form,
        [
            ("status", "@alice@social.example Merci !"),
            ("visibility", "unlisted"),
            ("allowed_mentions[]", "110000000000000003"),
            ("in_reply_to_id", "115500000000000041"),
        ]
    );
    // Not somebody else's post, not a private one, not one that is gone.
    instance.once(path, 200, post.clone());
    assert!(matches!(mastodon.reply(reply("eve@social.example")).await, Err(SendError::Refused { .. })));
    let mut private = post;
    private["visibility"] = json!("direct");
    instance.once(path, 200, private);
    assert!(matches!(mastodon.reply(reply("alice@social.example")).await, Err(SendError::Refused { .. })));
    assert!(matches!(mastodon.reply(reply("alice@social.example")).await, Err(SendError::Refused { .. })));
    assert_eq!(instance.asked(STATUSES).len(), 1);
}

#[tokio::test]
async fn a_handle_is_looked_up() {
    let instance = Instance::start().await;
    let mastodon = instance.connect().await;
    instance.once("GET /api/v1/accounts/lookup", 200, recorded("account_lookup"));
    let found = mastodon.look_up("croixrouge@org.example").await.unwrap().unwrap();
    assert_eq!((found.id.as_str(), found.handle.as_str()), ("109999000000000007", "croixrouge@org.example"));
    assert_eq!(mastodon.look_up("nobody").await, Ok(None));
    instance.once("GET /api/v1/accounts/lookup", 500, json!({}));
    assert!(matches!(mastodon.look_up("nobody").await, Err(SendError::Later { .. })));
    assert!(instance.asked("GET /api/v1/accounts/lookup")[0].line.ends_with("?acct=croixrouge%40org.example"));
}
