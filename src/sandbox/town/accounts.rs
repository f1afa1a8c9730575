//! `/api/v1/accounts` and what hangs on it: sign-up, profiles, who follows whom.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::caller::{Caller, PathId, Viewer};
use super::entities::Lens;
use super::errors::ApiError;
use super::paging::{ends, page};
use super::params::Params;
use super::{Wire, entities};
use crate::platform::fake::{Feed, Id, Person, ProfileUpdate, Visibility, text};

type Answer = Result<Response, ApiError>;

/// Sign-up: an application's own token, a name, and no password worth the word.
pub(super) async fn sign_up(State(wire): State<Arc<Wire>>, caller: Caller, params: Params) -> Answer {
    if caller.token.account.is_some() {
        return Err(ApiError::new(axum::http::StatusCode::FORBIDDEN, "This method requires an client credentials authentication"));
    }
    let mut details = serde_json::Map::new();
    for name in ["username", "email", "password"] {
        if params.text(name).is_none_or(str::is_empty) {
            details.insert(name.to_owned(), json!([{ "error": "ERR_BLANK", "description": "can't be blank" }]));
        }
    }
    if params.flag("agreement") != Some(true) {
        details.insert("agreement".to_owned(), json!([{ "error": "ERR_ACCEPTED", "description": "must be accepted" }]));
    }
    if !details.is_empty() {
        let fields: Vec<&str> = details.keys().map(String::as_str).collect();
        let error = format!("Validation failed: {} can't be blank or must be accepted", fields.join(", "));
        return Err(ApiError::with_body(
            axum::http::StatusCode::UNPROCESSABLE_ENTITY,
            json!({ "error": error, "details": details }),
        ));
    }
    let now = wire.clock.now();
    let username = params.needed("username")?;
    let person = wire.town.join(username, params.text("display_name").unwrap_or(""), false, now)?;
    let token = wire.town.token_for(person.id, caller.token.app, caller.token.scopes.clone(), now)?;
    Ok(Json(entities::token(&token, now)).into_response())
}

pub(super) async fn verify_credentials(State(wire): State<Arc<Wire>>, caller: Caller) -> Answer {
    let account = caller.token.account.ok_or_else(|| ApiError::invalid("This method requires an authenticated user"))?;
    own(&wire, account)
}

fn own(wire: &Wire, account: Id) -> Answer {
    let state = wire.town.read();
    let person = state.person(account).ok_or_else(ApiError::not_found)?;
    Ok(Json(wire.lens(&state, Some(account)).own_account(person)).into_response())
}

pub(super) async fn update_credentials(State(wire): State<Arc<Wire>>, caller: Caller, params: Params) -> Answer {
    let account = caller.person("write:accounts")?;
    let text = |name| params.text(name).map(str::to_owned);
    let fields: Vec<(String, String)> = (0..4)
        .filter_map(|index| {
            let part = |part| params.text(&format!("fields_attributes[{index}][{part}]"));
            Some((part("name")?.to_owned(), part("value").unwrap_or_default().to_owned()))
        })
        .filter(|(name, value)| !name.is_empty() || !value.is_empty())
        .collect();
    let asked_fields = (0..4).any(|index| params.has(&format!("fields_attributes[{index}][name]")));
    let update = ProfileUpdate {
        display_name: text("display_name"),
        note: text("note"),
        bot: params.flag("bot"),
        locked: params.flag("locked"),
        fields: asked_fields.then_some(fields),
        closed: None,
    };
    wire.town.change_profile(account, update, wire.clock.now())?;
    own(&wire, account)
}

pub(super) async fn lookup(State(wire): State<Arc<Wire>>, Viewer(viewer): Viewer, params: Params) -> Answer {
    let state = wire.town.read();
    let person = params.text("acct").and_then(|acct| state.person_at(acct)).ok_or_else(ApiError::not_found)?;
    Ok(Json(wire.lens(&state, viewer).account(person)).into_response())
}

pub(super) async fn show(State(wire): State<Arc<Wire>>, Viewer(viewer): Viewer, PathId(id): PathId) -> Answer {
    let state = wire.town.read();
    let person = state.person(id).ok_or_else(ApiError::not_found)?;
    Ok(Json(wire.lens(&state, viewer).account(person)).into_response())
}

/// Several accounts at once: `id[]=…`; unknown ids are left out.
pub(super) async fn several(State(wire): State<Arc<Wire>>, Viewer(viewer): Viewer, params: Params) -> Response {
    let state = wire.town.read();
    let people = params.list("id").into_iter().filter_map(|id| state.person(id.parse().ok()?));
    accounts(wire.lens(&state, viewer), people, usize::MAX).into_response()
}

fn accounts<'a>(lens: Lens<'_>, people: impl Iterator<Item = &'a Person>, limit: usize) -> Json<Vec<Value>> {
    Json(people.take(limit).map(|person| lens.account(person)).collect())
}

pub(super) async fn search(State(wire): State<Arc<Wire>>, caller: Caller, params: Params) -> Answer {
    let viewer = caller.person("read:accounts")?;
    let limit = params.page(40, 80).limit;
    let state = wire.town.read();
    let found = state.search_people(params.text("q").unwrap_or_default(), limit);
    Ok(accounts(wire.lens(&state, Some(viewer)), found.into_iter(), limit).into_response())
}

/// `/api/v2/search`: people, hashtags, and statuses by their address.
pub(super) async fn search_all(State(wire): State<Arc<Wire>>, Viewer(viewer): Viewer, params: Params) -> Response {
    let asked = params.text("q").unwrap_or_default().trim().to_owned();
    let limit = params.page(20, 40).limit;
    let wanted = |kind: &str| params.text("type").is_none_or(|only| only == kind);
    let state = wire.town.read();
    let lens = wire.lens(&state, viewer);
    let address = asked.strip_prefix(&wire.base_url).map(|path| path.trim_end_matches('/'));
    let by_address = |id: &str| id.parse().ok().and_then(|id| state.visible_status(id, viewer));
    let statuses: Vec<Value> = address
        .and_then(|path| path.rsplit('/').next())
        .and_then(by_address)
        .filter(|_| wanted("statuses"))
        .map(|status| lens.status(status))
        .into_iter()
        .collect();
    let name = address.map_or(asked.as_str(), |path| path.trim_start_matches("/users").trim_start_matches(['/', '@']));
    let people = if wanted("accounts") && statuses.is_empty() { state.search_people(name, limit) } else { Vec::new() };
    let tags =
        if wanted("hashtags") && address.is_none() { state.search_tags(asked.trim_start_matches('#'), limit) } else { Vec::new() };
    Json(json!({
        "accounts": people.into_iter().map(|person| lens.account(person)).collect::<Vec<_>>(),
        "statuses": statuses,
        "hashtags": tags.into_iter().map(|tag| lens.tag(tag)).collect::<Vec<_>>(),
    }))
    .into_response()
}

pub(super) async fn statuses(State(wire): State<Arc<Wire>>, Viewer(viewer): Viewer, PathId(id): PathId, params: Params) -> Answer {
    let wanted = params.page(20, 40);
    let no_replies = params.flag("exclude_replies") == Some(true);
    let no_reblogs = params.flag("exclude_reblogs") == Some(true);
    let only_media = params.flag("only_media") == Some(true);
    let tagged = params.text("tagged").map(text::normalise_tag);
    let state = wire.town.read();
    state.person(id).ok_or_else(ApiError::not_found)?;
    let found = if params.flag("pinned") == Some(true) {
        Vec::new()
    } else {
        state.timeline(Feed::Author(id), viewer, wanted, |status| {
            // Private messages are found in conversations, not in profiles; to oneself both show.
            (status.visibility != Visibility::Direct
                || viewer == Some(id)
                || viewer.is_some_and(|viewer| status.mentions.contains(&viewer)))
                && !(no_replies && status.in_reply_to_account.is_some_and(|account| account != id))
                && !(no_reblogs && status.reblog_of.is_some())
                && !(only_media && status.now.media.is_empty())
                && tagged.as_ref().is_none_or(|tag| status.tags.contains(tag))
        })
    };
    let lens = wire.lens(&state, viewer);
    let entities = found.iter().map(|status| lens.status(status)).collect();
    Ok(page(&wire, &format!("/api/v1/accounts/{id}/statuses"), &params, entities, ends(&found, |status| Some(status.id))))
}

pub(super) async fn followers(State(wire): State<Arc<Wire>>, Viewer(viewer): Viewer, PathId(id): PathId, params: Params) -> Answer {
    let state = wire.town.read();
    state.person(id).ok_or_else(ApiError::not_found)?;
    Ok(accounts(wire.lens(&state, viewer), state.followers(id), params.page(40, 80).limit).into_response())
}

pub(super) async fn following(State(wire): State<Arc<Wire>>, Viewer(viewer): Viewer, PathId(id): PathId, params: Params) -> Answer {
    let state = wire.town.read();
    state.person(id).ok_or_else(ApiError::not_found)?;
    Ok(accounts(wire.lens(&state, viewer), state.following(id), params.page(40, 80).limit).into_response())
}

pub(super) async fn follow(State(wire): State<Arc<Wire>>, caller: Caller, PathId(id): PathId) -> Answer {
    let account = caller.person("write:follows").or_else(|_| caller.person("follow"))?;
    wire.town.follow(account, id, wire.clock.now())?;
    standing(&wire, account, id)
}

pub(super) async fn unfollow(State(wire): State<Arc<Wire>>, caller: Caller, PathId(id): PathId) -> Answer {
    let account = caller.person("write:follows").or_else(|_| caller.person("follow"))?;
    wire.town.unfollow(account, id, wire.clock.now())?;
    standing(&wire, account, id)
}

fn standing(wire: &Wire, account: Id, target: Id) -> Answer {
    let state = wire.town.read();
    Ok(Json(wire.lens(&state, Some(account)).relationship(account, target)).into_response())
}

pub(super) async fn relationships(State(wire): State<Arc<Wire>>, caller: Caller, params: Params) -> Answer {
    let account = caller.person("read:follows").or_else(|_| caller.person("follow"))?;
    let state = wire.town.read();
    let lens = wire.lens(&state, Some(account));
    let known = params.list("id").into_iter().filter_map(|id| id.parse().ok()).filter(|id| state.person(*id).is_some());
    Ok(Json(known.map(|id| lens.relationship(account, id)).collect::<Vec<_>>()).into_response())
}

pub(super) async fn follow_requests(State(wire): State<Arc<Wire>>, caller: Caller, params: Params) -> Answer {
    let account = caller.person("read:follows").or_else(|_| caller.person("follow"))?;
    let state = wire.town.read();
    Ok(accounts(wire.lens(&state, Some(account)), state.follow_requests(account), params.page(40, 80).limit).into_response())
}

pub(super) async fn accept_follower(State(wire): State<Arc<Wire>>, caller: Caller, PathId(id): PathId) -> Answer {
    let account = caller.person("write:follows").or_else(|_| caller.person("follow"))?;
    wire.town.answer_follow_request(account, id, true, wire.clock.now())?;
    standing(&wire, account, id)
}

pub(super) async fn reject_follower(State(wire): State<Arc<Wire>>, caller: Caller, PathId(id): PathId) -> Answer {
    let account = caller.person("write:follows").or_else(|_| caller.person("follow"))?;
    wire.town.answer_follow_request(account, id, false, wire.clock.now())?;
    standing(&wire, account, id)
}
