//! Between the host and the routers of VPCs: elastic IPs, each under its address in transit, and nothing else.
//!
//! A router has the groups' and ACLs' say on its side. Here only that is seen to what no router may do: send under another
//! address, reach the host, or the flat networks other than by elastic IPs.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::host::Pass;
use super::model::*;
use super::neighbours;
use super::paths::bare;
use super::render::{Host, any_port, networks, range};
use super::routes::{self, Key, Route};
use super::sysctl;
use crate::agent::names::{ROUTER_MAC, TRANSIT_MAC, TRANSIT_PREFIX, transit_name};
use crate::plan::{HostState, MAX_TRANSIT, TransitSection, transit};
use crate::types::{MacAddr, Range4, VpcId};

/// The elastic addresses that lead to routers of this host.
fn transits(state: &HostState) -> impl Iterator<Item = TransitSection> {
    state.addresses.values().filter_map(|address| address.transit)
}

/// Any cable to a router.
pub fn any_transit(field: Field) -> Match {
    Match::is(field, Value::Interface(format!("{TRANSIT_PREFIX}*")))
}

/// No cable to a router.
pub fn no_transit(field: Field) -> Match {
    Match::Fields(vec![field], false, Right::Is(Value::Interface(format!("{TRANSIT_PREFIX}*"))))
}

fn name(vpc: VpcId) -> Value {
    Value::Interface(transit_name(vpc))
}

/// Adds sets and chains of their own; [`source`] to [`enter`] are what others' chains have for them.
pub fn render(state: &HostState, host: &Host, table: &mut Table) {
    let sources = transits(state).map(|at| vec![name(at.vpc), Value::Address(at.address)]);
    table.sets.insert("transits".into(), Set::keys(&["ifname", "ipv4_addr"], sources));
    let own = Match::within(&[Field::InInterface, Field::Source], "transits");
    let rules = vec![Rule::accept(vec![own]), Rule::drop(vec![])];
    table.chains.insert("transit_source".into(), Chain::of(rules));
    let mut rules = vec![Rule::by_state(), Rule::accept(vec![Match::Dnat(true)])];
    rules.extend(networks(state).map(|net| Rule::drop(vec![range(Field::Destination, net)])));
    rules.push(Rule::accept(vec![host.public(Field::OutInterface)]));
    rules.push(Rule::drop(vec![]));
    table.chains.insert("from_transit".into(), Chain::of(rules));
    let rules = vec![Rule::by_state(), Rule::accept(vec![Match::Dnat(true)]), Rule::drop(vec![])];
    table.chains.insert("to_transit".into(), Chain::of(rules));
    let peers = state.hosts.values().filter(|peer| peer.name != state.host);
    let peers = peers.map(|peer| vec![Value::Address(peer.next_hop), Value::Mac(peer.mac)]);
    table.sets.insert("underlay".into(), Set::keys(&["ipv4_addr", "ether_addr"], peers));
    let peer = Match::within(&[Field::Source, Field::EtherSource], "underlay");
    // For the host's number, which no instance can send to.
    let own =
        state.hosts.get(&state.host).map(|own| Match::is(Field::Destination, Value::Address(own.next_hop)));
    let heard = own.map(|own| Rule::accept(vec![host.flat(Field::InInterface), own, peer]));
    let rules = heard.into_iter().chain([Rule::drop(vec![])]).collect();
    table.chains.insert("from_vxlan".into(), Chain::of(rules));
}

/// The addresses in transit, whether or not any leads here.
fn every() -> Option<Range4> {
    Range4::new(transit(0), transit(MAX_TRANSIT))
}

/// Ahead of everything: a router's packets come from where its elastic IPs are.
pub fn source() -> Rule {
    Rule::goto(vec![any_transit(Field::InInterface)], "transit_source")
}

/// Nobody else's do: the host would make the elastic IP itself of such a source.
pub fn forged() -> Option<Rule> {
    Some(Rule::drop(vec![range(Field::Source, every()?)]))
}

/// What is for the host itself: VXLAN from its peers, and nothing from its routers.
pub fn input(host: &Host) -> [Rule; 2] {
    let vxlan = Match::is(Field::UdpDestPort, Value::Number(host.vxlan_port.into()));
    [Rule::goto(vec![vxlan], "from_vxlan"), Rule::goto(vec![any_transit(Field::InInterface)], "elastic_in")]
}

/// What goes from and to routers.
pub fn forward() -> [Rule; 2] {
    [
        Rule::goto(vec![any_transit(Field::OutInterface)], "to_transit"),
        Rule::goto(vec![any_transit(Field::InInterface)], "from_transit"),
    ]
}

/// What asks for an elastic IP, or goes outside, does so under an elastic IP or the host's own address.
pub fn enter(host: &Host, table: &mut Table) -> Vec<Rule> {
    let from = || any_transit(Field::InInterface);
    let rules = vec![
        bare(vec![any_port(Field::InInterface)]),
        bare(vec![Match::within(&[Field::Source], "central")]),
        bare(vec![from()]),
    ];
    table.chains.insert("into_transit".into(), Chain::of(rules));
    let into = Rule::goto(vec![any_transit(Field::OutInterface)], "into_transit");
    let outside = vec![from(), host.public(Field::OutInterface), Match::Dnat(false), Match::Snat(false)];
    let lost = lost(vec![no_transit(Field::OutInterface)]);
    [into].into_iter().chain(lost).chain([Rule::drop(outside)]).collect()
}

/// Where its router is not here, an elastic IP leads nowhere, and not after the default route.
pub fn lost(mut at: Vec<Match>) -> Option<Rule> {
    at.extend([Match::Dnat(true), range(Field::Destination, every()?)]);
    Some(Rule::drop(at))
}

impl Pass<'_> {
    /// The routes to the routers, and to the other hosts for VXLAN.
    pub(super) fn transit_routes(&self, routes: &mut BTreeMap<Key, (Route, String)>) {
        for (at, interface) in self.transit_places() {
            let subject = format!("address {} of {}", at.address, at.vpc);
            routes.insert(routes::to_instance(at.address), (Route::by(interface), subject));
        }
        let (Some(own), Some(flat)) = (self.underlay(), self.flat()) else { return };
        let others = self.state.hosts.values().filter(|peer| peer.name != self.state.host);
        for peer in others {
            let route = Route { source: Some(own), ..Route::by(flat) };
            routes.insert(routes::to_peer(peer.next_hop), (route, format!("host {}", peer.name)));
        }
    }

    /// Who is behind the cables: nobody asks.
    pub(super) fn transit_neighbours(&self, to: &mut BTreeMap<neighbours::Place, (MacAddr, String)>) {
        for (at, interface) in self.transit_places() {
            let subject = format!("address {} of {}", at.address, at.vpc);
            to.insert((at.address, interface), (ROUTER_MAC, subject));
        }
    }

    fn transit_places(&self) -> impl Iterator<Item = (TransitSection, u32)> {
        transits(self.state).filter_map(|at| Some((at, self.index(&transit_name(at.vpc))?)))
    }

    /// The host's own address for VXLAN; `None` while it needs none.
    pub(super) fn underlay(&self) -> Option<Ipv4Addr> {
        if self.state.vpcs.is_empty() {
            return None;
        }
        Some(self.state.hosts.get(&self.state.host)?.next_hop)
    }

    /// The cables to the routers: switched on, under the address that routers know.
    pub(super) async fn transit_links(&mut self) {
        let vpcs: BTreeSet<_> = self.state.vpcs.keys().copied().collect();
        for vpc in vpcs {
            let carried = self.state.routed6.values().any(|of| *of == vpc);
            let name = transit_name(vpc);
            self.raise(&name, TRANSIT_MAC, &sysctl::transit(&name, carried)).await;
        }
    }
}
