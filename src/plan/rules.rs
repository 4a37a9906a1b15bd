//! What security groups let pass, as a host must know it.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::types::*;

/// Which transport traffic a rule element lets pass, as disjoint boxes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct PortBox {
    pub addresses: Range4,
    /// 6 or 17.
    pub protocol: u8,
    pub ports: PortRange,
}

/// All of a protocol, or everything, from a range.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct ProtocolBox {
    pub addresses: Range4,
    pub protocol: Protocol,
}

/// ICMP from a range, as inclusive ranges of type and code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct IcmpBox {
    pub addresses: Range4,
    pub types: (u8, u8),
    pub codes: (u8, u8),
}

/// One direction of a group.
///
/// Boxes within each list are disjoint and sorted: the kernel's concatenated interval sets refuse
/// elements that overlap.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RuleSet {
    pub ports: Vec<PortBox>,
    pub protocols: Vec<ProtocolBox>,
    pub icmp: Vec<IcmpBox>,
    /// Traffic from or to the members of other groups; sorted, without repeats.
    pub groups: Vec<(GroupId, Traffic)>,
    /// IPv6 rules; sorted, without repeats.
    pub ipv6: Vec<(Cidr6, Traffic)>,
}

/// A security group that a port on this host is in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GroupSection {
    pub id: GroupId,
    pub ingress: RuleSet,
    pub egress: RuleSet,
}

/// Who is in a security group that a rule on this host names: told apart from the rules, so that a change of one does not
/// bring the thousands of the other along.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct MembersSection {
    /// Private addresses of the interfaces in the group, on every host, sorted.
    pub ipv4: Vec<Ipv4Addr>,
    /// Their IPv6 addresses, likewise.
    pub ipv6: Vec<Ipv6Addr>,
}
