//! What the town says about itself, and the empty answers real clients ask for.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::Wire;
use super::caller::Caller;
use super::errors::ApiError;
use crate::platform::fake::MAX_CHARACTERS;

/// The version whose wire forms the town speaks. Clients read the number before the plus sign.
const VERSION: &str = "4.4.0+obole.sandbox";
/// The largest attachment, in bytes.
pub(super) const MAX_UPLOAD: usize = 16 * 1024 * 1024;

fn configuration(wire: &Wire) -> Value {
    json!({
        "urls": { "streaming": wire.streaming_url(), "status": null, "about": format!("{}/about", wire.base_url), "privacy_policy": null, "terms_of_service": null },
        "vapid": { "public_key": "" },
        "accounts": { "max_featured_tags": 10, "max_pinned_statuses": 5 },
        "statuses": { "max_characters": MAX_CHARACTERS, "max_media_attachments": 4, "characters_reserved_per_url": 23 },
        "media_attachments": {
            "description_limit": 1500,
            "supported_mime_types": ["image/jpeg", "image/png", "image/gif", "image/webp", "image/svg+xml", "video/mp4", "audio/mpeg"],
            "image_size_limit": MAX_UPLOAD,
            "image_matrix_limit": 33_177_600,
            "video_size_limit": MAX_UPLOAD,
            "video_frame_rate_limit": 120,
            "video_matrix_limit": 8_294_400,
        },
        "polls": { "max_options": 4, "max_characters_per_option": 50, "min_expiration": 300, "max_expiration": 2_629_746 },
        "translation": { "enabled": false },
        "timelines_access": {
            "live_feeds": { "local": "public", "remote": "public" },
            "hashtag_feeds": { "local": "public", "remote": "public" },
            "trending_link_feeds": { "local": "disabled", "remote": "disabled" },
        },
        "limited_federation": true,
    })
}

const TITLE: &str = "Obole sandbox town";
const DESCRIPTION: &str =
    "A small social network inside one process, to try payments that start from a post. Nothing here is real.";

pub(super) async fn version_2(State(wire): State<Arc<Wire>>) -> Json<Value> {
    let people = wire.town.read().size().0;
    Json(json!({
        "domain": wire.domain(),
        "title": TITLE,
        "version": VERSION,
        "source_url": "https://github.com/mastodon/mastodon",
        "description": DESCRIPTION,
        "usage": { "users": { "active_month": people } },
        "thumbnail": { "url": format!("{}/headers/missing.svg", wire.base_url), "blurhash": null, "versions": {} },
        "icon": [],
        "languages": ["en", "fr"],
        "configuration": configuration(&wire),
        "registrations": { "enabled": true, "approval_required": false, "reason_required": false, "message": null, "min_age": null, "url": null },
        "api_versions": { "mastodon": 6 },
        "contact": { "email": "", "account": null },
        "rules": [{ "id": "1", "text": "Play with it.", "hint": "" }],
    }))
}

pub(super) async fn version_1(State(wire): State<Arc<Wire>>) -> Json<Value> {
    let (people, statuses) = wire.town.read().size();
    Json(json!({
        "uri": wire.domain(),
        "title": TITLE,
        "short_description": DESCRIPTION,
        "description": DESCRIPTION,
        "email": "",
        "version": VERSION,
        "urls": { "streaming_api": wire.streaming_url() },
        "stats": { "user_count": people, "status_count": statuses, "domain_count": 1 },
        "thumbnail": format!("{}/headers/missing.svg", wire.base_url),
        "languages": ["en", "fr"],
        "registrations": true,
        "approval_required": false,
        "invites_enabled": false,
        "configuration": configuration(&wire),
        "contact_account": null,
        "rules": [{ "id": "1", "text": "Play with it." }],
    }))
}

/// A list the town never has anything for.
pub(super) async fn nothing() -> Json<Value> {
    Json(json!([]))
}

pub(super) async fn preferences(caller: Caller) -> Result<Response, ApiError> {
    caller.person("read:accounts")?;
    Ok(Json(json!({
        "posting:default:visibility": "public",
        "posting:default:sensitive": false,
        "posting:default:language": null,
        "reading:expand:media": "default",
        "reading:expand:spoilers": false,
        "reading:autoplay:gifs": false,
    }))
    .into_response())
}

pub(super) async fn markers() -> Json<Value> {
    Json(json!({}))
}
