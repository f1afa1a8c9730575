//! Why a request did not do what it asked for, as a page or a program is told: a status and one clear sentence.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::words::Errors;
use crate::app::account::{AccountError, Problem};
use crate::app::enrol::EnrolError;
use crate::store::StoreError;

/// Why. Each has its sentence in the language files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    NotFound,
    BadRequest,
    BadPhrase,
    BadBank,
    WrongStep,
    Stale,
    NoSession,
    BankSilent,
    BadAccount,
    TooOften,
    TooLarge,
    TooSlow,
    Forbidden,
    Unavailable,
    Broken,
    /// Nobody has entered in this browser.
    NotEntered,
    /// What a person wanted on their own pages cannot be done.
    Problem(Problem),
}

impl Failure {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Failure::NotFound => StatusCode::NOT_FOUND,
            Failure::BadRequest | Failure::BadPhrase | Failure::BadBank | Failure::BadAccount => StatusCode::BAD_REQUEST,
            Failure::WrongStep | Failure::Stale | Failure::NoSession => StatusCode::CONFLICT,
            Failure::TooOften => StatusCode::TOO_MANY_REQUESTS,
            Failure::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Failure::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Failure::Forbidden => StatusCode::FORBIDDEN,
            Failure::BankSilent => StatusCode::BAD_GATEWAY,
            Failure::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Failure::Broken => StatusCode::INTERNAL_SERVER_ERROR,
            Failure::NotEntered => StatusCode::UNAUTHORIZED,
            Failure::Problem(Problem::NotVerified | Problem::Unreadable) => StatusCode::BAD_REQUEST,
            Failure::Problem(Problem::NotYours) => StatusCode::FORBIDDEN,
            Failure::Problem(_) => StatusCode::CONFLICT,
        }
    }

    /// The name that a program is told.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Failure::NotFound => "not_found",
            Failure::BadRequest => "bad_request",
            Failure::BadPhrase => "bad_phrase",
            Failure::BadBank => "bad_bank",
            Failure::WrongStep => "wrong_step",
            Failure::Stale => "stale",
            Failure::NoSession => "no_session",
            Failure::BankSilent => "bank_silent",
            Failure::BadAccount => "bad_account",
            Failure::TooOften => "too_often",
            Failure::TooLarge => "too_large",
            Failure::TooSlow => "too_slow",
            Failure::Forbidden => "forbidden",
            Failure::Unavailable => "unavailable",
            Failure::Broken => "broken",
            Failure::NotEntered => "not_entered",
            Failure::Problem(problem) => problem.name(),
        }
    }

    pub(crate) fn sentence(self, texts: &Errors) -> &str {
        match self {
            Failure::NotFound => &texts.not_found,
            Failure::BadRequest => &texts.bad_request,
            Failure::BadPhrase => &texts.bad_phrase,
            Failure::BadBank => &texts.bad_bank,
            Failure::WrongStep => &texts.wrong_step,
            Failure::Stale => &texts.stale,
            Failure::NoSession => &texts.no_session,
            Failure::BankSilent => &texts.bank_silent,
            Failure::BadAccount => &texts.bad_account,
            Failure::TooOften => &texts.too_often,
            Failure::TooLarge => &texts.too_large,
            Failure::TooSlow => &texts.too_slow,
            Failure::Forbidden => &texts.forbidden,
            Failure::Unavailable => &texts.unavailable,
            Failure::Broken => &texts.broken,
            Failure::NotEntered => &texts.not_entered,
            Failure::Problem(problem) => match problem {
                Problem::Gone => &texts.ceremony_gone,
                Problem::NotVerified => &texts.not_verified,
                Problem::NotWaiting => &texts.not_waiting,
                Problem::Changed => &texts.order_changed,
                Problem::TooNew => &texts.passkey_too_new,
                Problem::NoPasskey => &texts.no_passkey,
                Problem::NotYours => &texts.not_yours,
                Problem::Last => &texts.last_one,
                Problem::TooMany => &texts.too_many,
                Problem::UnderWay => &texts.under_way,
                Problem::Unreadable => &texts.unreadable,
                Problem::Unavailable => &texts.no_passkeys_here,
            },
        }
    }

    /// What a bare status from a layer or an extractor means.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Failure::NotFound,
            StatusCode::FORBIDDEN => Failure::Forbidden,
            StatusCode::PAYLOAD_TOO_LARGE => Failure::TooLarge,
            StatusCode::REQUEST_TIMEOUT => Failure::TooSlow,
            StatusCode::SERVICE_UNAVAILABLE => Failure::Unavailable,
            StatusCode::TOO_MANY_REQUESTS => Failure::TooOften,
            status if status.is_client_error() => Failure::BadRequest,
            _ => Failure::Broken,
        }
    }
}

/// A bare status with the reason beside it; `dress` makes a page or JSON of it.
impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "a page could not be made");
        Failure::Unavailable
    }
}

impl From<AccountError> for Failure {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Problem(problem) => Failure::Problem(problem),
            AccountError::Store(error) => error.into(),
            AccountError::Ledger(error) => {
                tracing::error!(%error, "what a person wanted on their own pages was not committed");
                Failure::Unavailable
            }
        }
    }
}

impl From<EnrolError> for Failure {
    fn from(error: EnrolError) -> Self {
        match error {
            EnrolError::NoSuchBank(_) => Failure::BadBank,
            EnrolError::WrongStep => Failure::WrongStep,
            EnrolError::NotConsented => Failure::BadAccount,
            EnrolError::Bank(error) => {
                tracing::warn!(%error, "an enrolment waits for the bank");
                Failure::BankSilent
            }
            EnrolError::Store(error) => error.into(),
            EnrolError::Ledger(error) => {
                tracing::error!(%error, "an enrolment was not committed");
                Failure::Unavailable
            }
        }
    }
}
