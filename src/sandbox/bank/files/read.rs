//! Reading what a customer hands over, as strictly as a bank does.

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use crate::bank::sepa;
use crate::iban::Iban;
use crate::money::{Currency, Money};

/// A pain.001.
pub(super) struct Batch {
    pub(super) message_id: String,
    pub(super) count: usize,
    pub(super) sum: Option<String>,
    pub(super) information: Vec<Information>,
}

/// A payment information.
pub(super) struct Information {
    pub(super) id: String,
    pub(super) debtor: Iban,
    pub(super) instant: bool,
    pub(super) transfers: Vec<Transfer>,
}

/// A transfer.
#[derive(Clone)]
pub(super) struct Transfer {
    pub(super) end_to_end: String,
    pub(super) amount: Money,
    pub(super) creditor: Iban,
    pub(super) creditor_name: String,
    pub(super) remittance: Option<String>,
}

/// A camt.055 about one transfer.
pub(super) struct Recall {
    pub(super) message_id: String,
    pub(super) batch_id: String,
    pub(super) original_message_id: String,
    pub(super) end_to_end: String,
}

impl Batch {
    /// Whether number and sum are what they say; else the bank's reason.
    pub(super) fn adds_up(&self) -> Result<(), &'static str> {
        let transfers = || self.information.iter().flat_map(|information| &information.transfers);
        let sum = Money::sum(Currency::EUR, transfers().map(|transfer| transfer.amount)).map_err(|_| "AM10")?;
        // ISO 20022: AM18 invalid number of transactions, AM10 invalid control sum.
        if transfers().count() != self.count {
            return Err("AM18");
        }
        if self.sum.as_ref().is_some_and(|told| *told != sum.decimal_string()) { Err("AM10") } else { Ok(()) }
    }
}

/// Whether it is a recall.
pub(super) fn is_recall(text: &str) -> bool {
    text.contains("CstmrPmtCxlReq")
}

/// A pain.001.001.09.
pub(super) fn pain_001(text: &str) -> anyhow::Result<Batch> {
    ensure!(text.contains("urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"), "this is no pain.001.001.09");
    let document: wire::Document = quick_xml::de::from_str(text)?;
    let initiation = document.initiation;
    let information = initiation.information.into_iter().map(|information| {
        let transfers = information.transfers.into_iter().map(transfer);
        Ok(Information {
            debtor: information.debtor_account.id.iban.parse().ok().context("the debtor's account is no IBAN")?,
            instant: information.kind.local.is_some_and(|local| local.code == "INST"),
            id: information.id,
            transfers: transfers.collect::<anyhow::Result<_>>()?,
        })
    });
    Ok(Batch {
        message_id: initiation.header.message_id,
        count: initiation.header.count.parse()?,
        sum: initiation.header.sum,
        information: information.collect::<anyhow::Result<_>>()?,
    })
}

fn transfer(wire: wire::Transfer) -> anyhow::Result<Transfer> {
    ensure!(wire.amount.amount.currency == "EUR", "SEPA carries euros");
    ensure!(sepa::is_reference(&wire.ids.end_to_end), "the reference is none of SEPA");
    let remittance = wire.remittance.map(|remittance| remittance.text);
    ensure!(sepa::is_sepa_text(&wire.creditor.name) && remittance.as_deref().is_none_or(sepa::is_sepa_text), "not SEPA characters");
    Ok(Transfer {
        end_to_end: wire.ids.end_to_end,
        amount: Money::from_decimal(&wire.amount.amount.value, Currency::EUR)?,
        creditor: wire.creditor_account.id.iban.parse().ok().context("the creditor's account is no IBAN")?,
        creditor_name: wire.creditor.name,
        remittance,
    })
}

/// A camt.055.001.05.
pub(super) fn recall(text: &str) -> anyhow::Result<Recall> {
    let document: wire::Cancellation = quick_xml::de::from_str(text)?;
    let request = document.request;
    let information = request.underlying.information;
    Ok(Recall {
        message_id: request.assignment.id,
        batch_id: information.id,
        original_message_id: information.group.message_id,
        end_to_end: information.transfer.end_to_end,
    })
}

/// The elements that are looked at.
mod wire {
    use super::Deserialize;

    macro_rules! element {
        ($name:ident { $($tag:literal => $field:ident: $type:ty),+ $(,)? }) => {
            #[derive(Deserialize)]
            pub(super) struct $name {
                $(#[serde(rename = $tag)] pub(super) $field: $type),+
            }
        };
    }
    element!(Document { "CstmrCdtTrfInitn" => initiation: Initiation });
    element!(Initiation { "GrpHdr" => header: Header, "PmtInf" => information: Vec<Information> });
    element!(Header { "MsgId" => message_id: String, "NbOfTxs" => count: String, "CtrlSum" => sum: Option<String> });
    element!(Information {
        "PmtInfId" => id: String,
        "PmtTpInf" => kind: Kind,
        "DbtrAcct" => debtor_account: Account,
        "CdtTrfTxInf" => transfers: Vec<Transfer>,
    });
    element!(Kind { "LclInstrm" => local: Option<Code> });
    element!(Code { "Cd" => code: String });
    element!(Account { "Id" => id: AccountId });
    element!(AccountId { "IBAN" => iban: String });
    element!(Transfer {
        "PmtId" => ids: Ids,
        "Amt" => amount: Amount,
        "Cdtr" => creditor: Party,
        "CdtrAcct" => creditor_account: Account,
        "RmtInf" => remittance: Option<Remittance>,
    });
    element!(Ids { "EndToEndId" => end_to_end: String });
    element!(Amount { "InstdAmt" => amount: Money });
    element!(Money { "@Ccy" => currency: String, "$text" => value: String });
    element!(Party { "Nm" => name: String });
    element!(Remittance { "Ustrd" => text: String });

    element!(Cancellation { "CstmrPmtCxlReq" => request: Request });
    element!(Request { "Assgnmt" => assignment: Assignment, "Undrlyg" => underlying: Underlying });
    element!(Assignment { "Id" => id: String });
    element!(Underlying { "OrgnlPmtInfAndCxl" => information: CancelledInformation });
    element!(CancelledInformation { "OrgnlPmtInfId" => id: String, "OrgnlGrpInf" => group: Group, "TxInf" => transfer: CancelledTransfer });
    element!(Group { "OrgnlMsgId" => message_id: String });
    element!(CancelledTransfer { "OrgnlEndToEndId" => end_to_end: String });
}
