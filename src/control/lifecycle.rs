//! The ends of an instance's life, shared by API calls and hosts' reports.

use std::sync::Arc;

use super::Decision;
use crate::types::*;
use crate::world::{Address, Eni, Instance, InstanceState, Key, Rule, Space, World};

/// EC2's reason codes with their messages
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StateReason.html>).
pub type Reason = (&'static str, &'static str);

pub const FROM_WITHIN: Reason =
    ("Client.InstanceInitiatedShutdown", "Client.InstanceInitiatedShutdown: Instance initiated shutdown");
pub const BY_USER: Reason =
    ("Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown");
pub const INTERNAL: Reason =
    ("Server.InternalError", "Server.InternalError: the host could not start the instance");

/// The reason as a row keeps it.
pub fn reason((code, message): Reason) -> Option<(Arc<str>, Arc<str>)> {
    Some((code.into(), message.into()))
}

/// A host's instances, by id.
pub fn on_host<'w>(world: &'w World, host: &str) -> impl Iterator<Item = &'w Arc<Instance>> {
    let host: Arc<str> = host.into();
    world
        .index
        .instances_by_host
        .range((host.clone(), InstanceId::from_random(0))..)
        .take_while(move |(on, _)| *on == host)
        .filter_map(|(_, id)| world.instances.get(id))
}

/// An instance's interfaces, by device index.
pub fn interfaces(world: &World, instance: InstanceId) -> Vec<Arc<Eni>> {
    let mut enis: Vec<_> = world
        .index
        .enis_by_instance
        .range((instance, EniId::from_random(0))..)
        .take_while(|(of, _)| *of == instance)
        .filter_map(|(_, id)| world.enis.get(id).cloned())
        .collect();
    enis.sort_by_key(|eni| (eni.attachment.map(|attachment| attachment.device_index), eni.id));
    enis
}

/// The elastic addresses that lead to an interface.
pub fn addresses(world: &World, eni: EniId) -> impl Iterator<Item = &Arc<Address>> {
    world
        .index
        .addresses_by_eni
        .range((eni, AllocationId::from_random(0))..)
        .take_while(move |(of, _)| *of == eni)
        .filter_map(|(_, id)| world.addresses.get(id))
}

/// A group's rules, by id.
pub fn rules_of(world: &World, group: GroupId) -> impl Iterator<Item = &Arc<Rule>> {
    world
        .index
        .rules_by_group
        .range((group, RuleId::from_random(0))..)
        .take_while(move |(of, _)| *of == group)
        .filter_map(|(_, id)| world.rules.get(id))
}

/// Begins termination: the host drops the instance, and elastic addresses of interfaces that go
/// with it lead nowhere from now on. Private addresses stay taken until the host says it is gone.
pub fn shut_down(decision: &mut Decision<'_>, instance: &Instance, why: Reason) {
    let state = InstanceState::ShuttingDown;
    let state_since = decision.env.now;
    decision.put(Instance { state, state_since, state_reason: reason(why), ..instance.clone() });
    for eni in interfaces(&decision.world, instance.id) {
        if eni.attachment.is_some_and(|attachment| attachment.delete_on_termination) {
            disassociate_all(decision, eni.id);
        }
    }
}

/// Ends an instance: its interfaces go or are detached, its private addresses are free.
pub fn terminated(decision: &mut Decision<'_>, instance: &Instance) {
    for eni in interfaces(&decision.world, instance.id) {
        if eni.attachment.is_some_and(|attachment| attachment.delete_on_termination) {
            disassociate_all(decision, eni.id);
            decision.untag_all(ResourceId::NetworkInterface(eni.id));
            decision.delete(Key::Eni(eni.id));
            decision.give_back(Space::Network(eni.network.clone()), eni.private_ip);
        } else {
            decision.put(Eni { attachment: None, ..(*eni).clone() });
        }
    }
    let now = decision.env.now;
    decision.put(Instance {
        state: InstanceState::Terminated,
        state_since: now,
        terminated: Some(now),
        ..instance.clone()
    });
}

fn disassociate_all(decision: &mut Decision<'_>, eni: EniId) {
    let rows: Vec<_> = addresses(&decision.world, eni).cloned().collect();
    for row in rows {
        decision.put(Address { association: None, ..(*row).clone() });
    }
}
