//! VPCs as a host needs them: routes with what they lead to now, and network ACLs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::host::network_section;
use super::state::*;
use crate::types::*;
use crate::world::{NameServer, NatGateway, NextHop, Route, Space, Vpc, World};

/// Adds what the ports' VPCs and subnets are.
pub fn add(world: &World, state: &mut HostState) {
    let ports = state.ports.values().map(|port| (port.subnet, port.vpc));
    let nat = world.nat_gateways_on(&state.host).filter(|row| row.deleted.is_none());
    let places: BTreeSet<_> = ports.chain(nat.map(|row| (row.subnet, row.vpc))).collect();
    for (subnet, vpc) in places {
        if !state.subnets.contains_key(&subnet) {
            add_subnet(world, state, subnet, vpc);
        }
        if let Some(vpc) = world.vpcs.get(&vpc)
            && !state.vpcs.contains_key(&vpc.id)
            && let Some(section) = vpc_section(world, vpc)
        {
            state.vpcs.insert(vpc.id, Arc::new(section));
            let networks = world.networks_of(vpc.id).map(|row| network_section(row, &state.host));
            let networks = networks.map(|network| (network.name.clone(), Arc::new(network)));
            state.networks.extend(networks.collect::<Vec<_>>());
        }
    }
}

fn add_subnet(world: &World, state: &mut HostState, id: SubnetId, vpc: VpcId) {
    let Some(subnet) = world.subnets.get(&id) else { return };
    let isolated = world.vpcs.get(&vpc).is_some_and(|vpc| vpc.vni.is_some());
    let table = if isolated { world.route_table_of(vpc, id).map(|table| table.number) } else { None };
    let acl = world.acl_of(id).map(|acl| acl.id);
    state.subnets.insert(id, Arc::new(SubnetSection { cidr: subnet.cidr, cidr6: None, table, acl }));
    if let Some(acl) = acl.filter(|acl| !state.acls.contains_key(acl)) {
        state.acls.insert(acl, Arc::new(acl_section(world, acl)));
    }
}

/// `None` for what flat networks carry.
fn vpc_section(world: &World, vpc: &Vpc) -> Option<VpcSection> {
    let tables = world.route_tables_of(vpc.id);
    let tables: BTreeMap<_, _> = tables
        .map(|table| (table.number, world.routes_of(table.id).map(|row| route(world, row)).collect()))
        .collect();
    Some(VpcSection {
        id: vpc.id,
        vni: vpc.vni?,
        cidrs: vpc.cidrs().collect(),
        cidrs6: [].into(),
        dns_support: vpc.dns_support,
        dns_hostnames: vpc.dns_hostnames,
        dhcp: dhcp(world, vpc),
        nat_gateways: world.nat_gateways_of(vpc.id).filter_map(|row| nat(world, row)).collect(),
        tables,
        tables6: BTreeMap::new(),
    })
}

fn dhcp(world: &World, vpc: &Vpc) -> DhcpSection {
    let Some(row) = world.dhcp_options.get(&vpc.dhcp_options) else { return DhcpSection::default() };
    let server = |server: &NameServer| match server {
        NameServer::Own => None,
        NameServer::At(address) => Some(*address),
    };
    DhcpSection {
        domain_name: row.domain_name.clone(),
        name_servers: row.name_servers.iter().map(server).collect(),
        ntp_servers: row.ntp_servers.to_vec(),
        netbios_name_servers: row.netbios_name_servers.to_vec(),
        netbios_node_type: row.netbios_node_type,
    }
}

fn route(world: &World, row: &Route) -> RouteSection {
    let vpc = world.route_tables.get(&row.table).map(|table| table.vpc);
    let to = match row.to {
        NextHop::InternetGateway(id) => {
            let gateway = world.internet_gateways.get(&id);
            let attached = gateway.is_some_and(|gateway| gateway.vpc.is_some() && gateway.vpc == vpc);
            if attached { RouteTo::Internet } else { RouteTo::Nowhere }
        }
        NextHop::NatGateway(id) => {
            let gateway = world.nat_gateways.get(&id).filter(|row| Some(row.vpc) == vpc);
            let out = gateway.is_some_and(|gateway| goes_out(world, gateway, row.destination));
            if out { RouteTo::Nat(id) } else { RouteTo::Nowhere }
        }
        NextHop::Interface(id) => {
            let eni = world.enis.get(&id).filter(|eni| Some(eni.vpc) == vpc);
            eni.map_or(RouteTo::Nowhere, |eni| RouteTo::Interface(eni.id))
        }
    };
    RouteSection { destination: row.destination, to }
}

/// `None` for one that is not at work: deleted, or where its host has not got its addresses yet.
fn nat(world: &World, row: &NatGateway) -> Option<(NatGatewayId, NatSection)> {
    let address = world.addresses.get(&row.allocation).filter(|_| row.deleted.is_none())?;
    let host = row.host.clone()?;
    let claimed = |space: Space, ip| {
        let claim = world.claims.get(&(space, ip));
        claim.is_some_and(|claim| claim.host == host && claim.leaving.is_none())
    };
    let subnet = world.subnets.get(&row.subnet)?;
    let here = claimed(Space::Pool(address.pool), address.public_ip)
        && claimed(Space::Network(subnet.network.clone()), row.private_ip);
    let transit = transit(address.transit.filter(|_| here)?);
    Some((row.id, NatSection { host, subnet: row.subnet, transit }))
}

/// Whether the gateway's own subnet has a route to the internet for the destination.
fn goes_out(world: &World, gateway: &NatGateway, destination: Cidr4) -> bool {
    let Some(table) = world.route_table_of(gateway.vpc, gateway.subnet) else { return false };
    let holds = |row: &&Arc<Route>| {
        row.destination.contains(destination.network()) && row.destination.contains(destination.last())
    };
    let longest = world.routes_of(table.id).filter(holds).max_by_key(|row| row.destination.prefix_len());
    longest.is_some_and(|row| {
        matches!(row.to, NextHop::InternetGateway(_)) && route(world, row).to == RouteTo::Internet
    })
}

fn acl_section(world: &World, acl: NetworkAclId) -> AclSection {
    let entries = |direction| {
        let entries = world.acl_entries_of(acl, direction);
        entries
            .map(|entry| AclEntrySection { allow: entry.allow, traffic: entry.traffic, cidr: entry.cidr })
            .collect()
    };
    AclSection {
        ingress: entries(Direction::Ingress),
        egress: entries(Direction::Egress),
        ..AclSection::default()
    }
}
