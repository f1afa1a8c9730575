//! Enrolment: from a browser session to a linked payer. The steps are told in `crate::people::enrolment`.
//!
//! Each step is one short transaction; the calls to the bank stand between them. Whatever a returning browser says only makes us
//! ask the bank. The last step, which makes somebody a payer, goes through the ledger, because it also wakes the orders that
//! waited for this person.

use subtle::ConstantTimeEq as _;

use super::App;
use super::account;
use super::desk::{Addressee, Desk};
use super::intake::orders_awaiting_payer;
use super::invite;
use super::ledger::{Answer, Ledger, LedgerError, Work};
use crate::bank::{ConsentStanding, ConsentedAccount, TryAgain};
use crate::clock::later;
use crate::crash::crash_point;
use crate::entropy::random_bytes;
use crate::iban::Iban;
use crate::ids::{BankName, PersonId, hex};
use crate::messages::{Changed, Message};
use crate::order::{Event, Payer};
use crate::people::enrolment::{CODE_LIFE, Candidate, Enrolment, EnrolmentCode, SESSION_LIFE, Step};
use crate::people::{BankAccount, Language, Link, Person};
use crate::platform::Post;
use crate::store::StoreError;

/// Why a step of an enrolment could not be made.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// No such bank is configured.
    #[error("no bank is called {0}")]
    NoSuchBank(BankName),
    /// The bank did not answer as it should.
    #[error("the bank did not answer as it should: {0}")]
    Bank(#[from] TryAgain),
    /// The step does not follow from where the enrolment stands.
    #[error("this enrolment is not at that step")]
    WrongStep,
    /// The account chosen is not one that the bank's consent covers.
    #[error("the bank's consent does not cover that account")]
    NotConsented,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The link could not be committed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// What names an enrolment to its browser: 256 random bits, kept by us as a keyed hash only.
pub struct SessionToken(pub String);

/// Starts an enrolment: asks the bank for a consent. The browser gets the token, and goes to the bank's page.
pub async fn begin(
    app: &App,
    bank: &BankName,
    language: Language,
    safe_phrase: &str,
) -> Result<(SessionToken, Enrolment), EnrolError> {
    ask_for_consent(app, bank, language, safe_phrase, None).await
}

/// Starts to add an account at a bank to somebody who is known: the same, without a code at the end.
pub async fn begin_connecting(app: &App, bank: &BankName, person: &PersonId) -> Result<(SessionToken, Enrolment), EnrolError> {
    let known = app.store.begin_reading().await?.known(person, app.clock.now()).await?.ok_or(EnrolError::WrongStep)?;
    let Person { language, safe_phrase, .. } = known.person;
    ask_for_consent(app, bank, language, &safe_phrase, Some(person.clone())).await
}

/// Starts to add an account on a platform to somebody who is known: a code to send from there, without the bank.
pub async fn begin_linking(app: &App, person: &PersonId) -> Result<(SessionToken, Enrolment), EnrolError> {
    let known = app.store.begin_reading().await?.known(person, app.clock.now()).await?.ok_or(EnrolError::WrongStep)?;
    let account = known.accounts.into_iter().next().ok_or(EnrolError::WrongStep)?;
    let token = SessionToken(hex(&random_bytes::<32>(app.entropy.as_ref())));
    let consent = account.consent.unwrap_or_default();
    let enrolment = Enrolment {
        session: session_hash(app, &token),
        language: known.person.language,
        safe_phrase: known.person.safe_phrase,
        bank: account.bank,
        created_at: app.clock.now(),
        step: Step::AwaitingConsent { consent: consent.clone(), authorise_at: String::new() },
        person: Some(person.clone()),
    };
    let enrolment = show_code(app, enrolment, consent, account.iban).await?;
    Ok((token, enrolment))
}

async fn ask_for_consent(
    app: &App,
    bank: &BankName,
    language: Language,
    safe_phrase: &str,
    person: Option<PersonId>,
) -> Result<(SessionToken, Enrolment), EnrolError> {
    let backend = app.banks.get(bank).ok_or_else(|| EnrolError::NoSuchBank(bank.clone()))?;
    let token = SessionToken(hex(&random_bytes::<32>(app.entropy.as_ref())));
    let session = session_hash(app, &token);
    let return_url = format!("{}/enrol/return?state={}", app.public_url, consent_state(app, &session));
    let consent = backend.request_consent(&return_url).await?;
    crash_point!("enrol.consent_given", return Err(StoreError: connection_lost));
    let enrolment = Enrolment {
        session,
        language,
        safe_phrase: safe_phrase.to_owned(),
        bank: bank.clone(),
        created_at: app.clock.now(),
        step: Step::AwaitingConsent { consent: consent.consent_id, authorise_at: consent.authorise_at },
        person,
    };
    save(app, &enrolment, None).await?;
    Ok((token, enrolment))
}

/// Where the enrolment of a browser stands; `None` if it has none, or none that is still good.
pub async fn find(app: &App, token: &SessionToken) -> Result<Option<Enrolment>, EnrolError> {
    let mut tx = app.store.begin_reading().await?;
    let found = tx.enrolment_of_session(&session_hash(app, token)).await?;
    Ok(found.filter(|enrolment| app.clock.now() < later(enrolment.created_at, SESSION_LIFE)))
}

/// What only the browser that was at the bank brings back. Without it, somebody could send the bank's page to another person, and link
/// that person's consent and account to their own session.
fn consent_state(app: &App, session: &str) -> String {
    app.secret.lookup_hash("consent-state", session)
}

/// Whether `state`, which a returning browser brings, is the one that this enrolment's consent was asked with.
pub fn is_from_bank(app: &App, enrolment: &Enrolment, state: &str) -> bool {
    consent_state(app, &enrolment.session).as_bytes().ct_eq(state.as_bytes()).into()
}

/// Asks the bank how the consent stands, and goes on if it was given. A browser coming back from the bank is a reason to ask, and
/// no more.
pub async fn ask_bank(app: &App, mut enrolment: Enrolment) -> Result<Enrolment, EnrolError> {
    let Step::AwaitingConsent { consent, .. } = &enrolment.step else { return Ok(enrolment) };
    let consent = consent.clone();
    let backend = app.banks.get(&enrolment.bank).ok_or_else(|| EnrolError::NoSuchBank(enrolment.bank.clone()))?;
    let currency = app.limits.now().limits.currency;
    let step = match backend.consent(&consent).await? {
        ConsentStanding::Pending => return Ok(enrolment),
        ConsentStanding::Gone => Step::Abandoned { reason: "consent_refused".to_owned() },
        ConsentStanding::Valid { accounts } => {
            note_holders(app, &enrolment.bank, &consent, &accounts).await?;
            let ibans: Vec<Iban> =
                accounts.into_iter().filter(|account| account.currency == currency).map(|account| account.iban).collect();
            match <[Iban; 1]>::try_from(ibans) {
                Ok([iban]) => return granted(app, enrolment, consent, iban).await,
                Err(ibans) if ibans.is_empty() => Step::Abandoned { reason: "no_account".to_owned() },
                Err(accounts) => Step::ChoosingAccount { consent, accounts },
            }
        }
    };
    enrolment.step = step;
    save(app, &enrolment, None).await?;
    Ok(enrolment)
}

/// Writes down whose the accounts are, as the bank says: what somebody claims with who is to be paid.
async fn note_holders(app: &App, bank: &BankName, consent: &str, accounts: &[ConsentedAccount]) -> Result<(), StoreError> {
    let named: Vec<_> = accounts.iter().filter_map(|account| Some((&account.iban, account.holder.as_deref()?.trim()))).collect();
    if named.iter().all(|(_, name)| name.is_empty()) {
        return Ok(());
    }
    let mut tx = app.store.begin().await?;
    for (iban, name) in named.into_iter().filter(|(_, name)| !name.is_empty()) {
        tx.note_holder(bank, iban, name, consent, app.clock.now()).await?;
    }
    tx.commit().await
}

/// The person chose one of the accounts that the consent covers.
pub async fn choose_account(app: &App, enrolment: Enrolment, iban: &Iban) -> Result<Enrolment, EnrolError> {
    let Step::ChoosingAccount { consent, accounts } = &enrolment.step else { return Err(EnrolError::WrongStep) };
    if !accounts.contains(iban) {
        return Err(EnrolError::NotConsented);
    }
    let consent = consent.clone();
    granted(app, enrolment, consent, iban.clone()).await
}

/// The bank agreed for one account: somebody new sends a code next, somebody known has the account.
async fn granted(app: &App, mut enrolment: Enrolment, consent: String, iban: Iban) -> Result<Enrolment, EnrolError> {
    let Some(person) = enrolment.person.clone() else { return show_code(app, enrolment, consent, iban).await };
    let mut desk = Desk::open(app).await?;
    desk.tx.lock_people(&[&person]).await?;
    let account = BankAccount { person: person.clone(), bank: enrolment.bank.clone(), iban: iban.clone(), consent: Some(consent) };
    desk.tx.insert_bank_account(&account, desk.now).await?;
    enrolment.step = Step::Connected { person: person.clone(), iban };
    desk.tx.save_enrolment(&enrolment, None).await?;
    account::tell_change(&mut desk, &person, Changed::BankAdded).await?;
    desk.commit().await?;
    app.signals.enrolments.notify_waiters();
    Ok(enrolment)
}

/// The code that the page shows. It is derived, not stored, so a page that is loaded again shows the same one.
pub fn shown_code(app: &App, enrolment: &Enrolment) -> Option<EnrolmentCode> {
    match &enrolment.step {
        Step::AwaitingCode { until, .. } => Some(app.secret.enrolment_code(&enrolment.session, *until)),
        _ => None,
    }
}

/// A fresh code, after the one before ran out or was sent from the wrong account.
pub async fn renew_code(app: &App, enrolment: Enrolment) -> Result<Enrolment, EnrolError> {
    let (Step::AwaitingCode { consent, iban, .. } | Step::AwaitingWord { consent, iban, .. }) = &enrolment.step else {
        return Err(EnrolError::WrongStep);
    };
    let (consent, iban) = (consent.clone(), iban.clone());
    show_code(app, enrolment, consent, iban).await
}

async fn show_code(app: &App, mut enrolment: Enrolment, consent: String, iban: Iban) -> Result<Enrolment, EnrolError> {
    let until = later(app.clock.now(), CODE_LIFE);
    let code = app.secret.enrolment_code(&enrolment.session, until);
    enrolment.step = Step::AwaitingCode { consent, iban, until };
    save(app, &enrolment, Some(&code)).await?;
    Ok(enrolment)
}

/// The person says in the browser whether the account that sent the code is theirs.
pub async fn say(app: &App, ledger: &Ledger, mut enrolment: Enrolment, is_mine: bool) -> Result<Enrolment, EnrolError> {
    if !matches!(enrolment.step, Step::AwaitingWord { .. }) {
        return Err(EnrolError::WrongStep);
    }
    if !is_mine {
        enrolment.step = Step::Abandoned { reason: "not_me".to_owned() };
        save(app, &enrolment, None).await?;
        return Ok(enrolment);
    }
    let session = enrolment.session.clone();
    match ledger.decide(Work::Word { enrolment: Box::new(enrolment) }).await? {
        Answer::Done(_) | Answer::Said(_) => {}
        Answer::Void(reason) => tracing::info!(reason, "an enrolment did not link"),
    }
    let mut tx = app.store.begin_reading().await?;
    tx.enrolment_of_session(&session).await?.ok_or(EnrolError::WrongStep)
}

async fn save(app: &App, enrolment: &Enrolment, code: Option<&EnrolmentCode>) -> Result<(), EnrolError> {
    let mac = code.map(|code| code_hash(app, code));
    let mut tx = app.store.begin().await?;
    tx.save_enrolment(enrolment, mac.as_deref()).await?;
    tx.commit().await?;
    app.signals.enrolments.notify_waiters();
    Ok(())
}

fn session_hash(app: &App, token: &SessionToken) -> String {
    app.secret.lookup_hash("enrolment-session", &token.0)
}

fn code_hash(app: &App, code: &EnrolmentCode) -> String {
    app.secret.lookup_hash("enrolment-code", code.as_str())
}

/// A private message carried an enrolment code: the account becomes the candidate that the browser will be shown.
pub(super) async fn code_arrived(
    desk: &mut Desk<'_>,
    platform: &crate::ids::PlatformName,
    post: &Post,
    code: &EnrolmentCode,
) -> Result<(), StoreError> {
    crash_point!("enrol.code_arrived", return Err(StoreError: connection_lost));
    let language = post.language.as_deref().and_then(Language::from_tag);
    let mac = code_hash(desk.app, code);
    let found = desk.tx.enrolment_of_code(&mac).await?;
    let to = |language| Addressee {
        platform,
        account: &post.author.id,
        handle: &post.author.handle,
        language,
        safe_phrase: None,
        thread: Some(&post.native_id),
    };
    let Some(mut enrolment) = found else {
        let is_used = desk.tx.is_used_code(&mac).await?;
        let message = if is_used { Message::EnrolmentCodeUsed } else { Message::EnrolmentCodeUnknown };
        desk.say(&to(language.unwrap_or_default()), message);
        return Ok(());
    };
    let language = enrolment.language;
    let message = match enrolment.step.clone() {
        Step::AwaitingCode { until, .. } if until <= desk.now => Message::EnrolmentCodeExpired,
        Step::AwaitingCode { consent, iban, .. } => {
            if let Some(owner) = desk.tx.person_of(platform, &post.author.id).await?
                && !is_theirs(desk, &owner, &enrolment, &iban).await?
            {
                Message::EnrolmentAlreadyLinked
            } else {
                let candidate = Candidate {
                    platform: platform.clone(),
                    account: post.author.id.clone(),
                    handle: post.author.handle.clone(),
                    thread: post.native_id.clone(),
                };
                enrolment.step = Step::AwaitingWord { consent, iban, candidate };
                // The code is used up with this: it is not looked up by its hash any more.
                desk.tx.save_enrolment(&enrolment, None).await?;
                desk.tx.use_code(&enrolment.session, &mac).await?;
                Message::EnrolmentReceived
            }
        }
        _ => Message::EnrolmentCodeUnknown,
    };
    desk.say(&to(language), message);
    desk.app.signals.enrolments.notify_waiters();
    Ok(())
}

/// Makes the candidate a payer: person, account, link, and the orders that waited for them. `Err(why)` if the account was linked
/// by somebody else meanwhile, or the step is not the one stored any more.
pub(super) async fn link(desk: &mut Desk<'_>, shown: &Enrolment) -> Result<Result<(), String>, StoreError> {
    let Some(mut enrolment) = desk.tx.enrolment_of_session(&shown.session).await? else {
        return Ok(Err("the enrolment is gone".to_owned()));
    };
    let Step::AwaitingWord { consent, iban, candidate } = enrolment.step.clone() else {
        return Ok(Err("the enrolment is not waiting for a word".to_owned()));
    };
    // What the person said yes to is what the page showed, not what a second message put there afterwards.
    if enrolment.step != shown.step {
        return Ok(Err("another account has sent the code since".to_owned()));
    }
    let owner = desk.tx.person_of(&candidate.platform, &candidate.account).await?;
    let known = enrolment.person.clone().or_else(|| owner.clone());
    if let Some(person) = known {
        let account =
            BankAccount { person: person.clone(), bank: enrolment.bank.clone(), iban: iban.clone(), consent: Some(consent) };
        enrolment.step = match owner {
            Some(owner) if owner != person || !is_theirs(desk, &owner, &enrolment, &iban).await? => {
                Step::Abandoned { reason: "already_linked".to_owned() }
            }
            owner => {
                link_to_known(desk, &account, &candidate, owner.is_some()).await?;
                Step::Done { person, handle: candidate.handle.clone() }
            }
        };
        desk.tx.save_enrolment(&enrolment, None).await?;
        desk.app.signals.enrolments.notify_waiters();
        return Ok(Ok(()));
    }
    let person = Person {
        id: PersonId::new(desk.now, desk.app.entropy.as_ref()),
        language: enrolment.language,
        safe_phrase: enrolment.safe_phrase.clone(),
        created_at: desk.now,
    };
    let link = Link {
        platform: candidate.platform.clone(),
        account: candidate.account.clone(),
        handle: candidate.handle.clone(),
        person: person.id.clone(),
        thread: Some(candidate.thread.clone()),
    };
    let account = BankAccount { person: person.id.clone(), bank: enrolment.bank.clone(), iban, consent: Some(consent) };
    desk.tx.insert_person(&person).await?;
    if desk.tx.insert_link(&link, desk.now).await? {
        desk.tx.insert_bank_account(&account, desk.now).await?;
        crash_point!("enrol.linked", return Err(StoreError: disk_full));
        enrolment.step = Step::Done { person: person.id.clone(), handle: candidate.handle.clone() };
        wake_waiting_orders(desk, &person, &account, &candidate).await?;
        invite::claimed(desk, &account, &candidate.platform, &candidate.account, &candidate.handle).await?;
        let to = Addressee {
            platform: &candidate.platform,
            account: &candidate.account,
            handle: &candidate.handle,
            language: person.language,
            safe_phrase: Some(&person.safe_phrase),
            thread: Some(&candidate.thread),
        };
        desk.say(&to, Message::linked(&desk.app.limits.now().limits));
    } else {
        enrolment.step = Step::Abandoned { reason: "already_linked".to_owned() };
    }
    desk.tx.save_enrolment(&enrolment, None).await?;
    desk.app.signals.enrolments.notify_waiters();
    Ok(Ok(()))
}

/// Whether an account that is linked already may be shown once more: to add nothing (their passkey began it), or because the bank's
/// consent is for an account of theirs, which together with the message proves who it is.
async fn is_theirs(desk: &mut Desk<'_>, owner: &PersonId, enrolment: &Enrolment, iban: &Iban) -> Result<bool, StoreError> {
    if let Some(person) = &enrolment.person {
        return Ok(person == owner);
    }
    let accounts = desk.tx.bank_accounts_of(owner).await?;
    Ok(accounts.iter().any(|account| account.bank == enrolment.bank && account.iban == *iban))
}

/// Links an account on a platform to somebody who is known, or renews what the bank has agreed to.
async fn link_to_known(
    desk: &mut Desk<'_>,
    account: &BankAccount,
    candidate: &Candidate,
    is_linked: bool,
) -> Result<(), StoreError> {
    let person = &account.person;
    desk.tx.lock_people(&[person]).await?;
    if is_linked {
        desk.tx.insert_bank_account(account, desk.now).await?;
        return account::tell_change(desk, person, Changed::LinkedAgain).await;
    }
    let link = Link {
        platform: candidate.platform.clone(),
        account: candidate.account.clone(),
        handle: candidate.handle.clone(),
        person: person.clone(),
        thread: Some(candidate.thread.clone()),
    };
    desk.tx.insert_link(&link, desk.now).await?;
    account::tell_change(desk, person, Changed::AccountAdded).await?;
    let Some(known) = desk.tx.known(person, desk.now).await? else { return Ok(()) };
    // Of a locked account nothing is asked; what waited for the link runs out.
    if let (None, Some(paying)) = (known.locked_at, known.accounts.first()) {
        wake_waiting_orders(desk, &known.person, paying, candidate).await?;
    }
    Ok(())
}

async fn wake_waiting_orders(
    desk: &mut Desk<'_>,
    person: &Person,
    account: &BankAccount,
    candidate: &Candidate,
) -> Result<(), StoreError> {
    let waiting = orders_awaiting_payer(desk, &candidate.platform, &candidate.account).await?;
    let most = usize::try_from(desk.app.limits.now().limits.open_orders).unwrap_or(usize::MAX);
    for (place, order) in waiting.iter().enumerate() {
        let payer = Payer {
            person: person.id.clone(),
            bank: account.bank.clone(),
            iban: account.iban.clone(),
            consent: account.consent.clone(),
        };
        let event = Event::PayerLinked { payer, language: person.language, salt: desk.salt() };
        let _ = desk.happen(order, &event).await?;
        if place >= most {
            let reason = crate::order::Rejection::TooManyOpen { limit: desk.app.limits.now().limits.open_orders };
            let _ = desk.happen(order, &Event::Refused { reason }).await?;
        }
    }
    Ok(())
}
