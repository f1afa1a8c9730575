//! A sandbox person acts over HTTP: joins, posts, writes and reads private messages, looks at the account.

use std::sync::Arc;
use std::time::Duration;

use obole::bank::fake::{FakeBank, Settings};
use obole::clock::SystemClock;
use obole::entropy::SeededEntropy;
use obole::platform::fake::{Limits, Town};
use obole::sandbox::bank::SandboxBank;
use obole::sandbox::person::{Person, Sandbox};
use obole::sandbox::town::{HEARTBEAT, TownServer};
use tokio_util::sync::CancellationToken;

/// How long anything may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

struct TestSandbox {
    sandbox: Sandbox,
    // Dropped, it ends.
    _town: obole::sandbox::town::Serving,
    shutdown: CancellationToken,
}

impl TestSandbox {
    async fn open() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let shutdown = CancellationToken::new();
        let town = obole::sandbox::town::serve(TownServer {
            town: Arc::new(Town::in_memory(Limits::default(), Arc::new(SeededEntropy::new(7)))),
            clock: Arc::new(SystemClock),
            listen: "localhost:0".to_owned(),
            public_url: None,
            identity_url: None,
            heartbeat: HEARTBEAT,
            shutdown: shutdown.clone(),
        })
        .await
        .unwrap();
        let bank = obole::sandbox::bank::serve(SandboxBank {
            bank: Arc::new(FakeBank::in_memory(Settings::default(), Arc::new(SystemClock), Arc::new(SeededEntropy::new(3)))),
            address: "localhost:0".to_owned(),
            public_url: None,
            bearer_token: None,
            shutdown: shutdown.clone(),
        })
        .await
        .unwrap();
        TestSandbox { sandbox: Sandbox::at(&town.public_url, &bank.public_url).unwrap(), _town: town, shutdown }
    }

    async fn person(&self, username: &str) -> Person {
        Person::sign_up(&self.sandbox, username, username, "100.00").await.unwrap()
    }
}

impl Drop for TestSandbox {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

#[tokio::test]
async fn whoever_signs_up_twice_is_one_person_with_one_account() {
    let test = TestSandbox::open().await;
    let ana = test.person("ana").await;
    let again = test.person("ana").await;
    assert_eq!((ana.account(), ana.iban()), (again.account(), again.iban()));
    assert_eq!(ana.balance().await.unwrap().minor, 10_000);
    assert_eq!(ana.statement().await.unwrap().len(), 1);
    let found = Person::find(&test.sandbox, "ana").await.unwrap().unwrap();
    assert_eq!(found.iban(), ana.iban());
    assert!(Person::find(&test.sandbox, "nobody").await.unwrap().is_none());
}

#[tokio::test]
async fn private_messages_are_waited_for_read_and_answered() {
    let test = TestSandbox::open().await;
    let (ana, bob) = (test.person("ana").await, test.person("bob").await);
    let waiting = tokio::spawn({
        let bob = bob.clone();
        async move { bob.wait_for_dm(|message| message.text.contains("482193"), PATIENCE).await }
    });
    ana.write_to("bob", "hello").await.unwrap();
    let sent = ana.write_to("bob", "reply OUI 482193 & thanks").await.unwrap();
    let message = waiting.await.unwrap().unwrap().unwrap();
    assert_eq!((message.id, message.from.as_str(), message.is_private), (sent.id, "ana", true));
    assert_eq!(message.text, "@bob reply OUI 482193 & thanks");
    bob.answer(&message, "OUI 482193").await.unwrap();
    let answer = ana.wait_for_dm(|_| true, PATIENCE).await.unwrap().unwrap();
    assert_eq!(answer.text, "@ana OUI 482193");
    assert_eq!(bob.sent_messages().await.unwrap().len(), 1);
    let none = bob.wait_for_dm(|message| message.text.contains("nothing"), Duration::from_millis(50)).await.unwrap();
    assert_eq!(none, None);
}

#[tokio::test]
async fn a_post_repeated_with_its_key_is_one_post_and_can_be_edited_and_deleted() {
    let test = TestSandbox::open().await;
    let ana = test.person("ana").await;
    let first = ana.post_once("one", "@obole #donner 10€ @croixrouge #telethon").await.unwrap();
    let second = ana.post_once("one", "@obole #donner 10€ @croixrouge #telethon").await.unwrap();
    assert_eq!(first.id, second.id);
    assert_eq!(ana.timeline(10).await.unwrap().len(), 1);
    ana.edit(first.id, "#donner 12€").await.unwrap();
    let seen = ana.timeline(10).await.unwrap();
    assert!(seen[0].is_edited && seen[0].text == "#donner 12€");
    ana.delete(first.id).await.unwrap();
    assert!(ana.timeline(10).await.unwrap().is_empty());
}
