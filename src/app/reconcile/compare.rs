//! What the entries of the payer's account say about one payment. Pure.

use jiff::civil::Date;

use crate::bank::Entry;
use crate::money::Money;
use crate::order::{BankSaid, Payment, PaymentState};

/// What follows from the entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Judgement {
    /// What the bank has said by them, in order.
    pub(super) said: Vec<BankSaid>,
    /// What no event can say: the kind, and one sentence.
    pub(super) differences: Vec<(&'static str, String)>,
    /// What was debited for the payment, in minor units.
    pub(super) booked_minor: i64,
    /// When.
    pub(super) booked_on: Option<Date>,
}

/// Judges a payment by the entries that carry its key. `is_due`: a settled one has to have an entry by now.
pub(super) fn judge(payment: &Payment, entries: &[Entry], is_due: bool) -> Judgement {
    let carrying = || entries.iter().filter(|entry| entry.end_to_end_id.as_deref() == Some(payment.key.as_str()));
    let debits: Vec<&Entry> = carrying().filter(|entry| entry.amount.minor < 0).collect();
    let credits: Vec<&Entry> = carrying().filter(|entry| entry.amount.minor > 0).collect();
    let mut judgement = Judgement {
        booked_minor: debits.iter().fold(0, |sum: i64, entry| sum.saturating_sub(entry.amount.minor)),
        booked_on: debits.iter().filter_map(|entry| entry.booked_on).min(),
        ..Judgement::default()
    };
    if debits.len() > 1 && !matches!(payment.state, PaymentState::Disputed { .. }) {
        let what = format!("the bank has booked {} entries for one payment of {}", debits.len(), payment.amount);
        judgement.differences.push(("doubled", what));
    }
    if let Some(what) = misfit(payment, &debits) {
        judgement.differences.push(what);
        // What was booked is not what we asked for: no word about it.
        return judgement;
    }
    let given_back: i64 = credits.iter().fold(0, |sum: i64, entry| sum.saturating_add(entry.amount.minor));
    let is_given_back =
        given_back == payment.amount.minor && credits.iter().all(|entry| entry.amount.currency == payment.amount.currency);
    let settled = || BankSaid::Settled { bank_payment_id: None };
    let returned = || BankSaid::Returned { reason: "an entry gives it back".to_owned() };
    match &payment.state {
        PaymentState::Settled { .. } => {
            if debits.is_empty() && credits.is_empty() && is_due {
                judgement.differences.push(("missing", format!("settled with us, {} and no entry at the bank", payment.amount)));
            } else if is_given_back {
                judgement.said.push(returned());
            } else if given_back != 0 {
                let back = Money::new(given_back, payment.amount.currency);
                judgement.differences.push(("other_return", format!("the bank gave back {back} of {}", payment.amount)));
            }
        }
        PaymentState::Submitting { .. }
        | PaymentState::AwaitingBank { .. }
        | PaymentState::Executing { .. }
        | PaymentState::Unknown { .. }
            if !debits.is_empty() =>
        {
            judgement.said.push(settled());
            if is_given_back {
                judgement.said.push(returned());
            }
        }
        // What we hold for finished or never handed over contradicts an entry: the core makes a dispute of it.
        PaymentState::Failed { .. } | PaymentState::Expired { .. } | PaymentState::Ready { .. } if !debits.is_empty() => {
            judgement.said.push(settled());
        }
        PaymentState::Proposed if !debits.is_empty() => {
            judgement
                .differences
                .push(("not_confirmed", format!("the bank has booked {}, which nobody confirmed", payment.amount)));
        }
        _ => {}
    }
    judgement
}

/// A debit over another amount or to another account than the payment's.
fn misfit(payment: &Payment, debits: &[&Entry]) -> Option<(&'static str, String)> {
    let debit = Money::new(-payment.amount.minor, payment.amount.currency);
    if let Some(other) = debits.iter().find(|entry| entry.amount != debit) {
        let booked = Money::new(-other.amount.minor, other.amount.currency);
        return Some(("other_amount", format!("the bank has booked {booked} for a payment of {}", payment.amount)));
    }
    let to = debits.iter().filter_map(|entry| entry.counterparty_iban.as_ref()).find(|iban| **iban != payment.payee.iban)?;
    let (to, wanted) = (to.masked(), payment.payee.iban.masked());
    Some(("other_account", format!("the bank has paid {} into {to} instead of {wanted}", payment.amount)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::ids::{Channel, PaymentKey, PostId};
    use crate::money::Currency;
    use crate::order::PayeeSnapshot;
    use crate::people::Class;

    const T: Timestamp = Timestamp::UNIX_EPOCH;

    fn payment(state: PaymentState) -> Payment {
        let payee = PayeeSnapshot {
            id: "0".repeat(32).parse().unwrap(),
            handle: "croixrouge".to_owned(),
            legal_name: "Croix-Rouge".to_owned(),
            iban: "FR7630006000011234567890189".parse().unwrap(),
            class: Class::Charity,
        };
        let key = PaymentKey::of_post("mastodon", Channel::Post, &PostId::from("https://s/1"), 0);
        Payment { index: 0, key, payee, amount: Money::new(1_000, Currency::EUR), state }
    }

    fn entry(minor: i64) -> Entry {
        Entry {
            id: minor.to_string(),
            end_to_end_id: Some(payment(PaymentState::Proposed).key.as_str().to_owned()),
            amount: Money::new(minor, Currency::EUR),
            counterparty_iban: None,
            booked_on: None,
        }
    }

    /// Everything that follows, in a line.
    fn verdict(state: PaymentState, entries: &[Entry], is_due: bool) -> String {
        let judgement = judge(&payment(state), entries, is_due);
        let said = judgement.said.iter().map(|said| match said {
            BankSaid::Settled { .. } => "settled",
            BankSaid::Returned { .. } => "returned",
            _ => "?",
        });
        said.chain(judgement.differences.iter().map(|(kind, _)| *kind)).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn every_state_against_every_kind_of_statement() {
        let settled = || PaymentState::Settled { at: T, bank_payment_id: None };
        let unknown = || PaymentState::Unknown {
            submitted_at: T,
            bank_payment_id: None,
            why: String::new(),
            asked: 0,
            repeating: false,
            with_operator: true,
        };
        let failed = || PaymentState::Failed { at: T, reason: String::new() };
        let returned = || PaymentState::Returned { settled_at: T, at: T };
        let elsewhere = Entry { counterparty_iban: Some("DE89370400440532013000".parse().unwrap()), ..entry(-1_000) };
        let foreign = Entry { end_to_end_id: Some("another".to_owned()), ..entry(-1_000) };
        let statements: [(&str, Vec<Entry>); 9] = [
            ("nothing", vec![]),
            ("another's", vec![foreign]),
            ("booked", vec![entry(-1_000)]),
            ("twice", vec![entry(-1_000), entry(-1_000)]),
            ("other amount", vec![entry(-999)]),
            ("elsewhere", vec![elsewhere]),
            ("given back", vec![entry(-1_000), entry(1_000)]),
            ("half given back", vec![entry(-1_000), entry(500)]),
            ("given back, booked long ago", vec![entry(1_000)]),
        ];
        let states: [(&str, PaymentState); 6] = [
            ("settled", settled()),
            ("unknown", unknown()),
            ("failed", failed()),
            ("returned", returned()),
            ("expired", PaymentState::Expired { at: T }),
            ("proposed", PaymentState::Proposed),
        ];
        let mut table = String::new();
        for (statement, entries) in &statements {
            for (name, state) in &states {
                let follows = verdict(state.clone(), entries, true);
                if !follows.is_empty() {
                    table.push_str(&format!("{statement} / {name}: {follows}\n"));
                }
            }
        }
        insta::assert_snapshot!(table, @"
        nothing / settled: missing
        another's / settled: missing
        booked / unknown: settled
        booked / failed: settled
        booked / expired: settled
        booked / proposed: not_confirmed
        twice / settled: doubled
        twice / unknown: settled doubled
        twice / failed: settled doubled
        twice / returned: doubled
        twice / expired: settled doubled
        twice / proposed: doubled not_confirmed
        other amount / settled: other_amount
        other amount / unknown: other_amount
        other amount / failed: other_amount
        other amount / returned: other_amount
        other amount / expired: other_amount
        other amount / proposed: other_amount
        elsewhere / settled: other_account
        elsewhere / unknown: other_account
        elsewhere / failed: other_account
        elsewhere / returned: other_account
        elsewhere / expired: other_account
        elsewhere / proposed: other_account
        given back / settled: returned
        given back / unknown: settled returned
        given back / failed: settled
        given back / expired: settled
        given back / proposed: not_confirmed
        half given back / settled: other_return
        half given back / unknown: settled
        half given back / failed: settled
        half given back / expired: settled
        half given back / proposed: not_confirmed
        given back, booked long ago / settled: returned
        ");
        assert_eq!(verdict(settled(), &[], false), "", "an entry may still come");
    }
}
