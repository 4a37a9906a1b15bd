//! Route tables, route by route: the longest prefix that has the address decides
//! (<https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Route_Tables.html>).

use std::net::Ipv4Addr;

use super::groups::covers;
use crate::types::{Cidr4, RouteTableId, SubnetId};
use crate::world::{NextHop, Vpc, World};

/// Where a route leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leads {
    /// To the VPC's own interfaces.
    Local,
    To(NextHop),
}

/// The route that decides on a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Routed {
    pub table: RouteTableId,
    pub destination: Cidr4,
    pub leads: Leads,
}

/// The route table that a subnet obeys: its own, else the main one.
pub fn table_of(world: &World, vpc: &Vpc, subnet: SubnetId) -> Option<RouteTableId> {
    let rows = || world.route_table_associations.values().filter(|row| row.vpc == vpc.id);
    let own = rows().find(|row| row.subnet == Some(subnet));
    own.or_else(|| rows().find(|row| row.subnet.is_none())).map(|row| row.table)
}

/// Where the longest made route leads that has all of a block.
pub fn route_of_block(world: &World, table: RouteTableId, block: Cidr4) -> Option<NextHop> {
    let made = world.routes.values().filter(|row| row.table == table);
    let holds = |row: &&std::sync::Arc<crate::world::Route>| {
        covers(row.destination, block.network()) && covers(row.destination, block.last())
    };
    made.filter(holds).max_by_key(|row| row.destination.prefix_len()).map(|row| row.to)
}

/// The route of an address in a table; `None` where it has none.
pub fn route(world: &World, vpc: &Vpc, table: RouteTableId, to: Ipv4Addr) -> Option<Routed> {
    let local = vpc.cidrs().map(|block| (block, Leads::Local));
    let made = world.routes.values().filter(|row| row.table == table);
    let all = local.chain(made.map(|row| (row.destination, Leads::To(row.to))));
    let longest = all.filter(|(block, _)| covers(*block, to)).max_by_key(|(block, _)| block.prefix_len());
    longest.map(|(destination, leads)| Routed { table, destination, leads })
}
