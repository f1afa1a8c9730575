//! The table of the lifecycle, states × events, as the documentation shows it: made from the decisions themselves.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use obole::clock::{Timestamp, later};
use obole::ids::OrderId;
use obole::order::state::LimitKind;
use obole::order::{
    Answer, BankSaid, CancelledBy, Decision, Event, Hold, Means, Order, OrderState, Payment, PaymentState, Policy, Rail, Rejection,
    Resolution, decide,
};
use obole::people::Language;

use super::order::{draft, payment, start};

const PAGE: &str = "docs/lifecycle.md";

/// Every event about a whole order.
fn order_events() -> Vec<Event> {
    let order = draft(&[1000]);
    let (Some(payer), payee) = (order.payer, payment(0, 1000).payee) else { panic!("a draft has a payer") };
    let answer = |answer| Event::Answered { answer };
    let cancelled = |by| Event::Cancelled { by };
    vec![
        Event::PayerLinked { payer, language: Language::En, salt: "s".into() },
        Event::PayeeClaimed { payment: 0, payee, salt: "s".into() },
        answer(Answer::Yes),
        answer(Answer::StrongYes),
        answer(Answer::No),
        answer(Answer::WrongCode),
        Event::LimitReached { which: LimitKind::RollingDay },
        Event::Refused { reason: Rejection::TooOld },
        cancelled(CancelledBy::CancelOrder),
        cancelled(CancelledBy::Edit),
        cancelled(CancelledBy::Deletion),
        cancelled(CancelledBy::Unlinked),
        Event::Held { why: Hold::Operator { by: "ana".into(), note: "odd".into() } },
        Event::Released { by: Some("ana".into()), salt: "s".into() },
        Event::TimePassed,
    ]
}

/// Every event about one payment.
fn payment_events() -> Vec<Event> {
    let said = |said| Event::Bank { payment: 0, said };
    let resolved = |outcome| Event::Resolved { payment: 0, outcome, by: "ana".into(), note: "statement".into() };
    vec![
        Event::SubmitBegins { payment: 0, turn: "another".into() },
        Event::Voided { payment: 0, difference: "the payee is frozen".into() },
        said(BankSaid::Executing { bank_payment_id: Some("b".into()) }),
        said(BankSaid::Authorise { bank_payment_id: "b".into(), authorise_at: "https://bank.example".into() }),
        said(BankSaid::Settled { bank_payment_id: Some("b".into()) }),
        said(BankSaid::Refused { reason: "AC04".into() }),
        said(BankSaid::NotTaken { after: None }),
        said(BankSaid::Unclear { why: "cut".into() }),
        said(BankSaid::NotFound),
        said(BankSaid::DidNotAnswer { after: None }),
        said(BankSaid::Returned { reason: "AC04".into() }),
        Event::TimePassed,
        resolved(Resolution::Paid),
        resolved(Resolution::NotPaid),
    ]
}

fn later_by(seconds: u64) -> Timestamp {
    later(start(), Duration::from_secs(seconds))
}

fn with_state(state: OrderState) -> Order {
    let mut order = draft(&[1000]);
    order.version = 1;
    if matches!(state, OrderState::AwaitingPayer { .. }) {
        order.payer = None;
    }
    order.state = state;
    if matches!(order.state, OrderState::Confirmed { .. }) {
        order.payments[0].state = PaymentState::Ready { submit_by: later_by(3600) };
    }
    order
}

/// An order in every state, as it is in the middle of its life.
fn order_states() -> Vec<(&'static str, Order)> {
    let (at, until) = (start(), later_by(600));
    let digest = draft(&[1000]).digest().unwrap();
    let asked =
        OrderState::AwaitingConfirmation { until, salt: "s".into(), digest: digest.clone(), wrong_answers: 0, by: Means::Code };
    let states = [
        OrderState::AwaitingPayer { until },
        OrderState::AwaitingPayee { until },
        asked,
        OrderState::Held { why: Hold::LookAlike { of: other() }, since: at, until, wrong_answers: 0 },
        OrderState::Confirmed { at, digest },
        OrderState::Rejected { reason: Rejection::TooOld, at },
        OrderState::Cancelled { by: CancelledBy::Payer, at },
        OrderState::Expired { at },
    ];
    states.into_iter().map(|state| (state.name(), with_state(state))).collect()
}

fn other() -> OrderId {
    "00000000000000000000000000000009".parse().unwrap()
}

/// A confirmed order with its payment in every state.
fn payment_states() -> Vec<(String, Order)> {
    let (at, submitted_at) = (start(), start());
    let unknown = |repeating, with_operator| PaymentState::Unknown {
        submitted_at,
        bank_payment_id: None,
        why: "cut".into(),
        asked: 5,
        repeating,
        with_operator,
    };
    let states = vec![
        ("proposed", PaymentState::Proposed),
        ("ready", PaymentState::Ready { submit_by: later_by(3600) }),
        ("submitting", PaymentState::Submitting { submitted_at, turn: "ours".into(), asked: 0 }),
        ("submitting again", PaymentState::Submitting { submitted_at, turn: "ours".into(), asked: 4 }),
        (
            "awaiting_bank",
            PaymentState::AwaitingBank {
                submitted_at,
                bank_payment_id: "b".into(),
                authorise_at: "https://bank.example".into(),
                asked: 1,
            },
        ),
        ("executing", PaymentState::Executing { submitted_at, bank_payment_id: Some("b".into()), asked: 1 }),
        ("unknown", unknown(false, false)),
        ("unknown, to repeat", unknown(true, false)),
        ("unknown, with an operator", unknown(false, true)),
        ("settled", PaymentState::Settled { at, bank_payment_id: None }),
        ("returned", PaymentState::Returned { settled_at: at, at }),
        ("failed", PaymentState::Failed { at, reason: "AC04".into() }),
        ("expired", PaymentState::Expired { at }),
        ("disputed", PaymentState::Disputed { at, recorded: "settled".into(), contradiction: "refused".into() }),
    ];
    let order = |state| {
        let (_, mut order) = order_states().into_iter().find(|(name, _)| *name == "confirmed").unwrap();
        order.payments[0].state = state;
        order
    };
    states.into_iter().map(|(name, state)| (name.to_owned(), order(state))).collect()
}

fn policy() -> Policy {
    let rail = Rail { look_up_horizon: Duration::from_secs(24 * 3600), key_life: Some(Duration::from_secs(2 * 3600)) };
    Policy { rail, ..Policy::default() }
}

fn cell(order: &Order, event: &Event, is_about_payment: bool) -> String {
    let now = if *event == Event::TimePassed { later_by(4000) } else { later_by(60) };
    let Ok(Decision { order: after, effects, releases, halts, .. }) = decide(order, event, now, &policy()) else {
        return "–".to_owned();
    };
    let standing = |order: &Order| match order.payments.first().map(|payment: &Payment| &payment.state) {
        Some(state) if is_about_payment => state.name(),
        _ => order.state.name(),
    };
    let mut text = if standing(&after) == standing(order) { "stays".to_owned() } else { standing(&after).to_owned() };
    let mut extra: Vec<String> = effects.iter().map(|effect| effect.name().to_owned()).collect();
    if !releases.is_empty() {
        extra.push("frees the limits".to_owned());
    }
    if !halts.is_empty() {
        extra.push("halts the payee".to_owned());
    }
    if !extra.is_empty() {
        let _ = write!(text, " · {}", extra.join(", "));
    }
    text
}

fn table(title: &str, rows: &[(String, Order)], events: &[Event], is_about_payment: bool) -> String {
    let mut page = format!("\n## {title}\n");
    for (name, order) in rows {
        let _ = write!(page, "\n### {name}\n\n| event | what follows |\n|---|---|\n");
        let mut refused = Vec::new();
        for event in events {
            match cell(order, event, is_about_payment).as_str() {
                "–" => refused.push(event.name()),
                text => {
                    let _ = writeln!(page, "| {} | {text} |", event.name());
                }
            }
        }
        if !refused.is_empty() {
            let _ = writeln!(page, "| {} | refused: changes nothing |", refused.join(", "));
        }
    }
    page
}

fn page() -> String {
    let mut orders: Vec<(String, Order)> = order_states().into_iter().map(|(name, order)| (name.to_owned(), order)).collect();
    let asked = orders.iter().position(|(name, _)| name == "awaiting_confirmation").unwrap();
    let mut strong = orders[asked].1.clone();
    if let OrderState::AwaitingConfirmation { by, .. } = &mut strong.state {
        *by = Means::Passkey;
    }
    orders.insert(asked + 1, ("awaiting_confirmation, by a passkey".to_owned(), strong));
    let intro = "# The lifecycle: states × events\n\n\
        Made by `tests/it/lifecycle.rs` from the decisions themselves (`src/order`), which also keeps it true. Each state is shown in the\n\
        middle of its life, before any of its deadlines (`time_passed`: after them), at a bank that remembers keys for two hours and was\n\
        asked five times. What follows: the state afterwards, and what is to be done outside. An event that is refused is a typed\n\
        refusal that names order, state and event.\n";
    let orders = table("An order, until it is confirmed", &orders, &order_events(), false);
    let payments = table("A payment of a confirmed order", &payment_states(), &payment_events(), true);
    format!("{intro}{orders}{payments}")
}

#[test]
fn the_table_of_the_documentation_is_what_is_decided() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let made = page();
    let kept = std::fs::read_to_string(root.join(PAGE)).unwrap_or_default();
    if made != kept {
        let beside = root.join("target/lifecycle.md");
        std::fs::write(&beside, &made).unwrap();
        panic!("{PAGE} is not what is decided any more; the new page is target/lifecycle.md: read it, and copy it there");
    }
}

#[test]
fn every_state_and_every_event_has_its_place_in_the_table() {
    let names: BTreeSet<&str> = order_states().iter().map(|(name, _)| *name).collect();
    assert_eq!(names.len(), 8, "{names:?}");
    let payments: BTreeSet<&str> = payment_states().iter().map(|(_, order)| order.payments[0].state.name()).collect();
    assert_eq!(payments.len(), 11, "{payments:?}");
    // A new event, or a new word of the bank, does not build here until it has a number, and fails until the table shows it.
    let number = |event: &Event| match event {
        Event::PayerLinked { .. } => 0,
        Event::PayeeClaimed { .. } => 1,
        Event::Answered { .. } => 2,
        Event::LimitReached { .. } => 3,
        Event::Refused { .. } => 4,
        Event::Cancelled { .. } => 5,
        Event::Held { .. } => 6,
        Event::Released { .. } => 7,
        Event::TimePassed => 8,
        Event::SubmitBegins { .. } => 9,
        Event::Voided { .. } => 10,
        Event::Resolved { .. } => 11,
        Event::Bank { said, .. } => match said {
            BankSaid::Executing { .. } => 12,
            BankSaid::Authorise { .. } => 13,
            BankSaid::Settled { .. } => 14,
            BankSaid::Refused { .. } => 15,
            BankSaid::NotTaken { .. } => 16,
            BankSaid::Unclear { .. } => 17,
            BankSaid::NotFound => 18,
            BankSaid::DidNotAnswer { .. } => 19,
            BankSaid::Returned { .. } => 20,
        },
    };
    let shown: BTreeSet<i32> = order_events().iter().chain(&payment_events()).map(number).collect();
    assert_eq!(shown, (0..=20).collect());
}
