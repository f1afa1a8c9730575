//! People: who is known to Obole, by which accounts, and who may be paid.
//!
//! Plain values without I/O. A *person* may have several accounts on platforms ([`Link`]) and accounts at banks
//! ([`BankAccount`]), and has one set of limits. A *payee* is an entry of the operator-approved directory ([`Payee`]); a
//! *campaign* is a hashtag under which a payee collects. How a person becomes known is [`enrolment`]; whom the law forbids to
//! pay is asked of [`screening`]. Who may be taken for whom is [`likeness`]; how an organisation asks to be paid is an [`application`].

pub mod application;
pub mod enrolment;
pub mod likeness;
pub mod screening;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::iban::Iban;
use crate::ids::{AccountId, BankName, PayeeId, PersonId, PlatformName};
use crate::money::Money;

/// A language that Obole writes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    #[default]
    En,
    /// French.
    Fr,
}

impl Language {
    /// All of them.
    pub const ALL: [Language; 2] = [Language::En, Language::Fr];

    /// The BCP 47 code.
    pub fn code(self) -> &'static str {
        match self {
            Language::En => "en",
            Language::Fr => "fr",
        }
    }

    /// The best fit for a BCP 47 tag such as `fr-CA`; `None` for a language we do not write.
    pub fn from_tag(tag: &str) -> Option<Language> {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        Language::ALL.into_iter().find(|language| primary.eq_ignore_ascii_case(language.code()))
    }
}

impl fmt::Display for Language {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

impl FromStr for Language {
    type Err = String;
    fn from_str(code: &str) -> Result<Self, String> {
        Language::from_tag(code).ok_or_else(|| format!("{code:?} is not a language Obole writes (en, fr)"))
    }
}

/// Somebody who pays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Who.
    pub id: PersonId,
    /// The language to write in.
    pub language: Language,
    /// A phrase the person chose, repeated in every genuine message.
    pub safe_phrase: String,
    /// Since when.
    pub created_at: Timestamp,
}

/// A person's account on a platform, proven by a private message from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The connection.
    pub platform: PlatformName,
    /// The immutable id there.
    pub account: AccountId,
    /// The handle when last seen.
    pub handle: String,
    /// Whose it is.
    pub person: PersonId,
    /// The newest private message from there (`native_id`): answers go into its thread, or the platform may hide them.
    pub thread: Option<String>,
}

/// An account at a bank that may be debited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BankAccount {
    /// Whose.
    pub person: PersonId,
    /// At which bank.
    pub bank: BankName,
    /// Which.
    pub iban: Iban,
    /// The consent under which it may be read.
    pub consent: Option<String>,
}

/// The limits that a person sets for themselves, below the scheme's. `None`: the scheme's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OwnLimits {
    /// The most in one order, in minor units.
    pub order_minor: Option<i64>,
    /// The most in 24 hours, in minor units.
    pub day_minor: Option<i64>,
    /// What was raised and does not hold yet.
    pub raise: Option<Raise>,
}

/// Limits that hold later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Raise {
    /// The most in one order then.
    pub order_minor: Option<i64>,
    /// The most in 24 hours then.
    pub day_minor: Option<i64>,
    /// From when on.
    pub from: Timestamp,
}

impl OwnLimits {
    /// As they hold at a moment: a raise whose time has come holds.
    pub fn as_of(self, now: Timestamp) -> OwnLimits {
        match self.raise {
            Some(raise) if raise.from <= now => {
                OwnLimits { order_minor: raise.order_minor, day_minor: raise.day_minor, raise: None }
            }
            _ => self,
        }
    }

    /// What they become when somebody wants other ones at `now`: what is lower holds at once, what is higher from `from` on.
    pub fn changed(self, order_minor: Option<i64>, day_minor: Option<i64>, now: Timestamp, from: Timestamp) -> OwnLimits {
        let holds = self.as_of(now);
        let lower = |one: Option<i64>, other: Option<i64>| match (one, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        let (order, day) = (lower(holds.order_minor, order_minor), lower(holds.day_minor, day_minor));
        let raises = (order, day) != (order_minor, day_minor);
        OwnLimits { order_minor: order, day_minor: day, raise: raises.then_some(Raise { order_minor, day_minor, from }) }
    }
}

/// Everything needed to make somebody the payer of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedPayer {
    /// The person.
    pub person: Person,
    /// The account the order came from.
    pub link: Link,
    /// The account to debit.
    pub account: BankAccount,
    /// The limits they set for themselves, as last written ([`OwnLimits::as_of`]).
    pub own: OwnLimits,
    /// They have said that an order was not theirs: nothing is taken until an operator has looked.
    pub is_locked: bool,
    /// Since when the person wants to be left alone (the private reply "stop"), if they do.
    pub paused_at: Option<Timestamp>,
}

/// What kind of payee it is; the limits differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// A natural person.
    Person,
    /// A charity with a registry number.
    Charity,
    /// A company or another organisation.
    Company,
}

impl Class {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Person => "person",
            Class::Charity => "charity",
            Class::Company => "company",
        }
    }
}

impl FromStr for Class {
    type Err = String;
    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "person" => Ok(Class::Person),
            "charity" => Ok(Class::Charity),
            "company" => Ok(Class::Company),
            other => Err(format!("{other:?} is not a class of payee (person, charity, company)")),
        }
    }
}

/// An entry of the payee directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payee {
    /// Which.
    pub id: PayeeId,
    /// The verified legal name.
    pub legal_name: String,
    /// What kind.
    pub class: Class,
    /// The verified account.
    pub iban: Iban,
    /// The number in the charities' or companies' registry.
    pub registry_number: Option<String>,
    /// Not payable until verified again.
    pub frozen: bool,
}

/// A payee's account on a platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayeeIdentity {
    /// The connection.
    pub platform: PlatformName,
    /// The immutable id there.
    pub account: AccountId,
    /// The handle it was registered with.
    pub handle: String,
    /// Whose it is.
    pub payee: PayeeId,
}

/// A hashtag under which a payee collects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Campaign {
    /// The hashtag, folded as the order language folds it, without `#`.
    pub tag: String,
    /// What it is called.
    pub title: String,
    /// Who collects.
    pub payee: PayeeId,
    /// What it hopes to reach.
    pub goal: Option<Money>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn what_is_lowered_holds_at_once_and_what_is_raised_after_a_while() {
        let first = OwnLimits::default().changed(Some(1_000), Some(5_000), at(0), at(100));
        assert_eq!(first, OwnLimits { order_minor: Some(1_000), day_minor: Some(5_000), raise: None });
        let mixed = first.changed(Some(2_000), Some(3_000), at(10), at(110));
        assert_eq!((mixed.order_minor, mixed.day_minor), (Some(1_000), Some(3_000)));
        assert_eq!(mixed.as_of(at(109)), mixed);
        assert_eq!(mixed.as_of(at(110)), OwnLimits { order_minor: Some(2_000), day_minor: Some(3_000), raise: None });
        // Without a limit of one's own is the highest of all.
        let none = first.changed(None, None, at(10), at(110));
        assert_eq!((none.order_minor, none.day_minor), (Some(1_000), Some(5_000)));
        assert_eq!(none.as_of(at(110)), OwnLimits::default());
        // Who lowers while a raise waits has no raise any more.
        assert_eq!(mixed.changed(Some(500), Some(3_000), at(20), at(120)).as_of(at(1_000)).order_minor, Some(500));
    }
}
