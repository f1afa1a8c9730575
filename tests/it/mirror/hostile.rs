//! What stands between Obole and a bank that answers badly: every request reaches the real sandbox bank (or does not), and what
//! comes back is spoiled.
//!
//! Nothing here is a definite answer that is false, since nobody could tell it from a true one; everything else that bytes can do is.

use std::collections::{BTreeMap, HashMap};
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use obole::entropy::{Entropy, SeededEntropy, random_bytes};
use tokio::net::TcpListener;

/// What can be wrong with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Spoiling {
    /// The request is not passed on; the connection ends without an answer.
    CutBefore,
    /// It is passed on; the connection ends without an answer.
    CutAfter,
    /// The answer ends in its middle.
    HalfAnAnswer,
    /// Its last bytes are missing, and its length says that they are not.
    HalfTheJson,
    /// A byte now and then, for ever.
    Dripping,
    /// A page for people.
    Html,
    /// Nothing, and it is called a success.
    Empty,
    /// An error of a server, though it was done.
    ServerError,
    /// An error of ours without a word why, though it was done.
    WordlessRefusal,
    /// A redirection to somewhere else.
    Redirect,
    /// The answer to another question of the same kind.
    AnotherAnswer,
    /// Another amount.
    AnotherAmount,
    /// Another account.
    AnotherAccount,
    /// A status that no standard knows.
    StrangeStatus,
    /// A status, and another one in the same object.
    TwoStatuses,
    /// Values of other types than the standard has.
    WrongTypes,
    /// Fifty megabytes in fifty kilobytes.
    GzipBomb,
    /// More than anybody would say.
    Endless,
    /// Arrays in arrays in arrays.
    Deep,
    /// Bytes that are no text.
    NoText,
}

use Spoiling::*;

pub(super) const EVERY: [Spoiling; 20] = [
    CutBefore,
    CutAfter,
    HalfAnAnswer,
    HalfTheJson,
    Dripping,
    Html,
    Empty,
    ServerError,
    WordlessRefusal,
    Redirect,
    AnotherAnswer,
    AnotherAmount,
    AnotherAccount,
    StrangeStatus,
    TwoStatuses,
    WrongTypes,
    GzipBomb,
    Endless,
    Deep,
    NoText,
];

/// A bank's answer.
type Answer = (StatusCode, HeaderMap, Bytes);

/// The one in between.
pub(super) struct Hostile {
    pub(super) url: String,
    inner: Arc<Inner>,
}

struct Inner {
    bank: String,
    client: reqwest::Client,
    is_calm: AtomicBool,
    dice: SeededEntropy,
    fired: Mutex<BTreeMap<Spoiling, u64>>,
    /// The last answer of each kind of question, to be given to somebody else.
    others: Mutex<HashMap<String, Answer>>,
    bomb: Bytes,
}

impl Hostile {
    /// Stands in front of `bank`, calm at first.
    pub(super) async fn before(bank: &str, seed: u64) -> Self {
        let inner = Arc::new(Inner {
            bank: bank.to_owned(),
            client: crate::bank::client(),
            is_calm: AtomicBool::new(true),
            dice: SeededEntropy::new(seed),
            fired: Mutex::default(),
            others: Mutex::default(),
            bomb: bomb(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(pass).with_state(inner.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Hostile { url, inner }
    }

    pub(super) fn calm(&self, is_calm: bool) {
        self.inner.is_calm.store(is_calm, Ordering::Relaxed);
    }

    /// How often what was spoiled.
    pub(super) fn fired(&self) -> BTreeMap<Spoiling, u64> {
        self.inner.fired.lock().unwrap().clone()
    }
}

impl Inner {
    fn below(&self, sides: usize) -> usize {
        usize::from(u16::from_le_bytes(random_bytes::<2>(&self.dice as &dyn Entropy))) % sides
    }

    /// Two answers of three are spoiled, so that most orders meet several.
    fn chooses(&self) -> Option<Spoiling> {
        if self.is_calm.load(Ordering::Relaxed) || self.below(3) == 0 {
            return None;
        }
        let spoiling = EVERY[self.below(EVERY.len())];
        *self.fired.lock().unwrap().entry(spoiling).or_default() += 1;
        Some(spoiling)
    }

    async fn ask(&self, request: Request) -> Answer {
        let (parts, body) = request.into_parts();
        let url = format!("{}{}", self.bank, parts.uri.path_and_query().map_or("/", |path| path.as_str()));
        let mut headers = parts.headers;
        headers.remove(header::HOST);
        let body = to_bytes(body, 1 << 20).await.unwrap();
        let answer = self.client.request(parts.method, url).headers(headers).body(body).send().await.unwrap();
        let (status, mut headers) = (answer.status(), answer.headers().clone());
        for name in [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION] {
            headers.remove(name);
        }
        (status, headers, answer.bytes().await.unwrap())
    }
}

async fn pass(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let spoiling = inner.chooses();
    if spoiling == Some(CutBefore) {
        return cut(Bytes::new());
    }
    let kind = kind(request.method(), request.uri().path());
    let answer = inner.ask(request).await;
    let other = inner.others.lock().unwrap().insert(kind, answer.clone());
    match spoiling {
        None => whole(answer),
        Some(spoiling) => spoil(&inner, spoiling, answer, other).await,
    }
}

/// `GET /v1/payments/x/{id}/status` of whatever payment.
fn kind(method: &Method, path: &str) -> String {
    let parts =
        path.split('/').map(|part| if part.len() > 15 && part.bytes().any(|byte| byte.is_ascii_digit()) { "…" } else { part });
    format!("{method} {}", parts.collect::<Vec<_>>().join("/"))
}

fn whole((status, headers, body): Answer) -> Response {
    (status, headers, body).into_response()
}

/// A body that ends with the connection and not with its last byte.
fn cut(begun: Bytes) -> Response {
    let broken = Err(std::io::Error::other("the line is dead"));
    let mut response = Response::new(Body::from_stream(futures_util::stream::iter([Ok(begun), broken])));
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("4096"));
    response
}

async fn spoil(inner: &Inner, spoiling: Spoiling, answer: Answer, other: Option<Answer>) -> Response {
    let (status, mut headers, body) = answer;
    let text = String::from_utf8_lossy(&body).into_owned();
    let json = |text: String| whole((status, headers.clone(), Bytes::from(text)));
    match spoiling {
        CutBefore | CutAfter => cut(Bytes::new()),
        HalfAnAnswer => cut(body.slice(..body.len() / 2)),
        HalfTheJson => whole((status, headers, body.slice(..body.len() / 2))),
        Dripping => {
            let drip = futures_util::stream::unfold((), async |()| {
                tokio::time::sleep(Duration::from_millis(40)).await;
                Some((Ok::<_, std::io::Error>(Bytes::from_static(b" ")), ()))
            });
            (status, Body::from_stream(drip)).into_response()
        }
        Html => (StatusCode::OK, [(header::CONTENT_TYPE, "text/html")], "<h1>Maintenance</h1>").into_response(),
        Empty => StatusCode::OK.into_response(),
        ServerError => [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::BAD_GATEWAY, StatusCode::GATEWAY_TIMEOUT][inner.below(3)]
            .into_response(),
        WordlessRefusal => [StatusCode::BAD_REQUEST, StatusCode::FORBIDDEN, StatusCode::CONFLICT, StatusCode::NOT_FOUND]
            [inner.below(4)]
        .into_response(),
        Redirect => (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, inner.bank.clone())]).into_response(),
        AnotherAnswer => whole(other.unwrap_or((StatusCode::OK, headers, Bytes::from_static(b"{}")))),
        AnotherAmount => json(text.replace(".00\"", ".01\"")),
        AnotherAccount => json(text.replace("\"iban\":\"FR", "\"iban\":\"DE")),
        StrangeStatus => json(text.replace("\"transactionStatus\":\"", "\"transactionStatus\":\"X")),
        TwoStatuses => json(text.replacen('{', "{\"transactionStatus\":\"RJCT\",\"transactionStatus\":\"ACSC\",", 1)),
        WrongTypes => json(
            text.replace("\"transactionStatus\":", "\"transactionStatus\":[0],\"was\":").replace("\"amount\":\"", "\"amount\":\"-"),
        ),
        GzipBomb => {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            whole((status, headers, inner.bomb.clone()))
        }
        Endless => whole((status, headers, Bytes::from(vec![b' '; 3 << 20]))),
        Deep => json("[".repeat(200_000)),
        NoText => whole((status, headers, Bytes::from_static(b"{\"transactionStatus\":\"\xff\xfe\"}"))),
    }
}

fn bomb() -> Bytes {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..50 {
        gzip.write_all(&vec![b' '; 1 << 20]).unwrap();
    }
    gzip.finish().unwrap().into()
}
