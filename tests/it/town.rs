//! The sandbox town as its clients see it: bytes over HTTP.
#![expect(clippy::expect_used, reason = "a test that waits in vain says for what")]

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use obole::clock::{SystemClock, Timestamp};
use obole::entropy::SeededEntropy;
use obole::platform::fake::{AppRequest, Limits, OUT_OF_BAND, Town};
use obole::sandbox::town::{HEARTBEAT, Serving, TownServer, serve};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_util::sync::CancellationToken;

/// How long anything may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

fn server(listen: &str) -> TownServer {
    TownServer {
        town: Arc::new(Town::in_memory(Limits::default(), Arc::new(SeededEntropy::new(7)))),
        clock: Arc::new(SystemClock),
        listen: listen.to_owned(),
        public_url: None,
        identity_url: None,
        heartbeat: HEARTBEAT,
        shutdown: CancellationToken::new(),
    }
}

struct TestTown {
    serving: Serving,
    http: reqwest::Client,
    shutdown: CancellationToken,
}

impl TestTown {
    async fn open() -> Self {
        TestTown::with_heartbeat(HEARTBEAT).await
    }

    async fn with_heartbeat(heartbeat: Duration) -> Self {
        // Fails if another test was first, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let shutdown = CancellationToken::new();
        let server = TownServer { heartbeat, shutdown: shutdown.clone(), ..server("localhost:0") };
        let serving = serve(server).await.unwrap();
        TestTown { serving, http: reqwest::Client::new(), shutdown }
    }

    fn url(&self, path: &str) -> String {
        // The address rather than the name: tests need no resolver.
        format!("http://{}{path}", self.serving.addresses[0])
    }

    async fn person(&self, username: &str) -> Person<'_> {
        let answer = self.http.post(self.url("/sandbox/people")).json(&json!({ "username": username })).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
        let made: Value = answer.json().await.unwrap();
        let text = |key: &str| made[key].as_str().unwrap().to_owned();
        Person { town: self, id: text("id"), token: text("access_token") }
    }

    async fn misbehave(&self, faults: Value) {
        let answer = self.http.put(self.url("/sandbox/faults")).json(&faults).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{}", answer.text().await.unwrap());
    }
}

impl Drop for TestTown {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

struct Person<'a> {
    town: &'a TestTown,
    id: String,
    token: String,
}

impl Person<'_> {
    async fn call(&self, method: Method, path: &str, body: Value) -> Response {
        let request = self.town.http.request(method, self.town.url(path)).bearer_auth(&self.token);
        let request = if body.is_null() { request } else { request.json(&body) };
        request.send().await.unwrap()
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.call(Method::GET, path, Value::Null).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.json().await.unwrap()
    }

    async fn post(&self, text: &str, visibility: &str) -> Value {
        let answer = self.call(Method::POST, "/api/v1/statuses", json!({ "status": text, "visibility": visibility })).await;
        assert_eq!(answer.status(), StatusCode::OK);
        answer.json().await.unwrap()
    }

    async fn listen(&self, path: &str) -> Listener {
        let answer = self.call(Method::GET, path, Value::Null).await;
        assert_eq!((answer.status(), answer.headers()["content-type"].to_str().unwrap()), (StatusCode::OK, "text/event-stream"));
        let mut listener = Listener { answer, heard: String::new() };
        assert_eq!(listener.until("\n").await, ":)\n");
        listener
    }
}

struct Listener {
    answer: Response,
    heard: String,
}

impl Listener {
    /// What comes next, up to and with `end`.
    async fn until(&mut self, end: &str) -> String {
        loop {
            if let Some(found) = self.heard.find(end) {
                return self.heard.drain(..found + end.len()).collect();
            }
            let chunk = tokio::time::timeout(PATIENCE, self.answer.chunk()).await.expect("the stream told nothing").unwrap();
            self.heard.push_str(std::str::from_utf8(&chunk.expect("the stream ended")).unwrap());
        }
    }

    async fn event(&mut self) -> (String, String) {
        let frame = self.until("\n\n").await;
        let (name, data) = frame.trim_end().split_once('\n').unwrap();
        (name.strip_prefix("event: ").unwrap().to_owned(), data.strip_prefix("data: ").unwrap().to_owned())
    }

    async fn ends(&mut self) -> bool {
        let chunk = tokio::time::timeout(PATIENCE, self.answer.chunk()).await.expect("the stream stays open");
        !matches!(chunk, Ok(Some(_)))
    }
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[tokio::test]
async fn a_stream_greets_beats_and_tells_posts_edits_and_deletions() {
    let town = TestTown::with_heartbeat(Duration::from_millis(300)).await;
    let (obole, alice) = (town.person("obole").await, town.person("alice").await);
    let mut user = obole.listen("/api/v1/streaming/user").await;
    assert_eq!(user.until("\n\n").await, ":thump\n\n");
    let mut tag = obole.listen("/api/v1/streaming/hashtag?tag=T%C3%A9l%C3%A9thon").await;
    let status = alice.post("@obole #donner 10€ #Téléthon", "public").await;
    let skip_beats = async |listener: &mut Listener| loop {
        let frame = listener.until("\n\n").await;
        if frame != ":thump\n\n" {
            let (name, data) = frame.trim_end().split_once('\n').unwrap();
            return (name.to_owned(), data.strip_prefix("data: ").unwrap().to_owned());
        }
    };
    let (name, data) = skip_beats(&mut user).await;
    assert_eq!((name.as_str(), &json_of(&data)["type"]), ("event: notification", &json!("mention")));
    assert_eq!(json_of(&data)["status"]["id"], status["id"]);
    assert!(!data.contains('\n'));
    assert_eq!(skip_beats(&mut tag).await.0, "event: update");
    let path = format!("/api/v1/statuses/{}", status["id"].as_str().unwrap());
    let edited: Value = alice.call(Method::PUT, &path, json!({ "status": "@obole 20€ #telethon" })).await.json().await.unwrap();
    assert!(edited["edited_at"].is_string());
    let (name, data) = skip_beats(&mut user).await;
    assert_eq!((name.as_str(), &json_of(&data)["edited_at"]), ("event: status.update", &edited["edited_at"]));
    let deleted: Value = alice.call(Method::DELETE, &path, Value::Null).await.json().await.unwrap();
    assert_eq!(deleted["text"], "@obole 20€ #telethon");
    assert_eq!(skip_beats(&mut user).await, ("event: delete".to_owned(), status["id"].as_str().unwrap().to_owned()));
    assert_eq!(skip_beats(&mut tag).await.0, "event: status.update");
    assert_eq!(skip_beats(&mut tag).await.0, "event: delete");
    assert_eq!(obole.call(Method::GET, &path, Value::Null).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_private_message_reaches_the_mentioned_and_nobody_elses_stream() {
    let town = TestTown::open().await;
    let (obole, alice, bob) = (town.person("obole").await, town.person("alice").await, town.person("bob").await);
    let mut to_obole = obole.listen("/api/v1/streaming/user/notification").await;
    let mut threads = obole.listen("/api/v1/streaming/direct").await;
    let mut to_bob = bob.listen("/api/v1/streaming/user").await;
    let mut public = bob.listen("/api/v1/streaming/public").await;
    let secret = alice.post("@obole OUI 482193", "direct").await;
    let (name, data) = to_obole.event().await;
    assert_eq!((name.as_str(), &json_of(&data)["status"]["visibility"]), ("notification", &json!("direct")));
    let (name, data) = threads.event().await;
    assert_eq!((name.as_str(), &json_of(&data)["last_status"]["id"]), ("conversation", &secret["id"]));
    alice.post("@bob hello", "public").await;
    assert!(json_of(&to_bob.event().await.1)["status"]["content"].as_str().unwrap().contains("hello"));
    assert!(public.event().await.1.contains("hello"));
    let path = format!("/api/v1/statuses/{}", secret["id"].as_str().unwrap());
    assert_eq!(bob.call(Method::GET, &path, Value::Null).await.status(), StatusCode::NOT_FOUND);
    let threads = obole.get("/api/v1/conversations").await;
    assert_eq!((&threads[0]["unread"], &threads[0]["accounts"][0]["username"]), (&json!(true), &json!("alice")));
}

#[tokio::test]
async fn a_websocket_takes_its_token_as_protocol_and_carries_several_streams() {
    let town = TestTown::open().await;
    let (obole, alice) = (town.person("obole").await, town.person("alice").await);
    let mut request = format!("ws://{}/api/v1/streaming?stream=user", town.serving.addresses[0]).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", obole.token.parse().unwrap());
    let (mut socket, answer) = tokio_tungstenite::connect_async(request).await.unwrap();
    assert_eq!(answer.headers()["sec-websocket-protocol"], obole.token.as_str());
    let subscribe = |kind: &str| Message::text(json!({ "type": kind, "stream": "hashtag", "tag": "pay" }).to_string());
    socket.send(subscribe("subscribe")).await.unwrap();
    socket.send(Message::text(json!({ "type": "subscribe", "stream": "nonsense" }).to_string())).await.unwrap();
    let mut next = async || loop {
        let message = tokio::time::timeout(PATIENCE, socket.next()).await.expect("the socket told nothing").unwrap().unwrap();
        if let Message::Text(text) = message {
            return json_of(&text);
        }
    };
    assert_eq!(next().await["error"], "Unknown stream type");
    alice.post("#pay for nothing", "public").await;
    let frame = next().await;
    assert_eq!((&frame["stream"], &frame["event"]), (&json!(["hashtag", "pay"]), &json!("update")));
    assert!(json_of(frame["payload"].as_str().unwrap())["content"].as_str().unwrap().contains("for nothing"));
    alice.post("@obole hello", "unlisted").await;
    let frame = next().await;
    assert_eq!((&frame["stream"], &frame["event"]), (&json!(["user"]), &json!("notification")));
    let refused = tokio_tungstenite::connect_async(format!("ws://{}/api/v1/streaming", town.serving.addresses[0])).await;
    assert!(refused.is_err(), "no token, no stream");
}

#[tokio::test]
async fn an_out_of_band_code_becomes_a_token() {
    let town = TestTown::open().await;
    town.person("alice").await;
    let form = [("client_name", "test"), ("redirect_uris", "urn:ietf:wg:oauth:2.0:oob"), ("scopes", "read write")];
    let app: Value = town.http.post(town.url("/api/v1/apps")).form(&form).send().await.unwrap().json().await.unwrap();
    let (id, secret) = (app["client_id"].as_str().unwrap(), app["client_secret"].as_str().unwrap());
    let asked = [
        ("response_type", "code"),
        ("client_id", id),
        ("redirect_uri", "urn:ietf:wg:oauth:2.0:oob"),
        ("scope", "read write"),
        ("account", "alice"),
    ];
    let page = town.http.get(town.url("/oauth/authorize/")).query(&asked).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("@alice"));
    let shown = town.http.post(town.url("/oauth/authorize")).form(&asked).send().await.unwrap().text().await.unwrap();
    let code = shown.split("value=\"").nth(1).unwrap().split('"').next().unwrap();
    let grant = [
        ("grant_type", "authorization_code"),
        ("client_id", id),
        ("client_secret", secret),
        ("redirect_uri", "urn:ietf:wg:oauth:2.0:oob"),
        ("code", code),
        ("oauth_info", "ignored"),
    ];
    let answer: Value = town.http.post(town.url("/oauth/token")).form(&grant).send().await.unwrap().json().await.unwrap();
    assert_eq!((&answer["token_type"], &answer["scope"]), (&json!("Bearer"), &json!("read write")));
    let alice = Person { town: &town, id: String::new(), token: answer["access_token"].as_str().unwrap().to_owned() };
    assert_eq!(alice.get("/api/v1/accounts/verify_credentials").await["username"], "alice");
    let again = town.http.post(town.url("/oauth/token")).form(&grant).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_sign_up_needs_an_application_and_a_free_name() {
    let town = TestTown::open().await;
    let form = [("client_name", "test"), ("redirect_uris", "urn:ietf:wg:oauth:2.0:oob"), ("scopes", "read write")];
    let app: Value = town.http.post(town.url("/api/v1/apps")).form(&form).send().await.unwrap().json().await.unwrap();
    let grant = json!({ "grant_type": "client_credentials", "client_id": app["client_id"], "client_secret": app["client_secret"], "scope": "read write" });
    let token: Value = town.http.post(town.url("/oauth/token")).json(&grant).send().await.unwrap().json().await.unwrap();
    let app = Person { town: &town, id: String::new(), token: token["access_token"].as_str().unwrap().to_owned() };
    let wish = json!({ "username": "alice", "email": "a@example.org", "password": "secret", "agreement": true, "locale": "fr" });
    let token: Value = app.call(Method::POST, "/api/v1/accounts", wish.clone()).await.json().await.unwrap();
    let alice = Person { town: &town, id: String::new(), token: token["access_token"].as_str().unwrap().to_owned() };
    assert_eq!(alice.get("/api/v1/accounts/verify_credentials").await["acct"], "alice");
    let taken = app.call(Method::POST, "/api/v1/accounts", wish).await;
    assert_eq!(taken.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(taken.json::<Value>().await.unwrap()["error"], "Validation failed: Username has already been taken");
    assert_eq!(
        app.call(Method::POST, "/api/v1/statuses", json!({ "status": "x" })).await.status(),
        StatusCode::UNPROCESSABLE_ENTITY
    );
}

#[tokio::test]
async fn pages_link_to_the_older_and_the_newer_and_windows_are_announced() {
    let town = TestTown::open().await;
    let (obole, alice) = (town.person("obole").await, town.person("alice").await);
    for number in 0..5 {
        alice.post(&format!("@obole {number}"), "public").await;
    }
    let answer = obole.call(Method::GET, "/api/v1/notifications/?types%5B%5D=mention&limit=2", Value::Null).await;
    let link = answer.headers()["link"].to_str().unwrap().to_owned();
    let base = &town.serving.public_url;
    assert_eq!(
        link,
        format!(
            "<{base}/api/v1/notifications?types%5B%5D=mention&limit=2&max_id=4>; rel=\"next\", \
             <{base}/api/v1/notifications?types%5B%5D=mention&limit=2&min_id=5>; rel=\"prev\""
        )
    );
    assert_eq!(answer.headers()["x-ratelimit-limit"], "300");
    assert_eq!(answer.headers()["x-ratelimit-remaining"], "299");
    let ids: Vec<Value> = answer.json::<Vec<Value>>().await.unwrap().iter().map(|told| told["id"].clone()).collect();
    assert_eq!(ids, ["5", "4"]);
    let next = obole.get("/api/v1/notifications?types[]=mention&min_id=1&limit=2").await;
    assert_eq!((&next[0]["id"], &next[1]["id"]), (&json!("3"), &json!("2")));
    assert_eq!(obole.get("/api/v1/notifications?exclude_types[]=mention").await, json!([]));
    let limits = json!({ "statuses": { "limit": 6, "period_seconds": 3600 } });
    town.http.put(town.url("/sandbox/limits")).json(&limits).send().await.unwrap();
    for _ in 0..6 {
        alice.post("more", "public").await;
    }
    let refused = alice.call(Method::POST, "/api/v1/statuses", json!({ "status": "too much" })).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(
        (&refused.headers()["x-ratelimit-limit"], &refused.headers()["x-ratelimit-remaining"]),
        (&"6".parse().unwrap(), &"0".parse().unwrap())
    );
    assert!(refused.headers()["x-ratelimit-reset"].to_str().unwrap().ends_with("00Z"));
}

#[tokio::test]
async fn the_town_misbehaves_when_asked_to() {
    let town = TestTown::open().await;
    let (obole, alice) = (town.person("obole").await, town.person("alice").await);
    let mut user = obole.listen("/api/v1/streaming/user").await;
    town.misbehave(json!({ "duplicate_stream": true, "post": { "times": 1, "answer": "lose" } })).await;
    let request = town.http.post(town.url("/api/v1/statuses")).bearer_auth(&alice.token).header("idempotency-key", "k");
    let again = request.try_clone().unwrap().form(&[("status", "@obole lost?")]);
    assert!(request.form(&[("status", "@obole lost?")]).send().await.is_err(), "the answer was lost");
    let (first, second) = (user.event().await, user.event().await);
    assert_eq!(first, second);
    let stored: Value = again.send().await.unwrap().json().await.unwrap();
    assert_eq!(json_of(&first.1)["status"]["id"], stored["id"], "the same key finds what was stored");
    town.misbehave(json!({ "refuse": { "times": 1, "status": 503, "path": "/statuses" }, "disconnect_streams": true })).await;
    assert!(user.ends().await);
    let refused = alice.call(Method::POST, "/api/v1/statuses", json!({ "status": "x" })).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    alice.post("x", "public").await;
    let unknown = town.http.put(town.url("/sandbox/faults")).json(&json!({ "no_such_fault": 1 })).send().await.unwrap();
    assert_eq!(unknown.status(), StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_guarded_message_is_refused_if_it_would_reach_somebody_else() {
    let town = TestTown::open().await;
    let (obole, alice, bob) = (town.person("obole").await, town.person("alice").await, town.person("bob").await);
    let guarded = json!({ "status": "@alice pay @bob", "visibility": "direct", "allowed_mentions": [alice.id] });
    let answer = obole.call(Method::POST, "/api/v1/statuses", guarded).await;
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer.json::<Value>().await.unwrap()["unexpected_accounts"][0]["id"], bob.id.as_str());
    assert_eq!(bob.get("/api/v1/notifications").await, json!([]));
}

#[tokio::test]
async fn addresses_of_people_and_posts_lead_to_pages_and_broken_input_to_one_sentence() {
    let town = TestTown::open().await;
    let alice = town.person("alice").await;
    let status = alice.post("bonjour <b>", "public").await;
    let path = status["uri"].as_str().unwrap().strip_prefix(&town.serving.public_url).unwrap().to_owned();
    assert_eq!(path, format!("/users/alice/statuses/{}", status["id"].as_str().unwrap()));
    let page = town.http.get(town.url(&path)).header("accept-language", "fr-FR,fr;q=0.9").send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    let page = page.text().await.unwrap();
    assert!(page.contains("bonjour &lt;b&gt;") && page.contains("Ville bac à sable"));
    assert_eq!(town.http.get(town.url("/@nobody")).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    let broken = town
        .http
        .post(town.url("/api/v1/statuses"))
        .bearer_auth(&alice.token)
        .header("content-type", "application/json")
        .body("{")
        .send()
        .await
        .unwrap();
    assert_eq!(broken.status(), StatusCode::BAD_REQUEST);
    assert!(broken.json::<Value>().await.unwrap()["error"].as_str().unwrap().starts_with("The JSON cannot be read"));
    let wrong = town.http.get(town.url("/api/v1/timelines/home")).bearer_auth("guess").send().await.unwrap();
    assert_eq!(
        (wrong.status(), wrong.json::<Value>().await.unwrap()),
        (StatusCode::UNAUTHORIZED, json!({ "error": "The access token is invalid" }))
    );
}

#[tokio::test]
async fn a_busy_port_and_a_public_address_are_refused_in_one_sentence() {
    let town = TestTown::open().await;
    let busy = town.serving.addresses[0];
    let error = format!("{:#}", serve(server(&busy.to_string())).await.unwrap_err());
    assert_eq!(error, format!("the sandbox town cannot be served: {busy} is in use by another program"));
    let error = format!("{:#}", serve(server("0.0.0.0:0")).await.unwrap_err());
    assert!(error.contains("loopback"), "{error}");
}

#[tokio::test]
async fn an_end_is_an_end_although_somebody_listens() {
    let server = server("127.0.0.1:0");
    let shutdown = server.shutdown.clone();
    let alice = server.town.join("alice", "", false, Timestamp::UNIX_EPOCH).unwrap().id;
    let app = AppRequest { name: "test".to_owned(), redirect_uris: vec![OUT_OF_BAND.to_owned()], ..AppRequest::default() };
    let app = server.town.register_app(app, Timestamp::UNIX_EPOCH).unwrap().id;
    let token = server.town.token_for(alice, app, vec!["read".to_owned()], Timestamp::UNIX_EPOCH).unwrap().secret;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let serving = serve(server).await.unwrap();
    let address = serving.addresses[0];
    let stream = reqwest::Client::new().get(format!("http://{address}/api/v1/streaming/user")).bearer_auth(&token);
    let mut stream = Listener { answer: stream.send().await.unwrap(), heard: String::new() };
    let (mut socket, _) =
        tokio_tungstenite::connect_async(format!("ws://{address}/api/v1/streaming?access_token={token}")).await.unwrap();
    assert_eq!(stream.until("\n").await, ":)\n");
    shutdown.cancel();
    assert!(stream.ends().await);
    let last = tokio::time::timeout(PATIENCE, socket.next()).await.expect("the socket stays open");
    assert!(!matches!(last, Some(Ok(Message::Text(_)))));
    tokio::time::timeout(PATIENCE, serving.ended()).await.expect("it still serves").unwrap();
}
