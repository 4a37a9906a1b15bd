//! Security groups, rule by rule.
//!
//! A group's rules only allow. What any rule of any group of an interface allows passes, nothing else does, and the
//! order of rules means nothing
//! (<https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html>).

use std::net::IpAddr;
use std::sync::Arc;

use super::packet::{Packet, Transport};
use super::places::{addresses, is_meant};
use crate::types::{
    Cidr, Direction, EniId, GroupId, IcmpMatch, PortRange, PrefixListId, RuleId, RuleTarget, Traffic,
};
use crate::world::{Eni, PrefixListVersion, Rule, World};

/// What the groups of an interface say to a packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decision {
    pub interface: EniId,
    pub direction: Direction,
    /// Every rule that allows it, with its group; none: it is dropped.
    pub allowed_by: Vec<(GroupId, RuleId)>,
    /// The groups that were asked.
    pub groups: Vec<GroupId>,
}

/// Asks every rule of every group of the interface. What comes into a VPC from outside is of no group's members, whatever its
/// source says.
pub fn decide(
    world: &World,
    eni: &Eni,
    direction: Direction,
    packet: &Packet,
    from_outside: bool,
) -> Decision {
    let peer = match direction {
        Direction::Ingress => packet.source,
        Direction::Egress => packet.destination,
    };
    let rules = world.rules.values().filter(|rule| rule.direction == direction);
    let allowed_by = rules
        .filter(|rule| eni.groups.contains(&rule.group))
        .filter(|rule| !(from_outside && matches!(rule.target, RuleTarget::Group { .. })))
        .filter(|rule| allows(world, rule, peer, packet.transport))
        .map(|rule| (rule.group, rule.id))
        .collect();
    Decision { interface: eni.id, direction, allowed_by, groups: eni.groups.to_vec() }
}

fn allows(world: &World, rule: &Rule, peer: IpAddr, transport: Transport) -> bool {
    let who = match &rule.target {
        RuleTarget::Cidr4(block) => covers(*block, peer),
        RuleTarget::Cidr6(block) => covers(*block, peer),
        RuleTarget::PrefixList(list) => listed(world, *list).iter().any(|block| covers(*block, peer)),
        // "Allows traffic based on the private IP addresses of the network interfaces that are associated with it."
        RuleTarget::Group { group, .. } => {
            let has = |eni: &Eni| addresses(eni).any(|ip| ip == peer);
            is_meant(world, rule.group, *group)
                && world.enis.values().any(|eni| eni.groups.contains(group) && has(eni))
        }
    };
    who && carries(&rule.traffic, transport)
}

/// The blocks that are in a prefix list: those of its version that counts.
pub fn listed(world: &World, list: PrefixListId) -> Vec<Cidr> {
    let Some(row) = world.prefix_lists.values().find(|row| row.id == list) else { return Vec::new() };
    let is_now = |version: &&Arc<PrefixListVersion>| version.list == list && version.number == row.version;
    let entries =
        world.prefix_list_versions.values().filter(is_now).flat_map(|version| version.entries.iter());
    entries.map(|entry| entry.block).collect()
}

/// Whether the address lies in the block: never in one of the other family.
pub fn covers(block: impl Into<Cidr>, address: impl Into<IpAddr>) -> bool {
    let (first, free, address) = match (block.into(), address.into()) {
        (Cidr::V4(block), IpAddr::V4(address)) => {
            (block.network().to_bits().into(), 32 - block.prefix_len(), address.to_bits().into())
        }
        (Cidr::V6(block), IpAddr::V6(address)) => {
            (block.network().to_bits(), 128 - block.prefix_len(), address.to_bits())
        }
        _ => return false,
    };
    let mask = u128::MAX.checked_shl(free.into()).unwrap_or(0);
    address & mask == first
}

/// Whether a packet is of this traffic.
pub fn carries(traffic: &Traffic, transport: Transport) -> bool {
    let port = |range: &PortRange, port: u16| range.from() <= port && port <= range.to();
    match (traffic, transport) {
        (Traffic::All, _) => true,
        (Traffic::Tcp(range), Transport::Tcp { to, .. })
        | (Traffic::Udp(range), Transport::Udp { to, .. }) => port(range, to),
        (Traffic::Icmp(what), Transport::Icmp { kind, code })
        | (Traffic::Icmpv6(what), Transport::Icmp6 { kind, code }) => match *what {
            IcmpMatch::Any => true,
            IcmpMatch::Type(wanted) => wanted == kind,
            IcmpMatch::TypeCode(wanted, of) => wanted == kind && of == code,
        },
        (Traffic::Other(wanted), Transport::Other(number)) => *wanted == number,
        _ => false,
    }
}
