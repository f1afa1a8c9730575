//! What operators do: see what waits for a human, look into it, and decide.
//!
//! An operator is a name. It is not a password: whoever reaches the database, or the socket of the process that serves it, may act, and
//! what the name is for is the record. Every act about an order goes through the ledger as an event that names the operator, so state,
//! audit line and effects are one commit; every other act is a line of a chain of its own, in the same commit as what it changes.
//!
//! What is wrong if one person is wrong needs two: releasing a payee, and any change of the directory or the limits ([`super::changes`]).
//!
//! The same [`Request`] is answered by [`perform`] wherever it is made: in the command itself, on a database that many may reach, or
//! by the process that serves a SQLite file alone and is asked through its socket.

mod acts;
mod dossier;
mod matters;
mod recall;
mod talk;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::App;
use super::ledger::{Answer, Ledger, LedgerError, Work};
use super::reconcile::{self, Reconciliation};
use crate::crash::crash_point;
use crate::ids::{ApplicationId, ChangeId, EffectId, OrderId, PersonId};
use crate::order::Resolution;
use crate::store::StoreError;

pub(super) use acts::act;
pub use dossier::{Dossier, EffectLine, HistoryLine, PaymentLine, ReservationLine};
pub use matters::{Matter, MatterKind};
pub use talk::{Talk, TalkLine};

/// The longest name.
const LONGEST_NAME: usize = 40;

/// Somebody who operates an Obole: a name, in lower case, so that nobody is two by writing it in two ways.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Operator(String);

impl Operator {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Operator {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '@');
        let name = name.to_ascii_lowercase();
        if name == SERVICE {
            return Err(format!("{SERVICE:?} is the name of what the service does by itself"));
        }
        if (1..=LONGEST_NAME).contains(&name.len()) && name.chars().all(fits) {
            return Ok(Operator(name));
        }
        Err(format!("an operator's name is 1 to {LONGEST_NAME} letters, digits, and . - _ @"))
    }
}

impl TryFrom<String> for Operator {
    type Error = String;
    fn try_from(name: String) -> Result<Self, String> {
        name.parse()
    }
}

impl From<Operator> for String {
    fn from(operator: Operator) -> String {
        operator.0
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// In whose name the service itself acts.
pub(super) const SERVICE: &str = "obole";

/// Something that changes what is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum Act {
    /// Stop an order of which nothing was handed to the bank.
    HoldOrder {
        /// Which.
        order: OrderId,
        /// Why.
        note: String,
    },
    /// Let a held order go: its payer is asked.
    ReleaseOrder {
        /// Which.
        order: OrderId,
    },
    /// Say what became of a payment that asking could not resolve.
    ResolvePayment {
        /// Of which order.
        order: OrderId,
        /// Which.
        payment: u16,
        /// What became of it.
        outcome: Resolution,
        /// On what evidence.
        note: String,
    },
    /// Answer a call that needs nothing to be changed.
    CloseCall {
        /// Which.
        call: EffectId,
        /// What was found.
        note: String,
    },
    /// Answer somebody who asked for a person.
    Answer {
        /// The call they made.
        call: EffectId,
        /// The words.
        text: String,
    },
    /// Let nothing more go to a payee.
    HoldPayee {
        /// The directory's name for it.
        payee: String,
        /// Why.
        note: String,
    },
    /// Propose that a payee may be paid again.
    ReleasePayee {
        /// The directory's name for it.
        payee: String,
        /// Because.
        note: String,
    },
    /// Let a person's orders be paid again, who had said that something was not theirs.
    ReleasePerson {
        /// Whom.
        person: PersonId,
        /// What was found.
        note: String,
    },
    /// Accept an application, having seen what proves the account; a second operator approves the change that it becomes.
    AcceptApplication {
        /// Which.
        application: ApplicationId,
        /// The directory's name for the payee.
        slug: String,
        /// The document.
        proof: String,
    },
    /// Refuse an application.
    RefuseApplication {
        /// Which.
        application: ApplicationId,
        /// Why.
        note: String,
    },
    /// Approve a change; with the second operator it takes effect.
    Approve {
        /// Which.
        change: ChangeId,
    },
}

impl Act {
    /// The order it is about.
    pub(super) fn order(&self) -> Option<&OrderId> {
        match self {
            Act::HoldOrder { order, .. } | Act::ReleaseOrder { order } | Act::ResolvePayment { order, .. } => Some(order),
            Act::CloseCall { .. }
            | Act::Answer { .. }
            | Act::HoldPayee { .. }
            | Act::ReleasePayee { .. }
            | Act::ReleasePerson { .. }
            | Act::AcceptApplication { .. }
            | Act::RefuseApplication { .. }
            | Act::Approve { .. } => None,
        }
    }
}

/// What an operator asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Request {
    /// What waits for somebody?
    List,
    /// What is known about an order?
    Show {
        /// Which.
        order: OrderId,
    },
    /// What has somebody who asked for a person written?
    ShowTalk {
        /// The call they made.
        call: EffectId,
    },
    /// Compare the banks' entries with ours now, whenever it was done last.
    Reconcile,
    /// Ask the bank to give a payment back, or not to carry it out.
    Recall {
        /// Who.
        by: Operator,
        /// Of which order.
        order: OrderId,
        /// Which.
        payment: u16,
        /// `DUPL`, `TECH`, `FRAD` or `CUST`.
        reason: String,
        /// Why; the record keeps it.
        note: String,
    },
    /// Change something.
    Act {
        /// Who.
        by: Operator,
        /// What.
        #[serde(flatten)]
        act: Act,
    },
}

/// What an operator is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", content = "value", rename_all = "snake_case")]
pub enum Response {
    /// What waits.
    Matters(Vec<Matter>),
    /// What is known.
    Dossier(Box<Dossier>),
    /// What was written.
    Talk(Box<Talk>),
    /// What the comparison came to.
    Reconciled(Reconciliation),
    /// It is done: one sentence.
    Done(String),
    /// It is not done, and nothing has changed: one sentence.
    Refused(String),
}

/// How operators are served.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Office {
    /// Who they are; empty: anybody who reaches us.
    pub operators: BTreeSet<Operator>,
    /// How reconciling goes.
    pub reconciling: reconcile::Schedule,
}

/// Why a request was not answered at all.
#[derive(Debug, thiserror::Error)]
pub enum OperateError {
    /// The database failed; nothing has changed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The same, while deciding.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Answers a request.
pub async fn perform(app: &App, ledger: &Ledger, office: &Office, request: Request) -> Result<Response, OperateError> {
    match request {
        Request::List => Ok(Response::Matters(matters::list(app).await?)),
        Request::Show { order } => Ok(match dossier::show(app, &order).await? {
            Some(dossier) => Response::Dossier(Box::new(dossier)),
            None => Response::Refused(format!("there is no order {order}")),
        }),
        Request::ShowTalk { call } => Ok(match talk::show(app, &call).await? {
            Some(talk) => Response::Talk(Box::new(talk)),
            None => Response::Refused(format!("call {call} is not of somebody who wants to talk")),
        }),
        Request::Reconcile => {
            let everything = reconcile::Schedule { account_every: std::time::Duration::ZERO, ..office.reconciling.clone() };
            Ok(Response::Reconciled(reconcile::reconcile(app, ledger, &everything).await?))
        }
        Request::Act { by, .. } | Request::Recall { by, .. } if !office.operators.is_empty() && !office.operators.contains(&by) => {
            Ok(Response::Refused(format!("{by} is no operator of this Obole; the configuration names them ([operators] names)")))
        }
        Request::Recall { by, order, payment, reason, note } => recall::recall(app, &by, &order, payment, &reason, &note).await,
        Request::Act { by, act } => {
            crash_point!("operator.asked", return Err(StoreError: connection_lost));
            let answer = ledger.decide(Work::Act { by, act }).await?;
            crash_point!("operator.acted", return Err(StoreError: connection_lost));
            Ok(match answer {
                Answer::Said(what) => Response::Done(what),
                Answer::Done(_) => Response::Done("done".to_owned()),
                Answer::Void(why) => Response::Refused(why),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_name_however_it_is_written() {
        let ana: Operator = "Ana.Moreau".parse().unwrap();
        assert_eq!(ana, "ana.moreau".parse().unwrap());
        for bad in ["", " ana", "ana moreau", "Obole", "é", &"a".repeat(41)] {
            assert!(bad.parse::<Operator>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_request_survives_the_socket() {
        let order: OrderId = "0".repeat(32).parse().unwrap();
        let act = Act::ResolvePayment { order, payment: 1, outcome: Resolution::NotPaid, note: "the bank says so".to_owned() };
        let request = Request::Act { by: "ana".parse().unwrap(), act };
        let line = serde_json::to_string(&request).unwrap();
        assert_eq!(serde_json::from_str::<Request>(&line).unwrap(), request);
        assert!(serde_json::from_str::<Request>(&line.replace("ana", "no name")).is_err());
    }
}
