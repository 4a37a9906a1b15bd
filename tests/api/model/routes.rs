//! Routes, by EC2's reference: CreateRoute, ReplaceRoute, DeleteRoute.

use super::blocks::{Block, block};
use super::call::{COMBINATION, Call, Code, Faults, MISSING, Params, VALUE};
use super::peers::Stage;
use super::routing::RouteTable;
use super::tree::{Tree, leaf};
use super::vpcs::{OPERATORS, Vpc};
use super::world::*;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Destination {
    V4(Block),
    List(String),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    Gateway(String),
    Interface(String),
    Nat(String),
    Peering(String),
}

#[derive(Clone, Debug)]
pub struct Route {
    pub table: String,
    pub destination: Destination,
    pub to: Target,
}

const TARGETS: [&str; 6] = [
    "GatewayId",
    "InstanceId",
    "NatGatewayId",
    "NetworkInterfaceId",
    "VpcPeeringConnectionId",
    "EgressOnlyInternetGatewayId",
];
const DESTINATIONS: [&str; 3] =
    ["DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId"];

impl World {
    /// Whether a route of the VPC's tables leads to something within the block.
    pub fn is_routed_within(&self, vpc: &str, wanted: Block) -> bool {
        let of_vpc = |route: &&Route| self.tables.iter().any(|one| one.id == route.table && one.vpc == vpc);
        let within = |route: &Route| match &route.destination {
            Destination::V4(block) => wanted.holds(*block),
            // What is the VPC's own, no list leads away.
            Destination::List(_) => false,
        };
        self.routes.iter().filter(of_vpc).any(within)
    }

    /// "blackhole [...] indicates that the route's target isn't available (for example, the specified gateway isn't
    /// attached to the VPC, or the specified NAT instance has been terminated)."
    fn leads(&self, table: &RouteTable, to: &Target) -> bool {
        match to {
            Target::Peering(id) => {
                let row = self.peerings.iter().find(|one| one.id == *id);
                row.is_some_and(|row| row.stage == Stage::Active && row.beyond(&table.vpc).is_some())
            }
            Target::Nat(id) => self.nats.iter().any(|one| one.id == *id && !one.deleted),
            Target::Gateway(id) => {
                self.gateways.iter().any(|one| one.id == *id && one.vpc.as_ref() == Some(&table.vpc))
            }
            Target::Interface(id) => {
                let interface = self.interfaces.iter().find(|one| one.id == *id);
                let attached = interface.and_then(|one| one.attachment.as_ref());
                let runs = |one: &Instance| matches!(one.state, State::Pending | State::Running);
                attached.is_some_and(|to| self.instances.iter().any(|one| one.id == to.instance && runs(one)))
            }
        }
    }
}

/// The one that is given of several.
fn only<'p>(params: &'p Params, names: &[&'static str]) -> Result<(&'static str, &'p str), Code> {
    let given: Vec<_> = names.iter().filter_map(|name| Some((*name, params.one(name)?))).collect();
    match given[..] {
        [] => Err(MISSING),
        [one] => Ok(one),
        _ => Err(COMBINATION),
    }
}

fn destination(world: &World, call: &Call) -> Result<Destination, Code> {
    let (name, value) = only(&call.params, &DESTINATIONS)?;
    if name == "DestinationPrefixListId" {
        world.own_list(call.who, Some(value))?;
        return Ok(Destination::List(value.to_owned()));
    }
    Ok(Destination::V4(Block::read(value).unwrap()))
}

/// Where a route is to lead; a target of another VPC belongs to "different networks".
fn target(world: &World, call: &Call, table: Option<&RouteTable>) -> Result<Target, Code> {
    let (name, id) = only(&call.params, &TARGETS)?;
    let here = |vpc: Option<&String>| table.is_none_or(|table| vpc == Some(&table.vpc));
    match name {
        "GatewayId" => {
            if id == "local" {
                return Err(VALUE);
            }
            if id.starts_with("vgw-") {
                return Err("UnsupportedOperation");
            }
            let own = |one: &&super::gateways::Gateway| one.who == call.who && one.id == id;
            let gateway = world.gateways.iter().find(own).ok_or("InvalidGatewayID.NotFound")?;
            if here(gateway.vpc.as_ref()) { Ok(Target::Gateway(id.into())) } else { Err(VALUE) }
        }
        "InstanceId" => {
            let own = world.instances.iter().any(|one| one.who == call.who && one.id == id);
            if !own {
                return Err("InvalidInstanceID.NotFound");
            }
            // "This operation fails if there is more than one network interface attached."
            match world.interfaces_of(id)[..] {
                [at] => to_interface(world, at, &here),
                _ => Err("InvalidInstanceID"),
            }
        }
        "NetworkInterfaceId" => {
            let own = world.interfaces.iter().position(|one| one.who == call.who && one.id == id);
            to_interface(world, own.ok_or("InvalidNetworkInterfaceID.NotFound")?, &here)
        }
        // "You can add a route for a VPC peering connection that's in the pending-acceptance state. However, the route has
        // a state of blackhole."
        "VpcPeeringConnectionId" => {
            let own = world.peerings_of(call.who).into_iter().find(|one| one.id == id);
            let lives = |one: &&super::peers::Peering| matches!(one.stage, Stage::Pending | Stage::Active);
            let row = own.filter(lives).ok_or("InvalidVpcPeeringConnectionID.NotFound")?;
            let joins = table.is_none_or(|table| row.beyond(&table.vpc).is_some());
            if joins { Ok(Target::Peering(id.into())) } else { Err(VALUE) }
        }
        "NatGatewayId" => {
            let own = |one: &&super::nat::NatGateway| one.who == call.who && one.id == id && !one.deleted;
            let nat = world.nats.iter().find(own).ok_or("InvalidNatGatewayID.NotFound")?;
            if here(Some(&nat.vpc)) { Ok(Target::Nat(id.into())) } else { Err(VALUE) }
        }
        other => panic!("a route to {other}"),
    }
}

fn to_interface(world: &World, at: usize, here: &dyn Fn(Option<&String>) -> bool) -> Result<Target, Code> {
    let one = &world.interfaces[at];
    let vpc = &world.subnet(&one.subnet).vpc;
    if here(Some(vpc)) { Ok(Target::Interface(one.id.clone())) } else { Err(VALUE) }
}

/// The table, where its routes are the account's to say.
fn table<'w>(world: &'w World, call: &Call, faults: &mut Faults) -> Option<(&'w RouteTable, &'w Vpc)> {
    let table = faults.note(world.own_table(call.who, call.params.one("RouteTableId")))?;
    faults.add_if(world.is_operators(table), OPERATORS);
    Some((table, world.vpc(&table.vpc).unwrap()))
}

/// What a call says of a route, and which there is for that destination.
fn wanted(world: &World, call: &Call, faults: &mut Faults) -> Option<(Route, Option<usize>)> {
    let at = table(world, call, faults);
    let destination = faults.note(destination(world, call));
    let to = faults.note(target(world, call, at.map(|(table, _)| table)));
    let (((table, vpc), destination), to) = at.zip(destination).zip(to)?;
    if let Destination::V4(wanted) = &destination {
        faults.add_if(block("169.254.0.0/16").holds(*wanted), VALUE);
        if vpc.blocks.iter().any(|(_, own)| own.holds(*wanted)) {
            // Within a VPC everything is local here.
            faults.add(if matches!(to, Target::Interface(_)) { "UnsupportedOperation" } else { VALUE });
        }
    }
    if let Destination::List(id) = &destination {
        // NAT gateways translate IPv4 alone here.
        let six = world.lists.iter().any(|one| one.id == *id && one.six);
        faults.add_if(six && matches!(to, Target::Nat(_)), "UnsupportedOperation");
    }
    let same = |one: &Route| one.table == table.id && one.destination == destination;
    let there = world.routes.iter().position(same);
    Some((Route { table: table.id.clone(), destination, to }, there))
}

pub fn create(world: &mut World, call: &Call) -> Outcome {
    let mut faults = Faults::default();
    let wanted = wanted(world, call, &mut faults);
    if let Some((route, there)) = &wanted {
        faults.add_if(there.is_some(), "RouteAlreadyExists");
        let mut after = world.clone();
        after.routes.push(route.clone());
        faults.add_if(after.is_crowded_table(&route.table), "RouteLimitExceeded");
    }
    faults.done()?;
    world.routes.extend(wanted.map(|(route, _)| route));
    Ok(vec![leaf("return", true)])
}

pub fn replace(world: &mut World, call: &Call) -> Outcome {
    let mut faults = Faults::default();
    let wanted = wanted(world, call, &mut faults);
    faults.add_if(wanted.as_ref().is_some_and(|(_, there)| there.is_none()), VALUE);
    faults.done()?;
    let (route, there) = wanted.unwrap();
    world.routes[there.unwrap()] = route;
    Ok(vec![leaf("return", true)])
}

pub fn delete(world: &mut World, call: &Call) -> Outcome {
    let mut faults = Faults::default();
    let at = table(world, call, &mut faults);
    let destination = faults.note(destination(world, call));
    let mut gone = None;
    if let Some(((table, vpc), destination)) = at.zip(destination) {
        let local = matches!(destination, Destination::V4(wanted) if vpc.blocks.iter().any(|(_, own)| *own == wanted));
        faults.add_if(local, VALUE);
        gone = world.routes.iter().position(|one| one.table == table.id && one.destination == destination);
        faults.add_if(!local && gone.is_none(), "InvalidRoute.NotFound");
    }
    faults.done()?;
    world.routes.remove(gone.unwrap());
    Ok(vec![leaf("return", true)])
}

fn destination_shape(destination: &Destination) -> Tree {
    match destination {
        Destination::V4(block) => leaf("destinationCidrBlock", block),
        Destination::List(id) => leaf("destinationPrefixListId", id),
    }
}

/// The routes of a table: those to the VPC's own blocks are there by themselves.
pub fn shapes(world: &World, table: &RouteTable) -> Vec<Vec<Tree>> {
    let local = |destination: Destination| {
        vec![
            destination_shape(&destination),
            leaf("gatewayId", "local"),
            leaf("state", "active"),
            leaf("origin", "CreateRouteTable"),
        ]
    };
    let vpc = world.vpc(&table.vpc).unwrap();
    let mut all: Vec<Vec<Tree>> = vpc.blocks.iter().map(|(_, own)| local(Destination::V4(*own))).collect();
    for route in world.routes.iter().filter(|one| one.table == table.id) {
        let state = if world.leads(table, &route.to) { "active" } else { "blackhole" };
        let mut tree =
            vec![destination_shape(&route.destination), leaf("state", state), leaf("origin", "CreateRoute")];
        match &route.to {
            Target::Gateway(id) => tree.push(leaf("gatewayId", id)),
            Target::Peering(id) => tree.push(leaf("vpcPeeringConnectionId", id)),
            Target::Nat(id) => tree.push(leaf("natGatewayId", id)),
            Target::Interface(id) => {
                tree.push(leaf("networkInterfaceId", id));
                let one = world.interfaces.iter().find(|one| one.id == *id);
                if let Some((one, to)) = one.and_then(|one| Some((one, one.attachment.as_ref()?))) {
                    tree.push(leaf("instanceId", &to.instance));
                    tree.push(leaf("instanceOwnerId", &world.accounts[one.who].id));
                }
            }
        }
        all.push(tree);
    }
    all
}
