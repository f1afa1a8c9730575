//! The world outside: a town, its people, two banks, and what is going to happen there.
//!
//! Everything here outlives the nodes. It misbehaves as the plan says, and writes down what it saw, so that the invariants can be
//! checked against what really happened and not against what Obole believes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use futures_util::FutureExt as _;

use super::dice::Dice;
use super::plan::{Fault, Plan, RailKind};
use crate::bank::fake::{AuthorisationId, ConsentWish, FakeBank, FakeConnection, PaymentId, ReturnTo, Scope, Settings, Wanted};
use crate::bank::{Bank as _, PaymentInstruction};
use crate::clock::{Clock as _, ManualClock, Timestamp, later};
use crate::entropy::SeededEntropy;
use crate::iban::Iban;
use crate::ids::{BankName, PaymentKey, PlatformName};
use crate::money::{Currency, Money};
use crate::people::Language;
use crate::platform::fake::{Draft, Id, Limits, Person, Revision, Town, TownConnection, Visibility, Window};

/// The name of the town's connection.
pub(super) const TOWN: &str = "town";
/// Who is paid.
pub(super) const PAYEES: [&str; 3] = ["croixrouge", "wateraid", "bob"];
/// How many people pay; the first two have no channel.
const PAYERS: usize = 8;
/// How long the storm of posts lasts.
pub(super) const STORM: Duration = Duration::from_secs(4 * 60 * 60);

/// How many orders somebody posts in a row: more than may wait for one payer.
const BURST: usize = 5;
/// How late it is seen that something is over, where nobody looks more often: long enough for a late answer to be there first.
const SLOW_EXPIRY: Duration = Duration::from_secs(3 * 60);
/// How long after it was sent something may still reach a bank; less than any bank remembers a key.
const LATEST_ARRIVAL: Duration = Duration::from_secs(10 * 60);

/// Something that is going to happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    /// Somebody orders.
    Post { who: usize },
    /// Somebody edits their post.
    Edit { who: usize, post: Id },
    /// Somebody deletes their post.
    Delete { who: usize, post: Id },
    /// Somebody writes to Obole in private, perhaps under a post; perhaps the right yes, in time, to the question of an effect.
    Say { who: usize, text: String, under: Option<Id>, yes_to: Vec<String> },
    /// A payer answers the bank's own question.
    Approve { bank: usize, authorisation: AuthorisationId, yes: bool },
    /// The payee's bank gives a payment back.
    GiveBack { bank: usize, key: PaymentKey },
    /// The bank tells that a payment has come back.
    TellReturn { key: PaymentKey },
    /// The bank tells that it has a payment which it had refused.
    Contradict { key: PaymentKey },
    /// Somebody calls back about an order.
    Callback,
    /// An operator freezes a payee.
    Freeze { payee: usize },
    /// An operator has looked, and lets the payee be paid again.
    Unfreeze { payee: usize },
    /// What was sent to a bank on a broken connection reaches it, unless that was too long ago.
    Arrive { bank: usize, payment: PaymentInstruction, until: Timestamp },
}

/// A payer.
pub(super) struct Payer {
    pub(super) person: Person,
    pub(super) language: Language,
    pub(super) linked: bool,
    pub(super) bank: usize,
    pub(super) iban: Iban,
    pub(super) consent: String,
}

/// One hand-over to a bank that got an answer, or none because the node died.
pub(super) struct Submitted {
    pub(super) bank: usize,
    pub(super) key: PaymentKey,
    pub(super) at: Timestamp,
    /// When its caller had decided to make it.
    pub(super) begun_at: Timestamp,
    /// The caller was told that it surely was not taken.
    pub(super) surely_not_taken: bool,
}

/// What is remembered of the run.
#[derive(Default)]
pub(super) struct Book {
    /// What is going to happen, by time and number.
    agenda: BTreeMap<(Timestamp, u64), Act>,
    number: u64,
    /// How often each fault happened.
    pub(super) fired: BTreeMap<Fault, u64>,
    /// When something was sent to the platform, whatever came of it.
    pub(super) sent: Vec<Timestamp>,
    /// Every hand-over.
    pub(super) submitted: Vec<Submitted>,
    /// The messages that asked for a confirmation: who was asked and by which effect, by code.
    pub(super) asked: BTreeMap<String, Vec<(usize, String)>>,
    /// Effects whose question was answered with the right yes by the person asked.
    pub(super) said_yes: BTreeSet<String>,
    /// Payments that a bank took, said that it had refused, and told of afterwards.
    pub(super) lied_about: BTreeSet<PaymentKey>,
    /// Which payee, by account, may not be paid from when until when.
    pub(super) frozen: Vec<(Iban, Timestamp, Option<Timestamp>)>,
    /// The newest order that each person has posted.
    newest_post: BTreeMap<usize, Id>,
    /// Who was hinted at in public, when, and under which key.
    pub(super) hinted: Vec<(String, Timestamp, String)>,
    /// Until when a bank is out of order.
    down_until: BTreeMap<usize, Timestamp>,
    /// What banks and people were handed, for the trace.
    notes: Vec<String>,
    /// What went wrong that must not.
    pub(super) violations: Vec<String>,
}

/// The world of one simulation.
pub(super) struct World {
    pub(super) plan: Plan,
    pub(super) dice: Dice,
    pub(super) clock: Arc<ManualClock>,
    pub(super) town: Arc<Town>,
    pub(super) bot: Person,
    pub(super) banks: Vec<(BankName, Arc<FakeBank>, Arc<FakeConnection>)>,
    pub(super) payers: Vec<Payer>,
    pub(super) quota: Window,
    /// How late it is seen that something is over.
    slow_expiry: Duration,
    calm: std::sync::atomic::AtomicBool,
    book: Mutex<Book>,
}

fn start() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap_or(Timestamp::UNIX_EPOCH)
}

impl World {
    /// The world that a plan begins with. Fails only if the fakes contradict themselves.
    pub(super) fn new(plan: &Plan) -> anyhow::Result<Arc<Self>> {
        let dice = Dice::new(plan.seed ^ 0x5EED);
        let clock = Arc::new(ManualClock::at(start()));
        let is_small = dice.permille(plan.rate(Fault::SmallQuota));
        let few = Window::new(5 + u32::try_from(dice.below(36)).unwrap_or(0), Duration::from_secs(3600));
        let quota = if is_small { few } else { Limits::default().statuses };
        let limits = Limits { statuses: quota, ..Limits::default() };
        let town = Arc::new(Town::in_memory(limits, Arc::new(SeededEntropy::new(dice.seed()))));
        let bot = town.join("obole", "Obole", true, clock.now())?;
        let mut banks = Vec::new();
        for (place, rail) in plan.rails.iter().enumerate() {
            let settings = Settings { execution_delay_ms: if dice.permille(500) { 90_000 } else { 0 }, ..Settings::default() };
            let bank = Arc::new(FakeBank::in_memory(settings, clock.clone(), Arc::new(SeededEntropy::new(dice.seed()))));
            let name = BankName(format!("bank{place}"));
            let connection = match rail {
                RailKind::Entries => FakeConnection::new(name.clone(), bank.clone()),
                RailKind::Keys(life) => FakeConnection::with_keys(name.clone(), bank.clone(), *life),
            };
            banks.push((name, bank, Arc::new(connection)));
        }
        for name in PAYEES {
            town.join(name, name, false, clock.now())?;
            for (_, bank, _) in &banks {
                bank.open_account(name, name, Money::new(0, Currency::EUR))?;
            }
        }
        let mut payers = Vec::with_capacity(PAYERS);
        for place in 0..PAYERS {
            let login = format!("payer{place}");
            let bank = place % banks.len();
            let backend = &banks[bank].1;
            let account = backend.open_account(&login, &login, Money::new(100_000_000, Currency::EUR))?;
            payers.push(Payer {
                person: town.join(&login, &login, false, clock.now())?,
                language: if place % 2 == 0 { Language::En } else { Language::Fr },
                linked: place >= 2,
                bank,
                iban: account.iban,
                consent: consent(backend, &login)?,
            });
        }
        let plan = plan.clone();
        let (slow_expiry, calm, book) = (Duration::ZERO, false.into(), Mutex::default());
        let mut world = World { plan, dice, clock, town, bot, banks, payers, quota, slow_expiry, calm, book };
        if is_small {
            world.book().fired.insert(Fault::SmallQuota, 1);
        }
        if world.strikes(Fault::SlowExpiry) {
            world.slow_expiry = SLOW_EXPIRY;
        }
        let mut left = world.plan.posts;
        while left > 0 {
            let (who, at) = (world.dice.below(PAYERS), world.dice.moment(start(), STORM));
            let in_a_row = if world.strikes(Fault::PostBurst) { BURST.min(left) } else { 1 };
            left -= in_a_row;
            for place in 0..in_a_row {
                world.plan_act(later(at, Duration::from_secs(10 * place as u64)), Act::Post { who });
            }
        }
        Ok(Arc::new(world))
    }

    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// From now on nothing goes wrong any more.
    pub(super) fn heal(&self) {
        self.calm.store(true, std::sync::atomic::Ordering::Relaxed);
        self.book().down_until.clear();
    }

    /// How late it is seen at this moment that something is over.
    pub(super) fn slow_expiry(&self) -> Duration {
        if self.calm.load(std::sync::atomic::Ordering::Relaxed) { Duration::ZERO } else { self.slow_expiry }
    }

    /// The place of the payee with this account.
    pub(super) fn payee_of(&self, iban: &Iban) -> Option<usize> {
        let has = |name: &&str| self.payee_iban(name).is_ok_and(|own| own == *iban);
        PAYEES.iter().position(has)
    }

    /// The account that a payee is paid on.
    pub(super) fn payee_iban(&self, name: &str) -> anyhow::Result<Iban> {
        let accounts = self.banks[0].1.accounts_of(name)?;
        accounts.first().map(|view| view.account.iban.clone()).context("a payee has no account")
    }

    /// Whether a fault happens at this chance; counts it.
    pub(super) fn strikes(&self, fault: Fault) -> bool {
        let calm = self.calm.load(std::sync::atomic::Ordering::Relaxed);
        let happens = !calm && self.dice.permille(self.plan.rate(fault));
        if happens {
            *self.book().fired.entry(fault).or_default() += 1;
        }
        happens
    }

    /// Whether a bank is out of order, and may go out of order just now.
    pub(super) fn is_down(&self, bank: usize) -> bool {
        let now = self.now();
        if self.book().down_until.get(&bank).is_some_and(|until| now < *until) {
            return true;
        }
        if !self.strikes(Fault::BankDown) {
            return false;
        }
        let until = later(now, self.dice.between(Duration::from_secs(60), Duration::from_secs(4 * 3600)));
        self.book().down_until.insert(bank, until);
        true
    }

    pub(super) fn plan_act(&self, at: Timestamp, act: Act) {
        let mut book = self.book();
        book.number += 1;
        let number = book.number;
        book.agenda.insert((at, number), act);
    }

    /// When the next thing happens.
    pub(super) fn next_act_at(&self) -> Option<Timestamp> {
        self.book().agenda.first_key_value().map(|((at, _), _)| *at)
    }

    /// What is to happen now, if anything.
    pub(super) fn due_act(&self) -> Option<Act> {
        let now = self.now();
        let mut book = self.book();
        let entry = book.agenda.first_entry()?;
        if entry.key().0 <= now { Some(entry.remove()) } else { None }
    }

    pub(super) fn violate(&self, what: String) {
        self.book().violations.push(what);
    }

    /// Something for the trace that is no step of its own.
    pub(super) fn note(&self, what: String) {
        self.book().notes.push(what);
    }

    /// What was noted since the last time.
    pub(super) fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut self.book().notes)
    }

    /// A node's connection to the town.
    pub(super) fn town_connection(&self, clock: Arc<dyn crate::clock::Clock>) -> anyhow::Result<TownConnection> {
        Ok(TownConnection::new(self.town.clone(), clock, PlatformName::from(TOWN), self.bot.id, &["telethon"])?)
    }

    /// Somebody orders, in one of the ways that people do.
    pub(super) fn post(&self, who: usize) -> anyhow::Result<()> {
        let amounts = ["5€", "10 €", "12,50 euros", "2€", "29 €"];
        let amount = self.dice.pick(&amounts);
        let texts = [
            format!("@obole #donner {amount} @croixrouge #telethon"),
            format!("@obole #send {amount} @bob"),
            format!("@obole #donate {amount} @wateraid @croixrouge"),
            format!("#donner {amount} #telethon"),
            format!("@obole #send {amount} each @bob @wateraid"),
            "@obole #send 31 € @bob".to_owned(),
            "@obole #send 10 @bob".to_owned(),
        ];
        let text = self.dice.pick(&texts).clone();
        let author = self.payers[who].person.id;
        let now = self.now();
        let draft = Draft { text, visibility: Some(Visibility::Public), ..Draft::default() };
        // A person whom the town has had enough of for now posts nothing.
        let Ok(post) = self.town.post(author, draft, now) else { return Ok(()) };
        self.book().newest_post.insert(who, post.id);
        if self.strikes(Fault::PostEdited) {
            self.plan_act(self.dice.moment(now, Duration::from_secs(600)), Act::Edit { who, post: post.id });
        }
        if self.strikes(Fault::PostDeleted) {
            self.plan_act(self.dice.moment(now, Duration::from_secs(600)), Act::Delete { who, post: post.id });
        }
        if self.strikes(Fault::PostCancelled) {
            let at = self.dice.moment(now, Duration::from_secs(300));
            self.plan_act(at, Act::Say { who, text: "#annuler".to_owned(), under: None, yes_to: Vec::new() });
        }
        Ok(())
    }

    /// Lets something happen in town or at a bank. What concerns Obole itself is given back.
    pub(super) fn act(&self, act: Act) -> anyhow::Result<Option<Act>> {
        let now = self.now();
        match act {
            Act::Post { who } => self.post(who)?,
            Act::Edit { who, post } => {
                let revision = Revision { text: Some("@obole #donner 30 € @bob".to_owned()), ..Revision::default() };
                // It may be gone already.
                let _ = self.town.edit(self.payers[who].person.id, post, revision, now);
            }
            Act::Delete { who, post } => {
                let _ = self.town.delete(self.payers[who].person.id, post, now);
            }
            Act::Say { who, text, under, yes_to } => {
                self.book().said_yes.extend(yes_to);
                let (text, visibility) = (format!("@obole {text}"), Some(Visibility::Direct));
                let draft = Draft { text, visibility, in_reply_to: under, ..Draft::default() };
                let _ = self.town.post(self.payers[who].person.id, draft, now);
            }
            Act::Approve { bank, authorisation, yes } => {
                // The bank may have given up waiting.
                let _ = self.banks[bank].1.answer(&authorisation, yes, None);
            }
            Act::GiveBack { bank, key } => {
                let backend = &self.banks[bank].1;
                let payments = backend.payments_with(key.as_str())?;
                let settled =
                    payments.iter().find(|payment| payment.status == crate::bank::fake::Status::Acsc && !payment.returned);
                if let Some(payment) = settled {
                    backend.give_back(&payment.id, &crate::bank::fake::Reason("AC04".to_owned()))?;
                    self.plan_act(later(now, Duration::from_secs(30)), Act::TellReturn { key });
                }
            }
            Act::Arrive { bank, payment, until } => {
                if now <= until {
                    self.arrive(bank, &payment)?;
                }
            }
            ours => return Ok(Some(ours)),
        }
        Ok(None)
    }

    /// A message has arrived at somebody: they may answer it.
    pub(super) fn arrived(&self, at: Id, questions: &[String], text: &str) {
        let Some(who) = self.payers.iter().position(|payer| payer.person.id == at) else { return };
        let codes = codes_in(text);
        let (Some(code), Some(effect)) = (codes.first().cloned(), questions.first()) else { return };
        // The first lines are what is asked about now, each with its own code.
        for (code, question) in codes.iter().zip(questions) {
            self.book().asked.entry(code.clone()).or_default().push((who, question.clone()));
        }
        let now = self.now();
        let soon = || self.dice.moment(now, Duration::from_secs(8 * 60));
        let say = |at, text: String, yes_to| self.plan_act(at, Act::Say { who, text, under: None, yes_to });
        if self.strikes(Fault::StrangersCode) {
            let other = (who + 1) % self.payers.len();
            self.plan_act(soon(), Act::Say { who: other, text: format!("OUI {code}"), under: None, yes_to: Vec::new() });
        }
        if self.strikes(Fault::AnswerNever) {
            return;
        }
        if self.strikes(Fault::AnswerNo) {
            return say(soon(), if self.dice.permille(500) { format!("NON {code}") } else { "NON".to_owned() }, Vec::new());
        }
        if self.strikes(Fault::WrongCode) {
            say(soon(), if code == "000000" { "OUI 000001".to_owned() } else { "OUI 000000".to_owned() }, Vec::new());
            // Some notice, some do not.
            if self.dice.permille(300) {
                return;
            }
        }
        if self.strikes(Fault::AnswerLate) {
            // The code is good for ten minutes from when it was decided to ask, at the latest by a clock that is two seconds ahead.
            let after = self.dice.between(Duration::from_secs(10 * 60 + 3), Duration::from_secs(11 * 60));
            return say(later(now, after), format!("YES {code}"), Vec::new());
        }
        let at = soon();
        // One code for all that is listed, as some people will.
        let (code, meant) = match codes.split_last() {
            Some((all, [_, _, ..])) if self.dice.permille(400) => {
                let asked = self.book().asked.clone();
                let earlier = codes.iter().filter_map(|code| asked.get(code)).flatten();
                let own = earlier.filter(|(asked, _)| *asked == who).map(|(_, question)| question.clone());
                (all.clone(), own.collect())
            }
            _ => (code, vec![effect.clone()]),
        };
        say(at, format!("YES {code}"), meant.clone());
        if self.strikes(Fault::AnswerTwice) {
            let again = self.dice.between(Duration::from_secs(1), Duration::from_secs(60));
            say(later(at, again), format!("OUI {code}"), meant.clone());
        }
        let own = self.book().newest_post.get(&who).copied();
        if own.is_some() && self.strikes(Fault::ChangesMind) {
            let at = later(at, self.dice.between(Duration::from_secs(1), Duration::from_secs(90)));
            self.plan_act(at, Act::Say { who, text: "#annuler".to_owned(), under: own, yes_to: Vec::new() });
        }
    }

    /// Whether the bank has carried a payment out, or is about to.
    pub(super) fn bank_has(&self, bank: usize, key: &PaymentKey) -> Vec<crate::bank::fake::Payment> {
        use crate::bank::fake::Status;
        let payments = self.banks[bank].1.payments_with(key.as_str()).unwrap_or_default();
        payments.into_iter().filter(|payment| !matches!(payment.status, Status::Rjct | Status::Canc)).collect()
    }

    /// What was sent on a connection that broke reaches the bank after all, some time later.
    pub(super) fn arrive_late(&self, bank: usize, payment: &PaymentInstruction) {
        let now = self.now();
        let at = later(now, self.dice.between(Duration::from_secs(1), Duration::from_secs(5 * 60)));
        self.plan_act(at, Act::Arrive { bank, payment: payment.clone(), until: later(now, LATEST_ARRIVAL) });
    }

    fn arrive(&self, bank: usize, payment: &PaymentInstruction) -> anyhow::Result<()> {
        let (_, backend, connection) = &self.banks[bank];
        backend.behave();
        // Nobody hears the answer.
        let _ = connection.submit(payment).now_or_never().context("the fake bank answers at once")?;
        if let Some(taken) = self.bank_has(bank, &payment.key).last() {
            self.taken(bank, &payment.key, &taken.id.0);
        }
        Ok(())
    }

    /// The bank has taken a payment: its payer may be asked by it, and the payee's bank may send the money back.
    pub(super) fn taken(&self, bank: usize, key: &PaymentKey, id: &str) {
        let now = self.now();
        if let Ok(payment) = self.banks[bank].1.payment(&PaymentId(id.to_owned()))
            && let Some(authorisation) = payment.authorisations.last()
        {
            let yes = self.dice.permille(700);
            let at = self.dice.moment(now, Duration::from_secs(6 * 60));
            self.plan_act(at, Act::Approve { bank, authorisation: authorisation.clone(), yes });
        }
        if self.strikes(Fault::BankReturns) {
            let at = later(now, self.dice.between(Duration::from_secs(600), Duration::from_secs(24 * 3600)));
            self.plan_act(at, Act::GiveBack { bank, key: key.clone() });
        }
        if self.strikes(Fault::Callback) {
            for _ in 0..2 {
                self.plan_act(self.dice.moment(now, Duration::from_secs(60)), Act::Callback);
            }
        }
    }
}

fn consent(bank: &FakeBank, login: &str) -> anyhow::Result<String> {
    let wish = ConsentWish {
        scope: Scope::Dedicated { accounts: Wanted::Offered, balances: Wanted::Offered, transactions: Wanted::Offered },
        recurring: true,
        valid_until: jiff::civil::date(2099, 1, 1),
        frequency_per_day: 4,
        login: None,
    };
    let consent = bank.ask_consent(wish, ReturnTo { approved: Some("https://obole.example".to_owned()), refused: None })?;
    if let Some(authorisation) = consent.authorisations.last() {
        bank.answer(authorisation, true, Some(login))?;
    }
    Ok(consent.id.0)
}

/// The six digits that a confirmation asks to be sent back.
pub(super) fn code_in(text: &str) -> Option<String> {
    let after = ["OUI ", "YES "].iter().find_map(|word| text.find(word).map(|at| at + word.len()))?;
    let code: String = text[after..].chars().take_while(char::is_ascii_digit).collect();
    (code.len() == 6).then_some(code)
}

/// Every code of a message, from the first line to the last.
pub(super) fn codes_in(text: &str) -> Vec<String> {
    text.lines().filter_map(code_in).collect()
}
