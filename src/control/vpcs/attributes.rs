//! Attributes of VPCs and subnets, which are changed one at a time.

use super::{all_off, find, find_subnet};
use crate::control::{Decision, View};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::world::{Subnet, Vpc};

fn on(attribute: Option<&input::AttributeBooleanValue>) -> Option<bool> {
    attribute.and_then(|attribute| attribute.value)
}

pub fn modify_vpc_attribute(
    decision: &mut Decision,
    request: &ModifyVpcAttributeRequest,
) -> Result<ModifyVpcAttributeResponse, Fault> {
    let vpc = find(&decision.view(), request.vpc_id)?.clone();
    let support = on(request.enable_dns_support.as_ref());
    let hostnames = on(request.enable_dns_hostnames.as_ref());
    let metrics = on(request.enable_network_address_usage_metrics.as_ref());
    exactly_one(&[
        ("enableDnsSupport", support.is_some()),
        ("enableDnsHostnames", hostnames.is_some()),
        ("enableNetworkAddressUsageMetrics", metrics.is_some()),
    ])?;
    all_off(&[("EnableNetworkAddressUsageMetrics.Value", metrics)])?;
    let new = Vpc {
        dns_support: support.unwrap_or(vpc.dns_support),
        dns_hostnames: hostnames.unwrap_or(vpc.dns_hostnames),
        ..(*vpc).clone()
    };
    // "You can only enable DNS hostnames if you've enabled DNS support" (API_ModifyVpcAttribute).
    if hostnames == Some(true) && !vpc.dns_support {
        return Err(FaultCode::InvalidParameterValue
            .with(format!("DNS hostnames cannot be enabled for {}: enable its DNS support first", vpc.id)));
    }
    if new != *vpc {
        decision.put(new);
    }
    Ok(ModifyVpcAttributeResponse { result: true })
}

/// "You can only modify one attribute at a time" (API_ModifySubnetAttribute).
fn exactly_one(attributes: &[(&str, bool)]) -> Result<(), Fault> {
    let given: Vec<&str> = attributes.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect();
    match given.len() {
        0 => {
            let all: Vec<&str> = attributes.iter().map(|(name, _)| *name).collect();
            Err(FaultCode::MissingParameter
                .with(format!("The request must contain one of the parameters {}", all.join(", "))))
        }
        1 => Ok(()),
        _ => Err(FaultCode::InvalidParameterCombination
            .with(format!("Fields for multiple attribute types specified: {}", given.join(", ")))),
    }
}

pub fn describe_vpc_attribute(
    view: &View,
    request: &DescribeVpcAttributeRequest,
) -> Result<DescribeVpcAttributeResponse, Fault> {
    let vpc = find(view, request.vpc_id)?;
    let told = |name: &str, value: bool| {
        (request.attribute == name).then_some(output::AttributeBooleanValue { value: Some(value) })
    };
    Ok(DescribeVpcAttributeResponse {
        vpc_id: vpc.id,
        enable_dns_support: told("enableDnsSupport", vpc.dns_support),
        enable_dns_hostnames: told("enableDnsHostnames", vpc.dns_hostnames),
        enable_network_address_usage_metrics: told("enableNetworkAddressUsageMetrics", false),
    })
}

/// Public addresses at launch and IPv6 ones of interfaces are a subnet's to give; each other attribute is off and stays so.
pub fn modify_subnet_attribute(
    decision: &mut Decision,
    request: &ModifySubnetAttributeRequest,
) -> Result<ModifySubnetAttributeResponse, Fault> {
    let subnet = find_subnet(&decision.view(), request.subnet_id)?.clone();
    let map_public_ip = on(request.map_public_ip_on_launch.as_ref());
    let assign_ipv6 = on(request.assign_ipv6_address_on_creation.as_ref());
    let switches = [
        ("MapCustomerOwnedIpOnLaunch.Value", on(request.map_customer_owned_ip_on_launch.as_ref())),
        ("EnableDns64.Value", on(request.enable_dns64.as_ref())),
        (
            "EnableResourceNameDnsARecordOnLaunch.Value",
            on(request.enable_resource_name_dns_a_record_on_launch.as_ref()),
        ),
        (
            "EnableResourceNameDnsAAAARecordOnLaunch.Value",
            on(request.enable_resource_name_dns_aaaa_record_on_launch.as_ref()),
        ),
        ("DisableLniAtDeviceIndex.Value", on(request.disable_lni_at_device_index.as_ref())),
    ];
    let mut given: Vec<(&str, bool)> =
        switches.iter().map(|(name, value)| (*name, value.is_some())).collect();
    given.push(("MapPublicIpOnLaunch.Value", map_public_ip.is_some()));
    given.push(("PrivateDnsHostnameTypeOnLaunch", request.private_dns_hostname_type_on_launch.is_some()));
    given.push(("AssignIpv6AddressOnCreation.Value", assign_ipv6.is_some()));
    exactly_one(&given)?;
    all_off(&switches)?;
    if let Some(map_public_ip) = map_public_ip.filter(|new| *new != subnet.map_public_ip) {
        decision.put(Subnet { map_public_ip, ..Subnet::clone(&subnet) });
    }
    if assign_ipv6 == Some(true) && subnet.block6.is_none() {
        return Err(FaultCode::InvalidParameterValue.with(format!(
            "Invalid value 'true' for assign-ipv6-address-on-creation. Cannot set assign-ipv6-address-on-creation to true \
             unless the subnet ({}) has an IPv6 CIDR block associated with it.",
            subnet.id
        )));
    }
    if let Some(assign_ipv6) = assign_ipv6.filter(|wanted| *wanted != subnet.assign_ipv6) {
        decision.put(Subnet { assign_ipv6, ..(*subnet).clone() });
    }
    Ok(ModifySubnetAttributeResponse { result: true })
}
