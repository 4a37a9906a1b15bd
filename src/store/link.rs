//! A connection that is made again when it is lost.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::JoinHandle;

use super::connection::Connection;
use super::place::Place;

/// How long one attempt may take.
const CONNECT: Duration = Duration::from_secs(3);
/// The first pause between attempts, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Whose turn it is to write to a file. SQLite would have who comes second sleep for 1, 2, 5, 10, … ms until the first is ready;
/// in a queue he goes on at once.
pub(super) type Turns = Arc<Mutex<()>>;

/// A connection to the store, up or being made again.
pub(super) struct Link {
    place: Place,
    /// What it is for, as the log calls it.
    name: &'static str,
    connection: Option<Connection>,
    attempt: Option<JoinHandle<Result<Connection, sqlx::Error>>>,
    pause: Duration,
    turns: Turns,
}

impl Link {
    pub fn new(place: Place, name: &'static str, connection: Option<Connection>, turns: &Turns) -> Self {
        Self { place, name, connection, attempt: None, pause: PAUSE.0, turns: turns.clone() }
    }

    /// Waits until nobody else in this process writes to the file. Postgres has a queue of its own, for all servers.
    pub async fn turn(&self) -> Option<OwnedMutexGuard<()>> {
        if self.is_postgres() {
            return None;
        }
        Some(self.turns.clone().lock_owned().await)
    }

    pub const fn is_up(&self) -> bool {
        self.connection.is_some()
    }

    pub const fn is_postgres(&self) -> bool {
        matches!(self.place, Place::Postgres(_))
    }

    pub const fn up(&mut self) -> Option<&mut Connection> {
        self.connection.as_mut()
    }

    /// Gives the connection up, because of an error or because nothing is known of it any more.
    pub fn lost(&mut self, error: &(dyn std::error::Error + 'static)) {
        if self.connection.take().is_some() {
            let why = crate::server::chain(error);
            tracing::warn!(connection = self.name, why, "the connection to the database is lost");
        }
    }

    /// Makes it, now; whether that went well. Postgres that was merely restarted is back by then.
    pub async fn at_once(&mut self) -> bool {
        if self.connection.is_none() {
            self.connection = connect(self.place.clone()).await.ok();
        }
        self.is_up()
    }

    /// Makes it again, however long that takes. To be waited for beside other things: nothing is lost when it is
    /// dropped and called again.
    pub async fn restore(&mut self) {
        while self.connection.is_none() {
            let (place, pause) = (self.place.clone(), self.pause);
            let attempt = self.attempt.get_or_insert_with(|| {
                tokio::spawn(async move {
                    tokio::time::sleep(pause).await;
                    connect(place).await
                })
            });
            let made = attempt.await;
            self.attempt = None;
            match made {
                Ok(Ok(connection)) => {
                    tracing::info!(connection = self.name, "the database is back");
                    self.connection = Some(connection);
                    self.pause = PAUSE.0;
                }
                Ok(Err(error)) => {
                    tracing::debug!(connection = self.name, %error, "the database is still away");
                    self.pause = (self.pause * 2).min(PAUSE.1);
                }
                Err(error) => tracing::error!(%error, "connecting failed in an unexpected way"),
            }
        }
    }
}

async fn connect(place: Place) -> Result<Connection, sqlx::Error> {
    let made = tokio::time::timeout(CONNECT, place.connect()).await;
    made.unwrap_or_else(|_| Err(sqlx::Error::PoolTimedOut))
}
