//! MonitorInstances, UnmonitorInstances and DescribeInstanceCreditSpecifications: what there is to say of instances
//! whose use of a host is neither measured nor limited.

use super::super::{Decision, View, filter};
use super::{find_all, kinds, of_owner};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::world::InstanceState;

/// Nobody would collect the metrics: to say that they are collected would be a lie.
pub fn monitor_instances(
    decision: &mut Decision,
    request: &MonitorInstancesRequest,
) -> Result<MonitorInstancesResponse, Fault> {
    find_all(&decision.view(), &request.instance_ids)?;
    Err(FaultCode::UnsupportedOperation
        .with("Detailed monitoring of instances is not supported: there are no metrics of them"))
}

pub fn unmonitor_instances(
    view: &View,
    request: &UnmonitorInstancesRequest,
) -> Result<UnmonitorInstancesResponse, Fault> {
    let told = |instance_id| output::InstanceMonitoring {
        instance_id,
        monitoring: output::Monitoring { state: "disabled".into() },
    };
    let rows = find_all(view, &request.instance_ids)?;
    Ok(UnmonitorInstancesResponse { instances: rows.iter().map(|row| told(row.id)).collect() })
}

/// Nothing counts or limits the use of processors, which is what EC2 calls `unlimited`.
pub fn describe_instance_credit_specifications(
    view: &View,
    request: &DescribeInstanceCreditSpecificationsRequest,
) -> Result<DescribeInstanceCreditSpecificationsResponse, Fault> {
    if request.max_results.is_some() && !request.instance_ids.is_empty() {
        return Err(FaultCode::InvalidParameterCombination.with(
            "The parameter InstanceId cannot be used with the parameter MaxResults: give one of the two",
        ));
    }
    let named = find_all(view, &request.instance_ids)?;
    if let Some(row) = named.iter().find(|row| !kinds::burstable(&row.instance_type)) {
        return Err(FaultCode::InstanceCreditSpecificationNotSupported.with(format!(
            "The instance '{}' has the type {}, which is not a burstable performance instance type",
            row.id, row.instance_type
        )));
    }
    let mut rows: Vec<_> = match named.as_slice() {
        [] => of_owner(view.world, &view.caller.owner).cloned().collect(),
        _ => named,
    };
    rows.retain(|row| kinds::burstable(&row.instance_type) && row.state != InstanceState::Terminated);
    let matching = rows
        .into_iter()
        .filter(|row| filter::matches(view.world, None, &request.filters, |_| vec![row.id.to_string()]));
    let (found, next_token) = request.page().cut(matching, |row| row.id.to_string())?;
    let told = found.iter().map(|row| output::InstanceCreditSpecification {
        instance_id: row.id,
        cpu_credits: "unlimited".into(),
    });
    Ok(DescribeInstanceCreditSpecificationsResponse {
        instance_credit_specifications: told.collect(),
        next_token,
    })
}
