//! Asking a bank to give a payment back, or not to carry it out.
//!
//! The asking is written down before it is done. What comes of it is not believed from the answer: how the payment stands tells, and an entry
//! that gives the money back returns it.

use serde_json::json;

use super::super::App;
use super::{OperateError, Operator, Response};
use crate::bank::{Cancellation, DebtorAccount, PaymentQuery, TryAgain};
use crate::ids::OrderId;
use crate::order::PaymentState;

/// Why a payment is recalled, as ISO 20022 has it (external cancellation reasons that SEPA knows).
const REASONS: [&str; 4] = ["DUPL", "TECH", "FRAD", "CUST"];

/// Asks the bank; the answer is one sentence.
pub(super) async fn recall(
    app: &App,
    by: &Operator,
    id: &OrderId,
    index: u16,
    reason: &str,
    note: &str,
) -> Result<Response, OperateError> {
    let refused = |why: String| Ok(Response::Refused(why));
    if !REASONS.contains(&reason) {
        return refused(format!("a reason is {}", REASONS.join(", ")));
    }
    if let Some(why) = super::acts::objection(note) {
        return refused(why);
    }
    let Some(order) = app.order(id).await? else { return refused(format!("there is no order {id}")) };
    let (Some(payment), Some(payer)) = (order.payment(index), order.payer.as_ref()) else {
        return refused(format!("order {id} has no payment {index}; its payments are counted from 0"));
    };
    let submitted_at = match &payment.state {
        PaymentState::Settled { at, .. } => Some(*at),
        state => state.submitted_at(),
    };
    let Some(submitted_at) = submitted_at else {
        let standing = payment.state.name().replace('_', " ");
        return refused(format!("payment {index} of order {id} is {standing}; only what the bank has can be recalled"));
    };
    let Some(bank) = app.banks.get(&payer.bank) else { return refused(format!("no bank is called {}", payer.bank)) };
    if !bank.capabilities().cancel {
        return refused(format!("the bank {} has no way to recall a payment", payer.bank));
    }
    let query = PaymentQuery {
        key: payment.key.clone(),
        bank_payment_id: payment.state.bank_payment_id().map(str::to_owned),
        debtor: DebtorAccount { iban: payer.iban.clone(), consent: payer.consent.clone() },
        amount: payment.amount,
        creditor_iban: payment.payee.iban.clone(),
        submitted_at,
    };
    let mut tx = app.store.begin().await?;
    let detail = json!({ "payment": index, "reason": reason, "note": note }).to_string();
    tx.write_act(by.as_str(), "payment_recalled", &format!("order:{id}"), detail, app.clock.now()).await?;
    tx.commit().await?;
    let return_url = format!("{}/bank/return/{id}", app.public_url);
    let outcome = bank.cancel(&query, reason, &return_url).await;
    app.hurry(id).await?;
    let about = format!("payment {index} of order {id}");
    Ok(match outcome {
        Ok(Cancellation::Cancelled) => Response::Done(format!("the bank says that {about} is cancelled or on its way back")),
        Ok(Cancellation::Asked) => Response::Done(format!("the bank is asked to give {about} back; its answer will come")),
        Ok(Cancellation::NeedsAuthorisation { authorise_at: Some(page) }) => {
            Response::Done(format!("the payer has to agree to the cancellation of {about} at the bank: {page}"))
        }
        Ok(Cancellation::NeedsAuthorisation { authorise_at: None }) => {
            Response::Done(format!("the payer has to agree to the cancellation of {about} at the bank, which names no page for it"))
        }
        Ok(Cancellation::TooLate) => Response::Refused(format!("the bank does not cancel {about} any more")),
        Ok(Cancellation::NotPossible) => Response::Refused(format!("the bank {} has no way to recall a payment", payer.bank)),
        Ok(Cancellation::Unknown { why }) => {
            Response::Refused(format!("whether {about} is cancelled is not known ({why}); how it stands will tell"))
        }
        Err(TryAgain::Later { why, .. } | TryAgain::Credentials { why }) => {
            Response::Refused(format!("the bank could not be asked about {about}: {why}"))
        }
    })
}
