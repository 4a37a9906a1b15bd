//! The desired state of one host.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{GroupSection, MembersSection};
use crate::types::*;

/// The location of the image that each host makes by itself, from Debian's busybox-static.
pub const STOCK_IMAGE: &str = "stock";

/// Everything that one host must be, at one generation.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct HostState {
    /// Which history of the store the generation counts in: a restored backup begins another.
    pub epoch: Arc<str>,
    pub generation: u64,
    /// The host's own name.
    pub host: Arc<str>,
    pub networks: BTreeMap<Arc<str>, Arc<NetworkSection>>,
    pub ports: BTreeMap<EniId, Arc<PortSection>>,
    /// The groups that ports here are in.
    pub groups: BTreeMap<GroupId, Arc<GroupSection>>,
    /// The groups that rules of those name.
    #[serde(default)]
    pub members: BTreeMap<GroupId, Arc<MembersSection>>,
    /// Elastic addresses that this host answers for, by public address. With [`Exit::ForAll`] they
    /// lead to instances of other hosts, too.
    pub addresses: BTreeMap<Ipv4Addr, Arc<AddressSection>>,
    pub instances: BTreeMap<InstanceId, Arc<InstanceSection>>,
    /// The isolated VPCs that have a port here.
    pub vpcs: BTreeMap<VpcId, Arc<VpcSection>>,
    /// The subnets of the ports, and the network ACLs of those.
    pub subnets: BTreeMap<SubnetId, Arc<SubnetSection>>,
    pub acls: BTreeMap<NetworkAclId, Arc<AclSection>>,
    /// Every pool's range: an elastic address without a mapping is dropped.
    pub pools: Arc<[Range4]>,
    /// Every prefix that VPCs' IPv6 blocks are cut from: an address of one that no port here has is nobody's here.
    #[serde(default)]
    pub pools6: Arc<[Cidr6]>,
    /// Only where the agent has cut it out for the host's own network namespace: which VPC's router has an IPv6 address.
    #[serde(skip)]
    pub routed6: Arc<BTreeMap<Ipv6Addr, VpcId>>,
    /// What reverse DNS answers for elastic addresses, those of other hosts included.
    #[serde(default)]
    pub reverse_names: Arc<BTreeMap<Ipv4Addr, Arc<str>>>,
    /// Every host on the flat segment, this one included.
    pub hosts: Arc<BTreeMap<Arc<str>, Arc<PeerSection>>>,
    /// Where each running instance's interface is, those of this host included.
    pub places: Arc<BTreeMap<EniId, Arc<PlaceSection>>>,
    /// For how many seconds an elastic IP may stay here without a server's word; 0 for ever.
    pub address_lease: u32,
}

impl HostState {
    /// This state with the other's groups and generation.
    #[must_use]
    pub fn with_groups_of(&self, other: &Self) -> Self {
        Self {
            epoch: other.epoch.clone(),
            generation: other.generation,
            groups: other.groups.clone(),
            members: other.members.clone(),
            ..self.clone()
        }
    }

    /// Whether the two differ in their groups and generation at most.
    pub fn differs_in_groups_alone(&self, other: &Self) -> bool {
        self.with_groups_of(other) == *other
    }
}

/// The highest host number: each number stands for an address in 169.254.128.0/18.
pub const MAX_HOSTS: u16 = 16_382;

/// The address that stands for a host as next hop on the flat segment.
///
/// It is in no packet: routes name it, and a permanent neighbour entry gives it the host's MAC. So
/// hosts need no addresses of their own on the flat segment, and nobody there can answer for one.
pub const fn next_hop(number: u16) -> Ipv4Addr {
    let number = number.to_be_bytes();
    Ipv4Addr::new(169, 254, 128 | (number[0] & 0x3f), number[1])
}

/// The highest place in transit: each stands for an address in 169.254.192.0/18, of which the last ones are the hosts' own.
pub const MAX_TRANSIT: u16 = 16_375;

/// What an elastic address is between a host and the router of an isolated VPC, by its place; in no packet beyond them.
pub const fn transit(place: u16) -> Ipv4Addr {
    let place = place.to_be_bytes();
    Ipv4Addr::new(169, 254, 192 | (place[0] & 0x3f), place[1])
}

/// A host on the flat segment, as the others know it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PeerSection {
    pub name: Arc<str>,
    /// See [`next_hop`].
    pub next_hop: Ipv4Addr,
    /// Its flat interface's address: what its frames come from, and ours to it go to.
    pub mac: MacAddr,
    /// The longest packet that its flat interface takes; `None`: it has not said.
    pub flat_mtu: Option<u32>,
}

/// On which host the interface of a running instance is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PlaceSection {
    pub eni: EniId,
    pub private_ip: Ipv4Addr,
    /// Further addresses that it has there.
    pub secondary_ips: Arc<[Ipv4Addr]>,
    /// Its IPv6 addresses there, the primary one first.
    #[serde(default)]
    pub ipv6: Arc<[Ipv6Addr]>,
    pub network: Arc<str>,
    /// One that is missing among the hosts has not said its MAC yet: there is no way to it.
    pub host: Arc<str>,
}

/// Which way the outside is, for the instances of a network.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Exit {
    /// By this host's own public interface (multi_host).
    #[default]
    Here,
    /// By this host, for the instances of all hosts.
    ForAll,
    /// By a peer; nothing from or to an instance of the network is translated here.
    By(Arc<str>),
}

/// A network: the same on every host.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NetworkSection {
    pub name: Arc<str>,
    /// The isolated VPC that it is a subnet of; `None`: flat.
    pub vpc: Option<VpcId>,
    pub cidr: Cidr4,
    /// The /64 of an isolated VPC's subnet, if it has one.
    #[serde(default)]
    pub cidr6: Option<Cidr6>,
    pub gateway: Ipv4Addr,
    /// The addresses that instances have: such a source comes from a host and nobody else.
    pub range: Range4,
    /// Addresses in the range that belong to other machines.
    pub reserved: Arc<[Range4]>,
    pub exit: Exit,
    /// Suffix of instance names, `ip-10-0-0-5.DOMAIN`.
    pub domain: Arc<str>,
}

/// An instance's network interface on this host.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PortSection {
    pub eni: EniId,
    pub instance: InstanceId,
    /// 0 for eth0.
    pub device_index: u32,
    pub network: Arc<str>,
    pub mac: MacAddr,
    pub private_ip: Ipv4Addr,
    /// Further addresses, which the guest configures by itself.
    pub secondary_ips: Arc<[Ipv4Addr]>,
    /// Its IPv6 addresses, the primary one first; none where the port carries no IPv6.
    #[serde(default)]
    pub ipv6: Arc<[Ipv6Addr]>,
    /// Sorted by id.
    pub groups: Arc<[GroupId]>,
    /// Whether only the port's own MAC and address may send.
    pub source_dest_check: bool,
    /// The elastic address that leads here, if one does.
    pub public_ip: Option<Ipv4Addr>,
    /// For the metadata service.
    pub subnet: SubnetId,
    pub subnet_cidr: Cidr4,
    #[serde(default)]
    pub subnet_cidr6: Option<Cidr6>,
    pub vpc: VpcId,
    pub vpc_cidr: Cidr4,
    pub group_names: Arc<[Arc<str>]>,
    pub account: AccountId,
}

/// An isolated VPC, as a host where it lives must know it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct VpcSection {
    pub id: VpcId,
    /// See [`crate::world::Vpc::vni`].
    pub vni: u32,
    /// Its blocks, the first one first.
    pub cidrs: Arc<[Cidr4]>,
    /// Its blocks of IPv6.
    #[serde(default)]
    pub cidrs6: Arc<[Cidr6]>,
    /// Whether the resolver answers, and whether instances have public names.
    pub dns_support: bool,
    pub dns_hostnames: bool,
    /// What its set of DHCP options says.
    pub dhcp: DhcpSection,
    /// Its NAT gateways that are at work.
    pub nat_gateways: BTreeMap<NatGatewayId, NatSection>,
    /// And the private ones.
    #[serde(default)]
    pub private_nat_gateways: BTreeMap<NatGatewayId, PrivateNatSection>,
    /// Its active peering connections. A cable stands for one where both VPCs are on the host.
    #[serde(default)]
    pub peerings: BTreeMap<VpcPeeringConnectionId, PeeringSection>,
    /// All of its route tables, by number: packets from other hosts bring along by which they came.
    pub tables: BTreeMap<u16, Vec<RouteSection>>,
    /// What the same tables have for IPv6.
    #[serde(default)]
    pub tables6: BTreeMap<u16, Vec<Route6Section>>,
}

/// A set of DHCP options; what is empty is not told.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct DhcpSection {
    pub domain_name: Option<Arc<str>>,
    /// `None` stands for the VPC's own resolver.
    pub name_servers: Vec<Option<Ipv4Addr>>,
    pub ntp_servers: Vec<Ipv4Addr>,
    pub netbios_name_servers: Vec<Ipv4Addr>,
    pub netbios_node_type: Option<u8>,
}

/// A public NAT gateway.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NatSection {
    /// Where it is at work.
    pub host: Arc<str>,
    pub subnet: SubnetId,
    /// What its elastic address is between that host and the router there.
    pub transit: Ipv4Addr,
}

/// A private NAT gateway.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PrivateNatSection {
    /// Where it is at work.
    pub host: Arc<str>,
    pub subnet: SubnetId,
    /// What goes through it is this.
    pub address: Ipv4Addr,
    /// The number of the route table that leads that on.
    pub table: u16,
}

/// A peering connection, as one of its VPCs knows it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PeeringSection {
    /// The VPC at the other end, and its blocks: nothing else comes from there.
    pub vpc: VpcId,
    pub cidrs: Arc<[Cidr4]>,
    #[serde(default)]
    pub cidrs6: Arc<[Cidr6]>,
    /// The elastic addresses of that VPC whose names stand for private addresses here, with these.
    pub names: BTreeMap<Ipv4Addr, Ipv4Addr>,
}

/// A route beside those to the VPC's own blocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RouteSection {
    pub destination: Cidr4,
    pub to: RouteTo,
}

/// The same for IPv6.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Route6Section {
    pub destination: Cidr6,
    pub to: RouteTo,
}

/// Where a route leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum RouteTo {
    /// Through the internet gateway: by this host's public interface.
    Internet,
    /// Through an egress-only internet gateway: as [`RouteTo::Internet`], and back only answers.
    EgressOnly,
    Interface(EniId),
    /// Through a NAT gateway, and from there through the internet gateway, or where the gateway's own subnet has routes.
    Nat(NatGatewayId),
    /// To the VPC at the other end, by its router on the same host.
    Peering(VpcPeeringConnectionId),
    /// What it led to is gone.
    Nowhere,
}

/// A subnet with ports on this host.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SubnetSection {
    pub cidr: Cidr4,
    #[serde(default)]
    pub cidr6: Option<Cidr6>,
    /// The number of its route table; `None` where the flat network's routes hold.
    pub table: Option<u16>,
    /// `None`: nothing is said, and nothing passes.
    pub acl: Option<NetworkAclId>,
}

/// A network ACL: entries in the order in which they are asked. What none of them names is denied.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct AclSection {
    pub ingress: Vec<AclEntrySection>,
    pub egress: Vec<AclEntrySection>,
    /// The entries for IPv6, in their order among each other.
    #[serde(default)]
    pub ingress6: Vec<AclEntry6Section>,
    #[serde(default)]
    pub egress6: Vec<AclEntry6Section>,
}

/// One of its entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AclEntrySection {
    pub allow: bool,
    pub traffic: Traffic,
    /// Where packets come from (ingress) or go to (egress).
    pub cidr: Cidr4,
}

/// One of its entries for IPv6.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AclEntry6Section {
    pub allow: bool,
    pub traffic: Traffic,
    pub cidr: Cidr6,
}

/// An elastic IP.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AddressSection {
    pub public_ip: Ipv4Addr,
    pub private_ip: Ipv4Addr,
    pub eni: EniId,
    /// For an interface of an isolated VPC: its place on the way to the VPC's router. Where the host's own rules are made it is
    /// the private address, too, and where the router's are the public one.
    pub transit: Option<TransitSection>,
}

/// What an elastic IP is between a host and the router of a VPC, see [`transit`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TransitSection {
    pub vpc: VpcId,
    pub address: Ipv4Addr,
}

/// What VXLAN puts before a packet over IPv4 (RFC 7348, 5): Ethernet, IP, UDP and its own header.
pub const VXLAN_OVERHEAD: u32 = 50;

impl HostState {
    /// The longest packet that reaches every host by VXLAN; `None` while no host has said its own.
    pub fn vxlan_mtu(&self) -> Option<u32> {
        let smallest = self.hosts.values().filter_map(|peer| peer.flat_mtu).min()?;
        Some(smallest.saturating_sub(VXLAN_OVERHEAD))
    }
}

impl VpcSection {
    /// The VPC's resolver: the third address of its first block
    /// (<https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html>); `None` where it has none.
    pub fn resolver(&self) -> Option<Ipv4Addr> {
        let base = self.cidrs.first()?.network();
        self.dns_support.then(|| Ipv4Addr::from_bits(base.to_bits() + 2))
    }
}

impl PortSection {
    /// All private addresses, the primary one first.
    pub fn private_ips(&self) -> impl Iterator<Item = Ipv4Addr> + Clone {
        std::iter::once(self.private_ip).chain(self.secondary_ips.iter().copied())
    }
}

impl PlaceSection {
    /// All private addresses, the primary one first.
    pub fn private_ips(&self) -> impl Iterator<Item = Ipv4Addr> + Clone {
        std::iter::once(self.private_ip).chain(self.secondary_ips.iter().copied())
    }
}

/// What an instance runs and what it is told of itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct InstanceSection {
    pub id: InstanceId,
    /// Whether it should run.
    pub run: bool,
    /// Another number than the one that runs means: start again.
    pub boot: u64,
    pub image: ImageId,
    /// Where the image lies on the host.
    pub image_location: Arc<str>,
    pub user_data: Option<Arc<[u8]>>,
    pub key_name: Option<Arc<str>>,
    pub public_key: Option<Arc<str>>,
    pub reservation: ReservationId,
    pub launch_index: u32,
    pub instance_type: Arc<str>,
    pub zone: Arc<str>,
    pub region: Region,
    pub account: AccountId,
    pub launched: Micros,
    pub tokens_required: bool,
    pub hop_limit: u8,
    pub metadata_enabled: bool,
    /// What is attached to it, whether or not its ports are here now.
    #[serde(default)]
    pub interfaces: Vec<EniId>,
    /// Served under meta-data/tags/instance where the instance allows it.
    pub tags: Vec<(Arc<str>, Arc<str>)>,
}
