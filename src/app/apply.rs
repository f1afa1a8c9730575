//! Applying to become a payee: what the page hands in, and what operators make of it.
//!
//! An application proves nothing. It is filed with the immutable id that the platform says the handle has, and waits in the operators'
//! list; the first operator accepts it with the document that proves the account, which becomes a proposal, and a second one approves it.
//! An entry that is called almost like another is frozen from its first moment, so that releasing it takes two operators once more.

use super::App;
use super::changes::{Change, PinnedAccount};
use super::desk::Desk;
use super::directory;
use super::operate::Operator;
use crate::ids::{ApplicationId, ChangeId, PlatformName};
use crate::people::application::{Application, Field, Written};
use crate::people::likeness::{imitates, name_of};
use crate::people::{Class, Language};
use crate::store::StoreError;
use serde_json::json;

/// Applications that wait at one time; more are nobody's work any more.
const MOST_OPEN: i64 = 500;

/// What came of handing in an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// It is filed.
    Filed(ApplicationId),
    /// One of this account waits already.
    Waiting,
    /// The account is a payee's already.
    Known,
    /// These fields cannot be right.
    Wrong(Vec<Field>),
    /// The platform could not be asked, or too many wait.
    Later,
}

/// Hands in an application.
pub async fn apply(app: &App, written: &Written, language: Language) -> Result<Applied, StoreError> {
    let sound = match written.read() {
        Ok(sound) => sound,
        Err(wrong) => return Ok(Applied::Wrong(wrong)),
    };
    let name = PlatformName(written.platform.clone());
    let Some(platform) = app.platforms.get(&name) else { return Ok(Applied::Wrong(vec![Field::Handle])) };
    let account = match platform.look_up(&sound.handle).await {
        Ok(Some(account)) => account,
        Ok(None) => return Ok(Applied::Wrong(vec![Field::Handle])),
        Err(error) => {
            tracing::warn!(platform.name = %name, %error, "the handle of an application could not be looked up");
            return Ok(Applied::Later);
        }
    };
    let mut tx = app.store.begin().await?;
    if !tx.payees_by_account(&name, &[&account.id]).await?.is_empty() {
        return Ok(Applied::Known);
    }
    if i64::try_from(tx.open_applications(MOST_OPEN).await?.len()).unwrap_or(MOST_OPEN) >= MOST_OPEN {
        return Ok(Applied::Later);
    }
    let now = app.clock.now();
    let application = Application {
        id: ApplicationId::new(now, app.entropy.as_ref()),
        legal_name: sound.legal_name,
        class: sound.class,
        registry_number: sound.registry_number,
        iban: sound.iban,
        platform: name,
        handle: sound.handle,
        account: account.id,
        contact: sound.contact,
        language,
        state: "open".to_owned(),
        submitted_at: now,
    };
    if !tx.file_application(&application).await? {
        return Ok(Applied::Waiting);
    }
    tx.commit().await?;
    tracing::warn!(application.id = %application.id, "somebody applies to be a payee: obole operator list");
    Ok(Applied::Filed(application.id))
}

/// What an operator should know of a name or account before they believe it: who in the directory is called almost so, or has it.
pub(super) async fn doubts(
    tx: &mut crate::store::Tx,
    platform: &PlatformName,
    handle: &str,
    legal_name: &str,
    iban: &str,
) -> Result<Vec<String>, StoreError> {
    let mut doubts = Vec::new();
    for known in tx.known_names(platform).await? {
        let slug = &known.slug;
        if imitates(name_of(handle), name_of(&known.handle), known.class) {
            doubts.push(format!("the handle {handle} looks like {} of payee:{slug}", known.handle));
        }
        // Two people may bear one name.
        if known.class != Class::Person && imitates(legal_name, &known.legal_name, known.class) {
            doubts.push(format!("the name {legal_name:?} looks like {:?} of payee:{slug}", known.legal_name));
        }
    }
    if let Some((slug, _)) = tx.payee_of_iban(iban).await? {
        doubts.push(format!("the account is that of payee:{slug}"));
    }
    doubts.dedup();
    Ok(doubts)
}

/// The first of two operators has seen what proves the account.
pub(super) async fn accept(
    desk: &mut Desk<'_>,
    by: &Operator,
    id: &ApplicationId,
    slug: &str,
    proof: &str,
) -> Result<Result<String, String>, StoreError> {
    let Some(application) = desk.tx.application(id).await?.filter(|application| application.state == "open") else {
        return Ok(Err(format!("no application {id} is open")));
    };
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if slug.is_empty() || slug.len() > 40 || !slug.chars().all(fits) {
        return Ok(Err("a payee's name in the directory has 1 to 40 small letters, digits and hyphens".to_owned()));
    }
    if desk.tx.payee_named(slug).await?.is_some() {
        return Ok(Err(format!("the directory has a payee called {slug} already")));
    }
    let Application { platform, account, handle, legal_name, class, iban, registry_number, .. } = application;
    let change = Change::Applicant {
        application: id.clone(),
        slug: slug.to_owned(),
        legal_name,
        class,
        iban,
        registry_number,
        account: PinnedAccount { platform, account, handle },
        proof: proof.to_owned(),
    };
    let change_id = ChangeId::new(desk.now, desk.app.entropy.as_ref());
    let subject = change.subject();
    if desk.tx.propose_change(&change_id, &subject, &change.write()?, Some(by.as_str()), desk.now).await?.is_none() {
        return Ok(Err(format!("{subject} is proposed already; see obole operator list")));
    }
    desk.tx.end_application(id, "accepted", desk.now).await?;
    let detail = json!({ "application": id, "change": change_id, "proof": proof, "of": change.masked() }).to_string();
    desk.tx.write_act(by.as_str(), "application_accepted", &subject, detail, desk.now).await?;
    Ok(Ok(format!("proposed as change {change_id}; {subject} can be paid when another operator approves it")))
}

/// An application comes to nothing.
pub(super) async fn refuse(
    desk: &mut Desk<'_>,
    by: &Operator,
    id: &ApplicationId,
    note: &str,
) -> Result<Result<String, String>, StoreError> {
    if !desk.tx.end_application(id, "refused", desk.now).await? {
        return Ok(Err(format!("no application {id} is open")));
    }
    let detail = json!({ "note": note }).to_string();
    desk.tx.write_act(by.as_str(), "application_refused", &format!("application:{id}"), detail, desk.now).await?;
    Ok(Ok(format!("application {id} is refused; whoever applied is told by you, not by Obole")))
}

/// Applications that wait, each with what speaks against it.
pub(super) async fn open(app: &App, at_most: i64) -> Result<Vec<(Application, Vec<String>)>, StoreError> {
    let mut tx = app.store.begin_reading().await?;
    let mut open = Vec::new();
    for application in tx.open_applications(at_most).await? {
        let Application { platform, handle, legal_name, iban, .. } = &application;
        let doubts = doubts(&mut tx, platform, handle, legal_name, iban.as_str()).await?;
        open.push((application, doubts));
    }
    Ok(open)
}

/// Puts an approved applicant into the directory.
pub(super) async fn enter(
    desk: &mut Desk<'_>,
    slug: &str,
    entry: crate::people::Payee,
    account: &PinnedAccount,
    origin: &str,
    proof: &str,
) -> Result<Result<String, String>, StoreError> {
    if desk.tx.payee_named(slug).await?.is_some() {
        return Ok(Err(format!("the directory has a payee called {slug} already")));
    }
    let doubts = doubts(&mut desk.tx, &account.platform, &account.handle, &entry.legal_name, entry.iban.as_str()).await?;
    let payee = desk.tx.save_payee(slug, &entry).await?;
    let identity = directory::identity(account, payee.clone());
    if !desk.tx.save_payee_identity(&identity).await? {
        return Ok(Err(format!("{} on {} is another payee's", identity.handle, identity.platform)));
    }
    desk.tx.prove_payee(&payee, origin, proof).await?;
    if doubts.is_empty() {
        return Ok(Ok(format!("in force: payee {slug}")));
    }
    desk.tx.freeze_payee(&payee, &doubts.join("; "), desk.now).await?;
    Ok(Ok(format!("in the directory, and frozen until two operators release it: payee {slug}: {}", doubts.join("; "))))
}
