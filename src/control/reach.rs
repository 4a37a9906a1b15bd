//! The verdict on a packet, with what is known of the hosts on its way.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Status;
use crate::types::Micros;
use crate::verdict::{Facts, HostFacts, Origin, Packet, Trace, verdict};
use crate::world::{Condition, World};

/// Hosts report every few seconds, and other servers hear of that a little later.
const SILENT: i64 = 20;

/// A packet's way, and what to keep in mind about it.
#[derive(Debug)]
pub struct Reach {
    pub trace: Trace,
    /// Hosts on the way that may do something else than the World says, for now.
    pub notes: Vec<String>,
}

/// What the hosts have said of themselves.
pub fn facts(status: &Status) -> Facts {
    let said = status.hosts.iter().filter_map(|(name, host)| {
        let wiring = host.wiring.as_ref()?;
        let facts = HostFacts {
            public_interface: wiring.public_interface.clone(),
            flat_interface: wiring.flat_interface.clone(),
            snat: wiring.snat,
        };
        Some((name.clone(), facts))
    });
    Facts { hosts: said.collect() }
}

/// Judges a packet.
pub fn reach(world: &World, status: &Status, now: Micros, origin: &Origin, packet: Packet) -> Reach {
    let trace = verdict(world, &facts(status), origin, packet, None);
    let hosts: BTreeSet<_> = trace.hops.iter().map(|hop| hop.host.clone()).collect();
    let notes = hosts.iter().flat_map(|host| notes(world, status, now, host)).collect();
    Reach { trace, notes }
}

fn notes(world: &World, status: &Status, now: Micros, name: &Arc<str>) -> Vec<String> {
    let mut notes = Vec::new();
    if world.hosts.get(name).is_some_and(|host| host.condition == Condition::Failed) {
        notes.push(format!("host {name} was declared failed"));
    }
    let Some(host) = status.hosts.get(name) else {
        notes.push(format!("host {name} was never heard of: its interfaces are not known"));
        return notes;
    };
    if host.wiring.is_none() {
        notes.push(format!("host {name} has not said by which interfaces it is on the wires"));
    }
    if host.applied < world.generation {
        let (applied, generation) = (host.applied, world.generation);
        notes.push(format!(
            "host {name} is at generation {applied} of {generation}: it may still do what was right before"
        ));
    }
    if host.last_seen.plus_seconds(SILENT) < now {
        notes.push(format!("host {name} was last heard of at {}", host.last_seen));
    }
    let said = host.failures.iter();
    notes.extend(said.map(|failure| format!("host {name}: {}: {}", failure.subject, failure.message)));
    notes
}
