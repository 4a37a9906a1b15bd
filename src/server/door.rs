//! The store and the hosts' feed as the HTTP door sees them.

use std::sync::Arc;
use std::time::Duration;

use crate::auth::Key;
use crate::control::{self, Caller, Decision, Status};
use crate::feed::Hub;
use crate::http::{Backend, Written};
use crate::keys;
use crate::query::{self, Action, Fault, FaultCode};
use crate::store::Handle;
use crate::world::World;

/// See [`Backend`].
pub(super) struct Door {
    pub handle: Handle,
    pub hub: Arc<Hub>,
    /// How long an answer waits for hosts; zero for not at all.
    pub apply_wait: Duration,
}

impl Backend for Door {
    fn world(&self) -> Arc<World> {
        self.handle.world()
    }

    fn status(&self) -> Arc<Status> {
        self.handle.status()
    }

    fn key(&self, access_key: &str) -> Option<Key> {
        self.handle.key(access_key)
    }

    async fn fresh(&self) -> Result<(), Fault> {
        self.handle.fresh().await
    }

    async fn submit(&self, caller: Caller, action: Action) -> Result<Written, Fault> {
        let dry_run = action.dry_run();
        let waits = waits(&action) && !self.apply_wait.is_zero();
        let new_key = new_key(&action).await?;
        let decide = move |decision: &mut Decision<'_>| {
            decision.env.new_key.clone_from(&new_key);
            query::dispatch_write(decision, &action)
                .unwrap_or_else(|| Err(internal(format!("{} does not write", action.name()))))
        };
        let (response, done) = self.handle.submit_noting(caller, dry_run, decide).await?;
        let applied = match done {
            Some(done) if waits => self.hub.wait_applied(&done, self.apply_wait).await,
            _ => None,
        };
        Ok(Written { response, applied: applied.map(|applied| applied.to_string()) })
    }

    fn queue_length(&self) -> usize {
        self.handle.queue_length()
    }
}

/// Instances start and stop in their own time, and say how far they are.
fn waits(action: &Action) -> bool {
    !matches!(action, Action::RunInstances(_) | Action::StartInstances(_) | Action::StopInstances(_))
}

fn internal(message: String) -> Fault {
    FaultCode::InternalError.with(message)
}

/// The key pair that the action will want, made beside the writer.
async fn new_key(action: &Action) -> Result<Option<keys::NewKey>, Fault> {
    let Action::CreateKeyPair(request) = action else { return Ok(None) };
    let kind = control::key_pairs::kind(request);
    let made = tokio::task::spawn_blocking(move || keys::make(kind)).await;
    let key = made.map_err(|error| internal(error.to_string()))?;
    Ok(Some(key.map_err(|error| internal(error.to_string()))?))
}
