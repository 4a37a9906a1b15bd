//! DescribeInstances.

use super::super::{View, filter};
use super::facts::Facts;
use super::{find_all, of_owner, shape};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::ResourceId;

pub fn describe_instances(
    view: &View,
    request: &DescribeInstancesRequest,
) -> Result<DescribeInstancesResponse, Fault> {
    if request.max_results.is_some() && !request.instance_ids.is_empty() {
        return Err(FaultCode::InvalidParameterCombination.with(
            "The parameter instancesSet cannot be used with the parameter maxResults: give one of the two",
        ));
    }
    let named = find_all(view, &request.instance_ids)?;
    let mut rows: Vec<_> = match named.as_slice() {
        [] => of_owner(view.world, &view.caller.owner).collect(),
        named => named.iter().collect(),
    };
    rows.sort_by_key(|row| (row.reservation, row.launch_index, row.id));
    let matching = rows.into_iter().map(|row| Facts::of(view.world, row)).filter(|facts| {
        let resource = ResourceId::Instance(facts.row.id);
        filter::matches(view.world, Some(resource), &request.filters, |name| facts.attribute(name))
    });
    let (found, next_token) = request.page().cut(matching, |facts| {
        format!("{} {:08} {}", facts.row.reservation, facts.row.launch_index, facts.row.id)
    })?;
    Ok(DescribeInstancesResponse { reservations: reservations(&found), next_token })
}

/// Groups what is sorted by reservation.
fn reservations(found: &[Facts]) -> Vec<output::Reservation> {
    found
        .chunk_by(|a, b| a.row.reservation == b.row.reservation)
        .map(|of_one| output::Reservation {
            reservation_id: of_one[0].row.reservation,
            owner_id: of_one[0].row.owner.account,
            // The reservation's own groups are those of EC2-Classic: in a VPC the set is empty.
            group_set: Vec::new(),
            instances_set: of_one.iter().map(shape::instance).collect(),
        })
        .collect()
}
