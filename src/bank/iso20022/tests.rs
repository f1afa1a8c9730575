//! Processes that die at every step, files that come twice or broken, and the schemas.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::bank::{BankStatus, DebtorAccount, PayeeVerification};
use crate::clock::{ManualClock, Timestamp};
use crate::entropy::SeededEntropy;
use crate::iban::Iban;
use crate::money::Money;

thread_local! {
    /// The step after which the process of this thread dies.
    static DEATH: RefCell<Option<&'static str>> = const { RefCell::new(None) };
}

/// Dies, if this is where it should; once.
pub(super) fn pass(step: &str) -> anyhow::Result<()> {
    DEATH.with_borrow_mut(|death| {
        if *death == Some(step) {
            *death = None;
            bail(step)
        } else {
            Ok(())
        }
    })
}

fn bail(step: &str) -> anyhow::Result<()> {
    anyhow::bail!("died after {step}")
}

/// A directory of its own, gone at the end.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("obole-files-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Place(path)
    }

    fn files(&self, folder: &str) -> BTreeMap<String, String> {
        let entries = fs::read_dir(self.0.join(folder)).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(path).unwrap())).collect()
    }

    fn brings(&self, name: &str, text: &str) {
        let part = self.0.join(format!("{name}.part"));
        fs::write(&part, text).unwrap();
        fs::rename(part, self.0.join("in").join(name)).unwrap();
    }

    /// The bank takes away what is there.
    fn bank_takes(&self) -> BTreeMap<String, String> {
        let taken = self.files("out");
        for name in taken.keys() {
            fs::remove_file(self.0.join("out").join(name)).unwrap();
        }
        taken
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const PAYER: &str = "FR7630006000011234567890189";
const PAYEE: &str = "DE89370400440532013000";

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at("2026-11-20T10:00:00Z".parse::<Timestamp>().unwrap()))
}

fn settings(place: &Place) -> Settings {
    Settings { quiet: Duration::ZERO, statements: false, ..Settings::at(place.0.clone()) }
}

fn office(place: &Place, seed: u64) -> Office {
    Office::open(settings(place), clock(), Arc::new(SeededEntropy::new(seed))).unwrap()
}

fn order(number: u8) -> Order {
    Order {
        key: format!("{number:032x}").parse().unwrap(),
        debtor: PAYER.parse().unwrap(),
        debtor_name: String::new(),
        creditor: PAYEE.parse().unwrap(),
        creditor_name: "Croix-Rouge francaise".to_owned(),
        amount: Money::new(1_000 + i64::from(number), Currency::EUR),
        remittance: "OBOLE 12345678 TELETHON".to_owned(),
    }
}

/// A mandate for the payer's account.
fn mandate(place: &Place, office: &mut Office) -> String {
    let id = office.ask_mandate().unwrap();
    let told = serde_json::json!({"mandate": id, "status": "given", "accounts": [{"iban": PAYER, "name": "Ana Martin"}]});
    place.brings(&format!("mandate-{id}.json"), &told.to_string());
    office.tend().unwrap();
    id
}

fn report(id: &str, original: &str, end_to_end: &str, amount: &str, status: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?><Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt>
        <GrpHdr><MsgId>{id}</MsgId><CreDtTm>2026-11-20T11:00:00Z</CreDtTm></GrpHdr><OrgnlGrpInfAndSts><OrgnlMsgId>{original}</OrgnlMsgId>
        <OrgnlMsgNmId>pain.001.001.09</OrgnlMsgNmId></OrgnlGrpInfAndSts><OrgnlPmtInfAndSts><OrgnlPmtInfId>{original}-1</OrgnlPmtInfId>
        <TxInfAndSts><OrgnlEndToEndId>{end_to_end}</OrgnlEndToEndId><TxSts>{status}</TxSts><StsRsnInf><Rsn><Cd>AC04</Cd></Rsn></StsRsnInf>
        <OrgnlTxRef><Amt><InstdAmt Ccy="EUR">{amount}</InstdAmt></Amt></OrgnlTxRef></TxInfAndSts></OrgnlPmtInfAndSts></CstmrPmtStsRpt></Document>"#
    )
}

fn message_id(name: &str) -> String {
    name.trim_start_matches("pain.001-").trim_start_matches("camt.055-").trim_end_matches(".xml").to_owned()
}

/// Every order is in exactly one file that the bank ever saw, wherever a process died, and whenever the bank takes files away.
#[test]
fn no_order_is_handed_over_twice_or_never_wherever_the_process_dies() {
    let steps = ["out.1 decided", "out.2 written", "out.3 whole", "out.4 staged", "out.5 offered", "none"];
    for (number, step) in steps.into_iter().enumerate() {
        for bank_is_quick in [true, false] {
            let place = Place::new(&format!("out-{number}-{bank_is_quick}"));
            let mut first = office(&place, 1);
            let id = mandate(&place, &mut first);
            for number in 0..3 {
                assert_eq!(first.take(order(number), Some(&id)).unwrap(), Taking::Taken);
            }
            DEATH.set(Some(step));
            assert_eq!(first.tend().is_err(), step != "none", "{step}");
            DEATH.set(None);
            let mut seen = BTreeMap::new();
            if bank_is_quick {
                seen.extend(place.bank_takes());
            }
            drop(first);
            let mut second = office(&place, 2);
            second.tend().unwrap();
            for (name, text) in place.bank_takes() {
                assert!(seen.insert(name.clone(), text).is_none(), "{step}: {name} was handed over twice");
            }
            assert_eq!(second.tend().unwrap(), (0, 0));
            assert_eq!(place.files("out").len(), 0);
            let all: String = seen.values().map(String::as_str).collect();
            for number in 0..3 {
                let reference = format!("<EndToEndId>{}</EndToEndId>", order(number).key);
                assert_eq!(all.matches(&reference).count(), 1, "{step}: {number}");
            }
            assert_eq!(place.files("staging").len(), 0, "{step}");
            assert_eq!(second.take(order(0), Some(&id)).unwrap(), Taking::Taken, "the same key is the same order");
            assert_eq!(second.tend().unwrap(), (0, 0));
        }
    }
}

#[test]
fn no_file_is_read_twice_or_never_wherever_the_process_dies() {
    for (number, step) in ["in.1 claimed", "in.2 read", "in.3 put away", "none"].into_iter().enumerate() {
        let place = Place::new(&format!("in-{number}"));
        let mut first = office(&place, 1);
        let id = mandate(&place, &mut first);
        first.take(order(1), Some(&id)).unwrap();
        first.tend().unwrap();
        let file = place.bank_takes().into_keys().next().unwrap();
        let told = report("r1", &message_id(&file), order(1).key.as_str(), "10.01", "ACSC");
        place.brings("r1.xml", &told);
        place.brings("broken.xml", "<Document");
        DEATH.set(Some(step));
        assert_eq!(first.tend().is_err(), step != "none", "{step}");
        DEATH.set(None);
        drop(first);
        let mut second = office(&place, 2);
        second.tend().unwrap();
        assert_eq!(second.book().status(&order(1).key), Some(BankStatus::Settled), "{step}");
        assert_eq!((place.files("in").len(), place.files("reading").len()), (0, 0), "{step}");
        assert_eq!(place.files("archive").len(), 2, "{step}");
        assert_eq!(second.aside().unwrap().len(), 1, "{step}: {:?}", second.aside());
        // Once more under another name: it has nothing new to tell.
        place.brings("again.xml", &told);
        second.tend().unwrap();
        let journal = fs::read_to_string(place.0.join("journal.jsonl")).unwrap();
        assert_eq!(journal.matches("\"message_id\":\"r1\"").count(), 1, "{step}");
        assert!(journal.contains("Repeated"));
        assert_eq!(second.aside().unwrap().len(), 1, "{step}");
    }
}

#[test]
fn a_line_that_was_being_written_never_happened() {
    let place = Place::new("torn");
    let mut first = office(&place, 1);
    let id = mandate(&place, &mut first);
    first.take(order(1), Some(&id)).unwrap();
    drop(first);
    let path = place.0.join("journal.jsonl");
    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{whole}{{\"Taken\":{{\"at\":\"2026-")).unwrap();
    let mut second = office(&place, 2);
    assert_eq!(fs::read_to_string(&path).unwrap(), whole);
    assert!(second.book().order(&order(1).key).is_some());
    second.take(order(2), Some(&id)).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), whole.lines().count() + 1);
}

#[test]
fn two_processes_use_one_directory_one_at_a_time() {
    let place = Place::new("two");
    let (mut first, mut second) = (office(&place, 1), office(&place, 2));
    let id = mandate(&place, &mut first);
    first.take(order(1), Some(&id)).unwrap();
    assert_eq!(second.take(order(1), Some(&id)).unwrap(), Taking::Taken);
    second.take(order(2), Some(&id)).unwrap();
    assert_eq!((first.tend().unwrap(), second.tend().unwrap()), ((1, 0), (0, 0)));
    assert_eq!(place.bank_takes().values().next().unwrap().matches("<EndToEndId>").count(), 2);
}

#[test]
fn what_does_not_fit_is_put_aside_whole_with_a_sentence() {
    let place = Place::new("aside");
    let mut office = office(&place, 1);
    let id = mandate(&place, &mut office);
    office.take(order(1), Some(&id)).unwrap();
    office.take(order(2), Some(&id)).unwrap();
    office.tend().unwrap();
    let file = message_id(place.bank_takes().keys().next().unwrap());
    let (one, other) = (order(1).key, order(9).key);
    let good = report("r1", &file, one.as_str(), "10.01", "RJCT");
    let bomb = r#"<!DOCTYPE a [<!ENTITY b "c">]><Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"/>"#;
    for (name, text, sentence) in [
        ("amount.xml", report("a", &file, one.as_str(), "10.02", "RJCT"), "another amount or payee"),
        ("stranger.xml", report("b", "somebody", one.as_str(), "10.01", "RJCT"), "not sent from here"),
        ("other.xml", report("c", &file, other.as_str(), "10.01", "RJCT"), "not in that file"),
        ("html.xml", "<html><body>Sorry</body></html>".to_owned(), "no name space"),
        ("cut.xml", good[..good.len() - 20].to_owned(), "not well-formed"),
        ("bomb.xml", bomb.to_owned(), "document type"),
        ("version.xml", good.replace("pain.002.001.10", "pain.002.001.03"), "only pain.002.001.10"),
        ("camt.xml", good.replace("pain.002.001.10", "camt.053.001.08"), "does not fit its schema"),
        ("unasked.json", r#"{"mandate":"x","status":"given","accounts":[]}"#.to_owned(), "no account"),
        ("unknown.json", r#"{"mandate":"x","status":"refused"}"#.to_owned(), "nobody was asked for"),
        ("twice.xml", good.replace("<TxSts>", "<TxSts>ACSC</TxSts><TxSts>"), "does not fit its schema"),
    ] {
        place.brings(name, &text);
        office.tend().unwrap();
        let sentences = office.aside().unwrap();
        assert!(sentences.iter().any(|told| told.contains(name) && told.contains(sentence)), "{name}: {sentences:?}");
        assert_eq!(office.book().status(&one), Some(BankStatus::Received), "{name}");
    }
    let before = office.aside().unwrap().len();
    place.brings("good.xml", &good);
    office.tend().unwrap();
    assert_eq!(office.book().status(&one), Some(BankStatus::Rejected { reason: "AC04".to_owned() }));
    assert_eq!(office.book().status(&order(2).key), Some(BankStatus::Received));
    // Another text under a message id that is known.
    place.brings("same.xml", &good.replace("RJCT", "ACSC"));
    office.tend().unwrap();
    assert_eq!(office.aside().unwrap().len(), before + 1);
    // What is being written is not looked at.
    fs::write(place.0.join("in/.good.xml"), &good).unwrap();
    fs::write(place.0.join("in/good.xml.part"), &good).unwrap();
    assert_eq!(office.tend().unwrap(), (0, 0));
}

#[test]
fn what_was_said_early_takes_nothing_back_and_a_contradiction_is_no_answer() {
    let place = Place::new("order");
    let mut office = office(&place, 1);
    let id = mandate(&place, &mut office);
    office.take(order(1), Some(&id)).unwrap();
    office.tend().unwrap();
    let file = message_id(place.bank_takes().keys().next().unwrap());
    let key = order(1).key;
    let said = [
        ("ACTC", BankStatus::Received),
        ("ACSP", BankStatus::Executing),
        ("RCVD", BankStatus::Executing),
        ("XXXX", BankStatus::Executing),
        ("ACSC", BankStatus::Settled),
        ("ACSP", BankStatus::Settled),
        ("RJCT", BankStatus::Unrecognised("settled and RJCT".to_owned())),
    ];
    for (number, (code, expected)) in said.into_iter().enumerate() {
        place.brings(&format!("{number}.xml"), &report(&format!("r{number}"), &file, key.as_str(), "10.01", code));
        office.tend().unwrap();
        assert_eq!(office.book().status(&key), Some(expected), "{code}");
    }
    assert_eq!(office.aside().unwrap(), Vec::<String>::new());
}

#[test]
fn a_payee_of_another_name_is_shown_and_nothing_follows_from_it() {
    let place = Place::new("payee");
    let mut office = office(&place, 1);
    let id = mandate(&place, &mut office);
    office.take(order(1), Some(&id)).unwrap();
    office.tend().unwrap();
    let file = message_id(place.bank_takes().keys().next().unwrap());
    let key = order(1).key;
    let close = "<Cd>AC04</Cd></Rsn><AddtlInf>Croix Rouge de France</AddtlInf>";
    for (number, (code, shown)) in
        [("RCVC", None), ("RVMC", Some("Croix Rouge de France")), ("RVNM", Some("another name")), ("RVNA", None)]
            .into_iter()
            .enumerate()
    {
        let text = report(&format!("v{number}"), &file, key.as_str(), "10.01", code).replace("<Cd>AC04</Cd></Rsn>", close);
        place.brings(&format!("{number}.xml"), &text);
        office.tend().unwrap();
        assert_eq!(office.book().status(&key), Some(BankStatus::Received), "{code}");
        let sentences = office.book().doubtful_payees();
        assert_eq!(sentences.len(), usize::from(shown.is_some()), "{code}: {sentences:?}");
        assert!(shown.is_none_or(|shown| sentences[0].contains(shown)), "{sentences:?}");
    }
    place.brings("settled.xml", &report("v9", &file, key.as_str(), "10.01", "ACSC"));
    office.tend().unwrap();
    assert_eq!(office.book().doubtful_payees(), Vec::<String>::new());
}

/// A statement or notification of the payer's account with these entries: reference, amount, direction.
fn account(kind: &str, id: &str, entries: &[(&str, &str, &str)]) -> String {
    let (root, part) = if kind == "camt.053.001.08" { ("BkToCstmrStmt", "Stmt") } else { ("BkToCstmrDbtCdtNtfctn", "Ntfctn") };
    let entry = |(reference, amount, direction): &(&str, &str, &str)| {
        let returned = if *direction == "CRDT" { "<RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf>" } else { "" };
        format!(
            r#"<Ntry><Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>{direction}</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2026-11-20</Dt></BookgDt>
            <BkTxCd/><NtryDtls><TxDtls><Refs><EndToEndId>{reference}</EndToEndId></Refs><RltdPties><CdtrAcct><Id><IBAN>{PAYEE}</IBAN></Id></CdtrAcct>
            </RltdPties>{returned}</TxDtls></NtryDtls></Ntry>"#
        )
    };
    let balance = r#"<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">1.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-11-20</Dt></Dt></Bal>"#;
    let entries: String = entries.iter().map(entry).collect();
    let balance = if part == "Stmt" { balance } else { "" };
    format!(
        r#"<Document xmlns="urn:iso:std:iso:20022:tech:xsd:{kind}"><{root}><GrpHdr><MsgId>{id}</MsgId><CreDtTm>2026-11-20T23:00:00Z</CreDtTm></GrpHdr>
        <{part}><Id>{id}</Id><Acct><Id><IBAN>{PAYER}</IBAN></Id></Acct>{balance}{entries}</{part}></{root}></Document>"#
    )
}

#[test]
fn an_entry_counts_once_however_often_it_is_told() {
    let place = Place::new("entries");
    let mut office = office(&place, 1);
    let iban: Iban = PAYER.parse().unwrap();
    let key = order(1).key;
    let debit = (key.as_str(), "10.01", "DBIT");
    let credit = (key.as_str(), "10.01", "CRDT");
    let foreign = ("NOTPROVIDED", "99.00", "DBIT");
    let mut count = |name: &str, text: &str| {
        place.brings(name, text);
        office.tend().unwrap();
        assert_eq!(office.aside().unwrap(), Vec::<String>::new());
        let entries = office.book().entries_of(&iban);
        entries.iter().map(|entry| entry.amount.minor).collect::<Vec<_>>()
    };
    assert_eq!(count("n1.xml", &account("camt.054.001.08", "n1", &[debit, foreign])), [-1_001]);
    let statement = account("camt.053.001.08", "s1", &[debit, foreign]);
    assert_eq!(count("s1.xml", &statement), [-1_001]);
    // The same statement again in another message.
    let again = statement.replace("<MsgId>s1", "<MsgId>s1-again");
    assert_eq!(count("s1-again.xml", &again), [-1_001]);
    assert_eq!(count("n2.xml", &account("camt.054.001.08", "n2", &[credit])), [-1_001, 1_001]);
    assert_eq!(count("s2.xml", &account("camt.053.001.08", "s2", &[credit])), [-1_001, 1_001]);
    // Twice in one statement is twice.
    assert_eq!(count("s3.xml", &account("camt.053.001.08", "s3", &[debit])), [-1_001, 1_001, -1_001]);
    let journal = fs::read_to_string(place.0.join("journal.jsonl")).unwrap();
    assert!(!journal.contains("99.00") && !journal.contains("9900"), "what is not ours is not kept");
    assert_eq!(office.book().complete_through(&iban), Some("2026-11-20".parse().unwrap()));
}

#[test]
fn a_recall_waits_for_its_answer_and_before_a_file_needs_none() {
    let place = Place::new("recall");
    let mut office = office(&place, 1);
    let id = mandate(&place, &mut office);
    office.take(order(1), Some(&id)).unwrap();
    assert_eq!(office.recall(&order(1).key, "DUPL").unwrap(), Recalling::Withdrawn);
    assert_eq!(office.tend().unwrap(), (0, 0));
    assert!(matches!(office.book().status(&order(1).key), Some(BankStatus::Rejected { .. })));
    office.take(order(2), Some(&id)).unwrap();
    office.tend().unwrap();
    assert_eq!(office.recall(&order(2).key, "DUPL").unwrap(), Recalling::Asked(RecallAnswer::Pending));
    assert_eq!(office.recall(&order(2).key, "DUPL").unwrap(), Recalling::Asked(RecallAnswer::Pending), "asked once");
    assert_eq!(office.tend().unwrap(), (1, 0));
    let files = place.bank_takes();
    assert_eq!(files.keys().filter(|name| name.starts_with("camt.055-")).count(), 1);
    assert_eq!(office.book().status(&order(2).key), Some(BankStatus::Received), "nothing is cancelled by asking");
    let answer = |id: &str, status: &str| {
        let key = order(2).key;
        format!(
            r#"<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.029.001.06"><RsltnOfInvstgtn><Assgnmt><Id>{id}</Id></Assgnmt><Sts><Conf>PDCR</Conf></Sts>
            <CxlDtls><TxInfAndSts><OrgnlEndToEndId>{key}</OrgnlEndToEndId><TxCxlSts>{status}</TxCxlSts></TxInfAndSts></CxlDtls></RsltnOfInvstgtn></Document>"#
        )
    };
    place.brings("1.xml", &answer("a1", "PDCR"));
    office.tend().unwrap();
    assert_eq!(office.book().status(&order(2).key), Some(BankStatus::Received));
    place.brings("2.xml", &answer("a2", "ACCR"));
    office.tend().unwrap();
    assert_eq!(office.book().status(&order(2).key), Some(BankStatus::Rejected { reason: "recalled".to_owned() }));
    assert_eq!(office.recall(&order(3).key, "DUPL").unwrap(), Recalling::NoSuchOrder);
}

#[tokio::test]
async fn only_what_a_mandate_covers_is_taken() {
    let place = Place::new("mandates");
    let bank = IsoFiles::open("files".into(), settings(&place), clock(), Arc::new(SeededEntropy::new(4))).unwrap();
    let asked = bank.request_consent("https://obole.example/back?a=1").await.unwrap();
    assert!(
        asked.authorise_at.contains(&asked.consent_id) && asked.authorise_at.contains("https%3A%2F%2Fobole.example%2Fback%3Fa%3D1")
    );
    let mut payment = PaymentInstruction {
        key: order(1).key,
        debtor: DebtorAccount { iban: PAYER.parse().unwrap(), consent: Some(asked.consent_id.clone()) },
        creditor_name: "Croix-Rouge française".to_owned(),
        creditor_iban: PAYEE.parse().unwrap(),
        amount: Money::new(1_001, Currency::EUR),
        remittance: "OBOLE".to_owned(),
        return_url: String::new(),
        submitted_at: clock().now(),
    };
    let refused = Submission::Refused { reason: "MD01".to_owned() };
    assert_eq!(bank.submit(&payment).await, refused);
    assert_eq!(bank.consent(&asked.consent_id).await.unwrap(), ConsentStanding::Pending);
    let told = serde_json::json!({"mandate": asked.consent_id, "status": "given", "accounts": [{"iban": PAYER, "name": "Ana"}]});
    place.brings("m.json", &told.to_string());
    bank.tend().await.unwrap();
    assert!(matches!(bank.consent(&asked.consent_id).await.unwrap(), ConsentStanding::Valid { accounts } if accounts.len() == 1));
    payment.debtor.iban = PAYEE.parse().unwrap();
    assert_eq!(bank.submit(&payment).await, refused);
    payment.debtor.iban = PAYER.parse().unwrap();
    assert!(matches!(bank.submit(&payment).await, Submission::Taken { status: BankStatus::Received, .. }));
    payment.amount.minor += 1;
    assert!(matches!(bank.submit(&payment).await, Submission::Unknown { .. }), "another order under a known key");
    place.brings("e.json", &serde_json::json!({"mandate": asked.consent_id, "status": "ended"}).to_string());
    bank.tend().await.unwrap();
    assert_eq!(bank.consent(&asked.consent_id).await.unwrap(), ConsentStanding::Gone);
    payment.key = order(2).key;
    assert_eq!(bank.submit(&payment).await, refused);
    assert_eq!(bank.verify_payee("Croix-Rouge", &payment.creditor_iban).await, PayeeVerification::NotPossible);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_is_ordered_can_be_read_back_from_the_file(
        orders in prop::collection::vec((0_u8..4, 1_i64..99_999_999_999, ".{0,200}", ".{1,90}"), 1..12)
    ) {
        let order = |(place, (debtor, minor, remittance, name)): (usize, &(u8, i64, String, String))| Order {
            key: format!("{place:032x}").parse().unwrap(),
            debtor: [PAYER, PAYEE, "NL91ABNA0417164300", "BE68539007547034"][usize::from(*debtor)].parse().unwrap(),
            debtor_name: sepa::fit(name, sepa::NAME_MAX),
            creditor: PAYEE.parse().unwrap(),
            creditor_name: format!("P{}", sepa::fit(name, sepa::NAME_MAX - 1)),
            amount: Money::new(*minor, Currency::EUR),
            remittance: sepa::fit(remittance, sepa::REMITTANCE_MAX),
        };
        let orders: Vec<Order> = orders.iter().enumerate().map(order).collect();
        let text = pain_001::write(&pain_001::Batch {
            message_id: "OB20261120100000-0123456789ab",
            created_at: "2026-11-20T10:00:00Z".parse().unwrap(),
            execution_day: "2026-11-20".parse().unwrap(),
            initiator: "Obole",
            bic: None,
            instant: false,
            orders: orders.iter().collect(),
        }).unwrap();
        prop_assert!(text.chars().all(|character| sepa::is_sepa_text(&character.to_string()) || "<>/=\"_\n;&!".contains(character)), "{}", text);
        for order in &orders {
            let reference = format!("<EndToEndId>{}</EndToEndId>", order.key);
            prop_assert_eq!(text.matches(&reference).count(), 1);
            let amount = format!("<InstdAmt Ccy=\"EUR\">{}</InstdAmt>", order.amount.decimal_string());
            prop_assert!(text.contains(&amount));
        }
        let sum: i64 = orders.iter().map(|order| order.amount.minor).sum();
        let sum = format!("<CtrlSum>{}</CtrlSum>", Money::new(sum, Currency::EUR).decimal_string());
        prop_assert!(text.contains(&sum));
    }

    #[test]
    fn a_damaged_file_tells_nothing_or_what_can_be_read_in_it(
        place in 0_usize..2_000, with in prop::collection::vec(any::<u8>(), 0..6), cut in 0_usize..6
    ) {
        let whole = account("camt.053.001.08", "s1", &[(order(1).key.as_str(), "10.01", "DBIT"), (order(2).key.as_str(), "7", "CRDT")]);
        let mut bytes = whole.into_bytes();
        let place = place % bytes.len();
        let end = (place + cut).min(bytes.len());
        bytes.splice(place..end, with);
        if let Ok(read) = inbound::read(&bytes) {
            for fact in read.facts {
                let fact::Fact::Account { entries, .. } = fact else { panic!("{fact:?}") };
                prop_assert!(entries.len() <= 2);
                let fits = |entry: &fact::BookedEntry| entry.end_to_end.len() == 32 && entry.amount.currency == Currency::EUR;
                prop_assert!(entries.iter().all(fits), "{:?}", entries);
            }
        }
    }

    #[test]
    fn no_text_makes_reading_panic_or_tell_something(text in ".{0,400}") {
        let read = inbound::read(text.as_bytes());
        prop_assert!(read.is_err());
    }
}

#[test]
fn the_journal_is_where_it_was_told() {
    assert!(Office::open(Settings::at(Path::new("/nowhere").to_owned()), clock(), Arc::new(SeededEntropy::new(1))).is_err());
}
