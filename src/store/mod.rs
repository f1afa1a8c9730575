//! The store: what Obole knows, in SQLite or PostgreSQL. SQL rows are the truth; nothing that matters lives in memory only.
//!
//! A caller opens a `Tx`, uses its verbs and commits. Verbs take batches, so a thousand decisions are a handful of
//! statements and one commit. No network call is ever made while a transaction is open; the type is kept inside `app`, which
//! holds to that.
//!
//! The rooms: [`posts`] what came in; [`people`] who may pay; [`passkeys`] what they confirm with; [`own`] what they decide about
//! themselves; [`directory`] who may be paid; [`orders`] orders, payments, limits and
//! audit; [`effects`] the queue to the outside; [`reports`] what pages and totals read; [`operators`] what operators look at and do;
//! [`statements`] what reconciliation compares; [`commands`] what a person asks for besides paying;
//! [`asking`] what they were asked with; [`applications`] who wants to be paid; [`invitations`] who is to be; [`inspection`] what an audit reads from first to last. `engine` is the surface to the
//! databases.

pub mod applications;
pub mod asking;
pub mod commands;
pub mod directory;
pub mod effects;
pub(crate) mod engine;
mod footing;
mod hints;
pub mod inspection;
pub mod invitations;
pub mod operators;
pub mod orders;
pub mod own;
pub mod passkeys;
pub mod people;
pub mod posts;
pub mod reports;
pub mod statements;

use std::borrow::Cow;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::Arc;

use sqlx::migrate::{Migration, MigrationType, Migrator};

pub use engine::Location;
pub(crate) use engine::Tx;
use engine::{Engine, Pools, args, sql};

use crate::crash::crash_point;
use crate::ownership::own;

/// Why the store could not do something. The first two are the caller's to repeat; the others are for an operator.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is busy, gone or full; nothing was changed.
    #[error("the database does not answer as it should: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// Somebody else decided about the same order first; nothing was changed.
    #[error("{expected} rows were to change and {changed} did: somebody else was first")]
    Overtaken {
        /// How many rows were to change.
        expected: usize,
        /// How many did.
        changed: u64,
    },
    /// A row that no version of Obole writes.
    #[error("column {column} of a stored row has no meaning: {why}")]
    Meaningless {
        /// The column.
        column: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// Deciding broke off; nothing was changed. Its place stands in the log.
    #[error("deciding broke off by a bug; nothing was changed")]
    Panicked,
    /// The schema is not what this version needs.
    #[error("the database's schema cannot be used: {0}")]
    Schema(#[source] sqlx::migrate::MigrateError),
    /// The store is not the kind that this start mode may use.
    #[error("{0}")]
    WrongGround(String),
}

impl StoreError {
    /// Whether it failed by what was to be written, so that trying again would fail again, and not by the state of the database.
    pub fn is_about_the_data(&self) -> bool {
        match self {
            StoreError::Panicked | StoreError::Meaningless { .. } => true,
            StoreError::Unavailable(sqlx::Error::Database(error)) => {
                // SQLSTATE classes 21 to 23 (data and integrity), 54 (too large); SQLite's result codes 18 to 20 (too big, constraint,
                // mismatch), extended ones by their low byte.
                let code = error.code().unwrap_or_default();
                let sqlite = code.parse::<u32>().is_ok_and(|code| code < 10_000 && (18..=20).contains(&(code & 0xff)));
                sqlite || (code.len() == 5 && ["21", "22", "23", "54"].iter().any(|class| code.starts_with(class)))
            }
            StoreError::Unavailable(sqlx::Error::Encode(_)) => true,
            StoreError::Unavailable(_) | StoreError::Overtaken { .. } | StoreError::Schema(_) | StoreError::WrongGround(_) => false,
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        StoreError::Unavailable(error)
    }
}

/// What a disk or a connection may do at a crash point.
#[cfg(feature = "crash-points")]
impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        StoreError::Unavailable(error.into())
    }
}

/// Whether a store holds real money's orders or a sandbox's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// Real banks.
    Production,
    /// The sandbox town and bank.
    Sandbox,
}

impl Ground {
    fn as_str(self) -> &'static str {
        match self {
            Ground::Production => "production",
            Ground::Sandbox => "sandbox",
        }
    }
}

/// An open store.
#[derive(Debug, Clone)]
pub struct Store {
    engine: Engine,
    /// Held as long as the store is open: a SQLite file serves one process.
    sole_user: Option<Arc<File>>,
    /// The SQLite file.
    file: Option<Arc<Path>>,
}

impl Store {
    /// Opens the store, brings its schema up to date, and refuses a store of the other ground.
    ///
    /// A SQLite file is opened by one process at a time; whoever held leases in it before is dead, so they are taken back.
    pub async fn open(location: &Location, ground: Ground) -> Result<Self, StoreError> {
        let sole = if let Location::Sqlite(path) = location { Some(Arc::new(lock(path)?)) } else { None };
        let engine = Engine::open(location).await?;
        if ground == Ground::Production {
            footing::check(&engine).await?;
        }
        crash_point!("start.before_migration", return Err(StoreError: connection_lost));
        match &engine.pools {
            Pools::Sqlite { writer, .. } => migrator(SQLITE_STEPS).run(writer).await.map_err(StoreError::Schema)?,
            Pools::Postgres(pool) => migrator(POSTGRES_STEPS).run(pool).await.map_err(StoreError::Schema)?,
        }
        let file = if let Location::Sqlite(path) = location { Some(Arc::from(path.as_path())) } else { None };
        let store = Store { engine, sole_user: sole, file };
        crash_point!("start.migrated", return Err(StoreError: disk_full));
        store.claim_ground(ground).await?;
        if store.sole_user.is_some() {
            let mut tx = store.begin().await?;
            tx.take_leases_back().await?;
            crash_point!("start.leases_back", return Err(StoreError: disk_full));
            tx.commit().await?;
        }
        Ok(store)
    }

    /// Whether only one Obole may use it at a time.
    pub fn serves_one(&self) -> bool {
        self.engine.has_one_writer()
    }

    /// The SQLite file that this process alone serves; `None` for a store that others reach by themselves.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// How many writing transactions this process has committed to it since it was opened.
    pub fn commits(&self) -> u64 {
        self.engine.commits()
    }

    /// A transaction that may write.
    pub(crate) async fn begin(&self) -> Result<Tx, StoreError> {
        self.engine.begin().await
    }

    /// A transaction for reading.
    pub(crate) async fn begin_reading(&self) -> Result<Tx, StoreError> {
        self.engine.begin_reading().await
    }

    /// Closes every connection; SQLite folds its log into the file.
    pub async fn close(&self) {
        self.engine.close().await;
        // Others may hold this value a little longer; the file is free from now on.
        if let Some(Err(error)) = self.sole_user.as_ref().map(|file| file.unlock()) {
            tracing::warn!(%error, "the database's lock was not given back; it goes with this process");
        }
    }

    /// Writes down once what kind of store this is, and refuses to be the other kind ever after.
    async fn claim_ground(&self, ground: Ground) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let claimed = sql!("INSERT INTO settings (name, value) VALUES ('ground', $1) ON CONFLICT (name) DO NOTHING");
        tx.run(claimed, args![ground.as_str()]).await?;
        let rows = tx.rows(sql!("SELECT value FROM settings WHERE name = 'ground'"), args![]).await?;
        let found = rows.first().map(|row| row.text("value")).transpose()?.unwrap_or_default();
        tx.commit().await?;
        if found == ground.as_str() {
            return Ok(());
        }
        Err(StoreError::WrongGround(format!(
            "this database is a {found} database and is not used for {}; give another --data directory or database URL",
            ground.as_str()
        )))
    }
}

/// Locks the file beside a SQLite store, which another process that serves it holds.
fn lock(path: &Path) -> Result<File, StoreError> {
    let beside = path.with_extension("lock");
    let cannot = |error: &dyn std::fmt::Display| {
        StoreError::WrongGround(format!("cannot open the database {}: {error} ({})", path.display(), beside.display()))
    };
    let file = File::options().create(true).truncate(false).write(true).open(&beside).map_err(|error| cannot(&error))?;
    match own(&file) {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::WrongGround(format!(
            "another Obole is using the database {}; a SQLite database serves one at a time (several share a PostgreSQL)",
            path.display()
        ))),
        Err(TryLockError::Error(error)) => Err(cannot(&error)),
    }
}

type Step = (i64, &'static str, &'static str);

macro_rules! steps {
    ($folder:literal) => {
        &[
            (1, "settings", include_str!(concat!("../../migrations/", $folder, "/0001_settings.sql"))),
            (2, "people", include_str!(concat!("../../migrations/", $folder, "/0002_people.sql"))),
            (3, "directory", include_str!(concat!("../../migrations/", $folder, "/0003_directory.sql"))),
            (4, "posts", include_str!(concat!("../../migrations/", $folder, "/0004_posts.sql"))),
            (5, "orders", include_str!(concat!("../../migrations/", $folder, "/0005_orders.sql"))),
            (6, "effects", include_str!(concat!("../../migrations/", $folder, "/0006_effects.sql"))),
            (7, "operators", include_str!(concat!("../../migrations/", $folder, "/0007_operators.sql"))),
            (8, "stream_turns", include_str!(concat!("../../migrations/", $folder, "/0008_stream_turns.sql"))),
            (10, "passkeys", include_str!(concat!("../../migrations/", $folder, "/0010_passkeys.sql"))),
            (11, "own", include_str!(concat!("../../migrations/", $folder, "/0011_own.sql"))),
            (12, "used_codes", include_str!(concat!("../../migrations/", $folder, "/0012_used_codes.sql"))),
            (15, "commands", include_str!(concat!("../../migrations/", $folder, "/0015_commands.sql"))),
            (16, "asking", include_str!(concat!("../../migrations/", $folder, "/0016_asking.sql"))),
            (17, "payees", include_str!(concat!("../../migrations/", $folder, "/0017_payees.sql"))),
            (18, "invitations", include_str!(concat!("../../migrations/", $folder, "/0018_invitations.sql"))),
        ]
    };
}

const SQLITE_STEPS: &[Step] = steps!("sqlite");
const POSTGRES_STEPS: &[Step] = steps!("postgres");

fn migrator(steps: &'static [Step]) -> Migrator {
    use sqlx::SqlSafeStr as _;
    let migration = |(version, name, sql): &Step| {
        Migration::new(*version, Cow::Borrowed(*name), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(steps.iter().map(migration).collect())
}
