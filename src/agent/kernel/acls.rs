//! Network ACLs: what may cross a subnet's edge, packet by packet and whatever was said before.
//!
//! They are asked ahead of connection tracking's word, and of security groups: on the way out of a port at the address that
//! the instance used, on the way into one at the source that it sees. Within a subnet nothing is asked, nor for what the
//! host itself serves (<https://docs.aws.amazon.com/vpc/latest/userguide/vpc-network-acls.html>).

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use super::model::*;
use super::render::{Side, address, any_port, name, number, other_table, range};
use super::{private_nat, subnets};
use crate::agent::names::METADATA_ADDRESS;
use crate::plan::{AclEntrySection, HostState, SubnetSection};
use crate::types::{Cidr4, Direction, IcmpMatch, NetworkAclId, PortRange, Range4, SubnetId, Traffic};

pub(super) const fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "in",
        Direction::Egress => "out",
    }
}

/// The far end's address.
pub(super) const fn peer(direction: Direction) -> Field {
    match direction {
        Direction::Ingress => Field::Source,
        Direction::Egress => Field::Destination,
    }
}

pub(super) const fn port(direction: Direction) -> Field {
    match direction {
        Direction::Ingress => Field::OutInterface,
        Direction::Egress => Field::InInterface,
    }
}

/// Adds the chains of both directions. Subnets whose ACL lets everything pass have none.
pub fn render(state: &HostState, side: Side, table: &mut Table) {
    for (direction, hook) in [
        (Direction::Egress, ("filter", "prerouting", -160)),
        (Direction::Ingress, ("filter", "postrouting", 140)),
    ] {
        let map = format!("port_acl_{}", word(direction));
        let judged: BTreeSet<SubnetId> = state
            .subnets
            .iter()
            .filter(|(_, subnet)| !is_open(state, subnet, direction))
            .map(|(id, _)| *id)
            .collect();
        let ports = state.ports.values().filter(|port| judged.contains(&port.subnet));
        let verdicts = ports.map(|port| (name(port), Verdict::Goto(edge(port.subnet, direction))));
        let verdicts = Set::verdicts("ifname", verdicts);
        // Where nobody is judged, no packet pays for it.
        if !verdicts.elements.is_empty() {
            let dispatch = Action::Dispatch(port(direction), map.clone());
            let rules = vec![other_table(), Rule::then(vec![any_port(port(direction))], dispatch)];
            table.chains.insert(format!("acl_{}", word(direction)), Chain::base(hook, rules));
        }
        table.sets.insert(map, verdicts);
        // On the host's side they are addresses in transit, which no entry is about.
        if side.is_router() {
            through_gateways(state, direction, &judged, table);
        }
        let mut acls = BTreeSet::new();
        for id in judged {
            let Some(subnet) = state.subnets.get(&id) else { continue };
            table.chains.insert(edge(id, direction), Chain::of(crossing(subnet, direction)));
            acls.extend(subnet.acl);
        }
        for acl in acls {
            table.chains.insert(chain(acl, direction), Chain::of(entries(state, acl, direction)));
        }
    }
}

/// A NAT gateway is in a subnet, too: what goes to it and what comes back by it enters that subnet and leaves it again.
fn through_gateways(state: &HostState, direction: Direction, judged: &BTreeSet<SubnetId>, table: &mut Table) {
    let hook = match direction {
        Direction::Ingress => ("filter", "forward", -11),
        Direction::Egress => ("filter", "forward", -10),
    };
    let gateways = subnets::nat_gateways(state).filter(|gateway| judged.contains(&gateway.subnet));
    let rules = gateways.flat_map(|gateway| {
        [Field::NextHop, Field::AnsweredAt]
            .map(|field| Rule::goto(vec![address(field, gateway.transit)], edge(gateway.subnet, direction)))
    });
    let private = private_nat::marked(state).filter(|(_, gateway)| judged.contains(&gateway.subnet));
    let private = private.flat_map(|(mark, gateway)| {
        private_nat::taken(mark, gateway)
            .map(|taken| Rule::goto(vec![taken], edge(gateway.subnet, direction)))
    });
    let rules: Vec<_> = rules.chain(private).collect();
    if !rules.is_empty() {
        table.chains.insert(format!("acl_nat_{}", word(direction)), Chain::base(hook, rules));
    }
}

pub(super) fn edge(subnet: SubnetId, direction: Direction) -> String {
    format!("{subnet}.{}", word(direction))
}

pub(super) fn chain(acl: NetworkAclId, direction: Direction) -> String {
    format!("{acl}.{}", word(direction))
}

fn list(state: &HostState, acl: NetworkAclId, direction: Direction) -> &[AclEntrySection] {
    state.acls.get(&acl).map_or(&[], |acl| match direction {
        Direction::Ingress => &acl.ingress[..],
        Direction::Egress => &acl.egress[..],
    })
}

/// Whether the first entry lets everything pass. A subnet of flat networks may have no ACL, one of a VPC of its own must.
fn is_open(state: &HostState, subnet: &SubnetSection, direction: Direction) -> bool {
    let Some(acl) = subnet.acl else { return subnet.table.is_none() };
    let first = list(state, acl, direction).first();
    first.is_some_and(|entry| entry.allow && entry.traffic == Traffic::All && entry.cidr.prefix_len() == 0)
}

fn crossing(subnet: &SubnetSection, direction: Direction) -> Vec<Rule> {
    let peer = peer(direction);
    let mut rules = vec![
        Rule::accept(vec![range(peer, Range4::from(subnet.cidr))]),
        Rule::accept(vec![Match::within(&[peer], "gateways")]),
        Rule::accept(vec![Match::within(&[peer], "resolvers")]),
        Rule::accept(vec![Match::is(peer, Value::Address(METADATA_ADDRESS))]),
    ];
    // DHCP, while the client has no address or goes to all; the answers come from a gateway. That an address is one of the
    // host's says nothing: what was translated here has such a source, too.
    if direction == Direction::Egress {
        let discover = [number(Field::UdpSourcePort, 68), number(Field::UdpDestPort, 67)];
        let to_all = address(Field::Destination, Ipv4Addr::BROADCAST);
        rules.push(Rule::accept(discover.into_iter().chain([to_all]).collect()));
    }
    rules.push(match subnet.acl {
        Some(acl) => Rule::goto(vec![], chain(acl, direction)),
        None => Rule::drop(vec![]),
    });
    rules
}

fn entries(state: &HostState, acl: NetworkAclId, direction: Direction) -> Vec<Rule> {
    let entries = list(state, acl, direction).iter();
    let mut rules: Vec<_> = entries.filter_map(|entry| rule(entry, direction)).collect();
    rules.push(Rule::drop(vec![]));
    rules
}

/// `None` for what no IPv4 packet is.
fn rule(entry: &AclEntrySection, direction: Direction) -> Option<Rule> {
    let mut matches = block(peer(direction), entry.cidr);
    let protocol = |number: u8| Match::is(Field::Protocol, Value::Number(number.into()));
    let ports = |field, range: PortRange| match range {
        PortRange::ALL => protocol(if field == Field::TcpDestPort { 6 } else { 17 }),
        part => Match::is(field, Value::Numbers(part.from().into(), part.to().into())),
    };
    match entry.traffic {
        Traffic::All => {}
        Traffic::Tcp(range) => matches.push(ports(Field::TcpDestPort, range)),
        Traffic::Udp(range) => matches.push(ports(Field::UdpDestPort, range)),
        Traffic::Icmp(IcmpMatch::Any) => matches.push(protocol(1)),
        Traffic::Icmp(IcmpMatch::Type(kind)) => matches.push(number(Field::IcmpType, kind.into())),
        Traffic::Icmp(IcmpMatch::TypeCode(kind, code)) => {
            matches.push(number(Field::IcmpType, kind.into()));
            matches.push(number(Field::IcmpCode, code.into()));
        }
        Traffic::Icmpv6(_) => return None,
        Traffic::Other(other) => matches.push(protocol(other)),
    }
    Some(if entry.allow { Rule::accept(matches) } else { Rule::drop(matches) })
}

/// Everything is no comparison that nft can make.
fn block(field: Field, cidr: Cidr4) -> Vec<Match> {
    match cidr.prefix_len() {
        0 => Vec::new(),
        _ => vec![range(field, Range4::from(cidr))],
    }
}
