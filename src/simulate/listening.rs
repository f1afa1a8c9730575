//! The log of a run, for the invariant that no secret and nothing personal stands in it.

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::Dispatch;
use tracing::dispatcher::DefaultGuard;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;

/// Everything that was logged on this thread while it is listened to: a simulation is one thread.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Listens until the guard is dropped. Our own lines only, down to `debug`; nothing of it reaches the terminal.
    pub(super) fn listen(&self) -> DefaultGuard {
        // Without times: their digits are no codes, and would look like some.
        let lines = tracing_subscriber::fmt::layer().with_writer(self.clone()).with_ansi(false).without_time().compact();
        let ours = Targets::new().with_target(env!("CARGO_PKG_NAME"), LevelFilter::DEBUG);
        tracing::dispatcher::set_default(&Dispatch::new(tracing_subscriber::registry().with(ours).with(lines)))
    }

    /// The first line with one of these words in it.
    pub(super) fn line_with(&self, words: &HashSet<String>) -> Option<String> {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&bytes);
        let has_one = |line: &&str| line.split(|letter: char| !letter.is_alphanumeric()).any(|word| words.contains(word));
        text.lines().find(has_one).map(str::to_owned)
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Log;

    fn make_writer(&'a self) -> Log {
        self.clone()
    }
}
