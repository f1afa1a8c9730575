//! The fake bank behind the port that adapters of real banks implement, without a wire between: for tests and simulation.
//!
//! It answers as the Berlin Group adapter would answer over the sandbox, faults included: what is cut or broken is unknown,
//! and an unknown payment is found among the payer's entries, with the payer's consent.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{
    Circumstances, ConsentId, ConsentStatus, ConsentWish, Days, FakeBank, FaultKind, Instruction, Operation, Payment, PaymentId,
    Phase, Product, Reason, Refusal, ReturnTo, Right, Scope, Status, Wanted,
};
use crate::bank::{
    Balance, Bank, BankStatus, Capabilities, ConsentRequest, ConsentStanding, ConsentedAccount, DebtorAccount, Entry,
    PaymentInstruction, PaymentQuery, Standing, Submission, TryAgain, sepa,
};
use crate::clock::later;
use crate::ids::BankName;
use crate::money::Money;

/// How long an entry of an unknown payment can still appear; the fake bank books at once or after its short delay.
const LOOK_UP_HORIZON: Duration = Duration::from_hours(1);
/// For how long a consent is asked.
const CONSENT_DAYS: u64 = 180;

/// A connection to a [`FakeBank`].
pub struct FakeConnection {
    name: BankName,
    capabilities: Capabilities,
    bank: Arc<FakeBank>,
    product: Product,
}

impl FakeConnection {
    /// A connection by this name.
    pub fn new(name: BankName, bank: Arc<FakeBank>) -> Self {
        let capabilities = Capabilities {
            key_life: None,
            look_up_by_key: false,
            entries_by_consent: true,
            look_up_horizon: LOOK_UP_HORIZON,
            cancel: true,
        };
        FakeConnection { name, capabilities, bank, product: Product::InstantSepaCreditTransfers }
    }

    /// A connection to the same bank through an interface that remembers keys for `key_life` and is asked by them: the same key is
    /// the same payment, until the bank has forgotten it.
    pub fn with_keys(name: BankName, bank: Arc<FakeBank>, key_life: Duration) -> Self {
        let plain = FakeConnection::new(name, bank);
        let capabilities =
            Capabilities { key_life: Some(key_life), look_up_by_key: true, entries_by_consent: false, ..plain.capabilities };
        FakeConnection { capabilities, ..plain }
    }

    /// The payment that the bank remembers under a key.
    fn remembered(&self, key: &str) -> Option<Payment> {
        let life = self.capabilities.key_life?;
        let payments = self.bank.payments_with(key).ok()?;
        payments.into_iter().find(|payment| self.bank.now() < later(payment.received_at, life))
    }

    /// The bank behind it.
    pub fn bank(&self) -> &Arc<FakeBank> {
        &self.bank
    }

    /// Where the payer answers: `fake-bank:/approve/{authorisation}`.
    fn page(&self, payment: &Payment) -> Option<String> {
        let open = matches!(payment.phase, Phase::AwaitingApproval { .. });
        payment.authorisations.last().filter(|_| open).map(|id| format!("fake-bank:/approve/{id}"))
    }

    /// The faults of the wire, before anything is done.
    fn before(struck: &[FaultKind]) -> Result<(), TryAgain> {
        let later = |after, why: &str| TryAgain::Later { after, why: why.to_owned() };
        for fault in struck {
            match fault {
                FaultKind::ErrorBefore { status: 401 | 403 } => {
                    return Err(TryAgain::Credentials { why: "a fault was asked for".to_owned() });
                }
                FaultKind::TooMany { retry_after_seconds } => {
                    return Err(later(Some(Duration::from_secs(*retry_after_seconds)), "too many calls"));
                }
                FaultKind::Down | FaultKind::CutBefore | FaultKind::ErrorBefore { .. } => return Err(later(None, "no answer")),
                _ => {}
            }
        }
        Ok(())
    }

    /// The faults of the wire, after something was done.
    fn is_lost(struck: &[FaultKind]) -> bool {
        let lost = |fault: &FaultKind| matches!(fault, FaultKind::LoseAnswer | FaultKind::ErrorAfter { .. } | FaultKind::Malformed);
        struck.iter().any(lost)
    }

    /// A question: `answer`, unless the wire fails.
    fn question<T>(&self, operation: Operation, answer: impl FnOnce(&[FaultKind]) -> Result<T, TryAgain>) -> Result<T, TryAgain> {
        let struck = self.bank.strike(operation);
        Self::before(&struck)?;
        let answered = answer(&struck)?;
        if Self::is_lost(&struck) { Err(TryAgain::Later { after: None, why: "no answer".to_owned() }) } else { Ok(answered) }
    }

    fn submit_now(&self, payment: &PaymentInstruction) -> Submission {
        let struck = self.bank.strike(Operation::Initiate);
        match Self::before(&struck) {
            Ok(()) => {}
            Err(_) if struck.contains(&FaultKind::ErrorBefore { status: 400 }) => {
                return Submission::Refused { reason: "FORMAT_ERROR".to_owned() };
            }
            Err(again @ (TryAgain::Credentials { .. } | TryAgain::Later { after: Some(_), .. })) => {
                return Submission::NotTaken(again);
            }
            Err(TryAgain::Later { after: None, why }) => return Submission::Unknown { why },
        }
        let wish = Instruction {
            product: self.product,
            debtor: payment.debtor.iban.clone(),
            creditor: payment.creditor_iban.clone(),
            creditor_name: sepa::fit(&payment.creditor_name, sepa::NAME_MAX),
            amount: payment.amount,
            end_to_end: Some(payment.key.as_str().to_owned()),
            remittance: Some(sepa::fit(&payment.remittance, sepa::REMITTANCE_MAX)),
        };
        let with = circumstances(&payment.return_url, &struck);
        let received = match self.remembered(payment.key.as_str()) {
            Some(first) => Ok(first),
            None => self.bank.initiate(wish.clone(), &with),
        };
        if struck.contains(&FaultKind::Duplicate) {
            let _ = self.bank.initiate(wish, &with);
        }
        match received {
            Ok(_) if Self::is_lost(&struck) => Submission::Unknown { why: "no answer".to_owned() },
            Ok(payment) => match told(&payment, &[]) {
                BankStatus::Rejected { reason } => Submission::Refused { reason },
                status => {
                    let authorise_at = self.page(&payment);
                    Submission::Taken { bank_payment_id: payment.id.0, status, authorise_at }
                }
            },
            Err(Refusal::Journal(why)) => Submission::Unknown { why },
            Err(refusal) => Submission::Refused { reason: refusal.to_string() },
        }
    }

    fn payment_by_id(&self, id: &str, struck: &[FaultKind]) -> Standing {
        let Ok(payment) = self.bank.payment(&PaymentId(id.to_owned())) else { return Standing::NotFound };
        let status = told(&payment, struck);
        let authorise_at = if status == BankStatus::Received { self.page(&payment) } else { None };
        Standing::Known { bank_payment_id: Some(id.to_owned()), status, authorise_at }
    }

    fn payment_by_key(&self, query: &PaymentQuery, struck: &[FaultKind]) -> Result<Standing, TryAgain> {
        let payments = self.bank.payments_with(query.key.as_str()).map_err(again)?;
        let Some(payment) = payments.first() else { return Ok(Standing::NotFound) };
        Ok(self.payment_by_id(&payment.id.0, struck))
    }

    fn payment_by_entry(&self, query: &PaymentQuery) -> Result<Standing, TryAgain> {
        self.permitted(&query.debtor, Right::Transactions)?;
        let from = query.submitted_at.to_zoned(TimeZone::UTC).date();
        let days = Days { from: Some(from.yesterday().unwrap_or(from)), to: None };
        let (entries, _) = self.bank.entries(&query.debtor.iban, days, 0, usize::MAX).map_err(again)?;
        let debit = Money::new(-query.amount.minor, query.amount.currency);
        let found = |status| Standing::Known { bank_payment_id: None, status, authorise_at: None };
        if entries.iter().any(|entry| {
            entry.end_to_end.as_deref() == Some(query.key.as_str())
                && entry.amount == debit
                && entry.counterparty().iban == query.creditor_iban
        }) {
            return Ok(found(BankStatus::Settled));
        }
        let pending = self.bank.open_payments(&query.debtor.iban).map_err(again)?;
        if pending.iter().any(|payment| payment.instruction.end_to_end.as_deref() == Some(query.key.as_str())) {
            return Ok(found(BankStatus::Executing));
        }
        Ok(Standing::NotFound)
    }

    /// The payer's consent to read the account's entries.
    fn permitted(&self, account: &DebtorAccount, right: Right) -> Result<(), TryAgain> {
        let refused = |why: &str| TryAgain::Credentials { why: why.to_owned() };
        let id = account.consent.as_ref().ok_or_else(|| refused("the payer has given no consent to read the account"))?;
        let consent = self.bank.consent(&ConsentId(id.clone())).map_err(|_| refused("CONSENT_UNKNOWN"))?;
        let allowed = consent.allows(&account.iban, right);
        if allowed { Ok(()) } else { Err(refused("the payer's consent does not cover the account")) }
    }

    fn ask_consent(&self, return_url: &str) -> Result<ConsentRequest, TryAgain> {
        let until = later(self.bank.now(), Duration::from_hours(24 * CONSENT_DAYS));
        let wish = ConsentWish {
            scope: Scope::Dedicated { accounts: Wanted::Offered, balances: Wanted::Offered, transactions: Wanted::Offered },
            recurring: true,
            valid_until: until.to_zoned(TimeZone::UTC).date(),
            frequency_per_day: 4,
            login: None,
        };
        let return_to = ReturnTo { approved: Some(return_url.to_owned()), refused: Some(return_url.to_owned()) };
        let consent = self.bank.ask_consent(wish, return_to).map_err(again)?;
        let page = consent.authorisations.last().map(|id| format!("fake-bank:/approve/{id}"));
        Ok(ConsentRequest { consent_id: consent.id.0, authorise_at: page.unwrap_or_default() })
    }

    fn consent_standing(&self, id: &str) -> Result<ConsentStanding, TryAgain> {
        let Ok(consent) = self.bank.consent(&ConsentId(id.to_owned())) else { return Ok(ConsentStanding::Gone) };
        match consent.status {
            ConsentStatus::Received => return Ok(ConsentStanding::Pending),
            ConsentStatus::Valid => {}
            _ => return Ok(ConsentStanding::Gone),
        }
        let given = consent.grant.iter().flat_map(|grant| &grant.rights);
        let account = |iban| {
            let view = self.bank.account(iban).map_err(again)?;
            Ok(ConsentedAccount {
                iban: view.account.iban,
                name: Some(view.account.name.clone()),
                holder: Some(view.account.name),
                currency: super::CURRENCY,
            })
        };
        let accounts = given.map(|(iban, _)| account(iban)).collect::<Result<_, TryAgain>>()?;
        Ok(ConsentStanding::Valid { accounts })
    }

    fn balance_now(&self, account: &DebtorAccount) -> Result<Balance, TryAgain> {
        self.permitted(account, Right::Balances)?;
        let balances = self.bank.account(&account.iban).map_err(again)?.balances;
        Ok(Balance { booked: Some(balances.booked), available: Some(balances.available) })
    }

    fn entries_now(&self, account: &DebtorAccount, from: Date, to: Date) -> Result<Vec<Entry>, TryAgain> {
        self.permitted(account, Right::Transactions)?;
        let days = Days { from: Some(from), to: Some(to) };
        let (entries, _) = self.bank.entries(&account.iban, days, 0, usize::MAX).map_err(again)?;
        let entry = |entry: super::Entry| Entry {
            counterparty_iban: Some(entry.counterparty().iban.clone()),
            id: entry.reference,
            end_to_end_id: entry.end_to_end,
            amount: entry.amount,
            booked_on: Some(entry.booked_at.to_zoned(TimeZone::UTC).date()),
        };
        Ok(entries.into_iter().map(entry).collect())
    }
}

fn circumstances(return_url: &str, struck: &[FaultKind]) -> Circumstances {
    let reject = struck.iter().find_map(|fault| match fault {
        FaultKind::Refuse { reason } => Some(Reason(reason.clone())),
        FaultKind::NoFunds => Some(Reason::no_funds()),
        _ => None,
    });
    Circumstances {
        return_to: ReturnTo { approved: Some(return_url.to_owned()), refused: Some(return_url.to_owned()) },
        explicit_authorisation: false,
        always_ask: struck.contains(&FaultKind::AlwaysAsk),
        reject,
    }
}

fn again(refusal: Refusal) -> TryAgain {
    TryAgain::Later { after: None, why: refusal.to_string() }
}

/// The status a question is answered with.
fn told(payment: &Payment, struck: &[FaultKind]) -> BankStatus {
    if struck.contains(&FaultKind::StrangeStatus) {
        return BankStatus::Unrecognised("ZZZZ".to_owned());
    }
    match payment.told_status(struck.contains(&FaultKind::Reorder)) {
        Status::Rcvd | Status::Patc | Status::Actc | Status::Accp => BankStatus::Received,
        Status::Acsp => BankStatus::Executing,
        Status::Acsc => BankStatus::Settled,
        status @ (Status::Rjct | Status::Canc) => {
            let code = payment.reason.as_ref().map_or(status.code(), |reason| reason.0.as_str());
            BankStatus::Rejected { reason: code.to_owned() }
        }
    }
}

#[async_trait]
impl Bank for FakeConnection {
    fn name(&self) -> &BankName {
        &self.name
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn submit(&self, payment: &PaymentInstruction) -> Submission {
        self.submit_now(payment)
    }

    async fn ask(&self, query: &PaymentQuery) -> Result<Standing, TryAgain> {
        match &query.bank_payment_id {
            Some(id) => self.question(Operation::Ask, |struck| Ok(self.payment_by_id(id, struck))),
            None if self.capabilities.look_up_by_key => self.question(Operation::Ask, |struck| self.payment_by_key(query, struck)),
            None => self.question(Operation::Accounts, |_| self.payment_by_entry(query)),
        }
    }

    async fn entries(&self, account: &DebtorAccount, from: Date, to: Date) -> Result<Vec<Entry>, TryAgain> {
        self.question(Operation::Accounts, |_| self.entries_now(account, from, to))
    }

    async fn request_consent(&self, return_url: &str) -> Result<ConsentRequest, TryAgain> {
        self.question(Operation::Accounts, |_| self.ask_consent(return_url))
    }

    async fn consent(&self, consent_id: &str) -> Result<ConsentStanding, TryAgain> {
        self.question(Operation::Accounts, |_| self.consent_standing(consent_id))
    }

    async fn balance(&self, account: &DebtorAccount) -> Result<Option<Balance>, TryAgain> {
        self.question(Operation::Accounts, |_| self.balance_now(account)).map(Some)
    }
}
