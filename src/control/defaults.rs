//! The default VPC: what an account finds in a region before it has made anything.
//!
//! The flat networks are one VPC per owner with a subnet for each network, as EC2's default VPC has
//! one per zone. Everything here can be run again at any time: it adds what is missing.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::{Decision, internet_gateways, vpcs};
use crate::types::*;
use crate::world::{
    DhcpOptions, Group, InternetGateway, NameServer, NextHop, Route, Rule, Subnet, Vpc, World,
};

/// The name of the group that an interface gets when it asks for none.
pub const DEFAULT_GROUP: &str = "default";

/// EC2's own default VPC, 172.31.0.0/16, for as long as there is no network to tell ours.
const NO_NETWORK: (Ipv4Addr, u8) = (Ipv4Addr::new(172, 31, 0, 0), 16);

/// The owner's default VPC, if it was made already.
pub fn vpc<'w>(world: &'w World, owner: &Owner) -> Option<&'w Arc<Vpc>> {
    vpcs_of(world, owner).find(|vpc| vpc.is_default)
}

/// The owner's default subnet on a network, if it was made already.
pub fn subnet<'w>(world: &'w World, owner: &Owner, network: &str) -> Option<&'w Arc<Subnet>> {
    let vpc = vpc(world, owner)?.id;
    subnets_of(world, vpc).find(|subnet| subnet.is_default && *subnet.network == *network)
}

/// The default security group of a VPC.
pub fn group(world: &World, vpc: VpcId) -> Option<GroupId> {
    world.index.group_by_name.get(&(vpc, DEFAULT_GROUP.into())).copied()
}

/// An owner's VPCs, by id.
pub fn vpcs_of<'w>(world: &'w World, owner: &Owner) -> impl Iterator<Item = &'w Arc<Vpc>> {
    let owner = owner.clone();
    world
        .index
        .vpcs_by_owner
        .range((owner.clone(), VpcId::from_random(0))..)
        .take_while(move |(of, _)| *of == owner)
        .filter_map(|(_, id)| world.vpcs.get(id))
}

/// A VPC's subnets, by id.
pub fn subnets_of(world: &World, vpc: VpcId) -> impl Iterator<Item = &Arc<Subnet>> {
    world
        .index
        .subnets_by_vpc
        .range((vpc, SubnetId::from_random(0))..)
        .take_while(move |(of, _)| *of == vpc)
        .filter_map(|(_, id)| world.subnets.get(id))
}

/// Makes whatever the owner's default VPC lacks: the VPC, its DHCP options, a subnet per network, what each VPC has, and
/// the way to the internet.
///
/// To be called when an account is made and before its first use; see [`ensure_all`] for a new
/// network. Calling it twice changes nothing.
pub fn ensure(decision: &mut Decision<'_>, owner: &Owner) -> VpcId {
    if let Some(own) = vpc(&decision.world, owner).filter(|vpc| vpc.vni.is_some()).map(|vpc| vpc.id) {
        vpcs::own_default::ensure(decision, owner);
        return own;
    }
    let vpc = ensure_vpc(decision, owner);
    let networks: Vec<_> = decision.world.flat_networks().cloned().collect();
    for network in networks {
        if subnet(&decision.world, owner, &network.name).is_none() {
            let row = Subnet {
                id: decision.env.id(SubnetId::from_random),
                owner: owner.clone(),
                vpc,
                cidr: network.cidr,
                zone: network.zone.clone(),
                network: network.name.clone(),
                is_default: true,
                map_public_ip: false,
                block6: None,
                assign_ipv6: false,
                created: decision.env.now,
            };
            decision.put(row);
        }
    }
    vpcs::ensure_belongings(decision, owner, vpc);
    ensure_internet(decision, owner, vpc);
    vpc
}

/// [`ensure`] for who calls.
pub fn ensure_caller(decision: &mut Decision<'_>) {
    let owner = decision.caller.owner.clone();
    ensure_as(decision, &owner, decision.caller.isolated);
}

/// [`ensure`], in a region where default VPCs are isolated, or in one where they are the flat networks.
pub fn ensure_as(decision: &mut Decision<'_>, owner: &Owner, isolated: bool) {
    if isolated {
        vpcs::own_default::ensure(decision, owner);
    } else {
        ensure(decision, owner);
    }
}

/// The default VPC is public: "we attach an internet gateway" and "add a route to the main route table that points all
/// traffic to the internet gateway" (VPC User Guide, default VPCs).
pub fn ensure_internet(decision: &mut Decision<'_>, owner: &Owner, vpc: VpcId) {
    let created = decision.env.now;
    let gateway = internet_gateways::attached_to(&decision.world, vpc).map(|gateway| gateway.id);
    let gateway = gateway.unwrap_or_else(|| {
        let id = decision.env.id(InternetGatewayId::from_random);
        decision.put(InternetGateway { id, owner: owner.clone(), vpc: Some(vpc), created });
        id
    });
    let main = decision.world.index.route_table_association_of.get(&(vpc, None));
    let main = main.and_then(|id| decision.world.route_table_associations.get(id)).map(|row| row.table);
    let destination = everything().into();
    if let Some(table) = main.filter(|table| !decision.world.routes.contains_key(&(*table, destination))) {
        let to = NextHop::InternetGateway(gateway);
        decision.put(Route { table, owner: owner.clone(), destination, to, created });
    }
}

/// What EC2 calls a region's private names
/// (<https://docs.aws.amazon.com/vpc/latest/userguide/DHCPOptionSetConcepts.html>).
pub fn domain(region: &Region) -> Arc<str> {
    match &*region.0 {
        "us-east-1" => "ec2.internal".into(),
        other => format!("{other}.compute.internal").into(),
    }
}

/// [`ensure`] for every owner that has a default VPC: a network was added.
pub fn ensure_all(decision: &mut Decision<'_>) {
    let owners: Vec<_> =
        decision.world.vpcs.values().filter(|vpc| vpc.is_default).map(|vpc| vpc.owner.clone()).collect();
    for owner in owners {
        ensure(decision, &owner);
    }
}

fn ensure_vpc(decision: &mut Decision<'_>, owner: &Owner) -> VpcId {
    let cidr = covering(decision.world.flat_networks().map(|network| network.cidr));
    let vpc = match vpc(&decision.world, owner).cloned() {
        Some(old) => {
            if let Some(cidr) = cidr.filter(|cidr| *cidr != old.cidr) {
                decision.put(Vpc { cidr, ..(*old).clone() });
            }
            old
        }
        None => {
            let (address, length) = NO_NETWORK;
            let row = Vpc {
                id: decision.env.id(VpcId::from_random),
                owner: owner.clone(),
                cidr: cidr.or(Cidr4::new(address, length)).unwrap_or_else(everything),
                blocks: Arc::new([]),
                blocks6: Arc::new([]),
                is_default: true,
                dhcp_options: decision.env.id(DhcpOptionsId::from_random),
                dns_support: true,
                dns_hostnames: true,
                vni: None,
                created: decision.env.now,
            };
            decision.put(row.clone());
            Arc::new(row)
        }
    };
    ensure_dhcp_options(decision, owner, vpc.dhcp_options);
    vpc.id
}

/// The set of DHCP options that each new VPC gets: the one that came with the first default VPC, also when that is gone.
pub fn dhcp_options(world: &World, owner: &Owner) -> Option<DhcpOptionsId> {
    if let Some(flat) = vpc(world, owner).filter(|vpc| vpc.vni.is_none()) {
        return Some(flat.dhcp_options);
    }
    let sets = world.dhcp_options.values().filter(|row| row.owner == *owner);
    sets.min_by_key(|row| (row.created, row.id)).map(|row| row.id)
}

pub fn ensure_dhcp_options(decision: &mut Decision<'_>, owner: &Owner, set: DhcpOptionsId) {
    if !decision.world.dhcp_options.contains_key(&set) {
        decision.put(DhcpOptions {
            id: set,
            owner: owner.clone(),
            domain_name: Some(domain(&owner.region)),
            name_servers: [NameServer::Own].into(),
            ntp_servers: Arc::new([]),
            netbios_name_servers: Arc::new([]),
            netbios_node_type: None,
            created: decision.env.now,
        });
    }
}

/// EC2's default group: everything out, and in from its own members.
/// <https://docs.aws.amazon.com/vpc/latest/userguide/default-security-group.html>
pub fn make_group(decision: &mut Decision<'_>, owner: &Owner, vpc: VpcId) {
    let group = decision.env.id(GroupId::from_random);
    let created = decision.env.now;
    decision.put(Group {
        id: group,
        owner: owner.clone(),
        vpc,
        name: DEFAULT_GROUP.into(),
        description: "default VPC security group".into(),
        created,
    });
    let own = RuleTarget::Group { group, account: owner.account };
    let anywhere = RuleTarget::Cidr4(everything());
    for (direction, target) in [(Direction::Ingress, own), (Direction::Egress, anywhere)] {
        let id = decision.env.id(RuleId::from_random);
        let owner = owner.clone();
        decision.put(Rule {
            id,
            owner,
            group,
            direction,
            traffic: Traffic::All,
            target,
            description: None,
            created,
        });
    }
}

pub fn everything() -> Cidr4 {
    Cidr4::from(ipnet::Ipv4Net::default())
}

pub fn everything6() -> Cidr6 {
    Cidr6::from(ipnet::Ipv6Net::default())
}

/// The smallest block that holds all of the given ones.
fn covering(blocks: impl Iterator<Item = Cidr4>) -> Option<Cidr4> {
    blocks.reduce(|a, b| {
        let different = a.network().to_bits() ^ b.network().to_bits();
        let common = u8::try_from(different.leading_zeros()).unwrap_or(32);
        let length = common.min(a.prefix_len()).min(b.prefix_len());
        Cidr4::new(a.network(), length).unwrap_or(a)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::testing::*;

    #[test]
    fn makes_everything_once() {
        let mut bench = Bench::small();
        let before = bench.changes.len();
        let owner = bench.caller.owner.clone();
        bench.decide(|decision| ensure(decision, &owner));
        assert_eq!(bench.changes.len(), before, "the bench has run it before");
        let vpc = vpc(&bench.world, &owner).unwrap();
        assert_eq!(vpc.cidr.to_string(), "10.0.0.0/24");
        assert!(subnet(&bench.world, &owner, "flat").is_some());
        let group = group(&bench.world, vpc.id).unwrap();
        assert_eq!(bench.world.index.rules_by_group.iter().filter(|(of, _)| *of == group).count(), 2);
        assert!(bench.world.index.rules_by_target.iter().any(|(named, _)| *named == group));
    }

    #[test]
    fn a_new_network_becomes_a_subnet_of_every_owner() {
        let mut bench = Bench::small();
        bench.network("second", "10.0.1.0/24", "us-east-1b");
        bench.decide(ensure_all);
        let owner = bench.caller.owner.clone();
        assert_eq!(&*subnet(&bench.world, &owner, "second").unwrap().zone, "us-east-1b");
        assert_eq!(vpc(&bench.world, &owner).unwrap().cidr.to_string(), "10.0.0.0/23");
        assert_eq!(bench.world.vpcs.len(), 1);
    }

    #[test]
    fn another_region_has_its_own() {
        let mut bench = Bench::small();
        let other = Owner { region: "eu-west-1".into(), ..bench.caller.owner.clone() };
        bench.decide(|decision| ensure(decision, &other));
        assert_ne!(vpc(&bench.world, &other).unwrap().id, vpc(&bench.world, &bench.caller.owner).unwrap().id);
    }
}
