//! CreateVpcPeeringConnection.

use super::*;
use crate::control::tags;
use crate::query::api::*;
use crate::world::PeeringEnd;

/// "The request expires after 7 days" (API_CreateVpcPeeringConnection).
const OFFERED: i64 = 7 * 24 * 3600;

/// EC2 takes the request in any case, and tells of one that cannot be as of one that has `failed`.
pub fn create_vpc_peering_connection(
    decision: &mut Decision,
    request: &CreateVpcPeeringConnectionRequest,
) -> Result<CreateVpcPeeringConnectionResponse, Fault> {
    const KIND: &str = "vpc-peering-connection";
    let tags = tags::at_creation(&request.tag_specifications, &[KIND], KIND)?;
    let view = decision.view();
    let vpc = vpcs::find(&view, request.vpc_id)?;
    not_flat(vpc)?;
    let own = &view.caller.owner;
    let region = request.peer_region.as_deref().map_or_else(|| own.region.clone(), Region::from);
    let asked = Owner { account: request.peer_owner_id.unwrap_or(own.account), region };
    let peer = view.world.vpcs.get(&request.peer_vpc_id).filter(|peer| peer.owner == asked);
    peer.map_or(Ok(()), |peer| not_flat(peer))?;
    room(&view, vpc.id, request.peer_vpc_id)?;
    let fits = peer.is_some_and(|peer| !overlap(vpc, peer));
    let end = |vpc, owner| PeeringEnd { vpc, owner, resolves: false };
    let (requester, accepter) = (end(vpc.id, own.clone()), end(request.peer_vpc_id, asked));
    let now = decision.env.now;
    let row = Peering {
        id: decision.env.id(VpcPeeringConnectionId::from_random),
        requester,
        accepter,
        state: if fits { PeeringState::Pending } else { PeeringState::Failed },
        created: now,
        expires: now.plus_seconds(OFFERED),
        ended: (!fits).then_some(now),
        ended_by: None,
    };
    decision.put(row.clone());
    decision.tag(ResourceId::VpcPeeringConnection(row.id), &tags)?;
    // Whatever comes of it is told to who asks afterwards.
    let status = output::VpcPeeringConnectionStatus {
        code: "initiating-request".into(),
        message: format!("Initiating Request to {}", row.accepter.owner.account),
    };
    let begun = Peering { state: PeeringState::Pending, ..row };
    let shape = describe::shape(&decision.view(), &begun);
    let vpc_peering_connection = output::VpcPeeringConnection { status, ..shape };
    Ok(CreateVpcPeeringConnectionResponse { vpc_peering_connection })
}

fn not_flat(vpc: &Vpc) -> Result<(), Fault> {
    match vpc.vni {
        Some(_) => Ok(()),
        None => Err(FaultCode::OperationNotPermitted.with(format!(
            "The default VPC {} is made of the operator's flat networks, which have no peers: use CreateVpc to make a VPC that \
             can have one",
            vpc.id
        ))),
    }
}

/// Whether the two may have one more connection.
fn room(view: &View, vpc: VpcId, peer: VpcId) -> Result<(), Fault> {
    let rows = || view.world.peerings_of(vpc).map(|row| time::as_of(row, view.now));
    let lives = |row: &Peering| matches!(row.state, PeeringState::Pending | PeeringState::Active);
    let same = |row: &Peering| row.peer_of(vpc).is_some_and(|end| end.vpc == peer);
    if let Some(there) = rows().find(|row| lives(row) && same(row)) {
        return Err(FaultCode::VpcPeeringConnectionAlreadyExists.with(format!(
            "A VPC peering connection between the VPCs {vpc} and {peer} already exists: {}",
            there.id
        )));
    }
    let asked = rows().filter(|row| row.state == PeeringState::Pending && row.requester.vpc == vpc).count();
    if asked >= view.caller.quotas.peering_requests_per_vpc {
        return Err(FaultCode::OutstandingVpcPeeringConnectionLimitExceeded.with(format!(
            "The maximum number of outstanding VPC peering connection requests for {vpc} has been reached: {}",
            view.caller.quotas.peering_requests_per_vpc
        )));
    }
    Ok(())
}
