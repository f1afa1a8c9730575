//! The town's doors: loopback addresses only, and connections that can be cut.
//!
//! `localhost` means both loopback addresses, because clients differ in which one they try first; a machine without IPv6 is
//! served on the other alone.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::{Context as _, bail};
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// A free port on one loopback address may be taken on the other; then another is tried.
const PORT_ATTEMPTS: usize = 16;
/// After a failed accept (out of file descriptors, say) the door rests this long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Opens `host:port`, where host is `localhost` or a loopback address; port 0 takes a free one.
pub(super) async fn open_doors(address: &str) -> anyhow::Result<Vec<Door>> {
    let Some(port) = address.strip_prefix("localhost:") else {
        let address: SocketAddr =
            address.parse().with_context(|| format!("{address} is not an address like localhost:8081 or 127.0.0.1:8081"))?;
        if !address.ip().is_loopback() {
            bail!("the sandbox town listens on loopback addresses only, and {address} is none");
        }
        return Ok(vec![open(address).await?]);
    };
    let port: u16 = port.parse().with_context(|| format!("{address} has no valid port"))?;
    for _ in 0..PORT_ATTEMPTS {
        let first = open(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)).await?;
        let twin = SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), first.0.local_addr()?.port());
        match TcpListener::bind(twin).await {
            Ok(second) => return Ok(vec![first, Door(second)]),
            Err(cause) if cause.kind() == io::ErrorKind::AddrInUse && port == 0 => {}
            Err(cause) if cause.kind() == io::ErrorKind::AddrInUse => bail!("{twin} is in use by another program"),
            Err(cause) => {
                tracing::debug!(address = %twin, %cause, "the town is served on IPv4 only");
                return Ok(vec![first]);
            }
        }
    }
    bail!("no port was found that is free on both loopback addresses")
}

async fn open(address: SocketAddr) -> anyhow::Result<Door> {
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(Door(listener)),
        Err(cause) if cause.kind() == io::ErrorKind::AddrInUse => bail!("{address} is in use by another program"),
        Err(cause) => Err(cause).with_context(|| format!("cannot listen on {address}")),
    }
}

/// A listener whose connections can be cut.
#[derive(Debug)]
pub(super) struct Door(TcpListener);

impl Listener for Door {
    type Io = Line;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Line, SocketAddr) {
        loop {
            match self.0.accept().await {
                Ok((stream, peer)) => {
                    // Small answers should not wait for each other.
                    let _ = stream.set_nodelay(true);
                    return (Line { stream, cut: Scissors::default() }, peer);
                }
                Err(cause) => {
                    tracing::warn!(%cause, "a connection to the town could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// Cuts the connection a request came by before anything more is written to it.
#[derive(Debug, Clone, Default)]
pub(super) struct Scissors(Arc<AtomicBool>);

impl Scissors {
    pub(super) fn cut(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Connected<IncomingStream<'_, Door>> for Scissors {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        stream.io().cut.clone()
    }
}

/// One connection.
#[derive(Debug)]
pub(super) struct Line {
    stream: TcpStream,
    cut: Scissors,
}

impl Line {
    fn whole(&self) -> io::Result<()> {
        if self.cut.0.load(Ordering::Relaxed) { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

impl AsyncRead for Line {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.whole()?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.whole()?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.whole()?;
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.whole()?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
