//! Stories: what people do and what comes of it, told on both databases with town and bank in memory.

use std::time::Duration;

use obole::app::timekeeping;
use obole::app::turns::{TURN, Turns};
use obole::bank::fake::{Fault, FaultKind, Operation};
use obole::ids::PlatformName;
use obole::order::{OrderState, Rejection};
use obole::people::Language;

use crate::support::app::TestApp;
use crate::support::database::Engine;
use crate::support::stories::told_on_both;

const GIFT: &str = "@obole #donner 10€ @croixrouge #telethon";

fn once(fault: FaultKind, on: Operation) -> Fault {
    Fault { fault, on: Some(on), times: Some(1), seconds: None, one_in: None }
}

told_on_both! {
    async fn a_stream_is_read_by_one_and_by_another_when_that_one_is_gone(story: TestApp) {
        let (one, other) = (Turns::new(story.app.clone()), Turns::new(story.app.clone()));
        // The story itself listens to its town.
        let elsewhere = PlatformName::from("elsewhere");
        assert!(one.take(&elsewhere).await.unwrap());
        assert!(!other.take(&elsewhere).await.unwrap(), "it is somebody else's turn");
        story.world.clock.advance(TURN / 2);
        assert!(one.take(&elsewhere).await.unwrap(), "prolonged");
        story.world.clock.advance(TURN / 2 + Duration::from_secs(1));
        assert!(!other.take(&elsewhere).await.unwrap(), "it was prolonged");
        story.world.clock.advance(TURN);
        assert!(other.take(&elsewhere).await.unwrap(), "whoever had it is gone");
        assert!(!one.take(&elsewhere).await.unwrap(), "who wakes up again has lost it");
        other.give_back().await.unwrap();
        assert!(one.take(&elsewhere).await.unwrap(), "given back, it is free at once");
        story.ends().await;
    }

    async fn an_order_like_one_of_unknown_outcome_waits_for_it(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        story.world.bank.misbehave(once(FaultKind::LoseAnswer, Operation::Initiate));
        let forever = Fault { fault: FaultKind::Down, on: Some(Operation::Accounts), times: None, seconds: None, one_in: None };
        story.world.bank.misbehave(forever);
        let first = story.pays("ana", "@obole #envoyer 10€ @bob").await;
        story.order_becomes(first, "unknown").await;
        let second = story.posts("ana", "@obole #envoyer 10€ @bob");
        story.order_becomes(second, "held").await;
        story.hears("ana", "Ne payez pas à nouveau").await;
        // Another sum is nothing like it.
        let other = story.posts("ana", "@obole #envoyer 11€ @bob");
        story.order_becomes(other, "awaiting_confirmation").await;
        story.world.bank.behave();
        story.world.clock.advance(Duration::from_secs(60));
        story.order_becomes(first, "settled").await;
        story.order_becomes(second, "awaiting_confirmation").await;
        story.ends().await;
    }

    async fn a_callback_only_brings_the_question_forward(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        story.world.bank.misbehave(once(FaultKind::LoseAnswer, Operation::Initiate));
        let post = story.pays("ana", GIFT).await;
        let order = story.order_becomes(post, "unknown").await;
        let nobodys = obole::ids::OrderId::new(obole::clock::Clock::now(&*story.world.clock), &obole::entropy::SeededEntropy::new(9));
        assert_eq!(story.app.hurry(&nobodys).await.unwrap(), 0, "an address that somebody made up moves nothing");
        assert_eq!(story.app.hurry(&order.id).await.unwrap(), 1);
        story.order_becomes(post, "settled").await;
        assert_eq!(story.app.hurry(&order.id).await.unwrap(), 0);
        story.ends().await;
    }

    async fn a_bank_that_asks_for_time_is_left_alone_by_everybody(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        story.enrols("eve", Language::En).await;
        story.world.bank.misbehave(once(FaultKind::TooMany { retry_after_seconds: 60 }, Operation::Initiate));
        let first = story.pays("ana", GIFT).await;
        story.bank_has_misbehaved().await;
        story.rests_until_due().await;
        let second = story.pays("eve", GIFT).await;
        story.order_becomes(second, "ready").await;
        story.rests_until_due().await;
        assert_eq!(story.world.balance("croixrouge"), 0, "the second payment knocked at a bank that had asked for time");
        story.world.clock.advance(Duration::from_secs(60));
        story.order_becomes(first, "settled").await;
        story.order_becomes(second, "settled").await;
        story.ends().await;
    }

    async fn a_start_with_an_earlier_clock_is_refused(story: TestApp) {
        let store = &story.app.store;
        let shown = obole::clock::Clock::now(&*story.world.clock);
        let ahead = store.clock_ahead_ms(shown).await.unwrap().unwrap_or(0);
        // A service that runs has marked its own time already; the database's may be another.
        let now = store.latest_time().await.unwrap().unwrap_or(shown).max(shown) + jiff::SignedDuration::from_secs(60);
        store.mark_time(now).await.unwrap();
        if ahead != 0 {
            let refused = timekeeping::check(store, now).await.unwrap_err().to_string();
            assert!(refused.contains("differ by"), "{refused}");
            return story.ends().await;
        }
        timekeeping::check(store, now).await.unwrap();
        store.mark_time(now + jiff::SignedDuration::from_secs(3600)).await.unwrap();
        let refused = timekeeping::check(store, now).await.unwrap_err().to_string();
        assert!(refused.contains("has already seen"), "{refused}");
        // The mark does not go back, whoever sets it.
        store.mark_time(now).await.unwrap();
        assert!(timekeeping::check(store, now).await.is_err());
        let other = timekeeping::check(store, now - jiff::SignedDuration::from_secs(60)).await.unwrap_err().to_string();
        assert!(other.contains("set"), "{other}");
        story.ends().await;
    }

    async fn a_post_that_no_database_takes_does_not_stop_the_stream(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        story.enrols("eve", Language::En).await;
        story.tampers("CREATE UNIQUE INDEX poison ON posts (author) WHERE channel = 'post'").await;
        let first = story.posts("ana", GIFT);
        story.order_becomes(first, "awaiting_confirmation").await;
        story.posts("ana", GIFT);
        let after = story.posts("eve", GIFT);
        story.order_becomes(after, "awaiting_confirmation").await;
        assert_eq!(story.app.newest_orders(None, 10).await.unwrap().len(), 2);
        for name in ["ana", "eve"] {
            story.tells(name, "non");
        }
        story.order_becomes(after, "cancelled").await;
        story.ends().await;
    }

    async fn strangers_share_a_tenth_of_what_may_be_said(story: TestApp) {
        let strangers: Vec<String> = (0..40).map(|number| format!("stranger{number}")).collect();
        for stranger in &strangers {
            story.posts(stranger, GIFT);
        }
        story.enrols("ana", Language::Fr).await;
        let post = story.pays("ana", GIFT).await;
        story.order_becomes(post, "settled").await;
        let windows = story.app.platforms.values().next().unwrap().send_windows();
        let tenth = usize::try_from(windows.iter().map(|window| window.limit).min().unwrap() / 10).unwrap();
        let hints = || strangers.iter().filter(|name| !story.world.hints_to(name).is_empty()).count();
        assert!(tenth < strangers.len() && 0 < hints() && hints() <= tenth, "{} hints, {tenth} are a tenth", hints());
        // Who was not told in the time an order waits is not told any more.
        story.world.clock.advance(Duration::from_secs(2 * 24 * 60 * 60));
        story.rests().await;
        assert!(hints() <= tenth);
        story.ends().await;
    }

    async fn a_post_becomes_a_settled_payment(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        let post = story.pays("ana", GIFT).await;
        let order = story.order_becomes(post, "settled").await;
        assert_eq!(order.campaign.as_deref(), Some("telethon"));
        assert_eq!(story.world.balance("croixrouge"), 1_000);
        assert_eq!(story.world.balance("ana"), 19_000);
        let receipt = story.hears("ana", &order.receipt_number()).await;
        assert!(receipt.contains("10,00"), "{receipt}");
        let total = story.app.campaign_total("telethon").await.unwrap();
        assert_eq!((total.gifts, total.settled.minor, total.pending.minor), (1, 1_000, 0));
        story.ends().await;
    }

    async fn no_means_no(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        let post = story.posts("ana", GIFT);
        story.order_becomes(post, "awaiting_confirmation").await;
        story.tells("ana", "NON");
        story.order_becomes(post, "cancelled").await;
        assert_eq!(story.world.balance("croixrouge"), 0);
        story.ends().await;
    }

    async fn a_yes_without_the_code_confirms_nothing_and_says_so(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        let post = story.posts("ana", GIFT);
        story.order_becomes(post, "awaiting_confirmation").await;
        story.tells("ana", "oui");
        story.hears("ana", "six chiffres").await;
        story.order_becomes(post, "awaiting_confirmation").await;
        story.tells("ana", "non");
        story.order_becomes(post, "cancelled").await;
        story.ends().await;
    }

    async fn five_wrong_codes_end_the_order(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        let post = story.posts("ana", GIFT);
        let order = story.order_becomes(post, "awaiting_confirmation").await;
        let right = story.code_for("ana", &order).await;
        let wrong = if right == "111111" { "222222" } else { "111111" };
        for _ in 0..5 {
            story.tells("ana", &format!("OUI {wrong}"));
        }
        let order = story.order_becomes(post, "rejected").await;
        assert!(matches!(order.state, OrderState::Rejected { reason: Rejection::TooManyWrongAnswers, .. }));
        story.tells("ana", &format!("OUI {right}"));
        story.rests().await;
        assert_eq!(story.world.balance("croixrouge"), 0);
        story.ends().await;
    }

    async fn somebody_elses_answer_has_no_authority(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        story.enrols("eve", Language::Fr).await;
        let post = story.posts("ana", GIFT);
        let order = story.order_becomes(post, "awaiting_confirmation").await;
        let code = story.code_for("ana", &order).await;
        story.tells("eve", &format!("OUI {code}"));
        story.posts("ana", &format!("@obole OUI {code}"));
        story.hears("eve", "").await;
        story.rests().await;
        story.order_becomes(post, "awaiting_confirmation").await;
        story.tells("ana", "non");
        story.order_becomes(post, "cancelled").await;
        story.ends().await;
    }

    async fn a_stranger_is_asked_after_enrolling(story: TestApp) {
        let post = story.posts("zoe", GIFT);
        story.order_becomes(post, "awaiting_payer").await;
        story.enrols("zoe", Language::En).await;
        let order = story.order_becomes(post, "awaiting_confirmation").await;
        let code = story.code_for("zoe", &order).await;
        story.tells("zoe", &format!("YES {code}"));
        story.order_becomes(post, "settled").await;
        story.ends().await;
    }

    async fn a_code_is_worthless_after_ten_minutes(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        let post = story.posts("ana", GIFT);
        let order = story.order_becomes(post, "awaiting_confirmation").await;
        let code = story.code_for("ana", &order).await;
        story.world.clock.advance(Duration::from_secs(10 * 60));
        story.tells("ana", &format!("OUI {code}"));
        story.order_becomes(post, "expired").await;
        story.rests().await;
        assert_eq!(story.world.balance("croixrouge"), 0);
        story.ends().await;
    }

    async fn an_edit_or_a_deletion_before_the_yes_cancels(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        let edited = story.posts("ana", GIFT);
        story.order_becomes(edited, "awaiting_confirmation").await;
        story.edits("ana", edited, "@obole #donner 29€ @croixrouge #telethon");
        story.order_becomes(edited, "cancelled").await;
        let deleted = story.posts("ana", GIFT);
        story.order_becomes(deleted, "awaiting_confirmation").await;
        story.deletes("ana", deleted);
        story.order_becomes(deleted, "cancelled").await;
        story.ends().await;
    }

    async fn a_near_miss_is_answered_with_what_would_have_worked(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        story.posts("ana", "@obole #envoyer 1.000 € @bob");
        let answer = story.hears("ana", "1000").await;
        assert!(!answer.replace("@ana", "").contains('@'), "no handle but the payer's: {answer}");
        story.posts("ana", "@obole #donner 20 balles @croixrouge");
        story.hears("ana", "20 EUR").await;
        story.ends().await;
    }

    async fn more_than_a_code_may_confirm_is_refused_with_a_sentence(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        let post = story.posts("ana", "@obole #donner 30,01€ @croixrouge");
        let order = story.order_becomes(post, "rejected").await;
        assert!(matches!(order.state, OrderState::Rejected { reason: Rejection::AboveLowValueLimit { .. }, .. }));
        story.hears("ana", "30,00").await;
        story.ends().await;
    }

    async fn the_sixth_order_by_code_alone_is_refused(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        for _ in 0..5 {
            let post = story.pays("ana", "@obole #donner 1€ @croixrouge").await;
            story.order_becomes(post, "settled").await;
        }
        let sixth = story.pays("ana", "@obole #donner 1€ @croixrouge").await;
        let order = story.order_becomes(sixth, "rejected").await;
        assert!(matches!(order.state, OrderState::Rejected { reason: Rejection::LimitReached { .. }, .. }));
        assert_eq!(story.world.balance("croixrouge"), 500);
        story.ends().await;
    }

    async fn a_refused_payment_gives_its_limit_back(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        for round in 0..4 {
            story.world.bank.misbehave(once(FaultKind::NoFunds, Operation::Initiate));
            let post = story.pays("ana", "@obole #donner 30€ @croixrouge").await;
            story.order_becomes(post, "failed").await;
            story.rests().await;
            assert_eq!(story.world.balance("croixrouge"), 0, "round {round}");
        }
        let post = story.pays("ana", "@obole #donner 30€ @croixrouge").await;
        story.order_becomes(post, "settled").await;
        story.ends().await;
    }

    async fn a_lost_answer_is_found_by_asking_and_never_paid_again(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        story.world.bank.misbehave(once(FaultKind::LoseAnswer, Operation::Initiate));
        let post = story.pays("ana", GIFT).await;
        story.order_becomes(post, "unknown").await;
        story.world.clock.advance(Duration::from_secs(60));
        story.order_becomes(post, "settled").await;
        assert_eq!(story.world.balance("croixrouge"), 1_000);
        assert_eq!(story.world.bank.totals().unwrap().payments, 1);
        story.ends().await;
    }

    async fn a_bank_that_turned_us_away_is_called_again(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        story.world.bank.misbehave(once(FaultKind::TooMany { retry_after_seconds: 3 }, Operation::Initiate));
        let post = story.pays("ana", GIFT).await;
        story.bank_has_misbehaved().await;
        story.order_becomes(post, "ready").await;
        story.world.clock.advance(Duration::from_secs(5));
        story.order_becomes(post, "settled").await;
        assert_eq!(story.world.bank.totals().unwrap().payments, 1);
        story.ends().await;
    }

    async fn a_payment_that_is_found_nowhere_goes_to_an_operator(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        story.world.bank.misbehave(once(FaultKind::CutBefore, Operation::Initiate));
        let post = story.pays("ana", GIFT).await;
        let mut order = story.order_becomes(post, "unknown").await;
        while !order.is_terminal() {
            story.world.clock.advance(Duration::from_secs(11 * 60));
            story.rests_until_due().await;
            order = story.order_becomes(post, "unknown").await;
        }
        story.hears("ana", "deux fois").await;
        assert_eq!(story.world.bank.totals().unwrap().payments, 0, "nothing is paid on a guess");
        story.ends().await;
    }

    async fn one_order_may_have_two_recipients(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        let post = story.pays("ana", "@obole #donner 10,01€ à @croixrouge et @wateraid #partager").await;
        let order = story.order_becomes(post, "settled").await;
        assert_eq!(order.payments.len(), 2);
        story.rests().await;
        assert_eq!((story.world.balance("croixrouge"), story.world.balance("wateraid")), (501, 500));
        story.ends().await;
    }

    async fn an_unknown_payee_is_refused_and_never_guessed(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        story.world.person("croixr0uge");
        let post = story.posts("ana", "@obole #donner 10€ @croixr0uge");
        let order = story.order_becomes(post, "rejected").await;
        assert!(matches!(order.state, OrderState::Rejected { reason: Rejection::PayeeLooksLike { .. }, .. }));
        story.world.person("lesrestos");
        let post = story.posts("ana", "@obole #donner 10€ @lesrestos");
        let order = story.order_becomes(post, "rejected").await;
        assert!(matches!(order.state, OrderState::Rejected { reason: Rejection::PayeeUnknown { .. }, .. }));
        story.ends().await;
    }

    async fn whoever_is_struck_from_the_directory_is_not_payable(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        assert!(obole::app::directory::withdraw_all_but(&story.app, &[], &[]).await.unwrap() > 0);
        let post = story.posts("ana", GIFT);
        let order = story.order_becomes(post, "rejected").await;
        assert!(matches!(order.state, OrderState::Rejected { reason: Rejection::PayeeUnknown { .. }, .. }));
        story.ends().await;
    }

    async fn at_most_three_orders_wait_for_one_payer(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        let mut posts = Vec::new();
        for _ in 0..4 {
            posts.push(story.posts("ana", "@obole #donner 1€ @croixrouge"));
        }
        let fourth = story.order_becomes(posts[3], "rejected").await;
        assert!(matches!(fourth.state, OrderState::Rejected { reason: Rejection::TooManyOpen { limit: 3 }, .. }));
        story.tells("ana", "non");
        for post in &posts[..3] {
            story.order_becomes(*post, "cancelled").await;
        }
        story.ends().await;
    }

    async fn a_cancel_order_withdraws_what_waits(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        let post = story.posts("ana", GIFT);
        story.order_becomes(post, "awaiting_confirmation").await;
        story.posts("ana", "@obole #annuler");
        story.order_becomes(post, "cancelled").await;
        story.ends().await;
    }

    async fn a_restart_in_the_middle_loses_and_doubles_nothing(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        let post = story.posts("ana", GIFT);
        let order = story.order_becomes(post, "awaiting_confirmation").await;
        let code = story.code_for("ana", &order).await;
        story.restart().await;
        story.tells("ana", &format!("OUI {code}"));
        story.tells("ana", &format!("OUI {code}"));
        story.order_becomes(post, "settled").await;
        story.restart().await;
        story.rests().await;
        assert_eq!(story.world.bank.totals().unwrap().payments, 1);
        story.ends().await;
    }

    async fn a_bank_that_wants_its_own_authentication_is_waited_for(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        story.world.bank.misbehave(once(FaultKind::AlwaysAsk, Operation::Initiate));
        let post = story.pays("ana", GIFT).await;
        let order = story.order_becomes(post, "awaiting_bank").await;
        let obole::order::PaymentState::AwaitingBank { authorise_at, .. } = &order.payments[0].state else { panic!("{order:?}") };
        story.hears("ana", authorise_at).await;
        let (_, authorisation) = authorise_at.rsplit_once('/').unwrap();
        story.world.bank.answer(&obole::bank::fake::AuthorisationId(authorisation.to_owned()), true, Some("ana")).unwrap();
        story.world.clock.advance(Duration::from_secs(10));
        story.order_becomes(post, "settled").await;
        story.ends().await;
    }
}
