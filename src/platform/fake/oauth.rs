//! Verbs on applications, codes and tokens: OAuth 2.0 as Mastodon's clients use it, without its redirects.

use sha2::{Digest as _, Sha256};

use super::change::Change;
use super::model::{App, Code, Id, Token};
use super::state::State;
use super::{Refusal, Town, base64url};
use crate::clock::Timestamp;

/// The redirect address that means: show the code to the person.
pub const OUT_OF_BAND: &str = "urn:ietf:wg:oauth:2.0:oob";
/// How long a code can be exchanged.
const CODE_SECONDS: i64 = 600;
/// What may be granted: these families, and what lies within them.
const FAMILIES: [&str; 6] = ["read", "write", "follow", "push", "profile", "admin"];

/// An application that wants to be known.
#[derive(Debug, Clone, Default)]
pub struct AppRequest {
    /// The name people will see.
    pub name: String,
    /// Its page.
    pub website: Option<String>,
    /// Where codes may be sent.
    pub redirect_uris: Vec<String>,
    /// What it may ask for; `read` if empty.
    pub scopes: Vec<String>,
}

/// A person's consent to an application.
#[derive(Debug, Clone, Default)]
pub struct CodeRequest {
    /// The application.
    pub client_id: String,
    /// Where the code goes.
    pub redirect_uri: String,
    /// What is allowed; all that the application may ask for if empty.
    pub scopes: Vec<String>,
    /// PKCE challenge, method S256.
    pub challenge: Option<String>,
}

impl Town {
    /// Registers an application.
    pub fn register_app(&self, request: AppRequest, now: Timestamp) -> Result<App, Refusal> {
        if request.name.trim().is_empty() {
            return Err(Refusal::Invalid("Validation failed: Application name can't be blank".to_owned()));
        }
        if request.redirect_uris.is_empty() {
            return Err(Refusal::Invalid("Validation failed: Redirect URI can't be blank".to_owned()));
        }
        let scopes = if request.scopes.is_empty() { vec!["read".to_owned()] } else { request.scopes };
        let known = |scope: &String| scope.split(':').next().is_some_and(|family| FAMILIES.contains(&family));
        if !scopes.iter().all(known) {
            return Err(Refusal::Invalid("Validation failed: Scopes doesn't match configured on the server.".to_owned()));
        }
        let (client_id, client_secret) = (self.secret(), self.secret());
        let mut state = self.write();
        let AppRequest { name, website, redirect_uris, .. } = request;
        let app = App { id: state.next_id(now), client_id, client_secret, name, website, redirect_uris, scopes };
        self.commit(&mut state, now, vec![Change::AppRegistered(app.clone())])?;
        Ok(app)
    }

    /// Checks what an application asks of a person, before the person is asked.
    pub fn check_code_request(&self, request: &CodeRequest) -> Result<(App, Vec<String>), Refusal> {
        check_code_request(&self.read(), request)
    }

    /// The person said yes: a code for the application.
    pub fn issue_code(&self, account: Id, request: CodeRequest, now: Timestamp) -> Result<Code, Refusal> {
        let code = self.secret();
        let mut state = self.write();
        state.person(account).ok_or(Refusal::NotFound)?;
        let (app, scopes) = check_code_request(&state, &request)?;
        let code = Code { code, app: app.id, account, redirect_uri: request.redirect_uri, scopes, challenge: request.challenge };
        self.commit(&mut state, now, vec![Change::CodeIssued(code.clone())])?;
        Ok(code)
    }

    /// A code becomes a token, once.
    pub fn redeem_code(
        &self,
        client: (&str, &str),
        code: &str,
        redirect_uri: &str,
        verifier: Option<&str>,
        now: Timestamp,
    ) -> Result<Token, Refusal> {
        let secret = self.secret();
        let mut state = self.write();
        let app = known_client(&state, client)?.id;
        let grant = |(code, at): &&(Code, Timestamp)| {
            let proven = match (&code.challenge, verifier) {
                (None, _) => true,
                (Some(challenge), Some(verifier)) => *challenge == base64url(&Sha256::digest(verifier.as_bytes())),
                (Some(_), None) => false,
            };
            proven && code.app == app && code.redirect_uri == redirect_uri && now.as_second() - at.as_second() < CODE_SECONDS
        };
        let Some((code, _)) = state.codes.get(code).filter(grant).cloned() else {
            return Err(Refusal::OAuth(
                "invalid_grant",
                "The provided authorization grant is invalid, expired, revoked, does not match the redirection URI used in the \
                 authorization request, or was issued to another client.",
            ));
        };
        let token = Token { id: state.next_id(now), secret, app, account: Some(code.account), scopes: code.scopes };
        self.commit(&mut state, now, vec![Change::TokenIssued { token: token.clone(), code: Some(code.code) }])?;
        Ok(token)
    }

    /// A token for the application itself.
    pub fn client_token(&self, client: (&str, &str), scopes: Vec<String>, now: Timestamp) -> Result<Token, Refusal> {
        let secret = self.secret();
        let mut state = self.write();
        let app = known_client(&state, client)?;
        let scopes = granted(app, scopes)?;
        let token = Token { id: state.next_id(now), secret, app: app.id, account: None, scopes };
        self.commit(&mut state, now, vec![Change::TokenIssued { token: token.clone(), code: None }])?;
        Ok(token)
    }

    /// A token for a person without asking: after a sign-up, and for the sandbox.
    pub fn token_for(&self, account: Id, app: Id, scopes: Vec<String>, now: Timestamp) -> Result<Token, Refusal> {
        let secret = self.secret();
        let mut state = self.write();
        state.person(account).ok_or(Refusal::NotFound)?;
        state.app(app).ok_or(Refusal::NotFound)?;
        let token = Token { id: state.next_id(now), secret, app, account: Some(account), scopes };
        self.commit(&mut state, now, vec![Change::TokenIssued { token: token.clone(), code: None }])?;
        Ok(token)
    }

    /// Ends a token. An unknown one is no error, as the RFC wants it.
    pub fn revoke(&self, client: (&str, &str), secret: &str, now: Timestamp) -> Result<(), Refusal> {
        let mut state = self.write();
        let app = known_client(&state, client)?.id;
        match state.token(secret) {
            None => Ok(()),
            Some((token, _)) if token.app == app => {
                self.commit(&mut state, now, vec![Change::TokenRevoked { secret: secret.to_owned() }])
            }
            Some(_) => Err(Refusal::OAuth("unauthorized_client", "You are not authorized to revoke this token")),
        }
    }
}

fn check_code_request(state: &State, request: &CodeRequest) -> Result<(App, Vec<String>), Refusal> {
    let app = state.client(&request.client_id).ok_or(UNKNOWN_CLIENT)?;
    if !app.redirect_uris.contains(&request.redirect_uri) {
        return Err(Refusal::OAuth("invalid_redirect_uri", "The redirect uri included is not valid."));
    }
    Ok((app.clone(), granted(app, request.scopes.clone())?))
}

const UNKNOWN_CLIENT: Refusal = Refusal::OAuth(
    "invalid_client",
    "Client authentication failed due to unknown client, no client authentication included, or unsupported authentication method.",
);

fn known_client<'a>(state: &'a State, (client_id, client_secret): (&str, &str)) -> Result<&'a App, Refusal> {
    state.client(client_id).filter(|app| app.client_secret == client_secret).ok_or(UNKNOWN_CLIENT)
}

fn granted(app: &App, asked: Vec<String>) -> Result<Vec<String>, Refusal> {
    if asked.is_empty() {
        return Ok(app.scopes.clone());
    }
    let allowed = |scope: &String| {
        app.scopes.iter().any(|registered| registered == scope || scope.split(':').next() == Some(registered.as_str()))
    };
    if asked.iter().all(allowed) {
        Ok(asked)
    } else {
        Err(Refusal::OAuth("invalid_scope", "The requested scope is invalid, unknown, or malformed."))
    }
}
