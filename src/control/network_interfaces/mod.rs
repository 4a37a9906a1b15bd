//! Network interfaces: made, attached, changed, listed; the private addresses that they have.

mod attach;
mod attributes;
mod create;
mod facts;
mod ipv6;
mod private;
#[cfg(test)]
mod tests;

pub use attach::{
    attach_network_interface, check_addresses, check_free, check_room, detach_network_interface,
};
pub use attributes::{
    describe_network_interface_attribute, modify_network_interface_attribute,
    reset_network_interface_attribute,
};
pub use create::{create_network_interface, delete_network_interface};
pub use facts::Interface;
pub use ipv6::{Asked6, assign_ipv6_addresses, unassign_ipv6_addresses};
pub use private::{Asked, Taken, assign_private_ip_addresses, unassign_private_ip_addresses};

use std::sync::Arc;

use super::{View, filter, nat_gateways};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::EniId;
use crate::world::Eni;

/// The caller's interface with this id.
///
/// # Errors
/// There is none.
pub fn find(view: &View, id: EniId) -> Result<Arc<Eni>, Fault> {
    let eni = view.world.enis.get(&id).filter(|eni| eni.owner == view.caller.owner);
    eni.cloned().ok_or_else(|| {
        FaultCode::InvalidNetworkInterfaceIDNotFound
            .with(format!("The networkInterface ID '{id}' does not exist"))
    })
}

/// The same, if it is the caller's to change.
///
/// # Errors
/// There is none, or it is a NAT gateway's.
fn find_own(view: &View, id: EniId) -> Result<Arc<Eni>, Fault> {
    let eni = find(view, id)?;
    nat_gateways::is_not_managed(view.world, id).map(|()| eni)
}

/// How many more interfaces the caller may have: those of its NAT gateways count, too.
pub fn room(view: &View) -> usize {
    view.caller.quotas.network_interfaces.saturating_sub(of_caller(view).count())
}

/// What a request for more is answered with.
pub fn no_room() -> Fault {
    FaultCode::NetworkInterfaceLimitExceeded
        .with("The maximum number of network interfaces has been reached.")
}

fn of_caller<'w>(view: &View<'w>) -> impl Iterator<Item = &'w Arc<Eni>> {
    let (owner, world) = (view.caller.owner.clone(), view.world);
    let first = (owner.clone(), EniId::from_random(0));
    let owned = world.index.enis_by_owner.range(first..).take_while(move |(of, _)| *of == owner);
    owned.filter_map(|(_, id)| world.enis.get(id))
}

pub fn describe_network_interfaces(
    view: &View,
    request: &DescribeNetworkInterfacesRequest,
) -> Result<DescribeNetworkInterfacesResponse, Fault> {
    let world = view.world;
    let wanted = &request.network_interface_ids;
    for id in wanted {
        find(view, *id)?;
    }
    let of_owner = of_caller(view)
        .filter(|eni| wanted.is_empty() || wanted.contains(&eni.id))
        .map(|eni| Interface::of(world, eni.clone()))
        .filter(|interface| {
            filter::matches(world, Some(interface.resource()), &request.filters, |name| {
                interface.attribute(world, name)
            })
        });
    let (interfaces, next_token) = request.page().cut(of_owner, |interface| interface.eni.id.to_string())?;
    Ok(DescribeNetworkInterfacesResponse {
        network_interfaces: interfaces.iter().map(|interface| interface.shape(world)).collect(),
        next_token,
    })
}
