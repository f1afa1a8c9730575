//! C3 to C7: one order is one payment, whatever happens on the way.

use std::time::Duration;

use serde_json::{Value, json};

use crate::bank::settlement::wire::PaymentView;
use crate::conformance::kit::{Hand, Trial, ensure, fail};
use crate::conformance::proxy::Fault;
use crate::conformance::wire::{Manner, Reply};

/// Equal orders at the same moment.
const AT_ONCE: usize = 20;
/// The patience of a client that gives up.
const IMPATIENT: Duration = Duration::from_millis(300);
/// How much later than that the answer lands.
const LATE: Duration = Duration::from_millis(900);
/// What a backend is given to notice that somebody hung up.
const BREATH: Duration = Duration::from_millis(60);

/// C3: the same order ×3 in a row, ×20 at the same moment.
pub(super) async fn again(hand: &Hand<'_>) -> Trial {
    let order = hand.order(&hand.fresh_id(), &hand.amount())?;
    let first = hand.put(&order).await?;
    ensure!(first.status == 201, "a new order was answered with {}", first.shortly());
    let mut views = vec![hand.about(&order, &first)?];
    for _ in 0..3 {
        let repeated = hand.put(&order).await?;
        ensure!(repeated.status == 200, "a repeated order was answered with {}, not 200", repeated.shortly());
        views.push(hand.about(&order, &repeated)?);
    }
    one_payment(&views)?;
    hand.booked_once(&hand.at_end(&order).await?).await?;

    let order = hand.order(&hand.fresh_id(), &hand.amount())?;
    let sent = (0..AT_ONCE).map(|_| hand.put(&order));
    let answers = futures_util::future::join_all(sent).await;
    let answers: Vec<Reply> = answers.into_iter().collect::<Trial<_>>()?;
    let mut views = Vec::new();
    for answer in &answers {
        ensure!(matches!(answer.status, 200 | 201), "one of {AT_ONCE} equal orders at once was answered with {}", answer.shortly());
        views.push(hand.about(&order, answer)?);
    }
    let new = answers.iter().filter(|answer| answer.status == 201).count();
    ensure!(new == 1, "of {AT_ONCE} equal orders at once {new} were answered as new");
    one_payment(&views)?;
    hand.booked_once(&hand.at_end(&order).await?).await
}

/// All answers speak of the same payment.
fn one_payment(views: &[PaymentView]) -> Trial {
    let mut references: Vec<&str> = views.iter().filter_map(|view| view.bank_reference.as_deref()).collect();
    references.sort_unstable();
    references.dedup();
    ensure!(references.len() < 2, "one order got {} bank references: {}", references.len(), references.join(", "));
    Ok(())
}

/// C4: another amount, payee, payer, text or date under the same id.
pub(super) async fn another_body(hand: &Hand<'_>) -> Trial {
    let order = hand.order(&hand.fresh_id(), &hand.amount())?;
    let first = hand.taken(&order).await?;
    let other = hand.kit.ground.other_creditor.clone().or_else(|| hand.kit.ground.debtor.clone());
    let mut changes: Vec<(&str, Value)> = vec![
        ("/amount", json!("1.01")),
        ("/remittance", json!("ANOTHER TEXT")),
        ("/creditor/name", json!("Another Name")),
        ("/valid_until", json!(crate::clock::later(hand.kit.now(), Duration::from_secs(700)))),
    ];
    if let Some(other) = other {
        changes.push(("/creditor/iban", json!(other.iban)));
    }
    for (pointer, value) in changes {
        let mut changed = order.clone();
        if let Some(place) = changed.pointer_mut(pointer) {
            *place = value;
        }
        let reply = hand.put(&changed).await?;
        hand.is_error(&reply, 409, "conflict", &format!("the same id with another {pointer}"))?;
    }
    let mut dollars = order.clone();
    dollars["currency"] = json!("USD");
    let reply = hand.put(&dollars).await?;
    if reply.status != 422 {
        hand.is_error(&reply, 409, "conflict", "the same id with another currency")?;
    }
    let ended = hand.at_end(&order).await?;
    ensure!(ended.bank_reference == first.bank_reference || first.bank_reference.is_none(), "the payment is another one now");
    hand.booked_once(&ended).await
}

/// C5: the order is delivered, the answer is not; then it is looked up and repeated.
pub(super) async fn answer_cut(hand: &Hand<'_>) -> Trial {
    for fault in [Fault::CutAnswer { bytes: 0 }, Fault::CutAnswer { bytes: 40 }, Fault::CutAtDelivery] {
        let order = hand.order(&hand.fresh_id(), &hand.amount())?;
        if let Ok(reply) = hand.put_through(&order, fault, Duration::from_secs(5)).await {
            fail!("the fault proxy let an answer through ({}); this is a mistake of the kit", reply.shortly());
        }
        tokio::time::sleep(BREATH).await;
        let id = order["id"].as_str().unwrap_or_default();
        let looked = hand.get(id).await?;
        ensure!(matches!(looked.status, 200 | 404), "after {} the look-up answers {}", fault.name(), looked.shortly());
        let known = if looked.status == 200 { Some(hand.about(&order, &looked)?) } else { None };
        let repeated = hand.taken(&order).await?;
        if let Some(known) = known {
            one_payment(&[known, repeated])?;
        }
        let ended = hand.at_end(&order).await?;
        hand.booked_once(&ended).await?;
    }
    Ok(())
}

/// C6: the order breaks off at several places. It is taken whole (never, for it never came whole) or not at all.
pub(super) async fn request_cut(hand: &Hand<'_>) -> Trial {
    // The seed moves the places a little, so that another run cuts elsewhere.
    let shift = usize::try_from(hand.kit.seed % 7).unwrap_or(0);
    for hundredths in [0, 25, 50, 75, 90, 100] {
        let order = hand.order(&hand.fresh_id(), &hand.amount())?;
        let length = order.to_string().len();
        let cut = (length * hundredths / 100 + shift).clamp(1, length - 1);
        let manner = Manner { cut_at: Some(cut), timeout: Duration::from_secs(2), ..hand.plainly() };
        if let Ok(reply) = hand.put_so(&order, manner).await {
            ensure!(reply.status >= 400, "an order of which {cut} of {length} bytes came was answered with {}", reply.shortly());
        }
        tokio::time::sleep(BREATH).await;
        hand.nothing_moved(order["id"].as_str().unwrap_or_default()).await?;
        // And it is no hindrance to the whole one.
        if hundredths == 100 {
            hand.taken(&order).await?;
            hand.booked_once(&hand.at_end(&order).await?).await?;
        }
    }
    Ok(())
}

/// C7: the client gives up, repeats, and then the first answer lands.
pub(super) async fn too_slow(hand: &Hand<'_>) -> Trial {
    let order = hand.order(&hand.fresh_id(), &hand.amount())?;
    let late = hand.put_through(&order, Fault::DelayAnswer(LATE), IMPATIENT);
    ensure!(late.await.is_err(), "the fault proxy did not hold the answer back; this is a mistake of the kit");
    hand.taken(&order).await?;
    tokio::time::sleep(LATE).await;
    hand.booked_once(&hand.at_end(&order).await?).await?;
    let Some(slow) = hand.trigger("slow") else { return Ok(()) };
    let order = hand.order(&hand.fresh_id(), &slow.amount)?;
    // The first is still at work when the second comes.
    let first = hand.put_so(&order, Manner { timeout: IMPATIENT, ..hand.plainly() });
    let second = async {
        tokio::time::sleep(IMPATIENT / 2).await;
        hand.put(&order).await
    };
    let (_, second) = tokio::join!(first, second);
    let second = second?;
    ensure!(matches!(second.status, 200 | 201 | 503), "a repetition beside a slow order was answered with {}", second.shortly());
    hand.taken(&order).await?;
    hand.booked_once(&hand.at_end(&order).await?).await
}
