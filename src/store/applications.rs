//! Who has applied to be a payee, and who is called what in the directory.

use super::StoreError;
use super::engine::{Row, Sql, Tx, args, sql};
use super::people::timestamp;
use crate::clock::Timestamp;
use crate::ids::{AccountId, PayeeId, PlatformName};
use crate::people::application::{Application, ApplicationId};
use crate::people::{Class, Payee};

/// A name by which a payee of the directory is known on a platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownName {
    /// Whose.
    pub payee: PayeeId,
    /// The operator's name for the entry.
    pub slug: String,
    /// What kind.
    pub class: Class,
    /// The verified legal name.
    pub legal_name: String,
    /// The handle there.
    pub handle: String,
    /// The immutable id there.
    pub account: AccountId,
}

fn application(row: &Row) -> Result<Application, StoreError> {
    Ok(Application {
        id: row.parsed("id")?,
        legal_name: row.text("legal_name")?,
        class: row.parsed("class")?,
        registry_number: row.optional_text("registry_number")?,
        iban: row.parsed("iban")?,
        platform: PlatformName(row.text("platform")?),
        handle: row.text("handle")?,
        account: AccountId(row.text("account")?),
        contact: row.text("contact")?,
        language: row.parsed("language")?,
        state: row.text("state")?,
        submitted_at: timestamp(row, "submitted_at")?,
    })
}

impl Tx {
    /// Files an application. `false` if one of this account waits already.
    pub(crate) async fn file_application(&mut self, new: &Application) -> Result<bool, StoreError> {
        let statement = sql!(
            "INSERT INTO applications (id, legal_name, class, registry_number, iban, platform, handle, account, contact, language, submitted_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
             ON CONFLICT (platform, account) WHERE state = 'open' DO NOTHING"
        );
        let values = args![
            new.id.as_str(),
            new.legal_name.as_str(),
            new.class.as_str(),
            new.registry_number.clone(),
            new.iban.as_str(),
            new.platform.as_str(),
            new.handle.as_str(),
            new.account.as_str(),
            new.contact.as_str(),
            new.language.code(),
            new.submitted_at.as_microsecond()
        ];
        Ok(self.run(statement, values).await? == 1)
    }

    /// Applications that nobody has decided about, the oldest first.
    pub(crate) async fn open_applications(&mut self, at_most: i64) -> Result<Vec<Application>, StoreError> {
        let statement = sql!("SELECT * FROM applications WHERE state = 'open' ORDER BY submitted_at, id LIMIT $1");
        self.rows(statement, args![at_most]).await?.iter().map(application).collect()
    }

    /// An application, held until commit.
    pub(crate) async fn application(&mut self, id: &ApplicationId) -> Result<Option<Application>, StoreError> {
        const SELECT: Sql = Sql {
            sqlite: "SELECT * FROM applications WHERE id = $1",
            postgres: "SELECT * FROM applications WHERE id = $1 FOR UPDATE",
        };
        self.rows(SELECT, args![id.as_str()]).await?.first().map(application).transpose()
    }

    /// Ends an application that is open: `accepted` or `refused`. `false` if it was not.
    pub(crate) async fn end_application(&mut self, id: &ApplicationId, state: &str, now: Timestamp) -> Result<bool, StoreError> {
        let statement = sql!("UPDATE applications SET state = $2, decided_at = $3 WHERE id = $1 AND state = 'open'");
        Ok(self.run(statement, args![id.as_str(), state, now.as_microsecond()]).await? == 1)
    }

    /// Writes down where an entry comes from and how its account was proved.
    pub(crate) async fn prove_payee(&mut self, payee: &PayeeId, origin: &str, proof: &str) -> Result<(), StoreError> {
        let statement = sql!("UPDATE payees SET origin = $2, proof = $3 WHERE id = $1");
        self.run(statement, args![payee.as_str(), origin, proof]).await?;
        Ok(())
    }

    /// How an entry's account was proved, if that was written down.
    pub(crate) async fn proof_of(&mut self, slug: &str) -> Result<Option<String>, StoreError> {
        let rows = self.rows(sql!("SELECT proof FROM payees WHERE slug = $1"), args![slug]).await?;
        rows.first().map_or(Ok(None), |row| row.optional_text("proof"))
    }

    /// The entry with this account, if there is one.
    pub(crate) async fn payee_of_iban(&mut self, iban: &str) -> Result<Option<(String, Payee)>, StoreError> {
        let statement = sql!(
            "SELECT slug, id AS payee_id, legal_name, class, iban, registry_number, frozen FROM payees WHERE iban = $1 ORDER BY slug LIMIT 1"
        );
        let rows = self.rows(statement, args![iban]).await?;
        rows.first().map(|row| Ok((row.text("slug")?, super::directory::payee(row)?))).transpose()
    }

    /// Every name by which payees are known on a platform.
    pub(crate) async fn known_names(&mut self, platform: &PlatformName) -> Result<Vec<KnownName>, StoreError> {
        let statement = sql!(
            "SELECT i.payee_id, p.slug, p.class, p.legal_name, i.handle, i.account FROM payee_identities AS i
             JOIN payees AS p ON p.id = i.payee_id WHERE i.platform = $1 ORDER BY i.handle, i.account"
        );
        let name = |row: &Row| {
            Ok(KnownName {
                payee: row.parsed("payee_id")?,
                slug: row.text("slug")?,
                class: row.parsed("class")?,
                legal_name: row.text("legal_name")?,
                handle: row.text("handle")?,
                account: AccountId(row.text("account")?),
            })
        };
        self.rows(statement, args![platform.as_str()]).await?.iter().map(name).collect()
    }

    /// Notes the handle that a payee's account has now.
    pub(crate) async fn rename_identity(
        &mut self,
        platform: &PlatformName,
        account: &AccountId,
        handle: &str,
    ) -> Result<(), StoreError> {
        let statement = sql!("UPDATE payee_identities SET handle = $3 WHERE platform = $1 AND account = $2");
        self.run(statement, args![platform.as_str(), account.as_str(), handle]).await?;
        Ok(())
    }

    /// Whether a call of exactly this content waits for an operator.
    pub(crate) async fn is_called(&mut self, data: &str) -> Result<bool, StoreError> {
        let statement = sql!("SELECT id FROM effects WHERE lane = 'operator' AND state = 'pending' AND data = $1 LIMIT 1");
        Ok(!self.rows(statement, args![data]).await?.is_empty())
    }
}
