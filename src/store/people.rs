//! Who may pay: persons, their accounts on platforms and at banks, and enrolments under way.

use serde_json::json;

use super::StoreError;
use super::engine::{Row, Tx, args, sql, sql_rows};
use crate::clock::Timestamp;
use crate::ids::{AccountId, BankName, PersonId, PlatformName};
use crate::people::enrolment::Enrolment;
use crate::people::{BankAccount, Link, LinkedPayer, Person};

fn linked_payer(row: &Row) -> Result<LinkedPayer, StoreError> {
    let person = PersonId::try_from(row.text("person_id")?)
        .map_err(|error| StoreError::Meaningless { column: "person_id", why: error.to_string() })?;
    Ok(LinkedPayer {
        link: Link {
            platform: PlatformName(row.text("platform")?),
            account: AccountId(row.text("account")?),
            handle: row.text("handle")?,
            person: person.clone(),
            thread: row.optional_text("thread")?,
        },
        account: BankAccount {
            person: person.clone(),
            bank: BankName(row.text("bank")?),
            iban: row.parsed("iban")?,
            consent: row.optional_text("consent")?,
        },
        own: super::own::own_limits(row)?,
        is_locked: row.optional_int("locked_at")?.is_some(),
        person: Person {
            id: person,
            language: row.parsed("language")?,
            safe_phrase: row.text("safe_phrase")?,
            created_at: timestamp(row, "created_at")?,
        },
        paused_at: super::operators::optional_timestamp(row, "paused_at")?,
    })
}

pub(super) fn timestamp(row: &Row, column: &'static str) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(row.int(column)?).map_err(|error| StoreError::Meaningless { column, why: error.to_string() })
}

impl Tx {
    /// The payers behind accounts of a platform, each with the account to debit: the one whose turn it is.
    pub(crate) async fn linked_payers(
        &mut self,
        platform: &PlatformName,
        accounts: &[&AccountId],
    ) -> Result<Vec<LinkedPayer>, StoreError> {
        if accounts.is_empty() {
            return Ok(Vec::new());
        }
        let statement = sql_rows!(
            "SELECT l.platform, l.account, l.handle, l.thread, l.person_id, p.language, p.safe_phrase, p.created_at, p.locked_at, p.paused_at, a.bank, a.iban, a.consent,
                    o.order_minor, o.day_minor, o.next_order_minor, o.next_day_minor, o.next_at
             FROM links AS l JOIN people AS p ON p.id = l.person_id JOIN bank_accounts AS a ON a.person_id = p.id
               LEFT JOIN own_limits AS o ON o.person_id = p.id
             WHERE l.platform = $2 AND a.turn = (SELECT MIN(b.turn) FROM bank_accounts AS b WHERE b.person_id = p.id)
               AND l.account IN (SELECT r.value ->> 'id' FROM",
            ")"
        );
        let ids: Vec<_> = accounts.iter().map(|id| json!({ "id": id })).collect();
        let rows = self.rows(statement, args![json!(ids).to_string(), platform.as_str()]).await?;
        rows.iter().map(linked_payer).collect()
    }

    /// Remembers the newest private message of linked accounts, and the handles they have now; an empty handle was not told.
    pub(crate) async fn touch_links(
        &mut self,
        platform: &PlatformName,
        seen: &[(AccountId, String, Option<String>)],
    ) -> Result<(), StoreError> {
        if seen.is_empty() {
            return Ok(());
        }
        // The platform stands in every row for the reason told at `record_outcomes`.
        let statement = sql_rows!(
            "UPDATE links SET handle = CASE WHEN u.handle = '' THEN links.handle ELSE u.handle END,
                              thread = COALESCE(u.thread, links.thread) FROM (
               SELECT r.value ->> 'platform' AS platform, r.value ->> 'account' AS account, r.value ->> 'handle' AS handle,
                      r.value ->> 'thread' AS thread FROM",
            ") AS u WHERE links.platform = u.platform AND links.account = u.account"
        );
        let rows: Vec<_> = seen
            .iter()
            .map(
                |(account, handle, thread)| json!({ "platform": platform, "account": account, "handle": handle, "thread": thread }),
            )
            .collect();
        self.run(statement, args![json!(rows).to_string()]).await?;
        Ok(())
    }

    /// Holds the rows of persons and of their accounts until commit, so that limits are checked one after the other. In a fixed
    /// order, so that two batches cannot wait for each other. SQLite has one writer and needs nothing.
    pub(crate) async fn lock_people(&mut self, people: &[&PersonId]) -> Result<(), StoreError> {
        if self.has_one_writer() {
            return Ok(());
        }
        let missing: Vec<&PersonId> = people.iter().copied().filter(|id| !self.held.contains(id)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let ids = json!(missing.iter().map(|id| json!({ "id": id })).collect::<Vec<_>>()).to_string();
        let persons = sql_rows!("SELECT id FROM people WHERE id IN (SELECT r.value ->> 'id' FROM", ") ORDER BY id FOR UPDATE");
        self.rows(persons, args![ids.as_str()]).await?;
        let accounts = sql_rows!(
            "SELECT iban FROM bank_accounts WHERE iban IN (SELECT b.iban FROM bank_accounts AS b WHERE b.person_id IN (SELECT r.value ->> 'id' FROM",
            ")) ORDER BY iban, person_id FOR UPDATE"
        );
        self.rows(accounts, args![ids]).await?;
        self.held.extend(missing.into_iter().cloned());
        Ok(())
    }

    /// The person behind an account, if it is linked.
    pub(crate) async fn person_of(&mut self, platform: &PlatformName, account: &AccountId) -> Result<Option<PersonId>, StoreError> {
        let statement = sql!("SELECT person_id FROM links WHERE platform = $1 AND account = $2");
        let rows = self.rows(statement, args![platform.as_str(), account.as_str()]).await?;
        rows.first().map(|row| row.parsed("person_id")).transpose()
    }

    /// A new person.
    pub(crate) async fn insert_person(&mut self, person: &Person) -> Result<(), StoreError> {
        let statement = sql!("INSERT INTO people (id, language, safe_phrase, created_at) VALUES ($1, $2, $3, $4)");
        let values =
            args![person.id.as_str(), person.language.code(), person.safe_phrase.as_str(), person.created_at.as_microsecond()];
        self.run(statement, values).await?;
        Ok(())
    }

    /// Links an account to a person. `false` if the account is linked already, to anybody: a link is never moved silently.
    pub(crate) async fn insert_link(&mut self, link: &Link, now: Timestamp) -> Result<bool, StoreError> {
        let statement = sql!(
            "INSERT INTO links (platform, account, handle, person_id, thread, linked_at) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (platform, account) DO NOTHING"
        );
        let values = args![
            link.platform.as_str(),
            link.account.as_str(),
            link.handle.as_str(),
            link.person.as_str(),
            link.thread.clone(),
            now.as_microsecond()
        ];
        Ok(self.run(statement, values).await? == 1)
    }

    /// Adds an account that may be debited; a newer consent for the same account replaces the older.
    pub(crate) async fn insert_bank_account(&mut self, account: &BankAccount, now: Timestamp) -> Result<(), StoreError> {
        let statement = sql!(
            "INSERT INTO bank_accounts (person_id, bank, iban, consent, added_at, turn) VALUES ($1, $2, $3, $4, $5, $5)
             ON CONFLICT (person_id, bank, iban) DO UPDATE SET consent = excluded.consent"
        );
        let values = args![
            account.person.as_str(),
            account.bank.as_str(),
            account.iban.as_str(),
            account.consent.clone(),
            now.as_microsecond()
        ];
        self.run(statement, values).await?;
        Ok(())
    }

    /// Stores an enrolment, with the keyed hash of its code while it waits for one.
    pub(crate) async fn save_enrolment(&mut self, enrolment: &Enrolment, code_mac: Option<&str>) -> Result<(), StoreError> {
        let statement = sql!(
            "INSERT INTO enrolments (session, language, safe_phrase, bank, step, step_data, code_mac, created_at, person_id)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
             ON CONFLICT (session) DO UPDATE SET language = excluded.language, safe_phrase = excluded.safe_phrase, bank = excluded.bank,
               step = excluded.step, step_data = excluded.step_data, code_mac = excluded.code_mac, created_at = excluded.created_at"
        );
        let data = serde_json::to_string(&enrolment.step)
            .map_err(|error| StoreError::Meaningless { column: "step_data", why: error.to_string() })?;
        let values = args![
            enrolment.session.as_str(),
            enrolment.language.code(),
            enrolment.safe_phrase.as_str(),
            enrolment.bank.as_str(),
            enrolment.step.name(),
            data,
            code_mac.map(str::to_owned),
            enrolment.created_at.as_microsecond(),
            enrolment.person.as_ref().map(|person| person.as_str().to_owned())
        ];
        self.run(statement, values).await?;
        Ok(())
    }

    /// Remembers which code an enrolment used.
    pub(crate) async fn use_code(&mut self, session: &str, code_mac: &str) -> Result<(), StoreError> {
        self.run(sql!("UPDATE enrolments SET used_mac = $2 WHERE session = $1"), args![session, code_mac]).await?;
        Ok(())
    }

    /// Whether a code was used before.
    pub(crate) async fn is_used_code(&mut self, code_mac: &str) -> Result<bool, StoreError> {
        let rows = self.rows(sql!("SELECT 1 AS found FROM enrolments WHERE used_mac = $1 LIMIT 1"), args![code_mac]).await?;
        Ok(!rows.is_empty())
    }

    /// The enrolment of a browser session.
    pub(crate) async fn enrolment_of_session(&mut self, session: &str) -> Result<Option<Enrolment>, StoreError> {
        let statement = sql!(
            "SELECT session, language, safe_phrase, bank, step_data, created_at, person_id FROM enrolments WHERE session = $1"
        );
        self.rows(statement, args![session]).await?.first().map(enrolment).transpose()
    }

    /// The enrolment that waits for a code, by the code's keyed hash.
    pub(crate) async fn enrolment_of_code(&mut self, code_mac: &str) -> Result<Option<Enrolment>, StoreError> {
        let statement = sql!(
            "SELECT session, language, safe_phrase, bank, step_data, created_at, person_id FROM enrolments WHERE code_mac = $1"
        );
        self.rows(statement, args![code_mac]).await?.first().map(enrolment).transpose()
    }
}

fn enrolment(row: &Row) -> Result<Enrolment, StoreError> {
    let person = row.optional_text("person_id")?.map(PersonId::try_from).transpose();
    Ok(Enrolment {
        session: row.text("session")?,
        language: row.parsed("language")?,
        safe_phrase: row.text("safe_phrase")?,
        bank: BankName(row.text("bank")?),
        created_at: timestamp(row, "created_at")?,
        step: row.json("step_data")?,
        person: person.map_err(|error| StoreError::Meaningless { column: "person_id", why: error.to_string() })?,
    })
}
