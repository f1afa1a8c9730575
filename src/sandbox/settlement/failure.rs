//! Error answers in the protocol's words.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};

use crate::bank::fake::Refusal;
use crate::bank::settlement::openapi::ApiError;
use crate::bank::settlement::wire::{ErrorBody, ErrorClass, Problem, VERSION, WrongField};

/// An error answer.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    code: &'static str,
    message: String,
    fields: Vec<WrongField>,
    retry_after: Option<u64>,
    /// Said in place of the class that the code has; only by a planted mistake.
    class: Option<ErrorClass>,
}

impl Failure {
    /// The error of this code, with a sentence.
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Failure { code, message: message.into(), fields: Vec::new(), retry_after: None, class: None }
    }

    /// 422 about these values.
    pub(super) fn invalid(fields: Vec<WrongField>) -> Self {
        Failure { fields, ..Failure::new("invalid", "Some values are wrong.") }
    }

    /// 422 about one value.
    pub(super) fn field(path: &str, message: impl Into<String>) -> Self {
        Failure::invalid(vec![WrongField { path: path.to_owned(), message: message.into() }])
    }

    pub(super) fn after(self, seconds: u64) -> Self {
        Failure { retry_after: Some(seconds), ..self }
    }

    pub(super) fn without_retry_after(self) -> Self {
        Failure { retry_after: None, ..self }
    }

    pub(super) fn called(self, class: ErrorClass) -> Self {
        Failure { class: Some(class), ..self }
    }

    /// Something of our own broke.
    pub(super) fn internal(error: impl std::fmt::Display) -> Self {
        tracing::error!(%error, "the settlement backend broke");
        Failure::new("internal", "Something broke; look the payment up.")
    }

    pub(super) fn is_invalid(&self) -> bool {
        self.code == "invalid"
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Failure::internal(refusal)
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Failure::internal(error)
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Failure::internal(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, class) = ApiError::named(self.code).map_or((500, ErrorClass::Unknown), |error| (error.status, error.class));
        let versions = if self.code == "unsupported_version" { vec![VERSION.to_owned()] } else { Vec::new() };
        let error = Problem {
            class: self.class.unwrap_or(class),
            code: self.code.to_owned(),
            message: self.message,
            fields: self.fields,
            versions,
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(ErrorBody { error })).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}
