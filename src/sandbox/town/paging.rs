//! `Link` headers: where the older and the newer page of a list is.

use axum::Json;
use axum::http::HeaderValue;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::Wire;
use super::params::Params;
use crate::platform::fake::Id;

/// A page of a list. `ends` are the newest and the oldest id on it; without, there are no links.
pub(super) fn page(wire: &Wire, path: &str, params: &Params, entities: Vec<Value>, ends: Option<(Id, Id)>) -> Response {
    let mut response = Json(entities).into_response();
    if let Some((newest, oldest)) = ends {
        let link = |key: &str, id: Id| {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            for (name, value) in params.kept_for_links() {
                // A list goes out as a list again.
                let list = params.list(name).len() > 1 || matches!(name.as_str(), "types" | "exclude_types");
                query.append_pair(&if list { format!("{name}[]") } else { name.clone() }, value);
            }
            format!("{}{path}?{}", wire.base_url, query.append_pair(key, &id.to_string()).finish())
        };
        let links = format!(r#"<{}>; rel="next", <{}>; rel="prev""#, link("max_id", oldest), link("min_id", newest));
        if let Ok(links) = HeaderValue::from_str(&links) {
            response.headers_mut().insert("link", links);
        }
    }
    response
}

/// Newest and oldest of a page that is newest first.
pub(super) fn ends<T>(page: &[T], id: impl Fn(&T) -> Option<Id>) -> Option<(Id, Id)> {
    Some((id(page.first()?)?, id(page.last()?)?))
}
