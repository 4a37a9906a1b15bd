//! Route tables, route by route: the longest prefix that has the address decides
//! (<https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Route_Tables.html>).

use std::net::Ipv4Addr;

use super::groups::{self, covers};
use crate::types::{Cidr4, RouteTableId, SubnetId};
use crate::world::{Destination, NextHop, Vpc, World};

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

/// The routes that somebody made in a table, in the order in which equal blocks count: those to blocks, then those to
/// prefix lists, which are routes to each block in them. None leads away what is the VPC's own, or link-local.
fn made(world: &World, vpc: &Vpc, table: RouteTableId) -> Vec<(Cidr4, NextHop)> {
    let (mut plain, mut listed) = (Vec::new(), Vec::new());
    for row in world.routes.values().filter(|row| row.table == table) {
        match row.destination {
            Destination::Cidr4(block) => plain.push((block, row.to)),
            Destination::PrefixList(list) => {
                let blocks = groups::listed(world, list).into_iter();
                listed.extend(blocks.filter(|block| !is_kept(vpc, *block)).map(|block| (block, row.to)));
            }
        }
    }
    plain.extend(listed);
    plain
}

fn is_kept(vpc: &Vpc, block: Cidr4) -> bool {
    let within = |own: Cidr4| own.prefix_len() <= block.prefix_len() && covers(own, block.network());
    let first = block.network().octets();
    vpc.cidrs().any(within) || (block.prefix_len() >= 16 && first[0] == 169 && first[1] == 254)
}

/// The longest of what holds, and of equals the first one.
fn longest<T>(all: impl Iterator<Item = (Cidr4, T)>) -> Option<(Cidr4, T)> {
    all.reduce(|best, next| if next.0.prefix_len() > best.0.prefix_len() { next } else { best })
}

/// Where the longest made route leads that has all of a block.
pub fn route_of_block(world: &World, vpc: &Vpc, table: RouteTableId, block: Cidr4) -> Option<NextHop> {
    let holds = |route: &(Cidr4, NextHop)| covers(route.0, block.network()) && covers(route.0, block.last());
    longest(made(world, vpc, table).into_iter().filter(holds)).map(|(_, to)| to)
}

/// The route of an address in a table; `None` where it has none.
pub fn route(world: &World, vpc: &Vpc, table: RouteTableId, to: Ipv4Addr) -> Option<Routed> {
    let local = vpc.cidrs().map(|block| (block, Leads::Local));
    let made = made(world, vpc, table).into_iter().map(|(block, to)| (block, Leads::To(to)));
    let (destination, leads) = longest(local.chain(made).filter(|(block, _)| covers(*block, to)))?;
    Some(Routed { table, destination, leads })
}
