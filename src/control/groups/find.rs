//! Which group a caller means.

use std::sync::Arc;

use crate::control::{View, defaults};
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::world::{Group, Vpc, World};

/// The groups of a VPC, by id.
pub fn in_vpc(world: &World, vpc: VpcId) -> impl Iterator<Item = &Arc<Group>> {
    let of_vpc = world.index.groups_by_vpc.range((vpc, GroupId::from_random(0))..);
    of_vpc.take_while(move |(of, _)| *of == vpc).filter_map(|(_, id)| world.groups.get(id))
}

/// The caller's groups, by id.
pub fn of_caller<'w>(view: &View<'w>) -> Vec<&'w Arc<Group>> {
    let vpcs = defaults::vpcs_of(view.world, &view.caller.owner);
    let mut groups: Vec<_> = vpcs.flat_map(|vpc| in_vpc(view.world, vpc.id)).collect();
    groups.sort_unstable_by_key(|group| group.id);
    groups
}

/// The caller's default VPC.
///
/// # Errors
/// There is none.
pub fn default_vpc(view: &View) -> Result<Arc<Vpc>, Fault> {
    defaults::vpc(view.world, &view.caller.owner)
        .cloned()
        .ok_or_else(|| FaultCode::VPCIdNotSpecified.with("No default VPC for this user"))
}

/// The caller's group with this id.
///
/// # Errors
/// There is none.
pub fn by_id(view: &View, id: GroupId) -> Result<Arc<Group>, Fault> {
    let group = view.world.groups.get(&id).filter(|group| group.owner == view.caller.owner);
    group.cloned().ok_or_else(|| {
        FaultCode::InvalidGroupNotFound.with(format!("The security group '{id}' does not exist"))
    })
}

/// The group of this name in the caller's default VPC.
///
/// # Errors
/// There is none, or no default VPC.
pub fn by_name(view: &View, name: &str) -> Result<Arc<Group>, Fault> {
    let vpc = default_vpc(view)?.id;
    let id = view.world.index.group_by_name.get(&(vpc, name.into()));
    id.and_then(|id| view.world.groups.get(id)).cloned().ok_or_else(|| {
        FaultCode::InvalidGroupNotFound
            .with(format!("The security group '{name}' does not exist in default VPC '{vpc}'"))
    })
}

/// The group that `GroupId` or `GroupName` names; exactly one of the two is given.
///
/// # Errors
/// It does not exist, or not exactly one is given.
pub fn named(view: &View, id: Option<GroupId>, name: Option<&str>) -> Result<Arc<Group>, Fault> {
    match (id, name) {
        (Some(id), None) => by_id(view, id),
        (None, Some(name)) => by_name(view, name),
        (None, None) => {
            Err(FaultCode::MissingParameter
                .with("The request must contain the parameter GroupName or GroupId"))
        }
        (Some(_), Some(_)) => Err(FaultCode::InvalidParameterCombination
            .with("The parameters GroupName and GroupId may not be used together")),
    }
}
