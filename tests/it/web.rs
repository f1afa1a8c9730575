//! The pages, as a browser and a program find them; town and bank are in memory.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use obole::bank::fake::ConsentId;
use obole::people::Language;
use obole::web::{WebState, router};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::support::app::TestApp;
use crate::support::database::Engine;

const BANK_PAGE: &str = "http://localhost:8082";

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

pub(crate) fn pages(story: &TestApp) -> Router {
    router(WebState {
        bank_origins: vec![BANK_PAGE.to_owned()],
        enrolments_per_minute: 3.try_into().unwrap(),
        ..WebState::new(story.app.clone(), story.ledger().clone(), CancellationToken::new())
    })
}

pub(crate) async fn ask(pages: &Router, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request = Request::builder().method(method).uri(path).header("host", "localhost:8080");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if !body.is_empty() {
        request = request.header("content-type", "application/x-www-form-urlencoded");
    }
    let response = pages.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = String::from_utf8(to_bytes(body, 1 << 20).await.unwrap().to_vec()).unwrap();
    Answer { status: parts.status, headers: parts.headers, body }
}

pub(crate) async fn get(pages: &Router, path: &str, headers: &[(&str, &str)]) -> Answer {
    ask(pages, Method::GET, path, headers, "").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_carries_the_strict_headers_and_nothing_inline() {
    let Some(story) = TestApp::start(Engine::Sqlite).await else { return };
    let pages = pages(&story);
    for path in [
        "/",
        "/enrol",
        "/c/telethon",
        "/try-the-language",
        "/livez",
        "/readyz",
        "/nothing",
        "/orders/zzz",
        "/assets/obole.css",
        "/me",
        "/me/settings",
        "/me/erase",
        "/me/export",
        "/confirm/x-1",
        "/not-me/x-1",
        "/enrol?passkey=added",
    ] {
        let answer = get(&pages, path, &[]).await;
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{path}: {policy}");
        assert!(policy.contains("form-action 'self' http://localhost:8082;"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert!(!answer.header("x-request-id").is_empty(), "{path}");
        assert!(!answer.body.contains("<style") && !answer.body.contains(" style=") && !answer.body.contains("onclick"), "{path}");
        assert!(!answer.body.contains("//cdn") && answer.body.len() < 50_000, "{path}");
    }
    assert_eq!(get(&pages, "/readyz", &[]).await.body, "ok");
    assert_eq!(get(&pages, "/enrol", &[]).await.header("cache-control"), "no-store");
    drop(pages);
    story.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_wrong_is_a_page_with_one_sentence_in_the_readers_language() {
    let Some(story) = TestApp::start(Engine::Sqlite).await else { return };
    let pages = pages(&story);
    let lost = get(&pages, "/nothing", &[("accept-language", "fr")]).await;
    assert_eq!(lost.status, StatusCode::NOT_FOUND);
    assert!(lost.body.contains("lang=\"fr\"") && lost.body.contains("Cette page n'existe pas."), "{}", lost.body);
    let chosen = get(&pages, "/nothing?lang=en", &[("accept-language", "fr")]).await;
    assert!(chosen.body.contains("There is no such page.") && chosen.header("set-cookie").starts_with("obole-lang=en;"));
    let program = get(&pages, "/nothing", &[("accept", "application/json")]).await;
    assert_eq!(program.json()["error"], "not_found");
    let foreign = [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")];
    let refused = ask(&pages, Method::POST, "/enrol", &foreign, "phrase=pomme").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.body.contains("came from another site"));
    let own = [("origin", "http://localhost:8080"), ("sec-fetch-site", "same-origin")];
    let bad = ask(&pages, Method::POST, "/enrol", &own, "phrase=a").await;
    assert_eq!(bad.status, StatusCode::BAD_REQUEST);
    assert!(bad.body.contains("3 to 32 characters"));
    let huge = ask(&pages, Method::POST, "/enrol", &own, &format!("phrase={}", "x".repeat(20_000))).await;
    assert!(huge.status.is_client_error() && huge.body.contains("<h1>"), "{}", huge.status);
    let word = ask(&pages, Method::POST, "/enrol/word", &own, "mine=yes").await;
    assert_eq!(word.status, StatusCode::CONFLICT);
    drop(pages);
    story.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_enrols_step_by_step() {
    let Some(story) = TestApp::start(Engine::Sqlite).await else { return };
    let pages = pages(&story);
    let json = ("accept", "application/json");
    story.world.person("ana");
    story.world.bank.open_account("ana", "Ana", obole::money::Money::new(10_000, obole::money::Currency::EUR)).unwrap();
    assert_eq!(get(&pages, "/enrol", &[json]).await.json()["step"], "none");

    let begun = ask(&pages, Method::POST, "/enrol", &[json], "phrase=pomme+bleue&language=fr").await;
    assert_eq!((begun.status, begun.json()["step"].as_str()), (StatusCode::OK, Some("awaiting_consent")));
    let set = begun.header("set-cookie").to_owned();
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Lax") && set.starts_with("obole-enrol="), "{set}");
    let cookie = ("cookie", set.split(';').next().unwrap());
    let waiting = get(&pages, "/enrol/return", &[json, cookie]).await;
    assert_eq!(waiting.json()["step"], "awaiting_consent", "coming back proves nothing");

    let found = obole::app::enrol::find(&story.app, &obole::app::enrol::SessionToken(token(&set))).await.unwrap().unwrap();
    let obole::people::enrolment::Step::AwaitingConsent { consent, .. } = &found.step else { panic!("{found:?}") };
    let consent = story.world.bank.consent(&ConsentId(consent.clone())).unwrap();
    story.world.bank.answer(consent.authorisations.last().unwrap(), true, Some("ana")).unwrap();

    let fixated = get(&pages, "/enrol/return?state=00", &[json, cookie]).await.json();
    assert_eq!(fixated["step"], "awaiting_consent", "whoever was not at the bank gets nobody's consent: {fixated}");
    let authorisation = story.world.bank.authorisation(consent.authorisations.last().unwrap()).unwrap();
    let back = authorisation.return_to.approved.unwrap().strip_prefix("http://localhost:8080").unwrap().to_owned();
    let shown = get(&pages, &back, &[json, cookie]).await.json();
    assert_eq!(shown["step"], "awaiting_code", "{shown}");
    let page = get(&pages, "/enrol", &[cookie, ("accept", "text/html")]).await;
    assert!(page.body.contains(shown["code"].as_str().unwrap()), "the page shows the same code");
    assert!(shown["write_to"][0]["handle"].as_str().unwrap().starts_with("obole"));
    story.tells("ana", shown["code"].as_str().unwrap());
    let sent = get(&pages, "/enrol?after=awaiting_code&seconds=10", &[json, cookie]).await.json();
    assert_eq!((sent["step"].as_str(), sent["candidate"]["handle"].as_str()), (Some("awaiting_word"), Some("ana")));

    let other = ask(&pages, Method::POST, "/enrol/word", &[json, cookie], "mine=yes&sender=town:1").await;
    assert_eq!(other.json()["error"], "stale", "a page that showed another account confirms nothing");
    let done = ask(&pages, Method::POST, "/enrol/word", &[json, cookie], "mine=yes").await.json();
    assert_eq!((done["step"].as_str(), done["handle"].as_str()), (Some("done"), Some("ana")));
    story.hears("ana", "pomme bleue").await;
    drop(pages);
    story.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_is_led_to_the_bank_and_nobody_floods_it() {
    let Some(story) = TestApp::start(Engine::Sqlite).await else { return };
    let pages = pages(&story);
    for _ in 0..3 {
        let led = ask(&pages, Method::POST, "/enrol", &[], "phrase=pomme+bleue").await;
        assert_eq!(led.status, StatusCode::SEE_OTHER);
        assert!(!led.header("location").is_empty());
    }
    let stopped = ask(&pages, Method::POST, "/enrol", &[], "phrase=pomme+bleue").await;
    assert_eq!(stopped.status, StatusCode::TOO_MANY_REQUESTS);
    drop(pages);
    story.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_and_its_campaign_are_shown_in_words_without_the_payer() {
    let Some(story) = TestApp::start(Engine::Sqlite).await else { return };
    let pages = pages(&story);
    story.enrols("ana", Language::Fr).await;
    let post = story.pays("ana", "@obole #donner 10€ @croixrouge #telethon").await;
    let order = story.order_becomes(post, "settled").await;
    let page = get(&pages, &format!("/orders/{}", order.id), &[("accept-language", "fr")]).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("10,00\u{a0}€") && page.body.contains("✓ payé") && page.body.contains(&order.receipt_number()));
    let iban = order.payer.as_ref().unwrap().iban.as_str();
    assert!(!page.body.contains(iban) && !page.body.contains(order.payments[0].payee.iban.as_str()), "no account number");
    let back = get(&pages, &format!("/bank/return/{}", order.id), &[]).await;
    assert!(back.body.contains("asks your bank itself"));
    let campaign = get(&pages, "/c/telethon", &[("accept-language", "fr")]).await;
    assert!(campaign.body.contains("10,00\u{a0}€ jusqu'ici · 1 don."), "{}", campaign.body);
    assert!(campaign.body.contains("#donner 10€ @croixrouge #telethon"));
    let front = get(&pages, "/", &[]).await;
    assert!(front.body.contains("€10.00 so far · 1 gift."));
    drop(pages);
    story.ends().await;
}

fn token(cookie: &str) -> String {
    let (_, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
    value.to_owned()
}
