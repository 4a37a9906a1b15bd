//! Subnets' route tables in the router of a VPC.
//!
//! A packet gets the number of its sender's route table as its mark where it enters by a port, and takes it along to other
//! hosts (VXLAN's group policy extension): so every router on its way asks the same table, whatever its source address is.
//! What a table sends to one of the VPC's own blocks is looked up in the main table, where each interface has its /32.

use std::collections::{BTreeMap, BTreeSet};

use super::host::Pass;
use super::model::*;
use super::peerings;
use super::policy::{self, Lookup};
use super::render::{Host, name, range};
use super::routes::{self, Key, Kind, Route};
use crate::agent::names::{PEERING_GATEWAY, ROUTER_OUT, TRANSIT_GATEWAY, peering_name, port_name};
use crate::plan::{HostState, NatSection, RouteSection, RouteTo, VpcSection};
use crate::types::{Cidr4, EniId, NatGatewayId, Range4};

/// The order of the rules that send marked packets to their tables.
pub(super) const BY_MARK: u32 = 14_210;

/// Adds the marks.
pub fn render(state: &HostState, table: &mut Table) {
    let marks = state.ports.values().filter_map(|port| {
        let number = state.subnets.get(&port.subnet)?.table?;
        Some((name(port), u32::from(number)))
    });
    table.sets.insert("port_table".into(), Set::marks("ifname", marks));
    let mark = Rule::then(vec![], Action::Mark(Field::InInterface, "port_table".into()));
    table.chains.insert("marks".into(), Chain::base(("filter", "prerouting", -140), vec![mark]));
    // A NAT gateway's packets go to the next hop that stands for it, and are it from there on.
    let own: Vec<_> = nat_gateways(state).map(|gateway| gateway.transit).collect();
    let sources = own.iter().map(|transit| (Value::Address(*transit), *transit));
    table.sets.insert("nat_sources".into(), Set::addresses("ipv4_addr", sources));
    // Before Linux 6.5 no rule can ask whether a map has a key.
    let keys = own.into_iter().map(|transit| vec![Value::Address(transit)]);
    table.sets.insert("nat_gateways".into(), Set::keys(&["ipv4_addr"], keys));
    let asked = vec![Rule::by_state(), Rule::drop(vec![])];
    table.chains.insert("from_outside".into(), Chain::of(asked));
}

/// From outside: what the VPC's blocks hold is within it, also where no subnet has it yet.
pub fn forged(state: &HostState) -> Vec<Rule> {
    from_outside(state.vpcs.values().flat_map(|vpc| vpc.cidrs.iter()))
}

/// What begins outside: what the blocks of the VPC's peers hold is with them, and who sends as one of those would pass a rule that is
/// for them. Answers may come from such an address where no route leads to the peer.
pub fn of_peers(state: &HostState) -> Vec<Rule> {
    from_outside(peerings::all(state).flat_map(|(_, peer)| peer.cidrs.iter()))
}

fn from_outside<'c>(blocks: impl Iterator<Item = &'c Cidr4>) -> Vec<Rule> {
    let blocks: BTreeSet<_> = blocks.collect();
    blocks.into_iter().map(|block| Rule::drop(vec![range(Field::Source, Range4::from(*block))])).collect()
}

/// What goes through between the other hosts' routers and the outside: to NAT gateways, and the answers.
pub fn forward(host: &Host) -> Vec<Rule> {
    let to_gateway = || Match::within(&[Field::NextHop], "nat_gateways");
    vec![
        // A NAT gateway knows nothing of what came in by an internet gateway: that has no answers this way.
        Rule::drop(vec![host.public(Field::OutInterface), to_gateway(), Match::Dnat(true)]),
        Rule::accept(vec![host.flat(Field::InInterface), host.public(Field::OutInterface), to_gateway()]),
        Rule::goto(vec![host.public(Field::InInterface), host.flat(Field::OutInterface)], "from_outside"),
    ]
}

/// To a NAT gateway come answers alone.
pub fn leave(host: &Host) -> Rule {
    let to_gateway = Match::within(&[Field::Destination], "nat_gateways");
    Rule::goto(vec![host.public(Field::InInterface), to_gateway], "from_outside")
}

/// What leaves by a NAT gateway is the gateway's elastic address, whatever its sender has.
pub fn snat(host: &Host) -> Rule {
    let to = Target::Map(Field::NextHop, "nat_sources".into());
    Rule::then(vec![host.public(Field::OutInterface)], Action::Snat(to))
}

/// The NAT gateways that are at work here.
pub fn nat_gateways(state: &HostState) -> impl Iterator<Item = &NatSection> {
    let all = state.vpcs.values().flat_map(|vpc| vpc.nat_gateways.values());
    all.filter(|gateway| gateway.host == state.host)
}

/// The rules by which the tables are found.
pub fn policy(vpc: &VpcSection) -> impl Iterator<Item = policy::Rule> {
    vpc.tables
        .keys()
        .map(|number| policy::Rule::by_mark(BY_MARK, *number, Lookup::Table(policy::subnets_table(*number))))
}

impl Pass<'_> {
    /// The routes of all tables of the VPC.
    pub(super) fn table_routes(&self, vpc: &VpcSection, to: &mut BTreeMap<Key, (Route, String)>) {
        for (number, list) in &vpc.tables {
            let table = policy::subnets_table(*number);
            let subject = format!("route table {number} of {}", vpc.id);
            for cidr in vpc.cidrs.iter() {
                to.insert(routes::in_table(table, *cidr), (Route::of(Kind::Throw), subject.clone()));
            }
            for route in list {
                let leads = self.leads(route).unwrap_or(Route::of(Kind::Blackhole));
                to.insert(routes::in_table(table, route.destination), (leads, subject.clone()));
            }
            // Nothing is looked up further on.
            let rest = Cidr4::from(ipnet::Ipv4Net::default());
            let last = Key { metric: u32::MAX, ..routes::in_table(table, rest) };
            to.insert(last, (Route::of(Kind::Blackhole), subject));
        }
    }

    /// `None` where it leads nowhere now.
    fn leads(&self, route: &RouteSection) -> Option<Route> {
        match route.to {
            RouteTo::Internet => {
                let interface = self.index(ROUTER_OUT)?;
                Some(Route { via: Some(TRANSIT_GATEWAY), ..Route::by(interface) })
            }
            RouteTo::Interface(eni) => self.to_interface(eni),
            RouteTo::Nat(id) => self.to_gateway(id),
            RouteTo::Peering(id) => {
                let interface = self.index(&peering_name(id))?;
                Some(Route { via: Some(PEERING_GATEWAY), ..Route::by(interface) })
            }
            // Of IPv6 alone.
            RouteTo::EgressOnly | RouteTo::Nowhere => None,
        }
    }

    /// On its own host a NAT gateway is a next hop towards the outside, which tells the rules whose packet it is.
    fn to_gateway(&self, id: NatGatewayId) -> Option<Route> {
        let vpcs = || self.state.vpcs.values();
        let host = match vpcs().find_map(|vpc| vpc.nat_gateways.get(&id)) {
            Some(gateway) if gateway.host == self.state.host => {
                return Some(Route { via: Some(gateway.transit), ..Route::by(self.index(ROUTER_OUT)?) });
            }
            Some(gateway) => &gateway.host,
            // What one of here leads on has its mark, and does not ask this table.
            None => &vpcs().find_map(|vpc| vpc.private_nat_gateways.get(&id))?.host,
        };
        let peer = self.state.hosts.get(host).filter(|_| *host != self.state.host)?;
        Some(Route { via: Some(peer.next_hop), ..Route::by(self.flat()?) })
    }

    fn to_interface(&self, eni: EniId) -> Option<Route> {
        if let Some(port) = self.state.ports.get(&eni) {
            let interface = self.index(&port_name(eni))?;
            return Some(Route { via: Some(port.private_ip), ..Route::by(interface) });
        }
        // One that should be here and has no port runs nowhere.
        let place = self.state.places.get(&eni).filter(|place| place.host != self.state.host)?;
        let peer = self.state.hosts.get(&place.host)?;
        Some(Route { via: Some(peer.next_hop), ..Route::by(self.flat()?) })
    }
}
