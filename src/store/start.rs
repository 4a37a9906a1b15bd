//! Starting on a store: what is there is loaded, and the tasks that keep it run.

use std::convert::Infallible;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{Notify, mpsc};

use super::checkpoint;
use super::follower::{Follower, READERS, Reader, Touch, listen};
use super::history::{self, Standing};
use super::link::{Link, Turns};
use super::memory::Memory;
use super::place::Place;
use super::publish::Publisher;
use super::reports::{self, Keeper};
use super::writer::{QUEUE, Writer};
use super::{CommitError, Handle, KeyFile, Store, StoreError};
use crate::control::Status;

/// What the writer needs to know.
pub struct WriterSettings {
    pub key_file: KeyFile,
    /// Where the last state that was published is remembered.
    pub memory: std::path::PathBuf,
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

/// The server cannot start on this store.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(
        "this server's key file is not the one that the store's secrets are sealed with: copy secrets.key from the state \
         folder of a server that runs on this store, or from the backup that has the store"
    )]
    KeyFile,
    #[error(
        "the secret of access key {access_key} does not open with this key file: restore the key file that belongs to the store"
    )]
    Seal { access_key: String },
    #[error("cannot use {path}")]
    Memory { path: std::path::PathBuf, source: std::io::Error },
}

/// Loads the store and starts what keeps it.
///
/// # Errors
/// The store cannot be read, or the key file is another's.
pub async fn start(mut store: Store, settings: WriterSettings) -> Result<Handle, StartError> {
    let WriterSettings { key_file, memory: path, give_up } = settings;
    if !store.accepts(&key_file).await? {
        return Err(StartError::KeyFile);
    }
    let (memory, remembered) = Memory::open(&path).map_err(|source| StartError::Memory { path, source })?;
    if let Some(known) = remembered {
        let meta = history::meta(&mut store.connection).await.map_err(StoreError::from)?.mark;
        let standing = history::standing(&mut store.connection, &known, &meta.epoch, meta.generation).await;
        if standing.map_err(StoreError::from)? == Standing::Lost {
            history::begin_epoch(&mut store.connection, &known).await?;
        }
    }
    let seen = store.load_seen().await?;
    let publisher = Arc::new(Publisher::new(seen, key_file, memory)?);
    let stored = reports::load(&mut store.connection).await?;
    let status = Arc::new(ArcSwap::from_pointee(stored.0.clone()));
    let server: Arc<str> = history::random_tag().into();
    let Store { place, connection, .. } = store;
    let (news, touch, turns) = (Arc::default(), Arc::default(), Turns::default());
    let shared = Shared { place, publisher, status, server, news, touch, turns };
    let (readers, users) = shared.keep_up(stored).await;
    let (jobs, queue) = mpsc::channel(QUEUE);
    let (reloads, reload_queue) = mpsc::channel(1);
    let Shared { place, publisher, status, server, news, touch, turns } = shared;
    let handle = Handle {
        publisher: publisher.clone(),
        status: status.clone(),
        news,
        jobs,
        reloads,
        readers,
        touch,
        _users: users,
    };
    let link = Link::new(place, "writer", Some(connection), &turns);
    let writer = Writer { link, publisher, status, give_up, server, doubt: None };
    tokio::spawn(writer.run(queue, reload_queue));
    Ok(handle)
}

/// What the tasks of one server share.
struct Shared {
    place: Place,
    publisher: Arc<Publisher>,
    status: Arc<ArcSwap<Status>>,
    server: Arc<str>,
    news: Arc<Notify>,
    touch: Arc<Touch>,
    turns: Turns,
}

impl Shared {
    /// Keeps the hosts' reports, and keeps up with other servers where there may be some.
    async fn keep_up(
        &self,
        stored: (Status, u64),
    ) -> (Option<mpsc::Sender<Reader>>, mpsc::Sender<Infallible>) {
        let (commits, reports) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (user, users) = mpsc::channel(1);
        let (publisher, status, server) = (&self.publisher, &self.status, &self.server);
        let mut link = Link::new(self.place.clone(), "reports", None, &self.turns);
        link.at_once().await;
        let hints = [reports.clone(), self.news.clone()];
        let keeper = Keeper::new(link, publisher.clone(), status.clone(), stored, server.clone(), hints);
        tokio::spawn(keeper.run(users));
        let Place::Postgres(options) = &self.place else {
            tokio::spawn(checkpoint::keep_short(self.place.clone(), publisher.worlds()));
            return (None, user);
        };
        let (readers, queue) = mpsc::channel(READERS);
        let mut link = Link::new(self.place.clone(), "reader", None, &self.turns);
        link.at_once().await;
        let (publisher, touch) = (publisher.clone(), self.touch.clone());
        let follower = Follower { link, publisher, hint: commits.clone(), touch };
        tokio::spawn(follower.run(queue));
        let listening = listen((**options).clone(), server.clone(), commits, reports);
        let gone = user.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = listening => {}
                () = gone.closed() => {}
            }
        });
        (Some(readers), user)
    }
}
