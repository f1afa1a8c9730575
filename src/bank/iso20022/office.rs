//! The directories, and everything that is done in them. One file or record at a time, each step on the disk before the next.
//!
//! # Handing a file over
//!
//! | step | on the disk after it | if the process dies right after it |
//! |---|---|---|
//! | 1 `Batched` is added to the journal | which orders go into which file, by its message id | nothing is in the bank's reach; the next holder goes on with 2 |
//! | 2 `staging/NAME.part` is written and synced | a file that nobody looks at | it is written again, with the same bytes: they follow from the journal |
//! | 3 renamed to `staging/NAME`, directory synced | the whole file, still ours | the same |
//! | 4 `Staged` is added | that step 3 is behind us | the file in `staging` tells that 5 is to be done; **no** file there tells that 5 was done |
//! | 5 renamed to `out/NAME`, both directories synced | the bank may take it | as in 4: the rename is one step, so the file is in one place or the other |
//! | 6 `Handed` is added | the end | nothing is left to do |
//!
//! A file is made only between 1 and 4, and offered only by the rename in 5, which takes it away from where it was: it cannot be offered twice,
//! even if the bank has already moved it on when the next holder looks. An order is in one file only, since 1 takes it out of the waiting ones.
//!
//! # Reading a file
//!
//! | step | on the disk after it | if the process dies right after it |
//! |---|---|---|
//! | 1 renamed from `in/NAME` to `reading/NAME`, directories synced | nobody else reads it | it is found in `reading` and read |
//! | 2 `Read` (or `Repeated`, `Aside`) is added, with everything it tells | what it tells, once | it is found in `reading`; its digest is known: 3 |
//! | 3 renamed to `archive/DIGEST-NAME`, or `aside/…` with a sentence beside it | the end | nothing is left to do |
//!
//! All of that happens under the journal's lock, so two processes never do it at once.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

use super::book::{Content, Order, Progress, Record};
use super::fact::{MandateStanding, RecallAnswer};
use super::journal::{Held, Journal, JournalError};
use super::{Settings, inbound, pain_001, recall, sha256};
use crate::clock::{Clock, Timestamp, later};
use crate::entropy::{Entropy, random_bytes};
use crate::ids::{PaymentKey, hex};

/// More transfers than this do not go into one file: banks refuse files beyond some tens of thousands.
const MOST_IN_A_FILE: usize = 10_000;

/// The folders under the configured one that others use, too.
const SHARED: [&str; 2] = ["out", "in"];
/// Our own: what customers do with their accounts is nobody else's business.
const OWN: [&str; 4] = ["staging", "reading", "archive", "aside"];
/// How long a file may lie in `out` before an operator is told.
const PATIENCE: Duration = Duration::from_hours(1);

/// What became of taking an order.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taking {
    /// It is ours to hand over, now or since long.
    Taken,
    /// The key stands for another order.
    OtherOrder,
    /// The payer has given no mandate for this account.
    NoMandate,
}

/// What became of asking for a recall.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Recalling {
    /// It was in no file yet, and will be in none.
    Withdrawn,
    /// The bank is asked, or was.
    Asked(RecallAnswer),
    /// There is no such order.
    NoSuchOrder,
}

/// The directories and the memory.
pub(super) struct Office {
    settings: Settings,
    root: PathBuf,
    journal: Journal,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Office {
    /// Makes what is missing of the directories and reads the journal.
    pub(super) fn open(settings: Settings, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> anyhow::Result<Self> {
        let root = settings.directory.clone();
        ensure!(root.is_dir(), "the directory {} does not exist", root.display());
        for (folder, mode) in SHARED.map(|folder| (folder, 0o770)).into_iter().chain(OWN.map(|folder| (folder, 0o700))) {
            let path = root.join(folder);
            let made = fs::DirBuilder::new().recursive(true).mode(mode).create(&path);
            made.with_context(|| format!("cannot make the directory {}", path.display()))?;
        }
        // A rename is one step only within one file system; `out` and `in` may be mounted from elsewhere.
        let device = |folder: &str| -> anyhow::Result<u64> { Ok(fs::metadata(root.join(folder))?.dev()) };
        for (here, there) in [("staging", "out"), ("reading", "in")] {
            ensure!(device(here)? == device(there)?, "{here} and {there} in {} have to be on one file system", root.display());
        }
        let journal = Journal::open(&root.join("journal.jsonl"))?;
        sync(&root)?;
        Ok(Office { settings, root, journal, clock, entropy })
    }

    /// The memory as it was last seen.
    pub(super) fn book(&self) -> &super::book::Book {
        self.journal.book()
    }

    /// Catches up with what other processes have done.
    pub(super) fn refresh(&mut self) -> Result<(), JournalError> {
        self.journal.hold().map(drop)
    }

    /// Takes an order. It will be in exactly one file.
    pub(super) fn take(&mut self, mut order: Order, mandate: Option<&str>) -> Result<Taking, JournalError> {
        let at = self.clock.now();
        let mut held = self.journal.hold()?;
        let given = mandate.and_then(|id| held.book().mandate(id).flatten());
        let Some(MandateStanding::Given { accounts }) = given else { return Ok(Taking::NoMandate) };
        let Some(account) = accounts.iter().find(|account| account.iban == order.debtor) else { return Ok(Taking::NoMandate) };
        order.debtor_name.clone_from(&account.name);
        if let Some(known) = held.book().order(&order.key) {
            // The name of the debtor may have been corrected since.
            let same = Order { debtor_name: known.debtor_name.clone(), ..order };
            return Ok(if *known == same { Taking::Taken } else { Taking::OtherOrder });
        }
        held.add(Record::Taken { at, order })?;
        Ok(Taking::Taken)
    }

    /// Remembers that somebody was sent to the bank's page for a mandate.
    pub(super) fn ask_mandate(&mut self) -> Result<String, JournalError> {
        let id = hex(&random_bytes::<16>(&*self.entropy));
        let at = self.clock.now();
        self.journal.hold()?.add(Record::MandateAsked { at, id: id.clone() })?;
        Ok(id)
    }

    /// Asks the bank to give a transfer back, or takes it out of the waiting ones.
    pub(super) fn recall(&mut self, key: &PaymentKey, reason: &str) -> Result<Recalling, JournalError> {
        let at = self.clock.now();
        let message_id = self.fresh_message_id(at);
        let mut held = self.journal.hold()?;
        if held.book().order(key).is_none() {
            return Ok(Recalling::NoSuchOrder);
        }
        if held.book().file_of(key).is_none() {
            held.add(Record::Withdrawn { at, key: key.clone() })?;
            return Ok(Recalling::Withdrawn);
        }
        if let Some(answer) = held.book().recall(key) {
            return Ok(Recalling::Asked(answer));
        }
        held.add(Record::Recalled { at, message_id, key: key.clone(), reason: reason.to_owned() })?;
        Ok(Recalling::Asked(RecallAnswer::Pending))
    }

    /// Does what is to be done: hands over what is due, reads what has come. Returns how many files went out and came in.
    pub(super) fn tend(&mut self) -> anyhow::Result<(usize, usize)> {
        let now = self.clock.now();
        let fresh = self.fresh_message_id(now);
        let Office { settings, root, journal, .. } = self;
        let mut held = journal.hold()?;
        let mut desk = Desk { settings, root, held: &mut held, now };
        desk.finish_reading()?;
        let read = desk.read_new()?;
        desk.batch_due(&fresh)?;
        let mut sent = 0;
        for message_id in desk.held.book().unfinished() {
            desk.hand_over(&message_id)?;
            sent += 1;
        }
        Ok((sent, read))
    }

    /// The sentences about files that were put aside and are still there, and about files that the bank does not take. Taking a file away is how an operator says that it was seen to.
    pub(super) fn aside(&self) -> anyhow::Result<Vec<String>> {
        let aside = self.root.join("aside");
        let there = names(&aside)?;
        let sentence = |name: &String| {
            let about = name.strip_suffix(".why").filter(|about| there.contains_key(*about))?;
            let text = fs::read_to_string(aside.join(name)).unwrap_or_else(|_| format!("The file {about} was put aside."));
            Some(text.trim().to_owned())
        };
        let mut sentences: Vec<String> = there.keys().filter_map(sentence).collect();
        let now = self.clock.now();
        for (name, since) in names(&self.root.join("out"))? {
            if later(since, PATIENCE) <= now {
                sentences
                    .push(format!("the file {name} has been waiting in out for more than an hour; nobody carries it to the bank"));
            }
        }
        Ok(sentences)
    }

    /// `MsgId`: at most 35 characters, unique for ever; the moment is for people.
    fn fresh_message_id(&self, now: Timestamp) -> String {
        format!("OB{}-{}", now.strftime("%Y%m%d%H%M%S"), hex(&random_bytes::<6>(&*self.entropy)))
    }
}

/// The directories while nobody else touches them.
struct Desk<'a, 'h> {
    settings: &'a Settings,
    root: &'a Path,
    held: &'a mut Held<'h>,
    now: Timestamp,
}

impl Desk<'_, '_> {
    fn folder(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Decides which waiting orders go into a file now.
    fn batch_due(&mut self, message_id: &str) -> anyhow::Result<()> {
        let calendar = &self.settings.calendar;
        let is_due = |taken_at: Timestamp| self.settings.instant || calendar.window_from(taken_at) <= self.now;
        let due = self.held.book().waiting().filter(|(_, taken_at)| is_due(*taken_at)).map(|(key, _)| key.clone());
        let keys: Vec<PaymentKey> = due.take(MOST_IN_A_FILE).collect();
        if keys.is_empty() {
            return Ok(());
        }
        let execution_day = if self.settings.instant { calendar.day_of(self.now) } else { calendar.execution_day(self.now) };
        let record = Record::Batched { at: self.now, message_id: message_id.to_owned(), execution_day, keys };
        Ok(self.held.add(record)?)
    }

    /// Brings a file of ours to its end, from wherever it stands.
    fn hand_over(&mut self, message_id: &str) -> anyhow::Result<()> {
        pass("out.1 decided")?;
        let file = self.held.book().file(message_id).context("a file without a record")?.clone();
        let kind = if matches!(file.content, Content::Orders { .. }) { "pain.001" } else { "camt.055" };
        let name = format!("{kind}-{message_id}.xml");
        let (staged, out) = (self.folder("staging").join(&name), self.folder("out").join(&name));
        if file.progress == Progress::Decided {
            let text = self.render(message_id)?;
            let part = self.folder("staging").join(format!("{name}.part"));
            let mut writing = File::create(&part)?;
            writing.write_all(text.as_bytes())?;
            writing.sync_all()?;
            pass("out.2 written")?;
            fs::rename(&part, &staged)?;
            sync(&self.folder("staging"))?;
            pass("out.3 whole")?;
            self.held.add(Record::Staged { message_id: message_id.to_owned() })?;
            pass("out.4 staged")?;
        }
        if staged.try_exists()? {
            if out.try_exists()? {
                bail!("there is a file {} already, which nobody here has put there", out.display());
            }
            fs::rename(&staged, &out)?;
            pass("out.5 offered")?;
            sync(&self.folder("out"))?;
            sync(&self.folder("staging"))?;
        }
        self.held.add(Record::Handed { at: self.now, message_id: message_id.to_owned() })?;
        tracing::info!(file = name, "a file was handed over to the bank");
        Ok(())
    }

    /// The bytes of a file of ours: the same each time.
    fn render(&self, message_id: &str) -> anyhow::Result<String> {
        let book = self.held.book();
        let file = book.file(message_id).context("a file without a record")?;
        let bic = self.settings.bic.as_deref();
        match &file.content {
            Content::Orders { execution_day, keys } => pain_001::write(&pain_001::Batch {
                message_id,
                created_at: file.created_at,
                execution_day: *execution_day,
                initiator: &self.settings.initiator,
                bic,
                instant: self.settings.instant,
                orders: keys.iter().filter_map(|key| book.order(key)).collect(),
            }),
            Content::Recall { key, reason } => {
                let original = book.file_of(key).context("a recall of what was never sent")?;
                let batch_id = book.batch_of(original, key).context("a recall of what is in no batch")?;
                recall::write(&recall::Recall {
                    message_id,
                    created_at: file.created_at,
                    initiator: &self.settings.initiator,
                    bic,
                    original_message_id: original,
                    original_batch_id: &batch_id,
                    end_to_end: key.as_str(),
                    amount: book.order(key).context("a recall of nothing")?.amount,
                    reason,
                })
            }
        }
    }

    /// Files that somebody had begun to read.
    fn finish_reading(&mut self) -> anyhow::Result<()> {
        for name in names(&self.folder("reading"))?.into_keys() {
            self.read_claimed(&name)?;
        }
        Ok(())
    }

    /// Files that the bank has finished writing.
    fn read_new(&mut self) -> anyhow::Result<usize> {
        let mut read = 0;
        for (name, changed) in names(&self.folder("in"))? {
            let is_quiet = self.settings.quiet.is_zero() || later(changed, self.settings.quiet) <= self.now;
            if !is_message(&name) || !is_quiet {
                continue;
            }
            let claimed = self.folder("reading").join(&name);
            ensure!(!claimed.try_exists()?, "{} is in the way", claimed.display());
            fs::rename(self.folder("in").join(&name), &claimed)?;
            pass("in.1 claimed")?;
            sync(&self.folder("reading"))?;
            sync(&self.folder("in"))?;
            self.read_claimed(&name)?;
            read += 1;
        }
        Ok(read)
    }

    fn read_claimed(&mut self, name: &str) -> anyhow::Result<()> {
        let path = self.folder("reading").join(name);
        let mut bytes = Vec::new();
        let limit = self.settings.largest_file_bytes;
        File::open(&path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        let too_long = u64::try_from(bytes.len()).is_ok_and(|length| length > limit);
        let digest = sha256(&bytes);
        let (at, told_name) = (self.now, name.to_owned());
        // A file that is too long is known by its beginning.
        let outcome = if self.held.book().has_read(&digest) {
            // Either the end of an interrupted reading, or the same file once more: it has told what it has to tell.
            let why = self.held.book().aside().iter().find(|(known, _)| known == name).map(|(_, why)| why.clone());
            if why.is_none() {
                self.held.add(Record::Repeated { at, name: told_name, sha256: digest.clone() })?;
            }
            why
        } else {
            let read = if too_long {
                Err(super::fact::Unreadable(format!("it is longer than {limit} bytes")))
            } else {
                inbound::read(&bytes)
            };
            let read = read.and_then(|read| match self.held.book().object(read.kind, &read.message_id, &read.facts) {
                Some(objection) => Err(objection),
                None => Ok(read),
            });
            match read {
                Ok(inbound::Inbound { kind, message_id, facts }) => {
                    tracing::info!(file = name, kind, facts = facts.len(), "a file of the bank was read");
                    let (kind, sha256) = (kind.to_owned(), digest.clone());
                    self.held.add(Record::Read { at, name: told_name, sha256, kind, message_id, facts })?;
                    None
                }
                Err(super::fact::Unreadable(why)) => {
                    tracing::error!(file = name, why, "a file of the bank was put aside: an operator has to look at it");
                    self.held.add(Record::Aside { at, name: told_name, sha256: digest.clone(), why: why.clone() })?;
                    Some(why)
                }
            }
        };
        pass("in.2 read")?;
        self.put_away(name, &digest, outcome.as_deref())?;
        pass("in.3 put away")
    }

    fn put_away(&self, name: &str, digest: &str, why: Option<&str>) -> anyhow::Result<()> {
        let folder = self.folder(if why.is_some() { "aside" } else { "archive" });
        let kept = folder.join(format!("{}-{name}", digest.get(..12).unwrap_or(digest)));
        if let Some(why) = why {
            let mut sentence = File::create(folder.join(format!("{}-{name}.why", digest.get(..12).unwrap_or(digest))))?;
            writeln!(sentence, "The file {name} was put aside: {why}.")?;
            sentence.sync_all()?;
        }
        fs::rename(self.folder("reading").join(name), kept)?;
        sync(&folder)?;
        sync(&self.folder("reading"))
    }
}

/// A name under which a bank offers a file that is finished. What begins with a point or ends otherwise is being written.
fn is_message(name: &str) -> bool {
    let ending =
        Path::new(name).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("xml") || ending.eq_ignore_ascii_case("json"));
    ending && !name.starts_with('.')
}

/// The plain files of a directory with their last change, in the order of their names.
fn names(directory: &Path) -> anyhow::Result<BTreeMap<String, Timestamp>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).with_context(|| format!("cannot look into {}", directory.display()))? {
        let entry = entry?;
        let Ok(metadata) = entry.metadata() else { continue };
        match entry.file_name().into_string() {
            Ok(name) if metadata.is_file() => {
                let changed = metadata.modified().ok().and_then(|moment| Timestamp::try_from(moment).ok());
                found.insert(name, changed.unwrap_or(Timestamp::UNIX_EPOCH));
            }
            Ok(_) => {}
            Err(name) => tracing::warn!(?name, "a file with a name that is no text is left alone"),
        }
    }
    Ok(found)
}

/// Has the names in a directory on the disk.
fn sync(directory: &Path) -> anyhow::Result<()> {
    Ok(File::open(directory)?.sync_all()?)
}

/// How long a file has to lie unchanged before it is read, unless set otherwise.
pub(super) const QUIET: Duration = Duration::from_secs(2);

/// A place where a test lets the process die.
#[cfg(not(test))]
fn pass(_: &str) -> anyhow::Result<()> {
    Ok(())
}
#[cfg(test)]
use super::tests::pass;
