//! What a person does on the pages behind a passkey, told on both databases; town and bank are in memory, the passkey in software.

use std::time::Duration;

use axum::Router;
use axum::http::{Method, StatusCode};
use obole::app::enrol::{self, SessionToken};
use obole::app::operate::{Act, MatterKind};
use obole::bank::fake::{AuthorisationId, ConsentId};
use obole::ids::BankName;
use obole::money::{Currency, Money};
use obole::order::state::LimitKind;
use obole::order::{Means, Order, OrderState, PaymentState, Rejection};
use obole::people::Language;
use obole::people::enrolment::Step;
use obole::platform::fake::Id;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::authenticator::Authenticator;
use crate::support::database::Engine;
use crate::support::stories::told_on_both;
use crate::web::{Answer, ask, get, pages};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const LARGE: &str = "@obole #donner 80€ @croixrouge #telethon";
const JSON: [(&str, &str); 2] = [("accept", "application/json"), ("content-type", "application/json")];

async fn posts(pages: &Router, path: &str, cookie: &str, body: &str) -> Answer {
    ask(pages, Method::POST, path, &[("accept", "application/json"), ("cookie", cookie)], body).await
}

async fn begins(pages: &Router, path: &str, cookie: &str, body: &str) -> Value {
    let begun = posts(pages, &format!("{path}/begin"), cookie, body).await;
    assert_eq!(begun.status, StatusCode::OK, "{}", begun.body);
    begun.json()
}

async fn sends(pages: &Router, path: &str, cookie: &str, ceremony: &Value, answer: &Value) -> Answer {
    let body = json!({ "ceremony": ceremony, "answer": answer }).to_string();
    let headers = [JSON[0], JSON[1], ("cookie", cookie)];
    ask(pages, Method::POST, path, &headers, &body).await
}

/// The same for an order, which has to be the one that was shown.
async fn confirms(pages: &Router, device: &Authenticator, path: &str, cookie: &str, order: &Order) -> Answer {
    let begun = begins(pages, path, cookie, &seen(order)).await;
    sends(pages, path, cookie, &begun["ceremony"], &device.shows(&begun["options"])).await
}

fn seen(order: &Order) -> String {
    format!("seen={}", order.digest().unwrap())
}

/// Asks for a challenge, has the device answer it, and sends the answer.
async fn signs(pages: &Router, device: &Authenticator, path: &str, cookie: &str) -> Answer {
    let begun = begins(pages, path, cookie, "").await;
    sends(pages, path, cookie, &begun["ceremony"], &device.shows(&begun["options"])).await
}

/// Somebody enrolled who has just added a passkey on the last page of that.
async fn with_passkey(story: &TestApp, pages: &Router, name: &str, seed: u8) -> Authenticator {
    let token = story.enrols(name, Language::En).await;
    let device = adds_passkey(pages, &token, seed).await;
    story.hears(name, "A passkey was added to your Obole. For 24 hours it confirms small amounts only.").await;
    device
}

async fn adds_passkey(pages: &Router, token: &SessionToken, seed: u8) -> Authenticator {
    let cookie = format!("obole-enrol={}", token.0);
    let mut device = Authenticator::new(seed);
    let begun = begins(pages, "/enrol/passkey", &cookie, "").await;
    let answer = device.makes(&begun["options"]);
    let added = sends(pages, "/enrol/passkey", &cookie, &begun["ceremony"], &answer).await;
    assert_eq!((added.status, added.json()["next"].as_str()), (StatusCode::OK, Some("/enrol?passkey=added")), "{}", added.body);
    let again = sends(pages, "/enrol/passkey", &cookie, &begun["ceremony"], &answer).await;
    assert_eq!(again.json()["error"], "ceremony_gone", "a new passkey counts once");
    device
}

/// Opens the own pages; gives the cookie.
async fn enters(pages: &Router, device: &Authenticator) -> String {
    let entered = signs(pages, device, "/me/enter", "").await;
    assert_eq!(entered.status, StatusCode::OK, "{}", entered.body);
    let set = entered.header("set-cookie").to_owned();
    assert!(set.starts_with("obole-me=") && set.contains("HttpOnly") && set.contains("SameSite=Strict"), "{set}");
    set.split(';').next().unwrap().to_owned()
}

/// The bank wants its own authentication above 30 €: its page is in the message and, for the payer alone, in the inbox.
async fn approves_at_the_bank(story: &TestApp, pages: &Router, name: &str, post: Id, device: &Authenticator) {
    let order = story.order_becomes(post, "awaiting_bank").await;
    let PaymentState::AwaitingBank { authorise_at, .. } = &order.payments[0].state else { panic!("{order:?}") };
    story.hears(name, authorise_at).await;
    let cookie = enters(pages, device).await;
    let link = format!("href=\"{authorise_at}\"");
    assert!(get(pages, "/me", &[("cookie", &cookie)]).await.body.contains(&link));
    assert!(!get(pages, &format!("/orders/{}", order.id), &[]).await.body.contains(&link), "whoever has the order's address");
    let (_, authorisation) = authorise_at.rsplit_once('/').unwrap();
    story.world.bank.answer(&AuthorisationId(authorisation.to_owned()), true, Some(name)).unwrap();
    story.world.clock.advance(Duration::from_secs(10));
    story.order_becomes(post, "settled").await;
}

/// The path of the page that the newest question leads to.
async fn link_to(story: &TestApp, name: &str) -> String {
    let text = story.hears(name, "/confirm/").await;
    let (_, rest) = text.split_once("http://localhost:8080").unwrap();
    rest.split_whitespace().next().unwrap().to_owned()
}

fn by(order: &Order) -> Means {
    let OrderState::AwaitingConfirmation { by, .. } = &order.state else { panic!("{:?}", order.state) };
    *by
}

told_on_both! {
    async fn above_the_codes_limit_a_passkey_confirms_on_the_orders_page(story: TestApp) {
        let pages = pages(&story);
        let device = with_passkey(&story, &pages, "ana", 1).await;
        story.world.clock.advance(DAY);
        let post = story.posts("ana", LARGE);
        let order = story.order_becomes(post, "awaiting_confirmation").await;
        assert_eq!(by(&order), Means::Passkey);
        let link = link_to(&story, "ana").await;

        // Whoever only looks, or scans links, changes nothing.
        for method in [Method::GET, Method::HEAD] {
            for _ in 0..50 {
                assert_eq!(ask(&pages, method.clone(), &link, &[], "").await.status, StatusCode::OK);
            }
        }
        let page = get(&pages, &link, &[]).await.body;
        for shown in ["€80.00", "croixrouge (legal)", "@croixrouge", "@ana", "pomme bleue", &order.receipt_number()] {
            assert!(page.contains(shown), "the page does not show {shown:?}: {page}");
        }
        assert!(page.contains(&order.payments[0].payee.iban.masked()) && !page.contains(order.payments[0].payee.iban.as_str()));
        assert_eq!(story.order_becomes(post, "awaiting_confirmation").await, order);

        // The code that a smaller order would have had is worth nothing.
        let OrderState::AwaitingConfirmation { salt, .. } = &order.state else { panic!() };
        story.tells("ana", &format!("OUI {}", story.app.secret.confirmation_code(&order.id, salt)));
        story.hears("ana", "too large for a code").await;

        // Whoever was shown something else is not even asked.
        let stale = posts(&pages, &format!("{link}/begin"), "", "seen=00").await;
        assert_eq!((stale.status, stale.json()["error"].as_str()), (StatusCode::CONFLICT, Some("order_changed")));
        let begun = begins(&pages, &link, "", &seen(&order)).await;
        let answer = device.shows(&begun["options"]);
        let confirmed = sends(&pages, &link, "", &begun["ceremony"], &answer).await;
        assert_eq!(confirmed.json()["next"], format!("/orders/{}", order.id));
        approves_at_the_bank(&story, &pages, "ana", post, &device).await;
        assert_eq!(story.world.balance("croixrouge"), 8_000);
        let receipt = story.hears("ana", "Paid: €80.00").await;
        assert!(receipt.contains("Not you? Say so here: http://localhost:8080/not-me/"), "{receipt}");

        let again = sends(&pages, &link, "", &begun["ceremony"], &answer).await;
        assert_eq!((again.status, again.json()["error"].as_str()), (StatusCode::CONFLICT, Some("not_waiting")));
        assert_eq!(get(&pages, &link, &[]).await.status, StatusCode::NOT_FOUND, "the link was for once");
        assert_eq!(story.audit_finds().await, Vec::<String>::new());
        drop(pages);
        story.ends().await;
    }

    async fn an_answer_for_one_order_confirms_no_other_and_only_once(story: TestApp) {
        let pages = pages(&story);
        let device = with_passkey(&story, &pages, "ana", 1).await;
        story.world.clock.advance(DAY);
        let first = story.posts("ana", LARGE);
        let one = story.order_becomes(first, "awaiting_confirmation").await;
        let second = story.posts("ana", "@obole #donner 90€ @wateraid");
        let two = story.order_becomes(second, "awaiting_confirmation").await;
        let path = |order: &Order| {
            let OrderState::AwaitingConfirmation { salt, .. } = &order.state else { panic!() };
            format!("/confirm/{}-{}", order.id, story.app.secret.confirmation_token(&order.id, salt))
        };
        let begun = begins(&pages, &path(&one), "", &seen(&one)).await;
        let answer = device.shows(&begun["options"]);
        let swapped = sends(&pages, &path(&two), "", &begun["ceremony"], &answer).await;
        assert_eq!(swapped.json()["error"], "ceremony_gone");
        let spent = sends(&pages, &path(&one), "", &begun["ceremony"], &answer).await;
        assert_eq!(spent.json()["error"], "ceremony_gone", "a ceremony that ended badly has ended");
        // Fifty times at once: one confirmation.
        let begun = begins(&pages, &path(&one), "", &seen(&one)).await;
        let (answer, path) = (device.shows(&begun["options"]), path(&one));
        let all = (0..50).map(|_| sends(&pages, &path, "", &begun["ceremony"], &answer));
        let confirmed = futures_util::future::join_all(all).await.iter().filter(|answer| answer.status.is_success()).count();
        assert_eq!(confirmed, 1);
        approves_at_the_bank(&story, &pages, "ana", first, &device).await;
        assert_eq!(story.world.bank.totals().unwrap().payments, 1);
        story.tells("ana", "NON");
        story.order_becomes(second, "cancelled").await;
        drop(pages);
        story.ends().await;
    }

    async fn a_stranger_another_site_or_no_verification_confirms_nothing(story: TestApp) {
        let pages = pages(&story);
        let mut device = with_passkey(&story, &pages, "ana", 1).await;
        let other = with_passkey(&story, &pages, "eve", 2).await;
        story.world.clock.advance(DAY);
        let post = story.posts("ana", LARGE);
        let order = story.order_becomes(post, "awaiting_confirmation").await;
        let link = link_to(&story, "ana").await;
        assert_eq!(confirms(&pages, &other, &link, "", &order).await.json()["error"], "not_yours");
        device.verifies = false;
        assert_eq!(confirms(&pages, &device, &link, "", &order).await.json()["error"], "not_verified");
        device.verifies = true;
        device.origin = "http://localhost.evil.example".to_owned();
        assert_eq!(confirms(&pages, &device, &link, "", &order).await.json()["error"], "not_verified");
        let foreign = [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")];
        let refused = ask(&pages, Method::POST, &format!("{link}/begin"), &foreign, "").await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        let guessed = format!("{}0", &link[..link.len() - 1]);
        let guessed = if guessed == link { format!("{}1", &link[..link.len() - 1]) } else { guessed };
        assert_eq!(posts(&pages, &format!("{guessed}/begin"), "", &seen(&order)).await.json()["error"], "not_waiting");
        story.world.clock.advance(Duration::from_secs(11 * 60));
        story.order_becomes(post, "expired").await;
        assert_eq!(posts(&pages, &format!("{link}/begin"), "", &seen(&order)).await.json()["error"], "not_waiting");
        assert_eq!(story.world.balance("croixrouge"), 0);
        drop(pages);
        story.ends().await;
    }

    async fn whatever_differs_from_what_was_shown_voids_the_confirmation(story: TestApp) {
        let pages = pages(&story);
        let device = with_passkey(&story, &pages, "ana", 1).await;
        story.world.clock.advance(DAY);
        let post = story.posts("ana", LARGE);
        let order = story.order_becomes(post, "awaiting_confirmation").await;
        let link = link_to(&story, "ana").await;
        let begun = begins(&pages, &link, "", &seen(&order)).await;
        let payment = &order.payments[0];
        let others = story.world.bank.accounts_of("bob").unwrap()[0].account.iban.clone();
        let swaps = [
            (payment.payee.iban.as_str(), others.as_str()),
            (order.payer.as_ref().unwrap().iban.as_str(), others.as_str()),
            (payment.payee.legal_name.as_str(), "eve (legal)"),
            (payment.key.as_str(), "00000000000000000000000000000000"),
        ];
        for (from, to) in swaps {
            let swap = |from: &str, to: &str| format!("UPDATE orders SET data = REPLACE(data, '{from}', '{to}') WHERE id = '{}'", order.id);
            story.tampers(&swap(from, to)).await;
            let changed = posts(&pages, &format!("{link}/begin"), "", &seen(&order)).await;
            assert_eq!(changed.json()["error"], "order_changed", "{from} → {to}");
            story.tampers(&swap(to, from)).await;
        }
        // Between the challenge and its answer.
        story.tampers(&format!("UPDATE orders SET data = REPLACE(data, '{}', 'eve (legal)')", payment.payee.legal_name)).await;
        let answer = device.shows(&begun["options"]);
        let late = sends(&pages, &link, "", &begun["ceremony"], &answer).await;
        assert_eq!((late.status, late.json()["error"].as_str()), (StatusCode::CONFLICT, Some("order_changed")));
        story.tells("ana", "NON");
        story.order_becomes(post, "cancelled").await;
        drop(pages);
        story.ends().await;
    }

    async fn a_new_passkey_is_worth_a_code_until_it_has_cooled_off(story: TestApp) {
        let pages = pages(&story);
        story.enrols("bob", Language::En).await;
        let none = story.posts("bob", LARGE);
        let refused = story.order_becomes(none, "rejected").await;
        assert!(matches!(refused.state, OrderState::Rejected { reason: Rejection::AboveLowValueLimit { .. }, .. }));
        story.hears("bob", "To add one, link your account once more: http://localhost:8080/enrol").await;

        let device = with_passkey(&story, &pages, "ana", 1).await;
        let post = story.posts("ana", LARGE);
        let refused = story.order_becomes(post, "rejected").await;
        assert!(matches!(refused.state, OrderState::Rejected { reason: Rejection::PasskeyTooNew { .. }, .. }));
        story.hears("ana", "your passkey is too new").await;
        let cookie = enters(&pages, &device).await;
        for _ in 0..5 {
            let small = story.posts("ana", "@obole #donner 20€ @croixrouge");
            let order = story.order_becomes(small, "awaiting_confirmation").await;
            let confirmed = confirms(&pages, &device, &format!("/me/orders/{}", order.id), &cookie, &order).await;
            assert_eq!(confirmed.status, StatusCode::OK, "{}", confirmed.body);
            story.order_becomes(small, "settled").await;
        }
        let sixth = story.posts("ana", "@obole #donner 20€ @croixrouge");
        let order = story.order_becomes(sixth, "awaiting_confirmation").await;
        confirms(&pages, &device, &format!("/me/orders/{}", order.id), &cookie, &order).await;
        let refused = story.order_becomes(sixth, "rejected").await;
        let count = Rejection::LimitReached { which: LimitKind::LowValueCount };
        assert!(matches!(&refused.state, OrderState::Rejected { reason, .. } if *reason == count), "{:?}", refused.state);
        drop(pages);
        story.ends().await;
    }

    async fn a_strong_confirmation_lets_codes_begin_anew(story: TestApp) {
        let pages = pages(&story);
        let device = with_passkey(&story, &pages, "ana", 1).await;
        story.world.clock.advance(DAY);
        for _ in 0..5 {
            let post = story.pays("ana", "@obole #donner 1€ @croixrouge").await;
            story.order_becomes(post, "settled").await;
        }
        // The sixth code is right and not enough: the same order is asked for again, by the passkey.
        let sixth = story.pays("ana", "@obole #donner 1€ @croixrouge").await;
        let link = link_to(&story, "ana").await;
        let order = story.order_becomes(sixth, "awaiting_confirmation").await;
        assert_eq!(by(&order), Means::Passkey);
        assert_eq!(confirms(&pages, &device, &link, "", &order).await.status, StatusCode::OK);
        story.order_becomes(sixth, "settled").await;
        for _ in 0..5 {
            story.world.clock.advance(Duration::from_secs(1));
            let post = story.pays("ana", "@obole #donner 1€ @croixrouge").await;
            story.order_becomes(post, "settled").await;
        }
        assert_eq!(story.world.balance("croixrouge"), 1_100);
        drop(pages);
        story.ends().await;
    }

    async fn the_inbox_confirms_and_declines_without_a_message(story: TestApp) {
        let pages = pages(&story);
        let device = with_passkey(&story, &pages, "ana", 1).await;
        let other = with_passkey(&story, &pages, "eve", 2).await;
        story.world.clock.advance(DAY);
        let [first, second] = ["@obole #donner 4€ @croixrouge", "@obole #donner 5€ @wateraid"].map(|text| story.posts("ana", text));
        let one = story.order_becomes(first, "awaiting_confirmation").await;
        let two = story.order_becomes(second, "awaiting_confirmation").await;

        let door = get(&pages, "/me", &[]).await;
        assert!(door.body.contains("Open with my passkey") && !door.body.contains("€4.00"), "nothing without a passkey");
        for path in ["/me/export", &format!("/me/orders/{}/no", one.id)] {
            let method = if path.ends_with("export") { Method::GET } else { Method::POST };
            assert_eq!(ask(&pages, method, path, &[], "").await.status, StatusCode::UNAUTHORIZED, "{path}");
        }
        let (ana, eve) = (enters(&pages, &device).await, enters(&pages, &other).await);
        let inbox = get(&pages, "/me", &[("cookie", &ana)]).await.body;
        assert!(inbox.contains("€4.00") && inbox.contains("€5.00") && inbox.contains("€0.00 of €1,000.00"), "{inbox}");
        assert!(!get(&pages, "/me", &[("cookie", &eve)]).await.body.contains("€4.00"));
        let theft = posts(&pages, &format!("/me/orders/{}/begin", one.id), &eve, &seen(&one)).await;
        assert_eq!(theft.status, StatusCode::NOT_FOUND);

        assert_eq!(confirms(&pages, &device, &format!("/me/orders/{}", one.id), &ana, &one).await.json()["next"], "/me");
        story.order_becomes(first, "settled").await;
        let no = posts(&pages, &format!("/me/orders/{}/no", two.id), &ana, "").await;
        assert_eq!(no.status, StatusCode::SEE_OTHER);
        story.order_becomes(second, "cancelled").await;

        // The token changes while it is used, and the one before is soon worth nothing.
        story.world.clock.advance(Duration::from_secs(6 * 60));
        let renewed = get(&pages, "/me", &[("cookie", &ana)]).await;
        let new = renewed.header("set-cookie").split(';').next().unwrap().to_owned();
        assert!(new.starts_with("obole-me=") && new != ana, "{new}");
        assert!(get(&pages, "/me", &[("cookie", &ana)]).await.body.contains("€4.00"), "another page was on its way");
        story.world.clock.advance(Duration::from_secs(2 * 60));
        assert!(!get(&pages, "/me", &[("cookie", &ana)]).await.body.contains("€4.00"));
        assert!(get(&pages, "/me", &[("cookie", &new)]).await.body.contains("€4.00"));
        posts(&pages, "/me/leave", &new, "").await;
        assert!(!get(&pages, "/me", &[("cookie", &new)]).await.body.contains("€4.00"));
        drop(pages);
        story.ends().await;
    }

    async fn what_a_person_changes_holds_and_is_told(story: TestApp) {
        let pages = pages(&story);
        let device = with_passkey(&story, &pages, "ana", 1).await;
        let cookie = enters(&pages, &device).await;
        posts(&pages, "/me/settings/phrase", &cookie, "phrase=vieux+moulin").await;
        story.hears("ana", "Your phrase: “vieux moulin”").await;
        let bad = posts(&pages, "/me/settings/phrase", &cookie, "phrase=%40eve").await;
        assert_eq!(bad.status, StatusCode::BAD_REQUEST);
        posts(&pages, "/me/settings/language", &cookie, "language=fr").await;
        story.hears("ana", "Je vous écris désormais en français").await;

        posts(&pages, "/me/settings/limits", &cookie, "order=10&day=15,00").await;
        let post = story.posts("ana", "@obole #donner 10,01€ @croixrouge");
        let refused = story.order_becomes(post, "rejected").await;
        assert!(matches!(refused.state, OrderState::Rejected { reason: Rejection::AboveOwnLimit { .. }, .. }));
        let paid = story.pays("ana", "@obole #donner 8€ @croixrouge").await;
        story.order_becomes(paid, "settled").await;
        let too_much = story.pays("ana", "@obole #donner 8€ @croixrouge").await;
        let refused = story.order_becomes(too_much, "rejected").await;
        let own = Rejection::LimitReached { which: LimitKind::Own };
        assert!(matches!(&refused.state, OrderState::Rejected { reason, .. } if *reason == own), "{:?}", refused.state);
        // Raised, it holds a day later.
        posts(&pages, "/me/settings/limits", &cookie, "order=20&day=").await;
        let early = story.posts("ana", "@obole #donner 12€ @croixrouge");
        story.order_becomes(early, "rejected").await;
        story.world.clock.advance(DAY);
        let later = story.pays("ana", "@obole #donner 12€ @croixrouge").await;
        story.order_becomes(later, "settled").await;
        let odd = posts(&pages, "/me/settings/limits", &enters(&pages, &device).await, "order=1.000").await;
        assert_eq!(odd.json()["error"], "unreadable");
        drop(pages);
        story.ends().await;
    }

    async fn one_person_has_several_accounts_and_one_set_of_limits(story: TestApp) {
        let pages = pages(&story);
        let device = with_passkey(&story, &pages, "ana", 1).await;
        let cookie = enters(&pages, &device).await;
        let person = story.world.person("ana2");
        let last = posts(&pages, "/me/settings/unlink", &cookie, "platform=town&account=1").await;
        assert_eq!(last.json()["error"], "not_yours");

        // Another account on the platform: a code from there, and a word here.
        let begun = posts(&pages, "/me/accounts", &cookie, "").await;
        let enrolment = begun.header("set-cookie").split(';').next().unwrap().to_owned();
        let json = [("accept", "application/json"), ("cookie", enrolment.as_str())];
        let shown = get(&pages, "/enrol", &json).await.json();
        story.tells("ana2", shown["code"].as_str().unwrap());
        let sent = get(&pages, "/enrol?after=awaiting_code&seconds=10", &json).await.json();
        assert_eq!(sent["candidate"]["handle"], "ana2");
        let done = posts(&pages, "/enrol/word", &enrolment, "mine=yes").await.json();
        assert_eq!(done["step"], "done");
        for name in ["ana", "ana2"] {
            story.hears(name, "Another account is linked to you").await;
        }
        for name in ["ana", "ana2", "ana", "ana2", "ana"] {
            let post = story.pays(name, "@obole #donner 1€ @croixrouge").await;
            story.order_becomes(post, "settled").await;
        }
        let sixth = story.pays("ana2", "@obole #donner 1€ @croixrouge").await;
        story.order_becomes(sixth, "rejected").await;

        // Another account at the bank, under the same limits, and it pays once chosen.
        story.world.bank.open_account("ana", "second", Money::new(5_000, Currency::EUR)).unwrap();
        let second = story.world.bank.accounts_of("ana").unwrap().into_iter().map(|view| view.account.iban.clone());
        let first = story.app.order_of_post(&"town".into(), &sixth.to_string()).await.unwrap().unwrap().payer.unwrap().iban;
        let second = second.into_iter().find(|iban| *iban != first).unwrap();
        let begun = posts(&pages, "/me/banks", &cookie, "bank=bank").await;
        let token = begun.header("set-cookie").split(';').next().unwrap().split_once('=').unwrap().1.to_owned();
        let found = enrol::find(&story.app, &SessionToken(token)).await.unwrap().unwrap();
        let Step::AwaitingConsent { consent, .. } = &found.step else { panic!("{found:?}") };
        let consent = story.world.bank.consent(&ConsentId(consent.clone())).unwrap();
        story.world.bank.answer(consent.authorisations.last().unwrap(), true, Some("ana")).unwrap();
        let found = enrol::ask_bank(&story.app, found).await.unwrap();
        let found = match &found.step {
            Step::ChoosingAccount { .. } => enrol::choose_account(&story.app, found, &second).await.unwrap(),
            _ => found,
        };
        assert!(matches!(found.step, Step::Connected { .. }), "{found:?}");
        story.hears("ana2", "Another bank account is connected").await;
        posts(&pages, "/me/settings/pay-from", &cookie, &format!("bank=bank&iban={}", second.as_str())).await;
        let post = story.posts("ana", "@obole #donner 1€ @croixrouge");
        let order = story.order_becomes(post, "awaiting_confirmation").await;
        assert_eq!(order.payer.unwrap().iban, second);

        // Unlinked, what it ordered is withdrawn and it orders nothing more.
        let theirs = story.posts("ana2", "@obole #donner 1€ @croixrouge");
        story.order_becomes(theirs, "awaiting_confirmation").await;
        let unlinked = posts(&pages, "/me/settings/unlink", &cookie, &format!("platform=town&account={}", person.id)).await;
        assert_eq!(unlinked.status, StatusCode::SEE_OTHER, "{}", unlinked.body);
        story.order_becomes(theirs, "cancelled").await;
        story.order_becomes(post, "awaiting_confirmation").await;
        let stranger = story.posts("ana2", "@obole #donner 1€ @croixrouge");
        story.order_becomes(stranger, "awaiting_payer").await;
        story.tells("ana", "NON");
        story.order_becomes(post, "cancelled").await;
        drop(pages);
        story.ends().await;
    }

    async fn somebody_elses_account_is_never_moved_and_a_lost_passkey_is_replaced_by_bank_and_message(story: TestApp) {
        let pages = pages(&story);
        let lost = with_passkey(&story, &pages, "ana", 1).await;
        story.enrols("eve", Language::En).await;
        // Eve's bank, ana's account: nothing.
        let (token, enrolment) = enrol::begin(&story.app, &BankName::from("bank"), Language::En, "pomme").await.unwrap();
        let Step::AwaitingConsent { consent, .. } = &enrolment.step else { panic!("{enrolment:?}") };
        let consent = story.world.bank.consent(&ConsentId(consent.clone())).unwrap();
        story.world.bank.answer(consent.authorisations.last().unwrap(), true, Some("eve")).unwrap();
        let enrolment = enrol::ask_bank(&story.app, enrolment).await.unwrap();
        story.tells("ana", enrol::shown_code(&story.app, &enrolment).unwrap().as_str());
        story.hears("ana", "already linked to Obole").await;
        let found = enrol::find(&story.app, &token).await.unwrap().unwrap();
        assert!(matches!(found.step, Step::AwaitingCode { .. }), "{found:?}");

        // Ana's bank and ana's account: a new passkey, which cools off; ana hears of it.
        let token = story.enrols("ana", Language::En).await;
        story.hears("ana", "Your account was linked once more").await;
        let device = adds_passkey(&pages, &token, 7).await;
        let cookie = enters(&pages, &device).await;
        assert!(get(&pages, "/me/settings", &[("cookie", &cookie)]).await.body.matches("Added").count() >= 2);
        story.world.clock.advance(Duration::from_secs(60));
        let old = enters(&pages, &lost).await;
        let keys: Vec<String> = removable_keys(&pages, &cookie).await;
        assert_eq!(keys.len(), 2);
        let removed = posts(&pages, "/me/passkeys/remove", &cookie, &format!("passkey={}", keys[0])).await;
        assert_eq!(removed.status, StatusCode::SEE_OTHER);
        assert!(get(&pages, "/me", &[("cookie", &old)]).await.body.contains("Open with my passkey"), "its session went with it");
        let last = posts(&pages, "/me/passkeys/remove", &cookie, &format!("passkey={}", keys[1])).await;
        assert_eq!(last.json()["error"], "last_one");
        drop(pages);
        story.ends().await;
    }

    async fn a_wrong_an_old_and_a_used_code_have_one_clear_answer_each(story: TestApp) {
        let person = story.world.person("ana");
        story.world.bank.open_account("ana", "ana", Money::new(5_000, Currency::EUR)).unwrap();
        let (token, enrolment) = enrol::begin(&story.app, &BankName::from("bank"), Language::En, "pomme").await.unwrap();
        let Step::AwaitingConsent { consent, .. } = &enrolment.step else { panic!("{enrolment:?}") };
        let consent = story.world.bank.consent(&ConsentId(consent.clone())).unwrap();
        story.world.bank.answer(consent.authorisations.last().unwrap(), true, Some("ana")).unwrap();
        let enrolment = enrol::ask_bank(&story.app, enrolment).await.unwrap();
        story.tells("ana", "OBOLE-0000-0001");
        story.hears("ana", "I do not know this enrolment code").await;
        story.world.clock.advance(Duration::from_secs(16 * 60));
        story.tells("ana", enrol::shown_code(&story.app, &enrolment).unwrap().as_str());
        story.hears("ana", "This enrolment code has expired").await;
        let enrolment = enrol::renew_code(&story.app, enrolment).await.unwrap();
        let code = enrol::shown_code(&story.app, &enrolment).unwrap();
        story.tells("ana", code.as_str());
        story.hears("ana", "Code received").await;
        // Somebody else who saw it, and the person once more.
        story.tells("eve", code.as_str());
        story.hears("eve", "This enrolment code was used already").await;
        let found = enrol::find(&story.app, &token).await.unwrap().unwrap();
        let Step::AwaitingWord { candidate, .. } = &found.step else { panic!("{found:?}") };
        assert_eq!(candidate.account.as_str(), person.id.to_string(), "the first who sent it is the one who is shown");
        story.ends().await;
    }

    async fn not_me_stops_everything_and_reaches_an_operator_who_lets_go(story: TestApp) {
        let pages = pages(&story);
        let device = with_passkey(&story, &pages, "ana", 1).await;
        let cookie = enters(&pages, &device).await;
        let paid = story.pays("ana", "@obole #donner 9€ @croixrouge").await;
        let order = story.order_becomes(paid, "settled").await;
        let receipt = story.hears("ana", "Paid: €9.00").await;
        let link = receipt.split("http://localhost:8080").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
        assert!(link.starts_with("/not-me/"), "{receipt}");
        let open = story.posts("ana", "@obole #donner 5€ @wateraid");
        story.order_becomes(open, "awaiting_confirmation").await;
        for _ in 0..20 {
            assert_eq!(get(&pages, &link, &[]).await.status, StatusCode::OK);
        }
        story.order_becomes(open, "awaiting_confirmation").await;

        for _ in 0..2 {
            let reported = ask(&pages, Method::POST, &link, &[], "").await;
            assert!(reported.body.contains("Stopped and reported"), "{}", reported.body);
        }
        story.order_becomes(open, "cancelled").await;
        story.hears("ana", "nothing more is paid from your account").await;
        assert!(get(&pages, "/me", &[("cookie", &cookie)]).await.body.contains("Open with my passkey"), "every browser enters anew");
        // Whoever enters anew, a thief perhaps, does not remove what there is to look at.
        let thief = enters(&pages, &device).await;
        let begun = begins(&pages, "/me/erase", &thief, "sure=yes").await;
        let erased = sends(&pages, "/me/erase", &thief, &begun["ceremony"], &device.shows(&begun["options"])).await;
        assert_eq!(erased.json()["error"], "under_way");
        let later = story.posts("ana", "@obole #donner 5€ @wateraid");
        let refused = story.order_becomes(later, "rejected").await;
        assert!(matches!(refused.state, OrderState::Rejected { reason: Rejection::AccountLocked, .. }));
        let waiting = story.waiting().await;
        let kinds: Vec<MatterKind> = waiting.iter().map(|matter| matter.kind).collect();
        assert_eq!(kinds, [MatterKind::Call, MatterKind::LockedPerson]);
        assert_eq!(waiting[0].order.as_deref(), Some(order.id.as_str()));
        for evidence in ["9.00 EUR", "answered yes at", "payments settled", "1 orders withdrawn", "1 passkeys"] {
            assert!(waiting[0].what.contains(evidence), "{evidence}: {}", waiting[0].what);
        }
        let person = order.payer.unwrap().person;
        let act = Act::ReleasePerson { person: person.clone(), note: "spoke to her bank".to_owned() };
        assert_eq!(story.operator_does("bob", act.clone()).await, Ok(format!("person:{person} may order payments again")));
        assert!(story.operator_does("bob", act).await.is_err());
        assert!(story.waiting().await.is_empty());
        story.hears("ana", "Your account can order payments again").await;
        let again = story.pays("ana", "@obole #donner 5€ @wateraid").await;
        story.order_becomes(again, "settled").await;
        drop(pages);
        story.ends().await;
    }

    async fn everything_is_written_out_and_then_forgotten(story: TestApp) {
        let pages = pages(&story);
        let device = with_passkey(&story, &pages, "ana", 1).await;
        let cookie = enters(&pages, &device).await;
        let paid = story.pays("ana", "@obole #donner 9€ @croixrouge for grandma").await;
        let order = story.order_becomes(paid, "settled").await;
        let iban = order.payer.as_ref().unwrap().iban.as_str().to_owned();
        let export = get(&pages, "/me/export", &[("cookie", &cookie)]).await;
        assert!(export.header("content-disposition").contains("attachment"));
        let written = export.json();
        assert_eq!(written["person"]["safe_phrase"], "pomme bleue");
        assert_eq!(written["accounts_on_platforms"][0]["handle"], "ana");
        assert_eq!(written["accounts_at_banks"][0]["iban"], iban);
        assert_eq!(written["orders"][0]["order"]["id"], order.id.as_str());
        assert!(written["orders"][0]["history"].as_array().unwrap().len() > 3);

        // Not while something waits; not without the box; not by the session alone.
        let open = story.posts("ana", "@obole #donner 5€ @wateraid");
        story.order_becomes(open, "awaiting_confirmation").await;
        let unsure = posts(&pages, "/me/erase/begin", &cookie, "sure=").await;
        assert_eq!(unsure.status, StatusCode::BAD_REQUEST);
        let begun = begins(&pages, "/me/erase", &cookie, "sure=yes").await;
        let refused = sends(&pages, "/me/erase", &cookie, &begun["ceremony"], &device.shows(&begun["options"])).await;
        assert_eq!(refused.json()["error"], "under_way");
        story.tells("ana", "NON");
        story.order_becomes(open, "cancelled").await;
        story.rests().await;
        let begun = begins(&pages, "/me/erase", &cookie, "sure=yes").await;
        let erased = sends(&pages, "/me/erase", &cookie, &begun["ceremony"], &device.shows(&begun["options"])).await;
        assert_eq!(erased.json()["next"], "/me/erased", "{}", erased.body);

        let left = story.app.order(&order.id).await.unwrap().unwrap();
        assert_eq!((left.source.author_handle.as_str(), left.source.url.as_deref(), left.memo.as_deref()), ("", None, None));
        assert_eq!((left.state.clone(), left.payments.clone()), (order.state, order.payments), "the payment record stays");
        assert_eq!(story.audit_finds().await, Vec::<String>::new(), "and is whole");
        assert!(get(&pages, "/me", &[("cookie", &cookie)]).await.body.contains("Open with my passkey"));
        let again = signs(&pages, &device, "/me/enter", "").await;
        assert_eq!(again.json()["error"], "not_verified", "the passkey is nobody's");
        let stranger = story.posts("ana", "@obole #donner 5€ @wateraid");
        story.order_becomes(stranger, "awaiting_payer").await;
        // Whoever comes back is somebody new.
        story.enrols("ana", Language::Fr).await;
        drop(pages);
        story.ends().await;
    }
}

/// The ids of the passkeys that the settings page can remove.
async fn removable_keys(pages: &Router, cookie: &str) -> Vec<String> {
    let page = get(pages, "/me/settings", &[("cookie", cookie)]).await.body;
    let buttons = page.split("name=\"passkey\" value=\"").skip(1);
    buttons.map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
}
