//! The places of elastic addresses between a host and the routers of isolated VPCs.
//!
//! A host leads an elastic address to a VPC's router under another address, which no other of them has: private ones
//! repeat from VPC to VPC. See [`crate::plan::transit`].

use std::sync::Arc;

use super::Decision;
use crate::plan::MAX_TRANSIT;
use crate::types::AllocationId;
use crate::world::{Address, Change, Key, World};

/// Gives numbers to the addresses that the decision has led into an isolated VPC, and takes them from those that lead
/// nowhere any more. When there are no more numbers, an address stays without one and leads nowhere, until one is free: then
/// who has had the address for longest has it. `before` is the World that the decision began with.
pub fn settle(decision: &mut Decision<'_>, before: &World) {
    let id = |change: &Change| match change {
        Change::Put(row) => match row.key() {
            Key::Address(id) => Some(id),
            _ => None,
        },
        Change::Delete(_) => None,
    };
    let touched: Vec<_> = decision.changes().iter().filter_map(id).collect();
    for id in touched {
        settle_one(decision, id);
    }
    // None waits but where there were none left, and it may take long to look.
    if before.index.addresses_by_transit.len() >= usize::from(MAX_TRANSIT) {
        while lowest_free(&decision.world).is_some()
            && let Some(id) = waiting(&decision.world)
        {
            settle_one(decision, id);
        }
    }
}

fn waiting(world: &World) -> Option<AllocationId> {
    let waits = |row: &&Arc<Address>| row.transit.is_none() && leads_into_isolated(world, row);
    world.addresses.values().filter(waits).min_by_key(|row| (row.allocated, row.id)).map(|row| row.id)
}

fn settle_one(decision: &mut Decision<'_>, id: AllocationId) {
    let Some(row) = decision.world.addresses.get(&id).cloned() else { return };
    let wanted = leads_into_isolated(&decision.world, &row);
    if wanted != row.transit.is_some() {
        let transit = if wanted { lowest_free(&decision.world) } else { None };
        if transit != row.transit {
            decision.put(Address { transit, ..Address::clone(&row) });
        }
    }
}

fn leads_into_isolated(world: &World, row: &Arc<Address>) -> bool {
    let eni = row.association.and_then(|association| world.enis.get(&association.eni));
    eni.and_then(|eni| world.vpcs.get(&eni.vpc)).is_some_and(|vpc| vpc.vni.is_some())
}

fn lowest_free(world: &World) -> Option<u16> {
    let mut free = 1;
    for (number, _) in &world.index.addresses_by_transit {
        if *number > free {
            break;
        }
        free = number + 1;
    }
    Some(free).filter(|free| *free <= MAX_TRANSIT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::testing::Bench;
    use crate::control::vpcs::tests::{gateway, instance, subnet, vpc};
    use crate::types::{AssociationId, Owner, PoolId};
    use crate::world::Association;

    #[test]
    fn an_address_that_finds_no_number_has_the_next_that_is_free() {
        let mut bench = Bench::small();
        let vpc = vpc(&mut bench, "10.0.0.0/16");
        let subnet = subnet(&mut bench, &vpc, "10.0.1.0/24");
        gateway(&mut bench, &vpc);
        instance(&mut bench, &subnet);
        let eni = bench.world.enis.values().find(|eni| eni.subnet.to_string() == subnet).unwrap().clone();
        let inside = instance(&mut bench, &subnet);
        // Of the first, so that all numbers are taken.
        let owner = Owner { account: "999988887777".parse().unwrap(), region: "us-east-1".into() };
        for number in 1..=MAX_TRANSIT {
            let bits = u64::from(number) + 0x10_0000;
            let id = AssociationId::from_random(bits);
            let association = Association { id, eni: eni.id, private_ip: eni.private_ip };
            // Past the decisions, each of which looks at all addresses of an interface.
            bench.world.apply(&Change::put(Address {
                id: AllocationId::from_random(bits),
                owner: owner.clone(),
                public_ip: std::net::Ipv4Addr::from_bits(0xc000_0000 + u32::from(number)),
                pool: PoolId::from_random(9),
                association: Some(association),
                transit: Some(number),
                domain_name: None,
                automatic: false,
                allocated: bench.now,
            }));
        }
        let waits = bench.told("allocationId", "AllocateAddress", &[]);
        bench.call("AssociateAddress", &[("AllocationId", &waits), ("InstanceId", &inside)]).unwrap();
        let row = |bench: &Bench| bench.world.addresses[&waits.parse::<AllocationId>().unwrap()].clone();
        assert_eq!(row(&bench).transit, None);
        let gone = bench.world.index.addresses_by_transit.iter().nth(41).unwrap().1;
        bench.decide(|decision| decision.delete(Key::Address(gone)));
        assert_eq!(row(&bench).transit, Some(42));
    }
}
