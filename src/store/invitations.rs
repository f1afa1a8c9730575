//! Who was invited to be paid, who does not want to be, and whose an account is by the word of its bank.

use super::StoreError;
use super::engine::{Tx, args, sql};
use crate::clock::Timestamp;
use crate::iban::Iban;
use crate::ids::{AccountId, BankName, OrderId, PayeeId, PlatformName};

/// An account that somebody wanted to pay and that is not in the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// The entry that a claim will make.
    pub payee: PayeeId,
    /// Whether they were written to. It happens once.
    pub is_invited: bool,
    /// Whether they want to hear nothing of it, ever.
    pub opted_out: bool,
}

/// Whose an account is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The name, as the bank told it.
    pub name: String,
    /// The consent under which it did.
    pub consent: String,
}

impl Tx {
    /// What is known of an account that is not in the directory.
    pub(crate) async fn invitation(
        &mut self,
        platform: &PlatformName,
        account: &AccountId,
    ) -> Result<Option<Invitation>, StoreError> {
        let statement = sql!("SELECT payee_id, invited_at, opted_out_at FROM invitations WHERE platform = $1 AND account = $2");
        let rows = self.rows(statement, args![platform.as_str(), account.as_str()]).await?;
        let invitation = |row: &super::engine::Row| {
            Ok(Invitation {
                payee: row.parsed("payee_id")?,
                is_invited: row.optional_int("invited_at")?.is_some(),
                opted_out: row.optional_int("opted_out_at")?.is_some(),
            })
        };
        rows.first().map(invitation).transpose()
    }

    /// Writes down an account, with the entry that a claim will make. One that is known keeps its entry. Gives what is known afterwards.
    pub(crate) async fn note_invitee(
        &mut self,
        platform: &PlatformName,
        account: &AccountId,
        handle: &str,
        payee: &PayeeId,
    ) -> Result<Option<Invitation>, StoreError> {
        let statement = sql!(
            "INSERT INTO invitations (platform, account, handle, payee_id) VALUES ($1, $2, $3, $4) ON CONFLICT (platform, account) DO NOTHING"
        );
        self.run(statement, args![platform.as_str(), account.as_str(), handle, payee.as_str()]).await?;
        self.invitation(platform, account).await
    }

    /// Marks an account as written to. `false`: it was before, and is not written to again.
    pub(crate) async fn invite(
        &mut self,
        platform: &PlatformName,
        account: &AccountId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let statement = sql!(
            "UPDATE invitations SET invited_at = $3 WHERE platform = $1 AND account = $2 AND invited_at IS NULL AND opted_out_at IS NULL"
        );
        Ok(self.run(statement, args![platform.as_str(), account.as_str(), now.as_microsecond()]).await? == 1)
    }

    /// Whoever has this account wants to hear nothing of being paid, ever.
    pub(crate) async fn opt_out(&mut self, platform: &PlatformName, account: &AccountId, now: Timestamp) -> Result<(), StoreError> {
        let statement =
            sql!("UPDATE invitations SET opted_out_at = $3 WHERE platform = $1 AND account = $2 AND opted_out_at IS NULL");
        self.run(statement, args![platform.as_str(), account.as_str(), now.as_microsecond()]).await?;
        Ok(())
    }

    /// Whoever has this account wants to be paid after all.
    pub(crate) async fn opt_in(&mut self, platform: &PlatformName, account: &AccountId) -> Result<(), StoreError> {
        let statement = sql!("UPDATE invitations SET opted_out_at = NULL WHERE platform = $1 AND account = $2");
        self.run(statement, args![platform.as_str(), account.as_str()]).await?;
        Ok(())
    }

    /// The ids of orders that wait for this payee to claim, oldest first.
    pub(crate) async fn orders_awaiting_payee(&mut self, payee: &PayeeId) -> Result<Vec<OrderId>, StoreError> {
        let statement = sql!(
            "SELECT o.id FROM payments AS p JOIN orders AS o ON o.id = p.order_id
             WHERE p.payee_id = $1 AND o.state = 'awaiting_payee' ORDER BY o.created_at, o.id LIMIT 1000"
        );
        self.rows(statement, args![payee.as_str()]).await?.iter().map(|row| row.parsed("id")).collect()
    }

    /// Writes down whose an account is, as its bank said.
    pub(crate) async fn note_holder(
        &mut self,
        bank: &BankName,
        iban: &Iban,
        name: &str,
        consent: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let statement = sql!(
            "INSERT INTO holders (bank, iban, name, consent, seen_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (bank, iban) DO UPDATE SET name = excluded.name, consent = excluded.consent, seen_at = excluded.seen_at"
        );
        self.run(statement, args![bank.as_str(), iban.as_str(), name, consent, now.as_microsecond()]).await?;
        Ok(())
    }

    /// Whose an account is, if its bank said.
    pub(crate) async fn holder(&mut self, bank: &BankName, iban: &Iban) -> Result<Option<Holder>, StoreError> {
        let statement = sql!("SELECT name, consent FROM holders WHERE bank = $1 AND iban = $2");
        let rows = self.rows(statement, args![bank.as_str(), iban.as_str()]).await?;
        rows.first().map(|row| Ok(Holder { name: row.text("name")?, consent: row.text("consent")? })).transpose()
    }
}
