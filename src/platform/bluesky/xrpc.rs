//! Calls to the account's own server, and through it to the chat, with a session that renews itself.
//!
//! A session is made with the app password (`com.atproto.server.createSession`: at most 30 in 5 minutes and 300 a day) and renewed with
//! its second token (`refreshSession`) whenever the server says that the first has run out. A call that was refused for that is
//! made once more: nothing of it had happened. Whoever finds the session expired while another renews it waits and uses the new one.

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use url::Url;

use crate::platform::call::{Caller, Failure, address_below};

/// Who is asked: the account's server itself, or a service behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    Own,
    Chat,
}

/// What a session consists of.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Session {
    access_jwt: SecretString,
    refresh_jwt: SecretString,
    pub(super) did: String,
    pub(super) handle: String,
}

/// The account's server, as the account.
pub(super) struct Xrpc {
    caller: Caller,
    service: Url,
    chat_service: String,
    identifier: String,
    app_password: SecretString,
    session: Mutex<Option<Session>>,
}

/// Says that our own password or permission is the reason.
pub(super) fn is_about_us(failure: &Failure) -> bool {
    let Some(refusal) = failure.refusal() else { return false };
    match refusal.error.as_str() {
        "AccountTakedown" | "AccountDeactivated" | "AuthFactorTokenRequired" | "AuthMissing" | "AuthenticationRequired" => true,
        // An app password without access to private messages is told `Bad token method`.
        "ExpiredToken" | "InvalidToken" => true,
        _ => refusal.code == 401,
    }
}

impl Xrpc {
    pub(super) fn new(caller: Caller, service: Url, chat_service: String, identifier: String, app_password: SecretString) -> Self {
        Xrpc { caller, service, chat_service, identifier, app_password, session: Mutex::new(None) }
    }

    pub(super) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The session that is in use; made if there is none.
    pub(super) async fn session(&self) -> Result<Session, Failure> {
        let mut held = self.session.lock().await;
        if let Some(session) = held.as_ref() {
            return Ok(session.clone());
        }
        let session = self.create().await?;
        *held = Some(session.clone());
        Ok(session)
    }

    /// A query. `query` may name a parameter several times.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        service: Service,
        method: &str,
        query: &[(&str, &str)],
    ) -> Result<T, Failure> {
        self.authorised(service, Method::GET, method, query, None::<&()>).await
    }

    /// A procedure.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        service: Service,
        method: &str,
        input: &impl Serialize,
    ) -> Result<T, Failure> {
        self.authorised(service, Method::POST, method, &[], Some(input)).await
    }

    async fn authorised<T: DeserializeOwned>(
        &self,
        service: Service,
        verb: Method,
        method: &str,
        query: &[(&str, &str)],
        input: Option<&impl Serialize>,
    ) -> Result<T, Failure> {
        let mut session = self.session().await?;
        for renewed in [false, true] {
            let mut request = self.caller.call(verb.clone(), address_below(&self.service, &["xrpc", method])).query(query);
            request = request.header(AUTHORIZATION, bearer(&session.access_jwt));
            if service == Service::Chat {
                request = request.header("atproto-proxy", self.chat_service.as_str());
            }
            if let Some(input) = input {
                request = request.json(input);
            }
            match self.caller.json(request).await {
                Err(failure) if !renewed && has_run_out(&failure) => session = self.renew(&session).await?,
                answer => return answer,
            }
        }
        Err(Failure::NoAnswer("the session runs out as soon as it is made".into()))
    }

    /// Replaces a session that has run out, unless somebody has done so already.
    async fn renew(&self, old: &Session) -> Result<Session, Failure> {
        let mut held = self.session.lock().await;
        if let Some(current) = held.as_ref()
            && current.access_jwt.expose_secret() != old.access_jwt.expose_secret()
        {
            return Ok(current.clone());
        }
        let address = address_below(&self.service, &["xrpc", "com.atproto.server.refreshSession"]);
        let request = self.caller.call(Method::POST, address).header(AUTHORIZATION, bearer(&old.refresh_jwt));
        let session = match self.caller.json(request).await {
            Ok(session) => session,
            // The second token lives for weeks, but not for ever, and not after the password was changed.
            Err(failure) if failure.refusal().is_some_and(|refusal| matches!(refusal.code, 400 | 401)) => self.create().await?,
            Err(failure) => return Err(failure),
        };
        *held = Some(Session::clone(&session));
        Ok(session)
    }

    async fn create(&self) -> Result<Session, Failure> {
        let address = address_below(&self.service, &["xrpc", "com.atproto.server.createSession"]);
        let input = json!({ "identifier": self.identifier, "password": self.app_password.expose_secret() });
        self.caller.json(self.caller.call(Method::POST, address).json(&input)).await
    }

    /// Reads a record of anybody's: the account's server has its own, and asks the network's index for others. `None`: there is none.
    pub(super) async fn record(&self, uri: &str) -> Result<Option<Record>, Failure> {
        let Some((repo, collection, rkey)) = parts(uri) else { return Ok(None) };
        let query = [("repo", repo), ("collection", collection), ("rkey", rkey)];
        match self.get(Service::Own, "com.atproto.repo.getRecord", &query).await {
            Ok(record) => Ok(Some(record)),
            Err(failure) if is_absence(&failure) => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}

/// A record as a server has it now.
#[derive(Deserialize)]
pub(super) struct Record {
    #[serde(default)]
    pub(super) cid: Option<String>,
    #[serde(default)]
    pub(super) value: Value,
}

/// An at-URI's account, collection and record key.
pub(super) fn parts(uri: &str) -> Option<(&str, &str, &str)> {
    let mut parts = uri.strip_prefix("at://")?.splitn(3, '/');
    Some((parts.next()?, parts.next()?, parts.next().filter(|rkey| !rkey.is_empty() && !rkey.contains('/'))?))
}

/// The lexicon's name for it is `RecordNotFound`; older servers said `InvalidRequest` and a sentence.
fn is_absence(failure: &Failure) -> bool {
    failure.refusal().is_some_and(|refusal| {
        refusal.code == 404
            || refusal.error == "RecordNotFound"
            || (refusal.code == 400 && refusal.message.starts_with("Could not locate record"))
    })
}

fn has_run_out(failure: &Failure) -> bool {
    failure.refusal().is_some_and(|refusal| refusal.error == "ExpiredToken")
}

fn bearer(token: &SecretString) -> HeaderValue {
    // A token that fits no header is refused by the server like any other wrong one.
    let mut value =
        HeaderValue::from_str(&format!("Bearer {}", token.expose_secret())).unwrap_or_else(|_| HeaderValue::from_static("Bearer"));
    value.set_sensitive(true);
    value
}
