//! Keeps up with what other servers commit, and says to readers when their view is new enough.
//!
//! A read may begin once a look at the database that was sent after the read arrived has found nothing newer than what is
//! published. Readers that come while a look is under way wait for the next one and share it. Notifications and a poll
//! beside that keep those up to date who only listen.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::sync::{Notify, mpsc, oneshot};

use super::link::Link;
use super::publish::Publisher;
use super::{StoreError, away, history};
use crate::query::Fault;

/// How late a change of another server's is seen where its notification was lost.
const POLL: Duration = Duration::from_millis(500);
/// How long a look may take before the connection counts as dead.
const PATIENCE: Duration = Duration::from_secs(3);
/// Readers that share one look.
pub(super) const READERS: usize = 4096;

/// A reader, to be told that the published World is new enough.
pub(super) type Reader = oneshot::Sender<Result<(), Fault>>;

pub(super) struct Follower {
    pub link: Link,
    pub publisher: Arc<Publisher>,
    pub hint: Arc<Notify>,
    pub touch: Arc<Touch>,
}

/// When the last look at the database began that ended well: all that was committed before is published.
#[derive(Default)]
pub(super) struct Touch(Mutex<Option<Instant>>);

impl Touch {
    fn made(&self, begun: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(begun);
    }

    pub fn is_within(&self, time: Duration) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|begun| begun.elapsed() <= time)
    }
}

impl Follower {
    pub async fn run(mut self, mut readers: mpsc::Receiver<Reader>) {
        let mut poll = tokio::time::interval(POLL);
        poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let hint = self.hint.clone();
        let mut waiting = Vec::new();
        loop {
            tokio::select! {
                () = self.link.restore(), if !self.link.is_up() => {}
                count = readers.recv_many(&mut waiting, READERS) => {
                    if count == 0 {
                        return;
                    }
                }
                () = hint.notified() => {}
                _ = poll.tick() => {}
            }
            let fresh = self.look().await;
            for reader in waiting.drain(..) {
                // The reader may have gone.
                let _ = reader.send(fresh.clone());
            }
        }
    }

    async fn look(&mut self) -> Result<(), Fault> {
        for again in [true, false] {
            let Some(connection) = self.link.up() else { return Err(away()) };
            let (begun, known) = (Instant::now(), self.publisher.seen().mark());
            let looked = tokio::time::timeout(PATIENCE, history::meta(connection)).await;
            let looked = looked.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map_err(StoreError::from);
            let brought = match looked {
                Ok(meta) if meta.mark == known => Ok(()),
                Ok(_) => history::bring_up(connection, &self.publisher).await,
                Err(error) => Err(error),
            };
            match brought {
                Ok(()) => {
                    self.touch.made(begun);
                    return Ok(());
                }
                Err(StoreError::Sql(error)) => {
                    self.link.lost(&error);
                    if !again || !self.link.at_once().await {
                        return Err(away());
                    }
                }
                Err(error) => {
                    tracing::error!(error = crate::server::chain(&error), "the store cannot be read");
                    return Err(away());
                }
            }
        }
        Err(away())
    }
}

/// Passes on that another server has committed, or has written reports; for ever.
pub(super) async fn listen(
    options: PgConnectOptions,
    server: Arc<str>,
    commits: Arc<Notify>,
    reports: Arc<Notify>,
) {
    loop {
        let ended = listen_once(options.clone(), &server, &commits, &reports).await;
        tracing::debug!(?ended, "notifications are not heard; the poll finds what is new meanwhile");
        tokio::time::sleep(POLL).await;
    }
}

async fn listen_once(
    options: PgConnectOptions,
    server: &str,
    commits: &Notify,
    reports: &Notify,
) -> Result<(), sqlx::Error> {
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(PATIENCE).connect_lazy_with(options);
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen("fogbank").await?;
    while let Some(notification) = listener.try_recv().await? {
        let payload = notification.payload();
        match payload.strip_suffix(" reports") {
            Some(from) if from != server => reports.notify_one(),
            None if payload != server => commits.notify_one(),
            _ => {}
        }
    }
    Ok(())
}
