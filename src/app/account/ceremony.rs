//! Ceremonies with passkeys: the challenge to a browser, and the check of its answer.
//!
//! The library (webauthn-rs) makes the challenges and checks the answers, with user verification required throughout. What it has to
//! remember in between lies in the database, under a keyed hash of a name that only the browser has, and is taken out by the transaction
//! that uses it: the library accepts the same answer to the same state twice, so the row is what makes it count once.
//!
//! A passkey is bound to the host of our pages. Under an address that is no host of its own (an IP address) there are none.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use url::Url;
use webauthn_rs::prelude::{
    DiscoverableAuthentication, Passkey, PasskeyAuthentication, PasskeyRegistration, PublicKeyCredential, Uuid, Webauthn,
    WebauthnBuilder,
};

use super::{AccountError, Problem, Signed};
use crate::app::App;
use crate::clock::{Timestamp, later};
use crate::entropy::random_bytes;
use crate::ids::{OrderId, PersonId, hex};
use crate::order::{Order, OrderState};
use crate::store::passkeys::{CeremonyRow, PasskeyRow};
use crate::store::{StoreError, Tx};

/// How long a browser may take: as long as the library tells it.
pub const LIFE: Duration = Duration::from_secs(5 * 60);

/// Whom passkeys are made for: the host of our pages.
#[derive(Debug, Clone)]
pub struct RelyingParty(Webauthn);

impl RelyingParty {
    /// For the pages at this address; `None` if passkeys cannot be bound to it.
    pub fn at(public_url: &str) -> Option<Self> {
        let url = Url::parse(public_url).ok()?;
        let host = url.domain()?.to_owned();
        let built = WebauthnBuilder::new(&host, &url).and_then(|builder| builder.rp_name("Obole").timeout(LIFE).build());
        built.map(RelyingParty).ok()
    }
}

/// What a browser is given to begin with.
#[derive(Debug, Clone, Serialize)]
pub struct Begun {
    /// To be sent back with the answer.
    pub ceremony: String,
    /// What `navigator.credentials` takes.
    pub options: Value,
}

/// What a ceremony is good for.
pub(super) const ENTER: &str = "enter";
pub(super) const ADD: &str = "add";
pub(super) const CONFIRM: &str = "confirm";
pub(super) const ERASE: &str = "erase";

fn relying(app: &App) -> Result<&Webauthn, Problem> {
    app.passkeys.as_ref().map(|party| &party.0).ok_or(Problem::Unavailable)
}

/// The keyed hash under which a ceremony is stored.
pub(super) fn hash(app: &App, name: &str) -> String {
    app.secret.lookup_hash("ceremony", name)
}

/// A person as passkeys name them: their id, which is a UUID without hyphens.
fn handle_of(person: &PersonId) -> Uuid {
    Uuid::parse_str(person.as_str()).unwrap_or_default()
}

struct Wanted<'a> {
    purpose: &'a str,
    person: Option<PersonId>,
    subject: String,
    digest: Option<String>,
}

async fn remember(app: &App, wanted: Wanted<'_>, state: &impl Serialize, options: Value) -> Result<Begun, AccountError> {
    let ceremony = hex(&random_bytes::<16>(app.entropy.as_ref()));
    let now = app.clock.now();
    let row = CeremonyRow {
        name: hash(app, &ceremony),
        purpose: wanted.purpose.to_owned(),
        person: wanted.person,
        subject: wanted.subject,
        digest: wanted.digest,
        state: written(state)?,
        ends_at: later(now, LIFE),
    };
    let mut tx = app.store.begin().await?;
    tx.insert_ceremony(&row, now).await?;
    tx.commit().await?;
    Ok(Begun { ceremony, options })
}

/// Asks a browser that nobody has entered with yet for any passkey that it has for us.
pub async fn begin_entering(app: &App) -> Result<Begun, AccountError> {
    let (mut challenge, state) = relying(app)?.start_discoverable_authentication().map_err(|error| unable(&error))?;
    // The person has pressed a button; the browser asks at once.
    challenge.mediation = None;
    let wanted = Wanted { purpose: ENTER, person: None, subject: String::new(), digest: None };
    remember(app, wanted, &state, json!(challenge)).await
}

/// Asks a browser to make a passkey for somebody. `binding` is a hash of what lets them: a session or a finished enrolment.
pub async fn begin_adding(app: &App, person: &PersonId, binding: &str) -> Result<Begun, AccountError> {
    let mut tx = app.store.begin_reading().await?;
    let known = tx.known(person, app.clock.now()).await?.ok_or(Problem::NotYours)?;
    let there = passkeys_of(&tx.passkeys(person).await?);
    drop(tx);
    let name = known.links.first().map_or_else(String::new, |row| row.link.handle.clone());
    let exclude = there.iter().map(|key| key.cred_id().clone()).collect();
    let (challenge, state) =
        relying(app)?.start_passkey_registration(handle_of(person), &name, &name, Some(exclude)).map_err(|error| unable(&error))?;
    let mut options = json!(challenge);
    // Found by the browser itself when somebody enters, without a name being typed.
    options["publicKey"]["authenticatorSelection"]["residentKey"] = json!("required");
    options["publicKey"]["authenticatorSelection"]["requireResidentKey"] = json!(true);
    let wanted = Wanted { purpose: ADD, person: Some(person.clone()), subject: binding.to_owned(), digest: None };
    remember(app, wanted, &state, options).await
}

/// Asks the payer of an order for a passkey, for exactly what the page showed: `seen` is the digest of it.
pub async fn begin_confirming(app: &App, order: &Order, seen: &str) -> Result<Begun, AccountError> {
    let OrderState::AwaitingConfirmation { until, digest, .. } = &order.state else { return Err(Problem::NotWaiting.into()) };
    let payer = order.payer.as_ref().ok_or(Problem::NotWaiting)?;
    if *until <= app.clock.now() {
        return Err(Problem::NotWaiting.into());
    }
    if order.digest().as_ref() != Some(digest) || seen != digest {
        return Err(Problem::Changed.into());
    }
    begin_signing(app, CONFIRM, &payer.person, order.id.as_str(), Some(digest.clone())).await
}

/// Asks somebody for a passkey before everything about them is forgotten.
pub async fn begin_erasing(app: &App, person: &PersonId) -> Result<Begun, AccountError> {
    begin_signing(app, ERASE, person, person.as_str(), None).await
}

async fn begin_signing(
    app: &App,
    purpose: &str,
    person: &PersonId,
    subject: &str,
    digest: Option<String>,
) -> Result<Begun, AccountError> {
    let rows = app.store.begin_reading().await?.passkeys(person).await?;
    let keys = passkeys_of(&rows);
    if keys.is_empty() {
        return Err(Problem::NoPasskey.into());
    }
    let (challenge, state) = relying(app)?.start_passkey_authentication(&keys).map_err(|error| unable(&error))?;
    let wanted = Wanted { purpose, person: Some(person.clone()), subject: subject.to_owned(), digest };
    remember(app, wanted, &state, json!(challenge)).await
}

/// Who has answered, with which passkey, and what the ceremony was for.
pub(super) struct Verified {
    pub(super) row: PasskeyRow,
    pub(super) ceremony: CeremonyRow,
}

/// Checks the answer to a signing ceremony, takes the ceremony out, and remembers the use of the passkey.
pub(super) async fn verify(
    app: &App,
    tx: &mut Tx,
    purpose: &str,
    signed: &Signed,
    now: Timestamp,
) -> Result<Result<Verified, Problem>, StoreError> {
    let Some(ceremony) = tx.take_ceremony(&hash(app, &signed.ceremony), purpose, now).await? else {
        return Ok(Err(Problem::Gone));
    };
    let Some(row) = tx.passkey(&id_of(&signed.answer)).await? else { return Ok(Err(Problem::NotVerified)) };
    if ceremony.person.as_ref().is_some_and(|person| *person != row.person) {
        return Ok(Err(Problem::NotYours));
    }
    let mut key: Passkey = read(&row.data)?;
    let Ok(party) = relying(app) else { return Ok(Err(Problem::Unavailable)) };
    let result = if purpose == ENTER {
        let state: DiscoverableAuthentication = read(&ceremony.state)?;
        // The answer names whose passkey it is; that has to be whose we know it to be.
        let named = party.identify_discoverable_authentication(&signed.answer).is_ok_and(|(who, _)| who == handle_of(&row.person));
        if !named {
            return Ok(Err(Problem::NotVerified));
        }
        party.finish_discoverable_authentication_v2(&signed.answer, state, &key)
    } else {
        let state: PasskeyAuthentication = read(&ceremony.state)?;
        party.finish_passkey_authentication(&signed.answer, &state)
    };
    let result = match result {
        Ok(result) if result.user_verified() => result,
        Ok(_) => return Ok(Err(Problem::NotVerified)),
        Err(error) => {
            tracing::info!(%error, "a passkey's answer was refused");
            return Ok(Err(Problem::NotVerified));
        }
    };
    key.update_credential(&result);
    tx.touch_passkey(&row.id, &written(&key)?, now).await?;
    Ok(Ok(Verified { row, ceremony }))
}

/// Checks a new passkey, and takes its ceremony out.
pub(super) async fn verify_new(
    app: &App,
    tx: &mut Tx,
    binding: &str,
    made: &super::Made,
    now: Timestamp,
) -> Result<Result<(PersonId, Passkey), Problem>, StoreError> {
    let Some(ceremony) = tx.take_ceremony(&hash(app, &made.ceremony), ADD, now).await? else { return Ok(Err(Problem::Gone)) };
    let Some(person) = ceremony.person.filter(|_| ceremony.subject == binding) else { return Ok(Err(Problem::Gone)) };
    let state: PasskeyRegistration = read(&ceremony.state)?;
    let Ok(party) = relying(app) else { return Ok(Err(Problem::Unavailable)) };
    match party.finish_passkey_registration(&made.answer, &state) {
        Ok(key) => Ok(Ok((person, key))),
        Err(error) => {
            tracing::info!(%error, "a new passkey was refused");
            Ok(Err(Problem::NotVerified))
        }
    }
}

/// A passkey's id as it is stored.
pub(super) fn stored_id(key: &Passkey) -> String {
    hex(key.cred_id())
}

fn id_of(answer: &PublicKeyCredential) -> String {
    hex(answer.get_credential_id())
}

/// Those that can be read; one that cannot is no passkey.
fn passkeys_of(rows: &[PasskeyRow]) -> Vec<Passkey> {
    rows.iter().filter_map(|row| serde_json::from_str(&row.data).ok()).collect()
}

pub(super) fn written(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Meaningless { column: "state", why: error.to_string() })
}

fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Meaningless { column: "state", why: error.to_string() })
}

fn unable(error: &webauthn_rs::prelude::WebauthnError) -> AccountError {
    tracing::error!(%error, "a ceremony could not be begun");
    Problem::Unavailable.into()
}

/// Of which order a confirming ceremony is.
pub(super) fn is_for(ceremony: &CeremonyRow, order: &OrderId) -> bool {
    ceremony.subject == order.as_str()
}
