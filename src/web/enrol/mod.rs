//! Enrolment in the browser: the bank's consent, the code, the word. The steps themselves are `app::enrol`'s.
//!
//! | request | does |
//! |---|---|
//! | `GET /enrol` | shows where the enrolment of this browser stands, or the first form |
//! | `POST /enrol` `language`, `phrase`, `bank`? | begins, and leads to the bank's page |
//! | `GET /enrol/return` | asks the bank, since somebody came back from it; proves nothing by itself |
//! | `POST /enrol/account` `iban` | chooses one of several accounts |
//! | `POST /enrol/code` | a fresh code |
//! | `POST /enrol/word` `mine=yes\|no`, `sender`? | says whether the account that sent the code is one's own |
//! | `POST /enrol/passkey/begin`, `/enrol/passkey` | a passkey for whoever has just been linked here |
//!
//! The session is a random token in a cookie. With `Accept: application/json` and no HTML in it, all of them answer
//! [`json::EnrolmentState`] instead of a page or a redirect; `GET /enrol?after=STEP&seconds=N` then holds its answer until the enrolment
//! stands elsewhere, [`LONGEST_HOLD`] at most.

mod json;
mod pages;
mod session;

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Form, FromRequest as _, Query, Request, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use serde::Deserialize;
use tokio::time::Instant;

pub use json::{AccountName, EnrolmentState};

use super::Web;
use super::failure::Failure;
use super::passkey::{New, challenge, go_on};
use super::visitor::{Visitor, address};
use crate::app::account::{self, Act, ceremony};
use crate::app::enrol::{self, SessionToken};
use crate::iban::Iban;
use crate::ids::BankName;
use crate::people::Language;
use crate::people::enrolment::{Enrolment, Step};
use session::{clear_cookie, set_cookie, token_of};

/// The longest that an answer is held until something has happened.
pub const LONGEST_HOLD: Duration = Duration::from_secs(20);
/// Between two looks at an enrolment that somebody waits for, however many signals come.
const LOOK_AT_MOST_EVERY: Duration = Duration::from_millis(100);
/// A look all the same after this long, in case a signal was given by another node.
const LOOK_AT_LEAST_EVERY: Duration = Duration::from_secs(2);
/// What the texts of messages have room for.
const PHRASE_CHARACTERS: std::ops::RangeInclusive<usize> = 3..=32;
/// Addresses remembered before those that have been quiet are forgotten.
const REMEMBERED: usize = 10_000;

/// Who may begin an enrolment, and how often: each one makes a consent at the bank.
pub(crate) struct Beginners(DefaultKeyedRateLimiter<IpAddr>);

impl Beginners {
    pub(super) fn new(per_minute: NonZeroU32) -> Self {
        Beginners(RateLimiter::keyed(Quota::per_minute(per_minute)))
    }

    pub(crate) fn admit(&self, address: IpAddr) -> Result<(), Failure> {
        if self.0.len() > REMEMBERED {
            self.0.retain_recent();
        }
        self.0.check_key(&address).map_err(|_| Failure::TooOften)
    }
}

#[derive(Deserialize)]
pub(super) struct Wait {
    after: Option<String>,
    #[serde(default)]
    seconds: u64,
    /// Shows the first form, whatever there is.
    again: Option<String>,
    /// A passkey was just added.
    passkey: Option<String>,
}

/// `GET /enrol`
pub(super) async fn show(
    State(state): State<Arc<Web>>,
    visitor: Visitor,
    headers: HeaderMap,
    Query(wait): Query<Wait>,
) -> Result<Response, Failure> {
    if wait.passkey.is_some() && !visitor.wants_json {
        return Ok(pages::passkey_added(&state, &visitor).into_response());
    }
    let mut found = find(&state, &headers).await?;
    if wait.again.is_some() {
        found = None;
    } else if let Some(step) = &wait.after {
        let hold = Duration::from_secs(wait.seconds).min(LONGEST_HOLD);
        found = moved_on(&state, &headers, found, step, hold).await?;
    }
    Ok(shown(&state, &visitor, found.as_ref()))
}

/// Waits until the enrolment no longer stands at `step`.
async fn moved_on(
    state: &Web,
    headers: &HeaderMap,
    mut found: Option<Enrolment>,
    step: &str,
    hold: Duration,
) -> Result<Option<Enrolment>, Failure> {
    let end = Instant::now() + hold;
    while found.as_ref().is_some_and(|enrolment| enrolment.step.name() == step) && Instant::now() < end {
        // Heard from here on; then the rows are read, so nothing falls between.
        let changed = state.app.signals.enrolment_changed();
        found = find(state, headers).await?;
        if found.as_ref().is_none_or(|enrolment| enrolment.step.name() != step) {
            break;
        }
        let rest = Instant::now() + LOOK_AT_MOST_EVERY;
        tokio::select! {
            () = changed => tokio::time::sleep_until(rest.min(end)).await,
            () = tokio::time::sleep_until((Instant::now() + LOOK_AT_LEAST_EVERY).min(end)) => {}
            () = state.end.cancelled() => break,
        }
    }
    find(state, headers).await
}

#[derive(Deserialize)]
pub(super) struct Beginning {
    language: Option<String>,
    phrase: String,
    bank: Option<String>,
}

/// `POST /enrol`
pub(super) async fn begin(State(state): State<Arc<Web>>, visitor: Visitor, request: Request) -> Result<Response, Failure> {
    let address = address(request.headers(), request.extensions(), state.behind_proxy);
    let Form(form) = Form::<Beginning>::from_request(request, &()).await.map_err(|_| Failure::BadRequest)?;
    let language = form.language.as_deref().and_then(Language::from_tag).unwrap_or(visitor.language);
    let phrase = safe_phrase(&form.phrase)?;
    let bank = match form.bank.filter(|bank| !bank.is_empty()) {
        Some(name) => BankName(name),
        None => only_bank(&state)?,
    };
    state.beginners.admit(address)?;
    let (token, enrolment) = enrol::begin(&state.app, &bank, language, &phrase).await?;
    let mut response = if visitor.wants_json { answered(&state, &visitor, &enrolment) } else { lead_to_bank(&state, &enrolment) };
    set_cookie(&mut response, &token, &state.app.public_url);
    Ok(response)
}

/// To the bank's own page at once, where a form may lead there; else to the page that links to it.
pub(super) fn lead_to_bank(state: &Web, enrolment: &Enrolment) -> Response {
    match &enrolment.step {
        Step::AwaitingConsent { authorise_at, .. } if is_known_bank(state, authorise_at) => {
            Redirect::to(authorise_at).into_response()
        }
        _ => Redirect::to("/enrol").into_response(),
    }
}

/// Has the browser remember an enrolment that was begun elsewhere.
pub(super) fn set_enrolment(response: &mut Response, token: &SessionToken, state: &Web) {
    set_cookie(response, token, &state.app.public_url);
}

/// `POST /enrol/passkey/begin`: for whoever has just been linked in this browser; that is what vouches for the first passkey, and for a
/// new one after all were lost.
pub(super) async fn begin_adding_passkey(State(state): State<Arc<Web>>, headers: HeaderMap) -> Result<Response, Failure> {
    let enrolment = needed(&state, &headers).await?;
    let Step::Done { person, .. } = &enrolment.step else { return Err(Failure::WrongStep) };
    Ok(challenge(ceremony::begin_adding(&state.app, person, &enrolment.session).await?))
}

/// `POST /enrol/passkey`
pub(super) async fn add_passkey(
    State(state): State<Arc<Web>>,
    headers: HeaderMap,
    Json(new): Json<New>,
) -> Result<Response, Failure> {
    let enrolment = needed(&state, &headers).await?;
    account::perform(&state.ledger, Act::AddPasskey { binding: enrolment.session, made: new.into() }).await?;
    let mut response = go_on("/enrol?passkey=added");
    // It vouches for one.
    clear_cookie(&mut response, &state.app.public_url);
    Ok(response)
}

/// `GET /enrol/return`
pub(super) async fn come_back(
    State(state): State<Arc<Web>>,
    visitor: Visitor,
    headers: HeaderMap,
    Query(from): Query<FromBank>,
) -> Result<Response, Failure> {
    // Whoever lost the cookie on the way begins again; the page says so.
    let Some(enrolment) = find(&state, &headers).await? else {
        return Ok(if visitor.wants_json { Failure::NoSession.into_response() } else { Redirect::to("/enrol").into_response() });
    };
    // Another session's consent, or none: nothing is asked, and the page stays where it is.
    let is_from_bank = from.state.is_some_and(|from| enrol::is_from_bank(&state.app, &enrolment, &from));
    let enrolment = if is_from_bank { enrol::ask_bank(&state.app, enrolment).await? } else { enrolment };
    Ok(answered(&state, &visitor, &enrolment))
}

#[derive(Deserialize)]
pub(super) struct FromBank {
    state: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Choice {
    iban: String,
}

/// `POST /enrol/account`
pub(super) async fn choose(
    State(state): State<Arc<Web>>,
    visitor: Visitor,
    headers: HeaderMap,
    Form(choice): Form<Choice>,
) -> Result<Response, Failure> {
    let enrolment = needed(&state, &headers).await?;
    let iban: Iban = choice.iban.parse().map_err(|_| Failure::BadAccount)?;
    let enrolment = enrol::choose_account(&state.app, enrolment, &iban).await?;
    Ok(answered(&state, &visitor, &enrolment))
}

/// `POST /enrol/code`
pub(super) async fn renew(State(state): State<Arc<Web>>, visitor: Visitor, headers: HeaderMap) -> Result<Response, Failure> {
    let enrolment = enrol::renew_code(&state.app, needed(&state, &headers).await?).await?;
    Ok(answered(&state, &visitor, &enrolment))
}

#[derive(Deserialize)]
pub(super) struct Word {
    mine: String,
    sender: Option<String>,
}

/// `POST /enrol/word`
pub(super) async fn say(
    State(state): State<Arc<Web>>,
    visitor: Visitor,
    headers: HeaderMap,
    Form(word): Form<Word>,
) -> Result<Response, Failure> {
    let enrolment = needed(&state, &headers).await?;
    let is_mine = match word.mine.as_str() {
        "yes" => true,
        "no" => false,
        _ => return Err(Failure::BadRequest),
    };
    // A page that was shown before the code was renewed may name another account than the one that stands there now.
    if let (Step::AwaitingWord { candidate, .. }, Some(sender)) = (&enrolment.step, &word.sender)
        && *sender != json::sender(candidate)
    {
        return Err(Failure::Stale);
    }
    let enrolment = enrol::say(&state.app, &state.ledger, enrolment, is_mine).await?;
    Ok(answered(&state, &visitor, &enrolment))
}

async fn find(state: &Web, headers: &HeaderMap) -> Result<Option<Enrolment>, Failure> {
    match token_of(headers) {
        Some(token) => Ok(enrol::find(&state.app, &SessionToken(token)).await?),
        None => Ok(None),
    }
}

async fn needed(state: &Web, headers: &HeaderMap) -> Result<Enrolment, Failure> {
    find(state, headers).await?.ok_or(Failure::NoSession)
}

/// After a step: JSON for a program, back to the page for a browser, so that loading it again repeats nothing.
fn answered(state: &Web, visitor: &Visitor, enrolment: &Enrolment) -> Response {
    if visitor.wants_json {
        return Json(EnrolmentState::of(&state.app, Some(enrolment))).into_response();
    }
    Redirect::to("/enrol").into_response()
}

fn shown(state: &Web, visitor: &Visitor, enrolment: Option<&Enrolment>) -> Response {
    if visitor.wants_json {
        return Json(EnrolmentState::of(&state.app, enrolment)).into_response();
    }
    let mut response = pages::page(state, visitor, enrolment).into_response();
    // Nothing more is done with it, and a shared computer should not keep it.
    if matches!(enrolment.map(|enrolment| &enrolment.step), Some(Step::Abandoned { .. })) {
        clear_cookie(&mut response, &state.app.public_url);
    }
    response
}

/// A form may lead to these only (`form-action`); to other banks the next page has a link.
fn is_known_bank(state: &Web, address: &str) -> bool {
    let origin = url::Url::parse(address).ok().map(|url| url.origin().ascii_serialization());
    origin.is_some_and(|origin| state.bank_origins.contains(&origin))
}

fn only_bank(state: &Web) -> Result<BankName, Failure> {
    let mut names = state.app.banks.keys();
    match (names.next(), names.next()) {
        (Some(name), None) => Ok(name.clone()),
        _ => Err(Failure::BadBank),
    }
}

pub(super) fn safe_phrase(typed: &str) -> Result<String, Failure> {
    let phrase = typed.trim();
    let bad = |c: char| c.is_control() || matches!(c, '@' | '＠' | '﹫');
    if PHRASE_CHARACTERS.contains(&phrase.chars().count()) && !phrase.contains(bad) {
        Ok(phrase.to_owned())
    } else {
        Err(Failure::BadPhrase)
    }
}
