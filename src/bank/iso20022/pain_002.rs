//! pain.002.001.10, what the bank says of a file that it was handed: of all of it, of a payment information, of single transfers.

use serde::Deserialize;

use super::element::{Account, Amount};
use super::fact::{Fact, Said, Unreadable};

/// The message that a report may speak about.
const ORIGINAL: &str = "pain.001";

/// The facts in a report.
pub(super) fn facts(text: &str) -> Result<(String, Vec<Fact>), Unreadable> {
    let document: Document = super::inbound::parse(text)?;
    let report = document.report;
    let group = report.group;
    if !group.message_name.starts_with(ORIGINAL) {
        return Err(Unreadable(format!("it speaks about a message of the kind {:?}", group.message_name)));
    }
    let mut facts = Vec::new();
    if let Some(code) = group.status {
        let said = said(code, &group.reasons);
        facts.push(Fact::File { message_id: group.message_id.clone(), said });
    }
    for information in report.information {
        if let Some(code) = information.status {
            let said = said(code, &information.reasons);
            facts.push(Fact::Batch { message_id: group.message_id.clone(), batch_id: information.id, said });
        }
        for transfer in information.transfers {
            let Some(code) = transfer.status else { continue };
            let end_to_end = transfer
                .end_to_end
                .or(transfer.instruction)
                .ok_or_else(|| Unreadable("it gives a status to a transfer that it does not name".to_owned()))?;
            let original = transfer.original.unwrap_or_default();
            facts.push(Fact::Transfer {
                message_id: group.message_id.clone(),
                end_to_end,
                amount: original.amount.as_ref().and_then(|amount| amount.amount.as_ref()).and_then(Amount::money),
                creditor: original.creditor.as_ref().and_then(Account::iban),
                said: said(code, &transfer.reasons),
            });
        }
    }
    Ok((report.header.message_id, facts))
}

fn said(code: String, reasons: &[Reason]) -> Said {
    let text = reasons.iter().flat_map(|reason| &reason.text).map(|text| super::clipped(text)).find(|text| !text.is_empty());
    Said { code, reason: reason(reasons), text }
}

/// The first reason that is told, by its code.
fn reason(reasons: &[Reason]) -> Option<String> {
    reasons.iter().filter_map(|reason| reason.reason.as_ref()).find_map(|reason| reason.code.clone().or(reason.own.clone()))
}

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "CstmrPmtStsRpt")]
    report: Report,
}

#[derive(Deserialize)]
struct Report {
    #[serde(rename = "GrpHdr")]
    header: Header,
    #[serde(rename = "OrgnlGrpInfAndSts")]
    group: Group,
    #[serde(rename = "OrgnlPmtInfAndSts", default)]
    information: Vec<Information>,
}

#[derive(Deserialize)]
struct Header {
    #[serde(rename = "MsgId")]
    message_id: String,
}

#[derive(Deserialize)]
struct Group {
    #[serde(rename = "OrgnlMsgId")]
    message_id: String,
    #[serde(rename = "OrgnlMsgNmId")]
    message_name: String,
    #[serde(rename = "GrpSts")]
    status: Option<String>,
    #[serde(rename = "StsRsnInf", default)]
    reasons: Vec<Reason>,
}

#[derive(Deserialize)]
struct Information {
    #[serde(rename = "OrgnlPmtInfId")]
    id: String,
    #[serde(rename = "PmtInfSts")]
    status: Option<String>,
    #[serde(rename = "StsRsnInf", default)]
    reasons: Vec<Reason>,
    #[serde(rename = "TxInfAndSts", default)]
    transfers: Vec<Transfer>,
}

#[derive(Deserialize)]
struct Transfer {
    #[serde(rename = "OrgnlInstrId")]
    instruction: Option<String>,
    #[serde(rename = "OrgnlEndToEndId")]
    end_to_end: Option<String>,
    #[serde(rename = "TxSts")]
    status: Option<String>,
    #[serde(rename = "StsRsnInf", default)]
    reasons: Vec<Reason>,
    #[serde(rename = "OrgnlTxRef")]
    original: Option<Original>,
}

#[derive(Default, Deserialize)]
struct Original {
    #[serde(rename = "Amt")]
    amount: Option<OriginalAmount>,
    #[serde(rename = "CdtrAcct")]
    creditor: Option<Account>,
}

#[derive(Deserialize)]
struct OriginalAmount {
    #[serde(rename = "InstdAmt")]
    amount: Option<Amount>,
}

#[derive(Deserialize)]
struct Reason {
    #[serde(rename = "Rsn")]
    reason: Option<ReasonCode>,
    #[serde(rename = "AddtlInf", default)]
    text: Vec<String>,
}

/// An ISO code or the bank's own.
#[derive(Deserialize)]
pub(super) struct ReasonCode {
    #[serde(rename = "Cd")]
    pub(super) code: Option<String>,
    #[serde(rename = "Prtry")]
    pub(super) own: Option<String>,
}
