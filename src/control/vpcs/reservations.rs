//! CreateSubnetCidrReservation, DeleteSubnetCidrReservation, GetSubnetCidrReservations. What a reservation does is in
//! [`crate::control::allocate`].

use std::sync::Arc;

use super::{changeable, find, find_subnet};
use crate::control::filter::{self, Values};
use crate::control::{Decision, View, tags};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::world::{Key, SubnetCidrReservation, World};

/// Of one subnet.
const MAX: usize = 100;

/// "/28 IPv4 prefixes" are what interfaces are delegated
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-prefix-eni.html>).
const DELEGATED: u8 = 28;

pub fn create_subnet_cidr_reservation(
    decision: &mut Decision,
    request: &CreateSubnetCidrReservationRequest,
) -> Result<CreateSubnetCidrReservationResponse, Fault> {
    const KIND: &str = "subnet-cidr-reservation";
    let tags = tags::at_creation(&request.tag_specifications, &[KIND], KIND)?;
    let view = decision.view();
    let subnet = find_subnet(&view, request.subnet_id)?.clone();
    // Who else is in a flat network would lose addresses to one account's reservation.
    changeable(find(&view, subnet.vpc)?, "reservations")?;
    let (cidr, is_prefix) = (request.cidr, request.reservation_type == "prefix");
    let inside = subnet.cidr.contains(cidr.network()) && subnet.cidr.contains(cidr.last());
    if !inside || (is_prefix && cidr.prefix_len() > DELEGATED) {
        return Err(FaultCode::InvalidSubnetRange.with(format!("The CIDR '{cidr}' is invalid.")));
    }
    if let Some(other) = view.world.reservations_of(subnet.id).find(|row| row.cidr.overlaps(&cidr)) {
        return Err(FaultCode::InvalidSubnetConflict.with(format!(
            "The CIDR '{cidr}' conflicts with the reservation {} of {}",
            other.id, other.cidr
        )));
    }
    if view.world.reservations_of(subnet.id).count() >= MAX {
        return Err(FaultCode::ResourceLimitExceeded
            .with(format!("The subnet {} has {MAX} CIDR reservations, as many as it may", subnet.id)));
    }
    let id = decision.env.id(SubnetCidrReservationId::from_random);
    decision.put(SubnetCidrReservation {
        id,
        owner: subnet.owner.clone(),
        subnet: subnet.id,
        cidr,
        is_prefix,
        description: request.description.as_deref().map(Into::into),
        created: decision.env.now,
    });
    decision.tag(ResourceId::SubnetCidrReservation(id), &tags)?;
    let world = &decision.world;
    let subnet_cidr_reservation = shape(world, &world.subnet_cidr_reservations[&id]);
    Ok(CreateSubnetCidrReservationResponse { subnet_cidr_reservation })
}

pub fn delete_subnet_cidr_reservation(
    decision: &mut Decision,
    request: &DeleteSubnetCidrReservationRequest,
) -> Result<DeleteSubnetCidrReservationResponse, Fault> {
    let (id, owner) = (request.subnet_cidr_reservation_id, &decision.caller.owner);
    let row = decision.world.subnet_cidr_reservations.get(&id).filter(|row| row.owner == *owner);
    let row = row.ok_or_else(|| {
        FaultCode::InvalidSubnetCidrReservationIDNotFound
            .with(format!("The subnet cidr reservation ID '{id}' does not exist"))
    })?;
    let deleted_subnet_cidr_reservation = shape(&decision.world, row);
    delete(decision, id);
    Ok(DeleteSubnetCidrReservationResponse { deleted_subnet_cidr_reservation })
}

fn delete(decision: &mut Decision, id: SubnetCidrReservationId) {
    decision.untag_all(ResourceId::SubnetCidrReservation(id));
    decision.delete(Key::SubnetCidrReservation(id));
}

/// Those of a subnet go with it.
pub fn delete_all(decision: &mut Decision, subnet: SubnetId) {
    let all: Vec<_> = decision.world.reservations_of(subnet).map(|row| row.id).collect();
    all.into_iter().for_each(|id| delete(decision, id));
}

pub fn get_subnet_cidr_reservations(
    view: &View,
    request: &GetSubnetCidrReservationsRequest,
) -> Result<GetSubnetCidrReservationsResponse, Fault> {
    let (world, subnet) = (view.world, find_subnet(view, request.subnet_id)?.id);
    let matching = world.reservations_of(subnet).filter(|row| {
        let resource = Some(ResourceId::SubnetCidrReservation(row.id));
        filter::matches(world, resource, &request.filters, |name| attribute(row, name))
    });
    let (found, next_token) = request.page().cut(matching, |row| row.id.to_string())?;
    let subnet_ipv4_cidr_reservations = found.into_iter().map(|row| shape(world, row)).collect();
    Ok(GetSubnetCidrReservationsResponse {
        subnet_ipv4_cidr_reservations,
        subnet_ipv6_cidr_reservations: Vec::new(),
        next_token,
    })
}

const fn kind(row: &SubnetCidrReservation) -> &'static str {
    if row.is_prefix { "prefix" } else { "explicit" }
}

fn attribute(row: &Arc<SubnetCidrReservation>, name: &str) -> Values {
    match name {
        "reservationType" => vec![kind(row).into()],
        "subnet-id" => vec![row.subnet.to_string()],
        _ => Values::new(),
    }
}

fn shape(world: &World, row: &SubnetCidrReservation) -> output::SubnetCidrReservation {
    output::SubnetCidrReservation {
        subnet_cidr_reservation_id: row.id,
        subnet_id: row.subnet,
        cidr: row.cidr.to_string(),
        reservation_type: kind(row).into(),
        owner_id: row.owner.account,
        description: row.description.as_deref().map(str::to_owned),
        tags: tags::set_of(world, ResourceId::SubnetCidrReservation(row.id)),
    }
}

#[cfg(test)]
mod tests;
