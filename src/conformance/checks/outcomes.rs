//! C2, C11, C14, C15 and C17: how payments end.

use std::time::Duration;

use reqwest::Method;

use crate::bank::settlement::wire::{ErrorClass, State};
use crate::conformance::kit::{Hand, Trial, ensure, fail, follows};
use crate::conformance::report::Outcome;
use crate::conformance::wire::Manner;

/// How often, and how far apart, a payment at its end is looked at again.
const LOOKS: usize = 12;
const GLANCE: Duration = Duration::from_millis(70);

/// C2
pub(super) async fn to_the_end(hand: &Hand<'_>) -> Trial {
    let order = hand.order(&hand.fresh_id(), &hand.amount())?;
    let first = hand.taken(&order).await?;
    let ended = hand.at_end(&order).await?;
    follows(&first, &ended)?;
    ensure!(
        ended.state() == Some(State::Settled),
        "a payment of {} that nothing stands in the way of is {}",
        hand.amount(),
        ended.state
    );
    for _ in 0..LOOKS {
        tokio::time::sleep(GLANCE).await;
        follows(&ended, &hand.found(&order).await?)?;
    }
    hand.booked_once(&ended).await
}

/// C11 (S)
pub(super) async fn sent_away(hand: &Hand<'_>) -> Trial {
    hand.kit.capabilities()?;
    let mut tried = false;
    for (what, status) in [("rate_limited", 429), ("unavailable", 503)] {
        let Some(trigger) = hand.trigger(what) else { continue };
        tried = true;
        let order = hand.order(&hand.fresh_id(), &trigger.amount)?;
        let reply = hand.put_so(&order, Manner { patient: false, ..hand.plainly() }).await;
        let Ok(reply) = reply else { fail!("the test sum {what} got no answer") };
        hand.is_error(&reply, status, what, "the test sum")?;
        let Some(wait) = reply.retry_after.filter(|seconds| *seconds > 0) else {
            fail!("{status} {what} does not say when to come back (Retry-After)")
        };
        hand.nothing_moved(order["id"].as_str().unwrap_or_default()).await?;
        tokio::time::sleep(Duration::from_secs(wait.min(10))).await;
        // What was not taken may be sent again, and is one payment.
        hand.taken(&order).await?;
        hand.booked_once(&hand.at_end(&order).await?).await?;
    }
    if let Some(trigger) = hand.trigger("error_after_taken") {
        tried = true;
        let order = hand.order(&hand.fresh_id(), &trigger.amount)?;
        let reply = hand.put(&order).await?;
        ensure!(reply.status >= 500, "the test sum error_after_taken was answered with {}", reply.shortly());
        let class = reply.problem().map(|problem| problem.class);
        let honest = class.is_none_or(|class| class == ErrorClass::Unknown);
        ensure!(honest, "an error after the payment was taken is said to be {}", reply.shortly());
        // The look-up tells the truth, and a repetition is the same payment.
        hand.found(&order).await?;
        let again = hand.put(&order).await?;
        ensure!(matches!(again.status, 200 | 500), "a repetition after an error was answered with {}", again.shortly());
        hand.booked_once(&hand.at_end(&order).await?).await?;
    }
    if tried {
        return Ok(());
    }
    let why = "needs a test sum (rate_limited, unavailable or error_after_taken) in the capabilities or in --profile";
    Err(Outcome::NotTried(why.to_owned()))
}

/// C14 (S)
pub(super) async fn refused(hand: &Hand<'_>) -> Trial {
    let mut triggers = hand.triggers("refused")?;
    triggers.extend(hand.trigger("late_refusal"));
    for trigger in triggers {
        let order = hand.order(&hand.fresh_id(), &trigger.amount)?;
        hand.taken(&order).await?;
        let ended = hand.becomes(&order, State::Refused).await?;
        let told = ended.reason.as_ref().map(|reason| reason.code.clone());
        ensure!(told.is_some(), "a refusal ({}) does not say why", trigger.what);
        if let Some(wanted) = &trigger.reason {
            ensure!(told.as_ref() == Some(wanted), "the reason is {told:?} and not {wanted}");
        }
        hand.booked_once(&ended).await?;
        // Refused once is refused for ever.
        follows(&ended, &hand.taken(&order).await?)?;
        follows(&ended, &hand.found(&order).await?)?;
    }
    Ok(())
}

/// C15 (S)
pub(super) async fn returned(hand: &Hand<'_>) -> Trial {
    if !hand.kit.capabilities()?.returns {
        return Err(Outcome::NotDeclared("returns".to_owned()));
    }
    for trigger in hand.triggers("returned")? {
        let order = hand.order(&hand.fresh_id(), &trigger.amount)?;
        hand.taken(&order).await?;
        let ended = hand.becomes(&order, State::Returned).await?;
        let told = ended.reason.as_ref().map(|reason| reason.code.as_str());
        ensure!(trigger.reason.as_deref().is_none_or(|wanted| told == Some(wanted)), "the reason of the return is {told:?}");
        hand.booked_once(&ended).await?;
        if let Some(entries) = hand.entries().await? {
            let back: Vec<_> = entries
                .iter()
                .filter(|entry| entry.end_to_end_id.as_deref() == Some(&ended.id) && !entry.amount.starts_with('-'))
                .collect();
            ensure!(back.len() == 1, "a returned payment has {} entries that give it back", back.len());
            let whole = back.iter().all(|entry| Some(entry.amount.as_str()) == ended.amount.as_deref() && entry.kind == "return");
            ensure!(whole, "the entry that gives it back is {:?}", back.first());
        }
        follows(&ended, &hand.found(&order).await?)?;
    }
    Ok(())
}

/// C17
pub(super) async fn cancelled(hand: &Hand<'_>) -> Trial {
    if !hand.kit.capabilities()?.cancel {
        return Err(Outcome::NotDeclared("cancel".to_owned()));
    }
    let cancel = async |order: &serde_json::Value| {
        let id = order["id"].as_str().unwrap_or_default();
        hand.ask(Method::POST, &format!("/payments/{id}/cancel"), b"").await
    };
    // Before execution: the bank waits for the payer.
    if let Some(trigger) = hand.trigger("needs_payer") {
        let order = hand.order(&hand.fresh_id(), &trigger.amount)?;
        hand.taken(&order).await?;
        let waiting = hand.becomes(&order, State::AwaitingPayer).await?;
        let page = waiting.next_action.as_ref().and_then(|action| action.url.as_deref());
        ensure!(page.is_some_and(|page| page.starts_with("http")), "awaiting_payer does not say where the payer has to go");
        for _ in 0..2 {
            let reply = cancel(&order).await?;
            ensure!(reply.status == 200, "a payment that waits for the payer cannot be taken back: {}", reply.shortly());
            ensure!(
                hand.about(&order, &reply)?.state() == Some(State::Cancelled),
                "a cancellation was answered with another state"
            );
        }
        hand.booked_once(&hand.found(&order).await?).await?;
    }
    // During: either way, but what was said holds.
    let order = hand.order(&hand.fresh_id(), &hand.amount())?;
    hand.taken(&order).await?;
    let reply = cancel(&order).await?;
    let said = reply.status == 200;
    if said {
        ensure!(hand.about(&order, &reply)?.state() == Some(State::Cancelled), "a cancellation was answered with another state");
    } else {
        hand.is_error(&reply, 409, "too_late", "a cancellation during execution")?;
    }
    let ended = hand.at_end(&order).await?;
    let is_cancelled = ended.state() == Some(State::Cancelled);
    ensure!(said == is_cancelled, "the cancellation was answered with {} and the payment is {}", reply.status, ended.state);
    hand.booked_once(&ended).await?;
    // After: too late.
    let order = hand.order(&hand.fresh_id(), &hand.amount())?;
    hand.taken(&order).await?;
    let ended = hand.becomes(&order, State::Settled).await?;
    let reply = cancel(&order).await?;
    hand.is_error(&reply, 409, "too_late", "a cancellation after settlement")?;
    follows(&ended, &hand.found(&order).await?)
}
