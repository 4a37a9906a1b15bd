//! Route tables, the routes in them, and which subnets obey them.

mod associations;
mod ipv6;
mod made;
mod shape;
mod tables;
#[cfg(test)]
mod tests;

pub use associations::{associate_route_table, disassociate_route_table, replace_route_table_association};
pub use made::{check_count, create_route, delete_route, replace_route};
pub use tables::{create_route_table, delete_route_table, describe_route_tables};

use std::sync::Arc;

use super::View;
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::world::{RouteTable, RouteTableAssociation, World};

/// The caller's route table with this id.
///
/// # Errors
/// There is none.
pub fn find<'w>(view: &View<'w>, id: RouteTableId) -> Result<&'w Arc<RouteTable>, Fault> {
    let table = view.world.route_tables.get(&id).filter(|row| row.owner == view.caller.owner);
    table.ok_or_else(|| {
        FaultCode::InvalidRouteTableIDNotFound.with(format!("The routeTable ID '{id}' does not exist"))
    })
}

/// What a table is associated with.
pub fn associations_of(
    world: &World,
    table: RouteTableId,
) -> impl Iterator<Item = &Arc<RouteTableAssociation>> {
    let first = (table, RouteTableAssociationId::from_random(0));
    let of_table = world.index.route_table_associations_by_table.range(first..);
    of_table
        .take_while(move |(of, _)| *of == table)
        .filter_map(|(_, id)| world.route_table_associations.get(id))
}

/// Two things that were named together are in different VPCs.
fn apart(table: RouteTableId, other: impl std::fmt::Display) -> Fault {
    FaultCode::InvalidParameterValue
        .with(format!("route table {table} and {other} belong to different networks"))
}
