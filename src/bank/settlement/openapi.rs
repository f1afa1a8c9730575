//! The Obole Settlement API for everybody else: the OpenAPI 3.1 document, and the list of its errors.
//!
//! The document is a file of this crate (`openapi.json`, versioned with the protocol in its `info.version`), served by every running Obole at
//! `/settlement/openapi.json`. Tests hold it to the types of `wire`, and its examples to its schemas.

use super::wire::ErrorClass;

/// The document, as it is served.
pub const DOCUMENT: &str = include_str!("openapi.json");

/// An error that a backend may answer with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiError {
    /// The HTTP status.
    pub status: u16,
    /// What it means for the money.
    pub class: ErrorClass,
    /// What names it.
    pub code: &'static str,
}

/// Every error there is.
pub const ERRORS: [ApiError; 18] = [
    ApiError { status: 400, class: ErrorClass::Refused, code: "malformed" },
    ApiError { status: 400, class: ErrorClass::NotTaken, code: "unsupported_version" },
    ApiError { status: 401, class: ErrorClass::NotTaken, code: "unauthenticated" },
    ApiError { status: 403, class: ErrorClass::NotTaken, code: "forbidden" },
    ApiError { status: 404, class: ErrorClass::NotTaken, code: "payment_not_found" },
    ApiError { status: 404, class: ErrorClass::NotTaken, code: "link_not_found" },
    ApiError { status: 404, class: ErrorClass::Refused, code: "no_such_address" },
    ApiError { status: 405, class: ErrorClass::Refused, code: "method_not_allowed" },
    ApiError { status: 409, class: ErrorClass::Refused, code: "conflict" },
    ApiError { status: 409, class: ErrorClass::Refused, code: "too_late" },
    ApiError { status: 410, class: ErrorClass::Refused, code: "expired" },
    ApiError { status: 410, class: ErrorClass::Refused, code: "cancelled" },
    ApiError { status: 413, class: ErrorClass::Refused, code: "too_large" },
    ApiError { status: 415, class: ErrorClass::Refused, code: "not_json" },
    ApiError { status: 422, class: ErrorClass::Refused, code: "invalid" },
    ApiError { status: 429, class: ErrorClass::NotTaken, code: "rate_limited" },
    ApiError { status: 500, class: ErrorClass::Unknown, code: "internal" },
    ApiError { status: 503, class: ErrorClass::NotTaken, code: "unavailable" },
];

impl ApiError {
    /// The error of this code.
    pub fn named(code: &str) -> Option<ApiError> {
        ERRORS.into_iter().find(|error| error.code == code)
    }
}
