//! Makes one host what its [`HostState`] says, and keeps it so.
//!
//! Start, change, drift and restart are one code path: read the kernel, write the difference. The
//! order is the promise: rules before addresses, addresses before announcements; and when something
//! goes, rules, address, then its flows.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use rtnetlink::Handle;
use tokio::io::unix::AsyncFdReadyGuard;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::config::HostConfig;
use super::hold::{Confirmed, Hold};
use super::kernel::announce::Announcer;
use super::kernel::challenge::{self, Challenges};
use super::kernel::conntrack::{self, Keep};
use super::kernel::events::{Events, Interest};
use super::kernel::flat;
use super::kernel::foreign::{Needs, Obstacles};
use super::kernel::glance::{Glance, Watched, ended};
use super::kernel::host::{Leave, Pass};
use super::kernel::ipv6;
use super::kernel::leaving::Leaving;
use super::kernel::links::{self, Link};
use super::kernel::nft::Nft;
use super::kernel::probe::Care;
use super::kernel::render::{self, Side};
use super::kernel::sides::outside_switches;
use super::kernel::{private_nat, subnets};
use super::names::GATEWAY_BRIDGE;
use super::short::Last;
use crate::plan::{Exit, Failure, HostState, Wiring};
use crate::types::{Cidr4, EniId, MacAddr, VpcId};

/// How long notifications are gathered before the kernel is looked at.
const GATHER: Duration = Duration::from_millis(10);

/// How often what no notification tells of is looked at: proxy entries, ARP switches.
const GLANCE: Duration = Duration::from_millis(400);

/// How often everything is looked at, and failures are tried again.
const FULL: Duration = Duration::from_secs(15);
const RETRY: Duration = Duration::from_secs(2);

/// How often while a host does not know whether it was cut off for long.
const DOUBT: Duration = Duration::from_millis(100);

/// What came of a state.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Applied {
    /// The state's epoch and generation.
    pub epoch: Arc<str>,
    pub generation: u64,
    /// What is not as it should be.
    pub failures: Vec<Failure>,
    /// See `HostReport::holding`.
    pub holding: Vec<Ipv4Addr>,
    pub flat_mac: Option<MacAddr>,
    pub flat_mtu: Option<u32>,
    pub wiring: Option<Wiring>,
    /// Ports whose interface the driver has not made yet; no failures.
    pub pending: Vec<EniId>,
}

/// Programs the network namespace in which it was made.
pub struct Reconciler {
    pub(super) config: HostConfig,
    side: Side,
    handle: Handle,
    connection: JoinHandle<()>,
    pub(super) nft: Nft,
    interest: Interest,
    pub(super) obstacles: Obstacles,
    watched: Watched,
    /// What was mapped at the last pass; `None` before the first.
    mapped: Option<BTreeMap<Ipv4Addr, Ipv4Addr>>,
    /// The instances' addresses: whose interface, on which host.
    places: BTreeMap<Ipv4Addr, (EniId, Arc<str>)>,
    exits: BTreeMap<Cidr4, Exit>,
    leaving: Leaving,
    flows6: ipv6::Flows,
    /// Addresses, and networks on their way to the outside, whose flows are still to be cut.
    gone: BTreeSet<Ipv4Addr>,
    turned: BTreeSet<Cidr4>,
    cut_due: bool,
    pub(super) hold: Hold,
    /// Whether no ARP is answered for instances on the flat segment: cut off, they may be elsewhere by now.
    pub(super) silent: bool,
    pub(super) flat_plugged: bool,
    /// Whether the last pass left something that is not as it should be.
    failing: bool,
    /// The elastic addresses that the host answers for.
    pub(super) held: BTreeSet<Ipv4Addr>,
    pub(super) announcer: Announcer,
    /// Hears who else has our addresses; open once there is a public interface.
    pub(super) challenges: Option<Challenges>,
    /// The public interface's index and address, as of the last pass.
    pub(super) public: Option<(u32, MacAddr)>,
    /// The address lease of the last pass, and when that was.
    lease: (u32, std::time::Instant),
    /// `None` where it left something that is not as it should be.
    pub(super) last: Option<Last>,
}

impl Drop for Reconciler {
    /// The rules stay; only our socket goes.
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Reconciler {
    /// For the network namespace of the calling thread, within a tokio runtime whose threads are
    /// all in that namespace.
    ///
    /// # Errors
    /// When there is no netlink socket to be had.
    pub fn new(config: HostConfig) -> io::Result<Self> {
        let (connection, handle, _) = rtnetlink::new_connection()?;
        let interfaces =
            vec![config.public_interface.clone(), config.flat_interface.clone(), GATEWAY_BRIDGE.to_owned()];
        Ok(Self {
            nft: Nft::new(config.rules_by),
            config,
            side: Side::Host,
            handle,
            connection: tokio::spawn(connection),
            interest: Interest { interfaces, ports: BTreeSet::new() },
            obstacles: Obstacles::default(),
            watched: Watched::default(),
            mapped: None,
            places: BTreeMap::new(),
            exits: BTreeMap::new(),
            leaving: Leaving::default(),
            flows6: ipv6::Flows::default(),
            gone: BTreeSet::new(),
            turned: BTreeSet::new(),
            cut_due: true,
            hold: Hold::new(None),
            silent: false,
            flat_plugged: true,
            failing: false,
            held: BTreeSet::new(),
            announcer: Announcer::default(),
            challenges: None,
            public: None,
            lease: (0, std::time::Instant::now()),
            last: None,
        })
    }

    /// For the router of a VPC, whose configuration names the two ways out of it.
    #[must_use]
    pub fn of_router(mut self, vpc: VpcId) -> Self {
        self.side = Side::Router(vpc);
        self
    }

    /// Holds elastic IPs by the word of a server: see [`Hold`].
    #[must_use]
    pub fn confirmed_by(mut self, confirmed: Confirmed) -> Self {
        self.hold = Hold::new(Some(confirmed));
        self
    }

    /// One pass: idempotent, and never stopped by a failure.
    pub async fn apply(&mut self, state: &Arc<HostState>) -> Applied {
        self.last = None;
        let links = match links::list(&self.handle).await {
            Ok(links) => links,
            Err(error) => return unread(&error),
        };
        let now = std::time::Instant::now();
        self.look_at_cables(&links, now).await;
        let (state, withheld) = self.hold.of(state, now);
        let (mut applied, facts) = match self.pass(&state, links, now).await {
            Ok(passed) => passed,
            Err(error) => return unread(&error),
        };
        applied.failures.extend(withheld);
        applied.failures.sort();
        applied.failures.dedup();
        self.held = applied.holding.iter().copied().collect();
        self.lease = (state.address_lease, now);
        if applied.failures.is_empty() && self.nft.stand() {
            self.last = Some(Last { state, facts, applied: applied.clone() });
        }
        applied
    }

    async fn pass(
        &mut self,
        state: &HostState,
        links: BTreeMap<String, Link>,
        now: std::time::Instant,
    ) -> Result<(Applied, render::Host), rtnetlink::Error> {
        let handle = self.handle.clone();
        let config = self.config.clone();
        let mut pass = Pass::read(&handle, &config, state, self.side, links, self.silent).await?;
        let facts = pass.facts();
        let rules = render::render(state, &facts);
        if let Err(error) = self.nft.apply(rules).await {
            pass.failures.push(Failure { subject: "rules".into(), message: error.to_string() });
        }
        self.note_gone(state, &pass);
        pass.gateways().await;
        // Fail closed: without rules no port is opened and no address answered.
        if self.nft.stand() {
            pass.ports().await;
            pass.outside(&mut self.announcer).await;
            pass.ipv6(&mut self.flows6).await;
            self.watched.set_proxies(pass.wanted_proxies(), pass.wanted_proxies6());
            let switches = outside_switches(&config, state, self.side);
            self.watched.set(switches.into_iter().flat_map(|(_, list)| list).collect(), pass.served.clone());
        } else if self.nft.is_bare() {
            pass.close_ports().await;
        }
        let ports: BTreeSet<_> = state.ports.values().flat_map(|port| port.private_ips()).collect();
        self.announcer.retain(|ip| state.addresses.contains_key(&ip) || ports.contains(&ip));
        let removed = pass.remove_addresses().await;
        self.cut_due |= !removed.is_empty();
        self.gone.extend(removed);
        self.cut(state, &mut pass).await;
        if self.nft.stand() {
            let care = if self.hold.alone(now) { Care::THOROUGH } else { Care::QUICK };
            let leave = Leave { lifetime: self.hold.lifetime(state.address_lease, now), care };
            pass.add_addresses(leave, &mut self.announcer).await;
        }
        if !self.cut_due {
            pass.sweep_routes().await;
        }
        self.nft.remember();
        self.interest.ports = pass.cables();
        // Nobody else can have what is between a host and a router of its own.
        self.public = if self.side == Side::Host { pass.public_link() } else { None };
        let (holding, flat_mac, wiring) = (pass.holding(), pass.flat_mac(), Some(pass.wiring()));
        let flat_mtu = pass.flat_mtu();
        let (epoch, generation) = (state.epoch.clone(), state.generation);
        let (failures, pending) = (pass.failures, pass.pending);
        let applied = Applied { epoch, generation, failures, pending, holding, flat_mac, flat_mtu, wiring };
        Ok((applied, facts))
    }

    /// Remembers whose flows must end: instances, mappings and ways to the outside that were there before.
    fn note_gone(&mut self, state: &HostState, pass: &Pass<'_>) {
        let places = flat::everywhere(state);
        let left = self.places.iter().filter(|(ip, place)| places.get(ip) != Some(place)).map(|(ip, _)| *ip);
        self.gone.extend(left.chain(pass.left_places(self.mapped.is_some())));
        let elastic = state.addresses.values().map(|a| (a.public_ip, a.private_ip));
        let gateways = subnets::nat_gateways(state).map(|gateway| gateway.transit);
        let gateways = gateways.chain(private_nat::here(state).map(|gateway| gateway.address));
        let mapped: BTreeMap<_, _> = elastic.chain(gateways.map(|ip| (ip, ip))).collect();
        let before = self.mapped.take().unwrap_or_default();
        self.gone.extend(before.keys().filter(|ip| !mapped.contains_key(ip)));
        let moved = before.iter().any(|(public, private)| mapped.get(public) != Some(private));
        let exits: BTreeMap<_, _> =
            state.networks.values().map(|network| (network.cidr, network.exit.clone())).collect();
        self.turned.extend(pass.turned_networks());
        let leaving = Leaving::new(state);
        self.cut_due |= moved || exits != self.exits || leaving != self.leaving;
        self.cut_due |= !self.gone.is_empty() || !self.turned.is_empty();
        self.leaving = leaving;
        (self.mapped, self.places, self.exits) = (Some(mapped), places, exits);
    }

    async fn cut(&mut self, state: &HostState, pass: &mut Pass<'_>) {
        if !self.cut_due {
            return;
        }
        let keep = Keep::new(state, self.gone.clone(), self.turned.clone());
        // A full table takes a tenth of a second to read.
        let result = tokio::task::spawn_blocking(move || conntrack::cut(&keep)).await;
        let error = match result {
            Ok(Ok(count)) => {
                tracing::debug!(count, "flows cut");
                self.gone.clear();
                self.turned.clear();
                self.cut_due = false;
                return;
            }
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        let message = format!("flows of removed addresses may live on: {error}");
        pass.failures.push(Failure { subject: "connection tracking".into(), message });
    }

    /// Follows the states until their sender is gone, and repairs what others change meanwhile.
    /// Before the first state nothing is touched.
    ///
    /// # Errors
    /// When the kernel's notifications cannot be had.
    pub async fn run(
        mut self,
        mut states: watch::Receiver<Option<Arc<HostState>>>,
        report: watch::Sender<Applied>,
    ) -> io::Result<()> {
        let routing = Events::of_routing()?.registered()?;
        let rules = Events::of_rules()?.registered()?;
        let mut glance = interval(GLANCE);
        glance.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Far away: nothing is due before the first state.
        let mut due = Instant::now() + FULL;
        states.mark_changed();
        let mut glancing = None;
        loop {
            tokio::select! {
                () = self.hold.confirmed() => {
                    if self.wants_renewal() {
                        due = Instant::now();
                    }
                }
                heard = challenge::hear(&self.challenges, &self.held, self.public) => {
                    self.challenged(heard);
                    due = due.min(Instant::now());
                }
                changed = states.changed() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                    let state = states.borrow_and_update().clone();
                    if !self.look_at_groups(state.as_ref(), &report).await {
                        due = Instant::now();
                    }
                },
                ready = routing.readable() => {
                    if heard(ready?, |kind, body| self.interest.in_routing(kind, body)) {
                        due = due.min(Instant::now() + GATHER);
                    }
                }
                ready = rules.readable() => {
                    heard(ready?, |_, _| false);
                    if !self.nft.sound() {
                        tracing::warn!("somebody changed our rules; writing them anew");
                        due = Instant::now();
                    }
                }
                _ = glance.tick(), if glancing.is_none() => {
                    // What could not be set will be off until it is tried again, in its time.
                    if !self.nft.sound() && !self.failing {
                        due = Instant::now();
                    }
                    glancing = Some(tokio::spawn(self.glance(needs(&states, self.config.vxlan_port))));
                }
                Some(found) = ended(&mut glancing) => {
                    glancing = None;
                    if self.glanced(found) {
                        due = Instant::now();
                    }
                }
                () = sleep_until(due) => {
                    // What it compares with is of before.
                    if let Some(glancing) = glancing.take() {
                        glancing.abort();
                    }
                    let state = states.borrow_and_update().clone();
                    due = self.look(state.as_ref(), &report).await;
                }
            }
        }
    }

    fn wants_renewal(&self) -> bool {
        self.silent || self.hold.wants_renewal(self.lease.0, self.lease.1, Instant::now().into_std())
    }

    /// Takes in what a glance found; whether a pass is due for it.
    fn glanced(&mut self, found: Glance) -> bool {
        let others = found.obstacles.failures != self.obstacles.failures;
        self.obstacles = found.obstacles;
        others || (found.off && !self.failing)
    }

    /// Looks, while changes go on, at what nobody is notified of.
    fn glance(&mut self, needs: Needs) -> impl Future<Output = Glance> + use<> {
        let (part, handle, mut obstacles) =
            (self.watched.part(), self.handle.clone(), self.obstacles.clone());
        let shared = self.side == Side::Host && self.mapped.is_some();
        async move {
            let off = part.is_off(&handle).await;
            if shared {
                obstacles.refresh(needs, FULL).await;
            }
            Glance { off, obstacles }
        }
    }

    /// One pass, its report, and when the next is due.
    async fn look(&mut self, state: Option<&Arc<HostState>>, report: &watch::Sender<Applied>) -> Instant {
        let Some(state) = state else { return Instant::now() + FULL };
        let mut applied = self.apply(state).await;
        let unsure = !self.held.is_empty() && self.hold.is_unsure();
        self.failing = !applied.failures.is_empty();
        let cut = self.watched.answers() && !self.flat_plugged;
        let next = if unsure || cut {
            DOUBT
        } else if self.failing {
            RETRY
        } else {
            FULL
        };
        let next = Instant::now() + next;
        applied.failures.extend_from_slice(&self.obstacles.failures);
        report.send_replace(applied);
        self.listen();
        next.min(self.lease_end())
    }

    /// When what a lease bounds has to go without another word.
    fn lease_end(&self) -> Instant {
        let now = Instant::now();
        let left = self.hold.lifetime(self.lease.0, now.into_std());
        match left {
            Some(left) if !self.held.is_empty() => now + Duration::from_secs(left.into()),
            _ => now + FULL,
        }
    }
}

/// Takes in what the kernel notified; whether any of it is `wanted`.
fn heard(mut ready: AsyncFdReadyGuard<'_, Events>, wanted: impl FnMut(u16, &[u8]) -> bool) -> bool {
    ready.clear_ready();
    ready.get_inner().drain(wanted)
}

/// What is reported when nothing could be done.
fn unread(error: &rtnetlink::Error) -> Applied {
    let failure = Failure { subject: "host".into(), message: format!("netlink: {error}") };
    Applied { failures: vec![failure], ..Applied::default() }
}

/// The packets of VPCs' routers come through the host's own rules, and others'.
fn needs(states: &watch::Receiver<Option<Arc<HostState>>>, vxlan: u16) -> Needs {
    let state = states.borrow();
    let routers = state.as_ref().filter(|state| !state.vpcs.is_empty());
    Needs { vxlan: routers.map(|_| vxlan), ipv6: routers.is_some_and(|state| ipv6::is_carried(state)) }
}
