//! Which path is what.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Request, Response, StatusCode};
use axum::routing::any;

use super::answers::Answers;
use super::backend::Backend;
use super::body::Room;
use super::config::{ApiConfig, Regions};
use super::fairness::Connections;
use super::metrics::{Gauges, Metrics};
use super::quick::Quick;
use super::request_id::RequestId;
use super::shares::Shares;
use super::throttle::Throttle;
use super::{call, reply};
use crate::control::quotas::Quotas;
use crate::query::FaultCode;
use crate::types::AccountId;

/// Everything that requests share.
pub(super) struct Door<B> {
    pub config: ApiConfig,
    pub regions: Regions,
    pub quotas: Arc<Quotas>,
    pub backend: Arc<B>,
    pub metrics: Metrics,
    pub connections: Arc<Connections>,
    /// For bodies beyond a usual request's size.
    pub room: Room,
    /// What is done before it is known who asks: signatures are verified, forms are read.
    pub of_peers: Shares<IpAddr>,
    /// Reads of one account.
    pub of_accounts: Shares<AccountId>,
    pub quick: Quick,
    /// To reads.
    pub answers: Answers,
    /// How often accounts may call.
    pub throttle: Throttle,
}

/// The other end of the connection, as an extension of each request.
#[derive(Clone, Copy)]
pub(super) struct Peer(pub SocketAddr);

/// The paths that EC2_URLs name: today's, nova-network's, and Eucalyptus's.
const API_PATHS: [&str; 5] =
    ["/", "/services/Cloud", "/services/Cloud/", "/services/Eucalyptus", "/services/Eucalyptus/"];

/// The API, with health and metrics for this machine only.
pub(super) fn api<B: Backend>(door: Arc<Door<B>>) -> Router {
    let mut router = Router::new();
    for path in API_PATHS {
        router = router.route(path, any(api_call::<B>));
    }
    router
        .route("/healthz", any(local_health::<B>))
        .route("/metrics", any(local_metrics::<B>))
        .fallback(unknown_path)
        .with_state(door)
}

/// Health and metrics alone, for whoever reaches the address that the operator gave them.
pub(super) fn metrics_only<B: Backend>(door: Arc<Door<B>>) -> Router {
    Router::new()
        .route("/healthz", any(health::<B>))
        .route("/metrics", any(metrics::<B>))
        .fallback(unknown_path)
        .with_state(door)
}

async fn api_call<B: Backend>(State(door): State<Arc<Door<B>>>, request: Request<Body>) -> Response<Body> {
    call::answer(&door, request).await
}

async fn unknown_path() -> Response<Body> {
    let fault =
        FaultCode::NotFound.with("There is nothing at this path; the EC2 API is at / and /services/Cloud");
    reply::fault(&fault, RequestId::random())
}

/// Whether a request comes from this machine itself and not through a proxy on it.
fn is_local(request: &Request<Body>) -> bool {
    let forwarded = |headers: &HeaderMap| {
        ["forwarded", "x-forwarded-for", "x-real-ip", "via"].iter().any(|name| headers.contains_key(*name))
    };
    let peer = request.extensions().get::<Peer>();
    peer.is_some_and(|Peer(peer)| peer.ip().to_canonical().is_loopback()) && !forwarded(request.headers())
}

async fn local_health<B: Backend>(state: State<Arc<Door<B>>>, request: Request<Body>) -> Response<Body> {
    if is_local(&request) { health(state).await } else { unknown_path().await }
}

async fn local_metrics<B: Backend>(state: State<Arc<Door<B>>>, request: Request<Body>) -> Response<Body> {
    if is_local(&request) { metrics(state).await } else { unknown_path().await }
}

async fn health<B: Backend>(State(door): State<Arc<Door<B>>>) -> Response<Body> {
    let generation = door.backend.world().generation;
    reply::text(StatusCode::OK, format!("ok generation={generation}\n"))
}

async fn metrics<B: Backend>(State(door): State<Arc<Door<B>>>) -> Response<Body> {
    let status = door.backend.status();
    let gauges = Gauges {
        generation: door.backend.world().generation,
        status: &status,
        connections: door.connections.count(),
        queue_length: door.backend.queue_length(),
    };
    reply::text(StatusCode::OK, door.metrics.render(&gauges))
}
