//! Reverse DNS of elastic addresses: ModifyAddressAttribute, ResetAddressAttribute, DescribeAddressesAttribute.
//!
//! Every host's resolver answers the name to its instances ([`crate::plan::HostState::reverse_names`]). A decision
//! cannot ask the world whether the name leads to the address, which EC2 does.

use std::sync::Arc;

use super::{Decision, View, addresses};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::world::{Address, World};

/// What EC2 calls a change that name servers have not all heard of yet: so it is while the answer is on its way.
const PENDING: &str = "PENDING";

/// RFC 1035, 2.3.4: of what is written with dots.
const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

pub fn modify_address_attribute(
    decision: &mut Decision,
    request: &ModifyAddressAttributeRequest,
) -> Result<ModifyAddressAttributeResponse, Fault> {
    let old = addresses::find(&decision.view(), Some(request.allocation_id), None)?;
    let name = checked(&decision.world, &request.domain_name)?;
    let update = output::PtrUpdateStatus { value: Some(record(&name)), status: PENDING.into() };
    decision.put(Address { domain_name: Some(name), ..(*old).clone() });
    let address = output::AddressAttribute { ptr_record_update: Some(update), ..attribute(&old) };
    Ok(ModifyAddressAttributeResponse { address })
}

pub fn reset_address_attribute(
    decision: &mut Decision,
    request: &ResetAddressAttributeRequest,
) -> Result<ResetAddressAttributeResponse, Fault> {
    let old = addresses::find(&decision.view(), Some(request.allocation_id), None)?;
    let mut address = attribute(&old);
    if old.domain_name.is_some() {
        decision.put(Address { domain_name: None, ..(*old).clone() });
        address.ptr_record_update = Some(output::PtrUpdateStatus { value: None, status: PENDING.into() });
    }
    Ok(ResetAddressAttributeResponse { address })
}

pub fn describe_addresses_attribute(
    view: &View,
    request: &DescribeAddressesAttributeRequest,
) -> Result<DescribeAddressesAttributeResponse, Fault> {
    let wanted = &request.allocation_ids;
    for id in wanted {
        addresses::find(view, Some(*id), None)?;
    }
    let named = addresses::of_caller(view)
        .filter(|address| address.domain_name.is_some())
        .filter(|address| wanted.is_empty() || wanted.contains(&address.id));
    let (found, next_token) = request.page().cut(named, |address| address.id.to_string())?;
    let addresses = found.into_iter().map(|address| attribute(address)).collect();
    Ok(DescribeAddressesAttributeResponse { addresses, next_token })
}

fn attribute(address: &Address) -> output::AddressAttribute {
    output::AddressAttribute {
        public_ip: address.public_ip,
        allocation_id: address.id,
        ptr_record: address.domain_name.as_deref().map(record),
        ptr_record_update: None,
    }
}

/// As zones write a name.
fn record(name: &str) -> String {
    format!("{name}.")
}

/// A name for hosts, with or without its last dot, that is not one of our own.
fn checked(world: &World, text: &str) -> Result<Arc<str>, Fault> {
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let label = |label: &str| {
        (1..=MAX_LABEL).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.len() > MAX_NAME || !name.contains('.') || !name.split('.').all(label) {
        return Err(FaultCode::InvalidParameterValue.with(format!(
            "Invalid value '{text}' for domainName: give the full name of a host, such as mail.example.com"
        )));
    }
    // What leads where in there is known, and never to a name of somebody's choice.
    let within = |domain: &str| name == *domain || name.ends_with(&format!(".{domain}"));
    match world.networks.values().find(|network| within(&network.domain)) {
        Some(network) => Err(FaultCode::InvalidParameterValue.with(format!(
            "Invalid value '{text}' for domainName: the names in {} are those of instances",
            network.domain
        ))),
        None => Ok(name.into()),
    }
}

#[cfg(test)]
mod tests;
