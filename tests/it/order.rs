//! The pure core: what may follow from what, and what must not.

use std::time::Duration;

use obole::clock::{Timestamp, later};
use obole::ids::{AccountId, BankName, Channel, OrderId, PayeeId, PaymentKey, PersonId, PlatformName, PostId};
use obole::money::{Currency, Money};
use obole::order::state::{LimitKind, Rejection};
use obole::order::{
    Answer, BankSaid, CancelledBy, Effect, Event, Hold, Kind, Means, Notice, Objection, Order, OrderState, PasskeyStanding,
    PayeeSnapshot, Payer, Payment, PaymentState, Policy, Rail, Resolution, Source, decide, propose,
};
use obole::people::{Class, Language};
use proptest::prelude::*;

pub(super) fn start() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn after(seconds: u64) -> Timestamp {
    later(start(), Duration::from_secs(seconds))
}

pub(super) fn payment(index: u16, minor: i64) -> Payment {
    let post = PostId::from("https://town.example/1");
    Payment {
        index,
        key: PaymentKey::of_post("mastodon", Channel::Post, &post, index),
        payee: PayeeSnapshot {
            id: "00000000000000000000000000000001".parse::<PayeeId>().unwrap(),
            handle: "croixrouge".to_owned(),
            legal_name: "Croix-Rouge française".to_owned(),
            iban: "FR7630006000011234567890189".parse().unwrap(),
            class: Class::Charity,
        },
        amount: Money::new(minor, Currency::EUR),
        state: PaymentState::Proposed,
    }
}

pub(super) fn draft(shares: &[i64]) -> Order {
    let payments: Vec<_> = shares.iter().zip(0..).map(|(minor, index)| payment(index, *minor)).collect();
    Order {
        id: "00000000000000000000000000000002".parse::<OrderId>().unwrap(),
        version: 0,
        kind: Kind::Give,
        source: Source {
            platform: PlatformName::from("mastodon"),
            channel: Channel::Post,
            post: PostId::from("https://town.example/1"),
            native_id: "1".to_owned(),
            author: AccountId::from("7"),
            author_handle: "ana".to_owned(),
            url: None,
        },
        payer: Some(Payer {
            person: "00000000000000000000000000000003".parse::<PersonId>().unwrap(),
            bank: BankName::from("bank"),
            iban: "DE89370400440532013000".parse().unwrap(),
            consent: None,
        }),
        language: Language::Fr,
        created_at: start(),
        campaign: None,
        memo: None,
        anonymous: false,
        receipt: false,
        total: Money::new(shares.iter().sum(), Currency::EUR),
        state: OrderState::Expired { at: start() },
        payments,
    }
}

fn asked(shares: &[i64]) -> Order {
    let decision = propose(draft(shares), None, "salt".to_owned(), start(), &Policy::default());
    assert_eq!(decision.effects, [Effect::AskPayer]);
    decision.order
}

fn then(order: &Order, event: Event, at: u64) -> obole::order::Decision {
    decide(order, &event, after(at), &Policy::default()).unwrap_or_else(|refusal| panic!("{refusal}"))
}

fn begins(payment: u16) -> Event {
    // Every turn is another one, as the epochs of leases are.
    static TURN: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let turn = TURN.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    Event::SubmitBegins { payment, turn: format!("effect:{turn}") }
}

fn bank(payment: u16, said: BankSaid) -> Event {
    Event::Bank { payment, said }
}

fn confirmed(shares: &[i64]) -> Order {
    let decision = then(&asked(shares), Event::Answered { answer: Answer::Yes }, 60);
    assert!(decision.reserves_limits, "the limits are reserved with the confirmation");
    assert_eq!(decision.effects.len(), shares.len());
    decision.order
}

fn submitting() -> Order {
    then(&confirmed(&[1000]), begins(0), 61).order
}

fn state(order: &Order) -> &'static str {
    order.payments[0].state.name()
}

#[test]
fn a_confirmed_order_is_submitted_settled_and_receipted() {
    let order = submitting();
    assert_eq!(state(&order), "submitting");
    let settled = then(&order, bank(0, BankSaid::Settled { bank_payment_id: Some("b1".into()) }), 62);
    assert_eq!(state(&settled.order), "settled");
    assert_eq!(settled.effects, [Effect::TellPayer { notice: Notice::Receipt }]);
    assert!(settled.order.is_terminal());
}

#[test]
fn where_the_platform_could_forge_both_no_code_confirms() {
    let forgeable = Policy { source_can_be_forged: true, ..Policy::default() };
    let refused = |decision: &obole::order::Decision| {
        assert!(matches!(decision.order.state, OrderState::Rejected { reason: Rejection::StrongConfirmationNeeded, .. }));
        assert!(!decision.reserves_limits && decision.effects.len() == 1);
    };
    refused(&propose(draft(&[1000]), None, "salt".to_owned(), start(), &forgeable));
    // Asked while nobody knew where it came from.
    refused(&decide(&asked(&[1000]), &Event::Answered { answer: Answer::Yes }, after(1), &forgeable).unwrap());
}

#[test]
fn nothing_is_submitted_without_a_yes() {
    for order in [asked(&[1000]), then(&asked(&[1000]), Event::Answered { answer: Answer::No }, 1).order] {
        assert!(decide(&order, &begins(0), after(2), &Policy::default()).is_err());
    }
}

#[test]
fn a_call_that_died_with_its_caller_is_asked_about_and_never_made_again() {
    let found = then(&submitting(), begins(0), 130);
    assert_eq!(state(&found.order), "unknown");
    assert!(matches!(found.effects.as_slice(), [Effect::AskBank { payment: 0, .. }]));
    let again = decide(&found.order, &begins(0), after(131), &Policy::default());
    assert_eq!(again.unwrap_err().to_string(), "order 00000000000000000000000000000002: submit_begins does not apply to unknown");
}

#[test]
fn a_commit_of_which_its_own_caller_did_not_hear_is_still_its_own() {
    let ready = confirmed(&[1000]);
    let event = Event::SubmitBegins { payment: 0, turn: "effect:7".into() };
    let once = then(&ready, event.clone(), 61).order;
    let twice = then(&once, event, 61);
    assert_eq!(twice.order.payments[0].state, once.payments[0].state);
    assert!(twice.effects.is_empty());
}

/// A bank that remembers keys for two hours.
fn with_memory() -> Policy {
    let rail = Rail { look_up_horizon: Duration::from_secs(3600 * 24), key_life: Some(Duration::from_secs(7200)) };
    Policy { rail, ..Policy::default() }
}

fn asked_in_vain(times: u64, policy: &Policy) -> obole::order::Decision {
    let unclear = bank(0, BankSaid::Unclear { why: "cut".into() });
    let mut decision = decide(&submitting(), &unclear, after(62), policy).unwrap();
    for second in 0..times {
        decision = decide(&decision.order, &bank(0, BankSaid::NotFound), after(70 + second), policy).unwrap();
    }
    decision
}

fn submits(decision: &obole::order::Decision) -> bool {
    decision.effects.iter().any(|effect| matches!(effect, Effect::Submit { .. }))
}

#[test]
fn a_payment_is_handed_over_again_only_after_asking_and_only_where_the_bank_remembers_the_key() {
    assert!(!submits(&asked_in_vain(2, &with_memory())), "asked first");
    let repeated = asked_in_vain(3, &with_memory());
    assert!(submits(&repeated));
    assert!((1..20).all(|times| !submits(&asked_in_vain(times, &Policy::default()))), "a bank without memory is only asked");
    let again = decide(&repeated.order, &begins(0), after(100), &with_memory()).unwrap().order;
    assert_eq!(state(&again), "submitting");
    assert_eq!(again.payments[0].state.submitted_at(), Some(after(61)), "the key's life counts from the first time");
    let forgotten = decide(&repeated.order, &begins(0), after(61 + 7200 - 300), &with_memory()).unwrap();
    assert_eq!(state(&forgotten.order), "unknown", "the key may be forgotten by now");
    assert!(matches!(forgotten.effects.as_slice(), [Effect::AskBank { .. }]));
}

#[test]
fn what_a_repetition_is_answered_with_tells_nothing_about_the_first_unless_the_bank_has_it() {
    let again = decide(&asked_in_vain(3, &with_memory()).order, &begins(0), after(100), &with_memory()).unwrap().order;
    let said = |said| decide(&again, &bank(0, said), after(101), &with_memory()).unwrap();
    for unclear in [BankSaid::Refused { reason: "duplicate".into() }, BankSaid::NotTaken { after: None }] {
        let decision = said(unclear);
        assert_eq!(state(&decision.order), "unknown");
        assert!(decision.releases.is_empty(), "nothing is free while the first may have been taken");
    }
    assert_eq!(state(&said(BankSaid::Executing { bank_payment_id: Some("b".into()) }).order), "executing");
}

#[test]
fn nothing_goes_to_a_bank_that_says_that_it_has_it_already() {
    let disputed = then(&confirmed(&[1000]), bank(0, BankSaid::Settled { bank_payment_id: None }), 61);
    assert_eq!(state(&disputed.order), "disputed");
    assert_eq!(disputed.halts, [disputed.order.payments[0].payee.id.clone()]);
    assert!(decide(&disputed.order, &begins(0), after(62), &Policy::default()).is_err());
}

#[test]
fn an_operator_resolves_what_nobody_else_will_find_out_and_nothing_else() {
    let resolved = |outcome| Event::Resolved { payment: 0, outcome, by: "ana".into(), note: "statement of 3 May".into() };
    let horizon = Policy::default().timing.look_up_horizon.as_secs();
    let unknown = then(&submitting(), bank(0, BankSaid::Unclear { why: "cut".into() }), 62).order;
    assert!(decide(&unknown, &resolved(Resolution::Paid), after(63), &Policy::default()).is_err(), "it is still being asked for");
    let handed_over = then(&unknown, bank(0, BankSaid::NotFound), 62 + horizon).order;
    let paid = then(&handed_over, resolved(Resolution::Paid), 63 + horizon);
    assert_eq!(state(&paid.order), "settled");
    assert_eq!(paid.effects, [Effect::TellPayer { notice: Notice::Receipt }]);
    let not_paid = then(&handed_over, resolved(Resolution::NotPaid), 63 + horizon);
    assert_eq!(state(&not_paid.order), "failed");
    assert_eq!(not_paid.releases, [0]);
    for settled in [paid.order, submitting(), confirmed(&[1000])] {
        assert!(decide(&settled, &resolved(Resolution::NotPaid), after(64), &Policy::default()).is_err());
    }
}

#[test]
fn a_held_order_waits_is_asked_about_afresh_and_ends_by_itself() {
    let why = Hold::Operator { by: "ana".into(), note: "looks odd".into() };
    let held = then(&asked(&[1000]), Event::Held { why: why.clone() }, 1);
    assert_eq!(held.order.state.name(), "held");
    assert!(decide(&held.order, &Event::Answered { answer: Answer::Yes }, after(2), &Policy::default()).is_err());
    let released = then(&held.order, Event::Released { by: Some("bob".into()), salt: "new".into() }, 3600);
    assert!(matches!(&released.order.state, OrderState::AwaitingConfirmation { salt, .. } if salt == "new"));
    let long = Policy::default().timing.held.as_secs();
    assert_eq!(then(&held.order, Event::TimePassed, 1 + long).order.state.name(), "expired");
    // Even after the yes, while nothing has been submitted: what was reserved is free, and the yes is void.
    let stopped = then(&confirmed(&[500, 500]), Event::Held { why: why.clone() }, 61);
    assert_eq!(stopped.releases, [0, 1]);
    assert!(decide(&stopped.order, &begins(0), after(62), &Policy::default()).is_err());
    assert!(decide(&submitting(), &Event::Held { why }, after(62), &Policy::default()).is_err());
}

#[test]
fn a_new_code_does_not_begin_the_count_of_wrong_ones_anew() {
    let wrong = Event::Answered { answer: Answer::WrongCode };
    let mut order = asked(&[1000]);
    for second in 1..=4 {
        order = then(&order, wrong.clone(), second).order;
    }
    let why = Hold::Operator { by: "ana".into(), note: "looks odd".into() };
    let held = then(&order, Event::Held { why }, 5).order;
    let released = then(&held, Event::Released { by: Some("bob".into()), salt: "new".into() }, 6).order;
    assert!(matches!(&released.state, OrderState::AwaitingConfirmation { salt, .. } if salt == "new"));
    let fifth = then(&released, wrong, 7).order;
    assert!(matches!(fifth.state, OrderState::Rejected { reason: Rejection::TooManyWrongAnswers, .. }), "{:?}", fifth.state);
}

#[test]
fn a_new_order_that_has_to_wait_is_not_asked_about() {
    let first = "00000000000000000000000000000009".parse::<OrderId>().unwrap();
    let objection = Objection::Hold(Hold::LookAlike { of: first });
    let held = propose(draft(&[1000]), Some(objection), "salt".to_owned(), start(), &Policy::default());
    assert_eq!(held.order.state.name(), "held");
    assert!(matches!(held.effects.as_slice(), [Effect::TellPayer { notice: Notice::Held { .. } }]));
}

#[test]
fn only_an_answer_that_surely_means_not_taken_makes_a_payment_ready_again() {
    let order = submitting();
    let ready = then(&order, bank(0, BankSaid::NotTaken { after: None }), 62);
    assert_eq!(state(&ready.order), "ready");
    assert!(matches!(ready.effects.as_slice(), [Effect::Submit { payment: 0, .. }]));
    let unclear = then(&order, bank(0, BankSaid::Unclear { why: "cut".into() }), 62);
    assert_eq!(state(&unclear.order), "unknown");
    assert!(decide(&unclear.order, &bank(0, BankSaid::NotTaken { after: None }), after(63), &Policy::default()).is_err());
    for said in [BankSaid::NotFound, BankSaid::DidNotAnswer { after: None }, BankSaid::Unclear { why: "?".into() }] {
        let still = then(&unclear.order, bank(0, said), 64);
        assert_eq!(state(&still.order), "unknown");
        assert!(still.releases.is_empty(), "an unknown outcome frees no limit");
    }
}

#[test]
fn an_unknown_outcome_goes_to_an_operator_when_asking_has_come_to_its_end() {
    let horizon = Policy::default().timing.look_up_horizon.as_secs();
    let unknown = then(&submitting(), bank(0, BankSaid::Unclear { why: "cut".into() }), 62).order;
    let late = then(&unknown, bank(0, BankSaid::NotFound), 62 + horizon);
    assert!(late.order.is_terminal());
    assert!(late.effects.iter().any(|effect| matches!(effect, Effect::CallOperator { .. })));
    assert!(late.effects.iter().all(|effect| !matches!(effect, Effect::AskBank { .. } | Effect::Submit { .. })));
    let again = then(&late.order, bank(0, BankSaid::NotFound), 62 + horizon + 1);
    assert!(again.effects.is_empty(), "a second answer calls nobody again: {:?}", again.effects);
    let found = then(&late.order, bank(0, BankSaid::Settled { bank_payment_id: None }), 62 + horizon + 1);
    assert_eq!(state(&found.order), "settled", "an operator's finding still counts");
}

#[test]
fn after_an_outage_longer_than_the_horizon_the_bank_is_asked_once_before_an_operator_is() {
    let horizon = Policy::default().timing.look_up_horizon.as_secs();
    let taken_over = Event::SubmitBegins { payment: 0, turn: "another turn".into() };
    let found = then(&submitting(), taken_over, 62 + horizon);
    assert_eq!(state(&found.order), "unknown");
    assert!(found.effects.iter().any(|effect| matches!(effect, Effect::AskBank { .. })), "{:?}", found.effects);
    assert!(found.effects.iter().all(|effect| !matches!(effect, Effect::CallOperator { .. })));
    let settled = then(&found.order, bank(0, BankSaid::Settled { bank_payment_id: None }), 64 + horizon);
    assert_eq!(state(&settled.order), "settled");
    let late = then(&found.order, bank(0, BankSaid::NotFound), 64 + horizon);
    assert!(late.effects.iter().any(|effect| matches!(effect, Effect::CallOperator { .. })));
}

#[test]
fn the_payer_hears_once_that_an_outcome_is_being_checked() {
    let mut order = then(&submitting(), bank(0, BankSaid::Unclear { why: "cut".into() }), 62).order;
    let mut told = 0;
    for second in 63..80 {
        let decision = then(&order, bank(0, BankSaid::NotFound), second);
        let is_told = |effect: &&Effect| matches!(effect, Effect::TellPayer { notice: Notice::BeingChecked { .. } });
        told += decision.effects.iter().filter(is_told).count();
        order = decision.order;
    }
    assert_eq!(told, 1);
}

#[test]
fn a_definite_answer_is_not_replaced_by_its_opposite() {
    let failed = then(&submitting(), bank(0, BankSaid::Refused { reason: "AM04".into() }), 62);
    assert_eq!(failed.releases, [0]);
    let disputed = then(&failed.order, bank(0, BankSaid::Settled { bank_payment_id: None }), 63);
    assert_eq!(state(&disputed.order), "disputed");
    assert_eq!(disputed.retakes, [0], "it may have been paid, so it counts against the limits again");
    let settled = then(&submitting(), bank(0, BankSaid::Settled { bank_payment_id: None }), 62).order;
    assert_eq!(state(&then(&settled, bank(0, BankSaid::Refused { reason: "RJCT".into() }), 63).order), "disputed");
    assert_eq!(state(&then(&settled, bank(0, BankSaid::Returned { reason: "AC04".into() }), 63).order), "returned");
    assert!(decide(&settled, &bank(0, BankSaid::Executing { bank_payment_id: None }), after(63), &Policy::default()).is_err());
}

#[test]
fn the_code_is_good_until_its_expiry_and_not_after() {
    let life = Policy::default().timing.confirmation.as_secs();
    let order = asked(&[1000]);
    assert_eq!(then(&order, Event::Answered { answer: Answer::Yes }, life - 1).order.state.name(), "confirmed");
    let late = then(&order, Event::Answered { answer: Answer::Yes }, life);
    assert_eq!(late.order.state.name(), "expired");
    assert!(!late.reserves_limits);
}

#[test]
fn five_wrong_codes_end_an_order() {
    let mut order = asked(&[1000]);
    for _ in 0..4 {
        order = then(&order, Event::Answered { answer: Answer::WrongCode }, 1).order;
        assert_eq!(order.state.name(), "awaiting_confirmation");
    }
    order = then(&order, Event::Answered { answer: Answer::WrongCode }, 1).order;
    assert!(matches!(order.state, OrderState::Rejected { reason: Rejection::TooManyWrongAnswers, .. }));
    assert!(decide(&order, &Event::Answered { answer: Answer::Yes }, after(2), &Policy::default()).is_err());
}

#[test]
fn an_order_changed_after_it_was_shown_is_not_confirmed_and_not_submitted() {
    let mut shown = asked(&[1000]);
    shown.payments[0].payee.iban = "DE89370400440532013000".parse().unwrap();
    assert!(decide(&shown, &Event::Answered { answer: Answer::Yes }, after(1), &Policy::default()).is_err());
    let mut ready = confirmed(&[1000]);
    ready.payments[0].amount = Money::new(1001, Currency::EUR);
    let voided = then(&ready, begins(0), 61);
    assert_eq!(state(&voided.order), "failed");
    assert_eq!(voided.releases, [0]);
}

#[test]
fn an_edit_or_a_deletion_cancels_before_confirmation_and_changes_nothing_afterwards() {
    for by in [CancelledBy::Edit, CancelledBy::Deletion] {
        assert_eq!(then(&asked(&[1000]), Event::Cancelled { by }, 1).order.state.name(), "cancelled");
        let later = then(&confirmed(&[1000]), Event::Cancelled { by }, 61);
        assert_eq!(state(&later.order), "ready");
        assert_eq!(later.effects, [Effect::TellPayer { notice: Notice::PostChangedAfterConfirmation }]);
    }
}

#[test]
fn a_cancel_order_withdraws_what_is_not_submitting_yet_and_frees_the_limits() {
    let by = CancelledBy::CancelOrder;
    let withdrawn = then(&confirmed(&[500, 500]), Event::Cancelled { by }, 61);
    assert_eq!(withdrawn.order.state.name(), "cancelled");
    assert_eq!(withdrawn.releases, [0, 1]);
    let too_late = then(&submitting(), Event::Cancelled { by }, 62);
    assert_eq!(state(&too_late.order), "submitting");
    assert_eq!(too_late.effects, [Effect::TellPayer { notice: Notice::TooLateToCancel }]);
}

#[test]
fn a_payment_not_submitted_in_time_is_not_submitted_at_all() {
    let within = Policy::default().timing.submit_within.as_secs();
    let expired = then(&confirmed(&[1000]), begins(0), 60 + within);
    assert_eq!(state(&expired.order), "expired");
    assert_eq!(expired.releases, [0]);
    assert_eq!(expired.effects, [Effect::TellPayer { notice: Notice::Outcome }]);
}

#[test]
fn a_partial_outcome_is_told_when_the_last_payment_has_its_answer() {
    let mut order = confirmed(&[500, 500]);
    order = then(&order, begins(0), 61).order;
    order = then(&order, begins(1), 61).order;
    let first = then(&order, bank(0, BankSaid::Settled { bank_payment_id: None }), 62);
    assert!(first.effects.is_empty());
    let second = then(&first.order, bank(1, BankSaid::Refused { reason: "AC04".into() }), 62);
    assert_eq!(second.effects, [Effect::TellPayer { notice: Notice::Outcome }]);
    assert_eq!(second.releases, [1]);
}

#[test]
fn sums_that_a_code_may_not_confirm_are_refused_before_anybody_is_asked() {
    let refused = |shares: &[i64]| match propose(draft(shares), None, String::new(), start(), &Policy::default()).order.state {
        OrderState::Rejected { reason, .. } => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&[3001]), Rejection::AboveLowValueLimit { limit: Money::new(3000, Currency::EUR) });
    assert_eq!(refused(&[50_001]), Rejection::AboveOrderLimit { limit: Money::new(50_000, Currency::EUR) });
    assert_eq!(asked(&[3000]).state.name(), "awaiting_confirmation");
}

#[test]
fn what_needs_a_passkey_is_confirmed_by_no_code() {
    let policy = Policy { passkey: PasskeyStanding::Usable, ..Policy::default() };
    let asked = propose(draft(&[3001]), None, "s".into(), start(), &policy);
    assert!(matches!(asked.order.state, OrderState::AwaitingConfirmation { by: Means::Passkey, .. }));
    assert_eq!(asked.effects, [Effect::AskPayer]);
    let answered = |order: &Order, answer| decide(order, &Event::Answered { answer }, after(1), &policy);
    assert!(answered(&asked.order, Answer::Yes).is_err());
    let confirmed = answered(&asked.order, Answer::StrongYes).unwrap();
    assert_eq!((confirmed.order.state.name(), confirmed.reserves_limits, confirmed.strong), ("confirmed", true, true));
    let small = asked_with(&[1000], &policy);
    assert!(!answered(&small, Answer::Yes).unwrap().strong);
    assert!(answered(&small, Answer::StrongYes).unwrap().strong);
    // Another day, another payee: what was signed for is void.
    let mut swapped = asked.order.clone();
    swapped.payments[0].amount = Money::new(3002, Currency::EUR);
    assert!(answered(&swapped, Answer::StrongYes).is_err());
    let new = Policy { passkey: PasskeyStanding::NewUntil(after(60)), ..Policy::default() };
    let refused = propose(draft(&[3001]), None, "s".into(), start(), &new).order.state;
    let until = after(60);
    let limit = Money::new(3000, Currency::EUR);
    assert!(matches!(refused, OrderState::Rejected { reason, .. } if reason == Rejection::PasskeyTooNew { limit, until }));
}

#[test]
fn a_code_that_is_not_enough_any_more_leads_to_the_passkey_if_there_is_one() {
    let policy = Policy { passkey: PasskeyStanding::Usable, ..Policy::default() };
    let order = asked_with(&[1000], &policy);
    let reached = |which, policy: &Policy| decide(&order, &Event::LimitReached { which }, after(300), policy).unwrap();
    for which in [LimitKind::LowValueSum, LimitKind::LowValueCount] {
        let again = reached(which, &policy);
        assert_eq!(again.effects, [Effect::AskPayer]);
        let OrderState::AwaitingConfirmation { by, until, .. } = &again.order.state else { panic!("{:?}", again.order.state) };
        assert_eq!((*by, *until), (Means::Passkey, after(300 + 600)));
        let twice = decide(&again.order, &Event::LimitReached { which }, after(301), &policy).unwrap();
        assert_eq!(twice.order.state.name(), "rejected", "asked again once");
        assert_eq!(reached(which, &Policy::default()).order.state.name(), "rejected");
    }
    assert_eq!(reached(LimitKind::RollingDay, &policy).order.state.name(), "rejected");
    assert_eq!(reached(LimitKind::Own, &policy).order.state.name(), "rejected");
}

fn asked_with(shares: &[i64], policy: &Policy) -> Order {
    propose(draft(shares), None, "s".into(), start(), policy).order
}

#[test]
fn an_author_without_a_channel_is_hinted_at_and_asked_once_linked() {
    let mut order = draft(&[1000]);
    let payer = order.payer.take().unwrap();
    let waiting = propose(order, None, String::new(), start(), &Policy::default());
    assert_eq!(waiting.order.state.name(), "awaiting_payer");
    assert_eq!(waiting.effects, [Effect::HintEnrolment]);
    let event = Event::PayerLinked { payer, language: Language::En, salt: "s".into() };
    let linked = then(&waiting.order, event, 3600);
    assert_eq!(linked.effects, [Effect::AskPayer]);
    let refused = then(&linked.order, Event::LimitReached { which: LimitKind::RollingDay }, 3601);
    assert_eq!(refused.order.state.name(), "rejected");
}

fn any_event() -> impl Strategy<Value = Event> {
    let index = 0_u16..3;
    let id = prop::option::of(Just("b".to_owned()));
    let said = prop_oneof![
        id.clone().prop_map(|bank_payment_id| BankSaid::Executing { bank_payment_id }),
        Just(BankSaid::Authorise { bank_payment_id: "b".into(), authorise_at: "https://bank.example".into() }),
        id.prop_map(|bank_payment_id| BankSaid::Settled { bank_payment_id }),
        Just(BankSaid::Refused { reason: "AM04".into() }),
        Just(BankSaid::NotTaken { after: None }),
        Just(BankSaid::Unclear { why: "?".into() }),
        Just(BankSaid::NotFound),
        Just(BankSaid::DidNotAnswer { after: None }),
        Just(BankSaid::Returned { reason: "AC04".into() }),
    ];
    prop_oneof![
        4 => (index.clone(), said).prop_map(|(payment, said)| Event::Bank { payment, said }),
        3 => (index, 0_u8..3).prop_map(|(payment, turn)| Event::SubmitBegins { payment, turn: turn.to_string() }),
        2 => prop_oneof![Just(Answer::Yes), Just(Answer::StrongYes), Just(Answer::No), Just(Answer::WrongCode)].prop_map(|answer| Event::Answered { answer }),
        1 => prop_oneof![Just(CancelledBy::Payer), Just(CancelledBy::Edit), Just(CancelledBy::CancelOrder)].prop_map(|by| Event::Cancelled { by }),
        1 => Just(Event::TimePassed),
        1 => Just(Event::LimitReached { which: LimitKind::RollingDay }),
    ]
}

proptest! {
    /// Whatever happens in whatever order: the bank is called at most once for each time it surely had not taken the payment, only
    /// after a yes, and what was settled never quietly becomes unsettled.
    #[test]
    fn no_sequence_of_events_pays_twice(events in prop::collection::vec((any_event(), 0_u64..200), 1..60)) {
        let mut order = asked(&[500, 500]);
        let mut now = start();
        let mut confirmed = false;
        let mut may_have_it = [false; 2];
        for (event, seconds) in events {
            now = later(now, Duration::from_secs(seconds));
            let Ok(decision) = decide(&order, &event, now, &Policy::default()) else { continue };
            prop_assert_eq!(decision.order.version, order.version + 1);
            confirmed |= decision.reserves_limits;
            for (before, afterwards) in order.payments.iter().zip(&decision.order.payments) {
                let place = usize::from(before.index);
                let begins = afterwards.state.name() == "submitting" && before.state.name() != "submitting";
                if begins {
                    prop_assert!(confirmed, "submitted without a yes");
                    prop_assert!(!may_have_it[place], "submitted while the bank may have it");
                    may_have_it[place] = true;
                }
                if matches!(&event, Event::Bank { payment, said: BankSaid::NotTaken { .. } } if usize::from(*payment) == place) {
                    may_have_it[place] = false;
                }
                if before.state.name() == "settled" {
                    prop_assert!(["settled", "returned", "disputed"].contains(&afterwards.state.name()));
                }
                prop_assert_eq!(&before.key, &afterwards.key);
                prop_assert_eq!(before.amount, afterwards.amount);
            }
            for released in &decision.releases {
                let state = decision.order.payments[usize::from(*released)].state.name();
                prop_assert!(["failed", "expired", "proposed"].contains(&state), "limits freed for {}", state);
            }
            for (before, afterwards) in order.payments.iter().zip(&decision.order.payments) {
                let (before, name) = (before.state.name(), afterwards.state.name());
                if ["failed", "expired"].contains(&before) && !["failed", "expired", "proposed"].contains(&name) {
                    prop_assert!(decision.retakes.contains(&afterwards.index), "{} after {}, and its limits stay free", name, before);
                }
            }
            order = decision.order;
        }
    }
}
