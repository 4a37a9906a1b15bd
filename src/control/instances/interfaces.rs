//! The network interfaces of a launch: what RunInstances says of them.

use super::super::View;
use super::super::network_interfaces::{self, Asked, Asked6};
use super::options::InterfaceOptions;
use crate::query::api::*;
use crate::query::{Fault, FaultCode};

/// The interfaces that each instance gets, by device index: the first one has 0.
///
/// # Errors
/// EC2's fault for what does not exist, is in use, contradicts itself or is too much for the type.
pub fn wanted(
    view: &View,
    request: &RunInstancesRequest,
    instance_type: &str,
) -> Result<Vec<InterfaceOptions>, Fault> {
    let mut wanted = match request.network_interfaces.as_slice() {
        [] => vec![by_instance(request)?],
        given => {
            not_by_both(request)?;
            let alone = given.len() == 1;
            given.iter().map(|one| by_interface(view, one, alone)).collect::<Result<_, _>>()?
        }
    };
    wanted.sort_by_key(|one| one.device_index);
    check_indexes(&wanted)?;
    network_interfaces::check_room(instance_type, wanted.len())?;
    for one in &wanted {
        one.addresses.check(Some(instance_type))?;
        one.ipv6.check(Some(instance_type))?;
    }
    let names = |one: &InterfaceOptions| one.addresses.names_any() || !one.ipv6.named.is_empty();
    let named = wanted.iter().any(|one| names(one) || one.existing.is_some());
    if named && request.max_count > 1 {
        return Err(FaultCode::InvalidParameterCombination.with(
            "A private address or a network interface can be given to one instance only: set MaxCount to 1",
        ));
    }
    Ok(wanted)
}

/// Whether a launch could be with these, whatever there is.
///
/// # Errors
/// As [`wanted`], for what can be told without a World.
pub fn plausible(request: &RunInstancesRequest) -> Result<(), Fault> {
    match request.network_interfaces.as_slice() {
        [] => by_instance(request).map(drop),
        _ => not_by_both(request),
    }
}

fn by_instance(request: &RunInstancesRequest) -> Result<InterfaceOptions, Fault> {
    Ok(InterfaceOptions {
        subnet: request.subnet_id,
        group_ids: request.security_group_ids.clone(),
        group_names: request.security_groups.clone(),
        addresses: Asked::of(request.private_ip_address, &[], None)?,
        ipv6: Asked6::of(&request.ipv6_addresses, request.ipv6_address_count)?,
        description: "".into(),
        delete_on_termination: true,
        ..InterfaceOptions::default()
    })
}

fn not_by_both(request: &RunInstancesRequest) -> Result<(), Fault> {
    let groups = !request.security_group_ids.is_empty() || !request.security_groups.is_empty();
    let ipv6 = !request.ipv6_addresses.is_empty() || request.ipv6_address_count.is_some();
    if groups || ipv6 || request.subnet_id.is_some() || request.private_ip_address.is_some() {
        return Err(FaultCode::InvalidParameterCombination.with(
            "Network interfaces and an instance-level subnet ID, security groups, private address or IPv6 addresses may not \
             be specified on the same request: give them within NetworkInterface.1",
        ));
    }
    Ok(())
}

fn by_interface(
    view: &View,
    one: &input::InstanceNetworkInterface,
    alone: bool,
) -> Result<InterfaceOptions, Fault> {
    let device_index = match one.device_index {
        None if alone => 0,
        None => {
            return Err(FaultCode::MissingParameter.with("Each network interface requires a device index."));
        }
        Some(index) => u32::try_from(index).unwrap_or(u32::MAX),
    };
    if one.network_card_index.unwrap_or(0) != 0 {
        return Err(FaultCode::InvalidParameterValue.with("There is one network card, with index 0"));
    }
    let public = one.associate_public_ip_address;
    if public == Some(true) && !alone {
        return Err(FaultCode::InvalidParameterCombination.with(
            "The associatePublicIPAddress parameter cannot be specified when launching with multiple network interfaces",
        ));
    }
    let wanted = InterfaceOptions {
        device_index,
        subnet: one.subnet_id,
        group_ids: one.group_ids.clone(),
        group_names: Vec::new(),
        addresses: Asked::of(
            one.private_ip_address,
            &one.private_ip_addresses,
            one.secondary_private_ip_address_count,
        )?,
        ipv6: Asked6::of(&one.ipv6_addresses, one.ipv6_address_count)?,
        description: one.description.as_deref().unwrap_or_default().into(),
        delete_on_termination: one.delete_on_termination.unwrap_or(true),
        existing: None,
        public,
    };
    match one.network_interface_id {
        None => Ok(wanted),
        Some(id) => existing(view, id, one, &wanted),
    }
}

/// One that there is already: everything about it is decided.
fn existing(
    view: &View,
    id: crate::types::EniId,
    one: &input::InstanceNetworkInterface,
    wanted: &InterfaceOptions,
) -> Result<InterfaceOptions, Fault> {
    let said = one.subnet_id.is_some()
        || !one.group_ids.is_empty()
        || one.description.is_some()
        || wanted.public == Some(true)
        || wanted.addresses != Asked::default()
        || wanted.ipv6 != Asked6::default();
    if said {
        return Err(FaultCode::InvalidParameterCombination.with(
            "A network interface may not specify a network interface ID and a subnet, security groups, a description, \
             private, IPv6 or public addresses",
        ));
    }
    if one.delete_on_termination == Some(true) {
        return Err(FaultCode::InvalidParameterCombination
            .with("DeleteOnTermination can be true for a network interface that the launch makes only"));
    }
    let eni = network_interfaces::find(view, id)?;
    network_interfaces::check_free(view.world, &eni)?;
    Ok(InterfaceOptions {
        device_index: wanted.device_index,
        subnet: Some(eni.subnet),
        // Only counted: it has them.
        addresses: Asked { count: eni.secondary_ips.len(), ..Asked::default() },
        ipv6: Asked6 { count: Some(eni.ipv6.len()), ..Asked6::default() },
        existing: Some(id),
        ..InterfaceOptions::default()
    })
}

/// They are sorted.
fn check_indexes(wanted: &[InterfaceOptions]) -> Result<(), Fault> {
    if wanted.first().is_none_or(|one| one.device_index != 0) {
        return Err(FaultCode::InvalidParameterValue.with(
            "A network interface with device index 0 must be specified: it is the instance's first one",
        ));
    }
    match wanted.windows(2).find(|two| two[0].device_index == two[1].device_index) {
        Some(two) => Err(FaultCode::InvalidParameterCombination
            .with(format!("Several network interfaces have the device index {}", two[0].device_index))),
        None => Ok(()),
    }
}
