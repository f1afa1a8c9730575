//! Pages that keep themselves up to date: server-sent events that carry a freshly made piece of the page.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use crate::ids::OrderId;

/// Streams open at one time; whoever comes later has a page that is loaded again by hand.
pub(crate) const STREAMS: usize = 1024;
/// Between two pieces of one stream, so that a burst of changes is one.
const REST: Duration = Duration::from_millis(300);
/// A piece is made again after this long even if nothing was heard.
const AT_LEAST: Duration = Duration::from_secs(20);

/// Makes the piece anew; `None` ends the stream.
pub(crate) trait Piece: Send + Sync + 'static {
    /// The piece as HTML.
    fn make(&mut self) -> impl Future<Output = Option<String>> + Send;
    /// Whether a change of this order concerns it.
    fn concerns(&self, order: &OrderId) -> bool;
}

struct Feed<P> {
    piece: P,
    orders: Receiver<OrderId>,
    end: CancellationToken,
    last: Option<String>,
    _permit: OwnedSemaphorePermit,
}

/// A stream that tells the piece whenever it has changed, the first time at once.
pub(crate) fn stream<P: Piece>(
    streams: &Arc<Semaphore>,
    orders: Receiver<OrderId>,
    end: CancellationToken,
    piece: P,
) -> Result<Response, Failure> {
    let permit = streams.clone().try_acquire_owned().map_err(|_| Failure::Unavailable)?;
    let feed = Feed { piece, orders, end, last: None, _permit: permit };
    let events = stream::unfold(feed, |mut feed| async move {
        let piece = feed.next().await?;
        Some((Ok::<_, Infallible>(Event::default().event("piece").data(piece)), feed))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

impl<P: Piece> Feed<P> {
    async fn next(&mut self) -> Option<String> {
        loop {
            if self.last.is_some() {
                self.until_something_happens().await?;
            }
            let piece = self.piece.make().await?;
            if self.last.as_ref() != Some(&piece) {
                self.last = Some(piece.clone());
                return Some(piece);
            }
        }
    }

    /// Waits for a change, and then for the rest of its burst. `None`: the pages are to end.
    async fn until_something_happens(&mut self) -> Option<()> {
        let end = self.end.clone();
        let latest = Instant::now() + AT_LEAST;
        let heard = async {
            loop {
                match self.orders.recv().await {
                    Ok(order) if self.piece.concerns(&order) => break true,
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => break true,
                    Err(RecvError::Closed) => break false,
                }
            }
        };
        tokio::select! {
            () = end.cancelled() => return None,
            heard = heard => if !heard { return None },
            () = tokio::time::sleep_until(latest) => return Some(()),
        }
        tokio::select! {
            () = end.cancelled() => None,
            () = tokio::time::sleep(REST) => Some(()),
        }
    }
}
