//! Who may be paid: names that look alike, handles that change hands, applications, statements.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use obole::app::operate::{Act, MatterKind};
use obole::app::statement::{Period, payees, statement};
use obole::clock::Timestamp;
use obole::money::{Currency, Money};
use obole::order::{OrderState, Rejection};
use obole::people::Language;

use crate::support::app::TestApp;
use crate::support::database::Engine;
use crate::support::stories::told_on_both;
use crate::web::{ask, get, pages};

const OWN: [(&str, &str); 2] = [("origin", "http://localhost:8080"), ("sec-fetch-site", "same-origin")];
const ALL: Period = Period { from: Timestamp::MIN, until: Timestamp::MAX };

fn reason(order: &obole::order::Order) -> &Rejection {
    let OrderState::Rejected { reason, .. } = &order.state else { panic!("{:?}", order.state) };
    reason
}

told_on_both! {
    async fn who_looks_like_a_payee_is_refused_and_an_operator_hears_of_it_once(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        for imitation in ["cr0ixrouge", "croix_rouge", "croixrougee"] {
            story.world.person(imitation);
            for _ in 0..2 {
                let post = story.posts("ana", &format!("@obole #donner 10€ @{imitation}"));
                let order = story.order_becomes(post, "rejected").await;
                assert!(matches!(reason(&order), Rejection::PayeeLooksLike { like, .. } if like == "croixrouge"), "{order:?}");
            }
            let heard = story.hears("ana", imitation).await;
            assert!(heard.contains("ressemble à «\u{a0}croixrouge\u{a0}»"), "{heard}");
        }
        let calls = story.waiting().await;
        assert_eq!(calls.len(), 3, "{calls:?}");
        assert!(calls.iter().all(|call| call.kind == MatterKind::Call && call.what.starts_with("look-alike")), "{calls:?}");
        for call in calls {
            let call = call.id.trim_start_matches("call:").parse().unwrap();
            story.operator_does("eve", Act::CloseCall { call, note: "seen".to_owned() }).await.unwrap();
        }
        // A person may be called almost like another person.
        story.world.person("bobby");
        let post = story.posts("ana", "@obole #envoyer 5€ @bobby");
        story.order_becomes(post, "awaiting_payee").await;
        story.posts("ana", "@obole #annuler");
        story.order_becomes(post, "cancelled").await;
        story.ends().await;
    }

    async fn a_payees_handle_in_other_hands_freezes_the_payee(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        let now = obole::clock::Clock::now(&*story.world.clock);
        let bob = story.world.person("bob");
        story.world.town.rename(bob.id, "robert", now).unwrap();
        let thief = story.world.person("bob");
        assert_ne!(thief.id, bob.id);
        let post = story.posts("ana", "@obole #envoyer 5€ @bob");
        let order = story.order_becomes(post, "rejected").await;
        assert!(matches!(reason(&order), Rejection::PayeeFrozen { .. }), "{order:?}");
        let frozen = story.waiting().await;
        assert!(frozen.iter().any(|matter| matter.id == "payee:bob" && matter.what.contains("names another account")), "{frozen:?}");
        // Not even under the handle that the payee has now, before two operators have looked.
        let post = story.posts("ana", "@obole #envoyer 5€ @robert");
        let order = story.order_becomes(post, "rejected").await;
        assert!(matches!(reason(&order), Rejection::PayeeFrozen { .. }), "{order:?}");
        assert_eq!(story.world.balance("bob"), 10_000);
        story.ends().await;
    }

    async fn a_payee_who_only_took_another_handle_goes_on_under_it(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        let now = obole::clock::Clock::now(&*story.world.clock);
        let bob = story.world.person("bob");
        story.world.town.rename(bob.id, "robert", now).unwrap();
        let post = story.pays("ana", "@obole #envoyer 5€ @robert").await;
        story.order_becomes(post, "settled").await;
        assert_eq!(story.world.balance("bob"), 10_500);
        story.world.town.rename(bob.id, "wateraid_", now).unwrap();
        let post = story.posts("ana", "@obole #envoyer 5€ @wateraid_");
        let order = story.order_becomes(post, "rejected").await;
        assert!(matches!(reason(&order), Rejection::PayeeFrozen { .. }), "a name like another's: {order:?}");
        story.ends().await;
    }

    async fn a_charity_applies_and_can_be_paid_when_two_operators_agree(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        story.world.person("musee");
        story.world.bank.open_account("musee", "Les amis du musée", Money::new(0, Currency::EUR)).unwrap();
        let iban = story.world.bank.accounts_of("musee").unwrap()[0].account.iban.clone();
        let web = pages(&story);
        let form = get(&web, "/payees/apply", &[("accept-language", "fr")]).await;
        assert!(form.status == StatusCode::OK && form.body.contains("Recevoir par Obole") && !form.body.contains("<script>"), "{}", form.body);
        let wrong = ask(&web, Method::POST, "/payees/apply", &OWN, "legal_name=Musee&class=charity&iban=FR00&platform=town&handle=nobody_here&contact=x").await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
        for sentence in ["This is no IBAN", "A charity needs its number", "Write an e-mail address"] {
            assert!(wrong.body.contains(sentence), "{sentence}: {}", wrong.body);
        }
        assert!(wrong.body.contains("value=\"Musee\""), "what was written is kept");
        let body = format!("legal_name=Les+amis+du+mus%C3%A9e&class=charity&registry_number=W75&iban={iban}&platform=town&handle=%40musee&contact=a%40musee.example", iban = iban.as_str());
        let filed = ask(&web, Method::POST, "/payees/apply", &OWN, &body).await;
        assert!(filed.status == StatusCode::OK && filed.body.contains("Your application is filed"), "{}", filed.body);
        let again = ask(&web, Method::POST, "/payees/apply", &OWN, &body).await;
        assert!(again.body.contains("waits already") || again.status == StatusCode::TOO_MANY_REQUESTS, "{}", again.body);
        drop(web);
        let waiting = story.waiting().await;
        let [applied] = waiting.as_slice() else { panic!("{waiting:?}") };
        assert!(applied.kind == MatterKind::Application && !applied.what.contains("beware"), "{applied:?}");
        let post = story.posts("ana", "@obole #donner 5€ @musee");
        story.order_becomes(post, "rejected").await;
        let application: obole::ids::ApplicationId = applied.id.parse().unwrap();
        let accept = |slug: &str| Act::AcceptApplication { application: application.clone(), slug: slug.to_owned(), proof: "bank letter of 3 May".to_owned() };
        assert!(story.operator_does("ana", accept("Le Musée")).await.unwrap_err().contains("small letters"));
        assert!(story.operator_does("ana", accept("bob")).await.unwrap_err().contains("already"));
        story.operator_does("ana", accept("musee")).await.unwrap();
        let change = story.waiting().await.into_iter().find(|matter| matter.kind == MatterKind::Change).unwrap();
        assert!(change.what.contains("bank letter of 3 May"), "{change:?}");
        let change: obole::ids::ChangeId = change.id.parse().unwrap();
        assert!(story.operator_does("ana", Act::Approve { change: change.clone() }).await.is_err(), "one is not two");
        story.operator_does("bea", Act::Approve { change }).await.unwrap();
        let post = story.pays("ana", "@obole #donner 5€ @musee").await;
        let order = story.order_becomes(post, "settled").await;
        assert_eq!(order.payments[0].payee.legal_name, "Les amis du musée");
        let listed = payees(&story.app.store).await.unwrap();
        let entry = listed.iter().find(|entry| entry.payee == "musee").unwrap();
        assert_eq!(entry.proof.as_deref(), Some("bank letter of 3 May"));
        // A configuration that does not name them withdraws nobody it did not bring.
        obole::app::directory::withdraw_all_but(&story.app, &[], &[]).await.unwrap();
        let post = story.pays("ana", "@obole #donner 5€ @musee").await;
        story.order_becomes(post, "settled").await;
        assert_eq!(story.audit_finds().await, Vec::<String>::new());
        story.ends().await;
    }

    async fn an_applicant_who_looks_like_a_payee_is_frozen_from_the_first_moment(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        story.world.person("cr0ixrouge");
        let iban = story.world.bank.accounts_of("croixrouge").unwrap()[0].account.iban.clone();
        let web = pages(&story);
        let body = format!("legal_name=Croix+Bleue&class=charity&registry_number=W75&iban={}&platform=town&handle=cr0ixrouge&contact=0612345678", iban.as_str());
        let filed = ask(&web, Method::POST, "/payees/apply", &OWN, &body).await;
        assert_eq!(filed.status, StatusCode::OK, "{}", filed.body);
        drop(web);
        let waiting = story.waiting().await;
        let [applied] = waiting.as_slice() else { panic!("{waiting:?}") };
        assert!(applied.what.contains("beware: the handle cr0ixrouge looks like croixrouge"), "{applied:?}");
        assert!(applied.what.contains("beware: the account is that of payee:croixrouge"), "{applied:?}");
        let application: obole::ids::ApplicationId = applied.id.parse().unwrap();
        let accept = Act::AcceptApplication { application, slug: "croix-bleue".to_owned(), proof: "none".to_owned() };
        story.operator_does("ana", accept).await.unwrap();
        let change = story.waiting().await.into_iter().find(|matter| matter.kind == MatterKind::Change).unwrap();
        let said = story.operator_does("bea", Act::Approve { change: change.id.parse().unwrap() }).await.unwrap();
        assert!(said.contains("frozen"), "{said}");
        let post = story.posts("ana", "@obole #donner 5€ @cr0ixrouge");
        let order = story.order_becomes(post, "rejected").await;
        assert!(matches!(reason(&order), Rejection::PayeeFrozen { .. }), "{order:?}");
        story.ends().await;
    }

    async fn a_statement_shows_what_came_in_and_what_went_back(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        let first = story.pays("ana", "@obole #donner 10€ @croixrouge #telethon").await;
        let first = story.order_becomes(first, "settled").await;
        story.world.clock.advance(Duration::from_secs(24 * 60 * 60));
        let second = story.pays("ana", "@obole #donner 7,50€ @croixrouge").await;
        let order = story.order_becomes(second, "settled").await;
        let now = obole::clock::Clock::now(&*story.world.clock);
        let returned = obole::order::Event::Bank { payment: 0, said: obole::order::BankSaid::Returned { reason: "AC04".to_owned() } };
        story.ledger().happened(order.id.clone(), returned).await.unwrap().unwrap();
        let all = statement(&story.app.store, "croixrouge", ALL).await.unwrap().unwrap();
        assert_eq!(all.lines.iter().map(|line| (line.kind, line.amount_minor)).collect::<Vec<_>>(), [("gift", 1_000), ("gift", 750), ("returned", -750)]);
        assert_eq!((all.received[0].minor, all.returned[0].minor), (1_750, -750));
        let csv = all.csv();
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(lines[0], "date,kind,amount,currency,reference,receipt,campaign");
        assert!(lines[1].ends_with(&format!(",gift,10.00,EUR,{},{},telethon", first.payments[0].key, first.receipt_number())), "{csv}");
        assert!(lines[3].contains(",returned,-7.50,EUR,"), "{csv}");
        let today = Period { from: obole::clock::earlier(now, Duration::from_secs(60)), until: Timestamp::MAX };
        assert_eq!(statement(&story.app.store, "croixrouge", today).await.unwrap().unwrap().lines.len(), 2);
        assert_eq!(statement(&story.app.store, "wateraid", ALL).await.unwrap().unwrap().lines, []);
        assert_eq!(statement(&story.app.store, "nobody", ALL).await.unwrap(), None);
        // The bank itself gives nothing back here, so that the sums are ours to compare no more.
        let given_back = story.world.bank.payments_with(order.payments[0].key.as_str()).unwrap();
        story.world.bank.give_back(&given_back[0].id, &obole::bank::fake::Reason("AC04".to_owned())).unwrap();
        story.ends().await;
    }
}
