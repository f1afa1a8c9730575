//! A payee's statement: what came in through Obole, with what went back.
//!
//! One line for each payment that was settled, on the day we learned it, and one more with the opposite sign for each that came back. It
//! is made from the payments themselves; whether the bank's entries agree is what `reconcile` looks at. No name of a payer is in it: the
//! bank's own statement has it beside the same reference.

use serde::Serialize;

use crate::clock::Timestamp;
use crate::ids::PayeeId;
use crate::money::{Currency, Money};
use crate::order::{Order, PaymentState};
use crate::store::{Store, StoreError};

/// From when to when, the end excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The first moment.
    pub from: Timestamp,
    /// The first moment that does not belong to it.
    pub until: Timestamp,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// When we learned it.
    pub at: Timestamp,
    /// `gift` or `transfer`; `returned` for what went back.
    pub kind: &'static str,
    /// The reference that both banks' statements show (`EndToEndId`).
    pub reference: String,
    /// The number of the payer's receipt.
    pub receipt: String,
    /// The campaign that the gift counts for.
    pub campaign: Option<String>,
    /// In minor units; negative for what went back.
    pub amount_minor: i64,
    /// Of which currency.
    pub currency: Currency,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Statement {
    /// The directory's name for the payee.
    pub payee: String,
    /// The verified legal name.
    pub legal_name: String,
    /// The account, masked.
    pub account: String,
    /// First to last.
    pub lines: Vec<Line>,
    /// What came in, per currency.
    pub received: Vec<Money>,
    /// What went back, per currency.
    pub returned: Vec<Money>,
}

/// Payments read at one time.
const PAGE: i64 = 500;

/// The statement of a payee; `None` if the directory has none of that name.
pub async fn statement(store: &Store, slug: &str, period: Period) -> Result<Option<Statement>, StoreError> {
    let mut tx = store.begin_reading().await?;
    let Some(payee) = tx.payee_by_slug(slug).await? else { return Ok(None) };
    let mut lines = Vec::new();
    let mut after = String::new();
    loop {
        let ids = tx.orders_that_paid(&payee.id, &after, PAGE).await?;
        let Some(last) = ids.last() else { break };
        last.as_str().clone_into(&mut after);
        for order in tx.read_orders(&ids.iter().collect::<Vec<_>>()).await? {
            lines.extend(lines_of(&order, &payee.id));
        }
    }
    lines.retain(|line: &Line| period.from <= line.at && line.at < period.until);
    lines.sort_by(|one, other| {
        one.at.cmp(&other.at).then_with(|| one.reference.cmp(&other.reference)).then(other.amount_minor.cmp(&one.amount_minor))
    });
    let account = payee.iban.masked();
    let (received, returned) = (sums(&lines, |minor| minor > 0)?, sums(&lines, |minor| minor < 0)?);
    Ok(Some(Statement { payee: slug.to_owned(), legal_name: payee.legal_name, account, lines, received, returned }))
}

/// The payees of the directory: name, legal name, class, account masked, whether it is frozen, and how the account was proved.
pub async fn payees(store: &Store) -> Result<Vec<Entry>, StoreError> {
    let mut tx = store.begin_reading().await?;
    let mut entries = Vec::new();
    for row in tx.payee_rows(false).await? {
        let proof = tx.proof_of(&row.slug).await?;
        entries.push(Entry {
            payee: row.slug,
            legal_name: row.payee.legal_name,
            class: row.payee.class.as_str(),
            account: row.payee.iban.masked(),
            registry_number: row.payee.registry_number,
            frozen: row.frozen_why.filter(|_| row.payee.frozen),
            proof,
        });
    }
    Ok(entries)
}

/// A payee as the directory has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The directory's name.
    pub payee: String,
    /// The verified legal name.
    pub legal_name: String,
    /// `person`, `charity`, `company`.
    pub class: &'static str,
    /// The account, masked.
    pub account: String,
    /// The number in the registry.
    pub registry_number: Option<String>,
    /// Why it is not payable, if so.
    pub frozen: Option<String>,
    /// How the account was proved; `None`: the configuration brought it.
    pub proof: Option<String>,
}

fn lines_of(order: &Order, payee: &PayeeId) -> Vec<Line> {
    let kind = match order.kind {
        crate::order::Kind::Give => "gift",
        crate::order::Kind::Send => "transfer",
    };
    let mut lines = Vec::new();
    for payment in order.payments.iter().filter(|payment| payment.payee.id == *payee) {
        let line = |at: Timestamp, kind, amount_minor| Line {
            at,
            kind,
            reference: payment.key.to_string(),
            receipt: order.receipt_number(),
            campaign: order.campaign.clone(),
            amount_minor,
            currency: payment.amount.currency,
        };
        match &payment.state {
            PaymentState::Settled { at, .. } => lines.push(line(*at, kind, payment.amount.minor)),
            PaymentState::Returned { settled_at, at } => {
                lines.push(line(*settled_at, kind, payment.amount.minor));
                lines.push(line(*at, "returned", -payment.amount.minor));
            }
            _ => {}
        }
    }
    lines
}

fn sums(lines: &[Line], counts: impl Fn(i64) -> bool) -> Result<Vec<Money>, StoreError> {
    let mut currencies: Vec<Currency> = lines.iter().map(|line| line.currency).collect();
    currencies.sort_by_key(|currency| currency.code());
    currencies.dedup();
    let overflow = |_| StoreError::Meaningless { column: "amount_minor", why: "a sum is too large".to_owned() };
    let sum = |currency: Currency| {
        let counted = lines.iter().filter(|line| line.currency == currency && counts(line.amount_minor));
        Money::sum(currency, counted.map(|line| Money::new(line.amount_minor, currency))).map_err(overflow)
    };
    currencies.into_iter().map(sum).collect()
}

impl Statement {
    /// The lines as CSV (RFC 4180), amounts with a decimal point, for a payee's bookkeeping.
    pub fn csv(&self) -> String {
        let mut text = "date,kind,amount,currency,reference,receipt,campaign\r\n".to_owned();
        for line in &self.lines {
            let amount = Money::new(line.amount_minor, line.currency);
            let cells = [
                line.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
                line.kind.to_owned(),
                amount.decimal_string(),
                line.currency.code().to_owned(),
                line.reference.clone(),
                line.receipt.clone(),
                line.campaign.as_deref().map(cell).unwrap_or_default(),
            ];
            text.push_str(&cells.join(","));
            text.push_str("\r\n");
        }
        text
    }
}

/// A cell of somebody else's words: quoted where it has to be, and never the beginning of a formula, which a spreadsheet would carry out.
fn cell(text: &str) -> String {
    let guarded = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() };
    if guarded.contains([',', '"', '\n', '\r']) { format!("\"{}\"", guarded.replace('"', "\"\"")) } else { guarded }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_no_formula_and_ends_where_it_should() {
        for (text, written) in [
            ("telethon", "telethon"),
            ("=1+1", "'=1+1"),
            ("@cmd", "'@cmd"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("-1\n2", "\"'-1\n2\""),
        ] {
            assert_eq!(cell(text), written, "{text}");
        }
    }
}
