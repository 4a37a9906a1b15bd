//! The rules of what goes through a host: between ports, the flat segment and the world. Pure.
//!
//! Where a network's way out is by one gateway host, that host translates for all its instances, and the others hand it
//! their packets as they are.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::model::*;
use super::render::{
    Host, LINK_LOCAL, Side, any_port, from_host, networks, no_port, number, other_table, range,
};
use super::{flat, peerings, private_nat, subnets, transit};
use crate::plan::{Exit, HostState, PeerSection, PortSection};
use crate::types::Range4;

const ICMP_REDIRECT: u32 = 5;

/// What is forwarded, translated, and let into ports.
pub fn render(state: &HostState, host: &Host, table: &mut Table) {
    sets(state, table);
    forward(state, host, table);
    snat(state, host, table);
    enter(state, host, table);
}

/// Whether this host is the way out for the instances of others.
pub fn is_gateway(state: &HostState) -> bool {
    state.networks.values().any(|network| network.exit == Exit::ForAll)
}

/// The local ports whose way out is, or is not, by a peer.
fn ports(state: &HostState, by_peer: bool) -> impl Iterator<Item = &Arc<PortSection>> {
    let relayed =
        |name: &str| state.networks.get(name).is_some_and(|network| matches!(network.exit, Exit::By(_)));
    state.ports.values().filter(move |port| relayed(&port.network) == by_peer)
}

/// What instances whose way out is by a peer are for an elastic address that this host answers for.
pub fn relayed_to_elastic(state: &HostState) -> impl Iterator<Item = (Ipv4Addr, Ipv4Addr)> {
    ports(state, true).filter_map(|port| Some((port.private_ip, port.public_ip?)))
}

/// The instances whose source this host translates when they go outside.
pub fn translated(state: &HostState) -> impl Iterator<Item = Ipv4Addr> {
    let here = ports(state, false).flat_map(|port| port.private_ips());
    here.chain(flat::central(state).flat_map(|place| place.private_ips()))
}

/// The peers that are the way out for networks of this host.
fn gateways(state: &HostState) -> impl Iterator<Item = &Arc<PeerSection>> {
    state.networks.values().filter_map(|network| match &network.exit {
        Exit::By(gateway) => state.hosts.get(gateway),
        Exit::Here | Exit::ForAll => None,
    })
}

fn sets(state: &HostState, table: &mut Table) {
    let mut set = |name: &str, addresses: &mut dyn Iterator<Item = Ipv4Addr>| {
        let keys = addresses.map(|address| vec![Value::Address(address)]);
        table.sets.insert(name.into(), Set::keys(&["ipv4_addr"], keys));
    };
    set("relayed", &mut ports(state, true).flat_map(|port| port.private_ips()));
    set("central", &mut flat::central(state).flat_map(|place| place.private_ips()));
    set("translated", &mut translated(state));
    set("hops", &mut state.hosts.values().map(|peer| peer.next_hop));
    let relayed = relayed_to_elastic(state).map(|(private, public)| (Value::Address(private), public));
    table.sets.insert("relayed_to_elastic".into(), Set::addresses("ipv4_addr", relayed));
}

fn forward(state: &HostState, host: &Host, table: &mut Table) {
    let from_public = || host.public(Field::InInterface);
    // First what most packets are.
    let to_port = vec![any_port(Field::OutInterface), from_public()];
    let mut rules = vec![other_table(), Rule::goto(to_port, "from_public")];
    let elsewhere = match host.side {
        // From routers it is an address in transit still, which is one of theirs.
        Side::Host => Some(transit::no_transit(Field::InInterface)),
        Side::Router(_) => None,
    };
    rules.extend(from_link(vec![any_port(Field::OutInterface)].into_iter().chain(elsewhere).collect()));
    match host.side {
        Side::Host => rules.extend(transit::forward()),
        Side::Router(_) => {
            rules.extend(private_nat::forward(host));
            rules.extend(peerings::forward().into_iter().chain(subnets::forward(host)));
        }
    }
    if is_gateway(state) {
        let central = |field| Match::within(&[field], "central");
        rules.push(Rule::goto(vec![from_public(), central(Field::Destination)], "inward"));
        let from_flat = || host.flat(Field::InInterface);
        rules.push(Rule::accept(vec![from_flat(), host.public(Field::OutInterface), central(Field::Source)]));
        // To another's elastic IP, and the answers.
        rules.push(Rule::accept(vec![
            from_flat(),
            host.flat(Field::OutInterface),
            central(Field::Source),
            central(Field::Destination),
            Match::Dnat(true),
        ]));
    }
    // Forwarding is switched on for these interfaces for the instances' sake alone.
    if !host.router {
        rules.push(Rule::drop(vec![host.outside(Field::InInterface), no_port(Field::OutInterface)]));
    }
    table.chains.insert("forward".into(), Chain::base(("filter", "forward", 0), rules));
    let asked = || vec![Rule::by_state(), Rule::accept(vec![Match::Dnat(true)])];
    let mut inward = asked();
    inward.push(Rule::drop(vec![]));
    table.chains.insert("inward".into(), Chain::of(inward));
    let mut rules = vec![Rule::by_state()];
    rules.extend(from_link(Vec::new()));
    if host.side.is_router() {
        rules.extend(subnets::of_peers(state));
    }
    rules.push(Rule::accept(vec![Match::Dnat(true)]));
    // With one NIC the flat network's other machines come the same way.
    if host.one_nic() {
        rules.extend(networks(state).map(|net| Rule::accept(vec![range(Field::Source, net)])));
        rules.extend(gateways(state).map(|gateway| {
            let by = Match::is(Field::EtherSource, Value::Mac(gateway.mac));
            Rule::accept(vec![by, Match::within(&[Field::Destination], "relayed")])
        }));
    }
    rules.push(Rule::drop(vec![]));
    table.chains.insert("from_public".into(), Chain::of(rules));
}

/// Nobody beyond the link has such an address (RFC 3927, 2.7), and as what a host serves it would pass every ACL. What tells of
/// a flow that is known, as of a length that does not fit, may come from a cable's own.
fn from_link(mut matches: Vec<Match>) -> Option<Rule> {
    let block = Range4::new(LINK_LOCAL.0, LINK_LOCAL.1)?;
    matches.extend([range(Field::Source, block), Match::is(Field::CtState, Value::Word("new"))]);
    Some(Rule::drop(matches))
}

fn snat(state: &HostState, host: &Host, table: &mut Table) {
    let elastic =
        || Rule::then(vec![], Action::Snat(Target::Map(Field::Source, "private_to_elastic".into())));
    let to_host = |matches| host.snat.map(|to| Rule::then(matches, Action::Snat(Target::Address(to))));
    let instance = || vec![Match::within(&[Field::Source], "translated")];
    let mut rules = Vec::new();
    if host.side.is_router() {
        rules.push(private_nat::snat());
    }
    rules.push(Rule::goto(vec![any_port(Field::OutInterface)], "hairpin"));
    if host.side == Side::Host {
        rules.push(Rule::goto(vec![transit::any_transit(Field::OutInterface)], "hairpin"));
    }
    if is_gateway(state) {
        let central = Match::within(&[Field::Destination], "central");
        rules.push(Rule::goto(vec![host.flat(Field::OutInterface), central], "hairpin"));
    }
    if host.one_nic() {
        let public = || host.public(Field::OutInterface);
        rules.extend(networks(state).map(|net| Rule::accept(vec![public(), range(Field::Destination, net)])));
    }
    if host.side.is_router() {
        rules.push(subnets::snat(host));
    }
    rules.push(Rule::goto(vec![host.public(Field::OutInterface)], "outward"));
    table.chains.insert("nat_out".into(), Chain::base(("nat", "postrouting", 90), rules));
    // To an elastic IP that leads here: translated as if it had gone by the public segment.
    let mut rules = vec![Rule::accept(vec![Match::Dnat(false)]), elastic()];
    rules.extend(to_host(instance()));
    // Whose way out is by a peer, and yet asks for an address that is here.
    if flat::relays(state) {
        rules.push(Rule::then(vec![], Action::Snat(Target::Map(Field::Source, "relayed_to_elastic".into()))));
        rules.extend(to_host(vec![Match::within(&[Field::Source], "relayed")]));
    }
    rules.extend(to_host(vec![from_host()]));
    table.chains.insert("hairpin".into(), Chain::of(rules));
    let mut rules = vec![elastic()];
    rules.extend(to_host(instance()));
    table.chains.insert("outward".into(), Chain::of(rules));
}

/// Who asks for an elastic address is never seen as it is: a host without a public address, which cannot translate, drops.
pub fn bare(mut at: Vec<Match>) -> Rule {
    at.extend([Match::Dnat(true), Match::Snat(false)]);
    Rule::drop(at)
}

fn enter(state: &HostState, host: &Host, table: &mut Table) {
    let public = || host.public(Field::OutInterface);
    let mut rules = vec![other_table()];
    if host.side.is_router() {
        rules.push(private_nat::enter());
    }
    // First what most packets are.
    rules.push(Rule::goto(vec![any_port(Field::OutInterface)], "to_port"));
    if host.side == Side::Host {
        rules.extend(transit::enter(host, table));
    }
    if is_gateway(state) {
        let within = |field, set| Match::within(&[field], set);
        let central = |set| {
            vec![
                host.flat(Field::OutInterface),
                within(Field::Destination, "central"),
                within(Field::Source, set),
            ]
        };
        rules.extend(["instances", "central"].map(|set| bare(central(set))));
    }
    let to_range =
        |net| Rule::goto(vec![host.flat(Field::OutInterface), range(Field::Destination, net)], "to_flat");
    rules.extend(state.networks.values().map(|network| to_range(network.range)));
    if host.one_nic() {
        rules.extend(networks(state).map(|net| Rule::accept(vec![public(), range(Field::Destination, net)])));
        let by_peer = vec![
            public(),
            Match::within(&[Field::Source], "relayed"),
            Match::within(&[Field::NextHop], "hops"),
        ];
        rules.push(Rule::accept(by_peer));
    }
    for set in ["instances", "remote"] {
        rules.push(Rule::drop(vec![public(), Match::within(&[Field::Source], set)]));
    }
    rules.push(Rule::drop(vec![
        any_port(Field::InInterface),
        public(),
        Match::Dnat(false),
        Match::Snat(false),
    ]));
    table.chains.insert("enter".into(), Chain::base(("filter", "postrouting", 150), rules));
    to_flat(state, table);
    to_port(host, table);
}

/// What goes into a port. What comes by the public interface alone is asked less.
fn to_port(host: &Host, table: &mut Table) {
    let from_central = Match::within(&[Field::Source], "central");
    let mut within = Vec::new();
    if host.side.is_router() {
        within.push(not_for_it(any_port(Field::InInterface)));
        within.push(not_for_it(host.flat(Field::InInterface)));
    } else {
        within.push(bare(vec![transit::any_transit(Field::InInterface)]));
    }
    // An instance that speaks to its own elastic IP goes out the way it came in.
    within.push(bare(vec![any_port(Field::InInterface)]));
    within.push(bare(vec![host.flat(Field::InInterface), from_central]));
    let mut rules = vec![Rule::drop(vec![number(Field::IcmpType, ICMP_REDIRECT)])];
    if host.one_nic() {
        rules.extend(within);
    } else {
        within.extend(into_port(host.side));
        table.chains.insert("to_port_within".into(), Chain::of(within));
        rules.push(Rule::goto(vec![host.not_public(Field::InInterface)], "to_port_within"));
    }
    rules.extend(into_port(host.side));
    table.chains.insert("to_port".into(), Chain::of(rules));
}

fn into_port(side: Side) -> Vec<Rule> {
    let mut rules = vec![Rule::by_state()];
    if side == Side::Host {
        rules.extend(transit::lost(Vec::new()));
    }
    let dhcp = vec![number(Field::UdpSourcePort, 67), number(Field::UdpDestPort, 68), from_host()];
    rules.extend([
        Rule::accept(dhcp),
        Rule::then(vec![], Action::Dispatch(Field::OutInterface, "port_ingress".into())),
        Rule::drop(vec![]),
    ]);
    rules
}

/// What a route leads to an interface that takes only what is for itself (the check of source and destination).
fn not_for_it(from: Match) -> Rule {
    let own = [Field::OutInterface, Field::Destination].to_vec();
    let foreign = Match::Fields(own, false, Right::Set("port_destinations".into()));
    Rule::drop(vec![from, Match::within(&[Field::OutInterface], "port_checked"), foreign])
}

/// An address of an instance that runs nowhere, or on a host that is not known, is nobody's: what is meant for it is not handed
/// to who claims to have it.
fn to_flat(state: &HostState, table: &mut Table) {
    let reserved = state.networks.values().flat_map(|network| network.reserved.iter());
    let mut rules: Vec<_> =
        reserved.map(|part| Rule::accept(vec![range(Field::Destination, *part)])).collect();
    rules.push(Rule::drop(vec![Match::within(&[Field::Destination], "unreached")]));
    rules.push(Rule::accept(vec![Match::within(&[Field::Destination], "remote")]));
    rules.push(Rule::drop(vec![]));
    table.chains.insert("to_flat".into(), Chain::of(rules));
}
