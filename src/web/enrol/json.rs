//! An enrolment as a program is told of it.

use serde::Serialize;

use crate::app::App;
use crate::app::enrol::shown_code;
use crate::clock::Timestamp;
use crate::people::enrolment::{Candidate, Enrolment, Step};

/// Where an enrolment stands. What does not belong to the step is left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct EnrolmentState {
    /// `none`, `awaiting_consent`, `choosing_account`, `awaiting_code`, `awaiting_word`, `connected`, `done` or `abandoned`.
    pub step: &'static str,
    /// The bank's page where the person agrees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorise_at: Option<String>,
    /// The accounts to choose from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<String>,
    /// What to send by private message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Until when the code is good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// To whom, on each platform.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub write_to: Vec<AccountName>,
    /// The account that sent the code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidate: Option<AccountName>,
    /// The same as one text, to be sent back with the word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// The handle that was linked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handle: Option<String>,
    /// Why it was abandoned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// An account on a platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountName {
    /// The connection.
    pub platform: String,
    /// The handle there.
    pub handle: String,
}

impl EnrolmentState {
    /// The state of an enrolment, or of a browser that has none.
    pub fn of(app: &App, enrolment: Option<&Enrolment>) -> Self {
        let Some(enrolment) = enrolment else { return EnrolmentState { step: "none", ..Self::default() } };
        let at = EnrolmentState { step: enrolment.step.name(), ..Self::default() };
        match &enrolment.step {
            Step::AwaitingConsent { authorise_at, .. } => EnrolmentState { authorise_at: Some(authorise_at.clone()), ..at },
            Step::ChoosingAccount { accounts, .. } => {
                EnrolmentState { accounts: accounts.iter().map(|iban| iban.as_str().to_owned()).collect(), ..at }
            }
            Step::AwaitingCode { until, .. } => EnrolmentState {
                code: shown_code(app, enrolment).map(|code| code.as_str().to_owned()),
                until: Some(*until),
                write_to: bots(app),
                ..at
            },
            Step::AwaitingWord { candidate, .. } => EnrolmentState {
                candidate: Some(AccountName { platform: candidate.platform.to_string(), handle: candidate.handle.clone() }),
                sender: Some(sender(candidate)),
                ..at
            },
            Step::Connected { .. } => at,
            Step::Done { handle, .. } => EnrolmentState { handle: Some(handle.clone()), ..at },
            Step::Abandoned { reason } => EnrolmentState { reason: Some(reason.clone()), ..at },
        }
    }
}

/// Our own account on each platform, by the platform's name.
pub(super) fn bots(app: &App) -> Vec<AccountName> {
    let bot = |platform: &std::sync::Arc<dyn crate::platform::Platform>| AccountName {
        platform: platform.name().to_string(),
        handle: platform.bot().handle.clone(),
    };
    let mut bots: Vec<_> = app.platforms.values().map(bot).collect();
    bots.sort_by(|one, other| one.platform.cmp(&other.platform));
    bots
}

/// What to write to us on each platform, ready to be sent: the platform, the whole text, and a link that opens it as a private message
/// where the platform has such links.
pub(super) fn messages_with(app: &App, code: &str) -> Vec<(String, String, Option<String>)> {
    let mut platforms: Vec<_> = app.platforms.values().collect();
    platforms.sort_by_key(|platform| platform.name());
    let message = |platform: &&std::sync::Arc<dyn crate::platform::Platform>| {
        let text = format!("@{} {code}", platform.bot().handle);
        let link = platform.message_link(&text);
        (platform.name().to_string(), text, link)
    };
    platforms.iter().map(message).collect()
}

/// Names the account that sent the code by what never changes, so that a yes is about exactly this one.
pub(super) fn sender(candidate: &Candidate) -> String {
    format!("{}:{}", candidate.platform, candidate.account)
}
