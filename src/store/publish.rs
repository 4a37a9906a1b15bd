//! Publishing: readers get the new World, subscribers what led to it, and signatures the opened secrets.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use tokio::sync::{broadcast, watch};

use super::history::Mark;
use super::memory::Memory;
use super::{KeyFile, StartError};
use crate::auth::{Key, Secret};
use crate::crash::{self, Point};
use crate::world::{self, AccessKey, Change, Row, World};

/// Commits that a subscriber may be behind before it has to begin anew.
const BEHIND: usize = 256;

/// One step of the published World. Steps come without gaps: the next one's `before` is this one's `after`.
#[derive(Debug)]
pub struct Commit {
    pub before: Arc<World>,
    pub after: Arc<World>,
    /// What leads from one to the other; several generations may be in one step. `None` when everything was read again:
    /// then anything may differ, and the generation may even be lower.
    pub changes: Option<Vec<Change>>,
    /// The store's epoch after the step.
    pub epoch: Arc<str>,
}

/// The opened secrets by access key id.
pub(super) type Keys = imbl::HashMap<Arc<str>, Key>;

/// A state of the store: its World, and which of all the states with that generation it is.
#[derive(Clone)]
pub(super) struct Seen {
    pub world: Arc<World>,
    /// The tag of the transaction that made the generation.
    pub tag: Arc<str>,
    pub epoch: Arc<str>,
}

impl Seen {
    pub fn mark(&self) -> Mark {
        Mark { generation: self.world.generation, tag: self.tag.clone(), epoch: self.epoch.clone() }
    }
}

/// Changes, each with the generation that it was committed in.
pub(super) type Dated = Vec<(u64, Change)>;

/// Where the published World is. Whoever learns of a newer one brings it here.
pub(super) struct Publisher {
    current: Mutex<Seen>,
    worlds: watch::Sender<Arc<World>>,
    commits: broadcast::Sender<Arc<Commit>>,
    keys: ArcSwap<Keys>,
    key_file: KeyFile,
    memory: Memory,
}

impl Publisher {
    /// Publishes the first World.
    ///
    /// # Errors
    /// A secret in it does not open.
    pub fn new(seen: Seen, key_file: KeyFile, memory: Memory) -> Result<Self, StartError> {
        let keys = ArcSwap::from_pointee(open_keys(&key_file, &seen.world)?);
        memory.note(&seen.mark());
        let worlds = watch::Sender::new(seen.world.clone());
        Ok(Self {
            current: Mutex::new(seen),
            worlds,
            commits: broadcast::Sender::new(BEHIND),
            keys,
            key_file,
            memory,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn seen(&self) -> Seen {
        self.lock().clone()
    }

    pub fn world(&self) -> Arc<World> {
        self.worlds.borrow().clone()
    }

    pub fn worlds(&self) -> watch::Receiver<Arc<World>> {
        self.worlds.subscribe()
    }

    pub fn commits(&self) -> broadcast::Receiver<Arc<Commit>> {
        self.commits.subscribe()
    }

    pub fn key(&self, access_key: &str) -> Option<Key> {
        self.keys.load().get(access_key).cloned()
    }

    pub fn key_file(&self) -> &KeyFile {
        &self.key_file
    }

    /// Publishes what `changes` made of an earlier state, unless something newer is published already.
    pub fn advance(&self, after: Seen, changes: Dated) {
        let mut current = self.lock();
        if after.epoch != current.epoch || after.world.generation <= current.world.generation {
            return;
        }
        // Another one may have published the beginning of it.
        let known = current.world.generation;
        let new = changes.into_iter().filter(|(generation, _)| *generation > known);
        let changes: Vec<Change> = new.map(|(_, change)| change).collect();
        self.learn_keys(&changes);
        self.publish(&mut current, after, Some(changes));
    }

    /// Publishes a state that was read in full because what was known of an epoch leads no further. Whether that epoch, or
    /// the state's own, still was the present one; the state of an epoch that has ended meanwhile is not published.
    pub fn replace(&self, known_epoch: &str, after: Seen) -> bool {
        let mut current = self.lock();
        if after.epoch == current.epoch {
            if after.world.generation <= current.world.generation {
                return true;
            }
        } else if *current.epoch != *known_epoch {
            return false;
        }
        let open = |row: &Arc<AccessKey>| match open_key(&self.key_file, row) {
            Ok(key) => Some((row.id.clone(), key)),
            Err(error) => {
                tracing::error!(%error, "an access key cannot be used");
                None
            }
        };
        self.keys.store(Arc::new(after.world.access_keys.values().filter_map(open).collect()));
        self.publish(&mut current, after, None);
        true
    }

    /// Everything else follows the World: who waits for it finds the secrets already, and who subscribed
    /// to commits before it looked at the World misses none.
    fn publish(&self, current: &mut Seen, after: Seen, changes: Option<Vec<Change>>) {
        let before = std::mem::replace(current, after);
        self.memory.note(&current.mark());
        crash::point(Point::StoreRemembered);
        self.worlds.send_replace(current.world.clone());
        tracing::trace!(generation = current.world.generation, tag = &*current.tag, "published");
        let (after, epoch) = (current.world.clone(), current.epoch.clone());
        // Nobody may be there to listen.
        let _ = self.commits.send(Arc::new(Commit { before: before.world, after, changes, epoch }));
    }

    /// Keeps the opened secrets in step with the rows.
    fn learn_keys(&self, changes: &[Change]) {
        let mut keys: Option<Keys> = None;
        let now = || Keys::clone(&self.keys.load());
        for change in changes {
            match change {
                Change::Put(Row::AccessKey(row)) => match open_key(&self.key_file, row) {
                    Ok(key) => drop(keys.get_or_insert_with(now).insert(row.id.clone(), key)),
                    Err(error) => {
                        tracing::error!(%error, "a new access key cannot be used");
                        keys.get_or_insert_with(now).remove(&row.id);
                    }
                },
                Change::Delete(world::Key::AccessKey(id)) => {
                    keys.get_or_insert_with(now).remove(id);
                }
                _ => {}
            }
        }
        if let Some(keys) = keys {
            self.keys.store(Arc::new(keys));
        }
    }
}

fn open_key(key_file: &KeyFile, row: &AccessKey) -> Result<Key, StartError> {
    let secret = key_file.open_secret(&row.id, &row.sealed_secret);
    let secret = secret.map_err(|_| StartError::Seal { access_key: row.id.to_string() })?;
    Ok(Key { secret: Secret::new(secret.to_vec()), account: row.account })
}

fn open_keys(key_file: &KeyFile, world: &World) -> Result<Keys, StartError> {
    world.access_keys.values().map(|row| Ok((row.id.clone(), open_key(key_file, row)?))).collect()
}
