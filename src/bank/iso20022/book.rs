//! What this rail remembers: orders, the files that carry them, what the bank has told. Pure: records go in, answers come out.
//!
//! A record is applied exactly as it stands in the journal, so that a start from the file and a run of months know the same.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::fact::{BookedEntry, Fact, MandateStanding, RecallAnswer, Said, Source, Unreadable};
use crate::bank::BankStatus;
use crate::clock::Timestamp;
use crate::iban::Iban;
use crate::ids::PaymentKey;
use crate::money::Money;

/// A transfer that was taken, with the texts that go out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) key: PaymentKey,
    pub(super) debtor: Iban,
    pub(super) debtor_name: String,
    pub(super) creditor: Iban,
    pub(super) creditor_name: String,
    pub(super) amount: Money,
    pub(super) remittance: String,
}

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Record {
    /// An order is ours to hand over.
    Taken { at: Timestamp, order: Order },
    /// An order that was never in a file will not be.
    Withdrawn { at: Timestamp, key: PaymentKey },
    /// These orders go into this file, and into no other.
    Batched { at: Timestamp, message_id: String, execution_day: Date, keys: Vec<PaymentKey> },
    /// A recall goes into this file.
    Recalled { at: Timestamp, message_id: String, key: PaymentKey, reason: String },
    /// The file is written whole, beside the bank's directory.
    Staged { message_id: String },
    /// The file is in the bank's directory, or was.
    Handed { at: Timestamp, message_id: String },
    /// An inbound file was read.
    Read { at: Timestamp, name: String, sha256: String, kind: String, message_id: String, facts: Vec<Fact> },
    /// An inbound file that had been read before, under whatever name.
    Repeated { at: Timestamp, name: String, sha256: String },
    /// An inbound file that cannot be used.
    Aside { at: Timestamp, name: String, sha256: String, why: String },
    /// The bank's page was named to somebody who is to give a mandate.
    MandateAsked { at: Timestamp, id: String },
}

/// What stands in a file of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    Orders { execution_day: Date, keys: Vec<PaymentKey> },
    Recall { key: PaymentKey, reason: String },
}

/// How far a file of ours has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    Decided,
    Staged,
    Handed,
}

/// A file of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    pub(super) created_at: Timestamp,
    pub(super) content: Content,
    pub(super) progress: Progress,
}

#[derive(Debug, Clone)]
struct Standing {
    taken_at: Timestamp,
    order: Order,
    file: Option<String>,
    withdrawn: bool,
    /// Everything that was said, the weightiest of each kind.
    told: Option<Said>,
    rejected: Option<Said>,
    /// What the payee's bank said of the payee's name.
    payee_check: Option<Said>,
    recall: Option<RecallAnswer>,
    recall_asked: bool,
}

/// How the bank's word on an order weighs: what is said later in the life of a transfer is never taken back by what is said earlier.
fn weight(code: &str) -> u8 {
    match code {
        "ACSC" | "ACCC" => 4,
        "ACSP" | "ACWP" => 3,
        "ACCP" | "ACFC" | "ACWC" => 2,
        // Received, in checks, or checked against the payee's name (EPC Verification of Payee in files).
        "RCVD" | "PDNG" | "ACTC" | "PATC" | "RCVC" | "RVMC" | "RVNM" | "RVNA" => 1,
        _ => 0,
    }
}

/// EPC Verification of Payee in files: match, close match, no match, not possible.
fn is_payee_check(code: &str) -> bool {
    matches!(code, "RCVC" | "RVMC" | "RVNM" | "RVNA")
}

fn is_rejection(code: &str) -> bool {
    matches!(code, "RJCT" | "CANC")
}

/// An account as its files show it.
#[derive(Debug, Default)]
struct Statements {
    complete_through: Option<Date>,
    entries: BTreeMap<(Source, String), Vec<BookedEntry>>,
}

/// The memory.
#[derive(Debug, Default)]
pub(super) struct Book {
    orders: HashMap<PaymentKey, Standing>,
    /// Taken and in no file yet, in the order of taking.
    waiting: Vec<PaymentKey>,
    files: BTreeMap<String, File>,
    /// Files that are not handed over.
    unfinished: Vec<String>,
    accounts: HashMap<Iban, Statements>,
    mandates: HashMap<String, Option<MandateStanding>>,
    read: HashSet<String>,
    messages: HashSet<(String, String)>,
    aside: Vec<(String, String)>,
}

impl Book {
    /// Applies a record.
    pub(super) fn apply(&mut self, record: Record) {
        match record {
            Record::Taken { at, order } => {
                let key = order.key.clone();
                let standing = Standing {
                    taken_at: at,
                    order,
                    file: None,
                    withdrawn: false,
                    told: None,
                    rejected: None,
                    payee_check: None,
                    recall: None,
                    recall_asked: false,
                };
                if self.orders.insert(key.clone(), standing).is_none() {
                    self.waiting.push(key);
                }
            }
            Record::Withdrawn { key, .. } => {
                self.waiting.retain(|waiting| *waiting != key);
                if let Some(standing) = self.orders.get_mut(&key) {
                    standing.withdrawn = true;
                }
            }
            Record::Batched { at, message_id, execution_day, keys } => {
                let chosen: HashSet<&PaymentKey> = keys.iter().collect();
                self.waiting.retain(|waiting| !chosen.contains(waiting));
                for key in &keys {
                    if let Some(standing) = self.orders.get_mut(key) {
                        standing.file = Some(message_id.clone());
                    }
                }
                self.begin_file(message_id, at, Content::Orders { execution_day, keys });
            }
            Record::Recalled { at, message_id, key, reason } => {
                if let Some(standing) = self.orders.get_mut(&key) {
                    standing.recall_asked = true;
                }
                self.begin_file(message_id, at, Content::Recall { key, reason });
            }
            Record::Staged { message_id } => self.progress(&message_id, Progress::Staged),
            Record::Handed { message_id, .. } => {
                self.progress(&message_id, Progress::Handed);
                self.unfinished.retain(|unfinished| *unfinished != message_id);
            }
            Record::Read { sha256, kind, message_id, facts, .. } => {
                self.read.insert(sha256);
                self.messages.insert((kind, message_id));
                for fact in facts {
                    self.learn(fact);
                }
            }
            Record::Repeated { .. } => {}
            Record::Aside { name, sha256, why, .. } => {
                self.read.insert(sha256);
                self.aside.push((name, why));
            }
            Record::MandateAsked { id, .. } => {
                self.mandates.entry(id).or_default();
            }
        }
    }

    fn begin_file(&mut self, message_id: String, created_at: Timestamp, content: Content) {
        self.unfinished.push(message_id.clone());
        self.files.insert(message_id, File { created_at, content, progress: Progress::Decided });
    }

    fn progress(&mut self, message_id: &str, progress: Progress) {
        if let Some(file) = self.files.get_mut(message_id) {
            file.progress = progress;
        }
    }

    fn learn(&mut self, fact: Fact) {
        match fact {
            Fact::File { message_id, said } => {
                for key in self.keys_of(&message_id) {
                    self.hear(&key, &said);
                }
            }
            Fact::Batch { message_id, batch_id, said } => {
                for key in self.keys_of_batch(&message_id, &batch_id) {
                    self.hear(&key, &said);
                }
            }
            Fact::Transfer { end_to_end, said, .. } => {
                if let Ok(key) = end_to_end.parse() {
                    self.hear(&key, &said);
                }
            }
            Fact::Account { iban, source, statement_id, complete_through, entries } => {
                let statements = self.accounts.entry(iban).or_default();
                statements.complete_through = statements.complete_through.max(complete_through);
                let known = statements.entries.entry((source, statement_id)).or_default();
                *known = at_most_of_either(known, entries, |left, right| left == right);
            }
            Fact::Recall { end_to_end, answer } => {
                let standing = end_to_end.parse::<PaymentKey>().ok().and_then(|key| self.orders.get_mut(&key));
                // Decided once; a late "pending" takes nothing back.
                if let Some(standing) = standing
                    && !matches!(standing.recall, Some(RecallAnswer::Cancelled | RecallAnswer::Refused(_)))
                {
                    standing.recall = Some(answer);
                }
            }
            Fact::Mandate { id, standing } => {
                self.mandates.insert(id, Some(standing));
            }
        }
    }

    fn hear(&mut self, key: &PaymentKey, said: &Said) {
        let Some(standing) = self.orders.get_mut(key) else { return };
        if is_payee_check(&said.code) {
            standing.payee_check = Some(said.clone());
        }
        if is_rejection(&said.code) {
            standing.rejected.get_or_insert_with(|| said.clone());
        } else if standing.told.as_ref().is_none_or(|told| weight(&said.code) >= weight(&told.code)) {
            standing.told = Some(said.clone());
        }
    }

    fn keys_of(&self, message_id: &str) -> Vec<PaymentKey> {
        match self.files.get(message_id).map(|file| &file.content) {
            Some(Content::Orders { keys, .. }) => keys.clone(),
            _ => Vec::new(),
        }
    }

    /// The orders of a payment information: those of one debtor, in the order of the accounts, as they are written.
    fn keys_of_batch(&self, message_id: &str, batch_id: &str) -> Vec<PaymentKey> {
        let keys = self.keys_of(message_id);
        keys.into_iter().filter(|key| self.batch_of(message_id, key).as_deref() == Some(batch_id)).collect()
    }

    /// `PmtInfId` under which a file carries an order.
    pub(super) fn batch_of(&self, message_id: &str, key: &PaymentKey) -> Option<String> {
        let debtor = &self.orders.get(key)?.order.debtor;
        let keys = self.keys_of(message_id);
        let debtors: std::collections::BTreeSet<&str> =
            keys.iter().filter_map(|key| self.orders.get(key)).map(|standing| standing.order.debtor.as_str()).collect();
        let place = debtors.iter().position(|other| *other == debtor.as_str())?;
        Some(super::pain_001::payment_information_id(message_id, place + 1))
    }

    /// Whether what a file tells can be about what we did; one sentence if not.
    pub(super) fn object(&self, kind: &str, message_id: &str, facts: &[Fact]) -> Option<Unreadable> {
        if self.messages.contains(&(kind.to_owned(), message_id.to_owned())) {
            return Some(Unreadable(format!("another file with the message id {:?} was read before", super::clipped(message_id))));
        }
        facts.iter().find_map(|fact| self.objection(fact)).map(Unreadable)
    }

    fn objection(&self, fact: &Fact) -> Option<String> {
        let stranger = |message_id: &str| {
            let known = matches!(self.files.get(message_id), Some(File { content: Content::Orders { .. }, .. }));
            (!known).then(|| format!("it speaks about the file {:?}, which was not sent from here", super::clipped(message_id)))
        };
        match fact {
            Fact::File { message_id, .. } => stranger(message_id),
            Fact::Batch { message_id, batch_id, .. } => stranger(message_id).or_else(|| {
                let none = self.keys_of_batch(message_id, batch_id).is_empty();
                none.then(|| format!("it speaks about {:?}, which is no part of that file", super::clipped(batch_id)))
            }),
            Fact::Transfer { message_id, end_to_end, amount, creditor, .. } => stranger(message_id).or_else(|| {
                let clipped = super::clipped(end_to_end);
                let standing = end_to_end.parse().ok().and_then(|key| self.orders.get(&key));
                let Some(standing) = standing.filter(|standing| standing.file.as_ref() == Some(message_id)) else {
                    return Some(format!("it speaks about the transfer {clipped:?}, which is not in that file"));
                };
                let differs = amount.is_some_and(|amount| amount != standing.order.amount)
                    || creditor.as_ref().is_some_and(|creditor| *creditor != standing.order.creditor);
                differs.then(|| format!("it tells another amount or payee of the transfer {clipped:?} than was sent"))
            }),
            Fact::Recall { end_to_end, .. } => {
                let standing = end_to_end.parse().ok().and_then(|key| self.orders.get(&key));
                let asked = standing.is_some_and(|standing| standing.recall_asked);
                (!asked).then(|| format!("it answers about the transfer {:?}, which was not recalled", super::clipped(end_to_end)))
            }
            Fact::Mandate { id, .. } => (!self.mandates.contains_key(id))
                .then(|| format!("it speaks about the mandate {:?}, which nobody was asked for", super::clipped(id))),
            Fact::Account { .. } => None,
        }
    }

    /// The order of this key.
    pub(super) fn order(&self, key: &PaymentKey) -> Option<&Order> {
        self.orders.get(key).map(|standing| &standing.order)
    }

    /// The file an order is in.
    pub(super) fn file_of(&self, key: &PaymentKey) -> Option<&str> {
        self.orders.get(key)?.file.as_deref()
    }

    /// Taken and in no file yet, with the moment of taking, oldest first.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (&PaymentKey, Timestamp)> {
        self.waiting.iter().filter_map(|key| Some((key, self.orders.get(key)?.taken_at)))
    }

    /// Files that are not handed over yet, oldest first.
    pub(super) fn unfinished(&self) -> Vec<String> {
        self.unfinished.clone()
    }

    /// A file of ours.
    pub(super) fn file(&self, message_id: &str) -> Option<&File> {
        self.files.get(message_id)
    }

    /// Whether an inbound file with these bytes was dealt with.
    pub(super) fn has_read(&self, sha256: &str) -> bool {
        self.read.contains(sha256)
    }

    /// Files that were put aside, with the reason.
    pub(super) fn aside(&self) -> &[(String, String)] {
        &self.aside
    }

    /// A mandate: `None` if nobody was asked for it, `Some(None)` while the bank has not said.
    pub(super) fn mandate(&self, id: &str) -> Option<Option<&MandateStanding>> {
        self.mandates.get(id).map(Option::as_ref)
    }

    /// How the order of this key stands, or nothing of it is known.
    pub(super) fn status(&self, key: &PaymentKey) -> Option<BankStatus> {
        let standing = self.orders.get(key)?;
        let order = &standing.order;
        let debit = Money::new(-order.amount.minor, order.amount.currency);
        let is_booked = self.entries_of(&order.debtor).iter().any(|entry| {
            entry.end_to_end == key.as_str()
                && entry.amount == debit
                && entry.counterparty.as_ref().is_none_or(|to| *to == order.creditor)
        });
        let told = standing.told.as_ref().map_or("", |told| told.code.as_str());
        let is_settled = is_booked || weight(told) == 4;
        Some(match &standing.rejected {
            _ if standing.withdrawn => BankStatus::Rejected { reason: "withdrawn before it was handed over".to_owned() },
            // Both at once: one of them is wrong, and nothing follows until somebody has looked.
            Some(rejected) if is_settled => BankStatus::Unrecognised(format!("settled and {}", super::clipped(&rejected.code))),
            Some(rejected) => {
                let reason = rejected.reason.as_deref().unwrap_or(&rejected.code);
                BankStatus::Rejected { reason: super::clipped(reason) }
            }
            None if is_settled => BankStatus::Settled,
            None if standing.recall == Some(RecallAnswer::Cancelled) => BankStatus::Rejected { reason: "recalled".to_owned() },
            None => match weight(told) {
                3 => BankStatus::Executing,
                1 | 2 => BankStatus::Received,
                _ if told.is_empty() => BankStatus::Received,
                _ => BankStatus::Unrecognised(super::clipped(told)),
            },
        })
    }

    /// One sentence for each open order whose payee is known under another name at the payee's bank. The bank may wait for somebody to
    /// look; nothing follows from it here.
    pub(super) fn doubtful_payees(&self) -> Vec<String> {
        let sentence = |(key, standing): (&PaymentKey, &Standing)| {
            let check = standing.payee_check.as_ref()?;
            let is_open = matches!(self.status(key), Some(BankStatus::Received));
            let (creditor, name) = (standing.order.creditor.masked(), &standing.order.creditor_name);
            let told = check.text.as_deref().map(|text| format!(": {text:?}")).unwrap_or_default();
            let known = match check.code.as_str() {
                "RVMC" if is_open => format!("under a name that is only close{told}"),
                "RVNM" if is_open => format!("under another name{told}"),
                _ => return None,
            };
            Some(format!("payment {key}: the payee's bank knows the account {creditor} of {name:?} {known}"))
        };
        let mut sentences: Vec<String> = self.orders.iter().filter_map(sentence).collect();
        sentences.sort();
        sentences
    }

    /// What became of a recall: `None` if none was asked for.
    pub(super) fn recall(&self, key: &PaymentKey) -> Option<RecallAnswer> {
        let standing = self.orders.get(key).filter(|standing| standing.recall_asked)?;
        Some(standing.recall.clone().unwrap_or(RecallAnswer::Pending))
    }

    /// Up to which day the statements of an account are complete.
    pub(super) fn complete_through(&self, account: &Iban) -> Option<Date> {
        self.accounts.get(account)?.complete_through
    }

    /// The entries of an account. A notification and the statement that follows it show the same entries: of those with the same
    /// reference and amount, as many count as the one that shows more of them has.
    pub(super) fn entries_of(&self, account: &Iban) -> Vec<BookedEntry> {
        let Some(statements) = self.accounts.get(account) else { return Vec::new() };
        let of = |wanted: Source| -> Vec<BookedEntry> {
            let of_source = statements.entries.iter().filter(|((source, _), _)| *source == wanted);
            of_source.flat_map(|(_, entries)| entries.clone()).collect()
        };
        let same = |left: &BookedEntry, right: &BookedEntry| left.end_to_end == right.end_to_end && left.amount == right.amount;
        at_most_of_either(&of(Source::Statement), of(Source::Notification), same)
    }
}

/// All of `first`, and of `second` what `first` has not.
fn at_most_of_either(
    first: &[BookedEntry],
    second: Vec<BookedEntry>,
    same: impl Fn(&BookedEntry, &BookedEntry) -> bool,
) -> Vec<BookedEntry> {
    let mut all = first.to_vec();
    let mut unmatched: Vec<&BookedEntry> = first.iter().collect();
    for entry in second {
        match unmatched.iter().position(|known| same(known, &entry)) {
            Some(place) => {
                unmatched.swap_remove(place);
            }
            None => all.push(entry),
        }
    }
    all
}
