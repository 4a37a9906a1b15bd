//! One pass over a host: links, addresses, routes and neighbours into their places.
//!
//! A pass reads the kernel once and writes what differs. What fails becomes a [`Failure`] and the
//! pass goes on: one broken port must not keep the others from their rules.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::net::Ipv4Addr;

use netlink_packet_route::address::AddressScope;
use rtnetlink::{Error, Handle};

use super::addresses::{self, Addresses};
use super::announce::Announcer;
use super::links::{self, Link};
use super::probe::{self, Care};
use super::render::{self, Side};
use super::routes::{self, Route};
use super::sides::outside_switches;
use super::ways::together;
use super::{ipv6, neighbours, policy, sysctl};
use crate::agent::config::HostConfig;
use crate::agent::names::*;
use crate::crash::{self, Point};
use crate::plan::{Failure, HostState, PortSection, Wiring};
use crate::types::{EniId, MacAddr};

/// How elastic IPs are taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Leave {
    /// After how many seconds the kernel takes them away; `None` for never.
    pub lifetime: Option<u32>,
    /// How thoroughly the segment is asked before.
    pub care: Care,
}

/// The kernel as read, the state that is wanted, and what went wrong between.
pub struct Pass<'a> {
    pub(super) handle: &'a Handle,
    pub(super) config: &'a HostConfig,
    pub(super) state: &'a HostState,
    pub(super) side: Side,
    pub(super) links: BTreeMap<String, Link>,
    addresses: Addresses,
    ours: BTreeSet<addresses::Place>,
    pub(super) routes: BTreeMap<routes::Key, Vec<Route>>,
    pub(super) policy: Vec<policy::Rule>,
    /// Elastic addresses on the public interface, as far as the pass has come.
    held: BTreeSet<Ipv4Addr>,
    /// What instances without an elastic address are outside.
    snat: Option<Ipv4Addr>,
    /// Whether no ARP is to be answered for instances on the flat segment.
    silent: bool,
    pub failures: Vec<Failure>,
    /// Ports whose interface is not there yet.
    pub pending: Vec<EniId>,
    /// Ports that are as they must be.
    pub served: Vec<sysctl::Port>,
}

impl<'a> Pass<'a> {
    /// Reads the kernel; the links have been read before.
    ///
    /// # Errors
    /// What netlink says.
    pub async fn read(
        handle: &'a Handle,
        config: &'a HostConfig,
        state: &'a HostState,
        side: Side,
        links: BTreeMap<String, Link>,
        silent: bool,
    ) -> Result<Self, Error> {
        let addresses = Addresses::read(handle).await?;
        let index = |name: &str| links.get(name).map(|link| link.index);
        let ours = addresses.ours(index(&config.public_interface), index(GATEWAY_BRIDGE), &state.pools);
        let public = index(&config.public_interface);
        let held = ours.iter().filter(|place| Some(place.1) == public).map(|place| place.0).collect();
        let (routes, policy) = (routes::list(handle).await?, policy::list(handle).await?);
        let (failures, pending) = (Vec::new(), Vec::new());
        let mut pass = Self {
            handle,
            config,
            state,
            side,
            links,
            addresses,
            ours,
            routes,
            policy,
            held,
            snat: None,
            silent,
            failures,
            pending,
            served: Vec::new(),
        };
        for name in BTreeSet::from([&config.public_interface, &config.flat_interface]) {
            match pass.links.get(name) {
                None => pass.fail(format!("interface {name}"), "does not exist; name another in [host]"),
                // The two of a router are ours, and switched on when the rules are there.
                Some(link) if !link.up && side == Side::Host => {
                    pass.fail(format!("interface {name}"), "is down; switch it on")
                }
                Some(_) => {}
            }
        }
        crash::point(Point::KernelRead);
        Ok(pass)
    }

    pub(super) fn fail(&mut self, subject: String, message: impl Display) {
        self.failures.push(Failure { subject, message: message.to_string() });
    }

    pub(super) fn check(&mut self, subject: impl FnOnce() -> String, result: Result<(), Error>) {
        if let Err(error) = result {
            self.fail(subject(), error);
        }
    }

    pub(super) fn index(&self, name: &str) -> Option<u32> {
        self.links.get(name).map(|link| link.index)
    }

    pub(super) fn public(&self) -> Option<u32> {
        self.index(&self.config.public_interface)
    }

    pub(super) fn flat(&self) -> Option<u32> {
        self.index(&self.config.flat_interface)
    }

    /// The elastic addresses that the host answers for now.
    pub fn holding(&self) -> Vec<Ipv4Addr> {
        self.held.iter().copied().collect()
    }

    /// By which interfaces the host is on the wires.
    pub fn wiring(&self) -> Wiring {
        let HostConfig { public_interface, flat_interface, .. } = self.config;
        let (public_interface, flat_interface) =
            (public_interface.as_str().into(), flat_interface.as_str().into());
        Wiring { public_interface, flat_interface, snat: self.snat }
    }

    /// The public interface's index and address.
    pub fn public_link(&self) -> Option<(u32, MacAddr)> {
        let link = self.links.get(&self.config.public_interface)?;
        Some((link.index, MacAddr(*link.mac.first_chunk()?)))
    }

    /// What the flat interface's frames come from.
    pub fn flat_mac(&self) -> Option<MacAddr> {
        let link = self.links.get(&self.config.flat_interface)?;
        link.mac.first_chunk().map(|mac| MacAddr(*mac))
    }

    /// The longest packet that the flat interface takes.
    pub fn flat_mtu(&self) -> Option<u32> {
        self.links.get(&self.config.flat_interface).map(|link| link.mtu)
    }

    /// The indexes of all ports, ours or forgotten.
    pub fn port_indexes(&self) -> BTreeSet<u32> {
        let ports = self.links.iter().filter(|(name, _)| name.starts_with(PORT_PREFIX));
        ports.map(|(_, link)| link.index).collect()
    }

    /// The indexes of all interfaces behind which only we say who is.
    pub fn cables(&self) -> BTreeSet<u32> {
        let own = [ROUTER_OUT, ROUTER_VXLAN];
        let ours = |name: &str| {
            let routers = self.side.is_router() && (own.contains(&name) || name.starts_with(PEERING_PREFIX));
            name.starts_with(PORT_PREFIX) || name.starts_with(TRANSIT_PREFIX) || routers
        };
        self.links.iter().filter(|(name, _)| ours(name)).map(|(_, link)| link.index).collect()
    }

    /// What the rules must know of the host.
    pub fn facts(&mut self) -> render::Host {
        let primary = self.public().and_then(|index| self.addresses.primary(index, &self.ours));
        let snat = self.config.snat_address.or(primary);
        self.snat = snat;
        if snat.is_none() && self.public().is_some() && self.side == Side::Host {
            let subject = format!("interface {}", self.config.public_interface);
            self.fail(subject, "has no IPv4 address: instances without an elastic IP cannot go out");
        }
        let foreign = self.addresses.in_order.iter().filter(|place| !self.ours.contains(place));
        // One that has lost its mark is ours all the same.
        let gateway = |ip: &Ipv4Addr| self.state.networks.values().any(|network| network.gateway == *ip);
        let ours = |ip: &Ipv4Addr| self.state.addresses.contains_key(ip) || gateway(ip);
        let own = foreign.map(|place| place.0).filter(|ip| !ours(ip));
        let own = own.collect::<BTreeSet<_>>().into_iter().collect();
        let mut facts = render::Host::new(self.config, snat, own, sysctl::is_router()).on(self.side);
        if self.side == Side::Host {
            let wanted = ipv6::is_carried(self.state) && !self.state.pools6.is_empty();
            facts.closed6 = ipv6::switches::closed(&self.config.public_interface, wanted);
        }
        facts
    }

    /// The bridge with the gateways' addresses.
    pub async fn gateways(&mut self) {
        let subject = || format!("interface {GATEWAY_BRIDGE}");
        if !self.links.contains_key(GATEWAY_BRIDGE) {
            let made = links::add_gateway_bridge(self.handle).await;
            self.check(subject, made);
            match links::list(self.handle).await {
                Ok(links) => self.links = links,
                Err(error) => self.fail(subject(), error),
            }
        }
        let Some(bridge) = self.links.get(GATEWAY_BRIDGE).cloned() else { return };
        if !bridge.up {
            let up = links::set_up(self.handle, bridge.index).await;
            self.check(subject, up);
        }
        let state = self.state;
        let gateways = state.networks.values().map(|network| (network.gateway, &*network.name));
        let underlay = self.underlay().filter(|_| self.side == Side::Host).map(|own| (own, "VXLAN"));
        for (address, name) in gateways.chain(underlay) {
            let place = (address, bridge.index);
            let mut found = self.addresses.by_place.get(&place);
            if found.is_some_and(|address| address.global) {
                // The kernel changes no scope of what is there.
                let removed = addresses::remove(self.handle, place).await;
                self.check(|| format!("network {name}"), removed);
                found = None;
            }
            let written = match found {
                // Of link scope, so that the host never chooses it as its source for the world.
                None => {
                    let added = addresses::add(self.handle, place, AddressScope::Link).await;
                    crash::point(Point::GatewayAdded);
                    added
                }
                Some(address) if address.lifetime.is_some() || !address.marked => {
                    addresses::hold(self.handle, place, None).await
                }
                Some(_) => Ok(()),
            };
            self.check(|| format!("network {name}"), written);
        }
    }

    pub(super) fn switches(&mut self, subject: &str, switches: &[sysctl::Switch]) {
        for switch in switches {
            if let Err(error) = sysctl::ensure(switch) {
                self.unset(subject, switch, &error);
            }
        }
    }

    fn unset(&mut self, subject: &str, (switch, value): &sysctl::Switch, error: &std::io::Error) {
        self.fail(subject.to_owned(), format!("cannot set {switch} to {value}: {error}"));
    }

    /// The ports, the ways to them and to those of other hosts.
    pub async fn ports(&mut self) {
        let state = self.state;
        let mut routes = BTreeMap::new();
        // A next hop is known before a route names it: nobody is asked for it.
        let mut neighbours = self.peers();
        self.flat_routes(&mut routes);
        self.side_routes(&mut routes);
        self.side_links(&mut neighbours).await;
        let mut down = Vec::new();
        for port in state.ports.values() {
            let name = port_name(port.eni);
            let Some(link) = self.links.get(&name).cloned() else {
                self.pending.push(port.eni);
                continue;
            };
            if self.port(port, &name, &link).await {
                if !link.up {
                    down.push((link.index, port.eni));
                }
                let source = state.networks.get(&port.network).map(|network| network.gateway);
                let route = Route { source, ..Route::by(link.index) };
                let subject = format!("port {}", port.eni);
                for ip in port.private_ips() {
                    routes.insert(routes::to_instance(ip), (route, subject.clone()));
                    neighbours.insert((ip, link.index), (port.mac, subject.clone()));
                }
                self.served.push(sysctl::Port::of(port));
            }
        }
        self.raise_ports(down).await;
        self.write_neighbours(&neighbours).await;
        self.write_routes(&routes).await;
        self.write_policy().await;
    }

    async fn port(&mut self, port: &PortSection, name: &str, link: &Link) -> bool {
        let subject = format!("port {}", port.eni);
        if link.alias.as_ref().is_some_and(|alias| *alias != port.eni.to_string()) {
            let alias = link.alias.clone().unwrap_or_default();
            self.fail(subject, format!("interface {name} belongs to {alias}; remove it"));
            return false;
        }
        if let Err((switch, error)) = link.told.ensure(&sysctl::port(&sysctl::Port::of(port))) {
            self.unset(&subject, &switch, &error);
        }
        if link.mac != PORT_MAC.0 {
            let set = links::set_mac(self.handle, link.index, PORT_MAC).await;
            self.check(|| subject, set);
        }
        true
    }

    /// The flat and the public interface: switches, and an exact proxy entry per instance, announced when it is new.
    pub async fn outside(&mut self, announcer: &mut Announcer) {
        if self.side.is_router() {
            return self.router_links().await;
        }
        for (name, switches) in outside_switches(self.config, self.state, self.side) {
            if self.links.contains_key(name) {
                self.switches(&format!("interface {name}"), &switches);
            }
        }
        let have = match neighbours::proxies(self.handle).await {
            Ok(have) => have,
            Err(error) => return self.fail("proxy entries".into(), error),
        };
        let want = self.wanted_proxies();
        for place in have.difference(&want) {
            let removed = neighbours::remove(self.handle, *place, true).await;
            self.check(|| format!("proxy entry {}", place.0), removed);
        }
        let mac = self.flat_mac();
        let new: Vec<_> = want.difference(&have).collect();
        let added = together(new.iter().map(|place| neighbours::add_proxy(self.handle, **place))).await;
        for (place, added) in new.into_iter().zip(added) {
            crash::point(Point::ProxyAdded);
            if let (Ok(()), Some(mac)) = (&added, mac)
                && let Err(error) = announcer.announce(place.0, place.1, mac)
            {
                self.fail(format!("address {}", place.0), format!("cannot announce it: {error}"));
            }
            self.check(|| format!("proxy entry {}", place.0), added);
        }
    }

    /// The proxy entries that the flat interface must have.
    pub fn wanted_proxies(&self) -> BTreeSet<neighbours::Place> {
        let answers = !self.silent && self.side == Side::Host;
        let Some(flat) = self.flat().filter(|_| answers) else { return BTreeSet::new() };
        let here = self.state.ports.values().filter(|port| self.links.contains_key(&port_name(port.eni)));
        here.flat_map(|port| port.private_ips()).map(|ip| (ip, flat)).collect()
    }

    /// Takes away our addresses that nobody wants any more; returns them.
    pub async fn remove_addresses(&mut self) -> BTreeSet<Ipv4Addr> {
        let public = self.public();
        let bridge = self.index(GATEWAY_BRIDGE);
        let gateways = self.state.networks.values().map(|network| network.gateway);
        let gateways: BTreeSet<_> = gateways.chain(self.underlay()).collect();
        let wanted = |place: &&addresses::Place| {
            let elastic = Some(place.1) == public && self.state.addresses.contains_key(&place.0);
            elastic || (Some(place.1) == bridge && gateways.contains(&place.0))
        };
        let gone: Vec<_> = self.ours.iter().filter(|place| !wanted(place)).copied().collect();
        for place in &gone {
            let removed = addresses::remove(self.handle, *place).await;
            crash::point(Point::AddressRemoved);
            if removed.is_ok() && Some(place.1) == public {
                self.held.remove(&place.0);
            }
            self.check(|| format!("address {}", place.0), removed);
        }
        gone.into_iter().map(|place| place.0).collect()
    }

    /// Adds the elastic IPs that nobody else answers for, and announces them. Only after the rules.
    pub async fn add_addresses(&mut self, leave: Leave, announcer: &mut Announcer) {
        // The host answers for them.
        if self.side.is_router() {
            return;
        }
        let Some(public) = self.links.get(&self.config.public_interface).cloned() else { return };
        let Some(mac) = public.mac.first_chunk().map(|mac| MacAddr(*mac)) else { return };
        let (here, new): (Vec<Ipv4Addr>, Vec<Ipv4Addr>) = (self.state.addresses.keys().copied())
            .partition(|ip| self.addresses.by_place.contains_key(&(*ip, public.index)));
        self.extend(&here, public.index, leave.lifetime).await;
        let others = self.held_by_others(&new, public.index, mac, leave.care).await;
        for ip in new {
            if let Some(other) = others.get(&ip) {
                let what =
                    format!("{other} on {} answers for it: take it away there", self.config.public_interface);
                self.fail(format!("address {ip}"), what);
                continue;
            }
            match addresses::hold(self.handle, (ip, public.index), leave.lifetime).await {
                Err(error) => self.fail(format!("address {ip}"), error),
                Ok(()) => {
                    crash::point(Point::AddressAdded);
                    self.held.insert(ip);
                    if let Err(error) = announcer.announce(ip, public.index, mac) {
                        self.fail(format!("address {ip}"), format!("cannot announce it: {error}"));
                    }
                }
            }
        }
    }

    /// Gives the elastic IPs that are there the time that they have now.
    async fn extend(&mut self, here: &[Ipv4Addr], public: u32, lifetime: Option<u32>) {
        for place in here.iter().map(|ip| (*ip, public)) {
            let has = self.addresses.by_place.get(&place);
            let unmarked = |has: &addresses::Address| has.prefix_len == 32 && !has.marked;
            if has.is_some_and(|has| has.lifetime != lifetime || unmarked(has)) {
                let held = addresses::hold(self.handle, place, lifetime).await;
                self.check(|| format!("address {}", place.0), held);
            }
        }
    }

    async fn held_by_others(
        &mut self,
        new: &[Ipv4Addr],
        interface: u32,
        mac: MacAddr,
        care: Care,
    ) -> BTreeMap<Ipv4Addr, MacAddr> {
        if new.is_empty() {
            return BTreeMap::new();
        }
        let addresses = new.to_vec();
        let ask = move || {
            let held = probe::holders(&addresses, interface, mac, care)?;
            // Without a server's word, whoever has it is right.
            if care == Care::QUICK { probe::reclaim(held, interface, mac) } else { Ok(held) }
        };
        let asked = tokio::task::spawn_blocking(ask).await;
        match asked.map_err(std::io::Error::other).and_then(|held| held) {
            Ok(held) => held,
            Err(error) => {
                self.fail("addresses".into(), format!("cannot ask whether others have them: {error}"));
                BTreeMap::new()
            }
        }
    }
}
