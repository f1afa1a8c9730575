//! Accounts of the fake bank, and what is booked on them.
//!
//! Every euro here comes from somewhere: a [`Movement`] debits one account and credits another, so all statements together
//! always sum to zero. The bank's own *house* account is the other side of opening balances and of payments that leave
//! the bank.

use serde::{Deserialize, Serialize};

use super::payment::{PaymentId, Product};
use crate::clock::Timestamp;
use crate::iban::Iban;
use crate::money::Money;

/// The bank code of the fake bank, in the form of a French one; not given to any real bank.
pub const BANK_CODE: &str = "99999";
/// Its only branch.
const BRANCH_CODE: &str = "00001";
/// The number of the house account.
pub(super) const HOUSE: u64 = 0;

/// The IBAN of the fake bank's account `number`, with the French national check digits (clé RIB) and the ISO 7064 ones.
///
/// The key is `97 - (89 bank + 15 branch + 3 account) mod 97`; it makes the IBAN check digits of every French account 76.
#[expect(clippy::expect_used, reason = "made right here by the rules it is checked against; a test holds it to them")]
pub fn test_iban(number: u64) -> Iban {
    let account = number % 100_000_000_000;
    let key = 97 - (89 * 99_999 + 15 + 3 * account) % 97;
    format!("FR76{BANK_CODE}{BRANCH_CODE}{account:011}{key:02}").parse().expect("a valid French IBAN")
}

/// Whether an account number belongs to the fake bank, open or not.
pub fn is_ours(iban: &Iban) -> bool {
    iban.as_str().starts_with("FR") && iban.as_str().get(4..9) == Some(BANK_CODE)
}

/// An account and who holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its place in the order of opening; 0 is the house account.
    pub number: u64,
    /// Its IBAN.
    pub iban: Iban,
    /// The name it has on the wire (Berlin Group `resourceId`).
    pub resource_id: String,
    /// Under which name the holder signs in at the bank.
    pub login: String,
    /// The holder's legal name.
    pub name: String,
}

/// What an account holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balances {
    /// The sum of the booked entries.
    pub booked: Money,
    /// The same, less what accepted payments hold back.
    pub available: Money,
}

/// One side of a movement as a statement names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// The name.
    pub name: String,
    /// The account.
    pub iban: Iban,
}

/// Why money moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MovementKind {
    /// The balance an account was opened with.
    Opening,
    /// A credit transfer.
    Transfer(Product),
    /// A settled transfer given back.
    Return,
}

/// Money moved from one account of this bank to another. Never changed, never removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Movement {
    /// The account debited here (the house, for money that comes from outside).
    pub debit: Iban,
    /// The account credited here (the house, for money that leaves).
    pub credit: Iban,
    /// How much, positive.
    pub amount: Money,
    /// Why.
    pub kind: MovementKind,
    /// Who paid.
    pub debtor: Party,
    /// Who was paid; at another bank perhaps.
    pub creditor: Party,
    /// The payment behind it.
    pub payment: Option<PaymentId>,
    /// The payment's reference.
    pub end_to_end: Option<String>,
    /// The text that goes with it.
    pub remittance: Option<String>,
}

/// A movement as one account's statement shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The bank's reference of the entry; one movement inside the bank has two.
    pub reference: String,
    /// Signed: negative is a debit.
    pub amount: Money,
    /// The account's booked balance after it.
    pub balance_after: Money,
    /// When it was booked.
    pub booked_at: Timestamp,
    /// Why money moved.
    pub kind: MovementKind,
    /// Who paid.
    pub debtor: Party,
    /// Who was paid.
    pub creditor: Party,
    /// The payment behind it.
    pub payment: Option<PaymentId>,
    /// The payment's reference.
    pub end_to_end: Option<String>,
    /// The text that goes with it.
    pub remittance: Option<String>,
}

impl Entry {
    /// The side that is not this account's. In a return the parties keep the roles they had in the payment.
    pub fn counterparty(&self) -> &Party {
        let is_return = matches!(self.kind, MovementKind::Return);
        let is_debtors_account = (self.amount.minor < 0) != is_return;
        if is_debtors_account { &self.creditor } else { &self.debtor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_ibans_have_valid_national_and_international_check_digits() {
        for number in [0, 1, 2, 96, 97, 98, 12_345, 99_999_999_999] {
            let iban = test_iban(number);
            let national: u128 = iban.as_str()[4..].parse().unwrap();
            assert_eq!(national % 97, 0, "clé RIB of {}", iban.as_str());
            assert!(is_ours(&iban));
        }
        assert!(!is_ours(&"FR7630006000011234567890189".parse().unwrap()));
    }
}
