//! The sandbox bank by file: [`FakeBank`] at the other end of a directory, speaking ISO 20022.
//!
//! It takes what lies in `out`, as a bank's file transfer would: each file by one rename into its own folder `bank`. It answers into `in`: a
//! pain.002 for each pain.001, a camt.029 for each camt.055, a camt.054 for new entries and a camt.053 for each finished day of every account
//! with a mandate. Files are written beside and renamed, so that nobody reads half of one. A file id that comes twice is refused as a
//! duplicate (AM05), and an order whose reference is known is not carried out again, so it can be killed at any moment.
//!
//! It reads and writes the messages with code of its own: what both sides get wrong in the same way would not be seen otherwise.

mod mandate;
mod read;
mod write;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

pub use self::mandate::serve_mandates;
use crate::bank::fake::{
    Circumstances, Days, Entry, FakeBank, FaultKind, Instruction, Operation, Phase, Product, Reason, Refusal, ReturnTo, Status,
};
use crate::entropy::{Entropy, random_bytes};
use crate::iban::Iban;
use crate::ids::hex;

/// How often the directory is looked into.
const POLL: Duration = Duration::from_millis(500);

/// The bank's end of a directory.
pub struct FilesPeer {
    bank: Arc<FakeBank>,
    root: PathBuf,
    entropy: Arc<dyn Entropy>,
    memory: Mutex<Memory>,
}

/// What the bank's end remembers, in `bank/memory.json`.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
struct Memory {
    /// Message ids that were taken.
    taken: Vec<String>,
    /// Message ids that came a second time.
    repeated: Vec<String>,
    /// Accounts with a mandate, and how many of their entries were notified.
    accounts: BTreeMap<String, usize>,
    /// The last day of which statements were written.
    stated_through: Option<Date>,
}

/// How one transfer stands, for a pain.002.
struct Told {
    end_to_end: String,
    code: String,
    reason: Option<String>,
}

impl FilesPeer {
    /// The bank's end of `root`, which has to be there.
    pub fn open(root: &Path, bank: Arc<FakeBank>, entropy: Arc<dyn Entropy>) -> anyhow::Result<Self> {
        ensure!(root.is_dir(), "the directory {} does not exist", root.display());
        for folder in ["out", "in", "bank"] {
            fs::create_dir_all(root.join(folder))?;
        }
        let memory = match fs::read(root.join("bank/memory.json")) {
            Ok(bytes) => serde_json::from_slice(&bytes).context("bank/memory.json cannot be read")?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Memory::default(),
            Err(error) => return Err(error).context("bank/memory.json"),
        };
        Ok(FilesPeer { bank, root: root.to_owned(), entropy, memory: Mutex::new(memory) })
    }

    /// Works until it is told to stop.
    pub async fn keep_working(self: Arc<Self>, shutdown: CancellationToken) -> anyhow::Result<()> {
        loop {
            let this = self.clone();
            tokio::task::spawn_blocking(move || this.work()).await??;
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    /// One round: what lies in `out` is carried out and answered, entries are told.
    pub fn work(&self) -> anyhow::Result<()> {
        let mut names: Vec<String> = Vec::new();
        for entry in fs::read_dir(self.root.join("out"))? {
            names.extend(entry?.file_name().into_string().ok().filter(|name| name.ends_with(".xml")));
        }
        names.sort();
        for name in names {
            let taken = self.root.join("bank").join(&name);
            fs::rename(self.root.join("out").join(&name), &taken)?;
            self.take(&fs::read_to_string(&taken)?).with_context(|| format!("the file {name}"))?;
        }
        self.notify()?;
        let yesterday = self.bank.now().to_zoned(TimeZone::UTC).date().yesterday()?;
        let through = self.remembered().stated_through;
        let first = through.map_or(Ok(yesterday), Date::tomorrow)?;
        for day in first.series(jiff::ToSpan::days(1)).take_while(|day| *day <= yesterday) {
            self.state(day)?;
        }
        Ok(())
    }

    /// Message ids that were handed over more than once; a rail that keeps its word has none.
    pub fn repeated(&self) -> Vec<String> {
        self.remembered().repeated
    }

    /// The holder `login` lets the mandate's owner debit all accounts.
    pub fn give_mandate(&self, id: &str, login: &str) -> anyhow::Result<()> {
        let accounts = self.bank.accounts_of(login)?;
        ensure!(!accounts.is_empty(), "nobody holds an account here under the name {login}");
        let told: Vec<_> = accounts
            .iter()
            .map(|view| serde_json::json!({ "iban": view.account.iban.as_str(), "name": view.account.name }))
            .collect();
        self.remember(|memory| {
            for view in &accounts {
                memory.accounts.entry(view.account.iban.as_str().to_owned()).or_insert(0);
            }
        })?;
        self.offer(
            &format!("mandate-{id}.json"),
            &serde_json::json!({ "mandate": id, "status": "given", "accounts": told }).to_string(),
        )
    }

    /// The holder says no.
    pub fn refuse_mandate(&self, id: &str) -> anyhow::Result<()> {
        self.offer(&format!("mandate-{id}.json"), &serde_json::json!({ "mandate": id, "status": "refused" }).to_string())
    }

    fn take(&self, text: &str) -> anyhow::Result<()> {
        if read::is_recall(text) {
            return self.take_recall(&read::recall(text)?);
        }
        let batch = read::pain_001(text)?;
        let repeated = self.remembered().taken.contains(&batch.message_id);
        let answer_id = self.fresh_id();
        let now = self.bank.now();
        if repeated {
            self.remember(|memory| memory.repeated.push(batch.message_id.clone()))?;
            let report = write::whole_report(&answer_id, now, &batch.message_id, "RJCT", Some("AM05"));
            return self.offer(&format!("pain.002-{answer_id}.xml"), &report);
        }
        if let Err(why) = batch.adds_up() {
            let report = write::whole_report(&answer_id, now, &batch.message_id, "RJCT", Some(why));
            return self.offer(&format!("pain.002-{answer_id}.xml"), &report);
        }
        let mut told: Vec<(String, Vec<(read::Transfer, Told)>)> = Vec::new();
        for information in &batch.information {
            let mut transfers = Vec::new();
            for transfer in &information.transfers {
                let outcome = self.carry_out(information, transfer)?;
                transfers.push((transfer.clone(), outcome));
            }
            told.push((information.id.clone(), transfers));
        }
        self.offer(&format!("pain.002-{answer_id}.xml"), &write::report(&answer_id, now, &batch.message_id, &told))?;
        self.remember(|memory| memory.taken.push(batch.message_id.clone()))
    }

    fn carry_out(&self, information: &read::Information, transfer: &read::Transfer) -> anyhow::Result<Told> {
        let end_to_end = transfer.end_to_end.clone();
        let rejected =
            |reason: &str| Told { end_to_end: end_to_end.clone(), code: "RJCT".to_owned(), reason: Some(reason.to_owned()) };
        let struck = self.bank.strike(Operation::Initiate);
        let reject = struck.iter().find_map(|fault| match fault {
            FaultKind::Refuse { reason } => Some(Reason(reason.clone())),
            FaultKind::NoFunds => Some(Reason::no_funds()),
            _ => None,
        });
        let known = self.bank.payments_with(&transfer.end_to_end)?;
        let payment = match known.into_iter().next() {
            Some(known) => known,
            None => {
                let wish = Instruction {
                    product: if information.instant { Product::InstantSepaCreditTransfers } else { Product::SepaCreditTransfers },
                    debtor: information.debtor.clone(),
                    creditor: transfer.creditor.clone(),
                    creditor_name: transfer.creditor_name.clone(),
                    amount: transfer.amount,
                    end_to_end: Some(transfer.end_to_end.clone()),
                    remittance: transfer.remittance.clone(),
                };
                // Whoever may write files has the customers' mandates: nobody is asked for approval.
                let nowhere = Some("https://nobody.invalid/".to_owned());
                let return_to = ReturnTo { approved: nowhere.clone(), refused: nowhere };
                let with = Circumstances { return_to, explicit_authorisation: false, always_ask: false, reject };
                match self.bank.initiate(wish, &with) {
                    Ok(payment) => payment,
                    Err(Refusal::UnknownAccount) => return Ok(rejected("AC01")),
                    Err(error @ Refusal::Journal(_)) => return Err(error.into()),
                    Err(_) => return Ok(rejected("NARR")),
                }
            }
        };
        if let (Phase::AwaitingApproval { .. }, Some(authorisation)) = (payment.phase, payment.authorisations.last()) {
            self.bank.answer(authorisation, true, None)?;
        }
        let payment = self.bank.payment(&payment.id)?;
        let reason = payment.reason.map(|reason| reason.0);
        Ok(Told { end_to_end, code: payment.status.code().to_owned(), reason })
    }

    fn take_recall(&self, recall: &read::Recall) -> anyhow::Result<()> {
        let payment = self.bank.payments_with(&recall.end_to_end)?.into_iter().next();
        let answer = match payment {
            None => ("RJCR", Some("NOOR")),
            Some(payment) if payment.status == Status::Acsc && !payment.returned => {
                self.bank.give_back(&payment.id, &Reason("FOCR".to_owned()))?;
                ("ACCR", None)
            }
            Some(payment) if payment.status == Status::Acsc => ("RJCR", Some("ARDT")),
            Some(payment) => match self.bank.cancel(&payment.id) {
                Ok(()) => ("ACCR", None),
                Err(_) => ("RJCR", Some("CUST")),
            },
        };
        let id = self.fresh_id();
        self.offer(&format!("camt.029-{id}.xml"), &write::resolution(&id, self.bank.now(), recall, answer))
    }

    /// A notification of what was booked since the last one.
    fn notify(&self) -> anyhow::Result<()> {
        for (iban, notified) in self.remembered().accounts {
            let account: Iban = iban.parse()?;
            let (entries, _) = self.bank.entries(&account, Days::default(), notified, usize::MAX)?;
            if entries.is_empty() {
                continue;
            }
            let through = notified + entries.len();
            // The same entries have the same id, even if this is done twice.
            let id = format!("N{}-{notified}-{through}", iban.get(iban.len() - 8..).unwrap_or(&iban));
            let message_id = self.fresh_id();
            let notification = write::notification(&message_id, &id, self.bank.now(), &account, &entries);
            self.offer(&format!("camt.054-{message_id}.xml"), &notification)?;
            self.remember(|memory| {
                memory.accounts.insert(iban, through);
            })?;
        }
        Ok(())
    }

    /// The statements of a day, of every account with a mandate.
    pub fn state(&self, day: Date) -> anyhow::Result<()> {
        for iban in self.remembered().accounts.keys() {
            let account: Iban = iban.parse()?;
            let (entries, _) = self.bank.entries(&account, Days { from: Some(day), to: Some(day) }, 0, usize::MAX)?;
            let all: Vec<Entry> = self.bank.entries(&account, Days { from: None, to: Some(day) }, 0, usize::MAX)?.0;
            let closing = all.iter().map(|entry| entry.amount.minor).sum();
            let opening = closing - entries.iter().map(|entry| entry.amount.minor).sum::<i64>();
            let id = format!("S{}-{}", iban.get(iban.len() - 8..).unwrap_or(iban), day.strftime("%Y%m%d"));
            let message_id = self.fresh_id();
            let balances = write::Balances { opening, closing };
            let statement = write::statement(&message_id, &id, self.bank.now(), &account, day, &balances, &entries);
            self.offer(&format!("camt.053-{message_id}.xml"), &statement)?;
        }
        self.remember(|memory| memory.stated_through = Some(day))
    }

    /// Puts a file into `in`, whole.
    pub fn offer(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let written = self.root.join("bank").join(format!("{name}.part"));
        fs::write(&written, text)?;
        Ok(fs::rename(written, self.root.join("in").join(name))?)
    }

    fn fresh_id(&self) -> String {
        hex(&random_bytes::<12>(&*self.entropy))
    }

    fn remembered(&self) -> Memory {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remember(&self, change: impl FnOnce(&mut Memory)) -> anyhow::Result<()> {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut memory);
        let written = self.root.join("bank/memory.json.part");
        fs::write(&written, serde_json::to_vec(&*memory)?)?;
        Ok(fs::rename(written, self.root.join("bank/memory.json"))?)
    }
}
