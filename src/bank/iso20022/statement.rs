//! camt.053.001.08 (statements of a day) and camt.054.001.08 (entries as they happen), read for what carries a payment key of ours.
//!
//! Both have the same entries in other frames. An entry may hold several transfers (a batch booking) or, at some banks, none: then there is
//! no reference and nothing to keep. Only booked entries count.

use jiff::civil::{Date, DateTime};
use serde::Deserialize;

use super::element::{Account, Amount};
use super::fact::{BookedEntry, Fact, Source, Unreadable};
use super::pain_002::ReasonCode;
use crate::iban::Iban;
use crate::ids::PaymentKey;
use crate::money::Money;

/// The facts in a camt.053.
pub(super) fn statement_facts(text: &str) -> Result<(String, Vec<Fact>), Unreadable> {
    let document: StatementDocument = super::inbound::parse(text)?;
    let report = document.report;
    Ok((report.header.message_id, account_facts(report.statements, Source::Statement)?))
}

/// The facts in a camt.054.
pub(super) fn notification_facts(text: &str) -> Result<(String, Vec<Fact>), Unreadable> {
    let document: NotificationDocument = super::inbound::parse(text)?;
    let report = document.report;
    Ok((report.header.message_id, account_facts(report.notifications, Source::Notification)?))
}

fn account_facts(statements: Vec<Statement>, source: Source) -> Result<Vec<Fact>, Unreadable> {
    let fact = |statement: Statement| {
        // An account without an IBAN is not one of a SEPA payer.
        let iban = statement.account.iban()?;
        Some(entries(&statement, &iban).map(|entries| Fact::Account {
            complete_through: statement.complete_through(source),
            statement_id: statement.id,
            iban,
            source,
            entries,
        }))
    };
    statements.into_iter().filter_map(fact).collect()
}

fn entries(statement: &Statement, account: &Iban) -> Result<Vec<BookedEntry>, Unreadable> {
    let mut found = Vec::new();
    for (place, entry) in statement.entries.iter().enumerate() {
        let is_booked = entry.status.code.as_deref().or(entry.status.plain.as_deref()) == Some("BOOK");
        if !is_booked {
            continue;
        }
        let transfers: Vec<&Transfer> = entry.details.iter().flat_map(|details| &details.transfers).collect();
        for (part, transfer) in transfers.iter().enumerate() {
            let reference = transfer.references.as_ref().and_then(|references| references.end_to_end.as_deref());
            let Some(key) = reference.and_then(|reference| reference.parse::<PaymentKey>().ok()) else { continue };
            let wrong = |what: &str| Unreadable(format!("{what} of the entry with the reference {key} cannot be read"));
            // A lone transfer may leave its amount to the entry.
            let amount = match (&transfer.amount, transfers.len()) {
                (Some(amount), _) => amount,
                (None, 1) => &entry.amount,
                (None, _) => return Err(wrong("the amount")),
            };
            let money = amount.money().ok_or_else(|| wrong("the amount"))?;
            let indicator = transfer.indicator.as_deref().unwrap_or(&entry.indicator);
            let signed = match indicator {
                "DBIT" => Money::new(-money.minor, money.currency),
                "CRDT" => money,
                _ => return Err(wrong("the direction")),
            };
            let parties = transfer.parties.as_ref();
            let sides = parties.map(|parties| [&parties.creditor, &parties.debtor]);
            let shown = sides.iter().flatten().filter_map(|side| side.as_ref().and_then(Account::iban));
            let id = transfer.references.as_ref().and_then(|references| references.servicer.clone());
            let id = id.or_else(|| entry.servicer_reference.clone()).or_else(|| entry.reference.clone());
            let reason = transfer.returned.as_ref().and_then(|returned| returned.reason.as_ref());
            found.push(BookedEntry {
                id: id.unwrap_or_else(|| format!("{}/{place}/{part}", statement.id)),
                end_to_end: key.as_str().to_owned(),
                amount: signed,
                counterparty: shown.into_iter().find(|iban| iban != account),
                booked_on: entry.booked.as_ref().and_then(Day::date),
                return_reason: reason.and_then(|reason| reason.code.clone().or(reason.own.clone())),
            });
        }
    }
    Ok(found)
}

#[derive(Deserialize)]
struct StatementDocument {
    #[serde(rename = "BkToCstmrStmt")]
    report: StatementReport,
}

#[derive(Deserialize)]
struct StatementReport {
    #[serde(rename = "GrpHdr")]
    header: Header,
    #[serde(rename = "Stmt")]
    statements: Vec<Statement>,
}

#[derive(Deserialize)]
struct NotificationDocument {
    #[serde(rename = "BkToCstmrDbtCdtNtfctn")]
    report: NotificationReport,
}

#[derive(Deserialize)]
struct NotificationReport {
    #[serde(rename = "GrpHdr")]
    header: Header,
    #[serde(rename = "Ntfctn")]
    notifications: Vec<Statement>,
}

#[derive(Deserialize)]
struct Header {
    #[serde(rename = "MsgId")]
    message_id: String,
}

#[derive(Deserialize)]
struct Statement {
    #[serde(rename = "Id")]
    id: String,
    #[serde(rename = "Acct")]
    account: Account,
    #[serde(rename = "Bal", default)]
    balances: Vec<Balance>,
    #[serde(rename = "Ntry", default)]
    entries: Vec<Entry>,
}

impl Statement {
    /// Up to which day everything that was booked is in statements: the day of the closing balance.
    fn complete_through(&self, source: Source) -> Option<Date> {
        let closing = |balance: &&Balance| balance.kind.name.code.as_deref() == Some("CLBD");
        let days = self.balances.iter().filter(closing).filter_map(|balance| balance.date.date());
        if source == Source::Statement { days.max() } else { None }
    }
}

#[derive(Deserialize)]
struct Balance {
    #[serde(rename = "Tp")]
    kind: BalanceKind,
    #[serde(rename = "Dt")]
    date: Day,
}

#[derive(Deserialize)]
struct BalanceKind {
    #[serde(rename = "CdOrPrtry")]
    name: ReasonCode,
}

#[derive(Deserialize)]
struct Day {
    #[serde(rename = "Dt")]
    day: Option<String>,
    #[serde(rename = "DtTm")]
    moment: Option<String>,
}

impl Day {
    /// The day as the bank writes it, whatever its time zone. `ISODate` may carry one, which is cut off.
    fn date(&self) -> Option<Date> {
        let day = self.day.as_deref().and_then(|day| day.get(..10)?.parse().ok());
        let moment =
            || self.moment.as_deref().and_then(|moment| moment.get(..19)?.parse().ok()).map(|moment: DateTime| moment.date());
        day.or_else(moment)
    }
}

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "NtryRef")]
    reference: Option<String>,
    #[serde(rename = "Amt")]
    amount: Amount,
    #[serde(rename = "CdtDbtInd")]
    indicator: String,
    #[serde(rename = "Sts")]
    status: Status,
    #[serde(rename = "BookgDt")]
    booked: Option<Day>,
    #[serde(rename = "AcctSvcrRef")]
    servicer_reference: Option<String>,
    #[serde(rename = "NtryDtls", default)]
    details: Vec<Details>,
}

/// `<Sts><Cd>BOOK</Cd></Sts>`; versions before .08 wrote `<Sts>BOOK</Sts>`, and some banks still do.
#[derive(Deserialize)]
struct Status {
    #[serde(rename = "Cd")]
    code: Option<String>,
    #[serde(rename = "$text")]
    plain: Option<String>,
}

#[derive(Deserialize)]
struct Details {
    #[serde(rename = "TxDtls", default)]
    transfers: Vec<Transfer>,
}

#[derive(Deserialize)]
struct Transfer {
    #[serde(rename = "Refs")]
    references: Option<References>,
    #[serde(rename = "Amt")]
    amount: Option<Amount>,
    #[serde(rename = "CdtDbtInd")]
    indicator: Option<String>,
    #[serde(rename = "RltdPties")]
    parties: Option<Parties>,
    #[serde(rename = "RtrInf")]
    returned: Option<Returned>,
}

#[derive(Deserialize)]
struct References {
    #[serde(rename = "AcctSvcrRef")]
    servicer: Option<String>,
    #[serde(rename = "EndToEndId")]
    end_to_end: Option<String>,
}

#[derive(Deserialize)]
struct Parties {
    #[serde(rename = "DbtrAcct")]
    debtor: Option<Account>,
    #[serde(rename = "CdtrAcct")]
    creditor: Option<Account>,
}

#[derive(Deserialize)]
struct Returned {
    #[serde(rename = "Rsn")]
    reason: Option<ReasonCode>,
}
