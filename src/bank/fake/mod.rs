//! A small bank with accounts and memory.
//!
//! It holds accounts of made-up people, takes payments, asks their holders where strong authentication is needed, books,
//! gives back, and lets third parties read accounts with the holder's consent. It can misbehave on demand ([`Fault`]). It
//! knows no wire: `crate::sandbox::bank` puts it on one, tests and simulations call it directly.
//!
//! Promises:
//! - time and randomness are parameters; what happens later by itself (execution, running out of time) has happened by
//!   the time anybody looks, at the moment it was due;
//! - with a journal, every decision is written out before it is answered, and a killed process has lost none of them;
//! - every movement has two sides, so all statements together sum to zero;
//! - **no idempotency**: the same instruction twice is two payments, as at the banks it stands for.

mod account;
mod book;
mod consent;
mod fault;
mod journal;
mod misbook;
mod payment;
mod port;
mod rules;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use jiff::civil::Date;
use serde::Serialize;

pub use account::{Account, BANK_CODE, Balances, Entry, Movement, MovementKind, Party, is_ours, test_iban};
pub use consent::{Consent, ConsentId, ConsentStatus, ConsentWish, Grant, Right, Scope, Wanted};
pub use fault::{Fault, FaultKind, Operation};
pub use journal::JournalError;
pub use payment::{
    Authorisation, AuthorisationId, Instruction, Payment, PaymentId, Phase, Product, Reason, ReturnTo, ScaStatus, Status, Subject,
};
pub use port::FakeConnection;
pub use rules::{Circumstances, LARGEST, Refusal, Settings, house_iban};

use crate::clock::{Clock, Timestamp};
use crate::entropy::Entropy;
use crate::iban::Iban;
use crate::money::{Currency, Money};
use book::{Book, Change, Folder};
use fault::Weather;
use journal::Journal;
use rules::Desk;

/// The bank.
pub struct FakeBank {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    settings: RwLock<Settings>,
    weather: Mutex<Weather>,
    office: Mutex<Office>,
}

/// The books and the pen.
struct Office {
    book: Book,
    journal: Option<Journal>,
}

/// An account with what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountView {
    /// The account.
    pub account: Account,
    /// What it holds.
    pub balances: Balances,
    /// How many entries its statement has.
    pub entries: usize,
}

/// A stretch of days, both included; the whole statement by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Days {
    /// From the beginning of this day (UTC).
    pub from: Option<Date>,
    /// To the end of this day (UTC).
    pub to: Option<Date>,
}

/// What the bank's books come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Accounts, the house not counted.
    pub accounts: usize,
    /// Payments ever received.
    pub payments: usize,
    /// Payments that were carried out and not given back.
    pub settled_payments: usize,
    /// What those come to, in minor units.
    pub settled_minor: i64,
    /// Booked entries, both sides of every movement.
    pub entries: usize,
    /// The sum of all balances, the house included; always 0.
    pub sum_of_balances_minor: i64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FakeBank {
    /// A bank that forgets everything when it is dropped.
    pub fn in_memory(settings: Settings, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self::with(Office { book: Book::new(), journal: None }, settings, clock, entropy)
    }

    /// A bank that keeps its books in the file at `path`, and goes on from what is there.
    pub fn open(path: &Path, settings: Settings, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Result<Self, JournalError> {
        let (journal, book) = Journal::open(path)?;
        Ok(Self::with(Office { book, journal: Some(journal) }, settings, clock, entropy))
    }

    fn with(office: Office, settings: Settings, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        FakeBank {
            clock,
            entropy,
            settings: RwLock::new(settings),
            weather: Mutex::new(Weather::default()),
            office: Mutex::new(office),
        }
    }

    /// The present moment, as the bank sees it.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// How it behaves.
    pub fn settings(&self) -> Settings {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes how it behaves, from the next decision on.
    pub fn set_settings(&self, settings: Settings) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = settings;
    }

    /// The books as they are now, with everything done that was due.
    fn office(&self) -> Result<(MutexGuard<'_, Office>, Timestamp), Refusal> {
        let mut office = lock(&self.office);
        let now = self.clock.now().max(office.book.latest());
        while let Some((at, due)) = office.book.first_due(now) {
            let at = at.max(office.book.latest());
            let settings = self.settings();
            let desk = Desk { book: &office.book, settings: &settings, now: at, entropy: &*self.entropy };
            let changes = desk.fall_due(&due);
            office.commit(at, changes)?;
        }
        Ok((office, now))
    }

    /// Decides, writes down, and only then answers.
    fn decide<T>(&self, decision: impl FnOnce(&Desk<'_>) -> Result<(T, Vec<Change>), Refusal>) -> Result<T, Refusal> {
        let (mut office, now) = self.office()?;
        let settings = self.settings();
        let desk = Desk { book: &office.book, settings: &settings, now, entropy: &*self.entropy };
        let (answer, changes) = decision(&desk)?;
        office.commit(now, changes)?;
        Ok(answer)
    }

    /// Looks something up.
    fn look<T>(&self, question: impl FnOnce(&Book) -> T) -> Result<T, Refusal> {
        let (office, _) = self.office()?;
        Ok(question(&office.book))
    }
}

impl Office {
    fn commit(&mut self, at: Timestamp, changes: Vec<Change>) -> Result<(), Refusal> {
        if changes.is_empty() {
            return Ok(());
        }
        if let Some(journal) = &mut self.journal {
            journal.append(at, &changes).map_err(|error| Refusal::Journal(error.to_string()))?;
        }
        for change in changes {
            self.book.apply(at, change);
        }
        Ok(())
    }
}

/// Accounts.
impl FakeBank {
    /// Opens an account with a balance.
    pub fn open_account(&self, login: &str, name: &str, opening: Money) -> Result<Account, Refusal> {
        self.decide(|desk| desk.open_account(login, name, opening))
    }

    /// An account by its IBAN.
    pub fn account(&self, iban: &Iban) -> Result<AccountView, Refusal> {
        self.look(|book| book.folder(iban).map(|folder| view(book, folder)))?.ok_or(Refusal::UnknownAccount)
    }

    /// An account by its name on the wire.
    pub fn account_by_resource(&self, resource_id: &str) -> Result<AccountView, Refusal> {
        self.look(|book| book.by_resource(resource_id).map(|folder| view(book, folder)))?.ok_or(Refusal::UnknownAccount)
    }

    /// The accounts of a holder.
    pub fn accounts_of(&self, login: &str) -> Result<Vec<AccountView>, Refusal> {
        self.look(|book| {
            let folders = book.accounts_of(login).iter().filter_map(|iban| book.folder(iban));
            folders.map(|folder| view(book, folder)).collect()
        })
    }

    /// Accounts in the order of opening, the house first; `skip` left out and at most `limit` taken.
    pub fn accounts(&self, skip: usize, limit: usize) -> Result<Vec<AccountView>, Refusal> {
        self.look(|book| book.accounts().skip(skip).take(limit).map(|folder| view(book, folder)).collect())
    }

    /// A page of an account's statement, oldest entry first, and how many entries those days have.
    pub fn entries(&self, iban: &Iban, days: Days, skip: usize, limit: usize) -> Result<(Vec<Entry>, usize), Refusal> {
        self.look(|book| {
            let folder = book.folder(iban)?;
            Some(book.entries(folder, days.start(), days.end(), skip, limit))
        })?
        .ok_or(Refusal::UnknownAccount)
    }

    /// Payments of an account that are accepted and not yet booked.
    pub fn open_payments(&self, iban: &Iban) -> Result<Vec<Payment>, Refusal> {
        self.look(|book| {
            let open = &book.folder(iban)?.open;
            Some(open.iter().filter_map(|id| book.payment(id)).cloned().collect())
        })?
        .ok_or(Refusal::UnknownAccount)
    }

    /// What the books come to.
    pub fn totals(&self) -> Result<Totals, Refusal> {
        self.look(|book| {
            let settled = || book.payments().filter(|payment| payment.status == Status::Acsc && !payment.returned);
            Totals {
                accounts: book.account_count() - 1,
                payments: book.payments().count(),
                settled_payments: settled().count(),
                settled_minor: settled().map(|payment| payment.instruction.amount.minor).sum(),
                entries: book.movement_count() * 2,
                sum_of_balances_minor: book.accounts().map(|folder| folder.balances().booked.minor).sum(),
            }
        })
    }

    /// Forgets everything: accounts, payments, consents, faults.
    pub fn reset(&self) -> Result<(), Refusal> {
        let mut office = lock(&self.office);
        if let Some(journal) = &mut office.journal {
            journal.clear().map_err(|error| Refusal::Journal(error.to_string()))?;
        }
        office.book = Book::new();
        lock(&self.weather).clear();
        Ok(())
    }
}

/// Payments.
impl FakeBank {
    /// Receives a payment. Twice the same is two payments.
    pub fn initiate(&self, wish: Instruction, with: &Circumstances) -> Result<Payment, Refusal> {
        let (mut office, now) = self.office()?;
        let settings = self.settings();
        let desk = Desk { book: &office.book, settings: &settings, now, entropy: &*self.entropy };
        let (id, changes) = desk.receive(wish, with)?;
        office.commit(now, changes)?;
        office.book.payment(&id).cloned().ok_or(Refusal::UnknownPayment)
    }

    /// A payment.
    pub fn payment(&self, id: &PaymentId) -> Result<Payment, Refusal> {
        self.look(|book| book.payment(id).cloned())?.ok_or(Refusal::UnknownPayment)
    }

    /// Every payment that carries this reference, oldest first.
    pub fn payments_with(&self, end_to_end: &str) -> Result<Vec<Payment>, Refusal> {
        self.look(|book| book.payments_with(end_to_end).cloned().collect())
    }

    /// Cancels a payment that is not yet accepted for execution.
    pub fn cancel(&self, id: &PaymentId) -> Result<(), Refusal> {
        self.decide(|desk| desk.cancel(id).map(|changes| ((), changes)))
    }

    /// Whether a payment can still be cancelled.
    pub fn is_cancellable(&self, id: &PaymentId) -> Result<bool, Refusal> {
        self.look(|book| book.payment(id).map(rules::is_cancellable))?.ok_or(Refusal::UnknownPayment)
    }

    /// Gives a settled payment back, as a new entry on both sides.
    pub fn give_back(&self, id: &PaymentId, reason: &Reason) -> Result<(), Refusal> {
        self.decide(|desk| desk.give_back(id, reason).map(|changes| ((), changes)))
    }
}

/// Consents and authorisations.
impl FakeBank {
    /// Receives a request for consent, with an authorisation to send the holder to.
    pub fn ask_consent(&self, wish: ConsentWish, return_to: ReturnTo) -> Result<Consent, Refusal> {
        let id = self.decide(|desk| desk.ask_consent(wish, return_to))?;
        self.consent(&id)
    }

    /// A consent.
    pub fn consent(&self, id: &ConsentId) -> Result<Consent, Refusal> {
        self.look(|book| book.consent(id).cloned())?.ok_or(Refusal::UnknownConsent)
    }

    /// Ends a consent: `TerminatedByTpp` or `RevokedByPsu`.
    pub fn end_consent(&self, id: &ConsentId, as_status: ConsentStatus) -> Result<(), Refusal> {
        self.decide(|desk| desk.end_consent(id, as_status).map(|changes| ((), changes)))
    }

    /// Starts another authorisation of something that waits for one.
    pub fn start_authorisation(&self, subject: Subject, return_to: ReturnTo) -> Result<AuthorisationId, Refusal> {
        self.decide(|desk| desk.start_authorisation(subject, return_to))
    }

    /// An authorisation.
    pub fn authorisation(&self, id: &AuthorisationId) -> Result<Authorisation, Refusal> {
        self.look(|book| book.authorisation(id).cloned())?.ok_or(Refusal::UnknownAuthorisation)
    }

    /// Whose consent it is to give, as far as the request tells.
    pub fn holder_of(&self, consent: &Consent) -> Result<Option<String>, Refusal> {
        self.decide(|desk| Ok((desk.holder(consent), Vec::new())))
    }

    /// The holder's answer on the bank's page. `login` says who answers, where the request did not.
    pub fn answer(&self, id: &AuthorisationId, yes: bool, login: Option<&str>) -> Result<(), Refusal> {
        self.decide(|desk| desk.answer(id, yes, login).map(|changes| ((), changes)))
    }
}

/// Faults.
impl FakeBank {
    /// Puts a fault in force.
    pub fn misbehave(&self, fault: impl Into<Fault>) {
        lock(&self.weather).add(fault.into(), self.clock.now());
    }

    /// The faults in force.
    pub fn faults(&self) -> Vec<Fault> {
        lock(&self.weather).in_force(self.clock.now())
    }

    /// Behaves again.
    pub fn behave(&self) {
        lock(&self.weather).clear();
    }

    /// What strikes a call of this kind now. Whoever serves the call asks once and does what it says.
    pub fn strike(&self, operation: Operation) -> Vec<FaultKind> {
        lock(&self.weather).strike(operation, self.clock.now(), &*self.entropy)
    }
}

fn view(book: &Book, folder: &Folder) -> AccountView {
    let (_, entries) = book.entries(folder, Timestamp::MIN, Timestamp::MAX, 0, 0);
    AccountView { account: folder.account.clone(), balances: folder.balances(), entries }
}

impl Days {
    fn start(self) -> Timestamp {
        let midnight = |day: Date| day.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
        self.from.and_then(midnight).unwrap_or(Timestamp::MIN)
    }

    fn end(self) -> Timestamp {
        let midnight = |day: Date| day.tomorrow().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
        self.to.and_then(midnight).unwrap_or(Timestamp::MAX)
    }
}

/// The currency of every account here.
pub const CURRENCY: Currency = Currency::EUR;

#[cfg(test)]
mod tests;
