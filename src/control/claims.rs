//! Who may answer for an address: one host at a time.
//!
//! A claim follows what the World wants with one rule between: another host gets the address only
//! when the one that had it has applied a state without it, was declared failed, or has lost it for
//! certain because its lease has ended ([`super::lease`]). That is checked here and nowhere else: after
//! each decision for the addresses that it touched, and when a host reports.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

use super::Decision;
use crate::plan::HostReport;
use crate::types::{EniId, InstanceId};
use crate::world::{Change, Claim, Condition, Eni, InstanceState, Key, Space, World};

type Place = (Space, Ipv4Addr);

/// Brings the claims in step with what the decision has changed. `before` is the World that it began with.
pub fn settle(decision: &mut Decision<'_>, before: &World) {
    let mut touched = BTreeSet::new();
    for change in decision.changes() {
        touch(before, &decision.world, change, &mut touched);
    }
    for place in touched {
        settle_one(decision, place);
    }
}

/// Brings every claim in step: a store from before there were claims has none.
pub fn settle_all(decision: &mut Decision<'_>) {
    let mut touched = BTreeSet::new();
    for id in decision.world.enis.keys() {
        of_eni(&decision.world, *id, &mut touched);
    }
    touched.extend(decision.world.claims.keys().cloned());
    for place in touched {
        settle_one(decision, place);
    }
}

/// Takes in that a host has let go of addresses.
pub fn released(decision: &mut Decision<'_>, report: &HostReport) {
    for place in let_go(&decision.world, report) {
        end(decision, place);
    }
}

/// Ends a claim; whoever waits for the address has it next.
pub(super) fn end(decision: &mut Decision<'_>, place: Place) {
    decision.delete(Key::Claim(place.clone()));
    settle_one(decision, place);
}

/// The claims that end with the report: the host has applied a state without them, and says that it
/// does not hold them either.
pub fn let_go(world: &World, report: &HostReport) -> Vec<Place> {
    let ended = |claim: &&Arc<Claim>| {
        claim.leaving.is_some_and(|since| since <= report.applied) && !report.holding.contains(&claim.address)
    };
    world.claims_of(&report.host).filter(ended).map(|claim| (claim.space.clone(), claim.address)).collect()
}

fn settle_one(decision: &mut Decision<'_>, place: Place) {
    let wanted = wanted(&decision.world, &place);
    let claim = decision.world.claims.get(&place).cloned();
    let (space, address) = place.clone();
    match (claim, wanted) {
        (None, None) => {}
        (None, Some(host)) => decision.put(Claim { space, address, host, leaving: None }),
        (Some(claim), Some(host)) if claim.host == host => {
            if claim.leaving.is_some() {
                decision.put(Claim { leaving: None, ..(*claim).clone() });
            }
        }
        (Some(claim), wanted) if !live(&decision.world, &claim.host) => match wanted {
            Some(host) => decision.put(Claim { space, address, host, leaving: None }),
            None => decision.delete(Key::Claim(place)),
        },
        (Some(claim), _) if claim.leaving.is_none() => {
            let leaving = Some(decision.world.generation + 1);
            decision.put(Claim { leaving, ..(*claim).clone() });
        }
        (Some(_), _) => {}
    }
}

fn live(world: &World, host: &str) -> bool {
    world.hosts.get(host).is_some_and(|host| host.condition != Condition::Failed)
}

/// The host that should answer for the address now.
fn wanted(world: &World, (space, address): &Place) -> Option<Arc<str>> {
    let eni = match space {
        Space::Network(network) => world.index.eni_by_private_ip.get(&(network.clone(), *address)),
        Space::Pool(_) => {
            let id = world.index.address_by_public_ip.get(address)?;
            world.addresses.get(id)?.association.as_ref().map(|association| &association.eni)
        }
    };
    let eni = world.enis.get(eni?)?;
    if let Some(gateway) = world.nat_gateway_of(eni.id) {
        return gateway.host.clone().filter(|host| live(world, host));
    }
    let instance = world.instances.get(&eni.attachment?.instance)?;
    if !matches!(instance.state, InstanceState::Pending | InstanceState::Running) {
        return None;
    }
    let central = || world.networks.get(&eni.network).and_then(|network| network.gateway_host.clone());
    let host = match space {
        Space::Pool(_) => central().unwrap_or_else(|| instance.host.clone()),
        Space::Network(_) => instance.host.clone(),
    };
    live(world, &host).then_some(host)
}

/// The addresses that a change may move.
fn touch(before: &World, after: &World, change: &Change, touched: &mut BTreeSet<Place>) {
    let key = match change {
        Change::Put(row) => row.key(),
        Change::Delete(key) => key.clone(),
    };
    match key {
        Key::Address(id) => {
            let rows = [before.addresses.get(&id), after.addresses.get(&id)];
            touched.extend(rows.into_iter().flatten().map(|row| (Space::Pool(row.pool), row.public_ip)));
        }
        Key::Eni(id) => [before, after].into_iter().for_each(|world| of_eni(world, id, touched)),
        Key::NatGateway(id) => {
            let enis = [before, after].map(|world| world.nat_gateways.get(&id).map(|row| (world, row.eni)));
            enis.into_iter().flatten().for_each(|(world, eni)| of_eni(world, eni, touched));
        }
        Key::Instance(id) => [before, after].into_iter().for_each(|world| of_instance(world, id, touched)),
        Key::Network(name) => {
            let gateway = |world: &World| world.networks.get(&name).map(|row| row.gateway_host.clone());
            // Each launch changes the row; only another gateway moves addresses.
            if gateway(before) != gateway(after) {
                let enis = after.enis.values().filter(|eni| eni.network == name);
                enis.for_each(|eni| elastic_of(after, eni, touched));
            }
        }
        Key::Host(name) => {
            let condition = |world: &World| world.hosts.get(&name).map(|row| row.condition);
            if condition(before) != condition(after) {
                touched.extend(after.claims_of(&name).map(|claim| (claim.space.clone(), claim.address)));
                after.instances_on(&name).for_each(|row| of_instance(after, row.id, touched));
                behind(after, &name, touched);
            }
        }
        _ => {}
    }
}

/// The elastic addresses of the networks that the host is the gateway of.
fn behind(world: &World, host: &str, touched: &mut BTreeSet<Place>) {
    let central = world.networks.values().filter(|row| row.gateway_host.as_deref() == Some(host));
    for network in central {
        let enis = world.enis.values().filter(|eni| eni.network == network.name);
        enis.for_each(|eni| elastic_of(world, eni, touched));
    }
}

fn of_instance(world: &World, id: InstanceId, touched: &mut BTreeSet<Place>) {
    for eni in world.interfaces_of(id) {
        of_eni(world, eni.id, touched);
    }
}

fn of_eni(world: &World, id: EniId, touched: &mut BTreeSet<Place>) {
    if let Some(eni) = world.enis.get(&id) {
        touched.extend(eni.private_ips().map(|ip| (Space::Network(eni.network.clone()), ip)));
        elastic_of(world, eni, touched);
    }
}

fn elastic_of(world: &World, eni: &Eni, touched: &mut BTreeSet<Place>) {
    touched.extend(world.addresses_of(eni.id).map(|row| (Space::Pool(row.pool), row.public_ip)));
}
