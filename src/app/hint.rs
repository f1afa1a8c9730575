//! Hints: a backend says by itself that something happened to a payment. It is a reason to ask, and no more.
//!
//! A payment under way is asked about now instead of later ([`App::hurry`]). A settled one is asked about only if the hint says that it
//! came back, which nobody would ask about otherwise before the next reading of entries; the bank's own answer decides.

use std::time::Duration;

use super::App;
use super::ledger::{Ledger, LedgerError};
use crate::bank::{BankStatus, DebtorAccount, PaymentQuery, Standing, TryAgain};
use crate::ids::{BankName, PaymentKey};
use crate::order::{BankSaid, Event, PaymentState};
use crate::store::StoreError;

/// What a hint came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hinted {
    /// Nothing of ours, or nothing new.
    Nothing,
    /// The bank is asked now, or was.
    Asked,
}

/// Why a hint could not be taken; it may come again.
#[derive(Debug, thiserror::Error)]
pub enum HintError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What the bank said could not be committed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The bank could not be asked.
    #[error(transparent)]
    Bank(#[from] TryAgain),
}

/// How long the bank's rate is waited for before the hint is to come again.
const RATE_PAUSE: Duration = Duration::from_millis(50);
const RATE_TRIES: usize = 20;

impl App {
    /// Takes a bank's hint about the payment of this key. A bank speaks about its own payers' payments only.
    pub async fn hint(&self, ledger: &Ledger, bank: &BankName, key: &PaymentKey, came_back: bool) -> Result<Hinted, HintError> {
        let mut tx = self.store.begin_reading().await?;
        let Some(id) = tx.order_of_key(key).await? else { return Ok(Hinted::Nothing) };
        let Some(order) = tx.order(&id).await? else { return Ok(Hinted::Nothing) };
        drop(tx);
        let Some(payer) = order.payer.as_ref().filter(|payer| payer.bank == *bank) else { return Ok(Hinted::Nothing) };
        let Some(payment) = order.payments.iter().find(|payment| payment.key == *key) else { return Ok(Hinted::Nothing) };
        let PaymentState::Settled { at, bank_payment_id } = &payment.state else {
            let hurried = self.hurry(&id).await?;
            return Ok(if hurried > 0 { Hinted::Asked } else { Hinted::Nothing });
        };
        let (Some(backend), true) = (self.banks.get(bank), came_back) else { return Ok(Hinted::Nothing) };
        for tries in 0.. {
            if self.governors.calls_now(bank, 1) > 0 {
                break;
            }
            if tries == RATE_TRIES {
                return Err(TryAgain::Later { after: None, why: "the bank's rate is used up".to_owned() }.into());
            }
            tokio::time::sleep(RATE_PAUSE).await;
        }
        let query = PaymentQuery {
            key: key.clone(),
            bank_payment_id: bank_payment_id.clone(),
            debtor: DebtorAccount { iban: payer.iban.clone(), consent: payer.consent.clone() },
            amount: payment.amount,
            creditor_iban: payment.payee.iban.clone(),
            submitted_at: *at,
        };
        if let Standing::Known { status: BankStatus::Returned { reason }, .. } = backend.ask(&query).await? {
            tracing::info!(order.id = %id, payment = payment.index, bank.name = %bank, reason, "a payment came back");
            ledger.happened(id, Event::Bank { payment: payment.index, said: BankSaid::Returned { reason } }).await?;
        }
        Ok(Hinted::Asked)
    }
}
