//! Operators: what waits for them, what they do, and what needs two of them.

use std::process::Command;
use std::time::Duration;

use obole::app::changes::{self, Taken};
use obole::app::directory::{CampaignEntry, PayeeEntry, PayeeHandle};
use obole::app::operate::{self, Act, Dossier, MatterKind, Office, Request, Response};
use obole::bank::fake::{Fault, FaultKind, Operation};
use obole::ids::PlatformName;
use obole::order::{Limits, Order, PaymentState, Resolution};
use obole::people::{Class, Language};
use obole::store::Location;

use crate::support::app::TestApp;
use crate::support::database::Engine;
use crate::support::stories::told_on_both;

const GIFT: &str = "@obole #donner 10€ @croixrouge #telethon";

fn once(fault: FaultKind, on: Operation) -> Fault {
    Fault { fault, on: Some(on), times: Some(1), seconds: None, one_in: None }
}

fn hold(order: &Order) -> Act {
    Act::HoldOrder { order: order.id.clone(), note: "a friend called".to_owned() }
}

fn release(order: &Order) -> Act {
    Act::ReleaseOrder { order: order.id.clone() }
}

fn resolve(order: &Order, outcome: Resolution) -> Act {
    Act::ResolvePayment { order: order.id.clone(), payment: 0, outcome, note: "statement of the bank, page 3".to_owned() }
}

fn of_payee(payee: &str, is_hold: bool) -> Act {
    let (payee, note) = (payee.to_owned(), "the bank's helpdesk".to_owned());
    if is_hold { Act::HoldPayee { payee, note } } else { Act::ReleasePayee { payee, note } }
}

async fn dossier(story: &TestApp, order: &Order) -> Dossier {
    match story.operator_asks(Request::Show { order: order.id.clone() }).await {
        Response::Dossier(dossier) => *dossier,
        other => panic!("{other:?}"),
    }
}

async fn kinds(story: &TestApp) -> Vec<MatterKind> {
    story.waiting().await.iter().map(|matter| matter.kind).collect()
}

/// The id of the change that waits.
async fn change(story: &TestApp) -> obole::ids::ChangeId {
    let waiting = story.waiting().await;
    waiting.iter().find(|matter| matter.kind == MatterKind::Change).unwrap().id.parse().unwrap()
}

/// A payment of which asking has not found out what became.
async fn nobody_knows(story: &TestApp) -> Order {
    story.enrols("ana", Language::Fr).await;
    story.world.bank.misbehave(once(FaultKind::CutBefore, Operation::Initiate));
    let post = story.pays("ana", GIFT).await;
    let mut order = story.order_becomes(post, "unknown").await;
    while !order.is_terminal() {
        story.world.clock.advance(Duration::from_secs(11 * 60));
        story.rests_until_due().await;
        order = story.order_becomes(post, "unknown").await;
    }
    order
}

/// The directory as the stories have it, as a configuration would say it.
fn directory(story: &TestApp) -> Vec<PayeeEntry> {
    let entry = |slug: &str, class| PayeeEntry {
        slug: slug.to_owned(),
        legal_name: format!("{slug} (legal)"),
        class,
        iban: story.world.bank.accounts_of(slug).unwrap()[0].account.iban.clone(),
        registry_number: None,
        accounts: vec![PayeeHandle { platform: PlatformName::from("town"), handle: slug.to_owned(), account: None }],
    };
    vec![entry("croixrouge", Class::Charity), entry("wateraid", Class::Charity), entry("bob", Class::Person)]
}

fn telethon(payee: &str) -> CampaignEntry {
    CampaignEntry { tag: "telethon".to_owned(), title: "Téléthon".to_owned(), payee: payee.to_owned(), goal: None }
}

async fn starts_with(story: &TestApp, payees: &[PayeeEntry], campaign: &CampaignEntry, limits: &Limits) -> Taken {
    let taken = changes::take_configuration(&story.app, payees, std::slice::from_ref(campaign), limits).await.unwrap();
    assert_eq!(taken.findings, []);
    taken
}

told_on_both! {
    async fn what_an_operator_holds_waits_until_it_is_released(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        let post = story.posts("ana", GIFT);
        let order = story.order_becomes(post, "awaiting_confirmation").await;
        let first_code = story.code_for("ana", &order).await;
        assert_eq!(kinds(&story).await, []);
        let known = Office { operators: ["ana", "bob"].map(|name| name.parse().unwrap()).into(), ..Office::default() };
        let request = Request::Act { by: "mallory".parse().unwrap(), act: hold(&order) };
        let unknown = operate::perform(&story.app, story.ledger(), &known, request).await.unwrap();
        assert!(matches!(&unknown, Response::Refused(why) if why.starts_with("mallory is no operator")), "{unknown:?}");
        story.operator_does("ana", hold(&order)).await.unwrap();
        story.order_becomes(post, "held").await;
        assert_eq!(kinds(&story).await, [MatterKind::Call, MatterKind::Held]);
        let twice = story.operator_does("ana", hold(&order)).await.unwrap_err();
        assert_eq!(twice, format!("order {} is held already", order.id));

        story.tells("ana", &format!("OUI {first_code}"));
        story.rests().await;
        story.order_becomes(post, "held").await;
        story.operator_does("bob", release(&order)).await.unwrap();
        let order = story.order_becomes(post, "awaiting_confirmation").await;
        let code = story.code_for("ana", &order).await;
        story.tells("ana", &format!("OUI {code}"));
        story.order_becomes(post, "settled").await;
        assert_eq!(kinds(&story).await, [], "the call was answered with the release");

        let dossier = dossier(&story, &order).await;
        let who: Vec<_> = dossier.history.iter().filter_map(|line| line.detail["operator"].as_str()).collect();
        assert_eq!(who, ["ana", "bob"]);
        assert_eq!(dossier.history.iter().find(|line| line.event == "held").unwrap().detail["note"], "a friend called");
        let call = dossier.effects.iter().find(|effect| effect.lane == "operator").unwrap();
        assert_eq!((call.state.as_str(), call.result.as_deref()), ("done", Some("resolved by bob")));
        let late = story.operator_does("ana", hold(&order)).await.unwrap_err();
        assert!(late.contains("is settled; only what waits"), "{late}");
        assert_eq!(story.audit_finds().await, Vec::<String>::new());
        story.ends().await;
    }

    async fn what_was_confirmed_and_held_is_confirmed_again(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        story.world.bank.misbehave(once(FaultKind::TooMany { retry_after_seconds: 1800 }, Operation::Initiate));
        let post = story.pays("ana", GIFT).await;
        story.bank_has_misbehaved().await;
        let order = story.order_becomes(post, "ready").await;
        story.operator_does("ana", hold(&order)).await.unwrap();
        story.order_becomes(post, "held").await;
        story.operator_does("ana", release(&order)).await.unwrap();
        let order = story.order_becomes(post, "awaiting_confirmation").await;
        let code = story.code_for("ana", &order).await;
        story.tells("ana", &format!("OUI {code}"));
        story.order_becomes(post, "ready").await;
        // The bank still rests: it asked everybody to wait.
        story.world.clock.advance(Duration::from_secs(1800));
        // The first submission was put off to this very moment, too. If it finds the other under way, it has the bank asked a little later.
        while !story.app.order(&order.id).await.unwrap().unwrap().is_terminal() {
            story.rests_until_due().await;
            story.world.clock.advance(Duration::from_secs(2));
        }
        story.order_becomes(post, "settled").await;
        assert_eq!(story.audit_finds().await, Vec::<String>::new());
        story.world.clock.advance(Duration::from_secs(3600));
        story.rests().await;
        assert_eq!(story.world.bank.totals().unwrap().payments, 1);
        story.ends().await;
    }

    async fn an_operator_finds_out_that_a_payment_was_not_made(story: TestApp) {
        let order = nobody_knows(&story).await;
        let mut waiting = kinds(&story).await;
        // A question that was under way while the clock jumped may have called a second time; one act answers both.
        waiting.dedup();
        assert_eq!(waiting, [MatterKind::Call, MatterKind::Unknown]);
        let empty = Act::ResolvePayment { order: order.id.clone(), payment: 0, outcome: Resolution::Paid, note: " ".to_owned() };
        assert!(story.operator_does("ana", empty).await.unwrap_err().contains("note is empty"));
        let other = Act::ResolvePayment { order: order.id.clone(), payment: 7, outcome: Resolution::Paid, note: "x".to_owned() };
        assert!(story.operator_does("ana", other).await.unwrap_err().contains("has no payment 7"));
        story.operator_does("ana", resolve(&order, Resolution::NotPaid)).await.unwrap();
        let after = story.app.order(&order.id).await.unwrap().unwrap();
        assert!(matches!(after.payments[0].state, PaymentState::Failed { .. }));
        assert_eq!(kinds(&story).await, []);
        let again = story.operator_does("bob", resolve(&order, Resolution::Paid)).await.unwrap_err();
        assert!(again.contains("is failed; an operator resolves only"), "{again}");
        let dossier = dossier(&story, &order).await;
        assert!(dossier.reservations[0].released_at.is_some());
        let text = serde_json::to_string(&dossier).unwrap();
        let payer = order.payer.as_ref().unwrap();
        assert!(!text.contains(payer.iban.as_str()) && !text.contains(order.payments[0].payee.iban.as_str()), "{text}");
        assert!(!text.contains("salt") && !text.contains("secret"), "{text}");
        assert_eq!(story.audit_finds().await, Vec::<String>::new());
        story.ends().await;
    }

    async fn two_operators_release_a_payee_and_one_alone_does_not(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        assert!(story.operator_does("ana", of_payee("nobody", true)).await.unwrap_err().contains("no payee called nobody"));
        assert!(story.operator_does("ana", of_payee("croixrouge", false)).await.unwrap_err().contains("is not frozen"));
        story.operator_does("ana", of_payee("croixrouge", true)).await.unwrap();
        let post = story.posts("ana", GIFT);
        let order = story.order_becomes(post, "rejected").await;
        assert!(format!("{:?}", order.state).contains("PayeeFrozen"), "{:?}", order.state);
        assert_eq!(kinds(&story).await, [MatterKind::FrozenPayee]);

        story.operator_does("ana", of_payee("croixrouge", false)).await.unwrap();
        let id = change(&story).await;
        let same = story.operator_does("ANA", Act::Approve { change: id.clone() }).await.unwrap_err();
        assert!(same.contains("the second has to be somebody else"), "{same}");
        let same = story.operator_does("ana", of_payee("croixrouge", false)).await.unwrap_err();
        assert!(same.contains("another operator has to approve it"), "{same}");
        let post = story.posts("ana", GIFT);
        story.order_becomes(post, "rejected").await;
        // Whoever stops the payee again withdraws what was proposed.
        story.operator_does("bob", of_payee("croixrouge", true)).await.unwrap();
        let gone = story.operator_does("bob", Act::Approve { change: id }).await.unwrap_err();
        assert!(gone.contains("withdrawn already"), "{gone}");

        story.operator_does("bob", of_payee("croixrouge", false)).await.unwrap();
        let id = change(&story).await;
        story.operator_does("ana", Act::Approve { change: id.clone() }).await.unwrap();
        assert!(story.operator_does("chloe", Act::Approve { change: id }).await.unwrap_err().contains("applied already"));
        assert_eq!(kinds(&story).await, []);
        let post = story.pays("ana", GIFT).await;
        story.order_becomes(post, "settled").await;
        assert_eq!(story.audit_finds().await, Vec::<String>::new());
        story.ends().await;
    }

    async fn a_changed_configuration_waits_for_two_operators(story: TestApp) {
        story.enrols("ana", Language::Fr).await;
        let (mut payees, campaign, limits) = (directory(&story), telethon("croixrouge"), Limits::default());
        assert_eq!(starts_with(&story, &payees, &campaign, &limits).await, Taken::default(), "nothing is another than it was");

        // Another account and name, somebody new, a campaign that moves, and higher limits.
        let mule = story.world.bank.open_account("eve", "eve", obole::money::Money::new(0, obole::money::Currency::EUR)).unwrap();
        let before = payees[0].clone();
        payees[0].iban = mule.iban.clone();
        payees[0].legal_name = "Croix-Rouge!".to_owned();
        story.world.person("eve");
        payees.push(PayeeEntry { slug: "eve".to_owned(), iban: mule.iban.clone(), ..before.clone() });
        payees[3].accounts[0].handle = "eve".to_owned();
        let more = Limits { low_value_order_minor: 99_900, ..Limits::default() };
        let taken = starts_with(&story, &payees, &telethon("wateraid"), &more).await;
        let said: Vec<String> = taken.proposed.iter().map(|(_, change)| change.to_string()).collect();
        assert_eq!(said.len(), 4, "{said:?}");
        assert!(said[0].contains("payee croixrouge: account FR76 … ") && said[0].contains("becomes \"Croix-Rouge!\""), "{said:?}");
        assert!(said[1].starts_with("new payee eve") && said[2] == "campaign telethon moves from croixrouge to wateraid", "{said:?}");
        assert!(said[3].starts_with("limits: by code 999.00 EUR"), "{said:?}");
        let again = starts_with(&story, &payees, &telethon("wateraid"), &more).await;
        assert_eq!((again.proposed.len(), again.waiting), (0, 4), "the same again is no new proposal");

        // Until then the old holds.
        assert_eq!(changes::limits_in_force(&story.app.store).await.unwrap(), Some(Limits::default()));
        let post = story.posts("ana", "@obole #donner 10€ @eve");
        story.order_becomes(post, "rejected").await;
        let post = story.pays("ana", GIFT).await;
        let order = story.order_becomes(post, "settled").await;
        assert_eq!((&order.payments[0].payee.iban, order.campaign.as_deref()), (&before.iban, Some("telethon")));

        // One operator twice is not two.
        let (id, _) = &taken.proposed[0];
        story.operator_does("ana", Act::Approve { change: id.clone() }).await.unwrap();
        let same = story.operator_does("ana", Act::Approve { change: id.clone() }).await.unwrap_err();
        assert!(same.contains("somebody else"), "{same}");
        let post = story.pays("ana", "@obole #donner 1€ @croixrouge").await;
        assert_eq!(story.order_becomes(post, "settled").await.payments[0].payee.iban, before.iban);
        for (id, _) in &taken.proposed {
            let first = story.operator_does("ana", Act::Approve { change: id.clone() }).await;
            assert_eq!(first.is_ok(), *id != taken.proposed[0].0, "{first:?}");
            story.operator_does("bob", Act::Approve { change: id.clone() }).await.unwrap();
        }
        assert_eq!(changes::limits_in_force(&story.app.store).await.unwrap(), Some(more.clone()));
        // The running service takes them over by itself.
        while story.app.limits.now().limits != more {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let post = story.posts("ana", "@obole #donner 40€ @croixrouge");
        story.order_becomes(post, "awaiting_confirmation").await;
        story.tells("ana", "non");
        story.order_becomes(post, "cancelled").await;
        let post = story.pays("ana", "@obole #donner 2€ @eve").await;
        story.order_becomes(post, "settled").await;
        let post = story.pays("ana", "@obole #donner 3€ @croixrouge").await;
        assert_eq!(story.order_becomes(post, "settled").await.payments[0].payee.iban, mule.iban);
        assert_eq!(starts_with(&story, &payees, &telethon("wateraid"), &more).await, Taken::default(), "it is all in force");

        // Whoever takes a change back before it was approved has it withdrawn.
        let back = starts_with(&story, &payees, &telethon("wateraid"), &Limits::default()).await;
        assert_eq!(back.waiting, 1);
        let none = starts_with(&story, &payees, &telethon("wateraid"), &more).await;
        assert_eq!((none.waiting, kinds(&story).await), (0, Vec::new()));
        assert_eq!(story.audit_finds().await, Vec::<String>::new());
        story.ends().await;
    }

    async fn an_empty_store_takes_its_first_configuration_as_it_is(story: TestApp) {
        story.tampers("DELETE FROM payee_identities").await;
        story.tampers("DELETE FROM campaigns").await;
        story.tampers("DELETE FROM payees").await;
        let taken = starts_with(&story, &directory(&story), &telethon("croixrouge"), &Limits::default()).await;
        assert_eq!(taken, Taken::default());
        story.enrols("ana", Language::Fr).await;
        let post = story.pays("ana", GIFT).await;
        story.order_becomes(post, "settled").await;
        assert_eq!(story.audit_finds().await, Vec::<String>::new());
        story.ends().await;
    }
}

/// Runs the program itself; gives its exit code, what it printed and what it complained about.
fn obole(arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_obole"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("OBOLE_")) {
        command.env_remove(name);
    }
    let output = command.args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_reaches_an_obole_that_runs_and_a_database_that_nobody_serves() {
    let Some(story) = TestApp::start(Engine::Sqlite).await else { return };
    let Location::Sqlite(file) = story.location().clone() else { panic!() };
    let data = file.parent().unwrap().to_str().unwrap().to_owned();
    let program = |words: &str| {
        let words: Vec<String> = words.split(' ').map(|word| word.replace('_', " ")).collect();
        let mut all: Vec<&str> = words.iter().map(String::as_str).collect();
        all.extend(["--data", &data]);
        obole(&all)
    };
    story.enrols("ana", Language::Fr).await;
    let post = story.posts("ana", GIFT);
    let order = story.order_becomes(post, "awaiting_confirmation").await;

    let (code, _, said) = program("operator list");
    assert_eq!(code, 4, "without its socket a serving process keeps everybody out: {said}");
    story.serves_operators();
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(std::fs::metadata(file.with_extension("sock")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(program("operator list"), (0, "Nothing waits for an operator.\n".to_owned(), String::new()));
    let (code, _, said) = program(&format!("operator hold {} --note to_look_at", order.id));
    assert_eq!((code, said.as_str()), (2, "obole: say who you are: --as NAME, or OBOLE_OPERATOR in the environment\n"));
    let (code, said, _) = program(&format!("operator hold {} --note to_look_at --as ana --json", order.id));
    assert_eq!((code, said), (0, format!("{{\"ok\":true,\"said\":\"order {} is held\"}}\n", order.id)));
    story.order_becomes(post, "held").await;
    let (code, said, _) = program("operator list");
    assert!(code == 0 && said.contains("held by ana: to look at") && said.contains("→ release "), "{said}");
    let (code, said, _) = program(&format!("operator show {}", order.id));
    assert!(code == 0 && said.contains("by ana: to look at") && said.contains("FR76 … "), "{said}");
    let (code, said, _) = program("audit");
    assert!(code == 0 && said.contains("1 orders, 1 payments") && said.ends_with("no difference\n"), "{said}");

    // A database that nobody serves: the same as it stands now, elsewhere.
    let elsewhere = format!("{data}_elsewhere");
    std::fs::create_dir_all(&elsewhere).unwrap();
    for name in ["obole.db", "obole.db-wal"] {
        std::fs::copy(file.with_file_name(name), std::path::Path::new(&elsewhere).join(name)).unwrap();
    }
    story.ends().await;
    let alone = |words: &[&str]| obole(&[words, &["--data", &elsewhere]].concat());
    let order = order.id.to_string();
    let (code, said, _) = alone(&["operator", "release", &order, "--as", "bob"]);
    assert_eq!((code, said), (0, format!("order {order} is released, and its payer is asked\n")));
    let (code, _, said) = alone(&["operator", "release", &order, "--as", "bob"]);
    assert_eq!((code, said), (1, format!("obole: order {order} is not held but awaiting confirmation\n")));
    let (code, _, said) = alone(&["operator", "show", &"0".repeat(32)]);
    assert_eq!((code, said), (1, format!("obole: there is no order {}\n", "0".repeat(32))));
    let (code, said, _) = alone(&["operator", "reconcile"]);
    assert_eq!((code, said.as_str()), (0, "No bank is connected here, so there is nothing to compare with.\nNo difference.\n"));
    assert_eq!(alone(&["audit"]).0, 0);
    let database = format!("{elsewhere}/obole.db");
    tampered(&database).await;
    let (code, said, _) = alone(&["audit", "--json"]);
    let lines: Vec<serde_json::Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((code, lines.last().unwrap()["verified"]["differences"].as_u64()), (1, Some(1)), "{said}");
    assert_eq!(lines[0]["difference"]["about"], format!("order {order}"));
    std::fs::remove_dir_all(&elsewhere).unwrap();

    let nowhere = obole(&["operator", "list", "--data", "/nowhere"]);
    assert_eq!(nowhere.0, 4, "{nowhere:?}");
    assert!(nowhere.2.contains("there is no database /nowhere/obole.db"), "{nowhere:?}");
    let nowhere = obole(&["audit", "--store", "/nowhere/obole.db"]);
    assert_eq!(nowhere.0, 4, "{nowhere:?}");
}

/// Somebody changes a sum in a SQLite file.
async fn tampered(database: &str) {
    use sqlx::{Connection as _, Executor as _};
    let mut hand = sqlx::SqliteConnection::connect(&format!("sqlite:{database}")).await.unwrap();
    hand.execute("UPDATE payments SET amount_minor = amount_minor + 1").await.unwrap();
    hand.close().await.unwrap();
}
