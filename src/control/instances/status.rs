//! DescribeInstanceStatus and GetConsoleOutput: what hosts have said.

use std::sync::Arc;

use super::super::{View, filter, regions};
use super::{find_all, of_owner, shape};
use crate::query::Fault;
use crate::query::api::*;
use crate::types::ResourceId;
use crate::world::{Condition, Instance, InstanceState, World};

/// A host that was silent for longer is taken to be out of order.
const SILENT_SECONDS: i64 = 60;

/// The two checks of an instance: of the host below it, and of itself.
struct Checks {
    system: Check,
    instance: Check,
}

#[derive(Clone, Copy, PartialEq)]
enum Check {
    /// It does not run.
    NotApplicable,
    /// Nothing was heard yet.
    Initializing,
    Passed,
    Failed,
    /// The host that would know is silent.
    Unknown,
}

impl Check {
    fn status(self) -> &'static str {
        match self {
            Self::NotApplicable => "not-applicable",
            Self::Initializing => "initializing",
            Self::Passed => "ok",
            Self::Failed => "impaired",
            Self::Unknown => "insufficient-data",
        }
    }

    fn reachability(self) -> Option<&'static str> {
        match self {
            Self::NotApplicable => None,
            Self::Initializing => Some("initializing"),
            Self::Passed => Some("passed"),
            Self::Failed => Some("failed"),
            Self::Unknown => Some("insufficient-data"),
        }
    }

    fn summary(self) -> output::InstanceStatusSummary {
        let detail = |status: &str| output::InstanceStatusDetails {
            name: "reachability".into(),
            status: status.into(),
        };
        output::InstanceStatusSummary {
            status: self.status().into(),
            details: self.reachability().map(detail).into_iter().collect(),
        }
    }
}

fn checks(view: &View, row: &Instance) -> Checks {
    let (system, instance) = match (row.state, view.status.hosts.get(&row.host)) {
        (InstanceState::Pending | InstanceState::Running, None) | (InstanceState::Pending, _) => {
            (Check::Initializing, Check::Initializing)
        }
        (InstanceState::Running, Some(host)) if host.last_seen.plus_seconds(SILENT_SECONDS) < view.now => {
            (Check::Failed, Check::Unknown)
        }
        (InstanceState::Running, Some(_)) => (Check::Passed, Check::Passed),
        _ if on_failed_host(view, row) => (Check::Failed, Check::Failed),
        _ => (Check::NotApplicable, Check::NotApplicable),
    };
    Checks { system, instance }
}

fn on_failed_host(view: &View, row: &Instance) -> bool {
    let failed = view.world.hosts.get(&row.host).is_some_and(|host| host.condition == Condition::Failed);
    failed && row.state != InstanceState::Terminated
}

pub fn describe_instance_status(
    view: &View,
    request: &DescribeInstanceStatusRequest,
) -> Result<DescribeInstanceStatusResponse, Fault> {
    let named = find_all(view, &request.instance_ids)?;
    let rows: Vec<&Arc<Instance>> = match named.as_slice() {
        [] => of_owner(view.world, &view.caller.owner).collect(),
        named => named.iter().collect(),
    };
    let all = request.include_all_instances.unwrap_or(false);
    let matching = rows
        .into_iter()
        .filter(|row| all || row.state == InstanceState::Running)
        .map(|row| (row, checks(view, row)))
        .filter(|(row, checks)| {
            filter::matches(view.world, Some(ResourceId::Instance(row.id)), &request.filters, |name| {
                attribute(view.world, row, checks, name)
            })
        });
    let (found, next_token) = request.page().cut(matching, |(row, _)| row.id.to_string())?;
    let instance_statuses = found
        .iter()
        .map(|(row, checks)| output::InstanceStatus {
            instance_id: row.id,
            availability_zone: row.zone.to_string(),
            instance_state: shape::state(row.state),
            system_status: checks.system.summary(),
            instance_status: checks.instance.summary(),
        })
        .collect();
    Ok(DescribeInstanceStatusResponse { instance_statuses, next_token })
}

fn attribute(world: &World, row: &Instance, checks: &Checks, name: &str) -> filter::Values {
    let value = match name {
        "availability-zone" => Some(&*row.zone),
        "availability-zone-id" => return vec![regions::zone_id(world, &row.owner.region, &row.zone)],
        "operator.managed" => Some("false"),
        "instance-state-code" => return vec![row.state.code().to_string()],
        "instance-state-name" => Some(row.state.name()),
        "instance-status.reachability" => checks.instance.reachability(),
        "instance-status.status" => Some(checks.instance.status()),
        "system-status.reachability" => checks.system.reachability(),
        "system-status.status" => Some(checks.system.status()),
        // There are no events, for nobody plans any.
        _ => None,
    };
    value.map(str::to_owned).into_iter().collect()
}

/// The console's end, as the host last sent it; `Latest` makes no difference, for there is nothing
/// older.
pub fn get_console_output(
    view: &View,
    request: &GetConsoleOutputRequest,
) -> Result<GetConsoleOutputResponse, Fault> {
    find_all(view, &[request.instance_id])?;
    let console = view.status.consoles.get(&request.instance_id);
    Ok(GetConsoleOutputResponse {
        instance_id: request.instance_id,
        timestamp: console.map(|console| console.at),
        output: console.map(|console| console.output.to_vec()),
    })
}
