//! The page to play on and the product's own pages, walked by a person in Chromium on a phone: from signing up to the receipt, in French
//! and in English. Pictures of the way are left in `target/screenshots/`.
//!
//! The real executable serves them, on ports of its own. Along the way: no complaint in the browser's console, no content
//! that the pages' policy forbids, nothing wider than a narrow phone, and not one request to anybody but this machine.

mod driver;
mod passkeys;

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::support::database::is_left_out;
use driver::{Browser, free_port, listens};

/// `obole`, as a newcomer starts it.
struct Running {
    process: Child,
    data: PathBuf,
    ports: [u16; 3],
}

impl Running {
    fn start(name: &str) -> Self {
        let data = std::env::temp_dir().join(format!("obole-pages-{}-{name}", std::process::id()));
        let ports = [free_port(), free_port(), free_port()];
        let addresses = ports.map(|port| format!("localhost:{port}"));
        let log = std::fs::File::create(format!("{}/browser-{name}.log", env!("CARGO_TARGET_TMPDIR"))).unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_obole"))
            .arg("--data")
            .arg(&data)
            .args(["--listen", &addresses[0], "--town-listen", &addresses[1], "--bank-listen", &addresses[2]])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        listens(ports[0], "obole");
        Running { process, data, ports }
    }

    fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.ports[0])
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.data);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_new_signs_up_enrols_posts_answers_and_reads_the_receipt_in_french() {
    if is_left_out("browser") {
        return;
    }
    let obole = Running::start("french");
    let browser = Browser::open("fr", "fr-FR,fr,en").await;
    browser.goes_to(&obole.url("/")).await;
    browser.sees("h1", "Essayer Obole").await;
    browser.fits().await;
    browser.shows("1-start").await;

    browser.types("#name", "lea").await;
    browser.clicks("form[action='/play/join'] button").await;
    browser.sees("#who", "@lea").await;
    browser.clicks("form[action='/play/enrol'] button").await;
    browser.clicks("form[action='/play/consent'] button").await;
    browser.sees("#play-code", "OBOLE-").await;
    browser.fits().await;
    browser.shows("2-code").await;
    browser.clicks("form[action='/play/code'] button").await;
    browser.sees("#who", "Était-ce vous ?").await;
    browser.clicks("form[action='/play/word'] button[value='yes']").await;
    browser.sees("#who", "Votre compte est relié").await;

    browser.clicks("form[action='/play/post'] button").await;
    let question = browser.sees("#piece-inbox", "OUI ").await;
    for wanted in ["10,00 €", "Croix-Rouge", "#telethon", "parapluie bleu"] {
        assert!(question.contains(wanted), "the question does not say {wanted:?}:\n{question}");
    }
    browser.sees("#piece-happened", "Obole attend votre réponse").await;
    browser.sees("#piece-quick", "OUI ").await;
    browser.fits().await;
    browser.shows("3-question").await;
    browser.clicks("#piece-quick button").await;

    browser.sees("#piece-happened", "Votre banque a payé, une seule fois").await;
    let receipt = browser.sees("#piece-inbox", "Reçu ").await;
    assert!(receipt.contains("Payé : 10,00 €"), "the receipt says something else:\n{receipt}");
    browser.sees("#piece-orders", "payé").await;
    let money = browser.sees("#money", "90,00 €").await;
    assert!(money.contains("-10,00 €") || money.contains("−10,00 €"), "the payer's statement shows no debit:\n{money}");
    browser.fits().await;
    browser.shows("4-receipt").await;

    // Nearly an order: told what would have worked, and one touch puts it into the composer.
    browser.clicks("#post .chips a").await;
    browser.sees("#composer", "1.000 €").await;
    browser.clicks("form[action='/play/post'] button").await;
    browser.sees("#piece-inbox", "deux montants différents").await;
    browser.clicks("#piece-inbox a[data-fill]").await;
    browser.sees("#composer", "@obole #envoyer 1 € @bob").await;
    browser.fits().await;
    browser.shows("5-nearly").await;

    browser.clicks("#orders a[href^='/orders/']").await;
    browser.sees("main", "payé").await;
    browser.fits().await;
    browser.shows("6-order").await;
    browser.clicks("main a[href^='/c/']").await;
    browser.sees("main", "10,00 €").await;
    browser.fits().await;
    browser.shows("7-campaign").await;
    browser.ends(&obole.ports).await;
}

/// Ana, whom the sandbox has peopled the town with, links her account on the product's own pages, up to its last.
async fn enrols_ana(browser: &Browser, obole: &Running) {
    browser.goes_to(&obole.url("/")).await;
    browser.clicks("form[action='/play/be'] button").await;
    browser.sees("#who", "@ana").await;
    browser.goes_to(&obole.url("/enrol")).await;
    browser.types("#phrase", "blue umbrella").await;
    browser.clicks("form[action='/enrol'] button").await;
    browser.types("input[name='login']", "ana").await;
    browser.clicks("button[value='approve']").await;
    let code = browser.sees("#code", "OBOLE-").await;
    browser.goes_to(&obole.url("/")).await;
    browser.types("#answer", code.trim()).await;
    browser.clicks("form:has(#answer) button").await;
    browser.sees("#piece-inbox", "Code received").await;
    browser.goes_to(&obole.url("/enrol")).await;
    browser.clicks("button[value='yes']").await;
    browser.sees("h1", "Your account is linked").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ana_enrols_on_the_products_own_pages_and_pays_bob_in_english() {
    if is_left_out("browser") {
        return;
    }
    let obole = Running::start("english");
    let browser = Browser::open("en", "en-GB,en").await;
    browser.goes_to(&obole.url("/")).await;
    browser.clicks("form[action='/play/be'] button").await;
    browser.sees("#who", "@ana").await;

    browser.goes_to(&obole.url("/enrol")).await;
    browser.fits().await;
    browser.shows("1-enrol").await;
    browser.types("#phrase", "blue umbrella").await;
    browser.clicks("form[action='/enrol'] button").await;
    // The bank's own page.
    browser.types("input[name='login']", "ana").await;
    assert!(browser.address().await.starts_with(&format!("http://localhost:{}/approve/", obole.ports[2])));
    browser.fits().await;
    browser.shows("2-bank").await;
    browser.clicks("button[value='approve']").await;
    let code = browser.sees("#code", "OBOLE-").await;
    assert!(browser.address().await.starts_with(&obole.url("/enrol")));
    browser.fits().await;
    browser.shows("3-code").await;

    // Ana's other program: the town, in which she writes to Obole.
    browser.goes_to(&obole.url("/")).await;
    browser.types("#answer", code.trim()).await;
    browser.clicks("form:has(#answer) button").await;
    browser.sees("#piece-inbox", "Code received").await;
    browser.goes_to(&obole.url("/enrol")).await;
    browser.sees("main", "@ana").await;
    browser.fits().await;
    browser.shows("4-word").await;
    browser.clicks("button[value='yes']").await;
    browser.sees("h1", "Your account is linked").await;
    browser.clicks("main a.button[href='/']").await;

    browser.types("#composer", "@obole #send 3.50€ @bob for the coffee").await;
    browser.clicks("form[action='/play/post'] button").await;
    let question = browser.sees("#piece-inbox", "YES ").await;
    for wanted in ["€3.50", "Bob Martin", "blue umbrella"] {
        assert!(question.contains(wanted), "the question does not say {wanted:?}:\n{question}");
    }
    browser.types("#answer", "NO").await;
    browser.clicks("form:has(#answer) button").await;
    browser.sees("#piece-happened", "without a payment").await;

    browser.types("#composer", "@obole #send 4.50€ @bob for the coffee").await;
    browser.clicks("form[action='/play/post'] button").await;
    browser.sees("#piece-quick", "YES ").await;
    browser.clicks("#piece-quick button").await;
    browser.sees("#piece-inbox", "Receipt ").await;
    browser.sees("#money", "€245.50").await;
    browser.fits().await;
    browser.shows("5-receipt").await;
    browser.shows_on_a_desk("5-receipt-on-a-desk").await;

    // What the bank and the town show of it.
    browser.goes_to(&format!("http://localhost:{}/", obole.ports[2])).await;
    browser.fits().await;
    browser.shows("6-accounts").await;
    browser.goes_to(&format!("http://localhost:{}/", obole.ports[1])).await;
    browser.sees("body", "4.50€").await;
    browser.fits().await;
    browser.shows("7-town").await;
    browser.ends(&obole.ports).await;
}
