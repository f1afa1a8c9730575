//! Parameters, however a client sends them: in the address, as a form, as JSON, as multipart; `key[]` for lists and
//! `key[part]` for structures. All become one list of names and texts, as a Rails server sees them.

use axum::body::Bytes;
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::StatusCode;
use serde_json::Value;

use super::errors::ApiError;
use crate::platform::fake::{Id, Page};

/// An uploaded file; its bytes are counted and forgotten.
#[derive(Debug, Clone)]
pub(super) struct Upload {
    pub(super) name: String,
    pub(super) mime: String,
    pub(super) length: usize,
}

/// Names and values in the order they came.
#[derive(Debug, Clone, Default)]
pub(super) struct Params {
    pairs: Vec<(String, String)>,
    files: Vec<Upload>,
}

impl Params {
    /// A text, the last of that name.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.pairs.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A text that has to be there.
    pub(super) fn needed(&self, name: &str) -> Result<&str, ApiError> {
        self.text(name).ok_or_else(|| ApiError::invalid(&format!("param is missing or the value is empty: {name}")))
    }

    /// Every value of that name.
    pub(super) fn list(&self, name: &str) -> Vec<&str> {
        self.pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    }

    /// Whether anything of that name was sent.
    pub(super) fn has(&self, name: &str) -> bool {
        self.pairs.iter().any(|(key, _)| key == name)
    }

    /// A switch.
    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        self.text(name).map(|value| matches!(value, "true" | "1" | "on" | "True" | "yes"))
    }

    /// An id; what is none counts as not sent.
    pub(super) fn id(&self, name: &str) -> Option<Id> {
        self.text(name).and_then(|text| text.parse().ok())
    }

    /// Words separated by blanks or plus signs.
    pub(super) fn words(&self, name: &str) -> Vec<String> {
        self.text(name).unwrap_or_default().split([' ', '+', '\n']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }

    /// The part of a list that is wanted.
    pub(super) fn page(&self, usual: usize, most: usize) -> Page {
        let limit = self.text("limit").and_then(|text| text.parse().ok()).unwrap_or(usual).clamp(1, most);
        Page { max_id: self.id("max_id"), since_id: self.id("since_id"), min_id: self.id("min_id"), limit }
    }

    /// The uploaded file of that name.
    pub(super) fn file(&self, name: &str) -> Option<&Upload> {
        self.files.iter().find(|file| file.name == name)
    }

    /// Everything but what chooses a page or proves who one is, for the links to other pages.
    pub(super) fn kept_for_links(&self) -> impl Iterator<Item = &(String, String)> {
        self.pairs.iter().filter(|(key, _)| !matches!(key.as_str(), "max_id" | "since_id" | "min_id" | "access_token"))
    }

    fn add(&mut self, name: &str, value: String) {
        self.pairs.push((plain_name(name).to_owned(), value));
    }

    fn add_encoded(&mut self, encoded: &[u8]) {
        for (name, value) in url::form_urlencoded::parse(encoded) {
            self.add(&name, value.into_owned());
        }
    }

    fn add_json(&mut self, name: &str, value: Value) {
        match value {
            Value::Null => {}
            Value::Bool(value) => self.add(name, value.to_string()),
            Value::Number(value) => self.add(name, value.to_string()),
            Value::String(value) => self.add(name, value),
            Value::Array(values) => {
                for (index, value) in values.into_iter().enumerate() {
                    self.add_json(&format!("{name}[{index}]"), value);
                }
            }
            Value::Object(values) => {
                for (key, value) in values {
                    self.add_json(&if name.is_empty() { key } else { format!("{name}[{key}]") }, value);
                }
            }
        }
    }
}

/// `types[]` and `types[0]` are `types`.
fn plain_name(name: &str) -> &str {
    match name.strip_suffix(']').and_then(|open| open.rsplit_once('[')) {
        Some((plain, index)) if !plain.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit()) => plain,
        _ => name,
    }
}

fn unreadable(what: &str, cause: impl std::fmt::Display) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, &format!("The {what} cannot be read: {cause}"))
}

impl<S: Send + Sync> FromRequest<S> for Params {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let mut params = Params::default();
        params.add_encoded(request.uri().query().unwrap_or_default().as_bytes());
        let content_type = request.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
        if content_type.starts_with("multipart/form-data") {
            let mut form = Multipart::from_request(request, state).await.map_err(|cause| unreadable("form", cause))?;
            while let Some(field) = form.next_field().await.map_err(|cause| unreadable("form", cause))? {
                let name = field.name().unwrap_or_default().to_owned();
                if field.file_name().is_some() {
                    let mime = field.content_type().unwrap_or("application/octet-stream").to_owned();
                    let length = field.bytes().await.map_err(|cause| unreadable("file", cause))?.len();
                    params.files.push(Upload { name, mime, length });
                } else {
                    let value = field.text().await.map_err(|cause| unreadable("form", cause))?;
                    params.add(&name, value);
                }
            }
            return Ok(params);
        }
        let json = content_type.starts_with("application/json");
        let body = Bytes::from_request(request, state).await.map_err(|cause| ApiError::new(cause.status(), &cause.body_text()))?;
        if body.is_empty() {
            return Ok(params);
        }
        if json {
            params.add_json("", serde_json::from_slice(&body).map_err(|cause| unreadable("JSON", cause))?);
        } else {
            params.add_encoded(&body);
        }
        Ok(params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_structures_read_the_same_from_a_form_and_from_json() {
        let mut form = Params::default();
        form.add_encoded(b"types%5B%5D=mention&types[]=follow&source[privacy]=direct&bot=true");
        let mut json = Params::default();
        json.add_json(
            "",
            serde_json::json!({ "types": ["mention", "follow"], "source": { "privacy": "direct" }, "bot": true, "x": null }),
        );
        for params in [form, json] {
            assert_eq!(params.list("types"), ["mention", "follow"]);
            assert_eq!(params.text("source[privacy]"), Some("direct"));
            assert_eq!(params.flag("bot"), Some(true));
            assert_eq!(params.text("x"), None);
        }
    }
}
