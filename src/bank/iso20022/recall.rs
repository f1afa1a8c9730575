//! camt.055.001.05, the request to cancel a transfer that was handed over, and camt.029.001.06, the bank's answer.
//!
//! A recall is a question: nothing is cancelled until the answer says so, and money that was booked comes back as an entry of its own
//! (EPC125-05, 4.4: within ten banking days for a duplicate or a technical error).

use serde::{Deserialize, Serialize};

use super::element::{Agent, Amount, Party, moment};
use super::fact::{Fact, RecallAnswer, Unreadable};
use super::pain_002::ReasonCode;
use crate::clock::Timestamp;
use crate::money::Money;

const NAMESPACE: &str = "urn:iso:std:iso:20022:tech:xsd:camt.055.001.05";

/// A recall that is to be written.
pub(super) struct Recall<'a> {
    /// `Assgnmt/Id`, unique for ever.
    pub(super) message_id: &'a str,
    pub(super) created_at: Timestamp,
    pub(super) initiator: &'a str,
    pub(super) bic: Option<&'a str>,
    /// The file that asked for the transfer, and its payment information.
    pub(super) original_message_id: &'a str,
    pub(super) original_batch_id: &'a str,
    /// The transfer.
    pub(super) end_to_end: &'a str,
    pub(super) amount: Money,
    /// `DUPL`, `TECH`, `FRAD` or `CUST` (ISO external cancellation reason).
    pub(super) reason: &'a str,
}

/// The file.
pub(super) fn write(recall: &Recall<'_>) -> anyhow::Result<String> {
    let document = Document {
        namespace: NAMESPACE,
        request: Request {
            assignment: Assignment {
                id: recall.message_id,
                assigner: Assigner { party: Party::named(recall.initiator) },
                assignee: Assignee { agent: recall.bic.map_or_else(OldAgent::not_provided, OldAgent::with_bic) },
                created_at: moment(recall.created_at),
            },
            underlying: Underlying {
                information: Information {
                    id: recall.original_batch_id,
                    group: Group { message_id: recall.original_message_id, message_name: "pain.001.001.09" },
                    transfer: Transfer {
                        id: recall.message_id,
                        instruction: recall.end_to_end,
                        end_to_end: recall.end_to_end,
                        amount: Amount::of(recall.amount),
                        reason: Reason { reason: ReasonChoice { code: recall.reason } },
                    },
                },
            },
        },
    };
    super::element::document(&document)
}

/// The facts in a camt.029.
pub(super) fn facts(text: &str) -> Result<(String, Vec<Fact>), Unreadable> {
    let document: Answer = super::inbound::parse(text)?;
    let resolution = document.resolution;
    let overall = resolution.status.and_then(|status| status.confirmation);
    let mut facts = Vec::new();
    let details = resolution.details.into_iter();
    for transfer in details.flat_map(|details| {
        let nested = details.information.into_iter().flat_map(|information| information.transfers);
        details.transfers.into_iter().chain(nested)
    }) {
        let Some(end_to_end) = transfer.end_to_end.or(transfer.instruction) else {
            return Err(Unreadable("it answers about a transfer that it does not name".to_owned()));
        };
        let why = transfer.reasons.into_iter().filter_map(|reason| reason.reason).find_map(|reason| reason.code.or(reason.own));
        // The transfer's own status is ACCR, RJCR or PDCR; the case's is CNCL, RJCR, PDCR.
        let answer = match transfer.status.as_deref().or(overall.as_deref()) {
            Some("ACCR" | "CNCL") => RecallAnswer::Cancelled,
            Some("RJCR") => RecallAnswer::Refused(why),
            _ => RecallAnswer::Pending,
        };
        facts.push(Fact::Recall { end_to_end, answer });
    }
    Ok((resolution.assignment.id, facts))
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "@xmlns")]
    namespace: &'static str,
    #[serde(rename = "CstmrPmtCxlReq")]
    request: Request<'a>,
}

#[derive(Serialize)]
struct Request<'a> {
    #[serde(rename = "Assgnmt")]
    assignment: Assignment<'a>,
    #[serde(rename = "Undrlyg")]
    underlying: Underlying<'a>,
}

#[derive(Serialize)]
struct Assignment<'a> {
    #[serde(rename = "Id")]
    id: &'a str,
    #[serde(rename = "Assgnr")]
    assigner: Assigner,
    #[serde(rename = "Assgne")]
    assignee: Assignee,
    #[serde(rename = "CreDtTm")]
    created_at: String,
}

#[derive(Serialize)]
struct Assigner {
    #[serde(rename = "Pty")]
    party: Party,
}

#[derive(Serialize)]
struct Assignee {
    #[serde(rename = "Agt")]
    agent: OldAgent,
}

/// A bank; this message's version has the same elements as the others here.
type OldAgent = Agent;

#[derive(Serialize)]
struct Underlying<'a> {
    #[serde(rename = "OrgnlPmtInfAndCxl")]
    information: Information<'a>,
}

#[derive(Serialize)]
struct Information<'a> {
    #[serde(rename = "OrgnlPmtInfId")]
    id: &'a str,
    #[serde(rename = "OrgnlGrpInf")]
    group: Group<'a>,
    #[serde(rename = "TxInf")]
    transfer: Transfer<'a>,
}

#[derive(Serialize)]
struct Group<'a> {
    #[serde(rename = "OrgnlMsgId")]
    message_id: &'a str,
    #[serde(rename = "OrgnlMsgNmId")]
    message_name: &'static str,
}

#[derive(Serialize)]
struct Transfer<'a> {
    #[serde(rename = "CxlId")]
    id: &'a str,
    #[serde(rename = "OrgnlInstrId")]
    instruction: &'a str,
    #[serde(rename = "OrgnlEndToEndId")]
    end_to_end: &'a str,
    #[serde(rename = "OrgnlInstdAmt")]
    amount: Amount,
    #[serde(rename = "CxlRsnInf")]
    reason: Reason<'a>,
}

#[derive(Serialize)]
struct Reason<'a> {
    #[serde(rename = "Rsn")]
    reason: ReasonChoice<'a>,
}

#[derive(Serialize)]
struct ReasonChoice<'a> {
    #[serde(rename = "Cd")]
    code: &'a str,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "RsltnOfInvstgtn")]
    resolution: Resolution,
}

#[derive(Deserialize)]
struct Resolution {
    #[serde(rename = "Assgnmt")]
    assignment: AnswerAssignment,
    #[serde(rename = "Sts")]
    status: Option<CaseStatus>,
    #[serde(rename = "CxlDtls", default)]
    details: Vec<Cancellation>,
}

#[derive(Deserialize)]
struct AnswerAssignment {
    #[serde(rename = "Id")]
    id: String,
}

#[derive(Deserialize)]
struct CaseStatus {
    #[serde(rename = "Conf")]
    confirmation: Option<String>,
}

#[derive(Deserialize)]
struct Cancellation {
    #[serde(rename = "OrgnlPmtInfAndSts", default)]
    information: Vec<CancelledInformation>,
    #[serde(rename = "TxInfAndSts", default)]
    transfers: Vec<CancelledTransfer>,
}

#[derive(Deserialize)]
struct CancelledInformation {
    #[serde(rename = "TxInfAndSts", default)]
    transfers: Vec<CancelledTransfer>,
}

#[derive(Deserialize)]
struct CancelledTransfer {
    #[serde(rename = "OrgnlInstrId")]
    instruction: Option<String>,
    #[serde(rename = "OrgnlEndToEndId")]
    end_to_end: Option<String>,
    #[serde(rename = "TxCxlSts")]
    status: Option<String>,
    #[serde(rename = "CxlStsRsnInf", default)]
    reasons: Vec<AnswerReason>,
}

#[derive(Deserialize)]
struct AnswerReason {
    #[serde(rename = "Rsn")]
    reason: Option<ReasonCode>,
}
