//! Sessions: a browser in which somebody has shown a passkey.
//!
//! The browser has a token of 256 random bits; the store has a keyed hash of it. The token changes on every entry and while it is used;
//! a session ends after [`LIFE`], after [`IDLE`] without use, with its passkey, and when somebody leaves.

use std::time::Duration;

use super::ceremony::{self, ENTER};
use super::{AccountError, Signed};
use crate::app::App;
use crate::clock::{Timestamp, earlier, later};
use crate::entropy::random_bytes;
use crate::ids::{PersonId, hex};
use crate::store::passkeys::SessionRow;

/// The longest that one entry lasts.
pub const LIFE: Duration = Duration::from_secs(12 * 60 * 60);
/// Without any use it ends sooner.
pub const IDLE: Duration = Duration::from_secs(30 * 60);
/// A token older than this is changed when it is used next.
const ROTATE_AFTER: Duration = Duration::from_secs(5 * 60);
/// So long the token before still opens: a second page may have been on its way.
const GRACE: Duration = Duration::from_secs(60);

/// What names a session to its browser.
#[derive(Clone)]
pub struct SessionToken(pub String);

/// Somebody in a session.
#[derive(Clone)]
pub struct Visit {
    /// Who.
    pub person: PersonId,
    /// The passkey that let them in.
    pub passkey: String,
    /// The session's own name at rest: what a ceremony that is begun in it is bound to.
    pub binding: String,
    /// When its token was last changed.
    pub rotated_at: Timestamp,
}

fn fresh(app: &App) -> SessionToken {
    SessionToken(hex(&random_bytes::<32>(app.entropy.as_ref())))
}

fn hash(app: &App, token: &SessionToken) -> String {
    app.secret.lookup_hash("session", &token.0)
}

/// Lets somebody in by a passkey.
pub async fn enter(app: &App, signed: &Signed) -> Result<SessionToken, AccountError> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let verified = ceremony::verify(app, &mut tx, ENTER, signed, now).await?;
    let token = fresh(app);
    if let Ok(verified) = &verified {
        let row = SessionRow {
            token: hash(app, &token),
            person: verified.row.person.clone(),
            passkey: verified.row.id.clone(),
            began_at: now,
            rotated_at: now,
        };
        tx.insert_session(&row, earlier(now, LIFE)).await?;
    }
    // Refused or not, the ceremony is used up.
    tx.commit().await?;
    verified?;
    Ok(token)
}

/// Who has entered with this token; `None` if nobody has, or it is over.
pub async fn find(app: &App, token: &SessionToken) -> Result<Option<Visit>, AccountError> {
    let now = app.clock.now();
    let found = app.store.begin_reading().await?.session(&hash(app, token), earlier(now, GRACE)).await?;
    let found = found.filter(|row| now < later(row.began_at, LIFE) && now < later(row.rotated_at, IDLE));
    Ok(found.map(|row| Visit { person: row.person, passkey: row.passkey, binding: row.token, rotated_at: row.rotated_at }))
}

/// A new token for the browser, if it is time for one. Called where a page is shown, since the answer has to carry it.
pub async fn renew(app: &App, visit: &mut Visit) -> Result<Option<SessionToken>, AccountError> {
    let now = app.clock.now();
    if now < later(visit.rotated_at, ROTATE_AFTER) {
        return Ok(None);
    }
    let renewed = fresh(app);
    let to = hash(app, &renewed);
    let mut tx = app.store.begin().await?;
    if !tx.rotate_session(&visit.binding, &to, now).await? {
        return Ok(None);
    }
    tx.commit().await?;
    visit.binding = to;
    Ok(Some(renewed))
}

/// Ends a session.
pub async fn leave(app: &App, token: &SessionToken) -> Result<(), AccountError> {
    let mut tx = app.store.begin().await?;
    tx.delete_session(&hash(app, token)).await?;
    tx.commit().await?;
    Ok(())
}
