//! The routes that somebody makes: create, replace, delete.

use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;

use super::{apart, find, ipv6};
use crate::control::{Decision, View, nat_gateways, peerings, prefix_lists, vpcs};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::world::{Destination, Key, NextHop, PeeringState, Route, RouteTable, Vpc};

/// Where a request wants a route to lead.
pub(super) enum Target<'a> {
    Gateway(&'a str),
    EgressGateway(EgressGatewayId),
    Instance(InstanceId),
    Interface(EniId),
    NatGateway(NatGatewayId),
    Peering(VpcPeeringConnectionId),
}

/// The one target that is given.
macro_rules! target {
    ($request:ident) => {
        one_of(
            "egressOnlyInternetGatewayId, gatewayId, instanceId, natGatewayId, networkInterfaceId, vpcPeeringConnectionId",
            [
                $request.egress_only_internet_gateway_id.map(Target::EgressGateway),
                $request.gateway_id.as_deref().map(Target::Gateway),
                $request.instance_id.map(Target::Instance),
                $request.nat_gateway_id.map(Target::NatGateway),
                $request.network_interface_id.map(Target::Interface),
                $request.vpc_peering_connection_id.map(Target::Peering),
            ],
        )?
    };
}

/// What a route is for.
enum For {
    V4(Destination<Cidr4>),
    V6(Destination<Cidr6>),
}

/// The one destination that is given.
macro_rules! destination {
    ($view:ident, $request:ident) => {
        one_of(
            "destinationCidrBlock, destinationIpv6CidrBlock, destinationPrefixListId",
            [
                $request.destination_cidr_block.map(|block| Ok(For::V4(block.into()))),
                $request.destination_ipv6_cidr_block.map(|block| Ok(For::V6(block.into()))),
                $request.destination_prefix_list_id.map(|id| listed(&$view, id)),
            ],
        )??
    };
}

fn one_of<T, const N: usize>(names: &str, given: [Option<T>; N]) -> Result<T, Fault> {
    let mut given = given.into_iter().flatten();
    let message = || format!("The request must contain exactly one of {names}");
    match (given.next(), given.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(FaultCode::MissingParameter.with(message())),
        (Some(_), Some(_)) => Err(FaultCode::InvalidParameterCombination.with(message())),
    }
}

/// One of the caller's prefix lists.
fn listed(view: &View, id: PrefixListId) -> Result<For, Fault> {
    match prefix_lists::find(view, id)?.is_ipv6 {
        false => Ok(For::V4(Destination::PrefixList(id))),
        true => Ok(For::V6(Destination::PrefixList(id))),
    }
}

/// The table, if its routes are the caller's to say, and its VPC.
pub(super) fn table<'w>(
    view: &View<'w>,
    id: RouteTableId,
) -> Result<(&'w Arc<RouteTable>, &'w Arc<Vpc>), Fault> {
    let table = find(view, id)?;
    let vpc = vpcs::find(view, table.vpc)?;
    vpcs::changeable(vpc, "routing")?;
    Ok((table, vpc))
}

/// The table and the next hop of a route that may be made or replaced.
fn allowed<'w>(
    view: &View<'w>,
    id: RouteTableId,
    destination: Destination<Cidr4>,
    target: &Target,
) -> Result<(&'w Arc<RouteTable>, NextHop), Fault> {
    let (table, vpc) = table(view, id)?;
    let to = next_hop(view, table, target)?;
    if let Destination::Block(block) = destination {
        check_destination(vpc, block, to)?;
    }
    Ok((table, to))
}

/// "When you reference a prefix list in a resource, the maximum number of entries for the prefix list counts against the
/// quota for the number of entries for the resource" (VPC User Guide, managed prefix lists).
///
/// # Errors
/// The table has more routes than it may.
pub fn check_count(view: &View, table: RouteTableId) -> Result<(), Fault> {
    let (world, most) = (view.world, view.caller.quotas.routes_per_table);
    let weight = |list: Option<PrefixListId>| list.map_or(1, |list| prefix_lists::weight(world, list));
    let four = world.routes_of(table).map(|row| weight(row.destination.list())).sum::<usize>();
    let six = world.ipv6_routes_of(table).map(|row| weight(row.destination.list())).sum::<usize>();
    for (count, kind) in [(four, "routes"), (six, "IPv6 routes")] {
        if count > most {
            return Err(FaultCode::RouteLimitExceeded
                .with(format!("The maximum number of {kind} in {table} has been reached: {most}")));
        }
    }
    Ok(())
}

pub fn create_route(
    decision: &mut Decision,
    request: &CreateRouteRequest,
) -> Result<CreateRouteResponse, Fault> {
    let target = target!(request);
    let view = decision.view();
    let destination = match destination!(view, request) {
        For::V4(destination) => destination,
        For::V6(six) => {
            ipv6::create(decision, request.route_table_id, six, &target)?;
            return Ok(CreateRouteResponse { result: true });
        }
    };
    let (table, to) = allowed(&view, request.route_table_id, destination, &target)?;
    if view.world.routes.contains_key(&(table.id, destination)) {
        return Err(FaultCode::RouteAlreadyExists
            .with(format!("The route identified by {destination} already exists.")));
    }
    let (table, owner, created) = (table.id, table.owner.clone(), decision.env.now);
    decision.put(Route { table, owner, destination, to, created });
    check_count(&decision.view(), table)?;
    Ok(CreateRouteResponse { result: true })
}

pub fn replace_route(
    decision: &mut Decision,
    request: &ReplaceRouteRequest,
) -> Result<ReplaceRouteResponse, Fault> {
    let target = target!(request);
    let view = decision.view();
    let destination = match destination!(view, request) {
        For::V4(destination) => destination,
        For::V6(six) => {
            ipv6::replace(decision, request.route_table_id, six, &target)?;
            return Ok(ReplaceRouteResponse { result: true });
        }
    };
    let (table, to) = allowed(&view, request.route_table_id, destination, &target)?;
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
    let table = table.id;
    let destination = match destination!(view, request) {
        For::V4(destination) => destination,
        For::V6(six) => {
            ipv6::delete(decision, table, six)?;
            return Ok(DeleteRouteResponse { result: true });
        }
    };
    if vpc.cidrs().any(|block| destination == block.into()) {
        return Err(FaultCode::InvalidParameterValue
            .with(format!("cannot remove local route {destination} in route table {table}")));
    }
    if !view.world.routes.contains_key(&(table, destination)) {
        return Err(no_route(table, destination, "destination-cidr-block"));
    }
    decision.delete(Key::Route((table, destination)));
    Ok(DeleteRouteResponse { result: true })
}

/// No route has this destination, which is this if it is no list.
pub(super) fn no_route<C: fmt::Display>(table: RouteTableId, to: Destination<C>, kind: &str) -> Fault {
    let what = if to.list().is_some() { "destination-prefix-list-id" } else { kind };
    FaultCode::InvalidRouteNotFound.with(format!("no route with {what} {to} in route table {table}"))
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
        (true, NextHop::InternetGateway(_) | NextHop::NatGateway(_) | NextHop::Peering(_)) => Err(FaultCode::InvalidParameterValue.with(format!(
            "The destination CIDR block {destination} is equal to or more specific than one of this VPC's CIDR blocks. \
             This route can target only an interface or an instance."
        ))),
        (true, NextHop::Interface(_)) => Err(FaultCode::UnsupportedOperation.with(format!(
            "The destination CIDR block {destination} is equal to or more specific than one of this VPC's CIDR blocks: \
             routes within a VPC are always local here"
        ))),
    }
}

pub(super) fn next_hop(view: &View, table: &RouteTable, target: &Target<'_>) -> Result<NextHop, Fault> {
    match *target {
        Target::Gateway(gateway) => to_gateway(view, table, gateway),
        Target::Instance(instance) => to_interface(view, table, of_instance(view, instance)?),
        Target::NatGateway(gateway) => to_nat_gateway(view, table, gateway),
        Target::Interface(eni) => to_interface(view, table, eni),
        Target::Peering(peering) => to_peering(view, table, peering),
        Target::EgressGateway(id) => Err(FaultCode::InvalidParameterValue.with(format!(
            "Egress-only internet gateways take IPv6 only: a route to {id} has a DestinationIpv6CidrBlock"
        ))),
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

/// "You can add a route for a VPC peering connection that's in the pending-acceptance state. However, the route has a state of
/// blackhole, and has no effect until the VPC peering connection is in the active state"
/// (<https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-routing.html>).
fn to_peering(view: &View, table: &RouteTable, id: VpcPeeringConnectionId) -> Result<NextHop, Fault> {
    let row = peerings::find(view, id)?;
    if !matches!(row.state, PeeringState::Pending | PeeringState::Active) {
        return Err(FaultCode::InvalidVpcPeeringConnectionIDNotFound
            .with(format!("The vpcPeeringConnection ID '{id}' does not exist")));
    }
    match row.peer_of(table.vpc) {
        Some(_) => Ok(NextHop::Peering(id)),
        None => Err(apart(table.id, format_args!("vpc peering connection {id}"))),
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
