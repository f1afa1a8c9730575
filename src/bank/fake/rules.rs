//! The bank's decisions: from the books, a wish and a moment to the changes that follow.
//!
//! Nothing here writes. Strong authentication is exempt up to [`Settings::exempt_up_to`] (RTS (EU) 2018/389 article 16 has
//! 30 €; its running totals are left out); above it the payer approves on the bank's page, and a payer who does not answer in
//! time has refused (NextGenPSD2: the payment becomes RJCT). There is no idempotency, as in the standard: the same
//! instruction twice is two payments.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::account::{Account, Movement, MovementKind, Party, is_ours, test_iban};
use super::book::{Book, Change, Due};
use super::consent::{Consent, ConsentId, ConsentStatus, ConsentWish, Grant};
use super::payment::{
    Authorisation, AuthorisationId, Instruction, Payment, PaymentId, Phase, Reason, ReturnTo, ScaStatus, Status, Subject,
};
use crate::clock::{Timestamp, later};
use crate::entropy::{Entropy, random_bytes};
use crate::iban::Iban;
use crate::ids::hex;
use crate::money::{Currency, Money};

/// The most one transfer or opening balance may come to: SEPA's 999,999,999.99 €.
pub const LARGEST: Money = Money::new(99_999_999_999, Currency::EUR);

/// How the bank behaves when nothing goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Payments up to this amount need no approval.
    pub exempt_up_to: Money,
    /// From acceptance to booking; zero executes at once.
    pub execution_delay_ms: u64,
    /// How long a payer has to approve a payment or a consent.
    pub approval_time_ms: u64,
    /// A cancellation has to be approved by the payer, too.
    pub approve_cancellations: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            exempt_up_to: Money::new(3_000, Currency::EUR),
            execution_delay_ms: 0,
            // Long enough to walk over to the bank's page, short enough to see it run out.
            approval_time_ms: 5 * 60 * 1000,
            approve_cancellations: false,
        }
    }
}

/// What the bank does not do, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such account.
    #[error("this account is not held here")]
    UnknownAccount,
    /// No such payment.
    #[error("this payment is not known here")]
    UnknownPayment,
    /// No such authorisation.
    #[error("this authorisation is not known here")]
    UnknownAuthorisation,
    /// No such consent.
    #[error("this consent is not known here")]
    UnknownConsent,
    /// The payer has to be sent to the bank's page, and nobody said where to go from there.
    #[error("authentication by redirect is needed, and no address to return to was given")]
    ReturnAddressMissing,
    /// Too late to cancel.
    #[error("the payment can no longer be cancelled")]
    NotCancellable,
    /// Already approved, refused or expired.
    #[error("this has already been decided")]
    AlreadyDecided,
    /// Only settled payments are given back, and only once.
    #[error("only a settled payment can be given back, and only once")]
    NotReturnable,
    /// The consent names accounts of somebody else, or nobody holds anything under this login.
    #[error("nobody holds these accounts under this name")]
    WrongHolder,
    /// An opening balance out of range, or a login or name that is empty or too long.
    #[error("{0}")]
    BadAccount(&'static str),
    /// The bank's memory could not be written; nothing happened.
    #[error("{0}")]
    Journal(String),
}

/// What a caller (or a fault) adds to an instruction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// Where the payer's browser goes after the bank's page.
    pub return_to: ReturnTo,
    /// The initiator wants to start the authorisation itself.
    pub explicit_authorisation: bool,
    /// Ask for approval whatever the amount.
    pub always_ask: bool,
    /// Reject with this reason.
    pub reject: Option<Reason>,
}

/// The books at a moment, with randomness: all a decision depends on.
pub(super) struct Desk<'a> {
    pub(super) book: &'a Book,
    pub(super) settings: &'a Settings,
    pub(super) now: Timestamp,
    pub(super) entropy: &'a dyn Entropy,
}

impl Desk<'_> {
    fn fresh_id(&self) -> String {
        hex(&random_bytes::<16>(self.entropy))
    }

    fn approve_until(&self) -> Timestamp {
        later(self.now, Duration::from_millis(self.settings.approval_time_ms))
    }

    /// Opens an account with a balance out of the house.
    pub(super) fn open_account(&self, login: &str, name: &str, opening: Money) -> Result<(Account, Vec<Change>), Refusal> {
        if login.is_empty() || login.len() > 70 || login.chars().any(char::is_control) {
            return Err(Refusal::BadAccount("the login must have 1 to 70 characters"));
        }
        if name.trim().is_empty() || name.chars().count() > 70 || name.chars().any(char::is_control) {
            return Err(Refusal::BadAccount("the name must have 1 to 70 characters"));
        }
        if opening.currency != Currency::EUR || opening.minor < 0 || opening.minor > LARGEST.minor {
            return Err(Refusal::BadAccount("the opening balance must be between 0 and 999999999.99 EUR"));
        }
        let number = self.book.account_count() as u64;
        let account = Account {
            number,
            iban: test_iban(number),
            resource_id: self.fresh_id(),
            login: login.to_owned(),
            name: name.trim().to_owned(),
        };
        let mut changes = vec![Change::AccountOpened(account.clone())];
        if opening.minor > 0 {
            let house = self.house();
            changes.push(Change::Booked(Movement {
                debit: house.iban.clone(),
                credit: account.iban.clone(),
                amount: opening,
                kind: MovementKind::Opening,
                debtor: house,
                creditor: Party { name: account.name.clone(), iban: account.iban.clone() },
                payment: None,
                end_to_end: None,
                remittance: Some("Opening balance".to_owned()),
            }));
        }
        Ok((account, changes))
    }

    fn house(&self) -> Party {
        let iban = test_iban(super::account::HOUSE);
        let name = self.book.folder(&iban).map_or_else(String::new, |folder| folder.account.name.clone());
        Party { name, iban }
    }

    /// Receives a payment: rejected, executed (or on its way), or waiting for the payer.
    pub(super) fn receive(&self, wish: Instruction, with: &Circumstances) -> Result<(PaymentId, Vec<Change>), Refusal> {
        if self.book.folder(&wish.debtor).is_none() {
            return Err(Refusal::UnknownAccount);
        }
        let must_ask = with.always_ask || wish.amount.minor > self.settings.exempt_up_to.minor;
        let rejected = with.reject.clone().or_else(|| self.obstacle(&wish));
        if rejected.is_none() && must_ask && with.return_to.approved.is_none() {
            return Err(Refusal::ReturnAddressMissing);
        }
        let id = PaymentId(self.fresh_id());
        let mut changes = vec![Change::PaymentReceived { id: id.clone(), instruction: wish.clone() }];
        if let Some(reason) = rejected {
            changes.push(moved(&id, Status::Rjct, Some(reason), Phase::Ended));
        } else if must_ask {
            changes.push(moved(&id, Status::Rcvd, None, Phase::AwaitingApproval { until: self.approve_until() }));
            if !with.explicit_authorisation {
                let subject = Subject::Payment(id.clone());
                changes.push(self.new_authorisation(subject, with.return_to.clone()).1);
            }
        } else {
            changes.extend(self.execute(&id, &wish, Status::Rcvd));
        }
        Ok((id, changes))
    }

    /// What stands in the way of executing it.
    fn obstacle(&self, wish: &Instruction) -> Option<Reason> {
        if is_ours(&wish.creditor) && self.book.folder(&wish.creditor).is_none() {
            return Some(Reason::wrong_account());
        }
        let available = self.book.folder(&wish.debtor).map_or(0, |folder| folder.balances().available.minor);
        (available < wish.amount.minor).then(Reason::no_funds)
    }

    /// The first step of executing: all of it, or as far as it goes before the delay.
    fn execute(&self, id: &PaymentId, wish: &Instruction, accepted_as: Status) -> Vec<Change> {
        if self.settings.execution_delay_ms == 0 {
            let mut changes = vec![moved(id, Status::Acsp, None, Phase::Ended)];
            changes.extend(self.settle(id, wish));
            return changes;
        }
        vec![moved(id, accepted_as, None, Phase::Executing { next_at: self.half_the_delay() })]
    }

    fn half_the_delay(&self) -> Timestamp {
        later(self.now, Duration::from_millis(self.settings.execution_delay_ms.div_ceil(2)))
    }

    fn settle(&self, id: &PaymentId, wish: &Instruction) -> [Change; 2] {
        [Change::Booked(self.transfer(id, wish)), moved(id, Status::Acsc, None, Phase::Ended)]
    }

    pub(super) fn transfer(&self, id: &PaymentId, wish: &Instruction) -> Movement {
        let debtor_name = self.book.folder(&wish.debtor).map_or_else(String::new, |folder| folder.account.name.clone());
        let here = self.book.folder(&wish.creditor).is_some();
        Movement {
            debit: wish.debtor.clone(),
            credit: if here { wish.creditor.clone() } else { self.house().iban },
            amount: wish.amount,
            kind: MovementKind::Transfer(wish.product),
            debtor: Party { name: debtor_name, iban: wish.debtor.clone() },
            creditor: Party { name: wish.creditor_name.clone(), iban: wish.creditor.clone() },
            payment: Some(id.clone()),
            end_to_end: wish.end_to_end.clone(),
            remittance: wish.remittance.clone(),
        }
    }

    fn new_authorisation(&self, subject: Subject, return_to: ReturnTo) -> (AuthorisationId, Change) {
        let id = AuthorisationId(self.fresh_id());
        let authorisation = Authorisation { id: id.clone(), subject, status: ScaStatus::Received, return_to };
        (id, Change::AuthorisationStarted(authorisation))
    }

    /// Starts another authorisation of something that waits for one.
    pub(super) fn start_authorisation(
        &self,
        subject: Subject,
        return_to: ReturnTo,
    ) -> Result<(AuthorisationId, Vec<Change>), Refusal> {
        let open = match &subject {
            Subject::Payment(id) => matches!(self.payment(id)?.phase, Phase::AwaitingApproval { .. }),
            Subject::Consent(id) => self.consent(id)?.status == ConsentStatus::Received,
            Subject::Cancellation(id) => is_cancellable(self.payment(id)?),
        };
        if !open {
            return Err(Refusal::AlreadyDecided);
        }
        if return_to.approved.is_none() {
            return Err(Refusal::ReturnAddressMissing);
        }
        let (id, change) = self.new_authorisation(subject, return_to);
        Ok((id, vec![change]))
    }

    /// The payer's yes (as `login`, which a consent needs) or no.
    pub(super) fn answer(&self, id: &AuthorisationId, yes: bool, login: Option<&str>) -> Result<Vec<Change>, Refusal> {
        let authorisation = self.book.authorisation(id).ok_or(Refusal::UnknownAuthorisation)?;
        if authorisation.status != ScaStatus::Received {
            return Err(Refusal::AlreadyDecided);
        }
        let mut changes = match &authorisation.subject {
            Subject::Payment(id) => self.answer_payment(id, yes)?,
            Subject::Consent(id) => self.answer_consent(id, yes, login)?,
            Subject::Cancellation(id) if yes => self.cancel(id)?,
            Subject::Cancellation(_) => Vec::new(),
        };
        let status = if yes { ScaStatus::Finalised } else { ScaStatus::Failed };
        changes.retain(|change| !matches!(change, Change::AuthorisationMoved { id: other, .. } if other == id));
        changes.push(Change::AuthorisationMoved { id: id.clone(), status });
        Ok(changes)
    }

    fn answer_payment(&self, id: &PaymentId, yes: bool) -> Result<Vec<Change>, Refusal> {
        let payment = self.payment(id)?;
        if !matches!(payment.phase, Phase::AwaitingApproval { .. }) {
            return Err(Refusal::AlreadyDecided);
        }
        let rejected = if yes { self.obstacle(&payment.instruction) } else { Some(Reason::payer_refused()) };
        let mut changes = self.close_authorisations(&payment.authorisations);
        match rejected {
            Some(reason) => changes.push(moved(id, Status::Rjct, Some(reason), Phase::Ended)),
            None => {
                changes.push(moved(id, Status::Actc, None, Phase::Ended));
                changes.extend(self.execute(id, &payment.instruction, Status::Actc));
            }
        }
        Ok(changes)
    }

    fn answer_consent(&self, id: &ConsentId, yes: bool, login: Option<&str>) -> Result<Vec<Change>, Refusal> {
        let consent = self.consent(id)?;
        if consent.status != ConsentStatus::Received {
            return Err(Refusal::AlreadyDecided);
        }
        let mut changes = self.close_authorisations(&consent.authorisations);
        if !yes {
            changes.push(consent_moved(consent, ConsentStatus::Rejected));
            return Ok(changes);
        }
        let login = self.holder(consent).or(login.map(str::to_owned)).ok_or(Refusal::WrongHolder)?;
        let accounts = self.book.accounts_of(&login);
        if accounts.is_empty() || consent.wish.scope.named().iter().any(|named| !accounts.contains(named)) {
            return Err(Refusal::WrongHolder);
        }
        // The newer recurring consent takes the older one's place (NextGenPSD2, POST consents, side effects).
        if consent.wish.recurring {
            let older = self.book.consents_of(&login).filter(|old| old.status == ConsentStatus::Valid && old.wish.recurring);
            changes.extend(older.map(|old| consent_moved(old, ConsentStatus::Expired)));
        }
        changes.push(Change::ConsentMoved {
            id: consent.id.clone(),
            status: ConsentStatus::Valid,
            grant: Some(Grant::of(&consent.wish.scope, &login, accounts)),
            ends_at: end_of_day(consent.wish.valid_until),
        });
        Ok(changes)
    }

    /// Whose consent it is, as far as the request tells.
    pub(super) fn holder(&self, consent: &Consent) -> Option<String> {
        let named = consent.wish.scope.named();
        let by_account = named.first().and_then(|iban| self.book.folder(iban)).map(|folder| folder.account.login.clone());
        consent.wish.login.clone().or(by_account)
    }

    fn close_authorisations(&self, ids: &[AuthorisationId]) -> Vec<Change> {
        let open = |id: &&AuthorisationId| {
            self.book.authorisation(id).is_some_and(|authorisation| authorisation.status == ScaStatus::Received)
        };
        let close = |id: &AuthorisationId| Change::AuthorisationMoved { id: id.clone(), status: ScaStatus::Failed };
        ids.iter().filter(open).map(close).collect()
    }

    /// Cancels what is not yet accepted for execution.
    pub(super) fn cancel(&self, id: &PaymentId) -> Result<Vec<Change>, Refusal> {
        let payment = self.payment(id)?;
        if !is_cancellable(payment) {
            return Err(Refusal::NotCancellable);
        }
        let mut changes = self.close_authorisations(&payment.authorisations);
        changes.push(moved(id, Status::Canc, None, Phase::Ended));
        Ok(changes)
    }

    /// Gives a settled payment back: the same money, the other way, as a new entry on both sides.
    pub(super) fn give_back(&self, id: &PaymentId, reason: &Reason) -> Result<Vec<Change>, Refusal> {
        let payment = self.payment(id)?;
        if payment.status != Status::Acsc || payment.returned {
            return Err(Refusal::NotReturnable);
        }
        let paid = self.transfer(id, &payment.instruction);
        let back = Movement {
            debit: paid.credit,
            credit: paid.debit,
            kind: MovementKind::Return,
            remittance: Some(format!("RETURN {}", reason.0)),
            ..paid
        };
        Ok(vec![Change::PaymentReturned { id: id.clone() }, Change::Booked(back)])
    }

    /// Receives a request for consent; with `return_to` its authorisation starts at once.
    pub(super) fn ask_consent(&self, wish: ConsentWish, return_to: ReturnTo) -> Result<(ConsentId, Vec<Change>), Refusal> {
        if wish.scope.named().iter().any(|iban| self.book.folder(iban).is_none()) {
            return Err(Refusal::UnknownAccount);
        }
        if return_to.approved.is_none() {
            return Err(Refusal::ReturnAddressMissing);
        }
        let id = ConsentId(self.fresh_id());
        let consent = Consent {
            id: id.clone(),
            wish,
            status: ConsentStatus::Received,
            changed_at: self.now,
            ends_at: self.approve_until(),
            grant: None,
            authorisations: Vec::new(),
        };
        let (_, started) = self.new_authorisation(Subject::Consent(id.clone()), return_to);
        Ok((id, vec![Change::ConsentReceived(consent), started]))
    }

    /// Ends a consent, by the third party or by the holder.
    pub(super) fn end_consent(&self, id: &ConsentId, as_status: ConsentStatus) -> Result<Vec<Change>, Refusal> {
        let consent = self.consent(id)?;
        if !matches!(consent.status, ConsentStatus::Received | ConsentStatus::Valid) {
            return Ok(Vec::new());
        }
        let mut changes = self.close_authorisations(&consent.authorisations);
        changes.push(consent_moved(consent, as_status));
        Ok(changes)
    }

    /// What happens by itself when its time has come.
    pub(super) fn fall_due(&self, due: &Due) -> Vec<Change> {
        match due {
            Due::Payment(id) => self.payment(id).map_or_else(|_| Vec::new(), |payment| self.payment_due(payment)),
            Due::Consent(id) => {
                let Ok(consent) = self.consent(id) else { return Vec::new() };
                let over = if consent.status == ConsentStatus::Valid { ConsentStatus::Expired } else { ConsentStatus::Rejected };
                self.end_consent(id, over).unwrap_or_default()
            }
        }
    }

    fn payment_due(&self, payment: &Payment) -> Vec<Change> {
        let id = &payment.id;
        match (payment.phase, payment.status) {
            (Phase::AwaitingApproval { .. }, _) => {
                let mut changes = self.close_authorisations(&payment.authorisations);
                changes.push(moved(id, Status::Rjct, Some(Reason::no_answer()), Phase::Ended));
                changes
            }
            (Phase::Executing { .. }, Status::Acsp) => self.settle(id, &payment.instruction).into(),
            (Phase::Executing { .. }, _) => {
                vec![moved(id, Status::Acsp, None, Phase::Executing { next_at: self.half_the_delay() })]
            }
            (Phase::Ended, _) => Vec::new(),
        }
    }

    fn payment(&self, id: &PaymentId) -> Result<&Payment, Refusal> {
        self.book.payment(id).ok_or(Refusal::UnknownPayment)
    }

    fn consent(&self, id: &ConsentId) -> Result<&Consent, Refusal> {
        self.book.consent(id).ok_or(Refusal::UnknownConsent)
    }
}

/// Whether a payment is not yet accepted for execution.
pub(super) fn is_cancellable(payment: &Payment) -> bool {
    payment.phase != Phase::Ended && payment.status != Status::Acsp
}

fn moved(id: &PaymentId, status: Status, reason: Option<Reason>, phase: Phase) -> Change {
    Change::PaymentMoved { id: id.clone(), status, reason, phase }
}

fn consent_moved(consent: &Consent, status: ConsentStatus) -> Change {
    Change::ConsentMoved { id: consent.id.clone(), status, grant: None, ends_at: consent.ends_at }
}

/// The first moment (UTC) after `day`.
fn end_of_day(day: jiff::civil::Date) -> Timestamp {
    day.tomorrow().and_then(|next| next.to_zoned(jiff::tz::TimeZone::UTC)).map_or(Timestamp::MAX, |midnight| midnight.timestamp())
}

/// The entry's account number of the house, for those who list accounts without it.
pub fn house_iban() -> Iban {
    test_iban(super::account::HOUSE)
}
