//! What stands in the effects table: the lane, and what to do as JSON.

use serde::{Deserialize, Serialize};

use crate::iban::Iban;
use crate::ids::{AccountId, BankName, PlatformName};
use crate::messages::Message;
use crate::order::Effect;
use crate::people::Language;

/// Something to do outside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "snake_case")]
pub enum Task {
    /// An order's effect.
    Order {
        /// What.
        effect: Effect,
    },
    /// A private message that belongs to no order.
    Say {
        /// To whom.
        account: AccountId,
        /// The handle to address.
        handle: String,
        /// In which language.
        language: Language,
        /// The phrase the person chose, if we know the person.
        safe_phrase: Option<String>,
        /// The private message it answers.
        thread: Option<String>,
        /// What.
        message: Message,
    },
    /// What the payer's bank says that the account holds: asked for when it is written, so that it is stored nowhere.
    Balance {
        /// To whom.
        account: AccountId,
        /// The handle to address.
        handle: String,
        /// In which language.
        language: Language,
        /// The phrase the person chose.
        safe_phrase: String,
        /// The private message it answers.
        thread: String,
        /// Which bank is asked.
        bank: BankName,
        /// About which account.
        debtor: Iban,
        /// Under which consent.
        consent: Option<String>,
    },
    /// Somebody wants to talk to a person: stands in the operators' lane until one closes it.
    HandOver {
        /// Where they write from.
        platform: PlatformName,
        /// Who.
        account: AccountId,
        /// By which handle.
        handle: String,
        /// In which language.
        language: Language,
        /// The phrase the person chose.
        safe_phrase: String,
        /// The private message that asked.
        thread: String,
    },
    /// The public word, once a day at most, on how to open a channel.
    Hint {
        /// Under which post.
        post: String,
        /// Its author.
        handle: String,
        /// In which language.
        language: Language,
    },
}

/// The lane towards a platform.
pub fn platform_lane(platform: &PlatformName) -> String {
    format!("dm:{platform}")
}

/// The lane of public hints towards a platform. They share the platform's windows with the private messages, and may use a tenth of
/// them: however many strangers write, payers keep the rest.
pub fn hint_lane(platform: &PlatformName) -> String {
    format!("hint:{platform}")
}

/// The lane towards a bank.
pub fn bank_lane(bank: &BankName) -> String {
    format!("bank:{bank}")
}

/// The lane that a human reads.
pub const OPERATOR_LANE: &str = "operator";
