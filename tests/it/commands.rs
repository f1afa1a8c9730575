//! What a payer asks for in private besides paying, told on both databases.

use std::time::Duration;

use obole::app::operate::{Act, MatterKind, Request, Response};
use obole::bank::fake::{Fault, FaultKind, Operation};
use obole::people::Language;

use crate::support::app::TestApp;
use crate::support::database::Engine;
use crate::support::stories::told_on_both;

const GIFT: &str = "@obole #donner 10€ @croixrouge #telethon";

fn forever(fault: FaultKind, on: Operation) -> Fault {
    Fault { fault, on: Some(on), times: None, seconds: None, one_in: None }
}

told_on_both! {
    async fn a_payer_asks_where_things_stand(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        story.tells("ana", "statut");
        story.hears("ana", "Rien de votre part n'est ouvert").await;
        story.tells("ana", "historique");
        story.hears("ana", "http://localhost:8080/me").await;
        let paid = story.pays("ana", GIFT).await;
        story.order_becomes(paid, "settled").await;
        story.world.clock.advance(Duration::from_secs(1));
        let waits = story.posts("ana", "@obole #envoyer 5€ @bob");
        story.order_becomes(waits, "awaiting_confirmation").await;
        story.tells("ana", "statut");
        let status = story.hears("ana", "attend votre OUI").await;
        assert!(status.contains("5,00\u{a0}€ à bob (legal)") && !status.contains("croixrouge"), "{status}");
        story.tells("ana", "historique");
        let history = story.hears("ana", "Vos derniers ordres").await;
        assert!(history.contains("10,00\u{a0}€ à croixrouge (legal)\u{a0}: payé"), "{history}");
        assert!(history.find("bob").unwrap() < history.find("croixrouge").unwrap(), "newest first: {history}");
        // What is reserved counts; what waits for a yes does not yet.
        story.tells("ana", "plafonds");
        let limits = story.hears("ana", "http://localhost:8080/me/settings").await;
        assert!(limits.contains("30,00\u{a0}€ par ordre") && limits.contains("990,00\u{a0}€ en 24 heures"), "{limits}");
        assert!(limits.contains("90,00\u{a0}€ en 4 ordres"), "{limits}");
        story.tells("ana", "NON");
        story.order_becomes(waits, "cancelled").await;
        story.ends().await;
    }

    async fn a_balance_is_what_the_bank_says_and_is_stored_nowhere(story: TestApp) {
        story.enrols("ana", Language::En).await;
        story.tells("ana", "balance");
        let told = story.hears("ana", "available on").await;
        assert!(told.starts_with("@ana €200.00 available on"), "{told}");
        story.world.bank.misbehave(forever(FaultKind::Down, Operation::Accounts));
        story.tells("ana", "balance");
        story.hears("ana", "did not answer").await;
        story.world.bank.behave();
        story.world.bank.misbehave(forever(FaultKind::ErrorBefore { status: 401 }, Operation::Accounts));
        story.tells("ana", "balance");
        story.hears("ana", "http://localhost:8080/me/settings").await;
        story.world.bank.behave();
        story.rests().await;
        assert_eq!(story.finds("SELECT COUNT(*) FROM effects WHERE data LIKE '%200%available%'").await, 0);
        story.ends().await;
    }

    async fn what_reveals_much_is_answered_with_a_page(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        story.tells("ana", "supprimer mes données");
        story.hears("ana", "http://localhost:8080/me/erase").await;
        story.tells("ana", "mes données");
        story.hears("ana", "http://localhost:8080/me/export").await;
        story.tells("ana", "aide");
        story.hears("ana", "HUMAIN").await;
        story.ends().await;
    }

    async fn stop_withdraws_what_waits_and_takes_nothing_new_until_start(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        story.world.bank.misbehave(forever(FaultKind::Down, Operation::Ask));
        let first = story.posts("ana", GIFT);
        let second = story.posts("ana", "@obole #envoyer 5€ @bob");
        story.order_becomes(first, "awaiting_confirmation").await;
        story.order_becomes(second, "awaiting_confirmation").await;
        story.rests().await;
        let heard = story.world.messages_to("ana").len();
        story.tells("ana", "stop");
        story.hears("ana", "Retiré, rien n'est payé\u{a0}: 2 ordres").await;
        story.order_becomes(first, "cancelled").await;
        story.order_becomes(second, "cancelled").await;
        story.rests().await;
        assert_eq!(story.world.messages_to("ana").len(), heard + 1, "one answer, and no message for each order");
        // A post was meant for us: it is said once a day that it was not taken. In private it is said each time.
        for _ in 0..3 {
            story.posts("ana", GIFT);
        }
        story.hears("ana", "Écrivez d'abord REPRENDRE").await;
        story.rests().await;
        assert_eq!(story.world.messages_to("ana").len(), heard + 2);
        story.tells("ana", "#donner 10€ #telethon");
        story.tells("ana", "statut");
        story.hears("ana", "Rien de votre part").await;
        story.rests().await;
        assert_eq!(story.world.messages_to("ana").len(), heard + 4);
        assert_eq!(story.app.newest_orders(None, 10).await.unwrap().len(), 2);
        story.tells("ana", "reprendre");
        story.hears("ana", "Bon retour").await;
        story.world.bank.behave();
        let post = story.pays("ana", GIFT).await;
        story.order_becomes(post, "settled").await;
        story.tells("ana", "reprendre");
        story.hears("ana", "Je n'étais pas arrêté").await;
        story.ends().await;
    }

    async fn what_the_bank_has_goes_on_after_a_stop_and_its_receipt_is_sent(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        story.world.bank.misbehave(Fault { times: Some(1), ..forever(FaultKind::LoseAnswer, Operation::Initiate) });
        let post = story.pays("ana", GIFT).await;
        story.order_becomes(post, "unknown").await;
        story.tells("ana", "stop");
        story.hears("ana", "Arrêté").await;
        story.world.clock.advance(Duration::from_secs(60));
        let order = story.order_becomes(post, "settled").await;
        story.hears("ana", &order.receipt_number()).await;
        story.ends().await;
    }

    async fn a_refund_is_a_wish_that_an_operator_carries_once(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        story.enrols("eve", Language::En).await;
        story.tells("ana", "remboursement");
        story.hears("ana", "8 chiffres de son reçu").await;
        let post = story.pays("ana", GIFT).await;
        let order = story.order_becomes(post, "settled").await;
        let number = order.receipt_number();
        story.tells("eve", &format!("refund {number}"));
        story.hears("eve", "No payment of yours").await;
        story.tells("ana", &format!("remboursement {number}"));
        story.hears("ana", "une personne interroge le bénéficiaire").await;
        story.tells("ana", &format!("remboursement {number}"));
        story.hears("ana", "C'est déjà transmis").await;
        let calls = story.waiting().await;
        let [call] = calls.as_slice() else { panic!("{calls:?}") };
        assert!(call.kind == MatterKind::Call && call.order == Some(order.id.to_string()) && call.what.contains(&number), "{call:?}");
        assert_eq!(story.world.balance("croixrouge"), 1_000, "nothing is taken back");
        let open = story.posts("ana", "@obole #envoyer 5€ @bob");
        let open = story.order_becomes(open, "awaiting_confirmation").await;
        story.tells("ana", &format!("remboursement {}", open.receipt_number()));
        story.hears("ana", "Ce n'est pas encore terminé").await;
        story.tells("ana", "NON");
        story.hears("ana", "Vous avez dit non").await;
        story.tells("ana", &format!("remboursement {}", open.receipt_number()));
        story.hears("ana", "Il n'y a rien à rendre").await;
        let id = call.id.trim_start_matches("call:").parse().unwrap();
        story.operator_does("bob", Act::CloseCall { call: id, note: "the payee has given it back".to_owned() }).await.unwrap();
        story.ends().await;
    }

    async fn somebody_who_asks_for_a_person_is_answered_by_one(story: TestApp) {
        story.enrols("ana", Language::En).await;
        story.tells("ana", "what is this?");
        story.hears("ana", "did not understand").await;
        story.tells("ana", "human");
        story.hears("ana", "A person will read this thread").await;
        story.tells("ana", "human");
        story.tells("ana", "I paid twice, I think");
        story.hears("ana", "Kept for the person").await;
        let calls = story.waiting().await;
        let [call] = calls.as_slice() else { panic!("asked twice, it is one call: {calls:?}") };
        assert_eq!(call.what, "ana on town wants to talk to a person");
        let id: obole::ids::EffectId = call.id.trim_start_matches("call:").parse().unwrap();
        let Response::Talk(talk) = story.operator_asks(Request::ShowTalk { call: id.clone() }).await else { panic!() };
        assert_eq!(talk.lines.iter().map(|line| line.said.as_str()).collect::<Vec<_>>(), ["I paid twice, I think"]);
        let answer = Act::Answer { call: id.clone(), text: "Which receipts, @ana?".to_owned() };
        story.operator_does("eve", answer).await.unwrap();
        let heard = story.hears("ana", "A person at Obole writes").await;
        assert!(heard.contains("Which receipts, (at)ana?") && heard.contains("pomme bleue"), "{heard}");
        let long = Act::Answer { call: id.clone(), text: "m".repeat(300) };
        assert!(story.operator_does("eve", long).await.unwrap_err().contains("longer"));
        story.operator_does("eve", Act::CloseCall { call: id.clone(), note: "solved".to_owned() }).await.unwrap();
        let Response::Talk(talk) = story.operator_asks(Request::ShowTalk { call: id.clone() }).await else { panic!() };
        assert!(talk.is_closed && talk.lines.len() == 2 && talk.lines[1].operator.as_deref() == Some("eve"), "{talk:?}");
        let late = Act::Answer { call: id, text: "one more thing".to_owned() };
        assert!(story.operator_does("eve", late).await.unwrap_err().contains("no call"));
        story.tells("ana", "thanks a lot");
        story.tells("ana", "help");
        story.hears("ana", "HUMAN, MY DATA").await;
        story.rests().await;
        let heard = story.world.messages_to("ana");
        let misunderstood = heard.iter().filter(|text| text.contains("did not understand")).count();
        assert_eq!(misunderstood, 2, "after the talk is closed nobody is there to keep it for: {heard:#?}");
        story.ends().await;
    }

    async fn an_order_may_be_given_in_private(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        let message = story.tells("ana", "#envoyer 5€ @bob");
        let order = story.order_becomes(message, "awaiting_confirmation").await;
        let code = story.code_for("ana", &order).await;
        story.tells("ana", &format!("OUI {code}"));
        story.order_becomes(message, "settled").await;
        let gift = story.tells("ana", "#donner 7€ #telethon");
        story.order_becomes(gift, "awaiting_confirmation").await;
        story.tells("ana", "#annuler");
        story.order_becomes(gift, "cancelled").await;
        assert_eq!(story.world.balance("croixrouge"), 0);
        story.ends().await;
    }
}
