//! Settling: the only code that asks a bank to move money.
//!
//! # A payment, line by line
//!
//! | step | committed before it | if the process dies right after it |
//! |---|---|---|
//! | claim the effect | order `Confirmed`, payment `Ready`, limits reserved | the lease runs out; claimed again; still `Ready` |
//! | look the payee up again | – | the same |
//! | commit `SubmitBegins` | payment `Submitting`, with its key | claimed again; found `Submitting`: `Unknown`, then questions |
//! | call the bank | – | the same: the bank may have it, so it is asked, never called again |
//! | commit what it said | the answer, the effect's end, the next effect | nothing is left over |
//!
//! Nothing is submitted twice because only the commit that turned `Ready` into `Submitting` lets its caller go on to the call, and
//! `Ready` comes back only from an answer that surely means "not taken". Nothing is lost because the effect row stays until the
//! answer is committed.

use std::time::Duration;

use super::App;
use super::at_hand::AtHand;
use super::desk;
use super::ledger::{Answer, Ledger, LedgerError, Work};
use super::task::bank_lane;
use crate::bank::{Bank, BankStatus, DebtorAccount, PaymentInstruction, PaymentQuery, Standing, Submission, TryAgain};
use crate::clock::later;
use crate::crash::{crash_point, hastened};
use crate::ids::{BankName, OrderId};
use crate::order::{BankSaid, Event, Order, Payer, Payment, PaymentState};
use crate::people::screening::Verdict;
use crate::planted::planted;
use crate::store::StoreError;
use crate::store::effects::{ClaimedEffect, Then, Turn};

/// Why settling could not go on. The effect's lease runs out, and somebody tries again.
#[derive(Debug, thiserror::Error)]
pub(super) enum SettleError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Delivers `Effect::Submit`.
pub(super) async fn submit(
    app: &App,
    ledger: &Ledger,
    effect: &ClaimedEffect,
    at_hand: &AtHand,
    id: &OrderId,
    index: u16,
) -> Result<(), SettleError> {
    crash_point!("submit.claimed", return Err(StoreError: connection_lost));
    if later(app.clock.now(), hastened!(LONGEST_CALL)) >= effect.lease_until {
        let why = "too little was left of the lease for a call".to_owned();
        ledger.decide(Work::Ended { turn: turn(effect, Then::Again { due_at: app.clock.now(), why }) }).await?;
        return Ok(());
    }
    let order = at_hand.order(id);
    let Some((order, payment, payer)) = order.and_then(|order| Some((order, order.payment(index)?, order.payer.as_ref()?))) else {
        return end(ledger, effect, "there is no such payment").await;
    };
    // A payment found `Submitting` is not looked at: whatever speaks against it now, it may be with the bank already.
    let is_new = matches!(payment.state, PaymentState::Ready { .. });
    if is_new || matches!(payment.state, PaymentState::Unknown { repeating: true, .. }) || planted!("objection_in_submitting") {
        let event = match objection(app, payer, payment, at_hand.payee(&payment.payee.id)) {
            Some(_) if planted!("frozen_payee_paid") => None,
            None => None,
            Some(Objection::Later(why)) => {
                let due_at = later(app.clock.now(), SCREENING_PAUSE);
                ledger.decide(Work::Ended { turn: turn(effect, Then::Again { due_at, why }) }).await?;
                return Ok(());
            }
            Some(Objection::Void(difference)) if is_new => Some(Event::Voided { payment: index, difference }),
            // A repetition is not made to somebody who is not payable any more; what became of the first is asked for.
            Some(Objection::Void(_)) => Some(Event::Bank { payment: index, said: BankSaid::DidNotAnswer { after: None } }),
        };
        if let Some(event) = event {
            return happened(ledger, order, event, turn(effect, Then::Done("voided".to_owned()))).await;
        }
    }
    let name = format!("{}:{}", effect.id, effect.epoch);
    let event = Event::SubmitBegins { payment: index, turn: name.clone() };
    let meanwhile = if planted!("done_before_it_is") { Then::Done("submitting".to_owned()) } else { Then::Keep };
    crash_point!("submit.screened");
    let begun = Work::Happened { order: id.clone(), event, turn: Some(turn(effect, meanwhile)) };
    let order = match ledger.decide(begun).await? {
        Answer::Done(Some(order)) => order,
        Answer::Done(None) | Answer::Said(_) => return end(ledger, effect, "there is no such order").await,
        Answer::Void(why) => return end(ledger, effect, &why).await,
    };
    // Only the commit of this very turn gives it back so; found `Submitting` in another's, it has become `Unknown`, and whatever is
    // not ready any more has come to its end.
    let state = order.payment(index).map(|payment| &payment.state);
    let ours = matches!(state, Some(PaymentState::Submitting { turn, .. }) if *turn == name);
    let (Some(payment), Some(payer), true) = (order.payment(index), order.payer.as_ref(), ours) else {
        return end(ledger, effect, "not submitted").await;
    };
    crash_point!("submit.begun");
    let said = match app.banks.get(&payer.bank) {
        None => BankSaid::NotTaken { after: None },
        // The lease is looked at once more, since the commit may have taken its time: if it ran out, somebody else may have found
        // `Submitting` and asks; nothing was handed over, and if the turn still is ours, that still counts.
        Some(bank) if app.clock.now() < effect.lease_until => {
            submitted(app, bank.name(), hand_over(bank.as_ref(), &instruction(app, &order, payer, payment)).await)
        }
        Some(_) => BankSaid::NotTaken { after: None },
    };
    tracing::info!(order.id = %order.id, payment = index, bank.name = %payer.bank, said = ?kind(&said), "the bank was handed a payment");
    let event = Event::Bank { payment: index, said };
    happened(ledger, &order, event, turn(effect, Then::Done("submitted".to_owned()))).await?;
    crash_point!("submit.outcome_committed");
    Ok(())
}

/// The call itself.
async fn hand_over(bank: &dyn Bank, instruction: &PaymentInstruction) -> Submission {
    crash_point!("submit.before_call", return Submission::NotTaken(not_reached()));
    let submission = bank.submit(instruction).await;
    crash_point!("submit.bank_answered", return Submission::Unknown { why: "crash point".to_owned() });
    submission
}

/// The question itself.
async fn question(bank: &dyn Bank, query: &PaymentQuery) -> Result<Standing, TryAgain> {
    crash_point!("ask.before_call", return Err(not_reached()));
    let answer = bank.ask(query).await;
    crash_point!("ask.answered", return Err(not_reached()));
    answer
}

/// What no call at all comes to at a crash point.
#[cfg(feature = "crash-points")]
fn not_reached() -> TryAgain {
    TryAgain::Later { after: None, why: "crash point".to_owned() }
}

/// Delivers `Effect::AskBank`.
pub(super) async fn ask(
    app: &App,
    ledger: &Ledger,
    effect: &ClaimedEffect,
    at_hand: &AtHand,
    id: &OrderId,
    index: u16,
) -> Result<(), SettleError> {
    crash_point!("ask.claimed", return Err(StoreError: connection_lost));
    let order = at_hand.order(id);
    let open = order.and_then(|order| Some((order, order.payer.as_ref()?, order.payment(index)?)));
    let Some((order, payer, payment)) = open else { return end(ledger, effect, "there is no such payment").await };
    let Some(submitted_at) = payment.state.submitted_at() else {
        return end(ledger, effect, "the payment is finished").await;
    };
    let Some(bank) = app.banks.get(&payer.bank) else {
        let event = Event::Bank { payment: index, said: BankSaid::DidNotAnswer { after: None } };
        return happened(ledger, order, event, turn(effect, Then::Done("no such bank".to_owned()))).await;
    };
    let query = PaymentQuery {
        key: payment.key.clone(),
        bank_payment_id: payment.state.bank_payment_id().map(str::to_owned),
        debtor: debtor(payer),
        amount: payment.amount,
        creditor_iban: payment.payee.iban.clone(),
        submitted_at,
    };
    // A bank names its own page when it takes the payment and need not repeat it.
    let page = if let PaymentState::AwaitingBank { authorise_at, .. } = &payment.state { Some(authorise_at.clone()) } else { None };
    let said = asked(app, bank.as_ref(), &query, page).await;
    tracing::debug!(order.id = %order.id, payment = index, bank.name = %payer.bank, said = ?kind(&said), "the bank was asked");
    happened(ledger, order, Event::Bank { payment: index, said }, turn(effect, Then::Done("asked".to_owned()))).await?;
    crash_point!("ask.outcome_committed");
    Ok(())
}

async fn asked(app: &App, bank: &dyn Bank, query: &PaymentQuery, page: Option<String>) -> BankSaid {
    match question(bank, query).await {
        Ok(Standing::Known { bank_payment_id, status, authorise_at }) => {
            let id = bank_payment_id.or_else(|| query.bank_payment_id.clone());
            stands(id, status, authorise_at.or(page))
        }
        Ok(Standing::NotFound) => BankSaid::NotFound,
        Ok(Standing::NeverTaken) => BankSaid::Refused { reason: "never taken".to_owned() },
        Err(TryAgain::Later { after, .. }) => {
            rest(app, bank.name(), after);
            BankSaid::DidNotAnswer { after }
        }
        Err(TryAgain::Credentials { why }) => {
            tracing::error!(bank.name = %bank.name(), why, "the bank does not accept our credentials");
            BankSaid::DidNotAnswer { after: None }
        }
    }
}

fn submitted(app: &App, bank: &BankName, submission: Submission) -> BankSaid {
    match submission {
        Submission::Taken { bank_payment_id, status, authorise_at } => stands(Some(bank_payment_id), status, authorise_at),
        Submission::Refused { reason } => BankSaid::Refused { reason },
        Submission::NotTaken(TryAgain::Later { after, .. }) => {
            rest(app, bank, after);
            BankSaid::NotTaken { after }
        }
        Submission::NotTaken(TryAgain::Credentials { why }) => {
            tracing::error!(why, "the bank does not accept our credentials");
            BankSaid::NotTaken { after: None }
        }
        Submission::Unknown { why } => BankSaid::Unclear { why },
    }
}

/// A bank that wants to be left alone for a while means every call, not only this one.
fn rest(app: &App, bank: &BankName, after: Option<Duration>) {
    if let Some(after) = after {
        app.governors.rest(&bank_lane(bank), after.min(LONGEST_REST));
    }
}

/// However long a bank asks to be left alone: payments that wait longer are not what the payer meant any more
/// ([`Timing::submit_within`](crate::order::Timing)), and those that it may have are to be asked about.
const LONGEST_REST: Duration = Duration::from_secs(60 * 60);

fn stands(bank_payment_id: Option<String>, status: BankStatus, authorise_at: Option<String>) -> BankSaid {
    match (status, bank_payment_id, authorise_at) {
        (BankStatus::Settled, bank_payment_id, _) => BankSaid::Settled { bank_payment_id },
        (BankStatus::Rejected { reason }, _, _) => BankSaid::Refused { reason },
        (BankStatus::Returned { reason }, _, _) => BankSaid::Returned { reason },
        (BankStatus::Received, Some(bank_payment_id), Some(authorise_at)) => BankSaid::Authorise { bank_payment_id, authorise_at },
        // A status we do not know means neither yes nor no: the payment is with the bank, and is asked for again.
        (BankStatus::Received | BankStatus::Executing | BankStatus::Unrecognised(_), bank_payment_id, _) => {
            BankSaid::Executing { bank_payment_id }
        }
    }
}

fn instruction(app: &App, order: &Order, payer: &Payer, payment: &Payment) -> PaymentInstruction {
    let campaign = order.campaign.as_deref().map(str::to_uppercase).unwrap_or_default();
    PaymentInstruction {
        key: payment.key.clone(),
        debtor: debtor(payer),
        creditor_name: payment.payee.legal_name.clone(),
        creditor_iban: payment.payee.iban.clone(),
        amount: payment.amount,
        // A hashtag and a euro sign do not fit a SEPA reference, and the post's own text is nobody's business at the bank.
        remittance: format!("OBOLE {} {campaign}", order.receipt_number()).trim_end().to_owned(),
        return_url: format!("{}/bank/return/{}", app.public_url, order.id),
        submitted_at: payment.state.submitted_at().unwrap_or_else(|| app.clock.now()),
    }
}

fn debtor(payer: &Payer) -> DebtorAccount {
    DebtorAccount { iban: payer.iban.clone(), consent: payer.consent.clone() }
}

/// Why a payment is not to be handed to the bank.
enum Objection {
    /// It is not what the payer confirmed, or must not be paid.
    Void(String),
    /// That is not known at the moment.
    Later(String),
}

/// How soon screening is asked again after it could not be; the payment's own deadline ends that.
const SCREENING_PAUSE: Duration = Duration::from_secs(30);

fn objection(app: &App, payer: &Payer, payment: &Payment, entry: Option<&crate::people::Payee>) -> Option<Objection> {
    if let Some(difference) = difference(payment, entry) {
        return Some(Objection::Void(difference.to_owned()));
    }
    match desk::screen(app, payer, payment) {
        Verdict::Clear => None,
        Verdict::Found { finding } => {
            tracing::error!(payment.key = %payment.key, finding, "screening stopped a payment that was confirmed");
            Some(Objection::Void("stopped by screening".to_owned()))
        }
        Verdict::Unavailable { why } => Some(Objection::Later(format!("screening could not be asked: {why}"))),
    }
}

/// What is no longer as the payer confirmed it.
fn difference(payment: &Payment, entry: Option<&crate::people::Payee>) -> Option<&'static str> {
    match entry {
        None => Some("the payee is not in the directory any more"),
        Some(entry) if entry.frozen => Some("the payee is frozen"),
        Some(entry) if entry.iban != payment.payee.iban => Some("the payee's account is another one"),
        Some(entry) if entry.legal_name != payment.payee.legal_name => Some("the payee's legal name is another one"),
        Some(_) => None,
    }
}

fn turn(effect: &ClaimedEffect, then: Then) -> Turn {
    Turn { id: effect.id.clone(), epoch: effect.epoch, then }
}

async fn end(ledger: &Ledger, effect: &ClaimedEffect, result: &str) -> Result<(), SettleError> {
    ledger.decide(Work::Ended { turn: turn(effect, Then::Done(result.to_owned())) }).await?;
    Ok(())
}

async fn happened(ledger: &Ledger, order: &Order, event: Event, turn: Turn) -> Result<(), SettleError> {
    let name = event.name();
    let late = event.clone();
    let work = Work::Happened { order: order.id.clone(), event, turn: Some(turn) };
    let Answer::Void(why) = ledger.decide(work).await? else { return Ok(()) };
    tracing::info!(order.id = %order.id, event = name, why, "what the bank said came after the lease, or changes nothing");
    crash_point!("settle.late_outcome");
    // What a bank answers stays true however late it is committed. Without the turn it is one more thing the bank has said: a definite
    // answer and the bank's own id count, "not taken" means nothing any more.
    ledger.happened(order.id.clone(), late).await?;
    Ok(())
}

/// The longest a call to a bank is expected to take; with less than this left of a lease none is begun.
const LONGEST_CALL: Duration = Duration::from_secs(30);

fn kind(said: &BankSaid) -> &'static str {
    Event::Bank { payment: 0, said: said.clone() }.name()
}
