//! Where agents of other hosts ask: HTTP/1.1 over TLS, signed with each host's key.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tower::Service;

use super::{FeedConfig, Hub, authority};
use crate::auth::{self, Key, Rules, Secret};
use crate::control::hosts;
use crate::http::{Connections, Place, dated};
use crate::plan::message::{JOIN_PATH, Join, POLL_PATH, Poll, REPORT_PATH, SERVICE, Said};
use crate::types::{AccountId, Micros};

/// Agents at one time; each has two connections.
const MAX_CONNECTIONS: usize = 8192;
/// From one address that is not this machine's: several hosts may be behind one, and nobody else should fill the house.
const MAX_OF_PEER: usize = 64;
/// A body is read before its signature can be looked at. The largest is a report: instances, and as much of
/// their consoles as an agent sends at once.
const MAX_BODY: usize = 4 * 1024 * 1024;
/// How long a handshake, a request's headers and its body may take, and a connection may lie idle.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The feed cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    #[error("[feed] cannot listen on {address}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("the deployment's authority is of no use: {0}")]
    Authority(String),
}

/// The feed with its socket open, not yet serving.
pub struct Feed {
    listener: TcpListener,
    tls: TlsAcceptor,
    hub: Arc<Hub>,
}

impl Feed {
    /// Opens the socket and makes this process a certificate.
    ///
    /// # Errors
    /// The address cannot be had; the authority's key does not open.
    pub async fn open(config: &FeedConfig, hub: Arc<Hub>) -> Result<Self, FeedError> {
        let address = config.listen;
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|source| FeedError::Listen { address, source })?;
        let handle = &hub.operator.handle;
        let deployment = handle.world().deployment.clone();
        let deployment = deployment.ok_or_else(|| FeedError::Authority("there is none yet".into()))?;
        let tls = authority::acceptor(&deployment, handle.key_file())?;
        Ok(Self { listener, tls, hub })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The socket has no address.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves agents for ever.
    pub async fn serve(self) {
        let router = Router::new()
            .route(POLL_PATH, post(poll))
            .route(REPORT_PATH, post(report))
            .route(JOIN_PATH, post(join))
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .with_state(self.hub);
        let strangers = Connections::new(MAX_CONNECTIONS, MAX_OF_PEER);
        let neighbours = Connections::new(MAX_CONNECTIONS, MAX_CONNECTIONS);
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    let places = if peer.ip().is_loopback() { &neighbours } else { &strangers };
                    match places.admit(peer.ip()) {
                        Some(place) => {
                            tokio::spawn(connection(stream, peer, self.tls.clone(), router.clone(), place));
                        }
                        None => tracing::debug!(%peer, "no place for another agent's connection"),
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept an agent's connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, tls: TlsAcceptor, router: Router, _place: Place) {
    let _ = stream.set_nodelay(true);
    let stream = match tokio::time::timeout(HEADER_TIMEOUT, tls.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%peer, %error, "an agent's TLS handshake failed"),
        Err(_) => return tracing::debug!(%peer, "an agent's TLS handshake took too long"),
    };
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let answer = router.clone().call(request.map(Body::new));
        async { tokio::time::timeout(HEADER_TIMEOUT, answer).await.map(|Ok(response)| dated(response)) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = served.await {
        tracing::debug!(%peer, %error, "an agent's connection ended");
    }
}

/// What an agent is told that is not listened to.
type Refused = (StatusCode, String);

/// The host that signed, and what it said.
fn signed<T: DeserializeOwned>(
    hub: &Hub,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(Arc<str>, T), Refused> {
    let handle = &hub.operator.handle;
    let world = handle.world();
    let lookup = |name: &str| {
        let sealed = world.hosts.get(name)?.sealed_secret.clone()?;
        let secret = handle.key_file().open_secret(&sealed_for(name), &sealed).ok()?;
        Some(Key { secret: Secret::new(secret.to_vec()), account: AccountId::from_random(0) })
    };
    let query = uri.query().unwrap_or_default();
    let request = auth::Request { method: "POST", path: uri.path(), query, headers, body };
    let rules = Rules { now: Micros::now(), sigv2: false };
    let refused = |message: String| (StatusCode::FORBIDDEN, message);
    let verified =
        auth::verify_opaque(&request, &rules, lookup).map_err(|error| refused(error.to_string()))?;
    if verified.scope.is_none_or(|scope| scope.service != SERVICE) {
        return Err(refused(format!("the signature is not for the service {SERVICE}")));
    }
    let said = serde_json::from_slice(body)
        .map_err(|error| (StatusCode::BAD_REQUEST, format!("the agent is of another version: {error}")))?;
    Ok((verified.access_key.into(), said))
}

/// What a host's secret is sealed for: never the same as for an access key.
pub(super) fn sealed_for(host: &str) -> String {
    format!("host {host}")
}

fn json(value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(text) => ([("content-type", "application/json")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn poll(State(hub): State<Arc<Hub>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    match signed::<Poll>(&hub, &uri, &headers, &body) {
        Ok((host, poll)) => json(&hub.poll(&host, &poll).await),
        Err(refused) => refused.into_response(),
    }
}

async fn report(State(hub): State<Arc<Hub>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    match signed::<Said>(&hub, &uri, &headers, &body) {
        Ok((host, said)) => match hub.report(&host, said).await {
            Ok(()) => StatusCode::NO_CONTENT.into_response(),
            Err(message) => (StatusCode::SERVICE_UNAVAILABLE, message).into_response(),
        },
        Err(refused) => refused.into_response(),
    }
}

async fn join(State(hub): State<Arc<Hub>>, body: Bytes) -> Response {
    let Ok(join) = serde_json::from_slice::<Join>(&body) else {
        return (StatusCode::BAD_REQUEST, "the agent is of another version").into_response();
    };
    let sealed: Arc<[u8]> =
        hub.operator.handle.key_file().seal(&sealed_for(&join.host), join.key.as_bytes()).into();
    let taken = hub.operator.submit(move |decision| {
        hosts::enrol(decision, &join.host, &join.secret, sealed.clone(), join.flat_mac)
    });
    match taken.await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(message) => (StatusCode::FORBIDDEN, message).into_response(),
    }
}
