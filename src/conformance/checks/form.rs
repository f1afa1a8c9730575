//! C1 and C9: what is said at the door, and orders that are wrong in form.

use reqwest::Method;
use serde_json::{Value, json};

use crate::bank::settlement::capabilities::Capabilities;
use crate::bank::settlement::wire::{ErrorClass, VERSION, money};
use crate::conformance::kit::{Hand, Trial, ensure, fail};
use crate::conformance::wire::Manner;

/// A version that nobody has written.
const NO_VERSION: &str = "99.7";

/// C1
pub(super) async fn capabilities(hand: &Hand<'_>) -> Trial {
    let unsigned = Manner { signer: None, ..hand.plainly() };
    let reply = match hand.send(Method::GET, "/capabilities", b"", unsigned).await {
        Ok(reply) => reply,
        Err(why) => fail!("/capabilities: {why}"),
    };
    ensure!(reply.status == 200, "/capabilities without authentication was answered with {}", reply.shortly());
    let declared = match serde_json::from_slice::<Capabilities>(&reply.body) {
        Ok(declared) => declared,
        Err(error) => fail!("/capabilities is not the protocol's document: {error}"),
    };
    if let Some(why) = declared.hindrance() {
        fail!("Obole cannot work with this backend: {why}");
    }
    for currency in &declared.currencies {
        let (least, most) = (money(&currency.min, &currency.code), money(&currency.max, &currency.code));
        let in_order = least.zip(most).is_some_and(|(least, most)| 0 < least.minor && least.minor <= most.minor);
        ensure!(in_order, "the range of {} is {} to {}", currency.code, currency.min, currency.max);
    }
    ensure!(!declared.products.is_empty(), "no product is declared");
    ensure!(!declared.authentication.is_empty(), "no way of authentication is declared");
    let path = format!("/payments/{}", hand.fresh_id());
    let strange = hand.send(Method::GET, &path, b"", Manner { version: NO_VERSION, ..hand.plainly() }).await;
    let strange = match strange {
        Ok(reply) => reply,
        Err(why) => fail!("Obole-Version {NO_VERSION}: {why}"),
    };
    hand.is_error(&strange, 400, "unsupported_version", "a version that nobody has written")?;
    let named = strange.problem().is_some_and(|problem| problem.versions.iter().any(|version| version == VERSION));
    ensure!(named, "unsupported_version does not say which versions are spoken");
    if let Some(key) = &hand.kit.key {
        let nobody = hand.send(Method::GET, &path, b"", unsigned).await;
        let Ok(nobody) = nobody else { fail!("a request without signature got no answer") };
        hand.is_error(&nobody, 401, "unauthenticated", "a request without signature")?;
        let forged = crate::bank::settlement::sign::RequestKey { id: key.id.clone(), secret: "x".repeat(32).into() };
        let forged = hand.send(Method::GET, &path, b"", Manner { signer: Some(&forged), ..hand.plainly() }).await;
        let Ok(forged) = forged else { fail!("a request with a wrong signature got no answer") };
        hand.is_error(&forged, 401, "unauthenticated", "a request signed with another secret")?;
    }
    Ok(())
}

/// What is done to a right order, and where the answer has to point.
fn spoilt(order: &Value) -> Vec<(&'static str, Value, Option<&'static str>)> {
    let with = |pointer: &str, value: Value| {
        let mut order = order.clone();
        if let Some(place) = order.pointer_mut(pointer) {
            *place = value;
        }
        order
    };
    let without = |key: &str| {
        let mut order = order.clone();
        order.as_object_mut().map(|order| order.remove(key));
        order
    };
    let beside = |parent: &str| {
        let mut order = order.clone();
        if let Some(object) = order.pointer_mut(parent).and_then(Value::as_object_mut) {
            object.insert("surprise".to_owned(), json!("yes"));
        }
        order
    };
    let iban = order.pointer("/creditor/iban").and_then(Value::as_str).unwrap_or_default().to_owned();
    // Another last digit: the check digits are wrong, and nothing else is.
    let swapped = {
        let mut digits: Vec<char> = iban.chars().collect();
        if let Some(last) = digits.last_mut() {
            *last = if *last == '0' { '1' } else { '0' };
        }
        digits.into_iter().collect::<String>()
    };
    let mut list = vec![
        ("an amount of nothing", with("/amount", json!("0.00")), Some("/amount")),
        ("a negative amount", with("/amount", json!("-1.00")), Some("/amount")),
        ("three decimals", with("/amount", json!("1.005")), Some("/amount")),
        ("one decimal", with("/amount", json!("1.5")), Some("/amount")),
        ("a decimal comma", with("/amount", json!("1,00")), Some("/amount")),
        ("an amount as a number", with("/amount", json!(1.0)), Some("/amount")),
        ("an amount beyond all banks", with("/amount", json!("999999999999999999.00")), Some("/amount")),
        ("no currency", with("/currency", json!("EURO")), Some("/currency")),
        ("wrong check digits", with("/creditor/iban", json!(swapped)), Some("/creditor/iban")),
        ("an empty account number", with("/debtor/iban", json!("")), Some("/debtor/iban")),
        ("signs that SEPA cannot carry", with("/remittance", json!("#telethon 10€ merci é")), Some("/remittance")),
        ("a text that is too long", with("/remittance", json!("A".repeat(141))), Some("/remittance")),
        ("a name that SEPA cannot carry", with("/creditor/name", json!("Croix-Rouge 🙂")), Some("/creditor/name")),
        ("a moment that is none", with("/valid_until", json!("tomorrow")), Some("/valid_until")),
        ("an id that is not the address's", with("/id", json!("0".repeat(32))), Some("/id")),
        ("an unknown key", beside(""), Some("/surprise")),
        ("an unknown key inside", beside("/creditor"), Some("/creditor/surprise")),
        ("a list in place of an object", with("/creditor", json!([])), None),
    ];
    for (what, key, path) in [
        ("no amount", "amount", "/amount"),
        ("no creditor", "creditor", "/creditor"),
        ("no debtor", "debtor", "/debtor"),
        ("no valid_until", "valid_until", "/valid_until"),
    ] {
        list.push((what, without(key), Some(path)));
    }
    list
}

/// C9
pub(super) async fn malformed(hand: &Hand<'_>) -> Trial {
    let right = hand.order(&hand.fresh_id(), &hand.amount())?;
    let id = right["id"].as_str().unwrap_or_default().to_owned();
    let address = format!("/payments/{id}");
    for (what, body) in [("no JSON", "{\"id\": "), ("two documents", "{} {}"), ("a bare word", "pay"), ("an empty body", "")] {
        let reply = hand.ask(Method::PUT, &address, body.as_bytes()).await?;
        let typed = reply.problem().is_some_and(|problem| problem.class == ErrorClass::Refused);
        let fits = matches!(reply.status, 400 | 415 | 422) && typed;
        ensure!(fits, "{what}: expected 400 malformed, and the answer is {}", reply.shortly());
    }
    for (what, body, path) in spoilt(&right) {
        let reply = hand.ask(Method::PUT, &address, body.to_string().as_bytes()).await?;
        hand.is_error(&reply, 422, "invalid", what)?;
        let fields = reply.problem().map(|problem| problem.fields).unwrap_or_default();
        let points =
            path.is_none_or(|path| fields.iter().any(|field| field.path == path || field.path.starts_with(&format!("{path}/"))));
        let named: Vec<&str> = fields.iter().map(|field| field.path.as_str()).collect();
        ensure!(points, "{what}: `fields` names {named:?} and not {}", path.unwrap_or_default());
    }
    let twice = right.to_string().replacen('{', "{\"amount\":\"9.99\",", 1);
    let reply = hand.ask(Method::PUT, &address, twice.as_bytes()).await?;
    ensure!(matches!(reply.status, 400 | 422), "a key that is there twice was answered with {}", reply.shortly());
    let long = "a".repeat(36);
    let mut order = right.clone();
    order["id"] = json!(long);
    let reply = hand.ask(Method::PUT, &format!("/payments/{long}"), order.to_string().as_bytes()).await?;
    hand.is_error(&reply, 422, "invalid", "an id of 36 characters")?;
    let huge = format!("{{\"remittance\":\"{}\"}}", "A".repeat(64 * 1024));
    // Whoever refuses to read on may hang up.
    if let Ok(reply) = hand.send(Method::PUT, &address, huge.as_bytes(), hand.plainly()).await {
        ensure!(matches!(reply.status, 413 | 422), "a body of 64 KiB was answered with {}", reply.shortly());
    }
    hand.nothing_moved(&id).await
}
