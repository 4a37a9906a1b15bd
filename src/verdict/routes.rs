//! Route tables, route by route: the longest prefix that has the address decides
//! (<https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Route_Tables.html>).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::groups::{self, covers};
use super::places;
use crate::types::{
    Cidr, Cidr4, Cidr6, EgressGatewayId, EniId, InternetGatewayId, NatGatewayId, RouteTableId, SubnetId,
    VpcPeeringConnectionId,
};
use crate::world::{Destination, Ipv6NextHop, NextHop, Vpc, World};

/// Where a route leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leads {
    /// To the VPC's own interfaces.
    Local,
    InternetGateway(InternetGatewayId),
    EgressGateway(EgressGatewayId),
    NatGateway(NatGatewayId),
    Peering(VpcPeeringConnectionId),
    Interface(EniId),
}

impl From<NextHop> for Leads {
    fn from(to: NextHop) -> Self {
        match to {
            NextHop::InternetGateway(id) => Self::InternetGateway(id),
            NextHop::NatGateway(id) => Self::NatGateway(id),
            NextHop::Peering(id) => Self::Peering(id),
            NextHop::Interface(id) => Self::Interface(id),
        }
    }
}

impl From<Ipv6NextHop> for Leads {
    fn from(to: Ipv6NextHop) -> Self {
        match to {
            Ipv6NextHop::InternetGateway(id) => Self::InternetGateway(id),
            Ipv6NextHop::EgressGateway(id) => Self::EgressGateway(id),
            Ipv6NextHop::Peering(id) => Self::Peering(id),
            Ipv6NextHop::Interface(id) => Self::Interface(id),
        }
    }
}

impl fmt::Display for Leads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("local"),
            Self::InternetGateway(id) => id.fmt(f),
            Self::EgressGateway(id) => id.fmt(f),
            Self::NatGateway(id) => id.fmt(f),
            Self::Peering(id) => id.fmt(f),
            Self::Interface(id) => id.fmt(f),
        }
    }
}

/// The route that decides on a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Routed {
    pub table: RouteTableId,
    pub destination: Cidr,
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
fn made(world: &World, vpc: &Vpc, table: RouteTableId) -> Vec<(Cidr, Leads)> {
    let (mut plain, mut listed) = (Vec::new(), Vec::new());
    for row in world.routes.values().filter(|row| row.table == table) {
        match row.destination {
            Destination::Block(block) => plain.push((block.into(), row.to.into())),
            Destination::PrefixList(list) => listed.push((list, false, row.to.into())),
        }
    }
    for row in world.ipv6_routes.values().filter(|row| row.table == table) {
        match row.destination {
            Destination::Block(block) => plain.push((block.into(), row.to.into())),
            Destination::PrefixList(list) => listed.push((list, true, row.to.into())),
        }
    }
    for (list, six, to) in listed {
        let blocks = groups::listed(world, list).into_iter();
        let lead = blocks.filter(|block| block.v6().is_some() == six && !is_kept(vpc, *block));
        plain.extend(lead.map(|block| (block, to)));
    }
    plain
}

fn is_kept(vpc: &Vpc, block: Cidr) -> bool {
    let link_local = Cidr4::new(Ipv4Addr::new(169, 254, 0, 0), 16).map(Cidr::V4);
    let six =
        [(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10), (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8)];
    let six = six.into_iter().filter_map(|(address, length)| Cidr6::new(address, length)).map(Cidr::V6);
    places::blocks(vpc).chain(link_local).chain(six).any(|own| holds(own, block))
}

/// Whether all of a block is in the other one.
fn holds(block: Cidr, part: Cidr) -> bool {
    let (first, last) = ends(part);
    covers(block, first) && covers(block, last)
}

fn ends(block: Cidr) -> (IpAddr, IpAddr) {
    match block {
        Cidr::V4(block) => (block.network().into(), block.last().into()),
        Cidr::V6(block) => (block.network().into(), block.last().into()),
    }
}

/// The longest of what holds, and of equals the first one.
fn longest(all: impl Iterator<Item = (Cidr, Leads)>) -> Option<(Cidr, Leads)> {
    all.reduce(|best, next| if next.0.prefix_len() > best.0.prefix_len() { next } else { best })
}

/// Where the longest made route leads that has all of a block.
pub fn route_of_block(world: &World, vpc: &Vpc, table: RouteTableId, block: Cidr) -> Option<Leads> {
    let made = made(world, vpc, table).into_iter();
    longest(made.filter(|(route, _)| holds(*route, block))).map(|(_, to)| to)
}

/// The route of an address in a table; `None` where it has none.
pub fn route(world: &World, vpc: &Vpc, table: RouteTableId, to: IpAddr) -> Option<Routed> {
    let local = places::blocks(vpc).map(|block| (block, Leads::Local));
    let (destination, leads) =
        longest(local.chain(made(world, vpc, table)).filter(|(block, _)| covers(*block, to)))?;
    Some(Routed { table, destination, leads })
}
