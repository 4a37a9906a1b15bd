//! Blocks of IPv6 addresses: VPCs have theirs of the operator's prefixes, subnets theirs of their VPC's
//! (<https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html>).

use std::fmt::Display;
use std::sync::Arc;

use super::{belongings, changeable, find, find_subnet};
use crate::control::ipv6::NoBlock;
use crate::control::{Decision, View, defaults};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::world::{Block6, Destination, Subnet, SubnetBlock6, Vpc, VpcBlock6, World};

/// A subnet's: hosts tell instances of the /64 that they are in (RFC 4291, 2.5.4).
const OF_SUBNET: u8 = 64;

/// Gives a VPC of one's own the next block, and opens to IPv6 what is open by default.
///
/// # Errors
/// It has as many as it may, or the operator has none to give.
pub fn give(decision: &mut Decision, id: VpcId) -> Result<VpcBlock6, Fault> {
    let vpc = find(&decision.view(), id)?.clone();
    changeable(&vpc, "blocks")?;
    if vpc.blocks6.len() >= decision.caller.quotas.ipv6_blocks_per_vpc {
        return Err(FaultCode::CidrLimitExceeded.with(format!(
            "This network '{id}' has met its maximum number of allowed IPv6 CIDRs: {}",
            decision.caller.quotas.ipv6_blocks_per_vpc
        )));
    }
    let cidr = decision.take_ipv6_block().map_err(|why| match why {
        NoBlock::NoPrefix => FaultCode::UnsupportedOperation.with(
            "There are no IPv6 addresses to give to a VPC: the operator adds a prefix with `fogbank ipv6-pool add --prefix \
             PREFIX`",
        ),
        NoBlock::Exhausted => FaultCode::InsufficientAddressCapacity.with(
            "All blocks of the operator's IPv6 prefixes are taken: he adds a prefix with `fogbank ipv6-pool add --prefix \
             PREFIX`",
        ),
    })?;
    is_led_nowhere(&decision.world, id, cidr)?;
    let block = Block6 { id: decision.env.id(VpcCidrAssociationId::from_random), cidr };
    let blocks6: Arc<[VpcBlock6]> = vpc.blocks6.iter().copied().chain([block]).collect();
    decision.put(Vpc { blocks6, ..(*vpc).clone() });
    if vpc.blocks6.is_empty() {
        belongings::open_to_ipv6(decision, id);
    }
    Ok(block)
}

/// As for IPv4: a route within the block would lead away what is the VPC's own.
fn is_led_nowhere(world: &World, vpc: VpcId, cidr: Cidr6) -> Result<(), Fault> {
    let inside = |to: Destination<Cidr6>| matches!(to, Destination::Block(block) if cidr.holds(&block));
    let mut routes = world.route_tables_of(vpc).flat_map(|table| world.ipv6_routes_of(table.id));
    match routes.find(|route| inside(route.destination)) {
        Some(route) => Err(FaultCode::InvalidVpcRange.with(format!(
            "The CIDR '{cidr}' is the same as, or larger than, the destination {} of a route in {}.",
            route.destination, route.table
        ))),
        None => Ok(()),
    }
}

/// Takes the block with this id from the caller's VPC; `None` where it is no block of IPv6.
///
/// # Errors
/// A subnet has addresses of it.
pub fn take_from_vpc(
    decision: &mut Decision,
    id: VpcCidrAssociationId,
) -> Result<Option<DisassociateVpcCidrBlockResponse>, Fault> {
    let view = decision.view();
    let with = |vpc: &&Arc<Vpc>| vpc.blocks6.iter().any(|block| block.id == id);
    let Some(vpc) = defaults::vpcs_of(view.world, &view.caller.owner).find(with).cloned() else {
        return Ok(None);
    };
    let Some(block) = vpc.blocks6.iter().find(|block| block.id == id).copied() else { return Ok(None) };
    let inside = |subnet: &&Arc<Subnet>| subnet.block6.is_some_and(|six| six.cidr.overlaps(&block.cidr));
    if let Some(subnet) = defaults::subnets_of(view.world, vpc.id).find(inside) {
        return Err(FaultCode::InvalidCidrBlockInUse.with(format!(
            "The vpc IPv6 CIDR block with association ID {id} may not be disassociated. It is used by the subnet {}",
            subnet.id
        )));
    }
    let blocks6 = vpc.blocks6.iter().copied().filter(|other| other.id != id).collect();
    decision.put(Vpc { blocks6, ..(*vpc).clone() });
    decision.give_back_ipv6_block(block.cidr);
    Ok(Some(DisassociateVpcCidrBlockResponse {
        vpc_id: vpc.id,
        cidr_block_association: None,
        ipv6_cidr_block_association: Some(of_vpc(&vpc.owner, block, "disassociating")),
    }))
}

/// The block that a subnet of the VPC wants, if it can have it.
///
/// # Errors
/// It is no /64, not in a block of the VPC, or another subnet's.
pub fn checked(view: &View, vpc: &Vpc, cidr: Cidr6) -> Result<Cidr6, Fault> {
    if cidr.prefix_len() != OF_SUBNET {
        return Err(FaultCode::InvalidParameterValue.with(format!(
            "invalid value for parameter ipv6-cidr-block: {cidr}: a subnet has a /{OF_SUBNET}"
        )));
    }
    if !vpc.blocks6.iter().any(|block| block.cidr.holds(&cidr)) {
        return Err(FaultCode::InvalidSubnetRange.with(format!("The IPv6 CIDR '{cidr}' is invalid.")));
    }
    let mut others = defaults::subnets_of(view.world, vpc.id).filter_map(|subnet| subnet.block6);
    match others.any(|other| other.cidr.overlaps(&cidr)) {
        true => Err(FaultCode::InvalidSubnetConflict
            .with(format!("The IPv6 CIDR '{cidr}' conflicts with another subnet"))),
        false => Ok(cidr),
    }
}

pub fn associate_subnet_cidr_block(
    decision: &mut Decision,
    request: &AssociateSubnetCidrBlockRequest,
) -> Result<AssociateSubnetCidrBlockResponse, Fault> {
    let view = decision.view();
    let subnet = find_subnet(&view, request.subnet_id)?.clone();
    let vpc = find(&view, subnet.vpc)?;
    changeable(vpc, "subnets")?;
    let cidr = checked(&view, vpc, request.ipv6_cidr_block)?;
    if subnet.block6.is_some() {
        return Err(FaultCode::CidrLimitExceeded.with(format!(
            "This subnet '{}' has met its maximum number of allowed IPv6 CIDRs: 1",
            subnet.id
        )));
    }
    let block = Block6 { id: decision.env.id(SubnetCidrAssociationId::from_random), cidr };
    decision.put(Subnet { block6: Some(block), ..(*subnet).clone() });
    let ipv6_cidr_block_association = of_subnet(block, "associating");
    Ok(AssociateSubnetCidrBlockResponse { subnet_id: subnet.id, ipv6_cidr_block_association })
}

pub fn disassociate_subnet_cidr_block(
    decision: &mut Decision,
    request: &DisassociateSubnetCidrBlockRequest,
) -> Result<DisassociateSubnetCidrBlockResponse, Fault> {
    let id = request.association_id;
    let view = decision.view();
    let mut subnets = defaults::vpcs_of(view.world, &view.caller.owner)
        .flat_map(|vpc| defaults::subnets_of(view.world, vpc.id));
    let found = subnets.find_map(|subnet| {
        let block = subnet.block6.filter(|block| block.id == id)?;
        Some((subnet.clone(), block))
    });
    let (subnet, block) = found.ok_or_else(|| {
        FaultCode::InvalidSubnetCidrBlockAssociationIDNotFound
            .with(format!("The subnet CIDR block with association ID '{id}' does not exist"))
    })?;
    let in_use = |why: &str| {
        Err(FaultCode::InvalidCidrBlockInUse.with(format!(
            "The subnet IPv6 CIDR block with association ID {id} may not be disassociated, because {why}"
        )))
    };
    if subnet.assign_ipv6 {
        return in_use("its subnet has assign-ipv6-address-on-creation set to true.");
    }
    drop(subnets);
    let (first, last) = (block.cidr.network(), block.cidr.last());
    if view.world.index.eni_by_ipv6.range(first..=last).next().is_some() {
        return in_use("it has IPv6 addresses that are assigned to network interfaces.");
    }
    decision.put(Subnet { block6: None, ..(*subnet).clone() });
    let ipv6_cidr_block_association = of_subnet(block, "disassociating");
    Ok(DisassociateSubnetCidrBlockResponse { subnet_id: subnet.id, ipv6_cidr_block_association })
}

/// What the filters `ipv6-cidr-block-association.*` compare.
pub fn attribute<I: Display>(block: &Block6<I>, name: &str) -> Option<String> {
    Some(match name.strip_prefix("ipv6-cidr-block-association.")? {
        "association-id" => block.id.to_string(),
        "ipv6-cidr-block" => block.cidr.to_string(),
        "ipv6-pool" => POOL.into(),
        "state" => "associated".into(),
        _ => return None,
    })
}

/// What EC2 calls the pool of its own addresses.
const POOL: &str = "Amazon";

/// A VPC's block in this state of its association.
pub fn of_vpc(owner: &Owner, block: VpcBlock6, state: &str) -> output::VpcIpv6CidrBlockAssociation {
    output::VpcIpv6CidrBlockAssociation {
        association_id: block.id,
        ipv6_cidr_block: block.cidr,
        ipv6_cidr_block_state: output::VpcCidrBlockState { state: state.into() },
        network_border_group: owner.region.to_string(),
        ipv6_pool: POOL.into(),
        ipv6_address_attribute: "public".into(),
        ip_source: "amazon".into(),
    }
}

/// A subnet's block in this state of its association.
pub fn of_subnet(block: SubnetBlock6, state: &str) -> output::SubnetIpv6CidrBlockAssociation {
    output::SubnetIpv6CidrBlockAssociation {
        association_id: block.id,
        ipv6_cidr_block: block.cidr,
        ipv6_cidr_block_state: output::VpcCidrBlockState { state: state.into() },
        ipv6_address_attribute: "public".into(),
        ip_source: "amazon".into(),
    }
}
