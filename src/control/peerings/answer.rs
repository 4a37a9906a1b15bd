//! AcceptVpcPeeringConnection, RejectVpcPeeringConnection, DeleteVpcPeeringConnection.

use super::*;
use crate::query::api::*;

pub fn accept_vpc_peering_connection(
    decision: &mut Decision,
    request: &AcceptVpcPeeringConnectionRequest,
) -> Result<AcceptVpcPeeringConnectionResponse, Fault> {
    let view = decision.view();
    let row = find(&view, request.vpc_peering_connection_id)?;
    is_asked(&view, &row, "accept", "accepted")?;
    if row.state != PeeringState::Pending {
        return Err(wrong_state(&row, "provisioning"));
    }
    for end in row.ends() {
        if view.world.peers_of(end.vpc).count() >= view.caller.quotas.peerings_per_vpc {
            return Err(FaultCode::ActiveVpcPeeringConnectionPerVpcLimitExceeded.with(format!(
                "The maximum number of active VPC peering connections for {} has been reached: {}",
                end.vpc, view.caller.quotas.peerings_per_vpc
            )));
        }
    }
    let row = Peering { state: PeeringState::Active, ..row };
    decision.put(row.clone());
    let status =
        output::VpcPeeringConnectionStatus { code: "provisioning".into(), message: "Provisioning".into() };
    let shape = describe::shape(&decision.view(), &row);
    let vpc_peering_connection = output::VpcPeeringConnection { status, ..shape };
    Ok(AcceptVpcPeeringConnectionResponse { vpc_peering_connection })
}

pub fn reject_vpc_peering_connection(
    decision: &mut Decision,
    request: &RejectVpcPeeringConnectionRequest,
) -> Result<RejectVpcPeeringConnectionResponse, Fault> {
    let view = decision.view();
    let row = find(&view, request.vpc_peering_connection_id)?;
    is_asked(&view, &row, "reject", "rejected")?;
    if row.state != PeeringState::Pending {
        return Err(wrong_state(&row, "rejected"));
    }
    let by = Some(decision.caller.owner.account);
    end(decision, &row, PeeringState::Rejected, by);
    Ok(RejectVpcPeeringConnectionResponse { result: true })
}

/// Routes to it stay, and are black holes from now on.
pub fn delete_vpc_peering_connection(
    decision: &mut Decision,
    request: &DeleteVpcPeeringConnectionRequest,
) -> Result<DeleteVpcPeeringConnectionResponse, Fault> {
    let row = find(&decision.view(), request.vpc_peering_connection_id)?;
    let account = decision.caller.owner.account;
    match row.state {
        PeeringState::Active => {}
        PeeringState::Pending if row.requester.owner.account == account => {}
        PeeringState::Pending => {
            return Err(FaultCode::OperationNotPermitted.with(format!(
                "User ({account}) cannot delete peering {}, which is not accepted yet: reject it",
                row.id
            )));
        }
        _ => return Err(wrong_state(&row, "deleting")),
    }
    end(decision, &row, PeeringState::Deleted, Some(account));
    Ok(DeleteVpcPeeringConnectionResponse { result: true })
}

/// Whether it is the caller's to answer, where he asks.
fn is_asked(view: &View, row: &Peering, verb: &str, done: &str) -> Result<(), Fault> {
    let (caller, asked) = (&view.caller.owner, &row.accepter.owner);
    if caller == asked {
        return Ok(());
    }
    Err(FaultCode::OperationNotPermitted.with(match caller.account == asked.account {
        true => format!(
            "Incorrect region ({}) specified for this request. VPC peering connection {} must be {done} in region {}",
            caller.region, row.id, asked.region
        ),
        false => format!("User ({}) cannot {verb} peering {}", caller.account, row.id),
    }))
}
