//! Tags, by EC2's reference: CreateTags, DeleteTags.

use super::call::{Call, Code, Faults, MISSING, VALUE};
use super::tree::{Tree, leaf};
use super::world::*;

/// The resource's kind, and the code for one that is not there.
fn kind(resource: &str) -> (&'static str, Code) {
    match resource.rsplit_once('-').map(|(prefix, _)| prefix).unwrap_or_default() {
        "eipalloc" => ("elastic-ip", "InvalidAllocationID.NotFound"),
        "i" => ("instance", "InvalidInstanceID.NotFound"),
        "key" => ("key-pair", "InvalidKeyPair.NotFound"),
        "eni" => ("network-interface", "InvalidNetworkInterfaceID.NotFound"),
        "sg" => ("security-group", "InvalidGroup.NotFound"),
        "sgr" => ("security-group-rule", "InvalidSecurityGroupRuleId.NotFound"),
        "subnet" => ("subnet", "InvalidSubnetID.NotFound"),
        "vpc" => ("vpc", "InvalidVpcID.NotFound"),
        "rtb" => ("route-table", "InvalidRouteTableID.NotFound"),
        "nat" => ("natgateway", "NatGatewayNotFound"),
        "pl" => ("prefix-list", "InvalidPrefixListID.NotFound"),
        "pcx" => ("vpc-peering-connection", "InvalidVpcPeeringConnectionID.NotFound"),
        "acl" => ("network-acl", "InvalidNetworkAclID.NotFound"),
        "igw" => ("internet-gateway", "InvalidInternetGatewayID.NotFound"),
        "dopt" => ("dhcp-options", "InvalidDhcpOptionID.NotFound"),
        "ami" => ("image", "InvalidAMIID.NotFound"),
        "nip" => ("network-insights-path", "InvalidNetworkInsightsPathId.NotFound"),
        "nia" => ("network-insights-analysis", "InvalidNetworkInsightsAnalysisId.NotFound"),
        other => panic!("a resource of kind {other}"),
    }
}

impl World {
    /// Everything of an account that has tags.
    pub fn resources(&self, who: usize) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        all.extend(self.addresses.iter().filter(|row| row.who == who).map(|row| row.id.clone()));
        all.extend(self.instances.iter().filter(|row| row.who == who).map(|row| row.id.clone()));
        all.extend(self.interfaces.iter().filter(|row| row.who == who).map(|row| row.id.clone()));
        all.extend(self.keys.iter().filter(|row| row.who == who).map(|row| row.id.clone()));
        all.extend(self.paths.iter().filter(|row| row.who == who).map(|row| row.id.clone()));
        all.extend(self.gateways.iter().filter(|row| row.who == who).map(|row| row.id.clone()));
        all.extend(self.dhcp_options.iter().filter(|row| row.who == who).map(|row| row.id.clone()));
        all.extend(self.analyses.iter().filter(|row| row.who == who).map(|row| row.id.clone()));
        for group in self.groups.iter().filter(|row| row.who == who) {
            all.push(group.id.clone());
            let own = self.rules.iter().filter(|rule| rule.group == group.id);
            all.extend(own.filter_map(|rule| rule.id.clone()));
        }
        all.extend(self.vpcs.iter().filter(|row| row.who == who).map(|row| row.id.clone()));
        all.extend(self.subnets.iter().filter(|row| row.who == who).map(|row| row.id.clone()));
        all.extend(self.tables.iter().filter(|row| row.who == who).map(|row| row.id.clone()));
        all.extend(self.nats.iter().filter(|row| row.who == who).map(|row| row.id.clone()));
        all.extend(self.lists.iter().filter(|row| row.who == who).map(|row| row.id.clone()));
        all.extend(self.peerings_of(who).iter().map(|row| row.id.clone()));
        all.extend(self.acls.iter().filter(|row| row.who == who).map(|row| row.id.clone()));
        all
    }
}

fn check(world: &World, call: &Call) -> (Vec<String>, Faults) {
    let mut faults = Faults::default();
    let named = call.params.list("ResourceId");
    faults.add_if(named.is_empty(), MISSING);
    let own = world.resources(call.who);
    for id in &named {
        let absent = if *id == world.image { "OperationNotPermitted" } else { kind(id).1 };
        faults.add_if(!own.contains(id), absent);
    }
    (named, faults)
}

pub fn create(world: &mut World, call: &Call) -> Outcome {
    let (named, mut faults) = check(world, call);
    let tags: Vec<_> = call.params.structures("Tag").iter().map(tag).collect();
    faults.add_if(tags.is_empty(), MISSING);
    check_tags(&tags, &mut faults);
    for id in &named {
        let old = world.tags_by(call.who, id);
        let new = tags.iter().filter(|(key, _)| !old.iter().any(|(other, _)| other == key));
        faults.add_if(old.len() + new.count() > 50, "TagLimitExceeded");
    }
    faults.done()?;
    named.iter().for_each(|id| world.tag(call.who, id, &tags));
    Ok(vec![leaf("return", true)])
}

/// "If you specify a tag key without a tag value, we delete any tag with this key regardless of its value. If you specify
/// a tag key with an empty string as the tag value, we delete the tag only if its value is an empty string."
pub fn delete(world: &mut World, call: &Call) -> Outcome {
    let (named, mut faults) = check(world, call);
    let asked = call.params.structures("Tag");
    faults.add_if(asked.iter().any(|tag| tag.one("Key").is_none()), MISSING);
    let reserved = |key: &str| key.to_lowercase().starts_with("aws:");
    faults.add_if(asked.iter().filter_map(|tag| tag.one("Key")).any(reserved), VALUE);
    faults.done()?;
    let meant = |tag: &Tag| {
        let matches = |asked: &super::call::Params| {
            let value = asked.0.iter().find(|(name, _)| name == "Value").map(|(_, value)| value);
            asked.one("Key") == Some(&tag.key) && value.is_none_or(|value| *value == tag.value)
        };
        tag.who == call.who
            && named.contains(&tag.resource)
            && (asked.is_empty() || asked.iter().any(matches))
    };
    world.tags.retain(|tag| !meant(tag));
    Ok(vec![leaf("return", true)])
}

/// A tag as DescribeTags tells it.
pub fn shape(tag: &Tag) -> Vec<Tree> {
    vec![
        leaf("resourceId", &tag.resource),
        leaf("resourceType", kind(&tag.resource).0),
        leaf("key", &tag.key),
        leaf("value", &tag.value),
    ]
}
