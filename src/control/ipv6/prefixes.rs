//! The operator's prefixes: what `fogbank ipv6-pool` makes and takes away.

use super::super::operator::refuse;
use crate::control::Decision;
use crate::query::Fault;
use crate::types::Cidr6;
use crate::world::{Ipv6Pool, Key, World};

/// What is nobody's to give: unspecified, loopback, IPv4's, NAT64's, link-local, Amazon's own services, multicast
/// (<https://www.iana.org/assignments/iana-ipv6-special-registry/>).
const RESERVED: [&str; 7] =
    ["::/8", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "fd00:ec2::/32", "fe80::/9", "ff00::/8"];

/// Longer ones are none: that would be half of the internet.
const SHORTEST: u8 = 16;

/// Adds a prefix of which VPCs get their blocks.
///
/// # Errors
/// It is no prefix for that, or it overlaps another one.
pub fn add(decision: &mut Decision, cidr: Cidr6) -> Result<(), Fault> {
    let reserved = RESERVED.iter().filter_map(|text| text.parse::<Cidr6>().ok());
    if !(SHORTEST..=Ipv6Pool::BLOCK).contains(&cidr.prefix_len())
        || reserved.into_iter().any(|other| other.overlaps(&cidr))
    {
        return Err(refuse(format!(
            "{cidr} cannot be a pool: give a unicast prefix from /{SHORTEST} to /{}, of which each VPC gets a /{}",
            Ipv6Pool::BLOCK,
            Ipv6Pool::BLOCK
        )));
    }
    if let Some(other) = decision.world.ipv6_pools.keys().find(|other| other.overlaps(&cidr)) {
        return Err(refuse(format!("{cidr} overlaps the IPv6 pool {other}")));
    }
    let created = decision.env.now;
    let next = Cidr6::new(cidr.network(), Ipv6Pool::BLOCK);
    decision.put(Ipv6Pool { cidr, next, created });
    Ok(())
}

/// Removes a prefix of which no VPC has a block.
///
/// # Errors
/// There is no such prefix, or it is in use.
pub fn remove(decision: &mut Decision, cidr: Cidr6) -> Result<(), Fault> {
    if !decision.world.ipv6_pools.contains_key(&cidr) {
        return Err(refuse(format!("there is no IPv6 pool {cidr}: see `fogbank ipv6-pool list`")));
    }
    let used = used(&decision.world, cidr);
    if used > 0 {
        return Err(refuse(format!(
            "{used} VPCs have blocks of {cidr}: delete them, or use DisassociateVpcCidrBlock"
        )));
    }
    // Which blocks were used is remembered: the prefix may come again, and they go last then.
    decision.delete(Key::Ipv6Pool(cidr));
    Ok(())
}

/// How many blocks of a prefix VPCs have.
pub fn used(world: &World, cidr: Cidr6) -> usize {
    let blocks = world.vpcs.values().flat_map(|vpc| vpc.blocks6.iter());
    blocks.filter(|block| cidr.holds(&block.cidr)).count()
}

/// How many VPCs a prefix has blocks for.
pub fn blocks(cidr: Cidr6) -> u64 {
    1 << Ipv6Pool::BLOCK.saturating_sub(cidr.prefix_len())
}
