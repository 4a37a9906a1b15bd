//! Who has an address, and by which hosts it is reached.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::groups::covers;
use super::link;
use crate::types::{Cidr, EniId, GroupId, InternetGatewayId, NatGatewayId, VpcId, VpcPeeringConnectionId};
use crate::world::{
    Address, Condition, Eni, InstanceState, NatGateway, Network, PeeringState, Space, Vpc, World,
};

/// Where instances find metadata and, at the second one, the resolver, whatever network they are in.
pub const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
pub const RESOLVER: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 253);

/// What a host is, beside the World.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HostFacts {
    pub public_interface: Arc<str>,
    pub flat_interface: Arc<str>,
    /// What instances without an elastic address are outside.
    pub snat: Option<Ipv4Addr>,
}

/// The hosts' own word of themselves.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Facts {
    pub hosts: BTreeMap<Arc<str>, HostFacts>,
}

impl Facts {
    /// Whether public and flat segment are one.
    pub fn one_nic(&self, host: &str) -> bool {
        self.hosts.get(host).is_some_and(|facts| facts.public_interface == facts.flat_interface)
    }

    /// The host whose own address outside it is.
    pub fn host_with(&self, ip: IpAddr) -> Option<Arc<str>> {
        self.hosts.keys().find(|name| self.snat(name) == Some(ip)).cloned()
    }

    /// What a host's instances without an elastic address are outside.
    pub fn snat(&self, host: &str) -> Option<IpAddr> {
        self.hosts.get(host)?.snat.map(IpAddr::V4)
    }
}

/// An interface that a host serves just now.
#[derive(Clone, Debug)]
pub struct Served {
    pub eni: Arc<Eni>,
    /// Those of its private addresses that its host has the claims to, and those of IPv6, which are where it is.
    pub addresses: Vec<IpAddr>,
    pub host: Arc<str>,
    /// Through which host the outside is.
    pub exit: Arc<str>,
}

/// An address that a host answers for outside: an elastic one, or an interface's own one of IPv6.
#[derive(Clone, Debug)]
pub struct Elastic {
    /// Which host answers for it.
    pub holder: Arc<str>,
    /// `None` while the interface is served by no host.
    pub target: Option<Served>,
    /// Which of the target's addresses it leads to.
    pub private_ip: IpAddr,
}

/// The VPC of an interface, if it is isolated: if it has routers of its own, and is on no flat network.
pub fn isolated<'w>(world: &'w World, eni: &Eni) -> Option<&'w Arc<Vpc>> {
    world.vpcs.get(&eni.vpc).filter(|vpc| vpc.vni.is_some())
}

/// All addresses of an interface.
pub fn addresses(eni: &Eni) -> impl Iterator<Item = IpAddr> {
    eni.private_ips().map(IpAddr::V4).chain(eni.ipv6.iter().copied().map(IpAddr::V6))
}

/// All blocks of a VPC.
pub fn blocks(vpc: &Vpc) -> impl Iterator<Item = Cidr> {
    vpc.cidrs().map(Cidr::V4).chain(vpc.blocks6.iter().map(|block| Cidr::V6(block.cidr)))
}

/// The interface, if its instance runs and its host has the claim to its address.
pub fn served(world: &World, id: EniId) -> Option<Served> {
    let eni = world.enis.get(&id)?;
    let instance = world.instances.get(&eni.attachment?.instance)?;
    if !matches!(instance.state, InstanceState::Pending | InstanceState::Running) {
        return None;
    }
    let claimed = |ip: &IpAddr| {
        let IpAddr::V4(ip) = *ip else { return true };
        let claim = world.claims.get(&(Space::Network(eni.network.clone()), ip));
        claim.is_some_and(|claim| claim.leaving.is_none() && claim.host == instance.host)
    };
    let addresses: Vec<_> = addresses(eni).filter(claimed).collect();
    if !addresses.contains(&eni.private_ip.into()) {
        return None;
    }
    let gateway = world.networks.get(&eni.network)?.gateway_host.clone();
    let exit = gateway.unwrap_or_else(|| instance.host.clone());
    Some(Served { eni: eni.clone(), addresses, host: instance.host.clone(), exit })
}

/// Who has the address: on the flat networks, or in an isolated VPC. It may be another's in each.
pub fn at(world: &World, vpc: Option<VpcId>, address: IpAddr) -> Option<Served> {
    let here = |eni: &&Arc<Eni>| isolated(world, eni).map(|vpc| vpc.id) == vpc;
    let enis = world.enis.values().filter(here);
    enis.filter_map(|eni| served(world, eni.id)).find(|served| served.addresses.contains(&address))
}

/// Whether the internet gateway is attached to the VPC.
pub fn attached(world: &World, id: InternetGatewayId, vpc: VpcId) -> bool {
    world.internet_gateways.get(&id).is_some_and(|gateway| gateway.vpc == Some(vpc))
}

/// The VPC at the other end of a peering connection that is active.
pub fn at_other_end(world: &World, id: VpcPeeringConnectionId, vpc: VpcId) -> Option<Arc<Vpc>> {
    let row = world.peerings.get(&id).filter(|row| row.state == PeeringState::Active)?;
    let other = match (row.requester.vpc == vpc, row.accepter.vpc == vpc) {
        (true, false) => row.accepter.vpc,
        (false, true) => row.requester.vpc,
        _ => return None,
    };
    world.vpcs.get(&other).filter(|vpc| vpc.vni.is_some()).cloned()
}

/// Whether the members of a group are whom a rule of another one means: both are in one VPC, in two that are peers, or on the
/// flat networks. Not where a third VPC that is a peer, too, has an address of theirs in its blocks.
pub fn is_meant(world: &World, of: GroupId, named: GroupId) -> bool {
    let (Some(of), Some(named)) = (world.groups.get(&of), world.groups.get(&named)) else { return false };
    let flat = |id: VpcId| world.vpcs.get(&id).is_some_and(|vpc| vpc.vni.is_none());
    let peers: Vec<_> = world.peerings.keys().filter_map(|id| at_other_end(world, *id, of.vpc)).collect();
    let others = || peers.iter().filter(|peer| peer.id != named.vpc).flat_map(|peer| blocks(peer));
    let has_also = |ip: IpAddr| others().any(|block| covers(block, ip));
    let members = || world.enis.values().filter(|eni| eni.groups.contains(&named.id));
    let is_clear = || !members().any(|eni| addresses(eni).any(has_also));
    let joined = peers.iter().any(|peer| peer.id == named.vpc);
    of.vpc == named.vpc || (flat(of.vpc) && flat(named.vpc)) || (joined && is_clear())
}

/// The NAT gateway, if it is at work, and on which host.
pub fn nat_gateway(world: &World, vpc: VpcId, id: NatGatewayId) -> Option<(Arc<NatGateway>, Arc<str>)> {
    let row = world.nat_gateways.get(&id).filter(|row| row.vpc == vpc && row.deleted.is_none())?;
    let host = row.host.clone()?;
    let network = &world.enis.get(&row.eni)?.network;
    let mut places = vec![(Space::Network(network.clone()), row.private_ip)];
    if let Some(elastic) = row.elastic {
        let address = world.addresses.get(&elastic.allocation)?;
        address.transit?;
        places.push((Space::Pool(address.pool), elastic.public_ip));
    }
    let claimed = |place: &(Space, Ipv4Addr)| {
        world.claims.get(place).is_some_and(|claim| claim.leaving.is_none() && claim.host == host)
    };
    places.iter().all(claimed).then(|| (row.clone(), host))
}

/// Whether a private NAT gateway at work in the VPC has the address.
pub fn is_private_nat_gateway(world: &World, vpc: VpcId, address: IpAddr) -> bool {
    let mut rows = world.nat_gateways_of(vpc).filter(|row| row.elastic.is_none());
    rows.any(|row| IpAddr::V4(row.private_ip) == address && nat_gateway(world, vpc, row.id).is_some())
}

fn is_of_nat_gateway(world: &World, eni: EniId) -> bool {
    world.nat_gateways.values().any(|row| row.eni == eni)
}

/// Where the address leads from outside; `None` where nobody answers for it.
pub fn elastic(world: &World, ip: IpAddr) -> Option<Elastic> {
    let IpAddr::V4(ip) = ip else {
        // No two VPCs have the same ones.
        let target = world.vpcs.keys().find_map(|vpc| at(world, Some(*vpc), ip))?;
        return Some(Elastic { holder: target.host.clone(), target: Some(target), private_ip: ip });
    };
    let row = world.addresses.values().find(|row| row.public_ip == ip)?;
    let holder = holder(world, row)?;
    let association = row.association?;
    let private_ip = association.private_ip.into();
    let target = served(world, association.eni)
        .filter(|target| target.exit == holder && target.addresses.contains(&private_ip));
    Some(Elastic { holder, target, private_ip })
}

/// The host that answers for the elastic address.
fn holder(world: &World, row: &Address) -> Option<Arc<str>> {
    let claim =
        world.claims.get(&(Space::Pool(row.pool), row.public_ip)).filter(|claim| claim.leaving.is_none())?;
    let eni = world.enis.get(&row.association?.eni);
    // Into an isolated VPC no way leads without a place between host and router, and a gateway.
    let open = |vpc: VpcId| world.internet_gateways.values().any(|gateway| gateway.vpc == Some(vpc));
    let leads = match eni.and_then(|eni| isolated(world, eni)) {
        Some(vpc) => row.transit.is_some() && open(vpc.id),
        None => true,
    };
    // Nor does one lead to a NAT gateway that is not at work.
    let nat = eni.and_then(|eni| world.nat_gateways.values().find(|row| row.eni == eni.id));
    let works = nat.is_none_or(|row| nat_gateway(world, row.vpc, row.id).is_some());
    (leads && works).then(|| claim.host.clone())
}

/// The elastic address that a private address of the interface is, outside; where asked for, only one that a host answers
/// for.
pub fn outside_of(world: &World, id: EniId, private: IpAddr, answered: bool) -> Option<IpAddr> {
    let of = |row: &&Arc<Address>| row.association.is_some_and(|to| to.eni == id && to.private_ip == private);
    let leads = |ip: &IpAddr| elastic(world, *ip).is_some_and(|elastic| elastic.target.is_some());
    world.addresses.values().filter(of).map(|row| row.public_ip.into()).find(|ip| !answered || leads(ip))
}

/// What an isolated VPC's internet gateway makes of a private source on a host: the elastic address that this host answers
/// for. A NAT gateway's is nobody's who sends under the gateway's private address.
pub fn outside_of_vpc(world: &World, vpc: VpcId, host: &str, private: IpAddr) -> Option<IpAddr> {
    let of = |row: &&Arc<Address>| {
        let to = row.association.filter(|to| to.private_ip == private);
        let eni = to.and_then(|to| world.enis.get(&to.eni));
        eni.is_some_and(|eni| eni.vpc == vpc && !is_of_nat_gateway(world, eni.id))
            && holder(world, row).is_some_and(|holder| *holder == *host)
    };
    world.addresses.values().find(of).map(|row| row.public_ip.into())
}

/// The networks that share one space of addresses: the flat ones, or those of an isolated VPC.
fn networks(world: &World, vpc: Option<VpcId>) -> impl Iterator<Item = &Arc<Network>> {
    world.networks.values().filter(move |network| network.vpc == vpc)
}

/// The network of a space whose block has the address.
pub fn network_of(world: &World, vpc: Option<VpcId>, address: IpAddr) -> Option<&Arc<Network>> {
    networks(world, vpc).find(|network| covers(network.cidr, address))
}

/// Whether the address is the hosts' own on the instances' side.
pub fn is_gateway(world: &World, vpc: Option<VpcId>, address: IpAddr) -> bool {
    address == link::ROUTER || networks(world, vpc).any(|network| network.gateway == address)
}

/// Whether the resolver has the address: a gateway's on the flat networks; the third of an isolated VPC's first block, where
/// it answers at all; and one that is the same everywhere.
pub fn is_resolver(world: &World, vpc: Option<&Arc<Vpc>>, address: IpAddr) -> bool {
    match vpc {
        None => address == RESOLVER || is_gateway(world, None, address),
        Some(vpc) => {
            let third = Ipv4Addr::from_bits(vpc.cidr.network().to_bits() + 2);
            vpc.dns_support && (address == RESOLVER || address == third)
        }
    }
}

/// Whether the address is an instance's on some flat network, or would be.
pub fn is_flat_instance(world: &World, address: IpAddr) -> bool {
    networks(world, None).any(|network| of_instances(network, address))
}

/// Whether the address belongs to instances, and to no other machine.
pub fn of_instances(network: &Network, address: IpAddr) -> bool {
    let IpAddr::V4(address) = address else { return false };
    network.range.contains(address) && !network.reserved.iter().any(|part| part.contains(address))
}

/// Whether everybody on a link is meant.
pub fn is_broadcast(address: IpAddr) -> bool {
    address == Ipv4Addr::BROADCAST
}

/// Whether others can send the host anything by the flat segment.
pub fn known(world: &World, host: &str) -> bool {
    world.hosts.get(host).is_some_and(|row| row.condition != Condition::Failed && row.flat_mac.is_some())
}
