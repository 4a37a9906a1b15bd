//! CreateNetworkInterface and DeleteNetworkInterface.

use std::sync::Arc;

use super::attach::is_in_use;
use super::private::Asked;
use super::{Asked6, Interface, find};
use crate::control::idempotency::Once;
use crate::control::instances::{self, InterfaceOptions};
use crate::control::{Decision, lifecycle, tags};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::world::Eni;

const ACTION: &str = "CreateNetworkInterface";

pub fn create_network_interface(
    decision: &mut Decision,
    request: &CreateNetworkInterfaceRequest,
) -> Result<CreateNetworkInterfaceResponse, Fault> {
    let plain = CreateNetworkInterfaceRequest { dry_run: false, ..request.clone() };
    let (once, made) = Once::begin(decision, ACTION, request.client_token.as_deref(), &plain, |view, id| {
        find(view, id.parse().ok()?).ok()
    })?;
    let eni = match made {
        Some(eni) => eni,
        None => create(decision, request, once)?,
    };
    let network_interface = Interface::of(&decision.world, eni).shape(&decision.world);
    Ok(CreateNetworkInterfaceResponse { network_interface, client_token: request.client_token.clone() })
}

fn create(
    decision: &mut Decision,
    request: &CreateNetworkInterfaceRequest,
    once: Option<Once>,
) -> Result<Arc<Eni>, Fault> {
    let tags = tags::at_creation(&request.tag_specifications, &["network-interface"], "network-interface")?;
    let view = decision.view();
    if super::room(&view) == 0 {
        return Err(super::no_room());
    }
    let id = request.subnet_id;
    let subnet = view.world.subnets.get(&id).filter(|subnet| subnet.owner == view.caller.owner).cloned();
    let subnet = subnet.ok_or_else(|| {
        FaultCode::InvalidSubnetIDNotFound.with(format!("The subnet ID '{id}' does not exist"))
    })?;
    let wanted = InterfaceOptions { group_ids: request.group_ids.clone(), ..InterfaceOptions::default() };
    let groups = instances::groups(&view, subnet.vpc, &wanted)?;
    let asked = Asked::of(
        request.private_ip_address,
        &request.private_ip_addresses,
        request.secondary_private_ip_address_count,
    )?;
    let asked6 = Asked6::of(&request.ipv6_addresses, request.ipv6_address_count)?;
    asked6.check(None)?;
    let ips = asked.check(None)?.take(decision, &subnet)?;
    let ipv6 = asked6.take(decision, &subnet)?;
    let row = Eni {
        id: decision.env.id(EniId::from_random),
        owner: decision.caller.owner.clone(),
        vpc: subnet.vpc,
        subnet: subnet.id,
        network: subnet.network.clone(),
        description: request.description.as_deref().unwrap_or_default().into(),
        mac: MacAddr::from_random(decision.env.random()),
        private_ip: ips.primary,
        secondary_ips: ips.secondary.into(),
        ipv6,
        groups,
        source_dest_check: true,
        auto_public: false,
        attachment: None,
        created: decision.env.now,
    };
    decision.put(row.clone());
    decision.tag(ResourceId::NetworkInterface(row.id), &tags)?;
    if let Some(once) = once {
        once.remember(decision, row.id.to_string().into());
    }
    Ok(Arc::new(row))
}

pub fn delete_network_interface(
    decision: &mut Decision,
    request: &DeleteNetworkInterfaceRequest,
) -> Result<DeleteNetworkInterfaceResponse, Fault> {
    let eni = find(&decision.view(), request.network_interface_id)?;
    if is_in_use(&decision.world, &eni) {
        return Err(FaultCode::InvalidParameterValue
            .with(format!("Network interface '{}' is currently in use.", eni.id)));
    }
    lifecycle::delete_interface(decision, &eni);
    Ok(DeleteNetworkInterfaceResponse { result: true })
}
