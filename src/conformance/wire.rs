//! Requests to the backend, each on a connection of its own, and the record of all of them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures_util::StreamExt as _;
use reqwest::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Method};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::proxy::{Fault, Proxy};
use crate::bank::settlement::path_and_query;
use crate::bank::settlement::sign::RequestKey;
use crate::bank::settlement::wire::{ErrorBody, Problem, header};
use crate::clock::Clock;

/// Longer bodies are recorded up to here.
const RECORDED: usize = 4_096;
/// No answer of the protocol is longer.
const LARGEST_ANSWER: usize = 4 * 1024 * 1024;
/// How long the part of a body that is sent before a cut is given to leave.
const FLUSHED: Duration = Duration::from_millis(60);
/// How often somebody who is sent away politely comes back.
const RETURNS: u32 = 4;
/// The longest that is waited for that.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// One request and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// The check that made it.
    pub check: String,
    /// `PUT`.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// What was sent.
    pub request: String,
    /// How it was spoilt, if it was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fault: Option<String>,
    /// The status, if an answer came.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<u16>,
    /// The answer's body, or why there was none.
    pub response: String,
    /// How long it took.
    pub milliseconds: u64,
}

/// An answer.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) retry_after: Option<u64>,
    pub(super) body: Vec<u8>,
}

impl Reply {
    pub(super) fn read<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.body).ok()
    }

    pub(super) fn problem(&self) -> Option<Problem> {
        self.read::<ErrorBody>().map(|body| body.error)
    }

    /// In a few words, for a sentence about it.
    pub(super) fn shortly(&self) -> String {
        match self.problem() {
            Some(problem) => {
                let class = serde_json::to_value(problem.class).ok();
                let class = class.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
                let fields: Vec<String> =
                    problem.fields.iter().take(3).map(|field| format!("; {} {}", field.path, field.message)).collect();
                format!("{} {} ({class}{})", self.status, problem.code, fields.concat())
            }
            None => self.status.to_string(),
        }
    }
}

/// How a request is to be made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner<'a> {
    pub(super) fault: Option<Fault>,
    pub(super) timeout: Duration,
    /// Who signs; nobody with `None`.
    pub(super) signer: Option<&'a RequestKey>,
    pub(super) version: &'a str,
    /// The body breaks off after so many bytes.
    pub(super) cut_at: Option<usize>,
    /// Comes back when it is sent away politely.
    pub(super) patient: bool,
}

/// The backend.
pub(super) struct Wire {
    base: Url,
    client: Client,
    identity: Option<Vec<u8>>,
    clock: Arc<dyn Clock>,
    record: Mutex<Vec<Exchange>>,
}

impl Wire {
    pub(super) fn new(base: Url, identity: Option<Vec<u8>>, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let client = client(identity.as_deref(), None)?;
        Ok(Wire { base, client, identity, clock, record: Mutex::new(Vec::new()) })
    }

    /// The address of a path below the base.
    pub(super) fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        url.set_query(query);
        url
    }

    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    /// The record so far, taken away.
    pub(super) fn take_record(&self) -> Vec<Exchange> {
        std::mem::take(&mut *self.record.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes a request and reads the answer. `Err` says why there is none.
    pub(super) async fn send(
        &self,
        check: &str,
        method: Method,
        path: &str,
        body: &[u8],
        manner: Manner<'_>,
    ) -> Result<Reply, String> {
        let mut returns = 0;
        loop {
            let began = Instant::now();
            let answer = self.once(method.clone(), path, body, manner).await;
            let (status, response) = match &answer {
                Ok(reply) => (Some(reply.status), shown(&reply.body)),
                Err(why) => (None, why.clone()),
            };
            let mut request = shown(body);
            if let Some(cut) = manner.cut_at {
                request.push_str(&format!(" … cut after {cut} bytes"));
            }
            self.record.lock().unwrap_or_else(PoisonError::into_inner).push(Exchange {
                check: check.to_owned(),
                method: method.to_string(),
                path: path.to_owned(),
                request,
                fault: manner.fault.map(|fault| fault.name().to_owned()),
                status,
                response,
                milliseconds: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            });
            match answer {
                Ok(reply) if reply.status == 429 && manner.patient && returns < RETURNS => {
                    returns += 1;
                    let wait = Duration::from_secs(reply.retry_after.unwrap_or(1)).min(LONGEST_WAIT);
                    tokio::time::sleep(wait).await;
                }
                answer => return answer,
            }
        }
    }

    async fn once(&self, method: Method, path: &str, body: &[u8], manner: Manner<'_>) -> Result<Reply, String> {
        let mut url = self.url(path);
        let now = self.clock.now();
        let signed = manner.signer.map(|key| (key, key.sign(method.as_str(), &path_and_query(&url), body, now)));
        let (_proxy, client) = match manner.fault {
            None => (None, self.client.clone()),
            Some(fault) => {
                let (proxy, client) = self.through(&mut url, fault, body.len()).await.map_err(|error| format!("{error:#}"))?;
                (Some(proxy), client)
            }
        };
        let mut request = client
            .request(method, url)
            .timeout(manner.timeout)
            .header(ACCEPT, "application/json")
            .header(header::VERSION, manner.version);
        if let Some((key, signature)) = signed {
            request = request
                .header(header::KEY, &key.id)
                .header(header::TIMESTAMP, now.as_second().to_string())
                .header(header::SIGNATURE, signature);
        }
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
            request = match manner.cut_at {
                None => request.body(body.to_vec()),
                Some(cut) => {
                    let part = body.get(..cut).unwrap_or(body).to_vec();
                    let breaks = futures_util::stream::iter([Ok(part)]).chain(futures_util::stream::once(async {
                        // What was written goes out first; an error at once would take it along.
                        tokio::time::sleep(FLUSHED).await;
                        Err(std::io::Error::other("cut on purpose"))
                    }));
                    request.header("content-length", body.len()).body(reqwest::Body::wrap_stream(breaks))
                }
            };
        }
        let told = |error: reqwest::Error| {
            let kind = if error.is_timeout() { "no answer in time" } else { "no whole answer" };
            format!("{kind}: {}", deepest(&error))
        };
        let mut response = request.send().await.map_err(told)?;
        let mut read = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(told)? {
            if read.len() + chunk.len() > LARGEST_ANSWER {
                return Err(format!("the answer is longer than {LARGEST_ANSWER} bytes"));
            }
            read.extend_from_slice(&chunk);
        }
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|text| text.to_str().ok()?.trim().parse().ok());
        Ok(Reply { status: response.status().as_u16(), retry_after, body: read })
    }

    /// A proxy to the backend and a client that goes through it. TLS sees the backend's own name.
    async fn through(&self, url: &mut Url, fault: Fault, request: usize) -> anyhow::Result<(Proxy, Client)> {
        let host = url.host_str().context("the address names no host")?.trim_matches(['[', ']']).to_owned();
        let port = url.port_or_known_default().context("the address names no port")?;
        let is_tls = url.scheme() == "https";
        let own_port = url.port().filter(|_| is_tls);
        let proxy = Proxy::start((host.clone(), port), own_port, fault, request).await?;
        if is_tls {
            let client = client(self.identity.as_deref(), Some((&host, proxy.address)))?;
            return Ok((proxy, client));
        }
        url.set_ip_host(proxy.address.ip()).map_err(|()| anyhow::anyhow!("the address cannot be led through a proxy"))?;
        url.set_port(Some(proxy.address.port())).map_err(|()| anyhow::anyhow!("the address cannot be led through a proxy"))?;
        Ok((proxy, self.client.clone()))
    }
}

fn client(identity: Option<&[u8]>, resolve: Option<(&str, std::net::SocketAddr)>) -> anyhow::Result<Client> {
    let mut builder = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .http1_only()
        .pool_max_idle_per_host(0)
        .user_agent(concat!("obole-bank-check/", env!("CARGO_PKG_VERSION")));
    if let Some(pem) = identity {
        builder = builder.identity(reqwest::Identity::from_pem(pem).context("the client certificate cannot be used")?);
    }
    if let Some((host, address)) = resolve {
        builder = builder.resolve(host, address);
    }
    builder.build().context("no HTTP client")
}

fn deepest(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

fn shown(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    text.chars().filter(|character| !character.is_control() || *character == '\n').take(RECORDED).collect()
}
