//! The one writer: decides commands in order and commits many of them in one transaction.
//!
//! A commit costs one fsync whatever it holds, so while one is under way the next commands gather
//! and share the next. A World is published only when its commit is on disk, and answers go out
//! after that: what a caller has been told is what a crash cannot undo, and what it reads next.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::mpsc;

use super::job::{Job, Outcome, decide_all, internal};
use super::publish::{Publisher, Seen};
use super::{CommitError, Handle, KeyFile, Store, StoreError};
use crate::control::Status;
use crate::query::Fault;
use crate::query::FaultCode;
use crate::types::Digest;
use crate::world::World;

/// Commands that wait; more are refused, so that memory and waiting time stay bounded.
const QUEUE: usize = 1024;
/// Commands that share one transaction.
const BATCH: usize = 256;

/// What the writer needs to know.
pub struct WriterSettings {
    pub key_file: KeyFile,
    /// How the process ends when what is on disk is not known any more.
    pub give_up: fn(&CommitError) -> !,
}

/// The last way out: an fsync that failed once may have lost the write for good.
pub fn exit(error: &CommitError) -> ! {
    tracing::error!(
        error = &*format!("{error:?}"),
        "the store failed: ending, so that nothing is built on a lost write"
    );
    std::process::exit(74)
}

/// Loads the store and starts its writer.
///
/// # Errors
/// The store cannot be read, or a secret does not open.
pub async fn start(mut store: Store, settings: WriterSettings) -> Result<Handle, StartError> {
    let seen = store.load_seen().await?;
    let publisher = Arc::new(Publisher::new(seen, settings.key_file)?);
    let status = Arc::new(ArcSwap::from_pointee(Status::default()));
    let (jobs, queue) = mpsc::channel(QUEUE);
    let handle = Handle { publisher: publisher.clone(), status: status.clone(), jobs };
    let writer = Writer { store, publisher, status, give_up: settings.give_up };
    tokio::spawn(writer.run(queue));
    Ok(handle)
}

/// The server cannot start on this store.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(
        "the secret of access key {access_key} does not open with this key file: restore the key file that belongs to the store"
    )]
    Seal { access_key: String },
}

struct Writer {
    store: Store,
    publisher: Arc<Publisher>,
    status: Arc<ArcSwap<Status>>,
    give_up: fn(&CommitError) -> !,
}

impl Writer {
    async fn run(mut self, mut queue: mpsc::Receiver<Box<dyn Job>>) {
        let mut jobs = Vec::with_capacity(BATCH);
        while queue.recv_many(&mut jobs, BATCH).await > 0 {
            let outcomes = self.batch(&mut jobs).await;
            for (job, outcome) in jobs.drain(..).zip(outcomes) {
                job.answer(outcome);
            }
        }
    }

    /// Decides and commits all; when a constraint refuses, each by itself, so that only the guilty fails.
    async fn batch(&mut self, jobs: &mut [Box<dyn Job>]) -> Vec<Outcome> {
        match self.together(jobs).await {
            Ok(outcomes) => outcomes,
            Err(CommitError::Constraint(_)) if jobs.len() > 1 => {
                let mut outcomes = Vec::with_capacity(jobs.len());
                for job in jobs {
                    let alone = self.together(std::slice::from_mut(job)).await;
                    outcomes.extend(alone.unwrap_or_else(|error| vec![Err(self.failed(&error))]));
                }
                outcomes
            }
            Err(error) => {
                let fault = self.failed(&error);
                vec![Err(fault); jobs.len()]
            }
        }
    }

    fn failed(&self, error: &CommitError) -> Fault {
        tracing::error!(error = &*format!("{error:?}"), "nothing was committed");
        match error {
            CommitError::Constraint(_) => internal("a decision broke a constraint of the store"),
            CommitError::Unavailable(_) => FaultCode::ServiceUnavailable
                .with("The server's store cannot be written now: try again later"),
            CommitError::Fatal(_) => (self.give_up)(error),
        }
    }

    async fn together(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<Vec<Outcome>, CommitError> {
        let before = self.publisher.seen();
        let status = self.status.load_full();
        let decided = decide_all(jobs, World::clone(&before.world), &status);
        if !decided.changes.is_empty() {
            let generation = before.world.generation + 1;
            let mut tag = [0; 16];
            super::random(&mut tag);
            let tag: Arc<str> = Digest(tag).to_string().into();
            self.store.commit(generation, &tag, &decided.changes).await?;
            let world = Arc::new(World { generation, ..decided.world });
            let changes = decided.changes.into_iter().map(|change| (generation, change)).collect();
            self.publisher.advance(Seen { world, tag, epoch: before.epoch }, changes);
        }
        Ok(decided.outcomes)
    }
}
