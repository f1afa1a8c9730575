//! Sums at which something goes wrong on purpose, and the rest of what the conformance kit is told.

use super::{State, order};
use crate::bank::fake::test_iban;
use crate::bank::settlement::capabilities::{Capabilities, CurrencyRange, TestAccount, TestGround, TestPayee, Trigger};
use crate::bank::settlement::wire::{PROTOCOL, VERSION};

/// Beside an account that is not held here, which nobody can verify.
const CLOSED_ACCOUNT: u64 = 98_765;

/// A sum, what it does, and the reason that is told for it.
const TRIGGERS: [(&str, &str, Option<&str>); 11] = [
    ("rate_limited", "7.29", None),
    ("unavailable", "7.03", None),
    ("error_after_taken", "7.50", None),
    ("slow", "7.77", None),
    ("refused", "7.04", Some("AM04")),
    ("refused", "7.01", Some("AC01")),
    ("refused", "7.14", Some("AC04")),
    ("late_refusal", "7.05", Some("CUST")),
    ("returned", "7.44", Some("AC04")),
    ("returned", "7.45", Some("MS03")),
    ("needs_payer", "35.00", None),
];

/// What this sum does, with the reason.
pub(super) fn of(amount: &str) -> Option<(&'static str, Option<&'static str>)> {
    TRIGGERS.into_iter().find(|(_, sum, _)| *sum == amount).map(|(what, _, reason)| (what, reason))
}

/// What the backend says of itself.
pub(super) fn capabilities(state: &State) -> Capabilities {
    let account = |account: &crate::bank::fake::Account| {
        Some(TestAccount { iban: account.iban.as_str().to_owned(), name: account.name.clone() })
    };
    let payee = |iban: &str, name: &str, result: &str| TestPayee {
        iban: iban.to_owned(),
        name: name.to_owned(),
        result: result.to_owned(),
    };
    let known = state.ground.creditor.iban.as_str();
    let test = TestGround {
        debtor: account(&state.ground.debtor),
        creditor: account(&state.ground.creditor),
        other_creditor: account(&state.ground.other),
        amount: Some("1.00".to_owned()),
        triggers: TRIGGERS
            .into_iter()
            .map(|(what, amount, reason)| Trigger {
                what: what.to_owned(),
                amount: amount.to_owned(),
                reason: reason.map(str::to_owned),
            })
            .collect(),
        payees: vec![
            payee(known, "Association du Test", "match"),
            payee(known, "Assocation du Test", "close_match"),
            payee(known, "Banque de la Lune", "no_match"),
            payee(test_iban(CLOSED_ACCOUNT).as_str(), "Association du Test", "not_possible"),
        ],
        clock: Some("/test/clock".to_owned()),
    };
    Capabilities {
        protocol: PROTOCOL.to_owned(),
        versions: vec![VERSION.to_owned()],
        name: "Obole reference backend".to_owned(),
        products: vec!["sct_inst".to_owned()],
        currencies: vec![CurrencyRange { code: "EUR".to_owned(), min: order::SMALLEST.to_owned(), max: order::LARGEST.to_owned() }],
        authentication: vec![if state.clients.is_empty() { "none" } else { "hmac" }.to_owned()],
        key_retention_seconds: Some(RETENTION_SECONDS),
        longest_validity_seconds: LONGEST_VALIDITY_SECONDS,
        clock_skew_seconds: 0,
        cancel: true,
        returns: true,
        payee_verification: true,
        entries: true,
        events: true,
        webhooks: true,
        account_links: true,
        sca: vec!["redirect".to_owned()],
        cut_offs: Vec::new(),
        closed_days: Vec::new(),
        test: Some(test),
    }
}

/// What it promises; it keeps ids for ever. A recall of a transfer may come 13 months later.
pub(super) const RETENTION_SECONDS: u64 = 400 * 24 * 3_600;
/// Orders that are good for longer are no orders but wishes.
pub(super) const LONGEST_VALIDITY_SECONDS: u64 = 24 * 3_600;
