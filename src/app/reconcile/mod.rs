//! Reconciling: the banks' entries against what we hold for settled, per bank, payee and day.
//!
//! A cycle reads the entries of every account from which something was confirmed lately, under the payer's consent, and judges each
//! payment by them (`compare`). What a bank's entries tell is one more thing that the bank has said: a booked payment of unknown outcome
//! is settled, a credit that gives one back returns it, a booked one that we hold for failed is disputed. What no event can say is a
//! *difference*: it is written down once, halts the payee and calls an operator, all in one commit, and is not said again.
//!
//! Entries of one account are read once a day unless somebody asks: a bank lets us read them four times a day without the payer
//! (PSD2 RTS Art. 36(5)(b)), and questions about unknown outcomes need some of those. A difference is therefore found within a cycle of
//! the reading that shows it. Where entries cannot be read, because the rail has none or the payer's consent is gone, settled payments are
//! asked for once more by their status, and the report says so.

mod compare;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::App;
use super::desk::Desk;
use super::ledger::{Answer, Ledger, LedgerError, Work};
use super::operate::SERVICE;
use super::task::{OPERATOR_LANE, Task};
use crate::bank::{Bank, BankStatus, DebtorAccount, Entry, PaymentQuery, Standing, TryAgain};
use crate::clock::{Timestamp, earlier, later};
use crate::crash::crash_point;
use crate::ids::{BankName, OrderId, PaymentKey};
use crate::order::{BankSaid, Effect, Event, Order, OrderState, PaymentState};
use crate::store::StoreError;
use crate::store::statements::{DifferenceRow, StatementAccount};
use compare::{Judgement, judge};

/// How often what is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// From one cycle to the next.
    pub every: Duration,
    /// From one reading of an account's entries to the next.
    pub account_every: Duration,
    /// How long after a settlement its entry may still be missing.
    pub booking_delay: Duration,
    /// How far back entries are read: a return comes within days.
    pub look_back: Duration,
}

impl Default for Schedule {
    fn default() -> Self {
        const DAY: u64 = 24 * 60 * 60;
        Schedule {
            every: Duration::from_secs(15 * 60),
            account_every: Duration::from_secs(DAY),
            // A status of ACSC says that the account is debited; a statement may show it a day later.
            booking_delay: Duration::from_secs(DAY),
            // SCT: a return leaves the payee's bank within three banking days; a long weekend and our own absence lie between.
            look_back: Duration::from_secs(14 * DAY),
        }
    }
}

/// The most accounts taken from the store at one time.
const PAGE: i64 = 100;

/// The most payments of a rail without entries that one cycle asks for once more.
const STATUS_QUESTIONS: i64 = 500;

/// Between two looks whether the bank's rate lets a call pass.
const RATE_PAUSE: Duration = Duration::from_millis(50);

/// What a comparison came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconciliation {
    /// How each bank was compared.
    pub banks: Vec<BankPart>,
    /// The sums, per bank, payee and day.
    pub days: Vec<DaySum>,
    /// What differs, said before or not.
    pub differences: Vec<DifferenceLine>,
    /// Payments about which the entries told something new: settled, returned, disputed.
    pub learned: Vec<String>,
}

/// How a bank was compared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BankPart {
    /// Which.
    pub bank: String,
    /// Whether the rail has entries; if not, its payments are asked for once more by their status.
    pub has_entries: bool,
    /// Accounts whose entries were read.
    pub accounts_read: u64,
    /// Accounts whose entries could not be read now (no consent, no answer).
    pub accounts_not_read: u64,
    /// Payments that were judged by entries.
    pub by_entries: u64,
    /// Payments that were asked for once more.
    pub by_status: u64,
    /// Settled payments whose entry may still come.
    pub waiting: u64,
}

/// What went to a payee on a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaySum {
    /// From which bank.
    pub bank: String,
    /// To whom, by legal name.
    pub payee: String,
    /// On which day: of the entry, or of the settlement where there is none.
    pub day: Date,
    /// Settled payments.
    pub payments: u64,
    /// What they come to, in minor units.
    pub settled_minor: i64,
    /// What the bank booked for them, in minor units.
    pub booked_minor: i64,
}

/// A difference, for people and programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DifferenceLine {
    /// The order.
    pub order: String,
    /// The payment's place in it.
    pub payment: u16,
    /// At which bank.
    pub bank: String,
    /// Of what kind.
    pub kind: String,
    /// One sentence.
    pub what: String,
    /// Found by this very comparison.
    pub is_new: bool,
}

/// A difference on its way to the ledger.
#[derive(Debug, Clone)]
pub(super) struct Found {
    row: DifferenceRow,
    payment: u16,
}

/// Why a cycle did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something found could not be committed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl From<ReconcileError> for super::operate::OperateError {
    fn from(error: ReconcileError) -> Self {
        match error {
            ReconcileError::Store(error) => error.into(),
            ReconcileError::Ledger(error) => error.into(),
        }
    }
}

/// Cycles until the process stops.
pub async fn keep_reconciling(app: &App, ledger: &Ledger, schedule: &Schedule) {
    loop {
        match reconcile(app, ledger, schedule).await {
            Ok(report) => say(&report),
            Err(error) => tracing::warn!(%error, "the banks' entries were not compared to the end; the next cycle tries again"),
        }
        tokio::time::sleep(schedule.every).await;
    }
}

fn say(report: &Reconciliation) {
    for part in &report.banks {
        let BankPart { bank, accounts_read, accounts_not_read, by_entries, by_status, .. } = part;
        if !part.has_entries && *by_status > 0 {
            tracing::info!(bank.name = bank, payments = by_status, "compared by status: this rail has no entries");
        } else if accounts_read + accounts_not_read > 0 {
            tracing::info!(bank.name = bank, accounts_read, accounts_not_read, by_entries, by_status, "entries were compared");
        }
    }
}

/// One cycle over every bank.
pub async fn reconcile(app: &App, ledger: &Ledger, schedule: &Schedule) -> Result<Reconciliation, ReconcileError> {
    let mut cycle = Cycle { app, ledger, schedule, report: Reconciliation::default(), days: BTreeMap::new() };
    let mut names: Vec<&BankName> = app.banks.keys().collect();
    names.sort_by_key(|name| name.as_str());
    for name in names {
        if let Some(bank) = app.banks.get(name) {
            cycle.compare_bank(bank.as_ref()).await?;
        }
    }
    cycle.report.days = cycle.days.into_values().collect();
    Ok(cycle.report)
}

struct Cycle<'a> {
    app: &'a App,
    ledger: &'a Ledger,
    schedule: &'a Schedule,
    report: Reconciliation,
    days: BTreeMap<(String, String, Date), DaySum>,
}

impl Cycle<'_> {
    async fn compare_bank(&mut self, bank: &dyn Bank) -> Result<(), ReconcileError> {
        let has_entries = bank.capabilities().entries_by_consent;
        let mut part = BankPart { bank: bank.name().to_string(), has_entries, ..BankPart::default() };
        if has_entries {
            self.compare_accounts(bank, &mut part).await?;
        } else {
            self.ask_again(bank, &mut part).await?;
        }
        self.report.banks.push(part);
        Ok(())
    }

    async fn compare_accounts(&mut self, bank: &dyn Bank, part: &mut BankPart) -> Result<(), ReconcileError> {
        let since = earlier(self.app.clock.now(), self.schedule.look_back);
        let mut after = String::new();
        loop {
            let mut tx = self.app.store.begin_reading().await?;
            let accounts = tx.accounts_with_payments(bank.name(), since, &after, PAGE).await?;
            drop(tx);
            let Some(last) = accounts.last() else { return Ok(()) };
            last.iban.as_str().clone_into(&mut after);
            for account in accounts {
                self.compare_account(bank, account, since, part).await?;
            }
        }
    }

    async fn compare_account(
        &mut self,
        bank: &dyn Bank,
        account: StatementAccount,
        since: Timestamp,
        part: &mut BankPart,
    ) -> Result<(), ReconcileError> {
        crash_point!("reconcile.opening", return Err(StoreError: connection_lost));
        let now = self.app.clock.now();
        let mut tx = self.app.store.begin().await?;
        let ours = tx.claim_statement(bank.name(), &account.iban, earlier(now, self.schedule.account_every), now).await?;
        tx.commit().await?;
        if !ours {
            return Ok(());
        }
        crash_point!("reconcile.claimed", return Err(StoreError: connection_lost));
        let debtor = DebtorAccount { iban: account.iban, consent: account.consent };
        self.wait_for_rate(bank.name()).await;
        // A day earlier: the bank's day may not have begun with ours.
        let from = day_of(since).yesterday().unwrap_or_else(|_| day_of(since));
        let entries = match bank.entries(&debtor, from, day_of(now)).await {
            Ok(entries) => Some(entries),
            Err(TryAgain::Later { .. }) => {
                part.accounts_not_read += 1;
                let mut tx = self.app.store.begin().await?;
                tx.forget_statement(bank.name(), &debtor.iban).await?;
                return Ok(tx.commit().await?);
            }
            Err(TryAgain::Credentials { .. }) => None,
        };
        crash_point!("reconcile.entries_read", return Err(StoreError: connection_lost));
        let keys: Vec<&str> = entries.iter().flatten().filter_map(|entry| entry.end_to_end_id.as_deref()).collect();
        let mut tx = self.app.store.begin_reading().await?;
        let ids = tx.orders_behind_statement(&debtor.iban, since, &keys).await?;
        let orders = tx.read_orders(&ids.iter().collect::<Vec<_>>()).await?;
        drop(tx);
        // The payee's own statement shows the same key from the other side; only the payer's tells what we asked for.
        let is_payers =
            |order: &&Order| order.payer.as_ref().is_some_and(|payer| payer.bank == *bank.name() && payer.iban == debtor.iban);
        let Some(entries) = entries else {
            part.accounts_not_read += 1;
            for order in orders.iter().filter(is_payers) {
                for payment in &order.payments {
                    self.ask_about(bank, order, payment.index, part).await?;
                }
            }
            return Ok(());
        };
        part.accounts_read += 1;
        for order in orders.iter().filter(is_payers) {
            self.judge_order(bank.name(), order, &entries, since, part).await?;
            crash_point!("reconcile.judged");
        }
        Ok(())
    }

    /// Judges the payments of one order by the entries of its payer's account.
    async fn judge_order(
        &mut self,
        bank: &BankName,
        order: &Order,
        entries: &[Entry],
        since: Timestamp,
        part: &mut BankPart,
    ) -> Result<(), ReconcileError> {
        let now = self.app.clock.now();
        let is_recent = matches!(&order.state, OrderState::Confirmed { at, .. } if *at >= since);
        for payment in &order.payments {
            let due = is_recent
                && matches!(&payment.state, PaymentState::Settled { at, .. } if later(*at, self.schedule.booking_delay) <= now);
            let judgement = judge(payment, entries, due);
            part.by_entries += 1;
            let Judgement { said, differences, booked_minor, booked_on } = judgement;
            for said in said {
                let said = self.with_reason(bank, &payment.key, said).await;
                let event = Event::Bank { payment: payment.index, said };
                let name = event.name();
                if let Some(after) = self.ledger.happened(order.id.clone(), event).await? {
                    let state = after.payment(payment.index).map_or("gone", |payment| payment.state.name());
                    tracing::info!(order.id = %order.id, payment = payment.index, event = name, state, "an entry told it");
                    self.report.learned.push(format!("payment {} of order {} is {state}", payment.index, order.id));
                }
            }
            for (kind, what) in differences {
                self.take(bank, order, payment.index, kind, what).await?;
            }
            if let PaymentState::Settled { at, .. } = &payment.state {
                if booked_on.is_none() && !due {
                    part.waiting += 1;
                }
                let (payee, day) = (payment.payee.legal_name.clone(), booked_on.unwrap_or_else(|| day_of(*at)));
                let sum = self.days.entry((bank.to_string(), payee.clone(), day)).or_insert_with(|| DaySum {
                    bank: bank.to_string(),
                    payee,
                    day,
                    payments: 0,
                    settled_minor: 0,
                    booked_minor: 0,
                });
                sum.payments += 1;
                sum.settled_minor += payment.amount.minor;
                sum.booked_minor += booked_minor;
            }
        }
        Ok(())
    }

    /// Why a payment came back, where the bank tells more than that it did.
    async fn with_reason(&self, bank: &BankName, key: &PaymentKey, said: BankSaid) -> BankSaid {
        match (said, self.app.banks.get(bank)) {
            (BankSaid::Returned { reason }, Some(bank)) => {
                BankSaid::Returned { reason: bank.return_reason(key).await.unwrap_or(reason) }
            }
            (said, _) => said,
        }
    }

    async fn take(
        &mut self,
        bank: &BankName,
        order: &Order,
        payment: u16,
        kind: &'static str,
        what: String,
    ) -> Result<(), ReconcileError> {
        let Some(about) = order.payment(payment) else { return Ok(()) };
        let row = DifferenceRow {
            payment_key: about.key.clone(),
            kind,
            order: order.id.clone(),
            payee: about.payee.id.clone(),
            bank: bank.clone(),
            detail: what.clone(),
        };
        let taken = self.ledger.decide(Work::Differs { found: Box::new(Found { row, payment }) }).await?;
        let is_new = matches!(taken, Answer::Done(_));
        if is_new {
            tracing::error!(order.id = %order.id, payment, kind, what, "the bank's entries differ from ours: an operator is needed");
        }
        let (order, bank, kind) = (order.id.to_string(), bank.to_string(), kind.to_owned());
        self.report.differences.push(DifferenceLine { order, payment, bank, kind, what, is_new });
        Ok(())
    }

    /// Asks once more for what is settled at a bank without entries.
    async fn ask_again(&mut self, bank: &dyn Bank, part: &mut BankPart) -> Result<(), ReconcileError> {
        let now = self.app.clock.now();
        let since = earlier(now, self.schedule.look_back);
        let until = earlier(now, self.schedule.booking_delay);
        let mut tx = self.app.store.begin_reading().await?;
        let settled = tx.settled_unchecked(bank.name(), since, until, STATUS_QUESTIONS).await?;
        let ids: Vec<&OrderId> = settled.iter().map(|(order, _)| order).collect();
        let orders = tx.read_orders(&ids).await?;
        drop(tx);
        for order in &orders {
            for payment in &order.payments {
                if settled.iter().any(|(_, key)| *key == payment.key) {
                    self.ask_about(bank, order, payment.index, part).await?;
                }
            }
        }
        Ok(())
    }

    /// Asks once more for a settled payment, if that was not done yet and the bank's own id of it is known.
    async fn ask_about(&mut self, bank: &dyn Bank, order: &Order, index: u16, part: &mut BankPart) -> Result<(), ReconcileError> {
        let now = self.app.clock.now();
        let (Some(payment), Some(payer)) = (order.payment(index), &order.payer) else { return Ok(()) };
        let PaymentState::Settled { at, bank_payment_id: Some(id) } = &payment.state else { return Ok(()) };
        if later(*at, self.schedule.booking_delay) > now {
            part.waiting += 1;
            return Ok(());
        }
        let mut tx = self.app.store.begin().await?;
        let ours = tx.claim_status_check(&payment.key, now).await?;
        tx.commit().await?;
        if !ours {
            return Ok(());
        }
        self.wait_for_rate(bank.name()).await;
        let query = PaymentQuery {
            key: payment.key.clone(),
            bank_payment_id: Some(id.clone()),
            debtor: DebtorAccount { iban: payer.iban.clone(), consent: payer.consent.clone() },
            amount: payment.amount,
            creditor_iban: payment.payee.iban.clone(),
            submitted_at: *at,
        };
        match bank.ask(&query).await {
            Ok(Standing::Known { status: BankStatus::Rejected { reason }, .. }) => {
                let event = Event::Bank { payment: index, said: BankSaid::Refused { reason } };
                if self.ledger.happened(order.id.clone(), event).await?.is_some() {
                    self.report.learned.push(format!("payment {index} of order {} is disputed", order.id));
                }
            }
            Ok(Standing::Known { status: BankStatus::Returned { reason }, .. }) => {
                let event = Event::Bank { payment: index, said: BankSaid::Returned { reason } };
                if self.ledger.happened(order.id.clone(), event).await?.is_some() {
                    self.report.learned.push(format!("payment {index} of order {} is returned", order.id));
                }
            }
            // Anything else contradicts nothing: a bank may answer late, or not know old payments any more.
            Ok(_) => {}
            Err(_) => {
                let mut tx = self.app.store.begin().await?;
                tx.forget_status_check(&payment.key).await?;
                return Ok(tx.commit().await?);
            }
        }
        part.by_status += 1;
        Ok(())
    }

    async fn wait_for_rate(&self, bank: &BankName) {
        while self.app.governors.calls_now(bank, 1) == 0 {
            tokio::time::sleep(RATE_PAUSE).await;
        }
    }
}

/// Writes a difference down, halts the payee and calls an operator, unless that was done before.
pub(super) async fn take_difference(desk: &mut Desk<'_>, found: &Found) -> Result<bool, StoreError> {
    let Found { row, payment } = found;
    if !desk.tx.insert_difference(row, desk.now).await? {
        return Ok(false);
    }
    let why = format!("reconciliation: {}", row.detail);
    desk.tx.freeze_payee(&row.payee, &why, desk.now).await?;
    let slug = desk.tx.slug_of(&row.payee).await?.unwrap_or_default();
    let detail = serde_json::json!({ "order": row.order, "payment": payment, "kind": row.kind, "bank": row.bank }).to_string();
    desk.tx.write_act(SERVICE, "payee_halted", &format!("payee:{slug}"), detail, desk.now).await?;
    let effect = Effect::CallOperator { payment: Some(*payment), what: why };
    let priority = effect.priority();
    desk.queue(OPERATOR_LANE.to_owned(), Some(row.order.clone()), &Task::Order { effect }, priority, desk.now);
    Ok(true)
}

fn day_of(moment: Timestamp) -> Date {
    moment.to_zoned(TimeZone::UTC).date()
}
