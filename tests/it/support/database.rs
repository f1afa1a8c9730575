//! A fresh database for each test: a SQLite file in a directory of its own, or a PostgreSQL database of its own.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use obole::store::Location;
use sqlx::{Connection as _, Executor as _};

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// Which engine a story is told on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// Gone when the test ends well.
pub(crate) struct Database {
    location: Location,
    directory: Option<PathBuf>,
}

impl Database {
    /// `None`: this run was told to leave the engine out (`OBOLE_TEST_WITHOUT`), by name.
    pub(crate) async fn fresh(engine: Engine) -> Option<Self> {
        let name = format!("obole_test_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        match engine {
            Engine::Sqlite => {
                let directory = std::env::temp_dir().join(&name);
                std::fs::create_dir_all(&directory).unwrap();
                let location = Location::Sqlite(directory.join("obole.db"));
                Some(Database { location, directory: Some(directory) })
            }
            Engine::Postgres => {
                if is_left_out("postgres") {
                    return None;
                }
                let Ok(server) = std::env::var("OBOLE_TEST_POSTGRES") else {
                    panic!(
                        "tests/run starts a PostgreSQL for this test; or set OBOLE_TEST_POSTGRES, or OBOLE_TEST_WITHOUT=postgres"
                    )
                };
                let mut admin = sqlx::PgConnection::connect(&server).await.unwrap();
                admin.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
                let (base, _) = server.rsplit_once('/').unwrap();
                Some(Database { location: Location::Postgres(format!("{base}/{name}")), directory: None })
            }
        }
    }

    pub(crate) fn location(&self) -> &Location {
        &self.location
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // A failed test leaves its file behind, to be looked at. A PostgreSQL database goes with its server.
        if let Some(directory) = self.directory.take()
            && !std::thread::panicking()
        {
            let _ = std::fs::remove_dir_all(directory);
        }
    }
}

/// Whether a part of the tests was left out by name on this run's command line.
pub(crate) fn is_left_out(part: &str) -> bool {
    std::env::var("OBOLE_TEST_WITHOUT").is_ok_and(|parts| parts.split_whitespace().any(|name| name == part))
}
