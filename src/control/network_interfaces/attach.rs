//! AttachNetworkInterface and DetachNetworkInterface.

use std::sync::Arc;

use super::{find, private};
use crate::control::{Decision, View, instances};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::world::{Attachment, Eni, Instance, InstanceState, World};

pub fn attach_network_interface(
    decision: &mut Decision,
    request: &AttachNetworkInterfaceRequest,
) -> Result<AttachNetworkInterfaceResponse, Fault> {
    let view = decision.view();
    let eni = find(&view, request.network_interface_id)?;
    let id = request.instance_id;
    let instance = view.world.instances.get(&id).filter(|row| row.owner == view.caller.owner);
    let instance = instance.ok_or_else(|| {
        FaultCode::InvalidInstanceIDNotFound.with(format!("The instance ID '{id}' does not exist"))
    })?;
    check_free(view.world, &eni)?;
    if !matches!(instance.state, InstanceState::Running | InstanceState::Stopped) {
        return Err(FaultCode::IncorrectInstanceState.with(format!(
            "Instance '{id}' is not 'running' or 'stopped': it is {}",
            instance.state.name()
        )));
    }
    if request.network_card_index.unwrap_or(0) != 0 {
        return Err(FaultCode::InvalidParameterValue.with("There is one network card, with index 0"));
    }
    if view.world.subnets.get(&eni.subnet).is_none_or(|subnet| subnet.zone != instance.zone) {
        return Err(FaultCode::InvalidParameterCombination.with(
            "You may not attach a network interface to an instance if they are not in the same availability zone",
        ));
    }
    let device_index = u32::try_from(request.device_index).unwrap_or(u32::MAX);
    room(&view, instance, &eni, device_index)?;
    let attachment = Attachment {
        id: decision.env.id(AttachmentId::from_random),
        instance: id,
        device_index,
        delete_on_termination: false,
        attached: decision.env.now,
    };
    decision.put(Eni { attachment: Some(attachment), ..(*eni).clone() });
    Ok(AttachNetworkInterfaceResponse { attachment_id: attachment.id, network_card_index: 0 })
}

/// Whether the instance has room for the interface at that place.
fn room(view: &View, instance: &Instance, eni: &Eni, device_index: u32) -> Result<(), Fault> {
    let there = view.world.interfaces_of(instance.id);
    let at = |eni: &Arc<Eni>| eni.attachment.is_some_and(|at| at.device_index == device_index);
    if there.iter().any(at) {
        return Err(FaultCode::InvalidParameterValue.with(format!(
            "Instance '{}' already has an interface attached at device index '{device_index}'.",
            instance.id
        )));
    }
    check_room(&instance.instance_type, there.len() + 1)?;
    check_addresses(eni, &instance.instance_type)
}

/// # Errors
/// An interface of an instance of this type may not have so many addresses.
pub fn check_addresses(eni: &Eni, instance_type: &str) -> Result<(), Fault> {
    private::check_count("private", eni.private_ips().count(), Some(instance_type))?;
    private::check_count("IPv6", eni.ipv6.len(), Some(instance_type))
}

/// # Errors
/// An instance of this type may not have so many interfaces.
pub fn check_room(instance_type: &str, count: usize) -> Result<(), Fault> {
    match count <= instances::interface_limits(instance_type).0 {
        true => Ok(()),
        false => Err(FaultCode::AttachmentLimitExceeded
            .with(format!("Interface count {count} exceeds the limit for {instance_type}"))),
    }
}

/// # Errors
/// It is attached to an instance, or a NAT gateway's.
pub fn check_free(world: &World, eni: &Eni) -> Result<(), Fault> {
    match is_in_use(world, eni) {
        false => Ok(()),
        true => Err(FaultCode::InvalidNetworkInterfaceInUse.with(format!("Interface: [{}] in use.", eni.id))),
    }
}

pub fn is_in_use(world: &World, eni: &Eni) -> bool {
    eni.attachment.is_some() || world.nat_gateway_of(eni.id).is_some()
}

/// Detaches an interface. `Force` makes no difference: the host takes its cable away, whatever the instance says.
pub fn detach_network_interface(
    decision: &mut Decision,
    request: &DetachNetworkInterfaceRequest,
) -> Result<DetachNetworkInterfaceResponse, Fault> {
    let id = request.attachment_id;
    let eni = by_attachment(&decision.view(), id).ok_or_else(|| no_attachment(id))?;
    if eni.attachment.is_some_and(|attachment| attachment.device_index == 0) {
        return Err(FaultCode::OperationNotPermitted
            .with("The network interface at device index 0 and networkCard index 0 cannot be detached."));
    }
    decision.put(Eni { attachment: None, ..(*eni).clone() });
    Ok(DetachNetworkInterfaceResponse { result: true })
}

pub fn no_attachment(id: AttachmentId) -> Fault {
    FaultCode::InvalidAttachmentIDNotFound.with(format!("The attachment ID '{id}' does not exist"))
}

/// The caller's interface that this attachment is about.
fn by_attachment(view: &View, id: AttachmentId) -> Option<Arc<Eni>> {
    let first = (view.caller.owner.clone(), EniId::from_random(0));
    let own = view.world.index.enis_by_owner.range(first..);
    let own = own.take_while(|(owner, _)| *owner == view.caller.owner);
    own.filter_map(|(_, eni)| view.world.enis.get(eni))
        .find(|eni| eni.attachment.is_some_and(|attachment| attachment.id == id))
        .cloned()
}
