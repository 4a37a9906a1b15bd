//! Subnets of isolated VPCs: create, delete. Each has a network of its own that carries it.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::{
    all_off, belongings, blocks6, changeable, describe, find, find_subnet, has_dependencies, own_default,
};
use crate::control::{Decision, View, defaults, operator, regions, tags};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::world::{Block6, Condition, Key, Network, Space, Subnet, Vpc};

pub fn create_subnet(
    decision: &mut Decision,
    request: &CreateSubnetRequest,
) -> Result<CreateSubnetResponse, Fault> {
    let tags = tags::at_creation(&request.tag_specifications, &["subnet"], "subnet")?;
    all_off(&[("Ipv6Native", request.ipv6_native)])?;
    let view = decision.view();
    let vpc = find(&view, request.vpc_id)?.clone();
    changeable(&vpc, "subnets")?;
    let cidr = checked_block(&view, &vpc, request.cidr_block)?;
    let six = request.ipv6_cidr_block.map(|six| blocks6::checked(&view, &vpc, six)).transpose()?;
    let asked = (request.availability_zone.as_deref(), request.availability_zone_id.as_deref());
    let zone = zone(&view, asked)?;
    if defaults::subnets_of(view.world, vpc.id).count() >= decision.caller.quotas.subnets_per_vpc {
        return Err(FaultCode::SubnetLimitExceeded.with("The maximum number of subnets has been reached."));
    }
    let id = put(decision, &vpc, cidr, zone, six, false)?;
    decision.tag(ResourceId::Subnet(id), &tags)?;
    let view = decision.view();
    Ok(CreateSubnetResponse { subnet: describe::subnet_shape(view.world, find_subnet(&view, id)?) })
}

/// Makes a subnet with its network. The instances of a default one get public addresses.
///
/// # Errors
/// The block is too small.
pub(super) fn put(
    decision: &mut Decision,
    vpc: &Vpc,
    cidr: Cidr4,
    zone: Arc<str>,
    six: Option<Cidr6>,
    is_default: bool,
) -> Result<SubnetId, Fault> {
    let id = decision.env.id(SubnetId::from_random);
    let network = network(decision, vpc, id, cidr, zone)?;
    let block6 = six.map(|cidr| Block6 { id: decision.env.id(SubnetCidrAssociationId::from_random), cidr });
    decision.put(Subnet {
        id,
        owner: vpc.owner.clone(),
        vpc: vpc.id,
        cidr,
        zone: network.zone.clone(),
        network: network.name.clone(),
        is_default,
        map_public_ip: is_default,
        block6,
        assign_ipv6: false,
        created: decision.env.now,
    });
    decision.put(network);
    belongings::ensure(decision, &vpc.owner, vpc.id);
    Ok(id)
}

/// "The first four IP addresses and the last IP address in each subnet CIDR block are not available for your use"
/// (VPC User Guide, subnet CIDR blocks).
fn network(
    decision: &Decision,
    vpc: &Vpc,
    subnet: SubnetId,
    cidr: Cidr4,
    zone: Arc<str>,
) -> Result<Network, Fault> {
    let first = cidr.network().to_bits();
    let last = Ipv4Addr::from_bits(cidr.last().to_bits() - 1);
    let range = Range4::new(Ipv4Addr::from_bits(first + 4), last).ok_or_else(|| invalid(cidr))?;
    Ok(Network {
        vpc: Some(vpc.id),
        name: subnet.to_string().into(),
        cidr,
        gateway: Ipv4Addr::from_bits(first + 1),
        range,
        reserved: Arc::new([]),
        zone,
        domain: defaults::domain(&vpc.owner.region),
        next: Some(range.first()),
        gateway_host: None,
        created: decision.env.now,
    })
}

fn invalid(cidr: Cidr4) -> Fault {
    FaultCode::InvalidSubnetRange.with(format!("The CIDR '{cidr}' is invalid."))
}

fn checked_block(view: &View, vpc: &Vpc, cidr: Cidr4) -> Result<Cidr4, Fault> {
    let inside = vpc.cidrs().any(|block| block.contains(cidr.network()) && block.contains(cidr.last()));
    if !(16..=28).contains(&cidr.prefix_len()) || !inside {
        return Err(invalid(cidr));
    }
    let mut others = defaults::subnets_of(view.world, vpc.id);
    match others.any(|other| other.cidr.overlaps(&cidr)) {
        true => {
            Err(FaultCode::InvalidSubnetConflict
                .with(format!("The CIDR '{cidr}' conflicts with another subnet")))
        }
        false => Ok(cidr),
    }
}

/// The zone that is asked for by name or id, else the first one with a host that could run something.
fn zone(view: &View, asked: (Option<&str>, Option<&str>)) -> Result<Arc<str>, Fault> {
    let (world, region) = (view.world, &view.caller.owner.region);
    let zones = regions::zones(world);
    let (parameter, value, found) = match asked {
        (Some(_), Some(_)) => {
            return Err(FaultCode::InvalidParameterCombination.with(
                "You may specify AvailabilityZone or AvailabilityZoneId, but not both in the same call",
            ));
        }
        (Some(name), None) => ("availabilityZone", name, zones.get(name).cloned()),
        (None, Some(id)) => {
            let named = zones.iter().find(|zone| regions::zone_id(world, region, zone) == id);
            ("availabilityZoneId", id, named.cloned())
        }
        (None, None) => {
            let live = world.hosts.values().filter(|host| host.condition == Condition::Active);
            let first = live.map(|host| &host.zone).min().or_else(|| zones.first()).cloned();
            return Ok(first.unwrap_or_else(|| format!("{region}a").into()));
        }
    };
    found.ok_or_else(|| {
        let names: Vec<&str> = zones.iter().map(|zone| &**zone).collect();
        FaultCode::InvalidParameterValue.with(format!(
            "Value ({value}) for parameter {parameter} is invalid. Subnets can currently only be created in the following \
             availability zones: {}.",
            names.join(", ")
        ))
    })
}

pub fn delete_subnet(
    decision: &mut Decision,
    request: &DeleteSubnetRequest,
) -> Result<DeleteSubnetResponse, Fault> {
    let view = decision.view();
    let subnet = find_subnet(&view, request.subnet_id)?.clone();
    let id = subnet.id;
    if let Some(vpc) = view.world.vpcs.get(&subnet.vpc) {
        changeable(vpc, "subnets")?;
    }
    let mut inside = view.world.index.enis_by_subnet.range((id, EniId::from_random(0))..);
    if inside.next().is_some_and(|(of, _)| *of == id) {
        return Err(has_dependencies("subnet", id));
    }
    let index = &view.world.index;
    let table = index.route_table_association_of.get(&(subnet.vpc, Some(id))).copied();
    let acl = index.acl_association_of.get(&id).copied();
    table.into_iter().for_each(|association| decision.delete(Key::RouteTableAssociation(association)));
    acl.into_iter().for_each(|association| decision.delete(Key::AclAssociation(association)));
    super::reservations::delete_all(decision, id);
    decision.untag_all(ResourceId::Subnet(id));
    decision.delete(Key::Subnet(id));
    operator::forget_freed(decision, &Space::Network(subnet.network.clone()));
    decision.delete(Key::Network(subnet.network.clone()));
    Ok(DeleteSubnetResponse { result: true })
}

/// Each flat network is a default subnet already, and no other ones can be made there: the operator makes networks.
pub fn create_default_subnet(
    decision: &mut Decision,
    request: &CreateDefaultSubnetRequest,
) -> Result<CreateDefaultSubnetResponse, Fault> {
    all_off(&[("Ipv6Native", request.ipv6_native)])?;
    let view = decision.view();
    let asked = (request.availability_zone.as_deref(), request.availability_zone_id.as_deref());
    if asked == (None, None) {
        return Err(FaultCode::MissingParameter
            .with("The request must contain the parameter AvailabilityZone or AvailabilityZoneId"));
    }
    let zone = zone(&view, asked)?;
    let vpc = defaults::vpc(view.world, &view.caller.owner);
    let vpc = vpc.ok_or_else(|| {
        FaultCode::DefaultVpcDoesNotExist.with("No default VPC exists for this account in this region.")
    })?;
    let is_there = |subnet: &&Arc<Subnet>| subnet.is_default && subnet.zone == zone;
    if let Some(subnet) = defaults::subnets_of(view.world, vpc.id).find(is_there) {
        return Err(FaultCode::DefaultSubnetAlreadyExistsInAvailabilityZone
            .with(format!("'{}' is already the default subnet in {zone}", subnet.id)));
    }
    let vpc = vpc.clone();
    changeable(&vpc, "subnets")?;
    let id = own_default::make_subnet(decision, &vpc, zone)?;
    let view = decision.view();
    Ok(CreateDefaultSubnetResponse { subnet: describe::subnet_shape(view.world, find_subnet(&view, id)?) })
}
