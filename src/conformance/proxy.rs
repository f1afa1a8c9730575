//! The fault proxy: it stands between the kit and the backend and spoils one exchange in one way. It moves bytes and reads none, so it
//! works through TLS as well.
//!
//! When the kit has sent as many bytes as the request's body has, the request counts as delivered; what the backend sends from then on is
//! the answer.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// How an exchange is spoilt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The request is delivered; of the answer this many bytes come through, then both sides are cut.
    CutAnswer { bytes: usize },
    /// Both sides are cut as soon as the request was delivered, before there is an answer.
    CutAtDelivery,
    /// The answer comes through this much later.
    DelayAnswer(Duration),
    /// The request is held back for so long.
    HoldRequest(Duration),
}

impl Fault {
    /// For the log.
    pub(super) fn name(self) -> &'static str {
        match self {
            Fault::CutAnswer { .. } => "answer cut",
            Fault::CutAtDelivery => "cut at delivery",
            Fault::DelayAnswer(_) => "answer delayed",
            Fault::HoldRequest(_) => "request held back",
        }
    }
}

/// After so long without a byte from the kit, its request is out.
const QUIET: Duration = Duration::from_millis(15);
/// Loopback addresses that are tried where the port has to be the backend's own.
const LOOPBACKS: std::ops::RangeInclusive<u8> = 2..=9;

/// A proxy for one exchange. It ends with it.
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    /// Listens on loopback and spoils the exchange with `target` (host and port). `port`: the one to listen on, where a client takes
    /// it from the address (TLS).
    pub(super) async fn start(target: (String, u16), port: Option<u16>, fault: Fault, request: usize) -> anyhow::Result<Self> {
        let listener = match port {
            None => TcpListener::bind(("127.0.0.1", 0)).await?,
            Some(port) => {
                let mut found = None;
                for last in LOOPBACKS {
                    if let Ok(listener) = TcpListener::bind((std::net::Ipv4Addr::new(127, 0, 0, last), port)).await {
                        found = Some(listener);
                        break;
                    }
                }
                found.with_context(|| format!("no loopback address has port {port} free for the fault proxy"))?
            }
        };
        let address = listener.local_addr()?;
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let target = target.clone();
                tokio::spawn(async move {
                    // A connection that breaks is what it is for.
                    let _ = carry(client, &target, fault, request).await;
                });
            }
        });
        Ok(Proxy { address, task })
    }
}

async fn carry(mut client: TcpStream, target: &(String, u16), fault: Fault, request: usize) -> std::io::Result<()> {
    let mut server = TcpStream::connect((target.0.as_str(), target.1)).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut from_client, mut from_server) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
    let (mut sent, mut held, mut delayed, mut client_open) = (0, false, false, true);
    loop {
        let delivered = sent >= request.max(1);
        tokio::select! {
            read = client.read(&mut from_client), if client_open => {
                let count = read?;
                if count == 0 {
                    client_open = false;
                    // A client that has given up still has its answer waited for: it lands late.
                    if !matches!(fault, Fault::DelayAnswer(_)) {
                        server.shutdown().await?;
                    }
                    continue;
                }
                if let Fault::HoldRequest(pause) = fault && !held && sent + count >= request {
                    held = true;
                    tokio::time::sleep(pause).await;
                }
                server.write_all(&from_client[..count]).await?;
                sent += count;
            }
            read = server.read(&mut from_server) => {
                let count = read?;
                if count == 0 {
                    return Ok(());
                }
                match fault {
                    Fault::CutAnswer { bytes } if delivered => {
                        client.write_all(&from_server[..bytes.min(count)]).await?;
                        return client.flush().await;
                    }
                    Fault::CutAtDelivery if delivered => return Ok(()),
                    Fault::DelayAnswer(pause) if delivered && !delayed => {
                        delayed = true;
                        tokio::time::sleep(pause).await;
                        let _ = client.write_all(&from_server[..count]).await;
                    }
                    _ => client.write_all(&from_server[..count]).await?,
                }
            }
            () = tokio::time::sleep(QUIET), if fault == Fault::CutAtDelivery && delivered => return Ok(()),
        }
    }
}
