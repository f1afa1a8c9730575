//! Consents of account holders to let a third party read their accounts (Berlin Group AIS).

use std::fmt;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::payment::{AuthorisationId, bank_id};
use crate::clock::Timestamp;
use crate::iban::Iban;

bank_id! {
    /// The bank's id of a consent.
    ConsentId
}

/// Which accounts a request names for one kind of access.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// None.
    Nothing,
    /// Those the holder chooses on the bank's page (an empty list on the wire).
    Offered,
    /// These.
    These(Vec<Iban>),
}

impl Wanted {
    /// The accounts named.
    pub fn named(&self) -> &[Iban] {
        match self {
            Wanted::These(ibans) => ibans,
            Wanted::Nothing | Wanted::Offered => &[],
        }
    }
}

/// What a consent is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Lists per kind of access; balances and transactions include the account itself.
    Dedicated {
        /// Account details.
        accounts: Wanted,
        /// Balances.
        balances: Wanted,
        /// Entries.
        transactions: Wanted,
    },
    /// The list of accounts (`availableAccounts`), with or without their balances.
    Available {
        /// With balances.
        with_balances: bool,
    },
    /// Everything (`allPsd2`).
    Everything,
}

/// A kind of access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// See that the account exists.
    Account,
    /// See its balances.
    Balances,
    /// See its entries.
    Transactions,
}

/// What the third party asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentWish {
    /// Which access.
    pub scope: Scope,
    /// For more than one use.
    pub recurring: bool,
    /// The last day of it.
    pub valid_until: Date,
    /// How often a day without the holder being present.
    pub frequency_per_day: u32,
    /// The holder's login, if the third party knows it (`PSU-ID`).
    pub login: Option<String>,
}

/// How a consent stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ConsentStatus {
    /// Asked for, not answered.
    Received,
    /// Given.
    Valid,
    /// Refused, or not answered in time.
    Rejected,
    /// Its last day is over, it was used up, or a newer one took its place.
    Expired,
    /// The holder took it back.
    RevokedByPsu,
    /// The third party gave it up.
    TerminatedByTpp,
}

impl ConsentStatus {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            ConsentStatus::Received => "received",
            ConsentStatus::Valid => "valid",
            ConsentStatus::Rejected => "rejected",
            ConsentStatus::Expired => "expired",
            ConsentStatus::RevokedByPsu => "revokedByPsu",
            ConsentStatus::TerminatedByTpp => "terminatedByTpp",
        }
    }
}

/// What was given: the holder, and per account what may be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Who gave it.
    pub login: String,
    /// What may be read.
    pub rights: Vec<(Iban, Vec<Right>)>,
}

/// A consent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// Its id.
    pub id: ConsentId,
    /// What was asked for.
    pub wish: ConsentWish,
    /// How it stands.
    pub status: ConsentStatus,
    /// When something last happened to it.
    pub changed_at: Timestamp,
    /// When it ends by itself: the answering time while it is open, the end of its last day afterwards.
    pub ends_at: Timestamp,
    /// What was given.
    pub grant: Option<Grant>,
    /// Its authorisations, oldest first.
    pub authorisations: Vec<AuthorisationId>,
}

impl Consent {
    /// Whether it lets `right` on `iban` be used now.
    pub fn allows(&self, iban: &Iban, right: Right) -> bool {
        self.status == ConsentStatus::Valid
            && self.grant.iter().flat_map(|grant| &grant.rights).any(|(given, rights)| given == iban && rights.contains(&right))
    }
}

impl Grant {
    /// What `scope` comes to when the holder of `accounts` agrees: offered lists mean all of the holder's accounts.
    pub(super) fn of(scope: &Scope, login: &str, accounts: &[Iban]) -> Grant {
        let covers = |wanted: &Wanted, iban: &Iban| match wanted {
            Wanted::Nothing => false,
            Wanted::Offered => true,
            Wanted::These(named) => named.contains(iban),
        };
        let rights = |iban: &Iban| match scope {
            Scope::Everything => vec![Right::Account, Right::Balances, Right::Transactions],
            Scope::Available { with_balances: true } => vec![Right::Account, Right::Balances],
            Scope::Available { with_balances: false } => vec![Right::Account],
            Scope::Dedicated { accounts, balances, transactions } => {
                let mut rights = Vec::new();
                if covers(balances, iban) {
                    rights.push(Right::Balances);
                }
                if covers(transactions, iban) {
                    rights.push(Right::Transactions);
                }
                if covers(accounts, iban) || !rights.is_empty() {
                    rights.push(Right::Account);
                }
                rights
            }
        };
        let rights = accounts.iter().map(|iban| (iban.clone(), rights(iban))).filter(|(_, rights)| !rights.is_empty()).collect();
        Grant { login: login.to_owned(), rights }
    }
}

impl Scope {
    /// Every account the request names.
    pub fn named(&self) -> Vec<&Iban> {
        match self {
            Scope::Dedicated { accounts, balances, transactions } => {
                [accounts, balances, transactions].into_iter().flat_map(Wanted::named).collect()
            }
            Scope::Available { .. } | Scope::Everything => Vec::new(),
        }
    }
}
