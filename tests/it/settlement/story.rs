//! An order from a post to settled, and back, with the bank behind the Obole Settlement API; and the pages that belong to it.

use std::sync::Arc;

use axum::http::{Method, StatusCode};
use obole::bank::fake::Reason;
use obole::bank::settlement::sign::WebhookSecret;
use obole::bank::settlement::wire::Webhook;
use obole::bank::settlement::{Settings, SettlementApi};
use obole::clock::Clock as _;
use obole::order::Policy;
use obole::people::Language;
use obole::web::{BankWebhook, WebState, router};
use tokio_util::sync::CancellationToken;

use super::Backend;
use crate::support::app::{TestApp, World};
use crate::support::database::Engine;
use crate::web::{ask, get, pages};

const PATH: &str = "/settlement/events/bank";

async fn an_order_is_settled_and_comes_back(engine: Engine) {
    let world = World::new();
    let backend = Backend::over(world.bank.clone(), world.clock.clone()).await;
    let adapter = Arc::new(SettlementApi::new("bank".into(), Settings::at(backend.url()), world.clock.clone()).unwrap());
    world.is_reached_by(adapter.clone());
    let Some(story) = TestApp::start_in(world.clone(), engine, Policy::default()).await else { return };
    story.enrols("ana", Language::Fr).await;
    let post = story.pays("ana", "@obole #donner 10€ @croixrouge #telethon").await;
    let order = story.order_becomes(post, "settled").await;
    let known = world.bank.payments_with(order.payments[0].key.as_str()).unwrap();
    assert_eq!(known.len(), 1);
    assert_eq!(world.balance("croixrouge"), 1_000);

    // The bank pushes what happens, and Obole asks.
    let secret = WebhookSecret::write(&[9; 32]);
    let webhook = BankWebhook::new(PATH.to_owned(), "bank".into(), &[secret.clone().into()]).unwrap();
    let state = WebState::new(story.app.clone(), story.ledger().clone(), CancellationToken::new());
    let site = router(WebState { webhooks: vec![webhook], ..state });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}{PATH}", listener.local_addr().unwrap());
    let serving = site.clone();
    let server = tokio::spawn(async move { axum::serve(listener, serving).await });
    adapter.register_webhook(&Webhook { url, secrets: vec![secret.clone()] }).await.unwrap();
    world.bank.give_back(&known[0].id, &Reason("AC04".to_owned())).unwrap();
    let order = story.order_becomes(post, "returned").await;
    assert_eq!(world.balance("croixrouge"), 0);

    // Whoever does not know the secret makes nobody ask; nor does a webhook that is old, or about nothing of ours.
    let body = serde_json::json!({
        "id": "evt_x", "cursor": "9", "kind": "payment.changed", "at": "2026-11-21T10:00:00Z",
        "payment": {"id": order.payments[0].key.as_str(), "state": "settled", "sequence": 9, "updated_at": "2026-11-21T10:00:00Z"}
    })
    .to_string();
    let read = WebhookSecret::parse(&secret).unwrap();
    let stranger = WebhookSecret::parse(&WebhookSecret::write(&[8; 32])).unwrap();
    let second = world.clock.now().as_second();
    for (by, at, text, expected) in [
        (&read, second, body.as_str(), StatusCode::NO_CONTENT),
        (&read, second, body.as_str(), StatusCode::NO_CONTENT),
        (&read, second, "{}", StatusCode::BAD_REQUEST),
        (&stranger, second, body.as_str(), StatusCode::FORBIDDEN),
        (&read, second - 3_600, body.as_str(), StatusCode::FORBIDDEN),
    ] {
        let id = format!("evt_{text}");
        let id = format!("evt_{}", id.len());
        let signature = by.sign(&id, at, text.as_bytes());
        let timestamp = at.to_string();
        let headers = [("webhook-id", id.as_str()), ("webhook-timestamp", &timestamp), ("webhook-signature", &signature)];
        let answer = ask(&site, Method::POST, PATH, &headers, text).await;
        assert_eq!(answer.status, expected, "{text} {}", answer.body);
    }
    story.order_becomes(post, "returned").await;
    server.abort();
    story.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_settled_and_comes_back_on_sqlite() {
    an_order_is_settled_and_comes_back(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_settled_and_comes_back_on_postgres() {
    an_order_is_settled_and_comes_back(Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_for_banks_shows_every_address_and_error_and_the_document_is_served() {
    let Some(story) = TestApp::start(Engine::Sqlite).await else { return };
    let pages = pages(&story);
    let document = get(&pages, "/settlement/openapi.json", &[]).await;
    assert_eq!((document.status, document.header("content-type")), (StatusCode::OK, "application/json"));
    let api = document.json();
    for (language, title) in [("en", "Connect a bank"), ("fr", "Raccorder une banque")] {
        let page = get(&pages, &format!("/settlement?lang={language}"), &[]).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.body.contains(title) && !page.body.contains(" style=") && !page.body.contains("<style"));
        for path in api["paths"].as_object().unwrap().keys() {
            assert!(page.body.contains(path), "{language} {path}");
        }
        for error in obole::bank::settlement::openapi::ERRORS {
            assert!(page.body.contains(&format!("{} {}", error.status, error.code)), "{language} {}", error.code);
        }
    }
    let nobody = ask(&pages, Method::POST, PATH, &[], "{}").await;
    assert_eq!(nobody.status, StatusCode::NOT_FOUND);
    drop(pages);
    story.ends().await;
}
