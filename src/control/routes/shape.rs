//! How route tables look in answers.

use super::{associations_of, ipv6};
use crate::control::tags;
use crate::query::api::*;
use crate::types::*;
use crate::world::{Destination, InstanceState, NextHop, Route, RouteTable, RouteTableAssociation, World};

pub fn table(world: &World, row: &RouteTable) -> output::RouteTable {
    let vpc = world.vpcs.get(&row.vpc);
    let local = vpc.into_iter().flat_map(|vpc| vpc.cidrs()).map(|block| local(block.into()));
    let blocks6 = vpc.into_iter().flat_map(|vpc| vpc.blocks6.iter());
    let local6 = blocks6.map(|block| self::local(block.cidr.into()));
    let made = world.routes_of(row.id).map(|made| route(world, row.vpc, made));
    let made6 = world.ipv6_routes_of(row.id).map(|made| ipv6::route(world, row.vpc, made));
    let mut associations: Vec<_> =
        associations_of(world, row.id).map(|association| self::association(association)).collect();
    associations.sort_by_key(|association| !association.main);
    output::RouteTable {
        route_table_id: row.id,
        vpc_id: row.vpc,
        owner_id: row.owner.account,
        route_set: local.chain(local6).chain(made).chain(made6).collect(),
        association_set: associations,
        propagating_vgw_set: Vec::new(),
        tag_set: tags::set_of(world, ResourceId::RouteTable(row.id)),
    }
}

/// The way within the VPC, which each of its tables has.
fn local(block: Cidr) -> output::Route {
    let local = output::Route { gateway_id: Some("local".into()), ..to(Some(block), true) };
    output::Route { origin: "CreateRouteTable".into(), ..local }
}

/// A route that somebody made, with nothing said yet of what it leads to.
fn to(destination: Option<Cidr>, leads: bool) -> output::Route {
    output::Route {
        destination_cidr_block: destination.and_then(Cidr::v4),
        destination_ipv6_cidr_block: destination.and_then(Cidr::v6),
        destination_prefix_list_id: None,
        egress_only_internet_gateway_id: None,
        gateway_id: None,
        nat_gateway_id: None,
        instance_id: None,
        instance_owner_id: None,
        network_interface_id: None,
        vpc_peering_connection_id: None,
        state: if leads { "active" } else { "blackhole" }.into(),
        origin: "CreateRoute".into(),
    }
}

/// The same for a block or a list.
pub fn made<C: Into<Cidr>>(destination: Destination<C>, leads: bool) -> output::Route {
    match destination {
        Destination::Block(block) => to(Some(block.into()), leads),
        Destination::PrefixList(list) => {
            output::Route { destination_prefix_list_id: Some(list), ..to(None, leads) }
        }
    }
}

fn route(world: &World, vpc: VpcId, row: &Route) -> output::Route {
    let leads = leads(world, vpc, row.to);
    let mut shape = made(row.destination, leads);
    match row.to {
        NextHop::InternetGateway(id) => shape.gateway_id = Some(id.to_string()),
        NextHop::NatGateway(id) => shape.nat_gateway_id = Some(id),
        NextHop::Peering(id) => shape.vpc_peering_connection_id = Some(id),
        NextHop::Interface(id) => to_interface(world, id, &mut shape),
    }
    shape
}

/// Says to which interface a route leads, and whose that is.
pub fn to_interface(world: &World, id: EniId, shape: &mut output::Route) {
    let eni = world.enis.get(&id);
    let attachment = eni.and_then(|eni| eni.attachment);
    shape.network_interface_id = Some(id);
    shape.instance_id = attachment.map(|attachment| attachment.instance);
    shape.instance_owner_id = eni.filter(|_| attachment.is_some()).map(|eni| eni.owner.account);
}

/// "blackhole: the route's target isn't available (for example, the specified gateway isn't attached to the VPC, the
/// specified NAT instance has been terminated, and so on)" (API_Route).
pub fn leads(world: &World, vpc: VpcId, to: NextHop) -> bool {
    match to {
        NextHop::InternetGateway(id) => {
            world.internet_gateways.get(&id).is_some_and(|gateway| gateway.vpc == Some(vpc))
        }
        NextHop::NatGateway(id) => {
            world.nat_gateways.get(&id).is_some_and(|row| row.vpc == vpc && row.deleted.is_none())
        }
        NextHop::Peering(id) => world.peer_over(id, vpc).is_some(),
        NextHop::Interface(id) => {
            let attachment = world.enis.get(&id).and_then(|eni| eni.attachment);
            let instance = attachment.and_then(|attachment| world.instances.get(&attachment.instance));
            instance.is_some_and(|row| matches!(row.state, InstanceState::Pending | InstanceState::Running))
        }
    }
}

fn association(row: &RouteTableAssociation) -> output::RouteTableAssociation {
    output::RouteTableAssociation {
        route_table_association_id: row.id,
        route_table_id: row.table,
        subnet_id: row.subnet,
        main: row.subnet.is_none(),
        association_state: associated(),
    }
}

/// The state of every association that there is.
pub fn associated() -> output::RouteTableAssociationState {
    output::RouteTableAssociationState { state: "associated".into() }
}
