//! VPCs as a host needs them: routes with what they lead to now, and network ACLs.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

use super::host::network_section;
use super::state::*;
use crate::types::*;
use crate::world::{
    Destination, Ipv6NextHop, Ipv6Route, NameServer, NatGateway, NextHop, Peering, Route, Space, Subnet, Vpc,
    World,
};

/// Adds what the ports' VPCs and subnets are.
pub fn add(world: &World, state: &mut HostState) {
    let ports = state.ports.values().map(|port| (port.subnet, port.vpc));
    let nat = world.nat_gateways_on(&state.host).filter(|row| row.deleted.is_none());
    let places: BTreeSet<_> = ports.chain(nat.map(|row| (row.subnet, row.vpc))).collect();
    for (subnet, vpc) in places {
        if !state.subnets.contains_key(&subnet) {
            add_subnet(world, state, subnet, vpc);
        }
        add_vpc(world, state, vpc);
    }
    // Where a packet leaves for a peer, the peer's router takes it from there. Whom else the peer has for peers is none of this
    // host's business: it is not woken when anything becomes of them.
    let here = state.vpcs.clone();
    for vpc in here.values() {
        let routes = vpc.tables.values().flatten().map(|route| route.to);
        let routes = routes.chain(vpc.tables6.values().flatten().map(|route| route.to));
        let over = routes.filter_map(|to| match to {
            RouteTo::Peering(id) => vpc.peerings.get(&id),
            _ => None,
        });
        over.for_each(|peering| add_vpc(world, state, peering.vpc));
    }
    for (_, peer) in state.vpcs.iter_mut().filter(|(id, _)| !here.contains_key(id)) {
        Arc::make_mut(peer).peerings.retain(|_, peering| here.contains_key(&peering.vpc));
    }
}

/// Adds an isolated VPC with its networks, once.
fn add_vpc(world: &World, state: &mut HostState, id: VpcId) {
    let Some(vpc) = world.vpcs.get(&id).filter(|_| !state.vpcs.contains_key(&id)) else { return };
    let Some(section) = vpc_section(world, vpc) else { return };
    state.vpcs.insert(id, Arc::new(section));
    let networks = world.networks_of(id).map(|row| network_section(world, row, &state.host));
    let networks = networks.map(|network| (network.name.clone(), Arc::new(network)));
    state.networks.extend(networks.collect::<Vec<_>>());
}

fn add_subnet(world: &World, state: &mut HostState, id: SubnetId, vpc: VpcId) {
    let Some(subnet) = world.subnets.get(&id) else { return };
    let isolated = world.vpcs.get(&vpc).is_some_and(|vpc| vpc.vni.is_some());
    let table = if isolated { world.route_table_of(vpc, id).map(|table| table.number) } else { None };
    let acl = world.acl_of(id).map(|acl| acl.id);
    state.subnets.insert(id, Arc::new(SubnetSection { cidr: subnet.cidr, cidr6: cidr6(subnet), table, acl }));
    if let Some(acl) = acl.filter(|acl| !state.acls.contains_key(acl)) {
        state.acls.insert(acl, Arc::new(acl_section(world, acl)));
    }
}

/// `None` for what flat networks carry.
fn vpc_section(world: &World, vpc: &Vpc) -> Option<VpcSection> {
    let rows: Chosen =
        world.route_tables_of(vpc.id).map(|table| (table.id, chosen(world, vpc, table.id))).collect();
    let section = |(block, row): (&Cidr4, &&Route)| RouteSection {
        destination: *block,
        to: leads_to(world, &rows, row, *block),
    };
    let tables = world.route_tables_of(vpc.id);
    let tables: BTreeMap<_, _> =
        tables.map(|table| (table.number, rows[&table.id].iter().map(section).collect())).collect();
    let tables6 = world.route_tables_of(vpc.id).map(|table| {
        let chosen = chosen6(world, vpc, table.id).into_iter();
        (table.number, chosen.map(|(block, row)| route6(world, row, block)).collect())
    });
    Some(VpcSection {
        id: vpc.id,
        vni: vpc.vni?,
        cidrs: vpc.cidrs().collect(),
        cidrs6: cidrs6(vpc),
        dns_support: vpc.dns_support,
        dns_hostnames: vpc.dns_hostnames,
        dhcp: dhcp(world, vpc),
        nat_gateways: world.nat_gateways_of(vpc.id).filter_map(|row| nat(world, row)).collect(),
        private_nat_gateways: private_nat(world, vpc.id),
        peerings: world.peers_of(vpc.id).filter_map(|(row, peer)| peering(world, row, peer)).collect(),
        tables,
        tables6: tables6.collect(),
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

/// The rows that decide in each table of a VPC, by block.
type Chosen<'w> = BTreeMap<RouteTableId, BTreeMap<Cidr4, &'w Route>>;

/// The rows of a table by block: those to prefix lists are for what is in them now.
///
/// "If your route table contains a static route with a destination CIDR block that overlaps a prefix list, the static route
/// with the CIDR block takes priority"; of several lists that have a block EC2 chooses one, "thereafter, the same route
/// always takes priority"
/// (<https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Route_Tables.html#route-tables-priority-propagated-routes>).
/// Within the VPC everything is local, and link-local addresses are each host's own, whatever a list says.
fn chosen<'w>(world: &'w World, vpc: &Vpc, table: RouteTableId) -> BTreeMap<Cidr4, &'w Route> {
    let rows = world.routes_of(table).map(|row| (row.destination, &**row));
    by_block(world, rows, |block| block.v4().filter(|block| !vpc.keeps(*block)))
}

/// The same for IPv6.
fn chosen6<'w>(world: &'w World, vpc: &Vpc, table: RouteTableId) -> BTreeMap<Cidr6, &'w Ipv6Route> {
    let rows = world.ipv6_routes_of(table).map(|row| (row.destination, &**row));
    by_block(world, rows, |block| block.v6().filter(|block| !vpc.keeps6(*block)))
}

/// The rows by block, of which those to blocks come before those to lists; `leads` are a list's blocks that are of the family,
/// and that a route may lead away.
fn by_block<'w, C: Ord, R>(
    world: &World,
    rows: impl Iterator<Item = (Destination<C>, &'w R)>,
    leads: impl Fn(Cidr) -> Option<C>,
) -> BTreeMap<C, &'w R> {
    let mut by_block = BTreeMap::new();
    for (destination, row) in rows {
        match destination {
            Destination::Block(block) => drop(by_block.insert(block, row)),
            Destination::PrefixList(list) => {
                for block in world.entries_of(list).iter().filter_map(|entry| leads(entry.block)) {
                    by_block.entry(block).or_insert(row);
                }
            }
        }
    }
    by_block
}

fn leads_to(world: &World, tables: &Chosen, row: &Route, destination: Cidr4) -> RouteTo {
    let vpc = world.route_tables.get(&row.table).map(|table| table.vpc);
    match row.to {
        NextHop::InternetGateway(id) => {
            let gateway = world.internet_gateways.get(&id);
            let attached = gateway.is_some_and(|gateway| gateway.vpc.is_some() && gateway.vpc == vpc);
            if attached { RouteTo::Internet } else { RouteTo::Nowhere }
        }
        NextHop::NatGateway(id) => {
            let gateway = world.nat_gateways.get(&id).filter(|row| Some(row.vpc) == vpc);
            // Where a private one leads a packet, its own table says, for each destination by itself.
            let out = gateway.is_some_and(|gateway| {
                gateway.elastic.is_none() || goes_out(world, tables, gateway, destination)
            });
            if out { RouteTo::Nat(id) } else { RouteTo::Nowhere }
        }
        NextHop::Peering(id) => {
            let peer = vpc.and_then(|vpc| world.peer_over(id, vpc));
            peer.map_or(RouteTo::Nowhere, |_| RouteTo::Peering(id))
        }
        NextHop::Interface(id) => {
            let eni = world.enis.get(&id).filter(|eni| Some(eni.vpc) == vpc);
            eni.map_or(RouteTo::Nowhere, |eni| RouteTo::Interface(eni.id))
        }
    }
}

/// Whether the interface is a NAT gateway's that is not at work: its elastic address leads nowhere, and is nobody else's.
pub fn rests(world: &World, vpc: VpcId, eni: EniId) -> bool {
    let mut gateways = world.nat_gateways_of(vpc).filter(|row| row.eni == eni);
    gateways.any(|row| nat(world, row).is_none())
}

fn route6(world: &World, row: &Ipv6Route, destination: Cidr6) -> Route6Section {
    let vpc = world.route_tables.get(&row.table).map(|table| table.vpc);
    let to = match row.to {
        Ipv6NextHop::InternetGateway(id) => {
            let gateway = world.internet_gateways.get(&id);
            let attached = gateway.is_some_and(|gateway| gateway.vpc.is_some() && gateway.vpc == vpc);
            if attached { RouteTo::Internet } else { RouteTo::Nowhere }
        }
        Ipv6NextHop::EgressGateway(id) => {
            let there = world.egress_gateways.get(&id).is_some_and(|gateway| Some(gateway.vpc) == vpc);
            if there { RouteTo::EgressOnly } else { RouteTo::Nowhere }
        }
        Ipv6NextHop::Peering(id) => {
            let peer = vpc.and_then(|vpc| world.peer_over(id, vpc));
            peer.map_or(RouteTo::Nowhere, |_| RouteTo::Peering(id))
        }
        Ipv6NextHop::Interface(id) => {
            let eni = world.enis.get(&id).filter(|eni| Some(eni.vpc) == vpc);
            eni.map_or(RouteTo::Nowhere, |eni| RouteTo::Interface(eni.id))
        }
    };
    Route6Section { destination, to }
}

fn cidrs6(vpc: &Vpc) -> Arc<[Cidr6]> {
    vpc.blocks6.iter().map(|block| block.cidr).collect()
}

/// A subnet's block of IPv6.
pub(super) fn cidr6(subnet: &Subnet) -> Option<Cidr6> {
    subnet.block6.map(|block| block.cidr)
}

/// `None` for one that is private, or not at work: deleted, or where its host has not got its addresses yet.
fn nat(world: &World, row: &NatGateway) -> Option<(NatGatewayId, NatSection)> {
    let address = world.addresses.get(&row.elastic?.allocation)?;
    let host = at_work(world, row)?;
    let here = has_claim(world, &host, Space::Pool(address.pool), address.public_ip);
    let transit = transit(address.transit.filter(|_| here)?);
    Some((row.id, NatSection { host, subnet: row.subnet, transit }))
}

fn private_nat(world: &World, vpc: VpcId) -> BTreeMap<NatGatewayId, PrivateNatSection> {
    let private = world.nat_gateways_of(vpc).filter(|row| row.elastic.is_none());
    let sections = private.filter_map(|row| {
        let (host, subnet, address) = (at_work(world, row)?, row.subnet, row.private_ip);
        let table = world.route_table_of(vpc, subnet)?.number;
        Some((row.id, PrivateNatSection { host, subnet, address, table }))
    });
    sections.collect()
}

/// The gateway's host, if that has its private address.
fn at_work(world: &World, row: &NatGateway) -> Option<Arc<str>> {
    let (host, subnet) = (row.host.clone()?, world.subnets.get(&row.subnet)?);
    let space = Space::Network(subnet.network.clone());
    (row.deleted.is_none() && has_claim(world, &host, space, row.private_ip)).then_some(host)
}

fn has_claim(world: &World, host: &str, space: Space, ip: Ipv4Addr) -> bool {
    let claim = world.claims.get(&(space, ip));
    claim.is_some_and(|claim| *claim.host == *host && claim.leaving.is_none())
}

/// `None` where the peer is on flat networks or gone.
fn peering(world: &World, row: &Peering, peer: VpcId) -> Option<(VpcPeeringConnectionId, PeeringSection)> {
    let vpc = world.vpcs.get(&peer).filter(|vpc| vpc.vni.is_some())?;
    let resolves = row.ends().iter().any(|end| end.vpc == peer && end.resolves);
    let names = if resolves { names(world, peer) } else { BTreeMap::new() };
    Some((row.id, PeeringSection { vpc: peer, cidrs: vpc.cidrs().collect(), cidrs6: cidrs6(vpc), names }))
}

/// The elastic addresses that lead into a VPC, and what they lead to there.
fn names(world: &World, vpc: VpcId) -> BTreeMap<Ipv4Addr, Ipv4Addr> {
    let enis = world.subnets_of(vpc).flat_map(|subnet| {
        let inside = world.index.enis_by_subnet.range((subnet.id, EniId::from_random(0))..);
        inside.take_while(move |(of, _)| *of == subnet.id).map(|(_, eni)| *eni)
    });
    let addresses = enis.flat_map(|eni| world.addresses_of(eni));
    addresses.filter_map(|row| Some((row.public_ip, row.association?.private_ip))).collect()
}

/// Whether the gateway's own subnet has a route to the internet for the destination.
fn goes_out(world: &World, tables: &Chosen, gateway: &NatGateway, destination: Cidr4) -> bool {
    let table = world.route_table_of(gateway.vpc, gateway.subnet).and_then(|table| tables.get(&table.id));
    let Some(rows) = table else { return false };
    let holding = |length: u8| rows.get(&Cidr4::new(destination.network(), length)?);
    let longest = (0..=destination.prefix_len()).rev().find_map(holding);
    longest.is_some_and(|row| {
        matches!(row.to, NextHop::InternetGateway(_))
            && leads_to(world, tables, row, destination) == RouteTo::Internet
    })
}

fn acl_section(world: &World, acl: NetworkAclId) -> AclSection {
    let entries = |direction| {
        let entries = world.acl_entries_of(acl, direction);
        let four = entries.filter_map(|entry| Some((entry, entry.cidr.v4()?)));
        four.map(|(entry, cidr)| AclEntrySection { allow: entry.allow, traffic: entry.traffic, cidr })
            .collect()
    };
    let entries6 = |direction| {
        let entries = world.acl_entries_of(acl, direction);
        let six = entries.filter_map(|entry| Some((entry, entry.cidr.v6()?)));
        six.map(|(entry, cidr)| AclEntry6Section { allow: entry.allow, traffic: entry.traffic, cidr })
            .collect()
    };
    AclSection {
        ingress: entries(Direction::Ingress),
        egress: entries(Direction::Egress),
        ingress6: entries6(Direction::Ingress),
        egress6: entries6(Direction::Egress),
    }
}
