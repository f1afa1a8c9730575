//! Who may be paid: the payee directory and the campaigns.

use serde_json::json;

use super::StoreError;
use super::engine::{Row, Tx, args, sql, sql_rows};
use crate::clock::Timestamp;
use crate::ids::{AccountId, PayeeId, PlatformName};
use crate::money::Money;
use crate::people::{Campaign, Payee, PayeeIdentity};

pub(super) fn payee(row: &Row) -> Result<Payee, StoreError> {
    Ok(Payee {
        id: row.parsed("payee_id")?,
        legal_name: row.text("legal_name")?,
        class: row.parsed("class")?,
        iban: row.parsed("iban")?,
        registry_number: row.optional_text("registry_number")?,
        frozen: row.int("frozen")? != 0,
    })
}

impl Tx {
    /// The payees behind accounts of a platform.
    pub(crate) async fn payees_by_account(
        &mut self,
        platform: &PlatformName,
        accounts: &[&AccountId],
    ) -> Result<Vec<(PayeeIdentity, Payee)>, StoreError> {
        if accounts.is_empty() {
            return Ok(Vec::new());
        }
        let statement = sql_rows!(
            "SELECT i.platform, i.account, i.handle, p.id AS payee_id, p.legal_name, p.class, p.iban, p.registry_number, p.frozen
             FROM payee_identities AS i JOIN payees AS p ON p.id = i.payee_id
             WHERE i.platform = $2 AND i.account IN (SELECT r.value ->> 'id' FROM",
            ")"
        );
        let ids: Vec<_> = accounts.iter().map(|id| json!({ "id": id })).collect();
        let rows = self.rows(statement, args![json!(ids).to_string(), platform.as_str()]).await?;
        rows.iter().map(|row| Ok((identity(row)?, payee(row)?))).collect()
    }

    /// Payees by id.
    pub(crate) async fn payees_by_id(&mut self, ids: &[&PayeeId]) -> Result<Vec<Payee>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let statement = sql_rows!(
            "SELECT id AS payee_id, legal_name, class, iban, registry_number, frozen FROM payees WHERE id IN (SELECT r.value ->> 'id' FROM",
            ")"
        );
        let ids: Vec<_> = ids.iter().map(|id| json!({ "id": id })).collect();
        self.rows(statement, args![json!(ids).to_string()]).await?.iter().map(payee).collect()
    }

    /// The payee of the operator's own name, if there is one.
    pub(crate) async fn payee_by_slug(&mut self, slug: &str) -> Result<Option<Payee>, StoreError> {
        let statement = sql!("SELECT id AS payee_id, legal_name, class, iban, registry_number, frozen FROM payees WHERE slug = $1");
        self.rows(statement, args![slug]).await?.first().map(payee).transpose()
    }

    /// Every campaign, with its payee and the payee's account on `platform` if it has one there.
    pub(crate) async fn campaigns(
        &mut self,
        platform: &PlatformName,
    ) -> Result<Vec<(Campaign, Payee, Option<PayeeIdentity>)>, StoreError> {
        let statement = sql!(
            "SELECT c.tag, c.title, c.goal_minor, c.currency, p.id AS payee_id, p.legal_name, p.class, p.iban, p.registry_number, p.frozen,
                    i.platform, i.account, i.handle
             FROM campaigns AS c JOIN payees AS p ON p.id = c.payee_id
             LEFT JOIN payee_identities AS i ON i.payee_id = p.id AND i.platform = $1
             ORDER BY c.tag, i.account"
        );
        let rows = self.rows(statement, args![platform.as_str()]).await?;
        let mut campaigns: Vec<(Campaign, Payee, Option<PayeeIdentity>)> = Vec::with_capacity(rows.len());
        for row in &rows {
            let found = campaign(row)?;
            // A payee with two accounts on one platform still has one campaign; the first account speaks for it.
            if campaigns.last().is_some_and(|(last, _, _)| last.tag == found.tag) {
                continue;
            }
            let identity = if row.optional_text("account")?.is_some() { Some(identity(row)?) } else { None };
            campaigns.push((found, payee(row)?, identity));
        }
        Ok(campaigns)
    }

    /// Writes a directory entry under the operator's own name for it. An entry that exists keeps its id and its frozen mark; the rest
    /// is taken over.
    pub(crate) async fn save_payee(&mut self, slug: &str, payee: &Payee) -> Result<PayeeId, StoreError> {
        let statement = sql!(
            "INSERT INTO payees (id, slug, legal_name, class, iban, registry_number, frozen) VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (slug) DO UPDATE SET legal_name = excluded.legal_name, class = excluded.class, iban = excluded.iban,
               registry_number = excluded.registry_number
             RETURNING id"
        );
        let values = args![
            payee.id.as_str(),
            slug,
            payee.legal_name.as_str(),
            payee.class.as_str(),
            payee.iban.as_str(),
            payee.registry_number.clone(),
            i64::from(payee.frozen)
        ];
        let rows = self.rows(statement, values).await?;
        rows.first().ok_or(StoreError::Overtaken { expected: 1, changed: 0 })?.parsed("id")
    }

    /// Pins a payee's account on a platform. `false` if that account belongs to another payee.
    pub(crate) async fn save_payee_identity(&mut self, identity: &PayeeIdentity) -> Result<bool, StoreError> {
        let statement = sql!(
            "INSERT INTO payee_identities (platform, account, handle, payee_id) VALUES ($1, $2, $3, $4)
             ON CONFLICT (platform, account) DO UPDATE SET handle = excluded.handle WHERE payee_identities.payee_id = excluded.payee_id"
        );
        let values =
            args![identity.platform.as_str(), identity.account.as_str(), identity.handle.as_str(), identity.payee.as_str()];
        Ok(self.run(statement, values).await? == 1)
    }

    /// The account that a payee was pinned to under a handle, if it ever was.
    pub(crate) async fn pinned_account(
        &mut self,
        platform: &PlatformName,
        payee: &PayeeId,
        handle: &str,
    ) -> Result<Option<AccountId>, StoreError> {
        let statement = sql!("SELECT account FROM payee_identities WHERE platform = $1 AND payee_id = $2 AND handle = $3");
        let rows = self.rows(statement, args![platform.as_str(), payee.as_str(), handle]).await?;
        rows.first().map(|row| row.text("account").map(AccountId)).transpose()
    }

    /// Marks a payee as not payable until verified again. Of several reasons the first is kept.
    pub(crate) async fn freeze_payee(&mut self, payee: &PayeeId, why: &str, now: Timestamp) -> Result<(), StoreError> {
        let statement = sql!("UPDATE payees SET frozen = 1, frozen_why = $2, frozen_at = $3 WHERE id = $1 AND frozen = 0");
        self.run(statement, args![payee.as_str(), why, now.as_microsecond()]).await?;
        Ok(())
    }

    /// Takes everybody out of the directory who came with a configuration and whose entry is not among `slugs`: no account leads to them and no campaign is theirs any more,
    /// so no new order finds them. The entries stay, for the orders that name them. Gives how many accounts and campaigns went.
    pub(crate) async fn withdraw_all_but(&mut self, slugs: &[&str], tags: &[&str]) -> Result<u64, StoreError> {
        let accounts = sql_rows!(
            "DELETE FROM payee_identities WHERE payee_id IN (
               SELECT id FROM payees WHERE origin = 'configuration' AND slug NOT IN (SELECT r.value ->> 'name' FROM",
            "))"
        );
        let campaigns = sql_rows!(
            "DELETE FROM campaigns WHERE payee_id IN (SELECT id FROM payees WHERE origin = 'configuration')
               AND tag NOT IN (SELECT r.value ->> 'name' FROM",
            ")"
        );
        let names = |names: &[&str]| json!(names.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>()).to_string();
        Ok(self.run(accounts, args![names(slugs)]).await? + self.run(campaigns, args![names(tags)]).await?)
    }

    /// Writes a campaign.
    pub(crate) async fn save_campaign(&mut self, campaign: &Campaign) -> Result<(), StoreError> {
        let statement = sql!(
            "INSERT INTO campaigns (tag, title, payee_id, goal_minor, currency) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (tag) DO UPDATE SET title = excluded.title, payee_id = excluded.payee_id, goal_minor = excluded.goal_minor,
               currency = excluded.currency"
        );
        let values = args![
            campaign.tag.as_str(),
            campaign.title.as_str(),
            campaign.payee.as_str(),
            campaign.goal.map(|goal| goal.minor),
            campaign.goal.map(|goal| goal.currency.code().to_owned())
        ];
        self.run(statement, values).await?;
        Ok(())
    }
}

fn identity(row: &Row) -> Result<PayeeIdentity, StoreError> {
    Ok(PayeeIdentity {
        platform: PlatformName(row.text("platform")?),
        account: AccountId(row.text("account")?),
        handle: row.text("handle")?,
        payee: row.parsed("payee_id")?,
    })
}

pub(super) fn campaign(row: &Row) -> Result<Campaign, StoreError> {
    let goal = match (row.optional_int("goal_minor")?, row.optional_text("currency")?) {
        (Some(minor), Some(code)) => {
            let currency = code.parse().map_err(|error| StoreError::Meaningless { column: "currency", why: format!("{error}") })?;
            Some(Money::new(minor, currency))
        }
        _ => None,
    };
    Ok(Campaign { tag: row.text("tag")?, title: row.text("title")?, payee: row.parsed("payee_id")?, goal })
}
