//! A node's ports: the fakes behind gates, with the plan's faults.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::civil::Date;
use tokio::sync::mpsc;

use super::gate::Gates;
use super::plan::Fault;
use super::world::{Act, Submitted, World};
use crate::bank::fake::{Fault as BankFault, FaultKind, Operation};
use crate::bank::{
    Bank, Capabilities, ConsentRequest, ConsentStanding, DebtorAccount, Entry, PaymentInstruction, PaymentQuery, Standing,
    Submission, TryAgain,
};
use crate::clock::{Clock, Timestamp, later};
use crate::ids::{BankName, PlatformName};
use crate::platform::fake::TownConnection;
use crate::platform::{Account, Batch, Cursor, ListenError, Network, OutgoingDm, OutgoingReply, Platform, SendError, Window};

/// The world's clock as a node sees it.
pub(super) struct SkewedClock {
    pub(super) world: Arc<World>,
    pub(super) ahead_ms: u64,
}

impl Clock for SkewedClock {
    fn now(&self) -> Timestamp {
        later(self.world.now(), Duration::from_millis(self.ahead_ms))
    }
}

/// The town behind a gate.
pub(super) struct GatedTown {
    pub(super) world: Arc<World>,
    pub(super) gates: Arc<Gates>,
    pub(super) town: TownConnection,
}

impl GatedTown {
    /// What may go wrong with a message, before and after it is sent.
    async fn send(&self, sending: impl Future<Output = Result<String, SendError>>) -> Result<String, SendError> {
        self.gates.pass().await;
        let world = &self.world;
        let sent = if world.strikes(Fault::MessageRefused) {
            Err(SendError::Refused { why: "simulated".to_owned() })
        } else if world.strikes(Fault::MessageLater) {
            let after = world.dice.between(Duration::from_secs(5), Duration::from_secs(120));
            Err(SendError::Later { after: Some(after), why: "simulated".to_owned() })
        } else if world.strikes(Fault::MessageCut) {
            Err(SendError::Unknown { why: "simulated".to_owned() })
        } else {
            let sent = sending.await;
            if sent.is_ok() && world.strikes(Fault::MessageLost) {
                Err(SendError::Unknown { why: "simulated".to_owned() })
            } else {
                sent
            }
        };
        world.book().sent.push(world.now());
        if let Err(why) = &sent {
            world.note(format!("a message was not sent, or nobody knows: {why:?}"));
        }
        self.gates.pass().await;
        sent
    }
}

impl GatedTown {
    /// I11: whoever is sent a receipt for a payment has paid it.
    fn told_too_early(&self, text: &str) {
        if !(text.starts_with("Paid:") || text.starts_with("Payé")) {
            return;
        }
        let keys = text.split_whitespace().map(|word| word.trim_end_matches('.')).filter(|word| word.len() == 32);
        for key in keys.filter(|key| key.bytes().all(|byte| byte.is_ascii_hexdigit())) {
            let settled = |place: usize| {
                let payments = self.world.banks[place].1.payments_with(key).unwrap_or_default();
                payments.iter().any(|payment| payment.status == crate::bank::fake::Status::Acsc)
            };
            if !(0..self.world.banks.len()).any(settled) {
                self.world.violate(format!("I11: a receipt for {key}, which no bank has settled"));
            }
        }
    }
}

#[async_trait]
impl Platform for GatedTown {
    fn name(&self) -> &PlatformName {
        self.town.name()
    }

    fn network(&self) -> Network {
        self.town.network()
    }

    fn bot(&self) -> &Account {
        self.town.bot()
    }

    fn dm_characters(&self) -> usize {
        self.town.dm_characters()
    }

    fn send_windows(&self) -> Vec<Window> {
        self.town.send_windows()
    }

    async fn listen(&self, from: Option<Cursor>, events: mpsc::Sender<Batch>) -> Result<(), ListenError> {
        self.town.listen(from, events).await
    }

    async fn send_dm(&self, dm: OutgoingDm<'_>) -> Result<String, SendError> {
        // A question about several orders is named by the newest of them, and by the set.
        let questions: Vec<String> = dm.key.split('/').next().unwrap_or_default().split('+').map(str::to_owned).collect();
        let key = questions.first().cloned().unwrap_or_default();
        let (to, text) = (dm.to.as_str().parse(), dm.text.to_owned());
        self.send(async move {
            self.told_too_early(&text);
            let sent = self.town.send_dm(dm).await?;
            self.world.note(format!("somebody was written to: {}", text.lines().next().unwrap_or_default()));
            // A repetition that the town recognised is the same message, which was read already.
            if let Ok(to) = to
                && !self.world.book().asked.values().flatten().any(|(_, effect)| *effect == key)
            {
                self.world.arrived(to, &questions, &text);
            }
            Ok(sent)
        })
        .await
    }

    async fn reply(&self, reply: OutgoingReply<'_>) -> Result<String, SendError> {
        let (handle, key) = (reply.to_handle.to_owned(), reply.key.to_owned());
        self.send(async move {
            let sent = self.town.reply(reply).await?;
            let now = self.world.now();
            self.world.book().hinted.push((handle, now, key));
            Ok(sent)
        })
        .await
    }

    async fn look_up(&self, handle: &str) -> Result<Option<Account>, SendError> {
        self.town.look_up(handle).await
    }
}

/// A bank behind a gate.
pub(super) struct GatedBank {
    pub(super) world: Arc<World>,
    pub(super) gates: Arc<Gates>,
    pub(super) place: usize,
}

impl GatedBank {
    fn connection(&self) -> &dyn Bank {
        self.world.banks[self.place].2.as_ref()
    }

    /// Has the bank misbehave at the very next call of this kind.
    fn misbehave(&self, faults: &[(Fault, FaultKind)], on: Operation) {
        let bank = &self.world.banks[self.place].1;
        bank.behave();
        let strike = |fault: FaultKind| bank.misbehave(BankFault { on: Some(on), ..BankFault::from(fault) });
        if self.world.is_down(self.place) {
            return strike(FaultKind::Down);
        }
        if let Some((_, kind)) = faults.iter().find(|(fault, _)| self.world.strikes(*fault)) {
            strike(kind.clone());
        }
    }
}

#[async_trait]
impl Bank for GatedBank {
    fn name(&self) -> &BankName {
        self.connection().name()
    }

    fn capabilities(&self) -> &Capabilities {
        self.connection().capabilities()
    }

    async fn submit(&self, payment: &PaymentInstruction) -> Submission {
        let world = &self.world;
        let begun_at = world.now();
        if let Some(payee) = world.payee_of(&payment.creditor_iban).filter(|_| world.strikes(Fault::PayeeFrozen)) {
            world.plan_act(begun_at, Act::Freeze { payee });
        }
        self.gates.pass().await;
        self.misbehave(
            &[
                (Fault::BankLosesAnswer, FaultKind::LoseAnswer),
                (Fault::BankCut, FaultKind::CutBefore),
                (Fault::BankErrorBefore, FaultKind::ErrorBefore { status: 500 }),
                (Fault::BankErrorAfter, FaultKind::ErrorAfter { status: 502 }),
                (Fault::BankMalformed, FaultKind::Malformed),
                (Fault::BankRefuses, FaultKind::Refuse { reason: "AC04".to_owned() }),
                (Fault::BankTooMany, FaultKind::TooMany { retry_after_seconds: 20 }),
                (Fault::BankWantsApproval, FaultKind::AlwaysAsk),
            ],
            Operation::Initiate,
        );
        let place = {
            let mut book = world.book();
            let at = world.now();
            let (bank, key) = (self.place, payment.key.clone());
            book.submitted.push(Submitted { bank, key, at, begun_at, surely_not_taken: false });
            book.submitted.len() - 1
        };
        if world.strikes(Fault::BankLate) {
            world.arrive_late(self.place, payment);
            world.note(format!("what was sent to bank {} about {} is on its way", self.place, payment.key));
            self.gates.pass().await;
            return Submission::Unknown { why: "simulated".to_owned() };
        }
        let mut said = self.connection().submit(payment).await;
        if let Some(taken) = world.bank_has(self.place, &payment.key).last() {
            world.taken(self.place, &payment.key, &taken.id.0);
            if matches!(said, Submission::Taken { .. }) && world.strikes(Fault::BankContradicts) {
                said = Submission::Refused { reason: "AG01".to_owned() };
                world.book().lied_about.insert(payment.key.clone());
                let at = later(world.now(), Duration::from_secs(3600));
                world.plan_act(at, Act::Contradict { key: payment.key.clone() });
            }
        }
        world.note(format!("bank {} was handed {}: {said:?}", self.place, payment.key));
        self.gates.pass().await;
        let surely_not = matches!(said, Submission::NotTaken(_) | Submission::Refused { .. });
        if let Some(submitted) = world.book().submitted.get_mut(place) {
            submitted.surely_not_taken = surely_not;
        }
        said
    }

    async fn ask(&self, query: &PaymentQuery) -> Result<Standing, TryAgain> {
        self.gates.pass().await;
        let on = if query.bank_payment_id.is_some() || self.capabilities().look_up_by_key {
            Operation::Ask
        } else {
            Operation::Accounts
        };
        self.misbehave(
            &[
                (Fault::BankCut, FaultKind::CutBefore),
                (Fault::BankErrorBefore, FaultKind::ErrorBefore { status: 503 }),
                (Fault::BankMalformed, FaultKind::Malformed),
                (Fault::BankTooMany, FaultKind::TooMany { retry_after_seconds: 20 }),
                (Fault::BankStrangeStatus, FaultKind::StrangeStatus),
                (Fault::BankOldStatus, FaultKind::Reorder),
            ],
            on,
        );
        let answer = self.connection().ask(query).await;
        self.world.note(format!("bank {} was asked about {}: {answer:?}", self.place, query.key));
        self.gates.pass().await;
        answer
    }

    async fn entries(&self, account: &DebtorAccount, from: Date, to: Date) -> Result<Vec<Entry>, TryAgain> {
        self.connection().entries(account, from, to).await
    }

    async fn request_consent(&self, return_url: &str) -> Result<ConsentRequest, TryAgain> {
        self.connection().request_consent(return_url).await
    }

    async fn consent(&self, consent_id: &str) -> Result<ConsentStanding, TryAgain> {
        self.connection().consent(consent_id).await
    }
}
