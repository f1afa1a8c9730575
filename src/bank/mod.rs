//! Banks: the settlement backends that carry payments out.
//!
//! A [`Bank`] submits a payment, says how it stands, and lists the entries of an account. Its answers are decisions, and one
//! rule stands above all others: **an adapter says [`Submission::Refused`] or [`Submission::NotTaken`] only when the
//! payment surely was not and will not be taken.** Whatever else happens once a request may have left this machine (a
//! time-out, a cut, an answer that cannot be read or that speaks about something else) is [`Submission::Unknown`], and the
//! caller resolves it by asking, never by submitting again.
//!
//! A rail declares what it can do ([`Capabilities`]); the caller does not use what is not declared. There are no hidden
//! retries and no redirects followed.
//!
//! A new bank is one file here, one variant and one arm where it is built.

use std::time::Duration;

use async_trait::async_trait;
use jiff::civil::Date;

use crate::clock::Timestamp;
use crate::iban::Iban;
use crate::ids::{BankName, PaymentKey};
use crate::money::Money;

mod attempt;
pub mod berlin_group;
pub mod calendar;
pub mod certificate;
pub mod fake;
pub mod iso20022;
pub mod oauth;
pub mod sepa;
pub mod settlement;

/// What a rail can do. Everything here is a promise of the bank, not a hope of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// How long the bank remembers our key and answers a repetition with the first outcome. `None`: it does not at all, so
    /// a payment is never submitted twice.
    pub key_life: Option<Duration>,
    /// A payment can be asked for by our own reference at the payment API itself.
    pub look_up_by_key: bool,
    /// Entries of the payer's account can be read (with the payer's consent, or as they come by file), so a payment can be found by its
    /// `EndToEndId`.
    pub entries_by_consent: bool,
    /// How long after a submission an unknown outcome can still be found by asking; after it, an operator has to.
    pub look_up_horizon: Duration,
    /// A submitted payment can be cancelled while it is not executed.
    pub cancel: bool,
}

/// The account to be debited, and what lets us act on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DebtorAccount {
    /// Its number.
    pub iban: Iban,
    /// The payer's account-information consent at the bank (Berlin Group `Consent-ID`), if given.
    pub consent: Option<String>,
}

/// A payment to be carried out: a credit transfer in the payer's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentInstruction {
    /// Our reference for it; the rail's `EndToEndId`. The same on every attempt, forever.
    pub key: PaymentKey,
    /// Who pays.
    pub debtor: DebtorAccount,
    /// Who receives: the verified legal name.
    pub creditor_name: String,
    /// Who receives: the verified account.
    pub creditor_iban: Iban,
    /// How much.
    pub amount: Money,
    /// What the payee reads on the statement; any text, the adapter fits it to the rail's character set.
    pub remittance: String,
    /// Where the bank sends the payer's browser after its own authentication. A returning browser proves nothing.
    pub return_url: String,
    /// When it was handed over for the first time: the same on every attempt, so that a repetition says the same.
    pub submitted_at: Timestamp,
}

/// How the bank says a payment stands, in ISO 20022 terms folded to what changes our mind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BankStatus {
    /// Received or in checks; may still be rejected (RCVD, PDNG, ACTC, PATC, ACCP, ACFC, ACWC).
    Received,
    /// Accepted for execution, not booked as far as this status tells (ACSP, ACWP).
    Executing,
    /// Settled on the debtor's side or credited (ACSC, ACCC), or found as an entry.
    Settled,
    /// Definitely not executed (RJCT, CANC), with the bank's reason code.
    Rejected {
        /// ISO 20022 reason (`AM04`) or the bank's own code; for the record and the operator.
        reason: String,
    },
    /// Settled before, and given back since, all of it (camt.054, pacs.004).
    Returned {
        /// ISO 20022 return reason (`AC04`, `MS03`) or the bank's own code.
        reason: String,
    },
    /// A code we do not know: nothing follows from it.
    Unrecognised(String),
}

/// What came of submitting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submission {
    /// The bank has the payment.
    Taken {
        /// The bank's own id of it.
        bank_payment_id: String,
        /// How it stands.
        status: BankStatus,
        /// Where the payer has to authenticate with the bank, if the bank wants that.
        authorise_at: Option<String>,
    },
    /// The bank surely refused: it was not taken and will not be.
    Refused {
        /// The bank's code.
        reason: String,
    },
    /// It surely did not reach the bank; the same submission may be made again.
    NotTaken(TryAgain),
    /// It may or may not have been taken.
    Unknown {
        /// One sentence for the record.
        why: String,
    },
}

/// What came of asking how a payment stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The bank knows it.
    Known {
        /// The bank's own id of it, where the answer contains one.
        bank_payment_id: Option<String>,
        /// How it stands.
        status: BankStatus,
        /// Where the payer has to authenticate with the bank, if that is still open and the answer says so.
        authorise_at: Option<String>,
    },
    /// Not found now. Nothing follows from it until the look-up horizon has passed.
    NotFound,
    /// Never taken, and never will be (only rails that promise this say it).
    NeverTaken,
}

/// A call that had no outcome at the bank; it may be made again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TryAgain {
    /// Later, not before `after` where the bank said so.
    #[error("to be tried later: {why}")]
    Later {
        /// How long to wait at least.
        after: Option<Duration>,
        /// One sentence for the log.
        why: String,
    },
    /// When an operator has mended our certificate, token or permission.
    #[error("our credentials were not accepted: {why}")]
    Credentials {
        /// One sentence for the log.
        why: String,
    },
}

/// What a payment is asked for by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentQuery {
    /// Our reference.
    pub key: PaymentKey,
    /// The bank's id, if it ever told us.
    pub bank_payment_id: Option<String>,
    /// The payer's account.
    pub debtor: DebtorAccount,
    /// The amount, to recognise an answer about something else.
    pub amount: Money,
    /// The payee's account, for the same.
    pub creditor_iban: Iban,
    /// When it was submitted, to know from which day on entries matter.
    pub submitted_at: Timestamp,
}

/// A booked entry of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The bank's id of the entry.
    pub id: String,
    /// The reference the payment carried, if any.
    pub end_to_end_id: Option<String>,
    /// Signed as seen from the account: negative is a debit.
    pub amount: Money,
    /// The other side's account, if shown.
    pub counterparty_iban: Option<Iban>,
    /// The day it was booked.
    pub booked_on: Option<Date>,
}

/// What an account holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    /// What is booked, where the bank tells.
    pub booked: Option<Money>,
    /// What can be spent, where the bank tells.
    pub available: Option<Money>,
}

/// A consent to read accounts, freshly asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentRequest {
    /// The bank's id of the consent.
    pub consent_id: String,
    /// The bank's page where the payer gives it.
    pub authorise_at: String,
}

/// How a consent stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConsentStanding {
    /// Not given yet.
    Pending,
    /// Given; these accounts may be read (and, by the payer's choice, debited).
    Valid {
        /// The accounts it covers.
        accounts: Vec<ConsentedAccount>,
    },
    /// Refused, expired or revoked: a new one is needed.
    Gone,
}

/// An account that a consent covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentedAccount {
    /// Its number.
    pub iban: Iban,
    /// What the bank calls it, or its holder.
    pub name: Option<String>,
    /// Whose it is, where the bank tells the holder's own name.
    pub holder: Option<String>,
    /// The currency it is held in.
    pub currency: crate::money::Currency,
}

/// What came of asking the bank not to execute a payment, or to give it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cancellation {
    /// It is cancelled, or the money is on its way back.
    Cancelled,
    /// The bank was asked and has not decided; how the payment stands will tell.
    Asked,
    /// The bank wants the payer's authentication first.
    NeedsAuthorisation {
        /// Where the payer authenticates, if the bank says so.
        authorise_at: Option<String>,
    },
    /// It can no longer be cancelled, or the bank refuses.
    TooLate,
    /// This rail has no such thing.
    NotPossible,
    /// It may or may not be cancelled: ask how the payment stands.
    Unknown {
        /// One sentence for the record.
        why: String,
    },
}

/// What the payee's bank says of a name and an account (Regulation (EU) 2024/886, EPC Verification of Payee).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PayeeVerification {
    /// The account is held under that name.
    Match,
    /// Nearly: the payer is shown the name that was told, and asked again.
    CloseMatch {
        /// The holder's name as the payee's bank tells it.
        name: String,
    },
    /// The account is held under another name.
    NoMatch,
    /// Nobody could say: this rail does not ask, the payee's bank does not answer, the account is closed.
    NotPossible,
}

/// A settlement backend.
#[async_trait]
pub trait Bank: Send + Sync {
    /// The name of this connection in the configuration.
    fn name(&self) -> &BankName;

    /// What this rail can do.
    fn capabilities(&self) -> &Capabilities;

    /// Hands the payment to the bank: one attempt.
    async fn submit(&self, payment: &PaymentInstruction) -> Submission;

    /// Asks how a payment stands, by the bank's id where known, else by our reference in the way this rail has.
    async fn ask(&self, payment: &PaymentQuery) -> Result<Standing, TryAgain>;

    /// The booked entries of an account, from `from` to `to` inclusive.
    async fn entries(&self, account: &DebtorAccount, from: Date, to: Date) -> Result<Vec<Entry>, TryAgain>;

    /// Asks for the payer's consent to read accounts; the payer's browser is to go to the bank's page and will come back to
    /// `return_url`.
    async fn request_consent(&self, return_url: &str) -> Result<ConsentRequest, TryAgain>;

    /// How a consent stands. A returning browser only triggers this question.
    async fn consent(&self, consent_id: &str) -> Result<ConsentStanding, TryAgain>;

    /// Asks the bank not to execute a payment, or to give it back. `reason`: `DUPL`, `TECH`, `FRAD` or `CUST`; `return_url` is where the
    /// bank sends the payer's browser, should it want the payer's authentication. Called only where [`Capabilities::cancel`] is declared.
    async fn cancel(&self, _payment: &PaymentQuery, _reason: &str, _return_url: &str) -> Result<Cancellation, TryAgain> {
        Ok(Cancellation::NotPossible)
    }

    /// Asks the payee's bank whether the account is held under that name. Advice, never a permission: no answer stops nothing.
    async fn verify_payee(&self, _name: &str, _iban: &Iban) -> PayeeVerification {
        PayeeVerification::NotPossible
    }

    /// Why a payment came back, by the bank's code, where entries tell it.
    async fn return_reason(&self, _key: &PaymentKey) -> Option<String> {
        None
    }

    /// What an operator should look at, each in one sentence: a certificate that runs out, a file that was put aside.
    async fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// What an account holds, under the payer's consent; `None` on a rail that does not tell.
    async fn balance(&self, account: &DebtorAccount) -> Result<Option<Balance>, TryAgain> {
        let _ = account;
        Ok(None)
    }
}
