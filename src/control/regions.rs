//! DescribeRegions and DescribeAvailabilityZones.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::filter::Values;
use super::{View, filter};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::Region;
use crate::world::World;

const OPTED_IN: &str = "opt-in-not-required";

pub fn describe_regions(
    view: &View,
    request: &DescribeRegionsRequest,
) -> Result<DescribeRegionsResponse, Fault> {
    let account = view.caller.owner.account;
    // There is one of these wherever an account has ever had a default VPC.
    let sets = view.world.dhcp_options.values().filter(|set| set.owner.account == account);
    let mut regions: BTreeSet<&Region> = sets.map(|set| &set.owner.region).collect();
    regions.insert(&view.caller.owner.region);
    let names: BTreeSet<_> = regions.iter().map(|region| region.to_string()).collect();
    known(&request.region_names, &names, "region names")?;
    let endpoint = &view.caller.endpoint;
    let shown = names
        .into_iter()
        .filter(|name| request.region_names.is_empty() || request.region_names.contains(name))
        .filter(|name| {
            filter::matches(view.world, None, &request.filters, |attribute| match attribute {
                "endpoint" => vec![endpoint.to_string()],
                "opt-in-status" => vec![OPTED_IN.into()],
                "region-name" => vec![name.clone()],
                _ => Values::new(),
            })
        });
    let regions = shown
        .map(|region_name| output::RegionInfo {
            opt_in_status: OPTED_IN.into(),
            region_name,
            // One server answers for all regions; a client that follows must come back here.
            region_endpoint: endpoint.to_string(),
        })
        .collect();
    Ok(DescribeRegionsResponse { regions })
}

pub fn describe_availability_zones(
    view: &View,
    request: &DescribeAvailabilityZonesRequest,
) -> Result<DescribeAvailabilityZonesResponse, Fault> {
    let region = &view.caller.owner.region;
    let zones: Vec<_> = zones(view.world)
        .into_iter()
        .map(|zone| (zone.to_string(), zone_id(view.world, region, &zone)))
        .collect();
    let names = zones.iter().map(|(name, _)| name.clone()).collect();
    let ids = zones.iter().map(|(_, id)| id.clone()).collect();
    known(&request.zone_names, &names, "availability zone")?;
    known(&request.zone_ids, &ids, "availability zone id")?;
    let wanted = |wanted: &[String], one: &String| wanted.is_empty() || wanted.contains(one);
    let shown = zones
        .into_iter()
        .filter(|(name, id)| wanted(&request.zone_names, name) && wanted(&request.zone_ids, id))
        .filter(|(name, id)| {
            filter::matches(view.world, None, &request.filters, |attribute| match attribute {
                "group-name" | "region-name" => vec![region.to_string()],
                "opt-in-status" => vec![OPTED_IN.into()],
                "state" => vec!["available".into()],
                "zone-id" => vec![id.clone()],
                "zone-name" => vec![name.clone()],
                "zone-type" => vec!["availability-zone".into()],
                _ => Values::new(),
            })
        });
    let availability_zones = shown
        .map(|(zone_name, zone_id)| output::AvailabilityZone {
            zone_name,
            zone_id,
            zone_state: "available".into(),
            zone_type: "availability-zone".into(),
            region_name: region.to_string(),
            group_name: region.to_string(),
            network_border_group: region.to_string(),
            opt_in_status: OPTED_IN.into(),
            message_set: Vec::new(),
        })
        .collect();
    Ok(DescribeAvailabilityZonesResponse { availability_zones })
}

/// Refuses names that there are not.
fn known(wanted: &[String], all: &BTreeSet<String>, what: &str) -> Result<(), Fault> {
    let unknown: Vec<_> = wanted.iter().filter(|name| !all.contains(*name)).map(String::as_str).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(FaultCode::InvalidParameterValue.with(format!("Invalid {what}: [{}]", unknown.join(", "))))
}

/// Every zone that a network or a host is in, by name.
pub fn zones(world: &World) -> BTreeSet<Arc<str>> {
    let of_networks = world.networks.values().map(|network| network.zone.clone());
    of_networks.chain(world.hosts.values().map(|host| host.zone.clone())).collect()
}

/// EC2's number for a zone, such as `use1-az1`: the region in short, and the zone's place by name.
pub fn zone_id(world: &World, region: &Region, zone: &str) -> String {
    let place = zones(world).iter().position(|other| **other == *zone).map_or(0, |place| place + 1);
    format!("{}-az{place}", short(region))
}

/// `us-east-1` is `use1`, `ap-southeast-2` is `apse2`.
fn short(region: &Region) -> String {
    let mut words = region.0.split('-');
    let mut text = words.next().unwrap_or_default().to_owned();
    for word in words {
        let (first, rest) = ["north", "south"]
            .iter()
            .find_map(|way| word.strip_prefix(way).map(|rest| (&way[..1], rest)))
            .unwrap_or(("", word));
        text += first;
        text.extend(rest.chars().next());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_shortened_as_ec2_does() {
        for (region, wanted) in [
            ("us-east-1", "use1"),
            ("ap-southeast-2", "apse2"),
            ("eu-north-1", "eun1"),
            ("us-gov-west-1", "usgw1"),
            ("home", "home"),
        ] {
            assert_eq!(short(&region.into()), wanted);
        }
    }
}
