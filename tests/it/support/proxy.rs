//! A proxy on a loopback port that does to connections what networks do: cuts them after so many bytes, or lets them hang half open.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What happens to the next connections' answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plan {
    /// They pass.
    Through,
    /// The connection is closed after so many bytes of the answer.
    CutAfter(usize),
    /// After so many bytes nothing comes any more, and nobody closes.
    HangAfter(usize),
}

/// Between a connector and its peer.
pub(crate) struct Proxy {
    /// `127.0.0.1:port`
    pub(crate) address: String,
    plan: Arc<Mutex<Plan>>,
}

impl Proxy {
    /// A proxy before `upstream` (`127.0.0.1:port`). Only connections whose first request line contains `only` are treated by plan.
    pub(crate) async fn before(upstream: &str, only: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let plan = Arc::new(Mutex::new(Plan::Through));
        let (upstream, shared) = (upstream.to_owned(), plan.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (upstream, plan) = (upstream.clone(), *shared.lock().unwrap());
                tokio::spawn(async move {
                    let _ = carry(client, &upstream, only, plan).await;
                });
            }
        });
        Proxy { address, plan }
    }

    /// How connections fare from now on.
    pub(crate) fn plans(&self, plan: Plan) {
        *self.plan.lock().unwrap() = plan;
    }
}

async fn carry(mut client: TcpStream, upstream: &str, only: &str, plan: Plan) -> std::io::Result<()> {
    let mut asked = vec![0; 4096];
    let length = client.read(&mut asked).await?;
    let first_line = String::from_utf8_lossy(&asked[..length]).lines().next().unwrap_or_default().to_owned();
    let plan = if first_line.contains(only) { plan } else { Plan::Through };
    let mut server = TcpStream::connect(upstream).await?;
    server.write_all(&asked[..length]).await?;
    let most = match plan {
        Plan::Through => return tokio::io::copy_bidirectional(&mut client, &mut server).await.map(|_| ()),
        Plan::CutAfter(most) | Plan::HangAfter(most) => most,
    };
    let (mut passed, mut answer, mut question) = (0, vec![0; 4096], vec![0; 4096]);
    while passed < most {
        tokio::select! {
            read = server.read(&mut answer) => {
                let length = read?.min(most - passed);
                if length == 0 {
                    return Ok(());
                }
                client.write_all(&answer[..length]).await?;
                passed += length;
            }
            read = client.read(&mut question) => {
                let length = read?;
                if length == 0 {
                    return Ok(());
                }
                server.write_all(&question[..length]).await?;
            }
        }
    }
    if matches!(plan, Plan::HangAfter(_)) {
        // Until the other side gives up.
        while client.read(&mut question).await? > 0 {}
    }
    Ok(())
}
