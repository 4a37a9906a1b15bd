//! The one writer: decides commands in order and commits many of them in one transaction.
//!
//! A commit costs one fsync whatever it holds, so while one is under way the next commands gather
//! and share the next. A World is published only when its commit is on disk, and answers go out
//! after that: what a caller has been told is what a crash cannot undo, and what it reads next.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot, watch};

use super::{CommitError, KeyFile, Store, StoreError};
use crate::auth::{Key, Secret};
use crate::control::{Caller, Decision, Env, Status};
use crate::query::{Fault, FaultCode};
use crate::types::{Digest, Micros};
use crate::world::{Change, Row, World};

/// Commands that wait; more are refused, so that memory and waiting time stay bounded.
const QUEUE: usize = 1024;
/// Commands that share one transaction.
const BATCH: usize = 256;

/// Something to decide, and someone to answer.
trait Job: Send {
    fn caller(&self) -> &Caller;
    fn dry_run(&self) -> bool;
    /// May be called again when the batch is taken apart.
    fn decide(&mut self, decision: &mut Decision<'_>) -> Result<(), Fault>;
    fn answer(self: Box<Self>, outcome: Result<(), Fault>);
}

struct TypedJob<R, F> {
    caller: Caller,
    dry_run: bool,
    decide: F,
    made: Option<R>,
    reply: oneshot::Sender<Result<R, Fault>>,
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

    fn answer(self: Box<Self>, outcome: Result<(), Fault>) {
        let made = self.made;
        let answer = outcome.and_then(|()| made.ok_or_else(|| internal("nothing was decided")));
        // A caller that went away does not undo what it asked for.
        let _ = self.reply.send(answer);
    }
}

fn internal(what: &'static str) -> Fault {
    tracing::error!(what, "internal error");
    FaultCode::InternalError.with("An internal error has occurred; the server's log says more")
}

/// What readers and callers hold: the published World and the way to the writer.
#[derive(Clone)]
pub struct Handle {
    published: watch::Receiver<Arc<World>>,
    keys: Arc<ArcSwap<imbl::HashMap<Arc<str>, Key>>>,
    status: Arc<ArcSwap<Status>>,
    key_file: Arc<KeyFile>,
    jobs: mpsc::Sender<Box<dyn Job>>,
}

impl Handle {
    /// The published World.
    pub fn world(&self) -> Arc<World> {
        self.published.borrow().clone()
    }

    /// Every World that is published from now on; one that comes late sees the last.
    pub fn subscribe(&self) -> watch::Receiver<Arc<World>> {
        self.published.clone()
    }

    /// What an access key id stands for.
    pub fn key(&self, access_key: &str) -> Option<Key> {
        self.keys.load().get(access_key).cloned()
    }

    /// Seals a secret for a row.
    pub fn key_file(&self) -> &KeyFile {
        &self.key_file
    }

    pub fn status(&self) -> Arc<Status> {
        self.status.load_full()
    }

    /// Changes the hosts' reports.
    pub fn update_status(&self, update: impl Fn(&mut Status)) {
        self.status.rcu(|status| {
            let mut status = Status::clone(status);
            update(&mut status);
            status
        });
    }

    /// Commands that wait for the writer.
    pub fn queue_length(&self) -> usize {
        self.jobs.max_capacity() - self.jobs.capacity()
    }

    /// Has the writer decide and commit.
    ///
    /// # Errors
    /// The decision's own fault; ServiceUnavailable when the queue is full or the disk cannot be
    /// written; DryRunOperation when a dry run would have succeeded.
    pub async fn submit<R: Send + 'static>(
        &self,
        caller: Caller,
        dry_run: bool,
        decide: impl FnMut(&mut Decision<'_>) -> Result<R, Fault> + Send + 'static,
    ) -> Result<R, Fault> {
        let (reply, answer) = oneshot::channel();
        let job = TypedJob { caller, dry_run, decide, made: None, reply };
        self.jobs.try_send(Box::new(job)).map_err(|_| busy())?;
        answer.await.map_err(|_| internal("the writer is gone"))?
    }
}

fn busy() -> Fault {
    FaultCode::ServiceUnavailable.with("The server is busy: try again in a moment")
}

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
    let world = store.load().await?;
    let mut keys = imbl::HashMap::new();
    for row in world.access_keys.values() {
        let secret = settings.key_file.open_secret(&row.id, &row.sealed_secret);
        let secret = secret.map_err(|_| StartError::Seal { access_key: row.id.to_string() })?;
        keys.insert(row.id.clone(), Key { secret: Secret::new(secret.to_vec()), account: row.account });
    }
    let (publish, published) = watch::channel(Arc::new(world));
    let (jobs, queue) = mpsc::channel(QUEUE);
    let handle = Handle {
        published,
        keys: Arc::new(ArcSwap::from_pointee(keys)),
        status: Arc::new(ArcSwap::from_pointee(Status::default())),
        key_file: Arc::new(settings.key_file),
        jobs,
    };
    let writer = Writer {
        store,
        publish,
        keys: handle.keys.clone(),
        status: handle.status.clone(),
        key_file: handle.key_file.clone(),
        give_up: settings.give_up,
    };
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
    publish: watch::Sender<Arc<World>>,
    keys: Arc<ArcSwap<imbl::HashMap<Arc<str>, Key>>>,
    status: Arc<ArcSwap<Status>>,
    key_file: Arc<KeyFile>,
    give_up: fn(&CommitError) -> !,
}

type Outcome = Result<(), Fault>;

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
        let mut world = World::clone(&self.publish.borrow());
        let (mut changes, mut outcomes) = (Vec::new(), Vec::with_capacity(jobs.len()));
        let status = self.status.load_full();
        for job in jobs {
            outcomes.push(decide(&mut **job, &mut world, &status, &mut changes));
        }
        if !changes.is_empty() {
            world.generation += 1;
            let mut tag = [0; 16];
            super::random(&mut tag);
            self.store.commit(world.generation, &Digest(tag).to_string(), &changes).await?;
            self.learn_keys(&changes);
            self.publish.send_replace(Arc::new(world));
        }
        Ok(outcomes)
    }

    /// Keeps the opened secrets in step with the rows.
    fn learn_keys(&self, changes: &[Change]) {
        let concerns = |change: &&Change| {
            matches!(change, Change::Put(Row::AccessKey(_)) | Change::Delete(crate::world::Key::AccessKey(_)))
        };
        let mut keys: Option<imbl::HashMap<Arc<str>, Key>> = None;
        for change in changes.iter().filter(concerns) {
            let keys = keys.get_or_insert_with(|| imbl::HashMap::clone(&self.keys.load()));
            match change {
                Change::Put(Row::AccessKey(row)) => {
                    match self.key_file.open_secret(&row.id, &row.sealed_secret) {
                        Ok(secret) => {
                            let secret = Secret::new(secret.to_vec());
                            keys.insert(row.id.clone(), Key { secret, account: row.account });
                        }
                        Err(error) => {
                            tracing::error!(%error, access_key = &*row.id, "a new secret does not open")
                        }
                    }
                }
                Change::Delete(crate::world::Key::AccessKey(id)) => drop(keys.remove(id)),
                _ => {}
            }
        }
        if let Some(keys) = keys {
            self.keys.store(Arc::new(keys));
        }
    }
}

/// Decides one job on the working World; one that fails, panics or only asks leaves no trace.
fn decide(job: &mut dyn Job, world: &mut World, status: &Status, changes: &mut Vec<Change>) -> Outcome {
    let caller = job.caller().clone();
    let mut bits = || {
        let mut bytes = [0; 8];
        super::random(&mut bytes);
        u64::from_le_bytes(bytes)
    };
    let mut decision = Decision::new(world.clone(), status, &caller, Env::new(Micros::now(), &mut bits));
    let decided = std::panic::catch_unwind(AssertUnwindSafe(|| job.decide(&mut decision)));
    decided.unwrap_or_else(|_| Err(internal("a decision panicked")))?;
    if job.dry_run() {
        return Err(FaultCode::DryRunOperation.with("Request would have succeeded, but DryRun flag is set."));
    }
    let (after, made) = decision.finish();
    *world = after;
    changes.extend(made);
    Ok(())
}
