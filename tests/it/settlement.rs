//! The Obole Settlement API: its document, the reference backend, the conformance kit, and orders through the adapter.

mod adapter;
mod document;
mod hostile;
mod kit;
mod story;

use std::path::PathBuf;
use std::sync::Arc;

use obole::bank::fake::{FakeBank, Settings};
use obole::bank::settlement::sign::RequestKey;
use obole::clock::{Clock, SystemClock};
use obole::entropy::SystemEntropy;
use obole::sandbox::settlement::defect::Defect;
use obole::sandbox::settlement::{ReferenceBackend, Running, TestClock, serve};
use tokio_util::sync::CancellationToken;

/// Two clients of the same backend.
pub(crate) const ONE: &str = "one:0123456789abcdef01234567";
pub(crate) const TWO: &str = "two:76543210fedcba9876543210";

pub(crate) fn key(text: &str) -> RequestKey {
    RequestKey::parse(text).unwrap()
}

pub(crate) fn install_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A reference backend that is being served; it ends when this is dropped.
pub(crate) struct Backend {
    pub(crate) running: Running,
    shutdown: CancellationToken,
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Backend {
    /// Over this bank, by this clock, for whoever calls.
    pub(crate) async fn over(bank: Arc<FakeBank>, clock: Arc<dyn Clock>) -> Self {
        install_tls();
        let shutdown = CancellationToken::new();
        let backend = ReferenceBackend {
            bank,
            clock: TestClock::over(clock.clone()),
            wall: clock,
            state: None,
            clients: Vec::new(),
            defect: None,
            address: "127.0.0.1:0".to_owned(),
            shutdown: shutdown.clone(),
        };
        Backend { running: serve(backend).await.unwrap(), shutdown }
    }

    /// With two clients, a mistake perhaps, and a state that outlives it.
    pub(crate) async fn lasting(state: PathBuf, address: String, defect: Option<Defect>) -> anyhow::Result<Self> {
        install_tls();
        let shutdown = CancellationToken::new();
        let clock = TestClock::over(Arc::new(SystemClock));
        let settings = Settings { execution_delay_ms: 120, ..Settings::default() };
        let books = state.with_extension("books");
        let bank = FakeBank::open(&books, settings, clock.clone(), Arc::new(SystemEntropy))?;
        let backend = ReferenceBackend {
            bank: Arc::new(bank),
            clock,
            wall: Arc::new(SystemClock),
            state: Some(state),
            clients: vec![key(ONE), key(TWO)],
            defect,
            address,
            shutdown: shutdown.clone(),
        };
        Ok(Backend { running: serve(backend).await?, shutdown })
    }

    pub(crate) fn url(&self) -> url::Url {
        self.running.url.parse().unwrap()
    }

    /// Ends it and waits for that.
    pub(crate) async fn stop(mut self) {
        self.shutdown.cancel();
        let task = std::mem::replace(&mut self.running.task, tokio::spawn(async { Ok(()) }));
        let _ = task.await;
    }
}
