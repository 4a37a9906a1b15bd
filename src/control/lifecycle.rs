//! The ends of an instance's life, shared by API calls and hosts' reports.

use std::sync::Arc;

use super::Decision;
use crate::types::*;
use crate::world::{Address, Condition, Eni, Instance, InstanceState, Key, Space};

/// EC2's reason codes with their messages
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StateReason.html>).
pub type Reason = (&'static str, &'static str);

pub const FROM_WITHIN: Reason =
    ("Client.InstanceInitiatedShutdown", "Client.InstanceInitiatedShutdown: Instance initiated shutdown");
pub const BY_USER: Reason =
    ("Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown");
pub const INTERNAL: Reason =
    ("Server.InternalError", "Server.InternalError: the host could not start the instance");

pub const HOST_FAILED: Reason =
    ("Server.InternalError", "Server.InternalError: the instance's host was declared failed");

/// How much of what a host says is kept with an instance.
const MAX_WORDS: usize = 400;

/// The reason as a row keeps it.
pub fn reason((code, message): Reason) -> Option<(Arc<str>, Arc<str>)> {
    Some((code.into(), message.into()))
}

/// The reason of an instance that its host could not start, in the host's own words where it has said any.
pub fn start_failed(host: &str, words: Option<&str>) -> Option<(Arc<str>, Arc<str>)> {
    let Some(words) = words else { return reason(INTERNAL) };
    let words: String = words.chars().filter(|c| !c.is_control()).take(MAX_WORDS).collect();
    let (code, message) = INTERNAL;
    Some((code.into(), format!("{message}; {host} says: {words}").into()))
}

/// Begins termination: the host drops the instance, and elastic addresses of interfaces that go
/// with it lead nowhere from now on. Private addresses stay taken until the host says it is gone.
pub fn shut_down(decision: &mut Decision<'_>, instance: &Instance, why: Reason) {
    let state_reason = reason(why);
    shut_down_because(decision, &Instance { state_reason, ..instance.clone() });
}

/// As [`shut_down`], for the reason that the instance already has.
pub fn shut_down_because(decision: &mut Decision<'_>, instance: &Instance) {
    let on = decision.world.hosts.get(&instance.host);
    if on.is_some_and(|host| host.condition == Condition::Failed) {
        // Nobody is there to say that it is gone.
        terminated(decision, instance);
        return;
    }
    let state = InstanceState::ShuttingDown;
    let state_since = decision.env.now;
    decision.put(Instance { state, state_since, ..instance.clone() });
    for eni in decision.world.interfaces_of(instance.id) {
        if eni.attachment.is_some_and(|attachment| attachment.delete_on_termination) {
            disassociate_all(decision, eni.id);
        }
    }
}

/// Ends an instance: its interfaces go or are detached, its private addresses are free.
pub fn terminated(decision: &mut Decision<'_>, instance: &Instance) {
    for eni in decision.world.interfaces_of(instance.id) {
        if eni.attachment.is_some_and(|attachment| attachment.delete_on_termination) {
            delete_interface(decision, &eni);
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

/// Deletes an interface: its addresses are free, elastic ones lead nowhere from now on.
pub fn delete_interface(decision: &mut Decision<'_>, eni: &Eni) {
    disassociate_all(decision, eni.id);
    decision.untag_all(ResourceId::NetworkInterface(eni.id));
    decision.delete(Key::Eni(eni.id));
    for ip in eni.private_ips() {
        decision.give_back(Space::Network(eni.network.clone()), ip);
    }
    eni.ipv6.iter().for_each(|ip| decision.give_back_ipv6(*ip));
}

fn disassociate_all(decision: &mut Decision<'_>, eni: EniId) {
    let rows: Vec<_> = decision.world.addresses_of(eni).cloned().collect();
    for row in rows {
        decision.put(Address { association: None, ..(*row).clone() });
    }
}
