//! How a sandbox person enrols with Obole: the same addresses that its page uses, asked for JSON.

use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::Method;
use serde::Deserialize;
use tokio::time::Instant;

use super::http::{json, send};
use super::{Person, Sandbox};

/// How long an enrolment may take as a whole: it is a handful of requests and one private message.
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest that Obole is asked to hold an answer until something has happened.
const HOLD_SECONDS: u64 = 15;

/// How an enrolment ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enrolled {
    /// The account is linked.
    Linked,
    /// It is not; the word says why.
    Abandoned(String),
}

/// Where an enrolment stands, as Obole tells a program.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EnrolmentState {
    /// `none`, `awaiting_consent`, `choosing_account`, `awaiting_code`, `awaiting_word`, `done`, `abandoned`.
    pub step: String,
    /// The bank's page.
    pub authorise_at: Option<String>,
    /// What to send to Obole by private message.
    pub code: Option<String>,
    /// To whom.
    #[serde(default)]
    pub write_to: Vec<Account>,
    /// The accounts to choose from.
    #[serde(default)]
    pub accounts: Vec<String>,
    /// The account that sent the code.
    pub candidate: Option<Account>,
    /// The account that was linked.
    pub handle: Option<String>,
    /// Why it was abandoned.
    pub reason: Option<String>,
}

/// An account on a platform.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Account {
    /// The connection's name at Obole.
    pub platform: String,
    /// The handle there.
    pub handle: String,
}

/// One enrolment session: what a browser would be.
#[derive(Debug, Clone)]
pub struct EnrolmentClient {
    sandbox: Sandbox,
    obole: String,
    cookie: Option<String>,
}

impl EnrolmentClient {
    /// A session with the Obole at this address, that has not begun; or goes on, if `cookie` (`name=value`) is that of one.
    pub fn new(sandbox: &Sandbox, obole_url: &str, cookie: Option<String>) -> Self {
        EnrolmentClient { sandbox: sandbox.clone(), obole: obole_url.trim_end_matches('/').to_owned(), cookie }
    }

    /// What names the session, as a browser would send it.
    pub fn cookie(&self) -> Option<&str> {
        self.cookie.as_deref()
    }

    /// Starts: Obole asks the bank for a consent.
    pub async fn begin(&mut self, language: &str, phrase: &str) -> anyhow::Result<EnrolmentState> {
        self.ask(Method::POST, "/enrol", &[("language", language), ("phrase", phrase)]).await
    }

    /// Where it stands.
    pub async fn state(&mut self) -> anyhow::Result<EnrolmentState> {
        self.ask(Method::GET, "/enrol", &[]).await
    }

    /// Where it stands once it no longer stands at `step`, or after a while.
    pub async fn state_after(&mut self, step: &str) -> anyhow::Result<EnrolmentState> {
        self.ask(Method::GET, &format!("/enrol?after={step}&seconds={HOLD_SECONDS}"), &[]).await
    }

    /// Comes back from the bank to where its page leads: Obole asks the bank. Without an address the bank's page was answered before.
    pub async fn come_back(&mut self, address: Option<String>) -> anyhow::Result<EnrolmentState> {
        let address = address.context("the bank's page had been answered before; begin the enrolment again")?;
        let path =
            address.strip_prefix(&self.obole).with_context(|| format!("the bank leads to {address} and not back to Obole"))?;
        self.ask(Method::GET, path, &[]).await
    }

    /// Chooses one of several accounts.
    pub async fn choose(&mut self, iban: &str) -> anyhow::Result<EnrolmentState> {
        self.ask(Method::POST, "/enrol/account", &[("iban", iban)]).await
    }

    /// Asks for a fresh code.
    pub async fn renew(&mut self) -> anyhow::Result<EnrolmentState> {
        self.ask(Method::POST, "/enrol/code", &[]).await
    }

    /// Says whether the account that sent the code is one's own.
    pub async fn say(&mut self, is_mine: bool) -> anyhow::Result<EnrolmentState> {
        self.ask(Method::POST, "/enrol/word", &[("mine", if is_mine { "yes" } else { "no" })]).await
    }

    async fn ask(&mut self, method: Method, path: &str, form: &[(&str, &str)]) -> anyhow::Result<EnrolmentState> {
        let mut request = self.sandbox.http.request(method.clone(), &format!("{}{path}", self.obole), None);
        request = request.header("accept", "application/json");
        if method == Method::POST {
            request = request.form(form);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        let response = send(request).await?;
        for set in response.headers().get_all("set-cookie") {
            let pair = set.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
            if pair.contains("obole-enrol=") {
                self.cookie = Some(pair.to_owned());
            }
        }
        serde_json::from_value(json(response).await?).context("Obole's answer about an enrolment cannot be read")
    }
}

impl Person {
    /// Enrols with the Obole at this address, from the first page to the confirmed link.
    pub async fn enrol(&self, obole_url: &str, language: &str, phrase: &str) -> anyhow::Result<Enrolled> {
        let end = Instant::now() + PATIENCE;
        let mut session = EnrolmentClient::new(&self.sandbox, obole_url, None);
        let mut state = session.begin(language, phrase).await?;
        let mut has_sent = false;
        while Instant::now() < end {
            state = match state.step.as_str() {
                "awaiting_consent" => {
                    let page = state.authorise_at.context("Obole names no page of the bank")?;
                    let back = self.approve(&page).await?;
                    session.come_back(back).await?
                }
                "choosing_account" => {
                    let own = self.iban().as_str();
                    session.choose(own).await?
                }
                "awaiting_code" if has_sent => session.state_after("awaiting_code").await?,
                "awaiting_code" => {
                    let bot = &state.write_to.first().context("Obole names nobody to write to")?.handle;
                    // Inside the town its own name goes without the town's.
                    let bot = bot.split('@').next().unwrap_or(bot).to_owned();
                    self.write_to(&bot, &state.code.context("Obole shows no code")?).await?;
                    has_sent = true;
                    session.state_after("awaiting_code").await?
                }
                "awaiting_word" => {
                    let sender = state.candidate.context("Obole does not say who sent the code")?.handle;
                    session.say(self.is_called(&sender)).await?
                }
                "done" | "connected" => return Ok(Enrolled::Linked),
                "abandoned" => return Ok(Enrolled::Abandoned(state.reason.unwrap_or_default())),
                other => bail!("an enrolment stands at {other:?}, which means nothing to this person"),
            };
        }
        bail!("an enrolment did not end within {} seconds; it stands at {}", PATIENCE.as_secs(), state.step)
    }

    /// Whether a handle, with or without the town's name, is this person's.
    fn is_called(&self, handle: &str) -> bool {
        handle.split('@').next() == Some(self.username())
    }
}
