//! What a person does at the bank: look at the account, and approve or refuse on the bank's own page.

use anyhow::{Context as _, bail};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::http::{json, send, text_at};
use super::{Person, Sandbox};
use crate::iban::Iban;
use crate::money::{Currency, Money};

/// Entries that a statement shows at most.
const STATEMENT: usize = 1000;

/// A line of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementLine {
    /// Signed: negative is a debit.
    pub amount: Money,
    /// The balance after it.
    pub balance_after: Money,
    /// Who is on the other side.
    pub counterparty: String,
    /// The text that goes with it.
    pub remittance: Option<String>,
    /// The payment's reference.
    pub end_to_end: Option<String>,
    /// When it was booked, as the bank writes it (RFC 3339).
    pub booked_at: String,
}

impl Sandbox {
    /// The account of whoever signs in under `login`, opened now if there is none.
    pub async fn account_of(&self, login: &str, name: &str, opening: &str) -> anyhow::Result<Iban> {
        if let Some(iban) = self.find_account(login).await? {
            return Ok(iban);
        }
        let wish = json!({ "login": login, "name": name, "opening": opening });
        iban_at(&self.http.post_json(&format!("{}/sandbox/accounts", self.bank), &wish).await?)
    }

    /// The first account of whoever signs in under `login`.
    pub async fn find_account(&self, login: &str) -> anyhow::Result<Option<Iban>> {
        let login: String = url::form_urlencoded::byte_serialize(login.as_bytes()).collect();
        let found = self.http.get(&format!("{}/sandbox/accounts?login={login}", self.bank), None).await?;
        found["accounts"].get(0).map(iban_at).transpose()
    }

    /// What all payments come to that the bank has carried out and that were not given back.
    pub async fn settled_at_bank(&self) -> anyhow::Result<Money> {
        let totals = self.http.get(&format!("{}/sandbox/totals", self.bank), None).await?;
        let minor = totals["settled_minor"].as_i64().context("the bank's totals lack settled_minor")?;
        Ok(Money::new(minor, Currency::EUR))
    }

    /// The entries of an account, oldest first.
    pub async fn statement(&self, iban: &Iban) -> anyhow::Result<Vec<StatementLine>> {
        let address = format!("{}/sandbox/accounts/{}/entries?limit={STATEMENT}", self.bank, iban.as_str());
        let found = self.http.get(&address, None).await?;
        found["entries"].as_array().map(Vec::as_slice).unwrap_or_default().iter().map(read_line).collect()
    }

    /// The booked balance of an account.
    pub async fn balance(&self, iban: &Iban) -> anyhow::Result<Money> {
        let found = self.http.get(&format!("{}/sandbox/accounts/{}", self.bank, iban.as_str()), None).await?;
        euros(&text_at(&found, "balance")?)
    }
}

impl Person {
    /// The entries of this person's account, oldest first.
    pub async fn statement(&self) -> anyhow::Result<Vec<StatementLine>> {
        self.sandbox.statement(&self.iban).await
    }

    /// The booked balance of this person's account.
    pub async fn balance(&self) -> anyhow::Result<Money> {
        self.sandbox.balance(&self.iban).await
    }

    /// Says yes on a page of the bank. Returns where the bank then sends the browser, if anywhere.
    pub async fn approve(&self, page: &str) -> anyhow::Result<Option<String>> {
        self.decide_at_bank(page, "approve").await
    }

    /// Says no on a page of the bank.
    pub async fn refuse(&self, page: &str) -> anyhow::Result<Option<String>> {
        self.decide_at_bank(page, "refuse").await
    }

    async fn decide_at_bank(&self, page: &str, answer: &str) -> anyhow::Result<Option<String>> {
        // This person's browser would go anywhere; the program goes to the sandbox bank only.
        if !page.starts_with(&format!("{}/", self.sandbox.bank)) {
            bail!("{page} is no page of the sandbox bank");
        }
        let form = [("answer", answer), ("login", self.username())];
        let response = send(self.sandbox.http.request(Method::POST, page, None).form(&form)).await?;
        match response.status() {
            StatusCode::SEE_OTHER => {
                let address = response.headers().get("location").and_then(|address| address.to_str().ok());
                Ok(Some(address.context("the bank's page leads nowhere")?.to_owned()))
            }
            // Decided before, by this person or by time.
            StatusCode::CONFLICT => Ok(None),
            _ => json(response).await.map(|_| None),
        }
    }
}

fn iban_at(account: &Value) -> anyhow::Result<Iban> {
    text_at(account, "iban")?.parse().context("the bank names an account that is no IBAN")
}

fn euros(text: &str) -> anyhow::Result<Money> {
    Money::from_decimal(text, Currency::EUR).with_context(|| format!("the bank writes {text:?} for an amount"))
}

fn read_line(entry: &Value) -> anyhow::Result<StatementLine> {
    let optional = |key: &str| entry[key].as_str().map(str::to_owned);
    Ok(StatementLine {
        amount: euros(&text_at(entry, "amount")?)?,
        balance_after: euros(&text_at(entry, "balance_after")?)?,
        counterparty: text_at(&entry["counterparty"], "name")?,
        remittance: optional("remittance"),
        end_to_end: optional("end_to_end"),
        booked_at: text_at(entry, "booked_at")?,
    })
}
