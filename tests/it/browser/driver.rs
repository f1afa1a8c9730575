//! A phone-sized Chromium that is driven as a person would: clicks, typing, reading, and nothing behind the page's back.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use url::Url;

/// Nothing that is going to happen takes longer, even beside other programs.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks.
const GLANCE: Duration = Duration::from_millis(50);
/// A phone of today.
const PHONE: (u32, u32) = (390, 844);
/// A larger screen.
const DESK: (u32, u32) = (1100, 1130);
/// The narrowest that pages are made for.
const NARROW: u32 = 320;

/// A port that is free on this machine at this moment.
pub(super) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Waits until a program of ours listens.
pub(super) fn listens(port: u16, what: &str) {
    let end = Instant::now() + PATIENCE;
    while TcpStream::connect(("localhost", port)).is_err() {
        assert!(Instant::now() < end, "{what} did not listen on port {port} within {PATIENCE:?}");
        std::thread::sleep(GLANCE);
    }
}

/// The program that an environment variable names, or the first of these names on the `PATH`.
fn program(variable: &str, names: &[&str]) -> PathBuf {
    if let Some(path) = std::env::var_os(variable) {
        return PathBuf::from(path);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let found = names.iter().flat_map(|name| places.iter().map(move |place| place.join(name))).find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("none of {names:?} is on the PATH; tests/run installs them; or set OBOLE_TEST_WITHOUT=browser"))
}

/// A browser with a profile of its own.
pub(super) struct Browser {
    client: Client,
    driver: Driver,
    name: &'static str,
}

/// The driver's process; the browser goes with it.
struct Driver {
    process: Child,
    port: u16,
    profile: PathBuf,
}

impl Driver {
    fn start(name: &str) -> Self {
        let port = free_port();
        let profile = std::env::temp_dir().join(format!("obole-browser-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&profile).unwrap();
        let process = Command::new(program("OBOLE_TEST_CHROMEDRIVER", &["chromedriver", "chromium-driver"]))
            .arg(format!("--port={port}"))
            .arg("--silent")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        listens(port, "chromedriver");
        Driver { process, port, profile }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Asked politely it takes its browser along.
        if let Ok(mut connection) = TcpStream::connect(("127.0.0.1", self.port)) {
            let _ = connection.set_read_timeout(Some(Duration::from_secs(5)));
            let _ = connection.write_all(b"GET /shutdown HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
            let _ = connection.read_to_end(&mut Vec::new());
        }
        let end = Instant::now() + Duration::from_secs(5);
        while matches!(self.process.try_wait(), Ok(None)) && Instant::now() < end {
            std::thread::sleep(GLANCE);
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

/// A command of Chromium's driver that the standard does not have.
#[derive(Debug)]
struct Special {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Special {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (axum::http::Method, Option<String>) {
        (axum::http::Method::POST, Some(self.body.to_string()))
    }
}

impl Browser {
    /// Opens a browser whose person reads these languages, the best first. `name` begins the names of its screenshots.
    pub(super) async fn open(name: &'static str, languages: &str) -> Self {
        let driver = Driver::start(name);
        let chrome =
            program("OBOLE_TEST_CHROME", &["chromium", "google-chrome", "google-chrome-stable", "chromium-browser", "chrome"]);
        let options = json!({
            "binary": chrome,
            "args": [
                "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
                "--no-default-browser-check", "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--disable-default-apps", "--disable-extensions", "--no-proxy-server", "--hide-scrollbars",
                format!("--lang={}", languages.split(',').next().unwrap_or("en")),
                format!("--user-data-dir={}", driver.profile.display()),
                format!("--window-size={},{}", PHONE.0, PHONE.1),
            ],
            "prefs": { "intl.accept_languages": languages },
        });
        let capabilities = json!({
            "goog:chromeOptions": options,
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        });
        let Value::Object(capabilities) = capabilities else { unreachable!("an object") };
        let address = format!("http://127.0.0.1:{}", driver.port);
        let client = ClientBuilder::new(HttpConnector::new()).capabilities(capabilities).connect(&address).await.unwrap();
        let browser = Browser { client, driver, name };
        browser.has_screen(PHONE).await;
        browser
    }

    async fn special(&self, path: &'static str, body: Value) -> Value {
        self.client.issue_cmd(Special { path, body }).await.unwrap()
    }

    async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.special("goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await
    }

    async fn has_screen(&self, (width, height): (u32, u32)) {
        let screen = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", screen).await;
    }

    /// Gives the phone a lock that its owner opens at once: a virtual authenticator, as W3C WebAuthn section 11 describes it.
    pub(super) async fn has_passkeys(&self) {
        let authenticator = json!({
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": true, "hasUserVerification": true,
            "isUserConsenting": true, "isUserVerified": true,
        });
        self.special("webauthn/authenticator", authenticator).await;
    }

    /// Leaves a picture of the page's beginning on a larger screen.
    pub(super) async fn shows_on_a_desk(&self, what: &str) {
        self.has_screen(DESK).await;
        self.takes_picture(what, false).await;
        self.has_screen(PHONE).await;
    }

    /// Types an address.
    pub(super) async fn goes_to(&self, address: &str) {
        self.client.goto(address).await.unwrap();
    }

    /// Where the person is.
    pub(super) async fn address(&self) -> String {
        self.client.current_url().await.unwrap().to_string()
    }

    /// Clicks on something as soon as it is there.
    pub(super) async fn clicks(&self, what: &str) {
        let end = Instant::now() + PATIENCE;
        loop {
            // A part of the page may be made anew between finding and clicking.
            let clicked = async {
                let found = self.client.find(Locator::Css(what)).await?;
                // As a person scrolls: to the middle, and not just below what sticks to the screen's edge.
                let element = serde_json::to_value(&found)?;
                self.client.execute("arguments[0].scrollIntoView({ block: 'center' })", vec![element]).await?;
                found.click().await
            };
            let Err(error) = clicked.await else { return };
            if Instant::now() > end {
                self.shows("stuck").await;
                panic!("{} cannot be clicked on {}: {error}\n{}", what, self.address().await, self.text("main").await);
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// Types into a field in place of what it holds.
    pub(super) async fn types(&self, field: &str, text: &str) {
        let field = self.client.wait().at_most(PATIENCE).for_element(Locator::Css(field)).await.unwrap();
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// What a person reads there now; nothing if it is not there.
    pub(super) async fn text(&self, what: &str) -> String {
        let script = "const found = document.querySelector(arguments[0]); return found ? (found.value ?? found.innerText) : '';";
        let text = self.client.execute(script, vec![what.into()]).await.unwrap_or_default();
        // No-break spaces are for the eye.
        text.as_str().unwrap_or_default().replace(['\u{a0}', '\u{202f}'], " ")
    }

    /// Reads there until `wanted` appears, without loading the page again.
    pub(super) async fn sees(&self, what: &str, wanted: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let text = self.text(what).await;
            if text.contains(wanted) {
                return text;
            }
            if Instant::now() > end {
                self.shows("stuck").await;
                panic!("waited in vain for {wanted:?} in {what} on {}; there is:\n{text}", self.address().await);
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// The page may not be wider than the screen, on this phone and on a narrow one.
    pub(super) async fn fits(&self) {
        let script = "const page = document.documentElement, over = [];
            for (const part of document.body.querySelectorAll('*'))
                if (part.getBoundingClientRect().right > page.clientWidth + 1) over.push(part.tagName + '.' + part.className);
            return [page.scrollWidth - page.clientWidth, over.slice(0, 5).join(' ')];";
        for width in [NARROW, PHONE.0] {
            self.has_screen((width, PHONE.1)).await;
            let found = self.client.execute(script, vec![]).await.unwrap();
            let over = found[0].as_i64().unwrap_or(i64::MAX);
            assert!(over <= 0, "{} is {over} pixels wider than a screen of {width}: {}", self.address().await, found[1]);
        }
    }

    /// Leaves a picture of the whole page in `target/screenshots/`.
    pub(super) async fn shows(&self, what: &str) {
        self.takes_picture(what, true).await;
    }

    async fn takes_picture(&self, what: &str, whole: bool) {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("screenshots");
        std::fs::create_dir_all(&directory).unwrap();
        // What sticks to the screen's edge would stick in the middle of the picture.
        self.client.execute("scrollTo(0, 0)", vec![]).await.unwrap();
        let wanted = json!({ "format": "png", "captureBeyondViewport": whole, "fromSurface": true });
        let picture = self.devtools("Page.captureScreenshot", wanted).await;
        let bytes = base64(picture["data"].as_str().unwrap());
        std::fs::write(directory.join(format!("{}-{what}.png", self.name)), bytes).unwrap();
    }

    /// Ends, and reports what the browser complained about, and everything that was asked of anybody but `allowed`.
    pub(super) async fn ends(self, allowed: &[u16]) {
        let complaints = self.log("browser").await;
        let complaints: Vec<&Value> = complaints.iter().filter(|line| line["level"] == "SEVERE" || is_policy(line)).collect();
        assert!(complaints.is_empty(), "the browser complained: {complaints:#?}");
        let asked: BTreeSet<String> = self.log("performance").await.iter().filter_map(requested).collect();
        let strangers: Vec<&String> = asked.iter().filter(|address| !is_ours(address, allowed)).collect();
        assert!(strangers.is_empty(), "the page asked somebody else: {strangers:?}");
        assert!(asked.len() > 5, "the record of requests is no record: {asked:?}");
        let Browser { client, driver, .. } = self;
        client.close().await.unwrap();
        drop(driver);
    }

    /// Takes one complaint out of the console that the story meant to cause: a request answered with this status.
    pub(super) async fn expects_complaint(&self, status: &str) {
        let complaints = self.log("browser").await;
        let (meant, others): (Vec<_>, Vec<_>) = complaints
            .iter()
            .partition(|line| line["message"].as_str().is_some_and(|message| message.contains(&format!("status of {status}"))));
        assert_eq!((meant.len(), others.len()), (1, 0), "{complaints:#?}");
    }

    async fn log(&self, kind: &str) -> Vec<Value> {
        let told = self.special("se/log", json!({ "type": kind })).await;
        told.as_array().cloned().unwrap_or_default()
    }
}

/// Whether a line of the console is about the content security policy, at whatever level.
fn is_policy(line: &Value) -> bool {
    line["message"]
        .as_str()
        .is_some_and(|message| message.contains("Content Security Policy") || message.contains("Content-Security-Policy"))
}

/// The address of a request, if a line of the performance log is one.
fn requested(line: &Value) -> Option<String> {
    let told: Value = serde_json::from_str(line["message"].as_str()?).ok()?;
    let message = &told["message"];
    (message["method"] == "Network.requestWillBeSent").then(|| message["params"]["request"]["url"].as_str().map(str::to_owned))?
}

fn is_ours(address: &str, allowed: &[u16]) -> bool {
    let Ok(url) = Url::parse(address) else { return false };
    match url.scheme() {
        "http" => url.host_str() == Some("localhost") && url.port().is_some_and(|port| allowed.contains(&port)),
        // Neither leaves the browser.
        scheme => matches!(scheme, "data" | "blob" | "about" | "chrome"),
    }
}

fn base64(text: &str) -> Vec<u8> {
    let value = |letter: u8| match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let letters: Vec<u8> = text.bytes().filter(|letter| *letter != b'=').collect();
    let mut bytes = Vec::with_capacity(letters.len() / 4 * 3 + 2);
    for group in letters.chunks(4) {
        let bits =
            group.iter().enumerate().fold(0_u32, |bits, (place, letter)| bits | u32::from(value(*letter)) << (18 - 6 * place));
        bytes.extend(&bits.to_be_bytes()[1..group.len()]);
    }
    bytes
}
