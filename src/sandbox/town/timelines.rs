//! Timelines: one's own, everybody's, a hashtag's.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;

use super::Wire;
use super::caller::{Caller, Viewer};
use super::errors::ApiError;
use super::paging::{ends, page};
use super::params::Params;
use crate::platform::fake::{Feed, Id, text};

fn timeline(wire: &Wire, path: &str, feed: Feed<'_>, viewer: Option<Id>, params: &Params) -> Response {
    let state = wire.town.read();
    let only_media = params.flag("only_media") == Some(true);
    // Every inhabitant is local, so a remote timeline is empty.
    let remote = params.flag("remote") == Some(true);
    let keep = |status: &crate::platform::fake::Status| !remote && (!only_media || !status.now.media.is_empty());
    let found = state.timeline(feed, viewer, params.page(20, 40), keep);
    let lens = wire.lens(&state, viewer);
    let entities = found.iter().map(|status| lens.status(status)).collect();
    page(wire, path, params, entities, ends(&found, |status| Some(status.id)))
}

pub(super) async fn home(State(wire): State<Arc<Wire>>, caller: Caller, params: Params) -> Result<Response, ApiError> {
    let account = caller.person("read:statuses")?;
    Ok(timeline(&wire, "/api/v1/timelines/home", Feed::Home(account), Some(account), &params))
}

pub(super) async fn public(State(wire): State<Arc<Wire>>, Viewer(viewer): Viewer, params: Params) -> Response {
    timeline(&wire, "/api/v1/timelines/public", Feed::Public, viewer, &params)
}

pub(super) async fn tag(
    State(wire): State<Arc<Wire>>,
    Viewer(viewer): Viewer,
    Path(tag): Path<String>,
    params: Params,
) -> Response {
    let tag = text::normalise_tag(&tag);
    let path: String = url::form_urlencoded::byte_serialize(tag.as_bytes()).collect();
    timeline(&wire, &format!("/api/v1/timelines/tag/{path}"), Feed::Tag(&tag), viewer, &params)
}
