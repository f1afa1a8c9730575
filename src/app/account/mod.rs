//! What a person does on the pages behind a passkey: confirm, decline, look, change, be forgotten.
//!
//! # A confirmation by passkey, line by line
//!
//! | step | committed before it | if the process dies right after it |
//! |---|---|---|
//! | ask: the private message with the link | order `AwaitingConfirmation`, `by` a passkey, its digest | the message is written again, with the same link: the token is derived, not stored |
//! | `GET` the page | – | nothing: looking changes nothing |
//! | begin: a challenge for the browser, if the order still is what the page showed | – | the row of the ceremony is there or not; unused it runs out after [`ceremony::LIFE`] |
//! | the person touches the key | ceremony: person, order, digest of what was shown | the same answer may be sent again |
//! | finish, in the ledger | – | nothing has happened; the same answer may be sent again |
//! | the ledger's commit | ceremony deleted, passkey's counter, order `Confirmed` with its digest, limits reserved, the low-value limits begun anew, audit line, effects: all or nothing | the order is confirmed and goes on by itself; the same answer again finds no ceremony and confirms nothing |
//!
//! So an answer counts once, for the order it was asked for, and only while that order is what the page showed: the digest over order,
//! payer, debtor account, every payee with IBAN and share, total and reference is written down with the challenge, compared when the
//! answer comes, and again before every submission (PSD2 RTS Art. 5). The confirmation itself is the same event, in the same function
//! and the same commit, as that of a private answer (`order::decide`); only what it takes differs.
//!
//! A ceremony that ends badly is deleted too: whoever wants another try asks for another challenge.
//!
//! Everything here that decides goes through the [`ledger`](super::ledger) as an [`Act`]; entering and leaving decide nothing and are
//! short transactions of their own.

mod answers;
pub mod ceremony;
mod forget;
pub mod session;
mod settings;
pub mod view;

use subtle::ConstantTimeEq as _;
use webauthn_rs::prelude::{PublicKeyCredential, RegisterPublicKeyCredential};

use super::App;
use super::desk::{Addressee, Desk};
use super::ledger::{Answer, Ledger, LedgerError, Work};
use crate::ids::{OrderId, PersonId};
use crate::messages::{Changed, Message, Page};
use crate::order::state::{LimitKind, Rejection};
use crate::order::{Means, Notice, Order, OrderState};
use crate::people::{BankAccount, Language};
use crate::store::StoreError;

pub use ceremony::{Begun, RelyingParty};
pub use session::{SessionToken, Visit};

/// Why something on these pages did not happen. Nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// The ceremony was used before, ran out, or was begun by somebody else.
    Gone,
    /// The passkey's answer does not hold.
    NotVerified,
    /// The order is not waiting for an answer (any more).
    NotWaiting,
    /// The order is not what was shown.
    Changed,
    /// The passkey is too new for this.
    TooNew,
    /// The person has no passkey.
    NoPasskey,
    /// It is somebody else's.
    NotYours,
    /// The last one cannot be taken away.
    Last,
    /// More are not somebody's own.
    TooMany,
    /// Something of the person is still under way.
    UnderWay,
    /// What was written is not what it has to be.
    Unreadable,
    /// These pages have no address that passkeys can be bound to.
    Unavailable,
}

impl Problem {
    const ALL: [Problem; 12] = [
        Problem::Gone,
        Problem::NotVerified,
        Problem::NotWaiting,
        Problem::Changed,
        Problem::TooNew,
        Problem::NoPasskey,
        Problem::NotYours,
        Problem::Last,
        Problem::TooMany,
        Problem::UnderWay,
        Problem::Unreadable,
        Problem::Unavailable,
    ];

    /// The name for programs.
    pub fn name(self) -> &'static str {
        match self {
            Problem::Gone => "ceremony_gone",
            Problem::NotVerified => "not_verified",
            Problem::NotWaiting => "not_waiting",
            Problem::Changed => "order_changed",
            Problem::TooNew => "passkey_too_new",
            Problem::NoPasskey => "no_passkey",
            Problem::NotYours => "not_yours",
            Problem::Last => "last_one",
            Problem::TooMany => "too_many",
            Problem::UnderWay => "under_way",
            Problem::Unreadable => "unreadable",
            Problem::Unavailable => "no_passkeys_here",
        }
    }

    fn named(name: &str) -> Problem {
        Problem::ALL.into_iter().find(|problem| problem.name() == name).unwrap_or(Problem::NotWaiting)
    }
}

/// Why a request was not answered.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// It cannot be done.
    #[error("{}", .0.name())]
    Problem(Problem),
    /// The database failed; nothing has changed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The same, while deciding.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl From<Problem> for AccountError {
    fn from(problem: Problem) -> Self {
        AccountError::Problem(problem)
    }
}

/// A passkey's answer to a challenge: the name of the ceremony, and what the browser made of it.
#[derive(Debug, Clone)]
pub struct Signed {
    /// What the browser was given with the challenge.
    pub ceremony: String,
    /// The assertion.
    pub answer: Box<PublicKeyCredential>,
}

/// A new passkey, as the browser made it.
#[derive(Debug, Clone)]
pub struct Made {
    /// What the browser was given with the challenge.
    pub ceremony: String,
    /// The attestation.
    pub answer: Box<RegisterPublicKeyCredential>,
}

/// Something that a person decides on these pages. Who may, was checked by whoever makes one: by a session, by the token of an
/// order's page, or by the ceremony in it.
#[derive(Debug, Clone)]
pub enum Act {
    /// Yes to an order, by a passkey.
    Confirm {
        /// Which.
        order: OrderId,
        /// Who says so.
        signed: Signed,
    },
    /// No to an order.
    Decline {
        /// Which.
        order: OrderId,
    },
    /// An order, or a change of their settings, was not theirs.
    Disown {
        /// Whose it would have been.
        person: PersonId,
        /// The order, if it is about one.
        order: Option<OrderId>,
    },
    /// A new passkey.
    AddPasskey {
        /// What it was begun with: a session's or an enrolment's hash.
        binding: String,
        /// The passkey.
        made: Made,
    },
    /// One passkey fewer.
    RemovePasskey {
        /// Whose.
        person: PersonId,
        /// Which.
        passkey: String,
    },
    /// Another safe phrase.
    SetPhrase {
        /// Whose.
        person: PersonId,
        /// The words, checked.
        phrase: String,
    },
    /// Another language.
    SetLanguage {
        /// Whose.
        person: PersonId,
        /// Which.
        language: Language,
    },
    /// Other limits of one's own, in minor units; `None`: none of one's own.
    SetLimits {
        /// Whose.
        person: PersonId,
        /// The most in one order.
        order_minor: Option<i64>,
        /// The most in 24 hours.
        day_minor: Option<i64>,
    },
    /// Another account pays from now on.
    PayFrom {
        /// Which.
        account: BankAccount,
    },
    /// An account on a platform is not linked any more.
    Unlink {
        /// Whose.
        person: PersonId,
        /// On which platform.
        platform: String,
        /// Its immutable id there.
        account: String,
    },
    /// An account at a bank is not connected any more.
    Disconnect {
        /// Which.
        account: BankAccount,
    },
    /// Be forgotten.
    Erase {
        /// Who.
        person: PersonId,
        /// Who says so.
        signed: Signed,
    },
}

/// Whether it was done.
pub(super) type Outcome = Result<Result<(), Problem>, StoreError>;

/// Does what a person asks for, at the desk, or says why not.
pub(super) async fn act(desk: &mut Desk<'_>, act: &Act) -> Outcome {
    match act {
        Act::Confirm { order, signed } => answers::confirm(desk, order, signed).await,
        Act::Decline { order } => answers::decline(desk, order).await,
        Act::Disown { person, order } => answers::disown(desk, person, order.as_ref()).await,
        Act::AddPasskey { binding, made } => settings::add_passkey(desk, binding, made).await,
        Act::RemovePasskey { person, passkey } => settings::remove_passkey(desk, person, passkey).await,
        Act::SetPhrase { person, phrase } => settings::set_phrase(desk, person, phrase).await,
        Act::SetLanguage { person, language } => settings::set_language(desk, person, *language).await,
        Act::SetLimits { person, order_minor, day_minor } => settings::set_limits(desk, person, *order_minor, *day_minor).await,
        Act::PayFrom { account } => settings::pay_from(desk, account).await,
        Act::Unlink { person, platform, account } => settings::unlink(desk, person, platform, account).await,
        Act::Disconnect { account } => settings::disconnect(desk, account).await,
        Act::Erase { person, signed } => forget::erase(desk, person, signed).await,
    }
}

/// Has the ledger do what a person asks for.
pub async fn perform(ledger: &Ledger, act: Act) -> Result<(), AccountError> {
    match ledger.decide(Work::Person { act: Box::new(act) }).await? {
        Answer::Done(_) | Answer::Said(_) => Ok(()),
        Answer::Void(name) => Err(Problem::named(&name).into()),
    }
}

/// The address of an order's confirmation page.
pub fn confirmation_url(app: &App, order: &OrderId, salt: &str) -> String {
    format!("{}/confirm/{order}-{}", app.public_url, app.secret.confirmation_token(order, salt))
}

/// The order that a confirmation page's address (`ORDER-TOKEN`) opens, while it waits for its payer.
pub async fn order_to_confirm(app: &App, link: &str) -> Result<Order, AccountError> {
    let (order, token) = link.split_once('-').ok_or(Problem::NotWaiting)?;
    let id: OrderId = order.parse().map_err(|_| Problem::NotWaiting)?;
    let order = app.order(&id).await?.ok_or(Problem::NotWaiting)?;
    let OrderState::AwaitingConfirmation { salt, until, .. } = &order.state else { return Err(Problem::NotWaiting.into()) };
    let expected = app.secret.confirmation_token(&id, salt);
    let opens: bool = expected.as_bytes().ct_eq(token.as_bytes()).into();
    if !opens || *until <= app.clock.now() {
        return Err(Problem::NotWaiting.into());
    }
    Ok(order)
}

/// The address under which somebody says that an order, or with none that a change of their settings, was not theirs.
pub fn disowning_url(app: &App, person: &PersonId, order: Option<&OrderId>) -> String {
    let about = order.map_or_else(|| format!("me{person}"), ToString::to_string);
    format!("{}/not-me/{about}-{}", app.public_url, app.secret.disowning_token(&about))
}

/// Whom, and which order, such an address (`ORDER-TOKEN`, `mePERSON-TOKEN`) is about.
pub async fn who_disowns(app: &App, link: &str) -> Result<(PersonId, Option<Order>), AccountError> {
    let (about, token) = link.split_once('-').ok_or(Problem::NotYours)?;
    let expected = app.secret.disowning_token(about);
    let opens: bool = expected.as_bytes().ct_eq(token.as_bytes()).into();
    if !opens {
        return Err(Problem::NotYours.into());
    }
    if let Some(person) = about.strip_prefix("me") {
        return Ok((person.parse().map_err(|_| Problem::NotYours)?, None));
    }
    let id: OrderId = about.parse().map_err(|_| Problem::NotYours)?;
    let order = app.order(&id).await?.ok_or(Problem::NotYours)?;
    let person = order.payer.as_ref().map(|payer| payer.person.clone()).ok_or(Problem::NotYours)?;
    Ok((person, Some(order)))
}

/// Which page a notice leads to.
pub(super) fn page_for(app: &App, order: &Order, notice: &Notice) -> Option<Page> {
    match notice {
        Notice::Receipt | Notice::Outcome => {
            let payer = order.payer.as_ref()?;
            Some(Page::NotYou(disowning_url(app, &payer.person, Some(&order.id))))
        }
        Notice::Rejected {
            reason:
                Rejection::AboveLowValueLimit { .. }
                | Rejection::StrongConfirmationNeeded
                | Rejection::LimitReached { which: LimitKind::LowValueSum | LimitKind::LowValueCount },
        } => Some(Page::AddPasskey(format!("{}/enrol", app.public_url))),
        _ => None,
    }
}

/// Whether an order that waits takes a passkey.
pub fn takes_passkey(order: &Order) -> bool {
    matches!(order.state, OrderState::AwaitingConfirmation { by: Means::Passkey, .. })
}

/// Writes to every account of a person.
pub(super) async fn tell(desk: &mut Desk<'_>, person: &PersonId, message: &Message) -> Result<(), StoreError> {
    let Some(known) = desk.tx.known(person, desk.now).await? else { return Ok(()) };
    for row in &known.links {
        let to = Addressee {
            platform: &row.link.platform,
            account: &row.link.account,
            handle: &row.link.handle,
            language: known.person.language,
            safe_phrase: Some(&known.person.safe_phrase),
            thread: row.link.thread.as_deref(),
        };
        desk.say(&to, message.clone());
    }
    Ok(())
}

/// Tells a person that something about them has changed, with the way to say that it was somebody else.
pub(super) async fn tell_change(desk: &mut Desk<'_>, person: &PersonId, what: Changed) -> Result<(), StoreError> {
    let url = disowning_url(desk.app, person, None);
    tell(desk, person, &Message::Changed { what, url }).await
}
