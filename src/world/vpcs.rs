//! The rows of VPCs: subnets, route tables, gateways, network ACLs, DHCP options.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

use super::{Destination, SubnetBlock6, VpcBlock6};
use crate::types::*;

/// What no route leads anywhere: link-local addresses (RFC 4291, 2.5.6) and groups (2.7).
pub const UNROUTED6: [(Ipv6Addr, u8); 2] =
    [(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10), (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8)];

/// A VPC.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Vpc {
    pub id: VpcId,
    pub owner: Owner,
    /// The block that it was made with.
    pub cidr: Cidr4,
    /// Those that were associated later.
    pub blocks: Arc<[Block]>,
    /// Its blocks of IPv6.
    pub blocks6: Arc<[VpcBlock6]>,
    pub is_default: bool,
    pub dhcp_options: DhcpOptionsId,
    /// Whether the resolver answers.
    pub dns_support: bool,
    /// Whether instances have public names.
    pub dns_hostnames: bool,
    /// What tells its packets from those of others between hosts (VXLAN's VNI, RFC 7348); `None`: flat networks carry it.
    pub vni: Option<u32>,
    pub created: Micros,
}

/// A block of addresses that was associated with a VPC; written `ID=CIDR`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Block {
    pub id: VpcCidrAssociationId,
    pub cidr: Cidr4,
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.id, self.cidr)
    }
}

impl FromStr for Block {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (id, cidr) = text.split_once('=').ok_or_else(|| format!("{text:?} is no block"))?;
        let id = id.parse().map_err(|error: ParseIdError| error.to_string())?;
        Ok(Self { id, cidr: cidr.parse().map_err(|error: ParseCidrError| error.to_string())? })
    }
}

impl Vpc {
    /// All its blocks, the first one first.
    pub fn cidrs(&self) -> impl Iterator<Item = Cidr4> {
        std::iter::once(self.cidr).chain(self.blocks.iter().map(|block| block.cidr))
    }

    /// Whether all of a block is its own, or link-local: no route leads such packets anywhere else.
    pub fn keeps(&self, block: Cidr4) -> bool {
        let link_local = Cidr4::new(Ipv4Addr::new(169, 254, 0, 0), 16);
        let holds = |own: Cidr4| own.contains(block.network()) && own.contains(block.last());
        self.cidrs().chain(link_local).any(holds)
    }

    /// The same for IPv6, where multicast leads nowhere, too.
    pub fn keeps6(&self, block: Cidr6) -> bool {
        let own = self.blocks6.iter().map(|own| own.cidr);
        own.chain(UNROUTED6.into_iter().filter_map(|(address, length)| Cidr6::new(address, length)))
            .any(|own| own.holds(&block))
    }
}

/// A subnet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Subnet {
    pub id: SubnetId,
    pub owner: Owner,
    pub vpc: VpcId,
    pub cidr: Cidr4,
    pub zone: Arc<str>,
    /// The network that carries it.
    pub network: Arc<str>,
    pub is_default: bool,
    /// Whether an instance gets a public address at its launch where it does not say.
    pub map_public_ip: bool,
    /// Its block of IPv6, which is a /64 in one of the VPC's.
    pub block6: Option<SubnetBlock6>,
    /// Whether an interface gets an IPv6 address when it is made without one.
    pub assign_ipv6: bool,
    pub created: Micros,
}

/// A route table. Its routes, and what it is associated with, are rows of their own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouteTable {
    pub id: RouteTableId,
    pub owner: Owner,
    pub vpc: VpcId,
    /// Within the VPC; what hosts call it.
    pub number: u16,
    pub created: Micros,
}

/// What a route table is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouteTableAssociation {
    pub id: RouteTableAssociationId,
    pub owner: Owner,
    pub vpc: VpcId,
    pub table: RouteTableId,
    /// `None`: it is the main table, that of all subnets without one.
    pub subnet: Option<SubnetId>,
}

/// A NAT gateway: what instances are outside their VPC, or outside their subnet's routes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NatGateway {
    pub id: NatGatewayId,
    pub owner: Owner,
    pub vpc: VpcId,
    pub subnet: SubnetId,
    /// Its interface, which no instance has; gone when it is deleted.
    pub eni: EniId,
    pub private_ip: Ipv4Addr,
    /// The elastic address that leads to it; `None`: it is private, and what goes through it is `private_ip`.
    pub elastic: Option<NatElastic>,
    /// Where it is at work; `None` while no host can have it.
    pub host: Option<Arc<str>>,
    pub client_token: Option<Arc<str>>,
    pub created: Micros,
    /// It can be read for an hour longer.
    pub deleted: Option<Micros>,
}

/// The elastic address of a public NAT gateway, which it had from its making.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NatElastic {
    pub allocation: AllocationId,
    pub public_ip: Ipv4Addr,
}

/// Where a route leads.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum NextHop {
    InternetGateway(InternetGatewayId),
    NatGateway(NatGatewayId),
    /// To the VPC at the other end of a peering connection.
    Peering(VpcPeeringConnectionId),
    Interface(EniId),
}

/// A route that somebody made. Those to the VPC's own blocks are there without a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Route {
    pub table: RouteTableId,
    pub owner: Owner,
    pub destination: Destination<Cidr4>,
    /// May be gone: then the route is a black hole.
    pub to: NextHop,
    pub created: Micros,
}

/// A part of a subnet that is kept from automatic allocation: who wants an address of it names it
/// (<https://docs.aws.amazon.com/vpc/latest/userguide/subnet-cidr-reservation.html>).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SubnetCidrReservation {
    pub id: SubnetCidrReservationId,
    pub owner: Owner,
    pub subnet: SubnetId,
    pub cidr: Cidr4,
    /// Kept for prefixes that are delegated to interfaces, else for addresses that are named.
    pub is_prefix: bool,
    pub description: Option<Arc<str>>,
    pub created: Micros,
}

/// An internet gateway.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InternetGateway {
    pub id: InternetGatewayId,
    pub owner: Owner,
    /// What it is attached to.
    pub vpc: Option<VpcId>,
    pub created: Micros,
}

/// A network ACL. Its entries are rows of their own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NetworkAcl {
    pub id: NetworkAclId,
    pub owner: Owner,
    pub vpc: VpcId,
    pub is_default: bool,
    pub created: Micros,
}

/// The key of a network ACL's entry.
pub type AclEntryKey = (NetworkAclId, Direction, u16);

/// An entry of a network ACL: the first one by number that a packet matches decides.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AclEntry {
    pub acl: NetworkAclId,
    pub owner: Owner,
    /// As seen from the subnet.
    pub direction: Direction,
    /// 1 to 32766.
    pub number: u16,
    pub allow: bool,
    pub traffic: Traffic,
    /// Where packets come from (ingress) or go to (egress).
    pub cidr: Cidr,
    pub created: Micros,
}

/// Which network ACL a subnet has: each has one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AclAssociation {
    pub id: NetworkAclAssociationId,
    pub owner: Owner,
    pub acl: NetworkAclId,
    pub subnet: SubnetId,
}

/// A resolver that DHCP names; written `AmazonProvidedDNS` or as an address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum NameServer {
    /// That of the VPC.
    Own,
    At(Ipv4Addr),
}

/// EC2's word for the resolver of the VPC.
const OWN_NAME_SERVER: &str = "AmazonProvidedDNS";

impl fmt::Display for NameServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own => f.write_str(OWN_NAME_SERVER),
            Self::At(address) => address.fmt(f),
        }
    }
}

impl FromStr for NameServer {
    type Err = std::net::AddrParseError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            OWN_NAME_SERVER => Ok(Self::Own),
            _ => text.parse().map(Self::At),
        }
    }
}

/// A set of DHCP options; what is empty is not told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DhcpOptions {
    pub id: DhcpOptionsId,
    pub owner: Owner,
    pub domain_name: Option<Arc<str>>,
    pub name_servers: Arc<[NameServer]>,
    pub ntp_servers: Arc<[Ipv4Addr]>,
    pub netbios_name_servers: Arc<[Ipv4Addr]>,
    /// 1, 2, 4 or 8 (RFC 2132, 8.7).
    pub netbios_node_type: Option<u8>,
    pub created: Micros,
}
