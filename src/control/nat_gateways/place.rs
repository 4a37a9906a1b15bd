//! On which host a NAT gateway is at work: one that is active, in the gateway's zone.
//!
//! A gateway that moves loses its connections: what they were translated to is known to its old host alone.

use std::sync::Arc;

use crate::control::Decision;
use crate::types::NatGatewayId;
use crate::world::{Change, Condition, Key, NatGateway, World};

/// The host for one more gateway of a zone: the one with the fewest, then the first by name.
pub fn choose(world: &World, zone: &str) -> Option<Arc<str>> {
    let fit = world.hosts.values().filter(|row| row.condition == Condition::Active && *row.zone == *zone);
    let least = fit.min_by_key(|row| (world.nat_gateways_on(&row.name).count(), row.name.clone()));
    least.map(|row| row.name.clone())
}

/// Gives each gateway whose host can have it no longer, or that has none, another one, where the decision may have made
/// that so. Most decisions are about neither hosts nor gateways.
pub fn settle(decision: &mut Decision<'_>) {
    if decision.world.nat_gateways.is_empty() || !decision.changes().iter().any(is_about_places) {
        return;
    }
    let homeless = |row: &&Arc<NatGateway>| row.deleted.is_none() && !is_well_placed(&decision.world, row);
    let ids: Vec<_> = decision.world.nat_gateways.values().filter(homeless).map(|row| row.id).collect();
    for id in ids {
        settle_one(decision, id);
    }
}

fn is_about_places(change: &Change) -> bool {
    let key = match change {
        Change::Put(row) => row.key(),
        Change::Delete(key) => key.clone(),
    };
    matches!(key, Key::Host(_) | Key::NatGateway(_))
}

fn condition(world: &World, row: &NatGateway) -> Option<Condition> {
    Some(world.hosts.get(row.host.as_deref()?)?.condition)
}

fn is_well_placed(world: &World, row: &NatGateway) -> bool {
    condition(world, row) == Some(Condition::Active)
}

fn settle_one(decision: &mut Decision<'_>, id: NatGatewayId) {
    let world = &decision.world;
    let Some(row) = world.nat_gateways.get(&id).cloned() else { return };
    let zone = world.subnets.get(&row.subnet).map(|subnet| subnet.zone.clone());
    let better = zone.and_then(|zone| choose(world, &zone));
    // A drained host goes on where no other one can: it takes nothing new, and this is not new.
    let stays = row.host.clone().filter(|_| condition(world, &row) == Some(Condition::Drained));
    let host = better.or(stays);
    if host != row.host {
        decision.put(NatGateway { host, ..(*row).clone() });
    }
}
