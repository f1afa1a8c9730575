//! C16 and C19: who may see what, and who is who.

use reqwest::Method;
use serde_json::json;

use crate::bank::settlement::wire::PayeeAnswer;
use crate::conformance::kit::{Hand, Trial, ensure, fail};
use crate::conformance::report::Outcome;
use crate::conformance::wire::Manner;

/// C16
pub(super) async fn strangers(hand: &Hand<'_>) -> Trial {
    hand.kit.capabilities()?;
    let id = hand.fresh_id();
    let reply = hand.get(&id).await?;
    hand.is_error(&reply, 404, "payment_not_found", "an id that was never seen")?;
    let order = hand.order(&hand.fresh_id(), &hand.amount())?;
    hand.taken(&order).await?;
    let Some(second) = &hand.kit.second else { return Ok(()) };
    let id = order["id"].as_str().unwrap_or_default();
    let as_second = Manner { signer: Some(second), ..hand.plainly() };
    let path = format!("/payments/{id}");
    let reply = match hand.send(Method::GET, &path, b"", as_second).await {
        Ok(reply) => reply,
        Err(why) => fail!("the second client got no answer: {why}"),
    };
    ensure!(reply.status != 401, "the second client is not known to the backend");
    hand.is_error(&reply, 404, "payment_not_found", "another client's payment")?;
    if hand.kit.capabilities()?.cancel {
        let reply = hand.send(Method::POST, &format!("{path}/cancel"), b"", as_second).await;
        let leaked =
            reply.ok().and_then(|reply| reply.read::<serde_json::Value>()).is_some_and(|told| told.get("amount").is_some());
        ensure!(!leaked, "another client's cancellation is answered with our payment");
    }
    let ended = hand.at_end(&order).await?;
    ensure!(ended.state != "cancelled", "another client has taken our payment back");
    for path in ["/events", "/events?after=0"] {
        let Ok(feed) = hand.send(Method::GET, path, b"", as_second).await else { continue };
        let leaked = String::from_utf8_lossy(&feed.body).contains(&format!("\"{id}\",\"state\":\"settled\""))
            || String::from_utf8_lossy(&feed.body).contains(ended.bank_reference.as_deref().unwrap_or("\u{0}"));
        ensure!(!leaked, "another client's feed shows our payment");
    }
    Ok(())
}

/// C19 (S)
pub(super) async fn payees(hand: &Hand<'_>) -> Trial {
    if !hand.kit.capabilities()?.payee_verification {
        return Err(Outcome::NotDeclared("payee_verification".to_owned()));
    }
    let questions = &hand.kit.ground.payees;
    if questions.is_empty() {
        return Err(Outcome::NotTried("needs test payees in the capabilities or in --profile".to_owned()));
    }
    for question in questions {
        let body = json!({"iban": question.iban, "name": question.name}).to_string();
        let reply = hand.ask(Method::POST, "/payee-verifications", body.as_bytes()).await?;
        ensure!(reply.status == 200, "a question about a payee was answered with {}", reply.shortly());
        let Some(answer) = reply.read::<PayeeAnswer>() else { fail!("the answer about a payee cannot be read") };
        ensure!(answer.result == question.result, "{:?}: {} instead of {}", question.name, answer.result, question.result);
        let named = answer.name.as_deref().is_some_and(|name| !name.is_empty());
        ensure!(
            (answer.result == "close_match") == named,
            "{}: the true name is told with close_match, and only then",
            answer.result
        );
    }
    let reply = hand.ask(Method::POST, "/payee-verifications", br#"{"iban":"FR00","name":"x"}"#).await?;
    hand.is_error(&reply, 422, "invalid", "a question about an account number that is none")
}
