//! Where a sandbox server listens: loopback, and nowhere else.
//!
//! `localhost` means both loopback addresses, since a browser may try either one. A machine without IPv6 gets the other
//! one alone. The sandbox servers ask nobody for a password, so any address that others could reach is refused.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener as StdListener};

use anyhow::{Context as _, bail};
use tokio::net::TcpListener;

/// How often a free port is looked for that is free on both loopback addresses.
const FREE_PORT_TRIES: usize = 20;

/// Listens at `address` (`localhost:8082`, `127.0.0.1:8082`, `[::1]:8082`; port 0 takes a free one). Within a Tokio runtime.
pub fn listen(address: &str) -> anyhow::Result<Vec<TcpListener>> {
    let (host, port) = split(address)?;
    let listeners = match host {
        "localhost" => both(address, port)?,
        _ => {
            let ip: IpAddr =
                host.trim_start_matches('[').trim_end_matches(']').parse().ok().with_context(|| not_loopback(address))?;
            if !ip.is_loopback() {
                bail!(not_loopback(address));
            }
            vec![bind(SocketAddr::new(ip, port)).with_context(|| cannot(address))?]
        }
    };
    listeners.into_iter().map(into_tokio).collect()
}

/// How people write the address of these listeners: by name, since passkeys refuse a bare IP address.
pub fn url_of(listeners: &[TcpListener]) -> anyhow::Result<String> {
    let bound = listeners.first().context("no address was opened")?.local_addr()?;
    Ok(format!("http://localhost:{}", bound.port()))
}

fn split(address: &str) -> anyhow::Result<(&str, u16)> {
    let (host, port) = address.rsplit_once(':').with_context(|| format!("{address:?} is not an address of the form host:port"))?;
    let port = port.parse().with_context(|| format!("{port:?} in {address:?} is not a port (0 to 65535)"))?;
    Ok((host, port))
}

fn not_loopback(address: &str) -> String {
    format!("the sandbox listens on this machine only (localhost, 127.0.0.1 or [::1]), not on {address}")
}

fn cannot(address: &str) -> String {
    format!("cannot listen on {address}")
}

fn both(address: &str, port: u16) -> anyhow::Result<Vec<StdListener>> {
    for _ in 0..FREE_PORT_TRIES {
        let four = bind(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)).with_context(|| cannot(address))?;
        let taken = four.local_addr()?.port();
        match bind(SocketAddr::new(Ipv6Addr::LOCALHOST.into(), taken)) {
            Ok(six) => return Ok(vec![four, six]),
            Err(error) if is_busy(&error) && port == 0 => {}
            Err(error) if is_busy(&error) => return Err(error).with_context(|| cannot(address)),
            // No IPv6 on this machine.
            Err(_) => return Ok(vec![four]),
        }
    }
    bail!("found no port that is free on both 127.0.0.1 and [::1]")
}

fn bind(address: SocketAddr) -> std::io::Result<StdListener> {
    StdListener::bind(address).map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => std::io::Error::new(ErrorKind::AddrInUse, format!("another program is using {address}")),
        _ => error,
    })
}

fn is_busy(error: &std::io::Error) -> bool {
    error.kind() == ErrorKind::AddrInUse
}

fn into_tokio(listener: StdListener) -> anyhow::Result<TcpListener> {
    listener.set_nonblocking(true)?;
    Ok(TcpListener::from_std(listener)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn localhost_is_both_loopback_addresses_with_one_port() {
        let listeners = listen("localhost:0").unwrap();
        let ports: Vec<u16> = listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
        assert!(ports.iter().all(|port| *port == ports[0] && *port != 0));
        let error = format!("{:#}", listen(&format!("localhost:{}", ports[0])).unwrap_err());
        assert_eq!(error, format!("cannot listen on localhost:{0}: another program is using 127.0.0.1:{0}", ports[0]));
    }

    #[tokio::test]
    async fn addresses_that_others_can_reach_are_refused() {
        for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:80", "example.org:80"] {
            assert!(listen(address).unwrap_err().to_string().contains("this machine only"), "{address}");
        }
        for address in ["localhost", "localhost:http", "localhost:70000"] {
            assert!(listen(address).is_err(), "{address}");
        }
    }
}
