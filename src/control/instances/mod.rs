//! Instances: launched, listed, started, stopped, terminated.

mod attributes;
mod cards;
mod describe;
pub mod facts;
mod families;
mod interfaces;
mod kinds;
mod launch;
mod metadata;
mod monitoring;
mod options;
mod place;
mod power;
mod shape;
mod status;
#[cfg(test)]
mod tests;
mod types;

pub use attributes::{describe_instance_attribute, modify_instance_attribute, reset_instance_attribute};
pub use cards::interface_limits;
pub use describe::describe_instances;
pub use launch::run_instances;
pub use metadata::modify_instance_metadata_options;
pub use monitoring::{describe_instance_credit_specifications, monitor_instances, unmonitor_instances};
pub use options::{InterfaceOptions, groups, launchable};
pub use power::{reboot_instances, start_instances, stop_instances, terminate_instances};
pub use status::{describe_instance_status, get_console_output};
pub use types::{describe_instance_type_offerings, describe_instance_types};

use std::collections::BTreeSet;
use std::sync::Arc;

use super::View;
use crate::query::{Fault, FaultCode};
use crate::types::{InstanceId, Owner};
use crate::world::{Instance, World};

/// The caller's instances with these ids, by id and without repeats.
fn find_all(view: &View, ids: &[InstanceId]) -> Result<Vec<Arc<Instance>>, Fault> {
    let ids: BTreeSet<_> = ids.iter().copied().collect();
    let find = |id: &InstanceId| view.world.instances.get(id).filter(|row| row.owner == view.caller.owner);
    let unknown: Vec<_> = ids.iter().filter(|id| find(id).is_none()).map(ToString::to_string).collect();
    match unknown.as_slice() {
        [] => Ok(ids.iter().filter_map(find).cloned().collect()),
        [one] => {
            Err(FaultCode::InvalidInstanceIDNotFound.with(format!("The instance ID '{one}' does not exist")))
        }
        several => Err(FaultCode::InvalidInstanceIDNotFound
            .with(format!("The instance IDs '{}' do not exist", several.join(", ")))),
    }
}

/// The caller's instance with this id.
pub fn find(view: &View, id: InstanceId) -> Result<Arc<Instance>, Fault> {
    let found = find_all(view, &[id])?.pop();
    found.ok_or_else(|| {
        FaultCode::InvalidInstanceIDNotFound.with(format!("The instance ID '{id}' does not exist"))
    })
}

/// All of an owner's instances, by id.
fn of_owner<'w>(world: &'w World, owner: &'w Owner) -> impl Iterator<Item = &'w Arc<Instance>> {
    world
        .index
        .instances_by_owner
        .range((owner.clone(), InstanceId::from_random(0))..)
        .take_while(move |(of, _)| of == owner)
        .filter_map(|(_, id)| world.instances.get(id))
}
