//! More blocks of addresses for a VPC
//! (<https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html>).

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::{blocks6, changeable, describe, find, vpc};
use crate::control::{Decision, View, defaults, peerings};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::world::{Block, Destination, Vpc, World};

/// RFC 1918's ranges: a VPC has blocks of one of them at most.
const PRIVATE: [(Ipv4Addr, u8); 3] = [
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
];

pub fn associate_vpc_cidr_block(
    decision: &mut Decision,
    request: &AssociateVpcCidrBlockRequest,
) -> Result<AssociateVpcCidrBlockResponse, Fault> {
    let view = decision.view();
    let vpc = find(&view, request.vpc_id)?.clone();
    changeable(&vpc, "blocks")?;
    let six = request.amazon_provided_ipv6_cidr_block == Some(true);
    let cidr = match (request.cidr_block, six) {
        (Some(cidr), false) => checked(&view, &vpc, cidr)?,
        (None, true) => {
            let block = blocks6::give(decision, vpc.id)?;
            return Ok(AssociateVpcCidrBlockResponse {
                vpc_id: vpc.id,
                cidr_block_association: None,
                ipv6_cidr_block_association: Some(blocks6::of_vpc(&vpc.owner, block, "associating")),
            });
        }
        (Some(_), true) => {
            return Err(FaultCode::InvalidParameterCombination
                .with("CidrBlock and AmazonProvidedIpv6CidrBlock may not be used together"));
        }
        (None, false) => {
            return Err(FaultCode::MissingParameter
                .with("Either 'cidrBlock' or 'amazonProvidedIpv6CidrBlock' must be provided."));
        }
    };
    let most = decision.caller.quotas.blocks_per_vpc;
    if vpc.cidrs().count() >= most {
        return Err(FaultCode::CidrLimitExceeded.with(format!(
            "This network '{}' has met its maximum number of allowed CIDRs: {}",
            vpc.id, most
        )));
    }
    peerings::take_block(decision, vpc.id, cidr)?;
    let block = Block { id: decision.env.id(VpcCidrAssociationId::from_random), cidr };
    let blocks: Arc<[Block]> = vpc.blocks.iter().copied().chain([block]).collect();
    decision.put(Vpc { blocks, ..(*vpc).clone() });
    Ok(AssociateVpcCidrBlockResponse {
        vpc_id: vpc.id,
        cidr_block_association: Some(describe::block_shape(block, "associating")),
        ipv6_cidr_block_association: None,
    })
}

fn checked(view: &View, vpc: &Vpc, cidr: Cidr4) -> Result<Cidr4, Fault> {
    let cidr = vpc::checked_block(cidr)?;
    let refused = |why: &str| Err(FaultCode::InvalidVpcRange.with(format!("The CIDR '{cidr}' {why}")));
    if vpc.cidrs().any(|block| block.overlaps(&cidr)) {
        return refused("overlaps with a CIDR block of the VPC.");
    }
    if vpc.cidrs().any(|block| range(block).is_some() && range(cidr).is_some() && range(block) != range(cidr))
    {
        return refused(
            "is restricted. Use a CIDR from the same private address range as the current VPC CIDR, or use a \
             publicly-routable CIDR.",
        );
    }
    // "The CIDR block must not be the same or larger than a destination CIDR range in a route in any of the VPC route
    // tables": such a route would lead away what is the VPC's own.
    let inside = |destination: Destination<Cidr4>| match destination {
        Destination::Block(block) => cidr.contains(block.network()) && cidr.contains(block.last()),
        // What is the VPC's own, no list leads away.
        Destination::PrefixList(_) => false,
    };
    let mut routes = view.world.route_tables_of(vpc.id).flat_map(|table| view.world.routes_of(table.id));
    match routes.find(|route| inside(route.destination)) {
        Some(route) => refused(&format!(
            "is the same as, or larger than, the destination {} of a route in {}.",
            route.destination, route.table
        )),
        None => Ok(cidr),
    }
}

/// Which private range the block is in.
fn range(cidr: Cidr4) -> Option<usize> {
    let within = |(address, length): &(Ipv4Addr, u8)| {
        Cidr4::new(*address, *length).is_some_and(|range| range.contains(cidr.network()))
    };
    PRIVATE.iter().position(within)
}

/// The caller's VPC that has a block with this id, and that block; `None` for the one that it was made with.
fn find_block(view: &View, id: VpcCidrAssociationId) -> Result<(Arc<Vpc>, Option<Block>), Fault> {
    for vpc in defaults::vpcs_of(view.world, &view.caller.owner) {
        if let Some(block) = vpc.blocks.iter().find(|block| block.id == id) {
            return Ok((vpc.clone(), Some(*block)));
        }
        if describe::first_block(vpc).id == id {
            return Ok((vpc.clone(), None));
        }
    }
    Err(FaultCode::InvalidVpcCidrBlockAssociationIDNotFound
        .with(format!("The vpc CIDR block association ID '{id}' does not exist")))
}

pub fn disassociate_vpc_cidr_block(
    decision: &mut Decision,
    request: &DisassociateVpcCidrBlockRequest,
) -> Result<DisassociateVpcCidrBlockResponse, Fault> {
    let id = request.association_id;
    if let Some(taken) = blocks6::take_from_vpc(decision, id)? {
        return Ok(taken);
    }
    let (vpc, block) = find_block(&decision.view(), id)?;
    let Some(block) = block else {
        return Err(FaultCode::OperationNotPermitted.with(format!(
            "The vpc CIDR block with association ID {id} may not be disassociated. It is the primary IPv4 CIDR block of \
             the VPC"
        )));
    };
    if let Some(subnet) = subnet_in(&decision.world, &vpc, block.cidr) {
        return Err(FaultCode::DependencyViolation.with(format!(
            "The vpc CIDR block with association ID {id} cannot be disassociated: the subnet {subnet} is in it"
        )));
    }
    let blocks: Arc<[Block]> = vpc.blocks.iter().copied().filter(|other| other.id != id).collect();
    decision.put(Vpc { blocks, ..(*vpc).clone() });
    Ok(DisassociateVpcCidrBlockResponse {
        vpc_id: vpc.id,
        cidr_block_association: Some(describe::block_shape(block, "disassociating")),
        ipv6_cidr_block_association: None,
    })
}

/// The subnet that is in a block.
fn subnet_in(world: &World, vpc: &Vpc, block: Cidr4) -> Option<SubnetId> {
    defaults::subnets_of(world, vpc.id).find(|subnet| subnet.cidr.overlaps(&block)).map(|subnet| subnet.id)
}
