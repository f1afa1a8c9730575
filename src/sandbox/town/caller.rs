//! Who is calling: a person, an application, or nobody.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;

use super::errors::ApiError;
use crate::platform::fake::{Id, Token};

/// What a request brought; put into its extensions before routing.
#[derive(Debug, Clone)]
pub(super) enum Credentials {
    None,
    Unknown,
    Token(Arc<Token>),
}

/// The bearer secret of a request, from the header or the address.
pub(super) fn secret_of(request: &Request) -> Option<String> {
    let header = request.headers().get("authorization").and_then(|value| value.to_str().ok());
    let bearer = header.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    if let Some((_, secret)) = bearer {
        return Some(secret.trim().to_owned());
    }
    let query = request.uri().query()?;
    url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "access_token").map(|(_, secret)| secret.into_owned())
}

/// Somebody of the town, or with `person` missing an application in its own name.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) token: Arc<Token>,
}

impl Caller {
    /// The person, if the token has the scope.
    pub(super) fn person(&self, scope: &str) -> Result<Id, ApiError> {
        if !self.token.allows(scope) {
            return Err(ApiError::new(StatusCode::FORBIDDEN, "This action is outside the authorized scopes"));
        }
        self.token.account.ok_or_else(|| ApiError::invalid("This method requires an authenticated user"))
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        match parts.extensions.get::<Credentials>() {
            Some(Credentials::Token(token)) => Ok(Caller { token: Arc::clone(token) }),
            Some(Credentials::Unknown) => Err(ApiError::new(StatusCode::UNAUTHORIZED, "The access token is invalid")),
            Some(Credentials::None) | None => {
                Err(ApiError::new(StatusCode::UNAUTHORIZED, "This method requires an authenticated user"))
            }
        }
    }
}

/// The person who looks, if it is one; a wrong token is still an error.
#[derive(Debug, Clone, Copy)]
pub(super) struct Viewer(pub(super) Option<Id>);

impl<S: Sync> FromRequestParts<S> for Viewer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        if matches!(parts.extensions.get::<Credentials>(), Some(Credentials::None) | None) {
            return Ok(Viewer(None));
        }
        Caller::from_request_parts(parts, state).await.map(|caller| Viewer(caller.token.account))
    }
}

/// The one id in a path; what is no id is not found.
#[derive(Debug, Clone, Copy)]
pub(super) struct PathId(pub(super) Id);

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| ApiError::not_found())?;
        text.parse().map(PathId).map_err(|_| ApiError::not_found())
    }
}
