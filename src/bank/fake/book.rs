//! The books: everything the bank remembers, and the changes it can undergo.
//!
//! A [`Change`] is a fact that already happened; applying it cannot fail and depends on nothing but the books, so replaying
//! the journal gives the same books. What *may* happen is decided in `rules`.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::account::{Account, Balances, Entry, HOUSE, Movement, test_iban};
use super::consent::{Consent, ConsentId, ConsentStatus, Grant};
use super::payment::{Authorisation, AuthorisationId, Instruction, Payment, PaymentId, Phase, Reason, ScaStatus, Status, Subject};
use crate::clock::Timestamp;
use crate::iban::Iban;
use crate::money::{Currency, Money};

/// Something that happened.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Change {
    AccountOpened(Account),
    PaymentReceived {
        id: PaymentId,
        instruction: Instruction,
    },
    PaymentMoved {
        id: PaymentId,
        status: Status,
        reason: Option<Reason>,
        phase: Phase,
    },
    PaymentReturned {
        id: PaymentId,
    },
    Booked(Movement),
    /// A booking that is gone, which no bank does (`misbook`).
    Unbooked {
        payment: PaymentId,
    },
    AuthorisationStarted(Authorisation),
    AuthorisationMoved {
        id: AuthorisationId,
        status: ScaStatus,
    },
    ConsentReceived(Consent),
    ConsentMoved {
        id: ConsentId,
        status: ConsentStatus,
        grant: Option<Grant>,
        ends_at: Timestamp,
    },
}

/// Something that happens by itself when its time comes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    Payment(PaymentId),
    Consent(ConsentId),
}

/// One account with what is booked on it.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) account: Account,
    booked_minor: i64,
    held_minor: i64,
    lines: Vec<Line>,
    /// Payments of this account that are still to be executed.
    pub(super) open: BTreeSet<PaymentId>,
}

#[derive(Debug, Clone, Copy)]
struct Line {
    movement: usize,
    debit: bool,
    balance_after_minor: i64,
}

/// Everything the bank remembers, with an index for every question it is asked.
#[derive(Debug)]
pub(super) struct Book {
    folders: HashMap<Iban, Folder>,
    in_order: Vec<Iban>,
    by_resource: HashMap<String, Iban>,
    by_login: HashMap<String, Vec<Iban>>,
    movements: Vec<(Timestamp, Movement)>,
    payments: HashMap<PaymentId, Payment>,
    by_reference: HashMap<String, Vec<PaymentId>>,
    authorisations: HashMap<AuthorisationId, Authorisation>,
    consents: HashMap<ConsentId, Consent>,
    consents_by_login: HashMap<String, Vec<ConsentId>>,
    due: BTreeSet<(Timestamp, Due)>,
    latest: Timestamp,
}

impl Book {
    /// Empty books: the house account alone.
    pub(super) fn new() -> Self {
        let mut book = Book {
            folders: HashMap::new(),
            in_order: Vec::new(),
            by_resource: HashMap::new(),
            by_login: HashMap::new(),
            movements: Vec::new(),
            payments: HashMap::new(),
            by_reference: HashMap::new(),
            authorisations: HashMap::new(),
            consents: HashMap::new(),
            consents_by_login: HashMap::new(),
            due: BTreeSet::new(),
            latest: Timestamp::MIN,
        };
        book.open_folder(Account {
            number: HOUSE,
            iban: test_iban(HOUSE),
            resource_id: "house".to_owned(),
            login: String::new(),
            name: "Obole sandbox bank".to_owned(),
        });
        book
    }

    /// Applies what happened at `at`.
    pub(super) fn apply(&mut self, at: Timestamp, change: Change) {
        self.latest = self.latest.max(at);
        match change {
            Change::AccountOpened(account) => self.open_folder(account),
            Change::PaymentReceived { id, instruction } => self.receive(at, id, instruction),
            Change::PaymentMoved { id, status, reason, phase } => self.move_payment(at, &id, status, reason, phase),
            Change::PaymentReturned { id } => {
                if let Some(payment) = self.payments.get_mut(&id) {
                    payment.returned = true;
                }
            }
            Change::Booked(movement) => self.post(at, movement),
            Change::Unbooked { payment } => self.take_out(&payment),
            Change::AuthorisationStarted(authorisation) => self.start_authorisation(authorisation),
            Change::AuthorisationMoved { id, status } => {
                if let Some(authorisation) = self.authorisations.get_mut(&id) {
                    authorisation.status = status;
                }
            }
            Change::ConsentReceived(consent) => {
                self.due.insert((consent.ends_at, Due::Consent(consent.id.clone())));
                self.consents.insert(consent.id.clone(), consent);
            }
            Change::ConsentMoved { id, status, grant, ends_at } => self.move_consent(at, &id, status, grant, ends_at),
        }
    }

    fn open_folder(&mut self, account: Account) {
        self.in_order.push(account.iban.clone());
        self.by_resource.insert(account.resource_id.clone(), account.iban.clone());
        self.by_login.entry(account.login.clone()).or_default().push(account.iban.clone());
        let folder = Folder { account, booked_minor: 0, held_minor: 0, lines: Vec::new(), open: BTreeSet::new() };
        self.folders.insert(folder.account.iban.clone(), folder);
    }

    fn receive(&mut self, at: Timestamp, id: PaymentId, instruction: Instruction) {
        if let Some(reference) = &instruction.end_to_end {
            self.by_reference.entry(reference.clone()).or_default().push(id.clone());
        }
        let payment = Payment {
            id: id.clone(),
            instruction,
            received_at: at,
            status: Status::Rcvd,
            reason: None,
            phase: Phase::Ended,
            history: vec![(at, Status::Rcvd)],
            authorisations: Vec::new(),
            cancellation_authorisations: Vec::new(),
            returned: false,
        };
        self.payments.insert(id, payment);
    }

    fn move_payment(&mut self, at: Timestamp, id: &PaymentId, status: Status, reason: Option<Reason>, phase: Phase) {
        let Some(payment) = self.payments.get_mut(id) else { return };
        let held_before = matches!(payment.phase, Phase::Executing { .. });
        let held_after = matches!(phase, Phase::Executing { .. });
        if let Some(time) = payment.phase.due() {
            self.due.remove(&(time, Due::Payment(id.clone())));
        }
        if let Some(time) = phase.due() {
            self.due.insert((time, Due::Payment(id.clone())));
        }
        if payment.status != status {
            payment.history.push((at, status));
        }
        payment.status = status;
        payment.phase = phase;
        payment.reason = reason.or(payment.reason.take());
        let Some(folder) = self.folders.get_mut(&payment.instruction.debtor) else { return };
        let amount = payment.instruction.amount.minor;
        match (held_before, held_after) {
            (false, true) => {
                folder.held_minor += amount;
                folder.open.insert(id.clone());
            }
            (true, false) => {
                folder.held_minor -= amount;
                folder.open.remove(id);
            }
            _ => {}
        }
    }

    /// Both sides of a movement. The sums stay far from overflow: it would take a hundred million transfers of the largest
    /// amount SEPA knows.
    fn post(&mut self, at: Timestamp, movement: Movement) {
        let index = self.movements.len();
        for (iban, debit) in [(&movement.debit, true), (&movement.credit, false)] {
            let Some(folder) = self.folders.get_mut(iban) else { continue };
            folder.booked_minor += if debit { -movement.amount.minor } else { movement.amount.minor };
            folder.lines.push(Line { movement: index, debit, balance_after_minor: folder.booked_minor });
        }
        self.movements.push((at, movement));
    }

    /// Takes the lines of a payment out of every statement; what was booked after them stands as it stood.
    fn take_out(&mut self, payment: &PaymentId) {
        let is_its =
            |index: usize| self.movements.get(index).is_some_and(|(_, movement)| movement.payment.as_ref() == Some(payment));
        for folder in self.folders.values_mut() {
            for line in folder.lines.extract_if(.., |line| is_its(line.movement)) {
                let minor = self.movements.get(line.movement).map_or(0, |(_, movement)| movement.amount.minor);
                folder.booked_minor += if line.debit { minor } else { -minor };
            }
        }
    }

    fn start_authorisation(&mut self, authorisation: Authorisation) {
        let list = match &authorisation.subject {
            Subject::Payment(id) => self.payments.get_mut(id).map(|payment| &mut payment.authorisations),
            Subject::Consent(id) => self.consents.get_mut(id).map(|consent| &mut consent.authorisations),
            Subject::Cancellation(id) => self.payments.get_mut(id).map(|payment| &mut payment.cancellation_authorisations),
        };
        if let Some(list) = list {
            list.push(authorisation.id.clone());
        }
        self.authorisations.insert(authorisation.id.clone(), authorisation);
    }

    fn move_consent(&mut self, at: Timestamp, id: &ConsentId, status: ConsentStatus, grant: Option<Grant>, ends_at: Timestamp) {
        let Some(consent) = self.consents.get_mut(id) else { return };
        self.due.remove(&(consent.ends_at, Due::Consent(id.clone())));
        if status == ConsentStatus::Valid {
            self.due.insert((ends_at, Due::Consent(id.clone())));
        }
        if let Some(grant) = &grant {
            self.consents_by_login.entry(grant.login.clone()).or_default().push(id.clone());
        }
        consent.status = status;
        consent.changed_at = at;
        consent.ends_at = ends_at;
        consent.grant = grant.or(consent.grant.take());
    }
}

/// Questions.
impl Book {
    /// The latest moment anything happened: time in the books never runs backwards.
    pub(super) fn latest(&self) -> Timestamp {
        self.latest
    }

    /// The first thing that is due at `now`.
    pub(super) fn first_due(&self, now: Timestamp) -> Option<(Timestamp, Due)> {
        self.due.first().filter(|(time, _)| *time <= now).cloned()
    }

    /// How many accounts there are; the next one's number.
    pub(super) fn account_count(&self) -> usize {
        self.in_order.len()
    }

    pub(super) fn accounts(&self) -> impl Iterator<Item = &Folder> {
        self.in_order.iter().filter_map(|iban| self.folders.get(iban))
    }

    pub(super) fn folder(&self, iban: &Iban) -> Option<&Folder> {
        self.folders.get(iban)
    }

    pub(super) fn by_resource(&self, resource_id: &str) -> Option<&Folder> {
        self.by_resource.get(resource_id).and_then(|iban| self.folders.get(iban))
    }

    /// The accounts of a holder; the house has no login.
    pub(super) fn accounts_of(&self, login: &str) -> &[Iban] {
        if login.is_empty() { &[] } else { self.by_login.get(login).map_or(&[], Vec::as_slice) }
    }

    pub(super) fn payment(&self, id: &PaymentId) -> Option<&Payment> {
        self.payments.get(id)
    }

    pub(super) fn payments(&self) -> impl Iterator<Item = &Payment> {
        self.payments.values()
    }

    /// Every payment that carries this reference, oldest first.
    pub(super) fn payments_with(&self, end_to_end: &str) -> impl Iterator<Item = &Payment> {
        self.by_reference.get(end_to_end).into_iter().flatten().filter_map(|id| self.payments.get(id))
    }

    pub(super) fn authorisation(&self, id: &AuthorisationId) -> Option<&Authorisation> {
        self.authorisations.get(id)
    }

    pub(super) fn consent(&self, id: &ConsentId) -> Option<&Consent> {
        self.consents.get(id)
    }

    pub(super) fn consents_of(&self, login: &str) -> impl Iterator<Item = &Consent> {
        self.consents_by_login.get(login).into_iter().flatten().filter_map(|id| self.consents.get(id))
    }

    /// The first booking of a payment.
    pub(super) fn booking_of(&self, payment: &PaymentId) -> Option<&Movement> {
        self.movements.iter().map(|(_, movement)| movement).find(|movement| movement.payment.as_ref() == Some(payment))
    }

    pub(super) fn movement_count(&self) -> usize {
        self.movements.len()
    }

    /// The entries of `folder` booked in `from..until`, oldest first, `skip` left out and at most `limit` taken; and how many
    /// there are in that time.
    pub(super) fn entries(
        &self,
        folder: &Folder,
        from: Timestamp,
        until: Timestamp,
        skip: usize,
        limit: usize,
    ) -> (Vec<Entry>, usize) {
        let booked_at = |line: &Line| self.movements.get(line.movement).map_or(Timestamp::MAX, |(at, _)| *at);
        let first = folder.lines.partition_point(|line| booked_at(line) < from);
        let end = folder.lines.partition_point(|line| booked_at(line) < until).max(first);
        let page = folder.lines[first..end].iter().skip(skip).take(limit).filter_map(|line| self.entry(line)).collect();
        (page, end - first)
    }

    fn entry(&self, line: &Line) -> Option<Entry> {
        let (booked_at, movement) = self.movements.get(line.movement)?;
        let amount = movement.amount;
        let signed = if line.debit { -amount.minor } else { amount.minor };
        Some(Entry {
            reference: format!("{:010}{}", line.movement, if line.debit { "D" } else { "C" }),
            amount: Money::new(signed, amount.currency),
            balance_after: Money::new(line.balance_after_minor, amount.currency),
            booked_at: *booked_at,
            kind: movement.kind,
            debtor: movement.debtor.clone(),
            creditor: movement.creditor.clone(),
            payment: movement.payment.clone(),
            end_to_end: movement.end_to_end.clone(),
            remittance: movement.remittance.clone(),
        })
    }
}

impl Folder {
    /// What the account holds.
    pub(super) fn balances(&self) -> Balances {
        Balances {
            booked: Money::new(self.booked_minor, Currency::EUR),
            available: Money::new(self.booked_minor - self.held_minor, Currency::EUR),
        }
    }
}

impl Phase {
    fn due(self) -> Option<Timestamp> {
        match self {
            Phase::AwaitingApproval { until } => Some(until),
            Phase::Executing { next_at } => Some(next_at),
            Phase::Ended => None,
        }
    }
}
