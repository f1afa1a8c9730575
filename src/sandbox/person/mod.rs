//! One inhabitant of the sandbox, acting over HTTP as their own programs would: the playground, the demo, the seeds and the tests
//! are such people.
//!
//! A [`Person`] uses the Mastodon client API for all that it can do, the bank's own approval page to approve, and the sandbox's
//! helper addresses only for what no real network or bank offers (to join without a mail address, to open an account). There are no
//! hidden retries; an error is a sentence that names the request and what was answered.

mod bank;
mod enrolment;
mod http;
mod town;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

pub use bank::StatementLine;
pub use enrolment::{Enrolled, EnrolmentClient, EnrolmentState};
pub use town::{Message, Status};

use crate::iban::Iban;
use crate::ids::AccountId;
use http::{Http, text_at};

/// Where the sandbox's servers are.
#[derive(Debug, Clone)]
pub struct Sandbox {
    http: Http,
    town: String,
    bank: String,
}

impl Sandbox {
    /// The sandbox whose town and bank have these addresses. The process needs a TLS provider before, as `main` installs it.
    pub fn at(town_url: &str, bank_url: &str) -> anyhow::Result<Self> {
        let trimmed = |url: &str| url.trim_end_matches('/').to_owned();
        Ok(Sandbox { http: Http::new()?, town: trimmed(town_url), bank: trimmed(bank_url) })
    }

    /// The town's address, without a slash at the end.
    pub fn town_url(&self) -> &str {
        &self.town
    }

    /// The bank's address, without a slash at the end.
    pub fn bank_url(&self) -> &str {
        &self.bank
    }

    /// Makes somebody an inhabitant of the town, or finds them there.
    pub async fn join_town(&self, username: &str, display_name: &str, is_bot: bool) -> anyhow::Result<Inhabitant> {
        let wish = json!({ "username": username, "display_name": display_name, "bot": is_bot, "existing": true });
        let made = self.http.post_json(&format!("{}/sandbox/people", self.town), &wish).await?;
        Inhabitant::read(&made)
    }

    /// Finds somebody in the town; `None` if nobody has that name.
    pub async fn inhabitant(&self, username: &str) -> anyhow::Result<Option<Inhabitant>> {
        let name: String = url::form_urlencoded::byte_serialize(username.as_bytes()).collect();
        let found = self.http.post_json_if_there(&format!("{}/sandbox/people/{name}/token", self.town), &json!({})).await?;
        found.as_ref().map(Inhabitant::read).transpose()
    }

    /// The names of everybody in the town, automated accounts aside.
    pub async fn people(&self) -> anyhow::Result<Vec<String>> {
        let people = self.http.get(&format!("{}/sandbox/people", self.town), None).await?;
        let people = people.as_array().map(Vec::as_slice).unwrap_or_default();
        people.iter().filter(|person| person["bot"] != true).map(|person| text_at(person, "username")).collect()
    }
}

/// Somebody in the town.
#[derive(Debug, Clone)]
pub struct Inhabitant {
    /// The name that follows the at sign.
    pub username: String,
    /// The immutable id.
    pub account: AccountId,
    /// What proves who one is there.
    pub token: SecretString,
}

impl Inhabitant {
    fn read(made: &Value) -> anyhow::Result<Self> {
        Ok(Inhabitant {
            username: text_at(made, "username")?,
            account: AccountId(text_at(made, "id")?),
            token: text_at(made, "access_token")?.into(),
        })
    }
}

/// Somebody with an account in the town and one at the bank, under the same name.
#[derive(Debug, Clone)]
pub struct Person {
    sandbox: Sandbox,
    inhabitant: Inhabitant,
    iban: Iban,
}

impl Person {
    /// Signs somebody up in the town and at the bank, where the account is opened with `opening` (`"100.00"`, euros). Whoever is
    /// there already stays as they are.
    pub async fn sign_up(sandbox: &Sandbox, username: &str, name: &str, opening: &str) -> anyhow::Result<Self> {
        let inhabitant = sandbox.join_town(username, name, false).await?;
        let iban = sandbox.account_of(username, name, opening).await?;
        Ok(Person { sandbox: sandbox.clone(), inhabitant, iban })
    }

    /// Finds somebody who has signed up; `None` if the town or the bank does not know the name.
    pub async fn find(sandbox: &Sandbox, username: &str) -> anyhow::Result<Option<Self>> {
        let Some(inhabitant) = sandbox.inhabitant(username).await? else { return Ok(None) };
        let Some(iban) = sandbox.find_account(username).await? else { return Ok(None) };
        Ok(Some(Person { sandbox: sandbox.clone(), inhabitant, iban }))
    }

    /// The name that follows the at sign in the town, and with which they sign in at the bank.
    pub fn username(&self) -> &str {
        &self.inhabitant.username
    }

    /// The immutable id in the town.
    pub fn account(&self) -> &AccountId {
        &self.inhabitant.account
    }

    /// The account at the bank.
    pub fn iban(&self) -> &Iban {
        &self.iban
    }

    fn token(&self) -> &str {
        self.inhabitant.token.expose_secret()
    }
}
