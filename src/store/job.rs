//! Commands as the writer takes them: something to decide, and someone to answer.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::control::{Caller, Decision, Env, Status};
use crate::query::{Fault, FaultCode};
use crate::types::Micros;
use crate::world::{Change, World};

/// What one command changed, by itself.
#[derive(Clone, Debug)]
pub struct Done {
    /// The generation that the command was committed in; others may share it.
    pub generation: u64,
    /// The World that the command was decided on.
    pub before: Arc<World>,
    /// The World that it led to; later commands of the same generation are not in it.
    pub after: Arc<World>,
    pub changes: Vec<Change>,
}

/// How a command ended; nothing is noted of one that changed nothing.
pub(super) type Outcome = Result<Option<Done>, Fault>;

/// A command in the writer's queue.
pub(super) trait Job: Send {
    fn caller(&self) -> &Caller;
    fn dry_run(&self) -> bool;
    /// May be called again: when the batch is taken apart, or the transaction is made once more.
    fn decide(&mut self, decision: &mut Decision<'_>) -> Result<(), Fault>;
    fn answer(self: Box<Self>, outcome: Outcome);
}

pub(super) struct TypedJob<R, F> {
    pub caller: Caller,
    pub dry_run: bool,
    pub decide: F,
    pub made: Option<R>,
    pub reply: oneshot::Sender<Result<(R, Option<Done>), Fault>>,
}

impl<R: Send, F: FnMut(&mut Decision<'_>) -> Result<R, Fault> + Send> Job for TypedJob<R, F> {
    fn caller(&self) -> &Caller {
        &self.caller
    }

    fn dry_run(&self) -> bool {
        self.dry_run
    }

    fn decide(&mut self, decision: &mut Decision<'_>) -> Result<(), Fault> {
        self.made = Some((self.decide)(decision)?);
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Outcome) {
        let made = self.made;
        let answer =
            outcome.and_then(|done| Ok((made.ok_or_else(|| internal("nothing was decided"))?, done)));
        // A caller that went away does not undo what it asked for.
        let _ = self.reply.send(answer);
    }
}

pub(super) fn internal(what: &'static str) -> Fault {
    tracing::error!(what, "internal error");
    FaultCode::InternalError.with("An internal error has occurred; the server's log says more")
}

/// The jobs of one transaction, decided in order on a World of their own.
pub(super) struct Decided {
    /// After all of them; its generation is still that of before.
    pub world: World,
    pub changes: Vec<Change>,
    pub outcomes: Vec<Outcome>,
}

/// Decides all jobs on a World; `world.generation` is the last that was committed.
pub(super) fn decide_all(jobs: &mut [Box<dyn Job>], world: World, status: &Status) -> Decided {
    let mut decided = Decided { world, changes: Vec::new(), outcomes: Vec::with_capacity(jobs.len()) };
    for job in jobs {
        let outcome = decide(&mut **job, &mut decided, status);
        decided.outcomes.push(outcome);
    }
    decided
}

/// Decides one job on the working World; one that fails, panics or only asks leaves no trace.
fn decide(job: &mut dyn Job, decided: &mut Decided, status: &Status) -> Outcome {
    let caller = job.caller().clone();
    let mut bits = || {
        let mut bytes = [0; 8];
        super::random(&mut bytes);
        u64::from_le_bytes(bytes)
    };
    let before = decided.world.clone();
    let mut decision = Decision::new(before.clone(), status, &caller, Env::new(Micros::now(), &mut bits));
    let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| job.decide(&mut decision)));
    outcome.unwrap_or_else(|_| Err(internal("a decision panicked")))?;
    if job.dry_run() {
        return Err(FaultCode::DryRunOperation.with("Request would have succeeded, but DryRun flag is set."));
    }
    let (after, changes) = decision.finish();
    decided.world = after.clone();
    if changes.is_empty() {
        return Ok(None);
    }
    decided.changes.extend_from_slice(&changes);
    let generation = after.generation + 1;
    let after = World { generation, ..after };
    Ok(Some(Done { generation, before: Arc::new(before), after: Arc::new(after), changes }))
}
