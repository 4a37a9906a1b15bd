//! What each host was sent, and who is to be woken.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;

use crate::operator::Operator;
use crate::plan::message::{Answer, News, Poll};
use crate::plan::{Concern, Delta, HostState, Planner, concern};
use crate::store::{Commit, Handle};
use crate::types::Micros;
use crate::world::World;

/// A poll is answered after this long, whatever the agent asked for: what is not heard of for a second
/// counts as away.
const PATIENCE: Duration = Duration::from_millis(700);

/// A host that was not heard of for so long is away: it is not waited for.
pub(super) const AWAY: Duration = Duration::from_secs(1);

/// How often what polls say is noted.
const REFRESH: Duration = Duration::from_millis(500);

/// All hosts' feeds. Cheap to clone through an `Arc`.
pub struct Hub {
    pub(super) operator: Operator,
    inner: Mutex<Inner>,
    /// Counts reports, for those who wait for one.
    pub(super) reported: watch::Sender<u64>,
}

struct Inner {
    world: Arc<World>,
    epoch: Arc<str>,
    planner: Option<Planner>,
    hosts: HashMap<Arc<str>, HostFeed>,
    /// What concerns a host that has no feed yet: everything up to here.
    begun: u64,
}

/// One host, as this server knows it.
struct HostFeed {
    /// The last generation that concerns the host; its poll wakes when this moves.
    concerned: watch::Sender<u64>,
    /// What the agent said that it holds, and what was sent after that: it may have got either.
    acked: Option<Arc<HostState>>,
    sent: Option<Arc<HostState>>,
    /// The last generation that it says it has applied.
    applied: u64,
    heard: Option<Instant>,
}

impl HostFeed {
    fn new(concerned: u64) -> Self {
        let concerned = watch::Sender::new(concerned);
        Self { concerned, acked: None, sent: None, applied: 0, heard: None }
    }

    /// The generation up to which the host's kernel is right: the newest, where nothing since concerns it.
    fn right_up_to(&self, newest: u64) -> u64 {
        if self.applied > 0 && self.applied >= *self.concerned.borrow() { newest } else { self.applied }
    }

    /// The state that the agent says it holds, if it is one that we know.
    fn held(&mut self, generation: u64) -> Option<Arc<HostState>> {
        let is = |state: &&Arc<HostState>| state.generation == generation;
        if self.sent.as_ref().filter(is).is_some() {
            self.acked = self.sent.clone();
        }
        self.acked.as_ref().filter(is).cloned()
    }
}

impl Hub {
    /// A hub that nobody has asked yet; [`Hub::run`] keeps it up to date.
    pub fn new(operator: Operator) -> Arc<Self> {
        let (world, epoch) = (operator.handle.world(), operator.handle.epoch());
        let inner = Inner { begun: world.generation, world, epoch, planner: None, hosts: HashMap::new() };
        Arc::new(Self { operator, inner: Mutex::new(inner), reported: watch::Sender::new(0) })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows the store's commits until it is gone.
    pub async fn run(self: Arc<Self>) {
        let mut commits = self.operator.handle.commits();
        // What was published between the hub's making and the subscription.
        self.lock().begin_anew(self.operator.handle.world(), self.operator.handle.epoch());
        let mut refresh = tokio::time::interval(REFRESH);
        loop {
            let commit = tokio::select! {
                commit = commits.recv() => commit,
                _ = refresh.tick() => {
                    self.refresh();
                    continue;
                }
            };
            match commit {
                Ok(commit) => self.lock().step(&commit),
                Err(RecvError::Lagged(_)) => {
                    let handle = &self.operator.handle;
                    self.lock().begin_anew(handle.world(), handle.epoch());
                }
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// What the host should be, as soon as that is something else than what its agent holds.
    pub async fn poll(&self, host: &Arc<str>, poll: &Poll) -> Answer {
        let until = Instant::now() + PATIENCE.min(Duration::from_millis(poll.patience_ms));
        let handle = &self.operator.handle;
        let behind = self.lock().is_behind(poll);
        let sure =
            !behind || matches!(tokio::time::timeout_at(until.into(), handle.fresh()).await, Ok(Ok(())));
        loop {
            let (answer, mut concerned) = {
                let mut inner = self.lock();
                // In this order: what is published may be newer than the look that found nothing newer.
                let touched = handle.in_touch();
                let published = inner.has_published(handle);
                let confirms = touched && sure && published;
                let news = match inner.is_behind(poll) && !(sure && published) {
                    true => News::None,
                    false => inner.news(host, poll),
                };
                let epoch = inner.epoch.clone();
                let feed = inner.feed(host);
                feed.heard = Some(Instant::now());
                (Answer { epoch, confirms, news }, feed.concerned.subscribe())
            };
            if answer.news != News::None || Instant::now() >= until {
                return answer;
            }
            // Out of time: the next round answers that there is nothing.
            let _ = tokio::time::timeout_at(until.into(), concerned.changed()).await;
        }
    }

    /// Notes how far a host has come and returns the generation up to which its kernel is right.
    pub(super) fn reached(&self, host: &Arc<str>, epoch: &str, applied: u64) -> u64 {
        let mut inner = self.lock();
        let (newest, same) = (inner.world.generation, *inner.epoch == *epoch);
        let feed = inner.feed(host);
        feed.heard = Some(Instant::now());
        feed.applied = if same { applied } else { 0 };
        feed.right_up_to(newest)
    }

    /// How far a host has come, and when it was last heard of here.
    pub(super) fn progress(&self, host: &Arc<str>) -> (u64, Option<Instant>) {
        let mut inner = self.lock();
        let newest = inner.world.generation;
        let feed = inner.feed(host);
        (feed.right_up_to(newest), feed.heard)
    }

    /// How far each host that is heard of here has come, and when that was.
    fn all_progress(&self) -> Vec<(Arc<str>, u64, Instant)> {
        let inner = self.lock();
        let newest = inner.world.generation;
        let of = |(host, feed): (&Arc<str>, &HostFeed)| {
            Some((host.clone(), feed.right_up_to(newest), feed.heard?))
        };
        inner.hosts.iter().filter_map(of).collect()
    }

    /// Polls say that a host lives, and what does not concern it is applied already: without a word of its own.
    /// That one is away is noted once; who hears of it later knows better.
    fn refresh(&self) {
        let now = (Instant::now(), Micros::now());
        let progress = self.all_progress();
        let status = self.operator.handle.status();
        let noted: Vec<_> = progress
            .into_iter()
            .filter_map(|(host, applied, heard)| {
                let old = status.hosts.get(&host)?;
                let ago = now.0.duration_since(heard);
                let seen = Micros(now.1.0 - i64::try_from(ago.as_micros()).unwrap_or(i64::MAX));
                let away = ago > AWAY;
                if away && (old.away || old.last_seen > seen.plus_seconds(1)) {
                    return None;
                }
                Some((host, applied, seen, away))
            })
            .collect();
        if noted.is_empty() {
            return;
        }
        self.operator.handle.update_status(|all| {
            for (host, applied, seen, away) in &noted {
                let Some(status) = all.hosts.get_mut(host) else { continue };
                // The later word counts, so that a new one about what was heard before must be later than the old.
                if *applied > status.applied || *away != status.away {
                    status.last_seen = Micros(status.last_seen.0 + 1);
                }
                status.applied = status.applied.max(*applied);
                status.last_seen = status.last_seen.max(*seen);
                status.away = *away;
            }
        });
    }
}

impl Inner {
    fn feed(&mut self, host: &Arc<str>) -> &mut HostFeed {
        let begun = self.begun;
        self.hosts.entry(host.clone()).or_insert_with(|| HostFeed::new(begun))
    }

    /// Whether the agent was told something, by another server, that this one does not know. Unless the database has
    /// lost it, the agent must not be told what was before: addresses may be others' by now.
    fn is_behind(&self, poll: &Poll) -> bool {
        poll.generation > 0 && (poll.epoch != self.epoch || poll.generation > self.world.generation)
    }

    /// Whether hosts are told everything here that the store has published.
    fn has_published(&self, handle: &Handle) -> bool {
        handle.epoch() == self.epoch && handle.world().generation <= self.world.generation
    }

    fn begin_anew(&mut self, world: Arc<World>, epoch: Arc<str>) {
        if epoch != self.epoch || world.generation < self.world.generation {
            // Generations count anew: what was sent is of another history.
            for feed in self.hosts.values_mut() {
                (feed.acked, feed.sent, feed.applied) = (None, None, 0);
            }
        }
        (self.world, self.epoch, self.planner) = (world, epoch, None);
        self.begun = self.world.generation;
        let concern = Concern::All;
        self.wake(&concern);
    }

    fn step(&mut self, commit: &Commit) {
        // What was read anew is more than its steps say.
        let (Some(changes), true) = (&commit.changes, commit.epoch == self.epoch) else {
            return self.begin_anew(commit.after.clone(), commit.epoch.clone());
        };
        if commit.after.generation <= self.world.generation {
            return;
        }
        let concern = concern(&commit.before, &commit.after, changes);
        self.world = commit.after.clone();
        self.wake(&concern);
    }

    fn wake(&mut self, concern: &Concern) {
        let generation = self.world.generation;
        if matches!(concern, Concern::All) {
            self.begun = generation;
        }
        // A host that has no feed yet begins with all of it anyway.
        for (_, feed) in self.hosts.iter().filter(|(host, _)| concern.contains(host)) {
            feed.concerned.send_replace(generation);
        }
        let unheard = |host: &Arc<str>| !self.hosts.contains_key(host);
        if let Concern::Hosts(hosts) = concern
            && hosts.iter().any(unheard)
        {
            self.begun = generation;
        }
    }

    /// Brought up to the World when the first host asks after a change.
    fn planner(&mut self) -> &mut Planner {
        let (world, epoch) = (&self.world, &self.epoch);
        let planner = match self.planner.take() {
            Some(planner) if Arc::ptr_eq(planner.world(), world) => planner,
            Some(planner) => planner.advance(world.clone(), epoch.clone()),
            None => Planner::new(world.clone(), epoch.clone()),
        };
        self.planner.insert(planner)
    }

    fn news(&mut self, host: &Arc<str>, poll: &Poll) -> News {
        let same = poll.epoch == self.epoch && poll.generation <= self.world.generation;
        let feed = self.feed(host);
        let held = feed.held(poll.generation).filter(|_| same);
        if held.as_ref().is_some_and(|held| held.generation >= *feed.concerned.borrow()) {
            return News::None;
        }
        let state = self.planner().host_state(host);
        self.feed(host).sent = Some(state.clone());
        match held {
            Some(held) => News::Delta(Box::new(Delta::between(&held, &state))),
            None => News::Full(state),
        }
    }
}
