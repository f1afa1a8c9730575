//! Payments: taking, looking up, taking back, and noticing what became of them.
//!
//! One lock is held while something is decided, so that equal orders at the same moment find each other. The work goes on when the
//! client hangs up: it is a task of its own.

use std::time::Duration;

use axum::Json;
use axum::extract::{Extension, Path, State as Extract};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::failure::Failure;
use super::gate::{Client, Content};
use super::register::{Plan, Register, Row};
use super::{Shared, State, defect, order, trigger};
use crate::bank::fake::{
    Circumstances, ConsentId, Instruction, MovementKind, Payment, PaymentId, Phase, Product, Reason as BankReason, ReturnTo, Right,
    Status,
};
use crate::bank::settlement::wire::{NextAction, PaymentOrder, PaymentView, Reason, State as Standing, money};
use crate::clock::{Clock as _, Timestamp, later};
use crate::iban::Iban;

/// How long a test sum keeps its consequences to itself.
const LATER: Duration = Duration::from_millis(300);
/// How long a slow answer takes.
const SLOW: Duration = Duration::from_millis(1_500);

type Answer = Result<(StatusCode, Json<PaymentView>), Failure>;

/// `PUT /payments/{id}`
pub(super) async fn put(
    Extract(state): Extract<Shared>,
    Extension(client): Extension<Client>,
    Path(id): Path<String>,
    Extension(content): Extension<Content>,
) -> Response {
    if state.makes(defect::ABORTS_WITH_CONNECTION) {
        return careless(&state, &client.0, &id, &content).await.into_response();
    }
    // Whoever hangs up does not stop what has begun.
    let work = tokio::spawn(async move { take(&state, &client.0, &id, &content).await });
    work.await.unwrap_or_else(|error| Err(Failure::internal(error))).into_response()
}

async fn take(state: &State, client: &str, id: &str, content: &Content) -> Answer {
    let order = if content.broke_off {
        order::guess(id, &content.bytes, state.clock.now()).ok_or_else(|| Failure::new("malformed", "The body broke off."))?
    } else {
        order::read(state, id, &content.bytes)?
    };
    let (payer, payee, amount) = parties(&order)?;
    let mut register = state.register.lock().await;
    catch_up(state, &mut register).await?;
    let now = state.clock.now();
    if let Some(row) = register.get(client, id).cloned()
        && !is_forgotten(state, &row, now)
    {
        return repeated(state, &mut register, row, order).await;
    }
    let struck = trigger::of(&order.amount);
    admit(state, &mut register, &order, struck, now)?;
    if state.makes(defect::RACE) {
        drop(register);
        tokio::time::sleep(LATER).await;
        register = state.register.lock().await;
    }
    let plan = match struck {
        Some(("late_refusal", _)) => Some(Plan::RefuseAt(later(now, LATER))),
        Some(("returned", Some(reason))) => Some(Plan::Return { reason: reason.to_owned(), at: later(now, LATER) }),
        _ => None,
    };
    let row = Row {
        client: client.to_owned(),
        id: id.to_owned(),
        order: Some(order.clone()),
        bank_payment: None,
        state: Standing::Received.as_str().to_owned(),
        reason: None,
        next_action: None,
        sequence: 1,
        received_at: now,
        updated_at: now,
        plan,
    };
    register.save(row.clone(), true).await?;
    let again = state.makes(defect::SLOW_BOOKS_AGAIN) && matches!(struck, Some(("slow", _)));
    if again {
        register.forget(client, id).await?;
    }
    let row = carry_out(state, &mut register, row, (payer, payee, amount)).await?;
    if again {
        register.forget(client, id).await?;
    }
    if let Some((what, _)) = struck {
        drop(register);
        match what {
            "slow" => tokio::time::sleep(SLOW).await,
            "error_after_taken" if register_says_so(state, client, id).await? => {
                return Err(Failure::new("internal", "This sum breaks on purpose, after the payment was taken."));
            }
            _ => {}
        }
        if again {
            state.register.lock().await.save(row.clone(), false).await?;
        }
    }
    Ok((StatusCode::CREATED, Json(row.view())))
}

/// A sum that breaks after the payment was taken; with the planted mistake it takes the memory of it along.
async fn register_says_so(state: &State, client: &str, id: &str) -> Result<bool, Failure> {
    if state.makes(defect::ERROR_HIDES_PAYMENT) {
        state.register.lock().await.forget(client, id).await?;
    }
    Ok(true)
}

/// What `aborts-with-connection` does: it books first, and remembers when it has answered.
async fn careless(state: &State, client: &str, id: &str, content: &Content) -> Answer {
    let answer = take(state, client, id, content).await?;
    if answer.0 == StatusCode::CREATED {
        let row = {
            let mut register = state.register.lock().await;
            let row = register.get(client, id).cloned();
            register.forget(client, id).await?;
            row
        };
        tokio::time::sleep(LATER).await;
        if let Some(row) = row {
            state.register.lock().await.save(row, false).await?;
        }
    }
    Ok(answer)
}

/// Only a planted mistake forgets: an id whose time of memory is over, or any.
fn is_forgotten(state: &State, row: &Row, now: Timestamp) -> bool {
    let is_over = later(row.received_at, Duration::from_secs(trigger::RETENTION_SECONDS)) <= now;
    (state.makes(defect::RETENTION_ENDS_MEMORY) && is_over)
        || (state.makes(defect::FORGETS_KEYS) && row.order.is_some())
        || (state.makes(defect::NO_TOMBSTONE) && row.order.is_none())
}

/// Accounts and sum of an order that was read.
fn parties(order: &PaymentOrder) -> Result<(Iban, Iban, crate::money::Money), Failure> {
    let iban = |text: &str, path: &str| text.parse::<Iban>().map_err(|_| Failure::field(path, "is not an IBAN"));
    let amount = money(&order.amount, &order.currency).ok_or_else(|| Failure::field("/amount", "cannot be read"))?;
    // A backend that does not look at check digits pays somebody all the same.
    let creditor = iban(&order.creditor.iban, "/creditor/iban").or_else(|_| iban(&order.debtor.iban, "/creditor/iban"))?;
    Ok((iban(&order.debtor.iban, "/debtor/iban")?, creditor, amount))
}

/// An order under an id that is known.
async fn repeated(state: &State, register: &mut Register, row: Row, order: PaymentOrder) -> Answer {
    let Some(first) = &row.order else {
        return Err(Failure::new("cancelled", "The payment was taken back before this order came."));
    };
    if *first != order {
        if state.makes(defect::OVERWRITES) {
            let (payer, payee, amount) = parties(&order)?;
            let row = Row { order: Some(order), bank_payment: None, sequence: row.sequence + 1, ..row };
            let row = carry_out(state, register, row, (payer, payee, amount)).await?;
            return Ok((StatusCode::OK, Json(row.view())));
        }
        if !state.makes(defect::ANSWERS_OLD) {
            return Err(Failure::new("conflict", "Another order was sent under this id before."));
        }
    }
    if state.makes(defect::REPETITION_IS_ERROR) {
        return Err(Failure::new("conflict", "This id was used before."));
    }
    if state.makes(defect::BOOKS_AGAIN) {
        let (payer, payee, amount) = parties(&order)?;
        let _ = state.bank.initiate(instruction(&order, payer, payee, amount), &Circumstances::default());
    }
    // Whoever wrote it down may have died before the bank had it.
    let row = if row.bank_payment.is_none() && !row.state().is_final() {
        carry_out(state, register, row, parties(&order)?).await?
    } else {
        row
    };
    Ok((StatusCode::OK, Json(row.view())))
}

/// Whether an order that was read is taken at this moment.
fn admit(
    state: &State,
    register: &mut Register,
    order: &PaymentOrder,
    struck: Option<(&'static str, Option<&'static str>)>,
    now: Timestamp,
) -> Result<(), Failure> {
    if order.valid_until <= now && !state.makes(defect::ACCEPTS_LATE) {
        return Err(Failure::new("expired", "The order's valid_until has passed."));
    }
    if later(now, Duration::from_secs(trigger::LONGEST_VALIDITY_SECONDS)) < order.valid_until {
        return Err(Failure::field("/valid_until", "is further ahead than longest_validity_seconds"));
    }
    let (payer, _, amount) = parties(order)?;
    if state.bank.account(&payer).is_err() {
        return Err(Failure::field("/debtor/iban", "is not held here"));
    }
    if let Some(link) = &order.debtor.account_link {
        let consent = state.bank.consent(&ConsentId(link.clone()));
        if !consent.is_ok_and(|consent| consent.allows(&payer, Right::Account)) {
            return Err(Failure::field("/debtor/account_link", "does not cover this account, or not any more"));
        }
    }
    if state.bank.settings().exempt_up_to.minor < amount.minor && order.return_url.is_none() {
        return Err(Failure::field("/return_url", "is missing: this sum needs the payer at the bank's page"));
    }
    if let Some((what @ ("rate_limited" | "unavailable"), _)) = struck
        && register.struck.insert(format!("{what}:{}", order.id))
    {
        let failure = Failure::new(what, "This sum is sent away once, on purpose.").after(1);
        return Err(if state.makes(defect::NO_RETRY_AFTER) { failure.without_retry_after() } else { failure });
    }
    Ok(())
}

fn instruction(order: &PaymentOrder, debtor: Iban, creditor: Iban, amount: crate::money::Money) -> Instruction {
    Instruction {
        product: Product::InstantSepaCreditTransfers,
        debtor,
        creditor,
        creditor_name: order.creditor.name.clone(),
        amount,
        end_to_end: Some(order.id.clone()),
        remittance: order.remittance.clone(),
    }
}

/// Has the bank carry out what is written down, and writes down what the bank says to that.
async fn carry_out(
    state: &State,
    register: &mut Register,
    mut row: Row,
    (payer, payee, amount): (Iban, Iban, crate::money::Money),
) -> Result<Row, Failure> {
    let Some(order) = row.order.clone() else { return Ok(row) };
    let wish = instruction(&order, payer, payee, amount);
    // The bank may have it already, and only our note of that was lost with the process.
    let known = state.bank.payments_with(&order.id)?.into_iter().find(|payment| {
        payment.instruction == wish && !register_names(register, &payment.id) && row.bank_payment.is_none() && row.sequence == 1
    });
    let payment = match known {
        Some(payment) if !books_twice(state) => payment,
        _ => {
            let reject = match trigger::of(&order.amount) {
                Some(("refused", Some(reason))) => Some(BankReason(reason.to_owned())),
                _ => None,
            };
            let return_to = ReturnTo { approved: order.return_url.clone(), refused: order.return_url.clone() };
            let always_ask = matches!(row.plan, Some(Plan::RefuseAt(_)));
            let return_to = if always_ask && return_to.approved.is_none() {
                ReturnTo { approved: Some("http://localhost/".to_owned()), refused: None }
            } else {
                return_to
            };
            let with = Circumstances { return_to, explicit_authorisation: false, always_ask, reject };
            state.bank.initiate(wish, &with)?
        }
    };
    row.bank_payment = Some(payment.id.0.clone());
    register.save(row.clone(), false).await?;
    let moved = moved(state, &row, &payment);
    if let Some(next) = moved {
        register.save(next.clone(), true).await?;
        return Ok(next);
    }
    Ok(row)
}

/// Mistakes of which nothing would be seen if the bank were asked whether it has the payment already.
fn books_twice(state: &State) -> bool {
    let forgetful = [
        defect::RACE,
        defect::FORGETS_KEYS,
        defect::ABORTS_WITH_CONNECTION,
        defect::SLOW_BOOKS_AGAIN,
        defect::RETENTION_ENDS_MEMORY,
    ];
    forgetful.into_iter().any(|defect| state.makes(defect))
}

fn register_names(register: &Register, payment: &PaymentId) -> bool {
    register.open_rows().iter().any(|row| row.bank_payment.as_ref() == Some(&payment.0))
}

/// The row as it is after what the bank says now; `None` if nothing changed.
fn moved(state: &State, row: &Row, payment: &Payment) -> Option<Row> {
    let (standing, reason) = standing(state, row, payment);
    let next_action = payment.authorisations.last().filter(|_| standing == Standing::AwaitingPayer).map(|id| NextAction {
        kind: "redirect".to_owned(),
        url: Some(format!("{}/approve/{id}", state.bank_pages())),
        expires_at: if let Phase::AwaitingApproval { until } = payment.phase { Some(until) } else { None },
    });
    if standing == row.state() || !row.state().may_become(standing) {
        return None;
    }
    Some(Row {
        state: standing.as_str().to_owned(),
        reason: reason.map(|code| Reason { code, text: None }),
        next_action,
        sequence: row.sequence + 1,
        updated_at: state.clock.now(),
        ..row.clone()
    })
}

fn standing(state: &State, row: &Row, payment: &Payment) -> (Standing, Option<String>) {
    let reason = || payment.reason.as_ref().map(|reason| reason.0.clone()).filter(|_| !state.makes(defect::NO_REASON));
    match payment.status {
        Status::Rcvd if matches!(row.plan, Some(Plan::RefuseAt(_))) => (Standing::Executing, None),
        Status::Rcvd if matches!(payment.phase, Phase::AwaitingApproval { .. }) => (Standing::AwaitingPayer, None),
        Status::Rcvd | Status::Patc | Status::Actc | Status::Accp => (Standing::Received, None),
        Status::Acsp => (Standing::Executing, None),
        Status::Acsc if payment.returned && !state.makes(defect::HIDES_RETURN) => {
            (Standing::Returned, Some(returned_because(state, payment)))
        }
        Status::Acsc => (Standing::Settled, None),
        Status::Rjct => (Standing::Refused, reason()),
        Status::Canc => (Standing::Cancelled, reason()),
    }
}

/// What the entry that gave it back says.
fn returned_because(state: &State, payment: &Payment) -> String {
    let entries = state.bank.entries(&payment.instruction.debtor, crate::bank::fake::Days::default(), 0, usize::MAX);
    let is_return =
        |entry: &&crate::bank::fake::Entry| entry.kind == MovementKind::Return && entry.payment.as_ref() == Some(&payment.id);
    let text = entries.ok().and_then(|(entries, _)| entries.iter().find(is_return).and_then(|entry| entry.remittance.clone()));
    text.and_then(|text| text.strip_prefix("RETURN ").map(str::to_owned)).unwrap_or_else(|| "NARR".to_owned())
}

/// Writes down what has happened since somebody looked last, and does what test sums have in store.
pub(super) async fn catch_up(state: &State, register: &mut Register) -> Result<(), Failure> {
    let now = state.clock.now();
    for row in register.open_rows() {
        let Some(id) = row.bank_payment.clone().map(PaymentId) else {
            // Whoever wrote it down died before the bank had it.
            if let Some(parties) = row.order.as_ref().map(parties).transpose()?
                && !books_twice(state)
            {
                carry_out(state, register, row, parties).await?;
            }
            continue;
        };
        let mut payment = state.bank.payment(&id)?;
        match &row.plan {
            Some(Plan::RefuseAt(at)) if *at <= now && payment.status == Status::Rcvd => {
                if let Some(authorisation) = payment.authorisations.last() {
                    let _ = state.bank.answer(authorisation, false, None);
                }
            }
            // Seen as settled first: whoever asks in between has to.
            Some(Plan::Return { reason, at })
                if *at <= now && payment.status == Status::Acsc && !payment.returned && row.state() == Standing::Settled =>
            {
                let _ = state.bank.give_back(&id, &BankReason(reason.clone()));
            }
            _ => {}
        }
        payment = state.bank.payment(&id)?;
        if let Some(next) = moved(state, &row, &payment) {
            register.save(next, true).await?;
        }
    }
    Ok(())
}

/// `GET /payments/{id}`
pub(super) async fn read(
    Extract(state): Extract<Shared>,
    Extension(client): Extension<Client>,
    Path(id): Path<String>,
) -> Result<Json<PaymentView>, Failure> {
    let mut register = state.register.lock().await;
    catch_up(&state, &mut register).await?;
    let anybodys = state.makes(defect::LEAKS).then(|| register.get_anybodys(&id)).flatten();
    let Some(row) = register.get(&client.0, &id).or(anybodys) else {
        if state.makes(defect::UNKNOWN_IS_REFUSED) {
            let (state, updated_at) = (Standing::Refused.as_str().to_owned(), state.clock.now());
            let reason = Some(Reason { code: "NARR".to_owned(), text: None });
            return Ok(Json(PaymentView { id, state, sequence: 1, updated_at, reason, ..PaymentView::nothing() }));
        }
        return Err(Failure::new("payment_not_found", "There is no payment under this id."));
    };
    let mut view = row.view();
    // Every other second, as a second node that is behind would.
    if state.makes(defect::FINAL_GOES_BACK) && row.state() == Standing::Settled && state.wall.now().as_millisecond() % 400 < 200 {
        view.state = Standing::Executing.as_str().to_owned();
    }
    Ok(Json(view))
}

/// `POST /payments/{id}/cancel`
pub(super) async fn cancel(
    Extract(state): Extract<Shared>,
    Extension(client): Extension<Client>,
    Path(id): Path<String>,
) -> Result<Json<PaymentView>, Failure> {
    let mut register = state.register.lock().await;
    catch_up(&state, &mut register).await?;
    let now = state.clock.now();
    let Some(row) = register.get(&client.0, &id).cloned() else {
        let tombstone = Row {
            client: client.0.to_string(),
            id,
            order: None,
            bank_payment: None,
            state: Standing::Cancelled.as_str().to_owned(),
            reason: None,
            next_action: None,
            sequence: 1,
            received_at: now,
            updated_at: now,
            plan: None,
        };
        register.save(tombstone.clone(), true).await?;
        return Ok(Json(tombstone.view()));
    };
    match row.state() {
        Standing::Cancelled => return Ok(Json(row.view())),
        Standing::Received | Standing::AwaitingPayer => {}
        Standing::Settled if state.makes(defect::CANCEL_LIES) => {
            return Ok(Json(PaymentView { state: Standing::Cancelled.as_str().to_owned(), ..row.view() }));
        }
        _ => return Err(Failure::new("too_late", "The payment can no longer be taken back.")),
    }
    if let Some(payment) = &row.bank_payment
        && state.bank.cancel(&PaymentId(payment.clone())).is_err()
    {
        return Err(Failure::new("too_late", "The payment can no longer be taken back."));
    }
    let cancelled = Row {
        state: Standing::Cancelled.as_str().to_owned(),
        next_action: None,
        sequence: row.sequence + 1,
        updated_at: now,
        ..row
    };
    register.save(cancelled.clone(), true).await?;
    Ok(Json(cancelled.view()))
}
