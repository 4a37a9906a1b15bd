//! The routers of VPCs: a network namespace for each on every host where it has ports, so that two of them may have the same
//! addresses.
//!
//! Each is followed by a thread that lives in the namespace, with a reconciler and the servers of its own. The namespaces
//! outlive us, as rules do; a new agent finds them by their names.

mod cables;
mod lookup;
mod namespaces;
mod runner;
pub mod split;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rtnetlink::Handle;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::config::HostConfig;
use super::kernel::events::Events;
use super::reconcile::Applied;
use crate::plan::{Failure, HostState};
use crate::types::{VpcId, VpcPeeringConnectionId};
pub use lookup::{Lookups, Question};
use namespaces::Namespace;
use runner::Runner;
use split::{Router, Split};

/// The peering connections both of whose VPCs are here, each once.
fn peerings(state: &HostState) -> impl Iterator<Item = (VpcPeeringConnectionId, VpcId, VpcId)> {
    let all = state.vpcs.values().flat_map(|vpc| vpc.peerings.iter().map(|(id, to)| (*id, vpc.id, to.vpc)));
    all.filter(|(_, one, other)| one < other && state.vpcs.contains_key(other))
}

/// How often routers are looked at without a word: a namespace that somebody deleted.
const LOOK: Duration = Duration::from_secs(1);

type States = watch::Receiver<Option<Arc<HostState>>>;

/// What routers are made with.
pub struct Routers {
    config: Arc<HostConfig>,
    handle: Handle,
    lookups: Lookups,
    /// The last state, cut.
    cut: Option<Split>,
    runners: BTreeMap<VpcId, Runner>,
    failures: Vec<Failure>,
    /// The last generation that nothing was in the way of.
    whole: u64,
    /// Whether namespaces of before have been looked for.
    swept: bool,
}

impl Routers {
    /// In the host's own network namespace.
    ///
    /// # Errors
    /// There is no netlink.
    pub fn new(config: Arc<HostConfig>) -> io::Result<Self> {
        let (connection, handle, _) = rtnetlink::new_connection()?;
        tokio::spawn(connection);
        let lookups = lookup::start();
        let (runners, failures) = (BTreeMap::new(), Vec::new());
        Ok(Self { config, handle, lookups, cut: None, runners, failures, whole: 0, swept: false })
    }

    /// Follows the states until their sender is gone, and hands on what the host's own namespace must be. What that has
    /// applied comes by `applied`, and what all have by `report`.
    ///
    /// # Errors
    /// There is no hearing of interfaces.
    pub async fn run(
        mut self,
        mut states: States,
        own: watch::Sender<Option<Arc<HostState>>>,
        mut applied: watch::Receiver<Applied>,
        report: watch::Sender<Applied>,
    ) -> io::Result<()> {
        let links = Events::of_links()?.registered()?;
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (word, mut words) = watch::channel(());
        states.mark_changed();
        loop {
            let mut told = false;
            tokio::select! {
                changed = states.changed() => match changed {
                    Ok(()) => told = true,
                    Err(_) => return Ok(()),
                },
                ready = links.readable() => {
                    let mut ready = ready?;
                    ready.clear_ready();
                    ready.get_inner().drain(|_, _| false);
                }
                changed = applied.changed() => if changed.is_err() { return Ok(()) },
                _ = words.changed() => {}
                _ = look.tick() => {}
            }
            // Whatever woke us, a state that came meanwhile is seen here, and not told of again.
            let (state, new) = {
                let seen = states.borrow_and_update();
                (seen.clone(), seen.has_changed())
            };
            let Some(state) = state else { continue };
            if told || new {
                let cut = Split::of(&state, self.cut.as_ref());
                own.send_replace(Some(cut.host.clone()));
                self.cut = Some(cut);
            }
            let own_applied = applied.borrow_and_update().clone();
            self.follow(&state, &own_applied, &word).await;
            report.send_replace(self.joined(&own_applied));
        }
    }

    /// Brings the routers in step with the state.
    async fn follow(&mut self, state: &Arc<HostState>, own: &Applied, word: &watch::Sender<()>) {
        self.failures.clear();
        let Some(cut) = &self.cut else { return };
        let wanted = cut.routers.clone();
        if cut.only_groups {
            // Rules wait for no cables.
            for (vpc, router) in &wanted {
                if let Some(runner) = self.runners.get_mut(vpc) {
                    runner.tell(router.clone());
                }
            }
        }
        // VXLAN is heard by the host itself: not before its rules say from whom.
        let guarded = own.generation > 0 && !own.failures.iter().any(|failure| failure.subject == "rules");
        let gone: Vec<_> = self.runners.keys().filter(|vpc| !wanted.contains_key(vpc)).copied().collect();
        for vpc in gone {
            self.runners.remove(&vpc);
            self.remove(&namespaces::name(&self.config, vpc));
        }
        if !self.swept {
            self.sweep(&wanted);
        }
        // Ahead of the routes that lead over them.
        for (id, one, other) in peerings(state) {
            if let Err(message) = self.peering(id, one, other).await {
                self.failures.push(Failure { subject: format!("peering connection {id}"), message });
            }
        }
        for (vpc, router) in wanted {
            if let Err(error) = self.router(state, vpc, router, guarded, word).await {
                self.failures.push(Failure { subject: format!("VPC {vpc}"), message: error });
            }
        }
    }

    /// Joins two routers, which need no more of themselves for it than their namespaces.
    async fn peering(&self, id: VpcPeeringConnectionId, one: VpcId, other: VpcId) -> Result<(), String> {
        let ensure = |vpc| Namespace::ensure(&namespaces::name(&self.config, vpc));
        let (one, other) = (ensure(one)?, ensure(other)?);
        let cables = |namespace| cables::Cables::of(&self.handle, &self.config, namespace);
        let (one, other) = (cables(&one), cables(&other));
        one.peering(id, &other).await
    }

    /// Deletes namespaces of ours that an agent before us has left and no VPC needs.
    fn sweep(&mut self, wanted: &BTreeMap<VpcId, Router>) {
        self.swept = true;
        for (vpc, name) in namespaces::list(&self.config) {
            if !wanted.contains_key(&vpc) {
                self.remove(&name);
            }
        }
    }

    fn remove(&mut self, name: &str) {
        if let Err(message) = namespaces::delete(name) {
            self.swept = false;
            self.failures.push(Failure { subject: format!("network namespace {name}"), message });
        }
    }

    async fn router(
        &mut self,
        state: &HostState,
        vpc: VpcId,
        router: Router,
        guarded: bool,
        word: &watch::Sender<()>,
    ) -> Result<(), String> {
        let namespace = Namespace::ensure(&namespaces::name(&self.config, vpc))?;
        let cables = cables::Cables::of(&self.handle, &self.config, &namespace);
        let mut plugged = cables.transit(vpc).await;
        if let Some(section) = state.vpcs.get(&vpc).filter(|_| guarded) {
            let known = self.runners.contains_key(&vpc);
            plugged = plugged.and(cables.vxlan(state, section, known).await);
        }
        // Rules go on whatever becomes of a cable.
        let same = |runner: &Runner| runner.namespace == namespace.id && runner.lives();
        if !self.runners.get(&vpc).is_some_and(same) {
            // The old one's thread ends with it.
            if let Some(old) = self.runners.remove(&vpc)
                && !old.lives()
            {
                let message = format!("its router is begun anew: {}", old.reason());
                self.failures.push(Failure { subject: format!("VPC {vpc}"), message });
            }
            let runner = Runner::start(vpc, &namespace, &self.config, &self.lookups, word.clone())?;
            self.runners.insert(vpc, runner);
        }
        let ports: Vec<_> = router.kernel.ports.keys().copied().collect();
        let attached =
            router.told.instances.values().flat_map(|instance| instance.interfaces.iter().copied());
        let attached = attached.chain(ports.iter().copied()).collect();
        if let Some(runner) = self.runners.get_mut(&vpc) {
            runner.tell(router);
        }
        let joined = peerings(state).filter(|(_, one, other)| [one, other].contains(&&vpc));
        cables.unplug(&attached, &joined.map(|(id, ..)| id).collect());
        plugged.and(cables.ports(&ports).await)
    }

    /// What the host has applied as a whole: what every part of it has.
    fn joined(&mut self, own: &Applied) -> Applied {
        let mut all = own.clone();
        for runner in self.runners.values() {
            let applied = runner.applied();
            if applied.epoch == all.epoch {
                all.generation = all.generation.min(applied.generation);
            } else {
                all.generation = 0;
            }
            all.failures.extend(applied.failures);
            all.pending.extend(applied.pending);
        }
        all.failures.extend(self.failures.iter().cloned());
        // Nothing of a router that could not be made is applied, nor is one gone that could not be deleted.
        match self.failures.is_empty() {
            true => self.whole = all.generation,
            false => all.generation = all.generation.min(self.whole),
        }
        all.failures.sort();
        all.failures.dedup();
        all
    }
}
