//! Which subnets obey a route table, and which table is a VPC's main one.

use std::sync::Arc;

use super::{apart, find, shape};
use crate::control::{Decision, View, vpcs};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::world::{Key, RouteTable, RouteTableAssociation};

/// The caller's association with this id.
fn find_association<'w>(
    view: &View<'w>,
    id: RouteTableAssociationId,
) -> Result<&'w Arc<RouteTableAssociation>, Fault> {
    let row = view.world.route_table_associations.get(&id).filter(|row| row.owner == view.caller.owner);
    row.ok_or_else(|| {
        FaultCode::InvalidAssociationIDNotFound.with(format!("The association ID '{id}' does not exist"))
    })
}

/// Lets through a table of a VPC whose routing is the caller's to say.
fn changeable(view: &View, table: &RouteTable) -> Result<(), Fault> {
    match view.world.vpcs.get(&table.vpc) {
        Some(vpc) => vpcs::changeable(vpc, "routing"),
        None => Ok(()),
    }
}

pub fn associate_route_table(
    decision: &mut Decision,
    request: &AssociateRouteTableRequest,
) -> Result<AssociateRouteTableResponse, Fault> {
    let view = decision.view();
    let table = find(&view, request.route_table_id)?;
    let subnet = vpcs::find_subnet(&view, request.subnet_id)?;
    changeable(&view, table)?;
    if table.vpc != subnet.vpc {
        return Err(apart(table.id, format_args!("subnet {}", subnet.id)));
    }
    if view.world.index.route_table_association_of.contains_key(&(subnet.vpc, Some(subnet.id))) {
        return Err(FaultCode::ResourceAlreadyAssociated.with(format!(
            "the specified association for route table {} conflicts with an existing association",
            table.id
        )));
    }
    let (vpc, table, subnet) = (table.vpc, table.id, Some(subnet.id));
    let id = decision.env.id(RouteTableAssociationId::from_random);
    decision.put(RouteTableAssociation { id, owner: decision.caller.owner.clone(), vpc, table, subnet });
    Ok(AssociateRouteTableResponse { association_id: id, association_state: shape::associated() })
}

pub fn disassociate_route_table(
    decision: &mut Decision,
    request: &DisassociateRouteTableRequest,
) -> Result<DisassociateRouteTableResponse, Fault> {
    let row = find_association(&decision.view(), request.association_id)?.clone();
    if row.subnet.is_none() {
        return Err(FaultCode::InvalidParameterValue
            .with(format!("cannot disassociate the main route table association {}", row.id)));
    }
    decision.delete(Key::RouteTableAssociation(row.id));
    Ok(DisassociateRouteTableResponse { result: true })
}

pub fn replace_route_table_association(
    decision: &mut Decision,
    request: &ReplaceRouteTableAssociationRequest,
) -> Result<ReplaceRouteTableAssociationResponse, Fault> {
    let view = decision.view();
    let old = find_association(&view, request.association_id)?.clone();
    let table = find(&view, request.route_table_id)?;
    changeable(&view, table)?;
    if table.vpc != old.vpc {
        let what = old.subnet.map_or_else(|| old.vpc.to_string(), |subnet| subnet.to_string());
        return Err(apart(table.id, format_args!("network {what}")));
    }
    let table = table.id;
    let id = decision.env.id(RouteTableAssociationId::from_random);
    decision.delete(Key::RouteTableAssociation(old.id));
    decision.put(RouteTableAssociation { id, table, ..(*old).clone() });
    Ok(ReplaceRouteTableAssociationResponse {
        new_association_id: id,
        association_state: shape::associated(),
    })
}
