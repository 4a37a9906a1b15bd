//! Start, stop, reboot and terminate: new desired states, all of a request or none.

use std::sync::Arc;

use super::super::{Decision, lifecycle, public_addresses};
use super::{find_all, shape};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::InstanceId;
use crate::world::{Condition, Instance, InstanceState};

use InstanceState::{Pending, Running, ShuttingDown, Stopped, Stopping, Terminated};

pub fn start_instances(
    decision: &mut Decision,
    request: &StartInstancesRequest,
) -> Result<StartInstancesResponse, Fault> {
    let rows = find_all(&decision.view(), &request.instance_ids)?;
    refuse(&rows, "started", |state| matches!(state, Stopping | ShuttingDown | Terminated))?;
    let failed = |row: &&Arc<Instance>| {
        let host = decision.world.hosts.get(&row.host);
        host.is_none_or(|host| host.condition == Condition::Failed)
    };
    if let Some(row) = rows.iter().find(failed) {
        return Err(FaultCode::InsufficientInstanceCapacity.with(format!(
            "The host of instance '{}', where its disk is, was declared failed: it can be started when the host is back",
            row.id
        )));
    }
    for row in rows.iter().filter(|row| row.state == Stopped) {
        let now = decision.env.now;
        decision.put(Instance {
            state: Pending,
            state_since: now,
            state_reason: None,
            boot: row.boot + 1,
            // EC2's launch time is that of the last start.
            launched: now,
            ..(**row).clone()
        });
        public_addresses::at_start(decision, row.id)?;
    }
    Ok(StartInstancesResponse { instances: transitions(decision, &rows) })
}

/// Stops instances. `Force` and `SkipOsShutdown` shorten what the host does anyway: it waits for a
/// shutdown only so long.
pub fn stop_instances(
    decision: &mut Decision,
    request: &StopInstancesRequest,
) -> Result<StopInstancesResponse, Fault> {
    if request.hibernate == Some(true) {
        return Err(FaultCode::UnsupportedOperation
            .with("Instances do not hibernate here: leave Hibernate out to stop them"));
    }
    let rows = find_all(&decision.view(), &request.instance_ids)?;
    refuse(&rows, "stopped", |state| matches!(state, Pending | ShuttingDown | Terminated))?;
    for row in rows.iter().filter(|row| row.state == Running) {
        if row.disable_api_stop {
            return Err(protected(row.id, "stopped", "disableApiStop"));
        }
        let state_since = decision.env.now;
        let state_reason = lifecycle::reason(lifecycle::BY_USER);
        decision.put(Instance { state: Stopping, state_since, state_reason, ..(**row).clone() });
    }
    Ok(StopInstancesResponse { instances: transitions(decision, &rows) })
}

pub fn reboot_instances(
    decision: &mut Decision,
    request: &RebootInstancesRequest,
) -> Result<RebootInstancesResponse, Fault> {
    let rows = find_all(&decision.view(), &request.instance_ids)?;
    refuse(&rows, "rebooted", |state| state != Running)?;
    for row in &rows {
        decision.put(Instance { boot: row.boot + 1, ..(**row).clone() });
    }
    Ok(RebootInstancesResponse { result: true })
}

/// Terminates instances; see [`stop_instances`] for `Force` and `SkipOsShutdown`.
pub fn terminate_instances(
    decision: &mut Decision,
    request: &TerminateInstancesRequest,
) -> Result<TerminateInstancesResponse, Fault> {
    let rows = find_all(&decision.view(), &request.instance_ids)?;
    for row in rows.iter().filter(|row| !matches!(row.state, ShuttingDown | Terminated)) {
        if row.disable_api_termination {
            return Err(protected(row.id, "terminated", "disableApiTermination"));
        }
        lifecycle::shut_down(decision, row, lifecycle::BY_USER);
    }
    Ok(TerminateInstancesResponse { instances: transitions(decision, &rows) })
}

fn refuse(rows: &[Arc<Instance>], done: &str, wrong: impl Fn(InstanceState) -> bool) -> Result<(), Fault> {
    match rows.iter().find(|row| wrong(row.state)) {
        Some(row) => Err(FaultCode::IncorrectInstanceState.with(format!(
            "The instance '{}' is not in a state from which it can be {done}: it is {}.",
            row.id,
            row.state.name()
        ))),
        None => Ok(()),
    }
}

fn protected(id: InstanceId, done: &str, attribute: &str) -> Fault {
    FaultCode::OperationNotPermitted.with(format!(
        "The instance '{id}' may not be {done}. Modify its '{attribute}' instance attribute and try again."
    ))
}

fn transitions(decision: &Decision, before: &[Arc<Instance>]) -> Vec<output::InstanceStateChange> {
    let now = |row: &Instance| decision.world.instances.get(&row.id).map_or(row.state, |row| row.state);
    before
        .iter()
        .map(|row| output::InstanceStateChange {
            instance_id: row.id,
            current_state: shape::state(now(row)),
            previous_state: shape::state(row.state),
        })
        .collect()
}
