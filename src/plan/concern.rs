//! Which hosts a change concerns: only those are woken.
//!
//! May name a host too many and never one too few: for a host that is not named, the state before
//! and the state after are equal but for the generation.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::types::*;
use crate::world::*;

/// Hosts, or all that there are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Concern {
    All,
    Hosts(BTreeSet<Arc<str>>),
}

impl Concern {
    pub fn contains(&self, host: &str) -> bool {
        match self {
            Self::All => true,
            Self::Hosts(hosts) => hosts.contains(host),
        }
    }

    /// The hosts by name.
    pub fn of(&self, world: &World) -> BTreeSet<Arc<str>> {
        match self {
            Self::All => world.hosts.keys().cloned().collect(),
            Self::Hosts(hosts) => hosts.clone(),
        }
    }
}

/// The hosts whose states the changes may alter, between the Worlds before and after them.
pub fn concern(before: &World, after: &World, changes: &[Change]) -> Concern {
    let mut hosts = BTreeSet::new();
    let mut groups = BTreeSet::new();
    for change in changes {
        let key = match change {
            Change::Put(row) => row.key(),
            Change::Delete(key) => key.clone(),
        };
        if for_all(before, after, &key) {
            return Concern::All;
        }
        for world in [before, after] {
            of_row(world, &key, &mut hosts, &mut groups);
        }
    }
    for group in groups {
        for world in [before, after] {
            of_group(world, group, &mut hosts);
        }
    }
    Concern::Hosts(hosts)
}

/// Whether a change of the row reaches every host: where instances are, what the segment is.
fn for_all(before: &World, after: &World, key: &Key) -> bool {
    match key {
        // Each allocation changes `next`, which no host is told.
        Key::Network(name) => {
            let told = |world: &World| {
                let network = world.networks.get(name).filter(|network| network.vpc.is_none())?;
                Some(Network { next: None, ..(**network).clone() })
            };
            told(before) != told(after)
        }
        Key::Pool(id) => {
            let told = |world: &World| world.pools.get(id).map(|pool| pool.range);
            told(before) != told(after)
        }
        // Each block that is given changes `next`, which no host is told.
        Key::Ipv6Pool(cidr) => before.ipv6_pools.contains_key(cidr) != after.ipv6_pools.contains_key(cidr),
        Key::Host(name) => {
            let told = |world: &World| {
                world.hosts.get(name).map(|host| {
                    (host.flat_mac, host.flat_mtu, host.number, host.condition == Condition::Failed)
                })
            };
            told(before) != told(after)
        }
        Key::Address(id) => {
            let told = |world: &World| {
                let row = world.addresses.get(id)?;
                Some((row.public_ip, row.domain_name.clone()?))
            };
            told(before) != told(after)
        }
        // Where each address is, all are told, and an address may move without its claim.
        Key::Eni(id) => {
            let further =
                |world: &World| world.enis.get(id).map(|eni| (eni.secondary_ips.clone(), eni.ipv6.clone()));
            further(before).zip(further(after)).is_some_and(|(old, new)| old != new)
        }
        Key::Claim((Space::Network(_), _)) | Key::Deployment(()) => true,
        _ => false,
    }
}

fn of_row(world: &World, key: &Key, hosts: &mut BTreeSet<Arc<str>>, groups: &mut BTreeSet<GroupId>) {
    match key {
        Key::Instance(id) => of_instance(world, *id, hosts),
        Key::Eni(id) => of_eni(world, *id, hosts, groups),
        Key::Rule(id) => groups.extend(world.rules.get(id).map(|rule| rule.group)),
        Key::Group(id) => drop(groups.insert(*id)),
        Key::Address(id) => {
            if let Some(row) = world.addresses.get(id) {
                // The holder, for the address, and the instance's host, whose metadata names it.
                let claim = world.claims.get(&(Space::Pool(row.pool), row.public_ip));
                hosts.extend(claim.map(|claim| claim.host.clone()));
                if let Some(association) = row.association {
                    of_eni(world, association.eni, hosts, &mut BTreeSet::new());
                }
            }
        }
        Key::Claim(place) => {
            hosts.extend(world.claims.get(place).map(|claim| claim.host.clone()));
            of_nat_claim(world, place, hosts);
        }
        Key::PrefixList(id) | Key::PrefixListVersion((id, _)) => {
            groups.extend(world.rules_with_list(*id).map(|rule| rule.group));
            world.tables_with_list(*id).for_each(|table| of_vpc(world, table.vpc, hosts));
        }
        Key::Tag((ResourceId::Instance(id), _)) => of_instance(world, *id, hosts),
        Key::Image(id) => {
            let of_image = world.instances.values().filter(|row| row.image == *id);
            hosts.extend(of_image.map(|row| row.host.clone()));
        }
        _ => of_vpc_row(world, key, hosts),
    }
}

/// The rows of VPCs: the hosts that have a port in one.
fn of_vpc_row(world: &World, key: &Key, hosts: &mut BTreeSet<Arc<str>>) {
    let vpc = match key {
        Key::Vpc(id) => Some(*id),
        // A new subnet is a network of the VPC.
        Key::Subnet(id) => world.subnets.get(id).map(|row| row.vpc),
        Key::Network(name) => world.networks.get(name).and_then(|row| row.vpc),
        Key::InternetGateway(id) => world.internet_gateways.get(id).and_then(|row| row.vpc),
        Key::EgressGateway(id) => world.egress_gateways.get(id).map(|row| row.vpc),
        Key::NatGateway(id) => world.nat_gateways.get(id).map(|row| row.vpc),
        Key::Peering(id) => {
            if let Some(row) = world.peerings.get(id) {
                row.ends().iter().for_each(|end| of_vpc(world, end.vpc, hosts));
            }
            None
        }
        Key::RouteTable(id) | Key::Route((id, _)) | Key::Ipv6Route((id, _)) => {
            world.route_tables.get(id).map(|row| row.vpc)
        }
        Key::RouteTableAssociation(id) => world.route_table_associations.get(id).map(|row| row.vpc),
        Key::NetworkAcl(id) | Key::AclEntry((id, ..)) => world.network_acls.get(id).map(|row| row.vpc),
        Key::AclAssociation(id) => {
            world.acl_associations.get(id).and_then(|row| world.network_acls.get(&row.acl)).map(|row| row.vpc)
        }
        _ => None,
    };
    if let Some(vpc) = vpc {
        of_vpc(world, vpc, hosts);
    }
    if let Key::DhcpOptions(id) = key {
        let first = (*id, VpcId::from_random(0));
        let with = world.index.vpcs_by_dhcp_options.range(first..).take_while(|(of, _)| of == id);
        with.for_each(|(_, vpc)| of_vpc(world, *vpc, hosts));
    }
}

/// Where routes lead to a peer, there is a router of the peer, too.
fn of_vpc(world: &World, vpc: VpcId, hosts: &mut BTreeSet<Arc<str>>) {
    in_vpc(world, vpc, hosts);
    world.peers_of(vpc).for_each(|(_, peer)| in_vpc(world, peer, hosts));
}

fn in_vpc(world: &World, vpc: VpcId, hosts: &mut BTreeSet<Arc<str>>) {
    hosts.extend(world.nat_gateways_of(vpc).filter_map(|row| row.host.clone()));
    for subnet in world.subnets_of(vpc) {
        let inside = (subnet.id, EniId::from_random(0));
        let enis = world.index.enis_by_subnet.range(inside..).take_while(|(of, _)| *of == subnet.id);
        for eni in enis.filter_map(|(_, id)| world.enis.get(id)) {
            if let Some(attachment) = eni.attachment {
                of_instance(world, attachment.instance, hosts);
            }
        }
    }
}

/// Whether a NAT gateway is at work follows from its claims, and its whole VPC is told.
fn of_nat_claim(world: &World, (space, address): &(Space, Ipv4Addr), hosts: &mut BTreeSet<Arc<str>>) {
    let Space::Pool(_) = space else { return };
    let id = world.index.address_by_public_ip.get(address);
    let led = id.and_then(|id| world.addresses.get(id)?.association);
    if let Some(gateway) = led.and_then(|led| world.nat_gateway_of(led.eni)) {
        of_vpc(world, gateway.vpc, hosts);
    }
}

fn of_instance(world: &World, id: InstanceId, hosts: &mut BTreeSet<Arc<str>>) {
    hosts.extend(world.instances.get(&id).map(|instance| instance.host.clone()));
}

fn of_eni(world: &World, id: EniId, hosts: &mut BTreeSet<Arc<str>>, groups: &mut BTreeSet<GroupId>) {
    let Some(eni) = world.enis.get(&id) else { return };
    groups.extend(eni.groups.iter().copied());
    if let Some(attachment) = eni.attachment {
        of_instance(world, attachment.instance, hosts);
    }
    // Routes may lead to it, wherever in its VPC.
    if world.vpcs.get(&eni.vpc).is_some_and(|vpc| vpc.vni.is_some()) {
        of_vpc(world, eni.vpc, hosts);
    }
}

/// The hosts with a port in the group, or in one whose rules name it.
fn of_group(world: &World, group: GroupId, hosts: &mut BTreeSet<Arc<str>>) {
    with_port_in(world, group, hosts);
    let rules = (group, RuleId::from_random(0));
    let naming = world.index.rules_by_target.range(rules..).take_while(|(named, _)| *named == group);
    for (_, rule) in naming {
        if let Some(rule) = world.rules.get(rule) {
            with_port_in(world, rule.group, hosts);
        }
    }
}

fn with_port_in(world: &World, group: GroupId, hosts: &mut BTreeSet<Arc<str>>) {
    let first = (group, EniId::from_random(0));
    let enis = world.index.enis_by_group.range(first..).take_while(|(of, _)| *of == group);
    for eni in enis.filter_map(|(_, id)| world.enis.get(id)) {
        // Of the thousands in a group, the first ones have often told of all hosts.
        if hosts.len() >= world.hosts.len() && world.hosts.keys().all(|host| hosts.contains(host)) {
            return;
        }
        if let Some(attachment) = eni.attachment {
            of_instance(world, attachment.instance, hosts);
        }
    }
}
