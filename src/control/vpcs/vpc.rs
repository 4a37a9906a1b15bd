//! VPCs themselves: create, delete.

use std::sync::Arc;

use super::{belongings, blocks6, changeable, describe, find, has_dependencies, next_number, own_default};
use crate::control::{Decision, View, defaults, peerings, tags};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::world::{Key, Vpc};

/// The highest VNI: there are 24 bits of it (RFC 7348, 5).
const MAX_VNI: u32 = (1 << 24) - 1;

/// What is nobody's to have in a VPC: this host, loopback, link-local, multicast and beyond.
const RESERVED: [(std::net::Ipv4Addr, u8); 5] = [
    (std::net::Ipv4Addr::new(0, 0, 0, 0), 8),
    (std::net::Ipv4Addr::new(127, 0, 0, 0), 8),
    (std::net::Ipv4Addr::new(169, 254, 0, 0), 16),
    (std::net::Ipv4Addr::new(224, 0, 0, 0), 4),
    (std::net::Ipv4Addr::new(240, 0, 0, 0), 4),
];

pub fn create_vpc(decision: &mut Decision, request: &CreateVpcRequest) -> Result<CreateVpcResponse, Fault> {
    let tags = tags::at_creation(&request.tag_specifications, &["vpc"], "vpc")?;
    let cidr = checked_block(request.cidr_block)?;
    let owner = decision.caller.owner.clone();
    // The default set of DHCP options comes with the default VPC.
    defaults::ensure_caller(decision);
    let row = new_row(decision, &owner, cidr)?;
    let id = row.id;
    decision.put(row);
    belongings::ensure(decision, &owner, id);
    if request.amazon_provided_ipv6_cidr_block == Some(true) {
        blocks6::give(decision, id)?;
    }
    decision.tag(ResourceId::Vpc(id), &tags)?;
    let view = decision.view();
    Ok(CreateVpcResponse { vpc: describe::vpc_shape(view.world, find(&view, id)?) })
}

/// An isolated VPC that has nothing yet.
///
/// # Errors
/// There are as many as there may be.
pub fn new_row(decision: &mut Decision, owner: &Owner, cidr: Cidr4) -> Result<Vpc, Fault> {
    let dhcp_options = defaults::dhcp_options(&decision.world, owner);
    let full = || FaultCode::VpcLimitExceeded.with("The maximum number of VPCs has been reached.");
    if defaults::vpcs_of(&decision.world, owner).count() >= decision.caller.quotas.vpcs {
        return Err(full());
    }
    let used: Vec<u32> = decision.world.index.vpcs_by_vni.iter().map(|(vni, _)| *vni).collect();
    Ok(Vpc {
        id: decision.env.id(VpcId::from_random),
        owner: owner.clone(),
        cidr,
        blocks: Arc::new([]),
        blocks6: Arc::new([]),
        is_default: false,
        dhcp_options: dhcp_options.ok_or_else(full)?,
        dns_support: true,
        // "By default, true in default VPCs and false otherwise" (VPC User Guide, DNS attributes).
        dns_hostnames: false,
        vni: Some(next_number(used.into_iter(), MAX_VNI).ok_or_else(full)?),
        created: decision.env.now,
    })
}

/// "The allowed block size is between a /28 netmask and /16 netmask" (VPC User Guide, VPC CIDR blocks).
pub fn checked_block(cidr: Cidr4) -> Result<Cidr4, Fault> {
    let reserved = RESERVED.iter().filter_map(|(address, length)| Cidr4::new(*address, *length));
    if (16..=28).contains(&cidr.prefix_len()) && !reserved.into_iter().any(|other| other.overlaps(&cidr)) {
        return Ok(cidr);
    }
    Err(FaultCode::InvalidVpcRange.with(format!("The CIDR '{cidr}' is invalid.")))
}

pub fn delete_vpc(decision: &mut Decision, request: &DeleteVpcRequest) -> Result<DeleteVpcResponse, Fault> {
    let view = decision.view();
    let vpc = find(&view, request.vpc_id)?.clone();
    changeable(&vpc, "being there")?;
    if is_used(&view, &vpc) {
        return Err(has_dependencies("vpc", vpc.id));
    }
    peerings::release(decision, vpc.id)?;
    belongings::delete(decision, vpc.id);
    vpc.blocks6.iter().for_each(|block| decision.give_back_ipv6_block(block.cidr));
    decision.untag_all(ResourceId::Vpc(vpc.id));
    decision.delete(Key::Vpc(vpc.id));
    Ok(DeleteVpcResponse { result: true })
}

fn is_used(view: &View, vpc: &Vpc) -> bool {
    let world = view.world;
    defaults::subnets_of(world, vpc.id).next().is_some()
        || crate::control::internet_gateways::attached_to(world, vpc.id).is_some()
        || world.egress_gateways_of(vpc.id).next().is_some()
        || !belongings::are_all(world, vpc.id)
}

/// Every account has its default VPC from the start. Where it is an isolated one it can be deleted, and made again.
pub fn create_default_vpc(
    decision: &mut Decision,
    _request: &CreateDefaultVpcRequest,
) -> Result<CreateDefaultVpcResponse, Fault> {
    let owner = decision.caller.owner.clone();
    if defaults::vpc(&decision.world, &owner).is_some() {
        return Err(FaultCode::DefaultVpcAlreadyExists
            .with("A Default VPC already exists for this account in this region."));
    }
    let vpc = match decision.caller.isolated {
        true => own_default::make(decision, &owner)?,
        false => defaults::ensure(decision, &owner),
    };
    let view = decision.view();
    Ok(CreateDefaultVpcResponse { vpc: describe::vpc_shape(view.world, find(&view, vpc)?) })
}

/// There is only one tenancy.
pub fn modify_vpc_tenancy(
    decision: &mut Decision,
    request: &ModifyVpcTenancyRequest,
) -> Result<ModifyVpcTenancyResponse, Fault> {
    find(&decision.view(), request.vpc_id)?;
    Ok(ModifyVpcTenancyResponse { result: true })
}
