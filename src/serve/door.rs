//! The operators' door: a Unix socket beside a SQLite database, through which the process that serves the database alone is asked.
//!
//! It lets in whoever the process runs as, and root: the socket's mode is 0600, and since it has to be made before it can be given that,
//! who connects is asked for as well. One line of JSON is a request, one line the answer, and the connection ends.

use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;

use crate::app::App;
use crate::app::ledger::Ledger;
use crate::app::operate::{self, Office, Request, Response};

/// The longest request; a note has its own bound.
const LONGEST_REQUEST: u64 = 64 * 1024;

/// Requests answered at one time; more wait at the door.
const AT_ONCE: usize = 8;

/// Where the door of a database is.
pub fn beside(database: &Path) -> PathBuf {
    database.with_extension("sock")
}

/// Opens the door. The database's lock is held, so a socket found there is one that a dead process left.
pub(super) fn open(database: &Path) -> std::io::Result<(UnixListener, PathBuf)> {
    let path = beside(database);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok((listener, path))
}

/// Answers whoever comes, until it is dropped.
pub(super) async fn keep_open(listener: UnixListener, path: PathBuf, app: Arc<App>, ledger: Ledger, office: Office) {
    let _gone = Gone(path.clone());
    let owner = std::fs::metadata(&path).map(|about| about.uid()).ok();
    let office = Arc::new(office);
    let mut answering = JoinSet::new();
    loop {
        while answering.len() >= AT_ONCE {
            answering.join_next().await;
        }
        let Ok((stream, _)) = listener.accept().await else { continue };
        let uid = stream.peer_cred().map(|peer| peer.uid()).ok();
        if uid.is_none() || (uid != owner && uid != Some(0)) {
            tracing::warn!("somebody else's process knocked at the operators' door");
            continue;
        }
        let (app, ledger, office) = (app.clone(), ledger.clone(), office.clone());
        answering.spawn(async move {
            if let Err(error) = answer(stream, &app, &ledger, &office).await {
                tracing::warn!(error = format!("{error:#}"), "an operator was not answered");
            }
        });
    }
}

/// Takes the socket away when the process ends in order.
struct Gone(PathBuf);

impl Drop for Gone {
    fn drop(&mut self) {
        // A socket that stays refuses connections, which says the same.
        let _ = std::fs::remove_file(&self.0);
    }
}

async fn answer(stream: UnixStream, app: &App, ledger: &Ledger, office: &Office) -> anyhow::Result<()> {
    let (reading, mut writing) = stream.into_split();
    let mut line = String::new();
    BufReader::new(reading.take(LONGEST_REQUEST)).read_line(&mut line).await?;
    let response = match serde_json::from_str::<Request>(&line) {
        Ok(request) => operate::perform(app, ledger, office, request).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "what an operator asked for did not work");
            Response::Refused(format!("the database does not answer as it should: {error}"))
        }),
        Err(error) => Response::Refused(format!("the request cannot be read, perhaps it is another version's: {error}")),
    };
    let mut line = serde_json::to_string(&response)?;
    line.push('\n');
    writing.write_all(line.as_bytes()).await?;
    Ok(writing.shutdown().await?)
}

/// Asks the process that serves a database. `None`: nobody does.
pub async fn ask(database: &Path, request: &Request) -> anyhow::Result<Option<Response>> {
    let path = beside(database);
    let stream = match UnixStream::connect(&path).await {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("the Obole behind {} cannot be reached", path.display())),
    };
    let (reading, mut writing) = stream.into_split();
    let mut line = serde_json::to_string(request)?;
    line.push('\n');
    writing.write_all(line.as_bytes()).await.context("the Obole that serves the database ended")?;
    let mut answer = String::new();
    BufReader::new(reading).read_line(&mut answer).await.context("the Obole that serves the database ended")?;
    if answer.is_empty() {
        bail!("the Obole that serves the database turned this process away: it belongs to another user, or it ended");
    }
    Ok(Some(serde_json::from_str(&answer).context("the Obole that serves the database is another version")?))
}
