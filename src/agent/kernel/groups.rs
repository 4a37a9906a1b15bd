//! Security groups as chains and sets, each group once, however many ports are in it.

use std::collections::BTreeSet;

use super::model::*;
use super::render::Host;
use crate::plan::{GroupSection, HostState, MembersSection, RuleSet};
use crate::types::{Digest, Direction, GroupId, IcmpMatch, PortRange, Protocol, Traffic};

const PORTS_KEY: [&str; 3] = ["ipv4_addr", "inet_proto", "inet_service"];
const PROTOCOLS_KEY: [&str; 2] = ["ipv4_addr", "inet_proto"];
const ICMP_KEY: [&str; 3] = ["ipv4_addr", "icmp_type", "icmp_code"];

/// The peer's address: what a rule of this direction looks at.
const fn peer(direction: Direction) -> Field {
    match direction {
        Direction::Ingress => Field::Source,
        Direction::Egress => Field::Destination,
    }
}

pub(super) const fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "in",
        Direction::Egress => "out",
    }
}

/// The chain that judges ports with exactly these groups; ports with equal groups share it.
pub fn chain_name(direction: Direction, groups: &[GroupId]) -> String {
    let ids: Vec<String> = groups.iter().map(GroupId::to_string).collect();
    let digest = Digest::of(ids.join(" ").as_bytes()).to_string();
    format!("{}.{}", word(direction), &digest[..16])
}

pub(super) fn group_chain(direction: Direction, group: GroupId) -> String {
    format!("{group}.{}", word(direction))
}

pub(super) fn members_set(group: GroupId) -> String {
    format!("{group}.members")
}

/// Adds the chains that the ports' verdict maps name, and what those need.
pub fn render(state: &HostState, host: &Host, table: &mut Table) {
    let used: BTreeSet<GroupId> = state.ports.values().flat_map(|port| port.groups.iter().copied()).collect();
    let combinations: BTreeSet<&[GroupId]> = state.ports.values().map(|port| &*port.groups).collect();
    let mut members = BTreeSet::new();
    for direction in [Direction::Ingress, Direction::Egress] {
        for section in used.iter().filter_map(|id| state.groups.get(id)) {
            group(state, host, section, direction, table, &mut members);
        }
        for groups in &combinations {
            let known = groups.iter().filter(|id| state.groups.contains_key(id));
            let mut rules: Vec<_> = known.map(|id| Rule::jump(vec![], group_chain(direction, *id))).collect();
            rules.push(Rule::drop(vec![]));
            table.chains.insert(chain_name(direction, groups), Chain::of(rules));
        }
    }
    for id in members {
        if let Some(section) = state.members.get(&id) {
            table.sets.insert(members_set(id), members_of(section));
        }
    }
}

/// A group's members as a set.
pub(super) fn members_of(section: &MembersSection) -> Set {
    Set::keys(&["ipv4_addr"], section.ipv4.iter().map(|address| vec![Value::Address(*address)]))
}

pub(super) fn group(
    state: &HostState,
    host: &Host,
    section: &GroupSection,
    direction: Direction,
    table: &mut Table,
    members: &mut BTreeSet<GroupId>,
) {
    let rules = match direction {
        Direction::Ingress => &section.ingress,
        Direction::Egress => &section.egress,
    };
    let name = group_chain(direction, section.id);
    let mut chain = Vec::new();
    for (suffix, fields, set) in sets(rules, direction) {
        if !set.elements.is_empty() {
            let set_name = format!("{name}.{suffix}");
            chain.push(Rule::accept(vec![Match::within(&fields, set_name.clone())]));
            table.sets.insert(set_name, set);
        }
    }
    for (source, traffic) in &rules.groups {
        if let (true, Some(mut matches)) = (state.members.contains_key(source), traffic4(traffic)) {
            members.insert(*source);
            // A router knows its own VPC's addresses from outside for forged; a peer's may be anybody's there.
            if direction == Direction::Ingress && host.side.is_router() {
                matches.push(host.not_public(Field::InInterface));
            }
            matches.push(Match::within(&[peer(direction)], members_set(*source)));
            chain.push(Rule::accept(matches));
        }
    }
    table.chains.insert(name, Chain::of(chain));
}

/// The sets of a direction's address rules: suffix, what is looked up, elements.
fn sets(rules: &RuleSet, direction: Direction) -> [(&'static str, Vec<Field>, Set); 3] {
    let peer = peer(direction);
    let ports = rules.ports.iter().map(|part| {
        vec![
            Value::Addresses(part.addresses),
            Value::Number(part.protocol.into()),
            Value::Numbers(part.ports.from().into(), part.ports.to().into()),
        ]
    });
    let protocols = rules.protocols.iter().map(|part| {
        let protocol = match part.protocol {
            Protocol::All => Value::Numbers(0, 255),
            Protocol::Number(number) => Value::Number(number.into()),
        };
        vec![Value::Addresses(part.addresses), protocol]
    });
    let icmp = rules.icmp.iter().map(|part| {
        vec![
            Value::Addresses(part.addresses),
            Value::Numbers(part.types.0.into(), part.types.1.into()),
            Value::Numbers(part.codes.0.into(), part.codes.1.into()),
        ]
    });
    [
        ("ports", vec![peer, Field::Protocol, Field::AnyDestPort], Set::boxes(&PORTS_KEY, ports)),
        ("protocols", vec![peer, Field::Protocol], Set::boxes(&PROTOCOLS_KEY, protocols)),
        ("icmp", vec![peer, Field::IcmpType, Field::IcmpCode], Set::boxes(&ICMP_KEY, icmp)),
    ]
}

pub(super) fn number(field: Field, number: u8) -> Match {
    Match::is(field, Value::Number(number.into()))
}

pub(super) fn ports(field: Field, range: PortRange) -> Vec<Match> {
    match range {
        PortRange::ALL => vec![number(Field::Protocol, if field == Field::TcpDestPort { 6 } else { 17 })],
        part => vec![Match::is(field, Value::Numbers(part.from().into(), part.to().into()))],
    }
}

pub(super) fn icmp(kind: Field, code: Field, protocol: u8, icmp: IcmpMatch) -> Vec<Match> {
    match icmp {
        IcmpMatch::Any => vec![number(Field::Protocol, protocol)],
        IcmpMatch::Type(t) => vec![number(kind, t)],
        IcmpMatch::TypeCode(t, c) => vec![number(kind, t), number(code, c)],
    }
}

/// The conditions on an IPv4 packet; `None` where none can match.
fn traffic4(traffic: &Traffic) -> Option<Vec<Match>> {
    Some(match *traffic {
        Traffic::All => vec![],
        Traffic::Tcp(range) => ports(Field::TcpDestPort, range),
        Traffic::Udp(range) => ports(Field::UdpDestPort, range),
        Traffic::Icmp(what) => icmp(Field::IcmpType, Field::IcmpCode, 1, what),
        Traffic::Icmpv6(_) => return None,
        Traffic::Other(protocol) => vec![number(Field::Protocol, protocol)],
    })
}
