//! The pages behind a passkey, with a virtual authenticator: enrolment with a passkey, a confirmation above the code's limit, the inbox,
//! settings and erasure.

use super::driver::Browser;
use super::{Running, enrols_ana, is_left_out};

/// Where the newest private message that Ana sees leads to, as a path of ours.
async fn link_in_message(browser: &Browser, obole: &Running, room: &str) -> String {
    let text = browser.sees("#piece-inbox", room).await;
    let (_, rest) = text.rsplit_once(&obole.url(room)).unwrap();
    let path: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    obole.url(&format!("{room}{path}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn ana_adds_a_passkey_confirms_a_large_gift_and_is_forgotten() {
    if is_left_out("browser") {
        return;
    }
    let obole = Running::start("passkeys");
    let browser = Browser::open("passkeys", "en-GB,en").await;
    browser.has_passkeys().await;
    enrols_ana(&browser, &obole).await;
    browser.fits().await;
    browser.shows("1-linked").await;
    browser.clicks("form[data-passkey] button").await;
    browser.sees("h1", "Your passkey is ready").await;
    browser.fits().await;

    // Above what a code confirms: the message leads to a page, and the page asks for the passkey.
    browser.goes_to(&obole.url("/")).await;
    browser.types("#composer", "@obole #donner 80€ @croixrouge #telethon").await;
    browser.clicks("form[action='/play/post'] button").await;
    let page = link_in_message(&browser, &obole, "/confirm/").await;
    browser.goes_to(&page).await;
    let shown = browser.sees("main", "€80.00").await;
    for wanted in ["Croix-Rouge", "@ana", "#telethon", "blue umbrella", "FR76 … "] {
        assert!(shown.contains(wanted), "the page does not show {wanted:?}:\n{shown}");
    }
    browser.fits().await;
    browser.shows("2-confirm").await;
    browser.clicks("form[data-passkey] button").await;
    browser.sees("main", "the bank waits for the payer's approval").await;

    // Above 30 € the bank wants its own authentication, too; its page is for the payer alone, so the own pages lead to it.
    browser.goes_to(&obole.url("/me")).await;
    browser.fits().await;
    browser.shows("3-door").await;
    browser.clicks("form[data-passkey] button").await;
    browser.sees("main", "Your bank waits for your approval").await;
    browser.clicks("main li a.primary").await;
    browser.clicks("button[value='approve']").await;
    browser.sees("h1", "We are asking your bank").await;
    browser.clicks("main a.primary").await;
    browser.sees("main", "✓ paid").await;

    // The inbox: without a message.
    browser.goes_to(&obole.url("/")).await;
    browser.types("#composer", "@obole #send 4.50€ @bob for the coffee").await;
    browser.clicks("form[action='/play/post'] button").await;
    browser.sees("#piece-quick", "YES ").await;
    browser.goes_to(&obole.url("/me")).await;
    browser.sees("main", "€4.50").await;
    browser.fits().await;
    browser.shows("4-inbox").await;
    browser.clicks("section form[data-passkey] button").await;
    browser.sees("main", "Nothing waits for you").await;
    browser.sees("main", "€84.50 of €1,000.00").await;

    browser.clicks("a[href='/me/settings']").await;
    browser.sees("h1", "Settings").await;
    browser.fits().await;
    browser.shows("5-settings").await;
    browser.types("#phrase", "old mill").await;
    browser.clicks("form[action='/me/settings/phrase'] button").await;
    browser.sees("h1", "Settings").await;
    browser.goes_to(&obole.url("/")).await;
    browser.sees("#piece-inbox", "old mill").await;
    let report = link_in_message(&browser, &obole, "/not-me/").await;
    browser.goes_to(&report).await;
    browser.sees("h1", "Was it not you?").await;
    browser.fits().await;
    browser.shows("6-not-me").await;

    browser.goes_to(&obole.url("/me/erase")).await;
    browser.sees("h1", "Delete my data").await;
    browser.fits().await;
    browser.shows("7-erase").await;
    browser.clicks("input[name='sure']").await;
    browser.clicks("form[data-passkey] button").await;
    browser.sees("h1", "Deleted").await;
    browser.fits().await;
    browser.goes_to(&obole.url("/me")).await;
    browser.sees("main", "Open with my passkey").await;
    // A passkey of nobody opens nothing, and says so.
    browser.clicks("form[data-passkey] button").await;
    browser.sees("main", "This passkey's answer does not hold").await;
    browser.expects_complaint("400").await;
    browser.ends(&obole.ports).await;
}
