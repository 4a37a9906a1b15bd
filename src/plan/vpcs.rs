//! VPCs as a host needs them: routes with what they lead to now, and network ACLs.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::host::network_section;
use super::state::*;
use crate::types::*;
use crate::world::{NameServer, NextHop, Route, Vpc, World};

/// Adds what the ports' VPCs and subnets are.
pub fn add(world: &World, state: &mut HostState) {
    let ports: Vec<_> = state.ports.values().cloned().collect();
    for port in ports {
        if !state.subnets.contains_key(&port.subnet) {
            add_subnet(world, state, port.subnet, port.vpc);
        }
        if let Some(vpc) = world.vpcs.get(&port.vpc)
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
    state.subnets.insert(id, Arc::new(SubnetSection { cidr: subnet.cidr, table, acl }));
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
        dns_support: vpc.dns_support,
        dns_hostnames: vpc.dns_hostnames,
        dhcp: dhcp(world, vpc),
        tables,
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
        NextHop::Interface(id) => {
            let eni = world.enis.get(&id).filter(|eni| Some(eni.vpc) == vpc);
            eni.map_or(RouteTo::Nowhere, |eni| RouteTo::Interface(eni.id))
        }
    };
    RouteSection { destination: row.destination, to }
}

fn acl_section(world: &World, acl: NetworkAclId) -> AclSection {
    let entries = |direction| {
        let entries = world.acl_entries_of(acl, direction);
        entries
            .map(|entry| AclEntrySection { allow: entry.allow, traffic: entry.traffic, cidr: entry.cidr })
            .collect()
    };
    AclSection { ingress: entries(Direction::Ingress), egress: entries(Direction::Egress) }
}
