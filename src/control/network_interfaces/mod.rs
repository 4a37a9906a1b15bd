//! Network interfaces: made, attached, changed, listed; the private addresses that they have.

mod attach;
mod attributes;
mod create;
mod facts;
mod ipv6;
mod private;
#[cfg(test)]
mod tests;

pub use attach::{attach_network_interface, check_free, check_room, detach_network_interface};
pub use attributes::{
    describe_network_interface_attribute, modify_network_interface_attribute,
    reset_network_interface_attribute,
};
pub use create::{create_network_interface, delete_network_interface};
pub use facts::Interface;
pub use ipv6::{Asked6, assign_ipv6_addresses, unassign_ipv6_addresses};
pub use private::{Asked, Taken, assign_private_ip_addresses, unassign_private_ip_addresses};

use std::sync::Arc;

use super::page::Page;
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

pub fn describe_network_interfaces(
    view: &View,
    request: &DescribeNetworkInterfacesRequest,
) -> Result<DescribeNetworkInterfacesResponse, Fault> {
    let world = view.world;
    let owner = &view.caller.owner;
    for id in &request.network_interface_ids {
        find(view, *id)?;
    }
    let of_owner = world
        .index
        .enis_by_owner
        .range((owner.clone(), EniId::from_random(0))..)
        .take_while(|(of, _)| of == owner)
        .filter(|(_, id)| {
            request.network_interface_ids.is_empty() || request.network_interface_ids.contains(id)
        })
        .filter_map(|(_, id)| world.enis.get(id))
        .map(|eni| Interface::of(world, eni.clone()))
        .filter(|interface| {
            filter::matches(world, Some(interface.resource()), &request.filters, |name| {
                interface.attribute(world, name)
            })
        });
    let page = Page {
        max_results: request.max_results,
        next_token: request.next_token.as_deref(),
        filters: &request.filters,
    };
    let (interfaces, next_token) = page.cut(of_owner, |interface| interface.eni.id.to_string())?;
    Ok(DescribeNetworkInterfacesResponse {
        network_interfaces: interfaces.iter().map(|interface| interface.shape(world)).collect(),
        next_token,
    })
}
