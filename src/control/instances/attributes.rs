//! DescribeInstanceAttribute, ModifyInstanceAttribute, ResetInstanceAttribute: one attribute at a time.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::{Decision, View, network_interfaces};
use super::facts::Facts;
use super::options::{self, InterfaceOptions};
use super::{find, kinds};
use crate::query::api::*;
use crate::query::{Fault, FaultCode, from_base64};
use crate::types::{GroupId, InstanceId};
use crate::world::{Eni, Instance, InstanceState};

/// Elements without a value are there, as EC2 has them: clients look into them unasked.
pub fn describe_instance_attribute(
    view: &View,
    request: &DescribeInstanceAttributeRequest,
) -> Result<DescribeInstanceAttributeResponse, Fault> {
    let row = find(view, request.instance_id)?;
    let mut told =
        DescribeInstanceAttributeResponse { instance_id: row.id.to_string(), ..Default::default() };
    let text = |value: &str| Some(output::AttributeValue { value: Some(value.into()) });
    let flag = |value: bool| Some(output::AttributeBooleanValue { value: Some(value) });
    let nothing = || Some(output::AttributeValue::default());
    match request.attribute.as_str() {
        "blockDeviceMapping" => told.block_device_mapping = Some(Vec::new()),
        "disableApiStop" => told.disable_api_stop = flag(row.disable_api_stop),
        "disableApiTermination" => told.disable_api_termination = flag(row.disable_api_termination),
        "ebsOptimized" => told.ebs_optimized = flag(false),
        "enaSupport" => told.ena_support = flag(true),
        "enclaveOptions" => told.enclave_options = Some(output::EnclaveOptions { enabled: false }),
        "groupSet" => told.group_set = Some(Facts::of(view.world, &row).groups()),
        "instanceInitiatedShutdownBehavior" => {
            told.instance_initiated_shutdown_behavior =
                text(if row.terminate_on_shutdown { "terminate" } else { "stop" });
        }
        "instanceType" => told.instance_type = text(&row.instance_type),
        "kernel" => told.kernel = nothing(),
        "productCodes" => told.product_codes = Some(Vec::new()),
        "ramdisk" => told.ramdisk = nothing(),
        "rootDeviceName" => told.root_device_name = nothing(),
        "sourceDestCheck" => {
            let value = only_interface(view, row.id)?.map(|eni| eni.source_dest_check);
            told.source_dest_check = Some(output::AttributeBooleanValue { value });
        }
        "sriovNetSupport" => told.sriov_net_support = nothing(),
        _ => {
            let value = row.user_data.as_ref().map(|data| STANDARD.encode(data));
            told.user_data = Some(output::AttributeValue { value });
        }
    }
    Ok(told)
}

/// The interface that an instance's own attributes are about; none of one that has ended.
///
/// # Errors
/// There are several: EC2 wants the interface named then.
fn only_interface(view: &View, id: InstanceId) -> Result<Option<Arc<Eni>>, Fault> {
    let mut interfaces = view.world.interfaces_of(id);
    if interfaces.len() > 1 {
        return Err(FaultCode::InvalidInstanceID.with(format!(
            "There are multiple interfaces attached to instance '{id}'. Please specify an interface ID for the operation \
             instead."
        )));
    }
    Ok(interfaces.pop())
}

/// What is to be changed.
#[derive(Clone, PartialEq, Debug)]
enum New<'r> {
    DisableApiStop(bool),
    DisableApiTermination(bool),
    EbsOptimized(bool),
    EnaSupport(bool),
    Groups(&'r [GroupId]),
    ShutdownBehavior(&'r str),
    InstanceType(&'r str),
    SourceDestCheck(bool),
    UserData(Vec<u8>),
}

pub fn modify_instance_attribute(
    decision: &mut Decision,
    request: &ModifyInstanceAttributeRequest,
) -> Result<ModifyInstanceAttributeResponse, Fault> {
    let row = find(&decision.view(), request.instance_id)?;
    let mut given = typed(request);
    match (request.attribute.as_deref(), request.value.as_deref()) {
        (Some(name), Some(value)) => given.push((attribute_name(name)?, named(name, value)?)),
        (Some(name), None) if given.iter().all(|(other, _)| *other != name) => {
            return Err(missing("Value"));
        }
        (None, Some(_)) => return Err(missing("Attribute")),
        _ => {}
    }
    let names: Vec<_> = given.iter().map(|(name, _)| *name).collect();
    match given.pop() {
        None => Err(FaultCode::InvalidParameterCombination.with("No attributes specified.")),
        Some(_) if names.len() > 1 => Err(FaultCode::InvalidParameterCombination
            .with(format!("Fields for multiple attribute types specified: ({})", names.join(", ")))),
        Some((name, new)) => {
            change(decision, &row, name, new)?;
            Ok(ModifyInstanceAttributeResponse { result: true })
        }
    }
}

fn missing(parameter: &str) -> Fault {
    FaultCode::MissingParameter.with(format!("The request must contain the parameter {parameter}"))
}

/// What parameters of their own say.
fn typed(request: &ModifyInstanceAttributeRequest) -> Vec<(&'static str, New<'_>)> {
    let mut given = Vec::new();
    let mut flag = |name, value: &Option<input::AttributeBooleanValue>, make: fn(bool) -> New<'static>| {
        given.extend(value.as_ref().and_then(|value| value.value).map(|value| (name, make(value))));
    };
    flag("disableApiStop", &request.disable_api_stop, New::DisableApiStop);
    flag("disableApiTermination", &request.disable_api_termination, New::DisableApiTermination);
    flag("ebsOptimized", &request.ebs_optimized, New::EbsOptimized);
    flag("enaSupport", &request.ena_support, New::EnaSupport);
    flag("sourceDestCheck", &request.source_dest_check, New::SourceDestCheck);
    if !request.group_ids.is_empty() {
        given.push(("groupSet", New::Groups(&request.group_ids)));
    }
    let behavior = text(&request.instance_initiated_shutdown_behavior);
    given.extend(behavior.map(|value| ("instanceInitiatedShutdownBehavior", New::ShutdownBehavior(value))));
    given.extend(text(&request.instance_type).map(|value| ("instanceType", New::InstanceType(value))));
    let data = request.user_data.as_ref().and_then(|data| data.value.clone());
    given.extend(data.map(|data| ("userData", New::UserData(data))));
    given
}

fn text(value: &Option<input::AttributeValue>) -> Option<&str> {
    value.as_ref()?.value.as_deref()
}

/// Attributes that `Attribute` and `Value` can change.
const NAMED: [&str; 7] = [
    "disableApiStop",
    "disableApiTermination",
    "ebsOptimized",
    "instanceInitiatedShutdownBehavior",
    "instanceType",
    "sourceDestCheck",
    "userData",
];

fn attribute_name(name: &str) -> Result<&'static str, Fault> {
    NAMED.into_iter().find(|known| *known == name).ok_or_else(|| {
        FaultCode::UnsupportedOperation
            .with(format!("The attribute {name} cannot be changed by Attribute and Value"))
    })
}

/// What `Attribute` and `Value` say, as the oldest clients do.
fn named<'r>(name: &str, value: &'r str) -> Result<New<'r>, Fault> {
    let wrong = || {
        FaultCode::InvalidParameterValue
            .with(format!("Value ({value}) for parameter Value is invalid for the attribute {name}"))
    };
    let flag = || match value.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(wrong()),
    };
    Ok(match name {
        "disableApiStop" => New::DisableApiStop(flag()?),
        "disableApiTermination" => New::DisableApiTermination(flag()?),
        "ebsOptimized" => New::EbsOptimized(flag()?),
        "sourceDestCheck" => New::SourceDestCheck(flag()?),
        "instanceInitiatedShutdownBehavior" => New::ShutdownBehavior(value),
        "instanceType" => New::InstanceType(value),
        _ => New::UserData(from_base64(value).ok_or_else(wrong)?),
    })
}

fn change(decision: &mut Decision, row: &Arc<Instance>, name: &str, new: New) -> Result<(), Fault> {
    alive(row)?;
    let mut changed = Instance::clone(row);
    match new {
        New::DisableApiStop(value) => changed.disable_api_stop = value,
        New::DisableApiTermination(value) => changed.disable_api_termination = value,
        // Both are as they are for every instance: what they are already may be said.
        New::EbsOptimized(false) | New::EnaSupport(true) => {}
        New::EbsOptimized(_) | New::EnaSupport(_) => {
            return Err(FaultCode::UnsupportedOperation
                .with(format!("The attribute {name} cannot be changed for instance '{}'", row.id)));
        }
        New::Groups(ids) => return set_groups(decision, row, ids),
        New::SourceDestCheck(value) => return set_source_dest_check(decision, row.id, value),
        New::ShutdownBehavior(value) => {
            changed.terminate_on_shutdown = match value {
                "stop" => false,
                "terminate" => true,
                _ => return Err(bad_value(name, value)),
            };
        }
        New::InstanceType(value) => {
            stopped(row)?;
            if !kinds::known(value) {
                return Err(bad_value(name, value));
            }
            check_cards(&decision.view(), row.id, value)?;
            changed.instance_type = value.into();
        }
        New::UserData(data) => {
            stopped(row)?;
            let data = options::user_data(&data)?;
            changed.user_data = Some(data).filter(|data| !data.is_empty());
        }
    }
    decision.put(changed);
    Ok(())
}

fn bad_value(name: &str, value: &str) -> Fault {
    let shown: String = value.chars().take(128).collect();
    FaultCode::InvalidInstanceAttributeValue.with(format!("Invalid value '{shown}' for {name}."))
}

/// # Errors
/// The instance has ended or is about to.
pub fn alive(row: &Instance) -> Result<(), Fault> {
    match row.state {
        InstanceState::ShuttingDown | InstanceState::Terminated => Err(FaultCode::IncorrectInstanceState
            .with(format!(
                "The instance '{}' is not in a state from which it can be modified: it is {}.",
                row.id,
                row.state.name()
            ))),
        _ => Ok(()),
    }
}

/// # Errors
/// The instance has more interfaces, or addresses on one, than a type can have.
fn check_cards(view: &View, id: InstanceId, instance_type: &str) -> Result<(), Fault> {
    let interfaces = view.world.interfaces_of(id);
    network_interfaces::check_room(instance_type, interfaces.len())?;
    interfaces.iter().try_for_each(|eni| network_interfaces::check_addresses(eni, instance_type))
}

fn stopped(row: &Instance) -> Result<(), Fault> {
    match row.state {
        InstanceState::Stopped => Ok(()),
        _ => Err(FaultCode::IncorrectInstanceState
            .with(format!("The instance '{}' is not in the 'stopped' state.", row.id))),
    }
}

fn set_groups(decision: &mut Decision, row: &Instance, ids: &[GroupId]) -> Result<(), Fault> {
    let view = decision.view();
    let Some(eni) = only_interface(&view, row.id)? else { return Ok(()) };
    let wanted = InterfaceOptions { group_ids: ids.to_vec(), ..Default::default() };
    let groups = options::groups(&view, eni.vpc, &wanted)?;
    decision.put(Eni { groups, ..(*eni).clone() });
    Ok(())
}

fn set_source_dest_check(decision: &mut Decision, id: InstanceId, value: bool) -> Result<(), Fault> {
    if let Some(eni) = only_interface(&decision.view(), id)? {
        decision.put(Eni { source_dest_check: value, ..(*eni).clone() });
    }
    Ok(())
}

pub fn reset_instance_attribute(
    decision: &mut Decision,
    request: &ResetInstanceAttributeRequest,
) -> Result<ResetInstanceAttributeResponse, Fault> {
    let row = find(&decision.view(), request.instance_id)?;
    if request.attribute != "sourceDestCheck" {
        return Err(FaultCode::UnsupportedOperation.with(format!(
            "The attribute {} cannot be reset: instances have no kernel and no RAM disk of their own",
            request.attribute
        )));
    }
    alive(&row)?;
    set_source_dest_check(decision, row.id, true)?;
    Ok(ResetInstanceAttributeResponse { result: true })
}
