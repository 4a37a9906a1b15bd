//! CreateTags, DeleteTags, DescribeTags.

use super::{Decision, View, filter, peerings, tags};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::world::{Key, Tag, World};

pub fn create_tags(
    decision: &mut Decision,
    request: &CreateTagsRequest,
) -> Result<CreateTagsResponse, Fault> {
    let mut new: Vec<tags::NewTag> = Vec::new();
    for tag in &request.tags {
        let (key, value) = tags::checked(tag)?;
        if new.iter().any(|(other, _)| *other == key) {
            return Err(
                FaultCode::InvalidParameterValue.with(format!("Duplicate tag key '{key}' specified."))
            );
        }
        new.push((key, value));
    }
    if new.is_empty() {
        return Err(missing("Tag"));
    }
    for resource in resources(decision, &request.resources)? {
        decision.tag(resource, &new)?;
    }
    Ok(CreateTagsResponse { result: true })
}

/// "If you specify a tag key without a tag value, we delete any tag with this key regardless of its
/// value. If you specify a tag key with an empty string as the tag value, we delete the tag only if its
/// value is an empty string" (API_DeleteTags). Without any tag all of them go but EC2's own.
pub fn delete_tags(
    decision: &mut Decision,
    request: &DeleteTagsRequest,
) -> Result<DeleteTagsResponse, Fault> {
    for resource in resources(decision, &request.resources)? {
        if request.tags.is_empty() {
            let own = tags::of(&decision.world, resource).filter(|tag| !tags::is_reserved(&tag.key));
            let own: Vec<_> = own.map(|tag| tag.key.clone()).collect();
            own.into_iter().for_each(|key| decision.delete(Key::Tag((resource, key))));
        }
        for tag in &request.tags {
            let key = tag.key.as_deref().filter(|key| !key.is_empty()).ok_or_else(|| missing("Tag.N.Key"))?;
            tags::not_reserved(key)?;
            let there = decision.world.tags.get(&(resource, key.into())).cloned();
            let meant = there.filter(|there| tag.value.as_deref().is_none_or(|value| *value == *there.value));
            if let Some(gone) = meant {
                decision.delete(Key::Tag((resource, gone.key.clone())));
            }
        }
    }
    Ok(DeleteTagsResponse { result: true })
}

fn missing(parameter: &str) -> Fault {
    FaultCode::MissingParameter.with(format!("The request must contain the parameter {parameter}"))
}

/// The caller's resources, all of which must exist.
fn resources(decision: &Decision, ids: &[ResourceId]) -> Result<Vec<ResourceId>, Fault> {
    if ids.is_empty() {
        return Err(missing("ResourceId"));
    }
    let view = decision.view();
    let own = |id: &ResourceId| match *id {
        // Each end has tags of its own.
        ResourceId::VpcPeeringConnection(id) => {
            peerings::find(&view, id).map(|row| row.resource(&view.caller.owner))
        }
        id => check(&view, id).map(|()| id),
    };
    ids.iter().map(own).collect()
}

fn check(view: &View, resource: ResourceId) -> Result<(), Fault> {
    let (owned, code, what) = match resource {
        ResourceId::Image(id) => image(view.world, id)?,
        ResourceId::DhcpOptions(_)
        | ResourceId::EgressGateway(_)
        | ResourceId::InternetGateway(_)
        | ResourceId::NatGateway(_)
        | ResourceId::NetworkAcl(_)
        | ResourceId::PrefixList(_)
        | ResourceId::RouteTable(_)
        | ResourceId::Subnet(_)
        | ResourceId::SubnetCidrReservation(_)
        | ResourceId::Vpc(_) => of_vpcs(view.world, resource),
        _ => of_others(view.world, resource),
    };
    match owned {
        Some(of) if *of == view.caller.owner => Ok(()),
        _ => Err(code.with(format!("The {what} ID '{resource}' does not exist"))),
    }
}

/// Who has a resource, what EC2 answers where nobody has it, and what it calls it.
type Owned<'w> = (Option<&'w Owner>, FaultCode, &'static str);

fn image(world: &World, id: ImageId) -> Result<Owned<'_>, Fault> {
    match world.images.get(&id) {
        Some(image) if image.owner.is_none() => Err(FaultCode::OperationNotPermitted
            .with(format!("The image {id} belongs to the operator of this cloud and takes no tags"))),
        image => Ok((image.and_then(|image| image.owner.as_ref()), FaultCode::InvalidAMIIDNotFound, "image")),
    }
}

fn of_vpcs(world: &World, resource: ResourceId) -> Owned<'_> {
    use FaultCode::*;
    match resource {
        ResourceId::DhcpOptions(id) => {
            (world.dhcp_options.get(&id).map(|row| &row.owner), InvalidDhcpOptionIDNotFound, "dhcpOptions")
        }
        ResourceId::EgressGateway(id) => (
            world.egress_gateways.get(&id).map(|row| &row.owner),
            InvalidEgressOnlyInternetGatewayIdNotFound,
            "egressOnlyInternetGateway",
        ),
        ResourceId::InternetGateway(id) => (
            world.internet_gateways.get(&id).map(|row| &row.owner),
            InvalidInternetGatewayIDNotFound,
            "internetGateway",
        ),
        ResourceId::NatGateway(id) => {
            (world.nat_gateways.get(&id).map(|row| &row.owner), NatGatewayNotFound, "natGateway")
        }
        ResourceId::NetworkAcl(id) => {
            (world.network_acls.get(&id).map(|row| &row.owner), InvalidNetworkAclIDNotFound, "networkAcl")
        }
        ResourceId::PrefixList(id) => {
            (world.prefix_lists.get(&id).map(|row| &row.owner), InvalidPrefixListIDNotFound, "prefix list")
        }
        ResourceId::RouteTable(id) => {
            (world.route_tables.get(&id).map(|row| &row.owner), InvalidRouteTableIDNotFound, "routeTable")
        }
        ResourceId::Subnet(id) => {
            (world.subnets.get(&id).map(|row| &row.owner), InvalidSubnetIDNotFound, "subnet")
        }
        ResourceId::SubnetCidrReservation(id) => (
            world.subnet_cidr_reservations.get(&id).map(|row| &row.owner),
            InvalidSubnetCidrReservationIDNotFound,
            "subnet cidr reservation",
        ),
        ResourceId::Vpc(id) => (world.vpcs.get(&id).map(|row| &row.owner), InvalidVpcIDNotFound, "vpc"),
        _ => (None, InvalidID, "resource"),
    }
}

fn of_others(world: &World, resource: ResourceId) -> Owned<'_> {
    use FaultCode::*;
    match resource {
        ResourceId::Address(id) => (
            world.addresses.get(&id).filter(|row| !row.automatic).map(|row| &row.owner),
            InvalidAllocationIDNotFound,
            "allocation",
        ),
        ResourceId::Instance(id) => {
            (world.instances.get(&id).map(|row| &row.owner), InvalidInstanceIDNotFound, "instance")
        }
        ResourceId::KeyPair(id) => {
            (world.key_pairs.get(&id).map(|row| &row.owner), InvalidKeyPairNotFound, "key pair")
        }
        ResourceId::InsightsPath(id) => (
            world.insights_paths.get(&id).map(|row| &row.owner),
            InvalidNetworkInsightsPathIdNotFound,
            "network insights path",
        ),
        ResourceId::InsightsAnalysis(id) => (
            world.insights_analyses.get(&id).map(|row| &row.owner),
            InvalidNetworkInsightsAnalysisIdNotFound,
            "network insights analysis",
        ),
        ResourceId::LaunchTemplate(id) => (
            world.launch_templates.get(&id).map(|row| &row.owner),
            InvalidLaunchTemplateIdNotFound,
            "launch template",
        ),
        ResourceId::NetworkInterface(id) => {
            (world.enis.get(&id).map(|row| &row.owner), InvalidNetworkInterfaceIDNotFound, "networkInterface")
        }
        ResourceId::SecurityGroup(id) => {
            (world.groups.get(&id).map(|row| &row.owner), InvalidGroupNotFound, "security group")
        }
        ResourceId::SecurityGroupRule(id) => (
            world.rules.get(&id).map(|row| &row.owner),
            InvalidSecurityGroupRuleIdNotFound,
            "security group rule",
        ),
        _ => (None, InvalidID, "resource"),
    }
}

pub fn describe_tags(view: &View, request: &DescribeTagsRequest) -> Result<DescribeTagsResponse, Fault> {
    let mut own: Vec<&Tag> =
        view.world.tags.values().map(|tag| &**tag).filter(|tag| tag.owner == view.caller.owner).collect();
    own.retain(|tag| matches(view, tag, &request.filters));
    // In the order of the texts that page tokens are made of.
    own.sort_by_key(|tag| place(tag));
    let (tags, next_token) = request.page().cut(own.into_iter(), |tag| place(tag))?;
    let tags = tags.into_iter().map(|tag| output::TagDescription {
        resource_id: tag.resource.told(),
        resource_type: tag.resource.kind().to_owned(),
        key: tag.key.to_string(),
        value: tag.value.to_string(),
    });
    Ok(DescribeTagsResponse { tags: tags.collect(), next_token })
}

fn place(tag: &Tag) -> String {
    format!("{}/{}", tag.resource.told(), tag.key)
}

fn matches(view: &View, tag: &Tag, filters: &[crate::query::Filter]) -> bool {
    filter::matches(view.world, None, filters, |name| match name {
        "key" => vec![tag.key.to_string()],
        "resource-id" => vec![tag.resource.told().to_string()],
        "resource-type" => vec![tag.resource.kind().to_owned()],
        "value" => vec![tag.value.to_string()],
        // `tag:KEY` asks for the tag itself here, not for its resource.
        _ => match name.strip_prefix("tag:") {
            Some(key) if *key == *tag.key => vec![tag.value.to_string()],
            _ => Vec::new(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::testing::Bench;

    fn vpc(bench: &Bench) -> ResourceId {
        ResourceId::Vpc(*bench.world.vpcs.keys().next().unwrap())
    }

    fn tag(key: &str, value: Option<&str>) -> input::Tag {
        input::Tag { key: Some(key.into()), value: value.map(Into::into) }
    }

    fn create(bench: &mut Bench, resources: Vec<ResourceId>, tags: Vec<input::Tag>) -> Result<(), Fault> {
        let request = CreateTagsRequest { dry_run: false, resources, tags };
        bench.attempt(|decision| create_tags(decision, &request)).map(drop)
    }

    #[test]
    fn one_resource_that_does_not_exist_fails_all() {
        let mut bench = Bench::small();
        let (there, absent) = (vpc(&bench), ResourceId::Instance(InstanceId::from_random(99)));
        let fault = create(&mut bench, vec![there, absent], vec![tag("a", Some("1"))]).unwrap_err();
        assert_eq!(fault.code, FaultCode::InvalidInstanceIDNotFound);
        assert!(bench.world.tags.is_empty());
    }

    #[test]
    fn a_tag_is_deleted_by_key_or_by_key_and_value() {
        let mut bench = Bench::small();
        let resource = vpc(&bench);
        create(&mut bench, vec![resource], vec![tag("a", Some("1")), tag("b", Some("2"))]).unwrap();
        let mut delete = |tags: Vec<input::Tag>| {
            let request = DeleteTagsRequest { dry_run: false, resources: vec![resource], tags };
            bench.attempt(|decision| delete_tags(decision, &request)).unwrap();
            bench.world.tags.len()
        };
        assert_eq!(delete(vec![tag("a", Some("other"))]), 2);
        assert_eq!(delete(vec![tag("a", Some(""))]), 2, "only a tag whose value is empty");
        assert_eq!(delete(vec![tag("a", Some("1"))]), 1);
        assert_eq!(delete(vec![tag("b", None)]), 0);
    }

    #[test]
    fn the_limit_counts_what_is_there() {
        let mut bench = Bench::small();
        let resource = vpc(&bench);
        let many = |from: usize, to: usize| (from..to).map(|n| tag(&n.to_string(), None)).collect();
        create(&mut bench, vec![resource], many(0, 50)).unwrap();
        create(&mut bench, vec![resource], many(49, 50)).unwrap();
        let fault = create(&mut bench, vec![resource], many(50, 51)).unwrap_err();
        assert_eq!(fault.code, FaultCode::TagLimitExceeded);
        assert_eq!(bench.world.tags.len(), 50);
    }
}
