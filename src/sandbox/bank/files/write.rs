//! Writing what a bank tells.

use std::fmt::Write as _;

use jiff::civil::Date;
use quick_xml::escape::escape;

use super::Told;
use super::read::{Recall, Transfer};
use crate::bank::fake::{Entry, MovementKind};
use crate::clock::Timestamp;
use crate::iban::Iban;
use crate::money::{Currency, Money};

/// What an account held before and after a day, in cents.
pub(super) struct Balances {
    pub(super) opening: i64,
    pub(super) closing: i64,
}

fn document(name: &str, body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:{name}\">{body}</Document>\n"
    )
}

fn moment(now: Timestamp) -> String {
    now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn reason(code: Option<&str>) -> String {
    code.map(|code| format!("<StsRsnInf><Rsn><Cd>{}</Cd></Rsn></StsRsnInf>", escape(code))).unwrap_or_default()
}

/// A pain.002 about all of a file.
pub(super) fn whole_report(id: &str, now: Timestamp, original: &str, code: &str, why: Option<&str>) -> String {
    let body = format!(
        "<CstmrPmtStsRpt><GrpHdr><MsgId>{id}</MsgId><CreDtTm>{}</CreDtTm></GrpHdr><OrgnlGrpInfAndSts><OrgnlMsgId>{}</OrgnlMsgId>\
         <OrgnlMsgNmId>pain.001.001.09</OrgnlMsgNmId><GrpSts>{code}</GrpSts>{}</OrgnlGrpInfAndSts></CstmrPmtStsRpt>",
        moment(now),
        escape(original),
        reason(why),
    );
    document("pain.002.001.10", &body)
}

/// A pain.002 about every transfer of a file.
pub(super) fn report(id: &str, now: Timestamp, original: &str, told: &[(String, Vec<(Transfer, Told)>)]) -> String {
    let mut information = String::new();
    for (batch, transfers) in told {
        let _ = write!(information, "<OrgnlPmtInfAndSts><OrgnlPmtInfId>{}</OrgnlPmtInfId>", escape(batch.as_str()));
        for (transfer, told) in transfers {
            let _ = write!(
                information,
                "<TxInfAndSts><OrgnlEndToEndId>{}</OrgnlEndToEndId><TxSts>{}</TxSts>{}<OrgnlTxRef><Amt><InstdAmt Ccy=\"EUR\">{}</InstdAmt>\
                 </Amt><CdtrAcct><Id><IBAN>{}</IBAN></Id></CdtrAcct></OrgnlTxRef></TxInfAndSts>",
                escape(told.end_to_end.as_str()),
                told.code,
                reason(told.reason.as_deref()),
                transfer.amount.decimal_string(),
                transfer.creditor.as_str(),
            );
        }
        information.push_str("</OrgnlPmtInfAndSts>");
    }
    let body = format!(
        "<CstmrPmtStsRpt><GrpHdr><MsgId>{id}</MsgId><CreDtTm>{}</CreDtTm></GrpHdr><OrgnlGrpInfAndSts><OrgnlMsgId>{}</OrgnlMsgId>\
         <OrgnlMsgNmId>pain.001.001.09</OrgnlMsgNmId></OrgnlGrpInfAndSts>{information}</CstmrPmtStsRpt>",
        moment(now),
        escape(original),
    );
    document("pain.002.001.10", &body)
}

/// A camt.029 about one transfer.
pub(super) fn resolution(id: &str, now: Timestamp, recall: &Recall, (code, why): (&str, Option<&str>)) -> String {
    let confirmation = if code == "ACCR" { "CNCL" } else { "RJCR" };
    let why = why.map(|why| format!("<CxlStsRsnInf><Rsn><Cd>{why}</Cd></Rsn></CxlStsRsnInf>")).unwrap_or_default();
    let body = format!(
        "<RsltnOfInvstgtn><Assgnmt><Id>{id}</Id><Assgnr><Pty><Nm>Sandbox bank</Nm></Pty></Assgnr><Assgne><Pty><Nm>Customer</Nm></Pty>\
         </Assgne><CreDtTm>{}</CreDtTm></Assgnmt><RslvdCase><Id>{}</Id><Cretr><Pty><Nm>Customer</Nm></Pty></Cretr></RslvdCase>\
         <Sts><Conf>{confirmation}</Conf></Sts><CxlDtls><OrgnlPmtInfAndSts><OrgnlPmtInfId>{}</OrgnlPmtInfId><OrgnlGrpInf>\
         <OrgnlMsgId>{}</OrgnlMsgId><OrgnlMsgNmId>pain.001.001.09</OrgnlMsgNmId></OrgnlGrpInf><TxInfAndSts><OrgnlEndToEndId>{}\
         </OrgnlEndToEndId><TxCxlSts>{code}</TxCxlSts>{why}</TxInfAndSts></OrgnlPmtInfAndSts></CxlDtls></RsltnOfInvstgtn>",
        moment(now),
        escape(recall.message_id.as_str()),
        escape(recall.batch_id.as_str()),
        escape(recall.original_message_id.as_str()),
        escape(recall.end_to_end.as_str()),
    );
    document("camt.029.001.06", &body)
}

/// A camt.054.
pub(super) fn notification(message_id: &str, id: &str, now: Timestamp, account: &Iban, entries: &[Entry]) -> String {
    let body = format!(
        "<BkToCstmrDbtCdtNtfctn><GrpHdr><MsgId>{message_id}</MsgId><CreDtTm>{now}</CreDtTm></GrpHdr><Ntfctn><Id>{id}</Id>\
         <CreDtTm>{now}</CreDtTm>{}{}</Ntfctn></BkToCstmrDbtCdtNtfctn>",
        account_element(account),
        entries.iter().map(entry_element).collect::<String>(),
        now = moment(now),
    );
    document("camt.054.001.08", &body)
}

/// A camt.053.
pub(super) fn statement(
    message_id: &str,
    id: &str,
    now: Timestamp,
    account: &Iban,
    day: Date,
    balances: &Balances,
    entries: &[Entry],
) -> String {
    let body = format!(
        "<BkToCstmrStmt><GrpHdr><MsgId>{message_id}</MsgId><CreDtTm>{now}</CreDtTm></GrpHdr><Stmt><Id>{id}</Id><CreDtTm>{now}</CreDtTm>\
         {}{}{}{}</Stmt></BkToCstmrStmt>",
        account_element(account),
        balance("OPBD", balances.opening, day),
        balance("CLBD", balances.closing, day),
        entries.iter().map(entry_element).collect::<String>(),
        now = moment(now),
    );
    document("camt.053.001.08", &body)
}

fn account_element(account: &Iban) -> String {
    format!("<Acct><Id><IBAN>{}</IBAN></Id><Ccy>EUR</Ccy></Acct>", account.as_str())
}

fn signed(minor: i64) -> (String, &'static str) {
    let amount = Money::new(minor.saturating_abs(), Currency::EUR).decimal_string();
    (amount, if minor < 0 { "DBIT" } else { "CRDT" })
}

fn balance(kind: &str, minor: i64, day: Date) -> String {
    let (amount, direction) = signed(minor);
    format!(
        "<Bal><Tp><CdOrPrtry><Cd>{kind}</Cd></CdOrPrtry></Tp><Amt Ccy=\"EUR\">{amount}</Amt><CdtDbtInd>{direction}</CdtDbtInd>\
         <Dt><Dt>{day}</Dt></Dt></Bal>"
    )
}

fn entry_element(entry: &Entry) -> String {
    let (amount, direction) = signed(entry.amount.minor);
    let day = entry.booked_at.to_zoned(jiff::tz::TimeZone::UTC).date();
    let (domain, family, sub) = match entry.kind {
        MovementKind::Return => ("PMNT", "RCDT", "RRTN"),
        _ if entry.amount.minor < 0 => ("PMNT", "ICDT", "ESCT"),
        _ => ("PMNT", "RCDT", "ESCT"),
    };
    let (debtor, creditor) = (&entry.debtor, &entry.creditor);
    let party = |tag: &str, name: &str, iban: &Iban| {
        format!("<{tag}><Pty><Nm>{}</Nm></Pty></{tag}><{tag}Acct><Id><IBAN>{}</IBAN></Id></{tag}Acct>", escape(name), iban.as_str())
    };
    let remittance = entry.remittance.as_deref().unwrap_or_default();
    let returned = remittance.strip_prefix("RETURN ").filter(|_| entry.kind == MovementKind::Return);
    let returned = returned.map(|code| format!("<RtrInf><Rsn><Cd>{}</Cd></Rsn></RtrInf>", escape(code))).unwrap_or_default();
    let end_to_end = entry.end_to_end.as_deref().unwrap_or("NOTPROVIDED");
    let code = format!("<BkTxCd><Domn><Cd>{domain}</Cd><Fmly><Cd>{family}</Cd><SubFmlyCd>{sub}</SubFmlyCd></Fmly></Domn></BkTxCd>");
    format!(
        "<Ntry><Amt Ccy=\"EUR\">{amount}</Amt><CdtDbtInd>{direction}</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>{day}</Dt></BookgDt>\
         <AcctSvcrRef>{reference}</AcctSvcrRef>{code}<NtryDtls><TxDtls><Refs><AcctSvcrRef>{reference}</AcctSvcrRef><EndToEndId>{}\
         </EndToEndId></Refs><Amt Ccy=\"EUR\">{amount}</Amt><CdtDbtInd>{direction}</CdtDbtInd><RltdPties>{}{}</RltdPties>{returned}</TxDtls>\
         </NtryDtls></Ntry>",
        escape(end_to_end),
        party("Dbtr", &debtor.name, &debtor.iban),
        party("Cdtr", &creditor.name, &creditor.iban),
        reference = escape(entry.reference.as_str()),
    )
}
