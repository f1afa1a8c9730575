//! C8, C10 and C20: orders that come too late, a backend that dies, and a memory that ends.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::bank::settlement::capabilities::ClockFace;
use crate::bank::settlement::wire::State;
use crate::clock::{earlier, later};
use crate::conformance::kit::{Hand, Trial, ensure, fail, follows};
use crate::conformance::proxy::Fault;
use crate::conformance::report::Outcome;
use crate::conformance::wire::Manner;

/// How long a backend may take to come back after a restart.
const COMES_BACK: Duration = Duration::from_secs(30);

/// C8
pub(super) async fn too_late(hand: &Hand<'_>) -> Trial {
    let skew = Duration::from_secs(hand.kit.capabilities()?.clock_skew_seconds);
    let mut past = hand.order(&hand.fresh_id(), &hand.amount())?;
    past["valid_until"] = json!(earlier(hand.kit.now(), skew + Duration::from_secs(5)));
    let reply = hand.put(&past).await?;
    hand.is_error(&reply, 410, "expired", "an order whose valid_until has passed")?;
    hand.nothing_moved(past["id"].as_str().unwrap_or_default()).await?;
    // Sent in time, and held up on the way.
    let mut held = hand.order(&hand.fresh_id(), &hand.amount())?;
    held["valid_until"] = json!(later(hand.kit.now(), Duration::from_millis(1_000)));
    let pause = Duration::from_millis(2_200) + skew;
    if let Ok(reply) = hand.put_through(&held, Fault::HoldRequest(pause), pause + Duration::from_secs(10)).await {
        hand.is_error(&reply, 410, "expired", "an order that was held up until its valid_until had passed")?;
    }
    hand.nothing_moved(held["id"].as_str().unwrap_or_default()).await?;
    if !hand.kit.capabilities()?.cancel {
        return Ok(());
    }
    let order = hand.order(&hand.fresh_id(), &hand.amount())?;
    let id = order["id"].as_str().unwrap_or_default();
    let reply = hand.ask(Method::POST, &format!("/payments/{id}/cancel"), b"").await?;
    ensure!(reply.status == 200, "an id that was never seen cannot be taken back: {}", reply.shortly());
    let reply = hand.put(&order).await?;
    hand.is_error(&reply, 410, "cancelled", "an order that arrives after its cancellation")?;
    let reply = hand.get(id).await?;
    let stands = reply.read::<Value>().is_some_and(|view| view["state"] == "cancelled" && view["id"] == id);
    ensure!(reply.status == 200 && stands, "the tombstone of a cancelled id is answered with {}", reply.shortly());
    Ok(())
}

/// C10
pub(super) async fn restarted(hand: &Hand<'_>) -> Trial {
    hand.kit.capabilities()?;
    let Some(restart) = &hand.kit.restart else {
        return Err(Outcome::NotTried("needs --restart-cmd, a command that kills the backend and starts it again".to_owned()));
    };
    let settled = hand.order(&hand.fresh_id(), &hand.amount())?;
    hand.taken(&settled).await?;
    let settled_view = hand.at_end(&settled).await?;
    let fresh = hand.order(&hand.fresh_id(), &hand.amount())?;
    let fresh_view = hand.taken(&fresh).await?;
    if let Err(error) = restart().await {
        return Err(Outcome::NotTried(format!("the restart did not work: {error:#}")));
    }
    let end = Instant::now() + COMES_BACK;
    let unsigned = Manner { signer: None, timeout: Duration::from_secs(2), ..hand.plainly() };
    while !hand.send(Method::GET, "/capabilities", b"", unsigned).await.is_ok_and(|reply| reply.status == 200) {
        ensure!(Instant::now() < end, "it did not come back within {} s", COMES_BACK.as_secs());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for (order, before) in [(&settled, &settled_view), (&fresh, &fresh_view)] {
        follows(before, &hand.found(order).await?)?;
        let again = hand.put(order).await?;
        ensure!(again.status == 200, "after a restart a repeated order was answered with {}, not 200", again.shortly());
        hand.booked_once(&hand.at_end(order).await?).await?;
    }
    Ok(())
}

/// C20
pub(super) async fn memory_ended(hand: &Hand<'_>) -> Trial {
    let Some(retention) = hand.kit.capabilities()?.key_retention_seconds else {
        return Err(Outcome::NotDeclared("key_retention_seconds: ids are kept for ever".to_owned()));
    };
    let Some(clock) = hand.kit.ground.clock.clone() else {
        return Err(Outcome::NotTried("needs a test clock in the capabilities or in --profile".to_owned()));
    };
    let order = hand.order(&hand.fresh_id(), &hand.amount())?;
    hand.taken(&order).await?;
    let ended = hand.at_end(&order).await?;
    let wish = json!({"advance_seconds": retention + 3_600}).to_string();
    let reply = hand.ask(Method::POST, &clock, wish.as_bytes()).await?;
    let Some(face) = reply.read::<ClockFace>() else { fail!("the test clock was answered with {}", reply.shortly()) };
    hand.kit.set_ahead(face.now);
    let again = hand.put(&order).await?;
    ensure!(matches!(again.status, 200 | 410), "an order whose memory has ended was answered with {}", again.shortly());
    let mut renewed = order.clone();
    renewed["valid_until"] = json!(later(hand.kit.now(), Duration::from_secs(600)));
    let reply = hand.put(&renewed).await?;
    ensure!(reply.status >= 400, "after the memory has ended, the same id was taken a second time: {}", reply.shortly());
    let looked = hand.get(order["id"].as_str().unwrap_or_default()).await?;
    if looked.status == 200 {
        let view = hand.about(&order, &looked)?;
        follows(&ended, &view)?;
        ensure!(view.state() != Some(State::Received), "the payment has begun anew");
    }
    Ok(())
}
