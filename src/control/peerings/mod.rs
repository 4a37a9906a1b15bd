//! VPC peering connections: create, accept, reject, delete, describe, and what rules of groups make of them
//! (<https://docs.aws.amazon.com/vpc/latest/peering/what-is-vpc-peering.html>).
//!
//! The owners of both VPCs see a connection, each with tags of his own. Default VPCs have none: flat networks carry them,
//! whose routing is the operator's.

mod answer;
mod create;
mod describe;
mod options;
mod over;
#[cfg(test)]
mod tests;
mod time;

pub use answer::{
    accept_vpc_peering_connection, delete_vpc_peering_connection, reject_vpc_peering_connection,
};
pub use create::create_vpc_peering_connection;
pub use describe::describe_vpc_peering_connections;
pub use options::modify_vpc_peering_connection_options;
pub use over::{Over, over};
pub use time::{due, tick};

use std::sync::Arc;

use super::{Decision, View, vpcs};
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::world::{Key, Peering, PeeringState, Vpc, World};

/// The peering connection with this id, while the caller is told of it, as it is by now.
///
/// # Errors
/// There is none.
pub fn find(view: &View, id: VpcPeeringConnectionId) -> Result<Peering, Fault> {
    let row = view.world.peerings.get(&id).map(|row| time::as_of(row, view.now));
    row.filter(|row| row.is_told(&view.caller.owner, view.now)).ok_or_else(|| {
        FaultCode::InvalidVpcPeeringConnectionIDNotFound
            .with(format!("The vpcPeeringConnection ID '{id}' does not exist"))
    })
}

/// What EC2 says of a connection that is not where it would have to be for `to`.
fn wrong_state(row: &Peering, to: &str) -> Fault {
    FaultCode::InvalidStateTransition.with(format!(
        "Invalid state transition for {}, attempted to transition from {} to {to}",
        row.id,
        row.state.name()
    ))
}

/// "You can't create a VPC peering connection between VPCs that have matching or overlapping IPv4 or IPv6 CIDR blocks"
/// (<https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-basics.html#vpc-peering-limitations>).
fn overlap(one: &Vpc, other: &Vpc) -> bool {
    let six = |own: Cidr6| other.blocks6.iter().any(|theirs| theirs.cidr.overlaps(&own));
    one.cidrs().any(|block| other.cidrs().any(|theirs| theirs.overlaps(&block)))
        || one.blocks6.iter().any(|block| six(block.cidr))
}

/// Puts an end to a connection, in this state, as the caller wants it or by itself.
fn end(decision: &mut Decision, row: &Peering, state: PeeringState, by: Option<AccountId>) {
    let ended = Some(decision.env.now);
    decision.put(Peering { state, ended, ended_by: by, ..row.clone() });
}

/// Lets a VPC go, with what was asked for from it and in its own account.
///
/// "You cannot delete a VPC for which you have a pending-acceptance request from a VPC in another account. You must first
/// reject the VPC peering connection request" (VPC peering guide, Delete a VPC peering connection).
///
/// # Errors
/// A connection keeps it.
pub fn release(decision: &mut Decision, vpc: VpcId) -> Result<(), Fault> {
    let now = decision.env.now;
    let rows: Vec<_> = decision.world.peerings_of(vpc).map(|row| time::as_of(row, now)).collect();
    for row in &rows {
        let asked = row.accepter.vpc == vpc && row.requester.owner.account != row.accepter.owner.account;
        if row.state == PeeringState::Active || (row.state == PeeringState::Pending && asked) {
            return Err(vpcs::has_dependencies("vpc", vpc));
        }
    }
    let by = Some(decision.caller.owner.account);
    for row in rows.into_iter().filter(|row| row.state == PeeringState::Pending) {
        end(decision, &row, PeeringState::Deleted, by);
    }
    Ok(())
}

/// Lets a VPC have one more block, and fails what was asked of it and can be no more.
///
/// "If the VPC peering connection is pending-acceptance, the owner of the requester VPC cannot add any CIDR block to the VPC"
/// (<https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html>, where the other rules are, too).
///
/// # Errors
/// A peer has some of the block, or is to say whether it becomes one.
pub fn take_block(decision: &mut Decision, vpc: VpcId, cidr: Cidr4) -> Result<(), Fault> {
    let (now, world) = (decision.env.now, decision.world.clone());
    for row in world.peerings_of(vpc).map(|row| time::as_of(row, now)) {
        let peer = row.peer_of(vpc).and_then(|end| world.vpcs.get(&end.vpc));
        let overlaps = peer.is_some_and(|peer| peer.cidrs().any(|block| block.overlaps(&cidr)));
        match row.state {
            PeeringState::Active if overlaps => {
                return Err(FaultCode::InvalidVpcRange.with(format!(
                    "The CIDR '{cidr}' overlaps with a CIDR block of the VPC at the other end of {}.",
                    row.id
                )));
            }
            PeeringState::Pending if row.requester.vpc == vpc => {
                return Err(FaultCode::OperationNotPermitted.with(format!(
                    "The VPC {vpc} has asked for the VPC peering connection {}, which is not accepted yet: until then it \
                     gets no more CIDR blocks",
                    row.id
                )));
            }
            PeeringState::Pending if overlaps => end(decision, &row, PeeringState::Failed, None),
            _ => {}
        }
    }
    Ok(())
}
