//! One API call: signature, decoding, decision, answer.

use std::net::{IpAddr, Ipv4Addr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::http::header::{ALLOW, EXPECT, HOST, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, Request, Response as Reply, StatusCode};
use futures_util::FutureExt;

use super::backend::{Backend, Written};
use super::config::Regions;
use super::fairness::{Turn, peer_of};
use super::read::{self, Read};
use super::request_id::RequestId;
use super::router::{Door, Peer};
use super::shares::apart;
use super::{body, quirks, reply};
use crate::auth::{self, Rules, Scope};
use crate::control::Caller;
use crate::query::{self, Action, Fault, FaultCode};
use crate::types::{Micros, Owner};

/// Bytes of a form that takes long to verify and to read.
const LONG_FORM: usize = 16 * 1024;
/// Which hosts have applied the write that was asked for.
const APPLIED: HeaderName = HeaderName::from_static("x-fogbank-applied");

/// What goes into the reply.
struct Answer {
    body: Body,
    applied: Option<String>,
}

/// What is known of a call once it was decoded, for metrics and the log.
#[derive(Default)]
struct Trace {
    /// When the whole request was there: what a slow client takes is not our latency.
    started: Option<Instant>,
    action: Option<&'static str>,
    access_key: Option<Arc<str>>,
}

/// Answers a request, whatever happens on the way.
pub(super) async fn answer<B: Backend>(door: &Door<B>, request: Request<Body>) -> Reply<Body> {
    let id = RequestId::random();
    let mut trace = Trace::default();
    let wrong_method = !matches!(*request.method(), Method::GET | Method::POST);
    let outcome = AssertUnwindSafe(call(door, request, id, &mut trace)).catch_unwind().await;
    let outcome = outcome.unwrap_or_else(|_| {
        // The panic's own message is in the log already, by the panic hook.
        Err(FaultCode::InternalError.with("An internal error has occurred"))
    });
    let action = trace.action.unwrap_or("-");
    let code = outcome.as_ref().map_or_else(|fault| fault.code.as_str(), |_| "ok");
    let took = trace.started.map(|started| started.elapsed()).unwrap_or_default();
    door.metrics.called(action, code, took);
    let key = trace.access_key.as_deref().unwrap_or("-");
    match outcome {
        Ok(Answer { body, applied }) => {
            tracing::debug!(action, key, request = %id, "answered");
            let mut reply = reply::xml(StatusCode::OK, id, body);
            if let Some(applied) = applied.and_then(|applied| HeaderValue::try_from(applied).ok()) {
                reply.headers_mut().insert(APPLIED, applied);
            }
            reply
        }
        Err(fault) => {
            if fault.code.status() >= 500 {
                tracing::error!(action, key, code, request = %id, message = %fault.message, "failed");
            } else if trace.access_key.is_none() {
                // Strangers must not be able to fill the log.
                tracing::debug!(action, key, code, request = %id, message = %fault.message, "refused");
            } else {
                tracing::info!(action, key, code, request = %id, message = %fault.message, "refused");
            }
            let mut reply = reply::fault(&fault, id);
            if wrong_method {
                reply.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, POST"));
            }
            reply
        }
    }
}

async fn call<B: Backend>(
    door: &Door<B>,
    request: Request<Body>,
    id: RequestId,
    trace: &mut Trace,
) -> Result<Answer, Fault> {
    let (mut head, body) = request.into_parts();
    if !matches!(head.method, Method::GET | Method::POST) {
        return Err(FaultCode::MethodNotAllowed.with("The EC2 API takes the methods GET and POST"));
    }
    let waits = head.headers.contains_key(EXPECT);
    let peer = head.extensions.get::<Peer>().map(|Peer(peer)| peer_of(peer.ip()));
    let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let body = body::read(body, peer, waits, &door.room, door.config.body_timeout()).await?;
    trace.started = Some(Instant::now());
    let turn = head.extensions.remove::<Arc<Turn>>();
    let _work = match &turn {
        Some(turn) => Some(turn.work().ok_or_else(|| {
            FaultCode::ServiceUnavailable.with("The connection made room for another client's: try again")
        })?),
        None => None,
    };
    // Before the signature, too: a key that another server has deleted signs nothing any more.
    door.backend.fresh().await?;
    let share = door.of_peers.take(peer).await;
    let now = Micros::now();
    let asked = match body.bytes().len() > LONG_FORM {
        true => apart(|| understand(door, &head, body.bytes(), now, trace)),
        false => understand(door, &head, body.bytes(), now, trace),
    };
    let Asked { caller, action, version, pairs } = asked?;
    // A large form must not lie in memory while the writer is waited for.
    drop((body, share));
    door.throttle.take(&caller.owner, action.name(), action.is_write(), Instant::now())?;
    let faults = action.faults();
    let answer = if action.is_write() {
        let written = door.backend.submit(caller, action).await;
        written.map(|Written { response, applied }| Answer {
            body: query::encode_response(&response, &version, &id.to_string()).into(),
            applied,
        })
    } else {
        let body = read::answer(door, Read { caller, action, version, pairs, now }, id).await;
        body.map(|body| Answer { body, applied: None })
    };
    answer.inspect_err(|fault: &Fault| {
        // For tests: what a client may meet is written down in api-spec/.
        let declared = faults.contains(&fault.code) || query::COMMON_FAULTS.contains(&fault.code);
        debug_assert!(declared, "{} is not declared by {:?}", fault.code.as_str(), trace.action);
    })
}

/// What a signed request asks for.
struct Asked {
    caller: Caller,
    action: Action,
    version: String,
    /// What it was decoded from.
    pairs: Vec<(String, String)>,
}

/// Verifies the signature and reads the form.
fn understand<B: Backend>(
    door: &Door<B>,
    head: &Parts,
    body: &[u8],
    now: Micros,
    trace: &mut Trace,
) -> Result<Asked, Fault> {
    let request = auth::Request {
        method: head.method.as_str(),
        path: head.uri.path(),
        query: head.uri.query().unwrap_or_default(),
        headers: &head.headers,
        body,
    };
    let rules = Rules { now, sigv2: door.config.sigv2 };
    let mut verified = auth::verify(&request, &rules, |key| door.backend.key(key))?;
    if door.config.strict_scope {
        check_scope(&door.regions, verified.scope.as_ref())?;
    }
    let scope = verified.scope.as_ref().map(|scope| scope.region.as_str());
    let owner = Owner { account: verified.account, region: door.regions.of_scope(scope).clone() };
    let host = head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let (endpoint, quotas) = (host.into(), Arc::clone(&door.quotas));
    let isolated = door.regions.is_isolated(&owner.region);
    let caller = Caller { owner, access_key: verified.access_key.into(), endpoint, quotas, isolated };
    trace.access_key = Some(Arc::clone(&caller.access_key));
    let user_agent = head.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    quirks::correct(user_agent, &mut verified.pairs);
    let query::Request { action, version } = query::decode(&verified.pairs)?;
    trace.action = Some(action.name());
    Ok(Asked { caller, action, version, pairs: verified.pairs })
}

/// Refuses names that are not ours, where the operator wants that.
fn check_scope(regions: &Regions, scope: Option<&Scope>) -> Result<(), Fault> {
    let Some(Scope { region, service }) = scope else { return Ok(()) };
    let wrong = |what: &str| Err(FaultCode::SignatureDoesNotMatch.with(what));
    if !regions.contains(region) {
        return wrong("Credential should be scoped to a valid region.");
    }
    match service.as_str() {
        "ec2" | "sts" => Ok(()),
        _ => wrong("Credential should be scoped to correct service: 'ec2'."),
    }
}
