//! The attributes of interfaces, one at a time: describe, modify, reset.

use super::attach::no_attachment;
use super::{Interface, find, find_own};
use crate::control::instances::{self, InterfaceOptions};
use crate::control::{Decision, View};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::world::{Attachment, Eni};

pub fn describe_network_interface_attribute(
    view: &View,
    request: &DescribeNetworkInterfaceAttributeRequest,
) -> Result<DescribeNetworkInterfaceAttributeResponse, Fault> {
    let interface = Interface::of(view.world, find(view, request.network_interface_id)?);
    let eni = &interface.eni;
    let mut told = DescribeNetworkInterfaceAttributeResponse {
        network_interface_id: eni.id,
        description: None,
        source_dest_check: None,
        groups: Vec::new(),
        attachment: None,
        associate_public_ip_address: None,
    };
    match request.attribute.as_str() {
        "description" => {
            told.description = Some(output::AttributeValue { value: Some(eni.description.to_string()) });
        }
        "sourceDestCheck" => {
            let value = Some(eni.source_dest_check);
            told.source_dest_check = Some(output::AttributeBooleanValue { value });
        }
        "associatePublicIpAddress" => told.associate_public_ip_address = Some(eni.auto_public),
        "groupSet" => told.groups = interface.groups(view.world),
        _ => told.attachment = interface.attachment(),
    }
    Ok(told)
}

pub fn modify_network_interface_attribute(
    decision: &mut Decision,
    request: &ModifyNetworkInterfaceAttributeRequest,
) -> Result<ModifyNetworkInterfaceAttributeResponse, Fault> {
    let eni = find_own(&decision.view(), request.network_interface_id)?;
    let mut given = Vec::new();
    if let Some(description) = request.description.as_ref().and_then(|new| new.value.as_deref()) {
        given.push(("description", Eni { description: description.into(), ..(*eni).clone() }));
    }
    if let Some(source_dest_check) = request.source_dest_check.as_ref().and_then(|new| new.value) {
        given.push(("sourceDestCheck", Eni { source_dest_check, ..(*eni).clone() }));
    }
    if !request.group_ids.is_empty() {
        let wanted = InterfaceOptions { group_ids: request.group_ids.clone(), ..InterfaceOptions::default() };
        let groups = instances::groups(&decision.view(), eni.vpc, &wanted)?;
        given.push(("groupSet", Eni { groups, ..(*eni).clone() }));
    }
    // It counts from the next start on.
    if let Some(auto_public) = request.associate_public_ip_address {
        given.push(("associatePublicIpAddress", Eni { auto_public, ..(*eni).clone() }));
    }
    if let Some(new) = &request.attachment {
        let attachment = Some(changed_attachment(&eni, new)?);
        given.push(("attachment", Eni { attachment, ..(*eni).clone() }));
    }
    let names: Vec<_> = given.iter().map(|(name, _)| *name).collect();
    match given.pop() {
        None => Err(FaultCode::InvalidParameterCombination.with("No attributes specified.")),
        Some(_) if names.len() > 1 => Err(FaultCode::InvalidParameterCombination
            .with(format!("Fields for multiple attribute types specified: ({})", names.join(", ")))),
        Some((_, row)) => {
            decision.put(row);
            Ok(ModifyNetworkInterfaceAttributeResponse { result: true })
        }
    }
}

/// The attachment is named, so that nobody changes one that came after the one that he means.
fn changed_attachment(
    eni: &Eni,
    new: &input::NetworkInterfaceAttachmentChanges,
) -> Result<Attachment, Fault> {
    let missing = |parameter: &str| {
        FaultCode::MissingParameter.with(format!("The request must contain the parameter {parameter}"))
    };
    let id = new.attachment_id.ok_or_else(|| missing("Attachment.AttachmentId"))?;
    let attachment =
        eni.attachment.filter(|attachment| attachment.id == id).ok_or_else(|| no_attachment(id))?;
    let delete_on_termination =
        new.delete_on_termination.ok_or_else(|| missing("Attachment.DeleteOnTermination"))?;
    Ok(Attachment { delete_on_termination, ..attachment })
}

/// Sets the source/destination check, which is all that can be reset.
pub fn reset_network_interface_attribute(
    decision: &mut Decision,
    request: &ResetNetworkInterfaceAttributeRequest,
) -> Result<ResetNetworkInterfaceAttributeResponse, Fault> {
    let eni = find_own(&decision.view(), request.network_interface_id)?;
    if request.source_dest_check.is_none() {
        return Err(FaultCode::InvalidParameterCombination.with("No attributes specified."));
    }
    decision.put(Eni { source_dest_check: true, ..(*eni).clone() });
    Ok(ResetNetworkInterfaceAttributeResponse { result: true })
}
