//! VPCs, their subnets, blocks and DHCP options.
//!
//! There are two kinds. The default VPC is carried by the operator's flat networks, each of which is a subnet of it: what
//! they are is his to say. Those that CreateVpc makes are isolated from it and from each other, and so is the default VPC
//! of a region that the operator wants so ([`own_default`]).

mod attributes;
mod belongings;
mod blocks;
mod blocks6;
mod classic_link;
mod describe;
mod dhcp_options;
pub mod own_default;
mod reservations;
mod subnets;
mod vpc;

#[cfg(test)]
pub mod tests;

pub use attributes::{describe_vpc_attribute, modify_subnet_attribute, modify_vpc_attribute};
pub use belongings::{default_acl, delete_route_table, ensure as ensure_belongings, make_route_table};
pub use blocks::{associate_vpc_cidr_block, disassociate_vpc_cidr_block};
pub use blocks6::{associate_subnet_cidr_block, disassociate_subnet_cidr_block};
pub use classic_link::{describe_vpc_classic_link, describe_vpc_classic_link_dns_support};
pub use describe::{describe_subnets, describe_vpcs};
pub use dhcp_options::{
    associate_dhcp_options, create_dhcp_options, delete_dhcp_options, describe_dhcp_options,
};
pub use reservations::{
    create_subnet_cidr_reservation, delete_subnet_cidr_reservation, get_subnet_cidr_reservations,
};
pub use subnets::{create_default_subnet, create_subnet, delete_subnet};
pub use vpc::{create_default_vpc, create_vpc, delete_vpc, modify_vpc_tenancy};

use std::sync::Arc;

use super::View;
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::world::{Subnet, Vpc};

/// The caller's VPC with this id.
///
/// # Errors
/// There is none.
pub fn find<'w>(view: &View<'w>, id: VpcId) -> Result<&'w Arc<Vpc>, Fault> {
    let vpc = view.world.vpcs.get(&id).filter(|vpc| vpc.owner == view.caller.owner);
    vpc.ok_or_else(|| FaultCode::InvalidVpcIDNotFound.with(format!("The vpc ID '{id}' does not exist")))
}

/// The caller's subnet with this id.
///
/// # Errors
/// There is none.
pub fn find_subnet<'w>(view: &View<'w>, id: SubnetId) -> Result<&'w Arc<Subnet>, Fault> {
    let subnet = view.world.subnets.get(&id).filter(|subnet| subnet.owner == view.caller.owner);
    subnet.ok_or_else(|| {
        FaultCode::InvalidSubnetIDNotFound.with(format!("The subnet ID '{id}' does not exist"))
    })
}

/// Lets through what is to change in an isolated VPC.
///
/// # Errors
/// The flat networks carry the VPC: there, it is the operator's.
pub fn changeable(vpc: &Vpc, what: &str) -> Result<(), Fault> {
    match vpc.vni {
        Some(_) => Ok(()),
        None => Err(FaultCode::OperationNotPermitted.with(format!(
            "The default VPC {} is made of the operator's flat networks: its {what} cannot be changed. Use CreateVpc to \
             make a VPC of your own",
            vpc.id
        ))),
    }
}

/// Switches of EC2 that are taken when they are off.
///
/// # Errors
/// One is on.
pub fn all_off(switches: &[(&str, Option<bool>)]) -> Result<(), Fault> {
    match switches.iter().find(|(_, value)| *value == Some(true)) {
        Some((name, _)) => Err(FaultCode::UnsupportedOperation
            .with(format!("{name}=true is not supported: leave it out or set it to false"))),
        None => Ok(()),
    }
}

/// Something is left that has to go first.
pub fn has_dependencies(what: &str, id: impl std::fmt::Display) -> Fault {
    FaultCode::DependencyViolation.with(format!("The {what} '{id}' has dependencies and cannot be deleted."))
}

/// The number after the highest in use, else the lowest that is free: of what has gone only the highest is given again at once.
/// `used` goes up.
pub fn next_number(used: impl DoubleEndedIterator<Item = u32> + Clone, most: u32) -> Option<u32> {
    let highest = used.clone().next_back().unwrap_or(0);
    if highest < most {
        return Some(highest + 1);
    }
    let taken = used.zip(1..).take_while(|(number, place)| number == place).count();
    u32::try_from(taken + 1).ok().filter(|free| *free <= most)
}
