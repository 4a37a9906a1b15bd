//! The routes that somebody makes: create, replace, delete.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::{apart, find};
use crate::control::quotas::QUOTAS;
use crate::control::{Decision, View, nat_gateways, prefix_lists, vpcs};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::world::{Destination, Key, NextHop, Route, RouteTable, Vpc, World};

/// Where a request wants a route to lead: exactly one of these is given.
struct Targets<'a> {
    gateway: Option<&'a str>,
    instance: Option<InstanceId>,
    interface: Option<EniId>,
    nat_gateway: Option<NatGatewayId>,
}

/// The table, if its routes are the caller's to say, and its VPC.
fn table<'w>(view: &View<'w>, id: RouteTableId) -> Result<(&'w Arc<RouteTable>, &'w Arc<Vpc>), Fault> {
    let table = find(view, id)?;
    let vpc = vpcs::find(view, table.vpc)?;
    vpcs::changeable(vpc, "routing")?;
    Ok((table, vpc))
}

/// The table and the next hop of a route that may be made or replaced.
fn allowed<'w>(
    view: &View<'w>,
    id: RouteTableId,
    destination: Destination,
    targets: &Targets,
) -> Result<(&'w Arc<RouteTable>, NextHop), Fault> {
    let (table, vpc) = table(view, id)?;
    let to = next_hop(view, table, targets)?;
    if let Destination::Cidr4(block) = destination {
        check_destination(vpc, block, to)?;
    }
    Ok((table, to))
}

/// What a route is for: a block, or one of the caller's prefix lists.
fn destination(view: &View, block: Option<Cidr4>, list: Option<PrefixListId>) -> Result<Destination, Fault> {
    const BOTH: &str = "destinationCidrBlock, destinationPrefixListId";
    match (block, list) {
        (Some(block), None) => Ok(block.into()),
        (None, Some(id)) => match prefix_lists::find(view, id)?.is_ipv6 {
            false => Ok(Destination::PrefixList(id)),
            true => Err(FaultCode::InvalidParameterValue
                .with(format!("The prefix list {id} is of IPv6 blocks: routes are for IPv4 here"))),
        },
        (None, None) => {
            Err(FaultCode::MissingParameter.with(format!("The request must contain exactly one of {BOTH}")))
        }
        (Some(_), Some(_)) => Err(FaultCode::InvalidParameterCombination
            .with(format!("The request must contain exactly one of {BOTH}"))),
    }
}

/// "When you reference a prefix list in a resource, the maximum number of entries for the prefix list counts against the
/// quota for the number of entries for the resource" (VPC User Guide, managed prefix lists).
///
/// # Errors
/// The table has more routes than it may.
pub fn check_count(world: &World, table: RouteTableId) -> Result<(), Fault> {
    let weight = |row: &Arc<Route>| match row.destination {
        Destination::Cidr4(_) => 1,
        Destination::PrefixList(list) => prefix_lists::weight(world, list),
    };
    match world.routes_of(table).map(weight).sum::<usize>() <= QUOTAS.routes_per_table {
        true => Ok(()),
        false => Err(FaultCode::RouteLimitExceeded.with(format!(
            "The maximum number of routes in {table} has been reached: {}",
            QUOTAS.routes_per_table
        ))),
    }
}

pub fn create_route(
    decision: &mut Decision,
    request: &CreateRouteRequest,
) -> Result<CreateRouteResponse, Fault> {
    let targets = Targets {
        gateway: request.gateway_id.as_deref(),
        instance: request.instance_id,
        interface: request.network_interface_id,
        nat_gateway: request.nat_gateway_id,
    };
    let view = decision.view();
    let destination = destination(&view, request.destination_cidr_block, request.destination_prefix_list_id)?;
    let (table, to) = allowed(&view, request.route_table_id, destination, &targets)?;
    if view.world.routes.contains_key(&(table.id, destination)) {
        return Err(FaultCode::RouteAlreadyExists
            .with(format!("The route identified by {destination} already exists.")));
    }
    let (table, owner, created) = (table.id, table.owner.clone(), decision.env.now);
    decision.put(Route { table, owner, destination, to, created });
    check_count(&decision.world, table)?;
    Ok(CreateRouteResponse { result: true })
}

pub fn replace_route(
    decision: &mut Decision,
    request: &ReplaceRouteRequest,
) -> Result<ReplaceRouteResponse, Fault> {
    let targets = Targets {
        gateway: request.gateway_id.as_deref(),
        instance: request.instance_id,
        interface: request.network_interface_id,
        nat_gateway: request.nat_gateway_id,
    };
    let view = decision.view();
    let destination = destination(&view, request.destination_cidr_block, request.destination_prefix_list_id)?;
    let (table, to) = allowed(&view, request.route_table_id, destination, &targets)?;
    let old = view.world.routes.get(&(table.id, destination)).cloned().ok_or_else(|| {
        FaultCode::InvalidParameterValue.with(format!(
            "There is no route defined for '{destination}' in the route table. Use CreateRoute instead."
        ))
    })?;
    if old.to != to {
        decision.put(Route { to, ..(*old).clone() });
    }
    Ok(ReplaceRouteResponse { result: true })
}

pub fn delete_route(
    decision: &mut Decision,
    request: &DeleteRouteRequest,
) -> Result<DeleteRouteResponse, Fault> {
    let view = decision.view();
    let (table, vpc) = table(&view, request.route_table_id)?;
    let destination = destination(&view, request.destination_cidr_block, request.destination_prefix_list_id)?;
    let table = table.id;
    if vpc.cidrs().any(|block| destination == block.into()) {
        return Err(FaultCode::InvalidParameterValue
            .with(format!("cannot remove local route {destination} in route table {table}")));
    }
    if !view.world.routes.contains_key(&(table, destination)) {
        let what = match destination {
            Destination::Cidr4(_) => "destination-cidr-block",
            Destination::PrefixList(_) => "destination-prefix-list-id",
        };
        return Err(FaultCode::InvalidRouteNotFound
            .with(format!("no route with {what} {destination} in route table {table}")));
    }
    decision.delete(Key::Route((table, destination)));
    Ok(DeleteRouteResponse { result: true })
}

/// Within the VPC everything is local, and link-local addresses (metadata, resolver) are each host's own.
fn check_destination(vpc: &Vpc, destination: Cidr4, to: NextHop) -> Result<(), Fault> {
    let inside = |block: Cidr4| block.contains(destination.network()) && block.contains(destination.last());
    let link_local = Cidr4::new(Ipv4Addr::new(169, 254, 0, 0), 16);
    if link_local.is_some_and(inside) {
        return Err(FaultCode::InvalidParameterValue.with(format!(
            "Value ({destination}) for parameter destinationCidrBlock is invalid. Link-local addresses cannot be routed."
        )));
    }
    match (vpc.cidrs().any(inside), to) {
        (false, _) => Ok(()),
        (true, NextHop::InternetGateway(_) | NextHop::NatGateway(_)) => Err(FaultCode::InvalidParameterValue.with(format!(
            "The destination CIDR block {destination} is equal to or more specific than one of this VPC's CIDR blocks. \
             This route can target only an interface or an instance."
        ))),
        (true, NextHop::Interface(_)) => Err(FaultCode::UnsupportedOperation.with(format!(
            "The destination CIDR block {destination} is equal to or more specific than one of this VPC's CIDR blocks: \
             routes within a VPC are always local here"
        ))),
    }
}

fn next_hop(view: &View, table: &RouteTable, targets: &Targets<'_>) -> Result<NextHop, Fault> {
    const TARGETS: &str = "gatewayId, instanceId, natGatewayId, networkInterfaceId";
    match (targets.gateway, targets.instance, targets.nat_gateway, targets.interface) {
        (Some(gateway), None, None, None) => to_gateway(view, table, gateway),
        (None, Some(instance), None, None) => to_interface(view, table, of_instance(view, instance)?),
        (None, None, Some(gateway), None) => to_nat_gateway(view, table, gateway),
        (None, None, None, Some(eni)) => to_interface(view, table, eni),
        (None, None, None, None) => {
            Err(FaultCode::MissingParameter
                .with(format!("The request must contain exactly one of {TARGETS}")))
        }
        _ => Err(FaultCode::InvalidParameterCombination
            .with(format!("The request must contain exactly one of {TARGETS}"))),
    }
}

/// One that is deleted is still told of, but nothing leads to it any more.
fn to_nat_gateway(view: &View, table: &RouteTable, id: NatGatewayId) -> Result<NextHop, Fault> {
    let gateway = nat_gateways::find(view, id).ok().filter(|row| row.deleted.is_none()).ok_or_else(|| {
        FaultCode::InvalidNatGatewayIDNotFound.with(format!("The natGateway ID '{id}' does not exist"))
    })?;
    match gateway.vpc == table.vpc {
        true => Ok(NextHop::NatGateway(id)),
        false => Err(apart(table.id, format_args!("NAT gateway {id}"))),
    }
}

fn to_gateway(view: &View, table: &RouteTable, named: &str) -> Result<NextHop, Fault> {
    if named == "local" {
        return Err(FaultCode::InvalidParameterValue.with(
            "Value (local) for parameter gatewayId is invalid: the routes to the VPC's own blocks are there by themselves",
        ));
    }
    if named.starts_with("vgw-") {
        return Err(FaultCode::UnsupportedOperation
            .with(format!("There are no virtual private gateways: a route cannot lead to {named}")));
    }
    let of_caller = |id: InternetGatewayId| {
        view.world.internet_gateways.get(&id).filter(|row| row.owner == view.caller.owner)
    };
    let gateway = named.parse().ok().and_then(of_caller).ok_or_else(|| {
        FaultCode::InvalidGatewayIDNotFound.with(format!("The gateway ID '{named}' does not exist"))
    })?;
    match gateway.vpc == Some(table.vpc) {
        true => Ok(NextHop::InternetGateway(gateway.id)),
        false => Err(apart(table.id, format_args!("network gateway {named}"))),
    }
}

fn to_interface(view: &View, table: &RouteTable, id: EniId) -> Result<NextHop, Fault> {
    let eni = view.world.enis.get(&id).filter(|eni| eni.owner == view.caller.owner).ok_or_else(|| {
        FaultCode::InvalidNetworkInterfaceIDNotFound
            .with(format!("The networkInterface ID '{id}' does not exist"))
    })?;
    match eni.vpc == table.vpc {
        true => Ok(NextHop::Interface(id)),
        false => Err(apart(table.id, format_args!("interface {id}"))),
    }
}

/// The interface of an instance, which must have exactly one.
fn of_instance(view: &View, id: InstanceId) -> Result<EniId, Fault> {
    let instance = view.world.instances.get(&id).filter(|row| row.owner == view.caller.owner);
    instance.ok_or_else(|| {
        FaultCode::InvalidInstanceIDNotFound.with(format!("The instance ID '{id}' does not exist"))
    })?;
    match view.world.interfaces_of(id).as_slice() {
        [eni] => Ok(eni.id),
        [] => Err(FaultCode::InvalidInstanceID.with(format!("The instance '{id}' has no network interface"))),
        _ => Err(FaultCode::InvalidInstanceID.with(format!(
            "There are multiple interfaces attached to instance '{id}'. Please specify an interface ID for the operation \
             instead."
        ))),
    }
}
