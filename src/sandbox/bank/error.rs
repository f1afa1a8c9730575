//! Error answers in both forms of NextGenPSD2, with the codes of its Implementation Guidelines, section 14: `tppMessages`, and where the caller
//! asks for `application/problem+json` that of RFC 7807. The statuses for which the interface describes no body have none.

use axum::Json;
use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::bank::fake::Refusal;

/// An error answer.
#[derive(Debug, Clone)]
pub(super) struct BgError {
    status: StatusCode,
    code: &'static str,
    path: Option<String>,
    text: String,
}

impl BgError {
    /// An answer with this HTTP status, message code and sentence.
    pub(super) fn new(status: StatusCode, code: &'static str, text: impl Into<String>) -> Self {
        BgError { status, code, path: None, text: text.into() }
    }

    /// 400 FORMAT_ERROR about one field or header.
    pub(super) fn format(path: impl Into<String>, text: impl Into<String>) -> Self {
        BgError { path: Some(path.into()), ..Self::new(StatusCode::BAD_REQUEST, "FORMAT_ERROR", text) }
    }

    /// 404 RESOURCE_UNKNOWN.
    pub(super) fn unknown(text: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "RESOURCE_UNKNOWN", text)
    }

    /// The answer a fault asks for.
    pub(super) fn of_fault(status: u16) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let code = match status.as_u16() {
            400 => "FORMAT_ERROR",
            401 => "CERTIFICATE_INVALID",
            403 => "SERVICE_BLOCKED",
            404 => "RESOURCE_UNKNOWN",
            405 => "SERVICE_INVALID",
            406 => "REQUESTED_FORMATS_INVALID",
            409 => "STATUS_INVALID",
            429 => "ACCESS_EXCEEDED",
            503 => "SERVICE_UNAVAILABLE",
            _ => "INTERNAL_SERVER_ERROR",
        };
        Self::new(status, code, "This fault was asked for.")
    }
}

impl From<Refusal> for BgError {
    fn from(refusal: Refusal) -> Self {
        let text = refusal.to_string();
        match refusal {
            Refusal::UnknownAccount | Refusal::UnknownPayment | Refusal::UnknownAuthorisation => Self::unknown(text),
            Refusal::UnknownConsent => Self::new(StatusCode::FORBIDDEN, "CONSENT_UNKNOWN", text),
            Refusal::ReturnAddressMissing => Self::format("TPP-Redirect-URI", text),
            Refusal::NotCancellable => Self::new(StatusCode::METHOD_NOT_ALLOWED, "CANCELLATION_INVALID", text),
            Refusal::AlreadyDecided | Refusal::NotReturnable => Self::new(StatusCode::CONFLICT, "STATUS_INVALID", text),
            Refusal::WrongHolder => Self::new(StatusCode::UNAUTHORIZED, "PSU_CREDENTIALS_INVALID", text),
            Refusal::BadAccount(_) => Self::new(StatusCode::BAD_REQUEST, "FORMAT_ERROR", text),
            Refusal::Journal(_) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_SERVER_ERROR", text),
        }
    }
}

impl BgError {
    /// The same error as RFC 7807 has it.
    pub(super) fn into_problem(self) -> Response {
        if !has_body(self.status) {
            return self.into_response();
        }
        let title: String = self.code.chars().take(70).collect();
        let kind = format!("https://berlingroup.com/error-codes/{}", self.code);
        let mut problem = json!({"type": kind, "title": title, "code": self.code, "detail": clipped(&self.text)});
        if let Some(path) = self.path {
            problem["detail"] = clipped(&format!("{path}: {}", self.text)).into();
        }
        (self.status, [(CONTENT_TYPE, "application/problem+json")], problem.to_string()).into_response()
    }
}

/// Whether the interface describes a body for an error of this status, for some calls at least.
fn has_body(status: StatusCode) -> bool {
    !matches!(status.as_u16(), 408 | 415 | 500 | 503)
}

/// Takes the body from an error for which the interface describes one for accounts and consents, and none for anything else.
pub(super) fn strip(response: &mut Response, is_about_accounts: bool) {
    if matches!(response.status().as_u16(), 406 | 429) && !is_about_accounts {
        *response.body_mut() = Body::empty();
        response.headers_mut().remove(CONTENT_TYPE);
        response.headers_mut().remove(CONTENT_LENGTH);
    }
}

impl IntoResponse for BgError {
    fn into_response(self) -> Response {
        if !has_body(self.status) {
            return self.status.into_response();
        }
        let own = self.clone();
        let mut message = json!({"category": "ERROR", "code": self.code, "text": clipped(&self.text)});
        if let Some(path) = self.path {
            message["path"] = path.into();
        }
        let mut response = (self.status, Json(json!({"tppMessages": [message]}))).into_response();
        response.extensions_mut().insert(own);
        response
    }
}

/// `tppMessageText` has at most 500 characters.
fn clipped(text: &str) -> String {
    text.chars().take(500).collect()
}
