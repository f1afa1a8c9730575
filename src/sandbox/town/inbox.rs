//! What arrives for somebody: notifications, the policy that sifts them, private conversations.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::Wire;
use super::caller::{Caller, PathId};
use super::errors::ApiError;
use super::paging::{ends, page};
use super::params::Params;
use crate::platform::fake::{Id, NotificationFilter, Policy, Treatment};

type Answer = Result<Response, ApiError>;

fn filter(params: &Params) -> NotificationFilter {
    let list = |name| params.list(name).into_iter().map(str::to_owned).collect();
    NotificationFilter {
        types: list("types"),
        exclude_types: list("exclude_types"),
        from: params.id("account_id"),
        include_filtered: params.flag("include_filtered") == Some(true),
    }
}

pub(super) async fn notifications(State(wire): State<Arc<Wire>>, caller: Caller, params: Params) -> Answer {
    let account = caller.person("read:notifications")?;
    let state = wire.town.read();
    let found = state.notifications(account, &filter(&params), params.page(40, 80));
    let lens = wire.lens(&state, Some(account));
    let entities = found.iter().map(|told| lens.stored_notification(told)).collect();
    Ok(page(&wire, "/api/v1/notifications", &params, entities, ends(&found, |told| Some(told.id))))
}

pub(super) async fn unread_count(State(wire): State<Arc<Wire>>, caller: Caller, params: Params) -> Answer {
    let account = caller.person("read:notifications")?;
    let count = wire.town.read().notifications(account, &filter(&params), params.page(100, 1000)).len();
    Ok(Json(json!({ "count": count })).into_response())
}

pub(super) async fn notification(State(wire): State<Arc<Wire>>, caller: Caller, PathId(id): PathId) -> Answer {
    let account = caller.person("read:notifications")?;
    let state = wire.town.read();
    let told = state.notification(account, id).ok_or_else(ApiError::not_found)?;
    Ok(Json(wire.lens(&state, Some(account)).stored_notification(told)).into_response())
}

pub(super) async fn dismiss(State(wire): State<Arc<Wire>>, caller: Caller, PathId(id): PathId) -> Answer {
    let account = caller.person("write:notifications")?;
    wire.town.dismiss(account, id, wire.clock.now())?;
    Ok(Json(json!({})).into_response())
}

pub(super) async fn clear(State(wire): State<Arc<Wire>>, caller: Caller) -> Answer {
    let account = caller.person("write:notifications")?;
    wire.town.clear_notifications(account, wire.clock.now())?;
    Ok(Json(json!({})).into_response())
}

pub(super) async fn policy(State(wire): State<Arc<Wire>>, caller: Caller) -> Answer {
    let account = caller.person("read:notifications")?;
    let state = wire.town.read();
    Ok(Json(wire.lens(&state, Some(account)).policy(account, state.policy(account))).into_response())
}

pub(super) async fn change_policy(State(wire): State<Arc<Wire>>, caller: Caller, params: Params) -> Answer {
    let account = caller.person("write:notifications")?;
    let old = wire.town.read().policy(account);
    let changed = |name: &str, old: Treatment| match params.text(name) {
        None => Ok(old),
        Some("accept") => Ok(Treatment::Accept),
        Some("filter") => Ok(Treatment::Filter),
        Some("drop") => Ok(Treatment::Drop),
        Some(other) => Err(ApiError::invalid(&format!("'{other}' is not a valid {name}"))),
    };
    let policy = Policy {
        for_not_following: changed("for_not_following", old.for_not_following)?,
        for_not_followers: changed("for_not_followers", old.for_not_followers)?,
        for_new_accounts: changed("for_new_accounts", old.for_new_accounts)?,
        for_private_mentions: changed("for_private_mentions", old.for_private_mentions)?,
        for_limited_accounts: changed("for_limited_accounts", old.for_limited_accounts)?,
    };
    wire.town.set_policy(Some(account), policy, wire.clock.now())?;
    let state = wire.town.read();
    Ok(Json(wire.lens(&state, Some(account)).policy(account, policy)).into_response())
}

pub(super) async fn conversations(State(wire): State<Arc<Wire>>, caller: Caller, params: Params) -> Answer {
    let account = caller.person("read:statuses")?;
    let state = wire.town.read();
    let found = state.conversations(account, params.page(20, 40));
    let lens = wire.lens(&state, Some(account));
    let entities = found.iter().map(|conversation| lens.conversation(conversation)).collect();
    let ends = ends(&found, |conversation| conversation.statuses.last().copied());
    Ok(page(&wire, "/api/v1/conversations", &params, entities, ends))
}

pub(super) async fn read_conversation(State(wire): State<Arc<Wire>>, caller: Caller, PathId(id): PathId) -> Answer {
    let account = caller.person("write:conversations")?;
    wire.town.read_conversation(account, id, wire.clock.now())?;
    show_conversation(&wire, account, id)
}

fn show_conversation(wire: &Wire, account: Id, id: Id) -> Answer {
    let state = wire.town.read();
    let conversation = state.conversation(account, id).ok_or_else(ApiError::not_found)?;
    Ok(Json(wire.lens(&state, Some(account)).conversation(conversation)).into_response())
}

pub(super) async fn hide_conversation(State(wire): State<Arc<Wire>>, caller: Caller, PathId(id): PathId) -> Answer {
    let account = caller.person("write:conversations")?;
    wire.town.hide_conversation(account, id, wire.clock.now())?;
    Ok(Json(json!({})).into_response())
}
