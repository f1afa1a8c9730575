//! Which address does what: the table of contents of the town's wire.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{delete, get, post};

use super::errors::ApiError;
use super::{Wire, accounts, helper, inbox, instance, oauth, pages, quota, sse, statuses, timelines, websocket};

/// Everything but an attachment fits in this.
const MAX_BODY: usize = 1024 * 1024;

pub(super) fn router(wire: Arc<Wire>) -> Router {
    Router::new()
        .merge(sign_in())
        .merge(people())
        .merge(writing())
        .merge(reading())
        .merge(about())
        .merge(sandbox())
        .merge(for_people())
        .fallback(|| async { ApiError::not_found() })
        // As a Rails server says it: no such route.
        .method_not_allowed_fallback(|| async { ApiError::not_found() })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(Arc::clone(&wire), quota::admit))
        .layer(middleware::from_fn(quota::allow_origins))
        .with_state(wire)
}

fn sign_in() -> Router<Arc<Wire>> {
    Router::new()
        .route("/.well-known/oauth-authorization-server", get(oauth::metadata))
        .route("/api/v1/apps", post(oauth::register))
        .route("/api/v1/apps/verify_credentials", get(oauth::verify_app))
        .route("/oauth/authorize", get(oauth::ask_consent).post(oauth::consent))
        .route("/oauth/authorize/native", get(oauth::show_code))
        .route("/oauth/token", post(oauth::issue_token))
        .route("/oauth/revoke", post(oauth::revoke))
        .route("/oauth/userinfo", get(oauth::userinfo).post(oauth::userinfo))
}

fn people() -> Router<Arc<Wire>> {
    Router::new()
        .route("/api/v1/accounts", post(accounts::sign_up).get(accounts::several))
        .route("/api/v1/accounts/verify_credentials", get(accounts::verify_credentials))
        .route("/api/v1/accounts/update_credentials", axum::routing::patch(accounts::update_credentials))
        .route("/api/v1/accounts/lookup", get(accounts::lookup))
        .route("/api/v1/accounts/search", get(accounts::search))
        .route("/api/v1/accounts/relationships", get(accounts::relationships))
        .route("/api/v1/accounts/{id}", get(accounts::show))
        .route("/api/v1/accounts/{id}/statuses", get(accounts::statuses))
        .route("/api/v1/accounts/{id}/followers", get(accounts::followers))
        .route("/api/v1/accounts/{id}/following", get(accounts::following))
        .route("/api/v1/accounts/{id}/follow", post(accounts::follow))
        .route("/api/v1/accounts/{id}/unfollow", post(accounts::unfollow))
        .route("/api/v1/follow_requests", get(accounts::follow_requests))
        .route("/api/v1/follow_requests/{id}/authorize", post(accounts::accept_follower))
        .route("/api/v1/follow_requests/{id}/reject", post(accounts::reject_follower))
        .route("/api/v2/search", get(accounts::search_all))
}

fn writing() -> Router<Arc<Wire>> {
    let big = DefaultBodyLimit::max(instance::MAX_UPLOAD + MAX_BODY);
    Router::new()
        .route("/api/v1/statuses", post(statuses::post).get(statuses::several))
        .route("/api/v1/statuses/{id}", get(statuses::show).put(statuses::edit).delete(statuses::delete))
        .route("/api/v1/statuses/{id}/context", get(statuses::context))
        .route("/api/v1/statuses/{id}/history", get(statuses::history))
        .route("/api/v1/statuses/{id}/source", get(statuses::source))
        .route("/api/v1/statuses/{id}/reblog", post(statuses::reblog))
        .route("/api/v1/statuses/{id}/unreblog", post(statuses::unreblog))
        .route("/api/v1/statuses/{id}/favourite", post(statuses::favourite))
        .route("/api/v1/statuses/{id}/unfavourite", post(statuses::unfavourite))
        .route("/api/v2/media", post(statuses::upload).layer(big))
        .route("/api/v1/media", post(statuses::upload).layer(big))
        .route("/api/v1/media/{id}", get(statuses::show_media))
}

fn reading() -> Router<Arc<Wire>> {
    Router::new()
        .route("/api/v1/notifications", get(inbox::notifications))
        .route("/api/v1/notifications/clear", post(inbox::clear))
        .route("/api/v1/notifications/unread_count", get(inbox::unread_count))
        .route("/api/v1/notifications/{id}", get(inbox::notification))
        .route("/api/v1/notifications/{id}/dismiss", post(inbox::dismiss))
        .route("/api/v2/notifications/policy", get(inbox::policy).patch(inbox::change_policy).put(inbox::change_policy))
        .route("/api/v1/conversations", get(inbox::conversations))
        .route("/api/v1/conversations/{id}", delete(inbox::hide_conversation))
        .route("/api/v1/conversations/{id}/read", post(inbox::read_conversation))
        .route("/api/v1/timelines/home", get(timelines::home))
        .route("/api/v1/timelines/public", get(timelines::public))
        .route("/api/v1/timelines/tag/{tag}", get(timelines::tag))
        .route("/api/v1/streaming", get(websocket::open))
        .route("/api/v1/streaming/{*channel}", get(sse::stream))
}

fn about() -> Router<Arc<Wire>> {
    let mut routes = Router::new()
        .route("/api/v1/instance", get(instance::version_1))
        .route("/api/v2/instance", get(instance::version_2))
        .route("/api/v1/preferences", get(instance::preferences))
        .route("/api/v1/markers", get(instance::markers).post(instance::markers));
    for empty in [
        "/api/v1/announcements",
        "/api/v1/blocks",
        "/api/v1/bookmarks",
        "/api/v1/custom_emojis",
        "/api/v1/favourites",
        "/api/v1/filters",
        "/api/v1/followed_tags",
        "/api/v1/instance/rules",
        "/api/v1/lists",
        "/api/v1/mutes",
        "/api/v1/notifications/requests",
        "/api/v1/trends/tags",
        "/api/v2/filters",
    ] {
        routes = routes.route(empty, get(instance::nothing));
    }
    routes
}

fn sandbox() -> Router<Arc<Wire>> {
    Router::new()
        .route("/sandbox/people", post(helper::create_person).get(helper::people))
        .route("/sandbox/people/{username}", axum::routing::patch(helper::change_person))
        .route("/sandbox/people/{username}/token", post(helper::token))
        .route("/sandbox/faults", get(helper::faults).put(helper::set_faults))
        .route("/sandbox/limits", get(helper::limits).put(helper::set_limits))
        .route("/sandbox/reset", post(helper::reset))
}

fn for_people() -> Router<Arc<Wire>> {
    Router::new()
        // Every browser asks for it.
        .route("/favicon.ico", get(|| async { axum::http::StatusCode::NO_CONTENT }))
        .route("/", get(pages::front))
        .route("/{at_name}", get(pages::profile))
        .route("/{at_name}/{id}", get(pages::status))
        .route("/tags/{tag}", get(pages::tag))
        .route("/users/{name}", get(pages::person_uri))
        .route("/users/{name}/statuses/{id}", get(pages::status_uri))
        .route("/users/{name}/statuses/{id}/activity", get(pages::status_uri))
        .route("/avatars/{file}", get(pages::picture))
        .route("/headers/{file}", get(pages::picture))
        .route("/media/{file}", get(pages::picture))
}
