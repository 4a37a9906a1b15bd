//! DescribeAccountAttributes: what tools ask to learn whether there is a default VPC.

use super::{View, defaults};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};

/// Every attribute that EC2 has
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeAccountAttributes.html>).
const NAMES: [&str; 6] = [
    "default-vpc",
    "max-elastic-ips",
    "max-instances",
    "supported-platforms",
    "vpc-max-elastic-ips",
    "vpc-max-security-groups-per-interface",
];

pub fn describe_account_attributes(
    view: &View,
    request: &DescribeAccountAttributesRequest,
) -> Result<DescribeAccountAttributesResponse, Fault> {
    let wanted = &request.attribute_names;
    if let Some(name) = wanted.iter().find(|name| !NAMES.contains(&name.as_str())) {
        return Err(FaultCode::InvalidParameterValue.with(format!(
            "Value ({name}) for parameter attributeName is invalid: use {}",
            NAMES.join(", ")
        )));
    }
    let shown = NAMES.iter().filter(|name| wanted.is_empty() || wanted.iter().any(|other| other == *name));
    let attribute = |name: &&str| output::AccountAttribute {
        attribute_name: (*name).into(),
        attribute_value_set: vec![output::AccountAttributeValue { attribute_value: value(view, name) }],
    };
    Ok(DescribeAccountAttributesResponse { account_attributes: shown.map(attribute).collect() })
}

/// What limits an account are its quotas, and what the operator gave to all.
fn value(view: &View, name: &str) -> String {
    let world = view.world;
    match name {
        "supported-platforms" => "VPC".into(),
        "default-vpc" => {
            defaults::vpc(world, &view.caller.owner).map_or_else(|| "none".into(), |vpc| vpc.id.to_string())
        }
        "max-instances" => world.flat_networks().map(|row| row.range.count()).sum::<u64>().to_string(),
        "vpc-max-security-groups-per-interface" => {
            view.caller.quotas.security_groups_per_interface.to_string()
        }
        _ => {
            let there = world.pools.values().map(|pool| pool.range.count()).sum::<u64>();
            there.min(view.caller.quotas.elastic_addresses as u64).to_string()
        }
    }
}
