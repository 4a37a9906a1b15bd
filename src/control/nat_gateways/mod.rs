//! NAT gateways: create, delete, describe, and on which host each is at work.

mod create;
mod delete;
mod describe;
pub mod place;
#[cfg(test)]
mod tests;

pub use create::create_nat_gateway;
pub use delete::{delete_nat_gateway, forget, is_forgettable};
pub use describe::describe_nat_gateways;

use std::sync::Arc;

use super::View;
use crate::query::{Fault, FaultCode};
use crate::types::{EniId, NatGatewayId};
use crate::world::{NatGateway, World};

/// The caller's NAT gateway with this id; one that was deleted, too, while it is still told of.
///
/// # Errors
/// There is none.
pub fn find<'w>(view: &View<'w>, id: NatGatewayId) -> Result<&'w Arc<NatGateway>, Fault> {
    let gateway = view.world.nat_gateways.get(&id).filter(|row| row.owner == view.caller.owner);
    gateway.ok_or_else(|| FaultCode::NatGatewayNotFound.with(format!("NAT gateway {id} was not found")))
}

/// Lets through what is to happen to an interface, or to the elastic address that leads to it.
///
/// # Errors
/// It is a NAT gateway's: only CreateNatGateway and DeleteNatGateway have a say in it.
pub fn is_not_managed(world: &World, eni: EniId) -> Result<(), Fault> {
    match world.nat_gateway_of(eni) {
        None => Ok(()),
        Some(_) => {
            Err(FaultCode::AuthFailure.with("You do not have permission to access the specified resource."))
        }
    }
}
