//! Default VPCs of regions that have no part in the flat networks: each account has one to itself, as in EC2
//! (<https://docs.aws.amazon.com/vpc/latest/userguide/default-vpc-components.html>).

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::{belongings, subnets, vpc};
use crate::control::{Decision, defaults, regions};
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::world::Vpc;

/// "A VPC with a size /16 IPv4 CIDR block (172.31.0.0/16)".
const BLOCK: (Ipv4Addr, u8) = (Ipv4Addr::new(172, 31, 0, 0), 16);
/// "A size /20 default subnet in each Availability Zone".
const SUBNET: u8 = 20;

/// Makes an owner's default VPC if there never was one, and its subnets of zones that are new. One that its owner has deleted
/// stays away, as its subnets do.
pub fn ensure(decision: &mut Decision<'_>, owner: &Owner) {
    let Some(vpc) = defaults::vpc(&decision.world, owner).cloned() else {
        if defaults::dhcp_options(&decision.world, owner).is_none() {
            // Who has no VPC yet has room for one; where all hosts have no more numbers for any, he does without.
            make(decision, owner).ok();
        }
        return;
    };
    if vpc.vni.is_none() {
        return;
    }
    let known = regions::zones(&decision.before);
    for zone in regions::zones(&decision.world).into_iter().filter(|zone| !known.contains(zone)) {
        let there =
            defaults::subnets_of(&decision.world, vpc.id).any(|row| row.is_default && row.zone == zone);
        if !there {
            // Where no block is free he has what he has.
            make_subnet(decision, &vpc, zone).ok();
        }
    }
}

/// Makes the default VPC with all that EC2 gives it: a subnet for each zone, and a gateway with a route to it.
///
/// # Errors
/// There are as many VPCs as there may be.
pub fn make(decision: &mut Decision<'_>, owner: &Owner) -> Result<VpcId, Fault> {
    let (address, length) = BLOCK;
    let block = Cidr4::new(address, length).unwrap_or_else(defaults::everything);
    let set = defaults::dhcp_options(&decision.world, owner);
    let set = set.unwrap_or_else(|| decision.env.id(DhcpOptionsId::from_random));
    defaults::ensure_dhcp_options(decision, owner, set);
    let row = Vpc { is_default: true, dns_hostnames: true, ..vpc::new_row(decision, owner, block)? };
    let id = row.id;
    decision.put(row.clone());
    for zone in regions::zones(&decision.world) {
        make_subnet(decision, &row, zone)?;
    }
    belongings::ensure(decision, owner, id);
    defaults::ensure_internet(decision, owner, id);
    Ok(id)
}

/// Makes the default subnet of a zone out of the first block that is free. Its instances get public addresses.
///
/// # Errors
/// No block is free.
pub fn make_subnet(decision: &mut Decision<'_>, vpc: &Vpc, zone: Arc<str>) -> Result<SubnetId, Fault> {
    let first = vpc.cidr.network().to_bits();
    let taken: Vec<_> = defaults::subnets_of(&decision.world, vpc.id).map(|row| row.cidr).collect();
    let cidr = (0..1_u32 << (SUBNET - BLOCK.1))
        .filter_map(|place| Cidr4::new((first + (place << (32 - SUBNET))).into(), SUBNET))
        .find(|cidr| !taken.iter().any(|other| other.overlaps(cidr)))
        .ok_or_else(|| {
            FaultCode::OperationNotPermitted
                .with(format!("No /{SUBNET} is free in the default VPC {}", vpc.id))
        })?;
    subnets::put(decision, vpc, cidr, zone, None, true)
}

#[cfg(test)]
mod tests;
