//! Network ACLs, entry by entry.
//!
//! They judge what crosses a subnet's edge, packet by packet and whatever was said before: the entry with the lowest
//! number that a packet matches decides, and what none matches is denied
//! (<https://docs.aws.amazon.com/vpc/latest/userguide/vpc-network-acls.html>). Within a subnet nothing is asked, nor for
//! DHCP, neighbour discovery, the resolver and metadata. An answer is one packet more: it needs entries of its own, on ephemeral ports.

use std::net::IpAddr;

use super::groups::{carries, covers};
use super::link;
use super::packet::{Packet, Transport};
use super::places::{self, METADATA};
use crate::types::{Direction, NetworkAclId, SubnetId};
use crate::world::{AclEntry, Eni, World};

/// What the network ACL of a subnet says to a packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AclDecision {
    pub subnet: SubnetId,
    pub acl: Option<NetworkAclId>,
    /// As seen from the subnet.
    pub direction: Direction,
    /// The number of the entry that decides; `None` where none matches.
    pub entry: Option<u16>,
    pub allowed: bool,
}

/// Asks the ACL of the interface's subnet; `None` where nothing is to be asked.
pub fn decide(world: &World, eni: &Eni, direction: Direction, packet: &Packet) -> Option<AclDecision> {
    let subnet = world.subnets.get(&eni.subnet)?;
    let peer = match direction {
        Direction::Ingress => packet.source,
        Direction::Egress => packet.destination,
    };
    let within = covers(subnet.cidr, peer) || subnet.block6.is_some_and(|block| covers(block.cidr, peer));
    if within || is_served(world, eni, direction, peer, packet.transport) {
        return None;
    }
    let association = world.acl_associations.values().find(|row| row.subnet == subnet.id);
    let acl = association.map(|row| row.acl).filter(|acl| world.network_acls.contains_key(acl));
    let decision = |entry, allowed| AclDecision { subnet: subnet.id, acl, direction, entry, allowed };
    if acl.is_none() {
        // A default VPC of before there were ACLs has none, and is open; one of one's own has one in any case.
        let isolated = places::isolated(world, eni).is_some();
        return isolated.then(|| decision(None, false));
    }
    let entries = world.acl_entries.values().filter(|entry| Some(entry.acl) == acl);
    let matching = |entry: &&std::sync::Arc<AclEntry>| {
        entry.direction == direction && covers(entry.cidr, peer) && carries(&entry.traffic, packet.transport)
    };
    let first = entries.filter(matching).min_by_key(|entry| entry.number);
    Some(decision(first.map(|entry| entry.number), first.is_some_and(|entry| entry.allow)))
}

/// "Network ACLs can't block DNS requests to or from the Route 53 Resolver [...], traffic to or from" DHCP and the instance
/// metadata service.
fn is_served(world: &World, eni: &Eni, direction: Direction, peer: IpAddr, transport: Transport) -> bool {
    let vpc = places::isolated(world, eni);
    if let IpAddr::V6(peer) = peer {
        return peer.is_unicast_link_local() || (direction == Direction::Egress && link::is_multicast(peer));
    }
    let discover = places::is_broadcast(peer) && matches!(transport, Transport::Udp { from: 68, to: 67 });
    (direction == Direction::Egress && discover)
        || peer == METADATA
        || places::is_gateway(world, vpc.map(|vpc| vpc.id), peer)
        || places::is_resolver(world, vpc, peer)
}
