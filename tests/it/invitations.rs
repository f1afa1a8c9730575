//! Paying somebody who is not in the directory: one invitation, a claim, a no, a never. Told on both databases.

use std::time::Duration;

use obole::money::{Currency, Money};
use obole::order::{OrderState, Rejection};
use obole::people::Language;
use obole::platform::fake::{Policy, Treatment};

use crate::support::app::TestApp;
use crate::support::database::Engine;
use crate::support::stories::told_on_both;
use crate::web::{get, pages};

const ASKED: &str = "@obole #envoyer 5€ @zoe";

impl TestApp {
    /// How often somebody was told that they are to be paid.
    fn invitations_to(&self, name: &str) -> usize {
        self.world.messages_to(name).iter().filter(|text| text.contains("/claim")).count()
    }
}

fn declined(order: &obole::order::Order) -> bool {
    matches!(&order.state, OrderState::Rejected { reason: Rejection::PayeeDeclined { handle }, .. } if handle == "zoe")
}

told_on_both! {
    async fn whoever_is_invited_claims_and_the_payer_says_yes_to_the_verified_name(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        story.world.person("zoe");
        let post = story.posts("ana", ASKED);
        let waiting = story.order_becomes(post, "awaiting_payee").await;
        let told = story.hears("ana", "Votre ordre attend").await;
        assert!(told.contains("5,00\u{a0}€ à zoe") && told.contains("#annuler"), "{told}");
        let invited = story.hears("zoe", "http://localhost:8080/claim").await;
        assert!(invited.contains("ana") && invited.contains("5,00") && !invited.contains("OUI "), "{invited}");
        // Nothing that anybody answers pays before the claim; what stands in the order is nobody else's account.
        let payer = waiting.payer.clone().unwrap();
        assert_eq!(waiting.payments[0].payee.iban, payer.iban);
        story.tells("ana", "OUI 123456");
        story.tells("zoe", "OUI 123456");
        story.rests().await;
        story.order_becomes(post, "awaiting_payee").await;
        assert_eq!(story.finds("SELECT COUNT(*) FROM reservations").await, 0);
        story.enrols("zoe", Language::Fr).await;
        let order = story.order_becomes(post, "awaiting_confirmation").await;
        assert_eq!(order.payments[0].payee.legal_name, "zoe", "as the bank has it");
        assert_ne!(order.payments[0].payee.iban, payer.iban);
        let code = story.code_for("ana", &order).await;
        story.tells("ana", &format!("OUI {code}"));
        story.order_becomes(post, "settled").await;
        assert_eq!(story.world.balance("zoe"), 20_500);
        // From now on like any other payee.
        let again = story.pays("ana", ASKED).await;
        story.order_becomes(again, "settled").await;
        let entries = obole::app::statement::payees(&story.app.store).await.unwrap();
        let entry = entries.iter().find(|entry| entry.payee.starts_with("claim-town-")).unwrap();
        assert!(entry.proof.as_deref().is_some_and(|proof| proof.starts_with("consent ") && proof.ends_with(" at bank")), "{entry:?}");
        assert_eq!(story.audit_finds().await, Vec::<String>::new());
        story.ends().await;
    }

    async fn an_account_is_written_to_once_for_ever(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        story.enrols("eve", Language::En).await;
        story.world.person("zoe");
        let first = story.posts("ana", ASKED);
        story.order_becomes(first, "awaiting_payee").await;
        story.hears("zoe", "/claim").await;
        let second = story.posts("eve", "@obole #send 7€ @zoe");
        story.order_becomes(second, "awaiting_payee").await;
        let third = story.posts("ana", ASKED);
        story.order_becomes(third, "awaiting_payee").await;
        story.rests().await;
        assert_eq!(story.invitations_to("zoe"), 1);
        story.posts("ana", "@obole #annuler");
        story.order_becomes(first, "cancelled").await;
        story.world.clock.advance(Duration::from_secs(7 * 24 * 60 * 60));
        story.order_becomes(second, "expired").await;
        let late = story.posts("ana", ASKED);
        story.order_becomes(late, "awaiting_payee").await;
        story.rests().await;
        assert_eq!(story.invitations_to("zoe"), 1, "not a year later either");
        story.posts("ana", "@obole #annuler");
        story.order_becomes(late, "cancelled").await;
        story.ends().await;
    }

    async fn a_no_refuses_what_waits_and_a_stop_everything_that_comes(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        story.world.person("zoe");
        let first = story.posts("ana", ASKED);
        story.order_becomes(first, "awaiting_payee").await;
        story.tells("zoe", "non");
        assert!(declined(&story.order_becomes(first, "rejected").await));
        story.hears("ana", "ne veut pas être payé").await;
        let second = story.posts("ana", ASKED);
        story.order_becomes(second, "awaiting_payee").await;
        story.tells("zoe", "STOP");
        assert!(declined(&story.order_becomes(second, "rejected").await));
        let third = story.posts("ana", ASKED);
        assert!(declined(&story.order_becomes(third, "rejected").await));
        story.rests().await;
        assert_eq!(story.invitations_to("zoe"), 1);
        // Whoever said it before anybody named them is not written to at all.
        story.world.person("yan");
        story.tells("yan", "stop");
        story.hears("yan", "nobody can pay you through Obole").await;
        story.rests().await;
        let heard = story.world.messages_to("yan").len();
        let fourth = story.posts("ana", "@obole #envoyer 5€ @yan");
        story.order_becomes(fourth, "rejected").await;
        story.rests().await;
        assert_eq!(story.world.messages_to("yan").len(), heard);
        story.ends().await;
    }

    async fn whoever_has_linked_an_account_can_be_paid_without_being_asked(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        story.enrols("zoe", Language::En).await;
        let post = story.pays("ana", ASKED).await;
        story.order_becomes(post, "settled").await;
        assert_eq!((story.world.balance("zoe"), story.invitations_to("zoe")), (20_500, 0));
        story.ends().await;
    }

    async fn nobody_is_invited_for_a_gift_or_for_more_than_may_be_sent(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        story.world.person("zoe");
        let gift = story.posts("ana", "@obole #donner 5€ @zoe");
        story.order_becomes(gift, "rejected").await;
        let much = story.posts("ana", "@obole #envoyer 900€ @zoe");
        story.order_becomes(much, "rejected").await;
        let both = story.posts("ana", "@obole #envoyer 6€ @zoe @bob");
        story.order_becomes(both, "rejected").await;
        let stranger = story.posts("yan", ASKED);
        story.order_becomes(stranger, "rejected").await;
        story.rests().await;
        assert_eq!(story.invitations_to("zoe"), 0);
        story.ends().await;
    }

    async fn an_invitation_that_a_filter_keeps_back_costs_nobody_anything(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        let zoe = story.world.person("zoe");
        let filtered = Policy { for_private_mentions: Treatment::Drop, ..Policy::OPEN };
        story.world.town.set_policy(Some(zoe.id), filtered, obole::clock::Clock::now(&*story.world.clock)).unwrap();
        let post = story.posts("ana", ASKED);
        story.order_becomes(post, "awaiting_payee").await;
        story.rests().await;
        assert_eq!(story.invitations_to("zoe"), 0, "it never arrives");
        story.world.clock.advance(Duration::from_secs(7 * 24 * 60 * 60));
        story.order_becomes(post, "expired").await;
        story.hears("ana", "Expiré, rien n'a été payé").await;
        // Told by the payer instead, they claim in time.
        let again = story.posts("ana", ASKED);
        story.order_becomes(again, "awaiting_payee").await;
        story.enrols("zoe", Language::Fr).await;
        let order = story.order_becomes(again, "awaiting_confirmation").await;
        let code = story.code_for("ana", &order).await;
        story.tells("ana", &format!("OUI {code}"));
        story.order_becomes(again, "settled").await;
        story.ends().await;
    }

    async fn whoever_claims_under_a_payees_name_is_frozen_until_two_operators_have_looked(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        story.world.person("yvette");
        story.world.bank.open_account("yvette", "wateraid (1egal)", Money::new(0, Currency::EUR)).unwrap();
        let post = story.posts("ana", "@obole #envoyer 5€ @yvette");
        story.order_becomes(post, "awaiting_payee").await;
        story.enrols("yvette", Language::Fr).await;
        let order = story.order_becomes(post, "rejected").await;
        assert!(matches!(&order.state, OrderState::Rejected { reason: Rejection::PayeeFrozen { .. }, .. }), "{:?}", order.state);
        let frozen = story.waiting().await;
        assert!(frozen.iter().any(|matter| matter.id.starts_with("payee:claim-town-") && matter.what.contains("looks like")), "{frozen:?}");
        story.ends().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_says_how_it_is_claimed_and_how_it_is_declined() {
    let Some(story) = TestApp::start(Engine::Sqlite).await else { return };
    let web = pages(&story);
    let french = get(&web, "/claim", &[("accept-language", "fr")]).await;
    assert!(
        french.body.contains("Quelqu&#39;un veut vous payer") || french.body.contains("Quelqu'un veut vous payer"),
        "{}",
        french.body
    );
    let english = get(&web, "/claim?lang=en", &[]).await;
    assert!(english.body.contains("href=\"/enrol\"") && english.body.contains("Answer STOP"), "{}", english.body);
    drop(web);
    story.ends().await;
}
