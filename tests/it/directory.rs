//! The payee directory: handles are pinned to accounts, and a handle that changes hands freezes its payee.

use obole::app::directory::{self, CampaignEntry, Finding, PayeeEntry, PayeeHandle};
use obole::clock::Clock as _;
use obole::ids::PlatformName;
use obole::people::{Class, Language};

use crate::support::app::TestApp;
use crate::support::database::Engine;

fn entry(story: &TestApp, slug: &str, handle: &str) -> PayeeEntry {
    PayeeEntry {
        slug: slug.to_owned(),
        legal_name: format!("{slug} (legal)"),
        class: Class::Charity,
        iban: story.world.bank.accounts_of(slug).unwrap()[0].account.iban.clone(),
        registry_number: None,
        accounts: vec![PayeeHandle { platform: PlatformName::from("town"), handle: handle.to_owned(), account: None }],
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handle_that_changes_hands_freezes_its_payee() {
    let Some(story) = TestApp::start(Engine::Sqlite).await else { return };
    let payee = entry(&story, "croixrouge", "croixrouge");
    assert_eq!(directory::register(&story.app, std::slice::from_ref(&payee), &[]).await.unwrap(), [], "again changes nothing");

    let old = story.world.person("croixrouge");
    story.world.town.rename(old.id, "croixrouge_old", story.world.clock.now()).unwrap();
    story.world.person("croixrouge");
    let findings = directory::register(&story.app, &[payee], &[]).await.unwrap();
    assert!(matches!(findings.as_slice(), [Finding::Moved { slug, .. }] if slug == "croixrouge"), "{findings:?}");

    story.enrols("ana", Language::En).await;
    let post = story.posts("ana", "@obole #donner 10€ #telethon");
    let order = story.order_becomes(post, "rejected").await;
    assert!(format!("{:?}", order.state).contains("PayeeFrozen"), "{:?}", order.state);
    story.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_an_entry_is_said_and_hinders_no_other() {
    let Some(story) = TestApp::start(Engine::Sqlite).await else { return };
    let payees = [entry(&story, "bob", "nobody_here"), entry(&story, "wateraid", "croixrouge")];
    let campaign =
        |tag: &str, payee: &str| CampaignEntry { tag: tag.to_owned(), title: tag.to_owned(), payee: payee.to_owned(), goal: None };
    let findings =
        directory::register(&story.app, &payees, &[campaign("#Eau", "wateraid"), campaign("x", "unknown")]).await.unwrap();
    let said: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "nobody is called nobody_here on town; the payee bob cannot be named by it",
            "croixrouge on town belongs to another payee than wateraid",
            "the campaign x is of unknown, which is not in the directory",
        ]
    );
    let tags: Vec<String> =
        obole::app::view::campaigns(&story.app).await.unwrap().into_iter().map(|view| view.campaign.tag).collect();
    assert_eq!(tags, ["eau", "telethon"]);
    story.ends().await;
}
