//! Banks that take orders by file: ISO 20022 messages, handed over in a directory.
//!
//! | message | way | what for |
//! |---|---|---|
//! | pain.001.001.09 | out | credit transfers, gathered up to the next window |
//! | pain.002.001.10 | in | what became of a file, a part of it, a transfer |
//! | camt.053.001.08, camt.054.001.08 | in | entries, and credits that give a transfer back, with the reason |
//! | camt.055.001.05 | out | please give this one back |
//! | camt.029.001.06 | in | whether it will |
//! | a mandate in JSON | in | which accounts a customer lets us debit; no ISO 20022 message tells that (see [`Settings::mandate_page`]) |
//!
//! What a file is allowed to do is decided where it is carried: whoever can write into the directories can pay. They belong to Obole's
//! own user and to the program that carries files to and from the bank (EBICS, SFTP, a share).
//!
//! Submitting means that the order is on our disk and will be in exactly one file; the same key again is the same order, for ever, so this
//! rail has a key life and a look-up by key. `office` says what happens when the process dies at any line. A rejection is believed when
//! it speaks about a file that was sent from here and repeats the amount and payee that were sent; a file that does not fit is put aside whole.
//!
//! Who tends the directories: [`IsoFiles::keep_tending`], which the production start runs in the background.

mod book;
mod element;
mod fact;
mod inbound;
mod journal;
mod office;
mod pain_001;
mod pain_002;
mod recall;
mod statement;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use anyhow::ensure;
use async_trait::async_trait;
use jiff::civil::Date;
use sha2::{Digest as _, Sha256};
use url::Url;

use self::book::Order;
use self::fact::{MandateStanding, RecallAnswer};
use self::journal::JournalError;
use self::office::{Office, Recalling, Taking};
use super::calendar::Calendar;
use super::{
    Bank, BankStatus, Cancellation, Capabilities, ConsentRequest, ConsentStanding, ConsentedAccount, DebtorAccount, Entry,
    PaymentInstruction, PaymentQuery, Standing, Submission, TryAgain, sepa,
};
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::ids::{BankName, PaymentKey, hex};
use crate::money::Currency;

/// How long the journal remembers a key: for ever. A number is wanted, and no order is ten years under way.
const KEY_LIFE: Duration = Duration::from_hours(24 * 3650);

/// A connection to one bank.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The directory with `out`, `in` and our own folders; it has to be there.
    pub directory: PathBuf,
    /// Who hands the files over, as the bank knows us; fitted to SEPA characters.
    pub initiator: String,
    /// The bank's BIC, if it wants to be named in files.
    pub bic: Option<String>,
    /// Instant transfers: handed over at once, on every day.
    pub instant: bool,
    /// When orders are handed over, and which days are banking days.
    pub calendar: Calendar,
    /// The bank's page where a customer lets us debit accounts. `{mandate}` and `{return}` in it become our id of the request and the
    /// address to come back to. The bank answers with a file `in/*.json`: `{"mandate": "…", "status": "given", "accounts": [{"iban": "…",
    /// "name": "…"}]}`, or `"status": "refused"` or `"ended"`.
    pub mandate_page: String,
    /// Statements (camt.053) are awaited before an account is compared. Without them notifications (camt.054) have to be complete.
    pub statements: bool,
    /// A file is read when it has lain unchanged for so long, in case the bank does not rename what is finished.
    pub quiet: Duration,
    /// Longer files are put aside.
    pub largest_file_bytes: u64,
    /// How often the directories are looked into.
    pub poll: Duration,
    /// How long after a submission its fate can still come by file.
    pub look_up_horizon: Duration,
}

impl Settings {
    /// The defaults, for the directory.
    pub fn at(directory: PathBuf) -> Self {
        Settings {
            directory,
            initiator: "Obole".to_owned(),
            bic: None,
            instant: false,
            calendar: Calendar::default(),
            mandate_page: "https://bank.invalid/mandate?id={mandate}&return={return}".to_owned(),
            statements: true,
            quiet: office::QUIET,
            // A statement of a hundred thousand entries.
            largest_file_bytes: 128 * 1024 * 1024,
            poll: Duration::from_secs(5),
            // A transfer taken on the eve of Easter is in a statement six days later.
            look_up_horizon: Duration::from_hours(8 * 24),
        }
    }
}

/// The adapter.
pub struct IsoFiles {
    name: BankName,
    capabilities: Capabilities,
    settings: Settings,
    office: Arc<Mutex<Office>>,
}

impl IsoFiles {
    /// Opens the directories.
    pub fn open(name: BankName, settings: Settings, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> anyhow::Result<Self> {
        let initiator = sepa::fit(&settings.initiator, sepa::NAME_MAX);
        ensure!(!initiator.is_empty(), "nothing of the initiator's name can be written in SEPA characters");
        let settings = Settings { initiator, ..settings };
        page(&settings, "0", "https://obole.invalid/")
            .ok_or_else(|| anyhow::anyhow!("the mandate page is not an https address"))?;
        let capabilities = Capabilities {
            key_life: Some(KEY_LIFE),
            look_up_by_key: true,
            entries_by_consent: true,
            look_up_horizon: settings.look_up_horizon,
            cancel: true,
        };
        let office = Office::open(settings.clone(), clock, entropy)?;
        Ok(IsoFiles { name, capabilities, settings, office: Arc::new(Mutex::new(office)) })
    }

    /// Hands over what is due and reads what has come, once. Returns how many files went out and came in.
    pub async fn tend(&self) -> anyhow::Result<(usize, usize)> {
        self.at_office(|office| Ok(office.tend())).await.map_err(anyhow::Error::from)?
    }

    /// Tends the directories until the connection is gone.
    pub async fn keep_tending(connection: Weak<Self>) {
        loop {
            let Some(this) = connection.upgrade() else { return };
            if let Err(error) = this.tend().await {
                let error = format!("{error:#}");
                tracing::error!(bank.name = %this.name, error, "the bank's directory could not be tended; it is tried again");
            }
            let poll = this.settings.poll;
            drop(this);
            tokio::time::sleep(poll).await;
        }
    }

    /// Something with the directories, away from the threads that wait for sockets.
    async fn at_office<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Office) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        let office = self.office.clone();
        let work = move || work(&mut office.lock().unwrap_or_else(PoisonError::into_inner));
        match tokio::task::spawn_blocking(work).await {
            Ok(done) => done,
            // A panic in the middle of a write: nobody knows.
            Err(error) => Err(JournalError::Torn { path: self.settings.directory.clone(), cause: std::io::Error::other(error) }),
        }
    }

    /// What goes into a file, or why it cannot.
    fn order(payment: &PaymentInstruction) -> Result<Order, &'static str> {
        let within = payment.amount.minor >= 1 && payment.amount.minor <= sepa::LARGEST_MINOR;
        if payment.amount.currency != Currency::EUR || !within {
            return Err("SEPA carries amounts from 0.01 to 999999999.99 euros only");
        }
        let creditor_name = sepa::fit(&payment.creditor_name, sepa::NAME_MAX);
        if creditor_name.is_empty() {
            return Err("nothing of the payee's name can be written in SEPA characters");
        }
        Ok(Order {
            key: payment.key.clone(),
            debtor: payment.debtor.iban.clone(),
            debtor_name: String::new(),
            creditor: payment.creditor_iban.clone(),
            creditor_name,
            amount: payment.amount,
            remittance: sepa::fit(&payment.remittance, sepa::REMITTANCE_MAX),
        })
    }
}

/// The bank's page for a mandate.
fn page(settings: &Settings, mandate: &str, return_url: &str) -> Option<String> {
    let escaped: String = url::form_urlencoded::byte_serialize(return_url.as_bytes()).collect();
    let address = settings.mandate_page.replace("{mandate}", mandate).replace("{return}", &escaped);
    let url = Url::parse(&address).ok()?;
    let loopback = matches!(url.host_str(), Some("localhost" | "127.0.0.1"));
    (settings.mandate_page.contains("{mandate}") && (url.scheme() == "https" || loopback)).then_some(address)
}

/// A file's fingerprint.
fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Foreign text for a record of ours is kept short.
fn clipped(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(64).collect()
}

/// A question that could not be answered.
fn later(error: &JournalError) -> TryAgain {
    TryAgain::Later { after: None, why: error.to_string() }
}

#[async_trait]
impl Bank for IsoFiles {
    fn name(&self) -> &BankName {
        &self.name
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn submit(&self, payment: &PaymentInstruction) -> Submission {
        let order = match Self::order(payment) {
            Ok(order) => order,
            Err(why) => return Submission::Refused { reason: why.to_owned() },
        };
        let (key, mandate) = (payment.key.clone(), payment.debtor.consent.clone());
        match self.at_office(move |office| office.take(order, mandate.as_deref())).await {
            Ok(Taking::Taken) => {
                let asked = key.clone();
                let status = self.at_office(move |office| Ok(office.book().status(&asked))).await.ok().flatten();
                Submission::Taken {
                    bank_payment_id: key.as_str().to_owned(),
                    status: status.unwrap_or(BankStatus::Received),
                    authorise_at: None,
                }
            }
            // ISO 20022: no mandate.
            Ok(Taking::NoMandate) => Submission::Refused { reason: "MD01".to_owned() },
            Ok(Taking::OtherOrder) => Submission::Unknown { why: "this key was taken with another order".to_owned() },
            Err(error @ JournalError::Torn { .. }) => Submission::Unknown { why: error.to_string() },
            Err(error) => Submission::NotTaken(later(&error)),
        }
    }

    async fn ask(&self, query: &PaymentQuery) -> Result<Standing, TryAgain> {
        let key = query.key.clone();
        let wanted = (query.amount, query.creditor_iban.clone(), query.debtor.iban.clone());
        let found = self.at_office(move |office| {
            office.refresh()?;
            let book = office.book();
            let Some(order) = book.order(&key) else { return Ok(None) };
            let same = (order.amount, order.creditor.clone(), order.debtor.clone()) == wanted;
            Ok(Some((same, book.status(&key))))
        });
        match found.await.map_err(|error| later(&error))? {
            Some((true, Some(status))) => {
                let bank_payment_id = Some(query.key.as_str().to_owned());
                Ok(Standing::Known { bank_payment_id, status, authorise_at: None })
            }
            Some((false, _)) => Err(TryAgain::Later { after: None, why: "this key was taken with another order".to_owned() }),
            // Somebody may be about to write it down.
            Some((true, None)) | None => Ok(Standing::NotFound),
        }
    }

    async fn entries(&self, account: &DebtorAccount, from: Date, to: Date) -> Result<Vec<Entry>, TryAgain> {
        let no_permission = |why: &str| TryAgain::Credentials { why: why.to_owned() };
        let mandate = account.consent.clone().ok_or_else(|| no_permission("the payer has given no mandate for the account"))?;
        let iban = account.iban.clone();
        let read = self.at_office(move |office| {
            office.refresh()?;
            let book = office.book();
            let covered = match book.mandate(&mandate).flatten() {
                Some(MandateStanding::Given { accounts }) => accounts.iter().any(|account| account.iban == iban),
                _ => false,
            };
            Ok((covered, book.complete_through(&iban), book.entries_of(&iban)))
        });
        let (covered, complete_through, entries) = read.await.map_err(|error| later(&error))?;
        if !covered {
            return Err(no_permission("the payer's mandate does not cover the account"));
        }
        let wanted = self.settings.calendar.banking_day_before(to);
        if self.settings.statements && complete_through.is_none_or(|complete| complete < wanted) {
            let why = format!("the account's statement of {wanted} has not come yet");
            return Err(TryAgain::Later { after: None, why });
        }
        let in_range = entries.into_iter().filter(|entry| entry.booked_on.is_none_or(|day| from <= day && day <= to));
        let entry = |entry: fact::BookedEntry| Entry {
            id: entry.id,
            end_to_end_id: Some(entry.end_to_end),
            amount: entry.amount,
            counterparty_iban: entry.counterparty,
            booked_on: entry.booked_on,
        };
        Ok(in_range.map(entry).collect())
    }

    async fn return_reason(&self, key: &PaymentKey) -> Option<String> {
        let key = key.clone();
        let reason = self.at_office(move |office| {
            office.refresh()?;
            let book = office.book();
            let Some(order) = book.order(&key) else { return Ok(None) };
            let credits = book.entries_of(&order.debtor).into_iter();
            let mut credits = credits.filter(|entry| entry.end_to_end == key.as_str() && entry.amount.minor > 0);
            Ok(credits.find_map(|entry| entry.return_reason))
        });
        reason.await.ok().flatten().map(|reason| clipped(&reason))
    }

    async fn request_consent(&self, return_url: &str) -> Result<ConsentRequest, TryAgain> {
        let consent_id = self.at_office(Office::ask_mandate).await.map_err(|error| later(&error))?;
        let page = page(&self.settings, &consent_id, return_url);
        let authorise_at =
            page.ok_or_else(|| TryAgain::Later { after: None, why: "the mandate page is not an address".to_owned() })?;
        Ok(ConsentRequest { consent_id, authorise_at })
    }

    async fn consent(&self, consent_id: &str) -> Result<ConsentStanding, TryAgain> {
        let id = consent_id.to_owned();
        let standing = self.at_office(move |office| {
            office.refresh()?;
            Ok(office.book().mandate(&id).map(|standing| standing.cloned()))
        });
        Ok(match standing.await.map_err(|error| later(&error))? {
            Some(None) => ConsentStanding::Pending,
            Some(Some(MandateStanding::Given { accounts })) => {
                let account = |account: fact::MandatedAccount| ConsentedAccount {
                    iban: account.iban,
                    name: Some(account.name),
                    holder: None,
                    currency: Currency::EUR,
                };
                ConsentStanding::Valid { accounts: accounts.into_iter().map(account).collect() }
            }
            Some(Some(MandateStanding::Refused | MandateStanding::Ended)) | None => ConsentStanding::Gone,
        })
    }

    async fn cancel(&self, query: &PaymentQuery, reason: &str, _return_url: &str) -> Result<Cancellation, TryAgain> {
        let (key, reason) = (query.key.clone(), reason.to_owned());
        let outcome = self.at_office(move |office| office.recall(&key, &reason)).await.map_err(|error| later(&error))?;
        Ok(match outcome {
            Recalling::Withdrawn | Recalling::Asked(RecallAnswer::Cancelled) => Cancellation::Cancelled,
            Recalling::Asked(RecallAnswer::Pending) => Cancellation::Asked,
            Recalling::Asked(RecallAnswer::Refused(_)) => Cancellation::TooLate,
            Recalling::NoSuchOrder => Cancellation::Unknown { why: "no order with this key was taken".to_owned() },
        })
    }

    async fn warnings(&self) -> Vec<String> {
        let told = self.at_office(|office| {
            office.refresh()?;
            Ok(office.aside().map(|aside| [aside, office.book().doubtful_payees()].concat()))
        });
        match told.await {
            Ok(Ok(sentences)) => sentences,
            Ok(Err(error)) => vec![format!("the bank's directory could not be looked into: {error:#}")],
            Err(error) => vec![format!("the bank's directory could not be looked into: {error}")],
        }
    }
}
