//! DeleteNatGateway, and what is left of a gateway after it.

use super::find;
use crate::control::{Decision, lifecycle};
use crate::query::Fault;
use crate::query::api::*;
use crate::types::*;
use crate::world::{Key, NatGateway, World};

/// "Deleted NAT gateways ... remain visible for a short time (usually about an hour)" (VPC User Guide, NAT gateways).
const VISIBLE_SECONDS: i64 = 3600;

/// Routes to the gateway stay, and are black holes from now on. One that was deleted already is deleted again: that
/// changes nothing.
pub fn delete_nat_gateway(
    decision: &mut Decision,
    request: &DeleteNatGatewayRequest,
) -> Result<DeleteNatGatewayResponse, Fault> {
    let gateway = find(&decision.view(), request.nat_gateway_id)?.clone();
    if gateway.deleted.is_none() {
        let deleted = Some(decision.env.now);
        // First: the interface is nobody's then, and may go.
        decision.put(NatGateway { host: None, deleted, ..(*gateway).clone() });
        if let Some(eni) = decision.world.enis.get(&gateway.eni).cloned() {
            lifecycle::delete_interface(decision, &eni);
        }
    }
    Ok(DeleteNatGatewayResponse { nat_gateway_id: gateway.id })
}

/// The gateways that were deleted so long ago that nobody asks for them.
fn forgettable(world: &World, now: Micros) -> impl Iterator<Item = NatGatewayId> + '_ {
    let deleted = world.index.nat_gateways_deleted.iter();
    deleted.take_while(move |(at, _)| at.plus_seconds(VISIBLE_SECONDS) <= now).map(|(_, id)| *id)
}

pub fn is_forgettable(world: &World, now: Micros) -> bool {
    forgettable(world, now).next().is_some()
}

/// Forgets them with their tags.
pub fn forget(decision: &mut Decision<'_>) {
    let gone: Vec<_> = forgettable(&decision.world, decision.env.now).collect();
    for id in gone {
        decision.untag_all(ResourceId::NatGateway(id));
        decision.delete(Key::NatGateway(id));
    }
}
