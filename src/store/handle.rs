//! What readers and callers hold of the store.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{Notify, broadcast, mpsc, oneshot, watch};

use super::follower::{Reader, Touch};
use super::job::{Job, TypedJob, internal};
use super::publish::Publisher;
use super::writer::Reload;
use super::{Commit, Done, KeyFile, Reloaded, away};
use crate::auth::Key;
use crate::control::lease::IN_TOUCH;
use crate::control::{Caller, Decision, Status};
use crate::query::{Fault, FaultCode};
use crate::world::World;

/// The published World and the way to the writer.
#[derive(Clone)]
pub struct Handle {
    pub(super) publisher: Arc<Publisher>,
    pub(super) status: Arc<ArcSwap<Status>>,
    /// Tells the keeper of reports.
    pub(super) news: Arc<Notify>,
    pub(super) jobs: mpsc::Sender<Box<dyn Job>>,
    pub(super) reloads: mpsc::Sender<Reload>,
    /// Absent where no other server writes.
    pub(super) readers: Option<mpsc::Sender<Reader>>,
    /// Of no meaning there.
    pub(super) touch: Arc<Touch>,
    /// Ends what runs for the handles' sake with the last of them.
    pub(super) _users: mpsc::Sender<std::convert::Infallible>,
}

impl Handle {
    /// The published World.
    pub fn world(&self) -> Arc<World> {
        self.publisher.world()
    }

    /// Has the published World catch up with all that any server has answered before this call.
    ///
    /// # Errors
    /// ServiceUnavailable where that cannot be known, because the database is away.
    pub async fn fresh(&self) -> Result<(), Fault> {
        let Some(readers) = &self.readers else { return Ok(()) };
        let (reply, answer) = oneshot::channel();
        readers.try_send(reply).map_err(|_| busy())?;
        answer.await.unwrap_or_else(|_| Err(away()))
    }

    /// Whether the published World has all that was committed up to [`IN_TOUCH`] ago, by whichever server. Idle or not,
    /// the database is looked at every half second; where no other server writes, the World is always the newest.
    pub fn in_touch(&self) -> bool {
        self.readers.is_none() || self.touch.is_within(IN_TOUCH)
    }

    /// Reads everything again, at every server: what was changed by hand is seen from then on.
    ///
    /// # Errors
    /// What is wrong with the rows, each with its table and column; nothing has changed then.
    pub async fn reload(&self) -> Result<Reloaded, String> {
        let (reply, answer) = oneshot::channel();
        self.reloads.send(reply).await.map_err(|_| "the writer is gone".to_owned())?;
        answer.await.unwrap_or_else(|_| Err("the writer is gone".to_owned()))
    }

    /// Every World that is published from now on; one that comes late sees the last.
    pub fn subscribe(&self) -> watch::Receiver<Arc<World>> {
        self.publisher.worlds()
    }

    /// Every step of the published World from now on.
    ///
    /// To begin without a gap: subscribe, then look at [`Handle::world`], then pass over the steps whose generation is
    /// not above its. Who lags behind is told so by the channel and begins again like this.
    pub fn commits(&self) -> broadcast::Receiver<Arc<Commit>> {
        self.publisher.commits()
    }

    /// Which history of the store the generations count in: a restored backup begins another.
    pub fn epoch(&self) -> Arc<str> {
        self.publisher.seen().epoch
    }

    /// What an access key id stands for.
    pub fn key(&self, access_key: &str) -> Option<Key> {
        self.publisher.key(access_key)
    }

    /// Seals a secret for a row.
    pub fn key_file(&self) -> &KeyFile {
        self.publisher.key_file()
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
        self.news.notify_one();
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
        self.submit_noting(caller, dry_run, decide).await.map(|(made, _)| made)
    }

    /// As [`Handle::submit`], and says what the command changed, if anything.
    ///
    /// # Errors
    /// As there.
    pub async fn submit_noting<R: Send + 'static>(
        &self,
        caller: Caller,
        dry_run: bool,
        decide: impl FnMut(&mut Decision<'_>) -> Result<R, Fault> + Send + 'static,
    ) -> Result<(R, Option<Done>), Fault> {
        let (reply, answer) = oneshot::channel();
        let job = TypedJob { caller, dry_run, decide, made: None, reply };
        self.jobs.try_send(Box::new(job)).map_err(|_| busy())?;
        answer.await.map_err(|_| internal("the writer is gone"))?
    }
}

fn busy() -> Fault {
    FaultCode::ServiceUnavailable.with("The server is busy: try again in a moment")
}
