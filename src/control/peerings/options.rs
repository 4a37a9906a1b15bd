//! ModifyVpcPeeringConnectionOptions.

use super::*;
use crate::query::api::*;
use crate::world::PeeringEnd;

pub fn modify_vpc_peering_connection_options(
    decision: &mut Decision,
    request: &ModifyVpcPeeringConnectionOptionsRequest,
) -> Result<ModifyVpcPeeringConnectionOptionsResponse, Fault> {
    let view = decision.view();
    let row = find(&view, request.vpc_peering_connection_id)?;
    let (accepter, requester) =
        (&request.accepter_peering_connection_options, &request.requester_peering_connection_options);
    if accepter.is_none() && requester.is_none() {
        return Err(FaultCode::MissingParameter.with(
            "The request must contain the parameter AccepterPeeringConnectionOptions or RequesterPeeringConnectionOptions",
        ));
    }
    if row.state != PeeringState::Active {
        return Err(FaultCode::OperationNotPermitted.with(format!(
            "Peering {} is not active. Peering options can be added only to active peerings.",
            row.id
        )));
    }
    let asked = |given: &Option<input::PeeringConnectionOptionsRequest>, end: &PeeringEnd, name: &str| {
        let Some(given) = given else { return Ok(end.clone()) };
        // One account's connection within a region has both ends for it.
        if end.owner != view.caller.owner {
            return Err(FaultCode::OperationNotPermitted.with(format!(
                "User ({}) cannot modify {name} peering options of {}",
                view.caller.owner.account, row.id
            )));
        }
        let resolves = given.allow_dns_resolution_from_remote_vpc.unwrap_or(end.resolves);
        Ok(PeeringEnd { resolves, ..end.clone() })
    };
    let new = Peering {
        requester: asked(requester, &row.requester, "requester")?,
        accepter: asked(accepter, &row.accepter, "accepter")?,
        ..row.clone()
    };
    let switched_on =
        (new.requester.resolves && requester.is_some()) || (new.accepter.resolves && accepter.is_some());
    if switched_on && !row.ends().iter().all(|end| has_names(view.world, end.vpc)) {
        return Err(FaultCode::InvalidVpcPeeringConnectionStateDnsHostnamesDisabled.with(
            "To enable DNS hostname resolution for the VPC peering connection, DNS hostname support must be enabled for the \
             VPCs.",
        ));
    }
    let response = ModifyVpcPeeringConnectionOptionsResponse {
        accepter_peering_connection_options: accepter.as_ref().map(|_| shape(new.accepter.resolves)),
        requester_peering_connection_options: requester.as_ref().map(|_| shape(new.requester.resolves)),
    };
    if new != row {
        decision.put(new);
    }
    Ok(response)
}

fn has_names(world: &World, vpc: VpcId) -> bool {
    world.vpcs.get(&vpc).is_some_and(|vpc| vpc.dns_support && vpc.dns_hostnames)
}

pub fn shape(resolves: bool) -> output::PeeringConnectionOptions {
    output::PeeringConnectionOptions {
        allow_dns_resolution_from_remote_vpc: resolves,
        allow_egress_from_local_classic_link_to_remote_vpc: false,
        allow_egress_from_local_vpc_to_remote_classic_link: false,
    }
}
