//! What people confirm with on pages: passkeys, ceremonies under way, and browser sessions.

use super::StoreError;
use super::engine::{Row, Tx, args, sql};
use super::people::timestamp;
use crate::clock::Timestamp;
use crate::ids::PersonId;

/// A person's passkey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasskeyRow {
    /// The credential's id, in hex.
    pub id: String,
    /// Whose.
    pub person: PersonId,
    /// The public key and counters, as the library writes them.
    pub data: String,
    /// What let it in: `enrolment`, `passkey`.
    pub origin: String,
    /// Since when.
    pub added_at: Timestamp,
    /// From when on it confirms more than a code could.
    pub usable_at: Timestamp,
    /// When it was last used.
    pub used_at: Option<Timestamp>,
}

/// A ceremony between the question to the browser and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CeremonyRow {
    /// A keyed hash of the name that the browser brings back.
    pub name: String,
    /// What it is good for.
    pub purpose: String,
    /// Who has to answer; `None` while that is what it is to find out.
    pub person: Option<PersonId>,
    /// What exactly it is for.
    pub subject: String,
    /// The digest of what was shown.
    pub digest: Option<String>,
    /// What the library has to know to check the answer.
    pub state: String,
    /// Until when.
    pub ends_at: Timestamp,
}

/// A browser that somebody entered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// A keyed hash of its token.
    pub token: String,
    /// Who.
    pub person: PersonId,
    /// The credential that let them in.
    pub passkey: String,
    /// Since when.
    pub began_at: Timestamp,
    /// When its token was last changed.
    pub rotated_at: Timestamp,
}

fn passkey(row: &Row) -> Result<PasskeyRow, StoreError> {
    let used = row.optional_int("used_at")?;
    Ok(PasskeyRow {
        id: row.text("id")?,
        person: row.parsed("person_id")?,
        data: row.text("data")?,
        origin: row.text("origin")?,
        added_at: timestamp(row, "added_at")?,
        usable_at: timestamp(row, "usable_at")?,
        used_at: used.and_then(|micros| Timestamp::from_microsecond(micros).ok()),
    })
}

impl Tx {
    /// A person's passkeys, the oldest first.
    pub(crate) async fn passkeys(&mut self, person: &PersonId) -> Result<Vec<PasskeyRow>, StoreError> {
        let statement = sql!(
            "SELECT id, person_id, data, origin, added_at, usable_at, used_at FROM passkeys WHERE person_id = $1 ORDER BY added_at, id"
        );
        self.rows(statement, args![person.as_str()]).await?.iter().map(passkey).collect()
    }

    /// A passkey by its credential's id.
    pub(crate) async fn passkey(&mut self, id: &str) -> Result<Option<PasskeyRow>, StoreError> {
        let statement = sql!("SELECT id, person_id, data, origin, added_at, usable_at, used_at FROM passkeys WHERE id = $1");
        self.rows(statement, args![id]).await?.first().map(passkey).transpose()
    }

    /// From when on a person has a passkey that confirms any order. `None`: the person has no passkey.
    pub(crate) async fn passkey_usable_at(&mut self, person: &PersonId) -> Result<Option<Timestamp>, StoreError> {
        let statement = sql!("SELECT MIN(usable_at) AS usable_at FROM passkeys WHERE person_id = $1");
        let rows = self.rows(statement, args![person.as_str()]).await?;
        let micros = rows.first().map_or(Ok(None), |row| row.optional_int("usable_at"))?;
        Ok(micros.and_then(|micros| Timestamp::from_microsecond(micros).ok()))
    }

    /// Adds a passkey. `false` if the credential has an owner already.
    pub(crate) async fn insert_passkey(&mut self, row: &PasskeyRow) -> Result<bool, StoreError> {
        let statement = sql!(
            "INSERT INTO passkeys (id, person_id, data, origin, added_at, usable_at) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (id) DO NOTHING"
        );
        let values = args![
            row.id.as_str(),
            row.person.as_str(),
            row.data.as_str(),
            row.origin.as_str(),
            row.added_at.as_microsecond(),
            row.usable_at.as_microsecond()
        ];
        Ok(self.run(statement, values).await? == 1)
    }

    /// Remembers that a passkey was used, with its counters.
    pub(crate) async fn touch_passkey(&mut self, id: &str, data: &str, now: Timestamp) -> Result<(), StoreError> {
        let statement = sql!("UPDATE passkeys SET data = $2, used_at = $3 WHERE id = $1");
        self.run(statement, args![id, data, now.as_microsecond()]).await?;
        Ok(())
    }

    /// Takes a passkey away from its owner, with the sessions that it opened. `false` if the person has no such passkey.
    pub(crate) async fn delete_passkey(&mut self, person: &PersonId, id: &str) -> Result<bool, StoreError> {
        let removed = self.run(sql!("DELETE FROM passkeys WHERE person_id = $1 AND id = $2"), args![person.as_str(), id]).await?;
        self.run(sql!("DELETE FROM sessions WHERE person_id = $1 AND passkey_id = $2"), args![person.as_str(), id]).await?;
        Ok(removed == 1)
    }

    /// Begins a ceremony, and forgets those that ran out.
    pub(crate) async fn insert_ceremony(&mut self, row: &CeremonyRow, now: Timestamp) -> Result<(), StoreError> {
        self.run(sql!("DELETE FROM ceremonies WHERE ends_at <= $1"), args![now.as_microsecond()]).await?;
        let statement = sql!(
            "INSERT INTO ceremonies (name, purpose, person_id, subject, digest, state, ends_at) VALUES ($1, $2, $3, $4, $5, $6, $7)"
        );
        let values = args![
            row.name.as_str(),
            row.purpose.as_str(),
            row.person.as_ref().map(|person| person.as_str().to_owned()),
            row.subject.as_str(),
            row.digest.clone(),
            row.state.as_str(),
            row.ends_at.as_microsecond()
        ];
        self.run(statement, values).await?;
        Ok(())
    }

    /// Takes a ceremony out, for whoever commits this transaction and nobody else. `None`: it was used before, or ran out.
    pub(crate) async fn take_ceremony(
        &mut self,
        name: &str,
        purpose: &str,
        now: Timestamp,
    ) -> Result<Option<CeremonyRow>, StoreError> {
        let statement = sql!(
            "DELETE FROM ceremonies WHERE name = $1 AND purpose = $2 AND ends_at > $3
             RETURNING name, purpose, person_id, subject, digest, state, ends_at"
        );
        let rows = self.rows(statement, args![name, purpose, now.as_microsecond()]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let person = row.optional_text("person_id")?.map(PersonId::try_from).transpose();
        Ok(Some(CeremonyRow {
            name: row.text("name")?,
            purpose: row.text("purpose")?,
            person: person.map_err(|error| StoreError::Meaningless { column: "person_id", why: error.to_string() })?,
            subject: row.text("subject")?,
            digest: row.optional_text("digest")?,
            state: row.text("state")?,
            ends_at: timestamp(row, "ends_at")?,
        }))
    }

    /// Opens a session, and forgets those that began before `oldest`.
    pub(crate) async fn insert_session(&mut self, row: &SessionRow, oldest: Timestamp) -> Result<(), StoreError> {
        self.run(sql!("DELETE FROM sessions WHERE began_at < $1"), args![oldest.as_microsecond()]).await?;
        let statement =
            sql!("INSERT INTO sessions (token, person_id, passkey_id, began_at, rotated_at) VALUES ($1, $2, $3, $4, $5)");
        let values = args![
            row.token.as_str(),
            row.person.as_str(),
            row.passkey.as_str(),
            row.began_at.as_microsecond(),
            row.rotated_at.as_microsecond()
        ];
        self.run(statement, values).await?;
        Ok(())
    }

    /// The session of a token, or of the token it had before its last rotation if that was after `graced`.
    pub(crate) async fn session(&mut self, token: &str, graced: Timestamp) -> Result<Option<SessionRow>, StoreError> {
        let statement = sql!(
            "SELECT token, person_id, passkey_id, began_at, rotated_at FROM sessions
             WHERE token = $1 OR (before = $1 AND rotated_at > $2)"
        );
        let rows = self.rows(statement, args![token, graced.as_microsecond()]).await?;
        let session = |row: &Row| {
            Ok(SessionRow {
                token: row.text("token")?,
                person: row.parsed("person_id")?,
                passkey: row.text("passkey_id")?,
                began_at: timestamp(row, "began_at")?,
                rotated_at: timestamp(row, "rotated_at")?,
            })
        };
        rows.first().map(session).transpose()
    }

    /// Gives a session another token. `false` if somebody else was first.
    pub(crate) async fn rotate_session(&mut self, from: &str, to: &str, now: Timestamp) -> Result<bool, StoreError> {
        let statement = sql!("UPDATE sessions SET token = $2, before = $1, rotated_at = $3 WHERE token = $1");
        Ok(self.run(statement, args![from, to, now.as_microsecond()]).await? == 1)
    }

    /// Ends one session.
    pub(crate) async fn delete_session(&mut self, token: &str) -> Result<(), StoreError> {
        self.run(sql!("DELETE FROM sessions WHERE token = $1 OR before = $1"), args![token]).await?;
        Ok(())
    }

    /// Ends every session of a person.
    pub(crate) async fn delete_sessions(&mut self, person: &PersonId) -> Result<(), StoreError> {
        self.run(sql!("DELETE FROM sessions WHERE person_id = $1"), args![person.as_str()]).await?;
        Ok(())
    }

    /// A strong confirmation: the cumulative low-value limits count from here.
    pub(crate) async fn strongly_confirmed(&mut self, person: &PersonId, now: Timestamp) -> Result<(), StoreError> {
        let statement = sql!("UPDATE people SET strong_confirmed_at = $2 WHERE id = $1");
        self.run(statement, args![person.as_str(), now.as_microsecond()]).await?;
        Ok(())
    }
}
