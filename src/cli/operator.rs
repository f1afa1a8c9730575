//! `obole operator`: what waits for a human, and what an operator does about it.
//!
//! On a SQLite database that an Obole serves, the request goes through that process's socket; on any other database this command opens the
//! database itself. Without a configuration it is the sandbox's.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use serde_json::json;

use super::run;
use crate::app::ledger::Ledger;
use crate::app::operate::{self, Act, Office, Operator, Request, Response};
use crate::app::{App, CodeSecret, Parts};
use crate::clock::SystemClock;
use crate::config::{Config, Environment};
use crate::entropy::SystemEntropy;
use crate::exit::ExitCode;
use crate::ids::{ApplicationId, ChangeId, EffectId, OrderId, PersonId};
use crate::order::{Policy, Resolution};
use crate::people::screening::NoScreening;
use crate::serve::door;
use crate::store::{Ground, Location, Store, StoreError};
use crate::telemetry::{self, LogArgs};
use crate::terminal::{complain, say};

mod print;

/// Which Obole, who, and what.
#[derive(Debug, Args)]
pub(super) struct OperatorArgs {
    #[command(flatten)]
    place: Place,
    /// Who acts; needed by everything that changes something
    #[arg(long = "as", global = true, value_name = "NAME", env = "OBOLE_OPERATOR")]
    operator: Option<Operator>,
    /// Print one line of JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    word: Word,
}

/// Which database.
#[derive(Debug, Clone, Args)]
pub(super) struct Place {
    /// The configuration of a production Obole; without it, a sandbox's database
    #[arg(long, global = true, value_name = "FILE", env = "OBOLE_CONFIG")]
    config: Option<PathBuf>,
    /// Directory of a SQLite database, in place of the configuration's `store.url` [the sandbox's: obole-sandbox]
    // An id of its own: `--data` without a command has a default, which clap would pass down to a global option of the same id.
    #[arg(id = "place_data", long = "data", global = true, value_name = "DIR", env = "OBOLE_DATA")]
    data: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Word {
    /// What waits for a human: calls, held orders, unknown and disputed payments, frozen payees, proposed changes
    List,
    /// Everything known about an order, with its whole history; or what somebody who asked for a person has written
    Show {
        /// An order's id, or call:ID
        what: Subject,
    },
    /// Answer somebody who asked for a person, in the thread they asked in
    Answer {
        /// call:ID
        what: Subject,
        /// What to write
        #[arg(long)]
        text: String,
    },
    /// Approve a proposed change; it takes effect with the second operator
    Approve {
        /// The change's id
        change: ChangeId,
    },
    /// Accept somebody who applied to be a payee, having seen what proves the account; a second operator approves it
    Accept {
        /// The application's id
        application: ApplicationId,
        /// The directory's name for the payee: small letters, digits and hyphens
        #[arg(long)]
        slug: String,
        /// The document that proves the account; the record keeps it
        #[arg(long)]
        proof: String,
    },
    /// Refuse somebody who applied to be a payee
    Refuse {
        /// The application's id
        application: ApplicationId,
        /// Why; the record keeps it
        #[arg(long)]
        note: String,
    },
    /// Stop an order, or let nothing more go to a payee
    Hold {
        /// An order's id, or payee:SLUG
        what: Subject,
        /// Why; the record keeps it
        #[arg(long)]
        note: String,
    },
    /// Let a held order go, or somebody order again who reported a theft, or propose that a frozen payee may be paid again
    Release {
        /// An order's id, person:ID, or payee:SLUG
        what: Subject,
        /// Because; needed for a payee or a person
        #[arg(long)]
        note: Option<String>,
    },
    /// Say what became of a payment nobody could find out about, or answer a call
    Resolve {
        /// An order's id, or call:ID
        what: Subject,
        /// Which payment of the order, counted from 0
        #[arg(long, value_name = "N")]
        payment: Option<u16>,
        /// The bank has carried it out
        #[arg(long, conflicts_with = "not_paid")]
        paid: bool,
        /// The bank has not carried it out and will not
        #[arg(long)]
        not_paid: bool,
        /// On what evidence; the record keeps it
        #[arg(long)]
        note: String,
    },
    /// Ask the bank to give a payment back, or not to carry it out
    Recall {
        /// The order's id
        order: OrderId,
        /// Which payment of the order, counted from 0
        #[arg(long, value_name = "N")]
        payment: u16,
        /// DUPL (paid twice), TECH (our fault), FRAD (fraud), CUST (the payer wants it back)
        #[arg(long)]
        reason: String,
        /// Why; the record keeps it
        #[arg(long)]
        note: String,
    },
    /// Compare the banks' entries with our settled payments now
    Reconcile,
}

/// What an act is about.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Subject {
    Order(OrderId),
    Payee(String),
    Person(PersonId),
    Call(EffectId),
}

impl std::str::FromStr for Subject {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(slug) = text.strip_prefix("payee:") {
            return if slug.is_empty() { Err("write payee:SLUG".to_owned()) } else { Ok(Subject::Payee(slug.to_owned())) };
        }
        if let Some(id) = text.strip_prefix("person:") {
            return id.parse().map(Subject::Person).map_err(|error| format!("{error}"));
        }
        if let Some(id) = text.strip_prefix("call:") {
            return id.parse().map(Subject::Call).map_err(|error| format!("{error}"));
        }
        text.parse().map(Subject::Order).map_err(|error| format!("{error}, nor payee:SLUG or call:ID"))
    }
}

#[cfg(test)]
impl OperatorArgs {
    /// Which database.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }
}

/// Does what is asked, and says what came of it.
pub(super) async fn operator(args: OperatorArgs, log: &LogArgs) -> ExitCode {
    telemetry::init_quiet(log);
    let request = match request(&args) {
        Ok(request) => request,
        Err(error) => return complain(&error, ExitCode::Usage),
    };
    let config = match args.place.config.as_deref().map(|file| Config::load(file, &Environment::of_process())).transpose() {
        Ok(config) => config,
        Err(error) => return super::check_config::report(error, args.json),
    };
    match ask(&args.place, config.as_ref(), request).await {
        Ok(response) => answer(&response, args.json),
        Err(error) => complain(&error, ExitCode::of(&error)),
    }
}

fn request(args: &OperatorArgs) -> anyhow::Result<Request> {
    let act = match &args.word {
        Word::List => return Ok(Request::List),
        Word::Show { what: Subject::Order(order) } => return Ok(Request::Show { order: order.clone() }),
        Word::Show { what: Subject::Call(call) } => return Ok(Request::ShowTalk { call: call.clone() }),
        Word::Show { what: Subject::Payee(_) | Subject::Person(_) } => {
            bail!("an order or a call can be shown; payees and persons are in `obole operator list`")
        }
        Word::Answer { what: Subject::Call(call), text } => Act::Answer { call: call.clone(), text: text.clone() },
        Word::Answer { .. } => bail!("a call is answered: call:ID"),
        Word::Reconcile => return Ok(Request::Reconcile),
        Word::Recall { order, payment, reason, note } => {
            let by = args.operator.clone().context(WHO)?;
            let (order, payment, reason, note) = (order.clone(), *payment, reason.clone(), note.clone());
            return Ok(Request::Recall { by, order, payment, reason, note });
        }
        Word::Approve { change } => Act::Approve { change: change.clone() },
        Word::Accept { application, slug, proof } => {
            Act::AcceptApplication { application: application.clone(), slug: slug.clone(), proof: proof.clone() }
        }
        Word::Refuse { application, note } => Act::RefuseApplication { application: application.clone(), note: note.clone() },
        Word::Hold { what: Subject::Order(order), note } => Act::HoldOrder { order: order.clone(), note: note.clone() },
        Word::Hold { what: Subject::Payee(payee), note } => Act::HoldPayee { payee: payee.clone(), note: note.clone() },
        Word::Hold { what: Subject::Call(_), .. } => bail!("an order or a payee can be held, not a call"),
        Word::Hold { what: Subject::Person(_), .. } => {
            bail!("people lock their accounts themselves; an order or a payee can be held")
        }
        Word::Release { what: Subject::Order(order), .. } => Act::ReleaseOrder { order: order.clone() },
        Word::Release { what: Subject::Payee(payee), note } => {
            let note = note.clone().context("to release a payee, say why it may be paid again: --note …")?;
            Act::ReleasePayee { payee: payee.clone(), note }
        }
        Word::Release { what: Subject::Person(person), note } => {
            let note = note.clone().context("to release a person, say what was found: --note …")?;
            Act::ReleasePerson { person: person.clone(), note }
        }
        Word::Release { what: Subject::Call(_), .. } => bail!("an order or a payee can be released; a call is resolved"),
        Word::Resolve { what: Subject::Order(order), payment, paid, not_paid, note } => {
            let payment = payment.context("say which payment: --payment N, counted from 0 (obole operator show)")?;
            let outcome = match (paid, not_paid) {
                (true, false) => Resolution::Paid,
                (false, true) => Resolution::NotPaid,
                _ => bail!("say what became of the payment: --paid or --not-paid"),
            };
            Act::ResolvePayment { order: order.clone(), payment, outcome, note: note.clone() }
        }
        Word::Resolve { what: Subject::Call(call), payment: None, paid: false, not_paid: false, note } => {
            Act::CloseCall { call: call.clone(), note: note.clone() }
        }
        Word::Resolve { what: Subject::Call(_), .. } => {
            bail!("a call is answered with --note alone; payments are resolved by their order")
        }
        Word::Resolve { what: Subject::Person(_), .. } => bail!("a person is released, not resolved"),
        Word::Resolve { what: Subject::Payee(_), .. } => bail!("a payee is released, not resolved"),
    };
    let by = args.operator.clone().context(WHO)?;
    Ok(Request::Act { by, act })
}

/// What an act needs.
const WHO: &str = "say who you are: --as NAME, or OBOLE_OPERATOR in the environment";

/// Where the sandbox keeps its data unless it is told otherwise.
const SANDBOX: &str = "obole-sandbox";

impl Place {
    /// Where the database is.
    pub(super) fn location(&self, config: Option<&Config>) -> Location {
        match config {
            Some(config) => run::location(config, self.data.as_deref()),
            None => Location::Sqlite(self.data.as_deref().unwrap_or(Path::new(SANDBOX)).join("obole.db")),
        }
    }

    /// The directory, if one is named.
    #[cfg(test)]
    pub(super) fn data(&self) -> Option<&Path> {
        self.data.as_deref()
    }

    /// The configuration's file, if one is named.
    pub(super) fn config(&self) -> Option<&Path> {
        self.config.as_deref()
    }
}

async fn ask(place: &Place, config: Option<&Config>, request: Request) -> anyhow::Result<Response> {
    let location = place.location(config);
    if let Location::Sqlite(file) = &location {
        if let Some(response) = door::ask(file, &request).await? {
            return Ok(response);
        }
        // Asking must not make a database.
        if !file.is_file() {
            let why = format!("there is no database {}; say which: --config FILE or --data DIR", file.display());
            return Err(StoreError::WrongGround(why).into());
        }
    }
    let (app, office) = match config {
        Some(config) => {
            let store = Store::open(&location, Ground::Production).await?;
            (run::put_together(config, store, Vec::new()).await?, run::office(config)?)
        }
        None => (sandbox(Store::open(&location, Ground::Sandbox).await.map_err(without_config)?), Office::default()),
    };
    let (ledger, keeper) = Ledger::open(app.clone());
    let keeper = tokio::spawn(keeper.keep());
    let response = operate::perform(&app, &ledger, &office, request).await;
    drop(ledger);
    keeper.await.context("the ledger")?;
    app.store.close().await;
    match response {
        Ok(response) => Ok(response),
        // The cause decides about the exit code.
        Err(operate::OperateError::Store(error)) => Err(error.into()),
        Err(error) => Err(error.into()),
    }
}

/// A production database without its configuration: say what is missing instead of what is wrong.
fn without_config(error: StoreError) -> anyhow::Error {
    match error {
        StoreError::WrongGround(why) if why.contains("production database") => {
            StoreError::WrongGround("this is a production database; name its configuration: --config FILE".to_owned()).into()
        }
        other => other.into(),
    }
}

/// An application that decides and reaches nobody: nothing of the sandbox runs.
fn sandbox(store: Store) -> Arc<App> {
    App::new(Parts {
        store,
        platforms: Vec::new(),
        banks: Vec::new(),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        policy: Policy::default(),
        screening: Arc::new(NoScreening),
        // No code is made or checked here.
        secret: CodeSecret::new([0; 32]),
        public_url: String::new(),
    })
}

fn answer(response: &Response, as_json: bool) -> ExitCode {
    let code = match response {
        Response::Refused(why) if !as_json => return complain(&anyhow::anyhow!("{why}"), ExitCode::Difference),
        Response::Refused(_) => ExitCode::Difference,
        Response::Reconciled(report) if !report.differences.is_empty() => ExitCode::Difference,
        _ => ExitCode::Ok,
    };
    let line = match (response, as_json) {
        (Response::Matters(matters), true) => json!({ "waiting": matters }).to_string(),
        (Response::Dossier(dossier), true) => json!(dossier).to_string(),
        (Response::Talk(talk), true) => json!(talk).to_string(),
        (Response::Reconciled(report), true) => json!(report).to_string(),
        (Response::Done(what), true) => json!({ "ok": true, "said": what }).to_string(),
        (Response::Refused(why), true) => json!({ "ok": false, "said": why }).to_string(),
        (Response::Matters(matters), false) => print::matters(matters),
        (Response::Dossier(dossier), false) => print::dossier(dossier),
        (Response::Talk(talk), false) => print::talk(talk),
        (Response::Reconciled(report), false) => print::reconciliation(report),
        (Response::Done(what) | Response::Refused(what), false) => what.clone(),
    };
    say(&line);
    code
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        operator: OperatorArgs,
    }

    const ORDER: &str = "00000000000000000000000000000000";

    fn asked(line: &str) -> Result<Request, String> {
        let line = line.replace("ORDER", ORDER);
        let line = Line::try_parse_from(line.split(' ')).map_err(|error| error.kind().to_string())?;
        request(&line.operator).map_err(|error| error.to_string())
    }

    #[test]
    fn the_words_of_the_command_line() {
        assert_eq!(asked("operator list"), Ok(Request::List));
        let Ok(Request::Act { by, act }) = asked("operator resolve ORDER --payment 1 --not-paid --note seen --as Ana") else {
            panic!()
        };
        assert_eq!(by.as_str(), "ana");
        assert!(matches!(act, Act::ResolvePayment { payment: 1, outcome: Resolution::NotPaid, .. }));
        let call = asked(&format!("operator resolve call:{ORDER} --note seen --as ana"));
        assert!(matches!(call, Ok(Request::Act { act: Act::CloseCall { .. }, .. })), "{call:?}");
        assert!(matches!(asked("operator hold payee:bob --note x --as a"), Ok(Request::Act { act: Act::HoldPayee { .. }, .. })));
    }

    #[test]
    fn each_mistake_has_its_sentence() {
        let said = [
            "operator hold ORDER --note x",
            "operator resolve ORDER --paid --note x --as a",
            "operator resolve ORDER --payment 0 --note x --as a",
            "operator release payee:bob --as a",
            "operator hold call:00000000000000000000000000000000 --note x --as a",
            "operator resolve payee:bob --note x --as a",
            "operator release person:00000000000000000000000000000000 --as a",
            "operator hold person:00000000000000000000000000000000 --note x --as a",
            "operator show no-order",
            "operator hold ORDER --as a",
            "operator approve ORDER --as obole",
        ]
        .map(|line| format!("{line}: {}", asked(line).unwrap_err()));
        insta::assert_snapshot!(said.join("\n"), @"
        operator hold ORDER --note x: say who you are: --as NAME, or OBOLE_OPERATOR in the environment
        operator resolve ORDER --paid --note x --as a: say which payment: --payment N, counted from 0 (obole operator show)
        operator resolve ORDER --payment 0 --note x --as a: say what became of the payment: --paid or --not-paid
        operator release payee:bob --as a: to release a payee, say why it may be paid again: --note …
        operator hold call:00000000000000000000000000000000 --note x --as a: an order or a payee can be held, not a call
        operator resolve payee:bob --note x --as a: a payee is released, not resolved
        operator release person:00000000000000000000000000000000 --as a: to release a person, say what was found: --note …
        operator hold person:00000000000000000000000000000000 --note x --as a: people lock their accounts themselves; an order or a payee can be held
        operator show no-order: invalid value for one of the arguments
        operator hold ORDER --as a: one or more required arguments were not provided
        operator approve ORDER --as obole: invalid value for one of the arguments
        ");
    }
}
