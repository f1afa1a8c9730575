//! Our own style sheet, script and sign: part of the executable, named by their content so that browsers may keep them.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::Uri;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use sha2::{Digest as _, Sha256};

use super::failure::Failure;
use crate::ids::hex;

/// One file.
pub(crate) struct Asset {
    pub(crate) name: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) content: &'static str,
}

const ASSETS: [Asset; 3] = [
    Asset { name: "obole.css", kind: "text/css; charset=utf-8", content: include_str!("assets/obole.css") },
    Asset { name: "obole.js", kind: "text/javascript; charset=utf-8", content: include_str!("assets/obole.js") },
    Asset { name: "obole.svg", kind: "image/svg+xml", content: include_str!("assets/obole.svg") },
];

static ADDRESSES: LazyLock<Vec<String>> =
    LazyLock::new(|| ASSETS.iter().map(|asset| addressed(&format!("/assets/{}", asset.name), asset.content)).collect());

/// An address that changes when the content does.
pub(crate) fn addressed(path: &str, content: &str) -> String {
    let hash = hex(&Sha256::digest(content.as_bytes()));
    format!("{path}?v={}", hash.get(..12).unwrap_or_default())
}

/// Where a page finds one of the files.
pub(crate) fn address(name: &str) -> &'static str {
    let place = ASSETS.iter().position(|asset| asset.name == name);
    place.and_then(|place| ADDRESSES.get(place)).map_or("", String::as_str)
}

/// `GET /assets/{file}`
pub(super) async fn serve(Path(name): Path<String>, uri: Uri) -> Result<Response, Failure> {
    ASSETS.iter().find(|asset| asset.name == name).map(|asset| asset.response(&uri)).ok_or(Failure::NotFound)
}

impl Asset {
    /// Browsers keep what is asked for by its content; under the plain name they ask again.
    pub(crate) fn response(&self, uri: &Uri) -> Response {
        let keep = if uri.query().is_some_and(|query| query.starts_with("v=")) {
            "public, max-age=31536000, immutable"
        } else {
            "no-cache"
        };
        ([(CONTENT_TYPE, self.kind), (CACHE_CONTROL, keep)], self.content).into_response()
    }
}
