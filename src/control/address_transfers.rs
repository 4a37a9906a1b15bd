//! Elastic addresses from one account to another: EnableAddressTransfer, DisableAddressTransfer,
//! AcceptAddressTransfer, DescribeAddressTransfers.
//!
//! An offer changes nothing about the address. One that has ended is as good as none, whether or not it has been
//! forgotten yet ([`super::tick`]).

use std::sync::Arc;

use super::{Decision, View, addresses, tags};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::world::{Address, AddressTransfer, World};

/// "the transfer account has seven days to accept" (API_DescribeAddressTransfers).
const OFFERED: i64 = 7 * 24 * 3600;

/// The offer of this address that nobody has taken.
pub fn pending<'w>(world: &'w World, address: &Address, now: Micros) -> Option<&'w Arc<AddressTransfer>> {
    let row = world.address_transfers.get(&(address.owner.clone(), address.id))?;
    Some(row).filter(|row| row.accepted.is_none() && row.end() > now)
}

pub fn enable_address_transfer(
    decision: &mut Decision,
    request: &EnableAddressTransferRequest,
) -> Result<EnableAddressTransferResponse, Fault> {
    let address = addresses::find(&decision.view(), Some(request.allocation_id), None)?;
    let (to, now) = (request.transfer_account_id, decision.env.now);
    if to == address.owner.account {
        return Err(FaultCode::InvalidParameterValue.with(format!(
            "Invalid value '{to}' for transferAccountId: the address {} is this account's already",
            address.public_ip
        )));
    }
    if !decision.world.accounts.contains_key(&to) {
        return Err(FaultCode::InvalidParameterValue.with(format!(
            "Invalid value '{to}' for transferAccountId: there is no such account, which could take the address"
        )));
    }
    if let Some(row) = pending(&decision.world, &address, now) {
        return Err(FaultCode::IncorrectState.with(format!(
            "The address {} is offered to {} already: disable that transfer first",
            address.public_ip, row.to
        )));
    }
    let row = AddressTransfer {
        owner: address.owner.clone(),
        allocation: address.id,
        public_ip: address.public_ip,
        to,
        expires: now.plus_seconds(OFFERED),
        accepted: None,
    };
    let address_transfer = shape(&row);
    decision.put(row);
    Ok(EnableAddressTransferResponse { address_transfer })
}

pub fn disable_address_transfer(
    decision: &mut Decision,
    request: &DisableAddressTransferRequest,
) -> Result<DisableAddressTransferResponse, Fault> {
    let address = addresses::find(&decision.view(), Some(request.allocation_id), None)?;
    let row = pending(&decision.world, &address, decision.env.now).ok_or_else(|| {
        FaultCode::IncorrectState.with(format!("The address {} is not offered to anybody", address.public_ip))
    })?;
    // EC2 tells no more of an offer that is gone.
    let address_transfer = output::AddressTransfer {
        address_transfer_status: "disabled".into(),
        transfer_account_id: None,
        transfer_offer_expiration_timestamp: None,
        ..shape(row)
    };
    addresses::withdraw(decision, &address);
    Ok(DisableAddressTransferResponse { address_transfer })
}

pub fn accept_address_transfer(
    decision: &mut Decision,
    request: &AcceptAddressTransferRequest,
) -> Result<AcceptAddressTransferResponse, Fault> {
    let tags = tags::at_creation(&request.tag_specifications, &["elastic-ip"], "elastic-ip")?;
    addresses::within_quota(&decision.view())?;
    let (address, offer) = offered(decision, request.address)?;
    let ip = address.public_ip;
    if address.association.is_some() {
        return Err(FaultCode::InvalidTransferAddressAssociated
            .with(format!("The address {ip} is associated: its owner must disassociate it first")));
    }
    if address.domain_name.is_some() {
        return Err(FaultCode::InvalidTransferAddressCustomPtrSet
            .with(format!("The address {ip} has a reverse DNS record: its owner must reset it first")));
    }
    let offer = AddressTransfer { accepted: Some(decision.env.now), ..(*offer).clone() };
    let address_transfer = shape(&offer);
    decision.put(offer);
    let resource = ResourceId::Address(address.id);
    decision.untag_all(resource);
    decision.put(Address { owner: decision.caller.owner.clone(), ..(*address).clone() });
    decision.tag(resource, &tags)?;
    Ok(AcceptAddressTransferResponse { address_transfer })
}

/// What is not offered to the caller is nothing that the caller can know of.
fn offered(
    decision: &Decision,
    ip: std::net::Ipv4Addr,
) -> Result<(Arc<Address>, Arc<AddressTransfer>), Fault> {
    let (world, caller) = (&decision.world, &decision.caller.owner);
    let address = world.index.address_by_public_ip.get(&ip).and_then(|id| world.addresses.get(id));
    let both = address.and_then(|row| Some((row, pending(world, row, decision.env.now)?)));
    let to_caller =
        both.filter(|(row, offer)| row.owner.region == caller.region && offer.to == caller.account);
    to_caller.map(|(row, offer)| (row.clone(), offer.clone())).ok_or_else(|| addresses::no_address(ip))
}

pub fn describe_address_transfers(
    view: &View,
    request: &DescribeAddressTransfersRequest,
) -> Result<DescribeAddressTransfersResponse, Fault> {
    let (wanted, owner) = (&request.allocation_ids, &view.caller.owner);
    let first = (owner.clone(), AllocationId::from_random(0));
    let own = view.world.address_transfers.range(first..).take_while(|((of, _), _)| of == owner);
    let rows: Vec<_> = own.map(|(_, row)| row).filter(|row| row.end() > view.now).collect();
    for id in wanted {
        // What was taken is another account's, and still to be seen here.
        if !rows.iter().any(|row| row.allocation == *id) {
            addresses::find(view, Some(*id), None)?;
        }
    }
    let rows = rows.into_iter().filter(|row| wanted.is_empty() || wanted.contains(&row.allocation));
    let (found, next_token) = request.page().cut(rows, |row| row.allocation.to_string())?;
    let address_transfers = found.into_iter().map(|row| shape(row)).collect();
    Ok(DescribeAddressTransfersResponse { address_transfers, next_token })
}

fn shape(row: &AddressTransfer) -> output::AddressTransfer {
    output::AddressTransfer {
        public_ip: row.public_ip,
        allocation_id: row.allocation,
        transfer_account_id: Some(row.to),
        transfer_offer_expiration_timestamp: Some(row.expires),
        transfer_offer_accepted_timestamp: row.accepted,
        address_transfer_status: if row.accepted.is_some() { "accepted" } else { "pending" }.into(),
    }
}

#[cfg(test)]
mod tests;
