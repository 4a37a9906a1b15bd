//! The way to the other hosts, and by them to their instances: over the flat segment, without a word of ARP.
//!
//! Each host is a next hop by its number, with a permanent neighbour entry; an instance on another host is a /32 by way of
//! it. Where a network's outside is at a gateway host, rules send its packets there.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

use super::host::Pass;
use super::model::*;
use super::policy::{self, Lookup};
use super::render::{Host, Side, range};
use super::routes::{self, Key, Route};
use super::{neighbours, subnets};
use crate::agent::names::port_name;
use crate::plan::{Exit, HostState, PlaceSection};
use crate::types::{Cidr4, EniId, MacAddr};

/// The running instances' interfaces that are on other hosts.
pub fn remote(state: &HostState) -> impl Iterator<Item = &Arc<PlaceSection>> + Clone {
    state.places.values().filter(|place| place.host != state.host && !state.ports.contains_key(&place.eni))
}

/// Where the instances' interfaces are, on this host and on others.
pub fn everywhere(state: &HostState) -> BTreeMap<Ipv4Addr, (EniId, Arc<str>)> {
    let remote =
        remote(state).flat_map(|place| place.private_ips().map(|ip| (ip, (place.eni, place.host.clone()))));
    let here = state
        .ports
        .values()
        .flat_map(|port| port.private_ips().map(|ip| (ip, (port.eni, state.host.clone()))));
    remote.chain(here).collect()
}

/// Those of them whose way to the outside is by this host.
pub fn central(state: &HostState) -> impl Iterator<Item = &Arc<PlaceSection>> + Clone {
    let central = |network: &str| state.networks.get(network).is_some_and(|row| row.exit == Exit::ForAll);
    remote(state).filter(move |place| central(&place.network))
}

/// Whether the way out of some network is by another host.
pub fn relays(state: &HostState) -> bool {
    state.networks.values().any(|network| matches!(network.exit, Exit::By(_)))
}

/// A source in the instances' range enters by the flat interface only from the host where its instance is; not from one
/// that was declared dead and lives, nor from a machine that calls itself so.
pub fn source(state: &HostState, host: &Host, table: &mut Table) -> Vec<Rule> {
    let flat = || host.flat(Field::InInterface);
    let mut rules = Vec::new();
    // Only peers are heard by VXLAN, and an instance there may hand on what others have sent.
    if host.side.is_router() {
        return rules;
    }
    for network in state.networks.values() {
        let reserved = network.reserved.iter();
        rules.extend(reserved.map(|part| Rule::accept(vec![flat(), range(Field::Source, *part)])));
        rules.push(Rule::goto(vec![flat(), range(Field::Source, network.range)], "peer_source"));
    }
    let peer = Match::within(&[Field::Source, Field::EtherSource], "peers");
    table.chains.insert("peer_source".into(), Chain::of(vec![Rule::accept(vec![peer]), Rule::drop(vec![])]));
    rules
}

impl Pass<'_> {
    /// The neighbours that stand for the other hosts.
    pub(super) fn peers(&self) -> BTreeMap<neighbours::Place, (MacAddr, String)> {
        let Some(flat) = self.flat() else { return BTreeMap::new() };
        let others = self.state.hosts.values().filter(|peer| peer.name != self.state.host);
        others.map(|peer| ((peer.next_hop, flat), (peer.mac, format!("host {}", peer.name)))).collect()
    }

    /// The routes by the flat interface.
    pub(super) fn flat_routes(&self, to: &mut BTreeMap<Key, (Route, String)>) {
        let (state, Some(interface)) = (self.state, self.flat()) else { return };
        let by = |via| Route { via, ..Route::by(interface) };
        for network in state.networks.values() {
            let subject = format!("network {}", network.name);
            if let Exit::By(gateway) = &network.exit
                && let Some(peer) = state.hosts.get(gateway)
            {
                to.insert(routes::to_outside(peer.next_hop), (by(Some(peer.next_hop)), subject.clone()));
            }
            // What nobody has in a VPC is nowhere.
            if network.vpc.is_none() {
                to.insert(routes::to_network(network.cidr), (by(None), subject));
            }
        }
        for place in remote(state) {
            if let Some(peer) = state.hosts.get(&place.host) {
                let subject = format!("interface {} on {}", place.eni, place.host);
                for ip in place.private_ips() {
                    to.insert(routes::to_instance(ip), (by(Some(peer.next_hop)), subject.clone()));
                }
            }
        }
    }

    /// The rules that a host has for its gateway hosts, or a router for its subnets' tables.
    fn wanted_policy(&self) -> Vec<policy::Rule> {
        match self.side {
            Side::Host => policy::wanted(self.state, &self.config.flat_interface),
            Side::Router(vpc) => {
                self.state.vpcs.get(&vpc).into_iter().flat_map(|vpc| subnets::policy(vpc)).collect()
            }
        }
    }

    /// The rules that send instances' packets to their gateway host, and those of subnets to their tables.
    pub(super) async fn write_policy(&mut self) {
        let want = self.wanted_policy();
        let new: Vec<_> = want.iter().filter(|rule| !self.policy.contains(rule)).collect();
        for rule in new {
            let added = policy::add(self.handle, rule).await;
            self.check(|| format!("rule from {}", rule.from), added);
        }
        let gone: Vec<_> = self.policy.iter().filter(|rule| !want.contains(rule)).cloned().collect();
        for rule in &gone {
            let removed = policy::remove(self.handle, rule).await;
            self.check(|| format!("rule from {}", rule.from), removed);
        }
    }

    /// The networks whose way to the outside is another than the kernel's until now.
    pub fn turned_networks(&self) -> BTreeSet<Cidr4> {
        let ways = |rules: &[policy::Rule]| -> BTreeSet<(Cidr4, Lookup)> {
            let away = rules.iter().filter(|rule| rule.lookup != Lookup::Main && rule.mark.is_none());
            away.map(|rule| (rule.from, rule.lookup)).collect()
        };
        let want = ways(&self.wanted_policy());
        ways(&self.policy).symmetric_difference(&want).map(|(network, _)| *network).collect()
    }

    /// Forgets hosts that are gone; after the routes by way of them.
    pub(super) async fn sweep_peers(&mut self) {
        let have = match neighbours::permanent(self.handle).await {
            Ok(have) => have,
            Err(error) => return self.fail("neighbours".into(), error),
        };
        let (want, flat) = (self.peers(), self.flat());
        let left = |(place, entry): &(&neighbours::Place, &neighbours::Entry)| {
            entry.ours && Some(place.1) == flat && !want.contains_key(*place)
        };
        let left: Vec<_> = have.iter().filter(left).map(|(place, _)| *place).collect();
        for place in left {
            let removed = neighbours::remove(self.handle, place, false).await;
            self.check(|| format!("neighbour {}", place.0), removed);
        }
    }

    /// The destinations of our routes to instances that nobody has any more. An agent that remembers nothing
    /// takes one that leads elsewhere for another instance's; one that does knows better.
    pub fn left_places(&self, remembers: bool) -> BTreeSet<Ipv4Addr> {
        let mut want = BTreeMap::new();
        self.flat_routes(&mut want);
        self.side_routes(&mut want);
        let mut here: BTreeMap<_, _> =
            want.into_iter().map(|(key, (route, _))| (key, (route.interface, route.via))).collect();
        for port in self.state.ports.values() {
            let link = self.index(&port_name(port.eni)).unwrap_or_default();
            here.extend(port.private_ips().map(|ip| (routes::to_instance(ip), (link, None))));
        }
        // There is no way yet to a host that is not known, and yet the address is somebody's.
        let known: BTreeSet<_> = remote(self.state).flat_map(|place| place.private_ips()).collect();
        let routed = self.routes.iter().filter(|(key, _)| key.is_to_instance());
        let left = routed.filter(|(key, routes)| match here.get(*key) {
            None => !known.contains(&key.to),
            Some(way) => !remembers && routes.iter().any(|route| (route.interface, route.via) != *way),
        });
        left.map(|(key, _)| key.to).collect()
    }
}
