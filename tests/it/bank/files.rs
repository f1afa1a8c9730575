//! Orders by file: the whole way from a post to a statement and back, and every file against its schema.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use obole::app::operate::{MatterKind, Request, Response};
use obole::app::reconcile::{Schedule, reconcile};
use obole::bank::Bank;
use obole::bank::fake::{Fault, FaultKind, Operation, Reason};
use obole::bank::iso20022::{IsoFiles, Settings};
use obole::entropy::SeededEntropy;
use obole::order::{Order, PaymentState};
use obole::people::Language;
use obole::sandbox::bank::files::{FilesPeer, serve_mandates};
use tokio_util::sync::CancellationToken;

use crate::support::app::{TestApp, World};
use crate::support::database::Engine;

const GIFT: &str = "@obole #donner 10€ @croixrouge #telethon";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A directory with a bank at its other end.
struct Exchange {
    directory: PathBuf,
    files: Arc<IsoFiles>,
    peer: Arc<FilesPeer>,
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

impl Exchange {
    fn new(name: &str, world: &World, settings: impl FnOnce(&mut Settings)) -> Self {
        let directory = std::env::temp_dir().join(format!("obole-story-files-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory).unwrap();
        let mut wanted = Settings { quiet: Duration::ZERO, instant: true, ..Settings::at(directory.clone()) };
        settings(&mut wanted);
        let files = IsoFiles::open("bank".into(), wanted, world.clock.clone(), Arc::new(SeededEntropy::new(11))).unwrap();
        let peer = FilesPeer::open(&directory, world.bank.clone(), Arc::new(SeededEntropy::new(12))).unwrap();
        Exchange { directory, files: Arc::new(files), peer: Arc::new(peer) }
    }

    /// Files go both ways once.
    async fn passes(&self) {
        self.files.tend().await.unwrap();
        self.peer.work().unwrap();
        self.files.tend().await.unwrap();
    }

    async fn start(engine: Engine, name: &str) -> Option<(TestApp, Arc<Exchange>)> {
        let mut exchange = None;
        let story = TestApp::start_through(engine, |world| {
            let made = exchange.insert(Arc::new(Exchange::new(name, world, |_| {})));
            made.files.clone()
        });
        let story = story.await?;
        Some((story, exchange.unwrap()))
    }

    async fn enrols(&self, story: &TestApp, name: &str) {
        let give = async |mandate: &str| {
            self.peer.give_mandate(mandate, name).unwrap();
            self.files.tend().await.unwrap();
        };
        story.enrols_by(name, Language::Fr, give).await;
    }

    /// Every file that lies anywhere is what its schema says.
    fn are_valid(&self) {
        let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/specs/iso20022");
        let schemas = std::env::var_os("OBOLE_ISO20022_SPEC").map_or(beside, PathBuf::from);
        if !schemas.is_dir() {
            return;
        }
        let mut seen = std::collections::BTreeSet::new();
        for folder in ["bank", "archive"] {
            for entry in std::fs::read_dir(self.directory.join(folder)).unwrap() {
                let path = entry.unwrap().path();
                let text = std::fs::read_to_string(&path).unwrap();
                let Some(kind) = text.split("tech:xsd:").nth(1).and_then(|rest| rest.split('"').next()) else { continue };
                seen.insert(kind.to_owned());
                let schema = schemas.join(format!("{kind}.xsd"));
                let judged = Command::new("xmllint").arg("--noout").arg("--nonet").arg("--schema").arg(schema).arg(&path).output();
                let Ok(judged) = judged else { panic!("xmllint (libxml2-utils) is needed where the schemas are at hand") };
                assert!(judged.status.success(), "{}\n{text}", String::from_utf8_lossy(&judged.stderr));
            }
        }
        assert!(seen.contains("pain.001.001.09"), "{seen:?}");
    }
}

async fn compared(story: &TestApp) -> obole::app::reconcile::Reconciliation {
    let everything = Schedule { account_every: Duration::ZERO, ..Schedule::default() };
    story.world.clock.advance(Duration::from_secs(1));
    reconcile(&story.app, story.ledger(), &everything).await.unwrap()
}

/// Payments are asked for until one stands so.
async fn becomes(story: &TestApp, exchange: &Exchange, post: obole::platform::fake::Id, wanted: &str) -> Order {
    exchange.passes().await;
    story.world.clock.advance(Duration::from_secs(600));
    story.order_becomes(post, wanted).await
}

async fn story_of_a_gift(engine: Engine, name: &str) {
    let Some((story, exchange)) = Exchange::start(engine, name).await else { return };
    exchange.enrols(&story, "ana").await;
    let post = story.pays("ana", GIFT).await;
    story.order_becomes(post, "executing").await;
    assert_eq!(story.world.bank.totals().unwrap().payments, 0, "nothing is paid before the file is there");
    let order = becomes(&story, &exchange, post, "settled").await;
    assert_eq!(story.world.balance("croixrouge"), 1_000);
    story.hears("ana", "10,00").await;
    // The statement of the day is compared, and finds nothing.
    story.world.clock.advance(3 * DAY);
    exchange.passes().await;
    let report = compared(&story).await;
    assert_eq!((report.differences.len(), report.banks[0].accounts_read, report.learned.len()), (0, 1, 0), "{report:?}");
    // The payee's bank gives it back, with a reason that reaches the record.
    let payment = story.world.bank.payments_with(order.payments[0].key.as_str()).unwrap()[0].id.clone();
    story.world.bank.give_back(&payment, &Reason("AC04".to_owned())).unwrap();
    exchange.passes().await;
    let report = compared(&story).await;
    assert_eq!((report.learned.len(), report.differences.len()), (1, 0), "{report:?}");
    let after = story.app.order(&order.id).await.unwrap().unwrap();
    assert!(matches!(after.payments[0].state, PaymentState::Returned { .. }), "{after:?}");
    let history = format!("{:?}", story.app.history(&order.id).await.unwrap());
    assert!(history.contains("AC04"), "{history}");
    assert_eq!(story.world.balance("ana"), 20_000);
    assert_eq!(exchange.peer.repeated(), Vec::<String>::new());
    exchange.are_valid();
    story.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gift_goes_by_file_is_settled_and_comes_back() {
    story_of_a_gift(Engine::Sqlite, "gift").await;
}

mod postgres {
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_gift_goes_by_file_is_settled_and_comes_back() {
        super::story_of_a_gift(super::Engine::Postgres, "gift-postgres").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rejection_by_file_is_definite_and_its_reason_is_told() {
    let Some((story, exchange)) = Exchange::start(Engine::Sqlite, "rejected").await else { return };
    exchange.enrols(&story, "ana").await;
    let reject = Fault { on: Some(Operation::Initiate), ..FaultKind::Refuse { reason: "AC06".to_owned() }.into() };
    story.world.bank.misbehave(reject);
    let post = story.pays("ana", GIFT).await;
    story.order_becomes(post, "executing").await;
    let order = becomes(&story, &exchange, post, "failed").await;
    assert!(matches!(&order.payments[0].state, PaymentState::Failed { reason, .. } if reason == "AC06"), "{order:?}");
    exchange.are_valid();
    story.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_recalls_and_the_money_comes_back_as_an_entry() {
    let Some((story, exchange)) = Exchange::start(Engine::Sqlite, "recall").await else { return };
    exchange.enrols(&story, "ana").await;
    let post = story.pays("ana", GIFT).await;
    story.order_becomes(post, "executing").await;
    let order = becomes(&story, &exchange, post, "settled").await;
    let recall = |reason: &str| Request::Recall {
        by: "ana".parse().unwrap(),
        order: order.id.clone(),
        payment: 0,
        reason: reason.to_owned(),
        note: "paid twice".to_owned(),
    };
    let refused = story.operator_asks(recall("WHIM")).await;
    assert!(matches!(&refused, Response::Refused(why) if why.contains("DUPL")), "{refused:?}");
    let asked = story.operator_asks(recall("DUPL")).await;
    assert!(matches!(&asked, Response::Done(what) if what.contains("answer will come")), "{asked:?}");
    story.world.clock.advance(3 * DAY);
    exchange.passes().await;
    exchange.passes().await;
    assert_eq!(compared(&story).await.learned.len(), 1);
    let after = story.app.order(&order.id).await.unwrap().unwrap();
    assert!(matches!(after.payments[0].state, PaymentState::Returned { .. }), "{after:?}");
    exchange.are_valid();
    // A broken file waits for the operator until it is taken away.
    exchange.peer.offer("camt.053-broken.xml", "<Document").unwrap();
    exchange.files.tend().await.unwrap();
    let waiting = story.waiting().await;
    assert!(waiting.iter().any(|matter| matter.kind == MatterKind::Bank && matter.what.contains("well-formed")), "{waiting:?}");
    std::fs::remove_dir_all(exchange.directory.join("aside")).unwrap();
    std::fs::create_dir(exchange.directory.join("aside")).unwrap();
    assert!(story.waiting().await.is_empty());
    assert_eq!(story.audit_finds().await, Vec::<String>::new());
    story.ends().await;
}

#[tokio::test]
async fn a_mandate_is_given_or_refused_on_the_banks_page() {
    let world = World::new();
    world.bank.open_account("ana", "Ana", super::euros(1_000)).unwrap();
    let mut page = String::new();
    let mut exchange = Exchange::new("page", &world, |_| {});
    let shutdown = CancellationToken::new();
    let (base, _servers) = serve_mandates(exchange.peer.clone(), "localhost:0", &shutdown).unwrap();
    page.push_str(&format!("{base}/mandate?id={{mandate}}&return={{return}}"));
    let directory = exchange.directory.clone();
    let settings = Settings { quiet: Duration::ZERO, mandate_page: page, ..Settings::at(directory) };
    let entropy = Arc::new(SeededEntropy::new(13));
    exchange.files = Arc::new(IsoFiles::open("bank".into(), settings, world.clock.clone(), entropy).unwrap());
    for (answer, given) in [("approve", true), ("refuse", false)] {
        let asked = exchange.files.request_consent("https://obole.example/enrol/return?state=1").await.unwrap();
        let shown = super::client().get(&asked.authorise_at).send().await.unwrap().text().await.unwrap();
        assert!(shown.contains(&asked.consent_id), "{shown}");
        let french =
            super::client().get(&asked.authorise_at).header("Accept-Language", "fr").send().await.unwrap().text().await.unwrap();
        assert!(french.contains("Autoriser des virements"), "{french}");
        let form = [
            ("id", asked.consent_id.as_str()),
            ("return", "https://obole.example/enrol/return?state=1"),
            ("login", "ana"),
            ("answer", answer),
        ];
        let back = super::client().post(format!("{base}/mandate")).form(&form).send().await.unwrap();
        assert_eq!(back.headers()["location"].to_str().unwrap(), "https://obole.example/enrol/return?state=1");
        exchange.files.tend().await.unwrap();
        let standing = exchange.files.consent(&asked.consent_id).await.unwrap();
        assert_eq!(matches!(standing, obole::bank::ConsentStanding::Valid { .. }), given, "{standing:?}");
    }
    shutdown.cancel();
}

#[tokio::test]
async fn orders_wait_for_their_window_and_share_its_file() {
    let world = World::new();
    let windows = ["11:00".parse().unwrap(), "15:00".parse().unwrap()].into();
    let exchange = Exchange::new("window", &world, |settings| {
        settings.instant = false;
        settings.calendar.windows = windows;
    });
    let ana = world.bank.open_account("ana", "Ana", super::euros(100_000)).unwrap();
    let cross = world.bank.open_account("cross", "Cross", super::euros(0)).unwrap();
    let asked = exchange.files.request_consent("https://obole.example/").await.unwrap();
    exchange.peer.give_mandate(&asked.consent_id, "ana").unwrap();
    exchange.files.tend().await.unwrap();
    let mut payment = super::instruction(&ana.iban, &cross.iban, 1_000);
    payment.debtor.consent = Some(asked.consent_id);
    for number in 0..3 {
        payment.key = format!("{number:032x}").parse().unwrap();
        exchange.files.submit(&payment).await;
    }
    // It is Friday, 08:00.
    assert_eq!(exchange.files.tend().await.unwrap(), (0, 0));
    world.clock.advance(Duration::from_secs(3 * 3600));
    assert_eq!(exchange.files.tend().await.unwrap(), (1, 0));
    exchange.passes().await;
    assert_eq!(world.bank.totals().unwrap().settled_payments, 3);
    // After the last window of Friday it is Monday's first.
    world.clock.advance(Duration::from_secs(5 * 3600));
    payment.key = format!("{:032x}", 9).parse().unwrap();
    exchange.files.submit(&payment).await;
    world.clock.advance(2 * DAY);
    assert_eq!(exchange.files.tend().await.unwrap().0, 0);
    world.clock.advance(DAY);
    assert_eq!(exchange.files.tend().await.unwrap().0, 1);
    exchange.passes().await;
    exchange.are_valid();
}
