//! One read: told again where nothing has changed, and made by a thread that keeps nobody waiting.

use std::time::Instant;

use super::answers::{Answer, Of, Question};
use super::backend::Backend;
use super::quick::Thread;
use super::request_id::RequestId;
use super::router::Door;
use super::shares::apart;
use crate::control::{Caller, View};
use crate::query::{self, Action, Fault, FaultCode, Response};
use crate::types::Micros;

/// Pairs of a request that names only a few things: a filter with many patterns may take as many times as long.
const FEW_PAIRS: usize = 32;

/// To hand on so much takes long enough for others to wait for.
const LARGE: usize = 64 << 10;

/// A read that is asked for.
pub(super) struct Read {
    pub caller: Caller,
    pub action: Action,
    pub version: String,
    /// What it was decoded from.
    pub pairs: Vec<(String, String)>,
    pub now: Micros,
}

/// Answers a read; the text has the request id in it.
pub(super) async fn answer<B: Backend>(
    door: &Door<B>,
    read: Read,
    id: RequestId,
) -> Result<axum::body::Body, Fault> {
    let Read { caller, action, version, pairs, now } = read;
    let (id, is_plain) = (id.to_string(), pairs.len() <= FEW_PAIRS);
    let question = Question {
        owner: caller.owner.clone(),
        access_key: caller.access_key.clone(),
        endpoint: caller.endpoint.clone(),
        pairs,
    };
    let account = caller.owner.account;
    let _share = door.of_accounts.take(account).await;
    let begun = Instant::now();
    let known = door.answers.find(&question, &of(door, begun));
    let thread = if is_plain { door.quick.thread(account, action.name(), begun) } else { Thread::Own };
    // The account's share is held meanwhile: it has no more than that before anybody else's next request.
    if known.as_ref().map_or(thread == Thread::ThisInTurn, |known| known.len() >= LARGE) {
        tokio::task::yield_now().await;
    }
    // What was committed while others had their turn is to be seen, too.
    let of = of(door, Instant::now());
    if let Some(known) = known.and_then(|_| door.answers.find(&question, &of)) {
        return Ok(known.told(&id));
    }
    let work = || -> Result<String, Fault> {
        let view = View { world: &of.world, status: &of.status, caller: &caller, now };
        Ok(query::encode_response(&look(&view, &action)?, &version, &id))
    };
    let text = if thread == Thread::Own { apart(work) } else { work() };
    let ended = Instant::now();
    if is_plain {
        door.quick.note(account, action.name(), ended - of.at, ended);
    }
    let made = Answer::of(text?, &id, of.at);
    if is_plain {
        door.answers.keep(question, &made, &of);
    }
    Ok(made.told(&id))
}

fn of<B: Backend>(door: &Door<B>, at: Instant) -> Of {
    Of { world: door.backend.world(), status: door.backend.status(), at }
}

fn look(view: &View<'_>, action: &Action) -> Result<Response, Fault> {
    let response = query::dispatch_read(view, action)
        .unwrap_or_else(|| Err(FaultCode::InternalError.with(format!("{} does not read", action.name()))))?;
    match action.dry_run() {
        true => Err(FaultCode::DryRunOperation.with("Request would have succeeded, but DryRun flag is set.")),
        false => Ok(response),
    }
}
