//! `/sandbox/…`: what a sandbox may do and a real network may not. JSON (or a form) in, JSON out; documented in the parent.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Wire;
use super::entities::Lens;
use super::errors::ApiError;
use super::params::Params;
use crate::clock::Timestamp;
use crate::platform::fake::{AppRequest, Faults, Id, OUT_OF_BAND, Person, Policy, ProfileUpdate, Refusal, Window};

type Answer = Result<Response, ApiError>;

/// The application in whose name tokens of the helper are issued.
const HELPER_APP: &str = "Sandbox";
/// What they may do.
const HELPER_SCOPES: [&str; 4] = ["read", "write", "follow", "profile"];
/// A window nobody fills.
const UNLIMITED: u32 = 1_000_000_000;

fn helper_app(wire: &Wire, now: Timestamp) -> Result<Id, Refusal> {
    let mut known = wire.helper_app.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(id) = known.filter(|id| wire.town.read().app(*id).is_some()) {
        return Ok(id);
    }
    let request = AppRequest {
        name: HELPER_APP.to_owned(),
        website: None,
        redirect_uris: vec![OUT_OF_BAND.to_owned()],
        scopes: HELPER_SCOPES.map(str::to_owned).to_vec(),
    };
    let id = wire.town.register_app(request, now)?.id;
    *known = Some(id);
    Ok(id)
}

fn with_token(wire: &Wire, person: &Person, now: Timestamp) -> Result<Value, ApiError> {
    let app = helper_app(wire, now)?;
    let token = wire.town.token_for(person.id, app, HELPER_SCOPES.map(str::to_owned).to_vec(), now)?;
    let state = wire.town.read();
    let account = wire.lens(&state, Some(person.id)).account(person);
    Ok(json!({ "id": person.id, "username": person.username, "access_token": token.secret, "account": account }))
}

pub(super) async fn create_person(State(wire): State<Arc<Wire>>, params: Params) -> Answer {
    let now = wire.clock.now();
    let username = params.needed("username")?;
    let known = wire.town.read().person_named(username).cloned();
    let (status, person) = match known {
        Some(person) if params.flag("existing") == Some(true) => (StatusCode::OK, person),
        _ => {
            let display_name = params.text("display_name").unwrap_or_default();
            let bot = params.flag("bot").unwrap_or(false);
            let mut person = wire.town.join(username, display_name, bot, now)?;
            if params.has("note") || params.has("locked") {
                let update = ProfileUpdate {
                    note: params.text("note").map(str::to_owned),
                    locked: params.flag("locked"),
                    ..ProfileUpdate::default()
                };
                person = wire.town.change_profile(person.id, update, now)?;
            }
            (StatusCode::CREATED, person)
        }
    };
    Ok((status, Json(with_token(&wire, &person, now)?)).into_response())
}

pub(super) async fn people(State(wire): State<Arc<Wire>>) -> Json<Value> {
    let state = wire.town.read();
    let lens: Lens<'_> = wire.lens(&state, None);
    let list: Vec<Value> = state
        .people()
        .map(|person| {
            let mut account = lens.account(person);
            account["closed"] = person.closed.into();
            account
        })
        .collect();
    Json(list.into())
}

fn named(wire: &Wire, username: &str) -> Result<Person, ApiError> {
    wire.town.read().person_at(username).cloned().ok_or_else(ApiError::not_found)
}

pub(super) async fn token(State(wire): State<Arc<Wire>>, axum::extract::Path(username): axum::extract::Path<String>) -> Answer {
    let person = named(&wire, &username)?;
    Ok(Json(with_token(&wire, &person, wire.clock.now())?).into_response())
}

pub(super) async fn change_person(
    State(wire): State<Arc<Wire>>,
    axum::extract::Path(username): axum::extract::Path<String>,
    params: Params,
) -> Answer {
    let now = wire.clock.now();
    let mut person = named(&wire, &username)?;
    let update = ProfileUpdate {
        display_name: params.text("display_name").map(str::to_owned),
        note: params.text("note").map(str::to_owned),
        bot: params.flag("bot"),
        locked: params.flag("locked"),
        fields: None,
        closed: params.flag("closed"),
    };
    person = wire.town.change_profile(person.id, update, now)?;
    if let Some(username) = params.text("username") {
        person = wire.town.rename(person.id, username, now)?;
    }
    let state = wire.town.read();
    let mut account = wire.lens(&state, None).account(&person);
    account["closed"] = person.closed.into();
    Ok(Json(account).into_response())
}

pub(super) async fn faults(State(wire): State<Arc<Wire>>) -> Json<Value> {
    let filtering = wire.town.read().default_policy() == Policy::MASTODON;
    let mut switches = json!(wire.town.faults());
    switches["filter_strangers"] = filtering.into();
    Json(switches)
}

#[derive(Deserialize)]
pub(super) struct FaultRequest {
    filter_strangers: Option<bool>,
    #[serde(default)]
    disconnect_streams: bool,
    #[serde(flatten)]
    switches: serde_json::Map<String, Value>,
}

/// Replaces all switches; those not named are off. `filter_strangers` and `disconnect_streams` act only if named.
pub(super) async fn set_faults(State(wire): State<Arc<Wire>>, Json(request): Json<FaultRequest>) -> Answer {
    let faults: Faults = serde_json::from_value(Value::Object(request.switches))
        .map_err(|cause| ApiError::invalid(&format!("these faults cannot be read: {cause}")))?;
    wire.town.set_faults(faults);
    if let Some(filter) = request.filter_strangers {
        wire.town.set_policy(None, if filter { Policy::MASTODON } else { Policy::OPEN }, wire.clock.now())?;
    }
    if request.disconnect_streams {
        wire.town.disconnect_streams();
    }
    Ok(self::faults(State(wire)).await.into_response())
}

pub(super) async fn limits(State(wire): State<Arc<Wire>>) -> Json<Value> {
    Json(json!(wire.town.limits()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitRequest {
    statuses: Option<Window>,
    requests: Option<Window>,
    #[serde(default)]
    unlimited: bool,
}

pub(super) async fn set_limits(State(wire): State<Arc<Wire>>, Json(request): Json<LimitRequest>) -> Json<Value> {
    let mut limits = wire.town.limits();
    if request.unlimited {
        limits.statuses = Window::new(UNLIMITED, Duration::from_secs(60));
        limits.requests = limits.statuses;
    }
    limits.statuses = request.statuses.unwrap_or(limits.statuses);
    limits.requests = request.requests.unwrap_or(limits.requests);
    wire.town.set_limits(limits);
    Json(json!(limits))
}

pub(super) async fn reset(State(wire): State<Arc<Wire>>) -> Answer {
    wire.town.reset()?;
    Ok(Json(json!({})).into_response())
}
