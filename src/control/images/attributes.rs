//! DescribeImageAttribute and ModifyImageAttribute.

use super::super::{Decision, View};
use super::find;
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::world::Image;

/// Elements without a value are there, as EC2 has them.
pub fn describe_image_attribute(
    view: &View,
    request: &DescribeImageAttributeRequest,
) -> Result<DescribeImageAttributeResponse, Fault> {
    let image = find(view, request.image_id)?;
    let mut told = DescribeImageAttributeResponse { image_id: image.id.to_string(), ..Default::default() };
    let text = |value: &str| Some(output::AttributeValue { value: Some(value.into()) });
    let nothing = || Some(output::AttributeValue::default());
    match request.attribute.as_str() {
        "blockDeviceMapping" => told.block_device_mapping = Some(Vec::new()),
        "bootMode" => told.boot_mode = text("legacy-bios"),
        "description" => told.description = text(&image.description),
        "imdsSupport" => told.imds_support = nothing(),
        "kernel" => told.kernel = nothing(),
        "lastLaunchedTime" => told.last_launched_time = nothing(),
        // The operator's are everybody's; one's own are shared with nobody.
        "launchPermission" => {
            let all = output::LaunchPermission { group: "all".into() };
            told.launch_permission = Some(Some(all).into_iter().filter(|_| image.owner.is_none()).collect());
        }
        "productCodes" => told.product_codes = Some(Vec::new()),
        "ramdisk" => told.ramdisk = nothing(),
        "sriovNetSupport" => told.sriov_net_support = nothing(),
        "tpmSupport" => told.tpm_support = nothing(),
        _ => told.uefi_data = nothing(),
    }
    Ok(told)
}

/// Changes the description of an image of one's own: nothing else of it can be changed.
pub fn modify_image_attribute(
    decision: &mut Decision,
    request: &ModifyImageAttributeRequest,
) -> Result<ModifyImageAttributeResponse, Fault> {
    let image = find(&decision.view(), request.image_id)?.clone();
    if image.owner.is_none() {
        return Err(FaultCode::OperationNotPermitted
            .with(format!("The image {} belongs to the operator of this cloud", image.id)));
    }
    let named = request.attribute.as_deref().unwrap_or("description");
    if !named.eq_ignore_ascii_case("description") {
        return Err(FaultCode::UnsupportedOperation
            .with(format!("The attribute {named} of an image cannot be changed: its description can")));
    }
    let said = request.description.as_ref().and_then(|said| said.value.clone());
    let description = match (said, request.value.clone()) {
        (Some(one), None) | (None, Some(one)) => one,
        (Some(_), Some(_)) => {
            return Err(FaultCode::InvalidParameterCombination
                .with("Description and Value say the same thing: give one of the two"));
        }
        (None, None) => {
            return Err(FaultCode::MissingParameter
                .with("The request must contain the parameter Description or Value"));
        }
    };
    if description.chars().count() > 255 {
        return Err(FaultCode::InvalidParameterValue.with("A description has at most 255 characters"));
    }
    decision.put(Image { description: description.into(), ..(*image).clone() });
    Ok(ModifyImageAttributeResponse { result: true })
}
