//! Word that something on the page has changed: an order, an enrolment, or anything in the town.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Play, who};
use crate::sandbox::person::Person;

/// Between two words, so that a burst of changes is one; the town counts the requests that follow.
const REST: Duration = Duration::from_millis(600);
/// A word all the same after this long.
const AT_LEAST: Duration = Duration::from_secs(30);
/// Before listening again to a stream of the town that ended.
const AGAIN: Duration = Duration::from_secs(2);

/// `GET /play/events`
pub(super) async fn events(State(state): State<Play>, headers: HeaderMap) -> Response {
    let changed = Arc::new(Notify::new());
    let gone = CancellationToken::new();
    if let Ok(Some(person)) = who::person(&state, &headers).await {
        for stream in ["user", "public"] {
            let hearing = hear(person.clone(), stream, changed.clone());
            tokio::spawn(gone.clone().run_until_cancelled_owned(hearing));
        }
    }
    let feed = Feed { state, changed, _gone: gone.drop_guard() };
    let words = stream::unfold(feed, |feed| async move {
        feed.next().await?;
        Some((Ok::<_, Infallible>(Event::default().event("changed").data("1")), feed))
    });
    Sse::new(words).keep_alive(KeepAlive::default()).into_response()
}

struct Feed {
    state: Play,
    changed: Arc<Notify>,
    /// Ends the listening with the browser's own stream.
    _gone: DropGuard,
}

impl Feed {
    /// `None`: the pages are to end.
    async fn next(&self) -> Option<()> {
        let signals = &self.state.app.signals;
        let mut orders = signals.orders();
        tokio::select! {
            () = self.state.end.cancelled() => return None,
            () = self.changed.notified() => {}
            _ = orders.recv() => {}
            () = signals.enrolment_changed() => {}
            () = tokio::time::sleep(AT_LEAST) => {}
        }
        tokio::select! {
            () = self.state.end.cancelled() => None,
            () = tokio::time::sleep(REST) => Some(()),
        }
    }
}

async fn hear(person: Person, stream: &'static str, changed: Arc<Notify>) {
    loop {
        if let Ok(mut events) = person.listen(stream).await {
            while matches!(events.next_event().await, Ok(true)) {
                changed.notify_one();
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
}
