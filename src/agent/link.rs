//! The way to the deployment's servers: TLS that trusts its authority alone, requests signed with the
//! host's key.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;

use super::Server;
use crate::auth::{self, Signer};
use crate::plan::message::{Answer, POLL_PATH, Poll, REPORT_PATH, SERVER_NAME, Said};
use crate::types::Micros;

/// How long a server may take to be connected to.
const CONNECT: Duration = Duration::from_secs(1);
/// How long an answer may take: a server answers polls within a second.
const ANSWER: Duration = Duration::from_secs(3);

type Connection = SendRequest<Full<Bytes>>;

/// Asks whichever server answers. Polls and reports have a connection each, as a poll waits.
pub struct Link {
    servers: Vec<String>,
    tls: Arc<ClientConfig>,
    signer: Signer,
    /// The server that answered last.
    current: AtomicUsize,
    /// How far our clock is behind the servers', in microseconds.
    behind: AtomicI64,
    polls: Mutex<Slot>,
    reports: Mutex<Slot>,
}

/// A connection, and which of the servers it is to.
type Slot = Option<(usize, Connection)>;

impl Link {
    pub fn new(servers: Vec<String>, tls: Arc<ClientConfig>, signer: Signer) -> Self {
        // Each host begins at another server than the next, and at the same after every start.
        let begin = signer.access_key.bytes().map(usize::from).sum();
        let (current, behind) = (AtomicUsize::new(begin), AtomicI64::new(0));
        let (polls, reports) = (Mutex::new(None), Mutex::new(None));
        Self { servers, tls, signer, current, behind, polls, reports }
    }

    /// Posts to the server that answered last; the next one is tried next time when it does not.
    async fn post(&self, slot: &Mutex<Slot>, path: &str, body: Vec<u8>) -> Result<Bytes, String> {
        let at = self.current.load(Ordering::Relaxed);
        let server = self.servers.get(at % self.servers.len().max(1)).ok_or("[agent] servers is empty")?;
        let mut slot = slot.lock().await;
        let result = self.exchange(&mut slot, (at, server), path, body).await;
        if result.is_err() {
            *slot = None;
            // Two connections that fail at one server move on by one.
            let _ = self.current.compare_exchange(at, at + 1, Ordering::Relaxed, Ordering::Relaxed);
        }
        result.map_err(|problem| format!("{server}: {problem}"))
    }

    async fn exchange(
        &self,
        slot: &mut Slot,
        (at, server): (usize, &str),
        path: &str,
        body: Vec<u8>,
    ) -> Result<Bytes, String> {
        // To the server that the other connection is to as well: it knows of each poll what was reported.
        let (_, connection) = match slot.take() {
            Some((to, connection)) if to == at && !connection.is_closed() => slot.insert((to, connection)),
            _ => slot.insert((at, connect(server, &self.tls).await?)),
        };
        let now = Micros(Micros::now().0 + self.behind.load(Ordering::Relaxed));
        let date = auth::date(now);
        let authorization = self.signer.authorization(SERVER_NAME, path, &date, &body);
        let request = http::Request::post(path)
            .header("host", SERVER_NAME)
            .header("x-amz-date", date)
            .header("authorization", authorization)
            .header("content-type", "application/json")
            .body(Full::from(body))
            .map_err(|error| error.to_string())?;
        let exchange = async {
            let response = connection.send_request(request).await.map_err(|error| error.to_string())?;
            let (head, body) = response.into_parts();
            let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
            match head.status.is_success() {
                true => Ok(body),
                false => {
                    self.correct_clock(&head);
                    Err(format!("{}: {}", head.status, String::from_utf8_lossy(&body)))
                }
            }
        };
        tokio::time::timeout(ANSWER, exchange).await.unwrap_or_else(|_| Err("no answer in time".into()))
    }

    /// A host whose clock is wrong must not be lost for that: signatures are refused after 15 minutes.
    fn correct_clock(&self, head: &http::response::Parts) {
        let theirs = head.headers.get("date").and_then(|date| auth::seconds_of_date(date.to_str().ok()?));
        if let (http::StatusCode::FORBIDDEN, Some(seconds)) = (head.status, theirs) {
            self.behind.store(seconds * 1_000_000 - Micros::now().0, Ordering::Relaxed);
        }
    }
}

impl Server for Link {
    async fn poll(&self, poll: &Poll) -> Result<Answer, String> {
        let body = serde_json::to_vec(poll).map_err(|error| error.to_string())?;
        let answer = self.post(&self.polls, POLL_PATH, body).await?;
        serde_json::from_slice(&answer).map_err(|error| format!("the server is of another version: {error}"))
    }

    async fn report(&self, said: &Said) -> Result<(), String> {
        let body = serde_json::to_vec(said).map_err(|error| error.to_string())?;
        self.post(&self.reports, REPORT_PATH, body).await.map(drop)
    }
}

/// A new connection: TLS, then HTTP/1.1.
pub(super) async fn connect(server: &str, tls: &Arc<ClientConfig>) -> Result<Connection, String> {
    let connected = async {
        let stream = TcpStream::connect(server).await.map_err(|error| error.to_string())?;
        let _ = stream.set_nodelay(true);
        let name = ServerName::try_from(SERVER_NAME).map_err(|error| error.to_string())?;
        let stream = TlsConnector::from(tls.clone()).connect(name, stream).await;
        let stream = stream.map_err(|error| format!("TLS: {error}"))?;
        let (sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
        // It ends with the sender, or with the server.
        tokio::spawn(connection);
        Ok(sender)
    };
    tokio::time::timeout(CONNECT, connected).await.unwrap_or_else(|_| Err("cannot be connected to".into()))
}
