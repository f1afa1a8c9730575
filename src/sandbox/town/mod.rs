//! The sandbox town on the wire: a small server that speaks the Mastodon client API (of about version 4.4) over HTTP, with
//! server-sent and WebSocket streams, and shows a readable page to browsers.
//!
//! It is a thin skin over [`crate::platform::fake::Town`], which decides everything and remembers it before it answers; here
//! is only the wire: addresses, bodies in three encodings, JSON entities, `Link` and rate-limit headers, streams. It listens
//! on loopback addresses only, and has no passwords: whoever reaches it may be anybody in it.
//!
//! # What a sandbox may do and a real network may not
//!
//! JSON or a form in, JSON out, no token needed:
//!
//! | request | does |
//! |---|---|
//! | `POST /sandbox/people` `{"username", "display_name"?, "bot"?, "note"?, "locked"?, "existing"?}` | makes a person; answers `{"id", "username", "access_token", "account"}` with 201. With `existing: true` a person of that name is no error but gets another token, with 200 |
//! | `GET /sandbox/people` | lists everybody as accounts, with `closed` |
//! | `PATCH /sandbox/people/{name}` `{"display_name"?, "note"?, "bot"?, "locked"?, "closed"?, "username"?}` | changes somebody; `closed` drops private mentions to them, `username` renames |
//! | `POST /sandbox/people/{name}/token` | another token for somebody |
//! | `GET`, `PUT /sandbox/faults` | the switches of [`crate::platform::fake::Faults`] (those not named are off), and `filter_strangers` (Mastodon's default policy for everybody without one), `disconnect_streams` |
//! | `GET`, `PUT /sandbox/limits` | the windows: `{"statuses": {"limit", "period_seconds"}?, "requests": …?, "unlimited"?}` |
//! | `POST /sandbox/reset` | forgets everything and everybody |
//!
//! Faults, for example: `{"duplicate_stream": true}`, `{"silent_stream": true}`,
//! `{"post": {"times": 1, "answer": {"delay_ms": 2000}}}`, `{"post": {"times": 1, "answer": "lose"}}`,
//! `{"refuse": {"times": 3, "status": 503, "path": "/api/v1/statuses"}}`.

mod accounts;
mod caller;
mod entities;
mod errors;
mod helper;
mod inbox;
mod instance;
mod listen;
mod oauth;
mod pages;
mod paging;
mod params;
mod quota;
mod routes;
mod sse;
mod statuses;
mod streaming;
mod timelines;
mod websocket;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use axum::extract::Request;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::Layer as _;
use tower_http::normalize_path::NormalizePathLayer;

use crate::clock::Clock;
use crate::platform::fake::{Id, State, Status, Town};
use entities::Lens;
use listen::Scissors;

/// Mastodon's own heartbeat on server-sent streams; WebSockets are pinged half as often.
pub const HEARTBEAT: Duration = Duration::from_secs(15);

/// How the town is to be served.
pub struct TownServer {
    /// What is served.
    pub town: Arc<Town>,
    /// What time it is there.
    pub clock: Arc<dyn Clock>,
    /// `localhost:8081`, `127.0.0.1:0`, `[::1]:8081`: loopback only, port 0 for a free one.
    pub listen: String,
    /// How others write its address, without a slash at the end; made from `listen` if missing.
    pub public_url: Option<String>,
    /// What the `uri` of everything begins with. It must stay the same as long as the town remembers anything, also when the town is
    /// served at another address, because it is part of what others know a status by; made from `public_url` if missing.
    pub identity_url: Option<String>,
    /// How often a silent stream beats; [`HEARTBEAT`] unless a test is in a hurry.
    pub heartbeat: Duration,
    /// Ends it: streams are closed, requests under way are answered.
    pub shutdown: CancellationToken,
}

/// A town being served.
#[derive(Debug)]
pub struct Serving {
    /// Where it listens.
    pub addresses: Vec<SocketAddr>,
    /// How others write its address.
    pub public_url: String,
    tasks: JoinSet<std::io::Result<()>>,
}

impl Serving {
    /// Waits until it has ended; an error if it ended by itself.
    pub async fn ended(mut self) -> anyhow::Result<()> {
        while let Some(task) = self.tasks.join_next().await {
            task.context("the town's server broke")?.context("the town's server stopped")?;
        }
        Ok(())
    }
}

/// What every handler holds.
struct Wire {
    town: Arc<Town>,
    clock: Arc<dyn Clock>,
    base_url: String,
    identity_url: String,
    heartbeat: Duration,
    shutdown: CancellationToken,
    helper_app: Mutex<Option<Id>>,
}

impl Wire {
    fn lens<'a>(&'a self, state: &'a State, viewer: Option<Id>) -> Lens<'a> {
        Lens { state, base_url: &self.base_url, identity_url: &self.identity_url, viewer }
    }

    fn status_json(&self, status: &Status, viewer: Id) -> String {
        let state = self.town.read();
        self.lens(&state, Some(viewer)).status(status).to_string()
    }

    /// Host and port as others write them.
    fn domain(&self) -> &str {
        self.base_url.split_once("://").map_or(self.base_url.as_str(), |(_, domain)| domain)
    }

    fn streaming_url(&self) -> String {
        self.base_url.replacen("http", "ws", 1)
    }
}

/// Begins to serve. When this returns, the town can be called at the addresses it names.
pub async fn serve(server: TownServer) -> anyhow::Result<Serving> {
    let doors = listen::open_doors(&server.listen).await.context("the sandbox town cannot be served")?;
    let addresses = doors.iter().map(axum::serve::Listener::local_addr).collect::<Result<Vec<_>, _>>()?;
    let first = addresses.first().context("no address was opened")?;
    let host = if server.listen.starts_with("localhost:") { format!("localhost:{}", first.port()) } else { first.to_string() };
    let public_url = server.public_url.map_or_else(|| format!("http://{host}"), |url| url.trim_end_matches('/').to_owned());
    let wire = Arc::new(Wire {
        town: server.town,
        clock: server.clock,
        identity_url: server.identity_url.unwrap_or_else(|| public_url.clone()),
        base_url: public_url.clone(),
        heartbeat: server.heartbeat,
        shutdown: server.shutdown.clone(),
        helper_app: Mutex::default(),
    });
    let service = NormalizePathLayer::trim_trailing_slash().layer(routes::router(wire));
    let mut tasks = JoinSet::new();
    for door in doors {
        let service = axum::ServiceExt::<Request>::into_make_service_with_connect_info::<Scissors>(service.clone());
        let shutdown = server.shutdown.clone();
        tasks.spawn(async move { axum::serve(door, service).with_graceful_shutdown(shutdown.cancelled_owned()).await });
    }
    Ok(Serving { addresses, public_url, tasks })
}
