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
/// nowhere any more. When there are no more numbers, an address stays without one and leads nowhere.
pub fn settle(decision: &mut Decision<'_>) {
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
