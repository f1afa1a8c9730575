//! The kit finds nothing wrong with a backend that is right, and finds each mistake of one that is not, by the check that is for it.

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::StreamExt as _;
use obole::clock::SystemClock;
use obole::conformance::report::{Outcome, Report};
use obole::conformance::{Options, Profile, Restart, run};
use obole::sandbox::settlement::defect::{ALL, Defect};
use tokio::sync::Mutex;

use super::{Backend, ONE, TWO, install_tls, key};

/// Backends that are tried at the same time.
const BESIDE: usize = 4;

pub(super) fn state_file(name: &str) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("obole-settlement-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).unwrap();
    directory.join("state.db")
}

pub(super) fn options(url: url::Url, only: &[&str], restart: Option<Restart>) -> Options {
    Options {
        url,
        key: Some(key(ONE)),
        second: Some(key(TWO)),
        identity: None,
        profile: Profile::default(),
        restart,
        webhook: None,
        only: only.iter().map(|name| (*name).to_owned()).collect(),
        seed: 11,
        clock: Arc::new(SystemClock),
    }
}

/// A run against a backend that makes this mistake, restarts included.
pub(super) async fn report(defect: Option<Defect>, only: &[&str]) -> Report {
    install_tls();
    let state = state_file(defect.map_or("right", |defect| defect.name));
    let backend = Backend::lasting(state.clone(), "127.0.0.1:0".to_owned(), defect).await.unwrap();
    let url = backend.url();
    let address = backend.running.addresses[0].to_string();
    let place = Arc::new(Mutex::new(Some(backend)));
    let held = place.clone();
    let again = state.clone();
    let restart: Restart = Arc::new(move || {
        let (held, state, address) = (held.clone(), again.clone(), address.clone());
        async move {
            let mut held = held.lock().await;
            if let Some(backend) = held.take() {
                backend.stop().await;
            }
            *held = Some(Backend::lasting(state, address, defect).await?);
            Ok(())
        }
        .boxed()
    });
    let report = run(options(url, only, Some(restart)), &mut |_| {}).await.unwrap();
    if let Some(backend) = place.lock().await.take() {
        backend.stop().await;
    }
    let _ = std::fs::remove_dir_all(state.parent().unwrap());
    report
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_is_right_passes_every_check_and_every_answer_is_in_the_document() {
    let report = report(None, &[]).await;
    assert!(report.is_green(), "{}", report.text());
    assert_eq!((report.count("passed"), report.checks.len()), (20, 20), "{}", report.text());
    assert!(report.milliseconds < 40_000, "{} ms", report.milliseconds);
    let checked = super::document::answers_are_in_the_document(&report.exchanges);
    assert!(checked > 200, "only {checked} answers were compared with the document");
    assert!(report.junit().contains("tests=\"20\" failures=\"0\" skipped=\"0\""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_planted_mistake_is_found_by_the_check_that_is_for_it() {
    assert!(ALL.len() >= 15);
    let tried = futures_util::stream::iter(ALL.iter().copied()).map(|defect| async move {
        let report = report(Some(defect), &[defect.check]).await;
        let found = matches!(report.checks.as_slice(), [check] if matches!(check.outcome, Outcome::Failed(_)));
        (!found).then(|| format!("{}: {}", defect.name, report.text()))
    });
    let missed: Vec<String> = tried.buffer_unordered(BESIDE).filter_map(|missed| async { missed }).collect().await;
    assert!(missed.is_empty(), "{} mistakes were not found:\n{}", missed.len(), missed.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_tried_is_not_said_to_have_passed() {
    let state = state_file("untried");
    let backend = Backend::lasting(state.clone(), "127.0.0.1:0".to_owned(), None).await.unwrap();
    let nothing = Options { restart: None, ..options(backend.url(), &["C10", "C16"], None) };
    let report = run(nothing, &mut |_| {}).await.unwrap();
    assert!(matches!(report.checks[0].outcome, Outcome::NotTried(_)), "{}", report.text());
    assert_eq!(report.checks[1].outcome, Outcome::Passed);
    let nobody = Options { only: vec!["C99".to_owned()], ..options(backend.url(), &[], None) };
    assert!(run(nobody, &mut |_| {}).await.unwrap_err().to_string().contains("C99"));
    let url: url::Url = "http://127.0.0.1:9/".parse().unwrap();
    assert!(run(options(url, &[], None), &mut |_| {}).await.is_err());
    backend.stop().await;
    let _ = std::fs::remove_dir_all(state.parent().unwrap());
}

/// The real executable, killed with -9 and started again by the kit's own command, and the exit codes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_real_reference_backend_survives_a_kill() {
    let obole = env!("CARGO_BIN_EXE_obole");
    let state = state_file("killed");
    let directory = state.parent().unwrap().to_owned();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let pid = directory.join("pid");
    let start = format!(
        "{obole} sandbox bank --api settlement --listen 127.0.0.1:{port} --state {} >/dev/null 2>&1 & echo $! > {}",
        state.display(),
        pid.display()
    );
    let shell = |command: String| async move {
        tokio::process::Command::new("sh").arg("-c").arg(command).stdin(std::process::Stdio::null()).status().await.unwrap()
    };
    assert!(shell(start.clone()).await.success());
    let url = format!("http://127.0.0.1:{port}");
    for _ in 0..200 {
        if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let restart = format!("kill -9 $(cat {}); {start}", pid.display());
    let check = |arguments: Vec<String>| async move {
        let mut command = tokio::process::Command::new(obole);
        command.args(["bank", "check"]).args(arguments).stdin(std::process::Stdio::null());
        command.output().await.unwrap()
    };
    let arguments = ["--url", &url, "--only", "C2,C10", "--seed", "5", "--json", "--restart-cmd", &restart];
    let output = check(arguments.map(str::to_owned).to_vec()).await;
    let report: Report = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", report.text());
    assert_eq!((report.count("passed"), report.seed), (2, 5));
    assert!(shell(format!("kill -9 $(cat {})", pid.display())).await.success());
    let gone = check(vec!["--url".to_owned(), "http://127.0.0.1:9".to_owned()]).await;
    assert_eq!(gone.status.code(), Some(2));
    let _ = std::fs::remove_dir_all(directory);
}
