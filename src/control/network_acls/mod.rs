//! Network ACLs: what passes the edge of a subnet, entry by entry and without memory.

mod associations;
mod describe;
mod entries;
#[cfg(test)]
mod tests;

pub use associations::replace_network_acl_association;
pub use describe::describe_network_acls;
pub use entries::{create_network_acl_entry, delete_network_acl_entry, replace_network_acl_entry};

use std::sync::Arc;

use super::idempotency::Once;
use super::{Decision, View, defaults, tags, vpcs};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::world::{AclAssociation, AclEntry, Key, NetworkAcl, World};

const ACTION: &str = "CreateNetworkAcl";

pub fn create_network_acl(
    decision: &mut Decision,
    request: &CreateNetworkAclRequest,
) -> Result<CreateNetworkAclResponse, Fault> {
    let plain = CreateNetworkAclRequest { dry_run: false, ..request.clone() };
    let (once, made) = Once::begin(decision, ACTION, request.client_token.as_deref(), &plain, |view, id| {
        find(view, id.parse().ok()?).ok()
    })?;
    let row = match made {
        Some(row) => row,
        None => create(decision, request, once)?,
    };
    let network_acl = describe::shape(&decision.world, &row);
    Ok(CreateNetworkAclResponse { network_acl, client_token: request.client_token.clone() })
}

fn create(
    decision: &mut Decision,
    request: &CreateNetworkAclRequest,
    once: Option<Once>,
) -> Result<Arc<NetworkAcl>, Fault> {
    let tags = tags::at_creation(&request.tag_specifications, &["network-acl"], "network-acl")?;
    let vpc = vpcs::find(&decision.view(), request.vpc_id)?.id;
    let most = decision.caller.quotas.network_acls_per_vpc;
    if of_vpc(&decision.world, vpc).count() >= most {
        return Err(FaultCode::NetworkAclLimitExceeded
            .with(format!("The VPC {vpc} has {most} network ACLs: delete one first")));
    }
    let row = NetworkAcl {
        id: decision.env.id(NetworkAclId::from_random),
        owner: decision.caller.owner.clone(),
        vpc,
        is_default: false,
        created: decision.env.now,
    };
    decision.put(row.clone());
    decision.tag(ResourceId::NetworkAcl(row.id), &tags)?;
    if let Some(once) = once {
        once.remember(decision, row.id.to_string().into());
    }
    Ok(Arc::new(row))
}

pub fn delete_network_acl(
    decision: &mut Decision,
    request: &DeleteNetworkAclRequest,
) -> Result<DeleteNetworkAclResponse, Fault> {
    let acl = find(&decision.view(), request.network_acl_id)?;
    let id = acl.id;
    if acl.is_default {
        return Err(FaultCode::InvalidParameterValue.with(format!("cannot delete default network ACL {id}")));
    }
    if associations_of(&decision.world, id).next().is_some() {
        return Err(FaultCode::DependencyViolation
            .with(format!("The networkAcl '{id}' has dependencies and cannot be deleted.")));
    }
    remove(decision, id);
    Ok(DeleteNetworkAclResponse { result: true })
}

/// Deletes a network ACL with its entries and tags.
pub fn remove(decision: &mut Decision, id: NetworkAclId) {
    let entries: Vec<_> = entries_of(&decision.world, id).cloned().collect();
    for entry in entries {
        decision.delete(Key::AclEntry((id, entry.direction, entry.number)));
    }
    decision.untag_all(ResourceId::NetworkAcl(id));
    decision.delete(Key::NetworkAcl(id));
}

/// The caller's network ACL with this id.
fn find(view: &View, id: NetworkAclId) -> Result<Arc<NetworkAcl>, Fault> {
    let row = view.world.network_acls.get(&id).filter(|row| row.owner == view.caller.owner);
    row.cloned().ok_or_else(|| {
        FaultCode::InvalidNetworkAclIDNotFound.with(format!("The networkAcl ID '{id}' does not exist"))
    })
}

/// A VPC's network ACLs, by id.
fn of_vpc(world: &World, vpc: VpcId) -> impl Iterator<Item = &Arc<NetworkAcl>> {
    let of_vpc = world.index.network_acls_by_vpc.range((vpc, NetworkAclId::from_random(0))..);
    of_vpc.take_while(move |(of, _)| *of == vpc).filter_map(|(_, id)| world.network_acls.get(id))
}

/// The caller's network ACLs, by id.
fn of_caller<'w>(view: &View<'w>) -> Vec<&'w Arc<NetworkAcl>> {
    let vpcs = defaults::vpcs_of(view.world, &view.caller.owner);
    let mut acls: Vec<_> = vpcs.flat_map(|vpc| of_vpc(view.world, vpc.id)).collect();
    acls.sort_unstable_by_key(|acl| acl.id);
    acls
}

/// A network ACL's entries: those of ingress first, by number.
fn entries_of(world: &World, id: NetworkAclId) -> impl Iterator<Item = &Arc<AclEntry>> {
    let entries = world.acl_entries.range((id, Direction::Ingress, 0)..);
    entries.take_while(move |((of, ..), _)| *of == id).map(|(_, entry)| entry)
}

/// What makes a network ACL that of subnets, by id.
fn associations_of(world: &World, id: NetworkAclId) -> impl Iterator<Item = &Arc<AclAssociation>> {
    let first = (id, NetworkAclAssociationId::from_random(0));
    let of_acl = world.index.acl_associations_by_acl.range(first..);
    of_acl.take_while(move |(of, _)| *of == id).filter_map(|(_, id)| world.acl_associations.get(id))
}
