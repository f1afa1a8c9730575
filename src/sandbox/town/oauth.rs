//! Applications, consent and tokens: OAuth 2.0 with codes (redirected or shown to the person), PKCE and client credentials.
//!
//! There are no passwords in the town: the consent page asks which of its people one is.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use maud::html;
use serde_json::{Value, json};

use super::caller::Caller;
use super::errors::ApiError;
use super::pages::{Language, document};
use super::params::Params;
use super::{Wire, entities};
use crate::platform::fake::{AppRequest, CodeRequest, OUT_OF_BAND, Refusal};

type Answer = Result<Response, ApiError>;

pub(super) async fn metadata(State(wire): State<Arc<Wire>>) -> Json<Value> {
    let base = &wire.base_url;
    Json(json!({
        "issuer": format!("{base}/"),
        "service_documentation": "https://docs.joinmastodon.org/",
        "authorization_endpoint": format!("{base}/oauth/authorize"),
        "token_endpoint": format!("{base}/oauth/token"),
        "app_registration_endpoint": format!("{base}/api/v1/apps"),
        "revocation_endpoint": format!("{base}/oauth/revoke"),
        "userinfo_endpoint": format!("{base}/oauth/userinfo"),
        "scopes_supported": ["read", "write", "write:statuses", "read:notifications", "read:statuses", "follow", "push", "profile"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "client_credentials"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
    }))
}

pub(super) async fn register(State(wire): State<Arc<Wire>>, params: Params) -> Answer {
    let redirect_uris = params.list("redirect_uris").iter().flat_map(|uris| uris.split_whitespace()).map(str::to_owned).collect();
    let request = AppRequest {
        name: params.text("client_name").unwrap_or_default().to_owned(),
        website: params.text("website").filter(|website| !website.is_empty()).map(str::to_owned),
        redirect_uris,
        scopes: params.words("scopes"),
    };
    let app = wire.town.register_app(request, wire.clock.now())?;
    Ok(Json(entities::app(&app)).into_response())
}

pub(super) async fn verify_app(State(wire): State<Arc<Wire>>, caller: Caller) -> Answer {
    let state = wire.town.read();
    let app = state.app(caller.token.app).ok_or_else(ApiError::not_found)?;
    let mut entity = entities::app(app);
    if let Some(entity) = entity.as_object_mut() {
        entity.remove("client_secret");
    }
    Ok(Json(entity).into_response())
}

fn code_request(params: &Params) -> Result<CodeRequest, ApiError> {
    if params.text("response_type").is_some_and(|kind| kind != "code") {
        return Err(
            Refusal::OAuth("unsupported_response_type", "The authorization server does not support this response type.").into()
        );
    }
    let challenge = params.text("code_challenge").filter(|challenge| !challenge.is_empty());
    if challenge.is_some() && params.text("code_challenge_method") != Some("S256") {
        return Err(Refusal::OAuth("invalid_code_challenge_method", "The code_challenge_method must be S256.").into());
    }
    Ok(CodeRequest {
        client_id: params.text("client_id").unwrap_or_default().to_owned(),
        redirect_uri: params.text("redirect_uri").unwrap_or_default().to_owned(),
        scopes: params.words("scope"),
        challenge: challenge.map(str::to_owned),
    })
}

/// The page on which a person says who they are and agrees.
pub(super) async fn ask_consent(State(wire): State<Arc<Wire>>, headers: HeaderMap, params: Params) -> Answer {
    let (app, scopes) = wire.town.check_code_request(&code_request(&params)?)?;
    let language = Language::of(&headers);
    let state = wire.town.read();
    let page = document(
        language,
        language.say("Authorise", "Autoriser"),
        html! {
            h1 { (language.say("Authorise", "Autoriser")) " " (app.name) }
            p { (language.say("It will be allowed to:", "Il lui sera permis :")) " " code { (scopes.join(" ")) } }
            form method="post" action="/oauth/authorize" {
                @for (name, value) in params.kept_for_links() {
                    input type="hidden" name=(name) value=(value);
                }
                label {
                    (language.say("I am", "Je suis")) " "
                    select name="account" {
                        @for person in state.people() {
                            option value=(person.username) { "@" (person.username) " — " (person.display_name) }
                        }
                    }
                }
                " "
                button type="submit" { (language.say("Authorise", "Autoriser")) }
            }
        },
    );
    Ok(page.into_response())
}

/// The person agreed: the code goes where the application wanted it.
pub(super) async fn consent(State(wire): State<Arc<Wire>>, params: Params) -> Answer {
    let asked = params.needed("account")?;
    let account = wire.town.read().person_at(asked).map(|person| person.id);
    let account = account.ok_or_else(|| ApiError::invalid(&format!("nobody in this town is called {asked}")))?;
    let code = wire.town.issue_code(account, code_request(&params)?, wire.clock.now())?;
    let state = params.text("state").filter(|state| !state.is_empty());
    if code.redirect_uri == OUT_OF_BAND {
        return Ok(Redirect::to(&format!("/oauth/authorize/native?code={}", code.code)).into_response());
    }
    let mut target = url::Url::parse(&code.redirect_uri)
        .map_err(|_| Refusal::OAuth("invalid_redirect_uri", "The redirect uri included is not valid."))?;
    target.query_pairs_mut().append_pair("code", &code.code);
    if let Some(state) = state {
        target.query_pairs_mut().append_pair("state", state);
    }
    Ok((StatusCode::FOUND, [("location", target.to_string())]).into_response())
}

#[derive(serde::Deserialize)]
pub(super) struct ShownCode {
    code: String,
}

/// The page that shows a code to be copied by hand.
pub(super) async fn show_code(headers: HeaderMap, Query(shown): Query<ShownCode>) -> Response {
    let language = Language::of(&headers);
    document(
        language,
        "Code",
        html! {
            h1 { (language.say("Copy this code into the application", "Copiez ce code dans l’application")) }
            p { input.oauth-code type="text" readonly value=(shown.code) size="50"; }
        },
    )
    .into_response()
}

/// Name and secret of the client, from the body or from HTTP's basic authentication.
fn client(headers: &HeaderMap, params: &Params) -> (String, String) {
    let basic = headers.get("authorization").and_then(|value| value.to_str().ok()).and_then(|value| value.strip_prefix("Basic "));
    let decoded = basic.and_then(decode_base64).and_then(|bytes| String::from_utf8(bytes).ok());
    match decoded.as_deref().and_then(|pair| pair.split_once(':')) {
        Some((id, secret)) => (id.to_owned(), secret.to_owned()),
        None => {
            let text = |name| params.text(name).unwrap_or_default().to_owned();
            (text("client_id"), text("client_secret"))
        }
    }
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let (mut group, mut bits) = (0_u32, 0_u32);
    for letter in text.trim_end_matches('=').bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        group = group << 6 | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(group >> bits & 255).ok()?);
        }
    }
    Some(bytes)
}

pub(super) async fn issue_token(State(wire): State<Arc<Wire>>, headers: HeaderMap, params: Params) -> Answer {
    let (id, secret) = client(&headers, &params);
    let now = wire.clock.now();
    let token = match params.text("grant_type") {
        Some("authorization_code") => wire.town.redeem_code(
            (&id, &secret),
            params.text("code").unwrap_or_default(),
            params.text("redirect_uri").unwrap_or_default(),
            params.text("code_verifier"),
            now,
        )?,
        Some("client_credentials") => wire.town.client_token((&id, &secret), params.words("scope"), now)?,
        _ => {
            return Err(Refusal::OAuth(
                "unsupported_grant_type",
                "The authorization grant type is not supported by the authorization server.",
            )
            .into());
        }
    };
    Ok(Json(entities::token(&token, now)).into_response())
}

pub(super) async fn revoke(State(wire): State<Arc<Wire>>, headers: HeaderMap, params: Params) -> Answer {
    let (id, secret) = client(&headers, &params);
    wire.town.revoke((&id, &secret), params.text("token").unwrap_or_default(), wire.clock.now())?;
    Ok(Json(json!({})).into_response())
}

pub(super) async fn userinfo(State(wire): State<Arc<Wire>>, caller: Caller) -> Answer {
    let account = caller.token.account.ok_or_else(|| ApiError::invalid("This method requires an authenticated user"))?;
    let state = wire.town.read();
    let person = state.person(account).ok_or_else(ApiError::not_found)?;
    let base = &wire.base_url;
    Ok(Json(json!({
        "iss": format!("{base}/"),
        "sub": format!("{base}/users/{}", person.username),
        "name": person.display_name,
        "preferred_username": person.username,
        "profile": format!("{base}/@{}", person.username),
        "picture": format!("{base}/avatars/{}.svg", person.id),
    }))
    .into_response())
}
