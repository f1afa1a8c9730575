//! The Mastodon adapter against an instance that plays recorded answers.

mod check;
mod corpus;
mod faults;
mod instance;
mod listening;
mod promises;
mod sending;
mod town;

use obole::ids::PlatformName;
use obole::platform::Platform;
use obole::platform::mastodon::{ConnectError, Mastodon, MastodonConfig};
use serde_json::json;

use instance::{Instance, recorded};

#[tokio::test]
async fn connecting_learns_who_we_are_and_what_is_allowed() {
    let instance = Instance::start().await;
    let mastodon = instance.connect().await;
    assert_eq!(mastodon.bot().id.as_str(), "109999000000000001");
    assert_eq!(mastodon.bot().handle, "obole@pay.example");
    assert!(mastodon.bot().is_bot);
    assert_eq!(mastodon.dm_characters(), 500 - 32);
    let asked = &instance.asked("GET /api/v1/accounts/verify_credentials")[0];
    assert_eq!(asked.header("authorization"), "Bearer hush");
    assert!(asked.header("user-agent").starts_with("obole/"));
}

#[tokio::test]
async fn an_instance_without_version_2_is_asked_for_version_1() {
    let instance = Instance::start().await;
    instance.play(|playing| playing.answers.remove("GET /api/v2/instance"));
    instance.once("GET /api/v1/instance", 200, recorded("instance_v1"));
    let mastodon = instance.connect().await;
    assert_eq!(mastodon.bot().handle, "obole@old.example");
    assert_eq!(mastodon.dm_characters(), 5000 - 32);
}

#[tokio::test]
async fn connecting_says_what_is_wrong() {
    let name = || PlatformName::from("town");
    let instance = Instance::start().await;
    instance.play(|playing| playing.answers.clear());
    instance.once("GET /api/v1/accounts/verify_credentials", 401, json!({"error": "The access token is invalid"}));
    let refused = Mastodon::connect(instance.config(), name()).await.err().unwrap();
    assert_eq!(refused, ConnectError::Credentials("the instance answered 401: The access token is invalid".into()));
    let missing = Mastodon::connect(instance.config(), name()).await.err().unwrap();
    assert!(matches!(missing, ConnectError::Unavailable(_)), "{missing}");
    let unreachable = Mastodon::connect(MastodonConfig::new("http://127.0.0.1:9", "t".to_owned()), name()).await.err().unwrap();
    assert!(matches!(unreachable, ConnectError::Unavailable(_)), "{unreachable}");
    let unusable = Mastodon::connect(MastodonConfig::new("pay.example", "t".to_owned()), name()).await.err().unwrap();
    assert!(matches!(unusable, ConnectError::Config(_)), "{unusable}");
}
