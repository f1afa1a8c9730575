//! Several open orders of one payer: one message, a code each, one code for exactly these together. Told on both databases.

use std::time::Duration;

use obole::app::task::platform_lane;
use obole::clock::Clock as _;
use obole::ids::PlatformName;
use obole::order::{Order, OrderState, Policy, Rejection};
use obole::people::Language;
use obole::platform::fake::{AnswerFault, Faults, Id, PostFault};

use crate::support::app::TestApp;
use crate::support::database::Engine;
use crate::support::stories::told_on_both;

const PAUSE: Duration = Duration::from_secs(60);

impl TestApp {
    /// Posts that come while the platform takes no message, so that all of them are asked about at one time.
    async fn posts_at_once(&self, name: &str, texts: &[&str]) -> Vec<(Id, Order)> {
        self.rests().await;
        self.app.governors.rest(&platform_lane(&PlatformName::from("town")), PAUSE);
        let mut posts = Vec::new();
        for text in texts {
            let post = self.posts(name, text);
            posts.push((post, self.order_becomes(post, "awaiting_confirmation").await));
            self.world.clock.advance(Duration::from_secs(1));
        }
        self.world.clock.advance(PAUSE);
        self.rests().await;
        posts
    }

    /// The newest message to somebody about several orders.
    fn question(&self, name: &str) -> String {
        let messages = self.world.messages_to(name);
        let found = messages.into_iter().rev().find(|text| text.contains("en tout") || text.contains(" in all"));
        found.unwrap_or_else(|| panic!("nobody was asked about several orders"))
    }

    fn own_code(&self, order: &Order) -> String {
        let OrderState::AwaitingConfirmation { salt, .. } = &order.state else { panic!("{:?}", order.state) };
        self.app.secret.confirmation_code(&order.id, salt)
    }

    async fn stands(&self, post: Id) -> &'static str {
        let order = self.app.order_of_post(&PlatformName::from("town"), &post.to_string()).await.unwrap().unwrap();
        order.state.name()
    }
}

/// The code of the line that stands for all.
fn code_for_all(question: &str) -> String {
    let line = question.lines().find(|line| line.contains("en tout") || line.contains(" in all")).unwrap();
    line.split_whitespace().nth(1).unwrap().trim_end_matches(':').to_owned()
}

const TWO: [&str; 2] = ["@obole #donner 10€ @croixrouge #telethon", "@obole #envoyer 5,50€ @bob"];

told_on_both! {
    async fn two_orders_are_asked_about_in_one_message_and_one_code_confirms_both(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        let before = { story.rests().await; story.world.messages_to("ana").len() };
        let posts = story.posts_at_once("ana", &TWO).await;
        assert_eq!(story.world.messages_to("ana").len(), before + 1, "{:#?}", story.world.messages_to("ana"));
        let question = story.question("ana");
        for (_, order) in &posts {
            assert!(question.contains(&format!("OUI {}", story.own_code(order))), "{question}");
        }
        assert!(question.contains("10,00\u{a0}€") && question.contains("5,50\u{a0}€") && question.contains("15,50\u{a0}€ en tout"), "{question}");
        assert!(question.find("bob").unwrap() < question.find("croixrouge").unwrap(), "newest first: {question}");
        let code = code_for_all(&question);
        story.tells("ana", &format!("OUI {code}"));
        for (post, _) in &posts {
            story.order_becomes(*post, "settled").await;
        }
        assert_eq!((story.world.balance("croixrouge"), story.world.balance("bob")), (1_000, 10_550));
        // Used up: the same code again confirms nothing more.
        let third = story.posts("ana", TWO[0]);
        story.order_becomes(third, "awaiting_confirmation").await;
        story.tells("ana", &format!("OUI {code}"));
        story.hears("ana", "Code faux").await;
        assert_eq!(story.stands(third).await, "awaiting_confirmation");
        story.tells("ana", "NON");
        story.order_becomes(third, "cancelled").await;
        story.ends().await;
    }

    async fn each_code_confirms_its_own_order_and_the_code_for_both_is_void_then(story: TestApp) {
        story.enrols("ana", Language::En).await;
        let posts = story.posts_at_once("ana", &TWO).await;
        let all = code_for_all(&story.question("ana"));
        story.tells("ana", &format!("YES {}", story.own_code(&posts[1].1)));
        story.order_becomes(posts[1].0, "settled").await;
        story.tells("ana", &format!("YES {all}"));
        story.hears("ana", "Nothing was confirmed by it").await;
        assert_eq!(story.stands(posts[0].0).await, "awaiting_confirmation");
        assert_eq!(story.world.balance("croixrouge"), 0);
        // It was no guess, so it counts against nobody; the order's own code is as good as before.
        story.tells("ana", &format!("YES {}", story.own_code(&posts[0].1)));
        story.order_becomes(posts[0].0, "settled").await;
        story.ends().await;
    }

    async fn a_third_order_makes_a_new_set_and_the_older_code_is_void(story: TestApp) {
        story.enrols("ana", Language::En).await;
        let posts = story.posts_at_once("ana", &TWO).await;
        let older = code_for_all(&story.question("ana"));
        let third = story.posts("ana", "@obole #give 3€ @wateraid");
        story.order_becomes(third, "awaiting_confirmation").await;
        story.rests().await;
        let question = story.question("ana");
        assert!(question.contains("all 3, €18.50 in all"), "{question}");
        story.tells("ana", &format!("YES {older}"));
        story.hears("ana", "another one came").await;
        for post in [posts[0].0, posts[1].0, third] {
            assert_eq!(story.stands(post).await, "awaiting_confirmation");
        }
        // A fourth may not wait at the same time.
        let fourth = story.posts("ana", TWO[1]);
        let fourth = story.order_becomes(fourth, "rejected").await;
        assert!(matches!(fourth.state, OrderState::Rejected { reason: Rejection::TooManyOpen { limit: 3 }, .. }));
        story.tells("ana", &format!("YES {}", code_for_all(&question)));
        for post in [posts[0].0, posts[1].0, third] {
            story.order_becomes(post, "settled").await;
        }
        story.ends().await;
    }

    async fn what_the_limits_do_not_hold_together_is_not_confirmed_at_all(story: TestApp) {
        story.enrols("ana", Language::En).await;
        for _ in 0..2 {
            let post = story.pays("ana", "@obole #give 30€ @croixrouge").await;
            story.order_becomes(post, "settled").await;
        }
        let posts = story.posts_at_once("ana", &["@obole #give 30€ @wateraid", "@obole #send 20€ @bob"]).await;
        let reserved = "SELECT COUNT(*) FROM reservations WHERE released_at IS NULL";
        assert_eq!(story.finds(reserved).await, 2);
        story.tells("ana", &format!("YES {}", code_for_all(&story.question("ana"))));
        story.hears("ana", "Together these go above").await;
        for (post, _) in &posts {
            assert_eq!(story.stands(*post).await, "awaiting_confirmation");
        }
        assert_eq!(story.finds(reserved).await, 2, "nothing of it stays reserved");
        story.tells("ana", &format!("YES {}", story.own_code(&posts[0].1)));
        story.order_becomes(posts[0].0, "settled").await;
        story.tells("ana", &format!("YES {}", story.own_code(&posts[1].1)));
        story.order_becomes(posts[1].0, "rejected").await;
        story.ends().await;
    }

    async fn a_no_with_the_code_for_all_refuses_exactly_these(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        let several = story.posts("ana", "@obole #envoyer 6€ @bob @croixrouge");
        story.order_becomes(several, "awaiting_confirmation").await;
        let posts = story.posts_at_once("ana", &TWO).await;
        let question = story.question("ana");
        assert!(question.contains("et 1 autre\u{a0}:") && question.contains("http://localhost:8080/me"), "{question}");
        story.tells("ana", &format!("NON {}", code_for_all(&question)));
        for (post, _) in &posts {
            story.order_becomes(*post, "cancelled").await;
        }
        assert_eq!(story.stands(several).await, "awaiting_confirmation", "it was not among them");
        story.tells("ana", "NON");
        story.order_becomes(several, "cancelled").await;
        story.ends().await;
    }

    async fn a_message_whose_answer_was_lost_is_the_same_message_with_the_same_codes(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        story.rests().await;
        let before = story.world.messages_to("ana").len();
        story.world.town.set_faults(Faults { post: Some(PostFault { times: 1, answer: AnswerFault::Lose }), ..Faults::default() });
        story.app.governors.rest(&platform_lane(&PlatformName::from("town")), PAUSE);
        let posts: Vec<Id> = TWO.iter().map(|text| story.posts("ana", text)).collect();
        for post in &posts {
            story.order_becomes(*post, "awaiting_confirmation").await;
        }
        story.world.clock.advance(PAUSE);
        // The first try, whose answer is lost, and the second a little later.
        for _ in 0..10 {
            story.rests_until_due().await;
            story.world.clock.advance(Duration::from_secs(5));
        }
        story.rests().await;
        assert_eq!(story.world.messages_to("ana").len(), before + 1, "{:#?}", story.world.messages_to("ana"));
        story.tells("ana", &format!("OUI {}", code_for_all(&story.question("ana"))));
        for post in posts {
            story.order_becomes(post, "settled").await;
        }
        story.ends().await;
    }

    async fn ten_wrong_codes_a_day_and_no_code_is_taken_any_more(story: TestApp) {
        story.enrols("ana", Language::En).await;
        for _ in 0..2 {
            let post = story.posts("ana", TWO[0]);
            let order = story.order_becomes(post, "awaiting_confirmation").await;
            let wrong = if story.own_code(&order) == "000000" { "000001" } else { "000000" };
            for _ in 0..5 {
                story.tells("ana", &format!("YES {wrong}"));
            }
            story.order_becomes(post, "rejected").await;
        }
        let post = story.posts("ana", TWO[0]);
        let order = story.order_becomes(post, "awaiting_confirmation").await;
        let code = story.code_for("ana", &order).await;
        story.tells("ana", &format!("YES {code}"));
        let blocked = story.hears("ana", "no code is taken from it before").await;
        assert!(blocked.contains("http://localhost:8080/me"), "{blocked}");
        assert_eq!(story.stands(post).await, "awaiting_confirmation", "not even the right one");
        story.tells("ana", "NO");
        story.order_becomes(post, "cancelled").await;
        story.world.clock.advance(Duration::from_secs(24 * 60 * 60));
        let post = story.pays("ana", TWO[0]).await;
        story.order_becomes(post, "settled").await;
        story.ends().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_has_run_out_takes_the_code_for_all_with_it() {
    let Some(story) = TestApp::start_with(Engine::Sqlite, Policy::default()).await else { return };
    story.enrols("ana", Language::En).await;
    let first = story.posts("ana", TWO[0]);
    story.order_becomes(first, "awaiting_confirmation").await;
    story.rests().await;
    story.world.clock.advance(Duration::from_secs(5 * 60));
    let second = story.posts("ana", TWO[1]);
    story.order_becomes(second, "awaiting_confirmation").await;
    story.rests().await;
    let question = story.question("ana");
    assert!(question.contains("within 5 minutes"), "the earlier end goes for both: {question}");
    story.world.clock.advance(Duration::from_secs(5 * 60));
    story.order_becomes(first, "expired").await;
    story.tells("ana", &format!("YES {}", code_for_all(&question)));
    story.hears("ana", "Nothing was confirmed by it").await;
    assert_eq!(story.stands(second).await, "awaiting_confirmation");
    story.tells("ana", "NO");
    story.order_becomes(second, "cancelled").await;
    assert!(story.world.clock.now() > story.app.newest_orders(None, 1).await.unwrap()[0].created_at);
    story.ends().await;
}
