//! Errors as a Mastodon server words them: `{"error": "…"}` and a status.

use axum::Json;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::quota::announce;
use crate::platform::fake::{Quota, Refusal};

/// An answer that is not what was asked for.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    body: Value,
    quota: Option<Quota>,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, error: &str) -> Self {
        ApiError { status, body: json!({ "error": error }), quota: None }
    }

    pub(super) fn with_body(status: StatusCode, body: Value) -> Self {
        ApiError { status, body, quota: None }
    }

    pub(super) fn not_found() -> Self {
        Refusal::NotFound.into()
    }

    pub(super) fn invalid(error: &str) -> Self {
        ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, error)
    }

    pub(super) fn too_many(quota: Quota) -> Self {
        ApiError { quota: Some(quota), ..ApiError::new(StatusCode::TOO_MANY_REQUESTS, "Too many requests") }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let error = refusal.to_string();
        match refusal {
            Refusal::NotFound => ApiError::new(StatusCode::NOT_FOUND, &error),
            Refusal::Forbidden => ApiError::new(StatusCode::FORBIDDEN, &error),
            Refusal::Invalid(_) | Refusal::UnexpectedMentions(_) => ApiError::invalid(&error),
            Refusal::BadName(reason) => {
                let kind = if reason.contains("taken") { "ERR_TAKEN" } else { "ERR_INVALID" };
                let body = json!({
                    "error": format!("Validation failed: Username {reason}"),
                    "details": { "username": [{ "error": kind, "description": reason }] },
                });
                ApiError::with_body(StatusCode::UNPROCESSABLE_ENTITY, body)
            }
            Refusal::TooMany(quota) => ApiError::too_many(quota),
            Refusal::OAuth(code, description) => {
                let status = match code {
                    "invalid_client" => StatusCode::UNAUTHORIZED,
                    "unauthorized_client" => StatusCode::FORBIDDEN,
                    _ => StatusCode::BAD_REQUEST,
                };
                ApiError::with_body(status, json!({ "error": code, "error_description": description }))
            }
            Refusal::Storage(_) => {
                tracing::error!(%error, "a request was refused");
                ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, &error)
            }
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        if let Some(quota) = self.quota {
            announce(&mut response, quota);
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static(r#"Bearer realm="Doorkeeper", error="invalid_token""#);
            response.headers_mut().insert("www-authenticate", challenge);
        }
        response
    }
}
