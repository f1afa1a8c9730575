//! `/api/v1/statuses` and attachments.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::Wire;
use super::caller::{Caller, PathId, Viewer};
use super::errors::ApiError;
use super::listen::Scissors;
use super::params::Params;
use super::quota::announce;
use crate::platform::fake::{AnswerFault, Draft, Family, Id, MAX_CHARACTERS, Refusal, Revision, Status, Visibility};

type Answer = Result<Response, ApiError>;

fn visibility(params: &Params) -> Result<Option<Visibility>, ApiError> {
    let asked = params.text("visibility").filter(|asked| !asked.is_empty());
    asked.map(str::parse).transpose().map_err(|error: String| ApiError::invalid(&error))
}

fn media_ids(params: &Params) -> Vec<Id> {
    params.list("media_ids").into_iter().filter_map(|id| id.parse().ok()).collect()
}

fn shown(wire: &Wire, viewer: Option<Id>, status: &Status) -> Response {
    let state = wire.town.read();
    Json(wire.lens(&state, viewer).status(status)).into_response()
}

pub(super) async fn post(
    State(wire): State<Arc<Wire>>,
    ConnectInfo(line): ConnectInfo<Scissors>,
    caller: Caller,
    headers: HeaderMap,
    params: Params,
) -> Answer {
    let author = caller.person("write:statuses")?;
    if params.has("scheduled_at") || params.has("poll[options]") {
        return Err(ApiError::invalid("The sandbox town knows neither scheduled statuses nor polls"));
    }
    let in_reply_to = match params.text("in_reply_to_id").filter(|id| !id.is_empty()) {
        Some(id) => Some(id.parse().map_err(|_| ApiError::not_found())?),
        None => None,
    };
    let allowed = || params.list("allowed_mentions").into_iter().filter_map(|id| id.parse().ok()).collect();
    let spoiler_text = params.text("spoiler_text").unwrap_or_default().to_owned();
    let draft = Draft {
        text: params.text("status").unwrap_or_default().to_owned(),
        visibility: visibility(&params)?,
        in_reply_to,
        sensitive: params.flag("sensitive").unwrap_or(false) || !spoiler_text.is_empty(),
        spoiler_text,
        language: params.text("language").filter(|language| !language.is_empty()).map(str::to_owned),
        media: media_ids(&params),
        allowed_mentions: params.has("allowed_mentions").then(allowed),
        idempotency_key: headers.get("idempotency-key").and_then(|key| key.to_str().ok()).map(str::to_owned),
        application: Some(caller.token.app),
    };
    let status = match wire.town.post(author, draft, wire.clock.now()) {
        Ok(status) => status,
        Err(Refusal::UnexpectedMentions(unexpected)) => {
            let state = wire.town.read();
            let lens = wire.lens(&state, Some(author));
            let accounts: Vec<_> =
                unexpected.iter().filter_map(|id| state.person(*id)).map(|person| lens.account(person)).collect();
            let error = Refusal::UnexpectedMentions(Vec::new()).to_string();
            let body = json!({ "error": error, "unexpected_accounts": accounts });
            return Err(ApiError::with_body(StatusCode::UNPROCESSABLE_ENTITY, body));
        }
        Err(refusal) => return Err(refusal.into()),
    };
    match wire.town.take_post_fault() {
        Some(AnswerFault::DelayMs(delay)) => tokio::time::sleep(Duration::from_millis(delay)).await,
        Some(AnswerFault::Lose) => line.cut(),
        None => {}
    }
    let mut response = shown(&wire, Some(author), &status);
    announce(&mut response, wire.town.quota(Family::Statuses, author.0, wire.clock.now()));
    Ok(response)
}

pub(super) async fn show(State(wire): State<Arc<Wire>>, Viewer(viewer): Viewer, PathId(id): PathId) -> Answer {
    let state = wire.town.read();
    let status = state.visible_status(id, viewer).ok_or_else(ApiError::not_found)?;
    Ok(Json(wire.lens(&state, viewer).status(status)).into_response())
}

/// Several statuses at once: `id[]=…`; what one may not see is left out.
pub(super) async fn several(State(wire): State<Arc<Wire>>, Viewer(viewer): Viewer, params: Params) -> Response {
    let state = wire.town.read();
    let lens = wire.lens(&state, viewer);
    let found = params.list("id").into_iter().filter_map(|id| state.visible_status(id.parse().ok()?, viewer));
    Json(found.map(|status| lens.status(status)).collect::<Vec<_>>()).into_response()
}

pub(super) async fn edit(State(wire): State<Arc<Wire>>, caller: Caller, PathId(id): PathId, params: Params) -> Answer {
    let author = caller.person("write:statuses")?;
    let text = |name| params.text(name).map(str::to_owned);
    let revision = Revision {
        text: text("status"),
        spoiler_text: text("spoiler_text"),
        sensitive: params.flag("sensitive"),
        media: params.has("media_ids").then(|| media_ids(&params)),
    };
    let status = wire.town.edit(author, id, revision, wire.clock.now())?;
    Ok(shown(&wire, Some(author), &status))
}

/// Answers the status with its source, so that it can be written again.
pub(super) async fn delete(State(wire): State<Arc<Wire>>, caller: Caller, PathId(id): PathId) -> Answer {
    let author = caller.person("write:statuses")?;
    let status = wire.town.delete(author, id, wire.clock.now())?;
    let state = wire.town.read();
    let mut entity = wire.lens(&state, Some(author)).status(&status);
    entity["text"] = status.now.text.clone().into();
    Ok(Json(entity).into_response())
}

pub(super) async fn context(State(wire): State<Arc<Wire>>, Viewer(viewer): Viewer, PathId(id): PathId) -> Answer {
    let state = wire.town.read();
    let status = state.visible_status(id, viewer).ok_or_else(ApiError::not_found)?;
    let (above, below) = state.context(status, viewer);
    let lens = wire.lens(&state, viewer);
    let list = |statuses: Vec<Arc<Status>>| statuses.iter().map(|status| lens.status(status)).collect::<Vec<_>>();
    Ok(Json(json!({ "ancestors": list(above), "descendants": list(below) })).into_response())
}

pub(super) async fn history(State(wire): State<Arc<Wire>>, Viewer(viewer): Viewer, PathId(id): PathId) -> Answer {
    let state = wire.town.read();
    let status = state.visible_status(id, viewer).ok_or_else(ApiError::not_found)?;
    let lens = wire.lens(&state, viewer);
    let versions = status.before.iter().chain(std::iter::once(&status.now));
    Ok(Json(versions.map(|version| lens.version(status, version)).collect::<Vec<_>>()).into_response())
}

pub(super) async fn source(State(wire): State<Arc<Wire>>, caller: Caller, PathId(id): PathId) -> Answer {
    let author = caller.person("read:statuses")?;
    let state = wire.town.read();
    let status = state.status(id).filter(|status| status.author == author).ok_or_else(ApiError::not_found)?;
    Ok(Json(json!({ "id": status.id, "text": status.now.text, "spoiler_text": status.now.spoiler_text })).into_response())
}

pub(super) async fn reblog(State(wire): State<Arc<Wire>>, caller: Caller, PathId(id): PathId, params: Params) -> Answer {
    let account = caller.person("write:statuses")?;
    let boost = wire.town.reblog(account, id, visibility(&params)?, wire.clock.now())?;
    let mut response = shown(&wire, Some(account), &boost);
    announce(&mut response, wire.town.quota(Family::Statuses, account.0, wire.clock.now()));
    Ok(response)
}

pub(super) async fn unreblog(State(wire): State<Arc<Wire>>, caller: Caller, PathId(id): PathId) -> Answer {
    let account = caller.person("write:statuses")?;
    let status = wire.town.unreblog(account, id, wire.clock.now())?;
    Ok(shown(&wire, Some(account), &status))
}

pub(super) async fn favourite(State(wire): State<Arc<Wire>>, caller: Caller, PathId(id): PathId) -> Answer {
    let account = caller.person("write:favourites")?;
    let status = wire.town.favourite(account, id, wire.clock.now())?;
    Ok(shown(&wire, Some(account), &status))
}

pub(super) async fn unfavourite(State(wire): State<Arc<Wire>>, caller: Caller, PathId(id): PathId) -> Answer {
    let account = caller.person("write:favourites")?;
    let status = wire.town.unfavourite(account, id, wire.clock.now())?;
    Ok(shown(&wire, Some(account), &status))
}

/// An attachment: read to its end, described, and forgotten. It is ready at once, so the answer is 200.
pub(super) async fn upload(State(wire): State<Arc<Wire>>, caller: Caller, params: Params) -> Answer {
    let owner = caller.person("write:media")?;
    let file = params.file("file").filter(|file| file.length > 0);
    let file = file.ok_or_else(|| ApiError::invalid("Validation failed: File can't be blank"))?;
    let description = params.text("description").map(|text| text.chars().take(MAX_CHARACTERS * 3).collect());
    let media = wire.town.upload(owner, file.mime.clone(), description, wire.clock.now())?;
    let state = wire.town.read();
    Ok(Json(wire.lens(&state, Some(owner)).media(&media)).into_response())
}

pub(super) async fn show_media(State(wire): State<Arc<Wire>>, caller: Caller, PathId(id): PathId) -> Answer {
    let owner = caller.person("write:media")?;
    let state = wire.town.read();
    let media = state.media(id).filter(|media| media.owner == owner).ok_or_else(ApiError::not_found)?;
    Ok(Json(wire.lens(&state, Some(owner)).media(media)).into_response())
}
