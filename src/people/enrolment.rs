//! Enrolment: how a person becomes known.
//!
//! On every platform a bot that writes first is blocked or hidden, so the payer opens the channel: the browser session that
//! starts an enrolment gets the payer's consent at the bank, then shows a one-time code; the payer sends it to Obole by private
//! message from the account that will post. That message only *proposes* the account: the link becomes active when the
//! same browser session shows it and the person confirms it there. A code given away to somebody else links nothing.
//!
//! The same steps serve somebody who is known already. Begun with their passkey, they add an account at a bank (without a code) or on a
//! platform (without the bank). Begun afresh, the consent for an account of theirs and a code from an account of theirs are together the
//! proof that lets a new passkey in, after a lost one. An account that is somebody else's is never moved.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::iban::Iban;
use crate::ids::{AccountId, BankName, PersonId, PlatformName};
use crate::people::Language;

/// How long an enrolment code is good.
pub const CODE_LIFE: Duration = Duration::from_secs(15 * 60);

/// How long a browser session may take from first page to confirmed link.
pub const SESSION_LIFE: Duration = Duration::from_secs(60 * 60);

/// Crockford's base 32: no I, L, O, U, so nothing is misread.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A one-time enrolment code, `OBOLE-XXXX-XXXX`; 40 bits, never the shape of a confirmation code.
#[derive(Clone, PartialEq, Eq)]
pub struct EnrolmentCode(String);

impl std::fmt::Debug for EnrolmentCode {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("EnrolmentCode(…)")
    }
}

impl EnrolmentCode {
    /// The code that 40 bits spell.
    pub fn from_bits(bits: [u8; 5]) -> Self {
        let bits = bits.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        let letter = |place: u32| char::from(ALPHABET[usize::try_from(bits >> (5 * place) & 31).unwrap_or(0)]);
        let letters: String = (0..8).map(letter).collect();
        EnrolmentCode(format!("OBOLE-{}-{}", &letters[..4], &letters[4..]))
    }

    /// Finds a code in a private message: anywhere in it, in any case, with hyphens, spaces or nothing between its groups, with the
    /// letters that Crockford reads as digits. `None` if there is none, or if there are several.
    pub fn find(text: &str) -> Option<Self> {
        let upper = text.to_ascii_uppercase();
        let mut codes = upper.match_indices("OBOLE").filter_map(|(start, word)| code_after(&upper[start + word.len()..]));
        let first = codes.next()?;
        codes.all(|other| other == first).then_some(first)
    }

    /// As shown to the person.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The code right at the start of `rest`, the text after the word OBOLE: two groups of four, each after at most one hyphen or space,
/// and no further letter. Without a hyphen it needs a digit, so that "obole what time is it" is not taken for a code.
fn code_after(rest: &str) -> Option<EnrolmentCode> {
    let is_hyphen = |c: char| c == '-' || matches!(c, '\u{2010}'..='\u{2014}');
    let mut letters = String::with_capacity(8);
    let mut hyphened = false;
    let mut chars = rest.chars().peekable();
    while letters.len() < 8 {
        if letters.len().is_multiple_of(4)
            && let Some(separator) = chars.next_if(|c| is_hyphen(*c) || *c == ' ')
        {
            hyphened |= is_hyphen(separator);
        }
        letters.push(normalise(chars.next().filter(char::is_ascii_alphanumeric)?));
    }
    let ends = chars.next().is_none_or(|c| !c.is_alphanumeric());
    let plain = letters.bytes().all(|byte| ALPHABET.contains(&byte));
    let meant = hyphened || rest.chars().take(10).any(|c| c.is_ascii_digit());
    (ends && plain && meant).then(|| EnrolmentCode(format!("OBOLE-{}-{}", &letters[..4], &letters[4..])))
}

fn normalise(letter: char) -> char {
    match letter {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    }
}

/// The account that sent the code, waiting for the person's word in the browser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The connection.
    pub platform: PlatformName,
    /// The immutable id there.
    pub account: AccountId,
    /// The handle at that time.
    pub handle: String,
    /// The message that carried the code.
    pub thread: String,
}

/// How far an enrolment has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// The person was sent to the bank's page.
    AwaitingConsent {
        /// The consent asked for.
        consent: String,
        /// The bank's page.
        authorise_at: String,
    },
    /// The bank says yes for several accounts; the person has to choose.
    ChoosingAccount {
        /// The consent given.
        consent: String,
        /// What it covers.
        accounts: Vec<Iban>,
    },
    /// The code is shown.
    AwaitingCode {
        /// The consent given.
        consent: String,
        /// The account chosen.
        iban: Iban,
        /// Until when the code is good.
        until: Timestamp,
    },
    /// An account sent the code.
    AwaitingWord {
        /// The consent given.
        consent: String,
        /// The account chosen.
        iban: Iban,
        /// Which account it was.
        candidate: Candidate,
    },
    /// An account at a bank was added to somebody who is known; no code was needed, since their passkey began it.
    Connected {
        /// Who it is.
        person: PersonId,
        /// Which account.
        iban: Iban,
    },
    /// Linked.
    Done {
        /// Who it is.
        person: PersonId,
        /// The handle that was linked.
        handle: String,
    },
    /// The bank or the person said no.
    Abandoned {
        /// One word for the page: `consent_refused`, `not_me`, `already_linked`.
        reason: String,
    },
}

impl Step {
    /// The name under which it is stored and told.
    pub fn name(&self) -> &'static str {
        match self {
            Step::AwaitingConsent { .. } => "awaiting_consent",
            Step::ChoosingAccount { .. } => "choosing_account",
            Step::AwaitingCode { .. } => "awaiting_code",
            Step::AwaitingWord { .. } => "awaiting_word",
            Step::Connected { .. } => "connected",
            Step::Done { .. } => "done",
            Step::Abandoned { .. } => "abandoned",
        }
    }
}

/// One enrolment, bound to one browser session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolment {
    /// SHA-256 of the browser's token, in hex.
    pub session: String,
    /// The person's language.
    pub language: Language,
    /// The phrase the person chose.
    pub safe_phrase: String,
    /// The bank chosen.
    pub bank: BankName,
    /// When it began.
    pub created_at: Timestamp,
    /// How far it has come.
    pub step: Step,
    /// Somebody known, whose passkey began it to add an account.
    pub person: Option<PersonId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_however_a_person_types_it() {
        let code = EnrolmentCode::from_bits([7, 99, 200, 31, 64]);
        let shown = code.as_str().to_owned();
        assert_eq!(shown.len(), 15);
        for text in [
            shown.clone(),
            shown.to_lowercase(),
            format!("Bonjour, voici {shown} merci"),
            shown.replace('-', " "),
            shown.replace('-', ""),
        ] {
            assert_eq!(EnrolmentCode::find(&text).as_ref(), Some(&code), "{text}");
        }
        assert_eq!(EnrolmentCode::find("OBOLE-0OIL-ABCD").unwrap().as_str(), "OBOLE-0011-ABCD");
    }

    #[test]
    fn what_is_not_a_code_is_none() {
        for text in [
            "",
            "obole",
            "OUI 482193",
            "OBOLE-12",
            "OBOLE-UUUU-UUUU",
            "OBOLE-1234-5678 OBOLE-1234-5679",
            "hello é obole ééé",
            "Obole what time is it",
            "obole hello there",
        ] {
            assert!(EnrolmentCode::find(text).is_none(), "{text}");
        }
    }
}
