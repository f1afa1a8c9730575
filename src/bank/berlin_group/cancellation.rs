//! Cancelling a payment that is not executed yet.
//!
//! A bank cancels at once (204), wants the payer's authentication for that too (202, then `cancellation-authorisations`), or says that it is
//! too late. What became of it, the payment's status tells; an answer that got lost cancels nothing in our books.

use super::call::{Call, NoAnswer};
use super::v1_3::{self, path};
use super::{BerlinGroup, verdict};
use crate::bank::{Cancellation, TryAgain};

impl BerlinGroup {
    /// Asks the bank not to execute a payment.
    pub async fn cancel_payment(&self, bank_payment_id: &str, return_url: &str) -> Result<Cancellation, TryAgain> {
        let url = self.url(&path::payment(&self.settings.product, bank_payment_id));
        let attempt = self.make(Call { method: reqwest::Method::DELETE, ..Call::get(url) }).await;
        let status = attempt.as_ref().ok().filter(|answer| !answer.about_another).map(|answer| answer.status.as_u16());
        match (status, attempt) {
            (Some(204), _) => Ok(Cancellation::Cancelled),
            (Some(202), Ok(answer)) => {
                let begun: v1_3::CancellationBegun = serde_json::from_slice(&answer.body).unwrap_or_default();
                let authorise_at = match begun.links.authorise_at() {
                    Some(page) => Some(page),
                    None => self.start_cancellation(bank_payment_id, return_url).await,
                };
                Ok(Cancellation::NeedsAuthorisation { authorise_at })
            }
            (Some(400 | 404 | 405 | 409), _) => Ok(Cancellation::TooLate),
            (Some(401 | 403 | 429), attempt) | (None, attempt @ Err(NoAnswer::NotSent(_) | NoAnswer::NoToken(_))) => {
                Err(verdict::ask_again(attempt))
            }
            (_, attempt) => Ok(Cancellation::Unknown { why: verdict::ask_again(attempt).to_string() }),
        }
    }

    /// The payer's page for the cancellation; without one the payer finds it at the bank.
    async fn start_cancellation(&self, bank_payment_id: &str, return_url: &str) -> Option<String> {
        let url = self.url(&path::cancellation_authorisations(&self.settings.product, bank_payment_id));
        let call = self.with_return(Call::post(url, &serde_json::json!({})).ok()?, return_url);
        let answer = self.make(call).await.ok().filter(|answer| answer.status.is_success() && !answer.about_another)?;
        serde_json::from_slice::<v1_3::AuthorisationStarted>(&answer.body).ok()?.links.authorise_at()
    }
}
