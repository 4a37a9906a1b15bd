//! Accepting connections and holding each within its limits.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tower::Service;

use super::answers::Answers;
use super::backend::Backend;
use super::body::Room;
use super::config::{ApiConfig, ConfigError, Regions};
use super::date::dated;
use super::fairness::{Connections, Turn};
use super::listen::{self, ListenError};
use super::metrics::Metrics;
use super::quick::Quick;
use super::router::{self, Door, Peer};
use super::shares::Shares;
use super::stall::Unstalled;
use super::throttle::Throttle;
use super::tls::{self, TlsError};
use crate::control::quotas::Quotas;

/// Request line and headers together; a presigned RunInstances with user-data needs most of it.
const MAX_HEAD: usize = 64 * 1024;
const MAX_HEADERS: usize = 100;
/// What one peer may have verified, and one account answered, at a time.
const AT_ONCE: usize = 4;
/// How long to wait after accept(2) failed, which it does when descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// The API with its sockets open and its certificate read, not yet serving.
pub struct Server {
    config: ApiConfig,
    listener: std::net::TcpListener,
    metrics_listener: Option<std::net::TcpListener>,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
}

impl Server {
    /// Opens what the configuration names, so that a mistake in it ends the start and not the first call.
    pub fn open(config: ApiConfig) -> Result<Self, ServeError> {
        let listener = listen::inherited_or_bound(config.listen)?;
        let address = listener.local_addr().map_err(ListenError::Prepare)?;
        config.check(address)?;
        let bind = |address| listen::bind(address).map_err(|source| ListenError::Bind { address, source });
        let metrics_listener = config.metrics_listen.map(bind).transpose()?;
        let tls = match (&config.tls_certificate, &config.tls_key) {
            (Some(certificate), Some(key)) => Some(tls::acceptor(certificate, key)?),
            _ => None,
        };
        Ok(Self { config, listener, metrics_listener, address, tls })
    }

    /// Where it listens: the port that was given when the configuration says port 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where `/metrics` listens, if it has an address of its own.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_listener.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    /// Serves until `stop` is ready, then lets the requests under way finish.
    pub async fn run<B: Backend>(
        self,
        backend: Arc<B>,
        (regions, quotas): (Regions, Quotas),
        stop: impl Future<Output = ()>,
    ) -> io::Result<()> {
        let Self { config, listener, metrics_listener, tls, .. } = self;
        let throttle = Throttle::new(config.throttle);
        let connections = Connections::new(config.max_connections, config.max_connections_per_peer);
        let door = Arc::new(Door {
            config,
            regions,
            quotas: Arc::new(quotas),
            backend,
            metrics: Metrics::default(),
            connections,
            room: Room::default(),
            of_peers: Shares::new(AT_ONCE),
            of_accounts: Shares::new(AT_ONCE),
            quick: Quick::default(),
            answers: Answers::default(),
            throttle,
        });
        let (stopping, stopped) = watch::channel(false);
        let api = Acceptor {
            router: router::api(Arc::clone(&door)),
            door: Arc::clone(&door),
            tls,
            stopped: stopped.clone(),
        };
        let metrics = Acceptor {
            router: router::metrics_only(Arc::clone(&door)),
            door: Arc::clone(&door),
            tls: None,
            stopped,
        };
        let listener = TcpListener::from_std(listener)?;
        let metrics_listener = metrics_listener.map(TcpListener::from_std).transpose()?;
        let all = async {
            let second = async {
                if let Some(listener) = metrics_listener {
                    metrics.accept(listener).await;
                }
            };
            tokio::join!(api.accept(listener), second);
        };
        let end = async {
            stop.await;
            // Receivers are held by the acceptors, which outlive this.
            let _ = stopping.send(true);
        };
        tokio::join!(all, end);
        Ok(())
    }
}

/// One listener's connections.
struct Acceptor<B> {
    router: Router,
    door: Arc<Door<B>>,
    tls: Option<TlsAcceptor>,
    stopped: watch::Receiver<bool>,
}

impl<B: Backend> Acceptor<B> {
    /// Accepts until stopped, then waits for the connections, but not for ever.
    async fn accept(&self, listener: TcpListener) {
        let mut stopped = self.stopped.clone();
        let mut tasks = JoinSet::new();
        loop {
            tokio::select! {
                () = until_true(&mut stopped) => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => self.admit(stream, peer, &mut tasks),
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(_) = tasks.join_next() => {}
            }
        }
        drop(listener);
        let finished = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(self.door.config.shutdown_timeout(), finished).await.is_err() {
            tracing::warn!(connections = tasks.len(), "requests did not finish in time and are cut");
            tasks.shutdown().await;
        }
    }

    fn admit(&self, stream: TcpStream, peer: SocketAddr, tasks: &mut JoinSet<()>) {
        let Some(place) = self.door.connections.admit_making_room(peer.ip()) else {
            self.door.metrics.refused_connection();
            tracing::debug!(%peer, "no place for another connection");
            return;
        };
        let connection = Connection {
            router: self.router.clone(),
            peer,
            header_timeout: self.door.config.header_timeout(),
            write_timeout: self.door.config.write_timeout(),
            stopped: self.stopped.clone(),
            turn: place.turn(),
        };
        let tls = self.tls.clone();
        tasks.spawn(async move {
            tokio::select! {
                () = connection.begin(stream, tls) => {}
                () = place.lost() => tracing::debug!(%peer, "the connection made room for another's"),
            }
        });
    }
}

/// One client's connection.
struct Connection {
    router: Router,
    peer: SocketAddr,
    header_timeout: Duration,
    write_timeout: Duration,
    stopped: watch::Receiver<bool>,
    turn: Arc<Turn>,
}

impl Connection {
    async fn begin(self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        let peer = self.peer;
        let Some(tls) = tls else { return self.serve(stream).await };
        match tokio::time::timeout(self.header_timeout, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.serve(stream).await,
            Ok(Err(error)) => tracing::debug!(%peer, %error, "TLS handshake failed"),
            Err(_) => tracing::debug!(%peer, "TLS handshake took too long"),
        }
    }

    async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send>(mut self, stream: S) {
        let (router, peer, turn) = (self.router.clone(), self.peer, self.turn.clone());
        let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(Peer(peer));
            request.extensions_mut().insert(turn.clone());
            let answer = router.clone().call(request);
            async { answer.await.map(dated) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.header_timeout)
            .max_headers(MAX_HEADERS)
            .max_header_size(MAX_HEAD)
            .auto_date_header(false)
            .serve_connection(TokioIo::new(Unstalled::new(stream, self.write_timeout)), service);
        let mut connection = std::pin::pin!(connection);
        let result = tokio::select! {
            result = connection.as_mut() => result,
            () = until_true(&mut self.stopped) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = result {
            tracing::debug!(%peer, %error, "connection ended");
        }
    }
}

/// Waits until the channel says so, or nobody is left who could.
async fn until_true(channel: &mut watch::Receiver<bool>) {
    // The value is a lock's guard: it must not live across another await.
    drop(channel.wait_for(|value| *value).await);
}
