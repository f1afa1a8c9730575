//! `[banks.NAME]` with `kind = "settlement"`: a backend that speaks the Obole Settlement API.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use url::Url;

use super::check::{at_least_one, outside, seconds};
use super::reader::{Form, Noted, Outcome, Reader, Section};
use crate::bank::settlement::sign::{RequestKey, WebhookSecret};

/// A connection to a backend that speaks the Obole Settlement API.
#[derive(Debug, Clone)]
pub struct SettlementSection {
    /// Where the interface is.
    pub base_url: Url,
    /// What requests are signed with.
    pub key: Option<RequestKey>,
    /// A PEM file with our certificate and its key.
    pub client_identity: Option<PathBuf>,
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// How long a request may take.
    pub request_timeout: Duration,
    /// How many requests the bank takes in a second.
    pub requests_per_second: u32,
    /// Where the backend's webhooks come in, if they are to.
    pub webhook: Option<WebhookSection>,
}

/// How webhooks come in.
#[derive(Debug, Clone)]
pub struct WebhookSection {
    /// The path on our own pages' address.
    pub path: String,
    /// Those in force, as they are written: the newest first.
    pub secrets: Vec<secrecy::SecretString>,
}

pub(super) fn read(reader: &mut Reader<'_>, name: &str, section: &mut Section<'_>) -> Outcome<SettlementSection> {
    let base_url = outside(reader, section);
    let key_id = reader.optional(section, "key_id", Form::Text, |text| Ok::<_, String>(text.to_owned()));
    let secret = reader.secret(section, "secret", "secret_file");
    let client_identity = reader.optional(section, "client_identity", Form::Text, |text| Ok::<_, String>(PathBuf::from(text)));
    let connect_timeout = reader.or(section, "connect_timeout_seconds", Form::Whole, Duration::from_secs(5), seconds);
    let request_timeout = reader.or(section, "request_timeout_seconds", Form::Whole, Duration::from_secs(20), seconds);
    let requests_per_second = reader.or(section, "requests_per_second", Form::Whole, 10, at_least_one);
    let usual_path = format!("/settlement/events/{name}");
    let path = reader.or(section, "webhook_path", Form::Text, usual_path, path);
    let newest = webhook_secret(reader, section, "webhook_secret", "webhook_secret_file");
    let previous = webhook_secret(reader, section, "webhook_secret_previous", "webhook_secret_previous_file");
    let key = match (key_id?, secret?) {
        (None, None) => None,
        (Some((id, place)), Some((secret, _))) => match RequestKey::parse(&format!("{id}:{}", secret.expose_secret())) {
            Ok(key) => Some(key),
            Err(why) => return Err(reader.note(&place, format!("and secret: the pair {why}"), None)),
        },
        (Some(_), None) => return Err(reader.missing(section, "secret")),
        (None, Some(_)) => return Err(reader.missing(section, "key_id")),
    };
    let (newest, previous) = (newest?, previous?);
    if newest.is_none() && previous.is_some() {
        return Err(reader.missing(section, "webhook_secret"));
    }
    let secrets: Vec<_> = newest.into_iter().chain(previous).collect();
    let path = path?;
    Ok(SettlementSection {
        base_url: base_url?,
        key,
        client_identity: client_identity?.map(|(path, _)| path),
        connect_timeout: connect_timeout?,
        request_timeout: request_timeout?,
        requests_per_second: requests_per_second?,
        webhook: (!secrets.is_empty()).then_some(WebhookSection { path, secrets }),
    })
}

fn webhook_secret(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    key: &'static str,
    key_file: &'static str,
) -> Result<Option<secrecy::SecretString>, Noted> {
    let Some((secret, place)) = reader.secret(section, key, key_file)? else { return Ok(None) };
    match WebhookSecret::parse(secret.expose_secret()) {
        Ok(_) => Ok(Some(secret)),
        Err(why) => {
            let help = "make one with: echo \"whsec_$(openssl rand -base64 32)\"".to_owned();
            Err(reader.note(&place, why, Some(help)))
        }
    }
}

/// A path of our own: below `/settlement/events/`, so that it is no page's.
fn path(text: &str) -> Result<String, String> {
    let tail = text.strip_prefix("/settlement/events/").unwrap_or_default();
    let fits = !tail.is_empty() && tail.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if fits { Ok(text.to_owned()) } else { Err("has to be /settlement/events/ and a name of letters, digits and - _ .".to_owned()) }
}
