//! Routes of IPv6: create, replace, delete, and how they look in answers.

use std::sync::Arc;

use super::made::{self, Target};
use super::{apart, shape};
use crate::control::{Decision, View, egress_gateways};
use crate::query::api::output;
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::world::{Destination, Ipv6NextHop, Ipv6Route, Key, NextHop, RouteTable, UNROUTED6, Vpc, World};

/// The table and the next hop of a route that may be made or replaced.
fn allowed<'w>(
    view: &View<'w>,
    id: RouteTableId,
    destination: Destination<Cidr6>,
    target: &Target,
) -> Result<(&'w Arc<RouteTable>, Ipv6NextHop), Fault> {
    let (table, vpc) = made::table(view, id)?;
    let to = next_hop(view, table, target)?;
    if let Destination::Block(block) = destination {
        check_destination(vpc, block, to)?;
    }
    Ok((table, to))
}

pub fn create(
    decision: &mut Decision,
    id: RouteTableId,
    destination: Destination<Cidr6>,
    target: &Target,
) -> Result<(), Fault> {
    let view = decision.view();
    let (table, to) = allowed(&view, id, destination, target)?;
    if view.world.ipv6_routes.contains_key(&(id, destination)) {
        return Err(FaultCode::RouteAlreadyExists
            .with(format!("The route identified by {destination} already exists.")));
    }
    let (table, owner, created) = (table.id, table.owner.clone(), decision.env.now);
    decision.put(Ipv6Route { table, owner, destination, to, created });
    made::check_count(&decision.view(), id)
}

pub fn replace(
    decision: &mut Decision,
    id: RouteTableId,
    destination: Destination<Cidr6>,
    target: &Target,
) -> Result<(), Fault> {
    let view = decision.view();
    let (_, to) = allowed(&view, id, destination, target)?;
    let old = view.world.ipv6_routes.get(&(id, destination)).cloned().ok_or_else(|| {
        FaultCode::InvalidParameterValue.with(format!(
            "There is no route defined for '{destination}' in the route table. Use CreateRoute instead."
        ))
    })?;
    if old.to != to {
        decision.put(Ipv6Route { to, ..(*old).clone() });
    }
    Ok(())
}

pub fn delete(
    decision: &mut Decision,
    id: RouteTableId,
    destination: Destination<Cidr6>,
) -> Result<(), Fault> {
    let view = decision.view();
    let (_, vpc) = made::table(&view, id)?;
    if vpc.blocks6.iter().any(|block| destination == block.cidr.into()) {
        return Err(FaultCode::InvalidParameterValue
            .with(format!("cannot remove local route {destination} in route table {id}")));
    }
    if !view.world.ipv6_routes.contains_key(&(id, destination)) {
        return Err(made::no_route(id, destination, "destination-ipv6-cidr-block"));
    }
    decision.delete(Key::Ipv6Route((id, destination)));
    Ok(())
}

/// As for IPv4: within the VPC everything is local.
fn check_destination(vpc: &Vpc, destination: Cidr6, to: Ipv6NextHop) -> Result<(), Fault> {
    let unrouted = UNROUTED6.iter().filter_map(|(address, length)| Cidr6::new(*address, *length));
    if unrouted.into_iter().any(|block| block.holds(&destination)) {
        return Err(FaultCode::InvalidParameterValue.with(format!(
            "Value ({destination}) for parameter destinationIpv6CidrBlock is invalid. Link-local and multicast addresses \
             cannot be routed."
        )));
    }
    match (vpc.blocks6.iter().any(|block| block.cidr.holds(&destination)), to) {
        (false, _) => Ok(()),
        (true, Ipv6NextHop::Interface(_)) => Err(FaultCode::UnsupportedOperation.with(format!(
            "The destination CIDR block {destination} is equal to or more specific than one of this VPC's CIDR blocks: \
             routes within a VPC are always local here"
        ))),
        (true, _) => Err(FaultCode::InvalidParameterValue.with(format!(
            "The destination CIDR block {destination} is equal to or more specific than one of this VPC's CIDR blocks. \
             This route can target only an interface or an instance."
        ))),
    }
}

fn next_hop(view: &View, table: &RouteTable, target: &Target<'_>) -> Result<Ipv6NextHop, Fault> {
    if let Target::EgressGateway(id) = *target {
        let gateway = egress_gateways::of_caller(view, id).ok_or_else(|| {
            FaultCode::InvalidGatewayIDNotFound.with(format!("The gateway ID '{id}' does not exist"))
        })?;
        return match gateway.vpc == table.vpc {
            true => Ok(Ipv6NextHop::EgressGateway(id)),
            false => Err(apart(table.id, format_args!("egress-only internet gateway {id}"))),
        };
    }
    match made::next_hop(view, table, target)? {
        NextHop::InternetGateway(id) => Ok(Ipv6NextHop::InternetGateway(id)),
        NextHop::Interface(id) => Ok(Ipv6NextHop::Interface(id)),
        NextHop::Peering(id) => Ok(Ipv6NextHop::Peering(id)),
        // EC2's do from 64:ff9b::/96 (NAT64).
        NextHop::NatGateway(id) => Err(FaultCode::UnsupportedOperation.with(format!(
            "NAT gateways translate IPv4 only: a route of IPv6 cannot lead to {id}. Use an egress-only internet gateway"
        ))),
    }
}

/// The route as the wire tells it.
pub fn route(world: &World, vpc: VpcId, row: &Ipv6Route) -> output::Route {
    let told = |leads| shape::made(row.destination, leads);
    match row.to {
        Ipv6NextHop::InternetGateway(id) => {
            let leads = shape::leads(world, vpc, NextHop::InternetGateway(id));
            output::Route { gateway_id: Some(id.to_string()), ..told(leads) }
        }
        Ipv6NextHop::EgressGateway(id) => {
            let leads = world.egress_gateways.get(&id).is_some_and(|gateway| gateway.vpc == vpc);
            output::Route { egress_only_internet_gateway_id: Some(id), ..told(leads) }
        }
        Ipv6NextHop::Peering(id) => {
            let leads = shape::leads(world, vpc, NextHop::Peering(id));
            output::Route { vpc_peering_connection_id: Some(id), ..told(leads) }
        }
        Ipv6NextHop::Interface(id) => {
            let mut told = told(shape::leads(world, vpc, NextHop::Interface(id)));
            shape::to_interface(world, id, &mut told);
            told
        }
    }
}
