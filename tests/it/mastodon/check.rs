//! Trying an instance out, and what has become of posts.

use obole::platform::{Platform, PlatformEvent, Verdict};
use serde_json::json;

use super::instance::{Instance, recorded};

#[tokio::test]
async fn a_post_that_is_gone_or_changed_is_told() {
    let instance = Instance::start().await;
    let mastodon = instance.connect().await;
    let mut edited = recorded("status_dm_sent");
    instance.once("GET /api/v1/statuses/s1", 200, edited.clone());
    edited["edited_at"] = json!("2026-11-20T10:00:00.000Z");
    instance.once("GET /api/v1/statuses/s2", 200, edited);
    let ids = ["s1", "s2", "s3"].map(str::to_owned);
    let expected = [PlatformEvent::Edited { native_id: "s2".into() }, PlatformEvent::Deleted { native_id: "s3".into() }];
    assert_eq!(mastodon.standing(&ids).await.unwrap(), expected);
    instance.once("GET /api/v1/statuses/s1", 503, json!({}));
    assert!(mastodon.standing(&ids).await.is_err(), "an instance that does not answer has not said that a post is gone");
}

#[tokio::test]
async fn an_examination_names_the_scope_that_is_missing() {
    let instance = Instance::start().await;
    let mastodon = instance.connect().await;
    instance.once("GET /api/v1/apps/verify_credentials", 200, json!({ "name": "obole", "scopes": ["read", "write:statuses"] }));
    let policy = json!({ "for_not_following": "accept", "for_private_mentions": "accept" });
    instance.once("GET /api/v2/notifications/policy", 200, policy);
    let findings = mastodon.examine().await;
    assert!(findings.iter().all(|finding| finding.verdict == Verdict::Good), "{findings:?}");
    assert!(findings.iter().any(|finding| finding.says.starts_with("800 payments a day")), "{findings:?}");
    instance.once("GET /api/v1/apps/verify_credentials", 200, json!({ "name": "obole", "scopes": ["read"] }));
    instance.once("GET /api/v2/notifications/policy", 200, json!({ "for_private_mentions": "filter" }));
    instance.once("GET /api/v1/streaming/user", 401, json!({ "error": "The access token is invalid" }));
    let findings = mastodon.examine().await;
    let finding = |what: &str| findings.iter().find(|finding| finding.what == what).unwrap();
    assert_eq!(finding("private messages").says, "the token lacks write:statuses (messages and answers)");
    assert_eq!(finding("filtered mentions").verdict, Verdict::Doubtful);
    assert_eq!(finding("stream").verdict, Verdict::Bad);
    assert_eq!(finding("mentions").verdict, Verdict::Good);
}
