//! The one writer of this server: decides commands in order and commits many of them in one transaction.
//!
//! A commit costs one fsync whatever it holds, so while one is under way the next commands gather
//! and share the next. A World is published only when its commit is on disk, and answers go out
//! after that: what a caller has been told is what a crash cannot undo, and what it reads next.
//!
//! Other servers may write to the same database. The transaction's first statement locks them out, then the writer
//! catches up with what they did, and only then decides.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::job::{Job, Outcome, internal};
use super::link::Link;
use super::publish::Publisher;
use super::transact::{self, Fate};
use super::{CommitError, StoreError, away, history};
use crate::control::Status;
use crate::crash::{self, Point};
use crate::query::{Fault, FaultCode};

/// Commands that wait; more are refused, so that memory and waiting time stay bounded.
pub(super) const QUEUE: usize = 1024;
/// Commands that share one transaction.
const BATCH: usize = 256;
/// How long callers wait to hear whether a COMMIT whose answer was lost has happened.
const DOUBT: Duration = Duration::from_secs(10);
/// How often one batch is tried: a connection that turns out to be dead, a history that turns out to be lost.
const TRIES: usize = 3;

pub(super) type Jobs = Vec<Box<dyn Job>>;

/// Asks for everything to be read again.
pub(super) type Reload = oneshot::Sender<Result<super::Reloaded, String>>;

pub(super) struct Writer {
    pub link: Link,
    pub publisher: Arc<Publisher>,
    pub status: Arc<ArcSwap<Status>>,
    pub give_up: fn(&CommitError) -> !,
    /// What this server calls itself where others hear it.
    pub server: Arc<str>,
    /// Committed or not: that must be found out before anything is answered.
    pub doubt: Option<Doubt>,
}

/// A transaction whose COMMIT had no answer, and who waits for it.
pub(super) struct Doubt {
    tag: String,
    jobs: Jobs,
    outcomes: Vec<Outcome>,
    until: Instant,
}

impl Writer {
    pub async fn run(mut self, mut queue: mpsc::Receiver<Box<dyn Job>>, mut reloads: mpsc::Receiver<Reload>) {
        let mut jobs = Jobs::with_capacity(BATCH);
        loop {
            let patience = self.doubt.as_ref().map(|doubt| doubt.until);
            tokio::select! {
                biased;
                () = self.link.restore(), if !self.link.is_up() => self.resolve().await,
                () = until(patience) => self.give_doubt_up(),
                Some(reply) = reloads.recv() => self.reload(reply).await,
                count = queue.recv_many(&mut jobs, BATCH) => {
                    if count == 0 {
                        return;
                    }
                    self.take(std::mem::take(&mut jobs)).await;
                }
            }
        }
    }

    async fn take(&mut self, mut jobs: Jobs) {
        if !self.link.is_up() {
            return answer_all(jobs, &away());
        }
        match self.batch(&mut jobs).await {
            Ok(outcomes) => answer(jobs, outcomes),
            Err(Unanswered { tag, outcomes }) => {
                let until = Instant::now() + DOUBT;
                self.doubt = Some(Doubt { tag, jobs, outcomes, until });
                if self.link.at_once().await {
                    self.resolve().await;
                }
            }
        }
    }

    /// Decides and commits all; when a constraint refuses, each by itself, so that only the guilty fails.
    async fn batch(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<Vec<Outcome>, Unanswered> {
        match self.together(jobs).await {
            Ok(outcomes) => Ok(outcomes),
            Err(CommitError::Unknown { tag, outcomes, .. }) => Err(Unanswered { tag, outcomes }),
            Err(CommitError::Constraint(_)) if jobs.len() > 1 => {
                let mut outcomes = Vec::with_capacity(jobs.len());
                for job in jobs {
                    outcomes.extend(match self.together(std::slice::from_mut(job)).await {
                        Ok(outcome) => outcome,
                        // The rest is done or not done for certain, so this one alone is not worth keeping all waiting.
                        Err(error) => vec![Err(self.failed(&error))],
                    });
                }
                Ok(outcomes)
            }
            Err(error) => Ok(vec![Err(self.failed(&error)); jobs.len()]),
        }
    }

    fn failed(&self, error: &CommitError) -> Fault {
        tracing::error!(error = crate::server::chain(error), "nothing was committed");
        match error {
            CommitError::Constraint(_) => internal("a decision broke a constraint of the store"),
            CommitError::Unavailable(StoreError::TooNew { .. }) => FaultCode::ServiceUnavailable
                .with("A newer Fogbank has changed the store: this server must be upgraded"),
            CommitError::Unavailable(_) | CommitError::Lost => away(),
            CommitError::Unknown { .. } => not_known(),
            CommitError::Fatal(_) => (self.give_up)(error),
        }
    }

    /// One transaction for all, made again where that can help.
    async fn together(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<Vec<Outcome>, CommitError> {
        let mut tries = 1;
        loop {
            let _turn = self.link.turn().await;
            let Some(connection) = self.link.up() else { return Err(CommitError::Lost) };
            let status = self.status.load_full();
            let transacted =
                transact::transact(connection, &self.publisher, jobs, &status, &self.server).await;
            let error = match transacted {
                Ok(outcomes) => return Ok(outcomes),
                Err(CommitError::Lost) if tries < TRIES => match self.begin_epoch().await {
                    Ok(()) => CommitError::Lost,
                    Err(error) => error.into(),
                },
                Err(error) => error,
            };
            if self.link.is_postgres() && !error.spares_connection() {
                self.link.lost(&error);
                let sure = !matches!(error, CommitError::Unknown { .. });
                if tries == TRIES || !sure || !self.link.at_once().await {
                    return Err(error);
                }
            } else if tries == TRIES || !matches!(error, CommitError::Lost) {
                return Err(error);
            }
            tries += 1;
        }
    }

    async fn begin_epoch(&mut self) -> Result<(), StoreError> {
        let Some(connection) = self.link.up() else { return Ok(()) };
        history::bring_up(connection, &self.publisher).await
    }

    /// Finds out whether the COMMIT whose answer was lost has happened, and answers.
    async fn resolve(&mut self) {
        let tag = self.doubt.as_ref().map(|doubt| doubt.tag.clone());
        let (Some(tag), Some(connection)) = (tag, self.link.up()) else { return };
        let looked = history::in_time(async {
            let fate = transact::fate(connection, &tag).await?;
            // Who is told that it happened must find it.
            if fate == Fate::Committed {
                history::bring_up(connection, &self.publisher).await?;
            }
            Ok(fate)
        });
        match looked.await {
            Ok(fate) => {
                let Some(Doubt { jobs, outcomes, .. }) = self.doubt.take() else { return };
                match fate {
                    Fate::Committed => answer(jobs, outcomes),
                    Fate::Nothing => answer_all(jobs, &away()),
                }
            }
            Err(error) => self.link.lost(&error),
        }
    }

    fn give_doubt_up(&mut self) {
        if let Some(doubt) = self.doubt.take() {
            answer_all(doubt.jobs, &not_known());
        }
    }

    async fn reload(&mut self, reply: Reload) {
        let answer = match self.link.up() {
            None => Err(away().message),
            Some(connection) => {
                let mut reloaded = transact::reload(connection, &self.publisher, &self.server).await;
                if matches!(reloaded, Err(CommitError::Lost))
                    && self.begin_epoch().await.is_ok()
                    && let Some(connection) = self.link.up()
                {
                    reloaded = transact::reload(connection, &self.publisher, &self.server).await;
                }
                if let Err(error) = &reloaded
                    && self.link.is_postgres()
                    && !error.spares_connection()
                {
                    self.link.lost(error);
                }
                reloaded.map_err(|error| crate::server::chain(&error))
            }
        };
        // The operator may have gone.
        let _ = reply.send(answer);
    }
}

struct Unanswered {
    tag: String,
    outcomes: Vec<Outcome>,
}

fn answer(jobs: Jobs, outcomes: Vec<Outcome>) {
    for (job, outcome) in jobs.into_iter().zip(outcomes) {
        job.answer(outcome);
        crash::point(Point::StoreAnswered);
    }
}

fn answer_all(jobs: Jobs, fault: &Fault) {
    for job in jobs {
        job.answer(Err(fault.clone()));
    }
}

fn not_known() -> Fault {
    FaultCode::ServiceUnavailable
        .with("The database went away before it confirmed the change: look whether it was made before you try again")
}

async fn until(end: Option<Instant>) {
    match end {
        Some(end) => tokio::time::sleep_until(end).await,
        None => std::future::pending().await,
    }
}

impl From<StoreError> for CommitError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error)
    }
}
