//! Reading the payer's accounts: consents, accounts, balances, entries, and finding a payment among the entries.

use jiff::ToSpan as _;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use reqwest::StatusCode;
use serde::de::DeserializeOwned;
use url::Url;

use super::call::{Answer, Call, NoAnswer};
use super::v1_3::{self, Transaction, header, path};
use super::{BerlinGroup, verdict};
use crate::bank::{
    Balance, BankStatus, ConsentRequest, ConsentStanding, ConsentedAccount, DebtorAccount, Entry, PaymentQuery, Standing, TryAgain,
};
use crate::iban::Iban;
use crate::money::Money;

/// Pages of a statement that are read before it is called endless.
const MOST_PAGES: usize = 1_000;

/// The content of a successful answer.
pub(super) fn readable<T: DeserializeOwned>(attempt: Result<Answer, NoAnswer>) -> Result<T, TryAgain> {
    match attempt {
        Ok(answer) if answer.about_another => Err(later("the answer names another request")),
        Ok(answer) if answer.status.is_success() => {
            serde_json::from_slice(&answer.body).map_err(|_| later("the bank's answer cannot be read"))
        }
        failed => Err(verdict::ask_again(failed)),
    }
}

fn later(why: &str) -> TryAgain {
    TryAgain::Later { after: None, why: why.to_owned() }
}

/// What is looked for in a statement.
#[derive(Debug, Clone, Copy)]
struct Range<'a> {
    booking_status: &'a str,
    from: Date,
    to: Option<Date>,
}

impl BerlinGroup {
    pub(super) async fn ask_for_consent(&self, return_url: &str) -> Result<ConsentRequest, TryAgain> {
        let until = self.today().checked_add(i64::from(self.settings.consent_days).days()).unwrap_or(Date::MAX);
        let call = Call::post(self.url(&path::consents()), &v1_3::ConsentWish::until(until));
        let call = self.with_return(call.map_err(|failed| verdict::ask_again(Err(failed)))?, return_url);
        let created: v1_3::ConsentCreated = readable(self.make(call).await)?;
        let authorise_at = created.links.authorise_at().ok_or_else(|| later("the bank names no page to give the consent at"))?;
        if created.consent_id.is_empty() {
            return Err(later("the bank's answer names no consent"));
        }
        Ok(ConsentRequest { consent_id: created.consent_id, authorise_at })
    }

    pub(super) async fn consent_standing(&self, consent_id: &str) -> Result<ConsentStanding, TryAgain> {
        let attempt = self.make(Call::get(self.url(&path::consent_status(consent_id)))).await;
        if let Ok(answer) = &attempt
            && matches!(answer.status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND)
            && matches!(v1_3::error_code(&answer.body).as_deref(), Some("CONSENT_UNKNOWN" | "RESOURCE_UNKNOWN"))
        {
            return Ok(ConsentStanding::Gone);
        }
        let read: v1_3::ConsentRead = readable(attempt)?;
        match read.consent_status.as_str() {
            "valid" => Ok(ConsentStanding::Valid { accounts: self.accounts(consent_id).await? }),
            "received" | "partiallyAuthorised" => Ok(ConsentStanding::Pending),
            "rejected" | "expired" | "revokedByPsu" | "terminatedByTpp" => Ok(ConsentStanding::Gone),
            other => Err(later(&format!("the bank calls the consent {:?}", v1_3::clipped(other)))),
        }
    }

    /// The accounts that a consent covers, those with an IBAN and a currency we know.
    async fn accounts(&self, consent_id: &str) -> Result<Vec<ConsentedAccount>, TryAgain> {
        let account = |details: v1_3::AccountDetails| {
            let holder = details.owner_name;
            let name = holder.clone().or(details.display_name).or(details.name);
            Some(ConsentedAccount { iban: details.iban?.parse().ok()?, name, holder, currency: details.currency.parse().ok()? })
        };
        Ok(self.account_list(consent_id).await?.into_iter().filter_map(account).collect())
    }

    async fn account_list(&self, consent_id: &str) -> Result<Vec<v1_3::AccountDetails>, TryAgain> {
        let call = Call::get(self.url(&path::accounts())).with(header::CONSENT, consent_id);
        let list: v1_3::AccountList = readable(self.make(call).await)?;
        Ok(list.accounts)
    }

    /// What an account holds.
    pub(super) async fn read_balance(&self, account: &DebtorAccount) -> Result<Balance, TryAgain> {
        let (consent, resource) = self.reach(account).await?;
        let call = Call::get(self.url(&path::balances(&resource))).with(header::CONSENT, consent);
        let list: v1_3::BalanceList = readable(self.make(call).await)?;
        let find = |kinds: [&str; 2]| {
            let of = |kind: &str| list.balances.iter().find(|balance| balance.balance_type == kind);
            kinds.into_iter().find_map(of).and_then(|balance| balance.balance_amount.money())
        };
        Ok(Balance { booked: find(["closingBooked", "interimBooked"]), available: find(["interimAvailable", "expected"]) })
    }

    /// Whether an account holds enough for an amount at this moment. It promises nothing about the next.
    pub async fn has_funds(&self, account: &Iban, amount: Money) -> Result<bool, TryAgain> {
        let question =
            v1_3::FundsQuestion { account: v1_3::AccountReference::of(account), instructed_amount: v1_3::Amount::of(amount) };
        let call = Call::post(self.url(&path::funds_confirmations()), &question);
        let call = call.map_err(|failed| verdict::ask_again(Err(failed)))?;
        let answer: v1_3::FundsAnswer = readable(self.make(call).await)?;
        Ok(answer.funds_available)
    }

    /// Gives a consent back. One that is gone already is no mistake.
    pub async fn end_consent(&self, consent_id: &str) -> Result<(), TryAgain> {
        let url = self.url(&path::consent(consent_id));
        let attempt = self.make(Call { method: reqwest::Method::DELETE, ..Call::get(url) }).await;
        if let Ok(answer) = &attempt
            && !answer.about_another
            && (answer.status == StatusCode::NO_CONTENT
                || matches!(v1_3::error_code(&answer.body).as_deref(), Some("CONSENT_UNKNOWN" | "RESOURCE_UNKNOWN")))
        {
            return Ok(());
        }
        Err(verdict::ask_again(attempt))
    }

    pub(super) async fn booked_entries(&self, account: &DebtorAccount, from: Date, to: Date) -> Result<Vec<Entry>, TryAgain> {
        let range = Range { booking_status: "booked", from, to: Some(to) };
        let (booked, _) = self.statement(account, range).await?;
        let entries = booked.iter().enumerate().map(|(place, transaction)| entry(transaction, &account.iban, place));
        entries.collect::<Option<Vec<_>>>().ok_or_else(|| later("an entry of the statement cannot be read"))
    }

    /// Looks for a payment of unknown outcome among the payer's entries: a debit that carries our key. Credits that carry it
    /// are returns and prove that it was executed, so they are no hindrance.
    pub(super) async fn find_entry(&self, query: &PaymentQuery) -> Result<Standing, TryAgain> {
        // A day earlier: the bank's day may not have begun with ours.
        let day = query.submitted_at.to_zoned(TimeZone::UTC).date();
        let from = day.yesterday().unwrap_or(day);
        let range = Range { booking_status: "both", from, to: None };
        let (booked, pending) = match self.statement(&query.debtor, range).await {
            // "both" is optional for banks, "booked" is not.
            Err(TryAgain::Later { after: None, .. }) => {
                self.statement(&query.debtor, Range { booking_status: "booked", ..range }).await?
            }
            read => read?,
        };
        let debit = Money::new(-query.amount.minor, query.amount.currency);
        let is_ours = |transaction: &&Transaction| {
            transaction.end_to_end_id.as_deref() == Some(query.key.as_str())
                && transaction.transaction_amount.money() == Some(debit)
                && transaction
                    .creditor_account
                    .as_ref()
                    .and_then(v1_3::AccountReference::parsed)
                    .is_none_or(|to| to == query.creditor_iban)
        };
        let found = |status| Standing::Known { bank_payment_id: None, status, authorise_at: None };
        if booked.iter().any(|transaction| is_ours(&transaction)) {
            return Ok(found(BankStatus::Settled));
        }
        if pending.iter().any(|transaction| is_ours(&transaction)) {
            return Ok(found(BankStatus::Executing));
        }
        Ok(Standing::NotFound)
    }

    /// The consent, and the bank's name for the account.
    async fn reach<'a>(&self, account: &'a DebtorAccount) -> Result<(&'a str, String), TryAgain> {
        let no_permission = |why: &str| TryAgain::Credentials { why: why.to_owned() };
        let consent =
            account.consent.as_deref().ok_or_else(|| no_permission("the payer has given no consent to read the account"))?;
        let is_it = |details: &v1_3::AccountDetails| {
            details.iban.as_deref().is_some_and(|iban| iban.parse::<Iban>().is_ok_and(|iban| iban == account.iban))
        };
        let details = self.account_list(consent).await?.into_iter().find(is_it);
        let resource = details.and_then(|details| details.resource_id);
        Ok((consent, resource.ok_or_else(|| no_permission("the payer's consent does not cover the account"))?))
    }

    /// Booked and pending entries, all pages.
    async fn statement(&self, account: &DebtorAccount, range: Range<'_>) -> Result<(Vec<Transaction>, Vec<Transaction>), TryAgain> {
        let (consent, resource) = self.reach(account).await?;
        let mut url = self.url(&path::transactions(&resource));
        url.query_pairs_mut().append_pair("bookingStatus", range.booking_status).append_pair("dateFrom", &range.from.to_string());
        if let Some(to) = range.to {
            url.query_pairs_mut().append_pair("dateTo", &to.to_string());
        }
        let (mut booked, mut pending) = (Vec::new(), Vec::new());
        for _ in 0..MOST_PAGES {
            let call = Call::get(url.clone()).with(header::CONSENT, consent);
            let page: v1_3::Statement = readable(self.make(call).await)?;
            booked.extend(page.transactions.booked);
            pending.extend(page.transactions.pending);
            let next = page.transactions.links.next.and_then(|link| link.href);
            let Some(next) = next else { return Ok((booked, pending)) };
            url = self.next_page(&url, &next)?;
        }
        Err(later("the statement does not end"))
    }

    /// The next page, at the same bank only: the consent and our token go with the call.
    fn next_page(&self, current: &Url, next: &str) -> Result<Url, TryAgain> {
        let base = &self.settings.base_url;
        // Some banks write links relative to their base address, others absolute paths of their host.
        let prefix = base.path().trim_end_matches('/');
        let relative_to_base = next.starts_with("/v1/") && !prefix.is_empty();
        let joined = if relative_to_base { current.join(&format!("{prefix}{next}")) } else { current.join(next) };
        joined
            .ok()
            .filter(|url| url.origin() == base.origin() && url != current)
            .ok_or_else(|| later("the statement's next page is not at the bank"))
    }
}

fn entry(transaction: &Transaction, account: &Iban, place: usize) -> Option<Entry> {
    let amount = transaction.transaction_amount.money()?;
    let sides = [&transaction.creditor_account, &transaction.debtor_account];
    let shown = sides.into_iter().flatten().filter_map(v1_3::AccountReference::parsed);
    let id = transaction.transaction_id.clone().or_else(|| transaction.entry_reference.clone());
    // Both ids are optional in the standard; without them, the place in that day's statement has to do.
    let made_up = || {
        let day = transaction.booking_date.map(|day| day.to_string()).unwrap_or_default();
        format!("{day}/{place}/{}", amount.decimal_string())
    };
    Some(Entry {
        id: id.unwrap_or_else(made_up),
        end_to_end_id: transaction.end_to_end_id.clone().filter(|reference| reference != "NOTPROVIDED"),
        amount,
        counterparty_iban: shown.into_iter().find(|iban| iban != account),
        booked_on: transaction.booking_date,
    })
}
