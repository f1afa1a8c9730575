//! The pages about the order language: what can be said, and what would be read in a text.

use axum::http::{Method, StatusCode};
use obole::language::{Action, Code, languages, served_currencies};
use obole::people::Language;

use crate::support::app::TestApp;
use crate::support::database::Engine;
use crate::web::{ask, get, pages};

const TRY: &str = "/try-the-language";

/// A form's body.
fn form(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// As maud writes a text.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_guide_has_every_word_currency_answer_and_code() {
    let Some(story) = TestApp::start(Engine::Sqlite).await else { return };
    let pages = pages(&story);
    let mut seen = Vec::new();
    for reader in Language::ALL {
        let page = get(&pages, &format!("/language?lang={}", reader.code()), &[]).await;
        assert_eq!(page.status, StatusCode::OK);
        let body = page.body;
        for code in Code::ALL {
            assert!(body.contains(&format!("id=\"{code}\"")) && body.contains(&format!("{TRY}?example={code}")), "{reader} {code}");
        }
        for language in languages() {
            assert!(body.contains(&format!("id=\"language-{}\"", language.code)) && body.contains(&escaped(&language.name)));
            let lists = language.lists.iter().flat_map(|(_, _, words)| words);
            for word in lists.chain(language.numbers.iter().chain(&language.scales).map(|(word, _)| word)) {
                assert!(body.contains(&format!("<bdi>{}</bdi>", escaped(word))), "{reader} {}: {word}", language.code);
            }
        }
        for served in served_currencies() {
            assert!(body.contains(&format!("<th scope=\"row\">{}", served.currency)), "{reader} {}", served.currency);
            for mark in served.symbols.iter().chain(&served.words) {
                assert!(body.contains(&format!("<bdi>{}</bdi>", escaped(mark))), "{reader} {mark}");
            }
        }
        assert!(!body.contains(" style=") && !body.contains("<style"), "{reader}");
        // Each action has words of its own beside its phrases, as each code has its advice.
        let section = body.split("id=\"replies\"").nth(1).unwrap().split("</section>").next().unwrap();
        assert_eq!(section.matches("<dt>").count(), Action::ALL.len(), "{reader}");
        // Nothing that is shown as an example of a near miss has become an order, nor the other way round.
        let errors = body.split("id=\"errors\"").nth(1).unwrap().split("</section>").next().unwrap();
        assert_eq!(errors.matches("part-fault").count(), Code::ALL.len(), "{reader}");
        assert!(!errors.contains("part-amount"), "{reader}");
        seen.push(body);
    }
    assert!(seen[0].contains("How an order is written") && seen[1].contains("Comment s'écrit un ordre"));
    assert!(get(&pages, "/", &[]).await.body.contains("href=\"/language\""));
    drop(pages);
    story.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_is_tried_without_scripts_and_without_leaving_a_trace() {
    let Some(story) = TestApp::start(Engine::Sqlite).await else { return };
    let pages = pages(&story);
    let first = get(&pages, &format!("{TRY}?lang=fr"), &[]).await;
    assert!(first.body.contains("<form method=\"post\"") && first.body.contains("C'est un ordre."), "{}", first.body);
    assert!(first.body.contains("#telethon"), "the campaigns of the installation are known: {}", first.body);

    let text = form(&[("text", "@obole #envoyer 1.000 € @bob & <b>"), ("platform", "x"), ("channel", "post"), ("bot", "@obole")]);
    let read = ask(&pages, Method::POST, &format!("{TRY}?lang=fr"), &[], &text).await;
    assert_eq!((read.status, read.header("cache-control")), (StatusCode::OK, "no-store"));
    for part in [
        "C'est presque un ordre.",
        "<mark class=\"part-fault\"><span class=\"unseen\">[ici: </span>1.000 €<",
        "@obole #envoyer 1 € @bob &amp; &lt;b&gt;</output>",
        "name=\"text\" value=\"@obole #envoyer 1000 € @bob &amp; &lt;b&gt;\"",
        "href=\"/language#E_AMOUNT_AMBIGUOUS\"",
        "Que faire",
    ] {
        assert!(read.body.contains(part), "{part} is missing in {}", read.body);
    }
    assert!(!read.body.contains("<b>"), "a text is text");

    let campaign = ask(&pages, Method::POST, &format!("{TRY}?lang=en"), &[], &form(&[("text", "#donner 10€ #telethon")])).await;
    assert!(campaign.body.contains("through the campaign #telethon"), "{}", campaign.body);
    let private = form(&[("text", "OUI 482193"), ("channel", "dm")]);
    let answer = ask(&pages, Method::POST, &format!("{TRY}?lang=en"), &[], &private).await;
    assert!(answer.body.contains("This is an answer to Obole.") && answer.body.contains("482193"), "{}", answer.body);
    let chatter = ask(&pages, Method::POST, &format!("{TRY}?lang=en"), &[], &form(&[("text", "good morning")])).await;
    assert!(chatter.body.contains("Obole says nothing.") && chatter.body.contains("section 2"), "{}", chatter.body);
    assert!(story.app.standings().await.unwrap().is_empty(), "what is tried is no order");
    drop(pages);
    story.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_script_gets_the_piece_and_too_much_is_one_sentence() {
    let Some(story) = TestApp::start(Engine::Sqlite).await else { return };
    let pages = pages(&story);
    let json = ("accept", "application/json");
    let piece =
        ask(&pages, Method::POST, &format!("{TRY}?lang=en"), &[json], &form(&[("text", "@obole #send 20€ @bob")])).await.json();
    let piece = piece["piece"].as_str().unwrap();
    assert!(piece.starts_with("<p class=\"big good\">This is an order.") && !piece.contains("<html"), "{piece}");
    let long = "é".repeat(1_501);
    let refused = ask(&pages, Method::POST, &format!("{TRY}?lang=en"), &[], &form(&[("text", &long)])).await;
    assert!(refused.body.contains("At most 1500 characters can be tried here."), "{}", refused.body);
    let longest = "字".repeat(1_500);
    let fits = ask(&pages, Method::POST, TRY, &[json], &form(&[("text", &longest), ("bot", "obole")])).await;
    assert_eq!(fits.status, StatusCode::OK, "{}", fits.body);
    let huge = ask(&pages, Method::POST, TRY, &[json], &form(&[("text", &"x".repeat(20_000))])).await;
    assert_eq!((huge.status, huge.json()["error"].as_str()), (StatusCode::PAYLOAD_TOO_LARGE, Some("too_large")));
    assert_eq!(ask(&pages, Method::POST, TRY, &[json], "nothing=1").await.json()["error"], "bad_request");
    for code in Code::ALL {
        let page = get(&pages, &format!("{TRY}?example={code}&lang=fr"), &[]).await.body;
        // Who writes is not known here, so the one about the author is an order.
        let near = page.contains(&format!("href=\"/language#{code}\""));
        assert_eq!(near, *code != Code::RecipientSelf, "{code}: {page}");
    }
    drop(pages);
    story.ends().await;
}
