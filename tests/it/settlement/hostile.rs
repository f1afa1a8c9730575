//! The mirror: Obole against a settlement backend that takes payments and answers as badly as can be. Nothing may be paid twice, nothing
//! may be lost, and nobody may be told "failed" about what is paid.
//!
//! What this bank does not do is lie in the protocol's own words (a signed "refused" about a payment it carries out): against that there
//! are disputes and reconciliation, with stories of their own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use obole::bank::settlement::{Settings, SettlementApi};
use obole::order::Policy;
use obole::people::Language;
use serde_json::Value;

use super::Backend;
use crate::support::app::{TestApp, World};
use crate::support::database::Engine;

/// Ways to spoil an exchange.
const WAYS: usize = 17;
/// One order each.
const PAYERS: i64 = 14;
/// How often each payment's look-ups are spoilt.
const SPOILT_LOOK_UPS: usize = 2;

struct Hostile {
    behind: String,
    client: reqwest::Client,
    turns: Mutex<(usize, HashMap<String, usize>)>,
}

fn cut() -> Response {
    let broken = stream::once(async { Err::<&'static [u8], _>(std::io::Error::other("cut on purpose")) });
    Response::new(Body::from_stream(broken))
}

fn json(status: u16, text: String) -> Response {
    (StatusCode::from_u16(status).unwrap(), [(header::CONTENT_TYPE, "application/json")], text).into_response()
}

impl Hostile {
    async fn forward(&self, method: Method, path: &str, body: Bytes) -> (u16, Bytes) {
        let mut request = self.client.request(method, format!("{}{path}", self.behind));
        if !body.is_empty() {
            request = request.header("content-type", "application/json").body(body);
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.bytes().await.unwrap())
    }

    /// How this exchange is spoilt; `None`: not at all.
    fn turn(&self, method: &Method, path: &str) -> Option<usize> {
        let mut turns = self.turns.lock().unwrap();
        let seen = turns.1.entry(format!("{method} {path}")).or_default();
        *seen += 1;
        let spoilt = if *method == Method::PUT { 1 } else { SPOILT_LOOK_UPS };
        if *seen > spoilt {
            return None;
        }
        turns.0 += 1;
        Some((turns.0 - 1) % WAYS)
    }
}

async fn answer(State(hostile): State<Arc<Hostile>>, request: Request) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path_and_query().unwrap().to_string());
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let turn = if path.starts_with("/payments/") { hostile.turn(&method, &path) } else { None };
    // Never arrives.
    if turn == Some(0) {
        return cut();
    }
    let (status, told) = hostile.forward(method, &path, body).await;
    let text = String::from_utf8(told.to_vec()).unwrap();
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut value: Value = serde_json::from_str(&text).unwrap();
        change(&mut value);
        json(status, value.to_string())
    };
    match turn {
        None => json(status, text),
        Some(1) => cut(),
        Some(2) => (StatusCode::BAD_GATEWAY, [(header::CONTENT_TYPE, "text/html")], "<html>Bad gateway</html>").into_response(),
        Some(3) => json(500, r#"{"error":{"class":"unknown","code":"internal","message":"boom"}}"#.to_owned()),
        Some(4) => changed(&|value| value["amount"] = "1000.00".into()),
        Some(5) => changed(&|value| value["id"] = "f".repeat(32).into()),
        Some(6) => json(status, text.replacen('{', "{\"state\":\"refused\",", 1)),
        Some(7) => changed(&|value| value["state"] = "transmogrified".into()),
        Some(8) => {
            let bomb = vec![0_u8; 64 * 1024];
            (StatusCode::OK, [(header::CONTENT_ENCODING, "gzip")], bomb).into_response()
        }
        Some(9) => json(200, " ".repeat(2 * 1024 * 1024)),
        Some(10) => (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, "/elsewhere")]).into_response(),
        Some(11) => {
            // A drop at a time, and never to the end.
            let drops = stream::unfold((), |()| async {
                tokio::time::sleep(Duration::from_millis(100)).await;
                Some((Ok::<_, std::io::Error>(" "), ()))
            });
            Response::new(Body::from_stream(drops))
        }
        Some(12) => StatusCode::TOO_MANY_REQUESTS.into_response(),
        Some(13) => StatusCode::NOT_FOUND.into_response(),
        Some(14) => changed(&|value| value["creditor"]["iban"] = "DE89370400440532013000".into()),
        Some(15) => json(422, "{\"error\":{\"class\":\"refused\"".to_owned()),
        // The key is forgotten for a moment: said in the protocol's words, and no proof of anything.
        Some(_) => json(404, r#"{"error":{"class":"not_taken","code":"payment_not_found","message":"who?"}}"#.to_owned()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hostile_backend_is_paid_through_once_and_nothing_is_lost() {
    let world = World::new();
    let backend = Backend::over(world.bank.clone(), world.clock.clone()).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let behind = backend.url().as_str().trim_end_matches('/').to_owned();
    let hostile = Arc::new(Hostile { behind, client, turns: Mutex::default() });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(answer).with_state(hostile.clone());
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let settings = Settings { total_timeout: Duration::from_millis(600), ..Settings::at(url.parse().unwrap()) };
    world.is_reached_by(Arc::new(SettlementApi::new("bank".into(), settings, world.clock.clone()).unwrap()));
    let Some(story) = TestApp::start_in(world.clone(), Engine::Sqlite, Policy::default()).await else { return };
    let mut posts = Vec::new();
    for number in 0..PAYERS {
        let name = format!("payer{number}");
        story.enrols(&name, Language::En).await;
        posts.push(story.pays(&name, "@obole #give 10€ @croixrouge").await);
    }
    // Time passes until every one of them is settled; less than their orders are good for.
    for _ in 0..250 {
        if world.balance("croixrouge") == PAYERS * 1_000 && story.app.unfinished().await.unwrap().0 == 0 {
            break;
        }
        world.clock.advance(Duration::from_secs(2));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for post in posts {
        let order = story.order_becomes(post, "settled").await;
        assert_eq!(world.bank.payments_with(order.payments[0].key.as_str()).unwrap().len(), 1, "paid once");
    }
    for number in 0..PAYERS {
        let said = world.messages_to(&format!("payer{number}"));
        let failed = said.iter().find(|text| text.contains("was not paid") || text.contains("Refused"));
        assert_eq!(failed, None, "nobody is told that what is paid was not");
    }
    let spoilt = hostile.turns.lock().unwrap().0;
    assert!(spoilt >= 2 * WAYS, "only {spoilt} exchanges were spoilt");
    server.abort();
    story.ends().await;
}
