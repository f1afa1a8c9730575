//! The ground: where stores of a bench are, made for it and gone afterwards.
//!
//! SQLite files lie in a directory of their own, on a disk and not in memory. On PostgreSQL every store is a database of its own, made
//! on the server that the URL names; nobody's data is touched.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use sqlx::{Connection as _, Executor as _, PgConnection};

use crate::entropy::{SystemEntropy, random_bytes};
use crate::ids::hex;
use crate::store::Location;

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// A file
    Sqlite,
    /// A server
    Postgres,
}

/// Where stores can be made.
pub(crate) enum Ground {
    /// In this directory.
    Sqlite(Directory),
    /// On this server.
    Postgres(Server),
}

/// A directory that is removed in the end, unless it was there before.
pub(crate) struct Directory {
    path: PathBuf,
    is_ours: bool,
}

/// A server, and the databases made on it.
pub(crate) struct Server {
    url: String,
    made: Vec<String>,
}

/// A name that no other bench uses.
fn fresh_name(what: &str) -> String {
    format!("obole_bench_{what}_{}", hex(&random_bytes::<4>(&SystemEntropy)))
}

impl Ground {
    /// The ground of this kind. `data` is for SQLite: without it, a temporary directory under `target` or where the program was started.
    pub(crate) fn open(kind: Kind, url: Option<&str>, data: Option<&Path>) -> anyhow::Result<Self> {
        match (kind, url) {
            (Kind::Sqlite, _) => Directory::open(data).map(Ground::Sqlite),
            (Kind::Postgres, Some(url)) => Ok(Ground::Postgres(Server { url: url.to_owned(), made: Vec::new() })),
            (Kind::Postgres, None) => {
                bail!("--store postgres needs --url postgres://user@host:port/database of a server to measure on")
            }
        }
    }

    /// A place for a new store.
    pub(crate) async fn store(&mut self, what: &str) -> anyhow::Result<Location> {
        let name = fresh_name(what);
        match self {
            Ground::Sqlite(directory) => Ok(Location::Sqlite(directory.path.join(format!("{name}.db")))),
            Ground::Postgres(server) => server.database(name).await.map(Location::Postgres),
        }
    }

    /// What of this machine or server is measured, in a few words.
    pub(crate) fn describe(&self) -> String {
        match self {
            Ground::Sqlite(directory) => format!("SQLite in {}", directory.path.display()),
            Ground::Postgres(_) => "PostgreSQL".to_owned(),
        }
    }

    /// Takes away what was made.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        match self {
            Ground::Sqlite(directory) => drop(directory),
            Ground::Postgres(server) => {
                let mut admin = server.connect().await?;
                for name in &server.made {
                    admin.execute(sqlx::AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))).await?;
                }
            }
        }
        Ok(())
    }
}

impl Directory {
    fn open(wanted: Option<&Path>) -> anyhow::Result<Self> {
        let path = match wanted {
            Some(path) => path.to_owned(),
            None => {
                let target = Path::new("target");
                if target.is_dir() { target } else { Path::new(".") }.join(fresh_name("data"))
            }
        };
        let is_ours = !path.exists();
        std::fs::create_dir_all(&path).with_context(|| format!("cannot make the data directory {}", path.display()))?;
        Ok(Directory { path, is_ours })
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What cannot be removed lies where the first line of the report says.
        if self.is_ours {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

impl Server {
    async fn connect(&self) -> anyhow::Result<PgConnection> {
        PgConnection::connect(&self.url).await.context("the PostgreSQL of --url cannot be reached")
    }

    async fn database(&mut self, name: String) -> anyhow::Result<String> {
        self.connect().await?.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).await?;
        let mut url: url::Url = self.url.parse().context("--url is not an address")?;
        url.set_path(&name);
        self.made.push(name);
        Ok(url.to_string())
    }
}
