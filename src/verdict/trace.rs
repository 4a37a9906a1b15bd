//! What came of a packet, and how.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use super::acls::AclDecision;
use super::groups::Decision;
use super::packet::Packet;
use super::routes::Routed;
use crate::types::{EniId, VpcId, VpcPeeringConnectionId};

/// Where a packet begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// At an instance, with a source of its choice.
    Interface(EniId),
    /// Beyond the public segment. Its router hands the packet to the host that answers for the destination.
    Outside,
    /// Another machine on the flat segment, which hands it to the host that answers for the destination there.
    Flat,
    /// A program on a host.
    Host(Arc<str>),
}

/// An interface of a host.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Interface {
    Port(EniId),
    Public,
    Flat,
    /// The host's own programs.
    Own,
    /// The cable between the host and its router of an isolated VPC.
    Cable(VpcId),
    /// A router's way to the same VPC's routers on other hosts.
    Vxlan,
    /// The cable between a host's routers of two VPCs that are peers.
    Peering(VpcPeeringConnectionId),
}

/// The part of the way that is in one network namespace: a host's own, or that of its router of a VPC.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hop {
    pub host: Arc<str>,
    /// Whose router it is; `None`: the host's own part.
    pub vpc: Option<VpcId>,
    pub entered: Interface,
    /// `None` where the packet ends.
    pub left: Option<Interface>,
    /// The network ACL's word on the way out of a subnet, ahead of the groups' one.
    pub acl_egress: Option<AclDecision>,
    pub egress: Option<Decision>,
    /// By which route it goes on.
    pub route: Option<Routed>,
    pub translations: Vec<Translation>,
    /// And on the way into one.
    pub acl_ingress: Option<AclDecision>,
    pub ingress: Option<Decision>,
}

/// An address of the packet that became another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Translation {
    Source(IpAddr, IpAddr),
    Destination(IpAddr, IpAddr),
}

/// What a host serves its instances.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Service {
    Dhcp,
    Dns,
    Metadata,
    /// An echo of the gateway.
    Gateway,
    /// Neighbour discovery, and who listens to multicast.
    Discovery,
}

/// Where a packet ends.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Place {
    Interface(EniId),
    Service(Service),
    /// Beyond the public segment.
    Outside,
    /// A machine on the flat segment that is no instance.
    Flat,
    /// A program on a host, which is not ours to judge.
    Host(Arc<str>),
}

/// Why a packet does not arrive.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Blocked {
    /// No rule of the sender's groups lets it out.
    Egress,
    /// No rule of the target's groups lets it in.
    Ingress,
    /// The network ACL of the sender's subnet does not let it out.
    NetworkAclEgress,
    /// The network ACL of the target's subnet does not let it in.
    NetworkAclIngress,
    /// An instance has no other address than its own; no machine has an instance's.
    ForgedSource,
    /// The interface that the route leads to takes only what is for itself.
    DestinationCheck,
    /// No route of the subnet's table leads there.
    NoRoute,
    /// A peering connection leads to the peer's own addresses, and not on from there.
    BeyondThePeer,
    /// The interface has no address of IPv6, and so its link carries none.
    NoIpv6,
    /// The target's route table does not answer the sender through an internet gateway, so it cannot begin from outside.
    ClosedToOutside,
    /// The route's target is gone, is attached to nothing, or does not run.
    BlackHole,
    /// The interface is attached to no instance that runs, or its host has not got its address yet.
    NotRunning,
    /// The rest of 169.254.0.0/16, of fe80::/10 and of fd00:ec2::/32, and multicast, lead nowhere from an instance.
    NowhereToGo,
    /// An instance reaches nothing of a host but its services.
    HostIsProtected,
    /// Only a host is a DHCP server.
    OnlyHostsServeDhcp,
    /// An answer to nothing.
    Unasked,
    /// No instance has the address, and another machine must not.
    NobodyHasIt,
    /// No association leads on from the elastic address.
    NoAssociation,
    /// From outside only elastic addresses are reached; from the flat segment only instances.
    NotForwarded,
    /// The host has no public address to translate to; from an isolated VPC only elastic addresses go out.
    NoPublicAddress,
    /// By another host it would come back to the one that translated it. So it is between networks of which one has a
    /// gateway host and the other has not, or another.
    BackWhereItCameFrom,
    /// The network's gateway host, or the host of the sender or of the target, is not known or was declared failed.
    HostUnknown,
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Egress => "no rule of the sender's security groups lets it out",
            Self::Ingress => "no rule of the target's security groups lets it in",
            Self::NetworkAclEgress => "the network ACL of the sender's subnet does not let it out",
            Self::NetworkAclIngress => "the network ACL of the target's subnet does not let it in",
            Self::DestinationCheck => {
                "the network interface that the route leads to has its source/destination check on, and the packet is not for it"
            }
            Self::BeyondThePeer => {
                "a peering connection leads to the peer VPC's own addresses alone, and not through it to others"
            }
            Self::NoRoute => "no route of the subnet's route table leads there",
            Self::BlackHole => {
                "the route is a black hole: its target is gone, is attached to nothing, or does not run"
            }
            Self::NoIpv6 => "the sender's network interface has no IPv6 address",
            Self::ClosedToOutside => {
                "the route table of the target's subnet does not lead back to the sender through an internet gateway"
            }
            Self::ForgedSource => "the source is not one that the sender may have",
            Self::NotRunning => {
                "the interface is attached to no instance that runs, or its host has not got its address yet"
            }
            Self::NowhereToGo => "link-local and multicast addresses lead nowhere from an instance",
            Self::HostIsProtected => "an instance reaches nothing of a host but DHCP, DNS and metadata",
            Self::OnlyHostsServeDhcp => "only a host is a DHCP server",
            Self::Unasked => "it is an answer, and there was no question",
            Self::NobodyHasIt => "no instance has the address",
            Self::NoAssociation => "the elastic IP is associated with no instance that runs",
            Self::NotForwarded => {
                "from outside only elastic IPs are reached, and from the flat segment only instances"
            }
            Self::NoPublicAddress => {
                "the source address has no elastic IP, and the host no public address that stands for it"
            }
            Self::BackWhereItCameFrom => {
                "it would come back to the host that translated its source: the networks have different gateway hosts"
            }
            Self::HostUnknown => "the gateway host, or the sender's or the target's host, was declared failed or was never heard of",
        })
    }
}

/// The end of the way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It arrives, looking like this.
    Reaches(Place, Packet),
    Blocked(Blocked),
}

/// The whole way of a packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trace {
    pub origin: Origin,
    pub packet: Packet,
    pub hops: Vec<Hop>,
    pub outcome: Outcome,
}
