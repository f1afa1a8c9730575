//! pain.001.001.09, the credit transfers that a file asks for: one payment information for each account to be debited.
//!
//! Elements and their order are the schema's; what stands in them is the SEPA rulebook's (EPC132-08: service level SEPA, charges SLEV, one
//! line of remittance information, the debtor's bank by BIC or not at all).

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Serialize;

use super::book::Order;
use super::element::{Account, Agent, Amount, Party, moment};
use crate::bank::sepa;
use crate::clock::Timestamp;
use crate::money::{Currency, Money, MoneyError};

/// The message's name space; the last part is its name in other messages.
const NAMESPACE: &str = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09";

/// A file that is to be made.
pub(super) struct Batch<'a> {
    /// `MsgId`, unique for ever.
    pub(super) message_id: &'a str,
    /// `CreDtTm`.
    pub(super) created_at: Timestamp,
    /// `ReqdExctnDt`.
    pub(super) execution_day: Date,
    /// Who hands it over.
    pub(super) initiator: &'a str,
    /// The bank's BIC, if it wants to be named.
    pub(super) bic: Option<&'a str>,
    /// Instant transfers.
    pub(super) instant: bool,
    /// What is to be paid, in the order of acceptance.
    pub(super) orders: Vec<&'a Order>,
}

/// `PmtInfId` of the `place`th payment information of a message, from 1.
pub(super) fn payment_information_id(message_id: &str, place: usize) -> String {
    format!("{message_id}-{place}")
}

/// The file. The same batch gives the same bytes.
pub(super) fn write(batch: &Batch<'_>) -> anyhow::Result<String> {
    let mut by_account: BTreeMap<&str, Vec<&Order>> = BTreeMap::new();
    for order in &batch.orders {
        by_account.entry(order.debtor.as_str()).or_default().push(order);
    }
    let information = by_account.into_values().enumerate();
    let information = information.map(|(place, orders)| payment_information(batch, place + 1, &orders));
    let document = Document {
        namespace: NAMESPACE,
        initiation: Initiation {
            header: Header {
                message_id: batch.message_id,
                created_at: moment(batch.created_at),
                count: batch.orders.len(),
                sum: sum(&batch.orders)?,
                initiator: Party::named(batch.initiator),
            },
            information: information.collect::<Result<_, _>>()?,
        },
    };
    super::element::document(&document)
}

fn sum(orders: &[&Order]) -> Result<String, MoneyError> {
    Money::sum(Currency::EUR, orders.iter().map(|order| order.amount)).map(Money::decimal_string)
}

fn payment_information<'a>(batch: &Batch<'a>, place: usize, orders: &[&'a Order]) -> Result<Information<'a>, MoneyError> {
    let (debtor_name, debtor) = orders.first().map_or(("", ""), |order| (order.debtor_name.as_str(), order.debtor.as_str()));
    let debtor_name = sepa::fit(debtor_name, sepa::NAME_MAX);
    Ok(Information {
        id: payment_information_id(batch.message_id, place),
        method: "TRF",
        // Each transfer is booked by itself, so that statements show its EndToEndId.
        batch_booking: false,
        count: orders.len(),
        sum: sum(orders)?,
        kind: PaymentType {
            service_level: Code { code: "SEPA" },
            local_instrument: batch.instant.then_some(Code { code: "INST" }),
        },
        execution: Day { day: batch.execution_day.to_string() },
        debtor: Party::named(if debtor_name.is_empty() { "NOTPROVIDED" } else { &debtor_name }),
        debtor_account: Account::of(debtor),
        debtor_agent: batch.bic.map_or_else(Agent::not_provided, Agent::with_bic),
        charges: "SLEV",
        transfers: orders.iter().map(|order| transfer(order)).collect(),
    })
}

fn transfer(order: &Order) -> Transfer<'_> {
    Transfer {
        ids: Ids { instruction: order.key.as_str(), end_to_end: order.key.as_str() },
        amount: InstructedAmount { amount: Amount::of(order.amount) },
        creditor: Party::named(&order.creditor_name),
        creditor_account: Account::of(order.creditor.as_str()),
        remittance: (!order.remittance.is_empty()).then_some(Remittance { text: &order.remittance }),
    }
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "@xmlns")]
    namespace: &'static str,
    #[serde(rename = "CstmrCdtTrfInitn")]
    initiation: Initiation<'a>,
}

#[derive(Serialize)]
struct Initiation<'a> {
    #[serde(rename = "GrpHdr")]
    header: Header<'a>,
    #[serde(rename = "PmtInf")]
    information: Vec<Information<'a>>,
}

#[derive(Serialize)]
struct Header<'a> {
    #[serde(rename = "MsgId")]
    message_id: &'a str,
    #[serde(rename = "CreDtTm")]
    created_at: String,
    #[serde(rename = "NbOfTxs")]
    count: usize,
    #[serde(rename = "CtrlSum")]
    sum: String,
    #[serde(rename = "InitgPty")]
    initiator: Party,
}

#[derive(Serialize)]
struct Information<'a> {
    #[serde(rename = "PmtInfId")]
    id: String,
    #[serde(rename = "PmtMtd")]
    method: &'static str,
    #[serde(rename = "BtchBookg")]
    batch_booking: bool,
    #[serde(rename = "NbOfTxs")]
    count: usize,
    #[serde(rename = "CtrlSum")]
    sum: String,
    #[serde(rename = "PmtTpInf")]
    kind: PaymentType,
    #[serde(rename = "ReqdExctnDt")]
    execution: Day,
    #[serde(rename = "Dbtr")]
    debtor: Party,
    #[serde(rename = "DbtrAcct")]
    debtor_account: Account,
    #[serde(rename = "DbtrAgt")]
    debtor_agent: Agent,
    #[serde(rename = "ChrgBr")]
    charges: &'static str,
    #[serde(rename = "CdtTrfTxInf")]
    transfers: Vec<Transfer<'a>>,
}

#[derive(Serialize)]
struct PaymentType {
    #[serde(rename = "SvcLvl")]
    service_level: Code,
    #[serde(rename = "LclInstrm", skip_serializing_if = "Option::is_none")]
    local_instrument: Option<Code>,
}

#[derive(Serialize)]
struct Code {
    #[serde(rename = "Cd")]
    code: &'static str,
}

#[derive(Serialize)]
struct Day {
    #[serde(rename = "Dt")]
    day: String,
}

#[derive(Serialize)]
struct Transfer<'a> {
    #[serde(rename = "PmtId")]
    ids: Ids<'a>,
    #[serde(rename = "Amt")]
    amount: InstructedAmount,
    #[serde(rename = "Cdtr")]
    creditor: Party,
    #[serde(rename = "CdtrAcct")]
    creditor_account: Account,
    #[serde(rename = "RmtInf", skip_serializing_if = "Option::is_none")]
    remittance: Option<Remittance<'a>>,
}

#[derive(Serialize)]
struct Ids<'a> {
    #[serde(rename = "InstrId")]
    instruction: &'a str,
    #[serde(rename = "EndToEndId")]
    end_to_end: &'a str,
}

#[derive(Serialize)]
struct InstructedAmount {
    #[serde(rename = "InstdAmt")]
    amount: Amount,
}

#[derive(Serialize)]
struct Remittance<'a> {
    #[serde(rename = "Ustrd")]
    text: &'a str,
}
