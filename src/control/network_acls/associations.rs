//! Which network ACL a subnet has.

use super::find;
use crate::control::Decision;
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::NetworkAclAssociationId;
use crate::world::{AclAssociation, Key};

/// The subnet's association is another one from now on, as in EC2: its id is new.
pub fn replace_network_acl_association(
    decision: &mut Decision,
    request: &ReplaceNetworkAclAssociationRequest,
) -> Result<ReplaceNetworkAclAssociationResponse, Fault> {
    let (view, id) = (decision.view(), request.association_id);
    let old = view.world.acl_associations.get(&id).filter(|row| row.owner == view.caller.owner);
    let old = old.cloned().ok_or_else(|| {
        FaultCode::InvalidAssociationIDNotFound.with(format!("The association ID '{id}' does not exist"))
    })?;
    let acl = find(&view, request.network_acl_id)?;
    if view.world.subnets.get(&old.subnet).is_none_or(|subnet| subnet.vpc != acl.vpc) {
        return Err(FaultCode::InvalidParameterValue
            .with(format!("networkAcl {} and subnet {} belong to different networks", acl.id, old.subnet)));
    }
    let id = decision.env.id(NetworkAclAssociationId::from_random);
    decision.delete(Key::AclAssociation(old.id));
    decision.put(AclAssociation { id, acl: acl.id, ..(*old).clone() });
    Ok(ReplaceNetworkAclAssociationResponse { new_association_id: id })
}
