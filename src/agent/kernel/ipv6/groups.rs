//! Security groups for IPv6: chains under the names that they have for IPv4.
//!
//! A group's own rules stand in its chain, of which there are tens (EC2's quota is 60 a direction); members are sets.

use std::collections::BTreeSet;

use super::{ports, rules};
use crate::agent::kernel::groups::{chain_name, group_chain, icmp, members_set, number, ports as transport};
use crate::agent::kernel::model::*;
use crate::agent::kernel::render::Host;
use crate::plan::{GroupSection, HostState, MembersSection};
use crate::types::{Direction, GroupId, Traffic};

const fn peer(direction: Direction) -> Field {
    match direction {
        Direction::Ingress => Field::Source6,
        Direction::Egress => Field::Destination6,
    }
}

/// Adds the chains that the ports' verdict maps name, and what those need.
pub(super) fn render(state: &HostState, host: &Host, table: &mut Table) {
    let used: BTreeSet<GroupId> = ports(state).flat_map(|port| port.groups.iter().copied()).collect();
    let combinations: BTreeSet<&[GroupId]> = ports(state).map(|port| &*port.groups).collect();
    let mut named = BTreeSet::new();
    for direction in [Direction::Ingress, Direction::Egress] {
        for section in used.iter().filter_map(|id| state.groups.get(id)) {
            let rules = group(state, host, section, direction, &mut named);
            table.chains.insert(group_chain(direction, section.id), Chain::of(rules));
        }
        for groups in &combinations {
            let known = groups.iter().filter(|id| state.groups.contains_key(id));
            let mut rules: Vec<_> = known.map(|id| Rule::jump(vec![], group_chain(direction, *id))).collect();
            rules.push(Rule::drop(vec![]));
            table.chains.insert(chain_name(direction, groups), Chain::of(rules));
        }
    }
    for (id, section) in named.into_iter().filter_map(|id| Some((id, state.members.get(&id)?))) {
        table.sets.insert(members_set(id), members_of(section));
    }
}

/// A group's members as a set.
pub(in crate::agent::kernel) fn members_of(section: &MembersSection) -> Set {
    Set::keys(&["ipv6_addr"], section.ipv6.iter().map(|address| vec![Value::Address6(*address)]))
}

pub(in crate::agent::kernel) fn group(
    state: &HostState,
    host: &Host,
    section: &GroupSection,
    direction: Direction,
    named: &mut BTreeSet<GroupId>,
) -> Vec<Rule> {
    let set = match direction {
        Direction::Ingress => &section.ingress,
        Direction::Egress => &section.egress,
    };
    let mut rules = Vec::new();
    for (source, traffic) in &set.groups {
        if let (true, Some(mut matches)) = (state.members.contains_key(source), traffic6(traffic)) {
            named.insert(*source);
            // What has a peer's address and comes from outside may be anybody's; the VPC's own is known for forged there.
            if direction == Direction::Ingress && host.side.is_router() {
                matches.push(host.not_public(Field::InInterface));
            }
            matches.push(Match::within(&[peer(direction)], members_set(*source)));
            rules.push(Rule::accept(matches));
        }
    }
    rules.extend(set.ipv6.iter().filter_map(|(block, traffic)| {
        let mut matches = traffic6(traffic)?;
        matches.extend(rules::within(peer(direction), *block));
        Some(Rule::accept(matches))
    }));
    rules
}

/// The conditions on an IPv6 packet; `None` where none can match.
pub(super) fn traffic6(traffic: &Traffic) -> Option<Vec<Match>> {
    Some(match *traffic {
        Traffic::All => vec![],
        Traffic::Tcp(range) => transport(Field::TcpDestPort, range),
        Traffic::Udp(range) => transport(Field::UdpDestPort, range),
        Traffic::Icmp(_) => return None,
        Traffic::Icmpv6(what) => icmp(Field::Icmp6Type, Field::Icmp6Code, 58, what),
        Traffic::Other(protocol) => vec![number(Field::Protocol, protocol)],
    })
}
